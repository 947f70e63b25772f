//! `git verdict report`: one HTML page of the decisions.

use super::context::{self, write_file, write_line};
use super::land;
use super::log::{self, DATES, Filters};
use super::{Ctx, Done};
use crate::error::{Exit, Failure};
use crate::ledger::event::Measured;
use crate::ledger::query::{Entry, Query};
use crate::ledger::{Event, Fact, Ledger};
use crate::phrase;
use crate::phrase::plural;
use crate::render::report::{self, Details, Input, Pages, Place};
use crate::render::text::clean;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::PathBuf;
use ulid::Ulid;

#[derive(Debug, clap::Args)]
#[command(after_help = DATES)]
pub struct Args {
    /// The file to write; '-' is standard output
    #[arg(long, short, value_name = "FILE", default_value = "verdict-report.html")]
    output: PathBuf,
    /// The heading (default: the project's name, as far as its remote tells)
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    #[command(flatten)]
    filters: Filters,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let on_stdout = args.output.as_os_str() == "-";
    if on_stdout && ctx.json {
        return Err(Failure::usage("--json and the page cannot share standard output")
            .try_next("git verdict report -o FILE --json, or without --json"));
    }
    let repo = ctx.repo()?;
    let query = Query { openings: true, ..args.filters.query(true, false) };
    let entries = log::answer(ctx, &repo, &query)?.entries;
    let forge = context::forge(&repo)?;
    let places = Place::all(&entries);
    let input = Input::new(&entries, &places, forge.as_ref());
    let ledger = Ledger::open(&repo);
    let pages = Pages::new(ctx.lang, land::overrides(&repo).as_deref())?;
    let page = report::page(&input, args.title.as_deref(), &pages, || gather(&ledger, &entries))?;
    if on_stdout {
        write_line(&page)?;
        return Ok(Exit::Done);
    }
    write_file(&ctx.dir, &args.output, page.as_bytes())?;
    let (file, count, bytes) = (args.output.display().to_string(), entries.len(), page.len());
    ctx.say(phrase!(
        "wrote {file}: {n} experiment{s}",
        file = ctx.file(&args.output, &clean(&file)),
        n = count,
        s = plural(count)
    ))?;
    ctx.emit("report", json!({"file": file, "experiments": count, "bytes": bytes}))?;
    Ok(Exit::Done)
}

/// What is known of the newest experiments, and the names of those that others stand on and that are not listed.
fn gather(ledger: &Ledger<'_>, entries: &[Entry]) -> Result<Details, Failure> {
    let listed: HashSet<Ulid> = entries.iter().filter_map(|entry| entry.experiment).collect();
    let stood_on = entries.iter().filter_map(|entry| entry.opened.as_ref()?.1.stands_on);
    let mut nameless: HashSet<Ulid> = stood_on.filter(|id| !listed.contains(id)).collect();
    let mut unmeasured: HashSet<Ulid> = HashSet::new();
    let mut details = Details::default();
    for entry in entries.iter().take(report::WHOLE) {
        let Some(experiment) = entry.experiment else { continue };
        let decided = match ledger.find(entry.record)? {
            Some(Event { fact: Fact::Decided(decided), .. }) => Some(*decided),
            _ => entry.decided.clone(),
        };
        match decided.as_ref().and_then(|decided| decided.measured) {
            Some(record) => take(ledger, experiment, record, &mut details.measured)?,
            None => {
                unmeasured.insert(experiment);
            }
        }
        details.decided.extend(decided.map(|decided| (entry.record, decided)));
    }
    // From the newest record back, until nothing is missing.
    let mut latest = Vec::new();
    if !nameless.is_empty() || !unmeasured.is_empty() {
        ledger.each_row(&mut |row| {
            if row.kind == "measured" && row.text.is_empty() && unmeasured.remove(&row.experiment) {
                latest.push((row.experiment, row.id));
            }
            if row.kind == "opened" {
                unmeasured.remove(&row.experiment);
            }
            if nameless.remove(&row.experiment) {
                details.names.insert(row.experiment, row.name);
            }
            let done = nameless.is_empty() && unmeasured.is_empty();
            if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
    }
    for (experiment, record) in latest {
        take(ledger, experiment, record, &mut details.measured)?;
    }
    Ok(details)
}

fn take(
    ledger: &Ledger<'_>,
    experiment: Ulid,
    record: Ulid,
    measured: &mut HashMap<Ulid, Measured>,
) -> Result<(), Failure> {
    if let Some(Event { fact: Fact::Measured(found), .. }) = ledger.find(record)? {
        measured.insert(experiment, *found);
    }
    Ok(())
}
