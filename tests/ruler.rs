//! A candidate that changes its own ruler, or knows it too well, through the built binary.

use crate::common::{Repo, schemas::hold};
use serde_json::Value;

const CONFIG: &str = "version = 1\n[metrics.cost]\nrun = \"sh cost.sh\"\n[checks]\nunit = \"sh tests/unit.sh\"\n";

/// Costs are read from `work`, by `cost.sh`.
fn repo(config: &str) -> Repo {
    let mut repo = Repo::with(&[
        ("verdict.toml", config),
        ("work", "100\n"),
        ("cost.sh", "cat work\n"),
        ("answer", "42\n"),
        ("tests/unit.sh", "test \"$(cat answer)\" = 42\n"),
    ]);
    repo.set("GIT_VERDICT_TRUST", "1");
    repo.ok(&["start", "cheap", "--hypothesis", "it costs less"]);
    repo
}

fn measured(repo: &Repo, words: &[&str]) -> Value {
    let words = [&["measure", "--json"], words].concat();
    let ran = repo.ok(&words);
    hold(&ran.line, &ran.stdout);
    serde_json::from_str::<Value>(&ran.stdout).unwrap()["measured"].clone()
}

#[test]
fn a_metric_that_was_made_to_say_less_is_measured_by_the_bases_script() {
    let repo = repo(CONFIG);
    repo.write("cost.sh", "echo 50\n");
    repo.write("work", "101\n");
    repo.commit("perf: half the cost");
    let found = measured(&repo, &[]);
    assert_eq!(found["ruler"]["changed"], serde_json::json!(["cost.sh"]));
    assert_eq!(found["ruler"]["by_base"], true);
    assert_eq!(
        (&found["comparison"][0]["candidate"], &found["ruler"]["own"][0]["candidate"]),
        (&101.0.into(), &50.0.into())
    );
    assert_eq!(found["recommendation"]["advice"], "revert");
    let reasons = found["recommendation"]["reasons"].to_string();
    assert!(
        reasons.contains("the candidate changed what measures it (cost.sh): these numbers are by the base's ruler"),
        "{reasons}"
    );
    assert!(reasons.contains("cost is improved by the candidate's own ruler and unchanged by the base's"), "{reasons}");
    repo.ok(&["show", "cheap"]).prints(&["by the candidate's own ruler:", "cost.sh"]);
    for command in ["status", "compare"] {
        repo.ok(&[command]).prints(&["because the candidate changed its own: cost.sh"]);
    }
    assert_eq!(repo.json(&["status"])["experiments"][0]["ruler"]["changed"][0], "cost.sh");
    assert_eq!(repo.json(&["compare"])["options"][0]["ruler"]["by_base"], true);
    let draft = repo.ok(&["keep", "--because", "still", "--dry-run"]).stdout;
    assert!(draft.contains("The candidate changed what measures it: cost.sh."), "{draft}");
    repo.ok(&["keep", "--because", "still"]);
    // Chinese, too.
    repo.ok(&["show", "cheap", "--lang", "zh-CN"]).prints(&["按候选方自己的测量方式"]);
}

#[test]
fn a_test_that_was_made_to_pass_fails_by_the_bases() {
    let repo = repo(CONFIG);
    repo.write("work", "50\n");
    repo.write("answer", "41\n");
    repo.write("tests/unit.sh", "true\n");
    repo.commit("perf: half the cost, and what the test says is not needed");
    let found = measured(&repo, &[]);
    assert_eq!(found["ruler"]["changed"], serde_json::json!(["tests/unit.sh"]));
    let checks = found["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 1, "{checks:?}");
    assert_eq!((&checks[0]["passed"], &checks[0]["side"]), (&false.into(), &1.into()));
    assert_eq!(found["recommendation"]["advice"], "revert");
    repo.refuses(3, &["keep", "--because", "cheaper"]).says(&["check 'unit' failed"]);
}

#[test]
fn a_configuration_that_says_less_is_marked_and_the_bases_is_held_to_the_candidate() {
    let repo = repo(&format!("{CONFIG}[metrics.size]\npath = \"work\"\nlimit = \"4 B\"\n"));
    repo.write("verdict.toml", format!("{CONFIG}[metrics.size]\npath = \"work\"\nlimit = \"9 B\"\n"));
    repo.write("work", "50\n");
    repo.commit("perf: half the cost, another limit");
    let found = measured(&repo, &[]);
    assert_eq!(found["ruler"]["changed"], serde_json::json!(["verdict.toml: limit of size"]));
    assert_eq!(found["ruler"]["by_base"], true);
    assert_eq!(found["comparison"][1]["limit"], 4.0, "the base's: {}", found["comparison"]);
    assert_eq!(found["ruler"]["own"][1]["limit"], 9.0);
    assert_eq!(found["recommendation"]["advice"], "keep");
    repo.ok(&["keep", "--because", "cheaper by either"]);
    assert!(
        !repo
            .path()
            .join(".git/verdict/sessions")
            .read_dir()
            .unwrap()
            .any(|one| { one.unwrap().path().extension().is_some_and(|extension| extension == "jsonl") })
    );
}

#[test]
fn a_metric_and_a_check_that_the_configuration_gave_another_command_are_those_of_the_base() {
    let repo = repo(CONFIG);
    let lax = CONFIG.replace("sh cost.sh", "echo 50").replace("sh tests/unit.sh", "true");
    repo.write("verdict.toml", &lax);
    repo.write("answer", "41\n");
    repo.commit("perf: half the cost");
    let found = measured(&repo, &[]);
    assert_eq!(found["ruler"]["changed"], serde_json::json!(["verdict.toml: metric cost", "verdict.toml: check unit"]));
    assert_eq!(
        (&found["comparison"][0]["candidate"], &found["ruler"]["own"][0]["candidate"]),
        (&100.0.into(), &50.0.into())
    );
    assert_eq!((&found["checks"][0]["passed"], &found["checks"][0]["side"]), (&false.into(), &1.into()));
    repo.refuses(3, &["keep", "--because", "cheaper"]).says(&["check 'unit' failed"]);
    // In CI the same.
    let told = repo.json_no(&["check", "--measure", "--against", "main"]);
    assert_eq!(told["comparison"][0]["candidate"], 100.0, "{told:#}");
    assert!(told["findings"].to_string().contains("check 'unit' fails"), "{told:#}");
}

#[test]
fn a_base_whose_configuration_does_not_fit_the_candidate_any_more_leaves_the_decision_to_a_person() {
    let steps = "[steps.build]\nrun = \"sh make.sh\"\n";
    let repo = repo(&format!("{CONFIG}{steps}"));
    repo.write("make.sh", "true\n");
    repo.commit("build: it is made");
    repo.git(&["branch", "--force", "main", "HEAD"]);
    repo.git(&["rm", "--quiet", "make.sh"]);
    repo.write("verdict.toml", format!("{CONFIG}{}", steps.replace("sh make.sh", "true")));
    repo.write("work", "50\n");
    repo.commit("perf: half the cost, made in another way");
    let ran = repo.ok(&["measure", "--json"]);
    ran.says(&["the base's verdict.toml cannot be held to it: candidate: step build failed"]);
    let found = &serde_json::from_str::<Value>(&ran.stdout).unwrap()["measured"];
    assert_eq!((&found["ruler"]["by_base"], &found["recommendation"]["advice"]), (&false.into(), &"trade-off".into()));
    repo.refuses(3, &["keep", "--because", "cheaper"]).says(&["the candidate changed what measures it", "--force"]);
    repo.ok(&["keep", "--because", "cheaper", "--force"]);
}

#[test]
fn the_commands_of_the_bases_configuration_are_trusted_like_all_others() {
    let theirs = repo(CONFIG);
    theirs.git(&["switch", "--quiet", "main"]);
    let mut clone = Repo::empty();
    let state = tempfile::tempdir().unwrap();
    clone.set("XDG_STATE_HOME", state.path().to_str().unwrap());
    clone.git(&["pull", "--quiet", theirs.path().to_str().unwrap(), "main"]);
    clone.ok(&["start", "cheap", "--hypothesis", "it costs less"]);
    // All that the new configuration names was written here; what the base's names was not.
    clone.write("verdict.toml", "version = 1\n[metrics.cost]\nrun = \"echo 50\"\n");
    clone.commit("perf: half the cost");
    clone.refuses(3, &["measure"]).says(&["not trusted", "not committed in this clone: verdict.toml"]);
    clone.ok(&["trust", "--yes"]).prints(&["metric cost", "sh cost.sh"]);
    assert_eq!(measured(&clone, &[])["ruler"]["by_base"], true);
}

#[test]
fn with_own_ruler_the_bases_is_not_held_to_it_and_the_record_says_so() {
    let repo = repo(CONFIG);
    repo.write("cost.sh", "echo 50\n");
    repo.commit("perf: half the cost");
    let found = measured(&repo, &["--own-ruler"]);
    assert_eq!((&found["ruler"]["by_base"], &found["comparison"][0]["candidate"]), (&false.into(), &50.0.into()));
    assert_eq!(found["sides"].as_array().unwrap().len(), 2);
    repo.refuses(3, &["keep", "--because", "cheaper"]).says(&["cost.sh"]);
}

#[test]
fn what_adds_to_the_ruler_or_is_only_built_is_not_marked() {
    let repo = repo(CONFIG);
    repo.write("work", "50\n");
    repo.write("tests/new.sh", "true\n");
    repo.write("verdict.toml", format!("{CONFIG}[metrics.size]\npath = \"work\"\n"));
    repo.commit("perf: half the cost, one more metric and test");
    let found = measured(&repo, &[]);
    assert_eq!(found["ruler"], Value::Null);
    assert_eq!(found["recommendation"]["advice"], "keep");
}

/// What an agent sees passes; `answer` is used with another question than the test's.
const HIDDEN: &str = "version = 1\n[checks]\nreal = \"sh square 7 | grep -qx 49 || { echo secret; false; }\"\n";

/// Squares, a check of one of them, and hidden checks outside of the repository that a person named.
fn squares() -> (Repo, tempfile::TempDir) {
    let mut repo = Repo::with(&[
        (
            "verdict.toml",
            "version = 1\n[metrics.size]\npath = \"square\"\n[checks]\nunit = \"sh square 3 | grep -qx 9\"\n",
        ),
        ("square", "# the square of a number, worked out\necho $(($1 * $1))\n"),
    ]);
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("hidden.toml"), HIDDEN).unwrap();
    repo.set("XDG_STATE_HOME", outside.path().join("state").to_str().unwrap());
    repo.ok(&["start", "small", "--hypothesis", "it is smaller"]);
    (repo, outside)
}

fn name(repo: &Repo, file: &std::path::Path) {
    repo.git(&["config", "--add", "verdict.hiddenChecks", file.to_str().unwrap()]);
}

#[test]
fn a_candidate_made_for_the_check_that_it_sees_fails_the_one_that_it_does_not() {
    let (repo, outside) = squares();
    name(&repo, &outside.path().join("hidden.toml"));
    repo.write("square", "echo 9\n");
    repo.commit("perf: the answer that is asked for");
    let ran = repo.ok(&["measure"]);
    ran.prints(&["a hidden check failed: real", "recommendation: revert"]);
    ran.says(&["hidden check real on base: passed", "hidden check real on candidate: failed"]);
    let found = measured(&repo, &["--fresh"]);
    let results: Vec<_> = found["checks"].as_array().unwrap().iter().map(|c| (&c["name"], &c["passed"])).collect();
    assert_eq!(results, [(&"unit".into(), &true.into()), (&"real".into(), &false.into())]);
    assert_eq!(found["hidden_checks"]["digest"].as_str().unwrap().len(), 64);
    repo.refuses(3, &["keep", "--because", "smaller"]).says(&["a hidden check failed: real"]);
    let told = repo.expect(1, &["check", "--measure", "--against", "main"]);
    told.prints(&["a hidden check failed: real"]);
    // Neither what is told nor what lies in the repository has the command, its output or its place.
    for words in [&["show", "small"][..], &["show", "small", "--json"], &["log", "--json"], &["status", "--json"]] {
        let all = repo.ok(words).report();
        assert!(!all.contains("secret") && !all.contains("square 7") && !all.contains("hidden.toml"), "{all}");
    }
    let kept = repo.run_in(repo.path(), "grep", &["-rlE", "secret|square 7", "."], None);
    assert_eq!(kept.code, Some(1), "{}", kept.report());
    // A person reads it where it is kept.
    let shown = repo.ok(&["trust", "--hidden"]);
    shown.prints(&["hidden.toml", "real sh square 7"]);
    let logs = shown.stdout.lines().find_map(|line| line.trim().strip_prefix("logs")).unwrap().trim().to_string();
    let log = std::fs::read_to_string(std::path::Path::new(&logs).join("small/1.real.log")).unwrap();
    assert_eq!(log, "secret\n");
    assert_eq!(hold("trust", &repo.ok(&["trust", "--hidden", "--json"]).stdout), ["hidden-checks"]);
    // What is honest is kept, in history with its numbers.
    repo.write("square", "echo $(($1 * $1))\n");
    repo.commit("perf: without a word");
    repo.ok(&["measure"]);
    repo.ok(&["keep", "--because", "smaller"]);
}

#[test]
fn neither_the_repository_nor_a_later_setting_takes_hidden_checks_away() {
    let (mut repo, outside) = squares();
    let global = outside.path().join("config");
    std::fs::write(&global, format!("[verdict]\n\thiddenChecks = {}/hidden.toml\n", outside.path().display())).unwrap();
    repo.set("GIT_CONFIG_GLOBAL", global.to_str().unwrap());
    repo.write("square", "echo 9\n");
    repo.commit("perf: the answer that is asked for");
    // There is no word for it in verdict.toml, and an empty setting or one of another file hides nothing.
    repo.write("verdict.toml", format!("hiddenChecks = ''\n{}", repo.read("verdict.toml")));
    repo.refuses(2, &["measure"]).says(&["unknown key 'hiddenChecks'"]);
    repo.git(&["checkout", "--quiet", "verdict.toml"]);
    // A check of the same name is another one.
    repo.write("verdict.toml", format!("{}real = 'true'\n", repo.read("verdict.toml")));
    repo.commit("perf: a check more");
    repo.git(&["config", "verdict.hiddenChecks", ""]);
    let other = outside.path().join("other.toml");
    std::fs::write(&other, "version = 1\n[checks]\nmine = 'true'\n").unwrap();
    name(&repo, &other);
    repo.ok(&["measure"]).prints(&["a hidden check failed: real"]);
    // Numbers that were taken without them, or with others, are no ground for a keep.
    std::fs::write(&global, "").unwrap();
    repo.git(&["config", "--unset-all", "verdict.hiddenChecks"]);
    assert_eq!(measured(&repo, &[])["hidden_checks"], Value::Null);
    name(&repo, &other);
    repo.refuses(3, &["keep", "--because", "x"]).says(&["the hidden checks of today were not run on it"]);
    repo.ok(&["measure"]);
    let then = measured(&repo, &[])["hidden_checks"]["digest"].clone();
    std::fs::write(&other, "version = 1\n[checks]\nmine = 'true && true'\n").unwrap();
    repo.refuses(3, &["keep", "--because", "x"]).says(&["the hidden checks of today were not run on it"]);
    assert_ne!(measured(&repo, &[])["hidden_checks"]["digest"], then, "the ruler is another, and the record says so");
    repo.ok(&["keep", "--because", "x"]);
}

#[test]
fn hidden_checks_that_can_be_seen_or_are_none_are_refused_and_never_left_out() {
    let (mut repo, outside) = squares();
    repo.write("square", "echo $(($1*$1))\n");
    repo.commit("perf: two spaces");
    let file = outside.path().join("hidden.toml");
    let refused = |repo: &Repo, code: i32, words: &str| {
        for command in [&["measure"][..], &["check", "--measure", "--against", "main"], &["trust", "--hidden"]] {
            repo.refuses(code, command).says(&[words]);
        }
    };
    // In the work tree, in the git directory, through a link, in another work tree of the same repository.
    let aside = outside.path().join("aside");
    repo.git(&["worktree", "add", "--quiet", "--detach", aside.to_str().unwrap()]);
    let link = outside.path().join("link.toml");
    std::os::unix::fs::symlink(repo.path().join(".git/hidden.toml"), &link).unwrap();
    for place in [repo.path().join("hidden.toml"), repo.path().join(".git/hidden.toml"), aside.join("hidden.toml")] {
        std::fs::copy(&file, &place).unwrap();
        repo.set("GIT_VERDICT_HIDDEN_CHECKS", place.to_str().unwrap());
        refused(&repo, 2, "hidden checks in the repository are not hidden");
    }
    repo.set("GIT_VERDICT_HIDDEN_CHECKS", link.to_str().unwrap());
    refused(&repo, 2, "hidden checks in the repository are not hidden");
    repo.set("GIT_VERDICT_HIDDEN_CHECKS", "hidden.toml");
    refused(&repo, 2, "is to be an absolute path");
    repo.set("GIT_VERDICT_HIDDEN_CHECKS", outside.path().join("none.toml").to_str().unwrap());
    refused(&repo, 2, "cannot be read");
    repo.set("GIT_VERDICT_HIDDEN_CHECKS", file.to_str().unwrap());
    for text in ["version = 1\n", "version = 1\n[checks]\na = 'true'\n[metrics.x]\npath = 'x'\n"] {
        std::fs::write(&file, text).unwrap();
        refused(&repo, 2, "holds [checks] and nothing else");
    }
    std::fs::write(&file, "version = 1\n[chekcs]\n").unwrap();
    refused(&repo, 2, "unknown key 'chekcs'");
    std::fs::write(&file, HIDDEN).unwrap();
    let again = outside.path().join("again.toml");
    std::fs::copy(&file, &again).unwrap();
    name(&repo, &again);
    refused(&repo, 2, "there are two hidden checks 'real'");
}

#[test]
fn what_is_measured_is_not_told_of_hidden_checks_and_cannot_change_them_while_they_wait() {
    let (mut repo, outside) = squares();
    let file = outside.path().join("hidden.toml");
    repo.set("GIT_VERDICT_HIDDEN_CHECKS", file.to_str().unwrap());
    let config = repo.read("verdict.toml");
    repo.write("verdict.toml", format!("{config}env = '! env | grep -F hidden.toml'\n"));
    repo.write("square", "echo $(($1*$1))\n");
    repo.commit("perf: two spaces");
    let found = measured(&repo, &[]);
    assert!(found["checks"].as_array().unwrap().iter().all(|check| check["passed"] == true), "{found:#}");
    // The path is known to this one.
    repo.write("verdict.toml", format!("{config}[steps.s]\nrun = \"echo >> {}\"\n", file.display()));
    repo.commit("perf: a build");
    repo.refuses(3, &["measure"]).says(&["the hidden checks were changed while they ran"]);
    // One that fails on the base says so.
    std::fs::write(&file, "version = 1\n[checks]\nbroken = 'false'\n").unwrap();
    repo.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    let ran = repo.ok(&["measure"]);
    ran.prints(&["hidden check broken fails on the base, too", "a hidden check failed: broken"]);
    // It is known of a base that was not run again.
    let found = measured(&repo, &[]);
    assert_eq!(found["hidden_checks"]["failed_on_base"][0], "broken");
    assert!(found["reused"].is_string(), "{found:#}");
}
