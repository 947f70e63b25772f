//! Bisections that are played through on noise: ours, by the rules of the program, and the peer's, with a fixed number of runs
//! for each commit.

#![allow(dead_code)]

use git_verdict::bisect::suspects::{self, Probed, Rules};
use git_verdict::config::{Better, Matters};
use git_verdict::stats::levels::{self, Kind, Levels, Pair, Sides, Wanted};
use git_verdict::stats::{Criticals, Looks, Scale, Word, look, median};
use git_verdict::units::Ratio;

/// Numbers that are the same for the same seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1)
    }

    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to, not including, 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.unit() * end as f64) as usize
    }

    fn normal(&mut self) -> f64 {
        let (a, b) = (1.0 - self.unit(), self.unit());
        (-2.0 * a.ln()).sqrt() * (2.0 * std::f64::consts::PI * b).cos()
    }
}

/// What a machine does to a reading.
#[derive(Debug, Clone, Copy)]
pub enum Noise<'t> {
    /// Normal with this spread, each reading for itself.
    Even(f64),
    /// The same on top of a drift of this spread, of which each reading keeps nine tenths of the one before it.
    Drift(f64, f64),
    /// The first, and one reading in six is up to half as long again.
    Bursts(f64),
    /// Times that were taken one after the other, from a random one on.
    Trace(&'t [f64]),
}

/// A machine in the course of a search.
pub struct Machine<'t> {
    random: Random,
    noise: Noise<'t>,
    drift: f64,
    at: usize,
    pub runs: usize,
}

impl<'t> Machine<'t> {
    pub fn new(seed: u64, noise: Noise<'t>) -> Machine<'t> {
        let mut random = Random::new(seed);
        let at = if let Noise::Trace(times) = noise { random.below(times.len()) } else { 0 };
        Machine { random, noise, drift: 0.0, at, runs: 0 }
    }

    /// One run of what takes `level`.
    fn read(&mut self, level: f64) -> f64 {
        self.runs += 1;
        match self.noise {
            Noise::Even(spread) => level * (spread * self.random.normal()).exp(),
            Noise::Drift(spread, drift) => {
                self.drift = 0.9 * self.drift + (1.0 - 0.81f64).sqrt() * drift * self.random.normal();
                level * (spread * self.random.normal() + self.drift).exp()
            }
            Noise::Bursts(spread) => {
                let slow = if self.random.below(6) == 0 { 0.5 * self.random.unit() } else { 0.0 };
                level * (spread * self.random.normal()).exp() * (1.0 + slow)
            }
            Noise::Trace(times) => {
                self.at += 1;
                level * times[self.at % times.len()]
            }
        }
    }

    fn pair(&mut self, kind: Kind, first: f64, second: f64) -> Pair {
        if self.random.unit() < 0.5 {
            let first = self.read(first);
            Pair { kind, first, second: self.read(second) }
        } else {
            let second = self.read(second);
            Pair { kind, first: self.read(first), second }
        }
    }
}

/// A range in which the commits from `first` on take `step` times as long; the last of them is the bad end.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    pub commits: usize,
    pub first: usize,
    pub step: f64,
}

impl Range {
    fn level(&self, commit: usize) -> f64 {
        if commit >= self.first { self.step } else { 1.0 }
    }
}

/// How a search ended: the commit that is named, if any.
pub type Named = Option<usize>;

/// Our search: `matters` is the least loss worth finding.
pub fn ours(machine: &mut Machine<'_>, range: Range, matters: f64, error: f64, most: usize) -> Named {
    let rules = Rules { share: error / 2.0, most };
    let wanted = Wanted { scale: Scale::LogRatio, worse: 1.0, least: matters.ln_1p() / 2.0 };
    let ends = ends(machine, range, matters, rules, wanted)?;
    let blames = |probe: usize| Probed { blames: (0..range.commits).map(|suspect| suspect <= probe).collect() };
    let possible = vec![true; range.commits];
    // In the order of the commits.
    let mut taken: Vec<(usize, Probed, Vec<Pair>)> = Vec::new();
    let mut spent: Vec<usize> = Vec::new();
    loop {
        let pairs: Vec<&[Pair]> = taken.iter().map(|(_, _, own)| own.as_slice()).collect();
        let levels = Levels::of(&ends, &pairs, wanted)?;
        let sides: Vec<Sides> = pairs.iter().map(|own| levels.sides(own)).collect();
        let known: Vec<(&Sides, &Probed)> = sides.iter().zip(taken.iter().map(|(_, probed, _)| probed)).collect();
        let chances = suspects::chances(&levels, &known, &possible);
        let (named, chance) = suspects::likeliest(&chances);
        if chance >= 1.0 - rules.share {
            return Some(named);
        }
        let low =
            taken.iter().map(|(probe, ..)| *probe).filter(|probe| *probe < named).max().map_or(0, |probe| probe + 1);
        let high = taken.iter().map(|(probe, ..)| *probe).find(|probe| *probe >= named).unwrap_or(range.commits - 1);
        let probe = if low < high && chances[low..=high].iter().sum::<f64>() >= 0.5 {
            (low + high) / 2
        } else {
            let again: Vec<(usize, &Probed)> = taken
                .iter()
                .filter(|(probe, ..)| !spent.contains(probe))
                .map(|(probe, known, _)| (*probe, known))
                .collect();
            suspects::least_certain(&chances, &again)?
        };
        let place = taken.partition_point(|(other, ..)| *other < probe);
        let before = taken.get(place).is_some_and(|(other, ..)| *other == probe);
        let mut own = if before { taken.remove(place).2 } else { Vec::new() };
        let had = own.len();
        let others: Vec<(Sides, &Probed)> =
            taken.iter().map(|(_, probed, pairs)| (levels.sides(pairs), probed)).collect();
        let probed = blames(probe);
        let (mut here, gain) = (levels.sides(&own), levels.gain());
        loop {
            let kind = if own.len() % 2 == 0 { Kind::FromGood } else { Kind::ToBad };
            let level = range.level(probe);
            own.push(match kind {
                Kind::ToBad => machine.pair(kind, level, range.step),
                _ => machine.pair(kind, 1.0, level),
            });
            levels.add(&mut here, &own[own.len() - 1..]);
            let mut all: Vec<(&Sides, &Probed)> = others.iter().map(|(sides, probed)| (sides, *probed)).collect();
            all.push((&here, &probed));
            let standing = rules.standing(&suspects::chances(&levels, &all, &possible), &probed, had > 0);
            if rules.leaves(own.len(), had, standing, gain) {
                if own.len() >= most || (standing.odds.abs() < standing.wanted && !standing.over) {
                    spent.push(probe);
                }
                break;
            }
        }
        taken.insert(place, (probe, probed, own));
    }
}

/// The pairs of the ends, when they say that the bad one is worse.
fn ends(machine: &mut Machine<'_>, range: Range, matters: f64, rules: Rules, wanted: Wanted) -> Option<Vec<Pair>> {
    let (looks, mut criticals) = (Looks::up_to(Some(rules.most)), Criticals::default());
    let mut ends: Vec<Pair> = Vec::new();
    while ends.len() < rules.most {
        ends.push(machine.pair(Kind::Ends, 1.0, range.step));
        if !ends.len().is_multiple_of(Rules::pace(ends.len())) {
            continue;
        }
        let Some(said) = levels::three_ways(&ends, wanted) else { continue };
        if rules.worse(&said) {
            return Some(ends);
        }
        if rules.hopeless(ends.len(), &said, matters.ln_1p()) {
            return None;
        }
        if looks.points().contains(&ends.len()) {
            let pairs: Vec<(f64, f64)> = ends.iter().map(|pair| (pair.first, pair.second)).collect();
            let alpha = Looks::alpha(pairs.len(), 1);
            let look = look(&pairs, Matters::Relative(Ratio(matters)), Better::Lower, alpha, &mut criticals).ok()?;
            if look.interval.is_some_and(|[_, high]| high < look.margin[1]) || look.word == Some(Word::Improved) {
                return None;
            }
        }
    }
    None
}

/// The peer's search: the median of `runs` of each commit, after one to warm up, against the middle between those of the ends.
pub fn peer(machine: &mut Machine<'_>, range: Range, runs: usize) -> Named {
    let mut of = |level: f64| {
        machine.read(level);
        let times: Vec<f64> = (0..runs).map(|_| machine.read(level)).collect();
        median(&times).unwrap_or_default()
    };
    let middle = (of(1.0) + of(range.step)) / 2.0;
    let (mut low, mut high) = (0, range.commits - 1);
    while low < high {
        let probe = (low + high) / 2;
        if of(range.level(probe)) > middle { high = probe } else { low = probe + 1 }
    }
    Some(low)
}
