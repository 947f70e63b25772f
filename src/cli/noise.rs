//! `git verdict doctor --noise`: the same commit against itself, to see what this machine's noise allows.

use super::progress::Progress;
use super::{Ctx, Done};
use crate::config::{Better, Command, Config, Matters, Metric, Resource, Source, Step};
use crate::digest::sha256;
use crate::error::{Exit, Failure};
use crate::measure::{self, Next, Plan, Sample, Side};
use crate::phrase;
use crate::phrase::plural;
use crate::policy::{compare, noise};
use crate::render::table::{self, Column};
use crate::render::text::clean;
use crate::units::{Ratio, Unit};
use serde_json::json;
use std::time::{Duration, Instant};

/// How long it takes unless a budget is given.
const BUDGET: Duration = Duration::from_secs(120);

/// So many pairs are taken whatever the budget.
const FEWEST_PAIRS: usize = 4;

/// More pairs than this say nothing more about a session that ends earlier.
const MOST_PAIRS: usize = 120;

/// Trials for each effect.
const TRIALS: usize = 200;

/// Runs the workloads and tells what was seen.
pub fn run(ctx: &Ctx, budget: Option<Duration>, commands: &[String]) -> Done {
    let repo = ctx.repo()?;
    let commit = repo.resolve("HEAD")?;
    let tree = repo.commit(&commit)?.tree;
    let side = |name: &str| Side { name: name.into(), commit: commit.clone(), tree: tree.clone() };
    let config = config(ctx, &repo, commands)?;
    let budget = budget.unwrap_or(BUDGET);
    let plan = Plan {
        key: format!("noise-{}", &config.hash[..16]),
        sides: vec![side("base"), side("again")],
        config,
        only: Vec::new(),
        max_rounds: Some(MOST_PAIRS),
        // In the rule below, which takes the fewest pairs in any case.
        budget: None,
        seed: rand::random(),
        checks: false,
        hidden: None,
        origins: false,
        turns: Vec::new(),
    };
    let mut progress = Progress::new(ctx, plan.sides.iter().map(|side| side.name.clone()).collect());
    let begun = Instant::now();
    let mut more = |samples: &[Sample]| {
        let (taken, spent) = (samples.len() / 2, begun.elapsed());
        if taken >= FEWEST_PAIRS && spent >= budget {
            return Next::Stop;
        }
        let share = budget.as_secs_f64() / spent.as_secs_f64().max(1e-9);
        let in_all = (taken as f64 * share).clamp(FEWEST_PAIRS as f64, MOST_PAIRS as f64) as usize;
        Next::More { rounds: 1, expected: in_all.saturating_sub(taken).max(1) }
    };
    let taken = measure::run(&repo, &plan, &mut more, &mut |event| progress.tell(event));
    progress.finish();
    let taken = taken?;
    measure::session::finish(&repo, &plan.key)?;
    let rows = compare::rows(&plan.config, &taken, 0, 1);
    let mut lines = Vec::new();
    let mut values = Vec::new();
    for metric in plan.metrics() {
        let pairs = taken.pairs(&metric.name, 0, 1);
        let Some(study) = noise::study(&pairs, TRIALS, taken.seed) else {
            return Err(Failure::state(phrase!(
                "{name} gave {n} pair{s}",
                name = clean(&metric.name),
                n = pairs.len(),
                s = plural(pairs.len())
            ))
            .because("at least two are needed to say anything")
            .try_next("git verdict doctor --noise --budget 10m"));
        };
        let effect = study.smallest_effect.map_or_else(|| ctx.tell("none found"), |e| format!("{} %", e * 100.0));
        let word = rows.iter().find(|row| row.metric == metric.name).map(|row| row.word);
        lines.push(vec![
            metric.name.as_str().into(),
            pairs.len().to_string().into(),
            ctx.tell(phrase!(
                "{n} of {all} ({share} %)",
                n = study.false_claims,
                all = study.trials,
                share = format!("{:.1}", study.false_claim_rate() * 100.0)
            ))
            .into(),
            effect.into(),
        ]);
        values.push(json!({
            "metric": metric.name, "pairs_taken": pairs.len(), "study": study,
            "false_claim_rate": study.false_claim_rate(), "word": word, "readings": pairs,
        }));
    }
    let columns = [
        Column::word(ctx.tell("metric")),
        Column::number(ctx.tell("pairs")),
        Column::number(ctx.tell("false claims")),
        Column::number(ctx.tell("smallest effect")),
    ];
    ctx.say(table::table(&columns, &lines, ctx.look()))?;
    super::measure::failed_runs(ctx, &taken.sides, &taken.samples, &taken.failures)?;
    ctx.say(phrase!("false claims: trials in which the same commit against itself was called different; smallest effect: found in {share} % of \
         trials within this budget", share = (noise::POWER * 100.0).to_string()))?;
    ctx.say("next: set 'matters' no smaller than the smallest effect, or give measure a larger --budget")?;
    ctx.emit(
        "noise",
        json!({
            "budget_seconds": budget.as_secs_f64(), "commit": commit, "seed": taken.seed, "any": noise::ANY,
            "power": noise::POWER, "environment": taken.environment, "metrics": values, "failures": taken.failures,
        }),
    )?;
    Ok(Exit::Done)
}

/// The commands given, else the steps and sampled metrics of `verdict.toml`, else a workload of each kind.
fn config(ctx: &Ctx, repo: &crate::git::Repo, commands: &[String]) -> Result<Config, Failure> {
    if commands.iter().any(|command| command.trim().is_empty()) {
        return Err(Failure::usage("a command is empty").try_next("--run CMD"));
    }
    let own = repo.workdir().ok().map(Config::load).transpose()?.flatten();
    if let Some(mut config) = own.filter(|_| commands.is_empty()) {
        config.metrics.retain(|metric| !metric.source.exact());
        if !config.metrics.is_empty() {
            return Ok(config);
        }
    }
    if commands.is_empty() {
        ctx.note("note: no metric here varies, so two workloads of git-verdict's own are run");
        return Ok(timed(&[
            ("cpu", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"),
            (
                "io",
                "dd if=/dev/zero of=git-verdict-noise bs=1048576 count=32 2>/dev/null && sync && rm git-verdict-noise",
            ),
        ]));
    }
    let named: Vec<(String, &str)> = match commands {
        [one] => vec![("run".into(), one)],
        many => many.iter().enumerate().map(|(i, command)| (format!("run{}", i + 1), command.as_str())).collect(),
    };
    Ok(timed(&named.iter().map(|(name, command)| (name.as_str(), *command)).collect::<Vec<_>>()))
}

/// A configuration that times each command.
fn timed(commands: &[(&str, &str)]) -> Config {
    let step = |(name, text): &(&str, &str)| Step {
        name: name.to_string(),
        run: Command::Shell(text.to_string()),
        prepare: None,
        timeout: None,
        warmup: 1,
        once: false,
    };
    let metric = |(name, _): &(&str, &str)| Metric {
        name: name.to_string(),
        source: Source::Step { step: name.to_string(), measure: Resource::Wall },
        unit: Unit::Seconds,
        better: Better::Lower,
        matters: Matters::Relative(Ratio(0.05)),
        limit: None,
    };
    let hash = sha256(format!("{commands:?}"));
    Config {
        steps: commands.iter().map(step).collect(),
        metrics: commands.iter().map(metric).collect(),
        hash,
        ..Config::default()
    }
}
