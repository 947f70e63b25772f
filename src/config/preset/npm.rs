//! The preset of a JavaScript package: its build and what the build leaves, or the size of the package itself.

use super::{BUILD_TIME, Preset, PresetError, list, quoted, read, tail};
use crate::phrase;
use crate::phrase::Phrase;
use regex::Regex;
use serde_json::Value;
use std::path::Path;

/// The program that installs and runs: its name, the words that install, and those that run the script `build`.
struct Manager {
    program: &'static str,
    install: &'static [&'static str],
}

pub(super) fn render(root: &Path) -> Result<String, PresetError> {
    let file = Path::new("package.json");
    let text = read(root, file)?
        .ok_or_else(|| PresetError::Missing { preset: Preset::Npm, reason: "there is no package.json".into() })?;
    let fail = |reason: Phrase| PresetError::Manifest { file: file.to_path_buf(), reason };
    let package: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|e| fail(phrase!("line {line}: {what}", line = e.line(), what = e)))?;
    if !package.is_object() {
        return Err(fail(phrase!(
            "line {line}: {what}",
            line = 1usize,
            what = Phrase::from("it is not a JSON object")
        )));
    }
    let manager = manager(root);
    let script = package.pointer("/scripts/build").and_then(Value::as_str).filter(|s| !s.trim().is_empty());
    let named = ["/name", "/version"].iter().all(|key| package.pointer(key).is_some_and(Value::is_string));

    let install = format!(
        "
# Installs the dependencies before each build.
[steps.install]
run = {}
timeout = \"20m\"
",
        list(&[&[manager.program], manager.install].concat())
    );
    let (mut text, rate) = match script {
        Some(script) => {
            let output = output_folder(root, &package, script);
            let prepare = if disposable(root, &output) {
                let command = list(&["rm", "-rf", "--", &output]);
                format!("# What the build before it left must not make it faster or larger.\nprepare = {command}\n")
            } else {
                String::new()
            };
            let text = format!(
                "{install}
# Runs the script `build` of package.json.
[steps.build]
{prepare}run = {}
timeout = \"30m\"

{BUILD_TIME}
# How large the folder is that the build writes. Change the path if your build writes elsewhere.
[metrics.bundle_size]
path = {}
matters = \"1%\"
#limit = \"1 MB\"
# Counted after compression, as it would be downloaded: gzip, zstd or brotli.
#compress = \"gzip\"

# What the dependencies take, in time and on disk.
#[metrics.install_time]
#step = \"install\"
#[metrics.dependencies_size]
#path = \"node_modules\"
",
                list(&[manager.program, "run", "build"]),
                quoted(&globset::escape(&output)),
            );
            (text, "1 s build_time = 10 kB bundle_size")
        }
        None if named => {
            let text = "
# How large the package is that `npm publish` would upload, read from what the command prints.
[metrics.package_size]
run = [\"npm\", \"pack\", \"--dry-run\", \"--json\", \"--ignore-scripts\"]
json = \"/0/size\"
unit = \"B\"
matters = \"1%\"
#limit = \"100 kB\"

# How large it is once it is unpacked.
[metrics.unpacked_size]
run = [\"npm\", \"pack\", \"--dry-run\", \"--json\", \"--ignore-scripts\"]
json = \"/0/unpackedSize\"
unit = \"B\"
matters = \"1%\"
";
            (text.to_string(), "10 kB package_size = 50 kB unpacked_size")
        }
        None => {
            let text = format!(
                "{install}
# How long that takes. `matters` is the smallest change worth acting on.
[metrics.install_time]
step = \"install\"
measure = \"wall\"
matters = \"5%\"

# How large the dependencies are on disk.
[metrics.dependencies_size]
path = \"node_modules\"
matters = \"1%\"
#limit = \"200 MB\"
"
            );
            (text, "1 s install_time = 1 MB dependencies_size")
        }
    };
    text.push_str(&tail(&list(&[manager.program, "test"]), &quoted(rate)));
    Ok(text)
}

/// The package manager whose lock file is there.
fn manager(root: &Path) -> Manager {
    let has = |file: &str| root.join(file).is_file();
    if has("package-lock.json") || has("npm-shrinkwrap.json") {
        Manager { program: "npm", install: &["ci", "--no-audit", "--no-fund"] }
    } else if has("pnpm-lock.yaml") {
        Manager { program: "pnpm", install: &["install", "--frozen-lockfile"] }
    } else if has("yarn.lock") {
        Manager { program: "yarn", install: &["install", "--frozen-lockfile"] }
    } else if has("bun.lock") || has("bun.lockb") {
        Manager { program: "bun", install: &["install", "--frozen-lockfile"] }
    } else {
        Manager { program: "npm", install: &["install", "--no-audit", "--no-fund", "--no-package-lock"] }
    }
}

/// The folder that the script `build` writes: what the script says, what its tool does unless told otherwise, where the
/// package's entry points lie, what is there, `dist`.
fn output_folder(root: &Path, package: &Value, script: &str) -> String {
    let flag = Regex::new(
        r#"(?:--(?:out-?dir|outDir|dist-dir|output-path|output-dir|dest)[= ]|\s-(?:o|d)\s)\s*["']?([^\s"';&|]+)"#,
    )
    .ok();
    let said = flag.and_then(|f| f.captures_iter(script).last().map(|c| c[1].to_string()));
    let tools = [
        ("next build", ".next"),
        ("nuxt build", ".output"),
        ("nuxi build", ".output"),
        ("gatsby build", "public"),
        ("react-scripts build", "build"),
        ("docusaurus build", "build"),
        ("remix build", "build"),
        ("vite build", "dist"),
        ("astro build", "dist"),
        ("parcel build", "dist"),
        ("webpack", "dist"),
        ("tsup", "dist"),
        ("vue-cli-service build", "dist"),
    ];
    let by_tool = tools.iter().find(|(call, _)| script.contains(call)).map(|(_, folder)| folder.to_string());
    let by_compiler =
        Regex::new(r"\btsc\b").is_ok_and(|tsc| tsc.is_match(script)).then(|| compiler_folder(root)).flatten();
    let entries = ["/main", "/module", "/exports", "/exports/.", "/exports/./import", "/types"];
    let by_entry = entries
        .iter()
        .filter_map(|key| package.pointer(key)?.as_str())
        .filter_map(|entry| entry.trim_start_matches("./").split_once('/'))
        .map(|(folder, _)| folder.to_string())
        .find(|folder| disposable(root, folder));
    // `node build/build.js` runs what lies there, and so does not write it.
    let there = ["dist", "build", "out"]
        .iter()
        .find(|folder| root.join(folder).is_dir() && !script.contains(&format!("{folder}/")))
        .map(|folder| folder.to_string());
    [said, by_tool, by_compiler, by_entry, there].into_iter().flatten().find_map(usable).unwrap_or("dist".to_string())
}

/// Whether a folder holds nothing that a commit holds: it is not there yet, or git ignores it.
fn disposable(root: &Path, folder: &str) -> bool {
    let ignored = || {
        let text = read(root, Path::new(".gitignore")).ok().flatten().unwrap_or_default();
        text.lines().any(|line| line.trim().trim_matches('/') == folder)
    };
    !root.join(folder).exists() || ignored()
}

/// `outDir` of tsconfig.json, which allows comments and so is no JSON.
fn compiler_folder(root: &Path) -> Option<String> {
    let text = read(root, Path::new("tsconfig.json")).ok().flatten()?;
    let setting = Regex::new(r#"(?m)^[^/\n]*"outDir"\s*:\s*"([^"\n]+)""#).ok()?;
    Some(setting.captures(&text)?[1].to_string())
}

/// A folder below the root that may be removed before a build: not the root itself, nothing outside, no sources.
fn usable(folder: String) -> Option<String> {
    let folder = folder.trim_start_matches("./").trim_end_matches('/');
    let parts: Vec<&str> = folder.split('/').collect();
    let plain = |part: &&str| {
        !part.is_empty()
            && !matches!(*part, "." | ".." | ".git" | "node_modules" | "src")
            && part.chars().all(|c| c.is_alphanumeric() || "-_.@".contains(c))
            && !part.starts_with('-')
            // A file such as bundle.js is no folder.
            && ![".js", ".mjs", ".cjs", ".css", ".ts"].iter().any(|end| part.ends_with(end))
    };
    (parts.len() <= 8 && parts.iter().all(plain)).then(|| folder.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{accepted, tree};
    use super::*;
    use crate::config::{Command, Config, Extract, Source};

    fn rendered(files: &[(&str, &str)]) -> Config {
        accepted(&render(tree(files).path()).unwrap())
    }

    fn folder(script: &str, more: &[(&str, &str)]) -> String {
        let package = serde_json::json!({ "name": "x", "scripts": { "build": script } }).to_string();
        let config = rendered(&[&[("package.json", package.as_str())], more].concat());
        match &config.metric("bundle_size").unwrap().source {
            Source::Path { path, .. } => path.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_folder_of_a_build_is_what_its_script_says() {
        assert_eq!(folder("vite build", &[]), "dist");
        assert_eq!(folder("vite build --outDir ./public/app/", &[]), "public/app");
        assert_eq!(folder("next build && next export -o out", &[]), "out");
        assert_eq!(folder("next build", &[]), ".next");
        assert_eq!(folder("react-scripts build", &[("dist/x", "")]), "build");
        assert_eq!(folder("esbuild a.ts --bundle --outdir=www", &[]), "www");
        assert_eq!(folder("rollup -c -d lib", &[]), "lib");
        assert_eq!(folder("tsc -p .", &[("tsconfig.json", "{ // no\n \"outDir\": \"./es\", }")]), "es");
        assert_eq!(folder("make", &[("build/x", "")]), "build");
        assert_eq!(folder("make", &[]), "dist");
        assert_eq!(folder("node build/build.js", &[("build/build.js", "")]), "dist");
    }

    #[test]
    fn only_what_no_commit_holds_is_removed_before_a_build() {
        let package = ("package.json", r#"{"scripts": {"build": "vite build"}}"#);
        let prepare = |files: &[(&str, &str)]| {
            let config = rendered(&[&[package], files].concat());
            config.step("build").unwrap().prepare.as_ref().map(|command| command.to_string())
        };
        let removed = Some("rm -rf -- dist".to_string());
        assert_eq!(prepare(&[]), removed);
        assert_eq!(prepare(&[("dist/a.js", ""), (".gitignore", "node_modules\n/dist/\n")]), removed);
        assert_eq!(prepare(&[("dist/a.js", "")]), None);
    }

    #[test]
    fn a_script_cannot_name_a_folder_that_must_not_be_removed() {
        for bad in ["..", "/", "/etc", "../x", ".", "./", "src", ".git", "a/../..", "-rf", "$HOME", "node_modules"] {
            assert_eq!(folder(&format!("x --outdir {bad}"), &[]), "dist", "{bad}");
        }
    }

    #[test]
    fn the_package_manager_is_that_of_the_lock_file() {
        for (lock, install) in [
            (None, "npm install --no-audit --no-fund --no-package-lock"),
            (Some("package-lock.json"), "npm ci --no-audit --no-fund"),
            (Some("pnpm-lock.yaml"), "pnpm install --frozen-lockfile"),
            (Some("yarn.lock"), "yarn install --frozen-lockfile"),
        ] {
            let mut files = vec![("package.json", r#"{"scripts": {"build": "vite build"}}"#)];
            files.extend(lock.map(|lock| (lock, "")));
            let config = rendered(&files);
            assert_eq!(config.steps[0].run.to_string(), install);
            let program = install.split(' ').next().unwrap();
            let build = [program, "run", "build"].map(str::to_string).to_vec();
            assert_eq!(config.steps[1].run, Command::Direct(build));
        }
    }

    #[test]
    fn a_package_without_a_build_is_measured_by_its_tarball_or_its_dependencies() {
        let config = rendered(&[("package.json", r#"{"name": "a\"]", "version": "1.0.0"}"#)]);
        match &config.metric("package_size").unwrap().source {
            Source::Command { extract, .. } => assert_eq!(*extract, Extract::Json("/0/size".into())),
            other => panic!("{other:?}"),
        }
        let config = rendered(&[("package.json", r#"{"private": true, "scripts": {"build": " "}}"#)]);
        assert!(config.metric("dependencies_size").is_some());
        for bad in ["[]", "5", "null"] {
            assert!(render(tree(&[("package.json", bad)]).path()).is_err());
        }
    }
}
