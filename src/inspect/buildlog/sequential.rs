//! Builders that run one instruction after the other and print no times: the classic docker build, podman, buildah.
//! kaniko is here too, since its times are marks in front of lines and not spans.

use super::phase::Phases;
use super::{BuildLog, BuildStep, LogFormat, Outcome, StepKind, is_count};

#[derive(Debug, Default)]
pub(crate) struct Sequential {
    steps: Vec<(BuildStep, Phases)>,
    parts: Vec<BuildStep>,
    format: Option<LogFormat>,
    /// Where steps begin, and where something ends and nothing begins.
    marks: Vec<Mark>,
    /// The last step is still going on.
    open: bool,
    /// Seconds that kaniko has printed last.
    kaniko: Option<f64>,
    part: Option<usize>,
    finished: bool,
}

#[derive(Debug)]
struct Mark {
    step: Option<usize>,
    at: Option<f64>,
    /// `1/2`; stages may be built side by side.
    stage: String,
}

impl Sequential {
    /// Whether the line is of such a log, and of which.
    pub fn line(&mut self, at: Option<f64>, line: &str) -> Option<LogFormat> {
        if let Some((seconds, message)) = kaniko(line) {
            self.kaniko(at.or(seconds), message);
            return self.known(LogFormat::Kaniko);
        }
        // `Step 3/11 : RUN make`
        if let Some((count, text)) = line.strip_prefix("Step ").and_then(|rest| rest.split_once(" : "))
            && is_count(count)
        {
            self.begin(at, "", count, &format!("[{count}] {text}"));
            return self.known(LogFormat::DockerClassic);
        }
        // `STEP 3/11: RUN make`, `[1/2] STEP 3/11: RUN make`, `STEP 3: RUN make`
        if let Some((stage, count, text)) = buildah(line) {
            let label = stage.map_or_else(|| count.to_string(), |s| format!("{} {count}", s.0));
            self.begin(at, stage.map_or("", |s| s.0), &label, &format!("[{label}] {text}"));
            return self.known(LogFormat::Buildah);
        }
        if let Some((stage, name)) = commit(line) {
            self.begin(at, stage, "commit", &format!("COMMIT {name}"));
            return self.known(LogFormat::Buildah);
        }
        let format = self.format?;
        match format {
            LogFormat::DockerClassic => {
                if line.trim() == "---> Using cache" {
                    self.last(|s| s.outcome = Outcome::Cached);
                } else if line.starts_with("Successfully built ") || line.starts_with("Successfully tagged ") {
                    self.close(at);
                    self.finished = true;
                } else if line.starts_with("The command '") || line.contains("returned a non-zero code") {
                    self.fail(at, line);
                }
            }
            LogFormat::Buildah => {
                if line.starts_with("--> Using cache") {
                    self.last(|s| s.outcome = Outcome::Cached);
                } else if line.starts_with("Successfully tagged ") {
                    self.close(at);
                    self.finished = true;
                } else if line.starts_with("Error: ") || line.starts_with("error building at STEP") {
                    self.fail(at, line);
                }
            }
            _ => return None,
        }
        if let (Some(at), Some((_, phases))) = (at, self.steps.last_mut()) {
            phases.line(at, line);
        }
        Some(format)
    }

    fn known(&mut self, format: LogFormat) -> Option<LogFormat> {
        self.format.get_or_insert(format);
        Some(format)
    }

    fn last(&mut self, change: impl FnOnce(&mut BuildStep)) {
        if let Some((step, _)) = self.steps.last_mut() {
            change(step);
        }
    }

    fn begin(&mut self, at: Option<f64>, stage: &str, id: &str, name: &str) {
        self.close_part(at);
        if self.steps.len() >= super::MAX_STEPS {
            self.close(at);
            return;
        }
        let kind = match super::split_label(name).1 {
            text if text.starts_with("FROM ") => StepKind::Base,
            text if text.starts_with("COMMIT") || text.starts_with("Pushing") => StepKind::Export,
            text if text.starts_with("Unpacking") => StepKind::Base,
            _ => StepKind::Instruction,
        };
        let mut step = BuildStep::new(id, name, kind);
        step.stage = step.stage.or_else(|| {
            step.label.as_ref().and_then(|l| l.split_once('/')).and_then(|(s, rest)| {
                // podman counts stages from 1; a stage of ours is named from 0.
                rest.contains(' ').then(|| s.parse::<usize>().ok()?.checked_sub(1).map(|n| n.to_string())).flatten()
            })
        });
        step.started = at;
        self.marks.push(Mark { step: Some(self.steps.len()), at, stage: stage.to_string() });
        self.steps.push((step, Phases::default()));
        self.open = true;
    }

    fn close(&mut self, at: Option<f64>) {
        self.close_part(at);
        if std::mem::take(&mut self.open) {
            self.marks.push(Mark { step: None, at, stage: String::new() });
        }
    }

    /// A step ends at the next line of its own stage, and the last one of a stage at the next line of any.
    fn measure(&mut self) {
        let mut next_of: std::collections::HashMap<&str, Option<f64>> = std::collections::HashMap::new();
        let mut next: Option<Option<f64>> = None;
        for mark in self.marks.iter().rev() {
            if let Some((step, _)) = mark.step.and_then(|i| self.steps.get_mut(i))
                && let Some(until) = next_of.get(mark.stage.as_str()).copied().or(next)
            {
                step.seconds = until.zip(step.started).map(|(until, from)| (until - from).max(0.0));
                if step.outcome == Outcome::Unfinished {
                    step.outcome = Outcome::Done;
                }
            }
            next_of.insert(&mark.stage, mark.at);
            next = Some(mark.at);
        }
    }

    fn close_part(&mut self, at: Option<f64>) {
        if let Some(part) = self.part.take() {
            let part = &mut self.parts[part];
            part.outcome = Outcome::Done;
            part.seconds = at.zip(part.started).map(|(at, from)| (at - from).max(0.0));
        }
    }

    fn fail(&mut self, at: Option<f64>, why: &str) {
        self.close(at);
        let why: String = why.chars().take(500).collect();
        self.last(|s| s.outcome = Outcome::Failed(why));
        self.finished = true;
    }

    fn kaniko(&mut self, at: Option<f64>, message: &str) {
        self.kaniko = at.or(self.kaniko);
        let first = message.split_whitespace().next().unwrap_or_default();
        let instruction = first.len() > 1
            && first.bytes().all(|b| b.is_ascii_uppercase())
            && super::super::dockerfile::is_keyword(first);
        if let Some(command) = message.strip_prefix("Using caching version of cmd: ") {
            self.begin(at, "", "cached", command);
            self.last(|s| s.outcome = Outcome::Cached);
        } else if message.starts_with("Unpacking rootfs") {
            self.begin(at, "", "unpack", "Unpacking rootfs");
        } else if message.starts_with("Pushing image to ") {
            self.begin(at, "", "push", message);
        } else if message.starts_with("Pushed ") {
            self.close(at);
            self.finished = true;
        } else if instruction {
            // A cached command is told twice.
            let again = self.steps.last().is_some_and(|(s, _)| s.cached() && s.text == message.trim());
            if !again {
                let id = (self.steps.len() + 1).to_string();
                self.begin(at, "", &id, message);
            }
        } else if message.starts_with("Taking snapshot") {
            self.close_part(at);
            if self.open && !self.steps.is_empty() {
                let mut part = BuildStep::new("snapshot", message, StepKind::Part);
                part.started = at;
                part.parent = Some(self.steps.len() - 1);
                self.part = Some(self.parts.len());
                self.parts.push(part);
            }
        } else if let (Some(at), Some((_, phases))) = (at, self.steps.last_mut()) {
            phases.line(at, message);
        }
    }

    /// `ended` says that the build did end at `end`, whatever the last line is.
    pub fn finish(mut self, end: Option<f64>, ended: bool, log: &mut BuildLog) {
        let end = end.or(self.kaniko);
        let classic = self.format == Some(LogFormat::DockerClassic);
        let committed = self.steps.last().is_some_and(|(s, _)| s.kind == StepKind::Export);
        if self.open && (ended || self.finished || (committed && !classic)) {
            self.close(end);
        }
        self.measure();
        if log.total.is_none() {
            log.total = self.kaniko.filter(|&k| k > 0.0);
        }
        let mut phases = Vec::new();
        for (i, (step, p)) in self.steps.into_iter().enumerate() {
            let until = step.started.zip(step.seconds).map(|(from, s)| from + s);
            phases.extend(p.finish(until, i, &step.id));
            log.steps.push(step);
        }
        log.steps.extend(self.parts);
        log.steps.extend(phases);
    }
}

type Stage<'a> = (&'a str, &'a str);

fn buildah(line: &str) -> Option<(Option<Stage<'_>>, &str, &str)> {
    let (stage, rest) = match line.strip_prefix('[') {
        Some(inner) => {
            let (stage, rest) = inner.split_once("] ")?;
            (Some((stage, stage.split_once('/')?.0)), rest)
        }
        None => (None, line),
    };
    let (count, text) = rest.strip_prefix("STEP ")?.split_once(": ")?;
    let good = is_count(count) || (count.len() < 9 && !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit()));
    good.then_some((stage, count, text))
}

/// The stage and the name of `[2/2] COMMIT app`.
fn commit(line: &str) -> Option<(&str, &str)> {
    let (stage, rest) = match line.strip_prefix('[') {
        Some(inner) => inner.split_once("] ").filter(|(stage, _)| is_count(stage))?,
        None => ("", line),
    };
    let name = if rest == "COMMIT" { "" } else { rest.strip_prefix("COMMIT ")? };
    Some((stage, name))
}

/// `INFO[0012] message`, and the key-value form `time="…" level=info msg="…"`.
fn kaniko(line: &str) -> Option<(Option<f64>, &str)> {
    for level in ["INFO[", "WARN[", "DEBU[", "ERRO["] {
        if let Some((number, message)) = line.strip_prefix(level).and_then(|rest| rest.split_once(']')) {
            let seconds: u32 = number.parse().ok()?;
            return Some((Some(f64::from(seconds)), message.trim()));
        }
    }
    None
}
