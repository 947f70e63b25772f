//! `undo`: a decision that has landed is taken back, by moving refs back or by new commits.

use crate::common::Repo;

const CONFIG: &str = "version = 1\n[metrics.size]\npath = \"app\"\n";

fn project() -> Repo {
    Repo::with(&[("verdict.toml", CONFIG), ("app", &"x".repeat(4000))])
}

fn attempt(repo: &Repo, name: &str, bytes: usize) {
    repo.ok(&["start", name, "--hypothesis", "another size"]);
    repo.write("app", "x".repeat(bytes));
    repo.commit("perf: another size");
    repo.ok(&["measure"]);
}

/// Refs but for the ledger, HEAD, index, status and files.
fn picture(repo: &Repo) -> (String, String, String, usize) {
    let snapshot = repo.snapshot();
    let refs = snapshot.refs.lines().filter(|line| !line.starts_with("refs/verdict/ledger "));
    (refs.collect::<Vec<_>>().join("\n"), snapshot.index, snapshot.status, repo.read("app").len())
}

fn state(repo: &Repo, name: &str) -> String {
    repo.json(&["show", name])["experiment"]["state"].as_str().unwrap().to_string()
}

/// A remote that has what is on `main`.
fn push(repo: &Repo) {
    let remote = repo.path().join(".git/remote.git");
    if !remote.exists() {
        repo.git(&["init", "--quiet", "--bare", remote.to_str().unwrap()]);
        repo.git(&["remote", "add", "origin", remote.to_str().unwrap()]);
    }
    repo.git(&["push", "-q", "origin", "main"]);
}

#[test]
fn an_unpushed_decision_of_every_mode_is_taken_back_exactly() {
    for words in [
        &["keep", "--because", "x"][..],
        &["revert", "--because", "x"],
        &["revert", "--because", "x", "--mode", "archive"],
    ] {
        let repo = project();
        attempt(&repo, "slim", 1000);
        let before = picture(&repo);
        repo.ok(words);
        let landed = repo.snapshot();
        repo.ok(&["undo", "--dry-run"]).prints(&["git update-ref refs/heads/main", "append record"]);
        assert_eq!(repo.snapshot(), landed);
        repo.ok(&["undo", "--because", "too early"]).prints(&["undid the decision on slim", "no commit was made"]);
        assert_eq!(picture(&repo), before, "{words:?}");
        assert_eq!(state(&repo, "slim"), "measured");
        repo.ok(&["show", "slim"]).prints(&["reopened", "too early"]);
        repo.expect(3, &["undo"]).says(&["there is no decision to undo"]);
        let listed = |words: &[&str]| {
            let list = repo.json(words)["decisions"].clone();
            let states = list.as_array().into_iter().flatten().map(|one| one["state"].as_str());
            states.map(|state| state.unwrap_or_default().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(listed(&["log"]), Vec::<String>::new(), "an undone decision is not listed");
        assert_eq!(listed(&["log", "--all"]), ["measured"]);
        // And it can be decided again.
        repo.ok(words);
        assert_ne!(state(&repo, "slim"), "measured");
    }
}

#[test]
fn a_revert_in_place_that_is_undone_leaves_the_keep_before_it_in_force() {
    let repo = project();
    attempt(&repo, "slim", 1000);
    repo.ok(&["keep", "--because", "x"]);
    let before = picture(&repo);
    repo.ok(&["revert", "slim", "--because", "it broke"]);
    repo.ok(&["undo"]);
    assert_eq!(picture(&repo), before);
    assert_eq!(state(&repo, "slim"), "kept");
    repo.ok(&["log"]).prints(&["kept", "slim"]);
}

#[test]
fn head_stays_where_it_is_when_its_branch_is_none_that_moves() {
    let repo = project();
    attempt(&repo, "slim", 1000);
    let main = repo.git(&["rev-parse", "main"]);
    repo.ok(&["keep", "--because", "x"]);
    repo.git(&["switch", "-q", "-c", "elsewhere"]);
    repo.write("own.txt", "mine");
    repo.commit("feat: mine");
    repo.write("untracked.txt", "mine too");
    repo.ok(&["undo"]);
    assert_eq!(repo.git(&["branch", "--show-current"]), "elsewhere");
    assert_eq!(repo.git(&["rev-parse", "main"]), main);
    assert_eq!((repo.read("own.txt").as_str(), repo.read("untracked.txt").as_str()), ("mine", "mine too"));
}

#[test]
fn uncommitted_work_and_files_in_the_way_are_refused() {
    let repo = project();
    repo.write("only-on-main.txt", "x");
    repo.commit("feat: a file");
    repo.ok(&["start", "slim", "--hypothesis", "less"]);
    repo.git(&["rm", "-q", "only-on-main.txt"]);
    repo.commit("perf: less");
    repo.ok(&["measure"]);
    repo.ok(&["keep", "--because", "x", "--force"]);
    repo.write("app", "work");
    repo.refuses(3, &["undo"]).says(&["uncommitted work in app"]);
    repo.git(&["restore", "app"]);
    repo.git(&["branch", "-q", "-D", "verdict/slim"]);
    repo.write("only-on-main.txt", "somebody's work");
    repo.refuses(3, &["undo"]).says(&["in the way: only-on-main.txt"]);
}

#[test]
fn a_pushed_keep_is_reverted_by_a_new_commit_and_cannot_be_kept_again_by_accident() {
    let repo = project();
    attempt(&repo, "slim", 1000);
    repo.ok(&["keep", "--because", "x"]);
    push(&repo);
    let pushed = repo.git(&["rev-parse", "main"]);
    repo.ok(&["undo", "--because", "it broke"]).says(&["was pushed", "history is added to"]);
    assert_eq!(repo.git(&["rev-parse", "main^"]), pushed);
    assert_eq!(repo.read("app").len(), 4000);
    assert_eq!(state(&repo, "slim"), "measured");
    let message = repo.git(&["log", "-1", "--format=%B"]);
    assert!(message.starts_with("revert: undo the decision to keep slim\n\nit broke\n\n"), "{message}");
    assert!(repo.trailers("HEAD").iter().any(|(key, _)| key == "Verdict-Reopens"));
    repo.ok(&["check", "--against", &pushed]);
    repo.git(&["push", "-q", "origin", "main"]);
    let refused = repo.refuses(3, &["keep", "slim", "--because", "after all"]);
    refused.says(&["were reverted by", "git revert"]);
    repo.git(&["revert", "--no-edit", "HEAD"]);
    repo.ok(&["keep", "slim", "--because", "after all"]);
    assert_eq!(state(&repo, "slim"), "kept");
    assert_eq!(repo.read("app").len(), 1000);
}

#[test]
fn a_pushed_revert_brings_the_attempt_back_to_its_own_branch() {
    let repo = project();
    attempt(&repo, "slim", 1000);
    repo.ok(&["revert", "--because", "x"]);
    push(&repo);
    let main = repo.git(&["rev-parse", "main"]);
    repo.ok(&["undo"]);
    assert_eq!((repo.git(&["rev-parse", "main"]), repo.git(&["branch", "--show-current"])), (main, "main".to_string()));
    assert_eq!(repo.git(&["show", "verdict/slim:app"]).len(), 1000);
    assert_eq!(state(&repo, "slim"), "measured");
    // It is whole: it can be measured and kept.
    repo.ok(&["measure", "slim"]);
    repo.ok(&["keep", "slim", "--because", "after all"]);
    assert_eq!(repo.read("app").len(), 1000);
}

#[test]
fn a_pushed_archive_gets_its_branch_back_and_its_decision_file_reverted() {
    let repo = project();
    attempt(&repo, "slim", 1000);
    let tip = repo.git(&["rev-parse", "HEAD"]);
    repo.ok(&["revert", "--because", "x", "--mode", "archive"]);
    push(&repo);
    repo.ok(&["undo"]);
    assert_eq!(repo.git(&["rev-parse", "verdict/slim"]), tip);
    assert!(!repo.path().join("docs/adr/0001-slim.md").exists());
    assert_eq!(state(&repo, "slim"), "measured");
}

#[test]
fn reverting_the_revert_by_hand_and_then_undo_only_writes_the_record() {
    let repo = project();
    attempt(&repo, "slim", 1000);
    repo.ok(&["keep", "--because", "x"]);
    repo.ok(&["revert", "slim", "--because", "it broke"]);
    repo.git(&["revert", "--no-edit", "HEAD"]);
    let head = repo.git(&["rev-parse", "HEAD"]);
    repo.ok(&["undo"]).says(&["has moved since", "was reverted already by"]).prints(&["by commit"]);
    assert_eq!(repo.git(&["rev-parse", "HEAD"]), head);
    assert_eq!(state(&repo, "slim"), "kept");
}

#[test]
fn a_revert_that_is_reverted_by_hand_is_noticed_and_reopens_the_experiment() {
    // In place: the keep before it is in force again. By merge: the experiment waits for a decision, on either branch.
    for (kept, branch) in [(true, "main"), (false, "main"), (false, "verdict/slim")] {
        let repo = project();
        attempt(&repo, "slim", 1000);
        if kept {
            repo.ok(&["keep", "--because", "x"]);
        }
        repo.ok(&["revert", "slim", "--because", "it broke"]);
        repo.ok(&["doctor"]);
        let revert = if kept { "main" } else { "main^2" };
        let revert = repo.git(&["rev-parse", revert]);
        repo.git(&["switch", "-q", branch]);
        repo.git(&["revert", "--no-edit", &revert]);
        let by = repo.git(&["rev-parse", "--short=10", "HEAD"]);
        let told = format!("the revert of slim was itself reverted by {by} on {branch}");
        repo.ok(&["status"]).prints(&[&told, "git verdict undo slim"]);
        repo.expect(1, &["doctor"]).prints(&["BAD", &told]);
        assert_eq!(state(&repo, "slim"), "reverted");
        // A revert of that in its turn, and it holds again.
        repo.git(&["revert", "--no-edit", "HEAD"]);
        assert!(!repo.ok(&["status"]).stdout.contains("itself reverted"));
        repo.git(&["reset", "-q", "--hard", "HEAD^"]);
        let refs = repo.git(&["for-each-ref", "refs/heads"]);
        repo.ok(&["undo", "slim"]).says(&["was reverted already by"]);
        assert_eq!(repo.git(&["for-each-ref", "refs/heads"]), refs, "only the record is written");
        assert_eq!(state(&repo, "slim"), if kept { "kept" } else { "measured" });
        repo.ok(&["doctor"]);
    }
}

#[test]
fn the_post_commit_hook_writes_down_that_a_revert_was_reverted() {
    let repo = project();
    attempt(&repo, "slim", 1000);
    repo.ok(&["keep", "--because", "x"]);
    repo.ok(&["revert", "slim", "--because", "it broke"]);
    repo.ok(&["hook", "install", "--post-commit"]);
    repo.git(&["commit", "-q", "--allow-empty", "-m", "feat: something else"]);
    repo.git(&["revert", "--no-edit", "HEAD^"]);
    assert_eq!(state(&repo, "slim"), "kept");
    let by = repo.git(&["rev-parse", "--short=10", "HEAD"]);
    repo.ok(&["show", "slim"]).prints(&["reopened", &format!("{by} reverts the revert")]);
    repo.ok(&["doctor"]);
}

#[test]
fn a_rejecting_hook_or_a_conflict_leaves_all_as_it_was() {
    let repo = project();
    attempt(&repo, "slim", 1000);
    repo.ok(&["keep", "--because", "x"]);
    push(&repo);
    repo.script(".git/hooks/commit-msg", "echo not today >&2\nexit 1\n");
    repo.refuses(3, &["undo"]).says(&["not today", "everything is as it was before"]);
    assert_eq!(state(&repo, "slim"), "kept");
    std::fs::remove_file(repo.path().join(".git/hooks/commit-msg")).unwrap();
    repo.write("app", "y".repeat(500));
    repo.commit("feat: on top of it");
    repo.refuses(3, &["undo"]).says(&["would conflict in app"]);
}
