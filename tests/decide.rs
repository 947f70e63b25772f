//! `git verdict decide` on a terminal: the questions, answered as a person would.

mod common;

use common::{Repo, isolated};
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const CONFIG: &str = "version = 1\n[steps.build]\nrun = \"./build.sh\"\n[metrics.size]\npath = \"out\"\n";

/// git-verdict on a terminal of its own, made by `script`.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    fn open(repo: &Repo, words: &[&str]) -> Terminal {
        let line = format!("{} {}", env!("CARGO_BIN_EXE_git-verdict"), words.join(" "));
        let mut command = isolated("script");
        command.args(["-qec", &line, "/dev/null"]).current_dir(repo.path()).env("TERM", "xterm");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script, of util-linux");
        let keys = child.stdin.take().unwrap();
        let mut out = child.stdout.take().unwrap();
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = out.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Terminal { child, keys, screen, seen: String::new() }
    }

    /// Waits until this text has been printed since the last wait.
    fn sees(&mut self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(120);
        while !self.seen.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            let bytes = self.screen.recv_timeout(left);
            let bytes = bytes.unwrap_or_else(|_| panic!("'{text}' did not appear in\n{}", self.seen));
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        let end = self.seen.find(text).unwrap() + text.len();
        self.seen.drain(..end);
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits for the end; its exit code and what was printed since the last wait.
    fn ends(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        drop(self.keys);
        while let Ok(bytes) = self.screen.recv() {
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        (status.code(), self.seen)
    }
}

const DOWN: &str = "\u{1b}[B";

/// An experiment `slim` that was measured and made `out` half as big.
fn measured() -> Repo {
    let repo = Repo::with(&[("verdict.toml", CONFIG), (".gitignore", "out\n")]);
    repo.script("build.sh", "head -c 2000 /dev/zero > out\n");
    repo.commit("feat: a build");
    repo.ok(&["start", "slim", "--hypothesis", "half is enough"]);
    repo.script("build.sh", "head -c 1000 /dev/zero > out\n");
    repo.commit("perf: half");
    repo.ok(&["measure"]);
    repo
}

#[test]
fn the_recommended_answer_is_the_default_and_its_exact_commit_is_shown_first() {
    let repo = measured();
    let mut terminal = Terminal::open(&repo, &["decide"]);
    terminal.sees("perf: slim");
    terminal.sees("Verdict: keep");
    terminal.sees("What is your verdict?");
    terminal.sees("abandon");
    terminal.types("\r");
    terminal.sees("Why?");
    terminal.types(" indeed\r");
    terminal.sees("indeed");
    terminal.sees("Land this?");
    terminal.types("y");
    terminal.sees("kept slim");
    assert_eq!(terminal.ends().0, Some(0));
    let message = repo.git(&["log", "-1", "--format=%B", "main"]);
    assert!(message.contains("indeed"), "{message}");
}

#[test]
fn another_answer_is_an_arrow_away_and_no_lands_nothing() {
    let repo = measured();
    let before = repo.snapshot();
    let mut terminal = Terminal::open(&repo, &["decide"]);
    terminal.sees("abandon");
    terminal.types(DOWN);
    terminal.types("\r");
    terminal.sees("Why?");
    terminal.types("\r");
    terminal.sees("revert: slim");
    terminal.sees("Land this?");
    terminal.types("n");
    terminal.sees("abandon");
    terminal.types(&DOWN.repeat(3));
    terminal.types("\r");
    assert_eq!(terminal.ends().0, Some(0), "left open");
    assert_eq!(repo.snapshot(), before);
}

#[test]
fn ctrl_c_at_any_question_leaves_all_as_it_was() {
    let repo = measured();
    let before = repo.snapshot();
    for answers in [&[][..], &["\r"], &["\r", "\r"]] {
        let mut terminal = Terminal::open(&repo, &["decide"]);
        terminal.sees("abandon");
        for (answer, next) in answers.iter().zip(["Why?", "Land this?"]) {
            terminal.types(answer);
            terminal.sees(next);
        }
        terminal.types("\u{3}");
        let (code, screen) = terminal.ends();
        assert_eq!(code, Some(130), "{screen}");
        assert_eq!(repo.snapshot(), before);
    }
}

#[test]
fn an_experiment_that_was_not_measured_is_measured_on_request() {
    let repo = measured();
    repo.ok(&["start", "more", "--on", "slim", "--hypothesis", "a quarter"]);
    repo.script("build.sh", "head -c 500 /dev/zero > out\n");
    repo.commit("perf: a quarter");
    let mut terminal = Terminal::open(&repo, &["decide"]);
    terminal.sees("Measure it now?");
    terminal.types("y");
    terminal.sees("abandon");
    terminal.types(&DOWN.repeat(4));
    terminal.types("\r");
    terminal.sees("Why is it given up?");
    terminal.types("enough for today\r");
    terminal.sees("abandoned more");
    assert_eq!(terminal.ends().0, Some(0));
}

#[test]
fn a_reason_that_is_missing_is_asked_for() {
    let repo = measured();
    let mut terminal = Terminal::open(&repo, &["revert"]);
    terminal.sees("Why?");
    terminal.types("not now\r");
    terminal.sees("reverted slim");
    assert_eq!(terminal.ends().0, Some(0));
}
