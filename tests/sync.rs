//! Records exchanged with remotes: nothing lost, nothing but records sent, clear words when it cannot be done.

use crate::common::{Ran, Repo, finish, isolated};
use git_verdict::git::{Oid, Repo as Opened};
use git_verdict::ledger::event::{Identity, Opened as Opening};
use git_verdict::ledger::{Event, Fact, Ledger};
use std::path::Path;
use std::process::Stdio;
use ulid::Ulid;

const LEDGER: &str = "refs/verdict/ledger";
const PROGRAM: &str = env!("CARGO_BIN_EXE_git-verdict");

fn opening(name: &str) -> Fact {
    let oid = |digit: &str| Oid::parse(&digit.repeat(40)).expect("hexadecimal");
    Fact::Opened(Opening {
        title: format!("{name} build optimization"),
        hypothesis: "a smaller image pulls faster".into(),
        base: Identity { commit: oid("a"), tree: oid("b"), patch: None },
        onto: "main".into(),
        branch: format!("verdict/{name}"),
        stands_on: None,
        adopted: None,
    })
}

/// Appends this many records to the ledger of a repository.
fn record(dir: &Path, name: &str, count: usize) {
    let repo = Opened::discover(dir).expect("a repository");
    let ledger = Ledger::open(&repo);
    let draft = |_| ledger.draft(Ulid::new(), name, opening(name)).expect("a draft");
    let events: Vec<Event> = (0..count).map(draft).collect();
    ledger.append_all(&events).expect("appended");
}

fn ids(dir: &Path) -> Vec<Ulid> {
    let repo = Opened::discover(dir).expect("a repository");
    Ledger::open(&repo).events().expect("a whole ledger").iter().map(|event| event.id).collect()
}

/// A repository with one commit, and a bare one that is its `origin`.
fn pair() -> (Repo, Repo) {
    let bare = Repo::empty();
    bare.git(&["config", "core.bare", "true"]);
    let repo = Repo::with(&[("a.txt", "a\n")]);
    repo.git(&["remote", "add", "origin", bare.path().to_str().unwrap()]);
    (repo, bare)
}

/// Another clone of the same remote.
fn second(bare: &Repo) -> Repo {
    let repo = Repo::with(&[("b.txt", "b\n")]);
    repo.git(&["remote", "add", "origin", bare.path().to_str().unwrap()]);
    repo
}

#[test]
fn twenty_clones_that_push_at_the_same_time_lose_nothing_and_end_identical() {
    let (first, bare) = pair();
    let mut clones = vec![first];
    clones.extend((1..20).map(|_| second(&bare)));
    for (who, clone) in clones.iter().enumerate() {
        clone.git(&["config", "gc.auto", "0"]);
        record(clone.path(), &format!("clone-{who}"), 3);
    }
    let children: Vec<_> = clones
        .iter()
        .map(|clone| {
            let mut command = isolated(PROGRAM);
            command.args(["sync", "--json"]).current_dir(clone.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().expect("git-verdict starts")
        })
        .collect();
    let mut raced = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["sent"], 3, "{answer}");
        raced += usize::from(answer["attempts"].as_u64() > Some(1));
    }
    assert!(raced > 0, "nobody met anybody: this proves nothing");
    let tip = bare.git(&["rev-parse", LEDGER]);
    let all = ids(bare.path());
    assert_eq!(all.len(), 60);
    for clone in &clones {
        let answer = clone.json(&["sync"]);
        assert_eq!((&answer["sent"], &answer["unsent"]), (&0.into(), &0.into()), "{answer}");
        assert_eq!(clone.git(&["rev-parse", LEDGER]), tip);
        assert_eq!(ids(clone.path()), all);
    }
    let fsck = bare.try_git(&["fsck", "--strict", "--no-dangling"]);
    assert_eq!(fsck.code, Some(0), "{}", fsck.report());
}

#[test]
fn records_go_both_ways_and_a_second_time_there_is_nothing_to_do() {
    let (ours, bare) = pair();
    let theirs = second(&bare);
    ours.ok(&["sync"]).prints(&["origin: nothing new on either side"]);
    record(ours.path(), "ours", 2);
    record(theirs.path(), "theirs", 1);
    theirs.ok(&["sync"]).prints(&["origin: received 0 records, sent 1 record"]);
    ours.ok(&["sync", "--dry-run"]).prints(&["origin: would receive 1 record and send 2 records"]);
    assert_eq!((ids(ours.path()).len(), ids(bare.path()).len()), (2, 1), "a dry run changes no ledger");
    ours.ok(&["sync", "--fetch-only"]).prints(&["origin: received 1 record, 2 records unsent"]);
    assert_eq!((ids(ours.path()).len(), ids(bare.path()).len()), (3, 1));
    ours.ok(&["sync"]).prints(&["origin: received 0 records, sent 2 records"]);
    ours.ok(&["sync"]).prints(&["origin: nothing new on either side"]);
    theirs.ok(&["sync", "origin"]).prints(&["origin: received 2 records, sent 0 records"]);
    assert_eq!(ids(theirs.path()), ids(ours.path()));
    assert_eq!(theirs.git(&["rev-parse", LEDGER]), ours.git(&["rev-parse", LEDGER]));
}

#[test]
fn nothing_but_the_ledger_is_sent_and_no_hook_is_run() {
    let (ours, bare) = pair();
    for (key, value) in [
        ("push.followTags", "true"),
        ("push.default", "matching"),
        ("push.recurseSubmodules", "on-demand"),
        ("remote.origin.push", "refs/heads/*:refs/heads/*"),
        ("remote.origin.mirror", "true"),
    ] {
        ours.git(&["config", key, value]);
    }
    ours.git(&["tag", "-a", "v1", "-m", "one"]);
    let hook = ours.script(".git/hooks/pre-push", "touch \"$PWD/hook-ran\"; exit 1\n");
    record(ours.path(), "ours", 1);
    ours.ok(&["sync"]);
    assert_eq!(bare.git(&["for-each-ref", "--format=%(refname)"]), LEDGER);
    assert!(hook.exists() && !ours.path().join("hook-ran").exists());
}

#[test]
fn a_mirror_keeps_the_records_that_it_has_not_sent_yet() {
    let (ours, bare) = pair();
    ours.git(&["config", "--add", "remote.origin.fetch", "+refs/*:refs/*"]);
    ours.git(&["config", "fetch.prune", "true"]);
    let theirs = second(&bare);
    record(theirs.path(), "theirs", 1);
    theirs.ok(&["sync"]);
    record(ours.path(), "ours", 1);
    ours.ok(&["sync", "--fetch-only"]).prints(&["received 1 record, 1 record unsent"]);
    assert_eq!(ids(ours.path()).len(), 2);
}

#[test]
fn a_remote_that_takes_no_push_still_gives_its_records_and_what_is_unsent_is_counted() {
    let (ours, bare) = pair();
    let theirs = second(&bare);
    record(theirs.path(), "theirs", 1);
    theirs.ok(&["sync"]);
    bare.script(".git/hooks/pre-receive", "echo 'this one is read-only' >&2; exit 1\n");
    record(ours.path(), "ours", 3);
    let ran = ours.expect(3, &["sync"]);
    ran.says(&["origin takes no records from here", "1 received", "3 records are unsent", "read-only"]);
    ran.says(&["--fetch-only"]);
    assert_eq!((ids(ours.path()).len(), ids(bare.path()).len()), (4, 1));
}

#[test]
fn a_remote_that_does_not_answer_is_named_with_what_is_unsent() {
    let (ours, bare) = pair();
    record(ours.path(), "ours", 1);
    ours.ok(&["sync"]);
    record(ours.path(), "ours", 2);
    drop(bare);
    ours.refuses(3, &["sync"]).says(&[
        "origin could not be reached",
        "2 records are unsent",
        "git verdict sync, later",
    ]);
    let ran = ours.refuses(3, &["sync", "--json"]);
    assert!(ran.stdout.contains("\"schema\":\"git-verdict/error\""), "{}", ran.report());
}

#[test]
fn what_is_no_remote_is_refused_before_git_is_asked() {
    let (ours, _bare) = pair();
    ours.refuses(2, &["sync", "orgin"]).says(&["there is no remote 'orgin'", "git verdict sync origin"]);
    ours.refuses(2, &["sync", "--", "--upload-pack=touch x"]).says(&["there is no remote"]);
    ours.refuses(2, &["sync", "--setup", "file:///nowhere"]).says(&["is not configured"]);
    let alone = Repo::with(&[("a.txt", "a\n")]);
    alone.refuses(3, &["sync"]).says(&["there is no remote to sync with", "git remote add origin URL"]);
}

#[test]
fn a_path_and_a_url_are_remotes_too() {
    let (ours, bare) = pair();
    record(ours.path(), "ours", 1);
    let path = bare.path().to_str().unwrap().to_string();
    ours.ok(&["sync", &path]).prints(&["sent 1 record"]);
    let theirs = second(&bare);
    theirs.ok(&["sync", &format!("file://{path}")]).prints(&["received 1 record"]);
    let folder = bare.path().join("..");
    let name = format!("./{}", bare.path().file_name().unwrap().to_str().unwrap());
    let ran = theirs.run_in(&folder, PROGRAM, &["-C", &path, "sync", theirs.path().to_str().unwrap()], None);
    assert_eq!(ran.code, Some(0), "{}", ran.report());
    record(theirs.path(), "theirs", 1);
    let relative = theirs.run_in(&theirs.path().join(".."), PROGRAM, &["sync", &name], None);
    assert_eq!(relative.code, Some(3), "the folder around is no repository: {}", relative.report());
    theirs.ok(&["sync", &format!("../{}", &name[2..])]).prints(&["sent 1 record"]);
}

#[test]
fn set_up_once_an_ordinary_fetch_brings_the_records_along() {
    let (ours, bare) = pair();
    ours.ok(&["sync", "--setup"]).prints(&["git fetch origin brings the records along"]);
    ours.git(&["fetch", "origin"]);
    ours.ok(&["sync", "--setup"]);
    let specs = ours.git(&["config", "--get-all", "remote.origin.fetch"]);
    assert_eq!(specs.lines().filter(|line| line.contains("verdict")).count(), 1, "{specs}");
    let theirs = second(&bare);
    record(theirs.path(), "theirs", 1);
    theirs.ok(&["sync"]);
    ours.git(&["fetch", "origin"]);
    let there = bare.git(&["rev-parse", LEDGER]);
    assert_eq!(ours.git(&["rev-parse", "refs/verdict/remotes/origin/ledger"]), there);
}

#[test]
fn shallow_bare_and_partial_clones_and_linked_worktrees_exchange_records() {
    let (ours, bare) = pair();
    ours.git(&["push", "--quiet", "origin", "main"]);
    bare.git(&["config", "uploadpack.allowFilter", "true"]);
    bare.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
    record(ours.path(), "ours", 2);
    ours.ok(&["sync"]);
    let url = format!("file://{}", bare.path().display());
    let place = Repo::empty();
    let kinds = [("bare", "--bare"), ("shallow", "--depth=1"), ("partial", "--filter=blob:none")];
    for (count, (name, options)) in (2..).zip(kinds) {
        place.git(&["clone", "--quiet", options, &url, name]);
        let dir = place.path().join(name);
        let run = |words: &[&str]| place.run_in(&dir, PROGRAM, words, None);
        let took = run(&["sync"]);
        assert!(took.stdout.contains(&format!("received {count} records")), "{name}: {}", took.report());
        for (key, value) in [("user.name", "Ada"), ("user.email", "ada@example.org")] {
            place.run_in(&dir, "git", &["config", key, value], None);
        }
        record(&dir, name, 1);
        let sent = run(&["sync"]);
        assert!(sent.stdout.contains("sent 1 record"), "{name}: {}", sent.report());
        assert_eq!(ids(&dir), ids(bare.path()), "{name}");
    }
    ours.git(&["worktree", "add", "--quiet", "linked"]);
    let linked = ours.run_in(&ours.path().join("linked"), PROGRAM, &["sync"], None);
    assert!(linked.stdout.contains("received 3 records"), "{}", linked.report());
    assert_eq!(ids(ours.path()), ids(bare.path()));
}

#[test]
fn a_clone_without_an_identity_takes_records_in() {
    let (ours, bare) = pair();
    record(ours.path(), "ours", 1);
    ours.ok(&["sync"]);
    let reader = second(&bare);
    reader.git(&["config", "--unset", "user.name"]);
    reader.ok(&["sync"]).prints(&["received 1 record"]);
}

#[test]
fn a_ledger_of_a_later_version_and_a_ref_that_is_none_are_refused() {
    let (ours, bare) = pair();
    let plant = |text: &str| {
        let blob = bare.git_with_input(&["hash-object", "-w", "--stdin"], text);
        let tree = bare.git_with_input(&["mktree"], &format!("100644 blob {}\tformat\n", blob.trim()));
        let person = ["-c", "user.name=x", "-c", "user.email=x@y", "commit-tree", tree.trim(), "-m", "x"];
        let commit = bare.git(&person);
        bare.git(&["update-ref", LEDGER, &commit]);
    };
    record(ours.path(), "ours", 1);
    plant("2\n");
    ours.expect(3, &["sync"]).says(&["format version 2", "install a newer git-verdict"]);
    plant("what\n");
    ours.expect(3, &["sync"]).says(&["is no ledger"]);
    assert_eq!(ids(ours.path()).len(), 1);
}

#[test]
fn a_remote_made_anew_gets_everything_again() {
    let (ours, bare) = pair();
    record(ours.path(), "ours", 2);
    ours.ok(&["sync"]);
    bare.git(&["update-ref", "-d", LEDGER]);
    ours.ok(&["sync"]).prints(&["sent 2 records"]);
    assert_eq!(ids(bare.path()), ids(ours.path()));
}

/// All bytes that go over the wire, both ways, when this runs; an ssh that counts stands between.
fn bytes_of_sync(ours: &Repo, counter: &Path) -> (usize, Ran) {
    let log = ours.path().join("wire");
    let _ = std::fs::remove_file(&log);
    let mut command = isolated(PROGRAM);
    command.args(["sync"]).current_dir(ours.path()).env("GIT_SSH_COMMAND", counter).env("WIRE", &log);
    let ran = finish(command, None);
    (std::fs::metadata(&log).map_or(0, |file| file.len() as usize), ran)
}

#[test]
fn syncing_one_new_record_sends_less_than_ten_kilobytes() {
    let (ours, bare) = pair();
    let counter = ours.script(
        "counting-ssh",
        "while [ $# -gt 1 ]; do shift; done\ntee -a \"$WIRE\" | sh -c \"$1\" | tee -a \"$WIRE\"\n",
    );
    ours.git(&["remote", "set-url", "origin", &format!("ssh://nowhere{}", bare.path().display())]);
    record(ours.path(), "many", 2000);
    let (all, ran) = bytes_of_sync(&ours, &counter);
    assert!(ran.stdout.contains("sent 2000 records"), "{}", ran.report());
    assert!(all > 100_000, "the counter counts: {all}");
    record(ours.path(), "one", 1);
    let (one, ran) = bytes_of_sync(&ours, &counter);
    assert!(ran.stdout.contains("sent 1 record"), "{}", ran.report());
    assert!(one > 500 && one < 10_000, "{one} bytes");
}

#[test]
fn a_sync_killed_at_any_moment_loses_nothing_and_the_next_one_goes_on() {
    let (ours, bare) = pair();
    let theirs = second(&bare);
    let mut wanted = 0;
    for pause in [0, 2, 5, 10, 15, 20, 30, 40, 60, 80] {
        record(theirs.path(), "theirs", 1);
        theirs.ok(&["sync"]);
        record(ours.path(), "ours", 1);
        wanted += 2;
        let mut command = isolated(PROGRAM);
        command.args(["sync"]).current_dir(ours.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("git-verdict starts");
        std::thread::sleep(std::time::Duration::from_millis(pause));
        // It may have ended by itself.
        let _ = child.kill();
        child.wait().expect("it has ended");
        ours.ok(&["sync"]);
        assert_eq!((ids(ours.path()).len(), ids(bare.path()).len()), (wanted, wanted), "after {pause} ms");
    }
    let fsck = ours.try_git(&["fsck", "--strict", "--no-dangling"]);
    assert_eq!(fsck.code, Some(0), "{}", fsck.report());
}

#[test]
fn files_in_a_remote_ledger_that_are_no_records_are_left_out_and_named_harmlessly() {
    let (ours, bare) = pair();
    let theirs = second(&bare);
    record(theirs.path(), "theirs", 1);
    theirs.ok(&["sync"]);
    let blob = bare.git_with_input(&["hash-object", "-w", "--stdin"], "#!/bin/sh\ntouch /tmp/pwned\n");
    let events = bare.git(&["rev-parse", &format!("{LEDGER}:events")]);
    let format = bare.git(&["rev-parse", &format!("{LEDGER}:format")]);
    let inner = bare.git(&["ls-tree", &events]);
    let blob = blob.trim();
    let inner = format!("{inner}\n100644 blob {blob}\t\"\\033[31m.json\"\n100644 blob {blob}\t..\n");
    let events = bare.git_with_input(&["mktree"], &inner);
    let root = format!("040000 tree {}\tevents\n100644 blob {format}\tformat\n", events.trim());
    let tree = bare.git_with_input(&["mktree"], &root);
    let commit =
        bare.git(&["-c", "user.name=x", "-c", "user.email=x@y", "commit-tree", tree.trim(), "-p", LEDGER, "-m", "x"]);
    bare.git(&["update-ref", LEDGER, &commit]);
    record(ours.path(), "ours", 1);
    let ran = ours.ok(&["sync"]);
    ran.says(&["left out, because it is no record: events/"]);
    assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.report());
    assert_eq!(ids(ours.path()), ids(bare.path()));
    assert_eq!(ids(bare.path()).len(), 2);
    assert!(!bare.git(&["ls-tree", "-r", "--name-only", LEDGER]).contains(".."));
}

#[test]
fn a_clone_that_has_only_the_newest_commit_of_the_ledger_reads_all_and_syncs() {
    let (ours, bare) = pair();
    ours.git(&["push", "--quiet", "origin", "main"]);
    (0..4).for_each(|_| record(ours.path(), "ours", 2));
    ours.ok(&["sync"]);
    let place = Repo::empty();
    let url = format!("file://{}", bare.path().display());
    place.git(&["clone", "--quiet", "--depth=1", &url, "cut"]);
    let cut = place.path().join("cut");
    for words in [
        &["fetch", "--quiet", "--depth=1", "origin", "refs/verdict/ledger:refs/verdict/ledger"][..],
        &["config", "user.name", "Ada"],
        &["config", "user.email", "ada@example.org"],
    ] {
        let ran = place.run_in(&cut, "git", words, None);
        assert_eq!(ran.code, Some(0), "{}", ran.report());
    }
    assert_eq!(ids(&cut), ids(bare.path()));
    record(&cut, "cut", 1);
    record(ours.path(), "ours", 1);
    ours.ok(&["sync"]);
    let ran = place.run_in(&cut, PROGRAM, &["sync"], None);
    assert_eq!(ran.stdout, "origin: received 1 record, sent 1 record\n", "{}", ran.report());
    assert_eq!((ids(&cut), ids(&cut).len()), (ids(bare.path()), 10));
}
