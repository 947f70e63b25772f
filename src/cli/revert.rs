//! `git verdict revert`: a revert commit with its numbers, without questions.

use super::{Ctx, Done, land};
use crate::config::RevertMode;
use crate::ledger::event::Verdict;
use clap::ValueEnum;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    flags: land::Flags,
    /// How it lands (default: [policy] revert, or merge)
    #[arg(long, value_name = "MODE")]
    mode: Option<Mode>,
}

/// [`RevertMode`] as the command line spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Revert on the experiment's branch, then merge it: attempt and reversal stay reachable
    Merge,
    /// One revert commit on the base branch, where the commits already are
    InPlace,
    /// The base's code is untouched; the decision file is committed and the commits stay under refs/verdict/archive/
    Archive,
}

impl From<Mode> for RevertMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Merge => RevertMode::Merge,
            Mode::InPlace => RevertMode::InPlace,
            Mode::Archive => RevertMode::Archive,
        }
    }
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    land::run(ctx, args.flags, Verdict::Revert, args.mode.map(RevertMode::from))
}
