//! The packages that the demo's project installs: made here, the same on every machine, so that nothing is downloaded.
//!
//! Each looks like a package of the field to whoever packs and compresses it: modules of source text, a library of dense
//! bytes, and tests that nobody needs in production.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// The names, in the order they are installed.
const NAMES: [&str; 12] =
    ["alder", "aspen", "beech", "birch", "cedar", "elder", "hazel", "larch", "maple", "rowan", "spruce", "willow"];

/// Words that module text is made of.
const WORDS: [&str; 48] = [
    "accept", "address", "append", "batch", "buffer", "cache", "chunk", "client", "close", "codec", "collect",
    "column", "config", "connect", "cursor", "decode", "default", "encode", "entry", "error", "event", "field",
    "filter", "flush", "header", "index", "insert", "item", "length", "limit", "lookup", "merge", "offset", "option",
    "packet", "parse", "payload", "query", "record", "result", "retry", "schema", "session", "stream", "table",
    "token", "update", "value",
];

/// Bytes of one module.
const MODULE: usize = 36_000;
/// Bytes of the dense library of one package.
const LIBRARY: usize = 560_000;

/// One file of a package: its path below `site-packages`, and its bytes.
type File = (String, Vec<u8>);

/// The text of `requirements.txt`: every package with its version.
pub fn requirements() -> String {
    NAMES.iter().enumerate().map(|(index, name)| format!("{name}=={}\n", version(index))).collect()
}

/// Writes every package as `NAME-VERSION.tar.gz` into `folder`, and their names, which a checksum file is then made of.
pub fn write(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut archives = Vec::new();
    for (index, name) in NAMES.iter().enumerate() {
        let archive = format!("{name}-{}.tar.gz", version(index));
        compress(&pack(&files(index, name))?, &folder.join(&archive))?;
        archives.push(archive);
    }
    Ok(archives)
}

/// Text files that stand for a base system: about `bytes` of them.
pub fn base_system(bytes: usize) -> Vec<File> {
    let mut numbers = Numbers(0xba5e);
    (0..bytes.div_ceil(MODULE))
        .map(|n| (format!("usr/share/base/part{n:02}.txt"), module(&mut numbers, "base")))
        .collect()
}

fn version(index: usize) -> String {
    format!("{}.{}.0", 1 + index % 4, index % 7)
}

fn files(index: usize, name: &str) -> Vec<File> {
    let mut numbers = Numbers(1 + index as u64);
    let mut files =
        vec![(format!("{name}/__init__.py"), format!("__version__ = \"{}\"\n", version(index)).into_bytes())];
    for number in 0..10 {
        files.push((format!("{name}/module{number}.py"), module(&mut numbers, name)));
    }
    files.push((format!("{name}/library.bin"), numbers.bytes(LIBRARY)));
    files.push((format!("{name}/tests/test_{name}.py"), module(&mut numbers, "test")));
    files.push((format!("{name}/tests/sample.bin"), numbers.bytes(LIBRARY / 25)));
    files
}

fn module(numbers: &mut Numbers, prefix: &str) -> Vec<u8> {
    let mut text = String::with_capacity(MODULE + 200);
    while text.len() < MODULE {
        let [a, b, c, d, e] = [(); 5].map(|()| numbers.word());
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "def {prefix}_{a}_{b}({c}, {d}):\n    \"\"\"The {e} {a} of a {c} and its {d}.\"\"\"\n    \
             if {c}.{e} > {}:\n        return {d}.{b}(0x{:08x})\n    return {c}\n\n\n",
            numbers.next() % 1000,
            numbers.next() as u32,
        );
    }
    text.into_bytes()
}

fn pack(files: &[File]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(946_684_800);
        archive.append_data(&mut header, path, bytes.as_slice())?;
    }
    archive.into_inner()
}

fn compress(bytes: &[u8], path: &Path) -> std::io::Result<()> {
    let file = std::fs::File::create(path)?;
    let mut child = Command::new("gzip").args(["-n", "-6", "-c"]).stdin(Stdio::piped()).stdout(file).spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(bytes)?;
    }
    match child.wait()? {
        status if status.success() => Ok(()),
        status => Err(std::io::Error::other(format!("gzip: {status}"))),
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): the same numbers everywhere.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn word(&mut self) -> &'static str {
        WORDS[(self.next() % WORDS.len() as u64) as usize]
    }
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packages_are_the_same_each_time() {
        let digest = |files: &[File]| pack(files).unwrap();
        assert_eq!(digest(&files(3, "birch")), digest(&files(3, "birch")));
        assert_ne!(digest(&files(3, "birch")), digest(&files(4, "birch")));
        // The first outputs of SplitMix64 for seed 0, from the reference implementation.
        let mut numbers = Numbers(0);
        assert_eq!([numbers.next(), numbers.next()], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
    }

    #[test]
    fn every_requirement_has_its_archive() {
        let folder = tempfile::tempdir().unwrap();
        let archives = write(folder.path()).unwrap();
        for line in requirements().lines() {
            let (name, version) = line.split_once("==").unwrap();
            let archive = format!("{name}-{version}.tar.gz");
            assert!(archives.contains(&archive), "{archive}");
            let file = std::fs::File::open(folder.path().join(&archive)).unwrap();
            let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
            let paths: Vec<_> = tar.entries().unwrap().map(|e| e.unwrap().path().unwrap().into_owned()).collect();
            assert!(paths.contains(&Path::new(name).join("__init__.py")), "{paths:?}");
        }
    }
}
