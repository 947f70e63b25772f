//! The ledger: immutable events under one ref.
//!
//! | file | what it does |
//! |---|---|
//! | [`event`] | what an event says |
//! | [`store`] | writing and reading events in git |
//! | [`merge`] | the union of two ledgers |
//! | [`sync`] | exchanging records with a remote |
//! | [`index`] | a copy of the events, ordered and quick to read, that can be thrown away |

pub mod event;
pub mod index;
pub mod merge;
pub mod store;
pub mod sync;

pub use event::{Event, Fact};
pub use index::Row;
pub use merge::Merged;
pub use store::{Ledger, LedgerError};
