//! `git verdict bisect`: which commit of a range brought a regression.

use super::measure::named_metric;
use super::progress::Progress;
use super::{Ctx, Done, weigh};
use crate::bisect::{Answer, Effect, Job, Probe, Search};
use crate::config::{Config, Metric};
use crate::error::{Exit, Failure};
use crate::git::{Oid, Repo};
use crate::measure::interrupt;
use crate::phrase;
use crate::phrase::{Phrase, plural};
use crate::policy::MetricComparison;
use crate::render::number;
use crate::render::table::{self, Cell, Column, Tone};
use crate::render::text::clean;
use crate::stats::{DEFAULT_ROUNDS, Word};
use crate::units::split_quantity;
use serde_json::json;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: git verdict bisect v1.4 main --metric image_size")]
pub struct Args {
    /// A commit that is known to be good
    good: String,
    /// A commit that is known to be bad
    #[arg(default_value = "HEAD")]
    bad: String,
    /// The metric that tells good from bad (default: the only one)
    #[arg(long, value_name = "METRIC")]
    metric: Option<String>,
    #[command(flatten)]
    what: weigh::What,
    /// How often the answer may be wrong
    #[arg(long, value_name = "CHANCE", default_value = "0.05", value_parser = chance)]
    error_rate: f64,
    /// Take at most N rounds for the ends, and for each commit
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pairs: Option<u32>,
    /// Follow the first parent of merges only
    #[arg(long)]
    first_parent: bool,
    /// Judge the commit that is checked out, for `git bisect run`: exit status 0 good, 1 bad, 125 skip, 128 stop
    #[arg(long)]
    step: bool,
    /// Seed of the order within rounds
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

fn chance(text: &str) -> Result<f64, super::usage::Refused> {
    let number = match split_quantity(text) {
        Ok((number, "%")) => Some(number / 100.0),
        Ok((number, "")) => Some(number),
        _ => None,
    };
    number
        .filter(|n| *n >= 1e-6 && *n < 0.5)
        .ok_or_else(|| super::usage::Refused(phrase!("'{text}' is no chance from 0.000001 to 0.5, such as 0.05", text)))
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    if !args.step {
        return search(ctx, &args);
    }
    // To git bisect run every status below 125 is an answer.
    match step(ctx, &args) {
        Err(failure) if failure.exit == Exit::Interrupted => Err(failure),
        Err(failure) => {
            ctx.fail(&failure);
            Ok(Exit::Abort)
        }
        done => done,
    }
}

/// What the arguments ask for, and whether its commands are those of `verdict.toml`.
fn open<'r>(ctx: &Ctx, repo: &'r Repo, args: &Args) -> Result<(Search<'r>, bool), Failure> {
    let (good, bad) = (repo.resolve(&args.good)?, repo.resolve(&args.bad)?);
    let named = args.what.asks();
    let config = if named { weigh::config(&args.what)? } else { ctx.config(repo, Some(&bad))? };
    let metric = metric(&config, args.metric.as_deref())?;
    let most = args.pairs.map_or(DEFAULT_ROUNDS, |n| n as usize);
    let seed = args.seed.unwrap_or_else(rand::random);
    let job = Job { good, bad, config, metric, error: args.error_rate, most, seed, first_parent: args.first_parent };
    Ok((Search::new(repo, job)?, !named))
}

fn metric(config: &Config, wanted: Option<&str>) -> Result<Metric, Failure> {
    if let Some(name) = wanted {
        return named_metric(config, name).cloned();
    }
    match config.metrics.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Failure::usage(phrase!("{file} has no metric", file = crate::config::FILE_NAME))
            .try_next("add a [metrics.NAME] table to it")),
        many => {
            let names: Vec<_> = many.iter().map(|metric| clean(&metric.name).into_owned()).collect();
            Err(Failure::usage("one metric tells good from bad, and there are several")
                .because(names.join(", "))
                .try_next(phrase!("--metric {name}", name = &names[0])))
        }
    }
}

/// Measures the ends; none when they make no search.
fn ends(ctx: &Ctx, search: &mut Search<'_>) -> Result<MetricComparison, Failure> {
    let mut progress = Progress::new(ctx, vec!["good".into(), "bad".into()]);
    let row = search.ends(&mut |event| progress.tell(event));
    progress.finish();
    Ok(row?)
}

fn probe(ctx: &Ctx, search: &mut Search<'_>, commit: &Oid) -> Result<Probe, Failure> {
    let mut progress = Progress::new(ctx, vec!["good".into(), "bad".into(), "probe".into()]);
    let found = search.probe(commit, &mut |event| progress.tell(event));
    progress.finish();
    Ok(found?)
}

/// Why these ends make no search.
fn refusal(row: &MetricComparison) -> Phrase {
    let metric = clean(&row.metric).into_owned();
    match row.word {
        Word::Improved => phrase!("{metric} is better on bad than on good", metric),
        Word::Unchanged => phrase!("{metric} is not worse on bad than on good by as much as matters", metric),
        _ => phrase!(
            "whether {metric} is worse on bad than on good cannot be told from {n} rounds",
            metric,
            n = row.rounds
        ),
    }
}

fn search(ctx: &Ctx, args: &Args) -> Done {
    let repo = ctx.repo()?;
    let (mut search, gated) = open(ctx, &repo, args)?;
    // Between two sessions ctrl-C is heard, too.
    let _guard = interrupt::Guard::new().ok();
    let Job { good, bad, config, .. } = search.job.clone();
    if gated {
        super::trust::gate(ctx, &repo, &config, &[bad.clone(), good.clone()])?;
    }
    let in_range = search.left().len();
    ctx.note(phrase!(
        "{n} commit{s} may be the first bad one; about {probes} to measure",
        n = in_range,
        s = plural(in_range),
        probes = search.probes_left()
    ));
    let row = ends(ctx, &mut search)?;
    ctx.say(phrase!("{good} is good and {bad} is bad:", good = good.short(), bad = bad.short()))?;
    let heads = ["good", "bad"].map(|head| ctx.tell(head));
    ctx.say(table::comparison_of(heads, std::slice::from_ref(&row), ctx.look()))?;
    if row.word != Word::Regressed {
        search.finish()?;
        ctx.say(refusal(&row))?;
        emit(ctx, &search, &row, in_range, None)?;
        return Ok(Exit::No);
    }
    while let Some(commit) = search.next_commit()? {
        if interrupt::requested() {
            return Err(Failure::new(Exit::Interrupted, "interrupted between two commits")
                .try_next("the same command (goes on where it stopped)"));
        }
        if gated {
            super::trust::gate(ctx, &repo, &config, std::slice::from_ref(&commit))?;
        }
        let found = match probe(ctx, &mut search, &commit) {
            Err(failure) if failure.exit == Exit::No => {
                show(ctx, &repo, &search)?;
                search.finish()?;
                return Err(failure);
            }
            other => other?,
        };
        let (commit, answer) = (commit.short(), Phrase::from(found.answer.as_str()));
        let n = search.left().len();
        ctx.note(match found.why {
            Some(why) => phrase!("{commit} is {answer} ({why}); {n} left", commit, answer, why, n),
            None => phrase!("{commit} is {answer}; {n} left", commit, answer, n),
        });
    }
    show(ctx, &repo, &search)?;
    let first = (search.left().len() == 1).then(|| search.bad().clone());
    let effect = first.is_some().then(|| search.effect()).transpose()?.flatten();
    tell(ctx, &repo, &search, first.is_some(), effect.as_ref())?;
    emit(ctx, &search, &row, in_range, effect.as_ref())?;
    search.finish()?;
    Ok(if first.is_some() { Exit::Done } else { Exit::No })
}

/// The commits that were looked at, in the order in which that was done.
fn show(ctx: &Ctx, repo: &Repo, search: &Search<'_>) -> Result<(), Failure> {
    if search.probes.is_empty() || ctx.json {
        return Ok(());
    }
    let columns = [
        Column::word(ctx.tell("commit")),
        Column::word(ctx.tell("answer")),
        Column::number(ctx.tell("against good")),
        Column::number(ctx.tell("interval")),
        Column::number(ctx.tell("rounds")),
        Column::text(ctx.tell("subject")),
    ];
    let rows = search.probes.iter().map(|probe| {
        let tone = match probe.answer {
            Answer::Good => Tone::Good,
            Answer::Bad => Tone::Bad,
            _ => Tone::Open,
        };
        let subject = repo.commit(&probe.commit).map(|commit| commit.subject).unwrap_or_default();
        Ok(vec![
            ctx.commit(repo, &probe.commit, probe.commit.short()).as_str().into(),
            Cell::toned(&ctx.tell(probe.answer.as_str()), tone),
            probe.relative.map(number::percent).unwrap_or_default().into(),
            probe.interval.map(number::interval).unwrap_or_default().into(),
            probe.rounds.to_string().into(),
            probe.why.clone().map_or(subject, |why| ctx.tell(why)).into(),
        ])
    });
    ctx.say(table::table(&columns, &rows.collect::<Result<Vec<_>, Failure>>()?, ctx.look()))
}

/// The answer in words.
fn tell(ctx: &Ctx, repo: &Repo, search: &Search<'_>, found: bool, effect: Option<&Effect>) -> Result<(), Failure> {
    let line = |commit: &Oid| -> Result<String, Failure> {
        let it = repo.commit(commit)?;
        Ok(format!("{} {}", ctx.commit(repo, commit, commit.short()), clean(&it.subject)))
    };
    if found {
        let it = repo.commit(search.bad())?;
        ctx.say(phrase!("the first bad commit is {commit}", commit = line(search.bad())?))?;
        let (person, day) = (clean(&it.author.name).into_owned(), it.at.format("%Y-%m-%d").to_string());
        ctx.say(phrase!("  by {person}, {day}", person, day))?;
    } else {
        ctx.say("the first bad commit is one of these:")?;
        for commit in search.left().iter().rev() {
            ctx.say(format!("  {}", line(commit)?))?;
        }
        ctx.say("those between could not be told; with more --pairs, or measured by hand, they may")?;
    }
    if let Some(Effect { from, relative: Some(relative), interval, .. }) = effect {
        let metric = clean(&search.job.metric.name).into_owned();
        let (change, from) = (number::percent(*relative), from.short());
        ctx.say(match interval {
            Some(interval) => phrase!(
                "  {metric} {change} against {from}, between {interval} with 95 % confidence",
                metric,
                change,
                from,
                interval = number::interval(*interval)
            ),
            None => phrase!("  {metric} {change} against {from}", metric, change, from),
        })?;
    }
    let (runs, commits) = (search.runs(), search.probes.iter().filter(|probe| probe.runs > 0).count());
    let s = plural(commits);
    ctx.say(match search.is_exact() {
        true => phrase!("  {runs} runs, {commits} commit{s} measured beside both ends", runs, commits, s),
        false => phrase!(
            "  {runs} runs, {commits} commit{s} measured beside both ends; wrong at most {rate} of the time",
            runs,
            commits,
            s,
            rate = format!("{} %", search.job.error * 100.0)
        ),
    })
}

fn emit(
    ctx: &Ctx,
    search: &Search<'_>,
    row: &MetricComparison,
    in_range: usize,
    effect: Option<&Effect>,
) -> Result<(), Failure> {
    let searched = row.word == Word::Regressed;
    let first = (searched && search.left().len() == 1).then(|| search.bad());
    let probes: Vec<_> = search.probes.iter().map(|probe| told(ctx, probe)).collect();
    ctx.emit(
        "bisect",
        json!({
            "good": search.job.good, "bad": search.job.bad, "metric": search.job.metric.name, "ends": row,
            "commits": in_range, "probes": probes, "first_bad": first,
            "suspects": if searched { search.left() } else { &[] }, "effect": effect, "runs": search.runs(),
            "error_rate": search.job.error, "seed": search.job.seed,
        }),
    )
}

/// A probe as JSON; why it was skipped in words, as in all other output.
fn told(ctx: &Ctx, probe: &Probe) -> serde_json::Value {
    let mut value = serde_json::to_value(probe).unwrap_or_default();
    if let Some(why) = &probe.why {
        value["why"] = ctx.tell(why.clone()).into();
    }
    value
}

/// Judges the commit that is checked out. The ends are measured once: their session stays for the next step.
fn step(ctx: &Ctx, args: &Args) -> Done {
    let repo = ctx.repo()?;
    let (mut search, gated) = open(ctx, &repo, args)?;
    let _guard = interrupt::Guard::new().ok();
    let commit = repo.resolve("HEAD")?;
    let Job { good, bad, config, .. } = search.job.clone();
    if gated {
        super::trust::gate(ctx, &repo, &config, &[commit.clone(), bad, good])?;
    }
    let row = ends(ctx, &mut search)?;
    if row.word != Word::Regressed {
        return Err(Failure::new(Exit::No, refusal(&row)));
    }
    let found = match search.known(&commit)? {
        Some(found) => found,
        None => {
            let mut progress = Progress::new(ctx, vec!["good".into(), "bad".into(), "probe".into()]);
            let found = search.judge(&commit, &mut |event| progress.tell(event));
            progress.finish();
            found?
        }
    };
    ctx.say(phrase!("{commit} is {answer}", commit = commit.short(), answer = Phrase::from(found.answer.as_str())))?;
    ctx.emit("bisect-step", json!({"commit": commit, "ends": row, "probe": told(ctx, &found), "runs": search.runs()}))?;
    search.judged(&found)?;
    Ok(match found.answer {
        Answer::Good => Exit::Done,
        Answer::Bad => Exit::No,
        Answer::Skipped | Answer::Undecided => Exit::Skip,
    })
}
