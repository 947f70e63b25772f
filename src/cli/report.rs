//! `git verdict report`: one HTML page of the decisions.

use super::context::{write_file, write_line};
use super::log::{self, DATES, Filters};
use super::{Ctx, Done};
use crate::error::{Exit, Failure};
use crate::git::Repo;
use crate::ledger::event::Measured;
use crate::ledger::query::Entry;
use crate::ledger::{Event, Fact, Ledger};
use crate::phrase;
use crate::phrase::plural;
use crate::render::report::{self, Input, Place, forge::Forge};
use crate::render::text::clean;
use serde_json::json;
use std::collections::{HashMap, HashSet};
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
    let entries = log::answer(ctx, &repo, &args.filters.query(true, true))?.entries;
    let (measured, names) = gather(&Ledger::open(&repo), &entries)?;
    let forge = forge(&repo)?;
    let places = Place::all(&entries);
    let input = Input::new(&entries, &places, &measured, &names, forge.as_ref());
    let page = report::page(&input, args.title.as_deref(), ctx.lang)?;
    if on_stdout {
        write_line(&page)?;
        return Ok(Exit::Done);
    }
    write_file(&ctx.dir, &args.output, page.as_bytes())?;
    let (file, count, bytes) = (args.output.display().to_string(), entries.len(), page.len());
    ctx.say(phrase!("wrote {file}: {n} experiment{s}", file = clean(&file), n = count, s = plural(count)))?;
    ctx.emit("report", json!({"file": file, "experiments": count, "bytes": bytes}))?;
    Ok(Exit::Done)
}

/// The measurements, with their samples, of the newest experiments, and the names of all that others stand on.
fn gather(ledger: &Ledger<'_>, entries: &[Entry]) -> Result<(HashMap<Ulid, Measured>, HashMap<Ulid, String>), Failure> {
    let mut measured = HashMap::new();
    let mut wanted: HashSet<Ulid> = HashSet::new();
    for entry in entries.iter().take(report::WHOLE) {
        let Some(experiment) = entry.experiment else { continue };
        match entry.decided.as_ref().and_then(|decided| decided.measured) {
            Some(record) => take(ledger, experiment, record, &mut measured)?,
            None => {
                wanted.insert(experiment);
            }
        }
    }
    let below: HashSet<Ulid> =
        entries.iter().filter_map(|entry| entry.opened.as_ref().and_then(|(_, opened)| opened.stands_on)).collect();
    let mut names = HashMap::new();
    if wanted.is_empty() && below.is_empty() {
        return Ok((measured, names));
    }
    let rows = ledger.recent(usize::MAX, &|row| {
        (row.kind == "measured" && wanted.contains(&row.experiment)) || below.contains(&row.experiment)
    })?;
    for row in rows {
        if row.kind == "measured" && wanted.remove(&row.experiment) {
            take(ledger, row.experiment, row.id, &mut measured)?;
        }
        names.entry(row.experiment).or_insert(row.name);
    }
    Ok((measured, names))
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

/// The forge of `origin`, or of the only remote.
fn forge(repo: &Repo) -> Result<Option<Forge>, Failure> {
    let remotes = repo.remotes()?;
    let origin = remotes.iter().find(|(name, _)| name == "origin");
    let only = remotes.first().filter(|_| remotes.len() == 1);
    Ok(origin.or(only).and_then(|(_, url)| Forge::of(url)))
}
