//! What machine a session ran on.

use rustix::system::uname;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

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
    /// Frequency governor and turbo, container limits, load, tool versions: whatever was found, by name.
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
            memory: memory().unwrap_or_default(),
            kernel: system.release().to_string_lossy().into_owned(),
            more: more(),
        }
    }

    /// What must be the same for times to be comparable: platform, CPU model, cores, memory and kernel. Memory counts in
    /// steps of 64 MiB, because what the kernel keeps for itself varies a little from boot to boot.
    pub fn fingerprint(&self) -> String {
        let memory = (self.memory + (32 << 20)) >> 26;
        let memory = (memory << 26) as f64 / (1u64 << 30) as f64;
        let cpu = if self.cpu.is_empty() { "unknown CPU" } else { &self.cpu };
        format!("{}, {}, {} cores, {:.1} GiB, kernel {}", self.platform, cpu, self.cores, memory, self.kernel)
    }
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

fn memory() -> Option<u64> {
    let info = text("/proc/meminfo")?;
    let kilobytes = info.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
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
    put("git", git());
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
}
