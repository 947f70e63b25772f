//! All decisions in one file: `DECISIONS.md`, one block a decision, oldest first by record id.
//!
//! The file follows from the ledger alone, so that every clone with the same ledger writes the same bytes. A block that this
//! clone's ledger does not know yet is kept as it is; a block that both sides of a merge have added stands in both files, and
//! is taken once. Conflict markers are passed over: what they stand around is known by its record.

use super::file::{END, begin, marker};
use super::render::{numbers, tidy};
use crate::experiment::{Experiment, State};
use crate::git::Person;
use crate::ledger::event::Decided;
use crate::ledger::query::Entry;
use crate::policy::MetricComparison;
use crate::render::message::{title, title_form};
use crate::render::text::{clean, clean_lines};
use crate::render::view::{AdviceView, RowsView};
use crate::render::{Lang, RenderError, Renderer, lang, table};
use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;
use std::collections::BTreeMap;
use ulid::Ulid;

/// The file's usual name, at the root of the work tree.
pub const FILE_NAME: &str = "DECISIONS.md";
const TEMPLATE: &str = "decision.md.j2";

/// A decision that can be told.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// From the ledger.
    Ledger {
        /// The experiment, decided.
        experiment: &'a Experiment,
        /// The decision, its record and its time.
        decided: &'a (Ulid, chrono::DateTime<chrono::FixedOffset>, Decided),
        /// The name of the experiment that it stands on.
        stands_on: Option<&'a str>,
        /// Who decided.
        by: Option<&'a Person>,
    },
    /// From the message of a commit.
    Message(&'a Entry),
}

impl Source<'_> {
    /// The record of the decision.
    pub fn record(&self) -> Ulid {
        match self {
            Source::Ledger { decided, .. } => decided.0,
            Source::Message(entry) => entry.record,
        }
    }
}

/// The blocks of a file by their records, each without its markers.
pub type Blocks = BTreeMap<Ulid, String>;

/// What the template of a decision sees.
#[derive(Serialize)]
struct DecisionView {
    experiment: String,
    title: String,
    /// How a sentence can speak of the title: `name`, `phrase`, `article` or `quoted`.
    title_form: &'static str,
    hypothesis: String,
    verdict: &'static str,
    /// `kept`, `reverted` or `archived`.
    state: &'static str,
    /// The same in the reader's language.
    state_text: String,
    date: String,
    by: String,
    /// The experiment that it stands on, or branch and commit.
    base: String,
    stands_on: Option<String>,
    onto: String,
    because: String,
    measured: bool,
    #[serde(flatten)]
    rows: RowsView,
    table: String,
    limits: Vec<String>,
    advice: Option<AdviceView>,
    overrode: bool,
    record: String,
    landed: Option<String>,
    /// The commit whose message tells all this, when the ledger does not.
    told_by: Option<String>,
}

impl DecisionView {
    fn new(source: Source<'_>, language: Lang) -> DecisionView {
        let (name, state, at, by, comparison): (&str, State, _, Option<&Person>, &[MetricComparison]) = match source {
            Source::Ledger { experiment, decided, by, .. } => {
                (&experiment.name, experiment.state, decided.1, by, &decided.2.comparison)
            }
            Source::Message(entry) => (&entry.name, entry.state, entry.at, Some(&entry.by), &entry.comparison),
        };
        let (opened, fact, stands_on, told_by) = match source {
            Source::Ledger { experiment, decided, stands_on, .. } => {
                (Some(&experiment.opened), Some(&decided.2), stands_on, None)
            }
            Source::Message(entry) => (None, None, None, entry.told_by.as_ref()),
        };
        let experiment = clean(name).into_owned();
        let title = title(opened.map_or("", |opened| &opened.title), &experiment);
        let stands_on = stands_on.map(|name| clean(name).into_owned());
        let onto = fact.map(|fact| clean(&fact.onto).into_owned()).unwrap_or_default();
        let base = match (&stands_on, fact) {
            (Some(name), _) => name.clone(),
            (None, Some(fact)) => format!("{onto} ({})", fact.base.commit.short()),
            (None, None) => lang::word(language, "decisions.base"),
        };
        let by = by.map(|by| clean(&by.name).into_owned()).filter(|name| !name.is_empty());
        DecisionView {
            title_form: title_form(&title, &experiment),
            title,
            hypothesis: opened.map(|opened| clean_lines(&opened.hypothesis)).unwrap_or_default(),
            verdict: if state == State::Kept { "keep" } else { "revert" },
            state: state.as_str(),
            state_text: lang::word(language, &format!("decisions.{}", state.as_str())),
            date: at.format("%Y-%m-%d").to_string(),
            by: by.unwrap_or_else(|| lang::word(language, "decisions.someone")),
            base,
            stands_on,
            onto,
            because: fact.map(|fact| clean_lines(&fact.because)).unwrap_or_default(),
            measured: !comparison.is_empty(),
            rows: RowsView::new(comparison, language),
            table: numbers(comparison, language),
            limits: table::limits(comparison, language),
            advice: fact.and_then(|fact| fact.recommendation.as_ref()).map(|r| AdviceView::new(r, language)),
            overrode: fact.is_some_and(|fact| fact.overrode),
            record: source.record().to_string(),
            landed: fact.and_then(|fact| fact.landed.as_ref()).map(ToString::to_string),
            told_by: told_by.map(ToString::to_string),
            experiment,
        }
    }
}

impl Renderer {
    /// The block of one decision, without its markers.
    pub fn decision(&self, source: Source<'_>) -> Result<String, RenderError> {
        Ok(tidy(&self.render(TEMPLATE, self.decision_values(source))?))
    }

    /// What its template sees.
    pub fn decision_values(&self, source: Source<'_>) -> Value {
        Value::from(Serde(&DecisionView::new(source, self.lang())))
    }
}

/// The name in the marker at the top of the file.
fn top(language: Lang) -> String {
    begin(&format!("decisions {}", language.code()))
}

/// The language of a file, and its blocks. Of two blocks of one record, the first is taken.
pub fn parse(text: &str) -> (Option<Lang>, Blocks) {
    let mut language = None;
    let mut blocks = Blocks::new();
    let mut open: Option<(Ulid, String)> = None;
    let mut close = |open: &mut Option<(Ulid, String)>| {
        if let Some((record, block)) = open.take() {
            blocks.entry(record).or_insert_with(|| format!("{}\n", block.trim()));
        }
    };
    for line in text.lines() {
        match (marker(line), &mut open) {
            (Some(name), _) => {
                close(&mut open);
                if let Some(code) = name.strip_prefix("decisions ") {
                    language = language.or(Lang::ALL.into_iter().find(|l| l.code() == code));
                }
                open = Ulid::from_string(name).ok().map(|record| (record, String::new()));
            }
            (None, Some((_, block))) if !is_conflict(line) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, _) => {}
        }
    }
    close(&mut open);
    (language, blocks)
}

/// A line that git puts around the two sides of a conflict.
fn is_conflict(line: &str) -> bool {
    ["<<<<<<<", "|||||||", "=======", ">>>>>>>"]
        .iter()
        .any(|mark| line.strip_prefix(mark).is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')))
}

/// The whole file.
pub fn text(blocks: &Blocks, language: Lang) -> String {
    let word = |key: &str| lang::word(language, key);
    let mut text = format!("{}\n\n# {}\n\n{}\n", top(language), word("decisions.title"), word("decisions.intro"));
    if blocks.is_empty() {
        text.push_str(&format!("\n{}\n", word("decisions.none")));
    }
    for (record, block) in blocks {
        text.push_str(&format!("\n{}\n\n{}\n\n{END}\n", begin(&record.to_string()), block.trim_end()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(n: u64) -> Ulid {
        Ulid::from_parts(n, 1 << 70)
    }

    fn blocks(numbers: &[u64]) -> Blocks {
        numbers.iter().map(|n| (record(*n), format!("## decision {n}\n\ntext {n}\n"))).collect()
    }

    #[test]
    fn a_file_gives_back_its_blocks_whatever_their_order() {
        let all = blocks(&[1, 2, 3]);
        let whole = text(&all, Lang::ZhCn);
        assert_eq!(parse(&whole), (Some(Lang::ZhCn), all.clone()));
        assert!(whole.find("decision 1").unwrap() < whole.find("decision 3").unwrap());
        let last = text(&blocks(&[3]), Lang::En);
        let mixed = format!("{last}{}", text(&blocks(&[2, 1]), Lang::En));
        assert_eq!(parse(&mixed).1, all);
        assert_eq!(parse("# no such file\n"), (None, Blocks::new()));
    }

    #[test]
    fn a_conflict_loses_no_block() {
        let (ours, theirs) = (text(&blocks(&[1, 2]), Lang::En), text(&blocks(&[1, 3]), Lang::En));
        let tail = |text: &str, n: u64| text[text.find(&begin(&record(n).to_string())).unwrap()..].to_string();
        let shared = &ours[..ours.find(&begin(&record(2).to_string())).unwrap()];
        let conflict = format!("{shared}<<<<<<< HEAD\n{}=======\n{}>>>>>>> theirs\n", tail(&ours, 2), tail(&theirs, 3));
        assert_eq!(text(&parse(&conflict).1, Lang::En), text(&blocks(&[1, 2, 3]), Lang::En));
    }

    #[test]
    fn a_block_that_lost_its_end_in_a_union_merge_ends_where_the_next_one_begins() {
        let whole = text(&blocks(&[1, 2, 3]), Lang::En);
        for n in 1..=3 {
            let cut = whole.replacen(&format!("{END}\n"), "", n);
            assert_eq!(parse(&cut).1, blocks(&[1, 2, 3]), "{cut}");
        }
    }
}
