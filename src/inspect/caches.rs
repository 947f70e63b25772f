//! Caches that package managers leave behind, and the one-line fix that is known to work for each.
//!
//! A fix is offered as the text of a hypothesis, to be measured like any other; it is never applied.

use super::image::Image;
use super::paths::{Kind, Listing, PathId, Paths};
use crate::phrase;
use crate::phrase::Phrase;
use std::collections::BTreeMap;

/// What is known of one tool's cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Known {
    /// `pip`.
    pub tool: &'static str,
    /// A name for the experiment that tries the fix: `no-pip-cache`.
    pub experiment: &'static str,
    /// The change in a few words: `pip install --no-cache-dir`.
    pub change: &'static str,
    /// The change, in one line.
    pub fix: &'static str,
}

macro_rules! known {
    ($name:ident, $tool:literal, $experiment:literal, $change:literal, $fix:literal) => {
        const $name: Known = Known { tool: $tool, experiment: $experiment, change: $change, fix: $fix };
    };
}

known!(
    PIP,
    "pip",
    "no-pip-cache",
    "pip install --no-cache-dir",
    "add --no-cache-dir to pip install, or append `&& pip cache purge` to the same RUN"
);
known!(UV, "uv", "no-uv-cache", "uv --no-cache", "add --no-cache to uv sync or uv pip install, or set UV_NO_CACHE=1");
// The folder above them holds Poetry's virtual environments, too.
known!(
    POETRY,
    "poetry",
    "no-poetry-cache",
    "rm of the caches of poetry",
    "append `&& rm -rf ~/.cache/pypoetry/cache ~/.cache/pypoetry/artifacts` to the RUN with poetry install"
);
known!(
    APT,
    "apt",
    "no-apt-cache",
    "apt-get clean and rm of the lists",
    "append `&& apt-get clean && rm -rf /var/lib/apt/lists/*` to the RUN with apt-get install"
);
known!(APK, "apk", "no-apk-cache", "apk add --no-cache", "use apk add --no-cache");
known!(DNF, "dnf", "no-dnf-cache", "dnf clean all", "append `&& dnf clean all` to the RUN with dnf install");
known!(
    NPM,
    "npm",
    "no-npm-cache",
    "npm cache clean --force",
    "append `&& npm cache clean --force` to the RUN with npm ci"
);
known!(YARN, "yarn", "no-yarn-cache", "yarn cache clean", "append `&& yarn cache clean` to the RUN with yarn install");
known!(
    YARN_BERRY,
    "yarn berry",
    "no-yarn-cache",
    "yarn cache clean --all",
    "append `&& yarn cache clean --all` to the RUN with yarn install; not with Plug'n'Play, which runs from this cache"
);
known!(
    PNPM,
    "pnpm",
    "no-pnpm-store",
    "cache mount for the pnpm store",
    "use RUN --mount=type=cache,id=pnpm,target=/root/.local/share/pnpm/store with pnpm install"
);
known!(
    CARGO,
    "cargo",
    "no-cargo-registry",
    "cache mount for the cargo registry",
    "use RUN --mount=type=cache,target=/usr/local/cargo/registry with cargo build, or copy only the binary from a build stage"
);
known!(
    CARGO_TARGET,
    "cargo target",
    "no-cargo-target",
    "cache mount for the target folder",
    "build with RUN --mount=type=cache,target=/app/target and copy the binary out in the same RUN"
);
known!(
    GO,
    "go",
    "no-go-cache",
    "go clean -cache -modcache",
    "append `&& go clean -cache -modcache` to the RUN with go build, or copy only the binary from a build stage"
);
known!(
    CONDA,
    "conda",
    "no-conda-cache",
    "conda clean -afy",
    "append `&& conda clean -afy` to the RUN with conda install"
);
known!(
    PYCACHE,
    "__pycache__",
    "no-pycache",
    "no Python bytecode",
    "set ENV PYTHONDONTWRITEBYTECODE=1 and add --no-compile to pip install"
);

/// The last components of a folder that is a cache. A slash in front anchors it at the top.
const FOLDERS: &[(&str, Known)] = &[
    (".cache/pip", PIP),
    (".cache/uv", UV),
    (".cache/pypoetry/cache", POETRY),
    (".cache/pypoetry/artifacts", POETRY),
    ("/var/lib/apt/lists", APT),
    ("/var/cache/apt", APT),
    ("/var/cache/apk", APK),
    ("/etc/apk/cache", APK),
    ("/var/cache/dnf", DNF),
    ("/var/cache/yum", DNF),
    ("/var/cache/libdnf5", DNF),
    (".npm/_cacache", NPM),
    (".cache/yarn", YARN),
    ("/usr/local/share/.cache", YARN),
    (".yarn/berry/cache", YARN_BERRY),
    ("pnpm/store", PNPM),
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
    /// Its folder; of several, the largest.
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
    /// The fix as a hypothesis: `pip install --no-cache-dir: 1.20 GB less in layer 3`. It has nothing of the artefact but
    /// numbers, so it may be pasted into a shell.
    pub fn hypothesis(&self) -> Phrase {
        let size = crate::units::Unit::Bytes.show(self.bytes as f64);
        let change = Phrase::from(self.known.change);
        match self.layer {
            Some(layer) => phrase!("{change}: {size} less in layer {layer}", change, size, layer),
            None => phrase!("{change}: {size} less", change, size),
        }
    }
}

/// For each path, the rule and the folder that make it a cache.
pub(crate) fn marks(paths: &Paths) -> Vec<Option<(Known, PathId)>> {
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
    let mut folders: Vec<(PathId, (Known, u64, u64))> =
        found.into_iter().map(|((_, path), known)| (path, known)).collect();
    folders.sort_by_key(|(path, (_, bytes, _))| (std::cmp::Reverse(*bytes), *path));
    for (path, (known, bytes, files)) in folders {
        match caches.iter_mut().find(|c| c.known == known) {
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
            ("home/u/.cache/pypoetry/artifacts/x", "poetry"),
            ("var/lib/apt/lists/x", "apt"),
            ("var/cache/apk/x", "apk"),
            ("var/cache/dnf/x", "dnf"),
            ("root/.npm/_cacache/x", "npm"),
            ("usr/local/share/.cache/yarn/v6/x", "yarn"),
            ("home/u/.yarn/berry/cache/x.zip", "yarn berry"),
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
            "home/u/.cache/pypoetry/virtualenvs/app/lib/x",
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
        assert_eq!(paths.show(pip.path), "/root/.cache/pip");
        assert_eq!(pip.hypothesis().to_string(), "pip install --no-cache-dir: 1.0 kB less");
        let poetry = caches.iter().find(|c| c.known == POETRY).unwrap();
        assert_eq!(poetry.files, 1, "the virtual environments below the same folder are no cache");
    }

    #[test]
    fn what_is_offered_to_a_shell_is_plain_text_and_a_legal_name() {
        for (_, known) in FOLDERS.iter().chain(&[("", CONDA), ("", CARGO_TARGET)]) {
            let cache =
                Cache { known: *known, path: PathId::ROOT, folders: 1, bytes: 999_900_000, files: 1, layer: Some(99) };
            let text = cache.hypothesis().to_string();
            assert!(!text.contains(['"', '\'', '`', '$', '\\', '!']), "{text}");
            assert!(text.len() <= 61, "{text}: it has to fit into a line behind --hypothesis");
            crate::experiment::check_name(known.experiment).unwrap();
        }
    }
}
