//! CSV (RFC 4180): one line for each metric of each experiment.

use super::Sheet;
use crate::config::Better;
use crate::ledger::query::Entry;
use crate::policy::MetricComparison;
use crate::render::Lang;
use crate::render::text::clean;

/// The format.
#[derive(Debug)]
pub struct Csv;

const COLUMNS: [&str; 23] = [
    "at",
    "state",
    "experiment",
    "record",
    "author",
    "email",
    "metric",
    "unit",
    "better",
    "base",
    "candidate",
    "relative",
    "low",
    "high",
    "rounds",
    "word",
    "why",
    "realised_base",
    "realised_candidate",
    "realised_relative",
    "realised_low",
    "realised_high",
    "realised_word",
];

impl Sheet for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    /// An experiment that was not measured has one line without numbers. What a metric was as the experiment landed stands
    /// beside what it promised.
    fn text(&self, entries: &[Entry], _lang: Lang) -> String {
        let mut out = COLUMNS.join(",") + "\r\n";
        for one in entries {
            let rows: Vec<Option<&MetricComparison>> = match one.comparison.len() {
                0 => vec![None],
                _ => one.comparison.iter().map(Some).collect(),
            };
            for row in rows {
                let head = [
                    one.at.to_rfc3339(),
                    one.state.as_str().into(),
                    cell(&one.name),
                    one.record.to_string(),
                    cell(&one.by.name),
                    cell(&one.by.email),
                ];
                let landed = row.and_then(|row| one.realised.iter().find(|landed| landed.metric == row.metric));
                let cells = head.into_iter().chain(numbers(row)).chain([cell(&one.text)]).chain(realised(landed));
                let line: Vec<String> = cells.collect();
                out.push_str(&line.join(","));
                out.push_str("\r\n");
            }
        }
        out
    }
}

fn number(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn realised(row: Option<&MetricComparison>) -> [String; 6] {
    let Some(row) = row else { return Default::default() };
    [
        number(Some(row.base)),
        number(Some(row.candidate)),
        number(row.relative),
        number(row.interval.map(|[low, _]| low)),
        number(row.interval.map(|[_, high]| high)),
        row.word.as_str().into(),
    ]
}

fn numbers(row: Option<&MetricComparison>) -> [String; 10] {
    let Some(row) = row else { return Default::default() };
    [
        cell(&row.metric),
        cell(row.unit.symbol()),
        if row.better == Better::Lower { "lower" } else { "higher" }.into(),
        number(Some(row.base)),
        number(Some(row.candidate)),
        number(row.relative),
        number(row.interval.map(|[low, _]| low)),
        number(row.interval.map(|[_, high]| high)),
        row.rounds.to_string(),
        row.word.as_str().into(),
    ]
}

/// A text as a cell: quoted where it must be, and never one that a spreadsheet would take for a formula.
fn cell(text: &str) -> String {
    let text = clean(text);
    let text = if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.into_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_quotes_are_doubled() {
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(cell("two\nlines"), "two lines");
    }
}
