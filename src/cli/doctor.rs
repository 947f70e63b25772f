//! `git verdict doctor`: finds what is wrong here, a decision that was cut off above all.

use super::measure::duration;
use super::{Ctx, Done, land};
use crate::config::Config;
use crate::decision::{self, Pending};
use crate::error::{Exit, Explain, Failure};
use crate::git::command::Git;
use crate::ledger::Ledger;
use crate::phrase;
use crate::phrase::Phrase;
use crate::render::Lang;
use crate::render::report::Pages;
use crate::render::template::{OVERRIDES, Renderer};
use crate::render::text::{Align, clean, pad};
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Finish a decision that was cut off
    #[arg(long, conflicts_with = "undo")]
    resume: bool,
    /// Take back a decision that was cut off: all is as it was before it
    #[arg(long)]
    undo: bool,
    /// Measure this commit against itself: how often a difference is claimed, and how small a one can be found
    #[arg(long, conflicts_with_all = ["resume", "undo"])]
    noise: bool,
    /// How long to measure for --noise (default: 2m)
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "noise")]
    budget: Option<Duration>,
    /// Time this command for --noise; may be given again (default: the steps of verdict.toml)
    #[arg(long = "run", value_name = "CMD", requires = "noise")]
    runs: Vec<String>,
    /// Read every record and every object of the ledger
    #[arg(long, conflicts_with_all = ["resume", "undo"])]
    ledger: bool,
}

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    fine: bool,
    answer: Phrase,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    if args.noise {
        return super::noise::run(ctx, args.budget, &args.runs);
    }
    let repo = ctx.repo()?;
    let ledger = Ledger::open(&repo);
    if args.ledger {
        return super::doctor_ledger::run(ctx, &repo, &ledger);
    }
    let pending = decision::pending(&repo);
    if args.resume || args.undo {
        let Some(pending) = pending? else {
            return Err(Failure::state("no decision was cut off here").try_next("git verdict status"));
        };
        return mend(ctx, &repo, &ledger, &pending, args.resume);
    }
    let mut findings = look(&repo, &ledger);
    findings.push(match &pending {
        Ok(None) => Finding { what: "decisions", fine: true, answer: "none was cut off".into() },
        Ok(Some(pending)) => Finding { what: "decisions", fine: false, answer: cut_off(pending) },
        Err(error) => Finding { what: "decisions", fine: false, answer: error.what() },
    });
    // A ledger that cannot be read is a finding of its own.
    let reapplied =
        ledger.book().map(|book| decision::reapplied(&repo, &book, usize::MAX)).unwrap_or(Ok(Vec::new()))?;
    findings.extend(reapplied.iter().map(|one| Finding {
        what: "reverts",
        fine: false,
        answer: phrase!(
            "{what}; git verdict undo {name} writes it down",
            what = super::status::told(one),
            name = clean(&one.name)
        ),
    }));
    for finding in &findings {
        let mark = if finding.fine { "ok  " } else { "BAD " };
        ctx.say(format!(
            "{mark} {} {}",
            pad(&ctx.tell(finding.what), 12, Align::Left),
            clean(&ctx.tell(&finding.answer))
        ))?;
    }
    let values: Vec<Value> =
        findings.iter().map(|f| json!({"what": f.what, "fine": f.fine, "answer": f.answer.to_string()})).collect();
    // What cannot be read can be neither finished nor taken back.
    let unread = pending.as_ref().err().and_then(Explain::next);
    let pending = pending.unwrap_or_default();
    ctx.emit("doctor", json!({"findings": values, "pending": pending}))?;
    if let Some(next) = unread {
        ctx.say(phrase!("next: {next}", next))?;
    }
    if let Some(pending) = &pending
        && ctx.can_ask()
    {
        return ask(ctx, &repo, &ledger, pending);
    }
    if pending.as_ref().is_some_and(|pending| pending.only_finish) {
        ctx.say("next: git verdict doctor --resume finishes it")?;
    } else if pending.is_some() {
        ctx.say("next: git verdict doctor --resume finishes it, git verdict doctor --undo takes it back")?;
    }
    Ok(if findings.iter().all(|f| f.fine) { Exit::Done } else { Exit::No })
}

fn cut_off(pending: &Pending) -> Phrase {
    let next = pending.left.first().map_or_else(|| Phrase::from("nothing"), Phrase::from);
    let (verdict, name) = (Phrase::from(pending.verdict.as_str()), &pending.name);
    if pending.undoing {
        return phrase!("undoing {verdict} {name} was cut off; next would be: {next}", verdict, name, next);
    }
    let (done, all) = (pending.done.len(), pending.done.len() + pending.left.len());
    phrase!(
        "{verdict} {name} was cut off after {done} of {all} steps; next would be: {next}",
        verdict,
        name,
        done,
        all,
        next
    )
}

fn ask(ctx: &Ctx, repo: &crate::git::Repo, ledger: &Ledger<'_>, pending: &Pending) -> Done {
    let chosen = dialoguer::Select::with_theme(&dialoguer::theme::ColorfulTheme::default())
        .with_prompt(ctx.tell("What is to become of it?"))
        .items(["finish it", "take it back: all is as it was before", "leave it"].map(|item| ctx.tell(item)))
        .default(0)
        .interact_opt()
        .map_err(super::context::asking)?;
    match chosen {
        Some(0) => mend(ctx, repo, ledger, pending, true),
        Some(1) => mend(ctx, repo, ledger, pending, false),
        _ => Ok(Exit::No),
    }
}

fn mend(ctx: &Ctx, repo: &crate::git::Repo, ledger: &Ledger<'_>, pending: &Pending, resume: bool) -> Done {
    if resume {
        let landed = decision::resume(repo, ledger)?;
        land::finished(ctx, repo, ledger, &landed)?;
        super::undo::said(ctx, repo, &landed.event)?;
    } else {
        decision::undo(repo, ledger)?;
        ctx.say(phrase!(
            "{verdict} {name} was taken back; all is as it was before it",
            verdict = Phrase::from(pending.verdict.as_str()),
            name = &pending.name
        ))?;
        ctx.emit("undone", json!({"experiment": pending.name, "record": pending.record}))?;
    }
    Ok(Exit::Done)
}

fn look(repo: &crate::git::Repo, ledger: &Ledger<'_>) -> Vec<Finding> {
    let git = match Git::at(repo.git_dir()).arg("--version").run() {
        Ok(version) => Finding { what: "git", fine: true, answer: version.into() },
        Err(error) => Finding { what: "git", fine: false, answer: error.what() },
    };
    let person = match repo.person() {
        Ok(person) => {
            Finding { what: "identity", fine: true, answer: format!("{} <{}>", person.name, person.email).into() }
        }
        Err(error) => Finding { what: "identity", fine: false, answer: error.what() },
    };
    let records = match ledger.events() {
        Ok(events) => Finding { what: "ledger", fine: true, answer: phrase!("{n} records", n = events.len()) },
        Err(error) => Finding { what: "ledger", fine: false, answer: error.what() },
    };
    let config = match repo.workdir().ok().map(Config::load) {
        None => Finding { what: "config", fine: true, answer: "a bare repository has none in its work tree".into() },
        Some(Ok(Some(config))) => {
            Finding { what: "config", fine: true, answer: phrase!("{n} metrics", n = config.metrics.len()) }
        }
        Some(Ok(None)) => Finding { what: "config", fine: true, answer: "none yet (git verdict init)".into() },
        Some(Err(error)) => Finding { what: "config", fine: false, answer: error.what() },
    };
    let templates = land::overrides(repo).map(|folder| {
        let folder = Some(folder.as_path());
        let broken = Lang::ALL
            .into_iter()
            .find_map(|lang| Renderer::with_overrides(lang, folder).err().or_else(|| Pages::new(lang, folder).err()));
        match broken {
            None => Finding {
                what: "templates",
                fine: true,
                answer: phrase!("those in {folder} can be read", folder = OVERRIDES),
            },
            Some(error) => Finding { what: "templates", fine: false, answer: error.what() },
        }
    });
    [git, person, records, config].into_iter().chain(templates).collect()
}
