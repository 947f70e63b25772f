//! Exchange rates: `1 min build_time = 500 MB image_size`, and whether several of them agree. A side without a metric
//! (`1 min`) speaks of the only metric with such a unit.

use super::error::{Problem, echo, suggest};
use super::quantity::amount;
use super::{ConfigError, MAINTENANCE, Metric, Priced, Worth};
use crate::phrase;
use crate::phrase::Phrase;
use crate::units::{QuantityError, Unit, parse_quantity};
use std::collections::HashMap;

/// How far two rates may be apart before they contradict each other, relative: room for rounded amounts.
const TOLERANCE: f64 = 0.005;
const SHAPE: &str = "write it like \"1 min build_time = 500 MB image_size\"";

/// A metric that a rate may name.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its unit; none when its own definition is in error.
    pub unit: Option<&'a Unit>,
}

/// What a rate may name beside these: maintenance, unless a metric has that name.
pub(super) fn with_maintenance(mut known: Vec<Named>) -> Vec<Named> {
    if !known.iter().any(|metric| metric.name == MAINTENANCE) {
        known.push(Named { name: MAINTENANCE, unit: Some(&Unit::Count) });
    }
    known
}

/// Reads one rate. Offsets of a problem are bytes in `line`; `None` when a metric it names has no unit.
pub(super) fn read(line: &str, known: &[Named]) -> Result<Option<Worth>, Problem> {
    let Some(equals) = line.find('=') else {
        return Err(Problem::new(0, phrase!("'{line}' is no exchange rate: it has no '='", line = echo(line)), SHAPE));
    };
    if let Some(second) = line[equals + 1..].find('=') {
        return Err(Problem::new(equals + 1 + second, "an exchange rate has one '='", SHAPE));
    }
    let left = side(&line[..equals], 0, known)?;
    let (right_at, right) = match side(&line[equals + 1..], equals + 1, known)? {
        None => return Ok(None),
        Some(right) => right,
    };
    let Some((_, left)) = left else { return Ok(None) };
    if left.metric == right.metric {
        let message = phrase!("both sides of this rate are '{metric}'", metric = echo(&right.metric));
        return Err(Problem::new(right_at, message, "name two different metrics"));
    }
    Ok(Some(Worth { left, right }))
}

/// `500 MB image_size`, with the offset of the metric's name.
fn side(text: &str, offset: usize, known: &[Named]) -> Result<Option<(usize, Priced)>, Problem> {
    let start = offset + (text.len() - text.trim_start().len());
    let trimmed = text.trim();
    let Some(space) = trimmed.rfind(char::is_whitespace) else {
        return match only_metric(trimmed, start, known)? {
            Some(found) => priced(trimmed, start, start, found),
            None => {
                let message = phrase!("'{trimmed}' is not an amount, a unit and a metric", trimmed = echo(trimmed));
                Err(Problem::new(start, message, SHAPE))
            }
        };
    };
    let quantity = trimmed[..space].trim_end();
    let name = trimmed[space..].trim_start();
    let name_at = start + trimmed.len() - name.len();
    let Some(metric) = known.iter().find(|m| m.name == name) else {
        if let Some(found) = only_metric(trimmed, start, known)? {
            return priced(trimmed, start, start, found);
        }
        let names = known.iter().map(|m| m.name);
        let (what, help) = match parse_quantity(trimmed) {
            Err(QuantityError::UnknownUnit { nearest, .. }) if super::nearest(name, names.clone()).is_none() => {
                ("unit or metric", phrase!("did you mean the unit '{nearest}'?", nearest))
            }
            _ => ("metric", suggest(name, names, "metric")),
        };
        return Err(Problem::new(
            name_at,
            phrase!("unknown {what} '{word}'", what = Phrase::from(what), word = echo(name)),
            help,
        ));
    };
    priced(quantity, start, name_at, *metric)
}

/// The metric that an amount without one speaks of: the only one whose values have such a unit. None when it is no amount
/// with a unit.
fn only_metric<'a>(text: &str, start: usize, known: &[Named<'a>]) -> Result<Option<Named<'a>>, Problem> {
    let kind = match parse_quantity(text) {
        Ok((_, Unit::Count)) => return Ok(None),
        Ok((_, unit)) => unit,
        Err(QuantityError::UnknownUnit { unit, .. }) => Unit::Custom(unit),
        Err(QuantityError::NotFinite(_)) => {
            let message = phrase!("'{text}' is not a finite number of zero or more", text = echo(text));
            return Err(Problem::new(start, message, SHAPE));
        }
        Err(_) => return Ok(None),
    };
    let fitting: Vec<Named> = known.iter().copied().filter(|metric| metric.unit == Some(&kind)).collect();
    match fitting[..] {
        [one] => Ok(Some(one)),
        [] if matches!(kind, Unit::Custom(_)) => Ok(None),
        [] => {
            let message = phrase!("'{text}' names no metric, and no metric has such a unit", text = echo(text));
            Err(Problem::new(start, message, suggest("", known.iter().map(|m| m.name), "metric")))
        }
        _ => {
            let names: Vec<String> = fitting.iter().map(|metric| echo(metric.name)).collect();
            let message = phrase!("'{text}' names no metric, and several have such a unit", text = echo(text));
            let help = phrase!("name the one that is meant: {names}", names = names.join(", "));
            Err(Problem::new(start, message, help))
        }
    }
}

/// This amount of this metric, whose name is at `name_at`.
fn priced(quantity: &str, start: usize, name_at: usize, metric: Named) -> Result<Option<(usize, Priced)>, Problem> {
    let name = metric.name;
    let Some(unit) = metric.unit else { return Ok(None) };
    let amount = amount(quantity, unit, name).map_err(|problem| Problem { at: start + problem.at, ..problem })?;
    if amount <= 0.0 {
        let message = phrase!("'{quantity}' is not above zero", quantity = echo(quantity));
        return Err(Problem::new(start, message, "write an amount that is worth something"));
    }
    Ok(Some((name_at, Priced { metric: name.to_string(), amount })))
}

pub(super) fn parse_line(line: &str, metrics: &[Metric]) -> Result<Worth, ConfigError> {
    parse_worth(line, metrics.iter().map(|m| Named { name: &m.name, unit: Some(&m.unit) }).collect())
}

/// Reads one exchange rate such as `1 min build_time = 500 MB image_size` against these metrics and maintenance. Errors name
/// the file `worth`, line 1 and the column in `line`.
pub fn parse_worth(line: &str, known: Vec<Named>) -> Result<Worth, ConfigError> {
    match read(line, &with_maintenance(known)) {
        Ok(Some(worth)) => Ok(worth),
        Ok(None) => Err(Problem::new(0, "names a metric without a unit", SHAPE).locate(line, "worth")),
        Err(problem) => Err(problem.locate(line, "worth")),
    }
}

/// A rate that the rates before it rule out.
#[derive(Debug, Clone, PartialEq)]
pub struct Contradiction {
    /// Index of the rate.
    pub index: usize,
    /// How much of its right metric, in the base unit, the rates before it make its left side worth.
    pub implied: f64,
}

impl Contradiction {
    /// What is wrong, of these rates, in metrics of these units.
    pub fn explain(&self, rates: &[Worth], known: &[Named]) -> Phrase {
        let Worth { left, right } = &rates[self.index];
        let show = |metric: &str, value: f64| {
            let unit = known.iter().find(|named| named.name == metric).and_then(|named| named.unit);
            format!("{} {metric}", unit.unwrap_or(&Unit::Count).show(value))
        };
        phrase!(
            "this rate contradicts those before it: by them {left} is worth {implied}, here {right}",
            left = show(&left.metric, left.amount),
            implied = show(&right.metric, self.implied),
            right = show(&right.metric, right.amount)
        )
    }
}

/// The first rate that contradicts those before it, directly or around a cycle, by more than half a percent.
///
/// Each rate `a·L = b·R` fixes ln(value of R) - ln(value of L) = ln(a/b). Metrics that rates connect form a tree of such
/// differences; a rate within one tree must agree with it.
pub fn contradiction(rates: &[Worth]) -> Option<Contradiction> {
    let mut trees = Trees::default();
    for (index, rate) in rates.iter().enumerate() {
        let difference = rate.left.amount.ln() - rate.right.amount.ln();
        let (left_root, left) = trees.root(&rate.left.metric);
        let (right_root, right) = trees.root(&rate.right.metric);
        if left_root != right_root {
            // value(R) = value(L) + difference, each being its root's value plus an offset.
            trees.join(right_root, left_root, left + difference - right);
        } else if (right - left - difference).abs() > TOLERANCE.ln_1p() {
            return Some(Contradiction { index, implied: rate.left.amount * (left - right).exp() });
        }
    }
    None
}

/// Union-find whose links carry the difference of log value to the parent.
#[derive(Default)]
struct Trees<'a> {
    index: HashMap<&'a str, usize>,
    parent: Vec<(usize, f64)>,
    size: Vec<usize>,
}

impl<'a> Trees<'a> {
    fn root(&mut self, name: &'a str) -> (usize, f64) {
        let next = self.parent.len();
        let mut at = *self.index.entry(name).or_insert(next);
        if at == next {
            self.parent.push((next, 0.0));
            self.size.push(1);
        }
        let mut offset = 0.0;
        while self.parent[at].0 != at {
            offset += self.parent[at].1;
            at = self.parent[at].0;
        }
        (at, offset)
    }

    /// Makes `child`'s value that of `parent` plus `offset`; the larger tree stays on top.
    fn join(&mut self, child: usize, parent: usize, offset: f64) {
        let (child, parent, offset) =
            if self.size[child] > self.size[parent] { (parent, child, -offset) } else { (child, parent, offset) };
        self.parent[child] = (parent, offset);
        self.size[parent] += self.size[child];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(left: (&str, f64), right: (&str, f64)) -> Worth {
        let priced = |(metric, amount): (&str, f64)| Priced { metric: metric.to_string(), amount };
        Worth { left: priced(left), right: priced(right) }
    }

    #[test]
    fn two_rates_for_one_pair_must_agree_in_either_order() {
        let first = rate(("time", 60.0), ("size", 500e6));
        assert_eq!(contradiction(&[first.clone(), rate(("size", 1e9), ("time", 120.0))]), None);
        let found = contradiction(&[first.clone(), rate(("time", 30.0), ("size", 500e6))]).unwrap();
        assert_eq!(found.index, 1);
        assert!((found.implied - 250e6).abs() < 1.0, "{found:?}");
        assert_eq!(
            contradiction(&[first, rate(("time", 60.0), ("size", 501e6))]),
            None,
            "rounding is no contradiction"
        );
    }

    #[test]
    fn a_cycle_of_rates_must_close() {
        let chain = [rate(("a", 1.0), ("b", 2.0)), rate(("c", 1.0), ("d", 5.0)), rate(("b", 1.0), ("c", 3.0))];
        let closing = |amount| [chain.to_vec(), vec![rate(("a", 1.0), ("d", amount))]].concat();
        assert_eq!(contradiction(&closing(30.0)), None);
        let found = contradiction(&closing(10.0)).unwrap();
        assert_eq!(found.index, 3);
        assert!((found.implied - 30.0).abs() < 1e-9, "{found:?}");
    }

    proptest! {
        #[test]
        fn rates_drawn_from_one_price_list_never_contradict_and_a_wrong_one_always_does(
            prices in proptest::collection::vec(1e-3..1e9f64, 6),
            links in proptest::collection::vec((0usize..6, 0usize..6, 1e-3..1e6f64), 1..20),
            factor in 1.01..100.0f64,
        ) {
            let names = ["a", "b", "c", "d", "e", "f"];
            let mut rates: Vec<Worth> = links.iter().filter(|(l, r, _)| l != r)
                .map(|&(l, r, amount)| rate((names[l], amount), (names[r], amount * prices[l] / prices[r]))).collect();
            prop_assert_eq!(contradiction(&rates), None);
            if let Some(last) = rates.last().cloned() {
                let right = last.right.amount;
                rates.push(rate((&last.left.metric, last.left.amount * factor), (&last.right.metric, right)));
                let found = contradiction(&rates).unwrap();
                prop_assert_eq!(found.index, rates.len() - 1);
                prop_assert!((found.implied / (right * factor) - 1.0).abs() < 1e-6);
            }
        }
    }
}
