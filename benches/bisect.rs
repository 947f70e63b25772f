//! How often a planted regression is found, with how many runs and in what time, beside `git bisect run` with hyperfine.
//!
//! `cargo bench --bench bisect [-- TRIALS [COMMITS]]` prints a markdown table for regressions of 3, 5 and 10 percent. Needs
//! `hyperfine`. A trial plants the regression at a random commit; ours and the peer search it in random order, with
//! whatever noise the machine has. The peer's script takes ten runs after one to warm up and calls a commit bad when their
//! median is past the middle between the medians of both ends, which are taken the same way at the start.

use git_verdict::stats::median;
use rand::Rng;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

const PROGRAM: &str = env!("CARGO_BIN_EXE_git-verdict");
/// Steps of the loop that is timed: some 60 ms.
const WORK: usize = 1_000_000;
/// Runs of the peer for each commit, the one to warm up included.
const RUNS: usize = 11;

const PEER: &str = r#"set -e
hyperfine --style none --warmup 1 --runs 10 --export-json "$OUT/now.json" 'sh work.sh' > /dev/null 2>&1
echo 1 >> "$OUT/commits"
awk -v t="$THRESHOLD" -F: '/"median"/ { v = $2 + 0; if (v > t) exit 1; exit 0 }' "$OUT/now.json"
"#;

#[derive(Default)]
struct Tally {
    right: usize,
    none: usize,
    runs: Vec<f64>,
    seconds: Vec<f64>,
}

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let (trials, commits) = (numbers.first().copied().unwrap_or(20), numbers.get(1).copied().unwrap_or(16));
    println!("{trials} trials, {commits} commits each\n");
    println!("| regression | who | right | wrong | no answer | runs, median | seconds, median |");
    println!("|---|---|---|---|---|---|---|");
    for percent in [3, 5, 10] {
        let mut tallies = [Tally::default(), Tally::default()];
        for _ in 0..trials {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let planted = rand::rng().random_range(1..=commits);
            let ids = repository(folder.path(), commits, planted, percent);
            let first = rand::rng().random_range(0..2);
            for who in [first, 1 - first] {
                let begun = Instant::now();
                let (found, runs) = if who == 0 { ours(folder.path(), &ids) } else { peer(folder.path(), &ids) };
                let tally = &mut tallies[who];
                tally.seconds.push(begun.elapsed().as_secs_f64());
                tally.runs.push(runs as f64);
                tally.right += usize::from(found.as_ref() == Some(&ids[planted]));
                tally.none += usize::from(found.is_none());
            }
        }
        for (name, tally) in ["git verdict bisect", "git bisect run, hyperfine"].into_iter().zip(tallies) {
            let Tally { right, none, runs, seconds } = tally;
            println!(
                "| {percent} % | {name} | {right} of {trials} | {} | {none} | {:.0} | {:.1} |",
                trials - right - none,
                median(&runs).unwrap_or_default(),
                median(&seconds).unwrap_or_default()
            );
        }
    }
}

fn run(dir: &Path, program: &str, words: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(program);
    command.args(words).current_dir(dir).envs(variables.iter().copied());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command.output().unwrap_or_else(|error| panic!("{program}: {error}"))
}

fn git(dir: &Path, words: &[&str]) -> String {
    let output = run(dir, "git", words, &[]);
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}

/// A good commit and `commits` after it, the last of which is bad, as all from `planted` on are.
fn repository(dir: &Path, commits: usize, planted: usize, percent: usize) -> Vec<String> {
    git(dir, &["init", "--quiet"]);
    git(dir, &["config", "user.name", "Bench"]);
    git(dir, &["config", "user.email", "bench@example.invalid"]);
    std::fs::write(dir.join("work.sh"), "exec awk -v n=$(cat work) 'BEGIN { for (i = 0; i < n; i++) x += i }'\n")
        .unwrap();
    (0..=commits)
        .map(|n| {
            let work = if n < planted { WORK } else { WORK + WORK * percent / 100 };
            std::fs::write(dir.join("work"), work.to_string()).unwrap();
            std::fs::write(dir.join("part"), n.to_string()).unwrap();
            git(dir, &["add", "--all"]);
            git(dir, &["commit", "--quiet", "-m", "part"]);
            git(dir, &["rev-parse", "HEAD"])
        })
        .collect()
}

fn ours(dir: &Path, ids: &[String]) -> (Option<String>, usize) {
    let words =
        ["bisect", &ids[0], &ids[ids.len() - 1], "--time", "sh work.sh", "--matters", "1%", "--json", "--quiet"];
    let output = run(dir, PROGRAM, &words, &[]);
    let told: Value = serde_json::from_slice(&output.stdout).expect("one object");
    (told["first_bad"].as_str().map(str::to_string), told["runs"].as_u64().unwrap_or(0) as usize)
}

fn peer(dir: &Path, ids: &[String]) -> (Option<String>, usize) {
    let out = tempfile::tempdir().expect("a temporary folder");
    let script = out.path().join("peer.sh");
    std::fs::write(&script, PEER).unwrap();
    let out_name = out.path().to_str().expect("UTF-8");
    let script = script.to_str().expect("UTF-8");
    let mut ends = [0.0; 2];
    for (end, id) in ends.iter_mut().zip([&ids[0], &ids[ids.len() - 1]]) {
        git(dir, &["checkout", "--quiet", id]);
        run(dir, "sh", &[script], &[("OUT", out_name), ("THRESHOLD", "0")]);
        let text = std::fs::read(out.path().join("now.json")).expect("what hyperfine found");
        let value: Value = serde_json::from_slice(&text).expect("JSON");
        *end = value["results"][0]["median"].as_f64().expect("a median");
    }
    let threshold = ((ends[0] + ends[1]) / 2.0).to_string();
    git(dir, &["bisect", "start", &ids[ids.len() - 1], &ids[0]]);
    let variables = [("OUT", out_name), ("THRESHOLD", threshold.as_str())];
    let told = run(dir, "git", &["bisect", "run", "sh", script], &variables);
    git(dir, &["bisect", "reset"]);
    let told = String::from_utf8_lossy(&told.stdout);
    let found = told.lines().find_map(|line| line.strip_suffix(" is the first bad commit")).map(str::to_string);
    let commits = std::fs::read_to_string(out.path().join("commits")).unwrap_or_default().lines().count();
    (found, commits * RUNS)
}
