//! Recording one measurement, and reading a history of many.

use super::commands::{command, empty, fast_import, must, text};
use super::race::{Contender, Timing, race};
use super::records::event;
use super::timing::elapsed;
use super::{Bench, PROGRAM};
use git_verdict::git::Repo;
use git_verdict::ledger::Ledger;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What the benchmark of asv and of pytest-benchmark does: next to nothing.
const ASV_BENCHMARK: &str = "class Suite:\n    def time_nothing(self):\n        pass\n";
const PYTEST_BENCHMARK: &str = "def test_nothing(benchmark):\n    benchmark(lambda: None)\n";
const ASV_CONFIG: &str = r#"{"version": 1, "project": "bench", "project_url": "https://example.invalid", "repo": ".",
"branches": ["main"], "environment_type": "existing", "benchmark_dir": "benchmarks", "results_dir": ".asv/results",
"html_dir": ".asv/html"}"#;
const DVC_CONFIG: &str =
    "stages:\n  time:\n    cmd: cat metrics.json\n    metrics:\n      - metrics.json:\n          cache: false\n";
/// Separates the fields of a line of git-perf.
const FIELD: char = '\u{1c}';

/// Records in the histories that are read.
pub fn records(bench: &Bench) -> usize {
    bench.pick(500, 30)
}

/// One reading added to what is there.
pub fn record(bench: &Bench) -> Vec<Timing> {
    let home = |name: &str| {
        let dir = bench.folder.join("record").join(name);
        empty(&dir);
        std::fs::write(dir.join("data"), "1\n").expect("a file");
        commit(bench, &dir, "begin");
        dir
    };
    let ours = home("ours");
    let mut contenders = Vec::new();
    let both = r#"{"results": [{"command": "old", "times": [2.01, 2.05, 1.98]}, {"command": "new", "times": [1.49, 1.52, 1.51]}]}"#;
    std::fs::write(bench.folder.join("both.json"), both).expect("a file");
    must(bench.tools.command(&ours, PROGRAM, &["start", "faster", "--hypothesis", "a table is faster than a loop"]));
    std::fs::write(ours.join("data"), "2\n").expect("a file");
    commit(bench, &ours, "perf: a table");
    contenders.push(Contender::new("git-verdict", "`git-verdict import hyperfine FILE`: both sides, compared", || {
        elapsed(&mut bench.tools.command(&ours, PROGRAM, &["import", "hyperfine", "../../both.json"]))
    }));
    if bench.there("git-perf") {
        let dir = home("git-perf");
        contenders.push(Contender::new("git-perf", "`git perf add -m time 1.49`: one value", move || {
            elapsed(&mut bench.tools.command(&dir, "git-perf", &["add", "-m", "time", "1.49"]))
        }));
    }
    if bench.there("hyperfine") {
        let dir = home("hyperfine");
        let words = ["-N", "--runs", "1", "--export-json", "out.json", "true"];
        contenders.push(Contender::new(
            "hyperfine",
            "`hyperfine -N --runs 1 --export-json FILE true`: a run of `true`, and a file without history",
            move || elapsed(&mut bench.tools.command(&dir, "hyperfine", &words)),
        ));
    }
    if bench.there("dvc") {
        let (dir, mut number) = (dvc(bench, &home("dvc")), 0);
        contenders.push(Contender::new("dvc", "`dvc exp save`: the workspace, with its metrics", move || {
            number += 1;
            std::fs::write(dir.join("metrics.json"), format!("{{\"time\": {number}}}\n")).expect("a file");
            let name = format!("exp-{number}");
            elapsed(&mut bench.tools.command(&dir, "dvc", &["exp", "save", "--force", "--name", &name]))
        }));
    }
    if bench.there("asv") {
        let dir = asv(bench, &home("asv"));
        contenders.push(Contender::new("asv", "`asv run --quick`: one run of an empty benchmark", move || {
            asv_run(bench, &dir)
        }));
    }
    if bench.there("pytest-benchmark") {
        let dir = home("pytest");
        std::fs::write(dir.join("test_nothing.py"), PYTEST_BENCHMARK).expect("a file");
        contenders.push(Contender::new(
            "pytest-benchmark",
            "`pytest --benchmark-autosave`: a second of an empty benchmark",
            move || elapsed(&mut bench.tools.command(&dir, "pytest", &["-q", "--benchmark-autosave"])),
        ));
    }
    race(contenders, bench.pick(40, 4), bench.pick(5, 2) as f64)
}

fn commit(bench: &Bench, dir: &Path, message: &str) {
    must(bench.tools.command(dir, "git", &["add", "--all"]));
    must(bench.tools.command(dir, "git", &["commit", "--quiet", "-m", message]));
}

fn dvc(bench: &Bench, dir: &Path) -> PathBuf {
    must(bench.tools.command(dir, "dvc", &["init", "--quiet"]));
    std::fs::write(dir.join("dvc.yaml"), DVC_CONFIG).expect("a file");
    std::fs::write(dir.join("metrics.json"), "{\"time\": 0}\n").expect("a file");
    commit(bench, dir, "dvc");
    dir.into()
}

fn asv(bench: &Bench, dir: &Path) -> PathBuf {
    std::fs::create_dir_all(dir.join("benchmarks")).expect("a folder");
    std::fs::write(dir.join("benchmarks/__init__.py"), "").expect("a file");
    std::fs::write(dir.join("benchmarks/nothing.py"), ASV_BENCHMARK).expect("a file");
    std::fs::write(dir.join("asv.conf.json"), ASV_CONFIG).expect("a file");
    commit(bench, dir, "asv");
    must(bench.tools.command(dir, "asv", &["machine", "--yes", "--machine", "bench"]));
    dir.into()
}

fn asv_run(bench: &Bench, dir: &Path) -> f64 {
    let head = text(&mut bench.tools.command(dir, "git", &["rev-parse", "HEAD"]));
    let words = ["run", "--quick", "-E", "existing:same", "--machine", "bench", "--set-commit-hash", &head];
    elapsed(&mut bench.tools.command(dir, "asv", &words))
}

/// The histories, each with as many records. Made once.
#[derive(Default)]
pub struct History {
    count: usize,
    ours: PathBuf,
    git_perf: Option<PathBuf>,
    dvc: Option<PathBuf>,
    asv: Option<PathBuf>,
    pytest: Option<PathBuf>,
}

impl History {
    /// Itself, once the histories are there.
    pub fn made(&mut self, bench: &Bench) -> &History {
        if self.count > 0 {
            return self;
        }
        self.count = records(bench);
        let of = |name: &str| {
            let dir = bench.folder.join("history").join(name);
            empty(&dir);
            commits(&dir, self.count);
            must(bench.tools.command(&dir, "git", &["reset", "--quiet", "--hard"]));
            Some(dir)
        };
        self.ours = of("ours").expect("a folder");
        let repo = Repo::discover(&self.ours).expect("a repository");
        let ledger = Ledger::open(&repo);
        // Two records make one experiment that was decided.
        let events: Vec<_> = (0..self.count * 2).map(|number| event(&ledger, number)).collect();
        ledger.append_all(&events).expect("records");
        for tool in ["git-perf", "dvc", "asv", "pytest-benchmark"].into_iter().filter(|tool| bench.there(tool)) {
            let dir = of(tool);
            let path = dir.as_deref().expect("a folder");
            match tool {
                "git-perf" => {
                    git_perf_notes(path, |number| vec![("time".to_string(), 1.0 + (number * 7 % 13) as f64 / 100.0)]);
                    self.git_perf = dir;
                }
                "dvc" => {
                    dvc(bench, path);
                    dvc_experiments(path, self.count);
                    self.dvc = dir;
                }
                "asv" => {
                    asv(bench, path);
                    asv_run(bench, path);
                    copies(path, &path.join(".asv/results/bench"), self.count);
                    self.asv = dir;
                }
                _ => {
                    std::fs::write(path.join("test_nothing.py"), PYTEST_BENCHMARK).expect("a file");
                    must(bench.tools.command(path, "pytest", &["-q", "--benchmark-save=run"]));
                    saved_runs(&path.join(".benchmarks"), self.count);
                    self.pytest = dir;
                }
            }
        }
        self
    }

    /// The latest twenty.
    pub fn latest(&self, bench: &Bench) -> Vec<Timing> {
        let mut contenders = vec![
            turn(bench, "git-verdict", "`git-verdict log -n 20`", &self.ours, PROGRAM, &["log", "-n", "20"]),
            turn(bench, "git", "`git log -n 20`", &self.ours, "git", &["log", "-n", "20"]),
        ];
        if let Some(dir) = &self.git_perf {
            let words = ["report", "-n", "20", "-o", "out.csv"];
            contenders.push(turn(bench, "git-perf", "`git perf report -n 20 -o FILE.csv`", dir, "git-perf", &words));
        }
        if let Some(dir) = &self.asv {
            let words = ["show", "--machine", "bench", "HEAD"];
            contenders.push(turn(
                bench,
                "asv",
                "`asv show HEAD`: one commit, there is no list of several",
                dir,
                "asv",
                &words,
            ));
        }
        race(contenders, bench.pick(60, 5), bench.pick(4, 2) as f64)
    }

    /// All of it.
    pub fn all(&self, bench: &Bench) -> Vec<Timing> {
        let most = (self.count + 5).to_string();
        let mut contenders = vec![
            turn(bench, "git-verdict", "`git-verdict log`", &self.ours, PROGRAM, &["log"]),
            turn(bench, "git", "`git log`", &self.ours, "git", &["log"]),
        ];
        if let Some(dir) = &self.git_perf {
            let words = ["report", "-n", &most, "-o", "out.csv"];
            contenders.push(turn(bench, "git-perf", "`git perf report -o FILE.csv`", dir, "git-perf", &words));
        }
        if let Some(dir) = &self.dvc {
            contenders.push(turn(
                bench,
                "dvc",
                "`dvc exp show`, its cache warm",
                dir,
                "dvc",
                &["exp", "show", "--no-pager"],
            ));
        }
        if let Some(dir) = &self.pytest {
            let words = ["compare", "--columns=mean"];
            contenders.push(turn(
                bench,
                "pytest-benchmark",
                "`pytest-benchmark compare`",
                dir,
                "pytest-benchmark",
                &words,
            ));
        }
        race(contenders, bench.pick(40, 4), bench.pick(5, 2) as f64)
    }

    /// As a page.
    pub fn report(&self, bench: &Bench) -> Vec<Timing> {
        let most = (self.count + 5).to_string();
        let page = ["report", "-o", "out.html"];
        let mut contenders =
            vec![turn(bench, "git-verdict", "`git-verdict report`: one file", &self.ours, PROGRAM, &page)];
        if let Some(dir) = &self.git_perf {
            let words = ["report", "-n", &most, "-o", "out.html"];
            contenders.push(turn(bench, "git-perf", "`git perf report`: one file", dir, "git-perf", &words));
        }
        if let Some(dir) = &self.asv {
            contenders.push(turn(
                bench,
                "asv",
                "`asv publish`: a site for a web server",
                dir,
                "asv",
                &["publish", "--no-pull"],
            ));
        }
        race(contenders, bench.pick(30, 4), bench.pick(6, 2) as f64)
    }
}

/// A command in its folder.
fn turn<'a>(
    bench: &'a Bench,
    tool: &'a str,
    what: &str,
    dir: &'a Path,
    program: &'a str,
    words: &[&str],
) -> Contender<'a> {
    let mut command = bench.tools.command(dir, program, words);
    Contender::new(tool, what, move || elapsed(&mut command))
}

/// So many commits on `main`, each to the same file.
fn commits(dir: &Path, count: usize) {
    fast_import(dir, |stream| {
        for number in 1..=count {
            let time = 1_600_000_000 + number * 60;
            write!(
                stream,
                "commit refs/heads/main\ncommitter Bench <bench@example.invalid> {time} +0000\ndata 5\nperf\n\n"
            )?;
            write!(stream, "M 100644 inline data\ndata 8\n{number:07}\n\n")?;
        }
        Ok(())
    });
}

/// The readings of every commit of `main`, from the oldest on, as git-perf keeps them once they are pushed.
pub fn git_perf_notes(dir: &Path, readings: impl Fn(usize) -> Vec<(String, f64)>) {
    let commits = text(&mut command(dir, "git", &["rev-list", "--reverse", "main"]));
    fast_import(dir, |stream| {
        write!(
            stream,
            "commit refs/notes/perf-v3\ncommitter Bench <bench@example.invalid> 1700000000 +0000\ndata 0\n"
        )?;
        for (number, commit) in commits.lines().enumerate() {
            let mut note = String::new();
            for (index, (name, value)) in readings(number).into_iter().enumerate() {
                // Readings of the same moment would be taken for one.
                note += &format!("0{FIELD}{name}{FIELD}{}.{index:06}{FIELD}{value}{FIELD}\n", 1_700_000_000 + number);
            }
            write!(stream, "N inline {commit}\ndata {}\n{note}\n", note.len())?;
        }
        Ok(())
    });
}

/// Experiments on the tip of `main`, as `dvc exp save` leaves them.
fn dvc_experiments(dir: &Path, count: usize) {
    let head = text(&mut command(dir, "git", &["rev-parse", "main"]));
    fast_import(dir, |stream| {
        for number in 1..=count {
            let (time, metrics) = (1_700_000_000 + number, format!("{{\"time\": {number}}}\n"));
            writeln!(stream, "commit refs/exps/{}/{}/exp-{number}", &head[..2], &head[2..])?;
            write!(stream, "committer Bench <bench@example.invalid> {time} +0000\ndata 4\nexp\n\nfrom {head}\n")?;
            write!(stream, "M 100644 inline metrics.json\ndata {}\n{metrics}\n", metrics.len())?;
        }
        Ok(())
    });
}

/// The one result of asv that is there, under every commit of `main`.
fn copies(dir: &Path, results: &Path, count: usize) {
    let of_a_run =
        |path: &PathBuf| path.extension().is_some_and(|end| end == "json") && !path.ends_with("machine.json");
    let mut files = std::fs::read_dir(results).expect("results").flatten().map(|entry| entry.path());
    let one = files.find(of_a_run).expect("a result of asv");
    // A quick run has no interval: asv writes infinities, which are no JSON.
    let stored =
        std::fs::read_to_string(&one).expect("a result").replace("-Infinity", "0.0").replace("Infinity", "1.0");
    let mut result: serde_json::Value = serde_json::from_str(&stored).expect("asv writes JSON otherwise");
    let environment = result["env_name"].as_str().expect("a name").to_string();
    let commits = text(&mut command(dir, "git", &["log", "--format=%H %ct", "main"]));
    for (number, line) in commits.lines().take(count).enumerate() {
        let (commit, time) = line.split_once(' ').expect("two words");
        result["commit_hash"] = commit.into();
        result["date"] = (time.parse::<u64>().expect("a time") * 1000).into();
        result["results"]["nothing.Suite.time_nothing"][0] = serde_json::json!([1e-8 * (1.0 + (number % 7) as f64)]);
        let file = results.join(format!("{}-{environment}.json", &commit[..8]));
        std::fs::write(file, result.to_string()).expect("a file");
    }
}

/// The one saved run of pytest-benchmark, under so many numbers.
fn saved_runs(storage: &Path, count: usize) {
    let machine = std::fs::read_dir(storage).expect("a saved run").flatten().next().expect("a machine").path();
    let one = std::fs::read(machine.join("0001_run.json")).expect("a saved run");
    for number in 2..=count {
        std::fs::write(machine.join(format!("{number:04}_run.json")), &one).expect("a file");
    }
}
