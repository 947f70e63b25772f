//! A quantity written in the configuration, held against the unit of the metric it speaks of.

use super::error::{Problem, echo};
use crate::phrase;
use crate::phrase::Phrase;
use crate::units::{QuantityError, Unit, parse_as};
use std::time::Duration;

/// The longest timeout that is accepted: one year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// An amount of `metric` in its base unit; the problem's offset is that of the bad word in `text`.
pub(super) fn amount(text: &str, unit: &Unit, metric: &str) -> Result<f64, Problem> {
    parse_as(text, unit).map_err(|error| {
        explain(error, text, unit, |kind| phrase!("metric '{metric}' is {kind}", metric = echo(metric), kind))
    })
}

/// A timeout, above zero.
pub(super) fn timeout(text: &str) -> Result<Duration, Problem> {
    let seconds = parse_as(text, &Unit::Seconds)
        .map_err(|error| explain(error, text, &Unit::Seconds, |kind| phrase!("a timeout is {kind}", kind)))?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() && duration <= LONGEST => Ok(duration),
        _ => {
            let message = phrase!("'{text}' is not a timeout between 1 ns and 8760 h", text = echo(text));
            Err(Problem::new(0, message, "write 30m, or leave the timeout out"))
        }
    }
}

fn explain(error: QuantityError, text: &str, unit: &Unit, subject: impl Fn(Phrase) -> Phrase) -> Problem {
    let shown = echo(text.trim());
    let (kind, example) = describe(unit);
    match error {
        QuantityError::UnknownUnit { unit: bad, nearest } => {
            let at = text.rfind(&bad).unwrap_or(0);
            Problem::new(
                at,
                phrase!("unknown unit '{word}'", word = echo(&bad)),
                phrase!("did you mean '{near}'?", near = nearest),
            )
        }
        QuantityError::WrongKind(_) => Problem::new(
            0,
            phrase!("'{shown}' has the wrong unit: {subject}", shown, subject = subject(kind)),
            phrase!("write {example}", example),
        ),
        QuantityError::NoUnit(_) => Problem::new(
            0,
            phrase!("'{shown}' has no unit: {subject}", shown, subject = subject(kind)),
            phrase!("write {example}", example),
        ),
        QuantityError::NoNumber(_) => Problem::new(
            0,
            phrase!("'{shown}' does not start with a number", shown),
            phrase!("write {example}", example),
        ),
        QuantityError::NotFinite(_) => Problem::new(
            0,
            phrase!("'{text}' is not a finite number of zero or more", text = shown),
            phrase!("write {example}", example),
        ),
    }
}

/// What values of a unit are called, and one of them.
pub(super) fn describe(unit: &Unit) -> (Phrase, Phrase) {
    match unit {
        Unit::Bytes => ("a size".into(), "a size such as \"50 MB\"".into()),
        Unit::Seconds => ("a time".into(), "a time such as \"5 s\"".into()),
        Unit::Count => ("a plain number".into(), "a number such as 10".into()),
        Unit::Custom(s) => (phrase!("in {s}", s = echo(s)), phrase!("a number such as \"10 {s}\"", s = echo(s))),
    }
}
