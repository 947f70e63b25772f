//! Which files of a repository a command runs: those that its words name, those that its program reads by itself (a
//! `Makefile` behind `make`, the scripts of `package.json` behind `npm run`), and what these name in their turn.
//!
//! Words are taken for what they may mean, not parsed as a shell would: a file too many asks for trust once more, one too few
//! would not ask at all. What is compiled or imported is not followed.

use crate::config::Command;
use crate::git::{GitError, Oid, Repo};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// At most so many files are followed from one configuration.
const FILES: usize = 500;
/// A longer file is bound, and not read for what it names.
const LONG: usize = 1 << 20;

/// What programs read by themselves, in the folder that they are started in.
const READ_BY: [(&[&str], &[&str]); 12] = [
    (&["make", "gmake", "bmake"], &["GNUmakefile", "makefile", "Makefile", "BSDmakefile"]),
    (&["npm", "npx", "pnpm", "yarn", "bun", "node"], &["package.json", ".npmrc", ".yarnrc.yml"]),
    (&["just"], &["justfile", "Justfile", ".justfile"]),
    (&["task"], &["Taskfile.yml", "Taskfile.yaml"]),
    (&["cargo"], &[".cargo/config.toml", ".cargo/config", "build.rs", "rust-toolchain.toml"]),
    (
        &["docker", "podman", "buildah"],
        &["Dockerfile", "Containerfile", "compose.yaml", "compose.yml", "docker-compose.yml"],
    ),
    (
        &["docker-compose", "podman-compose"],
        &["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"],
    ),
    (
        &["pytest", "tox", "nox", "pip", "python", "python3", "uv"],
        &["conftest.py", "tox.ini", "noxfile.py", "setup.py", "pyproject.toml"],
    ),
    (&["cmake", "ctest"], &["CMakeLists.txt", "CMakePresets.json"]),
    (&["meson", "ninja"], &["meson.build", "build.ninja"]),
    (&["gradle", "gradlew", "mvn", "mvnw"], &["build.gradle", "build.gradle.kts", "settings.gradle", "pom.xml"]),
    (&["rake", "bundle"], &["Rakefile", "Gemfile"]),
];

/// Endings of files that are run or read by what runs them.
const SCRIPTS: [&str; 14] =
    ["sh", "bash", "zsh", "mk", "mak", "py", "js", "mjs", "cjs", "ts", "pl", "rb", "ps1", "just"];

/// A file by its path, with its blob and its content.
pub(super) type Found = BTreeMap<PathBuf, (Oid, Vec<u8>)>;

/// All files of a commit that these commands run, as far as they can be followed.
pub(super) fn files(repo: &Repo, commit: &Oid, commands: &[&Command]) -> Result<Found, GitError> {
    let mut found = Found::new();
    let mut seen = BTreeSet::new();
    let mut next: Vec<(PathBuf, bool)> = Vec::new();
    for command in commands {
        let words = words_of(command);
        next.extend(words.iter().filter_map(|word| normal(word)).map(|path| (path, true)));
        next.extend(read_by(&words, Path::new("")).map(|path| (path, true)));
    }
    while let Some((path, surely)) = next.pop() {
        if found.len() >= FILES || !seen.insert((path.clone(), surely)) || found.contains_key(&path) {
            continue;
        }
        let Some(blob) = repo.blob_at(commit, &path)? else { continue };
        let bytes = repo.file_at(commit, &path)?.unwrap_or_default();
        // A word of a script may be any file; a word of a command is one that it runs or reads.
        if !surely && !is_script(&path, &bytes) {
            continue;
        }
        if bytes.len() <= LONG && holds_commands(&path, &bytes) {
            let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
            for text in texts(&path, &bytes) {
                let words = words_in(&text);
                for start in [Path::new(""), folder.as_path()] {
                    next.extend(
                        words
                            .iter()
                            .filter_map(|word| normal(&start.join(word).to_string_lossy()))
                            .map(|path| (path, false)),
                    );
                    next.extend(read_by(&words, start).map(|path| (path, true)));
                }
            }
        }
        found.insert(path, (blob, bytes));
    }
    Ok(found)
}

/// The folders of a commit that these commands name, each with its tree.
pub(super) fn folders(repo: &Repo, commit: &Oid, commands: &[&Command]) -> Result<Vec<(PathBuf, Oid)>, GitError> {
    let words: BTreeSet<String> = commands.iter().flat_map(|command| words_of(command)).collect();
    let paths: BTreeSet<PathBuf> = words.iter().filter_map(|word| normal(word)).collect();
    let mut found = Vec::new();
    for path in paths {
        if let Some(tree) = repo.folder_at(commit, &path)? {
            found.push((path, tree));
        }
    }
    Ok(found)
}

/// Whether a file is run, or holds commands that some program runs.
pub(super) fn holds_commands(path: &Path, bytes: &[u8]) -> bool {
    is_script(path, bytes) || reads_commands(path)
}

/// What the programs among these words read by themselves: in `start`, and in every folder that is named beside them
/// (`make -C sub`, `cd sub && npm test`).
fn read_by<'w>(words: &'w [String], start: &'w Path) -> impl Iterator<Item = PathBuf> + 'w {
    let programs = words.iter().filter_map(|word| Path::new(word).file_name()?.to_str());
    let files: BTreeSet<&str> = programs
        .flat_map(|program| READ_BY.iter().filter(move |(names, _)| names.contains(&program)))
        .flat_map(|(_, files)| files.iter().copied())
        .collect();
    let folders = words.iter().map(move |word| start.join(word)).chain([start.to_path_buf()]);
    folders.flat_map(move |folder| {
        files.clone().into_iter().filter_map(move |file| normal(&folder.join(file).to_string_lossy()))
    })
}

/// Whether a file is one that is run, by its name or its first bytes.
fn is_script(path: &Path, bytes: &[u8]) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| SCRIPTS.contains(&ending));
    ending || bytes.starts_with(b"#!") || bytes.starts_with(b"\x7fELF")
}

/// Whether a file holds commands that some program runs.
fn reads_commands(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    READ_BY.iter().any(|(_, files)| files.iter().any(|file| Path::new(file).file_name().is_some_and(|own| own == name)))
}

/// The texts in a file that may be commands: the scripts of a `package.json`, else all of it.
fn texts(path: &Path, bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    if path.file_name().is_some_and(|name| name == "package.json")
        && let Ok(value) = serde_json::from_str::<serde_json::Value>(&text)
        && let Some(scripts) = value["scripts"].as_object()
    {
        return scripts.values().filter_map(|script| script.as_str().map(String::from)).collect();
    }
    text.lines().map(String::from).collect()
}

fn words_of(command: &Command) -> Vec<String> {
    match command {
        Command::Shell(text) => words_in(text),
        Command::Direct(words) => {
            words.iter().flat_map(|word| words_in(word).into_iter().chain([word.clone()])).collect()
        }
    }
}

fn words_in(text: &str) -> Vec<String> {
    let apart = |c: char| c.is_whitespace() || "\"'`;|&()<>{}=,:$@".contains(c);
    text.split(apart).filter(|word| !word.is_empty()).map(String::from).collect()
}

/// A relative path without `.` and `..`; none when it leaves the repository.
fn normal(word: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for part in Path::new(word).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir if path.pop() => {}
            _ => return None,
        }
    }
    (!path.as_os_str().is_empty()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::test::Sandbox;

    /// What `command` runs in a repository with these files.
    fn run(files: &[(&str, &str)], command: &str) -> Vec<String> {
        let sandbox = Sandbox::new();
        for (path, text) in files {
            sandbox.commit(path, text);
        }
        let repo = sandbox.repo();
        let head = repo.resolve("HEAD").unwrap();
        let found = super::files(&repo, &head, &[&Command::Shell(command.into())]).unwrap();
        found.keys().map(|path| path.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn the_files_that_a_command_names_are_found_in_its_words() {
        let files = [("scripts/build.sh", ""), ("tools/run", ""), ("ci/app.toml", ""), ("b", ""), ("other", "")];
        assert_eq!(
            run(&files, "MODE=x ./scripts/build.sh --out=a/b.txt && sh 'tools/run'|tee log"),
            ["scripts/build.sh", "tools/run"]
        );
        assert_eq!(run(&files, "x --config=ci/app.toml ./a/../b"), ["b", "ci/app.toml"]);
        assert_eq!(run(&files, "../outside /etc/passwd ~"), [""; 0]);
        let direct = Command::Direct(vec!["python3".into(), "my bench.py".into()]);
        assert!(words_of(&direct).contains(&"my bench.py".to_string()));
    }

    #[test]
    fn a_makefile_behind_make_is_followed_to_the_scripts_in_it() {
        let files = [
            ("Makefile", "include rules.mk\nbench: src.c\n\t./tools/bench.sh\n"),
            ("rules.mk", "x:\n\t@python3 tools/gen.py\n"),
            ("tools/bench.sh", "#!/bin/sh\n. ./common.sh\n"),
            ("tools/common.sh", "echo\n"),
            ("tools/gen.py", "import os\n"),
            ("src.c", "int main;\n"),
            ("sub/Makefile", "all:\n"),
        ];
        let tools = ["Makefile", "rules.mk", "tools/bench.sh", "tools/common.sh", "tools/gen.py"];
        assert_eq!(run(&files, "make bench"), tools);
        assert_eq!(
            run(&files, "make -C sub"),
            [&["Makefile"], &tools[1..1], &["rules.mk", "sub/Makefile"], &tools[2..]].concat()
        );
        assert_eq!(run(&files, "echo"), [""; 0]);
    }

    #[test]
    fn the_scripts_of_a_package_are_followed_and_its_other_texts_are_not() {
        let package = r#"{"main": "lib.js", "scripts": {"bench": "node bench/run.mjs && make -C native"}}"#;
        let files = [
            ("package.json", package),
            ("lib.js", ""),
            ("bench/run.mjs", ""),
            ("native/Makefile", ""),
            ("README.md", ""),
        ];
        assert_eq!(run(&files, "npm run bench"), ["bench/run.mjs", "native/Makefile", "package.json"]);
    }

    #[test]
    fn an_alias_of_cargo_is_bound_and_what_it_compiles_is_not() {
        let files = [
            (".cargo/config.toml", "[alias]\nxtask = \"run -p xtask --\"\n"),
            ("xtask/src/main.rs", "fn main() {}\n"),
            ("build.rs", "fn main() {}\n"),
        ];
        assert_eq!(run(&files, "cargo xtask bench"), [".cargo/config.toml", "build.rs"]);
    }

    #[test]
    fn files_that_name_each_other_come_to_an_end() {
        let files = [("a.sh", "./b.sh a.sh\n"), ("b.sh", "./a.sh\n")];
        assert_eq!(run(&files, "./a.sh"), ["a.sh", "b.sh"]);
    }
}
