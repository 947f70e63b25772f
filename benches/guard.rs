//! How long it takes to find the reverted experiments that a change resembles, among ten thousand of them.
//!
//! `cargo bench --bench guard` prints a markdown table. The features are those of `tests/guard/`, real changes of real
//! projects, each copied under other numbers until there are enough; the commits of the repository that the commands run in
//! are small ones. Two numbers after the name of the bench set the rounds and the experiments.

#[path = "common/timing.rs"]
mod timing;

use git_verdict::config::{Better, Matters, RevertMode};
use git_verdict::git::{Oid, Repo};
use git_verdict::guard::{Features, Kind, Known, Shelf};
use git_verdict::ledger::event::{Decided, Identity, Opened, Verdict};
use git_verdict::ledger::{Event, Fact, Ledger};
use git_verdict::policy::MetricComparison;
use git_verdict::stats::Word;
use git_verdict::units::{Ratio, base_unit};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use timing::{elapsed, median};
use ulid::Ulid;

const PROGRAM: &str = env!("CARGO_BIN_EXE_git-verdict");

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

fn git(dir: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.current_dir(dir).args(words);
    command
}

/// Whole commands, in a repository of as many commits and reverted experiments.
fn commands(rounds: usize, many: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    for words in [
        &["init", "--quiet", "--initial-branch=main", "--template="][..],
        &["config", "user.name", "Bench"],
        &["config", "user.email", "bench@example.invalid"],
    ] {
        elapsed(&mut git(dir, words));
    }
    let mut stream = String::new();
    for number in 0..=many {
        // Writing to a String cannot fail.
        let _ = write!(
            stream,
            "commit refs/heads/main\ncommitter Bench <bench@example.invalid> {} +0000\ndata 8\nperf: x\n\n",
            1_600_000_000 + number * 60
        );
        let file: String = (0..12).map(|line| format!("let value_{line} = compute_{number}({line});\n")).collect();
        let place = format!("src/part_{}/file_{}.rs", number % 40, number % 400);
        let _ = write!(stream, "M 100644 inline {place}\ndata {}\n{file}\n", file.len());
    }
    let mut child = git(dir, &["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().expect("git fast-import");
    child.stdin.take().expect("stdin was piped").write_all(stream.as_bytes()).expect("git fast-import reads");
    assert!(child.wait().expect("git fast-import").success());
    elapsed(&mut git(dir, &["reset", "--quiet", "--hard"]));
    let repo = Repo::discover(dir).expect("a repository");
    let ledger = Ledger::open(&repo);
    let commits = git(dir, &["log", "--reverse", "--format=%H %T", "main"]).output().expect("git log").stdout;
    let commits: Vec<Identity> = String::from_utf8_lossy(&commits).lines().map(identity).collect();
    let blank = ledger.draft(Ulid::nil(), "bench", Fact::Abandoned { because: "x".into() }).expect("a draft");
    let mut events = Vec::new();
    for (number, pair) in commits.windows(2).enumerate() {
        let experiment = Ulid::from_parts(1_600_000_000_000 + number as u64 * 2, 1);
        for (step, fact) in [opened(number, &pair[0]), reverted(pair)].into_iter().enumerate() {
            let id = Ulid::from_parts(1_600_000_000_000 + (number * 2 + step) as u64, number as u128);
            events.push(Event { id, experiment, name: format!("attempt-{number}"), fact, ..blank.clone() });
        }
    }
    for chunk in events.chunks(5000) {
        ledger.append_all(chunk).expect("appended");
    }
    elapsed(&mut git(dir, &["repack", "--quiet", "-ad"]));
    let ours = |words: &[&str]| {
        let mut command = Command::new(PROGRAM);
        elapsed(command.current_dir(dir).args(words))
    };
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
    row("`git log -1`", (0..rounds).map(|_| elapsed(&mut git(dir, &["log", "-1"]))).collect());
}

fn identity(line: &str) -> Identity {
    let (commit, tree) = line.split_once(' ').expect("two ids");
    let oid = |text: &str| Oid::parse(text).expect("an id");
    Identity { commit: oid(commit), tree: oid(tree), patch: None }
}

fn opened(number: usize, base: &Identity) -> Fact {
    Fact::Opened(Opened {
        title: format!("attempt {number}"),
        hypothesis: format!("compute_{number} is called less often, and the part is smaller"),
        base: base.clone(),
        onto: "main".into(),
        branch: format!("verdict/attempt-{number}"),
        stands_on: None,
        adopted: None,
    })
}

fn reverted(pair: &[Identity]) -> Fact {
    Fact::Decided(Box::new(Decided {
        verdict: Verdict::Revert,
        because: "it was not worth it".into(),
        mode: Some(RevertMode::InPlace),
        measured: None,
        comparison: vec![MetricComparison {
            metric: "build_time".into(),
            unit: base_unit("s").expect("a unit").0,
            better: Better::Lower,
            matters: Matters::Relative(Ratio(0.05)),
            base: 800.0,
            candidate: 900.0,
            relative: Some(0.125),
            interval: Some([0.1, 0.15]),
            exact: false,
            rounds: 12,
            word: Word::Regressed,
            limit: None,
            detectable: None,
            rounds_needed: None,
        }],
        recommendation: None,
        overrode: false,
        base: pair[0].clone(),
        candidate: pair[1].clone(),
        commits: vec![pair[1].commit.clone()],
        revert_commit: None,
        landed: None,
        onto: "main".into(),
    }))
}
