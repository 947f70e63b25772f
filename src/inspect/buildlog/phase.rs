//! Phases of pip, apt, npm, cargo and make, told by what they print.

use super::{BuildLog, BuildStep, Outcome, StepKind};
use crate::phrase;

/// Lines that are kept as steps of their own; more are summed up.
const MAX_LINES: usize = 5000;

/// The phase that a line begins or belongs to. Lines of no known tool belong to no phase.
pub(crate) fn of(line: &str) -> Option<&'static str> {
    let line = line.trim_start();
    let word = line.split_whitespace().next()?;
    Some(match word {
        "Collecting" | "Downloading" | "Obtaining" if !line.starts_with("Downloading crates") => "pip: download",
        "Preparing" if line.starts_with("Preparing metadata") => "pip: metadata",
        "Building" if line.starts_with("Building wheel") => "pip: build wheels",
        "Installing" if line.starts_with("Installing collected packages") => "pip: install",
        "Installing" if line.starts_with("Installing build dependencies") => "pip: build wheels",
        "Successfully" if line.starts_with("Successfully installed") => "pip: done",
        "Resolved" if line.contains("packages in") => "uv: resolve",
        "Prepared" if line.contains("packages in") => "uv: download",
        "Installed" if line.contains("packages in") => "uv: install",
        "Get" => "apt: download",
        _ if word.starts_with("Get:") || word.starts_with("Hit:") || word.starts_with("Ign:") => "apt: download",
        "Fetched" if line.contains(" in ") => "apt: unpack",
        "Selecting" if line.starts_with("Selecting previously") => "apt: unpack",
        "Unpacking" if line.ends_with("...") => "apt: unpack",
        "Setting" if line.starts_with("Setting up ") => "apt: configure",
        "Processing" if line.starts_with("Processing triggers") => "apt: configure",
        "fetch" if line.contains("APKINDEX") => "apk: download",
        "npm" if line.starts_with("npm http fetch") => "npm: download",
        "npm" => "npm: install",
        "added" if line.contains(" packages") => "npm: done",
        "Updating" if line.ends_with(" index") => "cargo: download",
        "Downloading" | "Downloaded" => "cargo: download",
        "Compiling" if line.contains(" v") => "cargo: compile",
        "Finished" if line.contains("target(s) in") => "cargo: done",
        _ if word.starts_with('[') && line.contains("%]") => {
            if line.contains("Linking") {
                "make: link"
            } else {
                "make: compile"
            }
        }
        "cc" | "gcc" | "g++" | "c++" | "clang" | "clang++" | "CC" | "CXX" => "make: compile",
        "ld" | "ar" | "LD" | "AR" | "LINK" => "make: link",
        _ => return None,
    })
}

/// The phases of one step as its output goes by.
#[derive(Debug, Default)]
pub(crate) struct Phases {
    /// Name, seconds in it.
    times: Vec<(&'static str, f64)>,
    current: Option<(usize, f64)>,
}

impl Phases {
    pub fn line(&mut self, at: f64, line: &str) {
        let Some(name) = of(line) else { return };
        if self.current.is_some_and(|(i, _)| self.times[i].0 == name) {
            return;
        }
        self.close(at);
        if name.ends_with(": done") {
            return;
        }
        let i = match self.times.iter().position(|t| t.0 == name) {
            Some(i) => i,
            None => {
                self.times.push((name, 0.0));
                self.times.len() - 1
            }
        };
        self.current = Some((i, at));
    }

    fn close(&mut self, at: f64) {
        if let Some((i, from)) = self.current.take() {
            self.times[i].1 += (at - from).max(0.0);
        }
    }

    /// The phases as steps, parts of `parent`; the last one ends at `end`.
    pub fn finish(mut self, end: Option<f64>, parent: usize, id: &str) -> Vec<BuildStep> {
        match end {
            Some(end) => self.close(end),
            None => self.current = None,
        }
        let step = |(name, seconds): (&'static str, f64)| BuildStep {
            seconds: Some(seconds),
            outcome: Outcome::Done,
            parent: Some(parent),
            ..BuildStep::new(id, name, StepKind::Phase)
        };
        self.times.into_iter().map(step).collect()
    }
}

/// Lines with a time in front and nothing else known of them: each lasts until the next one.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// Name, whether it is a phase, from when, until when.
    steps: Vec<(String, bool, f64, f64)>,
    open: bool,
    rest: f64,
}

impl Lines {
    pub fn line(&mut self, at: f64, line: &str) {
        let line = line.trim();
        if line.is_empty() {
            return;
        }
        let phase = of(line);
        if let Some(phase) = phase
            && self.open
            && self.steps.last().is_some_and(|s| s.0 == phase)
        {
            return;
        }
        self.close(at);
        if phase.is_some_and(|p| p.ends_with(": done")) {
            return;
        }
        if self.steps.len() >= MAX_LINES {
            self.steps.push(("more lines".into(), false, at, at));
        } else {
            let name: String = phase.map_or_else(|| line.chars().take(200).collect(), str::to_string);
            self.steps.push((name, phase.is_some(), at, at));
        }
        self.open = true;
    }

    fn close(&mut self, at: f64) {
        if std::mem::take(&mut self.open)
            && let Some(last) = self.steps.last_mut()
        {
            last.3 = at.max(last.2);
            if self.steps.len() > MAX_LINES
                && let Some(last) = self.steps.pop()
            {
                self.rest += last.3 - last.2;
            }
        }
    }

    pub fn finish(mut self, end: Option<f64>, log: &mut BuildLog) {
        if let Some(end) = end {
            self.close(end);
        }
        for (i, (name, phase, from, to)) in self.steps.into_iter().enumerate() {
            let kind = if phase { StepKind::Phase } else { StepKind::Line };
            let mut step = BuildStep::new(format!("line {}", i + 1), name, kind);
            step.seconds = Some(to - from);
            step.started = Some(from);
            step.outcome = Outcome::Done;
            log.steps.push(step);
        }
        if self.rest > 0.0 {
            let mut step = BuildStep::new("rest", "more lines", StepKind::Line);
            step.seconds = Some(self.rest);
            step.outcome = Outcome::Done;
            log.steps.push(step);
            log.partial = Some(phrase!("more than {n} lines; the rest is summed up", n = MAX_LINES));
        }
    }
}
