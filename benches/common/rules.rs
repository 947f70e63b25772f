//! The rules that are compared: ours as the product runs it, and the peers'.

#![allow(dead_code)]

use git_verdict::config::{Better, Config, Matters, Metric, Resource, Source};
use git_verdict::git::Oid;
use git_verdict::measure::{Measurement, Next, Plan, Sample, Side};
use git_verdict::policy::compare::{StopRule, rows};
use git_verdict::stats::{Criticals, Looks, Word, look, student};
use git_verdict::units::{Ratio, Unit};
use std::collections::BTreeMap;

/// The smallest change that matters where rules are calibrated.
pub const MARGIN: f64 = 0.01;

/// What a rule says: candidate slower (+1), faster (-1), or nothing (0); and the runs that it took.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    pub sign: i32,
    pub runs: usize,
}

fn sign(word: Word) -> i32 {
    match word {
        Word::Regressed => 1,
        Word::Improved => -1,
        Word::Unchanged | Word::Inconclusive => 0,
    }
}

/// A plan of two sides and one timed metric, of which this change matters.
pub fn plan(margin: f64, max_rounds: Option<usize>) -> Plan {
    let id = Oid::parse(&"a".repeat(40)).expect("forty digits");
    let side = |name: &str| Side { name: name.into(), commit: id.clone(), tree: id.clone() };
    let metric = Metric {
        name: "time".into(),
        source: Source::Step { step: "run".into(), measure: Resource::Wall },
        unit: Unit::Seconds,
        better: Better::Lower,
        matters: Matters::Relative(Ratio(margin)),
        limit: None,
    };
    Plan {
        key: String::new(),
        sides: vec![side("base"), side("candidate")],
        config: Config { metrics: vec![metric], ..Config::default() },
        only: Vec::new(),
        max_rounds,
        budget: None,
        seed: 0,
        checks: false,
        hidden: None,
        origins: false,
        turns: Vec::new(),
    }
}

/// Ours: the product's stop rule and its rows, asked as a session asks them. `pair` takes one more pair.
pub fn ours<E>(
    margin: f64,
    max_rounds: Option<usize>,
    mut pair: impl FnMut() -> Result<(f64, f64), E>,
) -> Result<Claim, E> {
    let plan = plan(margin, max_rounds);
    let mut rule = StopRule::new(&plan);
    let mut samples: Vec<Sample> = Vec::new();
    let mut wanted = 1;
    loop {
        while samples.len() / 2 < wanted {
            let round = samples.len() / 2;
            let (base, candidate) = pair()?;
            for (side, value) in [base, candidate].into_iter().enumerate() {
                let values = BTreeMap::from([("time".to_string(), value)]);
                samples.push(Sample { round, place: side, side, at: 0.0, values });
            }
        }
        match rule.next(&samples) {
            Next::More { rounds, .. } => wanted += rounds,
            Next::Stop => break,
        }
    }
    let runs = samples.len();
    let word =
        rows(&plan.config, &Measurement::of(&plan, samples), 0, 1).first().map_or(Word::Inconclusive, |row| row.word);
    Ok(Claim { sign: sign(word), runs })
}

/// The same method with the same error at each look, whatever that adds up to.
pub fn flat(pairs: &[(f64, f64)], alpha: f64, criticals: &mut Criticals) -> Claim {
    let looks = Looks::up_to(None);
    let mut taken = 0;
    for &n in looks.points().iter().take_while(|n| **n <= pairs.len()) {
        taken = n;
        let matters = Matters::Relative(Ratio(MARGIN));
        let Ok(look) = look(&pairs[..n], matters, Better::Lower, alpha, criticals) else { break };
        if let Some(word) = look.word {
            return Claim { sign: sign(word), runs: 2 * n };
        }
        if look.futile(looks.last()) {
            break;
        }
    }
    Claim { sign: 0, runs: 2 * taken }
}

/// The mean and the variance of a sample.
pub fn mean_and_variance(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0))
}

fn claim(claimed: bool, difference: f64, runs: usize) -> Claim {
    let sign = match (claimed, difference > 0.0) {
        (false, _) => 0,
        (true, true) => 1,
        (true, false) => -1,
    };
    Claim { sign, runs }
}

/// Mean and standard deviation as hyperfine prints them: different when the two ranges do not overlap.
pub fn ranges(base: &[f64], candidate: &[f64]) -> Claim {
    let ((a, va), (b, vb)) = (mean_and_variance(base), mean_and_variance(candidate));
    claim((b - a).abs() > va.sqrt() + vb.sqrt(), b - a, base.len() + candidate.len())
}

/// Welch's t test at 5 %, two-sided, with Satterthwaite's degrees of freedom rounded down.
pub fn welch(base: &[f64], candidate: &[f64]) -> Claim {
    let ((a, va), (b, vb)) = (mean_and_variance(base), mean_and_variance(candidate));
    let (ea, eb) = (va / base.len() as f64, vb / candidate.len() as f64);
    let freedom =
        (ea + eb).powi(2) / (ea.powi(2) / (base.len() - 1) as f64 + eb.powi(2) / (candidate.len() - 1) as f64);
    let enough = student::t_quantile(0.975, (freedom as usize).max(1));
    claim((b - a).abs() > enough * (ea + eb).sqrt(), b - a, base.len() + candidate.len())
}

/// The Mann-Whitney test of ten against ten at 5 %, two-sided: U at most 23 (every printed table of U).
pub fn mann_whitney(base: &[f64], candidate: &[f64]) -> Claim {
    let beats = |a: f64, b: f64| {
        if b > a {
            1.0
        } else if b == a {
            0.5
        } else {
            0.0
        }
    };
    let above: f64 = base.iter().flat_map(|a| candidate.iter().map(move |b| beats(*a, *b))).sum();
    let pairs = (base.len() * candidate.len()) as f64;
    claim(above.min(pairs - above) <= 23.0, above - pairs / 2.0, base.len() + candidate.len())
}
