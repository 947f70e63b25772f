//! Commands that take turns.

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::timing::median;

/// One of those that take turns. `run` gives the seconds of one run and, where it is asked for, the peak of memory in bytes.
pub struct Contender<'a> {
    pub tool: &'a str,
    pub what: String,
    pub run: Box<dyn FnMut() -> (f64, Option<f64>) + 'a>,
}

impl<'a> Contender<'a> {
    pub fn new(tool: &'a str, what: impl Into<String>, mut run: impl FnMut() -> f64 + 'a) -> Contender<'a> {
        Contender { tool, what: what.into(), run: Box::new(move || (run(), None)) }
    }
}

/// What came of one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Timing {
    pub tool: String,
    pub what: String,
    pub median: f64,
    pub fastest: f64,
    pub runs: usize,
    /// Bytes.
    pub peak: Option<f64>,
}

/// Runs all of them `rounds` times, in another random order each round, after one run each that does not count. One that has
/// taken `budget` seconds in all sits out the later rounds, but not before its third.
pub fn race(mut contenders: Vec<Contender<'_>>, rounds: usize, budget: f64) -> Vec<Timing> {
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); contenders.len()];
    let mut peaks: Vec<Option<f64>> = vec![None; contenders.len()];
    let mut order: Vec<usize> = (0..contenders.len()).collect();
    for round in 0..=rounds {
        order.shuffle(&mut rand::rng());
        for &place in &order {
            if times[place].len() >= 3 && times[place].iter().sum::<f64>() > budget {
                continue;
            }
            let (seconds, peak) = (contenders[place].run)();
            if round > 0 {
                times[place].push(seconds);
                peaks[place] = peak.map(|bytes| bytes.max(peaks[place].unwrap_or(0.0)));
            }
        }
    }
    let found = contenders.iter().zip(times).zip(peaks).map(|((contender, times), peak)| Timing {
        tool: contender.tool.into(),
        what: contender.what.clone(),
        fastest: times.iter().copied().fold(f64::INFINITY, f64::min),
        runs: times.len(),
        median: median(times),
        peak,
    });
    let found: Vec<Timing> = found.collect();
    for timing in &found {
        eprintln!("  {:17} {:>9.1} ms  {}", timing.tool, timing.median * 1e3, timing.what);
    }
    found
}
