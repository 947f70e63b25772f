//! What a diff weighs: files, lines, new dependencies.

use super::Complexity;
use crate::git::{GitError, Oid, Repo};

/// Weighs the difference between two commits.
pub fn weigh(_repo: &Repo, _base: &Oid, _candidate: &Oid) -> Result<Complexity, GitError> {
    todo!()
}
