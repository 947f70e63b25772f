//! The messages of the commits that a decision makes, and the trailers that a log is rebuilt from.

use super::{Lang, RenderError};
use crate::decision::Draft;
use crate::policy::MetricComparison;

/// The message of the revert commit: subject, the trade in numbers, table, reason, `This reverts commit`, trailers.
pub fn revert(_draft: &Draft, _lang: Lang) -> Result<String, RenderError> {
    todo!()
}

/// The message of the merge commit of a keep (`perf: ...`) or of a revert in mode `merge`.
pub fn merge(_draft: &Draft, _keep_type: &str, _lang: Lang) -> Result<String, RenderError> {
    todo!()
}

/// The value of a `Verdict-Metric` trailer: `build_time 872.1 s -> 1230.4 s +41.1% [+38.0%, +44.1%] n=12 regressed`.
pub fn trailer(_row: &MetricComparison) -> String {
    todo!()
}
