//! Images by reference: what docker, podman and buildah hold, taken out through their command lines.
//!
//! The command line and not the HTTP API: it knows the user's contexts, remote hosts and credentials, works the same for
//! an engine that has no daemon, and needs no HTTP client here. The image comes through a pipe from `save`, so that
//! no file is written. buildah can't write an archive to a pipe; it shares its storage with podman, and where only
//! buildah is there, its archive goes into a folder that the caller names.

use super::{Image, Options};
use crate::inspect::InspectError;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// Docker, and what has the same commands.
    Docker,
    /// podman.
    Podman,
    /// buildah.
    Buildah,
}

/// An engine's command line.
#[derive(Debug, Clone)]
pub struct Engine {
    /// Which.
    pub kind: EngineKind,
    /// Its program.
    pub program: OsString,
    /// Arguments in front of every command, such as `--root DIR`.
    pub global: Vec<OsString>,
    /// Where buildah may write an archive for as long as it is read. Others don't need it.
    pub temp: Option<PathBuf>,
}

impl Engine {
    /// The engine of a kind, by its usual name.
    pub fn new(kind: EngineKind) -> Self {
        let program = match kind {
            EngineKind::Docker => "docker",
            EngineKind::Podman => "podman",
            EngineKind::Buildah => "buildah",
        };
        Engine { kind, program: program.into(), global: Vec::new(), temp: None }
    }

    /// An engine by what stands in front of a reference, and the reference without it.
    pub(crate) fn by_prefix(what: &str) -> Option<(Engine, &str)> {
        let kinds = [
            ("docker-daemon:", EngineKind::Docker),
            ("docker:", EngineKind::Docker),
            ("podman:", EngineKind::Podman),
            ("containers-storage:", EngineKind::Podman),
            ("buildah:", EngineKind::Buildah),
        ];
        kinds.iter().find_map(|(prefix, kind)| what.strip_prefix(prefix).map(|rest| (Engine::new(*kind), rest)))
    }

    /// The first engine that knows a reference: docker, then podman, then buildah. The error is that of the last one
    /// that is there.
    pub fn find(reference: &str) -> Result<Engine, InspectError> {
        let mut last = None;
        for kind in [EngineKind::Docker, EngineKind::Podman, EngineKind::Buildah] {
            let engine = Engine::new(kind);
            match engine.inspect(reference) {
                Ok(_) => return Ok(engine),
                Err(e) => {
                    let absent = matches!(&e, InspectError::Engine { outcome, .. } if outcome == NO_COMMAND);
                    if !absent || last.is_none() {
                        last = Some(e);
                    }
                }
            }
        }
        Err(last.unwrap_or_else(|| InspectError::format(reference, "no engine knows it")))
    }

    fn command(&self, args: &[&str], reference: &str) -> Result<Command, InspectError> {
        // A reference that begins like an option would be taken for one.
        if reference.is_empty() || reference.starts_with('-') || reference.contains(char::is_whitespace) {
            return Err(InspectError::format(reference.escape_debug().to_string(), "this is no image reference"));
        }
        let mut command = Command::new(&self.program);
        command.args(&self.global).args(args).arg(reference).stdin(Stdio::null());
        Ok(command)
    }

    /// What `inspect` says of an image.
    pub fn inspect(&self, reference: &str) -> Result<serde_json::Value, InspectError> {
        let mut command = match self.kind {
            EngineKind::Buildah => self.command(&["inspect", "--type", "image"], reference)?,
            _ => self.command(&["image", "inspect"], reference)?,
        };
        let output = command.output().map_err(|e| not_started(&command, &e))?;
        if !output.status.success() {
            return Err(failed(&command, &output.status, &output.stderr));
        }
        let value: serde_json::Value = serde_json::from_slice(&output.stdout)
            .map_err(|e| InspectError::format(show(&command), format!("bad JSON: {e}")))?;
        Ok(match value {
            serde_json::Value::Array(mut all) if !all.is_empty() => all.swap_remove(0),
            other => other,
        })
    }

    /// The size that the engine prints for an image. docker with the classic store: the content of all files of all
    /// layers. podman: that of the layers' tar streams, plus the metadata it keeps. buildah prints none.
    pub fn size(&self, reference: &str) -> Result<Option<u64>, InspectError> {
        Ok(self.inspect(reference)?.get("Size").and_then(serde_json::Value::as_u64))
    }

    /// Reads an image through the engine.
    pub fn read(&self, reference: &str, options: &Options) -> Result<Image, InspectError> {
        let size = self.size(reference)?;
        let options = Options { name: None, ..options.clone() };
        let mut image = match self.kind {
            EngineKind::Docker => self.save(self.command(&["image", "save"], reference)?, reference, &options)?,
            EngineKind::Podman => {
                let args = ["image", "save", "--quiet", "--format", "docker-archive"];
                self.save(self.command(&args, reference)?, reference, &options)?
            }
            EngineKind::Buildah => self.push(reference, &options)?,
        };
        image.engine_size = size;
        Ok(image)
    }

    fn save(&self, mut command: Command, reference: &str, options: &Options) -> Result<Image, InspectError> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = Reaped(command.spawn().map_err(|e| not_started(&command, &e))?);
        let (Some(stdout), Some(mut stderr)) = (child.0.stdout.take(), child.0.stderr.take()) else {
            return Err(InspectError::format(show(&command), "it has no output"));
        };
        // Its standard error is read beside, so that a talkative engine never waits for us.
        let tail = std::thread::spawn(move || {
            let mut kept = Vec::new();
            let mut buffer = [0u8; 4096];
            while let Ok(n @ 1..) = stderr.read(&mut buffer) {
                kept.extend_from_slice(&buffer[..n]);
                if kept.len() > 64 << 10 {
                    kept.drain(..32 << 10);
                }
            }
            kept
        });
        let label = format!("{} image {reference}", self.program.to_string_lossy());
        let image = super::read_stream(Drained(stdout), &label, options);
        let over = image.is_err() && matches!(child.0.try_wait(), Ok(None));
        if over {
            let _ = child.0.kill();
        }
        let status = child.0.wait().map_err(|e| InspectError::io(&label, e))?;
        let tail = tail.join().unwrap_or_default();
        if !status.success() && !over {
            return Err(failed(&command, &status, &tail));
        }
        image
    }

    fn push(&self, reference: &str, options: &Options) -> Result<Image, InspectError> {
        let podman = Engine { kind: EngineKind::Podman, program: "podman".into(), ..self.clone() };
        let Some(temp) = &self.temp else {
            return podman.read(reference, options);
        };
        let folder =
            tempfile::Builder::new().prefix("image-").tempdir_in(temp).map_err(|e| InspectError::io(temp, e))?;
        let archive = folder.path().join("image.tar");
        let mut command = self.command(&["push", "--quiet"], reference)?;
        command.arg(target(&archive)).stdout(Stdio::null()).stderr(Stdio::piped());
        let output = command.output().map_err(|e| not_started(&command, &e))?;
        if !output.status.success() {
            return Err(failed(&command, &output.status, &output.stderr));
        }
        let mut image = super::read(&archive, options)?;
        image.source = format!("buildah image {reference}");
        Ok(image)
    }
}

fn target(archive: &Path) -> OsString {
    let mut target = OsString::from("oci-archive:");
    target.push(archive);
    target
}

/// Reads on to the end when dropped, so that the engine is not cut off in the middle of its last words.
struct Drained<R: Read>(R);

impl<R: Read> Read for Drained<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read> Drop for Drained<R> {
    fn drop(&mut self) {
        let mut buffer = [0u8; 4096];
        let mut left = 1 << 20;
        while let Ok(n @ 1..) = self.0.read(&mut buffer) {
            left -= n as i64;
            if left < 0 {
                break;
            }
        }
    }
}

/// A child that never stays behind.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

const NO_COMMAND: &str = "no such command";

fn show(command: &Command) -> String {
    let args = std::iter::once(command.get_program()).chain(command.get_args());
    args.map(|a| a.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

fn not_started(command: &Command, error: &std::io::Error) -> InspectError {
    let outcome = match error.kind() {
        std::io::ErrorKind::NotFound => NO_COMMAND.to_string(),
        _ => error.to_string(),
    };
    InspectError::Engine { command: show(command), outcome, tail: String::new() }
}

fn failed(command: &Command, status: &std::process::ExitStatus, stderr: &[u8]) -> InspectError {
    let from = stderr.len().saturating_sub(2000);
    let tail = String::from_utf8_lossy(&stderr[from..]).into_owned();
    InspectError::Engine { command: show(command), outcome: status.to_string(), tail }
}
