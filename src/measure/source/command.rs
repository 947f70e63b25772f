//! A number printed by a command.

use super::{Place, Trouble};
use crate::config::{Command, Extract};
use crate::measure::runner::{self, Outcome, Sink};
use crate::units::Unit;
use regex::Regex;
use std::time::Duration;

/// Standard output longer than this is an error.
const LIMIT: u64 = 64 << 20;

/// Runs a metric's command and finds the number in its standard output.
pub fn read(
    place: &Place<'_>,
    name: &str,
    command: &Command,
    timeout: Option<Duration>,
    extract: &Extract,
    unit: &Unit,
) -> Result<f64, Trouble> {
    let ran = super::run(place, command, name, timeout, LIMIT)?;
    if ran.finished.outcome != Outcome::Success {
        let tail = runner::tail(&Sink::Split { out: &ran.out, err: &ran.err, limit: LIMIT });
        return Err(Trouble::Failed { outcome: ran.finished.outcome, tail, log: ran.err });
    }
    let text = runner::read_output(&ran.out)?;
    extract_number(&text, extract, unit).map_err(Trouble::Problem)
}

/// Finds the number in a command's output. It must be finite, and for sizes and times not negative.
pub fn extract_number(text: &str, extract: &Extract, unit: &Unit) -> Result<f64, String> {
    let value = match extract {
        Extract::Pattern(pattern) => by_pattern(text, pattern)?,
        Extract::Json(pointer) => by_pointer(text, pointer)?,
        Extract::Whole => number(text.trim()).map_err(|problem| {
            format!("{problem}; give a pattern or a json pointer when the number is only part of the output")
        })?,
    };
    if !value.is_finite() {
        return Err(format!("the command printed {value}, which is not a finite number"));
    }
    if value < 0.0 && matches!(unit, Unit::Bytes | Unit::Seconds) {
        let kind = if *unit == Unit::Bytes { "size" } else { "time" };
        return Err(format!("the command printed {value}, and a {kind} cannot be negative"));
    }
    Ok(value)
}

fn by_pattern(text: &str, pattern: &str) -> Result<f64, String> {
    let regex = Regex::new(pattern).map_err(|e| format!("'{pattern}' is not a regular expression: {e}"))?;
    let found = regex.captures_iter(text).last();
    let Some(found) = found else {
        return Err(format!(
            "nothing in the output matches '{pattern}'; it printed {printed}",
            printed = excerpt(text)
        ));
    };
    let group = found.get(1).or_else(|| if regex.captures_len() == 1 { found.get(0) } else { None });
    let Some(group) = group else {
        return Err(format!("the last match of '{pattern}' has nothing in its group"));
    };
    number(group.as_str().trim())
}

fn by_pointer(text: &str, pointer: &str) -> Result<f64, String> {
    use serde_json::Value;
    let json: Value = serde_json::from_str(text)
        .map_err(|e| format!("the output is not JSON ({e}); it printed {printed}", printed = excerpt(text)))?;
    match json.pointer(pointer) {
        None => Err(format!("the output has nothing at {pointer}")),
        Some(Value::Number(n)) => n.as_f64().ok_or_else(|| format!("{n} at {pointer} is too large")),
        Some(Value::String(s)) => number(s.trim()).map_err(|e| format!("{e} (at {pointer})")),
        Some(other) => {
            let kind = match other {
                Value::Null => "null",
                Value::Bool(_) => "true or false",
                Value::Array(_) => "a list",
                _ => "an object",
            };
            Err(format!("the output has {kind} at {pointer}, not a number"))
        }
    }
}

/// Reads a number. Commas are taken as thousands separators where they can be nothing else.
fn number(text: &str) -> Result<f64, String> {
    if text.is_empty() {
        return Err("the command printed nothing where a number was expected".into());
    }
    if let Ok(value) = text.parse::<f64>() {
        return Ok(value);
    }
    if text.contains(',') {
        let groups = Regex::new(r"^[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?$").map_err(|e| e.to_string())?;
        let certain = text.contains('.') || text.matches(',').count() > 1;
        let without = text.replace(',', "");
        return match without.parse::<f64>() {
            Ok(value) if certain && groups.is_match(text) => Ok(value),
            _ => Err(format!("'{text}' is not clearly one number; print it with a point and without commas")),
        };
    }
    Err(format!("{printed} is not a number", printed = excerpt(text)))
}

/// The beginning of a text, quoted, for an error.
fn excerpt(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() {
        return "nothing".into();
    }
    let line = runner::plain(text.lines().next().unwrap_or_default());
    let short: String = line.chars().take(60).collect();
    let more = if short.len() < line.len() || text.lines().count() > 1 { "…" } else { "" };
    format!("'{short}{more}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Result<f64, String> {
        extract_number(text, &Extract::Whole, &Unit::Count)
    }
    fn pattern(text: &str, pattern: &str) -> Result<f64, String> {
        extract_number(text, &Extract::Pattern(pattern.into()), &Unit::Count)
    }
    fn json(text: &str, pointer: &str) -> Result<f64, String> {
        extract_number(text, &Extract::Json(pointer.into()), &Unit::Count)
    }

    #[test]
    fn the_last_match_of_a_pattern_wins() {
        assert_eq!(pattern("req/s: 10.5\nreq/s: 12.25\n", "req/s: ([0-9.]+)"), Ok(12.25));
        assert_eq!(pattern("a 1 b 2", "[0-9]"), Ok(2.0));
        assert_eq!(pattern("1e-3 s", r"(\S+) s"), Ok(0.001));
        assert!(pattern("none", "x([0-9])").unwrap_err().contains("it printed 'none'"));
        assert!(pattern("x", "x([0-9])?").unwrap_err().contains("nothing in its group"));
        assert!(pattern("x", "(").unwrap_err().contains("is not a regular expression"));
    }

    #[test]
    fn a_json_pointer_finds_numbers_and_numbers_in_strings() {
        assert_eq!(json(r#"{"results":[{"rps":1250}]}"#, "/results/0/rps"), Ok(1250.0));
        assert_eq!(json(r#"{"t":"1.5"}"#, "/t"), Ok(1.5));
        assert_eq!(json("{}", "/t"), Err("the output has nothing at /t".into()));
        assert_eq!(json(r#"{"t":[1]}"#, "/t"), Err("the output has a list at /t, not a number".into()));
        assert!(json("oops", "/t").unwrap_err().starts_with("the output is not JSON"));
    }

    #[test]
    fn output_that_is_no_finite_number_is_refused() {
        assert_eq!(whole(" 42\n"), Ok(42.0));
        for text in ["", "NaN", "nan", "inf", "-infinity", "1e999", "12 ms", "0x10", "one\ntwo"] {
            assert!(whole(text).is_err(), "{text:?}");
        }
        assert!(whole("NaN").unwrap_err().contains("NaN, which is not a finite number"));
    }

    #[test]
    fn a_negative_number_is_refused_for_sizes_and_times_only() {
        let read = |unit| extract_number("-1", &Extract::Whole, &unit);
        assert_eq!(read(Unit::Count), Ok(-1.0));
        assert_eq!(read(Unit::Custom("dB".into())), Ok(-1.0));
        assert!(read(Unit::Bytes).unwrap_err().contains("a size cannot be negative"));
        assert!(read(Unit::Seconds).unwrap_err().contains("a time cannot be negative"));
    }

    #[test]
    fn thousands_separators_are_read_only_where_they_can_be_nothing_else() {
        assert_eq!(whole("1,234.5"), Ok(1234.5));
        assert_eq!(whole("1,234,567"), Ok(1234567.0));
        for text in ["1,234", "1,23", "12,34.5", "1.234,5", "1,,234.5"] {
            assert!(whole(text).unwrap_err().contains("is not clearly one number"), "{text}");
        }
    }
}
