//! Merges and reverts in memory: what would happen, before anything is touched.
//!
//! A [`Scratch`] is a second view of the repository whose new objects stay in memory and vanish with it. Where one side of
//! a three-way merge did not change, the answer is the other side and nothing is computed, so that a merge costs what the
//! difference costs and not what the repository holds.

use super::{GitError, Oid, Repo, change::path_of};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// How a merge in memory ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// The tree that it gives.
    Tree(Oid),
    /// The files that conflict, in path order.
    Conflict(Vec<PathBuf>),
}

/// A view of a repository whose new objects stay in memory.
pub struct Scratch {
    inner: git2::Repository,
}

/// Above libgit2's own backends (loose objects 1, packs 2), so that every write lands in memory.
const IN_MEMORY: i32 = 1000;

impl Repo {
    /// A view of this repository for merges in memory. Nothing that it makes reaches the disk.
    pub fn scratch(&self) -> Result<Scratch, GitError> {
        let inner = git2::Repository::open(self.git_dir())?;
        inner.odb()?.add_new_mempack_backend(IN_MEMORY)?;
        Ok(Scratch { inner })
    }
}

impl Scratch {
    /// A commit that exists only here.
    pub fn commit(&self, tree: &Oid, parents: &[&Oid]) -> Result<Oid, GitError> {
        let tree = self.inner.find_tree(tree.raw()?)?;
        let parents: Result<Vec<_>, GitError> =
            parents.iter().map(|id| Ok(self.inner.find_commit(id.raw()?)?)).collect();
        let parents = parents?;
        let who = git2::Signature::new("git-verdict", "preflight", &git2::Time::new(0, 0))?;
        Ok(self.inner.commit(None, &who, &who, "preflight", &tree, &parents.iter().collect::<Vec<_>>())?.into())
    }

    /// The tree of a commit.
    pub fn tree(&self, commit: &Oid) -> Result<Oid, GitError> {
        Ok(self.inner.find_commit(commit.raw()?)?.tree_id().into())
    }

    /// What `git merge theirs` would give on top of `ours`.
    pub fn merge(&self, ours: &Oid, theirs: &Oid) -> Result<Merged, GitError> {
        let (ours, theirs) = (self.inner.find_commit(ours.raw()?)?, self.inner.find_commit(theirs.raw()?)?);
        let bases = self.inner.merge_bases(ours.id(), theirs.id());
        if let Ok(bases) = &bases
            && let [base] = bases[..]
        {
            let base = self.inner.find_commit(base)?.tree_id();
            if base == theirs.tree_id() || ours.tree_id() == theirs.tree_id() {
                return Ok(Merged::Tree(ours.tree_id().into()));
            }
            if base == ours.tree_id() {
                return Ok(Merged::Tree(theirs.tree_id().into()));
            }
        }
        let index = self.inner.merge_commits(&ours, &theirs, None)?;
        self.outcome(index)
    }

    /// What `git revert [-m mainline] commit` would give on top of a tree. `mainline` counts parents from 1; a commit with
    /// one parent needs none.
    pub fn revert(&self, tree: &Oid, commit: &Oid, mainline: Option<u32>) -> Result<Merged, GitError> {
        let commit = self.inner.find_commit(commit.raw()?)?;
        let nth = mainline.unwrap_or(1).saturating_sub(1) as usize;
        let parent = match commit.parent_count() {
            0 => self.inner.treebuilder(None)?.write()?,
            _ => commit.parent(nth)?.tree_id(),
        };
        let tree = tree.raw()?;
        if tree == commit.tree_id() {
            return Ok(Merged::Tree(parent.into()));
        }
        if parent == commit.tree_id() || tree == parent {
            return Ok(Merged::Tree(tree.into()));
        }
        let find = |id| self.inner.find_tree(id);
        let index = self.inner.merge_trees(&find(commit.tree_id())?, &find(tree)?, &find(parent)?, None)?;
        self.outcome(index)
    }

    fn outcome(&self, mut index: git2::Index) -> Result<Merged, GitError> {
        if !index.has_conflicts() {
            return Ok(Merged::Tree(index.write_tree_to(&self.inner)?.into()));
        }
        let mut files = BTreeSet::new();
        for conflict in index.conflicts()? {
            let conflict = conflict?;
            for entry in [conflict.our, conflict.their, conflict.ancestor].into_iter().flatten() {
                files.insert(path_of(&entry.path));
            }
        }
        Ok(Merged::Conflict(files.into_iter().collect()))
    }

    /// The files that differ between two trees, in path order.
    pub fn paths_between(&self, from: &Oid, to: &Oid) -> Result<Vec<Differs>, GitError> {
        if from == to {
            return Ok(Vec::new());
        }
        let (from, to) = (self.inner.find_tree(from.raw()?)?, self.inner.find_tree(to.raw()?)?);
        let diff = self.inner.diff_tree_to_tree(Some(&from), Some(&to), None)?;
        let side = |file: git2::DiffFile<'_>, there: bool| there.then(|| Oid::from(file.id()));
        Ok(diff
            .deltas()
            .filter_map(|delta| {
                let path = delta.new_file().path_bytes().or(delta.old_file().path_bytes())?;
                let (added, deleted) = (delta.status() == git2::Delta::Added, delta.status() == git2::Delta::Deleted);
                Some(Differs {
                    path: path_of(path),
                    from: side(delta.old_file(), !added),
                    to: side(delta.new_file(), !deleted),
                })
            })
            .collect())
    }
}

/// A file that differs between two trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differs {
    /// Where it is.
    pub path: PathBuf,
    /// What the first tree has there, if anything.
    pub from: Option<Oid>,
    /// What the second tree has there, if anything.
    pub to: Option<Oid>,
}
