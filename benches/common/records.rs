//! Made-up records: half of them open an experiment, the other half decide it.

#![allow(dead_code)]

use super::commands::fast_import;
use git_verdict::config::{Better, Matters};
use git_verdict::git::{Oid, Repo};
use git_verdict::ledger::event::{Decided, Identity, Opened, Verdict};
use git_verdict::ledger::store::LEDGER_REF;
use git_verdict::ledger::{Event, Fact, Ledger};
use git_verdict::policy::MetricComparison;
use git_verdict::stats::Word;
use git_verdict::units::{Ratio, Unit};
use rand::Rng;
use std::io::Write;
use std::path::Path;
use ulid::Ulid;

/// Writes a ledger of these records, in the layout of the store but past it: in one go, so that a million of them take a minute
/// and no memory.
pub fn write_ledger(dir: &Path, events: impl Iterator<Item = Event>) {
    fast_import(dir, |stream| {
        let head = format!("commit {LEDGER_REF}\ncommitter Bench <bench@example.invalid> 1700000000 +0000\ndata 0\n");
        write!(stream, "{head}M 100644 inline format\ndata 2\n1\n\n")?;
        for event in events {
            let record = serde_json::to_string(&event).expect("JSON");
            let (name, length) = (event.id.to_string(), record.len() + 1);
            let folders = [&name[23..24], &name[24..25], &name[25..26]].join("/");
            write!(stream, "M 100644 inline events/{folders}/{name}.json\ndata {length}\n{record}\n\n")?;
        }
        Ok(())
    });
}

/// As many experiments, each given up by its only record.
pub fn abandoned(repo: &Repo, records: usize) -> impl Iterator<Item = Event> {
    let blank = Ledger::open(repo).draft(Ulid::nil(), "many", opened(0)).expect("a draft");
    (0..records).map(move |number| {
        let id = Ulid::from_parts(1_600_000_000_000 + number as u64, rand::rng().random());
        let fact = Fact::Abandoned { because: format!("attempt {number} gained nothing") };
        Event { id, experiment: id, fact, ..blank.clone() }
    })
}

/// A record of experiment `number / 2`: an even one opens it, an odd one decides it.
pub fn event(ledger: &Ledger<'_>, number: usize) -> Event {
    let experiment = Ulid::from_parts(1_500_000_000_000 + number as u64 / 2, 1);
    let fact = if number.is_multiple_of(2) { opened(number) } else { decided(number) };
    let mut event =
        Event { id: Ulid::from_parts(1_600_000_000_000 + number as u64 * 1000, rand::rng().random()), ..blank(ledger) };
    (event.experiment, event.name, event.fact) = (experiment, format!("attempt-{}", number / 2), fact);
    event
}

/// One drafted event, so that drafting looks at the ledger once.
fn blank(ledger: &Ledger<'_>) -> Event {
    static DRAFT: std::sync::OnceLock<Event> = std::sync::OnceLock::new();
    DRAFT.get_or_init(|| ledger.draft(Ulid::nil(), "bench", opened(0)).expect("a draft")).clone()
}

/// Commit, tree and patch that are nowhere.
pub fn identity() -> Identity {
    let oid = |digit: &str| Oid::parse(&digit.repeat(40)).expect("hexadecimal");
    Identity { commit: oid("a"), tree: oid("b"), patch: Some("c".repeat(40)) }
}

/// The opening of an experiment.
pub fn opened(number: usize) -> Fact {
    Fact::Opened(Opened {
        title: format!("attempt {number}"),
        hypothesis: "a smaller image pulls faster, and nobody reads the cache".into(),
        base: identity(),
        onto: "main".into(),
        branch: format!("verdict/attempt-{number}"),
        stands_on: None,
        adopted: None,
    })
}

/// The decision on one, with two metrics.
pub fn decided(number: usize) -> Fact {
    let row = |metric: &str, unit: Unit, base: f64, candidate: f64| MetricComparison {
        metric: metric.into(),
        unit,
        better: Better::Lower,
        matters: Matters::Relative(Ratio(0.05)),
        base,
        candidate,
        relative: Some(candidate / base - 1.0),
        interval: Some([candidate / base - 1.05, candidate / base - 0.95]),
        exact: false,
        rounds: 12,
        word: Word::Improved,
        limit: None,
        detectable: None,
        rounds_needed: None,
    };
    Fact::Decided(Box::new(Decided {
        verdict: if number.is_multiple_of(3) { Verdict::Revert } else { Verdict::Keep },
        because: format!("attempt {number} was worth its line"),
        mode: None,
        measured: None,
        comparison: vec![row("build_time", Unit::Seconds, 872.1, 700.4), row("image_size", Unit::Bytes, 3.6e9, 3.3e9)],
        recommendation: None,
        overrode: false,
        base: identity(),
        candidate: identity(),
        commits: Vec::new(),
        revert_commit: None,
        landed: None,
        onto: "main".into(),
    }))
}
