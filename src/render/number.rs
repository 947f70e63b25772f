//! Numbers for people: both sides of a comparison and their difference in one unit that fits them all.

use crate::units::{Scale, Unit};

/// Both sides of a row and their difference, as people read them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// `14.5 min`.
    pub base: String,
    /// `20.5 min`.
    pub candidate: String,
    /// The difference with its sign: `+6.0 min`; `0 s` when there is none.
    pub change: String,
    /// The difference without its sign: `6.0 min`.
    pub size: String,
}

/// Writes both values in the unit of the larger one, with as many digits as it takes to tell them apart (four after the
/// point at most). What is too small for that unit has its own.
pub fn pair(unit: &Unit, base: f64, candidate: f64) -> Pair {
    let scale = Scale::of(unit, base.abs().max(candidate.abs()));
    let change = candidate - base;
    let most = scale.digits.max(4);
    let digits = if change == 0.0 { scale.digits } else { scale.digits_apart(base, candidate, most).unwrap_or(most) };
    let side = |value: f64| match scale.digits_apart(value, 0.0, digits) {
        None if value != 0.0 => unit.show(value),
        _ => scale.show(value, digits),
    };
    let size = if scale.digits == 0 || change.abs() / scale.factor >= 10f64.powi(1 - scale.digits as i32) {
        scale.show(change.abs(), scale.digits)
    } else {
        unit.show(change.abs())
    };
    let sign = match change {
        c if c > 0.0 => "+",
        c if c < 0.0 => "-",
        _ => "",
    };
    Pair { base: side(base), candidate: side(candidate), change: format!("{sign}{size}"), size }
}

/// A relative change with its sign: 0.411 is `+41.1 %`, 0.0004 is `+0.04 %`, nothing is `0.0 %`.
pub fn percent(relative: f64) -> String {
    format!("{} %", percent_digits(relative))
}

/// An interval of a relative change: `[+38.0, +44.1] %`.
pub fn interval([low, high]: [f64; 2]) -> String {
    format!("[{}, {}] %", bound_digits(low), bound_digits(high))
}

/// One end of an interval: `+44.1 %`.
pub fn bound(relative: f64) -> String {
    format!("{} %", bound_digits(relative))
}

/// The largest end of an interval that is written out: two pairs on a busy machine leave one of `+1037807321 %`, which says
/// no more than that next to nothing is known.
const LARGEST_BOUND: f64 = 99.99;

fn bound_digits(relative: f64) -> String {
    if relative > LARGEST_BOUND { ">+9999".to_string() } else { percent_digits(relative) }
}

/// The signed number of a percentage without its unit: one digit after the point, or as many as show two figures of a
/// small one, or none of a large one.
pub(super) fn percent_digits(relative: f64) -> String {
    let value = relative * 100.0;
    let size = value.abs();
    let digits = match size {
        s if s >= 999.95 => 0,
        s if s >= 0.095 || s == 0.0 => 1,
        s if s >= 0.0095 => 2,
        _ => 3,
    };
    let text = format!("{value:+.digits$}");
    let nothing = text.bytes().all(|b| !matches!(b, b'1'..=b'9'));
    if nothing && value.is_finite() { "0.0".to_string() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(unit: Unit, base: f64, candidate: f64) -> (String, String, String) {
        let pair = pair(&unit, base, candidate);
        (pair.base, pair.candidate, pair.change)
    }

    fn owned(base: &str, candidate: &str, change: &str) -> (String, String, String) {
        (base.into(), candidate.into(), change.into())
    }

    #[test]
    fn both_sides_and_the_change_share_a_unit() {
        assert_eq!(texts(Unit::Seconds, 872.1, 1230.4), owned("14.5 min", "20.5 min", "+6.0 min"));
        assert_eq!(texts(Unit::Bytes, 3.6e9, 3.3e9), owned("3.60 GB", "3.30 GB", "-0.30 GB"));
        assert_eq!(texts(Unit::Seconds, 0.0012, 0.0015), owned("1.2 ms", "1.5 ms", "+300.0 µs"));
        assert_eq!(texts(Unit::Custom("req/s".into()), 1250.0, 1300.0), owned("1250 req/s", "1300 req/s", "+50 req/s"));
        assert_eq!(texts(Unit::Count, 12.0, 10.0), owned("12", "10", "-2"));
    }

    #[test]
    fn a_change_too_small_for_the_unit_has_its_own_and_the_sides_still_differ() {
        assert_eq!(texts(Unit::Bytes, 3.6e9, 3.598e9), owned("3.600 GB", "3.598 GB", "-2.0 MB"));
        assert_eq!(texts(Unit::Seconds, 872.1, 872.9), owned("14.54 min", "14.55 min", "+800.0 ms"));
    }

    #[test]
    fn a_side_too_small_for_the_unit_of_the_other_does_not_look_like_nothing() {
        assert_eq!(texts(Unit::Bytes, 3.6e9, 4e6), owned("3.60 GB", "4.0 MB", "-3.60 GB"));
        assert_eq!(texts(Unit::Seconds, 0.000_2, 90.0), owned("200.0 µs", "90.00 s", "+90.00 s"));
    }

    #[test]
    fn zero_and_no_change_have_no_sign() {
        assert_eq!(texts(Unit::Seconds, 0.0, 0.0), owned("0 s", "0 s", "0 s"));
        assert_eq!(texts(Unit::Bytes, 5.0, 5.0), owned("5 B", "5 B", "0 B"));
        assert_eq!(texts(Unit::Bytes, 0.0, 2e6), owned("0.0 MB", "2.0 MB", "+2.0 MB"));
    }

    #[test]
    fn percentages_keep_the_figures_of_small_changes() {
        assert_eq!(percent(0.411), "+41.1 %");
        assert_eq!(percent(-0.0833), "-8.3 %");
        assert_eq!(percent(0.0004), "+0.04 %");
        assert_eq!(percent(-0.0), "0.0 %");
        assert_eq!(percent(1e-9), "0.0 %");
        assert_eq!(percent(25.5), "+2550 %");
        assert_eq!(interval([0.38, 0.441]), "[+38.0, +44.1] %");
    }

    #[test]
    fn an_interval_that_says_nothing_is_not_written_out() {
        assert_eq!(interval([-1.0, 1e7]), "[-100.0, >+9999] %");
        assert_eq!(interval([-0.5, f64::INFINITY]), "[-50.0, >+9999] %");
        assert_eq!(bound(99.99), "+9999 %");
    }
}
