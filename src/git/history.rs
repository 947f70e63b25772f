//! Commits, trees and ranges.

use super::{GitError, Oid, Person, Repo};
use chrono::{DateTime, FixedOffset};
use std::path::Path;

/// A commit as it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// Its id.
    pub id: Oid,
    /// Its tree.
    pub tree: Oid,
    /// Its parents, first parent first.
    pub parents: Vec<Oid>,
    /// Who wrote it.
    pub author: Person,
    /// When it was committed.
    pub at: DateTime<FixedOffset>,
    /// The first paragraph, on one line.
    pub subject: String,
    /// The whole message.
    pub message: String,
}

impl Commit {
    /// Whether it has more than one parent.
    pub fn is_merge(&self) -> bool {
        self.parents.len() > 1
    }
}

impl Repo {
    /// The commit that a revision names.
    #[allow(clippy::disallowed_methods)]
    pub fn resolve(&self, revision: &str) -> Result<Oid, GitError> {
        let unknown = || GitError::UnknownRef(revision.to_string());
        if revision.is_empty() || revision.starts_with('-') {
            return Err(unknown());
        }
        let object = match self.tabled(revision)? {
            Some(refs) => {
                let id = self.tabled_revision(&refs, revision)?.ok_or_else(unknown)?;
                self.inner.find_object(id.raw()?, None)
            }
            None => self.inner.revparse_single(revision),
        };
        let object = object.map_err(|_| unknown())?;
        Ok(object.peel_to_commit().map_err(|_| unknown())?.id().into())
    }

    /// Reads a commit.
    pub fn commit(&self, id: &Oid) -> Result<Commit, GitError> {
        let commit = self.inner.find_commit(id.raw()?).map_err(|_| GitError::UnknownRef(id.to_string()))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let when = commit.time();
        let at = FixedOffset::east_opt(when.offset_minutes() * 60)
            .and_then(|offset| DateTime::from_timestamp(when.seconds(), 0).map(|t| t.with_timezone(&offset)))
            .unwrap_or_default();
        Ok(Commit {
            id: id.clone(),
            tree: commit.tree_id().into(),
            parents: commit.parent_ids().map(Oid::from).collect(),
            author: Person { name: text(commit.author().name_bytes()), email: text(commit.author().email_bytes()) },
            at,
            subject: text(commit.summary_bytes().unwrap_or_default()),
            message: text(commit.message_bytes()),
        })
    }

    /// The best common ancestor, if there is one.
    pub fn merge_base(&self, a: &Oid, b: &Oid) -> Result<Option<Oid>, GitError> {
        match self.inner.merge_base(a.raw()?, b.raw()?) {
            Ok(id) => Ok(Some(id.into())),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether `ancestor` is reachable from `descendant`; a commit is its own ancestor.
    pub fn is_ancestor(&self, ancestor: &Oid, descendant: &Oid) -> Result<bool, GitError> {
        Ok(ancestor == descendant || self.inner.graph_descendant_of(descendant.raw()?, ancestor.raw()?)?)
    }

    /// The commits reachable from `to` and not from `from`, oldest first.
    pub fn range(&self, from: &Oid, to: &Oid) -> Result<Vec<Oid>, GitError> {
        self.range_without(to, &[from])
    }

    /// The commits reachable from `to` and from none of `hidden`, oldest first.
    pub fn range_without(&self, to: &Oid, hidden: &[&Oid]) -> Result<Vec<Oid>, GitError> {
        let mut walk = self.inner.revwalk()?;
        walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::REVERSE)?;
        walk.push(to.raw()?)?;
        for id in hidden {
            walk.hide(id.raw()?)?;
        }
        walk.map(|id| Ok(id?.into())).collect()
    }

    /// The newest `most` commits reachable from `tip` and not from `hidden`, newest first, and whether there are more. Those
    /// that a shallow or partial clone lacks are passed over.
    pub fn newest_without(
        &self,
        tip: &Oid,
        hidden: Option<&Oid>,
        most: usize,
    ) -> Result<(Vec<Commit>, bool), GitError> {
        let mut walk = self.inner.revwalk()?;
        walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::TIME)?;
        walk.push(tip.raw()?)?;
        if let Some(id) = hidden {
            walk.hide(id.raw()?)?;
        }
        let mut found = Vec::new();
        for id in walk {
            if found.len() == most {
                return Ok((found, true));
            }
            if let Ok(commit) = self.commit(&id?.into()) {
                found.push(commit);
            }
        }
        Ok((found, false))
    }

    /// Reads `A..B` (or one commit, which stands for `C^..C`) as base and end.
    pub fn parse_range(&self, text: &str) -> Result<(Oid, Oid), GitError> {
        match text.split_once("..") {
            Some((from, to)) if !to.starts_with('.') => {
                let or_head = |word: &str| if word.is_empty() { "HEAD".to_string() } else { word.to_string() };
                Ok((self.resolve(&or_head(from))?, self.resolve(&or_head(to))?))
            }
            Some(_) => Err(GitError::UnknownRef(text.to_string())),
            None => {
                let end = self.resolve(text)?;
                let parent = self.commit(&end)?.parents.into_iter().next();
                Ok((parent.ok_or_else(|| GitError::UnknownRef(format!("{text}^")))?, end))
            }
        }
    }

    /// The names of the files and folders in a folder of a commit; none when there is no such folder.
    pub fn names_at(&self, commit: &Oid, folder: &Path) -> Result<Vec<String>, GitError> {
        let tree = self.inner.find_commit(commit.raw()?)?.tree()?;
        let found = match tree.get_path(folder) {
            Ok(entry) => entry.to_object(&self.inner)?.into_tree().ok(),
            Err(error) if error.code() == git2::ErrorCode::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        let name = |entry: git2::TreeEntry<'_>| String::from_utf8_lossy(entry.name_bytes()).into_owned();
        Ok(found.iter().flat_map(|tree| tree.iter().map(name)).collect())
    }

    /// The bytes of a file in a commit, if it is there.
    pub fn file_at(&self, commit: &Oid, path: &Path) -> Result<Option<Vec<u8>>, GitError> {
        let raw = commit.raw()?;
        let found = self.looked_up(commit, path, || {
            let entry = self.inner.find_commit(raw)?.tree()?.get_path(path)?;
            Ok(entry.to_object(&self.inner)?.as_blob().map(|blob| blob.content().to_vec()))
        });
        match found {
            Ok(bytes) => Ok(bytes),
            Err(error) if error.code() == git2::ErrorCode::NotFound && error.class() == git2::ErrorClass::Tree => {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}
