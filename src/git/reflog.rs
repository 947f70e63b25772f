//! What was committed in this clone: reflogs are local, no fetch and no clone brings them along.

use super::{GitError, Oid, Repo};
use std::collections::BTreeSet;
use std::path::Path;

/// A commit that `git commit` made in this clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MadeHere {
    /// The commit.
    pub commit: Oid,
    /// What the ref held before: for an amended commit, the one that it replaced.
    pub before: Option<Oid>,
}

impl Repo {
    /// The commits that `git commit` (also `--amend`) made in this clone, from the reflogs of HEAD and of all branches. What
    /// came by fetch, merge, cherry-pick, rebase, am or revert is not among them.
    pub fn made_here(&self) -> Result<Vec<MadeHere>, GitError> {
        let mut names = vec!["HEAD".to_string()];
        names.extend(self.refs_under("refs/heads/")?.into_iter().map(|(name, _)| name));
        let mut found = BTreeSet::new();
        for name in names {
            let Ok(log) = self.inner.reflog(&name) else { continue };
            for entry in log.iter() {
                let message = entry.message_bytes().unwrap_or_default();
                if !(message.starts_with(b"commit:") || message.starts_with(b"commit (")) {
                    continue;
                }
                let before = Some(entry.id_old()).filter(|id| !id.is_zero()).map(Oid::from);
                found.insert(MadeHere { commit: entry.id_new().into(), before });
            }
        }
        Ok(found.into_iter().collect())
    }

    /// The blob that a commit has at a path; none when there is no file, or the commit is not here.
    pub fn blob_at(&self, commit: &Oid, path: &Path) -> Result<Option<Oid>, GitError> {
        self.object_at(commit, path, git2::ObjectType::Blob)
    }

    /// The tree that a commit has at a path; none when there is no folder, or the commit is not here.
    pub fn folder_at(&self, commit: &Oid, path: &Path) -> Result<Option<Oid>, GitError> {
        self.object_at(commit, path, git2::ObjectType::Tree)
    }

    fn object_at(&self, commit: &Oid, path: &Path, kind: git2::ObjectType) -> Result<Option<Oid>, GitError> {
        let Ok(found) = self.inner.find_commit(commit.raw()?) else { return Ok(None) };
        let Ok(entry) = self.looked_up(commit, path, || found.tree()?.get_path(path)) else { return Ok(None) };
        Ok((entry.kind() == Some(kind)).then(|| entry.id().into()))
    }
}

#[cfg(test)]
mod tests {
    use crate::git::test::Sandbox;
    use std::path::Path;

    #[test]
    fn only_what_was_committed_in_this_clone_was_made_here() {
        let sandbox = Sandbox::new();
        sandbox.commit("a", "a\n");
        let before = sandbox.git(&["rev-parse", "HEAD"]);
        sandbox.git(&["commit", "-q", "--amend", "-m", "again"]);
        let made = sandbox.repo().made_here().unwrap();
        let amended = made.iter().find(|one| one.before.as_ref().is_some_and(|id| id.as_str() == before)).unwrap();
        assert_eq!(amended.commit, sandbox.repo().resolve("HEAD").unwrap());
        let clone = sandbox.around().join("clone");
        sandbox.git(&["clone", "-q", ".", clone.to_str().unwrap()]);
        let repo = crate::git::Repo::discover(&clone).unwrap();
        assert_eq!(repo.made_here().unwrap(), []);
        let head = repo.resolve("HEAD").unwrap();
        assert!(repo.blob_at(&head, Path::new("a")).unwrap().is_some());
        assert_eq!(repo.blob_at(&head, Path::new("nothing")).unwrap(), None);
    }
}
