//! criterion's folder, `target/criterion`: for each benchmark `<name>/new/` (and `<name>/base/`, the run before it, or
//! `<name>/<baseline>/`) with `benchmark.json`, `sample.json` (`iters`, and `times` in nanoseconds for so many iterations) and
//! `estimates.json`.

use super::{Both, ExchangeError, Format, Part, Series, Side, json_of};
use crate::config::Better;
use crate::units::Unit;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The deepest folder of a benchmark: group, function, parameter, baseline, and some room.
const MAX_DEPTH: usize = 8;
const NANO: f64 = 1e-9;

/// The format.
#[derive(Debug)]
pub struct Criterion;

#[derive(Deserialize)]
struct Sample {
    iters: Vec<f64>,
    times: Vec<f64>,
}

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
}

#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
}

impl Format for Criterion {
    fn name(&self) -> &'static str {
        "criterion"
    }

    fn holds_both(&self) -> Option<Both> {
        Some(Both::ByPlace)
    }

    fn read(&self, path: &Path, part: Part<'_>) -> Result<Side, ExchangeError> {
        let baseline = if part == Part::Place(0) { "base" } else { "new" };
        if !path.is_dir() {
            return Err(ExchangeError::format(path, "it is no folder such as target/criterion"));
        }
        let mut found: Vec<PathBuf> = walkdir::WalkDir::new(path)
            .max_depth(MAX_DEPTH)
            .into_iter()
            .filter_map(Result::ok)
            .map(walkdir::DirEntry::into_path)
            .filter(|file| file.ends_with(format!("{baseline}/estimates.json")))
            .collect();
        found.sort();
        let mut side = Side::default();
        for estimates in found {
            let Some(folder) = estimates.parent() else { continue };
            let place = folder.parent().and_then(|inner| inner.strip_prefix(path).ok());
            let place = place.map(|place| place.to_string_lossy().into_owned()).unwrap_or_default();
            let metric = json_of::<Benchmark>(&folder.join("benchmark.json")).map_or(place, |named| named.full_id);
            let sample = folder.join("sample.json");
            let values = if sample.exists() {
                let sample: Sample = json_of(&sample)?;
                sample.times.iter().zip(&sample.iters).map(|(time, iters)| time / iters * NANO).collect()
            } else {
                side.notes.push(format!("'{metric}' has a summary only, no single times"));
                vec![json_of::<Estimates>(&estimates)?.median.point_estimate * NANO]
            };
            side.series.push(Series { metric, unit: Unit::Seconds, better: Better::Lower, values });
        }
        if side.series.is_empty() {
            return Err(ExchangeError::format(path, format!("no benchmark in it has a folder '{baseline}'")));
        }
        Ok(side)
    }
}
