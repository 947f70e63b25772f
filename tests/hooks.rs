//! The git hooks, run by the real git in real repositories.

use crate::common;

use crate::common::terminal::Terminal;
use crate::common::{Repo, works};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

const CONFIG: &str = "version = 1\n[metrics.size]\npath = \"app\"\n";

/// A repository in which the experiment `slim` was kept; its merge is the tip of `main`.
fn kept() -> Repo {
    let repo = Repo::with(&[("verdict.toml", CONFIG), ("app", &"x".repeat(4000))]);
    repo.ok(&["start", "slim", "--hypothesis", "smaller"]);
    repo.write("app", "x".repeat(1000));
    repo.commit("perf: a quarter");
    repo.ok(&["measure"]);
    repo.ok(&["keep", "--because", "a quarter is enough"]);
    repo
}

fn hook(repo: &Repo, name: &str, text: impl AsRef<[u8]>, mode: u32) {
    let path = repo.write(&format!(".git/hooks/{name}"), text);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn message(repo: &Repo, commit: &str) -> String {
    repo.git(&["log", "-1", "--format=%B", commit])
}

/// Name, kind, mode, inode and content of everything in the hooks folder.
fn listing(repo: &Repo) -> Vec<String> {
    let folder = repo.path().join(".git/hooks");
    let mut lines: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let content = match meta.is_symlink() {
                true => std::fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes(),
                false => std::fs::read(&path).unwrap(),
            };
            format!("{} {:o} {} {:?} {content:?}", path.display(), meta.mode(), meta.ino(), meta.modified().unwrap())
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn a_plain_git_revert_gets_the_numbers_on_record() {
    let repo = kept();
    repo.ok(&["hook", "install"]);
    repo.git(&["revert", "--no-edit", "-m", "1", "HEAD"]);
    let text = message(&repo, "HEAD");
    assert!(text.starts_with("Revert \"perf: slim\"\n\nThis reverts commit "), "{text}");
    assert!(text.contains("\nNumbers on record for slim, ") && text.contains("4.0 kB"), "{text}");
    let trailers = repo.trailers("HEAD");
    assert_eq!(trailers[0], ("Verdict".into(), "revert".into()));
    assert_eq!(trailers[1], ("Verdict-Experiment".into(), "slim".into()));
    assert!(trailers.contains(&("Verdict-Metric".into(), "size 4000 B -> 1000 B -75.0% exact improved".into())));
    // The revert of one of its commits, on another line, gets them too, with the sign-off last.
    repo.git(&["reset", "-q", "--hard", "HEAD^"]);
    repo.git(&["revert", "--no-edit", "--signoff", "HEAD^2"]);
    let trailers = repo.trailers("HEAD");
    assert_eq!(trailers[0].0, "Verdict");
    assert_eq!(trailers.last().unwrap().0, "Signed-off-by");
}

#[test]
fn the_revert_of_a_revert_says_which_decision_it_reopens() {
    let repo = kept();
    repo.ok(&["revert", "slim", "--because", "it broke"]);
    repo.ok(&["hook", "install"]);
    let record = repo.json(&["show", "slim"])["experiment"]["decision"]["record"].as_str().unwrap().to_string();
    repo.git(&["revert", "--no-edit", "HEAD"]);
    let trailers = repo.trailers("HEAD");
    assert!(trailers.contains(&("Verdict-Reopens".into(), record)), "{trailers:?}");
    assert!(!trailers.iter().any(|(key, _)| key == "Verdict"), "{trailers:?}");
}

#[test]
fn a_message_of_the_users_own_is_left_alone_and_numbers_come_only_once() {
    let repo = kept();
    repo.ok(&["hook", "install"]);
    let merge = repo.git(&["rev-parse", "HEAD"]);
    let own = format!("Revert \"perf: slim\"\n\nThis reverts commit {merge}.\n\nIt broke the build.\n");
    let file = repo.write("message.txt", &own);
    repo.ok(&["hook", "run", "prepare-commit-msg", "message.txt"]);
    assert_eq!(repo.read("message.txt"), own);
    repo.ok(&["hook", "run", "prepare-commit-msg", "--always", "message.txt"]);
    let filled = repo.read("message.txt");
    assert!(filled.contains("It broke the build.") && filled.contains("Verdict-Metric: size"), "{filled}");
    repo.ok(&["hook", "run", "prepare-commit-msg", "--always", "message.txt"]);
    assert_eq!(repo.read("message.txt"), filled);
    std::fs::remove_file(file).unwrap();
    repo.git(&["revert", "--no-edit", "-m", "1", "HEAD"]);
    let once = message(&repo, "HEAD");
    repo.git(&["commit", "--quiet", "--amend", "--no-edit"]);
    assert_eq!(message(&repo, "HEAD"), once);
    assert_eq!(once.matches("Verdict-Record").count(), 1);
}

#[test]
fn a_revert_of_something_else_and_a_plain_commit_stay_as_they_are() {
    let repo = kept();
    repo.ok(&["hook", "install", "--commit-msg"]);
    repo.write("other.txt", "x");
    repo.commit("feat: other");
    repo.git(&["revert", "--no-edit", "HEAD"]);
    assert!(!message(&repo, "HEAD").contains("Verdict"), "{}", message(&repo, "HEAD"));
    repo.write("other.txt", "y");
    repo.commit("revert: go back to the old colours");
    assert_eq!(message(&repo, "HEAD").trim(), "revert: go back to the old colours");
}

#[test]
fn commit_msg_refuses_the_revert_of_an_optimization_without_numbers_and_says_what_adds_them() {
    let repo = kept();
    repo.ok(&["hook", "install", "--commit-msg"]);
    let merge = repo.git(&["rev-parse", "HEAD"]);
    let text = format!("chore: take it back\n\nThis reverts commit {merge}.\n");
    let refused = repo.run_in(repo.path(), "git", &["commit", "--allow-empty", "-F", "-"], Some(&text));
    assert_eq!(refused.code, Some(1), "{}", refused.report());
    refused.says(&["without its numbers", "experiment 'slim'", "git verdict hook run prepare-commit-msg --always"]);
    assert_eq!(repo.git(&["rev-parse", "HEAD"]), merge);
    // What it says works.
    repo.ok(&["hook", "run", "prepare-commit-msg", "--always", ".git/COMMIT_EDITMSG"]);
    repo.git(&["commit", "--quiet", "--allow-empty", "-F", ".git/COMMIT_EDITMSG"]);
    assert!(message(&repo, "HEAD").contains("Verdict-Metric: size"));
    // An optimization that is not on record is refused as well, a commit message that only quotes one is not.
    for text in ["revert: perf: faster\n", "Revert \"perf(image): faster\"\n"] {
        let refused = repo.run_in(repo.path(), "git", &["commit", "--allow-empty", "-F", "-"], Some(text));
        assert_eq!(refused.code, Some(1), "{}", refused.report());
        refused.says(&["git verdict start NAME --adopt"]);
    }
    repo.git(&["commit", "--quiet", "--allow-empty", "-m", "docs: say what 'revert: perf: x' means"]);
}

#[test]
fn a_program_that_is_missing_or_fails_blocks_nothing() {
    let repo = kept();
    repo.ok(&["hook", "install", "--commit-msg", "--post-commit"]);
    for name in ["prepare-commit-msg", "commit-msg", "pre-push"] {
        let text = repo.read(&format!(".git/hooks/{name}"));
        let text = text.replace(env!("CARGO_BIN_EXE_git-verdict"), "/no/such/program");
        assert!(text.contains("/no/such/program"), "{text}");
        hook(&repo, name, text, 0o755);
    }
    repo.git(&["revert", "--no-edit", "-m", "1", "HEAD"]);
    assert!(!message(&repo, "HEAD").contains("Verdict"));
    let mut repo = kept();
    repo.ok(&["hook", "install", "--commit-msg"]);
    // A git-verdict that comes first in PATH and ends with everything but 1.
    repo.script("bin/git-verdict", "exit 3\n");
    let path = format!("{}:{}", repo.path().join("bin").display(), std::env::var("PATH").unwrap());
    repo.set("PATH", path);
    repo.git(&["revert", "--no-edit", "-m", "1", "HEAD"]);
    assert!(!message(&repo, "HEAD").contains("Verdict"));
}

#[test]
fn hooks_stand_back_while_a_decision_lands() {
    let repo = kept();
    repo.ok(&["hook", "install", "--commit-msg", "--post-commit"]);
    repo.ok(&["revert", "slim", "--because", "it broke"]);
    assert_eq!(message(&repo, "HEAD").matches("Verdict-Record").count(), 1);
    assert!(!repo.path().join(".git/verdict/queue").exists());
}

#[test]
fn a_commit_on_an_experiments_branch_is_queued_and_measured_on_request() {
    let repo = Repo::with(&[("verdict.toml", CONFIG), ("app", "xxxx")]);
    repo.ok(&["hook", "install", "--post-commit"]);
    repo.write("a.txt", "a");
    repo.commit("feat: on the base");
    assert_eq!(repo.json(&["hook", "status"])["queued"], serde_json::json!([]));
    repo.ok(&["start", "slim", "--hypothesis", "smaller"]);
    repo.write("app", "x");
    repo.commit("perf: less");
    assert_eq!(repo.json(&["hook", "status"])["queued"], serde_json::json!(["slim"]));
    // From a linked work tree it goes to the same queue.
    let linked = repo.path().join(".git/linked-work-tree");
    repo.git(&["worktree", "add", "-q", "-b", "verdict/other", linked.to_str().unwrap(), "main"]);
    let commit = ["commit", "--quiet", "--allow-empty", "-m", "perf: other"];
    assert_eq!(repo.run_in(&linked, "git", &commit, None).code, Some(0));
    assert_eq!(repo.json(&["hook", "status"])["queued"], serde_json::json!(["other", "slim"]));
    let measured = repo.ok(&["measure", "--queued"]);
    measured.prints(&["75.0 %", "next: git verdict decide slim"]);
    measured.says(&["other"]);
    assert_eq!(repo.json(&["hook", "status"])["queued"], serde_json::json!([]));
}

#[test]
fn a_decision_that_doctor_finishes_leaves_the_same_for_the_hooks_as_one_that_was_not_cut_off() {
    let mut repo = kept();
    repo.ok(&["hook", "install", "--post-commit"]);
    for (verdict, size) in [("keep", 500), ("revert", 400)] {
        repo.ok(&["start", verdict, "--hypothesis", "smaller", "--on", "main"]);
        repo.write("app", "y".repeat(size));
        repo.commit("perf: smaller");
        repo.ok(&["measure", "--queued"]);
        repo.set(git_verdict::decision::FAULT_VARIABLE, "before:record");
        assert_eq!(repo.run(&[verdict, "--because", "smaller"]).code, None, "it is killed");
        repo.set(git_verdict::decision::FAULT_VARIABLE, "");
        let resumed = repo.ok(&["doctor", "--resume"]);
        if verdict == "keep" {
            resumed.says(&["queued to be measured as it landed"]);
            assert_eq!(repo.json(&["hook", "status"])["queued"], serde_json::json!(["keep"]));
        }
    }
    assert!(repo.path().join(".git/verdict/index/guard").exists(), "reverted experiments are known to the hook");
}

#[test]
fn a_protected_branch_on_a_forge_refuses_the_decision_with_its_reason_and_nothing_is_lost() {
    let repo = kept();
    let remote = origin(&repo);
    repo.git(&["push", "-q", "origin", "main~1:refs/heads/main"]);
    let refuse = "#!/bin/sh\nwhile read -r old new ref; do\n    test \"$ref\" != refs/heads/main || \
                  { echo 'GH006: changes must be made through a pull request' >&2; exit 1; }\ndone\n";
    let rule = remote.join("hooks/pre-receive");
    std::fs::create_dir_all(rule.parent().unwrap()).unwrap();
    std::fs::write(&rule, refuse).unwrap();
    std::fs::set_permissions(&rule, std::fs::Permissions::from_mode(0o755)).unwrap();
    repo.ok(&["hook", "install", "--push-ledger"]);
    let here = || {
        let refs = repo.git(&["rev-parse", "HEAD", "main", "refs/verdict/ledger"]);
        (refs, repo.git(&["ls-files", "--stage"]), repo.git(&["status", "--porcelain", "--ignored"]))
    };
    let before = here();
    let pushed = repo.try_git(&["push", "origin", "main"]);
    assert_eq!(pushed.code, Some(1), "{}", pushed.report());
    pushed.says(&["changes must be made through a pull request", "pre-receive hook declined"]);
    assert_eq!(here(), before);
    // The records are there all the same, and the decision goes the way of everything else.
    assert_eq!(ledger_of(&repo, &remote), Some(repo.git(&["rev-parse", "refs/verdict/ledger"])));
    repo.git(&["push", "-q", "origin", "main:refs/heads/decided"]);
    let there =
        repo.run_in(&remote, "git", &["log", "-1", "--format=%(trailers:key=Verdict,valueonly)", "decided"], None);
    assert_eq!(there.stdout.trim(), "keep", "{}", there.report());
    // It is not on the protected branch yet, but it was pushed: it is undone by a commit.
    let undone = repo.ok(&["undo", "--because", "not wanted"]);
    undone.prints(&["by commit"]);
}

#[test]
fn pre_push_names_what_is_undecided_and_pushes_all_the_same() {
    let repo = kept();
    let remote = repo.path().join(".git/remote.git");
    repo.git(&["init", "--quiet", "--bare", remote.to_str().unwrap()]);
    repo.git(&["remote", "add", "origin", remote.to_str().unwrap()]);
    hook(&repo, "pre-push", "#!/bin/sh\ncat > .git/seen\necho \"$0 $*\" >> .git/seen\n", 0o755);
    repo.ok(&["hook", "install"]);
    assert!(!repo.try_git(&["push", "-q", "origin", "main"]).stderr.contains("undecided"));
    let seen = repo.read(".git/seen");
    assert!(seen.starts_with("refs/heads/main ") && seen.contains("hooks/pre-push origin "), "{seen}");
    repo.ok(&["start", "more", "--hypothesis", "smaller"]);
    repo.write("app", "x");
    repo.commit("perf: more");
    repo.git(&["switch", "-q", "main"]);
    repo.git(&["merge", "-q", "--no-edit", "--no-ff", "verdict/more"]);
    let pushed = repo.try_git(&["push", "-q", "origin", "main"]);
    assert_eq!(pushed.code, Some(0), "{}", pushed.report());
    pushed.says(&["'more' goes to refs/heads/main undecided (open)", "git verdict decide more"]);
    // A hook that was there before still has its say.
    hook(&repo, "pre-push.before-git-verdict", "#!/bin/sh\nexit 7\n", 0o755);
    repo.git(&["commit", "--quiet", "--allow-empty", "-m", "feat: z"]);
    assert_eq!(repo.try_git(&["push", "-q", "origin", "main"]).code, Some(1));
}

/// A bare repository as the remote `origin`.
fn origin(repo: &Repo) -> PathBuf {
    let remote = repo.path().join(".git/remote.git");
    repo.git(&["init", "--quiet", "--bare", remote.to_str().unwrap()]);
    repo.git(&["remote", "add", "origin", remote.to_str().unwrap()]);
    remote
}

fn ledger_of(repo: &Repo, git_dir: &Path) -> Option<String> {
    let words = ["rev-parse", "--verify", "--quiet", "refs/verdict/ledger"];
    let ran = repo.run_in(git_dir, "git", &words, None);
    (ran.code == Some(0)).then(|| ran.stdout.trim().to_string())
}

#[test]
fn a_push_sends_the_ledger_along_to_the_remote_that_is_pushed_to_when_that_is_asked_for() {
    let repo = kept();
    let (first, ledger) = (origin(&repo), repo.git(&["rev-parse", "refs/verdict/ledger"]));
    let second = repo.path().join(".git/second.git");
    repo.git(&["init", "--quiet", "--bare", second.to_str().unwrap()]);
    repo.ok(&["hook", "install"]);
    repo.git(&["push", "-q", "origin", "main"]);
    assert_eq!(ledger_of(&repo, &first), None, "nobody asked for it");

    repo.ok(&["hook", "install", "--push-ledger"]).prints(&["each push sends the ledger along"]);
    repo.ok(&["hook", "status"]).prints(&["each push sends the ledger along"]);
    // How often each remote is pushed to: twice, once for the branch and once for the ledger.
    for remote in [&first, &second] {
        let hook = remote.join("hooks/post-receive");
        std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
        std::fs::write(&hook, "#!/bin/sh\ncat >> seen\n").unwrap();
        std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    repo.git(&["push", "-q", second.to_str().unwrap(), "main"]);
    assert_eq!((ledger_of(&repo, &first), ledger_of(&repo, &second)), (None, Some(ledger.clone())));
    let seen = std::fs::read_to_string(second.join("seen")).unwrap();
    let refs: Vec<&str> = seen.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(refs, ["refs/verdict/ledger", "refs/heads/main"]);

    repo.git(&["commit", "-q", "--allow-empty", "-m", "feat: more"]);
    repo.git(&["push", "-q", "origin", "main"]);
    assert_eq!(ledger_of(&repo, &first), Some(ledger));
    // What is there already is not sent again, and a ledger that is pushed by hand is left to that push.
    repo.git(&["commit", "-q", "--allow-empty", "-m", "feat: still more"]);
    repo.git(&["push", "-q", "origin", "main"]);
    repo.ok(&["start", "other", "--hypothesis", "x"]);
    repo.git(&["push", "-q", "origin", "refs/verdict/ledger"]);
    let seen = std::fs::read_to_string(first.join("seen")).unwrap();
    let refs: Vec<&str> = seen.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(refs, ["refs/verdict/ledger", "refs/heads/main", "refs/heads/main", "refs/verdict/ledger"]);

    repo.ok(&["hook", "uninstall"]);
    assert_eq!(repo.try_git(&["config", "--get-regexp", "^verdict"]).stdout, "");
}

#[test]
fn a_ledger_that_cannot_be_sent_stops_a_push_only_when_it_is_required() {
    let repo = kept();
    let remote = origin(&repo);
    repo.ok(&["hook", "install", "--push-ledger"]);
    let update = remote.join("hooks/update");
    std::fs::create_dir_all(update.parent().unwrap()).unwrap();
    let refuse = "#!/bin/sh\ncase $1 in refs/verdict/*) echo no records here >&2; exit 1 ;; esac\n";
    std::fs::write(&update, refuse).unwrap();
    std::fs::set_permissions(&update, std::fs::Permissions::from_mode(0o755)).unwrap();
    let pushed = repo.try_git(&["push", "origin", "main"]);
    assert_eq!(pushed.code, Some(0), "{}", pushed.report());
    pushed.says(&["the records of git-verdict were not sent along", "takes no records from here", "git verdict sync"]);

    repo.git(&["config", "verdict.pushLedger", "required"]);
    repo.git(&["commit", "-q", "--allow-empty", "-m", "feat: more"]);
    let pushed = repo.try_git(&["push", "origin", "main"]);
    assert_eq!(pushed.code, Some(1), "{}", pushed.report());
    pushed.says(&["no records here", "git push --no-verify"]);
    repo.git(&["push", "-q", "--no-verify", "origin", "main"]);
}

#[test]
fn a_remote_that_does_not_answer_holds_a_push_up_for_a_bounded_time() {
    let repo = kept();
    let remote = origin(&repo);
    repo.ok(&["hook", "install", "--push-ledger"]);
    repo.git(&["config", "verdict.pushLedgerTimeout", "1"]);
    // The exchange of records fetches first; the push of the branch does not.
    let marker = repo.path().join(".git/still-there");
    let stuck = format!("echo $$ > {0}.pid; sleep 600; touch {0}; git-upload-pack", marker.display());
    repo.git(&["config", "remote.origin.uploadpack", &stuck]);
    let pushed = repo.try_git(&["push", "-q", "origin", "main"]);
    assert_eq!(pushed.code, Some(0), "{}", pushed.report());
    pushed.says(&["it took longer than 1 s (verdict.pushLedgerTimeout)"]);
    assert_eq!(ledger_of(&repo, &remote), None);
    // All that was started for it has ended.
    let pid = repo.read(".git/still-there.pid");
    let gone = || !Path::new(&format!("/proc/{}", pid.trim())).exists();
    for _ in 0..100 {
        if gone() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("process {pid} still runs");
}

#[test]
fn init_offers_the_hooks_on_a_terminal_and_takes_a_flag_elsewhere() {
    let cargo = [("Cargo.toml", "[package]\nname = \"x\"\nversion = \"0.1.0\"\n")];
    let installed = |repo: &Repo| repo.path().join(".git/hooks/prepare-commit-msg").exists();
    for (words, expected) in [
        (&["init"][..], false),
        (&["init", "--no-hooks", "--yes"], false),
        (&["init", "--hooks"], true),
        (&["init", "--yes"], true),
    ] {
        let repo = Repo::with(&cargo);
        let ran = repo.ok(words);
        assert_eq!(installed(&repo), expected, "{}", ran.report());
        assert_eq!(repo.path().join(".git/hooks/pre-push").exists(), expected);
        assert_eq!(ran.stdout.contains("git verdict hook install adds"), words.len() == 1);
    }
    let repo = Repo::with(&cargo);
    husky(&repo);
    repo.ok(&["init", "--hooks"]).says(&["no hooks were installed", "husky", "hook run prepare-commit-msg"]);
    assert!(repo.path().join("verdict.toml").exists());
    if !works("script", &["--version"]) {
        return common::skip("there is no 'script'");
    }
    for (key, expected) in [("y", true), ("n", false)] {
        let repo = Repo::with(&cargo);
        let mut terminal = Terminal::open(&repo, &["init"]);
        terminal.sees("Install the git hooks prepare-commit-msg and pre-push?");
        terminal.types(key);
        let (code, text) = terminal.ends();
        assert_eq!((code, installed(&repo)), (Some(0), expected), "{text}");
    }
}

#[test]
fn what_was_there_before_runs_as_before_with_its_name_its_arguments_and_its_status() {
    let repo = kept();
    let tell = "echo \"$0|$#|$1\" >> .git/ran\n";
    hook(
        &repo,
        "prepare-commit-msg",
        format!("#!/usr/bin/env bash\nset -eu\n. \"$(dirname \"$0\")/helper\"\n{tell}"),
        0o755,
    );
    hook(&repo, "helper", "echo helped >> .git/ran\n", 0o644);
    let python = "#!/usr/bin/env python3\nimport sys, os\n\
        open('.git/ran', 'a').write(os.path.basename(sys.argv[0]) + '\\n')\nsys.exit(3)\n";
    hook(&repo, "commit-msg", python, 0o755);
    hook(&repo, "post-commit", format!("#!/bin/sh\n{tell}"), 0o644);
    repo.ok(&["hook", "install", "--commit-msg", "--post-commit"]);
    let ran = repo.try_git(&["commit", "--allow-empty", "-m", "feat: x"]);
    assert_eq!(ran.code, Some(1), "the hook that was there before still refuses\n{}", ran.report());
    assert_eq!(repo.read(".git/ran"), "helped\n.git/hooks/prepare-commit-msg|2|.git/COMMIT_EDITMSG\ncommit-msg\n");
    hook(&repo, "commit-msg.before-git-verdict", python.replace("exit(3)", "exit(0)"), 0o755);
    repo.git(&["commit", "--allow-empty", "-qm", "feat: x"]);
    // One that may not be executed did not run before, and does not now.
    assert!(!repo.read(".git/ran").contains("post-commit"));
}

#[test]
fn uninstalling_restores_every_byte_mode_and_link() {
    let repo = kept();
    let random: Vec<u8> = (0..3000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    hook(&repo, "prepare-commit-msg", &random, 0o751);
    hook(&repo, "commit-msg", "#!/bin/sh\r\necho windows\r\n", 0o600);
    hook(&repo, "pre-push", "#!/bin/bash -e\n: no line end", 0o755);
    hook(&repo, "pre-commit", "#!/bin/sh\nexit 0\n", 0o755);
    repo.script("scripts/after.sh", "exit 0\n");
    symlink("../../scripts/after.sh", repo.path().join(".git/hooks/post-commit")).unwrap();
    let before = listing(&repo);
    repo.ok(&["hook", "install", "--commit-msg", "--post-commit"]);
    assert_ne!(listing(&repo), before);
    let installed = listing(&repo);
    assert!(repo.ok(&["hook", "install", "--commit-msg", "--post-commit"]).stdout.contains("unchanged commit-msg"));
    assert_eq!(listing(&repo), installed);
    let removed = repo.json(&["hook", "uninstall"]);
    assert_eq!(removed["done"].as_array().unwrap().len(), 4);
    assert_eq!(listing(&repo), before);
    assert!(!repo.path().join(".git/hooks.before-git-verdict").exists());
    repo.ok(&["hook", "uninstall"]).prints(&["no hook of git-verdict is installed"]);
    // Links that lead nowhere, or to a folder, are kept as well.
    std::fs::remove_file(repo.path().join(".git/hooks/post-commit")).unwrap();
    symlink("nowhere", repo.path().join(".git/hooks/post-commit")).unwrap();
    let before = listing(&repo);
    repo.ok(&["hook", "install", "--post-commit"]);
    repo.ok(&["hook", "uninstall"]);
    assert_eq!(listing(&repo), before);
}

#[test]
fn where_nothing_was_before_nothing_is_left() {
    let repo = kept();
    hook(&repo, "pre-commit", "#!/bin/sh\n", 0o755);
    let before = listing(&repo);
    repo.ok(&["hook", "install", "--commit-msg", "--post-commit"]);
    assert_eq!(listing(&repo).len(), before.len() + 4);
    repo.ok(&["hook", "uninstall"]);
    assert_eq!(listing(&repo), before);
}

#[test]
fn a_hook_edited_by_hand_or_replaced_by_another_program_is_not_lost() {
    let repo = kept();
    hook(&repo, "pre-push", "#!/bin/sh\nexit 0\n", 0o755);
    repo.ok(&["hook", "install"]);
    let ours = repo.read(".git/hooks/prepare-commit-msg");
    hook(&repo, "prepare-commit-msg", format!("{ours}echo mine\n"), 0o755);
    repo.expect(3, &["hook", "uninstall"]).says(&["edited by hand", "--force"]);
    repo.expect(3, &["hook", "install"]).says(&["edited by hand"]);
    repo.ok(&["hook", "uninstall", "--force"]);
    repo.ok(&["hook", "install"]);
    hook(&repo, "pre-push", "#!/bin/sh\necho another program\n", 0o755);
    repo.ok(&["hook", "status"]).prints(&["pre-push           replaced"]);
    repo.expect(3, &["hook", "install"]).says(&["was put in place"]);
    repo.ok(&["hook", "uninstall"]).prints(&["left pre-push alone"]);
    assert_eq!(repo.read(".git/hooks/pre-push"), "#!/bin/sh\necho another program\n");
    assert_eq!(repo.read(".git/hooks/pre-push.before-git-verdict"), "#!/bin/sh\nexit 0\n");
}

#[test]
fn a_hook_that_its_owner_puts_back_as_it_was_is_taken_over_again_and_given_back() {
    let repo = kept();
    hook(&repo, "pre-push", "#!/bin/sh\nexit 0\n", 0o755);
    std::fs::create_dir_all(repo.path().join("tool")).unwrap();
    repo.write("tool/run", "#!/bin/sh\nexit 0\n");
    let link = repo.path().join(".git/hooks/prepare-commit-msg");
    std::os::unix::fs::symlink("../../tool/run", &link).unwrap();
    let before = listing(&repo);
    let owner = || {
        hook(&repo, "pre-push", "#!/bin/sh\nexit 0\n", 0o755);
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink("../../tool/run", &link).unwrap();
    };
    repo.ok(&["hook", "install"]);
    owner();
    repo.ok(&["hook", "status"]).prints(&["pre-push           replaced"]);
    repo.ok(&["hook", "install"]).prints(&["installed pre-push, hands on"]);
    repo.ok(&["hook", "uninstall"]);
    assert_eq!(listing(&repo), before);
    repo.ok(&["hook", "install"]);
    owner();
    repo.ok(&["hook", "uninstall"]).prints(&["the hook that was there before is back"]);
    assert_eq!(listing(&repo), before);
    // With another mode it is another hook.
    repo.ok(&["hook", "install"]);
    hook(&repo, "pre-push", "#!/bin/sh\nexit 0\n", 0o700);
    repo.expect(3, &["hook", "install"]).says(&["was put in place"]);
}

/// A hooks folder as husky lays it out: `_/h` finds the user's script by the name that git called.
fn husky(repo: &Repo) {
    repo.git(&["config", "core.hooksPath", ".husky/_"]);
    let runner =
        "n=$(basename \"$0\")\ns=$(dirname \"$(dirname \"$0\")\")/$n\n[ ! -f \"$s\" ] || sh -e \"$s\" \"$@\"\n";
    repo.write(".husky/_/h", runner);
    for name in ["prepare-commit-msg", "commit-msg", "pre-push", "post-commit"] {
        repo.script(&format!(".husky/_/{name}"), ". \"$(dirname \"$0\")/h\"\n");
    }
    repo.write(".husky/_/.gitignore", "*");
}

#[test]
fn with_husky_the_line_to_add_is_told_and_works() {
    let mut repo = kept();
    husky(&repo);
    let before = repo.snapshot();
    let refused = repo.refuses(3, &["hook", "install"]);
    assert_eq!(repo.snapshot(), before);
    refused.says(&[
        "husky writes that folder anew",
        ".husky/prepare-commit-msg:",
        "git-verdict hook run prepare-commit-msg",
    ]);
    let line = refused.stderr.lines().find(|line| line.contains("hook run prepare-commit-msg")).unwrap().trim();
    repo.write(".husky/prepare-commit-msg", format!("{line}\n"));
    repo.ok(&["hook", "status"]).prints(&["prepare-commit-msg called by .husky/prepare-commit-msg"]);
    // Without the program in PATH it does nothing, with it the numbers are filled in.
    repo.git(&["revert", "--no-edit", "-m", "1", "HEAD"]);
    assert!(!message(&repo, "HEAD").contains("Verdict"));
    repo.git(&["reset", "-q", "--hard", "HEAD^"]);
    repo.write(".husky/prepare-commit-msg", format!("{line}\n"));
    let folder = Path::new(env!("CARGO_BIN_EXE_git-verdict")).parent().unwrap();
    repo.set("PATH", format!("{}:{}", folder.display(), std::env::var("PATH").unwrap()));
    repo.git(&["revert", "--no-edit", "-m", "1", "HEAD"]);
    assert!(message(&repo, "HEAD").contains("Verdict-Metric: size"));
}

#[test]
fn a_hooks_folder_in_the_work_tree_or_elsewhere_needs_force() {
    let repo = kept();
    repo.git(&["config", "core.hooksPath", ".githooks"]);
    repo.script(".githooks/pre-push", "exit 0\n");
    repo.commit("build: hooks for all");
    repo.refuses(3, &["hook", "install"]).says(&["in the work tree", "hook install --force"]);
    repo.ok(&["hook", "install", "--force"]);
    assert_eq!(repo.read(".githooks/pre-push.before-git-verdict"), "#!/bin/sh\nexit 0\n");
    repo.git(&["commit", "-q", "--allow-empty", "-m", "feat: x"]);
    repo.ok(&["hook", "uninstall"]);
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    let elsewhere = tempfile::tempdir().unwrap();
    repo.git(&["config", "core.hooksPath", elsewhere.path().to_str().unwrap()]);
    repo.refuses(3, &["hook", "install"]).says(&["outside the repository"]);
    repo.git(&["config", "core.hooksPath", "/dev/null"]);
    repo.refuses(3, &["hook", "install", "--force"]).says(&["is no folder"]);
}
