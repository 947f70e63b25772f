//! Numbers from other tools, and numbers for other tools.
//!
//! Reading: one file per format behind [`Format`]; each gives [`Series`], readings of one metric on one side. [`import`] makes
//! a comparison of two sides of them. Writing: one file per format behind [`Sheet`].
//!
//! | file | what it does |
//! |---|---|
//! | [`import`] | two sides of readings -> a comparison that does not pretend to be paired |
//! | [`hyperfine`], [`criterion`], [`pytest`], [`go`], [`github_action`], [`git_perf`] | formats that are read |
//! | [`csv`], [`markdown`], [`openmetrics`], [`bencher`] | formats that are written from lists of experiments |

pub mod bencher;
pub mod criterion;
pub mod csv;
pub mod git_perf;
pub mod github_action;
pub mod go;
pub mod hyperfine;
pub mod import;
pub mod markdown;
pub mod openmetrics;
pub mod pytest;

use crate::config::Better;
use crate::error::{Exit, Explain};
use crate::ledger::query::Entry;
use crate::phrase;
use crate::phrase::Phrase;
use crate::render::text::clean;
use crate::units::{Unit, base_unit};
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes.
pub const MAX_FILE: u64 = 64 << 20;

/// Readings of one metric on one side.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The metric, as the tool names it.
    pub metric: String,
    /// Its base unit.
    pub unit: Unit,
    /// Which direction is better.
    pub better: Better,
    /// Every reading in the base unit; the tool's own summary as a single one where it keeps no readings.
    pub values: Vec<f64>,
}

/// All readings of one side.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Side {
    /// The commit that the tool says it measured, in hexadecimal, as far as it says.
    pub commit: Option<String>,
    /// The series, in the order of the file.
    pub series: Vec<Series>,
    /// What its reader should know: summaries instead of readings, uncommitted changes.
    pub notes: Vec<Phrase>,
}

/// Where the readings of a side are taken from when a file has those of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// The file holds one side.
    Whole,
    /// Of two sides in the file, the first one or the second one (the tool's own baseline comes first).
    Place(usize),
    /// The runs of this commit, with all digits of its id.
    Commit(&'a str),
}

/// How one file holds both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Both {
    /// The base comes first.
    ByPlace,
    /// Each run names its commit.
    ByCommit,
}

/// A format that is read.
pub trait Format {
    /// Its name on the command line.
    fn name(&self) -> &'static str;
    /// How one file (or folder) holds both sides, when it can.
    fn holds_both(&self) -> Option<Both> {
        None
    }
    /// Reads one side. `path` is a file, or a folder where the format is one.
    fn read(&self, path: &Path, part: Part<'_>) -> Result<Side, ExchangeError>;
}

/// The formats that are read from files. git-perf keeps its numbers in notes: [`git_perf::parse`].
pub fn formats() -> [&'static dyn Format; 5] {
    [
        &hyperfine::Hyperfine,
        &criterion::Criterion,
        &pytest::PytestBenchmark,
        &go::GoBench,
        &github_action::GithubActionBenchmark,
    ]
}

/// A format that lists of experiments are written in.
pub trait Sheet {
    /// Its name on the command line.
    fn name(&self) -> &'static str;
    /// The whole text: what programs read is the same in every language.
    fn text(&self, entries: &[Entry], lang: crate::render::Lang) -> String;
}

/// The formats that are written from lists. JSON and JSON Lines are the records themselves.
pub fn sheets() -> [&'static dyn Sheet; 4] {
    [&csv::Csv, &markdown::Markdown, &openmetrics::OpenMetrics, &bencher::Bencher]
}

/// Reads a text file of at most [`MAX_FILE`] bytes.
pub(crate) fn text_of(path: &Path) -> Result<String, ExchangeError> {
    let io = |source| ExchangeError::Io { path: path.to_path_buf(), source };
    let size = std::fs::metadata(path).map_err(io)?;
    if size.is_dir() || size.len() > MAX_FILE {
        let problem =
            if size.is_dir() { "it is a folder".into() } else { phrase!("it has over {n} bytes", n = MAX_FILE) };
        return Err(ExchangeError::format(path, problem));
    }
    String::from_utf8(std::fs::read(path).map_err(io)?).map_err(|_| ExchangeError::format(path, "it is not UTF-8"))
}

/// Reads a JSON file.
pub(crate) fn json_of<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, ExchangeError> {
    serde_json::from_str(&text_of(path)?).map_err(|error| ExchangeError::format(path, error.to_string()))
}

/// A unit as tools write it, its base unit and factor: `ns/iter` is a billionth of a second, `MB/s` a unit of its own. More is
/// better of what is counted by the second.
pub(crate) fn unit_of(symbol: &str) -> (Unit, f64, Better) {
    let symbol = symbol.trim();
    let plain = ["/iter", "/op", "/call"].iter().find_map(|end| symbol.strip_suffix(end)).unwrap_or(symbol);
    let plain = match plain {
        "sec" | "secs" | "second" | "seconds" => "s",
        "bytes" | "byte" | "Bytes" => "B",
        "msec" | "milliseconds" => "ms",
        "usec" | "\u{3bc}s" => "us",
        other => other,
    };
    if let Some((unit, factor)) = base_unit(plain) {
        return (unit, factor, Better::Lower);
    }
    let better = if symbol.ends_with("/s") || symbol.ends_with("/sec") { Better::Higher } else { Better::Lower };
    let counted = plain.is_empty() || (plain.len() < symbol.len() && better == Better::Lower);
    (if counted { Unit::Count } else { Unit::Custom(symbol.to_string()) }, 1.0, better)
}

/// Why numbers could not be taken in or given out.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// A file could not be read.
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not what it should be.
    Format {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        problem: Phrase,
    },
    /// The two sides have no metric in common.
    NothingInCommon {
        /// Those of the base.
        base: Vec<String>,
        /// Those of the candidate.
        candidate: Vec<String>,
    },
    /// Something was told of a metric that no side has.
    NoMetric {
        /// What was named.
        metric: String,
        /// The nearest one there is.
        nearest: Option<String>,
    },
    /// A unit was told of a metric that has one.
    HasUnit {
        /// The metric.
        metric: String,
        /// Its unit.
        unit: String,
    },
}

impl ExchangeError {
    /// A file that is not what it should be.
    pub fn format(path: &Path, problem: impl Into<Phrase>) -> ExchangeError {
        ExchangeError::Format { path: path.to_path_buf(), problem: problem.into() }
    }
}

crate::error::display_what!(ExchangeError);

impl Explain for ExchangeError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }
    fn what(&self) -> Phrase {
        match self {
            ExchangeError::Io { path, .. } => phrase!("{path} cannot be read", path = path.display()),
            ExchangeError::Format { path, problem } => {
                phrase!("{path}: {problem}", path = path.display(), problem)
            }
            ExchangeError::NothingInCommon { .. } => "the two sides have no metric in common".into(),
            ExchangeError::NoMetric { metric, .. } => {
                phrase!("there is no metric '{metric}' in what is imported", metric = clean(metric))
            }
            ExchangeError::HasUnit { metric, unit } => {
                phrase!("the values of '{metric}' are in {unit} already", metric = clean(metric), unit = clean(unit))
            }
        }
    }
    fn why(&self) -> Option<Phrase> {
        match self {
            ExchangeError::NothingInCommon { base, candidate } => Some(phrase!(
                "base: {base}; candidate: {candidate}",
                base = base.join(", "),
                candidate = candidate.join(", ")
            )),
            ExchangeError::NoMetric { nearest: Some(nearest), .. } => {
                Some(phrase!("the nearest is '{nearest}'", nearest = clean(nearest)))
            }
            _ => None,
        }
    }
    fn next(&self) -> Option<Phrase> {
        match self {
            ExchangeError::Format { .. } => Some("git verdict import --help lists the formats".into()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_as_tools_write_them() {
        for (symbol, unit, factor, better) in [
            ("ns/iter", Unit::Seconds, 1e-9, Better::Lower),
            ("ms", Unit::Seconds, 1e-3, Better::Lower),
            ("B/op", Unit::Bytes, 1.0, Better::Lower),
            ("allocs/op", Unit::Count, 1.0, Better::Lower),
            ("iter/sec", Unit::Custom("iter/sec".into()), 1.0, Better::Higher),
            ("MB/s", Unit::Custom("MB/s".into()), 1.0, Better::Higher),
            ("Percent", Unit::Custom("Percent".into()), 1.0, Better::Lower),
            ("", Unit::Count, 1.0, Better::Lower),
        ] {
            assert_eq!(unit_of(symbol), (unit, factor, better), "{symbol}");
        }
    }
}
