//! The newest records, noted by whoever appended them, so that the next command reads neither trees nor blobs.
//!
//! ```text
//! step: length of the rest (4), its CRC-32 (4), tip before (text), tip after (text), records (4)
//!       then of each record: id (16), row length (4), JSON length (4), row, JSON
//! ```
//!
//! A step says what a move of the ledger from one commit to another brought. That stays true for ever, so the file may hold
//! steps that are in `head` already, or of a ledger that was put back: only those are taken that go on from where the index
//! is. Steps are appended in one write; a cut or damaged one ends the reading. The file is removed when `head` is written.

use super::row::Reader;
use super::segment::Packed;
use crate::git::Oid;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use ulid::Ulid;

/// Steps that are read before their records move to `head`.
pub(super) const MOST: usize = 64;
/// No step is added to a file that is larger, in bytes: nobody has read it for long.
const LARGEST: u64 = 4 << 20;

/// What the file adds to an index.
pub(super) struct Tail {
    /// The commit that it leads to.
    pub tip: String,
    /// Records, in the order in which they were appended.
    pub records: Vec<Packed>,
    /// Steps that were taken.
    pub steps: usize,
}

fn path(dir: &Path) -> PathBuf {
    dir.join("tail")
}

/// The steps that go on from `tip`.
pub(super) fn read(dir: &Path, tip: &str) -> Tail {
    let mut tail = Tail { tip: tip.to_string(), records: Vec::new(), steps: 0 };
    let bytes = fs::read(path(dir)).unwrap_or_default();
    let mut rest = Reader(&bytes);
    while let Some((before, after, records)) = step(&mut rest) {
        if before == tail.tip {
            tail.tip = after;
            tail.records.extend(records);
            tail.steps += 1;
        }
    }
    tail
}

fn step(rest: &mut Reader<'_>) -> Option<(String, String, Vec<Packed>)> {
    let (length, crc) = (rest.u32()? as usize, rest.u32()?);
    let body = rest.take(length)?;
    if crc32fast::hash(body) != crc {
        return None;
    }
    let mut body = Reader(body);
    let (before, after) = (body.text()?, body.text()?);
    let mut records = Vec::new();
    for _ in 0..body.u32()? {
        let (id, row, lean) = (Ulid(body.u128()?), body.u32()? as usize, body.u32()? as usize);
        records.push(Packed { id, row: body.take(row)?.to_vec(), lean: body.take(lean)?.to_vec() });
    }
    Some((before, after, records))
}

/// Notes what a move of the ledger brought. Where that cannot be written, the next reader compares trees instead.
pub(super) fn append(dir: &Path, before: &Oid, after: &Oid, records: &[Packed]) {
    let mut body = Vec::new();
    for tip in [before, after] {
        body.extend((tip.as_str().len() as u32).to_be_bytes());
        body.extend(tip.as_str().as_bytes());
    }
    body.extend((records.len() as u32).to_be_bytes());
    for record in records {
        body.extend(record.id.0.to_be_bytes());
        body.extend((record.row.len() as u32).to_be_bytes());
        body.extend((record.lean.len() as u32).to_be_bytes());
        body.extend(&record.row);
        body.extend(&record.lean);
    }
    let mut bytes = (body.len() as u32).to_be_bytes().to_vec();
    bytes.extend(crc32fast::hash(&body).to_be_bytes());
    bytes.extend(&body);
    let Ok(mut file) = File::options().append(true).create(true).open(path(dir)) else { return };
    if file.metadata().is_ok_and(|file| file.len() < LARGEST) {
        let _ = file.write_all(&bytes);
    }
}

/// Removes the file: all its records are in `head`. A step that comes in between is lost, and found again in the trees.
pub(super) fn remove(dir: &Path) {
    let _ = fs::remove_file(path(dir));
}
