//! On which of two known levels a third series of readings is: the sequential test of a bisection.
//!
//! A round reads the good end, the bad end and a probe next to each other in time, so what the machine does to one it does
//! to all. Two figures of a round are free of it: the *step* `u = bad - good`, and how far the probe is from the *middle*,
//! `y = probe - (good + bad) / 2`. They are independent, with variances `2 s^2` and `1.5 s^2`, and `y` is `+step / 2` on
//! average when the probe is on the bad level, `-step / 2` when it is on the good one. [`Contrasts::log_odds`] is the logarithm of how
//! much more likely the readings are in the first case than in the second, with the height of the step and the spread
//! integrated out. An outlier makes both cases unlikely, so it slows the test down rather than deciding it.
//!
//! Rounds of several probes share the step and the spread. [`Contrasts::log_likelihood`] says how likely all of them together are
//! when each probe is on the side that it is given.

use super::{Scale, student};

/// One round: both ends, and the probe where there was one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trio {
    /// The reading of the good end.
    pub good: f64,
    /// The reading of the bad end.
    pub bad: f64,
    /// The reading of the probe.
    pub probe: Option<f64>,
}

/// What rounds say, on the scale that all their readings allow.
#[derive(Debug, Clone, PartialEq)]
pub struct Contrasts {
    /// The scale of the figures below.
    pub scale: Scale,
    /// `bad - good` of every round.
    pub steps: Vec<f64>,
    /// `probe - middle` of every round with a probe.
    pub probes: Vec<f64>,
    /// Of the probes of several, where those of each end.
    ends: Vec<usize>,
    /// The variance that rounding alone gives a reading, when readings step as coarsely as they seem to.
    coarse: f64,
}

/// The scale of these rounds: ratios when every reading is above zero, differences otherwise.
pub fn scale(rounds: &[Trio]) -> Scale {
    let positive = |t: &Trio| t.good > 0.0 && t.bad > 0.0 && t.probe.is_none_or(|p| p > 0.0);
    if rounds.iter().all(positive) { Scale::LogRatio } else { Scale::Difference }
}

/// The contrasts of rounds on a scale. Readings must be finite, and above zero for [`Scale::LogRatio`].
pub fn contrasts(rounds: &[Trio], scale: Scale) -> Contrasts {
    let on = |value: f64| if scale == Scale::LogRatio { value.ln() } else { value };
    let middle = |t: &Trio| (on(t.good) + on(t.bad)) / 2.0;
    let mut all: Vec<f64> =
        rounds.iter().flat_map(|t| [Some(t.good), Some(t.bad), t.probe]).flatten().map(on).collect();
    all.sort_by(f64::total_cmp);
    let gap = all.windows(2).map(|w| w[1] - w[0]).filter(|gap| *gap > 0.0).min_by(f64::total_cmp).unwrap_or(0.0);
    let probes: Vec<f64> = rounds.iter().filter_map(|t| Some(on(t.probe?) - middle(t))).collect();
    Contrasts {
        scale,
        steps: rounds.iter().map(|t| on(t.bad) - on(t.good)).collect(),
        ends: vec![probes.len()],
        probes,
        coarse: gap * gap / 12.0,
    }
}

/// The contrasts of rounds of the ends alone, and of rounds with probes: one list for each probe.
pub fn together(alone: &[Trio], probes: &[&[Trio]], scale: Scale) -> Contrasts {
    let all: Vec<Trio> = alone.iter().chain(probes.iter().copied().flatten()).copied().collect();
    let mut end = 0;
    let ends = probes.iter().map(|rounds| {
        end += rounds.iter().filter(|t| t.probe.is_some()).count();
        end
    });
    let ends = ends.collect();
    Contrasts { ends, ..contrasts(&all, scale) }
}

impl Contrasts {
    fn count(&self) -> usize {
        self.steps.len() + self.probes.len()
    }

    /// The step that fits best with each probe on the bad level (`side` 1) or the good (-1), how many steps that is worth, and
    /// the sum of squares left over.
    fn fit(&self, side: &dyn Fn(usize) -> f64) -> (f64, f64, f64) {
        let (n, m) = (self.steps.len() as f64, self.probes.len() as f64);
        let design = n / 2.0 + m / 6.0;
        let squares =
            self.steps.iter().map(|u| u * u).sum::<f64>() / 2.0 + self.probes.iter().map(|y| y * y).sum::<f64>() / 1.5;
        let mut along = self.steps.iter().sum::<f64>() / 2.0;
        let mut from = 0;
        for (probe, end) in self.ends.iter().enumerate() {
            along += side(probe) * self.probes[from..*end].iter().sum::<f64>() / 3.0;
            from = *end;
        }
        let left = (squares - along * along / design).max(0.0) + self.count() as f64 * self.coarse;
        (along / design, design, left)
    }

    fn left_over(&self, side: f64) -> f64 {
        self.fit(&|_| side).2
    }

    /// The logarithm of how likely all readings are with each probe on the bad level (`side` 1) or the good (-1), but for a
    /// constant; `worse` is the sign of a step for the worse, and steps the other way are not believed in.
    pub fn log_likelihood(&self, side: &dyn Fn(usize) -> f64, worse: f64) -> f64 {
        let freedom = self.count().saturating_sub(1);
        if freedom < 2 {
            return 0.0;
        }
        let (step, design, left) = self.fit(side);
        let left = left.max(f64::MIN_POSITIVE);
        let t = step * worse / (left / (freedom as f64 * design)).sqrt();
        let right_way = if freedom > 200 { student::normal_cdf(t) } else { student::t_cdf(t, freedom) };
        right_way.max(1e-300).ln() - freedom as f64 / 2.0 * left.ln()
    }

    /// The logarithm of the odds that the probe is on the bad level, when both were equally likely before; 0 when nothing
    /// can be said yet.
    pub fn log_odds(&self) -> f64 {
        let count = self.count();
        if count < 3 || self.probes.is_empty() {
            return 0.0;
        }
        let (good, bad) = (self.left_over(-1.0), self.left_over(1.0));
        if good == bad {
            return 0.0;
        }
        ((count - 1) as f64 / 2.0 * (good / bad).ln()).clamp(-1e6, 1e6)
    }

    /// The variance of one reading within a round, and its degrees of freedom; the probe is on the side that is likelier.
    fn variance(&self) -> Option<(f64, usize)> {
        let freedom = self.count().checked_sub(1).filter(|f| *f > 0)?;
        let left = if self.probes.is_empty() {
            let n = self.steps.len() as f64;
            let mean = self.steps.iter().sum::<f64>() / n;
            self.steps.iter().map(|u| (u - mean).powi(2)).sum::<f64>() / 2.0 + n * self.coarse
        } else {
            self.left_over(1.0).min(self.left_over(-1.0))
        };
        Some((left / freedom as f64, freedom))
    }
}

/// How far a commit is from the middle between both ends: the mean, and its variance in units of the variance of a reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// The mean distance.
    pub mean: f64,
    /// Its variance, when that of a reading is 1.
    pub spread: f64,
}

impl Place {
    /// That of a probe.
    pub fn probe(probes: &[f64]) -> Option<Place> {
        let n = probes.len() as f64;
        (n > 0.0).then(|| Place { mean: probes.iter().sum::<f64>() / n, spread: 1.5 / n })
    }

    /// That of an end: half a step away, upwards (`side` 1) or downwards (-1).
    pub fn end(steps: &[f64], side: f64) -> Option<Place> {
        let n = steps.len() as f64;
        (n > 0.0).then(|| Place { mean: side * steps.iter().sum::<f64>() / n / 2.0, spread: 0.5 / n })
    }
}

/// The change from one place to another with its 95 % interval, as a relative change or a difference as the scale is.
/// `of` are the contrasts that the spread is taken from.
pub fn change(before: Place, after: Place, both_ends: bool, of: &Contrasts) -> Option<(f64, [f64; 2])> {
    let (variance, freedom) = of.variance()?;
    let estimate = after.mean - before.mean;
    // The two ends of the same rounds are one figure, seen twice.
    let spread = if both_ends { 4.0 * after.spread } else { before.spread + after.spread };
    let half = student::t_quantile(0.975, freedom) * (variance * spread).sqrt();
    let shown = |value: f64| if of.scale == Scale::LogRatio { value.exp_m1() } else { value };
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

    /// A normal reading around `mean`.
    fn noisy(random: &mut StdRng, mean: f64, spread: f64) -> f64 {
        let (a, b): (f64, f64) = (random.random_range(1e-12..1.0), random.random());
        mean * (spread * (-2.0 * a.ln()).sqrt() * (2.0 * std::f64::consts::PI * b).cos()).exp()
    }

    /// Whether a probe at `level` is called bad, and after how many rounds; none when no side is believed in 200.
    fn walk(seed: u64, spread: f64, level: f64, bad: f64, error: f64) -> (Option<bool>, usize) {
        let mut random = StdRng::seed_from_u64(seed);
        let mut rounds = Vec::new();
        let mut add = |rounds: &mut Vec<Trio>, probe: bool| {
            // A machine that drifts by more than the step.
            let drift = noisy(&mut random, 1.0, 0.2);
            let good = drift * noisy(&mut random, 1.0, spread);
            let at_bad = drift * noisy(&mut random, bad, spread);
            let probe = probe.then(|| drift * noisy(&mut random, level, spread));
            rounds.push(Trio { good, bad: at_bad, probe });
        };
        for _ in 0..8 {
            add(&mut rounds, false);
        }
        for taken in 1..200 {
            add(&mut rounds, true);
            let odds = contrasts(&rounds, scale(&rounds)).log_odds();
            if taken >= 2 && odds.abs() >= threshold(error) {
                return (Some(odds > 0.0), taken);
            }
        }
        (None, 200)
    }

    #[test]
    fn a_side_is_wrong_about_as_often_as_stated_and_needs_few_rounds() {
        for (level, bad, truth) in [(1.0, 1.05, false), (1.05, 1.05, true), (1.0, 0.9, false), (0.9, 0.9, true)] {
            let walks: Vec<_> = (0..2000).map(|seed| walk(seed, 0.03, level, bad, 0.05)).collect();
            let wrong = walks.iter().filter(|(answer, _)| *answer == Some(!truth)).count();
            let rounds = walks.iter().map(|(_, taken)| taken).sum::<usize>() as f64 / 2000.0;
            // 5 % of 2000 is 100; four standard deviations of that are 39.
            assert!(wrong <= 139, "level {level}, bad {bad}: {wrong} of 2000 wrong");
            assert!(rounds < 6.0, "level {level}, bad {bad}: {rounds} rounds");
        }
    }

    #[test]
    fn a_probe_in_the_middle_is_called_neither_for_long() {
        let mean = (0..200).map(|seed| walk(seed, 0.02, 1.05f64.sqrt(), 1.05, 0.01).1).sum::<usize>() as f64 / 200.0;
        let clear = (0..200).map(|seed| walk(seed, 0.02, 1.05, 1.05, 0.01).1).sum::<usize>() as f64 / 200.0;
        assert!(mean > 3.0 * clear, "{mean} rounds in the middle, {clear} at an end");
    }

    #[test]
    fn one_wild_reading_decides_nothing() {
        let steady = |i: usize| 1.0 + 0.001 * (i * 7 % 5) as f64;
        let mut rounds: Vec<Trio> =
            (0..8).map(|i| Trio { good: steady(i), bad: 1.05 * steady(i + 1), probe: None }).collect();
        rounds.push(Trio { good: 1.0, bad: 1.05, probe: Some(1.0) });
        let before = contrasts(&rounds, Scale::LogRatio).log_odds();
        rounds.push(Trio { good: 1.0, bad: 1.05, probe: Some(3.0) });
        let after = contrasts(&rounds, Scale::LogRatio).log_odds();
        assert!(before < -3.0 && after.abs() < threshold(0.05), "{before}, then {after}");
    }

    #[test]
    fn readings_that_never_vary_or_are_too_few_say_nothing_or_what_they_can() {
        let same = [Trio { good: 0.0, bad: 0.0, probe: Some(0.0) }; 5];
        assert_eq!(contrasts(&same, scale(&same)).log_odds(), 0.0);
        let one = [Trio { good: 1.0, bad: 2.0, probe: Some(2.0) }];
        assert_eq!(contrasts(&one, Scale::LogRatio).log_odds(), 0.0);
        // A clock of 1 that reads 1 and 2: sure in the end, not at once.
        let coarse = |n| vec![Trio { good: 1.0, bad: 2.0, probe: Some(2.0) }; n];
        assert!(contrasts(&coarse(2), Scale::LogRatio).log_odds() < threshold(0.01));
        assert!(contrasts(&coarse(12), Scale::LogRatio).log_odds() > threshold(0.01));
    }

    #[test]
    fn the_change_from_a_probe_to_an_end_is_what_was_put_in_and_has_an_interval() {
        let mut random = StdRng::seed_from_u64(4);
        let mut inside = 0;
        for _ in 0..400 {
            let rounds: Vec<Trio> = (0..8)
                .map(|_| Trio {
                    good: noisy(&mut random, 1.0, 0.02),
                    bad: noisy(&mut random, 1.1, 0.02),
                    probe: Some(noisy(&mut random, 1.0, 0.02)),
                })
                .collect();
            let all = contrasts(&rounds, Scale::LogRatio);
            let (before, after) = (Place::probe(&all.probes).unwrap(), Place::end(&all.steps, 1.0).unwrap());
            let (estimate, [low, high]) = change(before, after, false, &all).unwrap();
            assert!((estimate - 0.1).abs() < 0.06, "{estimate}");
            inside += usize::from(low <= 0.1 && 0.1 <= high);
        }
        assert!((360..=396).contains(&inside), "{inside} of 400 intervals hold the change");
    }
}
