//! Then and now, in one sentence.

use crate::phrase;
use crate::phrase::Phrase;
use crate::policy::MetricComparison;
use crate::render::number;
use crate::render::text::clean;
use crate::stats::Word;
use chrono::{DateTime, FixedOffset};

/// The metrics that two measurements share.
fn shared<'r>(
    then: &'r [MetricComparison],
    now: &'r [MetricComparison],
) -> Vec<(&'r MetricComparison, &'r MetricComparison)> {
    now.iter().filter_map(|row| Some((then.iter().find(|other| other.metric == row.metric)?, row))).collect()
}

/// `-0.3 GB`; `image_size -0.3 GB, build_time +6.0 min` where there are several.
fn changes(rows: &[&MetricComparison]) -> Phrase {
    let one = |row: &&MetricComparison| {
        let change = number::pair(&row.unit, row.base, row.candidate).change;
        let change = match rows.len() {
            1 => change,
            _ => format!("{} {change}", clean(&row.metric)),
        };
        match row.word {
            Word::Inconclusive => phrase!("{change} (not certain)", change),
            _ => change.into(),
        }
    };
    Phrase::joined(rows.iter().map(one).collect(), ", ")
}

/// `multi-stage was -0.3 GB on 2025-03-01; on today's base it is -1.4 GB`, or on the base of another day; none when the two
/// share no metric.
pub fn again(
    name: &str,
    then: (&DateTime<FixedOffset>, &[MetricComparison]),
    now: (Option<&DateTime<FixedOffset>>, &[MetricComparison]),
) -> Option<Phrase> {
    let rows = shared(then.1, now.1);
    let (was, is): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    if is.is_empty() {
        return None;
    }
    let (name, day) = (clean(name), then.0.format("%Y-%m-%d").to_string());
    Some(match now.0 {
        None => {
            phrase!(
                "{name} was {was} on {day}; on today's base it is {is}",
                name,
                was = changes(&was),
                day,
                is = changes(&is)
            )
        }
        Some(today) => phrase!(
            "{name} was {was} on {day}; on the base of {today} it is {is}",
            name,
            was = changes(&was),
            day,
            today = today.format("%Y-%m-%d").to_string(),
            is = changes(&is)
        ),
    })
}

/// `promised -0.3 GB, landed -0.2 GB`; none when the two share no metric.
pub fn landed(promised: &[MetricComparison], realised: &[MetricComparison]) -> Option<Phrase> {
    let (was, is): (Vec<_>, Vec<_>) = shared(promised, realised).into_iter().unzip();
    (!is.is_empty()).then(|| phrase!("promised {was}; landed {is}", was = changes(&was), is = changes(&is)))
}
