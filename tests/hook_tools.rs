//! Beside the real lefthook, pre-commit, husky and commitlint.
//!
//! `GIT_VERDICT_HOOK_TOOLS` names the folder in which `npm install @commitlint/cli @commitlint/config-conventional husky
//! lefthook` was run, with a virtual environment `v` that has pre-commit. Without it these tests say that they are skipped.

mod common;

use common::Repo;
use std::path::{Path, PathBuf};

const CONFIG: &str = "version = 1\n[metrics.size]\npath = \"app\"\n";

fn tools() -> Option<PathBuf> {
    let found = std::env::var_os("GIT_VERDICT_HOOK_TOOLS").map(PathBuf::from);
    if found.is_none() {
        eprintln!("skipped: GIT_VERDICT_HOOK_TOOLS is not set");
    }
    found
}

/// A repository in which `slim` was kept, with the tools and git-verdict in `PATH`.
fn kept(tools: &Path) -> Repo {
    let mut repo = Repo::with(&[("verdict.toml", CONFIG), ("app", &"x".repeat(4000))]);
    let program = Path::new(env!("CARGO_BIN_EXE_git-verdict")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let (node, python) = (tools.join("node_modules/.bin"), tools.join("v/bin"));
    repo.set("PATH", format!("{}:{}:{}:{path}", program.display(), node.display(), python.display()));
    let home = repo.path().join(".git/home").display().to_string();
    repo.set("HOME", home);
    repo.git(&["branch", "base"]);
    repo.ok(&["start", "slim", "--hypothesis", "smaller"]);
    repo.write("app", "x".repeat(1000));
    repo.commit("perf: a quarter");
    repo.ok(&["measure"]);
    repo.ok(&["keep", "--because", "a quarter is enough"]);
    repo
}

#[track_caller]
fn tool(repo: &Repo, program: &str, words: &[&str]) -> String {
    let ran = repo.run_in(repo.path(), program, words, None);
    assert_eq!(ran.code, Some(0), "{}", ran.report());
    ran.stdout + &ran.stderr
}

/// Reverts the tip; whether its message has got the numbers.
fn revert_is_filled(repo: &Repo) -> bool {
    let words: &[&str] = match repo.git(&["rev-list", "--parents", "-1", "HEAD"]).split(' ').count() {
        3 => &["revert", "--no-edit", "-m", "1", "HEAD"],
        _ => &["revert", "--no-edit", "HEAD^2"],
    };
    let tip = repo.git(&["rev-parse", "HEAD"]);
    repo.git(words);
    let filled = repo.git(&["log", "-1", "--format=%B"]).matches("Verdict-Metric: size").count() == 1;
    repo.git(&["reset", "-q", "--hard", &tip]);
    filled
}

#[test]
fn lefthook_runs_as_before_and_its_hooks_come_back_byte_for_byte() {
    let Some(tools) = tools() else { return };
    let repo = kept(&tools);
    repo.write("lefthook.yml", "prepare-commit-msg:\n  commands:\n    tell:\n      run: echo ran >> .git/ran\n");
    tool(&repo, "lefthook", &["install"]);
    let theirs = repo.read(".git/hooks/prepare-commit-msg");
    assert!(theirs.contains("lefthook"), "{theirs}");
    repo.ok(&["hook", "install"]);
    assert!(revert_is_filled(&repo));
    assert!(repo.read(".git/ran").contains("ran"));
    repo.ok(&["hook", "uninstall"]);
    assert_eq!(repo.read(".git/hooks/prepare-commit-msg"), theirs);
}

#[test]
fn pre_commit_runs_as_before_also_when_it_is_installed_once_more() {
    let Some(tools) = tools() else { return };
    let repo = kept(&tools);
    let hook = "repos:\n- repo: local\n  hooks:\n  - id: tell\n    name: tell\n    entry: sh -c 'echo ran >> .git/ran'\n    \
                language: system\n    always_run: true\n    pass_filenames: false\n    stages: [prepare-commit-msg]\n";
    repo.write(".pre-commit-config.yaml", hook);
    let install = ["install", "-t", "prepare-commit-msg"];
    tool(&repo, "pre-commit", &install);
    let theirs = repo.read(".git/hooks/prepare-commit-msg");
    repo.ok(&["hook", "install"]);
    assert!(revert_is_filled(&repo));
    assert_eq!(repo.read(".git/ran"), "ran\n");
    // It moves our hook to its own `.legacy` and calls it from there: neither runs twice.
    tool(&repo, "pre-commit", &install);
    assert!(revert_is_filled(&repo));
    assert_eq!(repo.read(".git/ran"), "ran\nran\n");
    repo.ok(&["hook", "status"]).prints(&["prepare-commit-msg replaced"]);
    tool(&repo, "pre-commit", &["uninstall", "-t", "prepare-commit-msg"]);
    repo.ok(&["hook", "uninstall"]);
    assert_eq!(repo.read(".git/hooks/prepare-commit-msg"), theirs);
}

#[test]
fn husky_gets_the_line_that_it_is_told() {
    let Some(tools) = tools() else { return };
    let repo = kept(&tools);
    tool(&repo, "husky", &[]);
    let refused = repo.expect(3, &["hook", "install"]);
    refused.says(&["husky writes that folder anew", ".husky/prepare-commit-msg:"]);
    let line = refused.stderr.lines().find(|line| line.contains("hook run prepare-commit-msg")).unwrap().trim();
    repo.write(".husky/prepare-commit-msg", format!("{line}\n"));
    assert!(revert_is_filled(&repo));
}

#[test]
fn commitlint_accepts_every_message_that_lands() {
    let Some(tools) = tools() else { return };
    let repo = kept(&tools);
    repo.ok(&["hook", "install", "--commit-msg"]);
    repo.ok(&["start", "fat", "--hypothesis", "bigger"]);
    repo.write("app", "x".repeat(5000));
    repo.commit("perf: bigger");
    repo.ok(&["measure"]);
    repo.ok(&["revert", "--because", "it grew"]);
    repo.ok(&["start", "odd", "--hypothesis", "bigger"]);
    repo.write("app", "x".repeat(6000));
    repo.commit("perf: bigger still");
    repo.ok(&["measure"]);
    repo.ok(&["revert", "--because", "it grew", "--mode", "archive"]);
    repo.ok(&["revert", "slim", "--because", "it broke"]);
    repo.git(&["revert", "--no-edit", "HEAD"]);
    let config = tools.join("commitlint.config.mjs");
    std::fs::write(&config, "export default { extends: ['@commitlint/config-conventional'] };\n").unwrap();
    let config = config.display().to_string();
    tool(&repo, "commitlint", &["--config", &config, "--from", "base", "--to", "HEAD", "--verbose"]);
}
