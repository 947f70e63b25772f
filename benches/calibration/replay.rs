//! Replays recorded noise through every rule, with a known effect put in.
//!
//! A trial begins at a random run of a trace and uses the runs that follow it. Pairs are neighbouring runs, which of the
//! two is the candidate is drawn at random; blocks are neighbouring groups of runs. The candidate's times are multiplied
//! by `1 + effect` or by `1 - effect`, one as often as the other.

use super::Outcome;
use super::record::{Trace, load_traces};
use super::rules::{self, Claim, MARGIN};
use git_verdict::stats::student::normal_quantile;
use git_verdict::stats::{Criticals, DEFAULT_ROUNDS};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::convert::Infallible;

const EFFECTS: [f64; 5] = [0.0, 0.01, 0.02, 0.05, 0.10];

/// The error and the power that the oracle works with.
const ERROR: f64 = 0.05;
const POWER: f64 = 0.95;

const RULES: [&str; 8] = [
    "ours: paired, sequential",
    "the same, 0.02 at every look",
    "mean +- sd, 10+10, blocks",
    "Welch t, 10+10, blocks",
    "Welch t, 20+20, blocks",
    "Mann-Whitney, 10+10, blocks",
    "Welch t, 10+10, interleaved",
    "Mann-Whitney, 10+10, interleaved",
];

/// How often a rule was right and wrong.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    trials: usize,
    right: usize,
    wrong: usize,
    runs: usize,
}

impl Tally {
    fn count(&mut self, claim: Claim, truth: i32) {
        self.trials += 1;
        self.runs += claim.runs;
        // Without an effect every claim is wrong.
        self.right += usize::from(claim.sign != 0 && claim.sign == truth);
        self.wrong += usize::from(claim.sign != 0 && claim.sign != truth);
    }
    fn add(&mut self, other: Tally) {
        self.trials += other.trials;
        self.right += other.right;
        self.wrong += other.wrong;
        self.runs += other.runs;
    }
    fn percent(&self, count: usize) -> f64 {
        100.0 * count as f64 / self.trials as f64
    }
    fn mean_runs(&self) -> f64 {
        self.runs as f64 / self.trials as f64
    }
}

/// The pairs of neighbouring runs from `start`, in random order within each, with the factor on the candidate.
fn pairs(trace: &[f64], start: usize, rounds: usize, factor: f64, rng: &mut StdRng) -> Vec<(f64, f64)> {
    let pair = |runs: &[f64]| {
        let first: bool = rng.random();
        let (base, candidate) = if first { (runs[0], runs[1]) } else { (runs[1], runs[0]) };
        (base, candidate * factor)
    };
    trace[start..start + 2 * rounds].chunks_exact(2).map(pair).collect()
}

/// Two neighbouring groups of `n` runs from `start`; which is the candidate is drawn.
fn blocks(trace: &[f64], start: usize, n: usize, factor: f64, rng: &mut StdRng) -> (Vec<f64>, Vec<f64>) {
    let (one, two) = trace[start..start + 2 * n].split_at(n);
    let (base, candidate) = if rng.random() { (one, two) } else { (two, one) };
    (base.to_vec(), candidate.iter().map(|v| v * factor).collect())
}

/// One trial: every rule on the same stretch of a trace.
fn trial(
    trace: &[f64],
    effect: f64,
    rounds: Option<usize>,
    rng: &mut StdRng,
    criticals: &mut Criticals,
    tallies: &mut [Tally; RULES.len()],
) {
    let most = rounds.unwrap_or(DEFAULT_ROUNDS).max(20);
    let start = rng.random_range(0..=trace.len() - 2 * most);
    let slower: bool = rng.random();
    let factor = if slower { 1.0 + effect } else { 1.0 - effect };
    let truth = match (effect > 0.0, slower) {
        (false, _) => 0,
        (true, true) => 1,
        (true, false) => -1,
    };
    let paired = pairs(trace, start, most, factor, rng);
    let mut next = paired.iter().copied();
    let ours = rules::ours(MARGIN, rounds, || Ok::<_, Infallible>(next.next().unwrap_or((1.0, 1.0))));
    let Ok(ours) = ours;
    let (base, candidate): (Vec<f64>, Vec<f64>) = paired[..10].iter().copied().unzip();
    let ten = blocks(trace, start, 10, factor, rng);
    let twenty = blocks(trace, start, 20, factor, rng);
    let claims = [
        ours,
        rules::flat(&paired, 0.02, criticals),
        rules::ranges(&ten.0, &ten.1),
        rules::welch(&ten.0, &ten.1),
        rules::welch(&twenty.0, &twenty.1),
        rules::mann_whitney(&ten.0, &ten.1),
        rules::welch(&base, &candidate),
        rules::mann_whitney(&base, &candidate),
    ];
    for (tally, claim) in tallies.iter_mut().zip(claims) {
        tally.count(claim, truth);
    }
}

/// The standard deviation of the log ratios of neighbouring runs, plain and from the quartiles.
fn spread(trace: &[f64]) -> (f64, f64) {
    let mut ratios: Vec<f64> = trace.chunks_exact(2).map(|r| (r[1] / r[0]).ln()).collect();
    let n = ratios.len() as f64;
    let mean = ratios.iter().sum::<f64>() / n;
    let plain = (ratios.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    ratios.sort_by(f64::total_cmp);
    let quartile = |p: f64| ratios[(p * (n - 1.0)) as usize];
    (plain, (quartile(0.75) - quartile(0.25)) / (2.0 * normal_quantile(0.75)))
}

/// Pairs that a tester needs who knows this spread: a z test against the end of the margin with the error and the power
/// above, at one look of the right size.
fn oracle(spread: f64, effect: f64) -> f64 {
    let distance = (1.0 + effect).ln() - MARGIN.ln_1p();
    let z = normal_quantile(1.0 - ERROR / 2.0) + normal_quantile(POWER);
    (z * spread / distance).powi(2).ceil().max(1.0)
}

/// Prints the tables.
pub fn replay(trials: usize, rounds: Option<usize>) -> Outcome {
    let most = rounds.unwrap_or(DEFAULT_ROUNDS).max(20);
    let traces: Vec<Trace> = load_traces()?.into_iter().filter(|t| t.seconds.len() >= 2 * most).collect();
    if traces.is_empty() {
        return Err("the traces are too short".into());
    }
    let mut rng = StdRng::seed_from_u64(20_250_101);
    let mut criticals = Criticals::default();
    let mut all = [[Tally::default(); RULES.len()]; EFFECTS.len()];
    println!("{trials} trials a program and effect, margin {} %, at most {most} pairs\n", MARGIN * 100.0);
    println!(
        "| program | mean | spread of a pair (from quartiles) | load | effect | found | pairs, mean | oracle (from quartiles) | ratio |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut reached = [(0.0, 0.0, 0usize); EFFECTS.len()];
    for trace in &traces {
        let (plain, quartiles) = spread(&trace.seconds);
        let mean = trace.seconds.iter().sum::<f64>() / trace.seconds.len() as f64;
        for (index, &effect) in EFFECTS.iter().enumerate() {
            let mut tallies = [Tally::default(); RULES.len()];
            for _ in 0..trials {
                trial(&trace.seconds, effect, rounds, &mut rng, &mut criticals, &mut tallies);
            }
            for (sum, tally) in all[index].iter_mut().zip(tallies) {
                sum.add(tally);
            }
            let ours = tallies[0];
            print!("| {} | {:.1} ms | {:.1} % ({:.1} %) ", trace.program, mean * 1e3, plain * 100.0, quartiles * 100.0);
            print!("| {:.1}-{:.1} | {} % ", trace.load[0], trace.load[1], effect * 100.0);
            if effect > MARGIN {
                let (need, robust) = (oracle(plain, effect), oracle(quartiles, effect));
                let pairs = ours.mean_runs() / 2.0;
                println!(
                    "| {:.1} % | {pairs:.1} | {need:.0} ({robust:.0}) | {:.2} |",
                    ours.percent(ours.right),
                    pairs / need
                );
                if need <= most as f64 {
                    let sum = &mut reached[index];
                    *sum = (sum.0 + pairs, sum.1 + need, sum.2 + 1);
                }
            } else {
                println!(
                    "| {:.1} % claimed | {:.1} | | |",
                    ours.percent(ours.right + ours.wrong),
                    ours.mean_runs() / 2.0
                );
            }
        }
    }
    println!("\nAll programs together:\n");
    print!("| rule | false claims, A/A |");
    EFFECTS[1..].iter().for_each(|e| print!(" finds {} % (wrong sign) |", e * 100.0));
    println!(" runs, mean, A/A to 10 % |\n|---|---|---|---|---|---|---|");
    for (rule, name) in RULES.iter().enumerate() {
        print!("| {name} | {:.1} % |", all[0][rule].percent(all[0][rule].wrong));
        for tallies in &all[1..] {
            let tally = tallies[rule];
            print!(" {:.1} % ({:.2} %) |", tally.percent(tally.right), tally.percent(tally.wrong));
        }
        let runs: Vec<String> = all.iter().map(|t| format!("{:.0}", t[rule].mean_runs())).collect();
        println!(" {} |", runs.join(", "));
    }
    println!("\nAgainst the oracle (programs for which it needs at most {most} pairs):\n");
    for (effect, (ours, need, programs)) in EFFECTS.iter().zip(reached).filter(|(_, r)| r.2 > 0) {
        println!("- {} %: {programs} programs, {:.2} times the oracle's pairs", effect * 100.0, ours / need);
    }
    if reached.iter().all(|r| r.2 == 0) {
        println!("- none: this noise is beyond an oracle of {most} pairs at every effect");
        return Ok(());
    }
    let (ours, need) = reached.iter().fold((0.0, 0.0), |(a, b), r| (a + r.0, b + r.1));
    println!("- all effects: {:.2} times the oracle's pairs", ours / need);
    Ok(())
}
