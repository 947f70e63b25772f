//! SHA-256 of blobs that are stored plain, taken beside the listing of them: hashing costs twice what listing does.

use super::layer::read_some;
use super::store::Section;
use crate::digest;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

const CHUNK: usize = 128 << 10;
/// A disk has no use for more readers.
const MAX_THREADS: usize = 4;

/// Digests by the name of the blob. A blob that cannot be read has none: whoever lists it says why.
type Digests = HashMap<String, String>;

/// Blobs whose digests are being taken.
pub(crate) struct Ahead {
    left: Arc<Mutex<Vec<(String, Section)>>>,
    workers: Vec<JoinHandle<Digests>>,
}

impl Ahead {
    /// Begins with the largest, in a thread for each processor: they share them with the listing, so that none is idle
    /// at the end. Without a thread to be had, [`Ahead::finish`] does it all.
    pub fn start(mut blobs: Vec<(String, Section)>) -> Self {
        let count = blobs.len();
        blobs.sort_by_key(|(_, section)| section.length());
        let left = Arc::new(Mutex::new(blobs));
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS).min(count);
        let spawn = |_| {
            let left = Arc::clone(&left);
            std::thread::Builder::new().spawn(move || work(&left)).ok()
        };
        Ahead { workers: (0..threads).filter_map(spawn).collect(), left }
    }

    /// Takes a hand in what is left, and waits for the rest.
    pub fn finish(mut self) -> Digests {
        let mut digests = work(&self.left);
        for worker in self.workers.drain(..) {
            digests.extend(worker.join().unwrap_or_default());
        }
        digests
    }
}

impl Drop for Ahead {
    /// Nobody waits for digests after an error.
    fn drop(&mut self) {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn work(left: &Mutex<Vec<(String, Section)>>) -> Digests {
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut digests = Digests::new();
    let mut buffer = Vec::new();
    while let Some((name, section)) = next() {
        buffer.resize(CHUNK, 0);
        if let Ok(digest) = sha256(section, &mut buffer) {
            digests.insert(name, digest);
        }
    }
    digests
}

fn sha256(mut reader: impl Read, buffer: &mut [u8]) -> io::Result<String> {
    let mut hash = Sha256::new();
    loop {
        match read_some(&mut reader, buffer)? {
            0 => return Ok(digest::hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}
