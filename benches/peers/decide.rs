//! From two versions to an answer, live: how long it takes, and whether the answer is right.
//!
//! The work is a loop of awk. The candidate runs it as long as the base, or 15 % longer. Every tool is asked in the way that its
//! documentation shows, at its defaults.

use super::alarms::ratio_of_hyperfine;
use super::commands::{empty, must, text};
use super::timing::median;
use super::{Bench, PROGRAM};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Some 60 ms: next to them the start of a process is little, or less than what is planted would be there.
const ROUNDS: usize = 1_500_000;
const PLANTED: f64 = 0.15;
/// Commits that git-perf has measured before.
const EARLIER: usize = 10;
const ASV_BENCHMARK: &str = "import os, subprocess\nwork = os.path.join(os.path.dirname(__file__), '..', 'work')\n\n\
                             class Suite:\n    def time_work(self):\n        subprocess.run([work], check=True)\n";
const ASV_CONFIG: &str = r#"{"version": 1, "project": "bench", "project_url": "https://example.invalid", "repo": ".",
"branches": ["main"], "environment_type": "existing", "benchmark_dir": "benchmarks", "results_dir": "../results-of-asv"}"#;
const PYTEST_BENCHMARK: &str =
    "import subprocess\n\ndef test_work(benchmark):\n    benchmark(lambda: subprocess.run(['./work'], check=True))\n";

/// What one tool said, and how long it took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answers {
    pub tool: String,
    pub what: String,
    pub effect: f64,
    pub trials: usize,
    pub right: usize,
    /// A difference was called that is not there.
    pub wrong: usize,
    /// Median, from the start to the answer.
    pub seconds: f64,
}

/// Whether a difference is called: slower (1), faster (-1), none (0).
type Ask<'a> = Box<dyn FnMut(&Versions) -> Result<i32, Box<dyn Error>> + 'a>;

/// Both versions.
struct Versions {
    dir: PathBuf,
    /// Commits.
    base: String,
    candidate: String,
}

pub fn decide(bench: &Bench) -> Result<(usize, Vec<Answers>), Box<dyn Error>> {
    let trials = bench.pick(3, 1);
    let dir = bench.folder.join("decide");
    empty(&dir);
    std::fs::create_dir_all(dir.join("benchmarks"))?;
    std::fs::write(dir.join("benchmarks/__init__.py"), "")?;
    std::fs::write(dir.join("benchmarks/work.py"), ASV_BENCHMARK)?;
    std::fs::write(dir.join("asv.conf.json"), ASV_CONFIG)?;
    std::fs::write(dir.join("test_work.py"), PYTEST_BENCHMARK)?;
    std::fs::write(dir.join(".gitignore"), "__pycache__\n.benchmarks\n.pytest_cache\n")?;
    work(&dir, ROUNDS, "base")?;
    must(bench.tools.command(&dir, "git", &["add", "--all"]));
    let head = |message: &str| {
        must(bench.tools.command(&dir, "git", &["commit", "--quiet", "--allow-empty", "--all", "-m", message]));
        text(&mut bench.tools.command(&dir, "git", &["rev-parse", "HEAD"]))
    };
    for number in 0..EARLIER {
        head(&format!("change {number}"));
        if bench.there("git-perf") {
            must(bench.tools.command(&dir, "git-perf", &["measure", "-m", "work", "-n", "3", "--", "./work"]));
        }
    }
    let base = head("the base");
    let mut answers = Vec::new();
    for effect in [0.0, PLANTED] {
        let mut asked = asked(bench);
        let mut said: Vec<(Vec<f64>, Vec<i32>)> = vec![Default::default(); asked.len()];
        let mut order: Vec<usize> = (0..asked.len()).collect();
        for trial in 0..trials {
            // A commit that nobody has measured yet.
            let name = format!("try {trial}");
            work(&dir, (ROUNDS as f64 * (1.0 + effect)) as usize, &name)?;
            let versions = Versions { dir: dir.clone(), base: base.clone(), candidate: head(&name) };
            order.shuffle(&mut rand::rng());
            for &place in &order {
                let started = Instant::now();
                let sign = (asked[place].2)(&versions)?;
                said[place].0.push(started.elapsed().as_secs_f64());
                said[place].1.push(sign);
            }
            must(bench.tools.command(&dir, "git", &["reset", "--quiet", "--hard", &base]));
        }
        let truth = i32::from(effect > 0.0);
        for ((tool, what, _), (seconds, signs)) in asked.into_iter().zip(said) {
            let right = signs.iter().filter(|sign| **sign == truth).count();
            let wrong = signs.iter().filter(|sign| **sign != truth && **sign != 0).count();
            let (tool, what, seconds) = (tool.into(), what.into(), median(seconds));
            eprintln!("  {tool:17} {effect:.2}: right {right} of {trials}, {seconds:.1} s");
            answers.push(Answers { tool, what, effect, trials, right, wrong, seconds });
        }
    }
    Ok((trials, answers))
}

/// The work; its name makes another file of it even when it is the same.
fn work(dir: &Path, rounds: usize, name: &str) -> std::io::Result<()> {
    let file = dir.join("work");
    let script = format!("#!/bin/sh\n# {name}\nexec awk 'BEGIN {{ for (i = 0; i < {rounds}; i++) s += i }}'\n");
    std::fs::write(&file, script)?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))
}

fn asked(bench: &Bench) -> Vec<(&'static str, &'static str, Ask<'_>)> {
    let mut all: Vec<(&str, &str, Ask)> = vec![(
        "git-verdict",
        "`git-verdict weigh BASE CANDIDATE --time ./work`",
        Box::new(|of| {
            let words = ["--json", "weigh", &of.base, &of.candidate, "--time", "./work"];
            let output = bench.tools.command(&of.dir, PROGRAM, &words).output()?;
            let said: serde_json::Value = serde_json::from_slice(&output.stdout)?;
            match said["comparison"][0]["word"].as_str() {
                Some("regressed") => Ok(1),
                Some("improved") => Ok(-1),
                Some(_) => Ok(0),
                None => Err(format!("weigh said {said}").into()),
            }
        }),
    )];
    if bench.there("hyperfine") {
        all.push((
            "hyperfine",
            "`hyperfine -N BASE CANDIDATE`, and whether its ± leaves out 1",
            Box::new(|of| {
                let sides = ["base", "candidate"].map(|side| of.dir.join(".git").join(side));
                for (file, commit) in sides.iter().zip([&of.base, &of.candidate]) {
                    let blob = bench.tools.command(&of.dir, "git", &["show", &format!("{commit}:work")]).output()?;
                    std::fs::write(file, blob.stdout)?;
                    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755))?;
                }
                let [base, candidate] = sides.map(|file| super::shown(&file));
                let words = ["-N", "--export-json", ".git/both.json", &base, &candidate];
                done(bench, &of.dir, "hyperfine", &words)?;
                let said: serde_json::Value = serde_json::from_slice(&std::fs::read(of.dir.join(".git/both.json"))?)?;
                let times = |side: usize| -> Vec<f64> {
                    let times = said["results"][side]["times"].as_array();
                    times.into_iter().flatten().filter_map(serde_json::Value::as_f64).collect()
                };
                Ok(ratio_of_hyperfine(&times(0), &times(1)))
            }),
        ));
    }
    if bench.there("git-perf") {
        all.push((
            "git-perf",
            "`git perf measure -n 3 -- ./work` on the candidate, then `audit`; ten commits were measured before",
            Box::new(|of| {
                done(bench, &of.dir, "git-perf", &["measure", "-m", "work", "-n", "3", "--", "./work"])?;
                let audit = bench.tools.command(&of.dir, "git-perf", &["audit", "-m", "work"]).output()?;
                let said = String::from_utf8_lossy(&audit.stdout).into_owned();
                // It tells that HEAD differs, and which way by an arrow.
                Ok(if audit.status.success() { 0 } else { [1, -1][usize::from(said.contains('↓'))] })
            }),
        ));
    }
    if bench.there("asv") {
        all.push((
            "asv",
            "`asv run -E existing:same` on both commits, then `asv compare`",
            Box::new(|of| {
                done(bench, &of.dir, "asv", &["machine", "--yes", "--machine", "bench"])?;
                for commit in [&of.base, &of.candidate] {
                    done(bench, &of.dir, "git", &["checkout", "--quiet", "--detach", commit])?;
                    let words = ["run", "-E", "existing:same", "--machine", "bench", "--set-commit-hash", commit];
                    done(bench, &of.dir, "asv", &words)?;
                }
                done(bench, &of.dir, "git", &["checkout", "--quiet", "main"])?;
                let words = ["compare", "--machine", "bench", &of.base, &of.candidate];
                let said = bench.tools.command(&of.dir, "asv", &words).output()?;
                let said = String::from_utf8_lossy(&said.stdout).into_owned();
                let row = said.lines().find(|line| line.contains("time_work")).ok_or(format!("asv said {said}"))?;
                Ok(match row.trim_start_matches('|').trim_start().chars().next() {
                    Some('+') => 1,
                    Some('-') => -1,
                    _ => 0,
                })
            }),
        ));
    }
    if bench.there("pytest-benchmark") {
        all.push((
            "pytest-benchmark",
            "`pytest --benchmark-autosave` on the base, `--benchmark-compare-fail=mean:10%` on the candidate",
            Box::new(|of| {
                let _ = std::fs::remove_dir_all(of.dir.join(".benchmarks"));
                done(bench, &of.dir, "git", &["checkout", "--quiet", "--detach", &of.base])?;
                done(bench, &of.dir, "pytest", &["-q", "test_work.py", "--benchmark-autosave"])?;
                done(bench, &of.dir, "git", &["checkout", "--quiet", "main"])?;
                let words = ["-q", "test_work.py", "--benchmark-compare", "--benchmark-compare-fail=mean:10%"];
                let said = bench.tools.command(&of.dir, "pytest", &words).output()?;
                Ok(i32::from(!said.status.success()))
            }),
        ));
    }
    all
}

/// A command that must succeed.
fn done(bench: &Bench, dir: &Path, program: &str, words: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut command = bench.tools.command(dir, program, words);
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
        .into())
}
