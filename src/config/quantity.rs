//! A quantity written in the configuration, held against the unit of the metric it speaks of.

use super::error::{Problem, echo};
use crate::units::{QuantityError, Unit, parse_as};
use std::time::Duration;

/// The longest timeout that is accepted: one year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// An amount of `metric` in its base unit; the problem's offset is that of the bad word in `text`.
pub(super) fn amount(text: &str, unit: &Unit, metric: &str) -> Result<f64, Problem> {
    parse_as(text, unit).map_err(|error| explain(error, text, unit, &format!("metric '{}' is", echo(metric))))
}

/// A timeout, above zero.
pub(super) fn timeout(text: &str) -> Result<Duration, Problem> {
    let seconds =
        parse_as(text, &Unit::Seconds).map_err(|error| explain(error, text, &Unit::Seconds, "a timeout is"))?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() && duration <= LONGEST => Ok(duration),
        _ => {
            let message = format!("'{}' is not a timeout between 1 ns and 8760 h", echo(text));
            Err(Problem::new(0, message, "write 30m, or leave the timeout out"))
        }
    }
}

fn explain(error: QuantityError, text: &str, unit: &Unit, subject: &str) -> Problem {
    let shown = echo(text.trim());
    let (kind, example) = describe(unit);
    match error {
        QuantityError::UnknownUnit { unit: bad, nearest } => {
            let at = text.rfind(&bad).unwrap_or(0);
            Problem::new(at, format!("unknown unit '{}'", echo(&bad)), format!("did you mean '{nearest}'?"))
        }
        QuantityError::WrongKind(_) => {
            Problem::new(0, format!("'{shown}' has the wrong unit: {subject} {kind}"), format!("write {example}"))
        }
        QuantityError::NoUnit(_) => {
            Problem::new(0, format!("'{shown}' has no unit: {subject} {kind}"), format!("write {example}"))
        }
        QuantityError::NoNumber(_) => {
            Problem::new(0, format!("'{shown}' does not start with a number"), format!("write {example}"))
        }
        QuantityError::NotFinite(_) => {
            Problem::new(0, format!("'{shown}' is not a finite number of zero or more"), format!("write {example}"))
        }
    }
}

/// What values of a unit are called, and one of them.
pub(super) fn describe(unit: &Unit) -> (String, String) {
    match unit {
        Unit::Bytes => ("a size".to_string(), "a size such as \"50 MB\"".to_string()),
        Unit::Seconds => ("a time".to_string(), "a time such as \"5 s\"".to_string()),
        Unit::Count => ("a plain number".to_string(), "a number such as 10".to_string()),
        Unit::Custom(s) => (format!("in {}", echo(s)), format!("a number such as \"10 {}\"", echo(s))),
    }
}
