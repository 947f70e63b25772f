//! github-action-benchmark: the list that `customSmallerIsBetter` and `customBiggerIsBetter` take (`name`, `unit`, `value`), and
//! the `data.js` that the action keeps, in which runs are found by their commit.

use super::{Both, ExchangeError, Format, Part, Series, Side, text_of, unit_of};
use crate::config::Better;
use crate::phrase;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The format.
#[derive(Debug)]
pub struct GithubActionBenchmark;

#[derive(Deserialize)]
struct Data {
    entries: BTreeMap<String, Vec<Run>>,
}

#[derive(Deserialize)]
struct Run {
    commit: Commit,
    #[serde(default)]
    tool: String,
    benches: Vec<Bench>,
}

#[derive(Deserialize)]
struct Commit {
    id: String,
}

#[derive(Deserialize)]
struct Bench {
    name: String,
    #[serde(default)]
    unit: String,
    value: f64,
}

impl Format for GithubActionBenchmark {
    fn name(&self) -> &'static str {
        "github-action-benchmark"
    }

    fn holds_both(&self) -> Option<Both> {
        Some(Both::ByCommit)
    }

    fn read(&self, path: &Path, part: Part<'_>) -> Result<Side, ExchangeError> {
        let wrong = |error: serde_json::Error| ExchangeError::format(path, error.to_string());
        let text = text_of(path)?;
        let text = text.trim();
        if text.starts_with('[') {
            if part != Part::Whole {
                return Err(ExchangeError::format(
                    path,
                    "a list holds one side; give one for base and one for candidate",
                ));
            }
            let benches: Vec<Bench> = serde_json::from_str(text).map_err(wrong)?;
            return Ok(side(None, &[("", &benches)]));
        }
        // `window.BENCHMARK_DATA = {...}`, and a semicolon perhaps.
        let json = text.split_once('=').filter(|(name, _)| !name.contains('{')).map_or(text, |(_, json)| json);
        let data: Data = serde_json::from_str(json.trim().trim_end_matches(';')).map_err(wrong)?;
        let Part::Commit(wanted) = part else {
            return Err(ExchangeError::format(path, "it holds many commits; give this one file alone"));
        };
        let runs: Vec<&Run> = data.entries.values().flatten().filter(|run| run.commit.id == wanted).collect();
        if runs.is_empty() {
            return Err(ExchangeError::format(path, phrase!("no run of commit {wanted} is in it", wanted)));
        }
        let runs: Vec<(&str, &Vec<Bench>)> = runs.iter().map(|run| (run.tool.as_str(), &run.benches)).collect();
        Ok(side(Some(wanted.to_string()), &runs))
    }
}

/// The readings of all runs of a commit together, each with the tool that it is from.
fn side(commit: Option<String>, runs: &[(&str, &Vec<Bench>)]) -> Side {
    let mut side = Side { commit, ..Side::default() };
    let names: BTreeSet<&str> =
        runs.iter().flat_map(|(_, benches)| benches.iter().map(|bench| bench.name.as_str())).collect();
    for (tool, bench) in runs.iter().flat_map(|(tool, benches)| benches.iter().map(move |bench| (*tool, bench))) {
        // Of a Go benchmark with several numbers, the unit of the first is followed by all others. Newer versions of the action
        // add each of them under a name of its own.
        let (unit, others) = bench.unit.split_once('\t').unwrap_or((&bench.unit, ""));
        let own = format!("{} - {}", bench.name, unit.trim());
        if !others.is_empty() && names.contains(own.as_str()) {
            continue;
        }
        let (unit, factor, better) = unit_of(unit);
        let better = match tool {
            "customBiggerIsBetter" => Better::Higher,
            "customSmallerIsBetter" => Better::Lower,
            _ => better,
        };
        let value = bench.value * factor;
        match side.series.iter_mut().find(|series| series.metric == bench.name) {
            Some(series) => series.values.push(value),
            None => side.series.push(Series { metric: bench.name.clone(), unit, better, values: vec![value] }),
        }
    }
    side
}
