//! Findings in what takes time: the steps of a build.

use super::{Cost, Finding, Place, Risk, slug};
use crate::inspect::buildlog::{BuildLog, StepKind};
use crate::inspect::diff::Attribution;
use crate::inspect::dockerfile::{Dockerfile, brief};
use crate::phrase;
use crate::units::Unit;

/// Steps without a known fix that are named, the slowest first.
const MAX_LEADS: usize = 3;

/// What installs: a part of the command, the tool, where it keeps what it fetched, and whether it installs from a list that can
/// be copied before all else. The first one that fits counts.
const INSTALLERS: &[(&str, &str, &str, bool)] = &[
    ("uv sync", "uv", "/root/.cache/uv", true),
    ("uv pip install", "uv", "/root/.cache/uv", true),
    ("pip install", "pip", "/root/.cache/pip", true),
    ("poetry install", "poetry", "/root/.cache/pypoetry", true),
    ("pnpm install", "pnpm", "/root/.local/share/pnpm/store", true),
    ("npm ci", "npm", "/root/.npm", true),
    ("npm install", "npm", "/root/.npm", true),
    ("yarn install", "yarn", "/usr/local/share/.cache/yarn", true),
    ("bundle install", "bundler", "/root/.bundle/cache", true),
    ("composer install", "composer", "/root/.composer/cache", true),
    ("apt-get install", "apt", "/var/cache/apt", false),
    ("cargo build", "cargo", "/usr/local/cargo/registry", false),
    ("go build", "go", "/root/.cache/go-build", false),
    ("mvn ", "maven", "/root/.m2", false),
    ("gradle", "gradle", "/root/.gradle", false),
];

/// Phases that fetch nothing, so that a cache of what was fetched does not shorten them.
const LOCAL: &[&str] = &[": install", ": unpack", ": configure", ": compile"];

/// A step of a build that took time.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// `step [3/4] (RUN pip install)`.
    pub title: String,
    /// `RUN pip install -r requirements.txt`.
    pub text: String,
    /// As a log names it.
    pub stage: Option<String>,
    /// Whether it is an instruction of a Dockerfile.
    pub instruction: bool,
    /// How long it took.
    pub seconds: f64,
    /// Of that, in phases that fetch nothing.
    pub local: f64,
}

/// The whole steps of a log that took time.
pub fn steps_of_log(log: &BuildLog) -> Vec<Step> {
    let mut found = Vec::new();
    for (index, step) in log.steps.iter().enumerate() {
        let left_out = step.parent.is_some() || step.cached() || matches!(step.kind, StepKind::Line | StepKind::Base);
        let Some(seconds) = step.seconds.filter(|seconds| !left_out && *seconds > 0.0) else { continue };
        let phases = log.steps.iter().filter(|s| s.parent == Some(index) && s.kind == StepKind::Phase);
        let local = phases.filter(|s| LOCAL.iter().any(|end| s.text.ends_with(end))).filter_map(|s| s.seconds).sum();
        found.push(Step {
            title: step.title(),
            text: step.text.clone(),
            stage: step.stage.clone(),
            instruction: step.kind == StepKind::Instruction,
            seconds,
            local,
        });
    }
    found
}

/// The steps that a record tells, as they were on one side; it has those only that differed.
pub fn steps_of_record(origin: &Attribution, candidate: bool) -> Vec<Step> {
    let mut found = Vec::new();
    for row in &origin.rows {
        let Some(time) = (if candidate { row.after } else { row.before }).filter(|time| *time > 0) else { continue };
        let text = row.what.rsplit_once('(').map_or(row.what.as_str(), |(_, text)| text.trim_end_matches(')'));
        let instruction = crate::inspect::dockerfile::is_keyword(text.split(' ').next().unwrap_or_default());
        found.push(Step {
            title: row.what.clone(),
            text: text.trim_start_matches("step ").to_string(),
            stage: None,
            instruction,
            seconds: origin.value(time),
            local: 0.0,
        });
    }
    found.retain(|step| !step.text.starts_with("FROM"));
    found
}

/// What of these steps could be shorter; the whole took `whole` seconds.
pub fn of(steps: &[Step], dockerfile: Option<&Dockerfile>, whole: f64) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut order: Vec<&Step> = steps.iter().collect();
    order.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    let mut leads = 0;
    for step in order {
        let index =
            dockerfile.filter(|_| step.instruction).and_then(|f| f.find_step(&step.text, step.stage.as_deref()));
        let source = dockerfile.zip(index).map(|(file, index)| file.source_line(index));
        let text = source.as_ref().map_or(step.text.as_str(), |source| source.text.as_str());
        let place =
            Place { line: source.as_ref().map(|s| s.first), step: Some(step.title.clone()), ..Place::default() };
        let (time, title) = (Unit::Seconds.show(step.seconds), step.title.as_str());
        let why = match place.line {
            Some(line) => phrase!("{time} in {step}, line {line} of the Dockerfile", time, step = title, line),
            None => phrase!("{time} in {step}", time, step = title),
        };
        let mut add = |finding: Finding, fix| {
            found.push(Finding {
                fix,
                why: why.clone(),
                unit: Unit::Seconds,
                whole,
                gain: finding.gain.min(whole),
                ..finding
            });
        };
        let installer = INSTALLERS.iter().find(|(part, ..)| step.instruction && text.contains(part));
        if let Some((_, tool, target, listed)) = installer {
            if !text.contains("--mount=type=cache") {
                let gain = (step.seconds - step.local).max(0.0);
                let name = format!("{tool}-cache-mount");
                let one = Finding::new(
                    &name,
                    phrase!("cache mount for {tool}", tool),
                    Some(Cost::new(1, Risk::Low)),
                    gain,
                    place.clone(),
                );
                add(
                    Finding { keys: vec![tool.to_string(), "mount".into()], ..one },
                    phrase!(
                        "use RUN --mount=type=cache,target={target} there, so that {tool} fetches only what is new",
                        target,
                        tool
                    ),
                );
            }
            if let Some(line) =
                dockerfile.zip(index).filter(|_| *listed).and_then(|(file, at)| all_copied_before(file, at))
            {
                let name = format!("{tool}-list-first");
                let change = phrase!("install with {tool} before all files are copied", tool);
                let one = Finding::new(&name, change, Some(Cost::new(2, Risk::Low)), step.seconds, place);
                add(
                    Finding { keys: vec![tool.to_string(), "first".into()], ..one },
                    phrase!(
                        "copy the list of dependencies and install before all files are copied (line {line}); it counts when only sources changed",
                        line
                    ),
                );
            }
        } else if !step.instruction && step.text.contains("context") {
            let change = "less in the build context by .dockerignore";
            let one = Finding::new("dockerignore", change, Some(Cost::new(1, Risk::Low)), step.seconds, place);
            add(one, phrase!("list in .dockerignore what the build does not read"));
        } else if leads < MAX_LEADS {
            leads += 1;
            let words = slug(&step.text);
            let name = if words.is_empty() { "faster-step".to_string() } else { format!("faster-{words}") };
            let change = match place.line {
                Some(line) => phrase!("less time in line {line}", line),
                None => phrase!("less time in {step}", step = words.replace('-', " ")),
            };
            let one = Finding::new(&name, change, None, step.seconds, place);
            add(one, phrase!("no fix is known; its own log shows what it does ({step})", step = brief(&step.text)));
        }
    }
    found.retain(|finding| finding.gain > 0.0);
    found
}

/// The line that copies everything before an instruction of the same stage.
fn all_copied_before(file: &Dockerfile, at: usize) -> Option<usize> {
    let stage = file.instructions[at].stage;
    let earlier =
        file.instructions[..at].iter().filter(|i| i.stage == stage && matches!(i.keyword.as_str(), "COPY" | "ADD"));
    let mut whole = earlier.filter(|i| {
        let first = i.text.split_whitespace().find(|word| !word.starts_with("--"));
        !i.text.contains("--from=") && matches!(first, Some("." | "./"))
    });
    whole.next().map(|i| i.first)
}
