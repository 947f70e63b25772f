//! hyperfine's `--export-json`: `results`, each with `command`, `times` (s), `exit_codes`, and from 1.20 on
//! `memory_usage_byte`.

use super::{Both, ExchangeError, Format, Part, Series, Side, json_of};
use crate::config::Better;
use crate::units::Unit;
use serde::Deserialize;
use std::path::Path;

/// The format.
#[derive(Debug)]
pub struct Hyperfine;

#[derive(Deserialize)]
struct File {
    results: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    command: String,
    #[serde(default)]
    times: Vec<f64>,
    median: Option<f64>,
    mean: Option<f64>,
    #[serde(default)]
    memory_usage_byte: Vec<f64>,
    #[serde(default)]
    exit_codes: Vec<Option<i32>>,
}

impl Format for Hyperfine {
    fn name(&self) -> &'static str {
        "hyperfine"
    }

    fn holds_both(&self) -> Option<Both> {
        Some(Both::ByPlace)
    }

    fn read(&self, path: &Path, part: Part<'_>) -> Result<Side, ExchangeError> {
        let mut file: File = json_of(path)?;
        if let Part::Place(place) = part {
            if file.results.len() != 2 {
                let count = file.results.len();
                let plural = if count == 1 { "" } else { "s" };
                let problem = format!("it holds {count} command{plural}; one file for both sides needs two");
                return Err(ExchangeError::format(path, problem));
            }
            file.results = vec![file.results.swap_remove(place)];
        }
        let alone = file.results.len() == 1;
        let mut side = Side::default();
        for run in file.results {
            if let Some(bad) = run.exit_codes.iter().position(|code| code.is_some_and(|code| code != 0)) {
                let problem = format!("run {} of '{}' did not end well", bad + 1, run.command);
                return Err(ExchangeError::format(path, problem));
            }
            let name = |what: &str| if alone { what.to_string() } else { format!("{what} {}", run.command) };
            let mut summary = || {
                side.notes.push(format!("'{}' has a summary only, no single times", run.command));
                run.median.or(run.mean).into_iter().collect()
            };
            let times: Vec<f64> = if run.times.is_empty() { summary() } else { run.times.clone() };
            if times.is_empty() {
                return Err(ExchangeError::format(path, format!("'{}' has no times", run.command)));
            }
            side.series.push(Series {
                metric: name("time"),
                unit: Unit::Seconds,
                better: Better::Lower,
                values: times,
            });
            if !run.memory_usage_byte.is_empty() {
                let metric = name("max_rss");
                let values = run.memory_usage_byte;
                side.series.push(Series { metric, unit: Unit::Bytes, better: Better::Lower, values });
            }
        }
        Ok(side)
    }
}
