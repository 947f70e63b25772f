//! Refs that are kept as reftable. libgit2 reads the objects of such a repository but not its refs, so the real git is asked
//! for all of them at once, and asked again only when the list of tables has changed. Tags and remote branches, of which there may
//! be very many, are left out until one is wanted.

use super::{GitError, Oid, Repo};
use crate::phrase;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Names and what they hold. HEAD and its kin are among them; MERGE_HEAD and FETCH_HEAD, which stay files, are not, nor is a
/// symbolic ref whose target does not exist.
pub(super) type Refs = BTreeMap<String, Held>;

/// What a ref holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    /// The object, through all symbolic refs.
    pub(super) id: Oid,
    /// The ref that it names, when it is symbolic.
    pub(super) target: Option<String>,
}

/// What was read last, and the lists of tables that it was read from: the shared one and that of a linked work tree. A table
/// never changes, and a new one has a name of its own.
#[derive(Debug, Default)]
pub(super) struct Reftable {
    near: Option<(Vec<u8>, Rc<Refs>)>,
    all: Option<(Vec<u8>, Rc<Refs>)>,
}

/// What is left out at first.
const FAR: [&str; 2] = ["refs/tags/", "refs/remotes/"];

/// Lets libgit2 open repositories whose refs it cannot read. To be called before any is opened.
#[allow(unsafe_code)]
pub(super) fn admit() -> Result<(), GitError> {
    static ADMITTED: std::sync::Once = std::sync::Once::new();
    let mut done = Ok(());
    // SAFETY: libgit2 keeps the names in a static list that has no lock. It is written here alone, once, and read only when
    // a repository is opened, which this program does after this call has returned in the same thread; another thread that
    // calls this meanwhile waits for the first.
    ADMITTED.call_once(|| done = unsafe { git2::opts::set_extensions(&["refstorage"]) });
    Ok(done?)
}

/// What `extensions.refStorage` asks for: none where refs are files.
pub(super) fn storage(value: Option<String>) -> Result<Option<Reftable>, GitError> {
    match value.as_deref() {
        None | Some("files") => Ok(None),
        Some("reftable") => Ok(Some(Reftable::default())),
        Some(other) => Err(GitError::Unsupported(phrase!("its refs are kept as '{other}', which is not known", other))),
    }
}

impl Repo {
    /// The refs of a reftable repository as they are now, at least those whose names begin with `name`; none where refs are
    /// files.
    pub(super) fn tabled(&self, name: &str) -> Result<Option<Rc<Refs>>, GitError> {
        let Some(cell) = &self.reftable else { return Ok(None) };
        let mut known = cell.borrow_mut();
        // Read before git is: what changes meanwhile is then seen as a change the next time.
        let lists = self.table_lists();
        let far = FAR.iter().any(|place| name.starts_with(place) || place.starts_with(name));
        let near = known.near.as_ref().filter(|_| !far);
        if let Some((_, refs)) = known.all.as_ref().into_iter().chain(near).find(|(of, _)| *of == lists) {
            return Ok(Some(refs.clone()));
        }
        let format = "--format=%(refname)%00%(objectname)%00%(symref)";
        let mut git = self.run_git().args(["for-each-ref", "--include-root-refs", format]);
        if !far {
            git = git.args(FAR.map(|place| format!("--exclude={place}")));
        }
        let refs: Rc<Refs> = Rc::new(git.bytes()?.split(|byte| *byte == b'\n').filter_map(parse).collect());
        let read = if far { &mut known.all } else { &mut known.near };
        *read = Some((lists, refs.clone()));
        Ok(Some(refs))
    }

    fn table_lists(&self) -> Vec<u8> {
        let list = |dir: &std::path::Path| std::fs::read(dir.join("reftable/tables.list")).unwrap_or_default();
        let mut lists = list(self.common_dir());
        if self.git_dir() != self.common_dir() {
            lists.push(0);
            lists.extend(list(self.git_dir()));
        }
        lists
    }

    /// What a symbolic ref of a reftable repository names, whether that exists or not.
    pub(super) fn tabled_target(&self, name: &str) -> Result<Option<String>, GitError> {
        let output = self.run_git().args(["symbolic-ref", "--quiet", name]).output()?;
        let target = String::from_utf8_lossy(&output.stdout).trim_end().to_string();
        Ok(output.status.success().then_some(target))
    }

    /// The object that a revision names in a reftable repository.
    pub(super) fn tabled_revision(&self, refs: &Refs, revision: &str) -> Result<Option<Oid>, GitError> {
        if let Some(id) = Oid::parse(revision) {
            return Ok(Some(id));
        }
        // A full name means itself before all else (gitrevisions(7), "<refname>").
        if let Some(held) = refs.get(revision) {
            return Ok(Some(held.id.clone()));
        }
        if revision.contains('\0') {
            return Ok(None);
        }
        let asked = self.run_git().args(["rev-parse", "--verify", "--quiet", "--end-of-options", revision]).run();
        match asked {
            Ok(text) => Ok(Oid::parse(&text)),
            Err(GitError::Command { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sets a ref of a reftable repository if it still holds `expected`. False when another writer was first.
    pub(super) fn swap_tabled(
        &self,
        name: &str,
        new: &Oid,
        expected: Option<&Oid>,
        reason: &str,
    ) -> Result<bool, GitError> {
        let none = "0".repeat(new.as_str().len());
        let old = expected.map_or(none.as_str(), Oid::as_str);
        let words = ["update-ref", "--no-deref", "-m", reason, "--stdin", "-z"];
        let swapped =
            self.run_git().env("LC_ALL", "C").args(words).stdin(format!("update {name}\0{new}\0{old}\0")).run();
        match swapped {
            Ok(_) => Ok(true),
            Err(GitError::Command { output, .. }) if taken(&output) => Ok(false),
            Err(error) => match self.find_ref(name)?.as_ref() == expected {
                true => Err(error),
                false => Ok(false),
            },
        }
    }
}

/// Whether git says that the ref or the list of tables was changed or held by another.
fn taken(said: &str) -> bool {
    ["cannot lock ref", "concurrently modified"].iter().any(|words| said.contains(words))
}

fn parse(line: &[u8]) -> Option<(String, Held)> {
    let text = String::from_utf8_lossy(line);
    let mut parts = text.split('\0');
    let (name, id, target) = (parts.next()?, parts.next()?, parts.next()?);
    let target = Some(target).filter(|target| !target.is_empty()).map(String::from);
    Some((name.to_string(), Held { id: Oid::parse(id)?, target }))
}
