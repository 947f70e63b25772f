//! Findings in what takes bytes: images, folders, archives, binaries.

use super::{Cost, Finding, Place, Risk, slug};
use crate::inspect::artefact::{Artefact, size_of};
use crate::inspect::binary::Binary;
use crate::inspect::caches::{self, Cache};
use crate::inspect::diff::Size;
use crate::inspect::dockerfile::{Dockerfile, image_name};
use crate::inspect::image::{How, Image, Layer};
use crate::inspect::paths::{Kind, Paths};
use crate::phrase;
use crate::phrase::{Phrase, plural};
use crate::units::Unit;
use std::collections::BTreeMap;

/// Layers without a known fix that are named, the largest first.
const MAX_LEADS: usize = 3;

/// Images of which there is a variant with `-slim` in its tag.
const SLIM: &[&str] = &["python", "node", "ruby", "perl", "rust", "debian", "openjdk"];

/// What only builds: in an image of one stage, it stays in it.
const COMPILERS: &[&str] = &[
    "cargo build",
    "go build",
    "npm run build",
    "yarn build",
    "pnpm build",
    "mvn ",
    "gradle ",
    "make",
    "cmake",
    "gcc",
    "build-essential",
];

/// What was found, and what cannot be changed here.
#[derive(Debug, Default)]
pub struct Found {
    /// What could be less.
    pub findings: Vec<Finding>,
    /// Bytes of caches and waste in layers of the base image.
    pub in_base: u64,
}

/// What could be less in an artefact that takes `whole` bytes. In an image, the lines of its Dockerfile are found already.
pub fn of(artefact: &Artefact, dockerfile: Option<&Dockerfile>, whole: f64) -> Found {
    let mut found = match artefact {
        Artefact::Image(image) => of_image(image, dockerfile),
        Artefact::Folder(f) => of_caches(caches::find(&f.paths, &f.listing), &f.paths),
        Artefact::Archive(a) => {
            let listing = a.compressed.as_ref().unwrap_or(&a.listing);
            of_caches(caches::find(&a.paths, listing), &a.paths)
        }
        Artefact::Binary(binary) => Found { findings: of_binary(binary), in_base: 0 },
        Artefact::GitDir(_) | Artefact::Log(_) => Found::default(),
    };
    for finding in &mut found.findings {
        (finding.whole, finding.gain) = (whole, finding.gain.min(whole));
    }
    found.findings.retain(|finding| finding.gain > 0.0);
    found
}

fn shown(bytes: u64) -> String {
    Unit::Bytes.show(bytes as f64)
}

/// What the fix of a known cache costs.
fn cost_of(cache: &Cache, places: usize) -> Cost {
    match cache.known.tool {
        // What ran from it has to be copied out, or starts slower.
        "cargo target" | "yarn berry" | "__pycache__" => Cost::new(2 * places, Risk::Medium),
        "pnpm" | "cargo" => Cost::new(places, Risk::Medium),
        _ => Cost::new(places, Risk::Low),
    }
}

/// `layer 3, line 5 of the Dockerfile`.
fn at(layer: &Layer) -> Phrase {
    match &layer.source {
        Some(source) => {
            phrase!("layer {number}, line {line} of the Dockerfile", number = layer.number, line = source.first)
        }
        None => phrase!("layer {layer}", layer = layer.number),
    }
}

fn of_cache(cache: &Cache, paths: &Paths, gain: f64, places: usize, layer: Option<&Layer>) -> Finding {
    let (size, tool, path) = (shown(cache.bytes), cache.known.tool, paths.show(cache.path));
    let place = Place {
        layer: cache.layer,
        line: layer.and_then(|layer| layer.source.as_ref()).map(|source| source.first),
        path: Some(path.clone()),
        step: None,
    };
    let why = phrase!("{size} of {tool} in {path}", size, tool, path);
    Finding {
        why: match layer {
            Some(layer) => phrase!("{what}, {place}", what = why, place = at(layer)),
            None => why,
        },
        fix: cache.known.fix.into(),
        ..Finding::new(cache.known.experiment, cache.known.change, Some(cost_of(cache, places)), gain, place)
    }
}

fn of_caches(found: Vec<Cache>, paths: &Paths) -> Found {
    let one = |cache: &Cache| of_cache(cache, paths, cache.bytes as f64, cache.folders.min(2), None);
    Found { findings: found.iter().map(one).collect(), in_base: 0 }
}

/// An image, and what of each of its layers findings account for already.
struct Looked<'a> {
    image: &'a Image,
    dockerfile: Option<&'a Dockerfile>,
    /// Whether lines were found, so that layers without one are those of the base image.
    matched: bool,
    /// By layer, from 0.
    covered: Vec<u64>,
    /// Numbers of layers for all the rest of which a leaner form is known.
    leaner: Vec<usize>,
    found: Found,
}

fn of_image(image: &Image, dockerfile: Option<&Dockerfile>) -> Found {
    let mut looked = Looked {
        image,
        dockerfile,
        matched: image.layers.iter().any(|layer| layer.source.is_some()),
        covered: vec![0; image.layers.len()],
        leaner: Vec::new(),
        found: Found::default(),
    };
    looked.caches();
    looked.waste();
    looked.git_folders();
    looked.instructions();
    looked.base();
    looked.leads();
    looked.found
}

impl<'a> Looked<'a> {
    fn layer(&self, number: usize) -> &'a Layer {
        &self.image.layers[number - 1]
    }

    /// Whether this Dockerfile made a layer.
    fn own(&self, layer: &Layer) -> bool {
        !self.matched || layer.source.is_some()
    }

    fn owned(&self) -> Vec<&'a Layer> {
        self.image.layers.iter().filter(|layer| self.own(layer)).collect()
    }

    /// What that many bytes of a layer's files can make up in the size that is counted.
    fn most(&self, layer: &Layer, bytes: u64) -> f64 {
        match size_of(self.image) {
            Size::Stored => bytes.min(layer.stored) as f64,
            _ => bytes as f64,
        }
    }

    fn text(layer: &Layer) -> &str {
        layer.source.as_ref().map(|source| source.text.as_str()).or(layer.instruction.as_deref()).unwrap_or_default()
    }

    fn place(layer: &Layer) -> Place {
        let line = layer.source.as_ref().map(|source| source.first);
        Place { layer: Some(layer.number), line, ..Place::default() }
    }

    /// What a layer shows of its files, less what is accounted for.
    fn left(&self, layer: &Layer) -> u64 {
        layer.unique.saturating_sub(self.covered[layer.number - 1])
    }

    fn caches(&mut self) {
        // One idea, however many layers it concerns.
        let mut by_tool: BTreeMap<&str, (Cache, f64, usize)> = BTreeMap::new();
        for cache in caches::find_in_image(self.image) {
            let Some(layer) = cache.layer.map(|number| self.layer(number)) else { continue };
            if !self.own(layer) {
                self.found.in_base += cache.bytes;
                continue;
            }
            self.covered[layer.number - 1] += cache.bytes;
            let gain = self.most(layer, cache.bytes);
            let slot = by_tool.entry(cache.known.experiment).or_insert((cache, 0.0, 0));
            (slot.1, slot.2) = (slot.1 + gain, slot.2 + 1);
        }
        for (cache, gain, places) in by_tool.into_values() {
            let layer = cache.layer.map(|number| self.layer(number));
            self.found.findings.push(of_cache(&cache, &self.image.paths, gain, places, layer));
        }
    }

    /// Files that a later layer deletes or writes again; those in caches are known already.
    fn waste(&mut self) {
        let marks = caches::marks(&self.image.paths);
        let mut groups: BTreeMap<(usize, usize, u8), (u64, usize, usize)> = BTreeMap::new();
        for (index, wasted) in self.image.wasted.iter().enumerate() {
            if marks[wasted.path.index()].is_some() {
                // What is hidden is not left in the layer, and is not to be taken off it twice.
                let covered = &mut self.covered[wasted.layer - 1];
                *covered = covered.saturating_sub(wasted.bytes);
                continue;
            }
            if !self.own(self.layer(wasted.layer)) {
                self.found.in_base += wasted.bytes;
                continue;
            }
            let slot = groups.entry((wasted.layer, wasted.by, wasted.how as u8)).or_insert((0, 0, index));
            (slot.0, slot.1) = (slot.0 + wasted.bytes, slot.1 + 1);
        }
        for ((made, by, _), (bytes, files, largest)) in groups {
            let (layer, later, largest) = (self.layer(made), self.layer(by), &self.image.wasted[largest]);
            let (start, change, lines, risk, fix) = match largest.how {
                How::Deleted => (
                    "delete-with",
                    "delete files in the instruction that makes them",
                    2,
                    Risk::Low,
                    phrase!(
                        "delete them in the same instruction: {made}, not {later}",
                        made = at(layer),
                        later = at(later)
                    ),
                ),
                How::Rewritten => (
                    "owner-with",
                    "set owner and mode where files are made",
                    2,
                    Risk::Low,
                    phrase!(
                        "set owner and mode where they are made (COPY --chown, --chmod): {made}, not {later}",
                        made = at(layer),
                        later = at(later)
                    ),
                ),
                How::Overwritten => (
                    "write-once",
                    "write files once",
                    2,
                    Risk::Medium,
                    phrase!("write them once: {made} or {later}", made = at(layer), later = at(later)),
                ),
            };
            let name = named(start, Self::text(layer), made);
            let place = Place { path: Some(self.image.show(largest.path)), ..Self::place(layer) };
            let path = place.path.clone().unwrap_or_default();
            let gain = self.most(layer, bytes);
            let (size, place_of) = (shown(bytes), at(layer));
            let why = match files {
                1 => phrase!("{size} in {place} that nobody sees: {path}", size, place = place_of, path),
                n => phrase!(
                    "{size} in {place} that nobody sees: {path} and {n} more file{s}",
                    size,
                    place = place_of,
                    path,
                    n = n - 1,
                    s = plural(n - 1)
                ),
            };
            self.found.findings.push(Finding {
                why,
                fix,
                ..Finding::new(&name, change, Some(Cost::new(lines, risk)), gain, place)
            });
        }
    }

    /// Repositories that were copied into the image.
    fn git_folders(&mut self) {
        let paths = &self.image.paths;
        let mut top = vec![None; paths.len()];
        for id in paths.ids() {
            let above = top[paths.parent(id).index()];
            top[id.index()] = above.or_else(|| (paths.name(id) == b".git").then_some(id));
        }
        for layer in self.owned() {
            let files = layer.listing.entries.iter().filter(|e| e.kind == Kind::File);
            let inside: Vec<_> = files.filter_map(|e| Some((top[e.path.index()]?, e.size))).collect();
            let Some((folder, _)) = inside.first() else { continue };
            let bytes = inside.iter().fold(0u64, |sum, (_, size)| sum.saturating_add(*size));
            self.covered[layer.number - 1] += bytes;
            let place = Place { path: Some(paths.show(*folder)), ..Self::place(layer) };
            let (gain, path) = (self.most(layer, bytes), paths.show(*folder));
            self.found.findings.push(Finding {
                why: phrase!("{size} of a repository in {path}, {place}", size = shown(bytes), path, place = at(layer)),
                fix: phrase!("put .git into .dockerignore"),
                keys: vec!["dockerignore".into()],
                ..Finding::new("dockerignore-git", ".git in .dockerignore", Some(Cost::new(1, Risk::Low)), gain, place)
            });
        }
    }

    /// Instructions for which a leaner form is known.
    fn instructions(&mut self) {
        let single = self.dockerfile.is_some_and(|file| file.stages.len() == 1);
        let (mut built, mut first): (f64, Option<&Layer>) = (0.0, None);
        for layer in self.owned() {
            let text = Self::text(layer);
            let has = |part: &str| text.contains(part);
            let left = self.left(layer);
            let rule = if (has("apt-get install") || has("apt install")) && !has("--no-install-recommends") {
                let fix = phrase!("add --no-install-recommends to apt-get install");
                Some(("no-recommends", "apt-get install --no-install-recommends", fix))
            } else if (has("npm ci") || has("npm install")) && !has("--omit") && !has("--production") && !has(" -g") {
                Some(("no-dev-dependencies", "npm ci --omit=dev", phrase!("add --omit=dev to npm ci")))
            } else {
                None
            };
            if single && text.starts_with("RUN") && COMPILERS.iter().any(|part| has(part)) {
                built += self.most(layer, left);
                self.leaner.push(layer.number);
                first = first.or(Some(layer));
            }
            let Some((name, change, fix)) = rule else { continue };
            self.leaner.push(layer.number);
            let why = phrase!("{size} in {place}, of which this is a part", size = shown(left), place = at(layer));
            let cost = Some(Cost::new(1, Risk::Medium));
            let finding = Finding::new(name, change, cost, self.most(layer, left), Self::place(layer));
            self.found.findings.push(Finding { why, fix, ..finding });
        }
        if let Some(layer) = first {
            let size = Unit::Bytes.show(built);
            self.found.findings.push(Finding {
                why: phrase!(
                    "{size} of instructions that build, from {place} on, stay in the only stage",
                    size,
                    place = at(layer)
                ),
                fix: phrase!(
                    "build in a stage of its own and copy only what runs (FROM … AS build, COPY --from=build)"
                ),
                ..Finding::new(
                    "multi-stage",
                    "multi-stage build",
                    Some(Cost::new(8, Risk::High)),
                    built,
                    Self::place(layer),
                )
            });
        }
    }

    /// A base image with a slim variant.
    fn base(&mut self) {
        let Some(file) = self.dockerfile.filter(|_| self.matched) else { return };
        let Some(mut stage) = file.stages.len().checked_sub(1) else { return };
        while let Some(parent) = file.stages[stage].parent.filter(|parent| *parent < stage) {
            stage = parent;
        }
        let reference = &file.stages[stage].base;
        let name = image_name(reference).rsplit('/').next().unwrap_or_default();
        if !SLIM.contains(&name)
            || reference.contains(['$', '@'])
            || ["slim", "alpine"].iter().any(|v| reference.contains(v))
        {
            return;
        }
        let below = self.image.layers.iter().filter(|layer| layer.source.is_none());
        let gain: f64 = below.map(|layer| self.most(layer, layer.file_bytes)).sum();
        let from = file.instructions.iter().find(|i| i.keyword == "FROM" && i.stage == Some(stage));
        let place = Place { line: from.map(|i| i.first), ..Place::default() };
        let size = Unit::Bytes.show(gain);
        self.found.findings.push(Finding {
            why: phrase!("{size} of the base image {name}", size, name = reference),
            fix: phrase!("start from the slim variant of {name}, and install what is missed", name),
            ..Finding::new("slim-base", "slim variant of the base image", Some(Cost::new(1, Risk::Medium)), gain, place)
        });
    }

    /// The largest layers for which no leaner form is known.
    fn leads(&mut self) {
        let mut layers = self.owned();
        layers.retain(|layer| self.matched && !self.leaner.contains(&layer.number));
        layers.sort_by_key(|layer| std::cmp::Reverse(self.left(layer)));
        for layer in layers.into_iter().take(MAX_LEADS) {
            let left = self.left(layer);
            let name = named("smaller", Self::text(layer), layer.number);
            let place = Self::place(layer);
            let change = match place.line {
                Some(line) => phrase!("fewer files from line {line}", line),
                None => phrase!("fewer files in layer {layer}", layer = layer.number),
            };
            let finding = Finding::new(&name, change, None, self.most(layer, left), place);
            self.found.findings.push(Finding {
                why: phrase!(
                    "{size} in {place}: {text}",
                    size = shown(left),
                    place = at(layer),
                    text = crate::inspect::dockerfile::brief(Self::text(layer))
                ),
                fix: phrase!("no fix is known; git verdict inspect shows what it holds"),
                ..finding
            });
        }
    }
}

/// A name of the words of an instruction; the number of its layer where it has none.
fn named(start: &str, text: &str, layer: usize) -> String {
    match slug(text) {
        words if words.is_empty() => format!("{start}-layer-{layer}"),
        words => format!("{start}-{words}"),
    }
}

fn of_binary(binary: &Binary) -> Vec<Finding> {
    let symbols =
        |name: &str| name.starts_with(".debug") || name.starts_with(".zdebug") || matches!(name, ".symtab" | ".strtab");
    let bytes =
        binary.sections.iter().filter(|s| symbols(&s.name)).fold(0u64, |sum, s| sum.saturating_add(s.file_bytes));
    if bytes == 0 {
        return Vec::new();
    }
    let cost = Some(Cost::new(1, Risk::Medium));
    vec![Finding {
        why: phrase!("{size} of symbols and debug information (.symtab, .strtab, .debug_*)", size = shown(bytes)),
        fix: phrase!(
            "strip it (strip = true in [profile.release] of Cargo.toml, or -s for the linker), and keep the symbols elsewhere"
        ),
        keys: vec!["strip".into()],
        ..Finding::new("strip-symbols", "stripped binary", cost, bytes as f64, Place::default())
    }]
}
