//! `git verdict hook`: the git hooks.

use super::usage::Refused;
use super::{Ctx, Done};
use crate::decision::LANDING_VARIABLE;
use crate::decision::reversal;
use crate::error::{Exit, Failure};
use crate::git::Repo;
use crate::guard::watch;
use crate::hooks::install::{self, Owner, Standing};
use crate::hooks::share::{self, Shared, Wish};
use crate::hooks::{Hook, run as hooks};
use crate::ledger::{Ledger, Wanted};
use crate::phrase;
use crate::phrase::Phrase;
use crate::render::lang;
use crate::render::text::clean;
use clap::Subcommand;
use serde_json::json;
use std::io::Read;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Install the hooks beside those that are there
    Install(Install),
    /// Take the hooks away, and put back what was there before
    Uninstall {
        /// Take away a hook that was edited by hand too
        #[arg(long)]
        force: bool,
    },
    /// How the hooks stand
    Status,
    /// Do what a hook does; git calls this
    Run(Run),
}

#[derive(Debug, clap::Args)]
struct Install {
    /// Also refuse the revert of an optimization without numbers
    #[arg(long)]
    commit_msg: bool,
    /// Also queue a measurement after each commit on an experiment's branch, and name the reverted experiments that a
    /// commit resembles
    #[arg(long)]
    post_commit: bool,
    /// Also send the ledger along with each push (sets verdict.pushLedger)
    #[arg(long)]
    push_ledger: bool,
    /// Install into a hooks folder that is not this repository's own, and over hooks of ours that were edited
    #[arg(long)]
    force: bool,
}

#[derive(Debug, clap::Args)]
struct Run {
    /// prepare-commit-msg, commit-msg, post-commit or pre-push
    #[arg(value_parser = hook)]
    name: Hook,
    /// prepare-commit-msg: fill in the numbers whatever else the message says
    #[arg(long)]
    always: bool,
    /// What git hands to the hook
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<std::ffi::OsString>,
}

fn hook(name: &str) -> Result<Hook, Refused> {
    let all = Hook::ALL.map(Hook::name).join(", ");
    Hook::parse(name).ok_or_else(|| Refused(phrase!("'{name}' is none of {all}", name = clean(name), all)))
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    match args.what {
        What::Install(args) => install(ctx, &args),
        What::Uninstall { force } => uninstall(ctx, force),
        What::Status => status(ctx),
        What::Run(args) => call(ctx, &args),
    }
}

/// This program, for hooks that do not find it in `PATH`.
fn program() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("git-verdict"))
}

fn install(ctx: &Ctx, args: &Install) -> Done {
    let repo = ctx.repo()?;
    let mut hooks = vec![Hook::PrepareCommitMsg];
    hooks.extend(args.commit_msg.then_some(Hook::CommitMsg));
    hooks.extend(args.post_commit.then_some(Hook::PostCommit));
    hooks.push(Hook::PrePush);
    let done = put(ctx, &repo, &hooks, args.force)?;
    if args.push_ledger && share::switch_on(&repo)? {
        ctx.say("each push sends the ledger along")?;
    }
    ctx.emit("hooks", json!({"done": done}))?;
    Ok(Exit::Done)
}

/// Installs hooks and says so.
pub fn put(ctx: &Ctx, repo: &Repo, hooks: &[Hook], force: bool) -> Result<Vec<install::Done>, Failure> {
    let done = install::install(repo, hooks, &program(), force)?;
    for one in &done {
        let done = format!("{} {}", ctx.tell(one.what), one.hook);
        ctx.say(match &one.previous {
            Some(path) => phrase!("{done}, hands on to {path}", done, path = shown(repo, path)),
            None => done.into(),
        })?;
    }
    Ok(done)
}

fn uninstall(ctx: &Ctx, force: bool) -> Done {
    let repo = ctx.repo()?;
    let done = install::uninstall(&repo, force)?;
    share::switch_off(&repo)?;
    if done.is_empty() {
        ctx.say("no hook of git-verdict is installed")?;
    }
    for one in &done {
        match (one.what, &one.previous) {
            ("restored", _) => {
                ctx.say(phrase!("removed {hook}; the hook that was there before is back", hook = one.hook))?
            }
            ("left", Some(kept)) => ctx.say(phrase!(
                "left {hook} alone: another program put it there; what was there before us is in {kept}",
                hook = one.hook,
                kept = shown(&repo, kept)
            ))?,
            _ => ctx.say(format!("{} {}", ctx.tell(one.what), one.hook))?,
        }
    }
    ctx.emit("hooks", json!({"done": done}))?;
    Ok(Exit::Done)
}

fn status(ctx: &Ctx) -> Done {
    let repo = ctx.repo()?;
    let (place, found) = install::status(&repo, &program())?;
    let folder = shown(&repo, &place.folder);
    ctx.say(match &place.owner {
        Owner::Repository => phrase!("hooks are in {folder}", folder),
        Owner::WorkTree => phrase!("hooks are in {folder} (in the work tree)", folder),
        Owner::Husky { .. } => phrase!("hooks are in {folder} (husky's)", folder),
        Owner::Elsewhere => phrase!("hooks are in {folder} (outside the repository)", folder),
    })?;
    for one in &found {
        let more: Phrase = match one.standing {
            Standing::Called => phrase!(" by {path}", path = shown(&repo, &one.path)),
            Standing::Outdated => "; git verdict hook install writes it anew".into(),
            Standing::Replaced => "; another program put its own there, what was there before us does not run".into(),
            Standing::Disabled => "; the file may not be executed".into(),
            _ if one.hands_on => ", hands on to the hook that was there before".into(),
            _ => "".into(),
        };
        ctx.say(format!("  {:<18} {}{}", one.hook, ctx.tell(one.standing.as_str()), ctx.tell(more)))?;
    }
    let sends = share::wish(&repo);
    match sends {
        Wish::Off => {}
        Wish::Try => ctx.say("each push sends the ledger along")?,
        Wish::Required => ctx.say("each push sends the ledger along, and fails when it cannot")?,
    }
    let queued = hooks::queued(&repo);
    if !queued.is_empty() {
        ctx.say(phrase!(
            "queued to be measured: {queued}; next: git verdict measure --queued",
            queued = queued.join(", ")
        ))?;
    }
    ctx.emit(
        "hook-status",
        json!({"folder": place.folder, "hooks": found, "queued": queued, "push_ledger": sends != Wish::Off}),
    )?;
    Ok(Exit::Done)
}

/// A path as it is shorter to read: relative to the work tree.
fn shown(repo: &Repo, path: &Path) -> String {
    let inside = repo.workdir().ok().and_then(|root| path.strip_prefix(root).ok());
    clean(&inside.unwrap_or(path).display().to_string()).into_owned()
}

fn call(ctx: &Ctx, args: &Run) -> Done {
    if std::env::var_os(LANDING_VARIABLE).is_some() {
        return Ok(Exit::Done);
    }
    let repo = ctx.repo()?;
    let ledger = Ledger::open(&repo);
    let file = || {
        let file = args.args.first().ok_or_else(|| {
            Failure::usage(phrase!("{name} needs the file with the message", name = args.name.name()))
                .try_next(phrase!("git verdict hook run {name} .git/COMMIT_EDITMSG", name = args.name.name()))
        })?;
        let path = ctx.dir.join(file);
        let bytes = std::fs::read(&path).map_err(|error| {
            Failure::usage(phrase!("{path} cannot be read", path = clean(&path.display().to_string())))
                .because(error.to_string())
        })?;
        Ok::<_, Failure>((path, bytes))
    };
    match args.name {
        Hook::PrepareCommitMsg => {
            let (path, bytes) = file()?;
            // A message in another encoding is left alone.
            let Ok(text) = String::from_utf8(bytes) else { return Ok(Exit::Done) };
            if reversal::read(&text).is_none() {
                return Ok(Exit::Done);
            }
            if let Some(filled) = hooks::fill(&repo, &ctx.book(&ledger)?, &text, ctx.lang, args.always)? {
                std::fs::write(&path, filled).map_err(|error| {
                    Failure::state(phrase!("{path} cannot be written", path = clean(&path.display().to_string())))
                        .because(error.to_string())
                })?;
            }
        }
        Hook::CommitMsg => {
            let (_, bytes) = file()?;
            let text = String::from_utf8_lossy(&bytes);
            if reversal::read(&text).is_some()
                && let Some(owes) = hooks::judge(&repo, &ctx.book(&ledger)?, &text)?
            {
                return Err(refusal(&owes));
            }
        }
        Hook::PostCommit => {
            let began = std::time::SystemTime::now();
            let Ok((branch, tip)) = repo.current_branch() else { return Ok(Exit::Done) };
            let wanted = Wanted { branches: vec![branch], ..Wanted::default() };
            hooks::queue(&repo, &ledger.book_of(&wanted)?)?;
            crate::decision::notice(&repo, &ledger)?;
            if let Some((question, from)) = hooks::question(&repo, &tip)? {
                super::similar::note(ctx, &repo, &ledger, &question, &from);
            }
            if let Ok(shelf) = crate::guard::shelf(&repo, &ledger) {
                watch::renew(&repo, &ledger, &shelf, began);
            }
        }
        Hook::PrePush => {
            let mut input = String::new();
            let read = std::io::stdin().read_to_string(&mut input);
            read.map_err(|error| Failure::usage("standard input cannot be read").because(error.to_string()))?;
            let pushed = hooks::pushed(&input);
            for (experiment, to) in hooks::undecided(&repo, &ledger.book_of(&Wanted::open())?, &pushed)? {
                ctx.note(phrase!(
                    "git-verdict: '{name}' goes to {to} undecided ({state}); next: git verdict decide {name}",
                    name = clean(&experiment.name),
                    to = clean(&to),
                    state = Phrase::from(experiment.state.as_str())
                ));
            }
            let remote = args.args.first().and_then(|name| name.to_str());
            if let Some(remote) = remote {
                send(ctx, &repo, remote, &pushed)?;
            }
        }
    }
    Ok(Exit::Done)
}

/// Sends the ledger along, when that is wanted.
fn send(ctx: &Ctx, repo: &Repo, remote: &str, pushed: &[hooks::Pushed]) -> Result<(), Failure> {
    let wish = share::wish(repo);
    if wish == Wish::Off {
        return Ok(());
    }
    let Shared::Failed(why) = share::share(repo, remote, pushed, &program())? else { return Ok(()) };
    let what = || Phrase::from("the records of git-verdict were not sent along");
    if wish == Wish::Required {
        return Err(Failure::new(Exit::No, what()).because(why).try_next("git verdict sync, or git push --no-verify"));
    }
    let why = ctx.tell(why);
    let first = why.lines().next().unwrap_or_default();
    // What git-verdict said itself begins with a word of its own.
    let first = first.strip_prefix(&lang::word(ctx.lang, "error.what")).unwrap_or(first).trim_start();
    ctx.note(phrase!("git-verdict: {what}: {why}; next: git verdict sync", what = what(), why = clean(first)));
    Ok(())
}

/// Says how the numbers get into a message that owes them.
pub fn refusal(owes: &crate::decision::reversal::Unquantified) -> Failure {
    let failure = Failure::new(
        Exit::No,
        phrase!("this reverts an optimization without its numbers: {what}", what = clean(&owes.what)),
    );
    let message =
        "git verdict hook run prepare-commit-msg --always .git/COMMIT_EDITMSG && git commit -F .git/COMMIT_EDITMSG";
    match (&owes.experiment, &owes.target) {
        (Some(name), _) => failure
            .because(phrase!("they are on record as experiment '{name}'", name = clean(name)))
            .try_next(phrase!("git verdict revert {name} --because TEXT; or put them into this message:\n{message}", name = clean(name), message)),
        (None, Some(target)) => failure.because("there is no record of it").try_next(phrase!("git verdict start NAME --adopt {target}^..{target}, git verdict measure NAME, git verdict revert NAME (or git commit --no-verify)", target = target.short())),
        (None, None) => failure
            .because("it names no commit that it reverts")
            .try_next("git verdict start NAME --adopt A..B, git verdict measure NAME, git verdict revert NAME (or git commit --no-verify)"),
    }
}
