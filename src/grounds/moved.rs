//! What moved between two grounds, and how it is said.

use super::{BaseImage, Grounds, Tree, image, lock};
use crate::config::FILE_NAME;
use crate::git::{GitError, Oid, Repo};
use crate::inspect::dockerfile::image_name;
use crate::measure::environment;
use crate::phrase;
use crate::phrase::Phrase;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Of what kind an assumption is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An image that a build starts from.
    BaseImage,
    /// Locked packages.
    Lockfile,
    /// A compiler, interpreter or engine.
    Tool,
    /// A step of the configuration.
    Step,
    /// A metric of the configuration.
    Metric,
    /// A check of the configuration.
    Check,
    /// The configuration as a whole.
    Configuration,
    /// A script behind a step.
    Script,
    /// Data that steps are run on.
    Workload,
    /// Processor, memory, kernel, limits, variables.
    Machine,
}

impl Kind {
    /// Whether it is the project's, so that it moves for everyone. Another machine is only where someone else sits.
    pub fn of_project(self) -> bool {
        self != Kind::Machine
    }
}

/// An assumption that does not hold any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Of what kind.
    pub kind: Kind,
    /// The file, tool, step or property.
    pub name: String,
    /// What it was: a reference, a version, the id of a blob, a digest; none when it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<String>,
    /// What it is; none when it is not there any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
    /// Of a lockfile: which packages, when [`name_entries`] could tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<Entry>,
}

/// A package of a lockfile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// The version then; none when it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<String>,
    /// The version now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
}

/// What moved, the project's first. What one of the grounds does not know is not compared.
///
/// Two references to one image are a change of its tag or digest, whatever stage they stand in; a digest counts where both
/// know it.
pub fn differences(then: &Grounds, now: &Grounds) -> Vec<Moved> {
    let mut found = Vec::new();
    if let (Some(then), Some(now)) = (&then.tree, &now.tree) {
        images(&then.images, &now.images, &mut found);
        let blobs = |tree: &Tree| tree.lockfiles.iter().map(|l| (l.path.clone(), l.blob.to_string())).collect();
        maps(Kind::Lockfile, &blobs(then), &blobs(now), true, &mut found);
    }
    if let (Some(then), Some(now)) = (&then.environment, &now.environment) {
        let some = |text: String| (!text.is_empty()).then_some(text);
        found.extend(environment::differences(then, now).into_iter().map(|difference| {
            let (kind, name) = match difference.name.strip_prefix("tool ") {
                Some(tool) => (Kind::Tool, tool.to_string()),
                None => (Kind::Machine, difference.name),
            };
            Moved { kind, name, then: some(difference.one), now: some(difference.other), entries: Vec::new() }
        }));
    }
    if let (Some(then), Some(now)) = (&then.work, &now.work) {
        let gone = now.steps.is_empty() && now.metrics.is_empty() && now.checks.is_empty();
        if gone && then != now {
            let name = FILE_NAME.to_string();
            let then = Some(FILE_NAME.to_string());
            found.push(Moved { kind: Kind::Configuration, name, then, now: None, entries: Vec::new() });
        } else {
            maps(Kind::Step, &then.steps, &now.steps, true, &mut found);
            maps(Kind::Metric, &then.metrics, &now.metrics, false, &mut found);
            maps(Kind::Check, &then.checks, &now.checks, false, &mut found);
        }
    }
    if let (Some(then), Some(now)) = (&then.tree, &now.tree) {
        maps(Kind::Script, &then.scripts, &now.scripts, true, &mut found);
        maps(Kind::Workload, &then.workload, &now.workload, true, &mut found);
    }
    found.sort_by_key(|moved| moved.kind);
    found
}

/// Fills in which packages of each lockfile moved, from the blobs that the repository still has.
pub fn name_entries(repo: &Repo, moved: &mut [Moved]) -> Result<(), GitError> {
    for one in moved.iter_mut().filter(|one| one.kind == Kind::Lockfile) {
        let read = |id: &Option<String>| {
            let blob = id.as_deref().and_then(Oid::parse)?;
            lock::entries(Path::new(&one.name), &repo.read_blob(&blob).ok()?)
        };
        let (Some(then), Some(now)) = (read(&one.then), read(&one.now)) else { continue };
        let names: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
        let versions = |entries: &lock::Entries, name: &String| {
            let found = entries.get(name)?;
            Some(found.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
        };
        let entry =
            |name: &String| Entry { name: name.clone(), then: versions(&then, name), now: versions(&now, name) };
        one.entries = names.into_iter().map(entry).filter(|entry| entry.then != entry.now).collect();
    }
    Ok(())
}

fn maps(
    kind: Kind,
    then: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
    new_counts: bool,
    found: &mut Vec<Moved>,
) {
    let names: BTreeSet<&String> = then.keys().chain(now.keys().filter(|_| new_counts)).collect();
    for name in names {
        let (then, now) = (then.get(name).cloned(), now.get(name).cloned());
        if then != now {
            found.push(Moved { kind, name: name.clone(), then, now, entries: Vec::new() });
        }
    }
}

fn images(then: &[BaseImage], now: &[BaseImage], found: &mut Vec<Moved>) {
    let files: BTreeSet<&String> = then.iter().chain(now).map(|image| &image.file).collect();
    for file in files {
        let of = |images: &[BaseImage]| images.iter().filter(|i| i.file == *file).cloned().collect::<Vec<_>>();
        let (mut before, mut after) = (of(then), of(now));
        let mut moved = |then: Option<&BaseImage>, now: Option<&BaseImage>, digests: bool| {
            let shown = |image: &BaseImage| match &image.digest {
                Some(digest) if digests && image::pinned(&image.reference).is_none() => {
                    format!("{}@{digest}", image.reference)
                }
                _ => image.reference.clone(),
            };
            let (then, now) = (then.map(shown), now.map(shown));
            found.push(Moved { kind: Kind::BaseImage, name: file.clone(), then, now, entries: Vec::new() });
        };
        let mut left = Vec::new();
        for image in before.drain(..) {
            match after.iter().position(|other| other.reference == image.reference) {
                Some(place) => {
                    let other = after.remove(place);
                    if image.digest.is_some() && other.digest.is_some() && image.digest != other.digest {
                        moved(Some(&image), Some(&other), true);
                    }
                }
                None => left.push(image),
            }
        }
        // The same image under another tag first, then what took its place.
        let mut last = Vec::new();
        for image in left {
            match after.iter().position(|other| image_name(&other.reference) == image_name(&image.reference)) {
                Some(place) => moved(Some(&image), Some(&after.remove(place)), false),
                None => last.push(image),
            }
        }
        let mut after = after.into_iter();
        for image in last {
            moved(Some(&image), after.next().as_ref(), false);
        }
        for image in after {
            moved(None, Some(&image), false);
        }
    }
}

/// So many packages are named.
const NAMED: usize = 3;

impl Moved {
    /// What moved, as a clause without a full stop.
    pub fn told(&self) -> Phrase {
        let name = &self.name;
        match (self.kind, &self.then, &self.now) {
            (Kind::BaseImage, Some(then), Some(now)) => {
                phrase!("base image {then} is {now} ({name})", then = brief(then), now = brief(now), name)
            }
            (Kind::BaseImage, Some(then), None) => {
                phrase!("base image {then} is gone ({name})", then = brief(then), name)
            }
            (Kind::BaseImage, None, now) => {
                phrase!("base image {now} is new ({name})", now = brief(now.as_deref().unwrap_or_default()), name)
            }
            (Kind::Lockfile, Some(_), Some(_)) if !self.entries.is_empty() => {
                let mut all: Vec<Phrase> = self.entries.iter().take(NAMED).map(Entry::told).collect();
                if self.entries.len() > NAMED {
                    all.push(phrase!("{n} more", n = self.entries.len() - NAMED));
                }
                phrase!("{name}: {packages}", name, packages = Phrase::joined(all, ", "))
            }
            (Kind::Configuration, ..) => phrase!("{name} is gone", name),
            (Kind::Tool | Kind::Machine, then, now) => {
                let shown = |value: &Option<String>| value.as_ref().map_or("none".into(), Phrase::verbatim);
                phrase!("{name}: {then}, now {now}", name, then = shown(then), now = shown(now))
            }
            (kind, then, now) => {
                let what: Phrase = match kind {
                    Kind::Step => phrase!("step {name}", name),
                    Kind::Metric => phrase!("metric {name}", name),
                    Kind::Check => phrase!("check {name}", name),
                    Kind::Script => phrase!("script {name}", name),
                    _ => name.into(),
                };
                match (then, now) {
                    (Some(_), Some(_)) => phrase!("{what} changed", what),
                    (Some(_), None) => phrase!("{what} is gone", what),
                    _ => phrase!("{what} is new", what),
                }
            }
        }
    }
}

impl Entry {
    fn told(&self) -> Phrase {
        let name = &self.name;
        match (&self.then, &self.now) {
            (Some(then), Some(now)) => phrase!("{name} {then} -> {now}", name, then, now),
            (Some(then), None) => phrase!("{name} {then} is gone", name, then),
            (None, now) => phrase!("{name} {now} is new", name, now = now.as_deref().unwrap_or_default()),
        }
    }
}

/// A reference with its digest cut to what tells it apart.
fn brief(reference: &str) -> String {
    match reference.split_once("@sha256:") {
        Some((name, digest)) if digest.is_ascii() && digest.len() > 12 => format!("{name}@sha256:{}", &digest[..12]),
        _ => reference.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::test::Sandbox;
    use crate::grounds::{Lockfile, Work};
    use crate::measure::environment::Environment;

    fn base(file: &str, reference: &str, digest: Option<&str>) -> BaseImage {
        BaseImage { file: file.into(), reference: reference.into(), digest: digest.map(String::from) }
    }

    fn with(images: Vec<BaseImage>) -> Grounds {
        Grounds { tree: Some(Tree { images, ..Tree::default() }), ..Grounds::default() }
    }

    fn told(then: &Grounds, now: &Grounds) -> Vec<String> {
        differences(then, now).iter().map(|moved| moved.told().to_string()).collect()
    }

    #[test]
    fn images_are_matched_by_name_and_by_digest_where_both_know_it() {
        let then =
            with(vec![base("D", "python:3.10", Some("sha256:a")), base("D", "debian:11", None), base("D", "x", None)]);
        let now = with(vec![base("D", "debian:12", None), base("D", "python:3.10", Some("sha256:b"))]);
        assert_eq!(
            told(&then, &now),
            [
                "base image python:3.10@sha256:a is python:3.10@sha256:b (D)",
                "base image debian:11 is debian:12 (D)",
                "base image x is gone (D)"
            ]
        );
        let unknown = with(vec![base("D", "python:3.10", None)]);
        assert_eq!(told(&with(vec![base("D", "python:3.10", Some("sha256:a"))]), &unknown), [""; 0]);
        assert_eq!(told(&with(vec![]), &unknown), ["base image python:3.10 is new (D)"]);
        assert_eq!(told(&Grounds::default(), &unknown), [""; 0], "what was not known did not move");
    }

    #[test]
    fn packages_that_moved_are_named_from_the_blobs() {
        let sandbox = Sandbox::new();
        let repo = sandbox.repo();
        let lock = |text: &str| {
            let blob = repo.write_blob(text.as_bytes()).unwrap();
            let lockfiles = vec![Lockfile { path: "requirements.txt".into(), blob, packages: None }];
            Grounds { tree: Some(Tree { lockfiles, ..Tree::default() }), ..Grounds::default() }
        };
        let mut moved = differences(&lock("a==1\nb==1\nc==1\nd==1\n"), &lock("a==2\nc==2\nd==1\ne==1\n"));
        assert_eq!(moved[0].told().to_string(), "requirements.txt changed", "until the blobs are read");
        name_entries(&repo, &mut moved).unwrap();
        assert_eq!(moved[0].told().to_string(), "requirements.txt: a 1 -> 2, b 1 is gone, c 1 -> 2, 1 more");
        let missing = "f".repeat(40);
        moved[0].then = Some(missing);
        moved[0].entries.clear();
        name_entries(&repo, &mut moved).unwrap();
        assert!(moved[0].entries.is_empty(), "a blob that is gone tells nothing");
    }

    #[test]
    fn the_machine_comes_last_and_a_missing_configuration_is_one_thing() {
        let work = Work { steps: [("b".to_string(), "1".to_string())].into(), ..Work::default() };
        let here = |cpu: &str, tool: &str| Environment {
            cpu: cpu.into(),
            more: [("tool go".to_string(), tool.to_string())].into(),
            ..Environment::default()
        };
        let then = Grounds { work: Some(work), environment: Some(here("a", "go1.21")), ..Grounds::default() };
        let now = Grounds { work: Some(Work::default()), environment: Some(here("b", "go1.22")), ..Grounds::default() };
        assert_eq!(told(&then, &now), ["go: go1.21, now go1.22", "verdict.toml is gone", "CPU: a, now b"]);
        let kinds: Vec<bool> = differences(&then, &now).iter().map(|moved| moved.kind.of_project()).collect();
        assert_eq!(kinds, [true, true, false]);
    }
}
