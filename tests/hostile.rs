//! Hostile input: names, texts, paths and configurations that come with a repository or a ledger from elsewhere.

use crate::common::{Ran, Repo};
use serde_json::{Value, json};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const CONFIG: &str = "version = 1\n[metrics.size]\npath = \"app\"\n";

/// Escapes that set a title and colours, a bell, a carriage return, and characters that reorder or hide text.
const EVIL: &str = "\u{1b}]0;owned\u{7}\u{1b}[31mred\u{9b}2J\rover\u{202e}gnp.exe\u{2066}\u{200b}\u{feff}";

fn project() -> Repo {
    let repo = Repo::with(&[("verdict.toml", CONFIG), ("app", &"x".repeat(4000))]);
    repo.ok(&["start", "slim", "--hypothesis", "smaller"]);
    repo.write("app", "x".repeat(1000));
    repo.commit("perf: less");
    repo.ok(&["measure"]);
    repo
}

/// Rewrites every event of the ledger, as somebody who synced a forged one would have it.
fn forge(repo: &Repo, mut change: impl FnMut(&mut Value)) {
    let listing = repo.git(&["ls-tree", "-r", "refs/verdict/ledger"]);
    let index = repo.path().join(".git/forged-index").display().to_string();
    let variable = format!("GIT_INDEX_FILE={index}");
    let git = |words: &[&str], input: Option<&str>| {
        let ran = repo.run_in(repo.path(), "env", &[&[variable.as_str(), "git"], words].concat(), input);
        assert_eq!(ran.code, Some(0), "{}", ran.report());
        ran.stdout.trim().to_string()
    };
    let mut lines = String::new();
    for line in listing.lines() {
        let (meta, path) = line.split_once('\t').unwrap();
        let mut blob = meta.split(' ').nth(2).unwrap().to_string();
        if path.starts_with("events/") {
            let mut event: Value = serde_json::from_str(&repo.git(&["cat-file", "-p", &blob])).unwrap();
            change(&mut event);
            blob = git(&["hash-object", "-w", "--stdin"], Some(&format!("{event}\n")));
        }
        lines.push_str(&format!("100644 {blob} 0\t{path}\n"));
    }
    git(&["update-index", "--add", "--index-info"], Some(&lines));
    let tree = git(&["write-tree"], None);
    let commit = git(&["commit-tree", "-m", "forged", &tree], None);
    repo.git(&["update-ref", "refs/verdict/ledger", &commit]);
    let _ = std::fs::remove_dir_all(repo.path().join(".git/verdict/index"));
    std::fs::remove_file(index).unwrap();
}

/// Nothing in what was printed can move the cursor, change the terminal, or reorder what is read.
#[track_caller]
fn is_harmless(ran: &Ran) {
    for text in [&ran.stdout, &ran.stderr] {
        let bad = text.chars().find(|c| {
            (c.is_control() && *c != '\n')
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}' | '\u{feff}')
        });
        assert_eq!(bad, None, "{}", ran.report());
    }
    assert_ne!(ran.code, None, "{}", ran.report());
    assert_ne!(ran.code, Some(101), "{}", ran.report());
}

#[test]
fn names_and_branches_from_a_forged_ledger_never_reach_git_as_options_or_paths() {
    let evil = [
        ("branch", "--upload-pack=touch owned"),
        ("branch", "-f"),
        ("branch", "main"),
        ("branch", "verdict/../main"),
        ("branch", "verdict/x\u{1b}[31m"),
        ("onto", "--orphan"),
        ("onto", "-D main"),
        ("onto", "refs/../../config"),
        ("name", "../../../owned"),
        ("name", "--force"),
        ("name", "a\nb"),
    ];
    for (field, value) in evil {
        let repo = project();
        forge(&repo, |event| {
            if event.get(field).is_some() {
                event[field] = json!(value);
            }
        });
        let before = repo.snapshot();
        let name = if field == "name" { value } else { "slim" };
        for words in [
            &["keep", name, "--because", "x", "--force"][..],
            &["revert", name, "--because", "x", "--force"],
            &["revert", name, "--because", "x", "--force", "--mode", "archive"],
        ] {
            let ran = repo.run(words);
            assert!(matches!(ran.code, Some(2 | 3)), "{field} = {value:?}: {}", ran.report());
            is_harmless(&ran);
        }
        for words in
            [&["status"][..], &["log", "--all"], &["compare"], &["undo"], &["check", "--against", "main"], &["doctor"]]
        {
            is_harmless(&repo.run(words));
        }
        assert_eq!(repo.snapshot(), before, "{field} = {value:?}");
        assert!(!repo.path().join("owned").exists() && !repo.path().join(".git/owned").exists());
    }
}

#[test]
fn undo_holds_a_forged_decision_to_names_that_this_program_would_have_written() {
    for (field, value) in [("onto", "--orphan"), ("onto", "-f"), ("branch", "--detach")] {
        let repo = project();
        repo.ok(&["revert", "--because", "x"]);
        std::fs::remove_file(repo.path().join(".git/verdict/landed.json")).unwrap();
        forge(&repo, |event| {
            if event.get(field).is_some() {
                event[field] = json!(value);
            }
        });
        let ran = repo.refuses(3, &["undo"]);
        ran.says(&["is no name of a branch"]);
        is_harmless(&ran);
    }
}

#[test]
fn options_that_are_given_as_revisions_and_names_are_refused() {
    let repo = project();
    for on in ["--upload-pack=touch owned", "-f", "--all", "--output=owned", "refs/heads/../../x", EVIL] {
        let equals = format!("--on={on}");
        for words in [
            &["start", "new", "--hypothesis", "x", &equals][..],
            &["measure", "slim", &format!("--against={on}")],
            &["check", &format!("--against={on}")],
            &["trust", "--show", "--", on],
            &["weigh", "--time", "true", "--", on, "main"],
            &["start", "new", "--hypothesis", "x", &format!("--adopt={on}")],
            &["start", "--hypothesis", "x", "--", on],
            &["show", "--", on],
            &["keep", "--because", "x", "--", on],
        ] {
            let ran = repo.refuses(2, words);
            is_harmless(&ran);
        }
    }
    assert!(!repo.path().join("owned").exists());
}

#[test]
fn a_remote_that_is_named_as_an_option_gets_no_ledger() {
    let repo = project();
    repo.git(&["config", "verdict.pushLedger", "required"]);
    for remote in
        ["--upload-pack=touch owned", "--receive-pack=touch owned", "-oProxyCommand=touch owned", "--all", EVIL]
    {
        for words in [&["hook", "run", "pre-push", remote, remote][..], &["sync", "--", remote]] {
            let before = repo.snapshot();
            let ran = repo.run(words);
            assert!(matches!(ran.code, Some(1..=3)), "{}", ran.report());
            assert_eq!(repo.snapshot(), before);
            is_harmless(&ran);
        }
    }
    assert!(!repo.path().join("owned").exists() && !repo.path().join(".git/owned").exists());
}

#[test]
fn decision_files_are_written_inside_the_work_tree_and_not_into_git() {
    for folder in [
        ".git",
        ".git/hooks",
        ".GIT/hooks",
        "a/.git/hooks",
        "../outside",
        "/tmp/outside",
        "a/../../outside",
        "docs/../.git",
    ] {
        let repo = project();
        let before = repo.snapshot();
        let ran = repo.run(&["adr", "new", "slim", "--folder", folder]);
        assert!(matches!(ran.code, Some(2 | 3)), "{folder}: {}", ran.report());
        assert_eq!(repo.snapshot(), before, "{folder}");
        repo.write("verdict.toml", format!("{CONFIG}[policy]\nadr = {folder:?}\n"));
        repo.git(&["commit", "-qam", "build: elsewhere"]);
        let before = repo.snapshot();
        for words in
            [&["revert", "slim", "--because", "x", "--force", "--mode", "archive"][..], &["adr", "new", "slim"]]
        {
            let ran = repo.run(words);
            assert!(matches!(ran.code, Some(2 | 3)), "{folder} {words:?}: {}", ran.report());
            assert_eq!(repo.snapshot(), before, "{folder} {words:?}");
        }
        assert!(!Path::new("/tmp/outside").exists() && !repo.path().parent().unwrap().join("outside").exists());
    }
}

#[test]
fn a_folder_of_decision_files_that_is_a_link_out_of_the_repository_is_not_followed() {
    let repo = project();
    let outside = tempfile::tempdir().unwrap();
    symlink(outside.path(), repo.path().join("docs")).unwrap();
    repo.git(&["add", "docs"]);
    repo.git(&["commit", "-qm", "docs: elsewhere"]);
    let ran = repo.run(&["adr", "new", "slim"]);
    assert!(matches!(ran.code, Some(2 | 3)), "{}", ran.report());
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0, "{}", ran.report());
    let ran = repo.run(&["revert", "slim", "--because", "x", "--force", "--mode", "archive"]);
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0, "{}", ran.report());
}

#[test]
fn texts_from_a_forged_ledger_reach_no_terminal_and_no_message_as_they_are() {
    let repo = project();
    let forged = format!("harmless {EVIL}\n\nVerdict: keep\nThis reverts commit {}.\n# comment", "a".repeat(40));
    forge(&repo, |event| {
        for key in ["title", "hypothesis", "because", "tool"] {
            if event.get(key).is_some() {
                event[key] = json!(forged);
            }
        }
        event["by"]["name"] = json!(EVIL);
        if let Some(rows) = event.get_mut("comparison").and_then(Value::as_array_mut) {
            for row in rows {
                row["metric"] = json!(format!("size{EVIL}"));
                row["unit"] = json!(EVIL);
            }
        }
        if event.get("environment").is_some() {
            event["environment"]["cpu"] = json!(EVIL);
        }
        if event.get("recommendation").is_some() {
            event["recommendation"]["reasons"] = json!([EVIL]);
        }
    });
    repo.ok(&["show", "slim"]).prints(&["harmless", "␛"]);
    let record = repo.json(&["show", "slim"])["events"][1]["id"].as_str().unwrap().to_string();
    for words in [
        &["status"][..],
        &["log", "--all"],
        &["show", "slim"],
        &["show", &record],
        &["compare"],
        &["adr", "new", "slim", "--stdout"],
        &["doctor"],
        &["check", "--against", "main"],
        &["check", "--against", "main", "--format", "markdown"],
        &["hook", "status"],
        &["revert", "slim", "--because", EVIL, "--dry-run"],
        &["keep", "slim", "--because", EVIL, "--dry-run"],
    ] {
        is_harmless(&repo.run(words));
    }
    repo.ok(&["revert", "slim", "--because", &forged]);
    let message = repo.git(&["log", "-1", "--format=%B", "main^2"]);
    assert!(!message.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{message:?}");
    let verdicts: Vec<_> = repo.trailers("main^2").into_iter().filter(|(key, _)| key == "Verdict").collect();
    assert_eq!(verdicts, [("Verdict".to_string(), "revert".to_string())]);
    assert!(!message.contains(&format!("\nThis reverts commit {}.", "a".repeat(40))), "{message}");
    for words in [
        &["log"][..],
        &["show", "slim"],
        &["adr", "new", "slim"],
        &["adr", "check"],
        &["adr", "index"],
        &["decisions", "--stdout"],
        &["decisions", "--check"],
        &["undo", "--because", EVIL],
    ] {
        is_harmless(&repo.run(words));
    }
}

#[test]
fn a_configuration_full_of_escapes_is_shown_harmless() {
    let repo = project();
    for text in [
        format!("version = 1\n[{EVIL:?}]\n"),
        format!("version = 1\n[metrics.{EVIL:?}]\npath = \"app\"\n"),
        format!("version = 1\n[metrics.size]\npath = {EVIL:?}\n"),
        format!("version = 1\n[metrics.size]\npath = \"app\"\nunit = {EVIL:?}\n"),
        format!("version = 1\n[steps.build]\nrun = \"echo \\u001b[31m{}\"\n[metrics.t]\nstep = \"build\"\n", "\\u202e"),
        format!("version = 1\n{CONFIG}[policy]\nbase = {EVIL:?}\n").replacen("version = 1\n", "", 1),
    ] {
        // Rust writes \u{1b}, TOML has \u001b.
        let text = text.replace("\\u{1b}", "\\u001b").replace("\\u{7}", "\\u0007").replace("\\u{9b}", "\\u009b");
        let text = ["202e", "2066", "200b", "feff"]
            .iter()
            .fold(text, |t, c| t.replace(&format!("\\u{{{c}}}"), &format!("\\u{c}")));
        repo.write("verdict.toml", &text);
        for words in [
            &["measure", "slim", "--pairs", "1"][..],
            &["doctor"],
            &["status"],
            &["trust", "--show"],
            &["keep", "slim", "--because", "x", "--dry-run"],
            &["check", "--against", "main"],
            &["start", "other", "--hypothesis", "x", "--on", "main"],
        ] {
            is_harmless(&repo.run(words));
        }
    }
}

#[test]
fn templates_of_the_repository_read_no_file_and_reach_nothing() {
    let repo = project();
    let secret = repo.write(".git/secret.txt", "the-secret");
    for source in [
        format!("{{% include {:?} %}}", secret.display().to_string()),
        "{% include '../../.git/secret.txt' %}".to_string(),
        "{% include 'revert.txt.j2' %}".to_string(),
        "{% for a in range(1000000000) %}{% for b in range(1000000000) %}x{% endfor %}{% endfor %}".to_string(),
        "{{ ''.__class__ }}{{ env }}{{ self }}{{ caller() }}".to_string(),
        "{{ undefined_name.x.y }}".to_string(),
    ] {
        repo.write(".verdict/templates/revert.txt.j2", &source);
        let ran = repo.run(&["revert", "slim", "--because", "x", "--dry-run"]);
        is_harmless(&ran);
        assert!(!ran.stdout.contains("the-secret") && !ran.stderr.contains("the-secret"), "{source}: {}", ran.report());
    }
    // A template that is a link to a file elsewhere is not read either.
    let link = repo.path().join(".verdict/templates/revert.txt.j2");
    std::fs::remove_file(&link).unwrap();
    symlink(&secret, &link).unwrap();
    let ran = repo.run(&["revert", "slim", "--because", "x", "--dry-run"]);
    assert!(!ran.stdout.contains("the-secret") && !ran.stderr.contains("the-secret"), "{}", ran.report());
}

/// A clone in which everything that could run tells that it did.
fn hostile_clone() -> (Repo, PathBuf) {
    let mut repo = project();
    let mark = repo.path().join(".git/owned").display().to_string();
    let run = format!("touch {mark}");
    repo.write(
        "verdict.toml",
        format!(
            "version = 1\n[steps.build]\nrun = {run:?}\nprepare = {run:?}\n[metrics.size]\npath = \"app\"\n\
             [metrics.n]\nrun = {run:?}\n[checks]\ntests = {run:?}\n"
        ),
    );
    repo.script(".verdict/hooks/post-commit", &run);
    repo.script("hooks/post-commit", &run);
    repo.write("reverted", "x");
    repo.commit("perf: evil");
    let clone = repo.path().join(".git/clone");
    let state = repo.path().join(".git/state").display().to_string();
    repo.set("XDG_STATE_HOME", state);
    repo.git(&["clone", "-q", ".", clone.to_str().unwrap()]);
    let run = |words: &[&str]| assert_eq!(repo.run_in(&clone, "git", words, None).code, Some(0), "{words:?}");
    run(&["config", "user.name", "Test Author"]);
    run(&["config", "user.email", "author@example.invalid"]);
    run(&["fetch", "-q", "origin", "refs/verdict/*:refs/verdict/*", "refs/heads/main:refs/heads/main"]);
    (repo, clone)
}

#[test]
fn a_hostile_clone_runs_nothing_without_trust() {
    let (repo, clone) = hostile_clone();
    let mark = repo.path().join(".git/owned");
    let program = env!("CARGO_BIN_EXE_git-verdict");
    std::fs::write(
        clone.join("message"),
        format!("Revert \"perf: evil\"\n\nThis reverts commit {}.\n", "a".repeat(40)),
    )
    .unwrap();
    for (words, input) in [
        (&["status"][..], None),
        (&["log", "--all"], None),
        (&["show", "slim"], None),
        (&["compare"], None),
        (&["doctor"], None),
        (&["check", "--against", "main"], None),
        (&["check", "--against", "main", "--measure"], None),
        (&["check", "--against", "main", "--measure", "--yes"], None),
        (&["measure", "slim"], None),
        (&["measure", "slim", "--yes"], None),
        (&["measure", "--queued"], None),
        (&["decide", "slim"], None),
        (&["trust", "--show"], None),
        (&["adr", "new", "slim", "--stdout"], None),
        (&["hook", "install", "--commit-msg", "--post-commit"], None),
        (&["hook", "status"], None),
        (&["hook", "run", "prepare-commit-msg", "message"], None),
        (&["hook", "run", "commit-msg", "message"], None),
        (&["hook", "run", "post-commit"], None),
        (&["hook", "run", "pre-push", "origin", "x"], Some("")),
        (&["start", "mine", "--hypothesis", "x", "--on", "main"], None),
        (&["keep", "slim", "--because", "x", "--dry-run"], None),
        (&["measure", "--queued", "--yes"], None),
    ] {
        let ran = repo.run_in(&clone, program, words, input);
        assert!(!mark.exists(), "{}", ran.report());
        is_harmless(&ran);
        if words.iter().any(|word| word.ends_with("measure")) && !words.contains(&"--queued") {
            assert_eq!(ran.code, Some(3), "{}", ran.report());
        }
    }
}
