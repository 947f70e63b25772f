//! What a measurement rested on, and what of it has moved since.
//!
//! A number holds for the ground that it was measured on: the base images, the locked packages, the tools, the machine, the
//! steps and metrics, the scripts behind them and the files that they are run on. All of it is written down when an
//! experiment is measured ([`Assumptions`], beside the environment that every measurement has). Later it is looked up again
//! for a commit of today ([`now`]) and compared ([`differences`]).
//!
//! ```text
//! let then = grounds::then(&repo, &measured, verdict)?;
//! let now = grounds::now(&repo, config.as_ref(), &tip, Look::default())?;
//! let mut moved = grounds::differences(&then, &now);
//! grounds::name_entries(&repo, &mut moved)?;   // which packages of a lockfile
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `capture` | reads it from a commit, a configuration and, where that is asked for, an engine |
//! | [`image`] | the images that a Dockerfile builds on |
//! | [`lock`] | the entries of lockfiles |
//! | [`ruler`] | what of it measures, and what of that a candidate changed |
//! | `moved` | compares two grounds, and says in words what moved |
//!
//! Text for people calls each of them an assumption.

mod capture;
pub mod image;
pub mod lock;
mod moved;
pub mod ruler;

pub use capture::{assumptions, config_of, now, then};
pub use moved::{Entry, Kind, Moved, differences, name_entries};

use crate::git::Oid;
use crate::measure::environment::Environment;
use crate::phrase;
use crate::phrase::Phrase;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a measured record keeps of its ground, beside its environment. Old records have none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Assumptions {
    /// What was run and read.
    #[serde(flatten)]
    pub work: Work,
    /// The base.
    pub base: Tree,
    /// The candidate, where it differs from the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Tree>,
}

/// What a configuration says is run and read: name -> the first 16 digits of the SHA-256 of all that counts of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Work {
    /// Each step: command, preparation, timeout, warm-up.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub steps: BTreeMap<String, String>,
    /// Each metric: source, unit, direction. What matters and what is the limit change no number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, String>,
    /// Each check: command, timeout.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, String>,
}

impl Work {
    /// `step build`, `metric size`, `check tests`.
    pub fn names(&self) -> impl Iterator<Item = Phrase> {
        let steps = self.steps.keys().map(|name| phrase!("step {name}", name));
        let metrics = self.metrics.keys().map(|name| phrase!("metric {name}", name));
        steps.chain(metrics).chain(self.checks.keys().map(|name| phrase!("check {name}", name)))
    }
}

impl Tree {
    /// `python:3.10`, `requirements.txt (12)`, `build.sh`, `bench/data`.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let images = self.images.iter().map(|image| image.reference.clone());
        let locks = self.lockfiles.iter().map(|lock| match lock.packages {
            Some(packages) => format!("{} ({packages})", lock.path),
            None => lock.path.clone(),
        });
        images.chain(locks).chain(self.scripts.keys().chain(self.workload.keys()).cloned())
    }
}

/// What one commit brings of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tree {
    /// Images that its builds start from or copy from, in the order of the files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<BaseImage>,
    /// Its lockfiles, in path order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lockfiles: Vec<Lockfile>,
    /// Scripts that the commands run: path -> blob, of a `package.json` the digest of its scripts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scripts: BTreeMap<String, String>,
    /// Other files and folders of data that the commands name: path -> blob or tree.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub workload: BTreeMap<String, String>,
}

/// An image that a build starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseImage {
    /// The Dockerfile.
    pub file: String,
    /// As it stands there, build arguments replaced by their defaults: `python:3.10`, `app@sha256:…`.
    pub reference: String,
    /// `sha256:…`, when it is pinned or an engine here had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// A lockfile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lockfile {
    /// Where it is.
    pub path: String,
    /// Its blob, under which its text is found again.
    pub blob: Oid,
    /// How many packages it holds; none when that was not asked for or it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<usize>,
}

/// The ground of one side: what is compared. What is not known is none, and not compared.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Grounds {
    /// What is run and read.
    pub work: Option<Work>,
    /// What the commit brings.
    pub tree: Option<Tree>,
    /// The machine and its tools.
    pub environment: Option<Environment>,
    /// Whether it was read from the commit later, because the record is older than assumptions.
    pub rebuilt: bool,
}

/// How closely [`now`] looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// Also at the machine, and ask tools for their versions: some ten milliseconds a tool.
    pub machine: bool,
    /// Also ask docker, podman or buildah for the digests of base images. A daemon may have to answer.
    pub engine: bool,
}
