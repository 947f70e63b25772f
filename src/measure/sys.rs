//! What no safe crate offers: `wait4`, for the resources a child used, reading how a signal is handled, and choosing how a
//! process is made. All unsafe code of the crate is here, but for one call to libgit2 in `git/reftable.rs`.
#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};
use std::time::Duration;

/// What a process used in its life, its waited-for children included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// CPU time in user mode.
    pub user: Duration,
    /// CPU time in the kernel.
    pub system: Duration,
    /// Peak resident memory in bytes of the largest process.
    pub max_rss: u64,
}

impl Usage {
    /// Adds another process: times add up, of the peaks the larger one counts.
    pub fn add(&mut self, other: Usage) {
        self.user += other.user;
        self.system += other.system;
        self.max_rss = self.max_rss.max(other.max_rss);
    }
}

/// What `wait4` found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaped {
    /// Such children exist, and none of them has ended.
    Running,
    /// There is no such child.
    None,
    /// One that ended: it is gone from the process table now.
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// What it used.
        usage: Usage,
    },
}

/// Reaps a child: `target` is a process id, or a process group id with a minus sign. Blocks only when `block` is set.
pub fn wait4(target: i32, block: bool) -> io::Result<Reaped> {
    let options = if block { 0 } else { libc::WNOHANG };
    let mut status: libc::c_int = 0;
    // SAFETY: `rusage` is a plain struct of integers, for which all zeroes is a valid value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to live, writable locals of the types that wait4(2) asks for; it keeps neither.
        let pid = unsafe { libc::wait4(target, &mut status, options, &mut usage) };
        if pid > 0 {
            return Ok(Reaped::Ended { status: ExitStatus::from_raw(status), usage: convert(&usage) });
        }
        if pid == 0 {
            return Ok(Reaped::Running);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => continue,
            Some(libc::ECHILD) => return Ok(Reaped::None),
            _ => return Err(error),
        }
    }
}

/// Whether this process was started with the signal ignored, as `nohup` does with SIGHUP.
pub fn ignored(signal: i32) -> bool {
    // SAFETY: `sigaction` is a plain struct for which all zeroes is a valid value.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: a null new action only reads the old one into a live, writable local.
    let result = unsafe { libc::sigaction(signal, std::ptr::null(), &mut action) };
    result == 0 && action.sa_sigaction == libc::SIG_IGN
}

/// Has the command made by `fork`, which copies this process, and not by `vfork`, which lends it to the command.
pub fn start_in_a_copy(command: &mut Command) {
    // SAFETY: what runs between fork and exec does nothing. That there is something is why it is forked.
    unsafe { command.pre_exec(|| Ok(())) };
}

fn convert(raw: &libc::rusage) -> Usage {
    // getrusage(2): kilobytes on Linux and the BSDs, bytes on macOS.
    let scale = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
    Usage {
        user: time(&raw.ru_utime),
        system: time(&raw.ru_stime),
        max_rss: u64::try_from(raw.ru_maxrss).unwrap_or(0) * scale,
    }
}

fn time(raw: &libc::timeval) -> Duration {
    let seconds = u64::try_from(raw.tv_sec).unwrap_or(0);
    let micros = u64::try_from(raw.tv_usec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}
