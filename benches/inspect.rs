//! How fast artefacts are laid open, against the tools that only list them, in one interleaved run.
//!
//! `cargo bench --bench inspect [-- PART-OF-A-TITLE]`. Data is made once under `target/inspect-bench`. `GIT_VERDICT_BENCH_MB` is the size of the
//! compressed image (1000), `GIT_VERDICT_BENCH_FILES` the number of files in the folder (200000),
//! `GIT_VERDICT_BENCH_ROUNDS` the number of rounds (5). Every contender is a process of its own; ours is this binary
//! again. dive and syft take part in one case when they are in `PATH`. Times are wall clock; memory is the kernel's
//! high-water mark of ours.

use flate2::Compression;
use flate2::write::GzEncoder;
use git_verdict::inspect::{Limits, folder, image};
use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, what, path] = args.as_slice()
        && flag == "--ours"
    {
        return ours(what, Path::new(path));
    }
    if args.iter().any(|a| a == "--test" || a == "--list") {
        return;
    }
    let filter = args.iter().find(|a| !a.starts_with('-')).cloned().unwrap_or_default();
    if let Err(e) = compare(&filter) {
        eprintln!("inspect bench: {e}");
        std::process::exit(1);
    }
}

/// One run of ours: prints what it found and the memory it took.
fn ours(what: &str, path: &Path) {
    let found = match what {
        "image" => image::read(path, &image::Options::default()).map(|i| {
            assert!(i.problems.is_empty(), "{:?}", i.problems);
            (i.layers.iter().map(|l| l.files).sum::<u64>(), i.file_bytes())
        }),
        _ => folder::read(path, &Limits::default()).map(|f| (f.files, f.allocated)),
    };
    match found {
        Ok((files, bytes)) => println!("{files} {bytes} {}", peak_kib()),
        Err(e) => {
            eprintln!("{e}");
            std::process::exit(1);
        }
    }
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM:"));
    line.and_then(|l| l.split_whitespace().nth(1)).and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

struct Contender {
    name: &'static str,
    command: Vec<String>,
    times: Vec<f64>,
    said: String,
}

impl Contender {
    fn new(name: &'static str, command: &[&str]) -> Self {
        Contender {
            name,
            command: command.iter().map(|s| s.to_string()).collect(),
            times: Vec::new(),
            said: String::new(),
        }
    }

    fn shell(name: &'static str, script: String) -> Self {
        Contender::new(name, &["sh", "-c", &script])
    }

    fn run(&mut self) -> io::Result<()> {
        let begin = Instant::now();
        let output = Command::new(&self.command[0]).args(&self.command[1..]).stderr(Stdio::inherit()).output()?;
        self.times.push(begin.elapsed().as_secs_f64());
        if !output.status.success() {
            return Err(io::Error::other(format!("{} failed", self.name)));
        }
        self.said = String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_string();
        Ok(())
    }

    fn median(&self) -> f64 {
        let mut times = self.times.clone();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    }
}

fn compare(filter: &str) -> io::Result<()> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/inspect-bench");
    std::fs::create_dir_all(&folder)?;
    let (mb, files, rounds) = (
        setting("GIT_VERDICT_BENCH_MB", 1000),
        setting("GIT_VERDICT_BENCH_FILES", 200_000),
        setting("GIT_VERDICT_BENCH_ROUNDS", 5),
    );
    let me = std::env::current_exe()?.display().to_string();
    let whole = make_image(&folder, mb)?;
    let oci = make_oci(&folder, mb)?;
    let tree = make_tree(&folder, files)?;
    let plain = make_plain(&whole)?.display().to_string();
    let (whole, oci, tree) = (whole.display().to_string(), oci.display().to_string(), tree.display().to_string());
    let has = |program: &str| Command::new(program).arg("--version").output().is_ok_and(|o| o.status.success());

    let mut image = vec![
        Contender::new("git-verdict", &[&me, "--ours", "image", &whole]),
        Contender::shell("tar -tzf", format!("tar -tzf '{whole}' | tail -1")),
    ];
    let mut layers = vec![
        Contender::new("git-verdict", &[&me, "--ours", "image", &oci]),
        Contender::shell(
            "tar -tzf of each layer",
            format!("for l in $(tar -tf '{oci}' | grep layer-); do tar -xOf '{oci}' $l | tar -tzf - | tail -1; done"),
        ),
    ];
    if has("pigz") {
        image.push(Contender::shell("tar -I pigz -tf", format!("tar -I pigz -tf '{whole}' | tail -1")));
        layers.push(Contender::shell(
            "tar -I pigz of each layer",
            format!(
                "for l in $(tar -tf '{oci}' | grep layer-); do tar -xOf '{oci}' $l | tar -I pigz -tf - | tail -1; done"
            ),
        ));
    }
    let mut analysers = vec![Contender::new("git-verdict", &[&me, "--ours", "image", &plain])];
    if has("dive") {
        analysers.push(Contender::shell(
            "dive --ci",
            format!("CI=true dive --source docker-archive '{plain}' | tail -1; true"),
        ));
    }
    if has("syft") {
        analysers.push(Contender::shell("syft scan", format!("syft scan -q 'docker-archive:{plain}' | tail -1")));
    }
    let du = vec![
        Contender::new("git-verdict", &[&me, "--ours", "folder", &tree]),
        Contender::new("du -s", &["du", "-s", "-B1", &tree]),
    ];
    let size = |path: &str| std::fs::metadata(path).map(|m| m.len() as f64 / 1e6).unwrap_or(0.0);
    for (title, mut contenders) in [
        (format!("docker archive compressed as a whole, {:.0} MB", size(&whole)), image),
        (format!("archive of gzip layers, {:.0} MB", size(&oci)), layers),
        (format!("docker archive, plain, {:.0} MB", size(&plain)), analysers),
        (format!("folder of {files} files"), du),
    ] {
        if !title.contains(filter) || contenders.len() < 2 {
            continue;
        }
        // Once unmeasured, so that all find the data in the page cache.
        for c in &mut contenders {
            c.run()?;
            c.times.clear();
        }
        for round in 0..rounds as usize {
            let n = contenders.len();
            for i in 0..n {
                contenders[(i + round) % n].run()?;
            }
        }
        println!("\n{title}, {rounds} rounds");
        let best = contenders[1..].iter().map(Contender::median).fold(f64::INFINITY, f64::min);
        for c in &contenders {
            println!("  {:28} median {:8.3} s   {}", c.name, c.median(), c.said.chars().take(60).collect::<String>());
        }
        let kib: f64 = contenders[0].said.rsplit(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0.0);
        println!(
            "  ratio to the fastest peer {:.2}, peak memory {:.1} MB",
            contenders[0].median() / best,
            kib * 1024.0 / 1e6
        );
    }
    Ok(())
}

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
fn make_image(folder: &Path, mb: u64) -> io::Result<PathBuf> {
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
fn make_plain(whole: &Path) -> io::Result<PathBuf> {
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
fn make_oci(folder: &Path, mb: u64) -> io::Result<PathBuf> {
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

fn make_tree(folder: &Path, files: u64) -> io::Result<PathBuf> {
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
