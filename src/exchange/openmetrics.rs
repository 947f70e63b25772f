//! OpenMetrics 1.0 text: families of gauges, each point with the time of its decision.

use super::Sheet;
use crate::ledger::query::Entry;
use crate::policy::MetricComparison;
use crate::render::Lang;
use crate::render::text::clean;
use std::fmt::Write;

/// The format.
#[derive(Debug)]
pub struct OpenMetrics;

impl Sheet for OpenMetrics {
    fn name(&self) -> &'static str {
        "openmetrics"
    }

    fn text(&self, entries: &[Entry], _lang: Lang) -> String {
        let mut out = String::from(
            "# TYPE git_verdict_value gauge\n\
             # HELP git_verdict_value Median of a metric on one side of an experiment, in the unit of its label.\n",
        );
        let rows = || entries.iter().flat_map(|one| one.comparison.iter().map(move |row| (one, row)));
        for (one, row) in rows() {
            for (side, value) in [("base", row.base), ("candidate", row.candidate)] {
                let extra = format!(",side=\"{side}\"");
                point(&mut out, "git_verdict_value", one, row, &extra, value);
            }
        }
        out.push_str(
            "# TYPE git_verdict_change_ratio gauge\n# UNIT git_verdict_change_ratio ratio\n\
             # HELP git_verdict_change_ratio Relative change from base to candidate.\n",
        );
        ratios(&mut out, "git_verdict_change_ratio", &mut rows());
        let realised = || entries.iter().flat_map(|one| one.realised.iter().map(move |row| (one, row)));
        if realised().next().is_some() {
            out.push_str(
                "# TYPE git_verdict_realised_ratio gauge\n# UNIT git_verdict_realised_ratio ratio\n\
                 # HELP git_verdict_realised_ratio Relative change of what landed against its first parent.\n",
            );
            ratios(&mut out, "git_verdict_realised_ratio", &mut realised());
        }
        out.push_str("# EOF\n");
        out
    }
}

fn ratios<'e>(out: &mut String, family: &str, rows: &mut dyn Iterator<Item = (&'e Entry, &'e MetricComparison)>) {
    for (one, row) in rows {
        if let Some(relative) = row.relative {
            let extra = format!(",word=\"{}\"", row.word.as_str());
            point(out, family, one, row, &extra, relative);
        }
    }
}

fn point(out: &mut String, family: &str, one: &Entry, row: &MetricComparison, extra: &str, value: f64) {
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "{family}{{experiment=\"{}\",record=\"{}\",state=\"{}\",metric=\"{}\",unit=\"{}\"{extra}}} {value} {}",
        label(&one.name),
        one.record,
        one.state.as_str(),
        label(&row.metric),
        label(row.unit.symbol()),
        one.at.timestamp_millis() as f64 / 1000.0
    );
}

/// The value of a label: backslash, quote and line end are escaped.
fn label(text: &str) -> String {
    clean(text).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
