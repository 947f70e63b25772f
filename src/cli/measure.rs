//! `git verdict measure`: measures base and candidate, and records what was found.

use super::progress::Progress;
use super::start::identity;
use super::{Ctx, Done};
use crate::error::{Exit, Failure};
use crate::experiment::{Book, Experiment, ExperimentError};
use crate::git::{Oid, Repo};
use crate::ledger::event::Measured;
use crate::ledger::{Event, Fact, Ledger};
use crate::measure::{self, MeasureError, Measurement, Plan, Side};
use crate::policy::compare::StopRule;
use crate::policy::{compare, complexity, recommend};
use crate::render::{strip, table};
use crate::units::parse_duration;
use serde_json::json;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The experiment (default: the one whose branch is checked out)
    name: Option<String>,
    #[command(flatten)]
    how: How,
    /// Measure against this commit instead of the experiment's base
    #[arg(long, value_name = "REF")]
    against: Option<String>,
}

/// How much to measure: shared by `measure` and `decide`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct How {
    /// Stop after N pairs at the latest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pairs: Option<u32>,
    /// Begin no new pair after this long, such as 10m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    budget: Option<Duration>,
    /// Measure this metric only; may be given again
    #[arg(long = "metric", value_name = "METRIC")]
    metrics: Vec<String>,
    /// Do not run the checks
    #[arg(long)]
    no_checks: bool,
    /// Seed of the order within pairs (default: a new one, recorded)
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

pub fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let repo = ctx.repo()?;
    let ledger = Ledger::open(&repo);
    let book = ctx.book(&ledger)?;
    let experiment = ctx.experiment(&repo, &book, args.name.as_deref())?;
    let against = args.against.as_deref().map(|name| repo.resolve(name)).transpose()?;
    let event = measure(ctx, &repo, &ledger, &book, experiment, &args.how, against)?;
    let Fact::Measured(measured) = &event.fact else { unreachable!("measure writes a measured event") };
    show(ctx, measured)?;
    ctx.say(format!("next: git verdict decide {}", experiment.name))?;
    ctx.emit("measure", json!({"experiment": experiment.name, "record": event.id, "measured": measured}))?;
    Ok(Exit::Done)
}

/// The table and the recommendation.
pub fn show(ctx: &Ctx, measured: &Measured) -> Result<(), Failure> {
    let look = ctx.look();
    ctx.say(table::comparison(&measured.comparison, look))?;
    for row in measured.comparison.iter().filter(|row| !row.exact) {
        let pairs = measure::pairs(&measured.samples, &row.metric, 0, 1);
        let plot = strip::strip(&pairs, &row.unit, look);
        if !plot.is_empty() {
            ctx.say(format!("{}\n{plot}", crate::render::text::clean(&row.metric)))?;
        }
    }
    for check in measured.checks.iter().filter(|check| !check.passed) {
        let tail = if check.tail.is_empty() { String::new() } else { format!("\n{}", check.tail) };
        ctx.say(format!("check {} failed: {}{tail}", check.name, check.outcome))?;
    }
    ctx.say(table::recommendation(&measured.recommendation, ctx.look()))
}

/// Measures an experiment and appends the record.
pub fn measure(
    ctx: &Ctx,
    repo: &Repo,
    ledger: &Ledger<'_>,
    book: &Book,
    experiment: &Experiment,
    how: &How,
    against: Option<Oid>,
) -> Result<Event, Failure> {
    if !experiment.is_open() {
        let state = experiment.state.as_str();
        return Err(ExperimentError::Finished { name: experiment.name.clone(), state }.into());
    }
    let candidate = tip(repo, experiment)?;
    let base = match against {
        Some(base) => base,
        None => base_of(repo, book, experiment, &candidate)?,
    };
    if base == candidate {
        return Err(Failure::state(format!("experiment '{}' has no commit yet", experiment.name))
            .because(format!("its branch {} is where it started", experiment.branch()))
            .try_next("git commit the change; only committed state is measured"));
    }
    if repo.workdir().is_ok() {
        let dirty = repo.uncommitted()?;
        if !dirty.tracked.is_empty() {
            ctx.note("note: uncommitted changes are not measured; commit them to have them counted");
        }
    }
    let config = ctx.config(repo, Some(&candidate))?;
    let policy = config.policy.clone();
    let plan = plan(repo, &experiment.name, config, how, &base, &candidate)?;
    let measurement = take(ctx, repo, &plan)?;
    let rows = compare::rows(&plan.config, &measurement, 0, 1);
    let complexity = complexity::weigh(repo, &base, &candidate)?;
    let recommendation = recommend::recommend(&rows, &measurement.checks, &complexity, &policy);
    let measured = Measured {
        session: measurement.id,
        base: identity(repo, &base, None)?,
        candidate: identity(repo, &candidate, Some(&base))?,
        sides: measurement.sides,
        seed: measurement.seed,
        config_hash: measurement.config_hash,
        environment: measurement.environment,
        samples: measurement.samples,
        checks: measurement.checks,
        comparison: rows,
        complexity,
        recommendation,
    };
    let event = ledger.draft(experiment.id, &experiment.name, Fact::Measured(Box::new(measured)))?;
    ledger.append(&event)?;
    measure::session::finish(repo, &plan.key)?;
    Ok(event)
}

/// Runs a plan with progress.
pub fn take(ctx: &Ctx, repo: &Repo, plan: &Plan) -> Result<Measurement, MeasureError> {
    let mut rule = StopRule::new(plan);
    let mut progress = Progress::new(ctx, plan.sides.iter().map(|side| side.name.clone()).collect());
    let taken = measure::run(repo, plan, &mut |samples| rule.next(samples), &mut |event| progress.tell(event));
    progress.finish();
    taken
}

fn plan(
    repo: &Repo,
    key: &str,
    config: crate::config::Config,
    how: &How,
    base: &Oid,
    candidate: &Oid,
) -> Result<Plan, Failure> {
    for name in &how.metrics {
        if config.metric(name).is_none() {
            let names = config.metrics.iter().map(|m| m.name.as_str());
            let nearest = crate::config::nearest(name, names.clone());
            return Err(Failure::usage(format!("there is no metric '{}'", crate::render::text::clean(name)))
                .because(format!("{} has {}", crate::config::FILE_NAME, names.collect::<Vec<_>>().join(", ")))
                .try_next(nearest.map_or("--metric NAME".into(), |name| format!("--metric {name}"))));
        }
    }
    if config.metrics.is_empty() {
        return Err(Failure::usage(format!("{} has no metric", crate::config::FILE_NAME))
            .try_next("add a [metrics.NAME] table to it"));
    }
    let side = |name: &str, commit: &Oid| -> Result<Side, Failure> {
        Ok(Side { name: name.into(), commit: commit.clone(), tree: repo.commit(commit)?.tree })
    };
    Ok(Plan {
        key: key.to_string(),
        sides: vec![side("base", base)?, side("candidate", candidate)?],
        config,
        only: how.metrics.clone(),
        max_rounds: how.pairs.map(|n| n as usize),
        budget: how.budget,
        seed: how.seed.unwrap_or_else(rand::random),
        checks: !how.no_checks,
    })
}

/// The commit that an experiment's branch is at.
pub fn tip(repo: &Repo, experiment: &Experiment) -> Result<Oid, Failure> {
    repo.branch(experiment.branch())?.ok_or_else(|| {
        Failure::state(format!("the branch {} of experiment '{}' is gone", experiment.branch(), experiment.name))
            .try_next(format!("git branch {} COMMIT", experiment.branch()))
    })
}

/// The commit that an experiment is measured against: where its branch leaves the branch it stands on.
pub fn base_of(repo: &Repo, book: &Book, experiment: &Experiment, tip: &Oid) -> Result<Oid, Failure> {
    let opened = &experiment.opened;
    if opened.adopted.is_some() {
        return Ok(opened.base.commit.clone());
    }
    let parent = opened.stands_on.and_then(|id| book.by_id(id));
    let ground = match parent {
        Some(parent) if parent.is_open() => parent.branch(),
        _ => &opened.onto,
    };
    let ground = repo.branch(ground)?;
    let merge_base = ground.map(|ground| repo.merge_base(&ground, tip)).transpose()?.flatten();
    // A branch that has landed already shares its own tip with the ground: then only the record knows where it began.
    Ok(match merge_base {
        Some(base) if base != *tip => base,
        _ => opened.base.commit.clone(),
    })
}
