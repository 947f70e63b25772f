//! What the finished image shows of each layer, and which bytes later layers made useless.
//!
//! Rules of the OCI layer specification: a whiteout hides what lower layers have at its path and below, an opaque mark
//! hides all that lower layers have in its folder, and neither touches its own layer.

use super::Layer;
use crate::inspect::paths::{Entry, Kind, PathId, Paths};

/// Why bytes of a layer are not seen in the finished image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// Removed in a later layer.
    Deleted,
    /// Replaced by other content.
    Overwritten,
    /// Replaced by the same content: a `chmod`, `chown` or `touch` copies the whole file into the later layer. Told
    /// by size and CRC-32.
    Rewritten,
}

/// Bytes that a later layer made useless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wasted {
    /// The file.
    pub path: PathId,
    /// Its size in the layer that holds the useless copy.
    pub bytes: u64,
    /// The number of that layer, from 1.
    pub layer: usize,
    /// The number of the layer that made it useless.
    pub by: usize,
    /// What it did.
    pub how: How,
}

const NOBODY: u32 = u32::MAX;

struct Overlay<'a> {
    paths: &'a Paths,
    first_child: Vec<u32>,
    next_sibling: Vec<u32>,
    /// The layer and the entry that hold a path.
    holder: Vec<(u32, u32)>,
    /// Paths held in each subtree, so that nothing empty is ever walked.
    live: Vec<u32>,
}

impl<'a> Overlay<'a> {
    fn new(paths: &'a Paths) -> Self {
        let n = paths.len();
        let (mut first_child, mut next_sibling) = (vec![NOBODY; n], vec![NOBODY; n]);
        for id in paths.ids() {
            let parent = paths.parent(id).index();
            next_sibling[id.index()] = first_child[parent];
            first_child[parent] = id.index() as u32;
        }
        Overlay { paths, first_child, next_sibling, holder: vec![(NOBODY, NOBODY); n], live: vec![0; n] }
    }

    fn count(&mut self, id: PathId, up: bool) {
        let mut at = id;
        loop {
            let live = &mut self.live[at.index()];
            *live = if up { *live + 1 } else { *live - 1 };
            if at == PathId::ROOT {
                break;
            }
            at = self.paths.parent(at);
        }
    }

    fn hold(&mut self, id: PathId, layer: usize, entry: usize) {
        if self.holder[id.index()].0 == NOBODY {
            self.count(id, true);
        }
        self.holder[id.index()] = (layer as u32, entry as u32);
    }

    /// Lets go of a path and tells who held it.
    fn release(&mut self, id: PathId) -> Option<(usize, usize)> {
        let (layer, entry) = std::mem::replace(&mut self.holder[id.index()], (NOBODY, NOBODY));
        if layer == NOBODY {
            return None;
        }
        self.count(id, false);
        Some((layer as usize, entry as usize))
    }

    /// All that is held below a path, the path itself left out.
    fn held_below(&self, id: PathId) -> Vec<PathId> {
        let mut found = Vec::new();
        let mut stack = vec![id.index() as u32];
        while let Some(at) = stack.pop() {
            let mut child = self.first_child[at as usize];
            while child != NOBODY {
                if self.live[child as usize] > 0 {
                    if self.holder[child as usize].0 != NOBODY {
                        found.push(PathId(child));
                    }
                    stack.push(child);
                }
                child = self.next_sibling[child as usize];
            }
        }
        found
    }
}

/// Fills in [`Layer::unique`], and lists the useless bytes, the largest first.
pub(crate) fn resolve(paths: &Paths, layers: &mut [Layer]) -> Vec<Wasted> {
    let mut overlay = Overlay::new(paths);
    let mut wasted: Vec<Wasted> = Vec::new();
    for number in 0..layers.len() {
        let (lower, rest) = layers.split_at(number);
        let layer = &rest[0];
        let mut lose = |overlay: &mut Overlay<'_>, id: PathId, by: Option<&Entry>| {
            let Some((from, entry)) = overlay.release(id) else { return };
            let old = lower[from].listing.entries[entry];
            if old.kind != Kind::File || old.size == 0 {
                return;
            }
            let how = match by {
                None => How::Deleted,
                Some(new) if new.kind == Kind::File && new.size == old.size && new.crc == old.crc => How::Rewritten,
                Some(_) => How::Overwritten,
            };
            wasted.push(Wasted { path: id, bytes: old.size, layer: from + 1, by: number + 1, how });
        };
        for entry in &layer.listing.entries {
            match entry.kind {
                Kind::Opaque | Kind::Whiteout => {
                    for id in overlay.held_below(entry.path) {
                        lose(&mut overlay, id, None);
                    }
                    if entry.kind == Kind::Whiteout {
                        lose(&mut overlay, entry.path, None);
                    }
                }
                Kind::Folder => lose(&mut overlay, entry.path, Some(entry)),
                _ => {
                    if overlay.live[entry.path.index()] > 0 {
                        for id in overlay.held_below(entry.path) {
                            lose(&mut overlay, id, Some(entry));
                        }
                        lose(&mut overlay, entry.path, Some(entry));
                    }
                }
            }
        }
        for (i, entry) in layer.listing.entries.iter().enumerate() {
            if !matches!(entry.kind, Kind::Opaque | Kind::Whiteout) {
                overlay.hold(entry.path, number, i);
            }
        }
    }
    let mut lost = vec![0u64; layers.len()];
    for w in &wasted {
        let slot = &mut lost[w.layer - 1];
        *slot = slot.saturating_add(w.bytes);
    }
    for (layer, lost) in layers.iter_mut().zip(lost) {
        layer.unique = layer.file_bytes.saturating_sub(lost).saturating_sub(layer.listing.shadowed);
    }
    wasted.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| (a.path, a.layer).cmp(&(b.path, b.layer))));
    wasted
}
