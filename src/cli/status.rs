//! `git verdict status`: where this experiment is and what comes next.

use super::{Ctx, Done};
use crate::decision;
use crate::error::{Exit, Failure};
use crate::experiment::{Book, Experiment, State};
use crate::git::Repo;
use crate::git::refs::Head;
use crate::ledger::{Ledger, Wanted};
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
        ctx.say(format!("a decision was cut off: {} {}", pending.verdict.as_str(), pending.name))?;
        ctx.say("next: git verdict doctor")?;
    }
    let reapplied = match &head {
        Head::Branch { commit, .. } if decision::reverts_a_decision(&repo, commit, LOOKED_THROUGH) => {
            decision::reapplied(&repo, &ctx.book(&ledger)?, LOOKED_THROUGH)?
        }
        _ => Vec::new(),
    };
    for one in &reapplied {
        ctx.say(format!("{}; next: git verdict undo {}", told(one), clean(&one.name)))?;
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
        let place = branch.map_or("HEAD is detached".to_string(), |name| format!("on branch {}", clean(name)));
        ctx.say(format!("{place}; no experiment is here"))?;
    }
    let here = here.map(|e| e.id);
    let others: Vec<&Experiment> = book.experiments.iter().filter(|e| e.is_open() && Some(e.id) != here).collect();
    if !others.is_empty() {
        ctx.say("open elsewhere:")?;
    }
    for other in &others {
        ctx.say(format!("  {} ({}, on {})", other.name, other.state.as_str(), clean(other.branch())))?;
        experiments.push(json!({"here": false, "experiment": super::log::value(other)}));
    }
    if here.is_none() && others.is_empty() && pending.is_none() {
        let next = if ledger.tip()?.is_none() && !repo.workdir()?.join(crate::config::FILE_NAME).exists() {
            "git verdict init, then git verdict start NAME --hypothesis TEXT"
        } else {
            "git verdict start NAME --hypothesis TEXT"
        };
        ctx.say(format!("next: {next}"))?;
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
    ctx.say(format!("{} ({}): {}", experiment.name, experiment.state.as_str(), clean(&experiment.opened.title)))?;
    ctx.say(format!("  hypothesis  {}", clean(&experiment.opened.hypothesis)))?;
    ctx.say(format!(
        "  branch      {}, {commits} commit{} on {}",
        clean(experiment.branch()),
        super::start::plural(commits),
        base.short()
    ))?;
    if let Some((_, measured)) = experiment.latest() {
        ctx.say(format!("  measured    {}", super::log::summary(&measured.comparison)))?;
        ctx.say(format!("  advice      {}", measured.recommendation.advice.as_str()))?;
    }
    let next = match (experiment.latest(), experiment.state) {
        _ if pending => "git verdict doctor".to_string(),
        _ if commits == 0 => "commit the change, then git verdict measure".to_string(),
        (Some(_), _) if stale => "git verdict measure (the branch moved on since it was measured)".to_string(),
        (Some((_, m)), State::Measured) if m.recommendation.advice == Advice::MeasureMore => {
            "git verdict measure, or git verdict decide".to_string()
        }
        (Some(_), _) => "git verdict decide".to_string(),
        (None, _) => "git verdict measure".to_string(),
    };
    if changed > 0 {
        ctx.say(format!(
            "  uncommitted {changed} file{}: not measured until committed",
            super::start::plural(changed)
        ))?;
    }
    ctx.say(format!("next: {next}"))?;
    Ok(json!({
        "here": true, "experiment": super::log::value(experiment), "base": base, "tip": tip, "commits": commits,
        "stale": stale, "uncommitted": changed, "next": next,
    }))
}

/// That a revert was itself reverted, for people.
pub fn told(one: &decision::Reapplied) -> String {
    let (name, branch) = (clean(&one.name), clean(&one.branch));
    format!(
        "the revert of {name} was itself reverted by {} on {branch}, and the record does not say so",
        one.by.short()
    )
}
