//! A candidate that changes its own ruler, through the built binary.

mod common;

use common::{Repo, schemas::hold};
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
fn a_configuration_that_says_less_is_marked_and_kept_only_by_force() {
    let repo = repo(&format!("{CONFIG}[metrics.size]\npath = \"work\"\nlimit = \"4 B\"\n"));
    repo.write("verdict.toml", format!("{CONFIG}[metrics.size]\npath = \"work\"\nlimit = \"9 B\"\n"));
    repo.write("work", "50\n");
    repo.commit("perf: half the cost, another limit");
    let found = measured(&repo, &[]);
    assert_eq!(found["ruler"]["changed"], serde_json::json!(["verdict.toml: limit of size"]));
    assert_eq!(found["ruler"]["by_base"], false);
    assert_eq!(found["recommendation"]["advice"], "trade-off");
    repo.refuses(3, &["keep", "--because", "cheaper"]).says(&["the candidate changed what measures it", "--force"]);
    repo.ok(&["keep", "--because", "cheaper", "--force"]);
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
