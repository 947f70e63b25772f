//! Sends the ledger along with a push, to the remote that is pushed to.
//!
//! Switched on by `verdict.pushLedger` in git's configuration, which no clone brings along. The exchange is that of `git
//! verdict sync` in a process of its own, so that it can be ended with all that it started when it takes too long.

use super::HookError;
use super::run::Pushed;
use crate::error::Explain;
use crate::git::Repo;
use crate::git::command::Git;
use crate::ledger::store::LEDGER_REF;
use crate::ledger::sync::Remote;
use crate::phrase;
use crate::phrase::Phrase;
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The setting: `true`, `false` (the default) or `required`.
pub const SETTING: &str = "verdict.pushLedger";

/// How long it may take, in seconds.
pub const TIME_SETTING: &str = "verdict.pushLedgerTimeout";

/// The time when [`TIME_SETTING`] is not set.
const TIME: Duration = Duration::from_secs(20);

/// What the user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Nothing is sent.
    Off,
    /// It is sent; when that fails, the push goes on.
    Try,
    /// It is sent; when that fails, so does the push.
    Required,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shared {
    /// There is nothing that the remote is known to lack, or the ledger itself is being pushed.
    Nothing,
    /// The remote has it.
    Done,
    /// It does not: why, in lines for people.
    Failed(Phrase),
}

/// What the user wants, as git's configuration says.
pub fn wish(repo: &Repo) -> Wish {
    match repo.config_value(SETTING) {
        Some(value) if value.eq_ignore_ascii_case("required") => Wish::Required,
        Some(_) if repo.config_flag(SETTING) => Wish::Try,
        _ => Wish::Off,
    }
}

/// Switches it on in this repository unless the configuration says something already; whether it was switched on.
pub fn switch_on(repo: &Repo) -> Result<bool, HookError> {
    if repo.config_value(SETTING).is_some() {
        return Ok(false);
    }
    repo.run_git().args(["config", SETTING, "true"]).run()?;
    Ok(true)
}

/// Takes back what [`switch_on`] has set.
pub fn switch_off(repo: &Repo) -> Result<(), HookError> {
    let local = repo.run_git().args(["config", "--local", "--get", SETTING]).output()?;
    if local.stdout == b"true\n" {
        repo.run_git().args(["config", "--local", "--unset", SETTING]).run()?;
    }
    Ok(())
}

/// Sends the ledger to the remote that is pushed to: `remote` is its name, URL or path as git names it to `pre-push`. git
/// runs no hook for what is sent, so this is not called again by itself. `program` is git-verdict.
pub fn share(repo: &Repo, remote: &str, pushed: &[Pushed], program: &Path) -> Result<Shared, HookError> {
    if pushed.iter().any(|push| push.remote == LEDGER_REF) {
        return Ok(Shared::Nothing);
    }
    let root = repo.workdir().unwrap_or(repo.git_dir());
    let target = match Remote::named(repo, remote, root) {
        Ok(target) => target,
        Err(error) => return Ok(Shared::Failed(error.what())),
    };
    let tip = repo.find_ref(LEDGER_REF)?;
    if tip.is_none() || repo.find_ref(&target.tracking)? == tip {
        return Ok(Shared::Nothing);
    }
    let time =
        repo.config_value(TIME_SETTING).and_then(|text| text.trim().parse().ok()).map_or(TIME, Duration::from_secs);
    let mut command = Command::new(program);
    command.arg("-C").arg(root).args(["--quiet", "--color", "never", "sync", "--"]).arg(&target.target);
    for name in Git::LOCAL {
        if name != "GIT_DIR" && name != "GIT_WORK_TREE" {
            command.env_remove(name);
        }
    }
    run(command, time).map_err(|source| HookError::Io { path: program.to_path_buf(), source })
}

/// Runs a command in a process group of its own, for so long at most.
fn run(mut command: Command, time: Duration) -> std::io::Result<Shared> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn()?;
    let mut pipe = child.stderr.take();
    // What is left running in the background by a transport may keep the pipe open: it is not waited for.
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = pipe.as_mut().map(|pipe| pipe.read_to_end(&mut text));
        let _ = send.send(text);
    });
    let end = Instant::now() + time;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break Some(status),
            None if Instant::now() >= end => break None,
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    let Some(status) = status else {
        if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        child.wait()?;
        return Ok(Shared::Failed(phrase!(
            "it took longer than {n} s ({setting})",
            n = time.as_secs(),
            setting = TIME_SETTING
        )));
    };
    if status.success() {
        return Ok(Shared::Done);
    }
    let said = receive.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
    let said = String::from_utf8_lossy(&said).trim().to_string();
    Ok(Shared::Failed(if said.is_empty() { status.into() } else { said.into() }))
}
