//! How often a planted regression is found, with how many runs and in what time, beside `git bisect run` with hyperfine.
//!
//! ```text
//! cargo bench --bench bisect [-- TRIALS [COMMITS [RUNS…]]]      on this machine
//! cargo bench --bench bisect -- simulate [TRIALS [PAIRS]]       on noise that is made, and on what calibration has recorded
//! ```
//!
//! The first prints a markdown table for regressions of 3, 5 and 10 percent and needs `hyperfine`. A trial plants the regression at
//! a random commit; ours and the peer search it in random order, with whatever noise the machine has. The peer's script takes
//! RUNS runs (10; several numbers make several peers) after one to warm up and calls a commit bad when their median is past the
//! middle between the medians of both ends, which are taken the same way at the start.
//!
//! The second plays both through with fixed seeds, and looks for the fewest runs for each commit with which the peer is wrong as seldom
//! as ours: it states no rate itself.

#[path = "common/bisected.rs"]
mod bisected;

use bisected::{Machine, Noise, Random, Range};
use git_verdict::stats::median;
use rand::Rng;
use rand::seq::SliceRandom;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

const PROGRAM: &str = env!("CARGO_BIN_EXE_git-verdict");
/// Steps of the loop that is timed: some 60 ms.
const WORK: usize = 1_000_000;

const PEER: &str = r#"set -e
hyperfine --style none --warmup 1 --runs "$RUNS" --export-json "$OUT/now.json" 'sh work.sh' > /dev/null 2>&1
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
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let numbers: Vec<usize> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let number = |place: usize, usual: usize| numbers.get(place).copied().unwrap_or(usual);
    if words.first().is_some_and(|word| word == "simulate") {
        return simulate(number(0, 100), number(1, 60));
    }
    let peers = if numbers.len() > 2 { numbers[2..].to_vec() } else { vec![10] };
    live(number(0, 20), number(1, 16), &peers);
}

/// Plants regressions in repositories and searches them on this machine.
fn live(trials: usize, commits: usize, peers: &[usize]) {
    println!("{trials} trials, {commits} commits each\n");
    println!("| regression | who | right | wrong | no answer | runs, median | seconds, median |");
    println!("|---|---|---|---|---|---|---|");
    for percent in [3, 5, 10] {
        let mut tallies: Vec<Tally> = (0..=peers.len()).map(|_| Tally::default()).collect();
        for _ in 0..trials {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let planted = rand::rng().random_range(1..=commits);
            let ids = repository(folder.path(), commits, planted, percent);
            let mut order: Vec<usize> = (0..tallies.len()).collect();
            order.shuffle(&mut rand::rng());
            for who in order {
                let begun = Instant::now();
                let (found, runs) = match who {
                    0 => ours(folder.path(), &ids),
                    peer_of => peer(folder.path(), &ids, peers[peer_of - 1]),
                };
                let tally = &mut tallies[who];
                tally.seconds.push(begun.elapsed().as_secs_f64());
                tally.runs.push(runs as f64);
                tally.right += usize::from(found.as_ref() == Some(&ids[planted]));
                tally.none += usize::from(found.is_none());
            }
        }
        for (who, tally) in tallies.into_iter().enumerate() {
            let name = match who {
                0 => "git verdict bisect".to_string(),
                peer_of => format!("git bisect run, hyperfine --runs {}", peers[peer_of - 1]),
            };
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

/// Numbers of runs for each commit that the peer tries.
const FIXED: [usize; 9] = [3, 5, 10, 20, 40, 80, 160, 320, 640];

/// The error rate that ours states.
const ERROR: f64 = 0.05;

/// How searches ended.
#[derive(Default)]
struct Ended {
    wrong: usize,
    none: usize,
    runs: usize,
}

/// Plays searches of 16 commits, the first bad one at random.
fn play(
    trials: usize,
    noise: Noise<'_>,
    step: f64,
    search: impl Fn(&mut Machine<'_>, Range) -> bisected::Named,
) -> Ended {
    let mut ended = Ended::default();
    for seed in 0..trials as u64 {
        let range = Range { commits: 16, first: Random::new(seed).below(16), step };
        let mut machine = Machine::new(seed, noise);
        match search(&mut machine, range) {
            None => ended.none += 1,
            Some(named) => ended.wrong += usize::from(named != range.first || step == 1.0),
        }
        ended.runs += machine.runs;
    }
    ended
}

/// One line of the table.
fn line(name: &str, noise: Noise<'_>, percent: usize, trials: usize, pairs: usize) -> String {
    let step = 1.0 + percent as f64 / 100.0;
    let ours = play(trials, noise, step, |machine, range| bisected::ours(machine, range, 0.01, ERROR, pairs));
    let share = |count: usize, of: usize| format!("{:.0} %", 100.0 * count as f64 / of as f64);
    let mean = ours.runs as f64 / trials as f64;
    let start =
        format!("| {name} | {percent} % | {} | {} | {mean:.0} |", share(ours.wrong, trials), share(ours.none, trials));
    if percent == 0 {
        return format!("{start} | | |");
    }
    // The rates of the peer are taken from more searches, of which each costs little.
    let (many, goal) = (4 * trials, (ours.wrong as f64 / trials as f64).max(0.01));
    let with = |runs: usize| play(many, noise, step, |machine, range| bisected::peer(machine, range, runs));
    let ten = with(10);
    let equal =
        FIXED.iter().map(|runs| (runs, with(*runs))).find(|(_, ended)| ended.wrong as f64 <= goal * many as f64);
    let equal = match equal {
        Some((each, ended)) => {
            let runs = ended.runs as f64 / many as f64;
            // A search without an answer has not paid for one.
            let ratio = if ours.none * 20 <= trials { format!("{:.1}", runs / mean) } else { String::new() };
            format!("{runs:.0} ({each} each, {} wrong) | {ratio}", share(ended.wrong, many))
        }
        None => format!("more than {} |", 6 * (FIXED[FIXED.len() - 1] + 1)),
    };
    format!("{start} {} ({:.0} runs) | {equal} |", share(ten.wrong, many), ten.runs as f64 / many as f64)
}

/// Prints how both end on noise that is made, and on the traces that `--bench calibration -- record` has left.
fn simulate(trials: usize, pairs: usize) {
    let traces = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("target/calibration/traces.json"));
    let traces: Vec<Value> = traces.ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let traces: Vec<(String, Vec<f64>)> = traces
        .iter()
        .filter_map(|trace| {
            let times = trace["seconds"].as_array()?.iter().filter_map(Value::as_f64).collect();
            Some((format!("recorded: {}", trace["program"].as_str()?), times))
        })
        .collect();
    let mut noises = vec![
        ("even, 1 %".to_string(), Noise::Even(0.01)),
        ("even, 3 %".to_string(), Noise::Even(0.03)),
        ("even, 5 %".to_string(), Noise::Even(0.05)),
        ("2 %, drift of 5 %".to_string(), Noise::Drift(0.02, 0.05)),
        ("2 %, bursts".to_string(), Noise::Bursts(0.02)),
    ];
    noises.extend(traces.iter().map(|(name, times)| (name.clone(), Noise::Trace(times))));
    println!("{trials} searches of 16 commits a line, at most {pairs} pairs for the ends and for each commit\n");
    println!(
        "| noise | step | ours: wrong | no answer | runs, mean | ten runs each: wrong | as seldom wrong as ours: runs | times ours |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (name, noise) in noises {
        let lines = std::thread::scope(|scope| {
            let all: Vec<_> = [0, 3, 5, 10]
                .map(|percent| {
                    scope.spawn({
                        let name = &name;
                        move || line(name, noise, percent, trials, pairs)
                    })
                })
                .into();
            all.into_iter().map(|line| line.join().expect("a line")).collect::<Vec<_>>()
        });
        lines.iter().for_each(|line| println!("{line}"));
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

fn peer(dir: &Path, ids: &[String], runs: usize) -> (Option<String>, usize) {
    let out = tempfile::tempdir().expect("a temporary folder");
    let script = out.path().join("peer.sh");
    std::fs::write(&script, PEER).unwrap();
    let out_name = out.path().to_str().expect("UTF-8");
    let script = script.to_str().expect("UTF-8");
    let each = runs.to_string();
    let mut ends = [0.0; 2];
    for (end, id) in ends.iter_mut().zip([&ids[0], &ids[ids.len() - 1]]) {
        git(dir, &["checkout", "--quiet", id]);
        run(dir, "sh", &[script], &[("OUT", out_name), ("RUNS", &each), ("THRESHOLD", "0")]);
        let text = std::fs::read(out.path().join("now.json")).expect("what hyperfine found");
        let value: Value = serde_json::from_slice(&text).expect("JSON");
        *end = value["results"][0]["median"].as_f64().expect("a median");
    }
    let threshold = ((ends[0] + ends[1]) / 2.0).to_string();
    git(dir, &["bisect", "start", &ids[ids.len() - 1], &ids[0]]);
    let variables = [("OUT", out_name), ("RUNS", &each), ("THRESHOLD", threshold.as_str())];
    let told = run(dir, "git", &["bisect", "run", "sh", script], &variables);
    git(dir, &["bisect", "reset"]);
    let told = String::from_utf8_lossy(&told.stdout);
    let found = told.lines().find_map(|line| line.strip_suffix(" is the first bad commit")).map(str::to_string);
    let commits = std::fs::read_to_string(out.path().join("commits")).unwrap_or_default().lines().count();
    (found, commits * (runs + 1))
}
