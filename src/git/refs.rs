//! HEAD, branches, and compare-and-swap of refs.
#![allow(clippy::disallowed_methods)]

use super::{GitError, Oid, Repo};
use std::path::PathBuf;

/// Where HEAD is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// On a branch with this short name, at this commit.
    Branch {
        /// `main`.
        name: String,
        /// Its tip.
        commit: Oid,
    },
    /// On a branch with no commit yet.
    Unborn(String),
    /// On no branch.
    Detached(Oid),
}

impl Repo {
    /// Where HEAD is.
    pub fn head(&self) -> Result<Head, GitError> {
        let Some(target) = self.symbolic_target("HEAD")? else {
            let id = self.find_ref("HEAD")?.ok_or_else(|| GitError::Other("HEAD points nowhere".into()))?;
            return Ok(Head::Detached(id));
        };
        let name = target.strip_prefix("refs/heads/").unwrap_or(&target).to_string();
        Ok(match self.find_ref(&target)? {
            Some(commit) => Head::Branch { name, commit },
            None => Head::Unborn(name),
        })
    }

    /// The full name that a symbolic ref holds; none when there is no such ref or it is not symbolic.
    pub fn symbolic_target(&self, name: &str) -> Result<Option<String>, GitError> {
        if let Some(refs) = self.tabled(name)? {
            return match refs.get(name) {
                Some(held) => Ok(held.target.clone()),
                None => self.tabled_target(name),
            };
        }
        match self.inner.find_reference(name) {
            Ok(found) => Ok(found.symbolic_target_bytes().map(|target| String::from_utf8_lossy(target).into_owned())),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The branch that HEAD is on, and its tip; an error when it is detached or unborn.
    pub fn current_branch(&self) -> Result<(String, Oid), GitError> {
        match self.head()? {
            Head::Branch { name, commit } => Ok((name, commit)),
            Head::Unborn(name) => Err(GitError::Unborn(name)),
            Head::Detached(id) => Err(GitError::Detached(id.short().to_string())),
        }
    }

    /// What a full ref name (`refs/heads/main`) points at.
    pub fn find_ref(&self, name: &str) -> Result<Option<Oid>, GitError> {
        if let Some(refs) = self.tabled(name)? {
            return Ok(refs.get(name).map(|held| held.id.clone()));
        }
        match self.inner.refname_to_id(name) {
            Ok(id) => Ok(Some(id.into())),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The tip of a branch given by its short name.
    pub fn branch(&self, name: &str) -> Result<Option<Oid>, GitError> {
        self.find_ref(&format!("refs/heads/{name}"))
    }

    /// Sets a ref if it still holds `expected` (`None`: if it does not exist). False when another writer was first.
    pub fn swap_ref(&self, name: &str, new: &Oid, expected: Option<&Oid>, reason: &str) -> Result<bool, GitError> {
        if self.reftable.is_some() {
            return self.swap_tabled(name, new, expected, reason);
        }
        // "Does not exist" is an old value of zeros: only then does libgit2 look again once it holds the ref's lock.
        let old = match expected {
            Some(old) => old.raw()?,
            None => git2::Oid::from_bytes(&vec![0; new.as_str().len() / 2])?,
        };
        match self.inner.reference_matching(name, new.raw()?, true, old, reason) {
            Ok(_) => Ok(true),
            Err(error) => match error.code() {
                git2::ErrorCode::Modified
                | git2::ErrorCode::Exists
                | git2::ErrorCode::Locked
                | git2::ErrorCode::NotFound => Ok(false),
                _ => Err(error.into()),
            },
        }
    }

    /// The file that whoever changes a ref holds meanwhile.
    pub fn ref_lock(&self, name: &str) -> PathBuf {
        let path = if self.reftable.is_some() { "reftable/tables.list" } else { name };
        self.common_dir().join(format!("{path}.lock"))
    }

    /// Full names and targets of the refs under a prefix such as `refs/heads/verdict/`.
    pub fn refs_under(&self, prefix: &str) -> Result<Vec<(String, Oid)>, GitError> {
        if let Some(refs) = self.tabled(prefix)? {
            let found = refs.range(prefix.to_string()..).take_while(|(name, _)| name.starts_with(prefix));
            let direct = found.filter(|(_, held)| held.target.is_none());
            return Ok(direct.map(|(name, held)| (name.clone(), held.id.clone())).collect());
        }
        let mut found = Vec::new();
        for reference in self.inner.references_glob(&format!("{prefix}*"))? {
            let reference = reference?;
            if let Some(id) = reference.target() {
                found.push((String::from_utf8_lossy(reference.name_bytes()).into_owned(), id.into()));
            }
        }
        Ok(found)
    }
}

/// Whether a full ref name (`refs/heads/main`) is one that git would take.
pub fn is_ref_name(name: &str) -> bool {
    git2::Reference::is_valid_name(name)
}
