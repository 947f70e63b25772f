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
//! `buildah:`, `oci:`, `oci-archive:`, `docker-archive:`, `dir:` (the last four take `PATH` or `PATH:TAG`). Without one, a path
//! that exists in the work tree wins; otherwise the engines are asked, those first that a step of the configuration
//! names, then docker, podman, buildah. `VERDICT_ENGINE` sets the only one to ask; the engines' own variables
//! (`DOCKER_HOST`, `CONTAINERS_STORAGE_CONF`, `STORAGE_DRIVER`, …) hold as always.
//!
//! Formats and engines are [`crate::inspect::image`]'s.

use super::path::{self, Missing};
use super::{Place, Trouble};
use crate::config::{Command, Step};
use crate::inspect::image::{self, EngineKind, Options};
use crate::measure::runner::{self, Outcome, Sink};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An engine that has not answered by then is taken for absent.
const ENGINE_TIMEOUT: Duration = Duration::from_secs(60);

/// An answer that is longer is none.
const ANSWER_LIMIT: u64 = 4 << 20;

/// Where the image that a reference names is to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::measure) enum Found<'a> {
    /// In a file or folder of the work tree; of several in it, the one of that name.
    Stored(PathBuf, Option<&'a str>),
    /// With one of these engines, which are asked in this order.
    Engines(Vec<EngineKind>, &'a str),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Named<'a> {
    Stored(&'a str),
    Engine(EngineKind, &'a str),
    Any(&'a str),
}

/// The size in bytes of the image that `reference` names. `steps` tell which engine is likely meant.
pub fn size(place: &Place<'_>, reference: &str, steps: &[Step]) -> Result<f64, Trouble> {
    let bytes = match locate(place.root, reference, steps)? {
        Found::Stored(path, name) => stored_bytes(&path, name).map_err(Trouble::Problem)?,
        Found::Engines(engines, name) => ask_all(place, &engines, name)?,
    };
    Ok(bytes as f64)
}

/// Where to look for the image that `reference` names.
pub(in crate::measure) fn locate<'a>(root: &Path, reference: &'a str, steps: &[Step]) -> Result<Found<'a>, Trouble> {
    match named(reference) {
        Named::Stored(spec) => stored(root, spec)?
            .ok_or_else(|| Trouble::Absent(format!("image '{spec}' does not exist after the steps have run"))),
        Named::Engine(engine, name) => Ok(Found::Engines(vec![engine], name)),
        Named::Any(name) => match stored(root, name)? {
            Some(found) => Ok(found),
            None => Ok(Found::Engines(engines(steps)?, name)),
        },
    }
}

fn named(reference: &str) -> Named<'_> {
    let Some((prefix, rest)) = reference.split_once(':') else { return Named::Any(reference) };
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    match prefix {
        "docker-archive" | "oci-archive" | "oci" | "dir" => Named::Stored(rest),
        "docker" | "docker-daemon" => Named::Engine(EngineKind::Docker, rest),
        "podman" | "containers-storage" => Named::Engine(EngineKind::Podman, rest),
        "buildah" => Named::Engine(EngineKind::Buildah, rest),
        _ => Named::Any(reference),
    }
}

/// Which engines to ask, and in what order.
fn engines(steps: &[Step]) -> Result<Vec<EngineKind>, Trouble> {
    let wanted = EngineKind::wanted().map_err(|e| Trouble::Problem(e.to_string()))?;
    Ok(in_order(wanted, steps))
}

fn in_order(engines: Vec<EngineKind>, steps: &[Step]) -> Vec<EngineKind> {
    let commands: Vec<String> = steps.iter().map(|s| s.run.to_string()).collect();
    let names = |engine: &EngineKind| {
        let is_word = |word: &str| word.rsplit('/').next() == Some(engine.program());
        commands.iter().any(|c| c.split(|ch: char| ch.is_whitespace() || ";&|()'\"".contains(ch)).any(is_word))
    };
    let (mut first, rest): (Vec<_>, Vec<_>) = engines.into_iter().partition(names);
    first.extend(rest);
    first
}

fn ask_all(place: &Place<'_>, engines: &[EngineKind], name: &str) -> Result<u64, Trouble> {
    let mut answers = Vec::new();
    for &engine in engines {
        match ask(place, engine, name)? {
            Ok(bytes) => return Ok(bytes),
            Err(why) => answers.push(format!("{}: {why}", engine.program())),
        }
    }
    Err(Trouble::Problem(format!("image '{name}' does not exist ({answers})", answers = answers.join("; "))))
}

/// Asks one engine; the inner error says why it has no answer.
fn ask(place: &Place<'_>, engine: EngineKind, name: &str) -> Result<Result<u64, String>, Trouble> {
    if name.is_empty() || name.starts_with('-') {
        return Err(Trouble::Problem(format!("'{name}' is not the name of an image")));
    }
    let words = [engine.program()].into_iter().chain(engine.size_query().iter().copied()).chain([name]);
    let command = Command::Direct(words.map(str::to_string).collect());
    let file = format!("image-{}", engine.program());
    let ran = super::run(place, &command, &file, Some(ENGINE_TIMEOUT), ANSWER_LIMIT)?;
    match ran.finished.outcome {
        Outcome::Success => {}
        Outcome::Interrupted => {
            return Err(Trouble::Failed { outcome: Outcome::Interrupted, tail: String::new(), log: ran.err });
        }
        Outcome::NotStarted(why) if why.starts_with("no such command") => return Ok(Err("not installed".into())),
        outcome => {
            let said = runner::tail(&Sink::Log(&ran.err));
            return Ok(Err(image::in_short(&said).unwrap_or_else(|| outcome.to_string())));
        }
    }
    Ok(engine.size_answer(&runner::read_output(&ran.out)?))
}

/// An image kept in a file or folder of the work tree; `None` when there is no such path.
fn stored<'a>(root: &Path, spec: &'a str) -> Result<Option<Found<'a>>, Trouble> {
    let root = root.canonicalize().map_err(|e| Trouble::Problem(format!("{}: {e}", root.display())))?;
    let whole = path::locate(&root, spec);
    let (found, tag) = match (&whole, spec.rsplit_once(':')) {
        (Err(Missing::Absent(_) | Missing::Unreachable(_)), Some((before, tag))) => match path::locate(&root, before) {
            // `app:verdict` beside a folder `app` is a reference, not a tag in that folder.
            Ok(real) if holds_image(&real) => (Ok(real), Some(tag)),
            Err(Missing::Outside(text)) => (Err(Missing::Outside(text)), None),
            _ => (whole, None),
        },
        _ => (whole, None),
    };
    match found {
        Ok(real) => Ok(Some(Found::Stored(real, tag))),
        Err(Missing::Absent(_) | Missing::Unreachable(_)) => Ok(None),
        Err(Missing::Outside(text)) => Err(Trouble::Problem(text)),
    }
}

fn holds_image(path: &Path) -> bool {
    path.is_file() || path.join("oci-layout").is_file() || path.join("index.json").is_file()
}

fn stored_bytes(path: &Path, name: Option<&str>) -> Result<u64, String> {
    let options = Options { name: name.map(str::to_string), ..Options::default() };
    image::stored_bytes(path, &options).map_err(|error| {
        let failure = crate::error::Failure::from(error);
        format!("image {}", failure.what)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use sha2::{Digest, Sha256};
    use std::collections::BTreeMap;
    use std::fs::File;
    use std::io::Write;

    /// The size of an image in a file or folder, if it is there.
    fn measured(root: &Path, spec: &str) -> Result<Option<u64>, String> {
        match stored(root, spec) {
            Ok(Some(Found::Stored(path, name))) => stored_bytes(&path, name).map(Some),
            Ok(_) => Ok(None),
            Err(Trouble::Problem(text) | Trouble::Absent(text)) => Err(text),
            Err(other) => Err(format!("{other:?}")),
        }
    }

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
            measured(self.dir.path(), spec)?.ok_or_else(|| "absent".into())
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
            {"digest": one, "size": 1, "platform": {"os": "linux", "architecture": image::Platform::host().architecture}},
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
        let size = |spec: &str| measured(dir.path(), spec).unwrap();
        assert_eq!(size("d.tar"), Some(9));
        assert_eq!(size("d.tar:app:v1"), None, "only the last colon parts the tag");
        assert!(measured(dir.path(), "d.tar:v2").unwrap_err().contains("no image 'v2'"));
    }

    #[test]
    fn prefixes_say_what_is_meant() {
        assert_eq!(named("app:verdict"), Named::Any("app:verdict"));
        assert_eq!(named("docker:app:v1"), Named::Engine(EngineKind::Docker, "app:v1"));
        assert_eq!(named("docker://app"), Named::Engine(EngineKind::Docker, "app"));
        assert_eq!(named("podman:localhost:5000/a:b"), Named::Engine(EngineKind::Podman, "localhost:5000/a:b"));
        assert_eq!(named("localhost:5000/a:b"), Named::Any("localhost:5000/a:b"));
        assert_eq!(named("oci:out/img:v1"), Named::Stored("out/img:v1"));
        assert_eq!(named("docker-archive:x.tar"), Named::Stored("x.tar"));
    }

    #[test]
    fn the_engine_that_a_step_names_is_asked_first() {
        let step = |text: &str| Step {
            name: "b".into(),
            run: Command::Shell(text.into()),
            prepare: None,
            timeout: None,
            warmup: 0,
            once: false,
        };
        assert_eq!(in_order(EngineKind::ALL.to_vec(), &[]), EngineKind::ALL);
        let order = in_order(EngineKind::ALL.to_vec(), &[step("cd x && /usr/bin/podman build .")]);
        assert_eq!(order, [EngineKind::Podman, EngineKind::Docker, EngineKind::Buildah]);
        assert_eq!(in_order(EngineKind::ALL.to_vec(), &[step("./mypodman-wrapper")]), EngineKind::ALL);
    }
}
