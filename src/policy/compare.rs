//! Samples -> comparison: joins the readings of a session with what the configuration says matters.
//!
//! [`rows`] and [`StopRule`] go through the same looks, so a word never depends on when it is asked for. Each metric
//! stops at the first look that decides it and keeps what that look said, however long the others need. A session that
//! ended between two looks gets one last look at its end; it counts only if the session is not taken up again.

use super::MetricComparison;
use crate::config::{Better, Config, Matters, Metric, Source};
use crate::measure::{self, Measurement, Next, Plan, Sample};
use crate::stats::{self, Look, Looks, Word};
use crate::units::Unit;

/// Rounds expected of a metric that no look has judged yet.
const USUAL_ROUNDS: usize = 12;

/// Complete rounds without a reading after which a metric is no longer waited for.
const GONE_AFTER: usize = 3;

/// Rounds that prove a reading exact.
const PROOF: usize = 2;

/// The slack of a comparison of exact readings: what rounding can do to a quotient, far below what can matter.
const ROUNDING: f64 = 1e-12;

/// The complete rounds of one metric on two sides.
struct Readings<'a> {
    metric: &'a Metric,
    pairs: Vec<(f64, f64)>,
}

impl Readings<'_> {
    /// Whether the first `rounds` rounds read the same each time, for a metric that can be exact at all.
    fn exact(&self, rounds: usize) -> bool {
        let pairs = &self.pairs[..rounds.min(self.pairs.len())];
        may_be_exact(self.metric) && pairs.windows(2).all(|w| w[0] == w[1])
    }
}

/// Whether two equal readings prove a metric exact. Times are never exact: two equal ones are a coarse clock.
fn may_be_exact(metric: &Metric) -> bool {
    match metric.source {
        Source::Command { .. } => metric.unit != Unit::Seconds,
        _ => metric.source.exact(),
    }
}

/// The readings of each metric that has any complete round. Rounds with a reading that is no finite number are left out.
fn readings<'a>(
    metrics: impl Iterator<Item = &'a Metric>,
    samples: &[Sample],
    first: usize,
    second: usize,
) -> Vec<Readings<'a>> {
    let finite = |(a, b): &(f64, f64)| a.is_finite() && b.is_finite();
    metrics
        .map(|metric| {
            let pairs = measure::pairs(samples, &metric.name, first, second).into_iter().filter(finite).collect();
            Readings { metric, pairs }
        })
        .filter(|readings| !readings.pairs.is_empty())
        .collect()
}

/// The metrics that share the error of a look: all that vary in the rounds up to it.
fn family(all: &[Readings<'_>], rounds: usize) -> usize {
    all.iter().filter(|r| !r.exact(rounds)).count()
}

/// The look that decided a metric, or its last one.
fn decided(one: &Readings<'_>, all: &[Readings<'_>], looks: &Looks) -> Option<Look> {
    let Metric { matters, better, .. } = *one.metric;
    // Readings that are no finite number are out already, so there is nothing that could be refused.
    stats::decide(&one.pairs, matters, better, looks, |rounds| family(all, rounds)).ok().flatten()
}

/// One row for each measured metric, in the order of the configuration: side `second` against side `first`.
///
/// A metric without a single complete round on these sides has no row.
pub fn rows(config: &Config, measurement: &Measurement, first: usize, second: usize) -> Vec<MetricComparison> {
    let all = readings(config.metrics.iter(), &measurement.samples, first, second);
    let row = |one: &Readings<'_>| {
        if one.exact(one.pairs.len()) {
            return Some(exact_row(one));
        }
        let looks = Looks::up_to(Some(one.pairs.len()));
        Some(sampled_row(one.metric, &decided(one, &all, &looks)?))
    };
    all.iter().filter_map(row).collect()
}

fn exact_row(one: &Readings<'_>) -> MetricComparison {
    let metric = one.metric;
    let (base, candidate) = one.pairs[0];
    let proved = one.pairs.len() >= PROOF;
    let word = exact_word(base, candidate, metric.matters, metric.better);
    MetricComparison {
        metric: metric.name.clone(),
        unit: metric.unit.clone(),
        better: metric.better,
        matters: metric.matters,
        base,
        candidate,
        relative: (base != 0.0).then(|| (candidate - base) / base.abs()),
        interval: None,
        exact: proved,
        rounds: one.pairs.len(),
        word: if proved { word } else { Word::Inconclusive },
        limit: metric.limit,
        detectable: None,
        rounds_needed: (!proved).then_some(PROOF),
    }
}

/// The word for two exact readings: a change of at least `matters` counts.
pub fn exact_word(base: f64, candidate: f64, matters: Matters, better: Better) -> Word {
    let change = candidate - base;
    let margin = match matters {
        Matters::Relative(ratio) => ratio.0 * base.abs(),
        Matters::Absolute(width) => width,
    };
    if change == 0.0 || change.abs() < margin * (1.0 - ROUNDING) {
        Word::Unchanged
    } else if (change < 0.0) == (better == Better::Lower) {
        Word::Improved
    } else {
        Word::Regressed
    }
}

fn sampled_row(metric: &Metric, look: &Look) -> MetricComparison {
    let open = look.word.is_none();
    MetricComparison {
        metric: metric.name.clone(),
        unit: metric.unit.clone(),
        better: metric.better,
        matters: metric.matters,
        base: look.base,
        candidate: look.candidate,
        relative: look.relative(),
        interval: look.relative_interval(),
        exact: false,
        rounds: look.pairs,
        word: look.word.unwrap_or(Word::Inconclusive),
        limit: metric.limit,
        detectable: look.detectable().filter(|_| open),
        rounds_needed: look.pairs_needed().filter(|_| open),
    }
}

/// What would settle an inconclusive metric, in words; none for any other.
///
/// `about 23 more pairs, or accept changes below 3%`.
pub fn what_settles(row: &MetricComparison) -> Option<String> {
    if row.word != Word::Inconclusive {
        return None;
    }
    let more = match row.rounds_needed {
        Some(need) if need > row.rounds => match need - row.rounds {
            1 => "1 more pair".to_string(),
            n => format!("about {n} more pairs"),
        },
        Some(_) => "a few more pairs".to_string(),
        None if row.interval.is_none() => {
            let first = Looks::up_to(None).points()[0];
            match first.saturating_sub(row.rounds) {
                0 => "more pairs".to_string(),
                1 => "at least 1 more pair".to_string(),
                n => format!("at least {n} more pairs"),
            }
        }
        None => "a quieter machine, more pairs than can be foretold".to_string(),
    };
    Some(match row.interval {
        // The direction is known: a smaller margin would call it.
        Some([low, high]) if low > 0.0 || high < 0.0 => {
            format!("{more}, or act on changes from {} on", percent(low.abs().min(high.abs()), f64::floor))
        }
        Some([low, high]) => {
            format!("{more}, or accept changes below {}", percent(low.abs().max(high.abs()), f64::ceil))
        }
        None => more,
    })
}

/// A relative change as a percentage with two digits that count, rounded in one direction.
fn percent(ratio: f64, round: fn(f64) -> f64) -> String {
    let value = ratio * 100.0;
    if value <= 0.0 {
        return "0%".to_string();
    }
    let digits = (1 - value.log10().floor() as i32).clamp(0, 6);
    let scale = 10f64.powi(digits);
    format!("{}%", round(value * scale) / scale)
}

/// The rule that ends a session: every metric decided on every side, or out of reach.
#[derive(Debug)]
pub struct StopRule {
    metrics: Vec<Metric>,
    sides: usize,
    looks: Looks,
}

impl StopRule {
    /// A rule for this plan.
    pub fn new(plan: &Plan) -> StopRule {
        StopRule {
            metrics: plan.metrics().cloned().collect(),
            sides: plan.sides.len(),
            looks: Looks::up_to(plan.max_rounds),
        }
    }

    /// Whether more rounds are needed after these samples. Depends on nothing but the samples, so it may be asked at any
    /// time, and goes on where an interrupted session stopped.
    pub fn next(&mut self, samples: &[Sample]) -> Next {
        let complete = complete_rounds(samples, self.sides);
        let done = complete.len();
        if done >= self.looks.last() {
            return Next::Stop;
        }
        let wants = (1..self.sides).flat_map(|side| self.wants(samples, &complete, side));
        let step = |target: usize| self.looks.next(target.max(done + 1) - 1).unwrap_or(self.looks.last());
        let joined = wants.reduce(|(a, b), (c, d)| (a.min(c), b.max(d)));
        if done == 0 {
            return Next::More { rounds: 1, expected: step(USUAL_ROUNDS) };
        }
        match joined {
            None => Next::Stop,
            Some((next, expected)) => {
                let rounds = next.min(self.looks.last() - done);
                Next::More { rounds, expected: (step(expected.max(done + 1)) - done).max(rounds) }
            }
        }
    }

    /// For each metric that is still open on a side: rounds until it wants to look, and rounds it may need in all.
    fn wants(&self, samples: &[Sample], complete: &[usize], side: usize) -> Vec<(usize, usize)> {
        let all = readings(self.metrics.iter(), samples, 0, side);
        let open = |one: &Readings<'_>| {
            let taken = one.pairs.len();
            if one.exact(taken) {
                return (taken < PROOF).then_some((PROOF - taken, PROOF));
            }
            if gone(&one.metric.name, samples, complete) {
                return None;
            }
            let next = self.looks.next(taken)?;
            let look = decided(one, &all, &self.looks);
            let settled = look.as_ref().is_some_and(|l| l.word.is_some() || l.futile(self.looks.last()));
            let expected = look.and_then(|l| l.pairs_needed()).unwrap_or(USUAL_ROUNDS);
            (!settled).then_some((next - taken, expected.max(next)))
        };
        all.iter().filter_map(open).collect()
    }
}

/// The rounds in which every side was sampled, in order.
fn complete_rounds(samples: &[Sample], sides: usize) -> Vec<usize> {
    let mut seen: std::collections::BTreeMap<usize, std::collections::BTreeSet<usize>> = Default::default();
    for sample in samples {
        seen.entry(sample.round).or_default().insert(sample.side);
    }
    seen.into_iter().filter(|(_, present)| present.len() >= sides).map(|(round, _)| round).collect()
}

/// Whether a metric has had no reading for so long that waiting for it is idle.
fn gone(metric: &str, samples: &[Sample], complete: &[usize]) -> bool {
    let Some(&since) = complete.iter().rev().nth(GONE_AFTER - 1) else { return false };
    !samples.iter().any(|s| s.round >= since && s.values.contains_key(metric))
}
