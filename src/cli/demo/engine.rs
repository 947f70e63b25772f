//! The demo with real image builds: what an engine needs, and how it is asked to build.
//!
//! The base system is the machine's own static busybox, so that no registry is needed.

use super::write_file;
use crate::error::Failure;
use crate::phrase;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The three recipes: baseline, option 1, option 2.
pub const RECIPES: [&str; 3] = [
    include_str!("../../../demo/engine/baseline.Containerfile"),
    include_str!("../../../demo/engine/pip-cache.Containerfile"),
    include_str!("../../../demo/engine/multi-stage.Containerfile"),
];

const CONFIG: &str = include_str!("../../../demo/engine/verdict.toml");

/// What the recipes call in the image.
const APPLETS: [&str; 12] = ["sh", "cat", "cp", "cut", "find", "grep", "gzip", "mkdir", "mv", "rm", "sha256sum", "tar"];

/// A program that builds images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    Podman,
    Docker,
    Buildah,
}

impl Engine {
    fn program(self) -> &'static str {
        match self {
            Engine::Podman => "podman",
            Engine::Docker => "docker",
            Engine::Buildah => "buildah",
        }
    }
}

/// An engine that answers, and a busybox for its base.
#[derive(Debug)]
pub struct Kit {
    engine: Engine,
    busybox: PathBuf,
}

impl Kit {
    /// Looks for the engine and for a static busybox; says plainly what is missing.
    pub fn find(engine: Engine) -> Result<Kit, Failure> {
        let program = engine.program();
        let answer = Command::new(program).arg("info").stdin(Stdio::null()).output();
        let without = "git verdict demo (without --engine)";
        match answer {
            Err(error) => {
                return Err(Failure::state(phrase!("{program} cannot be started", program))
                    .because(error.to_string())
                    .try_next(phrase!("install {program}, or {without}", program, without)));
            }
            Ok(output) if !output.status.success() => {
                let text = String::from_utf8_lossy(&output.stderr).trim().to_string();
                let why = if text.is_empty() {
                    phrase!("{program} info: {status}", program, status = output.status)
                } else {
                    text.into()
                };
                return Err(Failure::state(phrase!("{program} does not answer", program))
                    .because(why)
                    .try_next(phrase!("start it ({program} info must succeed), or {without}", program, without)));
            }
            Ok(_) => {}
        }
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .map(|folder| folder.join("busybox"))
            .find(|path| path.is_file());
        let Some(busybox) = found else {
            return Err(Failure::state("there is no busybox to make a base image of")
                .because("the images are built from scratch, so that no registry is needed")
                .try_next(phrase!("install busybox-static, or {without}", without)));
        };
        let bytes = std::fs::read(&busybox).map_err(|error| {
            Failure::state(phrase!("{busybox} cannot be read", busybox = busybox.display())).because(error.to_string())
        })?;
        if !is_static_elf(&bytes) {
            return Err(Failure::state(phrase!(
                "{busybox} is not a static Linux program",
                busybox = busybox.display()
            ))
            .because("it would not start in an image that holds nothing else")
            .try_next(phrase!("install busybox-static, or {without}", without)));
        }
        Ok(Kit { engine, busybox })
    }

    /// The text of `verdict.toml` for this engine. What a build leaves behind is removed before the next one, by its label or
    /// its name, so that nothing else in the user's store is touched.
    pub fn config(&self) -> String {
        let (name, program) = (self.image(), self.engine.program());
        let build = match self.engine {
            Engine::Podman => format!("podman build --isolation=chroot --no-cache -t {name} ."),
            Engine::Docker => format!("docker build --no-cache -f Containerfile -t {name} ."),
            Engine::Buildah => format!("buildah build --isolation chroot --no-cache -t {name} ."),
        };
        let prepare = match self.engine {
            Engine::Podman | Engine::Docker => {
                format!("{program} image prune --force --filter label=git-verdict.demo=1")
            }
            Engine::Buildah => format!("buildah rmi --force {name} || true"),
        };
        let image = format!("{program}:{name}");
        CONFIG.replace("@BUILD@", &build).replace("@PREPARE@", &prepare).replace("@IMAGE@", &image)
    }

    /// The command that removes what the demo's builds left in the user's store.
    pub fn clean_up(&self) -> String {
        match self.engine {
            Engine::Podman | Engine::Docker => {
                format!("{} image rm {} && {}", self.engine.program(), self.image(), self.prune())
            }
            Engine::Buildah => format!("buildah rmi {}", self.image()),
        }
    }

    fn prune(&self) -> String {
        format!("{} image prune --force --filter label=git-verdict.demo=1", self.engine.program())
    }

    fn image(&self) -> &'static str {
        match self.engine {
            Engine::Docker => "git-verdict-demo",
            Engine::Podman | Engine::Buildah => "localhost/git-verdict-demo",
        }
    }

    /// Writes the base system: busybox under the names that the recipes call.
    pub fn lay_base(&self, base: &Path) -> std::io::Result<()> {
        write_file(&base.join("bin/busybox"), &std::fs::read(&self.busybox)?, 0o755)?;
        for name in APPLETS {
            std::os::unix::fs::symlink("busybox", base.join("bin").join(name))?;
        }
        Ok(())
    }
}

/// Whether these bytes are an ELF program that asks for no dynamic loader (System V ABI: no `PT_INTERP` header).
fn is_static_elf(bytes: &[u8]) -> bool {
    const PT_INTERP: u32 = 3;
    let word = |at: usize, size: usize| -> Option<usize> {
        let field = bytes.get(at..at.checked_add(size)?)?;
        Some(field.iter().rev().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)))
    };
    let little_endian = bytes.starts_with(b"\x7fELF") && bytes.get(5) == Some(&1);
    if !little_endian {
        return false;
    }
    // Offsets of the program headers' place, size and number: ELFCLASS64, else ELFCLASS32.
    let table = if bytes.get(4) == Some(&2) {
        word(0x20, 8).zip(word(0x36, 2)).zip(word(0x38, 2))
    } else {
        word(0x1c, 4).zip(word(0x2a, 2)).zip(word(0x2c, 2))
    };
    let Some(((place, size), count)) = table else { return false };
    count > 0
        && (0..count).all(|index| {
            let at = index.checked_mul(size).and_then(|offset| place.checked_add(offset));
            at.and_then(|at| word(at, 4)).is_some_and(|kind| kind != PT_INTERP as usize)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_or_a_broken_header_is_no_base() {
        assert!(!is_static_elf(b"#!/bin/sh\n"));
        assert!(!is_static_elf(b"\x7fELF\x02\x01"));
        assert!(!is_static_elf(b""));
    }

    #[test]
    fn a_program_that_asks_for_a_loader_is_no_base_and_a_static_one_is() {
        let mut elf = vec![0u8; 64 + 56];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        elf[0x20] = 64;
        elf[0x36] = 56;
        elf[0x38] = 1;
        elf[64] = 1;
        assert!(is_static_elf(&elf));
        elf[64] = 3;
        assert!(!is_static_elf(&elf));
        elf[0x20..0x28].fill(0xff);
        assert!(!is_static_elf(&elf));
    }
}
