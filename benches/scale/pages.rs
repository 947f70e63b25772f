//! The tables and charts that the documentation shows.

use super::chart::{self, Axis};
use super::fit::Fit;
use super::ladders::LADDERS;
use super::machine::Occasion;
use super::results::{root, splice};
use super::{Ladder, Point, Results};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;

/// Tables by the name of their place in a page.
pub fn tables(found: &Results) -> BTreeMap<String, String> {
    let mut tables = BTreeMap::new();
    for ladder in &LADDERS {
        if let Some(of) = found.get(ladder.name) {
            let text = format!("{}\n\n{}\n\n{}.", measured(of), fitted(of, ladder.name), of.occasion.line());
            tables.insert(format!("scale-{}", ladder.name), text);
        }
    }
    if !found.is_empty() {
        tables.insert("scale-overview".into(), overview(found));
    }
    tables
}

/// Writes the tables into their pages, and the charts beside them.
pub fn write(found: &Results, tables: &BTreeMap<String, String>) -> Result<(), Box<dyn Error>> {
    for (name, text) in tables {
        let page = if name == "scale-overview" { "benches/README.md" } else { "docs/scale.md" };
        splice(&root().join(page), name, text)?;
    }
    for ladder in &LADDERS {
        let Some(of) = found.get(ladder.name) else { continue };
        type Value = fn(&Point) -> f64;
        let kinds: [(&str, &str, Value, fn(f64) -> String); 2] = [
            ("time", "median wall time", |point| point.seconds, time),
            ("memory", "peak memory", |point| point.peak, memory),
        ];
        for (kind, title, value, label) in kinds {
            let all = || of.curves.iter().flat_map(|curve| &curve.points);
            let x = Axis::logarithmic(ladder.axis, all().map(|point| point.size), count);
            let y = Axis::logarithmic(title, all().map(value), label);
            let curves: Vec<chart::Curve> = of
                .curves
                .iter()
                .map(|curve| chart::Curve {
                    name: curve.command.replace('`', ""),
                    points: curve.points.iter().map(|point| (point.size, value(point))).collect(),
                })
                .collect();
            let file = root().join(format!("docs/scale-{}-{kind}.svg", ladder.name));
            chart::curves(&file, &format!("{}: {title}", ladder.axis), &x, &y, &curves)?;
        }
    }
    Ok(())
}

/// Three digits and a unit.
fn with_unit(value: f64, units: &[(f64, &str)]) -> String {
    let (size, unit) = units.iter().copied().rev().find(|(size, _)| value >= *size * 0.9995).unwrap_or(units[0]);
    let number = value / size;
    let digits = if number < 9.995 { 2 } else { usize::from(number < 99.95) };
    let text = format!("{number:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} {unit}")
}

fn time(seconds: f64) -> String {
    with_unit(seconds, &[(1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms"), (1.0, "s")])
}

fn memory(bytes: f64) -> String {
    with_unit(bytes, &[(1.0, "B"), (1e3, "kB"), (1e6, "MB"), (1e9, "GB")])
}

fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Time and memory at every size.
fn measured(ladder: &Ladder) -> String {
    let mut sizes: Vec<f64> = ladder.curves.iter().flat_map(|curve| curve.points.iter().map(|p| p.size)).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    let mut text = "| |".to_string();
    sizes.iter().for_each(|size| text += &format!(" {} |", count(*size)));
    text += &format!("\n|---|{}", "---|".repeat(sizes.len()));
    for curve in &ladder.curves {
        let _ = write!(text, "\n| {} |", curve.command);
        for size in &sizes {
            let point = curve.points.iter().find(|point| point.size == *size);
            let cell = point.map(|point| format!("{}, {}", time(point.seconds), memory(point.peak)));
            let _ = write!(text, " {} |", cell.unwrap_or_default());
        }
    }
    text
}

/// What the curves come to.
fn fitted(ladder: &Ladder, name: &str) -> String {
    let one = if name == "images" { "MB" } else { "one more" };
    let mut text = format!(
        "| | time: always | each {one} | exponent at the top | bends at | memory: always | each {one} | exponent | bends at |\n\
         |---|---|---|---|---|---|---|---|---|"
    );
    for curve in &ladder.curves {
        let most = curve.points.last().map_or(0.0, |point| point.size);
        let of = |value: fn(&Point) -> f64, shown: fn(f64) -> String| {
            let Some(fit) = Fit::of(&curve.points, value) else { return " | | | |".to_string() };
            let bend = fit.bend(most).map_or("never".into(), rounded);
            let each = if fit.each > 0.0 { shown(fit.each) } else { "nothing".into() };
            format!(" {} | {each} | {} | {bend} |", shown(fit.fixed), two_digits(fit.exponent))
        };
        let (seconds, peak) = (of(|point| point.seconds, time), of(|point| point.peak, memory));
        let _ = write!(text, "\n| {} |{seconds}{peak}", curve.command);
    }
    text
}

/// An exponent; nothing is neither above nor below zero.
fn two_digits(exponent: f64) -> String {
    let text = format!("{exponent:.2}");
    if text == "-0.00" { "0.00".into() } else { text }
}

/// Two digits are enough.
fn rounded(number: f64) -> String {
    let power = 10f64.powf(number.log10().floor() - 1.0);
    if number < 1.0 { "1".into() } else { count((number / power).round() * power) }
}

/// The ends of every curve.
fn overview(found: &Results) -> String {
    let mut text =
        "| command | from | to | time | growth at the top | peak memory |\n|---|---|---|---|---|---|".to_string();
    for ladder in &LADDERS {
        let Some(of) = found.get(ladder.name) else { continue };
        for curve in &of.curves {
            let (Some(first), Some(last)) = (curve.points.first(), curve.points.last()) else { continue };
            let exponent =
                Fit::of(&curve.points, |point| point.seconds).map(|fit| format!("n^{}", two_digits(fit.exponent)));
            let (from, to) = (count(first.size), count(last.size));
            let times = format!("{} to {}", time(first.seconds), time(last.seconds));
            let peaks = format!("{} to {}", memory(first.peak), memory(last.peak));
            let (command, growth, unit) = (&curve.command, exponent.unwrap_or_default(), ladder.unit);
            let _ = write!(text, "\n| {command} | {from} | {to} {unit} | {times} | {growth} | {peaks} |");
        }
    }
    let _ = write!(text, "\n\n{}.", Occasion::line_of_all(found.values().map(|ladder| &ladder.occasion)));
    text
}
