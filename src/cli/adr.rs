//! `git verdict adr`: decision files from records, their index, and whether they still agree.

use super::{Ctx, Done, land};
use crate::adr::convention::{self, Convention, Head, Tool, Why, Wish, number_of};
use crate::adr::diff::{self, Change};
use crate::adr::file::{DecisionFile, Drift, Stamp};
use crate::adr::link::{self, Relation};
use crate::adr::options::Options;
use crate::adr::render::{self, Shape, Source};
use crate::adr::{self, index};
use crate::config::AdrFormat;
use crate::error::{Exit, Failure};
use crate::experiment::{Book, Experiment};
use crate::git::{Oid, Repo};
use crate::ledger::Ledger;
use crate::phrase;
use crate::render::template::Renderer;
use crate::render::text::{clean, neutral};
use crate::render::{Lang, lang};
use clap::{Subcommand, ValueEnum};
use minijinja::context;
use serde_json::{Value, json};
use std::cell::OnceCell;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write the decision file of an experiment, or bring it up to date
    New(New),
    /// Bring the table of decision files in the folder's README.md up to date
    Index(Index),
    /// Compare decision files with their records, line by line
    Check(Check),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// MADR 4 with all its sections
    Madr,
    /// MADR 4 with the sections that it requires
    MadrMinimal,
    /// Nygard's sections, as adr-tools has them
    Nygard,
}

impl From<Format> for AdrFormat {
    fn from(format: Format) -> AdrFormat {
        match format {
            Format::Madr => AdrFormat::Madr,
            Format::MadrMinimal => AdrFormat::MadrMinimal,
            Format::Nygard => AdrFormat::Nygard,
        }
    }
}

#[derive(Debug, clap::Args)]
struct New {
    /// The experiment (default: the one whose branch is checked out)
    name: Option<String>,
    /// The form (default: [adr] format, what the repository uses, or madr)
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// The folder of decision files (default: [adr] dir, what the repository uses, or docs/adr)
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// A decision that this one takes the place of; may be given again
    #[arg(long, value_name = "N|FILE")]
    supersedes: Vec<String>,
    /// A decision that this one changes; may be given again
    #[arg(long, value_name = "N|FILE")]
    amends: Vec<String>,
    /// Write a file that is there already anew, with all that was written into it by hand lost
    #[arg(long)]
    force: bool,
    /// Commit the file
    #[arg(long)]
    commit: bool,
    /// Print the file instead of writing it
    #[arg(long, conflicts_with = "commit")]
    stdout: bool,
}

#[derive(Debug, clap::Args)]
struct Index {
    /// The folder of decision files (default: [adr] dir, what the repository uses, or docs/adr)
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Write nothing; exit status 1 when the table is not up to date
    #[arg(long)]
    check: bool,
}

#[derive(Debug, clap::Args)]
struct Check {
    /// Only these experiments
    names: Vec<String>,
    /// The folder of decision files (default: [adr] dir, what the repository uses, or docs/adr)
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    match args.what {
        What::New(args) => new(ctx, args),
        What::Index(args) => index(ctx, args),
        What::Check(args) => check(ctx, args),
    }
}

/// A decision file of ours that is in the folder.
struct Ours {
    path: PathBuf,
    file: DecisionFile,
    stamp: Stamp,
}

impl Ours {
    /// All of the folder, in the order of their names.
    fn all(root: &Path, convention: &Convention) -> Result<Vec<Ours>, Failure> {
        let mut all = Vec::new();
        for name in convention::names(root, &convention.folder)? {
            let path = convention.folder.join(name);
            let file = match link::open(root, &path) {
                Ok(file) => file,
                // What is no text was not written here.
                Err(adr::AdrError::Damaged { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            if let Some(stamp) = file.stamp().cloned() {
                all.push(Ours { path, file, stamp });
            }
        }
        Ok(all)
    }

    /// The form that it has, whatever the repository uses now.
    fn shape(&self, convention: &Convention) -> Shape {
        let number = self.path.file_name().and_then(|name| number_of(name.to_str()?));
        let head = match (self.stamp.format, self.file.head()) {
            (AdrFormat::Nygard, _) => Head::Section,
            (_, Some(head)) => head,
            (_, None) => convention.head,
        };
        let numbered = convention.tool == Tool::AdrTools && number.is_some();
        Shape { format: self.stamp.format, head, number, numbered }
    }
}

/// Renders the files of one repository.
struct Press<'a> {
    ctx: &'a Ctx,
    repo: &'a Repo,
    ledger: &'a Ledger<'a>,
    book: &'a Book,
    /// Made when the first file of its language is.
    renderers: [OnceCell<Renderer>; Lang::ALL.len()],
}

impl<'a> Press<'a> {
    fn new(ctx: &'a Ctx, repo: &'a Repo, ledger: &'a Ledger<'a>, book: &'a Book) -> Press<'a> {
        Press { ctx, repo, ledger, book, renderers: Default::default() }
    }

    fn renderer(&self, language: Lang) -> Result<&Renderer, Failure> {
        let cell = &self.renderers[Lang::ALL.iter().position(|one| *one == language).unwrap_or(0)];
        if let Some(renderer) = cell.get() {
            return Ok(renderer);
        }
        let renderer = land::renderer_in(self.repo, language)?;
        Ok(cell.get_or_init(|| renderer))
    }

    fn render(&self, experiment: &Experiment, shape: Shape, language: Lang) -> Result<DecisionFile, Failure> {
        let renderer = self.renderer(language)?;
        let options = Options::of(self.book, experiment);
        let parent = experiment.opened.stands_on.and_then(|id| self.book.by_id(id)).map(|e| e.name.as_str());
        let record = experiment.decided.as_ref().map(|(id, _, _)| *id);
        let event = record.map(|id| self.ledger.find(id)).transpose()?.flatten();
        let by = event.as_ref().map(|event| &event.by);
        let source = Source { experiment, stands_on: parent, by, options: &options };
        Ok(DecisionFile::parse(&renderer.decision_file(source, shape)?))
    }

    fn word(&self, key: &str, args: minijinja::Value) -> String {
        lang::text(self.ctx.lang, key, args)
    }
}

fn wish(ctx: &Ctx, repo: &Repo, folder: Option<PathBuf>, format: Option<Format>) -> Result<Wish, Failure> {
    let policy = land::policy(ctx, repo)?;
    Ok(Wish { folder, format: format.map(AdrFormat::from), ..Wish::of(&policy) })
}

fn shown(path: &Path) -> String {
    clean(&path.display().to_string()).into_owned()
}

fn new(ctx: &Ctx, args: New) -> Done {
    let repo = ctx.repo()?;
    let root = repo.workdir()?;
    let ledger = Ledger::open(&repo);
    // Whole, because a decision file names what else was considered.
    let book = ctx.book(&ledger)?;
    let experiment = ctx.experiment(&repo, &book, args.name.as_deref())?;
    let convention = Convention::find(root, &wish(ctx, &repo, args.folder.clone(), args.format)?)?;
    let press = Press::new(ctx, &repo, &ledger, &book);
    let existing = Ours::all(root, &convention)?.into_iter().find(|ours| ours.stamp.experiment == experiment.id);
    let language = ctx.asked_lang.or(existing.as_ref().map(|ours| ours.stamp.lang)).unwrap_or(ctx.lang);
    let (path, mut file, before) = match existing {
        Some(ours) if args.force => {
            let number = ours.path.file_name().and_then(|name| number_of(name.to_str()?));
            let file = press.render(experiment, Shape::of(&convention, number), language)?;
            (ours.path, file, Some(ours.file.text()))
        }
        Some(ours) => {
            let before = ours.file.text();
            let (path, file) = updated(&press, &args, &convention, ours, experiment, language)?;
            (path, file, Some(before))
        }
        None => {
            let date = experiment.decided.as_ref().map_or(experiment.opened_at, |(_, at, _)| *at).date_naive();
            let (path, number) = convention.name(root, &render::slug(&experiment.name), date, &[])?;
            (path, press.render(experiment, Shape::of(&convention, number), language)?, None)
        }
    };
    let linked = links(root, &convention, &args, &path, &mut file)?;
    let text = file.text();
    let same = before.as_deref() == Some(&text);
    if args.stdout {
        ctx.say(&text)?;
    } else {
        let key = match (&before, same) {
            (None, _) => "adr.wrote",
            (Some(_), true) => "adr.same",
            (Some(_), false) => "adr.updated",
        };
        if !same {
            adr::write(root, &path, &text)?;
        }
        ctx.say(press.word(key, context! { file => shown(&path) }))?;
        let own = |why: &Why| match why {
            Why::Default => true,
            Why::Files(file) => link::open(root, file).is_ok_and(|file| file.stamp().is_some()),
            _ => false,
        };
        if before.is_none() && !(own(&convention.folder_why) && own(&convention.format_why)) {
            ctx.say(press.word(
                "adr.habit",
                context! {
                    folder => shown(&convention.folder), folder_why => convention.folder_why.text(ctx.lang),
                    format => convention.format.as_str(), format_why => convention.format_why.text(ctx.lang),
                },
            ))?;
        }
        for (path, text, what) in &linked {
            adr::write(root, path, text)?;
            let what = lang::word(ctx.lang, what);
            ctx.say(press.word("adr.linked", context! { file => shown(path), what => what }))?;
        }
    }
    let paths: Vec<&Path> = std::iter::once(path.as_path()).chain(linked.iter().map(|l| l.0.as_path())).collect();
    let commit = if args.commit { commit(&press, &experiment.name, &paths)? } else { None };
    ctx.emit(
        "adr",
        json!({
            "experiment": experiment.name, "path": path, "commit": commit, "text": text,
            "format": file.stamp().map(|stamp| stamp.format), "tool": convention.tool.as_str(),
            "changed": !same, "linked": linked.iter().map(|(path, _, _)| path).collect::<Vec<_>>(),
        }),
    )?;
    Ok(Exit::Done)
}

/// The file that is there, with its generated parts as the record makes them now.
fn updated(
    press: &Press<'_>,
    args: &New,
    convention: &Convention,
    ours: Ours,
    experiment: &Experiment,
    language: Lang,
) -> Result<(PathBuf, DecisionFile), Failure> {
    let here = shown(&ours.path);
    let rewrite = phrase!("git verdict adr new {name} --force writes it anew", name = &experiment.name);
    if let Some(format) = args.format.map(AdrFormat::from).filter(|format| *format != ours.stamp.format) {
        let is = ours.stamp.format.as_str();
        return Err(Failure::state(phrase!(
            "{here} is there already, in the form {is} and not {wanted}",
            here = &here,
            is,
            wanted = format.as_str()
        ))
        .try_next(rewrite));
    }
    let record = press.render(experiment, ours.shape(convention), language)?;
    let drift = ours.file.drift(&record);
    if ours.file.edited() && !drift.is_empty() {
        let lines: Vec<String> = drift.iter().map(|one| one_line(one).join("\n")).collect();
        return Err(Failure::state(phrase!("generated parts of {here} were changed by hand", here = &here))
            .because(phrase!("an update would undo this:\n{lines}", lines = lines.join("\n")))
            .try_next(phrase!("put your words outside of the markers <!-- verdict: … -->, or {rewrite}", rewrite)));
    }
    let mut file = ours.file;
    if !drift.is_empty() || file.stamp() != record.stamp() {
        file.update(&record);
    }
    Ok((ours.path, file))
}

/// The older files with their links to this one, and this one with its links to them.
fn links(
    root: &Path,
    convention: &Convention,
    args: &New,
    path: &Path,
    file: &mut DecisionFile,
) -> Result<Vec<(PathBuf, String, &'static str)>, Failure> {
    let wanted = args.supersedes.iter().map(|w| (Relation::Supersedes, w, "adr.superseded"));
    let wanted = wanted.chain(args.amends.iter().map(|w| (Relation::Amends, w, "adr.amended")));
    let mut linked: Vec<(PathBuf, String, &'static str)> = Vec::new();
    for (relation, wanted, what) in wanted {
        let target = link::find(root, &convention.folder, wanted)?;
        let mut old = match linked.iter().find(|(path, _, _)| *path == target) {
            Some((_, text, _)) => DecisionFile::parse(text),
            None => link::open(root, &target)?,
        };
        let before = old.text();
        link::connect(convention, relation, (path, file), (&target, &mut old))?;
        if old.text() != before {
            linked.retain(|(path, _, _)| *path != target);
            linked.push((target, old.text(), what));
        }
    }
    Ok(linked)
}

/// Commits these files alone; nothing when git has them as they are.
fn commit(press: &Press<'_>, name: &str, paths: &[&Path]) -> Result<Option<Oid>, Failure> {
    let repo = press.repo;
    let root = repo.workdir()?;
    let paths = paths.iter().map(|path| root.join(path));
    let paths: Vec<PathBuf> = paths.collect();
    repo.run_git().args(["add", "--"]).args(&paths).run()?;
    let changed = repo.run_git().args(["status", "--porcelain", "--"]).args(&paths).run()?;
    if changed.trim().is_empty() {
        return Ok(None);
    }
    let message = format!("docs: record the decision on {name}\n");
    let only = ["commit", "--quiet", "--only", "-F", "-", "--"];
    repo.run_git().args(only).args(&paths).stdin(message).run()?;
    let id = repo.resolve("HEAD")?;
    press.ctx.say(press.word("adr.committed", context! { id => id.short() }))?;
    Ok(Some(id))
}

fn index(ctx: &Ctx, args: Index) -> Done {
    let repo = ctx.repo()?;
    let root = repo.workdir()?;
    let convention = Convention::find(root, &wish(ctx, &repo, args.folder, None)?)?;
    let rows = index::rows(root, &convention)?;
    let path = index::path(&convention);
    let current = index::current(root, &convention)?;
    let language = ctx.asked_lang.or(current.as_deref().and_then(index::language)).unwrap_or(ctx.lang);
    let text = index::updated(current.as_deref(), &rows, language);
    let same = current.as_deref() == Some(&text);
    let file = shown(&path);
    let key = match (&current, same) {
        (_, true) => "adr.same",
        (None, _) => "adr.wrote",
        (Some(_), _) => "adr.updated",
    };
    if args.check && !same {
        ctx.say(lang::text(ctx.lang, "decisions.stale", context! { file => file }))?;
        difference(ctx, current.as_deref().unwrap_or_default(), &text)?;
    } else {
        if !same {
            adr::write(root, &path, &text)?;
        }
        ctx.say(lang::text(ctx.lang, key, context! { file => file }))?;
    }
    ctx.emit("adr-index", json!({"path": path, "up_to_date": same, "written": !same && !args.check, "rows": rows}))?;
    Ok(if args.check && !same { Exit::No } else { Exit::Done })
}

/// Prints the lines that differ: `-` what the file says, `+` what it should say.
pub fn difference(ctx: &Ctx, file: &str, wanted: &str) -> Result<(), Failure> {
    let (old, new): (Vec<&str>, Vec<&str>) = (file.lines().collect(), wanted.lines().collect());
    for change in diff::lines(&old, &new) {
        let (sign, at, line) = match change {
            Change::Gone(at, line) => ('-', at, line),
            Change::New(at, line) => ('+', at, line),
        };
        ctx.say(format!("{:>6} {sign} {}", at + 1, neutral(line)))?;
    }
    Ok(())
}

/// One place as lines to print, numbered as in the file: `-` what the file says, `+` what the record says.
fn one_line(drift: &Drift) -> Vec<String> {
    let named = |text: &String| match drift.part.as_str() {
        "status" | "date" => format!("{}: {}", drift.part, neutral(text)),
        _ => neutral(text).into_owned(),
    };
    let line = |sign: char, text: &String| format!("{:>6} {sign} {}", drift.line, named(text)).trim_end().to_string();
    drift.file.iter().map(|text| line('-', text)).chain(drift.record.iter().map(|text| line('+', text))).collect()
}

fn check(ctx: &Ctx, args: Check) -> Done {
    let repo = ctx.repo()?;
    let root = repo.workdir()?;
    let ledger = Ledger::open(&repo);
    let book = ctx.book(&ledger)?;
    let convention = Convention::find(root, &wish(ctx, &repo, args.folder, None)?)?;
    let only = args.names.iter().map(|name| book.find(name).map(|e| e.id)).collect::<Result<Vec<_>, _>>()?;
    let all = Ours::all(root, &convention)?;
    let wanted: Vec<&Ours> =
        all.iter().filter(|ours| only.is_empty() || only.contains(&ours.stamp.experiment)).collect();
    if !wanted.is_empty() && ledger.tip()?.is_none() {
        return Err(Failure::state("decision files cannot be compared with their records")
            .because("the ledger is not in this clone")
            .try_next("git verdict sync"));
    }
    let press = Press::new(ctx, &repo, &ledger, &book);
    let mut told: Vec<Value> = Vec::new();
    let mut agree = true;
    for ours in &wanted {
        let Some(experiment) = book.by_id(ours.stamp.experiment) else {
            agree = false;
            let id = ours.stamp.experiment.to_string();
            ctx.say(press.word("adr.unknown", context! { file => shown(&ours.path), id => &id }))?;
            told.push(json!({"path": ours.path, "experiment": null, "id": id, "state": "unknown", "drift": []}));
            continue;
        };
        let record = press.render(experiment, ours.shape(&convention), ours.stamp.lang)?;
        let drift = ours.file.drift(&record);
        if !drift.is_empty() {
            agree = false;
            ctx.say(press.word("adr.drifted", context! { file => shown(&ours.path) }))?;
            for line in drift.iter().flat_map(one_line) {
                ctx.say(line)?;
            }
            ctx.say(press.word("adr.refresh", context! { name => clean(&experiment.name) }))?;
        }
        told.push(json!({
            "path": ours.path, "experiment": experiment.name, "id": experiment.id,
            "state": if drift.is_empty() { "agrees" } else { "drifted" }, "drift": drift,
        }));
    }
    let twice = twice(root, &convention, &all)?;
    for (key, first, second) in &twice {
        agree = false;
        ctx.say(press.word(key, context! { first => shown(first), second => shown(second) }))?;
    }
    if wanted.is_empty() {
        ctx.say(press.word("adr.no_files", context! { folder => shown(&convention.folder) }))?;
    } else if agree {
        ctx.say(press.word("adr.agrees", context! { n => wanted.len() }))?;
    }
    ctx.emit(
        "adr-check",
        json!({
            "folder": convention.folder, "agree": agree, "files": told,
            "twice": twice.iter().map(|(_, first, second)| [first, second]).collect::<Vec<_>>(),
        }),
    )?;
    Ok(if agree { Exit::Done } else { Exit::No })
}

/// Pairs of files that two branches have made: with one number, of which at least one is ours, or of one experiment.
fn twice(root: &Path, convention: &Convention, all: &[Ours]) -> Result<Vec<(&'static str, PathBuf, PathBuf)>, Failure> {
    let mut found = Vec::new();
    let names = convention::names(root, &convention.folder)?;
    let ours = |name: &str| all.iter().any(|ours| ours.path.file_name().is_some_and(|own| own == name));
    for (at, first) in names.iter().enumerate() {
        let same = |second: &&String| number_of(first).is_some() && number_of(first) == number_of(second);
        let seconds = names[at + 1..].iter().filter(same).filter(|second| ours(first) || ours(second));
        let path = |name: &String| convention.folder.join(name);
        found.extend(seconds.map(|second| ("adr.same_number", path(first), path(second))));
    }
    for (at, first) in all.iter().enumerate() {
        let same = all[at + 1..].iter().filter(|second| second.stamp.experiment == first.stamp.experiment);
        found.extend(same.map(|second| ("adr.same_experiment", first.path.clone(), second.path.clone())));
    }
    Ok(found)
}
