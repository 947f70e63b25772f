//! Diffs, patch ids, and what is uncommitted.

use super::trees::differing;
use super::{GitError, Oid, Repo};
use crate::phrase;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// One file of a diff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Where it is on the newer side (on the older one when it was deleted).
    pub path: PathBuf,
    /// Where it was, when it was renamed.
    pub old_path: Option<PathBuf>,
    /// Lines added.
    pub added: usize,
    /// Lines removed.
    pub removed: usize,
    /// Whether git takes it for binary: then the counts are zero.
    pub binary: bool,
    /// How many files more this makes: 1 for a new one, -1 for one that was deleted.
    pub more: i64,
}

/// What is uncommitted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uncommitted {
    /// Tracked files that differ from HEAD in the index or the work tree.
    pub tracked: Vec<PathBuf>,
    /// Those of them that differ in the index: the next commit takes them along.
    pub staged: Vec<PathBuf>,
    /// Files that git does not track and does not ignore.
    pub untracked: Vec<PathBuf>,
    /// Files with unresolved conflicts.
    pub conflicted: Vec<PathBuf>,
}

/// A file of a patch, with its blobs on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchFile {
    /// Where it is on the newer side (on the older one when it was deleted).
    pub path: PathBuf,
    /// Its blob before; none when it was not there.
    pub old: Option<Oid>,
    /// Its blob after; none when it is not there any more.
    pub new: Option<Oid>,
}

/// What a patch is taken between.
#[derive(Debug, Clone, Copy)]
pub enum Between<'a> {
    /// Two commits.
    Commits(&'a Oid, &'a Oid),
    /// HEAD and the index: what `git commit` would record.
    Staged,
}

/// A file longer than this counts as binary where only the lines of a patch are wanted.
const LONGEST_FILE: i64 = 4 << 20;

/// What differs between two commits. libgit2 is told where to look, because it would read every folder of both.
fn diff<'r>(
    view: &'r git2::Repository,
    from: &Oid,
    to: &Oid,
    mut options: git2::DiffOptions,
) -> Result<git2::Diff<'r>, GitError> {
    let [a, b] = [view.find_commit(from.raw()?)?.tree()?, view.find_commit(to.raw()?)?.tree()?];
    let found = differing(view, Some(a.id()), Some(b.id()))?;
    options.disable_pathspec_match(true);
    for file in &found {
        options.pathspec(file.path.as_os_str().as_bytes());
    }
    let sides = if found.is_empty() { (None, None) } else { (Some(&a), Some(&b)) };
    Ok(view.diff_tree_to_tree(sides.0, sides.1, Some(&mut options))?)
}

pub(crate) fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

impl Repo {
    /// The files that differ between two commits, in path order.
    pub fn changed_files(&self, from: &Oid, to: &Oid) -> Result<Vec<FileChange>, GitError> {
        self.bring_change(from, to)?;
        let mut diff = diff(self.without_index()?, from, to, git2::DiffOptions::new())?;
        diff.find_similar(None)?;
        let mut files = Vec::new();
        for index in 0..diff.deltas().len() {
            let Some(delta) = diff.get_delta(index) else { continue };
            let new = delta.new_file().path_bytes().map(path_of);
            let old = delta.old_file().path_bytes().map(path_of);
            let patch = git2::Patch::from_diff(&diff, index)?;
            let counts = patch.as_ref().map(|p| p.line_stats()).transpose()?;
            let binary = patch.as_ref().is_none_or(|p| p.delta().flags().is_binary());
            let (_, added, removed) = counts.unwrap_or_default();
            let Some(path) = new.clone().or(old.clone()) else { continue };
            let old_path = (delta.status() == git2::Delta::Renamed).then_some(old).flatten();
            let more = match delta.status() {
                git2::Delta::Added | git2::Delta::Copied => 1,
                git2::Delta::Deleted => -1,
                _ => 0,
            };
            files.push(FileChange { path, old_path, added, removed, binary, more });
        }
        Ok(files)
    }

    /// The files of a patch in path order, at most `most` of them, and each of their added (`true`) and removed lines, in
    /// order and without its end, until `each` answers false. Binary files have no lines. Renames are not looked for, and
    /// nothing is fetched: what a partial clone lacks is an error.
    pub fn patch(
        &self,
        between: Between<'_>,
        most: usize,
        each: &mut dyn FnMut(&Path, usize, bool, &[u8]) -> bool,
    ) -> Result<Vec<PatchFile>, GitError> {
        let mut options = git2::DiffOptions::new();
        options.context_lines(0).interhunk_lines(0).max_size(LONGEST_FILE).ignore_submodules(true);
        let diff = match between {
            Between::Commits(from, to) => diff(self.without_index()?, from, to, options)?,
            Between::Staged => {
                let head = self.resolve("HEAD")?.raw()?;
                match self.inner.index() {
                    Ok(index) => {
                        let head = self.inner.find_commit(head)?.tree()?;
                        self.inner.diff_tree_to_index(Some(&head), Some(&index), Some(&mut options))?
                    }
                    Err(_) => {
                        let told = self.told_index()?;
                        if told.is_empty() {
                            return Ok(Vec::new());
                        }
                        options.disable_pathspec_match(true);
                        let mut index = git2::Index::new_ext(self.inner.object_format())?;
                        for (entry, there) in told {
                            options.pathspec(&entry.path[..]);
                            if there {
                                index.add(&entry)?;
                            }
                        }
                        let view = self.without_index()?;
                        let head = view.find_commit(head)?.tree()?;
                        view.diff_tree_to_index(Some(&head), Some(&index), Some(&mut options))?
                    }
                }
            }
        };
        let mut files = Vec::new();
        let mut wanted = true;
        for (index, delta) in diff.deltas().enumerate().take(most) {
            let side = |file: git2::DiffFile<'_>| file.exists().then(|| Oid::from(file.id()));
            let (old, new) = (side(delta.old_file()), side(delta.new_file()));
            let place = if new.is_some() { delta.new_file() } else { delta.old_file() };
            let Some(path) = place.path_bytes().map(path_of) else { continue };
            let patch = if wanted { git2::Patch::from_diff(&diff, index)? } else { None };
            for hunk in 0..patch.as_ref().map_or(0, git2::Patch::num_hunks) {
                let Some(patch) = patch.as_ref().filter(|_| wanted) else { break };
                for line in 0..patch.num_lines_in_hunk(hunk)? {
                    let line = patch.line_in_hunk(hunk, line)?;
                    let added = line.origin() == '+';
                    if added || line.origin() == '-' {
                        wanted = each(&path, hunk, added, line.content().trim_ascii_end());
                    }
                    if !wanted {
                        break;
                    }
                }
            }
            files.push(PatchFile { path, old, new });
        }
        Ok(files)
    }

    /// What the real git says the index has differently from HEAD, where libgit2 does not read it (a split or a sparse one): each
    /// entry, and whether it is there.
    fn told_index(&self) -> Result<Vec<(git2::IndexEntry, bool)>, GitError> {
        let words =
            ["diff-index", "--cached", "--raw", "--no-abbrev", "--no-renames", "--ignore-submodules", "-z", "HEAD"];
        let text = self.run_git().args(words).bytes()?;
        let mut found = Vec::new();
        let mut fields = text.split(|byte| *byte == 0);
        // `:100644 100644 <id> <id> M`, then the path.
        while let (Some(told), Some(path)) = (fields.next(), fields.next()) {
            let told = String::from_utf8_lossy(told);
            let words: Vec<&str> = told.split(' ').collect();
            let [_, mode, _, id, _] = words[..] else { break };
            let (mode, id) = (u32::from_str_radix(mode, 8).unwrap_or(0), Oid::parse(id));
            let Some(id) = id else { break };
            let (time, path) = (git2::IndexTime::new(0, 0), path.to_vec());
            let (dev, ino, uid, gid, file_size, flags, flags_extended) = (0, 0, 0, 0, 0, 0, 0);
            let (ctime, mtime, id) = (time, time, id.raw()?);
            let entry =
                git2::IndexEntry { ctime, mtime, dev, ino, mode, uid, gid, file_size, id, flags, flags_extended, path };
            found.push((entry, mode != 0));
        }
        Ok(found)
    }

    /// The patch id of the whole change, the same number as `git diff A B | git patch-id --stable`; none when nothing differs.
    pub fn patch_id(&self, from: &Oid, to: &Oid) -> Result<Option<String>, GitError> {
        self.bring_change(from, to)?;
        let diff = diff(self.without_index()?, from, to, git2::DiffOptions::new())?;
        if diff.deltas().len() == 0 {
            return Ok(None);
        }
        let id = diff.patchid(None)?.to_string();
        // Of a binary file libgit2 takes in that it differs, and not how: any two changes of one picture would be the same.
        let binary = diff.deltas().filter(|delta| delta.flags().is_binary());
        let told = binary.map(|delta| format!("{} {}\n", delta.old_file().id(), delta.new_file().id()));
        let told: String = told.collect();
        if told.is_empty() {
            return Ok(Some(id));
        }
        Ok(Some(git2::Oid::hash_object(git2::ObjectType::Blob, format!("{id}\n{told}").as_bytes())?.to_string()))
    }

    /// This repository with an empty index. libgit2 reads the whole index for the attributes of files that are not in the work
    /// tree; where all of them are, this gives the same answer. Where they may not be, it is the repository as it is, unless its
    /// index is of a kind that libgit2 does not read (a sparse one).
    fn without_index(&self) -> Result<&git2::Repository, GitError> {
        let partly = self.inner.workdir().is_none() || self.config_flag("core.sparseCheckout");
        if self.from_env || (partly && self.inner.index().is_ok()) {
            return Ok(&self.inner);
        }
        if let Some(view) = self.without_index.get() {
            return Ok(view);
        }
        let view = git2::Repository::open(self.git_dir())?;
        view.set_index(&mut git2::Index::new()?)?;
        Ok(self.without_index.get_or_init(|| view))
    }

    /// What is uncommitted in the work tree. The real git is asked, because only it runs the filters (line ends, LFS) that
    /// decide whether a file differs; it is told to leave the index as it is. A wholly untracked folder is one entry.
    pub fn uncommitted(&self) -> Result<Uncommitted, GitError> {
        self.status("--untracked-files=normal")
    }

    /// The same without what git does not track, for which no folder has to be read.
    pub fn uncommitted_tracked(&self) -> Result<Uncommitted, GitError> {
        self.status("--untracked-files=no")
    }

    fn status(&self, untracked: &str) -> Result<Uncommitted, GitError> {
        self.workdir()?;
        let text = self
            .run_git()
            .args(["--no-optional-locks", "status", "--porcelain=v1", "-z", "--no-renames"])
            .args([untracked, "--ignore-submodules=none"])
            .bytes()?;
        let mut found = Uncommitted::default();
        for entry in text.split(|byte| *byte == 0).filter(|entry| entry.len() > 3) {
            let path = path_of(&entry[3..]);
            match &entry[..2] {
                b"??" => found.untracked.push(path),
                b"DD" | b"AU" | b"UD" | b"UA" | b"DU" | b"AA" | b"UU" => found.conflicted.push(path),
                state => {
                    if state[0] != b' ' {
                        found.staged.push(path.clone());
                    }
                    found.tracked.push(path);
                }
            }
        }
        Ok(found)
    }

    /// The files that the index has; an error where libgit2 does not read it.
    pub fn tracked(&self) -> Result<Vec<PathBuf>, GitError> {
        Ok(self.inner.index()?.iter().map(|entry| path_of(&entry.path)).collect())
    }

    /// Whether any of these files is not as HEAD has it, in the index or in the work tree.
    pub fn differ_from_head(&self, files: &[&Path]) -> Result<bool, GitError> {
        if files.is_empty() {
            return Ok(false);
        }
        let mut options = git2::StatusOptions::new();
        options.include_untracked(true).recurse_untracked_dirs(true).include_ignored(true).recurse_ignored_dirs(true);
        options.disable_pathspec_match(true);
        for file in files {
            options.pathspec(file.as_os_str().as_bytes());
        }
        Ok(!self.inner.statuses(Some(&mut options))?.is_empty())
    }

    /// The blob that a file of the work tree would be committed as, its filters applied; for a symbolic link, of its target.
    pub fn hash_file(&self, path: &Path) -> Result<Oid, GitError> {
        let full = self.workdir()?.join(path);
        if full.is_symlink() {
            let target = std::fs::read_link(&full).map_err(|source| GitError::Io { path: full.clone(), source })?;
            let bytes = target.as_os_str().as_bytes();
            return Ok(git2::Oid::hash_object(git2::ObjectType::Blob, bytes)?.into());
        }
        let text = self.run_git().args(["hash-object", "--"]).arg(path).run()?;
        Oid::parse(&text)
            .ok_or_else(|| GitError::Other(phrase!("git hash-object said {text}", text = format!("{text:?}"))))
    }

    /// Whether the repository holds this blob.
    pub fn has_blob(&self, blob: &Oid) -> Result<bool, GitError> {
        Ok(self.inner.find_blob(blob.raw()?).is_ok())
    }

    /// Whether the repository holds this tree.
    pub fn has_tree(&self, tree: &Oid) -> Result<bool, GitError> {
        Ok(self.inner.find_tree(tree.raw()?).is_ok())
    }

    /// What a file with this blob looks like in the work tree, its filters applied; none when the blob is not there.
    pub fn checked_out_bytes(&self, blob: &Oid, path: &Path) -> Result<Option<Vec<u8>>, GitError> {
        if !self.has_blob(blob)? {
            return Ok(None);
        }
        let mut option = std::ffi::OsString::from("--path=");
        option.push(path);
        Ok(Some(self.run_git().args(["cat-file", "--filters"]).arg(option).arg(blob.as_str()).bytes()?))
    }

    /// The blob that a tree, named by a file such as `AUTO_MERGE` in the git directory, has at a path.
    pub fn blob_in(&self, name: &str, path: &Path) -> Result<Option<Oid>, GitError> {
        let id = match self.tabled(name)? {
            Some(refs) => refs.get(name).map(|held| held.id.clone()),
            None => std::fs::read_to_string(self.git_dir().join(name)).ok().and_then(|text| Oid::parse(text.trim())),
        };
        let Some(id) = id else { return Ok(None) };
        let Ok(tree) = self.inner.find_tree(id.raw()?) else { return Ok(None) };
        Ok(tree.get_path(path).ok().map(|entry| entry.id().into()))
    }

    /// The operation that git is in the middle of: `merge`, `rebase`, `cherry-pick`, `revert`, `bisect`, `am`.
    pub fn operation(&self) -> Option<&'static str> {
        use git2::RepositoryState::*;
        let state = self.inner.state();
        if let (Clean | Bisect, Ok(Some(refs))) = (state, self.tabled("HEAD")) {
            // Two of the signs are refs.
            let signs = [("REVERT_HEAD", "revert"), ("CHERRY_PICK_HEAD", "cherry-pick")];
            if let Some((_, found)) = signs.into_iter().find(|(name, _)| refs.contains_key(*name)) {
                return Some(found);
            }
        }
        match state {
            Clean => None,
            Merge => Some("merge"),
            Revert | RevertSequence => Some("revert"),
            CherryPick | CherryPickSequence => Some("cherry-pick"),
            Bisect => Some("bisect"),
            Rebase | RebaseInteractive | RebaseMerge => Some("rebase"),
            ApplyMailbox | ApplyMailboxOrRebase => Some("am"),
        }
    }
}
