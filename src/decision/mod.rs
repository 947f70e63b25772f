//! How a verdict lands in history: preflight, journal, landing.
//!
//! [`prepare`] looks at everything in memory and touches nothing; what it gives back can be shown. [`land`] carries it out
//! with the real git, one journalled step after the other. [`pending`] finds a decision that was cut off; it is then
//! finished with [`resume`] or taken back with [`undo`].

pub mod audit;
mod journal;
mod landing;
pub mod plan;
mod preflight;
mod reopen;
mod replay;
pub mod reversal;
mod stacking;

pub use landing::{FAULT_VARIABLE, LANDING_VARIABLE};
pub use plan::Plan;
pub use reopen::{Reapplied, Undo, Undone, Way, notice, reapplied, reverts_a_decision};

use crate::config::{Policy, RevertMode};
use crate::error::{Exit, Explain};
use crate::experiment::{Book, Experiment};
use crate::git::{GitError, Oid, Repo};
use crate::hidden::HiddenError;
use crate::ledger::event::{Event, Verdict};
use crate::ledger::{Ledger, LedgerError};
use crate::phrase;
use crate::phrase::{Phrase, english_all};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use ulid::Ulid;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The experiment.
    pub experiment: &'a Experiment,
    /// All experiments, to find what it stands on and what stands on it.
    pub book: &'a Book,
    /// Keep or revert.
    pub verdict: Verdict,
    /// Why, in the user's words.
    pub because: String,
    /// How a revert lands; the policy's way when it is not given.
    pub mode: Option<RevertMode>,
    /// Go on without numbers, with stale numbers, or with a failed check or a broken limit on keep.
    pub force: bool,
    /// The draft is shown before it lands: then untracked files are named too, for which every folder has to be read.
    pub preview: bool,
    /// The draft lands as soon as its texts are there: then [`prepare`] does not wait for the look at the files, and [`land`]
    /// refuses uncommitted work.
    pub at_once: bool,
    /// The policy.
    pub policy: &'a Policy,
}

/// A decision that has passed the preflight and may land.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Draft {
    /// The record, complete but for the commits that landing will make.
    pub event: Event,
    /// What it was opened with, for the texts.
    pub opened: crate::ledger::event::Opened,
    /// The name of the experiment that it stands on.
    pub stands_on: Option<String>,
    /// What will be done, one line each, in order: shown by `--dry-run`.
    pub steps: Vec<String>,
    /// What the user should know first: hooks that will run, a base that moved, untracked files.
    pub notes: Vec<Phrase>,
    /// The same as data, with the state that it starts from. [`land`] refuses a draft without it.
    #[serde(default)]
    pub plan: Option<Plan>,
    /// Whether the work tree has still to be looked at for uncommitted work.
    #[serde(skip)]
    pub unseen: bool,
}

/// The texts that land, rendered from the draft.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Texts {
    /// The message of the revert commit, when there is one.
    pub revert: Option<String>,
    /// The message of the merge commit, when there is one.
    pub merge: Option<String>,
    /// The decision file: path relative to the root of the repository, text, commit message.
    pub adr: Option<(PathBuf, String, String)>,
}

/// A decision that has landed.
#[derive(Debug, Clone)]
pub struct Landed {
    /// The record as it stands in the ledger.
    pub event: Event,
    /// What the user should know of how it landed: a hook that changed a message or a tree.
    pub notes: Vec<Phrase>,
}

/// Which landing was cut off, and how far it came.
#[derive(Debug, Clone, Serialize)]
pub struct Pending {
    /// The experiment's name.
    pub name: String,
    /// Keep or revert.
    pub verdict: Verdict,
    /// The record's id.
    pub record: Ulid,
    /// The steps already done.
    #[serde(serialize_with = "english_all")]
    pub done: Vec<Phrase>,
    /// The steps still to do.
    #[serde(serialize_with = "english_all")]
    pub left: Vec<Phrase>,
    /// Whether it had landed and was being undone.
    pub undoing: bool,
    /// Whether it can only be finished, and not be taken back: refs are being put back already.
    pub only_finish: bool,
}

/// Looks at everything that landing needs, in memory; touches nothing.
pub fn prepare(repo: &Repo, ledger: &Ledger<'_>, request: &Request<'_>) -> Result<Draft, DecisionError> {
    preflight::prepare(repo, ledger, request)
}

/// The commands that landing a draft with these texts will run, one line each, in order: for `--dry-run`. Unlike
/// [`Draft::steps`] they have the decision file in them.
pub fn preview(repo: &Repo, draft: &Draft, texts: &Texts) -> Vec<Phrase> {
    let messages = plan::Messages::of(repo);
    match &draft.plan {
        Some(plan) => plan.lines(&draft.event.id.to_string(), &messages, Some(texts)),
        None => draft.steps.iter().map(Phrase::from).collect(),
    }
}

/// Lands a draft with the real git. When a step fails, a hook that rejects included, everything is put back as it was and
/// the error is [`DecisionError::TakenBack`].
pub fn land(repo: &Repo, ledger: &Ledger<'_>, draft: Draft, texts: Texts) -> Result<Landed, DecisionError> {
    landing::land(repo, ledger, draft, texts)
}

/// The landing that was cut off, if there is one.
pub fn pending(repo: &Repo) -> Result<Option<Pending>, DecisionError> {
    journal::Journal::read(repo)?.map(|journal| journal.pending(repo)).transpose()
}

/// Finishes a landing that was cut off. When a step fails again, the journal stays, and [`undo`] is still possible.
pub fn resume(repo: &Repo, ledger: &Ledger<'_>) -> Result<Landed, DecisionError> {
    landing::resume(repo, ledger)
}

/// Takes back a landing that was cut off: refs, HEAD, index and work tree are as they were before it. When its record is in
/// the ledger already it has landed: then this only ends the journal, and says so as an error.
pub fn undo(repo: &Repo, ledger: &Ledger<'_>) -> Result<(), DecisionError> {
    landing::undo(repo, ledger)
}

/// Looks at what undoing a decision takes; touches nothing. Without a name it is the last one of the ledger.
///
/// A decision that was not pushed, and whose refs are where it left them, is taken back by putting them to where they were;
/// any other by a new commit.
pub fn prepare_undo(
    repo: &Repo,
    ledger: &Ledger<'_>,
    book: &Book,
    name: Option<&str>,
    because: &str,
) -> Result<Undo, DecisionError> {
    reopen::prepare(repo, ledger, book, name, because)
}

/// Undoes a decision that has landed: the experiment waits for one again, or the decision before it is in force again.
pub fn reopen(repo: &Repo, ledger: &Ledger<'_>, undo: Undo) -> Result<Undone, DecisionError> {
    reopen::carry_out(repo, ledger, undo)
}

/// Why a decision cannot be made or did not land.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// The state of the repository or of the experiment forbids it.
    Refused {
        /// What forbids it.
        what: Phrase,
        /// Why that matters.
        why: Option<Phrase>,
        /// The next command to try.
        next: Option<Phrase>,
    },
    /// The merge or the revert would conflict. Nothing was touched.
    Conflict {
        /// `merging verdict/multi-stage into main`.
        what: Phrase,
        /// The files.
        files: Vec<PathBuf>,
        /// The next command to try.
        next: Phrase,
        /// The commits involved.
        commits: Vec<Oid>,
    },
    /// A step of the landing failed, and all was put back.
    TakenBack {
        /// The step.
        step: Phrase,
        /// Why: the output of a hook that rejected it, for example.
        #[source]
        source: Box<DecisionError>,
    },
    /// A step of the landing failed; the journal holds it.
    Stopped {
        /// The step.
        step: Phrase,
        /// Why.
        #[source]
        source: GitError,
    },
    /// git failed.
    Git(#[from] GitError),
    /// The ledger failed.
    Ledger(#[from] LedgerError),
}

crate::error::display_what!(DecisionError);

impl From<HiddenError> for DecisionError {
    fn from(error: HiddenError) -> Self {
        DecisionError::Refused { what: error.what(), why: error.why(), next: error.next() }
    }
}

impl Explain for DecisionError {
    fn exit(&self) -> Exit {
        match self {
            DecisionError::Git(inner) => inner.exit(),
            DecisionError::Ledger(inner) => inner.exit(),
            _ => Exit::State,
        }
    }
    fn what(&self) -> Phrase {
        match self {
            DecisionError::Refused { what, .. } => what.clone(),
            DecisionError::Conflict { what, files, .. } => {
                let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
                phrase!("{what} would conflict in {files}", what, files = files.join(", "))
            }
            DecisionError::TakenBack { step, source } => phrase!(
                "the decision stopped at: {step}; everything is as it was before: {problem}",
                step,
                problem = source.what()
            ),
            DecisionError::Stopped { step, source } => {
                phrase!("the decision stopped at: {step}: {problem}", step, problem = source.what())
            }
            DecisionError::Git(inner) => inner.what(),
            DecisionError::Ledger(inner) => inner.what(),
        }
    }
    fn why(&self) -> Option<Phrase> {
        match self {
            DecisionError::Refused { why, .. } => why.clone(),
            DecisionError::Stopped { source, .. } => source.why(),
            DecisionError::Git(inner) => inner.why(),
            DecisionError::Ledger(inner) => inner.why(),
            DecisionError::Conflict { .. } => Some("nothing was touched".into()),
            DecisionError::TakenBack { source, .. } => source.why(),
        }
    }
    fn next(&self) -> Option<Phrase> {
        match self {
            DecisionError::Refused { next, .. } => next.clone(),
            DecisionError::Conflict { next, .. } => Some(next.clone()),
            DecisionError::Stopped { .. } => Some("git verdict doctor".into()),
            DecisionError::TakenBack { source, .. } => source.next(),
            DecisionError::Git(inner) => inner.next(),
            DecisionError::Ledger(inner) => inner.next(),
        }
    }
}
