//! What was committed in this clone: reflogs are local, no fetch and no clone brings them along.

use super::{GitError, Oid, Repo};
use std::collections::{BTreeMap, BTreeSet};
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
    #[allow(clippy::disallowed_methods)]
    pub fn made_here(&self) -> Result<Vec<MadeHere>, GitError> {
        let mut names = vec!["HEAD".to_string()];
        names.extend(self.refs_under("refs/heads/")?.into_iter().map(|(name, _)| name));
        if self.reftable.is_some() {
            return self.made_here_tabled(&names);
        }
        let mut found = BTreeSet::new();
        for name in names {
            let Ok(log) = self.inner.reflog(&name) else { continue };
            for entry in log.iter() {
                if !of_commit(entry.message_bytes().unwrap_or_default()) {
                    continue;
                }
                let before = Some(entry.id_old()).filter(|id| !id.is_zero()).map(Oid::from);
                found.insert(MadeHere { commit: entry.id_new().into(), before });
            }
        }
        Ok(found.into_iter().collect())
    }

    /// The same where the reflogs are in reftables. git prints what a ref held after each entry, newest first; what it held
    /// before is the one after that, and is not known of the oldest.
    fn made_here_tabled(&self, names: &[String]) -> Result<Vec<MadeHere>, GitError> {
        let Some(refs) = self.tabled("refs/heads/")? else { return Ok(Vec::new()) };
        let names: Vec<&str> = names.iter().map(String::as_str).filter(|name| refs.contains_key(*name)).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let words = ["log", "--walk-reflogs", "--ignore-missing", "--no-show-signature", "--no-patch", "--stdin"];
        let git = self.run_git().args(words).arg("--format=%H%x00%gD%x00%gs").stdin(names.join("\n") + "\n");
        let told = String::from_utf8_lossy(&git.bytes()?).into_owned();
        let mut found = BTreeSet::new();
        let mut newer: BTreeMap<&str, MadeHere> = BTreeMap::new();
        for line in told.lines() {
            let mut parts = line.splitn(3, '\0');
            let (Some(id), Some(place), Some(message)) = (parts.next(), parts.next(), parts.next()) else { continue };
            let Some(commit) = Oid::parse(id) else { continue };
            let name = place.rsplit_once("@{").map_or(place, |(name, _)| name);
            if let Some(made) = newer.remove(name) {
                found.insert(MadeHere { before: Some(commit.clone()), ..made });
            }
            if of_commit(message.as_bytes()) {
                newer.insert(name, MadeHere { commit, before: None });
            }
        }
        found.extend(newer.into_values());
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

/// Whether the message of a reflog's entry says that `git commit` made it.
fn of_commit(message: &[u8]) -> bool {
    message.starts_with(b"commit:") || message.starts_with(b"commit (")
}

#[cfg(test)]
mod tests {
    use crate::git::test::Sandbox;
    use std::path::Path;

    #[test]
    fn only_what_was_committed_in_this_clone_was_made_here() {
        for format in ["files", "reftable"] {
            made_here(&Sandbox::with(&[&format!("--ref-format={format}")]));
        }
    }

    fn made_here(sandbox: &Sandbox) {
        assert_eq!(sandbox.repo().made_here().unwrap()[0].before, None);
        sandbox.commit("a", "a\n");
        let before = sandbox.git(&["rev-parse", "HEAD"]);
        sandbox.git(&["commit", "-q", "--amend", "-m", "again"]);
        sandbox.git(&["switch", "-q", "-c", "side"]);
        sandbox.commit("b", "b\n");
        let made = sandbox.repo().made_here().unwrap();
        assert_eq!(made.len(), 4);
        let amended = made.iter().find(|one| one.before.as_ref().is_some_and(|id| id.as_str() == before)).unwrap();
        assert_eq!(amended.commit, sandbox.repo().resolve("HEAD^").unwrap());
        let clone = sandbox.around().join("clone");
        sandbox.git(&["clone", "-q", ".", clone.to_str().unwrap()]);
        let repo = crate::git::Repo::discover(&clone).unwrap();
        assert_eq!(repo.made_here().unwrap(), []);
        let head = repo.resolve("HEAD").unwrap();
        assert!(repo.blob_at(&head, Path::new("a")).unwrap().is_some());
        assert_eq!(repo.blob_at(&head, Path::new("nothing")).unwrap(), None);
    }
}
