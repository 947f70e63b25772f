//! `git verdict export`: records for other programs.

use super::context::{permissions, write_line};
use super::{Ctx, Done};
use crate::error::{Exit, Failure};
use crate::exchange;
use crate::ledger::query::Query;
use crate::ledger::{Ledger, Wanted};
use crate::phrase;
use crate::phrase::{Phrase, plural};
use crate::render::text::clean;
use clap::ValueEnum;
use serde_json::json;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use ulid::Ulid;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The format
    format: Format,
    /// Only this experiment
    #[arg(long, value_name = "NAME")]
    experiment: Option<String>,
    /// Open and abandoned experiments too (json and jsonl always have all records)
    #[arg(long)]
    all: bool,
    /// Write to this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// All records in one object
    Json,
    /// One record a line, as it is stored
    Jsonl,
    /// One metric of an experiment a line
    Csv,
    /// A table to paste
    Markdown,
    /// OpenMetrics 1.0 text
    Openmetrics,
    /// Bencher Metric Format
    Bencher,
}

impl Format {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_string()).unwrap_or_default()
    }
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let repo = ctx.repo()?;
    let ledger = Ledger::open(&repo);
    if ctx.json && args.output.is_none() {
        return Err(Failure::usage("--json and an exported text cannot share standard output")
            .try_next("git verdict export FORMAT -o FILE --json, or without --json"));
    }
    let only = match &args.experiment {
        Some(name) => Some(ledger.book_of(&Wanted::named(name))?.find(name)?.id),
        None => None,
    };
    let written = |error: std::io::Error| {
        let place = args.output.as_ref().map_or("standard output".into(), |path| path.display().to_string());
        Failure::state(phrase!("{place} cannot be written", place = clean(&place))).because(error.to_string())
    };
    let count = match &args.output {
        None => {
            let mut text = Vec::new();
            // Lists are small; records go out one by one.
            match args.format {
                Format::Jsonl => {
                    records(ctx, &ledger, only, &mut |line| write_line(line))?;
                    return Ok(Exit::Done);
                }
                _ => whole(ctx, &ledger, &args, only, &mut text)?,
            };
            write_line(&String::from_utf8_lossy(&text))?;
            return Ok(Exit::Done);
        }
        Some(path) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = ctx.dir.join(folder.unwrap_or(std::path::Path::new(".")));
            let mut file = tempfile::Builder::new().permissions(permissions()).tempfile_in(&folder).map_err(written)?;
            let count = {
                let mut out = BufWriter::new(&mut file);
                let count = match args.format {
                    Format::Jsonl => records(ctx, &ledger, only, &mut |line| writeln!(out, "{line}").map_err(written))?,
                    _ => whole(ctx, &ledger, &args, only, &mut out)?,
                };
                out.flush().map_err(written)?;
                count
            };
            file.persist(ctx.dir.join(path)).map_err(|error| written(error.error))?;
            count
        }
    };
    let path = args.output.map(|path| path.display().to_string()).unwrap_or_default();
    ctx.say(phrase!("wrote {path}: {what}", path = clean(&path), what = what(args.format, count)))?;
    ctx.emit("export", json!({"format": args.format.name(), "file": path, "count": count}))?;
    Ok(Exit::Done)
}

fn what(format: Format, count: usize) -> Phrase {
    let s = plural(count);
    match format {
        Format::Json | Format::Jsonl => phrase!("{n} record{s}", n = count, s),
        _ => phrase!("{n} experiment{s}", n = count, s),
    }
}

/// Gives every record as one line of JSON, oldest first; the number of them.
fn records(
    ctx: &Ctx,
    ledger: &Ledger<'_>,
    only: Option<Ulid>,
    each: &mut dyn FnMut(&str) -> Result<(), Failure>,
) -> Result<usize, Failure> {
    let mut ids = Vec::new();
    let problems = ledger.each_record(&mut |record| {
        if only.is_none_or(|id| record.row.experiment == id) {
            ids.push(record.row.id);
        }
        ControlFlow::Continue(())
    })?;
    for problem in problems {
        ctx.note(phrase!("left out: {problem}", problem = clean(&problem.to_string())));
    }
    let mut count = 0;
    for id in ids.into_iter().rev() {
        if let Some(record) = ledger.raw(id)? {
            each(&record.to_string())?;
            count += 1;
        }
    }
    Ok(count)
}

fn whole(
    ctx: &Ctx,
    ledger: &Ledger<'_>,
    args: &Args,
    only: Option<Ulid>,
    out: &mut dyn Write,
) -> Result<usize, Failure> {
    let failed = |error: std::io::Error| Failure::state("the text cannot be written").because(error.to_string());
    if args.format == Format::Json {
        write!(out, "{{\"schema\":\"git-verdict/records\",\"version\":1,\"records\":[").map_err(failed)?;
        let mut gap = "\n";
        let count = records(ctx, ledger, only, &mut |line| {
            write!(out, "{}{line}", std::mem::replace(&mut gap, ",\n")).map_err(failed)
        })?;
        writeln!(out, "\n]}}").map_err(failed)?;
        return Ok(count);
    }
    let query = Query { all: args.all || only.is_some(), ..Query::default() };
    let mut entries = ledger.query(&query)?.entries;
    entries.retain(|entry| only.is_none_or(|id| entry.experiment == Some(id)));
    let name = args.format.name();
    let sheets = exchange::sheets();
    let sheet = sheets.iter().find(|sheet| sheet.name() == name);
    let sheet = sheet.ok_or_else(|| Failure::usage(phrase!("'{name}' is not written", name)))?;
    out.write_all(sheet.text(&entries, ctx.lang).as_bytes()).map_err(failed)?;
    Ok(entries.len())
}
