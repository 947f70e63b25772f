//! How fast the ledger is at a hundred thousand records, beside git itself.
//!
//! `cargo bench --bench ledger` prints a markdown table. Rows with a peer are interleaved: one run of ours and one of the
//! peer, in random order, again and again. Two numbers after the name of the bench set the rounds and the records:
//! `cargo bench --bench ledger -- 20 100000`. With `simulate` they are writers and records, and what happens past one machine is
//! tried: `cargo bench --bench ledger -- simulate 1000 1000000`.

#[path = "common/commands.rs"]
mod commands;
#[path = "common/records.rs"]
mod records;
#[path = "common/timing.rs"]
mod timing;

use commands::{PROGRAM, command, empty, fast_import, must, must_ref, text};
use git_verdict::git::{GitError, Repo};
use git_verdict::ledger::store::LEDGER_REF;
use git_verdict::ledger::{Event, Ledger, LedgerError};
use rand::Rng;
use records::{abandoned, decided, event, write_ledger};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use timing::{elapsed, median};
use ulid::Ulid;

const FEW: usize = 100;
/// Experiments that are open, on top of the other records: each can be given up once.
const OPEN: usize = 250;
/// Records of the largest ledger that the docs speak of.
const TEN_MILLION: usize = 10_000_000;

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let (rounds, many) = (numbers.first().copied().unwrap_or(50), numbers.get(1).copied().unwrap_or(100_000));
    let folder = tempfile::tempdir().expect("a temporary folder");
    if std::env::args().any(|word| word == "simulate") {
        simulate(folder.path(), rounds, many);
        return;
    }
    let [small, big] = [FEW, many].map(|count| repository(folder.path(), count, OPEN.max(rounds * 5)));
    println!("| what | ours, median (fastest) | peer | peer, median (fastest) | ratio | wanted |");
    println!("|---|---|---|---|---|---|");
    appends(rounds, &small, &big, many);
    logs(rounds, &big, many);
    println!();
    wire(folder.path(), &big, many);
    writers(folder.path());
    sizes();
    println!("git: {}", text(Command::new("git").arg("--version")));
}

/// Seconds of one and of the other, one each per round.
type Readings = (Vec<f64>, Vec<f64>);

fn row(what: &str, peer: &str, readings: Readings, wanted: &str) {
    let fastest = |times: &[f64]| times.iter().copied().fold(f64::INFINITY, f64::min) * 1e3;
    let (first, second) = (fastest(&readings.0), fastest(&readings.1));
    let (a, b) = (median(readings.0) * 1e3, median(readings.1) * 1e3);
    let ratios = format!("{:.2} ({:.2})", a / b, first / second);
    println!("| {what} | {a:.2} ms ({first:.2}) | {peer} | {b:.2} ms ({second:.2}) | {ratios} | {wanted} |");
}

/// Runs both `rounds` times, each round in random order, after two rounds that do not count.
fn interleaved(rounds: usize, ours: &mut dyn FnMut() -> f64, peer: &mut dyn FnMut() -> f64) -> Readings {
    let mut readings = Readings::default();
    for round in 0..rounds + 2 {
        let (a, b);
        if rand::rng().random_bool(0.5) {
            a = ours();
            b = peer();
        } else {
            b = peer();
            a = ours();
        }
        if round >= 2 {
            readings.0.push(a);
            readings.1.push(b);
        }
    }
    readings
}

/// Appends as commands: `git-verdict abandon`, which writes one record and does nothing else, beside `git notes append` and
/// `git perf add`, each in a repository of as many commits, with a note on each.
fn appends(rounds: usize, small: &Path, big: &Path, many: usize) {
    let (mut few, mut next) = (Openings::of(small), Openings::of(big));
    let label = format!("`git-verdict abandon` at {many} records");
    let peer = format!("the same at {FEW}");
    row(&label, &peer, interleaved(rounds, &mut || next.abandon(), &mut || few.abandon()), "1.5x");
    let commits = text(&mut command(big, "git", &["rev-list", "--max-count=1000", "main"]));
    let commits: Vec<String> = commits.lines().map(String::from).collect();
    for fsync in ["none", "committed"] {
        must(command(big, "git", &["config", "core.fsync", fsync]));
        let mut notes = || {
            let commit = &commits[rand::rng().random_range(0..commits.len())];
            let message = "build_time 872.1 s -> 1230.4 s";
            elapsed(&mut command(big, "git", &["notes", "--ref", "bench", "append", "-m", message, commit]))
        };
        let peer = format!("`git notes append`, {many} commits");
        let label = format!("`git-verdict abandon`, core.fsync={fsync}");
        row(&label, &peer, interleaved(rounds, &mut || next.abandon(), &mut notes), "1.0x");
    }
    must(command(big, "git", &["config", "core.fsync", "none"]));
    match Command::new("git-perf").arg("--version").output() {
        Ok(version) if version.status.success() => {
            let mut add = || elapsed(&mut command(big, "git-perf", &["add", "872.1", "-m", "build_time"]));
            let peer = format!("`git perf add` ({})", String::from_utf8_lossy(&version.stdout).trim());
            row("`git-verdict abandon`", &peer, interleaved(rounds, &mut || next.abandon(), &mut add), "1.0x");
        }
        _ => println!("| `git perf add` | | not installed (`cargo install git-perf`) | | | |"),
    }
    let (small, big) = (Repo::discover(small).expect("a repository"), Repo::discover(big).expect("a repository"));
    let readings = interleaved(rounds, &mut || append(&big), &mut || append(&small));
    row(&format!("append at {many}, in this process"), &format!("append at {FEW}"), readings, "1.5x");
}

/// Experiments that wait to be given up.
struct Openings<'d> {
    dir: &'d Path,
    next: usize,
}

impl Openings<'_> {
    fn of(dir: &Path) -> Openings<'_> {
        Openings { dir, next: 0 }
    }

    fn abandon(&mut self) -> f64 {
        self.next += 1;
        let name = format!("open-{}", self.next);
        elapsed(&mut command(self.dir, PROGRAM, &["abandon", &name, "--because", "872.1 s -> 1230.4 s"]))
    }
}

fn append(repo: &Repo) -> f64 {
    let started = Instant::now();
    let ledger = Ledger::open(repo);
    let event = ledger.draft(Ulid::new(), "bench", decided(1)).expect("a draft");
    ledger.append(&event).expect("appended");
    started.elapsed().as_secs_f64()
}

fn logs(rounds: usize, big: &Path, many: usize) {
    // Appends came since the index was made; one list brings it up to date.
    elapsed(&mut command(big, PROGRAM, &["log", "-n", "1"]));
    let mut ours = || elapsed(&mut command(big, PROGRAM, &["log", "-n", "20"]));
    let mut peer = || elapsed(&mut command(big, "git", &["log", "-n", "20", "main"]));
    let readings = interleaved(rounds, &mut ours, &mut peer);
    row(&format!("`git-verdict log -n 20` at {many}"), "`git log -n 20`", readings, "1.5x");
    let mut ours = || elapsed(&mut command(big, PROGRAM, &["log"]));
    let mut peer = || elapsed(&mut command(big, "git", &["log", "main"]));
    let readings = interleaved((rounds / 10).max(3), &mut ours, &mut peer);
    let peer = format!("`git log`, {many} commits");
    row(&format!("`git-verdict log`, all {many}"), &peer, readings, "1.0x");
}

/// All bytes in both directions when one new record is synced, counted by an ssh that stands between.
fn wire(folder: &Path, big: &Path, many: usize) {
    use std::os::unix::fs::PermissionsExt;
    let remote = folder.join("remote.git");
    must(command(folder, "git", &["clone", "--quiet", "--bare", big.to_str().expect("UTF-8"), "remote.git"]));
    let counter = folder.join("counting-ssh");
    let script = "#!/bin/sh\nwhile [ $# -gt 1 ]; do shift; done\ntee -a \"$WIRE\" | sh -c \"$1\" | tee -a \"$WIRE\"\n";
    std::fs::write(&counter, script).expect("a script");
    std::fs::set_permissions(&counter, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    let url = format!("ssh://nowhere{}", remote.display());
    let bytes = || {
        let log = folder.join("wire");
        let _ = std::fs::remove_file(&log);
        let mut sync = command(big, PROGRAM, &["sync", &url]);
        must_ref(sync.env("GIT_SSH_COMMAND", &counter).env("WIRE", &log));
        std::fs::metadata(&log).map_or(0, |file| file.len())
    };
    println!("first sync of {many} records: {:.1} MB in both directions", bytes() as f64 / 1e6);
    append(&Repo::discover(big).expect("a repository"));
    println!("sync of one new record at {many}: {:.1} kB in both directions (wanted: below 10)", bytes() as f64 / 1e3);
}

/// Fifty processes' worth of writers in one repository: how many records a second are acknowledged.
fn writers(folder: &Path) {
    let path = folder.join("writers");
    empty(&path);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                let repo = Repo::discover(&path).expect("a repository");
                for _ in 0..20 {
                    append(&repo);
                }
            });
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    let repo = Repo::discover(&path).expect("a repository");
    let events = Ledger::open(&repo).events().expect("a whole ledger").len();
    assert_eq!(events, 1000, "records were lost");
    println!("50 writers of 20 records in one repository: none lost, {:.0} records a second", 1000.0 / seconds);
}

/// Writers in twenty clones, all at the same time, who then exchange their records through one bare repository; and a
/// ledger of so many records, all of them real, to which one more is appended.
fn simulate(folder: &Path, writers: usize, records: usize) {
    const CLONES: usize = 20;
    const EACH: usize = 5;
    let bare = folder.join("team.git");
    must(command(folder, "git", &["init", "--quiet", "--bare", "team.git"]));
    let clones: Vec<PathBuf> = (0..CLONES).map(|number| folder.join(format!("clone-{number}"))).collect();
    for clone in &clones {
        empty(clone);
        must(command(clone, "git", &["remote", "add", "origin", bare.to_str().expect("UTF-8")]));
    }
    let (per_clone, started, again) = (writers.div_ceil(CLONES), Instant::now(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for clone in clones.iter().flat_map(|clone| std::iter::repeat_n(clone, per_clone)) {
            scope.spawn(|| {
                let repo = Repo::discover(clone).expect("a repository");
                for _ in 0..EACH {
                    let ledger = Ledger::open(&repo);
                    let event = ledger.draft(Ulid::new(), "bench", decided(1)).expect("a draft");
                    // On a machine that is too slow for so many, one is told to try again, and does.
                    while let Err(error) = ledger.append(&event) {
                        assert!(matches!(error, LedgerError::Git(GitError::Contended(_))), "{error:?}");
                        again.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let (all, seconds) = (CLONES * per_clone * EACH, started.elapsed().as_secs_f64());
    let writers = CLONES * per_clone;
    let (rate, again) = (all as f64 / seconds, again.into_inner());
    println!(
        "{writers} writers in {CLONES} clones, {EACH} records each: {rate:.0} records a second, {again} tried again"
    );
    let started = Instant::now();
    for _sent_then_received in 0..2 {
        std::thread::scope(|scope| {
            for clone in &clones {
                scope.spawn(|| must(command(clone, PROGRAM, &["sync"])));
            }
        });
    }
    println!("exchanged by {CLONES} clones at once, twice each, in {:.1} s", started.elapsed().as_secs_f64());
    let tips: Vec<String> =
        clones.iter().map(|dir| text(&mut command(dir, "git", &["rev-parse", LEDGER_REF]))).collect();
    let found = Ledger::open(&Repo::discover(&bare).expect("a repository")).events().expect("a whole ledger").len();
    assert!(tips.iter().all(|tip| *tip == tips[0]) && found == all, "{found} of {all} records");
    println!("none lost: {found} records, the same commit everywhere");

    let dir = folder.join("many");
    empty(&dir);
    let repo = Repo::discover(&dir).expect("a repository");
    write_ledger(&dir, abandoned(&repo, records));
    let started = Instant::now();
    elapsed(&mut command(&dir, PROGRAM, &["log", "-n", "1"]));
    println!("{records} records: index built in {:.1} s", started.elapsed().as_secs_f64());
    let times = (0..21).map(|_| append(&repo)).collect();
    println!("append at {records}: {:.2} ms (median of 21)", median(times) * 1e3);
    let times = (0..21).map(|_| elapsed(&mut command(&dir, PROGRAM, &["log", "-n", "20"]))).collect();
    println!("log -n 20 at {records}: {:.2} ms (median of 21)", median(times) * 1e3);
}

/// How full the folders of ten million random ids are: the layout alone, without writing them.
fn sizes() {
    let mut leaves = vec![0u32; 32 * 32 * 32];
    let (folders, mut random) = (leaves.len(), rand::rng());
    for _ in 0..TEN_MILLION {
        leaves[random.random_range(0..folders)] += 1;
    }
    let (most, mean) = (leaves.iter().max().copied().unwrap_or(0), TEN_MILLION as f64 / leaves.len() as f64);
    println!(
        "{TEN_MILLION} records: {mean:.0} in a folder on average, {most} at most ({:.1} kB of tree)",
        f64::from(most) * 59.0 / 1e3
    );
}

/// A repository of `count` commits with a note each, whose ledger has `count` records: half of them opened, half decided.
fn repository(folder: &Path, count: usize, open: usize) -> PathBuf {
    let dir = folder.join(format!("records-{count}"));
    empty(&dir);
    fast_import(&dir, |stream| {
        let committer = "committer Bench <bench@example.invalid>";
        for number in 1..=count {
            let message =
                format!("perf: change {number}\n\nWhy it was changed, in a line that is as long as lines are.\n");
            let (time, length) = (1_600_000_000 + number * 60, message.len());
            write!(
                stream,
                "commit refs/heads/main\nmark :{number}\n{committer} {time} +0000\ndata {length}\n{message}"
            )?;
            write!(stream, "M 100644 inline file\ndata 8\n{number:07}\n\n")?;
        }
        let note = "build_time 800.0 s -> 700.0 s\n";
        write!(stream, "commit refs/notes/bench\n{committer} 1700000000 +0000\ndata 0\n")?;
        (1..=count).try_for_each(|number| write!(stream, "N inline :{number}\ndata {}\n{note}\n", note.len()))
    });
    must(command(&dir, "git", &["reset", "--quiet", "--hard"]));
    let repo = Repo::discover(&dir).expect("a repository");
    let ledger = Ledger::open(&repo);
    let open = open.min(count);
    let mut events: Vec<Event> = (0..count - open).map(|number| event(&ledger, number)).collect();
    for number in 1..=open {
        let mut one = event(&ledger, (count + number) * 2);
        // The oldest records: what is newest in a ledger are decisions.
        one.id = Ulid::from_parts(1_500_000_000_000 + number as u64, one.id.random());
        one.name = format!("open-{number}");
        events.push(one);
    }
    for chunk in events.chunks(5000) {
        ledger.append_all(chunk).expect("appended");
    }
    must(command(&dir, "git", &["repack", "--quiet", "-ad"]));
    elapsed(&mut command(&dir, PROGRAM, &["log", "-n", "1"]));
    assert_eq!(text(&mut command(&dir, "git", &["rev-parse", "--verify", LEDGER_REF])).len(), 40);
    dir
}
