//! `measure` and what goes with it, through the binary: flaky sides, several options at once, readings used again.

use crate::common::{Repo, skip, works};
use serde_json::Value;

/// A project whose step runs `work.sh` and writes `out`; the experiment `slim` is checked out.
fn project(config: &str, base: &str, candidate: &str) -> Repo {
    let repo = Repo::with(&[("verdict.toml", config), (".gitignore", "out*\n")]);
    repo.script("work.sh", base);
    repo.commit("feat: work");
    repo.ok(&["start", "slim", "--hypothesis", "less is enough"]);
    repo.script("work.sh", candidate);
    repo.commit("perf: less");
    repo
}

const TIMED: &str = r#"version = 1
[steps.work]
run = "./work.sh"
[metrics.time]
step = "work"
measure = "user"
[metrics.printed]
run = "cat out"
"#;

/// Opens `fast` beside `slim`, measures both, the second with another variable set.
fn two_options(config: &str) -> Repo {
    let mut repo = project(config, "echo 100 > out\n", "echo 90 > out\n");
    repo.ok(&["measure", "slim", "--pairs", "4"]);
    repo.ok(&["start", "fast", "--on", "main", "--hypothesis", "even less"]);
    repo.script("work.sh", "echo 7 > out\n");
    repo.commit("perf: even less");
    repo.set("CFLAGS", "-O3");
    repo.ok(&["measure", "fast", "--pairs", "4"]);
    repo
}

#[test]
fn times_of_two_environments_are_not_compared_and_the_reason_is_shown() {
    let repo = two_options(TIMED);
    repo.ok(&["compare"]).prints(&["are not compared, exact sizes are", "variable CFLAGS: none and -O3"]);
    let value = repo.json(&["compare"]);
    assert_eq!(value["not_comparable"][0]["why"][0], "variable CFLAGS: none and -O3", "{value}");
    assert!(value["options"].as_array().unwrap().iter().all(|o| o["beaten_by"] != "fast"), "{value}");
    repo.ok(&["show", "fast"]).prints(&["variable CFLAGS", "-O3"]);
}

#[test]
fn a_record_keeps_what_it_rested_on() {
    let config = "version = 1\n[steps.work]\nrun = \"./work.sh Dockerfile data/in\"\n[metrics.size]\npath = \"out\"\n";
    let repo = Repo::with(&[
        ("verdict.toml", config),
        (".gitignore", "out*\n"),
        ("Dockerfile", "ARG TAG=3.10\nFROM python:$TAG\n"),
        ("requirements.txt", "flask==2.0\n"),
        ("Cargo.lock", "<<<<<<< ours\n"),
        ("data/in", "1\n"),
    ]);
    repo.script("work.sh", "echo 100 > out\n");
    repo.commit("feat: work");
    repo.ok(&["start", "slim", "--hypothesis", "less is enough"]);
    repo.write("Dockerfile", "FROM python:3.10-slim\n");
    repo.commit("perf: less");
    let found = repo.json(&["measure", "--pairs", "2"])["measured"]["assumptions"].clone();
    assert_eq!(found["steps"]["work"].as_str().unwrap().len(), 16, "{found}");
    assert_eq!(found["base"]["images"][0]["reference"], "python:3.10", "{found}");
    assert_eq!(found["candidate"]["images"][0]["reference"], "python:3.10-slim", "{found}");
    let lockfiles = found["base"]["lockfiles"].as_array().unwrap();
    assert_eq!(
        (&lockfiles[0]["path"], lockfiles[0].get("packages")),
        (&"Cargo.lock".into(), None),
        "garbage is a blob"
    );
    assert_eq!((&lockfiles[1]["path"], &lockfiles[1]["packages"]), (&"requirements.txt".into(), &1.into()));
    let blob = |path: &str| repo.git(&["rev-parse", &format!("HEAD:{path}")]).trim().to_string();
    assert_eq!(lockfiles[1]["blob"], blob("requirements.txt"));
    assert_eq!(found["base"]["scripts"]["work.sh"], blob("work.sh"));
    assert_eq!(found["base"]["workload"], serde_json::json!({"data/in": blob("data/in")}));
    let shown = repo.json(&["show", "slim"]);
    assert_eq!(shown["events"][1]["assumptions"], found, "as the ledger keeps it");
}

#[test]
fn what_goes_on_with_an_interrupted_session_is_told_with_its_metrics() {
    let two = "version = 1\n[steps.work]\nrun = \"./work.sh\"\n[metrics.time]\nstep = \"work\"\n[metrics.size]\npath = \"out\"\n";
    let repo = project(two, "echo 1 > out\n", &failing_in(1, "[1-9]"));
    repo.expect(4, &["measure", "--metric", "time"]);
    repo.ok(&["status"]).prints(&["git verdict measure --metric time goes on from there"]);
    repo.expect(4, &["measure"]).says(&["it measured other metrics"]);
    repo.ok(&["status"]).prints(&["samples; git verdict measure goes on from there"]);
}

#[test]
fn exact_sizes_of_two_environments_are_compared() {
    let repo = two_options(
        "version = 1\n[steps.work]\nrun = \"./work.sh\"\n[metrics.size]\npath = \"out\"\nmatters = \"1 B\"\n",
    );
    let value = repo.json(&["compare"]);
    assert_eq!(value["not_comparable"], serde_json::json!([]), "{value}");
}

#[test]
fn a_session_does_not_go_on_in_another_environment() {
    let mut repo = project(TIMED, "echo 1 > out\n", &failing_in(1, "[1-9]"));
    repo.expect(4, &["measure"]);
    repo.set("LD_PRELOAD_IS_NOT_LOOKED_AT", "x");
    repo.expect(4, &["measure"]).says(&["goes on where it stopped"]);
    repo.ok(&["status"]).prints(&["unfinished", "git verdict measure goes on from there"]);
    assert!(repo.json(&["status"])["experiments"][0]["unfinished"].as_u64() > Some(0));
    repo.set("RUSTFLAGS", "-Ctarget-cpu=native");
    repo.expect(4, &["measure"]).says(&["set aside", "variable RUSTFLAGS: none and -Ctarget-cpu=native"]);
}

/// A script that prints `value` into `out`, and fails in these rounds.
fn failing_in(value: u32, rounds: &str) -> String {
    format!("case $VERDICT_ROUND in {rounds}) echo the lock was busy >&2; exit 3;; esac\necho {value} > out\n")
}

#[test]
fn a_side_that_fails_at_times_is_reported_as_flaky_and_not_averaged_away() {
    // One metric goes up and down, so that the session is never sure before its six pairs.
    let swing = "if [ $VERDICT_SIDE = base ]; then echo 100; else echo $((70 + VERDICT_ROUND % 2 * 60)); fi";
    let config = format!("{TIMED}[metrics.swing]\nrun = \"{swing}\"\n");
    let repo = project(&config, "echo 100 > out\n", &failing_in(90, "2|4"));
    let value = repo.json(&["measure", "--pairs", "6", "--seed", "1"]);
    let measured = &value["measured"];
    let failures = measured["failures"].as_array().expect("failures");
    assert_eq!(failures.len(), 2, "{measured}");
    assert_eq!(failures[0]["round"], 2);
    assert_eq!(failures[0]["side"], 1);
    assert_eq!(failures[0]["what"], "step work");
    assert_eq!(failures[0]["outcome"], "exit status 3");
    assert_eq!(failures[0]["tail"], "the lock was busy");
    let rounds: Vec<&Value> = measured["comparison"].as_array().expect("rows").iter().map(|r| &r["rounds"]).collect();
    assert!(rounds.iter().all(|n| **n == 6), "six pairs beside the two that failed: {rounds:?}");
    let reasons = measured["recommendation"]["reasons"].to_string();
    assert!(
        reasons.contains("the candidate is flaky: 2 of 8 runs failed, mostly step work: exit status 3"),
        "{reasons}"
    );
    assert_ne!(measured["recommendation"]["advice"], "keep");
    repo.ok(&["show", "slim"])
        .prints(&["flaky: 2 of 8 runs of candidate failed", "pair 3: step work failed: exit status 3"]);
}

#[test]
fn a_metric_that_vanishes_half_way_is_a_failed_run() {
    let repo = project(TIMED, "echo 1 > out\n", "if [ $VERDICT_ROUND = 1 ]; then : > out; else echo 1 > out; fi\n");
    let value = repo.json(&["measure", "--pairs", "3"]);
    let failures = value["measured"]["failures"].as_array().expect("failures").clone();
    assert_eq!(failures.len(), 1, "{value}");
    assert_eq!(failures[0]["what"], "metric printed");
    assert!(failures[0]["outcome"].as_str().unwrap().contains("printed nothing"), "{value}");
}

#[test]
fn a_side_that_fails_too_often_ends_the_measurement() {
    let repo = project(TIMED, "echo 1 > out\n", &failing_in(1, "[1-9]"));
    let ran = repo.expect(4, &["measure", "--pairs", "30"]);
    ran.says(&["candidate: 4 of 5 runs failed, the last in step work: exit status 3", "the lock was busy", "try:"]);
    assert_eq!(repo.git(&["worktree", "list"]).lines().count(), 1);
    repo.expect(3, &["keep", "--because", "x"]);
}

#[test]
fn a_side_that_fails_in_its_first_run_is_an_error_at_once() {
    let repo = project(TIMED, "echo 1 > out\n", &failing_in(1, "0"));
    repo.expect(4, &["measure"]).says(&["candidate: step work failed: exit status 3"]);
}

#[test]
fn a_metric_that_is_zero_on_both_sides_divides_nothing() {
    let repo = project(TIMED, "echo 0 > out\n", "echo 0 > out\n: less\n");
    let value = repo.json(&["measure", "--metric", "printed", "--pairs", "4"]);
    let row = &value["measured"]["comparison"][0];
    assert_eq!((row["base"].as_f64(), row["word"].as_str()), (Some(0.0), Some("unchanged")), "{row}");
    repo.ok(&["show", "slim"]).prints(&["printed"]);
}

/// A project whose step counts its runs outside of the repository and whose only metric is a size.
fn counted(size: &str, candidate: &str) -> (Repo, tempfile::TempDir) {
    let outside = tempfile::tempdir().expect("a folder");
    let runs = outside.path().join("runs");
    let config = "version = 1\n[steps.work]\nrun = \"./work.sh\"\n[metrics.size]\npath = \"out\"\n";
    let script = |bytes: &str| format!("echo $VERDICT_SIDE >> '{}'\nhead -c {bytes} /dev/zero > out\n", runs.display());
    let repo = project(config, &script(size), &script(candidate));
    (repo, outside)
}

fn sides_run(outside: &tempfile::TempDir) -> Vec<String> {
    let text = std::fs::read_to_string(outside.path().join("runs")).unwrap_or_default();
    let _ = std::fs::remove_file(outside.path().join("runs"));
    let mut sides: Vec<String> = text.lines().map(str::to_string).collect();
    sides.sort();
    sides
}

#[test]
fn exact_readings_of_the_base_are_used_again_and_the_record_says_so() {
    let (repo, outside) = counted("2000", "1000");
    let first = repo.json(&["measure"]);
    assert_eq!(sides_run(&outside), ["base", "base", "candidate", "candidate"]);
    assert!(first["measured"].get("reused").is_none(), "{first}");
    let record = first["record"].as_str().expect("a record").to_string();

    let again = repo.json(&["measure"]);
    assert_eq!(sides_run(&outside), ["candidate", "candidate"]);
    assert_eq!(again["measured"]["reused"], record.as_str());
    let row = &again["measured"]["comparison"][0];
    assert_eq!((row["base"].as_f64(), row["candidate"].as_f64()), (Some(2000.0), Some(1000.0)), "{row}");
    assert_eq!((row["exact"].as_bool(), row["word"].as_str()), (Some(true), Some("improved")), "{row}");
    let third = repo.ok(&["measure"]);
    third.prints(&[&format!("base readings reused from record {record}")]);
    third.says(&["--fresh takes them again"]);
    sides_run(&outside);

    let fresh = repo.json(&["measure", "--fresh"]);
    assert_eq!(sides_run(&outside).len(), 4);
    assert!(fresh["measured"].get("reused").is_none(), "{fresh}");
}

#[test]
fn readings_are_not_used_again_in_another_environment_or_with_another_configuration() {
    let (mut repo, outside) = counted("2000", "1000");
    repo.ok(&["measure"]);
    sides_run(&outside);
    repo.set("CFLAGS", "-Os");
    repo.ok(&["measure"]);
    assert_eq!(sides_run(&outside).len(), 4, "another environment");
    let config = repo.read("verdict.toml");
    repo.write("verdict.toml", format!("{config}# a word more\n"));
    repo.ok(&["measure"]);
    assert_eq!(sides_run(&outside).len(), 4, "another configuration");
}

#[test]
fn several_options_are_measured_in_one_session_each_against_its_own_base() {
    let (repo, outside) = counted("2000", "1000");
    repo.ok(&["start", "slimmer", "--on", "slim", "--hypothesis", "still less"]);
    let script = repo.read("work.sh").replace("-c 1000", "-c 400");
    repo.write("work.sh", script);
    repo.commit("perf: still less");
    let value = repo.json(&["measure", "slimmer", "--with", "slim"]);
    assert_eq!(sides_run(&outside), ["base", "base", "slim", "slim", "slimmer", "slimmer"]);
    let rows = |value: &Value| {
        let row = &value["measured"]["comparison"][0];
        (row["base"].as_f64().unwrap(), row["candidate"].as_f64().unwrap())
    };
    assert_eq!(value["experiment"], "slimmer");
    assert_eq!(rows(&value), (1000.0, 400.0), "against the one it stands on");
    assert_eq!(rows(&value["with"][0]), (2000.0, 1000.0));
    assert_eq!(value["measured"]["session"], value["with"][0]["measured"]["session"]);
    for one in [&value, &value["with"][0]] {
        let measured = &one["measured"];
        assert_eq!(measured["sides"].as_array().unwrap().len(), 3);
        assert_eq!(measured["sides"][0]["commit"], measured["base"]["commit"]);
        assert_eq!(measured["sides"][1]["commit"], measured["candidate"]["commit"]);
    }
    repo.ok(&["show", "slim"]).prints(&["-50.0"]);
    repo.ok(&["compare"]).prints(&["slimmer", "on slim"]);
    repo.refuses(2, &["measure", "slim", "--with", "slim"]).says(&["experiment 'slim' is named twice"]);
    repo.refuses(2, &["measure", "slim", "--with", "slam"]).says(&["slam"]);
}

#[test]
fn a_step_warms_up_as_often_as_it_is_told_before_its_first_sample() {
    let outside = tempfile::tempdir().expect("a folder");
    let config = "version = 1\n[steps.work]\nrun = \"./work.sh\"\nwarmup = 2\n[metrics.size]\npath = \"out\"\n";
    let script = format!("echo $VERDICT_SIDE >> '{}/runs'\necho 1 > out\n", outside.path().display());
    let repo = project(config, &script, &format!("{script}: less\n"));
    repo.ok(&["measure"]);
    assert_eq!(sides_run(&outside).iter().filter(|side| *side == "candidate").count(), 4, "two and two");
    repo.write("verdict.toml", config.replace("warmup = 2", "warmup = -1"));
    repo.refuses(2, &["measure"]).says(&["verdict.toml:4:10", "'warmup' is -1, and goes from 0 to 100"]);
}

#[test]
fn a_step_that_runs_once_is_run_on_each_side_before_its_first_sample_and_not_again() {
    let outside = tempfile::tempdir().expect("a folder");
    let config = "version = 1\n[steps.build]\nrun = \"./work.sh\"\nonce = true\n[steps.use]\nrun = \"cat out\"\n[metrics.size]\npath = \"out\"\n[metrics.time]\nstep = \"use\"\n";
    let script = format!("echo $VERDICT_SIDE >> '{}/runs'\necho 1 > out\n", outside.path().display());
    let repo = project(config, &script, &format!("{script}: less\n"));
    let value = repo.json(&["measure", "--pairs", "4"]);
    assert_eq!(value["measured"]["comparison"][1]["rounds"], 4, "{value}");
    let runs = sides_run(&outside);
    for side in ["base", "candidate"] {
        assert_eq!(runs.iter().filter(|one| *one == side).count(), 1, "{runs:?}");
    }
    let said = |config: String| {
        repo.write("verdict.toml", config);
        repo.refuses(2, &["measure"])
    };
    said(config.replace("\"use\"\n", "\"build\"\n")).says(&[
        "verdict.toml:9:1",
        "step 'build' runs once",
        "remove 'once' from [steps.build]",
    ]);
    said(config.replace("once = true", "once = 1"))
        .says(&["verdict.toml:4:8", "'once' is an integer, not true or false"]);
    said(config.replace("once = true", "once = true\nwarmup = 1"))
        .says(&["verdict.toml:5:1", "has no use for 'warmup'"]);
}

#[cfg(target_os = "linux")]
#[test]
fn steps_are_pinned_and_nice_and_the_record_says_so() {
    let status = "grep Cpus_allowed_list /proc/self/status | tr -dc '0-9,-' > out; nice >> out\n";
    let config = "version = 1\n[measure]\nnice = 7\n[steps.work]\nrun = \"./work.sh\"\n[metrics.size]\npath = \"out\"\n[checks]\nplaced = \"cat out; exit 1\"\n";
    let repo = project(config, status, &format!("{status}: less\n"));
    let here = std::fs::read_to_string("/proc/self/status").unwrap();
    let list = here.lines().find_map(|l| l.strip_prefix("Cpus_allowed_list:")).unwrap().trim();
    let cpu: String = list.chars().take_while(char::is_ascii_digit).collect();
    let value = repo.json(&["measure", "--pin", &cpu]);
    let measured = &value["measured"];
    assert_eq!(measured["environment"]["more"]["pinned"], cpu.as_str(), "{measured}");
    assert_eq!(measured["environment"]["more"]["nice"], "7");
    assert_eq!(measured["checks"][0]["tail"], format!("{cpu}7"), "{measured}");
    let ran = repo.ok(&["measure", "--pin", "1000", "--nice", "8"]);
    ran.says(&["steps are not pinned to processor 1000: "]);
    repo.refuses(2, &["measure", "--nice", "20"]).says(&["--nice"]);
    repo.write("verdict.toml", config.replace("nice = 7", "pim = [1]"));
    repo.refuses(2, &["measure"]).says(&["unknown key 'pim'", "did you mean 'pin'?"]);
}

const COUNTED: &str = r#"version = 1
[steps.work]
run = "./work.sh"
[metrics.instructions]
step = "work"
measure = "instructions"
"#;

/// A loop of the shell that runs so many times.
fn looping(times: u32) -> String {
    format!("i=0; while [ $i -lt {times} ]; do i=$((i+1)); done; (exit 0)\n: > out\n")
}

#[test]
fn instructions_tell_a_small_difference_on_a_noisy_machine() {
    if !works("valgrind", &["--version"]) && !works("perf", &["stat", "-e", "instructions:u", "true"]) {
        return skip("neither valgrind nor perf counts instructions here");
    }
    let repo = project(COUNTED, &looping(1000), &looping(900));
    let value = repo.json(&["measure"]);
    let measured = &value["measured"];
    let row = &measured["comparison"][0];
    assert_eq!(row["word"], "improved", "{row}");
    let relative = row["relative"].as_f64().unwrap();
    assert!((-0.11..-0.05).contains(&relative), "{relative}");
    let counter = &measured["environment"]["more"]["instructions counted by"];
    assert!(counter.is_string(), "{measured}");
    if counter.as_str().unwrap().starts_with("callgrind") {
        assert_eq!((row["exact"].as_bool(), row["rounds"].as_u64()), (Some(true), Some(2)), "{row}");
    }
}

#[test]
fn without_anything_to_count_instructions_with_it_is_said_what_is_missing() {
    let mut repo = project(COUNTED, ": > out\n", ": > out; : less\n");
    let tools = tempfile::tempdir().expect("a folder");
    for name in ["git", "sh"] {
        let found =
            std::env::split_paths(&std::env::var_os("PATH").unwrap()).map(|d| d.join(name)).find(|p| p.exists());
        std::os::unix::fs::symlink(found.expect(name), tools.path().join(name)).unwrap();
    }
    repo.set("PATH", tools.path().to_str().unwrap());
    repo.refuses(3, &["measure"]).says(&[
        "metric 'instructions': instructions cannot be counted here: perf: it is not installed; valgrind: it is not installed",
        "install valgrind",
    ]);
}

#[test]
fn doctor_noise_measures_a_commit_against_itself() {
    let repo = Repo::with(&[("a.txt", "a\n")]);
    let before = repo.snapshot();
    let value =
        repo.json(&["doctor", "--noise", "--budget", "0s", "--run", "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done"]);
    assert_eq!(value["schema"], "git-verdict/noise");
    let metric = &value["metrics"][0];
    assert_eq!(metric["metric"], "run");
    let study = &metric["study"];
    assert_eq!(study["pairs"], 4, "{value}");
    assert!(study["false_claims"].as_u64().unwrap() <= study["trials"].as_u64().unwrap(), "{value}");
    assert_eq!(metric["readings"].as_array().unwrap().len() as u64, metric["pairs_taken"].as_u64().unwrap());
    assert_eq!(before, repo.snapshot());
    let ran = repo.ok(&["doctor", "--noise", "--budget", "0s"]);
    ran.prints(&["metric", "cpu", "io", "smallest effect", "next: set 'matters'"]).says(&["two workloads"]);
    repo.refuses(2, &["doctor", "--budget", "1s"]).says(&["--noise"]);
    repo.refuses(4, &["doctor", "--noise", "--run", "exit 9"]).says(&["warm-up run failed: exit status 9"]);
}

#[test]
fn what_prepare_needs_is_not_measured() {
    let config = "version = 1\n[steps.build]\nrun = \"true\"\n\
        prepare = \"head -c 200000000 /dev/zero | tail -c 200000000 > /dev/null\"\n\
        [metrics.peak]\nstep = \"build\"\nmeasure = \"max_rss\"\n";
    let repo = project(config, "true\n", "echo changed\n");
    let measured = repo.json(&["measure", "--pairs", "3"]);
    for sample in measured["measured"]["samples"].as_array().unwrap() {
        assert!(sample["values"]["peak"].as_f64().unwrap() < 150e6, "{sample}");
    }
}

#[test]
fn where_there_is_no_terminal_it_is_told_what_runs_before_the_first_pair_is_done() {
    let repo = project(
        "version = 1\n[steps.work]\nrun = \"./work.sh\"\n[metrics.size]\npath = \"out\"\n",
        "echo ab > out\n",
        "echo a > out\n",
    );
    let ran = repo.ok(&["measure"]);
    for line in ["pair 1: base: step work\n", "pair 1: candidate: step work\n"] {
        assert_eq!(ran.stderr.matches(line).count(), 1, "{}", ran.report());
    }
    repo.ok(&["--lang", "zh-CN", "measure", "--fresh"]).says(&["第 1 轮：候选：步骤 work"]);
    assert_eq!(repo.ok(&["--quiet", "measure", "--fresh"]).stderr, "");
}

/// On Linux a process begins with the peak of whoever started it, and this program holds more than `true` does.
#[cfg(target_os = "linux")]
#[test]
fn a_peak_of_memory_is_that_of_the_step_and_not_of_this_program() {
    let config = "version = 1\n[steps.small]\nrun = [\"true\"]\n\
        [steps.large]\nrun = \"head -c 60000000 /dev/zero | tail -c 60000000 > /dev/null\"\n\
        [steps.missing]\nrun = [\"./tool\"]\n\
        [metrics.small]\nstep = \"small\"\nmeasure = \"max_rss\"\n\
        [metrics.large]\nstep = \"large\"\nmeasure = \"max_rss\"\n\
        [metrics.missing]\nstep = \"missing\"\nmeasure = \"max_rss\"\n";
    let repo = project(config, "true\n", "echo changed\n");
    repo.refuses(4, &["measure", "--pairs", "2"]).says(&["step missing failed: no such command: ./tool"]);
    repo.write("verdict.toml", config.replace("./tool", "true"));
    repo.commit("fix: a tool that is there");
    let measured = repo.json(&["measure", "--pairs", "2"]);
    for sample in measured["measured"]["samples"].as_array().unwrap() {
        let peak = |name: &str| sample["values"][name].as_f64().unwrap();
        assert!(peak("small") < 6e6 && peak("large") > 60e6, "{sample}");
    }
}
