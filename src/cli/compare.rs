//! `git verdict compare`: options side by side.

use super::{Ctx, Done, rates};
use crate::config::MAINTENANCE;
use crate::error::{Exit, Failure};
use crate::experiment::Experiment;
use crate::ledger::event::Measured;
use crate::ledger::{Fact, Ledger, Wanted};
use crate::measure::environment::comparable;
use crate::phrase;
use crate::phrase::{Phrase, english_all};
use crate::policy::Recommendation;
use crate::policy::options::{Candidate, Judged, judge};
use crate::render::table::{self, Cell, Column};
use crate::render::text::clean;
use crate::units::Unit;
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The experiments (default: all that were measured and not abandoned)
    names: Vec<String>,
    #[command(flatten)]
    rates: rates::Flags,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let repo = ctx.repo()?;
    let ledger = Ledger::open(&repo);
    let book = match args.names.is_empty() {
        true => ctx.book(&ledger)?,
        false => ledger.book_of(&Wanted { names: args.names.clone(), ..Wanted::default() })?,
    };
    let chosen: Vec<&Experiment> = if args.names.is_empty() {
        let abandoned = crate::experiment::State::Abandoned;
        book.experiments.iter().filter(|e| !e.measured.is_empty() && e.state != abandoned).collect()
    } else {
        args.names.iter().map(|name| book.find(name)).collect::<Result<_, _>>()?
    };
    if let Some(unmeasured) = chosen.iter().find(|e| e.measured.is_empty()) {
        return Err(Failure::state(phrase!("experiment '{name}' has not been measured", name = &unmeasured.name))
            .try_next(phrase!("git verdict measure {name}", name = &unmeasured.name)));
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
                environment: &measured.environment,
            })
        })
        .collect();
    let judged = judge(&options);
    let latest: Vec<&Measured> = chosen.iter().filter_map(|e| e.latest()).map(|(_, measured)| measured).collect();
    let supposed = rates::read(ctx, &repo, &args.rates, &latest)?;
    let even: Vec<_> = latest.iter().map(|measured| rates::break_even(measured)).collect();
    // Where none stands on another, what each does itself is all that it does.
    let stacked = options.iter().any(|option| option.stands_on.is_some());
    ctx.say(table::table(&columns(ctx, stacked), &rows(ctx, &chosen, &options, &judged, stacked), ctx.look()))?;
    ctx.say(match stacked {
        true => "'in all' adds what an option stands on; '*' marks what no other beats",
        false => "'*' marks what no other beats",
    })?;
    for (name, ruler) in chosen.iter().filter_map(|e| Some((&e.name, e.latest()?.1.ruler.as_ref()?))) {
        ctx.say(phrase!("{name}: {what}", name = clean(name), what = super::measure::ruler_mark(ruler)))?;
    }
    for (experiment, even) in chosen.iter().zip(&even) {
        if let Some(even) = even {
            ctx.say(phrase!("{name}: {even}", name = clean(&experiment.name), even = even.phrase()))?;
        }
    }
    let apart = apart(&options);
    for Apart { one, other, why } in &apart {
        ctx.say(phrase!(
            "times of {one} and {other} are not compared, exact sizes are; measured differently: {why}",
            one = clean(one),
            other = clean(other),
            why = clean(&ctx.tell(Phrase::joined(why.clone(), "; ")))
        ))?;
    }
    let mut what_if: Vec<Option<Recommendation>> = vec![None; chosen.len()];
    if let Some(supposed) = &supposed {
        for (experiment, said) in chosen.iter().zip(&mut what_if) {
            let Some((id, _)) = experiment.latest() else { continue };
            // The folded ledger leaves out the samples, of which runs that failed are a part.
            if let Some(Fact::Measured(measured)) = ledger.find(*id)?.map(|event| event.fact) {
                supposed.say(ctx, &experiment.name, said.insert(supposed.recommend(&measured)))?;
            }
        }
    }
    ctx.emit(
        "compare",
        json!({"not_comparable": apart, "what_if": supposed.as_ref().map(|supposed| &supposed.rates), "options": chosen.iter().zip(&judged).zip(even.iter().zip(&what_if)).map(|((e, j), (even, what_if))| json!({
            "experiment": e.name, "state": e.state, "stands_on": name_of(e.opened.stands_on),
            "comparison": e.latest().map(|(_, m)| &m.comparison), "complexity": e.latest().map(|(_, m)| &m.complexity),
            "root": j.root, "totals": j.totals, "lines": j.lines, "maintenance": j.maintenance, "beaten_by": j.beaten_by,
            "break_even": even, "what_if": what_if, "ruler": e.latest().and_then(|(_, m)| m.ruler.as_ref()),
        })).collect::<Vec<_>>()}),
    )?;
    Ok(Exit::Done)
}

fn columns(ctx: &Ctx, stacked: bool) -> Vec<Column> {
    let words = ["option", "state"].map(|heading| Column::word(ctx.tell(heading)));
    let numbers: &[&str] = if stacked { &["itself", "in all"] } else { &["change"] };
    let numbers = numbers.iter().map(|heading| Column::number(ctx.tell(*heading)));
    let own = [Column::number(ctx.tell("lines")), Column::word(ctx.tell("metric"))];
    words.into_iter().chain(own).chain(numbers).chain([Column::word(ctx.tell("beaten by"))]).collect()
}

/// A line for each metric; what belongs to the whole option stands on its first one.
fn rows(
    ctx: &Ctx,
    chosen: &[&Experiment],
    options: &[Candidate<'_>],
    judged: &[Judged],
    stacked: bool,
) -> Vec<Vec<Cell>> {
    let mut lines = Vec::new();
    for ((experiment, option), judged) in chosen.iter().zip(options).zip(judged) {
        let mark = if judged.beaten_by.is_none() { " *" } else { "" };
        let mut names = vec![format!("{}{mark}", clean(option.name))];
        names.extend(option.stands_on.map(|on| ctx.tell(phrase!("on {name}", name = clean(on)))));
        let cost = option.complexity.maintenance.map(|cost| (cost.points, judged.maintenance));
        for index in 0..(option.rows.len() + usize::from(cost.is_some())).max(names.len()) {
            let first = index == 0;
            let mut line: Vec<Cell> = vec![names.get(index).cloned().unwrap_or_default().into()];
            line.push(if first { ctx.tell(experiment.state.as_str()).into() } else { Cell::default() });
            line.push(if first { judged.lines.to_string().into() } else { Cell::default() });
            match option.rows.get(index) {
                Some(row) => {
                    let total = judged.totals.iter().find(|total| total.metric == row.metric);
                    line.extend([
                        row.metric.as_str().into(),
                        change(&row.unit, row.base, row.candidate).into(),
                        total.map_or("-".into(), |t| change(&row.unit, t.base, t.candidate).into()),
                    ]);
                }
                None => match cost.filter(|_| index == option.rows.len()) {
                    Some((own, all)) => {
                        let all = all.map_or("-".to_string(), |all| format!("{all:+}"));
                        line.extend([MAINTENANCE.into(), format!("{own:+}").into(), all.into()]);
                    }
                    None => line.extend([Cell::default(), Cell::default(), Cell::default()]),
                },
            }
            if !stacked {
                // Its own change: that in all is the same, and lacks what no other option has.
                line.remove(5);
            }
            line.push(judged.beaten_by.clone().filter(|_| first).unwrap_or_default().into());
            lines.push(line);
        }
    }
    lines
}

/// Two options that were measured on machines whose times do not compare.
#[derive(Debug, serde::Serialize)]
struct Apart {
    one: String,
    other: String,
    #[serde(serialize_with = "english_all")]
    why: Vec<Phrase>,
}

/// Each option whose environment differs from that of the first option with metrics that are not exact.
fn apart(options: &[Candidate<'_>]) -> Vec<Apart> {
    let mut sampled = options.iter().filter(|option| option.rows.iter().any(|row| !row.exact));
    let Some(first) = sampled.next() else { return Vec::new() };
    sampled
        .filter_map(|option| {
            let why = comparable(first.environment, option.environment).err()?;
            Some(Apart { one: first.name.to_string(), other: option.name.to_string(), why })
        })
        .collect()
}

fn change(unit: &Unit, base: f64, candidate: f64) -> String {
    match base {
        0.0 => unit.show_change(candidate - base),
        _ => format!("{} ({:+.1} %)", unit.show_change(candidate - base), (candidate / base - 1.0) * 100.0),
    }
}
