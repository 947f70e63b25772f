//! Numbers taken in from other tools and given out to them, through the built program.

use crate::common::{Repo, skip, works};
use serde_json::Value;

/// A repository with an experiment `slim` of one commit, on its branch.
fn project() -> Repo {
    let repo = Repo::with(&[("a.txt", "a\n")]);
    repo.ok(&["start", "slim", "--hypothesis", "less is faster"]);
    repo.write("a.txt", "");
    repo.commit("perf: nothing");
    repo
}

fn imported(repo: &Repo, words: &[&str]) -> Value {
    let value = repo.json(&[&["import"], words].concat());
    assert_eq!(value["schema"], "git-verdict/import");
    value["measured"].clone()
}

fn rows(measured: &Value) -> Vec<(&str, f64, f64, &str)> {
    let row = |row: &'static str, one: &Value| one[row].as_f64().unwrap();
    let rows = measured["comparison"].as_array().unwrap();
    rows.iter()
        .map(|one| {
            let (metric, word) = (one["metric"].as_str().unwrap(), one["word"].as_str().unwrap());
            (metric, row("base", one), row("candidate", one), word)
        })
        .collect()
}

#[test]
fn what_hyperfine_writes_becomes_a_measurement_that_can_be_decided_on() {
    if !works("hyperfine", &["--version"]) {
        return skip("hyperfine is not installed");
    }
    let repo = project();
    let bench = ["-N", "--style", "none", "--runs", "5", "--export-json", "both.json", "sleep 0.03", "sleep 0.001"];
    let ran = repo.run_in(repo.path(), "hyperfine", &bench, None);
    assert_eq!(ran.code, Some(0), "{}", ran.report());
    let measured = imported(&repo, &["hyperfine", "both.json"]);
    let [(metric, base, candidate, word)] = rows(&measured)[..] else { panic!("{measured}") };
    assert_eq!((metric, word), ("time", "inconclusive"));
    assert!(base > 0.03 && candidate > 0.001, "{base} {candidate}");
    assert_eq!(measured["samples"].as_array().unwrap().len(), 10);
    let reasons = measured["recommendation"]["reasons"].to_string();
    assert!(reasons.contains("hyperfine, which does not measure in turn"), "{reasons}");
    repo.ok(&["show", "slim"]).prints(&["imported from hyperfine both.json", "10 readings", "inconclusive"]);
    std::fs::remove_file(repo.path().join("both.json")).unwrap();
    repo.ok(&["keep", "slim", "--because", "it is plain to see", "--force"]);
    let trailers = repo.trailers("main");
    let metric = trailers.iter().find(|(key, _)| key == "Verdict-Metric").unwrap();
    assert!(metric.1.starts_with("time 0.") && metric.1.ends_with("n=5 inconclusive"), "{metric:?}");
}

#[test]
fn two_files_of_hyperfine_with_memory_and_several_commands_are_compared_by_command() {
    let repo = project();
    let file = |times: [f64; 3], memory: u64| {
        let run = |command: &str| {
            serde_json::json!({
                "command": command, "mean": times[0], "stddev": 0.1, "median": times[1], "user": 0.0, "system": 0.0,
                "min": times[0], "max": times[2], "times": times, "memory_usage_byte": [memory, memory, memory],
                "exit_codes": [0, 0, 0],
            })
        };
        serde_json::json!({"results": [run("./a"), run("./b")]}).to_string()
    };
    repo.write("base.json", file([1.0, 1.1, 1.2], 5000));
    repo.write("new.json", file([0.9, 1.0, 1.1], 4000));
    let measured = imported(&repo, &["hyperfine", "base.json", "new.json"]);
    assert_eq!(
        rows(&measured),
        [
            ("time ./a", 1.1, 1.0, "inconclusive"),
            ("max_rss ./a", 5000.0, 4000.0, "improved"),
            ("time ./b", 1.1, 1.0, "inconclusive"),
            ("max_rss ./b", 5000.0, 4000.0, "improved"),
        ]
    );
    assert_eq!(measured["environment"]["more"]["imported from"], "hyperfine");
}

#[test]
fn verdict_toml_says_what_matters_and_which_way_is_better() {
    let repo = Repo::with(&[(
        "verdict.toml",
        "version = 1\n[steps.b]\nrun = \"true\"\n[metrics.time]\nstep = \"b\"\nmatters = \"2%\"\nlimit = \"3 s\"\n",
    )]);
    repo.ok(&["start", "slim", "--hypothesis", "less is faster"]);
    repo.write("a.txt", "");
    repo.commit("perf: nothing");
    repo.write("both.json", r#"{"results":[{"command":"a","times":[1,1.1]},{"command":"b","times":[4,4.1]}]}"#);
    let measured = imported(&repo, &["hyperfine", "both.json"]);
    let row = &measured["comparison"][0];
    assert_eq!((&row["matters"]["relative"], &row["limit"]), (&0.02.into(), &3.0.into()));
    assert_eq!(measured["recommendation"]["advice"], "revert", "the limit is broken");
}

#[test]
fn the_folder_of_criterion_holds_the_run_before_and_the_new_one() {
    let repo = project();
    for (baseline, time) in [("base", 2000.0), ("new", 1000.0)] {
        let folder = format!("target/criterion/sum/10/{baseline}");
        repo.write(&format!("{folder}/benchmark.json"), r#"{"group_id":"sum","full_id":"sum/10"}"#);
        let sample = format!(
            r#"{{"sampling_mode":"Linear","iters":[10.0,20.0,30.0],"times":[{},{},{}]}}"#,
            time * 10.0,
            time * 22.0,
            time * 33.0
        );
        repo.write(&format!("{folder}/sample.json"), sample);
        repo.write(&format!("{folder}/estimates.json"), r#"{"median":{"point_estimate":1.0}}"#);
        let other = format!("target/criterion/other/{baseline}/estimates.json");
        repo.write(&other, format!(r#"{{"median":{{"point_estimate":{time}}}}}"#));
    }
    let ran = repo.ok(&["import", "criterion", "target/criterion"]);
    ran.says(&["'other' has a summary only"]).prints(&["sum/10", "other"]);
    let measured = imported(&repo, &["criterion", "target/criterion"]);
    let found = rows(&measured);
    assert!((found[1].1 - 2200e-9).abs() < 1e-15 && (found[1].2 - 1100e-9).abs() < 1e-15, "{found:?}");
    assert_eq!(found[0].0, "other");
    repo.refuses(2, &["import", "criterion", ".git"]).says(&["has a folder 'base'"]);
}

/// A file that another tool wrote, `testdata/exchange/README.md` says which.
fn real(name: &str) -> String {
    format!("{}/testdata/exchange/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn what_criterion_wrote_is_read_and_a_run_is_not_compared_with_itself() {
    let repo = project();
    let measured = imported(&repo, &["criterion", &real("criterion")]);
    let found = rows(&measured);
    assert_eq!(found.iter().map(|row| row.0).collect::<Vec<_>>(), ["sort/one two?", "sum/10", "sum/1000"]);
    assert_eq!(measured["samples"].as_array().unwrap().len(), 20, "ten readings a side");
    // Medians of times / iterations out of sample.json.
    for (name, base, candidate) in [("sum/10", 15.8304, 5.6518), ("sum/1000", 2021.9285, 310.4387)] {
        let row = found.iter().find(|row| row.0 == name).unwrap();
        assert!((row.1 * 1e9 - base).abs() < 1e-3 && (row.2 * 1e9 - candidate).abs() < 1e-3, "{row:?}");
    }
    // As criterion itself leaves it after a run without --baseline.
    let copy = |all: &[&str]| {
        let _ = std::fs::remove_dir_all(repo.path().join(".git/criterion"));
        repo.run_in(repo.path(), "cp", &["-r", &real("criterion"), ".git/criterion"], None);
        for name in all {
            let folder = format!(".git/criterion/{name}");
            repo.run_in(repo.path(), "rm", &["-r", &format!("{folder}/base")], None);
            let ran =
                repo.run_in(repo.path(), "cp", &["-r", &format!("{folder}/new"), &format!("{folder}/base")], None);
            assert_eq!(ran.code, Some(0), "{}", ran.report());
        }
    };
    copy(&["sum/10"]);
    let ran = repo.ok(&["import", "criterion", ".git/criterion"]);
    ran.says(&["1 left out: base/ and new/ hold the same run"]).prints(&["sum/1000"]);
    assert!(!ran.stdout.contains("sum/10 "), "{}", ran.report());
    copy(&["sum/10", "sum/1000", "sort_one two_"]);
    repo.refuses(2, &["import", "criterion", ".git/criterion"]).says(&["hold the same run", "--baseline base"]);
    // Two folders are two runs, whatever is in them.
    let measured = imported(&repo, &["criterion", &real("criterion"), ".git/criterion"]);
    assert_eq!(rows(&measured).len(), 3);
}

#[test]
fn what_github_action_benchmark_wrote_is_read_for_each_tool() {
    // The commits that the file names.
    let mut repo = Repo::empty();
    for name in ["GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"] {
        repo.set(name, "2026-01-01T00:00:00Z");
    }
    repo.write("a.txt", "a\n");
    assert_eq!(repo.commit("feat: begin"), "9d0105fe226309e45106f89e9a7e700777e6d025");
    repo.ok(&["start", "slim", "--hypothesis", "less is faster"]);
    repo.write("a.txt", "");
    assert_eq!(repo.commit("perf: nothing"), "71a143577a94e5e82da812fc08f36c76e3fd0418");
    let measured = imported(&repo, &["github-action-benchmark", &real("github-action-benchmark.js")]);
    let found: Vec<(String, String, String, f64, f64)> = measured["comparison"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |key: &str| row[key].as_str().unwrap().to_string();
            let value = |key: &str| row[key].as_f64().unwrap();
            (text("metric"), text("unit"), text("better"), value("base"), value("candidate"))
        })
        .collect();
    let row = |name: &str, unit: &str, better: &str, base: f64, candidate: f64| {
        (name.to_string(), unit.to_string(), better.to_string(), base, candidate)
    };
    for wanted in [
        row("BenchmarkSum - allocs/op", "", "lower", 12.0, 0.0),
        row("BenchmarkSum - B/op", "B", "lower", 25208.0, 0.0),
        row("sum/1000", "s", "lower", 939e-9, 1647e-9),
        row("test_x.py::test_sum", "iter/sec", "higher", 21944.129147109026, 21944.129147109026),
        row("start-up", "s", "lower", 0.0125, 0.0119),
        row("binary", "B", "lower", 840e3, 820e3),
    ] {
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs();
        let same = found.iter().any(|one| {
            (&one.0, &one.1, &one.2) == (&wanted.0, &wanted.1, &wanted.2)
                && close(wanted.3, one.3)
                && close(wanted.4, one.4)
        });
        assert!(same, "{wanted:?} is not in {found:#?}");
    }
    // The line that repeats all numbers of a Go benchmark is none of its own.
    assert!(!found.iter().any(|one| one.0 == "BenchmarkSum" || one.1.contains("op\t")), "{found:#?}");
    repo.write("one.json", "[{\"name\":\"BenchmarkA\",\"unit\":\"ns/op\\t 8 B/op\",\"value\":5}]");
    let measured = imported(&repo, &["github-action-benchmark", "one.json", "one.json"]);
    assert_eq!(measured["comparison"][0]["unit"], "s", "older versions of the action wrote only that line");
}

#[test]
fn what_hyperfine_wrote_before_and_after_version_2_is_read() {
    for name in ["hyperfine-1.20.json", "hyperfine-2.0.json"] {
        let repo = project();
        let measured = imported(&repo, &["hyperfine", &real(name)]);
        let found = rows(&measured);
        assert_eq!(found.iter().map(|row| row.0).collect::<Vec<_>>(), ["time", "max_rss"], "{name}");
        assert!(found[1].1 > 100e3, "{found:?}");
        assert!(found[0].1 > 0.03 && found[0].1 < 1.0 && found[0].2 < found[0].1, "{found:?}");
        assert_eq!(measured["samples"].as_array().unwrap().len(), 10, "{name}");
    }
    let repo = project();
    let failed = std::fs::read_to_string(real("hyperfine-2.0.json")).unwrap();
    for (from, to, says) in [
        ("\"exit_code\": 0", "\"exit_code\": 1", "did not end well"),
        ("\"exit_code\": 0", "\"exit_code\": null", "did not end well"),
        ("\"schema_version\": 2", "\"schema_version\": 3", "schema version 3 is not known"),
    ] {
        let changed = failed.replacen(from, to, 1);
        assert_ne!(changed, failed);
        repo.write("failed.json", changed);
        repo.refuses(2, &["import", "hyperfine", "failed.json"]).says(&[says]);
    }
}

#[test]
fn the_notes_that_git_perf_wrote_are_read() {
    let repo = Repo::empty();
    let refs = ["refs/heads/main:refs/heads/theirs", "refs/notes/*:refs/notes/*"];
    repo.git(&[&["fetch", "--quiet", &real("git-perf.bundle")], &refs[..]].concat());
    repo.git(&["reset", "--quiet", "--hard", "theirs~1"]);
    repo.ok(&["start", "slim", "--hypothesis", "less is faster"]);
    repo.git(&["merge", "--quiet", "--ff-only", "theirs"]);
    let measured = imported(&repo, &["git-perf", "--unit", "build=s", "--unit", "size=kB"]);
    assert_eq!(rows(&measured), [("build", 12.6, 10.6, "inconclusive"), ("size", 840e3, 820e3, "improved")]);
    assert_eq!(measured["samples"].as_array().unwrap().len(), 6, "three readings a side");
}

#[test]
fn what_pytest_benchmark_wrote_is_read_and_another_commit_is_named() {
    let repo = project();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/exchange/pytest-benchmark.json");
    let ran = repo.ok(&["import", "pytest-benchmark", file, file]);
    ran.says(&["base: measured at", "candidate: measured at"]);
    let measured = imported(&repo, &["pytest-benchmark", file, file]);
    let found = rows(&measured);
    assert_eq!(found.iter().map(|row| row.0).collect::<Vec<_>>(), ["test_x.py::test_sum", "test_x.py::test_sort"]);
    assert_eq!(measured["samples"].as_array().unwrap().len(), 24);
    assert!(found.iter().all(|row| row.1 == row.2 && row.3 == "inconclusive"), "{found:?}");
}

#[test]
fn the_data_of_github_action_benchmark_is_found_by_commit() {
    let repo = project();
    let (base, candidate) = (repo.git(&["rev-parse", "main"]), repo.git(&["rev-parse", "HEAD"]));
    let run = |commit: &str, value: f64| {
        serde_json::json!({
            "commit": {"id": commit, "message": "x"}, "date": 1, "tool": "customBiggerIsBetter",
            "benches": [{"name": "served", "value": value, "unit": "Requests", "range": "3"}],
        })
    };
    let data = serde_json::json!({
        "lastUpdate": 1, "repoUrl": "", "entries": {"All": [
            run(&base, 10.0), run(&base, 10.0), run("0123", 7.0), run(&candidate, 5.0), run(&candidate, 5.0),
        ]},
    });
    repo.write("data.js", format!("window.BENCHMARK_DATA = {data};\n"));
    let measured = imported(&repo, &["github-action-benchmark", "data.js"]);
    assert_eq!(rows(&measured), [("served", 10.0, 5.0, "regressed")]);
    repo.write("one.json", r#"[{"name":"n","unit":"ms","value":5,"range":"1"}]"#);
    let measured = imported(&repo, &["github-action-benchmark", "one.json", "one.json"]);
    assert_eq!(rows(&measured), [("n", 0.005, 0.005, "inconclusive")]);
    repo.refuses(2, &["import", "github-action-benchmark", "one.json"]).says(&["a list holds one side"]);
    repo.write("data.js", r#"window.BENCHMARK_DATA = {"entries": {}}"#);
    repo.refuses(2, &["import", "github-action-benchmark", "data.js"]).says(&["no run of commit"]);
}

#[test]
fn the_text_of_go_and_the_notes_of_git_perf_are_read() {
    let repo = project();
    repo.write("old.txt", "BenchmarkA-2 10 200 ns/op 8 B/op\nBenchmarkA-2 10 220 ns/op 8 B/op\n");
    repo.write("new.txt", "BenchmarkA-4 10 100 ns/op 16 B/op\nBenchmarkA-4 10 120 ns/op 16 B/op\n");
    let measured = imported(&repo, &["go", "old.txt", "new.txt"]);
    let found = rows(&measured);
    assert_eq!((found[1].0, found[1].3), ("A B/op", "regressed"));
    assert_eq!(found[0].3, "inconclusive");
    repo.refuses(2, &["import", "git-perf"]).says(&["has no numbers of git-perf", "refs/notes/perf-v3"]);
    for (commit, value) in [("main", "12.5"), ("HEAD", "10.0")] {
        let line = format!("1\u{1c}report\u{1c}1700000000.5\u{1c}{value}\u{1c}os=linux\n").repeat(2);
        repo.git_with_input(&["notes", "--ref", "refs/notes/perf-v3", "add", "-F", "-", commit], &line);
    }
    let measured = imported(&repo, &["git-perf"]);
    assert_eq!(rows(&measured), [("report", 12.5, 10.0, "improved")]);
}

#[test]
fn the_text_that_go_1_19_wrote_is_read_whole() {
    let repo = project();
    let [old, new] =
        ["base", "new"].map(|side| format!("{}/testdata/exchange/go-{side}.txt", env!("CARGO_MANIFEST_DIR")));
    let measured = imported(&repo, &["go", &old, &new, "--better", "Sum items/op=higher"]);
    let found = rows(&measured);
    let row =
        |name: &str| found.iter().find(|row| row.0 == name).copied().unwrap_or_else(|| panic!("{name}: {found:?}"));
    assert_eq!(row("Sum B/op"), ("Sum B/op", 25208.0, 0.0, "improved"));
    assert_eq!(row("Sum allocs/op"), ("Sum allocs/op", 12.0, 0.0, "improved"));
    assert_eq!(row("Sum items/op"), ("Sum items/op", 1000.0, 1000.0, "unchanged"));
    assert!(found.iter().any(|row| row.0.starts_with("Copy/whole") && row.3 == "inconclusive"), "{found:?}");
    let items = measured["comparison"].as_array().unwrap().iter().find(|row| row["metric"] == "Sum items/op").unwrap();
    assert_eq!(items["better"], "higher");
}

#[test]
fn units_and_directions_that_a_file_does_not_say_can_be_told() {
    let repo = project();
    for (commit, values) in [("main", ["872.1", "872.1"]), ("HEAD", ["700.5", "700.5"])] {
        let line =
            |value: &str| format!("0\u{1c}build\u{1c}1700000000.5\u{1c}{value}\n0\u{1c}rps\u{1c}1.5\u{1c}{value}\n");
        let lines = values.map(line).concat();
        repo.git_with_input(&["notes", "--ref", "refs/notes/perf-v3-write-0001", "add", "-F", "-", commit], &lines);
    }
    let measured =
        imported(&repo, &["git-perf", "--unit", "build=ms", "--better", "rps=higher", "--unit", "rps=req/s"]);
    let row = |at: usize, field: &str| measured["comparison"][at][field].clone();
    assert_eq!((row(0, "metric"), row(0, "unit"), row(0, "base")), ("build".into(), "s".into(), 0.8721.into()));
    assert_eq!(
        (row(1, "unit"), row(1, "better"), row(1, "word")),
        ("req/s".into(), "higher".into(), "regressed".into())
    );
    repo.refuses(2, &["import", "git-perf", "--unit", "buld=ms"]).says(&["no metric 'buld'", "'build'"]);
    repo.refuses(2, &["import", "git-perf", "--better", "rps=more"]).says(&["neither lower nor higher"]);
    repo.refuses(2, &["import", "git-perf", "--unit", "rps"]).says(&["METRIC=VALUE"]);
    repo.write("a.json", r#"{"results":[{"command":"a","times":[1]},{"command":"b","times":[2]}]}"#);
    repo.refuses(2, &["import", "hyperfine", "a.json", "--unit", "time=ms"]).says(&["in s already"]);
}

#[test]
fn files_that_cannot_be_taken_in_are_refused_with_the_reason() {
    let repo = project();
    let good = r#"{"results":[{"command":"a","times":[1]}]}"#;
    repo.write("good.json", good);
    for (name, text, says) in [
        ("no.json", "{", "EOF"),
        ("other.json", r#"{"results":[{"command":"b","times":[]}]}"#, "'b' has no times"),
        ("failed.json", r#"{"results":[{"command":"b","times":[1,2],"exit_codes":[0,1]}]}"#, "run 2 of 'b'"),
        ("bytes.json", "\u{1b}[31m", "bytes.json"),
    ] {
        repo.write(name, text);
        let ran = repo.refuses(2, &["import", "hyperfine", "good.json", name]);
        assert!(!ran.says(&[says]).stderr.contains('\u{1b}'), "{}", ran.report());
    }
    repo.refuses(2, &["import", "hyperfine", "good.json", "."]).says(&["it is a folder"]);
    repo.refuses(2, &["import", "hyperfine", "good.json", "none.json"]).says(&["none.json cannot be read"]);
    repo.refuses(2, &["import", "hyperfine", "good.json"]).says(&["it holds 1 command; "]);
    repo.refuses(2, &["import", "go", "good.json"]).says(&["a file for the base and one for the candidate"]);
    repo.refuses(2, &["import", "hyperfin", "good.json"]).says(&["'hyperfin' is not read", "import hyperfine"]);
    repo.write("two.json", r#"{"results":[{"command":"a","times":[1]},{"command":"b","times":[1]}]}"#);
    repo.refuses(2, &["import", "hyperfine", "good.json", "two.json"]).says(&["no metric in common"]);
    repo.ok(&["abandon", "slim", "--because", "enough"]);
    repo.refuses(3, &["import", "hyperfine", "good.json", "good.json", "--experiment", "slim"])
        .says(&["abandoned already"]);
}

#[test]
fn every_format_is_written_and_says_the_same_numbers() {
    let repo = project();
    repo.write("a.json", r#"{"results":[{"command":"a","times":[2.0,2.1,2.2],"memory_usage_byte":[8,8]}]}"#);
    repo.write("b.json", r#"{"results":[{"command":"a","times":[1.0,1.1,1.2],"memory_usage_byte":[4,4]}]}"#);
    imported(&repo, &["hyperfine", "a.json", "b.json"]);
    for name in ["a.json", "b.json"] {
        std::fs::remove_file(repo.path().join(name)).unwrap();
    }
    repo.ok(&["keep", "slim", "--because", "faster, \"much\"", "--force"]);
    let records = repo.git(&["ls-tree", "-r", "--format=%(objectname)", "refs/verdict/ledger:events"]);
    let mut stored: Vec<String> = records.lines().map(|id| repo.git(&["cat-file", "blob", id])).collect();
    let lines = repo.ok(&["export", "jsonl"]).stdout;
    let mut lines: Vec<&str> = lines.lines().collect();
    stored.sort();
    lines.sort_unstable();
    assert_eq!(lines, stored, "records go out as they are stored");
    let json: Value = serde_json::from_str(&repo.ok(&["export", "json"]).stdout).unwrap();
    assert_eq!((&json["schema"], json["records"].as_array().unwrap().len()), (&"git-verdict/records".into(), 3));
    let csv = repo.ok(&["export", "csv"]).stdout;
    assert_eq!(csv.matches("\r\n").count(), 3, "{csv}");
    assert!(csv.contains(",max_rss,B,lower,8,4,-0.5,,,2,improved,\"faster, \"\"much\"\"\",,,,,,\r\n"), "{csv}");
    repo.ok(&["export", "markdown"])
        .prints(&["| kept | `slim` | time -47.6 % (?), max_rss -50.0 % | faster, \"much\" |"]);
    let metrics = repo.ok(&["export", "openmetrics"]).stdout;
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    assert!(metrics.contains(",metric=\"max_rss\",unit=\"B\",side=\"candidate\"} 4 "), "{metrics}");
    assert!(metrics.contains(",word=\"improved\"} -0.5 "), "{metrics}");
    let bencher: Value = serde_json::from_str(&repo.ok(&["export", "bencher"]).stdout).unwrap();
    let time = &bencher["slim"]["time"];
    assert_eq!((&time["value"], &bencher["slim"]["max_rss"]), (&1.1.into(), &serde_json::json!({"value": 4.0})));
    let (low, high) = (time["lower_value"].as_f64().unwrap(), time["upper_value"].as_f64().unwrap());
    assert!(low < 1.1 && 1.1 < high, "{time}");
    let told = repo.json(&["export", "jsonl", "-o", "out.jsonl"]);
    assert_eq!((&told["count"], repo.read("out.jsonl").lines().count()), (&3.into(), 3));
    repo.ok(&["export", "csv", "--experiment", "slim", "-o", "out.csv"]).prints(&["wrote out.csv: 1 experiment"]);
    repo.expect(2, &["export", "csv", "--json"]).says(&["-o FILE"]);
    repo.expect(2, &["export", "csv", "--experiment", "none"]).says(&["there is no experiment 'none'"]);
    repo.expect(3, &["export", "csv", "-o", "no/such/folder"]).says(&["cannot be written"]);
    repo.expect(2, &["export", "xml"]).says(&["openmetrics"]);
}

/// An experiment that was kept on imported numbers, exported as records and as CSV.
fn exported() -> Repo {
    let repo = project();
    repo.write("both.json", r#"{"results":[{"command":"a","times":[2.0,2.1]},{"command":"b","times":[1.0,1.1]}]}"#);
    imported(&repo, &["hyperfine", "both.json"]);
    std::fs::remove_file(repo.path().join("both.json")).unwrap();
    repo.ok(&["keep", "slim", "--because", "faster, \"much\"", "--force"]);
    repo.ok(&["export", "jsonl", "-o", "records.jsonl"]);
    repo.ok(&["export", "csv", "-o", "verdicts.csv"]);
    repo
}

#[test]
fn sqlite_answers_questions_about_the_csv() {
    if !works("sqlite3", &["--version"]) {
        return skip("sqlite3 is not installed");
    }
    let repo = exported();
    let query = "SELECT experiment, metric, word, base, why FROM verdicts";
    let import = [":memory:", "-cmd", ".mode csv", "-cmd", ".import verdicts.csv verdicts", query];
    let ran = repo.run_in(repo.path(), "sqlite3", &import, None);
    assert_eq!(ran.stdout.trim(), "slim,time,inconclusive,2.05,\"faster, \"\"much\"\"\"", "{}", ran.report());
}

#[test]
fn duckdb_reads_the_records_and_writes_parquet() {
    if !works("python3", &["-c", "import duckdb"]) {
        return skip("duckdb is not installed for python3");
    }
    let repo = exported();
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/exchange.md")).unwrap();
    let sql = page.split("```sql\n").nth(1).and_then(|rest| rest.split("```").next()).expect("SQL in docs/exchange.md");
    repo.write("query.sql", sql);
    let program = "import duckdb\nprint(duckdb.sql(open('query.sql').read()).fetchall())";
    let ran = repo.run_in(repo.path(), "python3", &["-c", program], None);
    assert_eq!(ran.stdout.trim(), "[('time', 'inconclusive', 1)]", "{}", ran.report());
    assert!(repo.path().join("decisions.parquet").exists());
}
