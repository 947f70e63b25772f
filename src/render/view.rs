//! What templates see of a comparison: every value already cleaned and written for people.

use super::text::{NO_BREAK, clean};
use super::{Lang, lang, number};
use crate::config::Better;
use crate::inspect;
use crate::ledger::event::Measured;
use crate::measure::CheckResult;
use crate::measure::told::told;
use crate::policy::{Complexity, MetricComparison, Recommendation};
use crate::stats::Word;
use serde::Serialize;

/// Bytes of the longest number that is kept in one line: a unit of many words is broken like any text.
const LONGEST_TIED: usize = 24;

/// One row of a comparison. Spaces inside a number are [`NO_BREAK`], so that text is not broken there.
#[derive(Debug, Clone, Serialize)]
pub struct RowView {
    /// The metric's name.
    pub name: String,
    /// `14.5 min`.
    pub base: String,
    /// `20.5 min`.
    pub candidate: String,
    /// `+6.0 min`.
    pub change: String,
    /// `6.0 min`.
    pub size: String,
    /// `+41.1 %`; none when the base is zero.
    pub percent: Option<String>,
    /// `+38.0 %`.
    pub low: Option<String>,
    /// `+44.1 %`.
    pub high: Option<String>,
    /// `[+38.0, +44.1] %`.
    pub interval: Option<String>,
    /// Whether both sides read the same twice.
    pub exact: bool,
    /// Complete rounds.
    pub rounds: usize,
    /// `improved`, `regressed`, `unchanged` or `inconclusive`.
    pub word: &'static str,
    /// The answer in the reader's language.
    pub answer: String,
    /// Whether the value rose.
    pub up: bool,
    /// Whether the value differs at all.
    pub differs: bool,
    /// Whether more is better.
    pub higher_is_better: bool,
    /// `4.00 GB`.
    pub limit: Option<String>,
    /// Whether the candidate is beyond the limit.
    pub breaks_limit: bool,
    /// The smallest change that an inconclusive measurement could have shown: `3.1 %`.
    pub detectable: Option<String>,
    /// Rounds that an inconclusive measurement would need in all.
    pub rounds_needed: Option<usize>,
}

impl RowView {
    /// A row in this language.
    pub fn new(row: &MetricComparison, language: Lang) -> RowView {
        let pair = number::pair(&row.unit, row.base, row.candidate);
        let tied = |text: String| match clean(&text) {
            text if text.len() <= LONGEST_TIED => text.replace(' ', &NO_BREAK.to_string()),
            text => text.into_owned(),
        };
        let interval = row.interval.filter(|_| !row.exact);
        RowView {
            name: clean(&row.metric).into_owned(),
            base: tied(pair.base),
            candidate: tied(pair.candidate),
            change: tied(pair.change),
            size: tied(pair.size),
            percent: row.relative.map(|r| tied(number::percent(r))),
            low: interval.map(|[low, _]| tied(number::bound(low))),
            high: interval.map(|[_, high]| tied(number::bound(high))),
            interval: interval.map(|i| tied(number::interval(i))),
            exact: row.exact,
            rounds: row.rounds,
            word: row.word.as_str(),
            answer: answer(row.word, language),
            up: row.candidate > row.base,
            differs: row.candidate != row.base,
            higher_is_better: row.better == Better::Higher,
            limit: row.limit.map(|limit| tied(row.unit.show(limit))),
            breaks_limit: row.breaks_limit(),
            // A change of many times the value is what nobody has to measure.
            detectable: row
                .detectable
                .filter(|d| d.abs() <= 10.0)
                .map(|d| tied(number::percent(d.abs()).trim_start_matches('+').to_string())),
            rounds_needed: row.rounds_needed,
        }
    }
}

/// `build_time +41.1 %, image_size -8.3 %, startup -2.0 % (?)`: what was read of an inconclusive metric is not known to hold.
pub fn summary(rows: &[MetricComparison], language: Lang) -> String {
    let one = |row: &MetricComparison| {
        let change = match row.relative {
            Some(relative) => format!("{:+.1} %", relative * 100.0),
            None => row.unit.show_change(row.absolute()),
        };
        let doubt = if row.word == Word::Inconclusive { " (?)" } else { "" };
        format!("{} {change}{doubt}", clean(&row.metric))
    };
    // What `status` and `log` show in English is written without reading a catalogue.
    match (rows.is_empty(), language) {
        (true, Lang::En) => "not measured".into(),
        (true, _) => lang::word(language, "table.not_measured"),
        (false, Lang::En) => rows.iter().map(one).collect::<Vec<_>>().join(", "),
        (false, _) => rows.iter().map(one).collect::<Vec<_>>().join(&lang::word(language, "list.comma")),
    }
}

/// The answer in the reader's language.
pub fn answer(word: Word, language: Lang) -> String {
    lang::word(language, &format!("answer.{}", word.as_str()))
}

/// The rows of a comparison, and the same rows by their answer.
#[derive(Debug, Clone, Serialize)]
pub struct RowsView {
    /// All, in the order of the configuration.
    pub rows: Vec<RowView>,
    /// Those that improved.
    pub improved: Vec<RowView>,
    /// Those that regressed.
    pub regressed: Vec<RowView>,
    /// Those that did not change by as much as matters.
    pub unchanged: Vec<RowView>,
    /// Those that are undecided.
    pub inconclusive: Vec<RowView>,
    /// Those beyond their limit.
    pub broken: Vec<RowView>,
}

impl RowsView {
    /// The rows in this language.
    pub fn new(rows: &[MetricComparison], language: Lang) -> RowsView {
        let rows: Vec<RowView> = rows.iter().map(|row| RowView::new(row, language)).collect();
        let of = |word: Word| rows.iter().filter(|r| r.word == word.as_str()).cloned().collect();
        RowsView {
            improved: of(Word::Improved),
            regressed: of(Word::Regressed),
            unchanged: of(Word::Unchanged),
            inconclusive: of(Word::Inconclusive),
            broken: rows.iter().filter(|r| r.breaks_limit).cloned().collect(),
            rows,
        }
    }
}

/// A check.
#[derive(Debug, Clone, Serialize)]
pub struct CheckView {
    /// Its name.
    pub name: String,
    /// Whether it passed.
    pub passed: bool,
    /// `exit status 1`.
    pub outcome: String,
}

impl CheckView {
    /// The checks of every side but the base.
    pub fn all(checks: &[CheckResult], language: Lang) -> Vec<CheckView> {
        let view = |c: &CheckResult| CheckView {
            name: clean(&c.name).into_owned(),
            passed: c.passed,
            outcome: clean(&told(&c.outcome).in_language(&language)).into_owned(),
        };
        checks.iter().filter(|c| c.side != 0).map(view).collect()
    }
}

/// What the rules said.
#[derive(Debug, Clone, Serialize)]
pub struct AdviceView {
    /// `keep`, `revert`, `trade-off` or `measure-more`.
    pub word: &'static str,
    /// The same in the reader's language.
    pub text: String,
    /// Why, without full stops.
    pub reasons: Vec<String>,
}

impl AdviceView {
    /// A recommendation in this language.
    pub fn new(recommendation: &Recommendation, language: Lang) -> AdviceView {
        let word = recommendation.advice.as_str();
        AdviceView {
            word,
            text: lang::advice(language, recommendation.advice),
            reasons: recommendation
                .told()
                .iter()
                .map(|r| clean(&r.in_language(&language)).trim_end_matches(['.', '。']).to_string())
                .filter(|r| !r.is_empty())
                .collect(),
        }
    }
}

/// What a diff weighs.
#[derive(Debug, Clone, Serialize)]
pub struct ComplexityView {
    /// `3 files, 41 lines added, 7 removed`.
    pub text: String,
    /// `requests (requirements.txt)`.
    pub new_dependencies: Vec<String>,
    /// Whether there is `more` or `less` to maintain with the change, or the `same`; `more` when it is not known.
    pub weighs: &'static str,
}

impl ComplexityView {
    /// The weight in this language.
    pub fn new(complexity: &Complexity, language: Lang) -> ComplexityView {
        ComplexityView {
            text: super::table::complexity(complexity, language),
            new_dependencies: complexity.new_dependencies.iter().map(|d| clean(d).into_owned()).collect(),
            weighs: match complexity.maintenance.map_or(1, |maintenance| maintenance.points) {
                0 => "same",
                ..0 => "less",
                _ => "more",
            },
        }
    }
}

/// Where the changes of a measurement came from, in one line; none when nothing could be taken apart, or nothing is known to
/// have changed.
pub fn origin(measured: &Measured, language: Lang) -> Option<String> {
    let reason = inspect::diff::reason(measured.known_origins().map(|origin| &origin.attribution))?;
    Some(clean(&reason.in_language(&language)).into_owned())
}
