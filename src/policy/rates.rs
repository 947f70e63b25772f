//! Exchange rates that are only supposed: "what if a minute were worth 200 MB?"

use super::MetricComparison;
use crate::config::{MAINTENANCE, Worth, contradiction};
use crate::stats::Word;
use serde::Serialize;

/// Rates in force for one question.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct WhatIf {
    /// What is supposed, then those of the policy that agree with it.
    pub rates: Vec<Worth>,
    /// Rates of the policy that contradict what is supposed: they do not count.
    pub set_aside: Vec<Worth>,
    /// Supposed rates over a metric that no option changes.
    pub idle: Vec<Worth>,
}

/// Puts supposed rates, which agree with each other, before those of the policy. `rows` are those of each option with what it
/// costs to maintain.
pub fn suppose(supposed: Vec<Worth>, policy: &[Worth], rows: &[MetricComparison]) -> WhatIf {
    let changed = |metric: &str| rows.iter().any(|row| row.metric == metric && row.word != Word::Unchanged);
    let idle = |rate: &&Worth| ![&rate.left, &rate.right].iter().all(|side| changed(&side.metric));
    let idle = supposed.iter().filter(idle).cloned().collect();
    let mut found = WhatIf { rates: supposed, set_aside: Vec::new(), idle };
    for rate in policy {
        found.rates.push(rate.clone());
        if contradiction(&found.rates).is_some() {
            found.set_aside.extend(found.rates.pop());
        }
    }
    found
}

/// Whether rates speak of what a change costs to maintain.
pub fn price_maintenance(rates: &[Worth]) -> bool {
    rates.iter().any(|rate| rate.left.metric == MAINTENANCE || rate.right.metric == MAINTENANCE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Priced;
    use crate::policy::maintenance::Maintenance;

    fn rate(left: (f64, &str), right: (f64, &str)) -> Worth {
        let side = |(amount, metric): (f64, &str)| Priced { metric: metric.into(), amount };
        Worth { left: side(left), right: side(right) }
    }

    #[test]
    fn what_is_supposed_comes_first_and_sets_aside_what_contradicts_it() {
        let supposed = rate((60.0, "time"), (200e6, "size"));
        let policy = [rate((60.0, "time"), (500e6, "size")), rate((1.0, "rps"), (1e6, "size"))];
        let found = suppose(vec![supposed.clone()], &policy, &[]);
        assert_eq!(found.rates, [supposed.clone(), policy[1].clone()]);
        assert_eq!(found.set_aside, policy[..1]);
        assert_eq!(found.idle, [supposed]);
        let chained = [rate((60.0, "time"), (1.0, "rps")), rate((1.0, "rps"), (500e6, "size"))];
        let found = suppose(vec![rate((60.0, "time"), (200e6, "size"))], &chained, &[]);
        assert_eq!(found.set_aside, chained[1..], "around a cycle, too");
    }

    #[test]
    fn a_rate_is_idle_when_one_of_its_sides_changes_nowhere() {
        let rows = [
            Maintenance::new(3, 0, 0, 0).row(),
            MetricComparison { metric: "size".into(), ..Maintenance::new(3, 0, 0, 0).row() },
        ];
        assert!(suppose(vec![rate((1.0, MAINTENANCE), (1.0, "size"))], &[], &rows).idle.is_empty());
        assert_eq!(suppose(vec![rate((1.0, MAINTENANCE), (1.0, "time"))], &[], &rows).idle.len(), 1);
    }
}
