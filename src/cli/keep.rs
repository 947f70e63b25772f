//! `git verdict keep`: merges an experiment with its numbers, without questions.

use super::{Ctx, Done, land};
use crate::ledger::event::Verdict;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    flags: land::Flags,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    land::run(ctx, args.flags, Verdict::Keep, None)
}
