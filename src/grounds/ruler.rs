//! The ruler of a measurement: what says how well a change does, as against what is changed. A candidate that changes its own
//! ruler is marked, and measured by the base's too.
//!
//! | what | how it is found |
//! |---|---|
//! | scripts of metrics and checks | [`trust::followed`] from their commands |
//! | scripts that steps are timed by | the same from the commands of steps and preparations, where the path says that it measures (`MEASURES`) |
//! | data | files and folders that commands name, where the path says so |
//! | tests | where there are checks: files that were there on the base, by their path |
//! | the configuration | steps, metrics and checks of the base that are different or gone, and what matters and what is the limit |
//!
//! A new test, metric or check takes nothing away from the ruler: it is not marked. Neither are manifests, Dockerfiles, lockfiles
//! and the build scripts behind a step: they are what is measured.

use super::capture::{DATA, MANIFESTS, work};
use super::{Work, image, lock};
use crate::config::{Command, Config, FILE_NAME, Matters, Source};
use crate::git::{GitError, Oid, Repo};
use crate::trust;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Parts of paths of files that measure.
const MEASURES: &[&str] = &["bench", "measure", "perf", "loadtest", "hyperfine"];

/// What of the ruler differs between two commits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changed {
    /// Files, each of which the base's may be put in the place of.
    pub files: Vec<PathBuf>,
    /// Parts of the configuration: `metric size`, `limit of size`.
    pub config: Vec<String>,
}

impl Changed {
    /// Whether nothing does.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.config.is_empty()
    }

    /// All of it as it is recorded.
    pub fn names(&self) -> Vec<String> {
        let config = self.config.iter().map(|part| format!("{FILE_NAME}: {part}"));
        config.chain(self.files.iter().map(|path| path.display().to_string())).collect()
    }
}

/// What of the ruler a candidate changed. `used` is the configuration that it is measured under.
pub fn changed(repo: &Repo, used: &Config, base: &Oid, candidate: &Oid) -> Result<Changed, GitError> {
    let old = super::config_of(repo, base)?;
    let config = old.as_ref().map(|old| differing(old, used)).unwrap_or_default();
    let ruler = old.as_ref().unwrap_or(used);
    let mut measuring = Found::default();
    for commit in [base, candidate] {
        measuring.follow(repo, commit, ruler)?;
    }
    let mut files = BTreeSet::new();
    for change in repo.changed_files(base, candidate)? {
        for path in [Some(change.path), change.old_path].into_iter().flatten() {
            let there = repo.blob_at(base, &path)?.is_some();
            let test = there && !ruler.checks.is_empty() && is_test(&path);
            if test
                || measuring.files.contains(&path)
                || measuring.folders.iter().any(|folder| path.starts_with(folder))
            {
                files.insert(path);
            }
        }
    }
    Ok(Changed { files: files.into_iter().collect(), config })
}

#[derive(Default)]
struct Found {
    files: BTreeSet<PathBuf>,
    folders: BTreeSet<PathBuf>,
}

impl Found {
    /// Adds the files and folders of a commit that measure.
    fn follow(&mut self, repo: &Repo, commit: &Oid, config: &Config) -> Result<(), GitError> {
        let metrics = config.metrics.iter().filter_map(|metric| match &metric.source {
            Source::Command { run, .. } => Some(run),
            _ => None,
        });
        let own: Vec<&Command> = metrics.chain(config.checks.iter().map(|check| &check.run)).collect();
        let steps: Vec<&Command> =
            config.steps.iter().flat_map(|step| [Some(&step.run), step.prepare.as_ref()]).flatten().collect();
        for (commands, surely) in [(own, true), (steps, false)] {
            let (files, folders) = trust::followed(repo, commit, &commands)?;
            for file in files {
                let name = file.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                let built =
                    MANIFESTS.contains(&name) || image::is_dockerfile(&file.path) || lock::is_lockfile(&file.path);
                if !built && ((surely && file.commands && name != "package.json") || measures(&file.path)) {
                    self.files.insert(file.path);
                }
            }
            self.folders.extend(folders.into_iter().map(|(path, _)| path).filter(|path| measures(path)));
        }
        Ok(())
    }
}

/// Whether a path says that it measures, or holds what is measured with.
fn measures(path: &Path) -> bool {
    let text = path.to_string_lossy().to_lowercase();
    MEASURES.iter().chain(DATA).any(|word| text.contains(word))
}

/// Whether a path is that of a test, by the habits of languages and test runners.
fn is_test(path: &Path) -> bool {
    let folders = ["test", "tests", "spec", "specs", "__tests__", "testdata", "fixtures"];
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let stem = name.split('.').next().unwrap_or_default();
    let inside = path.parent().is_some_and(|parent| parent.iter().any(|part| folders.iter().any(|f| part == *f)));
    inside
        || stem.starts_with("test_")
        || stem.ends_with("_test")
        || stem == "conftest"
        || name.contains(".test.")
        || name.contains(".spec.")
}

/// The parts of a configuration that another one has differently or no more.
fn differing(old: &Config, new: &Config) -> Vec<String> {
    let (before, after): (Work, Work) = (work(old), work(new));
    let mut found = Vec::new();
    let mut note = |kind: &str, before: &BTreeMap<String, String>, after: &BTreeMap<String, String>| {
        let gone = before.iter().filter(|(name, digest)| after.get(*name) != Some(*digest));
        found.extend(gone.map(|(name, _)| format!("{kind} {name}")));
    };
    note("step", &before.steps, &after.steps);
    note("metric", &before.metrics, &after.metrics);
    note("check", &before.checks, &after.checks);
    let size = |matters: Matters| match matters {
        Matters::Relative(ratio) => (true, ratio.0),
        Matters::Absolute(width) => (false, width),
    };
    for metric in &old.metrics {
        let Some(now) = new.metric(&metric.name) else { continue };
        if size(metric.matters) != size(now.matters) {
            found.push(format!("matters of {name}", name = metric.name));
        }
        if metric.limit.is_some() && metric.limit != now.limit {
            found.push(format!("limit of {name}", name = metric.name));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::test::Sandbox;

    fn config(text: &str) -> Config {
        Config::parse(&format!("version = 1\n{text}"), FILE_NAME).unwrap()
    }

    #[test]
    fn scripts_of_metrics_and_checks_data_and_old_tests_are_the_ruler_and_build_scripts_are_not() {
        let text = "version = 1\n[steps.build]\nrun = './build.sh'\n[steps.time]\nrun = './bench/run.sh bench/data'\n\
            [metrics.rps]\nrun = './rps.sh'\n[checks]\nunit = 'pytest tests'\n";
        let sandbox = Sandbox::new();
        let all = ["build.sh", "bench/run.sh", "bench/data/a", "rps.sh", "tests/test_a.py", "app.py"];
        sandbox.commit(FILE_NAME, text);
        for path in all {
            sandbox.commit(path, "1\n");
        }
        let repo = sandbox.repo();
        let base = repo.resolve("HEAD").unwrap();
        for path in all {
            sandbox.commit(path, "2\n");
        }
        sandbox.commit("tests/test_new.py", "1\n");
        let candidate = repo.resolve("HEAD").unwrap();
        let used = Config::parse(text, FILE_NAME).unwrap();
        let found = changed(&repo, &used, &base, &candidate).unwrap();
        assert_eq!(found.names(), ["bench/data/a", "bench/run.sh", "rps.sh", "tests/test_a.py"]);
        assert!(changed(&repo, &used, &base, &base).unwrap().is_empty());
    }

    #[test]
    fn what_the_configuration_says_less_is_marked_and_what_it_says_more_is_not() {
        let old = config(
            "[steps.s]\nrun = 'x'\ntimeout = '1m'\n[metrics.t]\nstep = 's'\n[metrics.m]\npath = 'x'\nlimit = '1 MB'\n[checks]\nc = 'x'\n",
        );
        let new = config(
            "[steps.s]\nrun = 'x'\ntimeout = '2m'\n[metrics.t]\nstep = 's'\nmatters = '9%'\n[metrics.m]\npath = 'x'\n[metrics.n]\npath = 'y'\n",
        );
        assert_eq!(differing(&old, &new), ["step s", "check c", "matters of t", "limit of m"]);
        assert!(differing(&new, &new).is_empty());
    }

    #[test]
    fn tests_are_known_by_their_paths() {
        let tests =
            ["tests/a.rs", "a/__tests__/b.js", "test_x.py", "x_test.go", "a.test.ts", "a.spec.js", "conftest.py"];
        assert!(tests.iter().all(|path| is_test(Path::new(path))));
        assert!(!["attest.py", "src/contest.rs", "latest.txt"].iter().any(|path| is_test(Path::new(path))));
    }
}
