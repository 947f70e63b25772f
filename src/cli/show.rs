//! `git verdict show`: one experiment or record, whole.

use super::{Ctx, Done, measure};
use crate::error::{Exit, Failure};
use crate::experiment::{Book, Experiment};
use crate::git::Repo;
use crate::grounds::Assumptions;
use crate::ledger::event::{Decided, Measured, Rechecked, Verdict};
use crate::ledger::identity::{self, Search};
use crate::ledger::query::Entry;
use crate::ledger::{Event, Fact, Ledger, Wanted, trailers};
use crate::measure::told::told as told_of;
use crate::phrase;
use crate::phrase::{Phrase, plural};
use crate::recheck::told;
use crate::render::lang;
use crate::render::table;
use crate::render::text::{Align, clean, clean_lines, neutral, pad, wrap};
use crate::render::trailer::Carried;
use chrono::{DateTime, FixedOffset};
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
        record(ctx, &repo, &book, &event, search.as_ref())?;
        ctx.emit("record", json!({"event": ledger.raw(id)?, "in_history": search}))?;
        return Ok(Exit::Done);
    }
    let book = ledger.book_of(&Wanted::named(&args.name))?;
    let experiment = book.find(&args.name)?;
    let search = match &experiment.decided {
        Some((id, _, decided)) => identity::locate(&repo, *id, decided)?,
        None => None,
    };
    whole(ctx, &repo, &ledger, &book, experiment, search.as_ref())?;
    if args.origins {
        origins(ctx, experiment)?;
    }
    let mut events = Vec::new();
    for event in ledger.records_of(experiment.id)? {
        if let Event { id, at, fact: Fact::Reopened(reopened), .. } = &event {
            ctx.say(phrase!("\nreopened {id}, {at}", id, at = when(at)))?;
            ctx.field("undoes", reopened.undoes.to_string())?;
            ctx.field("because", indent(&reopened.because))?;
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
    ctx.field("record", entry.record.to_string())?;
    ctx.field("at", when(&entry.at))?;
    ctx.field("by", format!("{} <{}>", clean(&entry.by.name), clean(&entry.by.email)))?;
    for (label, id) in [
        ("base", carried.baseline.as_ref()),
        ("candidate", carried.candidate.as_ref()),
        ("told by", entry.told_by.as_ref()),
    ] {
        if let Some(id) = id {
            ctx.field(label, id.to_string())?;
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
    repo: &Repo,
    ledger: &Ledger<'_>,
    book: &Book,
    experiment: &Experiment,
    search: Option<&Search>,
) -> Result<(), Failure> {
    let opened = &experiment.opened;
    heading(ctx, &experiment.name, &opened.title, experiment.state.as_str())?;
    ctx.field("hypothesis", indent(&opened.hypothesis))?;
    ctx.field("opened", when(&experiment.opened_at))?;
    ctx.field(
        "base",
        phrase!(
            "{commit} on {branch}",
            commit = ctx.commit(repo, &opened.base.commit, opened.base.commit.short()),
            branch = clean(&opened.onto)
        ),
    )?;
    if let Some(parent) = opened.stands_on.and_then(|id| book.by_id(id)) {
        ctx.field(
            "stands on",
            phrase!("{name} ({state})", name = &parent.name, state = Phrase::from(parent.state.as_str())),
        )?;
    }
    ctx.field("branch", clean(&opened.branch))?;
    if let Some((id, _)) = experiment.latest()
        && let Some(Event { fact: Fact::Measured(measured), .. }) = ledger.find(*id)?
    {
        measurement(ctx, id, &measured)?;
    }
    if let Some((id, at, decided)) = &experiment.decided {
        ctx.say(phrase!("\ndecision {id}, {at}", id, at = when(at)))?;
        decision(ctx, repo, decided, search)?;
        let name = &experiment.name;
        if let Some((id, today, measured)) = experiment.recheck(Rechecked::Again) {
            ctx.say(phrase!("\nmeasured again {id}, {at}", id, at = when(today)))?;
            let sentence = told::again(name, (at, &decided.comparison), (Some(today), &measured.comparison));
            sentence
                .map_or(Ok(()), |sentence| ctx.say(wrap(&format!("  {}", ctx.tell(sentence)), ctx.look().width, 2)))?;
            ctx.say(table::recommendation(&measured.recommendation, ctx.look()))?;
        }
        if let Some((id, at, measured)) = experiment.recheck(Rechecked::Stack) {
            ctx.say(phrase!("\nmeasured as a stack {id}, {at}", id, at = when(at)))?;
            super::recheck_stack::told(ctx, book, measured)?;
        }
        if let Some((id, at, measured)) = experiment.recheck(Rechecked::Landed) {
            ctx.say(phrase!("\nmeasured as landed {id}, {at}", id, at = when(at)))?;
            let sentence = told::landed(&decided.comparison, &measured.comparison);
            sentence
                .map_or(Ok(()), |sentence| ctx.say(wrap(&format!("  {}", ctx.tell(sentence)), ctx.look().width, 2)))?;
        }
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
        ctx.say(phrase!("\n{metric}: what changed, where", metric = clean(&origin.metric)))?;
        for line in attribution.lines(MOST) {
            ctx.say(format!("  {}", crate::render::text::neutral(&ctx.tell(line))))?;
        }
        if attribution.partial {
            ctx.say("  one of the sides could not be read whole")?;
        }
    }
    Ok(())
}

fn record(ctx: &Ctx, repo: &Repo, book: &Book, event: &Event, search: Option<&Search>) -> Result<(), Failure> {
    let title = book.by_id(event.experiment).map_or("", |e| e.opened.title.as_str());
    let kind = match &event.fact {
        Fact::Opened(_) => "opened",
        Fact::Measured(_) => "measured",
        Fact::Decided(_) => "decided",
        Fact::Abandoned { .. } => "abandoned",
        Fact::Reopened(_) => "reopened",
    };
    heading(ctx, &event.name, title, kind)?;
    ctx.field("record", event.id.to_string())?;
    ctx.field("at", when(&event.at))?;
    ctx.field("by", format!("{} <{}>", clean(&event.by.name), clean(&event.by.email)))?;
    match &event.fact {
        Fact::Opened(opened) => ctx.field("hypothesis", indent(&opened.hypothesis)),
        Fact::Measured(measured) => measurement(ctx, &event.id, measured),
        Fact::Decided(decided) => decision(ctx, repo, decided, search),
        Fact::Abandoned { because } => ctx.field("because", indent(because)),
        Fact::Reopened(reopened) => {
            ctx.field("undoes", reopened.undoes.to_string())?;
            ctx.field("because", indent(&reopened.because))?;
            reopened.commit.iter().try_for_each(|id| ctx.field("by commit", id.to_string()))
        }
    }
}

/// `slim (open): a smaller image`.
pub fn heading(ctx: &Ctx, name: &str, title: &str, state: &'static str) -> Result<(), Failure> {
    ctx.say(phrase!("{name} ({state}): {title}", name = clean(name), state = Phrase::from(state), title = clean(title)))
}

fn when(at: &DateTime<FixedOffset>) -> String {
    at.format("%Y-%m-%d %H:%M %:z").to_string()
}

fn measurement(ctx: &Ctx, id: &Ulid, measured: &Measured) -> Result<(), Failure> {
    let (candidate, base) = (measured.candidate.commit.short(), measured.base.commit.short());
    let machine = &measured.environment;
    if let Some(tool) = machine.more.get("imported from") {
        let files = machine.more.get("files").map_or("", String::as_str);
        let readings = measured.samples.len();
        ctx.say(phrase!(
            "\nmeasurement {id}, {candidate} against {base}, {readings} readings",
            id,
            candidate,
            base,
            readings
        ))?;
        ctx.say(phrase!("  imported from {tool} {files}", tool = clean(tool), files = clean(files)))?;
    } else {
        let rounds = measured.samples.iter().map(|s| s.round + 1).max().unwrap_or(0);
        let seed = measured.seed;
        ctx.say(phrase!(
            "\nmeasurement {id}, {candidate} against {base}, {rounds} pair{s}, seed {seed}",
            id,
            candidate,
            base,
            rounds,
            s = plural(rounds),
            seed
        ))?;
        ctx.say(phrase!(
            "  on {cpu}, {cores} cores, {platform}",
            cpu = clean(&machine.cpu),
            cores = machine.cores,
            platform = clean(&machine.platform)
        ))?;
        for (name, value) in &machine.more {
            let name = ctx.tell(told_of(&clean(name)));
            ctx.say(format!("     {} {}", pad(&name, 16, Align::Left), clean(value)))?;
        }
    }
    if let Some(rechecks) = &measured.rechecks {
        let (decision, what) = (rechecks.decision, rechecks.what.as_str());
        ctx.say(phrase!("  rechecks decision {decision} ({what})", decision, what))?;
    }
    if let Some(Assumptions { work, base, .. }) = &measured.assumptions {
        let names = base.names().map(Phrase::from).chain(work.names()).collect();
        let line = ctx.tell(phrase!("  rests on {names}", names = Phrase::joined(names, ", ")));
        ctx.say(wrap(&neutral(&line), ctx.look().width, 5))?;
    }
    if let Some(ran) = &measured.hidden_checks {
        ctx.say(phrase!("  hidden checks {digest}", digest = &ran.digest[..12.min(ran.digest.len())]))?;
    }
    measure::show(ctx, measured)?;
    let weight = &measured.complexity;
    let (files, added, removed) = (weight.files, weight.added, weight.removed);
    let s = plural(files);
    let size = match weight.new_dependencies.as_slice() {
        [] => phrase!("complexity: {files} file{s}, +{added} -{removed} lines", files, s, added, removed),
        new => phrase!(
            "complexity: {files} file{s}, +{added} -{removed} lines, new: {new}",
            files,
            s,
            added,
            removed,
            new = clean(&new.join(", "))
        ),
    };
    ctx.say(size)?;
    if let Some(cost) = weight.maintenance {
        ctx.say(cost.phrase())?;
    }
    Ok(())
}

fn decision(ctx: &Ctx, repo: &Repo, decided: &Decided, search: Option<&Search>) -> Result<(), Failure> {
    let verdict = Phrase::from(decided.verdict.as_str());
    match (decided.verdict, decided.mode) {
        (Verdict::Revert, Some(mode)) => {
            ctx.field("verdict", phrase!("{verdict} ({mode})", verdict, mode = mode.as_str()))
        }
        _ => ctx.field("verdict", verdict),
    }?;
    ctx.field("because", indent(&decided.because))?;
    if decided.overrode {
        let advice = decided.recommendation.as_ref().map(|r| lang::advice(ctx.lang, r.advice));
        let advice = advice.map_or("none".into(), Phrase::from);
        ctx.field("overrode", phrase!("the recommendation: {advice}", advice))?;
    }
    if !decided.comparison.is_empty() {
        ctx.say(table::comparison(&decided.comparison, ctx.look()))?;
    }
    for id in &decided.commits {
        ctx.field("commit", ctx.commit(repo, id, id.as_str()))?;
    }
    if let Some(id) = &decided.revert_commit {
        ctx.field("reverted by", ctx.commit(repo, id, id.as_str()))?;
    }
    if let Some(id) = &decided.landed {
        let id = ctx.commit(repo, id, id.as_str());
        ctx.field("landed as", phrase!("{id} on {branch}", id, branch = clean(&decided.onto)))?;
    }
    let branch = clean(&decided.onto);
    let place = match search {
        None => phrase!("{branch} is not here", branch),
        Some(Search { found: Some(found), .. }) => {
            phrase!("{commit}, found by {by}", commit = &found.commit, by = Phrase::from(found.by.as_str()))
        }
        Some(Search { cut: true, .. }) => {
            phrase!("not in the newest commits of {branch}; older ones were not searched", branch)
        }
        Some(_) => phrase!("not in the history of {branch}", branch),
    };
    ctx.field("in history", place)
}

fn indent(text: &str) -> String {
    clean_lines(text).replace('\n', "\n              ")
}
