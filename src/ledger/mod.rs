//! The ledger: immutable events under one ref.
//!
//! | file | what it does |
//! |---|---|
//! | [`event`] | what an event says |
//! | [`store`] | writing and reading events in git |
//! | [`merge`] | the union of two ledgers |
//! | [`sync`] | exchanging records with a remote |
//! | [`query`] | the decisions, filtered, without reading more than is shown |
//! | [`trailers`] | the decisions of a clone that has no ledger |
//! | [`identity`] | where a decision is in a history that was rewritten |
//! | [`index`] | a copy of the events, ordered and quick to read, that can be thrown away |

pub mod event;
pub mod identity;
pub mod index;
pub mod merge;
pub mod query;
pub mod store;
pub mod sync;
pub mod trailers;

pub use event::{Event, Fact};
pub use index::{Record, Row, Wanted};
pub use merge::Merged;
pub use store::{Ledger, LedgerError};
