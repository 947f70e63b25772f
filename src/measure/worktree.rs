//! The worktrees of a session, under the git directory; removed when the session ends, however it ends.
//!
//! ```text
//! <shared git directory>/verdict/worktrees/<session>.lock       held while the session runs
//! <shared git directory>/verdict/worktrees/<session>/0-base     a linked worktree, HEAD detached
//! ```
//!
//! The user's work tree, index and HEAD are never touched, and no hook runs. A session that was killed leaves its folder
//! behind with a lock that nobody holds; the next session removes both, git's own entries for them, and the processes
//! that still run there. `git config verdict.worktrees DIR` puts them under `DIR` instead, for tools that take nothing
//! below a `.git` folder for source code.
//!
//! A sparse checkout stays one: `git worktree add` gives the new worktree the patterns of the one it is started from.

use super::lock::Lock;
use super::{MeasureError, Side, family};
use crate::digest::sha256;
use crate::git::command::Git;
use crate::git::{GitError, Repo};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The variable that tells a step which worktree it is in.
pub const VARIABLE: &str = "VERDICT_WORKTREE";

/// The worktrees of one session, one for each side. Dropping it removes them.
#[derive(Debug)]
pub struct Worktrees {
    folder: PathBuf,
    admin: PathBuf,
    paths: Vec<PathBuf>,
    lock: Option<Lock>,
}

impl Worktrees {
    /// Checks out every side, submodules included. `id` names the session.
    pub fn create(repo: &Repo, id: &str, sides: &[Side]) -> Result<Worktrees, MeasureError> {
        let root = root(repo)?;
        let lock_path = root.join(format!("{id}.lock"));
        let lock = Lock::acquire(&lock_path).map_err(|source| io_error(&lock_path, source))?;
        let Some(lock) = lock else {
            return Err(MeasureError::Busy { key: id.to_string(), holder: Lock::holder(&lock_path) });
        };
        let folder = root.join(id);
        let paths = names(sides).into_iter().map(|name| folder.join(name)).collect();
        let made = Worktrees { folder, admin: repo.common_dir().join("worktrees"), paths, lock: Some(lock) };
        // What a killed run of this very session left.
        made.clear().map_err(|source| io_error(&made.folder, source))?;
        std::fs::create_dir_all(&made.folder).map_err(|source| io_error(&made.folder, source))?;
        for (side, path) in sides.iter().zip(&made.paths) {
            check_out(repo, side, path)?;
        }
        Ok(made)
    }

    /// The worktree of a side.
    pub fn path(&self, side: usize) -> &Path {
        &self.paths[side]
    }

    /// Removes them, and says what could not be removed.
    pub fn close(mut self) -> Result<(), MeasureError> {
        let result = self.clear().map_err(|source| io_error(&self.folder, source));
        self.lock = None;
        result
    }

    fn clear(&self) -> io::Result<()> {
        remove(&self.folder, &self.admin)
    }
}

impl Drop for Worktrees {
    fn drop(&mut self) {
        if self.lock.is_some() {
            let _ = self.clear();
        }
    }
}

/// Removes what killed sessions left: worktrees, git's entries for them, and processes that still run there. Returns how
/// many sessions were found.
pub fn clean_leftovers(repo: &Repo) -> Result<usize, MeasureError> {
    let root = root(repo)?;
    let admin = repo.common_dir().join("worktrees");
    let mut found = 0;
    let entries = std::fs::read_dir(&root).map_err(|source| io_error(&root, source))?;
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        let (folder, lock_path) = match path.extension() {
            Some(end) if end == "lock" => (path.with_extension(""), path.clone()),
            None => (path.clone(), path.with_extension("lock")),
            Some(_) => continue,
        };
        let Some(lock) = Lock::acquire(&lock_path).map_err(|source| io_error(&lock_path, source))? else { continue };
        if folder.exists() {
            found += 1;
            family::kill_marked(VARIABLE, &[folder.as_os_str().as_bytes(), b"/"].concat());
            remove(&folder, &admin).map_err(|source| io_error(&folder, source))?;
        }
        drop(lock);
    }
    Ok(found)
}

fn io_error(path: &Path, source: io::Error) -> MeasureError {
    MeasureError::Io { path: path.display().to_string(), source }
}

fn root(repo: &Repo) -> Result<PathBuf, MeasureError> {
    let root = match repo.config_value("verdict.worktrees").filter(|v| !v.is_empty()) {
        Some(dir) => {
            let dir = repo.workdir().unwrap_or(repo.git_dir()).join(dir);
            dir.join(&sha256(repo.common_dir().as_os_str().as_bytes())[..12])
        }
        None => repo.verdict_dir()?.join("worktrees"),
    };
    std::fs::create_dir_all(&root).map_err(|source| io_error(&root, source))?;
    root.canonicalize().map_err(|source| io_error(&root, source))
}

/// Folder names of one length, because the length of a path can change how fast a program runs: `0-base-----`,
/// `1-candidate`.
fn names(sides: &[Side]) -> Vec<String> {
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
    let names: Vec<String> = (0..)
        .zip(sides)
        .map(|(i, side)| format!("{i}-{}", side.name.chars().take(40).map(safe).collect::<String>()))
        .collect();
    let longest = names.iter().map(String::len).max().unwrap_or(0);
    names.into_iter().map(|name| format!("{name:-<longest$}")).collect()
}

fn check_out(repo: &Repo, side: &Side, path: &Path) -> Result<(), MeasureError> {
    let commit = side.commit.as_str();
    quiet(repo.run_git()).args(["worktree", "add", "--quiet", "--detach"]).arg(path).arg(commit).run()?;
    let spec = format!("{commit}:.gitmodules");
    if repo.run_git().args(["cat-file", "-e", &spec]).succeeds()? {
        let update = ["submodule", "--quiet", "update", "--init", "--recursive"];
        quiet(Git::at(path)).args(update).run().map_err(|error| match error {
            GitError::Command { status, output, .. } => GitError::Command {
                command: format!(
                    "submodule update of {name} ({commit})",
                    name = side.name,
                    commit = side.commit.short()
                ),
                status,
                output,
            },
            other => other,
        })?;
    }
    Ok(())
}

fn quiet(git: Git) -> Git {
    git.args(["-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false"])
}

/// Removes a folder and git's entries for the worktrees below it. `git worktree prune` would also drop entries of the
/// user's that are not ours to judge, and `git worktree remove` refuses what was left half made.
fn remove(folder: &Path, admin: &Path) -> io::Result<()> {
    let entries = match std::fs::read_dir(admin) {
        Ok(entries) => entries.filter_map(Result::ok).map(|e| e.path()).collect(),
        Err(_) => Vec::new(),
    };
    let ours: Vec<PathBuf> = entries.into_iter().filter(|entry| points_below(entry, folder)).collect();
    remove_all(folder)?;
    for entry in ours {
        remove_all(&entry)?;
    }
    // git removes this folder with the last worktree, and so do we; it stays when it is not empty.
    let _ = std::fs::remove_dir(admin);
    Ok(())
}

/// Whether git's entry for a worktree (`.git/worktrees/<id>`) is of one below `folder`.
fn points_below(entry: &Path, folder: &Path) -> bool {
    let Ok(bytes) = std::fs::read(entry.join("gitdir")) else { return false };
    let target = entry.join(OsStr::from_bytes(bytes.trim_ascii_end()));
    let Some(worktree) = target.parent() else { return false };
    worktree.canonicalize().is_ok_and(|real| real.starts_with(folder)) || worktree.starts_with(folder)
}

/// Removes a tree, folders without write permission included (module caches are made so).
fn remove_all(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(_) => {}
    }
    open_up(path);
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn open_up(folder: &Path) {
    let _ = std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700));
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            open_up(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::Oid;

    fn side(name: &str) -> Side {
        let id = Oid::parse(&"a".repeat(40)).unwrap();
        Side { name: name.into(), commit: id.clone(), tree: id }
    }

    #[test]
    fn folder_names_have_one_length_and_nothing_that_leaves_the_folder() {
        assert_eq!(names(&[side("base"), side("candidate")]), ["0-base-----", "1-candidate"]);
        assert_eq!(names(&[side("../x y"), side("é")]), ["0----x-y", "1-------"]);
    }

    #[test]
    fn a_tree_with_folders_that_cannot_be_written_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("top");
        std::fs::create_dir_all(top.join("a/b")).unwrap();
        std::fs::write(top.join("a/b/f"), "x").unwrap();
        for folder in ["a/b", "a"] {
            std::fs::set_permissions(top.join(folder), std::fs::Permissions::from_mode(0o555)).unwrap();
        }
        remove_all(&top).unwrap();
        assert!(!top.exists());
        remove_all(&top).unwrap();
    }
}
