//! Which machine figures come from, and how busy it was.

#![allow(dead_code)]

use serde::{Deserialize, Serialize};
use std::process::Command;

/// The machine's load, averaged over a minute.
pub fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|w| w.parse().ok()).unwrap_or(f64::NAN)
}

/// Where and when something was measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Occasion {
    pub date: String,
    pub processor: String,
    pub cores: usize,
    pub memory_gib: u64,
    pub kernel: String,
    pub git: String,
    /// With small sizes.
    #[serde(default)]
    pub quick: bool,
    /// The load when it began and when it ended.
    pub load: [f64; 2],
}

impl Occasion {
    /// Now; [`Occasion::over`] adds the load at the end.
    pub fn begin(quick: bool) -> Occasion {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| -> Option<String> {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_string())
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
        let kib: u64 = memory.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
        let git = Command::new("git").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
        Occasion {
            date: chrono::Local::now().format("%Y-%m-%d").to_string(),
            processor: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown processor".into()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: kib / (1 << 20),
            kernel: read("/proc/sys/kernel/osrelease").trim().split('-').next().unwrap_or_default().to_string(),
            git: String::from_utf8_lossy(&git).trim().trim_start_matches("git version ").to_string(),
            quick,
            load: [load(), load()],
        }
    }

    /// The same, ended now.
    pub fn over(mut self) -> Occasion {
        self.load[1] = load();
        self
    }

    /// One line about it.
    pub fn line(&self) -> String {
        let [before, after] = self.load.map(|load| format!("{load:.1}"));
        format!("{}, load {before} at the beginning and {after} at the end", self.machine())
    }

    /// One line about several, on the same machine.
    pub fn line_of_all<'a>(occasions: impl Iterator<Item = &'a Occasion> + Clone) -> String {
        let loads = occasions.clone().flat_map(|occasion| occasion.load);
        let (low, high) = loads.fold((f64::INFINITY, 0f64), |(low, high), load| (low.min(load), high.max(load)));
        let last = occasions.max_by(|one, other| one.date.cmp(&other.date));
        last.map_or_else(String::new, |last| format!("{}, load {low:.1} to {high:.1}", last.machine()))
    }

    fn machine(&self) -> String {
        let Occasion { date, processor, cores, memory_gib, kernel, git, quick, .. } = self;
        let small = if *quick { ", small sizes and few rounds (`--quick`)" } else { "" };
        format!("{date}{small}, {cores} cores of {processor}, {memory_gib} GiB of memory, Linux {kernel}, git {git}")
    }
}
