//! The preset of a Go module: the build of its program and how large that is, or the build of all packages of a library.

use super::{BUILD_TIME, Preset, PresetError, names_in, program_size, quoted, read, tail};
use std::path::Path;

pub(super) fn render(root: &Path) -> Result<String, PresetError> {
    let file = Path::new("go.mod");
    let text = read(root, file)?
        .ok_or_else(|| PresetError::Missing { preset: Preset::Go, reason: "there is no go.mod".into() })?;
    let module = module(&text)
        .ok_or_else(|| PresetError::Manifest { file: file.to_path_buf(), reason: "it names no module".into() })?;
    let program = program(root, module);
    let (output, package) = match &program {
        Some((name, package)) => (format!(" -o .verdict-out/{name}"), package.as_str()),
        None => (String::new(), "./..."),
    };
    let mut text = format!(
        "
# Builds everything from nothing, with a cache of its own so that yours stays. Modules are fetched beforehand,
# unmeasured. Without -trimpath the folder would be a part of the program, and its length of the size.
[steps.build]
prepare = \"rm -rf .verdict-cache .verdict-out && go mod download\"
run = {}
timeout = \"1h\"

{BUILD_TIME}",
        quoted(&format!("GOCACHE=\"$PWD/.verdict-cache\" go build -trimpath{output} {package}"))
    );
    if let Some((name, _)) = &program {
        text.push_str(&program_size(&format!(".verdict-out/{name}")));
    }
    text.push_str(
        "
# One number of a benchmark.
#[metrics.benchmark]
#run = \"go test -run - -bench NAME .\"
#pattern = '\\s([0-9.]+) ns/op'
#unit = \"ns\"
",
    );
    let worth =
        if program.is_some() { "1 s build_time = 100 kB binary_size" } else { "1 s build_time = 1 s benchmark" };
    text.push_str(&tail("[\"go\", \"test\", \"./...\"]", &quoted(worth)));
    Ok(text)
}

/// The module's path as go.mod says it.
fn module(text: &str) -> Option<&str> {
    let said = text.lines().find_map(|line| line.trim().strip_prefix("module")?.strip_prefix([' ', '\t']))?;
    let path = said.split("//").next().unwrap_or(said).trim().trim_matches('"');
    (!path.is_empty()).then_some(path)
}

/// The program's name and its package: the root's, else the first below `cmd`; none of a library.
fn program(root: &Path, module: &str) -> Option<(String, String)> {
    if is_program(root) {
        let version = |part: &&str| part.starts_with('v') && part[1..].parse::<u32>().is_ok();
        let name = module.rsplit('/').find(|part| !version(part)).filter(|name| plain(name)).unwrap_or("program");
        return Some((name.to_string(), ".".to_string()));
    }
    let found =
        names_in(&root.join("cmd")).into_iter().find(|name| plain(name) && is_program(&root.join("cmd").join(name)));
    found.map(|name| (name.clone(), format!("./cmd/{name}")))
}

/// Whether a folder holds `package main`.
fn is_program(folder: &Path) -> bool {
    let source = |name: &String| name.ends_with(".go") && !name.ends_with("_test.go");
    names_in(folder).iter().filter(|name| source(name)).any(|name| {
        let text = read(folder, Path::new(name)).ok().flatten().unwrap_or_default();
        let package = text.lines().find(|line| line.starts_with("package "));
        package.is_some_and(|line| line.split_whitespace().nth(1) == Some("main"))
    })
}

/// A name that needs no quotes anywhere.
fn plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{accepted, tree};
    use super::*;
    use crate::config::{Command, Source};

    /// The command that builds and the path of the program, when one is measured.
    fn built(files: &[(&str, &str)]) -> (String, Option<String>) {
        let config = accepted(&render(tree(files).path()).unwrap());
        let Command::Shell(run) = &config.steps[0].run else { panic!("{:?}", config.steps[0].run) };
        let path = config.metrics.iter().find_map(|metric| match &metric.source {
            Source::Path { path, .. } => Some(path.clone()),
            _ => None,
        });
        (run.clone(), path)
    }

    #[test]
    fn a_program_is_named_after_its_module_and_a_library_is_built_whole() {
        let root = [
            ("go.mod", "// A tool.\nmodule example.org/tally/v2 // v2\n\ngo 1.22\n"),
            ("a.go", "// x\npackage main\n"),
        ];
        let (run, path) = built(&root);
        assert_eq!(run, "GOCACHE=\"$PWD/.verdict-cache\" go build -trimpath -o .verdict-out/tally .");
        assert_eq!(path.as_deref(), Some(".verdict-out/tally"));
        let below = [
            ("go.mod", "module \"example.org/x\"\n"),
            ("x.go", "package x\n"),
            ("cmd/lib/l.go", "package lib\n"),
            ("cmd/serve/m_test.go", "package main\n"),
            ("cmd/serve/s.go", "package main // program\n"),
        ];
        let (run, path) = built(&below);
        assert!(run.ends_with(" -o .verdict-out/serve ./cmd/serve"), "{run}");
        assert_eq!(path.as_deref(), Some(".verdict-out/serve"));
        let (run, path) = built(&[("go.mod", "module example.org/x\n"), ("x.go", "package x\n")]);
        assert!(run.ends_with(" go build -trimpath ./..."), "{run}");
        assert_eq!(path, None);
    }

    #[test]
    fn a_name_that_a_shell_would_read_is_not_taken() {
        let (run, _) = built(&[("go.mod", "module example.org/$(id)\n"), ("a.go", "package main\n")]);
        assert!(run.ends_with(" -o .verdict-out/program ."), "{run}");
        let (run, _) = built(&[("go.mod", "module x\n"), ("cmd/a;b/a.go", "package main\n")]);
        assert!(run.ends_with(" ./..."), "{run}");
        assert!(
            render(tree(&[("go.mod", "go 1.22\n")]).path()).unwrap_err().to_string().contains("it names no module")
        );
    }
}
