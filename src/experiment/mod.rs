//! The life of an experiment: states, and what may follow what.
//!
//! An [`Experiment`] is folded from the events of the ledger; nothing of it is stored elsewhere but its branch.

use crate::error::{Exit, Explain};
use crate::git::Oid;
use crate::ledger::event::{Decided, Event, Measured, Opened, Verdict};
use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// Where branches of experiments live: `verdict/<name>`.
pub const BRANCH_PREFIX: &str = "verdict/";

/// The state of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Opened, not measured yet.
    Open,
    /// Measured, not decided yet.
    Measured,
    /// Decided: the change stays.
    Kept,
    /// Decided: the change went.
    Reverted,
    /// Decided: the change never reached the base; its commits are under `refs/verdict/archive/`.
    Archived,
    /// Given up without a decision.
    Abandoned,
}

/// An experiment with all that is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// Its id.
    pub id: Ulid,
    /// Its name.
    pub name: String,
    /// The event that opened it.
    pub opened_at: DateTime<FixedOffset>,
    /// What it was opened with.
    pub opened: Opened,
    /// Its measurements, oldest first, each with the id of its event.
    pub measured: Vec<(Ulid, Measured)>,
    /// The decision in force, with the id and time of its event.
    pub decided: Option<(Ulid, DateTime<FixedOffset>, Decided)>,
    /// Its state.
    pub state: State,
}

impl Experiment {
    /// The latest measurement.
    pub fn latest(&self) -> Option<&(Ulid, Measured)> {
        self.measured.last()
    }
    /// Whether it waits for a decision.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open | State::Measured)
    }
    /// `verdict/<name>`.
    pub fn branch(&self) -> &str {
        &self.opened.branch
    }
    /// The verdict in force.
    pub fn verdict(&self) -> Option<Verdict> {
        self.decided.as_ref().map(|(_, _, decided)| decided.verdict)
    }
}

/// All experiments of a ledger, in the order they were opened.
#[derive(Debug, Clone, Default)]
pub struct Book {
    /// The experiments.
    pub experiments: Vec<Experiment>,
}

impl Book {
    /// Folds events (oldest first) into experiments. Events of an experiment whose opening is missing are set aside.
    pub fn fold(_events: impl IntoIterator<Item = Event>) -> Book {
        todo!()
    }
    /// The newest experiment of that name, or the one with that id.
    pub fn find(&self, _name: &str) -> Result<&Experiment, ExperimentError> {
        todo!()
    }
    /// The open experiment whose branch this is.
    pub fn on_branch(&self, _branch: &str) -> Option<&Experiment> {
        todo!()
    }
}

/// Checks that a name is a slug: lower-case letters, digits, `.`, `_` and `-`, beginning with a letter or digit, and a legal
/// part of a branch name.
pub fn check_name(_name: &str) -> Result<(), ExperimentError> {
    todo!()
}

/// What can be wrong with an experiment.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// A name that is no slug.
    #[error("'{name}' cannot name an experiment: {problem}")]
    BadName {
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An open experiment has that name already.
    #[error("there is an experiment '{0}' already")]
    Taken(String),
    /// None of that name.
    #[error("there is no experiment '{name}'")]
    Unknown {
        /// The name.
        name: String,
        /// The nearest one.
        nearest: Option<String>,
    },
    /// It is in a state that forbids this.
    #[error("experiment '{name}' is {state} already")]
    Finished {
        /// Its name.
        name: String,
        /// `kept`.
        state: &'static str,
    },
}

impl Explain for ExperimentError {
    fn exit(&self) -> Exit {
        match self {
            ExperimentError::BadName { .. } | ExperimentError::Unknown { .. } => Exit::Usage,
            _ => Exit::State,
        }
    }
    fn next(&self) -> Option<String> {
        Some(match self {
            ExperimentError::Unknown { nearest: Some(name), .. } => format!("did you mean '{name}'?"),
            ExperimentError::Unknown { .. } => "git verdict log".into(),
            ExperimentError::Taken(name) => format!("git verdict show {name}"),
            ExperimentError::Finished { name, .. } => format!("git verdict show {name}"),
            ExperimentError::BadName { .. } => "a name such as 'pip-cache'".into(),
        })
    }
}

/// Where an experiment begins and what it is measured against: used by `start`.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// The commit it begins at.
    pub base: Oid,
    /// The branch it lands on.
    pub onto: String,
    /// The experiment it stands on.
    pub stands_on: Option<Ulid>,
}
