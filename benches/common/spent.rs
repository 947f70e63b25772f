//! What a command takes: time and peak memory.
//!
//! The kernel counts the peak of a new process from what its parent had in memory when it was started. So commands are
//! started by this bench run anew, which has next to nothing in memory.

#![allow(dead_code)]

use git_verdict::measure::sys::{Reaped, wait4};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

const FLAG: &str = "--spent";

/// Seconds and bytes.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    pub seconds: f64,
    pub peak: f64,
}

/// What the main function of a bench does that measures what commands take: it is the helper when it was started as that.
pub fn serve_or(name: &str, run: impl FnOnce() -> Result<(), Box<dyn std::error::Error>>) -> ExitCode {
    if let Some(code) = serve() {
        return code;
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// First of all in `main`: does the work when this process was started by [`spent`].
fn serve() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    words.next().filter(|word| word == FLAG)?;
    let mut command = Command::new(words.next()?);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null());
    let started = Instant::now();
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("{command:?}: {error}");
            return Some(ExitCode::FAILURE);
        }
    };
    let reaped = wait4(child.id() as i32, true);
    let seconds = started.elapsed().as_secs_f64();
    match reaped {
        Ok(Reaped::Ended { status, usage }) if status.success() => {
            println!("{seconds} {}", usage.max_rss);
            Some(ExitCode::SUCCESS)
        }
        other => {
            eprintln!("{command:?}: {other:?}");
            Some(ExitCode::FAILURE)
        }
    }
}

/// Runs a command, which must succeed.
pub fn spent(command: &Command) -> Spent {
    let mut runner = Command::new(std::env::current_exe().expect("this program"));
    runner.arg(FLAG).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => runner.env(name, value),
            None => runner.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        runner.current_dir(dir);
    }
    let output = runner.stdin(Stdio::null()).output().expect("this program");
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let mut numbers = said.split_whitespace().map(|word| word.parse::<f64>());
    match (numbers.next(), numbers.next()) {
        (Some(Ok(seconds)), Some(Ok(peak))) => Spent { seconds, peak },
        _ => panic!("{command:?}: {complained}"),
    }
}
