//! What the whole list says: how many of each, what was gained, what was given up, and what stands on what.

use super::article;
use super::chart::{day, shape, state_word};
use super::text::{self, NAME};
use super::{Input, Place};
use crate::config::Better;
use crate::experiment::State;
use crate::ledger::query::Entry;
use crate::policy::MetricComparison;
use crate::render::{Lang, number, view};
use crate::stats::Word;
use crate::units::Unit;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use ulid::Ulid;

/// Rows that are shown of each table.
const GAINS: usize = 12;
const REJECTED: usize = 5;
const STACKED: usize = 60;
/// How deep a stack is shown as such.
const DEEPEST: usize = 8;
/// Bytes of a reason.
const REASON: usize = 360;

const STATES: [State; 6] =
    [State::Kept, State::Reverted, State::Archived, State::Measured, State::Open, State::Abandoned];

/// The first part of the page.
#[derive(Debug, Serialize)]
pub struct Overview {
    /// Experiments in all.
    pub count: usize,
    /// The first day and the last.
    pub span: Option<[String; 2]>,
    /// By state; kept and reverted are always there.
    pub states: Vec<Count>,
    /// What was gained in all, by metric.
    pub gains: Vec<Gain>,
    /// Metrics that are not shown.
    pub gains_more: usize,
    /// The newest that were rejected.
    pub rejected: Vec<Rejected>,
    /// Those that are not shown.
    pub rejected_more: usize,
    /// Experiments that stand on others or carry others.
    pub stack: Vec<Node>,
    /// Those that are not shown.
    pub stack_more: usize,
}

/// How many are in a state.
#[derive(Debug, Serialize)]
pub struct Count {
    /// For the script.
    pub state: &'static str,
    /// For people.
    pub word: String,
    /// The shape that stands for it.
    pub shape: &'static str,
    /// How many.
    pub count: usize,
}

/// What the kept experiments did to a metric.
#[derive(Debug, Serialize)]
pub struct Gain {
    /// The metric.
    pub metric: String,
    /// How many kept experiments have numbers of it.
    pub kept: usize,
    /// All changes added up: `-6.3 GB`.
    pub total: String,
    /// All changes one after the other: `-65.2 %`.
    pub percent: Option<String>,
    /// `improved`, `regressed` or `unchanged`.
    pub word: &'static str,
    /// The word for people.
    pub answer: String,
    /// The kept experiment that improved it most: its name, its place and its change.
    pub best: Option<Best>,
}

/// The experiment that improved a metric most.
#[derive(Debug, Serialize)]
pub struct Best {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub anchor: String,
    /// `-62.5 %`.
    pub change: String,
}

/// An experiment that was decided against.
#[derive(Debug, Serialize)]
pub struct Rejected {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub anchor: String,
    /// What it would have changed.
    pub changes: String,
    /// Why it was rejected.
    pub because: String,
}

/// An experiment of a stack.
#[derive(Debug, Serialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub anchor: String,
    /// Its state.
    pub state_word: String,
    /// The shape that stands for it.
    pub shape: &'static str,
    /// Its numbers in a line.
    pub changes: String,
    /// Whether a list of what stands on it begins after it.
    pub opens: bool,
    /// How many lists end after it.
    pub closes: usize,
}

/// What the list says.
pub fn overview(input: &Input<'_>, language: Lang) -> Overview {
    let entries = input.entries;
    let count = |state: State| Count {
        state: state.as_str(),
        word: state_word(state, language),
        shape: shape(state),
        count: entries.iter().filter(|entry| entry.state == state).count(),
    };
    let always = |count: &Count| count.count > 0 || matches!(count.state, "kept" | "reverted");
    let (gains, gains_more) = gains(input, language);
    let rejected = |(entry, place): &(&Entry, &Place)| Rejected {
        name: text::line(&entry.name, NAME),
        anchor: place.anchor.clone(),
        changes: article::changes_line(entry, language, NAME * 2),
        because: text::line(&entry.text, REASON),
    };
    let against: Vec<(&Entry, &Place)> =
        entries.iter().zip(input.places).filter(|(entry, _)| article::rejected(entry)).collect();
    let (stack, stack_more) = stack(input, language);
    Overview {
        count: entries.len(),
        span: entries.last().zip(entries.first()).map(|(first, last)| [day(first.at), day(last.at)]),
        states: STATES.map(count).into_iter().filter(always).collect(),
        gains,
        gains_more,
        rejected: against.iter().take(REJECTED).map(rejected).collect(),
        rejected_more: against.len().saturating_sub(REJECTED),
        stack,
        stack_more,
    }
}

/// The sums of one metric.
struct Sum<'e> {
    unit: &'e Unit,
    better: Better,
    kept: usize,
    total: f64,
    factor: Option<f64>,
    best: Option<(f64, &'e Entry, &'e Place, &'e MetricComparison)>,
}

fn gains(input: &Input<'_>, language: Lang) -> (Vec<Gain>, usize) {
    // A unit of its own is another metric, whatever it is called.
    let mut sums: BTreeMap<(&str, &str), Sum<'_>> = BTreeMap::new();
    let kept = input.entries.iter().zip(input.places).filter(|(entry, _)| entry.state == State::Kept);
    for (entry, place) in kept {
        for row in &entry.comparison {
            let sum = sums.entry((&row.metric, row.unit.symbol())).or_insert_with(|| Sum {
                unit: &row.unit,
                better: row.better,
                kept: 0,
                total: 0.0,
                factor: Some(1.0),
                best: None,
            });
            sum.kept += 1;
            sum.total += row.absolute();
            sum.factor = sum.factor.zip(row.relative).map(|(factor, relative)| factor * (1.0 + relative));
            let gain = match row.better {
                Better::Lower => -row.relative.unwrap_or(0.0),
                Better::Higher => row.relative.unwrap_or(0.0),
            };
            if row.word == Word::Improved && sum.best.is_none_or(|(best, ..)| gain > best) {
                sum.best = Some((gain, entry, place, row));
            }
        }
    }
    let mut all: Vec<((&str, &str), Sum<'_>)> = sums.into_iter().collect();
    all.sort_by_key(|((name, _), sum)| (std::cmp::Reverse(sum.kept), *name));
    let more = all.len().saturating_sub(GAINS);
    (all.into_iter().take(GAINS).map(|((metric, _), sum)| gain(metric, &sum, language)).collect(), more)
}

fn gain(metric: &str, sum: &Sum<'_>, language: Lang) -> Gain {
    let word = match (sum.total, sum.better) {
        (total, Better::Lower) if total < 0.0 => Word::Improved,
        (total, Better::Higher) if total > 0.0 => Word::Improved,
        (0.0, _) => Word::Unchanged,
        _ => Word::Regressed,
    };
    Gain {
        metric: text::line(metric, NAME),
        kept: sum.kept,
        total: text::line(&number::pair(sum.unit, 0.0, sum.total).change, NAME),
        // Years of small gains, with growth between them, multiply to a number that says nothing.
        percent: sum
            .factor
            .filter(|factor| (0.001..1000.0).contains(factor))
            .map(|factor| number::percent(factor - 1.0)),
        word: word.as_str(),
        answer: view::answer(word, language),
        best: sum.best.map(|(_, entry, place, row)| Best {
            name: text::line(&entry.name, NAME),
            anchor: place.anchor.clone(),
            change: row.relative.map_or_else(|| row.unit.show_change(row.absolute()), number::percent),
        }),
    }
}

/// The experiments that stand on others of the list or carry some, each below the one that it stands on.
fn stack(input: &Input<'_>, language: Lang) -> (Vec<Node>, usize) {
    let entries = input.entries;
    let numbers: HashMap<Ulid, usize> =
        entries.iter().enumerate().filter_map(|(number, entry)| Some((entry.experiment?, number))).collect();
    let parent = |number: usize| {
        let on = entries[number].opened.as_ref().and_then(|(_, opened)| opened.stands_on)?;
        numbers.get(&on).copied().filter(|on| *on != number)
    };
    let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
    // Oldest first below each, as they were built.
    for number in (0..entries.len()).rev() {
        if let Some(on) = parent(number) {
            children.entry(on).or_default().push(number);
        }
    }
    let stacked = |number: &usize| children.contains_key(number) || parent(*number).is_some();
    // A circle has no root; it is entered somewhere. Without recursion, so that no ledger overflows the stack.
    let roots = (0..entries.len()).filter(|number| stacked(number) && parent(*number).is_none());
    let mut seen = vec![false; entries.len()];
    let mut order: Vec<(usize, usize)> = Vec::new();
    for root in roots.chain((0..entries.len()).filter(stacked)) {
        let mut waiting = vec![(root, 0)];
        while let Some((number, depth)) = waiting.pop() {
            if std::mem::replace(&mut seen[number], true) {
                continue;
            }
            order.push((number, depth));
            let below = children.get(&number).map(Vec::as_slice).unwrap_or_default();
            waiting.extend(below.iter().rev().map(|child| (*child, (depth + 1).min(DEEPEST))));
        }
    }
    let more = order.len().saturating_sub(STACKED);
    order.truncate(STACKED);
    let depths: Vec<usize> = order.iter().map(|(_, depth)| *depth).collect();
    let node = |(at, (number, depth)): (usize, &(usize, usize))| {
        let (entry, place) = (&entries[*number], &input.places[*number]);
        let next = depths.get(at + 1).copied().unwrap_or(0);
        Node {
            name: text::line(&entry.name, NAME),
            anchor: place.anchor.clone(),
            state_word: state_word(entry.state, language),
            shape: shape(entry.state),
            changes: article::changes_line(entry, language, NAME),
            opens: next > *depth,
            closes: depth.saturating_sub(next),
        }
    };
    (order.iter().enumerate().map(node).collect(), more)
}
