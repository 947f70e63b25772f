//! A terminal to answer questions on, as a person would.

use super::{Repo, isolated};
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// git-verdict on a terminal of its own, made by `script`.
pub struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    /// Starts git-verdict with these words.
    pub fn open(repo: &Repo, words: &[&str]) -> Terminal {
        Terminal::open_with(repo, words, &[])
    }

    /// Starts git-verdict with these words and variables; an empty variable is not set.
    pub fn open_with(repo: &Repo, words: &[&str], variables: &[(&str, &str)]) -> Terminal {
        let line = format!("{} {}", env!("CARGO_BIN_EXE_git-verdict"), words.join(" "));
        let mut command = isolated("script");
        command.args(["-qec", &line, "/dev/null"]).current_dir(repo.path()).env("TERM", "xterm");
        for (name, value) in variables {
            if value.is_empty() {
                command.env_remove(name)
            } else {
                command.env(name, value)
            };
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script, of util-linux");
        let keys = child.stdin.take().unwrap();
        let mut out = child.stdout.take().unwrap();
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = out.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Terminal { child, keys, screen, seen: String::new() }
    }

    /// Waits until this text has been printed since the last wait.
    pub fn sees(&mut self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(120);
        while !self.seen.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            let bytes = self.screen.recv_timeout(left);
            let bytes = bytes.unwrap_or_else(|_| panic!("'{text}' did not appear in\n{}", self.seen));
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        let end = self.seen.find(text).unwrap() + text.len();
        self.seen.drain(..end);
    }

    /// Presses keys.
    pub fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits for the end; its exit code and what was printed since the last wait.
    pub fn ends(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        drop(self.keys);
        while let Ok(bytes) = self.screen.recv() {
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        (status.code(), self.seen)
    }
}
