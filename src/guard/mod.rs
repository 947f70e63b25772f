//! The rejected-idea guard: which reverted experiments a change resembles, before it is measured once more.
//!
//! ```text
//! let shelf = guard::shelf(&repo, &ledger)?;                 // features of all reverted experiments
//! let change = guard::Question::of_change(&repo, between)?;  // features of what is asked about
//! let found = shelf.recall(&change.features, change.patch);  // likeliest first
//! ```
//!
//! [`recall()`] does all three, and reads the experiments that were found.
//!
//! | file | what it does |
//! |---|---|
//! | [`words`] | words of sentences and of code, as numbers |
//! | [`features`] | what a change is known by |
//! | [`similarity`] | how alike two changes are, as a probability |
//! | [`mod@shelf`] | the features of all reverted experiments in one file, and the few that a change resembles |
//! | [`watch`] | the files by which a hook sees that a commit tries nothing once more |
//! | [`mod@recall`] | those few with their decisions, and with what has moved since |
//!
//! Nothing of it is in the ledger: the features are made from the commits of an experiment and from what its records say,
//! and kept beside the ledger's index. When the commits are gone, the texts, the dependencies that were new and the patch id
//! are still on record, and are what it is known by then.

pub mod features;
pub mod recall;
pub mod shelf;
pub mod similarity;
pub mod watch;
pub mod words;

pub use features::{Features, Kind};
pub use recall::{Recalled, Today, recall};
pub use shelf::{Known, Match, Shelf};

use crate::git::change::Between;
use crate::git::{GitError, Oid, Repo};
use crate::ledger::event::{Decided, Fact, Verdict};
use crate::ledger::{Ledger, LedgerError, index};
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use ulid::Ulid;

/// What is asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// What it is known by.
    pub features: Features,
    /// The beginning of its patch id; zero when there is none.
    pub patch: u64,
}

impl Question {
    /// A change, and what is said of it.
    pub fn of_change(repo: &Repo, between: Between<'_>, text: &str) -> Result<Question, GitError> {
        let mut features = Features::default();
        if let Between::Commits(from, to) = between {
            repo.bring_change(from, to)?;
        }
        features.add_patch(repo, between)?;
        let patch = match between {
            Between::Commits(from, to) if features.has_diff() => beginning(repo.patch_id(from, to)?.as_deref()),
            _ => 0,
        };
        features.add_text(&said(text));
        Ok(Question { features, patch })
    }

    /// An idea that is only words yet.
    pub fn of_text(text: &str) -> Question {
        let mut features = Features::default();
        features.add_text(text);
        Question { features, patch: 0 }
    }
}

/// A commit message without the lines that git, forges and this program put below it.
fn said(message: &str) -> String {
    let trailer = |line: &str| {
        let key = line.split_once(": ").map_or("", |(key, _)| key);
        key.contains('-') && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let lines = message.lines().filter(|line| !trailer(line) && !line.starts_with("This reverts commit "));
    lines.collect::<Vec<_>>().join("\n")
}

/// The first 64 bits of a patch id.
fn beginning(patch: Option<&str>) -> u64 {
    patch.and_then(|patch| u64::from_str_radix(patch.get(..16)?, 16).ok()).unwrap_or(0)
}

/// The features of all reverted experiments. What is on file is used as far as it goes; where it cannot be written, the
/// next one who asks does the work again.
pub fn shelf(repo: &Repo, ledger: &Ledger<'_>) -> Result<Shelf, LedgerError> {
    let Some(tip) = ledger.tip()? else { return Ok(Shelf::default()) };
    let path = index::folder(repo).join("guard");
    let old = std::fs::read(&path).ok().and_then(Shelf::read).unwrap_or_default();
    if old.tip() == tip.as_str() || !ledger.decided_since(old.tip()) {
        return Ok(old);
    }
    let mut have: HashMap<Ulid, usize> = (0..old.len()).map(|number| (old.record(number), number)).collect();
    // The newest decision that holds is the one in force; its opening comes before it.
    let (mut decided, mut opened) = (HashSet::new(), HashMap::new());
    let mut known: Vec<Known> = Vec::new();
    let mut waiting: Vec<(Ulid, Ulid, Decided)> = Vec::new();
    ledger.each_record(&mut |record| {
        let (id, experiment) = (record.row.id, record.row.experiment);
        match record.row.kind {
            "decided"
                if !record.undone && decided.insert(experiment) && record.row.verdict == Some(Verdict::Revert) =>
            {
                if let Some(number) = have.remove(&id) {
                    known.push(old.known(number));
                } else if let Some(Fact::Decided(decided)) = record.event().map(|event| event.fact) {
                    opened.insert(experiment, String::new());
                    waiting.push((id, experiment, *decided));
                }
            }
            "opened" => {
                if let Some(text) = opened.get_mut(&experiment)
                    && let Some(Fact::Opened(one)) = record.event().map(|event| event.fact)
                {
                    *text = format!("{}\n{}", one.title, one.hypothesis);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    for (record, experiment, decided) in waiting {
        let text = opened.remove(&experiment).unwrap_or_default();
        known.push(Known { record, experiment, ..learn(repo, ledger, &decided, &text)? });
    }
    known.sort_by_key(|one| one.record);
    let bytes = Shelf::write(tip.as_str(), &known);
    // Without reverted experiments there is no file, by which hooks know that there is nothing to ask.
    match known.is_empty() {
        true => drop(std::fs::remove_file(&path)),
        false => drop(index::replace(&path, &bytes)),
    }
    Ok(Shelf::read(bytes).unwrap_or_default())
}

/// What a reverted experiment is known by.
fn learn(repo: &Repo, ledger: &Ledger<'_>, decided: &Decided, text: &str) -> Result<Known, LedgerError> {
    let (base, candidate): (&Oid, &Oid) = (&decided.base.commit, &decided.candidate.commit);
    let mut features = Features::default();
    let here = repo.tree_of(base).is_ok() && repo.tree_of(candidate).is_ok();
    // A damaged or partial clone may have the commits and not their files: then the words have to do. Nothing is fetched for
    // all that was ever reverted.
    if here && features.add_patch(repo, Between::Commits(base, candidate)).is_err() {
        features = Features::default();
    }
    if !features.has_diff()
        && let Some(measured) = decided.measured
        && let Some(Fact::Measured(measured)) = ledger.find(measured)?.map(|event| event.fact)
    {
        let names = measured.complexity.new_dependencies.iter();
        features.add_dependencies(names.map(|name| name.split(" (").next().unwrap_or(name)));
    }
    features.add_text(text);
    let patch = beginning(decided.candidate.patch.as_deref());
    Ok(Known { record: Ulid::nil(), experiment: Ulid::nil(), patch, features })
}
