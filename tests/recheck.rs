//! Decisions that rest on something that has changed: found, ranked, measured again.

use crate::common::Repo;
use serde_json::Value;

const CONFIG: &str =
    "version = 1\n[steps.build]\nrun = \"./build.sh\"\n[metrics.size]\npath = \"out\"\nmatters = \"1%\"\n";

/// A program whose size is what `app` and `lib` say; its script names docker, so that the Dockerfile counts.
fn repo() -> Repo {
    let repo = Repo::with(&[
        ("verdict.toml", CONFIG),
        ("Dockerfile", "FROM python:3.10\n"),
        ("requirements.txt", "flask==2.0\nsix==1.0\n"),
        ("app", "3000\n"),
        ("lib", "1000\n"),
        (".gitignore", "out\n"),
    ]);
    repo.script("build.sh", "# stands for: docker build .\nhead -c $(($(cat app) + $(cat lib))) /dev/zero > out\n");
    repo.commit("feat: a build");
    repo
}

/// An experiment that writes these files, measured.
fn attempt(repo: &Repo, name: &str, files: &[(&str, &str)]) {
    repo.ok(&["start", name, "--hypothesis", "smaller"]);
    for (path, text) in files {
        repo.write(path, text);
    }
    repo.commit(&format!("perf: {name}"));
    repo.ok(&["measure", "--pairs", "2"]);
}

/// `slim` is kept (-50 %), `multi` reverted (-5 % of what is left).
fn decided() -> Repo {
    let repo = repo();
    attempt(&repo, "slim", &[("app", "1000\n")]);
    repo.ok(&["keep", "--because", "half of it"]);
    attempt(&repo, "multi", &[("lib", "900\n")]);
    repo.ok(&["revert", "--because", "not worth it"]);
    repo
}

fn told(found: &Value) -> Vec<(&str, Vec<&str>)> {
    let text = |value: &'_ Value| -> &'static str { Box::leak(value.as_str().unwrap().to_string().into_boxed_str()) };
    let one = |one: &Value| (text(&one["experiment"]), one["told"].as_array().unwrap().iter().map(text).collect());
    found["moved"].as_array().unwrap().iter().map(one).collect()
}

#[test]
fn nothing_is_listed_while_nothing_moved() {
    let repo = decided();
    repo.ok(&["recheck"]).prints(&["nothing has changed under 2 decisions"]);
    let found = repo.json(&["recheck"]);
    assert_eq!(told(&found), []);
    assert_eq!(found["unmoved"], serde_json::json!(["slim", "multi"]));
    repo.write("README", "a file that no number hangs on\n");
    repo.commit("docs: a page");
    assert_eq!(told(&repo.json(&["recheck"])), []);
}

#[test]
fn a_package_a_base_image_and_a_step_that_moved_are_named_and_add_up() {
    let repo = decided();
    let score = || repo.json(&["recheck", "multi"])["moved"][0]["score"].as_f64().unwrap();
    repo.write("requirements.txt", "flask==3.0\nsix==1.0\n");
    repo.commit("chore: a newer flask");
    let lock = "requirements.txt: flask 2.0 -> 3.0";
    assert_eq!(told(&repo.json(&["recheck"])), [("slim", vec![lock]), ("multi", vec![lock])]);
    let one = score();
    repo.write("Dockerfile", "FROM python:3.12\n");
    repo.commit("chore: a newer python");
    let image = "base image python:3.10 is python:3.12 (Dockerfile)";
    assert_eq!(told(&repo.json(&["recheck", "multi"])), [("multi", vec![image, lock])]);
    let two = score();
    repo.write("verdict.toml", CONFIG.replace("./build.sh", "sh build.sh"));
    repo.commit("build: by sh");
    assert_eq!(told(&repo.json(&["recheck", "multi"])), [("multi", vec![image, lock, "step build changed"])]);
    assert!(0.0 < one && one < two && two < score() && score() < 1.0, "{one} {two} {}", score());
    repo.ok(&["recheck"]).prints(&["something has changed under 2 of 2 decisions", "slim  size -50.0 %", image]);
    repo.ok(&["recheck", "-n", "1"]).prints(&["slim"]);
    assert!(!repo.ok(&["recheck", "-n", "1"]).stdout.contains("multi  size"), "the one that promises most");
    repo.ok(&["recheck", "--lang", "zh-CN"])
        .prints(&["2 个决定中有 2 个的依据已变化", "基础镜像 python:3.10 现为 python:3.12"]);
}

#[test]
fn the_branch_that_it_landed_on_counts_not_what_is_checked_out() {
    let repo = decided();
    repo.git(&["switch", "--quiet", "--create", "other"]);
    repo.write("Dockerfile", "FROM python:3.13\n");
    repo.write("verdict.toml", CONFIG.replace("./build.sh", "sh build.sh"));
    repo.commit("chore: elsewhere");
    assert_eq!(told(&repo.json(&["recheck"])), []);
    repo.git(&["branch", "--quiet", "--move", "main", "trunk"]);
    let found = repo.json(&["recheck"]);
    assert_eq!(found["not_compared"][0]["why"], "the branch main is not here");
    repo.ok(&["recheck"]).prints(&["not compared: slim: the branch main is not here"]);
}

#[test]
fn a_configuration_that_is_gone_is_one_thing_and_one_that_cannot_be_read_is_an_error() {
    let repo = decided();
    repo.git(&["rm", "--quiet", "verdict.toml"]);
    repo.commit("chore: no more measuring");
    assert_eq!(told(&repo.json(&["recheck", "slim"])), [("slim", vec!["verdict.toml is gone"])]);
    repo.write("verdict.toml", "version = 1\n[stpes.build]\n");
    repo.commit("chore: broken");
    repo.refuses(2, &["recheck"]).says(&["stpes", "verdict.toml"]);
}

#[test]
fn an_old_record_without_assumptions_is_read_from_its_commits() {
    let repo = decided();
    without_assumptions(&repo);
    assert_eq!(told(&repo.json(&["recheck"])), []);
    repo.write("Dockerfile", "FROM python:3.12\n");
    repo.commit("chore: a newer python");
    let found = repo.json(&["recheck", "multi"]);
    assert_eq!(found["moved"][0]["rebuilt"], true);
    assert_eq!(told(&found), [("multi", vec!["base image python:3.10 is python:3.12 (Dockerfile)"])]);
    repo.ok(&["recheck", "multi"]).prints(&["what it rested on was read from its commits"]);
}

/// Takes the assumptions out of every record, as if an older version had written them.
fn without_assumptions(repo: &Repo) {
    let list = repo.git(&["ls-tree", "-r", "refs/verdict/ledger"]);
    let mut index = String::new();
    for line in list.lines() {
        let (head, path) = line.split_once('\t').unwrap();
        let blob = head.rsplit(' ').next().unwrap();
        let text = repo.git(&["cat-file", "-p", blob]);
        let text = match serde_json::from_str::<Value>(&text) {
            Ok(Value::Object(mut event)) => {
                event.shift_remove("assumptions");
                Value::Object(event).to_string()
            }
            _ => text,
        };
        let new = repo.git_with_input(&["hash-object", "-w", "--stdin"], &format!("{text}\n"));
        index.push_str(&format!("100644 {}\t{path}\n", new.trim()));
    }
    let file = repo.path().join(".git/other-index");
    let file = file.to_str().unwrap();
    let git = |words: &[&str], input: Option<&str>| {
        let line = [&["-c", "core.hooksPath=/dev/null"], words].concat();
        let ran =
            repo.run_in(repo.path(), "env", &[&[&format!("GIT_INDEX_FILE={file}"), "git"], &line[..]].concat(), input);
        assert_eq!(ran.code, Some(0), "{}", ran.report());
        ran.stdout.trim().to_string()
    };
    git(&["update-index", "--index-info"], Some(&index));
    let tree = git(&["write-tree"], None);
    let commit = repo.git(&["commit-tree", "-m", "old records", &tree]);
    repo.git(&["update-ref", "refs/verdict/ledger", &commit]);
}

#[test]
fn a_decision_without_numbers_is_named_and_an_open_or_unknown_one_refused() {
    let repo = decided();
    repo.ok(&["start", "blind", "--hypothesis", "no numbers"]);
    repo.write("lib", "800\n");
    repo.commit("perf: blind");
    repo.refuses(3, &["recheck", "blind"]).says(&["experiment 'blind' is open", "git verdict show blind"]);
    repo.ok(&["keep", "--because", "trust me", "--force"]);
    let found = repo.json(&["recheck", "blind", "blind"]);
    assert_eq!(
        found["not_compared"],
        serde_json::json!([{"experiment": "blind", "why": "it was decided without numbers"}])
    );
    let ran = repo.ok(&["recheck", "blind"]);
    ran.prints(&["not compared: blind: it was decided without numbers"]);
    assert!(!ran.stdout.contains("nothing has changed"), "that is not known: {}", ran.report());
    repo.refuses(2, &["recheck", "mulit"]).says(&["there is no experiment 'mulit'", "did you mean 'multi'?"]);
    repo.refuses(2, &["recheck", "-n", "x"]);
}

#[test]
fn a_clone_without_the_ledger_says_where_the_ground_is() {
    let repo = decided();
    repo.git(&["update-ref", "-d", "refs/verdict/ledger"]);
    repo.ok(&["recheck"]).says(&["git verdict sync"]).prints(&["no decisions yet"]);
}

#[test]
fn a_reverted_change_is_made_again_on_the_base_of_today_and_a_kept_one_taken_out_of_it() {
    let repo = decided();
    repo.write("lib", "600\n700\n");
    repo.write("build.sh", repo.read("build.sh").replace("$(cat lib)", "$(head -n 1 lib)"));
    repo.commit("feat: another library");
    let before = repo.snapshot();
    let dry = repo.json(&["recheck", "--measure", "--dry-run"]);
    assert_eq!(dry["measured"][0]["experiment"], "slim");
    assert!(dry["measured"][0].get("record").is_none(), "{dry}");
    assert_eq!(dry["not_measured"][0]["why"], "it conflicts with main of today in lib");
    assert_eq!(before, repo.snapshot(), "--dry-run writes nothing");

    let ran = repo.ok(&["recheck", "--measure", "slim", "--pairs", "2"]);
    let date = repo.json(&["show", "slim"])["experiment"]["decision"]["at"].as_str().unwrap()[..10].to_string();
    let sentence = format!("slim was -2.0 kB on {date}; on today's base it is -2.0 kB");
    ran.prints(&["3.6 kB", "1.6 kB", "-55.6 %", &sentence]);
    assert_eq!(before.status, repo.snapshot().status);
    assert_eq!(before.worktrees, repo.snapshot().worktrees);
    assert_eq!(told(&repo.json(&["recheck", "slim"])), [], "its ground is that of today now");
    repo.ok(&["show", "slim"])
        .prints(&["measured again", "rests on python:3.10, requirements.txt (2), build.sh, step build"]);
    let events = repo.json(&["show", "slim"])["events"].clone();
    assert_eq!(events[3]["kind"], "measured");
    assert_eq!(events[3]["rechecks"], serde_json::json!({"decision": events[2]["id"], "what": "again"}));
    repo.ok(&["show", events[3]["id"].as_str().unwrap()]).prints(&["rechecks decision", "(again)"]);

    // Another change in the meantime is what is measured then, and named.
    repo.write("Dockerfile", "FROM python:3.12\n");
    repo.commit("chore: a newer python");
    repo.ok(&["recheck", "slim"]).prints(&["on the base of", "base image python:3.10 is python:3.12"]);
}

#[test]
fn a_reverted_change_that_gives_more_today_is_told_with_the_way_back() {
    let repo = repo();
    repo.write("verdict.toml", CONFIG.replace("1%", "10%"));
    repo.commit("build: what matters");
    attempt(&repo, "multi", &[("lib", "900\n")]);
    repo.ok(&["revert", "--because", "not worth it"]);
    repo.write("app", "100\n");
    repo.write("requirements.txt", "flask==3.0\nsix==1.0\n");
    repo.commit("feat: a small app");
    let ran = repo.ok(&["recheck", "--measure", "--pairs", "2"]);
    ran.prints(&["multi was -100 B on ", "; on today's base it is -100 B", "-9.1 %"]);
    assert!(!ran.stdout.contains("git verdict undo"), "it still is less than matters\n{}", ran.report());
    repo.write("app", "0\n");
    repo.commit("feat: no app");
    let found = repo.json(&["recheck", "multi", "--measure", "--pairs", "2"]);
    let measured = &found["measured"][0]["measured"];
    assert_eq!(measured["comparison"][0]["base"], 1000.0);
    assert_eq!(measured["comparison"][0]["candidate"], 900.0);
    assert_eq!(measured["recommendation"]["advice"], "keep");
    let ran = repo.ok(&["recheck", "multi", "--measure", "--pairs", "2"]);
    ran.prints(&["next: git verdict undo multi --because TEXT"]);
    repo.ok(&["recheck", "multi", "--measure", "--pairs", "2", "--lang", "zh-CN"])
        .prints(&["；在今天的基线上为 -100 B"]);
    let state = repo.json(&["show", "multi"])["experiment"]["state"].clone();
    assert_eq!(state, "reverted", "a measurement decides nothing");
    repo.ok(&["undo", "multi", "--because", "worth it by now"]);
    assert_eq!(repo.json(&["show", "multi"])["experiment"]["state"], "measured");
    assert_eq!(repo.json(&["log", "--all"])["decisions"][0]["comparison"][0]["base"], 4000.0, "its own measurement");
}

#[test]
fn what_is_there_already_or_gone_or_does_not_build_is_named_and_the_others_go_on() {
    let repo = decided();
    repo.write("lib", "900\n");
    repo.commit("perf: the same by hand");
    let ran = repo.expect(3, &["recheck", "--measure", "multi"]);
    ran.prints(&["not measured: multi: its change is in main already"]);
    repo.write("app", "3000\n");
    repo.write("lib", "1000\n");
    repo.commit("revert: all of it");
    repo.expect(3, &["recheck", "--measure", "slim"]).prints(&["its change is not in main any more"]);
    repo.ok(&["recheck", "--measure"]).prints(&["there is nothing to measure again"]);
    repo.script("build.sh", "# docker\ntest $(cat lib) -ge 1000 && head -c $(cat app) /dev/zero > out\n");
    repo.commit("feat: a limit");
    let ran = repo.expect(4, &["recheck", "--measure", "multi", "slim", "--pairs", "2"]);
    ran.prints(&["not measured: multi: candidate: step build failed: exit status 1", "not measured: slim"]);
    repo.write("app", "1000\n");
    repo.commit("perf: slim again");
    let found = repo.expect(4, &["recheck", "--measure", "--pairs", "2", "--json"]);
    let found: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(found["measured"][0]["experiment"], "slim");
    assert_eq!(found["not_measured"][0]["experiment"], "multi");
}

#[test]
fn measuring_again_runs_nothing_that_is_not_trusted_and_no_other_configuration() {
    let mut repo = decided();
    repo.write("Dockerfile", "FROM python:3.12\n");
    repo.commit("chore: a newer python");
    repo.git(&["switch", "--quiet", "--create", "other"]);
    repo.write("verdict.toml", CONFIG.replace("./build.sh", "sh build.sh"));
    repo.expect(3, &["recheck", "--measure", "slim"])
        .prints(&["verdict.toml here is not that of main: git switch main"]);
    repo.git(&["restore", "."]);
    repo.git(&["switch", "--quiet", "main"]);
    repo.set("CI", "1");
    let refs = repo.snapshot();
    repo.expect(3, &["recheck", "--measure", "slim"]).says(&["not trusted here", "git verdict trust"]);
    assert_eq!(refs, repo.snapshot());
    repo.set("GIT_VERDICT_TRUST", "1");
    repo.ok(&["recheck", "--measure", "slim", "--pairs", "2"]).prints(&["on today's base"]);
    repo.refuses(2, &["recheck", "--dry-run"]);
    repo.refuses(2, &["recheck", "slim", "--measure", "--metric", "nope"]).says(&["there is no metric 'nope'"]);
}

#[test]
fn what_has_landed_is_measured_against_its_first_parent_and_the_log_tells_both() {
    let repo = repo();
    attempt(&repo, "slim", &[("app", "1000\n")]);
    repo.git(&["switch", "--quiet", "main"]);
    repo.script("build.sh", "# docker\nhead -c $(($(cat app) / 2 + $(cat lib))) /dev/zero > out\n");
    repo.commit("feat: compressed");
    repo.ok(&["keep", "slim", "--because", "half of it"]);
    attempt(&repo, "multi", &[("lib", "900\n")]);
    repo.ok(&["revert", "--because", "not worth it"]);
    assert_eq!(repo.json(&["log"])["decisions"][1]["realised"], serde_json::json!([]));

    let landed = repo.json(&["show", "slim"])["experiment"]["decision"]["landed"].clone();
    let dry = repo.json(&["recheck", "--landed", "--dry-run"]);
    assert_eq!(dry["measured"].as_array().unwrap().len(), 1, "what was reverted has not landed: {dry}");
    assert_eq!(dry["measured"][0]["candidate"], landed);
    let ran = repo.ok(&["recheck", "--landed", "--pairs", "2"]);
    ran.prints(&["slim:", "2.5 kB", "1.5 kB", "promised -2.0 kB; landed -1.0 kB"]);
    repo.ok(&["log"]).prints(&["kept       slim  size -50.0 %", "            promised -2.0 kB; landed -1.0 kB"]);
    let log = repo.json(&["log"]);
    assert_eq!(log["decisions"][1]["experiment"], "slim");
    assert_eq!(log["decisions"][1]["comparison"][0]["base"], 4000.0);
    assert_eq!(log["decisions"][1]["realised"][0]["base"], 2500.0);
    assert_eq!(log["decisions"][0]["realised"], serde_json::json!([]));
    repo.ok(&["show", "slim"]).prints(&["measured as landed", "promised -2.0 kB; landed -1.0 kB"]);
    assert_eq!(repo.json(&["show", "slim"])["experiment"]["realised"], log["decisions"][1]["realised"]);
    repo.ok(&["log", "--lang", "zh-CN"]).prints(&["预期 -2.0 kB；落地后 -1.0 kB"]);

    // So do the report and what is exported.
    let page = repo.ok(&["report", "-o", "-"]).stdout;
    let table = page.split("<h4>Promised and landed</h4>").nth(1).unwrap().split("</table>").next().unwrap();
    assert!(table.contains("-2.0 kB -50.0 %") && table.contains("-1.0 kB -40.0 %"), "{table}");
    assert_eq!(page.matches("<h4>Promised and landed</h4>").count(), 1, "what was reverted has not landed");
    let csv = repo.ok(&["export", "csv"]).stdout;
    assert!(csv.contains(",half of it,2500,1500,-0.4,,,improved\r\n"), "{csv}");
    let ratio =
        format!("git_verdict_realised_ratio{{experiment=\"slim\",record={}", log["decisions"][1]["decision"]["record"]);
    assert!(repo.ok(&["export", "openmetrics"]).stdout.contains(&ratio));
    repo.ok(&["export", "markdown"]).prints(&["promised -2.0 kB; landed -1.0 kB"]);

    repo.ok(&["recheck", "--landed"]).prints(&["everything that was kept has been measured as it landed"]);
    repo.expect(3, &["recheck", "--landed", "multi"]).prints(&["not measured: multi: it was reverted"]);
    repo.refuses(2, &["recheck", "--landed", "--measure"]);
    // What was realised belongs to the decision: without it, the experiment is what it was.
    repo.ok(&["undo", "slim", "--because", "look again"]);
    let shown = repo.json(&["show", "slim"])["experiment"].clone();
    assert_eq!((&shown["realised"], &shown["comparison"][0]["base"]), (&serde_json::json!([]), &4000.0.into()));
    let log = repo.json(&["log", "--all"]);
    let slim = log["decisions"].as_array().unwrap().iter().find(|one| one["experiment"] == "slim").unwrap();
    assert_eq!((&slim["state"], &slim["comparison"][0]["base"]), (&"measured".into(), &4000.0.into()));
}

#[test]
fn a_landing_is_found_in_a_rewritten_history_and_adopted_commits_have_none() {
    let repo = repo();
    attempt(&repo, "slim", &[("app", "1000\n")]);
    repo.ok(&["keep", "--because", "half of it"]);
    repo.git(&["commit", "--quiet", "--amend", "--no-edit", "--date", "2020-01-01T00:00:00Z"]);
    let tip = repo.git(&["rev-parse", "HEAD"]);
    assert_eq!(repo.json(&["recheck", "--landed", "slim", "--pairs", "2"])["measured"][0]["candidate"], tip);
    repo.write("lib", "500\n");
    repo.commit("perf: by hand");
    repo.ok(&["start", "adopted", "--hypothesis", "smaller", "--adopt", "HEAD~1..HEAD"]);
    repo.ok(&["measure", "adopted", "--pairs", "2"]);
    repo.ok(&["keep", "adopted", "--because", "it is there"]);
    repo.expect(3, &["recheck", "--landed", "adopted"]).prints(&["its commits were on the base already"]);
}

#[test]
fn a_keep_queues_the_measurement_of_what_landed_where_commits_are_queued() {
    let repo = repo();
    attempt(&repo, "slim", &[("app", "1000\n")]);
    repo.ok(&["keep", "--because", "half of it"]);
    repo.ok(&["measure", "--queued"]).prints(&["nothing is queued"]);
    repo.ok(&["hook", "install", "--post-commit", "--yes"]);
    attempt(&repo, "more", &[("lib", "500\n")]);
    repo.ok(&["measure", "--queued", "--pairs", "2"]);
    repo.ok(&["keep", "more", "--because", "smaller"]).says(&["queued to be measured as it landed"]);
    let done = repo.json(&["measure", "--queued", "--pairs", "2"]);
    assert_eq!(done["measured"][0]["experiment"], "more");
    assert_eq!(repo.json(&["show", "more"])["experiment"]["realised"][0]["candidate"], 1500.0);
    repo.ok(&["measure", "--queued"]).prints(&["nothing is queued"]);
}

/// A stack on `main`: `slim` below `half` below `trim`, all kept. The size is `app * half / 10 + lib`.
fn stack() -> Repo {
    let repo = repo();
    repo.write("half", "10\n");
    repo.script("build.sh", "head -c $(($(cat app) * $(cat half) / 10 + $(cat lib))) /dev/zero > out\n");
    repo.commit("feat: a factor");
    attempt(&repo, "slim", &[("app", "1000\n")]);
    for (name, on, files) in [("half", "slim", [("half", "5\n")]), ("trim", "half", [("lib", "900\n")])] {
        repo.ok(&["start", name, "--hypothesis", "smaller", "--on", on]);
        repo.write(files[0].0, files[0].1);
        repo.commit(&format!("perf: {name}"));
        repo.ok(&["measure", "--pairs", "2"]);
    }
    for name in ["slim", "half", "trim"] {
        repo.ok(&["keep", name, "--because", "smaller"]);
    }
    repo
}

#[test]
fn the_parts_of_a_stack_alone_are_summed_against_the_whole_and_the_rest_is_interaction() {
    let repo = stack();
    let dry = repo.ok(&["recheck", "--stack", "--dry-run"]);
    dry.prints(&["would measure trim", "and slim alone as", "and half alone as", "and trim alone as"]);
    let found = repo.json(&["recheck", "--stack", "--pairs", "2"]);
    assert_eq!(found["measured"].as_array().unwrap().len(), 1, "one stack, by its end");
    let sum = &found["measured"][0]["sums"][0];
    let wanted = serde_json::json!({
        "metric": "size", "unit": "B", "recorded": -2600.0, "alone": -3600.0, "whole": -2600.0, "interaction": 1000.0,
        "noise": 0.0,
    });
    assert_eq!(*sum, wanted);
    let parts = found["measured"][0]["measured"]["rechecks"]["parts"].as_array().unwrap();
    let alone: Vec<f64> = parts.iter().map(|part| part["alone"][0]["candidate"].as_f64().unwrap()).collect();
    assert_eq!(alone, [2000.0, 2500.0, 3900.0]);
    let sentence = "size: -2.6 kB together, -3.6 kB each alone: +1.0 kB is interaction";
    repo.ok(&["show", "trim"]).prints(&["measured as a stack", "-1.5 kB", sentence]);
    repo.ok(&["show", "trim", "--lang", "zh-CN"]).prints(&["其中 +1.0 kB 为相互作用"]);
    repo.ok(&["recheck", "--stack", "half", "--pairs", "2"]).prints(&[
        "on record",
        "half",
        "difference",
        sentence.split(':').next().unwrap(),
    ]);
    repo.expect(3, &["recheck", "--stack", "slim"]).prints(&["not measured: slim: it was not kept on top of another"]);
    assert_eq!(repo.json(&["show", "trim"])["experiment"]["state"], "kept");
}

#[test]
fn a_part_that_cannot_stand_alone_is_named_and_no_interaction_is_made_up() {
    let repo = repo();
    attempt(&repo, "slim", &[("app", "1000\n")]);
    repo.ok(&["start", "more", "--hypothesis", "smaller", "--on", "slim"]);
    repo.write("app", "800\n");
    repo.commit("perf: more");
    repo.ok(&["measure", "--pairs", "2"]);
    repo.ok(&["keep", "slim", "--because", "smaller"]);
    repo.ok(&["recheck", "--stack"]).prints(&["no experiment was kept on top of another"]);
    repo.ok(&["keep", "more", "--because", "smaller"]);
    let ran = repo.ok(&["recheck", "--stack", "--pairs", "2"]);
    ran.prints(&[
        "more cannot stand alone: it conflicts in app",
        "size: -2.2 kB together; not every part can stand alone",
    ]);
    let found = repo.json(&["recheck", "--stack", "more", "--pairs", "2"]);
    let sum = &found["measured"][0]["sums"][0];
    assert_eq!((&sum["recorded"], &sum["alone"], &sum["interaction"]), (&(-2200.0).into(), &Value::Null, &Value::Null));
}

#[test]
fn check_notes_the_decisions_whose_ground_a_branch_moves_and_no_others() {
    let repo = decided();
    let notes = |found: &Value| -> Vec<String> {
        let stale = found["findings"].as_array().unwrap().iter().filter(|one| one["rule"] == "stale");
        stale.map(|one| format!("{}: {}", one["what"], one["why"]).replace('"', "")).collect()
    };
    repo.write("Dockerfile", "FROM python:3.11\n");
    repo.commit("chore: on the base already");
    repo.git(&["switch", "--quiet", "--create", "bump"]);
    repo.write("README", "a page\n");
    repo.commit("docs: a page");
    assert_eq!(notes(&repo.json(&["check", "--against", "main"])), [""; 0], "this branch moves nothing");
    repo.write("requirements.txt", "flask==3.0\nsix==1.0\n");
    repo.commit("chore: a newer flask");
    let found = repo.json(&["check", "--against", "main"]);
    let wanted = "2 decisions rested on what changes here: slim, multi: requirements.txt: flask 2.0 -> 3.0";
    assert_eq!(notes(&found), [wanted]);
    assert_eq!(found["passed"], true, "a note only");
    repo.ok(&["check", "--against", "main"])
        .prints(&["note stale: 2 decisions rested on", "after the merge, git verdict recheck"]);
}

/// A script of nine lines, the first and the last of which are these.
fn script(first: &str, last: &str) -> String {
    format!("# docker\n# {first}\n:\n:\n:\n:\n:\nhead -c $(($(cat app) + $(cat lib))) /dev/zero > out\n# {last}\n")
}

/// An experiment that is measured and changed the end of such a script.
fn with_another_end() -> Repo {
    let repo = repo();
    repo.script("build.sh", &script("one", "one"));
    repo.commit("build: a longer script");
    repo.ok(&["start", "multi", "--hypothesis", "smaller"]);
    repo.script("build.sh", &script("one", "two"));
    repo.write("lib", "900\n");
    repo.commit("perf: multi");
    repo.ok(&["measure", "--pairs", "2"]);
    repo
}

#[test]
fn a_script_that_the_merge_in_memory_joins_is_trusted_as_far_as_its_parts_are() {
    let repo = with_another_end();
    repo.ok(&["revert", "--because", "not worth it"]);
    repo.script("build.sh", &script("three", "one"));
    repo.commit("build: another beginning");
    repo.ok(&["recheck", "--measure", "--pairs", "2"]).prints(&["multi was -100 B"]);

    // The same beginning, brought by somebody else.
    let other = tempfile::tempdir().unwrap();
    let there = other.path().join("clone");
    repo.git(&["clone", "--quiet", ".", there.to_str().unwrap()]);
    let theirs = |words: &[&str]| {
        let who = ["-c", "user.name=Eve", "-c", "user.email=eve@example.invalid"];
        let ran = repo.run_in(&there, "git", &[&who[..], words].concat(), None);
        assert_eq!(ran.code, Some(0), "{}", ran.report());
    };
    std::fs::write(there.join("build.sh"), format!("#!/bin/sh\n{}", script("theirs", "one"))).unwrap();
    theirs(&["commit", "--quiet", "-a", "-m", "build: a third beginning"]);
    repo.git(&["pull", "--quiet", "--ff-only", there.to_str().unwrap(), "main"]);
    let before = repo.snapshot();
    let ran = repo.expect(3, &["recheck", "--measure", "multi", "--pairs", "2"]);
    ran.says(&["were not committed in this clone: build.sh", "git verdict trust "]);
    assert_eq!(before, repo.snapshot());
    let line = ran.stderr.lines().find_map(|line| line.trim().strip_prefix("try: git verdict ")).unwrap();
    let words: Vec<&str> = line.split(' ').chain(["--yes"]).collect();
    let mut repo = repo;
    repo.set("XDG_STATE_HOME", other.path().to_str().unwrap());
    repo.ok(&words);
    repo.ok(&["recheck", "--measure", "multi", "--pairs", "2"]).prints(&["on today's base it is -100 B"]);
}

#[test]
fn a_landed_merge_with_more_than_its_parents_give_is_not_trusted_for_them() {
    let repo = with_another_end();
    repo.git(&["switch", "--quiet", "main"]);
    repo.script("build.sh", &script("three", "one"));
    repo.commit("build: another beginning");
    repo.ok(&["keep", "multi", "--because", "smaller"]);
    repo.ok(&["recheck", "--landed", "multi", "--pairs", "2"]).prints(&["promised -100 B; landed -100 B"]);
    // The merge with another tree, as a rebase of somebody else could have left it.
    repo.script("build.sh", &script("three", "evil"));
    repo.git(&["add", "build.sh"]);
    let message = repo.git(&["log", "-1", "--format=%B"]);
    let (tree, parents) = (repo.git(&["write-tree"]), repo.git(&["log", "-1", "--format=%P"]));
    let parents: Vec<&str> = parents.split(' ').flat_map(|parent| ["-p", parent]).collect();
    let commit = repo.git(&[&["commit-tree", &tree, "-m", &message][..], &parents].concat());
    repo.git(&["reset", "--quiet", "--hard", &commit]);
    repo.expect(3, &["recheck", "--landed", "multi", "--pairs", "2"]).says(&["not trusted here", "build.sh"]);
}
