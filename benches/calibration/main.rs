//! Calibration: does the method claim differences that are not there, and find those that are?
//!
//! ```text
//! cargo bench --bench calibration -- record [RUNS]      real noise: single-run times of six programs
//! cargo bench --bench calibration -- replay [TRIALS]    the recorded noise through our rule and the peers'
//! cargo bench --bench calibration -- live [TRIALS]      A/A on this machine, beside hyperfine itself
//! cargo bench --bench calibration -- speed              what deciding costs
//! ```
//!
//! Traces are kept in `target/calibration/traces.json`. Replays draw from them with a fixed seed.

mod live;
mod record;
mod replay;
mod rules;
mod speed;

use std::path::PathBuf;
use std::process::ExitCode;

/// What can go wrong, told as it is.
type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Where traces are kept.
fn traces_file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/calibration/traces.json")
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|w| w != "--bench").collect();
    let count = |usual: usize| words.get(1).map_or(Ok(usual), |w| w.parse().map_err(|_| format!("'{w}' is no number")));
    let outcome = match words.first().map(String::as_str) {
        Some("record") => count(1500).map_err(Into::into).and_then(record::record),
        Some("replay") => count(1000).map_err(Into::into).and_then(replay::replay),
        Some("live") => count(40).map_err(Into::into).and_then(live::live),
        Some("speed") => speed::speed(),
        _ => {
            eprintln!(
                "usage: cargo bench --bench calibration -- record [RUNS] | replay [TRIALS] | live [TRIALS] | speed"
            );
            return ExitCode::SUCCESS;
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
