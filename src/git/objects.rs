//! Objects that no work tree is made of: blobs, trees and commits written straight into the object database.
//!
//! No hook runs and no file outside the git directory is touched. Objects are made durable with [`Repo::sync_objects`]
//! before a ref is moved to them.

use super::{GitError, Oid, Person, Repo};
use std::fs::File;
use std::path::PathBuf;

const TREE_MODE: i32 = 0o040000;
const BLOB_MODE: i32 = 0o100644;

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

    /// Flushes freshly written objects to the disk; ids that are not loose objects of this repository are skipped.
    ///
    /// `core.fsync = none` in git's configuration turns it off, as it does for git.
    pub fn sync_objects(&self, ids: &[Oid]) -> Result<(), GitError> {
        if !self.wants_sync() {
            return Ok(());
        }
        for id in ids {
            let (folder, file) = id.as_str().split_at(2);
            sync_file(self.common_dir().join("objects").join(folder).join(file))?;
        }
        Ok(())
    }

    /// Flushes a ref's file to the disk, when it has one of its own.
    pub fn sync_ref(&self, name: &str) -> Result<(), GitError> {
        if self.wants_sync() { sync_file(self.common_dir().join(name)) } else { Ok(()) }
    }

    fn wants_sync(&self) -> bool {
        self.config_value("core.fsync").is_none_or(|value| value.trim() != "none")
    }
}

fn sync_file(path: PathBuf) -> Result<(), GitError> {
    match File::open(&path) {
        Ok(file) => file.sync_all().map_err(|source| GitError::Io { path, source }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(GitError::Io { path, source }),
    }
}
