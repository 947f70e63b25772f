//! What a diff weighs: files, lines, new dependencies, and what it costs to maintain ([`Maintenance`]).
//!
//! A dependency is new when a manifest that the diff touches names it on the candidate and none of them names it on the
//! base, for the same package manager. A new version of something named before is not new. Manifests are read with
//! their own parser where there is one (TOML, JSON) and line by line elsewhere; one that cannot be read counts for
//! nothing, on either side.
//!
//! | manifest | what is named |
//! |---|---|
//! | `requirements*.txt`, `setup.cfg`, `pyproject.toml` | Python packages, names normalised as PEP 503 says |
//! | `package.json` | npm packages, of all four kinds |
//! | `Cargo.toml` | crates, by their real name |
//! | `go.mod` | modules required directly |
//! | `Gemfile` | gems |
//! | `Dockerfile`, `Containerfile` | base images without tag, packages that `RUN` lines install |

use super::Complexity;
use super::maintenance::Maintenance;
use crate::git::{GitError, Oid, Repo};
use crate::inspect::dockerfile::image_name;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Who delivers a dependency: the same name from two managers is two things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Manager {
    Python,
    Npm,
    Cargo,
    Go,
    Ruby,
    Image,
    System,
}

/// A dependency as a manifest names it.
type Dependency = (Manager, String);

/// Reads a manifest's text; none when it cannot be read.
type Reader = fn(&str) -> Option<Vec<Dependency>>;

/// Weighs the difference between two commits.
pub fn weigh(repo: &Repo, base: &Oid, candidate: &Oid) -> Result<Complexity, GitError> {
    let changed = repo.changed_files(base, candidate)?;
    let mut before = BTreeSet::new();
    let mut after: BTreeMap<Dependency, String> = BTreeMap::new();
    let (mut lines, mut stages) = (0, 0);
    for file in &changed {
        if !written_by_tools(&file.path) {
            lines += file.added as i64 - file.removed as i64;
        }
        let Some(read) = reader(&file.path) else { continue };
        let named = |commit: &Oid, path: &Path| -> Result<(Option<Vec<Dependency>>, i64), GitError> {
            let Some(bytes) = repo.file_at(commit, path)? else { return Ok((Some(Vec::new()), 0)) };
            let text = String::from_utf8_lossy(&bytes);
            Ok((read(&text), if is_dockerfile(path) { stages_of(&text) } else { 0 }))
        };
        let (old, old_stages) = named(base, file.old_path.as_deref().unwrap_or(&file.path))?;
        let (new, new_stages) = named(candidate, &file.path)?;
        stages += new_stages - old_stages;
        if let (Some(old), Some(new)) = (old, new) {
            before.extend(old);
            let place = file.path.display().to_string();
            after.extend(new.into_iter().map(|dependency| (dependency, place.clone())));
        }
    }
    let files = changed.iter().map(|file| file.more).sum();
    // What both name cancels out.
    let dependencies = after.len() as i64 - before.len() as i64;
    Ok(Complexity {
        maintenance: Some(Maintenance::new(lines, files, stages, dependencies)),
        files: changed.len(),
        added: changed.iter().map(|f| f.added).sum(),
        removed: changed.iter().map(|f| f.removed).sum(),
        new_dependencies: after
            .into_iter()
            .filter(|(dependency, _)| !before.contains(dependency))
            .map(|((_, name), place)| format!("{name} ({place})"))
            .collect(),
    })
}

/// Whether a file is a manifest, by its name.
pub fn is_manifest(path: &Path) -> bool {
    reader(path).is_some()
}

/// The dependencies that a manifest names; none for any other file, and for one that cannot be read.
pub fn named(path: &Path, text: &str) -> Vec<String> {
    let found = reader(path).and_then(|read| read(text)).unwrap_or_default();
    found.into_iter().map(|(_, name)| name).collect()
}

/// How a manifest is read, by its name; none for any other file.
fn reader(path: &Path) -> Option<Reader> {
    let name = path.file_name()?.to_str()?;
    let lower = name.to_lowercase();
    let read: Reader = match name {
        "pyproject.toml" => pyproject,
        "setup.cfg" => setup_cfg,
        "package.json" => package_json,
        "Cargo.toml" => cargo_toml,
        "go.mod" => go_mod,
        "Gemfile" => gemfile,
        _ if lower.starts_with("requirements") && (lower.ends_with(".txt") || lower.ends_with(".in")) => requirements,
        _ if is_dockerfile(path) => dockerfile,
        _ => return None,
    };
    Some(read)
}

fn is_dockerfile(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let parts =
        name.split_once('.').map(|(first, _)| first).into_iter().chain(name.rsplit_once('.').map(|(_, last)| last));
    parts.chain([name.as_str()]).any(|part| part == "dockerfile" || part == "containerfile")
}

/// Lockfiles and checksums: nobody maintains their lines.
fn written_by_tools(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".lock")
        || ["package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "go.sum"].contains(&&*name)
}

/// How many stages a Dockerfile has.
fn stages_of(text: &str) -> i64 {
    let is_from = |line: &&String| line.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("FROM"));
    instructions(text).iter().filter(is_from).count() as i64
}

/// A Python requirement's name as PEP 503 normalises it: `Flask_SQLAlchemy[x]>=2` is `flask-sqlalchemy`.
fn python_name(requirement: &str) -> Option<String> {
    let text = requirement.trim();
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let rest = rest.trim_start();
    // What follows a name is a version, an extra, a marker or an address; anything else is a path or a URL.
    if name.is_empty() || name.starts_with('.') || rest.starts_with(['/', ':', '+', '\\']) {
        return None;
    }
    let words: Vec<String> = name.split(['-', '_', '.']).filter(|w| !w.is_empty()).map(str::to_lowercase).collect();
    (!words.is_empty()).then(|| words.join("-"))
}

fn python(requirement: &str) -> Option<Dependency> {
    Some((Manager::Python, python_name(requirement)?))
}

fn requirements(text: &str) -> Option<Vec<Dependency>> {
    let line = |line: &str| {
        let line = line.trim();
        if let Some((_, name)) = line.split_once("#egg=") {
            return python(name.split('&').next().unwrap_or(name));
        }
        let line = if line.starts_with('#') { "" } else { line.split(" #").next().unwrap_or(line) };
        if line.starts_with('-') { None } else { python(line) }
    };
    Some(text.lines().filter_map(line).collect())
}

fn setup_cfg(text: &str) -> Option<Vec<Dependency>> {
    let (mut section, mut key) = (String::new(), String::new());
    let mut found = Vec::new();
    for line in text.lines().filter(|l| !l.trim_start().starts_with(['#', ';'])) {
        let mut value = line;
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end().trim_end_matches(']').to_string();
            key.clear();
            continue;
        }
        if !line.starts_with([' ', '\t']) {
            let Some((name, rest)) = line.split_once('=') else { continue };
            key = name.trim().to_string();
            value = rest;
        }
        let requires = matches!((section.as_str(), key.as_str()), ("options", "install_requires" | "setup_requires"));
        if requires || (section == "options.extras_require" && !key.is_empty()) {
            found.extend(value.split(';').next().and_then(python));
        }
    }
    Some(found)
}

fn pyproject(text: &str) -> Option<Vec<Dependency>> {
    let root: toml::Table = text.parse().ok()?;
    let at = |path: &[&str]| path.iter().skip(1).try_fold(root.get(path[0])?, |value, key| value.get(*key));
    let strings = |value: &toml::Value| -> Vec<Dependency> {
        value.as_array().into_iter().flatten().filter_map(|v| python(v.as_str()?)).collect()
    };
    let keys = |value: &toml::Value| -> Vec<Dependency> {
        value
            .as_table()
            .into_iter()
            .flatten()
            .map(|(k, _)| k)
            .filter(|k| *k != "python")
            .filter_map(|k| python(k))
            .collect()
    };
    let mut found = Vec::new();
    for list in [at(&["project", "dependencies"]), at(&["build-system", "requires"])].into_iter().flatten() {
        found.extend(strings(list));
    }
    for groups in [at(&["project", "optional-dependencies"]), at(&["dependency-groups"])].into_iter().flatten() {
        found.extend(groups.as_table().into_iter().flatten().flat_map(|(_, list)| strings(list)));
    }
    for table in [at(&["tool", "poetry", "dependencies"]), at(&["tool", "poetry", "dev-dependencies"])] {
        found.extend(table.into_iter().flat_map(keys));
    }
    if let Some(groups) = at(&["tool", "poetry", "group"]).and_then(toml::Value::as_table) {
        found.extend(groups.iter().filter_map(|(_, group)| group.get("dependencies")).flat_map(keys));
    }
    Some(found)
}

fn package_json(text: &str) -> Option<Vec<Dependency>> {
    let root: serde_json::Value = serde_json::from_str(text).ok()?;
    let kinds = ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"];
    let names = kinds.iter().filter_map(|kind| root.get(*kind)?.as_object()).flat_map(|table| table.keys());
    Some(names.map(|name| (Manager::Npm, name.clone())).collect())
}

fn cargo_toml(text: &str) -> Option<Vec<Dependency>> {
    fn tables(root: &toml::Table, found: &mut Vec<Dependency>) {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (key, value) in root.get(kind).and_then(toml::Value::as_table).into_iter().flatten() {
                let name = value.get("package").and_then(toml::Value::as_str).unwrap_or(key);
                found.push((Manager::Cargo, name.to_string()));
            }
        }
    }
    let root: toml::Table = text.parse().ok()?;
    let mut found = Vec::new();
    tables(&root, &mut found);
    if let Some(workspace) = root.get("workspace").and_then(toml::Value::as_table) {
        tables(workspace, &mut found);
    }
    for (_, target) in root.get("target").and_then(toml::Value::as_table).into_iter().flatten() {
        if let Some(target) = target.as_table() {
            tables(target, &mut found);
        }
    }
    Some(found)
}

fn go_mod(text: &str) -> Option<Vec<Dependency>> {
    let mut block = false;
    let mut found = Vec::new();
    for line in text.lines() {
        let (code, comment) = line.split_once("//").unwrap_or((line, ""));
        let code = code.trim();
        if block && code == ")" {
            block = false;
            continue;
        }
        let requirement = match code.strip_prefix("require") {
            Some(rest) if rest.trim() == "(" => {
                block = true;
                continue;
            }
            Some(rest) if rest.starts_with([' ', '\t']) => rest.trim(),
            _ if block => code,
            _ => continue,
        };
        if let Some(name) = requirement.split_whitespace().next().filter(|_| comment.trim() != "indirect") {
            found.push((Manager::Go, name.trim_matches('"').to_string()));
        }
    }
    Some(found)
}

fn gemfile(text: &str) -> Option<Vec<Dependency>> {
    let name = |line: &str| {
        let rest = line.trim().strip_prefix("gem")?;
        let rest = rest.trim_start().trim_start_matches('(').trim_start();
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let name = rest[1..].split(quote).next()?;
        Some((Manager::Ruby, name.to_string()))
    };
    Some(text.lines().filter_map(name).collect())
}

fn dockerfile(text: &str) -> Option<Vec<Dependency>> {
    let mut found = Vec::new();
    let mut stages: Vec<String> = Vec::new();
    for instruction in instructions(text) {
        let (word, rest) = instruction.split_once(char::is_whitespace).unwrap_or((&instruction, ""));
        match word.to_ascii_uppercase().as_str() {
            "FROM" => {
                let words: Vec<&str> = rest.split_whitespace().filter(|w| !w.starts_with("--")).collect();
                let Some(image) = words.first() else { continue };
                if !stages.iter().any(|s| s.eq_ignore_ascii_case(image)) && *image != "scratch" {
                    found.push((Manager::Image, image_name(image).to_string()));
                }
                if let [_, word, stage, ..] = words[..]
                    && word.eq_ignore_ascii_case("as")
                {
                    stages.push(stage.to_string());
                }
            }
            "RUN" => found.extend(installed(rest)),
            _ => {}
        }
    }
    Some(found)
}

/// The instructions of a Dockerfile, continued lines joined; the lines of a here-document are joined with `;`.
fn instructions(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    let mut current = String::new();
    while let Some(line) = lines.next() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(open) = line.strip_suffix('\\') {
            current.push_str(open);
            current.push(' ');
            continue;
        }
        current.push_str(line);
        if let Some((before, rest)) = current.clone().split_once("<<")
            && before.to_ascii_uppercase().starts_with("RUN")
        {
            let word: String = rest
                .trim_start_matches('-')
                .chars()
                .filter(|c| !"'\"".contains(*c))
                .take_while(|c| !c.is_whitespace())
                .collect();
            let inside = lines.by_ref().take_while(|l| l.trim() != word).collect::<Vec<_>>();
            let script = inside.join("\n").replace("\\\n", " ").replace('\n', " ; ");
            current = format!("{before} ; {script}");
        }
        found.push(std::mem::take(&mut current));
    }
    found.extend((!current.is_empty()).then_some(current));
    found
}

/// Words of an installer that take the next word with them.
const TAKES_A_WORD: &[&str] = &[
    "-r",
    "--requirement",
    "-c",
    "--constraint",
    "-i",
    "--index-url",
    "--extra-index-url",
    "-f",
    "--find-links",
    "-t",
    "--target",
    "--target-release",
    "--default-release",
    "-o",
    "--option",
    "--virtual",
    "--repository",
    "-X",
    "--prefix",
    "--root",
    "--features",
    "--git",
    "--branch",
    "--tag",
    "--rev",
    "--registry",
];

/// What the commands of a `RUN` line install.
fn installed(run: &str) -> Vec<Dependency> {
    let exec: Option<Vec<String>> = serde_json::from_str(run.trim()).ok();
    let text = match exec {
        Some(words) => words.join(" "),
        None => run.to_string(),
    };
    let commands = text.replace("&&", ";").replace("||", ";").replace(['|', '\n', '(', ')', '{', '}'], ";");
    commands.split(';').flat_map(|command| installed_by(command).unwrap_or_default()).collect()
}

/// What one command installs; none when it is no installer.
fn installed_by(command: &str) -> Option<Vec<Dependency>> {
    let bare = |word: &str| word.trim_matches(['"', '\'']).to_string();
    let words: Vec<String> = command.split_whitespace().map(bare).collect();
    let mut words = words.iter().map(String::as_str).peekable();
    while words.next_if(|w| w.starts_with("--") || *w == "sudo" || *w == "env" || is_assignment(w)).is_some() {}
    let mut program = words.next()?.rsplit('/').next()?;
    if program.starts_with("python") {
        words.next_if_eq(&"-m")?;
        program = words.next()?;
    }
    let (manager, verbs): (_, &[&str]) = match program {
        "apt-get" | "apt" | "aptitude" | "dnf" | "yum" | "microdnf" | "zypper" => (Manager::System, &["install"]),
        "apk" => (Manager::System, &["add"]),
        "pip" | "pip3" => (Manager::Python, &["install"]),
        "npm" => (Manager::Npm, &["install", "i", "add"]),
        "yarn" | "pnpm" => (Manager::Npm, &["add"]),
        "gem" => (Manager::Ruby, &["install"]),
        "cargo" => (Manager::Cargo, &["install"]),
        _ => return None,
    };
    let mut verb_seen = false;
    let mut found = Vec::new();
    while let Some(word) = words.next() {
        if word.starts_with(['<', '>']) || word.starts_with("2>") {
            break;
        } else if word.starts_with('-') {
            if TAKES_A_WORD.contains(&word) {
                words.next();
            }
        } else if !verb_seen {
            if !verbs.contains(&word) {
                return None;
            }
            verb_seen = true;
        } else if !word.contains('$') {
            found.extend(package_name(manager, word).map(|name| (manager, name)));
        }
    }
    Some(found)
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

/// A package argument without its version; none for a path.
fn package_name(manager: Manager, word: &str) -> Option<String> {
    if word.starts_with(['.', '/']) || word.contains("://") {
        return None;
    }
    let name = match manager {
        Manager::Python => return python_name(word),
        Manager::Npm => word.match_indices('@').map(|(at, _)| at).find(|at| *at > 0).map_or(word, |at| &word[..at]),
        Manager::Cargo => word.split('@').next()?,
        _ => word.split(['=', '<', '>', '~']).next()?,
    };
    (!name.is_empty()).then(|| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::command::Git;

    fn names(found: Option<Vec<Dependency>>) -> Vec<String> {
        found.expect("a readable manifest").into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn requirements_name_packages_by_their_normalised_name() {
        let text = "# tools\nFlask_SQLAlchemy[async]>=2.0 # orm\nrequests==2.31 ; python_version > '3.8' \\\n    --hash=sha256:ab\n\
                    -r other.txt\n--index-url https://example.org/simple\n./local\n-e git+https://example.org/x.git#egg=My.Pkg&sub=1\n\
                    pip @ https://example.org/pip.whl\nhttps://example.org/a.whl\n\n";
        assert_eq!(names(requirements(text)), ["flask-sqlalchemy", "requests", "my-pkg", "pip"]);
    }

    #[test]
    fn pyproject_names_all_its_groups() {
        let text = r#"
            [build-system]
            requires = ["hatchling"]
            [project]
            dependencies = ["httpx>=0.27", "rich[all]"]
            [project.optional-dependencies]
            docs = ["sphinx"]
            [dependency-groups]
            test = ["pytest", { include-group = "docs" }]
            [tool.poetry.dependencies]
            python = "^3.11"
            pendulum = "*"
            [tool.poetry.group.lint.dependencies]
            ruff = "*"
        "#;
        assert_eq!(names(pyproject(text)), ["httpx", "rich", "hatchling", "sphinx", "pytest", "pendulum", "ruff"]);
        assert_eq!(pyproject("not = [toml"), None);
    }

    #[test]
    fn setup_cfg_names_what_it_requires() {
        let text = "[metadata]\nname = x\n[options]\ninstall_requires =\n    numpy>=1.2\n    # no\n    scipy; extra == 'x'\npackages = find:\n\
                    [options.extras_require]\ntest = pytest\n";
        assert_eq!(names(setup_cfg(text)), ["numpy", "scipy", "pytest"]);
    }

    #[test]
    fn package_json_and_cargo_toml_name_every_kind() {
        let text =
            r#"{"dependencies": {"react": "18"}, "devDependencies": {"@types/node": "*"}, "scripts": {"x": "y"}}"#;
        assert_eq!(names(package_json(text)), ["react", "@types/node"]);
        let text = "[dependencies]\nserde = \"1\"\nold = { package = \"rand\", version = \"0.8\" }\n[dev-dependencies]\ninsta = \"1\"\n\
                    [workspace.dependencies]\nlog = \"0.4\"\n[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"\n";
        assert_eq!(names(cargo_toml(text)), ["serde", "rand", "insta", "log", "libc"]);
    }

    #[test]
    fn go_mod_and_gemfile_name_what_is_required_directly() {
        let text = "module example.org/x\n\ngo 1.22\n\nrequire example.org/one v1.0.0\nrequire (\n\texample.org/two v2.0.0\n\
                    \texample.org/three v0.1.0 // indirect\n)\nreplace example.org/one => ../one\n";
        assert_eq!(names(go_mod(text)), ["example.org/one", "example.org/two"]);
        let text = "source 'https://example.org'\ngem 'rails', '~> 7'\n  gem(\"puma\")\n# gem 'no'\ngemspec\n";
        assert_eq!(names(gemfile(text)), ["rails", "puma"]);
    }

    #[test]
    fn a_dockerfile_names_base_images_and_what_its_commands_install() {
        let text = r#"
# syntax=docker/dockerfile:1
FROM --platform=linux/amd64 registry.example:5000/python:3.12@sha256:ab AS build
RUN apt-get update && apt-get install -y --no-install-recommends -t stable \
      curl gcc=4:12 \
    # a comment among them
      git && rm -rf /var/lib/apt/lists/*
RUN --mount=type=cache,target=/root/.cache pip install --no-cache-dir -r requirements.txt "requests>=2" ./local
RUN ["apk", "add", "--no-cache", "--virtual", ".deps", "musl-dev"]
RUN DEBIAN_FRONTEND=noninteractive apt install $EXTRA vim > /dev/null 2>&1
RUN python3 -m pip install Poetry && npm install -g @angular/cli@17 yarn@1
RUN <<EOF
apt-get install -y \
    make
cargo install --locked just@1.2
EOF
FROM scratch
FROM build
COPY --from=build /app /app
CMD ["pip", "install", "not-run-here"]
"#;
        assert_eq!(
            names(dockerfile(text)),
            [
                "registry.example:5000/python",
                "curl",
                "gcc",
                "git",
                "requests",
                "musl-dev",
                "vim",
                "poetry",
                "@angular/cli",
                "yarn",
                "make",
                "just",
            ]
        );
    }

    #[test]
    fn odd_commands_break_nothing() {
        for text in [
            "RUN",
            "FROM",
            "RUN pip",
            "RUN pip install ''",
            "RUN npm i @",
            "RUN npm i é@1",
            "RUN [\"",
            "RUN <<",
            "RUN x \\",
        ] {
            assert!(dockerfile(text).is_some(), "{text}");
        }
        assert_eq!(names(gemfile("gem 'open\ngem ")), ["open"]);
    }

    #[test]
    fn manifests_are_known_by_their_names() {
        let known = |path: &str| reader(Path::new(path)).is_some();
        for path in [
            "requirements.txt",
            "a/requirements-dev.txt",
            "Dockerfile",
            "docker/Dockerfile.prod",
            "app.dockerfile",
            "Containerfile",
            "x/go.mod",
        ] {
            assert!(known(path), "{path}");
        }
        for path in ["requirements", "Cargo.lock", "src/main.rs", "dockerfiles.md", "package-lock.json"] {
            assert!(!known(path), "{path}");
        }
    }

    fn commit(dir: &Path, files: &[(&str, &str)]) -> Result<(), GitError> {
        for (path, text) in files {
            std::fs::write(dir.join(path), text).expect("a temporary file");
        }
        Git::at(dir).args(["add", "--all"]).run()?;
        let who = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"];
        Git::at(dir).args(who).args(["commit", "--quiet", "--no-verify", "--message", "x"]).run()?;
        Ok(())
    }

    #[test]
    fn a_diff_weighs_its_files_lines_and_new_dependencies() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        Git::at(dir.path()).args(["init", "--quiet", "--initial-branch", "main"]).run().expect("git init");
        commit(
            dir.path(),
            &[("requirements.txt", "flask\nrequests==1\n"), ("Dockerfile", "FROM python:3.10\n"), ("a", "1\n2\n")],
        )
        .expect("a commit");
        commit(
            dir.path(),
            &[
                ("requirements.txt", "flask\nRequests==2\nhttpx\n"),
                ("Dockerfile", "FROM python:3.12\nRUN pip install flask gunicorn\n"),
                ("a", "1\n"),
            ],
        )
        .expect("a commit");
        let repo = Repo::discover(dir.path()).expect("a repository");
        let id = |name: &str| repo.resolve(name).expect("a commit");
        let forward = weigh(&repo, &id("HEAD~"), &id("HEAD")).expect("a diff");
        assert_eq!((forward.files, forward.added, forward.removed), (3, 4, 3));
        assert_eq!(forward.new_dependencies, ["gunicorn (Dockerfile)", "httpx (requirements.txt)"]);
        let back = weigh(&repo, &id("HEAD"), &id("HEAD~")).expect("a diff");
        assert_eq!((back.added, back.removed, back.new_dependencies.len()), (3, 4, 0));
        let (there, again) = (forward.maintenance.expect("a figure"), back.maintenance.expect("a figure"));
        assert_eq!((there.lines, there.files, there.stages, there.dependencies), (1, 0, 0, 2));
        assert_eq!(again.points, -there.points, "the reverse costs the same with the other sign");
        let none = Complexity { maintenance: Some(Maintenance::default()), ..Complexity::default() };
        assert_eq!(weigh(&repo, &id("HEAD"), &id("HEAD")).expect("no diff"), none);
    }

    #[test]
    fn maintenance_counts_files_and_stages_and_passes_over_lockfiles() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        Git::at(dir.path()).args(["init", "--quiet", "--initial-branch", "main"]).run().expect("git init");
        commit(dir.path(), &[("Dockerfile", "FROM python:3.10\nRUN make\n"), ("poetry.lock", "1\n")])
            .expect("a commit");
        let two = "FROM python:3.10 AS build\nRUN make\nFROM python:3.10\nCOPY --from=build /a /a\n";
        commit(dir.path(), &[("Dockerfile", two), ("poetry.lock", "1\n2\n3\n"), ("new.sh", "x\ny\n")])
            .expect("a commit");
        let repo = Repo::discover(dir.path()).expect("a repository");
        let id = |name: &str| repo.resolve(name).expect("a commit");
        let weight = weigh(&repo, &id("HEAD~"), &id("HEAD")).expect("a diff");
        assert_eq!(weight.maintenance, Some(Maintenance::new(4, 1, 1, 0)));
        assert_eq!(weight.added - weight.removed, 6, "all lines count for the size of the change");
        let names = ["Dockerfile", "Dockerfile.dev", "web.dockerfile", "Containerfile"];
        assert!(names.iter().all(|name| is_dockerfile(Path::new(name))) && !is_dockerfile(Path::new("dockerfiles")));
    }
}
