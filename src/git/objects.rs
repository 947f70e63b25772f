//! Objects that no work tree is made of: blobs, trees and commits written straight into the object database.
//!
//! No hook runs and no file outside the git directory is touched. Objects are made durable with [`Repo::sync_objects`]
//! before a ref is moved to them.

use super::{GitError, Oid, Person, Repo};
use crate::phrase;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::fs::{File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const TREE_MODE: i32 = 0o040000;
const BLOB_MODE: i32 = 0o100644;
/// From so many new objects on, one flush of the file system costs less than handling each.
const MANY: usize = 64;
/// Objects of at most so many bytes are not compressed while they are loose.
const SMALL: usize = 3 << 10;

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
    /// Whether it is a file of any kind, a symbolic link left out.
    pub fn is_file(&self) -> bool {
        self.mode == BLOB_MODE || self.mode == 0o100755
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
        self.write_object(git2::ObjectType::Blob, bytes)
    }

    /// Writes the tree `base` (an empty one when there is none) with these entries added or replaced.
    pub fn write_tree(&self, base: Option<&Oid>, entries: &[TreeEntry]) -> Result<Oid, GitError> {
        let base = base.map(|id| self.inner.find_tree(id.raw()?).map_err(GitError::from)).transpose()?;
        let mut all: Vec<(Vec<u8>, i32, git2::Oid)> = Vec::new();
        for old in base.iter().flat_map(|tree| tree.iter()) {
            if entries.iter().all(|new| new.name != old.name_bytes()) {
                all.push((old.name_bytes().to_vec(), old.filemode_raw(), old.id()));
            }
        }
        for entry in entries {
            if !may_be_written(&entry.name) {
                let shown = String::from_utf8_lossy(&entry.name).escape_default().to_string();
                return Err(GitError::Other(phrase!("'{name}' cannot be the name of a file in a tree", name = shown)));
            }
            all.push((entry.name.clone(), entry.mode, entry.id.raw()?));
        }
        // git sorts a folder as if its name ended in a slash.
        let key = |name: &[u8], mode: i32| [name, if mode == TREE_MODE { b"/" } else { b"" }].concat();
        all.sort_by_cached_key(|(name, mode, _)| key(name, *mode));
        let mut bytes = Vec::with_capacity(all.len() * 64);
        for (name, mode, id) in &all {
            bytes.extend_from_slice(format!("{mode:o} ").as_bytes());
            bytes.extend_from_slice(name);
            bytes.push(0);
            bytes.extend_from_slice(id.as_bytes());
        }
        self.write_object(git2::ObjectType::Tree, &bytes)
    }

    /// Writes a commit made now by `person`; no ref is moved.
    pub fn write_commit(&self, tree: &Oid, parents: &[Oid], person: &Person, message: &str) -> Result<Oid, GitError> {
        // git drops these characters where libgit2 refuses them.
        let plain = |text: &str| text.replace(['<', '>', '\n'], "");
        let by = git2::Signature::now(&plain(&person.name), &plain(&person.email))?;
        let offset = by.when().offset_minutes();
        let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs());
        let zone = format!("{sign}{:02}{:02}", minutes / 60, minutes % 60);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (name, email) = (text(by.name_bytes()), text(by.email_bytes()));
        let stamp = format!("{name} <{email}> {} {zone}", by.when().seconds());
        let parents: String = parents.iter().map(|id| format!("parent {id}\n")).collect();
        let commit = format!("tree {tree}\n{parents}author {stamp}\ncommitter {stamp}\n\n{message}");
        self.write_object(git2::ObjectType::Commit, commit.as_bytes())
    }

    /// Writes a commit on `candidate` with its tree, in which these files are as in `base`, or gone. The same input gives the same
    /// commit; no ref is moved, so that git throws it away some day.
    pub fn with_files_of(&self, base: &Oid, candidate: &Oid, files: &[PathBuf]) -> Result<Oid, GitError> {
        let commit = self.inner.find_commit(candidate.raw()?)?;
        let (old, tree) = (self.inner.find_commit(base.raw()?)?.tree()?, commit.tree()?);
        let mut update = git2::build::TreeUpdateBuilder::new();
        for path in files {
            match old.get_path(path) {
                Ok(entry) => {
                    let mode = match entry.filemode() {
                        0o100755 => git2::FileMode::BlobExecutable,
                        0o120000 => git2::FileMode::Link,
                        0o160000 => git2::FileMode::Commit,
                        _ => git2::FileMode::Blob,
                    };
                    update.upsert(path, entry.id(), mode);
                }
                Err(_) if tree.get_path(path).is_ok() => {
                    update.remove(path);
                }
                Err(_) => {}
            }
        }
        let tree = self.inner.find_tree(update.create_updated(&self.inner, &tree)?)?;
        let (author, committer) = (commit.author(), commit.committer());
        let message = "the candidate with the base's ruler\n";
        Ok(self.inner.commit(None, &author, &committer, message, &tree, &[&commit])?.into())
    }

    /// Writes a loose object as git does: under a name of its own until it is whole, then renamed.
    ///
    /// libgit2 would look through all packs before each write and open again what was just written: half the time of an
    /// append. Nothing is looked up here; an object that is there already is replaced by the same bytes, and so is young
    /// again for `git prune`.
    fn write_object(&self, kind: git2::ObjectType, bytes: &[u8]) -> Result<Oid, GitError> {
        let id: Oid = git2::Oid::hash_object_ext(kind, bytes, self.inner.object_format())?.into();
        let (folder, file) = id.as_str().split_at(2);
        let folder = self.objects_dir().join(folder);
        let failed = |source| GitError::Io { path: folder.clone(), source };
        let create = || tempfile::Builder::new().prefix("tmp_obj_").permissions(read_only()).tempfile_in(&folder);
        let mut temporary = create()
            .or_else(|error| match error.kind() {
                ErrorKind::NotFound => std::fs::create_dir_all(&folder).and_then(|()| create()),
                _ => Err(error),
            })
            .map_err(failed)?;
        let header = format!("{} {}\0", kind.str(), bytes.len());
        let packed = deflate(&[header.as_bytes(), bytes].concat()).map_err(failed)?;
        temporary.write_all(&packed).map_err(failed)?;
        self.point("object written");
        let file = temporary.persist(folder.join(file)).map_err(|error| failed(error.error))?;
        self.point("object in place");
        let mut fresh = self.fresh.borrow_mut();
        if fresh.len() < MANY {
            fresh.push((id.clone(), file));
        }
        Ok(id)
    }

    /// Where objects are written.
    fn objects_dir(&self) -> PathBuf {
        let named = std::env::var_os("GIT_OBJECT_DIRECTORY").filter(|name| self.from_env && !name.is_empty());
        named.map_or_else(|| self.common_dir().join("objects"), PathBuf::from)
    }

    /// Sends freshly written objects on their way to the disk, so that a ref that is then flushed with [`Repo::sync_ref`]
    /// does not come before them. Ids that are not loose objects of this repository are skipped.
    ///
    /// As with git itself, each object is waited for only when `core.fsync` says so (`committed`, `objects`,
    /// `loose-object` or `all`): seven flushes instead of one. `core.fsync = none` turns all of it off.
    pub fn sync_objects(&self, ids: &[Oid]) -> Result<(), GitError> {
        let parts = self.fsync_parts();
        let objects = self.objects_dir();
        let fresh = self.fresh.take();
        if parts.none || (!parts.objects && ids.len() > MANY && sync_file_system(&objects)) {
            return Ok(());
        }
        for id in ids {
            let (folder, file) = id.as_str().split_at(2);
            let path = objects.join(folder).join(file);
            match fresh.iter().find(|(written, _)| written == id) {
                Some((_, file)) => send(file, path, parts.objects)?,
                None => sync_file(path, parts.objects)?,
            }
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

/// Whether git would take a new entry of this name into a tree.
fn may_be_written(name: &[u8]) -> bool {
    let forbidden = name.is_empty() || name == b"." || name == b".." || name.eq_ignore_ascii_case(b".git");
    !forbidden && !name.contains(&b'/') && !name.contains(&0)
}

fn read_only() -> Permissions {
    Permissions::from_mode(0o444)
}

/// A zlib stream. What fits into a block of the file system anyway is only wrapped (RFC 1951, 3.2.4: one stored block):
/// compressing gains nothing there, and setting up a compressor takes longer than all the rest of a write.
fn deflate(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    if let Ok(length) = u16::try_from(bytes.len())
        && bytes.len() <= SMALL
    {
        let (length, not_length) = (length.to_le_bytes(), (!length).to_le_bytes());
        let sum = simd_adler32::adler32(&bytes).to_be_bytes();
        return Ok([&[0x78, 0x01, 0x01][..], &length, &not_length, bytes, &sum].concat());
    }
    let mut encoder = ZlibEncoder::new(Vec::with_capacity(bytes.len() / 2 + 64), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
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
        Ok(file) => send(&file, path, wait),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(GitError::Io { path, source }),
    }
}

/// Sends a file to the disk, and waits for it where that is asked for.
fn send(file: &File, path: PathBuf, wait: bool) -> Result<(), GitError> {
    if wait {
        return file.sync_all().map_err(|source| GitError::Io { path, source });
    }
    start_writing(file);
    Ok(())
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
    use super::*;
    use crate::git::test::Sandbox;
    use std::io::Read;

    #[test]
    fn a_stream_of_any_length_is_read_back() {
        for length in [0, 1, 100, SMALL, SMALL + 1, 70_000] {
            let bytes: Vec<u8> = (0..length).map(|n| (n * 7919 % 251) as u8).collect();
            let stream = deflate(&bytes).unwrap();
            let mut back = Vec::new();
            flate2::read::ZlibDecoder::new(stream.as_slice()).read_to_end(&mut back).unwrap();
            assert!(back == bytes, "{length} bytes");
        }
    }

    #[test]
    fn objects_have_the_ids_and_the_order_that_git_gives_them() {
        let sandbox = Sandbox::new();
        let repo = sandbox.repo();
        let long = "line\n".repeat(20_000);
        for text in ["", "x\n", &long] {
            let id = repo.write_blob(text.as_bytes()).unwrap();
            sandbox.write("file", text);
            assert_eq!(sandbox.git(&["hash-object", "file"]).trim(), id.as_str());
            assert_eq!(repo.read_blob(&id).unwrap(), text.as_bytes());
        }
        let blob = repo.write_blob(b"x").unwrap();
        let folder = repo.write_tree(None, &[TreeEntry::blob("z", blob.clone())]).unwrap();
        // git sorts the folder "a" as "a/", after "a.b" and before "a0".
        let names = [TreeEntry::blob("a0", blob.clone()), TreeEntry::tree("a", folder.clone())];
        let half = repo.write_tree(None, &names).unwrap();
        let whole = repo.write_tree(Some(&half), &[TreeEntry::blob("a.b", blob.clone())]).unwrap();
        let listed = sandbox.git(&["ls-tree", "--name-only", whole.as_str()]);
        assert_eq!(listed.split_whitespace().collect::<Vec<_>>(), ["a.b", "a", "a0"]);
        let again = repo.write_tree(Some(&whole), &[TreeEntry::blob("a", blob.clone())]).unwrap();
        assert_eq!(repo.read_tree(&again).unwrap().len(), 3, "an entry is replaced");
        let person = Person { name: "A <b> C".into(), email: "a@example.org".into() };
        let commit = repo.write_commit(&whole, &[repo.resolve("HEAD").unwrap()], &person, "subject\n").unwrap();
        sandbox.git(&["branch", "made", commit.as_str()]);
        assert_eq!(sandbox.git(&["log", "-1", "--format=%an|%ae|%s", "made"]), "A b C|a@example.org|subject");
        sandbox.git(&["fsck", "--strict"]);
        for name in ["", ".", "..", ".git", ".GIT", "a/b", "a\0b"] {
            assert!(repo.write_tree(None, &[TreeEntry::blob(name, blob.clone())]).is_err(), "{name:?}");
        }
    }

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
