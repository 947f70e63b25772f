//! A copy of the events in the order of their ids, quick to read, that can be thrown away.
//!
//! | file | what it is |
//! |---|---|
//! | `row` | how a record lies in it |
//! | `segment` | one file of it, and how one of its records is found |
//! | `tail` | what was appended since |
//! | `find` | the experiments that a command asks for, without reading the others |
//!
//! It lies in `verdict/index/` under the shared git directory: `head` holds the tip it was made from and the newest
//! records, and names a `base-*` file with all the others once there are many; `tail` has what was appended since.
//! When the tip has moved on further, the trees are compared and only new records are read; `head` is replaced by rename,
//! and its records move to a new base when they are too many. Anything odd (a cut file, a wrong checksum, a record that is
//! gone) makes it be built again from the ledger. Where the folder cannot be written, it is built in memory.

mod find;
mod row;
mod segment;
mod tail;

pub use find::Wanted;
pub use row::Row;

use super::event::{Event, Fact, KINDS, Reopened, VERSION};
use super::store::{EVENTS, Indexed, LEVELS, Ledger, LedgerError, Located, Moved, event_id, folder_char};
use crate::error::Explain;
use crate::experiment::Book;
use crate::git::{GitError, Oid, Repo};
use crate::phrase::Phrase;
use row::{brief, decode_row, encode_row, lean, lean_event, row_id};
use segment::{Cursor, Packed, Segment, Source, Visit, VisitPacked, Writer};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use ulid::Ulid;

/// Records that `head` may hold before they move to the base: at least this many, and a 64th of the base.
const HEAD_MOST: usize = 1024;

/// A record of the index: its row, and the rest of it for whoever asks.
pub struct Record<'i> {
    /// What a list shows.
    pub row: Row,
    /// Whether it is a decision that was undone.
    pub undone: bool,
    lean: &'i [u8],
}

impl Record<'_> {
    /// The whole event, without samples and without the fields of later versions; none when the index is damaged.
    pub fn event(&self) -> Option<Event> {
        lean_event(self.row.clone(), self.lean).ok()
    }

    /// Whether a text stands in what [`Record::event`] would have to parse.
    pub fn mentions(&self, text: &str) -> bool {
        std::str::from_utf8(self.lean).is_ok_and(|json| json.contains(text))
    }
}

impl Book {
    /// The book of what an index gave. A record of a major version that this program does not know is an error.
    fn of(events: Vec<Event>, problems: Vec<LedgerError>) -> Result<Book, LedgerError> {
        let mut named = Vec::with_capacity(problems.len());
        for problem in problems {
            if matches!(problem, LedgerError::Version { .. }) {
                return Err(problem);
            }
            named.push(problem.what());
        }
        Ok(Book { problems: named, ..Book::fold(events) })
    }
}

impl Ledger<'_> {
    /// All experiments. Samples are left out; [`Ledger::find`] has them.
    ///
    /// Records that cannot be read are named in [`Book::problems`]; one of a major version that this program does not know
    /// is an error, because no decision should rest on half of what is known.
    pub fn book(&self) -> Result<Book, LedgerError> {
        let (events, problems) = self.indexed(|index| {
            let mut events = Vec::new();
            index.forward(&mut |row, lean| {
                let row = decode_row(row).ok_or(Fault::Corrupt)?;
                events.push(lean_event(row, lean)?);
                Ok(ControlFlow::Continue(()))
            })?;
            Ok((events, index.problems()))
        })?;
        Book::of(events, problems)
    }

    /// The newest `most` records that are wanted, newest first.
    pub fn recent(&self, most: usize, wanted: &dyn Fn(&Row) -> bool) -> Result<Vec<Row>, LedgerError> {
        let mut rows = Vec::new();
        if most > 0 {
            self.each_row(&mut |row| {
                if wanted(&row) {
                    rows.push(row);
                }
                if rows.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
        }
        Ok(rows)
    }

    /// Every record that can be read, newest first, until `each` has had enough.
    pub fn each_row(&self, each: &mut dyn FnMut(Row) -> ControlFlow<()>) -> Result<(), LedgerError> {
        self.each_record(&mut |record| each(record.row)).map(drop)
    }

    /// Like [`Ledger::each_row`], with the rest of each record. What cannot be read is given back.
    pub fn each_record(
        &self,
        each: &mut dyn FnMut(Record<'_>) -> ControlFlow<()>,
    ) -> Result<Vec<LedgerError>, LedgerError> {
        let mut last: Option<Ulid> = None;
        self.indexed(|index| {
            index.backward(&mut |row, lean| {
                let row = decode_row(row).ok_or(Fault::Corrupt)?;
                // After a rebuild in the middle, what was shown is not shown again.
                if last.is_some_and(|last| row.id >= last) {
                    return Ok(ControlFlow::Continue(()));
                }
                last = Some(row.id);
                let undone = index.about.undone.contains(&(row.experiment, row.id));
                Ok(each(Record { row, undone, lean }))
            })?;
            Ok(index.problems())
        })
    }

    /// What in the ledger cannot be read: broken or missing records, files that are no records.
    pub fn problems(&self) -> Result<Vec<LedgerError>, LedgerError> {
        self.indexed(|index| Ok(index.problems()))
    }

    /// The highest id in the ledger. An index that is a little behind is left so: only trees are compared.
    pub(super) fn newest(&self) -> Result<Option<Ulid>, LedgerError> {
        let Some(tip) = self.tip()? else { return Ok(None) };
        if let Some(indexed) = self.indexed.borrow().as_ref().filter(|indexed| indexed.tip == tip) {
            return Ok(indexed.newest);
        }
        if let Some(index) = Index::open(&folder(self.repo))
            && let Ok(newest) = index.newest()
            && let Ok(fresh) = self.since(&index.tip, &tip)
            && fresh.len() < HEAD_MOST / 16
        {
            if fresh.is_empty() {
                self.indexed.replace(Some(Indexed { tip, steps: index.steps, newest }));
            }
            return Ok(newest.max(fresh.iter().map(|one| one.id).max()));
        }
        self.indexed(|index| index.newest())
    }

    /// Notes in the index what an append brought, if the index was known to be at the tip before it.
    pub(super) fn note(&self, moved: &Moved, event: &Event, blob: &Oid) {
        let (Some(before), Some(indexed)) = (&moved.from, self.indexed.take()) else { return };
        if indexed.tip != *before || indexed.steps >= tail::MOST {
            return;
        }
        let (row, mut event) = (encode_row(event, blob), event.clone());
        if let Ok(lean) = lean(&mut event.fact) {
            tail::append(&folder(self.repo), before, &moved.to, &[Packed { id: event.id, row, lean }]);
            self.repo.point("index noted");
            let newest = indexed.newest.max(Some(event.id));
            self.indexed.replace(Some(Indexed { tip: moved.to.clone(), steps: indexed.steps + 1, newest }));
        }
    }

    /// Runs `read` on an index of the present tip; builds it again, once, when it turns out to be damaged.
    fn indexed<T>(&self, mut read: impl FnMut(&Index) -> Result<T, Fault>) -> Result<T, LedgerError> {
        let index = match self.index() {
            Err(Fault::Corrupt) => self.rebuild(),
            other => other,
        };
        match index.and_then(|index| read(&index)) {
            Err(Fault::Corrupt) => {}
            other => return other.map_err(Fault::into_error),
        }
        self.rebuild().and_then(|index| read(&index)).map_err(Fault::into_error)
    }

    fn index(&self) -> Result<Index, Fault> {
        let Some(tip) = self.tip()? else { return Ok(Index::empty()) };
        let index = match Index::open(&folder(self.repo)) {
            Some(index) if index.is_at(&tip) && index.about.bad.is_empty() && index.steps <= tail::MOST => index,
            Some(index) => self.update(index, &tip)?,
            None => return Err(Fault::Corrupt),
        };
        let newest = index.newest()?;
        self.indexed.replace(Some(Indexed { tip, steps: index.steps, newest }));
        Ok(index)
    }

    /// Brings an index to the present tip. Records that could not be read are tried again: a fetch may have brought them.
    fn update(&self, index: Index, tip: &Oid) -> Result<Index, Fault> {
        let mut about = About { tip: tip.to_string(), base: index.about.base.clone(), ..About::default() };
        let mut fresh = self.since(&index.tip, tip)?;
        for bad in &index.about.bad {
            let blob = Oid::parse(&bad.blob).ok_or(Fault::Corrupt)?;
            fresh.push(Located { id: bad.id, blob });
        }
        fresh.sort();
        fresh.dedup();
        self.bring(&fresh);
        about.stray = index.about.stray.clone();
        about.undone = index.about.undone.clone();
        let packed: Vec<Packed> = fresh.iter().filter_map(|one| self.pack(one, &mut about)).collect();
        if packed.is_empty() && index.is_at(tip) && index.steps == 0 && about == index.about {
            return Ok(index);
        }
        let base_count = index.base.as_ref().map_or(0, |base| base.count);
        if index.head.count + index.tail.count + packed.len() > HEAD_MOST.max(base_count / 64) {
            return self.rebase(index, packed, about);
        }
        let mut records = packed;
        for segment in [&index.head, &index.tail] {
            segment.each(&mut |id, row, lean| {
                records.push(Packed { id, row: row.to_vec(), lean: lean.to_vec() });
                Ok(())
            })?;
        }
        records.sort_by_key(|record| record.id);
        let bytes = in_memory(&records, &about)?;
        self.put_head(&bytes);
        Index::of(bytes, index.base, about)
    }

    /// Moves all records to a new base.
    fn rebase(&self, index: Index, mut packed: Vec<Packed>, mut about: About) -> Result<Index, Fault> {
        packed.sort_by_key(|record| record.id);
        let mut packed = packed.into_iter().peekable();
        let dir = folder(self.repo);
        let mut base = BaseFile::create(&dir)?;
        index.forward_packed(&mut |id, row, lean| {
            while let Some(record) = packed.next_if(|record| record.id < id) {
                base.writer.push(&record)?;
            }
            base.writer.push(&Packed { id, row: row.to_vec(), lean: lean.to_vec() })
        })?;
        for record in packed {
            base.writer.push(&record)?;
        }
        let base = base.install(&dir, &mut about)?;
        drop(index);
        self.install_head(&dir, base, about)
    }

    /// Builds the index from the ledger alone.
    fn rebuild(&self) -> Result<Index, Fault> {
        let Some(tip) = self.tip()? else { return Ok(Index::empty()) };
        let (located, strays) = self.locate_all(&tip)?;
        self.bring(&located);
        let mut about = About { tip: tip.to_string(), ..About::default() };
        for stray in strays {
            let (place, problem) = match stray {
                LedgerError::Unreadable { id, problem } => (id, problem),
                other => (EVENTS.into(), other.what()),
            };
            about.stray.push((place, problem));
        }
        if located.len() > HEAD_MOST
            && let Ok(index) = self.build_base(&located, about.clone())
        {
            return Ok(index);
        }
        let records: Vec<Packed> = located.iter().filter_map(|one| self.pack(one, &mut about)).collect();
        let bytes = in_memory(&records, &about)?;
        self.put_head(&bytes);
        Index::of(bytes, None, about)
    }

    /// Puts all records into a new base; a fault where that cannot be written.
    fn build_base(&self, located: &[Located], mut about: About) -> Result<Index, Fault> {
        let dir = folder(self.repo);
        let mut base = BaseFile::create(&dir)?;
        for one in located {
            if let Some(record) = self.pack(one, &mut about) {
                base.writer.push(&record)?;
            }
        }
        let base = base.install(&dir, &mut about)?;
        self.install_head(&dir, base, about)
    }

    /// Writes an empty head on top of a new base.
    fn install_head(&self, dir: &Path, base: Segment, about: About) -> Result<Index, Fault> {
        let bytes = in_memory(&[], &about)?;
        if self.put_head(&bytes) {
            sweep(dir, about.base.as_ref());
        }
        Index::of(bytes, Some(base), about)
    }

    /// Replaces `head`; false where that cannot be done, which is no fault: the next reader does the work again.
    fn put_head(&self, bytes: &[u8]) -> bool {
        let dir = folder(self.repo);
        let put = replace(&dir.join("head"), bytes);
        self.repo.point("index replaced");
        if put {
            tail::remove(&dir);
        }
        self.repo.point("tail removed");
        put
    }

    /// Reads a record for the index, or notes why that cannot be done.
    fn pack(&self, one: &Located, about: &mut About) -> Option<Packed> {
        match self.read(one) {
            Ok(mut event) => {
                let row = encode_row(&event, &one.blob);
                if let Fact::Reopened(reopened) = &event.fact {
                    about.undone.insert((event.experiment, reopened.undoes));
                }
                match lean(&mut event.fact) {
                    Ok(lean) => return Some(Packed { id: one.id, row, lean }),
                    Err(error) => about.bad(one, None, error.to_string().into()),
                }
            }
            Err(LedgerError::Version { found, .. }) => about.bad(one, Some(found), "".into()),
            Err(LedgerError::Unreadable { problem, .. }) => about.bad(one, None, problem),
            Err(other) => about.bad(one, None, other.what()),
        }
        None
    }

    /// Whether a record that decides something, or takes a decision back, may have come since the ledger was at `old`. Only
    /// trees are compared and a few records read; what cannot be told counts as yes.
    pub fn decided_since(&self, old: &str) -> bool {
        let decides = |one: &Located| {
            !self.read(one).is_ok_and(|event| !matches!(event.fact, Fact::Decided(_) | Fact::Reopened(_)))
        };
        let fresh = self.tip().ok().flatten().and_then(|tip| self.since(old, &tip).ok());
        fresh.is_none_or(|fresh| fresh.len() > HEAD_MOST / 16 || fresh.iter().any(decides))
    }

    /// The records that came since the ledger was at `old`.
    fn since(&self, old: &str, tip: &Oid) -> Result<Vec<Located>, Fault> {
        let mut fresh = Vec::new();
        let old = Oid::parse(old).ok_or(Fault::Corrupt)?;
        if old != *tip {
            let old_root = self.repo.tree_of(&old).map_err(|_| Fault::Corrupt)?;
            let old_events = self.events_tree(&old_root).map_err(|_| Fault::Corrupt)?;
            let new_events = self.events_tree(&self.root(tip)?)?;
            self.additions(old_events.as_ref(), new_events.as_ref(), &mut String::new(), &mut fresh)?;
        }
        Ok(fresh)
    }

    fn events_tree(&self, root: &Oid) -> Result<Option<Oid>, GitError> {
        let entries = self.repo.read_tree(root)?;
        Ok(entries.into_iter().find(|entry| entry.name == EVENTS.as_bytes()).map(|entry| entry.id))
    }

    /// The records that are in `new` and not in `old`; a fault when one is gone or changed, or when there are strays.
    fn additions(
        &self,
        old: Option<&Oid>,
        new: Option<&Oid>,
        path: &mut String,
        found: &mut Vec<Located>,
    ) -> Result<(), Fault> {
        if old == new {
            return Ok(());
        }
        let Some(new) = new else { return Err(Fault::Corrupt) };
        let before = match old {
            Some(old) => self.repo.read_tree(old).map_err(|_| Fault::Corrupt)?,
            None => Vec::new(),
        };
        let mut before: HashMap<Vec<u8>, Oid> = before.into_iter().map(|entry| (entry.name, entry.id)).collect();
        for entry in self.repo.read_tree(new).map_err(|_| Fault::Corrupt)? {
            let was = before.remove(&entry.name);
            if was.as_ref() == Some(&entry.id) {
                continue;
            }
            if path.len() < LEVELS {
                let c = folder_char(&entry).ok_or(Fault::Corrupt)?;
                path.push(c);
                self.additions(was.as_ref(), Some(&entry.id), path, found)?;
                path.pop();
            } else {
                match (event_id(&entry, path), was) {
                    (Some(id), None) => found.push(Located { id, blob: entry.id }),
                    _ => return Err(Fault::Corrupt),
                }
            }
        }
        if before.is_empty() { Ok(()) } else { Err(Fault::Corrupt) }
    }
}

/// The index of one tip.
struct Index {
    head: Segment,
    base: Option<Segment>,
    tail: Segment,
    about: About,
    /// The commit that all three together are at.
    tip: String,
    /// Steps of the tail.
    steps: usize,
}

/// What `head` says of itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct About {
    /// The commit of the ledger.
    tip: String,
    /// Name of the base file and its number of records.
    base: Option<(String, u64)>,
    /// Records that could not be read.
    bad: Vec<Bad>,
    /// Files that are no records: where, and what is wrong.
    stray: Vec<(String, Phrase)>,
    /// Decisions that were undone, each with its experiment.
    undone: BTreeSet<(Ulid, Ulid)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Bad {
    id: Ulid,
    blob: String,
    version: Option<u64>,
    problem: Phrase,
}

impl About {
    fn bad(&mut self, one: &Located, version: Option<u64>, problem: Phrase) {
        self.bad.push(Bad { id: one.id, blob: one.blob.to_string(), version, problem });
    }
}

/// Why an index could not be used.
enum Fault {
    /// It is damaged or out of step: build it again.
    Corrupt,
    /// The ledger itself has a problem.
    Ledger(LedgerError),
}

impl Fault {
    fn into_error(self) -> LedgerError {
        match self {
            Fault::Corrupt => LedgerError::Git(GitError::Other("the index of the ledger cannot be built".into())),
            Fault::Ledger(error) => error,
        }
    }
}

impl From<LedgerError> for Fault {
    fn from(error: LedgerError) -> Self {
        Fault::Ledger(error)
    }
}

impl From<GitError> for Fault {
    fn from(error: GitError) -> Self {
        Fault::Ledger(error.into())
    }
}

impl From<io::Error> for Fault {
    fn from(_: io::Error) -> Self {
        Fault::Corrupt
    }
}

impl Index {
    fn empty() -> Index {
        let (about, tip) = (About::default(), String::new());
        Index { head: Segment::none(), base: None, tail: Segment::none(), about, tip, steps: 0 }
    }

    /// The index of a freshly written head.
    fn of(head: Vec<u8>, base: Option<Segment>, about: About) -> Result<Index, Fault> {
        let head = Segment::open(Source::Memory(head)).ok_or(Fault::Corrupt)?;
        let tip = about.tip.clone();
        Ok(Index { head, base, tail: Segment::none(), about, tip, steps: 0 })
    }

    fn open(dir: &Path) -> Option<Index> {
        let head = Segment::open(Source::File(File::open(dir.join("head")).ok()?))?;
        let mut about: About = serde_json::from_slice(&head.about).ok()?;
        let base = match &about.base {
            None => None,
            Some((name, count)) => {
                let plain = name.starts_with("base-") && !name.contains(['/', '\\']);
                let base = Segment::open(Source::File(File::open(dir.join(name)).ok().filter(|_| plain)?))?;
                (base.count as u64 == *count).then_some(Some(base))?
            }
        };
        let tail::Tail { tip, mut records, steps } = tail::read(dir, &about.tip);
        records.sort_by_key(|record| record.id);
        for record in &records {
            let (experiment, _, kind) = brief(&record.row)?;
            if KINDS[usize::from(kind)] == "reopened" {
                let reopened: Reopened = serde_json::from_slice(&record.lean).ok()?;
                about.undone.insert((experiment, reopened.undoes));
            }
        }
        let tail = match records.is_empty() {
            true => Segment::none(),
            false => Segment::open(Source::Memory(in_memory(&records, &()).ok()?))?,
        };
        Some(Index { head, base, tail, about, tip, steps })
    }

    fn is_at(&self, tip: &Oid) -> bool {
        self.tip == tip.as_str()
    }

    fn problems(&self) -> Vec<LedgerError> {
        let bad = self.about.bad.iter().map(|bad| match bad.version {
            Some(found) => LedgerError::Version { id: bad.id.to_string(), found, known: VERSION },
            None => LedgerError::Unreadable { id: bad.id.to_string(), problem: bad.problem.clone() },
        });
        let stray = self
            .about
            .stray
            .iter()
            .map(|(place, problem)| LedgerError::Unreadable { id: place.clone(), problem: problem.clone() });
        bad.chain(stray).collect()
    }

    fn newest(&self) -> Result<Option<Ulid>, Fault> {
        let mut newest = None;
        for segment in self.segments() {
            newest = newest.max(segment.newest()?);
        }
        Ok(newest.max(self.about.bad.iter().map(|bad| bad.id).max()))
    }

    fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.base.iter().chain([&self.head, &self.tail])
    }

    fn forward(&self, visit: Visit<'_>) -> Result<(), Fault> {
        self.run(true, visit)
    }

    fn backward(&self, visit: Visit<'_>) -> Result<(), Fault> {
        self.run(false, visit)
    }

    fn forward_packed(&self, visit: VisitPacked<'_>) -> Result<(), Fault> {
        self.run(true, &mut |row, lean| {
            let id = row_id(row).ok_or(Fault::Corrupt)?;
            visit(id, row, lean).map(ControlFlow::Continue)
        })
    }

    fn run(&self, forward: bool, visit: Visit<'_>) -> Result<(), Fault> {
        let mut cursors: Vec<Cursor<'_>> = self.segments().map(|segment| Cursor::new(segment, forward)).collect();
        loop {
            let mut best: Option<(Ulid, usize)> = None;
            for (place, cursor) in cursors.iter_mut().enumerate() {
                if let Some(id) = cursor.peek()?
                    && best.is_none_or(|(other, _)| (id < other) == forward)
                {
                    best = Some((id, place));
                }
            }
            let Some((_, place)) = best else { return Ok(()) };
            let (row, lean) = cursors[place].record()?;
            if visit(row, lean)?.is_break() {
                return Ok(());
            }
            cursors[place].step();
        }
    }
}

/// A base in the making, under a name of its own until it is whole.
struct BaseFile {
    writer: Writer<BufWriter<tempfile::NamedTempFile>>,
}

impl BaseFile {
    fn create(dir: &Path) -> io::Result<BaseFile> {
        fs::create_dir_all(dir)?;
        let file = tempfile::Builder::new().prefix("new-").tempfile_in(dir)?;
        Ok(BaseFile { writer: Writer::new(BufWriter::with_capacity(1 << 18, file))? })
    }

    fn install(self, dir: &Path, about: &mut About) -> Result<Segment, Fault> {
        let count = self.writer.count();
        let buffered = self.writer.finish(&About::default())?;
        let file = buffered.into_inner().map_err(|error| error.into_error())?;
        let name = format!("base-{}-{count}", Ulid::new());
        about.base = Some((name.clone(), count));
        let file = file.persist(dir.join(name)).map_err(|error| error.error)?;
        Segment::open(Source::File(file)).ok_or(Fault::Corrupt)
    }
}

/// A segment of these records, oldest first.
fn in_memory(records: &[Packed], about: &impl Serialize) -> Result<Vec<u8>, Fault> {
    let mut writer = Writer::new(Vec::new())?;
    for record in records {
        writer.push(record)?;
    }
    writer.finish(about)
}

/// Replaces a file by rename; false where that cannot be done.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> bool {
    let write = || -> io::Result<()> {
        let dir = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(dir)?;
        let mut file = tempfile::Builder::new().prefix("new-").tempfile_in(dir)?;
        file.write_all(bytes)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().is_ok()
}

/// Removes bases that `head` no longer names. (A file in the making is removed by its writer, or here after an hour.)
fn sweep(dir: &Path, base: Option<&(String, u64)>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let old = || {
            let modified = entry.metadata().and_then(|m| m.modified()).ok();
            modified.and_then(|at| at.elapsed().ok()).is_some_and(|age| age.as_secs() > 3600)
        };
        let other_base = name.starts_with("base-") && base.is_none_or(|(kept, _)| *kept != name);
        if other_base || (name.starts_with("new-") && old()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Where the index lies, and what else can be thrown away and made again.
pub(crate) fn folder(repo: &Repo) -> PathBuf {
    repo.common_dir().join("verdict").join("index")
}
