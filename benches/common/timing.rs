//! What the benches share: the time of a command, and the middle of many.

#![allow(dead_code)]

use std::process::{Command, Stdio};
use std::time::Instant;

/// Seconds that a command takes, which must succeed; what it prints is dropped.
pub fn elapsed(command: &mut Command) -> f64 {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let elapsed = started.elapsed().as_secs_f64();
    assert!(status.success(), "{command:?}: {status}");
    elapsed
}

/// The median; of an even number of values the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}
