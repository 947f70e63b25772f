//! Events: the immutable facts that everything else is derived from.
//!
//! A reader meets fields it does not know and keeps them (`extra`); it refuses a major version it does not know.

use crate::config::RevertMode;
use crate::git::{Oid, Person};
use crate::grounds::Assumptions;
use crate::measure::anatomy::Origin;
use crate::measure::{CheckResult, FailedRun, HiddenRun, Sample, Side, environment::Environment};
use crate::policy::{Complexity, MetricComparison, Recommendation};
use crate::stats::Word;
use chrono::{DateTime, FixedOffset};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::{Map, Value};
use std::fmt;
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

impl Event {
    /// Reads an event. `version` may be any number; whoever asks looks at it.
    pub fn from_json(bytes: &[u8]) -> serde_json::Result<Event> {
        fn there<T>(value: Option<T>, key: &'static str) -> serde_json::Result<T> {
            value.ok_or_else(|| de::Error::missing_field(key))
        }
        let outline: Outline = serde_json::from_slice(bytes)?;
        let kind = there(outline.kind, "kind")?;
        let (fact, known) = Fact::read(&kind, bytes)?;
        let mut extra = Map::new();
        if outline.others.iter().any(|name| !known.contains(&name.as_str())) {
            extra = serde_json::from_slice(bytes)?;
            extra.retain(|key, _| outline.others.contains(key) && !known.contains(&key.as_str()));
        }
        Ok(Event {
            version: there(outline.version, "version")?,
            id: there(outline.id, "id")?,
            at: there(outline.at, "at")?,
            by: there(outline.by, "by")?,
            tool: there(outline.tool, "tool")?,
            experiment: there(outline.experiment, "experiment")?,
            name: there(outline.name, "name")?,
            fact,
            extra,
        })
    }
}

// Inside other JSON an event is rare; the ledger reads its own with [`Event::from_json`].
impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Event::from_json(value.to_string().as_bytes()).map_err(de::Error::custom)
    }
}

/// What all events have, and the names of the other fields.
#[derive(Default)]
struct Outline {
    version: Option<u32>,
    id: Option<Ulid>,
    at: Option<DateTime<FixedOffset>>,
    by: Option<Person>,
    tool: Option<String>,
    experiment: Option<Ulid>,
    name: Option<String>,
    kind: Option<String>,
    others: Vec<String>,
}

impl<'de> Deserialize<'de> for Outline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Outline;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outline, A::Error> {
                let mut all = Outline::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "version" => all.version = map.next_value()?,
                        "id" => all.id = map.next_value()?,
                        "at" => all.at = map.next_value()?,
                        "by" => all.by = map.next_value()?,
                        "tool" => all.tool = map.next_value()?,
                        "experiment" => all.experiment = map.next_value()?,
                        "name" => all.name = map.next_value()?,
                        "kind" => all.kind = map.next_value()?,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            all.others.push(key);
                        }
                    }
                }
                Ok(all)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// The names of a struct's fields: what its `Deserialize` asks for.
fn field_names<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    struct Asked<'n>(&'n mut &'static [&'static str]);
    impl<'de> Deserializer<'de> for Asked<'_> {
        type Error = de::value::Error;
        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Self::Error> {
            *self.0 = fields;
            Err(de::Error::custom("only asked"))
        }
        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(de::Error::custom("no struct"))
        }
        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
            seq tuple tuple_struct map enum identifier ignored_any
        }
    }
    let mut names: &'static [&'static str] = &[];
    let _ = T::deserialize(Asked(&mut names));
    names
}

/// Every kind of event.
pub(super) const KINDS: [&str; 5] = ["opened", "measured", "decided", "abandoned", "reopened"];

/// What happened; `kind` in JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    /// Reads what an event of this kind says, and names the fields that it may have; other fields are skipped.
    pub fn read(kind: &str, bytes: &[u8]) -> serde_json::Result<(Fact, &'static [&'static str])> {
        fn of<'b, T: Deserialize<'b>>(bytes: &'b [u8]) -> serde_json::Result<(T, &'static [&'static str])> {
            Ok((serde_json::from_slice(bytes)?, field_names::<T>()))
        }
        #[derive(Deserialize)]
        struct Abandoned {
            because: String,
        }
        Ok(match kind {
            "opened" => of(bytes).map(|(fact, known)| (Fact::Opened(fact), known))?,
            "measured" => of(bytes).map(|(fact, known)| (Fact::Measured(fact), known))?,
            "decided" => of(bytes).map(|(fact, known)| (Fact::Decided(fact), known))?,
            "abandoned" => of(bytes).map(|(Abandoned { because }, known)| (Fact::Abandoned { because }, known))?,
            "reopened" => of(bytes).map(|(fact, known)| (Fact::Reopened(fact), known))?,
            _ => return Err(de::Error::unknown_variant(kind, &KINDS)),
        })
    }

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
    /// That hidden checks ran, whose results are among the checks; none when there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden_checks: Option<HiddenRun>,
    /// What the candidate changed of its own ruler; none when nothing, and in old records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruler: Option<Ruler>,
    /// The decision that it came after, when it was taken to look at that one again; none for what a decision rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rechecks: Option<Rechecks>,
}

impl Measured {
    /// Where the changes came from that are known to be there. The parts are those of one sample, so of a metric that is
    /// inconclusive they would tell its noise.
    pub fn known_origins(&self) -> impl DoubleEndedIterator<Item = &Origin> {
        let open =
            |metric: &str| self.comparison.iter().any(|row| row.metric == metric && row.word == Word::Inconclusive);
        self.origins.iter().filter(move |origin| !open(&origin.metric))
    }
}

/// Which decision a later measurement looks at, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rechecks {
    /// The record of the decision.
    pub decision: Ulid,
    /// What was measured.
    pub what: Rechecked,
    /// Of a stack: its parts, the lowest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartAlone>,
}

/// A part of a stack that was measured alone, in the same session as the whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartAlone {
    /// The record of the decision that kept it.
    pub decision: Ulid,
    /// The experiment's name.
    pub name: String,
    /// Its rows; none when it cannot be made to where the stack begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alone: Vec<MetricComparison>,
}

/// What a measurement after a decision is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rechecked {
    /// The base of that day, with the change against without it.
    Again,
    /// The commit that it landed as against its first parent.
    Landed,
    /// The end of a stack against where the stack begins, and each of its parts alone.
    Stack,
}

impl Rechecked {
    /// The word of `what` in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Rechecked::Again => "again",
            Rechecked::Landed => "landed",
            Rechecked::Stack => "stack",
        }
    }
}

/// A candidate changed what measures it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ruler {
    /// What of it: files, and parts of the configuration (`verdict.toml: limit of size`).
    pub changed: Vec<String>,
    /// Whether the comparison, the checks and the recommendation rest on the base's ruler: then side 1 is the candidate with the
    /// base's files in the place of these.
    pub by_base: bool,
    /// The comparison by the candidate's own ruler, where both were held to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own: Vec<MetricComparison>,
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
