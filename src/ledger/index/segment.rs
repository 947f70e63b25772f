//! One file of the index: its records, and three ways to find one of them.
//!
//! ```text
//! "GVINDEX3" | records | table | threads | keys | description (JSON) | footer
//! record:  row (what a list shows, see Row) then the rest of the event: its fact as JSON, without samples
//! table:   for each record, oldest first: id (16), offset (8), row length (4), JSON length (4), CRC-32 of all three (4)
//! threads: for each record, by experiment: id of the experiment (16), kind (1), number of the record (4)
//! keys:    for each opening, by hash: hash of its name (8), its number (4); hash of its branch (8), its number (4)
//! footer:  offset of the table (8), records (8), keys (8), length of the description (4), its CRC-32 (4), "GVINDEX3"
//! ```
//!
//! Numbers are big endian. The table has entries of one size, so the newest records are found from the end without reading
//! the rest. Threads and keys are sorted, in blocks of 64 with a CRC-32 (4) after each, and are searched by halves.

use super::Fault;
use super::row::{Reader, brief};
use crate::digest::sha256;
use crate::ledger::event::KINDS;
use serde::Deserialize;
use std::fs::File;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use ulid::Ulid;

/// Begins and ends each file; another name whenever the layout of anything in it changes, the structs in JSON included.
pub(super) const MAGIC: &[u8; 8] = b"GVINDEX3";
const ENTRY: usize = 36;
const FOOTER: usize = 40;
const THREAD: usize = 21;
const KEY: usize = 12;
/// Entries of one block of threads or keys.
const BLOCK: usize = 64;
/// Records that are read at once.
const CHUNK: usize = 512;

/// A record as it is stored here.
pub(super) struct Packed {
    pub id: Ulid,
    pub row: Vec<u8>,
    pub lean: Vec<u8>,
}

/// Sees the row and the JSON of each record, until it has had enough.
pub(super) type Visit<'v> = &'v mut dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Fault>;
/// Sees the id, the row and the JSON of every record.
pub(super) type VisitPacked<'v> = &'v mut dyn FnMut(Ulid, &[u8], &[u8]) -> Result<(), Fault>;

/// Where a segment's bytes are.
pub(super) enum Source {
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
pub(super) struct Segment {
    source: Source,
    table: u64,
    pub count: usize,
    pub about: Vec<u8>,
    threads: Sorted,
    keys: Sorted,
}

/// Entries of one size in the order of their bytes, in blocks that each end with a checksum.
#[derive(Clone, Copy)]
struct Sorted {
    at: u64,
    count: usize,
    width: usize,
}

impl Sorted {
    const fn none() -> Sorted {
        Sorted { at: 0, count: 0, width: 1 }
    }

    fn length(count: usize, width: usize) -> Option<u64> {
        let blocks = count.div_ceil(BLOCK).checked_mul(4)?;
        u64::try_from(count.checked_mul(width)?.checked_add(blocks)?).ok()
    }

    fn blocks(&self) -> usize {
        self.count.div_ceil(BLOCK)
    }

    /// The bytes of one block, without its checksum.
    fn block(&self, source: &Source, number: usize) -> Result<Vec<u8>, Fault> {
        let entries = BLOCK.min(self.count - number * BLOCK);
        let length = entries * self.width;
        let at = self.at + (number * (BLOCK * self.width + 4)) as u64;
        let mut bytes = source.read(at, length + 4)?;
        let crc = Reader(&bytes[length..]).u32().ok_or(Fault::Corrupt)?;
        bytes.truncate(length);
        if crc32fast::hash(&bytes) == crc { Ok(bytes) } else { Err(Fault::Corrupt) }
    }

    /// Calls `visit` with every entry that begins with `prefix`, in order.
    fn find(&self, source: &Source, prefix: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<(), Fault> {
        // The last block whose first entry is below the prefix may hold the first match.
        let (mut low, mut high) = (0, self.blocks());
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if &self.block(source, middle)?[..prefix.len()] < prefix { low = middle } else { high = middle }
        }
        for number in low..self.blocks() {
            for entry in self.block(source, number)?.chunks_exact(self.width) {
                match entry[..prefix.len()].cmp(prefix) {
                    std::cmp::Ordering::Less => {}
                    std::cmp::Ordering::Equal => visit(entry),
                    std::cmp::Ordering::Greater => return Ok(()),
                }
            }
        }
        Ok(())
    }

    fn write(out: &mut impl Write, sorted: &[Vec<u8>]) -> io::Result<()> {
        for block in sorted.chunks(BLOCK) {
            let bytes = block.concat();
            out.write_all(&bytes)?;
            out.write_all(&crc32fast::hash(&bytes).to_be_bytes())?;
        }
        Ok(())
    }
}

/// What the hash of a key is taken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key<'k> {
    /// The name of an experiment.
    Name(&'k str),
    /// The branch of an experiment.
    Branch(&'k str),
}

impl Key<'_> {
    fn hash(self) -> [u8; 8] {
        let text = match self {
            Key::Name(name) => format!("name {name}"),
            Key::Branch(branch) => format!("branch {branch}"),
        };
        let digest = sha256(&text);
        let number = u64::from_str_radix(&digest[..16], 16).unwrap_or_default();
        number.to_be_bytes()
    }
}

/// A record in its experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Thread {
    /// The experiment.
    pub experiment: Ulid,
    /// What kind of record it is.
    pub kind: &'static str,
    /// Its number in the segment.
    pub number: usize,
}

impl Thread {
    fn read(entry: &[u8]) -> Option<Thread> {
        let mut entry = Reader(entry);
        let (experiment, kind) = (Ulid(entry.u128()?), *KINDS.get(usize::from(entry.u8()?))?);
        Some(Thread { experiment, kind, number: entry.u32()? as usize })
    }
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
    pub(super) fn none() -> Segment {
        let source = Source::Memory(Vec::new());
        Segment { source, table: 0, count: 0, about: Vec::new(), threads: Sorted::none(), keys: Sorted::none() }
    }

    pub(super) fn open(source: Source) -> Option<Segment> {
        let length = source.len().ok()?;
        let footer = source.read(length.checked_sub(FOOTER as u64)?, FOOTER).ok()?;
        let mut footer = Reader(&footer);
        let (table, count) = (footer.u64()?, usize::try_from(footer.u64()?).ok()?);
        let keys = usize::try_from(footer.u64()?).ok()?;
        let (about_length, about_crc) = (footer.u32()?, footer.u32()?);
        let sound = footer.0 == MAGIC && source.read(0, MAGIC.len()).ok()? == MAGIC;
        let threads_at = table.checked_add(u64::try_from(count.checked_mul(ENTRY)?).ok()?)?;
        let keys_at = threads_at.checked_add(Sorted::length(count, THREAD)?)?;
        let about_at = keys_at.checked_add(Sorted::length(keys, KEY)?)?;
        let end = about_at.checked_add(u64::from(about_length))?.checked_add(FOOTER as u64)?;
        if !sound || end != length || table < MAGIC.len() as u64 {
            return None;
        }
        let about = source.read(about_at, about_length as usize).ok()?;
        let threads = Sorted { at: threads_at, count, width: THREAD };
        let keys = Sorted { at: keys_at, count: keys, width: KEY };
        (crc32fast::hash(&about) == about_crc).then_some(Segment { source, table, count, about, threads, keys })
    }

    /// The id of the newest record.
    pub(super) fn newest(&self) -> Result<Option<Ulid>, Fault> {
        let Some(last) = self.count.checked_sub(1) else { return Ok(None) };
        Ok(self.entries(last, self.count)?.first().map(|entry| entry.id))
    }

    /// The row and the JSON of one record.
    pub(super) fn record(&self, number: usize) -> Result<(Vec<u8>, Vec<u8>), Fault> {
        if number >= self.count {
            return Err(Fault::Corrupt);
        }
        let line = self.entries(number, number + 1)?.pop().ok_or(Fault::Corrupt)?;
        let end = line.offset.checked_add((line.row + line.lean) as u64).ok_or(Fault::Corrupt)?;
        if line.offset < MAGIC.len() as u64 || end > self.table {
            return Err(Fault::Corrupt);
        }
        let mut row = self.source.read(line.offset, line.row + line.lean)?;
        if checksum(line.id, &row) != line.crc {
            return Err(Fault::Corrupt);
        }
        let lean = row.split_off(line.row);
        Ok((row, lean))
    }

    /// The numbers of the openings that may have this name or branch.
    pub(super) fn keyed(&self, key: Key<'_>) -> Result<Vec<usize>, Fault> {
        let mut numbers = Vec::new();
        self.keys.find(&self.source, &key.hash(), &mut |entry| {
            numbers.extend(Reader(&entry[8..]).u32().map(|number| number as usize));
        })?;
        Ok(numbers)
    }

    /// The records of the experiments whose ids begin with these bytes.
    pub(super) fn threads_of(&self, prefix: &[u8]) -> Result<Vec<Thread>, Fault> {
        let mut found = Vec::new();
        self.threads.find(&self.source, prefix, &mut |entry| found.push(Thread::read(entry)))?;
        found.into_iter().map(|thread| thread.ok_or(Fault::Corrupt)).collect()
    }

    /// Every record, experiment by experiment.
    pub(super) fn each_thread(&self, visit: &mut dyn FnMut(Thread)) -> Result<(), Fault> {
        for number in 0..self.threads.blocks() {
            for entry in self.threads.block(&self.source, number)?.chunks_exact(THREAD) {
                visit(Thread::read(entry).ok_or(Fault::Corrupt)?);
            }
        }
        Ok(())
    }

    /// The numbers of the records whose ids lie between these two, both included.
    pub(super) fn between(&self, first: Ulid, last: Ulid) -> Result<std::ops::Range<usize>, Fault> {
        let place = |wanted: &dyn Fn(Ulid) -> bool| -> Result<usize, Fault> {
            let (mut low, mut high) = (0, self.count);
            while low < high {
                let middle = low + (high - low) / 2;
                let id = self.entries(middle, middle + 1)?.first().ok_or(Fault::Corrupt)?.id;
                if wanted(id) { low = middle + 1 } else { high = middle }
            }
            Ok(low)
        };
        Ok(place(&|id| id < first)?..place(&|id| id <= last)?)
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

    pub(super) fn each(&self, visit: VisitPacked<'_>) -> Result<(), Fault> {
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
pub(super) struct Cursor<'s> {
    segment: &'s Segment,
    forward: bool,
    /// Records already passed.
    passed: usize,
    chunk: Option<Chunk>,
    /// How many to read next: few at first, for whoever wants few.
    most: usize,
}

impl<'s> Cursor<'s> {
    pub(super) fn new(segment: &'s Segment, forward: bool) -> Self {
        Cursor { segment, forward, passed: 0, chunk: None, most: CHUNK / 16 }
    }

    fn at(&self) -> Option<usize> {
        let left = self.segment.count.checked_sub(self.passed + 1)?;
        Some(if self.forward { self.passed } else { left })
    }

    pub(super) fn peek(&mut self) -> Result<Option<Ulid>, Fault> {
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
    pub(super) fn record(&self) -> Result<(&[u8], &[u8]), Fault> {
        let (Some(at), Some(chunk)) = (self.at(), &self.chunk) else { return Err(Fault::Corrupt) };
        let line = at.checked_sub(chunk.from).and_then(|at| chunk.lines.get(at)).ok_or(Fault::Corrupt)?;
        let offset = (line.offset - chunk.start) as usize;
        let body = chunk.bytes.get(offset..offset + line.row + line.lean).ok_or(Fault::Corrupt)?;
        if checksum(line.id, body) != line.crc {
            return Err(Fault::Corrupt);
        }
        Ok(body.split_at(line.row))
    }

    pub(super) fn step(&mut self) {
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
pub(super) struct Writer<W: Write> {
    out: W,
    at: u64,
    table: Vec<u8>,
    threads: Vec<Vec<u8>>,
    keys: Vec<Vec<u8>>,
}

/// What of an opening is a key.
#[derive(Deserialize)]
struct Named {
    branch: String,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(mut out: W) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        Ok(Writer { out, at: MAGIC.len() as u64, table: Vec::new(), threads: Vec::new(), keys: Vec::new() })
    }

    pub(super) fn push(&mut self, record: &Packed) -> Result<(), Fault> {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&record.id.0.to_be_bytes());
        hasher.update(&record.row);
        hasher.update(&record.lean);
        let number = u32::try_from(self.count()).map_err(|_| Fault::Corrupt)?.to_be_bytes();
        let (experiment, name, kind) = brief(&record.row).ok_or(Fault::Corrupt)?;
        self.threads.push([&experiment.0.to_be_bytes()[..], &[kind], &number].concat());
        if KINDS[usize::from(kind)] == "opened" {
            let named: Named = serde_json::from_slice(&record.lean).map_err(|_| Fault::Corrupt)?;
            for key in [Key::Name(&name), Key::Branch(&named.branch)] {
                self.keys.push([&key.hash()[..], &number].concat());
            }
        }
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

    pub(super) fn count(&self) -> u64 {
        (self.table.len() / ENTRY) as u64
    }

    pub(super) fn finish(mut self, about: &impl serde::Serialize) -> Result<W, Fault> {
        let about = serde_json::to_vec(about).map_err(io::Error::from)?;
        let count = self.count();
        self.threads.sort_unstable();
        self.keys.sort_unstable();
        self.out.write_all(&self.table)?;
        Sorted::write(&mut self.out, &self.threads)?;
        Sorted::write(&mut self.out, &self.keys)?;
        self.out.write_all(&about)?;
        self.out.write_all(&self.at.to_be_bytes())?;
        self.out.write_all(&count.to_be_bytes())?;
        self.out.write_all(&(self.keys.len() as u64).to_be_bytes())?;
        self.out.write_all(&(about.len() as u32).to_be_bytes())?;
        self.out.write_all(&crc32fast::hash(&about).to_be_bytes())?;
        self.out.write_all(MAGIC)?;
        Ok(self.out)
    }
}
