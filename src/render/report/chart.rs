//! The timeline: one panel for each metric, with every experiment at its place in the order they were decided.
//!
//! Marks are placed in percent of the width and in pixels of the height, and lines are drawn in a box that stretches
//! ([`WIDE`] units), so that a panel fits any screen without a script and its text keeps its size. The newest experiments get
//! marks that can be pointed at; all others are dots and strokes of one path, closer together, left of a line.

use crate::experiment::State;
use crate::policy::MetricComparison;
use crate::render::lang;
use crate::render::text::clean;
use crate::render::{Lang, view};
use crate::units::Unit;
use chrono::{DateTime, FixedOffset};
use minijinja::context;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Units of the width in drawings that stretch.
pub const WIDE: f64 = 1000.0;
/// Pixels of the height of a panel's field.
const HIGH: f64 = 150.0;
/// Pixels above and below what is drawn.
const MARGIN: f64 = 12.0;
/// Panels that are drawn: the metrics that were measured most often.
const PANELS: usize = 4;
/// Experiments with a mark of their own.
const MARKED: usize = 60;
/// The share of the width that all older ones have together.
const OLDER: f64 = 0.36;
/// The ratio of the greatest to the least value from which on the axis is logarithmic.
const LOGARITHMIC: f64 = 30.0;

/// An experiment on the timeline.
pub struct Point<'a> {
    /// Its state.
    pub state: State,
    /// When it was decided, or opened.
    pub at: DateTime<FixedOffset>,
    /// Its name.
    pub name: &'a str,
    /// Where the page shows it.
    pub anchor: &'a str,
    /// Its numbers.
    pub rows: &'a [MetricComparison],
}

/// All panels, with the axis that they share.
#[derive(Debug, Serialize)]
pub struct Timeline {
    /// The metrics that were measured most often; a size and a time first.
    pub panels: Vec<Panel>,
    /// Dates below each panel.
    pub dates: Vec<Date>,
    /// Experiments on it.
    pub count: usize,
    /// Experiments with a mark of their own.
    pub marked: usize,
    /// Percent of the width where those begin, when there are others.
    pub border: Option<String>,
    /// Metrics that have no panel.
    pub left_out: usize,
    /// Pixels.
    pub height: f64,
}

/// A date on the axis.
#[derive(Debug, Serialize)]
pub struct Date {
    /// Percent of the width.
    pub x: String,
    /// `start`, `middle` or `end`.
    pub anchor: &'static str,
    /// `2026-01-31`, or the time of day when all are of one day.
    pub text: String,
}

/// One metric over time.
#[derive(Debug, Serialize)]
pub struct Panel {
    /// The metric's name.
    pub metric: String,
    /// Where the level began and where it is now: `8.40 GB`, `3.60 GB`; none when nothing was kept.
    pub level_texts: Option<[String; 2]>,
    /// Whether the axis is logarithmic.
    pub logarithmic: bool,
    /// Values on the axis.
    pub ticks: Vec<Tick>,
    /// Path of the level that kept experiments led to.
    pub level: String,
    /// Path of the dots of kept experiments that have no mark.
    pub kept: String,
    /// Path of the strokes of all others that have no mark.
    pub others: String,
    /// Marks that can be pointed at, oldest first.
    pub marks: Vec<Mark>,
}

/// A value on the axis.
#[derive(Debug, Serialize)]
pub struct Tick {
    /// Pixels from the top.
    pub y: f64,
    /// `8 GB`.
    pub text: String,
}

/// An experiment that can be pointed at.
#[derive(Debug, Serialize)]
pub struct Mark {
    /// Where the page shows it.
    pub anchor: String,
    /// Percent of the width.
    pub x: String,
    /// Pixels of the value on the base.
    pub from: f64,
    /// Pixels of the value on the candidate.
    pub to: f64,
    /// The shape: `kept`, `gone` or `open`.
    pub shape: &'static str,
    /// `pip-cache, kept 2026-01-31: image_size 9.60 GB, 3.60 GB (-62.5 %)`.
    pub label: String,
}

/// The shape that stands for a state, everywhere on the page.
pub fn shape(state: State) -> &'static str {
    match state {
        State::Kept => "kept",
        State::Reverted | State::Archived => "gone",
        State::Open | State::Measured => "open",
        State::Abandoned => "left",
    }
}

/// The word for a state.
pub fn state_word(state: State, language: Lang) -> String {
    lang::word(language, &format!("report.state_{}", state.as_str()))
}

/// The timeline of experiments, oldest first; none when nothing was measured.
pub fn timeline(points: &[Point<'_>], language: Lang) -> Option<Timeline> {
    let points: Vec<&Point<'_>> = points.iter().filter(|point| !point.rows.is_empty()).collect();
    let (metrics, left_out) = metrics(&points);
    let axis = Axis { older: points.len().saturating_sub(MARKED), count: points.len() };
    let panels: Vec<Panel> = metrics.iter().filter_map(|metric| panel(metric, &points, &axis, language)).collect();
    (!panels.is_empty()).then(|| Timeline {
        panels,
        dates: dates(&points, &axis),
        count: points.len(),
        marked: points.len() - axis.older,
        border: (axis.older > 0).then(|| percent(OLDER)),
        left_out,
        height: HIGH,
    })
}

/// The metrics to draw, and how many there are besides.
fn metrics(points: &[&Point<'_>]) -> (Vec<String>, usize) {
    let mut counts: BTreeMap<&str, (usize, &Unit)> = BTreeMap::new();
    for row in points.iter().flat_map(|point| point.rows) {
        counts.entry(&row.metric).or_insert((0, &row.unit)).0 += 1;
    }
    let all = counts.len();
    let mut order: Vec<(&str, usize, &Unit)> = counts.into_iter().map(|(name, (n, unit))| (name, n, unit)).collect();
    order.sort_by_key(|(name, n, _)| (std::cmp::Reverse(*n), *name));
    let mut chosen: Vec<&str> = Vec::new();
    for unit in [Unit::Bytes, Unit::Seconds] {
        chosen.extend(order.iter().find(|(_, _, own)| **own == unit).map(|(name, _, _)| *name));
    }
    for (name, _, _) in &order {
        if chosen.len() < PANELS && !chosen.contains(name) {
            chosen.push(name);
        }
    }
    let left_out = all - chosen.len();
    (chosen.into_iter().map(String::from).collect(), left_out)
}

/// From the number of an experiment to its share of the width.
struct Axis {
    older: usize,
    count: usize,
}

impl Axis {
    fn share(&self, place: usize) -> f64 {
        let within = |place: usize, count: usize| (place as f64 + 0.5) / count as f64;
        match self.older {
            0 => within(place, self.count),
            older if place < older => OLDER * within(place, older),
            older => OLDER + (1.0 - OLDER) * within(place - older, self.count - older),
        }
    }
}

fn panel(metric: &str, points: &[&Point<'_>], axis: &Axis, language: Lang) -> Option<Panel> {
    let all: Vec<(usize, &Point<'_>, &MetricComparison)> = points
        .iter()
        .enumerate()
        .filter_map(|(place, point)| Some((place, *point, point.rows.iter().find(|row| row.metric == metric)?)))
        .filter(|(_, _, row)| row.base.is_finite() && row.candidate.is_finite())
        .collect();
    let unit = &all.first()?.2.unit;
    let all: Vec<_> = all.iter().filter(|(_, _, row)| row.unit == *unit).collect();
    let scale = Scale::of(all.iter().flat_map(|(_, _, row)| [row.base, row.candidate]))?;
    let mut panel = Panel {
        metric: clean(metric).into_owned(),
        level_texts: None,
        logarithmic: scale.logarithmic,
        ticks: scale.ticks(unit),
        level: String::new(),
        kept: String::new(),
        others: String::new(),
        marks: Vec::new(),
    };
    let mut level: Option<(f64, f64)> = None;
    for (place, point, row) in all {
        let (x, from, to) = (axis.share(*place), scale.y(row.base), scale.y(row.candidate));
        // Writing to a String cannot fail.
        if point.state == State::Kept {
            if level.is_none() {
                let _ = write!(panel.level, "M0 {from}");
            }
            let _ = write!(panel.level, "H{}V{to}", wide(x));
            level = Some((level.map_or(row.base, |(first, _)| first), row.candidate));
        }
        if *place >= axis.older {
            panel.marks.push(mark(point, row, x, from, to, language));
        } else if point.state == State::Kept {
            let _ = write!(panel.kept, "M{} {to}h0", wide(x));
        } else {
            let _ = write!(panel.others, "M{} {}v6", wide(x), to - 3.0);
        }
    }
    if let Some((first, last)) = level {
        let _ = write!(panel.level, "H{WIDE}");
        panel.level_texts = Some([first, last].map(|value| clean(&unit.show(value)).into_owned()));
    }
    Some(panel)
}

fn mark(point: &Point<'_>, row: &MetricComparison, x: f64, from: f64, to: f64, language: Lang) -> Mark {
    let shown = view::RowView::new(row, language);
    let change = shown.percent.unwrap_or(shown.change);
    let label = lang::text(
        language,
        "report.mark",
        context! {
            name => clean(point.name), state => state_word(point.state, language), date => day(point.at),
            metric => shown.name, base => shown.base, candidate => shown.candidate, change => change,
        },
    );
    Mark { anchor: point.anchor.into(), x: percent(x), from, to, shape: shape(point.state), label }
}

fn dates(points: &[&Point<'_>], axis: &Axis) -> Vec<Date> {
    let last = points.len() - 1;
    let places = match points.len() {
        1 => vec![0],
        2..=4 => vec![0, last],
        _ if axis.older > 0 => vec![0, axis.older, last],
        _ => vec![0, last / 2, last],
    };
    let one_day = day(points[0].at) == day(points[last].at);
    let text = |at: DateTime<FixedOffset>| if one_day { at.format("%H:%M").to_string() } else { day(at) };
    let date = |place: usize| {
        let x = axis.share(place);
        let anchor = match x {
            x if x < 0.2 => "start",
            x if x > 0.8 => "end",
            _ => "middle",
        };
        Date { x: percent(x), anchor, text: text(points[place].at) }
    };
    places.into_iter().map(date).collect()
}

/// `2026-01-31`.
pub fn day(at: DateTime<FixedOffset>) -> String {
    at.date_naive().to_string()
}

/// A share of the width for drawings that do not stretch.
pub fn percent(share: f64) -> String {
    format!("{}%", round(share * 100.0, 100.0))
}

/// A share of the width for drawings that stretch.
pub fn wide(share: f64) -> f64 {
    round(share * WIDE, 10.0)
}

fn round(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}

/// From values to pixels.
struct Scale {
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Scale {
    fn of(values: impl Iterator<Item = f64>) -> Option<Scale> {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        // Half of the range, so that differences stay finite.
        let bound = |value: f64| value.clamp(-f64::MAX / 4.0, f64::MAX / 4.0);
        let (low, high) = (bound(low), bound(high));
        if low > high {
            return None;
        }
        if low > 0.0 && high / low > LOGARITHMIC {
            return Some(Scale { low: low * 0.8, high: high * 1.25, logarithmic: true });
        }
        let span = if high > low { high - low } else { high.abs().max(1.0) * 0.2 };
        let from_zero = low >= 0.0 && low < 0.45 * high;
        let below = if from_zero { 0.0 } else { low - 0.08 * span };
        let low = if low >= 0.0 { below.max(0.0) } else { below };
        Some(Scale { low, high: high + 0.08 * span, logarithmic: false })
    }

    /// Pixels from the top.
    fn y(&self, value: f64) -> f64 {
        let share = if self.logarithmic {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.5 };
        round(MARGIN + (1.0 - share) * (HIGH - 2.0 * MARGIN), 10.0)
    }

    fn ticks(&self, unit: &Unit) -> Vec<Tick> {
        let values: Vec<f64> = if self.logarithmic && *unit == Unit::Seconds {
            self.tens_of_times()
        } else if self.logarithmic {
            let (first, last) = (self.low.log10().ceil() as i32, self.high.log10().floor() as i32);
            let step = ((last - first) / 4 + 1).max(1) as usize;
            (first..=last).step_by(step).map(|power| 10f64.powi(power)).collect()
        } else {
            let unit_size = match unit {
                Unit::Seconds if self.high >= 7200.0 => 3600.0,
                Unit::Seconds if self.high >= 600.0 => 60.0,
                _ => 1.0,
            };
            let step = nice((self.high - self.low) / 3.5 / unit_size) * unit_size;
            let first = (self.low / step).ceil();
            (0..6).map(|n| (first + f64::from(n)) * step).take_while(|value| *value <= self.high).collect()
        };
        let tick = |value: &f64| Tick { y: self.y(*value), text: short(&unit.show(*value)) };
        values.iter().filter(|value| value.is_finite()).map(tick).collect()
    }
}

impl Scale {
    /// Ten times the one before, in the units that people count times in.
    fn tens_of_times(&self) -> Vec<f64> {
        let seconds = (-12..=1).map(|power| 10f64.powi(power));
        let minutes = [60.0, 600.0].into_iter();
        let hours = (0..=300).map(|power| 3600.0 * 10f64.powi(power));
        let fit = |value: &f64| (self.low..=self.high).contains(value);
        let all: Vec<f64> = seconds.chain(minutes).chain(hours).filter(fit).collect();
        let step = all.len().div_ceil(4).max(1);
        all.into_iter().step_by(step).collect()
    }
}

/// The next of 1, 2 and 5 times a power of ten.
fn nice(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let rest = step / power;
    let nice = [1.0, 2.0, 5.0].into_iter().find(|nice| rest <= *nice + 1e-9).unwrap_or(10.0);
    nice * power
}

/// A number without zeros after its point: `2.50 GB` is `2.5 GB`; a unit of many letters is left out.
fn short(text: &str) -> String {
    let text = clean(text);
    let (number, unit) = text.split_once(' ').unwrap_or((&text, ""));
    let number = if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    if unit.is_empty() || unit.chars().count() > 6 { number.to_string() } else { format!("{number} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Better, Matters};
    use crate::stats::Word;
    use crate::units::Ratio;

    fn row(metric: &str, unit: Unit, base: f64, candidate: f64) -> MetricComparison {
        MetricComparison {
            metric: metric.into(),
            unit,
            better: Better::Lower,
            matters: Matters::Relative(Ratio(0.05)),
            base,
            candidate,
            relative: (base != 0.0).then(|| candidate / base - 1.0),
            interval: None,
            exact: true,
            rounds: 2,
            word: Word::Improved,
            limit: None,
            detectable: None,
            rounds_needed: None,
        }
    }

    fn point(state: State, rows: &[MetricComparison]) -> Point<'_> {
        let at = DateTime::parse_from_rfc3339("2026-01-31T10:00:00+08:00").unwrap();
        Point { state, at, name: "pip-cache", anchor: "x-pip-cache", rows }
    }

    #[test]
    fn the_level_follows_what_was_kept_and_not_what_was_reverted() {
        let (first, second) = ([row("size", Unit::Bytes, 8e9, 4e9)], [row("size", Unit::Bytes, 4e9, 3.9e9)]);
        let points = [point(State::Kept, &first), point(State::Reverted, &second)];
        let timeline = timeline(&points, Lang::En).unwrap();
        let panel = &timeline.panels[0];
        assert_eq!(panel.level_texts, Some(["8.00 GB".into(), "4.00 GB".into()]));
        assert!(panel.level.starts_with("M0 ") && panel.level.ends_with("H1000"), "{}", panel.level);
        assert_eq!(panel.level.matches('V').count(), 1);
        assert_eq!(panel.marks.iter().map(|mark| mark.shape).collect::<Vec<_>>(), ["kept", "gone"]);
        assert_eq!(panel.marks[0].label, "pip-cache, kept 2026-01-31: size 8.00\u{a0}GB → 4.00\u{a0}GB (-50.0\u{a0}%)");
        assert!(panel.marks[0].from < panel.marks[0].to, "more is above less");
    }

    #[test]
    fn older_experiments_are_drawn_without_marks_left_of_the_border() {
        let rows = [row("size", Unit::Bytes, 8e9, 4e9)];
        let points: Vec<Point<'_>> =
            (0..MARKED + 40).map(|n| point(if n % 2 == 0 { State::Kept } else { State::Reverted }, &rows)).collect();
        let timeline = timeline(&points, Lang::En).unwrap();
        let panel = &timeline.panels[0];
        assert_eq!((panel.marks.len(), timeline.marked, timeline.border.as_deref()), (MARKED, MARKED, Some("36%")));
        assert_eq!((panel.kept.matches('M').count(), panel.others.matches('M').count()), (20, 20));
        let x = |text: &str| text.trim_end_matches('%').parse::<f64>().unwrap();
        assert!(panel.marks.iter().all(|mark| x(&mark.x) > 36.0));
    }

    #[test]
    fn a_size_and_a_time_come_first_and_what_has_no_panel_is_counted() {
        let rows: Vec<MetricComparison> = (0..6)
            .map(|n| row(&format!("count{n}"), Unit::Count, 1.0, 2.0))
            .chain([row("wall", Unit::Seconds, 1.0, 2.0), row("zsize", Unit::Bytes, 1.0, 2.0)])
            .collect();
        let timeline = timeline(&[point(State::Kept, &rows)], Lang::En).unwrap();
        let names: Vec<&str> = timeline.panels.iter().map(|panel| panel.metric.as_str()).collect();
        assert_eq!(names, ["zsize", "wall", "count0", "count1"]);
        assert_eq!(timeline.left_out, 4);
    }

    #[test]
    fn absurd_values_are_drawn_within_the_panel() {
        for (base, candidate) in
            [(f64::MAX, -f64::MAX), (0.0, 0.0), (1e-300, 1e300), (5.0, 5.0), (-3.0, 2.0), (0.0, 7.0)]
        {
            let rows = [row("m", Unit::Count, base, candidate)];
            let timeline = timeline(&[point(State::Kept, &rows), point(State::Open, &rows)], Lang::En).unwrap();
            let panel = &timeline.panels[0];
            for y in panel.marks.iter().flat_map(|mark| [mark.from, mark.to]).chain(panel.ticks.iter().map(|t| t.y)) {
                assert!((0.0..=HIGH).contains(&y), "{base} {candidate}: {y}");
            }
            assert!(panel.ticks.len() <= 8, "{base} {candidate}");
        }
        assert!(timeline(&[point(State::Open, &[])], Lang::En).is_none());
    }

    #[test]
    fn ticks_are_round_in_the_unit_that_people_read() {
        let texts = |unit: Unit, low: f64, high: f64| -> Vec<String> {
            let scale = Scale::of([low, high].into_iter()).unwrap();
            scale.ticks(&unit).into_iter().map(|tick| tick.text).collect()
        };
        assert_eq!(texts(Unit::Bytes, 3.3e9, 3.6e9), ["3.3 GB", "3.4 GB", "3.5 GB", "3.6 GB"]);
        assert_eq!(texts(Unit::Seconds, 872.0, 1230.0), ["16 min", "18 min", "20 min"]);
        assert_eq!(texts(Unit::Seconds, 0.5, 2.0), ["0 s", "1 s", "2 s"]);
        assert_eq!(texts(Unit::Seconds, 2.0, 90_000.0), ["10 s", "10 min", "10 h"]);
        assert_eq!(texts(Unit::Bytes, 1e3, 1e9), ["1 kB", "100 kB", "10 MB", "1 GB"]);
    }
}
