//! Decision files in repositories that have habits of their own, beside the tools that made these habits, and kept true.
//!
//! The tools are the real ones: adr-tools, adrs, log4brains and markdownlint, as `.ci/run` installs them.

use crate::common::{Ran, Repo, skip, works};
use std::path::{Path, PathBuf};

const CONFIG: &str = "version = 1\n[steps.build]\nrun = \"./build.sh\"\n[metrics.size]\npath = \"out\"\n";

fn build(repo: &Repo, bytes: usize) {
    repo.script("build.sh", &format!("head -c {bytes} /dev/zero > out\n"));
}

fn attempt(repo: &Repo, start: &[&str], bytes: usize) {
    repo.ok(&[&["start"], start, &["--hypothesis", "it is smaller"]].concat());
    build(repo, bytes);
    repo.commit(&format!("perf: {bytes} bytes"));
    repo.ok(&["measure"]);
}

/// `slim`, measured beside `other` and kept; `fat`, on top of it, reverted.
fn project() -> Repo {
    let repo = Repo::with(&[("verdict.toml", CONFIG), (".gitignore", "out\n")]);
    build(&repo, 4000);
    repo.commit("feat: a build");
    attempt(&repo, &["other", "--on", "main"], 2000);
    repo.git(&["switch", "-q", "main"]);
    attempt(&repo, &["slim", "--on", "main"], 1000);
    repo.ok(&["keep", "--because", "a quarter | is *enough*"]);
    attempt(&repo, &["fat", "--on", "slim"], 9000);
    repo.ok(&["revert", "--because", "it grew\n\n# and grew"]);
    repo
}

/// Runs a tool in the root of the repository; it must succeed.
#[track_caller]
fn tool(repo: &Repo, program: &str, words: &[&str]) -> Ran {
    let ran = repo.run_in(repo.path(), program, words, None);
    assert_eq!(ran.code, Some(0), "{}", ran.report());
    ran
}

#[track_caller]
fn lint(repo: &Repo, files: &[&str]) {
    let ran = repo.run_in(repo.path(), "markdownlint-cli2", files, None);
    assert_eq!(ran.code, Some(0), "{}", ran.report());
    assert!(!ran.report().contains("Linting: 0 file(s)"), "{}", ran.report());
}

/// The folder with the modules of log4brains, beside markdownlint's; a small script is its program.
fn log4brains() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut found = std::env::split_paths(&path).map(|folder| folder.join("markdownlint-cli2"));
    let program = found.find(|path| path.exists())?;
    let modules = program.parent()?.parent()?.to_path_buf();
    modules.join("@log4brains/cli/package.json").exists().then_some(modules)
}

const RUN_LOG4BRAINS: &str = "const { createCli } = require('@log4brains/cli');
const { AppConsole } = require('@log4brains/cli-common');
createCli({ appConsole: new AppConsole({ debug: false, traces: false }) }).parse(['node', ...process.argv]);";

#[test]
fn an_experiment_has_one_decision_file_which_follows_its_record() {
    let repo = Repo::with(&[("verdict.toml", CONFIG), (".gitignore", "out\n")]);
    build(&repo, 4000);
    repo.commit("feat: a build");
    attempt(&repo, &["slim"], 1000);
    let first = repo.ok(&["adr", "new"]);
    assert_eq!(first.stdout, "wrote docs/adr/0001-slim.md\n");
    let proposed = repo.read("docs/adr/0001-slim.md");
    assert!(proposed.contains("\nstatus: proposed\n") && proposed.contains("Not decided yet."), "{proposed}");
    assert_eq!(repo.ok(&["adr", "new", "slim"]).stdout, "docs/adr/0001-slim.md is up to date\n");
    assert_eq!(repo.read("docs/adr/0001-slim.md"), proposed);

    let noted = proposed.replace("## Decision Outcome\n", "## Decision Outcome\n\nWe talked about it on Monday.\n");
    repo.write("docs/adr/0001-slim.md", format!("{noted}\n## Notes\n\nStays.\n"));
    repo.commit("docs: a proposal");
    repo.ok(&["measure"]);
    repo.ok(&["keep", "slim", "--because", "small"]);
    let stale = repo.expect(1, &["adr", "check"]);
    stale.prints(&["docs/adr/0001-slim.md does not agree", "3 - status: proposed\n", "3 + status: accepted\n"]);
    stale.prints(&["- Not decided yet.\n", "+ Chosen option: \"Keep\", because:\n", "git verdict adr new slim"]);
    assert_eq!(repo.ok(&["adr", "new", "slim"]).stdout, "updated docs/adr/0001-slim.md\n");
    let accepted = repo.read("docs/adr/0001-slim.md");
    assert!(accepted.contains("We talked about it on Monday.") && accepted.ends_with("## Notes\n\nStays.\n"));
    assert!(accepted.contains("\nstatus: accepted\n") && !accepted.contains("Not decided yet."), "{accepted}");
    repo.ok(&["adr", "check"]).prints(&["1 decision file agrees with its record"]);
    assert_eq!(std::fs::read_dir(repo.path().join("docs/adr")).unwrap().count(), 1);

    let committed = repo.json(&["adr", "new", "slim", "--commit"]);
    assert!(committed["commit"].is_string() && committed["changed"] == false, "{committed}");
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    assert!(repo.json(&["adr", "new", "slim", "--commit"])["commit"].is_null(), "there is nothing to commit");

    let repo = project();
    repo.ok(&["adr", "new", "fat"]);
    repo.ok(&["undo", "fat", "--because", "too early"]);
    repo.expect(1, &["adr", "check"]).prints(&["- status: rejected", "+ status: proposed"]);
}

#[test]
fn a_generated_part_that_was_changed_by_hand_is_drift_and_is_not_overwritten_unasked() {
    let repo = project();
    repo.ok(&["adr", "new", "slim"]);
    let path = "docs/adr/0001-slim.md";
    let text = repo.read(path);
    let line = text.lines().position(|line| line.starts_with("| `size`")).unwrap() + 1;
    repo.write(path, text.replace("-3.0 kB (-75.0 %)", "-3.9 kB (-97.5 %)").replace("accepted", "Accepted"));
    let drift = repo.json_no(&["adr", "check", "slim"]);
    let found = &drift["files"][0]["drift"][0];
    assert_eq!((found["part"].as_str(), found["line"].as_u64()), (Some("arguments"), Some(line as u64)), "{drift}");
    assert!(found["file"].as_str().unwrap().contains("-97.5 %"), "{drift}");
    assert!(drift["files"][0]["drift"][1]["record"].as_str().unwrap().contains("-75.0 %"), "{drift}");
    repo.refuses(3, &["adr", "new", "slim"]).says(&["generated parts", "-97.5 %", "--force"]);
    repo.refuses(3, &["adr", "new", "slim", "--format", "nygard"]).says(&["in the form madr", "--force"]);
    repo.ok(&["adr", "new", "slim", "--force"]);
    assert_eq!(repo.read(path), text);
    repo.ok(&["adr", "check"]);
    // Another line end is no drift, and an update keeps it.
    repo.write(path, text.replace('\n', "\r\n"));
    repo.ok(&["adr", "check"]);
    repo.write(path, text.replace("<!-- verdict: end -->\n\n## Considered", "## Considered"));
    repo.expect(1, &["adr", "check"]).prints(&["- Implementation complexity"]);
    repo.write(path, text.replace("01", "02"));
    let unknown = repo.expect(1, &["adr", "check"]);
    unknown.prints(&["is not in this ledger", "git verdict sync"]);
}

#[test]
fn what_else_was_considered_is_what_had_been_measured_when_it_was_decided() {
    let repo = project();
    repo.ok(&["adr", "new", "slim"]);
    let text = repo.read("docs/adr/0001-slim.md");
    assert!(text.contains("\n- `other` (size -50.0 %)\n") && text.contains("\n### `other`\n"), "{text}");
    assert!(text.contains("\n- Bad, because `slim` is as good in every figure and better in one\n"), "{text}");
    repo.git(&["switch", "-q", "main"]);
    let base = repo.git(&["rev-parse", "verdict/other~1"]);
    attempt(&repo, &["late", "--on", &base], 500);
    repo.ok(&["adr", "check"]);
    let stacked = repo.ok(&["adr", "new", "fat", "--stdout"]).stdout;
    assert!(stacked.contains("This experiment stands on it. It was measured against `main`."), "{stacked}");
    assert!(!stacked.contains("`other`"), "another base: {stacked}");
    let late = repo.ok(&["adr", "new", "late", "--stdout"]).stdout;
    assert!(late.contains("### `other`") && late.contains("### `slim`"), "{late}");
}

#[test]
fn a_change_that_takes_code_away_is_no_burden_in_its_decision_file() {
    let repo = Repo::with(&[("verdict.toml", CONFIG), (".gitignore", "out\n"), ("a.txt", "1\n2\n"), ("b.txt", "3\n")]);
    build(&repo, 4000);
    repo.commit("feat: a build");
    let consequences = |name: &str, gone: &str, decision: &str| {
        repo.git(&["rm", "--quiet", gone]);
        attempt(&repo, &[name], 1000 + gone.len());
        repo.ok(&[decision, "--because", "so"]);
        let written = repo.ok(&["adr", "new", name]).stdout;
        let text = repo.read(written.trim().trim_start_matches("wrote "));
        repo.commit("docs: why");
        text.split("### Consequences").nth(1).unwrap().split("<!--").next().unwrap().to_string()
    };
    let reverted = consequences("no-a", "a.txt", "revert");
    assert!(reverted.contains("\n- Bad, because it would have left less to maintain: "), "{reverted}");
    let kept = consequences("no-b", "b.txt", "keep");
    assert!(kept.contains("\n- Good, because it leaves less to maintain: "), "{kept}");
}

#[test]
fn every_form_in_every_language_passes_markdownlint_and_so_do_index_and_log() {
    if !works("markdownlint-cli2", &["-"]) {
        return skip("markdownlint-cli2 is not installed");
    }
    let repo = project();
    attempt(&repo, &["open", "--on", "main"], 300);
    let markup = "* no list\n# no heading\n<b>x</b> https://x.test `code` **bold** [l](u) | pipe ![i](j) _x_ 1. y\n\n\n- no item\n\
                  1) no item\n\ttab  end  \n***\n---\n+ x\n> y\n$z$ $$\nLine that is long enough to be broken - + * at 1. signs > that # begin = a block";
    repo.git(&["switch", "-q", "main"]);
    repo.ok(&["start", "markup", "--on", "main", "--title", markup, "--hypothesis", markup]);
    build(&repo, 700);
    repo.commit("perf: 700 bytes");
    repo.ok(&["measure"]);
    repo.ok(&["revert", "markup", "--because", markup, "--force"]);
    for lang in ["en", "zh-CN"] {
        for format in ["madr", "madr-minimal", "nygard"] {
            let folder = format!("{lang}/{format}");
            for name in ["slim", "fat", "other", "open", "markup"] {
                repo.ok(&["--lang", lang, "adr", "new", name, "--format", format, "--folder", &folder]);
            }
            repo.ok(&["--lang", lang, "adr", "new", "fat", "--folder", &folder, "--supersedes", "1", "--amends", "3"]);
            repo.ok(&["--lang", lang, "adr", "index", "--folder", &folder]);
            repo.ok(&["adr", "check", "--folder", &folder]).prints(&["5 decision files agree"]);
        }
        repo.ok(&["--lang", lang, "decisions", "-o", &format!("{lang}/DECISIONS.md")]);
    }
    repo.write("README.md", "# Mine\n\nText.\n");
    // MADR with a list under the title, as log4brains has it.
    repo.write(".log4brains.yml", "project:\n  name: x\n  tz: UTC\n  adrFolder: ./log\n");
    repo.ok(&["adr", "new", "slim"]);
    repo.ok(&["adr", "new", "fat", "--supersedes", &slug_of(&repo, "log", "slim")]);
    lint(&repo, &["**/*.md"]);
}

fn slug_of(repo: &Repo, folder: &str, name: &str) -> String {
    let entries = std::fs::read_dir(repo.path().join(folder)).unwrap();
    let mut names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.find(|file| file.ends_with(&format!("-{name}.md"))).unwrap()
}

#[test]
fn adr_tools_reads_our_files_and_we_go_on_with_its_numbers() {
    if !works("adr", &["help"]) {
        return skip("adr-tools is not installed");
    }
    let repo = project();
    tool(&repo, "adr", &["init", "decisions"]);
    let first = repo.ok(&["adr", "new", "slim"]);
    first.prints(&["wrote decisions/0002-slim.md", "folder: decisions (.adr-dir says so)"]);
    first.prints(&["form: nygard (like decisions/0001-record-architecture-decisions.md)"]);
    tool(&repo, "adr", &["new", "Theirs"]);
    repo.ok(&["adr", "new", "fat", "--supersedes", "2", "--amends", "3"]).prints(&[
        "wrote decisions/0004-fat.md",
        "changed decisions/0002-slim.md: superseded",
        "changed decisions/0003-theirs.md: amended",
    ]);
    tool(&repo, "adr", &["new", "-s", "4", "Theirs again"]);
    tool(&repo, "adr", &["list"]).prints(&["decisions/0002-slim.md\n", "decisions/0004-fat.md\n"]);
    tool(&repo, "adr", &["generate", "toc"]).prints(&["* [2. slim](0002-slim.md)\n", "* [4. fat](0004-fat.md)\n"]);
    let graph = tool(&repo, "adr", &["generate", "graph"]);
    graph.prints(&["_4 -> _2 [label=\"Supersedes\"", "_4 -> _3 [label=\"Amends\"", "_5 -> _4 [label=\"Supersedes\""]);
    let status = |path: &str| repo.read(path).split("\n## ").nth(1).unwrap().to_string();
    assert_eq!(status("decisions/0002-slim.md"), "Status\n\nSuperseded by [4. fat](0004-fat.md)\n");
    assert_eq!(status("decisions/0003-theirs.md"), "Status\n\nAccepted\n\nAmended by [4. fat](0004-fat.md)\n");
    repo.ok(&["adr", "check"]).prints(&["2 decision files agree"]);
    repo.ok(&["adr", "new", "fat"]).prints(&["is up to date"]);
    repo.ok(&["adr", "index"]);
    let index = repo.read("decisions/README.md");
    assert!(index.contains("[fat](0004-fat.md)") && index.contains("| Superseded by 5. Theirs again |"), "{index}");
}

#[test]
fn adrs_reads_our_files_and_finds_nothing_wrong_with_them() {
    if !works("adrs", &["--version"]) {
        return skip("adrs is not installed");
    }
    for format in ["nygard", "madr"] {
        let mut repo = project();
        repo.set("EDITOR", "true");
        let home = repo.path().to_str().unwrap().to_string();
        repo.set("HOME", home);
        tool(&repo, "adrs", &["--ng", "init", "docs/log"]);
        let settings = repo.read("adrs.toml");
        repo.write("adrs.toml", settings.replace("[templates]\n", &format!("[templates]\nformat = \"{format}\"\n")));
        let first = repo.ok(&["adr", "new", "slim"]);
        first.prints(&["wrote docs/log/0002-slim.md", "folder: docs/log (adrs.toml says so)"]);
        first.prints(&[&format!("form: {format} (adrs.toml says so)")]);
        tool(&repo, "adrs", &["new", "Theirs"]);
        repo.ok(&["adr", "new", "fat", "--supersedes", "2", "--amends", "3"]).prints(&["wrote docs/log/0004-fat.md"]);
        tool(&repo, "adrs", &["list"]).prints(&["0002-slim.md", "0004-fat.md"]);
        let exported: serde_json::Value =
            serde_json::from_str(&tool(&repo, "adrs", &["export", "json"]).stdout).expect("JSON");
        let of = |number: u64| {
            let all = exported["adrs"].as_array().unwrap();
            all.iter().find(|adr| adr["number"] == number).unwrap_or_else(|| panic!("{exported}")).clone()
        };
        assert_eq!((of(2)["title"].as_str(), of(4)["title"].as_str()), (Some("slim"), Some("fat")));
        let status = |number| of(number)["status"].as_str().unwrap().to_lowercase();
        assert_eq!((status(2).as_str(), status(4).as_str()), ("superseded", "rejected"), "{exported}");
        let doctor = repo.run_in(repo.path(), "adrs", &["doctor"], None).report();
        assert!(!doctor.contains("0002-slim") && !doctor.contains("0004-fat"), "{doctor}");
        tool(&repo, "adrs", &["new", "--supersedes", "4", "Theirs again"]);
        repo.ok(&["adr", "check"]).prints(&["2 decision files agree"]);
        repo.ok(&["adr", "new", "fat"]).prints(&["is up to date"]);
    }
}

#[test]
fn log4brains_reads_our_files_by_date() {
    let Some(modules) = log4brains() else { return skip("log4brains is not installed") };
    let mut repo = project();
    repo.set("NODE_PATH", modules.to_str().unwrap());
    repo.write(".log4brains.yml", "project:\n  name: x\n  tz: UTC\n  adrFolder: ./docs/log\n");
    repo.write(
        "docs/log/20200101-theirs.md",
        "# Theirs\n\n- Status: accepted\n- Date: 2020-01-01\n\n## Decision\n\nx\n",
    );
    repo.ok(&["adr", "new", "slim"]).prints(&["folder: docs/log (.log4brains.yml says so)"]);
    repo.ok(&["adr", "new", "fat", "--supersedes", "20200101-theirs"]);
    let fat = slug_of(&repo, "docs/log", "fat");
    assert!(
        repo.read("docs/log/20200101-theirs.md")
            .contains(&format!("- Status: superseded by [{}]", &fat[..fat.len() - 3]))
    );
    let listed = repo.run_in(repo.path(), "node", &["-e", RUN_LOG4BRAINS, "adr", "list", "--raw"], None);
    listed.prints(&["20200101-theirs,SUPERSEDED,,Theirs", "-fat,REJECTED,,fat", "-slim,ACCEPTED,,slim"]);
    repo.ok(&["adr", "check"]).prints(&["2 decision files agree"]);
}

#[test]
fn an_archived_experiment_leaves_a_file_in_the_form_and_number_that_its_base_uses() {
    let nygard = "# 7. Old\n\nDate: 2026-01-01\n\n## Status\n\nAccepted\n\n## Context\n\nx\n\n## Decision\n\ny\n";
    let repo = Repo::with(&[("verdict.toml", CONFIG), (".gitignore", "out\n"), ("doc/adr/0007-old.md", nygard)]);
    build(&repo, 4000);
    repo.commit("feat: a build");
    attempt(&repo, &["fat"], 9000);
    repo.git(&["switch", "-q", "main"]);
    repo.write("doc/adr/0008-new.md", nygard.replace('7', "8"));
    repo.commit("docs: another decision on the base");
    repo.ok(&["adr", "new", "fat"]).prints(&["wrote doc/adr/0009-fat.md"]);
    repo.commit("docs: a proposal");
    repo.refuses(3, &["revert", "fat", "--because", "it grew", "--mode", "archive", "--force"])
        .says(&["fat has a decision file already: doc/adr/0009-fat.md", "--mode merge"]);
    repo.git(&["reset", "-q", "--hard", "HEAD~1"]);
    repo.git(&["switch", "-q", "verdict/fat"]);
    repo.ok(&["revert", "fat", "--because", "it grew", "--mode", "archive"]);
    let text = repo.read("doc/adr/0009-fat.md");
    assert!(text.starts_with("# 9. fat\n") && text.contains("## Status\n\nRejected\n"), "{text}");
    repo.ok(&["adr", "check"]).prints(&["1 decision file agrees"]);
    assert_eq!(repo.ok(&["adr", "new", "fat"]).stdout, "doc/adr/0009-fat.md is up to date\n");
}

#[test]
fn the_index_is_checked_and_written_again() {
    let repo = project();
    repo.ok(&["adr", "new", "slim"]);
    repo.write("docs/adr/README.md", "# Ours\r\n\r\nBy hand.\r\n");
    repo.expect(1, &["adr", "index", "--check"]).prints(&["docs/adr/README.md is not up to date", "+ | 0001"]);
    assert_eq!(repo.read("docs/adr/README.md"), "# Ours\r\n\r\nBy hand.\r\n");
    repo.ok(&["adr", "index"]);
    let written = repo.read("docs/adr/README.md");
    assert!(written.starts_with("# Ours\r\n\r\nBy hand.\r\n\r\n<!-- verdict: index en -->\r\n"), "{written:?}");
    let again = repo.json(&["--lang", "en", "adr", "index"]);
    assert!(again["up_to_date"] == true && again["rows"][0]["status"] == "accepted", "{again}");
    repo.ok(&["adr", "new", "fat"]);
    repo.expect(1, &["adr", "index", "--check"]).prints(&["[fat](0002-fat.md)"]);
}

#[test]
fn two_files_of_one_number_or_of_one_experiment_are_told() {
    let repo = project();
    repo.ok(&["adr", "new", "slim"]);
    let text = repo.read("docs/adr/0001-slim.md");
    repo.write("docs/adr/0001-theirs.md", "# Theirs\n");
    let numbers = repo.json_no(&["adr", "check"]);
    assert_eq!(numbers["twice"][0][1], "docs/adr/0001-theirs.md", "{numbers}");
    std::fs::rename(repo.path().join("docs/adr/0001-theirs.md"), repo.path().join("docs/adr/0003-theirs.md")).unwrap();
    repo.write("docs/adr/0003-other.md", "# Two of theirs are not ours to tell\n");
    repo.ok(&["adr", "check"]);
    repo.write("docs/adr/0002-slim.md", text);
    repo.expect(1, &["adr", "check"]).prints(&["0001-slim.md and docs/adr/0002-slim.md are of the same experiment"]);
}

#[test]
fn a_file_keeps_its_language_whatever_the_reader_speaks() {
    let mut repo = project();
    repo.ok(&["--lang", "zh-CN", "adr", "new", "slim"]);
    repo.ok(&["--lang", "zh-CN", "adr", "index"]);
    repo.ok(&["--lang", "zh-CN", "decisions"]);
    repo.set("LC_ALL", "en_US.UTF-8");
    repo.ok(&["adr", "check"]).prints(&["agrees"]);
    repo.ok(&["adr", "index", "--check"]);
    repo.ok(&["decisions", "--check"]);
    repo.ok(&["adr", "new", "slim"]).prints(&["is up to date"]);
    repo.ok(&["--lang", "en", "adr", "new", "slim"]).prints(&["updated"]);
    assert!(repo.read("docs/adr/0001-slim.md").contains("Chosen option"));
    repo.set("LC_ALL", "zh_CN.UTF-8");
    repo.ok(&["adr", "check"]).prints(&["1 个决策文件与记录一致"]);
}

#[test]
fn what_cannot_be_linked_or_followed_changes_nothing() {
    let repo = project();
    repo.ok(&["adr", "new", "slim"]);
    repo.commit("docs: a decision");
    for (words, said) in [
        (&["adr", "new", "fat", "--supersedes", "9"][..], "there is no decision file '9' in docs/adr"),
        (&["adr", "new", "fat", "--amends", "../../verdict.toml"], "there is no decision file"),
        (&["adr", "new", "slim", "--supersedes", "1"], "cannot supersede or amend itself"),
        (&["adr", "new", "fat", "--folder", "../elsewhere"], "no place for decision files"),
        (&["adr", "new", "fat", "--format", "nigard"], "nigard"),
        (&["adr", "new", "fatt"], "did you mean 'fat'?"),
        (&["adr", "check", "fatt"], "did you mean 'fat'?"),
    ] {
        repo.refuses(2, words).says(&[said]);
    }
    repo.write("adrs.toml", "adr_dir = [1]\n[templates\n");
    repo.refuses(2, &["adr", "new", "fat"]).says(&["adrs.toml cannot be followed: line 2", "correct adrs.toml"]);
    repo.git(&["update-ref", "-d", "refs/verdict/ledger"]);
    std::fs::remove_file(repo.path().join("adrs.toml")).unwrap();
    repo.refuses(3, &["adr", "check"]).says(&["the ledger is not in this clone", "git verdict sync"]);
}

#[test]
fn a_template_of_the_repository_is_used_for_decision_files_and_a_broken_one_loses_nothing() {
    let repo = project();
    repo.write(".verdict/templates/adr.md.j2", "# {{ heading|md }}\n\n{{ no_such_value }}\n");
    repo.refuses(2, &["adr", "new", "slim"]).says(&["adr.md.j2:3", "undefined", "nothing was changed"]);
    repo.write(".verdict/templates/adr.md.j2", "# {{ heading|md }}\n\n{% if %}\n");
    repo.refuses(2, &["adr", "new", "slim"]).says(&["adr.md.j2:3"]);
    repo.expect(1, &["doctor"]).prints(&["BAD  templates", "adr.md.j2:3"]);
    let own = "# {{ heading|md }}\n\n- Status: {{ status }}\n\n## Why\n\n<!-- verdict: why -->\n\n{{ because|md }}\n";
    repo.write(".verdict/templates/adr.md.j2", own);
    repo.ok(&["doctor"]).prints(&["ok   templates"]);
    repo.ok(&["adr", "new", "slim"]);
    let text = repo.read("docs/adr/0001-slim.md");
    assert!(
        text.contains("## Why\n\n<!-- verdict: why -->\n\na quarter \\| is \\*enough\\*\n\n<!-- verdict: end -->\n"),
        "{text}"
    );
    repo.ok(&["adr", "check"]);
    repo.write(".verdict/templates/adr.md.j2", own.replace("why -->\n", "why -->\n\nBecause:\n"));
    repo.expect(1, &["adr", "check"]).prints(&["+ Because:"]);
    repo.ok(&["adr", "new", "slim"]).prints(&["updated"]);
    repo.ok(&["adr", "check"]);
}

#[test]
fn the_log_of_decisions_follows_from_the_ledger_alone() {
    let repo = project();
    repo.ok(&["decisions"]).prints(&["wrote DECISIONS.md: 2 decisions"]);
    let text = repo.read("DECISIONS.md");
    let (slim, fat) = (text.find("## `slim`: kept").unwrap(), text.find("## `fat`: reverted").unwrap());
    assert!(slim < fat && text.contains("Reason: a quarter \\| is \\*enough\\*"), "{text}");
    let said = text.replace('\n', " ");
    assert!(said.contains("increased size by 8.0 kB (+800.0 %) compared to slim"), "{text}");
    repo.ok(&["decisions", "--check"]).prints(&["is up to date: 2 decisions"]);

    let clone = Repo::empty();
    clone.git(&["fetch", "-q", repo.path().to_str().unwrap(), "main:main2", "refs/verdict/ledger:refs/verdict/ledger"]);
    assert_eq!(clone.ok(&["decisions", "--stdout"]).stdout, text);

    repo.write("DECISIONS.md", text.replace("it grew", "it shrank"));
    repo.expect(1, &["decisions", "--check"]).prints(&["- Reason: it shrank", "+ Reason: it grew"]);
    repo.ok(&["decisions"]);
    assert_eq!(repo.read("DECISIONS.md"), text);
    repo.commit("docs: all decisions");
    repo.ok(&["undo", "fat", "--because", "wrong"]);
    repo.ok(&["decisions"]).prints(&["1 decision"]);
    assert!(!repo.read("DECISIONS.md").contains("`fat`"));
}

#[test]
fn a_clone_without_a_ledger_tells_its_decisions_from_commit_messages_and_loses_none() {
    let repo = project();
    repo.ok(&["decisions"]);
    let whole = repo.read("DECISIONS.md");
    repo.git(&["update-ref", "-d", "refs/verdict/ledger"]);
    repo.ok(&["decisions", "--check"]).says(&["told by 2 commit messages"]);
    std::fs::remove_file(repo.path().join("DECISIONS.md")).unwrap();
    repo.expect(1, &["decisions", "--check"]);
    repo.ok(&["decisions"]);
    let told = repo.read("DECISIONS.md");
    assert!(told.contains("## `slim`: kept") && told.contains("-75.0 %") && told.contains("Told by commit"), "{told}");
    assert!(!told.contains("is enough"), "a message's trailers do not say why: {told}");
    let first = whole.find("<!-- verdict: 01").unwrap();
    let second = first + whole[first + 1..].find("<!-- verdict: 01").unwrap() + 1;
    repo.write("DECISIONS.md", &whole[..second]);
    repo.ok(&["decisions"]);
    let mixed = repo.read("DECISIONS.md");
    assert!(mixed.starts_with(&whole[..second]) && mixed.contains("## `fat`: reverted"), "{mixed}");
}

#[test]
fn two_branches_that_add_decisions_merge_with_the_driver_and_without_it() {
    let repo = Repo::with(&[("verdict.toml", CONFIG), (".gitignore", "out\n")]);
    build(&repo, 4000);
    repo.commit("feat: a build");
    attempt(&repo, &["first"], 3000);
    repo.ok(&["keep", "--because", "first"]);
    repo.ok(&["decisions"]);
    repo.commit("docs: decisions");
    let there = tempfile::tempdir().unwrap();
    let other = there.path().join("other");
    repo.git(&["clone", "-q", "--branch", "main", ".", other.to_str().unwrap()]);
    let run = |program: &str, words: &[&str]| {
        let ran = repo.run_in(&other, program, words, None);
        assert_eq!(ran.code, Some(0), "{}", ran.report());
    };
    let verdict = env!("CARGO_BIN_EXE_git-verdict");
    run("git", &["fetch", "-q", "origin", "refs/verdict/ledger:refs/verdict/ledger"]);
    run("git", &["config", "user.name", "Other"]);
    run("git", &["config", "user.email", "other@example.invalid"]);
    for (name, bytes) in [("theirs", "2000"), ("theirs-too", "1500")] {
        run(verdict, &["start", name, "--hypothesis", "x"]);
        std::fs::write(other.join("build.sh"), format!("#!/bin/sh\nhead -c {bytes} /dev/zero > out\n")).unwrap();
        run("git", &["commit", "-qam", "perf: less"]);
        run(verdict, &["trust", "--yes"]);
        run(verdict, &["measure"]);
        run(verdict, &["keep", "--because", name]);
    }
    run(verdict, &["decisions"]);
    run("git", &["add", "-A"]);
    run("git", &["commit", "-qm", "docs: their decisions"]);
    attempt(&repo, &["ours"], 3500);
    repo.ok(&["revert", "ours", "--because", "ours"]);
    repo.ok(&["decisions"]);
    repo.commit("docs: our decision");
    repo.git(&["fetch", "-q", other.to_str().unwrap(), "main:theirs"]);
    let before = repo.git(&["rev-parse", "HEAD"]);

    // Without the driver there is a conflict, and writing the file again resolves it.
    let conflict = repo.try_git(&["merge", "-q", "theirs"]);
    assert_eq!(conflict.code, Some(1), "{}", conflict.report());
    repo.ok(&["decisions"]).says(&["2 decisions in the file that this ledger does not know"]);
    let resolved = repo.read("DECISIONS.md");
    for name in ["first", "theirs", "theirs-too", "ours"] {
        assert_eq!(resolved.matches(&format!("## `{name}`: ")).count(), 1, "{resolved}");
    }
    assert!(!resolved.contains("<<<<") && !resolved.contains("===="), "{resolved}");
    repo.git(&["reset", "-q", "--hard", &before]);

    repo.write(".git/info/attributes", "DECISIONS.md merge=verdict-decisions\n");
    let driver = format!("'{verdict}' decisions --quiet --merge %A %B");
    repo.git(&["config", "merge.verdict-decisions.driver", &driver]);
    repo.git(&["merge", "-q", "-m", "merge: theirs", "theirs"]);
    assert_eq!(repo.read("DECISIONS.md"), resolved);

    // Once the ledgers are one, every clone writes the same bytes.
    repo.git(&["fetch", "-q", other.to_str().unwrap(), "+refs/verdict/ledger:refs/remotes/other/ledger"]);
    repo.git(&["remote", "add", "other", other.to_str().unwrap()]);
    repo.ok(&["sync", "other"]);
    repo.ok(&["decisions"]);
    assert_eq!(repo.read("DECISIONS.md"), resolved, "what was kept is what the ledger tells");
    run(verdict, &["sync", "origin"]);
    std::fs::remove_file(other.join("DECISIONS.md")).unwrap();
    run(verdict, &["decisions"]);
    assert_eq!(std::fs::read_to_string(other.join("DECISIONS.md")).unwrap(), resolved);
}

#[test]
fn a_hostile_file_in_the_folder_is_shown_harmless_and_stops_nothing() {
    let repo = project();
    let evil = "\x1b]0;owned\x07\x1b[31m\u{202e}";
    repo.write("docs/adr/0001-evil.md", format!("# x {evil} | [a](b)\n\n## Status\n\n{evil} <b>\n\n## Decision\n"));
    repo.write("docs/adr/0002-binary.md", [0xff, 0xfe, 0x00]);
    repo.write("docs/adr/0003-huge.md", "x".repeat(100_000));
    repo.ok(&["adr", "new", "slim", "--format", "madr"]).prints(&["wrote docs/adr/0004-slim.md"]);
    repo.ok(&["adr", "check"]);
    let refused = repo.expect(2, &["adr", "index"]);
    refused.says(&["docs/adr/0002-binary.md: it is not UTF-8"]);
    std::fs::remove_file(repo.path().join("docs/adr/0002-binary.md")).unwrap();
    repo.ok(&["adr", "index"]);
    let index = repo.read("docs/adr/README.md");
    assert!(!index.contains(['\x1b', '\x07', '\u{202e}']) && index.contains("\\<b\\>"), "{index}");
    let rows = index.lines().filter(|line| line.starts_with('|')).count();
    assert_eq!(rows, 5, "{index}");
    let text = repo.read("docs/adr/0004-slim.md");
    repo.write("docs/adr/0004-slim.md", text.replace("it is smaller", evil));
    let drift = repo.expect(1, &["adr", "check"]);
    assert!(!drift.report().contains(['\x1b', '\x07', '\u{202e}']), "{:?}", drift.report());
    std::fs::remove_file(repo.path().join("docs/adr/README.md")).unwrap();
    std::os::unix::fs::symlink("../../verdict.toml", repo.path().join("docs/adr/README.md")).unwrap();
    repo.refuses(2, &["adr", "index"]).says(&["symbolic link"]);
    assert!(Path::new(&repo.path().join("verdict.toml")).exists() && repo.read("verdict.toml") == CONFIG);
}
