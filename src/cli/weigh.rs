//! `git verdict weigh`: two commits in one line, with no config and no experiment.

use super::measure::{duration, take, two_sides};
use super::usage::Refused;
use super::{Ctx, Done};
use crate::config::{Better, Command, Config, Matters, Metric, Policy, Resource, Source, Step};
use crate::digest::sha256;
use crate::error::{Exit, Failure};
use crate::measure::{self, Plan};
use crate::phrase;
use crate::policy::{compare, complexity, recommend};
use crate::render::table;
use crate::units::{QuantityError, Ratio, Unit, split_quantity};
use serde_json::json;
use std::time::Duration;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: git verdict weigh HEAD~1 HEAD --run make --time './app --self-test' --size app")]
pub struct Args {
    /// The commit to compare against
    base: String,
    /// The commit to judge
    candidate: String,
    #[command(flatten)]
    what: What,
    /// Stop after N pairs at the latest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pairs: Option<u32>,
    /// Begin no new pair after this long, such as 2m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    budget: Option<Duration>,
    /// Seed of the order within pairs
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

// What to run and to measure. No doc comment: clap would make it the `about` of the command that it is part of.
#[derive(Debug, Clone, clap::Args)]
pub struct What {
    /// Run before each sample, not measured (a build, say); may be given again
    #[arg(long = "run", value_name = "CMD")]
    runs: Vec<String>,
    /// Measure how long this command takes
    #[arg(long, value_name = "CMD")]
    time: Option<String>,
    /// Measure the size of a file, folder or glob; may be given again
    #[arg(long = "size", value_name = "PATH")]
    sizes: Vec<String>,
    /// The smallest relative change worth acting on, such as 2% (default: 5% for time, 1% for size)
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    matters: Option<f64>,
}

impl What {
    /// Whether anything was named.
    pub fn asks(&self) -> bool {
        self.time.is_some() || !self.sizes.is_empty() || !self.runs.is_empty()
    }
}

fn percent(text: &str) -> Result<f64, Refused> {
    match split_quantity(text) {
        Ok((number, "%")) if number > 0.0 => Ok(number / 100.0),
        Err(error @ QuantityError::NoNumber(_)) => Err(Refused(error.what())),
        _ => Err(Refused(phrase!("'{text}' is no percentage above zero, such as 2%", text))),
    }
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let repo = ctx.repo()?;
    let (base, candidate) = (repo.resolve(&args.base)?, repo.resolve(&args.candidate)?);
    let sides = two_sides(&repo, &base, &candidate)?;
    let config = config(&args.what)?;
    let plan = Plan {
        key: format!("weigh-{}", &config.hash[..16]),
        sides,
        config,
        only: Vec::new(),
        max_rounds: args.pairs.map(|n| n as usize),
        budget: args.budget,
        seed: args.seed.unwrap_or_else(rand::random),
        checks: false,
        hidden: None,
        origins: false,
        turns: Vec::new(),
    };
    let measurement = take(ctx, &repo, &plan)?;
    measure::session::finish(&repo, &plan.key)?;
    let rows = compare::rows(&plan.config, &measurement, 0, 1);
    let complexity = complexity::weigh(&repo, &base, &candidate)?;
    let recommendation = recommend::recommend(&rows, &[], &complexity, &Policy::default());
    let recommendation = recommend::weigh_failures(recommendation, &measurement.samples, &measurement.failures, 0, 1);
    ctx.say(table::comparison(&rows, ctx.look()))?;
    super::measure::failed_runs(ctx, &measurement.sides, &measurement.samples, &measurement.failures)?;
    ctx.say(table::recommendation(&recommendation, ctx.look()))?;
    ctx.emit(
        "weigh",
        json!({
            "base": base, "candidate": candidate, "comparison": rows, "complexity": complexity,
            "recommendation": recommendation, "samples": measurement.samples, "seed": measurement.seed,
            "environment": measurement.environment, "failures": measurement.failures,
        }),
    )?;
    Ok(Exit::Done)
}

/// The configuration that the flags stand for.
pub fn config(args: &What) -> Result<Config, Failure> {
    if args.time.is_none() && args.sizes.is_empty() {
        return Err(Failure::usage("there is nothing to weigh").try_next("--time CMD, --size PATH or both"));
    }
    let step = |name: String, text: &str| -> Result<Step, Failure> {
        if text.trim().is_empty() {
            return Err(Failure::usage("a command is empty").try_next("--run CMD, --time CMD"));
        }
        Ok(Step { name, run: Command::Shell(text.into()), prepare: None, timeout: None, warmup: 0, once: false })
    };
    let metric = |name: String, source: Source, unit: Unit, default: f64| Metric {
        name,
        source,
        unit,
        better: Better::Lower,
        matters: Matters::Relative(Ratio(args.matters.unwrap_or(default))),
        limit: None,
    };
    let mut steps = Vec::new();
    for (index, text) in args.runs.iter().enumerate() {
        let name = if args.runs.len() == 1 { "run".to_string() } else { format!("run{}", index + 1) };
        steps.push(step(name, text)?);
    }
    let mut metrics = Vec::new();
    if let Some(text) = &args.time {
        steps.push(step("time".into(), text)?);
        let source = Source::Step { step: "time".into(), measure: Resource::Wall };
        metrics.push(metric("time".into(), source, Unit::Seconds, 0.05));
    }
    for (index, path) in args.sizes.iter().enumerate() {
        let name = if args.sizes.len() == 1 { "size".to_string() } else { format!("size{}", index + 1) };
        metrics.push(metric(name, Source::Path { path: path.clone(), compress: None }, Unit::Bytes, 0.01));
    }
    let text = format!("{steps:?}{metrics:?}");
    let hash = sha256(text);
    Ok(Config { steps, metrics, hash, ..Config::default() })
}
