//! What `log` and `show` tell: filters and formats, decisions in a history that was rewritten, clones without a ledger.

use crate::common::Repo;
use serde_json::Value;
use std::sync::LazyLock;

const CONFIG: &str = "version = 1\n[steps.build]\nrun = \"./build.sh\"\n[metrics.size]\npath = \"out\"\n";
const LEDGER: &str = "refs/verdict/ledger";

fn build(repo: &Repo, bytes: usize) {
    repo.script("build.sh", &format!("head -c {bytes} /dev/zero > out\n"));
}

fn attempt(repo: &Repo, start: &[&str], bytes: usize) {
    repo.ok(&[&["start"], start, &["--hypothesis", "fewer zeros"]].concat());
    build(repo, bytes);
    repo.commit(&format!("perf: {bytes} bytes"));
    repo.ok(&["measure"]);
}

/// `slim` was kept, `fat` on top of it was reverted, `waiting` is measured and open. Made once, copied by each test.
static STORY: LazyLock<Repo> = LazyLock::new(|| {
    let repo = Repo::with(&[("verdict.toml", CONFIG), (".gitignore", "out\n")]);
    build(&repo, 4000);
    repo.commit("feat: a build");
    attempt(&repo, &["slim"], 1000);
    repo.ok(&["keep", "--because", "a quarter is enough"]);
    attempt(&repo, &["fat", "--on", "slim"], 5000);
    repo.git(&["config", "user.name", "Someone Else"]);
    repo.ok(&["revert", "--because", "=it grew, \"a lot\" | and more"]);
    attempt(&repo, &["waiting", "--on", "slim"], 900);
    repo.git(&["switch", "--quiet", "main"]);
    repo
});

fn story() -> Repo {
    let copy = Repo::empty();
    let from = STORY.path().join(".");
    let done = copy.run_in(copy.path(), "cp", &["-a", from.to_str().unwrap(), "."], None);
    assert_eq!(done.code, Some(0), "{}", done.report());
    copy
}

fn names(repo: &Repo, filters: &[&str]) -> Vec<String> {
    let log = repo.json(&[&["log"], filters].concat());
    let decisions = log["decisions"].as_array().unwrap();
    decisions.iter().map(|one| one["experiment"].as_str().unwrap().to_string()).collect()
}

fn in_history(repo: &Repo, name: &str) -> Value {
    repo.json(&["show", name])["in_history"].clone()
}

#[test]
fn every_filter_of_log_leaves_what_it_says() {
    let repo = story();
    for (filters, wanted) in [
        (&[][..], &["fat", "slim"][..]),
        (&["--all"], &["waiting", "fat", "slim"]),
        (&["-n", "1"], &["fat"]),
        (&["--skip", "1"], &["slim"]),
        (&["--all", "-n", "1", "--skip", "1"], &["fat"]),
        (&["--state", "kept"], &["slim"]),
        (&["--state", "measured", "--state", "kept"], &["waiting", "slim"]),
        (&["--state", "open"], &[]),
        (&["--metric", "size"], &["fat", "slim"]),
        (&["--metric", "siz"], &[]),
        (&["--path", "build.sh"], &["fat", "slim"]),
        (&["--path", "*.sh", "--all", "-n", "2"], &["waiting", "fat"]),
        (&["--path", "src/**"], &[]),
        (&["--author", "someone"], &["fat"]),
        (&["--author", "AUTHOR@example"], &["fat", "slim"]),
        (&["--grep", "QUARTER"], &["slim"]),
        (&["--grep", "fewer zeros", "-n", "1", "--skip", "1"], &["slim"]),
        (&["--since", "1 hour ago", "--until", "today"], &["fat", "slim"]),
        (&["--until", "2 days ago"], &[]),
    ] {
        assert_eq!(names(&repo, filters), wanted, "{filters:?}");
    }
    repo.ok(&["log", "--state", "archived"]).prints(&["no decision is like that"]);
    repo.refuses(2, &["log", "--since", "soonish"]).says(&["'soonish' is no date"]);
    repo.refuses(2, &["log", "--path", "["]).says(&["--path"]);
    let whole = repo.json(&["log", "--all"]);
    let fat = &whole["decisions"][1];
    assert_eq!((&fat["title"], &fat["hypothesis"]), (&"fat".into(), &"fewer zeros".into()), "{fat}");
    assert_eq!(fat["decision"]["by"]["name"], "Someone Else");
    assert_eq!(fat["stands_on"], whole["decisions"][2]["id"]);
    assert_eq!(whole["decisions"][0]["comparison"][0]["candidate"], 900.0);
}

#[test]
fn a_list_is_text_a_table_cells_lines_of_json_or_a_tree() {
    let repo = story();
    let lines = |words: &[&str]| repo.ok(words).stdout.lines().map(str::to_string).collect::<Vec<_>>();
    let markdown = lines(&["log", "--format", "markdown"]);
    assert_eq!(markdown[0], "| date | state | experiment | change | why |");
    assert!(
        markdown[2].ends_with("| reverted | `fat` | size +400.0 % | =it grew, \"a lot\" \\| and more |"),
        "{markdown:?}"
    );
    let csv = lines(&["log", "--all", "--format", "csv"]);
    assert_eq!(csv.len(), 4);
    assert!(csv[2].contains(",size,B,lower,1000,5000,4,,,"), "{csv:?}");
    assert!(csv[2].ends_with(",regressed,\"'=it grew, \"\"a lot\"\" | and more\",,,,,,"), "{csv:?}");
    let one: Value = serde_json::from_str(&lines(&["log", "--jsonl", "--all"])[1]).unwrap();
    assert_eq!((&one["schema"], &one["experiment"]), (&"git-verdict/log-entry".into(), &"fat".into()));
    let tree = lines(&["log", "--graph", "--all"]);
    let shape: Vec<&str> = tree.iter().map(|line| line[23..].split("  size").next().unwrap()).collect();
    assert_eq!(shape, ["slim", "|- waiting", "`- fat"], "{tree:?}");
}

#[test]
fn a_decision_is_found_again_by_its_commits_its_record_its_tree_and_its_patch() {
    let repo = story();
    for name in ["slim", "fat"] {
        assert_eq!(in_history(&repo, name)["found"]["by"], "commit", "{name}");
    }
    let merge = in_history(&repo, "slim")["found"]["commit"].as_str().unwrap().to_string();
    let merge = merge.as_str();
    let begin = repo.git(&["rev-parse", &format!("{merge}^1")]);
    // What a server does that squashes: the tree of the merge, one commit, another message.
    let squash = |tree: &str, message: &str| {
        let id = repo.git(&["commit-tree", tree, "-p", &begin, "-m", message]);
        repo.git(&["update-ref", "refs/heads/main", &id]);
        id
    };
    let full = repo.git(&["log", "-1", "--format=%B", merge]);
    let named = squash(&format!("{merge}^{{tree}}"), &full);
    let by_record = in_history(&repo, "slim");
    assert_eq!((&by_record["found"]["by"], &by_record["found"]["commit"]), (&"record".into(), &named.into()));
    let bare = squash(&format!("{merge}^{{tree}}"), "perf: squashed");
    let by_tree = in_history(&repo, "slim");
    assert_eq!((&by_tree["found"]["by"], &by_tree["found"]["commit"]), (&"tree".into(), &bare.clone().into()));
    repo.ok(&["show", "slim"]).prints(&[&format!("in history  {bare}, found by tree")]);
    // The base moved on first: another tree, the same change.
    repo.git(&["reset", "--quiet", "--hard", &begin]);
    repo.write("other.txt", "elsewhere\n");
    repo.commit("feat: something else");
    repo.git(&["cherry-pick", &format!("{merge}^2")]);
    let picked = repo.git(&["rev-parse", "HEAD"]);
    let by_patch = in_history(&repo, "slim");
    assert_eq!((&by_patch["found"]["by"], &by_patch["found"]["commit"]), (&"patch".into(), &picked.into()));
    assert_eq!(in_history(&repo, "slim"), by_patch, "what is remembered is the same");
    repo.git(&["reset", "--quiet", "--hard", "HEAD^"]);
    assert_eq!(in_history(&repo, "slim")["found"], Value::Null);
    repo.ok(&["show", "slim"]).prints(&["not in the history of main"]);
    repo.git(&["branch", "-m", "main", "trunk"]);
    repo.ok(&["show", "slim"]).prints(&["main is not here"]);
}

#[test]
fn a_rebased_series_is_found_by_its_whole_change() {
    let repo = Repo::with(&[("verdict.toml", CONFIG), (".gitignore", "out\n")]);
    build(&repo, 4000);
    repo.commit("feat: a build");
    repo.ok(&["start", "two", "--hypothesis", "two steps"]);
    build(&repo, 3000);
    repo.commit("perf: 3000 bytes");
    repo.write("note.txt", "why\n");
    build(&repo, 2000);
    repo.commit("perf: 2000 bytes");
    repo.ok(&["measure"]);
    repo.ok(&["keep", "--because", "half is enough"]);
    repo.git(&["branch", "series", "main^2"]);
    repo.git(&["reset", "--quiet", "--hard", "main^1"]);
    repo.write("other.txt", "elsewhere\n");
    repo.commit("feat: something else");
    repo.git(&["switch", "--quiet", "series"]);
    repo.git(&["rebase", "--quiet", "main"]);
    repo.git(&["switch", "--quiet", "main"]);
    repo.git(&["merge", "--quiet", "--ff-only", "series"]);
    let found = in_history(&repo, "two");
    assert_eq!(
        (&found["found"]["by"], &found["found"]["commit"]),
        (&"patch".into(), &repo.git(&["rev-parse", "main"]).into())
    );
}

#[test]
fn a_history_that_was_filtered_as_a_whole_still_holds_the_decision() {
    let mut repo = Repo::with(&[("verdict.toml", CONFIG), (".gitignore", "out\n"), ("secret.txt", "once\n")]);
    repo.set("FILTER_BRANCH_SQUELCH_WARNING", "1");
    build(&repo, 4000);
    repo.commit("feat: a build");
    attempt(&repo, &["slim"], 2000);
    repo.ok(&["keep", "--because", "smaller is better"]);
    let original = repo.git(&["rev-parse", "main"]);
    let filtered = |filters: &[&str]| {
        repo.git(&["update-ref", "refs/heads/main", &original]);
        repo.git(&["reset", "--quiet", "--hard"]);
        let _ = repo.try_git(&["update-ref", "-d", "refs/original/refs/heads/main"]);
        repo.git(&[&["filter-branch", "-f"], filters, &["main"]].concat());
        let found = in_history(&repo, "slim")["found"].clone();
        let commit = found["commit"].as_str().unwrap();
        let within = |tip: &str| repo.try_git(&["merge-base", "--is-ancestor", commit, tip]).code == Some(0);
        assert!(within("main") && !within(&original), "{filters:?}: {found}");
        found["by"].as_str().unwrap().to_string()
    };
    let dropped = "git rm -q --cached --ignore-unmatch secret.txt";
    let authors = "GIT_AUTHOR_EMAIL=new@example.invalid";
    let no_trailers = "sed /^Verdict/d";
    assert_eq!(filtered(&["--index-filter", dropped]), "record", "the messages are as they were");
    assert_eq!(filtered(&["--env-filter", authors, "--msg-filter", no_trailers]), "tree");
    assert_eq!(filtered(&["--index-filter", dropped, "--msg-filter", no_trailers]), "patch");
}

#[test]
fn a_clone_without_the_ledger_tells_what_the_commits_tell_and_says_what_is_missing() {
    let repo = story();
    repo.git(&["update-ref", "-d", LEDGER]);
    let ran = repo.ok(&["log"]);
    ran.says(&["rebuilt from 2 commit messages; the ledger is not here: git verdict sync"]);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines[0].contains("reverted   fat  size +400.0 %") && lines[1].trim() == "revert: fat", "{}", ran.report());
    assert!(lines[2].contains("kept       slim  size -75.0 %") && lines.len() == 4, "{}", ran.report());
    assert_eq!(names(&repo, &["--state", "kept"]), ["slim"]);
    assert_eq!(names(&repo, &["--grep", "FAT", "-n", "1"]), ["fat"]);
    let ran = repo.ok(&["show", "fat"]);
    ran.says(&["the ledger is not here"]).prints(&["fat (reverted): revert: fat", "told by", "size"]);
    let shown = repo.json(&["show", "slim"]);
    assert_eq!(shown["experiment"]["comparison"][0]["candidate"], 1000.0);
    repo.refuses(2, &["show", "nothing"]).says(&["there is no experiment 'nothing'"]);
    let empty = Repo::empty();
    empty.ok(&["log"]).prints(&["no decisions yet"]);
}

#[test]
fn a_record_of_a_later_version_is_named_and_the_others_are_listed() {
    let repo = story();
    let log = repo.git(&["ls-tree", "-r", "--format=%(path)", LEDGER]);
    let path = log.lines().find(|line| line.starts_with("events")).unwrap();
    let text = repo.git(&["cat-file", "-p", &format!("{LEDGER}:{path}")]).replacen("\"version\":1", "\"version\":2", 1);
    let blob = repo.git_with_input(&["hash-object", "-w", "--stdin"], &text);
    let variable = format!("GIT_INDEX_FILE={}", repo.path().join("planting").display());
    let run = |words: &[&str]| {
        let ran = repo.run_in(repo.path(), "env", &[&[variable.as_str()], words].concat(), None);
        assert_eq!(ran.code, Some(0), "{}", ran.report());
        ran.stdout.trim().to_string()
    };
    run(&["git", "read-tree", LEDGER]);
    run(&["git", "update-index", "--cacheinfo", &format!("100644,{},{path}", blob.trim())]);
    let tree = run(&["git", "write-tree"]);
    let commit = run(&["git", "commit-tree", &tree, "-p", LEDGER, "-m", "planted"]);
    repo.git(&["update-ref", LEDGER, &commit]);
    let ran = repo.ok(&["log", "--all"]);
    ran.says(&["has format version 2", "git verdict doctor --ledger"]);
    assert!(ran.stdout.lines().count() >= 4, "{}", ran.report());
}

#[test]
fn doctor_reads_every_record_and_names_what_is_broken() {
    let repo = story();
    let fine = repo.ok(&["doctor", "--ledger"]);
    fine.prints(&["ok   records", "ok   index", "ok   objects      git fsck finds nothing wrong"]);
    let list = repo.git(&["ls-tree", "-r", "--format=%(objectname) %(path)", LEDGER]);
    let (blob, path) = list.lines().find(|line| line.contains("events")).unwrap().split_once(' ').unwrap();
    let id = path.rsplit('/').next().unwrap().trim_end_matches(".json");
    let object = repo.path().join(".git/objects").join(&blob[..2]).join(&blob[2..]);
    let hidden = repo.path().join("hidden");
    std::fs::rename(&object, &hidden).unwrap();
    let broken = repo.expect(1, &["doctor", "--ledger"]);
    broken.prints(&["BAD  records", &format!("record {id} cannot be read"), "BAD  objects", blob]);
    let told: Value = serde_json::from_str(&repo.expect(1, &["doctor", "--ledger", "--json"]).stdout).unwrap();
    assert_eq!((&told["schema"], &told["findings"][0]["fine"]), (&"git-verdict/doctor-ledger".into(), &false.into()));
    std::fs::rename(&hidden, &object).unwrap();
    repo.ok(&["doctor", "--ledger"]);
    let index = repo.path().join(".git/verdict/index/head");
    std::fs::write(&index, "damaged").unwrap();
    repo.ok(&["doctor", "--ledger"]).prints(&["ok   index"]);
    Repo::empty().ok(&["doctor", "--ledger"]).prints(&["there is no ledger here yet"]);
}
