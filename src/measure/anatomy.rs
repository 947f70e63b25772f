//! What the artefacts of a side are made of, looked at once in a session, to say afterwards where a change came from.
//!
//! Looking happens after a side's metrics were read, never inside of what is measured. What cannot be taken apart is left
//! out: it does not fail a measurement.

use super::runner;
use super::source;
use crate::config::{Source, Step};
use crate::inspect::artefact::{self, Artefact};
use crate::inspect::diff::Attribution;
use crate::inspect::image::{self, Engine, Image, Options};
use crate::inspect::{InspectError, Limits, folder};
use serde::{Deserialize, Serialize};
use std::path::Path;

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

/// Why an artefact was not taken apart.
#[derive(Debug)]
pub struct Unread {
    /// Whether it is not there.
    pub absent: bool,
    /// The sentence that says so.
    pub why: String,
}

/// What one metric's artefact is made of, with the value that was read from it.
#[derive(Debug)]
pub struct Anatomy {
    value: f64,
    artefact: Artefact,
}

/// Takes apart what a metric read. `log` is the log of the step that it names, if any; `steps` are all that the
/// configuration has. None where there is nothing to take apart: commands, processor time, compressed sizes, globs.
pub fn look(source: &Source, value: f64, root: &Path, log: Option<&Path>, steps: &[Step]) -> Option<Anatomy> {
    let artefact = match source {
        Source::Image { reference } => {
            picture(root, reference, steps).ok().map(|image| Artefact::Image(Box::new(image)))
        }
        Source::Path { path, compress: None } => of_path(&root.join(path)).ok().flatten(),
        Source::BuildStep { .. } | Source::Step { measure: crate::config::Resource::Wall, .. } => build(log?),
        _ => None,
    };
    Some(Anatomy { value, artefact: artefact? })
}

/// The change between two artefacts of one kind. Only images and logs have totals that their parts do not tell.
pub fn between(before: &Anatomy, after: &Anatomy) -> Option<Attribution> {
    artefact::between(&before.artefact, &after.artefact, Some((before.value, after.value)), None)
}

/// What a metric of a size reads in this work tree as it is, and what that is made of; none where there is nothing to take
/// apart. No step is run: the artefact has to be there.
pub fn now(source: &Source, root: &Path, steps: &[Step]) -> Result<Option<(f64, Artefact)>, Unread> {
    match source {
        Source::Image { reference } => {
            let image = picture(root, reference, steps)?;
            let bytes = image.engine_size.unwrap_or(image.stored().saturating_add(image.metadata_bytes));
            Ok(Some((bytes as f64, Artefact::Image(Box::new(image)))))
        }
        Source::Path { path, compress } => {
            let bytes = source::path::size(root, path, *compress).map_err(unread)?;
            let artefact = of_path(&root.join(path)).ok().flatten();
            Ok(artefact.map(|artefact| (bytes as f64, artefact)))
        }
        _ => Ok(None),
    }
}

/// The log that the last measurement of `key` kept of a step, when it tells times.
pub fn kept_log(logs: &Path, key: &str, side: usize, step: &str) -> Option<Artefact> {
    build(&logs.join(super::session::file_name(key)).join(super::schedule::log_name(
        side,
        &format!("step {step}"),
        ".log",
    )))
}

fn unread(trouble: source::Trouble) -> Unread {
    let absent = matches!(trouble, source::Trouble::Absent(_));
    let why = match trouble {
        source::Trouble::Problem(text) | source::Trouble::Absent(text) => text,
        source::Trouble::Failed { outcome, .. } => outcome.to_string(),
        source::Trouble::Other(error) => error.to_string(),
    };
    Unread { absent, why }
}

fn picture(root: &Path, reference: &str, steps: &[Step]) -> Result<Image, Unread> {
    let failed = |error: InspectError| Unread { absent: false, why: error.to_string() };
    let mut image = match source::image::locate(root, reference, steps).map_err(unread)? {
        source::image::Found::Stored(path, name) => {
            image::read(&path, &Options { name: name.map(str::to_string), ..Options::default() }).map_err(failed)?
        }
        source::image::Found::Engines(engines, name) => {
            Engine::find(name, &engines).and_then(|engine| engine.read(name, &Options::default())).map_err(failed)?
        }
    };
    if let Some((file, _)) = artefact::dockerfile_in(root) {
        image.match_dockerfile(&file, None);
    }
    Ok(image)
}

fn of_path(path: &Path) -> Result<Option<Artefact>, InspectError> {
    let limits = Limits::default();
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return Ok(None) };
    if metadata.is_dir() {
        return Ok(Some(Artefact::Folder(Box::new(folder::read(path, &limits)?))));
    }
    if !metadata.is_file() {
        return Ok(None);
    }
    artefact::of_plain_file(path, &limits).map(Some)
}

fn build(log: &Path) -> Option<Artefact> {
    let log = source::build_log::read(&runner::read_output(log).ok()?, None);
    log.steps.iter().any(|step| step.seconds.is_some()).then(|| Artefact::Log(Box::new(log)))
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
