//! What end-to-end tests share: a real repository with the real git, out of reach of the user's configuration, and the built
//! binary run in it.

pub mod schemas;
pub mod terminal;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// The variable that turns a skipped test of image engines into a failed one.
pub const REQUIRE_ENGINES: &str = "GIT_VERDICT_REQUIRE_ENGINES";

/// A repository in a temporary folder, gone when it is dropped.
pub struct Repo {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// How a command ended.
pub struct Ran {
    /// The command line, for messages.
    pub line: String,
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// All that a command which changes nothing must leave as it was.
#[derive(Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Every ref with its target, and where HEAD is.
    pub refs: String,
    /// The index, entry by entry.
    pub index: String,
    /// Files in the work tree that are not as in the index, untracked and ignored ones too.
    pub status: String,
    /// The linked worktrees.
    pub worktrees: String,
}

impl Repo {
    /// An empty repository on the branch `main`.
    pub fn empty() -> Repo {
        Repo::init(&[])
    }

    /// The same with options for `git init`.
    pub fn init(options: &[&str]) -> Repo {
        let folder = tempfile::Builder::new().prefix("git-verdict-test-").tempdir().expect("a temporary folder");
        let repo = Repo { folder, variables: Vec::new() };
        repo.git(&[&["init", "--quiet", "--initial-branch=main", "--template="], options].concat());
        repo.git(&["config", "user.name", "Test Author"]);
        repo.git(&["config", "user.email", "author@example.invalid"]);
        repo
    }

    /// A repository with one commit that holds these files.
    pub fn with(files: &[(&str, &str)]) -> Repo {
        let repo = Repo::empty();
        for (path, text) in files {
            repo.write(path, text);
        }
        repo.commit("feat: begin");
        repo
    }

    /// The root of the work tree.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Sets a variable for every command that runs in this repository from now on.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.push((name.to_string(), value.into()));
    }

    /// Writes a file with the folders that it needs.
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a file has a parent")).expect("folders");
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// Writes a shell script that can be executed.
    pub fn script(&self, path: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.write(path, format!("#!/bin/sh\n{text}"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("chmod");
        path
    }

    /// The text of a file.
    pub fn read(&self, path: &str) -> String {
        let path = self.path().join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Commits all that is in the work tree; the new commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs git, which must succeed; its standard output without the last line end.
    pub fn git(&self, words: &[&str]) -> String {
        let ran = self.try_git(words);
        assert_eq!(ran.code, Some(0), "{}", ran.report());
        ran.stdout.trim_end_matches('\n').to_string()
    }

    /// Runs git, however it ends.
    pub fn try_git(&self, words: &[&str]) -> Ran {
        self.run_in(self.path(), "git", words, None)
    }

    /// Runs git with this on its standard input; it must succeed.
    pub fn git_with_input(&self, words: &[&str], input: &str) -> String {
        let ran = self.run_in(self.path(), "git", words, Some(input));
        assert_eq!(ran.code, Some(0), "{}", ran.report());
        ran.stdout
    }

    /// Runs git-verdict, however it ends.
    pub fn run(&self, words: &[&str]) -> Ran {
        self.run_in(self.path(), env!("CARGO_BIN_EXE_git-verdict"), words, None)
    }

    /// Runs git-verdict, which must end with this exit code.
    #[track_caller]
    pub fn expect(&self, code: i32, words: &[&str]) -> Ran {
        let ran = self.run(words);
        assert_eq!(ran.code, Some(code), "wanted exit {code}\n{}", ran.report());
        ran
    }

    /// Runs git-verdict, which must succeed.
    #[track_caller]
    pub fn ok(&self, words: &[&str]) -> Ran {
        self.expect(0, words)
    }

    /// Runs git-verdict with `--json`, which must succeed; the object it prints.
    #[track_caller]
    pub fn json(&self, words: &[&str]) -> serde_json::Value {
        let mut words = words.to_vec();
        words.push("--json");
        let ran = self.ok(&words);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("no JSON: {error}\n{}", ran.report()))
    }

    /// Runs git-verdict with `--json`, which must answer no (exit 1); the object it prints.
    #[track_caller]
    pub fn json_no(&self, words: &[&str]) -> serde_json::Value {
        let ran = self.expect(1, &[words, &["--json"]].concat());
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("no JSON: {error}\n{}", ran.report()))
    }

    /// Runs git-verdict, which must end with this exit code and leave refs, index, work tree and worktrees as they were.
    #[track_caller]
    pub fn refuses(&self, code: i32, words: &[&str]) -> Ran {
        let before = self.snapshot();
        let ran = self.expect(code, words);
        assert_eq!(before, self.snapshot(), "something was changed by\n{}", ran.report());
        ran
    }

    /// Runs a program in a folder, with the isolated environment of this repository.
    pub fn run_in(&self, dir: &Path, program: &str, words: &[&str], input: Option<&str>) -> Ran {
        let mut command = isolated(program);
        command.args(words).current_dir(dir).envs(self.variables.iter().map(|(name, value)| (name, value)));
        finish(command, input)
    }

    /// Refs, index, status and worktrees as they are now.
    pub fn snapshot(&self) -> Snapshot {
        let head = self.try_git(&["symbolic-ref", "-q", "HEAD"]).stdout;
        let detached = self.try_git(&["rev-parse", "-q", "--verify", "HEAD"]).stdout;
        Snapshot {
            refs: format!("{head}{detached}{}", self.git(&["for-each-ref", "--format=%(refname) %(objectname)"])),
            index: self.git(&["ls-files", "--stage"]),
            status: self.git(&["status", "--porcelain=v1", "--untracked-files=all", "--ignored"]),
            worktrees: self.git(&["worktree", "list", "--porcelain"]),
        }
    }

    /// What `git interpret-trailers --parse` finds in the message of a commit, in order.
    pub fn trailers(&self, commit: &str) -> Vec<(String, String)> {
        let message = self.git(&["log", "-1", "--format=%B", commit]);
        let parsed = self.git_with_input(&["interpret-trailers", "--parse"], &message);
        let pairs = parsed.lines().filter_map(|line| line.split_once(": "));
        pairs.map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }
}

impl Ran {
    /// The command, its exit and all that it printed.
    pub fn report(&self) -> String {
        let mut text = String::new();
        let code = self.code.map_or("a signal".to_string(), |code| code.to_string());
        let _ = writeln!(text, "$ {}\nexit: {code}", self.line);
        for (name, output) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !output.is_empty() {
                let _ = writeln!(text, "--- {name}\n{}", output.trim_end());
            }
        }
        text
    }

    /// Fails unless standard error holds each of these.
    #[track_caller]
    pub fn says(&self, parts: &[&str]) -> &Self {
        for part in parts {
            assert!(self.stderr.contains(part), "standard error lacks '{part}'\n{}", self.report());
        }
        self
    }

    /// Fails unless standard output holds each of these.
    #[track_caller]
    pub fn prints(&self, parts: &[&str]) -> &Self {
        for part in parts {
            assert!(self.stdout.contains(part), "standard output lacks '{part}'\n{}", self.report());
        }
        self
    }
}

/// A command that no git configuration, repository, locale or colour setting of the user reaches. With
/// `GIT_DEFAULT_REF_FORMAT=reftable` all tests keep refs so.
pub fn isolated(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let kept = ["GIT_EXEC_PATH", "GIT_DEFAULT_REF_FORMAT"];
        if name.to_str().is_some_and(|name| name.starts_with("GIT_") && !kept.contains(&name)) {
            command.env_remove(name);
        }
    }
    for name in [
        "LANGUAGE",
        "LC_MESSAGES",
        "CLICOLOR",
        "CLICOLOR_FORCE",
        "FORCE_HYPERLINK",
        "EDITOR",
        "VISUAL",
        "CI",
        "XDG_STATE_HOME",
        "GITHUB_BASE_REF",
    ] {
        command.env_remove(name);
    }
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
    command.env("LC_ALL", "C.UTF-8").env("NO_COLOR", "1");
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end and keeps all that it prints.
pub fn finish(mut command: Command, input: Option<&str>) -> Ran {
    let line = std::iter::once(command.get_program()).chain(command.get_args());
    let line = line.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ");
    let output = match input {
        None => command.output(),
        Some(text) => feed(command, text),
    };
    let output = output.unwrap_or_else(|error| panic!("{line}: {error}"));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    schemas::hold(&line, &stdout);
    Ran { line, code: output.status.code(), stdout, stderr: String::from_utf8_lossy(&output.stderr).into_owned() }
}

fn feed(mut command: Command, text: &str) -> std::io::Result<Output> {
    use std::io::Write as _;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut pipe = child.stdin.take().expect("stdin was piped");
    let text = text.to_string();
    let writer = std::thread::spawn(move || pipe.write_all(text.as_bytes()));
    let output = child.wait_with_output()?;
    // A program that stopped reading early says why in its own status.
    let _ = writer.join();
    Ok(output)
}

/// An image store of a test's own for podman, buildah and skopeo, out of the user's.
pub struct Storage {
    /// The configuration file, for `CONTAINERS_STORAGE_CONF`.
    pub config: PathBuf,
    graph: PathBuf,
}

impl Storage {
    /// A store below `folder`: overlay where it works, else plain copies.
    pub fn new(folder: &Path) -> Storage {
        let graph = folder.join("storage/graph");
        let config = folder.join("storage/storage.conf");
        std::fs::create_dir_all(&graph).expect("a folder for images");
        for driver in ["overlay", "vfs"] {
            let run = folder.join("storage/run");
            let text = format!("[storage]\ndriver = {driver:?}\ngraphroot = {graph:?}\nrunroot = {run:?}\n");
            std::fs::write(&config, text).expect("storage.conf");
            let mut command = isolated("podman");
            command.arg("info").env("CONTAINERS_STORAGE_CONF", &config);
            if finish(command, None).code == Some(0) {
                break;
            }
        }
        Storage { config, graph }
    }

    /// Runs podman on this store; it must succeed.
    #[track_caller]
    pub fn podman(&self, words: &[&str]) -> String {
        let mut command = isolated("podman");
        command.args(words).env("CONTAINERS_STORAGE_CONF", &self.config);
        let ran = finish(command, None);
        assert_eq!(ran.code, Some(0), "{}", ran.report());
        ran.stdout
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        // The overlay driver leaves its own folder mounted on itself, which would keep the folder from being removed.
        let mut command = isolated("umount");
        command.arg(self.graph.join("overlay")).stdout(Stdio::null()).stderr(Stdio::null());
        let _ = command.status();
    }
}

/// A docker daemon of a test's own, out of the user's, gone when it is dropped.
pub struct Dockerd {
    folder: TempDir,
    process: std::process::Child,
}

impl Dockerd {
    /// Starts one with a data folder of its own and no network; why not, when it does not come up.
    pub fn start() -> Result<Dockerd, String> {
        // A socket's path must be short.
        let folder = tempfile::Builder::new().prefix("gv-docker-").tempdir_in("/tmp").map_err(|e| e.to_string())?;
        let at = |name: &str| folder.path().join(name).display().to_string();
        let log = std::fs::File::create(folder.path().join("log")).map_err(|e| e.to_string())?;
        let mut command = isolated("dockerd");
        command.args(["--iptables=false", "--bridge=none", "--storage-driver=vfs"]);
        command.args(["--data-root", &at("data"), "--exec-root", &at("exec"), "--pidfile", &at("pid")]);
        command.arg("--host").arg(format!("unix://{}", at("sock")));
        command.stdout(Stdio::null()).stderr(log);
        let process = command.spawn().map_err(|e| format!("dockerd: {e}"))?;
        let mut daemon = Dockerd { folder, process };
        for _ in 0..300 {
            if finish(daemon.command(&["info"]), None).code == Some(0) {
                return Ok(daemon);
            }
            if let Ok(Some(status)) = daemon.process.try_wait() {
                let log = std::fs::read_to_string(daemon.folder.path().join("log")).unwrap_or_default();
                let last: Vec<&str> = log.lines().rev().take(3).collect();
                return Err(format!("dockerd ended with {status}: {}", last.join("; ")));
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        Err("dockerd does not answer".into())
    }

    /// For `DOCKER_HOST`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.folder.path().join("sock").display())
    }

    /// The docker command line for this daemon. The one that came with the daemon is taken before any other.
    pub fn command(&self, words: &[&str]) -> Command {
        let own = Path::new("/usr/bin/docker");
        let mut command = isolated(if own.exists() { own.as_os_str() } else { OsStr::new("docker") });
        command.args(words).env("DOCKER_HOST", self.host()).env("DOCKER_CONFIG", self.folder.path());
        command
    }

    /// Runs docker on this daemon; it must succeed.
    #[track_caller]
    pub fn docker(&self, words: &[&str]) -> String {
        let ran = finish(self.command(words), None);
        assert_eq!(ran.code, Some(0), "{}", ran.report());
        ran.stdout
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        for _ in 0..100 {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whether a program can be started and ends well with these arguments.
pub fn works(program: &str, words: &[&str]) -> bool {
    let mut command = isolated(program);
    command.args(words).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Prints why a test is skipped; fails instead where engines are required.
///
/// Use: `if let Some(reason) = lacks() { return skip(reason) }`.
#[track_caller]
pub fn skip(reason: &str) {
    if std::env::var(REQUIRE_ENGINES).is_ok_and(|value| value == "1") {
        panic!("{reason}, and {REQUIRE_ENGINES}=1");
    }
    eprintln!("skipped: {reason}");
}

/// Whether an image engine (`podman`, `buildah`, `docker`) answers; says that the test is skipped, or fails, when it does not.
#[track_caller]
pub fn require_engine(engine: &str) -> bool {
    let there = works(engine, &["info"]);
    if !there {
        skip(&format!("no engine: {engine} info does not succeed"));
    }
    there
}

/// The names in the first column of the table below a heading of docs/templates.md.
pub fn documented(heading: &str) -> BTreeSet<String> {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/templates.md")).unwrap();
    let section = page.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no section {heading}")).1;
    let section = section.split("\n#").next().unwrap();
    let cells = section.lines().filter(|line| line.starts_with("| `")).map(|line| line.split('|').nth(1).unwrap());
    cells.flat_map(|cell| cell.split(',')).map(|name| name.trim().trim_matches('`').to_string()).collect()
}
