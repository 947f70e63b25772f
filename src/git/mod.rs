//! The only place that touches libgit2 or starts git.
//!
//! Reading is libgit2; everything that changes a work tree, merges, reverts or commits is the real `git`
//! ([`command`]), so that hooks, signing, filters and the user's configuration hold. No type of libgit2 leaves this
//! module.
//!
//! | file | what it does |
//! |---|---|
//! | [`command`] | starts the real `git` |
//! | [`history`] | commits, trees, ranges |
//! | [`refs`] | HEAD, branches, compare-and-swap of refs |
//! | `reftable` | the same where refs are kept as reftable |
//! | [`change`] | diffs, patch ids, what is uncommitted |
//! | [`objects`] | blobs, trees and commits that no work tree is made of |
//! | [`memory`] | merges and reverts in memory |
//! | [`trees`] | what differs between two trees |
//! | `stat` | whether the work tree is clean beyond doubt |
//! | [`reflog`] | what was committed in this clone |
//! | [`fault`] | where a test kills a write |
//! | [`places`] | linked worktrees, remotes, the base branch, what is in the way |

pub mod change;
pub mod command;
pub mod fault;
pub mod history;
pub mod memory;
pub mod objects;
mod partial;
pub mod places;
pub mod reflog;
pub mod refs;
mod reftable;
pub(crate) mod stat;
#[cfg(test)]
pub(crate) mod test;
pub mod trees;

pub use refs::Head;

use crate::error::{Exit, Explain};
use crate::phrase;
use crate::phrase::Phrase;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// The id of an object, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Oid(String);

impl Oid {
    /// Reads a full id: 40 (SHA-1) or 64 (SHA-256) hexadecimal digits.
    pub fn parse(text: &str) -> Option<Oid> {
        let hex = text.bytes().all(|b| b.is_ascii_hexdigit());
        (hex && matches!(text.len(), 40 | 64)).then(|| Oid(text.to_ascii_lowercase()))
    }
    /// All digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The first ten digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..10]
    }
    pub(crate) fn raw(&self) -> Result<git2::Oid, GitError> {
        let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0) as u8;
        let bytes: Vec<u8> = self.0.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect();
        Ok(git2::Oid::from_bytes(&bytes)?)
    }
}

impl From<git2::Oid> for Oid {
    fn from(id: git2::Oid) -> Self {
        Oid(id.to_string())
    }
}

impl TryFrom<String> for Oid {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Oid::parse(&text).ok_or_else(|| format!("'{text}' is not an object id"))
    }
}

impl From<Oid> for String {
    fn from(id: Oid) -> Self {
        id.0
    }
}

impl From<Oid> for crate::phrase::Part {
    fn from(id: Oid) -> Self {
        crate::phrase::Part::Text(id.to_string())
    }
}

impl From<&Oid> for crate::phrase::Part {
    fn from(id: &Oid) -> Self {
        crate::phrase::Part::Text(id.to_string())
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name and an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Name.
    pub name: String,
    /// E-mail address.
    pub email: String,
}

/// What can go wrong with git.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// No repository here or above.
    NotARepository(PathBuf),
    /// A bare repository where a work tree is needed.
    Bare(PathBuf),
    /// The current branch has no commit yet.
    Unborn(String),
    /// HEAD is not on a branch.
    Detached(String),
    /// A name that resolves to no commit.
    UnknownRef(String),
    /// The repository uses something that libgit2 cannot read.
    Unsupported(Phrase),
    /// No name and address are configured.
    NoIdentity,
    /// Another writer was first, again and again.
    Contended(String),
    /// The real git failed.
    Command {
        /// Its arguments.
        command: String,
        /// `exit status 1`.
        status: Phrase,
        /// The end of what it printed.
        output: String,
    },
    /// The real git could not be started.
    NoGit(#[source] std::io::Error),
    /// A file under the git directory could not be read or written.
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Anything else, such as what libgit2 says.
    Other(Phrase),
}

impl From<git2::Error> for GitError {
    fn from(error: git2::Error) -> Self {
        GitError::Other(error.message().into())
    }
}

crate::error::display_what!(GitError);

impl Explain for GitError {
    fn exit(&self) -> Exit {
        match self {
            GitError::UnknownRef(_) => Exit::Usage,
            _ => Exit::State,
        }
    }
    fn what(&self) -> Phrase {
        match self {
            GitError::NotARepository(path) => phrase!("{path} is not in a git repository", path = path.display()),
            GitError::Bare(path) => {
                phrase!("{path} is a bare repository: there is no work tree here", path = path.display())
            }
            GitError::Unborn(name) => phrase!("branch '{name}' has no commit yet", name),
            GitError::Detached(commit) => phrase!("HEAD is detached at {commit}", commit),
            GitError::UnknownRef(name) => phrase!("'{name}' names no commit", name),
            GitError::Unsupported(problem) => phrase!("this repository cannot be read: {problem}", problem),
            GitError::NoIdentity => "git does not know who you are".into(),
            GitError::Contended(name) => phrase!("{name} was changed by another process at the same time", name),
            GitError::Command { command, status, .. } => phrase!("git {command} failed ({status})", command, status),
            GitError::NoGit(_) => "git could not be started".into(),
            GitError::Io { path, .. } => Phrase::verbatim(path.display().to_string()),
            GitError::Other(said) => said.clone(),
        }
    }
    fn why(&self) -> Option<Phrase> {
        match self {
            GitError::Command { output, .. } if !output.is_empty() => Some(output.into()),
            GitError::NoIdentity => Some("user.name and user.email are not set".into()),
            _ => None,
        }
    }
    fn next(&self) -> Option<Phrase> {
        Some(match self {
            GitError::NotARepository(_) => "git init, or give the repository with -C DIR".into(),
            GitError::Bare(_) => "git clone it, and run git verdict in the clone".into(),
            GitError::Unborn(_) => "git commit".into(),
            GitError::Detached(_) => "git switch BRANCH".into(),
            GitError::UnknownRef(_) => "git branch --all".into(),
            GitError::NoIdentity => "git config user.name NAME && git config user.email ADDRESS".into(),
            GitError::Contended(_) => "the same command again".into(),
            _ => return None,
        })
    }
}

/// An opened repository.
pub struct Repo {
    pub(crate) inner: git2::Repository,
    git_dir: PathBuf,
    common_dir: PathBuf,
    from_env: bool,
    /// The refs that libgit2 cannot read; none where it can.
    reftable: Option<std::cell::RefCell<reftable::Reftable>>,
    /// The remote that promises to have what this clone lacks, once it was looked for.
    promisor: std::cell::OnceCell<Option<String>>,
    /// The same repository with an empty index, once it was needed.
    without_index: std::cell::OnceCell<git2::Repository>,
    /// Where git's hooks are, once it was asked, and the git that was asked and not heard yet.
    hooks_dir: std::cell::OnceCell<PathBuf>,
    hooks_asked: std::cell::RefCell<Option<command::Running>>,
    /// The setting that git was asked for and has not been heard about yet.
    values_asked: std::cell::RefCell<Option<(String, command::Running)>>,
    /// The look at the work tree that was begun ahead.
    ahead: std::cell::RefCell<Option<stat::Look>>,
    /// Objects written just now and not yet sent to the disk, still open.
    fresh: std::cell::RefCell<Vec<(Oid, std::fs::File)>>,
    faults: fault::Faults,
}

/// Says in the user's words what libgit2 cannot read.
fn unreadable(message: &str) -> GitError {
    let lower = message.to_lowercase();
    GitError::Unsupported(if lower.contains("object format") || lower.contains("objectformat") {
        "its objects are named by SHA-256, which libgit2 does not read yet".into()
    } else {
        message.into()
    })
}

impl fmt::Debug for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repo").field("git_dir", &self.git_dir).finish_non_exhaustive()
    }
}

impl Repo {
    /// Opens the repository that `dir` is in; `GIT_DIR` and its kin are honoured as git does. libgit2 refuses a repository
    /// of another user that is not in `safe.directory`, as git does.
    pub fn discover(dir: &Path) -> Result<Repo, GitError> {
        reftable::admit()?;
        let named = std::env::var_os("GIT_DIR").filter(|value| !value.is_empty());
        let opened = match &named {
            Some(path) => git2::Repository::open_ext(
                dir.join(path),
                git2::RepositoryOpenFlags::FROM_ENV,
                &[] as &[&std::ffi::OsStr],
            ),
            None => git2::Repository::discover(dir),
        };
        let inner = opened.map_err(|error| match error.code() {
            git2::ErrorCode::NotFound => GitError::NotARepository(dir.to_path_buf()),
            git2::ErrorCode::Owner => GitError::Unsupported(phrase!(
                "it belongs to another user (git config --global --add safe.directory {path})",
                path = dir.display()
            )),
            _ => unreadable(error.message()),
        })?;
        let plain = !inner.is_bare() && !inner.is_worktree();
        if named.is_some() && plain && std::env::var_os("GIT_WORK_TREE").is_none() {
            let set = inner.config().is_ok_and(|config| config.get_string("core.worktree").is_ok());
            if !set {
                inner.set_workdir(dir, false)?;
            }
        }
        let storage = inner.config()?.get_string("extensions.refstorage").ok();
        let reftable = reftable::storage(storage)?.map(Into::into);
        let git_dir = inner.path().to_path_buf();
        let common_dir = inner.commondir().to_path_buf();
        let faults = fault::Faults::from_env();
        Ok(Repo {
            inner,
            git_dir,
            common_dir,
            from_env: named.is_some(),
            reftable,
            promisor: Default::default(),
            without_index: Default::default(),
            hooks_dir: Default::default(),
            hooks_asked: Default::default(),
            values_asked: Default::default(),
            ahead: Default::default(),
            fresh: Default::default(),
            faults,
        })
    }

    /// The root of the work tree.
    pub fn workdir(&self) -> Result<&Path, GitError> {
        self.inner.workdir().ok_or_else(|| GitError::Bare(self.git_dir.clone()))
    }

    /// The git directory of this work tree (`.git`, or `.git/worktrees/<name>` in a linked one).
    pub fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// The git directory that all worktrees share.
    pub fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// git-verdict's own folder under the shared git directory; made when it is missing.
    pub fn verdict_dir(&self) -> Result<PathBuf, GitError> {
        let path = self.common_dir.join("verdict");
        std::fs::create_dir_all(&path).map_err(|source| GitError::Io { path: path.clone(), source })?;
        Ok(path)
    }

    /// Who the configuration says the user is; `GIT_AUTHOR_NAME` and `GIT_AUTHOR_EMAIL` win, as in git.
    pub fn person(&self) -> Result<Person, GitError> {
        let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.trim().is_empty());
        let config = self.inner.config()?;
        let setting = |key: &str| config.get_string(key).ok().filter(|v| !v.trim().is_empty());
        let name = variable("GIT_AUTHOR_NAME").or_else(|| setting("user.name"));
        let email = variable("GIT_AUTHOR_EMAIL").or_else(|| setting("user.email"));
        match (name, email) {
            (Some(name), Some(email)) => Ok(Person { name, email }),
            _ => Err(GitError::NoIdentity),
        }
    }

    /// Whether a setting is switched on (`true`, `yes`, `on`, `1`).
    pub fn config_flag(&self, key: &str) -> bool {
        self.inner.config().and_then(|config| config.get_bool(key)).unwrap_or(false)
    }

    /// A value of git's configuration.
    pub fn config_value(&self, key: &str) -> Option<String> {
        self.inner.config().ok()?.get_string(key).ok()
    }

    /// Every value of a setting with its scope (`system`, `global`, `local`, `worktree`, `command`), as the real git reads it:
    /// those that count least first.
    pub fn scoped_values(&self, key: &str) -> Vec<(String, String)> {
        let asked = self.values_asked.take().filter(|(of, _)| of == key);
        let told = match asked {
            Some((_, running)) => running.run().ok().flatten(),
            None => self.git_scoped_values(key).run().ok(),
        };
        let told = told.unwrap_or_default();
        let words: Vec<&str> = told.split('\0').collect();
        words.chunks_exact(2).map(|pair| (pair[0].to_string(), pair[1].to_string())).collect()
    }

    /// Begins to ask git for the values of a setting, and does not wait for the answer: [`Repo::scoped_values`] does.
    pub fn ask_scoped_values(&self, key: &str) {
        let running = self.git_scoped_values(key).start().ok();
        self.values_asked.replace(running.map(|running| (key.to_string(), running)));
    }

    fn git_scoped_values(&self, key: &str) -> command::Git {
        self.run_git().args(["config", "--null", "--show-scope", "--get-all", key])
    }
}

#[cfg(test)]
mod tests {
    use super::command::Git;
    use super::test::Sandbox;
    use super::*;
    use std::process::Command;

    #[test]
    fn a_folder_without_a_repository_says_so() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Repo::discover(folder.path()), Err(GitError::NotARepository(_))));
    }

    #[test]
    fn a_repository_with_sha_256_is_read() {
        let sandbox = Sandbox::with(&["--object-format=sha256"]);
        let repo = sandbox.repo();
        let head = repo.resolve("HEAD").unwrap();
        assert_eq!(head.as_str().len(), 64);
        assert_eq!(repo.commit(&head).unwrap().subject, "first");
    }

    #[test]
    fn a_repository_with_reftable_is_read_and_written_as_git_does() {
        for options in [&["--ref-format=reftable"][..], &["--ref-format=reftable", "--object-format=sha256"]] {
            let sandbox = Sandbox::with(options);
            let repo = sandbox.repo();
            let head = repo.resolve("HEAD").unwrap();
            assert_eq!(repo.head().unwrap(), Head::Branch { name: "main".into(), commit: head.clone() });
            assert_eq!(repo.operation(), None);
            sandbox.commit("a", "a\n");
            sandbox.git(&["tag", "-a", "-m", "noted", "v1"]);
            let now = repo.resolve("main").unwrap();
            assert_ne!(now, head, "a change from outside is seen");
            for name in ["v1", "tags/v1", "@", "HEAD^0", "refs/heads/main", now.as_str(), now.short()] {
                assert_eq!(repo.resolve(name).unwrap(), now, "{name}");
            }
            assert_eq!(repo.resolve("main~1").unwrap(), head);
            assert_ne!(repo.find_ref("refs/tags/v1").unwrap().unwrap(), now, "a tag is an object of its own");
            for name in ["nowhere", "HEAD:a", "a b", "x\0y", "HEAD~9"] {
                assert!(matches!(repo.resolve(name), Err(GitError::UnknownRef(_))), "{name:?}");
            }
            let name = "refs/verdict/x";
            assert!(repo.swap_ref(name, &head, None, "new").unwrap());
            assert!(!repo.swap_ref(name, &now, None, "new").unwrap());
            assert!(!repo.swap_ref(name, &now, Some(&now), "move").unwrap());
            assert!(repo.swap_ref(name, &now, Some(&head), "move").unwrap());
            assert!(!repo.swap_ref("refs/verdict/y", &now, Some(&head), "move").unwrap());
            assert!(repo.swap_ref("refs/verdict/x/below", &now, None, "new").is_err());
            assert_eq!(repo.refs_under("refs/verdict/").unwrap(), [(name.to_string(), now.clone())]);
            assert_eq!(sandbox.git(&["rev-parse", name]), now.as_str());
            sandbox.git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/gone"]);
            assert_eq!(repo.symbolic_target("refs/remotes/origin/HEAD").unwrap().unwrap(), "refs/remotes/origin/gone");
            assert!(repo.refs_under("refs/remotes/").unwrap().is_empty());
            sandbox.git(&["switch", "-q", "--orphan", "empty"]);
            assert_eq!(repo.head().unwrap(), Head::Unborn("empty".into()));
            sandbox.git(&["switch", "-q", "--detach", "main"]);
            assert_eq!(repo.head().unwrap(), Head::Detached(now));
        }
    }

    #[test]
    fn refs_that_are_kept_in_an_unknown_way_are_refused_by_name() {
        let sandbox = Sandbox::new();
        sandbox.git(&["config", "core.repositoryFormatVersion", "1"]);
        for (value, known) in [("files", true), ("carved in stone", false)] {
            // git itself does not open it any more.
            let config = sandbox.root.join(".git/config");
            let text = std::fs::read_to_string(&config).unwrap();
            std::fs::write(&config, format!("{text}[extensions]\n\trefStorage = {value}\n")).unwrap();
            match Repo::discover(&sandbox.root) {
                Err(GitError::Unsupported(text)) => assert!(!known && text.contains(value), "{text}"),
                other => assert!(known && other.is_ok(), "{other:?}"),
            }
        }
    }

    #[test]
    fn a_bare_repository_is_read_but_has_no_work_tree() {
        let sandbox = Sandbox::new();
        let bare = sandbox.around().join("bare.git");
        sandbox.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
        let repo = Repo::discover(&bare).unwrap();
        assert!(matches!(repo.workdir(), Err(GitError::Bare(_))));
        assert!(repo.resolve("main").is_ok());
        assert!(matches!(repo.uncommitted(), Err(GitError::Bare(_))));
    }

    #[test]
    fn an_empty_name_or_address_is_no_identity() {
        let sandbox = Sandbox::new();
        assert_eq!(sandbox.repo().person().unwrap().name, "Ada");
        sandbox.git(&["config", "user.email", " "]);
        assert!(matches!(sandbox.repo().person(), Err(GitError::NoIdentity)));
    }

    #[test]
    fn a_file_with_converted_line_ends_is_not_uncommitted() {
        let sandbox = Sandbox::new();
        sandbox.commit("a", "x\ny\n");
        sandbox.git(&["config", "core.autocrlf", "true"]);
        std::fs::remove_file(sandbox.root.join("a")).unwrap();
        sandbox.git(&["checkout", "-q", "--", "a"]);
        assert_eq!(std::fs::read(sandbox.root.join("a")).unwrap(), b"x\r\ny\r\n");
        sandbox.write("b", "new\n");
        let found = sandbox.repo().uncommitted().unwrap();
        assert_eq!((found.tracked, found.untracked), (vec![], vec![PathBuf::from("b")]));
    }

    #[test]
    fn a_file_behind_a_filter_of_its_own_is_not_uncommitted() {
        let sandbox = Sandbox::new();
        sandbox.commit(".gitattributes", "*.big filter=rot\n");
        sandbox.git(&["config", "filter.rot.clean", "tr a-z b-za"]);
        sandbox.git(&["config", "filter.rot.smudge", "tr b-za a-z"]);
        sandbox.commit("x.big", "hello\n");
        sandbox.write("x.big", "hello\n");
        assert_eq!(sandbox.repo().uncommitted().unwrap(), change::Uncommitted::default());
        sandbox.write("x.big", "other\n");
        assert_eq!(sandbox.repo().uncommitted().unwrap().tracked, [PathBuf::from("x.big")]);
    }

    #[test]
    fn a_patch_id_is_the_same_with_and_without_the_index_and_that_of_git() {
        let mut ids = std::collections::BTreeSet::new();
        for attributes in ["", "*.x diff=own\n", "*.x -diff\n"] {
            let sandbox = Sandbox::new();
            sandbox.commit("folder/.gitattributes", attributes);
            sandbox.commit("folder/a.x", "1\n2\n");
            sandbox.commit("folder/a.x", "1\n3\n");
            let [old, new] = ["HEAD~1", "HEAD"].map(|name| sandbox.repo().resolve(name).unwrap());
            let id = || sandbox.repo().patch_id(&old, &new).unwrap().unwrap();
            let without = id();
            sandbox.git(&["config", "core.sparseCheckout", "true"]);
            assert_eq!(id(), without, "{attributes:?}");
            // A file that is not to be diffed has another id in libgit2 than in git, with the index as without it.
            if !attributes.contains("-diff") {
                let diff = sandbox.git(&["diff", old.as_str(), new.as_str()]) + "\n";
                let expected = Git::at(&sandbox.root).args(["patch-id", "--stable"]).stdin(diff).run().unwrap();
                assert_eq!(Some(without.as_str()), expected.split(' ').next(), "{attributes:?}");
            }
            ids.insert(without);
        }
        assert_eq!(ids.len(), 2, "the attributes are heard");
    }

    #[test]
    fn two_changes_of_one_binary_file_have_two_patch_ids_and_the_same_change_elsewhere_has_the_same() {
        let sandbox = Sandbox::new();
        let change = |before: &str, after: &str| {
            for content in [before, after] {
                sandbox.commit("picture", content);
            }
            let [old, new] = ["HEAD~1", "HEAD"].map(|name| sandbox.repo().resolve(name).unwrap());
            sandbox.repo().patch_id(&old, &new).unwrap().unwrap()
        };
        let first = change("\0 1", "\0 2");
        assert_ne!(change("\0 1", "\0 3"), first);
        sandbox.commit("other", "text\n");
        assert_eq!(change("\0 1", "\0 2"), first);
    }

    #[test]
    fn what_is_staged_is_the_same_however_the_index_is_kept() {
        let sandbox = Sandbox::new();
        for (path, text) in [("lib/a", "one\ntwo\n"), ("lib/b", "b\n"), ("far/away/c", "c\n"), ("top", "top\n")] {
            sandbox.commit(path, text);
        }
        let staged = || {
            let mut lines = Vec::new();
            let files = sandbox.repo().patch(change::Between::Staged, 9, &mut |path, hunk, added, line| {
                lines.push((path.to_path_buf(), hunk, added, line.to_vec()));
                true
            });
            (files.unwrap(), lines)
        };
        sandbox.write("lib/a", "one\n2\n");
        sandbox.write("lib/new", "new\n");
        sandbox.git(&["add", "lib"]);
        sandbox.git(&["rm", "-q", "--cached", "top"]);
        let plain = staged();
        assert_eq!((plain.0.len(), plain.1.len()), (3, 4));
        sandbox.git(&["update-index", "--split-index"]);
        assert!(sandbox.repo().inner.index().is_err());
        assert_eq!(staged(), plain);
        sandbox.git(&["update-index", "--no-split-index"]);
        sandbox.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "lib"]);
        assert!(sandbox.repo().inner.index().is_err());
        assert_eq!(staged(), plain);
        sandbox.git(&["reset", "-q"]);
        assert_eq!(staged(), (Vec::new(), Vec::new()));
    }

    #[test]
    fn what_is_surely_clean_has_nothing_uncommitted() {
        let sandbox = Sandbox::new();
        assert!(sandbox.repo().surely_clean());
        sandbox.commit(".gitattributes", "*.big filter=rot\n");
        sandbox.git(&["config", "filter.rot.clean", "tr a-z b-za"]);
        sandbox.git(&["config", "filter.rot.smudge", "tr b-za a-z"]);
        sandbox.commit("x.big", "hello\n");
        sandbox.commit("a", "a\n");
        sandbox.write("untracked", "new\n");
        sandbox.git(&["rm", "-q", "--cached", "x.big"]);
        assert!(!sandbox.repo().surely_clean(), "a file was taken out of the index");
        sandbox.git(&["reset", "-q", "--hard"]);
        for (path, text) in [("x.big", "other\n"), ("a", "b\n"), ("a", "longer\n")] {
            sandbox.write(path, text);
            assert!(!sandbox.repo().surely_clean(), "{path} was changed");
            sandbox.git(&["checkout", "-q", "--", path]);
        }
        sandbox.git(&["rm", "-q", "--cached", "x.big"]);
        sandbox.git(&["commit", "-q", "-m", "drop it"]);
        assert!(sandbox.repo().surely_clean(), "an untracked file does not count");
        std::fs::remove_file(sandbox.root.join("a")).unwrap();
        assert!(!sandbox.repo().surely_clean(), "a file was removed");
    }

    /// Runs one test of this module in a process of its own, with variables set.
    fn with_variables(test: &str, variables: &[(&str, &Path)]) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([&format!("git::tests::{test}"), "--exact", "--ignored", "--test-threads=1"]);
        command.envs(variables.iter().copied());
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
    }

    #[test]
    fn git_dir_and_its_kin_are_honoured() {
        let sandbox = Sandbox::new();
        sandbox.commit("a", "a\n");
        let (git_dir, root) = (sandbox.root.join(".git"), sandbox.around().join("elsewhere"));
        std::fs::create_dir(&root).unwrap();
        with_variables("in_a_process_with_git_dir", &[("GIT_DIR", &git_dir), ("GIT_WORK_TREE", &root)]);
        with_variables("in_a_process_with_git_dir", &[("GIT_DIR", &git_dir), ("VERDICT_TEST_ROOT", &root)]);
    }

    /// Run by [`git_dir_and_its_kin_are_honoured`].
    #[test]
    #[ignore = "needs GIT_DIR"]
    fn in_a_process_with_git_dir() {
        let root = std::env::var_os("GIT_WORK_TREE").or(std::env::var_os("VERDICT_TEST_ROOT"));
        let Some(root) = root.map(PathBuf::from) else { return };
        let repo = Repo::discover(&root).unwrap();
        assert_eq!(repo.workdir().unwrap().canonicalize().unwrap(), root.canonicalize().unwrap());
        // The work tree is empty: the one committed file is gone from it, for libgit2 and for git alike.
        assert_eq!(repo.uncommitted().unwrap().tracked, [PathBuf::from("a")]);
        assert!(repo.resolve("main").is_ok());
    }
}
