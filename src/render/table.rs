//! Tables of numbers for the terminal.

use super::Lang;
use crate::policy::{MetricComparison, Recommendation};

/// How a table is to look.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether colour may be used.
    pub color: bool,
    /// The language.
    pub lang: Lang,
}

/// One comparison: a row for each metric.
pub fn comparison(_rows: &[MetricComparison], _look: Look) -> String {
    todo!()
}

/// A recommendation with its reasons.
pub fn recommendation(_recommendation: &Recommendation, _look: Look) -> String {
    todo!()
}
