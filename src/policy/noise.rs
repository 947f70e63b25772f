//! What a machine's noise allows: how often a difference is claimed where there is none, and how small a difference is found.
//!
//! Readings of one tree against itself (A/A) are made into trials: as many consecutive pairs as were taken, from a random
//! one on and around the end, so that slow drifts stay in them, each pair with its two readings swapped or not by the toss
//! of a coin. A known effect is then multiplied in. Every trial is judged by the rule that judges experiments, with a
//! `matters` so small ([`ANY`]) that any difference counts.

use crate::config::{Better, Matters};
use crate::stats::{self, Criticals, Looks, Word};
use crate::units::Ratio;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Serialize;

/// What counts as a difference in trials.
pub const ANY: f64 = 0.001;

/// The effects that are tried, smallest first.
pub const EFFECTS: &[f64] = &[0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5];

/// In how many of the trials an effect has to be found.
pub const POWER: f64 = 0.8;

/// What trials made of one metric's readings say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Study {
    /// Pairs of each trial.
    pub pairs: usize,
    /// Trials for each effect.
    pub trials: usize,
    /// Trials without an effect in which one was claimed.
    pub false_claims: usize,
    /// The smallest of [`EFFECTS`] that at least [`POWER`] of the trials found; none when they found not even the largest.
    pub smallest_effect: Option<f64>,
}

impl Study {
    /// The share of trials with a false claim.
    pub fn false_claim_rate(&self) -> f64 {
        self.false_claims as f64 / self.trials.max(1) as f64
    }
}

/// Judges trials made of these pairs; the same seed gives the same study. None for fewer than two pairs.
pub fn study(pairs: &[(f64, f64)], trials: usize, seed: u64) -> Option<Study> {
    if pairs.len() < 2 {
        return None;
    }
    let looks = Looks::up_to(Some(pairs.len().min(Looks::up_to(None).last())));
    let mut bench = Bench { pairs, length: looks.last(), looks, criticals: Criticals::default(), trials, seed };
    let false_claims = trials - bench.count(0.0, &|word| !matches!(word, Word::Improved | Word::Regressed));
    let enough = (trials as f64 * POWER).ceil() as usize;
    let found = |bench: &mut Bench<'_>, effect: f64| bench.count(effect, &|word| word == Word::Improved) >= enough;
    let smallest_effect = EFFECTS.iter().copied().find(|effect| found(&mut bench, *effect));
    Some(Study { pairs: bench.length, trials, false_claims, smallest_effect })
}

struct Bench<'a> {
    pairs: &'a [(f64, f64)],
    length: usize,
    looks: Looks,
    criticals: Criticals,
    trials: usize,
    seed: u64,
}

impl Bench<'_> {
    /// In how many trials with this effect the word is as wanted.
    fn count(&mut self, effect: f64, wanted: &dyn Fn(Word) -> bool) -> usize {
        let mut random = StdRng::seed_from_u64(self.seed);
        let mut hits = 0;
        for _ in 0..self.trials {
            let from = random.random_range(0..self.pairs.len());
            let trial: Vec<(f64, f64)> = (0..self.length)
                .map(|i| {
                    let (a, b) = self.pairs[(from + i) % self.pairs.len()];
                    let (a, b) = if random.random() { (b, a) } else { (a, b) };
                    (a, b * (1.0 - effect))
                })
                .collect();
            let (matters, better) = (Matters::Relative(Ratio(ANY)), Better::Lower);
            let look = stats::decide(&trial, matters, better, &self.looks, &mut self.criticals, |_| 1).ok().flatten();
            let word = look.and_then(|look| look.word).unwrap_or(Word::Inconclusive);
            hits += usize::from(wanted(word));
        }
        hits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Readings whose logarithms are spread evenly within plus or minus `spread`.
    fn noise(spread: f64, n: usize) -> Vec<(f64, f64)> {
        let mut random = StdRng::seed_from_u64(5);
        let mut one = || 10.0 * (spread * (random.random::<f64>() * 2.0 - 1.0)).exp();
        (0..n).map(|_| (one(), one())).collect()
    }

    #[test]
    fn a_noisier_machine_shows_only_larger_effects() {
        let quiet = study(&noise(0.002, 20), 60, 1).unwrap();
        let loud = study(&noise(0.1, 20), 60, 1).unwrap();
        let (Some(small), Some(large)) = (quiet.smallest_effect, loud.smallest_effect) else {
            panic!("{quiet:?} {loud:?}")
        };
        assert!(small <= 0.01 && large >= 0.05, "{small} {large}");
        assert_eq!(study(&noise(3.0, 8), 40, 1).unwrap().smallest_effect, None);
    }

    #[test]
    fn differences_are_seldom_claimed_where_there_are_none() {
        for spread in [0.002, 0.1] {
            let study = study(&noise(spread, 16), 200, 2).unwrap();
            assert!(study.false_claim_rate() <= 0.1, "{study:?}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_study_and_one_pair_gives_none() {
        let pairs = noise(0.05, 10);
        assert_eq!(study(&pairs, 30, 7), study(&pairs, 30, 7));
        assert_eq!(study(&pairs[..1], 30, 7), None);
        let zero = study(&[(0.0, 0.0); 6], 10, 7).unwrap();
        assert_eq!((zero.false_claims, zero.smallest_effect), (0, None));
    }
}
