//! The preset of a Rust project: build time, and the size of its first program or of its library.

use super::{BUILD_TIME, Preset, PresetError, list, names_in, program_size, quoted, read, read_toml, string_at, tail};
use std::path::{Path, PathBuf};
use toml::{Table, Value};
use walkdir::WalkDir;

/// How deep workspace members are looked for.
const DEPTH: usize = 5;

/// What a build leaves that is worth weighing.
#[derive(Debug, PartialEq)]
enum Product {
    /// A program, with the features that it needs.
    Binary { name: String, features: Vec<String> },
    /// A Rust library.
    Library { name: String },
    /// A procedural macro, a C library or nothing with a name that can be used.
    Other,
}

pub(super) fn render(root: &Path) -> Result<String, PresetError> {
    let manifest = Path::new("Cargo.toml");
    let table = read_toml(root, manifest)?
        .ok_or_else(|| PresetError::Missing { preset: Preset::Cargo, reason: "there is no Cargo.toml".into() })?;
    if !table.contains_key("package") && !table.contains_key("workspace") {
        let reason = "it has neither [package] nor [workspace]".into();
        return Err(PresetError::Manifest { file: manifest.to_path_buf(), reason });
    }
    let (package, product) = choose(root, &table)?;
    let locked = locked(root)?;
    let release = match target_triple(root)? {
        Some(triple) => format!("target/{triple}/release"),
        None => "target/release".to_string(),
    };

    let mut words = vec!["cargo", "build", "--release", "--target-dir", "target"];
    words.extend(locked);
    if let Some(package) = &package {
        words.extend(["--package", package]);
    }
    let features = match &product {
        Product::Binary { features, .. } => features.join(","),
        _ => String::new(),
    };
    if let Product::Binary { name, .. } = &product {
        words.extend(["--bin", name]);
        if !features.is_empty() {
            words.extend(["--features", &features]);
        }
    }
    let prepare = format!(
        "cargo clean --target-dir target && cargo fetch{}",
        locked.map(|flag| format!(" {flag}")).unwrap_or_default()
    );
    let size = match &product {
        Product::Binary { name, .. } => program_size(&format!("{release}/{}", globset::escape(name))),
        Product::Library { name } => format!(
            "
# How large the compiled library is, without its dependencies.
[metrics.library_size]
path = {}
matters = \"1%\"
#limit = \"50 MB\"
",
            quoted(&format!("{release}/lib{}.rlib", globset::escape(&name.replace('-', "_"))))
        ),
        Product::Other => String::new(),
    };
    let rate = match &product {
        Product::Binary { .. } => "1 s build_time = 100 kB binary_size",
        Product::Library { .. } => "1 s build_time = 100 kB library_size",
        Product::Other => "1 s build_time = 10 MB build_memory",
    };
    // With nothing else to weigh, the memory of the build is measured from the start.
    let mark = if product == Product::Other { "" } else { "#" };
    let mut text = format!(
        "
# Builds everything from nothing, so that each sample does the same work. The sources of dependencies are fetched
# beforehand, unmeasured. `cargo clean --package NAME` in its place would rebuild one package alone: faster samples,
# which say nothing of the dependencies. The target folder is named so that no setting of yours can move it.
[steps.build]
prepare = {}
run = {}
timeout = \"1h\"

{BUILD_TIME}{size}
# The memory of the largest process of the build.
{mark}[metrics.build_memory]
{mark}step = \"build\"
{mark}measure = \"max_rss\"
{mark}matters = \"5%\"

# A number that a command prints, such as the result of a benchmark.
#[metrics.throughput]
#run = \"cargo run --release --example bench\"
#pattern = 'req/s: ([0-9.]+)'
#unit = \"req/s\"
#better = \"higher\"
",
        quoted(&prepare),
        list(&words),
    );
    let mut test = vec!["cargo", "test"];
    test.extend(locked);
    text.push_str(&tail(&list(&test), &quoted(rate)));
    Ok(text)
}

/// The package and the product to measure: a program of the root package, else the first program of a member, else a
/// library. The package is named where the root package does not hold the product.
fn choose(root: &Path, table: &Table) -> Result<(Option<String>, Product), PresetError> {
    let own = if table.contains_key("package") { product(root, Path::new(""), table) } else { Product::Other };
    if matches!(own, Product::Binary { .. }) {
        return Ok((None, own));
    }
    let mut library = None;
    for member in members(root, table) {
        let Some(manifest) = read_toml(root, &member.join("Cargo.toml"))? else { continue };
        let Some(name) = string_at(&manifest, &["package", "name"]).filter(|name| plain(name)) else { continue };
        let found = product(root, &member, &manifest);
        match found {
            Product::Binary { .. } => return Ok((Some(name.to_string()), found)),
            Product::Library { .. } if library.is_none() => library = Some((Some(name.to_string()), found)),
            _ => {}
        }
    }
    match library {
        Some(found) if own == Product::Other && !table.contains_key("package") => Ok(found),
        _ => Ok((None, own)),
    }
}

/// What the package in `folder` builds, by Cargo's rules of target discovery.
fn product(root: &Path, folder: &Path, manifest: &Table) -> Product {
    let name = string_at(manifest, &["package", "name"]).unwrap_or_default();
    let here = root.join(folder);
    for bin in manifest.get("bin").and_then(Value::as_array).into_iter().flatten() {
        if let Some(bin_name) = bin.get("name").and_then(Value::as_str).filter(|n| plain(n)) {
            let features: Vec<String> = bin
                .get("required-features")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|f| f.as_str().map(str::to_string))
                .collect();
            return Product::Binary { name: bin_name.to_string(), features };
        }
    }
    let discovers =
        |key: &str| manifest.get("package").and_then(|p| p.get(key)).and_then(Value::as_bool).unwrap_or(true);
    if discovers("autobins") {
        if plain(name) && here.join("src/main.rs").is_file() {
            return Product::Binary { name: name.to_string(), features: Vec::new() };
        }
        let bin = here.join("src/bin");
        let first = names_in(&bin).into_iter().find_map(|entry| match entry.strip_suffix(".rs") {
            Some(stem) if bin.join(&entry).is_file() => Some(stem.to_string()),
            _ => bin.join(&entry).join("main.rs").is_file().then_some(entry),
        });
        if let Some(name) = first.filter(|n| plain(n)) {
            return Product::Binary { name, features: Vec::new() };
        }
    }
    let lib = manifest.get("lib");
    let kinds: Vec<&str> = lib
        .and_then(|l| l.get("crate-type").or_else(|| l.get("crate_type")))
        .and_then(Value::as_array)
        .map(|kinds| kinds.iter().filter_map(Value::as_str).collect())
        .unwrap_or_else(|| vec!["lib"]);
    let macros = lib
        .is_some_and(|l| l.get("proc-macro").or_else(|| l.get("proc_macro")).and_then(Value::as_bool).unwrap_or(false));
    let path = lib.and_then(|l| l.get("path")).and_then(Value::as_str).unwrap_or("src/lib.rs");
    let name = lib.and_then(|l| l.get("name")).and_then(Value::as_str).unwrap_or(name);
    let rust = kinds.contains(&"lib") || kinds.contains(&"rlib");
    if plain(name) && rust && !macros && here.join(path).is_file() {
        return Product::Library { name: name.to_string() };
    }
    Product::Other
}

/// Folders of workspace members, those built by default first, relative to the root.
fn members(root: &Path, table: &Table) -> Vec<PathBuf> {
    let workspace = table.get("workspace");
    let strings = |key: &str| -> Vec<String> {
        let values = workspace.and_then(|w| w.get(key)).and_then(Value::as_array);
        values.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_string)).collect()
    };
    let excluded = strings("exclude");
    let mut found: Vec<PathBuf> = Vec::new();
    for pattern in strings("default-members").iter().chain(&strings("members")) {
        let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
        let Ok(glob) = globset::GlobBuilder::new(pattern).literal_separator(true).build() else { continue };
        let matcher = glob.compile_matcher();
        let folders = WalkDir::new(root)
            .max_depth(DEPTH)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|e| {
                e.depth() == 0 || !matches!(e.file_name().to_str(), Some("target" | ".git" | "node_modules"))
            })
            .flatten()
            .filter(|e| e.file_type().is_dir() && e.path().join("Cargo.toml").is_file());
        for folder in folders {
            let Ok(relative) = folder.path().strip_prefix(root) else { continue };
            let shut_out = excluded.iter().any(|e| relative.starts_with(e.trim_start_matches("./")));
            if matcher.is_match(relative) && !shut_out && !found.iter().any(|f| f == relative) {
                found.push(relative.to_path_buf());
            }
        }
    }
    found
}

/// Whether a name can stand in a command and as the name of a file.
fn plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 100
        && !name.starts_with(['-', '.'])
        && name.chars().all(|c| !c.is_control() && !c.is_whitespace() && !"/\\".contains(c))
}

/// `--locked` when the lock file exists and is not ignored: a work tree of a commit holds no ignored file.
fn locked(root: &Path) -> Result<Option<&'static str>, PresetError> {
    let ignored = read(root, Path::new(".gitignore"))
        .ok()
        .flatten()
        .is_some_and(|text| text.lines().any(|line| matches!(line.trim(), "Cargo.lock" | "/Cargo.lock" | "*.lock")));
    Ok((root.join("Cargo.lock").is_file() && !ignored).then_some("--locked"))
}

/// The target that the project's own Cargo configuration sets, which becomes a part of the path.
fn target_triple(root: &Path) -> Result<Option<String>, PresetError> {
    for file in [".cargo/config.toml", ".cargo/config"] {
        if let Some(table) = read_toml(root, Path::new(file))? {
            let triple = string_at(&table, &["build", "target"]);
            return Ok(triple
                .filter(|t| t.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)))
                .map(str::to_string));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{accepted, tree};
    use super::*;
    use crate::config::{Command, Config, Source};

    fn rendered(files: &[(&str, &str)]) -> Config {
        accepted(&render(tree(files).path()).unwrap())
    }

    fn build(config: &Config) -> String {
        match &config.steps[0].run {
            Command::Direct(words) => words[5..].join(" "),
            other => panic!("{other:?}"),
        }
    }

    fn path(config: &Config) -> Option<&str> {
        config.metrics.iter().find_map(|m| match &m.source {
            Source::Path { path, .. } => Some(path.as_str()),
            _ => None,
        })
    }

    #[test]
    fn the_program_of_a_package_is_found_as_cargo_finds_it() {
        let package = "[package]\nname = \"my-app\"\n";
        let named = format!("{package}[[bin]]\nname = \"tool\"\nrequired-features = [\"a\", \"b\"]\n");
        let off = "[package]\nname = \"my-app\"\nautobins = false\n";
        type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, Option<&'a str>);
        let cases: &[Case] = &[
            (&[("Cargo.toml", package), ("src/main.rs", "")], "--bin my-app", Some("target/release/my-app")),
            (&[("Cargo.toml", &named), ("src/main.rs", "")], "--bin tool --features a,b", Some("target/release/tool")),
            (
                &[("Cargo.toml", package), ("src/bin/b.rs", ""), ("src/bin/a/main.rs", "")],
                "--bin a",
                Some("target/release/a"),
            ),
            (&[("Cargo.toml", package), ("src/lib.rs", "")], "", Some("target/release/libmy_app.rlib")),
            (
                &[("Cargo.toml", off), ("src/main.rs", ""), ("src/lib.rs", "")],
                "",
                Some("target/release/libmy_app.rlib"),
            ),
        ];
        for (files, words, size) in cases {
            let config = rendered(files);
            assert_eq!(build(&config), *words, "{files:?}");
            assert_eq!(path(&config), *size, "{files:?}");
        }
    }

    #[test]
    fn a_library_that_is_no_rlib_is_measured_by_its_build() {
        for lib in ["proc-macro = true", "crate-type = [\"cdylib\"]"] {
            let manifest = format!("[package]\nname = \"m\"\n[lib]\n{lib}\n");
            let config = rendered(&[("Cargo.toml", &manifest), ("src/lib.rs", "")]);
            assert_eq!(path(&config), None);
            assert_eq!(
                config.metrics.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(),
                ["build_time", "build_memory"]
            );
        }
    }

    #[test]
    fn a_workspace_is_measured_by_the_first_program_of_its_members() {
        let workspace = "[workspace]\nmembers = [\"crates/*\", \"./tools/x\"]\nexclude = [\"crates/b\"]\n";
        let files = [
            ("Cargo.toml", workspace),
            ("crates/a/Cargo.toml", "[package]\nname = \"a\"\n"),
            ("crates/a/src/lib.rs", ""),
            ("crates/b/Cargo.toml", "[package]\nname = \"b\"\n"),
            ("crates/b/src/main.rs", ""),
            ("tools/x/Cargo.toml", "[package]\nname = \"x\"\n"),
            ("tools/x/src/main.rs", ""),
        ];
        let config = rendered(&files);
        assert_eq!(build(&config), "--package x --bin x");
        assert_eq!(path(&config), Some("target/release/x"));
        let config = rendered(&files[..5]);
        assert_eq!(build(&config), "--package a");
        assert_eq!(path(&config), Some("target/release/liba.rlib"));
    }

    #[test]
    fn the_lock_file_is_respected_unless_it_is_ignored() {
        let files = [
            ("Cargo.toml", "[package]\nname = \"a\"\n"),
            ("src/main.rs", ""),
            ("Cargo.lock", ""),
            (".gitignore", "/target\n/Cargo.lock\n"),
        ];
        assert_eq!(build(&rendered(&files[..3])), "--locked --bin a");
        assert_eq!(build(&rendered(&files)), "--bin a");
    }

    #[test]
    fn a_default_target_is_part_of_the_path() {
        let config = rendered(&[
            ("Cargo.toml", "[package]\nname = \"a\"\n"),
            ("src/main.rs", ""),
            (".cargo/config.toml", "[build]\ntarget = \"wasm32-wasip1\"\n"),
        ]);
        assert_eq!(path(&config), Some("target/wasm32-wasip1/release/a"));
    }

    #[test]
    fn a_hostile_name_is_escaped_or_left_out() {
        for name in ["../../etc", "a\\nb", "-x", "a b", ""] {
            let manifest = format!("[package]\nname = \"x\"\n[[bin]]\nname = \"{name}\"\n");
            let config = rendered(&[("Cargo.toml", &manifest)]);
            assert_eq!(path(&config), None, "{name}");
        }
        let config = rendered(&[("Cargo.toml", "[package]\nname = \"x\"\n[[bin]]\nname = '''a\"]*$(x)'''\n")]);
        assert_eq!(path(&config), Some("target/release/a\"[]][*]$(x)"), "a name is no pattern");
    }
}
