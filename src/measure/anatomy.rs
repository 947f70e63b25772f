//! What the artefacts of a side are made of, looked at once in a session, to say afterwards where a change came from.
//!
//! Looking happens after a side's metrics were read, never inside of what is measured. What cannot be taken apart is left
//! out: it does not fail a measurement.

use super::runner;
use super::source;
use crate::config::{Source, Step};
use crate::inspect::archive::{self, Archive};
use crate::inspect::binary::{self, Binary};
use crate::inspect::buildlog::BuildLog;
use crate::inspect::diff::{self, Attribution, Size};
use crate::inspect::dockerfile::Dockerfile;
use crate::inspect::folder::{self, Folder};
use crate::inspect::image::{self, Engine, Format, Image, Options};
use crate::inspect::{InspectError, Limits};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Where the change of a metric between two sides came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The metric's name.
    pub metric: String,
    /// Index of the side before.
    pub first: usize,
    /// Index of the side after.
    pub second: usize,
    /// The change, taken apart. Times are those of one run of each side.
    pub attribution: Attribution,
}

/// What one metric's artefact is made of, with the value that was read from it.
#[derive(Debug)]
pub struct Anatomy {
    value: f64,
    parts: Parts,
}

#[derive(Debug)]
enum Parts {
    Image(Box<Image>),
    Folder(Box<Folder>),
    Archive(Box<Archive>),
    Binary(Box<Binary>),
    Log(Box<BuildLog>),
}

/// Takes apart what a metric read. `log` is the log of the step that it names, if any; `steps` are all that the
/// configuration has. None where there is nothing to take apart: commands, processor time, compressed sizes, globs.
pub fn look(source: &Source, value: f64, root: &Path, log: Option<&Path>, steps: &[Step]) -> Option<Anatomy> {
    let parts = match source {
        Source::Image { reference } => picture(root, reference, steps).map(|image| Parts::Image(Box::new(image))),
        Source::Path { path, compress: None } => of_path(&root.join(path)).ok().flatten(),
        Source::BuildStep { .. } | Source::Step { measure: crate::config::Resource::Wall, .. } => build(log?),
        _ => None,
    };
    Some(Anatomy { value, parts: parts? })
}

/// The change between two artefacts of one kind.
pub fn between(before: &Anatomy, after: &Anatomy) -> Option<Attribution> {
    Some(match (&before.parts, &after.parts) {
        (Parts::Image(a), Parts::Image(b)) => {
            diff::images(a, b, kind_of(b), Some((before.value as u64, after.value as u64)))
        }
        (Parts::Folder(a), Parts::Folder(b)) => diff::folders(a, b),
        (Parts::Archive(a), Parts::Archive(b)) => diff::archives(a, b),
        (Parts::Binary(a), Parts::Binary(b)) => diff::binaries(a, b),
        (Parts::Log(a), Parts::Log(b)) => diff::logs(a, b, Some((before.value, after.value))),
        _ => return None,
    })
}

fn picture(root: &Path, reference: &str, steps: &[Step]) -> Option<Image> {
    let mut image = match source::image::locate(root, reference, steps).ok()? {
        source::image::Found::Stored(path, name) => {
            image::read(&path, &Options { name: name.map(str::to_string), ..Options::default() }).ok()?
        }
        source::image::Found::Engines(engines, name) => {
            Engine::find(name, &engines).ok()?.read(name, &Options::default()).ok()?
        }
    };
    for name in ["Dockerfile", "Containerfile"] {
        if let Ok(text) = std::fs::read(root.join(name)) {
            image.match_dockerfile(&Dockerfile::parse(&text), None);
            break;
        }
    }
    Some(image)
}

/// The size that the metric is about: what the engine prints for an image that it holds, stored bytes otherwise.
fn kind_of(image: &Image) -> Size {
    match (image.engine_size, image.format) {
        (None, _) => Size::Stored,
        (Some(printed), Format::DockerArchive) if printed >= image.uncompressed() => Size::Uncompressed,
        (Some(_), Format::DockerArchive) => Size::Files,
        (Some(_), _) => Size::Stored,
    }
}

fn of_path(path: &PathBuf) -> Result<Option<Parts>, InspectError> {
    let limits = Limits::default();
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return Ok(None) };
    if metadata.is_dir() {
        return Ok(Some(Parts::Folder(Box::new(folder::read(path, &limits)?))));
    }
    if !metadata.is_file() {
        return Ok(None);
    }
    if let Ok(found) = binary::read(path, &limits) {
        return Ok(Some(Parts::Binary(Box::new(found))));
    }
    Ok(Some(Parts::Archive(Box::new(archive::read(path, &limits)?))))
}

fn build(log: &Path) -> Option<Parts> {
    let log = source::build_log::read(&runner::read_output(log).ok()?, None);
    log.steps.iter().any(|step| step.seconds.is_some()).then(|| Parts::Log(Box::new(log)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_taken_apart_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("plain.txt"), "no archive").unwrap();
        let path = |name: &str| Source::Path { path: name.into(), compress: None };
        assert!(look(&path("plain.txt"), 10.0, dir.path(), None, &[]).is_none());
        assert!(look(&path("missing"), 0.0, dir.path(), None, &[]).is_none());
        assert!(look(&Source::Image { reference: "plain.txt".into() }, 0.0, dir.path(), None, &[]).is_none());
    }

    #[test]
    fn a_folder_says_which_file_grew() {
        let dir = tempfile::tempdir().unwrap();
        let source = Source::Path { path: "out".into(), compress: None };
        std::fs::create_dir(dir.path().join("out")).unwrap();
        std::fs::write(dir.path().join("out/a.bin"), vec![0; 1000]).unwrap();
        let before = look(&source, 1000.0, dir.path(), None, &[]).unwrap();
        std::fs::write(dir.path().join("out/b.bin"), vec![0; 5000]).unwrap();
        let after = look(&source, 6000.0, dir.path(), None, &[]).unwrap();
        let found = between(&before, &after).unwrap();
        let explained: i64 = found.rows.iter().map(|row| row.change).sum();
        assert_eq!(explained + found.unexplained, found.total());
        assert!(found.reason().unwrap().contains("b.bin"), "{:?}", found.reason());
    }

    #[test]
    fn a_log_whose_lines_carry_their_arrival_says_which_step_took_longer() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let source = Source::BuildStep { pattern: "RUN".into(), step: "build".into() };
        let mut seen = Vec::new();
        for seconds in [2.0, 9.0] {
            let text = format!("0.1\tSTEP 1/2: FROM scratch\n0.2\tSTEP 2/2: RUN make\n{seconds}\tCOMMIT app\n");
            std::fs::write(&log, text).unwrap();
            seen.push(look(&source, seconds, dir.path(), Some(&log), &[]).unwrap());
        }
        let reason = between(&seen[0], &seen[1]).unwrap().reason().unwrap();
        assert!(reason.starts_with("+7 s from step") && reason.contains("RUN make"), "{reason}");
    }
}
