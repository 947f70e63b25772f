//! Where an image's blobs are: a folder, an archive that can be gone about in, or the yield of a stream.

use super::layer::{self, Compression, PushedLayer, Scanned};
use crate::inspect::paths::Paths;
use crate::inspect::tarscan::{Scanner, TarEntry, TarKind, Visit};
use crate::inspect::{InspectError, Limits, Problem};
use crate::phrase;
use crate::phrase::Phrase;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Names in the outer archive that are longer belong to no image.
const MAX_NAME: usize = 1024;
/// JSON kept from a stream, where it is not known yet what is needed.
const MAX_KEPT_JSON: usize = 16 << 20;

/// How much of a stream is kept as it goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The lengths of all blobs.
    Sizes,
    /// What lies in the layers, too.
    Layers,
}

/// A source of blobs.
pub(crate) struct Store {
    blobs: Blobs,
    problems: Vec<Problem>,
    cut: Option<Phrase>,
}

enum Blobs {
    Folder(PathBuf),
    Archive {
        path: PathBuf,
        file: Arc<File>,
        members: HashMap<Vec<u8>, Member>,
    },
    Streamed {
        json: HashMap<Vec<u8>, Vec<u8>>,
        layers: HashMap<Vec<u8>, Scanned>,
        lengths: HashMap<Vec<u8>, u64>,
        links: HashMap<Vec<u8>, Vec<u8>>,
        paths: Option<Box<Paths>>,
    },
}

/// A blob's bytes, and the file they come from.
type Opened = (Section, PathBuf);

enum Member {
    Content { offset: u64, size: u64 },
    Link(Vec<u8>),
}

/// A name without `./` in front; `..` is resolved within the archive.
fn plain(name: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in name.split(|&b| b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join(&b'/')
}

fn link_target(entry: &TarEntry<'_>) -> Vec<u8> {
    if entry.kind == TarKind::Hardlink || entry.link.starts_with(b"/") {
        return plain(entry.link);
    }
    let folder = entry.path.iter().rposition(|&b| b == b'/').map_or(&b""[..], |i| &entry.path[..i]);
    plain(&[folder, b"/", entry.link].concat())
}

/// The members of a seekable archive, found without reading their content.
struct Index {
    members: HashMap<Vec<u8>, Member>,
    max_members: usize,
    over: bool,
}

impl Visit for Index {
    fn entry(&mut self, entry: &TarEntry<'_>) {
        if entry.path.len() > MAX_NAME || entry.link.len() > MAX_NAME {
            return;
        }
        if self.members.len() >= self.max_members {
            self.over = true;
            return;
        }
        let member = match entry.kind {
            TarKind::File => Member::Content { offset: entry.offset, size: entry.size },
            TarKind::Symlink | TarKind::Hardlink => Member::Link(link_target(entry)),
            _ => return,
        };
        self.members.insert(plain(entry.path), member);
    }
    fn data(&mut self, _: &[u8]) {}
    fn end(&mut self) {}
}

/// A part of a file, with a place of its own to read at.
pub(crate) struct Section {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Section {
    /// Bytes that are left in it.
    pub fn length(&self) -> u64 {
        self.end - self.at
    }
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = (self.end - self.at).min(buffer.len() as u64) as usize;
        let n = self.file.read_at(&mut buffer[..most], self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Store {
    pub fn folder(path: &Path) -> Self {
        Store { blobs: Blobs::Folder(path.to_path_buf()), problems: Vec::new(), cut: None }
    }

    /// Opens an archive. One that is compressed as a whole is read through here and now.
    pub fn archive(path: &Path, depth: Depth, limits: &Limits) -> Result<Self, InspectError> {
        let io = |e| InspectError::io(path, e);
        let file = File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if !metadata.is_file() {
            return Self::stream(file, &path.display().to_string(), depth, limits);
        }
        let mut first = [0u8; 4];
        let n = file.read_at(&mut first, 0).map_err(io)?;
        if Compression::sniff(&first[..n]) != Compression::None {
            return Self::stream(file, &path.display().to_string(), depth, limits);
        }
        let mut scanner = Scanner::default();
        let mut index = Index { members: HashMap::new(), max_members: limits.max_members, over: false };
        let mut buffer = vec![0u8; 64 << 10];
        let mut cut = None;
        let length = metadata.len();
        while !scanner.ended() {
            let skip = scanner.skippable();
            if skip > 0 {
                if scanner.offset().saturating_add(skip) > length {
                    cut = Some(phrase!("the archive is cut off after {n} bytes", n = length));
                    break;
                }
                scanner.skip(skip, &mut index);
                continue;
            }
            // Headers are small and far apart; one block each, more only when they follow one another.
            let n = file.read_at(&mut buffer[..512], scanner.offset()).map_err(io)?;
            if n == 0 {
                cut = scanner.finish().err().map(Phrase::from);
                break;
            }
            if let Err(e) = scanner.push(&buffer[..n], &mut index) {
                if scanner.entries() == 0 {
                    return Err(InspectError::format(
                        path.display().to_string(),
                        phrase!("no image archive: {what}", what = Phrase::from(e)),
                    ));
                }
                cut = Some(e.into());
                break;
            }
        }
        if index.over {
            let what = phrase!("more than {n} members", n = limits.max_members);
            return Err(InspectError::format(path.display().to_string(), what));
        }
        let problems = cut.iter().map(|c| Problem::new("archive", c.clone())).collect();
        let blobs = Blobs::Archive { path: path.to_path_buf(), file: Arc::new(file), members: index.members };
        Ok(Store { blobs, problems, cut })
    }

    /// Reads an archive from front to back and keeps what may be needed: JSON as it is, layers as their listings.
    pub fn stream(reader: impl Read + Send, label: &str, depth: Depth, limits: &Limits) -> Result<Self, InspectError> {
        let mut outer = Outer {
            depth,
            limits: limits.clone(),
            paths: Some(Paths::new(limits.max_paths, limits.max_name_bytes)),
            max_entries: limits.max_paths + limits.max_paths / 2,
            kept_json: 0,
            json: HashMap::new(),
            layers: HashMap::new(),
            lengths: HashMap::new(),
            links: HashMap::new(),
            members: 0,
            state: Passing::None,
            budget: limits.max_uncompressed,
            problem: None,
        };
        let mut scanner = Scanner::default();
        let mut bad = None;
        let decoded = layer::decode(reader, false, limits, |bytes| {
            if let Err(e) = scanner.push(bytes, &mut outer) {
                bad = Some(e);
            }
            bad.is_none() && outer.problem.is_none() && !scanner.ended()
        })
        .map_err(|e| InspectError::io(label, e))?;
        outer.close(false);
        if let Some(problem) = outer.problem {
            return Err(InspectError::format(label, problem));
        }
        if scanner.entries() == 0 {
            let what = decoded.cut.or(bad.map(Phrase::from)).unwrap_or_else(|| "it is empty".into());
            return Err(InspectError::format(label, phrase!("no image archive: {what}", what)));
        }
        let cut = decoded.cut.or(bad.map(Phrase::from)).or_else(|| scanner.finish().err().map(Phrase::from));
        let problems = cut.iter().map(|c| Problem::new("archive", c.clone())).collect();
        let Outer { json, layers, lengths, links, paths, .. } = outer;
        let blobs = Blobs::Streamed { json, layers, lengths, links, paths: paths.map(Box::new) };
        Ok(Store { blobs, problems, cut })
    }

    pub fn is_folder(&self) -> bool {
        matches!(self.blobs, Blobs::Folder(_))
    }

    pub fn cut(&self) -> Option<&Phrase> {
        self.cut.as_ref()
    }

    pub fn take_problems(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.problems)
    }

    /// The names that a stream's layers use.
    pub fn take_paths(&mut self) -> Option<Paths> {
        match &mut self.blobs {
            Blobs::Streamed { paths, .. } => paths.take().map(|paths| *paths),
            _ => None,
        }
    }

    /// A small blob as bytes; nothing when it is not there.
    pub fn json(&mut self, name: &str, limits: &Limits) -> Result<Option<Vec<u8>>, InspectError> {
        match &self.blobs {
            Blobs::Streamed { json, links, .. } => {
                Ok(follow(plain(name.as_bytes()), |n| links.get(n)).and_then(|n| json.get(&n)).cloned())
            }
            _ => {
                let Some((mut reader, path)) = self.open(name)? else { return Ok(None) };
                let size = reader.length();
                if size > limits.max_json {
                    let most = limits.max_json;
                    let what =
                        phrase!("{name} has {n} bytes, more than the {most} that are read", name, n = size, most);
                    return Err(InspectError::format(path.display().to_string(), what));
                }
                let mut bytes = Vec::with_capacity(size as usize);
                let n = reader.by_ref().take(size).read_to_end(&mut bytes).map_err(|e| InspectError::io(&path, e))?;
                // A blob that is cut off is as good as none.
                Ok((n as u64 == size).then_some(bytes))
            }
        }
    }

    /// Scans a layer; nothing when it is not there. Its digests are not taken when they are `known` from elsewhere.
    pub fn scan(
        &mut self,
        name: &str,
        known: bool,
        paths: &mut Paths,
        limits: &Limits,
        max_entries: usize,
    ) -> Result<Option<Scanned>, InspectError> {
        if let Blobs::Streamed { layers, links, .. } = &mut self.blobs {
            return Ok(follow(plain(name.as_bytes()), |n| links.get(n)).and_then(|n| layers.remove(&n)));
        }
        let Some((reader, path)) = self.open(name)? else { return Ok(None) };
        let size = reader.length();
        let scan = if known { layer::list::<Section> } else { layer::scan::<Section> };
        let mut scanned = scan(reader, paths, limits, max_entries).map_err(|e| InspectError::io(&path, e))?;
        if scanned.stored < size && scanned.cut.is_none() {
            scanned.cut = Some("cut off".into());
            scanned.problems.push(phrase!("cut off after {n} of {size} bytes", n = scanned.stored, size));
        }
        Ok(Some(scanned))
    }

    /// The blobs of these names that are stored plain, where the source can be read at several places at once. One of
    /// more than `max` bytes is left out, since it is not read to its end.
    pub fn plain_blobs(&self, names: &HashSet<&str>, max: u64) -> Vec<(String, Section)> {
        let mut blobs = Vec::new();
        for name in names {
            let Ok(Some((section, _))) = self.open(name) else { continue };
            let mut first = [0u8; 4];
            let n = section.file.read_at(&mut first, section.at).unwrap_or(0);
            if Compression::sniff(&first[..n]) == Compression::None && section.length() <= max {
                blobs.push((name.to_string(), section));
            }
        }
        blobs
    }

    /// A blob's own name, links followed, and its length; nothing when it is not there.
    pub fn length(&self, name: &str) -> Result<Option<(Vec<u8>, u64)>, InspectError> {
        let own = plain(name.as_bytes());
        let found = match &self.blobs {
            Blobs::Folder(_) => self.open(name)?.map(|(section, _)| (own, section.length())),
            Blobs::Archive { members, .. } => self.member(name).and_then(|own| match members.get(&own) {
                Some(&Member::Content { size, .. }) => Some((own, size)),
                _ => None,
            }),
            Blobs::Streamed { lengths, links, .. } => {
                follow(own, |n| links.get(n)).and_then(|own| lengths.get(&own).map(|&size| (own, size)))
            }
        };
        Ok(found)
    }

    /// The member of an archive that a name stands for, links followed.
    fn member(&self, name: &str) -> Option<Vec<u8>> {
        let Blobs::Archive { members, .. } = &self.blobs else { return None };
        follow(plain(name.as_bytes()), |n| match members.get(n) {
            Some(Member::Link(target)) => Some(target),
            _ => None,
        })
    }

    fn open(&self, name: &str) -> Result<Option<Opened>, InspectError> {
        match &self.blobs {
            Blobs::Folder(folder) => {
                let inside = !name.is_empty() && !name.starts_with('/') && name.split('/').all(|part| part != "..");
                if !inside {
                    let name = name.escape_debug().to_string();
                    let what = phrase!("'{name}' leads out of the image's folder", name);
                    return Err(InspectError::format(folder.display().to_string(), what));
                }
                let path = folder.join(name);
                match std::fs::metadata(&path) {
                    Ok(metadata) if metadata.is_file() => {
                        let file = File::open(&path).map_err(|e| InspectError::io(&path, e))?;
                        Ok(Some((Section { file: Arc::new(file), at: 0, end: metadata.len() }, path)))
                    }
                    Ok(_) => Err(InspectError::format(path.display().to_string(), "no regular file")),
                    Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
                    Err(e) => Err(InspectError::io(path, e)),
                }
            }
            Blobs::Archive { path, file, members } => match self.member(name).and_then(|n| members.get(&n)) {
                Some(&Member::Content { offset, size }) => {
                    let section = Section { file: Arc::clone(file), at: offset, end: offset.saturating_add(size) };
                    Ok(Some((section, path.clone())))
                }
                _ => Ok(None),
            },
            Blobs::Streamed { .. } => Ok(None),
        }
    }
}

/// Follows links between members; nothing when they go in a circle.
fn follow<'a>(mut name: Vec<u8>, link: impl Fn(&[u8]) -> Option<&'a Vec<u8>>) -> Option<Vec<u8>> {
    for _ in 0..16 {
        match link(&name) {
            Some(target) => name.clone_from(target),
            None => return Some(name),
        }
    }
    None
}

/// What becomes of the members of a streamed archive.
struct Outer {
    depth: Depth,
    limits: Limits,
    /// Lent to the layer that is being scanned.
    paths: Option<Paths>,
    max_entries: usize,
    kept_json: usize,
    json: HashMap<Vec<u8>, Vec<u8>>,
    layers: HashMap<Vec<u8>, Scanned>,
    lengths: HashMap<Vec<u8>, u64>,
    links: HashMap<Vec<u8>, Vec<u8>>,
    members: usize,
    state: Passing,
    budget: u64,
    problem: Option<Phrase>,
}

/// The member that is going by.
enum Passing {
    None,
    /// Not enough of it seen to tell.
    Unknown {
        name: Vec<u8>,
        size: u64,
        head: Vec<u8>,
    },
    Json {
        name: Vec<u8>,
        bytes: Vec<u8>,
    },
    Layer {
        name: Vec<u8>,
        layer: Box<PushedLayer>,
    },
    Skipped,
}

impl Outer {
    /// Decides what a member is by its first bytes, at most one tar block of them.
    fn decide(&mut self, name: Vec<u8>, size: u64, head: Vec<u8>) -> Passing {
        let first = head.iter().find(|b| !b.is_ascii_whitespace());
        let compressed = Compression::sniff(&head) != Compression::None;
        let is_tar = head.len() == 512 && {
            let mut probe = Scanner::default();
            probe.push(&head, &mut Nobody).is_ok()
        };
        let empty_tar = name.ends_with(b".tar") && head.len() == 512;
        if matches!(first, Some(b'{' | b'[')) && !is_tar {
            if size <= self.limits.max_json && self.kept_json + size as usize <= MAX_KEPT_JSON {
                self.kept_json += size as usize;
                return Passing::Json { name, bytes: head };
            }
            return Passing::Skipped;
        }
        if self.depth == Depth::Sizes || !(compressed || is_tar || empty_tar) {
            return Passing::Skipped;
        }
        let Some(paths) = self.paths.take() else { return Passing::Skipped };
        let limits = Limits { max_uncompressed: self.budget, ..self.limits.clone() };
        match PushedLayer::new(&head, paths, &limits, self.max_entries) {
            Ok(mut layer) => {
                layer.push(&head);
                Passing::Layer { name, layer: Box::new(layer) }
            }
            Err(e) => {
                self.problem = Some(e.to_string().into());
                Passing::Skipped
            }
        }
    }

    fn close(&mut self, whole: bool) {
        match std::mem::replace(&mut self.state, Passing::None) {
            Passing::Unknown { name, size, head } => {
                self.state = self.decide(name, size, head);
                if !matches!(self.state, Passing::Unknown { .. }) {
                    self.close(whole);
                }
            }
            Passing::Json { name, bytes } if whole => {
                self.json.insert(name, bytes);
            }
            Passing::Layer { name, layer } => {
                let (scanned, paths) = layer.finish(whole);
                self.paths = Some(paths);
                self.max_entries = self.max_entries.saturating_sub(scanned.listing.entries.len());
                self.budget = self.budget.saturating_sub(scanned.uncompressed);
                self.layers.insert(name, scanned);
            }
            _ => {}
        }
    }
}

struct Nobody;
impl Visit for Nobody {
    fn entry(&mut self, _: &TarEntry<'_>) {}
    fn data(&mut self, _: &[u8]) {}
    fn end(&mut self) {}
}

impl Visit for Outer {
    fn entry(&mut self, entry: &TarEntry<'_>) {
        self.state = Passing::Skipped;
        if entry.path.len() > MAX_NAME || entry.link.len() > MAX_NAME {
            return;
        }
        if !matches!(entry.kind, TarKind::File | TarKind::Symlink | TarKind::Hardlink) {
            return;
        }
        self.members += 1;
        if self.members > self.limits.max_members {
            self.problem = Some(phrase!("more than {n} members", n = self.limits.max_members));
            return;
        }
        if entry.kind == TarKind::File {
            self.lengths.insert(plain(entry.path), entry.size);
            self.state = Passing::Unknown { name: plain(entry.path), size: entry.size, head: Vec::new() };
        } else {
            self.links.insert(plain(entry.path), link_target(entry));
        }
    }

    fn data(&mut self, mut bytes: &[u8]) {
        if let Passing::Unknown { head, .. } = &mut self.state {
            let take = bytes.len().min(512 - head.len());
            head.extend_from_slice(&bytes[..take]);
            bytes = &bytes[take..];
            if head.len() < 512 {
                return;
            }
            if let Passing::Unknown { name, size, head } = std::mem::replace(&mut self.state, Passing::Skipped) {
                self.state = self.decide(name, size, head);
            }
        }
        match &mut self.state {
            Passing::Json { bytes: kept, .. } => kept.extend_from_slice(bytes),
            Passing::Layer { layer, .. } if !bytes.is_empty() => layer.push(bytes),
            _ => {}
        }
    }

    fn end(&mut self) {
        self.close(true);
    }
}
