//! What grows, and the commands that are tried at each size.

use super::Point;
use super::artefacts::{make_saved, make_tree};
use super::commands::{PROGRAM, command, empty, fast_import, must};
use super::records::{event, opened, write_ledger};
use super::reverted;
use super::spent::{Spent, spent};
use super::timing::median;
use git_verdict::git::Repo;
use git_verdict::ledger::{Event, Ledger};
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use ulid::Ulid;

/// What the commands took at one size.
type Step = Result<Vec<(String, Point)>, Box<dyn Error>>;

/// One thing that grows.
pub struct LadderOf {
    pub name: &'static str,
    /// All sizes that can be tried.
    pub sizes: &'static [usize],
    /// The largest one when nothing is said, and with `--quick`.
    pub usual: usize,
    pub quick: usize,
    /// The axis.
    pub axis: &'static str,
    /// What the sizes count.
    pub unit: &'static str,
    /// Makes what is needed of this size, runs the commands, and removes it again.
    pub climb: fn(&Path, usize) -> Step,
}

pub const LADDERS: [LadderOf; 5] = [
    LadderOf {
        name: "records",
        sizes: &[10, 100, 1_000, 10_000, 100_000, 1_000_000],
        usual: 1_000_000,
        quick: 1_000,
        axis: "records in the ledger",
        unit: "records",
        climb: records,
    },
    LadderOf {
        name: "reverted",
        sizes: &[10, 100, 1_000, 10_000, 100_000],
        usual: 10_000,
        quick: 100,
        axis: "reverted experiments",
        unit: "reverted experiments",
        climb: reverted,
    },
    LadderOf {
        name: "decisions",
        sizes: &[10, 100, 1_000, 10_000, 50_000, 200_000, 500_000],
        usual: 10_000,
        quick: 1_000,
        axis: "files in the work tree",
        unit: "files in the work tree",
        climb: decisions,
    },
    LadderOf {
        name: "files",
        sizes: &[1, 10, 100, 1_000, 10_000, 100_000, 500_000],
        usual: 500_000,
        quick: 1_000,
        axis: "files in the folder",
        unit: "files",
        climb: files,
    },
    LadderOf {
        name: "images",
        sizes: &[10, 30, 100, 300, 1_000, 2_000, 5_000],
        usual: 5_000,
        quick: 30,
        axis: "size of the image in MB",
        unit: "MB",
        climb: images,
    },
];

/// Runs of one command: at least three, at most fifteen, two seconds in all; fewer when they take more than ten seconds.
fn repeated(size: usize, mut run: impl FnMut(usize) -> Spent) -> Point {
    let (mut times, mut peak) = (Vec::new(), 0f64);
    while times.len() < 15 {
        let spent = run(times.len());
        times.push(spent.seconds);
        peak = peak.max(spent.peak);
        let taken: f64 = times.iter().sum();
        if taken > 10.0 || (taken > 2.0 && times.len() >= 3) {
            break;
        }
    }
    Point { size: size as f64, runs: times.len(), seconds: median(times), peak }
}

fn ours(dir: &Path, words: &[&str]) -> Command {
    let mut command = command(dir, PROGRAM, words);
    command.env("GIT_VERDICT_TRUST", "1");
    command
}

fn told(name: &str, point: Point) -> (String, Point) {
    (format!("`{name}`"), point)
}

/// A ledger of so many records, half of them openings and half decisions.
fn records(folder: &Path, size: usize) -> Step {
    /// Appends that are timed: each gives up an experiment that is open.
    const OPEN: usize = 16;
    let dir = folder.join("ledger");
    empty(&dir);
    let repo = Repo::discover(&dir)?;
    let ledger = Ledger::open(&repo);
    let blank = event(&ledger, 0);
    let still_open = (0..OPEN).map(|number| {
        // The oldest records: what is newest in a ledger are decisions.
        let id = Ulid::from_parts(1_400_000_000_000 + number as u64, 1);
        Event { id, experiment: id, name: format!("open-{number}"), fact: opened(number), ..blank.clone() }
    });
    write_ledger(&dir, still_open.chain((0..size).map(|number| event(&ledger, number))));
    let first = repeated(size, |_| {
        // Made anew each time: the index is only a memory of the ledger.
        let _ = std::fs::remove_dir_all(dir.join(".git/verdict/index"));
        spent(&ours(&dir, &["log", "-n", "1"]))
    });
    let append = repeated(size, |run| {
        spent(&ours(&dir, &["abandon", &format!("open-{run}"), "--because", "872.1 s -> 1230.4 s"]))
    });
    let mut found = vec![told("log", first), told("abandon", append)];
    found[0].0 = "the first `log`, which makes the index".into();
    found[1].0 = "`abandon`: one record more".into();
    for words in [&["log", "-n", "20"][..], &["log"], &["report", "-o", "report.html"]] {
        found.push(told(&words[..words.len().min(3)].join(" "), repeated(size, |_| spent(&ours(&dir, words)))));
    }
    std::fs::remove_dir_all(&dir)?;
    Ok(found)
}

/// A ledger of so many reverted experiments, with their commits.
fn reverted(folder: &Path, size: usize) -> Step {
    let dir = folder.join("reverted");
    empty(&dir);
    reverted::repository(&dir, size);
    must(ours(&dir, &["log", "-n", "1"]));
    let (text, head) = (["similar", "--text", "fewer bytes"], ["similar", "HEAD"]);
    // The first one makes the features of every reverted change, once.
    let first = spent(&ours(&dir, &text));
    let first = Point { size: size as f64, seconds: first.seconds, peak: first.peak, runs: 1 };
    let found = vec![
        ("the first `similar`, which reads every reverted change".to_string(), first),
        told("similar --text", repeated(size, |_| spent(&ours(&dir, &text)))),
        told("similar HEAD", repeated(size, |_| spent(&ours(&dir, &head)))),
    ];
    std::fs::remove_dir_all(&dir)?;
    Ok(found)
}

/// A repository of so many files: an experiment is kept, another one reverted, as often as there is time.
fn decisions(folder: &Path, size: usize) -> Step {
    let dir = folder.join("decisions");
    empty(&dir);
    let config = "version = 1\n[metrics.size]\npath = \"part-0/file-0\"\n";
    fast_import(&dir, |stream| {
        write!(
            stream,
            "commit refs/heads/main\ncommitter Bench <bench@example.invalid> 1600000000 +0000\ndata 6\nbegin\n\n"
        )?;
        write!(stream, "M 100644 inline verdict.toml\ndata {}\n{config}\n", config.len())?;
        (0..size).try_for_each(|number| {
            let (part, text) = (number / 100, format!("{number}\n"));
            write!(stream, "M 100644 inline part-{part}/file-{number}\ndata {}\n{text}\n", text.len())
        })
    });
    must(command(&dir, "git", &["reset", "--quiet", "--hard"]));
    let mut number = 0;
    let mut decide = |words: &[&str]| {
        number += 1;
        let name = format!("try-{number}");
        must(ours(&dir, &["start", &name, "--hypothesis", "the file gets smaller"]));
        std::fs::write(dir.join("part-0/file-0"), "x".repeat(1000 - number)).expect("a file");
        must(command(&dir, "git", &["commit", "--quiet", "--all", "-m", "perf: smaller"]));
        must(ours(&dir, &["measure"]));
        let words: Vec<&str> = [words[0], &name].iter().chain(&words[1..]).copied().collect();
        spent(&ours(&dir, &words))
    };
    let keep = ["keep", "--because", "it is smaller", "--force"];
    let revert = ["revert", "--because", "it was not worth it", "--force"];
    let mut found = Vec::new();
    for words in [&keep, &revert] {
        let spent: Vec<Spent> = (0..3).map(|_| decide(words)).collect();
        let peak = spent.iter().map(|one| one.peak).fold(0.0, f64::max);
        let seconds = median(spent.iter().map(|one| one.seconds).collect());
        found.push(told(words[0], Point { size: size as f64, seconds, peak, runs: spent.len() }));
    }
    std::fs::remove_dir_all(&dir)?;
    Ok(found)
}

fn files(folder: &Path, size: usize) -> Step {
    let tree = make_tree(folder, size as u64)?;
    let shown = tree.display().to_string();
    must(ours(folder, &["inspect", &shown]));
    let found = vec![told("inspect FOLDER", repeated(size, |_| spent(&ours(folder, &["inspect", &shown]))))];
    std::fs::remove_dir_all(&tree)?;
    Ok(found)
}

fn images(folder: &Path, size: usize) -> Step {
    let image = folder.join("image.tar");
    make_saved(&image, size as u64 * 1_000_000)?;
    let shown = image.display().to_string();
    must(ours(folder, &["inspect", &shown]));
    let found = vec![told("inspect IMAGE", repeated(size, |_| spent(&ours(folder, &["inspect", &shown]))))];
    std::fs::remove_file(&image)?;
    Ok(found)
}
