//! Takes samples: base and candidate in worktrees of their own, in random order within each round.
//!
//! [`run`] is given a [`Plan`] and a rule that says after each round whether more are needed; it knows nothing of
//! statistics. Samples are appended to a session file as they come, so an interrupted run goes on where it stopped.
//!
//! | file | what it does |
//! |---|---|
//! | [`schedule`] | rounds: what runs when, what is read, when it ends |
//! | [`placement`] | processors and niceness |
//! | [`pace`] | how long it is going to take |
//! | [`session`] | samples on disk |
//! | [`worktree`] | the checked out sides |
//! | [`runner`] | one command, its resources and its output |
//! | [`launcher`] | starts a command whose peak memory is wanted |
//! | [`family`] | the processes that a command started |
//! | [`source`] | metrics that are not resources of a step |
//! | [`environment`] | the machine |
//! | [`interrupt`] | Ctrl-C |
//! | [`lock`] | lock files |
//! | [`sys`] | system calls without a safe wrapper |

pub mod anatomy;
pub mod environment;
pub mod family;
pub mod interrupt;
pub mod launcher;
pub mod lock;
pub mod pace;
pub mod placement;
pub mod runner;
pub mod schedule;
pub mod session;
pub mod source;
pub mod sys;
pub mod told;
pub mod worktree;

use crate::config::{Config, Metric};
use crate::git::Oid;
use crate::hidden::Hidden;
use crate::phrase;
use crate::phrase::{Phrase, plural};
use environment::Environment;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use told::told;
use ulid::Ulid;

/// One tree that is measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// `base`, `candidate`, or the name of an experiment when there are more than two.
    pub name: String,
    /// The commit checked out.
    pub commit: Oid,
    /// Its tree.
    pub tree: Oid,
}

/// What is to be measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The experiment that this measures, if any: the key that finds an interrupted session again.
    pub key: String,
    /// At least two sides; the first is the base.
    pub sides: Vec<Side>,
    /// Steps, metrics and checks (the candidate's configuration).
    pub config: Config,
    /// Only these metrics; all when empty.
    pub only: Vec<String>,
    /// At most so many rounds (a round is one run of each side).
    pub max_rounds: Option<usize>,
    /// No new round after this long.
    pub budget: Option<Duration>,
    /// Seed of the order within rounds; recorded.
    pub seed: u64,
    /// Whether to run the checks on every side but the base.
    pub checks: bool,
    /// Checks that are run beside those, on the base too.
    pub hidden: Option<Hidden>,
    /// Whether to take the artefacts of each side apart once, to say where a change came from.
    pub origins: bool,
    /// The sides that run in each round, in turn; all of them in every round when there are no turns.
    pub turns: Vec<Vec<usize>>,
}

impl Plan {
    /// The sides that run in a round.
    pub fn sides_of(&self, round: usize) -> Vec<usize> {
        match self.turns.len() {
            0 => (0..self.sides.len()).collect(),
            turns => self.turns[round % turns].clone(),
        }
    }

    /// The metrics that this plan measures, in the order of the configuration.
    pub fn metrics(&self) -> impl Iterator<Item = &Metric> {
        self.config.metrics.iter().filter(|m| self.only.is_empty() || self.only.contains(&m.name))
    }
}

/// One reading of all metrics on one side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Which round, from 0.
    pub round: usize,
    /// Place within the round, from 0.
    pub place: usize,
    /// Index into [`Plan::sides`].
    pub side: usize,
    /// Seconds since the epoch when it began.
    pub at: f64,
    /// Metric name -> value in the base unit.
    pub values: BTreeMap<String, f64>,
}

/// A run that gave no sample: a step failed, or a metric gave no number, on a side that had been read before.
///
/// Its round does not count as a pair, and no value is made up for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailedRun {
    /// Which round, from 0.
    pub round: usize,
    /// Place within the round, from 0.
    pub place: usize,
    /// Index into [`Plan::sides`].
    pub side: usize,
    /// Seconds since the epoch when it began; for display.
    pub at: f64,
    /// `step build`, `metric size`.
    pub what: String,
    /// `exit status 1`, `timed out after 30 s`, `'out/app' does not exist`.
    pub outcome: String,
    /// The end of its output.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tail: String,
}

/// Of how many runs of a side how many failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Runs {
    /// Runs that failed.
    pub failed: usize,
    /// All runs.
    pub all: usize,
}

/// The runs of a side.
pub fn runs(samples: &[Sample], failures: &[FailedRun], side: usize) -> Runs {
    let failed = failures.iter().filter(|f| f.side == side).count();
    Runs { failed, all: failed + samples.iter().filter(|s| s.side == side).count() }
}

/// What is told of how a hidden check ended.
pub const HIDDEN: &str = "hidden";

/// That hidden checks ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HiddenRun {
    /// [`Hidden::digest`].
    pub digest: String,
    /// Those that fail on the base, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_on_base: Vec<String>,
}

/// How a check ended on a side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The check's name.
    pub name: String,
    /// Index into [`Plan::sides`].
    pub side: usize,
    /// Whether it succeeded.
    pub passed: bool,
    /// How long it took; 0 of a hidden one, of which that is not told.
    pub seconds: f64,
    /// `exit status 1`, `killed by signal 9`, `timed out after 30 s`, each with [`told::BASE_FAILS`] behind it when the base fails it,
    /// too; [`HIDDEN`] of a hidden one.
    pub outcome: String,
    /// Whether nobody in the repository can see it ([`crate::hidden`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// The end of its output.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tail: String,
}

/// All that a session brought home.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The session's id.
    pub id: Ulid,
    /// The sides; the first is the base.
    pub sides: Vec<Side>,
    /// Seed of the order within rounds.
    pub seed: u64,
    /// Hex SHA-256 of the configuration.
    pub config_hash: String,
    /// The machine it ran on.
    pub environment: Environment,
    /// Every sample, in the order taken.
    pub samples: Vec<Sample>,
    /// Every check that was run, hidden ones on the base left out.
    pub checks: Vec<CheckResult>,
    /// That hidden checks ran; none when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<HiddenRun>,
    /// Every run that failed after its side had been read, in the order taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailedRun>,
    /// The record whose exact readings stand for those of the base, when it was not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused: Option<Ulid>,
    /// Where the changes came from, for each two sides, as far as their artefacts could be taken apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<anatomy::Origin>,
}

impl Measurement {
    /// What a session of this plan brings home that has taken these samples and nothing else.
    pub fn of(plan: &Plan, samples: Vec<Sample>) -> Measurement {
        Measurement {
            id: Ulid::nil(),
            sides: plan.sides.clone(),
            seed: plan.seed,
            config_hash: plan.config.hash.clone(),
            environment: Environment::default(),
            samples,
            checks: Vec::new(),
            hidden: None,
            failures: Vec::new(),
            reused: None,
            origins: Vec::new(),
        }
    }

    /// The readings of one metric as complete rounds of two sides: `(first, second)` pairs in round order.
    pub fn pairs(&self, metric: &str, first: usize, second: usize) -> Vec<(f64, f64)> {
        pairs(&self.samples, metric, first, second)
    }

    /// The same session with `base` as its first side and `candidate` as its second; all others follow in their order.
    /// Checks are those of the candidate.
    pub fn seen_from(&self, base: usize, candidate: usize) -> Measurement {
        let rest = (0..self.sides.len()).filter(|side| *side != base && *side != candidate);
        let order: Vec<usize> = [base, candidate].into_iter().chain(rest).collect();
        let now = |side: usize| order.iter().position(|was| *was == side).unwrap_or(side);
        let candidates = self.checks.iter().filter(|check| check.side == candidate);
        Measurement {
            sides: order.iter().filter_map(|side| self.sides.get(*side)).cloned().collect(),
            samples: self.samples.iter().map(|s| Sample { side: now(s.side), ..s.clone() }).collect(),
            checks: candidates.map(|check| CheckResult { side: now(check.side), ..check.clone() }).collect(),
            failures: self.failures.iter().map(|f| FailedRun { side: now(f.side), ..f.clone() }).collect(),
            reused: self.reused.filter(|_| base == 0),
            origins: self
                .origins
                .iter()
                .filter(|o| o.first == base && o.second == candidate)
                .map(|o| anatomy::Origin { first: 0, second: 1, ..o.clone() })
                .collect(),
            ..self.clone()
        }
    }
}

/// The readings of one metric as complete rounds of two sides, in round order.
pub fn pairs(samples: &[Sample], metric: &str, first: usize, second: usize) -> Vec<(f64, f64)> {
    let mut rounds: BTreeMap<usize, (Option<f64>, Option<f64>)> = BTreeMap::new();
    for sample in samples {
        let Some(&value) = sample.values.get(metric) else { continue };
        let slot = rounds.entry(sample.round).or_default();
        if sample.side == first {
            slot.0 = Some(value);
        }
        if sample.side == second {
            slot.1 = Some(value);
        }
    }
    rounds.into_values().filter_map(|(a, b)| a.zip(b)).collect()
}

/// What the stop rule says after a round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Next {
    /// Take at least so many more rounds before asking again; an estimate of all that may be needed, for the time left.
    More {
        /// Rounds until the rule wants to look again, at least 1.
        rounds: usize,
        /// Rounds that are likely needed in all from here.
        expected: usize,
    },
    /// Enough.
    Stop,
}

/// What happens while measuring, for whoever shows it.
#[derive(Debug)]
pub enum Event<'a> {
    /// Something begins: `base: build`, `candidate: check tests`.
    Begin {
        /// The side's name.
        side: &'a str,
        /// The step, check or metric.
        what: &'a str,
        /// Round, from 0; none for checks and preparation.
        round: Option<usize>,
    },
    /// A sample was taken and saved.
    Sampled {
        /// The sample.
        sample: &'a Sample,
        /// All samples up to now, the new one included.
        all: &'a [Sample],
        /// How long is likely left.
        left: Option<Duration>,
    },
    /// A check ended.
    Checked(&'a CheckResult),
    /// A run failed after its side had been read; measuring goes on.
    Failed(&'a FailedRun),
    /// Something the user should know: a session goes on where it stopped, a metric varies that should be exact.
    Note(Phrase),
}

/// Exact readings of the base that an earlier record holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// The record.
    pub record: Ulid,
    /// Metric name -> value in the base unit, for every metric of the plan.
    pub values: BTreeMap<String, f64>,
    /// The hidden checks that fail on the base.
    pub failed: Vec<String>,
}

/// As [`run`], but the readings that prove the base exact are taken from a record where `known` is given: the base then is
/// neither checked out nor run, unless the candidate turns out to vary.
pub fn run_with(
    repo: &crate::git::Repo,
    plan: &Plan,
    known: Option<&Known>,
    rule: &mut dyn FnMut(&[Sample]) -> Next,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<Measurement, MeasureError> {
    schedule::run(repo, plan, known, rule, observe)
}

/// Takes the samples of a plan. `rule` is asked after the first round and then as often as it wants; `observe` is told
/// all that happens. The session's file stays until [`session::finish`] is called, so that a crash before the record is
/// written loses nothing.
pub fn run(
    repo: &crate::git::Repo,
    plan: &Plan,
    rule: &mut dyn FnMut(&[Sample]) -> Next,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<Measurement, MeasureError> {
    schedule::run(repo, plan, None, rule, observe)
}

/// Why measuring failed. Nothing is left behind in any of these cases but the samples already taken.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// A step failed, timed out or could not be started.
    Step {
        /// The side's name.
        side: String,
        /// `step build`.
        what: String,
        /// `exit status 1`, `timed out after 30 s`, `no such command: dokcer`.
        outcome: String,
        /// The end of its output.
        tail: String,
        /// All of its output.
        log: Option<std::path::PathBuf>,
    },
    /// Runs of one side fail again and again.
    Flaky {
        /// The side's name.
        side: String,
        /// Runs that failed.
        failed: usize,
        /// All runs of the side.
        all: usize,
        /// What failed last.
        what: String,
        /// How it ended.
        outcome: String,
        /// The end of its output.
        tail: String,
    },
    /// A metric gave no usable number.
    Metric {
        /// The side's name.
        side: String,
        /// The metric's name.
        metric: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Ctrl-C, SIGTERM or SIGHUP. The session is saved.
    Interrupted {
        /// Complete rounds that are saved.
        rounds: usize,
    },
    /// Another process measures the same at this moment.
    Busy {
        /// The plan's key.
        key: String,
        /// The process's id, if it could be read.
        holder: Option<u32>,
    },
    /// A metric counts instructions, and nothing here can.
    NoCounter {
        /// The metric's name.
        metric: String,
        /// What each way of counting lacks.
        problem: String,
    },
    /// The hidden checks are not what they were.
    Hidden(#[from] crate::hidden::HiddenError),
    /// git failed.
    Git(#[from] crate::git::GitError),
    /// A file could not be read or written.
    Io {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

crate::error::display_what!(MeasureError);

impl crate::error::Explain for MeasureError {
    fn exit(&self) -> crate::error::Exit {
        use crate::error::Exit;
        match self {
            MeasureError::Step { .. } | MeasureError::Metric { .. } | MeasureError::Flaky { .. } => Exit::Step,
            MeasureError::Interrupted { .. } => Exit::Interrupted,
            MeasureError::Git(inner) => inner.exit(),
            MeasureError::Hidden(inner) => inner.exit(),
            MeasureError::Busy { .. } | MeasureError::Io { .. } | MeasureError::NoCounter { .. } => Exit::State,
        }
    }
    fn what(&self) -> Phrase {
        match self {
            MeasureError::Step { side, what, outcome, .. } => {
                phrase!("{side}: {what} failed: {outcome}", side, what = told(what), outcome = told(outcome))
            }
            MeasureError::Flaky { side, failed, all, what, outcome, .. } => phrase!(
                "{side}: {failed} of {all} runs failed, the last in {what}: {outcome}",
                side,
                failed,
                all,
                what = told(what),
                outcome = told(outcome)
            ),
            MeasureError::Metric { side, metric, problem } => {
                phrase!("{side}: metric '{metric}': {problem}", side, metric, problem = told(problem))
            }
            MeasureError::Interrupted { rounds } => {
                phrase!("interrupted after {rounds} complete round{s}", rounds, s = plural(*rounds))
            }
            MeasureError::Busy { key, holder } => match holder {
                Some(pid) => phrase!("'{key}' is being measured by another process ({pid})", key, pid = *pid),
                None => phrase!("'{key}' is being measured by another process", key),
            },
            MeasureError::NoCounter { metric, problem } => {
                phrase!("metric '{metric}': {problem}", metric, problem = told(problem))
            }
            MeasureError::Git(inner) => inner.what(),
            MeasureError::Hidden(inner) => inner.what(),
            MeasureError::Io { path, .. } => path.into(),
        }
    }
    fn why(&self) -> Option<Phrase> {
        match self {
            MeasureError::Step { tail, .. } | MeasureError::Flaky { tail, .. } if !tail.is_empty() => {
                Some(phrase!("the end of its output:\n{tail}", tail))
            }
            MeasureError::Git(inner) => inner.why(),
            MeasureError::Hidden(inner) => inner.why(),
            _ => None,
        }
    }
    fn next(&self) -> Option<Phrase> {
        match self {
            MeasureError::Interrupted { .. } => Some("the same command (goes on where it stopped)".into()),
            MeasureError::Step { log: Some(log), .. } => {
                Some(phrase!("less -R '{log}' (all of its output)", log = log.display()))
            }
            MeasureError::Flaky { .. } => {
                Some("mend what fails, or measure again: what was taken is kept and measuring goes on".into())
            }
            MeasureError::NoCounter { .. } => {
                Some("install valgrind, or measure = \"user\" in place of \"instructions\"".into())
            }
            MeasureError::Busy { .. } => Some("git verdict status, or wait until it has ended".into()),
            MeasureError::Git(inner) => inner.next(),
            MeasureError::Hidden(inner) => inner.next(),
            _ => None,
        }
    }
}
