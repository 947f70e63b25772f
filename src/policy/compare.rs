//! Samples -> comparison: joins the readings of a session with what the configuration says matters.
//!
//! [`rows`] and [`StopRule`] go through the same looks, so a word never depends on when it is asked for. Each metric
//! stops at the first look that decides it and keeps what that look said, however long the others need. A session that
//! ended between two looks gets one last look at its end; it counts only if the session is not taken up again.

use super::MetricComparison;
use crate::config::{Better, Config, Matters, Metric, Resource, Source};
use crate::measure::{self, Measurement, Next, Plan, Sample};
use crate::phrase;
use crate::phrase::Phrase;
use crate::stats::{self, Criticals, Look, Looks, Word};
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
        exact(self.metric, pairs)
    }
}

/// The change from `base` as a part of its size; none from zero, or when it is beyond all numbers.
pub fn relative(base: f64, candidate: f64) -> Option<f64> {
    (base != 0.0).then(|| (candidate - base) / base.abs()).filter(|change| change.is_finite())
}

/// Whether all pairs of readings are the same, for a metric that can be exact at all. One pair proves nothing.
pub fn exact(metric: &Metric, pairs: &[(f64, f64)]) -> bool {
    may_be_exact(metric) && pairs.windows(2).all(|w| w[0] == w[1])
}

/// Whether two equal readings prove a metric exact. Times are never exact: two equal ones are a coarse clock.
fn may_be_exact(metric: &Metric) -> bool {
    match metric.source {
        Source::Command { .. } => metric.unit != Unit::Seconds,
        Source::Step { measure, .. } => measure == Resource::Instructions,
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
fn decided(one: &Readings<'_>, all: &[Readings<'_>], looks: &Looks, criticals: &mut Criticals) -> Option<Look> {
    let Metric { matters, better, .. } = *one.metric;
    // Readings that are no finite number are out already, so there is nothing that could be refused.
    stats::decide(&one.pairs, matters, better, looks, criticals, |rounds| family(all, rounds)).ok().flatten()
}

/// One row for each measured metric, in the order of the configuration: side `second` against side `first`.
///
/// A metric without a single complete round on these sides has no row.
pub fn rows(config: &Config, measurement: &Measurement, first: usize, second: usize) -> Vec<MetricComparison> {
    let all = readings(config.metrics.iter(), &measurement.samples, first, second);
    let mut criticals = Criticals::default();
    let row = |one: &Readings<'_>| {
        if one.exact(one.pairs.len()) {
            return Some(exact_row(one));
        }
        let looks = Looks::up_to(Some(one.pairs.len()));
        Some(sampled_row(one.metric, &decided(one, &all, &looks, &mut criticals)?))
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
        relative: relative(base, candidate),
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

/// The row of a metric that varies.
pub fn sampled_row(metric: &Metric, look: &Look) -> MetricComparison {
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
        // Fewer may be foretold than were taken, which have not settled it.
        rounds_needed: look.pairs_needed().filter(|_| open).map(|need| need.max(look.pairs + 1)),
    }
}

/// What would settle an inconclusive metric, in words; none for any other.
///
/// `about 23 more pairs, or accept changes below 3%`.
pub fn what_settles(row: &MetricComparison) -> Option<Phrase> {
    if row.word != Word::Inconclusive {
        return None;
    }
    let more: Phrase = match row.rounds_needed {
        Some(need) if need > row.rounds => match need - row.rounds {
            1 => "1 more pair".into(),
            n => phrase!("about {n} more pairs", n),
        },
        Some(_) => "a few more pairs".into(),
        None if row.interval.is_none() => {
            let first = Looks::up_to(None).points()[0];
            match first.saturating_sub(row.rounds) {
                0 => "more pairs".into(),
                1 => "at least 1 more pair".into(),
                n => phrase!("at least {n} more pairs", n),
            }
        }
        None => "a quieter machine, more pairs than can be foretold".into(),
    };
    Some(match row.interval {
        // The direction is known: a smaller margin would call it.
        Some([low, high]) if low > 0.0 || high < 0.0 => {
            phrase!(
                "{more}, or act on changes from {size} on",
                more,
                size = change(row, low.abs().min(high.abs()), f64::floor)
            )
        }
        // Nobody accepts a change that is larger than the value itself: as yet nothing is known.
        Some([low, high]) if low.abs().max(high.abs()) > 1.0 => more,
        Some([low, high]) => {
            phrase!(
                "{more}, or accept changes below {size}",
                more,
                size = change(row, low.abs().max(high.abs()), f64::ceil)
            )
        }
        None => more,
    })
}

/// A relative change of a metric with two digits that count, rounded in one direction: a percentage, and in the metric's
/// unit where it is larger than the base itself, since nobody can judge `190%`.
fn change(row: &MetricComparison, ratio: f64, round: fn(f64) -> f64) -> String {
    let whole = ratio > 1.0;
    let value = ratio * if whole { row.base.abs() } else { 100.0 };
    if value <= 0.0 {
        return "0%".to_string();
    }
    let digits = (1 - value.log10().floor() as i32).clamp(-15, 15);
    let scale = 10f64.powi(digits);
    let value = round(value * scale) / scale;
    if whole { row.unit.show(value) } else { format!("{value}%") }
}

/// The rule that ends a session: every metric decided on every side, or out of reach. A number of rounds that the user
/// named is not cut short because the answer is out of reach.
#[derive(Debug)]
pub struct StopRule {
    metrics: Vec<Metric>,
    sides: usize,
    /// The sides compared: base and candidate.
    against: Vec<(usize, usize)>,
    looks: Looks,
    may_give_up: bool,
    criticals: Criticals,
}

impl StopRule {
    /// A rule for this plan.
    pub fn new(plan: &Plan) -> StopRule {
        StopRule {
            metrics: plan.metrics().cloned().collect(),
            sides: plan.sides.len(),
            against: (1..plan.sides.len()).map(|side| (0, side)).collect(),
            looks: Looks::up_to(plan.max_rounds),
            may_give_up: plan.max_rounds.is_none(),
            criticals: Criticals::default(),
        }
    }

    /// The same rule for these pairs of sides, base first, in place of every side against the first.
    pub fn comparing(self, against: Vec<(usize, usize)>) -> StopRule {
        StopRule { against, ..self }
    }

    /// Whether more rounds are needed after these samples. Depends on nothing but the samples, so it may be asked at any
    /// time, and goes on where an interrupted session stopped.
    pub fn next(&mut self, samples: &[Sample]) -> Next {
        let complete = complete_rounds(samples, self.sides);
        let done = complete.len();
        if done >= self.looks.last() {
            return Next::Stop;
        }
        let wants: Vec<_> =
            self.against.clone().into_iter().flat_map(|sides| self.wants(samples, &complete, sides)).collect();
        let step = |target: usize| self.looks.next(target.max(done + 1) - 1).unwrap_or(self.looks.last());
        let joined = wants.into_iter().reduce(|(a, b), (c, d)| (a.min(c), b.max(d)));
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
    fn wants(&mut self, samples: &[Sample], complete: &[usize], sides: (usize, usize)) -> Vec<(usize, usize)> {
        let all = readings(self.metrics.iter(), samples, sides.0, sides.1);
        let open = |one: &Readings<'_>| {
            let taken = one.pairs.len();
            if one.exact(taken) {
                return (taken < PROOF).then(|| (PROOF - taken, PROOF));
            }
            if gone(&one.metric.name, samples, complete) {
                return None;
            }
            let next = self.looks.next(taken)?;
            let look = decided(one, &all, &self.looks, &mut self.criticals);
            let settled =
                look.as_ref().is_some_and(|l| l.word.is_some() || (self.may_give_up && l.futile(self.looks.last())));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Command;
    use crate::git::Oid;
    use crate::measure::Side;
    use crate::units::Ratio;
    use std::collections::BTreeMap;

    fn metric(name: &str, source: Source, unit: Unit, matters: f64) -> Metric {
        let matters = Matters::Relative(Ratio(matters));
        Metric { name: name.into(), source, unit, better: Better::Lower, matters, limit: None }
    }

    fn time(name: &str) -> Metric {
        let source = Source::Step { step: "build".into(), measure: Resource::Wall };
        metric(name, source, Unit::Seconds, 0.05)
    }

    fn size(name: &str) -> Metric {
        metric(name, Source::Path { path: "out".into(), compress: None }, Unit::Bytes, 0.01)
    }

    fn count(name: &str, unit: Unit) -> Metric {
        let run = Command::Shell("count".into());
        metric(
            name,
            Source::Command { run, extract: crate::config::Extract::Whole, scale: 1.0, timeout: None },
            unit,
            0.05,
        )
    }

    fn plan(metrics: Vec<Metric>, sides: usize, max_rounds: Option<usize>) -> Plan {
        let id = Oid::parse(&"a".repeat(40)).expect("forty digits");
        let side = |i| Side { name: format!("side {i}"), commit: id.clone(), tree: id.clone() };
        Plan {
            key: String::new(),
            sides: (0..sides).map(side).collect(),
            config: Config { metrics, ..Config::default() },
            only: Vec::new(),
            max_rounds,
            budget: None,
            seed: 0,
            checks: false,
            hidden: None,
            origins: false,
            turns: Vec::new(),
        }
    }

    /// Rounds of all sides; `value` gives the reading of a metric by name, side and round.
    fn samples(plan: &Plan, rounds: usize, value: impl Fn(&str, usize, usize) -> Option<f64>) -> Vec<Sample> {
        let one = |round, side| {
            let reading = |m: &Metric| Some((m.name.clone(), value(&m.name, side, round)?));
            let values: BTreeMap<String, f64> = plan.metrics().filter_map(reading).collect();
            Sample { round, place: side, side, at: 0.0, values }
        };
        (0..rounds)
            .flat_map(|round| (0..plan.sides.len()).map(move |side| (round, side)))
            .map(|(r, s)| one(r, s))
            .collect()
    }

    /// Fixed noise in `-1 .. 1`: the finaliser of splitmix64.
    fn noise(salt: u64) -> f64 {
        let mut x = salt.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) as f64 / u64::MAX as f64 * 2.0 - 1.0
    }

    fn noisy(level: f64, spread: f64, side: usize, round: usize) -> Option<f64> {
        Some(level * (1.0 + spread * noise((round * 1000 + side) as u64)))
    }

    /// Runs a session as the measuring engine does: after each answer, as many rounds as were asked for.
    fn session(plan: &Plan, value: impl Fn(&str, usize, usize) -> Option<f64> + Copy) -> (Vec<usize>, Vec<Sample>) {
        let mut rule = StopRule::new(plan);
        let (mut rounds, mut asked) = (1, vec![1]);
        loop {
            let taken = samples(plan, rounds, value);
            match rule.next(&taken) {
                Next::Stop => return (asked, taken),
                Next::More { rounds: more, expected } => {
                    assert!(more >= 1 && expected >= more, "{more} of {expected}");
                    rounds += more;
                    asked.push(rounds);
                    assert!(rounds < 1000, "a session ends");
                }
            }
        }
    }

    #[test]
    fn sizes_need_two_rounds_and_have_no_interval() {
        let plan = plan(vec![size("image")], 2, None);
        let (asked, taken) = session(&plan, |_, side, _| Some([3.6e9, 3.3e9][side]));
        assert_eq!(asked, [1, 2]);
        let rows = rows(&plan.config, &Measurement::of(&plan, taken), 0, 1);
        assert_eq!((rows[0].exact, rows[0].interval, rows[0].word, rows[0].rounds), (true, None, Word::Improved, 2));
        assert!(rows[0].relative.is_some_and(|r| (r + 0.3 / 3.6).abs() < 1e-12));
    }

    #[test]
    fn a_size_read_once_is_not_proved() {
        let plan = plan(vec![size("image")], 2, Some(1));
        let (asked, taken) = session(&plan, |_, side, _| Some([3.6e9, 3.3e9][side]));
        assert_eq!(asked, [1]);
        let rows = rows(&plan.config, &Measurement::of(&plan, taken), 0, 1);
        assert_eq!((rows[0].exact, rows[0].word, rows[0].rounds_needed), (false, Word::Inconclusive, Some(2)));
        assert_eq!(what_settles(&rows[0]), Some("1 more pair".into()));
    }

    #[test]
    fn what_is_still_open_needs_more_rounds_than_were_taken() {
        // Sizes of a Debian package, whose build was not reproducible on the base.
        let plan = plan(vec![size("deb")], 2, Some(2));
        let (_, taken) = session(&plan, |_, side, round| Some([[102_604.0, 102_568.0], [102_512.0; 2]][side][round]));
        let rows = rows(&plan.config, &Measurement::of(&plan, taken), 0, 1);
        assert_eq!((rows[0].word, rows[0].rounds, rows[0].rounds_needed), (Word::Inconclusive, 2, Some(3)));
        assert!(what_settles(&rows[0]).unwrap().to_string().starts_with("1 more pair, or "));
    }

    #[test]
    fn a_size_that_varies_is_sampled_like_a_time() {
        let plan = plan(vec![size("image")], 2, None);
        let (asked, taken) = session(&plan, |_, side, round| noisy([3.6e9, 3.3e9][side], 1e-4, side, round));
        assert_eq!(asked, [1, 2, 3]);
        let rows = rows(&plan.config, &Measurement::of(&plan, taken), 0, 1);
        assert_eq!((rows[0].exact, rows[0].word), (false, Word::Improved));
        assert!(rows[0].interval.is_some());
    }

    #[test]
    fn a_size_that_starts_to_vary_late_is_sampled_from_then_on() {
        let plan = plan(vec![size("image"), time("build")], 2, Some(12));
        let value = |name: &str, side: usize, round: usize| match (name, round) {
            ("image", 0..=3) => Some([1000.0, 900.0][side]),
            ("image", _) => noisy([1000.0, 900.0][side], 0.001, side, round),
            _ => noisy(10.0, 0.3, side, round),
        };
        let rows = rows(&plan.config, &Measurement::of(&plan, samples(&plan, 12, value)), 0, 1);
        assert_eq!((rows[0].exact, rows[0].word), (false, Word::Improved));
    }

    #[test]
    fn two_equal_times_are_a_coarse_clock_and_prove_nothing() {
        for metric in [time("build"), count("seconds", Unit::Seconds)] {
            let plan = plan(vec![metric], 2, Some(2));
            let (_, taken) = session(&plan, |_, side, _| Some([0.01, 0.02][side]));
            let rows = rows(&plan.config, &Measurement::of(&plan, taken), 0, 1);
            assert_eq!((rows[0].exact, rows[0].word), (false, Word::Inconclusive));
        }
    }

    #[test]
    fn a_count_that_reads_the_same_twice_is_exact() {
        let plan = plan(vec![count("warnings", Unit::Count)], 2, None);
        let (asked, taken) = session(&plan, |_, side, _| Some([0.0, 3.0][side]));
        assert_eq!(asked, [1, 2]);
        let rows = rows(&plan.config, &Measurement::of(&plan, taken), 0, 1);
        assert_eq!((rows[0].exact, rows[0].relative, rows[0].word), (true, None, Word::Regressed));
    }

    #[test]
    fn a_change_of_exactly_what_matters_counts() {
        let relative = |m| Matters::Relative(Ratio(m));
        assert_eq!(exact_word(100.0, 95.0, relative(0.05), Better::Lower), Word::Improved);
        assert_eq!(exact_word(100.0, 95.1, relative(0.05), Better::Lower), Word::Unchanged);
        assert_eq!(exact_word(100.0, 105.0, relative(0.05), Better::Higher), Word::Improved);
        assert_eq!(exact_word(3.6e9, 3.55e9, Matters::Absolute(50e6), Better::Lower), Word::Improved);
        assert_eq!(exact_word(7.0, 7.0, relative(0.0), Better::Lower), Word::Unchanged);
        assert_eq!(exact_word(0.0, 1.0, relative(0.05), Better::Lower), Word::Regressed);
        assert_eq!(exact_word(-10.0, -12.0, relative(0.05), Better::Lower), Word::Improved);
    }

    #[test]
    fn a_clear_time_stops_at_the_first_look() {
        let plan = plan(vec![time("build")], 2, None);
        let (asked, taken) = session(&plan, |_, side, round| noisy([10.0, 14.0][side], 0.005, side, round));
        assert_eq!(asked, [1, 3]);
        let rows = rows(&plan.config, &Measurement::of(&plan, taken), 0, 1);
        assert_eq!(rows[0].word, Word::Regressed);
        let [low, high] = rows[0].interval.expect("an interval");
        assert!(low < 0.4 && 0.4 < high && rows[0].relative.is_some_and(|r| (r - 0.4).abs() < 0.02));
    }

    #[test]
    fn looks_are_where_the_schedule_says_and_nowhere_else() {
        let plan = plan(vec![time("build")], 2, Some(20));
        let (asked, taken) = session(&plan, |_, side, round| noisy([10.0, 10.5][side], 0.02, side, round));
        assert_eq!(asked, [1, 3, 5, 8, 12, 18, 20]);
        let rows = rows(&plan.config, &Measurement::of(&plan, taken), 0, 1);
        assert_eq!((rows[0].word, rows[0].rounds), (Word::Inconclusive, 20));
    }

    #[test]
    fn an_interrupted_session_is_asked_again_without_an_extra_look() {
        let plan = plan(vec![time("build")], 2, None);
        let taken = samples(&plan, 10, |_, side, round| noisy([10.0, 10.5][side], 0.05, side, round));
        assert!(matches!(StopRule::new(&plan).next(&taken), Next::More { rounds: 2, .. }));
    }

    #[test]
    fn each_metric_stops_by_itself_and_the_run_ends_with_the_last() {
        let plan = plan(vec![time("clear"), time("close")], 2, Some(12));
        let value = |name: &str, side: usize, round: usize| match name {
            "clear" => noisy([10.0, 20.0][side], 0.005, side, round),
            _ => noisy([10.0, 10.5][side], 0.02, side + 40, round),
        };
        let (asked, taken) = session(&plan, value);
        assert_eq!(asked, [1, 3, 5, 8, 12]);
        let rows = rows(&plan.config, &Measurement::of(&plan, taken), 0, 1);
        assert_eq!((rows[0].word, rows[0].rounds), (Word::Regressed, 3));
        assert_eq!((rows[1].word, rows[1].rounds), (Word::Inconclusive, 12));
        assert!(rows[1].detectable.is_some() && rows[0].detectable.is_none());
    }

    #[test]
    fn a_need_out_of_reach_ends_the_session_early() {
        let plan = plan(vec![metric("build", time("x").source, Unit::Seconds, 0.01)], 2, None);
        let (asked, taken) = session(&plan, |_, side, round| noisy(10.0, 0.6, side, round));
        assert!(asked.last().is_some_and(|n| *n < 60), "{asked:?}");
        let rows = rows(&plan.config, &Measurement::of(&plan, taken), 0, 1);
        assert_eq!(rows[0].word, Word::Inconclusive);
        assert!(rows[0].rounds_needed.is_none_or(|n| n > 60));
        assert!(rows[0].detectable.is_some_and(|d| d > 0.1));
    }

    #[test]
    fn every_side_has_to_be_decided() {
        let plan = plan(vec![time("build")], 3, Some(12));
        let value = |_: &str, side: usize, round: usize| match side {
            2 => noisy(10.5, 0.02, side, round),
            _ => noisy([10.0, 20.0][side], 0.01, side, round),
        };
        let (asked, taken) = session(&plan, value);
        assert_eq!(asked.last(), Some(&12));
        let measurement = Measurement::of(&plan, taken);
        assert_eq!(rows(&plan.config, &measurement, 0, 1)[0].word, Word::Regressed);
        assert_eq!(rows(&plan.config, &measurement, 0, 2)[0].word, Word::Inconclusive);
        assert_eq!(rows(&plan.config, &measurement, 2, 1)[0].word, Word::Regressed);
    }

    #[test]
    fn a_metric_that_vanishes_half_way_is_not_waited_for() {
        let plan = plan(vec![time("build"), time("gone")], 2, None);
        let value = |name: &str, side: usize, round: usize| match (name, round) {
            ("gone", 4..) => None,
            ("gone", _) => noisy(1.0, 0.9, side, round),
            _ => noisy([10.0, 20.0][side], 0.005, side, round),
        };
        let (asked, taken) = session(&plan, value);
        assert!(asked.last().is_some_and(|n| *n < 12), "{asked:?}");
        let rows = rows(&plan.config, &Measurement::of(&plan, taken), 0, 1);
        assert_eq!((rows[1].metric.as_str(), rows[1].rounds, rows[1].word), ("gone", 4, Word::Inconclusive));
    }

    #[test]
    fn a_metric_without_a_round_has_no_row() {
        let plan = plan(vec![time("build"), time("never")], 2, None);
        let value = |name: &str, side: usize, round: usize| match name {
            "never" => None,
            _ => noisy([10.0, 20.0][side], 0.005, side, round),
        };
        let (asked, taken) = session(&plan, value);
        assert_eq!(asked, [1, 3]);
        assert_eq!(rows(&plan.config, &Measurement::of(&plan, taken), 0, 1).len(), 1);
    }

    #[test]
    fn rounds_with_no_finite_number_are_left_out() {
        let plan = plan(vec![time("build")], 2, Some(4));
        let value = |_: &str, side: usize, round: usize| match round {
            1 => Some(f64::NAN),
            _ => noisy([10.0, 20.0][side], 0.005, side, round),
        };
        let rows = rows(&plan.config, &Measurement::of(&plan, samples(&plan, 4, value)), 0, 1);
        assert_eq!((rows[0].rounds, rows[0].word), (3, Word::Regressed));
    }

    #[test]
    fn only_the_metrics_asked_for_are_waited_for() {
        let mut plan = plan(vec![time("noisy"), size("image")], 2, None);
        plan.only = vec!["image".into()];
        let (asked, _) = session(&plan, |_, side, _| Some([100.0, 90.0][side]));
        assert_eq!(asked, [1, 2]);
    }

    #[test]
    fn more_timed_metrics_make_each_interval_wider_and_sizes_do_not() {
        let width = |extra: Vec<Metric>| {
            let plan = plan([vec![time("build")], extra].concat(), 2, Some(12));
            let value = |name: &str, side: usize, round: usize| match name {
                "image" => Some(100.0),
                _ => noisy([10.0, 10.5][side], 0.02, side, round),
            };
            let rows = rows(&plan.config, &Measurement::of(&plan, samples(&plan, 12, value)), 0, 1);
            let [low, high] = rows[0].interval.expect("an interval");
            high - low
        };
        assert_eq!(width(vec![size("image")]), width(vec![]));
        assert!(width(vec![time("two"), time("three"), time("four")]) > width(vec![]));
    }

    #[test]
    fn what_would_settle_a_metric_is_said_in_words() {
        let plan = plan(vec![time("build")], 2, Some(12));
        let row = |rounds, needed, interval| MetricComparison {
            rounds,
            rounds_needed: needed,
            interval,
            ..rows(&plan.config, &Measurement::of(&plan, samples(&plan, 2, |_, s, r| noisy(1.0, 0.5, s, r))), 0, 1)
                .remove(0)
        };
        let said = |rounds, needed, interval| what_settles(&row(rounds, needed, interval)).expect("inconclusive");
        let about_zero = Some([-0.021, 0.0291]);
        assert_eq!(said(12, Some(35), about_zero), "about 23 more pairs, or accept changes below 3%");
        assert_eq!(said(12, Some(13), Some([0.0123, 0.09])), "1 more pair, or act on changes from 1.2% on");
        assert_eq!(said(1, None, None), "at least 2 more pairs");
        assert_eq!(said(12, Some(35), Some([-0.5, 1.0])), "about 23 more pairs, or accept changes below 100%");
        assert_eq!(
            said(12, None, about_zero),
            "a quieter machine, more pairs than can be foretold, or accept changes below 3%"
        );
        assert_eq!(what_settles(&MetricComparison { word: Word::Unchanged, ..row(12, None, None) }), None);
    }

    #[test]
    fn a_change_larger_than_the_base_is_not_offered_to_be_accepted_and_is_said_in_the_metric_s_unit() {
        let plan = plan(vec![time("build")], 2, Some(12));
        let rows =
            rows(&plan.config, &Measurement::of(&plan, samples(&plan, 2, |_, s, r| noisy(1.0, 0.5, s, r))), 0, 1);
        let said = |base: f64, unit: Unit, interval: [f64; 2]| {
            let one = rows[0].clone();
            what_settles(&MetricComparison {
                base,
                unit,
                rounds: 2,
                rounds_needed: Some(7),
                interval: Some(interval),
                ..one
            })
            .expect("inconclusive")
        };
        let seconds = || Unit::Seconds;
        assert_eq!(said(0.003, seconds(), [-4.0, 817.39]), "about 5 more pairs");
        assert_eq!(said(24.5, seconds(), [-0.99, 1.01]), "about 5 more pairs");
        assert_eq!(said(0.003, seconds(), [1.9, 817.39]), "about 5 more pairs, or act on changes from 5.7 ms on");
        assert_eq!(
            said(-10.0, Unit::Custom("req/s".into()), [1.234, 2.5]),
            "about 5 more pairs, or act on changes from 12 req/s on"
        );
    }
}
