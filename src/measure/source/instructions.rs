//! Instructions that a command and its children execute in user mode: for machines too noisy for time.
//!
//! `perf stat` counts them at full speed where the machine has the counter and allows it; elsewhere valgrind's callgrind
//! does, some fifty times slower. The two do not count quite the same, so it is recorded which one did.
//!
//! A process that callgrind sees fork starts with the counts of its parent. A dump is therefore asked for before every
//! fork, which sets them to zero; the sum over all dumps of all processes then counts everything once. What a child
//! executes between its fork and its exec is lost.
//!
//! Sources: perf-stat(1) for the fields of `-x,`; the Callgrind manual, "Callgrind Command-line Options" and "Callgrind
//! Format Specification", for the dumps and their `totals:` line.

use crate::config::Command;
use std::path::Path;
use std::process::Stdio;

/// What counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// `perf stat`.
    Perf,
    /// `valgrind --tool=callgrind`.
    Callgrind,
}

impl Counter {
    /// The one that works here, with its name and version. The error says what each lacks.
    pub fn find() -> Result<(Counter, String), String> {
        let perf = try_perf();
        if let Ok(version) = perf {
            return Ok((Counter::Perf, version));
        }
        match ask("valgrind", &["--version"]) {
            Ok(version) => Ok((Counter::Callgrind, format!("callgrind, {version}"))),
            Err(valgrind) => {
                let perf = perf.err().unwrap_or_default();
                Err(format!("instructions cannot be counted here: perf: {perf}; valgrind: {valgrind}"))
            }
        }
    }

    /// The same command, counted; what is found goes into the folder.
    pub fn wrap(self, command: &Command, folder: &Path) -> Command {
        let file = |name: &str| folder.join(name).to_string_lossy().into_owned();
        let mut words: Vec<String> = match self {
            Counter::Perf => {
                ["perf", "stat", "-e", "instructions:u", "-x,", "-o", &file("perf"), "--"].map(str::to_string).to_vec()
            }
            Counter::Callgrind => {
                let out = format!("--callgrind-out-file={}", file("%p"));
                let forks = ["fork", "_Fork", "__libc_fork"].map(|name| format!("--dump-before={name}"));
                let mut words =
                    ["valgrind", "-q", "--tool=callgrind", "--trace-children=yes"].map(str::to_string).to_vec();
                words.push(out);
                words.extend(forks);
                words
            }
        };
        match command {
            Command::Shell(text) => words.extend(["sh", "-c", text].map(str::to_string)),
            Command::Direct(direct) => words.extend(direct.iter().cloned()),
        }
        Command::Direct(words)
    }

    /// How many times longer than usual a counted command may take.
    pub fn patience(self) -> u32 {
        match self {
            Counter::Perf => 1,
            Counter::Callgrind => 100,
        }
    }

    /// What was counted.
    pub fn read(self, folder: &Path) -> Result<f64, String> {
        let text = |path: &Path| {
            let bytes =
                std::fs::read(path).map_err(|e| format!("{path} cannot be read: {e}", path = path.display()))?;
            Ok::<_, String>(String::from_utf8_lossy(&bytes).into_owned())
        };
        match self {
            Counter::Perf => perf_count(&text(&folder.join("perf"))?),
            Counter::Callgrind => {
                let entries = std::fs::read_dir(folder)
                    .map_err(|e| format!("{path} cannot be read: {e}", path = folder.display()))?;
                let mut sum = 0.0;
                for entry in entries {
                    sum += total(&text(&entry.map_err(|e| e.to_string())?.path())?);
                }
                if sum > 0.0 { Ok(sum) } else { Err("callgrind counted nothing".into()) }
            }
        }
    }
}

/// The count in the output of `perf stat -x,`: the first field of the line of the event.
fn perf_count(text: &str) -> Result<f64, String> {
    let line = text.lines().find(|line| line.contains("instructions"));
    let count = line.and_then(|line| line.split(',').next()).unwrap_or("no line of the event");
    count.parse::<f64>().ok().filter(|n| *n > 0.0).ok_or_else(|| format!("perf says '{count}'"))
}

/// The sum of the `totals:` of a callgrind file.
fn total(text: &str) -> f64 {
    text.lines().filter_map(|line| line.strip_prefix("totals:")?.trim().parse::<f64>().ok()).sum()
}

fn try_perf() -> Result<String, String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let Command::Direct(words) = Counter::Perf.wrap(&Command::Direct(vec!["true".into()]), folder.path()) else {
        return Err("no command".into());
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    ask(words[0], &words[1..])?;
    Counter::Perf.read(folder.path())?;
    ask("perf", &["--version"])
}

/// The first line that a program prints, when it succeeds.
fn ask(program: &str, words: &[&str]) -> Result<String, String> {
    let output = std::process::Command::new(program).args(words).stdin(Stdio::null()).output();
    let output = output.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "it is not installed".to_string(),
        _ => error.to_string(),
    })?;
    let first = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        crate::measure::runner::plain(text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default())
    };
    if output.status.success() { Ok(first(&output.stdout)) } else { Err(first(&output.stderr)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_of_perf_is_read_and_its_refusals_are_told() {
        let with = |count: &str| format!("# started on a day\n\n{count},,instructions:u,100,100.00,,\n");
        assert_eq!(perf_count(&with("123456")), Ok(123456.0));
        assert_eq!(perf_count(&with("<not supported>")), Err("perf says '<not supported>'".into()));
        assert_eq!(perf_count(""), Err("perf says 'no line of the event'".into()));
    }

    #[test]
    fn every_dump_of_every_process_counts_once() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("7", "events: Ir\nsummary: 8\ntotals: 9\n"), ("7.1", "totals: 100\n"), ("9", "cmd: x\n")]
        {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        assert_eq!(Counter::Callgrind.read(folder.path()), Ok(109.0));
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(Counter::Callgrind.read(empty.path()), Err("callgrind counted nothing".into()));
    }
}
