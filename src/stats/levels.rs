//! On which of two levels commits are, from pairs of readings: the sequential test of a bisection.
//!
//! A pair reads two commits next to each other in time, so what the machine does to one it does to the other, and their
//! difference is free of it. The difference is either the *step* between both levels or nothing, by the sides that both are on. Noise
//! of pairs is taken for Student's with `FREEDOM` degrees: most readings of a machine lie close together, and some far off, which
//! under a normal distribution would hide all others. Neither the height of the step nor the spread is known: both are summed out
//! over a grid of [`Levels`], all ratios of either equally likely.
//!
//! [`three_ways`] asks whether there is a step at all, [`Levels`] how likely the readings are when each probe is on a side that it
//! is given, and [`change`] how far two commits are apart.

use super::{Scale, median, student};

/// Degrees of freedom of the noise.
const FREEDOM: f64 = 3.0;

/// Steps and spreads of a grid.
const STEPS: usize = 24;
const SPREADS: usize = 20;

/// Fewer pairs say nothing of their own spread.
const FEWEST: usize = 3;

/// Which two commits a pair has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The good end and the bad one.
    Ends,
    /// The good end and a probe.
    FromGood,
    /// A probe and the bad end.
    ToBad,
}

/// Two readings next to each other in time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Of which commits.
    pub kind: Kind,
    /// The reading of the one that is nearer to the good end.
    pub first: f64,
    /// The other one.
    pub second: f64,
}

impl Pair {
    fn difference(&self, scale: Scale) -> f64 {
        match scale {
            Scale::LogRatio => self.second.ln() - self.first.ln(),
            Scale::Difference => self.second - self.first,
        }
    }

    /// Whether the step is between its two commits, when the probe is on this side.
    fn spans(&self, bad: bool) -> bool {
        match self.kind {
            Kind::Ends => true,
            Kind::FromGood => bad,
            Kind::ToBad => !bad,
        }
    }
}

/// The scale of these pairs: ratios when every reading is above zero, differences otherwise.
pub fn scale<'p>(pairs: impl IntoIterator<Item = &'p Pair>) -> Scale {
    match pairs.into_iter().all(|pair| pair.first > 0.0 && pair.second > 0.0) {
        true => Scale::LogRatio,
        false => Scale::Difference,
    }
}

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wanted {
    /// What a difference of two readings is.
    pub scale: Scale,
    /// The sign of a step for the worse.
    pub worse: f64,
    /// The least step that is looked for, zero or above.
    pub least: f64,
}

/// A spread of the noise.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Spread {
    of: f64,
    logarithm: f64,
}

impl Spread {
    fn new(of: f64) -> Spread {
        Spread { of, logarithm: of.ln() }
    }

    /// The logarithm of the density of the noise, but for a constant.
    fn density(self, value: f64) -> f64 {
        let z = value / self.of;
        -self.logarithm - (FREEDOM + 1.0) / 2.0 * (1.0 + z * z / FREEDOM).ln()
    }
}

/// `count` numbers from `low` to `high`, each as many times the one before it.
fn ratios(low: f64, high: f64, count: usize) -> impl Iterator<Item = f64> + Clone {
    let factor = (high / low).powf(1.0 / (count - 1) as f64);
    (0..count).map(move |n| low * factor.powi(n as i32))
}

/// The logarithm of the sum of what these are logarithms of.
fn sum(logarithms: &[f64]) -> f64 {
    let most = logarithms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if most.is_finite() { most + logarithms.iter().map(|one| (one - most).exp()).sum::<f64>().ln() } else { most }
}

/// The differences of groups of pairs that have the same mean each: those of both ends first, then two groups of each probe.
fn groups(ends: &[Pair], probes: &[&[Pair]], wanted: Wanted) -> Vec<Vec<f64>> {
    let of = |pairs: &[Pair], kind| {
        let own = pairs.iter().filter(|pair| pair.kind == kind);
        own.map(|pair| wanted.worse * pair.difference(wanted.scale)).collect::<Vec<f64>>()
    };
    let both = probes.iter().flat_map(|pairs| [of(pairs, Kind::FromGood), of(pairs, Kind::ToBad)]);
    std::iter::once(of(ends, Kind::Ends)).chain(both).collect()
}

/// The spread that rounding alone gives a pair, when readings step as coarsely as they seem to.
fn coarseness<'p>(pairs: impl Iterator<Item = &'p Pair>, scale: Scale) -> f64 {
    let on = |value: f64| if scale == Scale::LogRatio { value.ln() } else { value };
    let mut all: Vec<f64> = pairs.flat_map(|pair| [on(pair.first), on(pair.second)]).collect();
    all.sort_by(f64::total_cmp);
    let gaps = all.windows(2).map(|w| w[1] - w[0]).filter(|gap| *gap > 0.0);
    gaps.min_by(f64::total_cmp).unwrap_or(0.0) / 6f64.sqrt()
}

/// The spreads that these groups leave possible; none when they are too few to tell.
fn spreads(groups: &[Vec<f64>], coarse: f64) -> Option<impl Iterator<Item = Spread> + Clone + use<>> {
    let mut distances = Vec::new();
    let mut freedom = 0;
    for group in groups.iter().filter(|group| group.len() > 1) {
        let middle = median(group)?;
        distances.extend(group.iter().map(|value| (value - middle).abs()));
        freedom += group.len() - 1;
    }
    if freedom + 1 < FEWEST {
        return None;
    }
    let lost = distances.len() as f64 / freedom as f64;
    let typical = 1.4 * lost.sqrt() * median(&distances)?;
    // Readings that never vary on a scale on which they differ: as if the last digit of a number were all that is known.
    let size = groups.iter().flatten().map(|value| value.abs()).fold(0.0, f64::max);
    let least = coarse.max(size * 1e-6);
    if least == 0.0 {
        return None;
    }
    let doubt = (0.7 + 4.0 / (freedom as f64).sqrt()).exp();
    let (low, high) = ((typical / doubt).max(least), (typical * doubt).max(least * doubt));
    Some(ratios(low, high, SPREADS).map(Spread::new))
}

/// What both ends say of a step between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ThreeWays {
    /// The chance that the bad end is worse by at least about what is looked for.
    pub worse: f64,
    /// The chance that it is better by as much.
    pub better: f64,
    /// The step for the worse.
    pub step: f64,
    /// Its standard error.
    pub error: f64,
}

/// Whether the bad end is worse than the good one, the same or better, each as likely as the others before anything was read; none
/// when that cannot be told yet. By Ville's inequality a chance of `1 - e` for the worse is ever reached without a step in at most
/// `e / (1 - e)` of all searches.
pub fn three_ways(ends: &[Pair], wanted: Wanted) -> Option<ThreeWays> {
    let all = groups(ends, &[], wanted);
    let values = &all[0];
    let size = values.iter().map(|value| value.abs()).fold(0.0, f64::max);
    let spreads = spreads(&all, coarseness(ends.iter(), wanted.scale))?;
    // A step of ratios is hardly ever larger than fourfold.
    let most = if wanted.scale == Scale::LogRatio { (1.5 * size).max(4f64.ln()) } else { 1.5 * size };
    let steps: Vec<f64> = ratios(wanted.least.max(most * 1e-4).min(most / 2.0), most, STEPS + 8).collect();
    let likely = |step: f64, spread: Spread| values.iter().map(|value| spread.density(value - step)).sum::<f64>();
    let share = (steps.len() as f64).ln();
    let way = |sign: f64| {
        let cells =
            steps.iter().flat_map(|step| spreads.clone().map(move |spread| likely(sign * step, spread) - share));
        sum(&cells.collect::<Vec<f64>>())
    };
    let none = sum(&spreads.clone().map(|spread| likely(0.0, spread)).collect::<Vec<f64>>());
    let (worse, better) = (way(1.0), way(-1.0));
    let total = sum(&[worse, none, better]);
    let (means, variance) = fit(&all);
    let error = (variance / values.len() as f64).sqrt();
    Some(ThreeWays { worse: (worse - total).exp(), better: (better - total).exp(), step: means[0], error })
}

/// How likely readings are at each step and spread of a grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Levels {
    wanted: Wanted,
    /// Step and spread of each cell.
    cells: Vec<(f64, Spread)>,
    /// The logarithm of how likely the pairs of both ends are in each.
    ends: Vec<f64>,
}

/// How likely the pairs of a probe are in each cell of [`Levels`], as logarithms: on the good level and on the bad one.
#[derive(Debug, Clone, PartialEq)]
pub struct Sides {
    good: Vec<f64>,
    bad: Vec<f64>,
}

impl Levels {
    /// The grid around what these pairs make likely, given that there is a step for the worse; none when they are too few.
    pub fn of(ends: &[Pair], probes: &[&[Pair]], wanted: Wanted) -> Option<Levels> {
        let all = groups(ends, probes, wanted);
        let pairs = ends.iter().chain(probes.iter().copied().flatten());
        let spreads = spreads(&all, coarseness(pairs, wanted.scale))?;
        let (means, variance) = fit(&all);
        let (step, error) = (means[0].max(0.0), (variance / ends.len().max(1) as f64).sqrt());
        let most = (step + 4.0 * error).max(wanted.least * 2.0).max(f64::MIN_POSITIVE);
        let low = (step - 4.0 * error).max(wanted.least).max(most * 1e-3).min(most * 0.9);
        let steps: Vec<f64> = ratios(low, most, STEPS).collect();
        let cells: Vec<(f64, Spread)> =
            steps.iter().flat_map(|step| spreads.clone().map(move |spread| (*step, spread))).collect();
        let mut levels = Levels { wanted, ends: vec![0.0; cells.len()], cells };
        levels.ends = levels.sides(ends).bad;
        Some(levels)
    }

    /// How likely the pairs of a probe are.
    pub fn sides(&self, pairs: &[Pair]) -> Sides {
        let nothing = vec![0.0; self.cells.len()];
        let mut sides = Sides { good: nothing.clone(), bad: nothing };
        self.add(&mut sides, pairs);
        sides
    }

    /// Adds more pairs of a probe.
    pub fn add(&self, sides: &mut Sides, pairs: &[Pair]) {
        for pair in pairs {
            let value = self.wanted.worse * pair.difference(self.wanted.scale);
            for (bad, all) in [(false, &mut sides.good), (true, &mut sides.bad)] {
                let mean = if pair.spans(bad) { 1.0 } else { 0.0 };
                for (one, &(step, spread)) in all.iter_mut().zip(&self.cells) {
                    *one += spread.density(value - mean * step);
                }
            }
        }
    }

    /// The logarithm of how likely all readings are with each probe on the side beside it (whether it is bad), but for a constant.
    pub fn log_likelihood(&self, probes: &[(&Sides, bool)]) -> f64 {
        let mut all = self.ends.clone();
        for (sides, bad) in probes {
            let of = if *bad { &sides.bad } else { &sides.good };
            all.iter_mut().zip(of).for_each(|(all, one)| *all += one);
        }
        sum(&all)
    }

    /// The logarithm of the odds that a probe is on the bad level, by its own pairs and those of the ends, when both were
    /// equally likely before.
    pub fn log_odds(&self, probe: &Sides) -> f64 {
        self.log_likelihood(&[(probe, true)]) - self.log_likelihood(&[(probe, false)])
    }

    /// How much one more pair of a probe is likely to add to its log odds at most: two standard deviations above the mean,
    /// by what the pairs of the ends say of step and spread.
    pub fn gain(&self) -> f64 {
        let total = sum(&self.ends);
        let gain = |&(step, spread): &(f64, Spread)| {
            let z = step / spread.of;
            (FREEDOM + 1.0) / 2.0 * (z * z / (FREEDOM + 3.0)).ln_1p()
        };
        let mean = |power: i32| -> f64 {
            self.cells
                .iter()
                .zip(&self.ends)
                .map(|(cell, likely)| (likely - total).exp() * gain(cell).powi(power))
                .sum()
        };
        mean(1) + 2.0 * (mean(2) - mean(1).powi(2)).max(0.0).sqrt()
    }
}

/// The means of groups with one spread, and the variance of a value that the variance of a mean follows from: the likeliest ones, by
/// weighing values the less the further they are off.
fn fit(groups: &[Vec<f64>]) -> (Vec<f64>, f64) {
    let mut means: Vec<f64> = groups.iter().map(|group| median(group).unwrap_or(0.0)).collect();
    let count: usize = groups.iter().map(Vec::len).sum();
    let freedom = groups.iter().map(|group| group.len().saturating_sub(1)).sum::<usize>().max(1);
    let mut square = groups.iter().zip(&means).flat_map(|(g, m)| g.iter().map(move |v| (v - m).powi(2))).sum::<f64>()
        / count.max(1) as f64;
    for _ in 0..60 {
        if square == 0.0 {
            break;
        }
        let weight = |value: f64, mean: f64| (FREEDOM + 1.0) / (FREEDOM + (value - mean).powi(2) / square);
        let mut next = 0.0;
        for (group, mean) in groups.iter().zip(means.iter_mut()).filter(|(group, _)| !group.is_empty()) {
            let weights: Vec<f64> = group.iter().map(|value| weight(*value, *mean)).collect();
            let total: f64 = weights.iter().sum();
            *mean = group.iter().zip(&weights).map(|(value, weight)| value * weight).sum::<f64>() / total;
            next += group.iter().zip(&weights).map(|(value, weight)| weight * (value - *mean).powi(2)).sum::<f64>();
        }
        square = next / count as f64;
    }
    (means, square * (FREEDOM + 3.0) / (FREEDOM + 1.0) * count as f64 / freedom as f64)
}

/// A commit whose distance from others is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Spot<'p> {
    /// The good end.
    Good,
    /// The bad end.
    Bad,
    /// A probe with these pairs.
    Probe(&'p [Pair]),
}

/// The change from one commit to another with its 95 % interval, as a relative change or a difference as the scale is.
pub fn change(ends: &[Pair], before: Spot<'_>, after: Spot<'_>, scale: Scale) -> Option<(f64, [f64; 2])> {
    let pairs = |spot| if let Spot::Probe(pairs) = spot { pairs } else { &[][..] };
    let all = groups(ends, &[pairs(before), pairs(after)], Wanted { scale, worse: 1.0, least: 0.0 });
    let counts: Vec<f64> = all.iter().map(|group| group.len() as f64).collect();
    // How much each group's mean counts for the distance of a commit from the good end: a probe is reached from there, and
    // by the bad end.
    let shares = |spot, place: usize| -> Option<[f64; 5]> {
        let mut shares = [0.0; 5];
        match spot {
            Spot::Good => {}
            Spot::Bad => shares[0] = (counts[0] > 0.0).then_some(1.0)?,
            Spot::Probe(_) => {
                let (direct, around) = (counts[place], 1.0 / (1.0 / counts[0] + 1.0 / counts[place + 1]));
                let share = (direct + around > 0.0).then(|| direct / (direct + around))?;
                (shares[place], shares[0], shares[place + 1]) = (share, 1.0 - share, share - 1.0);
            }
        }
        Some(shares)
    };
    let (from, to) = (shares(before, 1)?, shares(after, 3)?);
    let freedom = all.iter().map(|group| group.len().saturating_sub(1)).sum::<usize>();
    if freedom == 0 {
        return None;
    }
    let (means, variance) = fit(&all);
    let read = ends.iter().chain(pairs(before)).chain(pairs(after));
    let variance = variance.max(coarseness(read, scale).powi(2));
    let (mut estimate, mut spread) = (0.0, 0.0);
    for (place, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0.0) {
        let share = to[place] - from[place];
        estimate += share * means[place];
        spread += share * share / count;
    }
    let half = student::t_quantile(0.975, freedom) * (variance * spread).sqrt();
    let shown = |value: f64| if scale == Scale::LogRatio { value.exp_m1() } else { value };
    Some((shown(estimate), [shown(estimate - half), shown(estimate + half)]))
}

/// The log odds from which on a side is believed when it may be wrong with the chance `error`, above 0 and below 1/2.
pub fn threshold(error: f64) -> f64 {
    ((1.0 - error) / error).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    const WANTED: Wanted = Wanted { scale: Scale::LogRatio, worse: 1.0, least: 0.01 };

    /// A normal reading around `mean`.
    fn noisy(random: &mut StdRng, mean: f64, spread: f64) -> f64 {
        let (a, b): (f64, f64) = (random.random_range(1e-12..1.0), random.random());
        mean * (spread * (-2.0 * a.ln()).sqrt() * (2.0 * std::f64::consts::PI * b).cos()).exp()
    }

    fn pair(random: &mut StdRng, kind: Kind, first: f64, second: f64, spread: f64) -> Pair {
        // A machine that drifts by more than the step.
        let drift = noisy(random, 1.0, 0.2);
        Pair { kind, first: drift * noisy(random, first, spread), second: drift * noisy(random, second, spread) }
    }

    fn pairs(random: &mut StdRng, kind: Kind, first: f64, second: f64, count: usize) -> Vec<Pair> {
        (0..count).map(|_| pair(random, kind, first, second, 0.03)).collect()
    }

    #[test]
    fn a_side_is_wrong_about_as_often_as_stated_and_needs_few_rounds() {
        for (level, bad, worse) in [(1.0, 1.05, 1.0), (1.05, 1.05, 1.0), (1.0, 0.9, -1.0), (0.9, 0.9, -1.0)] {
            let (mut wrong, mut rounds) = (0, 0);
            for seed in 0..200 {
                let random = &mut StdRng::seed_from_u64(seed);
                let ends = pairs(random, Kind::Ends, 1.0, bad, 12);
                let levels = Levels::of(&ends, &[], Wanted { worse, ..WANTED }).unwrap();
                let mut sides = levels.sides(&[]);
                for taken in 0..100 {
                    let one = match taken % 2 {
                        0 => pair(random, Kind::FromGood, 1.0, level, 0.03),
                        _ => pair(random, Kind::ToBad, level, bad, 0.03),
                    };
                    levels.add(&mut sides, &[one]);
                    rounds += 1;
                    let odds = levels.log_odds(&sides);
                    if odds.abs() >= threshold(0.05) {
                        wrong += usize::from((odds > 0.0) != (level == bad));
                        break;
                    }
                }
            }
            // 5 % of 200 is 10; four standard deviations of that are 12.
            assert!(wrong <= 22, "level {level}, bad {bad}: {wrong} of 200 wrong");
            assert!(rounds < 200 * 10, "level {level}, bad {bad}: {rounds} rounds");
        }
    }

    #[test]
    fn a_step_is_claimed_hardly_ever_without_one_and_soon_with_one() {
        let (mut claimed, mut taken) = (0, 0);
        for seed in 0..40 {
            let random = &mut StdRng::seed_from_u64(seed);
            let worse = |pairs: &[Pair]| three_ways(pairs, WANTED).is_some_and(|said| said.worse >= 0.975);
            let same = pairs(random, Kind::Ends, 1.0, 1.0, 16);
            claimed += usize::from((3..=16).any(|n| worse(&same[..n])));
            let step = pairs(random, Kind::Ends, 1.0, 1.1, 16);
            taken += (3..=16).find(|n| worse(&step[..*n])).unwrap_or(99);
        }
        assert!(claimed <= 5, "{claimed} of 40: 1 is stated, four standard deviations of that are 4");
        assert!(taken < 40 * 9, "{taken} pairs in 40 searches");
    }

    #[test]
    fn readings_far_off_hide_no_step_and_decide_nothing() {
        let random = &mut StdRng::seed_from_u64(7);
        let mut ends = pairs(random, Kind::Ends, 1.0, 1.1, 24);
        ends[3].first *= 2.0;
        ends[9].second *= 1.8;
        assert!(three_ways(&ends, WANTED).unwrap().worse > 0.975);
        let levels = Levels::of(&ends, &[], WANTED).unwrap();
        let mut own = pairs(random, Kind::FromGood, 1.0, 1.0, 2);
        let before = levels.log_odds(&levels.sides(&own));
        own.push(Pair { kind: Kind::FromGood, first: 1.0, second: 3.0 });
        let after = levels.log_odds(&levels.sides(&own));
        assert!(before < 0.0 && after < threshold(0.05), "{before}, then {after}");
    }

    #[test]
    fn readings_that_never_vary_or_are_too_few_say_nothing_or_what_they_can() {
        let same = [Pair { kind: Kind::Ends, first: 0.0, second: 0.0 }; 5];
        assert_eq!(three_ways(&same, Wanted { scale: scale(&same), ..WANTED }), None);
        let coarse = [Pair { kind: Kind::Ends, first: 1.0, second: 2.0 }; 12];
        assert_eq!(three_ways(&coarse[..2], WANTED), None);
        // A clock of 1 that reads 1 and 2: sure in the end, not at once.
        assert!(three_ways(&coarse[..3], WANTED).unwrap().worse < 0.975);
        assert!(three_ways(&coarse, WANTED).unwrap().worse > 0.975);
        let below = [(-3.0, -2.0), (-3.1, -2.0), (-2.9, -1.9), (-3.0, -2.1), (-3.0, -2.0)];
        let below = below.map(|(first, second)| Pair { kind: Kind::Ends, first, second });
        assert!(three_ways(&below, Wanted { scale: scale(&below), worse: 1.0, least: 0.1 }).unwrap().worse > 0.975);
    }

    #[test]
    fn the_change_from_a_probe_to_an_end_is_what_was_put_in_and_has_an_interval() {
        let random = &mut StdRng::seed_from_u64(4);
        let mut inside = 0;
        for _ in 0..200 {
            let ends = pairs(random, Kind::Ends, 1.0, 1.1, 8);
            let mut own = pairs(random, Kind::FromGood, 1.0, 1.0, 5);
            own.extend(pairs(random, Kind::ToBad, 1.0, 1.1, 4));
            let (estimate, [low, high]) = change(&ends, Spot::Probe(&own), Spot::Bad, Scale::LogRatio).unwrap();
            assert!((estimate - 0.1).abs() < 0.1, "{estimate}");
            inside += usize::from(low <= 0.1 && 0.1 <= high);
        }
        assert!((176..=199).contains(&inside), "{inside} of 200 intervals hold the change");
    }
}
