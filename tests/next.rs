//! `git verdict next` through the built binary: what is found, in what order, and what history keeps from being proposed.

use crate::common::{Repo, schemas};
use serde_json::{Value, json};

const DOCKERFILE: &str =
    "FROM python:3.10\nCOPY . .\nRUN pip install -r requirements.txt\nRUN rm -rf /root/.cache /notes\n";

const BUILD: &str = "#6 [2/4] COPY . .\n#6 DONE 3.1s\n#7 [3/4] RUN pip install -r requirements.txt\n#7 1.2 Collecting flask\n\
    #7 31.5 Installing collected packages: flask\n#7 DONE 87.5s\n#9 exporting to image\n#9 DONE 63.8s\n";

/// A tar of files with so many bytes.
fn tarball(files: &[(&str, usize)]) -> Vec<u8> {
    let bodies: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, size)| (*name, vec![7; *size])).collect();
    packed(&bodies)
}

fn packed(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, body) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(body.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, body.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A docker-archive whose history says these instructions.
fn image(layers: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let history: Vec<Value> = layers.iter().map(|(by, _)| json!({"created_by": by})).collect();
    let config = json!({"os": "linux", "architecture": "amd64", "history": history}).to_string();
    let names: Vec<String> = (0..layers.len()).map(|n| format!("{n}.tar")).collect();
    let manifest = json!([{"Config": "config.json", "RepoTags": ["app:1"], "Layers": names}]).to_string();
    let mut files = vec![("manifest.json", manifest.into_bytes()), ("config.json", config.into_bytes())];
    files.extend(names.iter().map(String::as_str).zip(layers.iter().map(|(_, bytes)| bytes.clone())));
    packed(&files)
}

/// The image of [`DOCKERFILE`]: a base with a cache of its own, a repository, the cache of pip, and a file that is deleted.
fn service() -> Vec<u8> {
    image(&[
        ("/bin/sh -c #(nop) ADD file:1 in / ", tarball(&[("usr/lib/base", 500_000), ("var/lib/apt/lists/x", 50_000)])),
        ("COPY . . # buildkit", tarball(&[("app.py", 1000), (".git/objects/pack/p", 90_000)])),
        (
            "RUN /bin/sh -c pip install -r requirements.txt # buildkit",
            tarball(&[("root/.cache/pip/wheel", 700_000), ("notes", 40_000), ("usr/lib/flask", 100_000)]),
        ),
        ("RUN /bin/sh -c rm -rf /root/.cache /notes # buildkit", tarball(&[("root/.wh..cache", 0), (".wh.notes", 0)])),
    ])
}

/// The object that the command prints, which must be as its schema says.
#[track_caller]
fn next(repo: &Repo, words: &[&str]) -> Value {
    let ran = repo.ok(&[&["next"], words, &["--json"]].concat());
    assert_eq!(schemas::hold(&ran.line, &ran.stdout), ["next"]);
    serde_json::from_str(&ran.stdout).unwrap()
}

fn names(told: &Value) -> Vec<&str> {
    told["proposals"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect()
}

#[track_caller]
fn proposal<'v>(told: &'v Value, name: &str) -> &'v Value {
    let all = told["proposals"].as_array().unwrap();
    all.iter().find(|p| p["name"] == name).unwrap_or_else(|| panic!("no {name} in {told:#}"))
}

#[test]
fn an_image_yields_known_fixes_by_their_share_for_their_cost_and_changes_nothing() {
    let repo = Repo::with(&[("Dockerfile", DOCKERFILE)]);
    repo.write("app.tar", service());
    let before = repo.snapshot();
    let told = next(&repo, &["app.tar", "-n", "0"]);
    assert_eq!(
        names(&told),
        ["no-pip-cache", "slim-base", "dockerignore-git", "delete-with-run-pip-install", "smaller-run-pip-install"]
    );
    let pip = proposal(&told, "no-pip-cache");
    assert_eq!((&pip["gain"], &pip["metric"], &pip["unit"]), (&700_000.0.into(), &Value::Null, &"B".into()));
    assert_eq!(pip["place"], json!({"layer": 3, "line": 3, "path": "/root/.cache/pip", "step": null}));
    assert_eq!(pip["cost"], json!({"lines": 1, "risk": "low"}));
    let waste = proposal(&told, "delete-with-run-pip-install");
    assert_eq!(waste["gain"], 40_000.0, "the cache that is deleted with it is an idea of its own");
    assert_eq!(proposal(&told, "dockerignore-git")["gain"], 90_000.0);
    let lead = proposal(&told, "smaller-run-pip-install");
    assert_eq!((&lead["cost"], &lead["score"], &lead["gain"]), (&Value::Null, &Value::Null, &100_000.0.into()));
    assert_eq!(told["in_base"], 50_000, "lists that lie in the base image are none of this Dockerfile's");
    let text = repo.ok(&["next", "app.tar"]);
    text.prints(&[
        "hypotheses only",
        "1. pip install --no-cache-dir",
        "why: 700.0 kB of pip in /root/.cache/pip, layer 3, line 3 of the Dockerfile",
        "cost: 1 line, low risk",
        "50.0 kB of caches and waste",
    ]);
    repo.ok(&["next", "app.tar", "-n", "1"]).prints(&["4 more with -n 0"]);
    assert_eq!(repo.snapshot(), before);
    // The line that is to be pasted opens the experiment.
    let line = pip["start"].as_str().unwrap().replace("git verdict", env!("CARGO_BIN_EXE_git-verdict"));
    let ran = repo.run_in(repo.path(), "sh", &["-c", &line], None);
    assert_eq!(ran.code, Some(0), "{}", ran.report());
    let told = next(&repo, &["app.tar"]);
    assert!(!names(&told).contains(&"no-pip-cache"));
    let open = &told["undecided"][0];
    assert_eq!((&open["experiment"], &open["state"]), (&"no-pip-cache".into(), &"open".into()));
    assert_eq!(open["next"], "git verdict measure no-pip-cache");
    assert_eq!(open["ideas"][0], "pip install --no-cache-dir: at most 700.0 kB less");
}

#[test]
fn metrics_are_read_as_they_are_now_and_what_is_not_there_is_skipped_with_a_note() {
    let repo = Repo::with(&[(
        "verdict.toml",
        "version = 1\n[steps.build]\nrun = \"false\"\n[metrics.image]\nimage = \"app.tar\"\nmatters = \"60 kB\"\n\
         [metrics.out]\npath = \"out\"\n[metrics.gone]\npath = \"gone\"\n\
         [metrics.gone_packed]\npath = \"gone\"\ncompress = \"gzip\"\n",
    )]);
    repo.write("Dockerfile", DOCKERFILE);
    repo.write("app.tar", service());
    repo.write("out/.npm/_cacache/x", "x".repeat(5000));
    repo.write("out/app.js", "x".repeat(5000));
    let ran = repo.ok(&["next"]);
    let note = "skipped gone: 'gone' does not exist here: build it first\n";
    assert_eq!(ran.stderr.matches("skipped gone").count(), 1, "{}", ran.report());
    assert!(ran.stderr.contains(note), "{}", ran.report());
    let told = next(&repo, &["-n", "0"]);
    assert_eq!(told["skipped"][0]["what"], "gone");
    assert_eq!(proposal(&told, "no-npm-cache")["whole"], 10_000.0);
    assert_eq!(proposal(&told, "no-npm-cache")["metric"], "out");
    assert_eq!(proposal(&told, "no-pip-cache")["metric"], "image");
    assert!(!names(&told).contains(&"delete-with-run-pip-install"), "40 kB cannot reach the 60 kB that matter");
    assert_eq!(told["too_small"], 2);
    let sizes = repo.json(&["inspect", "app.tar"])["image"]["sizes"].clone();
    let whole = sizes["stored"].as_f64().unwrap() + sizes["metadata"].as_f64().unwrap();
    let source = told["sources"].as_array().unwrap().iter().find(|s| s["metric"] == "image").unwrap();
    assert_eq!((&source["kind"], &source["value"]), (&"image".into(), &whole.into()));
}

/// A repository whose build writes a folder with a cache of pip and prints the log of a build.
fn project() -> Repo {
    let repo = Repo::with(&[(
        "verdict.toml",
        "version = 1\n[steps.build]\nrun = \"./build.sh\"\n[metrics.size]\npath = \"out\"\n\
         [metrics.time]\nstep = \"build\"\n",
    )]);
    repo.write(".gitignore", "out\nbuild.log\n");
    repo.write("Dockerfile", DOCKERFILE);
    repo.script("build.sh", &build(9000, "87.5"));
    repo.commit("feat: a build");
    repo
}

fn build(cache: usize, seconds: &str) -> String {
    let log = BUILD.replace("87.5", seconds);
    format!(
        "rm -rf out && mkdir -p out/.cache/pip && head -c {cache} /dev/zero > out/.cache/pip/wheel && \
         echo app > out/app\ncat <<'END'\n{log}END\n"
    )
}

#[test]
fn an_idea_that_was_reverted_is_told_with_its_numbers_and_not_proposed_again() {
    let repo = project();
    repo.run_in(repo.path(), "./build.sh", &[], None);
    assert!(names(&next(&repo, &[])).contains(&"no-pip-cache"));
    repo.ok(&["start", "purge-pip-cache", "--hypothesis", "nobody reads it"]);
    repo.script("build.sh", &build(8000, "91.5"));
    repo.commit("perf: purge the cache");
    repo.ok(&["measure", "--pairs", "3"]);
    let told = next(&repo, &[]);
    assert_eq!(told["undecided"][0]["next"], "git verdict decide purge-pip-cache");
    assert_eq!(told["undecided"][0]["ideas"].as_array().unwrap().len(), 1);
    repo.ok(&["next"]).prints(&[
        "First, what is open",
        "purge-pip-cache (measured)",
        "git verdict decide purge-pip-cache",
    ]);
    repo.ok(&["revert", "--because", "builds need it\nevery day"]);
    repo.git(&["switch", "--quiet", "main"]);
    repo.run_in(repo.path(), "./build.sh", &[], None);
    let told = next(&repo, &[]);
    assert!(!names(&told).contains(&"no-pip-cache"), "{told:#}");
    assert_eq!(told["undecided"], json!([]));
    let tried = &told["tried"][0];
    assert_eq!((&tried["experiment"], &tried["state"]), (&"purge-pip-cache".into(), &"reverted".into()));
    assert_eq!(
        (&tried["text"], &tried["next"]),
        (&"builds need it\nevery day".into(), &"git verdict show purge-pip-cache".into())
    );
    assert_eq!(tried["comparison"][0]["metric"], "size");
    assert_eq!(tried["ideas"][0], "pip install --no-cache-dir: at most 9.0 kB less");
    repo.ok(&["next"]).prints(&[
        "Tried before, and not proposed again",
        "purge-pip-cache (reverted): size -11.1 %",
        "because: builds need it",
        "still there: pip install --no-cache-dir: at most 9.0 kB less",
    ]);
    // The steps come from the log that the measurement kept: of the base, for that is what the work tree has.
    let log = &told["sources"].as_array().unwrap().iter().find(|s| s["kind"] == "log").unwrap().clone();
    assert_eq!((&log["what"], &log["metric"]), (&"purge-pip-cache: build".into(), &"time".into()));
    let lines = |told: &Value| proposal(told, "pip-list-first")["why"].as_str().unwrap().to_string();
    let all = next(&repo, &["-n", "0", "--log", &log_file(&repo)]);
    assert!(lines(&all).starts_with("87.50 s in step [3/4]"), "{}", lines(&all));
}

fn log_file(repo: &Repo) -> String {
    repo.write("build.log", BUILD).display().to_string()
}

#[test]
fn steps_of_a_log_yield_cache_mounts_order_and_leads() {
    let repo = project();
    log_file(&repo);
    let told = next(&repo, &["--log", "build.log", "-n", "0"]);
    let mount = proposal(&told, "pip-cache-mount");
    assert!((mount["gain"].as_f64().unwrap() - 31.5).abs() < 1e-6, "installing is not fetching: {mount:#}");
    assert_eq!(mount["place"]["line"], 3);
    assert_eq!(proposal(&told, "pip-list-first")["gain"], 87.5);
    assert!(proposal(&told, "pip-list-first")["fix"].as_str().unwrap().contains("(line 2)"));
    assert_eq!(proposal(&told, "faster-exporting-to-image")["cost"], Value::Null);
    assert!(!names(&told).contains(&"faster-copy"), "3.1 s of 154.4 s are less than 5 %");
    repo.write("Dockerfile", DOCKERFILE.replace("RUN pip", "RUN --mount=type=cache,target=/root/.cache/pip pip"));
    assert!(!names(&next(&repo, &["build.log"])).contains(&"pip-cache-mount"), "there is one already");
}

#[test]
fn without_a_kept_log_the_steps_come_from_the_record_and_rates_weigh_them() {
    let repo = project();
    repo.write(
        "verdict.toml",
        "version = 1\n[steps.build]\nrun = \"./build.sh\"\n[metrics.size]\npath = \"out\"\n[metrics.pip]\n\
         build_step = \"pip install\"\nstep = \"build\"\n[policy]\nworth = [\"1 s pip = 1 kB size\"]\n",
    );
    repo.commit("feat: the time of a step");
    repo.ok(&["start", "other", "--hypothesis", "another thing"]);
    repo.script("build.sh", &build(9000, "60.5"));
    repo.commit("perf: faster");
    repo.ok(&["measure", "--pairs", "6"]);
    repo.ok(&["keep", "--because", "it is faster", "--force"]);
    repo.run_in(repo.path(), "./build.sh", &[], None);
    let kept = next(&repo, &[]);
    assert!(kept["sources"].as_array().unwrap().iter().any(|s| s["kind"] == "log"), "{kept:#}");
    std::fs::remove_dir_all(repo.path().join(".git/verdict/logs")).unwrap();
    let told = next(&repo, &[]);
    let record = told["sources"].as_array().unwrap().iter().find(|s| s["kind"] == "record").unwrap();
    assert_eq!((&record["metric"], &record["value"]), (&"pip".into(), &60.5.into()), "the candidate's, which was kept");
    let order = |told: &Value| {
        let at = |name: &str| names(told).iter().position(|n| *n == name).unwrap_or_else(|| panic!("{name}: {told:#}"));
        (at("no-pip-cache"), at("pip-list-first"))
    };
    let (bytes, seconds) = order(&told);
    assert!(seconds < bytes, "60.5 s are 60.5 kB, of an artefact of 9: {told:#}");
    repo.write("verdict.toml", repo.read("verdict.toml").replace("1 kB", "1 B"));
    let (bytes, seconds) = order(&next(&repo, &[]));
    assert!(bytes < seconds, "and here they are 60.5 B");
}

#[test]
fn what_cannot_be_looked_into_is_told() {
    let repo = Repo::with(&[("a", "a\n")]);
    repo.refuses(2, &["next"]).says(&["there is nothing to look into", "git verdict next ARTEFACT"]);
    repo.refuses(2, &["next", "./gone"]).says(&["gone"]);
    repo.refuses(2, &["next", "--log", "gone.log"]).says(&["gone.log"]);
    repo.write("empty.log", "nothing\n");
    let ran = repo.ok(&["next", "--log", "empty.log"]);
    assert!(ran.stderr.contains("skipped empty.log: it does not say how long its steps took"), "{}", ran.report());
    ran.prints(&["nothing that is known"]);
    let told = next(&repo, &[".git"]);
    assert_eq!((&told["proposals"], &told["skipped"][0]["what"]), (&json!([]), &".git".into()));
    repo.write("hostile/\u{1b}[31m\"`$(x)/.cache/pip/x", "x".repeat(900));
    let told = next(&repo, &["hostile"]);
    let start = told["proposals"][0]["start"].as_str().unwrap();
    assert_eq!(start, "git verdict start no-pip-cache --hypothesis \"pip install --no-cache-dir: at most 900 B less\"");
    assert!(!repo.ok(&["next", "hostile"]).stdout.contains('\u{1b}'));
}

#[test]
fn a_binary_with_symbols_is_to_be_stripped() {
    let repo = Repo::with(&[("a", "a\n")]);
    let told = next(&repo, &[env!("CARGO_BIN_EXE_git-verdict")]);
    assert_eq!(names(&told), ["strip-symbols"]);
    assert_eq!(told["sources"][0]["kind"], "binary");
}
