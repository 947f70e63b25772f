//! Caches that package managers leave behind, and the one-line fix that is known to work for each.
//!
//! A fix is offered as the text of a hypothesis, to be measured like any other; it is never applied.

use super::image::Image;
use super::paths::{Kind, Listing, PathId, Paths};
use std::collections::BTreeMap;

/// What is known of one tool's cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Known {
    /// `pip`.
    pub tool: &'static str,
    /// The change, in one line.
    pub fix: &'static str,
}

const PIP: Known =
    Known { tool: "pip", fix: "add --no-cache-dir to pip install, or `&& pip cache purge` in the same RUN" };
const UV: Known = Known { tool: "uv", fix: "add --no-cache to uv sync or uv pip install, or set UV_NO_CACHE=1" };
const POETRY: Known =
    Known { tool: "poetry", fix: "append `&& rm -rf \"$(poetry config cache-dir)\"` to the RUN with poetry install" };
const APT: Known = Known {
    tool: "apt",
    fix: "append `&& apt-get clean && rm -rf /var/lib/apt/lists/*` to the RUN with apt-get install",
};
const APK: Known = Known { tool: "apk", fix: "use apk add --no-cache" };
const DNF: Known = Known { tool: "dnf", fix: "append `&& dnf clean all` to the RUN with dnf install" };
const NPM: Known = Known { tool: "npm", fix: "append `&& npm cache clean --force` to the RUN with npm ci" };
const YARN: Known = Known { tool: "yarn", fix: "append `&& yarn cache clean` to the RUN with yarn install" };
const PNPM: Known = Known {
    tool: "pnpm",
    fix: "use RUN --mount=type=cache,id=pnpm,target=/root/.local/share/pnpm/store with pnpm install",
};
const CARGO: Known = Known {
    tool: "cargo",
    fix: "use RUN --mount=type=cache,target=/usr/local/cargo/registry with cargo build, or copy only the binary from a build stage",
};
const CARGO_TARGET: Known = Known {
    tool: "cargo target",
    fix: "build with RUN --mount=type=cache,target=/app/target and copy the binary out in the same RUN",
};
const GO: Known = Known {
    tool: "go",
    fix: "append `&& go clean -cache -modcache` to the RUN with go build, or copy only the binary from a build stage",
};
const CONDA: Known = Known { tool: "conda", fix: "append `&& conda clean -afy` to the RUN with conda install" };
const PYCACHE: Known =
    Known { tool: "__pycache__", fix: "set ENV PYTHONDONTWRITEBYTECODE=1 and add --no-compile to pip install" };

/// The last components of a folder that is a cache. A slash in front anchors it at the top.
const FOLDERS: &[(&str, Known)] = &[
    (".cache/pip", PIP),
    (".cache/uv", UV),
    (".cache/pypoetry", POETRY),
    ("/var/lib/apt/lists", APT),
    ("/var/cache/apt", APT),
    ("/var/cache/apk", APK),
    ("/etc/apk/cache", APK),
    ("/var/cache/dnf", DNF),
    ("/var/cache/yum", DNF),
    ("/var/cache/libdnf5", DNF),
    (".npm/_cacache", NPM),
    (".cache/yarn", YARN),
    (".yarn/berry/cache", YARN),
    ("/usr/local/share/.cache", YARN),
    (".local/share/pnpm/store", PNPM),
    (".pnpm-store", PNPM),
    (".cache/pnpm", PNPM),
    ("cargo/registry", CARGO),
    ("cargo/git", CARGO),
    (".cargo/registry", CARGO),
    (".cargo/git", CARGO),
    (".cache/go-build", GO),
    ("go/pkg/mod", GO),
    ("__pycache__", PYCACHE),
];

/// A cache that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// What is known of it.
    pub known: Known,
    /// Its folder; of several `__pycache__`, the first.
    pub path: PathId,
    /// How many folders.
    pub folders: usize,
    /// Bytes of its files.
    pub bytes: u64,
    /// Files.
    pub files: u64,
    /// The number of the layer that it lies in, from 1; none outside images.
    pub layer: Option<usize>,
}

impl Cache {
    /// The fix as a hypothesis: `Layer 3 (RUN pip install) holds 1.20 GB of pip cache in /root/.cache/pip; …`.
    pub fn hypothesis(&self, paths: &Paths, place: &str) -> String {
        let size = crate::units::Unit::Bytes.show(self.bytes as f64);
        let more = if self.folders > 1 { format!(" and {} more folders", self.folders - 1) } else { String::new() };
        let (tool, fix) = (self.known.tool, self.known.fix);
        format!("{place} holds {size} of {tool} cache in {}{more}: {fix}", paths.show(self.path))
    }
}

/// For each path, the number of the rule and the folder that make it a cache.
fn marks(paths: &Paths) -> Vec<Option<(Known, PathId)>> {
    let mut marks: Vec<Option<(Known, PathId)>> = vec![None; paths.len()];
    for id in paths.ids() {
        let parent = marks[paths.parent(id).index()];
        marks[id.index()] = parent.or_else(|| rule(paths, id).map(|known| (known, id)));
    }
    marks
}

fn rule(paths: &Paths, id: PathId) -> Option<Known> {
    let name = paths.name(id);
    if name == b"pkgs" && paths.child(paths.parent(id), b"conda-meta").is_some() {
        return Some(CONDA);
    }
    if name == b"target" && paths.child(id, b".rustc_info.json").is_some() {
        return Some(CARGO_TARGET);
    }
    // What keeps apt and apk working without a cache lies in the same folders, and is no cache.
    let fits = |pattern: &str| {
        let (anchored, pattern) = match pattern.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (false, pattern),
        };
        let mut at = id;
        for part in pattern.rsplit('/') {
            if at == PathId::ROOT || paths.name(at) != part.as_bytes() {
                return false;
            }
            at = paths.parent(at);
        }
        !anchored || at == PathId::ROOT
    };
    FOLDERS.iter().find(|(pattern, _)| fits(pattern)).map(|(_, known)| *known)
}

fn collect(listing: &Listing, marks: &[Option<(Known, PathId)>], layer: Option<usize>) -> Vec<Cache> {
    let mut found: BTreeMap<(&str, PathId), (Known, u64, u64)> = BTreeMap::new();
    let mut add = |path: PathId, bytes: u64, files: u64| {
        if let Some((known, folder)) = marks[path.index()] {
            let slot = found.entry((known.tool, folder)).or_insert((known, 0, 0));
            slot.1 = slot.1.saturating_add(bytes);
            slot.2 += files;
        }
    };
    for entry in listing.entries.iter().filter(|e| e.kind == Kind::File) {
        add(entry.path, entry.size, 1);
    }
    for (&folder, spill) in &listing.spill {
        add(folder, spill.bytes, spill.files);
    }
    let mut caches: Vec<Cache> = Vec::new();
    for ((_, path), (known, bytes, files)) in found {
        match caches.iter_mut().find(|c| c.known == PYCACHE && known == PYCACHE) {
            Some(one) => {
                one.bytes = one.bytes.saturating_add(bytes);
                one.files += files;
                one.folders += 1;
            }
            None => caches.push(Cache { known, path, folders: 1, bytes, files, layer }),
        }
    }
    caches.retain(|c| c.bytes > 0);
    caches
}

/// Caches in a folder or archive, the largest first.
pub fn find(paths: &Paths, listing: &Listing) -> Vec<Cache> {
    let mut caches = collect(listing, &marks(paths), None);
    caches.sort_by_key(|c| std::cmp::Reverse(c.bytes));
    caches
}

/// Caches in each layer of an image, the largest first. What a later layer deletes still takes its place in the layer,
/// and is found all the same.
pub fn find_in_image(image: &Image) -> Vec<Cache> {
    let marks = marks(&image.paths);
    let mut caches: Vec<Cache> =
        image.layers.iter().flat_map(|l| collect(&l.listing, &marks, Some(l.number))).collect();
    caches.sort_by_key(|c| std::cmp::Reverse(c.bytes));
    caches
}

#[cfg(test)]
mod tests {
    use super::super::paths::ListingBuilder;
    use super::*;

    #[test]
    fn each_known_cache_is_found_once_with_its_fix() {
        let files: &[(&str, &str)] = &[
            ("root/.cache/pip/http/a/b", "pip"),
            ("root/.cache/uv/x", "uv"),
            ("home/u/.cache/pypoetry/x", "poetry"),
            ("var/lib/apt/lists/x", "apt"),
            ("var/cache/apk/x", "apk"),
            ("var/cache/dnf/x", "dnf"),
            ("root/.npm/_cacache/x", "npm"),
            ("usr/local/share/.cache/yarn/v6/x", "yarn"),
            ("root/.local/share/pnpm/store/x", "pnpm"),
            ("usr/local/cargo/registry/x", "cargo"),
            ("app/target/debug/x", "cargo target"),
            ("go/pkg/mod/x", "go"),
            ("opt/conda/pkgs/x", "conda"),
            ("usr/lib/python3/__pycache__/x", "__pycache__"),
            ("usr/lib/python3/y/__pycache__/x", "__pycache__"),
        ];
        let mut paths = Paths::default();
        let mut listing = ListingBuilder::new(100);
        let others = [
            "opt/conda/conda-meta/history",
            "app/target/.rustc_info.json",
            "srv/var/cache/apt/x",
            "pkgs/x",
            "target/x",
        ];
        for name in files.iter().map(|f| f.0).chain(others) {
            let at = paths.intern(name.as_bytes());
            listing.add(at, PathId::ROOT, Kind::File, 0o644, 1000, 0);
        }
        let caches = find(&paths, &listing.finish());
        let mut tools: Vec<&str> = caches.iter().map(|c| c.known.tool).collect();
        tools.sort();
        let mut wanted: Vec<&str> = files.iter().map(|f| f.1).collect();
        wanted.sort();
        wanted.dedup();
        assert_eq!(tools, wanted);
        let python = caches.iter().find(|c| c.known == PYCACHE).unwrap();
        assert_eq!((python.folders, python.bytes, python.files), (2, 2000, 2));
        let pip = caches.iter().find(|c| c.known == PIP).unwrap();
        assert_eq!(
            pip.hypothesis(&paths, "layer 3"),
            "layer 3 holds 1.0 kB of pip cache in /root/.cache/pip: add --no-cache-dir to pip install, or `&& pip cache purge` in the same RUN"
        );
    }
}
