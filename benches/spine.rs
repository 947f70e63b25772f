//! How fast the program itself is, beside the programs that its users would compare it with.
//!
//! `cargo bench --bench spine` prints a markdown table. Every row is interleaved: one run of ours and one of the peer, in
//! random order, again and again, so that what the machine does meanwhile falls on both. A number after the name of the
//! bench sets the rounds: `cargo bench --bench spine -- 500`.

#[path = "common/timing.rs"]
mod timing;

use git_verdict::config::Config;
use git_verdict::git::Repo;
use git_verdict::measure::{self, Next, Plan, Side};
use rand::Rng;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use timing::{elapsed, median};

const PROGRAM: &str = env!("CARGO_BIN_EXE_git-verdict");
const COMMITS: usize = 10_000;
/// Runs of `true` in a short and in a long series: the cost of one run is the slope between them.
const SHORT: usize = 20;
const LONG: usize = 220;

fn main() {
    let rounds = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(200);
    let folder = tempfile::tempdir().expect("a temporary folder");
    println!("| ours | peer | ours, median | peer, median | ratio | wanted |");
    println!("|---|---|---|---|---|---|");

    let version = (ours(&["--version"], None), peer("git", &["--version"], None));
    row("`git-verdict --version`", "`git --version`", interleaved(rounds, version), "2x");

    let few = big_repository(folder.path(), 50);
    for name in ["status", "log"] {
        let label = format!("`git-verdict {name}`, {COMMITS} commits of 50 files");
        let pair = (ours(&[name], Some(&few)), peer("git", &["log", "-1"], Some(&few)));
        row(&label, "`git log -1`", interleaved(rounds, pair), "2x");
    }
    let many = big_repository(folder.path(), 2_000);
    let label = format!("`git-verdict status`, {COMMITS} commits of 2000 files");
    let pair = (ours(&["status"], Some(&many)), peer("git", &["status"], Some(&many)));
    row(&label, "`git status`", interleaved(rounds, pair), "");

    if works("hyperfine") {
        let small = small_repository(folder.path());
        let pair = slopes((rounds / 20).max(5), &small);
        row("harness, one run of `true`", "`hyperfine -N`, one run of `true`", pair, "peer + 1 ms");
        println!("\nhyperfine: {}", first_line(Command::new("hyperfine").arg("--version")));
    } else {
        println!("\nhyperfine is not installed: the cost of one run is not compared");
    }
    println!("git: {}", first_line(Command::new("git").arg("--version")));
    let size = std::fs::metadata(PROGRAM).map_or(0, |file| file.len());
    println!("release binary: {:.2} MB (wanted: below 10 MB)", size as f64 / 1e6);
}

/// Seconds of ours and of the peer, one each per round.
type Readings = (Vec<f64>, Vec<f64>);

fn row(ours: &str, peer: &str, readings: Readings, wanted: &str) {
    let (a, b) = (median(readings.0), median(readings.1));
    println!("| {ours} | {peer} | {:.2} ms | {:.2} ms | {:.2} | {wanted} |", a * 1e3, b * 1e3, a / b);
}

/// Runs both commands `rounds` times, each round in random order, after two rounds that do not count.
fn interleaved(rounds: usize, mut commands: (Command, Command)) -> Readings {
    let mut readings = Readings::default();
    for round in 0..rounds + 2 {
        let ours_first = rand::rng().random_bool(0.5);
        let (mut a, mut b) = (0.0, 0.0);
        if ours_first {
            a = elapsed(&mut commands.0);
        }
        b += elapsed(&mut commands.1);
        if !ours_first {
            a = elapsed(&mut commands.0);
        }
        if round >= 2 {
            readings.0.push(a);
            readings.1.push(b);
        }
    }
    readings
}

/// What one more run of `true` costs, in our harness and in hyperfine: the slope between a short and a long series.
fn slopes(rounds: usize, repo: &Path) -> Readings {
    let mut readings = Readings::default();
    for _ in 0..rounds {
        let mut times = [[0.0; 2]; 2];
        let mut order = [(0, SHORT), (0, LONG), (1, SHORT), (1, LONG)];
        for last in (1..order.len()).rev() {
            order.swap(last, rand::rng().random_range(0..=last));
        }
        for (who, runs) in order {
            times[who][usize::from(runs == LONG)] = if who == 0 { harness(repo, runs) } else { hyperfine(runs) };
        }
        let slope = |[short, long]: [f64; 2]| (long - short) / (LONG - SHORT) as f64;
        readings.0.push(slope(times[0]));
        readings.1.push(slope(times[1]));
    }
    readings
}

/// Seconds that a whole session takes: worktrees, `runs` runs of `true` on two sides in turn, every sample saved.
fn harness(path: &Path, runs: usize) -> f64 {
    let repo = Repo::discover(path).expect("the repository");
    let config = Config::load(path).expect("verdict.toml").expect("verdict.toml is there");
    let side = |name: &str, revision: &str| {
        let commit = repo.resolve(revision).expect("a commit");
        Side { name: name.into(), tree: repo.commit(&commit).expect("a commit").tree, commit }
    };
    let plan = Plan {
        key: "bench".into(),
        sides: vec![side("base", "HEAD~1"), side("candidate", "HEAD")],
        config,
        only: Vec::new(),
        max_rounds: Some(runs / 2),
        budget: None,
        seed: rand::rng().random(),
        checks: false,
        hidden: None,
        origins: false,
        turns: Vec::new(),
    };
    let started = Instant::now();
    let left = |samples: &[measure::Sample]| (runs / 2).saturating_sub(samples.len() / 2);
    let taken = measure::run(
        &repo,
        &plan,
        &mut |samples| match left(samples) {
            0 => Next::Stop,
            rounds => Next::More { rounds, expected: rounds },
        },
        &mut |_| {},
    );
    let elapsed = started.elapsed().as_secs_f64();
    assert_eq!(taken.expect("a measurement").samples.len(), runs);
    measure::session::finish(&repo, &plan.key).expect("the session ends");
    elapsed
}

fn hyperfine(runs: usize) -> f64 {
    let mut command = Command::new("hyperfine");
    command.args(["-N", "--style", "none", "--runs", &runs.to_string(), "true"]);
    elapsed(&mut command)
}

fn ours(words: &[&str], dir: Option<&Path>) -> Command {
    peer(PROGRAM, words, dir)
}

fn peer(program: &str, words: &[&str], dir: Option<&Path>) -> Command {
    let mut command = Command::new(program);
    command.args(words).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_PAGER", "cat");
    command.env("GIT_VERDICT_TRUST", "1");
    if let Some(dir) = dir {
        command.current_dir(dir);
    }
    command
}

fn works(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn first_line(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).lines().next().unwrap_or_default().to_string()
}

/// Runs a command that the benchmark needs; it must succeed.
fn must(mut command: Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn git(dir: &Path, words: &[&str]) {
    must(peer("git", words, Some(dir)));
}

fn verdict(dir: &Path, words: &[&str]) {
    must(ours(words, Some(dir)));
}

fn empty_repository(dir: &Path) {
    std::fs::create_dir_all(dir).expect("a folder");
    git(dir, &["init", "--quiet", "--initial-branch=main", "--template="]);
    git(dir, &["config", "user.name", "Bench"]);
    git(dir, &["config", "user.email", "bench@example.invalid"]);
}

/// A repository of 10,000 commits to so many files, with a kept, a reverted and an open experiment; the last one is checked
/// out.
fn big_repository(folder: &Path, files: usize) -> PathBuf {
    let dir = folder.join(format!("big{files}"));
    empty_repository(&dir);
    let mut stream = String::new();
    let config = "version = 1\n[metrics.size]\npath = \"data.txt\"\n";
    for number in 1..=COMMITS {
        let message = format!("change {number}\n");
        let text = format!("{number}\n").repeat(20);
        let path = format!("src/file{:04}.txt", number % files);
        // Writing to a String cannot fail.
        let _ = write!(
            stream,
            "commit refs/heads/main\nmark :{number}\ncommitter Bench <bench@example.invalid> {} +0000\ndata {}\n{message}",
            1_600_000_000 + number * 60,
            message.len(),
        );
        let _ = write!(stream, "M 100644 inline {path}\ndata {}\n{text}\n", text.len());
        if number == 1 {
            let data = "data\n".repeat(100);
            let _ = write!(stream, "M 100644 inline verdict.toml\ndata {}\n{config}\n", config.len());
            let _ = write!(stream, "M 100644 inline data.txt\ndata {}\n{data}\n", data.len());
        }
    }
    let mut import = peer("git", &["fast-import", "--quiet"], Some(&dir));
    let mut child = import.stdin(Stdio::piped()).spawn().expect("git fast-import");
    child.stdin.take().expect("stdin was piped").write_all(stream.as_bytes()).expect("git fast-import reads");
    assert!(child.wait().expect("git fast-import").success());
    git(&dir, &["reset", "--quiet", "--hard"]);
    for (name, lines, decision) in [("smaller", 50, "keep"), ("larger", 80, "revert"), ("open", 40, "")] {
        verdict(&dir, &["start", name, "--hypothesis", "the data gets smaller"]);
        std::fs::write(dir.join("data.txt"), "data\n".repeat(lines)).expect("data.txt");
        git(&dir, &["commit", "--quiet", "-am", "perf: change the data"]);
        verdict(&dir, &["measure"]);
        if !decision.is_empty() {
            verdict(&dir, &[decision, name, "--because", "the numbers say so"]);
        }
    }
    dir
}

/// A repository of two commits whose only step is `true`.
fn small_repository(folder: &Path) -> PathBuf {
    let dir = folder.join("small");
    empty_repository(&dir);
    let config = "version = 1\n[steps.true]\nrun = [\"true\"]\n[metrics.time]\nstep = \"true\"\nmeasure = \"wall\"\n";
    std::fs::write(dir.join("verdict.toml"), config).expect("verdict.toml");
    git(&dir, &["add", "--all"]);
    git(&dir, &["commit", "--quiet", "-m", "feat: begin"]);
    git(&dir, &["commit", "--quiet", "--allow-empty", "-m", "feat: go on"]);
    dir
}
