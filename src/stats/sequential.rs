//! The sequential paired comparison: when to look, what each look says, and when to give up.
//!
//! A round gives one pair of readings. Positive pairs are compared by their log ratio, so that "twice" and "half" weigh
//! the same; pairs with a zero or a negative reading by their difference. [`look`] answers at one look, [`decide`] goes
//! through all the looks of a session and stops at the first answer.

use super::{StatsError, Word, median, student, wilcoxon};
use crate::config::{Better, Matters};
use std::collections::HashMap;

/// Pairs after which a session looks at its numbers, and the error that each look may spend: 4.7 % in all for normal
/// readings and a margin of zero, less for every other margin (`tests/stats.rs` counts it).
///
/// Three and five pairs get less: an interval of so few is so wide that more error hardly narrows it. 0.0157 is what the
/// ranks of eight pairs can spend.
const SCHEDULE: [(usize, f64); 8] =
    [(3, 0.005), (5, 0.007), (8, 0.0157), (12, 0.008), (18, 0.008), (27, 0.008), (40, 0.008), (60, 0.008)];

/// Beyond the schedule each look is after half as many pairs again, and spends two thirds of the one before it; the
/// first of them this much.
const BEYOND: f64 = 0.003;

/// Most pairs that are taken when nobody names a number.
pub const DEFAULT_ROUNDS: usize = 60;

/// From so many pairs on the signed-rank interval is used where it reaches the level, below it Student's.
const RANKS_FROM: usize = 8;

/// From so many pairs on a comparison may be given up as out of reach.
const FUTILE_FROM: usize = 12;

/// Rounds beyond which no need is foretold.
const FORETOLD: f64 = 100_000.0;

/// Degrees of freedom below which a need is not told apart.
const FEWEST_FREEDOM: usize = 7;

/// After how many pairs to look, and how much error each look may spend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looks {
    points: Vec<usize>,
}

impl Looks {
    /// The looks of a session of at most `rounds` pairs ([`DEFAULT_ROUNDS`] when nobody names a number); the last one is
    /// always at `rounds`.
    pub fn up_to(rounds: Option<usize>) -> Looks {
        let last = rounds.unwrap_or(DEFAULT_ROUNDS).max(1);
        let mut points: Vec<usize> = SCHEDULE.iter().map(|(n, _)| *n).collect();
        while let Some(&end) = points.last().filter(|end| **end < last) {
            points.push(end + end / 2);
        }
        points.retain(|n| *n < last);
        points.push(last);
        Looks { points }
    }

    /// All looks, in order.
    pub fn points(&self) -> &[usize] {
        &self.points
    }

    /// The look that follows `done` pairs; none when the last one is past.
    pub fn next(&self, done: usize) -> Option<usize> {
        self.points.iter().copied().find(|n| *n > done)
    }

    /// The last look.
    pub fn last(&self) -> usize {
        self.points.last().copied().unwrap_or(DEFAULT_ROUNDS)
    }

    /// The error that a look after `pairs` pairs may spend on one metric, when `family` metrics are judged together.
    ///
    /// A session that ends between two looks spends what the look before its end had. Bonferroni: each of the `family` sampled metrics gets an equal part, so that the chance of any false claim in the
    /// whole table stays below the total.
    pub fn alpha(pairs: usize, family: usize) -> f64 {
        let alpha = match SCHEDULE.iter().rposition(|(n, _)| *n <= pairs) {
            None => SCHEDULE[0].1,
            Some(index) if index + 1 < SCHEDULE.len() => SCHEDULE[index].1,
            Some(index) => {
                let (mut look, mut alpha, mut following) = (SCHEDULE[index].0, SCHEDULE[index].1, BEYOND);
                while look + look / 2 <= pairs {
                    look += look / 2;
                    alpha = following;
                    following *= 2.0 / 3.0;
                }
                alpha
            }
        };
        alpha / family.max(1) as f64
    }
}

/// What the numbers of a look are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Natural logarithms of candidate over base.
    LogRatio,
    /// Candidate minus base, in the unit of the readings.
    Difference,
}

/// What one look says of one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Pairs that it rests on.
    pub pairs: usize,
    /// Median of the base.
    pub base: f64,
    /// Median of the candidate.
    pub candidate: f64,
    /// What `estimate`, `interval` and `margin` are.
    pub scale: Scale,
    /// The estimated change.
    pub estimate: f64,
    /// Its interval; none when so few pairs give none.
    pub interval: Option<[f64; 2]>,
    /// The band of changes that do not matter: `[at most 0, at least 0]`.
    pub margin: [f64; 2],
    /// The answer, if the interval gives one.
    pub word: Option<Word>,
    critical: Critical,
}

impl Look {
    /// A value of this look's scale as a relative change of the base; none when the base's median is zero or the change
    /// is beyond what a number holds.
    fn relative_of(&self, value: f64) -> Option<f64> {
        let relative = match self.scale {
            Scale::LogRatio => value.exp_m1(),
            Scale::Difference if self.base == 0.0 => return None,
            Scale::Difference => value / self.base.abs(),
        };
        relative.is_finite().then_some(relative)
    }

    /// The estimated relative change: 0.41 is +41 %.
    pub fn relative(&self) -> Option<f64> {
        self.relative_of(self.estimate)
    }

    /// The interval of the relative change.
    pub fn relative_interval(&self) -> Option<[f64; 2]> {
        let [low, high] = self.interval?;
        Some([self.relative_of(low)?, self.relative_of(high)?])
    }

    /// The smallest relative change that these pairs could have shown: one whose interval, as wide as this one, would
    /// lie just beyond the margin.
    pub fn detectable(&self) -> Option<f64> {
        let [low, high] = self.interval?;
        self.relative_of(self.margin[1] + (high - low) / 2.0)
    }

    /// Pairs that would be needed in all if the estimate and the spread stayed as they are: the interval narrows with
    /// the root of the pairs until it no longer holds the end of the margin. None when that cannot be foretold.
    pub fn pairs_needed(&self) -> Option<usize> {
        self.needed_if(self.estimate)
    }

    /// Whether an answer within `rounds` pairs is out of reach: not even an effect one standard error further out, or
    /// further in, would be decided by then.
    pub fn futile(&self, rounds: usize) -> bool {
        if self.word.is_some() || self.pairs < FUTILE_FROM {
            return false;
        }
        let Some(error) = self.spread().map(|s| s / (self.pairs as f64).sqrt()) else { return false };
        [-error, 0.0, error].iter().all(|d| self.needed_if(self.estimate + d).is_none_or(|need| need > rounds))
    }

    /// The standard deviation of one pair that the width of the interval stands for.
    fn spread(&self) -> Option<f64> {
        let [low, high] = self.interval?;
        Some((high - low) / 2.0 * (self.pairs as f64).sqrt() / self.critical.student)
    }

    fn needed_if(&self, estimate: f64) -> Option<usize> {
        let spread = self.spread()?;
        let [low, high] = self.margin;
        let distance = (estimate - low).abs().min((estimate - high).abs());
        let pairs_for = |quantile: f64| (quantile * spread / distance).powi(2).ceil();
        // Fewer pairs have a larger quantile: a few rounds settle it.
        let mut need = pairs_for(self.critical.normal);
        for _ in 0..8 {
            if need.is_nan() || need > FORETOLD {
                return None;
            }
            let freedom = (need as usize).saturating_sub(1).max(FEWEST_FREEDOM);
            need = pairs_for(student::t_from_normal(self.critical.normal, freedom));
        }
        (need <= FORETOLD).then_some((need as usize).max(2))
    }
}

/// Critical values that have been worked out, so that many metrics and many looks share them.
#[derive(Debug, Clone, Default)]
pub struct Criticals {
    known: HashMap<(usize, u64), Critical>,
}

/// The critical values of one number of pairs at one level.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Critical {
    /// Of the signed-rank sum; none when Student's interval is to be used.
    ranks: Option<usize>,
    /// The quantile of Student's t.
    student: f64,
    /// The quantile of the normal distribution.
    normal: f64,
}

impl Criticals {
    fn of(&mut self, pairs: usize, alpha: f64) -> Critical {
        *self.known.entry((pairs, alpha.to_bits())).or_insert_with(|| Critical {
            ranks: (pairs >= RANKS_FROM).then(|| wilcoxon::critical(pairs, alpha)).flatten(),
            student: student::t_quantile(1.0 - alpha / 2.0, pairs.saturating_sub(1).max(1)),
            normal: student::normal_quantile(1.0 - alpha / 2.0),
        })
    }
}

/// Looks at the pairs `(base, candidate)` of one metric, spending `alpha`.
pub fn look(
    pairs: &[(f64, f64)],
    matters: Matters,
    better: Better,
    alpha: f64,
    criticals: &mut Criticals,
) -> Result<Look, StatsError> {
    for (place, (a, b)) in pairs.iter().enumerate() {
        if let Some(value) = [*a, *b].into_iter().find(|v| !v.is_finite()) {
            return Err(StatsError::NotFinite { place, value });
        }
    }
    let (first, second): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let (Some(base), Some(candidate)) = (median(&first), median(&second)) else { return Err(StatsError::NoPairs) };
    let positive = pairs.iter().all(|(a, b)| *a > 0.0 && *b > 0.0);
    let scale = if positive { Scale::LogRatio } else { Scale::Difference };
    let changes: Vec<f64> = pairs
        .iter()
        .map(|(a, b)| match scale {
            Scale::LogRatio => b.ln() - a.ln(),
            Scale::Difference => b - a,
        })
        .collect();
    let margin = margin(matters, base, scale);
    let critical = criticals.of(pairs.len(), alpha);
    // So few pairs that their ranks cannot reach the level leave Student's interval.
    let (estimate, interval) = if critical.ranks.is_some() {
        wilcoxon::interval(&changes, critical.ranks)
    } else {
        let level = if scale == Scale::LogRatio { base.min(candidate) } else { 1.0 };
        match student::interval(&changes, critical.student, least_spread(&first, &second) / level) {
            Some((mean, half)) => (mean, Some([mean - half, mean + half])),
            None => (changes[0], None),
        }
    };
    let word = interval.and_then(|interval| answer(interval, margin, better));
    Ok(Look { pairs: pairs.len(), base, candidate, scale, estimate, interval, margin, word, critical })
}

/// The band of changes that do not matter, on the scale of the changes.
fn margin(matters: Matters, base: f64, scale: Scale) -> [f64; 2] {
    match scale {
        Scale::Difference => {
            let width = match matters {
                Matters::Relative(ratio) => ratio.0 * base.abs(),
                Matters::Absolute(width) => width,
            };
            [-width, width]
        }
        Scale::LogRatio => {
            let ratio = match matters {
                Matters::Relative(ratio) => ratio.0,
                Matters::Absolute(width) => width / base,
            };
            // A loss of all of it or more cannot be reached: that end is open.
            [if ratio < 1.0 { (-ratio).ln_1p() } else { f64::NEG_INFINITY }, ratio.ln_1p()]
        }
    }
}

/// The standard deviation that rounding alone gives a difference, when the readings step as coarsely as they seem to.
///
/// Two readings that differ do so by at least one step of the clock; the smallest gap between different readings is at
/// least that step. Rounding to a step `q` has the variance `q^2 / 12` a reading. It matters for coarse clocks only: for
/// fine ones the gap is far below the spread.
fn least_spread(first: &[f64], second: &[f64]) -> f64 {
    let mut all: Vec<f64> = first.iter().chain(second).copied().collect();
    all.sort_by(f64::total_cmp);
    let gap = all.windows(2).map(|w| w[1] - w[0]).filter(|gap| *gap > 0.0).min_by(f64::total_cmp);
    gap.unwrap_or(0.0) / 6f64.sqrt()
}

/// The word for an interval, if it is wholly beyond the margin or wholly inside it.
fn answer([low, high]: [f64; 2], margin: [f64; 2], better: Better) -> Option<Word> {
    let more = low >= margin[1] && low > 0.0;
    let less = high <= margin[0] && high < 0.0;
    let inside = (low > margin[0] && high < margin[1]) || (low == 0.0 && high == 0.0);
    match (more, less, better) {
        (true, _, Better::Lower) | (_, true, Better::Higher) => Some(Word::Regressed),
        (true, _, Better::Higher) | (_, true, Better::Lower) => Some(Word::Improved),
        _ => inside.then_some(Word::Unchanged),
    }
}

/// Goes through the looks that `pairs` have had, in order: the first that gives an answer, else the last one.
///
/// Every look uses only the pairs that were there at that time, so the result does not depend on when it is asked.
/// `family` says of a number of pairs how many metrics are judged together there.
pub fn decide(
    pairs: &[(f64, f64)],
    matters: Matters,
    better: Better,
    looks: &Looks,
    criticals: &mut Criticals,
    family: impl Fn(usize) -> usize,
) -> Result<Option<Look>, StatsError> {
    let mut last = None;
    for &n in looks.points().iter().take_while(|n| **n <= pairs.len()) {
        let one = look(&pairs[..n], matters, better, Looks::alpha(n, family(n)), criticals)?;
        let decided = one.word.is_some();
        last = Some(one);
        if decided {
            break;
        }
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Ratio;

    const FIVE: Matters = Matters::Relative(Ratio(0.05));

    fn at(pairs: &[(f64, f64)], matters: Matters) -> Look {
        look(pairs, matters, Better::Lower, 0.02, &mut Criticals::default()).expect("finite pairs")
    }

    /// Pairs that differ by `ratio` with a little spread that is the same every time.
    fn steady(n: usize, ratio: f64) -> Vec<(f64, f64)> {
        (0..n).map(|i| (100.0 + (i * 7 % 5) as f64 * 0.1, (100.0 + (i * 3 % 4) as f64 * 0.1) * ratio)).collect()
    }

    #[test]
    fn looks_grow_by_half_and_end_where_the_session_ends() {
        assert_eq!(Looks::up_to(None).points(), [3, 5, 8, 12, 18, 27, 40, 60]);
        assert_eq!(Looks::up_to(Some(10)).points(), [3, 5, 8, 10]);
        assert_eq!(Looks::up_to(Some(12)).points(), [3, 5, 8, 12]);
        assert_eq!(Looks::up_to(Some(100)).points(), [3, 5, 8, 12, 18, 27, 40, 60, 90, 100]);
        assert_eq!(Looks::up_to(Some(1)).points(), [1]);
        assert_eq!(Looks::up_to(Some(0)).points(), [1]);
        let looks = Looks::up_to(None);
        assert_eq!((looks.next(0), looks.next(3), looks.next(59), looks.next(60)), (Some(3), Some(5), Some(60), None));
    }

    #[test]
    fn several_metrics_share_the_error_of_a_look() {
        for n in [1, 3, 5, 8, 20, 60, 500] {
            assert_eq!(Looks::alpha(n, 4), Looks::alpha(n, 1) / 4.0);
            assert_eq!(Looks::alpha(n, 0), Looks::alpha(n, 1));
        }
        let c = &mut Criticals::default();
        let alone = look(&steady(12, 0.9), FIVE, Better::Lower, Looks::alpha(12, 1), c).expect("pairs");
        let among = look(&steady(12, 0.9), FIVE, Better::Lower, Looks::alpha(12, 6), c).expect("pairs");
        let width = |l: &Look| l.interval.map(|[a, b]| b - a).expect("an interval");
        assert!(width(&among) > width(&alone));
    }

    #[test]
    fn a_steady_change_beyond_the_margin_is_called_by_its_direction() {
        for n in [3, 5, 8, 12] {
            assert_eq!(at(&steady(n, 0.8), FIVE).word, Some(Word::Improved), "{n} pairs");
            assert_eq!(at(&steady(n, 1.2), FIVE).word, Some(Word::Regressed), "{n} pairs");
            assert_eq!(at(&steady(n, 1.01), FIVE).word, Some(Word::Unchanged), "{n} pairs");
            let higher =
                look(&steady(n, 1.2), FIVE, Better::Higher, 0.02, &mut Criticals::default()).expect("finite pairs");
            assert_eq!(higher.word, Some(Word::Improved), "{n} pairs");
        }
    }

    #[test]
    fn a_change_about_as_large_as_the_margin_stays_open() {
        let look = at(&steady(12, 1.05), FIVE);
        assert_eq!(look.word, None);
        assert!(look.detectable().is_some_and(|d| d > 0.05 && d < 0.06), "{:?}", look.detectable());
    }

    #[test]
    fn an_absolute_margin_is_one_of_the_base() {
        let pairs = steady(12, 0.9);
        assert_eq!(at(&pairs, Matters::Absolute(5.0)).word, Some(Word::Improved));
        assert_eq!(at(&pairs, Matters::Absolute(20.0)).word, Some(Word::Unchanged));
        assert_eq!(at(&pairs, Matters::Absolute(1000.0)).word, Some(Word::Unchanged));
    }

    #[test]
    fn a_negative_or_a_zero_reading_is_compared_by_differences() {
        let cold: Vec<(f64, f64)> = steady(12, 1.2).iter().map(|(a, b)| (-a, -b)).collect();
        let look = at(&cold, FIVE);
        assert_eq!((look.scale, look.word), (Scale::Difference, Some(Word::Improved)));
        assert!(look.relative().is_some_and(|r| (r + 0.2).abs() < 0.01), "{:?}", look.relative());
        let mixed: Vec<(f64, f64)> = (0..12).map(|i| (-1.0 + 0.01 * i as f64, 1.0)).collect();
        assert_eq!(at(&mixed, FIVE).word, Some(Word::Regressed));
    }

    #[test]
    fn a_base_of_zero_has_no_relative_change_but_an_answer() {
        let pairs: Vec<(f64, f64)> = (0..12).map(|i| (0.0, 0.5 + 0.01 * i as f64)).collect();
        let look = at(&pairs, FIVE);
        assert_eq!((look.relative(), look.relative_interval(), look.detectable()), (None, None, None));
        assert_eq!(look.word, Some(Word::Regressed));
        assert_eq!(at(&pairs, Matters::Absolute(2.0)).word, Some(Word::Unchanged));
    }

    #[test]
    fn readings_that_are_all_zero_are_unchanged() {
        for n in [3, 8, 60] {
            assert_eq!(at(&vec![(0.0, 0.0); n], FIVE).word, Some(Word::Unchanged));
        }
    }

    #[test]
    fn a_step_that_is_sometimes_0_ms_is_no_difference() {
        let pairs: Vec<(f64, f64)> = (0..12).map(|i| ([0.0, 0.01][i % 2], [0.01, 0.0, 0.0][i % 3])).collect();
        assert_eq!(at(&pairs, FIVE).word, None);
    }

    #[test]
    fn a_coarse_clock_does_not_pass_for_a_steady_difference() {
        // A clock of 10 ms that read 10 on one side and 20 on the other three times: no more than chance.
        let coarse = [(0.01, 0.02); 3];
        assert_eq!(at(&coarse, FIVE).word, None);
        // Eight times is more than chance.
        assert_eq!(at(&[(0.01, 0.02); 8], FIVE).word, Some(Word::Regressed));
    }

    #[test]
    fn a_single_pair_has_an_estimate_and_no_interval() {
        let look = at(&[(2.0, 1.0)], FIVE);
        assert_eq!((look.interval, look.word, look.detectable(), look.pairs_needed()), (None, None, None, None));
        assert!(look.relative().is_some_and(|r| (r + 0.5).abs() < 1e-12));
        assert!(!look.futile(60));
    }

    #[test]
    fn no_pair_and_no_number_are_refused() {
        let refused = |pairs: &[(f64, f64)]| {
            look(pairs, FIVE, Better::Lower, 0.02, &mut Criticals::default()).expect_err("refused")
        };
        assert_eq!(refused(&[]), StatsError::NoPairs);
        assert!(matches!(refused(&[(1.0, 1.0), (1.0, f64::NAN)]), StatsError::NotFinite { place: 1, .. }));
        assert!(matches!(refused(&[(f64::INFINITY, 1.0)]), StatsError::NotFinite { place: 0, .. }));
        assert_eq!(
            refused(&[(f64::INFINITY, 1.0)]).to_string(),
            "round 1 has a reading that is no finite number (inf)"
        );
    }

    #[test]
    fn one_wild_reading_among_many_does_not_hide_a_change() {
        let mut pairs = steady(18, 0.8);
        pairs[4].1 = 1e9;
        assert_eq!(at(&pairs, FIVE).word, Some(Word::Improved));
    }

    #[test]
    fn the_need_that_is_foretold_is_enough() {
        // A spread of 5 % a pair around -8 %, margin 5 %.
        let spread = [0.05, -0.05, 0.02, -0.02, 0.08, -0.08, 0.01, -0.01, 0.06, -0.06, 0.03, -0.03];
        let once: Vec<(f64, f64)> = spread.iter().map(|d| (100.0, 100.0 * (-0.0834 + d as &f64).exp())).collect();
        let first = at(&once, FIVE);
        assert_eq!(first.word, None);
        let need = first.pairs_needed().expect("within reach");
        assert!(need > 12, "{need}");
        let longer: Vec<(f64, f64)> = once.iter().copied().cycle().take(need.next_multiple_of(12)).collect();
        assert_eq!(at(&longer, FIVE).word, Some(Word::Improved));
    }

    #[test]
    fn a_need_beyond_all_rounds_is_futile_and_one_within_them_is_not() {
        let spread = [0.4, -0.4, 0.2, -0.2, 0.3, -0.3, 0.1, -0.1, 0.5, -0.5, 0.6, -0.6];
        let wide: Vec<(f64, f64)> = spread.iter().map(|d: &f64| (100.0, 100.0 * d.exp())).collect();
        assert!(at(&wide, Matters::Relative(Ratio(0.01))).futile(60));
        assert!(!at(&wide, Matters::Relative(Ratio(0.01))).futile(100_000));
        assert!(!at(&steady(12, 0.8), FIVE).futile(60), "decided is not futile");
    }

    #[test]
    fn a_metric_keeps_the_answer_of_the_look_that_gave_it() {
        // Clear for twelve pairs, then the other way round.
        let mut pairs = steady(12, 0.8);
        pairs.extend(steady(48, 1.3));
        let look = decide(&pairs, FIVE, Better::Lower, &Looks::up_to(None), &mut Criticals::default(), |_| 1)
            .expect("finite")
            .expect("a look");
        assert_eq!((look.pairs, look.word), (3, Some(Word::Improved)));
    }

    #[test]
    fn pairs_between_two_looks_are_not_looked_at() {
        let looks = Looks::up_to(None);
        let pairs = steady(60, 1.05);
        for n in 0..=60 {
            let seen = decide(&pairs[..n], FIVE, Better::Lower, &looks, &mut Criticals::default(), |_| 1)
                .expect("finite")
                .map(|l| l.pairs);
            assert_eq!(seen, looks.points().iter().copied().rfind(|p| *p <= n));
        }
    }
}
