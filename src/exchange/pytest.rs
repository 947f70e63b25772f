//! pytest-benchmark's `--benchmark-json`: `benchmarks`, each with `fullname` and `stats`, whose `data` (seconds for one call of
//! each round) is there with `--benchmark-save-data` or in files written by `--benchmark-json`; `commit_info` names the commit.

use super::{ExchangeError, Format, Part, Series, Side, json_of};
use crate::config::Better;
use crate::phrase;
use crate::units::Unit;
use serde::Deserialize;
use std::path::Path;

/// The format.
#[derive(Debug)]
pub struct PytestBenchmark;

#[derive(Deserialize)]
struct File {
    benchmarks: Vec<Benchmark>,
    #[serde(default)]
    commit_info: CommitInfo,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct CommitInfo {
    id: Option<String>,
    dirty: bool,
}

#[derive(Deserialize)]
struct Benchmark {
    name: String,
    fullname: Option<String>,
    stats: Stats,
}

#[derive(Deserialize)]
struct Stats {
    #[serde(default)]
    data: Vec<f64>,
    median: f64,
}

impl Format for PytestBenchmark {
    fn name(&self) -> &'static str {
        "pytest-benchmark"
    }

    fn read(&self, path: &Path, _part: Part<'_>) -> Result<Side, ExchangeError> {
        let file: File = json_of(path)?;
        let mut side = Side { commit: file.commit_info.id, ..Side::default() };
        if file.commit_info.dirty {
            side.notes.push("it was measured with uncommitted changes".into());
        }
        for one in file.benchmarks {
            let metric = one.fullname.unwrap_or(one.name);
            if one.stats.data.is_empty() {
                side.notes.push(phrase!(
                    "'{metric}' has a summary only; --benchmark-save-data keeps the times",
                    metric = &metric
                ));
            }
            let values = if one.stats.data.is_empty() { vec![one.stats.median] } else { one.stats.data };
            side.series.push(Series { metric, unit: Unit::Seconds, better: Better::Lower, values });
        }
        Ok(side)
    }
}
