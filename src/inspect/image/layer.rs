//! One blob to what lies in it: the digests, the sizes and the listing of a layer, as a stream of bytes goes by.

use crate::digest;
use crate::inspect::Limits;
use crate::inspect::paths::{Kind, Listing, ListingBuilder, PathId, Paths};
use crate::inspect::tarscan::{Scanner, TarEntry, TarKind, Visit};
use crate::phrase;
use crate::phrase::Phrase;
use sha2::{Digest, Sha256};
use std::io::{self, Read, Write};
use std::sync::mpsc;

const CHUNK: usize = 256 << 10;
/// Four times what Linux takes. A longer path is counted, but not kept by name.
const MAX_PATH: usize = 16 << 10;

/// How a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip, RFC 1952.
    Gzip,
    /// Zstandard, RFC 8878.
    Zstd,
}

impl Compression {
    /// Told by the first bytes of a stream.
    pub fn sniff(first: &[u8]) -> Compression {
        match first {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
            // A skippable frame may come first, as in seekable zstd.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
            _ => Compression::None,
        }
    }
}

/// What was found in one blob.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scanned {
    pub compression: Compression,
    /// Bytes as stored, and their SHA-256 (empty when not verified).
    pub stored: u64,
    pub stored_sha256: String,
    /// Bytes of the tar stream, and their SHA-256.
    pub uncompressed: u64,
    pub sha256: String,
    pub listing: Listing,
    pub problems: Vec<Phrase>,
    /// Why reading stopped before the end.
    pub cut: Option<Phrase>,
}

/// Collects the entries of a layer.
struct Collector {
    paths: Paths,
    listing: ListingBuilder,
    current: Option<Current>,
    crc: crc32fast::Hasher,
    folder: Vec<u8>,
    folder_id: Option<PathId>,
    traversal: u64,
    absolute: u64,
    devices: u64,
    too_long: u64,
}

struct Current {
    at: Result<PathId, PathId>,
    parent: PathId,
    kind: Kind,
    mode: u16,
    size: u64,
}

impl Collector {
    fn new(paths: Paths, max_entries: usize) -> Self {
        Collector {
            paths,
            listing: ListingBuilder::new(max_entries),
            current: None,
            crc: crc32fast::Hasher::new(),
            folder: Vec::new(),
            folder_id: None,
            traversal: 0,
            absolute: 0,
            devices: 0,
            too_long: 0,
        }
    }

    /// Entries come folder by folder, so the last folder is remembered.
    fn folder(&mut self, folder: &[u8]) -> Result<PathId, PathId> {
        if let Some(id) = self.folder_id
            && self.folder == folder
        {
            return Ok(id);
        }
        let id = self.paths.intern(folder)?;
        self.folder.clear();
        self.folder.extend_from_slice(folder);
        self.folder_id = Some(id);
        Ok(id)
    }
}

impl Visit for Collector {
    fn entry(&mut self, entry: &TarEntry<'_>) {
        self.crc.reset();
        let mut path = entry.path;
        if path.starts_with(b"/") {
            self.absolute += 1;
        }
        while let [rest @ .., b'/'] = path {
            path = rest;
        }
        if path.split(|&b| b == b'/').any(|name| name == b"..") {
            self.traversal += 1;
        }
        let (folder, name) = match path.iter().rposition(|&b| b == b'/') {
            Some(i) => (&path[..i], &path[i + 1..]),
            None => (&b""[..], path),
        };
        let mut kind = match entry.kind {
            TarKind::File => Kind::File,
            TarKind::Hardlink => Kind::Hardlink,
            TarKind::Symlink => Kind::Symlink,
            TarKind::Char | TarKind::Block => Kind::Device,
            TarKind::Folder => Kind::Folder,
            TarKind::Fifo => Kind::Fifo,
            TarKind::Other(_) => return,
        };
        let folder = if path.len() > MAX_PATH {
            self.too_long += 1;
            Err(PathId::ROOT)
        } else {
            self.folder(folder)
        };
        let (parent, at) = match folder {
            Err(deepest) => (deepest, Err(deepest)),
            Ok(parent) => {
                let at = match name {
                    b".wh..wh..opq" => {
                        kind = Kind::Opaque;
                        Ok(parent)
                    }
                    b"" | b"." => Ok(parent),
                    b".." => Ok(self.paths.parent(parent)),
                    // Other names of this form are marks of the aufs file system, and no files of the image.
                    _ if name.starts_with(b".wh..wh.") => return,
                    _ => match name.strip_prefix(b".wh.") {
                        Some(removed) if !removed.is_empty() => {
                            kind = Kind::Whiteout;
                            self.paths.intern_child(parent, removed).ok_or(parent)
                        }
                        _ => self.paths.intern_child(parent, name).ok_or(parent),
                    },
                };
                (parent, at)
            }
        };
        if kind == Kind::Device {
            if entry.kind == TarKind::Char && entry.device == (0, 0) {
                // overlayfs writes a whiteout as a character device 0/0.
                kind = Kind::Whiteout;
            } else {
                self.devices += 1;
            }
        }
        let size = match kind {
            Kind::File => entry.logical_size,
            Kind::Symlink => entry.link.len() as u64,
            _ => 0,
        };
        self.current = Some(Current { at, parent, kind, mode: entry.mode as u16, size });
    }

    fn data(&mut self, bytes: &[u8]) {
        self.crc.update(bytes);
    }

    fn end(&mut self) {
        if let Some(c) = self.current.take() {
            let crc = if c.kind == Kind::File { self.crc.clone().finalize() } else { 0 };
            self.listing.add(c.at, c.parent, c.kind, c.mode, c.size, crc);
        }
    }
}

/// Takes the bytes of a tar stream.
pub(crate) struct TarSink {
    scanner: Scanner,
    collector: Collector,
    hash: Option<Sha256>,
    bytes: u64,
    bad: Option<Phrase>,
}

impl TarSink {
    fn take(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
        }
        if self.bad.is_none()
            && let Err(e) = self.scanner.push(bytes, &mut self.collector)
        {
            self.bad = Some(e.into());
        }
    }
}

/// Counts what comes out of a decoder against the limits, and passes it on.
pub(crate) struct Meter<W> {
    /// Taken out at the end; what a dropped decoder still writes goes nowhere.
    inner: Option<W>,
    out: u64,
    /// Bytes that went into the decoder; written from outside.
    stored: u64,
    max_uncompressed: u64,
    max_ratio: u64,
    ratio_grace: u64,
    pub over: Option<Phrase>,
}

impl<W> Meter<W> {
    pub fn new(inner: W, limits: &Limits) -> Self {
        Meter {
            inner: Some(inner),
            out: 0,
            stored: 0,
            max_uncompressed: limits.max_uncompressed,
            max_ratio: limits.max_ratio,
            ratio_grace: limits.ratio_grace,
            over: None,
        }
    }
}

impl<W: Write> Write for Meter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out += bytes.len() as u64;
        if self.out > self.max_uncompressed {
            self.over = Some(phrase!("stopped: more than {n} bytes after decompression", n = self.max_uncompressed));
        } else if self.out > self.ratio_grace && self.out / self.stored.max(1) > self.max_ratio {
            self.over = Some(phrase!(
                "stopped: {n} bytes out of {stored} in, which is more than {most} times",
                n = self.out,
                stored = self.stored,
                most = self.max_ratio
            ));
        }
        if self.over.is_some() {
            return Err(io::Error::other("over a limit"));
        }
        if let Some(inner) = &mut self.inner {
            inner.write_all(bytes)?;
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A decoder that is pushed compressed bytes and writes plain ones.
pub(crate) enum Decoder<W: Write> {
    Plain(Meter<W>),
    Gzip(Box<flate2::write::MultiGzDecoder<Meter<W>>>),
    Zstd(Box<zstd::stream::write::Decoder<'static, Meter<W>>>),
}

impl<W: Write> Decoder<W> {
    pub fn new(compression: Compression, inner: W, limits: &Limits) -> io::Result<Self> {
        let mut meter = Meter::new(inner, limits);
        Ok(match compression {
            Compression::None => {
                meter.max_ratio = u64::MAX;
                Decoder::Plain(meter)
            }
            Compression::Gzip => Decoder::Gzip(Box::new(flate2::write::MultiGzDecoder::new(meter))),
            Compression::Zstd => {
                let mut decoder = zstd::stream::write::Decoder::new(meter)?;
                // A window of at most 32 MiB: what `zstd -19 --long` needs more memory for is refused.
                decoder.window_log_max(25)?;
                Decoder::Zstd(Box::new(decoder))
            }
        })
    }

    pub fn meter(&mut self) -> &mut Meter<W> {
        match self {
            Decoder::Plain(m) => m,
            Decoder::Gzip(d) => d.get_mut(),
            Decoder::Zstd(d) => d.get_mut(),
        }
    }

    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        // In small steps, so that the ratio is that of what was really read.
        for piece in bytes.chunks(32 << 10) {
            self.meter().stored += piece.len() as u64;
            match self {
                Decoder::Plain(m) => m.write_all(piece)?,
                Decoder::Gzip(d) => d.write_all(piece)?,
                Decoder::Zstd(d) => d.write_all(piece)?,
            }
        }
        Ok(())
    }

    pub fn finish(&mut self) -> io::Result<()> {
        match self {
            Decoder::Plain(_) => Ok(()),
            Decoder::Gzip(d) => d.try_finish(),
            Decoder::Zstd(d) => d.flush(),
        }
    }

    /// The writer, once.
    pub fn take(&mut self) -> Option<W> {
        self.meter().inner.take()
    }

    /// Why decoding failed with this error.
    pub fn reason(&mut self, error: io::Error) -> Phrase {
        self.meter().over.take().unwrap_or_else(|| phrase!("bad compressed data: {error}", error))
    }
}

impl Write for TarSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.take(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn hex(hash: Option<Sha256>) -> String {
    hash.map(|h| digest::hex(&h.finalize())).unwrap_or_default()
}

fn new_sink(paths: Paths, limits: &Limits, max_entries: usize) -> TarSink {
    TarSink {
        scanner: Scanner::default(),
        collector: Collector::new(paths, max_entries),
        hash: limits.verify.then(Sha256::new),
        bytes: 0,
        bad: None,
    }
}

fn complete(sink: TarSink, out: &mut Scanned) -> Paths {
    let collector = sink.collector;
    out.uncompressed = sink.bytes;
    out.sha256 = hex(sink.hash);
    if let Some(bad) = sink.bad {
        out.problems.push(bad.clone());
        out.cut.get_or_insert(bad);
    } else if out.cut.is_none()
        && sink.bytes > 0
        && let Err(e) = sink.scanner.finish()
    {
        let cut = Phrase::from(e);
        out.problems.push(cut.clone());
        out.cut = Some(cut);
    }
    let entries = |n: u64| match n {
        1 => "1 entry".into(),
        n => phrase!("{n} entries", n),
    };
    let told = [
        (
            collector.traversal,
            phrase!(
                "{entries} with '..' in the path, counted as if below the top folder",
                entries = entries(collector.traversal)
            ),
        ),
        (collector.absolute, phrase!("{entries} with an absolute path", entries = entries(collector.absolute))),
        (collector.devices, phrase!("{entries} for devices", entries = entries(collector.devices))),
        (
            collector.too_long,
            phrase!(
                "{entries} with a path of more than {n} bytes",
                entries = entries(collector.too_long),
                n = MAX_PATH
            ),
        ),
    ];
    out.problems.extend(told.into_iter().filter(|(n, _)| *n > 0).map(|(_, what)| what));
    out.listing = collector.listing.finish();
    collector.paths
}

/// A layer that is pushed in pieces, decoded in this thread. Used within a stream that can't be gone back in.
pub(crate) struct PushedLayer {
    decoder: Decoder<TarSink>,
    hash: Option<Sha256>,
    out: Scanned,
}

impl PushedLayer {
    pub fn new(first: &[u8], paths: Paths, limits: &Limits, max_entries: usize) -> io::Result<Self> {
        let compression = Compression::sniff(first);
        let hash = (limits.verify && compression != Compression::None).then(Sha256::new);
        let decoder = Decoder::new(compression, new_sink(paths, limits, max_entries), limits)?;
        Ok(PushedLayer { decoder, hash, out: Scanned { compression, ..Scanned::default() } })
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.out.stored += bytes.len() as u64;
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
        }
        if self.out.cut.is_none()
            && let Err(e) = self.decoder.push(bytes)
        {
            self.out.cut = Some(self.decoder.reason(e));
        }
    }

    /// `whole` says whether all of the blob was pushed.
    pub fn finish(mut self, whole: bool) -> (Scanned, Paths) {
        if self.out.cut.is_none() {
            if !whole {
                self.out.cut = Some("cut off".into());
            } else if let Err(e) = self.decoder.finish() {
                self.out.cut = Some(self.decoder.reason(e));
            }
        }
        let mut out = self.out;
        out.problems.extend(out.cut.clone());
        let paths = self.decoder.take().map(|sink| complete(sink, &mut out)).unwrap_or_default();
        out.stored_sha256 = if self.hash.is_some() { hex(self.hash) } else { out.sha256.clone() };
        (out, paths)
    }
}

/// Collects bytes into pieces for another thread.
struct Sender {
    piece: Vec<u8>,
    to: mpsc::SyncSender<Vec<u8>>,
    empty: mpsc::Receiver<Vec<u8>>,
}

impl Sender {
    fn send(&mut self) -> io::Result<()> {
        let fresh = self.empty.try_recv().unwrap_or_else(|_| Vec::with_capacity(CHUNK));
        let full = std::mem::replace(&mut self.piece, fresh);
        self.to.send(full).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

impl Write for Sender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let take = bytes.len().min(CHUNK - self.piece.len());
        self.piece.extend_from_slice(&bytes[..take]);
        if self.piece.len() == CHUNK {
            self.send()?;
        }
        Ok(take)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What came in while decoding.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub compression: Compression,
    pub stored: u64,
    pub sha256: String,
    pub cut: Option<Phrase>,
}

/// Reads and decodes in a thread of its own while `take` is given the plain bytes in this one. `take` says false when
/// it has had enough. Two threads, since decompression and hashing cost about the same.
pub(crate) fn decode<R: Read + Send>(
    mut reader: R,
    hash_stored: bool,
    limits: &Limits,
    mut take: impl FnMut(&[u8]) -> bool,
) -> io::Result<Decoded> {
    let (to, from) = mpsc::sync_channel::<Vec<u8>>(4);
    let (back, empty) = mpsc::sync_channel::<Vec<u8>>(6);
    std::thread::scope(|scope| {
        let worker = move || -> io::Result<Decoded> {
            let mut buffer = vec![0u8; CHUNK];
            let mut filled = fill(&mut reader, &mut buffer)?;
            let compression = Compression::sniff(&buffer[..filled]);
            let mut hash = (hash_stored && compression != Compression::None).then(Sha256::new);
            let sender = Sender { piece: Vec::with_capacity(CHUNK), to, empty };
            let mut decoder = Decoder::new(compression, sender, limits)?;
            let mut decoded = Decoded { compression, ..Decoded::default() };
            while filled > 0 {
                decoded.stored += filled as u64;
                if let Some(hash) = &mut hash {
                    hash.update(&buffer[..filled]);
                }
                if decoded.cut.is_none()
                    && let Err(e) = decoder.push(&buffer[..filled])
                {
                    decoded.cut = Some(decoder.reason(e));
                    if hash.is_none() {
                        break;
                    }
                }
                filled = read_some(&mut reader, &mut buffer).unwrap_or_else(|e| {
                    decoded.cut.get_or_insert_with(|| unreadable(e));
                    0
                });
            }
            if decoded.cut.is_none()
                && let Err(e) = decoder.finish()
            {
                decoded.cut = Some(decoder.reason(e));
            }
            if let Some(mut sender) = decoder.take()
                && !sender.piece.is_empty()
            {
                // An error only says that the other side has had enough.
                let _ = sender.send();
            }
            decoded.sha256 = hex(hash);
            Ok(decoded)
        };
        let worker = std::thread::Builder::new().spawn_scoped(scope, worker)?;
        let mut enough = false;
        for piece in &from {
            if !take(&piece) {
                enough = true;
                break;
            }
            let mut piece = piece;
            piece.clear();
            let _ = back.try_send(piece);
        }
        drop(from);
        match worker.join() {
            Ok(Ok(mut decoded)) => {
                if enough {
                    decoded.cut = None;
                }
                Ok(decoded)
            }
            Ok(Err(e)) => Err(e),
            Err(_) => Err(io::Error::other("the decoder failed")),
        }
    })
}

fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < 4 {
        match read_some(reader, &mut buffer[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}

/// [`Read::read`], again when a signal came in between.
pub(super) fn read_some(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Scans a blob in this thread, and takes no digest of it.
pub(crate) fn list<R: Read>(
    mut reader: R,
    paths: &mut Paths,
    limits: &Limits,
    max_entries: usize,
) -> io::Result<Scanned> {
    let limits = Limits { verify: false, ..limits.clone() };
    let mut buffer = vec![0u8; CHUNK];
    let mut filled = fill(&mut reader, &mut buffer)?;
    let mut layer = PushedLayer::new(&buffer[..filled], std::mem::take(paths), &limits, max_entries)?;
    let mut broken = None;
    while filled > 0 && layer.out.cut.is_none() {
        layer.push(&buffer[..filled]);
        filled = read_some(&mut reader, &mut buffer).unwrap_or_else(|e| {
            broken = Some(unreadable(e));
            0
        });
    }
    if layer.out.cut.is_none() {
        layer.out.cut = broken;
    }
    let (scanned, filled_paths) = layer.finish(true);
    *paths = filled_paths;
    Ok(scanned)
}

fn unreadable(error: io::Error) -> Phrase {
    phrase!("cannot be read further: {error}", error)
}

/// Scans a whole blob from a reader of its own.
pub(crate) fn scan<R: Read + Send>(
    reader: R,
    paths: &mut Paths,
    limits: &Limits,
    max_entries: usize,
) -> io::Result<Scanned> {
    let mut sink = new_sink(std::mem::take(paths), limits, max_entries);
    let decoded = decode(reader, limits.verify, limits, |bytes| {
        sink.take(bytes);
        true
    });
    let decoded = match decoded {
        Ok(decoded) => decoded,
        Err(e) => {
            *paths = sink.collector.paths;
            return Err(e);
        }
    };
    let mut out = Scanned {
        compression: decoded.compression,
        stored: decoded.stored,
        stored_sha256: decoded.sha256,
        cut: decoded.cut,
        ..Scanned::default()
    };
    out.problems.extend(out.cut.clone());
    *paths = complete(sink, &mut out);
    if out.compression == Compression::None {
        out.stored_sha256.clone_from(&out.sha256);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader whose every second read is interrupted by a signal.
    struct Signalled<'a>(&'a [u8], bool);

    impl Read for Signalled<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 { Err(io::ErrorKind::Interrupted.into()) } else { self.0.read(buffer) }
        }
    }

    #[test]
    fn a_signal_between_two_reads_changes_nothing_of_what_is_read() {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(3 * CHUNK as u64);
        header.set_cksum();
        let content: Vec<u8> = (0..3 * CHUNK).map(|i| (i / 256) as u8).collect();
        tar.append_data(&mut header, "file", &content[..]).unwrap();
        let tar = tar.into_inner().unwrap();
        let limits = Limits::default();
        let paths = || Paths::new(1000, 1000);
        let told = |scanned: Scanned| {
            (scanned.stored, scanned.stored_sha256, scanned.uncompressed, scanned.sha256, scanned.problems, scanned.cut)
        };
        let calm = scan(&tar[..], &mut paths(), &limits, usize::MAX).unwrap();
        assert_eq!(calm.stored, tar.len() as u64);
        let calm = told(calm);
        assert_eq!(told(scan(Signalled(&tar, false), &mut paths(), &limits, usize::MAX).unwrap()), calm);
        let listed = list(Signalled(&tar, false), &mut paths(), &limits, usize::MAX).unwrap();
        assert_eq!((listed.stored, listed.uncompressed, listed.cut), (calm.0, calm.2, calm.5));
    }
}
