//! A stack of kept experiments: its parts, each alone, against the whole.
//!
//! ```text
//! interaction = whole - sum of the parts alone      all of it measured in one session
//! difference  = whole - sum of the parts on record  each on what it stands on, on its own day
//! ```
//!
//! On record, a part is measured on top of those below it: what they do to each other is in its number already, and the
//! difference is what came since. Alone, each part is made to the commit that the stack begins at; what the whole then gives
//! more or less than the parts is what they do to each other.

use crate::experiment::{Book, Experiment, State};
use crate::git::memory::{Merged, Scratch};
use crate::git::{GitError, Oid, Repo};
use crate::ledger::event::{Decided, PartAlone};
use crate::phrase;
use crate::phrase::Phrase;
use crate::policy::MetricComparison;
use crate::units::Unit;
use serde::Serialize;

/// A stack that can be measured.
#[derive(Debug)]
pub struct Stack<'b> {
    /// The commit that it begins at.
    pub base: Oid,
    /// Its end: all parts together.
    pub whole: Oid,
    /// Its parts, the lowest first.
    pub parts: Vec<Part<'b>>,
    /// All commits that were merged to have each part alone.
    pub sources: Vec<Oid>,
}

/// A part of a stack.
#[derive(Debug)]
pub struct Part<'b> {
    /// The experiment.
    pub experiment: &'b Experiment,
    /// Its decision.
    pub decided: &'b Decided,
    /// The commit with this part alone, which may exist in memory only; the files that conflict where there is none.
    pub alone: Result<Oid, Vec<String>>,
}

/// The stack that an experiment is the end of, or why it is none. Parts are taken down to the lowest that was kept.
pub fn stack<'b>(
    repo: &Repo,
    scratch: &Scratch<'_>,
    book: &'b Book,
    top: &'b Experiment,
) -> Result<Result<Stack<'b>, Phrase>, GitError> {
    let mut chain: Vec<(&Experiment, &Decided)> = Vec::new();
    let mut next = Some(top);
    while let Some(experiment) = next.filter(|e| e.state == State::Kept && !chain.iter().any(|(c, _)| c.id == e.id)) {
        let Some((_, _, decided)) = &experiment.decided else { break };
        chain.push((experiment, decided));
        next = experiment.opened.stands_on.and_then(|id| book.by_id(id));
    }
    chain.reverse();
    let [(_, lowest), .., (_, highest)] = chain[..] else {
        return Ok(Err("it was not kept on top of another one that was kept".into()));
    };
    let (base, whole) = (lowest.base.commit.clone(), highest.candidate.commit.clone());
    let Ok(ground) = repo.tree_of(&base) else {
        return Ok(Err(phrase!("its commit {id} is not here", id = base.short())));
    };
    let mut parts = Vec::new();
    for (experiment, decided) in chain {
        let (from, to) = (&decided.base.commit, &decided.candidate.commit);
        if repo.tree_of(from).is_err() || repo.tree_of(to).is_err() {
            return Ok(Err(phrase!("its commit {id} is not here", id = to.short())));
        }
        if !repo.is_ancestor(to, &whole)? {
            return Ok(Err(phrase!("it does not hold {name} as that was decided", name = &experiment.name)));
        }
        let (before, after) = (repo.tree_of(from)?, repo.tree_of(to)?);
        let alone = match scratch.three_way(&before, &ground, &after)? {
            Merged::Tree(tree) if tree == after => Ok(to.clone()),
            Merged::Tree(tree) => Ok(scratch.commit(&tree, &[&base])?),
            Merged::Conflict(files) => Err(files.iter().map(|path| path.to_string_lossy().into_owned()).collect()),
        };
        parts.push(Part { experiment, decided, alone });
    }
    let sources = parts.iter().map(|part| &part.decided.candidate.commit).chain([&base]).cloned().collect();
    Ok(Ok(Stack { base, whole, parts, sources }))
}

/// One metric of a stack: sums and the whole, in the metric's base unit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sum {
    /// The metric.
    pub metric: String,
    /// Its unit.
    pub unit: Unit,
    /// The parts on record, each on what it stands on; none when one of them has no such row.
    pub recorded: Option<f64>,
    /// The parts alone; none when one of them cannot stand alone.
    pub alone: Option<f64>,
    /// The whole.
    pub whole: f64,
    /// The whole without the sum of the parts alone.
    pub interaction: Option<f64>,
    /// The half width of the interaction's interval; zero where all readings are exact, none where there is no interval.
    pub noise: Option<f64>,
}

impl Sum {
    /// Whether the parts change each other's gain by more than the noise.
    pub fn interacts(&self) -> Option<bool> {
        Some(self.interaction?.abs() > self.noise? + 1e-9 * self.whole.abs())
    }

    /// What it comes to, as a sentence without a full stop.
    pub fn told(&self) -> Phrase {
        let metric = crate::render::text::clean(&self.metric);
        let show = |value: f64| self.unit.show_change(value);
        let whole = show(self.whole);
        match (self.alone, self.interaction, self.interacts()) {
            (Some(alone), Some(interaction), Some(true)) => phrase!(
                "{metric}: {whole} together, {alone} each alone: {interaction} is interaction",
                metric,
                whole,
                alone = show(alone),
                interaction = show(interaction)
            ),
            (Some(alone), Some(_), Some(false)) => phrase!(
                "{metric}: {whole} together, {alone} each alone: no interaction beyond the noise",
                metric,
                whole,
                alone = show(alone)
            ),
            (Some(alone), ..) => phrase!(
                "{metric}: {whole} together, {alone} each alone: too few pairs to call the rest interaction",
                metric,
                whole,
                alone = show(alone)
            ),
            _ => phrase!("{metric}: {whole} together; not every part can stand alone", metric, whole),
        }
    }
}

/// The sums of a stack that was measured, with what the ledger has on its parts.
pub fn sums_of(book: &Book, whole: &[MetricComparison], parts: &[PartAlone]) -> Vec<Sum> {
    let of = |part: &PartAlone| {
        let decided = book.experiments.iter().filter_map(|e| e.decided.as_ref());
        let mut found = decided.filter(|(id, _, _)| *id == part.decision);
        found.next().map_or(&[][..], |(_, _, decided)| decided.comparison.as_slice())
    };
    let recorded: Vec<&[MetricComparison]> = parts.iter().map(of).collect();
    let alone: Vec<&[MetricComparison]> = parts.iter().map(|part| part.alone.as_slice()).collect();
    sums(whole, &recorded, &alone)
}

/// Adds up the parts of each metric of the whole. A part that cannot stand alone has no rows.
fn sums(whole: &[MetricComparison], recorded: &[&[MetricComparison]], alone: &[&[MetricComparison]]) -> Vec<Sum> {
    let of = |rows: &[MetricComparison], metric: &str| rows.iter().find(|row| row.metric == metric).cloned();
    let sum = |rows: &Option<Vec<MetricComparison>>| {
        rows.as_ref().map(|rows| rows.iter().map(MetricComparison::absolute).sum::<f64>())
    };
    let one = |row: &MetricComparison| {
        let on_record: Option<Vec<_>> = recorded.iter().map(|rows| of(rows, &row.metric)).collect();
        let each: Option<Vec<_>> = alone.iter().map(|rows| of(rows, &row.metric)).collect();
        let parts = sum(&each);
        let widths = each.iter().flatten().chain([row]).map(half_width).collect::<Option<Vec<f64>>>();
        Sum {
            metric: row.metric.clone(),
            unit: row.unit.clone(),
            recorded: sum(&on_record),
            alone: parts,
            whole: row.absolute(),
            interaction: parts.map(|parts| row.absolute() - parts),
            noise: widths.map(|widths| widths.iter().map(|width| width * width).sum::<f64>().sqrt()),
        }
    };
    whole.iter().map(one).collect()
}

/// Half the width of the interval of a change, in the base unit.
fn half_width(row: &MetricComparison) -> Option<f64> {
    match row.interval {
        Some([low, high]) => Some((high - low) / 2.0 * row.base.abs()),
        None => row.exact.then_some(0.0),
    }
}
