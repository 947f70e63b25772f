//! The tables and charts that the documentation shows.

use super::alarms::Rate;
use super::chart::{Axis, Bar, Curve, bars, curves};
use super::machine::Occasion;
use super::race::Timing;
use super::results::{root, splice};
use super::tools::{NOT_MEASURED, PEERS};
use super::{Part, Results};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;

/// Parts that are timings, with their headings in charts and in the overview.
const TIMED: [(&str, &str); 6] = [
    ("start", "start-up"),
    ("record", "one record"),
    ("latest", "the latest 20"),
    ("all", "all records"),
    ("report", "a report"),
    ("image", "an image"),
];

/// Tables by the name of their place in a page.
pub fn tables(found: &Results) -> BTreeMap<String, String> {
    let mut tables = BTreeMap::new();
    if let Some(text) = versions(found) {
        tables.insert("peers-versions".to_string(), text);
    }
    if found.keys().any(|name| TIMED.iter().any(|(timed, _)| timed == name)) {
        tables.insert("peers-overview".to_string(), overview(found));
    }
    for (name, part) in found {
        let text = match name.as_str() {
            "alarms" => alarms(part),
            "decide" => decide(part),
            _ => timings(part),
        };
        tables.insert(format!("peers-{name}"), format!("{text}\n\n{}.", part.occasion.line()));
    }
    tables
}

/// Writes the tables into their pages, and the charts beside them.
pub fn write(found: &Results, tables: &BTreeMap<String, String>) -> Result<(), Box<dyn Error>> {
    for (name, text) in tables {
        let page = if name == "peers-overview" { "benches/README.md" } else { "docs/peers.md" };
        splice(&root().join(page), name, text)?;
    }
    let groups: Vec<(String, Vec<Bar>)> = TIMED
        .iter()
        .filter_map(|(name, heading)| {
            let part = found.get(*name)?;
            let bar = |timing: &Timing| Bar {
                name: timing.tool.clone(),
                value: timing.median * 1e3,
                said: milliseconds(timing.median),
                ours: timing.tool == "git-verdict",
            };
            Some((heading.to_string(), part.timings.iter().map(bar).collect()))
        })
        .collect();
    let values: Vec<f64> = groups.iter().flat_map(|(_, bars)| bars.iter().map(|bar| bar.value)).collect();
    if !values.is_empty() {
        let axis =
            Axis::logarithmic("median, logarithmic", values.into_iter(), |ms| milliseconds(ms / 1e3).replace(".0", ""));
        bars(&root().join("docs/peers-times.svg"), "How long each takes", &axis, &groups)?;
    }
    if let Some(part) = found.get("alarms") {
        let mut effects: Vec<f64> = part.rates.iter().map(|rate| rate.effect).collect();
        effects.sort_by(f64::total_cmp);
        effects.dedup();
        let names: Vec<String> = effects
            .iter()
            .map(|effect| if *effect == 0.0 { "none".into() } else { format!("{:.0} %", effect * 100.0) })
            .collect();
        let place = |effect: f64| effects.iter().position(|known| *known == effect).unwrap_or(0) as f64;
        let by_tool = tools(&part.rates).into_iter().map(|tool| Curve {
            points: of_tool(&part.rates, &tool).map(|rate| (place(rate.effect), called(rate))).collect(),
            name: tool,
        });
        curves(
            &root().join("docs/peers-alarms.svg"),
            "How often a difference is called",
            &Axis::names("difference that is there", &names),
            &Axis::percent("trials in which one is called"),
            &by_tool.collect::<Vec<_>>(),
        )?;
    }
    Ok(())
}

/// `0.42 ms`, `42.1 ms`, `4.2 s`.
fn milliseconds(seconds: f64) -> String {
    let ms = seconds * 1e3;
    match ms {
        _ if ms < 10.0 => format!("{ms:.2} ms"),
        _ if ms < 100.0 => format!("{ms:.1} ms"),
        _ if ms < 10_000.0 => format!("{ms:.0} ms"),
        _ => format!("{seconds:.0} s"),
    }
}

/// Two digits, at least.
fn ratio(ratio: f64) -> String {
    if ratio < 0.0995 { format!("{ratio:.3}") } else { format!("{ratio:.2}") }
}

fn versions(found: &Results) -> Option<String> {
    // Of the part that was measured last.
    let part = found.values().max_by(|a, b| a.occasion.date.cmp(&b.occasion.date))?;
    let mut text = "| tool | version | what it is for |\n|---|---|---|\n".to_string();
    let version = |name: &str| part.versions.get(name).cloned().flatten();
    let ours = version("git-verdict").unwrap_or_default();
    let _ = writeln!(text, "| git-verdict | {ours} | decisions about optimizations, with their numbers |");
    for (name, what) in PEERS {
        let version = version(name).unwrap_or_else(|| "was not there".into());
        let _ = writeln!(text, "| {name} | {version} | {what} |");
    }
    for (name, why) in NOT_MEASURED {
        let _ = writeln!(text, "| {name} | not measured | {why} |");
    }
    Some(text)
}

/// One line for each part, one column for each peer: ours over the peer.
fn overview(found: &Results) -> String {
    let mut peers: Vec<&str> = vec!["git"];
    peers.extend(PEERS.iter().map(|(name, _)| *name));
    peers.retain(|peer| found.values().any(|part| part.timings.iter().any(|timing| timing.tool == *peer)));
    let mut text = format!("| | git-verdict | {} |\n|---|{}\n", peers.join(" | "), "---|".repeat(peers.len() + 1));
    for (name, heading) in TIMED {
        let Some(part) = found.get(name) else { continue };
        let of = |tool: &str| part.timings.iter().find(|timing| timing.tool == tool);
        let Some(ours) = of("git-verdict") else { continue };
        let size = match name {
            "image" => format!(" of {} MB", part.size),
            "all" | "report" => format!(" of {}", part.size),
            _ => String::new(),
        };
        let _ = write!(text, "| {heading}{size} | {} |", milliseconds(ours.median));
        for peer in &peers {
            let cell = of(peer)
                .map(|timing| format!("{} ({})", milliseconds(timing.median), ratio(ours.median / timing.median)));
            let _ = write!(text, " {} |", cell.unwrap_or_default());
        }
        text.push('\n');
    }
    let timed = TIMED.iter().filter_map(|(name, _)| found.get(*name));
    let _ = write!(text, "\n{}.", Occasion::line_of_all(timed.map(|part| &part.occasion)));
    text
}

fn timings(part: &Part) -> String {
    let ours = part.timings.iter().find(|timing| timing.tool == "git-verdict").map(|timing| timing.median);
    let memory = part.timings.iter().any(|timing| timing.peak.is_some());
    let mut text = "| tool | what is run | median | fastest | runs | ours / it |".to_string();
    text += if memory { " peak memory |\n|---|---|---|---|---|---|---|\n" } else { "\n|---|---|---|---|---|---|\n" };
    for timing in &part.timings {
        let ratio = ours.filter(|_| timing.tool != "git-verdict").map(|ours| ratio(ours / timing.median));
        let Timing { tool, what, runs, .. } = timing;
        let (median, fastest) = (milliseconds(timing.median), milliseconds(timing.fastest));
        let _ = write!(text, "| {tool} | {what} | {median} | {fastest} | {runs} | {} |", ratio.unwrap_or_default());
        if memory {
            let peak = timing.peak.map(|bytes| format!("{:.0} MB", bytes / 1e6));
            let _ = write!(text, " {} |", peak.unwrap_or_default());
        }
        text.push('\n');
    }
    text.trim_end().to_string()
}

fn tools(rates: &[Rate]) -> Vec<String> {
    let mut tools: Vec<String> = Vec::new();
    for rate in rates {
        if !tools.contains(&rate.tool) {
            tools.push(rate.tool.clone());
        }
    }
    tools
}

fn of_tool<'a>(rates: &'a [Rate], tool: &'a str) -> impl Iterator<Item = &'a Rate> {
    rates.iter().filter(move |rate| rate.tool == tool)
}

/// The share of trials in which a difference was called: the right one, or any where none is.
fn called(rate: &Rate) -> f64 {
    let count = if rate.effect == 0.0 { rate.wrong } else { rate.right };
    count as f64 / rate.trials as f64
}

fn alarms(part: &Part) -> String {
    let mut text = "| tool | its rule | false alarms |".to_string();
    let effects: Vec<f64> = part.rates.iter().map(|rate| rate.effect).filter(|effect| *effect > 0.0).collect();
    let first = tools(&part.rates).into_iter().next().unwrap_or_default();
    let count = of_tool(&part.rates, &first).count() - 1;
    for effect in &effects[..count] {
        let _ = write!(text, " finds {:.0} % (wrong way) |", effect * 100.0);
    }
    text += " runs, mean |\n|---|---|---|";
    text += &"---|".repeat(count + 1);
    for tool in tools(&part.rates) {
        let rates: Vec<&Rate> = of_tool(&part.rates, &tool).collect();
        let _ = write!(text, "\n| {tool} | {} |", rates[0].rule);
        for rate in &rates {
            let percent = |count: usize| 100.0 * count as f64 / rate.trials as f64;
            let _ = match rate.effect == 0.0 {
                true => write!(text, " {:.1} % |", percent(rate.wrong)),
                false => write!(text, " {:.1} % ({:.1} %) |", percent(rate.right), percent(rate.wrong)),
            };
        }
        let mean = rates.iter().map(|rate| rate.runs).sum::<f64>() / rates.len() as f64;
        let _ = write!(text, " {mean:.0} |");
    }
    let trials = part.rates.first().map_or(0, |rate| rate.trials);
    let _ = write!(text, "\n\n{trials} trials for each difference, a quarter of them on each of four programs");
    text + "."
}

fn decide(part: &Part) -> String {
    let mut text =
        "| tool | what is run | planted | right | false alarms | to the answer, median |\n|---|---|---|---|---|---|\n"
            .to_string();
    for answers in &part.answers {
        let planted =
            if answers.effect == 0.0 { "nothing".into() } else { format!("{:.0} % slower", answers.effect * 100.0) };
        let _ = writeln!(
            text,
            "| {} | {} | {planted} | {} of {} | {} | {:.1} s |",
            answers.tool, answers.what, answers.right, answers.trials, answers.wrong, answers.seconds
        );
    }
    text.trim_end().to_string()
}
