//! Programs whose noise is that of real machines: they use the processor, the disk, or both.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

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
    pub fn time(&self, dir: &Path) -> Result<f64, Box<dyn Error>> {
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
pub fn programs(dir: &Path) -> Result<Vec<Program>, Box<dyn Error>> {
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
        // So many commits, or it would take longer with every commit of this repository.
        Program::new("git log", &["git", "-C", repository, "log", "--patch", "--stat", "--max-count=5"]),
        Program::new("gzip", &["gzip", "--keep", "--force", "text"]),
        Program::new("dd fsync", &["dd", "if=/dev/zero", "of=out", "bs=64k", "count=64", "conv=fsync"]),
    ])
}
