//! From an index or `manifest.json` to the blobs of one image.

use super::store::Store;
use super::{Format, History, Options, Platform};
use crate::digest;
use crate::inspect::{InspectError, Problem};
use crate::phrase;
use crate::phrase::Phrase;
use serde::Deserialize;

/// The image that was picked.
pub(crate) struct Picked {
    pub format: Format,
    pub names: Vec<String>,
    pub digest: Option<String>,
    pub config_digest: Option<String>,
    pub platform: Platform,
    pub created: Option<String>,
    pub config: serde_json::Value,
    pub diff_ids: Vec<String>,
    pub history: Vec<History>,
    pub layers: Vec<Wanted>,
    /// The configuration's blob.
    pub config_blob: Option<Wanted>,
    /// Bytes of the manifest; 0 in an archive of the old form, whose `manifest.json` is the archive's and not the image's.
    pub manifest_bytes: u64,
    /// Bytes of manifest and configuration.
    pub metadata_bytes: u64,
}

/// A layer's blob.
pub(crate) struct Wanted {
    /// Its name in the store.
    pub key: String,
    pub digest: Option<String>,
    pub media_type: Option<String>,
    pub size: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: Option<String>,
    digest: String,
    size: Option<u64>,
    platform: Option<PlatformJson>,
    #[serde(default)]
    annotations: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Deserialize, Default)]
struct PlatformJson {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: String,
}

#[derive(Deserialize)]
struct Manifest {
    manifests: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerManifest {
    config: String,
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Vec<String>,
}

#[derive(Deserialize, Default)]
struct Config {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: String,
    created: Option<String>,
    config: Option<serde_json::Value>,
    rootfs: Option<RootFs>,
    history: Option<Vec<HistoryJson>>,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct HistoryJson {
    created: Option<String>,
    created_by: Option<String>,
    comment: Option<String>,
    #[serde(default)]
    empty_layer: bool,
}

/// Finds the image that is asked for.
pub(crate) fn pick(
    store: &mut Store,
    label: &str,
    options: &Options,
    problems: &mut Vec<Problem>,
) -> Result<Picked, InspectError> {
    let index = store.json("index.json", &options.limits)?;
    let docker = store.json("manifest.json", &options.limits)?;
    if let Some(index) = &index {
        let format = if store.is_folder() { Format::OciLayout } else { Format::OciArchive };
        match from_index(store, label, index, format, options, problems) {
            // `docker save` writes both; with a part of a multi-platform image only the other one may be whole.
            Err(InspectError::Format { .. }) if docker.is_some() => {}
            Ok(mut picked) => {
                if let Some(names) = docker.as_deref().and_then(|d| names_of(d, picked.config_digest.as_deref())) {
                    picked.format = if store.is_folder() { Format::Folder } else { Format::DockerArchive };
                    picked.names = names;
                }
                return Ok(picked);
            }
            other => return other,
        }
    }
    let Some(docker) = docker else {
        let what = match store.cut() {
            Some(cut) => phrase!("no manifest.json or index.json before it ends ({cut})", cut),
            None => "this is neither an OCI layout nor a docker-archive: neither manifest.json nor index.json is there"
                .into(),
        };
        return Err(InspectError::format(label, what));
    };
    if docker.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{') {
        let manifest: Manifest = parse(&docker, &format!("{label}: manifest.json"))?;
        let digest = sha256_of(&docker);
        return from_manifest(store, label, manifest, Some(digest), docker.len(), Keys::Bare, options, problems);
    }
    from_docker(store, label, &docker, options, problems)
}

/// Bytes of the configuration and the layers that a manifest names, each once.
pub(crate) fn sum_of_blobs(manifest: &[u8]) -> Result<u64, serde_json::Error> {
    let manifest: Manifest = serde_json::from_slice(manifest)?;
    let blobs = manifest.config.into_iter().chain(manifest.layers.unwrap_or_default());
    let sizes: std::collections::BTreeMap<String, u64> = blobs.map(|d| (d.digest, d.size.unwrap_or(0))).collect();
    Ok(sizes.into_values().fold(0, u64::saturating_add))
}

fn names_of(docker: &[u8], config_digest: Option<&str>) -> Option<Vec<String>> {
    let hex = config_digest?.strip_prefix("sha256:")?;
    let all: Vec<DockerManifest> = serde_json::from_slice(docker).ok()?;
    let one = all.into_iter().find(|m| m.config.contains(hex))?;
    Some(one.repo_tags.unwrap_or_default())
}

/// How a digest becomes the name of a blob.
#[derive(Clone, Copy)]
enum Keys {
    /// `blobs/sha256/…`.
    Layout,
    /// The hexadecimal digits alone.
    Bare,
}

fn key(digest: &str, keys: Keys, place: &str) -> Result<String, InspectError> {
    let good = |part: &str, more: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || more.as_bytes().contains(&b))
    };
    match digest.split_once(':') {
        Some((algorithm, hex)) if good(algorithm, "+._-") && !algorithm.starts_with('.') && good(hex, "=_-") => {
            Ok(match keys {
                Keys::Layout => format!("blobs/{algorithm}/{hex}"),
                Keys::Bare => hex.to_string(),
            })
        }
        _ => Err(InspectError::format(
            place,
            phrase!("'{digest}' is no digest", digest = digest.escape_debug().to_string()),
        )),
    }
}

fn from_index(
    store: &mut Store,
    label: &str,
    index: &[u8],
    format: Format,
    options: &Options,
    problems: &mut Vec<Problem>,
) -> Result<Picked, InspectError> {
    let mut index: Manifest = parse(index, &format!("{label}: index.json"))?;
    let mut names = Vec::new();
    for depth in 0..5 {
        let candidates = index.manifests.take().unwrap_or_default();
        let descriptor = choose(candidates, label, options, depth == 0)?;
        names.extend(ref_names(&descriptor));
        let key = key(&descriptor.digest, Keys::Layout, label)?;
        let Some(bytes) = store.json(&key, &options.limits)? else {
            return Err(InspectError::format(label, phrase!("its manifest, {key}, is not there", key)));
        };
        check_digest(&bytes, &descriptor.digest, "manifest", problems, options.limits.verify);
        let manifest: Manifest = parse(&bytes, &format!("{label}: {key}"))?;
        if manifest.manifests.is_none() {
            let digest = Some(descriptor.digest);
            let mut picked =
                from_manifest(store, label, manifest, digest, bytes.len(), Keys::Layout, options, problems)?;
            picked.format = format;
            picked.names = names;
            return Ok(picked);
        }
        index = manifest;
    }
    Err(InspectError::format(label, "its indexes are nested too deeply"))
}

fn ref_names(descriptor: &Descriptor) -> Vec<String> {
    let annotation = |name: &str| {
        descriptor.annotations.as_ref().and_then(|a| a.get(name)).and_then(|v| v.as_str()).map(str::to_string)
    };
    annotation("io.containerd.image.name")
        .or_else(|| annotation("org.opencontainers.image.ref.name"))
        .into_iter()
        .collect()
}

/// One descriptor out of an index: by name at the top, and by platform.
fn choose(candidates: Vec<Descriptor>, label: &str, options: &Options, top: bool) -> Result<Descriptor, InspectError> {
    let is_attestation = |d: &Descriptor| {
        let reference = d.annotations.as_ref().is_some_and(|a| a.contains_key("vnd.docker.reference.type"));
        reference || d.platform.as_ref().is_some_and(|p| p.os == "unknown")
    };
    let mut candidates: Vec<Descriptor> = candidates.into_iter().filter(|d| !is_attestation(d)).collect();
    let choice = |what: Phrase| InspectError::Choice { place: label.into(), what };
    if let (true, Some(wanted)) = (top, &options.name) {
        let all = candidates.iter().flat_map(ref_names).collect::<Vec<_>>().join(", ");
        let by_digest = |d: &Descriptor| d.digest == *wanted || d.digest.split_once(':').is_some_and(|d| d.1 == wanted);
        let exact = |d: &Descriptor| ref_names(d).iter().any(|n| same_name(n, wanted)) || by_digest(d);
        if candidates.iter().any(exact) {
            candidates.retain(exact);
        } else {
            candidates.retain(|d| ref_names(d).iter().any(|n| ends_with_name(n, wanted)));
        }
        if candidates.is_empty() {
            return Err(choice(no_such(wanted, &all)));
        }
    }
    if top {
        let mut names: Vec<String> = candidates.iter().flat_map(ref_names).collect();
        names.dedup();
        let platforms = candidates.iter().filter(|d| d.platform.is_some()).count();
        if names.len() > 1 && platforms < candidates.len() {
            return Err(choice(several(&names)));
        }
    }
    let wanted = options.platform.clone().unwrap_or_else(Platform::host);
    let platform = |d: &Descriptor| {
        d.platform.as_ref().map(|p| Platform {
            os: p.os.clone(),
            architecture: p.architecture.clone(),
            variant: p.variant.clone(),
        })
    };
    let fits = candidates.iter().position(|d| platform(d).is_some_and(|p| wanted.takes(&p)));
    let at = match fits {
        Some(i) => i,
        None if candidates.is_empty() => return Err(InspectError::format(label, "an index without manifests")),
        None => match candidates.iter().position(|d| d.platform.is_none()) {
            Some(i) => i,
            None if candidates.len() == 1 && options.platform.is_none() => 0,
            None => {
                let held = candidates.iter().filter_map(platform).map(|p| p.to_string()).collect::<Vec<_>>().join(", ");
                return Err(choice(phrase!("it holds {held}, and not {wanted}", held, wanted = wanted.to_string())));
            }
        },
    };
    Ok(candidates.swap_remove(at))
}

fn no_such(wanted: &str, held: &str) -> Phrase {
    match held {
        "" => phrase!("it holds no image '{wanted}', but nothing that has a name", wanted),
        held => phrase!("it holds no image '{wanted}', but {held}", wanted, held),
    }
}

fn several(names: &[String]) -> Phrase {
    phrase!("it holds {n} images ({names}); add :TAG to name one", n = names.len(), names = names.join(", "))
}

/// Whether `wanted` is the tag, or the last part, of a name: `v1` of `localhost/app:v1`.
fn ends_with_name(name: &str, wanted: &str) -> bool {
    name.strip_suffix(wanted).is_some_and(|head| head.ends_with(['/', ':']))
}

/// `app:1`, `library/app:1` and `docker.io/library/app:1` are the same; so are `app` and `app:latest`.
fn same_name(a: &str, b: &str) -> bool {
    let plain = |name: &str| {
        let name = name.strip_prefix("docker.io/").unwrap_or(name);
        let name = name.strip_prefix("localhost/").unwrap_or(name);
        let name = name.strip_prefix("library/").unwrap_or(name);
        name.strip_suffix(":latest").unwrap_or(name).to_string()
    };
    plain(a) == plain(b)
}

#[allow(clippy::too_many_arguments)]
fn from_manifest(
    store: &mut Store,
    label: &str,
    manifest: Manifest,
    digest: Option<String>,
    manifest_bytes: usize,
    keys: Keys,
    options: &Options,
    problems: &mut Vec<Problem>,
) -> Result<Picked, InspectError> {
    let Some(config) = manifest.config else {
        return Err(InspectError::format(label, "its manifest names no configuration"));
    };
    let layers = manifest.layers.unwrap_or_default();
    too_many(layers.len(), label, options)?;
    let layers: Vec<Wanted> = layers
        .into_iter()
        .map(|d| {
            let key = key(&d.digest, keys, label)?;
            Ok(Wanted { key, digest: Some(d.digest), media_type: d.media_type, size: d.size })
        })
        .collect::<Result<_, InspectError>>()?;
    let config_key = key(&config.digest, keys, label)?;
    let bytes = store.json(&config_key, &options.limits)?;
    let mut picked = from_config(label, bytes.as_deref(), Some(config.digest.clone()), options, problems)?;
    picked.digest = digest;
    picked.layers = layers;
    picked.config_blob =
        Some(Wanted { key: config_key, digest: Some(config.digest), media_type: config.media_type, size: config.size });
    picked.manifest_bytes = manifest_bytes as u64;
    picked.metadata_bytes += manifest_bytes as u64;
    Ok(picked)
}

fn from_docker(
    store: &mut Store,
    label: &str,
    bytes: &[u8],
    options: &Options,
    problems: &mut Vec<Problem>,
) -> Result<Picked, InspectError> {
    let mut all: Vec<DockerManifest> = parse(bytes, &format!("{label}: manifest.json"))?;
    let tags = |m: &DockerManifest| m.repo_tags.clone().unwrap_or_default();
    let held = all.iter().flat_map(&tags).collect::<Vec<_>>();
    let choice = |what: Phrase| InspectError::Choice { place: label.into(), what };
    if let Some(wanted) = &options.name {
        let exact = |m: &DockerManifest| {
            tags(m).iter().any(|t| same_name(t, wanted))
                || (wanted.len() >= 12 && m.config.contains(wanted.trim_start_matches("sha256:")))
        };
        if all.iter().any(exact) {
            all.retain(exact);
        } else {
            all.retain(|m| tags(m).iter().any(|t| ends_with_name(t, wanted)));
        }
        if all.is_empty() {
            return Err(choice(no_such(wanted, &held.join(", "))));
        }
    }
    if all.len() > 1 {
        return Err(choice(several(&held)));
    }
    let Some(one) = all.pop() else {
        return Err(InspectError::format(label, "manifest.json lists no image"));
    };
    too_many(one.layers.len(), label, options)?;
    let blob_digest = |name: &str| {
        let hex = name.strip_prefix("blobs/sha256/").unwrap_or(name);
        let hex = hex.strip_suffix(".json").unwrap_or(hex);
        (hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit())).then(|| format!("sha256:{hex}"))
    };
    let config = store.json(&one.config, &options.limits)?;
    let mut picked = from_config(label, config.as_deref(), blob_digest(&one.config), options, problems)?;
    picked.names = one.repo_tags.unwrap_or_default();
    picked.config_blob =
        Some(Wanted { digest: blob_digest(&one.config), key: one.config, media_type: None, size: None });
    picked.layers = one
        .layers
        .into_iter()
        .map(|key| Wanted {
            digest: key.starts_with("blobs/").then(|| blob_digest(&key)).flatten(),
            key,
            media_type: None,
            size: None,
        })
        .collect();
    picked.format = if store.is_folder() { Format::Folder } else { Format::DockerArchive };
    Ok(picked)
}

fn from_config(
    label: &str,
    bytes: Option<&[u8]>,
    digest: Option<String>,
    options: &Options,
    problems: &mut Vec<Problem>,
) -> Result<Picked, InspectError> {
    let config: Config = match bytes {
        Some(bytes) => {
            if let Some(digest) = &digest {
                check_digest(bytes, digest, "configuration", problems, options.limits.verify);
            }
            parse(bytes, &format!("{label}: configuration"))?
        }
        None => {
            problems.push(Problem::new("configuration", "it is not there"));
            Config::default()
        }
    };
    let history = config.history.unwrap_or_default();
    too_many(history.len(), label, options)?;
    let history = history.into_iter().map(|h| History {
        created_by: h.created_by.unwrap_or_default(),
        created: h.created,
        comment: h.comment.filter(|c| !c.is_empty()),
        // Only a mark; the numbers are given once the layers are known.
        layer: (!h.empty_layer).then_some(1),
        source: None,
    });
    Ok(Picked {
        format: Format::Folder,
        names: Vec::new(),
        digest: None,
        config_digest: digest,
        platform: Platform { os: config.os, architecture: config.architecture, variant: config.variant },
        created: config.created,
        config: config.config.unwrap_or_default(),
        diff_ids: config.rootfs.and_then(|r| r.diff_ids).unwrap_or_default(),
        history: history.collect(),
        layers: Vec::new(),
        config_blob: None,
        manifest_bytes: 0,
        metadata_bytes: bytes.map_or(0, |b| b.len() as u64),
    })
}

fn too_many(count: usize, label: &str, options: &Options) -> Result<(), InspectError> {
    // More than a thousand layers can't be mounted by any engine.
    let most = options.limits.max_members.min(4096);
    if count > most {
        return Err(InspectError::format(
            label,
            phrase!("{n} layers or history entries, more than {most}", n = count, most),
        ));
    }
    Ok(())
}

fn parse<T: serde::de::DeserializeOwned>(bytes: &[u8], place: &str) -> Result<T, InspectError> {
    serde_json::from_slice(bytes).map_err(|e| InspectError::format(place, phrase!("bad JSON: {e}", e)))
}

fn sha256_of(bytes: &[u8]) -> String {
    format!("sha256:{}", digest::sha256(bytes))
}

/// What is said of content that is not what its digest says.
pub(super) fn wrong_digest(found: &str, wanted: &str) -> Phrase {
    phrase!("wrong digest: its content has {found}, not {wanted}", found, wanted)
}

fn check_digest(bytes: &[u8], digest: &str, place: &str, problems: &mut Vec<Problem>, verify: bool) {
    if verify && digest.starts_with("sha256:") {
        let found = sha256_of(bytes);
        if found != digest {
            problems.push(Problem::new(place, wrong_digest(&found, digest)));
        }
    }
}
