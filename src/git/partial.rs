//! Partial clones: libgit2 does not fetch what such a clone lacks, so the real git is asked to before libgit2 looks.
//!
//! In a clone that has everything, nothing here starts a process.

use super::{GitError, Oid, Repo};
use std::ffi::OsString;
use std::path::Path;

impl Repo {
    /// Whether this clone was made without some of its objects (`git clone --filter`).
    pub fn is_partial(&self) -> bool {
        self.promisor().is_some()
    }

    /// Brings the trees and blobs that a diff of two commits reads.
    pub(crate) fn bring_change(&self, from: &Oid, to: &Oid) -> Result<(), GitError> {
        if self.is_partial() {
            let words = ["diff-tree", "-r", "--numstat", "--no-ext-diff", "--no-textconv", "--no-renames"];
            self.run_git().args(words).args([from.as_str(), to.as_str()]).bytes()?;
            self.inner.odb()?.refresh()?;
        }
        Ok(())
    }

    /// Looks for something at a path of a commit; once more after git has brought it, when an object was missing.
    pub(super) fn looked_up<T>(
        &self,
        commit: &Oid,
        path: &Path,
        look: impl Fn() -> Result<T, git2::Error>,
    ) -> Result<T, git2::Error> {
        let missing =
            |error: &git2::Error| error.code() == git2::ErrorCode::NotFound && error.class() == git2::ErrorClass::Odb;
        match look() {
            Err(error) if missing(&error) && self.is_partial() => {
                let mut name = OsString::from(format!("{commit}:"));
                name.push(path);
                // It fails where there is no such path, which the second look tells apart.
                let _ = self.run_git().args(["cat-file", "-e"]).arg(name).output();
                self.inner.odb()?.refresh()?;
                look()
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::git::Repo;
    use crate::git::test::Sandbox;
    use std::path::Path;

    #[test]
    fn a_clone_without_trees_and_blobs_gives_the_same_answers() {
        let sandbox = Sandbox::new();
        sandbox.git(&["config", "uploadpack.allowFilter", "true"]);
        sandbox.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
        sandbox.commit("folder/a", "a\n");
        sandbox.commit("folder/a", "b\n");
        let here = sandbox.repo();
        let url = format!("file://{}", sandbox.root.display());
        for filter in ["--filter=blob:none", "--filter=tree:0"] {
            let clone = sandbox.around().join(filter);
            sandbox.git(&["clone", "-q", filter, &url, clone.to_str().unwrap()]);
            let there = Repo::discover(&clone).unwrap();
            assert!(there.is_partial() && !here.is_partial());
            let [old, new] = ["HEAD~1", "HEAD"].map(|name| here.resolve(name).unwrap());
            assert_eq!(there.file_at(&old, Path::new("folder/a")).unwrap().unwrap(), b"a\n");
            assert_eq!(there.file_at(&old, Path::new("folder/b")).unwrap(), None);
            assert_eq!(there.file_at(&old, Path::new("nothing/b")).unwrap(), None);
            assert_eq!(there.patch_id(&old, &new).unwrap(), here.patch_id(&old, &new).unwrap());
            let again = sandbox.around().join(format!("{filter}-again"));
            sandbox.git(&["clone", "-q", filter, &url, again.to_str().unwrap()]);
            let there = Repo::discover(&again).unwrap();
            let blob = |repo: &Repo| repo.blob_at(&old, Path::new("folder/a")).unwrap();
            assert_eq!((blob(&there), blob(&there).is_some()), (blob(&here), true));
        }
    }
}
