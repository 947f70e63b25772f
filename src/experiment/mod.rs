//! The life of an experiment: states, and what may follow what.
//!
//! An [`Experiment`] is folded from the events of the ledger; nothing of it is stored elsewhere but its branch.

use crate::config::RevertMode;
use crate::error::{Exit, Explain};
use crate::git::Oid;
use crate::ledger::event::{Decided, Event, Fact, Measured, Opened, Rechecked, Rechecks, Verdict};
use crate::phrase;
use crate::phrase::Phrase;
use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use ulid::Ulid;

/// Where branches of experiments live: `verdict/<name>`.
pub const BRANCH_PREFIX: &str = "verdict/";

/// The state of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Opened, not measured yet.
    Open,
    /// Measured, not decided yet.
    Measured,
    /// Decided: the change stays.
    Kept,
    /// Decided: the change went.
    Reverted,
    /// Decided: the change never reached the base; its commits are under `refs/verdict/archive/`.
    Archived,
    /// Given up without a decision.
    Abandoned,
}

impl State {
    /// The word as it stands in text and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Measured => "measured",
            State::Kept => "kept",
            State::Reverted => "reverted",
            State::Archived => "archived",
            State::Abandoned => "abandoned",
        }
    }
}

/// An experiment with all that is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// Its id.
    pub id: Ulid,
    /// Its name.
    pub name: String,
    /// The event that opened it.
    pub opened_at: DateTime<FixedOffset>,
    /// What it was opened with.
    pub opened: Opened,
    /// Its measurements, oldest first, each with the id of its event.
    pub measured: Vec<(Ulid, Measured)>,
    /// What was measured to look at a decision again, oldest first, each with the id and time of its event.
    pub rechecks: Vec<(Ulid, DateTime<FixedOffset>, Measured)>,
    /// The decision in force, with the id and time of its event.
    pub decided: Option<(Ulid, DateTime<FixedOffset>, Decided)>,
    /// Its state.
    pub state: State,
}

impl Experiment {
    /// The latest measurement.
    pub fn latest(&self) -> Option<&(Ulid, Measured)> {
        self.measured.last()
    }
    /// Whether it waits for a decision.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open | State::Measured)
    }
    /// Refuses one that has been decided or given up.
    pub fn must_be_open(&self) -> Result<(), ExperimentError> {
        if self.is_open() { Ok(()) } else { Err(self.finished()) }
    }
    /// The refusal of a finished experiment.
    pub fn finished(&self) -> ExperimentError {
        ExperimentError::Finished { name: self.name.clone(), state: self.state.as_str() }
    }
    /// `verdict/<name>`.
    pub fn branch(&self) -> &str {
        &self.opened.branch
    }
    /// Takes in a later event; `undone` are the decisions that do not hold any more, each with its experiment.
    fn follow(&mut self, event: Event, undone: &HashSet<(Ulid, Ulid)>) {
        match event.fact {
            Fact::Opened(_) | Fact::Reopened(_) => {}
            Fact::Decided(_) if undone.contains(&(self.id, event.id)) => {}
            Fact::Measured(measured) if measured.rechecks.is_some() => {
                self.rechecks.push((event.id, event.at, *measured));
            }
            Fact::Measured(measured) => {
                self.measured.push((event.id, *measured));
                if self.state == State::Open {
                    self.state = State::Measured;
                }
            }
            Fact::Decided(decided) => {
                self.state = match (decided.verdict, decided.mode) {
                    (Verdict::Keep, _) => State::Kept,
                    (Verdict::Revert, Some(RevertMode::Archive)) => State::Archived,
                    (Verdict::Revert, _) => State::Reverted,
                };
                self.decided = Some((event.id, event.at, *decided));
            }
            Fact::Abandoned { .. } => {
                if self.decided.is_none() {
                    self.state = State::Abandoned;
                }
            }
        }
    }
    /// Whether its id or that of one of its records begins so.
    fn has_id(&self, prefix: &str) -> bool {
        let records = self.measured.iter().map(|(id, _)| id).chain(self.rechecks.iter().map(|(id, _, _)| id));
        let records = records.chain(self.decided.iter().map(|(id, _, _)| id));
        records.chain([&self.id]).any(|id| id.to_string().starts_with(prefix))
    }
    /// The latest measurement of that kind after the decision in force.
    pub fn recheck(&self, what: Rechecked) -> Option<&(Ulid, DateTime<FixedOffset>, Measured)> {
        let (decision, _, _) = self.decided.as_ref()?;
        let of_it = |rechecks: &Rechecks| rechecks.decision == *decision && rechecks.what == what;
        self.rechecks.iter().rev().find(|(_, _, measured)| measured.rechecks.as_ref().is_some_and(of_it))
    }
    /// The verdict in force.
    pub fn verdict(&self) -> Option<Verdict> {
        self.decided.as_ref().map(|(_, _, decided)| decided.verdict)
    }
}

/// All experiments of a ledger, in the order they were opened.
#[derive(Debug, Clone, Default)]
pub struct Book {
    /// The experiments.
    pub experiments: Vec<Experiment>,
    /// Events of experiments whose opening is not in the ledger, oldest first.
    pub orphans: Vec<Event>,
    /// What in the ledger could not be read, one sentence each.
    pub problems: Vec<Phrase>,
}

impl Book {
    /// Folds events (oldest first) into experiments. Events of an experiment whose opening is missing are set aside.
    ///
    /// An opening counts wherever it stands, because the clocks of two machines may disagree; the first one of an
    /// experiment holds. The newest decision that was not undone is in force, and an experiment that has one is not given
    /// up. The undoing of a decision counts wherever it stands, too.
    pub fn fold(events: impl IntoIterator<Item = Event>) -> Book {
        let mut book = Book::default();
        let mut places: HashMap<Ulid, usize> = HashMap::new();
        let mut later = Vec::new();
        let mut undone = HashSet::new();
        for event in events {
            if let Fact::Reopened(reopened) = &event.fact {
                undone.insert((event.experiment, reopened.undoes));
            }
            let Event { at, experiment, name, fact: Fact::Opened(opened), .. } = event else {
                later.push(event);
                continue;
            };
            places.entry(experiment).or_insert_with(|| {
                book.experiments.push(Experiment {
                    id: experiment,
                    name,
                    opened_at: at,
                    opened,
                    measured: Vec::new(),
                    rechecks: Vec::new(),
                    decided: None,
                    state: State::Open,
                });
                book.experiments.len() - 1
            });
        }
        for event in later {
            match places.get(&event.experiment) {
                Some(&place) => book.experiments[place].follow(event, &undone),
                None => book.orphans.push(event),
            }
        }
        book
    }

    /// The newest experiment of that name, or the one with that id or with a record of that id. Of an id, the first six
    /// characters or more are enough when only one begins so.
    pub fn find(&self, name: &str) -> Result<&Experiment, ExperimentError> {
        if let Some(found) = self.experiments.iter().rev().find(|e| e.name == name) {
            return Ok(found);
        }
        let upper = name.to_ascii_uppercase();
        if (6..=26).contains(&upper.len()) && upper.bytes().all(|b| b.is_ascii_alphanumeric()) {
            let mut found: Vec<&Experiment> = self.experiments.iter().filter(|e| e.has_id(&upper)).collect();
            match (found.pop(), found.is_empty()) {
                (Some(one), true) => return Ok(one),
                (Some(_), false) => {
                    return Err(ExperimentError::Ambiguous { prefix: name.into(), count: found.len() + 1 });
                }
                (None, _) => {}
            }
        }
        let nearest = crate::config::nearest(name, self.experiments.iter().map(|e| e.name.as_str()));
        Err(ExperimentError::Unknown { name: name.into(), nearest: nearest.map(String::from) })
    }

    /// The open experiment whose branch this is (a short name, such as `verdict/multi-stage`).
    pub fn on_branch(&self, branch: &str) -> Option<&Experiment> {
        self.experiments.iter().rev().find(|e| e.is_open() && e.branch() == branch)
    }

    /// The experiment with exactly this id.
    pub fn by_id(&self, id: Ulid) -> Option<&Experiment> {
        self.experiments.iter().find(|e| e.id == id)
    }
}

/// The longest name, in bytes.
const MAX_NAME: usize = 80;

/// Checks that a name is a slug: lower-case letters, digits, `.`, `_` and `-`, beginning with a letter or digit, and a legal
/// part of a branch name.
pub fn check_name(name: &str) -> Result<(), ExperimentError> {
    let odd = |c: &char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-'));
    let problem = if name.is_empty() {
        "it is empty".into()
    } else if name.len() > MAX_NAME {
        phrase!("it has {n} bytes, at most {most} are allowed", n = name.len(), most = MAX_NAME)
    } else if let Some(c) = name.chars().find(odd) {
        phrase!("{c} is no lower-case letter, digit, '.', '_' or '-'", c = format!("{c:?}"))
    } else if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        "it does not begin with a letter or digit".into()
    } else if name.contains("..") {
        "'..' cannot stand in a branch name".into()
    } else if name.ends_with('.') || name.ends_with(".lock") {
        "a branch name cannot end in '.' or '.lock'".into()
    } else {
        return Ok(());
    };
    let shown = name.chars().take(MAX_NAME).flat_map(char::escape_debug).collect();
    Err(ExperimentError::BadName { name: shown, problem })
}

/// What can be wrong with an experiment.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// A name that is no slug.
    BadName {
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: Phrase,
    },
    /// An open experiment has that name already.
    Taken(String),
    /// None of that name.
    Unknown {
        /// The name.
        name: String,
        /// The nearest one.
        nearest: Option<String>,
    },
    /// The beginning of an id that fits several.
    Ambiguous {
        /// The beginning.
        prefix: String,
        /// How many fit.
        count: usize,
    },
    /// It is in a state that forbids this.
    Finished {
        /// Its name.
        name: String,
        /// `kept`.
        state: &'static str,
    },
}

crate::error::display_what!(ExperimentError);

impl Explain for ExperimentError {
    fn exit(&self) -> Exit {
        match self {
            ExperimentError::BadName { .. } | ExperimentError::Unknown { .. } | ExperimentError::Ambiguous { .. } => {
                Exit::Usage
            }
            _ => Exit::State,
        }
    }
    fn what(&self) -> Phrase {
        match self {
            ExperimentError::BadName { name, problem } => {
                phrase!("'{name}' cannot name an experiment: {problem}", name, problem)
            }
            ExperimentError::Taken(name) => phrase!("there is an experiment '{name}' already", name),
            ExperimentError::Unknown { name, .. } => phrase!("there is no experiment '{name}'", name),
            ExperimentError::Ambiguous { prefix, count } => {
                phrase!("{count} experiments have an id that begins with '{prefix}'", count, prefix)
            }
            ExperimentError::Finished { name, state } => {
                phrase!("experiment '{name}' is {state} already", name, state = Phrase::from(*state))
            }
        }
    }
    fn next(&self) -> Option<Phrase> {
        Some(match self {
            ExperimentError::Unknown { nearest: Some(name), .. } => phrase!("did you mean '{name}'?", name),
            ExperimentError::Unknown { .. } | ExperimentError::Ambiguous { .. } => "git verdict log".into(),
            ExperimentError::Taken(name) => phrase!("git verdict show {name}", name),
            ExperimentError::Finished { name, .. } => phrase!("git verdict show {name}", name),
            ExperimentError::BadName { .. } => "a name such as 'pip-cache'".into(),
        })
    }
}

/// Where an experiment begins and what it is measured against: used by `start`.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// The commit it begins at.
    pub base: Oid,
    /// The branch it lands on.
    pub onto: String,
    /// The experiment it stands on.
    pub stands_on: Option<Ulid>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::Person;
    use crate::ledger::event::Identity;

    fn identity() -> Identity {
        let id = Oid::parse(&"a".repeat(40)).unwrap();
        Identity { commit: id.clone(), tree: id, patch: None }
    }

    fn event(id: u64, experiment: u64, name: &str, fact: Fact) -> Event {
        Event {
            version: 1,
            id: Ulid::from_parts(id, 1 << 70),
            at: DateTime::parse_from_rfc3339("2025-01-02T03:04:05+08:00").unwrap(),
            by: Person { name: "Ada".into(), email: "ada@example.org".into() },
            tool: "git-verdict 0.1.0".into(),
            experiment: Ulid::from_parts(experiment, 1 << 70),
            name: name.into(),
            fact,
            extra: serde_json::Map::new(),
        }
    }

    fn opened(branch: &str) -> Fact {
        Fact::Opened(Opened {
            title: "a smaller image".into(),
            hypothesis: "the cache is not needed".into(),
            base: identity(),
            onto: "main".into(),
            branch: branch.into(),
            stands_on: None,
            adopted: None,
        })
    }

    fn measured() -> Fact {
        Fact::Measured(Box::new(Measured {
            session: Ulid::from_parts(1, 1),
            base: identity(),
            candidate: identity(),
            sides: vec![],
            seed: 1,
            config_hash: String::new(),
            environment: Default::default(),
            samples: vec![],
            checks: vec![],
            comparison: vec![],
            complexity: Default::default(),
            recommendation: crate::policy::Recommendation::new(crate::policy::Advice::Keep, vec![]),
            failures: Vec::new(),
            reused: None,
            origins: Vec::new(),
            assumptions: None,
            hidden_checks: None,
            ruler: None,
            rechecks: None,
        }))
    }

    fn decided(verdict: Verdict, mode: Option<RevertMode>) -> Fact {
        Fact::Decided(Box::new(Decided {
            verdict,
            because: "it is smaller".into(),
            mode,
            measured: None,
            comparison: vec![],
            recommendation: None,
            overrode: false,
            base: identity(),
            candidate: identity(),
            commits: vec![],
            revert_commit: None,
            landed: None,
            onto: "main".into(),
        }))
    }

    fn abandoned() -> Fact {
        Fact::Abandoned { because: "no time".into() }
    }

    fn state_after(facts: Vec<Fact>) -> State {
        let events = facts.into_iter().enumerate().map(|(at, fact)| event(at as u64, 1, "x", fact));
        Book::fold(events).experiments[0].state
    }

    #[test]
    fn the_state_follows_the_events() {
        let open = || opened("verdict/x");
        assert_eq!(state_after(vec![open()]), State::Open);
        assert_eq!(state_after(vec![open(), measured()]), State::Measured);
        assert_eq!(state_after(vec![open(), measured(), decided(Verdict::Keep, None)]), State::Kept);
        let merge = Some(RevertMode::Merge);
        assert_eq!(state_after(vec![open(), decided(Verdict::Revert, merge)]), State::Reverted);
        let archive = Some(RevertMode::Archive);
        assert_eq!(state_after(vec![open(), decided(Verdict::Revert, archive)]), State::Archived);
        assert_eq!(state_after(vec![open(), abandoned()]), State::Abandoned);
    }

    #[test]
    fn the_newest_decision_is_in_force_and_later_measurements_do_not_undo_it() {
        let events = vec![
            event(1, 1, "x", opened("verdict/x")),
            event(2, 1, "x", decided(Verdict::Keep, None)),
            event(3, 1, "x", measured()),
            event(4, 1, "x", decided(Verdict::Revert, Some(RevertMode::InPlace))),
            event(5, 1, "x", measured()),
            event(6, 1, "x", abandoned()),
        ];
        let book = Book::fold(events);
        let x = book.find("x").unwrap();
        assert_eq!((x.state, x.verdict()), (State::Reverted, Some(Verdict::Revert)));
        assert_eq!(x.measured.len(), 2);
        assert_eq!(x.latest().unwrap().0.timestamp_ms(), 5);
    }

    #[test]
    fn a_decision_that_was_undone_leaves_the_one_before_it_in_force_or_none() {
        let reopened = |undoes: u64| {
            let undoes = Ulid::from_parts(undoes, 1 << 70);
            Fact::Reopened(crate::ledger::event::Reopened { because: "too early".into(), undoes, commit: None })
        };
        let mut events = vec![
            event(1, 1, "x", opened("verdict/x")),
            event(2, 1, "x", measured()),
            event(3, 1, "x", decided(Verdict::Keep, None)),
            event(4, 1, "x", decided(Verdict::Revert, Some(RevertMode::InPlace))),
            event(5, 1, "x", reopened(4)),
        ];
        assert_eq!(Book::fold(events.clone()).experiments[0].state, State::Kept);
        events.push(event(6, 1, "x", reopened(3)));
        let book = Book::fold(events.clone());
        assert_eq!((book.experiments[0].state, book.experiments[0].verdict()), (State::Measured, None));
        assert!(book.on_branch("verdict/x").is_some());
        // The clocks of two machines may disagree.
        events.reverse();
        assert_eq!(Book::fold(events.clone()).experiments[0].state, State::Measured);
        events.insert(0, event(7, 1, "x", decided(Verdict::Keep, None)));
        assert_eq!(Book::fold(events).experiments[0].state, State::Kept);
    }

    #[test]
    fn an_opening_counts_wherever_the_clocks_put_it_and_what_has_none_is_set_aside() {
        let book = Book::fold(vec![
            event(1, 1, "x", measured()),
            event(2, 2, "lost", measured()),
            event(3, 1, "x", opened("verdict/x")),
        ]);
        assert_eq!(book.experiments.len(), 1);
        assert_eq!(book.find("x").unwrap().state, State::Measured);
        assert_eq!(book.orphans.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), vec!["lost"]);
    }

    #[test]
    fn an_experiment_is_found_by_name_by_id_and_by_the_beginning_of_an_id() {
        let book = Book::fold(vec![
            event(1, 1_700_000_000_000, "cache", opened("verdict/cache")),
            event(2, 1_700_000_000_000, "cache", decided(Verdict::Keep, None)),
            event(1_800_000_000_000, 1_750_000_000_000, "cache", opened("verdict/cache")),
            event(1_800_000_000_001, 1_750_000_000_000, "cache", measured()),
            event(4, 1_750_000_000_001, "multi-stage", opened("verdict/multi-stage")),
        ]);
        let newest = Ulid::from_parts(1_750_000_000_000, 1 << 70);
        assert_eq!(book.find("cache").unwrap().id, newest, "the newest of that name");
        let old = Ulid::from_parts(1_700_000_000_000, 1 << 70);
        assert_eq!(book.find(&old.to_string().to_lowercase()).unwrap().id, old);
        assert_eq!(book.find(&old.to_string()[..8]).unwrap().id, old);
        let record = Ulid::from_parts(1_800_000_000_001, 1 << 70);
        assert_eq!(book.find(&record.to_string()).unwrap().id, newest, "by the id of one of its records");
        match book.find(&newest.to_string()[..7]) {
            Err(ExperimentError::Ambiguous { count: 2, .. }) => {}
            other => panic!("{other:?}"),
        }
        assert!(matches!(book.find(&old.to_string()[..5]), Err(ExperimentError::Unknown { .. })));
        match book.find("multistage") {
            Err(ExperimentError::Unknown { nearest: Some(name), .. }) => assert_eq!(name, "multi-stage"),
            other => panic!("{other:?}"),
        }
        assert_eq!(book.on_branch("verdict/cache").unwrap().id, newest, "only the open one");
        assert!(book.on_branch("main").is_none());
    }

    #[test]
    fn a_name_is_a_slug_and_a_legal_part_of_a_branch() {
        for name in ["pip-cache", "a", "7z", "v1.2_x", &"x".repeat(80)] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        let long = "x".repeat(81);
        for (name, what) in [
            ("", "empty"),
            (long.as_str(), "81 bytes"),
            ("Cache", "'C'"),
            ("a b", "' '"),
            ("a/b", "'/'"),
            ("caf\u{e9}", "'\u{e9}'"),
            ("a\u{1b}[31m", "'\\u{1b}'"),
            ("-a", "begin"),
            (".a", "begin"),
            ("a..b", "'..'"),
            ("a.", "end"),
            ("a.lock", "end"),
        ] {
            match check_name(name) {
                Err(error @ ExperimentError::BadName { .. }) => {
                    let text = error.to_string();
                    assert!(text.contains(what) && !text.contains('\u{1b}'), "{name}: {text}");
                }
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}
