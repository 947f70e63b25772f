//! The ledger: immutable events under one ref.

pub mod event;
pub mod store;

pub use event::{Event, Fact};
pub use store::{Ledger, LedgerError};
