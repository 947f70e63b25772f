//! Objects that no work tree is made of: blobs, trees and commits written straight into the object database.
//!
//! No hook runs and no file outside the git directory is touched. Objects are made durable with [`Repo::sync_objects`]
//! before a ref is moved to them.

use super::{GitError, Oid, Person, Repo};
use std::fs::File;
use std::path::{Path, PathBuf};

const TREE_MODE: i32 = 0o040000;
const BLOB_MODE: i32 = 0o100644;
/// From so many new objects on, one flush of the file system costs less than handling each.
const MANY: usize = 64;

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// Its name, as bytes: whoever made the tree may have put anything here.
    pub name: Vec<u8>,
    /// The object.
    pub id: Oid,
    /// Its mode, such as `0o100644`.
    pub mode: i32,
}

impl TreeEntry {
    /// A plain file.
    pub fn blob(name: impl Into<Vec<u8>>, id: Oid) -> TreeEntry {
        TreeEntry { name: name.into(), id, mode: BLOB_MODE }
    }
    /// A folder.
    pub fn tree(name: impl Into<Vec<u8>>, id: Oid) -> TreeEntry {
        TreeEntry { name: name.into(), id, mode: TREE_MODE }
    }
    /// Whether it is a folder.
    pub fn is_tree(&self) -> bool {
        self.mode == TREE_MODE
    }
}

impl Repo {
    /// The entries of a tree, in git's order.
    pub fn read_tree(&self, id: &Oid) -> Result<Vec<TreeEntry>, GitError> {
        let tree = self.inner.find_tree(id.raw()?)?;
        let entries = tree.iter().map(|entry| TreeEntry {
            name: entry.name_bytes().to_vec(),
            id: entry.id().into(),
            mode: entry.filemode_raw(),
        });
        Ok(entries.collect())
    }

    /// The tree of a commit, without reading its message.
    pub fn tree_of(&self, commit: &Oid) -> Result<Oid, GitError> {
        Ok(self.inner.find_commit(commit.raw()?)?.tree_id().into())
    }

    /// The size of a blob in bytes, found without reading all of it.
    pub fn blob_size(&self, id: &Oid) -> Result<usize, GitError> {
        Ok(self.inner.odb()?.read_header(id.raw()?)?.0)
    }

    /// The bytes of a blob.
    pub fn read_blob(&self, id: &Oid) -> Result<Vec<u8>, GitError> {
        Ok(self.inner.find_blob(id.raw()?)?.content().to_vec())
    }

    /// In a partial clone, fetches those of these objects that are not here, all at once, as git itself does when it needs
    /// one. Elsewhere nothing is done.
    pub fn bring_objects(&self, ids: &[Oid]) -> Result<(), GitError> {
        let Some(remote) = self.promisor() else { return Ok(()) };
        let odb = self.inner.odb()?;
        let mut missing = String::new();
        for id in ids {
            if !odb.exists_ext(id.raw()?, git2::OdbLookupFlags::NO_REFRESH) {
                missing.push_str(id.as_str());
                missing.push('\n');
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let words = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no"];
        self.run_git()
            .args(["-c", "fetch.negotiationAlgorithm=noop"])
            .args(words)
            .args(["--filter=blob:none", "--stdin", remote])
            .stdin(missing)
            .run()?;
        Ok(odb.refresh()?)
    }

    /// The remote that promises to have what this partial clone lacks.
    pub(super) fn promisor(&self) -> Option<&str> {
        self.promisor.get_or_init(|| self.find_promisor()).as_deref()
    }

    fn find_promisor(&self) -> Option<String> {
        let config = self.inner.config().ok()?;
        let entries = config.entries(Some("^remote\\..*\\.promisor$")).ok()?;
        let mut found = None;
        let _ = entries.for_each(|entry| {
            let name = entry.name().ok().and_then(|n| n.strip_prefix("remote.")?.strip_suffix(".promisor"));
            if let Some(name) = name
                && entry.value().is_ok_and(|value| value == "true")
            {
                found.get_or_insert_with(|| name.to_string());
            }
        });
        found
    }

    /// Writes a blob.
    pub fn write_blob(&self, bytes: &[u8]) -> Result<Oid, GitError> {
        Ok(self.inner.blob(bytes)?.into())
    }

    /// Writes the tree `base` (an empty one when there is none) with these entries added or replaced.
    pub fn write_tree(&self, base: Option<&Oid>, entries: &[TreeEntry]) -> Result<Oid, GitError> {
        let base = base.map(|id| self.inner.find_tree(id.raw()?).map_err(GitError::from)).transpose()?;
        let mut builder = self.inner.treebuilder(base.as_ref())?;
        for entry in entries {
            builder.insert(entry.name.as_slice(), entry.id.raw()?, entry.mode)?;
        }
        Ok(builder.write()?.into())
    }

    /// Writes a commit made now by `person`; no ref is moved.
    pub fn write_commit(&self, tree: &Oid, parents: &[Oid], person: &Person, message: &str) -> Result<Oid, GitError> {
        let signature = git2::Signature::now(&person.name, &person.email)?;
        let tree = self.inner.find_tree(tree.raw()?)?;
        let parents: Vec<git2::Commit<'_>> =
            parents.iter().map(|id| Ok(self.inner.find_commit(id.raw()?)?)).collect::<Result<_, GitError>>()?;
        let parents: Vec<&git2::Commit<'_>> = parents.iter().collect();
        Ok(self.inner.commit(None, &signature, &signature, message, &tree, &parents)?.into())
    }

    /// Sends freshly written objects on their way to the disk, so that a ref that is then flushed with [`Repo::sync_ref`]
    /// does not come before them. Ids that are not loose objects of this repository are skipped.
    ///
    /// As with git itself, each object is waited for only when `core.fsync` says so (`committed`, `objects`,
    /// `loose-object` or `all`): seven flushes instead of one. `core.fsync = none` turns all of it off.
    pub fn sync_objects(&self, ids: &[Oid]) -> Result<(), GitError> {
        let parts = self.fsync_parts();
        let objects = self.common_dir().join("objects");
        if parts.none || (!parts.objects && ids.len() > MANY && sync_file_system(&objects)) {
            return Ok(());
        }
        for id in ids {
            let (folder, file) = id.as_str().split_at(2);
            sync_file(objects.join(folder).join(file), parts.objects)?;
        }
        Ok(())
    }

    /// Flushes a ref's file to the disk, when it has one of its own.
    pub fn sync_ref(&self, name: &str) -> Result<(), GitError> {
        if self.fsync_parts().none { Ok(()) } else { sync_file(self.common_dir().join(name), true) }
    }

    fn fsync_parts(&self) -> FsyncParts {
        FsyncParts::read(&self.config_value("core.fsync").unwrap_or_default())
    }
}

/// What `core.fsync` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct FsyncParts {
    none: bool,
    objects: bool,
}

impl FsyncParts {
    fn read(value: &str) -> FsyncParts {
        let mut parts = FsyncParts::default();
        for word in value.split(',').map(str::trim) {
            match word {
                "none" => parts = FsyncParts { none: true, objects: false },
                "committed" | "objects" | "loose-object" | "all" => parts = FsyncParts { none: false, objects: true },
                "-loose-object" | "-objects" => parts.objects = false,
                "reference" | "default" => parts.none = false,
                _ => {}
            }
        }
        parts
    }
}

fn sync_file(path: PathBuf, wait: bool) -> Result<(), GitError> {
    match File::open(&path) {
        Ok(file) if wait => file.sync_all().map_err(|source| GitError::Io { path, source }),
        Ok(file) => {
            start_writing(&file);
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(GitError::Io { path, source }),
    }
}

/// Has the kernel begin to write a file's pages. They then belong to the file system's transaction that the next flush
/// of any file completes (ext4 with ordered data, the usual case); it is a hint, so a failure does not matter.
#[cfg(target_os = "linux")]
fn start_writing(file: &File) {
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
}

#[cfg(not(target_os = "linux"))]
fn start_writing(_file: &File) {}

/// Flushes the file system that a folder is on; false where there is no such call.
#[cfg(target_os = "linux")]
fn sync_file_system(dir: &Path) -> bool {
    File::open(dir).is_ok_and(|dir| rustix::fs::syncfs(dir).is_ok())
}

#[cfg(not(target_os = "linux"))]
fn sync_file_system(_dir: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::FsyncParts;

    #[test]
    fn fsync_is_done_as_git_is_told_to() {
        let read = |value: &str| {
            let parts = FsyncParts::read(value);
            (parts.none, parts.objects)
        };
        assert_eq!(read(""), (false, false));
        assert_eq!(read("none"), (true, false));
        assert_eq!(read("committed"), (false, true));
        assert_eq!(read("committed,-loose-object"), (false, false));
        assert_eq!(read("reference, loose-object"), (false, true));
    }
}
