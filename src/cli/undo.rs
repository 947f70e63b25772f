//! `git verdict undo`: takes a decision back that has landed.

use super::{Ctx, Done};
use crate::decision;
use crate::error::{Exit, Failure};
use crate::git::Repo;
use crate::ledger::{Event, Fact, Ledger, Wanted};
use crate::phrase;
use crate::render::text::clean;
use serde_json::json;

/// The reason unless another is given.
const TOO_EARLY: &str = "the decision was made too early";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The experiment (default: the one that was decided last)
    name: Option<String>,
    /// Why, in your words
    #[arg(long, value_name = "TEXT", default_value = TOO_EARLY)]
    because: String,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let repo = ctx.repo()?;
    let ledger = Ledger::open(&repo);
    let wanted =
        Wanted { decided_last: args.name.is_none(), names: args.name.iter().cloned().collect(), ..Wanted::default() };
    let book = ledger.book_of(&wanted)?;
    if args.because.trim().is_empty() {
        return Err(Failure::usage("the reason is empty").try_next("--because 'why'"));
    }
    // What it is unless something else is said is in the reader's language.
    let because = ctx.tell(args.because);
    let undo = decision::prepare_undo(&repo, &ledger, &book, args.name.as_deref(), &because)?;
    for note in &undo.notes {
        ctx.note(phrase!("note: {note}", note = clean(&ctx.tell(note))));
    }
    if args.dry_run {
        ctx.say(phrase!("undoing the decision on {name} will do:", name = clean(&undo.event.name)))?;
        for (number, step) in undo.steps.iter().enumerate() {
            ctx.say(format!("  {}. {}", number + 1, clean(&ctx.tell(step))))?;
        }
        ctx.say("nothing was done (--dry-run)")?;
        ctx.emit("undo-dry-run", json!({"event": undo.event, "steps": undo.steps.iter().map(ToString::to_string).collect::<Vec<_>>(), "notes": undo.notes.iter().map(ToString::to_string).collect::<Vec<_>>()}))?;
        return Ok(Exit::Done);
    }
    let undone = decision::reopen(&repo, &ledger, undo)?;
    for note in &undone.notes {
        ctx.note(phrase!("note: {note}", note = clean(&ctx.tell(note))));
    }
    said(ctx, &repo, &undone.event)?;
    ctx.emit("undo", json!({"event": undone.event, "reset": undone.reset}))?;
    Ok(Exit::Done)
}

/// Says what was undone.
pub fn said(ctx: &Ctx, repo: &Repo, event: &Event) -> Result<(), Failure> {
    let Fact::Reopened(reopened) = &event.fact else { return Ok(()) };
    ctx.say(phrase!(
        "undid the decision on {name} (record {undoes})",
        name = clean(&event.name),
        undoes = reopened.undoes
    ))?;
    match &reopened.commit {
        Some(id) => ctx.say(phrase!("  by commit {id}", id = ctx.commit(repo, id, id.short())))?,
        None => ctx.say("  no commit was made")?,
    }
    ctx.say(phrase!("  record {id}", id = event.id))
}
