//! The samples of one metric: both sides' readings with the pairs joined, and the interval of the change below them.

use super::chart::{WIDE, percent, wide};
use crate::config::Matters;
use crate::policy::MetricComparison;
use crate::render::number;
use crate::render::text::clean;
use serde::Serialize;
use std::fmt::Write;

/// Pixels from the top of the base's readings and of the candidate's.
pub const LANES: [f64; 2] = [9.0, 31.0];
/// Pairs that are drawn.
const PAIRS: usize = 80;

/// What is drawn for one metric.
#[derive(Debug, Serialize)]
pub struct Plot {
    /// The readings; none when they are not at hand or all the same.
    pub readings: Option<Readings>,
    /// The change with its interval; none of an exact metric.
    pub effect: Option<Effect>,
    /// Bars of an exact metric, in percent of the larger.
    pub bars: Option<[String; 2]>,
}

/// The readings of both sides on one axis.
#[derive(Debug, Serialize)]
pub struct Readings {
    /// Path that joins each pair.
    pub links: String,
    /// Path of the base's dots.
    pub base: String,
    /// Path of the candidate's dots.
    pub candidate: String,
    /// The least reading.
    pub low: String,
    /// The greatest.
    pub high: String,
    /// Complete pairs.
    pub pairs: usize,
}

/// The relative change on an axis that holds nothing, the change that matters, and the interval.
#[derive(Debug, Serialize)]
pub struct Effect {
    /// No change.
    pub zero: String,
    /// The change.
    pub at: String,
    /// Where the interval begins, and its width; none when there is none.
    pub interval: Option<[String; 2]>,
    /// Where the changes that do not matter begin, and their width.
    pub margin: Option<[String; 2]>,
}

impl Plot {
    /// The drawing of a row, with the pairs that it rests on as far as they are at hand; none when nothing can be drawn.
    pub fn new(row: &MetricComparison, pairs: &[(f64, f64)]) -> Option<Plot> {
        let plot = if row.exact {
            Plot { readings: None, effect: None, bars: bars(row) }
        } else {
            Plot { readings: readings(row, pairs), effect: effect(row), bars: None }
        };
        (plot.readings.is_some() || plot.effect.is_some() || plot.bars.is_some()).then_some(plot)
    }
}

fn bars(row: &MetricComparison) -> Option<[String; 2]> {
    let most = row.base.max(row.candidate);
    let fits = row.base >= 0.0 && row.candidate >= 0.0 && most > 0.0;
    fits.then(|| [percent(row.base / most), percent(row.candidate / most)])
}

fn readings(row: &MetricComparison, pairs: &[(f64, f64)]) -> Option<Readings> {
    let pairs: Vec<(f64, f64)> = pairs.iter().copied().filter(|(a, b)| a.is_finite() && b.is_finite()).collect();
    let all = pairs.iter().flat_map(|(a, b)| [*a, *b]);
    let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if pairs.is_empty() || low >= high || !(high - low).is_finite() {
        return None;
    }
    let place = |value: f64| wide(0.015 + 0.97 * (value - low) / (high - low));
    let [above, below] = LANES;
    let (mut links, mut base, mut candidate) = (String::new(), String::new(), String::new());
    // Spread over the session when there are too many.
    for pair in pairs.iter().step_by(pairs.len().div_ceil(PAIRS)) {
        let (a, b) = (place(pair.0), place(pair.1));
        // Writing to a String cannot fail.
        let _ = write!(links, "M{a} {above}L{b} {below}");
        let _ = write!(base, "M{a} {above}h0");
        let _ = write!(candidate, "M{b} {below}h0");
    }
    let ends = number::pair(&row.unit, low, high);
    let text = |text: &str| clean(text).into_owned();
    Some(Readings { links, base, candidate, low: text(&ends.base), high: text(&ends.candidate), pairs: pairs.len() })
}

fn effect(row: &MetricComparison) -> Option<Effect> {
    let change = row.relative.filter(|change| change.is_finite())?;
    let interval = row.interval.filter(|[low, high]| low.is_finite() && high.is_finite() && low <= high);
    let margin = match row.matters {
        Matters::Relative(ratio) => ratio.0,
        Matters::Absolute(amount) => amount / row.base.abs(),
    };
    let margin = Some(margin.abs()).filter(|margin| margin.is_finite());
    let [least, greatest] = interval.unwrap_or([change, change]);
    let reach = margin.unwrap_or(0.0);
    let (low, high) = (least.min(change).min(-reach), greatest.max(change).max(reach));
    let span = high - low;
    if !(span > 0.0 && span.is_finite()) {
        return None;
    }
    let share = |value: f64| 0.03 + 0.94 * (value - low) / span;
    let stretch = |[from, to]: [f64; 2]| [percent(share(from)), percent((share(to) - share(from)).max(2.0 / WIDE))];
    Some(Effect {
        zero: percent(share(0.0)),
        at: percent(share(change)),
        interval: interval.map(stretch),
        margin: margin.map(|margin| stretch([-margin, margin])),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Better;
    use crate::stats::Word;
    use crate::units::{Ratio, Unit};

    fn row(exact: bool, base: f64, candidate: f64, interval: Option<[f64; 2]>) -> MetricComparison {
        MetricComparison {
            metric: "wall".into(),
            unit: Unit::Seconds,
            better: Better::Lower,
            matters: Matters::Relative(Ratio(0.05)),
            base,
            candidate,
            relative: Some(candidate / base - 1.0),
            interval,
            exact,
            rounds: 2,
            word: Word::Regressed,
            limit: None,
            detectable: None,
            rounds_needed: None,
        }
    }

    #[test]
    fn every_pair_is_joined_and_the_interval_lies_around_the_change() {
        let row = row(false, 10.0, 20.0, Some([0.9, 1.1]));
        let plot = Plot::new(&row, &[(10.0, 20.0), (11.0, 19.0)]).unwrap();
        let readings = plot.readings.unwrap();
        assert_eq!(readings.links, "M15 9L985 31M112 9L888 31");
        assert_eq!(readings.base, "M15 9h0M112 9h0");
        assert_eq!((readings.low.as_str(), readings.high.as_str(), readings.pairs), ("10.00 s", "20.00 s", 2));
        let effect = plot.effect.unwrap();
        let number = |text: &str| text.trim_end_matches('%').parse::<f64>().unwrap();
        let [from, width] = effect.interval.unwrap().map(|text| number(&text));
        assert!(number(&effect.zero) < from && from < number(&effect.at) && number(&effect.at) < from + width);
    }

    #[test]
    fn many_pairs_are_thinned_and_nothing_absurd_is_drawn() {
        let plain = row(false, 10.0, 20.0, None);
        let many: Vec<(f64, f64)> = (0..1000).map(|n| (f64::from(n), 20.0)).collect();
        let readings = Plot::new(&plain, &many).unwrap().readings.unwrap();
        assert_eq!((readings.base.matches('M').count(), readings.pairs), (77, 1000));
        for pairs in [vec![], vec![(f64::NAN, 1.0)], vec![(5.0, 5.0)], vec![(-f64::MAX, f64::MAX)]] {
            assert!(Plot::new(&plain, &pairs).unwrap().readings.is_none(), "{pairs:?}");
        }
        let absurd = row(false, 0.0, f64::INFINITY, Some([f64::NAN, 1.0]));
        assert!(Plot::new(&absurd, &[]).is_none());
    }

    #[test]
    fn an_exact_metric_is_two_bars() {
        let bars = Plot::new(&row(true, 4.0, 3.0, None), &[]).unwrap().bars.unwrap();
        assert_eq!(bars, ["100%", "75%"]);
        assert!(Plot::new(&row(true, -4.0, 3.0, None), &[]).is_none());
    }
}
