//! `git verdict log`: the decisions, newest first.

use super::usage::Refused;
use super::{Ctx, Done};
use crate::error::{Exit, Explain, Failure};
use crate::exchange::{Sheet, csv::Csv, markdown::Markdown};
use crate::experiment::{Experiment, State};
use crate::git::Repo;
use crate::ledger::event::Rechecked;
use crate::ledger::query::{Answer, Entry, Query};
use crate::ledger::{Ledger, trailers};
use crate::phrase;
use crate::phrase::Phrase;
use crate::policy::MetricComparison;
use crate::recheck::told;
use crate::render::table::{Look, Tone};
use crate::render::text::{Align, clean, cut_at_word, pad};
pub use crate::render::view::summary;
use chrono::{DateTime, Days, FixedOffset, Local, Months, NaiveDate, TimeDelta, TimeZone};
use clap::ValueEnum;
use globset::{GlobBuilder, GlobMatcher};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Write;
use ulid::Ulid;

#[derive(Debug, clap::Args)]
#[command(after_help = DATES)]
pub struct Args {
    #[command(flatten)]
    filters: Filters,
    /// Open and abandoned experiments too
    #[arg(long)]
    all: bool,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "text", conflicts_with_all = ["jsonl", "json"])]
    format: Format,
    /// One JSON object a line
    #[arg(long, conflicts_with = "json")]
    jsonl: bool,
    /// What stands on what, as a tree
    #[arg(long, conflicts_with_all = ["jsonl", "json", "format"])]
    graph: bool,
}

/// What a DATE may be.
pub const DATES: &str = "A DATE is 2026-01-31, a time in RFC 3339, 'today', 'yesterday', or '3 weeks ago'.";

// Which experiments are wanted. No doc comment: clap would make it the `about` of the command that it is part of.
#[derive(Debug, clap::Args)]
pub struct Filters {
    /// At most N rows
    #[arg(short = 'n', long, value_name = "N")]
    number: Option<usize>,
    /// Pass over the newest N
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: usize,
    /// Only experiments in this state; may be given again
    #[arg(long = "state", value_name = "STATE")]
    states: Vec<StateName>,
    /// Only experiments that this metric was measured for
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,
    /// Only experiments whose change touched such a file or folder
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    path: Option<GlobMatcher>,
    /// Only what someone with this in name or address decided
    #[arg(long, value_name = "TEXT")]
    author: Option<String>,
    /// Only what was decided since then
    #[arg(long, value_name = "DATE", value_parser = |text: &str| moment(text, false))]
    since: Option<DateTime<FixedOffset>>,
    /// Only what was decided until then (a day counts to its end)
    #[arg(long, value_name = "DATE", value_parser = |text: &str| moment(text, true))]
    until: Option<DateTime<FixedOffset>>,
    /// Only experiments with this in name, title, hypothesis or reason
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
}

impl Filters {
    /// The query that they stand for. `all` takes in what is undecided, `whole` the openings and decisions themselves.
    pub fn query(self, all: bool, whole: bool) -> Query {
        Query {
            all,
            states: self.states.iter().map(|name| State::from(*name)).collect(),
            metric: self.metric,
            path: self.path,
            author: self.author,
            since: self.since,
            until: self.until,
            grep: self.grep,
            skip: self.skip,
            most: self.number,
            whole,
            openings: false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Markdown,
    Csv,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StateName {
    Open,
    Measured,
    Kept,
    Reverted,
    Archived,
    Abandoned,
}

impl From<StateName> for State {
    fn from(name: StateName) -> State {
        match name {
            StateName::Open => State::Open,
            StateName::Measured => State::Measured,
            StateName::Kept => State::Kept,
            StateName::Reverted => State::Reverted,
            StateName::Archived => State::Archived,
            StateName::Abandoned => State::Abandoned,
        }
    }
}

fn glob(text: &str) -> Result<GlobMatcher, Refused> {
    let text = text.trim_start_matches("./").trim_end_matches('/');
    if text.is_empty() {
        return Err(Refused(phrase!("a path inside the repository is needed, such as src/** or Dockerfile")));
    }
    let built = GlobBuilder::new(text).literal_separator(true).build();
    Ok(built.map_err(|error| Refused(error.kind().to_string().into()))?.compile_matcher())
}

/// Reads a date; the first or the last moment of a day that is given without a time.
fn moment(text: &str, last: bool) -> Result<DateTime<FixedOffset>, Refused> {
    let unknown = || Refused(phrase!("'{text}' is no date such as 2026-01-31 or '3 weeks ago'", text = clean(text)));
    if let Ok(exact) = DateTime::parse_from_rfc3339(text) {
        return Ok(exact);
    }
    let whole_day = |day: NaiveDate| {
        let day = if last { day.checked_add_days(Days::new(1))? } else { day };
        let local = Local.from_local_datetime(&day.and_hms_opt(0, 0, 0)?).earliest()?.fixed_offset();
        Some(if last { local - TimeDelta::nanoseconds(1) } else { local })
    };
    let now = Local::now();
    let day = match text {
        "today" => Some(now.date_naive()),
        "yesterday" => now.date_naive().pred_opt(),
        _ => NaiveDate::parse_from_str(text, "%Y-%m-%d").ok(),
    };
    if let Some(day) = day {
        return whole_day(day).ok_or_else(unknown);
    }
    let words: Vec<&str> = text.split([' ', '.']).filter(|word| !word.is_empty()).collect();
    let (number, unit) = match words.as_slice() {
        [number, unit, "ago"] | [number, unit] => (number.parse::<u32>().map_err(|_| unknown())?, unit),
        _ => return Err(unknown()),
    };
    let back = |seconds: i64| now.checked_sub_signed(TimeDelta::try_seconds(i64::from(number) * seconds)?);
    let then = match unit.trim_end_matches('s') {
        "minute" => back(60),
        "hour" => back(3600),
        "day" => back(86_400),
        "week" => back(7 * 86_400),
        "month" => now.checked_sub_months(Months::new(number)),
        "year" => number.checked_mul(12).and_then(|months| now.checked_sub_months(Months::new(months))),
        _ => None,
    };
    then.map(|then| then.fixed_offset()).ok_or_else(unknown)
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let repo = ctx.repo()?;
    let query = args.filters.query(args.all, ctx.json || args.jsonl || args.graph);
    let answer = answer(ctx, &repo, &query)?;
    let shown = &answer.entries;
    match (args.jsonl, args.graph, args.format) {
        (false, _, Format::Text) if shown.is_empty() => ctx.say(nothing(&query, &answer))?,
        (true, _, _) => print_all(shown.iter().map(|entry| line(entry).to_string()))?,
        (_, _, Format::Csv) => ctx.say(Csv.text(shown, ctx.lang))?,
        (_, _, Format::Markdown) => ctx.say(Markdown.text(shown, ctx.lang))?,
        (_, true, Format::Text) => ctx.say(graph(shown, ctx.look()))?,
        (_, false, Format::Text) => ctx.say(text(shown, ctx.look()))?,
    }
    if ctx.json {
        ctx.emit("log", json!({"decisions": shown.iter().map(told).collect::<Vec<_>>()}))?;
    }
    Ok(Exit::Done)
}

/// What the ledger answers, or the commits of a clone that has none; what is wrong or missing is noted.
pub fn answer(ctx: &Ctx, repo: &Repo, query: &Query) -> Result<Answer, Failure> {
    let ledger = Ledger::open(repo);
    let answer = match ledger.tip()? {
        Some(_) => ledger.query(query)?,
        None => rebuilt(ctx, repo, query)?,
    };
    for problem in &answer.problems {
        ctx.note(phrase!("{problem}; git verdict doctor --ledger", problem = clean(&ctx.tell(Explain::what(problem)))));
    }
    if answer.unknown_paths > 0 {
        let count = answer.unknown_paths;
        ctx.note(phrase!(
            "{count} experiment{s} left out: their commits are not here",
            count,
            s = crate::phrase::plural(count)
        ));
    }
    Ok(answer)
}

/// What the commits tell, in a clone that has no ledger.
fn rebuilt(ctx: &Ctx, repo: &Repo, query: &Query) -> Result<Answer, Failure> {
    let mut entries: Vec<Entry> = trailers::told(repo)?.into_iter().map(|(entry, _)| entry).collect();
    if !entries.is_empty() {
        let count = entries.len();
        ctx.note(phrase!(
            "rebuilt from {count} commit message{s}; the ledger is not here: git verdict sync",
            count,
            s = crate::phrase::plural(count)
        ));
    }
    if query.path.is_some() {
        ctx.note("--path needs the ledger, and is left out");
    }
    entries.retain(|entry| query.takes(entry) && query.says(entry));
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    query.cut(&mut entries);
    Ok(Answer { entries, ..Answer::default() })
}

fn nothing(query: &Query, answer: &Answer) -> Phrase {
    let plain = Query { most: None, whole: false, ..query.clone() };
    let narrowed = !plain.states.is_empty()
        || [&plain.metric, &plain.author, &plain.grep].iter().any(|filter| filter.is_some())
        || plain.path.is_some()
        || plain.since.is_some()
        || plain.until.is_some()
        || plain.skip > 0;
    match answer.open {
        _ if narrowed || query.most == Some(0) => "no decision is like that".into(),
        0 => "no decisions yet; git verdict start NAME --hypothesis TEXT opens an experiment".into(),
        open => phrase!("no decisions yet; open experiments: {open} (git verdict log --all)", open),
    }
}

/// The rows that a decision rests on, or those of the latest measurement.
pub fn comparison(experiment: &Experiment) -> &[MetricComparison] {
    match (&experiment.decided, experiment.latest()) {
        (Some((_, _, decided)), _) => &decided.comparison,
        (None, Some((_, measured))) => &measured.comparison,
        (None, None) => &[],
    }
}

/// `2026-11-24  reverted   multi-stage  build_time +41.1 %`; the branch of a tree stands before the name.
fn headline(out: &mut String, look: Look, one: &Entry, branch: &str) {
    let tone = match one.state {
        State::Kept => Tone::Good,
        State::Reverted | State::Archived => Tone::Bad,
        State::Open | State::Measured => Tone::Open,
        State::Abandoned => Tone::Quiet,
    };
    let day = one.at.format("%Y-%m-%d");
    let state = tone.paint(&pad(&Phrase::from(one.state.as_str()).in_language(&look.lang), 9, Align::Left), look);
    let name = Tone::Strong.paint(&clean(&one.name), look);
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{day}  {state}  {branch}{name}  {}", summary(&one.comparison, look.lang));
}

/// Two lines a decision: what and how much, then why.
fn text(shown: &[Entry], look: Look) -> String {
    let mut out = String::new();
    for one in shown {
        headline(&mut out, look, one, "");
        let first = clean(one.text.lines().next().unwrap_or_default());
        let _ = writeln!(out, "{:12}{}", "", cut_at_word(&first, look.width.saturating_sub(12)));
        if let Some(sentence) = told::landed(&one.comparison, &one.realised) {
            let _ = writeln!(out, "{:12}{}", "", sentence.in_language(&look.lang));
        }
    }
    out
}

/// Each experiment below the one that it stands on, when that is listed too.
fn graph(shown: &[Entry], look: Look) -> String {
    let mut out = String::new();
    let places: HashMap<Ulid, usize> =
        shown.iter().enumerate().filter_map(|(place, one)| Some((one.experiment?, place))).collect();
    let parent = |one: &Entry| {
        let on = one.opened.as_ref().and_then(|(_, opened)| opened.stands_on)?;
        places.get(&on).copied()
    };
    let mut children: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
    for (place, one) in shown.iter().enumerate() {
        children.entry(parent(one).filter(|on| *on != place)).or_default().push(place);
    }
    // Without recursion, so that a hostile ledger cannot overflow the stack; a circle has no root and is listed at the end.
    let mut seen = vec![false; shown.len()];
    let mut stack: Vec<(usize, String, String)> = Vec::new();
    let roots = children.get(&None).cloned().unwrap_or_default();
    for root in roots.into_iter().chain(0..shown.len()) {
        stack.push((root, String::new(), String::new()));
        while let Some((place, branch, below)) = stack.pop() {
            if std::mem::replace(&mut seen[place], true) {
                continue;
            }
            headline(&mut out, look, &shown[place], &branch);
            let inner = children.get(&Some(place)).map(Vec::as_slice).unwrap_or_default();
            for (number, child) in inner.iter().enumerate().rev() {
                let last = number + 1 == inner.len();
                // Very deep stacks go on at the same indentation.
                let below = if below.len() > 40 { String::new() } else { below.clone() };
                let deeper = format!("{below}{}", if last { "   " } else { "|  " });
                stack.push((*child, format!("{below}{}", if last { "`- " } else { "|- " }), deeper));
            }
        }
    }
    out
}

/// Prints lines on standard output, whatever `--json` says.
fn print_all(lines: impl Iterator<Item = String>) -> Result<(), Failure> {
    lines.into_iter().try_for_each(|line| super::context::write_line(&line))
}

/// An entry as `log` prints it in JSON.
pub fn told(one: &Entry) -> Value {
    let opened = one.opened.as_ref().map(|(_, opened)| opened);
    let decision = one.decided.as_ref().map(|decided| {
        json!({
            "record": one.record, "at": one.at, "by": one.by, "verdict": decided.verdict, "mode": decided.mode,
            "because": decided.because, "overrode": decided.overrode, "revert_commit": decided.revert_commit,
            "landed": decided.landed,
        })
    });
    let from_message = one.told_by.as_ref().map(|commit| {
        let verdict = if one.state == State::Kept { "keep" } else { "revert" };
        json!({
            "record": one.record, "at": one.at, "by": one.by, "verdict": verdict, "commit": commit,
        })
    });
    json!({
        "experiment": one.name,
        "id": one.experiment,
        "state": one.state,
        "title": opened.map(|opened| &opened.title),
        "hypothesis": opened.map(|opened| &opened.hypothesis),
        "branch": opened.map(|opened| &opened.branch),
        "onto": opened.map(|opened| &opened.onto),
        "stands_on": opened.and_then(|opened| opened.stands_on),
        "opened_at": one.opened.as_ref().map(|(at, _)| at),
        "decision": decision.or(from_message),
        "comparison": one.comparison,
        "realised": one.realised,
    })
}

/// An entry as a line of its own.
fn line(one: &Entry) -> Value {
    super::context::envelope("log-entry", told(one))
}

/// An experiment as `show` and `status` print it in JSON.
pub fn value(experiment: &Experiment) -> Value {
    json!({
        "experiment": experiment.name,
        "id": experiment.id,
        "state": experiment.state,
        "title": experiment.opened.title,
        "hypothesis": experiment.opened.hypothesis,
        "branch": experiment.opened.branch,
        "onto": experiment.opened.onto,
        "stands_on": experiment.opened.stands_on,
        "opened_at": experiment.opened_at,
        "decision": experiment.decided.as_ref().map(|(id, at, decided)| json!({
            "record": id, "at": at, "verdict": decided.verdict, "mode": decided.mode, "because": decided.because,
            "overrode": decided.overrode, "revert_commit": decided.revert_commit, "landed": decided.landed,
        })),
        "comparison": comparison(experiment),
        "realised": experiment.recheck(Rechecked::Landed).map_or(&[][..], |(_, _, measured)| &measured.comparison),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_in_the_ways_people_write_it_and_nonsense_is_not_now() {
        let day = moment("2026-01-31", false).unwrap();
        assert_eq!(moment("2026-01-31", true).unwrap() - day, TimeDelta::days(1) - TimeDelta::nanoseconds(1));
        assert_eq!(moment("2026-01-31T10:00:00+02:00", true).unwrap().to_rfc3339(), "2026-01-31T10:00:00+02:00");
        let week = moment("1 week ago", false).unwrap();
        assert!(moment("8 days", false).unwrap() < week && week < moment("6.days.ago", false).unwrap());
        assert!(moment("yesterday", false).unwrap() < moment("today", false).unwrap());
        for text in ["", "soon", "week", "-1 days ago", "5 fortnights ago", "2026-13-01", "99999999999 years ago"] {
            assert!(moment(text, false).is_err(), "{text}");
        }
        assert!(moment("4000000000 years", false).is_err());
    }

    #[test]
    fn a_glob_takes_a_folder_with_all_below_it() {
        for (pattern, path, wanted) in [
            ("src", "src", true),
            ("src/", "src", true),
            ("./Dockerfile", "Dockerfile", true),
            ("*.rs", "a.rs", true),
            ("*.rs", "src/a.rs", false),
            ("**/*.rs", "src/a.rs", true),
        ] {
            assert_eq!(glob(pattern).unwrap().is_match(path), wanted, "{pattern} {path}");
        }
        assert!(glob("[").is_err() && glob("").is_err());
    }
}
