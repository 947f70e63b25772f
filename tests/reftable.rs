//! Repositories whose refs are kept as reftable: the whole way through the program, and what an old git makes of them.
//! `.ci/run` runs the other tests of the ledger and of decisions in such repositories, too.

use crate::common::{Ran, Repo};
use std::path::Path;

const PROGRAM: &str = env!("CARGO_BIN_EXE_git-verdict");
const CONFIG: &str = "version = 1\n[metrics.size]\npath = \"app\"\n";

fn project(options: &[&str]) -> Repo {
    let repo = Repo::init(&[&["--ref-format=reftable"], options].concat());
    repo.write("verdict.toml", CONFIG);
    repo.write("app", "x".repeat(4000));
    repo.commit("feat: begin");
    assert_eq!(repo.git(&["rev-parse", "--show-ref-format"]), "reftable");
    repo
}

fn attempt(repo: &Repo, name: &str, bytes: usize) {
    repo.ok(&["start", name, "--hypothesis", "smaller"]);
    repo.write("app", "x".repeat(bytes));
    repo.commit(&format!("perf: {bytes} bytes"));
    repo.ok(&["measure"]);
}

fn inside(repo: &Repo, dir: &Path, words: &[&str]) -> Ran {
    let ran = repo.run_in(dir, PROGRAM, words, None);
    assert_eq!(ran.code, Some(0), "{}", ran.report());
    ran
}

fn whole_story(options: &[&str]) {
    let repo = Repo::init(&[&["--ref-format=reftable"], options].concat());
    repo.write("Dockerfile", "FROM scratch\n");
    repo.ok(&["init", "--yes"]);
    repo.ok(&["status"]);
    drop(repo);

    let repo = project(options);
    attempt(&repo, "slim", 1000);
    repo.ok(&["keep", "--because", "a quarter is enough"]);
    assert_eq!(repo.git(&["branch", "--show-current"]), "main");
    let kept = repo.git(&["rev-parse", "main"]);
    attempt(&repo, "fat", 2000);
    repo.ok(&["revert", "--because", "it grew", "--dry-run"]).prints(&["it grew"]);
    repo.ok(&["revert", "--because", "it grew"]);
    assert_eq!(repo.git(&["rev-parse", "main^1"]), kept);
    assert_eq!(repo.git(&["diff", &kept, "main"]), "");
    repo.ok(&["undo"]);
    assert_eq!(repo.git(&["rev-parse", "main"]), kept);
    repo.ok(&["revert", "fat", "--mode", "archive", "--because", "it grew"]);
    let archived = repo.git(&["for-each-ref", "--format=%(refname)", "refs/verdict/archive", "refs/heads"]);
    assert!(archived.contains("refs/verdict/archive/fat") && !archived.contains("heads/verdict/fat"), "{archived}");
    repo.ok(&["log"]).prints(&["slim", "fat"]);
    repo.ok(&["show", "slim"]).prints(&["kept"]);
    repo.ok(&["doctor"]);
    repo.ok(&["doctor", "--ledger"]);

    // A bare remote, another clone, a linked work tree.
    let bare = repo.path().join(".git/bare.git");
    repo.git(&[&["init", "--quiet", "--bare", "--ref-format=reftable"], options, &[bare.to_str().unwrap()]].concat());
    repo.git(&["remote", "add", "origin", bare.to_str().unwrap()]);
    repo.git(&["push", "--quiet", "origin", "main"]);
    repo.ok(&["sync"]);
    let clone = repo.path().join(".git/clone");
    repo.git(&[
        "clone",
        "--quiet",
        "--branch=main",
        "--ref-format=reftable",
        bare.to_str().unwrap(),
        clone.to_str().unwrap(),
    ]);
    inside(&repo, &clone, &["sync"]);
    inside(&repo, &clone, &["log"]).prints(&["slim", "fat"]);
    inside(&repo, &bare, &["log"]).prints(&["slim", "fat"]);
    let linked = repo.path().join(".git/linked");
    repo.git(&["worktree", "add", "--quiet", "-b", "side", linked.to_str().unwrap(), "main"]);
    inside(&repo, &linked, &["start", "third", "--on", "main", "--hypothesis", "smaller"]);
    assert_eq!(repo.run_in(&linked, "git", &["branch", "--show-current"], None).stdout.trim(), "verdict/third");
    inside(&repo, &linked, &["status"]).prints(&["third"]);
    // Its HEAD is its own.
    assert_eq!(repo.git(&["branch", "--show-current"]), "main");
    std::fs::write(linked.join("app"), "x").unwrap();
    repo.run_in(&linked, "git", &["commit", "--quiet", "-am", "perf: one byte"], None);
    inside(&repo, &linked, &["measure"]);
    // Where the base is checked out is known.
    let refused = repo.run_in(&linked, PROGRAM, &["keep", "--because", "x"], None);
    assert_eq!(refused.code, Some(3), "{}", refused.report());
    refused.says(&["main", "checked out"]);
    repo.ok(&["keep", "third", "--because", "one byte is enough"]);
    assert_eq!(repo.read("app"), "x");
    let fsck = repo.try_git(&["fsck", "--strict", "--no-dangling"]);
    assert_eq!(fsck.code, Some(0), "{}", fsck.report());
}

#[test]
fn the_whole_story_is_told_where_refs_are_kept_as_reftable() {
    whole_story(&[]);
}

#[test]
fn the_whole_story_is_told_with_sha_256_too() {
    whole_story(&["--object-format=sha256"]);
}

#[test]
fn the_post_commit_hook_knows_the_branch_there_too() {
    let repo = project(&[]);
    repo.ok(&["hook", "install", "--post-commit"]);
    repo.write("a.txt", "a");
    repo.commit("feat: on the base");
    assert_eq!(repo.json(&["hook", "status"])["queued"], serde_json::json!([]));
    repo.ok(&["start", "slim", "--hypothesis", "smaller"]);
    repo.write("app", "x");
    repo.commit("perf: less");
    assert_eq!(repo.json(&["hook", "status"])["queued"], serde_json::json!(["slim"]));
}

#[test]
fn a_git_that_does_not_know_reftable_is_named_with_a_way_out() {
    let mut repo = project(&[]);
    // What git 2.39.5 says.
    let old = "case $1 in\n--version) echo 'git version 2.39.5' ;;\n*) printf 'fatal: unknown repository extension \
               found:\\n\\trefstorage\\n' >&2; exit 128 ;;\nesac\n";
    let program = repo.script(".git/old/git", old);
    repo.set("PATH", format!("{}:/usr/bin:/bin", program.parent().unwrap().display()));
    for words in [&["log"][..], &["status"], &["start", "x", "--hypothesis", "y"], &["hook", "install"], &["measure"]] {
        let ran = repo.run(words);
        assert_eq!(ran.code, Some(3), "{}", ran.report());
        ran.says(&["reftable, which git version 2.39.5 does not read", "git refs migrate --ref-format=files"]);
    }
}

#[test]
fn a_repository_that_is_converted_goes_on() {
    let repo = Repo::init(&["--ref-format=files"]);
    repo.write("verdict.toml", CONFIG);
    repo.write("app", "x".repeat(4000));
    repo.commit("feat: begin");
    // git before 2.48 does not convert reflogs.
    repo.git(&["config", "core.logAllRefUpdates", "false"]);
    std::fs::remove_dir_all(repo.path().join(".git/logs")).unwrap();
    attempt(&repo, "slim", 1000);
    for format in ["reftable", "files"] {
        repo.git(&["refs", "migrate", &format!("--ref-format={format}")]);
        repo.ok(&["status"]).prints(&["slim"]);
        repo.ok(&["measure", "--fresh"]);
    }
    repo.git(&["refs", "migrate", "--ref-format=reftable"]);
    repo.ok(&["keep", "--because", "x"]);
    repo.ok(&["log"]).prints(&["slim"]);
}
