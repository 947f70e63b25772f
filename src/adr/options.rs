//! The other experiments that were considered when one was decided: those that it stands on, and those on the same base.

use crate::experiment::{Book, Experiment};
use crate::ledger::event::Measured;
use crate::policy::options::{Candidate, Judged, judge};
use crate::policy::{Complexity, MetricComparison};
use std::collections::HashSet;
use ulid::Ulid;

/// The most of them that are told; of more, the ones measured last.
pub const MOST: usize = 8;

/// An experiment that was an option beside another one.
#[derive(Debug, Clone, Copy)]
pub struct Considered<'a> {
    /// It.
    pub experiment: &'a Experiment,
    /// Its measurement that was the latest one when the decision was made.
    pub measured: &'a Measured,
    /// The one that it stands on.
    pub stands_on: Option<&'a Experiment>,
    /// Whether the decided one stands on it.
    pub below: bool,
}

/// All options of a decision but the decided one itself.
#[derive(Debug, Clone, Default)]
pub struct Options<'a> {
    /// The experiments that the decided one stands on, nearest first, then those on the same base, oldest first.
    pub others: Vec<Considered<'a>>,
    /// How many more there were.
    pub left_out: usize,
    /// What beats the decided one: another option or `base`.
    pub beaten_by: Option<String>,
    /// The same for each of `others`.
    pub others_beaten_by: Vec<Option<String>>,
}

impl<'a> Options<'a> {
    /// The options beside `experiment`. What was measured after the decision was none; abandoned ones were, as far as they
    /// had been measured.
    pub fn of(book: &'a Book, experiment: &'a Experiment) -> Options<'a> {
        let decided = experiment.decided.as_ref().map(|(id, _, _)| *id);
        let option = |one: &'a Experiment, below| {
            let measured = measured_before(one, decided)?;
            let stands_on = one.opened.stands_on.and_then(|id| book.by_id(id));
            Some(Considered { experiment: one, measured, stands_on, below })
        };
        let mut below = Vec::new();
        let mut seen = HashSet::from([experiment.id]);
        let mut next = experiment.opened.stands_on;
        while let Some(one) = next.filter(|id| seen.insert(*id)).and_then(|id| book.by_id(id)) {
            below.extend(option(one, true));
            next = one.opened.stands_on;
        }
        let same_base = |one: &&Experiment| {
            !seen.contains(&one.id)
                && one.opened.stands_on == experiment.opened.stands_on
                && (one.opened.stands_on.is_some() || one.opened.base.commit == experiment.opened.base.commit)
        };
        let mut beside: Vec<_> =
            book.experiments.iter().filter(same_base).filter_map(|one| option(one, false)).collect();
        let left_out = (below.len() + beside.len()).saturating_sub(MOST);
        below.truncate(MOST);
        beside.drain(..beside.len().saturating_sub(MOST - below.len()));
        below.extend(beside);
        Options { left_out, ..judged(experiment, measured_before(experiment, decided), below) }
    }
}

/// The latest measurement that had been made when a decision was.
fn measured_before(one: &Experiment, decision: Option<Ulid>) -> Option<&Measured> {
    let before = |id: &Ulid| decision.is_none_or(|decision| *id < decision);
    one.measured.iter().rev().find(|(id, _)| before(id)).map(|(_, measured)| measured)
}

/// Which of the options no other one beats.
fn judged<'a>(experiment: &Experiment, own: Option<&Measured>, others: Vec<Considered<'a>>) -> Options<'a> {
    let candidates: Vec<Candidate<'_>> = others
        .iter()
        .map(|o| (o.experiment, o.measured))
        .chain(own.map(|measured| (experiment, measured)))
        .map(|(one, measured)| candidate(one, measured, &others))
        .collect();
    let mut beaten: Vec<Option<String>> =
        judge(&candidates).into_iter().map(|Judged { beaten_by, .. }| beaten_by).collect();
    let beaten_by = if own.is_some() { beaten.pop().flatten() } else { None };
    Options { others, left_out: 0, beaten_by, others_beaten_by: beaten }
}

fn candidate<'m>(one: &'m Experiment, measured: &'m Measured, others: &[Considered<'m>]) -> Candidate<'m> {
    let rows: &[MetricComparison] = &measured.comparison;
    let complexity: &Complexity = &measured.complexity;
    let parent = others.iter().find(|o| Some(o.experiment.id) == one.opened.stands_on);
    Candidate {
        name: &one.name,
        stands_on: parent.map(|o| o.experiment.name.as_str()),
        base: &measured.base.commit,
        rows,
        complexity,
        environment: &measured.environment,
    }
}
