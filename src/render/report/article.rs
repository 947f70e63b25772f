//! One experiment on the page, whole.

use super::chart::{self, day, shape, state_word};
use super::forge::Forge;
use super::plot::{LANES, Plot};
use super::text::{self, NAME, PROSE};
use super::{Details, Input, Place};
use crate::experiment::State;
use crate::git::Oid;
use crate::inspect::diff::{Attribution, Row as Part, named};
use crate::ledger::event::{Decided, Measured};
use crate::ledger::query::Entry;
use crate::measure;
use crate::policy::{Advice, MetricComparison};
use crate::render::text::NO_BREAK;
use crate::render::view::{self, AdviceView, CheckView, ComplexityView, RowView};
use crate::render::{Lang, lang, number};
use crate::units::Unit;
use minijinja::context;
use serde::Serialize;
use ulid::Ulid;

/// Rows of a table, plots and parts of a breakdown that are shown; the rest is counted.
const ROWS: usize = 24;
const PLOTS: usize = 8;
const PARTS: usize = 12;
const BREAKDOWNS: usize = 4;
const COMMITS: usize = 12;
const REASONS: usize = 8;
/// Characters of a number that stands in one line.
const LONG: usize = 22;
/// Metrics in a line.
const IN_SHORT: usize = 4;

/// What both forms show.
#[derive(Debug, Serialize)]
pub struct Head {
    /// Where it is on the page.
    pub anchor: String,
    /// Its name.
    pub name: String,
    /// The word of its state, for the script.
    pub state: &'static str,
    /// The same for people.
    pub state_word: String,
    /// The shape that stands for it.
    pub shape: &'static str,
    /// What was tried.
    pub title: String,
    /// `2026-01-31`: when it was decided, or opened.
    pub day: String,
    /// The numbers of its metrics in the list of the filter, with spaces.
    pub metrics: String,
    /// The first few changes.
    pub changes: Vec<Change>,
    /// Metrics besides.
    pub more: usize,
}

/// A change in two words.
#[derive(Debug, Serialize)]
pub struct Change {
    /// The metric.
    pub metric: String,
    /// `-62.5 %`.
    pub change: String,
    /// `improved`.
    pub word: &'static str,
    /// The same for people.
    pub answer: String,
}

/// An experiment with all that is known of it.
#[derive(Debug, Serialize)]
pub struct Article {
    /// The first line.
    #[serde(flatten)]
    pub head: Head,
    /// When it was decided, or opened, for machines.
    pub at: String,
    /// The command that shows it.
    pub command: String,
    /// What was expected.
    pub hypothesis: Option<String>,
    /// Why it was decided.
    pub because: Option<String>,
    /// Who decided, or opened it.
    pub by: String,
    /// `merge`, for a revert.
    pub mode: Option<&'static str>,
    /// What the rules said.
    pub advice: Option<AdviceView>,
    /// `followed`, `overrode` or nothing.
    pub obedience: Option<&'static str>,
    /// Its numbers.
    pub rows: Vec<Numbers>,
    /// Rows that are not shown.
    pub rows_more: usize,
    /// What came of the numbers once it had landed.
    pub realised: Vec<Realised>,
    /// Where the changes came from.
    pub breakdowns: Vec<Breakdown>,
    /// Where it begins and what it became.
    pub commits: Vec<Commit>,
    /// Commits that are not shown.
    pub commits_more: usize,
    /// The branch that it lands on, and its own.
    pub branches: Option<[String; 2]>,
    /// The experiment it stands on: its name, and where it is when it is on the page.
    pub stands_on: Option<(String, Option<String>)>,
    /// How it was measured.
    pub session: Option<Session>,
    /// The record that decided it, or that opened it.
    pub record: String,
    /// Heights of the two rows of a plot.
    pub lanes: [f64; 2],
}

/// A metric with its drawing.
#[derive(Debug, Serialize)]
pub struct Numbers {
    /// The row.
    #[serde(flatten)]
    pub row: RowView,
    /// Its drawing.
    pub plot: Option<Plot>,
    /// What the drawing shows, for those who do not see it.
    pub label: String,
    /// `image_size is 4.20 GB, over its limit of 4.00 GB`.
    pub limit_text: Option<String>,
    /// Whether a number is too long to stand in one line.
    pub long: bool,
}

/// What a metric promised, and what it was of the commit that landed against its first parent.
#[derive(Debug, Serialize)]
pub struct Realised {
    /// The metric.
    pub metric: String,
    /// The change that the decision rested on; none when it has no such metric.
    pub promised: Option<String>,
    /// The change that landed.
    pub landed: String,
    /// Its interval; none when exact.
    pub interval: Option<String>,
    /// `improved`.
    pub word: &'static str,
    /// The same for people.
    pub answer: String,
}

/// How an experiment was measured.
#[derive(Debug, Serialize)]
pub struct Session {
    /// Complete pairs.
    pub pairs: usize,
    /// The machine, or the tool that the numbers were imported from.
    pub machine: String,
    /// Whether it is a tool.
    pub imported: bool,
    /// The checks.
    pub checks: Vec<CheckView>,
    /// What the diff weighs.
    pub complexity: ComplexityView,
    /// Runs that failed.
    pub failures: usize,
}

/// A commit with its place on the forge.
#[derive(Debug, Serialize)]
pub struct Commit {
    /// `base`, `candidate`, `commit`, `revert`, `landed` or `told`.
    pub role: &'static str,
    /// All digits.
    pub id: String,
    /// The first ten.
    pub short: String,
    /// Where the forge shows it.
    pub link: Option<String>,
}

/// The parts of a change, before and after side by side.
#[derive(Debug, Serialize)]
pub struct Breakdown {
    /// The metric.
    pub metric: String,
    /// Whether it is of times, so that the parts are steps.
    pub steps: bool,
    /// The largest parts.
    pub parts: Vec<PartView>,
    /// The change in all.
    pub total: String,
    /// The whole before and after.
    pub whole: [String; 2],
    /// Whether a side could not be read whole.
    pub partial: bool,
}

/// A part of a change.
#[derive(Debug, Serialize)]
pub struct PartView {
    /// `layer 7 (RUN pip install)`.
    pub what: String,
    /// Its largest part, when it has several.
    pub detail: Option<String>,
    /// The size before; none when it was not there.
    pub before: Option<String>,
    /// The size after.
    pub after: Option<String>,
    /// `-6.2 GB`.
    pub change: String,
    /// Whether it grew.
    pub up: bool,
    /// Percent of the largest part, before and after.
    pub bars: Option<[String; 2]>,
}

/// The first line of an experiment; texts take at most `most` bytes each.
pub fn head(entry: &Entry, place: &Place, input: &Input<'_>, language: Lang, most: usize) -> Head {
    let change = |row: &MetricComparison| Change {
        metric: text::line(&row.metric, NAME.min(most)),
        change: text::line(&in_two_words(row), NAME.min(most)),
        word: row.word.as_str(),
        answer: view::answer(row.word, language),
    };
    let numbers = entry.comparison.iter().filter_map(|row| input.metric_number(&row.metric));
    Head {
        anchor: place.anchor.clone(),
        name: text::line(&entry.name, NAME.min(most)),
        state: entry.state.as_str(),
        state_word: state_word(entry.state, language),
        shape: shape(entry.state),
        title: title(entry, most),
        day: day(entry.at),
        metrics: numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(" "),
        changes: entry.comparison.iter().take(IN_SHORT).map(change).collect(),
        more: entry.comparison.len().saturating_sub(IN_SHORT),
    }
}

/// The first few changes in a line: `build_time +41.1 %, image_size -8.3 %`.
pub fn changes_line(entry: &Entry, language: Lang, most: usize) -> String {
    let change = |row: &MetricComparison| format!("{} {}", row.metric, in_two_words(row));
    let all: Vec<String> = entry.comparison.iter().take(IN_SHORT).map(change).collect();
    text::line(&all.join(&lang::word(language, "list.comma")), most)
}

/// `+41.1 %`, or the change in its unit where the base is zero.
fn in_two_words(row: &MetricComparison) -> String {
    let change = row.relative.map_or_else(|| number::pair(&row.unit, row.base, row.candidate).change, number::percent);
    change.replace(' ', &NO_BREAK.to_string())
}

/// The title, unless it only repeats the name.
fn title(entry: &Entry, most: usize) -> String {
    let title = entry.opened.as_ref().map_or("", |(_, opened)| opened.title.as_str());
    let title = text::line(title, most);
    if letters(&title).eq(letters(&entry.name)) { String::new() } else { title }
}

fn letters(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase)
}

/// An experiment with all that is known of it.
pub fn whole(entry: &Entry, place: &Place, input: &Input<'_>, details: &Details, language: Lang) -> Article {
    let measured = entry.experiment.and_then(|id| details.measured.get(&id));
    let opened = entry.opened.as_ref().map(|(_, opened)| opened);
    let decided = details.decided.get(&entry.record).or(entry.decided.as_ref());
    let recommendation =
        decided.and_then(|decided| decided.recommendation.as_ref()).or_else(|| Some(&measured?.recommendation));
    let prose = |text: &str| Some(text::lines(text, PROSE)).filter(|text| !text.is_empty());
    let (commits, commits_more) = commits(entry, decided, measured, input.forge);
    Article {
        head: head(entry, place, input, language, NAME * 2),
        at: entry.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        command: format!("git verdict show {}", shown_by(entry)),
        hypothesis: opened.and_then(|opened| prose(&opened.hypothesis)),
        because: decided_on(entry).then(|| prose(&entry.text)).flatten(),
        by: text::line(&entry.by.name, NAME),
        mode: decided.and_then(|decided| decided.mode).map(|mode| mode.as_str()),
        obedience: decided.and_then(|decided| match (&decided.recommendation, decided.overrode) {
            (_, true) => Some("overrode"),
            (Some(one), false) if matches!(one.advice, Advice::Keep | Advice::Revert) => Some("followed"),
            _ => None,
        }),
        advice: recommendation.map(|recommendation| {
            let mut advice = AdviceView::new(recommendation, language);
            advice.reasons.truncate(REASONS);
            advice.reasons.iter_mut().for_each(|reason| *reason = text::line(reason, PROSE / 4));
            advice
        }),
        rows: numbers(entry, measured, language),
        rows_more: entry.comparison.len().saturating_sub(ROWS),
        realised: realised(entry, language),
        breakdowns: measured.map(|measured| breakdowns(measured, language)).unwrap_or_default(),
        commits,
        commits_more,
        branches: opened.map(|opened| [text::line(&opened.onto, NAME), text::line(&opened.branch, NAME)]),
        stands_on: opened.and_then(|opened| opened.stands_on).map(|id| stands_on(id, input, details)),
        session: measured.map(|measured| session(measured, language)),
        record: entry.record.to_string(),
        lanes: LANES,
    }
}

/// What `show` finds it by: its name when that can be typed, else its id.
fn shown_by(entry: &Entry) -> String {
    match crate::experiment::check_name(&entry.name) {
        Ok(()) => entry.name.clone(),
        Err(_) => entry.record.to_string(),
    }
}

fn stands_on(id: Ulid, input: &Input<'_>, details: &Details) -> (String, Option<String>) {
    let anchor = input.places.iter().find(|place| place.experiment == Some(id)).map(|place| place.anchor.clone());
    let name = details.names.get(&id).map_or_else(|| id.to_string(), |name| text::line(name, NAME));
    (name, anchor)
}

fn numbers(entry: &Entry, measured: Option<&Measured>, language: Lang) -> Vec<Numbers> {
    let one = |(place, row): (usize, &MetricComparison)| {
        let pairs = measured.map(|m| measure::pairs(&m.samples, &row.metric, 0, 1)).unwrap_or_default();
        let plot = if place < PLOTS { Plot::new(row, &pairs) } else { None };
        let mut shown = RowView::new(row, language);
        shown.name = text::line(&shown.name, NAME);
        let optional = [&mut shown.percent, &mut shown.interval, &mut shown.limit];
        let numbers = [&mut shown.base, &mut shown.candidate, &mut shown.change];
        let mut long = false;
        for part in numbers.into_iter().chain(optional.into_iter().flatten()) {
            *part = text::line(part, NAME);
            long |= part.chars().count() > LONG;
        }
        let label = lang::text(
            language,
            if shown.interval.is_some() { "report.plot_interval" } else { "report.plot" },
            context! {
                name => &shown.name, base => &shown.base, candidate => &shown.candidate, n => shown.rounds,
                interval => &shown.interval,
            },
        );
        let limit_text = shown.limit.as_ref().filter(|_| shown.breaks_limit).map(|limit| {
            let key = if shown.higher_is_better { "limit.below" } else { "limit.above" };
            lang::text(language, key, context! { name => &shown.name, value => &shown.candidate, limit => limit })
        });
        Numbers { row: shown, plot, label, limit_text, long }
    };
    entry.comparison.iter().take(ROWS).enumerate().map(one).collect()
}

fn realised(entry: &Entry, language: Lang) -> Vec<Realised> {
    let change = |row: &MetricComparison| {
        let absolute = number::pair(&row.unit, row.base, row.candidate).change;
        text::line(&format!("{absolute} {}", row.relative.map(number::percent).unwrap_or_default()), NAME)
    };
    let one = |row: &MetricComparison| Realised {
        metric: text::line(&row.metric, NAME),
        promised: entry.comparison.iter().find(|other| other.metric == row.metric).map(change),
        landed: change(row),
        interval: row.interval.map(number::interval),
        word: row.word.as_str(),
        answer: view::answer(row.word, language),
    };
    entry.realised.iter().take(ROWS).map(one).collect()
}

fn session(measured: &Measured, language: Lang) -> Session {
    let machine = &measured.environment;
    let imported = machine.more.get("imported from");
    let mut checks = CheckView::all(&measured.checks, language);
    checks.truncate(ROWS);
    for check in &mut checks {
        check.name = text::line(&check.name, NAME);
        check.outcome = text::line(&check.outcome, NAME);
    }
    let mut complexity = ComplexityView::new(&measured.complexity, language);
    complexity.new_dependencies.truncate(ROWS);
    complexity.new_dependencies.iter_mut().for_each(|name| *name = text::line(name, NAME));
    Session {
        pairs: measured.comparison.iter().map(|row| row.rounds).max().unwrap_or(0),
        machine: text::line(
            &imported.cloned().unwrap_or_else(|| machine.fingerprint().in_language(&language)),
            NAME * 2,
        ),
        imported: imported.is_some(),
        checks,
        complexity,
        failures: measured.failures.len(),
    }
}

fn commits(
    entry: &Entry,
    decided: Option<&Decided>,
    measured: Option<&Measured>,
    forge: Option<&Forge>,
) -> (Vec<Commit>, usize) {
    let commit = |role: &'static str, id: &Oid| Commit {
        role,
        id: id.to_string(),
        short: id.short().to_string(),
        link: forge.map(|forge| forge.commit(id)),
    };
    let mut found = Vec::new();
    let mut more = 0;
    if let Some(decided) = decided {
        found.push(commit("base", &decided.base.commit));
        let own = &decided.commits;
        more = own.len().saturating_sub(COMMITS);
        found.extend(own.iter().skip(more).map(|id| commit("commit", id)));
        if !own.contains(&decided.candidate.commit) {
            found.push(commit("candidate", &decided.candidate.commit));
        }
        found.extend(decided.revert_commit.iter().map(|id| commit("revert", id)));
        found.extend(decided.landed.iter().map(|id| commit("landed", id)));
    } else if let Some(measured) = measured {
        found.push(commit("base", &measured.base.commit));
        found.push(commit("candidate", &measured.candidate.commit));
    } else if let Some((_, opened)) = &entry.opened {
        found.push(commit("base", &opened.base.commit));
    }
    found.extend(entry.told_by.iter().map(|id| commit("told", id)));
    (found, more)
}

fn breakdowns(measured: &Measured, language: Lang) -> Vec<Breakdown> {
    let ours = measured.origins.iter().filter(|origin| origin.first == 0 && origin.second == 1);
    ours.take(BREAKDOWNS).map(|origin| breakdown(&origin.metric, &origin.attribution, language)).collect()
}

fn breakdown(metric: &str, attribution: &Attribution, language: Lang) -> Breakdown {
    let called = |what: &str| named(what).in_language(&language);
    let size = |part: &Part| part.before.unwrap_or(0).max(part.after.unwrap_or(0));
    let largest = attribution.rows.iter().take(PARTS).map(size).max().unwrap_or(0) as f64;
    let bar = |amount: Option<i64>| chart::percent(amount.unwrap_or(0).max(0) as f64 / largest);
    let shown = |amount: i64| attribution.unit.show(attribution.value(amount));
    let change = |amount: i64| if amount == 0 { shown(0) } else { attribution.show(amount) };
    let mut parts: Vec<PartView> = Vec::new();
    for part in attribution.rows.iter().take(PARTS) {
        let detail = part.detail.first().filter(|detail| detail.change != 0 && part.detail.len() > 1);
        parts.push(PartView {
            what: text::line(&called(&part.what), NAME * 2),
            detail: detail
                .map(|d| text::line(&format!("{} {}", attribution.show(d.change), called(&d.what)), NAME * 2)),
            before: part.before.map(shown),
            after: part.after.map(shown),
            change: change(part.change),
            up: part.change > 0,
            bars: (largest > 0.0).then(|| [bar(part.before), bar(part.after)]),
        });
    }
    let plain = |what: String, amount: i64| PartView {
        what,
        detail: None,
        before: None,
        after: None,
        change: change(amount),
        up: amount > 0,
        bars: None,
    };
    let rest = &attribution.rows[attribution.rows.len().min(PARTS)..];
    if !rest.is_empty() {
        let sum = rest.iter().fold(0i64, |sum, part| sum.saturating_add(part.change));
        parts.push(plain(format!("+ {}", rest.len()), sum));
    }
    if attribution.unexplained != 0 {
        parts.push(plain(text::line(&called(&attribution.unexplained_as), NAME), attribution.unexplained));
    }
    Breakdown {
        metric: text::line(metric, NAME),
        steps: attribution.unit == Unit::Seconds,
        parts,
        total: change(attribution.total()),
        whole: [shown(attribution.before), shown(attribution.after)],
        partial: attribution.partial,
    }
}

/// Whether the text of an entry says why it was decided; that of an undecided one is its hypothesis.
pub fn decided_on(entry: &Entry) -> bool {
    matches!(entry.state, State::Kept | State::Reverted | State::Archived)
}

/// Whether the experiment was decided against.
pub fn rejected(entry: &Entry) -> bool {
    matches!(entry.state, State::Reverted | State::Archived)
}
