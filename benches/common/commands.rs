//! What the benches share: commands, and repositories that are the same on every machine.

#![allow(dead_code)]

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};

/// The program as this bench was built with it.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_git-verdict");

/// A command in a folder that reads neither standard input nor anybody's git configuration.
pub fn command(dir: &Path, program: &str, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(words).current_dir(dir).stdin(Stdio::null());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_PAGER", "cat");
    command
}

/// Runs what the bench needs; it must succeed.
pub fn must(mut command: Command) {
    must_ref(&mut command);
}

/// The same for a command that was put together in steps.
pub fn must_ref(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Standard output without the line's end; empty when the command cannot be run.
pub fn text(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).trim_end().to_string()
}

/// Whether a program can be run.
pub fn works(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// An empty repository.
pub fn empty(dir: &Path) {
    std::fs::create_dir_all(dir).expect("a folder");
    must(command(dir, "git", &["init", "--quiet", "--initial-branch=main", "--template="]));
    // Flushing to the disk is neither's own work, and git flushes less than we do unless both are told not to.
    let settings = [("user.name", "Bench"), ("user.email", "bench@example.invalid"), ("gc.auto", "0")];
    for (key, value) in settings.into_iter().chain([("core.fsync", "none")]) {
        must(command(dir, "git", &["config", key, value]));
    }
}

/// Writes history through `git fast-import`, which is how many commits are made in no time.
pub fn fast_import(dir: &Path, write: impl FnOnce(&mut BufWriter<ChildStdin>) -> std::io::Result<()>) {
    let mut import = command(dir, "git", &["fast-import", "--quiet"]);
    let mut child = import.stdin(Stdio::piped()).spawn().expect("git fast-import");
    let mut stream = BufWriter::new(child.stdin.take().expect("stdin was piped"));
    write(&mut stream).and_then(|()| stream.flush()).expect("git fast-import reads");
    drop(stream);
    assert!(child.wait().expect("git fast-import").success());
}
