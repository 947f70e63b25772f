//! The machine formats: every output is printed once and held against its schema, and configurations against theirs.

use crate::common;

use crate::common::{Repo, schemas::hold};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

const CONFIG: &str = "version = 1\n[steps.build]\nrun = \"./build.sh\"\n[metrics.size]\npath = \"out\"\n\
    [metrics.time]\nstep = \"build\"\nmatters = \"90%\"\n[checks]\nthere = \"test -f out\"\n";

/// What one story through all commands prints.
struct Seen(BTreeSet<String>);

impl Seen {
    fn run(&mut self, repo: &Repo, code: i32, words: &[&str]) {
        let words = [words, &["--json"]].concat();
        let ran = repo.expect(code, &words);
        let names = hold(&ran.line, &ran.stdout);
        assert!(!names.is_empty(), "no object of ours\n{}", ran.report());
        self.0.extend(names);
    }
}

fn attempt(seen: &mut Seen, repo: &Repo, name: &str, bytes: usize) {
    seen.run(repo, 0, &["start", name, "--hypothesis", "smaller"]);
    repo.script("build.sh", &format!("head -c {bytes} /dev/zero > out\n"));
    repo.commit("perf: another size");
}

#[test]
fn every_output_that_has_a_schema_is_printed_and_is_what_the_schema_says() {
    let mut seen = Seen(BTreeSet::new());
    let mut repo = Repo::with(&[("Cargo.toml", "[package]\nname = \"app\"\nversion = \"0.1.0\"\n")]);
    let state = tempfile::tempdir().unwrap();
    repo.set("XDG_STATE_HOME", state.path().to_str().unwrap());
    seen.run(&repo, 0, &["init", "--dry-run"]);
    seen.run(&repo, 0, &["schema"]);
    seen.run(&repo, 0, &["completions", "bash"]);
    seen.run(&repo, 0, &["man", "--dir", state.path().join("man").to_str().unwrap()]);
    repo.write("verdict.toml", CONFIG);
    repo.write(".gitignore", "out\n");
    repo.script("build.sh", "head -c 4000 /dev/zero > out\n");
    repo.commit("feat: a build");
    seen.run(&repo, 0, &["trust", "--show"]);
    seen.run(&repo, 0, &["trust", "--yes"]);
    seen.run(&repo, 0, &["trust", "--hidden"]);
    seen.run(&repo, 0, &["hook", "status"]);
    seen.run(&repo, 0, &["hook", "install", "--yes"]);
    seen.run(&repo, 0, &["hook", "uninstall"]);
    seen.run(&repo, 0, &["status"]);
    seen.run(&repo, 2, &["start", "no such name", "--hypothesis", "a name has no spaces"]);
    seen.run(&repo, 2, &["start", "--no-such-flag"]);

    attempt(&mut seen, &repo, "slim", 1000);
    seen.run(&repo, 0, &["measure", "--pairs", "3"]);
    seen.run(&repo, 0, &["measure", "--queued"]);
    seen.run(&repo, 0, &["status"]);
    seen.run(&repo, 0, &["compare"]);
    seen.run(&repo, 0, &["compare", "--worth", "1 s time = 1 kB size", "--worth", "1 maintenance = 1 MB size"]);
    seen.run(&repo, 0, &["keep", "--because", "a quarter is enough", "--dry-run"]);
    seen.run(&repo, 0, &["keep", "--because", "a quarter is enough", "--force"]);
    seen.run(&repo, 0, &["undo", "--because", "too early", "--dry-run"]);
    seen.run(&repo, 0, &["undo", "--because", "too early"]);
    seen.run(&repo, 0, &["keep", "slim", "--because", "a quarter is enough", "--force"]);
    attempt(&mut seen, &repo, "fat", 5000);
    seen.run(&repo, 0, &["measure", "--pairs", "3"]);
    seen.run(&repo, 0, &["revert", "--because", "it grew"]);
    attempt(&mut seen, &repo, "idle", 900);
    seen.run(&repo, 0, &["abandon", "--because", "no time"]);
    repo.git(&["switch", "--quiet", "main"]);
    seen.run(&repo, 0, &["weigh", "HEAD~1", "HEAD", "--run", "./build.sh", "--size", "out"]);

    repo.script("build.sh", "head -c 9000 /dev/zero > out\n");
    repo.commit("feat: fat");
    let ends = ["HEAD~1", "HEAD", "--run", "./build.sh", "--size", "out"];
    seen.run(&repo, 0, &[&["bisect"], &ends[..]].concat());
    seen.run(&repo, 1, &[&["bisect", "--step"], &ends[..]].concat());

    let record = repo.json(&["log"])["decisions"][0]["decision"]["record"].as_str().unwrap().to_string();
    for words in [&["log"][..], &["show", "slim", "--where"], &["show", &record]] {
        seen.run(&repo, 0, words);
    }
    let told = repo.ok(&["log", "--jsonl", "--all"]).stdout;
    seen.0.extend(hold("log --jsonl", &told));
    seen.0.extend(hold("export json", &repo.ok(&["export", "json"]).stdout));
    seen.run(&repo, 0, &["export", "jsonl", "-o", state.path().join("records.jsonl").to_str().unwrap()]);
    seen.run(&repo, 0, &["check", "--against", "main"]);
    seen.run(&repo, 0, &["similar", "verdict/fat"]);
    seen.run(&repo, 0, &["recheck"]);
    seen.run(&repo, 0, &["adr", "new", "fat"]);
    seen.run(&repo, 0, &["adr", "index"]);
    seen.run(&repo, 0, &["adr", "check"]);
    seen.run(&repo, 0, &["inspect", "."]);
    seen.run(&repo, 0, &["next"]);
    seen.run(&repo, 0, &["decisions"]);
    seen.run(&repo, 0, &["report", "-o", state.path().join("report.html").to_str().unwrap()]);
    seen.run(&repo, 0, &["doctor"]);
    seen.run(&repo, 0, &["doctor", "--ledger"]);
    seen.run(&repo, 0, &["doctor", "--noise", "--budget", "1s", "--run", "true"]);
    let remote = state.path().join("remote.git");
    repo.git(&["init", "--quiet", "--bare", remote.to_str().unwrap()]);
    seen.run(&repo, 0, &["sync", remote.to_str().unwrap()]);
    repo.write("a.json", r#"{"results":[{"command":"a","times":[2.0,2.1,2.2]}]}"#);
    repo.write("b.json", r#"{"results":[{"command":"a","times":[1.0,1.1,1.2]}]}"#);
    repo.git(&["switch", "--quiet", "--create", "other"]);
    repo.commit("perf: outside");
    seen.run(&repo, 0, &["start", "outside", "--hypothesis", "measured elsewhere", "--adopt", "HEAD~1..HEAD"]);
    seen.run(&repo, 0, &["import", "hyperfine", "a.json", "b.json", "--experiment", "outside"]);
    cut_off(&mut seen, &repo);

    let all: BTreeSet<String> = git_verdict::schema::names().into_iter().map(|(name, _)| name).collect();
    let unseen: Vec<&String> = all.iter().filter(|name| !seen.0.contains(*name)).collect();
    // The demo takes half a minute; tests/at_length/demo.rs runs it.
    assert_eq!(unseen, ["demo", git_verdict::schema::CONFIG], "schemas of what this story never prints");
}

/// A decision that is killed half-way, seen by `status` and `doctor`, and taken back.
fn cut_off(seen: &mut Seen, repo: &Repo) {
    let mut command = common::isolated(env!("CARGO_BIN_EXE_git-verdict"));
    command.current_dir(repo.path()).args(["keep", "outside", "--because", "cut off", "--force", "--yes"]);
    command.env(git_verdict::decision::FAULT_VARIABLE, "step:2");
    let ran = common::finish(command, None);
    assert_eq!(ran.code, None, "it was to be killed\n{}", ran.report());
    seen.run(repo, 0, &["status"]);
    seen.run(repo, 1, &["doctor"]);
    seen.run(repo, 0, &["doctor", "--undo"]);
}

#[test]
fn a_schema_is_printed_by_name_whole_and_an_unknown_name_is_answered_with_the_nearest() {
    let repo = Repo::empty();
    let text = repo.ok(&["schema", "log"]).stdout;
    let schema: Value = serde_json::from_str(&text).unwrap();
    assert!(jsonschema::validator_for(&schema).is_ok());
    assert_eq!(schema["properties"]["schema"]["const"], "git-verdict/log");
    assert_eq!(repo.ok(&["schema", "git-verdict/log"]).stdout, text);
    repo.refuses(2, &["schema", "lgo"]).says(&["there is no schema 'lgo'", "git verdict schema log"]);
    let listed = repo.ok(&["schema"]).stdout;
    for (name, _) in git_verdict::schema::names() {
        assert!(listed.contains(&name), "{name}\n{listed}");
    }
}

fn configuration() -> jsonschema::Validator {
    let schema = git_verdict::schema::document(git_verdict::schema::CONFIG).unwrap();
    jsonschema::draft7::new(&schema).unwrap()
}

/// The TOML blocks of docs/config.md: those that are right, and those that are shown with their error.
fn examples() -> (Vec<String>, Vec<String>) {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/config.md")).unwrap();
    let blocks = |fence: &str| -> Vec<String> {
        page.split(fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_string()).collect()
    };
    (blocks("```toml\n"), blocks("```toml,error\n"))
}

/// Configurations that the schema alone refuses.
const WRONG_SHAPES: &[&str] = &[
    "version = 2\n",
    "[metrics.a]\npath = \"a\"\n",
    "version = 1\n[metrics.a]\npath = \"a\"\nimage = \"b\"\n",
    "version = 1\n[metrics.a]\nbetter = \"lower\"\n",
    "version = 1\n[metrics.a]\nrun = \"a\"\ncompress = \"gzip\"\n",
    "version = 1\n[metrics.a]\nrun = \"a\"\npattern = \"(a)\"\njson = \"/a\"\n",
    "version = 1\n[steps.a]\nrum = \"a\"\n",
    "version = 1\n[steps.a]\nrun = []\n",
    "version = 1\n[policy]\nrevert = \"rebase\"\n",
    "version = 1\n[measure]\nnice = 20\n",
    "version = 1\n[extra]\n",
];

#[test]
fn the_schema_of_the_configuration_takes_what_the_program_takes_and_refuses_wrong_shapes() {
    let validator = configuration();
    let (right, wrong) = examples();
    assert!(right.len() >= 5 && wrong.len() >= 5);
    for text in right.iter().map(String::as_str).chain([CONFIG]) {
        let value: Value = serde_json::to_value(toml::from_str::<toml::Value>(text).unwrap()).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|e| format!("{e} at {}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{text}\n{}", errors.join("\n"));
        git_verdict::config::Config::parse(text, "verdict.toml").unwrap();
    }
    for text in WRONG_SHAPES {
        let value: Value = serde_json::to_value(toml::from_str::<toml::Value>(text).unwrap()).unwrap();
        assert!(!validator.is_valid(&value), "{text}");
        assert!(git_verdict::config::Config::parse(text, "verdict.toml").is_err(), "{text}");
    }
}

/// taplo is what editors check TOML with. `GIT_VERDICT_HOOK_TOOLS` names the folder that it is installed in.
#[test]
fn taplo_finds_the_schema_by_its_comment_or_its_own_settings_and_refuses_what_it_refuses() {
    let Some(tools) = std::env::var_os("GIT_VERDICT_HOOK_TOOLS") else {
        common::skip("GIT_VERDICT_HOOK_TOOLS is not set");
        return;
    };
    let taplo = Path::new(&tools).join("node_modules/.bin/taplo");
    let repo = Repo::empty();
    repo.write(".verdict/verdict.schema.json", repo.ok(&["schema", "verdict.toml"]).stdout);
    let mut names = Vec::new();
    let mut write = |folder: &str, number: usize, text: &str| {
        let name = format!("{folder}/{number}.toml");
        repo.write(&name, format!("#:schema ../.verdict/verdict.schema.json\n{text}"));
        names.push(name.clone());
        name
    };
    let right = examples().0;
    for (number, text) in right.iter().map(String::as_str).chain([CONFIG]).enumerate() {
        write("right", number, text);
    }
    let wrong: Vec<String> = WRONG_SHAPES.iter().enumerate().map(|(n, text)| write("wrong", n, text)).collect();
    let lint = |files: &[&str]| {
        let words = [&["lint", "--colors", "never"], files].concat();
        repo.run_in(repo.path(), taplo.to_str().unwrap(), &words, None)
    };
    let ran = lint(&["right/*.toml"]);
    assert_eq!(ran.code, Some(0), "{}", ran.report());
    let ran = lint(&["wrong/*.toml"]);
    assert_eq!(ran.code, Some(1), "{}", ran.report());
    for name in &wrong {
        assert!(ran.stderr.contains(&format!("{name}:")), "{name} is taken: {}", ran.report());
    }
    // The settings that docs/schema.md shows.
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema.md")).unwrap();
    repo.write(".taplo.toml", page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap());
    repo.write("verdict.toml", CONFIG);
    assert_eq!(lint(&["verdict.toml"]).code, Some(0));
    repo.write("verdict.toml", CONFIG.replace("[steps", "[stepz"));
    let ran = lint(&["verdict.toml"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("'stepz' was unexpected"), "{}", ran.report());
}
