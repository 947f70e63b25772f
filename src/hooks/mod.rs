//! The git hooks: what they do ([`run`], [`share`]), and how they get beside what is there and away again ([`install`]).
//!
//! A hook is a short shell script ([`script`]). It looks at the message or the branch itself and starts the program only
//! when there is something for it to do, so that a plain `git commit` costs one `sh`. A program that is missing or fails
//! blocks nothing; only what is asked for on its own refuses: `commit-msg`, and `pre-push` when it must send the ledger along.

pub mod install;
pub mod run;
pub mod script;
pub mod share;

use crate::error::{Exit, Explain};
use crate::git::GitError;
use crate::ledger::LedgerError;
use crate::phrase::Phrase;
use std::path::PathBuf;

/// A hook that this program has something to say in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// Puts the numbers on record into a plain `git revert`.
    PrepareCommitMsg,
    /// Refuses the revert of an optimization without numbers.
    CommitMsg,
    /// Queues a measurement when an experiment's branch has a new commit; records that a revert was reverted; names the
    /// reverted experiments that a commit resembles.
    PostCommit,
    /// Names the undecided experiments among what is pushed; sends the ledger along on request.
    PrePush,
}

impl Hook {
    /// All of them.
    pub const ALL: [Hook; 4] = [Hook::PrepareCommitMsg, Hook::CommitMsg, Hook::PostCommit, Hook::PrePush];

    /// The name of its file.
    pub fn name(self) -> &'static str {
        match self {
            Hook::PrepareCommitMsg => "prepare-commit-msg",
            Hook::CommitMsg => "commit-msg",
            Hook::PostCommit => "post-commit",
            Hook::PrePush => "pre-push",
        }
    }

    /// The hook with this file name.
    pub fn parse(name: &str) -> Option<Hook> {
        Hook::ALL.into_iter().find(|hook| hook.name() == name)
    }
}

/// What can go wrong with hooks.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// Something is there that is not ours to change.
    Refused {
        /// What is there.
        what: Phrase,
        /// Why it is left alone.
        why: Phrase,
        /// What to do instead.
        next: Phrase,
    },
    /// A file could not be read or written.
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// git failed.
    Git(#[from] GitError),
    /// The ledger failed.
    Ledger(#[from] LedgerError),
}

crate::error::display_what!(HookError);

impl Explain for HookError {
    fn exit(&self) -> Exit {
        match self {
            HookError::Git(inner) => inner.exit(),
            HookError::Ledger(inner) => inner.exit(),
            _ => Exit::State,
        }
    }
    fn what(&self) -> Phrase {
        match self {
            HookError::Refused { what, .. } => what.clone(),
            HookError::Io { path, .. } => Phrase::verbatim(path.display().to_string()),
            HookError::Git(inner) => inner.what(),
            HookError::Ledger(inner) => inner.what(),
        }
    }
    fn why(&self) -> Option<Phrase> {
        match self {
            HookError::Refused { why, .. } => Some(why.clone()),
            HookError::Git(inner) => inner.why(),
            HookError::Ledger(inner) => inner.why(),
            HookError::Io { .. } => None,
        }
    }
    fn next(&self) -> Option<Phrase> {
        match self {
            HookError::Refused { next, .. } => Some(next.clone()),
            HookError::Git(inner) => inner.next(),
            HookError::Ledger(inner) => inner.next(),
            HookError::Io { .. } => None,
        }
    }
}
