//! `git verdict next`: what is worth trying next, from what is there and what was tried. It proposes and changes nothing.

use super::{Ctx, Done};
use crate::config::{Config, Metric, Resource, Source};
use crate::error::{Exit, Failure};
use crate::experiment::State;
use crate::git::Repo;
use crate::git::refs::Head;
use crate::inspect::artefact::{self, Artefact};
use crate::inspect::buildlog::BuildLog;
use crate::inspect::dockerfile::Dockerfile;
use crate::inspect::image::Options;
use crate::ledger::query::{Entry, Query};
use crate::ledger::{Ledger, Wanted};
use crate::measure::anatomy::{self, Unread};
use crate::measure::told;
use crate::phrase;
use crate::phrase::{Phrase, plural};
use crate::propose::rank::{Past, Proposal, Ranked, rank};
use crate::propose::time::Step;
use crate::propose::{Finding, size, time};
use crate::render::table::Tone;
use crate::render::text::{clean, wrap};
use crate::units::Unit;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// So many of the newest experiments are asked for a log or a record of their steps.
const LOOKED_THROUGH: usize = 20;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// An image, folder, archive, ELF file or build log to look into (default: what the metrics of verdict.toml read)
    artefact: Option<String>,
    /// The log of a build (default: the one that the last measurement kept)
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// At most N proposals; 0 is all
    #[arg(short = 'n', long, value_name = "N", default_value_t = 5)]
    number: usize,
}

/// What was looked into, and what was found there.
#[derive(Default)]
struct Looked {
    findings: Vec<Finding>,
    /// What the metrics read now, or read last.
    values: HashMap<String, f64>,
    /// For people.
    told: Vec<Phrase>,
    /// For programs.
    sources: Vec<Value>,
    /// What could not be looked into, and why.
    skipped: Vec<(String, Phrase)>,
    in_base: u64,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let repo = ctx.repo()?;
    let root = repo.workdir()?.to_path_buf();
    let config = Config::load(&root)?.unwrap_or_default();
    if config.metrics.is_empty() && args.artefact.is_none() && args.log.is_none() {
        return Err(Failure::usage("there is nothing to look into")
            .because("there is no verdict.toml whose metrics say what counts")
            .try_next("git verdict next ARTEFACT, or git verdict init"));
    }
    let history = super::log::answer(ctx, &repo, &Query { all: true, openings: true, ..Query::default() })?.entries;
    let file = artefact::dockerfile_in(&root).map(|(file, _)| file);
    let mut looked = Looked::default();
    match &args.artefact {
        Some(what) => given(ctx, what, &config, file.as_ref(), &mut looked)?,
        None if args.log.is_none() || !config.metrics.is_empty() => {
            for metric in config.metrics.iter().filter(|metric| metric.source.exact()) {
                look(metric, &root, &config, file.as_ref(), &mut looked);
            }
        }
        None => {}
    }
    if let Some(path) = &args.log {
        let log = artefact::read_log(&ctx.dir.join(path))?;
        of_log(&log, &path.display().to_string(), &config, file.as_ref(), &mut looked);
    } else if args.artefact.is_none() {
        last_build(&repo, &config, &history, file.as_ref(), &mut looked)?;
    }
    let past: Vec<Past<'_>> = history
        .iter()
        .map(|entry| {
            let opened = entry.opened.as_ref().map(|(_, opened)| opened);
            let (title, hypothesis) = opened.map_or(("", ""), |o| (o.title.as_str(), o.hypothesis.as_str()));
            Past { name: &entry.name, title, hypothesis }
        })
        .collect();
    let findings = std::mem::take(&mut looked.findings);
    let mut ranked = rank(findings, &past, &config.metrics, &config.policy.worth, &looked.values);
    let found = ranked.proposals.len();
    ranked.proposals.truncate(if args.number == 0 { found } else { args.number });
    let left = found - ranked.proposals.len();
    show(ctx, &looked, &history, &ranked, left)?;
    let undecided: Vec<Value> =
        history.iter().enumerate().filter(|(_, e)| waits(e)).map(|(at, entry)| told(&ranked, at, entry)).collect();
    let tried: Vec<Value> = tried(&ranked, &history).map(|at| told(&ranked, at, &history[at])).collect();
    ctx.emit(
        "next",
        json!({
            "sources": looked.sources,
            "skipped": looked.skipped.iter().map(|(what, why)| json!({"what": what, "why": why.to_string()})).collect::<Vec<_>>(),
            "undecided": undecided,
            "proposals": ranked.proposals.iter().map(proposal).collect::<Vec<_>>(),
            "tried": tried,
            "left_out": left,
            "too_small": ranked.too_small,
            "in_base": looked.in_base,
        }),
    )?;
    Ok(Exit::Done)
}

impl Looked {
    fn saw(&mut self, what: &str, kind: &'static str, metric: Option<&Metric>, value: f64, unit: &Unit) {
        let name = metric.map(|metric| metric.name.as_str());
        if let Some(name) = name {
            self.values.insert(name.to_string(), value);
        }
        let shown = unit.show(value);
        self.told.push(match name {
            Some(name) => {
                phrase!("{what} ({metric}, {value})", what = clean(what), metric = clean(name), value = shown)
            }
            None => phrase!("{what} ({value})", what = clean(what), value = shown),
        });
        self.sources.push(json!({"what": what, "kind": kind, "metric": name, "value": value, "unit": unit}));
    }

    fn sizes(&mut self, what: &str, found: &Artefact, file: Option<&Dockerfile>, metric: Option<&Metric>, whole: f64) {
        self.saw(what, found.kind(), metric, whole, &Unit::Bytes);
        let found = size::of(found, file, whole);
        self.in_base += found.in_base;
        let name = metric.map(|metric| metric.name.clone());
        self.findings.extend(found.findings.into_iter().map(|f| Finding { metric: name.clone(), ..f }));
    }

    fn times(&mut self, steps: &[Step], file: Option<&Dockerfile>, metric: Option<&Metric>, whole: f64) {
        let name = metric.map(|metric| metric.name.clone());
        self.findings.extend(time::of(steps, file, whole).into_iter().map(|f| Finding { metric: name.clone(), ..f }));
    }
}

/// The artefact of a metric as it is in the work tree.
fn look(metric: &Metric, root: &Path, config: &Config, file: Option<&Dockerfile>, looked: &mut Looked) {
    let what = match &metric.source {
        Source::Image { reference } => reference,
        Source::Path { path, .. } => path,
        _ => return,
    };
    match anatomy::now(&metric.source, root, &config.steps) {
        Ok(Some((value, found))) => looked.sizes(what, &found, file, Some(metric), value),
        Ok(None) => looked.skipped.push((what.clone(), "it cannot be taken apart".into())),
        Err(Unread { absent, why }) => {
            let why = match absent {
                true => phrase!("'{what}' does not exist here: build it first", what = clean(what)),
                false => told::told(&clean(&why)),
            };
            let skipped = (what.clone(), why);
            if !looked.skipped.contains(&skipped) {
                looked.skipped.push(skipped);
            }
        }
    }
}

/// The artefact of the command line.
fn given(
    ctx: &Ctx,
    what: &str,
    config: &Config,
    file: Option<&Dockerfile>,
    looked: &mut Looked,
) -> Result<(), Failure> {
    let root = if ctx.dir == Path::new(".") { Path::new("") } else { &ctx.dir };
    let mut found = artefact::open(root, what, &Options::default())?;
    let metric = config.metrics.iter().find(|metric| match &metric.source {
        Source::Image { reference } => reference == what,
        Source::Path { path, compress: None } => path == what,
        _ => false,
    });
    let whole = match &mut found {
        Artefact::Image(image) => {
            if let Some(file) = file {
                image.match_dockerfile(file, None);
            }
            image.engine_size.unwrap_or(image.stored().saturating_add(image.metadata_bytes))
        }
        Artefact::Folder(folder) => folder.bytes,
        Artefact::Archive(archive) => archive.stored,
        Artefact::Binary(binary) => binary.file_bytes,
        Artefact::GitDir(_) => {
            looked.skipped.push((what.to_string(), "nothing is known to propose for a git directory".into()));
            return Ok(());
        }
        Artefact::Log(log) => {
            of_log(log, what, config, file, looked);
            return Ok(());
        }
    };
    looked.sizes(what, &found, file, metric, whole as f64);
    Ok(())
}

/// The metric that the whole time of a step counts for.
fn timed<'c>(config: &'c Config, wanted: Option<&str>) -> Option<&'c Metric> {
    config.metrics.iter().find(|metric| match &metric.source {
        Source::Step { step, measure: Resource::Wall } => wanted.is_none_or(|wanted| wanted == step),
        _ => false,
    })
}

/// A log that was handed in.
fn of_log(log: &BuildLog, what: &str, config: &Config, file: Option<&Dockerfile>, looked: &mut Looked) {
    let steps = time::steps_of_log(log);
    if steps.is_empty() {
        looked.skipped.push((what.to_string(), "it does not say how long its steps took".into()));
        return;
    }
    let whole = log.total.unwrap_or_else(|| log.sum());
    let metric = timed(config, None);
    looked.saw(what, "log", metric, whole, &Unit::Seconds);
    looked.times(&steps, file, metric, whole);
}

/// The steps of the last measurement that is known: of the log that it kept, else of its record.
fn last_build(
    repo: &Repo,
    config: &Config,
    history: &[Entry],
    file: Option<&Dockerfile>,
    looked: &mut Looked,
) -> Result<(), Failure> {
    let head = match repo.head()? {
        Head::Branch { name, .. } => name,
        _ => String::new(),
    };
    let logs = repo.verdict_dir()?.join("logs");
    let ledger = Ledger::open(repo);
    for entry in history.iter().filter(|entry| !entry.comparison.is_empty()).take(LOOKED_THROUGH) {
        let on_branch = entry.opened.as_ref().is_some_and(|(_, opened)| opened.branch == head);
        // What the work tree has now: the candidate of what was kept or is checked out, the base of all else.
        let candidate = entry.state == State::Kept || on_branch;
        let value = |metric: &Metric| {
            let row = entry.comparison.iter().find(|row| row.metric == metric.name)?;
            Some(if candidate { row.candidate } else { row.base })
        };
        for metric in &config.metrics {
            if let Some(value) = value(metric) {
                looked.values.entry(metric.name.clone()).or_insert(value);
            }
        }
        for step in &config.steps {
            let Some(Artefact::Log(log)) = anatomy::kept_log(&logs, &entry.name, usize::from(candidate), &step.name)
            else {
                continue;
            };
            let metric = timed(config, Some(&step.name));
            let whole = metric.and_then(value).or(log.total).unwrap_or_else(|| log.sum());
            let what = format!("{}: {}", entry.name, step.name);
            looked.saw(&what, "log", metric, whole, &Unit::Seconds);
            looked.times(&time::steps_of_log(&log), file, metric, whole);
            return Ok(());
        }
        if entry.experiment.is_none() || !entry.comparison.iter().any(|row| row.unit == Unit::Seconds) {
            continue;
        }
        let book = ledger.book_of(&Wanted { ids: entry.experiment.into_iter().collect(), ..Wanted::default() })?;
        let latest = entry.experiment.and_then(|id| book.by_id(id)).and_then(|experiment| experiment.latest());
        let Some((_, measured)) = latest else { continue };
        for metric in &config.metrics {
            let Some(origin) = measured.origins.iter().find(|origin| origin.metric == metric.name) else { continue };
            let Some(whole) = value(metric).filter(|_| origin.attribution.unit == Unit::Seconds) else { continue };
            looked.saw(&entry.name, "record", Some(metric), whole, &Unit::Seconds);
            looked.times(&time::steps_of_record(&origin.attribution, candidate), file, Some(metric), whole);
            return Ok(());
        }
    }
    Ok(())
}

/// Whether an experiment waits for a decision.
fn waits(entry: &Entry) -> bool {
    matches!(entry.state, State::Open | State::Measured)
}

fn next_for(entry: &Entry) -> String {
    let word = match entry.state {
        State::Open => "measure",
        State::Measured => "decide",
        _ => "show",
    };
    format!("git verdict {word} {}", entry.name)
}

fn start(proposal: &Proposal, hypothesis: &str) -> (String, String) {
    (format!("git verdict start {}", proposal.finding.name), format!("--hypothesis \"{hypothesis}\""))
}

fn proposal(proposal: &Proposal) -> Value {
    let mut value = serde_json::to_value(proposal).unwrap_or_default();
    let hypothesis = proposal.finding.hypothesis().to_string();
    let (start, flag) = start(proposal, &hypothesis);
    value["hypothesis"] = hypothesis.into();
    value["start"] = format!("{start} {flag}").into();
    value
}

/// The experiments that are over and had an idea that was found again; each once, in the order of the history.
fn tried<'r>(ranked: &'r Ranked, history: &'r [Entry]) -> impl Iterator<Item = usize> + 'r {
    let mut last = None;
    let over = ranked.tried.iter().map(|t| t.entry).filter(|at| !waits(&history[*at]));
    over.filter(move |at| last.replace(*at) != Some(*at))
}

/// An experiment of the past, with what its idea could give now.
fn told(ranked: &Ranked, at: usize, entry: &Entry) -> Value {
    let ideas: Vec<String> =
        ranked.tried.iter().filter(|t| t.entry == at).map(|t| t.finding.hypothesis().to_string()).collect();
    json!({
        "experiment": entry.name, "id": entry.experiment, "state": entry.state, "at": entry.at, "text": entry.text,
        "comparison": entry.comparison, "ideas": ideas, "next": next_for(entry),
    })
}

fn show(ctx: &Ctx, looked: &Looked, history: &[Entry], ranked: &Ranked, left: usize) -> Result<(), Failure> {
    for (what, why) in &looked.skipped {
        ctx.note(phrase!("skipped {what}: {why}", what = clean(what), why));
    }
    if ctx.json {
        return Ok(());
    }
    let say = |indent: usize, text: Phrase| {
        let text = clean(&ctx.tell(text)).into_owned();
        let wide = ctx.look().width.saturating_sub(indent);
        wrap(&text, wide, 2).lines().try_for_each(|line| ctx.say(format!("{}{line}", " ".repeat(indent))))
    };
    let head = |text: Phrase| ctx.say(Tone::Strong.paint(&ctx.tell(text), ctx.look()));
    say(0, phrase!("hypotheses only: gains are upper bounds, and nothing was built, run or changed"))?;
    if !looked.told.is_empty() {
        say(0, phrase!("looked at: {sources}", sources = Phrase::joined(looked.told.clone(), "; ")))?;
    }
    let experiment = |at: usize, entry: &Entry| {
        let summary = super::log::summary(&entry.comparison, ctx.lang);
        say(
            2,
            phrase!(
                "{name} ({state}): {summary}",
                name = &entry.name,
                state = Phrase::from(entry.state.as_str()),
                summary
            ),
        )?;
        let first = entry.text.lines().next().unwrap_or_default();
        if !waits(entry) && !first.is_empty() {
            say(4, phrase!("because: {reason}", reason = first))?;
        }
        for idea in ranked.tried.iter().filter(|t| t.entry == at) {
            say(4, phrase!("still there: {idea}", idea = idea.finding.hypothesis()))?;
        }
        ctx.say(format!("    {}", next_for(entry)))
    };
    let open: Vec<(usize, &Entry)> = history.iter().enumerate().filter(|(_, entry)| waits(entry)).collect();
    if !open.is_empty() {
        head(phrase!("\nFirst, what is open"))?;
        open.iter().try_for_each(|(at, entry)| experiment(*at, entry))?;
    }
    head(phrase!("\nWorth a try"))?;
    if ranked.proposals.is_empty() {
        say(2, phrase!("nothing that is known"))?;
    }
    for (number, one) in ranked.proposals.iter().enumerate() {
        let finding = &one.finding;
        let gain = finding.unit.show(finding.gain);
        let share = if finding.whole > 0.0 { 100.0 * finding.gain / finding.whole } else { 0.0 };
        let whole: Phrase = match &finding.metric {
            Some(metric) => clean(metric).into(),
            None => "the whole".into(),
        };
        say(0, phrase!("{number}. {what}", number = number + 1, what = &finding.change))?;
        say(3, phrase!("at most {gain} less: {share} % of {whole}", gain, share = format!("{share:.1}"), whole))?;
        say(3, phrase!("why: {why}", why = &finding.why))?;
        say(3, phrase!("fix: {fix}", fix = &finding.fix))?;
        if let (Some(cost), Some(score)) = (finding.cost, one.score) {
            let (lines, risk) = (cost.lines, Phrase::from(cost.risk.as_str()));
            say(
                3,
                phrase!(
                    "cost: {lines} line{s}, {risk} risk; score {score}",
                    lines,
                    s = plural(lines),
                    risk,
                    score = score.to_string()
                ),
            )?;
        }
        let (start, hypothesis) = start(one, &ctx.tell(finding.hypothesis()));
        ctx.say(format!("   {start} \\\n     {hypothesis}"))?;
    }
    for (number, at) in tried(ranked, history).enumerate() {
        if number == 0 {
            head(phrase!("\nTried before, and not proposed again"))?;
        }
        experiment(at, &history[at])?;
    }
    let mut rest = Vec::new();
    if left > 0 {
        rest.push(phrase!("{n} more with -n 0", n = left));
    }
    if ranked.too_small > 0 {
        rest.push(phrase!("{n} too small to matter", n = ranked.too_small));
    }
    if looked.in_base > 0 {
        let size = Unit::Bytes.show(looked.in_base as f64);
        rest.push(phrase!("{size} of caches and waste in the base image, which nothing here can change", size));
    }
    if !rest.is_empty() {
        ctx.say("")?;
        say(0, phrase!("left out: {what}", what = Phrase::joined(rest, "; ")))?;
    }
    Ok(())
}
