//! How long measuring is going to take, told from the samples so far.
//!
//! What happens once on each side (a build, warming up, taking the artefact apart) says nothing of the samples to come.

use super::Sample;
use std::time::Duration;

/// How long the samples of a session take.
#[derive(Debug, Default)]
pub(super) struct Pace {
    taken: Duration,
    samples: u32,
    once: Duration,
}

impl Pace {
    /// A sample begins.
    pub fn begin(&mut self) {
        self.once = Duration::ZERO;
    }

    /// A part of the sample under way that later ones do not have.
    pub fn once(&mut self, took: Duration) {
        self.once += took;
    }

    /// The sample under way was taken.
    pub fn sampled(&mut self, took: Duration) {
        self.taken += took.saturating_sub(self.once);
        self.samples += 1;
    }

    /// How long so many samples will take; none before the first one.
    pub fn of(&self, samples: usize) -> Option<Duration> {
        let mean = self.taken.checked_div(self.samples)?;
        Some(mean.saturating_mul(u32::try_from(samples).unwrap_or(u32::MAX)))
    }
}

/// How long a round took, from when the samples of a finished session were begun: those of the first round hold what
/// happens once, so it needs two rounds. In seconds.
pub fn of_a_round(samples: &[Sample]) -> Option<f64> {
    let later = |sample: &&Sample| sample.round > 0;
    let (first, last) = (samples.iter().find(later)?, samples.iter().rfind(later)?);
    let sides = samples.iter().map(|sample| sample.side).max()? + 1;
    let begun = samples.iter().filter(later).count().checked_sub(1).filter(|&n| n > 0)?;
    Some((last.at - first.at) / begun as f64 * sides as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_done_once_is_not_expected_again() {
        let mut pace = Pace::default();
        assert_eq!(pace.of(10), None);
        pace.begin();
        pace.once(60 * SECOND);
        pace.sampled(62 * SECOND);
        assert_eq!(pace.of(10), Some(20 * SECOND));
        pace.begin();
        pace.sampled(4 * SECOND);
        assert_eq!(pace.of(10), Some(30 * SECOND));
        // One that failed is not followed by its end.
        pace.begin();
        pace.once(SECOND);
        pace.begin();
        pace.sampled(3 * SECOND);
        assert_eq!(pace.of(2), Some(6 * SECOND));
    }

    #[test]
    fn a_round_takes_as_long_as_those_after_the_first() {
        let sample =
            |(round, side, at): (usize, usize, f64)| Sample { round, place: 0, side, at, values: BTreeMap::new() };
        let taken =
            [(0, 0, 0.0), (0, 1, 300.0), (1, 1, 900.0), (1, 0, 902.0), (2, 0, 904.0), (2, 1, 906.0)].map(sample);
        assert_eq!(of_a_round(&taken), Some(4.0));
        assert_eq!(of_a_round(&taken[..4]), Some(4.0));
        assert_eq!(of_a_round(&taken[..3]), None);
        assert_eq!(of_a_round(&[]), None);
    }
}
