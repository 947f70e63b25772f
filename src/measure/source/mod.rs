//! Metric sources: one file each.
//!
//! | file | reads |
//! |---|---|
//! | [`path`] | the size of a file, a folder, or all that a glob matches |
//! | [`image`] | the size of a container image |
//! | [`instructions`] | how many instructions a step executes |
//! | [`command`] | a number printed by a command |
//! | [`build_log`] | the time of build steps, from the log of a step |
//!
//! The resources of a step itself come from [`super::runner`].

pub mod build_log;
pub mod command;
pub mod image;
pub mod instructions;
pub mod path;

use super::MeasureError;
use super::placement::Placement;
use super::runner::{self, Finished, Job, Outcome, Sink};
use crate::config::Command;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a metric is read.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The worktree of the side.
    pub root: &'a Path,
    /// Variables for commands.
    pub env: &'a [(&'static str, OsString)],
    /// Where and how urgently commands run.
    pub placement: &'a Placement,
    /// Output files of commands begin with this path.
    pub logs: &'a Path,
}

/// Why a source gave no number.
#[derive(Debug)]
pub enum Trouble {
    /// What is wrong, for [`MeasureError::Metric`].
    Problem(String),
    /// The same of what is not there: a step that makes it may not have run.
    Absent(String),
    /// Its command failed, for [`MeasureError::Step`].
    Failed {
        /// How it ended.
        outcome: Outcome,
        /// The end of its output.
        tail: String,
        /// All of its output.
        log: PathBuf,
    },
    /// Anything else.
    Other(MeasureError),
}

impl From<MeasureError> for Trouble {
    fn from(error: MeasureError) -> Self {
        Trouble::Other(error)
    }
}

/// A command of a source that has ended.
struct Ran {
    finished: Finished,
    out: PathBuf,
    err: PathBuf,
}

/// Runs a command of a source with its standard output apart; `name` is for the files that it goes to.
fn run(
    place: &Place<'_>,
    command: &Command,
    name: &str,
    timeout: Option<Duration>,
    limit: u64,
) -> Result<Ran, MeasureError> {
    let file = |end: &str| {
        let mut path = place.logs.as_os_str().to_os_string();
        path.push(format!("{}.{end}", super::session::file_name(name)));
        PathBuf::from(path)
    };
    let (out, err) = (file("out"), file("err"));
    let sink = Sink::Split { out: &out, err: &err, limit };
    let finished = runner::run(&Job {
        command,
        dir: place.root,
        env: place.env,
        timeout,
        sink,
        placement: place.placement,
        peak: false,
    })?;
    Ok(Ran { finished, out, err })
}
