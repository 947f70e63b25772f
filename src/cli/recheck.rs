//! `git verdict recheck`: which decisions rest on something that has changed.

use super::log::summary;
use super::{Ctx, Done};
use crate::error::{Exit, Failure};
use crate::experiment::{Book, Experiment};
use crate::grounds::Look;
use crate::ledger::{Ledger, Wanted};
use crate::phrase;
use crate::phrase::{Phrase, plural};
use crate::recheck::{self, Looked, Moving};
use crate::render::text::{Align, clean, pad, wrap};
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The decided experiments (default: all of them)
    names: Vec<String>,
    /// Also compare the machine and the versions of its tools
    #[arg(long)]
    machine: bool,
    /// Also ask docker, podman or buildah for the digests of base images
    #[arg(long)]
    engine: bool,
    /// Of those that moved, only the N that promise most
    #[arg(short = 'n', long, value_name = "N")]
    number: Option<usize>,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let repo = ctx.repo()?;
    let ledger = Ledger::open(&repo);
    if ledger.tip()?.is_none() && args.names.is_empty() {
        ctx.note("the ledger is not here, and what decisions rest on stands nowhere else: git verdict sync");
    }
    let book = match args.names.is_empty() {
        true => ctx.book(&ledger)?,
        false => ledger.book_of(&Wanted { names: args.names.clone(), ..Wanted::default() })?,
    };
    let chosen = chosen(&book, &args.names)?;
    let look = Look { machine: args.machine, engine: args.engine };
    let mut looked = recheck::look(&repo, &chosen, look)?;
    looked.moved.truncate(args.number.unwrap_or(usize::MAX));
    list(ctx, &looked, !args.names.is_empty())?;
    ctx.emit("recheck", value(&looked))?;
    Ok(Exit::Done)
}

/// The experiments of these names, each once, all of them decided; without names all that are.
fn chosen<'b>(book: &'b Book, names: &[String]) -> Result<Vec<&'b Experiment>, Failure> {
    if names.is_empty() {
        return Ok(book.experiments.iter().filter(|e| recheck::is_decided(e)).collect());
    }
    let mut chosen: Vec<&Experiment> = Vec::new();
    for name in names {
        let found = book.find(name)?;
        if !recheck::is_decided(found) {
            let (name, state) = (&found.name, Phrase::from(found.state.as_str()));
            return Err(Failure::state(phrase!(
                "experiment '{name}' is {state}: there is no decision to recheck",
                name,
                state
            ))
            .try_next(phrase!("git verdict show {name}", name)));
        }
        if !chosen.iter().any(|e| e.id == found.id) {
            chosen.push(found);
        }
    }
    Ok(chosen)
}

fn list(ctx: &Ctx, looked: &Looked<'_>, named: bool) -> Result<(), Failure> {
    let Looked { moved, still, unknown, .. } = looked;
    let all = moved.len() + still.len() + unknown.len();
    if all == 0 {
        return ctx.say("no decisions yet");
    }
    ctx.say(match moved.len() {
        0 => phrase!("nothing that {all} decision{s} rest on has changed", all, s = plural(all)),
        n => phrase!("{n} of {all} decision{s} rest on something that has changed", n, all, s = plural(all)),
    })?;
    for one in moved {
        ctx.say("")?;
        headline(ctx, one)?;
        if one.rebuilt {
            ctx.say("  (an old record: what it rested on was read from its commits)")?;
        }
        for moved in &one.moved {
            ctx.say(wrap(&format!("  {}", clean(&ctx.tell(moved.told()))), ctx.look().width, 4))?;
        }
    }
    if !moved.is_empty() && !(still.is_empty() && unknown.is_empty()) {
        ctx.say("")?;
    }
    if named || !moved.is_empty() {
        let names: Vec<&str> = still.iter().map(|e| e.name.as_str()).collect();
        if !names.is_empty() {
            ctx.say(wrap(
                &ctx.tell(phrase!("unmoved: {names}", names = clean(&names.join(", ")))),
                ctx.look().width,
                2,
            ))?;
        }
    }
    for (experiment, why) in unknown {
        ctx.say(phrase!("not compared: {name}: {why}", name = clean(&experiment.name), why = why.clone()))?;
    }
    Ok(())
}

/// `0.36  2025-03-01  reverted  multi-stage  build_time +41.1 %`.
fn headline(ctx: &Ctx, one: &Moving<'_>) -> Result<(), Failure> {
    let state = pad(&ctx.tell(one.experiment.state.as_str()), 9, Align::Left);
    let (day, name) = (one.at.format("%Y-%m-%d"), clean(&one.experiment.name));
    ctx.say(format!("{:.2}  {day}  {state}  {name}  {}", one.score(), summary(&one.decided.comparison, ctx.lang)))
}

fn value(looked: &Looked<'_>) -> Value {
    let moved = |one: &Moving<'_>| {
        let (experiment, decided) = (one.experiment, one.decided);
        json!({
            "experiment": experiment.name, "state": experiment.state,
            "decision": experiment.decided.as_ref().map(|(id, _, _)| id), "at": one.at, "onto": decided.onto,
            "comparison": decided.comparison, "moved": one.moved, "rebuilt": one.rebuilt,
            "told": one.moved.iter().map(|moved| moved.told().to_string()).collect::<Vec<_>>(),
            "promise": one.promise, "ground": one.ground, "score": one.score(),
        })
    };
    let why = |(e, why): &(&Experiment, Phrase)| json!({"experiment": e.name, "why": why.to_string()});
    json!({
        "moved": looked.moved.iter().map(moved).collect::<Vec<_>>(),
        "unmoved": looked.still.iter().map(|e| &e.name).collect::<Vec<_>>(),
        "not_compared": looked.unknown.iter().map(why).collect::<Vec<_>>(),
    })
}
