//! Quantities: how they are parsed, converted and printed.
//!
//! Newtypes keep a size from being added to a time. Base units are the byte and the second; decimal prefixes are SI
//! (kB = 1000 B), binary ones are IEC 80000-13 (KiB = 1024 B).

use crate::phrase;
use crate::phrase::Phrase;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

/// A time in seconds.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(pub f64);

/// A dimensionless ratio; 0.05 is five percent.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ratio(pub f64);

impl From<Duration> for Seconds {
    fn from(d: Duration) -> Self {
        Seconds(d.as_secs_f64())
    }
}

/// The unit of a metric. Serialised as its symbol: `"B"`, `"s"`, `""` for a plain count, anything else as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Unit {
    /// Bytes; readings are whole numbers.
    Bytes,
    /// Seconds.
    Seconds,
    /// A plain number.
    Count,
    /// A unit of the user's own, such as `req/s`.
    Custom(String),
}

impl From<String> for Unit {
    fn from(s: String) -> Self {
        match s.as_str() {
            "B" => Unit::Bytes,
            "s" => Unit::Seconds,
            "" => Unit::Count,
            _ => Unit::Custom(s),
        }
    }
}

impl From<Unit> for String {
    fn from(u: Unit) -> Self {
        u.symbol().to_string()
    }
}

impl Unit {
    /// The symbol of the base unit: `B`, `s`, nothing, or the user's own.
    pub fn symbol(&self) -> &str {
        match self {
            Unit::Bytes => "B",
            Unit::Seconds => "s",
            Unit::Count => "",
            Unit::Custom(s) => s,
        }
    }

    /// A value of this unit for a person: `3.6 GB`, `872.1 s`, `14.5 min`, `1.2 ms`, `1250 req/s`, `1.022 G`.
    pub fn show(&self, value: f64) -> String {
        let scale = Scale::of(self, value.abs());
        if matches!(self, Unit::Count | Unit::Custom(_)) && value != 0.0 && value.abs() < 1e-6 {
            return scale.join(&format!("{value:.3e}"));
        }
        scale.show(value, scale.digits)
    }

    /// Two values as [`Unit::show`] writes them, with more digits when they would look the same and are not.
    pub fn show_apart(&self, a: f64, b: f64) -> (String, String) {
        let shown = (self.show(a), self.show(b));
        if shown.0 != shown.1 {
            return shown;
        }
        let scale = Scale::of(self, a.abs().max(b.abs()));
        let digits = scale.digits_apart(a, b, scale.digits + 5).unwrap_or(scale.digits);
        (scale.show(a, digits), scale.show(b, digits))
    }

    /// A difference of this unit for a person, always signed: `-0.3 GB`, `+6.0 min`.
    pub fn show_change(&self, value: f64) -> String {
        let sign = if value < 0.0 { "-" } else { "+" };
        format!("{sign}{}", self.show(value.abs()))
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.symbol())
    }
}

const BYTE_UNITS: &[(&str, f64)] = &[
    ("B", 1.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
];

const TIME_UNITS: &[(&str, f64)] =
    &[("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("min", 60.0), ("m", 60.0), ("h", 3600.0)];

/// What large counts are told in, a unit of their own behind it.
const COUNT_UNITS: &[(&str, f64)] = &[("M", 1e6), ("G", 1e9), ("T", 1e12)];

/// Why a quantity could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuantityError {
    /// No number at the front.
    NoNumber(String),
    /// The number is negative, infinite or not a number.
    NotFinite(String),
    /// The unit is not known; the nearest known one follows.
    UnknownUnit {
        /// The word that was read.
        unit: String,
        /// The nearest known unit.
        nearest: &'static str,
    },
    /// A size where a time was wanted, or the other way round.
    WrongKind(String),
    /// A bare number where a size or a time was wanted.
    NoUnit(String),
}

impl QuantityError {
    /// The sentence that says so.
    pub fn what(&self) -> Phrase {
        match self {
            QuantityError::NoNumber(text) => phrase!("'{text}' does not start with a number", text),
            QuantityError::NotFinite(text) => phrase!("'{text}' is not a finite number of zero or more", text),
            QuantityError::UnknownUnit { unit, nearest } => {
                phrase!("unknown unit '{unit}', did you mean '{nearest}'?", unit, nearest = *nearest)
            }
            QuantityError::WrongKind(text) => phrase!("'{text}' has the wrong kind of unit here", text),
            QuantityError::NoUnit(text) => phrase!("'{text}' has no unit", text),
        }
    }
}

impl fmt::Display for QuantityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what().fmt(f)
    }
}

impl std::error::Error for QuantityError {}

/// Splits `"1.5 GB"` into 1.5 and `"GB"`.
pub fn split_quantity(text: &str) -> Result<(f64, &str), QuantityError> {
    let text = text.trim();
    let end = text
        .char_indices()
        .find(|&(i, c)| {
            let exponent = (c == 'e' || c == 'E')
                && text[i + 1..].starts_with(|n: char| n.is_ascii_digit() || n == '-' || n == '+')
                && i > 0;
            let after_exponent = (c == '-' || c == '+') && i > 0 && matches!(text.as_bytes()[i - 1], b'e' | b'E');
            !(c.is_ascii_digit() || c == '.' || (i == 0 && (c == '-' || c == '+')) || exponent || after_exponent)
        })
        .map_or(text.len(), |(i, _)| i);
    let number: f64 = text[..end].parse().map_err(|_| QuantityError::NoNumber(text.to_string()))?;
    if !number.is_finite() || number < 0.0 {
        return Err(QuantityError::NotFinite(text.to_string()));
    }
    Ok((number, text[end..].trim()))
}

/// Reads a quantity with its unit: `"4 GB"` is 4e9 and [`Unit::Bytes`], `"1 min"` is 60 and [`Unit::Seconds`].
/// A bare number is a [`Unit::Count`].
pub fn parse_quantity(text: &str) -> Result<(f64, Unit), QuantityError> {
    let (number, unit) = split_quantity(text)?;
    if unit.is_empty() {
        return Ok((number, Unit::Count));
    }
    let Some((kind, factor)) = base_unit(unit) else {
        return Err(QuantityError::UnknownUnit { unit: unit.to_string(), nearest: nearest_unit(unit) });
    };
    let value = number * factor;
    if !value.is_finite() {
        return Err(QuantityError::NotFinite(text.trim().to_string()));
    }
    Ok((value, kind))
}

/// The base unit that a unit symbol belongs to, and how many of the base unit it is: `"MB"` is a million bytes.
/// None for a symbol that is neither a size nor a time.
pub fn base_unit(symbol: &str) -> Option<(Unit, f64)> {
    let find = |table: &[(&str, f64)]| table.iter().find(|(name, _)| *name == symbol).map(|(_, factor)| *factor);
    find(BYTE_UNITS).map(|f| (Unit::Bytes, f)).or_else(|| find(TIME_UNITS).map(|f| (Unit::Seconds, f)))
}

/// Reads a value of a known unit, in that base unit: a size or a time must carry a unit of its kind, a count is a bare
/// number, millions as `M` and so on, and a custom unit may be written or left out.
pub fn parse_as(text: &str, unit: &Unit) -> Result<f64, QuantityError> {
    let (number, symbol) = split_quantity(text)?;
    let kind = base_unit(symbol).map(|(kind, _)| kind);
    match unit {
        Unit::Bytes | Unit::Seconds => match kind {
            Some(kind) if kind == *unit => parse_quantity(text).map(|(value, _)| value),
            Some(_) => Err(QuantityError::WrongKind(text.trim().to_string())),
            None if symbol.is_empty() => Err(QuantityError::NoUnit(text.trim().to_string())),
            None => {
                let table = if *unit == Unit::Bytes { BYTE_UNITS } else { TIME_UNITS };
                Err(QuantityError::UnknownUnit { unit: symbol.to_string(), nearest: nearest_of(symbol, table) })
            }
        },
        Unit::Count | Unit::Custom(_) => {
            let fits = |symbol: &str| symbol.is_empty() || symbol == unit.symbol();
            let large = || {
                COUNT_UNITS.iter().find_map(|(name, factor)| {
                    let rest = symbol.strip_prefix(name)?;
                    (fits(rest.trim_start()) && (rest.is_empty() || rest.starts_with(' '))).then_some(number * factor)
                })
            };
            let value = if fits(symbol) { Some(number) } else { large() };
            let value = value.ok_or_else(|| QuantityError::WrongKind(text.trim().to_string()))?;
            if value.is_finite() { Ok(value) } else { Err(QuantityError::NotFinite(text.trim().to_string())) }
        }
    }
}

/// Reads a duration such as `"30m"`, `"10 min"` or `"90 s"`.
pub fn parse_duration(text: &str) -> Result<Duration, QuantityError> {
    match parse_quantity(text)? {
        (value, Unit::Seconds) => {
            Duration::try_from_secs_f64(value).map_err(|_| QuantityError::NotFinite(text.to_string()))
        }
        _ => Err(QuantityError::WrongKind(text.to_string())),
    }
}

fn nearest_unit(word: &str) -> &'static str {
    let (size, time) = (nearest_of(word, BYTE_UNITS), nearest_of(word, TIME_UNITS));
    if distance(word, time) < distance(word, size) { time } else { size }
}

fn nearest_of(word: &str, table: &'static [(&'static str, f64)]) -> &'static str {
    table.iter().map(|(name, _)| *name).min_by_key(|name| distance(word, name)).unwrap_or("B")
}

/// Edit distance that prefers the same letters in another case.
fn distance(word: &str, name: &str) -> usize {
    let exact_case = strsim::damerau_levenshtein(word, name) * 2;
    let any_case = strsim::damerau_levenshtein(&word.to_lowercase(), &name.to_lowercase()) * 3;
    exact_case.min(any_case + 1)
}

/// How values up to some size are written: in which multiple of their unit, and with how many digits after the point.
#[derive(Debug, Clone, Copy)]
pub struct Scale<'a> {
    /// How many of the base unit the multiple is.
    pub factor: f64,
    /// How the multiple is written, where that is not a part of the symbol.
    pub multiple: &'static str,
    /// How the unit is written.
    pub symbol: &'a str,
    /// Digits after the point.
    pub digits: usize,
}

impl<'a> Scale<'a> {
    /// The scale for values up to `size`.
    pub fn of(unit: &'a Unit, size: f64) -> Scale<'a> {
        let scale = |factor, symbol, digits| Scale { factor, multiple: "", symbol, digits };
        match unit {
            Unit::Bytes => match size {
                s if s < 999.5 => scale(1.0, "B", 0),
                s if s < 999_950.0 => scale(1e3, "kB", 1),
                s if s < 999_950_000.0 => scale(1e6, "MB", 1),
                s if s < 999_950_000_000.0 => scale(1e9, "GB", 2),
                _ => scale(1e12, "TB", 2),
            },
            Unit::Seconds => match size {
                0.0 => scale(1.0, "s", 0),
                s if s < 999.5e-9 => scale(1e-9, "ns", 0),
                s if s < 999.5e-6 => scale(1e-6, "µs", 1),
                s if s < 0.9995 => scale(1e-3, "ms", 1),
                s if s < 99.995 => scale(1.0, "s", 2),
                s if s < 600.0 => scale(1.0, "s", 1),
                s if s < 7200.0 => scale(60.0, "min", 1),
                _ => scale(3600.0, "h", 1),
            },
            Unit::Count | Unit::Custom(_) => {
                let large = COUNT_UNITS.iter().rev().find(|(_, factor)| size >= factor * 0.999_95);
                let Some(&(multiple, factor)) = large.filter(|_| size.is_finite()) else {
                    return scale(1.0, unit.symbol(), significant_digits(size));
                };
                // Four figures, of whole numbers too: what was left out is not known to be zero.
                let digits = (3.0 - (size / factor).log10().floor()).clamp(0.0, 3.0) as usize;
                Scale { factor, multiple, symbol: unit.symbol(), digits }
            }
        }
    }

    /// A value on this scale: `13.25 kB`.
    pub fn show(&self, value: f64, digits: usize) -> String {
        self.join(&self.number(value, digits))
    }

    /// The smallest number of digits, up to `most`, that tells two values apart; none when it takes more.
    pub fn digits_apart(&self, a: f64, b: f64, most: usize) -> Option<usize> {
        (self.digits..=most).find(|&digits| self.number(a, digits) != self.number(b, digits))
    }

    fn number(&self, value: f64, digits: usize) -> String {
        format!("{:.digits$}", value / self.factor)
    }

    fn join(&self, number: &str) -> String {
        let mut text = number.to_string();
        for part in [self.multiple, self.symbol].into_iter().filter(|part| !part.is_empty()) {
            text.push(' ');
            text.push_str(part);
        }
        text
    }
}

/// Digits after the point that show four figures; none of a whole number.
fn significant_digits(size: f64) -> usize {
    if size == 0.0 || !size.is_finite() || (size == size.trunc() && size < 1e15) {
        return 0;
    }
    (3.0 - size.log10().floor()).clamp(0.0, 9.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_values_that_differ_look_different() {
        let apart = |unit: &Unit, a, b| {
            let (a, b) = unit.show_apart(a, b);
            format!("{a} to {b}")
        };
        assert_eq!(apart(&Unit::Bytes, 13_248.0, 13_178.0), "13.25 kB to 13.18 kB");
        assert_eq!(apart(&Unit::Bytes, 419_000.0, 194_100.0), "419.0 kB to 194.1 kB");
        assert_eq!(apart(&Unit::Bytes, 5e9, 5e9), "5.00 GB to 5.00 GB");
        assert_eq!(apart(&Unit::Bytes, 5e9, 5e9 + 1.0), "5.00 GB to 5.00 GB", "at some time it is enough");
        assert_eq!(apart(&Unit::Seconds, 12.344, 12.341), "12.344 s to 12.341 s");
        assert_eq!(apart(&Unit::Count, 1.234_56, 1.234_51), "1.2346 to 1.2345");
        assert_eq!(apart(&Unit::Custom("req/s".into()), 0.0, 0.0), "0 req/s to 0 req/s");
    }

    #[test]
    fn sizes_and_times_are_read_in_base_units() {
        assert_eq!(parse_quantity("50 MB"), Ok((50e6, Unit::Bytes)));
        assert_eq!(parse_quantity("1KiB"), Ok((1024.0, Unit::Bytes)));
        assert_eq!(parse_quantity("1.5 min"), Ok((90.0, Unit::Seconds)));
        assert_eq!(parse_quantity("2e3"), Ok((2000.0, Unit::Count)));
        assert_eq!(parse_duration("30m"), Ok(Duration::from_secs(1800)));
    }

    #[test]
    fn an_unknown_unit_names_the_nearest_one() {
        for (word, nearest) in [("Mb", "MB"), ("gb", "GB"), ("sec", "s"), ("mins", "min"), ("kb", "kB")] {
            match parse_quantity(&format!("1 {word}")) {
                Err(QuantityError::UnknownUnit { nearest: n, .. }) => assert_eq!(n, nearest, "for {word}"),
                other => panic!("{word}: {other:?}"),
            }
        }
    }

    #[test]
    fn negative_and_infinite_quantities_are_refused() {
        assert!(matches!(parse_quantity("-1 MB"), Err(QuantityError::NotFinite(_))));
        assert!(matches!(parse_quantity("1e999 s"), Err(QuantityError::NotFinite(_))));
        assert!(matches!(parse_quantity("MB"), Err(QuantityError::NoNumber(_))));
    }

    #[test]
    fn people_see_a_unit_that_fits_the_value() {
        assert_eq!(Unit::Bytes.show(3.6e9), "3.60 GB");
        assert_eq!(Unit::Bytes.show_change(-300e6), "-300.0 MB");
        assert_eq!(Unit::Seconds.show_change(360.0), "+360.0 s");
        assert_eq!(Unit::Seconds.show(872.1), "14.5 min");
        assert_eq!(Unit::Seconds.show(0.0012), "1.2 ms");
        assert_eq!(Unit::Custom("req/s".into()).show(1250.0), "1250 req/s");
        assert_eq!(Unit::Bytes.show(999.6), "1.0 kB");
        assert_eq!(Unit::Count.show(2.5e-9), "2.500e-9");
        assert_eq!(Unit::Count.show(999_949.0), "999949");
        assert_eq!(Unit::Count.show(1_021_609_701.0), "1.022 G");
        assert_eq!(Unit::Count.show_change(-249e6), "-249.0 M");
        assert_eq!(Unit::Custom("req/s".into()).show(1.25e6), "1.250 M req/s");
        let (a, b) = Unit::Count.show_apart(135_310_000.0, 135_320_000.0);
        assert_eq!((a.as_str(), b.as_str()), ("135.31 M", "135.32 M"));
    }

    #[test]
    fn a_value_of_a_known_unit_must_be_of_its_kind() {
        let custom = Unit::Custom("req/s".into());
        assert_eq!(parse_as("4 GB", &Unit::Bytes), Ok(4e9));
        assert_eq!(parse_as("5 s", &Unit::Bytes), Err(QuantityError::WrongKind("5 s".into())));
        assert_eq!(parse_as("5", &Unit::Seconds), Err(QuantityError::NoUnit("5".into())));
        assert_eq!(parse_as("5", &Unit::Count), Ok(5.0));
        assert_eq!(parse_as("5 MB", &Unit::Count), Err(QuantityError::WrongKind("5 MB".into())));
        assert_eq!(parse_as("1e3 req/s", &custom), Ok(1000.0));
        assert_eq!(parse_as("1000", &custom), Ok(1000.0));
        assert_eq!(parse_as("1.5 M req/s", &custom), Ok(1.5e6));
        assert_eq!(parse_as("2 G", &Unit::Count), Ok(2e9));
        assert_eq!(parse_as("2 M", &Unit::Custom("M".into())), Ok(2.0), "a unit of one's own comes first");
        assert_eq!(parse_as("2 Mreq/s", &custom), Err(QuantityError::WrongKind("2 Mreq/s".into())));
        assert!(matches!(parse_as("1e308 M", &Unit::Count), Err(QuantityError::NotFinite(_))));
        assert_eq!(parse_as("1000 rps", &custom), Err(QuantityError::WrongKind("1000 rps".into())));
        let unknown = QuantityError::UnknownUnit { unit: "mb".into(), nearest: "MB" };
        assert_eq!(parse_as("5 mb", &Unit::Bytes), Err(unknown));
        let unknown = QuantityError::UnknownUnit { unit: "hb".into(), nearest: "h" };
        assert_eq!(parse_as("5 hb", &Unit::Seconds), Err(unknown), "a time is never told to be a size");
    }

    #[test]
    fn a_quantity_that_overflows_in_its_base_unit_is_refused() {
        assert!(matches!(parse_quantity("1e308 TB"), Err(QuantityError::NotFinite(_))));
        assert!(matches!(parse_as("1e308 h", &Unit::Seconds), Err(QuantityError::NotFinite(_))));
        assert!(matches!(parse_duration("1e300 s"), Err(QuantityError::NotFinite(_))));
    }

    proptest! {
        #[test]
        fn what_people_see_reads_back_to_the_same_value(exponent in -6.0..15.0f64) {
            let value = 10f64.powf(exponent);
            for unit in [Unit::Bytes, Unit::Seconds, Unit::Count, Unit::Custom("req/s".into())] {
                let value = if unit == Unit::Bytes { value.ceil() } else { value };
                let shown = unit.show(value);
                let read = parse_as(&shown, &unit).unwrap();
                prop_assert!((read - value).abs() <= 0.051 * value, "{value} was shown as {shown} and read as {read}");
                prop_assert_eq!(unit.show_change(-value), format!("-{shown}"));
            }
        }

        #[test]
        fn every_unit_scales_and_reads_back(number in 0.0..1e6f64, index in 0usize..17) {
            let (symbol, factor) = BYTE_UNITS.iter().chain(TIME_UNITS).nth(index).unwrap();
            let (kind, own_factor) = base_unit(symbol).unwrap();
            prop_assert_eq!(own_factor, *factor);
            for text in [format!("{number} {symbol}"), format!("{number}{symbol}"), format!(" {number:e}  {symbol} ")] {
                prop_assert_eq!(parse_quantity(&text), Ok((number * factor, kind.clone())));
                prop_assert_eq!(parse_as(&text, &kind), Ok(number * factor));
            }
        }

        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "[-+0-9.eE ]{0,8}\\PC{0,6}") {
            let read = [parse_quantity(&text).map(|(v, _)| v), parse_as(&text, &Unit::Bytes), parse_as(&text, &Unit::Count)];
            for value in read.into_iter().flatten() {
                prop_assert!(value.is_finite() && value >= 0.0);
            }
            let _ = parse_duration(&text);
        }
    }
}
