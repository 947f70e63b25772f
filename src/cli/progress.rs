//! Progress while measuring: a bar with the time left on a terminal, plain lines otherwise.

use super::Ctx;
use crate::measure::{Event, Sample};
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::time::Duration;

/// Shows what [`crate::measure::run`] tells.
pub struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    sides: Vec<String>,
    shown: BTreeSet<usize>,
}

impl Progress {
    /// A bar when standard error is a terminal, lines otherwise, nothing with `--quiet`.
    pub fn new(ctx: &Ctx, sides: Vec<String>) -> Progress {
        let bar = (!ctx.quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(
                ProgressStyle::with_template("{spinner} {msg} {elapsed} {prefix}").expect("a constant template"),
            );
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Progress { bar, quiet: ctx.quiet, sides, shown: BTreeSet::new() }
    }

    /// One thing that happened.
    pub fn tell(&mut self, event: Event<'_>) {
        match event {
            Event::Begin { side, what, round } => {
                if let Some(bar) = &self.bar {
                    let pair = round.map(|r| format!("pair {}: ", r + 1)).unwrap_or_default();
                    bar.set_message(format!("{pair}{side}: {what}"));
                }
            }
            Event::Sampled { sample, all, left } => self.sampled(sample, all, left),
            Event::Checked(check) => {
                let answer = if check.passed { "passed".to_string() } else { check.outcome.clone() };
                let side = self.sides.get(check.side).map_or("", String::as_str);
                self.line(format!("check {} on {side}: {answer}", check.name));
            }
            Event::Failed(run) => {
                let side = self.sides.get(run.side).map_or("", String::as_str);
                self.line(format!("pair {} on {side}: {} failed: {}", run.round + 1, run.what, run.outcome));
            }
            Event::Note(text) => self.line(text),
        }
    }

    /// Takes the bar away.
    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }

    fn sampled(&mut self, sample: &Sample, all: &[Sample], left: Option<Duration>) {
        let left = left.map(|left| format!("about {} left", HumanDuration(left))).unwrap_or_default();
        if let Some(bar) = &self.bar {
            bar.set_prefix(left);
            return;
        }
        let whole = all.iter().rev().take_while(|s| s.round == sample.round).count() >= self.sides.len();
        if whole && self.shown.insert(sample.round) {
            let comma = if left.is_empty() { "" } else { ", " };
            self.line(format!("pair {} done{comma}{left}", sample.round + 1));
        }
    }

    fn line(&self, text: String) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None if !self.quiet => eprintln!("{text}"),
            None => {}
        }
    }
}
