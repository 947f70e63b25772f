//! Whole ways through the program, driven as a user drives it, in real repositories.

use crate::common::Repo;
use serde_json::Value;

const CONFIG: &str = "version = 1\n[steps.build]\nrun = \"./build.sh\"\n[metrics.size]\npath = \"out\"\n";

fn build(repo: &Repo, bytes: usize) {
    repo.script("build.sh", &format!("head -c {bytes} /dev/zero > out\n"));
}

fn project() -> Repo {
    let repo = Repo::with(&[("verdict.toml", CONFIG), (".gitignore", "out\n")]);
    build(&repo, 4000);
    repo.commit("feat: a build");
    repo
}

/// Starts an experiment, changes the size of what is built, measures.
fn attempt(repo: &Repo, start: &[&str], bytes: usize) -> Value {
    repo.ok(&[&["start"], start, &["--hypothesis", "smaller"]].concat());
    build(repo, bytes);
    repo.commit(&format!("perf: {bytes} bytes"));
    repo.json(&["measure"])
}

fn names(log: &Value) -> Vec<&str> {
    log["decisions"].as_array().unwrap().iter().map(|d| d["experiment"].as_str().unwrap()).collect()
}

#[test]
fn a_kept_change_is_on_the_base_with_its_numbers_and_in_the_log() {
    let repo = project();
    let measured = attempt(&repo, &["slim"], 1000);
    assert_eq!(measured["schema"], "git-verdict/measure");
    let row = &measured["measured"]["comparison"][0];
    assert_eq!((row["base"].as_f64(), row["candidate"].as_f64()), (Some(4000.0), Some(1000.0)), "{row}");
    assert_eq!(row["word"], "improved");
    assert_eq!(measured["measured"]["recommendation"]["advice"], "keep");
    repo.ok(&["keep", "--because", "a quarter is enough"]);
    assert_eq!(repo.git(&["branch", "--show-current"]), "main");
    assert!(repo.read("build.sh").contains("1000"));
    assert_eq!(repo.git(&["rev-list", "--count", "--merges", "main"]), "1");
    let trailers = repo.trailers("main");
    assert!(trailers.contains(&("Verdict".into(), "keep".into())), "{trailers:?}");
    let metric = trailers.iter().find(|(key, _)| key == "Verdict-Metric").unwrap();
    assert_eq!(metric.1, "size 4000 B -> 1000 B -75.0% exact improved");
    assert_eq!(names(&repo.json(&["log"])), ["slim"]);
    assert_eq!(repo.json(&["status"])["experiments"], Value::Array(vec![]));
}

#[test]
fn a_revert_by_merge_leaves_the_base_as_it_was_and_both_commits_reachable() {
    let repo = project();
    let base = repo.git(&["rev-parse", "main"]);
    attempt(&repo, &["fat"], 5000);
    let attempt = repo.git(&["rev-parse", "HEAD"]);
    repo.ok(&["revert", "--because", "it grew"]);
    assert_eq!(repo.git(&["diff", &base, "main"]), "");
    repo.git(&["merge-base", "--is-ancestor", &attempt, "main"]);
    let message = repo.git(&["log", "-1", "--format=%B", "main^2"]);
    assert!(message.starts_with("revert: fat\n"), "{message}");
    assert!(message.contains(&format!("This reverts commit {attempt}.")), "{message}");
}

#[test]
fn adopted_commits_are_reverted_in_place_by_one_commit() {
    let repo = project();
    let base = repo.git(&["rev-parse", "HEAD"]);
    build(&repo, 4500);
    repo.commit("perf: one");
    build(&repo, 5000);
    repo.commit("perf: two");
    let started = repo.json(&["start", "both", "--hypothesis", "faster", "--adopt", "HEAD~2..HEAD"]);
    assert_eq!(started["base"], base.as_str());
    assert_eq!(repo.git(&["branch", "--show-current"]), "main", "adopting leaves the work tree alone");
    repo.write("later.txt", "the base moves on\n");
    repo.commit("feat: later");
    repo.ok(&["measure", "both"]);
    repo.ok(&["revert", "both", "--because", "it grew", "--mode", "in-place"]);
    assert_eq!(repo.git(&["diff", "--stat", &base, "main", "--", "build.sh"]), "");
    assert_eq!(repo.git(&["rev-list", "--count", "--merges", "main"]), "0");
    let message = repo.git(&["log", "-1", "--format=%B", "main"]);
    assert_eq!(message.matches("This reverts commit").count(), 2, "{message}");
}

#[test]
fn an_archived_attempt_leaves_its_decision_file_and_its_commits() {
    let repo = project();
    attempt(&repo, &["fat"], 5000);
    let attempt = repo.git(&["rev-parse", "HEAD"]);
    repo.ok(&["revert", "--because", "it grew", "--mode", "archive"]);
    assert_eq!(repo.git(&["rev-parse", "refs/verdict/archive/fat"]), attempt);
    assert!(!repo.git(&["log", "--format=%H", "main"]).contains(&attempt));
    assert_eq!(repo.git(&["diff", "--name-only", "main^", "main"]), "docs/adr/0001-fat.md");
    assert!(repo.read("docs/adr/0001-fat.md").contains("it grew"));
    assert_eq!(repo.json(&["show", "fat"])["experiment"]["state"], "archived");
}

#[test]
fn a_dry_run_shows_the_exact_messages_and_touches_nothing() {
    let repo = project();
    attempt(&repo, &["fat"], 5000);
    let before = repo.snapshot();
    let shown = repo.json(&["revert", "--because", "it grew", "--dry-run"]);
    assert_eq!(repo.snapshot(), before);
    assert!(shown["steps"].as_array().unwrap().len() >= 4, "{shown}");
    repo.ok(&["revert", "--because", "it grew"]);
    let landed = repo.git(&["log", "-1", "--format=%B", "main^2"]);
    let without_record = |text: &str| -> Vec<String> {
        text.trim().lines().filter(|l| !l.starts_with("Verdict-Record")).map(String::from).collect()
    };
    assert_eq!(without_record(&landed), without_record(shown["texts"]["revert"].as_str().unwrap()));
}

#[test]
fn a_stacked_experiment_is_judged_against_the_one_it_stands_on() {
    let repo = project();
    attempt(&repo, &["first"], 2000);
    let second = attempt(&repo, &["second", "--on", "first"], 1900);
    let row = &second["measured"]["comparison"][0];
    assert_eq!((row["base"].as_f64(), row["candidate"].as_f64()), (Some(2000.0), Some(1900.0)), "{row}");
    repo.ok(&["keep", "first", "--because", "half"]);
    repo.git(&["switch", "-q", "verdict/second"]);
    let again = repo.json(&["measure"]);
    assert_eq!(again["measured"]["comparison"][0]["base"].as_f64(), Some(2000.0), "still against the first one");
    let compared = repo.json(&["compare"]);
    let options = compared["options"].as_array().unwrap();
    assert_eq!(options[1]["stands_on"], "first");
    assert_eq!(options[1]["totals"][0]["base"].as_f64(), Some(4000.0), "in all, against the base of the stack");
    assert_eq!(options[1]["totals"][0]["candidate"].as_f64(), Some(1900.0));
    assert_eq!(options[0]["beaten_by"], Value::Null, "fewer lines changed");
}

#[test]
fn nothing_stands_on_what_was_reverted() {
    let repo = project();
    attempt(&repo, &["fat"], 5000);
    repo.ok(&["revert", "--because", "it grew"]);
    repo.refuses(3, &["start", "more", "--on", "fat", "--hypothesis", "x"]).says(&["did not stay", "--on main"]);
}

#[test]
fn an_abandoned_experiment_is_in_no_list_of_decisions_but_still_known() {
    let repo = project();
    attempt(&repo, &["fat"], 5000);
    repo.ok(&["abandon", "--because", "wrong idea"]);
    assert_eq!(names(&repo.json(&["log"])), Vec::<&str>::new());
    assert_eq!(names(&repo.json(&["log", "--all"])), ["fat"]);
    repo.git(&["rev-parse", "--verify", "verdict/fat"]);
    repo.refuses(3, &["keep", "fat", "--because", "x"]);
}

#[test]
fn uncommitted_changes_follow_a_start_at_head_and_are_named_when_measuring() {
    let repo = project();
    build(&repo, 1000);
    repo.ok(&["start", "slim", "--hypothesis", "smaller"]);
    assert_eq!(repo.git(&["branch", "--show-current"]), "verdict/slim");
    assert!(repo.read("build.sh").contains("1000"));
    repo.commit("perf: smaller");
    build(&repo, 900);
    let ran = repo.ok(&["measure"]);
    ran.says(&["uncommitted changes are not measured"]);
    assert!(ran.stdout.contains("1000 B") || ran.stdout.contains("1.0 kB"), "{}", ran.report());
}

#[test]
fn weigh_needs_no_configuration_and_leaves_no_record() {
    let repo = Repo::empty();
    build(&repo, 4000);
    repo.commit("feat: a build");
    build(&repo, 1000);
    repo.commit("perf: less");
    let before = repo.snapshot();
    let weighed = repo.json(&["weigh", "HEAD~1", "HEAD", "--run", "./build.sh", "--size", "out"]);
    assert_eq!(weighed["comparison"][0]["word"], "improved", "{weighed}");
    assert_eq!(weighed["recommendation"]["advice"], "keep");
    assert_eq!(repo.snapshot(), before);
    let same = repo.json(&["weigh", "HEAD", "HEAD", "--run", "./build.sh", "--size", "out"]);
    assert_eq!(same["comparison"][0]["word"], "unchanged", "{same}");
}

#[test]
fn a_template_of_the_repository_is_used_and_a_broken_one_loses_nothing() {
    let repo = project();
    attempt(&repo, &["fat"], 5000);
    repo.write(".verdict/templates/revert.txt.j2", "{{ subject }\n");
    repo.git(&["add", "-A"]);
    repo.git(&["commit", "-qm", "docs: a template"]);
    repo.ok(&["measure"]);
    repo.refuses(2, &["revert", "--because", "it grew"]).says(&["revert.txt.j2:1"]);
    repo.write(".verdict/templates/revert.txt.j2", "{{ subject }}\n\nour own words: {{ because }}\n");
    repo.commit("docs: mend the template");
    repo.ok(&["measure"]);
    repo.ok(&["revert", "--because", "it grew"]);
    let message = repo.git(&["log", "-1", "--format=%B", "main^2"]);
    assert!(message.contains("our own words: it grew") && message.contains("Verdict: revert"), "{message}");
}

#[test]
fn the_language_is_chosen_by_flag() {
    let repo = project();
    attempt(&repo, &["fat"], 5000);
    repo.ok(&["--lang", "zh-CN", "revert", "--because", "变大了"]);
    let message = repo.git(&["log", "-1", "--format=%B", "main^2"]);
    assert!(message.contains("变大了") && message.contains("实验 fat 使 size 增加"), "{message}");
    assert!(repo.trailers("main^2").contains(&("Verdict".into(), "revert".into())));
}

#[test]
fn init_writes_a_configuration_that_fits_and_never_overwrites_one() {
    for (file, text, preset) in [
        ("Containerfile", "FROM scratch\n", "docker"),
        ("Cargo.toml", "[package]\nname = \"x\"\nversion = \"0.1.0\"\n", "cargo"),
        ("package.json", "{\"name\": \"x\", \"version\": \"1.0.0\", \"scripts\": {\"build\": \"true\"}}\n", "npm"),
        ("pyproject.toml", "[project]\nname = \"x\"\nversion = \"1\"\n", "python"),
    ] {
        let repo = Repo::with(&[(file, text)]);
        let dry = repo.json(&["init", "--dry-run"]);
        assert_eq!(dry["preset"], preset, "{dry}");
        assert!(!repo.path().join("verdict.toml").exists());
        repo.ok(&["init"]).prints(&["wrote verdict.toml", "metric "]);
        assert_eq!(repo.read("verdict.toml"), dry["text"].as_str().unwrap());
        assert!(repo.json(&["doctor"])["findings"].as_array().unwrap().iter().all(|f| f["fine"] == true));
        repo.refuses(3, &["init"]).says(&["there is a verdict.toml already"]);
    }
    let repo = Repo::with(&[("main.c", "int main(void) { return 0; }\n")]);
    repo.refuses(2, &["init"]).says(&["--preset docker|cargo|go|npm|python"]);
}

#[test]
fn where_a_change_came_from_is_in_the_record_the_message_and_show() {
    let config = "version = 1\n[steps.build]\nrun = \"./build.sh\"\n[metrics.dist]\npath = \"dist\"\n";
    let repo = Repo::with(&[("verdict.toml", config), (".gitignore", "dist\n")]);
    repo.script("build.sh", "mkdir -p dist; head -c 1000 /dev/zero > dist/app\n");
    repo.commit("feat: a build");
    repo.ok(&["start", "fat", "--hypothesis", "maps help"]);
    repo.script(
        "build.sh",
        "mkdir -p dist/maps; head -c 900 /dev/zero > dist/app; head -c 50000 /dev/zero > dist/maps/app.map\n",
    );
    repo.commit("perf: maps");
    let measured = repo.json(&["measure"]);
    let attribution = &measured["measured"]["origins"][0]["attribution"];
    let rows = attribution["rows"].as_array().unwrap();
    let explained: i64 = rows.iter().map(|row| row["change"].as_i64().unwrap()).sum();
    assert_eq!(explained + attribution["unexplained"].as_i64().unwrap(), 50000 - 100, "to the byte: {attribution}");
    repo.ok(&["show", "fat", "--where"]).prints(&["dist: what changed, where", "app.map"]);
    repo.ok(&["revert", "--because", "nobody needs maps"]);
    let message = repo.git(&["log", "-1", "--format=%B", "main^2"]);
    assert!(message.contains("Where: +") && message.contains("app.map"), "{message}");
    let quiet = repo.json(&["show", "fat"]);
    assert_eq!(quiet["experiment"]["state"], "reverted");
}
