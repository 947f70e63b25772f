//! Decisions on real repositories with the real git: what they do to history, what they refuse, and that a refusal or a
//! crash leaves nothing half done.

use crate::common;
pub mod sandbox;

use git_verdict::config::RevertMode;
use git_verdict::decision::{self, DecisionError, Draft};
use git_verdict::error::{Exit, Explain};
use git_verdict::experiment::State;
use git_verdict::git::GitError;
use git_verdict::ledger::Ledger;
use git_verdict::ledger::event::Verdict;
use git_verdict::policy::Advice;
use sandbox::{Ask, Sandbox, decided, failed_check, git, keep, revert, texts, texts_with_adr, w};
use std::os::unix::fs::PermissionsExt;

#[test]
fn keeping_merges_the_branch_without_fast_forward_and_records_it() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let (base, tip) = (repo.id("main"), repo.id("verdict/cache"));
    let landed = repo.decide(&keep("cache")).unwrap();
    assert_eq!(repo.git(w("symbolic-ref HEAD")), "refs/heads/main");
    assert_eq!(repo.git(w("rev-parse main^1 main^2")), format!("{base}\n{tip}"));
    assert_eq!(repo.git(w("diff main verdict/cache")), "");
    assert_eq!(decided(&landed.event).landed, Some(repo.id("main")));
    assert_eq!(repo.decisions(), [landed.event]);
    assert_eq!(repo.find("cache").state, State::Kept);
    assert!(landed.notes.is_empty(), "{:?}", landed.notes);
    assert!(repo.picture().under_way.is_empty());
    assert_eq!(repo.picture().status, "");
}

#[test]
fn a_message_lands_as_it_is_and_its_trailers_parse() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let draft = repo.prepare(&keep("cache")).unwrap();
    repo.land(&draft, &texts(&draft)).unwrap();
    assert_eq!(format!("{}\n", repo.git(w("log -1 --format=%B"))), texts(&draft).merge.unwrap());
    let trailers = repo.git(w("log -1 --format=%(trailers:only,unfold)"));
    assert_eq!(
        trailers.trim(),
        format!("Verdict: keep\nVerdict-Experiment: cache\nVerdict-Record: {}", draft.event.id)
    );
}

#[test]
fn reverting_by_merge_leaves_both_the_attempt_and_its_reversal_reachable() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let (base, tip) = (repo.id("main"), repo.id("verdict/cache"));
    let landed = repo.decide(&revert("cache")).unwrap();
    let record = decided(&landed.event).clone();
    assert_eq!(record.mode, Some(RevertMode::Merge));
    assert_eq!(record.landed, Some(repo.id("main")));
    assert_eq!(record.revert_commit, Some(repo.id("main^2")));
    assert_eq!(repo.git(w("rev-parse main^1 main^2^")), format!("{base}\n{tip}"));
    assert_eq!(repo.git(["diff", base.as_str(), "main"]), "");
    assert_eq!(record.commits.len(), 2);
    let message = repo.git(w("log -1 --format=%B main^2"));
    for commit in &record.commits {
        assert!(message.contains(&format!("This reverts commit {commit}.")));
    }
    assert_eq!(repo.find("cache").state, State::Reverted);
    assert_eq!(repo.picture().status, "");
}

#[test]
fn the_steps_that_are_shown_are_the_commands_that_give_the_same_history() {
    let one = Sandbox::new();
    one.experiment("cache");
    let draft = one.prepare(&revert("cache")).unwrap();
    let by_hand = Sandbox::copy(&one);
    for (name, text) in [("revert", texts(&draft).revert), ("merge", texts(&draft).merge)] {
        std::fs::create_dir_all(by_hand.root.join(".git/verdict")).unwrap();
        std::fs::write(by_hand.root.join(format!(".git/verdict/journal-{name}.txt")), text.unwrap()).unwrap();
    }
    let (record, commands) = draft.steps.split_last().unwrap();
    assert_eq!(*record, format!("append record {} to refs/verdict/ledger", draft.event.id));
    for line in commands {
        let done = std::process::Command::new("sh").args(["-c", line]).current_dir(&by_hand.root).output().unwrap();
        assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
    }
    one.land(&draft, &texts(&draft)).unwrap();
    let history = "log --graph --format=%T%n%B main";
    assert_eq!(by_hand.git(w(history)), one.git(w(history)));
}

#[test]
fn a_dry_run_changes_nothing_and_shows_the_decision_file_too() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let before = repo.picture();
    let draft = repo.prepare(&revert("cache")).unwrap();
    let lines = decision::preview(&repo.repo(), &draft, &texts_with_adr(&draft));
    assert_eq!(repo.picture(), before);
    assert!(lines.iter().any(|line| line.contains("add --sparse -- docs/adr/0001-decision.md")), "{lines:?}");
    assert_eq!(lines.len(), draft.steps.len() + 2);
}

#[test]
fn many_commits_are_reverted_in_one() {
    let repo = Sandbox::new();
    let base = repo.id("main");
    repo.start("many");
    for n in 0..40 {
        repo.write("app.txt", &format!("{}line {n}\n", repo.read("app.txt")));
        repo.write(&format!("many/{n}.txt"), "x\n");
        repo.commit(&format!("step {n}"));
    }
    repo.measure("many", Advice::Revert);
    repo.git(w("switch -q main"));
    let landed = repo.decide(&revert("many")).unwrap();
    assert_eq!(decided(&landed.event).commits.len(), 40);
    assert_eq!(repo.git(["diff", base.as_str(), "main"]), "");
    assert_eq!(repo.git(w("rev-list --count main")), "43");
}

#[test]
fn reverting_while_the_base_has_moved_keeps_what_is_new_there() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.write("app.txt", &repo.read("app.txt").replace("seven", "SEVEN"));
    repo.commit("fix: on main meanwhile");
    let main = repo.id("main");
    let draft = repo.prepare(&revert("cache")).unwrap();
    assert!(draft.notes.iter().any(|note| note.contains("main has moved on by 1 commit")), "{:?}", draft.notes);
    repo.land(&draft, &texts(&draft)).unwrap();
    assert_eq!(repo.git(["diff", main.as_str(), "main"]), "");
}

#[test]
fn a_merge_of_the_base_inside_the_experiment_is_left_alone() {
    let repo = Sandbox::new();
    repo.start("synced");
    repo.write("app.txt", &repo.read("app.txt").replace("two", "TWO"));
    repo.commit("perf: before");
    repo.git(w("switch -q main"));
    repo.write("other.txt", "from main\n");
    let main = repo.commit("feat: on main");
    repo.git(w("switch -q verdict/synced"));
    repo.git(w("merge -q --no-edit main"));
    repo.write("more.txt", "more\n");
    repo.commit("perf: after");
    repo.measure("synced", Advice::Revert);
    let draft = repo.prepare(&revert("synced")).unwrap();
    assert_eq!(decided(&draft.event).commits.len(), 2);
    assert!(draft.notes.iter().any(|note| note.contains("merges main into the experiment")), "{:?}", draft.notes);
    let landed = repo.land(&draft, &texts(&draft)).unwrap();
    assert!(landed.notes.is_empty(), "{:?}", landed.notes);
    assert_eq!(repo.git(["diff", main.as_str(), "main"]), "");
}

#[test]
fn a_merge_that_solved_a_conflict_is_reverted_by_restoring_what_both_sides_share() {
    let repo = Sandbox::new();
    repo.start("evil");
    repo.write("app.txt", &repo.read("app.txt").replace("two", "experiment"));
    repo.commit("perf: before");
    repo.git(w("switch -q main"));
    repo.write("app.txt", &repo.read("app.txt").replace("two", "base"));
    let main = repo.commit("feat: the same line");
    repo.git(w("switch -q verdict/evil"));
    let merge = std::process::Command::new("git").args(w("merge -q main")).current_dir(&repo.root).output().unwrap();
    assert!(!merge.status.success());
    repo.write("app.txt", "one\nboth\nthree\nfour\nfive\nsix\nseven\neight\n");
    repo.commit("merge main");
    repo.measure("evil", Advice::Revert);
    let draft = repo.prepare(&revert("evil")).unwrap();
    assert!(draft.notes.iter().any(|note| note.contains("restores the files of")), "{:?}", draft.notes);
    repo.land(&draft, &texts(&draft)).unwrap();
    assert_eq!(repo.git(["diff", main.as_str(), "main"]), "");
    assert_eq!(repo.git(w("rev-parse main^1")), main.as_str());
}

#[test]
fn a_side_branch_merged_into_the_experiment_is_reverted_with_its_mainline() {
    let repo = Sandbox::new();
    let base = repo.id("main");
    repo.start("sided");
    repo.write("a.txt", "a\n");
    repo.commit("perf: a");
    repo.git(w("switch -q -c side"));
    repo.write("b.txt", "b\n");
    repo.commit("perf: b on a side branch");
    repo.git(w("switch -q verdict/sided"));
    repo.write("c.txt", "c\n");
    repo.commit("perf: c");
    repo.git(w("merge -q --no-edit side"));
    repo.measure("sided", Advice::Revert);
    let draft = repo.prepare(&revert("sided")).unwrap();
    assert!(draft.steps.iter().any(|step| step.contains("revert --no-commit -m 1 ")), "{:?}", draft.steps);
    assert!(draft.notes.iter().any(|note| note.contains("git revert -m 1")), "{:?}", draft.notes);
    assert_eq!(decided(&draft.event).commits.len(), 4);
    repo.land(&draft, &texts(&draft)).unwrap();
    assert_eq!(repo.git(["diff", base.as_str(), "main"]), "");
}

#[test]
fn commits_on_the_base_are_reverted_in_place_after_it_has_moved_on() {
    let repo = Sandbox::new();
    let base = repo.id("main");
    repo.write("app.txt", &repo.read("app.txt").replace("two", "TWO"));
    repo.commit("perf: one");
    repo.write("extra.txt", "x\n");
    let last = repo.commit("perf: two");
    repo.git(["branch", "verdict/adopted", last.as_str()]);
    repo.open("adopted", &base, "main", None, Some(last.clone()));
    repo.measure("adopted", Advice::Revert);
    repo.write("app.txt", &repo.read("app.txt").replace("eight", "EIGHT"));
    let main = repo.commit("fix: later");
    let landed = repo.decide(&revert("adopted").mode(RevertMode::InPlace)).unwrap();
    let record = decided(&landed.event).clone();
    assert_eq!((record.revert_commit.clone(), record.landed), (Some(repo.id("main")), Some(repo.id("main"))));
    assert_eq!(repo.git(w("rev-parse main^")), main.as_str());
    assert_eq!(repo.git(["diff", base.as_str(), "main", "--", "extra.txt"]), "");
    assert_eq!(repo.read("app.txt"), "one\ntwo\nthree\nfour\nfive\nsix\nseven\nEIGHT\n");
}

#[test]
fn a_kept_experiment_can_be_reverted_in_place_later() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let base = repo.id("main");
    repo.decide(&keep("cache")).unwrap();
    repo.write("unrelated.txt", "x\n");
    repo.commit("feat: later");
    repo.git(w("branch -q -D verdict/cache"));
    let draft = repo.prepare(&revert("cache")).unwrap();
    assert!(draft.notes.iter().any(|note| note.contains("on main already")), "{:?}", draft.notes);
    assert_eq!(decided(&draft.event).commits.len(), 2);
    repo.land(&draft, &texts(&draft)).unwrap();
    assert_eq!(repo.git(["diff", base.as_str(), "main", "--", "app.txt", "new"]), "");
    assert_eq!(repo.find("cache").state, State::Reverted);
}

#[test]
fn a_merged_branch_that_had_taken_in_the_base_reverts_only_its_own_commits() {
    let repo = Sandbox::new();
    repo.start("synced");
    repo.write("mine.txt", "mine\n");
    repo.commit("perf: mine");
    repo.git(w("switch -q main"));
    repo.write("theirs.txt", "theirs\n");
    repo.commit("feat: theirs");
    repo.git(w("switch -q verdict/synced"));
    repo.git(w("merge -q --no-edit main"));
    repo.write("mine2.txt", "mine\n");
    repo.commit("perf: mine too");
    repo.git(w("switch -q main"));
    repo.git(w("merge -q --no-ff --no-edit verdict/synced"));
    repo.measure("synced", Advice::Revert);
    let landed = repo.decide(&revert("synced")).unwrap();
    assert_eq!(decided(&landed.event).commits.len(), 2);
    assert_eq!(repo.git(w("ls-files")), "app.txt\nlib/keep.txt\ntheirs.txt");
}

#[test]
fn a_rebased_branch_that_was_merged_reverts_only_its_own_commits() {
    for (by, ff) in [("keep", false), ("hand", false), ("hand", true)] {
        let repo = Sandbox::new();
        repo.experiment("cache");
        repo.write("other.txt", "somebody else's\n");
        repo.commit("feat: other");
        repo.git(w("rebase -q main verdict/cache"));
        let base = repo.repo().commit(&repo.id("main")).unwrap();
        repo.measured("cache", Advice::Keep, |measured| {
            (measured.base.commit, measured.base.tree) = (base.id.clone(), base.tree.clone());
        });
        repo.git(w("switch -q main"));
        match (by, ff) {
            ("keep", _) => drop(repo.decide(&keep("cache")).unwrap()),
            (_, true) => drop(repo.git(w("merge -q --ff-only verdict/cache"))),
            _ => drop(repo.git(w("merge -q --no-ff --no-edit verdict/cache"))),
        }
        let landed = repo.decide(&revert("cache")).unwrap();
        assert_eq!(decided(&landed.event).commits.len(), 2, "{by} {ff}");
        assert_eq!(repo.git(["diff", base.id.as_str(), "main"]), "", "{by} {ff}");
        assert!(repo.root.join("other.txt").exists());
    }
}

#[test]
fn what_was_partly_reverted_by_hand_is_reverted_for_the_rest() {
    let repo = Sandbox::new();
    let base = repo.id("main");
    repo.write("a.txt", "a\n");
    let first = repo.commit("perf: a");
    repo.write("b.txt", "b\n");
    let last = repo.commit("perf: b");
    repo.git(["branch", "verdict/part", last.as_str()]);
    repo.open("part", &base, "main", None, Some(last.clone()));
    repo.measure("part", Advice::Revert);
    repo.git(["revert", "--no-edit", first.as_str()]);
    let draft = repo.prepare(&revert("part")).unwrap();
    assert_eq!(decided(&draft.event).commits, [last]);
    assert!(draft.notes.iter().any(|note| note.contains("was reverted already by")), "{:?}", draft.notes);
    repo.land(&draft, &texts(&draft)).unwrap();
    assert_eq!(repo.git(["diff", base.as_str(), "main"]), "");
}

#[test]
fn what_was_wholly_reverted_by_hand_gets_a_commit_with_its_numbers() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let base = repo.id("main");
    repo.git(w("merge -q --no-ff --no-edit verdict/cache"));
    repo.git(w("revert --no-edit -m 1 HEAD"));
    let by_hand = repo.id("main");
    let draft = repo.prepare(&revert("cache")).unwrap();
    assert!(draft.notes.iter().any(|note| note.contains("only carries the numbers")), "{:?}", draft.notes);
    repo.land(&draft, &texts(&draft)).unwrap();
    assert_eq!(repo.git(w("rev-parse main^")), by_hand.as_str());
    assert_eq!(repo.git(["diff", base.as_str(), "main"]), "");
}

#[test]
fn archiving_leaves_the_code_history_alone_and_keeps_the_commits() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let (base, tip) = (repo.id("main"), repo.id("verdict/cache"));
    let draft = repo.prepare(&revert("cache").mode(RevertMode::Archive)).unwrap();
    let landed = repo.land(&draft, &texts_with_adr(&draft)).unwrap();
    assert_eq!(repo.id("refs/verdict/archive/cache"), tip);
    assert_eq!(repo.git(w("branch --list verdict/*")), "");
    assert_eq!(repo.git(w("rev-parse main^")), base.as_str());
    assert_eq!(repo.git(w("diff --name-only main^ main")), "docs/adr/0001-decision.md");
    assert_eq!(decided(&landed.event).landed, Some(repo.id("main")));
    assert_eq!(repo.find("cache").state, State::Archived);
}

#[test]
fn archiving_from_the_experiments_own_branch_ends_on_the_base() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.git(w("switch -q verdict/cache"));
    let main = repo.id("main");
    let landed = repo.decide(&revert("cache").mode(RevertMode::Archive)).unwrap();
    assert_eq!(decided(&landed.event).landed, None);
    assert_eq!(repo.git(w("symbolic-ref HEAD")), "refs/heads/main");
    assert_eq!(repo.id("main"), main);
}

#[test]
fn a_decision_file_is_a_commit_of_its_own_after_the_merge() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let draft = repo.prepare(&keep("cache")).unwrap();
    let landed = repo.land(&draft, &texts_with_adr(&draft)).unwrap();
    assert_eq!(decided(&landed.event).landed, Some(repo.id("main^")));
    assert_eq!(repo.git(w("diff --name-only main^ main")), "docs/adr/0001-decision.md");
    assert_eq!(repo.picture().status, "");
}

#[test]
fn a_decision_file_outside_the_work_tree_is_refused() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let draft = repo.prepare(&keep("cache")).unwrap();
    let before = repo.picture();
    for path in
        ["../adr.md", "/tmp/adr.md", ".git/adr.md", "docs/.GIT/hooks/x", "", "lib/keep.txt", "new/deep/file.txt"]
    {
        let mut texts = texts_with_adr(&draft);
        texts.adr.as_mut().unwrap().0 = path.into();
        let error = repo.land(&draft, &texts).unwrap_err();
        assert_eq!(error.exit(), Exit::State, "{path}");
        assert_eq!(repo.picture(), before, "{path}");
    }
}

#[test]
fn an_ignored_decision_file_is_refused_before_anything_is_touched() {
    let repo = Sandbox::new();
    repo.write(".gitignore", "docs/\n");
    repo.commit("chore: ignore docs");
    repo.experiment("cache");
    let draft = repo.prepare(&keep("cache")).unwrap();
    let before = repo.picture();
    let error = repo.land(&draft, &texts_with_adr(&draft)).unwrap_err();
    assert!(error.to_string().contains("would be ignored"), "{error}");
    assert_eq!(repo.picture(), before);
}

#[test]
fn a_decision_in_a_linked_worktree_lands_there() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.git(w("switch -q --detach"));
    let linked = repo.folder.path().join("linked");
    repo.git(["worktree", "add", "--quiet", linked.to_str().unwrap(), "main"]);
    let there = Sandbox { folder: tempfile::tempdir().unwrap(), root: linked };
    there.decide(&revert("cache")).unwrap();
    assert_eq!(there.git(w("symbolic-ref HEAD")), "refs/heads/main");
    assert_eq!(there.picture().status, "");
    assert_eq!(repo.find("cache").state, State::Reverted);
}

#[test]
fn hooks_run_and_are_announced() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    for name in ["pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "pre-merge-commit", "post-merge"] {
        repo.hook(name, &format!("echo {name} $GIT_VERDICT_LANDING >> \"$(git rev-parse --git-common-dir)/ran\""));
    }
    let draft = repo.prepare(&revert("cache")).unwrap();
    let note = draft.notes.iter().find(|note| note.contains("hooks")).unwrap();
    assert!(
        note.contains("pre-commit, prepare-commit-msg, commit-msg, pre-merge-commit, post-commit, post-merge"),
        "{note}"
    );
    repo.land(&draft, &texts(&draft)).unwrap();
    let ran = repo.read(".git/ran");
    for name in ["pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "pre-merge-commit", "post-merge"] {
        assert!(ran.contains(&format!("{name} {}\n", draft.event.id)), "{name}: {ran}");
    }
}

#[test]
fn a_hook_that_rejects_leaves_everything_as_it_was_and_is_heard() {
    for hook in ["pre-commit", "prepare-commit-msg", "commit-msg", "pre-merge-commit"] {
        for origin in ["main", "verdict/cache"] {
            let repo = Sandbox::new();
            repo.experiment("cache");
            repo.git(["switch", "--quiet", origin]);
            repo.hook(hook, "echo this hook says no >&2; exit 1");
            let error = repo.refuses(&revert("cache"));
            let DecisionError::TakenBack { .. } = &error else { panic!("{hook}: {error:?}") };
            assert_eq!(error.exit(), Exit::State);
            assert!(error.why().unwrap().contains("this hook says no"), "{hook}: {:?}", error.why());
        }
    }
}

#[test]
fn a_hook_that_rejects_only_the_second_commit_takes_the_first_back_too() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.hook("commit-msg", "grep -q '^perf:' \"$1\" && exit 1; exit 0");
    let error = repo.refuses(&revert("cache"));
    assert!(error.to_string().contains("git merge"), "{error}");
}

#[test]
fn a_hook_that_changes_files_and_rejects_is_undone_and_its_files_are_saved() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.hook("pre-commit", "echo formatted >> lib/keep.txt; echo formatted >> app.txt; exit 1");
    let error = repo.refuses(&revert("cache"));
    let folder = repo.root.join(".git/verdict/saved");
    let saved: Vec<_> =
        walkdir::WalkDir::new(&folder).into_iter().flatten().filter(|e| e.file_type().is_file()).collect();
    assert_eq!(saved.len(), 2, "{error}");
    assert!(error.to_string().contains("verdict/saved"), "{error}");
}

#[test]
fn a_formatter_in_a_hook_is_accepted_and_noted() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.hook("pre-commit", "echo formatted > stamp.txt; git add stamp.txt");
    let landed = repo.decide(&revert("cache")).unwrap();
    assert!(landed.notes.iter().any(|note| note.contains("a hook or a filter changed them")), "{:?}", landed.notes);
    assert_eq!(repo.read("stamp.txt"), "formatted\n");
}

#[test]
fn a_hook_that_rewrites_the_message_is_respected_and_noted() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.hook("commit-msg", "echo 'only this' > \"$1\"");
    let landed = repo.decide(&keep("cache")).unwrap();
    assert_eq!(repo.git(w("log -1 --format=%B")), "only this");
    assert!(landed.notes.iter().any(|note| note.contains("lost its Verdict-Record trailer")), "{:?}", landed.notes);
}

#[test]
fn hooks_after_the_fact_that_fail_change_nothing() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    for name in ["post-commit", "post-merge", "post-checkout"] {
        repo.hook(name, "exit 1");
    }
    repo.decide(&revert("cache")).unwrap();
    assert_eq!(repo.find("cache").state, State::Reverted);
}

#[test]
fn a_git_configuration_full_of_traps_changes_nothing() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.write("template.txt", "# a template\n");
    repo.commit("chore: template");
    for (key, value) in [
        ("commit.template", "template.txt"),
        ("commit.cleanup", "scissors"),
        ("commit.verbose", "true"),
        ("i18n.commitEncoding", "ISO-8859-1"),
        ("merge.ff", "only"),
        ("merge.log", "true"),
        ("merge.verifySignatures", "true"),
        ("merge.autoStash", "true"),
        ("branch.main.mergeOptions", "--squash -s ours --no-commit"),
        ("pull.twohead", "ours"),
        ("rerere.enabled", "true"),
        ("rerere.autoUpdate", "true"),
        ("core.autocrlf", "input"),
        ("core.commentChar", "T"),
        ("core.editor", "false"),
        ("sequence.editor", "false"),
        ("advice.diverging", "false"),
        ("color.ui", "always"),
        ("core.quotePath", "true"),
        ("status.showUntrackedFiles", "no"),
        ("trailer.separators", "="),
    ] {
        repo.git(["config", key, value]);
    }
    let main = repo.id("main");
    let draft = repo.prepare(&revert("cache")).unwrap();
    let mut messages = texts(&draft);
    messages.revert = messages.revert.map(|text| text.replace("optimization", "optimisation – größer, 构建"));
    let landed = repo.land(&draft, &messages).unwrap();
    assert!(landed.notes.is_empty(), "{:?}", landed.notes);
    assert_eq!(repo.git(["diff", main.as_str(), "main"]), "");
    let message = repo.git(w("-c i18n.logOutputEncoding=UTF-8 log -1 --format=%B main^2"));
    assert_eq!(format!("{message}\n"), messages.revert.unwrap());
    assert_eq!(repo.git(w("rev-list --count --merges main")), "1");
}

#[test]
fn line_ends_that_are_converted_are_not_taken_for_changes() {
    let repo = Sandbox::new();
    repo.git(w("config core.autocrlf true"));
    repo.git(w("rm -rq --cached ."));
    repo.git(w("reset -q --hard"));
    assert!(repo.read("app.txt").contains("\r\n"));
    repo.experiment("cache");
    let before = repo.picture();
    repo.decide(&revert("cache")).unwrap();
    assert_eq!(repo.picture().files, before.files);
    assert_eq!(repo.picture().status, "");
}

#[test]
fn signing_that_fails_is_announced_and_taken_back() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.git(w("config commit.gpgsign true"));
    repo.git(w("config gpg.program false"));
    let draft = repo.prepare(&revert("cache")).unwrap();
    assert!(draft.notes.iter().any(|note| note.contains("will be signed (openpgp)")), "{:?}", draft.notes);
    let error = repo.refuses(&revert("cache"));
    assert!(matches!(error, DecisionError::TakenBack { .. }), "{error:?}");
}

#[test]
fn commits_are_signed_with_an_ssh_key_when_git_is_told_to() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let key = repo.folder.path().join("key");
    let made =
        std::process::Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
    if !made.is_ok_and(|status| status.success()) {
        return common::skip("there is no ssh-keygen");
    }
    let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    let signers = repo.folder.path().join("signers");
    std::fs::write(&signers, format!("ada@example.org {public}")).unwrap();
    for (key, value) in [
        ("commit.gpgsign", "true"),
        ("gpg.format", "ssh"),
        ("user.signingKey", key.to_str().unwrap()),
        ("gpg.ssh.allowedSignersFile", signers.to_str().unwrap()),
    ] {
        repo.git(["config", key, value]);
    }
    let draft = repo.prepare(&revert("cache")).unwrap();
    assert!(draft.notes.iter().any(|note| note.contains("will be signed (ssh)")), "{:?}", draft.notes);
    repo.land(&draft, &texts_with_adr(&draft)).unwrap();
    for commit in ["main", "main~1", "main~1^2"] {
        repo.git(["verify-commit", commit]);
    }
}

/// An OpenPGP key in a keyring of its own, reached through a script that git takes for gpg.
struct Keyring {
    folder: tempfile::TempDir,
}

impl Keyring {
    fn new() -> Keyring {
        let ring = Keyring { folder: tempfile::tempdir().unwrap() };
        let (home, script) = (ring.home(), ring.program());
        std::fs::create_dir(&home).unwrap();
        std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o700)).unwrap();
        std::fs::write(&script, format!("#!/bin/sh\nexec gpg --homedir {} \"$@\"\n", home.display())).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        let words =
            ["--batch", "--quiet", "--passphrase", "", "--quick-gen-key", "Ada <ada@example.org>", "ed25519", "sign"];
        let made = std::process::Command::new(&script).args(words).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        ring
    }
    fn home(&self) -> std::path::PathBuf {
        self.folder.path().join("home")
    }
    fn program(&self) -> std::path::PathBuf {
        self.folder.path().join("gpg")
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        let mut command = std::process::Command::new("gpgconf");
        let _ = command.arg("--homedir").arg(self.home()).args(["--kill", "all"]).status();
    }
}

#[test]
fn commits_are_signed_with_an_openpgp_key_when_git_is_told_to() {
    if !common::works("gpg", &["--version"]) {
        return common::skip("there is no gpg");
    }
    let ring = Keyring::new();
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.git(w("config commit.gpgsign true"));
    repo.git(["config", "gpg.program", ring.program().to_str().unwrap()]);
    let draft = repo.prepare(&revert("cache")).unwrap();
    repo.land(&draft, &texts_with_adr(&draft)).unwrap();
    for commit in ["main", "main~1", "main~1^2"] {
        assert!(repo.git(["cat-file", "commit", commit]).contains("BEGIN PGP SIGNATURE"), "{commit}");
        repo.git(["verify-commit", commit]);
    }
    // Undoing what was pushed makes a commit, too.
    repo.git(["update-ref", "refs/remotes/origin/main", "main"]);
    let opened = repo.repo();
    let ledger = git_verdict::ledger::Ledger::open(&opened);
    let undo = decision::prepare_undo(&opened, &ledger, &ledger.book().unwrap(), None, "too early").unwrap();
    decision::reopen(&opened, &ledger, undo).unwrap();
    repo.git(w("verify-commit verdict/cache"));
}

#[test]
fn a_conflicting_keep_is_found_before_anything_is_touched() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.write("app.txt", &repo.read("app.txt").replace("two", "zwei"));
    repo.commit("feat: the same line");
    let error = repo.refuses(&keep("cache"));
    let DecisionError::Conflict { files, .. } = &error else { panic!("{error:?}") };
    assert_eq!(files, &[std::path::PathBuf::from("app.txt")]);
    assert_eq!(error.to_string(), "merging verdict/cache into main would conflict in app.txt");
}

#[test]
fn a_conflicting_revert_in_place_is_found_before_anything_is_touched() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.git(w("merge -q --no-ff --no-edit verdict/cache"));
    repo.write("app.txt", &repo.read("app.txt").replace("TWO!", "zwei"));
    repo.commit("feat: the same line");
    let error = repo.refuses(&revert("cache"));
    let DecisionError::Conflict { files, .. } = &error else { panic!("{error:?}") };
    assert_eq!(files, &[std::path::PathBuf::from("app.txt")]);
    assert!(error.next().unwrap().contains("git revert"), "{:?}", error.next());
}

#[test]
fn a_base_that_conflicts_does_not_keep_a_revert_from_merging() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.write("app.txt", &repo.read("app.txt").replace("two", "zwei"));
    let main = repo.commit("feat: the same line");
    repo.decide(&revert("cache")).unwrap();
    assert_eq!(repo.git(["diff", main.as_str(), "main"]), "");
}

#[test]
fn uncommitted_work_is_refused_and_named() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.write("app.txt", "changed\n");
    let error = repo.refuses(&keep("cache"));
    assert!(error.to_string().contains("uncommitted work in app.txt"), "{error}");
    assert!(error.next().unwrap().contains("git commit"));
    repo.git(w("add app.txt"));
    repo.refuses(&revert("cache"));
    repo.git(w("reset -q --hard"));
    repo.git(w("rm -q --cached lib/keep.txt"));
    repo.refuses(&revert("cache"));
}

#[test]
fn a_decision_that_lands_at_once_refuses_uncommitted_work_before_it_touches_anything() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    for ask in [keep("cache"), revert("cache")] {
        let at_once = Ask { at_once: true, ..ask };
        // The work is there before the look, comes after it, and comes when the look is too old to count.
        for (edited_first, waits) in [(true, 0), (false, 0), (false, 1100)] {
            let opened = repo.repo();
            if edited_first {
                repo.write("app.txt", "changed\n");
            }
            let draft = repo.prepare_in(&opened, &at_once).unwrap();
            assert!(draft.unseen);
            std::thread::sleep(std::time::Duration::from_millis(waits));
            if !edited_first && waits == 0 {
                assert!(opened.ahead(&draft.plan.as_ref().unwrap().origin.commit).is_some(), "a look is under way");
            }
            repo.write("app.txt", "changed\n");
            let before = repo.picture();
            let error = decision::land(&opened, &Ledger::open(&opened), draft.clone(), texts(&draft)).unwrap_err();
            assert!(error.to_string().contains("uncommitted work in app.txt"), "{error}");
            assert_eq!(repo.picture(), before);
            repo.git(w("reset -q --hard"));
        }
        // Another handle on the repository knows of no look, and takes one.
        repo.write("app.txt", "changed\n");
        let draft = repo.prepare(&at_once).unwrap();
        let error = repo.land(&draft, &texts(&draft)).unwrap_err();
        assert!(error.to_string().contains("uncommitted work in app.txt"), "{error}");
        repo.git(w("reset -q --hard"));
    }
    let opened = repo.repo();
    let draft = repo.prepare_in(&opened, &Ask { at_once: true, ..keep("cache") }).unwrap();
    decision::land(&opened, &Ledger::open(&opened), draft.clone(), texts(&draft)).unwrap();
}

#[test]
fn a_revert_that_merges_nothing_puts_the_files_back_and_any_other_is_gits() {
    // What happens on main after the experiment was merged, and whether the revert comes to putting files back.
    type Since = fn(&Sandbox);
    let cases: [(&str, Since, bool); 4] = [
        ("nothing", |_| (), true),
        (
            "another file",
            |repo| {
                repo.write("later.txt", "x\n");
                repo.commit("feat: later");
            },
            true,
        ),
        (
            "another line of the same file",
            |repo| {
                repo.write("app.txt", &format!("{}more\n", repo.read("app.txt")));
                repo.commit("feat: more");
            },
            false,
        ),
        // git sees another time on them than in its index, and has to look inside.
        (
            "files that were touched",
            |repo| {
                for file in ["app.txt", "new/deep/file.txt"] {
                    let path = std::fs::File::options().append(true).open(repo.root.join(file)).unwrap();
                    path.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(3600)).unwrap();
                }
            },
            true,
        ),
    ];
    for (what, since, exact) in cases {
        let repo = Sandbox::new();
        let base = repo.id("main");
        repo.experiment("cache");
        let own = repo.git(["diff", "--name-only", base.as_str(), "verdict/cache"]);
        repo.git(w("merge -q --no-ff --no-edit verdict/cache"));
        since(&repo);
        let draft = repo.prepare(&revert("cache")).unwrap();
        let step = draft.steps.iter().find(|step| step.contains("revert --no-commit ")).unwrap();
        assert_eq!(step.starts_with("git read-tree "), exact, "{what}: {step}");
        assert!(exact || step.starts_with("git revert "), "{what}: {step}");
        let objects = repo.git(w("count-objects"));
        repo.prepare(&revert("cache")).unwrap();
        assert_eq!(repo.git(w("count-objects")), objects, "{what}: a draft writes nothing");
        let Ok(_) = repo.land(&draft, &texts(&draft)) else { panic!("{what}") };
        for file in own.lines() {
            let left = repo.git(["diff", base.as_str(), "main", "--", file]);
            assert!(if exact { left.is_empty() } else { !left.contains("TWO") }, "{what}: {left}");
        }
        assert_eq!(repo.picture().status, "", "{what}");
        repo.git(w("fsck --no-dangling"));
    }
}

#[test]
fn a_decision_that_only_adds_its_file_leaves_edits_alone_and_refuses_what_is_staged() {
    let archive = |ask: Ask<'static>| ask.mode(RevertMode::Archive);
    for asked in [archive(revert("cache")), Ask { at_once: true, ..archive(revert("cache")) }] {
        let repo = Sandbox::new();
        repo.experiment("cache");
        repo.write("app.txt", "edited\n");
        repo.git(w("add app.txt"));
        let draft = repo.prepare(&Ask { at_once: true, ..asked }).unwrap();
        let error = repo.land(&draft, &texts_with_adr(&draft)).unwrap_err();
        assert!(error.to_string().contains("staged work in app.txt"), "{error}");
        let error = repo.prepare(&Ask { preview: true, at_once: false, ..asked }).unwrap_err();
        assert!(error.to_string().contains("staged work in app.txt"), "{error}");
        repo.git(w("restore --staged app.txt"));
        let draft = repo.prepare(&asked).unwrap();
        repo.land(&draft, &texts_with_adr(&draft)).unwrap();
        assert_eq!(repo.read("app.txt"), "edited\n");
        assert_eq!(repo.git(w("diff --name-only HEAD")), "app.txt");
        assert_eq!(
            repo.git(w("show --name-only --format= HEAD")),
            texts_with_adr(&draft).adr.unwrap().0.to_string_lossy()
        );
    }
}

#[test]
fn where_a_hook_could_take_edits_along_they_are_refused() {
    for (hook, refused) in
        [("pre-commit", true), ("prepare-commit-msg", true), ("commit-msg", true), ("post-commit", false)]
    {
        let repo = Sandbox::new();
        repo.experiment("cache");
        repo.hook(hook, "git add --update");
        repo.write("app.txt", "edited\n");
        let asked = revert("cache").mode(RevertMode::Archive);
        if refused {
            let error = repo.refuses(&asked);
            assert!(error.to_string().contains("uncommitted work in app.txt"), "{hook}: {error}");
        } else {
            let draft = repo.prepare(&asked).unwrap();
            repo.land(&draft, &texts_with_adr(&draft)).unwrap();
            assert_eq!(repo.git(w("diff --name-only HEAD")), "app.txt", "{hook}");
        }
    }
}

#[test]
fn an_archive_that_fails_beside_an_edit_leaves_the_edit() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.write("app.txt", "edited\n");
    for lock in ["refs/heads/main.lock", "refs/heads/verdict/cache.lock"] {
        let draft = repo.prepare(&revert("cache").mode(RevertMode::Archive)).unwrap();
        let before = repo.picture();
        let lock = repo.root.join(".git").join(lock);
        std::fs::write(&lock, "").unwrap();
        let result = repo.land(&draft, &texts_with_adr(&draft));
        std::fs::remove_file(&lock).unwrap();
        let error = result.unwrap_err();
        // The ref that is locked is not moved back either: then it is left to `doctor`.
        if matches!(error, DecisionError::Stopped { .. }) {
            decision::undo(&repo.repo(), &Ledger::open(&repo.repo())).unwrap();
        }
        assert_eq!(repo.picture(), before, "{error}");
        assert_eq!(repo.read("app.txt"), "edited\n");
    }
}

#[test]
fn untracked_files_are_left_alone_unless_they_are_in_the_way() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.write("notes.txt", "mine\n");
    let named = |draft: &Draft| draft.notes.iter().any(|note| note.contains("left alone: notes.txt"));
    assert!(!named(&repo.prepare(&keep("cache")).unwrap()), "only what is shown first names them");
    let draft = repo.prepare(&Ask { preview: true, ..keep("cache") }).unwrap();
    assert!(named(&draft), "{:?}", draft.notes);
    repo.write("new/deep/file.txt", "in the way\n");
    let error = repo.refuses(&keep("cache"));
    assert!(error.to_string().contains("in the way: new/deep/file.txt"), "{error}");
    std::fs::remove_dir_all(repo.root.join("new")).unwrap();
    repo.write("new", "a file where a folder goes\n");
    let error = repo.refuses(&revert("cache"));
    assert!(error.to_string().contains("in the way: new"), "{error}");
}

#[test]
fn an_ignored_file_in_the_way_is_not_overwritten() {
    let repo = Sandbox::new();
    repo.write(".gitignore", "new/\n");
    repo.commit("chore: ignore new");
    repo.start("forced");
    repo.write("new/file.txt", "x\n");
    repo.git(w("add -f new/file.txt"));
    repo.commit("perf: add an ignored file");
    repo.measure("forced", Advice::Keep);
    repo.git(w("switch -q main"));
    repo.write("new/file.txt", "precious\n");
    let error = repo.refuses(&keep("forced"));
    assert!(error.to_string().contains("in the way: new/file.txt"), "{error}");
    assert_eq!(repo.read("new/file.txt"), "precious\n");
}

#[test]
fn an_untracked_file_inside_a_folder_that_becomes_a_file_is_in_the_way() {
    let repo = Sandbox::new();
    repo.start("flat");
    repo.git(w("rm -rq lib"));
    repo.write("lib", "now a file\n");
    repo.commit("perf: flatten");
    repo.measure("flat", Advice::Keep);
    repo.git(w("switch -q main"));
    repo.write("lib/mine.txt", "mine\n");
    let error = repo.refuses(&keep("flat"));
    assert!(error.to_string().contains("in the way: lib/mine.txt"), "{error}");
}

#[test]
fn an_operation_in_progress_is_refused_by_name() {
    let run = |repo: &Sandbox, line: &str| {
        std::process::Command::new("git").args(w(line)).current_dir(&repo.root).output().unwrap();
    };
    for (name, line) in [
        ("merge", "merge other"),
        ("cherry-pick", "cherry-pick other"),
        ("rebase", "rebase other"),
        ("revert", "revert --no-edit HEAD~1"),
        ("bisect", "bisect start"),
    ] {
        let repo = Sandbox::new();
        repo.experiment("cache");
        repo.git(w("switch -q -c other"));
        repo.write("app.txt", &repo.read("app.txt").replace("two", "andere"));
        repo.commit("feat: other");
        repo.git(w("switch -q main"));
        repo.write("app.txt", &repo.read("app.txt").replace("two", "zwei"));
        repo.commit("feat: zwei");
        repo.write("app.txt", &repo.read("app.txt").replace("zwei", "drei"));
        repo.commit("feat: drei");
        run(&repo, line);
        let error = repo.refuses(&keep("cache"));
        assert_eq!(error.to_string(), format!("a {name} is in progress"));
        assert_eq!(error.exit(), Exit::State);
        assert!(error.next().unwrap().starts_with(&format!("git {name}")), "{:?}", error.next());
    }
}

#[test]
fn a_detached_head_an_unborn_branch_and_a_bare_repository_are_refused() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.git(w("switch -q --detach"));
    let error = repo.refuses(&keep("cache"));
    assert!(matches!(error, DecisionError::Git(GitError::Detached(_))), "{error:?}");
    repo.git(w("switch -q --orphan empty"));
    let error = repo.refuses(&keep("cache"));
    assert!(matches!(error, DecisionError::Git(GitError::Unborn(_))), "{error:?}");
    repo.git(w("switch -q main"));
    repo.git(w("config core.bare true"));
    let error = repo.prepare(&keep("cache")).unwrap_err();
    assert!(matches!(error, DecisionError::Git(GitError::Bare(_))), "{error:?}");
}

#[test]
fn a_held_index_lock_is_refused_with_its_path() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.write(".git/index.lock", "");
    let error = repo.decide(&keep("cache")).unwrap_err();
    assert!(error.why().unwrap().contains(".git/index.lock"), "{error:?}");
    assert!(error.next().unwrap().contains("rm "), "{error:?}");
}

#[test]
fn a_missing_identity_is_refused() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.git(w("config --unset user.name"));
    repo.git(["config", "user.email", ""]);
    repo.git(["config", "user.name", ""]);
    let error = repo.prepare(&keep("cache")).unwrap_err();
    assert!(matches!(error, DecisionError::Git(GitError::NoIdentity)), "{error:?}");
}

#[test]
fn a_missing_base_branch_and_a_missing_experiment_branch_are_refused() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.git(w("branch -q -m main trunk"));
    let error = repo.refuses(&keep("cache"));
    assert!(error.to_string().contains("branch 'main' does not exist"), "{error}");
    repo.git(w("branch -q -m trunk main"));
    let tip = repo.id("verdict/cache");
    repo.git(w("branch -q -D verdict/cache"));
    let error = repo.refuses(&revert("cache"));
    assert!(error.to_string().contains("branch 'verdict/cache' is gone"), "{error}");
    assert_eq!(error.next().unwrap(), format!("git branch verdict/cache {tip}"));
}

#[test]
fn an_experiment_without_commits_is_refused() {
    let repo = Sandbox::new();
    repo.start("empty");
    let error = repo.refuses(&keep("empty").force());
    assert_eq!(error.to_string(), "experiment 'empty' has no commits");
}

#[test]
fn a_branch_that_another_work_tree_has_checked_out_is_refused_with_its_path() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let linked = repo.folder.path().join("linked");
    repo.git(["worktree", "add", "--quiet", linked.to_str().unwrap(), "verdict/cache"]);
    for mode in [RevertMode::Merge, RevertMode::Archive] {
        let error = repo.refuses(&revert("cache").mode(mode));
        assert!(error.to_string().contains("linked"), "{error}");
    }
    repo.decide(&keep("cache")).unwrap();
}

#[test]
fn a_base_branch_that_another_work_tree_has_checked_out_is_refused() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let linked = repo.folder.path().join("linked");
    repo.git(w("switch -q verdict/cache"));
    repo.git(["worktree", "add", "--quiet", linked.to_str().unwrap(), "main"]);
    let error = repo.refuses(&keep("cache"));
    assert!(error.to_string().contains("branch 'main' is checked out in"), "{error}");
}

#[test]
fn a_decided_experiment_is_not_decided_again() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.decide(&revert("cache")).unwrap();
    for ask in [keep("cache"), revert("cache")] {
        let error = repo.refuses(&ask);
        assert_eq!(error.to_string(), "experiment 'cache' is reverted already");
    }
    repo.experiment("second");
    repo.decide(&keep("second")).unwrap();
    assert_eq!(repo.refuses(&keep("second")).to_string(), "experiment 'second' is kept already");
}

#[test]
fn a_mode_that_does_not_fit_is_refused_with_the_one_that_does() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let error = repo.refuses(&revert("cache").mode(RevertMode::InPlace));
    assert_eq!(error.next().unwrap(), "git verdict revert cache --mode merge");
    repo.git(w("merge -q --no-ff --no-edit verdict/cache"));
    for mode in [RevertMode::Merge, RevertMode::Archive] {
        let error = repo.refuses(&revert("cache").mode(mode));
        assert_eq!(error.next().unwrap(), "git verdict revert cache --mode in-place");
    }
}

#[test]
fn decisions_without_numbers_or_with_stale_ones_need_force() {
    let repo = Sandbox::new();
    repo.start("raw");
    repo.write("a.txt", "a\n");
    repo.commit("perf: a");
    let error = repo.refuses(&revert("raw"));
    assert_eq!(error.to_string(), "experiment 'raw' has not been measured");
    assert!(error.next().unwrap().starts_with("git verdict measure raw"));
    repo.measure("raw", Advice::Revert);
    repo.write("a.txt", "b\n");
    repo.commit("perf: b");
    let error = repo.refuses(&revert("raw"));
    assert!(error.to_string().contains("the numbers are stale"), "{error}");
    let landed = repo.decide(&revert("raw").force()).unwrap();
    assert!(decided(&landed.event).overrode);
}

#[test]
fn an_amended_tip_with_the_same_files_is_not_stale() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.git(w("switch -q verdict/cache"));
    repo.git(w("commit -q --amend -m another-message"));
    let landed = repo.decide(&keep("cache")).unwrap();
    assert!(!decided(&landed.event).overrode);
}

#[test]
fn numbers_against_another_base_are_stale() {
    let repo = Sandbox::new();
    repo.write("older.txt", "x\n");
    repo.commit("feat: second");
    repo.experiment("cache");
    let repository = repo.repo();
    let older = repository.commit(&repo.id("main^")).unwrap();
    repo.measured("cache", Advice::Keep, |measured| {
        measured.base.commit = older.id.clone();
        measured.base.tree = older.tree.clone();
    });
    let error = repo.refuses(&keep("cache"));
    assert!(error.to_string().contains("they compare with"), "{error}");
}

#[test]
fn a_failed_check_or_a_broken_limit_forbids_keeping_but_not_reverting() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.measured("cache", Advice::Revert, |measured| measured.checks.push(failed_check(1)));
    let error = repo.refuses(&keep("cache"));
    assert_eq!(error.to_string(), "check 'tests' failed: exit status 1");
    repo.measured("cache", Advice::Revert, |measured| measured.comparison[0].limit = Some(5.0));
    let error = repo.refuses(&keep("cache"));
    assert_eq!(error.to_string(), "'build_time' is beyond its limit");
    let forced = repo.prepare(&keep("cache").force()).unwrap();
    assert!(decided(&forced.event).overrode);
    assert!(forced.notes.iter().any(|note| note.contains("forced: 'build_time'")), "{:?}", forced.notes);
    let draft = repo.prepare(&revert("cache")).unwrap();
    assert!(!decided(&draft.event).overrode);
}

#[test]
fn going_against_the_advice_is_on_record() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    assert!(decided(&repo.prepare(&revert("cache")).unwrap().event).overrode);
    assert!(!decided(&repo.prepare(&keep("cache")).unwrap().event).overrode);
    repo.measure("cache", Advice::TradeOff);
    assert!(!decided(&repo.prepare(&revert("cache")).unwrap().event).overrode);
}

#[test]
fn a_stacked_experiment_waits_for_the_one_below() {
    let repo = Sandbox::new();
    repo.experiment("below");
    let below = repo.find("below").id;
    repo.git(w("switch -q -c verdict/above verdict/below"));
    repo.open("above", &repo.id("HEAD"), "main", Some(below), None);
    repo.write("above.txt", "x\n");
    repo.commit("perf: above");
    repo.measure("above", Advice::Revert);
    for ask in [keep("above"), revert("above")] {
        let error = repo.refuses(&ask);
        assert_eq!(error.to_string(), "it stands on 'below', which is not decided yet");
        assert_eq!(error.next().unwrap(), "git verdict decide below");
    }
    let draft = repo.prepare(&revert("below")).unwrap();
    assert!(draft.notes.iter().any(|note| note.contains("'above' stands on this experiment")), "{:?}", draft.notes);
    repo.decide(&keep("below")).unwrap();
    let landed = repo.decide(&revert("above")).unwrap();
    assert_eq!(decided(&landed.event).commits.len(), 1);
    assert_eq!(repo.git(w("diff main verdict/below")), "");
}

/// `above`, with a file of its own, on top of `below`; both measured, HEAD on `main`.
fn stack(repo: &Sandbox) {
    repo.experiment("below");
    let below = repo.find("below").id;
    repo.git(w("switch -q -c verdict/above verdict/below"));
    repo.open("above", &repo.id("HEAD"), "main", Some(below), None);
    repo.write("above.txt", "x\n");
    repo.commit("perf: above");
    repo.measure("above", Advice::Keep);
    repo.git(w("switch -q main"));
}

/// The two ways on that a refusal offers, each as its git commands.
fn offers(error: &DecisionError) -> [Vec<String>; 2] {
    let next = error.next().unwrap().to_string();
    let ways = next.lines().map(|line| {
        let line = line.trim_start_matches("or: ");
        let line = line.rsplit_once(" (").map_or(line, |(commands, _)| commands);
        line.split(" && ").map(String::from).collect()
    });
    ways.collect::<Vec<_>>().try_into().unwrap_or_else(|_| panic!("{next}"))
}

#[test]
fn what_stands_on_a_reverted_experiment_goes_on_alone_or_with_both() {
    for mode in [RevertMode::Merge, RevertMode::InPlace] {
        for both in [false, true] {
            let repo = Sandbox::new();
            stack(&repo);
            if mode == RevertMode::InPlace {
                repo.decide(&keep("below")).unwrap();
            }
            repo.write("other.txt", "on main meanwhile\n");
            repo.commit("feat: other");
            let notes = repo.prepare(&revert("below")).unwrap().notes;
            assert!(notes.iter().any(|note| note.contains("'above' stands on this experiment")), "{notes:?}");
            repo.decide(&revert("below")).unwrap();
            let error = repo.refuses(&keep("above"));
            let text = error.to_string();
            assert!(text.starts_with("it holds the commits of 'below', which ") && text.ends_with(" reverted on main"));
            // Taking it back, too, changes nothing on main and needs no new numbers.
            repo.prepare(&revert("above")).unwrap();

            let ways = offers(&error);
            for command in &ways[usize::from(both)] {
                match command.strip_prefix("git ").unwrap() {
                    "verdict measure above" => {
                        let base = repo.id("main");
                        repo.measured("above", Advice::Keep, |measured| {
                            measured.base.commit = base.clone();
                            measured.base.tree = repo.repo().commit(&base).unwrap().tree;
                        });
                    }
                    words => drop(repo.git(w(words))),
                }
            }
            let tip = repo.id("verdict/above");
            let landed = repo.decide(&keep("above")).unwrap();
            assert_eq!(repo.git(["diff", tip.as_str(), "main"]), "", "what was measured is what landed");
            assert!(repo.root.join("above.txt").exists() && repo.root.join("other.txt").exists());
            assert_eq!(repo.root.join("new/deep/file.txt").exists(), both);
            assert_eq!(repo.read("app.txt").contains("TWO!"), both);
            assert_eq!(decided(&landed.event).base.commit, repo.id("main^1"));
            // And it can go again, whole.
            repo.decide(&revert("above")).unwrap();
            assert_eq!(repo.git(w("diff main~2 main")), "");
        }
    }
}

#[test]
fn what_stands_on_an_archived_experiment_goes_on_alone_or_as_one_with_it() {
    for both in [false, true] {
        let repo = Sandbox::new();
        stack(&repo);
        repo.decide(&revert("below").mode(RevertMode::Archive)).unwrap();
        let error = repo.refuses(&keep("above"));
        assert_eq!(error.to_string(), "it stands on 'below', which is not on main");
        let [alone, one] = offers(&error);
        let name = if both { "one" } else { "above" };
        if both {
            let words: Vec<&str> = one[0].split(' ').collect();
            assert_eq!(words[..4], ["git", "verdict", "start", "NAME"]);
            let (base, tip) = words.last().unwrap().split_once("..").unwrap();
            repo.git(["branch", "--no-track", "verdict/one", tip]);
            repo.open("one", &repo.id(base), "main", None, Some(repo.id(tip)));
        } else {
            repo.git(w(alone[0].strip_prefix("git ").unwrap()));
            let base = repo.id("main");
            let rebased = repo.repo().commit(&base).unwrap();
            repo.measured("above", Advice::Keep, |measured| {
                (measured.base.commit, measured.base.tree) = (rebased.id, rebased.tree);
            });
        }
        if both {
            repo.measure(name, Advice::Keep);
        }
        repo.git(w("switch -q main"));
        repo.decide(&keep(name)).unwrap();
        assert!(repo.root.join("above.txt").exists());
        assert_eq!(repo.root.join("new/deep/file.txt").exists(), both);
    }
}

#[test]
fn an_experiment_that_adopts_what_was_reverted_is_not_merged_as_if_it_were_there() {
    let repo = Sandbox::new();
    let base = repo.id("main");
    stack(&repo);
    repo.git(w("branch -q --no-track verdict/both verdict/above"));
    repo.open("both", &base, "main", None, Some(repo.id("verdict/both")));
    repo.measure("both", Advice::Keep);
    repo.decide(&revert("below")).unwrap();
    let error = repo.refuses(&keep("both"));
    assert!(error.to_string().starts_with("it holds the commits of 'below', which "), "{error}");
    let landed = repo.decide(&keep("both").force()).unwrap();
    assert!(decided(&landed.event).overrode);
}

#[test]
fn a_base_that_has_moved_on_is_told_of_with_how_far() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.write("app.txt", &repo.read("app.txt").replace("seven", "SEVEN"));
    repo.commit("fix: the same file");
    repo.write("other.txt", "x\n");
    repo.commit("feat: another file");
    let draft = repo.prepare(&keep("cache")).unwrap();
    let note = draft.notes.iter().find(|note| note.contains("has moved on")).unwrap();
    assert!(
        note.starts_with("main has moved on by 2 commits since the experiment's base, in 2 files, 1 of which"),
        "{note}"
    );
    let note = note.to_string();
    let way = note.rsplit_once('(').unwrap().1.trim_end_matches(" does)").split(" && ").collect::<Vec<_>>();
    assert_eq!(way, ["git switch verdict/cache", "git merge main", "git verdict measure cache"]);
    repo.git(w("switch -q verdict/cache"));
    repo.git(w("merge -q --no-edit main"));
    let base = repo.repo().commit(&repo.id("main")).unwrap();
    repo.measured("cache", Advice::Keep, |measured| (measured.base.commit, measured.base.tree) = (base.id, base.tree));
    let draft = repo.prepare(&keep("cache")).unwrap();
    assert!(!draft.notes.iter().any(|note| note.contains("has moved on")), "{:?}", draft.notes);
}

#[test]
fn an_archive_ref_of_an_earlier_experiment_is_not_overwritten() {
    let repo = Sandbox::new();
    repo.git(w("update-ref refs/verdict/archive/cache main"));
    repo.experiment("cache");
    let error = repo.refuses(&revert("cache").mode(RevertMode::Archive));
    assert_eq!(error.to_string(), "refs/verdict/archive/cache exists already");
}

#[test]
fn names_that_a_hostile_ledger_gives_are_refused() {
    for (onto, branch) in [
        ("--upload-pack=x", "verdict/x"),
        ("main", "--force"),
        ("main", "main"),
        ("main", "release"),
        ("main", "verdict/"),
        ("main", "verdict/../main"),
        ("ma in", "verdict/x"),
        ("main", "verdict/a\u{1b}[31mb"),
    ] {
        let repo = Sandbox::new();
        repo.git(w("branch release"));
        repo.open_as("x", &repo.id("main"), onto, branch, None, None);
        let error = repo.refuses(&revert("x").mode(RevertMode::Archive).force());
        assert!(!error.to_string().contains('\u{1b}'), "{error}");
    }
}

#[test]
fn a_draft_is_refused_when_the_repository_has_moved_since() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let draft = repo.prepare(&keep("cache")).unwrap();
    repo.write("later.txt", "x\n");
    repo.commit("feat: later");
    let before = repo.picture();
    let error = repo.land(&draft, &texts(&draft)).unwrap_err();
    assert!(error.to_string().contains("moved since this decision was prepared"), "{error}");
    assert_eq!(repo.picture(), before);
}

#[test]
fn a_draft_made_between_the_merge_and_the_record_of_another_decision_is_refused() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    // What is on the base already only wants its record: no ref tells the second of two drafts that the first has landed.
    repo.git(w("merge -q --no-ff --no-edit verdict/cache"));
    let [first, second] = [(); 2].map(|()| repo.prepare(&keep("cache")).unwrap());
    repo.land(&first, &texts(&first)).unwrap();
    let before = repo.picture();
    let error = repo.land(&second, &texts(&second)).unwrap_err();
    assert!(error.to_string().contains("was decided by another process"), "{error}");
    assert_eq!(repo.picture(), before);
    let again = repo.prepare(&revert("cache")).unwrap();
    repo.land(&again, &texts(&again)).unwrap();
}

#[test]
fn work_begun_after_a_draft_was_shown_is_seen_before_it_lands() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let draft = repo.prepare(&keep("cache")).unwrap();
    // Right after the draft the files are taken for what they were; somebody who was asked has had time to change them.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    repo.write("lib/keep.txt", "my work\n");
    let before = repo.picture();
    let error = repo.land(&draft, &texts(&draft)).unwrap_err();
    assert!(error.to_string().contains("uncommitted work in lib/keep.txt"), "{error}");
    assert_eq!(repo.picture(), before);
}

#[test]
fn a_draft_without_its_message_is_refused() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let draft = repo.prepare(&revert("cache")).unwrap();
    let before = repo.picture();
    let mut without = texts(&draft);
    without.revert = None;
    assert!(repo.land(&draft, &without).is_err());
    assert_eq!(repo.picture(), before);
}

#[test]
fn a_second_decision_at_the_same_time_is_refused() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.experiment("other");
    let draft = repo.prepare(&keep("other")).unwrap();
    std::fs::create_dir_all(repo.root.join(".git/verdict")).unwrap();
    let lock = std::fs::File::create(repo.root.join(".git/verdict/decide.lock")).unwrap();
    lock.lock().unwrap();
    let error = repo.refuses(&keep("cache"));
    assert_eq!(error.to_string(), "another decision is being made in this repository");
    assert!(repo.land(&draft, &texts(&draft)).is_err());
    drop(lock);
    repo.land(&draft, &texts(&draft)).unwrap();
}

#[test]
fn a_decision_made_by_a_hook_of_a_decision_is_refused() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let lock = repo.root.join(".git/verdict/decide.lock");
    repo.hook("pre-commit", &format!("flock --nonblock {} true && exit 1; exit 0", lock.display()));
    repo.decide(&revert("cache")).unwrap();
}

#[test]
fn a_tag_with_the_name_of_a_branch_is_not_taken_for_it() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.git(w("tag main verdict/cache"));
    repo.git(w("tag verdict/cache main~0"));
    let (base, tip) = (repo.id("refs/heads/main"), repo.id("refs/heads/verdict/cache"));
    repo.decide(&revert("cache")).unwrap();
    let landed = repo.id("refs/heads/main");
    assert_eq!(
        git(&repo.root, ["rev-parse", &format!("{landed}^1"), &format!("{landed}^2^")]),
        format!("{base}\n{tip}")
    );
}

#[test]
fn an_empty_file_name_in_latin_1_and_a_link_are_reverted_like_any_other() {
    use std::os::unix::ffi::OsStrExt;
    let repo = Sandbox::new();
    let base = repo.id("main");
    repo.start("odd");
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.txt");
    std::fs::write(repo.root.join(name), "x\n").unwrap();
    std::os::unix::fs::symlink("nowhere", repo.root.join("link")).unwrap();
    repo.commit("perf: odd names");
    repo.measure("odd", Advice::Revert);
    repo.git(w("switch -q main"));
    repo.decide(&revert("odd")).unwrap();
    assert_eq!(repo.git(["diff", base.as_str(), "main"]), "");
}

#[test]
fn a_repository_with_sha_256_is_decided_like_any_other() {
    let repo = Sandbox::with(&["--object-format=sha256"]);
    repo.experiment("cache");
    let base = repo.id("main");
    repo.decide(&revert("cache")).unwrap();
    assert_eq!(repo.git(["diff", base.as_str(), "main"]), "");
    assert_eq!(base.as_str().len(), 64);
}

#[test]
fn a_repository_with_reftable_is_decided_like_any_other() {
    for hash in ["sha1", "sha256"] {
        let repo = Sandbox::with(&["--ref-format=reftable", &format!("--object-format={hash}")]);
        for (name, ask, kept) in [("one", keep("one"), true), ("two", revert("two"), false)] {
            repo.experiment(name);
            let base = repo.id("main");
            let landed = repo.decide(&ask).unwrap();
            assert_eq!(repo.git(["diff", base.as_str(), "main"]).is_empty(), !kept);
            assert_eq!(decided(&landed.event).landed, Some(repo.id("main")));
            assert_eq!(repo.git(w("symbolic-ref HEAD")), "refs/heads/main");
            assert_eq!(repo.picture().status, "");
        }
    }
}

#[test]
fn what_is_under_way_is_seen_where_refs_are_kept_as_reftable() {
    let repo = Sandbox::with(&["--ref-format=reftable"]);
    repo.experiment("cache");
    repo.git(w("switch -q -c other main"));
    repo.write("app.txt", "other\n");
    repo.commit("other");
    for (command, name) in [("cherry-pick", "cherry-pick"), ("revert", "revert")] {
        let what = if name == "revert" { "main" } else { "verdict/cache" };
        repo.write("app.txt", "another\n");
        repo.commit("in the way");
        let _ = std::process::Command::new("git").current_dir(&repo.root).args([command, what]).output().unwrap();
        assert_eq!(repo.repo().operation(), Some(name));
        let error = repo.prepare(&keep("cache")).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        repo.git([command, "--abort"]);
        assert_eq!(repo.repo().operation(), None);
    }
}

#[test]
fn a_merge_driver_that_gives_up_is_a_conflict_found_in_the_preflight() {
    let repo = Sandbox::new();
    repo.write(".gitattributes", "app.txt merge=never\n");
    repo.commit("chore: a merge driver");
    repo.experiment("cache");
    repo.write("app.txt", &repo.read("app.txt").replace("seven", "SEVEN"));
    repo.commit("fix: another line");
    repo.git(["config", "merge.never.driver", "exit 1"]);
    let error = repo.refuses(&keep("cache"));
    assert!(matches!(error, DecisionError::Conflict { .. }), "{error:?}");
}

#[test]
fn a_sparse_checkout_stays_sparse() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.start("again");
    repo.write("new/again.txt", "again\n");
    repo.commit("perf: again");
    repo.measure("again", Advice::Keep);
    repo.git(w("switch -q main"));
    let base = repo.id("main");
    repo.git(w("sparse-checkout set lib"));
    assert!(!repo.root.join("new").exists());
    repo.hook("pre-commit", "exit 1");
    repo.refuses(&revert("cache"));
    repo.hook("pre-commit", "exit 0");
    let draft = repo.prepare(&revert("cache")).unwrap();
    repo.land(&draft, &texts_with_adr(&draft)).unwrap();
    assert_eq!(repo.git(["diff", base.as_str(), "main", "--", "app.txt", "new"]), "");
    assert!(!repo.root.join("new").exists());
    assert_eq!(repo.picture().status, "");
    repo.decide(&keep("again")).unwrap();
    assert!(!repo.root.join("new").exists());
    assert_eq!(repo.git(w("ls-tree --name-only main new/")), "new/again.txt");
}

#[test]
fn a_decision_starts_no_git_but_those_that_it_shows_and_those_that_read_its_configuration() {
    for ask in [keep("cache"), revert("cache"), revert("cache").mode(RevertMode::Archive)] {
        let repo = Sandbox::new();
        repo.experiment("cache");
        let mode = ask.mode.map_or("merge", RevertMode::as_str);
        let words: &[&str] = match ask.verdict {
            Verdict::Keep => &["keep", "cache", "--because", "x"],
            Verdict::Revert => &["revert", "cache", "--because", "x", "--mode", mode],
        };
        let trace = repo.folder.path().join("trace");
        let run = |more: &[&str]| {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_git-verdict"));
            command.arg("-C").arg(&repo.root).args(words).args(more).env("GIT_TRACE2_EVENT", &trace);
            let output = command.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            output.stdout
        };
        let shown: serde_json::Value = serde_json::from_slice(&run(&["--dry-run", "--json"])).unwrap();
        let steps = shown["steps"].as_array().unwrap().iter().filter_map(|step| step.as_str()?.strip_prefix("git "));
        let commands = steps.map(|step| step.split(' ').find(|word| !word.starts_with('-')).unwrap().to_string());
        // Where the hooks are, and of what is kept whether there are hidden checks. They may answer in another order.
        let asked: &[&str] = if ask.verdict == Verdict::Keep { &["config", "rev-parse"] } else { &["rev-parse"] };
        let expected: Vec<String> = asked.iter().map(ToString::to_string).chain(commands).collect();
        std::fs::remove_file(&trace).unwrap();
        run(&[]);
        let events = std::fs::read_to_string(&trace).unwrap();
        let events = events.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        // What a git starts in its turn has a name of two parts.
        let own = |event: &serde_json::Value| !event["sid"].as_str().unwrap().contains('/');
        let started = events.filter(|event| event["event"] == "cmd_name" && own(event));
        let mut started: Vec<String> = started.map(|event| event["name"].as_str().unwrap().to_string()).collect();
        started[..asked.len()].sort();
        assert_eq!(started, expected, "{words:?}");
    }
}

#[test]
fn an_index_of_every_kind_is_decided_on_like_any_other() {
    let kinds: [(&str, &[&str]); 7] = [
        ("split", &["update-index --split-index"]),
        ("version 4", &["update-index --index-version=4"]),
        ("without its hash", &["config index.skipHash true", "update-index --force-write-index"]),
        ("with an untracked cache", &["update-index --untracked-cache"]),
        ("with a monitor of the file system", &["config core.fsmonitor .git/monitor", "update-index --fsmonitor"]),
        ("with less to compare", &["config core.checkStat minimal", "config core.trustctime false"]),
        ("sparse", &["sparse-checkout set --cone --sparse-index lib"]),
    ];
    for (kind, commands) in kinds {
        let repo = Sandbox::new();
        repo.experiment("cache");
        repo.hook("../monitor", r"printf 'token\0/\0'");
        for command in commands {
            repo.git(w(command));
        }
        repo.write("lib/keep.txt", "mine\n");
        let error = repo.refuses(&revert("cache"));
        assert!(error.to_string().contains("uncommitted work in lib/keep.txt"), "{kind}: {error}");
        repo.git(w("restore lib/keep.txt"));
        let base = repo.id("main");
        repo.decide(&revert("cache")).unwrap();
        assert_eq!(repo.git(["diff", base.as_str(), "main"]), "", "{kind}");
        assert_eq!(repo.picture().status, "", "{kind}");
    }
}

#[test]
fn what_git_was_told_to_take_for_unchanged_is_not_lost_when_a_decision_is_taken_back() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.hook("pre-commit", "exit 1");
    for word in ["assume-unchanged", "skip-worktree"] {
        repo.git(["update-index", &format!("--{word}"), "lib/keep.txt"]);
        repo.write("lib/keep.txt", "mine\n");
        repo.refuses(&revert("cache"));
        assert_eq!(repo.read("lib/keep.txt"), "mine\n", "{word}");
        repo.git(["update-index", &format!("--no-{word}"), "lib/keep.txt"]);
        repo.git(w("restore lib/keep.txt"));
    }
}

#[test]
fn a_shallow_clone_is_decided_like_any_other() {
    let origin = Sandbox::new();
    for n in 0..3 {
        origin.write("lib/keep.txt", &format!("{n}\n"));
        origin.commit("fix: more");
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("repo");
    let url = format!("file://{}", origin.root.display());
    git(&origin.root, ["clone", "-q", "--depth=1", &url, root.to_str().unwrap()]);
    let repo = Sandbox { folder, root };
    for (key, value) in [("user.name", "Ada"), ("user.email", "ada@example.org"), ("commit.gpgsign", "false")] {
        repo.git(["config", key, value]);
    }
    repo.experiment("cache");
    let base = repo.id("main");
    repo.decide(&revert("cache")).unwrap();
    assert_eq!(repo.git(["diff", base.as_str(), "main"]), "");
}

#[test]
fn a_partial_clone_fetches_what_a_decision_needs() {
    for filter in ["blob:none", "tree:0"] {
        for in_place in [true, false] {
            let origin = Sandbox::new();
            origin.git(w("config uploadpack.allowFilter true"));
            origin.git(w("config uploadpack.allowAnySHA1InWant true"));
            let base = origin.id("main");
            origin.write("app.txt", &origin.read("app.txt").replace("two", "TWO"));
            origin.write("lib/more.txt", "more\n");
            let tip = origin.commit("perf: try a faster two");
            origin.write("app.txt", &origin.read("app.txt").replace("seven", "SEVEN"));
            let last = origin.commit("fix: another line");
            if !in_place {
                origin.git(["branch", "-q", "verdict/old", tip.as_str()]);
                origin.git(["reset", "-q", "--hard", base.as_str()]);
                origin.git(["cherry-pick", "--allow-empty", last.as_str()]);
            }
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().join("repo");
            let url = format!("file://{}", origin.root.display());
            let filter = format!("--filter={filter}");
            git(&origin.root, ["clone", "-q", &filter, &url, root.to_str().unwrap()]);
            let repo = Sandbox { folder, root };
            for (key, value) in [("user.name", "Ada"), ("user.email", "ada@example.org"), ("commit.gpgsign", "false")] {
                repo.git(["config", key, value]);
            }
            let missing = || repo.git(w("rev-list --objects --missing=print --all")).matches("\n?").count();
            assert!(missing() > 0, "{filter}");
            if !in_place {
                repo.git(w("branch -q --no-track verdict/old origin/verdict/old"));
            }
            repo.open_as("old", &base, "main", "verdict/old", None, Some(tip.clone()));
            if in_place {
                repo.git(["branch", "-q", "--no-track", "verdict/old", tip.as_str()]);
            }
            repo.measure("old", Advice::Revert);
            repo.decide(&revert("old"))
                .unwrap_or_else(|error| panic!("{filter} {in_place}: {error} {:?}", error.why()));
            assert_eq!(repo.read("app.txt"), "one\ntwo\nthree\nfour\nfive\nsix\nSEVEN\neight\n");
            assert!(!repo.root.join("lib/more.txt").exists());
            assert_eq!(repo.picture().status, "");
        }
    }
}

#[test]
fn names_that_differ_in_case_alone_are_one_where_git_says_so() {
    // As on a file system that takes both for one.
    let repo = Sandbox::new();
    repo.git(w("config core.ignorecase true"));
    let base = repo.id("main");
    repo.start("case");
    repo.git(w("mv lib/keep.txt lib/Keep.txt"));
    repo.write("lib/Keep.txt", "kept\n");
    repo.commit("perf: another case");
    repo.measure("case", Advice::Revert);
    repo.git(w("switch -q main"));
    repo.decide(&revert("case")).unwrap();
    assert_eq!(repo.git(["diff", base.as_str(), "main"]), "");
    assert_eq!((repo.git(w("ls-files lib")), repo.picture().status.as_str()), ("lib/keep.txt".into(), ""));

    repo.start("kept");
    repo.git(w("mv lib/keep.txt lib/KEEP.txt"));
    repo.commit("perf: another case again");
    repo.measure("kept", Advice::Keep);
    repo.git(w("switch -q main"));
    repo.decide(&keep("kept")).unwrap();
    assert_eq!((repo.git(w("ls-files lib")), repo.picture().status.as_str()), ("lib/KEEP.txt".into(), ""));

    // What is not tracked under either spelling is in the way under its own.
    repo.start("new");
    repo.write("Notes.txt", "x\n");
    repo.commit("perf: notes");
    repo.measure("new", Advice::Keep);
    repo.git(w("switch -q main"));
    repo.write("Notes.txt", "mine\n");
    let error = repo.refuses(&keep("new"));
    assert!(error.to_string().contains("in the way: Notes.txt"), "{error}");
}

#[test]
fn a_submodule_that_an_experiment_moved_is_moved_back_on_record() {
    let part = Sandbox::new();
    let old = part.id("HEAD");
    part.write("lib/keep.txt", "newer\n");
    let new = part.commit("feat: newer");
    let repo = Sandbox::new();
    repo.git(["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", part.root.to_str().unwrap(), "part"]);
    repo.git(["-C", "part", "checkout", "-q", old.as_str()]);
    let base = repo.commit("feat: a submodule");
    repo.start("bump");
    repo.git(["-C", "part", "checkout", "-q", new.as_str()]);
    repo.write("app.txt", &repo.read("app.txt").replace("two", "TWO"));
    repo.commit("perf: a newer part");
    repo.measure("bump", Advice::Revert);
    repo.git(w("switch -q main"));
    let error = repo.refuses(&revert("bump"));
    assert!(error.to_string().contains("uncommitted work in part"), "{error}");
    repo.git(w("-c protocol.file.allow=always submodule --quiet update"));
    repo.decide(&revert("bump")).unwrap();
    assert_eq!(repo.git(["diff", base.as_str(), "main"]), "");
    assert_eq!(repo.picture().status, "");
}

#[test]
fn files_behind_a_filter_are_reverted_without_being_taken_for_changes() {
    let repo = Sandbox::new();
    repo.git(["config", "filter.rot.clean", "tr a-z b-za"]);
    repo.git(["config", "filter.rot.smudge", "tr b-za a-z"]);
    repo.git(w("config filter.rot.required true"));
    repo.write(".gitattributes", "*.big filter=rot\n");
    repo.write("x.big", "hello\n");
    let base = repo.commit("feat: big");
    repo.start("big");
    repo.write("x.big", "goodbye\n");
    repo.write("y.big", "more\n");
    repo.commit("perf: big");
    repo.measure("big", Advice::Revert);
    repo.git(w("switch -q main"));
    repo.decide(&revert("big")).unwrap();
    assert_eq!(repo.read("x.big"), "hello\n");
    assert_eq!(repo.git(["diff", base.as_str(), "main"]), "");
    assert_eq!(repo.picture().status, "");
}

#[test]
fn an_experiment_may_land_on_the_branch_of_another() {
    let repo = Sandbox::new();
    repo.experiment("below");
    let below = repo.id("verdict/below");
    repo.git(w("switch -q -c verdict/above verdict/below"));
    repo.open("above", &repo.id("HEAD"), "verdict/below", Some(repo.find("below").id), None);
    repo.write("above.txt", "x\n");
    repo.commit("perf: above");
    repo.measure("above", Advice::Revert);
    repo.decide(&revert("above")).unwrap();
    assert_eq!(repo.git(w("symbolic-ref HEAD")), "refs/heads/verdict/below");
    assert_eq!(repo.git(["diff", below.as_str(), "verdict/below"]), "");
}

#[test]
fn a_branch_that_was_rebased_and_measured_again_is_decided_from_where_it_meets_the_base() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.write("lib/keep.txt", "newer\n");
    let main = repo.commit("feat: on main");
    // The old base stays in the history; only rewriting main takes it away.
    repo.git(w("commit -q --amend -m rewritten"));
    repo.git(w("rebase -q --onto main main~1 verdict/cache"));
    repo.measure("cache", Advice::Revert);
    repo.git(w("switch -q main"));
    let landed = repo.decide(&revert("cache")).unwrap();
    assert_eq!(decided(&landed.event).commits.len(), 2);
    assert_eq!(repo.git(["diff", main.as_str(), "main"]), "");
}

#[test]
fn a_kept_experiment_whose_commits_are_on_the_base_already_is_only_recorded() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.git(w("merge -q --no-ff --no-edit verdict/cache"));
    let main = repo.id("main");
    let draft = repo.prepare(&keep("cache")).unwrap();
    assert!(draft.notes.iter().any(|note| note.contains("nothing is merged")), "{:?}", draft.notes);
    repo.land(&draft, &texts(&draft)).unwrap();
    assert_eq!(repo.id("main"), main);
    assert_eq!(repo.find("cache").state, State::Kept);
}
