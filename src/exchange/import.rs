//! Two sides of readings that another tool took: a comparison that does not pretend to be paired.
//!
//! Other tools measure one side after the other. What the machine did meanwhile is in the difference, and no statistics takes
//! it out again (`benches/README.md` has the figures: Welch's test on ten and ten runs one after the other is wrong three to
//! five times as often as it says). So a metric that varies is never called improved or regressed here. It is `inconclusive`,
//! with the interval of Welch's t for the difference of means of the logarithms at the level [`LEVEL`], and the rules of the
//! recommendation go by both ends of that interval. Readings that are all the same on each side, at least two, and are no
//! times are exact, as when they are measured here.
//!
//! Source: B. L. Welch, Biometrika 34 (1947), with the degrees of freedom of Satterthwaite.

use super::{ExchangeError, Series, Side};
use crate::config::{Better, Config, Matters};
use crate::measure::Sample;
use crate::policy::MetricComparison;
use crate::policy::compare::{exact_word, relative};
use crate::stats::student::t_quantile;
use crate::stats::{Word, median};
use crate::units::{Ratio, Unit, base_unit};
use std::collections::BTreeMap;

/// The confidence of an interval.
pub const LEVEL: f64 = 0.99;

/// A comparison, and the readings that it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// One row for each metric that both sides have.
    pub rows: Vec<MetricComparison>,
    /// Every reading: first those of the base, then those of the candidate, each in a round of its own, so that nothing takes
    /// them for pairs.
    pub samples: Vec<Sample>,
    /// Metrics that only one side has.
    pub alone: Vec<String>,
}

/// What the user says of metrics whose files do not say it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Told {
    /// The unit that the values of a metric are in.
    pub units: BTreeMap<String, String>,
    /// Which direction is better.
    pub better: BTreeMap<String, Better>,
}

impl Told {
    /// Puts the values of both sides into the base units that are told. A metric that no side has, or that has a unit of
    /// its own, is an error.
    pub fn convert(&self, sides: &mut [Side; 2]) -> Result<(), ExchangeError> {
        let known: Vec<String> = sides.iter().flat_map(|side| &side.series).map(|one| one.metric.clone()).collect();
        for metric in self.units.keys().chain(self.better.keys()) {
            if !known.contains(metric) {
                let nearest = crate::config::nearest(metric, known.iter().map(String::as_str)).map(String::from);
                return Err(ExchangeError::NoMetric { metric: metric.clone(), nearest });
            }
        }
        for series in sides.iter_mut().flat_map(|side| &mut side.series) {
            let Some(symbol) = self.units.get(&series.metric) else { continue };
            if series.unit != Unit::Count {
                let unit = series.unit.symbol().to_string();
                return Err(ExchangeError::HasUnit { metric: series.metric.clone(), unit });
            }
            let (unit, factor) = base_unit(symbol).unwrap_or((Unit::from(symbol.clone()), 1.0));
            series.unit = unit;
            series.values.iter_mut().for_each(|value| *value *= factor);
        }
        Ok(())
    }
}

/// Compares two sides. A metric that `config` knows under the same name has its `matters`, `better` and `limit`, but `better`
/// that was told counts more; `matters` of the others is 1 % for sizes and 5 % for all else.
pub fn compare(base: &Side, candidate: &Side, config: Option<&Config>, told: &Told) -> Result<Imported, ExchangeError> {
    let names = |side: &Side| side.series.iter().map(|series| series.metric.clone()).collect::<Vec<_>>();
    let find = |side: &'_ Side, name: &str| side.series.iter().position(|series| series.metric == name);
    let mut rows = Vec::new();
    let mut alone: Vec<String> = names(candidate).into_iter().filter(|name| find(base, name).is_none()).collect();
    let mut kept: [Vec<&Series>; 2] = Default::default();
    for one in &base.series {
        let Some(place) = find(candidate, &one.metric) else {
            alone.push(one.metric.clone());
            continue;
        };
        let other = &candidate.series[place];
        if let Some(row) = row(one, other, config, told) {
            rows.push(row);
            kept[0].push(one);
            kept[1].push(other);
        } else {
            alone.push(one.metric.clone());
        }
    }
    if rows.is_empty() {
        return Err(ExchangeError::NothingInCommon { base: names(base), candidate: names(candidate) });
    }
    let mut samples = Vec::new();
    for (side, series) in kept.iter().enumerate() {
        let most = series.iter().map(|one| one.values.len()).max().unwrap_or(0);
        for reading in 0..most {
            let value = |one: &&Series| Some((one.metric.clone(), *one.values.get(reading)?));
            let values: BTreeMap<String, f64> = series.iter().filter_map(value).collect();
            samples.push(Sample { round: samples.len(), place: 0, side, at: 0.0, values });
        }
    }
    Ok(Imported { rows, samples, alone })
}

/// A row; none when a reading is no finite number or the units differ.
fn row(base: &Series, candidate: &Series, config: Option<&Config>, told: &Told) -> Option<MetricComparison> {
    let finite = |series: &Series| !series.values.is_empty() && series.values.iter().all(|value| value.is_finite());
    if base.unit != candidate.unit || !finite(base) || !finite(candidate) {
        return None;
    }
    let known = config.and_then(|config| config.metric(&base.metric)).filter(|known| known.unit == base.unit);
    let usual = if base.unit == Unit::Bytes { 0.01 } else { 0.05 };
    let matters = known.map_or(Matters::Relative(Ratio(usual)), |known| known.matters);
    let better = told.better.get(&base.metric).copied();
    let better: Better = better.unwrap_or_else(|| known.map_or(base.better, |known| known.better));
    let same = |values: &[f64]| values.len() > 1 && values.iter().all(|value| *value == values[0]);
    let exact = base.unit != Unit::Seconds && same(&base.values) && same(&candidate.values);
    let (a, b) = (median(&base.values)?, median(&candidate.values)?);
    Some(MetricComparison {
        metric: base.metric.clone(),
        unit: base.unit.clone(),
        better,
        matters,
        base: a,
        candidate: b,
        relative: relative(a, b),
        interval: if exact { None } else { welch(&base.values, &candidate.values) },
        exact,
        rounds: base.values.len().min(candidate.values.len()),
        word: if exact { exact_word(a, b, matters, better) } else { Word::Inconclusive },
        limit: known.and_then(|known| known.limit),
        detectable: None,
        rounds_needed: None,
    })
}

/// The interval of the relative change at [`LEVEL`]; none unless all readings are above zero and each side has two.
fn welch(base: &[f64], candidate: &[f64]) -> Option<[f64; 2]> {
    if base.len() < 2 || candidate.len() < 2 || base.iter().chain(candidate).any(|value| *value <= 0.0) {
        return None;
    }
    let logs = |values: &[f64]| {
        let n = values.len() as f64;
        let mean = values.iter().map(|value| value.ln()).sum::<f64>() / n;
        let squares = values.iter().map(|value| (value.ln() - mean).powi(2)).sum::<f64>();
        (mean, squares / (n - 1.0) / n, n)
    };
    let ((a, va, na), (b, vb, nb)) = (logs(base), logs(candidate));
    let error = (va + vb).sqrt();
    if error == 0.0 {
        // Times that never vary are a coarse clock: nothing is known of what lies below its step.
        return None;
    }
    let freedom = (va + vb).powi(2) / (va.powi(2) / (na - 1.0) + vb.powi(2) / (nb - 1.0));
    let half = t_quantile(0.5 + LEVEL / 2.0, (freedom.floor() as usize).max(1)) * error;
    Some([(b - a - half).exp() - 1.0, (b - a + half).exp() - 1.0]).filter(|ends| ends.iter().all(|end| end.is_finite()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(metric: &str, unit: Unit, values: &[f64]) -> Side {
        let series = Series { metric: metric.into(), unit, better: Better::Lower, values: values.to_vec() };
        Side { series: vec![series], ..Side::default() }
    }

    #[test]
    fn times_are_never_decided_however_far_apart_they_are() {
        let (a, b) = (side("t", Unit::Seconds, &[10.0, 10.1, 9.9]), side("t", Unit::Seconds, &[1.0, 1.1, 0.9]));
        let imported = compare(&a, &b, None, &Told::default()).unwrap();
        let row = &imported.rows[0];
        assert_eq!((row.word, row.base, row.candidate, row.rounds), (Word::Inconclusive, 10.0, 1.0, 3));
        let [low, high] = row.interval.unwrap();
        assert!(low < -0.9 && -0.9 < high && high < -0.8, "{low} {high}");
        assert!(crate::measure::pairs(&imported.samples, "t", 0, 1).is_empty(), "nothing takes them for pairs");
    }

    #[test]
    fn the_interval_is_that_of_welch() {
        // In logs: means 0 and ln 2; both variances 0.02/2; error sqrt(0.01/3 * 2); 4 degrees of freedom; t(0.995, 4) = 4.6041.
        let around = |middle: f64| [middle - 0.1, middle, middle + 0.1].map(f64::exp);
        let [low, high] = welch(&around(0.0), &around(2f64.ln())).unwrap();
        let half = 4.604_094_9 * (0.02f64 / 3.0).sqrt();
        assert!((low - ((2f64.ln() - half).exp() - 1.0)).abs() < 1e-6, "{low}");
        assert!((high - ((2f64.ln() + half).exp() - 1.0)).abs() < 1e-6, "{high}");
        assert_eq!(welch(&[1.0], &[1.0, 2.0]), None);
        assert_eq!(welch(&[1.0, 0.0], &[1.0, 2.0]), None);
        assert_eq!(welch(&[1.0, 1.0], &[2.0, 2.0]), None);
    }

    #[test]
    fn sizes_that_never_vary_are_exact_and_a_single_one_is_not() {
        let row = |a: &[f64], b: &[f64]| {
            compare(&side("s", Unit::Bytes, a), &side("s", Unit::Bytes, b), None, &Told::default())
                .unwrap()
                .rows
                .remove(0)
        };
        assert_eq!(row(&[100.0, 100.0], &[90.0, 90.0]).word, Word::Improved);
        assert_eq!(row(&[100.0], &[90.0]).word, Word::Inconclusive);
        assert_eq!(row(&[100.0, 100.0], &[90.0, 91.0]).word, Word::Inconclusive);
    }

    #[test]
    fn what_only_one_side_has_is_named_and_nothing_in_common_is_an_error() {
        let (mut a, b) = (side("t", Unit::Seconds, &[1.0]), side("t", Unit::Seconds, &[2.0]));
        a.series.push(Series { metric: "only".into(), ..a.series[0].clone() });
        assert_eq!(compare(&a, &b, None, &Told::default()).unwrap().alone, ["only"]);
        let error = compare(&a, &side("x", Unit::Seconds, &[1.0]), None, &Told::default()).unwrap_err();
        assert!(matches!(error, ExchangeError::NothingInCommon { .. }));
        let nan = side("t", Unit::Seconds, &[f64::NAN]);
        assert!(matches!(compare(&a, &nan, None, &Told::default()), Err(ExchangeError::NothingInCommon { .. })));
    }
}
