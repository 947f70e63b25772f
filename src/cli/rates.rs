//! `--worth`: the same numbers under exchange rates that are only supposed.

use super::{Ctx, land};
use crate::config::{Named, Policy, Worth, contradiction, parse_worth};
use crate::error::Failure;
use crate::git::Repo;
use crate::ledger::event::Measured;
use crate::phrase;
use crate::phrase::Phrase;
use crate::policy::rates::{WhatIf, suppose};
use crate::policy::{MetricComparison, Recommendation, maintenance, recommend};
use crate::render::table;
use crate::render::text::clean;
use crate::units::Unit;

// The flag. No doc comment: clap would make it the `about` of the command that it is part of.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Flags {
    /// What if this exchange rate held? Such as "1 min build_time = 200 MB image_size"; may be given again
    #[arg(long = "worth", value_name = "RATE")]
    worth: Vec<String>,
}

/// What is supposed, and the policy that holds then.
pub struct Supposed {
    /// The rates.
    pub rates: WhatIf,
    policy: Policy,
}

/// Reads the rates against the metrics of the configuration and those that were measured; none when there are none. Says which
/// of them change nothing, and which rates of the policy they set aside.
pub fn read(ctx: &Ctx, repo: &Repo, flags: &Flags, measured: &[&Measured]) -> Result<Option<Supposed>, Failure> {
    if flags.worth.is_empty() {
        return Ok(None);
    }
    let policy = land::policy(ctx, repo)?;
    let config = ctx.config(repo, None).ok();
    let rows: Vec<MetricComparison> = measured.iter().flat_map(|measured| rows(measured)).collect();
    let mut known: Vec<Named<'_>> = Vec::new();
    let configured = config.iter().flat_map(|config| &config.metrics).map(|metric| (&metric.name, &metric.unit));
    for (name, unit) in rows.iter().map(|row| (&row.metric, &row.unit)).chain(configured) {
        if !known.iter().any(|metric| metric.name == name) {
            known.push(Named { name, unit: Some(unit) });
        }
    }
    let mut supposed: Vec<Worth> = Vec::new();
    for text in &flags.worth {
        supposed.push(parse_worth(text, known.clone()).map_err(|error| wrong(text, error.message, error.help))?);
    }
    if let Some(found) = contradiction(&supposed) {
        let help = "keep one rate for each pair of metrics".into();
        return Err(wrong(&flags.worth[found.index], found.explain(&supposed, &known), Some(help)));
    }
    let rates = suppose(supposed, &policy.worth, &rows);
    let shown = |rate: &Worth| {
        let side = |side: &crate::config::Priced| {
            let unit = known.iter().find(|metric| metric.name == side.metric).and_then(|metric| metric.unit);
            format!("{} {}", unit.unwrap_or(&Unit::Count).show(side.amount), side.metric)
        };
        clean(&format!("{} = {}", side(&rate.left), side(&rate.right))).into_owned()
    };
    for rate in &rates.set_aside {
        ctx.note(phrase!(
            "note: the rate of [policy] {rate} contradicts what is supposed and is set aside",
            rate = shown(rate)
        ));
    }
    for rate in &rates.idle {
        ctx.note(phrase!(
            "note: the rate {rate} settles nothing here: no option changes both of its sides",
            rate = shown(rate)
        ));
    }
    let policy = Policy { worth: rates.rates.clone(), ..policy };
    Ok(Some(Supposed { rates, policy }))
}

fn wrong(text: &str, message: Phrase, help: Option<Phrase>) -> Failure {
    let failure = Failure::usage(phrase!("--worth '{text}' is no exchange rate", text = clean(text))).because(message);
    match help {
        Some(help) => failure.try_next(help),
        None => failure,
    }
}

/// The rows of a measurement, and what its change costs to maintain.
fn rows(measured: &Measured) -> Vec<MetricComparison> {
    let cost = maintenance::row(&measured.comparison, &measured.complexity);
    measured.comparison.iter().cloned().chain(cost).collect()
}

impl Supposed {
    /// What would be recommended. `measured` is a whole record, samples included.
    pub fn recommend(&self, measured: &Measured) -> Recommendation {
        let Measured { comparison, checks, complexity, samples, failures, .. } = measured;
        let said = recommend::recommend(comparison, checks, complexity, &self.policy);
        recommend::weigh_failures(said, samples, failures, 0, 1)
    }

    /// Says what would be recommended of an option.
    pub fn say(&self, ctx: &Ctx, name: &str, said: &Recommendation) -> Result<(), Failure> {
        ctx.say(phrase!("\n{name}, if these rates held:", name = clean(name)))?;
        ctx.say(table::recommendation(said, ctx.look()).trim_end())
    }
}

/// The rate at which an option breaks even, with what it costs to maintain where all that was measured is for the better.
pub fn break_even(measured: &Measured) -> Option<recommend::BreakEven> {
    recommend::break_even(&measured.comparison).or_else(|| recommend::break_even(&rows(measured)))
}
