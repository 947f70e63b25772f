//! A copy of the events in the order of their ids, quick to read, that can be thrown away.
//!
//! It lies in `verdict/index/` under the shared git directory: `head` holds the tip it was made from and the newest
//! records, and names a `base-*` file with all the others once there are many. Both have one layout:
//!
//! ```text
//! "GVINDEX1" | records | table | description (JSON) | footer
//! record: row (what a list shows, see Row) then the rest of the event: its fact as JSON, without samples
//! table:  for each record, oldest first: id (16), offset (8), row length (4), JSON length (4), CRC-32 of all three (4)
//! footer: offset of the table (8), records (8), length of the description (4), its CRC-32 (4), "GVINDEX1"
//! ```
//!
//! Numbers are big endian. The table has entries of one size, so the newest records are found from the end without reading
//! the rest. When the tip has moved, the trees are compared and only new records are read; `head` is replaced by rename,
//! and its records move to a new base when they are too many. Anything odd (a cut file, a wrong checksum, a record that is
//! gone) makes it be built again from the ledger. Where the folder cannot be written, it is built in memory.

use super::event::{Event, Fact, VERSION, Verdict};
use super::store::{EVENTS, LEVELS, Ledger, LedgerError, Located, event_id, folder_char};
use crate::config::{Better, Matters, RevertMode};
use crate::experiment::Book;
use crate::git::{GitError, Oid, Person, Repo};
use crate::policy::MetricComparison;
use crate::stats::Word;
use crate::units::{Ratio, Unit};
use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use ulid::Ulid;

/// Begins and ends each file; another name whenever the layout of anything in it changes, the structs in JSON included.
const MAGIC: &[u8; 8] = b"GVINDEX1";
const ENTRY: usize = 36;
const FOOTER: usize = 32;
/// Records that `head` may hold before they move to the base: at least this many, and a 64th of the base.
const HEAD_MOST: usize = 1024;
/// Records that are read at once.
const CHUNK: usize = 512;

/// What a list shows of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The record's id.
    pub id: Ulid,
    /// The blob that holds it.
    pub blob: Oid,
    /// When it happened.
    pub at: DateTime<FixedOffset>,
    /// Who did it.
    pub by: Person,
    /// The program that wrote it.
    pub tool: String,
    /// The experiment's id.
    pub experiment: Ulid,
    /// The experiment's name.
    pub name: String,
    /// `opened`, `measured`, `decided` or `abandoned`.
    pub kind: &'static str,
    /// The verdict of a decision.
    pub verdict: Option<Verdict>,
    /// How a revert landed.
    pub mode: Option<RevertMode>,
    /// The title of an opening; why it was decided or given up; nothing for a measurement.
    pub text: String,
    /// The rows of a measurement or of a decision.
    pub comparison: Vec<MetricComparison>,
}

/// A record of the index: its row, and the rest of it for whoever asks.
pub struct Record<'i> {
    /// What a list shows.
    pub row: Row,
    lean: &'i [u8],
}

impl Record<'_> {
    /// The whole event, without samples and without the fields of later versions; none when the index is damaged.
    pub fn event(&self) -> Option<Event> {
        lean_event(self.row.clone(), self.lean).ok()
    }
}

impl Ledger<'_> {
    /// All experiments. Samples are left out; [`Ledger::find`] has them.
    ///
    /// Records that cannot be read are named in [`Book::problems`]; one of a major version that this program does not know
    /// is an error, because no decision should rest on half of what is known.
    pub fn book(&self) -> Result<Book, LedgerError> {
        self.book_where(&|_| true)
    }

    /// The experiments of the records that are wanted: those of one experiment are found without reading all the others.
    pub fn book_where(&self, wanted: &dyn Fn(&Row) -> bool) -> Result<Book, LedgerError> {
        let (events, problems) = self.indexed(|index| {
            let mut events = Vec::new();
            index.forward(&mut |row, lean| {
                let row = decode_row(row).ok_or(Fault::Corrupt)?;
                if wanted(&row) {
                    events.push(lean_event(row, lean)?);
                }
                Ok(ControlFlow::Continue(()))
            })?;
            Ok((events, index.problems()))
        })?;
        if let Some(at) = problems.iter().position(|p| matches!(p, LedgerError::Version { .. })) {
            return Err(problems.into_iter().nth(at).expect("just found"));
        }
        let mut book = Book::fold(events);
        book.problems = problems.iter().map(ToString::to_string).collect();
        Ok(book)
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
                Ok(each(Record { row, lean }))
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
        if let Some(index) = Index::open(&folder(self.repo))
            && let Ok(newest) = index.newest()
            && let Ok(fresh) = self.since(&index, &tip)
            && fresh.len() < HEAD_MOST / 16
        {
            return Ok(newest.max(fresh.iter().map(|one| one.id).max()));
        }
        self.indexed(|index| index.newest())
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
        match Index::open(&folder(self.repo)) {
            Some(index) if index.about.tip == tip.as_str() && index.about.bad.is_empty() => Ok(index),
            Some(index) => self.update(index, &tip),
            None => Err(Fault::Corrupt),
        }
    }

    /// Brings an index to the present tip. Records that could not be read are tried again: a fetch may have brought them.
    fn update(&self, index: Index, tip: &Oid) -> Result<Index, Fault> {
        let mut about = About { tip: tip.to_string(), base: index.about.base.clone(), ..About::default() };
        let mut fresh = self.since(&index, tip)?;
        for bad in &index.about.bad {
            let blob = Oid::parse(&bad.blob).ok_or(Fault::Corrupt)?;
            fresh.push(Located { id: bad.id, blob });
        }
        fresh.sort();
        fresh.dedup();
        self.bring(&fresh);
        about.stray = index.about.stray.clone();
        let packed: Vec<Packed> = fresh.iter().filter_map(|one| self.pack(one, &mut about)).collect();
        if packed.is_empty() && about == index.about {
            return Ok(index);
        }
        let base_count = index.base.as_ref().map_or(0, |base| base.count);
        if index.head.count + packed.len() > HEAD_MOST.max(base_count / 64) {
            return self.rebase(index, packed, about);
        }
        let mut records = packed;
        index.head.each(&mut |id, row, lean| {
            records.push(Packed { id, row: row.to_vec(), lean: lean.to_vec() });
            Ok(())
        })?;
        records.sort_by_key(|record| record.id);
        let mut head = Writer::new(Vec::new())?;
        for record in &records {
            head.push(record)?;
        }
        let bytes = head.finish(&about)?;
        replace(&folder(self.repo).join("head"), &bytes);
        Ok(Index { head: Segment::open(Source::Memory(bytes)).ok_or(Fault::Corrupt)?, base: index.base, about })
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
                other => (EVENTS.into(), other.to_string()),
            };
            about.stray.push((place, problem));
        }
        if located.len() > HEAD_MOST
            && let Ok(index) = self.build_base(&located, about.clone())
        {
            return Ok(index);
        }
        let mut head = Writer::new(Vec::new())?;
        for one in &located {
            if let Some(record) = self.pack(one, &mut about) {
                head.push(&record)?;
            }
        }
        let bytes = head.finish(&about)?;
        replace(&folder(self.repo).join("head"), &bytes);
        Ok(Index { head: Segment::open(Source::Memory(bytes)).ok_or(Fault::Corrupt)?, base: None, about })
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
        let bytes = Writer::new(Vec::new())?.finish(&about)?;
        if replace(&dir.join("head"), &bytes) {
            sweep(dir, about.base.as_ref());
        }
        Ok(Index { head: Segment::open(Source::Memory(bytes)).ok_or(Fault::Corrupt)?, base: Some(base), about })
    }

    /// Reads a record for the index, or notes why that cannot be done.
    fn pack(&self, one: &Located, about: &mut About) -> Option<Packed> {
        match self.read(one) {
            Ok(mut event) => {
                let row = encode_row(&event, &one.blob);
                match lean(&mut event.fact) {
                    Ok(lean) => return Some(Packed { id: one.id, row, lean }),
                    Err(error) => about.bad(one, None, error.to_string()),
                }
            }
            Err(LedgerError::Version { found, .. }) => about.bad(one, Some(found), String::new()),
            Err(LedgerError::Unreadable { problem, .. }) => about.bad(one, None, problem),
            Err(other) => about.bad(one, None, other.to_string()),
        }
        None
    }

    /// The records that came after an index was made.
    fn since(&self, index: &Index, tip: &Oid) -> Result<Vec<Located>, Fault> {
        let mut fresh = Vec::new();
        let old = Oid::parse(&index.about.tip).ok_or(Fault::Corrupt)?;
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
    about: About,
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
    stray: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Bad {
    id: Ulid,
    blob: String,
    version: Option<u64>,
    problem: String,
}

impl About {
    fn bad(&mut self, one: &Located, version: Option<u64>, problem: String) {
        self.bad.push(Bad { id: one.id, blob: one.blob.to_string(), version, problem });
    }
}

/// A record as it is stored here.
struct Packed {
    id: Ulid,
    row: Vec<u8>,
    lean: Vec<u8>,
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

/// Sees the row and the JSON of each record, until it has had enough.
type Visit<'v> = &'v mut dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Fault>;
/// Sees the id, the row and the JSON of every record.
type VisitPacked<'v> = &'v mut dyn FnMut(Ulid, &[u8], &[u8]) -> Result<(), Fault>;

impl Index {
    fn empty() -> Index {
        Index { head: Segment::none(), base: None, about: About::default() }
    }

    fn open(dir: &Path) -> Option<Index> {
        let head = Segment::open(Source::Memory(fs::read(dir.join("head")).ok()?))?;
        let about: About = serde_json::from_slice(&head.about).ok()?;
        let base = match &about.base {
            None => None,
            Some((name, count)) => {
                let plain = name.starts_with("base-") && !name.contains(['/', '\\']);
                let base = Segment::open(Source::File(File::open(dir.join(name)).ok().filter(|_| plain)?))?;
                (base.count as u64 == *count).then_some(Some(base))?
            }
        };
        Some(Index { head, base, about })
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
            if segment.count > 0 {
                newest = newest.max(segment.entries(segment.count - 1, segment.count)?.first().map(|entry| entry.id));
            }
        }
        Ok(newest.max(self.about.bad.iter().map(|bad| bad.id).max()))
    }

    fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.base.iter().chain([&self.head])
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

/// Where a segment's bytes are.
enum Source {
    Memory(Vec<u8>),
    File(File),
}

impl Source {
    fn len(&self) -> io::Result<u64> {
        match self {
            Source::Memory(bytes) => Ok(bytes.len() as u64),
            Source::File(file) => Ok(file.metadata()?.len()),
        }
    }

    fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, Fault> {
        match self {
            Source::Memory(bytes) => {
                let start = usize::try_from(offset).map_err(|_| Fault::Corrupt)?;
                let end = start.checked_add(length).ok_or(Fault::Corrupt)?;
                Ok(bytes.get(start..end).ok_or(Fault::Corrupt)?.to_vec())
            }
            Source::File(file) => {
                let mut bytes = vec![0; length];
                file.read_exact_at(&mut bytes, offset)?;
                Ok(bytes)
            }
        }
    }
}

/// One file of the index.
struct Segment {
    source: Source,
    table: u64,
    count: usize,
    about: Vec<u8>,
}

/// A line of the table.
struct Entry {
    id: Ulid,
    offset: u64,
    row: usize,
    lean: usize,
    crc: u32,
}

impl Segment {
    fn none() -> Segment {
        Segment { source: Source::Memory(Vec::new()), table: 0, count: 0, about: Vec::new() }
    }

    fn open(source: Source) -> Option<Segment> {
        let length = source.len().ok()?;
        let footer = source.read(length.checked_sub(FOOTER as u64)?, FOOTER).ok()?;
        let mut footer = Reader(&footer);
        let (table, count) = (footer.u64()?, usize::try_from(footer.u64()?).ok()?);
        let (about_length, about_crc) = (footer.u32()?, footer.u32()?);
        let sound = footer.0 == MAGIC && source.read(0, MAGIC.len()).ok()? == MAGIC;
        let about_at = table.checked_add(u64::try_from(count.checked_mul(ENTRY)?).ok()?)?;
        let end = about_at.checked_add(u64::from(about_length))?.checked_add(FOOTER as u64)?;
        if !sound || end != length || table < MAGIC.len() as u64 {
            return None;
        }
        let about = source.read(about_at, about_length as usize).ok()?;
        (crc32fast::hash(&about) == about_crc).then_some(Segment { source, table, count, about })
    }

    fn entries(&self, from: usize, to: usize) -> Result<Vec<Entry>, Fault> {
        let bytes = self.source.read(self.table + (from * ENTRY) as u64, (to - from) * ENTRY)?;
        let read = |line: &[u8]| {
            let mut line = Reader(line);
            Some(Entry {
                id: Ulid(line.u128()?),
                offset: line.u64()?,
                row: line.u32()? as usize,
                lean: line.u32()? as usize,
                crc: line.u32()?,
            })
        };
        bytes.chunks_exact(ENTRY).map(|line| read(line).ok_or(Fault::Corrupt)).collect()
    }

    fn each(&self, visit: VisitPacked<'_>) -> Result<(), Fault> {
        let mut cursor = Cursor::new(self, true);
        while let Some(id) = cursor.peek()? {
            let (row, lean) = cursor.record()?;
            visit(id, row, lean)?;
            cursor.step();
        }
        Ok(())
    }
}

/// Records that were read at once.
struct Chunk {
    /// The number of the first one.
    from: usize,
    lines: Vec<Entry>,
    /// Where `bytes` begin in the file.
    start: u64,
    bytes: Vec<u8>,
}

/// A place in a segment that moves towards one end; records are read many at once.
struct Cursor<'s> {
    segment: &'s Segment,
    forward: bool,
    /// Records already passed.
    passed: usize,
    chunk: Option<Chunk>,
    /// How many to read next: few at first, for whoever wants few.
    most: usize,
}

impl<'s> Cursor<'s> {
    fn new(segment: &'s Segment, forward: bool) -> Self {
        Cursor { segment, forward, passed: 0, chunk: None, most: CHUNK / 16 }
    }

    fn at(&self) -> Option<usize> {
        let left = self.segment.count.checked_sub(self.passed + 1)?;
        Some(if self.forward { self.passed } else { left })
    }

    fn peek(&mut self) -> Result<Option<Ulid>, Fault> {
        let Some(at) = self.at() else { return Ok(None) };
        let loaded = self.chunk.as_ref().is_some_and(|c| (c.from..c.from + c.lines.len()).contains(&at));
        if !loaded {
            let (from, to) = if self.forward {
                (at, (at + self.most).min(self.segment.count))
            } else {
                ((at + 1).saturating_sub(self.most), at + 1)
            };
            self.most = CHUNK;
            let lines = self.segment.entries(from, to)?;
            let ordered = lines.windows(2).all(|pair| {
                pair[0].id < pair[1].id
                    && pair[0].offset.checked_add((pair[0].row + pair[0].lean) as u64) == Some(pair[1].offset)
            });
            let (Some(first), Some(last), true) = (lines.first(), lines.last(), ordered) else {
                return Err(Fault::Corrupt);
            };
            let start = first.offset;
            let end = last.offset.checked_add((last.row + last.lean) as u64).ok_or(Fault::Corrupt)?;
            if start < MAGIC.len() as u64 || end > self.segment.table {
                return Err(Fault::Corrupt);
            }
            let bytes = self.segment.source.read(start, (end - start) as usize)?;
            self.chunk = Some(Chunk { from, lines, start, bytes });
        }
        Ok(self.chunk.as_ref().and_then(|chunk| chunk.lines.get(at - chunk.from)).map(|line| line.id))
    }

    /// The record that was peeked at.
    fn record(&self) -> Result<(&[u8], &[u8]), Fault> {
        let (Some(at), Some(chunk)) = (self.at(), &self.chunk) else { return Err(Fault::Corrupt) };
        let line = at.checked_sub(chunk.from).and_then(|at| chunk.lines.get(at)).ok_or(Fault::Corrupt)?;
        let offset = (line.offset - chunk.start) as usize;
        let body = chunk.bytes.get(offset..offset + line.row + line.lean).ok_or(Fault::Corrupt)?;
        if checksum(line.id, body) != line.crc {
            return Err(Fault::Corrupt);
        }
        Ok(body.split_at(line.row))
    }

    fn step(&mut self) {
        self.passed += 1;
    }
}

fn checksum(id: Ulid, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&id.0.to_be_bytes());
    hasher.update(body);
    hasher.finalize()
}

/// Writes a segment, oldest record first.
struct Writer<W: Write> {
    out: W,
    at: u64,
    table: Vec<u8>,
}

impl<W: Write> Writer<W> {
    fn new(mut out: W) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        Ok(Writer { out, at: MAGIC.len() as u64, table: Vec::new() })
    }

    fn push(&mut self, record: &Packed) -> Result<(), Fault> {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&record.id.0.to_be_bytes());
        hasher.update(&record.row);
        hasher.update(&record.lean);
        self.table.extend(record.id.0.to_be_bytes());
        self.table.extend(self.at.to_be_bytes());
        self.table.extend((record.row.len() as u32).to_be_bytes());
        self.table.extend((record.lean.len() as u32).to_be_bytes());
        self.table.extend(hasher.finalize().to_be_bytes());
        self.out.write_all(&record.row)?;
        self.out.write_all(&record.lean)?;
        self.at += (record.row.len() + record.lean.len()) as u64;
        Ok(())
    }

    fn count(&self) -> u64 {
        (self.table.len() / ENTRY) as u64
    }

    fn finish(mut self, about: &About) -> Result<W, Fault> {
        let about = serde_json::to_vec(about).map_err(io::Error::from)?;
        let count = self.count();
        self.out.write_all(&self.table)?;
        self.out.write_all(&about)?;
        self.out.write_all(&self.at.to_be_bytes())?;
        self.out.write_all(&count.to_be_bytes())?;
        self.out.write_all(&(about.len() as u32).to_be_bytes())?;
        self.out.write_all(&crc32fast::hash(&about).to_be_bytes())?;
        self.out.write_all(MAGIC)?;
        Ok(self.out)
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

/// Replaces a file by rename; false where that cannot be done, which is no fault: the next reader does the work again.
fn replace(path: &Path, bytes: &[u8]) -> bool {
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

fn folder(repo: &Repo) -> PathBuf {
    repo.common_dir().join("verdict").join("index")
}

/// What of an event is not in its row, without samples.
fn lean(fact: &mut Fact) -> serde_json::Result<Vec<u8>> {
    match fact {
        Fact::Opened(opened) => serde_json::to_vec(opened),
        Fact::Measured(measured) => {
            measured.samples = Vec::new();
            serde_json::to_vec(measured)
        }
        Fact::Decided(decided) => serde_json::to_vec(decided),
        Fact::Abandoned { .. } => Ok(Vec::new()),
        Fact::Reopened(reopened) => serde_json::to_vec(reopened),
    }
}

/// An event put together again: as in the ledger, but without samples and without the fields of later versions.
fn lean_event(row: Row, lean: &[u8]) -> Result<Event, Fault> {
    fn read<'b, T: Deserialize<'b>>(bytes: &'b [u8]) -> Result<T, Fault> {
        serde_json::from_slice(bytes).map_err(|_| Fault::Corrupt)
    }
    let fact = match row.kind {
        "opened" => Fact::Opened(read(lean)?),
        "measured" => Fact::Measured(Box::new(read(lean)?)),
        "decided" => Fact::Decided(Box::new(read(lean)?)),
        "reopened" => Fact::Reopened(read(lean)?),
        _ => Fact::Abandoned { because: row.text },
    };
    let Row { id, at, by, tool, experiment, name, .. } = row;
    Ok(Event { version: VERSION, id, at, by, tool, experiment, name, fact, extra: serde_json::Map::new() })
}

const KINDS: [&str; 5] = ["opened", "measured", "decided", "abandoned", "reopened"];
const WORDS: [Word; 4] = [Word::Improved, Word::Regressed, Word::Unchanged, Word::Inconclusive];
const MODES: [RevertMode; 3] = [RevertMode::Merge, RevertMode::InPlace, RevertMode::Archive];

/// The row of an event, its id first.
fn encode_row(event: &Event, blob: &Oid) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend(event.id.0.to_be_bytes());
    text(&mut out, blob.as_str());
    out.extend(event.at.timestamp().to_be_bytes());
    out.extend(event.at.timestamp_subsec_nanos().to_be_bytes());
    out.extend(event.at.offset().local_minus_utc().to_be_bytes());
    text(&mut out, &event.by.name);
    text(&mut out, &event.by.email);
    text(&mut out, &event.tool);
    out.extend(event.experiment.0.to_be_bytes());
    text(&mut out, &event.name);
    out.push(position(&KINDS, &event.fact.kind()));
    let (verdict, mode, words, rows): (u8, u8, &str, &[MetricComparison]) = match &event.fact {
        Fact::Opened(opened) => (0, 0, &opened.title, &[]),
        Fact::Measured(measured) => (0, 0, "", &measured.comparison),
        Fact::Decided(decided) => (
            if decided.verdict == Verdict::Keep { 1 } else { 2 },
            decided.mode.map_or(0, |mode| 1 + position(&MODES, &mode)),
            &decided.because,
            &decided.comparison,
        ),
        Fact::Abandoned { because } => (0, 0, because, &[]),
        Fact::Reopened(reopened) => (0, 0, &reopened.because, &[]),
    };
    out.extend([verdict, mode]);
    text(&mut out, words);
    out.extend((rows.len() as u32).to_be_bytes());
    for row in rows {
        text(&mut out, &row.metric);
        text(&mut out, row.unit.symbol());
        out.push(u8::from(row.better == Better::Higher));
        match row.matters {
            Matters::Relative(Ratio(value)) => number(&mut out, 0, value),
            Matters::Absolute(value) => number(&mut out, 1, value),
        }
        out.extend(row.base.to_be_bytes());
        out.extend(row.candidate.to_be_bytes());
        optional(&mut out, row.relative);
        optional(&mut out, row.interval.map(|[low, _]| low));
        optional(&mut out, row.interval.map(|[_, high]| high));
        out.push(u8::from(row.exact));
        out.extend((row.rounds as u64).to_be_bytes());
        out.push(position(&WORDS, &row.word));
        optional(&mut out, row.limit);
        optional(&mut out, row.detectable);
        out.push(u8::from(row.rounds_needed.is_some()));
        out.extend((row.rounds_needed.unwrap_or(0) as u64).to_be_bytes());
    }
    out
}

fn position<T: PartialEq>(all: &[T], one: &T) -> u8 {
    all.iter().position(|other| other == one).unwrap_or(0) as u8
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u32).to_be_bytes());
    out.extend(text.as_bytes());
}

fn number(out: &mut Vec<u8>, tag: u8, value: f64) {
    out.push(tag);
    out.extend(value.to_be_bytes());
}

fn optional(out: &mut Vec<u8>, value: Option<f64>) {
    number(out, u8::from(value.is_some()), value.unwrap_or(0.0));
}

fn row_id(row: &[u8]) -> Option<Ulid> {
    Reader(row).u128().map(Ulid)
}

fn decode_row(row: &[u8]) -> Option<Row> {
    let mut r = Reader(row);
    let id = Ulid(r.u128()?);
    let blob = Oid::parse(&r.text()?)?;
    let (seconds, nanos, offset) = (r.u64()? as i64, r.u32()?, r.u32()? as i32);
    let at = DateTime::from_timestamp(seconds, nanos)?.with_timezone(&FixedOffset::east_opt(offset)?);
    let by = Person { name: r.text()?, email: r.text()? };
    let tool = r.text()?;
    let experiment = Ulid(r.u128()?);
    let name = r.text()?;
    let kind = *KINDS.get(usize::from(r.u8()?))?;
    let verdict = match r.u8()? {
        0 => None,
        1 => Some(Verdict::Keep),
        _ => Some(Verdict::Revert),
    };
    let mode = match r.u8()? {
        0 => None,
        tag => Some(*MODES.get(usize::from(tag) - 1)?),
    };
    let text = r.text()?;
    let mut comparison = Vec::new();
    for _ in 0..r.u32()? {
        comparison.push(MetricComparison {
            metric: r.text()?,
            unit: Unit::from(r.text()?),
            better: if r.u8()? == 1 { Better::Higher } else { Better::Lower },
            matters: match (r.u8()?, r.f64()?) {
                (0, value) => Matters::Relative(Ratio(value)),
                (_, value) => Matters::Absolute(value),
            },
            base: r.f64()?,
            candidate: r.f64()?,
            relative: r.optional()?,
            interval: match (r.optional()?, r.optional()?) {
                (Some(low), Some(high)) => Some([low, high]),
                _ => None,
            },
            exact: r.u8()? == 1,
            rounds: r.u64()? as usize,
            word: *WORDS.get(usize::from(r.u8()?))?,
            limit: r.optional()?,
            detectable: r.optional()?,
            rounds_needed: match (r.u8()?, r.u64()?) {
                (0, _) => None,
                (_, rounds) => Some(rounds as usize),
            },
        });
    }
    Some(Row { id, blob, at, by, tool, experiment, name, kind, verdict, mode, text, comparison })
}

/// Reads fields from the front of some bytes; none when they end too soon.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (front, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(front)
    }
    fn u8(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }
    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }
    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }
    fn u128(&mut self) -> Option<u128> {
        Some(u128::from_be_bytes(self.take(16)?.try_into().ok()?))
    }
    fn f64(&mut self) -> Option<f64> {
        Some(f64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }
    fn optional(&mut self) -> Option<Option<f64>> {
        let (there, value) = (self.u8()? == 1, self.f64()?);
        Some(there.then_some(value))
    }
    fn text(&mut self) -> Option<String> {
        let length = self.u32()? as usize;
        Some(std::str::from_utf8(self.take(length)?).ok()?.to_string())
    }
}
