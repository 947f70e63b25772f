//! Container images without an engine: docker-archive (both forms), oci-archive, OCI layout, and folders of blobs.
//!
//! Formats: the OCI image and layout specifications 1.1, and the Docker image specification 1.2 for `manifest.json`.
//! An archive that is itself compressed, or comes through a pipe, is read once from front to back; any other is read
//! where its manifest points to.
//!
//! Three sizes are told apart. *Stored* is what a layer takes in the archive or registry (compressed, if it is).
//! *Uncompressed* is its tar stream. *File bytes* is the content of its files: what `docker images` sums up with the
//! classic image store.

mod ahead;
mod engine;
pub(crate) mod layer;
mod manifest;
mod overlay;
mod store;

pub use engine::{Engine, EngineKind, in_short};
pub use layer::Compression;
pub use overlay::{How, Wasted};

use super::dockerfile::{self, Dockerfile, HistoryLine};
use super::paths::{Kind, Listing, PathId, Paths};
use super::{InspectError, Limits, Problem};
use crate::phrase;
use crate::phrase::Phrase;
use ahead::Ahead;
use std::collections::HashSet;
use std::io::Read;
use std::path::Path;
use store::{Depth, Store};

/// An operating system and an architecture, as in `linux/arm64/v8`.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`, in Go's names.
    pub architecture: String,
    /// `v8`, often empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub variant: String,
}

impl Platform {
    /// This machine's, with `linux` as the system since that is what containers run on everywhere.
    pub fn host() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            "powerpc64" => "ppc64le",
            "loongarch64" => "loong64",
            "mips64" => "mips64le",
            other => other,
        };
        Platform { os: "linux".into(), architecture: architecture.into(), variant: String::new() }
    }

    /// Reads `linux/arm64/v8`, `linux/amd64`, or `arm64` alone.
    pub fn parse(text: &str) -> Self {
        let mut parts = text.splitn(3, '/').map(str::to_string);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(architecture), None, _) => Platform { os: "linux".into(), architecture, variant: String::new() },
            (os, architecture, variant) => Platform {
                os: os.unwrap_or_default(),
                architecture: architecture.unwrap_or_default(),
                variant: variant.unwrap_or_default(),
            },
        }
    }

    /// Whether `self`, as wanted, takes an image made for `other`. An empty variant takes any.
    pub fn takes(&self, other: &Platform) -> bool {
        self.os == other.os
            && self.architecture == other.architecture
            && (self.variant.is_empty() || self.variant == other.variant)
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if !self.variant.is_empty() {
            write!(f, "/{}", self.variant)?;
        }
        Ok(())
    }
}

/// Which of several images is meant, and how far to look.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Bounds on memory and time.
    pub limits: Limits,
    /// The platform to pick from a multi-platform index; this machine's when not given.
    pub platform: Option<Platform>,
    /// The name to pick when an archive holds several images: `app:1`, or the reference name of an OCI layout.
    pub name: Option<String>,
    /// The engines to ask for a reference, in this order; those of [`EngineKind::wanted`] when empty.
    pub engines: Vec<EngineKind>,
}

/// The form an image was found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `docker save`: a tar with `manifest.json`.
    DockerArchive,
    /// A tar of an OCI layout.
    OciArchive,
    /// A folder with `index.json` and `blobs/`.
    OciLayout,
    /// A folder with a `manifest.json` and blobs beside it, as skopeo's `dir:` writes.
    Folder,
}

/// One step of how the image came to be, whether it made a layer or not.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct History {
    /// As the builder wrote it.
    pub created_by: String,
    /// When, in RFC 3339.
    pub created: Option<String>,
    /// The builder's remark: `buildkit.dockerfile.v0`.
    pub comment: Option<String>,
    /// The number of its layer, from 1; none for an instruction without one.
    pub layer: Option<usize>,
    /// Where in the Dockerfile, once [`Image::match_dockerfile`] has found it.
    pub source: Option<SourceLine>,
}

/// Where an instruction stands in a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SourceLine {
    /// First line, from 1.
    pub first: usize,
    /// Last line.
    pub last: usize,
    /// The instruction as written, in one line.
    pub text: String,
    /// The build stage's name or number.
    pub stage: String,
}

/// One layer.
#[derive(Debug, Clone)]
pub struct Layer {
    /// From 1, the lowest first.
    pub number: usize,
    /// Digest of the stored blob, when the format names it.
    pub digest: Option<String>,
    /// Digest of the tar stream, as the configuration says.
    pub diff_id: Option<String>,
    /// The media type of the manifest.
    pub media_type: Option<String>,
    /// How it is compressed.
    pub compression: Compression,
    /// Bytes as stored.
    pub stored: u64,
    /// Bytes of the tar stream.
    pub uncompressed: u64,
    /// Bytes of the content of its files.
    pub file_bytes: u64,
    /// Of these, what the finished image shows: not deleted, overwritten or hidden by a later layer.
    pub unique: u64,
    /// The files it holds.
    pub files: u64,
    /// What the history says of it, as the builder wrote it.
    pub created_by: Option<String>,
    /// The same as an instruction: `RUN pip install -r requirements.txt`.
    pub instruction: Option<String>,
    /// Where in the Dockerfile, once [`Image::match_dockerfile`] has found it.
    pub source: Option<SourceLine>,
    /// Its entries.
    pub listing: Listing,
    /// Whether it could not be read to its end, or not all its entries are kept by name.
    pub partial: bool,
}

impl Layer {
    /// `layer 7 (COPY --from=build)`: the number and the start of the instruction.
    pub fn label(&self) -> String {
        let text = self.source.as_ref().map(|s| s.text.as_str()).or(self.instruction.as_deref());
        match text {
            Some(text) => format!("layer {} ({})", self.number, dockerfile::brief(text)),
            None => format!("layer {}", self.number),
        }
    }
}

/// An image, laid open.
#[derive(Debug)]
pub struct Image {
    /// Where it was read from.
    pub source: String,
    /// In which form.
    pub format: Format,
    /// Its names.
    pub names: Vec<String>,
    /// Digest of its manifest, where there is one.
    pub digest: Option<String>,
    /// Digest of its configuration: what docker calls the image id.
    pub config_digest: Option<String>,
    /// What it runs on.
    pub platform: Platform,
    /// When it was made, in RFC 3339.
    pub created: Option<String>,
    /// Environment, command, labels and so on, as the configuration has them.
    pub config: serde_json::Value,
    /// The layers, the lowest first.
    pub layers: Vec<Layer>,
    /// All steps.
    pub history: Vec<History>,
    /// Bytes of manifest and configuration.
    pub metadata_bytes: u64,
    /// The engine it came from, if any.
    pub engine: Option<EngineKind>,
    /// The size the engine printed for it, when it came from one that prints sizes.
    pub engine_size: Option<u64>,
    /// Bytes that a later layer deletes, overwrites or rewrites, the largest first.
    pub wasted: Vec<Wasted>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// The names of all entries.
    pub paths: Paths,
}

impl Image {
    /// Bytes of all layers as stored; a layer that occurs twice is stored once.
    pub fn stored(&self) -> u64 {
        let mut seen = HashSet::new();
        let once = self.layers.iter().filter(|l| match l.digest.as_ref().or(l.diff_id.as_ref()) {
            Some(digest) => seen.insert(digest.clone()),
            None => true,
        });
        once.fold(0, |sum: u64, l| sum.saturating_add(l.stored))
    }

    /// Bytes of all layers' tar streams.
    pub fn uncompressed(&self) -> u64 {
        self.layers.iter().fold(0, |sum: u64, l| sum.saturating_add(l.uncompressed))
    }

    /// Bytes of all files in all layers: the size that docker prints.
    pub fn file_bytes(&self) -> u64 {
        self.layers.iter().fold(0, |sum: u64, l| sum.saturating_add(l.file_bytes))
    }

    /// Length of the targets of all symbolic links. docker's classic builder counts it in the size it prints, and
    /// BuildKit does not.
    pub fn link_bytes(&self) -> u64 {
        let entries = self.layers.iter().flat_map(|l| &l.listing.entries);
        entries.filter(|e| e.kind == Kind::Symlink).map(|e| e.size).sum()
    }

    /// Bytes of all files that the finished image shows.
    pub fn visible_bytes(&self) -> u64 {
        self.layers.iter().fold(0, |sum: u64, l| sum.saturating_add(l.unique))
    }

    /// Bytes in layers that the finished image does not show.
    pub fn wasted_bytes(&self) -> u64 {
        self.file_bytes().saturating_sub(self.visible_bytes())
    }

    /// Whether something could not be read, or is only summed up.
    pub fn is_partial(&self) -> bool {
        self.layers.iter().any(|l| l.partial)
    }

    /// Finds each layer's instruction in the Dockerfile it was built from. `target` is the stage that was built; the
    /// last one when not given. Says how many layers were found.
    pub fn match_dockerfile(&mut self, file: &Dockerfile, target: Option<&str>) -> usize {
        let lines: Vec<HistoryLine> = self.history.iter().map(|h| HistoryLine::parse(&h.created_by)).collect();
        let mut found = 0;
        for (h, place) in file.match_history(&lines, target).into_iter().enumerate() {
            let source = place.map(|i| file.source_line(i));
            if let Some(layer) = self.history[h].layer {
                found += usize::from(source.is_some());
                self.layers[layer - 1].source.clone_from(&source);
            }
            self.history[h].source = source;
        }
        found
    }

    /// A path for people.
    pub fn show(&self, path: PathId) -> String {
        self.paths.show(path)
    }
}

/// Reads an image from an archive or folder. Nothing is unpacked and no link is followed out of it.
pub fn read(path: &Path, options: &Options) -> Result<Image, InspectError> {
    assemble(store(path, Depth::Layers, options)?, path.display().to_string(), options)
}

/// Reads an image archive from a stream, once from front to back. `label` names it in messages.
pub fn read_stream(reader: impl Read + Send, label: &str, options: &Options) -> Result<Image, InspectError> {
    assemble(Store::stream(reader, label, Depth::Layers, &options.limits)?, label.to_string(), options)
}

/// The bytes that an image in an archive or folder takes: its manifest (of the OCI forms), configuration and layers, each
/// blob once, as stored. No layer is opened. A blob that is not there, or has another length than the manifest says, is an
/// error, except for a layer that is to be fetched from elsewhere.
pub fn stored_bytes(path: &Path, options: &Options) -> Result<u64, InspectError> {
    let label = path.display().to_string();
    let options = &Options { limits: Limits { verify: false, ..options.limits.clone() }, ..options.clone() };
    let mut store = store(path, Depth::Sizes, options)?;
    let picked = manifest::pick(&mut store, &label, options, &mut Vec::new())?;
    let mut counted = HashSet::new();
    let mut bytes = picked.manifest_bytes;
    for blob in picked.config_blob.iter().chain(&picked.layers) {
        let name = blob.digest.as_ref().unwrap_or(&blob.key);
        let elsewhere = |media: &String| media.contains("nondistributable") || media.contains("foreign");
        let (own, length) = match (store.length(&blob.key)?, blob.size) {
            (Some((_, length)), Some(said)) if length != said => {
                let what = phrase!("blob {name} has {length} B, and its manifest says {said}", name, length, said);
                return Err(InspectError::format(label, what));
            }
            (Some(found), _) => found,
            (None, Some(said)) if blob.media_type.as_ref().is_some_and(elsewhere) => (name.clone().into_bytes(), said),
            (None, _) => return Err(InspectError::format(label, phrase!("blob {name} is missing", name))),
        };
        if counted.insert(own) {
            bytes = bytes.saturating_add(length);
        }
    }
    Ok(bytes)
}

fn store(path: &Path, depth: Depth, options: &Options) -> Result<Store, InspectError> {
    let metadata = std::fs::metadata(path).map_err(|e| InspectError::io(path, e))?;
    if metadata.is_dir() { Ok(Store::folder(path)) } else { Store::archive(path, depth, &options.limits) }
}

/// What stands in front of the path of an image, as in skopeo.
const TRANSPORTS: [&str; 4] = ["docker-archive:", "oci-archive:", "oci:", "dir:"];

/// Whether a text has a transport or an engine in front, and so is meant as an image.
pub fn is_marked(what: &str) -> bool {
    TRANSPORTS.iter().any(|t| what.starts_with(t)) || Engine::by_prefix(what).is_some()
}

/// Reads what a person would write: a file or folder, the same with a transport in front as in skopeo
/// (`docker-archive:`, `oci-archive:`, `oci:`, `dir:`, each with an optional `:name` behind), or a reference that an
/// engine knows, with an optional `docker:`, `docker-daemon:`, `podman:`, `containers-storage:` or `buildah:` in front.
/// Paths are seen from `root`.
pub fn open(root: &Path, what: &str, options: &Options) -> Result<Image, InspectError> {
    if let Some(rest) = TRANSPORTS.iter().find_map(|transport| what.strip_prefix(transport)) {
        // `app.tar:localhost/app:1`: the path ends where something exists.
        let mut cuts = rest.match_indices(':').map(|(at, _)| (root.join(&rest[..at]), &rest[at + 1..]));
        let whole = root.join(rest);
        return match if whole.exists() { None } else { cuts.find(|(path, _)| path.exists()) } {
            Some((path, name)) => read(&path, &Options { name: Some(name.into()), ..options.clone() }),
            None => read(&whole, options),
        };
    }
    if let Some((engine, reference)) = Engine::by_prefix(what) {
        return engine.read(reference, options);
    }
    if root.join(what).exists() {
        return read(&root.join(what), options);
    }
    let engines = if options.engines.is_empty() { EngineKind::wanted()? } else { options.engines.clone() };
    Engine::find(what, &engines)?.read(what, options)
}

fn assemble(mut store: Store, label: String, options: &Options) -> Result<Image, InspectError> {
    let limits = &options.limits;
    let mut problems = store.take_problems();
    let picked = manifest::pick(&mut store, &label, options, &mut problems)?;
    let mut paths = store.take_paths().unwrap_or_else(|| Paths::new(limits.max_paths, limits.max_name_bytes));
    let max_entries = limits.max_paths + limits.max_paths / 2;
    let mut kept = 0;
    let mut layers: Vec<Layer> = Vec::with_capacity(picked.layers.len());
    let mut scanned_before = std::collections::HashMap::<String, usize>::new();
    let mut budget = limits.max_uncompressed;
    let names: HashSet<&str> = picked.layers.iter().map(|wanted| wanted.key.as_str()).collect();
    let plain = if limits.verify { store.plain_blobs(&names, budget) } else { Vec::new() };
    let hashed: HashSet<String> = plain.iter().map(|(name, _)| name.clone()).collect();
    let ahead = Ahead::start(plain);
    let mut claims = Vec::new();
    for (i, wanted) in picked.layers.into_iter().enumerate() {
        let place = phrase!("layer {number}", number = i + 1);
        let diff_id = picked.diff_ids.get(i).cloned();
        if let Some(&before) = scanned_before.get(&wanted.key) {
            let mut layer = layers[before].clone();
            layer.number = i + 1;
            kept += layer.listing.entries.len();
            if kept > max_entries {
                layer.listing.entries = Vec::new();
                layer.partial = true;
            }
            layers.push(layer);
            continue;
        }
        let bounded = Limits { max_uncompressed: budget, ..limits.clone() };
        let known = hashed.contains(&wanted.key);
        let scanned = store.scan(&wanted.key, known, &mut paths, &bounded, max_entries.saturating_sub(kept))?;
        let missing = scanned.is_none();
        let mut scanned = scanned.unwrap_or_default();
        budget = budget.saturating_sub(scanned.uncompressed);
        kept += scanned.listing.entries.len();
        problems.extend(scanned.problems.drain(..).map(|what| Problem::new(&place, what)));
        if missing {
            scanned.stored = wanted.size.unwrap_or(0);
            problems.push(Problem::new(&place, phrase!("its content, {key}, is not there", key = &wanted.key)));
        } else if scanned.cut.is_none() {
            claims.push(Claim {
                place: place.clone(),
                key: known.then(|| wanted.key.clone()),
                digest: wanted.digest.clone(),
                diff_id: diff_id.clone(),
                stored: scanned.stored_sha256,
                uncompressed: scanned.sha256,
            });
            if let Some(size) = wanted.size
                && size != scanned.stored
            {
                let what = phrase!("wrong size: {n} bytes, not {size}", n = scanned.stored, size);
                problems.push(Problem::new(&place, what));
            }
        }
        if scanned.listing.is_partial() {
            let rest: u64 = scanned.listing.spill.values().map(|s| s.files).sum();
            let what = phrase!("{n} files are summed up by folder and not kept by name", n = rest);
            problems.push(Problem::new(&place, what));
        }
        scanned_before.insert(wanted.key, i);
        layers.push(Layer {
            number: i + 1,
            digest: wanted.digest,
            diff_id,
            media_type: wanted.media_type,
            compression: scanned.compression,
            stored: scanned.stored,
            uncompressed: scanned.uncompressed,
            file_bytes: scanned.listing.bytes,
            unique: 0,
            files: scanned.listing.files,
            created_by: None,
            instruction: None,
            source: None,
            partial: missing || scanned.cut.is_some() || scanned.listing.is_partial(),
            listing: scanned.listing,
        });
    }
    let mut digests = ahead.finish();
    for mut claim in claims {
        match claim.key.take().map(|key| digests.remove(&key)) {
            Some(Some(digest)) => (claim.stored, claim.uncompressed) = (digest.clone(), digest),
            Some(None) => problems.push(Problem::new(&claim.place, "its digest could not be taken")),
            None => {}
        }
        problems.extend(claim.refute());
    }
    let mut history = picked.history;
    number_history(&mut history, layers.len(), &mut problems);
    for step in &history {
        if let Some(layer) = step.layer.and_then(|n| layers.get_mut(n - 1)) {
            layer.created_by = Some(step.created_by.clone());
            layer.instruction = Some(HistoryLine::parse(&step.created_by).show());
        }
    }
    let wasted = overlay::resolve(&paths, &mut layers);
    Ok(Image {
        source: label,
        format: picked.format,
        names: picked.names,
        digest: picked.digest,
        config_digest: picked.config_digest,
        platform: picked.platform,
        created: picked.created,
        config: picked.config,
        layers,
        history,
        metadata_bytes: picked.metadata_bytes,
        engine: None,
        engine_size: None,
        wasted,
        problems,
        paths,
    })
}

/// What an image says of a layer's content, and what was found.
struct Claim {
    place: Phrase,
    /// The name of the blob whose digest is taken elsewhere.
    key: Option<String>,
    digest: Option<String>,
    diff_id: Option<String>,
    /// SHA-256 of the bytes as stored and of the tar stream; empty when not taken.
    stored: String,
    uncompressed: String,
}

impl Claim {
    fn refute(&self) -> Option<Problem> {
        let differs = |found: &str, wanted: &Option<String>| {
            let wanted = wanted.as_deref()?;
            let other = !found.is_empty() && wanted.strip_prefix("sha256:")? != found;
            other.then(|| (format!("sha256:{found}"), wanted.to_string()))
        };
        let what = match (differs(&self.stored, &self.digest), differs(&self.uncompressed, &self.diff_id)) {
            (Some((found, wanted)), _) => manifest::wrong_digest(&found, &wanted),
            (None, Some((found, wanted))) => {
                phrase!("wrong diff id: its tar stream has {found}, not {wanted}", found, wanted)
            }
            (None, None) => return None,
        };
        Some(Problem::new(&self.place, what))
    }
}

/// Steps that made a layer take the layers in order. When there are fewer or more of them than layers, the last step
/// belongs to the last layer: what is missing is usually the base's.
fn number_history(history: &mut [History], layers: usize, problems: &mut Vec<Problem>) {
    let making = history.iter().filter(|h| h.layer.is_some()).count();
    if making != layers && !history.is_empty() {
        let what = phrase!("it tells of {n} layers, and there are {layers}", n = making, layers);
        problems.push(Problem::new("history", what));
    }
    let mut number = layers;
    for step in history.iter_mut().rev().filter(|h| h.layer.is_some()) {
        step.layer = (number > 0).then_some(number);
        number = number.saturating_sub(1);
    }
}
