//! The page of `cargo build --timings`: an array `UNIT_DATA` of what was compiled, in its script.

use super::{BuildLog, BuildStep, Outcome, StepKind};
use serde::Deserialize;

const MAX_BYTES: usize = 32 << 20;

#[derive(Deserialize)]
struct Unit {
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    mode: String,
    #[serde(default)]
    target: String,
    #[serde(default)]
    start: f64,
    #[serde(default)]
    duration: f64,
}

/// What of the array was seen.
#[derive(Debug, Default)]
pub(crate) struct Timings {
    json: String,
    inside: bool,
    whole: bool,
    over: bool,
}

impl Timings {
    /// Whether the line is of the page's data.
    pub fn line(&mut self, line: &str) -> bool {
        if !self.inside {
            let Some((_, data)) = line.split_once("UNIT_DATA = ") else { return false };
            if self.whole {
                return true;
            }
            self.inside = true;
            self.take(data);
            return true;
        }
        self.take(line);
        true
    }

    fn take(&mut self, text: &str) {
        if self.json.len() + text.len() > MAX_BYTES {
            self.over = true;
        } else {
            self.json.push_str(text);
            self.json.push('\n');
        }
        if text.trim_end().ends_with("];") {
            self.inside = false;
            self.whole = true;
        }
    }

    pub fn finish(self, log: &mut BuildLog) {
        let json = self.json.trim().trim_end_matches(';');
        let units: Vec<Unit> = match serde_json::from_str(json) {
            Ok(units) => units,
            Err(_) => {
                let why = if self.over { "it has too many units" } else { "its unit data is cut or broken" };
                log.partial = Some(why.into());
                // What is whole up to the cut: units are objects in a flat array.
                let mut stream = serde_json::Deserializer::from_str(json.trim_start_matches('[')).into_iter::<Unit>();
                let mut units = Vec::new();
                let mut rest = json.trim_start_matches('[');
                while let Some(Ok(unit)) = stream.next() {
                    units.push(unit);
                    rest = &rest[stream.byte_offset()..];
                    rest = rest.trim_start().trim_start_matches(',');
                    stream = serde_json::Deserializer::from_str(rest).into_iter::<Unit>();
                }
                units
            }
        };
        let mut total = 0f64;
        for (i, unit) in units.into_iter().enumerate() {
            let name = [unit.name, unit.version, unit.target.trim().to_string()].join(" ");
            let mode = if unit.mode == "run-custom-build" { " (run)" } else { "" };
            let mut step = BuildStep::new(format!("unit {i}"), format!("{}{mode}", name.trim()), StepKind::Unit);
            let (start, duration) =
                (unit.start.clamp(0.0, super::MAX_SECONDS), unit.duration.clamp(0.0, super::MAX_SECONDS));
            step.seconds = Some(duration);
            step.started = Some(start);
            step.outcome = Outcome::Done;
            total = total.max(start + duration);
            log.steps.push(step);
        }
        log.total = Some(total).filter(|&t| t > 0.0);
    }
}
