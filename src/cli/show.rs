//! `git verdict show`: one experiment or record, whole.

use super::{Ctx, Done, measure};
use crate::error::{Exit, Failure};
use crate::experiment::{Book, Experiment};
use crate::git::Repo;
use crate::ledger::event::{Decided, Measured, Verdict};
use crate::ledger::identity::{self, Search};
use crate::ledger::query::Entry;
use crate::ledger::{Event, Fact, Ledger, Wanted, trailers};
use crate::render::table;
use crate::render::text::{clean, clean_lines};
use crate::render::trailer::Carried;
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
    if ledger.tip()?.is_none()
        && let Some((entry, carried)) = told(&repo, &args.name)?
    {
        return from_message(ctx, &entry, &carried);
    }
    if let Ok(id) = Ulid::from_string(&args.name)
        && let Some(event) = ledger.find(id)?
    {
        let search = match &event.fact {
            Fact::Decided(decided) => identity::locate(&repo, event.id, decided)?,
            _ => None,
        };
        let book = ledger.book_of(&Wanted { ids: vec![event.experiment], ..Wanted::default() })?;
        record(ctx, &book, &event, search.as_ref())?;
        ctx.emit("record", json!({"event": ledger.raw(id)?, "in_history": search}))?;
        return Ok(Exit::Done);
    }
    let book = ledger.book_of(&Wanted::named(&args.name))?;
    let experiment = book.find(&args.name)?;
    let search = match &experiment.decided {
        Some((id, _, decided)) => identity::locate(&repo, *id, decided)?,
        None => None,
    };
    whole(ctx, &ledger, &book, experiment, search.as_ref())?;
    if args.origins {
        origins(ctx, experiment)?;
    }
    let mut events = Vec::new();
    for event in ledger.records_of(experiment.id)? {
        if let Event { id, at, fact: Fact::Reopened(reopened), .. } = &event {
            ctx.say(format!("\nreopened {id}, {}", at.format("%Y-%m-%d %H:%M %:z")))?;
            ctx.say(format!("  undoes      {}", reopened.undoes))?;
            ctx.say(format!("  because     {}", indent(&reopened.because)))?;
        }
        if ctx.json {
            events.extend(ledger.raw(event.id)?);
        }
    }
    let value = super::log::value(experiment);
    ctx.emit("show", json!({"experiment": value, "events": events, "in_history": search}))?;
    Ok(Exit::Done)
}

/// The decision of that name, or with that record, that the commits of a clone without a ledger tell.
fn told(repo: &Repo, name: &str) -> Result<Option<(Entry, Carried)>, Failure> {
    let id = Ulid::from_string(name).ok();
    let mut all = trailers::told(repo)?.into_iter();
    Ok(all.find(|(entry, _)| entry.name == name || Some(entry.record) == id))
}

fn from_message(ctx: &Ctx, entry: &Entry, carried: &Carried) -> Done {
    ctx.note("this is what a commit message tells; the ledger is not here: git verdict sync");
    heading(ctx, &entry.name, &entry.text, entry.state.as_str())?;
    ctx.say(format!("  record      {}", entry.record))?;
    ctx.say(format!("  at          {}", entry.at.format("%Y-%m-%d %H:%M %:z")))?;
    ctx.say(format!("  by          {} <{}>", clean(&entry.by.name), clean(&entry.by.email)))?;
    for (label, id) in [
        ("base", carried.baseline.as_ref()),
        ("candidate", carried.candidate.as_ref()),
        ("told by", entry.told_by.as_ref()),
    ] {
        if let Some(id) = id {
            ctx.say(format!("  {label:<11} {id}"))?;
        }
    }
    if !entry.comparison.is_empty() {
        ctx.say(table::comparison(&entry.comparison, ctx.look()))?;
    }
    ctx.emit(
        "show",
        json!({
            "experiment": super::log::told(entry), "events": [], "base": carried.baseline,
            "candidate": carried.candidate, "told_by": entry.told_by,
        }),
    )?;
    Ok(Exit::Done)
}

fn whole(
    ctx: &Ctx,
    ledger: &Ledger<'_>,
    book: &Book,
    experiment: &Experiment,
    search: Option<&Search>,
) -> Result<(), Failure> {
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
        decision(ctx, decided, search)?;
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

fn record(ctx: &Ctx, book: &Book, event: &Event, search: Option<&Search>) -> Result<(), Failure> {
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
        Fact::Decided(decided) => decision(ctx, decided, search),
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
    let (candidate, base) = (measured.candidate.commit.short(), measured.base.commit.short());
    let machine = &measured.environment;
    if let Some(tool) = machine.more.get("imported from") {
        let files = machine.more.get("files").map_or("", String::as_str);
        let readings = measured.samples.len();
        ctx.say(format!("\nmeasurement {id}, {candidate} against {base}, {readings} readings"))?;
        ctx.say(format!("  imported from {} {}", clean(tool), clean(files)))?;
    } else {
        let rounds = measured.samples.iter().map(|s| s.round + 1).max().unwrap_or(0);
        let plural = super::start::plural(rounds);
        let seed = measured.seed;
        ctx.say(format!("\nmeasurement {id}, {candidate} against {base}, {rounds} pair{plural}, seed {seed}"))?;
        ctx.say(format!("  on {}, {} cores, {}", clean(&machine.cpu), machine.cores, clean(&machine.platform)))?;
        for (name, value) in &machine.more {
            ctx.say(format!("     {:<16} {}", clean(name), clean(value)))?;
        }
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

fn decision(ctx: &Ctx, decided: &Decided, search: Option<&Search>) -> Result<(), Failure> {
    let mode = match (decided.verdict, decided.mode) {
        (Verdict::Revert, Some(mode)) => format!(" ({})", mode.as_str()),
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
    match search {
        None => ctx.say(format!("  in history  {} is not here", clean(&decided.onto))),
        Some(Search { found: Some(found), .. }) => {
            ctx.say(format!("  in history  {}, found by {}", found.commit, found.by.as_str()))
        }
        Some(Search { cut: true, .. }) => ctx.say(format!(
            "  in history  not in the newest commits of {}; older ones were not searched",
            clean(&decided.onto)
        )),
        Some(_) => ctx.say(format!("  in history  not in the history of {}", clean(&decided.onto))),
    }
}

fn indent(text: &str) -> String {
    clean_lines(text).replace('\n', "\n              ")
}
