//! Charts as SVG files, drawn by plotters.
//!
//! Axes are linear; a logarithmic one is a linear one of logarithms, with ticks at the powers of ten.

#![allow(dead_code)]

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::ops::Range;
use std::path::Path;

/// What drawing comes to.
type Outcome = Result<(), Box<dyn Error>>;

/// Colours that most people can tell apart, ours first.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 90, 181),
    RGBColor(213, 94, 0),
    RGBColor(0, 140, 100),
    RGBColor(180, 80, 140),
    RGBColor(190, 130, 0),
    RGBColor(40, 150, 210),
    RGBColor(70, 70, 70),
    RGBColor(150, 60, 60),
];
const GREY: RGBColor = RGBColor(110, 110, 110);
const FONT: &str = "sans-serif";
const WIDTH: u32 = 760;

/// One axis: where it begins and ends, and what stands at which place.
#[derive(Clone)]
pub struct Axis {
    title: String,
    ends: [f64; 2],
    ticks: Vec<(f64, String)>,
    logarithmic: bool,
}

impl Axis {
    /// Powers of ten around all values, which are above zero.
    pub fn logarithmic(title: &str, values: impl Iterator<Item = f64>, label: impl Fn(f64) -> String) -> Axis {
        let (low, high) = values.map(f64::log10).fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
        let (first, last) = (low.floor() as i32, high.ceil().max(low.floor() + 1.0) as i32);
        let ticks = (first..=last).map(|power| (f64::from(power), label(10f64.powi(power)))).collect();
        // A little more than is needed on each side, so that no mark lies on the border; and two ticks at least, or a flat line
        // would stand in a field without a measure.
        let mut ends = [low - 0.1, high + 0.1];
        let within = (first..=last).filter(|power| (ends[0]..=ends[1]).contains(&f64::from(*power))).count();
        if within < 2 {
            ends = [ends[0].min(f64::from(first)), ends[1].max(f64::from(last))];
        }
        Axis { title: title.into(), ends, ticks, logarithmic: true }
    }

    /// From nothing to all, in percent.
    pub fn percent(title: &str) -> Axis {
        let ticks = (0..=5).map(|fifth| (f64::from(fifth) / 5.0, format!("{} %", fifth * 20))).collect();
        Axis { title: title.into(), ends: [-0.03, 1.03], ticks, logarithmic: false }
    }

    /// Evenly spaced places with a name each.
    pub fn names(title: &str, names: &[String]) -> Axis {
        let ticks = names.iter().enumerate().map(|(place, name)| (place as f64, name.clone())).collect();
        Axis { title: title.into(), ends: [-0.15, names.len() as f64 - 0.85], ticks, logarithmic: false }
    }

    fn place(&self, value: f64) -> f64 {
        if self.logarithmic { value.log10() } else { value }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, place: &f64, (from, to): (i32, i32)) -> i32 {
        let [low, high] = self.ends;
        from + ((place - low) / (high - low) * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        let within = |tick: &f64| (self.ends[0]..=self.ends[1]).contains(tick);
        self.ticks.iter().map(|(place, _)| *place).filter(within).collect()
    }

    fn range(&self) -> Range<f64> {
        self.ends[0]..self.ends[1]
    }
}

impl ValueFormatter<f64> for Axis {
    fn format(place: &f64) -> String {
        place.to_string()
    }

    fn format_ext(&self, place: &f64) -> String {
        let found = self.ticks.iter().find(|(tick, _)| (tick - place).abs() < 1e-9);
        found.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

/// A line through measured points.
pub struct Curve {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// Lines in a field, each with its name at its end.
pub fn curves(file: &Path, title: &str, x: &Axis, y: &Axis, curves: &[Curve]) -> Outcome {
    let root = SVGBackend::new(file, (WIDTH, 400)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, (FONT, 17).into_font())
        .margin(12)
        .margin_right(190)
        .x_label_area_size(44)
        .y_label_area_size(72)
        .build_cartesian_2d(x.clone(), y.clone())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(225, 225, 225))
        .x_desc(&x.title)
        .y_desc(&y.title)
        .label_style((FONT, 13))
        .axis_desc_style((FONT, 13))
        .draw()?;
    let mut names = Vec::new();
    for (number, curve) in curves.iter().enumerate().filter(|(_, curve)| !curve.points.is_empty()) {
        let colour = COLOURS[number % COLOURS.len()];
        let places: Vec<(f64, f64)> = curve.points.iter().map(|(a, b)| (x.place(*a), y.place(*b))).collect();
        chart.draw_series(LineSeries::new(places.iter().copied(), colour.stroke_width(2)))?;
        chart.draw_series(places.iter().map(|at| Circle::new(*at, 3, colour.filled())))?;
        let end = chart.backend_coord(&places[places.len() - 1]);
        names.push((end.1, &curve.name, colour));
    }
    // Names that would lie on each other are pushed apart, downwards first and back up from the bottom.
    names.sort_by_key(|(at, ..)| *at);
    let (step, right) = (15, WIDTH as i32 - 195);
    for index in 1..names.len() {
        names[index].0 = names[index].0.max(names[index - 1].0 + step);
    }
    let mut bottom = 350;
    for (at, name, colour) in names.iter_mut().rev() {
        *at = (*at).min(bottom);
        bottom = *at - step;
        let style = (FONT, 13).into_font().color(colour).pos(Pos::new(HPos::Left, VPos::Center));
        root.draw(&Text::new(name.as_str(), (right, *at), style))?;
    }
    root.present()?;
    Ok(())
}

/// One bar of [`bars`]; its length is the value.
pub struct Bar {
    pub name: String,
    pub value: f64,
    /// What is written behind it.
    pub said: String,
    pub ours: bool,
}

/// Bars that lie below each other in groups, each group under its heading.
pub fn bars(file: &Path, title: &str, x: &Axis, groups: &[(String, Vec<Bar>)]) -> Outcome {
    const LINE: i32 = 19;
    let lines: usize = groups.iter().map(|(_, bars)| bars.len() + 2).sum();
    let high = lines as i32 * LINE + 90;
    let root = SVGBackend::new(file, (WIDTH, high as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, (FONT, 17).into_font())
        .margin(12)
        .margin_right(90)
        .x_label_area_size(44)
        .y_label_area_size(190)
        .build_cartesian_2d(x.clone(), 0.0..lines as f64)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(225, 225, 225))
        .y_labels(0)
        .x_desc(&x.title)
        .label_style((FONT, 13))
        .axis_desc_style((FONT, 13))
        .draw()?;
    let mut line = lines as f64;
    for (heading, bars) in groups {
        line -= 1.0;
        let (left, at) = chart.backend_coord(&(x.ends[0], line - 0.3));
        let style = (FONT, 14).into_font().style(FontStyle::Bold).color(&BLACK);
        let style = style.pos(Pos::new(HPos::Right, VPos::Center));
        root.draw(&Text::new(heading.as_str(), (left - 8, at), style))?;
        for bar in bars {
            line -= 1.0;
            let colour = if bar.ours { COLOURS[0] } else { RGBColor(170, 170, 170) };
            let to = x.place(bar.value);
            chart.draw_series([Rectangle::new([(x.ends[0], line - 0.05), (to, line - 0.7)], colour.filled())])?;
            let (end, at) = chart.backend_coord(&(to, line - 0.37));
            let name = if bar.ours { COLOURS[0] } else { BLACK };
            let style = (FONT, 13).into_font().color(&name).pos(Pos::new(HPos::Right, VPos::Center));
            root.draw(&Text::new(bar.name.as_str(), (left - 8, at), style))?;
            let style = (FONT, 12).into_font().color(&GREY).pos(Pos::new(HPos::Left, VPos::Center));
            root.draw(&Text::new(bar.said.as_str(), (end + 5, at), style))?;
        }
        line -= 1.0;
    }
    root.present()?;
    Ok(())
}
