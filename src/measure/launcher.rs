//! Starts a command from a small process, so that its peak memory is its own.
//!
//! On Linux a process begins with the peak of the one that made it: `exec` keeps the peak of the memory that it replaces,
//! which is the maker's. No reading could be below what this program holds, and that grows with the ledger. So the program
//! starts itself anew as a launcher, which makes the command before it has loaded anything and then ends. The command
//! becomes an orphan, and orphans come to this process ([`super::family`]).
//!
//! The launcher's standard input is a pipe, on which it answers with two numbers: the command's process id and the time
//! just before it was made, or the error with its sign turned.

use super::placement::Placement;
use super::{family, sys};
use rustix::process::Pid;
use rustix::time::{ClockId, clock_gettime};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The argument that makes the program a launcher.
const WORD: &str = "--launch";

/// Whether this program's `main` knows [`WORD`]: that of a test or a bench does not.
static KNOWN: AtomicBool = AtomicBool::new(false);

/// Does a launcher's work when this process was started as one.
pub fn serve() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_none_or(|word| word != WORD) {
        KNOWN.store(true, Ordering::Relaxed);
        return None;
    }
    let mut command = Command::new(words.next()?);
    command.args(words).stdin(Stdio::null()).process_group(0);
    // What of this process is backed by files is in the peak of one that shares its memory, and not in that of a copy.
    sys::start_in_a_copy(&mut command);
    let begun = monotonic();
    let answer = match command.spawn() {
        Ok(child) => [i64::from(child.id()), begun.as_nanos() as i64],
        Err(error) => [-i64::from(error.raw_os_error().unwrap_or(libc::EIO)), 0],
    };
    let told = io::stdin().as_fd().try_clone_to_owned().map(File::from);
    let told = told.and_then(|mut pipe| pipe.write_all(&answer.map(i64::to_ne_bytes).concat()));
    Some(if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The clock of [`Instant`], which is the same in all processes.
fn monotonic() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Whether commands can be started this way here.
pub fn available() -> bool {
    cfg!(target_os = "linux") && KNOWN.load(Ordering::Relaxed) && family::adopt_orphans()
}

/// The command that starts this program; to be given to [`spawn`].
pub fn command(program: &OsStr) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg(WORD).arg(program);
    command
}

/// A process that was started.
pub struct Started {
    /// It leads a group of its own.
    pub main: Pid,
    /// Just before it was made.
    pub at: Instant,
    /// Whose child it is until that has ended, if not this process's.
    pub launcher: Option<Child>,
}

impl Started {
    /// Sees to it that the process is a child of this one, and can be waited for.
    pub fn adopt(&mut self) -> io::Result<()> {
        self.launcher.take().map_or(Ok(()), |mut launcher| launcher.wait().map(drop))
    }
}

/// Starts what [`command`] named. The launcher is not waited for: the command may be over before that.
pub fn spawn(command: &mut Command, placement: &Placement) -> io::Result<Started> {
    let (mut reader, writer) = io::pipe()?;
    let launcher = placement.spawn(command.stdin(writer));
    // The other end of the pipe is the launcher's alone from now on.
    command.stdin(Stdio::null());
    let mut launcher = launcher?;
    let mut answer = [0; 16];
    let read = reader.read_exact(&mut answer);
    let [process, begun] = [0, 8].map(|at| i64::from_ne_bytes(answer[at..at + 8].try_into().unwrap_or_default()));
    let process = i32::try_from(process).unwrap_or_default();
    let Some(main) = Pid::from_raw(process.max(0)) else {
        launcher.wait()?;
        return Err(read.err().unwrap_or_else(|| io::Error::from_raw_os_error(-process)));
    };
    let (clock, now) = (monotonic(), Instant::now());
    let ago = clock.saturating_sub(Duration::from_nanos(begun.unsigned_abs()));
    Ok(Started { main, at: now.checked_sub(ago).unwrap_or(now), launcher: Some(launcher) })
}
