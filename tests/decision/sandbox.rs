//! A real repository in a temporary folder, with experiments in its ledger, and a picture of its state to compare.

use git_verdict::config::{Better, Matters, Policy, RevertMode};
use git_verdict::decision::{self, DecisionError, Draft, Landed, Request, Texts};
use git_verdict::experiment::{Book, Experiment};
use git_verdict::git::{Oid, Repo};
use git_verdict::ledger::Ledger;
use git_verdict::ledger::event::{Decided, Event, Fact, Identity, Measured, Opened, Verdict};
use git_verdict::measure::{CheckResult, Side, environment::Environment};
use git_verdict::policy::{Advice, Complexity, MetricComparison, Recommendation};
use git_verdict::stats::Word;
use git_verdict::units::{Ratio, Unit};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use ulid::Ulid;

/// A repository.
pub struct Sandbox {
    /// Kept for as long as the repository is needed.
    pub folder: tempfile::TempDir,
    /// The root of its work tree.
    pub root: PathBuf,
}

/// All that a decision may change, and must not when it refuses.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    pub head: String,
    pub refs: String,
    pub index: String,
    pub status: String,
    pub files: BTreeMap<PathBuf, (u32, Vec<u8>)>,
    pub under_way: Vec<&'static str>,
}

/// What `git` prints in a folder; panics when it fails.
pub fn git<S: AsRef<OsStr>>(dir: &Path, words: impl IntoIterator<Item = S>) -> String {
    let mut command = Command::new("git");
    command.current_dir(dir).args(words);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_string()
}

/// Splits a command line at blanks.
pub fn w(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

impl Sandbox {
    /// A repository with one commit on `main`.
    pub fn new() -> Sandbox {
        Sandbox::with(&[])
    }

    /// The same with options for `git init`.
    pub fn with(options: &[&str]) -> Sandbox {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("repo");
        std::fs::create_dir(&root).unwrap();
        let sandbox = Sandbox { folder, root };
        sandbox.git([&["init", "--quiet", "-b", "main"], options].concat());
        for (key, value) in [
            ("user.name", "Ada"),
            ("user.email", "ada@example.org"),
            ("commit.gpgsign", "false"),
            ("core.fsync", "none"),
            ("gc.auto", "0"),
            ("maintenance.auto", "false"),
            ("core.hooksPath", ".git/hooks"),
        ] {
            sandbox.git(["config", key, value]);
        }
        sandbox.write("app.txt", "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n");
        sandbox.write("lib/keep.txt", "keep\n");
        sandbox.commit("feat: first");
        sandbox
    }

    /// A repository that is a copy of another.
    pub fn copy(of: &Sandbox) -> Sandbox {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("repo");
        let done = Command::new("cp").arg("-a").arg(&of.root).arg(&root).status().unwrap();
        assert!(done.success());
        Sandbox { folder, root }
    }

    pub fn git<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> String {
        git(&self.root, words)
    }

    pub fn repo(&self) -> Repo {
        Repo::discover(&self.root).unwrap()
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root.join(path)).unwrap()
    }

    pub fn commit(&self, subject: &str) -> Oid {
        self.git(["add", "-A"]);
        self.git(["commit", "--quiet", "--no-verify", "--allow-empty", "-m", subject]);
        self.id("HEAD")
    }

    pub fn id(&self, name: &str) -> Oid {
        Oid::parse(&self.git(["rev-parse", "--verify", &format!("{name}^{{commit}}")])).unwrap()
    }

    pub fn hook(&self, name: &str, script: &str) {
        let path = self.root.join(".git/hooks").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Opens an experiment on `verdict/<name>`, which is made at HEAD and checked out.
    pub fn start(&self, name: &str) {
        self.git(["switch", "--quiet", "-c", &format!("verdict/{name}")]);
        self.open(name, &self.id("HEAD"), "main", None, None);
    }

    /// The usual experiment: two commits on `verdict/<name>`, one of them a new file; measured; HEAD back on `main`.
    pub fn experiment(&self, name: &str) {
        self.start(name);
        self.write("app.txt", &self.read("app.txt").replace("two", "TWO"));
        self.commit("perf: try a faster two");
        self.write("new/deep/file.txt", "new\n");
        self.write("app.txt", &self.read("app.txt").replace("TWO", "TWO!"));
        self.commit("perf: and a file");
        self.measure(name, Advice::Keep);
        self.git(["switch", "--quiet", "main"]);
    }

    pub fn open(&self, name: &str, base: &Oid, onto: &str, stands_on: Option<Ulid>, adopted: Option<Oid>) {
        self.open_as(name, base, onto, &format!("verdict/{name}"), stands_on, adopted);
    }

    pub fn open_as(
        &self,
        name: &str,
        base: &Oid,
        onto: &str,
        branch: &str,
        stands_on: Option<Ulid>,
        adopted: Option<Oid>,
    ) {
        let repo = self.repo();
        let ledger = Ledger::open(&repo);
        let opened = Opened {
            title: format!("the {name} optimization"),
            hypothesis: "it is faster".into(),
            base: self.identity(base),
            onto: onto.into(),
            branch: branch.into(),
            stands_on,
            adopted,
        };
        let event = ledger.draft(Ulid::new(), name, Fact::Opened(opened)).unwrap();
        ledger.append(&event).unwrap();
    }

    fn identity(&self, commit: &Oid) -> Identity {
        let tree = self.repo().commit(commit).unwrap().tree;
        Identity { commit: commit.clone(), tree, patch: None }
    }

    /// Records a measurement of an experiment's branch as it is now.
    pub fn measure(&self, name: &str, advice: Advice) {
        self.measured(name, advice, |_| {});
    }

    /// The same, changed before it is recorded.
    pub fn measured(&self, name: &str, advice: Advice, change: impl FnOnce(&mut Measured)) {
        let repo = self.repo();
        let ledger = Ledger::open(&repo);
        let experiment = self.find(name);
        let (base, candidate) = (experiment.opened.base.clone(), self.identity(&self.id(experiment.branch())));
        let side =
            |name: &str, at: &Identity| Side { name: name.into(), commit: at.commit.clone(), tree: at.tree.clone() };
        let mut measured = Measured {
            session: Ulid::new(),
            sides: vec![side("base", &base), side("candidate", &candidate)],
            base,
            candidate,
            seed: 1,
            config_hash: String::new(),
            environment: Environment::default(),
            samples: Vec::new(),
            checks: Vec::new(),
            comparison: vec![MetricComparison {
                metric: "build_time".into(),
                unit: Unit::Seconds,
                better: Better::Lower,
                matters: Matters::Relative(Ratio(0.05)),
                base: 10.0,
                candidate: 8.0,
                relative: Some(-0.2),
                interval: Some([-0.25, -0.15]),
                exact: false,
                rounds: 12,
                word: Word::Improved,
                limit: None,
                detectable: None,
                rounds_needed: None,
            }],
            complexity: Complexity::default(),
            recommendation: Recommendation::new(advice, Vec::new()),
            failures: Vec::new(),
            reused: None,
            origins: Vec::new(),
            assumptions: None,
            hidden_checks: None,
            ruler: None,
            rechecks: None,
        };
        change(&mut measured);
        let event = ledger.draft(experiment.id, name, Fact::Measured(Box::new(measured))).unwrap();
        ledger.append(&event).unwrap();
    }

    pub fn book(&self) -> Book {
        let repo = self.repo();
        Book::fold(Ledger::open(&repo).events().unwrap())
    }

    pub fn find(&self, name: &str) -> Experiment {
        self.book().find(name).unwrap().clone()
    }

    /// The decisions in the ledger.
    pub fn decisions(&self) -> Vec<Event> {
        let repo = self.repo();
        let events = Ledger::open(&repo).events().unwrap();
        events.into_iter().filter(|event| matches!(event.fact, Fact::Decided(_))).collect()
    }

    pub fn prepare(&self, ask: &Ask) -> Result<Draft, DecisionError> {
        self.prepare_in(&self.repo(), ask)
    }

    /// The same with a handle on the repository that is already open.
    pub fn prepare_in(&self, repo: &Repo, ask: &Ask) -> Result<Draft, DecisionError> {
        let book = self.book();
        let policy = Policy { revert: ask.policy, ..Policy::default() };
        let request = Request {
            experiment: book.find(ask.name).unwrap(),
            book: &book,
            verdict: ask.verdict,
            because: "it is not worth it".into(),
            mode: ask.mode,
            force: ask.force,
            preview: ask.preview,
            at_once: ask.at_once,
            policy: &policy,
        };
        decision::prepare(repo, &Ledger::open(repo), &request)
    }

    pub fn land(&self, draft: &Draft, texts: &Texts) -> Result<Landed, DecisionError> {
        let repo = self.repo();
        decision::land(&repo, &Ledger::open(&repo), draft.clone(), texts.clone())
    }

    /// Prepares and lands with the usual texts.
    pub fn decide(&self, ask: &Ask) -> Result<Landed, DecisionError> {
        let draft = self.prepare(ask)?;
        self.land(&draft, &texts(&draft))
    }

    pub fn picture(&self) -> Picture {
        let git_dir = self.repo().git_dir().to_path_buf();
        let head = std::fs::read_to_string(git_dir.join("HEAD")).unwrap();
        let mut files = BTreeMap::new();
        let walk = walkdir::WalkDir::new(&self.root).into_iter().filter_entry(|entry| entry.file_name() != ".git");
        for entry in walk.map(Result::unwrap) {
            let path = entry.path().strip_prefix(&self.root).unwrap().to_path_buf();
            let mode = entry.metadata().unwrap().permissions().mode();
            let bytes = match entry.file_type() {
                kind if kind.is_file() => std::fs::read(entry.path()).unwrap(),
                kind if kind.is_symlink() => {
                    std::fs::read_link(entry.path()).unwrap().into_os_string().into_encoded_bytes()
                }
                _ => Vec::new(),
            };
            files.insert(path, (mode, bytes));
        }
        let markers = [
            "MERGE_HEAD",
            "MERGE_MSG",
            "REVERT_HEAD",
            "CHERRY_PICK_HEAD",
            "BISECT_LOG",
            "rebase-merge",
            "rebase-apply",
            "sequencer",
            "index.lock",
            "verdict/journal.json",
            "verdict/journal-revert.txt",
            "verdict/journal-merge.txt",
            "verdict/journal-adr.txt",
        ];
        Picture {
            head,
            refs: self.git(["for-each-ref", "--format=%(refname) %(objectname) %(symref)"]),
            index: self.git(["ls-files", "-s"]),
            status: self.git(["--no-optional-locks", "status", "--porcelain", "--ignored", "--untracked-files=all"]),
            files,
            under_way: markers.into_iter().filter(|name| git_dir.join(name).exists()).collect(),
        }
    }

    /// Prepares a decision that must be refused, and checks that nothing has changed.
    pub fn refuses(&self, ask: &Ask) -> DecisionError {
        let before = self.picture();
        let error = self.decide(ask).expect_err("this decision should be refused");
        assert_eq!(self.picture(), before, "after: {error}");
        error
    }
}

/// What is asked for.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    pub name: &'a str,
    pub verdict: Verdict,
    pub mode: Option<RevertMode>,
    pub policy: RevertMode,
    pub force: bool,
    pub preview: bool,
    pub at_once: bool,
}

pub fn keep(name: &str) -> Ask<'_> {
    Ask {
        name,
        verdict: Verdict::Keep,
        mode: None,
        policy: RevertMode::Merge,
        force: false,
        preview: false,
        at_once: false,
    }
}

pub fn revert(name: &str) -> Ask<'_> {
    Ask { verdict: Verdict::Revert, ..keep(name) }
}

impl Ask<'_> {
    pub fn mode(self, mode: RevertMode) -> Self {
        Ask { mode: Some(mode), ..self }
    }
    pub fn force(self) -> Self {
        Ask { force: true, ..self }
    }
}

/// Simple texts with the trailers that matter here, and lines that a careless clean-up would lose.
pub fn texts(draft: &Draft) -> Texts {
    let decided = decided(&draft.event);
    let reverts: String = decided.commits.iter().map(|id| format!("This reverts commit {id}.\n")).collect();
    let trailers = format!(
        "Verdict: {}\nVerdict-Experiment: {}\nVerdict-Record: {}\n",
        decided.verdict.as_str(),
        draft.event.name,
        draft.event.id
    );
    let table = "# metric      base      candidate\n    build_time  10 s  8 s   \n";
    Texts {
        revert: Some(format!("revert: {}\n\n{table}\n{reverts}\n{trailers}", draft.opened.title)),
        merge: Some(format!("perf: {}\n\n{table}\n{trailers}", draft.opened.title)),
        adr: None,
    }
}

/// The same with a decision file.
pub fn texts_with_adr(draft: &Draft) -> Texts {
    let message = format!("docs: decide on {}\n\nVerdict-Record: {}\n", draft.event.name, draft.event.id);
    let adr = ("docs/adr/0001-decision.md".into(), "# A decision\n\nIt was decided.\n".into(), message);
    Texts { adr: Some(adr), ..texts(draft) }
}

pub fn decided(event: &Event) -> &Decided {
    match &event.fact {
        Fact::Decided(decided) => decided,
        other => panic!("{other:?}"),
    }
}

pub fn failed_check(side: usize) -> CheckResult {
    CheckResult {
        name: "tests".into(),
        side,
        passed: false,
        hidden: false,
        seconds: 1.0,
        outcome: "exit status 1".into(),
        tail: String::new(),
    }
}
