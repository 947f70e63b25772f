//! Which findings are worth an experiment, and in what order.

use super::Finding;
use crate::config::{Matters, Metric, Worth};
use crate::units::{Ratio, Unit};
use serde::Serialize;
use std::collections::HashMap;

/// A finding with what it could give for what it costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proposal {
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
    /// The gain as a share of the value that it is weighed in: 0.5 is a half.
    pub share: f64,
    /// Percent of that value for each line, a line of more risk counting for more; none when no fix is known.
    pub score: Option<f64>,
}

/// A finding whose idea was tried.
#[derive(Debug)]
pub struct Tried {
    /// What is there to gain by it now.
    pub finding: Finding,
    /// Its place in the history that was handed in.
    pub entry: usize,
}

/// What became of all findings.
#[derive(Debug, Default)]
pub struct Ranked {
    /// What is worth a try: known fixes first, the best share for its cost first.
    pub proposals: Vec<Proposal>,
    /// What was tried before.
    pub tried: Vec<Tried>,
    /// How many could not even reach what matters.
    pub too_small: usize,
}

/// What an experiment of the past says of its idea, the newest first.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    /// Its name.
    pub name: &'a str,
    /// What was tried.
    pub title: &'a str,
    /// What was expected.
    pub hypothesis: &'a str,
}

/// Sorts findings out: tried, too small, worth a try. `values` are what the metrics read now.
pub fn rank(
    findings: Vec<Finding>,
    past: &[Past<'_>],
    metrics: &[Metric],
    worth: &[Worth],
    values: &HashMap<String, f64>,
) -> Ranked {
    let mut ranked = Ranked::default();
    let prices = Prices::new(metrics, worth, values);
    for finding in findings {
        if let Some(entry) = past.iter().position(|p| finding.is_idea_of(p.name, p.title, p.hypothesis)) {
            ranked.tried.push(Tried { finding, entry });
            continue;
        }
        if finding.gain < matters(&finding, metrics) {
            ranked.too_small += 1;
            continue;
        }
        let share = prices.share(&finding);
        // Two digits: what differs by less is equal, and the cheaper one comes first.
        let score = finding.cost.map(|cost| two_digits(100.0 * share / cost.weight()));
        ranked.proposals.push(Proposal { finding, share, score });
    }
    ranked.proposals.sort_by(|a, b| {
        let weight = |p: &Proposal| p.finding.cost.map_or(f64::INFINITY, |cost| cost.weight());
        (b.score.is_some().cmp(&a.score.is_some()))
            .then(b.score.unwrap_or(0.0).total_cmp(&a.score.unwrap_or(0.0)))
            .then(weight(a).total_cmp(&weight(b)))
            .then(b.share.total_cmp(&a.share))
            .then_with(|| a.finding.name.cmp(&b.finding.name))
    });
    // Two metrics may read one artefact: the one it gives more for tells. The same idea elsewhere needs a name of its own.
    let mut seen: Vec<(String, super::Place)> = Vec::new();
    ranked.proposals.retain_mut(|p| {
        let known = (p.finding.name.clone(), p.finding.place.clone());
        if seen.contains(&known) {
            return false;
        }
        let same = seen.iter().filter(|(name, _)| *name == known.0).count();
        seen.push(known);
        if same > 0 {
            p.finding.name.push_str(&format!("-{}", same + 1));
        }
        true
    });
    ranked.tried.sort_by(|a, b| a.entry.cmp(&b.entry).then(b.finding.gain.total_cmp(&a.finding.gain)));
    ranked.tried.dedup_by(|a, b| a.entry == b.entry && a.finding.name == b.finding.name);
    ranked
}

fn two_digits(value: f64) -> f64 {
    if !(value.is_finite() && value > 0.0) {
        return 0.0;
    }
    format!("{value:.1e}").parse().unwrap_or(value)
}

/// The smallest gain that is worth acting on.
fn matters(finding: &Finding, metrics: &[Metric]) -> f64 {
    let metric = finding.metric.as_ref().and_then(|name| metrics.iter().find(|m| m.name == *name));
    match metric.map(|metric| metric.matters) {
        Some(Matters::Absolute(amount)) => amount,
        Some(Matters::Relative(Ratio(share))) => share * finding.whole,
        None => finding.whole * if finding.unit == Unit::Seconds { 0.05 } else { 0.01 },
    }
}

/// What a unit of each metric is worth in units of one of them.
struct Prices<'a> {
    of: HashMap<&'a str, f64>,
    /// The value of the metric that all are weighed in.
    whole: f64,
}

impl<'a> Prices<'a> {
    /// All is weighed in the first metric that has both a rate and a value.
    fn new(metrics: &[Metric], worth: &'a [Worth], values: &HashMap<String, f64>) -> Prices<'a> {
        let mut of: HashMap<&str, f64> = HashMap::new();
        let rated = |name: &str| worth.iter().flat_map(|w| [&w.left, &w.right]).find(|side| side.metric == name);
        let first = metrics.iter().find_map(|metric| {
            let whole = values.get(&metric.name).copied().filter(|value| *value > 0.0)?;
            Some((rated(&metric.name)?.metric.as_str(), whole))
        });
        let Some((name, whole)) = first else { return Prices { of, whole: 1.0 } };
        of.insert(name, 1.0);
        // Each round reaches at least one metric more, or is the last one.
        for _ in worth {
            for rate in worth {
                for (from, to) in [(&rate.left, &rate.right), (&rate.right, &rate.left)] {
                    if let (Some(price), false) = (of.get(from.metric.as_str()), of.contains_key(to.metric.as_str())) {
                        of.insert(&to.metric, price * from.amount / to.amount);
                    }
                }
            }
        }
        Prices { of, whole }
    }

    fn share(&self, finding: &Finding) -> f64 {
        match finding.metric.as_deref().and_then(|name| self.of.get(name)) {
            Some(price) => finding.gain * price / self.whole,
            None if finding.whole > 0.0 => finding.gain / finding.whole,
            None => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Cost, Place, Risk};
    use super::*;
    use crate::config::Config;

    const CONFIG: &str = "version = 1\n[steps.build]\nrun = \"make\"\n[metrics.time]\nstep = \"build\"\n\
        [metrics.size]\npath = \"out\"\nmatters = \"1 MB\"\n[policy]\nworth = [\"1 min time = 100 MB size\"]\n";

    fn finding(name: &str, metric: &str, gain: f64, whole: f64, cost: Option<Cost>) -> Finding {
        Finding { metric: Some(metric.into()), whole, ..Finding::new(name, name, cost, gain, Place::default()) }
    }

    fn ranked(findings: Vec<Finding>, past: &[Past<'_>], worth: bool) -> Ranked {
        let config = Config::parse(CONFIG, "verdict.toml").unwrap();
        let values = [("time".to_string(), 600.0), ("size".to_string(), 1e9)].into();
        rank(findings, past, &config.metrics, if worth { &config.policy.worth } else { &[] }, &values)
    }

    fn names(ranked: &Ranked) -> Vec<&str> {
        ranked.proposals.iter().map(|p| p.finding.name.as_str()).collect()
    }

    #[test]
    fn the_best_share_for_its_cost_is_first_and_what_has_no_known_fix_is_last() {
        let found = ranked(
            vec![
                finding("lead", "size", 900e6, 1e9, None),
                finding("stages", "size", 400e6, 1e9, Some(Cost { lines: 8, risk: Risk::High })),
                finding("slim", "size", 300e6, 1e9, Some(Cost { lines: 1, risk: Risk::Medium })),
                finding("cache", "size", 300e6, 1e9, Some(Cost { lines: 1, risk: Risk::Low })),
                finding("dust", "size", 0.9e6, 1e9, Some(Cost { lines: 1, risk: Risk::Low })),
            ],
            &[],
            false,
        );
        assert_eq!(names(&found), ["cache", "slim", "stages", "lead"]);
        assert_eq!(found.too_small, 1, "it cannot reach 1 MB");
        assert_eq!(found.proposals[0].score, Some(30.0));
    }

    #[test]
    fn of_equal_scores_the_cheaper_one_is_first() {
        let found = ranked(
            vec![
                finding("two", "size", 600e6, 1e9, Some(Cost { lines: 2, risk: Risk::Low })),
                finding("one", "size", 299.9e6, 1e9, Some(Cost { lines: 1, risk: Risk::Low })),
            ],
            &[],
            false,
        );
        assert_eq!(names(&found), ["one", "two"]);
    }

    #[test]
    fn an_exchange_rate_weighs_seconds_against_bytes() {
        let one = Some(Cost { lines: 1, risk: Risk::Low });
        let both = || vec![finding("bytes", "size", 600e6, 1e9, one), finding("seconds", "time", 300.0, 600.0, one)];
        assert_eq!(names(&ranked(both(), &[], false)), ["bytes", "seconds"], "60 % of one, 50 % of the other");
        let dear = vec![finding("bytes", "size", 400e6, 1e9, one), finding("seconds", "time", 300.0, 600.0, one)];
        let found = ranked(dear, &[], true);
        assert_eq!(names(&found), ["seconds", "bytes"], "300 s are 500 MB");
        assert!((found.proposals[1].share - 0.4).abs() < 1e-9, "400 MB are 4 min of 10");
        assert_eq!(names(&ranked(both(), &[], true)), ["bytes", "seconds"]);
    }

    #[test]
    fn what_was_tried_is_not_proposed_but_told() {
        let one = Some(Cost { lines: 1, risk: Risk::Low });
        let past = [
            Past { name: "other", title: "other", hypothesis: "" },
            Past { name: "pip-cache", title: "pip cache", hypothesis: "" },
        ];
        let found = ranked(vec![finding("no-pip-cache", "size", 300e6, 1e9, one)], &past, false);
        assert!(found.proposals.is_empty());
        assert_eq!(found.tried[0].entry, 1);
    }
}
