//! Bencher Metric Format: experiment -> metric -> `value`, `lower_value`, `upper_value`, in base units (bytes, seconds).

use super::Sheet;
use crate::ledger::query::Entry;
use crate::render::Lang;
use serde_json::{Map, Value, json};

/// The format.
#[derive(Debug)]
pub struct Bencher;

impl Sheet for Bencher {
    fn name(&self) -> &'static str {
        "bencher"
    }

    /// The candidate's value; its bounds are those of the relative change, put on the base. Of several experiments of one name
    /// the newest counts.
    fn text(&self, entries: &[Entry], _lang: Lang) -> String {
        let mut all: Map<String, Value> = Map::new();
        for one in entries.iter().filter(|one| !one.comparison.is_empty()) {
            let measures = one.comparison.iter().filter(|row| row.candidate.is_finite()).map(|row| {
                let mut metric = json!({"value": row.candidate});
                if let Some([low, high]) = row.interval {
                    metric["lower_value"] = (row.base + row.base.abs() * low).into();
                    metric["upper_value"] = (row.base + row.base.abs() * high).into();
                }
                (row.metric.clone(), metric)
            });
            let measures: Map<String, Value> = measures.collect();
            all.entry(one.name.clone()).or_insert_with(|| measures.into());
        }
        format!("{:#}\n", Value::Object(all))
    }
}
