//! Build logs to step times.
//!
//! Read are BuildKit's plain, rawjson and terminal forms, the classic `docker build`, podman and buildah, kaniko,
//! `cargo --timings` pages, and lines of any tool with a time in front (`ts`, CI services). Which one it is shows in the lines
//! themselves, so a log may be wrapped in a CI service's timestamps or in other output.
//!
//! BuildKit writes the times of its steps. The classic builder, podman and make do not: their steps have times only when
//! each line has one, from the log or from whoever captured it ([`Parser::line`]).

mod buildkit;
mod cargo;
mod phase;
mod sequential;
mod stamp;

use super::InspectError;
use super::dockerfile::one_line;
use crate::phrase;
use crate::phrase::{Phrase, english_or_none};
use std::io::BufRead;

/// Longer lines are cut; the rest is of no interest here.
const MAX_LINE: usize = 64 << 10;
/// More steps than this are no build; the rest is left out and the log is marked partial.
const MAX_STEPS: usize = 10_000;
/// No step takes longer than three years.
const MAX_SECONDS: f64 = 1e8;

/// The form of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// `--progress=plain`.
    #[serde(rename = "buildkit-plain")]
    BuildKitPlain,
    /// `--progress=rawjson`.
    #[serde(rename = "buildkit-rawjson")]
    BuildKitJson,
    /// What a terminal shows.
    #[serde(rename = "buildkit-terminal")]
    BuildKitTerminal,
    /// `Step 1/3 : …` of the classic builder.
    DockerClassic,
    /// `STEP 1/3: …` of podman and buildah.
    Buildah,
    /// `INFO[0012] …`.
    Kaniko,
    /// The page that `cargo build --timings` writes.
    CargoTimings,
    /// Lines with a time in front.
    TimedLines,
    /// Nothing known.
    Unknown,
}

/// What a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepKind {
    /// An instruction of a Dockerfile.
    Instruction,
    /// `FROM`: fetching and unpacking the base.
    Base,
    /// Sending the context, reading metadata, and the like.
    Internal,
    /// Writing the finished image: committing, exporting, pushing.
    Export,
    /// A part of another step, as the builder tells it: `exporting layers`.
    Part,
    /// A part of another step, told by its output: `pip: install`.
    Phase,
    /// A crate that cargo compiled.
    Unit,
    /// A line with a time in front.
    Line,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Done.
    Done,
    /// Taken from the cache.
    Cached,
    /// Failed, and why.
    Failed(String),
    /// Given up since another step failed.
    Canceled,
    /// The log ends before the step does.
    Unfinished,
}

/// One step of a build.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct BuildStep {
    /// What the log calls it: `#9`, `3/11`.
    pub id: String,
    /// Its whole name: `[build 2/3] RUN pip install wheel`.
    pub name: String,
    /// What is in the brackets: `build 2/3`.
    pub label: Option<String>,
    /// The stage: `build`, `stage-1`.
    pub stage: Option<String>,
    /// The name without the brackets: `RUN pip install wheel`.
    pub text: String,
    /// What it is.
    pub kind: StepKind,
    /// How long it took, in seconds; none when the log does not tell.
    pub seconds: Option<f64>,
    /// When it began, in seconds after the log's first time; none when the log does not tell.
    pub started: Option<f64>,
    /// How it ended.
    pub outcome: Outcome,
    /// Index of the step that this is a part of.
    pub parent: Option<usize>,
}

impl BuildStep {
    pub(crate) fn new(id: impl Into<String>, name: impl Into<String>, kind: StepKind) -> Self {
        let name = name.into();
        let (label, text) = split_label(&name);
        let stage = label.as_deref().and_then(stage_of);
        BuildStep {
            id: id.into(),
            label,
            stage,
            text,
            name,
            kind,
            seconds: None,
            started: None,
            outcome: Outcome::Unfinished,
            parent: None,
        }
    }

    /// Whether it came from the cache.
    pub fn cached(&self) -> bool {
        self.outcome == Outcome::Cached
    }

    /// `step [build 2/3] (RUN pip install)`, or without brackets `step exporting layers`.
    pub fn title(&self) -> String {
        let brief = match self.kind {
            StepKind::Instruction | StepKind::Base => super::dockerfile::brief(&self.text),
            _ => self.text.clone(),
        };
        match &self.label {
            Some(label) if label != "internal" => format!("step [{label}] ({brief})"),
            _ => format!("step {brief}"),
        }
    }
}

/// A whole log.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct BuildLog {
    /// Its form.
    pub format: LogFormat,
    /// Its steps; parts come after what they are parts of.
    pub steps: Vec<BuildStep>,
    /// Seconds from the first to the last thing in it, when it tells.
    pub total: Option<f64>,
    /// Why it is not whole: cut in the middle, or too large.
    #[serde(serialize_with = "english_or_none")]
    pub partial: Option<Phrase>,
}

impl BuildLog {
    /// Steps that are no part of another one.
    pub fn top(&self) -> impl Iterator<Item = &BuildStep> {
        self.steps.iter().filter(|s| s.parent.is_none())
    }

    /// The steps whose name has this text in it, however it is spaced; parts only when no whole step has.
    pub fn find(&self, text: &str) -> Vec<&BuildStep> {
        let text = one_line(text);
        let named = |s: &&BuildStep| one_line(&s.name).contains(&text);
        let top: Vec<&BuildStep> = self.top().filter(named).collect();
        if !top.is_empty() {
            return top;
        }
        self.steps.iter().filter(|s| s.parent.is_some()).filter(named).collect()
    }

    /// Seconds of all steps whose name has this text in it; none when no such step tells its time.
    /// A cached step took no time.
    pub fn seconds_of(&self, text: &str) -> Option<f64> {
        let times: Vec<f64> =
            self.find(text).into_iter().filter_map(|s| s.seconds.or_else(|| s.cached().then_some(0.0))).collect();
        (!times.is_empty()).then(|| times.iter().sum())
    }

    /// Seconds of all whole steps together. Steps that ran side by side count in full, so this may exceed the total.
    pub fn sum(&self) -> f64 {
        self.top().filter_map(|s| s.seconds).sum()
    }
}

/// Reads a whole log.
pub fn parse(mut reader: impl BufRead) -> Result<BuildLog, InspectError> {
    let mut parser = Parser::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let (some, ended) = read_line(&mut reader, &mut line).map_err(|e| InspectError::io("the build log", e))?;
        if !some {
            return Ok(parser.finish());
        }
        parser.line(None, &line);
        parser.line_ended = ended;
    }
}

/// Reads a log that is in memory.
pub fn parse_bytes(bytes: &[u8]) -> BuildLog {
    // Reading from memory can't fail.
    parse(bytes).unwrap_or_else(|_| Parser::default().finish())
}

/// One line without its end, cut at [`MAX_LINE`] unless it is JSON. Says whether there was one, and whether it ended.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<(bool, bool)> {
    let mut some = false;
    loop {
        let buffer = match reader.fill_buf() {
            Ok(buffer) => buffer,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        if buffer.is_empty() {
            return Ok((some, false));
        }
        some = true;
        let end = buffer.iter().position(|&b| b == b'\n');
        let piece = &buffer[..end.unwrap_or(buffer.len())];
        let most = if line.first().or(piece.first()) == Some(&b'{') { 16 * MAX_LINE } else { MAX_LINE };
        line.extend_from_slice(&piece[..piece.len().min(most.saturating_sub(line.len()))]);
        let used = end.map_or(buffer.len(), |e| e + 1);
        reader.consume(used);
        if end.is_some() {
            return Ok((true, true));
        }
    }
}

/// Takes a log line by line.
#[derive(Debug)]
pub struct Parser {
    plain: buildkit::Plain,
    json: buildkit::Json,
    terminal: buildkit::Terminal,
    sequential: sequential::Sequential,
    cargo: cargo::Timings,
    lines: phase::Lines,
    clock: stamp::Clock,
    format: LogFormat,
    any: bool,
    line_ended: bool,
}

impl Default for Parser {
    fn default() -> Self {
        Parser {
            plain: Default::default(),
            json: Default::default(),
            terminal: Default::default(),
            sequential: Default::default(),
            cargo: Default::default(),
            lines: Default::default(),
            clock: Default::default(),
            format: LogFormat::Unknown,
            any: false,
            line_ended: true,
        }
    }
}

impl Parser {
    /// Takes the next line. `at` is when it was captured, in seconds from any fixed moment, if that is known;
    /// a time in front of the line itself goes before it.
    pub fn line(&mut self, at: Option<f64>, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let text = console::strip_ansi_codes(&text);
        let text = text.trim_end_matches(['\r', '\n']);
        // What a carriage return has overwritten was a progress bar.
        let text = text.rsplit('\r').find(|t| !t.is_empty()).unwrap_or("");
        self.any |= !text.trim().is_empty();
        let (at, text) = self.clock.take(at, text);
        let format = if self.cargo.line(text) {
            LogFormat::CargoTimings
        } else if self.json.line(text) {
            LogFormat::BuildKitJson
        } else if self.plain.line(at, text) {
            LogFormat::BuildKitPlain
        } else if self.terminal.line(text) {
            LogFormat::BuildKitTerminal
        } else if let Some(format) = self.sequential.line(at, text) {
            format
        } else {
            if let Some(at) = at {
                self.lines.line(at, text);
            }
            return;
        };
        if self.format == LogFormat::Unknown {
            self.format = format;
        }
    }

    /// The log, as far as it was seen.
    pub fn finish(self) -> BuildLog {
        self.finish_at(None)
    }

    /// The log, when the build is known to have ended: `end` is when, by the clock of [`Parser::line`]. A step that is
    /// still open then ends there.
    pub fn finish_at(mut self, end: Option<f64>) -> BuildLog {
        let ended = end.is_some_and(|end| self.clock.ended(end));
        let end = self.clock.last();
        let mut log = BuildLog { format: self.format, steps: Vec::new(), total: self.clock.total(), partial: None };
        match self.format {
            LogFormat::BuildKitPlain => self.plain.finish(&mut log),
            LogFormat::BuildKitJson => self.json.finish(&mut log),
            LogFormat::BuildKitTerminal => self.terminal.finish(&mut log),
            LogFormat::CargoTimings => self.cargo.finish(&mut log),
            LogFormat::DockerClassic | LogFormat::Buildah | LogFormat::Kaniko => {
                self.sequential.finish(end, ended, &mut log);
            }
            LogFormat::TimedLines | LogFormat::Unknown => {
                self.lines.finish(end, &mut log);
                if !log.steps.is_empty() {
                    log.format = LogFormat::TimedLines;
                } else if self.any {
                    log.partial = Some("no line of a known form".into());
                }
            }
        }
        if log.steps.len() > MAX_STEPS {
            log.steps.truncate(MAX_STEPS);
            log.partial = Some(phrase!("more than {n} steps; the rest is left out", n = MAX_STEPS));
        }
        if log.partial.is_none()
            && let Some(open) = log.steps.iter().find(|s| s.outcome == Outcome::Unfinished)
        {
            log.partial = Some(phrase!("it ends before '{name}' does", name = &open.name));
        }
        log
    }
}

/// Reads seconds as builders print them: digits and a point.
fn seconds(text: &str) -> Option<f64> {
    let plain = text.len() < 20 && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    text.parse().ok().filter(|&s| plain && (0.0..=MAX_SECONDS).contains(&s))
}

/// Splits `[build 2/3] RUN x` into `build 2/3` and `RUN x`.
fn split_label(name: &str) -> (Option<String>, String) {
    if let Some(rest) = name.strip_prefix('[')
        && let Some((label, text)) = rest.split_once(']')
        && !label.is_empty()
        && label.len() < 200
    {
        return (Some(label.to_string()), text.trim().to_string());
    }
    (None, name.trim().to_string())
}

/// The stage of a label: `build` of `build 2/3`, of `linux/amd64 build 2/3` too; none of `2/3` and `internal`.
fn stage_of(label: &str) -> Option<String> {
    let words: Vec<&str> = label.split_whitespace().collect();
    let (_, before) = words.split_last().filter(|(last, _)| is_count(last))?;
    before.iter().rev().find(|w| !w.contains('/')).map(|w| w.to_string())
}

/// Whether a word is `2/3`.
fn is_count(word: &str) -> bool {
    let number = |s: &str| !s.is_empty() && s.len() < 9 && s.bytes().all(|b| b.is_ascii_digit());
    word.split_once('/').is_some_and(|(a, b)| number(a) && number(b))
}

/// What a step of this name is.
fn kind_of(name: &str) -> StepKind {
    let (label, text) = split_label(name);
    match label.as_deref() {
        Some("internal" | "auth") => StepKind::Internal,
        _ if text.starts_with("FROM ") => StepKind::Base,
        Some(_) => StepKind::Instruction,
        None if ["exporting", "pushing", "writing image", "sending tarball", "COMMIT"]
            .iter()
            .any(|p| text.starts_with(p)) =>
        {
            StepKind::Export
        }
        None => StepKind::Internal,
    }
}

#[cfg(test)]
mod tests;
