//! Calibration: does the method claim differences that are not there, and find those that are?
//!
//! ```text
//! cargo bench --bench calibration -- record [RUNS]              real noise: single-run times of six programs
//! cargo bench --bench calibration -- replay [TRIALS [ROUNDS]]   the recorded noise through our rule and the peers'
//! cargo bench --bench calibration -- live [TRIALS]              A/A on this machine, beside hyperfine itself
//! cargo bench --bench calibration -- speed                      what deciding costs
//! ```
//!
//! Traces are kept in `target/calibration/traces.json`. Replays draw from them with a fixed seed. With ROUNDS our rule may
//! take so many pairs, as with `--pairs ROUNDS`; without, it has its usual end.

mod live;
#[path = "../common/machine.rs"]
mod machine;
#[path = "../common/programs.rs"]
mod programs;
mod record;
mod replay;
#[path = "../common/rules.rs"]
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
    let number = |place: usize| match words.get(place) {
        Some(word) => word.parse::<usize>().map(Some).map_err(|_| format!("'{word}' is no number").into()),
        None => Ok::<_, Box<dyn std::error::Error>>(None),
    };
    let count = |usual: usize| number(1).map(|n| n.unwrap_or(usual));
    let outcome = match words.first().map(String::as_str) {
        Some("record") => count(1500).and_then(record::record),
        Some("replay") => count(1000).and_then(|trials| replay::replay(trials, number(2)?)),
        Some("live") => count(40).and_then(live::live),
        Some("speed") => speed::speed(),
        _ => {
            eprintln!(
                "usage: cargo bench --bench calibration -- record [RUNS] | replay [TRIALS [ROUNDS]] | live [TRIALS] | speed"
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
