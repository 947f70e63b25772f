//! All processes that one command started: found, ended and reaped.
//!
//! A command runs in a process group of its own. This process is made the reaper of orphans (`PR_SET_CHILD_SUBREAPER`
//! on Linux), so children of children that lost their parent come here and their resources are counted.
//!
//! What is ended, and when:
//!
//! | the command | its process group | processes that left the group (`setsid`) |
//! |---|---|---|
//! | succeeds | killed | left alone |
//! | fails, times out, is interrupted | killed | killed |
//!
//! A process that left the group on purpose is a daemon: a build server, a compiler cache, the process that holds a
//! rootless container engine's namespaces. Others may be using it by now, so it outlives a step that succeeded.
//!
//! Processes that left the group are found in `/proc`: by descent from the command while it lives, and afterwards by
//! the variable `VERDICT_RUN` that all of them inherit. Where there is no `/proc` only the group is known.

use super::sys::{self, Reaped, Usage};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::collections::HashMap;
use std::io;
use std::process::ExitStatus;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The variable that marks all processes of one run.
pub const MARKER: &str = "VERDICT_RUN";

/// How long killed processes may take to be gone; one that sits in the kernel longer is left to it.
const DYING: Duration = Duration::from_secs(5);

/// Makes orphaned descendants come to this process, if the system can do that; else only direct children are counted.
pub fn adopt_orphans() -> bool {
    static ADOPTS: OnceLock<bool> = OnceLock::new();
    *ADOPTS.get_or_init(|| {
        #[cfg(target_os = "linux")]
        let adopts = rustix::process::set_child_subreaper(Some(rustix::process::getpid())).is_ok();
        #[cfg(not(target_os = "linux"))]
        let adopts = false;
        adopts
    })
}

/// A value for [`MARKER`] that no other run has; always of the same length, as the size of the environment can
/// change how fast a program runs.
pub fn marker() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{:08x}{:08x}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A command's main process and all that came from it. Dropping it unfinished kills everything.
#[derive(Debug)]
pub struct Family {
    main: Pid,
    marker: String,
    usage: Usage,
    status: Option<ExitStatus>,
    /// Known to have left the group: process id and start time.
    escaped: Vec<(i32, u64)>,
    finished: bool,
}

impl Family {
    /// The family of a process that was just started as the leader of a group of its own.
    pub fn new(main: Pid, marker: String) -> Family {
        Family { main, marker, usage: Usage::default(), status: None, escaped: Vec::new(), finished: false }
    }

    /// The main process.
    pub fn main(&self) -> Pid {
        self.main
    }

    /// Asks all of them to end (SIGTERM).
    pub fn ask_to_end(&mut self) {
        // Seen now, because a process whose parent ends can no longer be told by descent.
        self.escaped = self.strays().iter().map(|p| (p.pid, p.start)).collect();
        let _ = kill_process_group(self.main, Signal::TERM);
        for &(pid, _) in &self.escaped {
            signal(pid, Signal::TERM);
        }
    }

    /// Takes the status of the main process, which has ended or is ended now, and ends the rest of its group; with
    /// `all`, or when the main process did not succeed, also what left the group.
    pub fn finish(mut self, all: bool) -> io::Result<(ExitStatus, Usage)> {
        let status = self.end(all)?;
        Ok((status, self.usage))
    }

    fn end(&mut self, all: bool) -> io::Result<ExitStatus> {
        self.finished = true;
        if all {
            let strays = self.strays();
            self.escaped.extend(strays.iter().map(|p| (p.pid, p.start)));
        }
        // Before the main process is reaped, so that its id still stands for this group and no other.
        let _ = kill_process_group(self.main, Signal::KILL);
        let main = self.main.as_raw_nonzero().get();
        let status = match self.status {
            Some(status) => status,
            None => match sys::wait4(main, true)? {
                Reaped::Ended { status, usage } => {
                    self.usage.add(usage);
                    status
                }
                _ => return Err(io::Error::other("the process was reaped elsewhere")),
            },
        };
        self.status = Some(status);
        self.reap_group()?;
        if all || !status.success() {
            self.end_strays();
        }
        Ok(status)
    }

    /// Reaps what is left of the group; all of it has been killed.
    fn reap_group(&mut self) -> io::Result<()> {
        let group = -self.main.as_raw_nonzero().get();
        let begun = Instant::now();
        let mut pause = Duration::from_micros(50);
        loop {
            match sys::wait4(group, false)? {
                Reaped::Ended { usage, .. } => self.usage.add(usage),
                Reaped::None => return Ok(()),
                Reaped::Running if begun.elapsed() > DYING => return Ok(()),
                Reaped::Running => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(10));
                }
            }
        }
    }

    fn end_strays(&mut self) {
        let begun = Instant::now();
        let mut killed: Vec<i32> = Vec::new();
        loop {
            let mut alive: Vec<i32> = self.strays().iter().map(|p| p.pid).collect();
            let known = processes();
            for &(pid, start) in &self.escaped {
                if known.get(&pid).is_some_and(|p| p.start == start && !p.dead) && !alive.contains(&pid) {
                    alive.push(pid);
                }
            }
            for &pid in &alive {
                signal(pid, Signal::KILL);
            }
            killed.extend(&alive);
            killed.sort_unstable();
            killed.dedup();
            killed.retain(|&pid| match sys::wait4(pid, false) {
                Ok(Reaped::Ended { usage, .. }) => {
                    self.usage.add(usage);
                    false
                }
                // Not ours yet: its parent has still to go.
                _ => true,
            });
            if alive.is_empty() || begun.elapsed() > DYING {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The living processes of this family outside its group.
    fn strays(&self) -> Vec<Process> {
        let all = processes();
        let me = std::process::id() as i32;
        let main = self.main.as_raw_nonzero().get();
        let mut found = Vec::new();
        for process in all.values().filter(|p| !p.dead && p.pid != me && p.pid != main && p.group != main) {
            let line = ancestors(process.pid, &all);
            let of_main = line.contains(&main);
            let marked = |pid: i32| environment_has(pid, MARKER, self.marker.as_bytes());
            let ours = line.contains(&me) && (marked(process.pid) || line.iter().any(|&pid| pid != me && marked(pid)));
            if of_main || ours {
                found.push(*process);
            }
        }
        found
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        if !self.finished {
            let _ = self.end(true);
        }
    }
}

/// Kills the processes of this user in whose environment `name` has a value that begins with `value`, and all that
/// descend from them: what a killed session left running.
pub fn kill_marked(name: &str, value: &[u8]) {
    let me = std::process::id() as i32;
    for _ in 0..20 {
        let all = processes();
        let marked: Vec<i32> = all
            .values()
            .filter(|p| !p.dead && p.pid != me && environment_has(p.pid, name, value))
            .map(|p| p.pid)
            .collect();
        if marked.is_empty() {
            return;
        }
        let below = all.values().filter(|p| ancestors(p.pid, &all).iter().any(|a| marked.contains(a))).map(|p| p.pid);
        for pid in below.chain(marked.iter().copied()).filter(|&pid| pid != me) {
            signal(pid, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid).filter(|_| pid > 1) {
        let _ = kill_process(pid, signal);
    }
}

#[derive(Debug, Clone, Copy)]
struct Process {
    pid: i32,
    parent: i32,
    group: i32,
    start: u64,
    dead: bool,
}

fn processes() -> HashMap<i32, Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return HashMap::new() };
    entries
        .filter_map(|entry| {
            let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
            Some((pid, parse_stat(pid, &stat)?))
        })
        .collect()
}

/// Reads proc_pid_stat(5): the name is in parentheses and may hold anything, so fields count from the last `)`.
fn parse_stat(pid: i32, stat: &[u8]) -> Option<Process> {
    let text = String::from_utf8_lossy(stat);
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let dead = matches!(*fields.first()?, "Z" | "X" | "x");
    Some(Process {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
        dead,
    })
}

fn ancestors(pid: i32, all: &HashMap<i32, Process>) -> Vec<i32> {
    let mut line = Vec::new();
    let mut at = pid;
    while let Some(process) = all.get(&at) {
        if process.parent <= 0 || line.contains(&process.parent) {
            break;
        }
        line.push(process.parent);
        at = process.parent;
    }
    line
}

fn environment_has(pid: i32, name: &str, value: &[u8]) -> bool {
    let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { return false };
    environment.split(|&b| b == 0).any(|pair| {
        pair.strip_prefix(name.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"="))
            .is_some_and(|v| v.starts_with(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let stat = b"7 (a) b (c) S 3 5 5 0 -1 1 2 3 4 5 6 7 8 9 20 0 1 0 4242 1 1";
        let process = parse_stat(7, stat).unwrap();
        assert_eq!((process.parent, process.group, process.start, process.dead), (3, 5, 4242, false));
    }

    #[test]
    fn markers_differ_and_have_one_length() {
        let (a, b) = (marker(), marker());
        assert_ne!(a, b);
        assert_eq!(a.len(), b.len());
    }
}
