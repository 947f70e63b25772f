//! Progress while measuring: a bar with the time left on a terminal, plain lines otherwise.

use super::Ctx;
use crate::measure::told::told;
use crate::measure::{Event, Sample};
use crate::phrase;
use crate::phrase::Phrase;
use crate::render::Lang;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeSet;
use std::time::Duration;

/// Shows what [`crate::measure::run`] tells.
pub struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    lang: Lang,
    sides: Vec<String>,
    shown: BTreeSet<usize>,
    /// Sides whose first run has begun.
    begun: BTreeSet<String>,
}

impl Progress {
    /// A bar when standard error is a terminal, lines otherwise, nothing with `--quiet`.
    pub fn new(ctx: &Ctx, sides: Vec<String>) -> Progress {
        let bar = (!ctx.quiet && ctx.can_draw()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(
                ProgressStyle::with_template("{spinner} {msg} {elapsed} {prefix}").expect("a constant template"),
            );
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Progress { bar, quiet: ctx.quiet, lang: ctx.lang, sides, shown: BTreeSet::new(), begun: BTreeSet::new() }
    }

    /// One thing that happened.
    pub fn tell(&mut self, event: Event<'_>) {
        match event {
            Event::Begin { side, what, round } => {
                // Without a bar the first pair would take its time in silence.
                if self.bar.is_none() && !self.begun.insert(side.to_string()) {
                    return;
                }
                let (side, what) = (Phrase::from(side), told(what));
                let text = match round {
                    Some(round) => phrase!("pair {n}: {side}: {what}", n = round + 1, side, what),
                    None => phrase!("{side}: {what}", side, what),
                };
                match &self.bar {
                    Some(bar) => bar.set_message(text.in_language(&self.lang)),
                    None => self.line(text),
                }
            }
            Event::Sampled { sample, all, left } => self.sampled(sample, all, left),
            Event::Checked(check) => {
                let side = self.side(check.side);
                if check.hidden {
                    let answer: Phrase = if check.passed { "passed".into() } else { "failed".into() };
                    return self.line(phrase!(
                        "hidden check {name} on {side}: {answer}",
                        name = &check.name,
                        side,
                        answer
                    ));
                }
                let answer = if check.passed { "passed".into() } else { told(&check.outcome) };
                self.line(phrase!("check {name} on {side}: {answer}", name = &check.name, side, answer));
            }
            Event::Failed(run) => {
                let (n, side) = (run.round + 1, self.side(run.side));
                let (what, outcome) = (told(&run.what), told(&run.outcome));
                self.line(phrase!("pair {n} on {side}: {what} failed: {outcome}", n, side, what, outcome));
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
        let left = left.filter(|left| left.as_secs() > 0).map(time_left);
        if let Some(bar) = &self.bar {
            bar.set_prefix(
                left.map(|left| phrase!("about {left} left", left).in_language(&self.lang)).unwrap_or_default(),
            );
            return;
        }
        let whole = all.iter().rev().take_while(|s| s.round == sample.round).count() >= self.sides.len();
        if whole && self.shown.insert(sample.round) {
            let n = sample.round + 1;
            self.line(match left {
                Some(left) => phrase!("pair {n} done, about {left} left", n, left),
                None => phrase!("pair {n} done", n),
            });
        }
    }

    /// A side's name: `base` and `candidate` are words, all others names of experiments.
    fn side(&self, side: usize) -> Phrase {
        self.sides.get(side).map_or("", String::as_str).into()
    }

    fn line(&self, text: Phrase) {
        let text = text.in_language(&self.lang);
        match &self.bar {
            Some(bar) => bar.println(text),
            None if !self.quiet => eprintln!("{text}"),
            None => {}
        }
    }
}

/// `40 s`, `5 min`, `3 h`: as much as an estimate is worth.
pub fn time_left(left: Duration) -> String {
    match left.as_secs() {
        seconds if seconds < 90 => format!("{seconds} s"),
        seconds if seconds < 90 * 60 => format!("{} min", (seconds + 30) / 60),
        seconds => format!("{} h", (seconds + 1800) / 3600),
    }
}
