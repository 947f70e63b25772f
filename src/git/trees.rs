//! What differs between two trees, found without reading the folders that both have alike.
//!
//! libgit2 compares two trees file by file, even where the whole folder is the same object.

use super::{GitError, Oid, change::path_of};
use crate::phrase;
use std::cmp::Ordering;
use std::iter::Peekable;
use std::path::PathBuf;
use std::vec::IntoIter;

/// Folders within folders that are followed at most: as many as git does (`core.maxTreeDepth`).
const DEEPEST: usize = 2048;

/// A file that differs between two trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differs {
    /// Where it is.
    pub path: PathBuf,
    /// What the first tree has there, if anything.
    pub from: Option<Oid>,
    /// What the second tree has there, if anything.
    pub to: Option<Oid>,
}

/// One entry of a tree, under the name that git sorts it by: that of a folder ends in a slash.
struct Entry {
    name: Vec<u8>,
    id: git2::Oid,
    mode: i32,
}

impl Entry {
    fn folder(&self) -> Option<git2::Oid> {
        self.name.ends_with(b"/").then_some(self.id)
    }
}

fn entries(repo: &git2::Repository, tree: Option<git2::Oid>) -> Result<Vec<Entry>, GitError> {
    let Some(tree) = tree else { return Ok(Vec::new()) };
    let tree = repo.find_tree(tree)?;
    let named = tree.iter().map(|entry| {
        let mut name = entry.name_bytes().to_vec();
        if entry.kind() == Some(git2::ObjectType::Tree) {
            name.push(b'/');
        }
        Entry { name, id: entry.id(), mode: entry.filemode() }
    });
    Ok(named.collect())
}

/// Two folders of the same path, side by side.
struct Pair {
    old: Peekable<IntoIter<Entry>>,
    new: Peekable<IntoIter<Entry>>,
    above: Vec<u8>,
}

impl Pair {
    fn open(
        repo: &git2::Repository,
        from: Option<git2::Oid>,
        to: Option<git2::Oid>,
        above: Vec<u8>,
    ) -> Result<Pair, GitError> {
        let read = |tree| Ok::<_, GitError>(entries(repo, tree)?.into_iter().peekable());
        Ok(Pair { old: read(from)?, new: read(to)?, above })
    }

    /// The next name, with what each has under it.
    fn next(&mut self) -> (Option<Entry>, Option<Entry>) {
        let first = match (self.old.peek(), self.new.peek()) {
            (Some(a), Some(b)) => a.name.cmp(&b.name),
            (Some(_), None) => Ordering::Less,
            _ => Ordering::Greater,
        };
        let a = if first.is_le() { self.old.next() } else { None };
        (a, if first.is_ge() { self.new.next() } else { None })
    }
}

/// The files that differ between two trees, in path order; a tree that is none has no files.
pub(super) fn differing(
    repo: &git2::Repository,
    from: Option<git2::Oid>,
    to: Option<git2::Oid>,
) -> Result<Vec<Differs>, GitError> {
    let mut found = Vec::new();
    if from == to {
        return Ok(found);
    }
    // Without recursion, so that no tree overflows the stack.
    let mut open = vec![Pair::open(repo, from, to, Vec::new())?];
    while let Some(pair) = open.last_mut() {
        let (a, b) = pair.next();
        let (Some(either), a, b) = (a.as_ref().or(b.as_ref()), a.as_ref(), b.as_ref()) else {
            open.pop();
            continue;
        };
        if a.zip(b).is_some_and(|(a, b)| a.id == b.id && a.mode == b.mode) {
            continue;
        }
        let path = [&pair.above, &either.name[..]].concat();
        if either.folder().is_none() {
            let id = |side: Option<&Entry>| side.map(|entry| Oid::from(entry.id));
            found.push(Differs { path: path_of(&path), from: id(a), to: id(b) });
            continue;
        }
        if open.len() > DEEPEST {
            return Err(GitError::Other(phrase!("a tree has folders nested deeper than {n}", n = DEEPEST)));
        }
        open.push(Pair::open(repo, a.map(|a| a.id), b.map(|b| b.id), path)?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::objects::TreeEntry;
    use crate::git::test::Sandbox;

    #[test]
    fn a_tree_that_is_nested_without_end_is_an_error_and_no_overflow() {
        let sandbox = Sandbox::new();
        let repo = sandbox.repo();
        let blob = repo.write_blob(b"x").unwrap();
        let mut tree = repo.write_tree(None, &[TreeEntry::blob("file", blob)]).unwrap();
        for _ in 0..DEEPEST {
            tree = repo.write_tree(None, &[TreeEntry::tree("d", tree)]).unwrap();
        }
        assert_eq!(differing(&repo.inner, None, Some(tree.raw().unwrap())).unwrap().len(), 1);
        let deeper = repo.write_tree(None, &[TreeEntry::tree("d", tree)]).unwrap();
        let error = differing(&repo.inner, None, Some(deeper.raw().unwrap())).unwrap_err();
        assert!(error.to_string().contains("nested deeper than 2048"), "{error}");
    }

    #[test]
    fn what_differs_is_what_git_says_differs() {
        let sandbox = Sandbox::new();
        sandbox.commit("same/deep/a", "a\n");
        sandbox.commit("dir/sub/one", "1\n");
        sandbox.commit("dir/two", "2\n");
        sandbox.commit("dir-file", "3\n");
        sandbox.commit("becomes-folder", "4\n");
        sandbox.commit("mode", "5\n");
        let before = sandbox.repo().resolve("HEAD").unwrap();
        sandbox.git(&["rm", "-q", "-r", "becomes-folder", "dir/sub"]);
        sandbox.git(&["update-index", "--chmod=+x", "mode"]);
        for path in ["becomes-folder/x", "dir/sub.txt", "dir/sub", "dir0", "\u{e9}"] {
            sandbox.commit(path, path);
        }
        let repo = sandbox.repo();
        let after = repo.resolve("HEAD").unwrap();
        let trees = [&before, &after].map(|id| Some(repo.tree_of(id).unwrap().raw().unwrap()));
        for (from, to, words) in [(trees[0], trees[1], [&before, &after]), (trees[1], trees[0], [&after, &before])] {
            let found = differing(&repo.inner, from, to).unwrap();
            let none = "0".repeat(40);
            let lines = found.iter().map(|file| {
                let id = |side: &Option<Oid>| side.as_ref().map_or(none.clone(), |id| id.to_string());
                format!("{} {} {}", id(&file.from), id(&file.to), file.path.display())
            });
            let raw =
                ["-c", "core.quotepath=false", "diff-tree", "-r", "--no-renames", words[0].as_str(), words[1].as_str()];
            let expected = sandbox.git(&raw);
            let expected = expected.lines().map(|line| {
                let fields: Vec<&str> = line.split([' ', '\t']).collect();
                format!("{} {} {}", fields[2], fields[3], fields[5])
            });
            assert_eq!(lines.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        }
        assert_eq!(differing(&repo.inner, trees[0], trees[0]).unwrap(), []);
        assert_eq!(differing(&repo.inner, None, trees[0]).unwrap().len(), 6);
    }
}
