//! What the installed hooks add to `git commit`, and what a decision costs beside the plain git commands it stands for.
//!
//! `cargo bench --bench landing` prints a markdown table. All sides take turns in random order, each in a repository of its
//! own with the same content. Arguments: the number of rounds, and words that the name of what is wanted contains:
//! `cargo bench --bench landing -- 40 in-place`.

#[path = "common/timing.rs"]
mod timing;

use rand::seq::SliceRandom;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use timing::median;

const PROGRAM: &str = env!("CARGO_BIN_EXE_git-verdict");
const FILES: usize = 50_000;
const FOLDERS: usize = 500;
const CONFIG: &str = "version = 1\n[metrics.size]\npath = \"part-1\"\n";

/// One of the ways to decide, and the git commands that somebody would type instead, separated by semicolons.
const DECISIONS: [(&str, &str, &str); 4] = [
    ("keep", "keep slim --because less", "git merge --no-ff --no-edit verdict/slim"),
    (
        "revert, mode merge",
        "revert slim --because more --mode merge",
        "git switch verdict/slim; git revert --no-commit verdict/slim verdict/slim~1; git commit -m revert; git switch main; \
         git merge --no-ff --no-edit verdict/slim",
    ),
    (
        "revert, mode in-place",
        "revert slim --because more --mode in-place",
        "git revert --no-commit verdict/slim verdict/slim~1; git commit -m revert",
    ),
    (
        "revert, mode archive",
        "revert slim --because more --mode archive",
        "git update-ref refs/archive/slim verdict/slim; sh -c 'mkdir -p docs/adr && echo x > docs/adr/1.md'; \
         git add docs/adr/1.md; git commit -m adr; git branch -D verdict/slim",
    ),
];

/// What a decision does besides, before and after those commands: it makes sure that nothing is uncommitted, and it puts
/// the numbers on record.
const BEFORE: &str = "git status --porcelain --untracked-files=no; ";
const AFTER: &str = "; git notes --ref=verdict add -m record";

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let rounds = words.iter().find_map(|word| word.parse().ok()).unwrap_or(15);
    let names: Vec<&String> = words.iter().filter(|word| word.parse::<usize>().is_err()).collect();
    let wanted = |name: &str| names.is_empty() || names.iter().any(|part| name.contains(part.as_str()));
    let folder = tempfile::tempdir().expect("a temporary folder");
    if wanted("hooks") {
        hooks(folder.path(), rounds * 8);
    }
    let ours = big_repository(&folder.path().join("ours"));
    let [plain, full] = ["plain", "full"].map(|name| {
        let copy = folder.path().join(name);
        assert!(Command::new("cp").arg("-a").arg(&ours).arg(&copy).status().is_ok_and(|status| status.success()));
        // The copies have other inodes than the index knows.
        git(&copy, "update-index -q --refresh");
        copy
    });
    println!(
        "| {FILES} files; wall clock, median (processor time, mean) | ours | plain git | ratio | with status and note | ratio |"
    );
    println!("|---|---|---|---|---|---|");
    for (name, words, commands) in DECISIONS {
        if wanted(name) {
            decision([&ours, &plain, &full], rounds, name, words, commands);
        }
    }
    let version = Command::new("git").arg("--version").output().expect("git");
    println!("\n{}", String::from_utf8_lossy(&version.stdout).trim());
}

/// `git commit` of one file with all hooks installed and with none: before any experiment was reverted, and after. Then the hook
/// post-commit asks whether the commit may try again what was tried. Three hooks that do nothing show what starting them costs.
fn hooks(folder: &Path, rounds: usize) {
    println!("| | all hooks | three of `exit 0` | no hooks | wanted | found |");
    println!("|---|---|---|---|---|---|");
    for (name, tried) in [("`git commit`", false), ("`git commit`, an experiment was reverted", true)] {
        let [with, empty, without] = ["with", "empty", "without"].map(|side| {
            let root = folder.join(format!("{side}-{tried}"));
            init(&root);
            std::fs::write(root.join("verdict.toml"), CONFIG).expect("a file");
            std::fs::create_dir(root.join("part-1")).expect("a folder");
            std::fs::write(root.join("part-1/1.txt"), "file\n").expect("a file");
            git(&root, "add --all");
            git(&root, "commit -q -m begin");
            if tried {
                run(&root, PROGRAM, "start slim --hypothesis less");
                std::fs::write(root.join("part-1/1.txt"), "less\n").expect("a file");
                git(&root, "commit -q -a -m perf:%20less");
                run(&root, PROGRAM, "measure");
                run(&root, PROGRAM, "revert slim --because more");
            }
            root
        });
        run(&with, PROGRAM, "hook install --commit-msg --post-commit --push-ledger");
        let nothing = empty.join(".git/hooks");
        std::fs::create_dir_all(&nothing).expect("a folder");
        for name in ["prepare-commit-msg", "commit-msg", "post-commit"] {
            let hook = nothing.join(name);
            std::fs::write(&hook, "#!/bin/sh\nexit 0\n").expect("a file");
            std::fs::set_permissions(&hook, Permissions::from_mode(0o755)).expect("its mode");
        }
        let number = std::cell::Cell::new(0);
        let commit = |root: &Path| {
            number.set(number.get() + 1);
            std::fs::write(root.join("more.txt"), format!("{}\n", number.get())).expect("a file");
            git(root, "add more.txt");
            taken(|| drop(git(root, "commit -q -m more")))
        };
        let [a, b, c] = interleaved(rounds, [&mut || commit(&with), &mut || commit(&empty), &mut || commit(&without)]);
        let more = (a.wall() - c.wall()) * 1e3;
        println!("| {name} | {} | {} | {} | +5 ms | {more:+.1} ms |", a.told(), b.told(), c.told());
    }
    println!();
}

/// One way to decide, in a repository with many files. What it changed is put back each time, out of the measurement.
fn decision(roots: [&Path; 3], rounds: usize, name: &str, words: &str, commands: &str) {
    if words.contains("in-place") {
        for root in roots {
            git(root, "update-ref refs/keep/main main");
            git(root, "merge -q --no-ff --no-edit verdict/slim");
        }
    }
    let [ours, plain, full] = roots.map(Before::of);
    let by_hand = |before: &Before, commands: &str| {
        let reading = taken(|| commands.split("; ").for_each(|command| typed(&before.root, command)));
        before.restore();
        reading
    };
    let [a, b, c] = interleaved(
        rounds,
        [
            &mut || {
                let reading = taken(|| drop(run(&ours.root, PROGRAM, words)));
                ours.restore();
                reading
            },
            &mut || by_hand(&plain, commands),
            &mut || by_hand(&full, &[BEFORE, commands, AFTER].concat()),
        ],
    );
    let ratio = |other: &Readings| a.wall() / other.wall();
    println!("| {name} | {} | {} | {:.2} | {} | {:.2} |", a.told(), b.told(), ratio(&b), c.told(), ratio(&c));
    if words.contains("in-place") {
        for root in roots {
            git(root, "reset -q --hard refs/keep/main");
            git(root, "update-ref -d refs/keep/main");
        }
    }
}

/// What a repository was before a decision.
struct Before {
    root: PathBuf,
    refs: String,
    own: tempfile::TempDir,
}

impl Before {
    fn of(root: &Path) -> Before {
        let refs = git(root, "for-each-ref --format=%(objectname)%20%(refname)");
        let own = tempfile::tempdir().expect("a temporary folder");
        copy(&root.join(".git/verdict"), &own.path().join("verdict"));
        Before { root: root.to_path_buf(), refs, own }
    }

    /// Puts every ref back to what it was, `main` in the work tree, and what this program has in the git directory.
    fn restore(&self) {
        let root = &self.root;
        git(root, "switch -q --detach");
        for name in git(root, "for-each-ref --format=%(refname)").lines() {
            git(root, &format!("update-ref -d {name}"));
        }
        for (id, name) in self.refs.lines().filter_map(|line| line.split_once(' ')) {
            git(root, &format!("update-ref {name} {id}"));
        }
        git(root, "symbolic-ref HEAD refs/heads/main");
        git(root, "reset -q --hard");
        std::fs::remove_dir_all(root.join(".git/verdict")).expect("a folder");
        copy(&self.own.path().join("verdict"), &root.join(".git/verdict"));
    }
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().is_ok_and(|status| status.success()));
}

/// Many files on `main`, and the measured experiment `slim` that changes ten of them in two commits.
fn big_repository(root: &Path) -> PathBuf {
    init(root);
    std::fs::write(root.join("verdict.toml"), CONFIG).expect("a file");
    for number in 0..FILES {
        let folder = root.join(format!("part-{}", number % FOLDERS));
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(format!("{number}.txt")), format!("file {number}\n")).expect("a file");
    }
    git(root, "add --all");
    git(root, "commit -q -m begin");
    // As after a clone, or after the first `git gc --auto`.
    git(root, "repack -a -d -q");
    run(root, PROGRAM, "start slim --hypothesis less");
    for part in 0..2 {
        for number in (part * 5)..(part * 5 + 5) {
            let file = root.join(format!("part-{number}/{number}.txt"));
            std::fs::write(file, "less\n").expect("a file");
        }
        git(root, "commit -q -a -m perf:%20less");
    }
    run(root, PROGRAM, "measure");
    git(root, "switch -q main");
    root.to_path_buf()
}

fn init(root: &Path) {
    std::fs::create_dir_all(root).expect("a folder");
    git(root, "init -q -b main --template=");
    git(root, "config user.name Bench");
    git(root, "config user.email bench@example.invalid");
    git(root, "config gc.auto 0");
    git(root, "config maintenance.auto false");
}

/// How long something took, in seconds of the wall clock and of the processor.
#[derive(Clone, Copy)]
struct Reading {
    wall: f64,
    cpu: f64,
}

/// The readings of one side.
#[derive(Default)]
struct Readings(Vec<Reading>);

impl Readings {
    fn wall(&self) -> f64 {
        median(self.0.iter().map(|reading| reading.wall).collect())
    }

    /// The processor time comes in steps of ten milliseconds: only its mean over many rounds says something.
    fn told(&self) -> String {
        let cpu = self.0.iter().map(|reading| reading.cpu).sum::<f64>() / self.0.len() as f64;
        format!("{:.1} ms ({:.0})", self.wall() * 1e3, cpu * 1e3)
    }
}

fn taken(work: impl FnOnce()) -> Reading {
    let (start, cpu) = (Instant::now(), children());
    work();
    Reading { wall: start.elapsed().as_secs_f64(), cpu: children() - cpu }
}

/// The processor time of all processes that were started and have ended; zero where the system does not tell.
fn children() -> f64 {
    let told = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = told.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = fields.split_whitespace().skip(13).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

/// Readings of all sides, one each per round, in random order, after one round that does not count.
fn interleaved<const N: usize>(rounds: usize, sides: [&mut dyn FnMut() -> Reading; N]) -> [Readings; N] {
    let mut readings: [Readings; N] = std::array::from_fn(|_| Readings::default());
    let mut order: Vec<usize> = (0..N).collect();
    for round in 0..=rounds {
        order.shuffle(&mut rand::rng());
        for side in &order {
            let reading = sides[*side]();
            if round > 0 {
                readings[*side].0.push(reading);
            }
        }
    }
    readings
}

/// Runs git with words separated by blanks (`%20` is a blank in a word); what it prints.
fn git(root: &Path, words: &str) -> String {
    run(root, "git", words)
}

fn run(root: &Path, program: &str, words: &str) -> String {
    let mut command = Command::new(program);
    command.args(words.split(' ').map(|word| word.replace("%20", " ")));
    finish(root, command)
}

/// Runs a command line; a shell only where there is something for it to do.
fn typed(root: &Path, line: &str) {
    match line.strip_prefix("git ") {
        Some(words) => drop(git(root, words)),
        None => {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("exec {line}")]);
            finish(root, command);
        }
    }
}

fn finish(root: &Path, mut command: Command) -> String {
    command.current_dir(root).stdin(Stdio::null());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env_remove("CI");
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_string()
}
