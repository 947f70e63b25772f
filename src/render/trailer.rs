//! The trailers that carry a decision in a commit message, written and read.
//!
//! They are the machine's part of a message: always English, never wrapped, one block at the very end as
//! `git interpret-trailers` wants it. The decision log of a clone that has no ledger is rebuilt from them.
//!
//! ```text
//! Verdict: revert
//! Verdict-Experiment: multi-stage
//! Verdict-Record: 01K7ZT5M2Q8W3E4R5T6Y7U8J9K
//! Verdict-Baseline: <commit id>
//! Verdict-Candidate: <commit id>
//! Verdict-Metric: build_time 872.1 s -> 1230.4 s +41.1% [+38.0%, +44.1%] n=12 regressed
//! Verdict-Metric: image_size 3600000000 B -> 3300000000 B -8.3% exact improved
//! ```

use super::number::percent_digits;
use super::text::clean;
use crate::config::{Better, Matters};
use crate::git::Oid;
use crate::ledger::event::{Decided, Event, Verdict};
use crate::policy::MetricComparison;
use crate::stats::Word;
use crate::units::{Ratio, Unit};
use std::collections::HashMap;
use std::fmt::Write;
use ulid::Ulid;

/// One `Verdict-Metric` trailer. Numbers have the precision that the text has.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricTrailer {
    /// The metric's name.
    pub metric: String,
    /// Its unit.
    pub unit: Unit,
    /// The base's value in the base unit.
    pub base: f64,
    /// The candidate's value.
    pub candidate: f64,
    /// Relative change; none when the base is zero.
    pub relative: Option<f64>,
    /// Interval of the relative change.
    pub interval: Option<[f64; 2]>,
    /// Whether both sides read the same twice.
    pub exact: bool,
    /// Complete rounds; one for an exact metric, whose trailer does not say.
    pub rounds: usize,
    /// The answer.
    pub word: Word,
}

/// The decision that a commit message carries.
#[derive(Debug, Clone, PartialEq)]
pub struct Carried {
    /// Keep or revert.
    pub verdict: Verdict,
    /// The experiment's name.
    pub experiment: String,
    /// The record's id.
    pub record: Ulid,
    /// Where the experiment started; not in the merge that follows a revert commit.
    pub baseline: Option<Oid>,
    /// What was decided on; not in the merge that follows a revert commit.
    pub candidate: Option<Oid>,
    /// One for each metric, in order.
    pub metrics: Vec<MetricTrailer>,
}

/// The value of a `Verdict-Metric` trailer: `build_time 872.1 s -> 1230.4 s +41.1% [+38.0%, +44.1%] n=12 regressed`.
///
/// Sizes are whole bytes, other numbers have at least six figures. White space, control characters and other things that
/// would not come back are percent-encoded in names and units.
pub fn trailer(row: &MetricComparison) -> String {
    MetricTrailer::from(row).to_string()
}

/// Reads the value of a `Verdict-Metric` trailer: the inverse of [`trailer`], at the precision of the text.
pub fn parse_trailer(text: &str) -> Option<MetricTrailer> {
    let mut words = text.split_ascii_whitespace().peekable();
    let metric = decode(words.next()?)?;
    let base = words.next()?.parse().ok()?;
    let mut symbol = String::new();
    if let Some(word) = words.next_if(|w| *w != "->") {
        symbol = decode(word)?;
    }
    words.next_if(|w| *w == "->")?;
    let candidate = words.next()?.parse().ok()?;
    if !symbol.is_empty() && decode(words.next()?)? != symbol {
        return None;
    }
    let relative = match words.next_if(|w| w.ends_with('%') && !w.starts_with('[')) {
        Some(word) => Some(parse_percent(word)?),
        None => None,
    };
    let interval = match words.next_if(|w| w.starts_with('[')) {
        Some(low) => {
            let high = words.next()?;
            Some([parse_percent(low.strip_prefix('[')?.strip_suffix(',')?)?, parse_percent(high.strip_suffix(']')?)?])
        }
        None => None,
    };
    let exact = words.next_if(|w| *w == "exact").is_some();
    let rounds = match words.next_if(|w| w.starts_with("n=")) {
        Some(word) => word[2..].parse().ok()?,
        None if exact => 1,
        None => return None,
    };
    let word = match words.next()? {
        "improved" => Word::Improved,
        "regressed" => Word::Regressed,
        "unchanged" => Word::Unchanged,
        "inconclusive" => Word::Inconclusive,
        _ => return None,
    };
    if words.next().is_some() {
        return None;
    }
    let unit = Unit::from(symbol);
    Some(MetricTrailer { metric, unit, base, candidate, relative, interval, exact, rounds, word })
}

impl From<&MetricComparison> for MetricTrailer {
    fn from(row: &MetricComparison) -> Self {
        MetricTrailer {
            metric: row.metric.clone(),
            unit: row.unit.clone(),
            base: row.base,
            candidate: row.candidate,
            relative: row.relative,
            interval: if row.exact { None } else { row.interval },
            exact: row.exact,
            rounds: if row.exact { 1 } else { row.rounds },
            word: row.word,
        }
    }
}

impl std::fmt::Display for MetricTrailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let symbol = encode(self.unit.symbol());
        let gap = if symbol.is_empty() { "" } else { " " };
        write!(f, "{} {}{gap}{symbol} -> ", encode(&self.metric), figures(&self.unit, self.base))?;
        write!(f, "{}{gap}{symbol}", figures(&self.unit, self.candidate))?;
        if let Some(relative) = self.relative {
            write!(f, " {}%", percent_digits(relative))?;
        }
        if let Some([low, high]) = self.interval {
            write!(f, " [{}%, {}%]", percent_digits(low), percent_digits(high))?;
        }
        if self.exact {
            write!(f, " exact")?;
        } else {
            write!(f, " n={}", self.rounds)?;
        }
        write!(f, " {}", self.word)
    }
}

impl MetricTrailer {
    /// A row for tables. What a trailer does not say is filled in: which direction is better follows from the answer
    /// (lower, when that does not tell), `matters` is zero, there is no limit.
    pub fn into_comparison(self) -> MetricComparison {
        let rose = self.candidate > self.base;
        let better = match self.word {
            Word::Improved if rose => Better::Higher,
            Word::Regressed if !rose && self.candidate != self.base => Better::Higher,
            _ => Better::Lower,
        };
        MetricComparison {
            metric: self.metric,
            unit: self.unit,
            better,
            matters: Matters::Relative(Ratio(0.0)),
            base: self.base,
            candidate: self.candidate,
            relative: self.relative,
            interval: self.interval,
            exact: self.exact,
            rounds: self.rounds,
            word: self.word,
            limit: None,
            detectable: None,
            rounds_needed: None,
        }
    }
}

/// The trailer block of the commit that carries a decision's numbers, without a line end at its end.
pub fn block(event: &Event, decided: &Decided) -> String {
    let mut out = short_block(event, decided);
    let _ = write!(out, "\nVerdict-Baseline: {}", decided.base.commit);
    let _ = write!(out, "\nVerdict-Candidate: {}", decided.candidate.commit);
    for row in &decided.comparison {
        let _ = write!(out, "\nVerdict-Metric: {}", trailer(row));
    }
    out
}

/// The trailer block of a commit that belongs to a decision whose numbers another commit carries.
pub fn short_block(event: &Event, decided: &Decided) -> String {
    let (verdict, name) = (decided.verdict.as_str(), clean(&event.name));
    format!("Verdict: {verdict}\nVerdict-Experiment: {name}\nVerdict-Record: {}", event.id)
}

/// The decision that a commit message carries, read from the trailer block at its end; none when there is none or when
/// what it says cannot be a decision. A `Verdict-Metric` that cannot be read is left out.
pub fn parse_message(message: &str) -> Option<Carried> {
    let mut verdict = None;
    let mut experiment = None;
    let mut record = None;
    let mut baseline = None;
    let mut candidate = None;
    let mut metrics = Vec::new();
    for (key, value) in trailers(message) {
        match key.to_ascii_lowercase().as_str() {
            "verdict" => {
                verdict = match value.as_str() {
                    "keep" => Some(Verdict::Keep),
                    "revert" => Some(Verdict::Revert),
                    _ => None,
                }
            }
            "verdict-experiment" => experiment = Some(value),
            "verdict-record" => record = Ulid::from_string(&value).ok(),
            "verdict-baseline" => baseline = Oid::parse(&value),
            "verdict-candidate" => candidate = Oid::parse(&value),
            "verdict-metric" => metrics.extend(parse_trailer(&value)),
            _ => {}
        }
    }
    let experiment = experiment.filter(|name: &String| !name.is_empty())?;
    Some(Carried { verdict: verdict?, experiment, record: record?, baseline, candidate, metrics })
}

/// One of each record, in the order they were first met: the one that says most (a revert in mode `merge` leaves two
/// commits with the same record, of which one carries the numbers). The tag is whatever the caller knows it by.
pub fn distinct<T>(found: impl IntoIterator<Item = (T, Carried)>) -> Vec<(T, Carried)> {
    let weight = |c: &Carried| (c.baseline.is_some() as usize + c.candidate.is_some() as usize, c.metrics.len());
    let mut places: HashMap<Ulid, usize> = HashMap::new();
    let mut kept: Vec<(T, Carried)> = Vec::new();
    for (tag, carried) in found {
        match places.get(&carried.record) {
            Some(&place) if weight(&carried) > weight(&kept[place].1) => kept[place] = (tag, carried),
            Some(_) => {}
            None => {
                places.insert(carried.record, kept.len());
                kept.push((tag, carried));
            }
        }
    }
    kept
}

/// The trailers at the end of a message, continuation lines joined with a space. As `git interpret-trailers` reads them:
/// the last paragraph but not the first; lines that are no trailers are passed over.
fn trailers(message: &str) -> Vec<(String, String)> {
    let text = message.replace("\r\n", "\n");
    let Some((_, last)) = text.trim_end().rsplit_once("\n\n") else { return Vec::new() };
    let mut found: Vec<(String, String)> = Vec::new();
    for line in last.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = found.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
            continue;
        }
        let Some((key, value)) = line.split_once(':') else { continue };
        let key = key.trim_end();
        if !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            found.push((key.to_string(), value.trim().to_string()));
        }
    }
    found
}

/// A number that loses nothing that was measured: whole bytes and whole numbers in full, others with six figures or with
/// all before the point.
fn figures(unit: &Unit, value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    if *unit == Unit::Bytes || value == value.trunc() {
        return format!("{:.0}", value + 0.0);
    }
    let digits = (5.0 - value.abs().log10().floor()).clamp(0.0, 17.0) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}

fn parse_percent(word: &str) -> Option<f64> {
    Some(word.strip_suffix('%')?.parse::<f64>().ok()? / 100.0)
}

/// One word: white space and what may not be shown are percent-encoded (RFC 3986, section 2.1), and so is a percent sign
/// that would be read as such an escape.
fn encode(text: &str) -> String {
    if text == "->" {
        return "-%3E".to_string();
    }
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let mut bytes = [0; 4];
        let one: &str = c.encode_utf8(&mut bytes);
        let refused = c.is_whitespace() || c.is_control() || clean(one) != one;
        let ambiguous = c == '%' && text.as_bytes().get(at + 1..at + 3).is_some_and(is_hex);
        if refused || ambiguous {
            for byte in one.bytes() {
                let _ = write!(out, "%{byte:02X}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn decode(word: &str) -> Option<String> {
    let bytes = word.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes.get(at + 1..at + 3) {
            Some(pair) if bytes[at] == b'%' && is_hex(pair) => {
                out.push(u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?);
                at += 3;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).ok()
}

fn is_hex(pair: &[u8]) -> bool {
    pair.len() == 2 && pair.iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(metric: &str, unit: Unit, base: f64, candidate: f64, word: Word) -> MetricComparison {
        MetricTrailer {
            metric: metric.into(),
            unit,
            base,
            candidate,
            relative: Some(candidate / base - 1.0),
            interval: None,
            exact: true,
            rounds: 1,
            word,
        }
        .into_comparison()
    }

    #[test]
    fn the_trailers_of_the_contract_are_written_as_it_says() {
        let mut time = row("build_time", Unit::Seconds, 872.1, 1230.4, Word::Regressed);
        (time.exact, time.rounds, time.interval) = (false, 12, Some([0.38, 0.441]));
        assert_eq!(trailer(&time), "build_time 872.1 s -> 1230.4 s +41.1% [+38.0%, +44.1%] n=12 regressed");
        let size = row("image_size", Unit::Bytes, 3.6e9, 3.3e9, Word::Improved);
        assert_eq!(trailer(&size), "image_size 3600000000 B -> 3300000000 B -8.3% exact improved");
    }

    #[test]
    fn small_times_and_large_counts_keep_their_figures() {
        assert_eq!(figures(&Unit::Seconds, 0.0012), "0.0012");
        assert_eq!(figures(&Unit::Seconds, 0.000_000_123_456_7), "0.000000123457");
        assert_eq!(figures(&Unit::Seconds, 872.103_482), "872.103");
        assert_eq!(figures(&Unit::Count, 12_345_678_901.0), "12345678901");
        assert_eq!(figures(&Unit::Custom("op".into()), 12_345_678.4), "12345678");
        assert_eq!(figures(&Unit::Bytes, 1.5), "2");
    }

    #[test]
    fn a_change_from_nothing_has_no_percentage() {
        let mut errors = row("errors", Unit::Count, 0.0, 3.0, Word::Regressed);
        errors.relative = None;
        assert_eq!(trailer(&errors), "errors 0 -> 3 exact regressed");
        assert_eq!(parse_trailer("errors 0 -> 3 exact regressed").map(|t| t.relative), Some(None));
    }

    #[test]
    fn names_and_units_with_spaces_come_back() {
        let odd = row("a b\nVerdict: keep", Unit::Custom("% of \u{202e}x".into()), 1.5, 2.5, Word::Unchanged);
        let text = trailer(&odd);
        assert!(!text.contains('\n') && !text.contains('\u{202e}'), "{text}");
        assert_eq!(parse_trailer(&text).map(|t| (t.metric, t.unit)), Some((odd.metric, odd.unit)));
    }

    #[test]
    fn what_is_no_metric_trailer_is_refused() {
        for text in [
            "",
            "build_time",
            "build_time 1 s",
            "build_time 1 s -> 2 min n=3 improved",
            "build_time x s -> 2 s n=3 improved",
            "build_time 1 s -> 2 s improved",
            "build_time 1 s -> 2 s n=3 better",
            "build_time 1 s -> 2 s n=3 improved really",
            "build_time 1 s -> 2 s +x% n=3 improved",
            "build_time 1 s -> 2 s +1% [+1% n=3 improved",
            "%FF 1 s -> 2 s n=3 improved",
        ] {
            assert_eq!(parse_trailer(text), None, "{text}");
        }
    }

    #[test]
    fn a_message_without_a_whole_decision_carries_none() {
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        let whole = format!("revert: x\n\nbody\n\nVerdict: revert\nVerdict-Experiment: x\nVerdict-Record: {id}\n");
        assert_eq!(parse_message(&whole).map(|c| c.experiment), Some("x".to_string()));
        assert_eq!(parse_message(&whole.replace("Verdict: revert", "Verdict: maybe")), None);
        assert_eq!(parse_message(&whole.replace(id, "not-an-id")), None);
        assert_eq!(parse_message(&format!("{whole}\nanother paragraph\n")), None);
        assert_eq!(parse_message("Verdict: revert\nVerdict-Experiment: x"), None);
        let signed = format!("{whole}Signed-off-by: A <a@b.c>\n(cherry picked from commit 1234)\n");
        assert!(parse_message(&signed).is_some());
    }

    fn words() -> impl Strategy<Value = Word> {
        prop_oneof![Just(Word::Improved), Just(Word::Regressed), Just(Word::Unchanged), Just(Word::Inconclusive)]
    }

    fn metric_trailers() -> impl Strategy<Value = MetricTrailer> {
        let number = prop_oneof![0.0..1e-6f64, 0.0..10.0f64, 0.0..1e12f64, (0u64..1 << 53).prop_map(|n| n as f64)];
        let unit =
            prop_oneof![Just(String::new()), Just("B".into()), Just("s".into()), any::<String>(), "[->%0-9a-f ]{1,4}"];
        let relative = proptest::option::of(-1.0..50.0f64);
        let interval = proptest::option::of((-1.0..1.0f64, -1.0..60.0f64).prop_map(|(a, b)| [a, b]));
        (
            ("\\PC{1,12}|[\\x00-\\x7f]{1,12}", unit, number.clone(), number),
            (relative, interval, any::<bool>(), 1usize..999, words()),
        )
            .prop_map(|((metric, unit, base, candidate), (relative, interval, exact, rounds, word))| {
                MetricTrailer {
                    metric,
                    unit: Unit::from(unit),
                    base,
                    candidate,
                    relative,
                    interval: interval.filter(|_| !exact),
                    exact,
                    rounds: if exact { 1 } else { rounds },
                    word,
                }
            })
    }

    fn near(a: f64, b: f64, relative: f64, absolute: f64) -> bool {
        (a - b).abs() <= a.abs() * relative + absolute
    }

    proptest! {
        #[test]
        fn a_written_trailer_is_read_back(trailer in metric_trailers()) {
            let text = trailer.to_string();
            prop_assert!(!text.contains(['\n', '\r']));
            let read = parse_trailer(&text);
            prop_assert!(read.is_some(), "{}", text);
            let read = read.unwrap();
            prop_assert_eq!(&read.metric, &trailer.metric);
            prop_assert_eq!(&read.unit, &trailer.unit);
            prop_assert_eq!((read.exact, read.rounds, read.word), (trailer.exact, trailer.rounds, trailer.word));
            let slack = if trailer.unit == Unit::Bytes { 0.5 } else { 1e-17 };
            prop_assert!(near(trailer.base, read.base, 5.1e-6, slack), "{} {}", trailer.base, text);
            prop_assert!(near(trailer.candidate, read.candidate, 5.1e-6, slack), "{} {}", trailer.candidate, text);
            prop_assert_eq!(read.relative.is_some(), trailer.relative.is_some());
            if let (Some(a), Some(b)) = (trailer.relative, read.relative) {
                prop_assert!(near(a, b, 5.1e-4, 5.1e-4), "{} {}", a, text);
            }
            prop_assert_eq!(read.interval.is_some(), trailer.interval.is_some());
            prop_assert_eq!(read.to_string(), text, "the text is a fixed point");
        }

        #[test]
        fn no_text_at_all_makes_the_reader_panic(text in any::<String>()) {
            let _ = parse_trailer(&text);
            let _ = parse_message(&text);
        }
    }
}
