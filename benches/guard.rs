//! How long it takes to find the reverted experiments that a change resembles, among ten thousand of them.
//!
//! `cargo bench --bench guard` prints a markdown table. The features are those of `tests/guard/`, real changes of real
//! projects, each copied under other numbers until there are enough; the commits of the repository that the commands run in
//! are small ones. Two numbers after the name of the bench set the rounds and the experiments.

#[path = "common/commands.rs"]
mod commands;
#[path = "common/reverted.rs"]
mod reverted;
#[path = "common/timing.rs"]
mod timing;

use commands::{PROGRAM, command, empty};
use git_verdict::guard::{Features, Kind, Known, Shelf};
use std::path::{Path, PathBuf};
use std::time::Instant;
use timing::{elapsed, median};
use ulid::Ulid;

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let (rounds, many) = (numbers.first().copied().unwrap_or(200), numbers.get(1).copied().unwrap_or(10_000));
    println!("| what, {many} reverted experiments | median | 95 % | slowest |");
    println!("|---|---|---|---|");
    questions(rounds, many);
    commands(rounds.min(50), many);
}

fn row(what: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let (last, most) = (times[times.len() - 1] * 1e3, times[times.len() * 95 / 100] * 1e3);
    println!("| {what} | {:.2} ms | {most:.2} ms | {last:.2} ms |", median(times) * 1e3);
}

/// All labelled changes of `tests/guard/`.
fn labelled() -> Vec<Features> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guard");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).expect("tests/guard").flatten().map(|e| e.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "features"));
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let shelf = Shelf::read(std::fs::read(path).expect("features")).expect("features");
        found.extend((0..shelf.len()).map(|number| shelf.known(number).features));
    }
    found
}

/// The file alone, in this process: read from the disk's cache, and asked with every change in turn.
fn questions(rounds: usize, many: usize) {
    let real = labelled();
    let copy = |number: usize| {
        let mut features = Features::default();
        let other = ((number / real.len()) as u32).wrapping_mul(0x9e37_79b1);
        for kind in Kind::ALL {
            features.put(kind, real[number % real.len()].of(kind).iter().map(|one| one ^ other).collect::<Vec<_>>());
        }
        let id = Ulid(number as u128 + 1);
        Known { record: id, experiment: id, patch: number as u64 + 1, features }
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("guard");
    std::fs::write(&path, Shelf::write("", &(0..many).map(copy).collect::<Vec<_>>())).expect("written");
    let (mut reading, mut asking) = (Vec::new(), Vec::new());
    let mut shown = 0;
    for round in 0..rounds {
        let started = Instant::now();
        let shelf = Shelf::read(std::fs::read(&path).expect("read")).expect("whole");
        reading.push(started.elapsed().as_secs_f64());
        let question = &real[round * 37 % real.len()];
        let started = Instant::now();
        shown += shelf.recall(question, 0).len();
        asking.push(started.elapsed().as_secs_f64());
    }
    assert!(shown >= rounds, "every question is on file");
    let both = reading.iter().zip(&asking).map(|(a, b)| a + b).collect();
    let bytes = std::fs::metadata(&path).expect("the file").len() / 1024;
    row(&format!("the file ({bytes} KiB) is read and checked"), reading);
    row("one question is answered", asking);
    row("both", both);
}

/// Whole commands, in a repository of as many commits and reverted experiments.
fn commands(rounds: usize, many: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    empty(dir);
    reverted::repository(dir, many);
    let ours = |words: &[&str]| elapsed(&mut command(dir, PROGRAM, words));
    ours(&["log", "-n", "1"]);
    row("`similar --text`, the first time: the file is made", vec![ours(&["similar", "--text", "fewer bytes"])]);
    let mut later = Vec::new();
    for round in 0..5 {
        let name = format!("more-{round}");
        ours(&["start", &name, "--hypothesis", "nothing like it", "--adopt", "HEAD~1..HEAD", "--quiet"]);
        // Opening an experiment brings the file up to date; giving it up does not.
        ours(&["abandon", &name, "--because", "it was for the bench", "--quiet"]);
        later.push(ours(&["similar", "--text", "fewer bytes"]));
    }
    row("`similar --text`, after one more record", later);
    let repeat = |words: &[&str]| (0..rounds).map(|_| ours(words)).collect::<Vec<f64>>();
    row("`similar --text`", repeat(&["similar", "--text", "fewer bytes"]));
    row("`similar HEAD`, which is one of them", repeat(&["similar", "HEAD"]));
    row("`git-verdict --version`", repeat(&["--version"]));
    row("`git log -1`", (0..rounds).map(|_| elapsed(&mut command(dir, "git", &["log", "-1"]))).collect());
}
