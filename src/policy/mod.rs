//! Comparison -> recommendation.

pub mod compare;
pub mod complexity;
pub mod maintenance;
pub mod noise;
pub mod options;
pub mod rates;
pub mod recommend;

use crate::config::{Better, Matters};
use crate::phrase::Phrase;
use crate::stats::Word;
use crate::units::Unit;
use serde::{Deserialize, Serialize};

/// One metric on both sides: the row of every table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricComparison {
    /// The metric's name.
    pub metric: String,
    /// Its unit.
    pub unit: Unit,
    /// Which direction is better.
    pub better: Better,
    /// The smallest change worth acting on.
    pub matters: Matters,
    /// Median on the base, in the base unit.
    pub base: f64,
    /// Median on the candidate.
    pub candidate: f64,
    /// Relative change (0.41 is +41 %); none when the base is zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative: Option<f64>,
    /// Interval of the relative change; none when exact or when the rounds do not give one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// Whether both sides read the same twice.
    pub exact: bool,
    /// Complete rounds that it rests on.
    pub rounds: usize,
    /// The answer.
    pub word: Word,
    /// The limit from the configuration, in the base unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
    /// For an inconclusive answer: the smallest relative change that these rounds could have shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detectable: Option<f64>,
    /// For an inconclusive answer: rounds that would be needed in all, as far as they can be foretold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds_needed: Option<usize>,
}

impl MetricComparison {
    /// Candidate minus base.
    pub fn absolute(&self) -> f64 {
        self.candidate - self.base
    }
    /// Whether the candidate is worse than the limit.
    pub fn breaks_limit(&self) -> bool {
        self.limit.is_some_and(|limit| match self.better {
            Better::Lower => self.candidate > limit,
            Better::Higher => self.candidate < limit,
        })
    }
}

/// What the diff between base and candidate weighs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Complexity {
    /// Files changed.
    pub files: usize,
    /// Lines added.
    pub added: usize,
    /// Lines removed.
    pub removed: usize,
    /// Dependencies that manifests name on the candidate and not on the base: `requests (requirements.txt)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new_dependencies: Vec<String>,
    /// What it costs to maintain; none in old records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<maintenance::Maintenance>,
}

/// What the rules recommend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Advice {
    /// Improved, and nothing worse; or mixed and worth it by the rates.
    Keep,
    /// A broken limit or check; worse and nothing improved; nothing changed while complexity grew; or not worth it.
    Revert,
    /// Mixed, and no rate says which way.
    TradeOff,
    /// Too little is known.
    MeasureMore,
}

impl Advice {
    /// The word as it stands in text and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Advice::Keep => "keep",
            Advice::Revert => "revert",
            Advice::TradeOff => "trade-off",
            Advice::MeasureMore => "measure-more",
        }
    }
}

/// A recommendation with its reasons, most important first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recommendation {
    /// What to do.
    pub advice: Advice,
    /// Why, one English sentence each, without a full stop.
    pub reasons: Vec<String>,
    /// The same reasons with their values apart from their words, for other languages; none in old records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phrases: Vec<Phrase>,
}

impl Recommendation {
    /// A recommendation with these reasons, most important first.
    pub fn new(advice: Advice, reasons: Vec<Phrase>) -> Recommendation {
        Recommendation { advice, reasons: reasons.iter().map(Phrase::to_string).collect(), phrases: reasons }
    }

    /// Puts more reasons before the one at this place; at the end when there are fewer.
    pub fn insert(&mut self, place: usize, more: Vec<Phrase>) {
        let mut reasons = self.told();
        let place = place.min(reasons.len());
        reasons.splice(place..place, more);
        *self = Recommendation::new(self.advice, reasons);
    }

    /// The reasons as phrases. A phrase that does not say in English what the reason says is not believed.
    pub fn told(&self) -> Vec<Phrase> {
        let phrases = self.phrases.iter().map(Some).chain(std::iter::repeat(None));
        let one = |(reason, phrase): (&String, Option<&Phrase>)| match phrase {
            Some(phrase) if phrase == reason.as_str() => phrase.clone(),
            _ => Phrase::from(reason),
        };
        self.reasons.iter().zip(phrases).map(one).collect()
    }
}
