//! Options side by side: each against the base and against the one it stands on, and which of them no other beats.

use super::{Complexity, MetricComparison};
use crate::config::{Better, Matters};
use crate::git::Oid;
use crate::measure::environment::{Environment, comparable};
use serde::Serialize;
use std::collections::HashMap;

/// A measured experiment, as far as comparing needs it.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    /// Its name.
    pub name: &'a str,
    /// The option that it stands on, when that one was measured too.
    pub stands_on: Option<&'a str>,
    /// The commit that it was measured against.
    pub base: &'a Oid,
    /// Its own rows.
    pub rows: &'a [MetricComparison],
    /// What its diff weighs.
    pub complexity: &'a Complexity,
    /// The machine that it was measured on.
    pub environment: &'a Environment,
}

/// One metric of an option, in the base unit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Total {
    /// The metric's name.
    pub metric: String,
    /// On the base that the whole stack stands on.
    pub base: f64,
    /// With this option and all that it stands on.
    pub candidate: f64,
}

/// One option, judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// Its name.
    pub name: String,
    /// The commit that the whole stack stands on.
    pub root: Oid,
    /// Against that commit: its own change and those of all that it stands on, chained by ratio. A metric that is not
    /// exact is left out when some of them were measured on machines whose times do not compare.
    pub totals: Vec<Total>,
    /// Lines added and removed, with all that it stands on.
    pub lines: usize,
    /// What it costs to maintain, with all that it stands on; none when one of these records does not have it.
    pub maintenance: Option<i64>,
    /// What beats it: another option on the same base, or `base` (doing nothing). None when nothing does.
    pub beaten_by: Option<String>,
}

/// Judges options. One beats another on the same base when it is no worse in any metric and in lines changed, and better in one
/// metric by more than matters. Doing nothing counts as an option. Options that were measured on machines whose times do not
/// compare beat each other only where every metric is exact.
pub fn judge(options: &[Candidate<'_>]) -> Vec<Judged> {
    let by_name: HashMap<&str, &Candidate<'_>> = options.iter().map(|o| (o.name, o)).collect();
    let mut judged: Vec<Judged> = options.iter().map(|option| total(option, &by_name)).collect();
    let beaten: Vec<Option<String>> = judged
        .iter()
        .zip(options)
        .map(|(one, option)| {
            let nothing = nothing(one);
            let rivals = judged.iter().zip(options).filter(|(other, rival)| {
                other.name != one.name && other.root == one.root && comparable_options(option, rival)
            });
            rivals
                .map(|(other, _)| other)
                .chain([&nothing])
                .find(|other| beats(other, one, option.rows))
                .map(|other| other.name.clone())
        })
        .collect();
    for (one, by) in judged.iter_mut().zip(beaten) {
        one.beaten_by = by;
    }
    judged
}

fn total(option: &Candidate<'_>, by_name: &HashMap<&str, &Candidate<'_>>) -> Judged {
    let mut chain = vec![option];
    while let Some(parent) = chain[chain.len() - 1].stands_on.and_then(|name| by_name.get(name)) {
        if chain.iter().any(|seen| seen.name == parent.name) {
            break;
        }
        chain.push(parent);
    }
    let totals = option.rows.iter().filter_map(|row| {
        let mut base = row.base;
        let mut factor = 1.0;
        let mut plain = 0.0;
        for step in &chain {
            let Some(found) = step.rows.iter().find(|r| r.metric == row.metric) else { break };
            let exact = row.exact && found.exact;
            if !exact && comparable(option.environment, step.environment).is_err() {
                return None;
            }
            base = found.base;
            plain += found.absolute();
            factor *= if found.base == 0.0 { f64::NAN } else { found.candidate / found.base };
        }
        let candidate = if factor.is_finite() { base * factor } else { base + plain };
        Some(Total { metric: row.metric.clone(), base, candidate })
    });
    Judged {
        name: option.name.to_string(),
        root: chain[chain.len() - 1].base.clone(),
        totals: totals.collect(),
        lines: chain.iter().map(|o| o.complexity.added + o.complexity.removed).sum(),
        maintenance: chain.iter().map(|o| o.complexity.maintenance.map(|cost| cost.points)).sum(),
        beaten_by: None,
    }
}

/// Whether one option may beat another: on machines whose times compare, or by exact metrics alone.
fn comparable_options(one: &Candidate<'_>, other: &Candidate<'_>) -> bool {
    comparable(one.environment, other.environment).is_ok() || one.rows.iter().chain(other.rows).all(|row| row.exact)
}

fn nothing(one: &Judged) -> Judged {
    let totals = one.totals.iter().map(|t| Total { candidate: t.base, ..t.clone() }).collect();
    Judged { name: "base".into(), totals, lines: 0, maintenance: None, beaten_by: None, root: one.root.clone() }
}

fn beats(one: &Judged, other: &Judged, rows: &[MetricComparison]) -> bool {
    let mut better = false;
    for row in rows {
        let find = |judged: &Judged| judged.totals.iter().find(|t| t.metric == row.metric).cloned();
        let (Some(mine), Some(theirs)) = (find(one), find(other)) else { return false };
        // How much of the base this option saves more than the other one.
        let gain = match row.better {
            Better::Lower => theirs.candidate - mine.candidate,
            Better::Higher => mine.candidate - theirs.candidate,
        };
        let margin = match row.matters {
            Matters::Relative(ratio) => ratio.0 * mine.base.abs(),
            Matters::Absolute(amount) => amount,
        };
        let tolerance = if row.exact { 0.0 } else { margin };
        if gain < -tolerance {
            return false;
        }
        better |= gain > margin;
    }
    better && one.lines <= other.lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Word;
    use crate::units::{Ratio, Unit};

    fn row(metric: &str, unit: Unit, base: f64, candidate: f64, exact: bool) -> MetricComparison {
        MetricComparison {
            metric: metric.into(),
            unit,
            better: Better::Lower,
            matters: Matters::Relative(Ratio(0.01)),
            base,
            candidate,
            relative: Some(candidate / base - 1.0),
            interval: None,
            exact,
            rounds: 3,
            word: Word::Improved,
            limit: None,
            detectable: None,
            rounds_needed: None,
        }
    }

    fn lines(added: usize) -> Complexity {
        Complexity { files: 1, added, ..Complexity::default() }
    }

    fn judge_seed() -> Vec<Judged> {
        judge_on(&Environment::default())
    }

    /// The seed's options; the one that is stacked was measured on `other`.
    fn judge_on(other: &Environment) -> Vec<Judged> {
        let here = Environment::default();
        let root = Oid::parse(&"a".repeat(40)).unwrap();
        let later = Oid::parse(&"b".repeat(40)).unwrap();
        let (one, two, worse) = (lines(1), lines(30), lines(40));
        let pip = [row("build", Unit::Seconds, 900.0, 420.0, false), row("size", Unit::Bytes, 9.6e9, 3.6e9, true)];
        let multi = [row("build", Unit::Seconds, 430.0, 790.0, false), row("size", Unit::Bytes, 3.6e9, 3.3e9, true)];
        let slow = [row("build", Unit::Seconds, 900.0, 990.0, false), row("size", Unit::Bytes, 9.6e9, 9.6e9, true)];
        let option = |name, stands_on: Option<&'static str>, base, rows, complexity| Candidate {
            environment: if stands_on.is_some() { other } else { &here },
            name,
            stands_on,
            base,
            rows,
            complexity,
        };
        judge(&[
            option("pip-cache", None, &root, &pip[..], &one),
            option("multi-stage", Some("pip-cache"), &later, &multi[..], &two),
            option("slow", None, &root, &slow[..], &worse),
        ])
    }

    #[test]
    fn a_stacked_option_is_shown_against_the_root_of_its_stack() {
        let judged = judge_seed();
        let stacked = &judged[1];
        assert_eq!(stacked.root, judged[0].root);
        assert_eq!(stacked.lines, 31);
        let build = &stacked.totals[0];
        assert_eq!(build.base, 900.0);
        assert!((build.candidate - 420.0 * 790.0 / 430.0).abs() < 1e-9);
        assert!((stacked.totals[1].candidate - 3.3e9).abs() < 1.0);
    }

    #[test]
    fn trade_offs_stand_and_what_loses_everywhere_is_beaten() {
        let judged = judge_seed();
        assert_eq!(judged[0].beaten_by, None, "less build time than any");
        assert_eq!(judged[1].beaten_by, None, "the smallest image");
        assert_eq!(judged[2].beaten_by.as_deref(), Some("pip-cache"));
    }

    #[test]
    fn an_option_that_only_costs_is_beaten_by_doing_nothing() {
        let root = Oid::parse(&"a".repeat(40)).unwrap();
        let rows = [row("build", Unit::Seconds, 10.0, 12.0, false)];
        let judged = judge(&[Candidate {
            name: "x",
            stands_on: None,
            base: &root,
            rows: &rows,
            complexity: &lines(3),
            environment: &Environment::default(),
        }]);
        assert_eq!(judged[0].beaten_by.as_deref(), Some("base"));
    }

    #[test]
    fn a_cycle_of_records_ends() {
        let root = Oid::parse(&"a".repeat(40)).unwrap();
        let rows = [row("build", Unit::Seconds, 10.0, 9.0, false)];
        let weight = lines(1);
        let environment = Environment::default();
        let option = |name, on| Candidate {
            name,
            stands_on: Some(on),
            base: &root,
            rows: &rows[..],
            complexity: &weight,
            environment: &environment,
        };
        assert_eq!(judge(&[option("a", "b"), option("b", "a")]).len(), 2);
    }

    #[test]
    fn times_of_another_machine_are_not_chained_and_beat_nothing_but_exact_sizes_are() {
        let judged = judge_on(&Environment { cores: 64, ..Environment::default() });
        let stacked: Vec<&str> = judged[1].totals.iter().map(|t| t.metric.as_str()).collect();
        assert_eq!(stacked, ["size"], "the build times come from two machines");
        assert_eq!(judged[2].beaten_by.as_deref(), Some("pip-cache"), "these two were measured on one machine");
        let root = Oid::parse(&"a".repeat(40)).unwrap();
        let (small, large) = (lines(1), lines(9));
        let sizes = |after| [row("size", Unit::Bytes, 10.0, after, true)];
        let times = |after| [row("time", Unit::Seconds, 10.0, after, false)];
        let far = Environment { cores: 64, ..Environment::default() };
        let beaten = |fast: &[MetricComparison], slow: &[MetricComparison]| {
            let option = |name, rows, complexity, environment| Candidate {
                name,
                stands_on: None,
                base: &root,
                rows,
                complexity,
                environment,
            };
            let here = Environment::default();
            judge(&[option("a", fast, &small, &here), option("b", slow, &large, &far)])[1].beaten_by.clone()
        };
        assert_eq!(beaten(&sizes(5.0), &sizes(8.0)).as_deref(), Some("a"));
        assert_eq!(beaten(&times(5.0), &times(8.0)), None);
    }
}
