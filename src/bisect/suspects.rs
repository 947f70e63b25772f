//! Who is to blame, from all that was read: how likely each suspect is the first bad commit.
//!
//! A suspect that is to blame makes every commit bad that has it in its history, and no other. So each suspect puts every probe on
//! one side, and the rounds of all probes together say how likely that is ([`Contrasts::log_likelihood`]). No probe has to be certain
//! by itself: what a later one says of it counts, too.

use crate::stats::levels::Contrasts;

/// What is known of one probe, apart from its readings.
#[derive(Debug, Clone, PartialEq)]
pub struct Probed {
    /// For each suspect, whether it is in the history of the probe: then the probe is bad if that one is to blame.
    pub blames: Vec<bool>,
}

/// The chance of each suspect, all of them equally likely before anything was read. `probes` are those of the contrasts, in their
/// order; of what is not `possible` nothing is left, unless nothing is possible at all.
pub fn chances(contrasts: &Contrasts, probes: &[&Probed], possible: &[bool], worse: f64) -> Vec<f64> {
    let none = possible.iter().all(|possible| !possible);
    // Suspects next to each other put all probes on the same sides.
    let mut last: Option<(Vec<bool>, f64)> = None;
    let mut likely = |suspect: usize| {
        let sides: Vec<bool> = probes.iter().map(|probe| probe.blames[suspect]).collect();
        match &last {
            Some((same, likely)) if *same == sides => *likely,
            _ => {
                let side = |probe: usize| if sides[probe] { 1.0 } else { -1.0 };
                let likely = contrasts.log_likelihood(&side, worse);
                last = Some((sides, likely));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::levels::{self, Trio};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    use std::collections::BTreeMap;

    /// What a machine does to a reading.
    #[derive(Clone, Copy, PartialEq)]
    enum Noise {
        /// Normal, each reading for itself.
        Even,
        /// The same on top of a drift that is larger than the step and remembers nine tenths of itself.
        Drift,
        /// Bursts of other work: one reading in six is up to half as long again.
        Bursts,
    }

    struct Machine {
        random: StdRng,
        noise: Noise,
        spread: f64,
        drift: f64,
    }

    impl Machine {
        fn normal(&mut self) -> f64 {
            let (a, b): (f64, f64) = (self.random.random_range(1e-12..1.0), self.random.random());
            (-2.0 * a.ln()).sqrt() * (2.0 * std::f64::consts::PI * b).cos()
        }

        fn read(&mut self, level: f64) -> f64 {
            if self.noise == Noise::Drift {
                self.drift = 0.9 * self.drift + 0.05 * self.normal();
            }
            let burst = self.noise == Noise::Bursts && self.random.random_range(0..6) == 0;
            let slow = if burst { self.random.random_range(0.0..0.5) } else { 0.0 };
            level * (self.spread * self.normal() + self.drift).exp() * (1.0 + slow)
        }

        fn trio(&mut self, step: f64, bad: bool) -> Trio {
            let good = self.read(1.0);
            let probe = self.read(if bad { step } else { 1.0 });
            Trio { good, bad: self.read(step), probe: Some(probe) }
        }
    }

    const COMMITS: usize = 16;
    const MOST: usize = 60;

    /// Searches commits in a row of which those from `first` on are bad: the suspect that is named, and the rounds it took. `shared`
    /// is the search as it is made; without it every probe is settled by itself, with its share of the error.
    fn search(seed: u64, noise: Noise, error: f64, shared: bool) -> (bool, bool, usize) {
        let mut random = StdRng::seed_from_u64(seed);
        let first = random.random_range(0..COMMITS);
        let mut machine = Machine { random, noise, spread: 0.03, drift: 0.0 };
        let step = 1.05;
        let ends: Vec<Trio> = (0..8).map(|_| Trio { probe: None, ..machine.trio(step, false) }).collect();
        let blames = |probe: usize| Probed { blames: (0..COMMITS).map(|suspect| suspect <= probe).collect() };
        let mut taken: BTreeMap<usize, (Probed, Vec<Trio>)> = BTreeMap::new();
        let chances_of = |taken: &BTreeMap<usize, (Probed, Vec<Trio>)>| {
            let rounds: Vec<&[Trio]> = taken.values().map(|(_, own)| own.as_slice()).collect();
            let probes: Vec<&Probed> = taken.values().map(|(probed, _)| probed).collect();
            let contrasts = levels::together(&ends, &rounds, crate::stats::Scale::LogRatio);
            chances(&contrasts, &probes, &[true; COMMITS], 1.0)
        };
        let (mut low, mut high) = (0, COMMITS - 1);
        loop {
            let rounds: usize = taken.values().map(|(_, own)| own.len()).sum();
            let chances = chances_of(&taken);
            let (named, chance) = likeliest(&chances);
            let probe = if shared {
                if chance >= 1.0 - error {
                    return (named == first, true, rounds);
                }
                low = taken.keys().filter(|probe| **probe < named).max().map_or(0, |probe| probe + 1);
                high = taken.keys().filter(|probe| **probe >= named).min().copied().unwrap_or(COMMITS - 1);
                if low < high && chances[low..=high].iter().sum::<f64>() >= 0.5 {
                    (low + high) / 2
                } else {
                    let again: Vec<(usize, &Probed)> = taken
                        .iter()
                        .filter(|(_, (_, own))| own.len() < MOST)
                        .map(|(probe, (probed, _))| (*probe, probed))
                        .collect();
                    match least_certain(&chances, &again) {
                        Some(probe) => probe,
                        None => return (false, false, rounds),
                    }
                }
            } else {
                if low == high {
                    return (low == first, true, rounds);
                }
                (low + high) / 2
            };
            let had = taken.get(&probe).map_or(0, |(_, own)| own.len());
            taken.entry(probe).or_insert_with(|| (blames(probe), Vec::new()));
            loop {
                let trio = machine.trio(step, probe >= first);
                let own = &mut taken.get_mut(&probe).unwrap().1;
                own.push(trio);
                let count = own.len();
                if count < 2.max(had + 1) {
                    continue;
                }
                if shared {
                    let chances = chances_of(&taken);
                    let bad = bad(&chances, &blames(probe));
                    let wanted = if had == 0 { 0.95 } else { 1.0 - error / 2.0 };
                    if bad.max(1.0 - bad) >= wanted || likeliest(&chances).1 >= 1.0 - error || count >= MOST {
                        break;
                    }
                } else {
                    let all: Vec<Trio> = ends.iter().chain(&taken[&probe].1).copied().collect();
                    let odds = levels::contrasts(&all, crate::stats::Scale::LogRatio).log_odds();
                    if odds.abs() >= levels::threshold(error / 4.0) || count >= MOST {
                        if odds > 0.0 {
                            high = probe
                        } else {
                            low = probe + 1
                        }
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn the_wrong_commit_is_named_no_oftener_than_stated_whatever_the_machine_does_and_rounds_are_saved() {
        let error = 0.05;
        let mean = |all: &[(bool, bool, usize)]| {
            all.iter().map(|(_, _, rounds)| rounds).sum::<usize>() as f64 / all.len() as f64
        };
        let wrong = |all: &[(bool, bool, usize)]| all.iter().filter(|(right, named, _)| *named && !right).count();
        for (noise, name) in [(Noise::Even, "even"), (Noise::Drift, "drift"), (Noise::Bursts, "bursts")] {
            // Searches among noise are long.
            let (searches, most) = if noise == Noise::Even { (120, 16) } else { (40, 7) };
            let all: Vec<_> = (0..searches).map(|seed| search(seed, noise, error, true)).collect();
            println!("{name}: {} of {searches} wrong, {:.1} rounds", wrong(&all), mean(&all));
            // 5 % of 120 is 6, of 40 it is 2; four standard deviations of that are 10, and 5.
            assert!(wrong(&all) <= most, "{name}: {} of {searches} wrong", wrong(&all));
            if noise == Noise::Even {
                let alone: Vec<_> = (0..searches).map(|seed| search(seed, noise, error, false)).collect();
                println!("each probe by itself: {} wrong, {:.1} rounds", wrong(&alone), mean(&alone));
                assert!(mean(&all) < mean(&alone), "{} rounds, {} by themselves", mean(&all), mean(&alone));
            }
        }
    }

    #[test]
    fn suspects_are_told_apart_only_by_probes_between_them_and_what_is_impossible_is_not_named() {
        let trio = |bad: bool| Trio { good: 1.0, bad: 1.1, probe: Some(if bad { 1.101 } else { 0.999 }) };
        let ends: Vec<Trio> =
            (0..6).map(|n| Trio { good: 1.0, bad: 1.1 + 0.001 * f64::from(n), probe: None }).collect();
        let rounds = vec![trio(true); 4];
        let contrasts = levels::together(&ends, &[&rounds], crate::stats::Scale::LogRatio);
        let probe = Probed { blames: vec![true, true, false, false] };
        let all = chances(&contrasts, &[&probe], &[true; 4], 1.0);
        assert!((all[0] - all[1]).abs() < 1e-12 && all[0] > 0.49 && all[2] < 0.01, "{all:?}");
        assert_eq!(fewest(&all, 0.95), [0, 1]);
        assert!(bad(&all, &probe) > 0.98);
        let some = chances(&contrasts, &[&probe], &[false, true, true, true], 1.0);
        assert_eq!((some[0], likeliest(&some).0), (0.0, 1));
        assert_eq!(chances(&contrasts, &[&probe], &[false; 4], 1.0), all);
    }
}
