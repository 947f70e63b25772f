//! Reads grounds: from a configuration, from a commit, and from an engine where that is asked for.
//!
//! | what | where it is looked for |
//! |---|---|
//! | lockfiles | by name, in the root and two levels of folders below it |
//! | base images | in the Dockerfiles there and in those that commands name, when a command or a script behind it names that file or an image builder |
//! | scripts, workload | what [`trust::followed`] finds behind the commands |
//!
//! Folders with a dot in front and those in [`PASSED_OVER`] are not looked into. Manifests and Dockerfiles are no scripts:
//! they are what is built. The workload is each other file that a command names, and each folder it names of which a part
//! is in [`DATA`]: folders of source code are what is measured, not what it is measured with.

use super::{Assumptions, BaseImage, Grounds, Lockfile, Look, Tree, Work, image, lock};
use crate::config::{Command, Config, Extract, FILE_NAME, Source};
use crate::digest::sha256;
use crate::git::change::path_of;
use crate::git::{GitError, Oid, Repo};
use crate::inspect::image::{Engine, EngineKind};
use crate::ledger::event::{Measured, Verdict};
use crate::measure::environment::Environment;
use crate::trust;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Folders that hold the work of others or what is made.
const PASSED_OVER: &[&str] =
    &["node_modules", "vendor", "third_party", "target", "dist", "testdata", "fixtures", "examples"];

/// Parts of folder names under which data lies that programs are measured with.
pub(super) const DATA: &[&str] = &["bench", "data", "corpus", "fixture", "input", "sample", "workload"];

/// Files that say how something is built; a script they are not.
pub(super) const MANIFESTS: &[&str] = &[
    "pyproject.toml",
    "setup.py",
    "Gemfile",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "settings.gradle.kts",
    "CMakeLists.txt",
    "meson.build",
    FILE_NAME,
];

/// Programs that build images.
const BUILDERS: &[&str] = &["docker", "podman", "buildah", "buildctl", "nerdctl", "kaniko"];

/// Levels of folders that are looked into, the root included.
const LEVELS: usize = 3;
/// At most so many folders are looked into, and so many files noted.
const MOST: usize = 2_000;

/// What is to be recorded with a measurement of these two commits. Engines are asked for the digests of base images when the
/// configuration's commands name one, as measuring has just done.
pub fn assumptions(repo: &Repo, config: &Config, base: &Oid, candidate: &Oid) -> Result<Assumptions, GitError> {
    let digests = Digests::of(engines(config));
    let read = |commit: &Oid| tree(repo, config, commit, true, &digests);
    let (base, candidate) = (read(base)?, read(candidate)?);
    let candidate = (candidate != base).then_some(candidate);
    Ok(Assumptions { work: work(config), base, candidate })
}

/// The ground of today: this commit, under this configuration. Without one, nothing is run and read any more.
pub fn now(repo: &Repo, config: Option<&Config>, commit: &Oid, look: Look) -> Result<Grounds, GitError> {
    let none = Config::default();
    let used = config.unwrap_or(&none);
    let digests = Digests::of(if look.engine { engines(used) } else { Vec::new() });
    let dir = repo.workdir().unwrap_or(repo.git_dir());
    Ok(Grounds {
        work: Some(config.map(work).unwrap_or_default()),
        tree: config.map(|config| tree(repo, config, commit, false, &digests)).transpose()?,
        environment: look.machine.then(|| Environment::of_work(used, dir)),
        rebuilt: false,
    })
}

/// The configuration of a commit, when it has one that can be read.
pub fn config_of(repo: &Repo, commit: &Oid) -> Result<Option<Config>, GitError> {
    let bytes = repo.file_at(commit, Path::new(FILE_NAME))?;
    Ok(bytes.and_then(|bytes| Config::parse(&String::from_utf8_lossy(&bytes), FILE_NAME).ok()))
}

/// The ground that a measurement stood on, as far as it is known: for what was kept that of the candidate, for all else that
/// of the base. Of a record without assumptions it is read from the commits, as long as they are here and their
/// `verdict.toml` is the one that was used.
pub fn then(repo: &Repo, measured: &Measured, verdict: Verdict) -> Result<Grounds, GitError> {
    let imported = measured.environment.more.contains_key("imported from");
    let environment = (!imported).then(|| measured.environment.clone());
    if let Some(kept) = &measured.assumptions {
        let side = kept.candidate.as_ref().filter(|_| verdict == Verdict::Keep).unwrap_or(&kept.base);
        return Ok(Grounds { work: Some(kept.work.clone()), tree: Some(side.clone()), environment, rebuilt: false });
    }
    let mut grounds = Grounds { environment, rebuilt: true, ..Grounds::default() };
    let side = if verdict == Verdict::Keep { &measured.candidate } else { &measured.base };
    for commit in [&measured.candidate.commit, &measured.base.commit] {
        if let Ok(Some(config)) = config_of(repo, commit)
            && config.hash == measured.config_hash
            && repo.tree_of(&side.commit).is_ok()
        {
            grounds.work = Some(work(&config));
            grounds.tree = Some(tree(repo, &config, &side.commit, false, &Digests::default())?);
            break;
        }
    }
    Ok(grounds)
}

/// The image engines that the commands name, in the order in which they are asked.
fn engines(config: &Config) -> Vec<EngineKind> {
    let commands = trust::commands(config);
    let named = |kind: &EngineKind| commands.iter().any(|(_, command)| mentions(&command.to_string(), kind.program()));
    EngineKind::ALL.into_iter().filter(named).collect()
}

fn tree(repo: &Repo, config: &Config, commit: &Oid, count: bool, digests: &Digests) -> Result<Tree, GitError> {
    let commands = trust::commands(config);
    let run: Vec<&Command> = commands.iter().map(|(_, command)| *command).collect();
    let (followed, folders) = trust::followed(repo, commit, &run)?;
    let mut tree = Tree::default();
    let mut dockerfiles: Vec<(PathBuf, Oid)> = Vec::new();
    for (path, blob) in survey(repo, commit)? {
        if lock::is_lockfile(&path) {
            let packages = match count {
                true => lock::entries(&path, &repo.read_blob(&blob)?).map(|entries| entries.len()),
                false => None,
            };
            tree.lockfiles.push(Lockfile { path: shown(&path), blob, packages });
        } else {
            dockerfiles.push((path, blob));
        }
    }
    let mut texts: Vec<String> = run.iter().map(|command| command.to_string()).collect();
    for file in &followed {
        let name = file.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if image::is_dockerfile(&file.path) {
            dockerfiles.push((file.path.clone(), file.blob.clone()));
        } else if file.commands {
            texts.push(String::from_utf8_lossy(&file.bytes).into_owned());
            if !MANIFESTS.contains(&name) {
                tree.scripts.insert(shown(&file.path), script_digest(name, &file.blob, &file.bytes));
            }
        } else if !lock::is_lockfile(&file.path) && !MANIFESTS.contains(&name) {
            tree.workload.insert(shown(&file.path), file.blob.to_string());
        }
    }
    let is_data = |path: &Path| {
        path.iter()
            .filter_map(|part| part.to_str())
            .any(|part| DATA.iter().any(|word| part.to_lowercase().contains(word)))
    };
    let data = folders.into_iter().filter(|(path, _)| is_data(path));
    tree.workload.extend(data.map(|(path, id)| (shown(&path), id.to_string())));
    dockerfiles.sort();
    dockerfiles.dedup();
    let builds = texts.iter().any(|text| BUILDERS.iter().any(|builder| mentions(text, builder)));
    for (path, blob) in dockerfiles {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !builds && !texts.iter().any(|text| text.contains(name)) {
            continue;
        }
        for reference in image::references(&repo.read_blob(&blob)?) {
            let digest = image::pinned(&reference).map(String::from).or_else(|| digests.local(&reference));
            tree.images.push(BaseImage { file: shown(&path), reference, digest });
        }
    }
    Ok(tree)
}

/// The lockfiles and Dockerfiles of a commit, in path order.
fn survey(repo: &Repo, commit: &Oid) -> Result<Vec<(PathBuf, Oid)>, GitError> {
    let mut found = Vec::new();
    let mut waiting = vec![(PathBuf::new(), repo.tree_of(commit)?, 1)];
    let mut folders = 0;
    while let Some((folder, id, level)) = waiting.pop() {
        folders += 1;
        if folders > MOST || found.len() > MOST {
            break;
        }
        for entry in repo.read_tree(&id)? {
            let path = folder.join(path_of(&entry.name));
            if entry.is_tree() {
                let name = String::from_utf8_lossy(&entry.name).into_owned();
                if level < LEVELS && !name.starts_with('.') && !PASSED_OVER.contains(&name.as_str()) {
                    waiting.push((path, entry.id, level + 1));
                }
            } else if entry.is_file() && (lock::is_lockfile(&path) || image::is_dockerfile(&path)) {
                found.push((path, entry.id));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The digests of images that engines have. Base and candidate mostly build on the same ones: each is asked for once.
#[derive(Default)]
struct Digests {
    engines: Vec<EngineKind>,
    known: RefCell<BTreeMap<String, Option<String>>>,
}

impl Digests {
    fn of(engines: Vec<EngineKind>) -> Digests {
        Digests { engines, ..Digests::default() }
    }

    /// The digest of an image that one of the engines has: that of the registry it came from, else its own.
    fn local(&self, reference: &str) -> Option<String> {
        let ask = || self.engines.iter().find_map(|kind| digest_by(*kind, reference));
        self.known.borrow_mut().entry(reference.to_string()).or_insert_with(ask).clone()
    }
}

fn digest_by(engine: EngineKind, reference: &str) -> Option<String> {
    let found = Engine::new(engine).inspect(reference).ok()?;
    let registry = found["RepoDigests"][0].as_str().and_then(|digest| image::pinned(digest).map(String::from));
    let own = ["Id", "FromImageDigest"].iter().find_map(|key| found[*key].as_str());
    let own = own.filter(|id| !id.is_empty());
    registry.or_else(|| own.map(|id| if id.contains(':') { id.to_string() } else { format!("sha256:{id}") }))
}

/// What a configuration says is run and read.
pub(super) fn work(config: &Config) -> Work {
    let command = |command: &Command| match command {
        Command::Shell(text) => json!(text),
        Command::Direct(words) => json!(words),
    };
    let seconds = |time: Option<std::time::Duration>| time.map(|time| time.as_secs_f64());
    let step = |step: &crate::config::Step| {
        let prepare = step.prepare.as_ref().map(command);
        let mut all = vec![json!(command(&step.run)), json!(prepare), json!(seconds(step.timeout)), json!(step.warmup)];
        // Named only where it is set, so that records of before still say the same.
        all.extend(step.once.then(|| json!("once")));
        (step.name.clone(), short(&json!(all)))
    };
    let metric = |metric: &crate::config::Metric| {
        let source = match &metric.source {
            Source::Step { step, measure } => json!(["step", step, measure]),
            Source::Image { reference } => json!(["image", reference]),
            Source::BuildStep { pattern, step } => json!(["build_step", pattern, step]),
            Source::Path { path, compress } => json!(["path", path, compress]),
            Source::Command { run, extract, scale, timeout } => {
                let extract = match extract {
                    Extract::Pattern(pattern) => json!(["pattern", pattern]),
                    Extract::Json(pointer) => json!(["json", pointer]),
                    Extract::Whole => json!(["whole"]),
                };
                json!(["run", command(run), extract, scale, seconds(*timeout)])
            }
        };
        (metric.name.clone(), short(&json!([source, metric.unit, metric.better])))
    };
    let check = |check: &crate::config::Check| {
        (check.name.clone(), short(&json!([command(&check.run), seconds(check.timeout)])))
    };
    Work {
        steps: config.steps.iter().map(step).collect(),
        metrics: config.metrics.iter().map(metric).collect(),
        checks: config.checks.iter().map(check).collect(),
    }
}

fn script_digest(name: &str, blob: &Oid, bytes: &[u8]) -> String {
    let package: Option<Value> = (name == "package.json").then(|| serde_json::from_slice(bytes).ok()).flatten();
    package.map_or_else(|| blob.to_string(), |package| short(&package["scripts"]))
}

fn short(value: &Value) -> String {
    sha256(value.to_string())[..16].to_string()
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Whether a text holds a word of its own: `docker` in `/usr/bin/docker build`, not in `dockerize`.
fn mentions(text: &str, word: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).any(|part| part == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::test::Sandbox;

    fn config(text: &str) -> Config {
        Config::parse(&format!("version = 1\n{text}"), FILE_NAME).unwrap()
    }

    fn read(sandbox: &Sandbox, text: &str) -> Tree {
        let repo = sandbox.repo();
        let head = repo.resolve("HEAD").unwrap();
        tree(&repo, &config(text), &head, true, &Digests::default()).unwrap()
    }

    #[test]
    fn a_commit_tells_its_images_lockfiles_scripts_and_workload() {
        let sandbox = Sandbox::new();
        for (path, text) in [
            ("Dockerfile", "FROM python:3.10\n"),
            ("svc/app/requirements.txt", "flask==2\nx==1\n"),
            ("node_modules/a/package-lock.json", "{}"),
            ("deep/a/b/yarn.lock", "x@1:\n  version \"1\"\n"),
            ("bench.sh", "python3 run.py bench/data\n"),
            ("bench/data/a", "1"),
            ("input.json", "{}"),
            ("app/main.py", "1"),
            ("other/Dockerfile", "FROM debian@sha256:ab\n"),
        ] {
            sandbox.commit(path, text);
        }
        let steps = "[steps.b]\nrun = 'docker build . && ./bench.sh bench/data input.json app'\n";
        let found = read(&sandbox, steps);
        let images: Vec<_> = found.images.iter().map(|i| (i.reference.as_str(), i.digest.as_deref())).collect();
        assert_eq!(images, [("python:3.10", None), ("debian@sha256:ab", Some("sha256:ab"))]);
        let locks: Vec<_> = found.lockfiles.iter().map(|l| (l.path.as_str(), l.packages)).collect();
        assert_eq!(locks, [("svc/app/requirements.txt", Some(2))]);
        assert_eq!(found.scripts.keys().collect::<Vec<_>>(), ["bench.sh"]);
        assert_eq!(found.workload.keys().collect::<Vec<_>>(), ["bench/data", "input.json"]);
        let plain = read(&sandbox, "[steps.b]\nrun = 'make'\n");
        assert!(plain.images.is_empty(), "nothing builds an image: {:?}", plain.images);
        let named = read(&sandbox, "[steps.b]\nrun = './fake-builder other/Dockerfile'\n");
        assert_eq!(named.images.len(), 2, "a file of that name is read");
    }

    #[test]
    fn only_the_scripts_of_a_package_count() {
        let sandbox = Sandbox::new();
        let steps = "[steps.b]\nrun = 'npm run b'\n";
        let mut seen = Vec::new();
        for package in [
            r#"{"version": "1", "scripts": {"b": "x"}}"#,
            r#"{"version": "2", "scripts": {"b": "x"}}"#,
            r#"{"version": "2", "scripts": {"b": "y"}}"#,
        ] {
            sandbox.commit("package.json", package);
            seen.push(read(&sandbox, steps).scripts["package.json"].clone());
        }
        assert!(seen[0] == seen[1] && seen[1] != seen[2], "{seen:?}");
    }

    #[test]
    fn what_changes_a_number_changes_a_digest_and_nothing_else_does() {
        let of = |text: &str| work(&config(text));
        let step = "[steps.b]\nrun = 'make'\n";
        let base = of(&format!("{step}[metrics.t]\nstep = 'b'\nmatters = '5%'\n[checks]\nc = 'true'\n"));
        let same = of(&format!(
            "# words\n{step}[metrics.t]\nstep = 'b'\nmatters = '7%'\nlimit = '9 s'\n[checks]\nc = 'true'\n"
        ));
        assert_eq!(base, same);
        // Records of other machines and versions are compared with these.
        assert_eq!(base.steps["b"], short(&json!(["make", null, null, 0])));
        assert_eq!(base.metrics["t"], "18355e5ad943a30f");
        let path = of("[metrics.p]\npath = 'out'\ncompress = 'gzip'\n");
        assert_eq!(path.metrics["p"], "30ff722b99121d27");
        assert_ne!(of("[steps.b]\nrun = 'make'\nwarmup = 1\n").steps, base.steps);
        assert_ne!(of("[steps.b]\nrun = ['make']\n").steps, base.steps);
        assert_ne!(of(&format!("{step}[metrics.t]\nstep = 'b'\nmeasure = 'user'\n")).metrics, base.metrics);
    }
}
