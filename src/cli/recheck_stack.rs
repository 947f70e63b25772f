//! `git verdict recheck --stack`: the parts of a stack, each alone, against the whole.

use super::recheck::Session;
use super::{Ctx, measure};
use crate::error::{Exit, Failure};
use crate::experiment::{Book, Experiment};
use crate::git::Oid;
use crate::ledger::Fact;
use crate::ledger::event::{Measured, PartAlone, Rechecked, Rechecks};
use crate::measure::Side;
use crate::phrase;
use crate::policy::{MetricComparison, compare};
use crate::recheck::stack::{self, Stack};
use crate::render::table::{self, Cell, Column};
use crate::render::text::{clean, wrap};
use serde_json::json;

impl Session<'_> {
    /// Measures the stacks that these are the ends of.
    pub fn stacks(&mut self, book: &Book, tops: &[&Experiment]) -> Result<(), Failure> {
        if tops.is_empty() {
            self.ctx.say("no experiment was kept on top of another one that was kept")?;
        }
        for top in tops {
            match stack::stack(self.repo, &self.scratch, book, top)? {
                Ok(found) => self.stack(book, top, &found)?,
                Err(why) => self.skip(top, why, Exit::State)?,
            }
        }
        self.settle();
        Ok(())
    }

    fn stack(&mut self, book: &Book, top: &Experiment, found: &Stack<'_>) -> Result<(), Failure> {
        let (ctx, repo, name) = (self.ctx, self.repo, &top.name);
        let alone: Vec<(&str, &Oid)> = found
            .parts
            .iter()
            .filter_map(|part| Some((part.experiment.name.as_str(), part.alone.as_ref().ok()?)))
            .collect();
        for part in &found.parts {
            if let Err(files) = &part.alone {
                let (name, files) = (clean(&part.experiment.name), clean(&files.join(", ")).into_owned());
                ctx.say(phrase!("{name} cannot stand alone: it conflicts in {files}", name, files))?;
            }
        }
        if self.dry_run {
            let (base, candidate) = (found.base.short(), found.whole.short());
            ctx.say(phrase!("would measure {name}: {candidate} against {base}", name = clean(name), candidate, base))?;
            for (name, id) in &alone {
                ctx.say(phrase!("  and {name} alone as {id}", name = clean(name), id = id.short()))?;
            }
            self.measured.push(json!({
                "experiment": name, "what": Rechecked::Stack, "base": found.base, "candidate": found.whole,
            }));
            return Ok(());
        }
        let mut commits = vec![found.whole.clone(), found.base.clone()];
        for (_, id) in &alone {
            self.scratch.persist(id)?;
            commits.push((*id).clone());
        }
        let config = ctx.config(repo, Some(&found.whole))?;
        super::trust::gate_made(ctx, repo, &config, &commits, &found.sources)?;
        ctx.note(phrase!("measuring {name}", name));
        let mut sides = measure::two_sides(repo, &found.base, &found.whole)?;
        for (name, id) in &alone {
            sides.push(Side { name: (*name).into(), commit: (*id).clone(), tree: repo.tree_of(id)? });
        }
        let plan = measure::plan(repo, &format!("recheck:stack:{name}"), config, self.how, sides)?;
        let Some(taken) = self.sample(top, &plan)? else { return Ok(()) };
        let mut rows = (2..).map(|side| compare::rows(&plan.config, &taken, 0, side));
        let mut parts = Vec::new();
        for part in &found.parts {
            let alone = part.alone.as_ref().ok().and_then(|_| rows.next()).unwrap_or_default();
            let (Some((decision, _, _)), name) = (&part.experiment.decided, part.experiment.name.clone()) else {
                continue;
            };
            parts.push(PartAlone { decision: *decision, name, alone });
        }
        let Some((decision, _, _)) = &top.decided else { return Ok(()) };
        let seen = taken.seen_from(0, 1);
        let mut measured = measure::judged(repo, &plan.config, seen, &found.base, &found.whole)?;
        measured.rechecks = Some(Rechecks { decision: *decision, what: Rechecked::Stack, parts });
        let event = self.ledger.draft(top.id, name, Fact::Measured(Box::new(measured.clone())))?;
        self.ledger.append(&event)?;
        crate::measure::session::finish(repo, &plan.key)?;
        ctx.say(format!("{}:", clean(name)))?;
        told(ctx, book, &measured)?;
        let parts = measured.rechecks.as_ref().map(|rechecks| rechecks.parts.as_slice()).unwrap_or_default();
        let sums = stack::sums_of(book, &measured.comparison, parts);
        self.measured.push(json!({
            "experiment": name, "what": Rechecked::Stack, "base": found.base, "candidate": found.whole,
            "record": event.id, "measured": measured, "sums": sums,
        }));
        Ok(())
    }
}

/// The parts of each metric, on record and alone, what they come to, and what the whole is.
pub fn told(ctx: &Ctx, book: &Book, measured: &Measured) -> Result<(), Failure> {
    let parts = measured.rechecks.as_ref().map(|rechecks| rechecks.parts.as_slice()).unwrap_or_default();
    let words = ["metric", "part"].map(|heading| Column::word(ctx.tell(heading)));
    let numbers = ["on record", "alone"].map(|heading| Column::number(ctx.tell(heading)));
    let columns: Vec<Column> = words.into_iter().chain(numbers).collect();
    let mut lines: Vec<Vec<Cell>> = Vec::new();
    let sums = stack::sums_of(book, &measured.comparison, parts);
    for sum in &sums {
        let show = |value: Option<f64>| value.map_or("-".to_string(), |value| sum.unit.show_change(value));
        let change = |rows: &[MetricComparison]| {
            show(rows.iter().find(|row| row.metric == sum.metric).map(MetricComparison::absolute))
        };
        let mut metric = clean(&sum.metric).into_owned();
        let mut line = |part: String, recorded: String, alone: String| {
            lines.push(vec![std::mem::take(&mut metric).into(), part.into(), recorded.into(), alone.into()]);
        };
        for part in parts {
            let decided = book.experiments.iter().filter_map(|e| e.decided.as_ref());
            let mut found = decided.filter(|(id, _, _)| *id == part.decision);
            let recorded = found.next().map_or(&[][..], |(_, _, decided)| decided.comparison.as_slice());
            line(clean(&part.name).into_owned(), change(recorded), change(&part.alone));
        }
        let whole = Some(sum.whole);
        line(ctx.tell("sum"), show(sum.recorded), show(sum.alone));
        line(ctx.tell("together"), show(whole), show(whole));
        let difference = sum.recorded.map(|recorded| sum.whole - recorded);
        line(ctx.tell("difference"), show(difference), show(sum.interaction));
    }
    ctx.say(table::table(&columns, &lines, ctx.look()))?;
    sums.iter().try_for_each(|sum| ctx.say(wrap(&ctx.tell(sum.told()), ctx.look().width, 2)))
}
