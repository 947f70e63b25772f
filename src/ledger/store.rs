//! Storage of events under [`LEDGER_REF`].

use super::event::{Event, Fact};
use crate::error::{Exit, Explain};
use crate::git::{GitError, Repo};
use ulid::Ulid;

/// The single ref that holds the ledger.
pub const LEDGER_REF: &str = "refs/verdict/ledger";

/// The ledger of a repository.
#[derive(Debug)]
pub struct Ledger<'r> {
    #[allow(dead_code)]
    repo: &'r Repo,
}

impl<'r> Ledger<'r> {
    /// The ledger of this repository; an empty one when the ref does not exist.
    pub fn open(repo: &'r Repo) -> Ledger<'r> {
        Ledger { repo }
    }

    /// A new event, made now by the configured user, with an id of its own. Nothing is written.
    pub fn draft(&self, _experiment: Ulid, _name: &str, _fact: Fact) -> Result<Event, LedgerError> {
        todo!()
    }

    /// Adds an event; an event that is there already is left as it is.
    pub fn append(&self, _event: &Event) -> Result<(), LedgerError> {
        todo!()
    }

    /// All events in the order of their ids, oldest first.
    pub fn events(&self) -> Result<Vec<Event>, LedgerError> {
        todo!()
    }

    /// One event.
    pub fn find(&self, _id: Ulid) -> Result<Option<Event>, LedgerError> {
        todo!()
    }
}

/// What can go wrong with the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// An event of a major version that this program does not know.
    #[error("record {id} has format version {found}; this program reads version {known}")]
    Version {
        /// The record.
        id: String,
        /// Its version.
        found: u64,
        /// Ours.
        known: u32,
    },
    /// An event that cannot be read.
    #[error("record {id} cannot be read: {problem}")]
    Unreadable {
        /// The record.
        id: String,
        /// Why.
        problem: String,
    },
}

impl Explain for LedgerError {
    fn exit(&self) -> Exit {
        Exit::State
    }
    fn why(&self) -> Option<String> {
        match self {
            LedgerError::Git(inner) => inner.why(),
            _ => None,
        }
    }
    fn next(&self) -> Option<String> {
        match self {
            LedgerError::Git(inner) => inner.next(),
            LedgerError::Version { .. } => Some("install a newer git-verdict".into()),
            LedgerError::Unreadable { .. } => Some("git verdict doctor --ledger".into()),
        }
    }
}
