//! `git verdict demo`, end to end: what it leaves in history is real, and agrees with the ledger.

use crate::common;

use crate::common::{Repo, isolated, require_engine, works};
use serde_json::Value;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Runs the demo with `--json` and its folder at `dir`; what it printed, parsed.
fn demo(dir: &Path, more: &[&str], variables: &[(&str, OsString)]) -> Value {
    let mut command = isolated(env!("CARGO_BIN_EXE_git-verdict"));
    command
        .args(["demo", "--json", "--dir"])
        .arg(dir)
        .args(more)
        .envs(variables.iter().map(|(name, value)| (name, value)));
    let ran = common::finish(command, None);
    assert_eq!(ran.code, Some(0), "{}", ran.report());
    let value: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}\n{}", ran.report()));
    assert_eq!(value["schema"], "git-verdict/demo");
    value
}

fn git(dir: &Path, words: &[&str], input: Option<&str>) -> String {
    let mut command = isolated("git");
    command.arg("-C").arg(dir).args(words);
    let ran = common::finish(command, input);
    assert_eq!(ran.code, Some(0), "{}", ran.report());
    ran.stdout.trim_end().to_string()
}

fn row<'a>(decided: &'a Value, metric: &str) -> &'a Value {
    let rows = decided["comparison"].as_array().expect("a comparison");
    rows.iter().find(|row| row["metric"] == metric).unwrap_or_else(|| panic!("no row for {metric}: {decided}"))
}

/// What must hold of every demo, whatever the machine measured.
fn the_story_is_in_history(dir: &Path, value: &Value, recipe: &str) {
    let decisions = value["decisions"].as_array().expect("decisions");
    assert_eq!(decisions.len(), 2);
    for decision in decisions {
        let decided = &decision["decided"];
        // How many there are in the time given to it is up to the machine.
        assert!(row(decided, "build_time")["rounds"].as_u64().unwrap() >= 1, "{decided}");
        let size = row(decided, "image_size");
        assert!(size["base"].as_f64() > size["candidate"].as_f64(), "each option makes the image smaller: {size}");
        let numbers =
            format!("{:.0} B -> {:.0} B", size["base"].as_f64().unwrap(), size["candidate"].as_f64().unwrap());
        let commit = decided["revert_commit"].as_str().or(decided["landed"].as_str()).expect("a commit");
        let message = git(dir, &["log", "-1", "--format=%B", commit], None);
        let trailers = git(dir, &["interpret-trailers", "--parse"], Some(&message));
        let verdict = decision["verdict"].as_str().unwrap();
        assert!(trailers.contains(&format!("Verdict: {verdict}\n")), "{message}");
        assert!(
            trailers.contains(&format!("Verdict-Experiment: {}\n", decision["name"].as_str().unwrap())),
            "{message}"
        );
        assert!(trailers.contains(&format!("Verdict-Metric: image_size {numbers}")), "{numbers} is not in\n{message}");
        assert!(
            git(dir, &["branch", "--contains", commit, "--format=%(refname:short)"], None).lines().any(|b| b == "main")
        );
    }
    let last = &decisions[1];
    if last["verdict"] == "revert" {
        let base = last["decided"]["base"]["commit"].as_str().unwrap();
        assert_eq!(git(dir, &["diff", base, "main", "--", recipe], None), "", "nothing of the reverted option is left");
        let commit = last["decided"]["revert_commit"].as_str().unwrap();
        let subject = git(dir, &["log", "-1", "--format=%s", commit], None);
        assert_eq!(subject, "revert: multi-stage build");
        for reverted in last["decided"]["commits"].as_array().unwrap() {
            let line = format!("This reverts commit {}.", reverted.as_str().unwrap());
            assert!(git(dir, &["log", "-1", "--format=%B", commit], None).contains(&line), "{line}");
        }
    }
    let adr = value["adr"].as_str().unwrap();
    assert!(git(dir, &["show", &format!("main:{adr}")], None).contains("multi-stage"));
    assert_eq!(git(dir, &["status", "--porcelain"], None), "");
    assert_eq!(git(dir, &["worktree", "list"], None).lines().count(), 1);
}

/// A home whose git configuration would spoil every commit: it signs with `false`, and its hooks refuse.
fn hostile_home(home: &Path) -> Vec<(&'static str, OsString)> {
    let hooks = home.join("hooks");
    std::fs::create_dir(&hooks).unwrap();
    for name in ["pre-commit", "commit-msg", "pre-merge-commit", "post-checkout"] {
        let hook = hooks.join(name);
        std::fs::write(&hook, "#!/bin/sh\ntouch \"$(dirname \"$0\")/ran\"\nexit 1\n").unwrap();
        std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let hooks = hooks.display();
    let config = format!(
        "[commit]\n\tgpgSign = true\n\ttemplate = /nowhere\n[gpg]\n\tprogram = false\n\
         [core]\n\thooksPath = {hooks}\n\tautocrlf = true\n[init]\n\tdefaultBranch = trunk\n[merge]\n\tff = only\n"
    );
    std::fs::write(home.join(".gitconfig"), config).unwrap();
    vec![
        ("HOME", home.into()),
        ("XDG_CONFIG_HOME", home.into()),
        ("GIT_CONFIG_GLOBAL", home.join(".gitconfig").into()),
        ("GIT_DIR", "/nowhere/.git".into()),
        ("GIT_AUTHOR_NAME", "Somebody Else".into()),
        ("CI", "true".into()),
    ]
}

#[test]
fn the_demo_leaves_real_decisions_in_history_whatever_git_is_configured_to_do() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("demo");
    let variables = hostile_home(home.path());
    let value = demo(&dir, &["--budget", "20s"], &variables);
    the_story_is_in_history(&dir, &value, "Imagefile");
    assert!(!home.path().join("hooks/ran").exists());
    assert_eq!(git(&dir, &["log", "--format=%an", "main"], None).lines().find(|name| *name != "Demo"), None);
    the_artefact_is_an_image(&dir);
}

/// The demo's own builder makes what other tools of the field read.
fn the_artefact_is_an_image(dir: &Path) {
    let mut command = isolated("sh");
    command.arg("build.sh").current_dir(dir);
    let build = common::finish(command, None);
    assert_eq!(build.code, Some(0), "{}", build.report());
    if !works("skopeo", &["--version"]) {
        return common::skip("no skopeo");
    }
    let mut command = isolated("skopeo");
    command.args(["inspect", "--raw"]).arg(format!("oci:{}", dir.join("out/image").display()));
    let inspected = common::finish(command, None);
    assert_eq!(inspected.code, Some(0), "{}", inspected.report());
    let manifest: Value = serde_json::from_str(&inspected.stdout).unwrap();
    assert!(manifest["layers"].as_array().unwrap().len() >= 3, "{manifest}");
}

#[test]
fn a_folder_that_is_in_use_is_left_alone() {
    let repo = Repo::with(&[("mine.txt", "mine\n")]);
    let path = repo.path().to_string_lossy().into_owned();
    repo.refuses(2, &["demo", "--dir", &path]).says(&["is not empty", "--dir"]);
}

#[test]
fn an_engine_that_is_not_there_is_named() {
    let mut repo = Repo::empty();
    let bin = tempfile::tempdir().unwrap();
    for tool in ["git", "sh", "tar", "gzip", "sha256sum"] {
        let path =
            std::env::split_paths(&std::env::var_os("PATH").unwrap()).map(|dir| dir.join(tool)).find(|p| p.is_file());
        if let Some(path) = path {
            std::os::unix::fs::symlink(path, bin.path().join(tool)).unwrap();
        }
    }
    repo.set("PATH", bin.path().to_string_lossy());
    repo.expect(3, &["demo", "--engine", "podman"]).says(&["podman cannot be started", "install podman"]);
}

#[test]
fn the_demo_builds_real_images_with_podman() {
    if !require_engine("podman") {
        return;
    }
    if !works("busybox", &["true"]) {
        return common::skip("no busybox");
    }
    let home = tempfile::tempdir().unwrap();
    let storage = common::Storage::new(home.path());
    let dir = home.path().join("demo");
    let value = demo(
        &dir,
        &["--engine", "podman", "--budget", "45s"],
        &[("CONTAINERS_STORAGE_CONF", storage.config.clone().into())],
    );
    the_story_is_in_history(&dir, &value, "Containerfile");
}
