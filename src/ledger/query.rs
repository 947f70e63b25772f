//! The decisions, newest first, filtered, without reading more than is shown.
//!
//! One pass goes through the index from its newest record back, and ends as soon as enough is found. Rows are enough for a
//! list; the rest of a record is read only where a filter or a format asks for it ([`Query::whole`]).

use super::event::{Decided, Fact, Opened, Rechecked, Verdict};
use super::index::{Record, Row};
use super::store::{Ledger, LedgerError};
use crate::config::RevertMode;
use crate::experiment::State;
use crate::git::{Oid, Person, Repo};
use crate::policy::MetricComparison;
use chrono::{DateTime, FixedOffset};
use globset::GlobMatcher;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use ulid::Ulid;

/// What is wanted. The default wants every decision.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Open and abandoned experiments too.
    pub all: bool,
    /// Only these states; all when empty.
    pub states: Vec<State>,
    /// Only experiments with a row of this metric.
    pub metric: Option<String>,
    /// Only those whose change touched such a path, or anything below it.
    pub path: Option<GlobMatcher>,
    /// Only those decided by someone whose name or address holds this, in any case.
    pub author: Option<String>,
    /// Only those decided at this moment or later.
    pub since: Option<DateTime<FixedOffset>>,
    /// Only those decided at this moment or earlier.
    pub until: Option<DateTime<FixedOffset>>,
    /// Only those whose name, title, hypothesis or reason holds this, in any case.
    pub grep: Option<String>,
    /// So many of the newest are passed over.
    pub skip: usize,
    /// At most so many.
    pub most: Option<usize>,
    /// Whether [`Entry::opened`] and [`Entry::decided`] are wanted.
    pub whole: bool,
    /// Whether [`Entry::opened`] is wanted without the other.
    pub openings: bool,
}

/// One experiment of a list.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The experiment's id; none when it is known from a commit message only.
    pub experiment: Option<Ulid>,
    /// The record that decided it, or that opened it while it is undecided.
    pub record: Ulid,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: State,
    /// When it was decided, or opened.
    pub at: DateTime<FixedOffset>,
    /// Who did that.
    pub by: Person,
    /// Why it was decided; of an undecided one its hypothesis.
    pub text: String,
    /// The rows of the decision, or of the latest measurement.
    pub comparison: Vec<MetricComparison>,
    /// The rows of what it landed as against its first parent, when that was measured.
    pub realised: Vec<MetricComparison>,
    /// What it was opened with, when it was asked for and is in the ledger.
    pub opened: Option<(DateTime<FixedOffset>, Opened)>,
    /// The decision, when it was asked for.
    pub decided: Option<Decided>,
    /// The commit whose message tells all this, when there is no ledger.
    pub told_by: Option<Oid>,
}

/// The answer to a query.
#[derive(Debug, Default)]
pub struct Answer {
    /// Newest first.
    pub entries: Vec<Entry>,
    /// What in the ledger could not be read.
    pub problems: Vec<LedgerError>,
    /// Undecided experiments that were met and not wanted.
    pub open: usize,
    /// Experiments whose commits are not in this clone, so that `path` could not be answered.
    pub unknown_paths: usize,
}

/// What is known of an experiment while the pass goes back in time.
#[derive(Default)]
struct Known {
    decided: bool,
    opened: bool,
    abandoned: bool,
    measured: Option<Row>,
    /// Base and candidate of the latest measurement, when paths are asked for.
    change: Option<(Oid, Oid)>,
    /// The rows of what it landed as.
    realised: Option<Vec<MetricComparison>>,
    /// Its place among the entries.
    place: Option<usize>,
}

impl Query {
    /// Whether undecided experiments are wanted.
    fn undecided(&self) -> bool {
        let undecided = |state: &State| matches!(state, State::Open | State::Measured | State::Abandoned);
        if self.states.is_empty() { self.all } else { self.states.iter().any(undecided) }
    }

    /// Whether an entry passes all filters that a list line can answer.
    pub fn takes(&self, entry: &Entry) -> bool {
        let holds = |text: &str, wanted: &str| text.to_lowercase().contains(&wanted.to_lowercase());
        (self.states.is_empty() || self.states.contains(&entry.state))
            && self.since.is_none_or(|since| entry.at >= since)
            && self.until.is_none_or(|until| entry.at <= until)
            && self.author.as_ref().is_none_or(|a| holds(&entry.by.name, a) || holds(&entry.by.email, a))
            && self.metric.as_ref().is_none_or(|name| entry.comparison.iter().any(|row| row.metric == *name))
    }

    /// Whether the texts of an entry hold what is searched for.
    pub fn says(&self, entry: &Entry) -> bool {
        let Some(wanted) = self.grep.as_ref().map(|text| text.to_lowercase()) else { return true };
        let opened = entry.opened.iter().flat_map(|(_, opened)| [&opened.title, &opened.hypothesis]);
        [&entry.name, &entry.text].into_iter().chain(opened).any(|text| text.to_lowercase().contains(&wanted))
    }

    /// Leaves out what is to be passed over and what is too much.
    pub fn cut(&self, entries: &mut Vec<Entry>) {
        entries.drain(..self.skip.min(entries.len()));
        entries.truncate(self.most.unwrap_or(usize::MAX));
    }
}

impl Ledger<'_> {
    /// The experiments that a query wants, in the order of their decisions, newest first.
    ///
    /// The newest ones are those with the highest ids. A record of a later version is a problem of the answer, no error:
    /// the others are still listed.
    pub fn query(&self, query: &Query) -> Result<Answer, LedgerError> {
        let mut answer = Answer::default();
        let mut known: HashMap<Ulid, Known> = HashMap::new();
        let mut waiting = 0usize;
        // What the texts of an opening decide can be counted only when all openings were met.
        let enough = match query.most {
            Some(most) if query.grep.is_none() => query.skip.saturating_add(most),
            _ => usize::MAX,
        };
        let openings = query.whole || query.openings || query.grep.is_some();
        let mut failure = None;
        let problems = self.each_record(&mut |record| {
            let one = known.entry(record.row.experiment).or_default();
            match record.row.kind {
                "decided" if !one.decided && !one.opened && !record.undone => {
                    one.decided = true;
                    let change = query.path.as_ref().and_then(|_| change_of(&record.event()?.fact));
                    if answer.entries.len() < enough
                        && let Some(entry) = decided_entry(record, query, one.realised.take())
                        && query.takes(&entry)
                    {
                        match touches(self.repo, query, change.as_ref()) {
                            Ok(Some(true)) => {
                                one.place = Some(answer.entries.len());
                                waiting += usize::from(openings);
                                answer.entries.push(entry);
                            }
                            Ok(Some(false)) => {}
                            Ok(None) => answer.unknown_paths += 1,
                            Err(error) => failure = Some(error),
                        }
                    }
                }
                "opened" if !one.opened => {
                    one.opened = true;
                    if let Some(place) = one.place {
                        waiting -= usize::from(openings);
                        if openings && let Some(Fact::Opened(opened)) = record.event().map(|event| event.fact) {
                            answer.entries[place].opened = Some((record.row.at, opened));
                        }
                    } else if !one.decided {
                        let entry = if query.undecided() { opened_entry(record, one) } else { None };
                        match entry {
                            Some(entry) if answer.entries.len() < enough && query.takes(&entry) => {
                                match touches(self.repo, query, one.change.as_ref()) {
                                    Ok(Some(true)) => answer.entries.push(entry),
                                    Ok(Some(false)) => {}
                                    Ok(None) => answer.unknown_paths += 1,
                                    Err(error) => failure = Some(error),
                                }
                            }
                            _ => answer.open += usize::from(!one.abandoned),
                        }
                    }
                }
                // What was measured to look at a decision again is no measurement of an undecided experiment.
                "measured" if !record.row.text.is_empty() => {
                    let landed = record.row.text == Rechecked::Landed.as_str() && !one.decided;
                    one.realised = one.realised.take().or(landed.then_some(record.row.comparison));
                }
                "measured" if one.measured.is_none() && !one.decided && query.undecided() => {
                    if query.path.is_some() {
                        one.change = record.event().and_then(|event| change_of(&event.fact));
                    }
                    one.measured = Some(record.row);
                }
                "abandoned" => one.abandoned = true,
                _ => {}
            }
            let done = answer.entries.len() >= enough && waiting == 0;
            if done || failure.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if let Some(error) = failure {
            return Err(error);
        }
        answer.problems = problems;
        answer.entries.retain(|entry| query.says(entry));
        answer.entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        query.cut(&mut answer.entries);
        Ok(answer)
    }
}

fn decided_entry(record: Record<'_>, query: &Query, realised: Option<Vec<MetricComparison>>) -> Option<Entry> {
    let decided = match query.whole.then(|| record.event()).flatten().map(|event| event.fact) {
        Some(Fact::Decided(decided)) => Some(*decided),
        _ => None,
    };
    let mut row = record.row;
    let state = match (row.verdict?, row.mode) {
        (Verdict::Keep, _) => State::Kept,
        (Verdict::Revert, Some(RevertMode::Archive)) => State::Archived,
        (Verdict::Revert, _) => State::Reverted,
    };
    let (text, comparison) = (std::mem::take(&mut row.text), std::mem::take(&mut row.comparison));
    Some(Entry { text, comparison, decided, realised: realised.unwrap_or_default(), ..entry(row, state) })
}

fn opened_entry(record: Record<'_>, one: &mut Known) -> Option<Entry> {
    let state = match (one.abandoned, &one.measured) {
        (true, _) => State::Abandoned,
        (false, Some(_)) => State::Measured,
        (false, None) => State::Open,
    };
    let Fact::Opened(opened) = record.event()?.fact else { return None };
    let comparison = one.measured.take().map(|row| row.comparison).unwrap_or_default();
    let at = record.row.at;
    Some(Entry { text: opened.hypothesis.clone(), comparison, opened: Some((at, opened)), ..entry(record.row, state) })
}

fn entry(row: Row, state: State) -> Entry {
    Entry {
        experiment: Some(row.experiment),
        record: row.id,
        name: row.name,
        state,
        at: row.at,
        by: row.by,
        text: String::new(),
        comparison: Vec::new(),
        realised: Vec::new(),
        opened: None,
        decided: None,
        told_by: None,
    }
}

/// The two commits whose difference is the change.
fn change_of(fact: &Fact) -> Option<(Oid, Oid)> {
    match fact {
        Fact::Decided(decided) => Some((decided.base.commit.clone(), decided.candidate.commit.clone())),
        Fact::Measured(measured) => Some((measured.base.commit.clone(), measured.candidate.commit.clone())),
        _ => None,
    }
}

/// Whether a change touched what is wanted; none when its commits are not here.
fn touches(repo: &Repo, query: &Query, change: Option<&(Oid, Oid)>) -> Result<Option<bool>, LedgerError> {
    let Some(glob) = &query.path else { return Ok(Some(true)) };
    let Some((base, candidate)) = change else { return Ok(Some(false)) };
    if repo.tree_of(base).is_err() || repo.tree_of(candidate).is_err() {
        return Ok(None);
    }
    let below = |path: &Path| path.ancestors().any(|part| glob.is_match(part));
    let files = repo.changed_files(base, candidate)?;
    Ok(Some(files.iter().any(|file| below(&file.path) || file.old_path.as_deref().is_some_and(below))))
}
