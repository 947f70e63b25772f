//! The fuzz functions on mutations of a kept corpus, for a bounded time, with any compiler.
//!
//! Mutations are blind but know the formats: checksums of tar headers are mended, compressed input is mutated inside, and
//! words of each format are put in. The same seeds come in the same order each time; how many fit into the time depends on
//! the machine. `GIT_VERDICT_FUZZ_SECONDS` is the time of each function (1.5). An input that fails is kept in the folder for
//! temporary files of the build; it then belongs into `testdata/fuzz`.

#[path = "../fuzz/functions.rs"]
mod functions;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const TAR: &[&[u8]] = &[
    b"../",
    b"/",
    b".wh.",
    b".wh..wh..opq",
    b"\0",
    b"77777777777\0",
    b"\x80\0\0\0\xff\xff\xff\xff",
    b"ustar\0",
    b"././@LongLink",
    b"30 path=a/b/c\n",
    b"99999999999 size=1\n",
    b"GNU.sparse.size",
    b"layer.tar",
    b"\"digest\":\"sha256:",
    b"\"layers\":[]",
    b"null",
    b"18446744073709551615",
];
const LOG: &[&[u8]] = &[
    b"#1 DONE 1e9s\n",
    b"#0 building with\n",
    b"#9 CACHED\n",
    b"#7 0.5 Collecting x\n",
    b" done\n",
    b"STEP 1/2: ",
    b"[1/2] ",
    b"COMMIT x\n",
    b"Step 1/3 : ",
    b"INFO[99999999] ",
    b"{\"vertexes\":[{",
    b"\"completed\":\"2025-01-01T00:00:00Z\"",
    b"2025-01-01T00:00:00Z ",
    b"23:59:59 ",
    b"=> => ",
    b"\x1b[31m",
    b"\r",
    b"\xff\xfe",
    b"UNIT_DATA = [",
];
const DOCKERFILE: &[&[u8]] = &[
    b"<<EOF",
    b"<<-\"EOF\"\n",
    b"\\\n",
    b"# escape=`\n",
    b"FROM 0\n",
    b"FROM x AS y\n",
    b"RUN |99999999999 ",
    b"#(nop) ",
    b"--from=",
    b"[\"",
    b"\0",
    b"ONBUILD ",
];
const BINARY: &[&[u8]] =
    &[b"\x7fELF", b"\0\0\0\0", b"\xff\xff\xff\xff\xff\xff\xff\xff", b"PK\x05\x06", b"PK\x01\x02", b"\x01\0", b"../"];

const CONFIG: &[&[u8]] = &[
    b"[metrics.",
    b"[steps.x]\n",
    b"run = [\"\"]\n",
    b"worth = [\"1 s time = 1 MB size\"]\n",
    b"1e309",
    b"-0",
    b"99999999999999999999",
    b"\"\"\"",
    b" GiB",
    b"%\"",
    b"\xc3\xa9",
    b"[[",
];
const JSON: &[&[u8]] = &[
    b"null",
    b"{}",
    b"[]",
    b"\"\"",
    b"1e308",
    b"1e309",
    b"-1",
    b"18446744073709551616",
    b"\"\\ud800\"",
    b"[[[[[[[[",
    b"\"unit\":\"ns/iter\"",
    b"NaN",
    b"inf",
    b"\x1c",
    b"Benchmark",
    b" ns/op",
    b"\"kind\":\"reopened\"",
];
const LOCK: &[&[u8]] = &[
    b"\n\n",
    b"[[package]]\n",
    b"\"@npm:",
    b"  version ",
    b"\"\"",
    b"v",
    b"==",
    b"@",
    b":",
    b"/",
    b"(",
    b"\xc3\xa9",
    b"#",
    b"${",
];
const TEXT: &[&[u8]] = &[
    b"Verdict-Metric: a 1 B -> 2 B +100.0% exact regressed\n",
    b"Verdict: keep\n",
    b" -> ",
    b"+1e999%",
    b"[-1.0%, +2.0%]",
    b" n=0 ",
    b"\n\n",
    b"<!-- ",
    b" -->",
    b"---\n",
    b"status: ",
    b"## ",
    b"\r\n",
    b"| ",
    b"\xc3\xa9",
    b"{% endif %}",
    b"{{ ",
    b"{% for x in ",
];
const TREE: &[&[u8]] =
    &[b"a ", b"b ", b"ab ", b"events/", b"/", b".json", b" {}", b"format 1", b"format 2", b"\n", b"..", b".git", b"\0"];

/// Whether a byte string is a tar header whose checksum may be mended.
fn mend_tar(bytes: &mut [u8], from: usize) {
    let mut at = from;
    while at + 512 <= bytes.len() {
        let header = &mut bytes[at..at + 512];
        if header[257..262] == *b"ustar" {
            header[148..156].fill(b' ');
            let sum: u32 = header.iter().map(|&b| u32::from(b)).sum();
            header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        }
        at += 512;
    }
}

fn mutate(rng: &mut SmallRng, bytes: &mut Vec<u8>, corpus: &[Vec<u8>], words: &[&[u8]]) {
    for _ in 0..rng.random_range(1..=4) {
        let at = rng.random_range(0..=bytes.len());
        let inside = at.min(bytes.len().saturating_sub(1));
        let end = (at + rng.random_range(1..=64usize)).min(bytes.len());
        match rng.random_range(0..9) {
            0 if !bytes.is_empty() => bytes[inside] ^= 1 << rng.random_range(0..8),
            1 if !bytes.is_empty() => {
                bytes[inside] = *[0, 0xff, b'/', b'9', b'-', b'\n'].get(rng.random_range(0..6)).unwrap_or(&0)
            }
            2 => bytes.truncate(at),
            3 => {
                let part: Vec<u8> = bytes[at..(at + rng.random_range(1..=1024usize)).min(bytes.len())].to_vec();
                bytes.splice(at..at, part);
            }
            4 => drop(bytes.drain(at..end)),
            5 => {
                let word = words[rng.random_range(0..words.len())];
                let until = if rng.random() { at } else { (at + word.len()).min(bytes.len()) };
                bytes.splice(at..until, word.iter().copied());
            }
            6 => {
                // A number grows or shrinks.
                if let Some(digit) = bytes[at..].iter().position(u8::is_ascii_digit) {
                    bytes[at + digit] = b'0' + rng.random_range(0..10);
                }
            }
            7 => {
                let other = &corpus[rng.random_range(0..corpus.len())];
                let from = rng.random_range(0..=other.len());
                let tail = &other[from..(from + 2048).min(other.len())];
                bytes.splice(at..end.max(at), tail.iter().copied());
            }
            _ => {
                let fill = rng.random::<u8>();
                bytes[at..end].fill(fill);
            }
        }
    }
    bytes.truncate(256 << 10);
}

fn gunzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(bytes).take(1 << 20).read_to_end(&mut out).ok()?;
    Some(out)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes it")
}

fn corpus(folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}

/// Runs a function; an input that it fails on is kept, and named in the failure.
fn run(name: &str, function: fn(&[u8]), bytes: &[u8], how: &str) {
    if std::panic::catch_unwind(|| function(bytes)).is_err() {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}"));
        std::fs::write(&kept, bytes).unwrap();
        panic!("{name} fails on {how}; the input is in {}", kept.display());
    }
}

/// `tar` is where the blocks of a tar begin in the input.
fn fuzz(name: &str, folder: &str, function: fn(&[u8]), words: &[&[u8]], tar: Option<usize>) {
    let files = corpus(folder);
    for (path, bytes) in &files {
        run(name, function, bytes, &path.display().to_string());
    }
    let corpus: Vec<Vec<u8>> = files.into_iter().map(|(_, bytes)| bytes).collect();
    let seconds = std::env::var("GIT_VERDICT_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(1.5);
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    let mut runs = 0u64;
    while Instant::now() < until {
        let mut rng = SmallRng::seed_from_u64(runs);
        let mut bytes = corpus[rng.random_range(0..corpus.len())].clone();
        let front = tar.unwrap_or(0).min(bytes.len());
        let inner = gunzip(&bytes[front..]).filter(|_| rng.random_range(0..4) > 0);
        let packed = inner.is_some();
        if let Some(inner) = inner {
            bytes.splice(front.., inner);
        }
        mutate(&mut rng, &mut bytes, &corpus, words);
        if let Some(from) = tar
            && rng.random_range(0..4) > 0
        {
            mend_tar(&mut bytes, from);
        }
        if packed && bytes.len() > front {
            let again = gzip(&bytes[front..]);
            bytes.splice(front.., again);
        }
        run(name, function, &bytes, &format!("seed {runs}"));
        runs += 1;
    }
    println!("{name}: {runs} mutations");
    assert!(runs > 20, "only {runs} mutations of {name} in {seconds} s");
}

#[test]
fn image_archives() {
    fuzz("image", "fuzz/image", functions::image, TAR, Some(0));
}

#[test]
fn layers() {
    fuzz("layer", "fuzz/layer", functions::layer, TAR, Some(1));
}

#[test]
fn build_logs() {
    fuzz("build_log", "inspect", functions::build_log, LOG, None);
}

#[test]
fn dockerfiles() {
    fuzz("dockerfile", "fuzz/dockerfile", functions::dockerfile, DOCKERFILE, None);
}

#[test]
fn binaries() {
    fuzz("binary", "fuzz/binary", functions::binary, BINARY, None);
}

#[test]
fn zips() {
    fuzz("zip", "fuzz/zip", functions::zip, BINARY, None);
}

#[test]
fn configurations() {
    fuzz("config", "fuzz/config", functions::config, CONFIG, None);
}

#[test]
fn numbers_of_commands() {
    fuzz("number", "fuzz/number", functions::number, JSON, None);
}

#[test]
fn files_of_other_tools() {
    fuzz("exchange", "fuzz/exchange", functions::exchange, JSON, None);
}

#[test]
fn folders_of_criterion() {
    fuzz("criterion", "fuzz/criterion", functions::criterion, JSON, None);
}

#[test]
fn indexes_of_git() {
    fuzz("git_index", "fuzz/git_index", functions::git_index, BINARY, None);
}

#[test]
fn indexes_of_the_ledger() {
    fuzz("ledger_index", "fuzz/ledger_index", functions::ledger_index, JSON, None);
}

#[test]
fn lockfiles() {
    fuzz("lockfile", "fuzz/lockfile", functions::lockfile, LOCK, None);
}

#[test]
fn records() {
    fuzz("record", "fuzz/record", functions::record, JSON, None);
}

#[test]
fn commit_messages() {
    fuzz("message", "fuzz/message", functions::message, TEXT, None);
}

#[test]
fn decision_files() {
    fuzz("decision_file", "fuzz/decision_file", functions::decision_file, TEXT, None);
}

#[test]
fn messages_of_agents() {
    fuzz("mcp_message", "fuzz/mcp", functions::mcp_message, JSON, None);
}

#[test]
fn templates() {
    fuzz("template", "fuzz/template", functions::template, TEXT, None);
}

#[test]
fn the_file_of_the_guard() {
    fuzz("shelf", "fuzz/shelf", functions::shelf, BINARY, None);
}

#[test]
fn journals() {
    fuzz("journal", "fuzz/journal", functions::journal, JSON, None);
}

#[test]
fn ledgers_merge_the_same_either_way() {
    fuzz("ledger_merge", "fuzz/ledger", functions::ledger_merge, TREE, None);
}
