//! One call: this program, run as a child, in a process group of its own.

use super::{Event, Server};
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::SyncSender;

/// The most that is taken of what a command prints.
const MOST: u64 = 16 << 20;

/// The most that is kept of its notes and errors.
const MOST_NOTES: usize = 64 << 10;

/// How a command ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// None when a signal ended it.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

/// Starts a command; what it notes and how it ends is told under the number of its call.
pub(super) fn start(server: &Server, words: &[String], call: u64, tell: &SyncSender<Event>) -> io::Result<Option<Pid>> {
    let mut command = Command::new(&server.program);
    command.arg("-C").arg(&server.root).args(["--color=never", "--lang", server.lang.code()]).args(words);
    // Out of reach of a terminal's ctrl-C: what must not be cut off is not.
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let pid = Pid::from_raw(child.id().cast_signed());
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (tell, notes) = (tell.clone(), tell.clone());
    std::thread::spawn(move || {
        let notes = std::thread::spawn(move || read_notes(err, call, &notes));
        let mut stdout = Vec::new();
        if let Some(out) = out {
            let _ = out.take(MOST + 1).read_to_end(&mut stdout);
        }
        let code = child.wait().ok().and_then(|status| status.code());
        let stderr = notes.join().unwrap_or_default();
        let _ = tell.send(Event::Ended(call, Ended { code, stdout, stderr }));
    });
    Ok(pid)
}

impl Ended {
    /// Whether it printed more than is taken.
    pub fn too_much(&self) -> bool {
        self.stdout.len() as u64 > MOST
    }
}

/// Interrupts a command and all that it has started in its group, with the same end as ctrl-C. By another signal: that of
/// ctrl-C is ignored by all that a server starts which was itself started in the background of a script.
pub(super) fn interrupt(pid: Option<Pid>) {
    if let Some(pid) = pid {
        let _ = kill_process_group(pid, Signal::TERM);
    }
}

fn read_notes(from: Option<impl Read>, call: u64, tell: &SyncSender<Event>) -> String {
    let mut all = String::new();
    let Some(from) = from else { return all };
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.by_ref().take(MOST_NOTES as u64).read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line).into_owned();
        if all.len() + text.len() <= MOST_NOTES {
            all.push_str(&text);
        }
        let _ = tell.send(Event::Note(call, text.trim_end().to_string()));
        line.clear();
    }
    all
}
