//! Records real noise: the times of single runs of programs that use the processor, the disk, or both.

use super::{Outcome, traces_file};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// The times of one program, in seconds, in the order of the runs.
#[derive(Debug, Serialize, Deserialize)]
pub struct Trace {
    pub program: String,
    pub seconds: Vec<f64>,
    /// The machine's load, averaged over a minute, before and after.
    pub load: [f64; 2],
}

/// A program and its arguments.
pub struct Program {
    pub name: &'static str,
    pub words: Vec<String>,
}

impl Program {
    fn new(name: &'static str, words: &[&str]) -> Program {
        Program { name, words: words.iter().map(|w| w.to_string()).collect() }
    }

    /// Runs it once in `dir`: the seconds from start to end.
    pub fn time(&self, dir: &Path) -> Result<f64, Box<dyn std::error::Error>> {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).current_dir(dir);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let begin = Instant::now();
        let status = command.status().map_err(|e| format!("{}: {e}", self.words[0]))?;
        let seconds = begin.elapsed().as_secs_f64();
        if !status.success() {
            return Err(format!("{} failed: {status}", self.words.join(" ")).into());
        }
        Ok(seconds)
    }
}

/// The programs, with their input made in `dir`.
pub fn programs(dir: &Path) -> Result<Vec<Program>, Box<dyn std::error::Error>> {
    let mut state = 1u64;
    let noise: Vec<u8> = (0..12_000_000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect();
    std::fs::write(dir.join("noise"), &noise)?;
    let mut text = String::new();
    for line in 0..60_000u64 {
        writeln!(text, "{} is line {line} of a text", line * 7919 % 10007)?;
    }
    std::fs::write(dir.join("text"), text)?;
    let mut code = String::from("int main(void) { return 0; }\n");
    for n in 0..12 {
        writeln!(code, "int f{n}(int x) {{ int s = {n}; for (int i = 0; i < x; i++) s += i * {n} % 7; return s; }}")?;
    }
    std::fs::write(dir.join("small.c"), code)?;
    let repository = env!("CARGO_MANIFEST_DIR");
    Ok(vec![
        Program::new("sha256sum", &["sha256sum", "noise"]),
        Program::new("python3", &["/usr/bin/python3", "-c", "import json, re"]),
        Program::new("gcc", &["gcc", "-O1", "-c", "small.c", "-o", "small.o"]),
        Program::new("git log", &["git", "-C", repository, "log", "--patch", "--stat"]),
        Program::new("gzip", &["gzip", "--keep", "--force", "text"]),
        Program::new("dd fsync", &["dd", "if=/dev/zero", "of=out", "bs=64k", "count=64", "conv=fsync"]),
    ])
}

fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|w| w.parse().ok()).unwrap_or(f64::NAN)
}

/// Runs each program `runs` times and saves the times. Programs that are not installed are left out, and named.
pub fn record(runs: usize) -> Outcome {
    let dir = tempfile::tempdir()?;
    let mut traces = Vec::new();
    for program in programs(dir.path())? {
        if let Err(error) = (0..3).try_for_each(|_| program.time(dir.path()).map(drop)) {
            eprintln!("left out: {error}");
            continue;
        }
        let before = load();
        let seconds = (0..runs).map(|_| program.time(dir.path())).collect::<Result<Vec<f64>, _>>()?;
        let trace = Trace { program: program.name.into(), seconds, load: [before, load()] };
        let mean = trace.seconds.iter().sum::<f64>() / runs as f64;
        println!(
            "{:10} {runs} runs, mean {:.1} ms, load {:.1} to {:.1}",
            trace.program,
            mean * 1e3,
            before,
            trace.load[1]
        );
        traces.push(trace);
    }
    let file = traces_file();
    std::fs::create_dir_all(file.parent().ok_or("no folder for the traces")?)?;
    std::fs::write(&file, serde_json::to_string(&traces)?)?;
    println!("saved in {}", file.display());
    Ok(())
}

/// The traces that were recorded last.
pub fn load_traces() -> Result<Vec<Trace>, Box<dyn std::error::Error>> {
    let file = traces_file();
    let text = std::fs::read_to_string(&file).map_err(|e| {
        format!("{}: {e}; record some first: cargo bench --bench calibration -- record", file.display())
    })?;
    Ok(serde_json::from_str(&text)?)
}
