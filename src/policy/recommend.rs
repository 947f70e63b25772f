//! The recommendation rules.
//!
//! | what the rows say | advice |
//! |---|---|
//! | a failed check or a broken limit | revert |
//! | improved, nothing worse | keep |
//! | worse, nothing improved | revert |
//! | nothing changed, the change saves lines and adds no dependency | keep |
//! | nothing changed otherwise | revert |
//! | improved and worse, exchange rates connect them | keep when the net gain is above zero, else revert |
//! | improved and worse, no rate connects them | trade-off |
//! | an inconclusive metric that could change the answer | measure-more |
//!
//! What a change costs to maintain counts as a metric does, once an exchange rate names it; until then it is told.
//!
//! A candidate whose runs fail at times where the base's never do is not recommended to be kept, whatever its numbers say
//! ([`weigh_failures`]).
//!
//! An inconclusive metric is put at either end of its interval. The rules never like a candidate less for a better
//! metric, so when both ends lead to the same advice, so does all between them.

use super::compare::what_settles;
use super::maintenance::{self, Maintenance};
use super::rates::price_maintenance;
use super::{Advice, Complexity, MetricComparison, Recommendation};
use crate::config::{Better, MAINTENANCE, Matters, Policy, Worth};
use crate::measure::{self, CheckResult, FailedRun, Runs, Sample};
use crate::phrase;
use crate::phrase::{Phrase, plural};
use crate::stats::Word;
use crate::units::Unit;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};

/// One metric's change, as reasons tell it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The metric.
    pub metric: String,
    /// Its unit.
    pub unit: Unit,
    /// The base's value.
    pub base: f64,
    /// The candidate's value.
    pub candidate: f64,
    /// Relative change, when the base is not zero.
    pub relative: Option<f64>,
    /// Its interval, when there is one.
    pub interval: Option<[f64; 2]>,
}

/// An amount of a metric that is gained or lost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Amount {
    /// The metric.
    pub metric: String,
    /// Its unit.
    pub unit: Unit,
    /// The change in the base unit, with its sign.
    pub change: f64,
}

/// The rate at which a trade of one metric for another breaks even. All amounts are above zero, in base units.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BreakEven {
    /// What is lost: a round amount.
    pub loss: Amount,
    /// What that amount may cost at most.
    pub gain: Amount,
    /// The least that it may cost at most, by the intervals of both changes; none when both are exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least: Option<f64>,
    /// The greatest; none when both are exact, and when the loss may be next to nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub greatest: Option<f64>,
}

/// One reason for an advice. [`Reason::phrase`] is its sentence, without a full stop.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// Nothing was measured.
    NothingMeasured,
    /// A check that nobody in the repository can see failed on the candidate.
    HiddenFailed(String),
    /// A check failed.
    CheckFailed {
        /// Its name.
        check: String,
        /// How it ended.
        outcome: String,
    },
    /// The candidate is worse than a limit.
    LimitBroken {
        /// The metric.
        change: Change,
        /// The limit.
        limit: f64,
        /// Which direction is better.
        better: Better,
        /// Whether the base breaks it too.
        base_too: bool,
    },
    /// Runs failed.
    Flaky {
        /// `candidate` or `base`.
        side: &'static str,
        /// How many.
        runs: Runs,
        /// What failed most often: `step build: exit status 1`.
        most: String,
    },
    /// A metric improved.
    Improved(Change),
    /// A metric got worse.
    Regressed(Change),
    /// No metric changed by what matters.
    NothingChanged,
    /// The candidate is the same tree of files as the base.
    SameFiles,
    /// The change made the code more complex.
    MoreComplex(Complexity),
    /// The change saves lines and adds no dependency.
    LessComplex(Complexity),
    /// The change neither saves lines nor adds any.
    AsComplex(Complexity),
    /// Gains and losses in one currency.
    Net {
        /// What is gained.
        gains: Vec<Amount>,
        /// What is lost.
        losses: Vec<Amount>,
        /// What the gains are worth, in `currency`.
        gained: f64,
        /// What the losses are worth, in `currency`.
        lost: f64,
        /// The metric that all is expressed in.
        currency: String,
        /// Its unit.
        unit: Unit,
    },
    /// The intervals of the changes leave the sign of the net open.
    NetUnsure {
        /// The least net gain, in `currency`.
        least: f64,
        /// The greatest.
        greatest: f64,
        /// The metric that it is expressed in.
        currency: String,
        /// Its unit.
        unit: Unit,
    },
    /// No chain of exchange rates connects what was gained with what was lost.
    NoRate {
        /// Metrics that improved.
        gains: Vec<String>,
        /// Metrics that got worse.
        losses: Vec<String>,
    },
    /// The rate at which a trade of one metric for another breaks even.
    BreakEven(BreakEven),
    /// The same for several metrics at once.
    BreakEvenTogether {
        /// What is gained.
        gains: Vec<Amount>,
        /// What is lost.
        losses: Vec<Amount>,
    },
    /// What the change costs to maintain, which the rates put a price on.
    Maintenance(Maintenance),
    /// A metric is inconclusive, and could change the answer.
    Open {
        /// The metric.
        change: Change,
        /// What would settle it.
        settles: Option<Phrase>,
    },
    /// A metric is inconclusive, but nothing in its interval could change the answer.
    OpenButIdle(Change),
}

/// What the rules say of these numbers. `checks` are those of the candidate.
pub fn recommend(
    rows: &[MetricComparison],
    checks: &[CheckResult],
    complexity: &Complexity,
    policy: &Policy,
) -> Recommendation {
    let (advice, mut reasons) = judge(rows, checks, complexity, policy);
    if let Some(cost) = complexity.maintenance {
        for reason in &mut reasons {
            if matches!(reason, Reason::Improved(change) | Reason::Regressed(change) if change.metric == MAINTENANCE)
                && maintenance::row(rows, complexity).is_some()
            {
                *reason = Reason::Maintenance(cost);
            }
        }
    }
    Recommendation::new(advice, reasons.iter().map(Reason::phrase).collect())
}

/// As [`recommend`], with the reasons as values, most important first.
pub fn judge(
    rows: &[MetricComparison],
    checks: &[CheckResult],
    complexity: &Complexity,
    policy: &Policy,
) -> (Advice, Vec<Reason>) {
    let mut broken: Vec<Reason> = checks
        .iter()
        .filter(|c| !c.passed)
        .map(|c| match c.hidden {
            true => Reason::HiddenFailed(c.name.clone()),
            false => Reason::CheckFailed { check: c.name.clone(), outcome: c.outcome.clone() },
        })
        .collect();
    broken.extend(rows.iter().filter(|r| r.breaks_limit()).map(limit_broken));
    if !broken.is_empty() {
        broken.extend(settled(rows).iter().map(Effect::reason));
        return (Advice::Revert, broken);
    }
    if rows.is_empty() {
        return (Advice::MeasureMore, vec![Reason::NothingMeasured]);
    }
    let cost = maintenance::row(rows, complexity).filter(|_| price_maintenance(&policy.worth));
    let with_cost: Vec<MetricComparison> = rows.iter().cloned().chain(cost).collect();
    let rows = &with_cost[..];
    let open: Vec<&MetricComparison> = rows.iter().filter(|r| r.word == Word::Inconclusive).collect();
    if open.is_empty() {
        return weigh(&settled(rows), complexity, policy);
    }
    let at = |end: End| {
        let mut effects = settled(rows);
        effects.extend(open.iter().filter_map(|row| Effect::at(row, end)));
        weigh(&effects, complexity, policy).0
    };
    let (best, worst) = (at(End::Best), at(End::Worst));
    if best == worst {
        // The reasons of the settled rows hold if they alone lead to this advice; else the rows themselves are told.
        let (alone, reasons) = weigh(&settled(rows), complexity, policy);
        let mut reasons = if alone == best { reasons } else { settled(rows).iter().map(Effect::reason).collect() };
        reasons.extend(open.iter().map(|row| Reason::OpenButIdle(Change::of(row))));
        return (best, reasons);
    }
    let mut reasons: Vec<Reason> =
        open.iter().map(|row| Reason::Open { change: Change::of(row), settles: what_settles(row) }).collect();
    reasons.extend(settled(rows).iter().map(Effect::reason));
    (Advice::MeasureMore, reasons)
}

/// What runs that failed make of a recommendation: a candidate that is flaky where the base is not turns `keep` into
/// `trade-off`. Every other advice stays, and says which runs failed. Samples and failures are those of the session;
/// `base` and `candidate` index its sides.
pub fn weigh_failures(
    mut recommendation: Recommendation,
    samples: &[Sample],
    failures: &[FailedRun],
    base: usize,
    candidate: usize,
) -> Recommendation {
    let flaky = |name: &'static str, side: usize| {
        let runs = measure::runs(samples, failures, side);
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for run in failures.iter().filter(|f| f.side == side) {
            *kinds.entry(format!("{}: {}", run.what, run.outcome)).or_default() += 1;
        }
        let most = kinds.into_iter().max_by_key(|(_, n)| *n).map(|(kind, _)| kind);
        most.map(|most| Reason::Flaky { side: name, runs, most })
    };
    let (before, after) = (flaky("base", base), flaky("candidate", candidate));
    if recommendation.advice == Advice::Keep && before.is_none() && after.is_some() {
        recommendation.advice = Advice::TradeOff;
        recommendation.insert(0, after.iter().map(Reason::phrase).collect());
    } else {
        recommendation.insert(usize::MAX, after.iter().chain(&before).map(Reason::phrase).collect());
    }
    recommendation
}

/// What a changed ruler makes of a recommendation. By the base's ruler it rests on numbers that the candidate had no hand in;
/// without it a person has to look before anything is kept. `own` are the rows by the candidate's own ruler.
pub fn weigh_ruler(
    recommendation: &mut Recommendation,
    changed: &[String],
    by_base: bool,
    rows: &[MetricComparison],
    own: &[MetricComparison],
) {
    let what = measure::told::told_all(changed);
    let mut reasons = vec![match by_base {
        true => phrase!("the candidate changed what measures it ({what}): these numbers are by the base's ruler", what),
        false => {
            phrase!("the candidate changed what measures it ({what}), and the base's ruler was not held to it", what)
        }
    }];
    for row in own {
        if let Some(by) = rows.iter().find(|by| by.metric == row.metric && by.word != row.word) {
            let [own, base] = [row.word, by.word].map(|word| Phrase::from(word.as_str()));
            let metric = &row.metric;
            reasons.push(phrase!(
                "{metric} is {own} by the candidate's own ruler and {base} by the base's",
                metric,
                own,
                base
            ));
        }
    }
    if recommendation.advice == Advice::Keep && !by_base {
        recommendation.advice = Advice::TradeOff;
    }
    recommendation.insert(0, reasons);
}

fn limit_broken(row: &MetricComparison) -> Reason {
    let limit = row.limit.unwrap_or_default();
    let base_too = match row.better {
        Better::Lower => row.base > limit,
        Better::Higher => row.base < limit,
    };
    Reason::LimitBroken { change: Change::of(row), limit, better: row.better, base_too }
}

/// Which end of an interval.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Best,
    Worst,
}

/// A change that counts: a row that improved or got worse, or an open one put at an end of its interval.
#[derive(Debug, Clone)]
struct Effect<'a> {
    row: &'a MetricComparison,
    /// The change in the base unit, above zero when it is for the better.
    gain: f64,
    /// The least and the greatest gain that the interval allows.
    range: [f64; 2],
}

impl<'a> Effect<'a> {
    /// A row that improved or got worse.
    fn of(row: &'a MetricComparison) -> Option<Effect<'a>> {
        if !matches!(row.word, Word::Improved | Word::Regressed) {
            return None;
        }
        let gain = towards(row, change_of(row));
        let range = match row.interval {
            Some([low, high]) => {
                let (a, b) = (towards(row, low * row.base.abs()), towards(row, high * row.base.abs()));
                [a.min(b), a.max(b)]
            }
            None => [gain, gain],
        };
        Some(Effect { row, gain, range })
    }

    /// An inconclusive row at one end of its interval; none when it does not matter there.
    fn at(row: &'a MetricComparison, end: End) -> Option<Effect<'a>> {
        let unbounded = if end == End::Best { f64::INFINITY } else { f64::NEG_INFINITY };
        let gain = match row.interval {
            Some(ends) => {
                let [a, b] = ends.map(|e| towards(row, e * row.base.abs()));
                if end == End::Best { a.max(b) } else { a.min(b) }
            }
            None => unbounded,
        };
        let margin = match row.matters {
            Matters::Relative(ratio) => ratio.0 * row.base.abs(),
            Matters::Absolute(width) => width,
        };
        (gain != 0.0 && gain.abs() >= margin).then_some(Effect { row, gain, range: [gain, gain] })
    }

    fn reason(&self) -> Reason {
        let change = Change::of(self.row);
        if self.gain > 0.0 { Reason::Improved(change) } else { Reason::Regressed(change) }
    }

    fn amount(&self) -> Amount {
        let change = if self.row.better == Better::Lower { -self.gain } else { self.gain };
        Amount { metric: self.row.metric.clone(), unit: self.row.unit.clone(), change }
    }
}

/// The change of a row in its base unit: the difference that tables show. Where noise makes it contradict the estimate that
/// the answer rests on, the estimate stands.
fn change_of(row: &MetricComparison) -> f64 {
    match row.relative {
        Some(relative) if relative * row.absolute() < 0.0 => relative * row.base.abs(),
        _ => row.absolute(),
    }
}

/// A change, above zero when it is for the better.
fn towards(row: &MetricComparison, change: f64) -> f64 {
    if row.better == Better::Lower { -change } else { change }
}

fn settled(rows: &[MetricComparison]) -> Vec<Effect<'_>> {
    rows.iter().filter_map(Effect::of).collect()
}

/// The rules for effects that are all known.
fn weigh(effects: &[Effect<'_>], complexity: &Complexity, policy: &Policy) -> (Advice, Vec<Reason>) {
    let (gains, losses): (Vec<_>, Vec<_>) = effects.iter().cloned().partition(|e| e.gain > 0.0);
    let told = |effects: &[Effect<'_>]| effects.iter().map(Effect::reason).collect::<Vec<_>>();
    // What is counted from the diff alone is no change of what was measured.
    if let ([one], true) = (effects, effects.iter().all(|e| maintenance::is_counted(e.row))) {
        let advice = if one.gain > 0.0 { Advice::Keep } else { Advice::Revert };
        return (advice, vec![Reason::NothingChanged, one.reason()]);
    }
    match (gains.is_empty(), losses.is_empty()) {
        (false, true) => (Advice::Keep, [told(&gains), vec![complexity_reason(complexity)]].concat()),
        (true, false) => (Advice::Revert, [told(&losses), vec![complexity_reason(complexity)]].concat()),
        (true, true) => nothing_changed(complexity),
        (false, false) => {
            let (advice, mut reasons) = mixed(&gains, &losses, policy);
            if !effects.iter().any(|e| maintenance::is_counted(e.row)) {
                reasons.push(complexity_reason(complexity));
            }
            (advice, reasons)
        }
    }
}

fn nothing_changed(complexity: &Complexity) -> (Advice, Vec<Reason>) {
    let reason = complexity_reason(complexity);
    let advice = match reason {
        Reason::LessComplex(_) | Reason::SameFiles => Advice::Keep,
        _ => Advice::Revert,
    };
    (advice, vec![Reason::NothingChanged, reason])
}

fn complexity_reason(complexity: &Complexity) -> Reason {
    let Complexity { files, added, removed, new_dependencies, .. } = complexity;
    if *files == 0 {
        Reason::SameFiles
    } else if added > removed || !new_dependencies.is_empty() {
        Reason::MoreComplex(complexity.clone())
    } else if removed > added {
        Reason::LessComplex(complexity.clone())
    } else {
        Reason::AsComplex(complexity.clone())
    }
}

/// Improvements against regressions, by the exchange rates.
fn mixed(gains: &[Effect<'_>], losses: &[Effect<'_>], policy: &Policy) -> (Advice, Vec<Reason>) {
    let mut reasons: Vec<Reason> = Vec::new();
    let mut left: Vec<&Effect<'_>> = gains.iter().chain(losses).collect();
    let (mut better, mut worse) = (false, false);
    while let Some(first) = left.first() {
        // Every effect that a chain of rates connects with this one, in this one's unit.
        let prices = prices(&first.row.metric, &policy.worth);
        let (joined, rest): (Vec<_>, Vec<_>) = left.iter().copied().partition(|e| prices.contains_key(&e.row.metric));
        let price = |e: &Effect<'_>| prices[&e.row.metric];
        let sum = |part: &dyn Fn(&Effect<'_>) -> f64| joined.iter().map(|e| part(e) * price(e)).sum::<f64>();
        let gained = sum(&|e| e.gain.max(0.0));
        let lost = sum(&|e| (-e.gain).max(0.0));
        // Two unbounded effects against each other settle nothing.
        let net = gained - lost;
        better |= net > 0.0 || net.is_nan();
        worse |= net <= 0.0 || net.is_nan();
        if gained > 0.0 && lost > 0.0 {
            let (up, down): (Vec<&Effect<'_>>, Vec<_>) = joined.iter().copied().partition(|e| e.gain > 0.0);
            reasons.push(Reason::Net {
                gains: up.iter().map(|e| e.amount()).collect(),
                losses: down.iter().map(|e| e.amount()).collect(),
                gained,
                lost,
                currency: first.row.metric.clone(),
                unit: first.row.unit.clone(),
            });
            let (least, greatest) = (sum(&|e| e.range[0]), sum(&|e| e.range[1]));
            if (least > 0.0) != (greatest > 0.0) {
                let (currency, unit) = (first.row.metric.clone(), first.row.unit.clone());
                reasons.push(Reason::NetUnsure { least, greatest, currency, unit });
            }
        }
        left = rest;
    }
    let even = even(gains, losses);
    if better && worse {
        let names = |effects: &[Effect<'_>]| effects.iter().map(|e| e.row.metric.clone()).collect();
        let mut all = vec![Reason::NoRate { gains: names(gains), losses: names(losses) }];
        all.extend(even);
        all.append(&mut reasons);
        all.extend(gains.iter().chain(losses).map(Effect::reason));
        return (Advice::TradeOff, all);
    }
    let (advice, order): (_, Vec<_>) = if better {
        (Advice::Keep, gains.iter().chain(losses).collect())
    } else {
        (Advice::Revert, losses.iter().chain(gains).collect())
    };
    reasons.extend(order.into_iter().map(Effect::reason));
    reasons.extend(even);
    (advice, reasons)
}

/// What one base unit of each connected metric is worth in base units of `currency`. The shortest chain of rates counts;
/// among equally short ones the first that is written.
fn prices(currency: &str, worth: &[Worth]) -> BTreeMap<String, f64> {
    let mut known = BTreeMap::from([(currency.to_string(), 1.0)]);
    let mut queue = VecDeque::from([currency.to_string()]);
    while let Some(metric) = queue.pop_front() {
        let price = known[&metric];
        for rate in worth {
            for (from, to) in [(&rate.left, &rate.right), (&rate.right, &rate.left)] {
                let usable = from.metric == metric && from.amount > 0.0 && to.amount > 0.0;
                if usable && !known.contains_key(&to.metric) {
                    known.insert(to.metric.clone(), price * from.amount / to.amount);
                    queue.push_back(to.metric.clone());
                }
            }
        }
    }
    known
}

/// The rate at which these rows break even: for one metric that improved and one that got worse, once none is inconclusive.
pub fn break_even(rows: &[MetricComparison]) -> Option<BreakEven> {
    if rows.iter().any(|row| row.word == Word::Inconclusive) {
        return None;
    }
    let (gains, losses): (Vec<_>, Vec<_>) = settled(rows).into_iter().partition(|e| e.gain > 0.0);
    match even(&gains, &losses)? {
        Reason::BreakEven(found) => Some(found),
        _ => None,
    }
}

/// The rate at which it would be worth it.
fn even(gains: &[Effect<'_>], losses: &[Effect<'_>]) -> Option<Reason> {
    if gains.iter().chain(losses).any(|e| !e.gain.is_finite()) {
        return None;
    }
    let ([gain], [loss]) = (gains, losses) else {
        let amounts = |effects: &[Effect<'_>]| effects.iter().map(Effect::amount).collect();
        return Some(Reason::BreakEvenTogether { gains: amounts(gains), losses: amounts(losses) });
    };
    let round = round_amount(&loss.row.unit, loss.gain.abs());
    // The least gain for the greatest loss, and the other way round.
    let ([least_gain, most_gain], [most_loss, least_loss]) = (gain.range, loss.range.map(|end| -end));
    let noisy = gain.range[0] < gain.range[1] || loss.range[0] < loss.range[1];
    let bounds = [least_gain.max(0.0) * round / most_loss, most_gain * round / least_loss];
    let bound = |at: usize, sure: bool| Some(bounds[at]).filter(|bound| noisy && sure && bound.is_finite());
    Some(Reason::BreakEven(BreakEven {
        loss: Amount { change: round, ..loss.amount() },
        gain: Amount { change: gain.gain * round / loss.gain.abs(), ..gain.amount() },
        least: bound(0, most_loss > 0.0),
        greatest: bound(1, least_loss > 0.0),
    }))
}

/// A round amount of a unit, at most as large as `value` where there is one: one minute, one megabyte.
fn round_amount(unit: &Unit, value: f64) -> f64 {
    let steps: &[f64] = match unit {
        Unit::Bytes => &[1e9, 1e6, 1e3, 1.0],
        Unit::Seconds => &[3600.0, 60.0, 1.0, 1e-3, 1e-6, 1e-9],
        Unit::Count | Unit::Custom(_) => &[1.0],
    };
    steps.iter().copied().find(|step| *step <= value).unwrap_or(steps[steps.len() - 1])
}

impl Change {
    fn of(row: &MetricComparison) -> Change {
        Change {
            metric: row.metric.clone(),
            unit: row.unit.clone(),
            base: row.base,
            candidate: row.candidate,
            relative: row.relative,
            interval: row.interval,
        }
    }
}

/// A round amount as people say it: `1 min`, not `60.0 s`.
fn show_round(amount: &Amount) -> String {
    match amount.unit {
        Unit::Seconds if amount.change == 3600.0 => "1 h".into(),
        Unit::Seconds if amount.change == 60.0 => "1 min".into(),
        Unit::Seconds if amount.change == 1.0 => "1 s".into(),
        Unit::Seconds if amount.change == 1e-3 => "1 ms".into(),
        Unit::Bytes if amount.change == 1e9 => "1 GB".into(),
        Unit::Bytes if amount.change == 1e6 => "1 MB".into(),
        Unit::Bytes if amount.change == 1e3 => "1 kB".into(),
        _ => amount.unit.show(amount.change),
    }
}

fn names(list: &[String]) -> Vec<Phrase> {
    list.iter().map(Phrase::from).collect()
}

fn amounts(list: &[Amount]) -> Vec<Phrase> {
    list.iter().map(|a| format!("{} {}", a.metric, a.unit.show_change(a.change)).into()).collect()
}

fn size_of(complexity: &Complexity) -> Phrase {
    let Complexity { files, added, removed, .. } = complexity;
    let size = phrase!(
        "{added} line{s} added and {removed} removed in {files} file{s2}",
        added,
        s = plural(*added),
        removed,
        files,
        s2 = plural(*files)
    );
    match complexity.maintenance {
        Some(cost) => phrase!("{size} ({cost})", size, cost = cost.phrase()),
        None => size,
    }
}

impl Change {
    /// `from 14.5 min to 20.5 min (+41.1 %, between +38.0 % and +44.1 %)`.
    fn phrase(&self) -> Phrase {
        let (base, candidate) = self.unit.show_apart(self.base, self.candidate);
        let percent = |part: f64| format!("{:+.1} %", part * 100.0);
        match (self.relative.map(percent), self.interval) {
            (None, _) => phrase!("from {base} to {candidate}", base, candidate),
            (Some(change), None) => phrase!("from {base} to {candidate} ({change})", base, candidate, change),
            // The candidate may take ten times as long, or less: figures would only look like knowledge.
            (Some(change), Some([low, high])) if low < 0.0 && high > 9.0 => phrase!(
                "from {base} to {candidate} ({change}, but as yet nearly anything is possible)",
                base,
                candidate,
                change
            ),
            (Some(change), Some([low, high])) => phrase!(
                "from {base} to {candidate} ({change}, between {low} and {high})",
                base,
                candidate,
                change,
                low = percent(low),
                high = percent(high)
            ),
        }
    }
}

impl BreakEven {
    /// `it is worth it if 1 min of build_time costs less than 50.0 MB of image_size`.
    pub fn phrase(&self) -> Phrase {
        let show = |amount: f64| self.gain.unit.show(amount);
        let (round, lost) = (show_round(&self.loss), &self.loss.metric);
        let (price, gained) = (show(self.gain.change), &self.gain.metric);
        match (self.least, self.greatest) {
            (Some(least), Some(greatest)) => phrase!(
                "it is worth it if {round} of {lost} costs less than {price} of {gained} (by the intervals between {low} and {high})",
                round,
                lost,
                price,
                gained,
                low = show(least),
                high = show(greatest)
            ),
            (Some(least), None) => phrase!(
                "it is worth it if {round} of {lost} costs less than {price} of {gained} (by the intervals at least {low})",
                round,
                lost,
                price,
                gained,
                low = show(least)
            ),
            _ => phrase!(
                "it is worth it if {round} of {lost} costs less than {price} of {gained}",
                round,
                lost,
                price,
                gained
            ),
        }
    }
}

impl Reason {
    /// The sentence, without a full stop.
    pub fn phrase(&self) -> Phrase {
        match self {
            Reason::NothingMeasured => "nothing was measured, so there is nothing to decide by".into(),
            Reason::HiddenFailed(name) => phrase!("a hidden check failed: {name}", name),
            Reason::CheckFailed { check, outcome } => {
                phrase!(
                    "the check {check} failed on the candidate: {outcome}",
                    check,
                    outcome = measure::told::told(outcome)
                )
            }
            Reason::LimitBroken { change, limit, better, base_too } => limit_phrase(change, *limit, *better, *base_too),
            Reason::Flaky { side, runs, most } => phrase!(
                "the {side} is flaky: {failed} of {all} runs failed, mostly {most}",
                side = Phrase::from(*side),
                failed = runs.failed,
                all = runs.all,
                most = match most.split_once(": ") {
                    Some((what, outcome)) => {
                        phrase!(
                            "{place}: {what}",
                            place = measure::told::told(what),
                            what = measure::told::told(outcome)
                        )
                    }
                    None => most.into(),
                }
            ),
            Reason::Improved(change) => {
                phrase!("{metric} improved {change}", metric = &change.metric, change = change.phrase())
            }
            Reason::Regressed(change) => {
                phrase!("{metric} got worse {change}", metric = &change.metric, change = change.phrase())
            }
            Reason::NothingChanged => "no metric changed by as much as matters".into(),
            Reason::SameFiles => "the candidate does not differ from the base in any file".into(),
            Reason::MoreComplex(complexity) => {
                let size = size_of(complexity);
                match &complexity.new_dependencies[..] {
                    [] => phrase!("the change makes the code more complex: {size}", size),
                    [one] => {
                        phrase!(
                            "the change makes the code more complex: {size}, and the new dependency {one}",
                            size,
                            one
                        )
                    }
                    many => phrase!(
                        "the change makes the code more complex: {size}, and the new dependencies {many}",
                        size,
                        many = names(many)
                    ),
                }
            }
            Reason::LessComplex(complexity) => {
                phrase!("the change makes the code simpler: {size}", size = size_of(complexity))
            }
            Reason::AsComplex(complexity) => {
                phrase!("the change leaves the code as complex as it was: {size}", size = size_of(complexity))
            }
            Reason::Net { gains, losses, gained, lost, currency, unit } => {
                let (more, less) = (unit.show(*gained), unit.show(*lost));
                let (up, down) = (amounts(gains), amounts(losses));
                if gained > lost {
                    phrase!(
                        "{up} is worth {more} of {currency} by the exchange rates, more than the {less} that {down} costs",
                        up,
                        more,
                        currency,
                        less,
                        down
                    )
                } else {
                    phrase!(
                        "{down} costs as much as {less} of {currency} by the exchange rates, and {up} gains only {more}",
                        down,
                        less,
                        currency,
                        up,
                        more
                    )
                }
            }
            Reason::NetUnsure { least, greatest, currency, unit } => phrase!(
                "the intervals leave the balance open: between {low} and {high} of {currency}",
                low = unit.show_change(*least),
                high = unit.show_change(*greatest),
                currency
            ),
            Reason::NoRate { gains, losses } => phrase!(
                "{up} improved and {down} got worse, and no exchange rate in [policy] worth says which counts more",
                up = names(gains),
                down = names(losses)
            ),
            Reason::BreakEven(even) => even.phrase(),
            Reason::Maintenance(cost) => cost.phrase(),
            Reason::BreakEvenTogether { gains, losses } => phrase!(
                "it is worth it if {down} together cost less than {up} is worth",
                down = amounts(losses),
                up = amounts(gains)
            ),
            Reason::Open { change, settles } => {
                let (metric, change) = (&change.metric, change.phrase());
                match settles {
                    Some(more) => {
                        phrase!("{metric} is inconclusive {change}; it takes {more}", metric, change, more)
                    }
                    None => phrase!("{metric} is inconclusive {change}", metric, change),
                }
            }
            Reason::OpenButIdle(change) => phrase!(
                "{metric} is inconclusive {change}, but nothing in its interval changes the answer",
                metric = &change.metric,
                change = change.phrase()
            ),
        }
    }
}

fn limit_phrase(change: &Change, limit: f64, better: Better, base_too: bool) -> Phrase {
    let metric = &change.metric;
    let [value, limit, base] = [change.candidate, limit, change.base].map(|value| change.unit.show(value));
    match (better, base_too) {
        (Better::Lower, false) => {
            phrase!("{metric} is {value} on the candidate, above its limit of {limit}", metric, value, limit)
        }
        (Better::Higher, false) => {
            phrase!("{metric} is {value} on the candidate, below its limit of {limit}", metric, value, limit)
        }
        (Better::Lower, true) => phrase!(
            "{metric} is {value} on the candidate, above its limit of {limit}; the base breaks it too, with {base}",
            metric,
            value,
            limit,
            base
        ),
        (Better::Higher, true) => phrase!(
            "{metric} is {value} on the candidate, below its limit of {limit}; the base breaks it too, with {base}",
            metric,
            value,
            limit,
            base
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Priced;
    use crate::units::Ratio;

    fn row(name: &str, unit: Unit, base: f64, candidate: f64, word: Word) -> MetricComparison {
        MetricComparison {
            metric: name.into(),
            unit,
            better: Better::Lower,
            matters: Matters::Relative(Ratio(0.05)),
            base,
            candidate,
            relative: (base != 0.0).then(|| (candidate - base) / base),
            interval: None,
            exact: true,
            rounds: 2,
            word,
            limit: None,
            detectable: None,
            rounds_needed: None,
        }
    }

    fn build(base: f64, candidate: f64) -> MetricComparison {
        let word = if candidate > base { Word::Regressed } else { Word::Improved };
        row("build_time", Unit::Seconds, base, candidate, word)
    }

    fn image(base: f64, candidate: f64) -> MetricComparison {
        let word = if candidate > base { Word::Regressed } else { Word::Improved };
        row("image_size", Unit::Bytes, base, candidate, word)
    }

    fn sampled(mut row: MetricComparison, interval: [f64; 2]) -> MetricComparison {
        (row.exact, row.interval) = (false, Some(interval));
        row
    }

    fn open(name: &str, interval: Option<[f64; 2]>) -> MetricComparison {
        let middle = interval.map_or(0.0, |[a, b]| (a + b) / 2.0);
        let row = row(name, Unit::Seconds, 10.0, 10.0 * (1.0 + middle), Word::Inconclusive);
        MetricComparison { exact: false, interval, rounds: 12, rounds_needed: Some(35), ..row }
    }

    fn rate(left: (f64, &str), right: (f64, &str)) -> Worth {
        let side = |(amount, metric): (f64, &str)| Priced { metric: metric.into(), amount };
        Worth { left: side(left), right: side(right) }
    }

    fn policy(worth: Vec<Worth>) -> Policy {
        Policy { worth, ..Policy::default() }
    }

    fn grown() -> Complexity {
        Complexity { files: 2, added: 30, removed: 4, new_dependencies: vec![], ..Complexity::default() }
    }

    fn shrunk() -> Complexity {
        Complexity { files: 1, added: 1, removed: 12, new_dependencies: vec![], ..Complexity::default() }
    }

    fn advise(rows: &[MetricComparison], complexity: &Complexity, worth: Vec<Worth>) -> Recommendation {
        recommend(rows, &[], complexity, &policy(worth))
    }

    /// Option 1 of the story: the cache purged in the same layer.
    fn option_1() -> Vec<MetricComparison> {
        vec![build(872.0, 392.0), image(9.6e9, 3.6e9)]
    }

    /// Option 2 on top of it: six minutes more for 0.3 GB less.
    fn option_2() -> Vec<MetricComparison> {
        vec![build(392.0, 752.0), image(3.6e9, 3.3e9)]
    }

    fn minute() -> Worth {
        rate((60.0, "build_time"), (500e6, "image_size"))
    }

    #[test]
    fn option_1_is_kept() {
        let said = advise(&option_1(), &Complexity { files: 1, added: 1, removed: 1, ..Default::default() }, vec![]);
        assert_eq!(said.advice, Advice::Keep);
        assert_eq!(
            said.reasons,
            [
                "build_time improved from 14.5 min to 392.0 s (-55.0 %)",
                "image_size improved from 9.60 GB to 3.60 GB (-62.5 %)",
                "the change leaves the code as complex as it was: 1 line added and 1 removed in 1 file",
            ]
        );
    }

    #[test]
    fn option_2_is_reverted_by_the_rate_and_the_reason_says_what_six_minutes_are_worth() {
        let said = advise(&option_2(), &grown(), vec![minute()]);
        assert_eq!(said.advice, Advice::Revert);
        assert_eq!(
            said.reasons[0],
            "build_time +360.0 s costs as much as 3.00 GB of image_size by the exchange rates, and image_size -300.0 MB gains \
             only 300.0 MB"
        );
        assert_eq!(said.reasons[1], "build_time got worse from 392.0 s to 12.5 min (+91.8 %)");
    }

    #[test]
    fn option_2_without_a_rate_is_a_trade_off_with_its_break_even() {
        let said = advise(&option_2(), &grown(), vec![]);
        assert_eq!(said.advice, Advice::TradeOff);
        assert_eq!(
            said.reasons[..2],
            [
                "image_size improved and build_time got worse, and no exchange rate in [policy] worth says which counts more",
                "it is worth it if 1 min of build_time costs less than 50.0 MB of image_size",
            ]
        );
    }

    #[test]
    fn a_cheap_minute_keeps_option_2() {
        let said = advise(&option_2(), &grown(), vec![rate((60.0, "build_time"), (10e6, "image_size"))]);
        assert_eq!(said.advice, Advice::Keep);
        assert!(said.reasons[0].contains("more than the 60.0 MB"), "{:?}", said.reasons);
    }

    #[test]
    fn the_break_even_rate_is_where_the_advice_turns() {
        let at = |megabytes: f64| {
            advise(&option_2(), &grown(), vec![rate((megabytes * 1e6, "image_size"), (60.0, "build_time"))]).advice
        };
        assert_eq!((at(49.9), at(50.0), at(50.1)), (Advice::Keep, Advice::Revert, Advice::Revert));
    }

    #[test]
    fn a_break_even_rate_has_the_interval_that_follows_from_both_changes() {
        // +60 s, between 50 s and 80 s; -520 MB, exact.
        let rows = [sampled(build(100.0, 160.0), [0.5, 0.8]), image(1e9, 0.48e9)];
        let found = break_even(&rows).unwrap();
        assert_eq!((found.loss.change, found.gain.change), (60.0, 520e6));
        let close = |bound: Option<f64>, wanted: f64| bound.is_some_and(|bound| (bound / wanted - 1.0).abs() < 1e-9);
        assert!(close(found.least, 390e6) && close(found.greatest, 624e6), "{found:?}");
        assert_eq!(
            found.phrase(),
            "it is worth it if 1 min of build_time costs less than 520.0 MB of image_size \
             (by the intervals between 390.0 MB and 624.0 MB)"
        );
        // Both noisy, and the loss may be nothing: then there is no upper bound.
        let rows = [sampled(build(100.0, 160.0), [0.0, 0.8]), sampled(image(1e9, 0.5e9), [-0.6, -0.4])];
        let found = break_even(&rows).unwrap();
        assert!(close(found.least, 300e6) && found.greatest.is_none(), "{found:?}");
        assert!(found.phrase().contains("(by the intervals at least 300.0 MB)"));
        let exact = break_even(&option_2()).unwrap();
        assert_eq!((exact.least, exact.greatest), (None, None));
        assert_eq!(break_even(&option_1()), None, "nothing is lost");
    }

    fn upkeep(lines: i64) -> Complexity {
        Complexity { maintenance: Some(Maintenance::new(lines, 0, 0, 0)), ..grown() }
    }

    #[test]
    fn maintenance_counts_once_a_rate_names_it() {
        let rows = [image(3.6e9, 3.3e9)];
        assert_eq!(advise(&rows, &upkeep(70), vec![]).advice, Advice::Keep);
        let price = |megabytes: f64| vec![rate((10.0, MAINTENANCE), (megabytes * 1e6, "image_size"))];
        assert_eq!(advise(&rows, &upkeep(70), price(40.0)).advice, Advice::Keep);
        let said = advise(&rows, &upkeep(70), price(50.0));
        assert_eq!(said.advice, Advice::Revert);
        assert_eq!(
            said.reasons,
            [
                "maintenance +70 costs as much as 350.0 MB of image_size by the exchange rates, and image_size -300.0 MB gains \
                 only 300.0 MB",
                "maintenance +70: lines +70",
                "image_size improved from 3.60 GB to 3.30 GB (-8.3 %)",
                "it is worth it if 1 of maintenance costs less than 4.3 MB of image_size",
            ]
        );
        // What is saved counts as well.
        let worse = [image(3.3e9, 3.4e9)];
        assert_eq!(advise(&worse, &upkeep(-70), price(50.0)).advice, Advice::Keep);
        // A metric of that name takes its place.
        let own = row(MAINTENANCE, Unit::Count, 5.0, 5.0, Word::Unchanged);
        assert_eq!(advise(&[image(3.6e9, 3.3e9), own], &upkeep(70), price(50.0)).advice, Advice::Keep);
        // An old record has no such figure.
        assert_eq!(advise(&rows, &grown(), price(50.0)).advice, Advice::Keep);
    }

    #[test]
    fn where_nothing_measured_changed_maintenance_decides() {
        let same = [row("image_size", Unit::Bytes, 7.0, 7.0, Word::Unchanged)];
        let price = || vec![rate((10.0, MAINTENANCE), (1e6, "image_size"))];
        let said = advise(&same, &upkeep(3), price());
        assert_eq!(said.advice, Advice::Revert);
        assert_eq!(said.reasons, ["no metric changed by as much as matters", "maintenance +3: lines +3"]);
        assert_eq!(advise(&same, &upkeep(-3), price()).advice, Advice::Keep);
    }

    #[test]
    fn rates_are_chained() {
        let chain = vec![rate((60.0, "build_time"), (1.0, "cents")), rate((1e9, "image_size"), (20.0, "cents"))];
        // A minute is a cent, a gigabyte twenty: six cents for six minutes, six for 0.3 GB.
        assert_eq!(advise(&option_2(), &grown(), chain.clone()).advice, Advice::Revert);
        let better = vec![build(392.0, 752.0), image(3.6e9, 3.2e9)];
        assert_eq!(advise(&better, &grown(), chain).advice, Advice::Keep);
    }

    #[test]
    fn rates_that_contradict_each_other_count_by_the_first() {
        let both = vec![minute(), rate((60.0, "build_time"), (1e6, "image_size"))];
        assert_eq!(advise(&option_2(), &grown(), both).advice, Advice::Revert);
    }

    #[test]
    fn a_failed_check_or_a_broken_limit_comes_before_all_else() {
        let check = CheckResult {
            name: "tests".into(),
            side: 1,
            passed: false,
            hidden: false,
            seconds: 1.0,
            outcome: "exit status 1".into(),
            tail: String::new(),
        };
        let said = recommend(&option_1(), std::slice::from_ref(&check), &shrunk(), &policy(vec![]));
        assert_eq!(said.advice, Advice::Revert);
        assert_eq!(said.reasons[0], "the check tests failed on the candidate: exit status 1");
        let passed = CheckResult { passed: true, ..check };
        assert_eq!(recommend(&option_1(), &[passed], &shrunk(), &policy(vec![])).advice, Advice::Keep);
        let mut over = option_1();
        over[1].limit = Some(3e9);
        let said = advise(&over, &shrunk(), vec![]);
        assert_eq!(said.advice, Advice::Revert);
        assert_eq!(
            said.reasons[0],
            "image_size is 3.60 GB on the candidate, above its limit of 3.00 GB; the base breaks it too, with 9.60 GB"
        );
    }

    #[test]
    fn higher_is_better_is_below_its_limit_when_it_breaks_it() {
        let row = MetricComparison {
            better: Better::Higher,
            limit: Some(1000.0),
            ..row("rate", Unit::Custom("req/s".into()), 1200.0, 900.0, Word::Regressed)
        };
        let said = advise(&[row], &shrunk(), vec![]);
        assert_eq!(said.reasons[0], "rate is 900 req/s on the candidate, below its limit of 1000 req/s");
    }

    #[test]
    fn worse_and_nothing_improved_is_reverted() {
        let said = advise(&[build(10.0, 12.0), row("x", Unit::Count, 1.0, 1.0, Word::Unchanged)], &shrunk(), vec![]);
        assert_eq!(said.advice, Advice::Revert);
        assert_eq!(said.reasons[0], "build_time got worse from 10.00 s to 12.00 s (+20.0 %)");
    }

    #[test]
    fn when_nothing_changed_complexity_decides() {
        let same = [row("x", Unit::Count, 7.0, 7.0, Word::Unchanged)];
        assert_eq!(advise(&same, &grown(), vec![]).advice, Advice::Revert);
        assert_eq!(advise(&same, &shrunk(), vec![]).advice, Advice::Keep);
        let even = Complexity { files: 1, added: 2, removed: 2, new_dependencies: vec![], ..Complexity::default() };
        assert_eq!(advise(&same, &even, vec![]).advice, Advice::Revert);
        assert_eq!(advise(&same, &Complexity::default(), vec![]).advice, Advice::Keep);
        let dependency = Complexity { new_dependencies: vec!["httpx (requirements.txt)".into()], ..shrunk() };
        let said = advise(&same, &dependency, vec![]);
        assert_eq!(said.advice, Advice::Revert);
        assert_eq!(
            said.reasons[1],
            "the change makes the code more complex: 1 line added and 12 removed in 1 file, and the new dependency httpx \
             (requirements.txt)"
        );
    }

    #[test]
    fn nothing_measured_is_measured_first() {
        let said = advise(&[], &shrunk(), vec![]);
        assert_eq!((said.advice, said.reasons.len()), (Advice::MeasureMore, 1));
    }

    #[test]
    fn an_inconclusive_metric_that_could_turn_the_answer_is_measured_more() {
        let rows = [build(10.0, 8.0), open("startup", Some([-0.02, 0.08]))];
        let said = advise(&rows, &shrunk(), vec![]);
        assert_eq!(said.advice, Advice::MeasureMore);
        assert_eq!(
            said.reasons[0],
            "startup is inconclusive from 10.00 s to 10.30 s (+3.0 %, between -2.0 % and +8.0 %); it takes about 23 more pairs, \
             or accept changes below 8%"
        );
        let said = advise(&[build(10.0, 8.0), open("startup", Some([-0.999, 500.0]))], &shrunk(), vec![]);
        assert_eq!(
            said.reasons[0],
            "startup is inconclusive from 10.00 s to 41.8 min (+24950.1 %, but as yet nearly anything is possible); it takes about \
             23 more pairs"
        );
        assert_eq!(advise(&[open("startup", None)], &shrunk(), vec![]).advice, Advice::MeasureMore);
    }

    #[test]
    fn an_inconclusive_metric_that_cannot_turn_the_answer_does_not_hold_it_up() {
        // At worst it is 3 % slower, which does not matter.
        let said = advise(&[build(10.0, 8.0), open("startup", Some([-0.09, 0.03]))], &shrunk(), vec![]);
        assert_eq!(said.advice, Advice::Keep);
        assert!(said.reasons.last().is_some_and(|r| r.ends_with("nothing in its interval changes the answer")));
        // At best it is 3 % faster, which does not matter either.
        let said = advise(&[build(10.0, 12.0), open("startup", Some([-0.03, 0.09]))], &shrunk(), vec![]);
        assert_eq!(said.advice, Advice::Revert);
        // A rate so low that even the worst end is worth it.
        let rows = [image(3.6e9, 3.0e9), open("startup", Some([-0.02, 0.08]))];
        let cheap = rate((1.0, "startup"), (1e6, "image_size"));
        assert_eq!(advise(&rows, &shrunk(), vec![cheap]).advice, Advice::Keep);
        let dear = rate((1.0, "startup"), (1e9, "image_size"));
        assert_eq!(advise(&rows, &shrunk(), vec![dear]).advice, Advice::MeasureMore);
    }

    #[test]
    fn a_trade_off_stays_one_whatever_an_open_metric_does() {
        let rows = [option_2(), vec![open("startup", Some([-0.09, 0.09]))]].concat();
        assert_eq!(advise(&rows, &grown(), vec![]).advice, Advice::TradeOff);
        assert_eq!(advise(&rows, &grown(), vec![minute()]).advice, Advice::MeasureMore);
    }

    #[test]
    fn a_gain_that_no_rate_reaches_still_counts_on_its_side() {
        let third = row("startup", Unit::Seconds, 1.0, 0.5, Word::Improved);
        let rows = [option_2(), vec![third]].concat();
        assert_eq!(
            advise(&rows, &grown(), vec![rate((60.0, "build_time"), (10e6, "image_size"))]).advice,
            Advice::Keep
        );
        let said = advise(&rows, &grown(), vec![minute()]);
        assert_eq!(said.advice, Advice::TradeOff);
        assert_eq!(
            said.reasons[1],
            "it is worth it if build_time +360.0 s together cost less than image_size -300.0 MB and startup -500.0 ms is worth"
        );
    }

    #[test]
    fn a_close_balance_says_that_the_intervals_leave_it_open() {
        let rows = [sampled(build(100.0, 160.0), [0.5, 0.7]), image(1e9, 0.48e9)];
        let said = advise(&rows, &grown(), vec![minute()]);
        assert_eq!(said.advice, Advice::Keep);
        assert_eq!(
            said.reasons[1],
            "the intervals leave the balance open: between -63.3 MB and +103.3 MB of image_size"
        );
    }

    #[test]
    fn no_reason_ends_with_a_full_stop() {
        let all = [option_1(), option_2()].map(|rows| advise(&rows, &grown(), vec![]).reasons);
        assert!(all.iter().flatten().all(|r| !r.ends_with('.')));
    }

    #[test]
    fn the_advice_never_gets_worse_when_a_metric_gets_better() {
        let rank = |advice| match advice {
            Advice::Revert => 0,
            Advice::TradeOff | Advice::MeasureMore => 1,
            Advice::Keep => 2,
        };
        for worth in [vec![], vec![minute()]] {
            for other in [build(392.0, 752.0), build(392.0, 300.0)] {
                let by_size: Vec<_> = (0..60)
                    .map(|step| {
                        let image = row("image_size", Unit::Bytes, 3.6e9, 6e9 - 0.1e9 * step as f64, Word::Unchanged);
                        let word = crate::policy::compare::exact_word(
                            image.base,
                            image.candidate,
                            image.matters,
                            image.better,
                        );
                        rank(
                            advise(&[other.clone(), MetricComparison { word, ..image }], &grown(), worth.clone())
                                .advice,
                        )
                    })
                    .collect();
                assert!(by_size.windows(2).all(|w| w[0] <= w[1]), "{by_size:?}");
            }
        }
    }

    #[test]
    fn a_candidate_that_is_flaky_where_the_base_is_not_is_not_simply_kept() {
        let sample = |side| Sample { round: 0, place: 0, side, at: 0.0, values: BTreeMap::new() };
        let samples: Vec<Sample> = (0..20).map(|i| sample(i % 2)).collect();
        let failed = |side| FailedRun {
            round: 1,
            place: 0,
            side,
            at: 0.0,
            what: "step build".into(),
            outcome: "exit status 1".into(),
            tail: String::new(),
        };
        let kept = Recommendation::new(Advice::Keep, vec!["faster".into()]);
        let weighed = |failures: &[FailedRun]| weigh_failures(kept.clone(), &samples, failures, 0, 1);
        assert_eq!(weighed(&[]), kept);
        let flaky = weighed(&[failed(1), failed(1)]);
        assert_eq!(flaky.advice, Advice::TradeOff);
        let said = "the candidate is flaky: 2 of 12 runs failed, mostly step build: exit status 1";
        assert_eq!(flaky.reasons, [said, "faster"]);
        let both = weighed(&[failed(0), failed(1)]);
        assert_eq!((both.advice, both.reasons.len()), (Advice::Keep, 3));
        assert_eq!(weighed(&[failed(0)]).advice, Advice::Keep);
    }
}
