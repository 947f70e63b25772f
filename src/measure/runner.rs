//! Runs one command in a process group of its own: resource use, time limit, log, no child left behind.
//!
//! Time is taken on the monotonic clock from just before the process is made until the system says that it has ended.
//! CPU time and peak memory come from `wait4` and cover the command, the children it waited for, and whatever of its
//! group came to this process as an orphan. There is no polling: one `poll(2)` waits for the process, for an
//! interruption, and, where lines are timed, for output.

use super::MeasureError;
use super::family::{self, Family};
use super::interrupt;
use super::launcher::{self, Started};
use super::placement::Placement;
use super::sys::Usage;
use crate::config::{Command, nearest};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, PipeReader, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a command may take to end after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// How often a long wait looks at what does not wake it: the size of the output, a stopped process.
const TICK: Duration = Duration::from_secs(1);

/// A command that prints more than this into its log is ended.
const LOG_LIMIT: u64 = 1 << 30;

/// Lines and bytes of output that an error shows.
const TAIL_LINES: usize = 20;
const TAIL_BYTES: usize = 4096;

/// Variables that point git at a repository, and ours of an outer run: a step must find its own, even when a hook
/// started us.
const FOREIGN_VARIABLES: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
    "VERDICT_ROUND",
];

/// Where output goes.
#[derive(Debug, Clone, Copy)]
pub enum Sink<'a> {
    /// Standard output and standard error into one file, as they come.
    Log(&'a Path),
    /// Both into one file, each line with the seconds since the start and a tab before it.
    Timed(&'a Path),
    /// Each into a file of its own.
    Split {
        /// Standard output.
        out: &'a Path,
        /// Standard error.
        err: &'a Path,
        /// The command is ended when its standard output is longer.
        limit: u64,
    },
}

impl Sink<'_> {
    /// The file that holds what a person wants to see when the command fails.
    pub fn log(&self) -> &Path {
        match self {
            Sink::Log(path) | Sink::Timed(path) => path,
            Sink::Split { err, .. } => err,
        }
    }
}

/// Where there is no [`launcher`], no peak can be read that is below our own. Forgetting ours leaves only what we hold right
/// now below which a reading cannot fall.
fn forget_own_peak() {
    #[cfg(target_os = "linux")]
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// One command to run.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// What is run.
    pub command: &'a Command,
    /// Where.
    pub dir: &'a Path,
    /// Variables added to the environment.
    pub env: &'a [(&'static str, OsString)],
    /// Ended after this long.
    pub timeout: Option<Duration>,
    /// Where output goes.
    pub sink: Sink<'a>,
    /// Where and how urgently it runs.
    pub placement: &'a Placement,
    /// Whether its peak memory is wanted.
    pub peak: bool,
}

/// How a command ended. `Display` is the words that errors use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Exit status 0.
    Success,
    /// Another exit status.
    Exit(i32),
    /// Killed by a signal that was not ours.
    Signal(i32),
    /// Ended by us after its time limit.
    TimedOut(Duration),
    /// Ended by us because stopping was asked for.
    Interrupted,
    /// Ended by us because it was stopped for wanting the terminal.
    WantsTerminal,
    /// Ended by us because it printed more than so many bytes.
    TooMuchOutput(u64),
    /// It could not be started: why.
    NotStarted(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Success => f.write_str("exit status 0"),
            Outcome::Exit(127) => f.write_str("exit status 127 (command not found)"),
            Outcome::Exit(126) => f.write_str("exit status 126 (command cannot be executed)"),
            Outcome::Exit(code) => write!(f, "exit status {code}"),
            Outcome::Signal(number) => match signal_hook::low_level::signal_name(*number) {
                Some(name) => write!(f, "killed by signal {number} ({name})"),
                None => write!(f, "killed by signal {number}"),
            },
            Outcome::TimedOut(limit) => write!(f, "timed out after {seconds} s", seconds = limit.as_secs_f64()),
            Outcome::Interrupted => f.write_str("interrupted"),
            Outcome::WantsTerminal => f.write_str("stopped: it wants to read from the terminal, and has none"),
            Outcome::TooMuchOutput(limit) => write!(f, "printed more than {most} MiB", most = limit >> 20),
            Outcome::NotStarted(why) => f.write_str(why),
        }
    }
}

/// A command that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// How.
    pub outcome: Outcome,
    /// Elapsed time until its main process ended.
    pub wall: Duration,
    /// What it and its group used.
    pub usage: Usage,
}

/// Runs a command to its end, whatever that is. Fails only when a log cannot be written or the system refuses what
/// always works.
pub fn run(job: &Job<'_>) -> Result<Finished, MeasureError> {
    if interrupt::requested() {
        return Ok(Finished { outcome: Outcome::Interrupted, wall: Duration::ZERO, usage: Usage::default() });
    }
    family::adopt_orphans();
    let marker = family::marker();
    let (mut command, mut output) = set_up(job, &marker)?;
    let mut process = match start(job, &mut command) {
        Ok(process) => process,
        Err(error) => {
            let outcome = Outcome::NotStarted(why_not_started(job, &error));
            return Ok(Finished { outcome, wall: Duration::ZERO, usage: Usage::default() });
        }
    };
    // It holds the writing end of a pipe.
    drop(command);
    let started = process.at;
    let mut family = Family::new(process.main, marker);
    let trouble = |source| MeasureError::Io { path: job.command.to_string(), source };
    let exit = exit_of(&mut process).map_err(trouble)?;
    let deadline = job.timeout.and_then(|t| started.checked_add(t));
    let woken = wait(&family, &exit, &mut output, started, deadline, true).map_err(trouble)?;
    let wall = started.elapsed();
    if !matches!(woken, Woken::Exited) {
        family.ask_to_end();
        let patience = Instant::now().checked_add(GRACE);
        wait(&family, &exit, &mut output, started, patience, false).map_err(trouble)?;
    }
    process.adopt().map_err(trouble)?;
    let (status, usage) = family.finish(!matches!(woken, Woken::Exited)).map_err(trouble)?;
    output.finish(started).map_err(|source| log_error(job, source))?;
    let outcome = match woken {
        Woken::Exited => match output.exceeded() {
            Some(limit) => Outcome::TooMuchOutput(limit),
            None => outcome_of(status),
        },
        Woken::Interrupted => Outcome::Interrupted,
        Woken::Deadline => Outcome::TimedOut(job.timeout.unwrap_or_default()),
        Woken::Stopped => Outcome::WantsTerminal,
        Woken::TooMuch(limit) => Outcome::TooMuchOutput(limit),
    };
    Ok(Finished { outcome, wall, usage })
}

fn launched(job: &Job<'_>) -> bool {
    job.peak && launcher::available()
}

/// Starts what [`set_up`] prepared.
fn start(job: &Job<'_>, command: &mut std::process::Command) -> io::Result<Started> {
    if launched(job) {
        return launcher::spawn(command, job.placement);
    }
    let at = Instant::now();
    let child = job.placement.spawn(command)?;
    Ok(Started { main: Pid::from_child(&child), at, launcher: None })
}

fn outcome_of(status: ExitStatus) -> Outcome {
    match (status.code(), status.signal()) {
        (Some(0), _) => Outcome::Success,
        (Some(code), _) => Outcome::Exit(code),
        (None, signal) => Outcome::Signal(signal.unwrap_or_default()),
    }
}

fn log_error(job: &Job<'_>, source: io::Error) -> MeasureError {
    MeasureError::Io { path: job.sink.log().display().to_string(), source }
}

fn set_up(job: &Job<'_>, marker: &str) -> Result<(std::process::Command, Output), MeasureError> {
    let program = OsStr::new(program_of(job.command));
    let mut command = if launched(job) { launcher::command(program) } else { std::process::Command::new(program) };
    match job.command {
        Command::Shell(text) => command.arg("-c").arg(text),
        Command::Direct(words) => command.args(words.iter().skip(1)),
    };
    if job.peak {
        forget_own_peak();
    }
    // A group of its own, and nothing that keeps the standard library from using posix_spawn.
    command.current_dir(job.dir).stdin(Stdio::null()).process_group(0);
    for name in FOREIGN_VARIABLES {
        command.env_remove(name);
    }
    // Where the hidden checks are is not for the candidate to know.
    command.env_remove(crate::hidden::VARIABLE);
    command.envs(job.env.iter().map(|(name, value)| (name, value))).env(family::MARKER, marker);
    let open = |path: &Path| {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .and_then(|file| file.set_len(0).map(|()| file))
            .map_err(|source| MeasureError::Io { path: path.display().to_string(), source })
    };
    let copy = |file: &File| file.try_clone().map_err(|source| log_error(job, source));
    let output = match job.sink {
        Sink::Log(path) => {
            let file = open(path)?;
            command.stdout(copy(&file)?).stderr(copy(&file)?);
            Output::File { file, limit: LOG_LIMIT }
        }
        Sink::Split { out, err, limit } => {
            let file = open(out)?;
            command.stdout(copy(&file)?).stderr(open(err)?);
            Output::File { file, limit }
        }
        Sink::Timed(path) => {
            let file = open(path)?;
            let pipe = || -> io::Result<(PipeReader, OwnedFd, OwnedFd)> {
                let (reader, writer) = io::pipe()?;
                fcntl_setfl(&reader, fcntl_getfl(&reader)? | OFlags::NONBLOCK)?;
                let second = writer.try_clone()?;
                Ok((reader, writer.into(), second.into()))
            };
            let (reader, writer, second) = pipe().map_err(|source| log_error(job, source))?;
            command.stdout(writer).stderr(second);
            Output::Timed(Box::new(Timed { pipe: Some(reader), log: BufWriter::new(file), fresh: true, written: 0 }))
        }
    };
    Ok((command, output))
}

/// What the harness holds of a command's output.
enum Output {
    File { file: File, limit: u64 },
    Timed(Box<Timed>),
}

struct Timed {
    /// None after its end.
    pipe: Option<PipeReader>,
    log: BufWriter<File>,
    /// The next byte begins a line.
    fresh: bool,
    written: u64,
}

impl Output {
    fn exceeded(&self) -> Option<u64> {
        let (written, limit) = match self {
            Output::File { file, limit } => (file.metadata().map_or(0, |m| m.len()), *limit),
            Output::Timed(timed) => (timed.written, LOG_LIMIT),
        };
        (written > limit).then_some(limit)
    }

    /// Takes what is left in the pipe. A daemon may hold its other end, so its closing is not waited for.
    fn finish(&mut self, started: Instant) -> io::Result<()> {
        if let Output::Timed(timed) = self {
            timed.read(started)?;
            timed.log.flush()?;
        }
        Ok(())
    }
}

impl Timed {
    /// Moves what the pipe has into the log.
    fn read(&mut self, started: Instant) -> io::Result<()> {
        let mut buffer = [0u8; 16 * 1024];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(n) => self.write(&buffer[..n], started.elapsed())?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if self.written > LOG_LIMIT {
                break;
            }
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], at: Duration) -> io::Result<()> {
        for part in bytes.split_inclusive(|&b| b == b'\n') {
            if self.fresh {
                write!(self.log, "{:.6}\t", at.as_secs_f64())?;
            }
            self.log.write_all(part)?;
            self.fresh = part.ends_with(b"\n");
        }
        self.written += bytes.len() as u64;
        Ok(())
    }
}

enum Woken {
    Exited,
    Interrupted,
    Deadline,
    Stopped,
    TooMuch(u64),
}

/// Waits until the main process has ended (it is not reaped), the deadline has passed, or, when `heed` is set, there is
/// another reason to end it.
fn wait(
    family: &Family,
    exit: &OwnedFd,
    output: &mut Output,
    started: Instant,
    deadline: Option<Instant>,
    heed: bool,
) -> io::Result<Woken> {
    let wake = interrupt::wake()?;
    loop {
        let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Ok(Woken::Deadline);
        }
        let pause = left.map_or(TICK, |l| l.min(TICK));
        let pause = Timespec { tv_sec: pause.as_secs() as i64, tv_nsec: pause.subsec_nanos().into() };
        let mut fds = Vec::with_capacity(3);
        fds.push(PollFd::new(exit, PollFlags::IN));
        let piped = match output {
            Output::Timed(timed) => timed.pipe.as_ref(),
            Output::File { .. } => None,
        };
        if let Some(pipe) = piped {
            fds.push(PollFd::new(pipe, PollFlags::IN));
        }
        if heed {
            fds.push(PollFd::from_borrowed_fd(wake.as_fd(), PollFlags::IN));
        }
        let count = match poll(&mut fds, Some(&pause)) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        let ready = |index: usize| !fds[index].revents().is_empty();
        let exited = ready(0);
        let printed = piped.is_some() && ready(1);
        let interrupted = heed && ready(fds.len() - 1);
        if exited {
            return Ok(Woken::Exited);
        }
        if printed && let Output::Timed(timed) = output {
            timed.read(started)?;
            if heed && timed.written > LOG_LIMIT {
                return Ok(Woken::TooMuch(LOG_LIMIT));
            }
        }
        if interrupted {
            return Ok(Woken::Interrupted);
        }
        if count == 0 && heed {
            if let Some(limit) = output.exceeded() {
                return Ok(Woken::TooMuch(limit));
            }
            if wants_terminal(family.main())? {
                return Ok(Woken::Stopped);
            }
        }
    }
}

/// A group in the background that reads from the terminal, or changes its settings, is stopped by the system; it would
/// wait for ever.
fn wants_terminal(main: Pid) -> io::Result<bool> {
    let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match waitid(WaitId::Pid(main), options) {
        Ok(status) => {
            let signal = status.and_then(|s| s.stopping_signal());
            Ok(matches!(signal, Some(libc::SIGTTIN | libc::SIGTTOU)))
        }
        // Or whoever started it has not ended yet.
        Err(rustix::io::Errno::INTR | rustix::io::Errno::CHILD) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A descriptor that becomes readable when the process has ended.
fn exit_of(process: &mut Started) -> io::Result<OwnedFd> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{PidfdFlags, pidfd_open};
        match pidfd_open(process.main, PidfdFlags::empty()) {
            // Older than Linux 5.3, or a sandbox that does not know the call.
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {}
            other => return Ok(other?),
        }
    }
    process.adopt()?;
    exit_by_thread(process.main)
}

/// The same where there is no process descriptor: a thread waits without reaping, and closes a pipe.
fn exit_by_thread(main: Pid) -> io::Result<OwnedFd> {
    let (reader, writer) = io::pipe()?;
    std::thread::Builder::new().name("wait".into()).spawn(move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(main), options) {}
        drop(writer);
    })?;
    Ok(reader.into())
}

fn program_of(command: &Command) -> &str {
    match command {
        Command::Shell(_) => "sh",
        Command::Direct(words) => words.first().map_or("", String::as_str),
    }
}

fn why_not_started(job: &Job<'_>, error: &io::Error) -> String {
    let program = program_of(job.command);
    match error.kind() {
        io::ErrorKind::NotFound if !job.dir.is_dir() => format!("no such folder: {dir}", dir = job.dir.display()),
        io::ErrorKind::NotFound if program.contains('/') && job.dir.join(program).exists() => {
            format!("{program} cannot be executed: its interpreter is missing")
        }
        io::ErrorKind::NotFound => match near_command(program) {
            Some(near) => format!("no such command: {program}, did you mean '{near}'?"),
            None => format!("no such command: {program}"),
        },
        io::ErrorKind::PermissionDenied => format!("{program} cannot be executed: permission denied"),
        _ => format!("{program} cannot be executed: {error}"),
    }
}

/// The command on `PATH` whose name is nearest.
fn near_command(word: &str) -> Option<String> {
    if word.contains('/') || word.is_empty() {
        return None;
    }
    let names: Vec<String> = std::env::split_paths(&std::env::var_os("PATH")?)
        .filter_map(|dir| std::fs::read_dir(dir).ok())
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    nearest(word, names.iter().map(String::as_str)).map(str::to_string)
}

/// The end of a log for a person: at most 20 lines and 4 KiB, without terminal escapes and control characters.
pub fn tail(sink: &Sink<'_>) -> String {
    let timed = matches!(sink, Sink::Timed(_));
    let text = tail_of(sink.log(), timed);
    match sink {
        Sink::Split { out, .. } if text.is_empty() => tail_of(out, false),
        _ => text,
    }
}

fn tail_of(path: &Path, timed: bool) -> String {
    const WINDOW: u64 = 64 * 1024;
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(length.saturating_sub(WINDOW)))?;
        let mut bytes = Vec::new();
        file.take(WINDOW).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let untimed = |line: &str| match line.split_once('\t') {
        Some((at, rest)) if timed && at.parse::<f64>().is_ok() => rest.to_string(),
        _ => line.to_string(),
    };
    let lines: Vec<String> = text.lines().map(untimed).map(|line| plain(&line)).collect();
    let end = lines.iter().rposition(|l| !l.trim().is_empty()).map_or(0, |i| i + 1);
    let mut shown = lines[end.saturating_sub(TAIL_LINES)..end].join("\n");
    if shown.len() > TAIL_BYTES {
        let cut = (shown.len() - TAIL_BYTES..shown.len()).find(|&i| shown.is_char_boundary(i)).unwrap_or(shown.len());
        shown = format!("…{}", &shown[cut..]);
    }
    shown
}

/// A line as a terminal would leave it on the screen, and with nothing in it that could act on a terminal.
pub fn plain(line: &str) -> String {
    let line = console::strip_ansi_codes(line);
    // A carriage return begins the line anew; what was printed last is what is seen.
    let seen = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
    seen.chars()
        .filter_map(|c| match c {
            '\t' => Some(' '),
            c if c.is_control() => Some('\u{fffd}'),
            // Marks that change the direction of text could make it read as something else.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => None,
            c => Some(c),
        })
        .collect::<String>()
        .trim_end()
        .to_string()
}

/// Reads a whole output file as text, lossily.
pub fn read_output(path: &Path) -> Result<String, MeasureError> {
    let bytes = std::fs::read(path)
        .map_err(|source| MeasureError::Io { path: PathBuf::from(path).display().to_string(), source })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command as Std;

    struct Bench {
        dir: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Bench {
            Bench { dir: tempfile::tempdir().unwrap() }
        }
        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }
        fn run(&self, command: Command, timeout: Option<Duration>) -> Finished {
            let log = self.path("log");
            let job = Job {
                command: &command,
                dir: self.dir.path(),
                env: &[],
                timeout,
                sink: Sink::Log(&log),
                placement: &Placement::default(),
                peak: false,
            };
            run(&job).unwrap()
        }
        fn shell(&self, text: &str) -> Finished {
            self.run(Command::Shell(text.into()), None)
        }
        fn tail(&self) -> String {
            tail(&Sink::Log(&self.path("log")))
        }
        /// The process whose id a step wrote into `name`.
        fn pid(&self, name: &str) -> String {
            std::fs::read_to_string(self.path(name)).unwrap().trim().to_string()
        }
    }

    fn alive(pid: &str) -> bool {
        match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) => !stat.rsplit_once(')').unwrap().1.trim_start().starts_with('Z'),
            Err(_) => false,
        }
    }

    fn seconds(n: f64) -> Option<Duration> {
        Some(Duration::from_secs_f64(n))
    }

    #[test]
    fn a_command_that_works_has_its_resources_counted() {
        let bench = Bench::new();
        let done = bench.shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done");
        assert_eq!(done.outcome, Outcome::Success);
        assert!(done.usage.user + done.usage.system > Duration::ZERO);
        assert!(done.wall >= done.usage.user);
        assert!(done.usage.max_rss > 100_000, "{} B", done.usage.max_rss);
    }

    #[test]
    fn a_grandchild_that_nobody_waited_for_is_counted_and_gone() {
        let bench = Bench::new();
        let burn = "i=0; while [ $i -lt 1000000 ]; do i=$((i+1)); done";
        let text =
            format!("sh -c '{burn}; : >done; sleep 300' & echo $! >pid; while ! [ -e done ]; do sleep 0.01; done");
        let done = bench.shell(&text);
        assert_eq!(done.outcome, Outcome::Success);
        assert!(!alive(&bench.pid("pid")));
        assert!(done.usage.user + done.usage.system > Duration::from_millis(10), "{:?}", done.usage);
    }

    #[test]
    fn a_failure_tells_its_status_and_the_end_of_its_output() {
        let bench = Bench::new();
        let done =
            bench.shell("for i in $(seq 30); do echo line $i; done; printf '\\033[31mred\\033[0m\\007\\n' >&2; exit 3");
        assert_eq!(done.outcome, Outcome::Exit(3));
        assert_eq!(done.outcome.to_string(), "exit status 3");
        let tail = bench.tail();
        assert_eq!(tail.lines().count(), 20);
        assert!(tail.ends_with("line 30\nred\u{fffd}"), "{tail:?}");
    }

    #[test]
    fn a_progress_line_shows_only_what_was_left_on_the_screen() {
        assert_eq!(plain("10 %\r55 %\rdone\r"), "done");
        assert_eq!(plain("a\u{202e}b\tc\u{1b}[2Jd"), "ab cd");
    }

    #[test]
    fn a_signal_is_told_apart_from_a_status() {
        let done = Bench::new().shell("kill -9 $$");
        assert_eq!(done.outcome, Outcome::Signal(9));
        assert_eq!(done.outcome.to_string(), "killed by signal 9 (SIGKILL)");
    }

    #[test]
    fn a_missing_command_names_the_nearest_one() {
        let done = Bench::new().run(Command::Direct(vec!["gti".into(), "log".into()]), None);
        let Outcome::NotStarted(why) = done.outcome else { panic!("{:?}", done.outcome) };
        assert!(why.starts_with("no such command: gti, did you mean '"), "{why}");
        let done = Bench::new().shell("no-such-command-here");
        assert_eq!(done.outcome.to_string(), "exit status 127 (command not found)");
    }

    #[test]
    fn a_script_without_its_interpreter_is_not_called_missing() {
        use std::os::unix::fs::PermissionsExt;
        let bench = Bench::new();
        std::fs::write(bench.path("x.sh"), "#!/no/such/interpreter\n").unwrap();
        std::fs::set_permissions(bench.path("x.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let done = bench.run(Command::Direct(vec!["./x.sh".into()]), None);
        assert_eq!(done.outcome.to_string(), "./x.sh cannot be executed: its interpreter is missing");
    }

    #[test]
    fn a_timeout_ends_children_that_ignore_the_request_and_those_that_left_the_group() {
        let bench = Bench::new();
        let text = "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ >a; sleep 300' & \
                    setsid sh -c 'echo $$ >b; exec sleep 300' & \
                    env -i setsid sh -c 'echo $$ >c; exec sleep 300' & \
                    while ! [ -s a ] || ! [ -s b ] || ! [ -s c ]; do sleep 0.01; done; : >ready; sleep 300";
        let done = bench.run(Command::Shell(text.into()), seconds(4.0));
        assert_eq!(done.outcome, Outcome::TimedOut(Duration::from_secs(4)));
        assert_eq!(done.outcome.to_string(), "timed out after 4 s");
        assert!(bench.path("ready").exists());
        for name in ["a", "b", "c"] {
            assert!(!alive(&bench.pid(name)), "{name}");
        }
    }

    #[test]
    fn a_daemon_outlives_a_step_that_succeeds_but_not_one_that_fails() {
        let bench = Bench::new();
        let text = "setsid sh -c 'echo $$ >d; exec sleep 300' >/dev/null 2>&1 & while ! [ -s d ]; do sleep 0.01; done";
        let done = bench.shell(text);
        assert_eq!(done.outcome, Outcome::Success);
        let kept = bench.pid("d");
        assert!(alive(&kept));
        Std::new("kill").arg(&kept).status().unwrap();
        std::fs::remove_file(bench.path("d")).unwrap();
        let done = bench.shell(&format!("{text}; exit 1"));
        assert_eq!(done.outcome, Outcome::Exit(1));
        assert!(!alive(&bench.pid("d")));
    }

    #[test]
    fn standard_output_is_kept_apart_and_has_a_limit() {
        let bench = Bench::new();
        let (out, err) = (bench.path("out"), bench.path("err"));
        let sink = Sink::Split { out: &out, err: &err, limit: 1000 };
        let go = |text: &str| {
            let command = Command::Shell(text.into());
            run(&Job {
                command: &command,
                dir: bench.dir.path(),
                env: &[],
                timeout: None,
                sink,
                placement: &Placement::default(),
                peak: false,
            })
            .unwrap()
            .outcome
        };
        assert_eq!(go("echo 42; echo noise >&2"), Outcome::Success);
        assert_eq!(read_output(&out).unwrap(), "42\n");
        assert_eq!(tail(&sink), "noise");
        assert_eq!(go("head -c 2000 /dev/zero"), Outcome::TooMuchOutput(1000));
        assert_eq!(go("yes"), Outcome::TooMuchOutput(1000));
    }

    #[test]
    fn timed_lines_carry_seconds_that_do_not_go_back() {
        let bench = Bench::new();
        let log = bench.path("log");
        let command = Command::Shell("echo one; sleep 0.2; printf two; sleep 0.1; echo ' more' >&2; printf end".into());
        let sink = Sink::Timed(&log);
        let done = run(&Job {
            command: &command,
            dir: bench.dir.path(),
            env: &[],
            timeout: None,
            sink,
            placement: &Placement::default(),
            peak: false,
        })
        .unwrap();
        assert_eq!(done.outcome, Outcome::Success);
        let text = read_output(&log).unwrap();
        let lines: Vec<(f64, &str)> =
            text.lines().map(|l| l.split_once('\t').unwrap()).map(|(at, line)| (at.parse().unwrap(), line)).collect();
        assert_eq!(lines.iter().map(|l| l.1).collect::<Vec<_>>(), ["one", "two more", "end"]);
        assert!(lines.is_sorted_by(|a, b| a.0 <= b.0));
        assert_eq!(tail(&sink), "one\ntwo more\nend");
    }

    #[test]
    fn a_daemon_that_holds_the_pipe_does_not_hold_up_the_step() {
        let bench = Bench::new();
        let log = bench.path("log");
        let command =
            Command::Shell("setsid sh -c 'echo $$ >d; exec sleep 300' & while ! [ -s d ]; do sleep 0.01; done".into());
        let job = Job {
            command: &command,
            dir: bench.dir.path(),
            env: &[],
            timeout: seconds(60.0),
            sink: Sink::Timed(&log),
            placement: &Placement::default(),
            peak: false,
        };
        assert_eq!(run(&job).unwrap().outcome, Outcome::Success);
        Std::new("kill").arg(bench.pid("d")).status().unwrap();
    }

    #[test]
    fn git_variables_of_a_hook_do_not_reach_a_step() {
        let bench = Bench::new();
        let command = Command::Shell("env".into());
        let log = bench.path("log");
        let env = [("VERDICT_SIDE", OsString::from("base"))];
        let job = Job {
            command: &command,
            dir: bench.dir.path(),
            env: &env,
            timeout: None,
            sink: Sink::Log(&log),
            placement: &Placement::default(),
            peak: false,
        };
        let (prepared, _) = set_up(&job, "m").unwrap();
        let removed: Vec<_> = prepared.get_envs().filter(|(_, v)| v.is_none()).map(|(k, _)| k.to_owned()).collect();
        assert!(removed.contains(&"GIT_DIR".into()) && removed.contains(&"GIT_INDEX_FILE".into()));
        run(&job).unwrap();
        let text = read_output(&log).unwrap();
        assert!(text.contains("VERDICT_SIDE=base\n") && text.contains("VERDICT_RUN="), "{text}");
    }

    #[test]
    fn the_end_of_a_process_is_seen_without_a_process_descriptor_too() {
        // Reaped below, by the family.
        #[allow(clippy::zombie_processes)]
        let child = Std::new("true").spawn().unwrap();
        let fd = exit_by_thread(Pid::from_child(&child)).unwrap();
        let mut fds = [PollFd::new(&fd, PollFlags::IN)];
        assert_eq!(poll(&mut fds, Some(&Timespec { tv_sec: 30, tv_nsec: 0 })).unwrap(), 1);
        let (status, _) = Family::new(Pid::from_child(&child), "m".into()).finish(false).unwrap();
        assert!(status.success());
    }
}
