//! The rounds of a session: what runs when, what is read, when it ends.
//!
//! A round is one run of each side, or of those whose turn it is ([`Plan::turns`]), in random order. On a side all steps run in
//! the order of the configuration (`prepare` first, not measured), then the metrics that are due are read. All steps run whatever
//! is selected, because files and images come from them.
//!
//! - Sizes are exact: they are read in the first two rounds, the second time to prove it. One that varies is read in
//!   every round from then on, like a time. When nothing else is measured, proof ends the session.
//! - Checks run after the first round, once on every side but the base; hidden ones on the base, too, and those that fail. One
//!   that fails is a result, not an error.
//! - The rule is asked after the first round and then when it said it wants to be. A session that goes on asks it the
//!   same questions again, over the saved samples, so that it ends where it would have ended.
//! - A run that fails on a side that was read before is recorded, and its round is no pair; measuring goes on until
//!   more than three runs of a side have failed and they are over a fifth of its runs, or so many in a row. A
//!   side that fails in its first run ends the session with the error.
//! - A half taken round of an interrupted session is completed in the same order, not taken again.

use super::anatomy::{self, Anatomy, Origin};
use super::environment::{COUNTER, Environment};
use super::pace::Pace;
use super::placement::Placement;
use super::runner::{self, Finished, Job, Outcome, Sink};
use super::session::{self, Aside, Session};
use super::source::instructions::Counter;
use super::source::{self, Place, Trouble};
use super::told::BASE_FAILS;
use super::worktree::{self, Worktrees};
use super::{
    CheckResult, Event, FailedRun, HIDDEN, HiddenRun, Known, MeasureError, Measurement, Next, Plan, Sample, interrupt,
};
use crate::config::{Check, Command, Metric, Resource, Source, Step};
use crate::git::Repo;
use crate::hidden::{Hidden, HiddenError};
use crate::phrase;
use crate::phrase::{Phrase, plural};
use crate::units::Unit;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use ulid::Ulid;

/// So many runs of a side may fail before failing ends the session.
const PATIENCE: usize = 3;

/// The order of sides in a round: the same for the same seed, whatever was taken before.
pub fn order(seed: u64, round: usize, sides: usize) -> Vec<usize> {
    // The odd constant of SplitMix64 keeps the seeds of neighbouring rounds far apart.
    let mut random = StdRng::seed_from_u64(seed ^ (round as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut order: Vec<usize> = (0..sides).collect();
    order.shuffle(&mut random);
    order
}

pub(super) fn run(
    repo: &Repo,
    plan: &Plan,
    known: Option<&Known>,
    rule: &mut dyn FnMut(&[Sample]) -> Next,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<Measurement, MeasureError> {
    let _guard = interrupt::Guard::new().map_err(|source| MeasureError::Io { path: "signals".into(), source })?;
    let (placement, refused) = plan.config.placement.granted();
    let dir = repo.workdir().unwrap_or(repo.git_dir());
    let mut environment = Environment::of_work(&plan.config, dir).on(&placement);
    let mut counter = None;
    if let Some(metric) = plan.metrics().find(|m| counts(&m.source)) {
        let found = Counter::find();
        let (how, name) = found.map_err(|problem| MeasureError::NoCounter { metric: metric.name.clone(), problem })?;
        environment.more.insert(COUNTER.into(), name);
        counter = Some(how);
    }
    let (session, found) = Session::open(repo, plan, environment, known.map(|k| k.record))?;
    for note in refused {
        observe(Event::Note(note));
    }
    if let Some(Aside { why, path, whole }) = found.aside {
        let path = path.display();
        observe(Event::Note(match whole {
            true => phrase!(
                "an earlier session is set aside: {why}; what it was measured for goes on with it ({path})",
                why,
                path
            ),
            false => phrase!("an earlier session is set aside in {path}: {why}", path, why),
        }));
    }
    if found.resumed {
        let (rounds, samples) = (session.complete_rounds(), session.samples.len());
        observe(Event::Note(phrase!(
            "goes on where it stopped: {rounds} complete round{s} and {samples} sample{s2} are saved",
            rounds,
            s = plural(rounds),
            samples,
            s2 = plural(samples)
        )));
    }
    if let Some(known) = known {
        let on = chrono::DateTime::from_timestamp_millis(known.record.timestamp_ms() as i64).unwrap_or_default();
        observe(Event::Note(phrase!(
            "base readings reused from record {record} of {day}; --fresh takes them again",
            record = known.record,
            day = on.format("%Y-%m-%d").to_string()
        )));
    }
    match worktree::clean_leftovers(repo) {
        Ok(0) => {}
        Ok(n) => observe(Event::Note(phrase!(
            "{n} session{s} that had been killed left worktrees behind: removed",
            n,
            s = plural(n)
        ))),
        Err(error) => observe(Event::Note(phrase!(
            "worktrees of a killed session could not be removed: {error}",
            error = full(&error)
        ))),
    }
    let logs = repo.verdict_dir()?.join("logs").join(session::file_name(&plan.key));
    std::fs::create_dir_all(&logs).map_err(|source| MeasureError::Io { path: logs.display().to_string(), source })?;
    let mut engine = Engine {
        repo,
        plan,
        known,
        placement,
        counter,
        session,
        observe,
        logs,
        trees: None,
        built: BTreeSet::new(),
        looked: BTreeSet::new(),
        varying: BTreeSet::new(),
        begun: Instant::now(),
        complete: 0,
        pace: Pace::default(),
        anatomies: BTreeMap::new(),
        expected: None,
    };
    let result = engine.rounds(rule);
    let origins = engine.origins();
    let hidden = engine.hidden_run();
    let Engine { session, trees, .. } = engine;
    for name in slow_starts(plan, &session.samples) {
        observe(Event::Note(phrase!(
            "{name}: the first run of every side is far slower than all others; warmup = 1 in its step leaves it out",
            name
        )));
    }
    if let Some(Err(error)) = trees.map(Worktrees::close) {
        observe(Event::Note(phrase!("a worktree could not be removed: {error}", error = full(&error))));
    }
    match result {
        Ok(()) => Ok(Measurement {
            id: session.header.id,
            sides: session.header.sides.clone(),
            seed: session.header.seed,
            config_hash: session.header.config_hash.clone(),
            environment: session.header.environment.clone(),
            samples: session.samples.clone(),
            checks: session.checks.iter().filter(|check| check.side != 0 || !check.hidden).cloned().collect(),
            hidden,
            failures: session.failures.clone(),
            reused: session.header.reused,
            origins,
        }),
        // Whatever fails while stopping is asked for fails because of it.
        Err(_) if interrupt::requested() => Err(MeasureError::Interrupted { rounds: session.complete_rounds() }),
        Err(error) => Err(error),
    }
}

fn full(error: &MeasureError) -> String {
    use std::error::Error;
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// A run's place in the session.
#[derive(Clone, Copy)]
struct Turn {
    round: usize,
    place: usize,
    side: usize,
    at: f64,
}

struct Engine<'a> {
    repo: &'a Repo,
    plan: &'a Plan,
    /// Readings of the base that need not be taken.
    known: Option<&'a Known>,
    /// What the system granted.
    placement: Placement,
    /// What counts instructions, when a metric wants them.
    counter: Option<Counter>,
    session: Session,
    observe: &'a mut dyn FnMut(Event<'_>),
    logs: PathBuf,
    /// Made when something is first run.
    trees: Option<Worktrees>,
    /// Sides whose steps have run in this process.
    built: BTreeSet<usize>,
    /// Sides whose artefacts were taken apart.
    looked: BTreeSet<usize>,
    /// Metrics that should be exact and are not.
    varying: BTreeSet<String>,
    begun: Instant,
    /// Rounds so far with a sample of every side.
    complete: usize,
    /// How long the samples of this process take.
    pace: Pace,
    /// What each side's artefacts are made of, by metric.
    anatomies: BTreeMap<(usize, String), Anatomy>,
    /// In how many rounds the rule expects to end.
    expected: Option<usize>,
}

impl Engine<'_> {
    fn rounds(&mut self, rule: &mut dyn FnMut(&[Sample]) -> Next) -> Result<(), MeasureError> {
        let plan = self.plan;
        let all_exact = plan.metrics().all(|m| m.source.exact());
        let mut ask_at = 1;
        for round in 0.. {
            let saved = plan.sides_of(round).into_iter().all(|side| self.session.has(round, side));
            if !saved {
                if round > 0 && plan.budget.is_some_and(|b| self.begun.elapsed() >= b) {
                    break;
                }
                self.round(round)?;
            }
            if self.session.whole(round) {
                self.complete += 1;
            }
            let complete = self.complete;
            if round == 0 && plan.checks {
                self.checks()?;
            }
            if complete == 2 {
                self.find_varying();
            }
            if plan.max_rounds.is_some_and(|max| complete >= max) || plan.metrics().next().is_none() {
                break;
            }
            if all_exact && self.varying.is_empty() {
                if complete >= 2 {
                    break;
                }
                continue;
            }
            if complete < ask_at {
                continue;
            }
            let upto = self.session.samples.iter().take_while(|s| s.round <= round).count();
            match rule(&self.session.samples[..upto]) {
                Next::Stop => break,
                Next::More { rounds, expected } => {
                    ask_at = complete + rounds.max(1);
                    self.expected = Some(complete + expected.max(rounds));
                }
            }
        }
        Ok(())
    }

    fn round(&mut self, round: usize) -> Result<(), MeasureError> {
        let sides = self.plan.sides_of(round);
        let order = order(self.session.header.seed, round, sides.len());
        for (place, side) in order.into_iter().map(|turn| sides[turn]).enumerate() {
            if self.session.has(round, side) {
                continue;
            }
            self.pace.begin();
            let begun = Instant::now();
            let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
            match self.values(round, side) {
                Ok(values) => self.session.add_sample(Sample { round, place, side, at, values })?,
                Err(error) => {
                    self.fail(Turn { round, place, side, at }, error)?;
                    continue;
                }
            }
            self.pace.sampled(begun.elapsed());
            let left = self.left();
            if let Some(sample) = self.session.samples.last() {
                (self.observe)(Event::Sampled { sample, all: &self.session.samples, left });
            }
        }
        Ok(())
    }

    /// How long is likely left: as many samples as are expected, at the pace of those taken.
    fn left(&self) -> Option<Duration> {
        let sides = self.plan.sides_of(0).len();
        let rounds = match (self.expected, self.plan.max_rounds) {
            (Some(expected), Some(max)) => Some(expected.min(max)),
            (expected, max) => expected.or(max),
        };
        let of_rounds =
            rounds.and_then(|rounds| self.pace.of((rounds * sides).saturating_sub(self.session.samples.len())));
        let of_budget = self.plan.budget.map(|b| b.saturating_sub(self.begun.elapsed()));
        match (of_rounds, of_budget) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// One run of a side: all steps, then the metrics that are due.
    fn values(&mut self, round: usize, side: usize) -> Result<BTreeMap<String, f64>, MeasureError> {
        let proved = self.complete >= 2;
        if let Some(known) = self.known.filter(|_| side == 0 && !proved) {
            return Ok(known.values.clone());
        }
        let ran = self.steps(side, Some(round))?;
        let mut values = BTreeMap::new();
        for metric in self.plan.metrics() {
            if proved && metric.source.exact() && !self.varying.contains(&metric.name) {
                continue;
            }
            let value = self.read(metric, side, round, &ran)?;
            values.insert(metric.name.clone(), value);
        }
        if self.plan.origins && self.looked.insert(side) {
            let begun = Instant::now();
            self.look(side, &values)?;
            self.pace.once(begun.elapsed());
        }
        Ok(values)
    }

    /// Takes a side's artefacts apart, once in a session.
    fn look(&mut self, side: usize, values: &BTreeMap<String, f64>) -> Result<(), MeasureError> {
        let root = self.tree(side)?;
        for metric in self.plan.metrics() {
            let Some(&value) = values.get(&metric.name) else { continue };
            let log = match &metric.source {
                Source::Step { step, .. } | Source::BuildStep { step, .. } => {
                    Some(self.log(side, &format!("step {step}"), ".log"))
                }
                _ => None,
            };
            self.begin(side, &format!("what {name} is made of", name = metric.name), None);
            if let Some(anatomy) = anatomy::look(&metric.source, value, &root, log.as_deref(), &self.plan.config.steps)
            {
                self.anatomies.insert((side, metric.name.clone()), anatomy);
            }
        }
        Ok(())
    }

    /// Where the changes between each two sides came from.
    fn origins(&self) -> Vec<Origin> {
        let mut origins = Vec::new();
        for metric in self.plan.metrics() {
            let at = |side| self.anatomies.get(&(side, metric.name.clone()));
            for (first, second) in (0..self.plan.sides.len()).flat_map(|j| (0..j).map(move |i| (i, j))) {
                let attribution = at(first).zip(at(second)).and_then(|(a, b)| anatomy::between(a, b));
                origins.extend(attribution.map(|attribution| Origin {
                    metric: metric.name.clone(),
                    first,
                    second,
                    attribution,
                }));
            }
        }
        origins
    }

    /// A run failed: recorded when its side was read before and may fail more often, the session's end otherwise.
    fn fail(&mut self, turn: Turn, error: MeasureError) -> Result<(), MeasureError> {
        let (what, outcome, tail) = match &error {
            _ if interrupt::requested() => return Err(error),
            MeasureError::Step { what, outcome, tail, .. } => (what.clone(), outcome.clone(), tail.clone()),
            MeasureError::Metric { metric, problem, .. } => {
                (format!("metric {metric}"), problem.clone(), String::new())
            }
            _ => return Err(error),
        };
        let Turn { round, place, side, at } = turn;
        let run = FailedRun { round, place, side, at, what, outcome, tail };
        if !self.session.samples.iter().any(|s| s.side == side) {
            return Err(error);
        }
        self.session.add_failure(run.clone())?;
        (self.observe)(Event::Failed(&run));
        let runs = self.session.runs(side);
        let often = runs.failed * 5 > runs.all || self.session.failed_in_a_row(side) > PATIENCE;
        if runs.failed > PATIENCE && often {
            return Err(MeasureError::Flaky {
                side: self.plan.sides[side].name.clone(),
                failed: runs.failed,
                all: runs.all,
                what: run.what,
                outcome: run.outcome,
                tail: run.tail,
            });
        }
        Ok(())
    }

    /// Runs all steps on a side.
    ///
    /// A step whose instructions are wanted runs a second time to count them, so that its time is that of a plain run; when
    /// nothing else is wanted of it, the counted run is its only one.
    fn steps(&mut self, side: usize, round: Option<usize>) -> Result<BTreeMap<String, Ran>, MeasureError> {
        let plan = self.plan;
        let mut ran = BTreeMap::new();
        for step in &plan.config.steps {
            if step.once && self.built.contains(&side) {
                continue;
            }
            let begun = Instant::now();
            let of_step: Vec<&Source> = plan.metrics().map(|m| &m.source).filter(|s| reads(s, &step.name)).collect();
            let counted = round.is_some() && of_step.iter().any(|source| counts(source));
            let only_counted = counted && of_step.iter().all(|source| counts(source));
            for _ in 0..if self.built.contains(&side) || only_counted { 0 } else { step.warmup } {
                self.prepare(side, step, round)?;
                let what = &format!("warm-up {name}", name = step.name);
                let work = Work { what, command: &step.run, timeout: step.timeout };
                self.must(side, round, work, Wanted::default())?;
            }
            if !step.once {
                self.pace.once(begun.elapsed());
            }
            let mut one = Ran { finished: None, instructions: None };
            if !only_counted {
                self.prepare(side, step, round)?;
                let what = &format!("step {}", step.name);
                let work = Work { what, command: &step.run, timeout: step.timeout };
                one.finished = Some(self.must(side, round, work, Wanted::by(&of_step))?);
            }
            if counted {
                one.instructions = Some(self.count(side, step, round)?);
            }
            if step.once {
                self.pace.once(begun.elapsed());
            }
            ran.insert(step.name.clone(), one);
        }
        self.built.insert(side);
        Ok(ran)
    }

    /// Runs a step to count its instructions.
    fn count(&mut self, side: usize, step: &Step, round: Option<usize>) -> Result<f64, MeasureError> {
        let Some(counter) = self.counter else { return Ok(f64::NAN) };
        let folder = tempfile::tempdir()
            .map_err(|source| MeasureError::Io { path: std::env::temp_dir().display().to_string(), source })?;
        self.prepare(side, step, round)?;
        let command = counter.wrap(&step.run, folder.path());
        let timeout = step.timeout.map(|limit| limit.saturating_mul(counter.patience()));
        let what = &format!("counted step {name}", name = step.name);
        self.must(side, round, Work { what, command: &command, timeout }, Wanted::default())?;
        counter.read(folder.path()).map_err(|problem| MeasureError::Metric {
            side: self.plan.sides[side].name.clone(),
            metric: format!("instructions of {name}", name = step.name),
            problem,
        })
    }

    fn prepare(&mut self, side: usize, step: &Step, round: Option<usize>) -> Result<(), MeasureError> {
        let Some(prepare) = &step.prepare else { return Ok(()) };
        let what = &format!("prepare {name}", name = step.name);
        let work = Work { what, command: prepare, timeout: step.timeout };
        self.must(side, round, work, Wanted::default()).map(|_| ())
    }

    /// Runs a command that has to succeed.
    fn must(
        &mut self,
        side: usize,
        round: Option<usize>,
        work: Work<'_>,
        wanted: Wanted,
    ) -> Result<Finished, MeasureError> {
        let log = self.log(side, work.what, ".log");
        let sink = if wanted.times { Sink::Timed(&log) } else { Sink::Log(&log) };
        let (finished, tail) = self.execute(side, round, work, sink, wanted.peak)?;
        match finished.outcome {
            Outcome::Success => Ok(finished),
            Outcome::Interrupted => Err(self.interrupted()),
            outcome => Err(self.failed(side, work.what, &outcome, tail, log)),
        }
    }

    fn execute(
        &mut self,
        side: usize,
        round: Option<usize>,
        work: Work<'_>,
        sink: Sink<'_>,
        peak: bool,
    ) -> Result<(Finished, String), MeasureError> {
        let Work { what, command, timeout } = work;
        self.begin(side, what, round);
        let dir = self.tree(side)?;
        let env = self.variables(side, round, &dir);
        let finished =
            runner::run(&Job { command, dir: &dir, env: &env, timeout, sink, placement: &self.placement, peak })?;
        let tail = match finished.outcome {
            Outcome::Success | Outcome::NotStarted(_) => String::new(),
            _ => runner::tail(&sink),
        };
        Ok((finished, tail))
    }

    fn read(
        &mut self,
        metric: &Metric,
        side: usize,
        round: usize,
        ran: &BTreeMap<String, Ran>,
    ) -> Result<f64, MeasureError> {
        let plan = self.plan;
        let name = plan.sides[side].name.clone();
        let problem =
            |problem: String| MeasureError::Metric { side: name.clone(), metric: metric.name.clone(), problem };
        let of_step = |step: &str| ran.get(step).ok_or_else(|| problem(format!("there is no step '{step}'")));
        let plain = |step: &str| {
            let missing = || problem(format!("the step '{step}' was not run for this"));
            of_step(step)?.finished.as_ref().ok_or_else(missing)
        };
        let what = format!("metric {}", metric.name);
        if !matches!(metric.source, Source::Step { .. }) {
            self.begin(side, &what, Some(round));
        }
        let dir = self.tree(side)?;
        let env = self.variables(side, Some(round), &dir);
        let logs = self.log(side, "", "");
        let place = Place { root: &dir, env: &env, logs: &logs, placement: &self.placement };
        let value = match &metric.source {
            Source::Step { step, measure } => match resource(of_step(step)?, *measure) {
                Some(value) => Ok(value),
                None => Err(Trouble::Problem(format!("the step '{step}' was not run for this"))),
            },
            Source::BuildStep { pattern, step } => {
                let end = plain(step)?.wall.as_secs_f64();
                let text = runner::read_output(&self.log(side, &format!("step {step}"), ".log"))?;
                source::build_log::duration(&text, end, pattern).map_err(Trouble::Problem)
            }
            Source::Path { path, compress } => source::path::size(&dir, path, *compress).map(|bytes| bytes as f64),
            Source::Image { reference } => source::image::size(&place, reference, &plan.config.steps),
            Source::Command { run, extract, scale, timeout } => {
                source::command::read(&place, &what, run, *timeout, extract, &metric.unit).map(|number| number * scale)
            }
        };
        value.map_err(|trouble| match trouble {
            Trouble::Problem(text) | Trouble::Absent(text) => problem(text),
            Trouble::Failed { outcome: Outcome::Interrupted, .. } => self.interrupted(),
            Trouble::Failed { outcome, tail, log } => self.failed(side, &what, &outcome, tail, log),
            Trouble::Other(error) => error,
        })
    }

    fn checks(&mut self) -> Result<(), MeasureError> {
        let plan = self.plan;
        for side in 1..plan.sides.len() {
            for check in &plan.config.checks {
                self.check(side, check, false)?;
            }
        }
        let Some(hidden) = &plan.hidden else { return Ok(()) };
        let logs = self.hidden_logs(hidden);
        std::fs::create_dir_all(&logs)
            .map_err(|source| MeasureError::Io { path: logs.display().to_string(), source })?;
        // What an earlier record says of the base stands when the base is not run.
        for side in usize::from(self.known.is_some())..plan.sides.len() {
            for check in &hidden.checks {
                self.check(side, check, true)?;
            }
        }
        // What was measured runs as the user, who can write those files.
        if hidden.is_unchanged() { Ok(()) } else { Err(HiddenError::Changed.into()) }
    }

    /// Runs a check on a side, unless that was done before the session was interrupted.
    fn check(&mut self, side: usize, check: &Check, hidden: bool) -> Result<(), MeasureError> {
        let same = |c: &CheckResult| c.side == side && c.hidden == hidden && c.name == check.name;
        if self.session.checks.iter().any(same) {
            return Ok(());
        }
        // A session that goes on has worktrees in which nothing has been built yet.
        if !self.built.contains(&side) {
            self.steps(side, None)?;
        }
        let log = match self.plan.hidden.as_ref().filter(|_| hidden) {
            Some(hidden) => self.hidden_logs(hidden).join(log_name(side, &check.name, ".log")),
            None => self.log(side, &format!("check {}", check.name), ".log"),
        };
        let what =
            if hidden { format!("hidden check {name}", name = check.name) } else { format!("check {}", check.name) };
        let work = Work { what: &what, command: &check.run, timeout: check.timeout };
        let (finished, tail) = self.execute(side, None, work, Sink::Log(&log), false)?;
        if finished.outcome == Outcome::Interrupted {
            return Err(self.interrupted());
        }
        let (name, passed) = (check.name.clone(), finished.outcome == Outcome::Success);
        let on_base = if passed || hidden || !self.base_fails(check)? { "" } else { BASE_FAILS };
        let result = match hidden {
            true => {
                let outcome = HIDDEN.to_string();
                CheckResult { name, side, passed, seconds: 0.0, outcome, hidden, tail: String::new() }
            }
            false => {
                let (seconds, outcome) = (finished.wall.as_secs_f64(), format!("{}{on_base}", finished.outcome));
                CheckResult { name, side, passed, seconds, outcome, hidden, tail }
            }
        };
        self.session.add_check(result.clone())?;
        (self.observe)(Event::Checked(&result));
        Ok(())
    }

    /// Whether a check that fails on a candidate fails on the base as well: then the candidate need not have brought it.
    fn base_fails(&mut self, check: &Check) -> Result<bool, MeasureError> {
        let other = self.session.checks.iter().find(|other| other.name == check.name && !other.hidden && !other.passed);
        if let Some(other) = other {
            return Ok(other.outcome.ends_with(BASE_FAILS));
        }
        // A base whose readings are those of a record may not build any more; that is not what was asked.
        if !self.built.contains(&0) && self.steps(0, None).is_err() {
            return if interrupt::requested() { Err(self.interrupted()) } else { Ok(false) };
        }
        let what = format!("check {}", check.name);
        let log = self.log(0, &what, ".log");
        let work = Work { what: &what, command: &check.run, timeout: check.timeout };
        let (finished, _) = self.execute(0, None, work, Sink::Log(&log), false)?;
        match finished.outcome {
            Outcome::Interrupted => Err(self.interrupted()),
            outcome => Ok(outcome != Outcome::Success),
        }
    }

    /// Where the output of the hidden checks goes: outside the repository.
    fn hidden_logs(&self, hidden: &Hidden) -> PathBuf {
        hidden.logs.join(session::file_name(&self.plan.key))
    }

    /// What is recorded of the hidden checks as a whole.
    fn hidden_run(&self) -> Option<HiddenRun> {
        let hidden = self.plan.hidden.as_ref().filter(|_| self.plan.checks)?;
        let here = self.session.checks.iter().filter(|check| check.hidden && check.side == 0 && !check.passed);
        let failed_on_base = match self.known {
            Some(known) => known.failed.clone(),
            None => here.map(|check| check.name.clone()).collect(),
        };
        Some(HiddenRun { digest: hidden.digest.clone(), failed_on_base })
    }

    /// Compares the first two readings of what should be exact.
    fn find_varying(&mut self) {
        let rounds: Vec<usize> = self.session.complete().take(2).collect();
        let [one, two] = rounds[..] else { return };
        for metric in self.plan.metrics().filter(|m| m.source.exact()) {
            for side in 0..self.plan.sides.len() {
                let reading = |round: usize| {
                    let sample = self.session.samples.iter().find(|s| s.round == round && s.side == side);
                    sample.and_then(|s| s.values.get(&metric.name)).copied()
                };
                let (Some(first), Some(second)) = (reading(one), reading(two)) else { continue };
                if first != second && self.varying.insert(metric.name.clone()) {
                    let shown = |v: f64| format!("{v} {}", metric.unit);
                    (self.observe)(Event::Note(phrase!(
                        "{metric} varies on {side}: {first}, then {second}; it is read in every round, like a time",
                        metric = &metric.name,
                        side = Phrase::from(&self.plan.sides[side].name),
                        first = shown(first).trim_end(),
                        second = shown(second).trim_end()
                    )));
                }
            }
        }
    }

    fn begin(&mut self, side: usize, what: &str, round: Option<usize>) {
        (self.observe)(Event::Begin { side: &self.plan.sides[side].name, what, round });
    }

    fn interrupted(&self) -> MeasureError {
        MeasureError::Interrupted { rounds: self.session.complete_rounds() }
    }

    fn failed(&self, side: usize, what: &str, outcome: &Outcome, tail: String, log: PathBuf) -> MeasureError {
        let side = self.plan.sides[side].name.clone();
        let log = (!matches!(outcome, Outcome::NotStarted(_))).then_some(log);
        MeasureError::Step { side, what: what.into(), outcome: outcome.to_string(), tail, log }
    }

    /// The worktree of a side; all are made when the first is asked for.
    fn tree(&mut self, side: usize) -> Result<PathBuf, MeasureError> {
        if self.trees.is_none() {
            if interrupt::requested() {
                return Err(self.interrupted());
            }
            // An id of its own: a folder that could not be removed must not be in the way for ever.
            let id = Ulid::new().to_string().to_lowercase();
            self.trees = Some(Worktrees::create(self.repo, &id, &self.plan.sides)?);
        }
        Ok(self.trees.as_ref().map(|t| t.path(side).to_path_buf()).unwrap_or_default())
    }

    /// What a command is told. The size of the environment is the same on all sides, because it can change how fast a
    /// program runs.
    fn variables(&self, side: usize, round: Option<usize>, dir: &std::path::Path) -> Vec<(&'static str, OsString)> {
        let sides = &self.plan.sides;
        let longest = sides.iter().map(|s| s.name.len()).max().unwrap_or(0);
        let name = &sides[side].name;
        let mut variables: Vec<(&'static str, OsString)> = vec![
            ("VERDICT_SIDE", name.into()),
            ("VERDICT_COMMIT", sides[side].commit.as_str().into()),
            (worktree::VARIABLE, dir.into()),
            ("VERDICT_PAD", "-".repeat(longest - name.len()).into()),
        ];
        if let Some(round) = round {
            variables.push(("VERDICT_ROUND", round.to_string().into()));
        }
        variables
    }

    /// Where the output of a command goes; the next round writes over it.
    fn log(&self, side: usize, what: &str, end: &str) -> PathBuf {
        self.logs.join(log_name(side, what, end))
    }
}

/// The name of the file that holds the output of a command.
pub(super) fn log_name(side: usize, what: &str, end: &str) -> String {
    format!("{side}.{}{end}", session::file_name(&what.replace(' ', "-")))
}

/// The metrics of steps without warm-up whose first reading on every side is larger than all others of that side by more
/// than these differ among themselves, with at least five others to tell by.
fn slow_starts(plan: &Plan, samples: &[Sample]) -> Vec<String> {
    let cold = |metric: &&Metric| match &metric.source {
        Source::Step { step, .. } | Source::BuildStep { step, .. } => {
            metric.unit == Unit::Seconds && plan.config.step(step).is_some_and(|s| s.warmup == 0)
        }
        _ => false,
    };
    let slow = |metric: &Metric, side: usize| {
        let of_side = samples.iter().filter(|s| s.side == side);
        let values: Vec<f64> = of_side.filter_map(|s| s.values.get(&metric.name)).copied().collect();
        let Some((first, rest)) = values.split_first().filter(|(_, rest)| rest.len() >= 5) else { return false };
        let (low, high) = rest.iter().fold((f64::INFINITY, 0f64), |(low, high), &v| (low.min(v), high.max(v)));
        *first > high + (high - low)
    };
    let sides = plan.sides.len();
    plan.metrics().filter(cold).filter(|m| (0..sides).all(|side| slow(m, side))).map(|m| m.name.clone()).collect()
}

/// What one run of a step gave.
struct Ran {
    /// The plain run; none when only the instructions were wanted.
    finished: Option<Finished>,
    instructions: Option<f64>,
}

/// What is run, and what it is called.
#[derive(Clone, Copy)]
struct Work<'a> {
    what: &'a str,
    command: &'a Command,
    timeout: Option<Duration>,
}

/// What is wanted of a run beside how it ends and how long it takes.
#[derive(Clone, Copy, Default)]
struct Wanted {
    /// When it prints each line.
    times: bool,
    /// Its peak memory.
    peak: bool,
}

impl Wanted {
    fn by(sources: &[&Source]) -> Wanted {
        Wanted {
            times: sources.iter().any(|source| matches!(source, Source::BuildStep { .. })),
            peak: sources.iter().any(|source| matches!(source, Source::Step { measure: Resource::MaxRss, .. })),
        }
    }
}

fn counts(source: &Source) -> bool {
    matches!(source, Source::Step { measure: Resource::Instructions, .. })
}

/// Whether a metric is read from a run of this step.
fn reads(source: &Source, name: &str) -> bool {
    matches!(source, Source::Step { step, .. } | Source::BuildStep { step, .. } if step == name)
}

fn resource(ran: &Ran, measure: Resource) -> Option<f64> {
    let finished = ran.finished.as_ref();
    let usage = finished.map(|f| f.usage);
    match measure {
        Resource::Wall => finished.map(|f| f.wall.as_secs_f64()),
        Resource::User => usage.map(|u| u.user.as_secs_f64()),
        Resource::System => usage.map(|u| u.system.as_secs_f64()),
        Resource::Cpu => usage.map(|u| (u.user + u.system).as_secs_f64()),
        Resource::MaxRss => usage.map(|u| u.max_rss as f64),
        Resource::Instructions => ran.instructions,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_depends_on_seed_and_round_alone() {
        for round in 0..50 {
            assert_eq!(order(7, round, 3), order(7, round, 3));
            let mut sorted = order(7, round, 5);
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3, 4]);
        }
    }

    #[test]
    fn each_side_comes_first_about_half_of_the_time() {
        for seed in 0..20 {
            let first = (0..400).filter(|&round| order(seed, round, 2)[0] == 0).count();
            // Six standard deviations of a fair coin.
            assert!((140..=260).contains(&first), "seed {seed}: {first}");
        }
        let rounds = |seed: u64| (0..64).map(|r| order(seed, r, 2)[0]).collect::<Vec<_>>();
        assert_ne!(rounds(1), rounds(2));
    }
}
