//! criterion's folder, `target/criterion`: for each benchmark `<name>/new/`, the last run, and `<name>/base/` (or
//! `<name>/<baseline>/`), the one that it is compared with, with `benchmark.json`, `sample.json` (`iters`, and `times` in nanoseconds for so many iterations) and
//! `estimates.json`.
//!
//! Unless it is told otherwise (`--baseline base`), criterion ends a run by writing it over `base/` as well: then both are one run
//! and say nothing.

use super::{Both, ExchangeError, Format, Part, Series, Side, json_of};
use crate::config::Better;
use crate::phrase;
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
        let mut same = 0usize;
        for estimates in found {
            let Some(folder) = estimates.parent() else { continue };
            let place = folder.parent().and_then(|inner| inner.strip_prefix(path).ok());
            let place = place.map(|place| place.to_string_lossy().into_owned()).unwrap_or_default();
            let metric = json_of::<Benchmark>(&folder.join("benchmark.json")).map_or(place, |named| named.full_id);
            let sample = folder.join("sample.json");
            if part != Part::Whole && one_run(folder) {
                same += 1;
                continue;
            }
            let values = if sample.exists() {
                let sample: Sample = json_of(&sample)?;
                sample.times.iter().zip(&sample.iters).map(|(time, iters)| time / iters * NANO).collect()
            } else {
                side.notes.push(phrase!("'{metric}' has a summary only, no single times", metric = &metric));
                vec![json_of::<Estimates>(&estimates)?.median.point_estimate * NANO]
            };
            side.series.push(Series { metric, unit: Unit::Seconds, better: Better::Lower, values });
        }
        if same > 0 && side.series.is_empty() {
            let problem = "base/ and new/ hold the same run; run the candidate with cargo bench -- --baseline base";
            return Err(ExchangeError::format(path, problem));
        }
        if same > 0 && part == Part::Place(1) {
            side.notes.push(phrase!("{same} left out: base/ and new/ hold the same run", same));
        }
        if side.series.is_empty() {
            return Err(ExchangeError::format(path, phrase!("no benchmark in it has a folder '{baseline}'", baseline)));
        }
        Ok(side)
    }
}

/// Whether the folder of a run and the one beside it are copies of each other.
fn one_run(folder: &Path) -> bool {
    let read = |baseline: &str, name: &str| std::fs::read(folder.with_file_name(baseline).join(name)).ok();
    ["sample.json", "estimates.json"].iter().all(|name| read("base", name) == read("new", name))
}
