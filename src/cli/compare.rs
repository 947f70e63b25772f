//! `git verdict compare`: options side by side.

use super::{Ctx, Done};
use crate::error::{Exit, Failure};
use crate::experiment::Experiment;
use crate::ledger::Ledger;
use crate::policy::options::{Candidate, Judged, judge};
use crate::render::table::{self, Cell, Column};
use crate::render::text::clean;
use crate::units::Unit;
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The experiments (default: all that were measured and not abandoned)
    names: Vec<String>,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let repo = ctx.repo()?;
    let ledger = Ledger::open(&repo);
    let book = ctx.book(&ledger)?;
    let chosen: Vec<&Experiment> = if args.names.is_empty() {
        let abandoned = crate::experiment::State::Abandoned;
        book.experiments.iter().filter(|e| !e.measured.is_empty() && e.state != abandoned).collect()
    } else {
        args.names.iter().map(|name| book.find(name)).collect::<Result<_, _>>()?
    };
    if let Some(unmeasured) = chosen.iter().find(|e| e.measured.is_empty()) {
        return Err(Failure::state(format!("experiment '{}' has not been measured", unmeasured.name))
            .try_next(format!("git verdict measure {}", unmeasured.name)));
    }
    if chosen.is_empty() {
        return Err(Failure::state("no experiment has been measured").try_next("git verdict measure NAME"));
    }
    let name_of = |id| chosen.iter().find(|e| Some(e.id) == id).map(|e| e.name.as_str());
    let options: Vec<Candidate<'_>> = chosen
        .iter()
        .filter_map(|e| {
            let (_, measured) = e.latest()?;
            Some(Candidate {
                name: &e.name,
                stands_on: name_of(e.opened.stands_on),
                base: &measured.base.commit,
                rows: &measured.comparison,
                complexity: &measured.complexity,
            })
        })
        .collect();
    let judged = judge(&options);
    ctx.say(table::table(&columns(&options), &rows(&chosen, &options, &judged), ctx.look()))?;
    ctx.say(
        "each metric: the change it brought itself; 'in all' adds what it stands on; '*' marks what no other beats",
    )?;
    ctx.emit(
        "compare",
        json!({"options": chosen.iter().zip(&judged).map(|(e, j)| json!({
            "experiment": e.name, "state": e.state, "stands_on": name_of(e.opened.stands_on),
            "comparison": e.latest().map(|(_, m)| &m.comparison), "complexity": e.latest().map(|(_, m)| &m.complexity),
            "root": j.root, "totals": j.totals, "lines": j.lines, "beaten_by": j.beaten_by,
        })).collect::<Vec<_>>()}),
    )?;
    Ok(Exit::Done)
}

fn metrics(options: &[Candidate<'_>]) -> Vec<(String, Unit)> {
    let mut found: Vec<(String, Unit)> = Vec::new();
    for row in options.iter().flat_map(|o| o.rows) {
        if !found.iter().any(|(name, _)| *name == row.metric) {
            found.push((row.metric.clone(), row.unit.clone()));
        }
    }
    found
}

fn columns(options: &[Candidate<'_>]) -> Vec<Column> {
    let mut columns = vec![Column::word("option"), Column::word("state")];
    for (name, _) in metrics(options) {
        columns.push(Column::number(name));
        columns.push(Column::number("in all"));
    }
    columns.push(Column::number("lines"));
    columns.push(Column::word("beaten by"));
    columns
}

fn rows(chosen: &[&Experiment], options: &[Candidate<'_>], judged: &[Judged]) -> Vec<Vec<Cell>> {
    let metrics = metrics(options);
    let each = chosen.iter().zip(options).zip(judged);
    each.map(|((experiment, option), judged)| {
        let mark = if judged.beaten_by.is_none() { " *" } else { "" };
        let on = option.stands_on.map(|on| format!(" (on {})", clean(on))).unwrap_or_default();
        let mut row = vec![format!("{}{on}{mark}", clean(option.name)).into(), experiment.state.as_str().into()];
        for (name, unit) in &metrics {
            let own = option.rows.iter().find(|r| r.metric == *name);
            row.push(own.map_or("-".into(), |r| change(unit, r.base, r.candidate).into()));
            let total = judged.totals.iter().find(|t| t.metric == *name);
            row.push(total.map_or("-".into(), |t| change(unit, t.base, t.candidate).into()));
        }
        row.push(judged.lines.to_string().into());
        row.push(judged.beaten_by.clone().unwrap_or_default().into());
        row
    })
    .collect()
}

fn change(unit: &Unit, base: f64, candidate: f64) -> String {
    match base {
        0.0 => unit.show_change(candidate - base),
        _ => format!("{} ({:+.1} %)", unit.show_change(candidate - base), (candidate / base - 1.0) * 100.0),
    }
}
