//! Images and folders to take apart. What was made once is found again.

#![allow(dead_code)]

use flate2::Compression;
use flate2::write::GzEncoder;
use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// File bodies that compress about as a Python image does: words, machine code, and what is compressed already.
fn body(rng: &mut SmallRng, out: &mut Vec<u8>) {
    out.clear();
    let size = match rng.random_range(0..100) {
        0..70 => rng.random_range(200..20_000),
        70..97 => rng.random_range(20_000..300_000),
        _ => rng.random_range(300_000..4_000_000),
    };
    let kind = rng.random_range(0..10);
    if kind < 3 {
        out.resize(size, 0);
        rng.fill_bytes(out);
        return;
    }
    let words: Vec<Vec<u8>> =
        (0..600).map(|_| (0..rng.random_range(2..10)).map(|_| b'a' + rng.random_range(0..26)).collect()).collect();
    while out.len() < size {
        let skew: f64 = rng.random();
        out.extend_from_slice(&words[((skew * skew) * 600.0) as usize]);
        out.push(if kind < 6 { rng.random() } else { b' ' });
    }
}

/// Writes tar entries until the compressed output has `bytes`.
fn fill_layer<W: Write>(tar: &mut tar::Builder<W>, seed: u64, mut enough: impl FnMut(&W) -> bool) -> io::Result<()> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut content = Vec::new();
    for i in 0.. {
        body(&mut rng, &mut content);
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        let name = format!("usr/lib/python3/site-packages/package{}/module{}/file{i}.py", i / 400, i / 20 % 20);
        tar.append_data(&mut header, name, content.as_slice())?;
        if i % 16 == 0 && enough(tar.get_ref()) {
            return Ok(());
        }
    }
    Ok(())
}

struct Counted<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hash.update(&bytes[..n]);
        self.bytes += n as u64;
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn counted<W>(inner: W) -> Counted<W> {
    Counted { inner, hash: Sha256::new(), bytes: 0 }
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

fn config(diff_ids: &[String]) -> Vec<u8> {
    let history: Vec<_> =
        diff_ids.iter().enumerate().map(|(i, _)| serde_json::json!({"created_by": format!("RUN step {i}")})).collect();
    serde_json::json!({
        "os": "linux", "architecture": "amd64", "history": history,
        "rootfs": {"type": "layers", "diff_ids": diff_ids.iter().map(|d| format!("sha256:{d}")).collect::<Vec<_>>()},
    })
    .to_string()
    .into_bytes()
}

fn append<W: Write>(tar: &mut tar::Builder<W>, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, name, bytes)
}

/// `docker save | gzip`: the layers plain, the whole compressed.
pub fn make_image(folder: &Path, mb: u64) -> io::Result<PathBuf> {
    let path = folder.join(format!("image-{mb}.tar.gz"));
    if path.exists() {
        return Ok(path);
    }
    eprintln!("making {}", path.display());
    let layer_path = folder.join("layer.tmp");
    let part = folder.join("image.tmp");
    let mut archive = tar::Builder::new(GzEncoder::new(BufWriter::new(File::create(&part)?), Compression::new(5)));
    let mut diff_ids = Vec::new();
    let mut names = Vec::new();
    for number in 0..2u64 {
        // Of a layer's plain bytes, about a half remains when compressed.
        let mut tar = tar::Builder::new(counted(BufWriter::new(File::create(&layer_path)?)));
        fill_layer(&mut tar, number, |w| w.bytes >= mb * 1_000_000)?;
        let mut out = tar.into_inner()?;
        out.flush()?;
        let diff_id = hex(out.hash);
        let name = format!("{diff_id}/layer.tar");
        archive.append_path_with_name(&layer_path, &name)?;
        diff_ids.push(diff_id);
        names.push(name);
    }
    std::fs::remove_file(&layer_path)?;
    let config = config(&diff_ids);
    let config_name = format!("{}.json", hex(Sha256::new_with_prefix(&config)));
    append(&mut archive, &config_name, &config)?;
    let manifest = serde_json::json!([{"Config": config_name, "RepoTags": ["bench:1"], "Layers": names}]);
    append(&mut archive, "manifest.json", manifest.to_string().as_bytes())?;
    archive.into_inner()?.finish()?.flush()?;
    std::fs::rename(&part, &path)?;
    Ok(path)
}

/// `docker save` as it is.
pub fn make_plain(whole: &Path) -> io::Result<PathBuf> {
    let path = whole.with_extension("");
    if !path.exists() {
        eprintln!("making {}", path.display());
        let part = whole.with_extension("part");
        let mut from = flate2::read::GzDecoder::new(File::open(whole)?);
        io::copy(&mut from, &mut BufWriter::new(File::create(&part)?))?;
        std::fs::rename(&part, &path)?;
    }
    Ok(path)
}

/// The same with gzip layers in a plain archive, named so that a shell can find them.
pub fn make_oci(folder: &Path, mb: u64) -> io::Result<PathBuf> {
    let path = folder.join(format!("layers-{mb}.tar"));
    if path.exists() {
        return Ok(path);
    }
    eprintln!("making {}", path.display());
    let part = folder.join("layers.tmp");
    let mut archive = tar::Builder::new(BufWriter::new(File::create(&part)?));
    let mut diff_ids = Vec::new();
    let mut names = Vec::new();
    for number in 0..2u64 {
        let layer_path = folder.join("layer.tmp");
        let encoder = GzEncoder::new(counted(BufWriter::new(File::create(&layer_path)?)), Compression::new(5));
        let mut tar = tar::Builder::new(counted(encoder));
        fill_layer(&mut tar, 10 + number, |w| w.inner.get_ref().bytes >= mb * 500_000)?;
        let out = tar.into_inner()?;
        diff_ids.push(hex(out.hash));
        out.inner.finish()?.flush()?;
        let name = format!("layer-{number}.tar.gz");
        archive.append_path_with_name(&layer_path, &name)?;
        std::fs::remove_file(&layer_path)?;
        names.push(name);
    }
    let config = config(&diff_ids);
    let config_name = format!("{}.json", hex(Sha256::new_with_prefix(&config)));
    append(&mut archive, &config_name, &config)?;
    let manifest = serde_json::json!([{"Config": config_name, "RepoTags": ["bench:1"], "Layers": names}]);
    append(&mut archive, "manifest.json", manifest.to_string().as_bytes())?;
    archive.into_inner()?.flush()?;
    std::fs::rename(&part, &path)?;
    Ok(path)
}

/// A folder of so many small files, a hundred in a folder.
pub fn make_tree(folder: &Path, files: u64) -> io::Result<PathBuf> {
    let path = folder.join(format!("tree-{files}"));
    if path.exists() {
        return Ok(path);
    }
    eprintln!("making {}", path.display());
    let part = folder.join("tree.tmp");
    let _ = std::fs::remove_dir_all(&part);
    for i in 0..files {
        let into = part.join(format!("{}/{}", i / 5000, i / 100));
        if i % 100 == 0 {
            std::fs::create_dir_all(&into)?;
        }
        std::fs::write(into.join(format!("file-number-{i}")), &b"0123456789abcdef"[..(i % 17) as usize])?;
    }
    std::fs::rename(&part, &path)?;
    Ok(path)
}

/// Bytes of a layer at most.
const LAYER: u64 = 512 << 20;

/// `docker save` of about so many bytes, written in one go: the layers are cut from one pool of bytes, so that five gigabytes
/// take no longer than writing and hashing them.
pub fn make_saved(path: &Path, bytes: u64) -> io::Result<()> {
    let mut rng = SmallRng::seed_from_u64(bytes);
    let mut pool = Vec::new();
    let mut content = Vec::new();
    while pool.len() < 16 << 20 {
        body(&mut rng, &mut content);
        pool.extend_from_slice(&content);
    }
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let (mut diff_ids, mut names, mut left, mut file) = (Vec::new(), Vec::new(), bytes, 0u64);
    while left > 0 {
        let wanted = left.min(LAYER);
        let (mut sizes, mut length) = (Vec::new(), 1024);
        while length < wanted {
            let size = match rng.random_range(0..100) {
                0..70 => rng.random_range(200..20_000),
                70..97 => rng.random_range(20_000..300_000),
                _ => rng.random_range(300_000..4_000_000u64),
            };
            // The last one fills what is left.
            let size = size.min(wanted.saturating_sub(length).max(512));
            length += 512 + size.next_multiple_of(512);
            sizes.push(size);
        }
        let name = format!("layer-{}/layer.tar", names.len());
        let mut header = tar::Header::new_gnu();
        header.set_path(&name)?;
        header.set_size(length);
        header.set_mode(0o644);
        header.set_cksum();
        out.write_all(header.as_bytes())?;
        let mut layer = tar::Builder::new(counted(&mut out));
        for size in sizes {
            let from = rng.random_range(0..pool.len() - size as usize);
            let mut header = tar::Header::new_gnu();
            header.set_size(size);
            header.set_mode(0o644);
            let into = format!("usr/lib/python3/site-packages/package{}/module{}", file / 400, file / 20 % 20);
            layer.append_data(&mut header, format!("{into}/file{file}.py"), &pool[from..from + size as usize])?;
            file += 1;
        }
        let counted = layer.into_inner()?;
        assert_eq!(counted.bytes, length, "a layer is as long as its header says");
        diff_ids.push(hex(counted.hash));
        names.push(name);
        left -= wanted;
    }
    let mut archive = tar::Builder::new(out);
    let config = config(&diff_ids);
    let config_name = format!("{}.json", hex(Sha256::new_with_prefix(&config)));
    append(&mut archive, &config_name, &config)?;
    let manifest = serde_json::json!([{"Config": config_name, "RepoTags": ["bench:1"], "Layers": names}]);
    append(&mut archive, "manifest.json", manifest.to_string().as_bytes())?;
    archive.into_inner()?.flush()
}
