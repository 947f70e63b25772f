//! What the installed hooks add to `git commit`, and what a decision costs beside the plain git commands it stands for.
//!
//! `cargo bench --bench landing` prints a markdown table. Ours and the peer take turns in random order, each in a repository
//! of its own with the same content. A number after the name of the bench sets the rounds: `cargo bench --bench landing -- 40`.

use rand::Rng;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

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

fn main() {
    let rounds = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(15);
    let folder = tempfile::tempdir().expect("a temporary folder");
    println!("| what | ours, median | plain git, median | wanted | found |");
    println!("|---|---|---|---|---|");
    hooks(folder.path(), rounds * 8);
    let ours = big_repository(&folder.path().join("ours"));
    let plain = folder.path().join("plain");
    assert!(Command::new("cp").arg("-a").arg(&ours).arg(&plain).status().is_ok_and(|status| status.success()));
    for (name, words, commands) in DECISIONS {
        decision(&ours, &plain, rounds, name, words, commands);
    }
    let version = Command::new("git").arg("--version").output().expect("git");
    println!("\n{}", String::from_utf8_lossy(&version.stdout).trim());
}

/// `git commit` with all hooks installed and with none.
fn hooks(folder: &Path, rounds: usize) {
    let [with, without] = ["with", "without"].map(|name| {
        let root = folder.join(name);
        init(&root);
        std::fs::write(root.join("verdict.toml"), CONFIG).expect("a file");
        git(&root, "add --all");
        git(&root, "commit -q -m begin");
        root
    });
    run(&with, PROGRAM, "hook install --commit-msg --post-commit --push-ledger");
    let commit = |root: &Path| elapsed(|| git(root, "commit -q --allow-empty -m more"));
    let (a, b) = interleaved(rounds, || commit(&with), || commit(&without));
    let (a, b) = (median(a), median(b));
    println!("| `git commit`, all hooks | {} | {} | +5 ms | {:+.1} ms |", ms(a), ms(b), (a - b) * 1e3);
}

/// One way to decide, in a repository with many files. What it changed is put back each time, out of the measurement.
fn decision(ours: &Path, plain: &Path, rounds: usize, name: &str, words: &str, commands: &str) {
    if words.contains("in-place") {
        for root in [ours, plain] {
            git(root, "update-ref refs/keep/main main");
            git(root, "merge -q --no-ff --no-edit verdict/slim");
        }
    }
    let refs = [ours, plain].map(|root| git(root, "for-each-ref --format=%(objectname)%20%(refname)"));
    let once = |root: &Path, refs: &str, work: &dyn Fn()| {
        let seconds = elapsed(work);
        restore(root, refs);
        seconds
    };
    let (a, b) = interleaved(
        rounds,
        || once(ours, &refs[0], &|| drop(run(ours, PROGRAM, words))),
        || once(plain, &refs[1], &|| commands.split("; ").for_each(|command| shell(plain, command))),
    );
    let (a, b) = (median(a), median(b));
    println!("| {name}, {FILES} files | {} | {} | 1.3 | {:.2} |", ms(a), ms(b), a / b);
    if words.contains("in-place") {
        for root in [ours, plain] {
            git(root, "reset -q --hard refs/keep/main");
            git(root, "update-ref -d refs/keep/main");
        }
    }
}

/// Puts every ref back to what it was, and `main` in the work tree.
fn restore(root: &Path, refs: &str) {
    git(root, "switch -q --detach");
    for name in git(root, "for-each-ref --format=%(refname)").lines() {
        git(root, &format!("update-ref -d {name}"));
    }
    for (id, name) in refs.lines().filter_map(|line| line.split_once(' ')) {
        git(root, &format!("update-ref {name} {id}"));
    }
    git(root, "symbolic-ref HEAD refs/heads/main");
    git(root, "reset -q --hard");
    let _ = std::fs::remove_file(root.join(".git/verdict/landed.json"));
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

/// Seconds of ours and of the peer, one each per round, in random order, after one round that does not count.
fn interleaved(rounds: usize, mut a: impl FnMut() -> f64, mut b: impl FnMut() -> f64) -> (Vec<f64>, Vec<f64>) {
    let mut readings = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (x, y) = if rand::rng().random_bool(0.5) {
            let x = a();
            (x, b())
        } else {
            let y = b();
            (a(), y)
        };
        if round > 0 {
            readings.0.push(x);
            readings.1.push(y);
        }
    }
    readings
}

fn elapsed<T>(work: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn ms(seconds: f64) -> String {
    format!("{:.1} ms", seconds * 1e3)
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

fn shell(root: &Path, line: &str) {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec {line}")]);
    finish(root, command);
}

fn finish(root: &Path, mut command: Command) -> String {
    command.current_dir(root).stdin(Stdio::null());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env_remove("CI");
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_string()
}
