//! The messages of the commits that a decision makes, and the trailers that a log is rebuilt from.
//!
//! A template writes the subject and the body; the trailers are put under it here, so that no template and no reason can
//! break or forge them. Nothing in the body begins a line like a trailer of ours, and trailers are never wrapped.
//! `docs/messages.md` shows the shapes.

pub use super::trailer::{Carried, MetricTrailer, distinct, parse_message, parse_trailer, trailer};

use super::table::{self};
use super::text::{clean, clean_lines, cut_at_word, neutral, poses};
use super::view::{self, AdviceView, CheckView, ComplexityView, RowsView};
use super::{Lang, RenderError, Renderer, trailer as trailers};
use crate::config::RevertMode;
use crate::decision::Draft;
use crate::ledger::event::{Decided, Fact, Measured, Verdict};
use crate::measure::told::told_all;
use crate::phrase;
use crate::policy::recommend::break_even;
use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;
use std::path::Path;

/// Columns of a subject line.
const SUBJECT: usize = 72;

/// The message of the revert commit: subject, the trade in numbers, table, reason, `This reverts commit`, trailers.
pub fn revert(draft: &Draft, lang: Lang) -> Result<String, RenderError> {
    Renderer::new(lang)?.revert(draft, None)
}

/// The message of the merge commit of a keep (`perf: ...`) or of a revert in mode `merge`.
pub fn merge(draft: &Draft, keep_type: &str, lang: Lang) -> Result<String, RenderError> {
    Renderer::new(lang)?.merge(draft, keep_type, None)
}

impl Renderer {
    /// The message of the revert commit. `measured` is the event that the decision rests on: its checks and what the diff
    /// weighs are then told too.
    pub fn revert(&self, draft: &Draft, measured: Option<&Measured>) -> Result<String, RenderError> {
        let decided = decided(draft)?;
        let body = self.message("revert.txt.j2", "revert", draft, measured, None)?;
        self.finish("revert.txt.j2", &body, &trailers::block(&draft.event, decided))
    }

    /// The message of the merge: with the numbers for a keep; short, pointing at the revert commit, for a revert.
    pub fn merge(&self, draft: &Draft, keep_type: &str, measured: Option<&Measured>) -> Result<String, RenderError> {
        let decided = decided(draft)?;
        match decided.verdict {
            Verdict::Keep => {
                let body = self.message("merge-keep.txt.j2", keep_type, draft, measured, None)?;
                self.finish("merge-keep.txt.j2", &body, &trailers::block(&draft.event, decided))
            }
            Verdict::Revert => {
                let body = self.message("merge-revert.txt.j2", "chore", draft, measured, None)?;
                self.finish("merge-revert.txt.j2", &body, &trailers::short_block(&draft.event, decided))
            }
        }
    }

    /// The message of the commit that adds the decision file. In mode `archive` it is the only commit of the decision, and
    /// carries all numbers; otherwise it points at the record.
    pub fn adr_commit(&self, draft: &Draft, measured: Option<&Measured>, file: &Path) -> Result<String, RenderError> {
        let decided = decided(draft)?;
        let block = match decided.mode {
            Some(RevertMode::Archive) => trailers::block(&draft.event, decided),
            _ => trailers::short_block(&draft.event, decided),
        };
        let body = self.message("adr-commit.txt.j2", "docs", draft, measured, Some(file))?;
        self.finish("adr-commit.txt.j2", &body, &block)
    }

    /// What the template of a message sees. `kind` is the type of its subject.
    pub fn message_values(
        &self,
        draft: &Draft,
        measured: Option<&Measured>,
        kind: &str,
        file: Option<&Path>,
    ) -> Result<Value, RenderError> {
        Ok(Value::from(Serde(&MessageView::new(draft, decided(draft)?, measured, kind, file, self.lang()))))
    }

    fn message(
        &self,
        template: &str,
        kind: &str,
        draft: &Draft,
        measured: Option<&Measured>,
        file: Option<&Path>,
    ) -> Result<String, RenderError> {
        self.render(template, self.message_values(draft, measured, kind, file)?)
    }

    /// Subject, a blank line, the body with nothing in it that poses, a blank line, the trailers.
    fn finish(&self, template: &str, rendered: &str, block: &str) -> Result<String, RenderError> {
        let mut lines = rendered.lines().skip_while(|line| line.trim().is_empty());
        let subject = lines.next().map(clean).unwrap_or_default();
        if subject.is_empty() {
            return Err(self.error(template, 1, "the first line must be the subject, but the text is empty"));
        }
        let mut message = format!("{subject}\n");
        let mut blank = true;
        for line in lines {
            let line = neutral(line);
            let line = line.trim_end().replace(super::text::NO_BREAK, " ");
            if line.is_empty() {
                blank = true;
                continue;
            }
            if std::mem::take(&mut blank) {
                message.push('\n');
            }
            if poses(&line) {
                message.push_str("  ");
            }
            message.push_str(&line);
            message.push('\n');
        }
        message.push('\n');
        message.push_str(block);
        message.push('\n');
        Ok(message)
    }
}

fn decided(draft: &Draft) -> Result<&Decided, RenderError> {
    match &draft.event.fact {
        Fact::Decided(decided) => Ok(decided),
        _ => Err(RenderError {
            template: "message".into(),
            line: 0,
            message: phrase!("record {record} is no decision", record = draft.event.id),
        }),
    }
}

/// What the templates of messages see; documented in `docs/templates.md`.
#[derive(Serialize)]
struct MessageView {
    /// `revert`, `perf`, `chore`, `docs`.
    r#type: String,
    /// The title cut so that `type: subject` is one line of 72 columns.
    subject: String,
    verdict: &'static str,
    /// `merge`, `in-place` or `archive`, for a revert.
    mode: Option<&'static str>,
    experiment: String,
    title: String,
    title_form: &'static str,
    hypothesis: String,
    /// The experiment that it stands on, or branch and commit.
    base: String,
    stands_on: Option<String>,
    onto: String,
    branch: String,
    record: String,
    because: String,
    measured: bool,
    #[serde(flatten)]
    rows: RowsView,
    table: String,
    limits: Vec<String>,
    failed_checks: Vec<CheckView>,
    advice: Option<AdviceView>,
    overrode: bool,
    complexity: Option<ComplexityView>,
    /// Where the changes came from: `-0.3 GB from layer 7 (COPY --from=build), +6 min from step [build 4/9]`.
    origin: Option<String>,
    /// The rate at which a mixed result breaks even, without a full stop.
    break_even: Option<String>,
    /// What the candidate changed of its own ruler.
    ruler: Option<String>,
    reverts: Vec<String>,
    file: Option<String>,
}

impl MessageView {
    fn new(
        draft: &Draft,
        decided: &Decided,
        measured: Option<&Measured>,
        kind: &str,
        file: Option<&Path>,
        lang: Lang,
    ) -> MessageView {
        let experiment = clean(&draft.event.name).into_owned();
        let title = title(&draft.opened.title, &experiment);
        let kind = clean(kind).into_owned();
        let stands_on = draft.stands_on.as_deref().map(|name| clean(name).into_owned());
        let onto = clean(&decided.onto).into_owned();
        let checks = measured.map(|m| CheckView::all(&m.checks, lang)).unwrap_or_default();
        MessageView {
            subject: subject(&kind, &title),
            r#type: kind,
            verdict: decided.verdict.as_str(),
            mode: decided.mode.map(RevertMode::as_str),
            title_form: title_form(&title, &experiment),
            hypothesis: clean_lines(&draft.opened.hypothesis),
            base: stands_on.clone().unwrap_or_else(|| format!("{onto} ({})", decided.base.commit.short())),
            stands_on,
            onto,
            branch: clean(&draft.opened.branch).into_owned(),
            record: draft.event.id.to_string(),
            because: clean_lines(&decided.because),
            measured: !decided.comparison.is_empty(),
            rows: RowsView::new(&decided.comparison, lang),
            table: table::in_message(&decided.comparison, lang),
            limits: table::limits(&decided.comparison, lang),
            failed_checks: checks.into_iter().filter(|c| !c.passed).collect(),
            advice: decided.recommendation.as_ref().map(|r| AdviceView::new(r, lang)),
            overrode: decided.overrode,
            complexity: measured.map(|m| ComplexityView::new(&m.complexity, lang)),
            origin: measured.and_then(|measured| view::origin(measured, lang)),
            break_even: break_even(&decided.comparison)
                .map(|even| clean(&even.phrase().in_language(&lang)).into_owned()),
            ruler: measured
                .and_then(|m| m.ruler.as_ref())
                .map(|ruler| clean(&told_all(&ruler.changed).in_language(&lang)).into_owned()),
            reverts: decided.commits.iter().rev().map(ToString::to_string).collect(),
            file: file.map(|f| clean(&f.display().to_string()).into_owned()),
            experiment,
            title,
        }
    }
}

/// The title in one line without a full stop; the experiment's name when there is none.
pub(crate) fn title(title: &str, name: &str) -> String {
    let title = clean(title);
    let title = title.trim_end_matches(['.', '。', ' ']);
    if title.is_empty() { name.to_string() } else { title.to_string() }
}

/// How a sentence can speak of the title: `name` (it is the experiment's name), `phrase` ("multi-stage build": takes an
/// article), `article` (has one), `quoted` (an order or a whole sentence).
pub(crate) fn title_form(title: &str, name: &str) -> &'static str {
    const ORDERS: &[&str] = &[
        "add", "allow", "avoid", "build", "bump", "cache", "change", "clean", "clear", "compile", "compress", "copy",
        "cut", "delete", "disable", "do", "don't", "drop", "enable", "fix", "inline", "install", "keep", "limit",
        "link", "load", "lower", "make", "merge", "minify", "move", "pin", "prune", "purge", "raise", "reduce",
        "remove", "rename", "replace", "reuse", "rewrite", "run", "set", "share", "shrink", "skip", "slim", "split",
        "squash", "stop", "strip", "switch", "trim", "try", "turn", "upgrade", "use", "vendor", "write",
    ];
    let first = title.split(' ').next().unwrap_or("").to_lowercase();
    if title == name {
        "name"
    } else if ["the", "a", "an"].contains(&first.as_str()) {
        "article"
    } else if ORDERS.contains(&first.as_str()) || title.contains(". ") || title.chars().count() > 60 {
        "quoted"
    } else {
        "phrase"
    }
}

/// The title as the subject of a conventional commit: it begins in lower case unless its first word is an acronym or a
/// name of mixed case, and fits the line with its type.
fn subject(kind: &str, title: &str) -> String {
    let first = title.split(' ').next().unwrap_or("");
    let capital = first.chars().next().is_some_and(char::is_uppercase);
    let plain = first.chars().skip(1).all(|c| !c.is_uppercase()) && first.chars().count() > 1;
    let mut chars = title.chars();
    let title = match chars.next() {
        Some(c) if capital && plain => c.to_lowercase().chain(chars).collect(),
        _ => title.to_string(),
    };
    let room = SUBJECT.saturating_sub(super::text::width(kind) + 2).max(20);
    cut_at_word(&title, room).into_owned()
}
