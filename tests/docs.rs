//! The examples in README.md and docs/ are run: every `console` block, in order, in one empty folder per page.
//!
//! `$ ` begins a command, `> ` continues it; the lines after it are what it must print (both streams). `[..]` stands for
//! anything within a line, a line `...` for any number of lines, and a last line `? N` for exit status N. A page that begins
//! with `<!-- needs: PROGRAM -->` is run where that program is.

use crate::common;

use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Debug, Default)]
struct Example {
    line: usize,
    command: String,
    expected: Vec<String>,
    status: i32,
}

fn examples(text: &str) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```console";
            continue;
        }
        if !inside {
            continue;
        }
        if let Some(command) = line.strip_prefix("$ ") {
            found.push(Example { line: number + 1, command: command.into(), ..Example::default() });
        } else if let Some(last) = found.last_mut() {
            let more = line.strip_prefix("> ").or((line == ">").then_some(""));
            match (more, line.strip_prefix("? ")) {
                (Some(more), _) if last.expected.is_empty() => {
                    last.command.push('\n');
                    last.command.push_str(more);
                }
                (_, Some(status)) => last.status = status.parse().expect("`? N` needs a number"),
                _ => last.expected.push(line.trim_end().into()),
            }
        }
    }
    found
}

fn line_matches(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split("[..]");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn matches(expected: &[String], printed: &[&str]) -> bool {
    match expected.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first == "..." => (0..=printed.len()).any(|skip| matches(rest, &printed[skip..])),
        Some((first, rest)) => {
            printed.split_first().is_some_and(|(line, more)| line_matches(first, line) && matches(rest, more))
        }
    }
}

/// The program that a page needs.
fn needs(text: &str) -> Option<&str> {
    text.strip_prefix("<!-- needs: ")?.split(" -->").next()
}

/// Where rustup keeps the compiler: it looks below the home folder, which is another one here.
fn toolchain() -> Vec<(&'static str, PathBuf)> {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let folder = |name: &str, below: &str| std::env::var_os(name).map_or_else(|| home.join(below), PathBuf::from);
    vec![("RUSTUP_HOME", folder("RUSTUP_HOME", ".rustup")), ("CARGO_HOME", folder("CARGO_HOME", ".cargo"))]
}

fn run_page(page: &Path) -> usize {
    let text = std::fs::read_to_string(page).unwrap();
    let examples = examples(&text);
    if let Some(program) = needs(&text)
        && !common::works("sh", &["-c", &format!("command -v {program}")])
    {
        common::skip(&format!("{}: there is no {program}", page.display()));
        return 0;
    }
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    std::fs::create_dir(&home).unwrap();
    std::fs::write(
        home.join(".gitconfig"),
        "[user]\n\tname = Ada\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n",
    )
    .unwrap();
    let bin = Path::new(env!("CARGO_BIN_EXE_git-verdict")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let images = text.starts_with("<!-- needs: podman -->").then(|| common::Storage::new(folder.path()));
    let remember = folder.path().join("cwd");
    let mut here: PathBuf = folder.path().join("work");
    std::fs::create_dir(&here).unwrap();
    for example in &examples {
        let script = format!("{}\nstatus=$?\npwd > '{}'\nexit $status", example.command, remember.display());
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1\n{script}")])
            .current_dir(&here)
            .env_clear()
            .envs([
                ("PATH", path.as_str()),
                ("LC_ALL", "C.UTF-8"),
                ("TERM", "dumb"),
                ("GIT_CONFIG_NOSYSTEM", "1"),
                ("NPM_CONFIG_UPDATE_NOTIFIER", "false"),
            ])
            .env("HOME", &home)
            .envs(toolchain())
            .envs(images.as_ref().map(|images| ("CONTAINERS_STORAGE_CONF", &images.config)))
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines: Vec<&str> = printed.lines().map(str::trim_end).collect();
        let place = format!("{}:{}: $ {}", page.display(), example.line, example.command);
        assert_eq!(output.status.code(), Some(example.status), "{place}\nprinted:\n{printed}");
        assert!(
            matches(&example.expected, &lines),
            "{place}\nexpected:\n{}\nprinted:\n{printed}",
            example.expected.join("\n")
        );
        here = PathBuf::from(std::fs::read_to_string(&remember).unwrap().trim_end());
    }
    examples.len()
}

/// The markdown files below a folder.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => pages(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .collect()
}

#[test]
fn every_page_is_in_the_book_and_every_link_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let summary = std::fs::read_to_string(root.join("SUMMARY.md")).unwrap();
    let link = regex::Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let code = regex::Regex::new("`[^`]*`").unwrap();
    for page in pages(&root) {
        let name = page.strip_prefix(&root).unwrap().to_str().unwrap();
        assert!(name == "SUMMARY.md" || summary.contains(&format!("({name})")), "{name} is not in SUMMARY.md");
        let text = std::fs::read_to_string(&page).unwrap();
        let prose: String = text.split("```").step_by(2).collect();
        for found in link.captures_iter(&code.replace_all(&prose, "")) {
            let (target, anchor) = found[1].split_once('#').unwrap_or((&found[1], ""));
            if target.contains("://") {
                continue;
            }
            let file = if target.is_empty() { page.clone() } else { page.parent().unwrap().join(target) };
            assert!(file.exists(), "{name}: {} leads nowhere", &found[1]);
            assert!(file.canonicalize().unwrap().starts_with(&root), "{name}: {} leaves the book", &found[1]);
            if !anchor.is_empty() {
                let there = std::fs::read_to_string(&file).unwrap();
                assert!(there.lines().any(|line| slug(line) == anchor), "{name}: {} has no such heading", &found[1]);
            }
        }
    }
}

/// The anchor of a heading, as GitHub and mdBook make it.
/// A promise whose proof was renamed or removed is no promise.
#[test]
fn every_test_that_the_page_of_promises_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/reliability.md")).unwrap();
    let named: Vec<(&str, &str)> =
        page.split('`').skip(1).step_by(2).filter_map(|word| word.split_once("::")).collect();
    assert!(named.len() > 50, "{}", named.len());
    for (file, test) in named.into_iter().filter(|named| *named != ("file", "test")) {
        let source = std::fs::read_to_string(root.join("tests").join(file).with_extension("rs")).unwrap_or_default();
        let function = format!("#[test]\nfn {test}()");
        assert!(source.contains(&function), "tests/{file}.rs holds no test {test}");
    }
}

fn slug(line: &str) -> String {
    let heading = line.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_console_example_of_the_docs_prints_what_the_page_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages: Vec<PathBuf> = pages(&root.join("docs"));
    pages.push(root.join("README.md"));
    pages.sort();
    let run: usize = pages.iter().filter(|page| page.exists()).map(|page| run_page(page)).sum();
    assert!(run >= 10, "only {run} examples were found");
}

#[test]
fn the_pattern_of_a_line_matches_as_a_whole() {
    assert!(line_matches("kept [..] on main", "kept x as y on main"));
    assert!(line_matches("same", "same"));
    assert!(!line_matches("same", "same and more"));
    assert!(!line_matches("a[..]z", "b to z"));
    assert!(matches(&["a".into(), "...".into(), "d".into()], &["a", "b", "c", "d"]));
    assert!(!matches(&["a".into()], &["a", "b"]));
}
