//! The story that git-verdict was made for, on real input: a Debian base image, real packages from PyPI, real builds by podman.
//!
//! The base system is made by debootstrap once and kept below `target/`. What the machine's pip needs to reach its index
//! (address, proxy, certificates) is handed to the builds as secrets, and so ends up in no image and no repository.

use crate::common;

use crate::common::{Repo, Storage, isolated, require_engine, skip, works};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const BASELINE: &str = include_str!("seed_story/baseline.Containerfile");
const PIP_CACHE: &str = include_str!("seed_story/pip-cache.Containerfile");
const MULTI_STAGE: &str = include_str!("seed_story/multi-stage.Containerfile");

/// The base system: change the number when what is in it changes.
const BASE_VERSION: u32 = 1;
const BASE_SUITE: &str = "bookworm";
const BASE_PACKAGES: &str = "ca-certificates,python3,python3-pip,python3-venv";
/// A base system older than this is made again.
const BASE_AGE: Duration = Duration::from_secs(30 * 24 * 3600);

#[test]
fn the_seed_story_is_measured_and_decided_on_real_images() {
    if !require_engine("podman") {
        return;
    }
    if !works("sh", &["-c", "test \"$(id -u)\" = 0"]) {
        return skip("debootstrap needs root");
    }
    if !works("debootstrap", &["--version"]) {
        return skip("no debootstrap");
    }
    let base = base_system();
    let home = tempfile::tempdir().unwrap();
    let storage = Storage::new(home.path());
    storage.podman(&["import", "--quiet", &base.to_string_lossy(), "localhost/seed-base"]);

    let mut repo = Repo::empty();
    repo.set("CONTAINERS_STORAGE_CONF", storage.config.to_string_lossy());
    repo.write("requirements.txt", include_str!("seed_story/requirements.txt"));
    repo.write("app.py", include_str!("seed_story/app.py"));
    repo.write("check.sh", include_str!("seed_story/check.sh"));
    repo.write("verdict.toml", config(&pip_secrets(home.path())));
    repo.write("Containerfile", BASELINE);
    repo.commit("feat: package the service as an image");

    // Option 1: the cache is purged in the step that fills it.
    repo.ok(&["start", "pip-cache", "--hypothesis", "pip's cache need not be in the image"]);
    repo.write("Containerfile", PIP_CACHE);
    repo.commit("perf: purge pip's cache in the step that fills it");
    repo.ok(&["measure", "--pairs", "2"]);
    let measured = fact(&repo, "pip-cache", "measured");
    let size = row(&measured, "image_size");
    let saved = number(size, "base") - number(size, "candidate");
    assert!(saved > 1e6, "the cache holds a wheel of several megabytes: {size}");
    assert_eq!(size["word"], "improved");
    assert!(measured["checks"].as_array().unwrap().iter().all(|check| check["passed"] == true), "{measured}");
    repo.ok(&["keep", "pip-cache", "--because", "a smaller image for one changed line"]);
    assert_eq!(repo.git(&["show", "main:Containerfile"]), PIP_CACHE.trim_end());
    let kept = fact(&repo, "pip-cache", "decided");
    assert_eq!(kept["verdict"], "keep");

    // Option 2, stacked on it: a second stage.
    let title = "multi-stage build optimization";
    let hypothesis = "only the virtual environment is needed in the image";
    repo.ok(&["start", "multi-stage", "--on", "pip-cache", "--title", title, "--hypothesis", hypothesis]);
    repo.write("Containerfile", MULTI_STAGE);
    let tried = repo.commit("perf: build the image in two stages");
    repo.ok(&["measure", "--pairs", "2"]);
    let because = "the build gets longer and harder to follow for a few megabytes";
    repo.ok(&["revert", "multi-stage", "--mode", "merge", "--because", because]);

    let decided = fact(&repo, "multi-stage", "decided");
    assert_eq!(decided["verdict"], "revert");
    assert_eq!(decided["because"], because);
    let commit = decided["revert_commit"].as_str().expect("a revert commit").to_string();
    let message = repo.git(&["log", "-1", "--format=%B", &commit]);
    assert!(message.starts_with("revert: multi-stage build optimization\n"), "{message}");
    assert!(message.contains(because), "{message}");
    assert!(message.contains(&format!("This reverts commit {tried}.")), "{message}");
    the_trailers_agree_with_the_record(&repo, &commit, &decided);

    // The attempt and its reversal are reachable from main; their sum is nothing.
    for reachable in [&tried, &commit] {
        assert_eq!(repo.try_git(&["merge-base", "--is-ancestor", reachable, "main"]).code, Some(0));
    }
    let base = decided["base"]["commit"].as_str().unwrap();
    assert_eq!(repo.git(&["diff", base, "main"]), "");
    assert_eq!(repo.git(&["show", "main:Containerfile"]), PIP_CACHE.trim_end());
    let log = repo.ok(&["log"]);
    log.prints(&["pip-cache", "multi-stage"]);
}

/// Every `Verdict-Metric` trailer gives the numbers of the ledger's record, and no other.
fn the_trailers_agree_with_the_record(repo: &Repo, commit: &str, decided: &Value) {
    let trailers = repo.trailers(commit);
    let values = |key: &str| trailers.iter().filter(|(k, _)| k == key).map(|(_, v)| v.as_str()).collect::<Vec<_>>();
    assert_eq!(values("Verdict"), ["revert"]);
    assert_eq!(values("Verdict-Experiment"), ["multi-stage"]);
    assert_eq!(values("Verdict-Baseline"), [decided["base"]["commit"].as_str().unwrap()]);
    assert_eq!(values("Verdict-Candidate"), [decided["candidate"]["commit"].as_str().unwrap()]);
    let metrics = values("Verdict-Metric");
    let rows = decided["comparison"].as_array().unwrap();
    assert_eq!(metrics.len(), rows.len(), "{metrics:?}");
    for (text, row) in metrics.iter().zip(rows) {
        // build_time 872.1 s -> 1230.4 s +41.1% [+38.0%, +44.1%] n=12 regressed
        let words: Vec<&str> = text.split(' ').collect();
        assert_eq!(words[0], row["metric"], "{text}");
        assert_eq!(
            [words[2], words[3], words[5]],
            [row["unit"].as_str().unwrap(), "->", row["unit"].as_str().unwrap()]
        );
        for (word, side) in [(words[1], "base"), (words[4], "candidate")] {
            let (shown, held) = (word.parse::<f64>().unwrap(), number(row, side));
            assert!((shown - held).abs() <= 1e-3 * held.abs(), "{side} of {text} against {row}");
        }
        let relative = words[6].trim_end_matches('%').parse::<f64>().unwrap();
        assert!((relative - 100.0 * number(row, "relative")).abs() < 0.06, "{text} against {row}");
        assert_eq!(*words.last().unwrap(), row["word"], "{text}");
    }
    let size = row(decided, "image_size");
    let exact = format!("image_size {:.0} B -> {:.0} B ", number(size, "base"), number(size, "candidate"));
    assert!(metrics.iter().any(|text| text.starts_with(&exact)), "{exact} is not in {metrics:?}");
}

/// The latest event of a kind in the ledger, as `show --json` gives it.
fn fact(repo: &Repo, name: &str, kind: &str) -> Value {
    let shown = repo.json(&["show", name]);
    let events = shown["events"].as_array().expect("events").clone();
    events.into_iter().rev().find(|event| event["kind"] == kind).unwrap_or_else(|| panic!("no {kind}: {shown}"))
}

fn row<'a>(fact: &'a Value, metric: &str) -> &'a Value {
    let rows = fact["comparison"].as_array().expect("a comparison");
    rows.iter().find(|row| row["metric"] == metric).unwrap_or_else(|| panic!("no row for {metric}"))
}

fn number(row: &Value, key: &str) -> f64 {
    row[key].as_f64().unwrap_or_else(|| panic!("{key} is no number in {row}"))
}

/// The configuration of the story, with the secrets that the machine's pip needs.
fn config(secrets: &str) -> String {
    let build = format!(
        "podman build --isolation=chroot --network=host --no-cache {secrets} -t localhost/seed-story:verdict ."
    );
    format!(
        r#"version = 1

[steps.build]
run = {build:?}
prepare = "podman image prune --force"
timeout = "10m"

[metrics.build_time]
step = "build"
measure = "wall"
matters = "5%"

[metrics.image_size]
image = "localhost/seed-story:verdict"
matters = "1 MB"

[checks]
starts = "sh check.sh"

[policy]
base = "main"
worth = ["1 s build_time = 10 MB image_size"]
"#
    )
}

/// Writes what pip needs inside a build into `folder`; the `--secret` options that hand it over.
fn pip_secrets(folder: &Path) -> String {
    const WANTED: [&str; 7] =
        ["index-url", "extra-index-url", "proxy", "trusted-host", "timeout", "default-timeout", "retries"];
    let mut settings: Vec<(String, String)> = std::env::vars()
        .filter_map(|(name, value)| Some((name.strip_prefix("PIP_")?.to_lowercase().replace('_', "-"), value)))
        .collect();
    if works("python3", &["-m", "pip", "--version"]) {
        let mut command = isolated("python3");
        command.args(["-m", "pip", "config", "list"]);
        let listed = common::finish(command, None).stdout;
        settings.extend(listed.lines().filter_map(|line| line.split_once('=')).map(|(key, value)| {
            (key.rsplit('.').next().unwrap_or(key).to_string(), value.trim_matches('\'').to_string())
        }));
    }
    let mut text = "[global]\n".to_string();
    for key in WANTED {
        if let Some((_, value)) = settings.iter().find(|(name, _)| name == key) {
            text.push_str(&format!("{} = {}\n", key.trim_start_matches("default-"), value.replace("\\n", "\n  ")));
        }
    }
    let bundles = settings
        .iter()
        .filter(|(name, _)| name == "cert")
        .map(|(_, value)| value.clone())
        .chain(["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"].into_iter().filter_map(|name| std::env::var(name).ok()))
        .chain(["/etc/ssl/certs/ca-certificates.crt".to_string()]);
    let mut options = String::new();
    if let Some(bundle) = bundles.map(PathBuf::from).find(|path| path.is_file()) {
        text.push_str("cert = /run/ca.crt\n");
        options.push_str(&format!("--secret id=ca,src={} ", bundle.display()));
    }
    let path = folder.join("pip.conf");
    std::fs::write(&path, text).expect("pip.conf");
    format!("{options}--secret id=pip,src={}", path.display())
}

/// The base system as a tar file: made by debootstrap, and kept for the next run.
fn base_system() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("seed-base");
    let path = folder.join(format!("{BASE_SUITE}-{BASE_VERSION}.tar"));
    let fresh = std::fs::metadata(&path)
        .and_then(|file| file.modified())
        .is_ok_and(|made| SystemTime::now().duration_since(made).is_ok_and(|age| age < BASE_AGE));
    if fresh {
        return path;
    }
    std::fs::create_dir_all(&folder).expect("a folder for the base system");
    let work = tempfile::tempdir_in(&folder).expect("a folder to work in");
    let root = work.path().join("root");
    let mut command = isolated("debootstrap");
    command.args(["--variant=minbase", &format!("--include={BASE_PACKAGES}"), BASE_SUITE]).arg(&root);
    let ran = common::finish(command, None);
    assert_eq!(ran.code, Some(0), "{}", ran.report());
    let packed = work.path().join("base.tar");
    let mut command = isolated("tar");
    command.arg("--numeric-owner").arg("-C").arg(&root).arg("-cf").arg(&packed);
    command.args(["--exclude=./var/cache/apt/archives/*.deb", "--exclude=./var/lib/apt/lists/*", "."]);
    let ran = common::finish(command, None);
    assert_eq!(ran.code, Some(0), "{}", ran.report());
    std::fs::rename(&packed, &path).expect("the base system is kept");
    path
}
