//! What a change costs to maintain, as one figure.
//!
//! | part | points | what is counted |
//! |---|---|---|
//! | a line | 1 | lines added less lines removed, of text files but the lockfiles that tools write |
//! | a file | 5 | files that are new less files that are gone |
//! | a stage of a Dockerfile | 10 | `FROM` instructions |
//! | a dependency | 25 | named by a manifest and not before, less those that are named no more |
//!
//! What stays is counted, and not what was touched: a rewrite that leaves as many lines behind costs nothing to maintain. The
//! reverse of a change costs the same with the other sign. `docs/trade-offs.md` says where this comes from.

use super::{Complexity, MetricComparison};
use crate::config::{Better, MAINTENANCE, Matters};
use crate::phrase;
use crate::phrase::Phrase;
use crate::stats::Word;
use crate::units::Unit;
use serde::{Deserialize, Serialize};

/// Points for a file, a stage of a Dockerfile and a dependency; a line has one.
const WEIGHTS: [i64; 3] = [5, 10, 25];

/// What a change adds to what has to be maintained; below zero for what it takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Maintenance {
    /// The figure that the parts make.
    pub points: i64,
    /// Lines more.
    pub lines: i64,
    /// Files more.
    pub files: i64,
    /// Stages of Dockerfiles more.
    pub stages: i64,
    /// Dependencies more.
    pub dependencies: i64,
}

impl Maintenance {
    /// The figure of these parts.
    pub fn new(lines: i64, files: i64, stages: i64, dependencies: i64) -> Maintenance {
        let [file, stage, dependency] = WEIGHTS;
        let points = lines + file * files + stage * stages + dependency * dependencies;
        Maintenance { points, lines, files, stages, dependencies }
    }

    /// `maintenance +42: lines +12, files +1, dependencies +1`.
    pub fn phrase(&self) -> Phrase {
        let points = format!("{:+}", self.points);
        let Maintenance { lines, files, stages, dependencies, .. } = *self;
        let mut parts: Vec<Phrase> = Vec::new();
        for (n, part) in [
            (lines, phrase!("lines {n}", n = format!("{lines:+}"))),
            (files, phrase!("files {n}", n = format!("{files:+}"))),
            (stages, phrase!("Dockerfile stages {n}", n = format!("{stages:+}"))),
            (dependencies, phrase!("dependencies {n}", n = format!("{dependencies:+}"))),
        ] {
            if n != 0 {
                parts.push(part);
            }
        }
        match parts.is_empty() {
            true => "maintenance +0".into(),
            false => phrase!("maintenance {points}: {parts}", points, parts),
        }
    }

    /// The row of a comparison that it would be.
    pub fn row(&self) -> MetricComparison {
        MetricComparison {
            metric: MAINTENANCE.to_string(),
            unit: Unit::Count,
            better: Better::Lower,
            matters: Matters::Absolute(1.0),
            base: 0.0,
            candidate: self.points as f64,
            relative: None,
            interval: None,
            exact: true,
            rounds: 1,
            word: match self.points {
                0 => Word::Unchanged,
                1.. => Word::Regressed,
                _ => Word::Improved,
            },
            limit: None,
            detectable: None,
            rounds_needed: None,
        }
    }
}

/// The row of what a change costs to maintain, when its record has it and no metric has taken the name.
pub fn row(rows: &[MetricComparison], complexity: &Complexity) -> Option<MetricComparison> {
    let taken = rows.iter().any(|row| row.metric == MAINTENANCE);
    complexity.maintenance.filter(|_| !taken).map(|maintenance| maintenance.row())
}

/// Whether a row is [`row`]'s: what is exact after a single round was counted from the diff, not measured.
pub fn is_counted(row: &MetricComparison) -> bool {
    row.metric == MAINTENANCE && row.exact && row.rounds < 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figure_is_the_weighted_sum_of_its_parts_and_turns_its_sign_with_them() {
        let grown = Maintenance::new(12, 1, 1, 1);
        assert_eq!(grown.points, 12 + 5 + 10 + 25);
        let said = "maintenance +52: lines +12, files +1, Dockerfile stages +1 and dependencies +1";
        assert_eq!(grown.phrase(), said);
        assert_eq!(Maintenance::new(-12, -1, -1, -1).points, -grown.points);
        assert_eq!(Maintenance::new(0, 0, 0, 0).phrase(), "maintenance +0");
    }

    #[test]
    fn it_is_a_row_like_any_other_unless_a_metric_has_its_name() {
        let weight =
            |lines| Complexity { maintenance: Some(Maintenance::new(lines, 0, 0, 0)), ..Complexity::default() };
        let words = [7, 0, -7].map(|lines| row(&[], &weight(lines)).unwrap().word);
        assert_eq!(words, [Word::Regressed, Word::Unchanged, Word::Improved]);
        let own = row(&[], &weight(7)).unwrap();
        assert_eq!(row(&[own], &weight(7)), None);
        assert_eq!(row(&[], &Complexity::default()), None, "an old record has no figure");
    }
}
