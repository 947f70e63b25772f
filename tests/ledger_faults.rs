//! Kills a process at every named point of an append, a merge and a sync, and checks that nothing that was acknowledged is
//! lost, that git finds the repository whole, and that the same command again does what is left.

use crate::common::{Ran, Repo, finish, isolated};
use git_verdict::git::fault::STEP_VARIABLE;
use std::path::Path;

const LEDGER: &str = "refs/verdict/ledger";
const PROGRAM: &str = env!("CARGO_BIN_EXE_git-verdict");

/// Runs git-verdict, to be killed at the point of this number.
fn killed_at(dir: &Path, number: usize, words: &[&str]) -> Ran {
    let mut command = isolated(PROGRAM);
    command.args(words).current_dir(dir).env(STEP_VARIABLE, format!("step:{number}"));
    finish(command, None)
}

/// Kills a command at one point after the other until it comes through; `make_ready` is called before each run and `check`
/// after each that was killed. The number of points.
fn through_all_points(
    repo: &Repo,
    words: &dyn Fn(usize) -> Vec<String>,
    make_ready: &mut dyn FnMut(usize),
    check: &mut dyn FnMut(usize),
) -> usize {
    for number in 1.. {
        make_ready(number);
        let words = words(number);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ran = killed_at(repo.path(), number, &words);
        if ran.code == Some(0) {
            return number - 1;
        }
        assert_eq!(ran.code, None, "not killed at point {number}\n{}", ran.report());
        is_whole(repo);
        check(number);
        is_whole(repo);
    }
    unreachable!("the loop has no end")
}

fn is_whole(repo: &Repo) {
    let fsck = repo.try_git(&["fsck", "--strict", "--no-dangling"]);
    assert_eq!(fsck.code, Some(0), "{}", fsck.report());
    repo.ok(&["doctor", "--ledger"]);
}

fn count(repo: &Repo) -> usize {
    repo.git(&["ls-tree", "-r", "--name-only", LEDGER, "events"]).lines().count()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}

fn project() -> Repo {
    let repo = Repo::with(&[("file", "1\n")]);
    repo.write("file", "2\n");
    repo.commit("perf: a change");
    repo
}

fn open(repo: &Repo, name: &str) {
    repo.ok(&["start", name, "--hypothesis", "it is faster", "--adopt", "HEAD~1..HEAD"]);
}

#[test]
fn an_append_killed_at_any_point_is_there_whole_or_not_at_all_and_can_be_made_again() {
    let repo = project();
    let mut lost = 0;
    let before = std::cell::Cell::new(0);
    let points = through_all_points(
        &repo,
        &|number| words(&["abandon", &format!("try-{number}"), "--because", "no gain"]),
        &mut |number| {
            open(&repo, &format!("try-{number}"));
            before.set(count(&repo));
        },
        &mut |number| {
            let (name, now) = (format!("try-{number}"), count(&repo));
            assert!(now == before.get() || now == before.get() + 1, "point {number}");
            let shown = repo.json(&["show", &name]);
            let there = now > before.get();
            assert_eq!(shown["experiment"]["state"], if there { "abandoned" } else { "open" }, "point {number}");
            if !there {
                lost += 1;
                repo.ok(&["abandon", &name, "--because", "no gain"]);
            }
            assert_eq!(count(&repo), before.get() + 1, "point {number}");
            assert_eq!(repo.json(&["show", &name])["experiment"]["state"], "abandoned", "point {number}");
        },
    );
    // A blob, five trees and a commit, each before and after it is in place; the ref; the index.
    assert!(points >= 16, "only {points} points");
    assert!(lost >= 14, "only {lost} of {points} were before the ref moved");
    assert_eq!(repo.json(&["log", "--all"])["decisions"].as_array().map(Vec::len), Some(points + 1));
}

/// A repository with a remote that another clone writes to.
fn shared() -> (Repo, Repo, Repo) {
    let (ours, theirs, bare) = (project(), Repo::empty(), Repo::empty());
    let path = bare.path().join("team.git");
    let path = path.to_str().expect("UTF-8");
    bare.git(&["init", "--quiet", "--bare", path]);
    ours.git(&["remote", "add", "origin", path]);
    ours.git(&["push", "--quiet", "origin", "main"]);
    theirs.git(&["remote", "add", "origin", path]);
    theirs.git(&["pull", "--quiet", "origin", "main"]);
    (ours, theirs, bare)
}

fn goes_through_all_points(ours: &Repo, theirs: &Repo, command: &[&str]) -> usize {
    let records = std::cell::Cell::new(0);
    through_all_points(
        ours,
        &|_| words(command),
        &mut |number| {
            open(theirs, &format!("theirs-{number}"));
            theirs.ok(&["sync"]);
            open(ours, &format!("ours-{number}"));
            records.set(records.get() + 2);
        },
        &mut |number| {
            // All of ours is here, whatever came in of theirs.
            assert!(count(ours) >= records.get() / 2, "point {number}");
            ours.ok(&["sync"]);
            theirs.ok(&["sync"]);
            assert_eq!((count(ours), count(theirs)), (records.get(), records.get()), "point {number}");
            assert_eq!(ours.git(&["rev-parse", LEDGER]), theirs.git(&["rev-parse", LEDGER]), "point {number}");
        },
    )
}

#[test]
fn a_merge_killed_at_any_point_loses_nothing_and_is_made_by_the_next_one() {
    let (ours, theirs, _bare) = shared();
    let points = goes_through_all_points(&ours, &theirs, &["sync", "--fetch-only"]);
    // What was fetched, trees and a commit before and after they are in place, the ref, what was merged.
    assert!(points >= 9, "only {points} points");
}

#[test]
fn a_sync_killed_at_any_point_loses_nothing_and_the_next_one_sends_the_rest() {
    let (ours, theirs, _bare) = shared();
    let points = goes_through_all_points(&ours, &theirs, &["sync"]);
    assert!(points >= 10, "only {points} points");
}

#[test]
fn an_index_killed_while_it_is_written_is_written_by_the_next_reader() {
    let repo = project();
    let mut wanted = 0;
    let points = through_all_points(
        &repo,
        &|_| words(&["log", "--all"]),
        &mut |number| {
            let index = repo.path().join(".git/verdict/index");
            let before = std::fs::read(index.join("head"));
            open(&repo, &format!("try-{number}"));
            wanted += 1;
            // What the opening noted is gone, so that the index has to be brought up to date from the trees.
            let _ = std::fs::remove_file(index.join("tail"));
            let _ = match before {
                Ok(bytes) => std::fs::write(index.join("head"), bytes),
                Err(_) => std::fs::remove_file(index.join("head")),
            };
        },
        &mut |number| {
            let listed = repo.json(&["log", "--all"]);
            assert_eq!(listed["decisions"].as_array().map(Vec::len), Some(number), "point {number}");
        },
    );
    assert!(points >= 2, "only {points} points");
    assert_eq!(wanted, points + 1);
}
