//! Trade-offs through the built binary: break-even rates, `--worth`, and what a change costs to maintain.

use crate::common::{Repo, schemas::hold};
use serde_json::Value;

const METRICS: &str = "version = 1\n[metrics.build_time]\nrun = \"cat seconds\"\nunit = \"s\"\n\
    [metrics.image_size]\npath = \"out\"\n[metrics.parts]\nrun = \"echo 7\"\n";

/// 15 s more for 300 kB less, with two lines and a file more.
fn traded(policy: &str) -> Repo {
    let mut repo = Repo::with(&[("verdict.toml", &format!("{METRICS}{policy}")), ("seconds", "60\n"), ("a", "1\n")]);
    repo.set("GIT_VERDICT_TRUST", "1");
    repo.write("out", vec![0; 3_600_000]);
    repo.commit("feat: the output");
    repo.ok(&["start", "slim", "--hypothesis", "smaller"]);
    repo.write("seconds", "75\n");
    repo.write("out", vec![0; 3_300_000]);
    repo.write("b", "1\n2\n");
    repo.commit("perf: smaller");
    repo.ok(&["measure", "--pairs", "8"]);
    repo
}

fn compared(repo: &Repo, worth: &[&str]) -> Value {
    let mut words = vec!["compare", "--json"];
    for rate in worth {
        words.extend(["--worth", rate]);
    }
    let ran = repo.ok(&words);
    hold(&ran.line, &ran.stdout);
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn a_mixed_result_has_its_break_even_rate_everywhere_and_what_if_turns_the_answer_there() {
    let repo = traded("");
    let even = "it is worth it if 1 s of build_time costs less than 20.0 kB of image_size";
    repo.ok(&["compare"]).prints(&[&format!("slim: {even}"), "maintenance", "+7"]);
    repo.ok(&["show", "slim"]).prints(&[even, "maintenance +7: lines +2 and files +1"]);
    let draft = repo.ok(&["revert", "--because", "too slow", "--dry-run"]).stdout.replace(['\n', ' '], "");
    assert!(draft.contains(&even.replace(' ', "")[2..]), "{draft}");
    let plain = compared(&repo, &[]);
    let option = &plain["options"][0];
    assert_eq!((&plain["what_if"], &option["what_if"]), (&Value::Null, &Value::Null));
    assert_eq!(option["break_even"]["gain"]["change"], 20_000.0);
    assert_eq!(option["break_even"]["loss"]["metric"], "build_time");
    assert_eq!(option["maintenance"], 7);
    let advice = |rate: &str| compared(&repo, &[rate])["options"][0]["what_if"]["advice"].as_str().unwrap().to_string();
    assert_eq!(advice("1 s build_time = 19.9 kB image_size"), "keep");
    assert_eq!(advice("1 s build_time = 20.1 kB image_size"), "revert");
    assert_eq!(advice("1 min = 1.3 MB"), "revert", "the only time and the only size");
    // What was recommended when it was measured stays.
    let shown = repo.json(&["show", "slim"]);
    let measured = shown["events"].as_array().unwrap().iter().find(|event| event["kind"] == "measured").unwrap();
    assert_eq!(measured["recommendation"]["advice"], "trade-off");
}

#[test]
fn what_is_supposed_sets_aside_what_the_policy_says_otherwise_and_tells_it() {
    let repo = traded("[policy]\nworth = [\"1 s build_time = 1 MB image_size\", \"1 parts = 1 kB image_size\"]\n");
    let found = compared(&repo, &["1 s = 1 kB"]);
    assert_eq!(found["options"][0]["what_if"]["advice"], "keep");
    assert_eq!(found["what_if"]["set_aside"].as_array().unwrap().len(), 1);
    assert_eq!(found["what_if"]["rates"].as_array().unwrap().len(), 2);
    let told = repo.ok(&["compare", "--worth", "1 s = 1 kB", "--worth", "3 parts = 1 s"]);
    told.says(&[
        "the rate of [policy] 1.00 s build_time = 1.0 MB image_size contradicts what is supposed",
        "the rate 3 parts = 1.00 s build_time settles nothing here",
    ]);
    // In Chinese, too.
    let told = repo.ok(&["compare", "--worth", "1 s = 1 kB", "--lang", "zh-CN"]);
    told.prints(&["假如这些兑换率成立", "建议：保留"]);
}

#[test]
fn a_rate_that_cannot_be_read_is_refused_with_the_nearest_right_word() {
    let repo = traded("");
    for (rates, says) in [
        (&["1 min build_tme = 5 MB"][..], &["unknown metric 'build_tme'", "did you mean 'build_time'?"][..]),
        (&["1 mn = 5 MB"], &["unknown unit or metric 'mn'", "did you mean the unit"]),
        (&["1 min = 5 MX image_size"], &["unknown unit 'MX'", "did you mean 'MB'?"]),
        (&["1 min = 0 MB"], &["'0 MB' is not above zero"]),
        (&["1 min = -5 MB"], &["'-5 MB' is not a finite number"]),
        (&["1 min = 1e999 MB"], &["'1e999 MB' is not a finite number"]),
        (&["1 min = 1e308 h"], &["is not a finite number"]),
        (&["1 min"], &["it has no '='"]),
        (&[""], &["it has no '='"]),
        (&["1 min = 5 s build_time"], &["both sides of this rate are 'build_time'"]),
        (
            &["1 s = 1 kB", "1 kB = 1 parts", "1 s = 9 parts"],
            &["--worth '1 s = 9 parts'", "this rate contradicts those before it"],
        ),
    ] {
        let mut words = vec!["compare"];
        rates.iter().for_each(|rate| words.extend(["--worth", rate]));
        repo.refuses(2, &words).says(says);
    }
    let two = traded("[metrics.start_time]\nrun = \"echo 1\"\nunit = \"s\"\n");
    two.refuses(2, &["compare", "--worth", "1 min = 5 MB"])
        .says(&["several have such a unit", "name the one that is meant: build_time, start_time"]);
}

#[test]
fn a_rate_for_maintenance_makes_the_diff_count() {
    let advice = |worth: &str| {
        let config = format!("version = 1\n[metrics.size]\npath = \"out\"\n[policy]\nworth = [\"{worth}\"]\n");
        let repo = Repo::with(&[("verdict.toml", &config), ("out", &"x".repeat(1000)), ("a", "1\n")]);
        repo.ok(&["start", "slim", "--hypothesis", "smaller"]);
        repo.write("out", "x".repeat(900));
        repo.write("tool.sh", "1\n2\n3\n4\n5\n");
        repo.commit("perf: smaller, by a tool");
        let said = repo.json(&["measure"])["measured"].clone();
        assert_eq!(said["complexity"]["maintenance"]["points"], 10);
        said["recommendation"].clone()
    };
    assert_eq!(advice("1 maintenance = 9 B size")["advice"], "keep");
    let said = advice("1 maintenance = 11 B size");
    assert_eq!(said["advice"], "revert");
    assert_eq!(said["reasons"][1], "maintenance +10: lines +5 and files +1", "{said}");
}
