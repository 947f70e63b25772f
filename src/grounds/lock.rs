//! Which packages a lockfile holds, in which versions.
//!
//! | file | format |
//! |---|---|
//! | `Cargo.lock`, `poetry.lock`, `uv.lock`, `pdm.lock` | TOML, `[[package]]` with `name` and `version` |
//! | `package-lock.json`, `npm-shrinkwrap.json` | JSON: `packages` by path (versions 2 and 3), else `dependencies` within each other (version 1) |
//! | `Pipfile.lock` | JSON: `default` and `develop` |
//! | `yarn.lock` | blocks of a line of specifiers and an indented `version`, classic and berry |
//! | `pnpm-lock.yaml` | the keys below `packages:`: `/name/1.2.3`, `/name@1.2.3`, `name@1.2.3(peer)` |
//! | `go.sum`, `go.mod` | lines of a module and a version |
//! | `requirements*.txt` | lines of a name and what follows it |
//!
//! What cannot be read in one of these forms has no entries; that its bytes changed is seen nevertheless.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A longer file is known by its bytes alone.
const LONGEST: usize = 16 << 20;

/// How deep `dependencies` may lie within each other.
const DEEPEST: usize = 64;

/// Package -> the versions of it that are locked.
pub type Entries = BTreeMap<String, BTreeSet<String>>;

/// Whether a file is a lockfile, by its name.
pub fn is_lockfile(path: &Path) -> bool {
    reader(path).is_some()
}

/// The entries of a lockfile; none when it is no lockfile, too long, or not in the form that its name promises.
pub fn entries(path: &Path, bytes: &[u8]) -> Option<Entries> {
    let read = reader(path)?;
    if bytes.len() > LONGEST {
        return None;
    }
    read(std::str::from_utf8(bytes).ok()?).filter(|found| !found.is_empty())
}

type Reader = fn(&str) -> Option<Entries>;

fn reader(path: &Path) -> Option<Reader> {
    let name = path.file_name()?.to_str()?;
    let requirements = name.starts_with("requirements") && name.ends_with(".txt");
    Some(match name {
        "Cargo.lock" | "poetry.lock" | "uv.lock" | "pdm.lock" => packages,
        "package-lock.json" | "npm-shrinkwrap.json" => package_lock,
        "Pipfile.lock" => pipfile,
        "yarn.lock" => yarn,
        "pnpm-lock.yaml" => pnpm,
        "go.sum" => go_sum,
        "go.mod" => go_mod,
        _ if requirements => requirements_of,
        _ => return None,
    })
}

fn add(found: &mut Entries, name: impl Into<String>, version: impl Into<String>) {
    found.entry(name.into()).or_default().insert(version.into());
}

fn packages(text: &str) -> Option<Entries> {
    let root: toml::Table = text.parse().ok()?;
    let mut found = Entries::new();
    for package in root.get("package")?.as_array()? {
        let field = |key: &str| package.get(key).and_then(toml::Value::as_str);
        if let Some(name) = field("name") {
            add(&mut found, name, field("version").unwrap_or_default());
        }
    }
    Some(found)
}

fn package_lock(text: &str) -> Option<Entries> {
    let root: serde_json::Value = serde_json::from_str(text).ok()?;
    let version = |value: &serde_json::Value| value["version"].as_str().unwrap_or_default().to_string();
    let mut found = Entries::new();
    if let Some(packages) = root["packages"].as_object() {
        for (path, package) in packages {
            if let Some((_, name)) = path.rsplit_once("node_modules/") {
                add(&mut found, name, version(package));
            }
        }
        return Some(found);
    }
    let mut waiting = vec![(root.get("dependencies")?, 0)];
    while let Some((table, depth)) = waiting.pop() {
        for (name, package) in table.as_object().into_iter().flatten() {
            add(&mut found, name, version(package));
            if let Some(inner) = package.get("dependencies").filter(|_| depth < DEEPEST) {
                waiting.push((inner, depth + 1));
            }
        }
    }
    Some(found)
}

fn pipfile(text: &str) -> Option<Entries> {
    let root: serde_json::Value = serde_json::from_str(text).ok()?;
    let mut found = Entries::new();
    for (name, package) in ["default", "develop"].iter().filter_map(|group| root[*group].as_object()).flatten() {
        add(&mut found, name, package["version"].as_str().unwrap_or_default().trim_start_matches('='));
    }
    Some(found)
}

fn yarn(text: &str) -> Option<Entries> {
    let mut found = Entries::new();
    let mut name: Option<&str> = None;
    for line in text.lines() {
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        if !line.starts_with([' ', '\t']) {
            // `"@babel/core@^7.0.0", "@babel/core@npm:7.1":` names one package under several ranges.
            let first = line.split(',').next().unwrap_or(line).trim().trim_end_matches(':').trim_matches('"');
            let at = first.char_indices().skip(1).find(|(_, c)| *c == '@').map(|(at, _)| at);
            name = at.map(|at| &first[..at]).filter(|name| !name.starts_with("__"));
        } else if let Some(named) = name
            && let Some(rest) = line.trim().strip_prefix("version")
        {
            add(&mut found, named, rest.trim_start_matches(':').trim().trim_matches('"'));
            name = None;
        }
    }
    Some(found)
}

fn pnpm(text: &str) -> Option<Entries> {
    let mut found = Entries::new();
    let mut inside = false;
    for line in text.lines() {
        if !line.starts_with(' ') && !line.is_empty() {
            inside = line.trim_end() == "packages:";
            continue;
        }
        let key = line.strip_prefix("  ").filter(|rest| inside && !rest.starts_with(' '));
        let Some(key) = key.and_then(|key| key.trim_end().strip_suffix(':').or(key.split_once(": ").map(|(k, _)| k)))
        else {
            continue;
        };
        let key = key.trim_matches(['\'', '"']).trim_start_matches('/');
        let key = key.split('(').next().unwrap_or(key);
        // `name@1.2.3`, and up to version 5 `name/1.2.3_peer@1`.
        let slash = key.match_indices('/').map(|(at, _)| at).find(|at| begins_version(&key[at + 1..]));
        let at = key.char_indices().skip(1).find(|(_, c)| *c == '@').map(|(at, _)| at);
        let Some(at) = slash.or(at) else { continue };
        let (name, version) = (&key[..at], &key[at + 1..]);
        add(&mut found, name, version.split('_').next().unwrap_or(version));
    }
    Some(found)
}

/// Whether a text begins with digits and a dot.
fn begins_version(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    digits > 0 && text.as_bytes().get(digits) == Some(&b'.')
}

fn go_sum(text: &str) -> Option<Entries> {
    let mut found = Entries::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if let (Some(name), Some(version), Some(_)) = (words.next(), words.next(), words.next())
            && !version.ends_with("/go.mod")
        {
            add(&mut found, name, version);
        }
    }
    Some(found)
}

fn go_mod(text: &str) -> Option<Entries> {
    let mut found = Entries::new();
    let mut block = false;
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or(line).trim();
        let rest = match code.strip_prefix("require") {
            Some(rest) if rest.trim() == "(" => {
                block = true;
                continue;
            }
            Some(rest) if rest.starts_with([' ', '\t']) => rest,
            _ if code == ")" => {
                block = false;
                continue;
            }
            _ if block => code,
            _ => match code.strip_prefix("go ").or_else(|| code.strip_prefix("toolchain ")) {
                Some(version) => {
                    add(&mut found, "go", version.trim());
                    continue;
                }
                None => continue,
            },
        };
        let mut words = rest.split_whitespace();
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            add(&mut found, name.trim_matches('"'), version);
        }
    }
    Some(found)
}

fn requirements_of(text: &str) -> Option<Entries> {
    let mut found = Entries::new();
    for line in text.lines() {
        let line = line.split(" #").next().unwrap_or(line).trim().trim_end_matches('\\').trim();
        if line.is_empty() || line.starts_with(['#', '-']) {
            continue;
        }
        let requirement = line.split(" --hash").next().unwrap_or(line).split(';').next().unwrap_or(line).trim();
        let name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let end = requirement.find(|c| !name(c)).unwrap_or(requirement.len());
        if end > 0 {
            let version = requirement[end..].trim().trim_start_matches("==");
            add(&mut found, requirement[..end].to_lowercase().replace(['_', '.'], "-"), version);
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Vec<String> {
        let found = entries(Path::new(name), text.as_bytes()).unwrap_or_default();
        let line = |(name, versions): (&String, &BTreeSet<String>)| {
            format!("{name} {}", versions.iter().map(String::as_str).collect::<Vec<_>>().join(","))
        };
        found.iter().map(line).collect()
    }

    #[test]
    fn entries_are_read_from_every_form() {
        let cargo =
            "version = 4\n[[package]]\nname = \"a\"\nversion = \"1.0\"\n[[package]]\nname = \"a\"\nversion = \"2.0\"\n";
        assert_eq!(read("Cargo.lock", cargo), ["a 1.0,2.0"]);
        assert_eq!(read("sub/uv.lock", "[[package]]\nname = \"x\"\nversion = \"3\"\n"), ["x 3"]);
        let v3 = r#"{"lockfileVersion": 3, "packages": {"": {"version": "9"}, "node_modules/@s/a": {"version": "1"},
            "node_modules/b/node_modules/c": {"version": "2"}}}"#;
        assert_eq!(read("package-lock.json", v3), ["@s/a 1", "c 2"]);
        let v1 = r#"{"dependencies": {"b": {"version": "1", "dependencies": {"c": {"version": "2"}}}}}"#;
        assert_eq!(read("package-lock.json", v1), ["b 1", "c 2"]);
        assert_eq!(read("Pipfile.lock", r#"{"default": {"f": {"version": "==1.2"}}}"#), ["f 1.2"]);
        let classic = "# yarn lockfile v1\n\n\"@b/core@^7.0.0\", \"@b/core@^7.1.0\":\n  version \"7.2.0\"\nx@1:\n  version \"1.0\"\n";
        assert_eq!(read("yarn.lock", classic), ["@b/core 7.2.0", "x 1.0"]);
        let berry = "__metadata:\n  version: 8\n\n\"y@npm:^2\":\n  version: 2.1.0\n  resolution: \"y@npm:2.1.0\"\n";
        assert_eq!(read("yarn.lock", berry), ["y 2.1.0"]);
        let five = "packages:\n\n  /@s/a/1.2.3:\n    dev: true\n  /b/2.0.0_react@17:\n    dev: true\n";
        assert_eq!(read("pnpm-lock.yaml", five), ["@s/a 1.2.3", "b 2.0.0"]);
        let nine =
            "packages:\n\n  '@s/a@1.2.3(x@1)':\n    engines: {}\n  b@2.0.0:\n    engines: {}\nsnapshots:\n  c@1:\n";
        assert_eq!(read("pnpm-lock.yaml", nine), ["@s/a 1.2.3", "b 2.0.0"]);
        assert_eq!(read("go.sum", "a.b/c v1.0.0 h1:x=\na.b/c v1.0.0/go.mod h1:y=\n"), ["a.b/c v1.0.0"]);
        let module = "module m\ngo 1.22\nrequire a.b/c v1\nrequire (\n\td/e v2 // indirect\n)\nreplace x => y\n";
        assert_eq!(read("go.mod", module), ["a.b/c v1", "d/e v2", "go 1.22"]);
        let pins = "# c\nFlask_X==2.0 --hash=sha256:a\n-r other.txt\nb[extra]>=1,<2 ; python_version>'3'\n";
        assert_eq!(read("requirements-dev.txt", pins), ["b [extra]>=1,<2", "flask-x 2.0"]);
    }

    #[test]
    fn garbage_has_no_entries_and_is_no_fault() {
        for name in
            ["Cargo.lock", "package-lock.json", "yarn.lock", "pnpm-lock.yaml", "go.sum", "go.mod", "Pipfile.lock"]
        {
            for bytes in [&b"\xff\xfe\x00"[..], b"", b"{", b"[[package", b"packages:\n  :\n  x:\n", b"<<<<<<< ours"] {
                assert_eq!(entries(Path::new(name), bytes), None, "{name} {bytes:?}");
            }
        }
        let deep = format!("{}1{}", "{\"dependencies\":{\"a\":".repeat(100), "}}".repeat(100));
        let _ = entries(Path::new("package-lock.json"), deep.as_bytes());
        assert_eq!(entries(Path::new("Cargo.lock"), &vec![b' '; LONGEST + 1]), None);
        assert!(!is_lockfile(Path::new("Cargo.toml")));
    }
}
