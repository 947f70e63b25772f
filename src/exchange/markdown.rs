//! A table that can be pasted into an issue (GitHub Flavored Markdown).

use super::Sheet;
use crate::ledger::query::Entry;
use crate::phrase::Phrase;
use crate::recheck::told;
use crate::render::Lang;
use crate::render::text::{markdown, markdown_code};
use crate::render::view::summary;

/// The format.
#[derive(Debug)]
pub struct Markdown;

impl Sheet for Markdown {
    fn name(&self) -> &'static str {
        "markdown"
    }

    fn text(&self, entries: &[Entry], lang: Lang) -> String {
        let told = |text: &'static str| Phrase::from(text).in_language(&lang);
        let heads = ["date", "state", "experiment", "change", "why"].map(told);
        let mut out = format!("| {} |\n|---|---|---|---|---|\n", heads.join(" | "));
        for one in entries {
            let first = one.text.lines().next().unwrap_or_default();
            out.push_str(&format!(
                "| {} | {} | {} | {} | {} |\n",
                one.at.format("%Y-%m-%d"),
                told(one.state.as_str()),
                markdown_code(&one.name, true),
                markdown(&changes(one, lang)),
                markdown(first)
            ));
        }
        out
    }
}

/// What was measured; where it was measured as it landed, what was promised and what came of it.
fn changes(one: &Entry, lang: Lang) -> String {
    match told::landed(&one.comparison, &one.realised) {
        Some(both) => format!("{} ({})", summary(&one.comparison, lang), both.in_language(&lang)),
        None => summary(&one.comparison, lang),
    }
}
