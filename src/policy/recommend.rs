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
//! An inconclusive metric is put at either end of its interval. The rules never like a candidate less for a better
//! metric, so when both ends lead to the same advice, so does all between them.

use super::compare::what_settles;
use super::{Advice, Complexity, MetricComparison, Recommendation};
use crate::config::{Better, Matters, Policy, Worth};
use crate::measure::CheckResult;
use crate::stats::Word;
use crate::units::Unit;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

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
#[derive(Debug, Clone, PartialEq)]
pub struct Amount {
    /// The metric.
    pub metric: String,
    /// Its unit.
    pub unit: Unit,
    /// The change in the base unit, with its sign.
    pub change: f64,
}

/// One reason for an advice. Its [`fmt::Display`] is the English sentence, without a full stop.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// Nothing was measured.
    NothingMeasured,
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
    BreakEven {
        /// What is lost: a round amount.
        loss: Amount,
        /// What that amount may cost at most.
        gain: Amount,
    },
    /// The same for several metrics at once.
    BreakEvenTogether {
        /// What is gained.
        gains: Vec<Amount>,
        /// What is lost.
        losses: Vec<Amount>,
    },
    /// A metric is inconclusive, and could change the answer.
    Open {
        /// The metric.
        change: Change,
        /// What would settle it.
        settles: Option<String>,
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
    let (advice, reasons) = judge(rows, checks, complexity, policy);
    Recommendation { advice, reasons: reasons.iter().map(Reason::to_string).collect() }
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
        .map(|c| Reason::CheckFailed { check: c.name.clone(), outcome: c.outcome.clone() })
        .collect();
    broken.extend(rows.iter().filter(|r| r.breaks_limit()).map(limit_broken));
    if !broken.is_empty() {
        broken.extend(settled(rows).iter().map(Effect::reason));
        return (Advice::Revert, broken);
    }
    if rows.is_empty() {
        return (Advice::MeasureMore, vec![Reason::NothingMeasured]);
    }
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
        let (_, mut reasons) = weigh(&settled(rows), complexity, policy);
        // What the settled rows alone would advise may differ; the reasons then are the rows themselves.
        if weigh(&settled(rows), complexity, policy).0 != best {
            reasons = settled(rows).iter().map(Effect::reason).collect();
        }
        reasons.extend(open.iter().map(|row| Reason::OpenButIdle(Change::of(row))));
        return (best, reasons);
    }
    let mut reasons: Vec<Reason> =
        open.iter().map(|row| Reason::Open { change: Change::of(row), settles: what_settles(row) }).collect();
    reasons.extend(settled(rows).iter().map(Effect::reason));
    (Advice::MeasureMore, reasons)
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

/// The change of a row in its base unit: the estimate where there is one, so that it agrees with the percentage shown.
fn change_of(row: &MetricComparison) -> f64 {
    match row.relative {
        Some(relative) if !row.exact => relative * row.base.abs(),
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
    match (gains.is_empty(), losses.is_empty()) {
        (false, true) => (Advice::Keep, [told(&gains), vec![complexity_reason(complexity)]].concat()),
        (true, false) => (Advice::Revert, [told(&losses), vec![complexity_reason(complexity)]].concat()),
        (true, true) => nothing_changed(complexity),
        (false, false) => mixed(&gains, &losses, policy),
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
    let Complexity { files, added, removed, new_dependencies } = complexity;
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
    if better && worse {
        let names = |effects: &[Effect<'_>]| effects.iter().map(|e| e.row.metric.clone()).collect();
        let mut all = vec![Reason::NoRate { gains: names(gains), losses: names(losses) }];
        all.extend(break_even(gains, losses));
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

/// The rate at which it would be worth it.
fn break_even(gains: &[Effect<'_>], losses: &[Effect<'_>]) -> Option<Reason> {
    if gains.iter().chain(losses).any(|e| !e.gain.is_finite()) {
        return None;
    }
    if let ([gain], [loss]) = (gains, losses) {
        let round = round_amount(&loss.row.unit, loss.gain.abs());
        return Some(Reason::BreakEven {
            loss: Amount { change: round, ..loss.amount() },
            gain: Amount { change: gain.gain * round / loss.gain.abs(), ..gain.amount() },
        });
    }
    let amounts = |effects: &[Effect<'_>]| effects.iter().map(Effect::amount).collect();
    Some(Reason::BreakEvenTogether { gains: amounts(gains), losses: amounts(losses) })
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

/// Words in a row: `a, b and c`.
fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn amounts(list: &[Amount]) -> String {
    let words: Vec<String> = list.iter().map(|a| format!("{} {}", a.metric, a.unit.show_change(a.change))).collect();
    listed(&words)
}

fn counted(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

fn size_of(complexity: &Complexity) -> String {
    let Complexity { files, added, removed, .. } = complexity;
    format!("{} added and {removed} removed in {}", counted(*added, "line"), counted(*files, "file"))
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {} to {}", self.unit.show(self.base), self.unit.show(self.candidate))?;
        if let Some(relative) = self.relative {
            write!(f, " ({:+.1}%", relative * 100.0)?;
            if let Some([low, high]) = self.interval {
                write!(f, ", between {:+.1}% and {:+.1}%", low * 100.0, high * 100.0)?;
            }
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NothingMeasured => f.write_str("nothing was measured, so there is nothing to decide by"),
            Reason::CheckFailed { check, outcome } => write!(f, "the check {check} failed on the candidate: {outcome}"),
            Reason::LimitBroken { change, limit, better, base_too } => {
                let side = if *better == Better::Lower { "above" } else { "below" };
                let (value, limit) = (change.unit.show(change.candidate), change.unit.show(*limit));
                write!(f, "{} is {value} on the candidate, {side} its limit of {limit}", change.metric)?;
                if *base_too {
                    write!(f, "; the base breaks it too, with {}", change.unit.show(change.base))?;
                }
                Ok(())
            }
            Reason::Improved(change) => write!(f, "{} improved {change}", change.metric),
            Reason::Regressed(change) => write!(f, "{} got worse {change}", change.metric),
            Reason::NothingChanged => f.write_str("no metric changed by as much as matters"),
            Reason::SameFiles => f.write_str("the candidate does not differ from the base in any file"),
            Reason::MoreComplex(complexity) => {
                write!(f, "the change makes the code more complex: {}", size_of(complexity))?;
                match &complexity.new_dependencies[..] {
                    [] => Ok(()),
                    [one] => write!(f, ", and the new dependency {one}"),
                    many => write!(f, ", and the new dependencies {}", listed(many)),
                }
            }
            Reason::LessComplex(complexity) => write!(f, "the change makes the code simpler: {}", size_of(complexity)),
            Reason::AsComplex(complexity) => {
                write!(f, "the change leaves the code as complex as it was: {}", size_of(complexity))
            }
            Reason::Net { gains, losses, gained, lost, currency, unit } => {
                let (more, less) = (unit.show(*gained), unit.show(*lost));
                let (up, down) = (amounts(gains), amounts(losses));
                if gained > lost {
                    write!(
                        f,
                        "{up} is worth {more} of {currency} by the exchange rates, more than the {less} that {down} costs"
                    )
                } else {
                    write!(
                        f,
                        "{down} costs as much as {less} of {currency} by the exchange rates, and {up} gains only {more}"
                    )
                }
            }
            Reason::NetUnsure { least, greatest, currency, unit } => {
                let (low, high) = (unit.show_change(*least), unit.show_change(*greatest));
                write!(f, "the intervals leave the balance open: between {low} and {high} of {currency}")
            }
            Reason::NoRate { gains, losses } => {
                let (up, down) = (listed(gains), listed(losses));
                write!(
                    f,
                    "{up} improved and {down} got worse, and no exchange rate in [policy] worth says which counts more"
                )
            }
            Reason::BreakEven { loss, gain } => {
                let (price, round) = (gain.unit.show(gain.change.abs()), show_round(loss));
                write!(f, "it is worth it if {round} of {} costs less than {price} of {}", loss.metric, gain.metric)
            }
            Reason::BreakEvenTogether { gains, losses } => {
                write!(f, "it is worth it if {} together cost less than {} is worth", amounts(losses), amounts(gains))
            }
            Reason::Open { change, settles } => {
                write!(f, "{} is inconclusive {change}", change.metric)?;
                match settles {
                    Some(text) => write!(f, "; it takes {text}"),
                    None => Ok(()),
                }
            }
            Reason::OpenButIdle(change) => {
                write!(f, "{} is inconclusive {change}, but nothing in its interval changes the answer", change.metric)
            }
        }
    }
}
