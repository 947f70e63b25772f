//! Many names in little memory: paths as a tree of interned components, and listings of what lies at them.
//!
//! Names are bytes, since tar and Unix have no other idea of them; they become text only when shown. A path costs
//! about 25 bytes and its last component; an entry 24 bytes.

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::BuildHasher;

/// A path in a [`Paths`]; only meaningful there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathId(pub(crate) u32);

impl PathId {
    /// The top: the empty path.
    pub const ROOT: PathId = PathId(0);
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Debug, Clone, Copy)]
struct Node {
    parent: u32,
    start: u32,
    len: u16,
}

/// Interned paths. A component longer than 65535 bytes is cut.
#[derive(Debug)]
pub struct Paths {
    nodes: Vec<Node>,
    names: Vec<u8>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    max_paths: usize,
    max_name_bytes: usize,
}

impl Default for Paths {
    fn default() -> Self {
        Paths::new(usize::MAX, usize::MAX)
    }
}

impl Paths {
    /// An empty set that takes at most so many paths and bytes of names.
    pub fn new(max_paths: usize, max_name_bytes: usize) -> Self {
        Paths {
            nodes: vec![Node { parent: 0, start: 0, len: 0 }],
            names: Vec::new(),
            index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            max_paths: max_paths.min(u32::MAX as usize - 1),
            max_name_bytes: max_name_bytes.min(u32::MAX as usize - 1),
        }
    }

    /// How many paths there are, the top included.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is nothing but the top.
    pub fn is_empty(&self) -> bool {
        self.nodes.len() == 1
    }

    /// The folder that a path lies in; the top is its own.
    pub fn parent(&self, id: PathId) -> PathId {
        PathId(self.nodes[id.index()].parent)
    }

    /// The last component.
    pub fn name(&self, id: PathId) -> &[u8] {
        let node = self.nodes[id.index()];
        &self.names[node.start as usize..node.start as usize + node.len as usize]
    }

    fn hash(&self, parent: u32, name: &[u8]) -> u64 {
        self.hasher.hash_one((parent, name))
    }

    /// Makes room for so many more paths, as far as the limits allow.
    pub fn reserve(&mut self, more: usize) {
        let more = more.min(self.max_paths.saturating_sub(self.nodes.len()));
        self.nodes.reserve(more);
        let (nodes, names, hasher) = (&self.nodes, &self.names, &self.hasher);
        self.index.reserve(more, |&i| {
            let node = nodes[i as usize];
            hasher.hash_one((node.parent, &names[node.start as usize..node.start as usize + node.len as usize]))
        });
    }

    /// The path `name` in the folder `parent`, if it is known.
    pub fn child(&self, parent: PathId, name: &[u8]) -> Option<PathId> {
        let name = &name[..name.len().min(u16::MAX as usize)];
        let hash = self.hash(parent.0, name);
        self.index
            .find(hash, |&i| self.nodes[i as usize].parent == parent.0 && self.name(PathId(i)) == name)
            .map(|&i| PathId(i))
    }

    /// The path `name` in the folder `parent`, made if need be; nothing when full.
    pub fn intern_child(&mut self, parent: PathId, name: &[u8]) -> Option<PathId> {
        let name = &name[..name.len().min(u16::MAX as usize)];
        let hash = self.hash(parent.0, name);
        let found = self
            .index
            .find(hash, |&i| self.nodes[i as usize].parent == parent.0 && self.name(PathId(i)) == name)
            .copied();
        if let Some(i) = found {
            return Some(PathId(i));
        }
        if self.nodes.len() > self.max_paths || self.names.len() + name.len() > self.max_name_bytes {
            return None;
        }
        let id = self.nodes.len() as u32;
        self.nodes.push(Node { parent: parent.0, start: self.names.len() as u32, len: name.len() as u16 });
        self.names.extend_from_slice(name);
        let (nodes, names, hasher) = (&self.nodes, &self.names, &self.hasher);
        self.index.insert_unique(hash, id, |&i| {
            let node = nodes[i as usize];
            hasher.hash_one((node.parent, &names[node.start as usize..node.start as usize + node.len as usize]))
        });
        Some(PathId(id))
    }

    /// The path of slash-separated bytes, made if need be. `Err` is the deepest folder that still fitted.
    /// Empty and `.` components are dropped and `..` goes up, but never above the top.
    pub fn intern(&mut self, path: &[u8]) -> Result<PathId, PathId> {
        let mut at = PathId::ROOT;
        for name in path.split(|&b| b == b'/') {
            match name {
                b"" | b"." => {}
                b".." => at = self.parent(at),
                name => at = self.intern_child(at, name).ok_or(at)?,
            }
        }
        Ok(at)
    }

    /// The path of slash-separated bytes, if it is known.
    pub fn find(&self, path: &[u8]) -> Option<PathId> {
        let mut at = PathId::ROOT;
        for name in path.split(|&b| b == b'/') {
            match name {
                b"" | b"." => {}
                b".." => at = self.parent(at),
                name => at = self.child(at, name)?,
            }
        }
        Some(at)
    }

    /// The components from the top down.
    pub fn components(&self, id: PathId) -> Vec<&[u8]> {
        let mut parts = Vec::new();
        let mut at = id;
        while at != PathId::ROOT {
            parts.push(self.name(at));
            at = self.parent(at);
        }
        parts.reverse();
        parts
    }

    /// The whole path as bytes, no slash in front.
    pub fn bytes(&self, id: PathId) -> Vec<u8> {
        self.components(id).join(&b'/')
    }

    /// The whole path for people: a slash in front, bytes that are not UTF-8 replaced, control characters escaped.
    pub fn show(&self, id: PathId) -> String {
        format!("/{}", show_name(&self.bytes(id)))
    }

    /// Every path but the top, parents before their children.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = PathId> + use<> {
        (1..self.nodes.len() as u32).map(PathId)
    }
}

/// Bytes of a name for people: what is not UTF-8 is replaced, control characters are escaped.
pub fn show_name(name: &[u8]) -> String {
    let text: Cow<'_, str> = String::from_utf8_lossy(name);
    if !text.contains(char::is_control) {
        return text.into_owned();
    }
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link; never followed.
    Symlink,
    /// Another name of a file in the same layer.
    Hardlink,
    /// A character or block device.
    Device,
    /// A named pipe.
    Fifo,
    /// A file of a lower layer that is removed here (`.wh.name`); the entry's path is the removed one.
    Whiteout,
    /// A folder whose content in lower layers is hidden (`.wh..wh..opq`); the entry's path is the folder.
    Opaque,
}

/// One thing in a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Where.
    pub path: PathId,
    /// What.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u16,
    /// Bytes of content; of a symbolic link, the length of its target, which counts in no sum of files.
    pub size: u64,
    /// CRC-32 of the content, to tell whether it changed; 0 where the content was not read.
    pub crc: u32,
}

/// What was not kept by name below a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spill {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The entries of one layer, folder or archive, with exact totals even where not every entry is kept by name.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Entries, in the order met; a path occurs once (and once more as a mark), and the last mention wins.
    pub entries: Vec<Entry>,
    /// What was not kept by name, under the deepest folder that was.
    pub spill: BTreeMap<PathId, Spill>,
    /// Files, kept by name or not.
    pub files: u64,
    /// Bytes of their content, earlier mentions of a path included.
    pub bytes: u64,
    /// Bytes of earlier mentions of a path that a later mention in the same listing replaced.
    pub shadowed: u64,
}

impl Listing {
    /// Whether some entries are only summed up.
    pub fn is_partial(&self) -> bool {
        !self.spill.is_empty()
    }
}

/// Fills a [`Listing`], keeping each path once.
#[derive(Debug, Default)]
pub struct ListingBuilder {
    listing: Listing,
    /// Entry number by path, and by whether it is a mark: a file may stand beside the whiteout of its forerunner.
    place: HashMap<(u32, bool), u32>,
    max_entries: usize,
}

impl ListingBuilder {
    /// A listing that keeps at most so many entries by name.
    pub fn new(max_entries: usize) -> Self {
        ListingBuilder { max_entries, ..Default::default() }
    }

    /// How many entries are kept by name.
    pub fn len(&self) -> usize {
        self.listing.entries.len()
    }

    /// Whether nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.listing.entries.is_empty()
    }

    /// Adds an entry. `at` is what [`Paths::intern`] answered: an `Err` is summed up under its folder.
    pub fn add(&mut self, at: Result<PathId, PathId>, parent: PathId, kind: Kind, mode: u16, size: u64, crc: u32) {
        if kind == Kind::File {
            self.listing.files += 1;
            self.listing.bytes = self.listing.bytes.saturating_add(size);
        }
        let spill = match at {
            Err(folder) => folder,
            Ok(path) => {
                let entry = Entry { path, kind, mode, size, crc };
                let key = (path.0, matches!(kind, Kind::Whiteout | Kind::Opaque));
                if let Some(&i) = self.place.get(&key) {
                    let old = std::mem::replace(&mut self.listing.entries[i as usize], entry);
                    if old.kind == Kind::File {
                        self.listing.shadowed = self.listing.shadowed.saturating_add(old.size);
                    }
                    return;
                }
                if self.listing.entries.len() < self.max_entries {
                    self.place.insert(key, self.listing.entries.len() as u32);
                    self.listing.entries.push(entry);
                    return;
                }
                parent
            }
        };
        let spill = self.listing.spill.entry(spill).or_default();
        if kind == Kind::File {
            spill.files += 1;
            spill.bytes = spill.bytes.saturating_add(size);
        }
    }

    /// Adds an entry whose path was not added before and will not be again, as in a folder of a file system.
    pub fn add_only(&mut self, at: Result<PathId, PathId>, parent: PathId, entry: Entry) {
        match at {
            Ok(path) if self.listing.entries.len() < self.max_entries => {
                if entry.kind == Kind::File {
                    self.listing.files += 1;
                    self.listing.bytes = self.listing.bytes.saturating_add(entry.size);
                }
                self.listing.entries.push(Entry { path, ..entry });
            }
            _ => self.add(Err(parent), parent, entry.kind, entry.mode, entry.size, entry.crc),
        }
    }

    /// The listing.
    pub fn finish(mut self) -> Listing {
        self.listing.entries.shrink_to_fit();
        self.listing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_again_and_never_leaves_the_top() {
        let mut paths = Paths::default();
        let a = paths.intern(b"/usr/./lib//x").unwrap();
        assert_eq!(paths.intern(b"usr/lib/x"), Ok(a));
        assert_eq!(paths.find(b"../../usr/bin/../lib/x"), None);
        assert_eq!(paths.intern(b"../../usr/lib/x"), Ok(a));
        assert_eq!(paths.show(a), "/usr/lib/x");
        assert_eq!(paths.find(b"usr/lib/y"), None);
    }

    #[test]
    fn names_that_are_not_utf8_stay_bytes_and_are_shown_lossy() {
        let mut paths = Paths::default();
        let a = paths.intern(b"caf\xe9\n").unwrap();
        assert_eq!(paths.bytes(a), b"caf\xe9\n");
        assert_eq!(paths.show(a), "/caf\u{fffd}\\n");
    }

    #[test]
    fn a_full_set_names_the_deepest_folder_that_fitted() {
        let mut paths = Paths::new(2, 1000);
        let folder = paths.intern(b"a/b").unwrap();
        assert_eq!(paths.intern(b"a/b/c/d"), Err(folder));
    }

    #[test]
    fn a_listing_keeps_exact_totals_when_entries_spill() {
        let mut paths = Paths::new(3, 1000);
        let mut listing = ListingBuilder::new(10);
        for i in 0..10u64 {
            let at = paths.intern(format!("d/{i}").as_bytes());
            let parent = paths.find(b"d").unwrap();
            listing.add(at, parent, Kind::File, 0o644, 100 + i, 0);
        }
        let listing = listing.finish();
        assert_eq!((listing.files, listing.bytes, listing.entries.len()), (10, 1045, 2));
        let named: u64 = listing.entries.iter().map(|e| e.size).sum();
        assert_eq!(named + listing.spill.values().map(|s| s.bytes).sum::<u64>(), listing.bytes);
    }

    #[test]
    fn the_last_mention_of_a_path_wins_and_the_first_is_counted_as_shadowed() {
        let mut paths = Paths::default();
        let mut listing = ListingBuilder::new(10);
        let at = paths.intern(b"x");
        listing.add(at, PathId::ROOT, Kind::File, 0o644, 5, 1);
        listing.add(at, PathId::ROOT, Kind::File, 0o644, 7, 2);
        let listing = listing.finish();
        assert_eq!((listing.entries.len(), listing.entries[0].size, listing.bytes, listing.shadowed), (1, 7, 12, 5));
    }
}
