//! Starts the real `git`.

use super::{GitError, Oid, Repo};
use crate::phrase;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A `git` command in the making, run in a work tree. Output is captured; it never asks for anything.
#[derive(Debug)]
pub struct Git {
    command: Command,
    words: Vec<OsString>,
    input: Option<Vec<u8>>,
}

/// A `git` that was started and is not waited for yet. When nobody does, it is ended.
#[derive(Debug)]
pub struct Running {
    child: Option<Child>,
    words: Vec<OsString>,
}

impl Running {
    /// Waits for it; standard output without its last line end when it succeeds.
    pub fn run(mut self) -> Result<Option<String>, GitError> {
        let Some(child) = self.child.take() else { return Ok(None) };
        let output = child.wait_with_output().map_err(GitError::NoGit)?;
        Ok(Some(line(&succeeded(&self.words, output)?)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill().and_then(|()| child.wait());
        }
    }
}

impl Git {
    /// Variables that point git at another repository than the one of its directory (`git rev-parse --local-env-vars`, but
    /// for those that carry configuration).
    pub const LOCAL: [&str; 11] = [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_COMMON_DIR",
        "GIT_INDEX_FILE",
        "GIT_PREFIX",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_NAMESPACE",
        "GIT_GRAFT_FILE",
        "GIT_SHALLOW_FILE",
        "GIT_LITERAL_PATHSPECS",
    ];

    /// `git -C dir`, with no repository variables inherited that would point elsewhere.
    pub fn at(dir: &Path) -> Git {
        let mut command = Command::new("git");
        command.current_dir(dir).stdin(Stdio::null());
        for name in Git::LOCAL {
            command.env_remove(name);
        }
        command.env("GIT_TERMINAL_PROMPT", "0");
        Git { command, words: Vec::new(), input: None }
    }

    /// Adds an argument.
    pub fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.command.arg(word.as_ref());
        self.words.push(word.as_ref().to_os_string());
        self
    }

    /// Adds arguments.
    pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(self, words: I) -> Self {
        words.into_iter().fold(self, Git::arg)
    }

    /// Sets a variable for git and its hooks.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// What git reads on its standard input.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// Hands git an open file as its standard input: a lock on that file is then held until git has ended, even when this
    /// program ends before it.
    pub fn holding(mut self, file: &File) -> Result<Self, GitError> {
        self.command.stdin(file.try_clone().map_err(GitError::NoGit)?);
        Ok(self)
    }

    /// Runs it, whatever its exit status.
    pub fn output(mut self) -> Result<Output, GitError> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let Some(input) = self.input.take() else {
            return self.command.output().map_err(GitError::NoGit);
        };
        let mut child = self.command.stdin(Stdio::piped()).spawn().map_err(GitError::NoGit)?;
        let mut pipe = child.stdin.take().expect("stdin was piped");
        let writer = std::thread::spawn(move || pipe.write_all(&input));
        let output = child.wait_with_output().map_err(GitError::NoGit)?;
        // A git that stopped reading early says why in its own status.
        let _ = writer.join();
        Ok(output)
    }

    /// Starts it, without input, and does not wait for it.
    pub fn start(mut self) -> Result<Running, GitError> {
        let child = self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(GitError::NoGit)?;
        Ok(Running { child: Some(child), words: self.words })
    }

    /// Runs it; standard output without its last line end when it succeeds.
    pub fn run(self) -> Result<String, GitError> {
        Ok(line(&self.bytes()?))
    }

    /// Runs it; standard output as it is when it succeeds.
    pub fn bytes(mut self) -> Result<Vec<u8>, GitError> {
        let words = std::mem::take(&mut self.words);
        succeeded(&words, self.output()?)
    }

    /// Runs it; whether it exited with 0.
    pub fn succeeds(self) -> Result<bool, GitError> {
        Ok(self.output()?.status.success())
    }
}

fn line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\n').to_string()
}

/// What a git printed that succeeded; of one that failed, what it said.
fn succeeded(words: &[OsString], output: Output) -> Result<Vec<u8>, GitError> {
    if output.status.success() {
        return Ok(output.stdout);
    }
    let mut text = String::from_utf8_lossy(&output.stderr).trim().to_string();
    if text.is_empty() {
        text = String::from_utf8_lossy(&output.stdout).trim().to_string();
    }
    if text.ends_with("\trefstorage") {
        return Err(too_old());
    }
    let words: Vec<String> = words.iter().take(4).map(|word| word.to_string_lossy().into_owned()).collect();
    Err(GitError::Command { command: words.join(" "), status: output.status.into(), output: text })
}

impl Repo {
    /// The real git in this repository's work tree (in the git directory of a bare one). A repository that was named by
    /// `GIT_DIR` is named to git the same way.
    pub fn run_git(&self) -> Git {
        let git = Git::at(self.inner.workdir().unwrap_or(self.git_dir()));
        if !self.from_env {
            return git;
        }
        let git = git.env("GIT_DIR", self.git_dir());
        match self.inner.workdir() {
            Some(root) => git.env("GIT_WORK_TREE", root),
            None => git,
        }
    }

    /// Begins to ask git where its hooks are, and does not wait for the answer: [`Repo::hooks_dir`] does.
    pub fn look_for_hooks(&self) {
        if self.hooks_dir.get().is_none() {
            self.hooks_asked.replace(self.git_hooks_path().start().ok());
        }
    }

    /// Where git's hooks are, `core.hooksPath` included. Only git knows all places that its configuration comes from.
    pub fn hooks_dir(&self) -> Result<PathBuf, GitError> {
        if let Some(known) = self.hooks_dir.get() {
            return Ok(known.clone());
        }
        let told = self.hooks_asked.take().map(Running::run).transpose()?.flatten();
        let path = told.map_or_else(|| self.git_hooks_path().run(), Ok)?;
        let found = self.inner.workdir().unwrap_or(self.git_dir()).join(path);
        Ok(self.hooks_dir.get_or_init(|| found).clone())
    }

    fn git_hooks_path(&self) -> Git {
        self.run_git().args(["rev-parse", "--git-path", "hooks"])
    }

    /// Which of these hooks exist and would run.
    pub fn hooks_present(&self, names: &[&'static str]) -> Result<Vec<&'static str>, GitError> {
        use std::os::unix::fs::PermissionsExt;
        let folder = self.hooks_dir()?;
        let runs = |name: &&str| {
            std::fs::metadata(folder.join(name))
                .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
        };
        Ok(names.iter().copied().filter(runs).collect())
    }

    /// Makes a branch at a commit. Nothing is checked out.
    pub fn create_branch(&self, name: &str, at: &Oid) -> Result<(), GitError> {
        check_branch_name(name)?;
        self.run_git().args(["branch", "--no-track", "--end-of-options", name, at.as_str()]).run()?;
        Ok(())
    }

    /// Checks out a branch. Uncommitted work that is in its way makes it fail, and it is left alone.
    pub fn switch(&self, branch: &str) -> Result<(), GitError> {
        check_branch_name(branch)?;
        let switched = self.run_git().args(["switch", "--quiet", "--no-guess", "--end-of-options", branch]).run();
        match switched {
            // A post-checkout hook that fails gives git its exit status, but the branch is checked out.
            Err(GitError::Command { .. }) if self.current_branch().is_ok_and(|(name, _)| name == branch) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Removes a branch that still is where it was made.
    pub fn delete_branch(&self, name: &str, at: &Oid) -> Result<(), GitError> {
        self.run_git().args(["update-ref", "-d"]).arg(format!("refs/heads/{name}")).arg(at.as_str()).run()?;
        Ok(())
    }

    /// Commits what is in the index, with this message read as it is.
    pub fn commit_index(&self, message: &str, extra: &[&str]) -> Result<Oid, GitError> {
        self.run_git().args(["commit", "--quiet", "--cleanup=verbatim", "-F", "-"]).args(extra).stdin(message).run()?;
        self.resolve("HEAD")
    }
}

/// The installed git knows no other refs than files.
fn too_old() -> GitError {
    let version = Command::new("git").arg("--version").stderr(Stdio::null()).output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string()).unwrap_or_default();
    GitError::Unsupported(phrase!(
        "its refs are kept as reftable, which {version} does not read; 2.45 does, and git refs migrate \
         --ref-format=files of 2.48 makes files of them",
        version
    ))
}

/// Refuses what git would not take as the name of a branch.
fn check_branch_name(name: &str) -> Result<(), GitError> {
    match git2::Branch::name_is_valid(name) {
        Ok(true) if !name.starts_with('-') => Ok(()),
        _ => Err(GitError::UnknownRef(name.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::Head;
    use crate::git::test::Sandbox;

    #[test]
    fn names_that_look_like_options_are_refused_everywhere() {
        let sandbox = Sandbox::new();
        let repo = sandbox.repo();
        let head = repo.resolve("HEAD").unwrap();
        for name in ["-f", "--orphan", "--upload-pack=touch x", "a b", "a..b", "", ".lock", "x\u{1b}[0m", "@{-1}"] {
            assert!(repo.create_branch(name, &head).is_err(), "{name:?}");
            assert!(repo.switch(name).is_err(), "{name:?}");
        }
        for name in ["-f", "--all", ""] {
            assert!(matches!(repo.resolve(name), Err(GitError::UnknownRef(_))), "{name:?}");
        }
        assert_eq!(sandbox.git(&["for-each-ref", "--format=%(refname)"]), "refs/heads/main");
    }

    #[test]
    fn a_branch_is_made_and_checked_out() {
        let sandbox = Sandbox::new();
        let repo = sandbox.repo();
        let head = repo.resolve("HEAD").unwrap();
        repo.create_branch("verdict/x", &head).unwrap();
        assert!(repo.create_branch("verdict/x", &head).is_err());
        repo.switch("verdict/x").unwrap();
        assert_eq!(repo.head().unwrap(), Head::Branch { name: "verdict/x".into(), commit: head });
        assert!(repo.switch("nowhere").is_err());
    }

    #[test]
    fn a_checkout_that_would_lose_work_fails_and_leaves_it() {
        let sandbox = Sandbox::new();
        sandbox.git(&["switch", "-q", "-c", "other"]);
        sandbox.commit("a", "theirs\n");
        sandbox.git(&["switch", "-q", "main"]);
        sandbox.write("a", "mine\n");
        assert!(matches!(sandbox.repo().switch("other"), Err(GitError::Command { .. })));
        assert_eq!(std::fs::read_to_string(sandbox.root.join("a")).unwrap(), "mine\n");
    }

    #[test]
    fn only_hooks_that_would_run_are_listed() {
        use std::os::unix::fs::PermissionsExt;
        let sandbox = Sandbox::new();
        sandbox.git(&["config", "core.hooksPath", "my hooks"]);
        for (name, mode) in [("pre-commit", 0o755), ("commit-msg", 0o644)] {
            sandbox.write(&format!("my hooks/{name}"), "#!/bin/sh\n");
            let path = sandbox.root.join("my hooks").join(name);
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let found = sandbox.repo().hooks_present(&["pre-commit", "commit-msg", "post-commit"]).unwrap();
        assert_eq!(found, ["pre-commit"]);
    }

    #[test]
    fn a_failure_carries_what_git_said() {
        let sandbox = Sandbox::new();
        let error = Git::at(&sandbox.root).args(["rev-parse", "--verify", "nowhere"]).run().unwrap_err();
        let GitError::Command { command, output, .. } = error else { panic!() };
        assert_eq!(command, "rev-parse --verify nowhere");
        assert!(output.contains("Needed a single revision"), "{output}");
    }

    #[test]
    fn a_message_is_committed_byte_for_byte() {
        let sandbox = Sandbox::new();
        sandbox.write("a", "a\n");
        sandbox.git(&["add", "a"]);
        let message = "subject\n\n# no comment\n   indented  \n\n\nlast\n";
        sandbox.repo().commit_index(message, &[]).unwrap();
        let raw = Git::at(&sandbox.root).args(["cat-file", "commit", "HEAD"]).bytes().unwrap();
        assert!(String::from_utf8(raw).unwrap().ends_with(&format!("\n\n{message}")));
    }
}
