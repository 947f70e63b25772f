//! Which decisions rest on something that has changed since, and how much it would give to measure them again.
//!
//! ```text
//! score   = promise * ground
//! promise = G / (G + C) * G / (G + 1)     G: what was gained, C: what was lost, both in units of what matters
//! ground  = 1 - product of (1 - weight)   over all that moved
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `again` | makes a decided change to the base of today, or takes it out of it |
//! | [`stack`] | the parts of a stack against the whole |
//! | [`told`] | then and now in one sentence |
//!
//! Of a reverted experiment the promise says how near it was to being kept; of a kept one, how much of a gain is at risk.
//! Both are between 0 and 1, so that the two stand in one list.

mod again;
pub mod stack;
pub mod told;

pub use again::{Applied, apply};

use crate::config::{Better, Config, FILE_NAME, Matters};
use crate::experiment::{Book, Experiment, State};
use crate::git::{GitError, Oid, Repo};
use crate::grounds::{self, Grounds, Kind, Look, Moved};
use crate::ledger::LedgerError;
use crate::ledger::event::{Decided, Measured, Rechecked};
use crate::ledger::identity;
use crate::phrase;
use crate::phrase::Phrase;
use crate::policy::MetricComparison;
use chrono::{DateTime, FixedOffset};
use std::collections::BTreeMap;
use std::path::Path;
use ulid::Ulid;

/// A decision with what of its ground moved.
#[derive(Debug, Clone)]
pub struct Moving<'b> {
    /// The experiment.
    pub experiment: &'b Experiment,
    /// When it was decided.
    pub at: DateTime<FixedOffset>,
    /// The decision.
    pub decided: &'b Decided,
    /// What moved, the project's first; nothing when it still stands.
    pub moved: Vec<Moved>,
    /// When it was measured again, where that is the ground that was compared, and what that gave.
    pub again: Option<(DateTime<FixedOffset>, &'b [MetricComparison])>,
    /// Whether its ground was read from the commits later, because the record is older than assumptions.
    pub rebuilt: bool,
    /// How near it was to being kept, or how much is at risk: 0 to 1.
    pub promise: f64,
    /// How much of the ground moved: 0 to 1.
    pub ground: f64,
}

impl Moving<'_> {
    /// What the list is ordered by: 0 to 1.
    pub fn score(&self) -> f64 {
        self.promise * self.ground
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Looked<'b> {
    /// Decisions of which something moved, highest score first, newest first among equals.
    pub moved: Vec<Moving<'b>>,
    /// Decisions that still stand on what they stood on.
    pub still: Vec<&'b Experiment>,
    /// Decisions that cannot be compared, each with the reason.
    pub unknown: Vec<(&'b Experiment, Phrase)>,
}

/// Whether an experiment was decided, by a decision that holds.
pub fn is_decided(experiment: &Experiment) -> bool {
    matches!(experiment.state, State::Kept | State::Reverted | State::Archived) && experiment.decided.is_some()
}

/// A branch of today: its tip and the configuration there.
#[derive(Debug, Clone)]
pub struct Today {
    /// The commit.
    pub tip: Oid,
    /// The configuration: that of the commit, else that of the work tree, where it is not committed.
    pub config: Option<Config>,
}

impl Today {
    /// Where a branch is now, as a local one or one of a remote; none when it is not here.
    pub fn of(repo: &Repo, branch: &str) -> Result<Option<Today>, RecheckError> {
        identity::tip_of(repo, branch)?.map(|tip| Today::at(repo, tip)).transpose()
    }

    /// A commit, as if a branch were there.
    pub fn at(repo: &Repo, tip: Oid) -> Result<Today, RecheckError> {
        if let Some(bytes) = repo.file_at(&tip, Path::new(FILE_NAME))? {
            let config = Config::parse(&String::from_utf8_lossy(&bytes), &format!("{}:{FILE_NAME}", tip.short()))?;
            return Ok(Today { tip, config: Some(config) });
        }
        let config = repo.workdir().ok().map(Config::load).transpose()?.flatten();
        Ok(Today { tip, config })
    }
}

/// Compares the ground of each decision with that of the branch that it landed on. Each branch is read once.
pub fn look<'b>(repo: &Repo, experiments: &[&'b Experiment], look: Look) -> Result<Looked<'b>, RecheckError> {
    look_from(repo, experiments, look, None)
}

/// What the end of a range moves of what decisions rest on: nothing is read of them while it moves nothing itself.
pub fn moved_within<'b>(
    repo: &Repo,
    (base, head): (&Oid, &Oid),
    book: &mut dyn FnMut() -> Result<&'b Book, LedgerError>,
) -> Result<Vec<Moving<'b>>, RecheckError> {
    let of = |commit: &Oid| -> Result<Grounds, RecheckError> {
        let today = Today::at(repo, commit.clone())?;
        Ok(grounds::now(repo, today.config.as_ref(), commit, Look::default())?)
    };
    let (before, after) = (of(base)?, of(head)?);
    let here: Vec<(Kind, String)> =
        grounds::differences(&before, &after).into_iter().map(|one| (one.kind, one.name)).collect();
    if here.is_empty() {
        return Ok(Vec::new());
    }
    let experiments: Vec<&Experiment> = book()?.experiments.iter().filter(|e| is_decided(e)).collect();
    let mut found = look_from(repo, &experiments, Look::default(), Some(&after))?.moved;
    for one in &mut found {
        one.moved.retain(|moved| here.contains(&(moved.kind, moved.name.clone())));
    }
    found.retain(|one| !one.moved.is_empty());
    Ok(found)
}

fn look_from<'b>(
    repo: &Repo,
    experiments: &[&'b Experiment],
    look: Look,
    today: Option<&Grounds>,
) -> Result<Looked<'b>, RecheckError> {
    let mut branches: BTreeMap<&str, Option<Grounds>> = BTreeMap::new();
    let mut found = Looked::default();
    for experiment in experiments {
        let Some((_, at, decided)) = experiment.decided.as_ref().filter(|_| is_decided(experiment)) else { continue };
        let again = experiment.recheck(Rechecked::Again);
        let Some(measured) = again.map(|(_, _, measured)| measured).or_else(|| measured(experiment, decided)) else {
            found.unknown.push((experiment, "it was decided without numbers".into()));
            continue;
        };
        let branch = decided.onto.as_str();
        if today.is_none() && !branches.contains_key(branch) {
            let now = |today: Today| grounds::now(repo, today.config.as_ref(), &today.tip, look);
            branches.insert(branch, Today::of(repo, branch)?.map(now).transpose()?);
        }
        let Some(now) = today.or_else(|| branches.get(branch)?.as_ref()) else {
            found.unknown.push((experiment, phrase!("the branch {branch} is not here", branch)));
            continue;
        };
        let then = grounds::then(repo, measured, decided.verdict)?;
        if then.tree.is_none() && (then.environment.is_none() || !look.machine) {
            let why = "its record is older than assumptions, and its commits are not here or had another verdict.toml";
            found.unknown.push((experiment, why.into()));
            continue;
        }
        let mut moved = grounds::differences(&then, now);
        if moved.is_empty() {
            found.still.push(experiment);
            continue;
        }
        grounds::name_entries(repo, &mut moved)?;
        found.moved.push(Moving {
            experiment,
            at: *at,
            decided,
            ground: ground(&moved),
            promise: promise(&measured.comparison),
            again: again.map(|(_, at, measured)| (*at, measured.comparison.as_slice())),
            rebuilt: then.rebuilt,
            moved,
        });
    }
    found.moved.sort_by(|a, b| b.score().total_cmp(&a.score()).then(b.at.cmp(&a.at)));
    Ok(found)
}

/// The measurement that a decision rests on.
pub fn measured<'b>(experiment: &'b Experiment, decided: &Decided) -> Option<&'b Measured> {
    let id: Ulid = decided.measured?;
    experiment.measured.iter().find(|(other, _)| *other == id).map(|(_, measured)| measured)
}

/// A change counts at most so many times what matters.
const MOST: f64 = 100.0;

/// The share of the gain in all that a change moved, times how far the gain was beyond what matters.
pub fn promise(rows: &[MetricComparison]) -> f64 {
    let (mut gain, mut cost) = (0.0, 0.0);
    for row in rows {
        let margin = match row.matters {
            Matters::Relative(ratio) => ratio.0 * row.base.abs(),
            Matters::Absolute(width) => width,
        };
        let change = if row.better == Better::Lower { -row.absolute() } else { row.absolute() };
        let times = if change == 0.0 { 0.0 } else { (change / margin).clamp(-MOST, MOST) };
        if times > 0.0 {
            gain += times;
        } else if times < 0.0 {
            cost -= times;
        }
    }
    if gain > 0.0 { gain / (gain + cost) * gain / (gain + 1.0) } else { 0.0 }
}

/// How much of the ground moved.
pub fn ground(moved: &[Moved]) -> f64 {
    1.0 - moved.iter().map(|one| 1.0 - weight(one)).product::<f64>()
}

/// How much of what was measured can hang on one assumption. Each package of a lockfile that moved counts a tenth of what the
/// others leave.
fn weight(moved: &Moved) -> f64 {
    match moved.kind {
        Kind::BaseImage | Kind::Workload => 0.6,
        Kind::Lockfile if moved.entries.is_empty() => 0.3,
        Kind::Lockfile => (1.0 - 0.9f64.powi(moved.entries.len().min(100) as i32)).min(0.6),
        Kind::Step | Kind::Metric | Kind::Configuration => 0.5,
        Kind::Tool | Kind::Script => 0.4,
        Kind::Machine => 0.2,
        Kind::Check => 0.1,
    }
}

/// Why decisions cannot be looked through.
#[derive(Debug, thiserror::Error)]
pub enum RecheckError {
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A configuration cannot be read.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
}

impl crate::error::Explain for RecheckError {
    fn exit(&self) -> crate::error::Exit {
        match self {
            RecheckError::Git(inner) => inner.exit(),
            RecheckError::Ledger(inner) => inner.exit(),
            RecheckError::Config(inner) => inner.exit(),
        }
    }
    fn what(&self) -> Phrase {
        match self {
            RecheckError::Git(inner) => inner.what(),
            RecheckError::Ledger(inner) => inner.what(),
            RecheckError::Config(inner) => inner.what(),
        }
    }
    fn why(&self) -> Option<Phrase> {
        match self {
            RecheckError::Git(inner) => inner.why(),
            RecheckError::Ledger(inner) => inner.why(),
            RecheckError::Config(inner) => inner.why(),
        }
    }
    fn next(&self) -> Option<Phrase> {
        match self {
            RecheckError::Git(inner) => inner.next(),
            RecheckError::Ledger(inner) => inner.next(),
            RecheckError::Config(inner) => inner.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Word;
    use crate::units::{Ratio, Unit};

    fn row(base: f64, candidate: f64, better: Better, matters: Matters) -> MetricComparison {
        MetricComparison {
            metric: "m".into(),
            unit: Unit::Bytes,
            better,
            matters,
            base,
            candidate,
            relative: None,
            interval: None,
            exact: true,
            rounds: 2,
            word: Word::Unchanged,
            limit: None,
            detectable: None,
            rounds_needed: None,
        }
    }

    fn moved(kind: Kind, entries: usize) -> Moved {
        let entry = grounds::Entry { name: "x".into(), then: None, now: None };
        Moved { kind, name: "f".into(), then: None, now: None, entries: vec![entry; entries] }
    }

    #[test]
    fn a_promise_is_the_share_of_the_gain_times_how_far_it_was_beyond_what_matters() {
        let five = Matters::Relative(Ratio(0.05));
        let gain = row(100.0, 95.0, Better::Lower, five);
        let cost = row(100.0, 90.0, Better::Higher, five);
        assert!((promise(std::slice::from_ref(&gain)) - 0.5).abs() < 1e-9, "what just matters is half");
        assert!((promise(&[gain.clone(), cost.clone()]) - 0.5 / 3.0).abs() < 1e-9, "one gained, two lost");
        assert_eq!(promise(&[cost]), 0.0);
        assert_eq!(promise(&[]), 0.0);
        let from_nothing = row(0.0, 1.0, Better::Higher, five);
        assert!(promise(&[from_nothing]) < 1.0, "a margin of nothing is no infinity");
        let still = row(0.0, 0.0, Better::Lower, five);
        assert!((promise(&[still, gain]) - 0.5).abs() < 1e-9, "what did not move is no number that spoils the others");
    }

    #[test]
    fn the_ground_moves_more_with_each_thing_and_with_each_package() {
        assert_eq!(ground(&[]), 0.0);
        assert!((ground(&[moved(Kind::BaseImage, 0)]) - 0.6).abs() < 1e-9);
        assert!((ground(&[moved(Kind::BaseImage, 0), moved(Kind::Step, 0)]) - 0.8).abs() < 1e-9);
        assert!((ground(&[moved(Kind::Lockfile, 1)]) - 0.1).abs() < 1e-9);
        assert!(ground(&[moved(Kind::Lockfile, 2)]) > 0.18);
        assert!((ground(&[moved(Kind::Lockfile, 5000)]) - 0.6).abs() < 1e-9);
    }
}
