//! Times in front of lines: RFC 3339 and its relatives, `HH:MM:SS`, and seconds, in brackets or not.

/// Reads the times of the lines, in seconds after the first.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    first: Option<f64>,
    last: Option<f64>,
    /// Days that a `HH:MM:SS` clock has passed.
    day: f64,
    raw: Option<f64>,
    /// Whether a line had a time of its own, which says nothing of when it was captured.
    own: bool,
}

impl Clock {
    /// Takes the time off a line, if there is one.
    pub fn take<'a>(&mut self, at: Option<f64>, line: &'a str) -> (Option<f64>, &'a str) {
        let (own, rest) = match split(line) {
            Some((Time::Absolute(t), rest)) => (Some(t), rest),
            Some((Time::OfDay(t), rest)) => {
                if self.raw.is_some_and(|raw| t < raw - 43_200.0) {
                    self.day += 86_400.0;
                }
                self.raw = Some(t);
                (Some(t + self.day), rest)
            }
            None => (None, line),
        };
        self.own |= own.is_some();
        let Some(t) = own.or(at).filter(|t| t.is_finite()) else { return (None, rest) };
        let first = *self.first.get_or_insert(t);
        let since = (t - first).clamp(0.0, super::MAX_SECONDS);
        self.last = Some(self.last.map_or(since, |l: f64| l.max(since)));
        (Some(since), rest)
    }

    /// Takes the end of the capture for the last time. Says whether lines had times by the same clock.
    pub fn ended(&mut self, end: f64) -> bool {
        let Some(first) = self.first.filter(|_| !self.own && end.is_finite()) else { return false };
        let since = (end - first).clamp(0.0, super::MAX_SECONDS);
        self.last = Some(self.last.map_or(since, |l| l.max(since)));
        true
    }

    /// The last time seen.
    pub fn last(&self) -> Option<f64> {
        self.last
    }

    /// From the first to the last time, when there were two different ones.
    pub fn total(&self) -> Option<f64> {
        self.last.filter(|&l| l > 0.0)
    }
}

enum Time {
    Absolute(f64),
    OfDay(f64),
}

fn split(line: &str) -> Option<(Time, &str)> {
    let trimmed = line.trim_start_matches([' ', '\u{feff}']);
    let (word, rest) = match trimmed.strip_prefix('[') {
        Some(inner) => {
            let (word, rest) = inner.split_once(']')?;
            (word.trim(), rest)
        }
        None => {
            if !trimmed.starts_with(|c: char| c.is_ascii_digit()) {
                return None;
            }
            // `2025-01-01 10:00:00` is one time.
            let end = match trimmed.as_bytes().get(10) {
                Some(b' ') if trimmed.as_bytes()[4] == b'-' => 11 + trimmed.get(11..)?.find([' ', '\t'])?,
                _ => trimmed.find([' ', '\t'])?,
            };
            let word = trimmed.get(..end)?;
            (word, &trimmed[end..])
        }
    };
    let rest = rest.strip_prefix([' ', '\t']).unwrap_or(rest);
    let bracketed = trimmed.starts_with('[');
    let time = date(word).or_else(|| of_day(word)).or_else(|| seconds(word, bracketed))?;
    Some((time, rest))
}

fn date(word: &str) -> Option<Time> {
    let bytes = word.as_bytes();
    if bytes.len() < 19 || bytes[4] != b'-' || bytes[7] != b'-' || !matches!(bytes[10], b'T' | b' ') {
        return None;
    }
    let text = word.replacen(' ', "T", 1).replace(',', ".");
    if let Ok(t) = chrono::DateTime::parse_from_rfc3339(&text) {
        return Some(Time::Absolute(seconds_of(t.timestamp(), t.timestamp_subsec_nanos())));
    }
    let t = chrono::NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f").ok()?.and_utc();
    Some(Time::Absolute(seconds_of(t.timestamp(), t.timestamp_subsec_nanos())))
}

pub(crate) fn seconds_of(whole: i64, nanos: u32) -> f64 {
    whole as f64 + f64::from(nanos) * 1e-9
}

fn of_day(word: &str) -> Option<Time> {
    let mut parts = word.splitn(3, ':');
    let (h, m, s) = (parts.next()?, parts.next()?, parts.next()?);
    if h.len() > 2 || m.len() != 2 || s.len() < 2 {
        return None;
    }
    let (h, m, s): (u32, u32, f64) = (h.parse().ok()?, m.parse().ok()?, s.replace(',', ".").parse().ok()?);
    (m < 60 && (0.0..61.0).contains(&s)).then(|| Time::OfDay(f64::from(h * 3600 + m * 60) + s))
}

/// `[ 12.345]` or `[12s]`; without brackets only with three decimals or more, since many a line begins with a number.
fn seconds(word: &str, bracketed: bool) -> Option<Time> {
    let number = word.trim_end_matches(':').trim_end_matches('s');
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let enough = if bracketed { !decimals.is_empty() || word.ends_with('s') } else { decimals.len() >= 3 };
    if whole.is_empty() || !digits(whole) || !digits(decimals) || !enough {
        return None;
    }
    number.parse().ok().map(Time::Absolute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_many_forms_are_taken_off() {
        for (first, second) in [
            ("2025-03-01T10:00:00.5000000Z a", "2025-03-01T10:00:02.0Z b c"),
            ("2025-03-01 10:00:00,500 a", "2025-03-01 10:00:02,000 b c"),
            ("[2025-03-01T10:00:00.5+02:00] a", "[2025-03-01T10:00:02.0+02:00] b c"),
            ("23:59:59.5 a", "00:00:01 b c"),
            ("[00:00:00.500] a", "[00:00:02] b c"),
            ("[   0.500] a", "[   2.000] b c"),
            ("0.500123 a", "2.000123 b c"),
        ] {
            let mut clock = Clock::default();
            assert_eq!(clock.take(None, first), (Some(0.0), "a"), "{first}");
            let (at, rest) = clock.take(None, second);
            assert!((at.unwrap() - 1.5).abs() < 1e-6, "{second}: {at:?}");
            assert_eq!(rest, "b c");
        }
    }

    #[test]
    fn lines_that_only_begin_with_a_number_keep_it() {
        for line in ["3.10 is out", "[1/2] STEP 1/4: FROM x", "12 packages", "[ 50%] Building", "2025-03-01", "[x"] {
            assert_eq!(Clock::default().take(None, line), (None, line));
        }
        assert_eq!(Clock::default().take(Some(4.0), "x"), (Some(0.0), "x"));
    }
}
