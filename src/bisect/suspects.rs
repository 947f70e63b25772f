//! Who is to blame, from all that was read: how likely each suspect is the first bad commit, and when to go on elsewhere.
//!
//! A suspect that is to blame makes every commit bad that has it in its history, and no other. So each suspect puts every probe on
//! one side, and the pairs of all probes together say how likely that is ([`Levels::log_likelihood`]). No probe has to be certain
//! by itself: what a later one says of it counts, too.

use crate::stats::levels::{self, Levels, Sides, ThreeWays};
use crate::stats::student::normal_cdf;

/// How likely a side is when the search goes on with another commit; it comes back if that was rash.
pub const LIKELY: f64 = 0.95;

/// So few rounds are never given up.
const FUTILE_FROM: usize = 8;

/// Ends are given up when the rounds that are left settle them with less than this chance.
const HOPE: f64 = 0.05;

/// What is known of one probe, apart from its readings.
#[derive(Debug, Clone, PartialEq)]
pub struct Probed {
    /// For each suspect, whether it is in the history of the probe: then the probe is bad if that one is to blame.
    pub blames: Vec<bool>,
}

/// The chance of each suspect, all of them equally likely before anything was read. Of what is not `possible` nothing is left, unless
/// nothing is possible at all.
pub fn chances(levels: &Levels, probes: &[(&Sides, &Probed)], possible: &[bool]) -> Vec<f64> {
    let none = possible.iter().all(|possible| !possible);
    // Suspects next to each other put all probes on the same sides.
    let mut last: Option<(Vec<bool>, f64)> = None;
    let mut likely = |suspect: usize| {
        let bad: Vec<bool> = probes.iter().map(|(_, probe)| probe.blames[suspect]).collect();
        match &last {
            Some((same, likely)) if *same == bad => *likely,
            _ => {
                let all: Vec<(&Sides, bool)> =
                    probes.iter().map(|(sides, _)| *sides).zip(bad.iter().copied()).collect();
                let likely = levels.log_likelihood(&all);
                last = Some((bad, likely));
                likely
            }
        }
    };
    let all: Vec<f64> = (0..possible.len())
        .map(|suspect| if none || possible[suspect] { likely(suspect) } else { f64::NEG_INFINITY })
        .collect();
    let most = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = all.iter().map(|one| (one - most).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

/// The chance that a probe is bad.
pub fn bad(chances: &[f64], probe: &Probed) -> f64 {
    chances.iter().zip(&probe.blames).filter(|(_, blames)| **blames).map(|(chance, _)| chance).sum::<f64>().min(1.0)
}

/// The likeliest suspect, and its chance.
pub fn likeliest(chances: &[f64]) -> (usize, f64) {
    let most =
        |best: (usize, f64), (place, chance): (usize, &f64)| if *chance > best.1 { (place, *chance) } else { best };
    chances.iter().enumerate().fold((0, 0.0), most)
}

/// The fewest suspects that hold the first bad commit with this chance, the likeliest first.
pub fn fewest(chances: &[f64], wanted: f64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..chances.len()).collect();
    order.sort_by(|a, b| chances[*b].total_cmp(&chances[*a]));
    let mut held = 0.0;
    let enough = order.iter().position(|suspect| {
        held += chances[*suspect];
        held >= wanted
    });
    order.truncate(enough.map_or(order.len(), |last| last + 1));
    order
}

/// Of which probe to ask once more: that whose side is least certain, of those that may be.
pub fn least_certain(chances: &[f64], probes: &[(usize, &Probed)]) -> Option<usize> {
    let doubt = |probe: &Probed| (bad(chances, probe) - 0.5).abs();
    probes.iter().min_by(|a, b| doubt(a.1).total_cmp(&doubt(b.1))).map(|(number, _)| *number)
}

/// When a search has enough.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// The chance of a wrong answer that the ends may have, and the commit that is named.
    pub share: f64,
    /// At most so many rounds for the ends, and for each probe.
    pub most: usize,
}

/// What the rounds of a probe say, beside those of all others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// The log odds that it is bad.
    pub odds: f64,
    /// The log odds from which on that is enough.
    pub wanted: f64,
    /// Whether one suspect is likely enough.
    pub over: bool,
}

impl Rules {
    /// What these chances say of a probe; one that was looked at `before` is looked at until its side is certain.
    pub fn standing(&self, chances: &[f64], probe: &Probed, before: bool) -> Standing {
        let bad = bad(chances, probe).clamp(1e-12, 1.0 - 1e-12);
        let certain = if before { 1.0 - self.share / 2.0 } else { LIKELY };
        let over = likeliest(chances).1 >= 1.0 - self.share;
        Standing { odds: (bad / (1.0 - bad)).ln(), wanted: levels::threshold(1.0 - certain), over }
    }

    /// Whether the search leaves a probe after so many rounds, `had` of which it had before: its side is likely enough, or the rounds
    /// that are left would not make it so, not even if each said as much as it ever may ([`Levels::gain`]).
    pub fn leaves(&self, rounds: usize, had: usize, standing: Standing, gain: f64) -> bool {
        let open = standing.wanted - standing.odds.abs();
        let left = self.most.saturating_sub(rounds) as f64;
        let enough = rounds > had && (standing.over || open <= 0.0);
        enough || rounds >= self.most || (rounds >= FUTILE_FROM && left * gain < open)
    }

    /// After how many more rounds to look again: every one of the first, then more at a time, since each says less and less.
    pub fn pace(rounds: usize) -> usize {
        (rounds / 16).max(1)
    }

    /// Whether the bad end is worse.
    pub fn worse(&self, ends: &ThreeWays) -> bool {
        ends.worse >= 1.0 - self.share
    }

    /// Whether the ends are given up after so many pairs: with those that are left, neither that one is worse nor that it is not worse
    /// by `margin` is likely enough to come out, wherever the step is that these pairs leave possible.
    pub fn hopeless(&self, pairs: usize, ends: &ThreeWays, margin: f64) -> bool {
        if pairs < FUTILE_FROM || pairs >= self.most {
            return false;
        }
        // What is seen in the end is what is seen now, give or take what the pairs that are left can change.
        let at_last = ends.error * (pairs as f64 / self.most as f64).sqrt();
        let change = (ends.error.powi(2) - at_last.powi(2)).sqrt();
        let errors = (2.0 * levels::threshold(self.share)).sqrt();
        let worse = 1.0 - normal_cdf((errors * at_last - ends.step) / change);
        let not = normal_cdf((margin - errors * at_last - ends.step) / change);
        worse + not < HOPE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Scale;
    use crate::stats::levels::{Kind, Pair, Wanted};

    const WANTED: Wanted = Wanted { scale: Scale::LogRatio, worse: 1.0, least: 0.01 };

    fn pair(kind: Kind, first: f64, second: f64) -> Pair {
        Pair { kind, first, second }
    }

    #[test]
    fn suspects_are_told_apart_only_by_probes_between_them_and_what_is_impossible_is_not_named() {
        let ends: Vec<Pair> = (0..6).map(|n| pair(Kind::Ends, 1.0, 1.1 + 0.001 * f64::from(n))).collect();
        let own = [pair(Kind::FromGood, 0.999, 1.101), pair(Kind::ToBad, 1.1, 1.101)];
        let levels = Levels::of(&ends, &[&own], WANTED).unwrap();
        let (sides, probe) = (levels.sides(&own), Probed { blames: vec![true, true, false, false] });
        let all = chances(&levels, &[(&sides, &probe)], &[true; 4]);
        assert!((all[0] - all[1]).abs() < 1e-12 && all[0] > 0.49 && all[2] < 0.01, "{all:?}");
        assert_eq!(fewest(&all, 0.95), [0, 1]);
        assert!(bad(&all, &probe) > 0.98);
        let some = chances(&levels, &[(&sides, &probe)], &[false, true, true, true]);
        assert_eq!((some[0], likeliest(&some).0), (0.0, 1));
        assert_eq!(chances(&levels, &[(&sides, &probe)], &[false; 4]), all);
    }

    #[test]
    fn ends_are_given_up_when_the_rounds_that_are_left_settle_nothing_and_not_before() {
        let rules = Rules { share: 0.025, most: 60 };
        let ends = |step, error| ThreeWays { worse: 0.5, better: 0.1, step, error };
        assert!(
            rules.hopeless(40, &ends(0.008, 0.01), 0.01),
            "twenty more pairs show neither a loss nor that there is none"
        );
        assert!(!Rules { most: 600, ..rules }.hopeless(40, &ends(0.008, 0.01), 0.01), "600 would");
        assert!(!rules.hopeless(40, &ends(0.02, 0.01), 0.01), "a loss of that size may well be shown");
        assert!(!rules.hopeless(12, &ends(0.008, 0.03), 0.01), "so few pairs leave everything open");
        assert!(!rules.hopeless(5, &ends(0.008, 0.001), 0.01), "too early to tell");
        assert!(rules.hopeless(50, &ends(0.016, 0.01), 0.01), "ten more pairs change too little");
    }

    #[test]
    fn a_probe_is_left_when_its_side_is_likely_or_cannot_become_so() {
        let rules = Rules { share: 0.025, most: 60 };
        let open = Standing { odds: 1.0, wanted: 3.0, over: false };
        assert!(rules.leaves(1, 0, Standing { odds: -3.1, ..open }, 0.1));
        assert!(!rules.leaves(1, 1, Standing { odds: -3.1, ..open }, 0.1), "no round was taken");
        assert!(!rules.leaves(20, 0, open, 0.1) && rules.leaves(41, 0, open, 0.1), "2.0 is twenty rounds away");
        assert!(rules.leaves(60, 0, open, 9.0));
    }
}
