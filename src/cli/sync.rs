//! `git verdict sync`: exchanges records with a remote.

use super::{Ctx, Done};
use crate::error::{Exit, Failure};
use crate::ledger::store::LEDGER_REF;
use crate::ledger::sync::{self, Mode, Remote, Synced};
use crate::phrase;
use crate::render::text::clean;
use serde_json::json;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Only refs/verdict/ledger goes over the wire: no branch, no tag, no code. The push is never forced, \
    and git's pre-push hook is not run for it."
)]
pub struct Args {
    /// A remote's name, URL or path (default: the branch's remote, else origin, else the only one)
    remote: Option<String>,
    /// Take in the remote's records and send none
    #[arg(long)]
    fetch_only: bool,
    /// Say what would be received and sent
    #[arg(long, conflicts_with = "fetch_only")]
    dry_run: bool,
    /// Also have `git fetch` bring the records along from now on (adds a line to git's configuration)
    #[arg(long, conflicts_with = "dry_run")]
    setup: bool,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let repo = ctx.repo()?;
    let remote = match &args.remote {
        Some(name) => Remote::named(&repo, name, &ctx.dir)?,
        None => Remote::default_of(&repo)?,
    };
    let label = clean(&remote.label).into_owned();
    let set_up = args.setup && sync::set_up(&repo, &remote)?;
    if set_up {
        ctx.say(phrase!("git fetch {label} brings the records along from now on", label = &label))?;
    }
    let mode = match (args.fetch_only, args.dry_run) {
        (true, _) => Mode::FetchOnly,
        (_, true) => Mode::DryRun,
        _ => Mode::Both,
    };
    let done = sync::sync(&repo, &remote, mode)?;
    said(ctx, &label, mode, &done)?;
    ctx.emit(
        "sync",
        json!({
            "remote": remote.label, "received": done.received, "sent": done.sent, "unsent": done.unsent,
            "dry_run": args.dry_run, "attempts": done.attempts, "set_up": set_up, "ledger": repo.find_ref(LEDGER_REF)?,
            "conflicts": done.conflicts, "dropped": done.dropped,
        }),
    )?;
    Ok(Exit::Done)
}

fn said(ctx: &Ctx, label: &str, mode: Mode, done: &Synced) -> Result<(), Failure> {
    for id in &done.conflicts {
        ctx.note(phrase!("record {id} differs here and there; git verdict doctor --ledger", id = clean(id)));
    }
    for name in &done.dropped {
        ctx.note(phrase!("left out, because it is no record: {name}", name = clean(name)));
    }
    let records = |count: usize| phrase!("{n} record{s}", n = count, s = crate::phrase::plural(count));
    ctx.say(match mode {
        Mode::DryRun => {
            phrase!(
                "{label}: would receive {received} and send {unsent}",
                label,
                received = records(done.received),
                unsent = records(done.unsent)
            )
        }
        Mode::FetchOnly => phrase!(
            "{label}: received {received}, {unsent} unsent",
            label,
            received = records(done.received),
            unsent = records(done.unsent)
        ),
        Mode::Both if done.received + done.sent == 0 => phrase!("{label}: nothing new on either side", label),
        Mode::Both => phrase!(
            "{label}: received {received}, sent {sent}",
            label,
            received = records(done.received),
            sent = records(done.sent)
        ),
    })
}
