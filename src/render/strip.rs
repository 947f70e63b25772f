//! The samples of a metric as a small plot: a histogram of each side over one shared axis.
//!
//! ```text
//! before     ▂▅█▃▁
//! after                    ▁▄█▅▂
//!            14.2 min           20.9 min
//! ```

use super::lang;
use super::number;
use super::table::{Look, Tone};
use super::text::{Align, pad, width};
use crate::units::Unit;

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 8] = ['.', ':', '-', '=', '+', '*', '%', '#'];

/// Two histograms (base above, candidate below) and their axis in `look.width` columns at most (not under 32); nothing
/// when there is no finite pair.
pub fn strip(samples: &[(f64, f64)], unit: &Unit, look: Look) -> String {
    let pairs: Vec<(f64, f64)> = samples.iter().copied().filter(|(a, b)| a.is_finite() && b.is_finite()).collect();
    let all = || pairs.iter().flat_map(|&(a, b)| [a, b]);
    let (low, high) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if pairs.is_empty() {
        return String::new();
    }
    let labels = [lang::word(look.lang, "table.before"), lang::word(look.lang, "table.after")];
    let label_width = labels.iter().map(|l| width(l)).max().unwrap_or(0);
    let columns = look.width.clamp(32, 100).saturating_sub(label_width + 2).min(60);
    let place = |value: f64| {
        let share = if high > low { (value - low) / (high - low) } else { 0.5 };
        ((share * (columns - 1) as f64).round() as usize).min(columns - 1)
    };
    let counts = |values: &mut dyn Iterator<Item = f64>| {
        let mut counts = vec![0usize; columns];
        values.for_each(|v| counts[place(v)] += 1);
        counts
    };
    let base = counts(&mut pairs.iter().map(|p| p.0));
    let candidate = counts(&mut pairs.iter().map(|p| p.1));
    let most = base.iter().chain(&candidate).copied().max().unwrap_or(1);
    let signs = if look.unicode { BLOCKS } else { ASCII };
    let mut out = String::new();
    for (label, counts) in labels.iter().zip([base, candidate]) {
        let bars: String =
            counts.iter().map(|&n| if n == 0 { ' ' } else { signs[(n * signs.len()).div_ceil(most) - 1] }).collect();
        out.push_str(&format!("{}  {}\n", pad(label, label_width, Align::Left), bars.trim_end()));
    }
    let ends = number::pair(unit, low, high);
    let axis = if high > low {
        let room = columns.saturating_sub(width(&ends.base));
        format!("{}{}", ends.base, pad(&ends.candidate, room, Align::Right))
    } else {
        format!("{}{}", " ".repeat(place(low).saturating_sub(width(&ends.base) / 2)), ends.base)
    };
    out.push_str(&" ".repeat(label_width + 2));
    out.push_str(&Tone::Quiet.paint(&axis, look));
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Lang;

    fn look(width: usize, unicode: bool) -> Look {
        Look { unicode, ..Look::plain(Lang::En).with_width(width) }
    }

    #[test]
    fn each_side_lies_where_its_readings_are_on_one_axis() {
        let samples = [(10.0, 20.0), (10.0, 20.0), (11.0, 19.0), (10.0, 20.0)];
        let text = strip(&samples, &Unit::Seconds, look(32, true));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(lines[0], "before  █ ▃");
        assert_eq!(lines[1], format!("after   {}▃ █", " ".repeat(21)));
        assert_eq!(lines[2], "        10.00 s          20.00 s");
    }

    #[test]
    fn identical_missing_and_infinite_readings_are_drawn_without_failing() {
        assert_eq!(strip(&[], &Unit::Bytes, look(80, true)), "");
        assert_eq!(strip(&[(f64::NAN, 1.0)], &Unit::Bytes, look(80, true)), "");
        let one = strip(&[(5.0, 5.0)], &Unit::Bytes, look(40, false));
        assert!(one.contains('#') && one.contains("5 B"), "{one}");
        assert!(one.is_ascii());
        let zero_width = strip(&[(1.0, 2.0)], &Unit::Count, look(0, true));
        assert!(zero_width.lines().all(|l| width(l) <= 32), "{zero_width}");
    }
}
