//! The size of a container image.
//!
//! | what is named | how it is read | what the size is |
//! |---|---|---|
//! | an OCI layout folder, an oci-archive | its files, no engine needed | manifest, config and layers, each blob once, as stored (mostly compressed) |
//! | a docker-archive (`docker save`, `podman save`) | its files, no engine needed | config and layers, each once, as stored (mostly not compressed) |
//! | a reference, with docker or podman | `image inspect`, field `Size` | what the engine says: all layers unpacked; with docker's containerd store, content as stored |
//! | a reference, with buildah | the stored manifest | config and layers as buildah stores them: not compressed |
//!
//! These are different quantities: compare sizes of one kind only. A prefix says what is meant: `docker:`, `podman:`,
//! `buildah:`, `oci:`, `oci-archive:`, `docker-archive:` (the last three take `PATH` or `PATH:TAG`). Without one, a path
//! that exists in the work tree wins; otherwise the engines are asked, those first that a step of the configuration
//! names, then docker, podman, buildah. `VERDICT_ENGINE` sets the only one to ask; the engines' own variables
//! (`DOCKER_HOST`, `CONTAINERS_STORAGE_CONF`, `STORAGE_DRIVER`, …) hold as always.
//!
//! Formats: OCI image layout and manifest 1.1, Docker image specification 1.2 (`manifest.json`).

use super::path::{self, Missing};
use super::{Place, Trouble};
use crate::config::{Command, Step};
use crate::measure::runner::{self, Outcome, Sink};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An engine that has not answered by then is taken for absent.
const ENGINE_TIMEOUT: Duration = Duration::from_secs(60);

/// Manifests and indexes are small; larger blobs are not looked into.
const JSON_LIMIT: u64 = 4 << 20;

/// All that is looked into of one archive.
const JSON_TOTAL: u64 = 64 << 20;

/// Layers of indexes within indexes that are followed.
const DEPTH: usize = 4;

/// A program that keeps images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// `docker`
    Docker,
    /// `podman`
    Podman,
    /// `buildah`
    Buildah,
}

impl Engine {
    const ALL: [Engine; 3] = [Engine::Docker, Engine::Podman, Engine::Buildah];

    /// The program's name.
    pub fn program(self) -> &'static str {
        match self {
            Engine::Docker => "docker",
            Engine::Podman => "podman",
            Engine::Buildah => "buildah",
        }
    }

    fn named(name: &str) -> Option<Engine> {
        Engine::ALL.into_iter().find(|e| e.program() == name)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Named<'a> {
    Archive(&'a str),
    Layout(&'a str),
    Engine(Engine, &'a str),
    Any(&'a str),
}

/// The size in bytes of the image that `reference` names. `steps` tell which engine is likely meant.
pub fn size(place: &Place<'_>, reference: &str, steps: &[Step]) -> Result<f64, Trouble> {
    let bytes = match named(reference) {
        Named::Archive(spec) | Named::Layout(spec) => stored(place.root, spec)?
            .ok_or_else(|| Trouble::Problem(format!("image '{spec}' does not exist after the steps have run")))?,
        Named::Engine(engine, name) => ask_all(place, &[engine], name)?,
        Named::Any(name) => match stored(place.root, name)? {
            Some(bytes) => bytes,
            None => ask_all(place, &engines(steps)?, name)?,
        },
    };
    Ok(bytes as f64)
}

fn named(reference: &str) -> Named<'_> {
    let Some((prefix, rest)) = reference.split_once(':') else { return Named::Any(reference) };
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    match prefix {
        "docker-archive" | "oci-archive" => Named::Archive(rest),
        "oci" => Named::Layout(rest),
        "docker" | "docker-daemon" => Named::Engine(Engine::Docker, rest),
        "podman" | "containers-storage" => Named::Engine(Engine::Podman, rest),
        "buildah" => Named::Engine(Engine::Buildah, rest),
        _ => Named::Any(reference),
    }
}

/// Which engines to ask, and in what order.
fn engines(steps: &[Step]) -> Result<Vec<Engine>, Trouble> {
    if let Some(name) = std::env::var("VERDICT_ENGINE").ok().filter(|n| !n.is_empty()) {
        let engine = Engine::named(&name);
        return engine.map(|e| vec![e]).ok_or_else(|| {
            Trouble::Problem(format!("VERDICT_ENGINE is '{name}'; it can be docker, podman or buildah"))
        });
    }
    Ok(in_order(steps))
}

fn in_order(steps: &[Step]) -> Vec<Engine> {
    let commands: Vec<String> = steps.iter().map(|s| s.run.to_string()).collect();
    let names = |engine: &Engine| {
        let is_word = |word: &str| word.rsplit('/').next() == Some(engine.program());
        commands.iter().any(|c| c.split(|ch: char| ch.is_whitespace() || ";&|()'\"".contains(ch)).any(is_word))
    };
    let (mut first, rest): (Vec<_>, Vec<_>) = Engine::ALL.into_iter().partition(names);
    first.extend(rest);
    first
}

fn ask_all(place: &Place<'_>, engines: &[Engine], name: &str) -> Result<u64, Trouble> {
    let mut answers = Vec::new();
    for &engine in engines {
        match ask(place, engine, name)? {
            Ok(bytes) => return Ok(bytes),
            Err(why) => answers.push(format!("{}: {why}", engine.program())),
        }
    }
    Err(Trouble::Problem(format!("image '{name}' does not exist ({})", answers.join("; "))))
}

/// Asks one engine; the inner error says why it has no answer.
fn ask(place: &Place<'_>, engine: Engine, name: &str) -> Result<Result<u64, String>, Trouble> {
    if name.is_empty() || name.starts_with('-') {
        return Err(Trouble::Problem(format!("'{name}' is not the name of an image")));
    }
    let words: &[&str] = match engine {
        Engine::Docker | Engine::Podman => &["image", "inspect", "--format", "{{.Size}}"],
        Engine::Buildah => &["inspect", "--type", "image", "--format", "{{.Manifest}}"],
    };
    let words = [engine.program()].into_iter().chain(words.iter().copied()).chain([name]);
    let command = Command::Direct(words.map(str::to_string).collect());
    let file = format!("image-{}", engine.program());
    let ran = super::run(place, &command, &file, Some(ENGINE_TIMEOUT), JSON_LIMIT)?;
    match ran.finished.outcome {
        Outcome::Success => {}
        Outcome::Interrupted => {
            return Err(Trouble::Failed { outcome: Outcome::Interrupted, tail: String::new(), log: ran.err });
        }
        Outcome::NotStarted(why) if why.starts_with("no such command") => return Ok(Err("not installed".into())),
        outcome => {
            let said = runner::tail(&Sink::Log(&ran.err));
            return Ok(Err(refusal(&said).unwrap_or_else(|| outcome.to_string())));
        }
    }
    let text = runner::read_output(&ran.out)?;
    let text = text.trim();
    let bytes = match engine {
        Engine::Docker | Engine::Podman => text.parse().map_err(|_| format!("answered '{}'", runner::plain(text))),
        Engine::Buildah => serde_json::from_str::<Manifest>(text)
            .map(|m| m.descriptors().map(|d| (&d.digest, d.size)).collect::<BTreeMap<_, _>>().values().sum())
            .map_err(|e| format!("its manifest cannot be read: {e}")),
    };
    Ok(bytes)
}

/// What an engine said, in short.
fn refusal(said: &str) -> Option<String> {
    let lower = said.to_lowercase();
    if ["no such image", "no such object", "image not known", "not found in local storage"]
        .iter()
        .any(|t| lower.contains(t))
    {
        return Some("no such image".into());
    }
    if lower.contains("cannot connect to the docker daemon") || lower.contains("failed to connect to the docker api") {
        return Some("its daemon does not answer".into());
    }
    said.lines().rev().find(|l| !l.trim().is_empty()).map(|l| l.trim().to_string())
}

/// The size of an image kept in a file or folder of the work tree; `None` when there is no such path.
fn stored(root: &Path, spec: &str) -> Result<Option<u64>, Trouble> {
    let root = root.canonicalize().map_err(|e| Trouble::Problem(format!("{}: {e}", root.display())))?;
    let whole = path::locate(&root, spec);
    let (found, tag) = match (&whole, spec.rsplit_once(':')) {
        (Err(Missing::Absent(_)), Some((before, tag))) => match path::locate(&root, before) {
            // `app:verdict` beside a folder `app` is a reference, not a tag in that folder.
            Ok(real) if holds_image(&real) => (Ok(real), Some(tag)),
            Err(Missing::Outside(text)) => (Err(Missing::Outside(text)), None),
            _ => (whole, None),
        },
        _ => (whole, None),
    };
    let real = match found {
        Ok(real) => real,
        Err(Missing::Absent(_)) => return Ok(None),
        Err(Missing::Outside(text)) => return Err(Trouble::Problem(text)),
    };
    let store = if real.is_dir() { Store::folder(&real) } else { Store::archive(&real) };
    let store = store.map_err(|e| Trouble::Problem(format!("'{spec}' cannot be read: {e}")))?;
    store.size(tag).map(Some).map_err(|e| Trouble::Problem(format!("image '{spec}': {e}")))
}

fn holds_image(path: &Path) -> bool {
    path.is_file() || path.join("oci-layout").is_file() || path.join("index.json").is_file()
}

#[derive(Debug, Deserialize)]
struct Descriptor {
    #[serde(rename = "mediaType", default)]
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    platform: Option<Platform>,
}

#[derive(Debug, Deserialize)]
struct Platform {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
}

#[derive(Debug, Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

impl Manifest {
    fn descriptors(&self) -> impl Iterator<Item = &Descriptor> {
        std::iter::once(&self.config).chain(&self.layers)
    }
}

#[derive(Debug, Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Vec<String>,
}

/// The files of an image: their lengths, and the content of those that may be JSON.
struct Store {
    lengths: BTreeMap<String, u64>,
    /// Of archives: where a link points.
    links: BTreeMap<String, String>,
    texts: BTreeMap<String, Vec<u8>>,
    folder: Option<PathBuf>,
}

impl Store {
    fn folder(path: &Path) -> io::Result<Store> {
        let folder = Some(path.to_path_buf());
        Ok(Store { lengths: BTreeMap::new(), links: BTreeMap::new(), texts: BTreeMap::new(), folder })
    }

    /// Reads a tar file once, gzip and zstd included, and keeps no more than its small JSON files in memory.
    fn archive(path: &Path) -> io::Result<Store> {
        let mut file = File::open(path)?;
        let mut magic = [0; 4];
        let mut length = 0;
        while length < 4 {
            match file.read(&mut magic[length..])? {
                0 => break,
                n => length += n,
            }
        }
        file.seek(SeekFrom::Start(0))?;
        let mut store =
            Store { lengths: BTreeMap::new(), links: BTreeMap::new(), texts: BTreeMap::new(), folder: None };
        if magic[..2] == [0x1f, 0x8b] {
            let reader = flate2::read::MultiGzDecoder::new(BufReader::new(file));
            store.take(tar::Archive::new(reader).entries()?)?;
        } else if magic == [0x28, 0xb5, 0x2f, 0xfd] {
            let reader = zstd::stream::read::Decoder::new(file)?;
            store.take(tar::Archive::new(reader).entries()?)?;
        } else {
            store.take(tar::Archive::new(BufReader::new(file)).entries_with_seek()?)?;
        }
        Ok(store)
    }

    fn take<R: Read>(&mut self, entries: tar::Entries<'_, R>) -> io::Result<()> {
        let mut kept = 0;
        for entry in entries {
            let mut entry = entry?;
            let name = normal(&entry.path()?);
            match entry.header().entry_type() {
                tar::EntryType::Symlink | tar::EntryType::Link => {
                    let Some(target) = entry.link_name()? else { continue };
                    let base = match entry.header().entry_type() {
                        tar::EntryType::Symlink => Path::new(&name).parent().unwrap_or(Path::new("")).to_path_buf(),
                        _ => PathBuf::new(),
                    };
                    self.links.insert(name, normal(&base.join(target)));
                }
                kind if kind.is_file() => {
                    let length = entry.size();
                    self.lengths.insert(name.clone(), length);
                    if length > JSON_LIMIT || kept + length > JSON_TOTAL {
                        continue;
                    }
                    let mut first = [0; 1];
                    if entry.read(&mut first)? == 1 && matches!(first[0], b'{' | b'[') {
                        let mut text = first.to_vec();
                        entry.read_to_end(&mut text)?;
                        kept += text.len() as u64;
                        self.texts.insert(name, text);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn text(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let Some(folder) = &self.folder else { return Ok(self.texts.get(name).cloned()) };
        let open = || -> io::Result<Vec<u8>> {
            let mut text = Vec::new();
            File::open(folder.join(name))?.take(JSON_LIMIT + 1).read_to_end(&mut text)?;
            Ok(text)
        };
        match open() {
            Ok(text) if text.len() as u64 <= JSON_LIMIT => Ok(Some(text)),
            Ok(_) => Err(format!("{name} is too large for a manifest")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{name}: {error}")),
        }
    }

    fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Option<T>, String> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        serde_json::from_slice(&text).map(Some).map_err(|e| format!("{name} cannot be read: {e}"))
    }

    fn length(&self, name: &str) -> Option<u64> {
        match &self.folder {
            Some(folder) => std::fs::metadata(folder.join(name)).ok().filter(|m| m.is_file()).map(|m| m.len()),
            None => self.lengths.get(self.target(name)).copied(),
        }
    }

    /// The file that a name in an archive stands for, links followed.
    fn target<'a>(&'a self, name: &'a str) -> &'a str {
        let mut at = name;
        for _ in 0..DEPTH {
            match self.links.get(at) {
                Some(next) => at = next,
                None => break,
            }
        }
        at
    }

    fn size(&self, tag: Option<&str>) -> Result<u64, String> {
        // docker 25 and later write both into one archive; they describe the same blobs.
        if let Some(index) = self.json::<Index>("index.json")? {
            return self.oci_size(index, tag);
        }
        if let Some(images) = self.json::<Vec<DockerImage>>("manifest.json")? {
            return self.docker_size(images, tag);
        }
        Err("this is neither an OCI layout nor a docker-archive".into())
    }

    fn docker_size(&self, images: Vec<DockerImage>, tag: Option<&str>) -> Result<u64, String> {
        let has = |image: &DockerImage, tag: &str| {
            let tags = image.repo_tags.as_deref().unwrap_or_default();
            tags.iter().any(|t| t == tag || t.ends_with(&format!("/{tag}")))
        };
        let chosen: Vec<&DockerImage> = images.iter().filter(|i| tag.is_none_or(|t| has(i, t))).collect();
        let image = match chosen[..] {
            [image] => image,
            [] => return Err(format!("it holds no image '{}'", tag.unwrap_or("of any name"))),
            _ => return Err(format!("it holds {} images; add :TAG to name one", chosen.len())),
        };
        let files = std::iter::once(&image.config).chain(&image.layers);
        let files: BTreeSet<&str> = files.map(|name| self.target(name)).collect();
        files.into_iter().map(|name| self.length(name).ok_or_else(|| format!("{name} is missing"))).sum()
    }

    fn oci_size(&self, index: Index, tag: Option<&str>) -> Result<u64, String> {
        let manifests = match tag {
            None => index.manifests,
            Some(tag) => {
                let name = |d: &Descriptor| {
                    ["org.opencontainers.image.ref.name", "io.containerd.image.name"]
                        .iter()
                        .filter_map(|k| d.annotations.get(*k))
                        .any(|n| n == tag || n.ends_with(&format!("/{tag}")) || n.ends_with(&format!(":{tag}")))
                };
                let found: Vec<Descriptor> = index.manifests.into_iter().filter(name).collect();
                if found.is_empty() {
                    return Err(format!("it holds no image '{tag}'"));
                }
                found
            }
        };
        let (digest, manifest) = self.choose(manifests, 0)?;
        let mut blobs: BTreeMap<&str, Option<&Descriptor>> = BTreeMap::from([(digest.as_str(), None)]);
        blobs.extend(manifest.descriptors().map(|d| (d.digest.as_str(), Some(d))));
        let mut total = 0;
        for (digest, described) in blobs {
            total += match (self.length(&blob(digest)?), described) {
                (Some(length), Some(d)) if length != d.size => {
                    return Err(format!("blob {digest} has {length} B, and its manifest says {}", d.size));
                }
                (Some(length), _) => length,
                // Layers that may not be distributed are fetched from elsewhere.
                (None, Some(d)) if d.media_type.contains("nondistributable") || d.media_type.contains("foreign") => {
                    d.size
                }
                (None, _) => return Err(format!("blob {digest} is missing")),
            };
        }
        Ok(total)
    }

    /// The manifest of the image that this machine would run.
    fn choose(&self, manifests: Vec<Descriptor>, depth: usize) -> Result<(String, Manifest), String> {
        // BuildKit adds attestations as manifests of their own, for the platform "unknown".
        let mut images: Vec<Descriptor> = manifests
            .into_iter()
            .filter(|d| !d.annotations.contains_key("vnd.docker.reference.type"))
            .filter(|d| d.platform.as_ref().is_none_or(|p| p.os != "unknown"))
            .collect();
        let mut seen = BTreeSet::new();
        images.retain(|d| seen.insert(d.digest.clone()));
        if images.len() > 1 {
            let here =
                |d: &Descriptor| d.platform.as_ref().is_some_and(|p| p.os == "linux" && p.architecture == arch());
            if images.iter().filter(|d| here(d)).count() == 1 {
                images.retain(here);
            }
        }
        let descriptor = match &images[..] {
            [one] => one,
            [] => return Err("its index names no image".into()),
            many => {
                let names: Vec<&str> = many
                    .iter()
                    .map(|d| d.annotations.get("org.opencontainers.image.ref.name").unwrap_or(&d.digest).as_str())
                    .collect();
                return Err(format!("it holds {} images ({}); add :TAG to name one", many.len(), names.join(", ")));
            }
        };
        let name = blob(&descriptor.digest)?;
        let value: Value = self.json(&name)?.ok_or_else(|| format!("blob {} is missing", descriptor.digest))?;
        let wrong = |e: serde_json::Error| format!("blob {} is no manifest: {e}", descriptor.digest);
        if value.get("manifests").is_some() {
            if depth >= DEPTH {
                return Err("its indexes are nested too deeply".into());
            }
            let index: Index = serde_json::from_value(value).map_err(wrong)?;
            return self.choose(index.manifests, depth + 1);
        }
        Ok((descriptor.digest.clone(), serde_json::from_value(value).map_err(wrong)?))
    }
}

/// A path of an archive without `.`, with `..` resolved.
fn normal(path: &Path) -> String {
    use std::path::Component;
    let mut parts: Vec<String> = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            Component::ParentDir => {
                parts.pop();
            }
            _ => {}
        }
    }
    parts.join("/")
}

/// Where a blob is, for a digest that can be no path out of the layout.
fn blob(digest: &str) -> Result<String, String> {
    match digest.split_once(':') {
        Some((kind, hex))
            if kind.bytes().all(|b| b.is_ascii_alphanumeric())
                && hex.len() >= 32
                && hex.bytes().all(|b| b.is_ascii_hexdigit()) =>
        {
            Ok(format!("blobs/{kind}/{hex}"))
        }
        _ => Err(format!("'{digest}' is no digest")),
    }
}

/// This machine's architecture as images name it.
fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};
    use std::io::Write;

    /// An OCI layout in the making.
    struct Layout {
        dir: tempfile::TempDir,
    }

    impl Layout {
        fn new() -> Layout {
            let dir = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(dir.path().join("img/blobs/sha256")).unwrap();
            std::fs::write(dir.path().join("img/oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}").unwrap();
            Layout { dir }
        }
        fn blob(&self, bytes: &[u8]) -> (String, usize) {
            let hex: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
            std::fs::write(self.dir.path().join("img/blobs/sha256").join(&hex), bytes).unwrap();
            (format!("sha256:{hex}"), bytes.len())
        }
        /// A manifest over these layers (each may appear twice), and the bytes of all unique blobs.
        fn image(&self, layers: &[&[u8]]) -> (String, usize) {
            let (config, config_size) = self.blob(b"{\"os\":\"linux\"}");
            let mut sizes = BTreeMap::from([(config.clone(), config_size)]);
            let mut described = Vec::new();
            for layer in layers {
                let (digest, size) = self.blob(layer);
                described.push(serde_json::json!({"mediaType": "l", "digest": digest, "size": size}));
                sizes.insert(digest, size);
            }
            let manifest = serde_json::json!({
                "schemaVersion": 2,
                "config": {"mediaType": "c", "digest": config, "size": config_size},
                "layers": described,
            });
            let (digest, size) = self.blob(manifest.to_string().as_bytes());
            (digest, sizes.values().sum::<usize>() + size)
        }
        fn index(&self, manifests: Value) {
            let text = serde_json::json!({"schemaVersion": 2, "manifests": manifests}).to_string();
            std::fs::write(self.dir.path().join("img/index.json"), text).unwrap();
        }
        fn size(&self, spec: &str) -> Result<u64, String> {
            match stored(self.dir.path(), spec) {
                Ok(found) => found.ok_or_else(|| "absent".into()),
                Err(Trouble::Problem(text)) => Err(text),
                Err(other) => Err(format!("{other:?}")),
            }
        }
        fn tar(&self, name: &str) {
            let mut archive = tar::Builder::new(Vec::new());
            archive.append_dir_all(".", self.dir.path().join("img")).unwrap();
            let bytes = archive.into_inner().unwrap();
            std::fs::write(self.dir.path().join(name), &bytes).unwrap();
            let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gz.write_all(&bytes).unwrap();
            std::fs::write(self.dir.path().join(format!("{name}.gz")), gz.finish().unwrap()).unwrap();
            let zst = zstd::stream::encode_all(&bytes[..], 1).unwrap();
            std::fs::write(self.dir.path().join(format!("{name}.zst")), zst).unwrap();
        }
    }

    #[test]
    fn a_layout_and_its_archives_have_the_same_size_with_each_blob_once() {
        let layout = Layout::new();
        let (digest, expected) = layout.image(&[b"layer one", b"second layer", b"layer one"]);
        layout.blob(b"not reachable from the manifest");
        layout.index(serde_json::json!([{"mediaType": "m", "digest": digest, "size": 1}]));
        layout.tar("a.tar");
        for spec in ["img", "a.tar", "a.tar.gz", "a.tar.zst"] {
            assert_eq!(layout.size(spec), Ok(expected as u64), "{spec}");
        }
    }

    #[test]
    fn of_several_images_the_one_for_this_machine_or_the_tagged_one_is_read() {
        let layout = Layout::new();
        let (one, one_size) = layout.image(&[b"one"]);
        let (two, two_size) = layout.image(&[b"two, longer"]);
        let (other, _) = layout.image(&[b"three"]);
        layout.index(serde_json::json!([
            {"digest": one, "size": 1, "platform": {"os": "linux", "architecture": arch()}},
            {"digest": two, "size": 1, "platform": {"os": "linux", "architecture": "other"}},
            {"digest": other, "size": 1, "platform": {"os": "unknown", "architecture": "unknown"}},
        ]));
        assert_eq!(layout.size("img"), Ok(one_size as u64));
        let named = |d: &str, n: &str| serde_json::json!({"digest": d, "size": 1, "annotations": {"org.opencontainers.image.ref.name": n}});
        layout.index(serde_json::json!([named(&one, "localhost/app:v1"), named(&two, "localhost/app:v2")]));
        assert_eq!(layout.size("img:v2"), Ok(two_size as u64));
        assert!(layout.size("img").unwrap_err().contains("add :TAG"));
        assert!(layout.size("img:v3").unwrap_err().contains("no image 'v3'"));
    }

    #[test]
    fn an_index_within_an_index_is_followed_but_not_for_ever() {
        let layout = Layout::new();
        let (digest, expected) = layout.image(&[b"one"]);
        let wrap = |digest: &str| {
            let text = serde_json::json!({"manifests": [{"digest": digest, "size": 1}]}).to_string();
            layout.blob(text.as_bytes()).0
        };
        let mut outer = wrap(&digest);
        layout.index(serde_json::json!([{"digest": outer, "size": 1}]));
        assert_eq!(layout.size("img"), Ok(expected as u64));
        for _ in 0..10 {
            outer = wrap(&outer);
        }
        layout.index(serde_json::json!([{"digest": outer, "size": 1}]));
        assert!(layout.size("img").unwrap_err().contains("nested too deeply"));
    }

    #[test]
    fn a_damaged_layout_says_what_is_wrong() {
        let layout = Layout::new();
        assert!(layout.size("img").unwrap_err().contains("neither an OCI layout nor a docker-archive"));
        layout.index(serde_json::json!([{"digest": "sha256:../../../../etc/passwd", "size": 1}]));
        assert!(layout.size("img").unwrap_err().contains("is no digest"));
        let (digest, _) = layout.image(&[b"some layer"]);
        layout.index(serde_json::json!([{"digest": digest, "size": 1}]));
        let hex: String = Sha256::digest(b"some layer").iter().map(|b| format!("{b:02x}")).collect();
        let path = layout.dir.path().join("img/blobs/sha256").join(hex);
        std::fs::write(&path, "cut").unwrap();
        assert!(layout.size("img").unwrap_err().contains("has 3 B, and its manifest says 10"));
        std::fs::remove_file(path).unwrap();
        assert!(layout.size("img").unwrap_err().ends_with("is missing"));
        std::fs::write(layout.dir.path().join("text"), "hello").unwrap();
        assert!(layout.size("text").is_err());
    }

    #[test]
    fn a_docker_archive_counts_config_and_layers_through_links() {
        let dir = tempfile::tempdir().unwrap();
        let mut archive = tar::Builder::new(File::create(dir.path().join("d.tar")).unwrap());
        let mut put = |name: &str, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, bytes).unwrap();
        };
        put("a/layer.tar", b"1234567");
        put("c.json", b"{}");
        put("unused", b"xxxxxxxxxxxxxxx");
        let manifest =
            r#"[{"Config":"c.json","RepoTags":["localhost/app:v1"],"Layers":["a/layer.tar","b/layer.tar"]}]"#;
        put("manifest.json", manifest.as_bytes());
        let mut link = tar::Header::new_gnu();
        link.set_entry_type(tar::EntryType::Symlink);
        link.set_size(0);
        archive.append_link(&mut link, "b/layer.tar", "../a/layer.tar").unwrap();
        archive.finish().unwrap();
        let size = |spec: &str| match stored(dir.path(), spec) {
            Ok(found) => found,
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(size("d.tar"), Some(9));
        assert_eq!(size("d.tar:app:v1"), None, "only the last colon parts the tag");
        assert!(matches!(stored(dir.path(), "d.tar:v2"), Err(Trouble::Problem(t)) if t.contains("no image 'v2'")));
    }

    #[test]
    fn prefixes_say_what_is_meant() {
        assert_eq!(named("app:verdict"), Named::Any("app:verdict"));
        assert_eq!(named("docker:app:v1"), Named::Engine(Engine::Docker, "app:v1"));
        assert_eq!(named("docker://app"), Named::Engine(Engine::Docker, "app"));
        assert_eq!(named("podman:localhost:5000/a:b"), Named::Engine(Engine::Podman, "localhost:5000/a:b"));
        assert_eq!(named("localhost:5000/a:b"), Named::Any("localhost:5000/a:b"));
        assert_eq!(named("oci:out/img:v1"), Named::Layout("out/img:v1"));
        assert_eq!(named("docker-archive:x.tar"), Named::Archive("x.tar"));
    }

    #[test]
    fn the_engine_that_a_step_names_is_asked_first() {
        let step = |text: &str| Step {
            name: "b".into(),
            run: Command::Shell(text.into()),
            prepare: None,
            timeout: None,
            warmup: 0,
        };
        assert_eq!(in_order(&[]), Engine::ALL);
        let order = in_order(&[step("cd x && /usr/bin/podman build .")]);
        assert_eq!(order, [Engine::Podman, Engine::Docker, Engine::Buildah]);
        assert_eq!(in_order(&[step("./mypodman-wrapper")]), Engine::ALL);
    }

    #[test]
    fn what_engines_say_is_told_in_short() {
        assert_eq!(refusal("Error: inspecting object: x: image not known").as_deref(), Some("no such image"));
        assert_eq!(refusal("Error response from daemon: No such image: x").as_deref(), Some("no such image"));
        let down = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
        assert_eq!(refusal(down).as_deref(), Some("its daemon does not answer"));
        assert_eq!(refusal("warning\nboom\n").as_deref(), Some("boom"));
    }
}
