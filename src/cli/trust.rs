//! `git verdict trust`: lets the commands of this repository's `verdict.toml` be run.

use super::{Ctx, Done, land};
use crate::config::{Config, FILE_NAME};
use crate::error::{Exit, Failure};
use crate::git::{Oid, Repo};
use crate::grounds;
use crate::hidden;
use crate::ledger::{Ledger, Wanted};
use crate::phrase;
use crate::render::text::{Align, clean, pad, width};
use crate::trust::{self, Needs, Standing, Store, Surroundings};
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also trust the scripts of these commits (default: those of HEAD, and of the base of the experiment that is here)
    commits: Vec<String>,
    /// Show what would be run and whether it may, and change nothing
    #[arg(long, conflicts_with = "revoke")]
    show: bool,
    /// Show the hidden checks that count here, and where what they print is kept
    #[arg(long, conflicts_with_all = ["commits", "show", "revoke"])]
    hidden: bool,
    /// Trust nothing in this repository any more
    #[arg(long, conflicts_with = "commits")]
    revoke: bool,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let repo = ctx.repo()?;
    if args.hidden {
        return hidden(ctx, &repo);
    }
    let mut store = Store::load()?;
    if args.revoke {
        let gone = store.revoke(&repo)?;
        ctx.say(if gone { "nothing in this repository is trusted any more" } else { "nothing was trusted here" })?;
        ctx.emit("trust", json!({"revoked": gone}))?;
        return Ok(Exit::Done);
    }
    let commits = commits(&repo, &args.commits)?;
    let config = ctx.config(&repo, commits.first())?;
    let mut needs = needs(&repo, &config, commits.first(), &commits)?;
    // A candidate that changed the configuration is measured by its base's, too.
    for commit in &commits {
        if let Some(other) = grounds::config_of(&repo, commit)?.filter(|other| other.hash != config.hash) {
            needs.join(trust::needs(&repo, &other, Some(commit), &commits.iter().collect::<Vec<_>>())?);
        }
    }
    let standing = trust::standing(&repo, &needs, &store, Surroundings::here())?;
    show(ctx, &needs, &standing)?;
    let value = |standing: &Standing| {
        let unknown = if let Standing::Unknown(items) = standing { items.clone() } else { Vec::new() };
        json!({
            "standing": standing.as_str(), "unknown": unknown, "files": needs.items,
            "commands": needs.commands.iter().map(|(what, run)| json!({"what": what, "run": run})).collect::<Vec<_>>(),
        })
    };
    if args.show {
        ctx.emit("trust", value(&standing))?;
        return Ok(if standing.may_run() { Exit::Done } else { Exit::No });
    }
    if needs.commands.is_empty() {
        ctx.emit("trust", value(&standing))?;
        return Ok(Exit::Done);
    }
    if standing.may_run() && !ctx.yes {
        ctx.say("nothing to confirm")?;
        ctx.emit("trust", value(&standing))?;
        return Ok(Exit::Done);
    }
    if !ctx.yes && !land::confirm_or_no(ctx, "May these commands be run?")? {
        return Ok(Exit::No);
    }
    store.trust(&repo, &needs.items)?;
    ctx.say("trusted, until one of these files changes")?;
    ctx.emit("trust", value(&Standing::Trusted))?;
    Ok(Exit::Done)
}

/// The hidden checks, for the person who named them.
fn hidden(ctx: &Ctx, repo: &Repo) -> Done {
    let Some(found) = hidden::load(repo)? else {
        ctx.say("nobody has named hidden checks for this repository")?;
        ctx.emit("hidden-checks", json!({"checks": []}))?;
        return Ok(Exit::Done);
    };
    for file in &found.files {
        ctx.field("file", clean(&file.display().to_string()))?;
    }
    for check in &found.checks {
        ctx.field("check", clean(&format!("{} {}", check.name, check.run)))?;
    }
    ctx.field("digest", &found.digest)?;
    ctx.field("logs", clean(&found.logs.display().to_string()))?;
    let checks: Vec<_> = found.checks.iter().map(|c| json!({"name": c.name, "run": c.run.to_string()})).collect();
    ctx.emit(
        "hidden-checks",
        json!({"checks": checks, "files": found.files, "digest": found.digest, "logs": found.logs}),
    )?;
    Ok(Exit::Done)
}

/// HEAD and the base of the experiment that is here; those named on the command line instead.
fn commits(repo: &Repo, named: &[String]) -> Result<Vec<Oid>, Failure> {
    if !named.is_empty() {
        return Ok(named.iter().map(|name| repo.resolve(name)).collect::<Result<_, _>>()?);
    }
    let head = repo.resolve("HEAD")?;
    let branch = repo.current_branch().ok().map(|(name, _)| name);
    let wanted = Wanted { branches: branch.iter().cloned().collect(), ..Wanted::default() };
    let book = Ledger::open(repo).book_of(&wanted)?;
    let here = branch.and_then(|name| book.on_branch(&name));
    let base = here.map(|experiment| super::measure::base_of(repo, &book, experiment, &head)).transpose()?;
    Ok([Some(head), base].into_iter().flatten().collect())
}

fn needs(repo: &Repo, config: &Config, candidate: Option<&Oid>, commits: &[Oid]) -> Result<Needs, Failure> {
    let in_work_tree = repo.workdir().is_ok_and(|root| root.join(FILE_NAME).exists());
    let commits: Vec<&Oid> = commits.iter().collect();
    Ok(trust::needs(repo, config, candidate.filter(|_| !in_work_tree), &commits)?)
}

fn show(ctx: &Ctx, needs: &Needs, standing: &Standing) -> Result<(), Failure> {
    if needs.commands.is_empty() {
        return ctx.say(phrase!("{file} has no commands", file = FILE_NAME));
    }
    ctx.say(phrase!("commands of {file}:", file = FILE_NAME))?;
    for line in lines(ctx, needs) {
        ctx.say(format!("  {line}"))?;
    }
    let unknown = if let Standing::Unknown(items) = standing { items.as_slice() } else { &[] };
    ctx.say("files:")?;
    for item in &needs.items {
        let mark = pad(&ctx.tell(if unknown.contains(item) { "new" } else { "trusted" }), 7, Align::Left);
        ctx.say(format!("  {mark} {}  {}", &item.sha256[..12.min(item.sha256.len())], clean(&item.path)))?;
    }
    match standing {
        Standing::Vouched => ctx.say(phrase!("{name}=1 vouches for them", name = trust::VARIABLE)),
        Standing::Own => ctx.say("they were committed in this clone, or stood beside it: they run without asking"),
        _ => Ok(()),
    }
}

/// `step build: ./build.sh`, one line each, with nothing in it that a terminal would act on.
fn lines(ctx: &Ctx, needs: &Needs) -> Vec<String> {
    let named = |what: &str| match what.split_once(' ') {
        Some(("prepare", name)) => ctx.tell(phrase!("prepare {name}", name = clean(name))),
        Some(("step", name)) => ctx.tell(phrase!("step {name}", name = clean(name))),
        Some(("metric", name)) => ctx.tell(phrase!("metric {name}", name = clean(name))),
        Some(("check", name)) => ctx.tell(phrase!("check {name}", name = clean(name))),
        _ => clean(what).into_owned(),
    };
    let lines: Vec<_> = needs.commands.iter().map(|(what, run)| (named(what), run)).collect();
    let most = lines.iter().map(|(what, _)| width(what)).max().unwrap_or(0);
    lines.into_iter().map(|(what, run)| format!("{}  {}", pad(&what, most, Align::Left), clean(run))).collect()
}

/// Refuses to run the commands of a configuration that nobody has trusted; asks on a terminal. The first commit is the
/// candidate.
pub fn gate(ctx: &Ctx, repo: &Repo, config: &Config, commits: &[Oid]) -> Result<(), Failure> {
    gate_made(ctx, repo, config, commits, &[])
}

/// The same where some of the commits were made by merging `sources`.
pub fn gate_made(ctx: &Ctx, repo: &Repo, config: &Config, commits: &[Oid], sources: &[Oid]) -> Result<(), Failure> {
    let mut needs = needs(repo, config, commits.first(), commits)?;
    needs.made_of(repo, sources)?;
    pass(ctx, repo, needs, if sources.is_empty() { commits } else { sources })
}

/// The same where other configurations, each of the commit beside it, are run too.
pub fn gate_with(
    ctx: &Ctx,
    repo: &Repo,
    config: &Config,
    commits: &[Oid],
    others: &[(Config, Oid)],
) -> Result<(), Failure> {
    let mut needs = needs(repo, config, commits.first(), commits)?;
    for (other, from) in others {
        needs.join(trust::needs(repo, other, Some(from), &commits.iter().collect::<Vec<_>>())?);
    }
    pass(ctx, repo, needs, commits)
}

fn pass(ctx: &Ctx, repo: &Repo, needs: Needs, named: &[Oid]) -> Result<(), Failure> {
    let around = Surroundings::here();
    let mut store = Store::load()?;
    let Standing::Unknown(unknown) = trust::standing(repo, &needs, &store, around)? else { return Ok(()) };
    let mut files: Vec<String> = unknown.iter().map(|item| clean(&item.path).into_owned()).collect();
    files.dedup();
    let files = files.join(", ");
    if ctx.can_ask() && !around.automatic {
        ctx.note(phrase!("not committed in this clone: {files}; measuring would run:", files = &files));
        for line in lines(ctx, &needs) {
            ctx.note(format!("  {line}"));
        }
        if land::confirm_or_no(ctx, "May these commands be run?")? {
            store.trust(repo, &needs.items)?;
            return Ok(());
        }
    }
    let shorts: Vec<&str> = named.iter().map(Oid::short).collect();
    Err(Failure::state(phrase!("the commands of {file} are not trusted here", file = FILE_NAME))
        .because(phrase!("commands run as you, and these files were not committed in this clone: {files}", files))
        .try_next(phrase!("git verdict trust {shorts}", shorts = shorts.join(" "))))
}
