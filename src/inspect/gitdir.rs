//! The size of a git repository by what takes it: packs, loose objects, large files, logs, the index.
//!
//! Counts the files of the git directory itself (gitrepository-layout(5)); objects are not opened.

use super::folder::{self, Folder};
use super::{InspectError, Limits};
use std::path::Path;

/// A git directory, laid open.
#[derive(Debug)]
pub struct GitDir {
    /// Bytes of all its files.
    pub bytes: u64,
    /// Named parts, the largest first; they add up to `bytes`.
    pub parts: Vec<(String, u64)>,
    /// Its files.
    pub folder: Folder,
}

/// Reads a git directory: `.git`, or a bare repository. For a work tree that is linked, the common directory is the one
/// that counts.
pub fn read(git_dir: &Path, limits: &Limits) -> Result<GitDir, InspectError> {
    if !git_dir.join("HEAD").exists() || !git_dir.join("objects").is_dir() {
        return Err(InspectError::format(git_dir.display().to_string(), "no git directory"));
    }
    let folder = folder::read(git_dir, limits)?;
    let mut sums = std::collections::BTreeMap::<&str, u64>::new();
    let mut add = |parts: &[&[u8]], bytes: u64| *sums.entry(part_of(parts)).or_insert(0) += bytes;
    for entry in &folder.listing.entries {
        add(&folder.paths.components(entry.path), entry.size);
    }
    for (&at, spill) in &folder.listing.spill {
        let mut parts = folder.paths.components(at);
        parts.push(b"");
        add(&parts, spill.bytes);
    }
    let mut parts: Vec<(String, u64)> = sums.into_iter().map(|(n, b)| (n.to_string(), b)).filter(|p| p.1 > 0).collect();
    parts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Ok(GitDir { bytes: folder.bytes, parts, folder })
}

fn part_of(parts: &[&[u8]]) -> &'static str {
    let last = parts.last().copied().unwrap_or_default();
    match parts {
        [b"objects", b"pack", ..] if last.ends_with(b".pack") => "packs",
        [b"objects", b"pack", ..] if last.starts_with(b"tmp_") => "unfinished packs",
        [b"objects", b"pack", ..] => "pack indexes",
        [b"objects", b"info", ..] => "commit graphs and the like",
        [b"objects", ..] => "loose objects",
        [b"lfs", ..] => "large files (LFS)",
        [b"annex", ..] => "large files (annex)",
        [b"modules", ..] => "submodules",
        [b"worktrees", ..] => "linked work trees",
        [b"logs", ..] => "reflogs",
        [b"refs", ..] | [b"packed-refs"] | [b"reftable", ..] => "refs",
        [b"index"] | [b"sharedindex", ..] => "index",
        [b"hooks", ..] => "hooks",
        _ => "other files",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_repository_add_up_to_its_size() {
        let temp = tempfile::tempdir().unwrap();
        let git = |args: &[&str]| {
            let output = std::process::Command::new("git").current_dir(temp.path()).args(args).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        git(&["init", "-q"]);
        std::fs::write(temp.path().join("a"), [7u8; 5000]).unwrap();
        git(&["add", "a"]);
        git(&["-c", "user.name=x", "-c", "user.email=x@x", "-c", "commit.gpgsign=false", "commit", "-qm", "one"]);
        let loose = read(&temp.path().join(".git"), &Limits::default()).unwrap();
        git(&["gc", "-q", "--prune=now"]);
        let packed = read(&temp.path().join(".git"), &Limits::default()).unwrap();
        for dir in [&loose, &packed] {
            assert_eq!(dir.parts.iter().map(|p| p.1).sum::<u64>(), dir.bytes);
        }
        let has = |dir: &GitDir, name: &str| dir.parts.iter().any(|p| p.0 == name);
        assert!(has(&loose, "loose objects") && !has(&loose, "packs") && has(&packed, "packs"));
        let change = super::super::diff::git_dirs(&loose, &packed);
        assert_eq!(change.unexplained, 0);
        assert_eq!(change.total(), packed.bytes as i64 - loose.bytes as i64);
        assert!(read(temp.path(), &Limits::default()).is_err());
    }
}
