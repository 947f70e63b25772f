//! `git verdict status`: where this experiment is and what comes next.

use super::{Ctx, Done};
use crate::config::Config;
use crate::decision;
use crate::error::{Exit, Failure};
use crate::experiment::{Book, Experiment, State};
use crate::git::Repo;
use crate::git::refs::Head;
use crate::ledger::{Ledger, Wanted};
use crate::measure::session::{self, Unfinished};
use crate::phrase;
use crate::phrase::{Phrase, plural};
use crate::policy::Advice;
use crate::render::text::clean;
use serde_json::{Value, json};

/// So many commits of a branch are looked through for reverts of reverts; `doctor` looks through all.
const LOOKED_THROUGH: usize = 100;

#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(ctx: &Ctx, _args: Args) -> Done {
    let repo = ctx.repo()?;
    let ledger = Ledger::open(&repo);
    let head = repo.head()?;
    let pending = decision::pending(&repo)?;
    if let Some(pending) = &pending {
        ctx.say(phrase!(
            "a decision was cut off: {verdict} {name}",
            verdict = Phrase::from(pending.verdict.as_str()),
            name = &pending.name
        ))?;
        ctx.say("next: git verdict doctor")?;
    }
    let reapplied = match &head {
        Head::Branch { commit, .. } if decision::reverts_a_decision(&repo, commit, LOOKED_THROUGH) => {
            decision::reapplied(&repo, &ctx.book(&ledger)?, LOOKED_THROUGH)?
        }
        _ => Vec::new(),
    };
    for one in &reapplied {
        ctx.say(phrase!("{what}; next: git verdict undo {name}", what = told(one), name = clean(&one.name)))?;
    }
    let branch = match &head {
        Head::Branch { name, .. } | Head::Unborn(name) => Some(name.as_str()),
        Head::Detached(_) => None,
    };
    let book = ledger.book_of(&Wanted::open())?;
    let here = branch.and_then(|name| book.on_branch(name));
    let mut experiments = Vec::new();
    if let Some(experiment) = here {
        experiments.push(this(ctx, &repo, &book, experiment, pending.is_some())?);
    } else {
        ctx.say(match branch {
            Some(name) => phrase!("on branch {name}; no experiment is here", name = clean(name)),
            None => "HEAD is detached; no experiment is here".into(),
        })?;
    }
    let here = here.map(|e| e.id);
    let others: Vec<&Experiment> = book.experiments.iter().filter(|e| e.is_open() && Some(e.id) != here).collect();
    if !others.is_empty() {
        ctx.say("open elsewhere:")?;
    }
    for other in &others {
        let state = Phrase::from(other.state.as_str());
        ctx.say(phrase!("  {name} ({state}, on {branch})", name = &other.name, state, branch = clean(other.branch())))?;
        experiments.push(json!({"here": false, "experiment": super::log::value(other)}));
    }
    if here.is_none() && others.is_empty() && pending.is_none() {
        let next: Phrase = if ledger.tip()?.is_none() && !repo.workdir()?.join(crate::config::FILE_NAME).exists() {
            "git verdict init, then git verdict start NAME --hypothesis TEXT".into()
        } else {
            "git verdict start NAME --hypothesis TEXT".into()
        };
        ctx.say(phrase!("next: {next}", next))?;
    }
    ctx.emit(
        "status",
        json!({"branch": branch, "experiments": experiments, "pending": pending, "reapplied": reapplied}),
    )?;
    Ok(Exit::Done)
}

fn this(ctx: &Ctx, repo: &Repo, book: &Book, experiment: &Experiment, pending: bool) -> Result<Value, Failure> {
    let tip = super::measure::tip(repo, experiment)?;
    let base = super::measure::base_of(repo, book, experiment, &tip)?;
    let commits = repo.range(&base, &tip)?.len();
    let stale = match experiment.latest() {
        Some((_, measured)) => repo.commit(&tip)?.tree != measured.candidate.tree,
        None => false,
    };
    let changed = if repo.surely_clean() {
        0
    } else {
        let dirty = repo.uncommitted()?;
        dirty.tracked.len() + dirty.conflicted.len()
    };
    super::show::heading(ctx, &experiment.name, &experiment.opened.title, experiment.state.as_str())?;
    ctx.field("hypothesis", clean(&experiment.opened.hypothesis))?;
    let branch = clean(experiment.branch());
    let (s, short) = (plural(commits), base.short());
    ctx.field("branch", phrase!("{branch}, {commits} commit{s} on {base}", branch, commits, s, base = short))?;
    let unfinished = session::saved(repo, &experiment.name)?;
    let samples = unfinished.samples;
    if samples > 0 {
        let (s, command) = (plural(samples), measure_again(repo, &unfinished));
        ctx.field("unfinished", phrase!("{samples} sample{s}; {command} goes on from there", samples, s, command))?;
    }
    if let Some((_, measured)) = experiment.latest() {
        ctx.field("measured", super::log::summary(&measured.comparison, ctx.lang))?;
        if let Some(ruler) = &measured.ruler {
            ctx.field("ruler", super::measure::ruler_mark(ruler))?;
        }
        ctx.field("advice", Phrase::from(measured.recommendation.advice.as_str()))?;
    }
    let next: Phrase = match (experiment.latest(), experiment.state) {
        _ if pending => "git verdict doctor".into(),
        _ if commits == 0 => "commit the change, then git verdict measure".into(),
        (Some(_), _) if stale => "git verdict measure (the branch moved on since it was measured)".into(),
        (Some((_, m)), State::Measured) if m.recommendation.advice == Advice::MeasureMore => {
            "git verdict measure, or git verdict decide".into()
        }
        (Some(_), _) => "git verdict decide".into(),
        (None, _) => "git verdict measure".into(),
    };
    if changed > 0 {
        let s = plural(changed);
        ctx.field("uncommitted", phrase!("{changed} file{s}: not measured until committed", changed, s))?;
    }
    ctx.say(phrase!("next: {next}", next = &next))?;
    Ok(json!({
        "here": true, "experiment": super::log::value(experiment), "base": base, "tip": tip, "commits": commits,
    "stale": stale, "ruler": experiment.latest().and_then(|(_, measured)| measured.ruler.as_ref()),
    "uncommitted": changed, "unfinished": samples, "next": next.to_string(),
    }))
}

/// The command that goes on with an interrupted session: one that measures the same metrics.
fn measure_again(repo: &Repo, unfinished: &Unfinished) -> String {
    let mut command = "git verdict measure".to_string();
    let config = repo.workdir().ok().and_then(|root| Config::load(root).ok().flatten());
    if config.is_none_or(|config| config.metrics.len() != unfinished.metrics.len()) {
        for metric in &unfinished.metrics {
            command.extend([" --metric ", &clean(metric)]);
        }
    }
    command
}

/// That a revert was itself reverted, for people.
pub fn told(one: &decision::Reapplied) -> Phrase {
    phrase!(
        "the revert of {name} was itself reverted by {commit} on {branch}, and the record does not say so",
        name = clean(&one.name),
        commit = one.by.short(),
        branch = clean(&one.branch)
    )
}
