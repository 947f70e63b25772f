//! What machine a session ran on, and whether two sessions ran on machines whose times can be compared.
//!
//! | name in [`Environment::more`] | what it is | must agree for times |
//! |---|---|---|
//! | `governor`, `turbo` | frequency scaling | yes |
//! | `container`, `cpu limit`, `memory limit` | container and control group | yes |
//! | `pinned`, `nice` | where and how urgently steps ran | yes |
//! | `instructions counted by` | the counter of instructions | when both know it |
//! | `tool NAME` | version of a program that a command names or the project is built with | when both know it |
//! | `variable NAME` | a variable that changes what compilers and programs do | yes, but for `PATH` |
//! | `load`, `memory free`, `git` | the moment | no |
//!
//! Records are shared, so no variable outside of [`VALUES`] and [`DIGESTS`] is looked at, and of those in [`DIGESTS`], and of
//! values that could hold a secret, only a digest is kept: enough to see that two differ.

use super::placement::Placement;
use crate::config::{Command, Config, Source};
use crate::digest::sha256;
use crate::phrase;
use crate::phrase::Phrase;
use rustix::system::uname;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Variables whose values are recorded.
pub const VALUES: &[&str] = &[
    "CARGO_BUILD_JOBS",
    "CARGO_INCREMENTAL",
    "CFLAGS",
    "CPPFLAGS",
    "CXXFLAGS",
    "DOCKER_BUILDKIT",
    "GODEBUG",
    "GOFLAGS",
    "GOGC",
    "GOMAXPROCS",
    "LANG",
    "LC_ALL",
    "LDFLAGS",
    "MAKEFLAGS",
    "MALLOC_ARENA_MAX",
    "NODE_ENV",
    "OMP_NUM_THREADS",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHASHSEED",
    "PYTHONOPTIMIZE",
    "RUSTFLAGS",
    "RUST_MIN_STACK",
    "SOURCE_DATE_EPOCH",
    "TZ",
];

/// Variables of which a digest is recorded: their values are long, or name what is nobody's business.
pub const DIGESTS: &[&str] = &["JAVA_TOOL_OPTIONS", "LD_LIBRARY_PATH", "LD_PRELOAD", "NODE_OPTIONS", "PATH"];

/// Programs that are asked for their version when a command names them. A name that is not here is never run: what an
/// unknown program does with `--version` is not known.
const TOOLS: &[&str] = &[
    "bash", "buildah", "bun", "c++", "cargo", "cc", "clang", "clang++", "cmake", "deno", "docker", "dotnet", "g++",
    "gcc", "go", "java", "javac", "ld", "make", "meson", "ninja", "node", "npm", "perl", "php", "pip", "pip3", "pnpm",
    "podman", "python", "python3", "ruby", "rustc", "swift", "tsc", "uv", "yarn", "zig",
];

/// The name of the counter of instructions in [`Environment::more`].
pub const COUNTER: &str = "instructions counted by";

/// How long a program may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(5);

/// The machine and its state when a session began.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Environment {
    /// `linux x86_64`.
    pub platform: String,
    /// CPU model as the system names it.
    pub cpu: String,
    /// Logical processors that this process may use.
    pub cores: usize,
    /// Bytes of memory.
    pub memory: u64,
    /// Kernel release.
    pub kernel: String,
    /// Frequency governor and turbo, container limits, load, tool versions, variables: whatever was found, by name.
    #[serde(default)]
    pub more: BTreeMap<String, String>,
}

impl Environment {
    /// Looks at this machine. What cannot be found is left out; takes a few milliseconds at most.
    pub fn capture() -> Environment {
        let system = uname();
        Environment {
            platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            cpu: cpu().unwrap_or_default(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory: memory("MemTotal:").unwrap_or_default(),
            kernel: system.release().to_string_lossy().into_owned(),
            more: more(),
        }
    }

    /// This machine, with the tools that a configuration names and those that the project in `dir` is built with; they are
    /// asked there.
    pub fn of_work(config: &Config, dir: &Path) -> Environment {
        let mut here = Environment::capture();
        let tools: BTreeSet<&str> = tools_of(config).into_iter().chain(tools_in(dir)).collect();
        for name in tools {
            if let Some(version) = version(name, dir) {
                here.more.insert(format!("tool {name}"), version);
            }
        }
        here
    }

    /// The same with where steps run.
    pub fn on(mut self, placement: &Placement) -> Environment {
        if !placement.pin.is_empty() {
            self.more.insert("pinned".into(), placement.pinned());
        }
        if let Some(nice) = placement.nice {
            self.more.insert("nice".into(), nice.to_string());
        }
        self
    }

    /// The machine in one line: platform, CPU model, cores, memory and kernel. Whether times compare is for [`comparable`].
    pub fn fingerprint(&self) -> Phrase {
        phrase!(
            "{platform}, {cpu}, {cores} cores, {memory}, kernel {kernel}",
            platform = &self.platform,
            cpu = Phrase::from(if self.cpu.is_empty() { "unknown CPU" } else { &self.cpu }),
            cores = self.cores,
            memory = gibibytes(self.memory),
            kernel = &self.kernel
        )
    }
}

/// Something in which two environments differ so that times do not compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `CPU`, `tool gcc`, `variable CFLAGS`.
    pub name: String,
    /// In the first; empty when it is not set there.
    pub one: String,
    /// In the second.
    pub other: String,
}

/// Whether times measured in one environment may be compared with times measured in the other. The reasons are shown to
/// people: `cores: 8 and 4`. Exact sizes may be compared whatever this says.
pub fn comparable(one: &Environment, other: &Environment) -> Result<(), Vec<Phrase>> {
    let shown = |value: String| Phrase::from(if value.is_empty() { "none".to_string() } else { value });
    let reason = |Difference { name, one, other }: Difference| {
        phrase!("{name}: {one} and {other}", name = Phrase::from(name), one = shown(one), other = shown(other))
    };
    let reasons: Vec<Phrase> = differences(one, other).into_iter().map(reason).collect();
    if reasons.is_empty() { Ok(()) } else { Err(reasons) }
}

/// In what two environments differ so that times do not compare: the machine first, then all else by name.
pub fn differences(one: &Environment, other: &Environment) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut compare = |name: &str, one: &str, other: &str| {
        if one != other {
            found.push(Difference { name: name.to_string(), one: one.to_string(), other: other.to_string() });
        }
    };
    compare("platform", &one.platform, &other.platform);
    compare("CPU", &one.cpu, &other.cpu);
    compare("cores", &one.cores.to_string(), &other.cores.to_string());
    compare("memory", &gibibytes(one.memory), &gibibytes(other.memory));
    compare("kernel", &one.kernel, &other.kernel);
    let names: BTreeSet<&String> = one.more.keys().chain(other.more.keys()).collect();
    for name in names {
        let (a, b) = (one.more.get(name), other.more.get(name));
        let counts = match name.as_str() {
            "governor" | "turbo" | "container" | "cpu limit" | "memory limit" | "pinned" | "nice" => true,
            COUNTER => a.is_some() && b.is_some(),
            "variable PATH" => false,
            tool if tool.starts_with("tool ") => a.is_some() && b.is_some(),
            variable => variable.starts_with("variable "),
        };
        if counts {
            compare(name, a.map_or("", String::as_str), b.map_or("", String::as_str));
        }
    }
    found
}

/// Memory in steps of 64 MiB, because what the kernel keeps for itself varies a little from boot to boot.
fn gibibytes(memory: u64) -> String {
    let rounded = (memory + (32 << 20)) >> 26 << 26;
    format!("{:.1} GiB", rounded as f64 / (1u64 << 30) as f64)
}

/// The known programs among the words of all commands, and the compiler that `cargo` runs.
fn tools_of(config: &Config) -> BTreeSet<&'static str> {
    let steps = config.steps.iter().flat_map(|s| s.prepare.iter().chain([&s.run]));
    let metrics = config.metrics.iter().filter_map(|m| match &m.source {
        Source::Command { run, .. } => Some(run),
        _ => None,
    });
    let mut found = BTreeSet::new();
    for command in steps.chain(metrics) {
        let words: Vec<&str> = match command {
            Command::Shell(text) => text.split(|c: char| c.is_whitespace() || "();&|`$\"'".contains(c)).collect(),
            Command::Direct(words) => words.first().map(String::as_str).into_iter().collect(),
        };
        found.extend(TOOLS.iter().copied().filter(|tool| words.contains(tool)));
    }
    if found.contains("cargo") {
        found.insert("rustc");
    }
    found
}

/// The programs that a project is built with, by the files in its root: its scripts may run them where no command says so.
fn tools_in(dir: &Path) -> impl Iterator<Item = &'static str> {
    const BUILT_WITH: &[(&str, &[&str])] = &[
        ("Cargo.toml", &["cargo", "rustc"]),
        ("package.json", &["node"]),
        ("go.mod", &["go"]),
        ("pyproject.toml", &["python3"]),
        ("requirements.txt", &["python3"]),
        ("setup.py", &["python3"]),
    ];
    BUILT_WITH.iter().filter(|(file, _)| dir.join(file).is_file()).flat_map(|(_, tools)| tools.iter().copied())
}

/// The first line that a program prints about its version; none when it is not there or does not answer in time.
fn version(program: &str, dir: &Path) -> Option<String> {
    let word = if matches!(program, "go" | "zig") { "version" } else { "--version" };
    let mut child = std::process::Command::new(program)
        .arg(word)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let begun = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if begun.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(2)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    };
    // A version is far shorter than a pipe is deep, so the program never waits for its reader.
    let mut text = Vec::new();
    child.stdout.take()?.take(4096).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    let line = super::runner::plain(text.lines().find(|l| !l.trim().is_empty())?);
    status.success().then(|| line.chars().take(120).collect())
}

/// The variables that are set, as they are recorded.
fn variables(get: impl Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
    let shown = VALUES.iter().filter_map(|name| Some((name, get(name)?, false)));
    let hidden = DIGESTS.iter().filter_map(|name| Some((name, get(name)?, true)));
    let set = shown.chain(hidden).filter(|(_, value, _)| !value.is_empty());
    set.map(|(name, value, hide)| {
        let hide = hide || value.len() > 200 || may_hold_a_secret(&value);
        (format!("variable {name}"), if hide { digest(&value) } else { value })
    })
    .collect()
}

fn may_hold_a_secret(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    ["secret", "token", "passw", "credential", "apikey", "api_key", "auth", "://"].iter().any(|w| lower.contains(w))
}

fn digest(value: &str) -> String {
    format!("sha256:{}", &sha256(value)[..12])
}

fn text(path: impl AsRef<Path>) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|t| t.trim().to_string()).filter(|t| !t.is_empty())
}

/// The model name of the first processor; other architectures name an implementer and a part instead.
fn cpu() -> Option<String> {
    let info = text("/proc/cpuinfo")?;
    let field = |name: &str| {
        info.lines()
            .filter_map(|l| l.split_once(':'))
            .find(|(k, _)| k.trim() == name)
            .map(|(_, v)| v.trim().to_string())
    };
    let arm = || Some(format!("implementer {} part {}", field("CPU implementer")?, field("CPU part")?));
    field("model name").or_else(|| field("Model")).or_else(arm).or_else(|| field("uarch"))
}

fn memory(field: &str) -> Option<u64> {
    let info = text("/proc/meminfo")?;
    let kilobytes = info.lines().find_map(|l| l.strip_prefix(field))?;
    kilobytes.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|k| k * 1024)
}

fn more() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            found.insert(name.to_string(), value);
        }
    };
    put("governor", text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
    put("turbo", turbo());
    let load = text("/proc/loadavg").map(|l| l.split(' ').take(3).collect::<Vec<_>>().join(" "));
    put("load", load);
    put("container", container());
    put("cpu limit", cgroup("cpu.max", "cpu/cpu.cfs_quota_us").filter(|l| !l.starts_with("max") && l != "-1"));
    let limit = cgroup("memory.max", "memory/memory.limit_in_bytes");
    // Version 1 writes "no limit" as the largest number of whole pages.
    put("memory limit", limit.filter(|l| l.parse::<u64>().is_ok_and(|bytes| bytes < 1 << 60)));
    put("memory free", memory("MemAvailable:").map(gibibytes));
    put("git", git());
    found.extend(variables(|name| std::env::var(name).ok()));
    found
}

fn turbo() -> Option<String> {
    let word = |on: bool| if on { "on" } else { "off" }.to_string();
    text("/sys/devices/system/cpu/intel_pstate/no_turbo")
        .map(|v| word(v == "0"))
        .or_else(|| text("/sys/devices/system/cpu/cpufreq/boost").map(|v| word(v == "1")))
}

fn container() -> Option<String> {
    if Path::new("/run/.containerenv").exists() {
        return Some("podman".into());
    }
    if Path::new("/.dockerenv").exists() {
        return Some("docker".into());
    }
    std::env::var("container").ok().filter(|v| !v.is_empty())
}

/// A limit of this process's control group (version 2), or of the version 1 controller mounted at the root.
fn cgroup(two: &str, one: &str) -> Option<String> {
    let groups = text("/proc/self/cgroup")?;
    let own = groups.lines().find_map(|l| l.strip_prefix("0::")).unwrap_or("/");
    let base = Path::new("/sys/fs/cgroup");
    text(base.join(own.trim_start_matches('/')).join(two))
        .or_else(|| text(base.join(two)))
        .or_else(|| text(base.join(one)))
}

fn git() -> Option<String> {
    let output = std::process::Command::new("git").arg("--version").output().ok()?;
    let line = String::from_utf8_lossy(&output.stdout).trim().to_string();
    Some(line.strip_prefix("git version ").unwrap_or(&line).to_string()).filter(|v| !v.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_cores_and_a_kernel() {
        let here = Environment::capture();
        assert!(here.cores >= 1);
        assert!(!here.kernel.is_empty());
        assert!(here.more.contains_key("git"));
        if cfg!(target_os = "linux") {
            assert!(here.memory > 64 << 20, "{}", here.memory);
        }
    }

    #[test]
    fn the_fingerprint_keeps_what_is_stable_and_nothing_else() {
        let here = Environment { cores: 2, memory: 4 << 30, kernel: "6.1".into(), ..Environment::default() };
        let loaded = Environment {
            more: BTreeMap::from([("load".to_string(), "9 9 9".to_string())]),
            memory: (4 << 30) - 4096,
            ..here.clone()
        };
        assert_eq!(here.fingerprint(), loaded.fingerprint());
        for other in [
            Environment { cores: 3, ..here.clone() },
            Environment { cpu: "x".into(), ..here.clone() },
            Environment { memory: 8 << 30, ..here.clone() },
            Environment { kernel: "6.2".into(), ..here.clone() },
            Environment { platform: "macos".into(), ..here.clone() },
        ] {
            assert_ne!(here.fingerprint(), other.fingerprint());
        }
    }

    #[test]
    fn times_compare_only_where_all_that_matters_agrees() {
        let more = |pairs: &[(&str, &str)]| Environment {
            cores: 2,
            more: pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
            ..Environment::default()
        };
        let here = more(&[("governor", "powersave"), ("tool gcc", "gcc 13"), ("load", "1"), ("variable PATH", "a")]);
        assert_eq!(comparable(&here, &here), Ok(()));
        let calm =
            more(&[("governor", "powersave"), ("load", "9"), ("memory free", "1.0 GiB"), ("variable PATH", "b")]);
        assert_eq!(comparable(&here, &calm), Ok(()), "a tool that one side does not name is not compared");
        for (other, reason) in [
            (Environment { cores: 3, ..here.clone() }, "cores: 2 and 3"),
            (more(&[("governor", "performance"), ("tool gcc", "gcc 13")]), "governor: powersave and performance"),
            (more(&[("governor", "powersave"), ("tool gcc", "gcc 14")]), "tool gcc: gcc 13 and gcc 14"),
            (more(&[("governor", "powersave"), ("variable CFLAGS", "-O2")]), "variable CFLAGS: none and -O2"),
            (more(&[("governor", "powersave"), ("pinned", "1")]), "pinned: none and 1"),
        ] {
            assert_eq!(comparable(&here, &other).unwrap_err(), [reason]);
        }
    }

    #[test]
    fn a_value_that_could_hold_a_secret_is_kept_as_a_digest() {
        let set = BTreeMap::from([
            ("CFLAGS", "-O3 -march=native"),
            ("GOFLAGS", "-ldflags=-X=main.token=hunter2"),
            ("PATH", "/home/someone/bin"),
            ("AWS_SECRET_ACCESS_KEY", "hunter2"),
            ("LANG", ""),
        ]);
        let found = variables(|name| set.get(name).map(|v| v.to_string()));
        assert_eq!(found["variable CFLAGS"], "-O3 -march=native");
        assert!(found["variable GOFLAGS"].starts_with("sha256:"), "{found:?}");
        assert!(found["variable PATH"].starts_with("sha256:"), "{found:?}");
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn the_programs_that_commands_name_are_found_and_no_others() {
        let text = "version = 1\n[steps.a]\nrun = \"CC=gcc make -j2 && ./make.sh | (python3 -)\"\nprepare = [\"cargo\", \"node\"]\n";
        let config = Config::parse(text, "verdict.toml").unwrap();
        assert_eq!(tools_of(&config).into_iter().collect::<Vec<_>>(), ["cargo", "make", "python3", "rustc"]);
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(tools_in(dir.path()).count(), 0);
        std::fs::write(dir.path().join("go.mod"), "module m\n").unwrap();
        assert_eq!(tools_in(dir.path()).collect::<Vec<_>>(), ["go"]);
        assert_eq!(version("no-such-program-here", dir.path()), None);
        assert!(version("bash", dir.path()).is_some_and(|v| v.contains("bash")));
    }
}
