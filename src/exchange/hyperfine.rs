//! hyperfine's `--export-json`. Until 2.0: `results`, each with `command`, `times` (s), `exit_codes`, and from 1.20 on
//! `memory_usage_byte`. From 2.0 on (`schema_version` 2): `results`, each with `command` or `name` and `measurements`, one a run.

use super::{Both, ExchangeError, Format, Part, Series, Side, json_of};
use crate::config::Better;
use crate::phrase;
use crate::phrase::plural;
use crate::units::Unit;
use serde::Deserialize;
use std::path::Path;

/// The format.
#[derive(Debug)]
pub struct Hyperfine;

/// The newest version of the file that is known.
const VERSION: u64 = 2;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    schema_version: u64,
    results: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    command: String,
    name: Option<String>,
    #[serde(default)]
    measurements: Vec<Measurement>,
    #[serde(default)]
    times: Vec<f64>,
    median: Option<f64>,
    mean: Option<f64>,
    #[serde(default)]
    memory_usage_byte: Vec<f64>,
    #[serde(default)]
    exit_codes: Vec<Option<i32>>,
    #[serde(skip)]
    instructions: Vec<f64>,
}

#[derive(Deserialize)]
struct Measurement {
    time_wall_clock: Quantity,
    memory_peak_resident: Option<Quantity>,
    instructions: Option<Quantity>,
    exit_code: Option<i32>,
}

/// Times are in seconds, memory in bytes, whatever was asked for.
#[derive(Deserialize)]
struct Quantity {
    value: f64,
}

impl Run {
    /// Takes a run of version 2 for one of version 1.
    fn flat(mut self) -> Run {
        let values = |one: fn(&Measurement) -> Option<&Quantity>| -> Vec<f64> {
            self.measurements.iter().filter_map(|run| Some(one(run)?.value)).collect()
        };
        if !self.measurements.is_empty() {
            self.times = values(|run| Some(&run.time_wall_clock));
            self.memory_usage_byte = values(|run| run.memory_peak_resident.as_ref());
            self.instructions = values(|run| run.instructions.as_ref());
            self.exit_codes = self.measurements.iter().map(|run| run.exit_code).collect();
        }
        self.command = self.name.take().unwrap_or(self.command);
        self
    }
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
        if file.schema_version > VERSION {
            let found = file.schema_version;
            let problem =
                phrase!("its schema version {found} is not known, only {known} and older", found, known = VERSION);
            return Err(ExchangeError::format(path, problem));
        }
        if let Part::Place(place) = part {
            if file.results.len() != 2 {
                let n = file.results.len();
                let problem = phrase!("it holds {n} command{s}; one file for both sides needs two", n, s = plural(n));
                return Err(ExchangeError::format(path, problem));
            }
            file.results = vec![file.results.swap_remove(place)];
        }
        let alone = file.results.len() == 1;
        let mut side = Side::default();
        for run in file.results.into_iter().map(Run::flat) {
            // One that a signal ended has no code.
            if let Some(bad) = run.exit_codes.iter().position(|code| *code != Some(0)) {
                let problem = phrase!("run {n} of '{command}' did not end well", n = bad + 1, command = run.command);
                return Err(ExchangeError::format(path, problem));
            }
            let name = |what: &str| if alone { what.to_string() } else { format!("{what} {}", run.command) };
            let mut summary = || {
                side.notes.push(phrase!("'{metric}' has a summary only, no single times", metric = &run.command));
                run.median.or(run.mean).into_iter().collect()
            };
            let times: Vec<f64> = if run.times.is_empty() { summary() } else { run.times.clone() };
            if times.is_empty() {
                return Err(ExchangeError::format(path, phrase!("'{command}' has no times", command = run.command)));
            }
            side.series.push(Series {
                metric: name("time"),
                unit: Unit::Seconds,
                better: Better::Lower,
                values: times,
            });
            let more =
                [("max_rss", Unit::Bytes, &run.memory_usage_byte), ("instructions", Unit::Count, &run.instructions)];
            for (what, unit, values) in more.into_iter().filter(|(_, _, values)| !values.is_empty()) {
                let (metric, values) = (name(what), values.clone());
                side.series.push(Series { metric, unit, better: Better::Lower, values });
            }
        }
        Ok(side)
    }
}
