//! How fast the report of ten thousand records is, beside `git perf report` of a thousand measurements.
//!
//! `cargo bench --bench report` prints a markdown table. Needs `git-perf` (the crate of that name) on the `PATH`; without
//! it our own times are printed alone. Rounds and records may follow: `cargo bench --bench report -- 20 10000`.

#[path = "../tests/report/records.rs"]
mod records;

#[path = "common/timing.rs"]
mod timing;

use git_verdict::git::Repo;
use git_verdict::ledger::Ledger;
use rand::Rng;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use timing::{elapsed, median};

const PROGRAM: &str = env!("CARGO_BIN_EXE_git-verdict");
/// Measurements of the peer, one a commit.
const MEASUREMENTS: usize = 1000;

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let (rounds, many) = (numbers.first().copied().unwrap_or(20), numbers.get(1).copied().unwrap_or(10_000));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (ours, count) = ledger(folder.path(), many);
    let output = folder.path().join("ours.html");
    let page = output.to_str().expect("UTF-8").to_string();
    let report = || elapsed(&mut command(&ours, PROGRAM, &["report", "-o", &page]));
    // The first one builds the index of the ledger.
    let first = report();
    let peer = peer(folder.path());
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for round in 0..rounds + 2 {
        let ours_first = rand::rng().random_bool(0.5);
        let theirs = || peer.as_deref().map(|dir| elapsed(&mut perf(dir, folder.path())));
        let (one, other) = if ours_first {
            let one = report();
            (one, theirs())
        } else {
            let other = theirs();
            (report(), other)
        };
        if round >= 2 {
            a.push(one);
            b.extend(other);
        }
    }
    let mine = median(a);
    println!("| what | ours, median | peer | peer, median | ratio | wanted |");
    println!("|---|---|---|---|---|---|");
    let (theirs, ratio) = match b.is_empty() {
        true => ("not installed".to_string(), String::new()),
        false => {
            let theirs = median(b);
            (format!("{:.0} ms", theirs * 1e3), format!("{:.2}", mine / theirs))
        }
    };
    println!(
        "| `git-verdict report`, {count} records | {:.0} ms | `git perf report`, {MEASUREMENTS} measurements | {theirs} | {ratio} | 1.0x |",
        mine * 1e3
    );
    let bytes = std::fs::metadata(&output).map_or(0, |file| file.len());
    println!("\nthe first one, which builds the index: {:.0} ms; the page: {:.2} MB", first * 1e3, bytes as f64 / 1e6);
}

/// A repository with so many records; how many there are.
fn ledger(folder: &Path, many: usize) -> (PathBuf, usize) {
    let path = folder.join("ours");
    empty(&path);
    let mut events = records::story(many.div_ceil(2));
    events.truncate(many);
    let repo = Repo::discover(&path).expect("a repository");
    Ledger::open(&repo).append_all(&events).expect("records");
    (path, events.len())
}

/// A repository with as many commits as measurements; none when `git-perf` is not there.
fn peer(folder: &Path) -> Option<PathBuf> {
    let there = Command::new("git-perf").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    there.ok().filter(|status| status.success())?;
    let path = folder.join("peer");
    empty(&path);
    for number in 0..MEASUREMENTS {
        elapsed(&mut command(&path, "git", &["commit", "--quiet", "--allow-empty", "-m", &number.to_string()]));
        let value = format!("{}", 872.1 + (number * 7 % 13) as f64);
        elapsed(&mut command(&path, "git-perf", &["add", "--measurement", "build_time", &value]));
    }
    Some(path)
}

fn perf(dir: &Path, folder: &Path) -> Command {
    let output = folder.join("peer.html");
    let most = MEASUREMENTS.to_string();
    command(dir, "git-perf", &["report", "-n", &most, "-o", output.to_str().expect("UTF-8")])
}

fn empty(path: &Path) {
    std::fs::create_dir(path).expect("a folder");
    for words in [
        &["init", "--quiet", "--initial-branch=main"][..],
        &["config", "user.name", "Bench"],
        &["config", "user.email", "bench@example.invalid"],
        &["commit", "--quiet", "--allow-empty", "-m", "begin"],
    ] {
        elapsed(&mut command(path, "git", words));
    }
}

fn command(dir: &Path, program: &str, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(words).current_dir(dir).stdin(Stdio::null());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command
}
