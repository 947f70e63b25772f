//! Where a decision is in a history that was rewritten since.
//!
//! Commit ids change with every amend, rebase, squash and filter. A decision is looked for in the branch that it landed on by
//! the commits that it made, then by the record's id in a commit message, then by tree, then by patch id. The search goes
//! from the tip back to where the experiment started, [`MOST`] commits at most, and is remembered.

use super::event::{Decided, Verdict};
use super::store::LedgerError;
use crate::git::{GitError, Oid, Repo};
use crate::render::trailer::parse_message;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// Commits that are looked at.
pub const MOST: usize = 20_000;
/// Commits whose patch id is computed, which takes a diff each.
const MOST_PATCHES: usize = 2_000;

/// Which identity matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// A commit that the decision made, or decided on, is in the history as it was.
    Commit,
    /// A commit message names the record.
    Record,
    /// A commit has the same tree.
    Tree,
    /// A commit, or as many in a row as the experiment had, makes the same change.
    Patch,
}

impl By {
    /// `commit id`, `record id`, `tree` or `patch id`.
    pub fn as_str(self) -> &'static str {
        match self {
            By::Commit => "commit id",
            By::Record => "record id",
            By::Tree => "tree",
            By::Patch => "patch id",
        }
    }
}

/// Where a decision was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The commit.
    pub commit: Oid,
    /// By what.
    pub by: By,
}

/// What a search gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// The commit of the branch at which it was made.
    pub tip: Oid,
    /// The commit that it was found as; none when it is not in this history.
    pub found: Option<Found>,
    /// Whether the search ended before it had seen all.
    pub cut: bool,
}

/// Looks for the decision `record` in the branch that it landed on; none when that branch is not here (as a local one or
/// one of a remote).
pub fn locate(repo: &Repo, record: Ulid, decided: &Decided) -> Result<Option<Search>, LedgerError> {
    let Some(tip) = tip_of(repo, &decided.onto)? else { return Ok(None) };
    let memory = repo.verdict_dir().ok().map(|dir| dir.join("found").join(record.to_string()));
    let remembered = memory.as_ref().and_then(|path| std::fs::read(path).ok());
    if let Some(search) = remembered.and_then(|bytes| serde_json::from_slice::<Search>(&bytes).ok())
        && search.tip == tip
    {
        return Ok(Some(search));
    }
    let search = search(repo, record, decided, tip)?;
    if let Some(path) = memory
        && let Ok(bytes) = serde_json::to_vec(&search)
    {
        // Only speed is lost where this cannot be written.
        let _ = path.parent().map(std::fs::create_dir_all);
        let _ = std::fs::write(path, bytes);
    }
    Ok(Some(search))
}

/// The commit that a kept experiment landed as, also in a history that was rewritten since. None when its commits were on the
/// base already, or when there is no such commit in the branch.
pub fn landing(repo: &Repo, record: Ulid, decided: &Decided) -> Result<Option<Oid>, GitError> {
    let (Some(landed), Some(tip)) = (&decided.landed, tip_of(repo, &decided.onto)?) else { return Ok(None) };
    if repo.tree_of(landed).is_ok() && repo.is_ancestor(landed, &tip)? {
        return Ok(Some(landed.clone()));
    }
    let hidden = Some(&decided.base.commit).filter(|id| repo.tree_of(id).is_ok());
    let (commits, _) = repo.newest_without(&tip, hidden, MOST)?;
    Ok(commits.into_iter().find(|commit| names(&commit.message, record)).map(|commit| commit.id))
}

/// Whether a commit message names a record.
fn names(message: &str, record: Ulid) -> bool {
    parse_message(message).is_some_and(|carried| carried.record == record)
}

/// Where a branch is, as a local one or one of a remote.
pub fn tip_of(repo: &Repo, branch: &str) -> Result<Option<Oid>, GitError> {
    if let Some(tip) = repo.branch(branch)? {
        return Ok(Some(tip));
    }
    for (remote, _) in repo.remotes()? {
        if let Some(tip) = repo.find_ref(&format!("refs/remotes/{remote}/{branch}"))? {
            return Ok(Some(tip));
        }
    }
    Ok(None)
}

fn search(repo: &Repo, record: Ulid, decided: &Decided, tip: Oid) -> Result<Search, LedgerError> {
    let done = |commit: Oid, by: By, cut: bool| Search { tip: tip.clone(), found: Some(Found { commit, by }), cut };
    let keep = decided.verdict == Verdict::Keep;
    let candidate = keep.then_some(&decided.candidate.commit);
    for id in [decided.landed.as_ref(), decided.revert_commit.as_ref(), candidate].into_iter().flatten() {
        // A commit that is not here cannot be an ancestor.
        if repo.tree_of(id).is_ok() && repo.is_ancestor(id, &tip)? {
            return Ok(done(id.clone(), By::Commit, false));
        }
    }
    let hidden = Some(&decided.base.commit).filter(|id| repo.tree_of(id).is_ok());
    let (commits, cut) = repo.newest_without(&tip, hidden, MOST)?;
    if let Some(commit) = commits.iter().find(|commit| names(&commit.message, record)) {
        return Ok(done(commit.id.clone(), By::Record, cut));
    }
    // A change that stays leaves the tree that was decided on; one that went takes that tree back to what was before it.
    let parent_tree = |parents: &[Oid]| parents.first().and_then(|id| repo.tree_of(id).ok());
    let landed_tree = decided.landed.as_ref().and_then(|id| repo.tree_of(id).ok());
    let mut matching = commits.iter().filter(|commit| {
        let before = || parent_tree(&commit.parents);
        if keep {
            (commit.tree == decided.candidate.tree || Some(&commit.tree) == landed_tree.as_ref())
                && before().as_ref() != Some(&commit.tree)
        } else {
            commit.tree == decided.base.tree && before().as_ref() == Some(&decided.candidate.tree)
        }
    });
    // The oldest one: later commits may have come back to the same tree.
    if let Some(commit) = matching.next_back() {
        return Ok(done(commit.id.clone(), By::Tree, cut));
    }
    if let Some(patch) = decided.candidate.patch.as_ref().filter(|_| keep) {
        let mut spans = vec![1, decided.commits.len().max(1)];
        spans.dedup();
        for commit in commits.iter().take(MOST_PATCHES) {
            for &span in &spans {
                let mut start = Some(commit.id.clone());
                for _ in 0..span {
                    let parents = start.as_ref().and_then(|id| repo.commit(id).ok()).map(|commit| commit.parents);
                    start = parents.and_then(|parents| parents.into_iter().next());
                }
                if let Some(start) = start
                    && repo.patch_id(&start, &commit.id)?.as_ref() == Some(patch)
                {
                    return Ok(done(commit.id.clone(), By::Patch, cut));
                }
            }
        }
    }
    Ok(Search { tip, found: None, cut: cut || commits.len() > MOST_PATCHES })
}
