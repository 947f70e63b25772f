//! `git verdict decide` on a terminal: the questions, answered as a person would.

mod common;

use common::Repo;
use common::terminal::Terminal;

const CONFIG: &str = "version = 1\n[steps.build]\nrun = \"./build.sh\"\n[metrics.size]\npath = \"out\"\n";

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
