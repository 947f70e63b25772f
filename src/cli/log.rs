//! `git verdict log`: the decisions, newest first.

use super::{Ctx, Done};
use crate::error::{Exit, Failure};
use crate::experiment::{Experiment, State};
use crate::ledger::Ledger;
use crate::policy::MetricComparison;
use crate::render::table::Tone;
use crate::render::text::{Align, clean, cut_at_word, pad};
use chrono::{DateTime, FixedOffset};
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// At most N rows
    #[arg(short = 'n', long, value_name = "N")]
    number: Option<usize>,
    /// Open and abandoned experiments too
    #[arg(long)]
    all: bool,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let repo = ctx.repo()?;
    let ledger = Ledger::open(&repo);
    let book = ctx.book(&ledger)?;
    let mut shown: Vec<&Experiment> = book.experiments.iter().filter(|e| args.all || e.decided.is_some()).collect();
    shown.sort_by_key(|e| std::cmp::Reverse(when(e)));
    shown.truncate(args.number.unwrap_or(usize::MAX));
    if shown.is_empty() {
        let open = book.experiments.iter().filter(|e| e.is_open()).count();
        ctx.say(match open {
            0 => "no decisions yet; git verdict start NAME --hypothesis TEXT opens an experiment".to_string(),
            _ => format!("no decisions yet; open experiments: {open} (git verdict log --all)"),
        })?;
    } else {
        for experiment in &shown {
            entry(ctx, experiment)?;
        }
    }
    ctx.emit("log", json!({"decisions": shown.iter().map(|e| value(e)).collect::<Vec<_>>()}))?;
    Ok(Exit::Done)
}

/// When it was decided, or opened while it is not.
pub fn when(experiment: &Experiment) -> DateTime<FixedOffset> {
    experiment.decided.as_ref().map_or(experiment.opened_at, |(_, at, _)| *at)
}

/// The rows that a decision rests on, or those of the latest measurement.
pub fn comparison(experiment: &Experiment) -> &[MetricComparison] {
    match (&experiment.decided, experiment.latest()) {
        (Some((_, _, decided)), _) => &decided.comparison,
        (None, Some((_, measured))) => &measured.comparison,
        (None, None) => &[],
    }
}

/// `build_time +41.1 %, image_size -8.3 %`.
pub fn summary(rows: &[MetricComparison]) -> String {
    let one = |row: &MetricComparison| match row.relative {
        Some(relative) => format!("{} {:+.1} %", clean(&row.metric), relative * 100.0),
        None => format!("{} {}", clean(&row.metric), row.unit.show_change(row.absolute())),
    };
    if rows.is_empty() { "not measured".into() } else { rows.iter().map(one).collect::<Vec<_>>().join(", ") }
}

/// Two lines a decision: what and how much, then why.
fn entry(ctx: &Ctx, experiment: &Experiment) -> Result<(), Failure> {
    let look = ctx.look();
    let tone = match experiment.state {
        State::Kept => Tone::Good,
        State::Reverted | State::Archived => Tone::Bad,
        State::Open | State::Measured => Tone::Open,
        State::Abandoned => Tone::Quiet,
    };
    let day = when(experiment).format("%Y-%m-%d");
    let state = tone.paint(&pad(experiment.state.as_str(), 9, Align::Left), look);
    let name = Tone::Strong.paint(&experiment.name, look);
    ctx.say(format!("{day}  {state}  {name}  {}", summary(comparison(experiment))))?;
    let because = experiment.decided.as_ref().map_or(&experiment.opened.hypothesis, |(_, _, d)| &d.because);
    let first = clean(because.lines().next().unwrap_or_default());
    ctx.say(format!("{:12}{}", "", cut_at_word(&first, look.width.saturating_sub(12))))
}

/// An experiment as `log` and `status` print it in JSON.
pub fn value(experiment: &Experiment) -> Value {
    json!({
        "experiment": experiment.name,
        "id": experiment.id,
        "state": experiment.state,
        "title": experiment.opened.title,
        "hypothesis": experiment.opened.hypothesis,
        "branch": experiment.opened.branch,
        "onto": experiment.opened.onto,
        "stands_on": experiment.opened.stands_on,
        "opened_at": experiment.opened_at,
        "decision": experiment.decided.as_ref().map(|(id, at, decided)| json!({
            "record": id, "at": at, "verdict": decided.verdict, "mode": decided.mode, "because": decided.because,
            "overrode": decided.overrode, "revert_commit": decided.revert_commit, "landed": decided.landed,
        })),
        "comparison": comparison(experiment),
    })
}
