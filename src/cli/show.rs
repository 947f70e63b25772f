//! `git verdict show`: one experiment or record, whole.

use super::{Ctx, Done, measure};
use crate::error::{Exit, Failure};
use crate::experiment::{Book, Experiment};
use crate::ledger::event::{Decided, Measured, Verdict};
use crate::ledger::{Event, Fact, Ledger};
use crate::render::table;
use crate::render::text::{clean, clean_lines};
use serde_json::json;
use ulid::Ulid;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// An experiment's name or id, or a record's id
    name: String,
    /// Where the change came from: layers, build steps, files, sections
    #[arg(long = "where")]
    origins: bool,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let repo = ctx.repo()?;
    let ledger = Ledger::open(&repo);
    let book = ctx.book(&ledger)?;
    if let Ok(id) = Ulid::from_string(&args.name)
        && let Some(event) = ledger.find(id)?
    {
        record(ctx, &book, &event)?;
        ctx.emit("record", json!({"event": event}))?;
        return Ok(Exit::Done);
    }
    let experiment = book.find(&args.name)?;
    whole(ctx, &ledger, &book, experiment)?;
    if args.origins {
        origins(ctx, experiment)?;
    }
    let events: Vec<Event> = ledger.events()?.into_iter().filter(|e| e.experiment == experiment.id).collect();
    for event in &events {
        if let Fact::Reopened(reopened) = &event.fact {
            ctx.say(format!("\nreopened {}, {}", event.id, event.at.format("%Y-%m-%d %H:%M %:z")))?;
            ctx.say(format!("  undoes      {}", reopened.undoes))?;
            ctx.say(format!("  because     {}", indent(&reopened.because)))?;
        }
    }
    ctx.emit("show", json!({"experiment": super::log::value(experiment), "events": events}))?;
    Ok(Exit::Done)
}

fn whole(ctx: &Ctx, ledger: &Ledger<'_>, book: &Book, experiment: &Experiment) -> Result<(), Failure> {
    let opened = &experiment.opened;
    heading(ctx, &experiment.name, &opened.title, experiment.state.as_str())?;
    ctx.say(format!("  hypothesis  {}", indent(&opened.hypothesis)))?;
    ctx.say(format!("  opened      {}", experiment.opened_at.format("%Y-%m-%d %H:%M %:z")))?;
    ctx.say(format!("  base        {} on {}", opened.base.commit.short(), clean(&opened.onto)))?;
    if let Some(parent) = opened.stands_on.and_then(|id| book.by_id(id)) {
        ctx.say(format!("  stands on   {} ({})", parent.name, parent.state.as_str()))?;
    }
    ctx.say(format!("  branch      {}", clean(&opened.branch)))?;
    if let Some((id, _)) = experiment.latest()
        && let Some(Event { fact: Fact::Measured(measured), .. }) = ledger.find(*id)?
    {
        measurement(ctx, id, &measured)?;
    }
    if let Some((id, at, decided)) = &experiment.decided {
        ctx.say(format!("\ndecision {id}, {}", at.format("%Y-%m-%d %H:%M %:z")))?;
        decision(ctx, decided)?;
    }
    Ok(())
}

/// How many rows of each attribution are shown.
const MOST: usize = 20;

/// What changed, where: largest first, adding up to the total.
fn origins(ctx: &Ctx, experiment: &Experiment) -> Result<(), Failure> {
    let found = experiment.latest().map(|(_, measured)| measured.origins.as_slice()).unwrap_or_default();
    if found.is_empty() {
        return ctx.say("\nnothing that was measured could be taken apart");
    }
    for origin in found {
        let attribution = &origin.attribution;
        ctx.say(format!("\n{}: what changed, where", clean(&origin.metric)))?;
        for line in attribution.lines(MOST) {
            ctx.say(format!("  {}", crate::render::text::neutral(&line)))?;
        }
        if attribution.partial {
            ctx.say("  one of the sides could not be read whole")?;
        }
    }
    Ok(())
}

fn record(ctx: &Ctx, book: &Book, event: &Event) -> Result<(), Failure> {
    let title = book.by_id(event.experiment).map_or("", |e| e.opened.title.as_str());
    let kind = match &event.fact {
        Fact::Opened(_) => "opened",
        Fact::Measured(_) => "measured",
        Fact::Decided(_) => "decided",
        Fact::Abandoned { .. } => "abandoned",
        Fact::Reopened(_) => "reopened",
    };
    heading(ctx, &event.name, title, kind)?;
    ctx.say(format!("  record      {}", event.id))?;
    ctx.say(format!("  at          {}", event.at.format("%Y-%m-%d %H:%M %:z")))?;
    ctx.say(format!("  by          {} <{}>", clean(&event.by.name), clean(&event.by.email)))?;
    match &event.fact {
        Fact::Opened(opened) => ctx.say(format!("  hypothesis  {}", indent(&opened.hypothesis))),
        Fact::Measured(measured) => measurement(ctx, &event.id, measured),
        Fact::Decided(decided) => decision(ctx, decided),
        Fact::Abandoned { because } => ctx.say(format!("  because     {}", indent(because))),
        Fact::Reopened(reopened) => {
            ctx.say(format!("  undoes      {}", reopened.undoes))?;
            ctx.say(format!("  because     {}", indent(&reopened.because)))?;
            reopened.commit.iter().try_for_each(|id| ctx.say(format!("  by commit   {id}")))
        }
    }
}

fn heading(ctx: &Ctx, name: &str, title: &str, state: &str) -> Result<(), Failure> {
    ctx.say(format!("{} ({state}): {}", clean(name), clean(title)))
}

fn measurement(ctx: &Ctx, id: &Ulid, measured: &Measured) -> Result<(), Failure> {
    let rounds = measured.samples.iter().map(|s| s.round + 1).max().unwrap_or(0);
    ctx.say(format!(
        "\nmeasurement {id}, {} against {}, {rounds} pair{}, seed {}",
        measured.candidate.commit.short(),
        measured.base.commit.short(),
        super::start::plural(rounds),
        measured.seed
    ))?;
    let machine = &measured.environment;
    ctx.say(format!("  on {}, {} cores, {}", clean(&machine.cpu), machine.cores, clean(&machine.platform)))?;
    for (name, value) in &machine.more {
        ctx.say(format!("     {:<16} {}", clean(name), clean(value)))?;
    }
    measure::show(ctx, measured)?;
    let weight = &measured.complexity;
    ctx.say(format!(
        "complexity: {} file{}, +{} -{} lines{}",
        weight.files,
        super::start::plural(weight.files),
        weight.added,
        weight.removed,
        match weight.new_dependencies.as_slice() {
            [] => String::new(),
            new => format!(", new: {}", clean(&new.join(", "))),
        }
    ))
}

fn decision(ctx: &Ctx, decided: &Decided) -> Result<(), Failure> {
    let mode = match (decided.verdict, decided.mode) {
        (Verdict::Revert, Some(mode)) => format!(" ({})", super::land::mode_name(mode)),
        _ => String::new(),
    };
    ctx.say(format!("  verdict     {}{mode}", decided.verdict.as_str()))?;
    ctx.say(format!("  because     {}", indent(&decided.because)))?;
    if decided.overrode {
        let advice = decided.recommendation.as_ref().map_or("none", |r| r.advice.as_str());
        ctx.say(format!("  overrode    the recommendation: {advice}"))?;
    }
    if !decided.comparison.is_empty() {
        ctx.say(table::comparison(&decided.comparison, ctx.look()))?;
    }
    for id in &decided.commits {
        ctx.say(format!("  commit      {id}"))?;
    }
    if let Some(id) = &decided.revert_commit {
        ctx.say(format!("  reverted by {id}"))?;
    }
    if let Some(id) = &decided.landed {
        ctx.say(format!("  landed as   {id} on {}", clean(&decided.onto)))?;
    }
    Ok(())
}

fn indent(text: &str) -> String {
    clean_lines(text).replace('\n', "\n              ")
}
