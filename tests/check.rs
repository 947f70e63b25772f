//! `check`, as CI runs it.

use crate::common::Repo;
use serde_json::Value;

const CONFIG: &str = "version = 1\n[metrics.size]\npath = \"app\"\nlimit = \"9 kB\"\n";

fn project() -> Repo {
    let repo = Repo::with(&[("verdict.toml", CONFIG), ("app", &"x".repeat(4000))]);
    // What is on `base` is in the target branch already.
    repo.git(&["branch", "base"]);
    repo
}

fn attempt(repo: &Repo, name: &str, bytes: usize) {
    repo.ok(&["start", name, "--hypothesis", "smaller"]);
    repo.write("app", "x".repeat(bytes));
    repo.commit("perf: another size");
    repo.ok(&["measure"]);
}

#[track_caller]
fn check(repo: &Repo, code: i32, words: &[&str]) -> Vec<Value> {
    let before = repo.snapshot();
    let ran = repo.expect(code, &[&["check", "--against", "base", "--format", "json"], words].concat());
    assert_eq!(repo.snapshot(), before);
    let value: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.report()));
    assert_eq!(value["schema"], "git-verdict/check");
    assert_eq!(value["passed"], code == 0);
    value["findings"].as_array().unwrap().clone()
}

fn rules(findings: &[Value]) -> Vec<(&str, bool)> {
    findings.iter().map(|f| (f["rule"].as_str().unwrap(), f["fails"].as_bool().unwrap())).collect()
}

#[test]
fn decisions_that_landed_pass_with_and_without_the_ledger() {
    let repo = project();
    attempt(&repo, "slim", 1000);
    repo.ok(&["keep", "--because", "a quarter is enough"]);
    attempt(&repo, "fat", 5000);
    repo.ok(&["revert", "--because", "it grew"]);
    attempt(&repo, "odd", 5000);
    repo.ok(&["revert", "--because", "it grew", "--mode", "archive"]);
    repo.ok(&["revert", "slim", "--because", "it broke after all"]);
    assert_eq!(rules(&check(&repo, 0, &[])), []);
    repo.git(&["update-ref", "-d", "refs/verdict/ledger"]);
    assert_eq!(rules(&check(&repo, 0, &[])), []);
}

#[test]
fn a_revert_without_numbers_fails_and_one_with_them_passes() {
    let repo = project();
    attempt(&repo, "slim", 1000);
    repo.ok(&["keep", "--because", "a quarter is enough"]);
    repo.git(&["revert", "--no-edit", "-m", "1", "HEAD"]);
    let found = check(&repo, 1, &[]);
    assert_eq!(rules(&found), [("unquantified-revert", true)]);
    assert_eq!(found[0]["experiment"], "slim");
    // A clone without the ledger has what the kept merge says itself.
    let ledger = repo.git(&["rev-parse", "refs/verdict/ledger"]);
    repo.git(&["update-ref", "-d", "refs/verdict/ledger"]);
    assert_eq!(check(&repo, 1, &[])[0]["experiment"], "slim");
    repo.git(&["update-ref", "refs/verdict/ledger", &ledger]);
    repo.git(&["reset", "-q", "--hard", "HEAD^"]);
    repo.ok(&["hook", "install"]);
    repo.git(&["revert", "--no-edit", "-m", "1", "HEAD"]);
    assert_eq!(rules(&check(&repo, 0, &[])), []);
    // The type perf is enough where nothing is on record.
    repo.git(&["switch", "-q", "-c", "other", "base"]);
    repo.write("app", "xx");
    repo.commit("perf(app): tiny");
    repo.git(&["revert", "--no-edit", "HEAD"]);
    assert_eq!(rules(&check(&repo, 1, &[])), [("unquantified-revert", true)]);
    repo.write("app", "xxx");
    repo.commit("feat: three");
    repo.git(&["reset", "-q", "--soft", "base"]);
    repo.commit("revert: feat: three");
    assert_eq!(rules(&check(&repo, 0, &[])), []);
}

#[test]
fn a_message_that_was_tampered_with_disagrees_with_its_record() {
    let repo = project();
    attempt(&repo, "slim", 3000);
    repo.ok(&["keep", "--because", "a bit"]);
    let message = repo.git(&["log", "-1", "--format=%B"]);
    let change = |from: &str, to: &str| {
        let text = message.replace(from, to);
        assert_ne!(text, message);
        repo.git_with_input(&["commit", "--quiet", "--amend", "-F", "-"], &text);
        check(&repo, 1, &[])
    };
    let found = change("-> 3000 B -25.0%", "-> 1000 B -75.0%");
    assert_eq!(rules(&found), [("disagreement", true)]);
    let why = found[0]["why"].as_str().unwrap();
    assert!(why.contains("1000 B -75.0%") && why.contains("3000 B -25.0%"), "{why}");
    assert!(change("Verdict: keep", "Verdict: revert")[0]["why"].as_str().unwrap().contains("the opposite"));
    let record = message.lines().find_map(|line| line.strip_prefix("Verdict-Record: ")).unwrap();
    let found = change(record, "01M87WF39JGDQN24R9ZB428ZGX");
    assert!(found[0]["what"].as_str().unwrap().contains("not in the ledger"), "{found:?}");
    let found = change("Verdict-Experiment: slim", "Verdict-Experiment: other");
    assert!(found[0]["why"].as_str().unwrap().contains("experiment other is slim on record"), "{found:?}");
}

#[test]
fn an_undecided_experiment_among_the_commits_fails() {
    let repo = project();
    attempt(&repo, "fat", 5000);
    let found = check(&repo, 1, &[]);
    assert_eq!(rules(&found), [("undecided", true), ("regression", true)]);
    repo.git(&["switch", "-q", "main"]);
    repo.git(&["merge", "-q", "--no-ff", "--no-edit", "verdict/fat"]);
    assert_eq!(rules(&check(&repo, 1, &[])), [("undecided", true), ("regression", true)]);
    repo.git(&["update-ref", "-d", "refs/verdict/ledger"]);
    let found = check(&repo, 1, &[]);
    assert_eq!(rules(&found), [("undecided", true)]);
    assert_eq!(found[0]["experiment"], "fat");
}

#[test]
fn a_merge_of_something_else_than_what_was_measured_is_stale() {
    let repo = project();
    attempt(&repo, "slim", 1000);
    repo.ok(&["keep", "--because", "a quarter is enough"]);
    let message = repo.git(&["log", "-1", "--format=%B"]);
    repo.git(&["switch", "-q", "verdict/slim"]);
    repo.write("more", "unmeasured");
    repo.commit("perf: more");
    repo.git(&["switch", "-q", "main"]);
    repo.git(&["reset", "-q", "--hard", "base"]);
    repo.git(&["merge", "-q", "--no-ff", "-m", &message, "verdict/slim"]);
    assert_eq!(rules(&check(&repo, 1, &[])), [("stale", true)]);
}

#[test]
fn measuring_finds_a_regression_a_broken_limit_and_an_improvement() {
    let repo = project();
    repo.git(&["switch", "-q", "-c", "topic"]);
    repo.write("app", "x".repeat(6000));
    repo.commit("feat: more");
    assert_eq!(rules(&check(&repo, 0, &[])), []);
    let found = check(&repo, 1, &["--measure"]);
    assert_eq!(rules(&found), [("regression", true)]);
    assert!(found[0]["why"].as_str().unwrap().contains("4000 B -> 6000 B"), "{found:?}");
    repo.write("app", "x".repeat(9500));
    repo.commit("feat: more still");
    assert!(check(&repo, 1, &["--measure"])[0]["what"].as_str().unwrap().contains("beyond its limit"));
    repo.write("app", "x".repeat(100));
    repo.commit("perf: less");
    assert_eq!(rules(&check(&repo, 0, &["--measure"])), []);
}

#[test]
fn the_base_is_what_ci_says_and_a_shallow_clone_says_what_it_lacks() {
    let mut repo = project();
    repo.write("app", "xx");
    repo.commit("perf: tiny");
    repo.git(&["revert", "--no-edit", "HEAD"]);
    for variable in ["GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"] {
        repo.set(variable, "base");
        let ran = repo.expect(1, &["check", "--format", "markdown"]);
        ran.prints(&["2 commits since base: 1 problem", "| **fail** | unquantified-revert |"]);
        repo.set(variable, "");
    }
    repo.ok(&["check"]).prints(&["0 commits since main: nothing to object to"]);
    let shallow = repo.path().join(".git/shallow-clone");
    let url = format!("file://{}", repo.path().display());
    repo.git(&["clone", "-q", "--depth=1", "--no-single-branch", &url, shallow.to_str().unwrap()]);
    let words = ["check", "--against", "origin/base"];
    let ran = repo.run_in(&shallow, env!("CARGO_BIN_EXE_git-verdict"), &words, None);
    assert_eq!(ran.code, Some(3), "{}", ran.report());
    ran.says(&["no history in common", "git fetch --unshallow"]);
}

#[test]
fn the_examples_for_ci_run_commands_that_exist() {
    let repo = project();
    repo.git(&["update-ref", "refs/remotes/origin/main", "base"]);
    for (name, text) in
        [("github", include_str!("../docs/ci/github.yml")), ("gitlab", include_str!("../docs/ci/gitlab.yml"))]
    {
        let lines: Vec<&str> =
            text.lines().filter_map(|line| line.split_once("git verdict ")).map(|(_, rest)| rest).collect();
        assert_eq!(lines.len(), 1, "{name}");
        let words = lines[0].split(['>', '|']).next().unwrap().split_whitespace().collect::<Vec<_>>();
        repo.ok(&words).prints(&["### git verdict check", "nothing to object to"]);
        assert!(!text.contains('\t') && text.contains("refs/verdict/*:refs/verdict/*"), "{name}");
    }
}
