//! Pure mathematics of deciding from noisy readings: no I/O, no clock, no randomness of its own.
//!
//! [`compare`] answers for one metric, [`Looks`] says after how many rounds to look. The method is described in
//! `docs/statistics.md`.

use serde::{Deserialize, Serialize};

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
