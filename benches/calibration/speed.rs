//! What deciding costs: ten metrics, sixty pairs.

use super::Outcome;
use super::rules::{MARGIN, plan};
use git_verdict::config::Metric;
use git_verdict::measure::Sample;
use git_verdict::policy::compare::StopRule;
use git_verdict::stats::DEFAULT_ROUNDS;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::time::Instant;

/// Times the stop rule after each look of a session whose ten metrics all stay open to the end.
pub fn speed() -> Outcome {
    let mut plan = plan(MARGIN, Some(DEFAULT_ROUNDS + 1));
    let one = plan.config.metrics.remove(0);
    plan.config.metrics = (0..10).map(|i| Metric { name: format!("m{i}"), ..one.clone() }).collect();
    let mut rng = StdRng::seed_from_u64(1);
    let samples: Vec<Sample> = (0..DEFAULT_ROUNDS * 2)
        .map(|index| {
            let mut value = || 1.0 + 0.3 * rng.random::<f64>();
            let values = plan.config.metrics.iter().map(|m| (m.name.clone(), value())).collect();
            Sample { round: index / 2, place: index % 2, side: index % 2, at: 0.0, values }
        })
        .collect();
    let mut rule = StopRule::new(&plan);
    for pairs in [3, 5, 8, 12, 18, 27, 40, 60] {
        let mut times: Vec<f64> = (0..101)
            .map(|_| {
                let begin = Instant::now();
                std::hint::black_box(rule.next(std::hint::black_box(&samples[..2 * pairs])));
                begin.elapsed().as_secs_f64()
            })
            .collect();
        let first = times[0];
        times.sort_by(f64::total_cmp);
        println!("{pairs:2} pairs, 10 metrics: median {:.3} ms, the first time {:.3} ms", times[50] * 1e3, first * 1e3);
    }
    Ok(())
}
