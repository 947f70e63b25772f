//! How often each calls a difference where none is, and how often it finds one that is there.
//!
//! The noise is this machine's: single runs of four programs, recorded before. A trial takes a random stretch of it, lays an
//! effect on what is to be the candidate, and gives every rule the readings that its tool would have taken there: ours
//! neighbouring runs in pairs, the others one side after the other. Each rule stands at its tool's defaults.

use super::Bench;
use super::commands::{empty, fast_import};
use super::history::git_perf_notes;
use super::programs::programs;
use super::rules::{self, Claim};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::io::Write;
use std::process::Stdio;

/// Relative effects on the candidate's times, up or down.
const EFFECTS: [f64; 4] = [0.0, 0.05, 0.10, 0.20];
/// `matters` of times when nothing is said.
const MATTERS: f64 = 0.05;
/// Readings that a trial can take: sixty pairs.
const STRETCH: usize = 120;
/// Commits before the one that git-perf audits, and readings of each.
const EARLIER: usize = 10;
const REPEATED: usize = 3;
/// Readings of a series on each side of the change, for otava.
const SERIES: usize = 20;

/// How a rule did with one effect.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rate {
    pub tool: String,
    pub rule: String,
    pub effect: f64,
    pub trials: usize,
    /// A difference was called, in the right direction.
    pub right: usize,
    /// A difference was called where none is, or in the wrong direction.
    pub wrong: usize,
    /// Readings taken on average.
    pub runs: f64,
}

/// One stretch of noise with an effect in it.
struct Trial {
    effect: f64,
    /// 1 slower, -1 faster, 0 the same.
    truth: i32,
    stretch: Vec<f64>,
    /// Which of a pair is the candidate.
    order: Vec<bool>,
}

impl Trial {
    fn drawn(trace: &[f64], effect: f64, rng: &mut StdRng) -> Trial {
        let start = rng.random_range(0..=trace.len() - STRETCH);
        let slower = rng.random::<bool>();
        Trial {
            effect,
            truth: if effect == 0.0 { 0 } else { [-1, 1][usize::from(slower)] },
            stretch: trace[start..start + STRETCH].to_vec(),
            order: (0..STRETCH / 2).map(|_| rng.random()).collect(),
        }
    }

    fn factor(&self) -> f64 {
        1.0 + self.effect * f64::from(self.truth)
    }

    fn pairs(&self) -> impl Iterator<Item = (f64, f64)> {
        self.stretch.chunks_exact(2).zip(&self.order).map(|(runs, first)| {
            let (base, candidate) = if *first { (runs[0], runs[1]) } else { (runs[1], runs[0]) };
            (base, candidate * self.factor())
        })
    }

    /// The first `base` readings, and the next ones as those of the candidate.
    fn blocks(&self, base: usize, candidate: usize) -> (Vec<f64>, Vec<f64>) {
        let next = self.stretch[base..base + candidate].iter().map(|seconds| seconds * self.factor());
        (self.stretch[..base].to_vec(), next.collect())
    }
}

/// The sign that a rule calls, and the readings that it took.
type Said = Vec<Claim>;

pub fn alarms(bench: &Bench) -> Result<(usize, Vec<Rate>), Box<dyn Error>> {
    let (runs, trials) = (bench.pick(300, 150), bench.pick(80, 20));
    let folder = bench.folder.join("noise");
    std::fs::create_dir_all(&folder)?;
    let mut rng = StdRng::seed_from_u64(20_260_101);
    let mut all = Vec::new();
    for program in programs(&folder)? {
        // Four that are short and differ: arithmetic, several processes, both at once, the disk.
        if !["sha256sum", "gcc", "gzip", "dd fsync"].contains(&program.name) {
            continue;
        }
        program.time(&folder)?;
        let trace = (0..runs).map(|_| program.time(&folder)).collect::<Result<Vec<f64>, _>>()?;
        for effect in EFFECTS {
            all.extend((0..trials).map(|_| Trial::drawn(&trace, effect, &mut rng)));
        }
    }
    let mut rates = Vec::new();
    let mut told = |tool: &str, rule: &str, said: Said| rates.extend(rated(tool, rule, &all, &said));
    told("git-verdict", "`weigh` as it comes: at most 60 pairs in turn, 5 % matters", ours(&all));
    if bench.there("hyperfine") {
        let rule = "ten runs, then ten; the printed ratio with its ± leaves out 1";
        told("hyperfine", rule, of_blocks(&all, 10, ratio_of_hyperfine));
    }
    if bench.there("git-perf") {
        told("git-perf", "`audit` as it comes: ten earlier commits and HEAD, three runs each", git_perf(bench, &all)?);
    }
    if bench.there("asv") {
        told(
            "asv",
            "`continuous` as it comes: ten samples, then ten; p < 0.002 and a factor of 1.1",
            says(bench, &all, "asv", 10)?,
        );
    }
    if bench.there("otava") {
        told("otava", "`analyze` as it comes: a series of twenty and twenty", says(bench, &all, "otava", SERIES)?);
    }
    let rule = "ten runs, then ten; means 10 % apart, as a limit of pytest-benchmark, github-action-benchmark or bencher says it";
    told("a limit of 10 %", rule, of_blocks(&all, 10, limit));
    Ok((trials, rates))
}

fn rated(tool: &str, rule: &str, trials: &[Trial], said: &[Claim]) -> Vec<Rate> {
    let mut rates: Vec<Rate> = Vec::new();
    for effect in EFFECTS {
        let mut rate = Rate { tool: tool.into(), rule: rule.into(), effect, trials: 0, right: 0, wrong: 0, runs: 0.0 };
        for (trial, claim) in trials.iter().zip(said).filter(|(trial, _)| trial.effect == effect) {
            rate.trials += 1;
            rate.right += usize::from(claim.sign != 0 && claim.sign == trial.truth);
            rate.wrong += usize::from(claim.sign != 0 && claim.sign != trial.truth);
            rate.runs += claim.runs as f64;
        }
        rate.runs /= rate.trials as f64;
        rates.push(rate);
    }
    let share = |rate: &Rate, count: usize| 100.0 * count as f64 / rate.trials as f64;
    let found: Vec<String> = rates[1..].iter().map(|rate| format!("{:.0} %", share(rate, rate.right))).collect();
    eprintln!("  {tool:17} false alarms {:.1} %, finds {}", share(&rates[0], rates[0].wrong), found.join(", "));
    rates
}

fn ours(trials: &[Trial]) -> Said {
    let one = |trial: &Trial| {
        let mut pairs = trial.pairs();
        let Ok(claim) = rules::ours(MATTERS, None, || Ok::<_, Infallible>(pairs.next().expect("sixty pairs")));
        claim
    };
    trials.iter().map(one).collect()
}

fn of_blocks(trials: &[Trial], each: usize, rule: impl Fn(&[f64], &[f64]) -> i32) -> Said {
    let one = |trial: &Trial| {
        let (base, candidate) = trial.blocks(each, each);
        Claim { sign: rule(&base, &candidate), runs: 2 * each }
    };
    trials.iter().map(one).collect()
}

/// `1.05 ± 0.08 times faster`: the ratio of the slower mean to the faster one, and how the deviations of both carry over to it.
pub fn ratio_of_hyperfine(base: &[f64], candidate: &[f64]) -> i32 {
    let ((a, va), (b, vb)) = (rules::mean_and_variance(base), rules::mean_and_variance(candidate));
    let ratio = a.max(b) / a.min(b);
    let deviation = ratio * (va / (a * a) + vb / (b * b)).sqrt();
    if ratio - deviation <= 1.0 { 0 } else { [-1, 1][usize::from(b > a)] }
}

fn limit(base: &[f64], candidate: &[f64]) -> i32 {
    let ((a, _), (b, _)) = (rules::mean_and_variance(base), rules::mean_and_variance(candidate));
    if (b / a - 1.0).abs() <= 0.10 { 0 } else { [-1, 1][usize::from(b > a)] }
}

/// The functions of a peer in Python.
fn says(bench: &Bench, trials: &[Trial], tool: &str, each: usize) -> Result<Said, Box<dyn Error>> {
    let script = super::results::root().join("benches/peers/says.py");
    let script = super::shown(&script);
    let mut command = bench.tools.command(&bench.folder, "python", &[&script, tool]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let asked: Vec<_> = trials
        .iter()
        .map(|trial| {
            let (base, candidate) = trial.blocks(each, each);
            json!({"base": base, "candidate": candidate})
        })
        .collect();
    child.stdin.take().ok_or("no standard input")?.write_all(serde_json::to_string(&asked)?.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(format!("{tool}: {}", output.status).into());
    }
    let signs: Vec<i32> = serde_json::from_slice(&output.stdout)?;
    if signs.len() != trials.len() {
        return Err(format!("{tool} answered {} of {} trials", signs.len(), trials.len()).into());
    }
    Ok(signs.into_iter().map(|sign| Claim { sign, runs: 2 * each }).collect())
}

/// Every trial is a measurement of its own name, in notes on eleven commits; the audit looks at many names at once.
fn git_perf(bench: &Bench, trials: &[Trial]) -> Result<Said, Box<dyn Error>> {
    let dir = bench.folder.join("audit");
    empty(&dir);
    fast_import(&dir, |stream| {
        (0..=EARLIER).try_for_each(|number| {
            let time = 1_600_000_000 + number * 60;
            write!(
                stream,
                "commit refs/heads/main\ncommitter Bench <bench@example.invalid> {time} +0000\ndata 2\nx\n\n"
            )
        })
    });
    let blocks: Vec<_> = trials.iter().map(|trial| trial.blocks(EARLIER * REPEATED, REPEATED)).collect();
    git_perf_notes(&dir, |number| {
        let readings = |(trial, (base, candidate)): (usize, &(Vec<f64>, Vec<f64>))| {
            let of = if number < EARLIER { &base[number * REPEATED..][..REPEATED] } else { &candidate[..] };
            of.iter().map(|seconds| (format!("trial-{trial}"), *seconds)).collect::<Vec<_>>()
        };
        blocks.iter().enumerate().flat_map(readings).collect()
    });
    let mut failed: BTreeMap<usize, bool> = BTreeMap::new();
    let names: Vec<String> = (0..trials.len()).map(|trial| format!("trial-{trial}")).collect();
    for names in names.chunks(250) {
        let words = names.iter().flat_map(|name| ["-m", name]);
        let words: Vec<&str> = ["audit", "--no-change-point-warning"].into_iter().chain(words).collect();
        let output = bench.tools.command(&dir, "git-perf", &words).output()?;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let number = line.split_once("'trial-").and_then(|(_, rest)| rest.split_once('\'')?.0.parse().ok());
            if let Some(number) = number {
                failed.insert(number, line.starts_with('❌'));
            }
        }
    }
    if failed.len() != trials.len() {
        return Err(format!("git-perf answered {} of {} trials", failed.len(), trials.len()).into());
    }
    let least = |readings: &[f64]| readings.iter().copied().fold(f64::INFINITY, f64::min);
    let said = failed.into_iter().map(|(number, failed)| {
        let (base, candidate) = &blocks[number];
        // It says that HEAD differs; in which direction is in its numbers, the least reading of each commit.
        let before = base.chunks(REPEATED).map(least).sum::<f64>() / EARLIER as f64;
        let sign = [-1, 1][usize::from(least(candidate) > before)];
        Claim { sign: if failed { sign } else { 0 }, runs: (EARLIER + 1) * REPEATED }
    });
    Ok(said.collect())
}
