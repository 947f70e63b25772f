//! From findings and history to ranked proposals: what to try next, as hypotheses only.
//!
//! | file | what it does |
//! |---|---|
//! | [`size`] | findings in images, folders, archives and binaries |
//! | [`time`] | findings in the steps of a build |
//! | [`mod@rank`] | which of them are worth an experiment, and in what order |
//!
//! Nothing here reads a file or the ledger: artefacts, steps and history are handed in. A gain is always an upper bound in
//! the metric's own unit, and never a prediction.

pub mod rank;
pub mod size;
pub mod time;

use crate::phrase;
use crate::phrase::{Lang, Phrase, english};
use crate::units::Unit;
use serde::Serialize;

/// How likely a fix breaks something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// What runs does not change.
    Low,
    /// Something may be missing or slower at run time; tests tell.
    Medium,
    /// The build is put together in another way.
    High,
}

impl Risk {
    /// What a line of a change with this risk counts.
    pub fn weight(self) -> f64 {
        match self {
            Risk::Low => 1.0,
            Risk::Medium => 2.0,
            Risk::High => 4.0,
        }
    }

    /// The word in text and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Risk::Low => "low",
            Risk::Medium => "medium",
            Risk::High => "high",
        }
    }
}

/// What a known fix costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cost {
    /// Lines to change.
    pub lines: usize,
    /// How likely it breaks something.
    pub risk: Risk,
}

impl Cost {
    const fn new(lines: usize, risk: Risk) -> Cost {
        Cost { lines, risk }
    }

    /// Lines times the weight of the risk.
    pub fn weight(self) -> f64 {
        self.lines as f64 * self.risk.weight()
    }
}

/// Where something was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The number of a layer, from 1.
    pub layer: Option<usize>,
    /// The line of the Dockerfile.
    pub line: Option<usize>,
    /// A path in the artefact.
    pub path: Option<String>,
    /// A step of the build.
    pub step: Option<String>,
}

/// Something that could be less, and what to try.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// A name for the experiment.
    pub name: String,
    /// Words that the name or title of an experiment with the same idea has.
    #[serde(skip)]
    pub keys: Vec<String>,
    /// The idea in a few words that a shell takes as they are.
    #[serde(serialize_with = "english")]
    pub change: Phrase,
    /// What to do, in a line.
    #[serde(serialize_with = "english")]
    pub fix: Phrase,
    /// The figure, and where it was seen.
    #[serde(serialize_with = "english")]
    pub why: Phrase,
    /// The same place for programs.
    pub place: Place,
    /// The metric that it counts for, when one reads this artefact.
    pub metric: Option<String>,
    /// Bytes or seconds.
    pub unit: Unit,
    /// At most so much less, in this unit.
    pub gain: f64,
    /// What the metric reads now.
    pub whole: f64,
    /// What the fix costs; none when no fix is known.
    pub cost: Option<Cost>,
}

impl Finding {
    /// A finding of no metric yet, whose idea is told by the words of its name.
    fn new(name: &str, change: impl Into<Phrase>, cost: Option<Cost>, gain: f64, place: Place) -> Finding {
        Finding {
            keys: words(name).into_iter().filter(|word| word != "no").collect(),
            name: name.to_string(),
            change: change.into(),
            fix: Phrase::from(""),
            why: Phrase::from(""),
            place,
            metric: None,
            unit: Unit::Bytes,
            gain,
            whole: 0.0,
            cost,
        }
    }

    /// The idea as the text of a hypothesis, which may be pasted into a shell: `pip install --no-cache-dir: at most 1.20 GB
    /// less`.
    pub fn hypothesis(&self) -> Phrase {
        phrase!("{change}: at most {gain} less", change = &self.change, gain = self.unit.show(self.gain))
    }

    /// Whether an experiment of this name, title and hypothesis had the same idea, in whatever language it was proposed.
    pub fn is_idea_of(&self, name: &str, title: &str, hypothesis: &str) -> bool {
        let told: Vec<String> = words(name).into_iter().chain(words(title)).collect();
        let proposed = |lang: Lang| hypothesis.starts_with(&self.change.in_language(&lang));
        Lang::ALL.into_iter().any(proposed) || self.keys.iter().all(|key| told.contains(key))
    }
}

/// Letters and digits in a row, in lower case.
fn words(text: &str) -> Vec<String> {
    let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    parts.map(str::to_lowercase).collect()
}

/// The first words of a command as a part of a name: `run-pip-install`. Options and paths are left out.
fn slug(text: &str) -> String {
    let command = text.split(&['&', '|', ';'][..]).next().unwrap_or_default();
    let plain = |word: &&str| word.starts_with(|c: char| c.is_ascii_alphanumeric()) && !word.contains(['=', '$', '/']);
    let said: Vec<String> = command.split_whitespace().filter(plain).take(3).flat_map(words).collect();
    let ascii = said.join("-").chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect::<String>();
    ascii.trim_matches('-').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idea_is_known_again_by_the_words_of_a_name_or_by_the_start_of_its_hypothesis() {
        let idea = Finding::new("no-pip-cache", "pip install --no-cache-dir", None, 1e9, Place::default());
        assert!(idea.is_idea_of("pip-cache-purge", "", ""));
        assert!(idea.is_idea_of("option-1", "Purge the pip cache", ""));
        assert!(idea.is_idea_of("option-1", "", "pip install --no-cache-dir: 3.0 GB less in layer 3"));
        assert!(!idea.is_idea_of("multi-stage", "multi stage", "on top of the pip cache cleanup"), "only in passing");
        assert!(!idea.is_idea_of("pip-mirror", "", ""));
        assert_eq!(idea.hypothesis(), "pip install --no-cache-dir: at most 1.00 GB less");
    }

    #[test]
    fn a_name_made_of_any_command_is_a_legal_one() {
        assert_eq!(slug("RUN pip install -r requirements.txt && rm -rf /x"), "run-pip-install");
        assert_eq!(slug("RUN --mount=type=cache,target=/x $(curl evil) make"), "run-evil-make");
        for text in ["", "RUN é", "COPY \"a b\" /", "RUN ../../x.lock", &"x".repeat(300)] {
            crate::experiment::check_name(&format!("smaller-{}x", slug(text))).unwrap();
        }
    }
}
