//! Storage of events under [`LEDGER_REF`].
//!
//! Every event is one blob at `events/<a>/<b>/<c>/<ULID>.json`, where `a`, `b` and `c` are the last three characters of the
//! ULID: its random part, so that each folder above the leaves holds at most 32 entries (0.9 kB) however many events there
//! are, and a leaf about one event in 32,768. An append therefore writes the same seven objects at any size: the blob,
//! five trees and a commit whose parent is the tip before it. `format` at the root names the major version.
//!
//! The ref moves by compare-and-swap; a writer that was not first puts its events on top of the new tip and tries again.
//! Objects are flushed to the disk before the ref is moved to them.

use super::event::{Event, Fact, VERSION};
use crate::error::{Exit, Explain};
use crate::experiment::check_name;
use crate::git::objects::TreeEntry;
use crate::git::{GitError, Oid, Repo};
use crate::phrase;
use crate::phrase::Phrase;
use chrono::{Local, SubsecRound};
use rand::Rng;
use rustix::fs::{FlockOperation, flock};
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};
use ulid::Ulid;

/// The single ref that holds the ledger.
pub const LEDGER_REF: &str = "refs/verdict/ledger";

/// The largest event that is read or written, in bytes.
pub const MAX_EVENT: usize = 64 << 20;

/// The folder of the events in the ledger's tree.
pub(super) const EVENTS: &str = "events";
/// The file at the root that names the major version of the layout.
const FORMAT: &str = "format";
/// Folders between [`EVENTS`] and an event.
pub(super) const LEVELS: usize = 3;

/// How long an append goes on trying while others write.
const PATIENCE: Duration = Duration::from_secs(30);
/// A ref's lock older than this, with nothing else going on, was left by a writer that died.
const STALE_LOCK: Duration = Duration::from_secs(5);
/// Ids follow the newest one known, unless that is further than this ahead of the clock.
const CLOCK_TRUST: u64 = 24 * 3600 * 1000;

/// The ledger of a repository.
#[derive(Debug)]
pub struct Ledger<'r> {
    pub(super) repo: &'r Repo,
    last: Cell<Option<Ulid>>,
    pub(super) indexed: RefCell<Option<Indexed>>,
}

/// How far the index is known to be.
#[derive(Debug, Clone)]
pub(super) struct Indexed {
    /// The commit that it is at.
    pub tip: Oid,
    /// How many steps lie in its tail.
    pub steps: usize,
    /// Its highest id.
    pub newest: Option<Ulid>,
}

/// A move of the ledger.
pub(super) struct Moved {
    /// The commit before; none when it was empty.
    pub from: Option<Oid>,
    /// The commit after.
    pub to: Oid,
}

/// An event's id and the blob that holds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Located {
    /// The record's id.
    pub id: Ulid,
    /// The blob.
    pub blob: Oid,
}

impl<'r> Ledger<'r> {
    /// The ledger of this repository; an empty one when the ref does not exist.
    pub fn open(repo: &'r Repo) -> Ledger<'r> {
        Ledger { repo, last: Cell::new(None), indexed: RefCell::new(None) }
    }

    /// The commit that the ledger is at; none while it is empty.
    pub fn tip(&self) -> Result<Option<Oid>, LedgerError> {
        Ok(self.repo.find_ref(LEDGER_REF)?)
    }

    /// A new event, made now by the configured user, with an id of its own. Nothing is written.
    ///
    /// The id is above the newest one in the ledger and above the last one drafted here, also when the clock runs
    /// backwards: then its time part is one millisecond after theirs. (A record more than a day in the future does not
    /// drag the others with it.) The random part is always fresh, so that two clones never make the same id.
    pub fn draft(&self, experiment: Ulid, name: &str, fact: Fact) -> Result<Event, LedgerError> {
        let by = self.repo.person()?;
        let newest = self.newest().unwrap_or_default();
        let id = next_id(now_ms(), newest, self.last.get());
        self.last.set(Some(id));
        Ok(Event {
            version: VERSION,
            id,
            at: Local::now().trunc_subsecs(3).fixed_offset(),
            by,
            tool: concat!("git-verdict ", env!("CARGO_PKG_VERSION")).into(),
            experiment,
            name: name.into(),
            fact,
            extra: serde_json::Map::new(),
        })
    }

    /// Adds an event; an event that is there already is left as it is.
    pub fn append(&self, event: &Event) -> Result<(), LedgerError> {
        self.append_all(std::slice::from_ref(event))
    }

    /// Adds events in one commit, all or none.
    pub fn append_all(&self, events: &[Event]) -> Result<(), LedgerError> {
        let Some(first) = events.first() else { return Ok(()) };
        let mut located = Vec::with_capacity(events.len());
        for event in events {
            let blob = self.repo.write_blob(&encode(event)?).map_err(LedgerError::write)?;
            located.push(Located { id: event.id, blob });
        }
        located.sort();
        located.dedup();
        let blobs: Vec<Oid> = located.iter().map(|l| l.blob.clone()).collect();
        self.repo.sync_objects(&blobs).map_err(LedgerError::write)?;
        let subject = match events {
            [one] => format!("{} {}", one.fact.kind(), one.name),
            _ => format!("{} and {} more records", first.name, events.len() - 1),
        };
        let moved = self.advance(&subject, &mut |tip| {
            let root = tip.map(|tip| self.known_root(tip)).transpose()?;
            let mut written = Vec::new();
            let tree = self.insert_all(root.as_ref(), &located, &mut written)?;
            let parents = tip.cloned().into_iter().collect();
            Ok((Some(&tree) != root.as_ref()).then_some(Advance::Commit { tree, written, parents }))
        })?;
        if let (Some(moved), [event], [blob]) = (moved, events, blobs.as_slice()) {
            self.note(&moved, event, blob);
        }
        Ok(())
    }

    /// All events in the order of their ids, oldest first. The first one that cannot be read is the error.
    pub fn events(&self) -> Result<Vec<Event>, LedgerError> {
        let (events, problems) = self.events_lossy()?;
        match problems.into_iter().next() {
            Some(problem) => Err(problem),
            None => Ok(events),
        }
    }

    /// All events that can be read, oldest first, and what is wrong with the others. Only a ledger that cannot be opened
    /// at all is an error.
    pub fn events_lossy(&self) -> Result<(Vec<Event>, Vec<LedgerError>), LedgerError> {
        let Some(tip) = self.tip()? else { return Ok(Default::default()) };
        let (located, mut problems) = self.locate_all(&tip)?;
        self.bring(&located);
        let mut events = Vec::with_capacity(located.len());
        for one in located {
            match self.read(&one) {
                Ok(event) => events.push(event),
                Err(problem) => problems.push(problem),
            }
        }
        Ok((events, problems))
    }

    /// One event.
    pub fn find(&self, id: Ulid) -> Result<Option<Event>, LedgerError> {
        self.locate(id)?.map(|one| self.read(&one)).transpose()
    }

    /// One event as it is stored, with every field that a later version may have put into it.
    pub fn raw(&self, id: Ulid) -> Result<Option<Value>, LedgerError> {
        let Some(one) = self.locate(id)? else { return Ok(None) };
        Ok(Some(parse(&self.bytes(&one)?, id)?))
    }

    /// Like [`Ledger::root`], without a look at the format when this is the commit that the index was made from.
    fn known_root(&self, tip: &Oid) -> Result<Oid, LedgerError> {
        match self.indexed.borrow().as_ref().is_some_and(|indexed| indexed.tip == *tip) {
            true => Ok(self.repo.tree_of(tip)?),
            false => self.root(tip),
        }
    }

    /// The root tree of a ledger commit, once its format is known to be ours.
    pub(super) fn root(&self, tip: &Oid) -> Result<Oid, LedgerError> {
        let foreign = |problem: Phrase| LedgerError::NoLedger { tip: tip.to_string(), problem };
        let root = self.repo.tree_of(tip).map_err(|error| foreign(error.what()))?;
        let entries = self.repo.read_tree(&root).map_err(|error| foreign(error.what()))?;
        let format = child(&entries, FORMAT).ok_or_else(|| foreign("it has no file 'format'".into()))?;
        let size = self
            .repo
            .blob_size(&format.id)
            .or_else(|_| {
                self.repo.bring_objects(std::slice::from_ref(&format.id))?;
                self.repo.blob_size(&format.id)
            })
            .map_err(|error| foreign(error.what()))?;
        let bytes = if size <= 32 { self.repo.read_blob(&format.id)? } else { Vec::new() };
        let found: u64 = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .ok_or_else(|| foreign("its file 'format' holds no version number".into()))?;
        if found != u64::from(VERSION) {
            return Err(LedgerError::Version { id: "ledger".into(), found, known: VERSION });
        }
        Ok(root)
    }

    /// Every event's blob, in the order of ids, and what lies in the tree that should not be there.
    pub(super) fn locate_all(&self, tip: &Oid) -> Result<(Vec<Located>, Vec<LedgerError>), LedgerError> {
        let root = self.root(tip)?;
        let mut found = Vec::new();
        let mut problems = Vec::new();
        if let Some(events) = child(&self.repo.read_tree(&root)?, EVENTS) {
            self.walk(&events.id, &mut String::new(), &mut found, &mut problems);
        }
        found.sort();
        Ok((found, problems))
    }

    /// Collects the events below a folder; `path` holds the characters of the folders above it. The depth is fixed, so a
    /// hostile tree cannot lead deeper.
    pub(super) fn walk(
        &self,
        tree: &Oid,
        path: &mut String,
        found: &mut Vec<Located>,
        problems: &mut Vec<LedgerError>,
    ) {
        let entries = match self.repo.read_tree(tree) {
            Ok(entries) => entries,
            Err(error) => {
                problems.push(LedgerError::Unreadable { id: folder(path), problem: error.to_string().into() });
                return;
            }
        };
        for entry in entries {
            if path.len() < LEVELS {
                match folder_char(&entry) {
                    Some(c) => {
                        path.push(c);
                        self.walk(&entry.id, path, found, problems);
                        path.pop();
                    }
                    None => problems.push(stray(path, &entry)),
                }
            } else {
                match event_id(&entry, path) {
                    Some(id) => found.push(Located { id, blob: entry.id }),
                    None => problems.push(stray(path, &entry)),
                }
            }
        }
    }

    /// Where an event is.
    fn locate(&self, id: Ulid) -> Result<Option<Located>, LedgerError> {
        let Some(tip) = self.tip()? else { return Ok(None) };
        let text = id.to_string();
        let file = format!("{text}.json");
        let mut tree = self.root(&tip)?;
        for step in std::iter::once(EVENTS).chain(steps(&text)) {
            match child(&self.repo.read_tree(&tree)?, step) {
                Some(entry) if entry.is_tree() => tree = entry.id.clone(),
                _ => return Ok(None),
            }
        }
        let entries = self.repo.read_tree(&tree)?;
        let found = child(&entries, &file).map(|entry| Located { id, blob: entry.id.clone() });
        self.bring(found.as_slice());
        Ok(found)
    }

    /// Has a partial clone fetch the records that it lacks. When that fails, reading them will say so.
    pub(super) fn bring(&self, records: &[Located]) {
        let blobs: Vec<Oid> = records.iter().map(|one| one.blob.clone()).collect();
        let _ = self.repo.bring_objects(&blobs);
    }

    fn bytes(&self, one: &Located) -> Result<Vec<u8>, LedgerError> {
        let unreadable = |problem: Phrase| LedgerError::Unreadable { id: one.id.to_string(), problem };
        let size = self.repo.blob_size(&one.blob).map_err(|error| unreadable(error.what()))?;
        if size > MAX_EVENT {
            return Err(unreadable(phrase!("it has {n} bytes; at most {most} are read", n = size, most = MAX_EVENT)));
        }
        self.repo.read_blob(&one.blob).map_err(|error| unreadable(error.what()))
    }

    pub(super) fn read(&self, one: &Located) -> Result<Event, LedgerError> {
        decode(&self.bytes(one)?, one.id)
    }

    /// Puts events into the tree of a ledger (a new one when there is none); ids of the objects written go to `written`.
    pub(super) fn insert_all(
        &self,
        root: Option<&Oid>,
        events: &[Located],
        written: &mut Vec<Oid>,
    ) -> Result<Oid, LedgerError> {
        let entries = root.map(|id| self.repo.read_tree(id)).transpose()?.unwrap_or_default();
        let old = child(&entries, EVENTS).map(|entry| entry.id.clone());
        let named: Vec<(String, &Located)> = events.iter().map(|one| (one.id.to_string(), one)).collect();
        let group: Vec<&(String, &Located)> = named.iter().collect();
        let new = self.insert(old.as_ref(), 0, &group, written)?;
        if let Some(root) = root
            && old.as_ref() == Some(&new)
        {
            return Ok(root.clone());
        }
        let mut put = vec![TreeEntry::tree(EVENTS, new)];
        if child(&entries, FORMAT).is_none() {
            let blob = self.repo.write_blob(format!("{VERSION}\n").as_bytes()).map_err(LedgerError::write)?;
            written.push(blob.clone());
            put.push(TreeEntry::blob(FORMAT, blob));
        }
        let tree = self.repo.write_tree(root, &put).map_err(LedgerError::write)?;
        written.push(tree.clone());
        Ok(tree)
    }

    fn insert(
        &self,
        tree: Option<&Oid>,
        level: usize,
        events: &[&(String, &Located)],
        written: &mut Vec<Oid>,
    ) -> Result<Oid, LedgerError> {
        let entries = tree.map(|id| self.repo.read_tree(id)).transpose()?.unwrap_or_default();
        let mut put = Vec::new();
        if level == LEVELS {
            for (text, one) in events {
                let file = format!("{text}.json");
                match child(&entries, &file) {
                    Some(entry) if entry.id == one.blob => {}
                    Some(entry) => self.same_event(one.id, &entry.id, &one.blob)?,
                    None => put.push(TreeEntry::blob(file, one.blob.clone())),
                }
            }
        } else {
            let mut groups: BTreeMap<&str, Vec<&(String, &Located)>> = BTreeMap::new();
            for one in events {
                groups.entry(step(&one.0, level)).or_default().push(one);
            }
            for (name, group) in groups {
                let old = child(&entries, name).map(|entry| &entry.id);
                let new = self.insert(old, level + 1, &group, written)?;
                if old != Some(&new) {
                    put.push(TreeEntry::tree(name, new));
                }
            }
        }
        if let Some(tree) = tree
            && put.is_empty()
        {
            return Ok(tree.clone());
        }
        let new = self.repo.write_tree(tree, &put).map_err(LedgerError::write)?;
        written.push(new.clone());
        Ok(new)
    }

    /// Succeeds when two blobs hold the same event in different bytes.
    fn same_event(&self, id: Ulid, stored: &Oid, given: &Oid) -> Result<(), LedgerError> {
        let read = |blob: &Oid| parse(&self.bytes(&Located { id, blob: blob.clone() })?, id);
        if read(stored)? == read(given)? { Ok(()) } else { Err(LedgerError::Conflict { id: id.to_string() }) }
    }

    /// Moves the ledger to what `build` makes of its tip, again and again until no other writer was first. `build` gives
    /// nothing when there is nothing to do; then there is no move.
    pub(super) fn advance(&self, subject: &str, build: Build<'_>) -> Result<Option<Moved>, LedgerError> {
        let deadline = Instant::now() + PATIENCE;
        let queue = Queue::open(self.repo);
        for attempt in 0u32.. {
            let _turn = queue.as_ref().map(|queue| queue.wait(deadline));
            let tip = self.tip()?;
            let Some(next) = build(tip.as_ref())? else { return Ok(None) };
            let new = match next {
                Advance::FastForward(commit) => commit,
                Advance::Commit { tree, mut written, parents } => {
                    let message = format!("ledger: {subject}\n");
                    // Only a commit needs an author: a clone that only reads takes in records without one.
                    let person = self.repo.person()?;
                    let commit =
                        self.repo.write_commit(&tree, &parents, &person, &message).map_err(LedgerError::write)?;
                    written.push(commit.clone());
                    self.repo.sync_objects(&written).map_err(LedgerError::write)?;
                    commit
                }
            };
            let reason = format!("verdict: {subject}");
            if self.repo.swap_ref(LEDGER_REF, &new, tip.as_ref(), &reason).map_err(LedgerError::write)? {
                self.repo.point("ledger moved");
                self.repo.sync_ref(LEDGER_REF).map_err(LedgerError::write)?;
                return Ok(Some(Moved { from: tip, to: new }));
            }
            if let Some(path) = self.stale_lock() {
                return Err(LedgerError::Locked { path });
            }
            if Instant::now() > deadline {
                break;
            }
            drop(_turn);
            let most = 1u64 << attempt.min(6);
            std::thread::sleep(Duration::from_micros(rand::rng().random_range(200..=1000 * most)));
        }
        Err(LedgerError::Git(GitError::Contended(LEDGER_REF.into())))
    }

    /// The ref's lock file when a writer that died left it behind.
    fn stale_lock(&self) -> Option<PathBuf> {
        let path = self.repo.ref_lock(LEDGER_REF);
        let made = std::fs::metadata(&path).ok()?.modified().ok()?;
        (SystemTime::now().duration_since(made).ok()? > STALE_LOCK).then_some(path)
    }
}

/// Says what the ledger is to become on top of a tip; nothing when there is nothing to do.
pub(super) type Build<'b> = &'b mut dyn FnMut(Option<&Oid>) -> Result<Option<Advance>, LedgerError>;

/// What the ledger is to become.
pub(super) enum Advance {
    /// A new commit.
    Commit {
        /// The root tree.
        tree: Oid,
        /// Objects that were written for it.
        written: Vec<Oid>,
        /// The commits that it follows.
        parents: Vec<Oid>,
    },
    /// A commit that is there already.
    FastForward(Oid),
}

/// A place to wait for one's turn, so that many writers do not spoil each other's work. Compare-and-swap alone keeps the
/// ledger whole; where this file cannot be made or locked, writers just try more often.
struct Queue(File);

/// Holds the turn until it is dropped.
struct Turn<'q>(&'q File);

impl Queue {
    fn open(repo: &Repo) -> Option<Queue> {
        let path = repo.verdict_dir().ok()?.join("ledger.queue");
        File::options().create(true).truncate(false).write(true).open(path).ok().map(Queue)
    }

    fn wait(&self, deadline: Instant) -> Option<Turn<'_>> {
        let mut looks = 0;
        while Instant::now() < deadline {
            match flock(&self.0, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Some(Turn(&self.0)),
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {
                    // Those that have waited long look less often: hundreds of them would otherwise leave no time for work.
                    let most = 2000u64 << (looks / 4).min(5);
                    looks += 1;
                    std::thread::sleep(Duration::from_micros(rand::rng().random_range(200..=most)));
                }
                Err(_) => return None,
            }
        }
        None
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let _ = flock(self.0, FlockOperation::Unlock);
    }
}

/// The stored form: one line of JSON. An event that would not read back as it is (a number that is not finite, a bad name,
/// too large) is refused.
pub(super) fn encode(event: &Event) -> Result<Vec<u8>, LedgerError> {
    let unreadable = |problem: Phrase| LedgerError::Unreadable { id: event.id.to_string(), problem };
    let mut bytes = serde_json::to_vec(event).map_err(|error| unreadable(error.to_string().into()))?;
    bytes.push(b'\n');
    if bytes.len() > MAX_EVENT {
        let n = bytes.len();
        return Err(unreadable(phrase!("it has {n} bytes; at most {most} are written", n, most = MAX_EVENT)));
    }
    if decode(&bytes, event.id)? != *event {
        return Err(unreadable("it does not read back as it was".into()));
    }
    Ok(bytes)
}

/// Reads the stored form of the event `id`.
pub(super) fn decode(bytes: &[u8], id: Ulid) -> Result<Event, LedgerError> {
    let unreadable = |problem: Phrase| LedgerError::Unreadable { id: id.to_string(), problem };
    let foreign = |found| LedgerError::Version { id: id.to_string(), found, known: VERSION };
    let event = Event::from_json(bytes).map_err(|error| {
        // What a later version writes may have another shape altogether.
        match parse(bytes, id).map(|value| value.get("version").and_then(Value::as_u64)) {
            Ok(Some(found)) if found != u64::from(VERSION) => foreign(found),
            Ok(None) => unreadable("it names no version".into()),
            _ => unreadable(error.to_string().into()),
        }
    })?;
    if event.version != VERSION {
        return Err(foreign(event.version.into()));
    }
    if event.id != id {
        return Err(unreadable(phrase!("it calls itself {id}", id = event.id)));
    }
    check_name(&event.name).map_err(|error| unreadable(error.what()))?;
    Ok(event)
}

fn parse(bytes: &[u8], id: Ulid) -> Result<Value, LedgerError> {
    serde_json::from_slice(bytes)
        .map_err(|error| LedgerError::Unreadable { id: id.to_string(), problem: error.to_string().into() })
}

pub(super) fn child<'e>(entries: &'e [TreeEntry], name: &str) -> Option<&'e TreeEntry> {
    entries.iter().find(|entry| entry.name == name.as_bytes())
}

/// The folders of an event, outermost first.
fn steps(id: &str) -> impl Iterator<Item = &str> {
    (0..LEVELS).map(move |level| step(id, level))
}

fn step(id: &str, level: usize) -> &str {
    let at = id.len() - LEVELS + level;
    &id[at..=at]
}

/// The character of a folder between `events` and the leaves.
pub(super) fn folder_char(entry: &TreeEntry) -> Option<char> {
    match entry.name.as_slice() {
        [b] if entry.is_tree() && b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".contains(b) => Some(char::from(*b)),
        _ => None,
    }
}

/// The id of a file in the leaf at `path`, when it is an event in its right place.
pub(super) fn event_id(entry: &TreeEntry, path: &str) -> Option<Ulid> {
    let text = std::str::from_utf8(&entry.name).ok()?.strip_suffix(".json")?;
    let id = Ulid::from_string(text).ok()?;
    (!entry.is_tree() && id.to_string() == text && text.ends_with(path)).then_some(id)
}

pub(super) fn folder(path: &str) -> String {
    std::iter::once(EVENTS.to_string()).chain(path.chars().map(String::from)).collect::<Vec<_>>().join("/")
}

fn stray(path: &str, entry: &TreeEntry) -> LedgerError {
    let name = String::from_utf8_lossy(&entry.name);
    let shown: String = name.chars().take(80).flat_map(char::escape_default).collect();
    LedgerError::Unreadable {
        id: format!("{}/{shown}", folder(path)),
        problem: "no record has this name or place".into(),
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

/// An id above `newest` and `last` whose time is `now` if it can be.
fn next_id(now: u64, newest: Option<Ulid>, last: Option<Ulid>) -> Ulid {
    let floor = newest
        .into_iter()
        .chain(last)
        .map(|id| id.timestamp_ms())
        .filter(|&ms| ms < now.saturating_add(CLOCK_TRUST))
        .max();
    let ms = floor.map_or(now, |floor| now.max(floor + 1));
    Ulid::from_parts(ms, rand::rng().random())
}

/// What can go wrong with the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// git failed.
    Git(#[from] GitError),
    /// An event of a major version that this program does not know.
    Version {
        /// The record.
        id: String,
        /// Its version.
        found: u64,
        /// Ours.
        known: u32,
    },
    /// An event that cannot be read.
    Unreadable {
        /// The record.
        id: String,
        /// Why.
        problem: Phrase,
    },
    /// The ref points at something else.
    NoLedger {
        /// The commit (or other object).
        tip: String,
        /// What is missing.
        problem: Phrase,
    },
    /// Two different events under one id.
    Conflict {
        /// The record.
        id: String,
    },
    /// A writer that died left the ref's lock behind.
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The record could not be written: no space, no permission, a read-only file system.
    Write(#[source] GitError),
}

impl LedgerError {
    fn write(error: GitError) -> LedgerError {
        LedgerError::Write(error)
    }
}

crate::error::display_what!(LedgerError);

impl Explain for LedgerError {
    fn exit(&self) -> Exit {
        Exit::State
    }
    fn what(&self) -> Phrase {
        match self {
            LedgerError::Git(inner) => inner.what(),
            LedgerError::Version { id, found, known } => phrase!(
                "record {id} has format version {found}; this program reads version {known}",
                id,
                found = *found,
                known = *known
            ),
            LedgerError::Unreadable { id, problem } => phrase!("record {id} cannot be read: {problem}", id, problem),
            LedgerError::NoLedger { tip, problem } => {
                phrase!("{name} is at {tip}, which is no ledger: {problem}", name = LEDGER_REF, tip, problem)
            }
            LedgerError::Conflict { id } => phrase!("record {id} is there already, with other contents", id),
            LedgerError::Locked { .. } => phrase!("{name} is locked", name = LEDGER_REF),
            LedgerError::Write(inner) => phrase!("the ledger could not be written: {problem}", problem = inner.what()),
        }
    }
    fn why(&self) -> Option<Phrase> {
        match self {
            LedgerError::Git(inner) | LedgerError::Write(inner) => inner.why(),
            LedgerError::Locked { path } => Some(phrase!(
                "another git is writing, or one that was killed left {path} behind",
                path = path.display()
            )),
            LedgerError::Conflict { .. } => Some("records are never changed once they are written".into()),
            _ => None,
        }
    }
    fn next(&self) -> Option<Phrase> {
        match self {
            LedgerError::Git(inner) => inner.next(),
            LedgerError::Version { .. } => Some("install a newer git-verdict".into()),
            LedgerError::Unreadable { .. } | LedgerError::NoLedger { .. } | LedgerError::Conflict { .. } => {
                Some("git verdict doctor --ledger".into())
            }
            LedgerError::Locked { path } => Some(phrase!("rm '{path}', if no git is running", path = path.display())),
            LedgerError::Write(_) => Some("make room, or get write access to the git directory, and try again".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_follows_the_newest_one_when_the_clock_runs_backwards() {
        let newest = Ulid::from_parts(10_000, 5);
        assert_eq!(next_id(20_000, Some(newest), None).timestamp_ms(), 20_000);
        assert_eq!(next_id(9_000, Some(newest), None).timestamp_ms(), 10_001);
        assert_eq!(next_id(9_000, Some(newest), Some(Ulid::from_parts(12_000, 0))).timestamp_ms(), 12_001);
        assert_eq!(next_id(12_000, None, Some(Ulid::from_parts(12_000, 0))).timestamp_ms(), 12_001);
    }

    #[test]
    fn a_record_far_in_the_future_does_not_drag_the_others_with_it() {
        let hostile = Ulid::from_parts((1 << 48) - 1, u128::MAX);
        assert_eq!(next_id(20_000, Some(hostile), Some(Ulid::from_parts(20_000, 0))).timestamp_ms(), 20_001);
    }

    #[test]
    fn two_clones_at_the_same_moment_make_different_ids() {
        let newest = Some(Ulid::from_parts(10_000, 5));
        assert_ne!(next_id(9_000, newest, None), next_id(9_000, newest, None));
    }

    #[test]
    fn only_a_record_in_its_own_folder_is_a_record() {
        let blob = Oid::parse(&"a".repeat(40)).unwrap();
        let id = Ulid::from_parts(1_700_000_000_000, 0xABCD_EF12_3456_789A_BCDF);
        let text = id.to_string();
        assert_eq!(event_id(&TreeEntry::blob(format!("{text}.json"), blob.clone()), &text[23..]), Some(id));
        assert_eq!(event_id(&TreeEntry::blob(format!("{text}.json"), blob.clone()), "ABC"), None);
        assert_eq!(event_id(&TreeEntry::tree(format!("{text}.json"), blob.clone()), &text[23..]), None);
        for name in [text.to_lowercase() + ".json", text.clone(), "..".into(), "\u{1b}.json".into()] {
            assert_eq!(event_id(&TreeEntry::blob(name, blob.clone()), &text[23..]), None);
        }
        assert_eq!(folder_char(&TreeEntry::tree("A", blob.clone())), Some('A'));
        for name in ["a", "I", "..", "AA", "/"] {
            assert_eq!(folder_char(&TreeEntry::tree(name, blob.clone())), None, "{name}");
        }
    }
}
