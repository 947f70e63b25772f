//! Merges and reverts in memory: what would happen, before anything is touched.
//!
//! A [`Scratch`] is a second view of the repository whose new objects vanish with it. Where one side of a three-way merge
//! did not change, the answer is the other side and nothing is computed. Otherwise `git merge-tree` is asked, the same
//! engine that the real merge will use (directory renames and merge drivers included), writing to a temporary object
//! database; a git that is too old for that is stood in for by libgit2.

use super::command::Git;
use super::trees::{Differs, differing};
use super::{GitError, Oid, Repo, change::path_of};
use crate::phrase;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// How a merge in memory ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// The tree that it gives.
    Tree(Oid),
    /// The files that conflict, in path order.
    Conflict(Vec<PathBuf>),
}

/// A view of a repository whose new objects vanish with it.
pub struct Scratch<'r> {
    repo: &'r Repo,
    inner: git2::Repository,
    /// Where `git merge-tree` writes.
    objects: tempfile::TempDir,
    /// Whether git's `merge-tree` merges trees that belong to no commit; asked for when it is first needed.
    merges_trees: std::cell::OnceCell<bool>,
}

/// The first git whose `merge-tree` takes trees.
const MERGES_TREES: (u32, u32) = (2, 45);

/// Above libgit2's own backends (loose objects 1, packs 2), so that every write lands in memory.
const IN_MEMORY: i32 = 1000;

impl Repo {
    /// A view of this repository for merges in memory. Nothing that it makes reaches the repository.
    pub fn scratch(&self) -> Result<Scratch<'_>, GitError> {
        let temporary = std::env::temp_dir();
        let objects = tempfile::tempdir().map_err(|source| GitError::Io { path: temporary, source })?;
        // What git fetches into it comes as a pack, and libgit2 looks only once whether there is a folder for them.
        let packs = objects.path().join("pack");
        std::fs::create_dir(&packs).map_err(|source| GitError::Io { path: packs, source })?;
        let inner = git2::Repository::open(self.git_dir())?;
        let odb = inner.odb()?;
        odb.add_new_mempack_backend(IN_MEMORY)?;
        let path = objects.path().to_str().ok_or_else(|| GitError::Other("TMPDIR is no UTF-8".into()))?;
        odb.add_disk_alternate(path)?;
        drop(odb);
        Ok(Scratch { repo: self, inner, objects, merges_trees: std::cell::OnceCell::new() })
    }

    /// The version of git: `(2, 47)`.
    pub fn git_version(&self) -> Result<(u32, u32), GitError> {
        let text = self.run_git().arg("version").run()?;
        let mut numbers = text.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok());
        let unknown = || GitError::Other(phrase!("git version said {text}", text = format!("{text:?}")));
        Ok((numbers.next().ok_or_else(unknown)?, numbers.next().ok_or_else(unknown)?))
    }
}

impl Scratch<'_> {
    /// A commit that exists only here.
    pub fn commit(&self, tree: &Oid, parents: &[&Oid]) -> Result<Oid, GitError> {
        let tree = self.inner.find_tree(tree.raw()?)?;
        let parents: Result<Vec<_>, GitError> =
            parents.iter().map(|id| Ok(self.inner.find_commit(id.raw()?)?)).collect();
        let parents = parents?;
        let who = git2::Signature::new("git-verdict", "preflight", &git2::Time::new(0, 0))?;
        Ok(self.inner.commit(None, &who, &who, "preflight", &tree, &parents.iter().collect::<Vec<_>>())?.into())
    }

    /// The tree of a commit.
    pub fn tree(&self, commit: &Oid) -> Result<Oid, GitError> {
        Ok(self.inner.find_commit(commit.raw()?)?.tree_id().into())
    }

    /// What `git merge theirs` would give on top of `ours`.
    pub fn merge(&self, ours: &Oid, theirs: &Oid) -> Result<Merged, GitError> {
        let (ours, theirs) = (self.inner.find_commit(ours.raw()?)?, self.inner.find_commit(theirs.raw()?)?);
        let bases = self.inner.merge_bases(ours.id(), theirs.id());
        if let Ok(bases) = &bases
            && let [base] = bases[..]
        {
            let base = self.inner.find_commit(base)?.tree_id();
            if base == theirs.tree_id() || ours.tree_id() == theirs.tree_id() {
                return Ok(Merged::Tree(ours.tree_id().into()));
            }
            if base == ours.tree_id() {
                return Ok(Merged::Tree(theirs.tree_id().into()));
            }
            if self.merges_trees()? {
                return self.merge_trees(base, ours.tree_id(), theirs.tree_id());
            }
        }
        let on_disk = |id: git2::Oid| self.repo.inner.find_commit(id).is_ok();
        if self.merges_trees()? && on_disk(ours.id()) && on_disk(theirs.id()) {
            return self.merge_tree(&[&ours.id().to_string(), &theirs.id().to_string()]);
        }
        let index = self.inner.merge_commits(&ours, &theirs, None)?;
        self.outcome(index)
    }

    /// What `git revert [-m mainline] commit` would give on top of a tree. `mainline` counts parents from 1; a commit with
    /// one parent needs none.
    pub fn revert(&self, tree: &Oid, commit: &Oid, mainline: Option<u32>) -> Result<Merged, GitError> {
        let commit = self.inner.find_commit(commit.raw()?)?;
        let nth = mainline.unwrap_or(1).saturating_sub(1) as usize;
        let parent = match commit.parent_count() {
            0 => self.inner.treebuilder(None)?.write()?,
            _ => commit.parent(nth)?.tree_id(),
        };
        self.three_way(&commit.tree_id().into(), tree, &parent.into())
    }

    /// A tree with the change from `base` to `theirs` made to it.
    pub fn three_way(&self, base: &Oid, ours: &Oid, theirs: &Oid) -> Result<Merged, GitError> {
        if ours == base {
            return Ok(Merged::Tree(theirs.clone()));
        }
        if base == theirs || ours == theirs {
            return Ok(Merged::Tree(ours.clone()));
        }
        let (base, ours, theirs) = (base.raw()?, ours.raw()?, theirs.raw()?);
        if self.merges_trees()? {
            return self.merge_trees(base, ours, theirs);
        }
        let find = |id| self.inner.find_tree(id);
        let index = self.inner.merge_trees(&find(base)?, &find(ours)?, &find(theirs)?, None)?;
        self.outcome(index)
    }

    /// Writes a commit or tree that exists only here into the repository, with all that it needs. No ref is moved: what nobody
    /// refers to, `git gc` removes in time.
    pub fn persist(&self, object: &Oid) -> Result<(), GitError> {
        let (ours, theirs) = (self.inner.odb()?, self.repo.inner.odb()?);
        ours.refresh()?;
        for object in self.lacking(&ours, &theirs, object)? {
            theirs.write(object.kind(), object.data())?;
        }
        Ok(())
    }

    /// What the other object database lacks of an object and all that is in it. What is in something comes before it: when the
    /// writing is cut off, whatever is there is whole.
    fn lacking<'o>(
        &self,
        ours: &'o git2::Odb<'_>,
        theirs: &git2::Odb<'_>,
        object: &Oid,
    ) -> Result<Vec<git2::OdbObject<'o>>, GitError> {
        let mut waiting = vec![object.raw()?];
        let mut lacking = Vec::new();
        while let Some(id) = waiting.pop() {
            if theirs.exists(id) {
                continue;
            }
            // What a partial clone lacks on both sides is fetched when it is checked out.
            let Ok(object) = ours.read(id) else { continue };
            match object.kind() {
                git2::ObjectType::Commit => waiting.push(self.inner.find_commit(id)?.tree_id()),
                git2::ObjectType::Tree => {
                    let tree = self.inner.find_tree(id)?;
                    let inside = tree.iter().filter(|entry| entry.kind() != Some(git2::ObjectType::Commit));
                    waiting.extend(inside.map(|entry| entry.id()));
                }
                _ => {}
            }
            lacking.push(object);
        }
        lacking.reverse();
        Ok(lacking)
    }

    fn merges_trees(&self) -> Result<bool, GitError> {
        if let Some(known) = self.merges_trees.get() {
            return Ok(*known);
        }
        let found = self.repo.git_version()? >= MERGES_TREES;
        Ok(*self.merges_trees.get_or_init(|| found))
    }

    fn merge_trees(&self, base: git2::Oid, ours: git2::Oid, theirs: git2::Oid) -> Result<Merged, GitError> {
        self.merge_tree(&[&format!("--merge-base={base}"), &ours.to_string(), &theirs.to_string()])
    }

    fn merge_tree(&self, words: &[&str]) -> Result<Merged, GitError> {
        let command = ["merge-tree", "--write-tree", "--no-messages", "--name-only", "-z"];
        let output = self.git().args(command).args(words).output()?;
        let mut fields = output.stdout.split(|byte| *byte == 0);
        let tree = fields.next().and_then(|id| Oid::parse(&String::from_utf8_lossy(id)));
        match (output.status.code(), tree) {
            (Some(0), Some(tree)) => Ok(Merged::Tree(tree)),
            (Some(1), Some(_)) => {
                let files: BTreeSet<PathBuf> = fields.filter(|path| !path.is_empty()).map(path_of).collect();
                Ok(Merged::Conflict(files.into_iter().collect()))
            }
            _ => Err(GitError::Command {
                command: "merge-tree".into(),
                status: output.status.into(),
                output: String::from_utf8_lossy(&output.stderr).trim().to_string(),
            }),
        }
    }

    /// git with an object database of its own, that of the repository beneath it.
    fn git(&self) -> Git {
        // A list separated by colons, in which a quoted entry is taken as a C string.
        let path = self.repo.common_dir().join("objects").into_os_string().into_encoded_bytes();
        let escaped = path.iter().flat_map(|byte| match byte {
            b'"' | b'\\' => vec![b'\\', *byte],
            other => vec![*other],
        });
        let quoted: Vec<u8> = [b'"'].into_iter().chain(escaped).chain([b'"']).collect();
        let beneath = path_of(&quoted);
        self.repo
            .run_git()
            .env("GIT_OBJECT_DIRECTORY", self.objects.path())
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", beneath)
    }

    fn outcome(&self, mut index: git2::Index) -> Result<Merged, GitError> {
        if !index.has_conflicts() {
            return Ok(Merged::Tree(index.write_tree_to(&self.inner)?.into()));
        }
        let mut files = BTreeSet::new();
        for conflict in index.conflicts()? {
            let conflict = conflict?;
            for entry in [conflict.our, conflict.their, conflict.ancestor].into_iter().flatten() {
                files.insert(path_of(&entry.path));
            }
        }
        Ok(Merged::Conflict(files.into_iter().collect()))
    }

    /// The files that differ between two trees, in path order.
    pub fn paths_between(&self, from: &Oid, to: &Oid) -> Result<Vec<Differs>, GitError> {
        if from == to {
            return Ok(Vec::new());
        }
        if self.repo.is_partial() {
            // Trees that exist only here are unknown to git, and need not be brought.
            let _ = self.git().args(["diff-tree", "-r", "--no-renames", from.as_str(), to.as_str()]).output();
            self.inner.odb()?.refresh()?;
        }
        differing(&self.inner, Some(from.raw()?), Some(to.raw()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::test::Sandbox;
    use std::cell::OnceCell;

    /// `main` and `side` change different lines of `f`; `clash` changes the line that `main` does.
    fn sandbox() -> Sandbox {
        let sandbox = Sandbox::new();
        sandbox.commit("f", "1\n2\n3\n4\n5\n6\n7\n8\n");
        for (branch, text) in [("side", "1\n2\n3\n4\n5\n6\n7\neight\n"), ("clash", "uno\n2\n3\n4\n5\n6\n7\n8\n")] {
            sandbox.git(&["switch", "-q", "-c", branch, "main"]);
            sandbox.commit("f", text);
        }
        sandbox.git(&["switch", "-q", "main"]);
        sandbox.commit("f", "one\n2\n3\n4\n5\n6\n7\n8\n");
        sandbox
    }

    /// Each engine in turn: the real git, and libgit2 in its place.
    fn engines(repo: &Repo) -> [Scratch<'_>; 2] {
        let mut old = repo.scratch().unwrap();
        old.merges_trees = OnceCell::from(false);
        [repo.scratch().unwrap(), old]
    }

    #[test]
    fn a_merge_in_memory_gives_the_tree_of_the_real_one_and_writes_nothing() {
        let sandbox = sandbox();
        let repo = sandbox.repo();
        let [main, side] = ["main", "side"].map(|name| repo.resolve(name).unwrap());
        let before = sandbox.git(&["count-objects", "-v"]);
        let found = engines(&repo).map(|scratch| scratch.merge(&main, &side).unwrap());
        assert_eq!(sandbox.git(&["count-objects", "-v"]), before);
        sandbox.git(&["merge", "-q", "--no-edit", "side"]);
        let tree = repo.commit(&repo.resolve("HEAD").unwrap()).unwrap().tree;
        assert_eq!(found, [Merged::Tree(tree.clone()), Merged::Tree(tree)]);
    }

    #[test]
    fn a_conflict_names_its_files() {
        let sandbox = sandbox();
        let repo = sandbox.repo();
        let [main, clash] = ["main", "clash"].map(|name| repo.resolve(name).unwrap());
        for scratch in engines(&repo) {
            assert_eq!(scratch.merge(&main, &clash).unwrap(), Merged::Conflict(vec![PathBuf::from("f")]));
        }
    }

    #[test]
    fn a_revert_in_memory_works_on_a_tree_that_has_moved_on() {
        let sandbox = sandbox();
        let repo = sandbox.repo();
        let commit = repo.resolve("main").unwrap();
        sandbox.commit("f", "one\n2\n3\n4\n5\n6\n7\nEIGHT\n");
        let moved = repo.commit(&repo.resolve("main").unwrap()).unwrap().tree;
        for scratch in engines(&repo) {
            let Merged::Tree(tree) = scratch.revert(&moved, &commit, None).unwrap() else { panic!() };
            let differs = scratch.paths_between(&moved, &tree).unwrap();
            assert_eq!(differs.len(), 1);
            let blob = scratch.inner.find_blob(differs[0].to.as_ref().unwrap().raw().unwrap()).unwrap();
            assert_eq!(blob.content(), b"1\n2\n3\n4\n5\n6\n7\nEIGHT\n");
        }
    }

    #[test]
    fn a_file_in_a_folder_that_was_renamed_meanwhile_is_seen_as_git_sees_it() {
        let sandbox = Sandbox::new();
        for n in 0..4 {
            sandbox.commit(&format!("old/{n}"), &format!("{n}\n{n}\n{n}\n"));
        }
        sandbox.git(&["switch", "-q", "-c", "side"]);
        sandbox.commit("old/new", "new\n");
        sandbox.git(&["switch", "-q", "main"]);
        sandbox.git(&["mv", "old", "moved"]);
        sandbox.git(&["commit", "-q", "-m", "rename"]);
        let repo = sandbox.repo();
        let [main, side] = ["main", "side"].map(|name| repo.resolve(name).unwrap());
        let [git, _] = engines(&repo);
        let found = git.merge(&main, &side).unwrap();
        if git.merges_trees().unwrap() {
            assert_eq!(found, Merged::Conflict(vec![PathBuf::from("moved/new")]));
        }
    }

    #[test]
    fn a_merge_that_is_wanted_is_written_whole_and_without_a_ref() {
        let sandbox = sandbox();
        let repo = sandbox.repo();
        let [main, side] = ["main", "side"].map(|name| repo.resolve(name).unwrap());
        let refs = sandbox.git(&["for-each-ref"]);
        for scratch in engines(&repo) {
            let Merged::Tree(tree) = scratch.merge(&main, &side).unwrap() else { panic!() };
            let commit = scratch.commit(&tree, &[&main]).unwrap();
            scratch.persist(&commit).unwrap();
            assert_eq!(sandbox.git(&["show", &format!("{commit}:f")]), "one\n2\n3\n4\n5\n6\n7\neight");
            assert_eq!(scratch.commit(&tree, &[&main]).unwrap(), commit, "the same each time");
        }
        assert_eq!(sandbox.git(&["for-each-ref"]), refs);
        sandbox.git(&["fsck", "--no-dangling"]);
    }

    #[test]
    fn what_is_in_a_tree_is_written_before_it() {
        let sandbox = Sandbox::new();
        sandbox.commit("deep/er/f", "1\n2\n3\n4\n5\n6\n7\n8\n");
        sandbox.git(&["switch", "-q", "-c", "side"]);
        sandbox.commit("deep/er/f", "1\n2\n3\n4\n5\n6\n7\neight\n");
        sandbox.git(&["switch", "-q", "main"]);
        sandbox.commit("deep/er/f", "one\n2\n3\n4\n5\n6\n7\n8\n");
        let repo = sandbox.repo();
        let [main, side] = ["main", "side"].map(|name| repo.resolve(name).unwrap());
        let scratch = repo.scratch().unwrap();
        let Merged::Tree(tree) = scratch.merge(&main, &side).unwrap() else { panic!() };
        let commit = scratch.commit(&tree, &[&main]).unwrap();
        let (ours, theirs) = (scratch.inner.odb().unwrap(), repo.inner.odb().unwrap());
        ours.refresh().unwrap();
        let lacking = scratch.lacking(&ours, &theirs, &commit).unwrap();
        let kinds: Vec<&str> = lacking.iter().map(|object| object.kind().str()).collect();
        assert_eq!(kinds, ["blob", "tree", "tree", "tree", "commit"]);
    }

    #[test]
    fn a_root_commit_can_be_reverted() {
        let sandbox = sandbox();
        let repo = sandbox.repo();
        let root = Oid::parse(&sandbox.git(&["rev-list", "--max-parents=0", "main"])).unwrap();
        let tree = repo.commit(&root).unwrap().tree;
        let scratch = repo.scratch().unwrap();
        let Merged::Tree(empty) = scratch.revert(&tree, &root, None).unwrap() else { panic!() };
        assert_eq!(scratch.inner.find_tree(empty.raw().unwrap()).unwrap().len(), 0);
    }
}
