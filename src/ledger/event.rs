//! Events: the immutable facts that everything else is derived from.
//!
//! A reader meets fields it does not know and keeps them (`extra`); it refuses a major version it does not know.

use crate::config::RevertMode;
use crate::git::{Oid, Person};
use crate::grounds::Assumptions;
use crate::measure::anatomy::Origin;
use crate::measure::{CheckResult, FailedRun, Sample, Side, environment::Environment};
use crate::policy::{Complexity, MetricComparison, Recommendation};
use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::{Map, Value};
use ulid::Ulid;

/// The major version that this program writes and reads.
pub const VERSION: u32 = 1;

/// One event of the ledger. In JSON the fields of [`Event::fact`] and of [`Event::extra`] stand beside the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Major version of the format.
    pub version: u32,
    /// The record's id.
    pub id: Ulid,
    /// When it happened, with the writer's offset.
    pub at: DateTime<FixedOffset>,
    /// Who did it.
    pub by: Person,
    /// The program that wrote it: `git-verdict 0.1.0`.
    pub tool: String,
    /// The experiment's id.
    pub experiment: Ulid,
    /// The experiment's name.
    pub name: String,
    /// What happened.
    pub fact: Fact,
    /// Fields of a later minor version, kept as they are. (Those inside a nested object are in the stored bytes only.)
    pub extra: Map<String, Value>,
}

// By hand, because flattening an internally tagged enum beside a map would put the enum's fields into the map as well.
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = |v: serde_json::Result<Value>| v.map_err(ser::Error::custom);
        let mut all = Map::new();
        all.insert("version".into(), self.version.into());
        all.insert("id".into(), value(serde_json::to_value(self.id))?);
        all.insert("at".into(), value(serde_json::to_value(self.at))?);
        all.insert("by".into(), value(serde_json::to_value(&self.by))?);
        all.insert("tool".into(), self.tool.clone().into());
        all.insert("experiment".into(), value(serde_json::to_value(self.experiment))?);
        all.insert("name".into(), self.name.clone().into());
        if let Value::Object(fact) = value(serde_json::to_value(&self.fact))? {
            all.extend(fact);
        }
        for (key, value) in &self.extra {
            if !all.contains_key(key) {
                all.insert(key.clone(), value.clone());
            }
        }
        all.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        fn take<T: de::DeserializeOwned, E: de::Error>(
            map: &mut Map<String, Value>,
            key: &'static str,
        ) -> Result<T, E> {
            let value = map.shift_remove(key).ok_or_else(|| E::missing_field(key))?;
            T::deserialize(value).map_err(|error| E::custom(format!("{key}: {error}")))
        }
        let mut map = Map::deserialize(deserializer)?;
        let version = take(&mut map, "version")?;
        let id = take(&mut map, "id")?;
        let at = take(&mut map, "at")?;
        let by = take(&mut map, "by")?;
        let tool = take(&mut map, "tool")?;
        let experiment = take(&mut map, "experiment")?;
        let name = take(&mut map, "name")?;
        let fact = Fact::deserialize(&map).map_err(de::Error::custom)?;
        let known = serde_json::to_value(&fact).map_err(de::Error::custom)?;
        map.retain(|key, _| known.get(key).is_none());
        let extra = map;
        Ok(Event { version, id, at, by, tool, experiment, name, fact, extra })
    }
}

/// What happened; `kind` in JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fact {
    /// An experiment was opened.
    Opened(Opened),
    /// It was measured.
    Measured(Box<Measured>),
    /// It was kept or reverted.
    Decided(Box<Decided>),
    /// It was given up without a decision.
    Abandoned {
        /// Why.
        because: String,
    },
    /// A decision was undone: the experiment waits for one again, or the decision before it is in force again.
    Reopened(Reopened),
}

impl Fact {
    /// The word of `kind` in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Fact::Opened(_) => "opened",
            Fact::Measured(_) => "measured",
            Fact::Decided(_) => "decided",
            Fact::Abandoned { .. } => "abandoned",
            Fact::Reopened(_) => "reopened",
        }
    }
}

/// A commit, named so that it is found again after amend, rebase and squash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its id.
    pub commit: Oid,
    /// Its tree.
    pub tree: Oid,
    /// Patch id of the whole change from the base to it (`git patch-id --stable`), when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
}

/// An experiment was opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    /// What was tried, for subjects and headings.
    pub title: String,
    /// What is expected, and why.
    pub hypothesis: String,
    /// Where it starts.
    pub base: Identity,
    /// The branch it lands on.
    pub onto: String,
    /// Its own branch.
    pub branch: String,
    /// The experiment it stands on, when it is stacked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_on: Option<Ulid>,
    /// The last adopted commit, when its commits existed already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<Oid>,
}

/// An experiment was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The session's id.
    pub session: Ulid,
    /// The base that was measured.
    pub base: Identity,
    /// The candidate that was measured.
    pub candidate: Identity,
    /// All sides of the session; samples index into it.
    pub sides: Vec<Side>,
    /// Seed of the order within rounds.
    pub seed: u64,
    /// Hex SHA-256 of the configuration.
    pub config_hash: String,
    /// The machine.
    pub environment: Environment,
    /// Every sample.
    pub samples: Vec<Sample>,
    /// Every check.
    pub checks: Vec<CheckResult>,
    /// One row a metric.
    pub comparison: Vec<MetricComparison>,
    /// What the diff weighs.
    pub complexity: Complexity,
    /// What the rules said.
    pub recommendation: Recommendation,
    /// Every run that failed after its side had been read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailedRun>,
    /// The record whose exact readings stand for those of the base, when it was not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused: Option<Ulid>,
    /// Where the changes came from, as far as the artefacts could be taken apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<Origin>,
    /// What it rested on, beside the environment; none in old records and in imported ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assumptions: Option<Assumptions>,
}

/// The two verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The change stays.
    Keep,
    /// The change goes.
    Revert,
}

impl Verdict {
    /// The word as it stands in trailers and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Keep => "keep",
            Verdict::Revert => "revert",
        }
    }
}

/// An experiment was kept or reverted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// Which.
    pub verdict: Verdict,
    /// Why, in the words of whoever decided.
    pub because: String,
    /// How a revert landed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<RevertMode>,
    /// The measured event that it rests on; none for a decision without numbers (`--force`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Ulid>,
    /// The rows that it rests on, so that the record stands alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comparison: Vec<MetricComparison>,
    /// What the rules had said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommendation: Option<Recommendation>,
    /// Whether it went against the recommendation, or was forced.
    #[serde(default)]
    pub overrode: bool,
    /// Where the experiment started.
    pub base: Identity,
    /// What was decided on.
    pub candidate: Identity,
    /// The commits of the experiment, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<Oid>,
    /// The revert commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revert_commit: Option<Oid>,
    /// The merge (or, for archive, the commit of the ADR) on the base branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub landed: Option<Oid>,
    /// The branch it landed on.
    pub onto: String,
}

/// A decision was undone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reopened {
    /// Why.
    pub because: String,
    /// The record of the decision that does not hold any more.
    pub undoes: Ulid,
    /// The commit that takes it back; none when the refs were put back to where they were, or when nothing had to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Oid>,
}
