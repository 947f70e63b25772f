//! A decided change on the base of today: made to it once more, or taken out of it.

use crate::git::memory::{Merged, Scratch};
use crate::git::{GitError, Oid, Repo};
use crate::ledger::event::{Decided, Verdict};
use std::path::PathBuf;

/// What became of a change on the base of today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// The base with a reverted change made to it, or without a kept one.
    Made {
        /// Its tree.
        tree: Oid,
        /// The commit that was merged into it.
        from: Oid,
    },
    /// A reverted change is there already, or a kept one is not there any more.
    Nothing,
    /// Files that it cannot be made to, or taken out of.
    Conflict(Vec<PathBuf>),
    /// This commit of the experiment is not here.
    Missing(Oid),
}

/// Makes a reverted change to the tree of `tip`, or takes a kept one out of it, in memory.
///
/// The change is the difference of two commits. Two such pairs are known: base and candidate of the experiment, and the
/// commit that took the change back or brought it, with its first parent. The later pair is nearer to today; the earlier
/// one is the change as it was measured. A conflict is one when both give it.
pub fn apply(repo: &Repo, scratch: &Scratch<'_>, decided: &Decided, tip: &Oid) -> Result<Applied, GitError> {
    let kept = decided.verdict == Verdict::Keep;
    let parent =
        |id: &Oid| repo.commit(id).ok().filter(|c| c.parents.len() < 3).and_then(|c| c.parents.into_iter().next());
    let whole = (decided.base.commit.clone(), decided.candidate.commit.clone());
    let mut pairs = vec![whole];
    if kept {
        pairs.extend(decided.landed.as_ref().and_then(|id| Some((parent(id)?, id.clone()))));
    } else {
        pairs.extend(decided.revert_commit.as_ref().and_then(|id| Some((id.clone(), parent(id)?))));
    }
    let today = repo.tree_of(tip)?;
    let mut outcome = Applied::Missing(decided.candidate.commit.clone());
    for (without, with) in pairs {
        let (old, new) = if kept { (with, without) } else { (without, with) };
        let (Ok(from), Ok(to)) = (repo.tree_of(&old), repo.tree_of(&new)) else { continue };
        match scratch.three_way(&from, &today, &to)? {
            Merged::Tree(tree) if tree == today => return Ok(Applied::Nothing),
            Merged::Tree(tree) => return Ok(Applied::Made { tree, from: new }),
            Merged::Conflict(files) if matches!(outcome, Applied::Missing(_)) => outcome = Applied::Conflict(files),
            Merged::Conflict(_) => {}
        }
    }
    Ok(outcome)
}
