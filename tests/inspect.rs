//! Reads artefacts made here, good and bad, in every format.

mod command;

use git_verdict::inspect::buildlog;
use git_verdict::inspect::diff::{self, Size};
use git_verdict::inspect::dockerfile::Dockerfile;
use git_verdict::inspect::image::{self, Compression, Engine, EngineKind, Format, How, Image, Options, Platform};
use git_verdict::inspect::{InspectError, Limits};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::Path;
use std::process::Command;

// Images made by hand.

fn sha(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

enum Item<'a> {
    File(&'a [u8], &'a [u8], u32),
    Dir(&'a [u8]),
    Link(&'a [u8], &'a [u8], tar::EntryType),
    Device(&'a [u8]),
}

/// A tar with names exactly as given, however bad.
fn tarball(items: &[Item<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut put = |name: &[u8], kind: tar::EntryType, mode: u32, link: &[u8], body: &[u8]| {
        let mut header = tar::Header::new_gnu();
        let gnu = header.as_gnu_mut().unwrap();
        gnu.name[..name.len()].copy_from_slice(name);
        gnu.linkname[..link.len()].copy_from_slice(link);
        header.set_entry_type(kind);
        if kind == tar::EntryType::Char {
            // A device 0/0 would be a whiteout of overlayfs.
            header.set_device_major(1).unwrap();
            header.set_device_minor(3).unwrap();
        }
        header.set_mode(mode);
        header.set_size(body.len() as u64);
        header.set_cksum();
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(body);
        out.resize(out.len().next_multiple_of(512), 0);
    };
    for item in items {
        match item {
            Item::File(name, body, mode) => put(name, tar::EntryType::Regular, *mode, b"", body),
            Item::Dir(name) => put(name, tar::EntryType::Directory, 0o755, b"", b""),
            Item::Link(name, target, kind) => put(name, *kind, 0o777, target, b""),
            Item::Device(name) => put(name, tar::EntryType::Char, 0o600, b"", b""),
        }
    }
    out.resize(out.len() + 1024, 0);
    out
}

fn pack(bytes: &[u8], compression: Compression) -> Vec<u8> {
    match compression {
        Compression::None => bytes.to_vec(),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Zstd => zstd::encode_all(bytes, 3).unwrap(),
    }
}

fn config(layers: &[Vec<u8>], arch: &str) -> Vec<u8> {
    let diff_ids: Vec<String> = layers.iter().map(|l| format!("sha256:{}", sha(l))).collect();
    let mut history: Vec<serde_json::Value> = Vec::new();
    for i in 0..layers.len() {
        history.push(serde_json::json!({"created_by": format!("RUN /bin/sh -c step {i} # buildkit")}));
        history.push(serde_json::json!({"created_by": format!("ENV N={i}"), "empty_layer": true}));
    }
    serde_json::to_vec(&serde_json::json!({
        "architecture": arch, "os": "linux", "created": "2025-01-01T00:00:00Z",
        "config": {"Env": ["A=1"]}, "rootfs": {"type": "layers", "diff_ids": diff_ids}, "history": history,
    }))
    .unwrap()
}

/// The files of an OCI layout for one or more platforms.
fn layout(layers: &[Vec<u8>], compression: Compression, architectures: &[&str]) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![("oci-layout".to_string(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec())];
    let mut put = |bytes: Vec<u8>, media: &str| {
        let digest = format!("sha256:{}", sha(&bytes));
        let descriptor = serde_json::json!({"mediaType": media, "digest": digest, "size": bytes.len()});
        let name = format!("blobs/sha256/{}", sha(&bytes));
        if !files.iter().any(|f| f.0 == name) {
            files.push((name, bytes));
        }
        descriptor
    };
    let suffix = match compression {
        Compression::None => "",
        Compression::Gzip => "+gzip",
        Compression::Zstd => "+zstd",
    };
    let blobs: Vec<serde_json::Value> = layers
        .iter()
        .map(|l| put(pack(l, compression), &format!("application/vnd.oci.image.layer.v1.tar{suffix}")))
        .collect();
    let mut manifests = Vec::new();
    for arch in architectures {
        let config = put(config(layers, arch), "application/vnd.oci.image.config.v1+json");
        let manifest = serde_json::json!({"schemaVersion": 2, "config": config, "layers": blobs});
        let media = "application/vnd.oci.image.manifest.v1+json";
        let mut descriptor = put(serde_json::to_vec(&manifest).unwrap(), media);
        descriptor["platform"] = serde_json::json!({"os": "linux", "architecture": arch});
        manifests.push(descriptor);
    }
    let index = if architectures.len() > 1 {
        let inner = serde_json::json!({"schemaVersion": 2, "manifests": manifests});
        let mut outer = put(serde_json::to_vec(&inner).unwrap(), "application/vnd.oci.image.index.v1+json");
        outer["annotations"] = serde_json::json!({"org.opencontainers.image.ref.name": "app:1"});
        serde_json::json!({"schemaVersion": 2, "manifests": [outer]})
    } else {
        manifests[0]["annotations"] = serde_json::json!({"org.opencontainers.image.ref.name": "app:1"});
        serde_json::json!({"schemaVersion": 2, "manifests": manifests})
    };
    files.push(("index.json".into(), serde_json::to_vec(&index).unwrap()));
    files
}

/// The files of an old `docker save`, the second of two equal layers as a link.
fn docker_files(layers: &[Vec<u8>]) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut names = Vec::new();
    for layer in layers {
        let name = format!("{}/layer.tar", sha(&[layer.as_slice(), b"id"].concat()));
        files.push((name.clone(), layer.clone()));
        names.push(name);
    }
    let config = config(layers, "amd64");
    let config_name = format!("{}.json", sha(&config));
    let manifest = serde_json::json!([{"Config": config_name, "RepoTags": ["app:1"], "Layers": names}]);
    files.push((config_name, config));
    files.push(("manifest.json".into(), serde_json::to_vec(&manifest).unwrap()));
    files
}

fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<Item<'_>> = files.iter().map(|(n, b)| Item::File(n.as_bytes(), b, 0o644)).collect();
    tarball(&items)
}

fn folder(files: &[(String, Vec<u8>)], at: &Path) {
    for (name, bytes) in files {
        let path = at.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

fn three_layers() -> Vec<Vec<u8>> {
    vec![
        tarball(&[
            Item::Dir(b"app/"),
            Item::File(b"app/a", &[1; 1000], 0o644),
            Item::File(b"app/b", &[2; 2000], 0o644),
            Item::File(b"app/c", &[3; 3000], 0o644),
            Item::Dir(b"cache/"),
            Item::File(b"cache/x", &[4; 4000], 0o644),
        ]),
        tarball(&[
            Item::File(b"app/a", &[9; 500], 0o644),
            Item::File(b"app/b", &[2; 2000], 0o755),
            Item::File(b"app/.wh.c", b"", 0o644),
        ]),
        tarball(&[
            Item::Dir(b"cache/"),
            Item::File(b"cache/.wh..wh..opq", b"", 0),
            Item::File(b"cache/y", &[5; 50], 0o644),
        ]),
    ]
}

fn checks(image: &Image) {
    assert_eq!(image.problems, [], "{}", image.source);
    assert!(!image.is_partial());
    let sizes: Vec<(u64, u64, u64)> = image.layers.iter().map(|l| (l.file_bytes, l.unique, l.files)).collect();
    assert_eq!(sizes, [(10_000, 0, 4), (2500, 2500, 3 - 1), (50, 50, 1)], "{}", image.source);
    assert_eq!(image.wasted_bytes(), 10_000);
    let how: Vec<(String, u64, usize, usize, How)> =
        image.wasted.iter().map(|w| (image.show(w.path), w.bytes, w.layer, w.by, w.how)).collect();
    assert_eq!(
        how,
        [
            ("/cache/x".to_string(), 4000, 1, 3, How::Deleted),
            ("/app/c".to_string(), 3000, 1, 2, How::Deleted),
            ("/app/b".to_string(), 2000, 1, 2, How::Rewritten),
            ("/app/a".to_string(), 1000, 1, 2, How::Overwritten),
        ]
    );
    assert_eq!(image.layers[1].instruction.as_deref(), Some("RUN step 1"));
    assert_eq!(image.platform, Platform::parse("linux/amd64"));
    assert_eq!(image.history.len(), 6);
    assert_eq!(image.names, ["app:1"]);
}

fn bytes_to_image(bytes: &[u8], options: &Options) -> Result<Image, InspectError> {
    image::read_stream(bytes, "test", options)
}

#[test]
fn every_form_of_an_image_gives_the_same_layers() {
    let layers = three_layers();
    let amd64 = Options { platform: Some(Platform::parse("amd64")), ..Options::default() };
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let files = layout(&layers, compression, &["amd64"]);
        let temp = tempfile::tempdir().unwrap();
        folder(&files, temp.path());
        let from_folder = image::read(temp.path(), &amd64).unwrap();
        assert_eq!(from_folder.format, Format::OciLayout);
        checks(&from_folder);
        for outer in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let bytes = pack(&archive(&files), outer);
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &bytes).unwrap();
            for image in [image::read(file.path(), &amd64).unwrap(), bytes_to_image(&bytes, &amd64).unwrap()] {
                assert_eq!(image.format, Format::OciArchive);
                checks(&image);
                assert_eq!(image.stored(), from_folder.stored());
                assert_eq!(image.uncompressed(), layers.iter().map(|l| l.len() as u64).sum::<u64>());
                assert_eq!(image.layers[0].compression, compression);
            }
        }
    }
    let files = docker_files(&layers);
    let temp = tempfile::tempdir().unwrap();
    folder(&files, temp.path());
    checks(&image::read(temp.path(), &amd64).unwrap());
    checks(&bytes_to_image(&archive(&files), &amd64).unwrap());
    // The new form of `docker save` has both.
    let mut both = layout(&layers, Compression::None, &["amd64"]);
    let hex = |i: usize| format!("blobs/sha256/{}", sha(&layers[i]));
    let manifest = serde_json::json!([{
        "Config": format!("blobs/sha256/{}", sha(&config(&layers, "amd64"))),
        "RepoTags": ["app:1"], "Layers": [hex(0), hex(1), hex(2)],
    }]);
    both.push(("manifest.json".into(), serde_json::to_vec(&manifest).unwrap()));
    let image = bytes_to_image(&archive(&both), &amd64).unwrap();
    assert_eq!(image.format, Format::DockerArchive);
    checks(&image);
    // A part of a multi-platform image: the index names a manifest that is not there.
    let index =
        serde_json::json!({"schemaVersion": 2, "manifests": [{"digest": format!("sha256:{}", "0".repeat(64))}]});
    both.retain(|f| f.0 != "index.json");
    both.push(("index.json".into(), serde_json::to_vec(&index).unwrap()));
    checks(&bytes_to_image(&archive(&both), &amd64).unwrap());
}

#[test]
fn an_index_gives_the_platform_that_is_asked_for() {
    let bytes = archive(&layout(&three_layers(), Compression::Gzip, &["amd64", "arm64"]));
    let ask = |platform: &str| {
        bytes_to_image(&bytes, &Options { platform: Some(Platform::parse(platform)), ..Options::default() })
    };
    assert_eq!(ask("arm64").unwrap().platform.architecture, "arm64");
    assert_eq!(ask("linux/amd64").unwrap().platform.architecture, "amd64");
    let error = ask("s390x").unwrap_err().to_string();
    assert!(error.contains("linux/amd64, linux/arm64") && error.contains("linux/s390x"), "{error}");
    let named = Options { name: Some("other:2".into()), ..Options::default() };
    let error = bytes_to_image(&bytes, &named).unwrap_err().to_string();
    assert!(error.contains("app:1") && error.contains("other:2"), "{error}");
}

#[test]
fn a_wrong_digest_is_reported_and_the_layer_is_still_read() {
    let layers = three_layers();
    let mut files = layout(&layers, Compression::None, &["amd64"]);
    let name = format!("blobs/sha256/{}", sha(&layers[1]));
    let bad = files.iter_mut().find(|f| f.0 == name).unwrap();
    bad.1[512] ^= 1;
    let amd64 = Options { platform: Some(Platform::parse("amd64")), ..Options::default() };
    let image = bytes_to_image(&archive(&files), &amd64).unwrap();
    assert_eq!(image.problems.len(), 1, "{:?}", image.problems);
    assert!(image.problems[0].told().starts_with("layer 2: wrong digest: its content has sha256:"));
    assert_eq!(image.layers[1].file_bytes, 2500);
}

#[test]
fn a_truncated_archive_is_a_clear_error_or_a_marked_part() {
    let amd64 = Options { platform: Some(Platform::parse("amd64")), ..Options::default() };
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        for files in [layout(&three_layers(), compression, &["amd64"]), docker_files(&three_layers())] {
            let plain = archive(&files);
            for outer in [Compression::None, Compression::Gzip] {
                let bytes = pack(&plain, outer);
                for cut in (1..bytes.len() - 1100).step_by(bytes.len() / 40 + 1) {
                    let file = tempfile::NamedTempFile::new().unwrap();
                    std::fs::write(file.path(), &bytes[..cut]).unwrap();
                    for result in [image::read(file.path(), &amd64), bytes_to_image(&bytes[..cut], &amd64)] {
                        match result {
                            Ok(image) => assert!(!image.problems.is_empty(), "cut at {cut} of {}", bytes.len()),
                            Err(e) => assert!(!e.to_string().is_empty()),
                        }
                    }
                }
            }
        }
    }
    // A blob in a folder that ends too early.
    let files = layout(&three_layers(), Compression::Gzip, &["amd64"]);
    let temp = tempfile::tempdir().unwrap();
    folder(&files, temp.path());
    let blob = temp.path().join(&files[1].0);
    let bytes = std::fs::read(&blob).unwrap();
    std::fs::write(&blob, &bytes[..bytes.len() / 2]).unwrap();
    let image = image::read(temp.path(), &amd64).unwrap();
    assert!(image.is_partial() && image.layers[0].partial && !image.layers[1].partial);
    std::fs::remove_file(&blob).unwrap();
    let image = image::read(temp.path(), &amd64).unwrap();
    assert!(image.problems.iter().any(|p| p.what.contains("is not there")), "{:?}", image.problems);
    assert_eq!(image.layers[0].stored, bytes.len() as u64, "the manifest still tells its size");
}

#[test]
fn bad_paths_devices_and_links_are_named_and_nothing_is_written() {
    let layer = tarball(&[
        Item::File(b"../../../../tmp/escaped-by-test", b"x", 0o644),
        Item::File(b"/etc/absolute", b"yy", 0o644),
        Item::Device(b"dev/null0"),
        Item::Link(b"a", b"b", tar::EntryType::Symlink),
        Item::Link(b"b", b"a", tar::EntryType::Symlink),
        Item::Link(b"h", b"h", tar::EntryType::Link),
        Item::File(b"caf\xe9/\xff\xfe", b"zzz", 0o644),
    ]);
    let image = bytes_to_image(&archive(&docker_files(&[layer])), &Options::default()).unwrap();
    let said = image.problems.iter().map(|p| p.told().to_string()).collect::<Vec<_>>().join("; ");
    assert!(
        said.contains("'..' in the path") && said.contains("absolute path") && said.contains("for devices"),
        "{said}"
    );
    assert_eq!(image.layers[0].files, 3);
    assert_eq!(image.layers[0].file_bytes, 6);
    let shown: Vec<String> = image.layers[0].listing.entries.iter().map(|e| image.show(e.path)).collect();
    assert!(shown.contains(&"/tmp/escaped-by-test".to_string()), "{shown:?}");
    assert!(shown.contains(&"/caf\u{fffd}/\u{fffd}\u{fffd}".to_string()), "{shown:?}");
    assert!(!Path::new("/tmp/escaped-by-test").exists() && !Path::new("/etc/absolute").exists());
}

#[test]
fn links_between_members_are_followed_but_not_in_circles() {
    let layers = three_layers();
    let mut files = docker_files(&layers);
    let name = files[0].0.clone();
    let body = files.remove(0).1;
    let make = |links: &[(&str, &str)]| {
        let mut items: Vec<Item<'_>> = files.iter().map(|(n, b)| Item::File(n.as_bytes(), b, 0o644)).collect();
        items.push(Item::File(b"real/l.tar", &body, 0o644));
        for (from, to) in links {
            items.push(Item::Link(from.as_bytes(), to.as_bytes(), tar::EntryType::Symlink));
        }
        tarball(&items)
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    for (bytes, whole) in [(make(&[(&name, "../real/l.tar")]), true), (make(&[(&name, "../x"), ("x", &name)]), false)] {
        std::fs::write(file.path(), &bytes).unwrap();
        for image in [image::read(file.path(), &Options::default()), bytes_to_image(&bytes, &Options::default())] {
            let image = image.unwrap();
            assert_eq!(image.problems.is_empty(), whole, "{:?}", image.problems);
            assert_eq!(image.is_partial(), !whole);
        }
    }
}

#[test]
fn a_manifest_that_points_out_of_the_folder_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    std::fs::write(temp.path().join("secret"), b"{}").unwrap();
    let inner = temp.path().join("image");
    std::fs::create_dir(&inner).unwrap();
    for config in ["../secret", "/etc/hostname"] {
        let manifest = serde_json::json!([{"Config": config, "Layers": []}]);
        std::fs::write(inner.join("manifest.json"), serde_json::to_vec(&manifest).unwrap()).unwrap();
        let error = image::read(&inner, &Options::default()).unwrap_err().to_string();
        assert!(error.contains("leads out of"), "{error}");
    }
    std::fs::remove_file(inner.join("manifest.json")).unwrap();
    let index = serde_json::json!({"manifests": [{"digest": "sha256:../../../secret"}]});
    std::fs::write(inner.join("index.json"), serde_json::to_vec(&index).unwrap()).unwrap();
    let error = image::read(&inner, &Options::default()).unwrap_err().to_string();
    assert!(error.contains("is no digest"), "{error}");
    std::fs::remove_file(inner.join("index.json")).unwrap();
    let error = image::read(&inner, &Options::default()).unwrap_err().to_string();
    assert!(error.contains("neither manifest.json nor index.json"), "{error}");
}

/// Gzip of a tar with one file of zeros. A member of 64 MiB is made once, and there as often as it takes.
fn bomb(bytes: u64) -> Vec<u8> {
    const PIECE: u64 = 64 << 20;
    assert_eq!(bytes % PIECE, 0);
    let mut header = tar::Header::new_gnu();
    header.set_path("zeros").unwrap();
    header.set_size(bytes);
    header.set_cksum();
    let mut out = pack(header.as_bytes(), Compression::Gzip);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0u8; PIECE as usize]).unwrap();
    let piece = encoder.finish().unwrap();
    for _ in 0..bytes / PIECE {
        out.extend_from_slice(&piece);
    }
    out.extend(pack(&[0; 1024], Compression::Gzip));
    out
}

#[test]
fn a_gzip_bomb_is_stopped_by_ratio_and_by_size() {
    let layer = bomb(64 << 20);
    let limits = Limits { ratio_grace: 4 << 20, ..Limits::default() };
    let mut files = docker_files(&[layer]);
    let by_ratio = bytes_to_image(&archive(&files), &Options { limits: limits.clone(), ..Options::default() }).unwrap();
    assert!(by_ratio.is_partial());
    assert!(by_ratio.problems.iter().any(|p| p.what.contains("more than 200 times")), "{:?}", by_ratio.problems);
    assert!(by_ratio.layers[0].uncompressed < 8 << 20);
    // Ten gigabytes at the default limits.
    let large = archive(&docker_files(&[bomb(10 << 30)]));
    let large = bytes_to_image(&large, &Options::default()).unwrap();
    assert!(large.problems.iter().any(|p| p.what.contains("more than 200 times")), "{:?}", large.problems);
    assert!(large.layers[0].uncompressed <= (1 << 30) + (64 << 20), "{}", large.layers[0].uncompressed);
    let limits = Limits { max_uncompressed: 5 << 20, max_ratio: 5000, ..Limits::default() };
    // The archive as a whole is one, too.
    files[0].1 = vec![0; 64 << 20];
    let whole = pack(&archive(&files), Compression::Gzip);
    let error = bytes_to_image(&whole, &Options { limits, ..Options::default() }).unwrap_err().to_string();
    assert!(error.contains("no manifest.json") && error.contains("more than 5242880 bytes"), "{error}");
}

#[test]
fn a_layer_of_many_entries_keeps_exact_totals_in_bounded_memory() {
    let mut layer = Vec::new();
    for i in 0..30_000u32 {
        let name = format!("d{}/file-{i}", i / 1000);
        let one = tarball(&[Item::File(name.as_bytes(), &i.to_le_bytes(), 0o644)]);
        layer.extend_from_slice(&one[..one.len() - 1024]);
    }
    layer.resize(layer.len() + 1024, 0);
    let limits = Limits { max_paths: 2000, ..Limits::default() };
    let image = bytes_to_image(&archive(&docker_files(&[layer])), &Options { limits, ..Options::default() }).unwrap();
    let layer = &image.layers[0];
    assert!(layer.partial && image.is_partial());
    assert_eq!((layer.files, layer.file_bytes), (30_000, 120_000));
    assert!(layer.listing.entries.len() <= 2000);
    let spilled: u64 = layer.listing.spill.values().map(|s| s.files).sum();
    assert_eq!(spilled + layer.listing.entries.len() as u64, 30_000);
}

#[test]
fn a_file_beside_the_whiteout_of_its_forerunner_is_kept() {
    let layers = [
        tarball(&[Item::File(b"d/x", &[1; 10], 0o644)]),
        tarball(&[Item::File(b"d/x", &[2; 20], 0o644), Item::File(b"d/.wh.x", b"", 0), Item::File(b"d/.wh.", b"", 0)]),
        tarball(&[Item::File(b"d", &[3; 30], 0o644)]),
    ];
    let image = bytes_to_image(&archive(&docker_files(&layers)), &Options::default()).unwrap();
    let unique: Vec<u64> = image.layers.iter().map(|l| l.unique).collect();
    assert_eq!(unique, [0, 0, 30], "a file in place of a folder hides all that was in it");
    assert_eq!(image.wasted.len(), 2);
}

// Real engines.

fn engines_required() -> bool {
    std::env::var_os("GIT_VERDICT_REQUIRE_ENGINES").is_some_and(|v| v == "1")
}

/// Runs a command; nothing when it is not there or fails.
fn run(program: &str, args: &[&str]) -> Option<Vec<u8>> {
    let output = Command::new(program).args(args).output().ok()?;
    if !output.status.success() {
        eprintln!("{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    Some(output.stdout)
}

fn skipped(why: &str) {
    assert!(!engines_required(), "an engine is required: {why}");
    println!("skipped: no engine ({why})");
}

const CONTAINERFILE: &str = "\
FROM scratch AS build
COPY busybox /bin/busybox
RUN [\"/bin/busybox\", \"sh\", \"-c\", \"/bin/busybox --install -s /bin && mkdir -p /tmp /root/.cache/pip /app && head -c 300000 /dev/zero > /root/.cache/pip/wheel && echo hi > /app/a\"]
RUN echo changed > /app/a && \\
    echo more > /app/b
FROM build
LABEL stage=final
ENV A=1 B=2
RUN rm -rf /root/.cache && \\
    chmod 700 /app/a
CMD [\"/bin/busybox\", \"sh\"]
";

#[test]
fn images_of_a_real_engine_are_read_in_every_format_it_saves() {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].iter().find(|p| Path::new(p).exists());
    let Some(busybox) = busybox else { return skipped("no static busybox") };
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name).display().to_string();
    std::fs::create_dir(at("context")).unwrap();
    std::fs::copy(busybox, at("context/busybox")).unwrap();
    std::fs::write(at("context/Containerfile"), CONTAINERFILE).unwrap();
    let (root, runroot, context) = (at("root"), at("run"), at("context"));
    let global = ["--root", &root, "--runroot", &runroot, "--storage-driver", "vfs"];
    let podman = |args: &[&str]| run("podman", &[&global[..], args].concat());
    if podman(&["build", "-q", "--isolation=chroot", "--layers", "-t", "localhost/app:1", &context]).is_none() {
        return skipped("podman can't build here");
    }
    let engine = Engine { global: global.iter().map(Into::into).collect(), ..Engine::new(EngineKind::Podman) };
    let mut images = vec![engine.read("localhost/app:1", &Options::default()).unwrap()];
    let size = images[0].engine_size.unwrap();
    let metadata = size - images[0].uncompressed();
    assert!(metadata < 20_000, "podman says {size}, the layers have {}", images[0].uncompressed());
    for (format, name) in
        [("docker-archive", "d.tar"), ("oci-archive", "o.tar"), ("oci-dir", "o.dir"), ("docker-dir", "d.dir")]
    {
        podman(&["save", "-q", "--format", format, "-o", &at(name), "localhost/app:1"]).unwrap();
        images.push(image::read(&temp.path().join(name), &Options::default()).unwrap());
    }
    let copied = run(
        "skopeo",
        &[
            "copy",
            "-q",
            "--dest-compress",
            "--dest-compress-format",
            "zstd",
            &format!("oci-archive:{}", at("o.tar")),
            &format!("oci:{}:zst", at("z.dir")),
        ],
    );
    if copied.is_some() {
        let image = image::open(Path::new(""), &format!("oci:{}:zst", at("z.dir")), &Options::default()).unwrap();
        assert_eq!(image.layers[0].compression, Compression::Zstd);
        images.push(image);
    }
    let buildah = Engine { program: "buildah".into(), kind: EngineKind::Buildah, ..engine.clone() };
    match buildah.read("localhost/app:1", &Options::default()) {
        Ok(image) => images.push(image),
        Err(e) => assert!(!engines_required(), "{e}"),
    }
    let file = Dockerfile::parse(CONTAINERFILE.as_bytes());
    for image in &mut images {
        assert_eq!(image.problems, [], "{}", image.source);
        assert_eq!(image.platform, Platform::host(), "{}", image.source);
        assert_eq!(image.layers.len(), 4, "{}", image.source);
        assert_eq!(image.match_dockerfile(&file, None), 4, "{:?}", image.history);
        let lines: Vec<(usize, usize)> =
            image.layers.iter().map(|l| l.source.as_ref().map(|s| (s.first, s.last)).unwrap()).collect();
        assert_eq!(lines, [(2, 2), (3, 3), (4, 5), (9, 10)], "{}", image.source);
        let wasted: Vec<(String, u64, How)> =
            image.wasted.iter().map(|w| (image.show(w.path), w.bytes, w.how)).collect();
        assert_eq!(wasted[0], ("/root/.cache/pip/wheel".into(), 300_000, How::Deleted), "{}", image.source);
        assert!(wasted.contains(&("/app/a".into(), 8, How::Rewritten)), "{wasted:?}");
    }
    let first: Vec<(u64, u64)> = images[0].layers.iter().map(|l| (l.file_bytes, l.unique)).collect();
    for image in &images {
        let sizes: Vec<(u64, u64)> = image.layers.iter().map(|l| (l.file_bytes, l.unique)).collect();
        assert_eq!(sizes, first, "{}", image.source);
    }
    let error = engine.read("localhost/none:1", &Options::default()).unwrap_err();
    assert!(matches!(&error, InspectError::Engine { tail, .. } if tail.contains("none")), "{error:?}");
}

#[test]
fn a_reference_that_looks_like_an_option_never_reaches_an_engine() {
    for bad in ["--help", "", "a b"] {
        let error = Engine::new(EngineKind::Docker).read(bad, &Options::default()).unwrap_err();
        assert!(matches!(error, InspectError::Format { .. }), "{bad}: {error}");
    }
    let none = Engine { program: "no-such-engine".into(), ..Engine::new(EngineKind::Docker) };
    let error = none.read("x", &Options::default()).unwrap_err();
    assert!(error.to_string().contains("no such command"), "{error}");
}

// Attribution.

#[test]
fn a_change_between_two_images_is_laid_at_the_door_of_its_layer() {
    let before = three_layers();
    let mut after = before.clone();
    after[0] = tarball(&[
        Item::Dir(b"app/"),
        Item::File(b"app/a", &[1; 1000], 0o644),
        Item::File(b"app/b", &[2; 2000], 0o644),
        Item::File(b"app/c", &[3; 3000], 0o644),
    ]);
    after.push(tarball(&[Item::File(b"new", &[7; 123], 0o644)]));
    let read = |layers: &[Vec<u8>], compression| {
        let amd64 = Options { platform: Some(Platform::parse("amd64")), ..Options::default() };
        bytes_to_image(&archive(&layout(layers, compression, &["amd64"])), &amd64).unwrap()
    };
    for compression in [Compression::None, Compression::Gzip] {
        let (a, b) = (read(&before, compression), read(&after, compression));
        for size in [Size::Files, Size::Uncompressed, Size::Stored] {
            for totals in [None, Some((50_000, 47_111))] {
                let change = diff::images(&a, &b, size, totals);
                let rows: i64 = change.rows.iter().map(|r| r.change).sum();
                assert_eq!(rows + change.unexplained, change.total());
                for row in change.rows.iter().filter(|r| r.change != 0) {
                    assert_eq!(row.detail.iter().map(|d| d.change).sum::<i64>(), row.change, "{row:?}");
                }
                assert_eq!(change.rows.len(), 2, "{:?}", change.rows);
            }
        }
        let change = diff::images(&a, &b, Size::Files, None);
        assert_eq!((change.unexplained, change.total()), (0, 123 - 4000));
        assert_eq!(change.rows[0].what, "layer 1 (RUN step 0)");
        assert_eq!((change.rows[0].detail[0].what.as_str(), change.rows[0].detail[0].change), ("/cache/x", -4000));
        assert_eq!((change.rows[1].before, change.rows[1].after), (None, Some(123)));
        assert_eq!(change.reason().unwrap(), "-4.0 kB from layer 1 (RUN step 0)");
        let metadata = diff::images(&a, &b, Size::Stored, None);
        assert_eq!(metadata.unexplained, b.metadata_bytes as i64 - a.metadata_bytes as i64);
        assert_eq!(metadata.unexplained_as, "manifest and configuration");
    }
}

#[test]
fn the_original_case_reads_as_one_line() {
    let log = |build: &str, pip: &str| {
        buildlog::parse_bytes(
            format!("#1 [build 4/9] RUN pip install -r requirements.txt\n#1 DONE {pip}s\n#2 [stage-1 2/3] COPY --from=build /app /app\n#2 DONE {build}s\n").as_bytes(),
        )
    };
    let change = diff::logs(&log("1.0", "80.5"), &log("361.0", "87.5"), None);
    assert_eq!(change.reason().unwrap(), "+6 min from step [stage-1 2/3] (COPY --from=build)");
    assert_eq!(change.unexplained, 0);
}

#[test]
fn a_million_entries_fit_in_the_default_limits() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(0);
    // Without a name, and with blanks for the checksum: the sum that each name adds to.
    let mut block = *header.as_bytes();
    block[148..156].fill(b' ');
    let base: u32 = block.iter().map(|&b| u32::from(b)).sum();
    for i in 0..1_000_000u32 {
        let name = format!("usr/share/{}/{}/file-{i:06}", i / 1000, i / 50);
        block[..40].fill(0);
        block[..name.len()].copy_from_slice(name.as_bytes());
        let sum: u32 = base + name.bytes().map(u32::from).sum::<u32>();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        encoder.write_all(&block).unwrap();
    }
    encoder.write_all(&[0; 1024]).unwrap();
    let layer = encoder.finish().unwrap();
    let limits = Limits { verify: false, ..Limits::default() };
    let archive = archive(&docker_files(&[layer]));
    let image = bytes_to_image(&archive, &Options { limits, ..Options::default() }).unwrap();
    assert_eq!(image.layers[0].files, 1_000_000);
    assert!(image.is_partial() && image.paths.len() <= 400_001);
}
