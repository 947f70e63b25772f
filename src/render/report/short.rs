//! One experiment in a few lines: written without a template, because there may be ten thousand of them. The escaping is
//! that of the templates.

use super::article::{self, Head};
use super::text;
use super::{Input, Place};
use crate::ledger::query::Entry;
use crate::render::Lang;
use minijinja::HtmlEscape;
use std::fmt::Write;

/// An experiment in a few lines.
pub struct Short {
    head: Head,
    /// Why it was decided.
    because: String,
    /// What was expected.
    hypothesis: String,
}

/// The lines of an experiment, with at most `most` bytes of text.
pub fn new(entry: &Entry, place: &Place, input: &Input<'_>, language: Lang, most: usize) -> Short {
    let hypothesis = entry.opened.as_ref().map_or("", |(_, opened)| opened.hypothesis.as_str());
    let reason = if article::decided_on(entry) { entry.text.as_str() } else { "" };
    let head = article::head(entry, place, input, language, most / 5);
    let because = text::line(reason, most / 2);
    let left = most.saturating_sub(text::cost(&because) + text::cost(&head.title));
    Short { hypothesis: text::line(hypothesis, left), because, head }
}

/// Appends a list of experiments. (HTML lets the ends of paragraphs and items be left out.)
pub fn list(out: &mut String, experiments: impl Iterator<Item = Short>) {
    out.push_str("<ul class=\"chunk\">\n");
    for one in experiments {
        // Writing to a String cannot fail.
        let _ = write_one(out, &one);
    }
    out.push_str("</ul>\n");
}

fn write_one(out: &mut String, one: &Short) -> std::fmt::Result {
    let Head { anchor, shape, state, metrics, .. } = &one.head;
    let anchor = HtmlEscape(anchor);
    write!(out, "<li id=\"{anchor}\" class=\"{shape}\" data-s=\"{state}\" data-m=\"{metrics}\">")?;
    write!(out, "<p><b>{}</b> <i>{}</i> ", HtmlEscape(&one.head.name), HtmlEscape(&one.head.state_word))?;
    for change in &one.head.changes {
        let (metric, amount) = (HtmlEscape(&change.metric), HtmlEscape(&change.change));
        write!(out, "<span class=\"{}\">{metric} {amount}</span> ", change.word)?;
    }
    if one.head.more > 0 {
        write!(out, "+ {} ", one.head.more)?;
    }
    write!(out, "<time>{}</time>", one.head.day)?;
    let gap = if one.head.title.is_empty() || one.because.is_empty() { "" } else { ": " };
    if !one.head.title.is_empty() || !one.because.is_empty() {
        write!(out, "<p dir=\"auto\">{}{gap}{}", HtmlEscape(&one.head.title), HtmlEscape(&one.because))?;
    }
    if !one.hypothesis.is_empty() {
        write!(out, "<p class=\"h\" dir=\"auto\">{}", HtmlEscape(&one.hypothesis))?;
    }
    out.push('\n');
    Ok(())
}
