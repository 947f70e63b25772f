//! The report: one HTML page that holds all it needs and asks nothing of any network.
//!
//! The page works without a script; the script adds the filter, the copy buttons and the keys. Both and the style are
//! part of the page, and its Content Security Policy names their hashes and allows nothing else. Templates escape
//! everything that is put into them. The same records give the same bytes. A repository may have templates and a style of its
//! own; the policy stands before all that they write, and there is no way to bring a script.
//!
//! The newest experiments are shown whole, until they take 1.2 MB; all others in a few lines each, whose texts are
//! cut so that the page stays below five megabytes with 10,000 of them. Beyond that each adds some 400 bytes.
//!
//! | file | what it does |
//! |---|---|
//! | [`overview`] | counts, gains, what was rejected, the stack |
//! | [`chart`] | the timeline |
//! | [`article`] | one experiment, whole |
//! | [`short`] | one experiment in a few lines |
//! | [`plot`] | the samples of a metric |
//! | [`forge`] | links to commits |
//! | [`text`] | text made safe and cut |

pub mod article;
pub mod chart;
pub mod forge;
pub mod overview;
pub mod plot;
pub mod short;
pub mod text;

use super::template::{REPORT, STYLE, overridden};
use super::{Lang, RenderError, Renderer, lang};
use crate::digest::source_hash;
use crate::experiment::check_name;
use crate::ledger::event::{Decided, Measured};
use crate::ledger::query::Entry;
use chart::{Point, Timeline};
use forge::Forge;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde};
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior, Value, context};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::path::Path;
use ulid::Ulid;

/// Experiments that are shown whole at most: the newest.
pub const WHOLE: usize = 60;
/// Bytes after which no further experiment is shown whole.
const WHOLE_BYTES: usize = 1_200_000;
/// Bytes that all experiments in a few lines may take together.
const SHORT_BYTES: usize = 3_300_000;
/// What the marks of such an experiment take beside its texts, and the bounds of what its texts may take.
const SHORT_FRAME: usize = 330;
const SHORT_TEXT: (usize, usize) = (60, 1200);
/// Experiments in a few lines that the browser lays out at once.
const CHUNK: usize = 40;
/// Metrics that the filter offers.
const METRICS: usize = 200;

const SCRIPT: &str = include_str!("../../../templates/report/report.js");
/// The largest text that an overridden template may make, in bytes, and its instructions and kilobytes.
const MAX_OUTPUT: usize = 16 * 1024 * 1024;
const FUEL: u64 = 20_000_000;

/// What pages are made with: the templates and the style.
pub struct Pages {
    renderer: Renderer,
    style: Cow<'static, str>,
}

impl Pages {
    /// In a language, with the files of `folder` (`.verdict/templates`) before the built-in ones.
    ///
    /// # Errors
    ///
    /// Those of [`Renderer::with_overrides`]; and a style that would end the element that it stands in.
    pub fn new(language: Lang, folder: Option<&Path>) -> Result<Pages, RenderError> {
        let mut renderer = Renderer::of(language, environment(language), &REPORT, folder, usize::MAX)?;
        // The built-in ones are in proportion to the records, and counting takes time.
        if renderer.is_overridden() {
            renderer.bound(FUEL, MAX_OUTPUT);
        }
        let style = match overridden(folder, language, STYLE.0)? {
            None => Cow::Borrowed(STYLE.1),
            Some((file, text)) => match text.lines().position(|line| line.contains("</")) {
                None => Cow::Owned(text),
                Some(line) => {
                    let message = "a style cannot hold '</'".into();
                    return Err(RenderError { template: file.display().to_string(), line: line + 1, message });
                }
            },
        };
        Ok(Pages { renderer, style })
    }
}

/// What is known of the experiments that are shown whole.
#[derive(Default)]
pub struct Details {
    /// The decisions of the newest [`WHOLE`], by record.
    pub decided: HashMap<Ulid, Decided>,
    /// The latest measurement, with samples, of those that have one, by experiment.
    pub measured: HashMap<Ulid, Measured>,
    /// Names of experiments that others stand on and that are not listed.
    pub names: HashMap<Ulid, String>,
}

/// The list that the page is made from.
pub struct Input<'a> {
    entries: &'a [Entry],
    forge: Option<&'a Forge>,
    places: &'a [Place],
    metrics: Vec<String>,
}

/// Where the page shows an experiment.
pub struct Place {
    /// The fragment of its address.
    anchor: String,
    /// Its id, when it has one.
    experiment: Option<Ulid>,
}

impl Place {
    /// A place for each experiment of the list, by its name where that is a slug and the first of its kind.
    pub fn all(entries: &[Entry]) -> Vec<Place> {
        let mut taken = HashSet::new();
        let place = |entry: &Entry| {
            let sound = check_name(&entry.name).is_ok() && taken.insert(entry.name.clone());
            let name = if sound { entry.name.clone() } else { entry.record.to_string().to_lowercase() };
            Place { anchor: format!("x-{name}"), experiment: entry.experiment }
        };
        entries.iter().map(place).collect()
    }
}

impl<'a> Input<'a> {
    /// `entries` newest first, with their openings.
    pub fn new(entries: &'a [Entry], places: &'a [Place], forge: Option<&'a Forge>) -> Input<'a> {
        let metrics: BTreeSet<&str> =
            entries.iter().flat_map(|entry| &entry.comparison).map(|row| row.metric.as_str()).collect();
        let metrics = metrics.into_iter().take(METRICS).map(String::from).collect();
        Input { entries, forge, places, metrics }
    }

    /// The number of a metric in the list of the filter.
    fn metric_number(&self, name: &str) -> Option<usize> {
        self.metrics.binary_search_by(|metric| metric.as_str().cmp(name)).ok()
    }
}

/// The page. `details` is called while the short ones are written beside.
///
/// # Errors
///
/// Those of `details`; and when a template fails.
pub fn page<E: From<RenderError>>(
    input: &Input<'_>,
    title: Option<&str>,
    pages: &Pages,
    details: impl FnOnce() -> Result<Details, E>,
) -> Result<String, E> {
    let language = pages.renderer.lang();
    let sure = input.entries.len().min(WHOLE);
    let short = |range: Range<usize>| shorts(input, range, language);
    let (articles, whole, overview, timeline, rest) = std::thread::scope(|scope| {
        // The many short ones need no template and nothing that the others make: two processors share the work.
        let beside = std::thread::Builder::new().spawn_scoped(scope, || short(sure..input.entries.len()));
        let (articles, whole) = articles(&pages.renderer, input, &details()?)?;
        let overview = Value::from(Serde(&overview::overview(input, language)));
        let timeline = Value::from(Serde(&timeline(input, language)));
        let rest = match beside {
            Ok(beside) => beside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(_) => short(sure..input.entries.len()),
        };
        Ok::<_, E>((articles, whole, overview, timeline, rest))
    })?;
    let shorts = short(whole..sure) + &rest;
    let names: Vec<String> = input.metrics.iter().map(|name| text::line(name, text::NAME)).collect();
    let page = pages.renderer.render(
        REPORT[0].0,
        context! {
            lang => language.code(),
            style => Value::from_safe_string(pages.style.to_string()),
            script => Value::from_safe_string(SCRIPT.into()),
            title => title.map(|title| text::line(title, text::NAME * 2)),
            project => input.forge.map(Forge::project),
            project_link => input.forge.map(Forge::page),
            overview => overview,
            timeline => timeline,
            metrics => names,
            articles => Value::from_safe_string(articles),
            shorts => Value::from_safe_string(shorts),
            whole => whole,
            in_short => input.entries.len() - whole,
            version => env!("CARGO_PKG_VERSION"),
        },
    )?;
    Ok(format!("{}{page}\n", head(language, &pages.style)))
}

/// The newest experiments with all that is known of them, and how many these are.
fn articles(renderer: &Renderer, input: &Input<'_>, details: &Details) -> Result<(String, usize), RenderError> {
    let mut articles = String::new();
    let mut whole = 0;
    // A handful is read from top to bottom; more are looked through first.
    let open = input.entries.len() <= 3;
    for (entry, place) in input.entries.iter().zip(input.places).take(WHOLE) {
        if articles.len() > WHOLE_BYTES {
            break;
        }
        let article = Value::from(Serde(&article::whole(entry, place, input, details, renderer.lang())));
        articles.push_str(&renderer.render(REPORT[2].0, context! { e => article, open => open })?);
        whole += 1;
    }
    Ok((articles, whole))
}

/// These experiments in a few lines each, a list for each [`CHUNK`].
fn shorts(input: &Input<'_>, range: Range<usize>, language: Lang) -> String {
    let mut out = String::new();
    let (least, most) = SHORT_TEXT;
    let room = (SHORT_BYTES / input.entries.len().max(1)).saturating_sub(SHORT_FRAME).clamp(least, most);
    let (entries, places) = (&input.entries[range.clone()], &input.places[range]);
    for (entries, places) in entries.chunks(CHUNK).zip(places.chunks(CHUNK)) {
        let experiments = entries.iter().zip(places);
        short::list(&mut out, experiments.map(|(entry, place)| short::new(entry, place, input, language, room)));
    }
    out
}

fn timeline(input: &Input<'_>, language: Lang) -> Option<Timeline> {
    let points: Vec<Point<'_>> = input
        .entries
        .iter()
        .zip(input.places)
        .rev()
        .map(|(entry, place)| Point {
            state: entry.state,
            at: entry.at,
            name: &entry.name,
            anchor: &place.anchor,
            rows: &entry.comparison,
        })
        .collect();
    chart::timeline(&points, language)
}

/// How a page begins, whatever its template says: nothing may be loaded, run or sent but what these hashes name.
fn head(language: Lang, style: &str) -> String {
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; img-src data:; base-uri 'none'; form-action 'none'",
        source_hash(style),
        source_hash(SCRIPT)
    );
    // As the templates escape it.
    let policy = policy.replace('\'', "&#x27;").replace('/', "&#x2f;");
    format!(
        "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n",
        language.code()
    )
}

fn environment(language: Lang) -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        env.set_syntax(syntax);
    }
    // Words are looked up once: there may be tens of thousands of uses.
    let words = lang::keys(language)
        .filter_map(|key| Some((key.strip_prefix("report.")?, lang::lookup(language, key)?)))
        .filter(|(_, text)| !text.contains("{{"));
    env.add_global("w", Value::from_pairs(words));
    env.add_function("t", move |key: &str, arguments: Kwargs| -> Result<String, Error> {
        let values: Vec<(String, Value)> =
            arguments.args().map(|name| Ok((name.to_string(), arguments.get(name)?))).collect::<Result<_, Error>>()?;
        Ok(lang::text(language, key, Value::from_pairs(values)))
    });
    env.set_recursion_limit(50);
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_may_be_as_long_as_its_records_unless_a_template_of_the_repository_makes_it() {
        assert_eq!(Pages::new(Lang::En, None).unwrap().renderer.most, usize::MAX);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("report-article.html.j2"), "x").unwrap();
        assert_eq!(Pages::new(Lang::En, Some(folder.path())).unwrap().renderer.most, MAX_OUTPUT);
    }
}
