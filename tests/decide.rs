//! `git verdict decide` on a terminal: the questions, answered as a person would.

use crate::common::Repo;
use crate::common::terminal::Terminal;

const CONFIG: &str = "version = 1\n[steps.build]\nrun = \"./build.sh\"\n[metrics.size]\npath = \"out\"\n";

/// Pairs that are measured at most when nobody names a number.
const DEFAULT_ROUNDS: u64 = git_verdict::stats::sequential::DEFAULT_ROUNDS as u64;

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
    terminal.types("half is indeed enough\r");
    terminal.sees("Land this?");
    terminal.types("y");
    terminal.sees("kept slim");
    assert_eq!(terminal.ends().0, Some(0));
    let message = repo.git(&["log", "-1", "--format=%B", "main"]);
    assert!(
        message.contains("Reason: half is indeed enough\n"),
        "what is typed takes the place of what is offered: {message}"
    );
}

#[test]
fn a_reason_is_offered_for_what_was_recommended_only_and_can_be_written_in_the_editor() {
    let repo = measured();
    repo.script("../editor", "grep -q improved \"$1\" && echo 'written at length' > \"$1\"\n");
    let editor = repo.path().join("../editor").display().to_string();
    let mut terminal = Terminal::open_with(&repo, &["decide"], &[("EDITOR", &editor), ("VISUAL", "")]);
    terminal.sees("abandon");
    terminal.types(DOWN);
    terminal.types("\r");
    terminal.sees("Why?");
    terminal.types("\r");
    terminal.sees("no reason was given");
    terminal.sees("abandon");
    terminal.types("\r");
    terminal.sees("(size improved");
    terminal.types("e\r");
    terminal.sees("Reason: written at length");
    terminal.sees("Land this?");
    terminal.types("n");
    terminal.sees("abandon");
    terminal.types("\u{3}");
    assert_eq!(terminal.ends().0, Some(130));
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
    // What speaks for keeping is not put into the mouth of who reverts.
    terminal.types("not worth it\r");
    terminal.sees("revert: slim");
    terminal.sees("Reason: not worth it\r\n");
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

/// A template of the repository that cannot be rendered: its line is named, and what was typed is there again when it is mended.
#[test]
fn a_broken_template_costs_no_word_that_was_typed() {
    let repo = measured();
    repo.write(".verdict/templates/merge-keep.txt.j2", "{{ subject }}\n{{ subject }\n");
    let before = repo.snapshot();
    let mut terminal = Terminal::open(&repo, &["decide"]);
    terminal.sees("it cannot land now");
    terminal.sees("merge-keep.txt.j2:2");
    terminal.sees("abandon");
    terminal.types("\r");
    terminal.sees("Why?");
    terminal.types("half the size, and then some\r");
    terminal.sees("merge-keep.txt.j2:2");
    terminal.sees("your reason is kept while you mend it");
    assert_eq!(repo.snapshot(), before);
    repo.write(".verdict/templates/merge-keep.txt.j2", "{{ subject }}\n\nour words: {{ because }}\n");
    terminal.sees("abandon");
    terminal.types("\r");
    terminal.sees("(half the size, and then some)");
    terminal.types("\r");
    terminal.sees("Land this?");
    terminal.types("y");
    terminal.sees("kept slim");
    assert_eq!(terminal.ends().0, Some(0));
    let message = repo.git(&["log", "-1", "--format=%B", "main"]);
    assert!(message.contains("our words: half the size, and then some"), "{message}");
}

#[test]
fn a_decision_that_a_hook_rejects_can_be_made_again_by_one_command() {
    let repo = measured();
    repo.script(".git/hooks/pre-merge-commit", "echo not today >&2\nexit 1\n");
    let before = repo.snapshot();
    let mut terminal = Terminal::open(&repo, &["decide"]);
    terminal.sees("abandon");
    terminal.types("\r");
    terminal.sees("Why?");
    terminal.types("it's half\r");
    terminal.sees("Land this?");
    terminal.types("y");
    terminal.sees("the same again: git verdict keep slim --because 'it");
    let (code, screen) = terminal.ends();
    assert_eq!(code, Some(3), "{screen}");
    assert!(screen.starts_with(r"'\''s half'") && screen.contains("not today"), "{screen}");
    assert_eq!(repo.snapshot(), before);
}

/// A metric that varies is measured more: the answer says how much that takes.
#[test]
fn measuring_more_says_what_it_takes_in_all() {
    let repo = Repo::with(&[(".gitignore", "out\n")]);
    let count = repo.path().join(".git/count").display().to_string();
    // Each side counts its own runs: the order in which they take turns changes no reading.
    let side = "side=$(ls a 2>/dev/null || echo base)";
    let run =
        format!("{side}; echo >> {count}-$side; n=$(wc -l < {count}-$side); echo $((100 + n * ${{#side}} * 13 % 23))");
    let config = format!("version = 1\n[metrics.speed]\nrun = \"{run}\"\nunit = \"req/s\"\nmatters = \"3%\"\n");
    repo.write("verdict.toml", config);
    repo.commit("feat: a measurement");
    repo.ok(&["start", "slim", "--hypothesis", "x"]);
    repo.write("a", "b");
    repo.commit("perf: b");
    let measured = repo.json(&["measure", "--pairs", "6"]);
    let need = measured["measured"]["comparison"][0]["rounds_needed"].as_u64().expect("it is not sure");
    let mut terminal = Terminal::open(&repo, &["decide"]);
    terminal.sees("What is your verdict?");
    match need {
        7..=DEFAULT_ROUNDS => terminal.sees(&format!("measure more (about {need} pairs, ")),
        _ => terminal.sees(&format!("measure more (about {need} pairs of ")),
    }
    terminal.sees("abandon");
    terminal.types("\r");
    terminal.sees("measured anew: the 6 pairs of before");
    terminal.sees("How many pairs?");
    terminal.types("many\r");
    terminal.sees("that is no number from 1 to 10000");
    terminal.sees("abandon");
    terminal.types("\r");
    terminal.sees("How many pairs?");
    terminal.types("4\r");
    terminal.sees("abandon");
    terminal.types("\u{3}");
    assert_eq!(terminal.ends().0, Some(130));
    assert_eq!(repo.json(&["compare"])["options"][0]["comparison"][0]["rounds"], 4);
}
