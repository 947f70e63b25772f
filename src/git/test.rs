//! A real repository in a temporary folder, for the tests of this module.

use super::Repo;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A repository with an empty first commit on `main`.
pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
    /// The root of its work tree.
    pub(crate) root: PathBuf,
}

impl Sandbox {
    pub(crate) fn new() -> Sandbox {
        Sandbox::with(&[])
    }

    /// The same with options for `git init`.
    pub(crate) fn with(options: &[&str]) -> Sandbox {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("repo");
        std::fs::create_dir(&root).unwrap();
        let sandbox = Sandbox { folder, root };
        sandbox.git(&[&["init", "-q", "-b", "main"], options].concat());
        for (key, value) in [("user.name", "Ada"), ("user.email", "ada@example.org"), ("commit.gpgsign", "false")] {
            sandbox.git(&["config", key, value]);
        }
        sandbox.git(&["commit", "-q", "--allow-empty", "-m", "first"]);
        sandbox
    }

    /// The folder around the repository.
    pub(crate) fn around(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn repo(&self) -> Repo {
        Repo::discover(&self.root).unwrap()
    }

    /// What git prints; panics when it fails.
    pub(crate) fn git(&self, words: &[&str]) -> String {
        let output = Command::new("git").current_dir(&self.root).args(words).output().unwrap();
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_string()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Writes a file and commits it.
    pub(crate) fn commit(&self, path: &str, text: &str) {
        self.write(path, text);
        self.git(&["add", "--", path]);
        self.git(&["commit", "-q", "--no-verify", "-m", path]);
    }
}
