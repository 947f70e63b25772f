//! The text of a decision file, from the records: MADR 4 (<https://adr.github.io/madr/>) whole or minimal, or Nygard's sections.
//!
//! A template writes the text; a line `<!-- verdict: NAME -->` in it begins a generated part, which ends before the next
//! heading of the second level. Everything that comes from the repository is escaped for markdown; the file passes
//! markdownlint's default rules.

use super::convention::{Convention, Head, Tool};
use super::file::{self, DecisionFile, Stamp};
use super::options::{Considered, Options};
use crate::config::{AdrFormat, Better, Matters, RevertMode};
use crate::decision::Draft;
use crate::experiment::{Experiment, State};
use crate::git::Person;
use crate::ledger::event::{Fact, Measured, Verdict};
use crate::measure::environment::Environment;
use crate::measure::told::told;
use crate::policy::MetricComparison;
use crate::render::message::title;
use crate::render::table;
use crate::render::text::{Align, NO_BREAK, clean, clean_lines, cut, cut_at_word, markdown, markdown_code, pad, width};
use crate::render::view::{self, AdviceView, CheckView, ComplexityView, RowView, RowsView};
use crate::render::{Lang, RenderError, Renderer, lang, number};
use crate::units::Unit;
use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;

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
    /// What else was considered.
    pub options: &'a Options<'a>,
}

/// The form of a decision file.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Its sections.
    pub format: AdrFormat,
    /// Where its status stands.
    pub head: Head,
    /// Its number, where files are numbered.
    pub number: Option<u32>,
    /// Whether the title begins with the number also where the form does not ask for it.
    pub numbered: bool,
}

impl Shape {
    /// The form that a repository uses, with this number.
    pub fn of(convention: &Convention, number: Option<u32>) -> Shape {
        let numbered = convention.tool == Tool::AdrTools && number.is_some();
        Shape { format: convention.format, head: convention.head, number, numbered }
    }
}

/// The experiment as a draft will leave it.
pub fn decided(experiment: &Experiment, draft: &Draft) -> Experiment {
    let mut decided = experiment.clone();
    if let Fact::Decided(fact) = &draft.event.fact {
        decided.state = match (fact.verdict, fact.mode) {
            (Verdict::Keep, _) => State::Kept,
            (Verdict::Revert, Some(RevertMode::Archive)) => State::Archived,
            (Verdict::Revert, _) => State::Reverted,
        };
        decided.decided = Some((draft.event.id, draft.event.at, (**fact).clone()));
    }
    decided
}

impl Renderer {
    /// A whole decision file.
    pub fn decision_file(&self, source: Source<'_>, shape: Shape) -> Result<String, RenderError> {
        let template = match shape.format {
            AdrFormat::Madr => "adr.md.j2",
            AdrFormat::MadrMinimal => "adr-minimal.md.j2",
            AdrFormat::Nygard => "adr-nygard.md.j2",
        };
        let text = self.render(template, self.decision_file_values(source, shape))?;
        let stamp =
            Stamp { experiment: source.experiment.id, format: shape.format, lang: self.lang(), digest: String::new() };
        Ok(marked(&tidy(&text), &stamp))
    }

    /// What the template of a decision file sees.
    pub fn decision_file_values(&self, source: Source<'_>, shape: Shape) -> Value {
        Value::from(Serde(&AdrView::new(source, shape, self.lang())))
    }
}

/// The name of an experiment as a part of a file name.
pub fn slug(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c.to_ascii_lowercase() } else { '-' };
    let slug: String = name.chars().map(safe).collect();
    let slug = slug.trim_matches(['-', '.']);
    if slug.is_empty() { "decision".to_string() } else { slug.to_string() }
}

/// Puts the stamp under the title and ends every part before the next heading of the second level. A text without parts is one
/// part below its title.
fn marked(text: &str, stamp: &Stamp) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut open = false;
    let mut stamped = false;
    let close = |lines: &mut Vec<String>, open: &mut bool| {
        if std::mem::take(open) {
            while lines.last().is_some_and(|line| line.is_empty()) {
                lines.pop();
            }
            lines.extend([String::new(), file::END.to_string(), String::new()]);
        }
    };
    let parts = text.lines().any(|line| file::marker(line).is_some_and(|name| name != "end"));
    for line in text.lines() {
        match file::marker(line) {
            Some("end") => close(&mut lines, &mut open),
            Some(_) => {
                close(&mut lines, &mut open);
                lines.push(line.to_string());
                open = true;
            }
            None => {
                if line.starts_with("## ") {
                    close(&mut lines, &mut open);
                }
                lines.push(line.to_string());
                if !stamped && line.starts_with("# ") {
                    stamped = true;
                    lines.extend([String::new(), stamp.line()]);
                    if !parts {
                        lines.extend([String::new(), file::begin("text")]);
                        open = true;
                    }
                }
            }
        }
    }
    close(&mut lines, &mut open);
    if !stamped {
        lines.extend([String::new(), stamp.line()]);
    }
    let mut file = DecisionFile::parse(&tidy_blank(&lines));
    file.seal();
    file.text()
}

/// One blank line where there are more, none at both ends.
fn tidy_blank(lines: &[String]) -> String {
    let mut out = String::new();
    let mut blank = false;
    for line in lines {
        if line.is_empty() {
            blank = !out.is_empty();
            continue;
        }
        if std::mem::take(&mut blank) {
            out.push('\n');
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// One blank line where there are more, none with spaces in it, one line end at the end; paragraphs and list items are
/// broken into lines that fit.
pub(super) fn tidy(text: &str) -> String {
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
    /// Where status and date stand: `front-matter`, `list` or `section`.
    head: &'static str,
    number: Option<u32>,
    numbered: bool,
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
    /// The other experiments that were considered.
    options: Vec<OptionView>,
    options_left_out: usize,
    /// What beats it: another option, or `base`.
    beaten_by: Option<String>,
}

/// Another experiment that was considered.
#[derive(Serialize)]
struct OptionView {
    name: String,
    title: String,
    heading: String,
    /// Whether the experiment stands on it.
    below: bool,
    /// What it was measured against.
    base: String,
    /// `build_time -35.5 %, image_size -62.5 %`.
    summary: String,
    #[serde(flatten)]
    rows: RowsView,
    table: String,
    limits: Vec<String>,
    complexity: ComplexityView,
    beaten_by: Option<String>,
}

impl OptionView {
    fn new(option: &Considered<'_>, beaten_by: Option<&str>, language: Lang) -> OptionView {
        let Considered { experiment, measured, stands_on, below } = *option;
        let name = clean(&experiment.name).into_owned();
        let title = title(&experiment.opened.title, &name);
        let base = stands_on.map_or(&experiment.opened.onto, |parent| &parent.name);
        OptionView {
            heading: heading(&title, &name),
            title,
            below,
            base: cut(&clean(base), 50).into_owned(),
            summary: view::summary(&measured.comparison, language),
            rows: RowsView::new(&measured.comparison, language),
            table: numbers(&measured.comparison, language),
            limits: table::limits(&measured.comparison, language),
            complexity: ComplexityView::new(&measured.complexity, language),
            beaten_by: beaten_by.map(|by| clean(by).into_owned()),
            name,
        }
    }
}

/// A title cut for headings, without punctuation at its end.
fn heading(title: &str, name: &str) -> String {
    let heading = cut_at_word(title, 60);
    let heading = heading.trim_end_matches(['.', ',', ';', ':', '!', '。', '，', '；', '：', '！']);
    if heading.is_empty() { slug(name) } else { heading.to_string() }
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
    fn new(source: Source<'_>, shape: Shape, language: Lang) -> AdrView {
        let Source { experiment, stands_on, by, options } = source;
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
        let stands_on = stands_on.map(|s| clean(s).into_owned());
        let onto = clean(&experiment.opened.onto).into_owned();
        let status = match experiment.state {
            State::Kept => "accepted",
            State::Reverted | State::Archived | State::Abandoned => "rejected",
            State::Open | State::Measured => "proposed",
        };
        let candidate = fact.map(|d| &d.candidate).or(measured.map(|(_, m)| &m.candidate));
        AdrView {
            head: shape.head.as_str(),
            number: shape.number,
            numbered: shape.numbered,
            status,
            date: decided.map_or(experiment.opened_at, |(_, at, _)| *at).format("%Y-%m-%d").to_string(),
            by: by.map(|p| clean(&p.name).into_owned()).filter(|n| !n.is_empty()),
            heading: heading(&title, &name),
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
            checks: measured.map(|(_, m)| CheckView::all(&m.checks, language)).unwrap_or_default(),
            advice: advice.map(|r| AdviceView::new(r, language)),
            overrode: fact.is_some_and(|d| d.overrode),
            complexity: measured.map(|(_, m)| ComplexityView::new(&m.complexity, language)),
            origin: measured.and_then(|(_, m)| view::origin(m, language)),
            environment: measured.map(|(_, m)| environment(&m.environment, language)),
            record: decided.map(|(id, _, _)| id.to_string()),
            experiment_id: experiment.id.to_string(),
            measured_record: measured.map(|(id, _)| id.to_string()),
            config_hash: measured.map(|(_, m)| clean(&m.config_hash).into_owned()).filter(|h| !h.is_empty()),
            base_commit: fact.map_or(&experiment.opened.base, |d| &d.base).commit.to_string(),
            candidate_commit: candidate.map(|c| c.commit.to_string()),
            commits: fact.map(|d| d.commits.iter().map(ToString::to_string).collect()).unwrap_or_default(),
            revert_commit: fact.and_then(|d| d.revert_commit.as_ref()).map(ToString::to_string),
            landed: fact.and_then(|d| d.landed.as_ref()).map(ToString::to_string),
            options: options
                .others
                .iter()
                .enumerate()
                .map(|(at, option)| {
                    let beaten_by = options.others_beaten_by.get(at).and_then(|by| by.as_deref());
                    OptionView::new(option, beaten_by, language)
                })
                .collect(),
            options_left_out: options.left_out,
            beaten_by: options.beaten_by.as_deref().map(|by| clean(by).into_owned()),
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
            Matters::Absolute(value) => clean(&row.unit.show(value.abs())).into_owned(),
        },
        limit: row.limit.map(|limit| clean(&row.unit.show(limit)).into_owned()),
    }
}

fn environment(environment: &Environment, language: Lang) -> EnvironmentView {
    let more = |(name, value): (&String, &String)| format!("{}: {value}", told(name).in_language(&language));
    let clean = |text: &str| clean(text).into_owned();
    EnvironmentView {
        platform: clean(&environment.platform),
        cpu: clean(&environment.cpu),
        cores: environment.cores,
        memory: Unit::Bytes.show(environment.memory as f64),
        kernel: clean(&environment.kernel),
        more: environment.more.iter().map(|entry| clean(&more(entry))).collect(),
    }
}

/// The comparison as a GitHub markdown table, aligned in the source; wider ones than a line switch the rule about line
/// length off around them. Nothing for no rows.
pub(super) fn numbers(rows: &[MetricComparison], language: Lang) -> String {
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
