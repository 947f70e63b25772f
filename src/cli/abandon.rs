//! `git verdict abandon`: gives an experiment up without a decision; its branch stays.

use super::{Ctx, Done};
use crate::error::{Exit, Failure};
use crate::experiment::Experiment;
use crate::ledger::{Event, Fact, Ledger};
use crate::phrase;
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The experiment (default: the one whose branch is checked out)
    name: Option<String>,
    /// Why, in your words
    #[arg(long, value_name = "TEXT")]
    because: Option<String>,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let repo = ctx.repo()?;
    let ledger = Ledger::open(&repo);
    let book = ledger.book_of(&ctx.wanted(&repo, args.name.as_deref())?)?;
    let experiment = ctx.experiment(&repo, &book, args.name.as_deref())?;
    let because = match args.because {
        Some(text) => text,
        None => ctx.ask_line("Why?", "--because TEXT")?,
    };
    let event = abandon(&ledger, experiment, &because)?;
    said(ctx, experiment)?;
    ctx.emit("abandon", json!({"experiment": experiment.name, "record": event.id}))?;
    Ok(Exit::Done)
}

/// Records that an experiment was given up.
pub fn abandon(ledger: &Ledger<'_>, experiment: &Experiment, because: &str) -> Result<Event, Failure> {
    experiment.must_be_open()?;
    if because.trim().is_empty() {
        return Err(Failure::usage("the reason is empty").try_next("--because 'why'"));
    }
    let fact = Fact::Abandoned { because: because.trim().to_string() };
    let event = ledger.draft(experiment.id, &experiment.name, fact)?;
    ledger.append(&event)?;
    Ok(event)
}

/// Says so.
pub fn said(ctx: &Ctx, experiment: &Experiment) -> Result<(), Failure> {
    ctx.say(phrase!(
        "abandoned {name}; its branch {branch} stays",
        name = &experiment.name,
        branch = crate::render::text::clean(experiment.branch())
    ))
}
