//! Linked worktrees, remotes, the base branch, and what is in the way of a checkout.

use super::{GitError, Head, Oid, Repo, change::path_of};
use crate::phrase;
use crate::phrase::Phrase;
use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A work tree of the repository: the main one or a linked one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worktree {
    /// Its root.
    pub path: PathBuf,
    /// The branch that is checked out in it; none when its HEAD is detached.
    pub branch: Option<String>,
    /// Whether this [`Repo`] was opened in it.
    pub current: bool,
}

impl Repo {
    /// All work trees, the main one first (left out when the repository is bare). One whose folder is gone is listed until
    /// `git worktree prune`, because git counts its branch as checked out.
    pub fn worktrees(&self) -> Result<Vec<Worktree>, GitError> {
        let same = |a: &Path, b: &Path| a == b || std::fs::canonicalize(a).ok() == std::fs::canonicalize(b).ok();
        if self.reftable.is_some() {
            // There HEAD is no file.
            let told = self.run_git().args(["worktree", "list", "--porcelain", "-z"]).bytes()?;
            let here = self.inner.workdir();
            let current = |path: &Path| here.is_some_and(|root| same(root, path));
            return Ok(listed(&told)
                .map(|(path, branch)| Worktree { current: current(&path), path, branch })
                .collect());
        }
        let read = |path: PathBuf| match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes.trim_ascii_end().to_vec())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(GitError::Io { path, source }),
        };
        let branch = |dir: &Path| -> Result<Option<String>, GitError> {
            let head = read(dir.join("HEAD"))?;
            let name = head.as_deref().and_then(|text| text.strip_prefix(b"ref: refs/heads/"));
            Ok(name.map(|name| String::from_utf8_lossy(name).into_owned()))
        };
        let mut found = Vec::new();
        let bare = self.config_value("core.bare").is_some_and(|value| value == "true");
        let main = match self.inner.workdir() {
            Some(root) if !self.inner.is_worktree() => Some(root.to_path_buf()),
            _ if bare => None,
            _ => self.common_dir().parent().map(Path::to_path_buf),
        };
        if let Some(path) = main {
            let current = !self.inner.is_worktree() && !self.inner.is_bare();
            found.push(Worktree { path, branch: branch(self.common_dir())?, current });
        }
        let folder = self.common_dir().join("worktrees");
        let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(found) };
        let mut dirs: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        dirs.sort();
        for dir in dirs {
            let Some(gitfile) = read(dir.join("gitdir"))? else { continue };
            let gitfile = dir.join(path_of(&gitfile));
            let path = gitfile.parent().unwrap_or(&gitfile).to_path_buf();
            found.push(Worktree { path, branch: branch(&dir)?, current: same(&dir, self.git_dir()) });
        }
        Ok(found)
    }

    /// The other work tree in which a branch is checked out.
    pub fn checked_out_elsewhere(&self, branch: &str) -> Result<Option<PathBuf>, GitError> {
        let holds = |tree: &Worktree| !tree.current && tree.branch.as_deref() == Some(branch);
        Ok(self.worktrees()?.into_iter().find(holds).map(|tree| tree.path))
    }

    /// Whether history is cut off (`git clone --depth`).
    pub fn is_shallow(&self) -> bool {
        self.inner.is_shallow()
    }

    /// The remotes and the URL that each is fetched from, in the order of their names.
    pub fn remotes(&self) -> Result<Vec<(String, String)>, GitError> {
        let names = self.inner.remotes()?;
        let mut found = Vec::new();
        for index in 0..names.len() {
            let Ok(Some(name)) = names.get(index) else { continue };
            let remote = self.inner.find_remote(name)?;
            found.push((name.to_string(), String::from_utf8_lossy(remote.url_bytes()).into_owned()));
        }
        Ok(found)
    }

    /// The branch that experiments start from and land on: the configured one, else the one HEAD is on, else what
    /// `origin/HEAD` names, else `main` or `master`. An error when the configured one does not exist, or when there is none.
    pub fn default_base(&self, configured: Option<&str>) -> Result<String, GitError> {
        if let Some(name) = configured {
            let known = self.branch(name)?.is_some();
            return known.then(|| name.to_string()).ok_or_else(|| GitError::UnknownRef(name.to_string()));
        }
        let head = self.head()?;
        if let Head::Branch { name, .. } = head {
            return Ok(name);
        }
        let origin = self.symbolic_target("refs/remotes/origin/HEAD").ok().flatten();
        let origin = origin.and_then(|target| target.strip_prefix("refs/remotes/origin/").map(String::from));
        for name in origin.into_iter().chain(["main".to_string(), "master".to_string()]) {
            if self.branch(&name)?.is_some() {
                return Ok(name);
            }
        }
        Err(match head {
            Head::Unborn(name) => GitError::Unborn(name),
            Head::Detached(id) => GitError::Detached(id.short().to_string()),
            Head::Branch { name, .. } => GitError::UnknownRef(name),
        })
    }

    /// The lock on the index, when one is held (or was left behind).
    pub fn index_lock(&self) -> Option<PathBuf> {
        let path = self.git_dir().join("index.lock");
        path.symlink_metadata().is_ok().then_some(path)
    }

    /// Whether git would ignore a path (relative to the root of the work tree).
    pub fn is_ignored(&self, path: &Path) -> Result<bool, GitError> {
        Ok(self.inner.is_path_ignored(path)?)
    }

    /// Files and folders that are not tracked in `head` and would be overwritten when `writes` (relative to the root of the
    /// work tree) are written: ignored ones too, which git itself would overwrite without a word.
    pub fn in_the_way(&self, head: &Oid, writes: &[PathBuf]) -> Result<Vec<PathBuf>, GitError> {
        let root = self.workdir()?;
        let tree = self.inner.find_commit(head.raw()?)?.tree()?;
        let tracked = |path: &Path| tree.get_path(path).ok();
        let fold = self.config_value("core.ignorecase").is_some_and(|value| value == "true");
        let mut folded = None;
        let mut found = BTreeSet::new();
        'paths: for path in writes {
            if tracked(path).is_some_and(|entry| entry.kind() != Some(git2::ObjectType::Tree)) {
                continue;
            }
            let mut above: Vec<&Path> = path.ancestors().skip(1).filter(|p| !p.as_os_str().is_empty()).collect();
            above.reverse();
            for folder in above {
                match root.join(folder).symlink_metadata() {
                    Err(_) => continue 'paths,
                    Ok(meta) if meta.is_dir() => {}
                    Ok(_) => {
                        if tracked(folder).is_none() {
                            found.insert(folder.to_path_buf());
                        }
                        continue 'paths;
                    }
                }
            }
            let Ok(meta) = root.join(path).symlink_metadata() else { continue };
            if meta.is_dir() {
                for entry in walkdir::WalkDir::new(root.join(path)).into_iter().flatten() {
                    let inner = entry.path().strip_prefix(root).unwrap_or(entry.path());
                    if !entry.file_type().is_dir() && tracked(inner).is_none() {
                        found.insert(inner.to_path_buf());
                    }
                }
                continue;
            }
            if fold {
                let folded = match &mut folded {
                    Some(names) => names,
                    none => none.insert(lower_names(&tree)?),
                };
                if folded.contains(&path.as_os_str().as_bytes().to_ascii_lowercase()) {
                    continue;
                }
            }
            found.insert(path.clone());
        }
        Ok(found.into_iter().collect())
    }
}

/// The work trees and their branches out of `git worktree list --porcelain -z`.
fn listed(told: &[u8]) -> impl Iterator<Item = (PathBuf, Option<String>)> {
    let lines: Vec<&[u8]> = told.split(|byte| *byte == 0).collect();
    let entries: Vec<_> = lines.split(|line| line.is_empty()).map(<[_]>::to_vec).collect();
    entries
        .into_iter()
        .filter(|entry| !entry.contains(&&b"bare"[..]))
        .filter_map(|entry| {
            let value = |key: &[u8]| entry.iter().find_map(|line| line.strip_prefix(key));
            let branch = value(b"branch refs/heads/").map(|name| String::from_utf8_lossy(name).into_owned());
            Some((path_of(value(b"worktree ")?), branch))
        })
        .collect::<Vec<_>>()
        .into_iter()
}

/// Why nothing may be written at a path (relative to the root of the work tree): it leaves the work tree, by its words or by a
/// symbolic link, or it is in a git directory.
pub fn outside(root: &Path, path: &Path) -> Option<Phrase> {
    use std::path::Component;
    if path.as_os_str().is_empty() {
        return Some("it is empty".into());
    }
    let mut at = root.to_path_buf();
    for part in path.components() {
        match part {
            Component::CurDir => continue,
            Component::Normal(name) if !is_git_dir(&name.to_string_lossy()) => at.push(name),
            Component::Normal(_) => return Some("it is in a git directory".into()),
            _ => return Some("it must be inside the work tree".into()),
        }
        if at.is_symlink() {
            let link = at.strip_prefix(root).unwrap_or(&at).display();
            return Some(phrase!("{link} is a symbolic link", link));
        }
    }
    None
}

/// Whether some file system would take a name for `.git`: case, trailing dots and spaces, the short name of FAT, and the
/// characters that HFS+ passes over.
fn is_git_dir(name: &str) -> bool {
    let passed_over = |c: &char| !matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let plain: String = name.chars().filter(passed_over).collect::<String>().to_ascii_lowercase();
    let plain = plain.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
    plain == ".git" || plain == "git~1"
}

/// The paths of all files of a tree in lower case, to tell a change of case from a new file.
fn lower_names(tree: &git2::Tree<'_>) -> Result<BTreeSet<Vec<u8>>, GitError> {
    let mut names = BTreeSet::new();
    tree.walk(git2::TreeWalkMode::PreOrder, |folder, entry| {
        let mut name = folder.as_bytes().to_vec();
        name.extend_from_slice(entry.name_bytes());
        names.insert(name.to_ascii_lowercase());
        git2::TreeWalkResult::Ok
    })?;
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::test::Sandbox;

    #[test]
    fn linked_work_trees_are_listed_with_their_branches() {
        for format in ["files", "reftable"] {
            listed_with_branches(&Sandbox::with(&[&format!("--ref-format={format}")]));
        }
    }

    fn listed_with_branches(sandbox: &Sandbox) {
        let linked = sandbox.around().join("linked");
        sandbox.git(&["worktree", "add", "-q", "-b", "side", linked.to_str().unwrap()]);
        let detached = sandbox.around().join("detached");
        sandbox.git(&["worktree", "add", "-q", "--detach", detached.to_str().unwrap()]);
        let seen = |repo: &Repo| -> Vec<(String, Option<String>, bool)> {
            let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
            repo.worktrees().unwrap().into_iter().map(|t| (name(&t.path), t.branch, t.current)).collect()
        };
        let expected = |current: &str| {
            [("repo", Some("main")), ("detached", None), ("linked", Some("side"))]
                .map(|(name, branch)| (name.to_string(), branch.map(String::from), name == current))
        };
        assert_eq!(seen(&sandbox.repo()), expected("repo"));
        assert_eq!(seen(&Repo::discover(&linked).unwrap()), expected("linked"));
        let elsewhere = sandbox.repo().checked_out_elsewhere("side").unwrap().unwrap();
        assert_eq!(elsewhere.canonicalize().unwrap(), linked.canonicalize().unwrap());
        assert_eq!(sandbox.repo().checked_out_elsewhere("main").unwrap(), None);
        assert!(Repo::discover(&linked).unwrap().checked_out_elsewhere("main").unwrap().is_some());
    }

    #[test]
    fn a_linked_work_tree_of_a_bare_repository_stands_alone() {
        for format in ["files", "reftable"] {
            stands_alone(&Sandbox::with(&[&format!("--ref-format={format}")]));
        }
    }

    fn stands_alone(sandbox: &Sandbox) {
        let bare = sandbox.around().join("bare.git");
        let format = sandbox.git(&["rev-parse", "--show-ref-format"]);
        sandbox.git(&["clone", "-q", "--bare", &format!("--ref-format={format}"), ".", bare.to_str().unwrap()]);
        let linked = sandbox.around().join("linked");
        sandbox.git(&["-C", bare.to_str().unwrap(), "worktree", "add", "-q", linked.to_str().unwrap(), "main"]);
        let found = Repo::discover(&linked).unwrap().worktrees().unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].branch.as_deref(), found[0].current), (Some("main"), true));
    }

    #[test]
    fn the_base_branch_is_the_configured_one_or_where_head_is_or_a_usual_name() {
        let sandbox = Sandbox::new();
        sandbox.git(&["branch", "trunk"]);
        let repo = sandbox.repo();
        assert_eq!(repo.default_base(Some("trunk")).unwrap(), "trunk");
        assert!(matches!(repo.default_base(Some("nowhere")), Err(GitError::UnknownRef(name)) if name == "nowhere"));
        sandbox.git(&["switch", "-q", "trunk"]);
        assert_eq!(repo.default_base(None).unwrap(), "trunk");
        sandbox.git(&["switch", "-q", "--detach"]);
        assert_eq!(repo.default_base(None).unwrap(), "main");
        sandbox.git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk"]);
        assert_eq!(repo.default_base(None).unwrap(), "trunk");
        sandbox.git(&["branch", "-q", "-m", "trunk", "other"]);
        sandbox.git(&["branch", "-q", "-m", "main", "another"]);
        assert!(matches!(repo.default_base(None), Err(GitError::Detached(_))));
    }

    #[test]
    fn nothing_is_written_outside_the_work_tree_or_into_a_git_directory() {
        let sandbox = Sandbox::new();
        std::os::unix::fs::symlink("/", sandbox.root.join("link")).unwrap();
        let refused = |path: &str| outside(&sandbox.root, Path::new(path)).is_some();
        for path in [
            "",
            "..",
            "a/../../b",
            "/a",
            ".git",
            "a/.GIT/b",
            ".git./x",
            ".git ",
            "git~1/x",
            ".gi\u{200d}t",
            ".git::$INDEX",
            "link",
            "link/a",
        ] {
            assert!(refused(path), "{path:?}");
        }
        for path in ["a", "./docs/adr/0001-x.md", ".github/x", "a.git", ".gitignore", "..."] {
            assert!(!refused(path), "{path:?}");
        }
    }

    #[test]
    fn remotes_are_listed_with_their_urls() {
        let sandbox = Sandbox::new();
        sandbox.git(&["remote", "add", "origin", "https://example.org/x.git"]);
        let expected = [("origin".to_string(), "https://example.org/x.git".to_string())];
        assert_eq!(sandbox.repo().remotes().unwrap(), expected);
    }

    #[test]
    fn a_shallow_clone_is_known() {
        let sandbox = Sandbox::new();
        sandbox.commit("a", "a\n");
        let shallow = sandbox.around().join("shallow");
        let url = format!("file://{}", sandbox.root.display());
        sandbox.git(&["clone", "-q", "--depth=1", &url, shallow.to_str().unwrap()]);
        assert!(Repo::discover(&shallow).unwrap().is_shallow());
        assert!(!sandbox.repo().is_shallow());
    }

    #[test]
    fn a_change_of_case_is_not_in_the_way_where_case_does_not_count() {
        let sandbox = Sandbox::new();
        sandbox.commit("readme", "x\n");
        sandbox.write("README", "untracked\n");
        let repo = sandbox.repo();
        let head = repo.resolve("HEAD").unwrap();
        let writes = [PathBuf::from("README"), PathBuf::from("readme"), PathBuf::from("free")];
        assert_eq!(repo.in_the_way(&head, &writes).unwrap(), [PathBuf::from("README")]);
        sandbox.git(&["config", "core.ignorecase", "true"]);
        assert_eq!(sandbox.repo().in_the_way(&head, &writes).unwrap(), Vec::<PathBuf>::new());
    }
}
