//! Pure mathematics of deciding from noisy readings: no I/O, no clock, no randomness of its own.
//!
//! [`look`] answers for one metric at one look, [`decide`] through all looks of a session, [`Looks`] says after how many
//! rounds to look. The method is described in `docs/statistics.md`.
//!
//! | file | what it does |
//! |---|---|
//! | [`student`] | quantiles of the normal and of Student's t distribution, the t interval |
//! | [`wilcoxon`] | Hodges-Lehmann estimate, exact signed-rank interval |
//! | [`sequential`] | looks, answers, giving up |
//! | [`levels`] | on which of two known levels a third series is |

pub mod levels;
pub mod sequential;
pub mod student;
pub mod wilcoxon;

pub use sequential::{Criticals, DEFAULT_ROUNDS, Look, Looks, Scale, decide, look};

use serde::{Deserialize, Serialize};

/// Why readings cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum StatsError {
    /// No complete round.
    #[error("there is no complete round to compare")]
    NoPairs,
    /// A reading is infinite or not a number.
    #[error("round {} has a reading that is no finite number ({value})", place + 1)]
    NotFinite {
        /// Which pair, from 0.
        place: usize,
        /// The reading.
        value: f64,
    },
}

/// The median; none of nothing. `values` must be finite.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len().checked_sub(1)? / 2;
    let upper = sorted[sorted.len() / 2];
    Some(sorted[middle] / 2.0 + upper / 2.0)
}

/// What a comparison says of one metric, already turned so that better and worse are the user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// The whole interval is beyond `matters` on the better side.
    Improved,
    /// The whole interval is beyond `matters` on the worse side.
    Regressed,
    /// The whole interval is inside `matters`.
    Unchanged,
    /// None of these, and more rounds are out of reach or were not asked for.
    Inconclusive,
}

impl Word {
    /// The word as it stands in trailers and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Word::Improved => "improved",
            Word::Regressed => "regressed",
            Word::Unchanged => "unchanged",
            Word::Inconclusive => "inconclusive",
        }
    }
}

impl std::fmt::Display for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
