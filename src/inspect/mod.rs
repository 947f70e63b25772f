//! What an artefact is made of, and what changed between two: images, build logs, folders, archives, binaries.
//!
//! Everything here reads and nothing here writes: no layer is ever unpacked. Archives are walked as streams, so that
//! memory depends on the [`Limits`] and never on the artefact. What can't be read whole is handed back as far as it
//! went, marked `partial`, with a [`Problem`] that says why.
//!
//! | module | its one reason to change |
//! |---|---|
//! | [`paths`] | how many names are held in little memory |
//! | [`tarscan`] | the tar format |
//! | [`image`] | container image formats and engines |
//! | [`dockerfile`] | Dockerfile syntax, and how history entries are found in it |
//! | [`buildlog`] | the log formats of build tools |
//! | [`folder`], [`archive`], [`binary`], [`gitdir`] | artefacts that are no images |
//! | [`artefact`] | how the kind of an artefact shows |
//! | [`caches`] | known caches and the one-line fix for each |
//! | [`diff`] | attribution: which part of a change is due to what |

pub mod archive;
pub mod artefact;
pub mod binary;
pub mod buildlog;
pub mod caches;
pub mod diff;
pub mod dockerfile;
pub mod folder;
pub mod gitdir;
pub mod image;
pub mod paths;
pub mod tarscan;

use crate::error::{Exit, Explain};
use crate::phrase;
use crate::phrase::{Phrase, english};
use std::path::PathBuf;

/// How much of an artefact is looked at. The defaults are generous, and bound both memory and time.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// At most so many bytes of one artefact after decompression (64 GiB).
    pub max_uncompressed: u64,
    /// At most so many bytes out of each byte in, once [`Limits::ratio_grace`] has come out. Deflate can reach 1032.
    pub max_ratio: u64,
    /// So many bytes may come out of one blob before its ratio counts (1 GiB).
    pub ratio_grace: u64,
    /// Paths kept by name in one artefact; the rest is summed up per folder and the artefact is marked partial.
    pub max_paths: usize,
    /// Bytes of names kept in one artefact.
    pub max_name_bytes: usize,
    /// Members of an outer archive, and layers and blobs of an image.
    pub max_members: usize,
    /// The largest manifest, index or configuration that is read (8 MiB).
    pub max_json: u64,
    /// Whether the digests of blobs are checked.
    pub verify: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_uncompressed: 64 << 30,
            max_ratio: 200,
            ratio_grace: 1 << 30,
            max_paths: 400_000,
            max_name_bytes: 20 << 20,
            max_members: 65_536,
            max_json: 8 << 20,
            verify: true,
        }
    }
}

/// Something that is wrong with an artefact but does not keep the rest of it from being read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Where: `layer 3`, `manifest`.
    #[serde(serialize_with = "english")]
    pub place: Phrase,
    /// What: `its content has the digest sha256:…, not sha256:…`.
    #[serde(serialize_with = "english")]
    pub what: Phrase,
}

impl Problem {
    pub(crate) fn new(place: impl Into<Phrase>, what: impl Into<Phrase>) -> Self {
        Problem { place: place.into(), what: what.into() }
    }

    /// Both, for people.
    pub fn told(&self) -> Phrase {
        phrase!("{place}: {what}", place = &self.place, what = &self.what)
    }
}

/// Why an artefact could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// A file or folder could not be opened or read.
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not what it should be.
    Format {
        /// The file, or the part of it.
        place: String,
        /// What is wrong.
        what: Phrase,
    },
    /// There are several, or none, of what was asked for.
    Choice {
        /// The archive or folder.
        place: String,
        /// What is there, and what was wanted: `it holds linux/amd64, linux/arm64, and not linux/s390x`.
        what: Phrase,
    },
    /// No engine knows a reference.
    Unknown {
        /// The reference.
        reference: String,
        /// What each engine that was asked answered: `podman: no such image`.
        said: Vec<Phrase>,
    },
    /// A container engine failed or is not there.
    Engine {
        /// The command line.
        command: String,
        /// `exit status 1`, `no such command`.
        outcome: Phrase,
        /// The end of its standard error.
        tail: String,
    },
}

impl InspectError {
    pub(crate) fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        InspectError::Io { path: path.into(), source }
    }
    pub(crate) fn format(place: impl Into<String>, what: impl Into<Phrase>) -> Self {
        InspectError::Format { place: place.into(), what: what.into() }
    }
}

crate::error::display_what!(InspectError);

impl Explain for InspectError {
    fn exit(&self) -> Exit {
        match self {
            InspectError::Engine { .. } => Exit::Step,
            _ => Exit::Usage,
        }
    }
    fn what(&self) -> Phrase {
        match self {
            InspectError::Io { path, .. } => phrase!("cannot read {path}", path = path.display()),
            InspectError::Format { place, what } | InspectError::Choice { place, what } => {
                phrase!("{place}: {what}", place, what)
            }
            InspectError::Unknown { reference, .. } => {
                phrase!("there is no image '{reference}'", reference = reference.escape_debug().to_string())
            }
            InspectError::Engine { command, outcome, .. } => phrase!("{command} failed: {outcome}", command, outcome),
        }
    }
    fn why(&self) -> Option<Phrase> {
        match self {
            InspectError::Engine { tail, .. } if !tail.trim().is_empty() => {
                Some(phrase!("the end of its output:\n{tail}", tail = tail.trim_end()))
            }
            InspectError::Unknown { said, .. } if !said.is_empty() => Some(Phrase::joined(said.clone(), "; ")),
            _ => None,
        }
    }
    fn next(&self) -> Option<Phrase> {
        match self {
            InspectError::Choice { .. } => Some("name one of those that are there".into()),
            InspectError::Unknown { .. } => Some("docker images, or podman images, lists those that are there".into()),
            InspectError::Engine { .. } => Some("git verdict doctor".into()),
            InspectError::Io { .. } | InspectError::Format { .. } => None,
        }
    }
}
