//! `git verdict measure`: measures base and candidate, and records what was found.

use super::progress::Progress;
use super::recheck;
use super::start::identity;
use super::usage::Refused;
use super::{Ctx, Done};
use crate::config::{Config, Metric};
use crate::error::{Exit, Explain, Failure};
use crate::experiment::{Book, Experiment};
use crate::git::{Oid, Repo};
use crate::grounds::{self, ruler};
use crate::hidden;
use crate::hooks::run as hooks;
use crate::ledger::event::{Measured, Rechecked, Ruler, Verdict};
use crate::ledger::{Event, Fact, Ledger, Wanted};
use crate::measure::environment::{Environment, comparable};
use crate::measure::told::{told, told_all};
use crate::measure::{self, CheckResult, FailedRun, Known, MeasureError, Measurement, Plan, Runs, Sample, Side};
use crate::phrase;
use crate::phrase::Phrase;
use crate::policy::compare::StopRule;
use crate::policy::{compare, complexity, recommend};
use crate::render::text::{clean, wrap};
use crate::render::{strip, table};
use crate::units::parse_duration;
use serde_json::json;
use std::ops::ControlFlow;
use std::time::Duration;

/// How many pairs may be asked for.
pub const PAIRS: std::ops::RangeInclusive<u32> = 1..=10_000;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The experiment (default: the one whose branch is checked out)
    name: Option<String>,
    #[command(flatten)]
    how: How,
    /// Measure against this commit instead of the experiment's base
    #[arg(long, value_name = "REF")]
    against: Option<String>,
    /// Measure this experiment in the same session; may be given again
    #[arg(long, value_name = "EXPERIMENT")]
    with: Vec<String>,
    /// Measure what the post-commit hook has queued
    #[arg(long, conflicts_with_all = ["name", "against"])]
    queued: bool,
}

// How much to measure. No doc comment: clap would make it the `about` of the command that it is part of.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct How {
    /// Stop after N pairs at the latest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(i64::from(*PAIRS.start())..=i64::from(*PAIRS.end())))]
    pairs: Option<u32>,
    /// Begin no new pair after this long, such as 10m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    budget: Option<Duration>,
    /// Measure this metric only; may be given again
    #[arg(long = "metric", value_name = "METRIC")]
    metrics: Vec<String>,
    /// Do not take images, folders, archives and build logs apart to say where the change came from
    #[arg(long)]
    no_where: bool,
    /// Do not hold the base's ruler to a candidate that changed its own; the record says so
    #[arg(long)]
    own_ruler: bool,
    /// Do not run the checks
    #[arg(long)]
    no_checks: bool,
    /// Seed of the order within pairs (default: a new one, recorded)
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Measure the base even where an earlier record holds its exact readings
    #[arg(long)]
    fresh: bool,
    /// Run steps on these processors only, such as 2,3
    #[arg(long, value_name = "CPU", value_delimiter = ',')]
    pin: Vec<usize>,
    /// Run steps with this niceness, from -20 (most urgent) to 19
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(-20..=19))]
    nice: Option<i32>,
}

impl How {
    /// With so many pairs; as many as it takes when none is named.
    pub fn of_pairs(pairs: Option<u32>) -> How {
        How { pairs, ..How::default() }
    }
}

pub fn duration(text: &str) -> Result<Duration, Refused> {
    parse_duration(text).map_err(|error| Refused(error.what()))
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let repo = ctx.repo()?;
    let ledger = Ledger::open(&repo);
    if args.queued {
        let book = ledger.book_of(&Wanted { perhaps: hooks::queued(&repo), ..Wanted::default() })?;
        return queued(ctx, &repo, &ledger, &book, &args.how);
    }
    let mut wanted = ctx.wanted(&repo, args.name.as_deref())?;
    wanted.names.extend(args.with.iter().cloned());
    let book = ledger.book_of(&wanted)?;
    let experiment = ctx.experiment(&repo, &book, args.name.as_deref())?;
    let against = args.against.as_deref().map(|name| repo.resolve(name)).transpose()?;
    let mut experiments = vec![experiment];
    for name in &args.with {
        let other = book.find(name)?;
        if experiments.iter().any(|e| e.id == other.id) {
            return Err(Failure::usage(phrase!("experiment '{name}' is named twice", name = &other.name))
                .try_next("name each experiment once"));
        }
        experiments.push(other);
    }
    let events = measure_all(ctx, &repo, &ledger, &book, &experiments, &args.how, against)?;
    let mut values = Vec::new();
    for event in &events {
        let Fact::Measured(measured) = &event.fact else { continue };
        if events.len() > 1 {
            ctx.say(format!("{}:", clean(&event.name)))?;
        }
        show(ctx, measured)?;
        ctx.say(phrase!("next: {next}", next = format!("git verdict decide {}", event.name)))?;
        let even = super::rates::break_even(measured);
        values.push(json!({"experiment": event.name, "record": event.id, "measured": measured, "break_even": even}));
    }
    let mut first = values.remove(0);
    if !values.is_empty() {
        first["with"] = values.into();
    }
    ctx.emit("measure", first)?;
    Ok(Exit::Done)
}

/// Measures one experiment after the other, what was kept as it landed. A request that names neither is dropped.
fn queued(ctx: &Ctx, repo: &Repo, ledger: &Ledger<'_>, book: &Book, how: &How) -> Done {
    let mut records = Vec::new();
    for name in hooks::queued(repo) {
        match book.find(&name) {
            Ok(experiment) if experiment.is_open() && experiment.name == name => {
                ctx.note(phrase!("measuring {name}", name = &name));
                let event = measure(ctx, repo, ledger, book, experiment, how, None)?;
                let Fact::Measured(measured) = &event.fact else { unreachable!("measure writes a measured event") };
                show(ctx, measured)?;
                ctx.say(phrase!("next: {next}", next = format!("git verdict decide {name}")))?;
                records.push(json!({"experiment": name, "record": event.id}));
            }
            Ok(experiment) if experiment.verdict() == Some(Verdict::Keep) && experiment.name == name => {
                let mut session = recheck::Session::new(ctx, repo, ledger, how, false)?;
                session.run(&[experiment], Rechecked::Landed)?;
                let done = session.measured.iter().map(|one| json!({"experiment": name, "record": one["record"]}));
                records.extend(done);
            }
            _ => ctx.note(phrase!("note: no open experiment is named '{name}': its request is dropped", name = &name)),
        }
        hooks::unqueue(repo, &name);
    }
    if records.is_empty() {
        ctx.say("nothing is queued")?;
    }
    ctx.emit("measure-queued", json!({"measured": records}))?;
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
    if let Some(ruler) = &measured.ruler {
        ctx.say(ruler_mark(ruler))?;
        if !ruler.own.is_empty() {
            ctx.say("by the candidate's own ruler:")?;
            ctx.say(table::comparison(&ruler.own, look))?;
        }
    }
    if let Some(record) = measured.reused {
        ctx.say(phrase!("base readings reused from record {record}", record))?;
    }
    failed_runs(ctx, &measured.sides, &measured.samples, &measured.failures)?;
    for name in measured.hidden_checks.iter().flat_map(|ran| &ran.failed_on_base) {
        ctx.say(phrase!("hidden check {name} fails on the base, too", name = clean(name)))?;
    }
    for check in measured.checks.iter().filter(|check| !check.passed) {
        if check.hidden {
            ctx.say(phrase!("a hidden check failed: {name}", name = clean(&check.name)))?;
            continue;
        }
        let tail = if check.tail.is_empty() { String::new() } else { format!("\n{}", check.tail) };
        ctx.say(phrase!(
            "check {name} failed: {outcome}{tail}",
            name = &check.name,
            outcome = told(&check.outcome),
            tail
        ))?;
    }
    for origin in measured.known_origins() {
        if let Some(reason) = origin.attribution.reason() {
            let (name, what) = (clean(&origin.metric), ctx.tell(reason));
            ctx.say(wrap(&ctx.tell(phrase!("{name}: {what}", name, what = clean(&what))), look.width, 2))?;
        }
    }
    ctx.say(table::recommendation(&measured.recommendation, ctx.look()))
}

/// That the candidate changed what measures it.
pub fn ruler_mark(ruler: &Ruler) -> Phrase {
    let what = told_all(ruler.changed.iter().map(|name| clean(name)));
    match ruler.by_base {
        true => phrase!("these numbers are by the base's ruler, because the candidate changed its own: {what}", what),
        false => phrase!("the candidate changed what measures it: {what}", what),
    }
}

/// A line for each side whose runs failed, and one for each run.
pub fn failed_runs(ctx: &Ctx, sides: &[Side], samples: &[Sample], failures: &[FailedRun]) -> Result<(), Failure> {
    for (side, Side { name, .. }) in sides.iter().enumerate() {
        let Runs { failed, all } = measure::runs(samples, failures, side);
        if failed == 0 {
            continue;
        }
        ctx.say(phrase!(
            "flaky: {failed} of {all} runs of {name} failed; their pairs do not count",
            failed,
            all,
            name = clean(name)
        ))?;
        for run in failures.iter().filter(|run| run.side == side) {
            ctx.say(phrase!(
                "  pair {round}: {what} failed: {outcome}",
                round = run.round + 1,
                what = told(&clean(&run.what)),
                outcome = told(&clean(&run.outcome))
            ))?;
        }
    }
    Ok(())
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
    let mut events = measure_all(ctx, repo, ledger, book, &[experiment], how, against)?;
    Ok(events.remove(0))
}

/// A candidate in a session: its commits, and the sides that they are.
pub struct Arm {
    /// Its name among several.
    pub name: String,
    pub base: Oid,
    pub candidate: Oid,
    sides: (usize, usize),
    /// What it changed of its own ruler.
    changed: ruler::Changed,
    /// The candidate with the base's files that measure.
    overlay: Option<usize>,
    /// The base's configuration, where it is held to that.
    ruler: Option<Config>,
}

impl Arm {
    /// Two commits that nothing is known of yet.
    pub fn new(name: &str, base: Oid, candidate: Oid) -> Arm {
        let changed = ruler::Changed::default();
        Arm { name: name.into(), base, candidate, sides: (0, 1), changed, overlay: None, ruler: None }
    }
}

/// What a session brought home, an entry for each arm. Its samples stay saved until [`Held::finish`].
pub struct Held {
    pub measured: Vec<Measured>,
    keys: Vec<String>,
}

impl Held {
    /// All of it is recorded, or need not be.
    pub fn finish(&self, repo: &Repo) -> Result<(), Failure> {
        Ok(self.keys.iter().try_for_each(|key| measure::session::finish(repo, key))?)
    }
}

/// Measures experiments in one session, each against its own base, and appends a record for each, in their order.
pub fn measure_all(
    ctx: &Ctx,
    repo: &Repo,
    ledger: &Ledger<'_>,
    book: &Book,
    experiments: &[&Experiment],
    how: &How,
    against: Option<Oid>,
) -> Result<Vec<Event>, Failure> {
    let mut arms = Vec::new();
    for experiment in experiments {
        arms.push(arm(repo, book, experiment, against.as_ref())?);
    }
    if repo.workdir().is_ok() {
        let dirty = repo.uncommitted()?;
        if !dirty.tracked.is_empty() {
            ctx.note("note: uncommitted changes are not measured; commit them to have them counted");
        }
    }
    let config = ctx.config(repo, arms.first().map(|arm| &arm.candidate))?;
    let key = experiments.iter().map(|e| e.name.as_str()).collect::<Vec<_>>().join("+");
    let mut held = hold(ctx, repo, ledger, &key, how, config, arms)?;
    let mut events = Vec::new();
    for (experiment, measured) in experiments.iter().zip(std::mem::take(&mut held.measured)) {
        events.push(ledger.draft(experiment.id, &experiment.name, Fact::Measured(Box::new(measured)))?);
    }
    ledger.append_all(&events)?;
    held.finish(repo)?;
    Ok(events)
}

/// Measures candidates in one session, each against its own base. What one changed of its own ruler is marked, and it is held to
/// the base's: to its files in the same session, to its configuration in one more.
pub fn hold(
    ctx: &Ctx,
    repo: &Repo,
    ledger: &Ledger<'_>,
    key: &str,
    how: &How,
    config: Config,
    mut arms: Vec<Arm>,
) -> Result<Held, Failure> {
    let mut rulers = Vec::new();
    for arm in &mut arms {
        arm.changed = ruler::changed(repo, &config, &arm.base, &arm.candidate)?;
        if !how.own_ruler && !arm.changed.config.is_empty() {
            arm.ruler = grounds::config_of(repo, &arm.base)?;
            rulers.extend(arm.ruler.clone().map(|ruler| (ruler, arm.base.clone())));
        }
    }
    let commits: Vec<Oid> = arms.iter().flat_map(|arm| [arm.candidate.clone(), arm.base.clone()]).collect();
    super::trust::gate_with(ctx, repo, &config, &commits, &rulers)?;
    let mut sides = sides(repo, &mut arms)?;
    for arm in &mut arms {
        if !how.own_ruler && !arm.changed.files.is_empty() {
            let commit = repo.with_files_of(&arm.base, &arm.candidate, &arm.changed.files)?;
            let name = format!("{}-by-base", sides[arm.sides.1].name);
            arm.overlay = Some(sides.len());
            sides.push(Side { name, tree: repo.commit(&commit)?.tree, commit });
        }
    }
    let plan = plan(repo, key, config, how, sides)?;
    let known = if how.fresh { None } else { known(repo, ledger, &plan)? };
    let overlaid = arms.iter().filter_map(|arm| Some((arm.sides.0, arm.overlay?)));
    let against = arms.iter().map(|arm| arm.sides).chain(overlaid).collect();
    let measurement = take_with(ctx, repo, &plan, known.as_ref(), against)?;
    let mut held = Held { measured: Vec::new(), keys: vec![plan.key.clone()] };
    for arm in &arms {
        let own = measurement.seen_from(arm.sides.0, arm.sides.1);
        let by_base =
            arm.ruler.as_ref().map(|ruler| by_config(ctx, repo, ledger, how, &plan, arm, ruler)).transpose()?;
        let by_base = by_base.flatten();
        held.keys.extend(by_base.iter().map(|(plan, _)| plan.key.clone()));
        let whole = by_base.is_some() || (arm.overlay.is_some() && arm.changed.config.is_empty());
        let (config, mut seen) = match by_base {
            Some((plan, seen)) => (plan.config, seen),
            None => (plan.config.clone(), measurement.seen_from(arm.sides.0, arm.overlay.unwrap_or(arm.sides.1))),
        };
        // What lands is the candidate with its own ruler: there, too, no check may fail.
        for check in own.checks.iter().filter(|check| !check.passed) {
            let same = |other: &&mut CheckResult| other.hidden == check.hidden && other.name == check.name;
            match seen.checks.iter_mut().find(same) {
                Some(other) => *other = check.clone(),
                None => seen.checks.push(check.clone()),
            }
        }
        let mut measured = judged(repo, &config, seen, &arm.base, &arm.candidate)?;
        if !arm.changed.is_empty() {
            let rows = |own: &Measurement| compare::rows(&plan.config, own, 0, 1);
            let own = if whole || arm.overlay.is_some() { rows(&own) } else { Vec::new() };
            let changed = arm.changed.names();
            recommend::weigh_ruler(&mut measured.recommendation, &changed, whole, &measured.comparison, &own);
            measured.ruler = Some(Ruler { changed, by_base: whole, own });
        }
        held.measured.push(measured);
    }
    Ok(held)
}

/// Measures a candidate under the configuration of its base. None when that cannot be done any more: a step of the base fails
/// on the candidate, or what is asked for was no metric then.
fn by_config(
    ctx: &Ctx,
    repo: &Repo,
    ledger: &Ledger<'_>,
    how: &How,
    own: &Plan,
    arm: &Arm,
    ruler: &Config,
) -> Result<Option<(Plan, Measurement)>, Failure> {
    let known_then = |name: &String| ruler.metric(name).is_some();
    if ruler.metrics.is_empty() || !how.metrics.iter().all(known_then) {
        return Ok(None);
    }
    let commit = &own.sides[arm.overlay.unwrap_or(arm.sides.1)].commit;
    let sides = two_sides(repo, &arm.base, commit)?;
    let plan = plan(repo, &format!("{}:by-base", arm.name), ruler.clone(), how, sides)?;
    let known = if how.fresh { None } else { known(repo, ledger, &plan)? };
    ctx.note(phrase!("measuring {name}", name = format!("{} ({})", arm.name, arm.base.short())));
    match take_with(ctx, repo, &plan, known.as_ref(), vec![(0, 1)]) {
        Ok(seen) => Ok(Some((plan, seen))),
        Err(error @ (MeasureError::Step { .. } | MeasureError::Flaky { .. } | MeasureError::Metric { .. })) => {
            ctx.note(phrase!("note: the base's verdict.toml cannot be held to it: {problem}", problem = error.what()));
            measure::session::finish(repo, &plan.key)?;
            Ok(None)
        }
        Err(other) => Err(other.into()),
    }
}

/// What is recorded of the first two sides of a session.
pub fn judged(
    repo: &Repo,
    config: &Config,
    seen: Measurement,
    base: &Oid,
    candidate: &Oid,
) -> Result<Measured, Failure> {
    let rows = compare::rows(config, &seen, 0, 1);
    let complexity = complexity::weigh(repo, base, candidate)?;
    let recommendation = recommend::recommend(&rows, &seen.checks, &complexity, &config.policy);
    let recommendation = recommend::weigh_failures(recommendation, &seen.samples, &seen.failures, 0, 1);
    Ok(Measured {
        session: seen.id,
        base: identity(repo, base, None)?,
        candidate: identity(repo, candidate, Some(base))?,
        sides: seen.sides,
        seed: seen.seed,
        config_hash: seen.config_hash,
        environment: seen.environment,
        samples: seen.samples,
        checks: seen.checks,
        comparison: rows,
        complexity,
        recommendation,
        failures: seen.failures,
        reused: seen.reused,
        origins: seen.origins,
        assumptions: Some(grounds::assumptions(repo, config, base, candidate)?),
        hidden_checks: seen.hidden,
        ruler: None,
        rechecks: None,
    })
}

/// The commits of an experiment that can be measured.
fn arm(repo: &Repo, book: &Book, experiment: &Experiment, against: Option<&Oid>) -> Result<Arm, Failure> {
    experiment.must_be_open()?;
    let candidate = tip(repo, experiment)?;
    let base = match against {
        Some(base) => base.clone(),
        None => base_of(repo, book, experiment, &candidate)?,
    };
    if base == candidate {
        return Err(Failure::state(phrase!("experiment '{name}' has no commit yet", name = &experiment.name))
            .because(phrase!("its branch {branch} is where it started", branch = experiment.branch()))
            .try_next("git commit the change; only committed state is measured"));
    }
    Ok(Arm::new(&experiment.name, base, candidate))
}

/// The sides of a session, each commit once: first a base that is nobody's candidate, so that checks run on every candidate.
fn sides(repo: &Repo, arms: &mut [Arm]) -> Result<Vec<Side>, Failure> {
    let alone = arms.len() == 1;
    let is_candidate = |commit: &Oid| arms.iter().any(|arm| arm.candidate == *commit);
    let mut named: Vec<(String, Oid)> = Vec::new();
    for arm in arms.iter().filter(|arm| !is_candidate(&arm.base)) {
        if !named.iter().any(|(_, commit)| *commit == arm.base) {
            let name = if named.is_empty() { "base".to_string() } else { format!("base-{}", arm.name) };
            named.push((name, arm.base.clone()));
        }
    }
    for arm in arms.iter() {
        if !named.iter().any(|(_, commit)| *commit == arm.candidate) {
            let name = if alone { "candidate".to_string() } else { arm.name.clone() };
            named.push((name, arm.candidate.clone()));
        }
    }
    let place = |commit: &Oid| named.iter().position(|(_, c)| c == commit);
    for arm in arms.iter_mut() {
        if let (Some(base), Some(candidate)) = (place(&arm.base), place(&arm.candidate)) {
            arm.sides = (base, candidate);
        }
    }
    let side = |(name, commit): (String, Oid)| -> Result<Side, Failure> {
        Ok(Side { name, tree: repo.commit(&commit)?.tree, commit })
    };
    named.into_iter().map(side).collect()
}

/// Readings of the base in an earlier record, for a plan of exact metrics only: the same tree, configuration and
/// environment, each metric read twice and the same both times. The newest record counts.
fn known(repo: &Repo, ledger: &Ledger<'_>, plan: &Plan) -> Result<Option<Known>, Failure> {
    let exact = plan.metrics().all(|metric| metric.source.exact());
    let Some(tree) = plan.sides.first().map(|side| &side.tree).filter(|_| exact) else { return Ok(None) };
    let mut records = Vec::new();
    ledger.each_record(&mut |record| {
        if record.row.kind == "measured"
            && record.mentions(&plan.config.hash)
            && let Some(Event { id, fact: Fact::Measured(measured), .. }) = record.event()
            && measured.config_hash == plan.config.hash
            && measured.sides.iter().any(|side| side.tree == *tree)
        {
            records.push((id, measured));
        }
        ControlFlow::Continue(())
    })?;
    let dir = repo.workdir().unwrap_or(repo.git_dir());
    if records.is_empty() {
        return Ok(None);
    }
    let here = Environment::of_work(&plan.config, dir).on(&plan.config.placement);
    let hidden = plan.hidden.as_ref().filter(|_| plan.checks).map(|hidden| &hidden.digest);
    records.retain(|(_, measured)| comparable(&measured.environment, &here).is_ok());
    Ok(records.into_iter().find_map(|(id, _)| {
        // The index has no samples.
        let Fact::Measured(measured) = ledger.find(id).ok()??.fact else { return None };
        let side = measured.sides.iter().position(|side| side.tree == *tree)?;
        let reading = |metric: &Metric| {
            let of_side = measured.samples.iter().filter(|sample| sample.side == side);
            let values: Vec<f64> = of_side.filter_map(|s| s.values.get(&metric.name)).copied().collect();
            let same = values.len() >= 2 && values.iter().all(|value| *value == values[0]);
            same.then(|| (metric.name.clone(), values[0]))
        };
        let values = plan.metrics().map(reading).collect::<Option<_>>()?;
        // Readings that were reused themselves come from where they were taken.
        let record = measured.reused.filter(|_| side == 0).unwrap_or(id);
        let ran = measured.hidden_checks.as_ref();
        let same = ran.map(|ran| &ran.digest) == hidden && (hidden.is_none() || side == 0);
        let failed = ran.map(|ran| ran.failed_on_base.clone()).unwrap_or_default();
        same.then_some(Known { record, values, failed })
    }))
}

/// Runs a plan with progress: every side against the first.
pub fn take(ctx: &Ctx, repo: &Repo, plan: &Plan) -> Result<Measurement, MeasureError> {
    take_with(ctx, repo, plan, None, (1..plan.sides.len()).map(|side| (0, side)).collect())
}

fn take_with(
    ctx: &Ctx,
    repo: &Repo,
    plan: &Plan,
    known: Option<&Known>,
    against: Vec<(usize, usize)>,
) -> Result<Measurement, MeasureError> {
    let mut rule = StopRule::new(plan).comparing(against);
    let mut progress = Progress::new(ctx, plan.sides.iter().map(|side| side.name.clone()).collect());
    let mut next = |samples: &[Sample]| rule.next(samples);
    let taken = measure::run_with(repo, plan, known, &mut next, &mut |event| progress.tell(event));
    progress.finish();
    taken
}

/// Two commits as the sides of a plan.
pub fn two_sides(repo: &Repo, base: &Oid, candidate: &Oid) -> Result<Vec<Side>, Failure> {
    let side = |name: &str, commit: &Oid| -> Result<Side, Failure> {
        Ok(Side { name: name.into(), commit: commit.clone(), tree: repo.commit(commit)?.tree })
    };
    Ok(vec![side("base", base)?, side("candidate", candidate)?])
}

/// The metric of that name.
pub fn named_metric<'c>(config: &'c Config, name: &str) -> Result<&'c Metric, Failure> {
    config.metric(name).ok_or_else(|| {
        let names = config.metrics.iter().map(|m| m.name.as_str());
        let nearest = crate::config::nearest(name, names.clone());
        Failure::usage(phrase!("there is no metric '{name}'", name = clean(name)))
            .because(phrase!(
                "{file} has {names}",
                file = crate::config::FILE_NAME,
                names = names.collect::<Vec<_>>().join(", ")
            ))
            .try_next(nearest.map_or("--metric NAME".into(), |name| phrase!("--metric {name}", name)))
    })
}

/// What these flags ask for.
pub fn plan(repo: &Repo, key: &str, mut config: Config, how: &How, sides: Vec<Side>) -> Result<Plan, Failure> {
    for name in &how.metrics {
        named_metric(&config, name)?;
    }
    if config.metrics.is_empty() {
        return Err(Failure::usage(phrase!("{file} has no metric", file = crate::config::FILE_NAME))
            .try_next("add a [metrics.NAME] table to it"));
    }
    if !how.pin.is_empty() {
        config.placement.pin = how.pin.clone();
    }
    config.placement.nice = how.nice.or(config.placement.nice);
    Ok(Plan {
        key: key.to_string(),
        sides,
        config,
        only: how.metrics.clone(),
        max_rounds: how.pairs.map(|n| n as usize),
        budget: how.budget,
        seed: how.seed.unwrap_or_else(rand::random),
        checks: !how.no_checks,
        hidden: hidden::load(repo)?,
        origins: !how.no_where,
        turns: Vec::new(),
    })
}

/// The commit that an experiment's branch is at.
pub fn tip(repo: &Repo, experiment: &Experiment) -> Result<Oid, Failure> {
    repo.branch(experiment.branch())?.ok_or_else(|| {
        Failure::state(phrase!(
            "the branch {branch} of experiment '{name}' is gone",
            branch = experiment.branch(),
            name = &experiment.name
        ))
        .try_next(phrase!("git branch {branch} COMMIT", branch = experiment.branch()))
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
