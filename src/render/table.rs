//! Tables of numbers for the terminal and for commit messages.
//!
//! A table that is wider than the terminal first cuts its widest text columns, then turns into one block a row. Colour is
//! never the only carrier of a meaning: every answer has its word and its sign.

use super::text::{Align, NO_BREAK, clean, cut, pad, width, wrap};
use super::view::{self, RowView};
use super::{Lang, lang};
use crate::policy::{Advice, Complexity, MetricComparison, Recommendation};
use crate::stats::Word;
use console::Style;
use minijinja::context;

/// How a table is to look.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether colour may be used.
    pub color: bool,
    /// The language.
    pub lang: Lang,
    /// Whether signs outside ASCII may be used (`✓`, `▁`); text in the reader's language is not affected.
    pub unicode: bool,
}

impl Look {
    /// Plain text of 80 columns.
    pub fn plain(lang: Lang) -> Look {
        Look { width: 80, color: false, lang, unicode: true }
    }
    /// The same with this many columns.
    pub fn with_width(self, width: usize) -> Look {
        Look { width, ..self }
    }
}

/// What a cell means, shown as colour where colour may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// Nothing special.
    #[default]
    Plain,
    /// Good: green.
    Good,
    /// Bad: red.
    Bad,
    /// Open: yellow.
    Open,
    /// Less important: dim.
    Quiet,
    /// A heading: bold.
    Strong,
}

impl Tone {
    /// The text in this tone.
    pub fn paint(self, text: &str, look: Look) -> String {
        let style = Style::new().force_styling(look.color);
        let style = match self {
            Tone::Plain => return text.to_string(),
            Tone::Good => style.green(),
            Tone::Bad => style.red(),
            Tone::Open => style.yellow(),
            Tone::Quiet => style.dim(),
            Tone::Strong => style.bold(),
        };
        if text.is_empty() { String::new() } else { style.apply_to(text).to_string() }
    }
}

/// A cell: one line of text that has been cleaned, and what it means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A cell with a tone.
    pub fn toned(text: &str, tone: Tone) -> Cell {
        Cell { text: clean(text).into_owned(), tone }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Cell::toned(text, Tone::Plain)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Cell::from(text.as_str())
    }
}

/// A column: its heading and the side that its cells are on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    heading: String,
    align: Align,
    rigid: bool,
}

impl Column {
    /// Its heading.
    pub fn heading(&self) -> &str {
        &self.heading
    }
    /// The same column under another heading.
    pub fn headed(&self, heading: impl Into<String>) -> Column {
        Column { heading: heading.into(), ..self.clone() }
    }
    /// A column of text; it is cut when the table is too wide.
    pub fn text(heading: impl Into<String>) -> Column {
        Column { heading: heading.into(), align: Align::Left, rigid: false }
    }
    /// A column of words that mean nothing when they are cut.
    pub fn word(heading: impl Into<String>) -> Column {
        Column { heading: heading.into(), align: Align::Left, rigid: true }
    }
    /// A column of numbers; never cut.
    pub fn number(heading: impl Into<String>) -> Column {
        Column { heading: heading.into(), align: Align::Right, rigid: true }
    }
}

impl Column {
    /// How far it may be cut.
    fn least(&self) -> usize {
        LEAST_TEXT.max(width(&self.heading))
    }
}

const GAP: usize = 2;
const LEAST_TEXT: usize = 10;

/// A table with a line of headings, each line ended. Cells beyond the columns are left out, missing ones are empty.
pub fn table(columns: &[Column], rows: &[Vec<Cell>], look: Look) -> String {
    let mut widths: Vec<usize> = columns.iter().map(|c| width(&c.heading)).collect();
    for row in rows {
        for (column, cell) in widths.iter_mut().zip(row) {
            *column = (*column).max(width(&cell.text));
        }
    }
    let total = |widths: &[usize]| widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
    while total(&widths) > look.width {
        let widest = (0..columns.len())
            .filter(|&c| !columns[c].rigid && widths[c] > columns[c].least())
            .max_by_key(|&c| widths[c]);
        match widest {
            Some(column) => widths[column] -= 1,
            None => return blocks(columns, rows, look),
        }
    }
    let headings: Vec<Cell> = columns.iter().map(|c| Cell::toned(&c.heading, Tone::Quiet)).collect();
    let mut out = String::new();
    for row in std::iter::once(&headings).chain(rows) {
        let mut line = String::new();
        let mut pending = 0;
        for ((column, &columns_wide), cell) in columns.iter().zip(&widths).zip(row) {
            let text = cut(&cell.text, columns_wide);
            let fill = columns_wide - width(&text);
            let (before, after) = if column.align == Align::Right { (fill, 0) } else { (0, fill) };
            if !text.is_empty() {
                line.push_str(&" ".repeat(pending + before));
                line.push_str(&cell.tone.paint(&text, look));
                pending = after + GAP;
            } else {
                pending += fill + GAP;
            }
        }
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// One block of `heading: text` lines a row, for terminals that a table does not fit on.
fn blocks(columns: &[Column], rows: &[Vec<Cell>], look: Look) -> String {
    let headings = columns.iter().map(|c| width(&c.heading)).max().unwrap_or(0);
    let mut out = String::new();
    for (number, row) in rows.iter().enumerate() {
        if number > 0 {
            out.push('\n');
        }
        for (column, cell) in columns.iter().zip(row).filter(|(_, cell)| !cell.text.is_empty()) {
            let heading = Tone::Quiet.paint(&pad(&column.heading, headings, Align::Left), look);
            let text = cut(&cell.text, look.width.saturating_sub(headings + GAP).max(LEAST_TEXT));
            out.push_str(&format!("{heading}  {}\n", cell.tone.paint(&text, look)));
        }
    }
    out
}

/// What an answer means and the sign that stands before its word.
pub fn mark(word: Word, look: Look) -> (Tone, &'static str) {
    match (word, look.unicode) {
        (Word::Improved, true) => (Tone::Good, "✓"),
        (Word::Improved, false) => (Tone::Good, "+"),
        (Word::Regressed, true) => (Tone::Bad, "✗"),
        (Word::Regressed, false) => (Tone::Bad, "!"),
        (Word::Unchanged, _) => (Tone::Plain, "="),
        (Word::Inconclusive, _) => (Tone::Open, "?"),
    }
}

/// One comparison: a row for each metric, then a line for each broken limit and for what would settle each open answer.
pub fn comparison(rows: &[MetricComparison], look: Look) -> String {
    comparison_of(["table.base", "table.candidate"].map(|key| lang::word(look.lang, key)), rows, look)
}

/// The same with other words for the two sides.
pub fn comparison_of(heads: [String; 2], rows: &[MetricComparison], look: Look) -> String {
    let heading = |key: &str| lang::word(look.lang, key);
    let cells: Vec<(RowView, Cell)> = rows
        .iter()
        .map(|row| {
            let (tone, sign) = mark(row.word, look);
            (RowView::new(row, look.lang), Cell::toned(&format!("{sign} {}", view::answer(row.word, look.lang)), tone))
        })
        .collect();
    let metric = Column::text(heading("table.metric"));
    let sides = heads.map(Column::number);
    let answer = Column::word(heading("table.answer"));
    let change = Column::number(heading("table.change"));

    let mut columns = vec![metric.clone()];
    columns.extend(sides.clone());
    columns.extend([change.clone(), Column::number(""), Column::word(""), answer.clone()]);
    let full: Vec<Vec<Cell>> = cells
        .iter()
        .map(|(r, answer)| {
            let mut row: Vec<Cell> = [&r.name, &r.base, &r.candidate, &r.change].map(|t| spaced(t).into()).to_vec();
            row.extend([spaced(r.percent.as_deref().unwrap_or("")).into(), certainty(r, look.lang), answer.clone()]);
            row
        })
        .collect();
    let mut out = if fits(&columns, &full, look) {
        table(&columns, &full, look)
    } else {
        let mut columns = vec![metric];
        columns.extend(sides);
        columns.extend([change, answer]);
        let mut short: Vec<Vec<Cell>> = Vec::new();
        for (r, answer) in &cells {
            let change = format!("{} {}", r.change, r.percent.as_deref().unwrap_or(""));
            let mut row: Vec<Cell> = [&r.name, &r.base, &r.candidate].map(|t| spaced(t).into()).to_vec();
            row.extend([spaced(change.trim_end()).into(), answer.clone()]);
            short.push(row);
            let certainty = certainty(r, look.lang);
            if !certainty.text.is_empty() {
                short.push(vec![Cell::default(), Cell::default(), Cell::default(), certainty]);
            }
        }
        if fits_when_cut(&columns, &short, look) { table(&columns, &short, look) } else { stacked(&cells, look) }
    };
    for line in limit_lines(rows, look.lang) {
        out.push_str(&Tone::Bad.paint(&wrap(&line, look.width, 2), look));
        out.push('\n');
    }
    for line in settle_lines(rows, look.lang) {
        out.push_str(&Tone::Open.paint(&wrap(&line, look.width, 2), look));
        out.push('\n');
    }
    out
}

/// How sure a change is: its interval, or that it is exact.
fn certainty(row: &RowView, language: Lang) -> Cell {
    let text = match &row.interval {
        Some(interval) => spaced(interval),
        None if row.exact => lang::word(language, "table.exact"),
        None => String::new(),
    };
    Cell::toned(&text, Tone::Quiet)
}

fn spaced(text: &str) -> String {
    text.replace(NO_BREAK, " ")
}

fn fits(columns: &[Column], rows: &[Vec<Cell>], look: Look) -> bool {
    natural(columns, rows, |_, w| w) <= look.width
}

fn fits_when_cut(columns: &[Column], rows: &[Vec<Cell>], look: Look) -> bool {
    natural(columns, rows, |column, w| if column.rigid { w } else { w.min(column.least()) }) <= look.width
}

fn natural(columns: &[Column], rows: &[Vec<Cell>], least: impl Fn(&Column, usize) -> usize) -> usize {
    let wide = |c: usize| {
        let cells = rows.iter().filter_map(|r| r.get(c)).map(|cell| width(&cell.text)).max().unwrap_or(0);
        least(&columns[c], cells.max(width(&columns[c].heading)))
    };
    (0..columns.len()).map(wide).sum::<usize>() + GAP * columns.len().saturating_sub(1)
}

/// The narrowest form of a comparison: three lines a metric.
fn stacked(cells: &[(RowView, Cell)], look: Look) -> String {
    let mut out = String::new();
    for (row, answer) in cells {
        let name = Tone::Strong.paint(&cut(&row.name, look.width.saturating_sub(width(&answer.text) + 1).max(8)), look);
        out.push_str(&format!("{name} {}\n", answer.tone.paint(&answer.text, look)));
        out.push_str(&format!("  {} -> {}\n", spaced(&row.base), spaced(&row.candidate)));
        let sure = certainty(row, look.lang);
        let parts = [spaced(&row.change), spaced(row.percent.as_deref().unwrap_or("")), sure.text];
        let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|p| !p.is_empty()).collect();
        out.push_str(&format!("  {}\n", parts.join(" ")));
    }
    out
}

/// A line for each metric that is beyond its limit.
pub fn limits(rows: &[MetricComparison], language: Lang) -> Vec<String> {
    limit_lines(rows, language).map(|line| spaced(&line)).collect()
}

fn limit_lines(rows: &[MetricComparison], language: Lang) -> impl Iterator<Item = String> {
    rows.iter().filter(|row| row.breaks_limit()).map(move |row| {
        let r = RowView::new(row, language);
        let key = if r.higher_is_better { "limit.below" } else { "limit.above" };
        lang::text(language, key, context! { name => r.name, value => r.candidate, limit => r.limit })
    })
}

/// What would settle each inconclusive metric, one line each.
pub fn settle(rows: &[MetricComparison], language: Lang) -> Vec<String> {
    settle_lines(rows, language).map(|line| spaced(&line)).collect()
}

fn settle_lines(rows: &[MetricComparison], language: Lang) -> impl Iterator<Item = String> {
    rows.iter().filter(|row| row.word == Word::Inconclusive).map(move |row| {
        let r = RowView::new(row, language);
        let head = match &r.detectable {
            Some(size) => {
                lang::text(language, "settle.detectable", context! { name => r.name, n => r.rounds, size => size })
            }
            None => lang::text(language, "settle.open", context! { name => r.name, n => r.rounds }),
        };
        let tail = match r.rounds_needed {
            Some(needed) => {
                let command = format!("git verdict measure --pairs {needed}").replace(' ', &NO_BREAK.to_string());
                lang::text(language, "settle.needed", context! { n => needed, command => command })
            }
            None => lang::word(language, "settle.unknown"),
        };
        format!("{head}{tail}")
    })
}

/// A recommendation with its reasons.
pub fn recommendation(recommendation: &Recommendation, look: Look) -> String {
    let view = view::AdviceView::new(recommendation, look.lang);
    let tone = match recommendation.advice {
        Advice::Keep => Tone::Good,
        Advice::Revert => Tone::Bad,
        Advice::TradeOff | Advice::MeasureMore => Tone::Open,
    };
    let head = lang::text(look.lang, "advice.line", context! { advice => tone.paint(&view.text, look) });
    let mut out = format!("{head}\n");
    for reason in view.reasons {
        out.push_str(&wrap(&format!("  - {reason}"), look.width, 4));
        out.push('\n');
    }
    out
}

/// What a diff weighs, in one line: `3 files, 41 lines added, 7 removed, 1 new dependency`.
pub fn complexity(complexity: &Complexity, language: Lang) -> String {
    let mut parts = vec![
        lang::text(language, "complexity.files", context! { n => complexity.files }),
        lang::text(language, "complexity.added", context! { n => complexity.added }),
        lang::text(language, "complexity.removed", context! { n => complexity.removed }),
    ];
    if !complexity.new_dependencies.is_empty() {
        let n = complexity.new_dependencies.len();
        parts.push(lang::text(language, "complexity.dependencies", context! { n => n }));
    }
    if let Some(cost) = complexity.maintenance {
        parts.push(lang::text(language, "complexity.maintenance", context! { n => format!("{:+}", cost.points) }));
    }
    parts.join(&lang::word(language, "list.comma"))
}

/// The comparison as it stands in a commit message: plain, indented by two, within 100 columns; wider ones have two lines
/// a metric. Every line ends; nothing for no rows.
pub fn in_message(rows: &[MetricComparison], language: Lang) -> String {
    const WIDEST: usize = 98;
    if rows.is_empty() {
        return String::new();
    }
    let heading = |key: &str| lang::word(language, key);
    let look = Look { width: WIDEST, color: false, lang: language, unicode: false };
    let columns = [
        Column::text(heading("table.metric")),
        Column::number(heading("table.before")),
        Column::number(heading("table.after")),
        Column::number(heading("table.change")),
        Column::number(""),
        Column::word(heading("table.interval")),
        Column::word(heading("table.answer")),
    ];
    let views: Vec<RowView> = rows.iter().map(|row| RowView::new(row, language)).collect();
    let cells: Vec<Vec<Cell>> = views
        .iter()
        .map(|r| {
            let mut row: Vec<Cell> = [&r.name, &r.base, &r.candidate, &r.change].map(|t| spaced(t).into()).to_vec();
            let percent = spaced(r.percent.as_deref().unwrap_or(""));
            row.extend([percent.into(), certainty(r, language), r.answer.as_str().into()]);
            row
        })
        .collect();
    let text = if fits(&columns, &cells, look) {
        table(&columns, &cells, look)
    } else {
        let mut out = String::new();
        for (r, cells) in views.iter().zip(&cells) {
            let parts: Vec<&str> = cells[3..].iter().map(|c| c.text.as_str()).filter(|t| !t.is_empty()).collect();
            let line = format!("  {} -> {}  {}", spaced(&r.base), spaced(&r.candidate), parts.join("  "));
            out.push_str(&format!("{}\n{}\n", cut(&r.name, WIDEST), cut(&line, WIDEST)));
        }
        out
    };
    text.lines().map(|line| format!("  {line}\n")).collect()
}
