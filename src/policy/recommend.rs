//! The recommendation rules.

use super::{Complexity, MetricComparison, Recommendation};
use crate::config::Policy;
use crate::measure::CheckResult;

/// What the rules say of these numbers.
pub fn recommend(
    _rows: &[MetricComparison],
    _checks: &[CheckResult],
    _complexity: &Complexity,
    _policy: &Policy,
) -> Recommendation {
    todo!()
}
