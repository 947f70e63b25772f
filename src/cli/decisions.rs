//! `git verdict decisions`: all decisions in one file.

use super::{Ctx, Done, adr, land};
use crate::adr::log::{self, Blocks, FILE_NAME, Source};
use crate::error::{Exit, Failure};
use crate::git::Repo;
use crate::ledger::query::Entry;
use crate::ledger::{Ledger, trailers};
use crate::phrase;
use crate::phrase::plural;
use crate::render::text::clean;
use crate::render::{Lang, lang};
use minijinja::context;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use ulid::Ulid;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file (default: DECISIONS.md at the root of the work tree)
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write nothing; exit status 1 when the file is not up to date
    #[arg(long, conflicts_with_all = ["stdout", "merge"])]
    check: bool,
    /// Print the file instead of writing it
    #[arg(long, conflicts_with_all = ["output", "merge"])]
    stdout: bool,
    /// As a merge driver of git: bring the decisions of both files into the first (%A %B)
    #[arg(long, num_args = 2, value_names = ["OURS", "THEIRS"], conflicts_with = "output")]
    merge: Option<Vec<PathBuf>>,
}

/// What this clone knows.
struct Known {
    /// Those in force.
    blocks: Blocks,
    /// The records of all decisions in the ledger, undone ones too.
    records: HashSet<Ulid>,
    /// Whether it comes from the messages of commits, because the ledger is not here.
    told: bool,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let repo = ctx.repo()?;
    let path = match (&args.output, &args.merge) {
        (Some(path), _) => ctx.dir.join(path),
        (None, Some(paths)) => ctx.dir.join(&paths[0]),
        (None, None) => repo.workdir()?.join(FILE_NAME),
    };
    let current = read(&path)?;
    let (written_in, mut here) = log::parse(current.as_deref().unwrap_or_default());
    if let Some(theirs) = args.merge.as_ref().and_then(|paths| paths.get(1)) {
        for (record, block) in log::parse(&read(&ctx.dir.join(theirs))?.unwrap_or_default()).1 {
            here.entry(record).or_insert(block);
        }
    }
    let language = ctx.asked_lang.or(written_in).unwrap_or(ctx.lang);
    let Known { mut blocks, records, told } = known(ctx, &repo, language)?;
    let mut kept = 0;
    for (record, block) in here {
        // Without a ledger, what the file says already says more than a commit message does. A decision that the ledger knows
        // and that is not in force has been undone.
        if told {
            blocks.insert(record, block);
        } else if !records.contains(&record) {
            kept += 1;
            blocks.insert(record, block);
        }
    }
    if kept > 0 {
        ctx.note(phrase!(
            "{n} decision{s} in the file that this ledger does not know stay as they are: git verdict sync",
            n = kept,
            s = plural(kept)
        ));
    }
    let text = log::text(&blocks, language);
    let same = current.as_deref() == Some(&text);
    let shown = clean(&path.strip_prefix(repo.workdir()?).unwrap_or(&path).display().to_string()).into_owned();
    let word = |key: &str| lang::text(ctx.lang, key, context! { file => shown, n => blocks.len() });
    if args.stdout {
        ctx.say(&text)?;
    } else if args.check && !same {
        ctx.say(word("decisions.stale"))?;
        adr::difference(ctx, current.as_deref().unwrap_or_default(), &text)?;
    } else if same {
        ctx.say(word("decisions.same"))?;
    } else {
        write(&path, &text)?;
        if args.merge.is_none() {
            ctx.say(word("decisions.wrote"))?;
        }
    }
    ctx.emit(
        "decisions",
        json!({
            "path": path, "up_to_date": same, "decisions": blocks.len(), "from_messages": told,
            "text": args.stdout.then_some(&text),
        }),
    )?;
    Ok(if args.check && !same { Exit::No } else { Exit::Done })
}

/// The block of every decision in force, from the ledger, or from commit messages where there is none.
fn known(ctx: &Ctx, repo: &Repo, language: Lang) -> Result<Known, Failure> {
    let renderer = land::renderer_in(repo, language)?;
    let ledger = Ledger::open(repo);
    let mut blocks = Blocks::new();
    if ledger.tip()?.is_none() {
        let entries: Vec<Entry> = trailers::told(repo)?.into_iter().map(|(entry, _)| entry).collect();
        if !entries.is_empty() {
            let count = entries.len();
            ctx.note(phrase!(
                "told by {n} commit message{s}; the ledger is not here: git verdict sync",
                n = count,
                s = plural(count)
            ));
        }
        for entry in &entries {
            blocks.insert(entry.record, renderer.decision(Source::Message(entry))?);
        }
        return Ok(Known { blocks, records: HashSet::new(), told: true });
    }
    let book = ctx.book(&ledger)?;
    for problem in &book.problems {
        ctx.note(phrase!("{problem}; git verdict doctor --ledger", problem = clean(&ctx.tell(problem))));
    }
    let rows = ledger.recent(usize::MAX, &|row| row.kind == "decided")?;
    let people: HashMap<_, _> = rows.into_iter().map(|row| (row.id, row.by)).collect();
    for experiment in &book.experiments {
        let Some(decided) = &experiment.decided else { continue };
        let stands_on = experiment.opened.stands_on.and_then(|id| book.by_id(id)).map(|e| e.name.as_str());
        let source = Source::Ledger { experiment, decided, stands_on, by: people.get(&decided.0) };
        blocks.insert(source.record(), renderer.decision(source)?);
    }
    Ok(Known { blocks, records: people.into_keys().collect(), told: false })
}

fn read(path: &Path) -> Result<Option<String>, Failure> {
    match std::fs::read(path) {
        Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| {
            Failure::usage(phrase!("{path} is not UTF-8", path = clean(&path.display().to_string())))
                .try_next("-o with another file")
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(path, error)),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or_else(|| Failure::usage("-o names no file"))?;
    Ok(crate::adr::write(folder, Path::new(name), text)?)
}

fn unusable(path: &Path, error: std::io::Error) -> Failure {
    Failure::state(phrase!("{path} cannot be read", path = clean(&path.display().to_string())))
        .because(error.to_string())
}
