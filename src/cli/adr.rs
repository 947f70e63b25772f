//! `git verdict adr`: decision files from records.

use super::{Ctx, Done, land};
use crate::error::{Exit, Failure};
use crate::ledger::Ledger;
use crate::render::adr::Source;
use crate::render::text::clean;
use clap::Subcommand;
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write the decision file of an experiment
    New(New),
}

#[derive(Debug, clap::Args)]
struct New {
    /// The experiment (default: the one whose branch is checked out)
    name: Option<String>,
    /// The folder of decision files (default: [policy] adr, or docs/adr)
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Commit the file
    #[arg(long)]
    commit: bool,
    /// Print the file instead of writing it
    #[arg(long, conflicts_with = "commit")]
    stdout: bool,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    match args.what {
        What::New(new) => write(ctx, new),
    }
}

fn write(ctx: &Ctx, args: New) -> Done {
    let repo = ctx.repo()?;
    let root = repo.workdir()?;
    let ledger = Ledger::open(&repo);
    let book = ledger.book_of(&ctx.wanted(&repo, args.name.as_deref())?)?;
    let experiment = ctx.experiment(&repo, &book, args.name.as_deref())?;
    let policy = land::policy(ctx, &repo)?;
    let folder = args.folder.unwrap_or_else(|| policy.adr.as_deref().unwrap_or(land::ADR_FOLDER).into());
    if let Some(why) = crate::git::places::outside(root, &folder) {
        let shown = folder.display().to_string();
        return Err(Failure::usage(format!("'{}' is no place for decision files", clean(&shown)))
            .because(clean(&why))
            .try_next("--folder docs/adr"));
    }
    let parent = experiment.opened.stands_on.and_then(|id| book.by_id(id)).map(|e| e.name.as_str());
    let source = Source { experiment, stands_on: parent, by: None };
    let (path, text) = land::renderer(ctx, &repo)?.adr(root, &folder, source)?;
    if args.stdout {
        ctx.say(&text)?;
    } else {
        save(&root.join(&path), &text)?;
        ctx.say(format!("wrote {}", clean(&path.display().to_string())))?;
    }
    let mut commit = None;
    if args.commit {
        repo.run_git().args(["add", "--"]).arg(&path).run()?;
        let message = format!("docs: record the decision on {}\n", experiment.name);
        let only = ["commit", "--quiet", "--only", "-F", "-", "--"];
        repo.run_git().args(only).arg(&path).stdin(message).run()?;
        let id = repo.resolve("HEAD")?;
        ctx.say(format!("committed as {}", id.short()))?;
        commit = Some(id);
    }
    ctx.emit("adr", json!({"experiment": experiment.name, "path": path, "commit": commit, "text": text}))?;
    Ok(Exit::Done)
}

/// Writes a new file; one that is there already is never overwritten.
fn save(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::state(format!("{} could not be written", clean(&path.display().to_string())))
            .because(error.to_string())
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)
}
