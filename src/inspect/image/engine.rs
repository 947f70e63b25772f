//! Images by reference: what docker, podman and buildah hold, taken out through their command lines.
//!
//! The command line and not the HTTP API: it knows the user's contexts, remote hosts and credentials, works the same for
//! an engine that has no daemon, and needs no HTTP client here. The image comes through a pipe, from `save` or from
//! buildah's `push` to its own standard output, so that no file is written.

use super::{Image, Options};
use crate::error::Explain;
use crate::inspect::InspectError;
use crate::phrase;
use crate::phrase::Phrase;
use std::ffi::OsString;
use std::io::Read;
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
}

impl EngineKind {
    /// All of them, in the order in which they are asked.
    pub const ALL: [EngineKind; 3] = [EngineKind::Docker, EngineKind::Podman, EngineKind::Buildah];

    /// The program's name, which is the engine's.
    pub fn program(self) -> &'static str {
        match self {
            EngineKind::Docker => "docker",
            EngineKind::Podman => "podman",
            EngineKind::Buildah => "buildah",
        }
    }

    /// The words that ask for the size of an image, whose reference follows them.
    pub fn size_query(self) -> &'static [&'static str] {
        match self {
            EngineKind::Docker | EngineKind::Podman => &["image", "inspect", "--format", "{{.Size}}"],
            EngineKind::Buildah => &["inspect", "--type", "image", "--format", "{{.Manifest}}"],
        }
    }

    /// The size in the answer to [`EngineKind::size_query`]. docker with the classic store: the content of all files of
    /// all layers. podman: that of the layers' tar streams, plus the metadata it keeps. buildah says none; configuration
    /// and layers of its manifest are summed up, as it stores them, each once.
    pub fn size_answer(self, answer: &str) -> Result<u64, String> {
        let answer = answer.trim();
        match self {
            EngineKind::Docker | EngineKind::Podman => {
                answer.parse().map_err(|_| format!("answered '{answer}'", answer = answer.escape_debug()))
            }
            EngineKind::Buildah => super::manifest::sum_of_blobs(answer.as_bytes())
                .map_err(|e| format!("its manifest cannot be read: {e}")),
        }
    }

    /// The engines to ask, in this order: the only one that `VERDICT_ENGINE` names, else all.
    pub fn wanted() -> Result<Vec<EngineKind>, InspectError> {
        let Some(name) = std::env::var("VERDICT_ENGINE").ok().filter(|n| !n.is_empty()) else {
            return Ok(EngineKind::ALL.to_vec());
        };
        let found = EngineKind::ALL.into_iter().find(|e| e.program() == name);
        found.map(|engine| vec![engine]).ok_or_else(|| {
            let name = name.escape_debug().to_string();
            let what = phrase!("it is '{name}'; it can be docker, podman or buildah", name);
            InspectError::format("VERDICT_ENGINE", what)
        })
    }
}

impl Engine {
    /// The engine of a kind, by its usual name.
    pub fn new(kind: EngineKind) -> Self {
        Engine { kind, program: kind.program().into(), global: Vec::new() }
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
        kinds.iter().find_map(|(prefix, kind)| {
            let rest = what.strip_prefix(prefix)?;
            Some((Engine::new(*kind), rest.strip_prefix("//").unwrap_or(rest)))
        })
    }

    /// The first of these engines that knows a reference. The error is what each of them said.
    pub fn find(reference: &str, engines: &[EngineKind]) -> Result<Engine, InspectError> {
        let mut said = Vec::new();
        for &kind in engines {
            let engine = Engine::new(kind);
            match engine.inspect(reference) {
                Ok(_) => return Ok(engine),
                Err(error @ InspectError::Format { .. }) => return Err(error),
                Err(error) => {
                    said.push(phrase!("{place}: {what}", place = kind.program(), what = refusal(&error)));
                }
            }
        }
        Err(InspectError::Unknown { reference: reference.to_string(), said })
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
            EngineKind::Docker | EngineKind::Podman => self.command(&["image", "inspect"], reference)?,
        };
        let output = command.output().map_err(|e| not_started(&command, &e))?;
        if !output.status.success() {
            return Err(failed(&command, &output.status, &output.stderr));
        }
        let value: serde_json::Value = serde_json::from_slice(&output.stdout)
            .map_err(|e| InspectError::format(show(&command), phrase!("bad JSON: {e}", e)))?;
        Ok(match value {
            serde_json::Value::Array(mut all) if !all.is_empty() => all.swap_remove(0),
            other => other,
        })
    }

    /// The size that the engine prints for an image; buildah prints none.
    pub fn size(&self, reference: &str) -> Result<Option<u64>, InspectError> {
        if self.kind == EngineKind::Buildah {
            return self.inspect(reference).map(|_| None);
        }
        Ok(self.inspect(reference)?.get("Size").and_then(serde_json::Value::as_u64))
    }

    /// Reads an image through the engine.
    pub fn read(&self, reference: &str, options: &Options) -> Result<Image, InspectError> {
        let size = self.size(reference)?;
        let command = match self.kind {
            EngineKind::Docker => self.command(&["image", "save"], reference)?,
            EngineKind::Podman => {
                self.command(&["image", "save", "--quiet", "--format", "docker-archive"], reference)?
            }
            EngineKind::Buildah => {
                let mut command = self.command(&["push", "--quiet"], reference)?;
                command.arg("docker-archive:/dev/stdout");
                command
            }
        };
        let mut image = self.save(command, reference, &Options { name: None, ..options.clone() })?;
        image.engine = Some(self.kind);
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
        std::io::ErrorKind::NotFound => NO_COMMAND.into(),
        _ => error.to_string().into(),
    };
    InspectError::Engine { command: show(command), outcome, tail: String::new() }
}

fn failed(command: &Command, status: &std::process::ExitStatus, stderr: &[u8]) -> InspectError {
    let from = stderr.len().saturating_sub(2000);
    let tail = String::from_utf8_lossy(&stderr[from..]).into_owned();
    InspectError::Engine { command: show(command), outcome: (*status).into(), tail }
}

/// What an engine said of a reference that it does not give, in short.
fn refusal(error: &InspectError) -> Phrase {
    match error {
        InspectError::Engine { outcome, .. } if *outcome == NO_COMMAND => "not installed".into(),
        InspectError::Engine { outcome, tail, .. } => in_short(tail).map_or_else(|| outcome.clone(), Phrase::from),
        other => other.what(),
    }
}

/// The end of an engine's standard error, in short.
pub fn in_short(tail: &str) -> Option<String> {
    let lower = tail.to_lowercase();
    let unknown = ["no such image", "no such object", "image not known", "not found in local storage"];
    if unknown.iter().any(|text| lower.contains(text)) {
        return Some("no such image".into());
    }
    if lower.contains("cannot connect to the docker daemon") || lower.contains("failed to connect to the docker api") {
        return Some("its daemon does not answer".into());
    }
    tail.lines().rev().find(|line| !line.trim().is_empty()).map(|line| line.trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_engines_say_is_told_in_short() {
        assert_eq!(in_short("Error: inspecting object: x: image not known").as_deref(), Some("no such image"));
        assert_eq!(in_short("Error response from daemon: No such image: x").as_deref(), Some("no such image"));
        let down = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
        assert_eq!(in_short(down).as_deref(), Some("its daemon does not answer"));
        assert_eq!(in_short("warning\nboom\n").as_deref(), Some("boom"));
        assert_eq!(in_short(" \n"), None);
    }

    #[test]
    fn the_blobs_of_a_manifest_count_once() {
        let manifest =
            r#"{"config":{"digest":"a","size":5},"layers":[{"digest":"b","size":70},{"digest":"b","size":70}]}"#;
        assert_eq!(EngineKind::Buildah.size_answer(manifest), Ok(75));
        assert_eq!(EngineKind::Docker.size_answer("75\n"), Ok(75));
        assert!(EngineKind::Podman.size_answer("<none>").unwrap_err().contains("<none>"));
    }
}
