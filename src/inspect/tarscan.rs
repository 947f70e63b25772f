//! Walks a tar stream that is pushed in pieces: v7, ustar, GNU and pax, with bounded memory.
//!
//! The fields of a header are read by the `tar` crate. The walk itself is here because that crate's reader collects
//! GNU long names of any length, and can't be told to skip content by seeking. Formats: POSIX.1-2017 `pax`, and the GNU tar
//! manual, "Basic Tar Format". Entries are never extracted.

use crate::phrase;
use crate::phrase::Phrase;

/// A longer GNU name or pax header makes the archive bad.
const MAX_EXTENSION: u64 = 1 << 20;
/// No file is larger than an exbibyte; a sparse one that claims to be is not believed.
const MAX_FILE: u64 = 1 << 60;
const BLOCK: usize = 512;

/// What is wrong with a tar stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TarError {
    /// No header where there should be one.
    Header(u64),
    /// A name or pax header of more than a mebibyte, or a broken one.
    Extension(u64),
    /// It ends within an entry, or has no end at all.
    Truncated(u64),
}

impl From<TarError> for Phrase {
    fn from(error: TarError) -> Phrase {
        match error {
            TarError::Header(at) => phrase!("no valid tar header at byte {at}", at),
            TarError::Extension(at) => phrase!("a bad extended header at byte {at}", at),
            TarError::Truncated(at) => phrase!("the tar stream is cut off after {at} bytes", at),
        }
    }
}

/// The type of a tar entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TarKind {
    /// A regular file.
    File,
    /// Another name of an earlier entry.
    Hardlink,
    /// A symbolic link.
    Symlink,
    /// A character device.
    Char,
    /// A block device.
    Block,
    /// A folder.
    Folder,
    /// A named pipe.
    Fifo,
    /// Anything else: its content is skipped.
    Other(u8),
}

/// One entry as the archive tells it.
#[derive(Debug)]
pub struct TarEntry<'a> {
    /// Its name, as written.
    pub path: &'a [u8],
    /// The target of a link.
    pub link: &'a [u8],
    /// What it is.
    pub kind: TarKind,
    /// Bytes of content that follow in the stream.
    pub size: u64,
    /// Bytes of the file, larger than `size` when it is stored sparse.
    pub logical_size: u64,
    /// Permission bits.
    pub mode: u32,
    /// Device numbers, for devices.
    pub device: (u32, u32),
    /// Where its content begins in the stream.
    pub offset: u64,
}

/// Who is told of the entries.
pub trait Visit {
    /// An entry begins.
    fn entry(&mut self, entry: &TarEntry<'_>);
    /// A piece of its content.
    fn data(&mut self, bytes: &[u8]);
    /// Its content is complete.
    fn end(&mut self);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    /// More blocks of a GNU sparse map.
    SparseMap,
    /// Content for the visitor.
    Content,
    /// A long name, long link, or pax header: its type.
    Extension(u8),
    Padding,
    /// After the end: anything is ignored.
    End,
}

#[derive(Debug, Default, Clone)]
struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    logical_size: Option<u64>,
}

/// The state of a walk.
#[derive(Debug)]
pub struct Scanner {
    state: State,
    block: [u8; BLOCK],
    filled: usize,
    extension: Vec<u8>,
    next: Extended,
    global: Extended,
    remaining: u64,
    padding: u64,
    offset: u64,
    zero_blocks: u32,
    /// Header of an entry whose sparse map goes on.
    pending: Option<[u8; BLOCK]>,
    entries: u64,
}

/// Whether a stream that begins with these bytes, a block of them, begins with a tar header.
pub fn begins_like_tar(head: &[u8]) -> bool {
    struct Nobody;
    impl Visit for Nobody {
        fn entry(&mut self, _: &TarEntry<'_>) {}
        fn data(&mut self, _: &[u8]) {}
        fn end(&mut self) {}
    }
    let Some(block) = head.get(..BLOCK) else { return false };
    block.iter().any(|&b| b != 0) && Scanner::default().push(block, &mut Nobody).is_ok()
}

impl Default for Scanner {
    fn default() -> Self {
        Scanner {
            state: State::Header,
            block: [0; BLOCK],
            filled: 0,
            extension: Vec::new(),
            next: Extended::default(),
            global: Extended::default(),
            remaining: 0,
            padding: 0,
            offset: 0,
            zero_blocks: 0,
            pending: None,
            entries: 0,
        }
    }
}

impl Scanner {
    /// Bytes seen up to now.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Entries seen up to now, extension headers not counted.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Whether the end-of-archive mark was seen.
    pub fn ended(&self) -> bool {
        self.state == State::End
    }

    /// How many of the next bytes are content or padding that a reader which can seek may [`Scanner::skip`].
    pub fn skippable(&self) -> u64 {
        match self.state {
            State::Content => self.remaining + self.padding,
            State::Padding => self.remaining,
            _ => 0,
        }
    }

    /// Goes past `count` bytes, at most [`Scanner::skippable`], without telling the visitor of their content.
    pub fn skip(&mut self, count: u64, visit: &mut impl Visit) {
        self.offset += count;
        let of_content = if self.state == State::Content { count.min(self.remaining) } else { 0 };
        if self.state == State::Content {
            self.remaining -= of_content;
            if self.remaining == 0 {
                visit.end();
                self.pad();
            }
        }
        if self.state == State::Padding {
            self.remaining = self.remaining.saturating_sub(count - of_content);
            if self.remaining == 0 {
                self.state = State::Header;
            }
        }
    }

    /// Takes the next piece of the stream.
    pub fn push(&mut self, mut bytes: &[u8], visit: &mut impl Visit) -> Result<(), TarError> {
        while !bytes.is_empty() {
            match self.state {
                State::End => {
                    self.offset += bytes.len() as u64;
                    return Ok(());
                }
                State::Header | State::SparseMap => {
                    let take = bytes.len().min(BLOCK - self.filled);
                    self.block[self.filled..self.filled + take].copy_from_slice(&bytes[..take]);
                    self.filled += take;
                    self.offset += take as u64;
                    bytes = &bytes[take..];
                    if self.filled == BLOCK {
                        self.filled = 0;
                        if self.state == State::Header { self.header(visit)? } else { self.sparse_map(visit)? }
                    }
                }
                State::Content | State::Extension(_) | State::Padding => {
                    let take = (bytes.len() as u64).min(self.remaining) as usize;
                    let (piece, rest) = bytes.split_at(take);
                    bytes = rest;
                    self.offset += take as u64;
                    self.remaining -= take as u64;
                    match self.state {
                        State::Content => visit.data(piece),
                        State::Extension(_) => self.extension.extend_from_slice(piece),
                        _ => {}
                    }
                    if self.remaining == 0 {
                        match self.state {
                            State::Content => {
                                visit.end();
                                self.pad();
                            }
                            State::Extension(kind) => {
                                self.extended(kind)?;
                                self.pad();
                            }
                            _ => self.state = State::Header,
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Says whether the stream may end here. A missing end-of-archive mark is forgiven between entries, as tar does.
    pub fn finish(&self) -> Result<(), TarError> {
        let between = self.state == State::Header && self.filled == 0 && (self.entries > 0 || self.zero_blocks > 0);
        if self.state == State::End || between { Ok(()) } else { Err(TarError::Truncated(self.offset)) }
    }

    fn pad(&mut self) {
        self.remaining = self.padding;
        self.padding = 0;
        self.state = if self.remaining > 0 { State::Padding } else { State::Header };
    }

    fn header(&mut self, visit: &mut impl Visit) -> Result<(), TarError> {
        let at = self.offset - BLOCK as u64;
        if self.block.iter().all(|&b| b == 0) {
            self.zero_blocks += 1;
            if self.zero_blocks == 2 {
                self.state = State::End;
            }
            return Ok(());
        }
        self.zero_blocks = 0;
        let block = self.block;
        if !checksum_holds(&block) {
            return Err(TarError::Header(at));
        }
        match block[156] {
            kind @ (b'L' | b'K' | b'x' | b'g') => {
                let size = tar::Header::from_byte_slice(&block).entry_size().map_err(|_| TarError::Header(at))?;
                if size > MAX_EXTENSION {
                    return Err(TarError::Extension(at));
                }
                self.extension.clear();
                self.remaining = size;
                self.padding = padding_of(size);
                self.state = State::Extension(kind);
                if size == 0 {
                    self.extended(kind)?;
                    self.pad();
                }
                Ok(())
            }
            // GNU sparse: more of the map may follow before the content.
            b'S' if block[482] != 0 => {
                self.pending = Some(block);
                self.state = State::SparseMap;
                Ok(())
            }
            _ => self.begin(&block, visit),
        }
    }

    fn sparse_map(&mut self, visit: &mut impl Visit) -> Result<(), TarError> {
        if self.block[504] != 0 {
            return Ok(());
        }
        match self.pending.take() {
            Some(block) => self.begin(&block, visit),
            None => Err(TarError::Header(self.offset)),
        }
    }

    fn begin(&mut self, block: &[u8; BLOCK], visit: &mut impl Visit) -> Result<(), TarError> {
        let at = self.offset - BLOCK as u64;
        let header = tar::Header::from_byte_slice(block);
        let next = std::mem::take(&mut self.next);
        let path = match next.path.as_deref().or(self.global.path.as_deref()) {
            Some(path) => std::borrow::Cow::Borrowed(path),
            None => header.path_bytes(),
        };
        let link = match next.link.as_deref().or(self.global.link.as_deref()) {
            Some(link) => std::borrow::Cow::Borrowed(link),
            None => header.link_name_bytes().unwrap_or_default(),
        };
        let kind = match block[156] {
            b'0' | 0 | b'7' if path.ends_with(b"/") => TarKind::Folder,
            b'0' | 0 | b'7' | b'S' => TarKind::File,
            b'1' => TarKind::Hardlink,
            b'2' => TarKind::Symlink,
            b'3' => TarKind::Char,
            b'4' => TarKind::Block,
            b'5' => TarKind::Folder,
            b'6' => TarKind::Fifo,
            other => TarKind::Other(other),
        };
        // Links, folders and devices have no content whatever their size field says, as in GNU tar and Go.
        let size = match kind {
            TarKind::File | TarKind::Other(_) => match next.size.or(self.global.size) {
                Some(size) => size,
                None => header.entry_size().map_err(|_| TarError::Header(at))?,
            },
            _ => 0,
        };
        let logical_size = match (block[156], next.logical_size) {
            (_, Some(logical)) if logical <= MAX_FILE => logical,
            (b'S', None) => octal_or_binary(&block[483..495]).filter(|&l| l <= MAX_FILE).unwrap_or(size),
            _ => size,
        };
        let device =
            (header.device_major().ok().flatten().unwrap_or(0), header.device_minor().ok().flatten().unwrap_or(0));
        let mode = header.mode().unwrap_or(0) & 0o7777;
        self.entries += 1;
        visit.entry(&TarEntry {
            path: &path,
            link: &link,
            kind,
            size,
            logical_size,
            mode,
            device,
            offset: self.offset,
        });
        self.remaining = size;
        self.padding = padding_of(size);
        if size == 0 {
            visit.end();
            self.state = State::Header;
        } else {
            self.state = State::Content;
        }
        Ok(())
    }

    fn extended(&mut self, kind: u8) -> Result<(), TarError> {
        let text = || {
            let end = self.extension.iter().position(|&b| b == 0).unwrap_or(self.extension.len());
            self.extension[..end].to_vec()
        };
        match kind {
            b'L' => self.next.path = Some(text()),
            b'K' => self.next.link = Some(text()),
            _ => {
                let into = if kind == b'g' { &mut self.global } else { &mut self.next };
                for record in tar::PaxExtensions::new(&self.extension) {
                    let record = record.map_err(|_| TarError::Extension(self.offset))?;
                    let (key, value) = (record.key_bytes(), record.value_bytes());
                    let number = || std::str::from_utf8(value).ok().and_then(|v| v.trim().parse::<u64>().ok());
                    match key {
                        b"path" | b"GNU.sparse.name" => into.path = Some(value.to_vec()),
                        b"linkpath" => into.link = Some(value.to_vec()),
                        b"size" => into.size = Some(number().ok_or(TarError::Extension(self.offset))?),
                        b"GNU.sparse.realsize" | b"GNU.sparse.size" => into.logical_size = number(),
                        _ => {}
                    }
                }
            }
        }
        self.extension.clear();
        self.extension.shrink_to(64 << 10);
        Ok(())
    }
}

fn padding_of(size: u64) -> u64 {
    (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64
}

/// Old tars summed signed bytes; both sums are taken.
fn checksum_holds(block: &[u8; BLOCK]) -> bool {
    let Ok(want) = tar::Header::from_byte_slice(block).cksum() else { return false };
    let (mut unsigned, mut signed) = (8 * 32u32, 8 * 32i32);
    for &byte in block[..148].iter().chain(&block[156..]) {
        unsigned += u32::from(byte);
        signed += i32::from(byte as i8);
    }
    want == unsigned || i64::from(want) == i64::from(signed)
}

fn octal_or_binary(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let tail = &field[field.len() - 8..];
        return Some(u64::from_be_bytes(tail.try_into().ok()?));
    }
    let text = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Entry = (Vec<u8>, TarKind, u64, Vec<u8>);

    #[derive(Default)]
    struct Seen(Vec<Entry>);
    impl Visit for Seen {
        fn entry(&mut self, e: &TarEntry<'_>) {
            self.0.push((e.path.to_vec(), e.kind, e.logical_size, Vec::new()));
        }
        fn data(&mut self, bytes: &[u8]) {
            self.0.last_mut().unwrap().3.extend_from_slice(bytes);
        }
        fn end(&mut self) {}
    }

    fn scan(bytes: &[u8], piece: usize) -> (Vec<Entry>, Result<(), TarError>) {
        let (mut scanner, mut seen) = (Scanner::default(), Seen::default());
        for chunk in bytes.chunks(piece) {
            if let Err(e) = scanner.push(chunk, &mut seen) {
                return (seen.0, Err(e));
            }
        }
        (seen.0, scanner.finish())
    }

    fn archive(long: &str) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, body) in [("a/b", &b"hello"[..]), (long, b""), ("z", &[7u8; 1500])] {
            let mut header = tar::Header::new_gnu();
            header.set_size(body.len() as u64);
            header.set_mode(0o755);
            builder.append_data(&mut header, name, body).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn entries_are_the_same_however_the_stream_is_cut() {
        let long = "x/".repeat(90) + "end";
        let bytes = archive(&long);
        let (whole, end) = scan(&bytes, bytes.len());
        assert_eq!(end, Ok(()));
        assert_eq!(whole.len(), 3);
        assert_eq!(whole[0], (b"a/b".to_vec(), TarKind::File, 5, b"hello".to_vec()));
        assert_eq!(whole[1].0, long.as_bytes());
        assert_eq!(whole[2].3.len(), 1500);
        for piece in [1, 7, 511, 512, 513] {
            assert_eq!(scan(&bytes, piece).0, whole, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_cut_stream_is_told_from_a_whole_one() {
        let bytes = archive("m");
        for cut in [100, 514, 1536 + 100, bytes.len() - 1024 - 300] {
            assert!(matches!(scan(&bytes[..cut], 512).1, Err(TarError::Truncated(_))), "cut at {cut}");
        }
        assert_eq!(scan(&bytes[..bytes.len() - 1024], 512).1, Ok(()), "a missing end mark is forgiven");
        assert_eq!(scan(&[], 512).1, Err(TarError::Truncated(0)));
    }

    #[test]
    fn pax_headers_give_size_and_path() {
        let mut builder = tar::Builder::new(Vec::new());
        builder.append_pax_extensions([("path", &b"caf\xe9"[..]), ("size", b"3")]).unwrap();
        let mut header = tar::Header::new_ustar();
        header.set_path("short").unwrap();
        header.set_size(0);
        header.set_cksum();
        let mut bytes = builder.into_inner().unwrap();
        bytes.truncate(1024);
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(b"abc");
        bytes.resize(bytes.len() + 509 + 1024, 0);
        let (seen, end) = scan(&bytes, 100);
        assert_eq!(end, Ok(()));
        assert_eq!(seen, [(b"caf\xe9".to_vec(), TarKind::File, 3, b"abc".to_vec())]);
    }

    #[test]
    fn an_endless_long_name_is_refused_before_it_is_read() {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::GNULongName);
        header.set_size(10 << 30);
        header.set_cksum();
        assert_eq!(scan(header.as_bytes(), 512).1, Err(TarError::Extension(0)));
    }

    #[test]
    fn a_sparse_map_that_goes_on_is_passed_over() {
        let mut header = tar::Header::new_gnu();
        header.set_path("sparse").unwrap();
        header.set_entry_type(tar::EntryType::GNUSparse);
        header.set_size(512);
        {
            let gnu = header.as_gnu_mut().unwrap();
            gnu.isextended = [1];
            gnu.realsize.copy_from_slice(b"00000100000\0");
        }
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.resize(1024, 0);
        bytes.extend_from_slice(&[9; 512]);
        bytes.resize(bytes.len() + 1024, 0);
        let (seen, end) = scan(&bytes, 300);
        assert_eq!(end, Ok(()));
        assert_eq!(seen, [(b"sparse".to_vec(), TarKind::File, 0o100000, vec![9; 512])]);
    }

    #[test]
    fn text_is_no_tar() {
        assert_eq!(scan(&[b'a'; 2000], 512).1, Err(TarError::Header(0)));
    }
}
