//! Plays reverts through in memory, and says when one merges nothing.

use super::DecisionError;
use super::plan::{Group, Touched};
use crate::git::memory::{Merged, Scratch};
use crate::git::{Oid, Repo};
use crate::phrase;
use crate::phrase::Phrase;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What reverts come to.
pub(super) struct Replayed {
    /// The tree that they give.
    pub(super) tree: Oid,
    /// The files that they write.
    pub(super) touched: Touched,
}

/// A revert that conflicts.
pub(super) struct Conflict {
    pub(super) what: Phrase,
    pub(super) files: Vec<PathBuf>,
    pub(super) commit: Oid,
}

impl Conflict {
    pub(super) fn error(self, next: Phrase) -> DecisionError {
        DecisionError::Conflict { what: self.what, files: self.files, next, commits: vec![self.commit] }
    }
}

/// Plays reverts through on top of a tree: what they come to, or what conflicts.
pub(super) fn reverted(
    repo: &Repo,
    scratch: &Scratch<'_>,
    start: &Oid,
    groups: &[Group],
) -> Result<Result<Replayed, Conflict>, DecisionError> {
    let mut tree = start.clone();
    let mut touched = Touched::default();
    for group in groups {
        for id in &group.commits {
            match scratch.revert(&tree, id, group.mainline)? {
                Merged::Tree(next) => {
                    touched.add(scratch.paths_between(&tree, &next)?);
                    tree = next;
                }
                Merged::Conflict(files) => {
                    let what =
                        phrase!("reverting {id} ({subject})", id = id.short(), subject = repo.commit(id)?.subject);
                    return Ok(Err(Conflict { what, files, commit: id.clone() }));
                }
            }
        }
    }
    Ok(Ok(Replayed { tree, touched }))
}

/// Whether every file that differs between two trees is in the second just what it was in `base`. Then nobody has worked on
/// these files meanwhile, and a revert merges nothing: it puts them back.
pub(super) fn puts_back(scratch: &Scratch<'_>, base: &Oid, from: &Oid, to: &Oid) -> Result<bool, DecisionError> {
    let since: BTreeSet<PathBuf> = scratch.paths_between(base, to)?.into_iter().map(|file| file.path).collect();
    Ok(scratch.paths_between(from, to)?.iter().all(|file| !since.contains(&file.path)))
}

/// Writes the tree that reverts of a commit's files give into the repository, unless it is there.
pub(super) fn persist(repo: &Repo, start: &Oid, groups: &[Group], tree: &Oid) -> Result<(), DecisionError> {
    if repo.has_tree(tree)? {
        return Ok(());
    }
    let scratch = repo.scratch()?;
    let start = scratch.tree(start)?;
    if let Ok(replayed) = reverted(repo, &scratch, &start, groups)? {
        scratch.persist(&replayed.tree)?;
    }
    Ok(())
}
