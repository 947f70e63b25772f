//! What `go test -bench` prints (the Go benchmark data format): lines of a name beginning with `Benchmark`, a number of
//! iterations, and pairs of value and unit. `-count` repeats lines; each is a reading.

use super::{ExchangeError, Format, Part, Series, Side, text_of, unit_of};
use std::path::Path;

/// The format.
#[derive(Debug)]
pub struct GoBench;

impl Format for GoBench {
    fn name(&self) -> &'static str {
        "go"
    }

    fn read(&self, path: &Path, _part: Part<'_>) -> Result<Side, ExchangeError> {
        let side = parse(&text_of(path)?);
        if side.series.is_empty() {
            return Err(ExchangeError::format(path, "it has no line of a benchmark"));
        }
        Ok(side)
    }
}

/// The readings in a text; lines that are none are passed over, as the format wants it.
pub fn parse(text: &str) -> Side {
    let mut side = Side::default();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some(name) = words.next().and_then(|word| word.strip_prefix("Benchmark")) else { continue };
        if words.next().is_none_or(|word| word.parse::<u64>().is_err()) {
            continue;
        }
        // The end of the name is the number of processors, not part of what is measured.
        let name = match name.rsplit_once('-') {
            Some((name, processors)) if processors.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => name,
        };
        while let (Some(value), Some(symbol)) = (words.next(), words.next()) {
            let Ok(value) = value.parse::<f64>() else { break };
            let (unit, factor, better) = unit_of(symbol);
            let metric = if symbol == "ns/op" { name.to_string() } else { format!("{name} {symbol}") };
            match side.series.iter_mut().find(|series| series.metric == metric) {
                Some(series) => series.values.push(value * factor),
                None => side.series.push(Series { metric, unit, better, values: vec![value * factor] }),
            }
        }
    }
    side
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Better;
    use crate::units::Unit;

    #[test]
    fn lines_of_a_benchmark_are_read_and_all_others_passed_over() {
        let side = parse(
            "goos: linux\npkg: example.org/x\nBenchmarkSum/len=10-8 \t 1000\t 250 ns/op\t 16 B/op\t 2 allocs/op\n\
             BenchmarkSum/len=10-8 \t 1000\t 350 ns/op\t 16 B/op\t 2 allocs/op\nBenchmarkCopy 5 12.5 MB/s\n\
             Benchmarking is fun\nPASS\nok  \texample.org/x\t1.2s\n",
        );
        let told: Vec<_> = side.series.iter().map(|s| (s.metric.as_str(), s.unit.clone(), s.better)).collect();
        assert_eq!(
            told,
            [
                ("Sum/len=10", Unit::Seconds, Better::Lower),
                ("Sum/len=10 B/op", Unit::Bytes, Better::Lower),
                ("Sum/len=10 allocs/op", Unit::Count, Better::Lower),
                ("Copy MB/s", Unit::Custom("MB/s".into()), Better::Higher),
            ]
        );
        assert_eq!(side.series[0].values.len(), 2);
        assert!((side.series[0].values[1] - 350e-9).abs() < 1e-15);
    }
}
