//! Samples -> comparison: joins the readings of a session with what the configuration says matters.

use super::MetricComparison;
use crate::config::Config;
use crate::measure::{Measurement, Next, Plan, Sample};

/// One row for each measured metric, in the order of the configuration: side `second` against side `first`.
pub fn rows(_config: &Config, _measurement: &Measurement, _first: usize, _second: usize) -> Vec<MetricComparison> {
    todo!()
}

/// The rule that ends a session: every metric decided on every side, or out of reach.
#[derive(Debug)]
pub struct StopRule {}

impl StopRule {
    /// A rule for this plan.
    pub fn new(_plan: &Plan) -> StopRule {
        todo!()
    }
    /// Whether more rounds are needed after these samples.
    pub fn next(&mut self, _samples: &[Sample]) -> Next {
        todo!()
    }
}
