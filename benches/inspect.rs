//! How fast artefacts are laid open, against the tools that only list them, in one interleaved run.
//!
//! `cargo bench --bench inspect [-- PART-OF-A-TITLE]`. Data is made once under `target/inspect-bench`. `GIT_VERDICT_BENCH_MB` is the size of the
//! compressed image (1000), `GIT_VERDICT_BENCH_FILES` the number of files in the folder (200000),
//! `GIT_VERDICT_BENCH_ROUNDS` the number of rounds (5). Every contender is a process of its own; ours is this binary
//! again. dive and syft take part in one case when they are in `PATH`. Times are wall clock; memory is the kernel's
//! high-water mark of ours.

#[path = "common/artefacts.rs"]
mod artefacts;

use artefacts::{make_image, make_oci, make_plain, make_tree};
use git_verdict::inspect::{Limits, folder, image};
use std::io;
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
