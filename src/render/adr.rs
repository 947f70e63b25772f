//! Decision files (ADR) from records: MADR 4 (<https://adr.github.io/madr/>), numbered in the folder they are in.
//!
//! Everything that comes from the repository is escaped for markdown; the file passes markdownlint's default rules.

use super::message::title;
use super::table::{self};
use super::text::{Align, NO_BREAK, clean, clean_lines, cut, cut_at_word, markdown, markdown_code, pad, width};
use super::view::{AdviceView, CheckView, ComplexityView, RowView, RowsView};
use super::{Lang, RenderError, Renderer, lang, number};
use crate::config::RevertMode;
use crate::config::{Better, Matters};
use crate::decision::Draft;
use crate::experiment::{Experiment, State};
use crate::git::Person;
use crate::ledger::event::{Fact, Measured, Verdict};
use crate::measure::environment::Environment;
use crate::policy::MetricComparison;
use crate::units::Unit;
use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;
use std::fs;
use std::path::{Component, Path, PathBuf};

const TEMPLATE: &str = "adr.md.j2";
/// Columns of a line, as markdownlint's MD013 has them by default.
const LINE: usize = 80;

/// What a decision file is made from.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The experiment, decided or not.
    pub experiment: &'a Experiment,
    /// The name of the experiment that it stands on.
    pub stands_on: Option<&'a str>,
    /// Who decided.
    pub by: Option<&'a Person>,
}

/// Where the decision file of an experiment goes and what it says, with the built-in template.
///
/// `root` is the work tree, `folder` the folder of decision files relative to it; the number follows the highest there.
/// The path is relative to `root`.
pub fn new(root: &Path, folder: &Path, experiment: &Experiment, lang: Lang) -> Result<(PathBuf, String), RenderError> {
    Renderer::new(lang)?.adr(root, folder, Source { experiment, stands_on: None, by: None })
}

impl Renderer {
    /// Where the decision file goes (relative to `root`) and what it says.
    pub fn adr(&self, root: &Path, folder: &Path, source: Source<'_>) -> Result<(PathBuf, String), RenderError> {
        let number = next_number(root, folder)?;
        let name = format!("{number:04}-{}.md", slug(&source.experiment.name));
        let view = AdrView::new(source, self.lang());
        let text = self.render(TEMPLATE, Value::from(Serde(&view)))?;
        Ok((folder.join(name), tidy(&text)))
    }

    /// The same for a decision that has not landed yet: the experiment as the draft will leave it.
    pub fn adr_of_draft(
        &self,
        root: &Path,
        folder: &Path,
        experiment: &Experiment,
        draft: &Draft,
    ) -> Result<(PathBuf, String), RenderError> {
        let mut decided = experiment.clone();
        if let Fact::Decided(fact) = &draft.event.fact {
            decided.state = match (fact.verdict, fact.mode) {
                (Verdict::Keep, _) => State::Kept,
                (Verdict::Revert, Some(crate::config::RevertMode::Archive)) => State::Archived,
                (Verdict::Revert, _) => State::Reverted,
            };
            decided.decided = Some((draft.event.id, draft.event.at, (**fact).clone()));
        }
        let by = Some(&draft.event.by);
        self.adr(root, folder, Source { experiment: &decided, stands_on: draft.stands_on.as_deref(), by })
    }
}

/// One more than the highest number of the `NNNN-*.md` files in the folder; 1 when there are none or no folder.
pub fn next_number(root: &Path, folder: &Path) -> Result<u32, RenderError> {
    let refuse = |problem: String| RenderError { template: folder.display().to_string(), line: 0, message: problem };
    if !folder.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir)) {
        return Err(refuse("the folder of decision files must be inside the repository".into()));
    }
    let entries = match fs::read_dir(root.join(folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(1),
        Err(error) => return Err(refuse(error.to_string())),
    };
    let mut highest = 0;
    for entry in entries {
        let name = entry.map_err(|e| refuse(e.to_string()))?.file_name();
        highest = highest.max(name.to_str().and_then(number_of).unwrap_or(0));
    }
    highest.checked_add(1).ok_or_else(|| refuse("the highest number cannot be followed".into()))
}

/// 12 for `0012-use-cache.md`.
fn number_of(name: &str) -> Option<u32> {
    let (digits, _) = name.strip_suffix(".md")?.split_once('-')?;
    (digits.len() >= 4 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

fn slug(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c.to_ascii_lowercase() } else { '-' };
    let slug: String = name.chars().map(safe).collect();
    let slug = slug.trim_matches(['-', '.']);
    if slug.is_empty() { "decision".to_string() } else { slug.to_string() }
}

/// One blank line where there are more, none with spaces in it, one line end at the end; paragraphs and list items are
/// broken into lines that fit.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank = false;
    let mut front_matter = false;
    for (number, line) in text.lines().map(str::trim_end).skip_while(|l| l.is_empty()).enumerate() {
        if line.is_empty() {
            blank = true;
            continue;
        }
        if std::mem::take(&mut blank) {
            out.push('\n');
        }
        front_matter = if number == 0 { line == "---" } else { front_matter && line != "---" };
        if front_matter || line.starts_with(['#', '|', '<']) {
            out.push_str(&line.replace(NO_BREAK, " "));
        } else {
            out.push_str(&broken(line));
        }
        out.push('\n');
    }
    out
}

/// A line of markdown broken at spaces into lines of at most [`LINE`] characters, as markdownlint counts them. No new line
/// begins with anything that would start a list, a heading or another block. Chinese is not broken between ideographs:
/// a line end is a space to a reader of markdown.
fn broken(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    let hang = if line[indent..].starts_with("- ") { indent + 2 } else { indent };
    let starts_block = |word: &str| {
        let digits = word.trim_start_matches(|c: char| c.is_ascii_digit());
        word.chars().all(|c| "-+*=_.".contains(c))
            || word.starts_with(['#', '>', '|', '<'])
            || word.starts_with("```")
            || word.starts_with("~~~")
            || (digits.len() < word.len() && matches!(digits, "." | ")"))
    };
    let mut units: Vec<String> = Vec::new();
    for word in line.split(' ') {
        match units.last_mut() {
            Some(unit) if starts_block(word) => {
                unit.push(' ');
                unit.push_str(word);
            }
            _ => units.push(word.to_string()),
        }
    }
    let mut out = String::with_capacity(line.len() + 8);
    let mut used = 0;
    for (number, unit) in units.iter().enumerate() {
        let size = unit.chars().count();
        if used > hang && used + 1 + size > LINE {
            out.push('\n');
            out.push_str(&" ".repeat(hang));
            used = hang;
        } else if number > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(unit);
        used += size;
    }
    out.replace(NO_BREAK, " ")
}

/// What the template sees. Texts are cleaned but not escaped: the template does that where it puts them.
#[derive(Serialize)]
struct AdrView {
    status: &'static str,
    date: String,
    by: Option<String>,
    experiment: String,
    title: String,
    /// The title cut for headings, without punctuation at its end.
    heading: String,
    hypothesis: String,
    /// The experiment that it stands on, or the branch it started from.
    base: String,
    stands_on: Option<String>,
    onto: String,
    branch: String,
    state: &'static str,
    verdict: Option<&'static str>,
    mode: Option<&'static str>,
    because: String,
    measured: bool,
    #[serde(flatten)]
    rows: RowsView,
    table: String,
    limits: Vec<String>,
    drivers: Vec<DriverView>,
    checks: Vec<CheckView>,
    advice: Option<AdviceView>,
    overrode: bool,
    complexity: Option<ComplexityView>,
    origin: Option<String>,
    environment: Option<EnvironmentView>,
    record: Option<String>,
    experiment_id: String,
    measured_record: Option<String>,
    config_hash: Option<String>,
    base_commit: String,
    candidate_commit: Option<String>,
    commits: Vec<String>,
    revert_commit: Option<String>,
    landed: Option<String>,
}

/// What a metric wants.
#[derive(Serialize)]
struct DriverView {
    name: String,
    unit: String,
    higher_is_better: bool,
    matters: String,
    limit: Option<String>,
}

#[derive(Serialize)]
struct EnvironmentView {
    platform: String,
    cpu: String,
    cores: usize,
    memory: String,
    kernel: String,
    /// The rest, as `name: value`.
    more: Vec<String>,
}

impl AdrView {
    fn new(source: Source<'_>, language: Lang) -> AdrView {
        let Source { experiment, stands_on, by } = source;
        let decided = experiment.decided.as_ref();
        let fact = decided.map(|(_, _, d)| d);
        let wanted = fact.and_then(|d| d.measured);
        let measured: Option<&(_, Measured)> = match (fact, wanted) {
            (Some(_), Some(id)) => experiment.measured.iter().find(|(event, _)| *event == id),
            (Some(_), None) => None,
            (None, _) => experiment.latest(),
        };
        let comparison: &[MetricComparison] = match (fact, measured) {
            (Some(d), _) => &d.comparison,
            (None, Some((_, m))) => &m.comparison,
            (None, None) => &[],
        };
        let advice = match fact {
            Some(d) => d.recommendation.as_ref(),
            None => measured.map(|(_, m)| &m.recommendation),
        };
        let name = clean(&experiment.name).into_owned();
        let title = title(&experiment.opened.title, &name);
        let heading = cut_at_word(&title, 60);
        let heading = heading.trim_end_matches(['.', ',', ';', ':', '!', '。', '，', '；', '：', '！']).to_string();
        let stands_on = stands_on.map(|s| clean(s).into_owned());
        let onto = clean(&experiment.opened.onto).into_owned();
        let status = match experiment.state {
            State::Kept => "accepted",
            State::Reverted | State::Archived | State::Abandoned => "rejected",
            State::Open | State::Measured => "proposed",
        };
        let candidate = fact.map(|d| &d.candidate).or(measured.map(|(_, m)| &m.candidate));
        AdrView {
            status,
            date: decided.map_or(experiment.opened_at, |(_, at, _)| *at).format("%Y-%m-%d").to_string(),
            by: by.map(|p| clean(&p.name).into_owned()).filter(|n| !n.is_empty()),
            heading: if heading.is_empty() { slug(&name) } else { heading },
            title,
            hypothesis: clean_lines(&experiment.opened.hypothesis),
            base: cut(stands_on.as_deref().unwrap_or(&onto), 50).into_owned(),
            stands_on,
            onto,
            branch: clean(&experiment.opened.branch).into_owned(),
            state: experiment.state.as_str(),
            verdict: fact.map(|d| d.verdict.as_str()),
            mode: fact.and_then(|d| d.mode).map(RevertMode::as_str),
            because: fact.map(|d| clean_lines(&d.because)).unwrap_or_default(),
            measured: !comparison.is_empty(),
            rows: RowsView::new(comparison, language),
            table: numbers(comparison, language),
            limits: table::limits(comparison, language),
            drivers: comparison.iter().map(driver).collect(),
            checks: measured.map(|(_, m)| CheckView::all(&m.checks)).unwrap_or_default(),
            advice: advice.map(|r| AdviceView::new(r, language)),
            overrode: fact.is_some_and(|d| d.overrode),
            complexity: measured.map(|(_, m)| ComplexityView::new(&m.complexity, language)),
            origin: measured.and_then(|(_, m)| super::view::origin(m)),
            environment: measured.map(|(_, m)| environment(&m.environment)),
            record: decided.map(|(id, _, _)| id.to_string()),
            experiment_id: experiment.id.to_string(),
            measured_record: measured.map(|(id, _)| id.to_string()),
            config_hash: measured.map(|(_, m)| clean(&m.config_hash).into_owned()).filter(|h| !h.is_empty()),
            base_commit: fact.map_or(&experiment.opened.base, |d| &d.base).commit.to_string(),
            candidate_commit: candidate.map(|c| c.commit.to_string()),
            commits: fact.map(|d| d.commits.iter().map(ToString::to_string).collect()).unwrap_or_default(),
            revert_commit: fact.and_then(|d| d.revert_commit.as_ref()).map(ToString::to_string),
            landed: fact.and_then(|d| d.landed.as_ref()).map(ToString::to_string),
            experiment: name,
        }
    }
}

fn driver(row: &MetricComparison) -> DriverView {
    DriverView {
        name: clean(&row.metric).into_owned(),
        unit: clean(row.unit.symbol()).into_owned(),
        higher_is_better: row.better == Better::Higher,
        matters: match row.matters {
            Matters::Relative(ratio) => number::percent(ratio.0.abs()).trim_start_matches('+').to_string(),
            Matters::Absolute(value) => clean(&number::single(&row.unit, value.abs())).into_owned(),
        },
        limit: row.limit.map(|limit| clean(&number::single(&row.unit, limit)).into_owned()),
    }
}

fn environment(environment: &Environment) -> EnvironmentView {
    let clean = |text: &str| clean(text).into_owned();
    EnvironmentView {
        platform: clean(&environment.platform),
        cpu: clean(&environment.cpu),
        cores: environment.cores,
        memory: number::single(&Unit::Bytes, environment.memory as f64),
        kernel: clean(&environment.kernel),
        more: environment.more.iter().map(|(name, value)| clean(&format!("{name}: {value}"))).collect(),
    }
}

/// The comparison as a GitHub markdown table, aligned in the source; wider ones than a line switch the rule about line
/// length off around them. Nothing for no rows.
fn numbers(rows: &[MetricComparison], language: Lang) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let keys = ["table.metric", "table.before", "table.after", "table.change", "table.interval", "table.answer"];
    let mut lines: Vec<Vec<String>> = vec![keys.iter().map(|key| lang::word(language, key)).collect()];
    for row in rows {
        let r = RowView::new(row, language);
        let change = match &r.percent {
            Some(percent) => format!("{} ({percent})", r.change),
            None => r.change,
        };
        let interval = match r.interval {
            Some(interval) => interval,
            None if r.exact => lang::word(language, "table.exact"),
            None => "—".to_string(),
        };
        let [base, candidate, change] = [r.base, r.candidate, change].map(|c| markdown(&c));
        lines.push(vec![markdown_code(&r.name, true), base, candidate, change, interval, r.answer]);
    }
    let align = |column: usize| if (1..=3).contains(&column) { Align::Right } else { Align::Left };
    let widths: Vec<usize> =
        (0..keys.len()).map(|c| lines.iter().map(|l| width(&l[c])).max().unwrap_or(0).max(4)).collect();
    let mut out: Vec<String> = lines
        .iter()
        .map(|line| {
            let cells: Vec<String> = line.iter().enumerate().map(|(c, t)| pad(t, widths[c], align(c))).collect();
            format!("| {} |", cells.join(" | "))
        })
        .collect();
    let rule = |c: usize| match align(c) {
        Align::Left => "-".repeat(widths[c]),
        Align::Right => format!("{}:", "-".repeat(widths[c] - 1)),
    };
    out.insert(1, format!("| {} |", (0..keys.len()).map(rule).collect::<Vec<_>>().join(" | ")));
    let table = out.join("\n");
    if out.iter().any(|line| line.chars().count() > LINE) {
        format!("<!-- markdownlint-disable MD013 -->\n\n{table}\n\n<!-- markdownlint-enable MD013 -->")
    } else {
        table
    }
}
