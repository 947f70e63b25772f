//! The experiments that a command asks for, found by name, branch, id or state without reading all the others.

use super::row::{decode_row, lean_event};
use super::segment::{Key, Segment, Thread};
use super::{Fault, Index, Row};
use crate::experiment::Book;
use crate::ledger::event::{Event, Fact};
use crate::ledger::store::{Ledger, LedgerError};
use std::collections::{BTreeSet, HashMap};
use ulid::Ulid;

/// What a command asks a book for. Those that an experiment stands on come along.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Names, ids or beginnings of ids of experiments, or of their records. When one is unknown, the whole book is read:
    /// only that knows the nearest name.
    pub names: Vec<String>,
    /// Names that may be those of experiments.
    pub perhaps: Vec<String>,
    /// Branches of experiments.
    pub branches: Vec<String>,
    /// Experiments by id.
    pub ids: Vec<Ulid>,
    /// Every experiment that waits for a decision.
    pub open: bool,
    /// The experiment that was decided last, by a decision that holds.
    pub decided_last: bool,
}

impl Ledger<'_> {
    /// The book with only the experiments that are wanted: each whole, without samples, as in [`Ledger::book`].
    pub fn book_of(&self, wanted: &Wanted) -> Result<Book, LedgerError> {
        let found = self.indexed(|index| {
            let Some(ids) = wanted.ids_in(index)? else { return Ok(None) };
            Ok(Some((index.events_of(ids)?, index.problems())))
        })?;
        match found {
            Some((events, problems)) => Book::of(events, problems),
            None => self.book(),
        }
    }

    /// The records of one experiment, oldest first, without samples.
    pub fn records_of(&self, experiment: Ulid) -> Result<Vec<Event>, LedgerError> {
        self.indexed(|index| index.thread(experiment))
    }
}

impl Wanted {
    /// What is known under this name.
    pub fn named(name: &str) -> Wanted {
        Wanted { names: vec![name.to_string()], ..Wanted::default() }
    }

    /// Every experiment that waits for a decision.
    pub fn open() -> Wanted {
        Wanted { open: true, ..Wanted::default() }
    }

    /// The ids of all that is wanted; none when a name is not known.
    fn ids_in(&self, index: &Index) -> Result<Option<BTreeSet<Ulid>>, Fault> {
        let mut ids: BTreeSet<Ulid> = self.ids.iter().copied().collect();
        for (name, needed) in self.names.iter().map(|name| (name, true)).chain(self.perhaps.iter().map(|n| (n, false)))
        {
            let mut found = index.keyed(Key::Name(name), &|row, _| row.name == *name)?;
            if found.is_empty() {
                found = index.with_id(name)?;
            }
            if found.is_empty() && needed {
                return Ok(None);
            }
            ids.extend(found);
        }
        for branch in &self.branches {
            ids.extend(index.keyed(Key::Branch(branch), &|_, fact| match fact {
                Fact::Opened(opened) => opened.branch == *branch,
                _ => false,
            })?);
        }
        if self.open {
            ids.extend(index.open_ones()?);
        }
        if self.decided_last {
            ids.extend(index.decided_last()?);
        }
        Ok(Some(ids))
    }
}

impl Index {
    /// The experiments whose opening has this key and is what it seems to be.
    fn keyed(&self, key: Key<'_>, is: &dyn Fn(&Row, &Fact) -> bool) -> Result<BTreeSet<Ulid>, Fault> {
        let mut found = BTreeSet::new();
        for segment in self.segments() {
            for number in segment.keyed(key)? {
                let (row, lean) = read(segment, number)?;
                let event = lean_event(row.clone(), &lean)?;
                if is(&row, &event.fact) {
                    found.insert(row.experiment);
                }
            }
        }
        Ok(found)
    }

    /// The experiments whose id, or that of one of their records, begins so.
    fn with_id(&self, prefix: &str) -> Result<BTreeSet<Ulid>, Fault> {
        let mut found = BTreeSet::new();
        let upper = prefix.to_ascii_uppercase();
        if !(6..=26).contains(&upper.len()) {
            return Ok(found);
        }
        let filled = |with: &str| Ulid::from_string(&format!("{upper}{}", with.repeat(26 - upper.len())));
        let (Ok(first), Ok(last)) = (filled("0"), filled("Z")) else { return Ok(found) };
        for segment in self.segments() {
            for number in segment.between(first, last)? {
                found.insert(read(segment, number)?.0.experiment);
            }
            // The first bytes that all ids between the two share; the rest is compared.
            let (low, high) = (first.0.to_be_bytes(), last.0.to_be_bytes());
            let shared = low.iter().zip(&high).take_while(|(a, b)| a == b).count();
            let within = |id: &Ulid| *id >= first && *id <= last;
            found.extend(segment.threads_of(&low[..shared])?.into_iter().map(|t| t.experiment).filter(within));
        }
        Ok(found)
    }

    /// The experiments that may be open: opened, not given up, and not decided or with a decision that was undone.
    fn open_ones(&self) -> Result<BTreeSet<Ulid>, Fault> {
        #[derive(Default, Clone, Copy)]
        struct Seen {
            opened: bool,
            over: bool,
        }
        let undone: BTreeSet<Ulid> = self.about.undone.iter().map(|(experiment, _)| *experiment).collect();
        let note = |seen: &mut Seen, thread: &Thread| match thread.kind {
            "opened" => seen.opened = true,
            "abandoned" => seen.over = true,
            "decided" => seen.over |= !undone.contains(&thread.experiment),
            _ => {}
        };
        let mut newer: HashMap<Ulid, Seen> = HashMap::new();
        for segment in [&self.head, &self.tail] {
            segment.each_thread(&mut |thread| note(newer.entry(thread.experiment).or_default(), &thread))?;
        }
        let mut open = BTreeSet::new();
        if let Some(base) = &self.base {
            let mut current: Option<(Ulid, Seen)> = None;
            let mut close = |current: Option<(Ulid, Seen)>, newer: &mut HashMap<Ulid, Seen>| {
                let Some((id, seen)) = current else { return };
                let later = newer.remove(&id).unwrap_or_default();
                if (seen.opened || later.opened) && !seen.over && !later.over {
                    open.insert(id);
                }
            };
            base.each_thread(&mut |thread| {
                if current.is_none_or(|(id, _)| id != thread.experiment) {
                    close(current.take(), &mut newer);
                    current = Some((thread.experiment, Seen::default()));
                }
                if let Some((_, seen)) = &mut current {
                    note(seen, &thread);
                }
            })?;
            close(current, &mut newer);
        }
        open.extend(newer.into_iter().filter(|(_, seen)| seen.opened && !seen.over).map(|(id, _)| id));
        Ok(open)
    }

    /// The experiment of the newest decision that was not undone.
    fn decided_last(&self) -> Result<Option<Ulid>, Fault> {
        let mut found = None;
        self.backward(&mut |row, _| {
            let row = decode_row(row).ok_or(Fault::Corrupt)?;
            let holds = row.kind == "decided" && !self.about.undone.contains(&(row.experiment, row.id));
            // A decision without its opening is of no experiment.
            if holds && self.thread(row.experiment)?.iter().any(|event| matches!(event.fact, Fact::Opened(_))) {
                found = Some(row.experiment);
                return Ok(std::ops::ControlFlow::Break(()));
            }
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// The records of these experiments and of those that they stand on, oldest first.
    fn events_of(&self, ids: BTreeSet<Ulid>) -> Result<Vec<Event>, Fault> {
        let mut events = Vec::new();
        let (mut waiting, mut done) = (ids, BTreeSet::new());
        while let Some(id) = waiting.pop_first() {
            if !done.insert(id) {
                continue;
            }
            let thread = self.thread(id)?;
            for event in &thread {
                if let Fact::Opened(opened) = &event.fact {
                    waiting.extend(opened.stands_on);
                }
            }
            events.extend(thread);
        }
        events.sort_by_key(|event| event.id);
        Ok(events)
    }

    /// The records of one experiment, oldest first.
    fn thread(&self, experiment: Ulid) -> Result<Vec<Event>, Fault> {
        let mut events = Vec::new();
        for segment in self.segments() {
            for thread in segment.threads_of(&experiment.0.to_be_bytes())? {
                let (row, lean) = read(segment, thread.number)?;
                if row.experiment != experiment {
                    return Err(Fault::Corrupt);
                }
                events.push(lean_event(row, &lean)?);
            }
        }
        events.sort_by_key(|event| event.id);
        Ok(events)
    }
}

fn read(segment: &Segment, number: usize) -> Result<(Row, Vec<u8>), Fault> {
    let (row, lean) = segment.record(number)?;
    Ok((decode_row(&row).ok_or(Fault::Corrupt)?, lean))
}
