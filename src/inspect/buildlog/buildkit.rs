//! BuildKit: `--progress=plain`, `--progress=rawjson`, and what a terminal shows.
//!
//! Plain: `#5 [build 2/3] RUN make` names a step and `#5 DONE 12.3s` ends it; `CACHED`, `CANCELED` and `ERROR: …` do too.
//! `#5 0.182 text` is output with seconds since the step began, `#9 exporting layers 49.8s done` a part of it, and
//! `#5 ...` only says that another step's lines follow. Rawjson: one object of `vertexes`, `statuses` and `logs` a line.

use super::phase::Phases;
use super::stamp::seconds_of;
use super::{BuildLog, BuildStep, Outcome, StepKind, kind_of};
use crate::phrase;
use regex::Regex;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Parts of one step that are kept.
const MAX_PARTS: usize = 200;

#[derive(Debug)]
struct Vertex {
    step: BuildStep,
    parts: Vec<BuildStep>,
    phases: Phases,
    /// The last time in its output.
    seen: Option<f64>,
    first_at: Option<f64>,
}

impl Vertex {
    fn new(id: String, name: &str) -> Self {
        let step = BuildStep::new(id, name, kind_of(name));
        Vertex { step, parts: Vec::new(), phases: Phases::default(), seen: None, first_at: None }
    }
}

fn lay_out(vertices: Vec<Vertex>, log: &mut BuildLog) {
    let mut parts = Vec::new();
    for (i, mut v) in vertices.into_iter().enumerate() {
        let finished = !matches!(v.step.outcome, Outcome::Unfinished);
        for mut part in v.parts {
            part.parent = Some(i);
            if finished && part.outcome == Outcome::Unfinished {
                part.outcome = Outcome::Done;
            }
            parts.push(part);
        }
        parts.extend(v.phases.finish(v.step.seconds.or(v.seen), i, &v.step.id));
        if v.step.started.is_none() {
            v.step.started = v.first_at;
        }
        log.steps.push(v.step);
    }
    log.steps.extend(parts);
}

/// The plain form.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    vertices: Vec<Vertex>,
    by_number: HashMap<u32, usize>,
}

static STATUS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"^(?P<id>.+?)(?: [\d.]+[kMGTP]?i?B(?: / [\d.]+[kMGTP]?i?B)?)?(?: (?P<s>\d+(?:\.\d+)?)s)?(?P<done> done)?$",
    )
    .ok()
});

impl Plain {
    /// Whether the line is of this form.
    pub fn line(&mut self, at: Option<f64>, line: &str) -> bool {
        let Some((number, rest)) = line.strip_prefix('#').map(|l| l.split_once(' ').unwrap_or((l, ""))) else {
            return false;
        };
        if number.len() > 9 || number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return false;
        }
        let Ok(n) = number.parse::<u32>() else { return false };
        if n == 0 {
            // Not a step, but what the client says of itself. Another build in the same log counts from the start again.
            if rest.starts_with("building with") {
                self.by_number.clear();
            }
            return true;
        }
        let Some(&i) = self.by_number.get(&n) else {
            // A step begins with its name; an end or output without one is that of a log whose start is missing.
            if rest.is_empty() || self.vertices.len() >= super::MAX_STEPS {
                return !self.vertices.is_empty();
            }
            let unnamed = rest == "..." || rest == "CACHED" || rest.starts_with("DONE") || output(rest).is_some();
            let name = if unnamed { format!("step {n}, whose name is missing") } else { rest.to_string() };
            self.by_number.insert(n, self.vertices.len());
            let mut vertex = Vertex::new(format!("#{n}"), &name);
            vertex.first_at = at;
            self.vertices.push(vertex);
            if unnamed {
                self.event(self.vertices.len() - 1, rest);
            }
            return true;
        };
        self.event(i, rest);
        true
    }

    fn event(&mut self, i: usize, rest: &str) {
        let vertex = &mut self.vertices[i];
        let step = &mut vertex.step;
        if rest.is_empty() || rest == "..." || rest == step.name || rest.starts_with("sha256:") && !rest.contains(' ') {
            return;
        }
        if let Some(time) = rest.strip_prefix("DONE") {
            if let Some(seconds) = time.trim().strip_suffix('s').and_then(super::seconds) {
                // Told again when more of it was done, then with the larger time.
                step.seconds = Some(step.seconds.map_or(seconds, |s| s.max(seconds)));
            } else if !time.trim().is_empty() {
                return;
            }
            step.outcome = Outcome::Done;
            return;
        }
        match rest {
            "CACHED" => step.outcome = Outcome::Cached,
            "CANCELED" => step.outcome = Outcome::Canceled,
            _ => {
                if let Some(why) = rest.strip_prefix("ERROR: ").or(rest.strip_prefix("ERROR ")) {
                    step.outcome = Outcome::Failed(why.chars().take(500).collect());
                } else if let Some((seconds, text)) = output(rest) {
                    vertex.seen = Some(seconds);
                    vertex.phases.line(seconds, text);
                } else {
                    self.status(i, rest);
                }
            }
        }
    }

    fn status(&mut self, i: usize, text: &str) {
        let Some(found) = STATUS.as_ref().and_then(|r| r.captures(text)) else { return };
        let (seconds, done) = (found.name("s"), found.name("done"));
        if seconds.is_none() && done.is_none() && self.vertices[i].step.kind != StepKind::Export {
            return;
        }
        let id = &found["id"];
        let number = self.vertices[i].step.id.clone();
        let parts = &mut self.vertices[i].parts;
        let at = match parts.iter().position(|p| p.name == id) {
            Some(at) => at,
            None if parts.len() >= MAX_PARTS => return,
            None => {
                parts.push(BuildStep::new(number, id, StepKind::Part));
                parts.len() - 1
            }
        };
        let part = &mut self.vertices[i].parts[at];
        if let Some(seconds) = seconds.and_then(|s| super::seconds(s.as_str())) {
            part.seconds = Some(seconds);
        }
        if done.is_some() {
            part.outcome = Outcome::Done;
        }
    }

    pub fn finish(self, log: &mut BuildLog) {
        let mut vertices = self.vertices;
        // Without any failure, what has no end was cut; after one, BuildKit leaves steps open.
        if vertices.iter().any(|v| matches!(v.step.outcome, Outcome::Failed(_))) {
            for v in vertices.iter_mut().filter(|v| v.step.outcome == Outcome::Unfinished) {
                v.step.outcome = Outcome::Canceled;
            }
        }
        lay_out(vertices, log);
    }
}

/// `0.182 text`.
fn output(rest: &str) -> Option<(f64, &str)> {
    let (number, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let (whole, decimals) = number.split_once('.')?;
    let digits = |s: &str| !s.is_empty() && s.len() < 12 && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(decimals) {
        return None;
    }
    Some((number.parse().ok()?, text))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SolveStatus {
    vertexes: Option<Vec<VertexJson>>,
    statuses: Option<Vec<StatusJson>>,
    logs: Option<Vec<LogJson>>,
    warnings: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct VertexJson {
    #[serde(default)]
    digest: String,
    #[serde(default)]
    name: String,
    started: Option<String>,
    completed: Option<String>,
    #[serde(default)]
    cached: bool,
    #[serde(default)]
    error: String,
}

#[derive(Deserialize)]
struct StatusJson {
    #[serde(default)]
    id: String,
    #[serde(default)]
    vertex: String,
    started: Option<String>,
    completed: Option<String>,
}

#[derive(Deserialize)]
struct LogJson {
    #[serde(default)]
    vertex: String,
    #[serde(default)]
    data: String,
    timestamp: Option<String>,
}

#[derive(Debug, Default)]
struct Span {
    from: Option<f64>,
    /// Sum of the spans that are complete.
    sum: f64,
    complete: bool,
}

/// The rawjson form.
#[derive(Debug, Default)]
pub(crate) struct Json {
    vertices: Vec<Vertex>,
    spans: Vec<Span>,
    by_digest: HashMap<String, usize>,
    first: Option<f64>,
    last: Option<f64>,
    broken: u64,
}

impl Json {
    /// Whether the line is of this form.
    pub fn line(&mut self, line: &str) -> bool {
        let line = line.trim();
        if !line.starts_with('{') {
            return false;
        }
        let known = ["\"vertexes\"", "\"statuses\"", "\"logs\"", "\"warnings\""].iter().any(|k| line.contains(k));
        if !known {
            return false;
        }
        match serde_json::from_str::<SolveStatus>(line) {
            Ok(status) => {
                self.take(status);
                true
            }
            Err(_) => {
                self.broken += 1;
                !self.vertices.is_empty() || line.starts_with("{\"vertexes\"")
            }
        }
    }

    fn time(&mut self, text: &Option<String>) -> Option<f64> {
        let t = chrono::DateTime::parse_from_rfc3339(text.as_deref()?).ok()?;
        let t = seconds_of(t.timestamp(), t.timestamp_subsec_nanos());
        self.first = Some(self.first.map_or(t, |f| f.min(t)));
        self.last = Some(self.last.map_or(t, |l| l.max(t)));
        Some(t)
    }

    fn take(&mut self, status: SolveStatus) {
        let _ = status.warnings;
        for v in status.vertexes.unwrap_or_default() {
            let i = match self.by_digest.get(&v.digest) {
                Some(&i) => i,
                None if self.vertices.len() >= super::MAX_STEPS => continue,
                None => {
                    self.vertices.push(Vertex::new(format!("#{}", self.vertices.len() + 1), &v.name));
                    self.spans.push(Span::default());
                    self.by_digest.insert(v.digest.clone(), self.vertices.len() - 1);
                    self.vertices.len() - 1
                }
            };
            let (started, completed) = (self.time(&v.started), self.time(&v.completed));
            let (step, span) = (&mut self.vertices[i].step, &mut self.spans[i]);
            if let Some(t) = started
                && span.from != Some(t)
            {
                // Begun again: the time before counts, too.
                span.from = Some(t);
                span.complete = false;
                step.started.get_or_insert(t);
            }
            if let (Some(from), Some(to), false) = (span.from, completed, span.complete) {
                span.sum += (to - from).max(0.0);
                span.complete = true;
                step.seconds = Some(span.sum.min(super::MAX_SECONDS));
            }
            if !v.error.is_empty() {
                step.outcome = match v.error.ends_with("context canceled") {
                    true => Outcome::Canceled,
                    false => Outcome::Failed(v.error.chars().take(500).collect()),
                };
            } else if v.cached {
                step.outcome = Outcome::Cached;
            } else if completed.is_some() {
                step.outcome = Outcome::Done;
            }
        }
        for s in status.statuses.unwrap_or_default() {
            let (started, completed) = (self.time(&s.started), self.time(&s.completed));
            let Some(&i) = self.by_digest.get(&s.vertex) else { continue };
            let id = self.vertices[i].step.id.clone();
            let parts = &mut self.vertices[i].parts;
            let at = match parts.iter().position(|p| p.name == s.id) {
                Some(at) => at,
                None if parts.len() >= MAX_PARTS => continue,
                None => {
                    parts.push(BuildStep::new(id, s.id, StepKind::Part));
                    parts.len() - 1
                }
            };
            let part = &mut parts[at];
            part.started = part.started.or(started);
            if let (Some(from), Some(to)) = (part.started, completed) {
                part.seconds = Some((to - from).clamp(0.0, super::MAX_SECONDS));
                part.outcome = Outcome::Done;
            }
        }
        for l in status.logs.unwrap_or_default() {
            let at = self.time(&l.timestamp);
            let Some(&i) = self.by_digest.get(&l.vertex) else { continue };
            let vertex = &mut self.vertices[i];
            if let (Some(at), Some(from)) = (at, vertex.step.started) {
                for line in String::from_utf8_lossy(&base64(&l.data)).lines() {
                    vertex.phases.line((at - from).max(0.0), line);
                }
                vertex.seen = Some((at - from).max(0.0));
            }
        }
    }

    pub fn finish(self, log: &mut BuildLog) {
        if self.broken > 0 {
            log.partial = Some(phrase!("{n} broken lines", n = self.broken));
        }
        log.total = self.first.zip(self.last).map(|(f, l)| l - f).filter(|&t| t > 0.0).or(log.total);
        let first = self.first.unwrap_or(0.0);
        let mut vertices = self.vertices;
        for v in &mut vertices {
            for step in std::iter::once(&mut v.step).chain(&mut v.parts) {
                step.started = step.started.map(|t| t - first);
            }
        }
        lay_out(vertices, log);
    }
}

/// Standard base64, RFC 4648; what is no such character is passed over.
fn base64(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0u32, 0);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = (bits << 6 | u32::from(value)) & 0x00ff_ffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    out
}

/// The terminal form. A captured terminal repeats its screens; the last mention of a step holds.
#[derive(Debug, Default)]
pub(crate) struct Terminal {
    vertices: Vec<Vertex>,
    by_name: HashMap<String, usize>,
    current: Option<usize>,
    total: Option<f64>,
}

static TERMINAL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"^\s*=> (?P<part>=> )?(?:# )?(?P<mark>CACHED |ERROR |CANCELED )?(?P<name>.+?)\s+(?P<s>\d+(?:\.\d+)?)s\s*$",
    )
    .ok()
});
static HEAD: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^\[\+\] Building (?P<s>\d+(?:\.\d+)?)s \(\d+/\d+\)").ok());

impl Terminal {
    /// Whether the line is of this form.
    pub fn line(&mut self, line: &str) -> bool {
        if let Some(head) = HEAD.as_ref().and_then(|r| r.captures(line)) {
            self.total = super::seconds(&head["s"]);
            self.current = None;
            return true;
        }
        if !line.trim_start().starts_with("=> ") {
            return false;
        }
        let Some(found) = TERMINAL.as_ref().and_then(|r| r.captures(line)) else { return !self.vertices.is_empty() };
        let seconds = super::seconds(&found["s"]);
        // Byte counts change from screen to screen.
        let name = STATUS
            .as_ref()
            .and_then(|r| r.captures(&found["name"]))
            .map_or(found["name"].to_string(), |c| c["id"].to_string());
        let outcome = match found.name("mark").map(|m| m.as_str().trim()) {
            Some("CACHED") => Outcome::Cached,
            Some("ERROR") => Outcome::Failed("the terminal does not say why".into()),
            Some("CANCELED") => Outcome::Canceled,
            _ => Outcome::Done,
        };
        if found.name("part").is_some() {
            let Some(i) = self.current else { return true };
            let id = self.vertices[i].step.id.clone();
            let parts = &mut self.vertices[i].parts;
            if let Some(part) = parts.iter_mut().find(|p| p.name == name) {
                part.seconds = seconds;
            } else if parts.len() < MAX_PARTS {
                let mut part = BuildStep::new(id, name, StepKind::Part);
                (part.seconds, part.outcome) = (seconds, outcome);
                parts.push(part);
            }
            return true;
        }
        let i = match self.by_name.get(&name) {
            Some(&i) => i,
            None if self.vertices.len() >= super::MAX_STEPS => return true,
            None => {
                self.vertices.push(Vertex::new(format!("#{}", self.vertices.len() + 1), &name));
                self.by_name.insert(name, self.vertices.len() - 1);
                self.vertices.len() - 1
            }
        };
        let step = &mut self.vertices[i].step;
        step.seconds = if outcome == Outcome::Cached { None } else { seconds };
        step.outcome = outcome;
        self.current = Some(i);
        true
    }

    pub fn finish(self, log: &mut BuildLog) {
        log.total = self.total.or(log.total);
        lay_out(self.vertices, log);
    }
}
