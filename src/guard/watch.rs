//! The files by which the hook `post-commit` sees, without starting a program, that a commit tries nothing once more.
//!
//! A change that resembles a reverted experiment touches one of its files, all but always. So the hook has a list of them, and
//! starts the program only when one was written since the list was: the list's own time says when. It is a line of shell,
//! because `read` takes a system call for each byte:
//!
//! ```text
//! set -- ./src/a.c ./src/b.c -- ./src/cache.c
//! ```
//!
//! Before `--` are files that are there, behind it those that are not. There is no list, and the program is started after each
//! commit, while one of the files differs from HEAD (it may be committed at any time without being written again), where an
//! experiment is known by its words alone, and where there are too many files.

use super::features::{self, Kind};
use super::shelf::Shelf;
use crate::git::Repo;
use crate::git::change::Between;
use crate::ledger::Ledger;
use crate::ledger::event::Fact;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// At most so many files are watched: each takes the hook a few microseconds.
const MOST: usize = 256;
/// Files of at most so many experiments are looked up that are not there any more.
const LOOKED_UP: usize = 32;
/// A file that was written so shortly before counts as written since: clocks of file systems go in steps.
const STEP: Duration = Duration::from_millis(20);

/// Writes the list anew, or removes it. `began` is a time before the commit was compared with what is on the shelf.
pub fn renew(repo: &Repo, ledger: &Ledger<'_>, shelf: &Shelf, began: SystemTime) {
    let path = repo.git_dir().join("verdict").join("watch");
    let written = list(repo, ledger, shelf).and_then(|text| {
        let folder = path.parent()?;
        std::fs::create_dir_all(folder).ok()?;
        let mut file = tempfile::NamedTempFile::new_in(folder).ok()?;
        std::io::Write::write_all(&mut file, text.as_bytes()).ok()?;
        file.as_file().set_modified(began.checked_sub(STEP)?).ok()?;
        file.persist(&path).ok()
    });
    if written.is_none() {
        let _ = std::fs::remove_file(&path);
    }
}

/// None where the program has to look at each commit.
fn list(repo: &Repo, ledger: &Ledger<'_>, shelf: &Shelf) -> Option<String> {
    let by_number: HashMap<u32, PathBuf> =
        repo.tracked().ok()?.into_iter().map(|path| (features::file_number(&path), path)).collect();
    let (mut there, mut gone) = (BTreeSet::new(), BTreeSet::new());
    let mut looked_up = 0;
    for number in 0..shelf.len() {
        let known = shelf.known(number);
        let files = known.features.of(Kind::File);
        if files.is_empty() {
            return None;
        }
        let found: Vec<&PathBuf> = files.iter().filter_map(|file| by_number.get(file)).collect();
        if found.len() < files.len() {
            looked_up += 1;
            if looked_up > LOOKED_UP {
                return None;
            }
            let Some(Fact::Decided(decided)) = ledger.find(known.record).ok()?.map(|event| event.fact) else {
                return None;
            };
            let between = Between::Commits(&decided.base.commit, &decided.candidate.commit);
            let touched = repo.patch(between, features::MOST_FILES, &mut |_, _, _, _| false).ok()?;
            gone.extend(touched.into_iter().map(|file| file.path));
        }
        there.extend(found.into_iter().cloned());
        if there.len() + gone.len() > 2 * MOST {
            return None;
        }
    }
    gone.retain(|path| !there.contains(path) && !by_number.contains_key(&features::file_number(path)));
    let all: Vec<&Path> = there.iter().chain(&gone).map(PathBuf::as_path).collect();
    if all.len() > MOST || repo.differ_from_head(&all).ok()? {
        return None;
    }
    let mut text = String::from("set --");
    for path in &there {
        let _ = write!(text, " {}", quoted(path)?);
    }
    text.push_str(" --");
    for path in &gone {
        let _ = write!(text, " {}", quoted(path)?);
    }
    text.push('\n');
    Some(text)
}

/// A path as a shell takes it; none of one that is no UTF-8.
fn quoted(path: &Path) -> Option<String> {
    Some(format!("'./{}'", path.to_str()?.replace('\'', r"'\''")))
}
