//! `git verdict sync`: exchanges records with a remote.

use super::{Ctx, Done};
use crate::error::{Exit, Failure};
use crate::ledger::store::LEDGER_REF;
use crate::ledger::sync::{self, Mode, Remote, Synced};
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
        ctx.say(format!("git fetch {label} brings the records along from now on"))?;
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
        ctx.note(format!("record {} differs here and there; git verdict doctor --ledger", clean(id)));
    }
    for name in &done.dropped {
        ctx.note(format!("left out, because it is no record: {}", clean(name)));
    }
    let records = |count: usize| format!("{count} record{}", super::start::plural(count));
    ctx.say(match mode {
        Mode::DryRun => {
            format!("{label}: would receive {} and send {}", records(done.received), records(done.unsent))
        }
        Mode::FetchOnly => format!("{label}: received {}, {} unsent", records(done.received), records(done.unsent)),
        Mode::Both if done.received + done.sent == 0 => format!("{label}: nothing new on either side"),
        Mode::Both => format!("{label}: received {}, sent {}", records(done.received), records(done.sent)),
    })
}
