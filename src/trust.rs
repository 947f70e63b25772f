//! Whose commands may be run: those of `verdict.toml` come with the repository, and the repository may come from anyone.
//!
//! Trust is given to contents: the configuration and the files of the repository that its commands run, each by its SHA-256,
//! kept outside the repository in the user's own state folder. What was committed in this very clone needs no
//! asking; `docs/trust.md` has the whole rule.

mod named;

use crate::config::{Command, Config, FILE_NAME, Source};
use crate::digest::sha256;
use crate::error::{Exit, Explain};
use crate::git::reflog::MadeHere;
use crate::git::{GitError, Oid, Repo};
use crate::phrase;
use crate::phrase::Phrase;
use chrono::{DateTime, FixedOffset, Local};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Vouches for the repository in an environment that is thrown away, such as CI: `1`.
pub const VARIABLE: &str = "GIT_VERDICT_TRUST";

/// The version of the file's format.
const VERSION: u32 = 1;

/// A file by its content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Item {
    /// Its path in the repository.
    pub path: String,
    /// Hex SHA-256 of its content.
    pub sha256: String,
}

/// What running a configuration on some commits would run.
#[derive(Debug, Clone, PartialEq)]
pub struct Needs {
    /// What it is for (`step build`, `check tests`) and the command.
    pub commands: Vec<(String, String)>,
    /// The configuration and the files that the commands name.
    pub items: BTreeSet<Item>,
    config: Place,
    scripts: Vec<(Item, Place)>,
}

/// Where a content stands in the repository.
#[derive(Debug, Clone, PartialEq)]
struct Place {
    path: PathBuf,
    /// The blob; none for a content that no commit can be compared with.
    blob: Option<Oid>,
}

/// In what surroundings the question is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// `GIT_VERDICT_TRUST=1`.
    pub vouched: bool,
    /// In CI, or called by a hook of git: nothing is taken for granted.
    pub automatic: bool,
}

/// Why commands may be run, or what is missing.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// There are none.
    Nothing,
    /// `GIT_VERDICT_TRUST=1`.
    Vouched,
    /// All of it was trusted with `git verdict trust`.
    Trusted,
    /// It was committed in this clone, or stood beside it when it was.
    Own,
    /// These are neither.
    Unknown(Vec<Item>),
}

impl Standing {
    /// Whether the commands may be run.
    pub fn may_run(&self) -> bool {
        !matches!(self, Standing::Unknown(_))
    }
    /// The word as it stands in JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Standing::Nothing => "nothing",
            Standing::Vouched => "vouched",
            Standing::Trusted => "trusted",
            Standing::Own => "own",
            Standing::Unknown(_) => "unknown",
        }
    }
}

impl Surroundings {
    /// Those of this process.
    pub fn here() -> Surroundings {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let ci = std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
        Surroundings {
            vouched: std::env::var(VARIABLE).is_ok_and(|value| value == "1"),
            automatic: ci || set("GIT_INDEX_FILE") || set("GIT_REFLOG_ACTION"),
        }
    }
}

/// All commands of a configuration, with what they are for.
pub fn commands(config: &Config) -> Vec<(String, &Command)> {
    let mut found = Vec::new();
    for step in &config.steps {
        found.extend(step.prepare.as_ref().map(|command| (format!("prepare {}", step.name), command)));
        found.push((format!("step {}", step.name), &step.run));
    }
    for metric in &config.metrics {
        if let Source::Command { run, .. } = &metric.source {
            found.push((format!("metric {}", metric.name), run));
        }
    }
    found.extend(config.checks.iter().map(|check| (format!("check {}", check.name), &check.run)));
    found
}

/// What running this configuration on these commits would run. `from` is the commit that the configuration was read from;
/// none when it is the work tree's.
pub fn needs(repo: &Repo, config: &Config, from: Option<&Oid>, commits: &[&Oid]) -> Result<Needs, TrustError> {
    let path = PathBuf::from(FILE_NAME);
    let blob = match from {
        Some(commit) => repo.blob_at(commit, &path)?,
        None if repo.workdir()?.join(&path).is_symlink() => None,
        None => Some(repo.hash_file(&path)?),
    };
    let all = commands(config);
    let mut scripts: BTreeMap<Item, Place> = BTreeMap::new();
    let run: Vec<&Command> = all.iter().map(|(_, command)| *command).collect();
    for commit in commits {
        for (path, (blob, bytes)) in named::files(repo, commit, &run)? {
            let item = Item { path: path.to_string_lossy().into_owned(), sha256: sha256(&bytes) };
            scripts.insert(item, Place { path, blob: Some(blob) });
        }
    }
    let own = Item { path: FILE_NAME.to_string(), sha256: config.hash.clone() };
    Ok(Needs {
        commands: all.into_iter().map(|(what, command)| (what, command.to_string())).collect(),
        items: scripts.keys().cloned().chain([own]).collect(),
        config: Place { path, blob },
        scripts: scripts.into_iter().collect(),
    })
}

impl Needs {
    /// Takes in what another configuration would run, and that configuration.
    pub fn join(&mut self, other: Needs) {
        let own = other.items.iter().find(|item| Path::new(&item.path) == other.config.path).cloned();
        let more = own.map(|item| (item, other.config)).into_iter().chain(other.scripts);
        for (item, place) in more {
            if self.items.insert(item.clone()) {
                self.scripts.push((item, place));
            }
        }
        for command in other.commands {
            if !self.commands.contains(&command) {
                self.commands.push(command);
            }
        }
    }

    /// Takes what a merge made as what it was made of: a content that none of `sources` has at its path stands for those that
    /// they have there. Whoever calls this has merged them, or knows that merging them gives this.
    pub fn made_of(&mut self, repo: &Repo, sources: &[Oid]) -> Result<(), TrustError> {
        for (item, place) in std::mem::take(&mut self.scripts) {
            let mut parts = Vec::new();
            for source in sources {
                parts.extend(repo.blob_at(source, &place.path)?);
            }
            if parts.is_empty() || place.blob.as_ref().is_none_or(|blob| parts.contains(blob)) {
                self.scripts.push((item, place));
                continue;
            }
            self.items.remove(&item);
            for blob in parts {
                let part = Item { path: item.path.clone(), sha256: sha256(repo.read_blob(&blob)?) };
                self.items.insert(part.clone());
                self.scripts.push((part, Place { path: place.path.clone(), blob: Some(blob) }));
            }
        }
        Ok(())
    }
}

/// A file of a commit that the commands of a configuration run or read, as far as their words tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Followed {
    /// Where it is.
    pub path: PathBuf,
    /// The blob.
    pub blob: Oid,
    /// Its content.
    pub bytes: Vec<u8>,
    /// Whether it is run, or holds commands that a program runs.
    pub commands: bool,
}

/// The files of a commit that these commands run or read, and the folders that they name, each with its tree.
pub fn followed(
    repo: &Repo,
    commit: &Oid,
    commands: &[&Command],
) -> Result<(Vec<Followed>, Vec<(PathBuf, Oid)>), GitError> {
    let files = named::files(repo, commit, commands)?.into_iter().map(|(path, (blob, bytes))| {
        let commands = named::holds_commands(&path, &bytes);
        Followed { path, blob, bytes, commands }
    });
    Ok((files.collect(), named::folders(repo, commit, commands)?))
}

/// Whether all of it may be run, and why.
pub fn standing(repo: &Repo, needs: &Needs, store: &Store, around: Surroundings) -> Result<Standing, TrustError> {
    if needs.commands.is_empty() {
        return Ok(Standing::Nothing);
    }
    if around.vouched {
        return Ok(Standing::Vouched);
    }
    let trusted = store.items(repo);
    let mut unknown: Vec<Item> = needs.items.iter().filter(|item| !trusted.contains(*item)).cloned().collect();
    if unknown.is_empty() {
        return Ok(Standing::Trusted);
    }
    if !around.automatic {
        let own = Own::of(repo, needs)?;
        let mut left = Vec::new();
        for item in unknown {
            if !own.covers(repo, needs, &item)? {
                left.push(item);
            }
        }
        unknown = left;
    }
    Ok(if unknown.is_empty() { Standing::Own } else { Standing::Unknown(unknown) })
}

/// What was committed in this clone.
struct Own {
    made: Vec<MadeHere>,
    /// The commits in which the configuration came to stand as it is; none when it is somebody else's.
    beside: Vec<Oid>,
}

impl Own {
    fn of(repo: &Repo, needs: &Needs) -> Result<Own, TrustError> {
        let mut own = Own { made: repo.made_here()?, beside: Vec::new() };
        own.beside = own.introduced(repo, &needs.config)?;
        if let (Some(blob), Ok(head)) = (&needs.config.blob, repo.resolve("HEAD"))
            && repo.workdir().is_ok_and(|root| root.join(&needs.config.path).exists())
            && repo.blob_at(&head, &needs.config.path)?.as_ref() != Some(blob)
            && repo.hash_file(&needs.config.path)? == *blob
        {
            // Written and not committed yet.
            own.beside.push(head);
        }
        Ok(own)
    }

    /// The commits made here that brought this content to its path: none of their parents, and not what they replaced, had
    /// it there.
    fn introduced(&self, repo: &Repo, place: &Place) -> Result<Vec<Oid>, TrustError> {
        let Some(blob) = &place.blob else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for one in &self.made {
            if repo.blob_at(&one.commit, &place.path)?.as_ref() != Some(blob) {
                continue;
            }
            let parents = repo.commit(&one.commit)?.parents;
            let mut older = parents.iter().chain(&one.before);
            if older.try_fold(true, |new, id| {
                Ok::<_, TrustError>(new && repo.blob_at(id, &place.path)?.as_ref() != Some(blob))
            })? {
                found.push(one.commit.clone());
            }
        }
        Ok(found)
    }

    fn covers(&self, repo: &Repo, needs: &Needs, item: &Item) -> Result<bool, TrustError> {
        if self.beside.is_empty() {
            return Ok(false);
        }
        let Some((_, place)) = needs.scripts.iter().find(|(one, _)| one == item) else { return Ok(true) };
        for commit in &self.beside {
            if place.blob.is_some() && repo.blob_at(commit, &place.path)? == place.blob {
                return Ok(true);
            }
        }
        Ok(!self.introduced(repo, place)?.is_empty())
    }
}

/// What the user has trusted, in all repositories.
#[derive(Debug, Clone, Default)]
pub struct Store {
    path: PathBuf,
    file: File,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct File {
    version: u32,
    /// Canonical path of the shared git directory -> what is trusted there.
    repositories: BTreeMap<String, Entry>,
}

impl Default for File {
    fn default() -> Self {
        File { version: VERSION, repositories: BTreeMap::new() }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    at: DateTime<FixedOffset>,
    items: BTreeSet<Item>,
}

fn key(repo: &Repo) -> String {
    let path = repo.common_dir();
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf()).to_string_lossy().into_owned()
}

impl Store {
    /// `git-verdict/trust.json` in `XDG_STATE_HOME`, else in `~/.local/state`.
    pub fn path() -> Option<PathBuf> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let folder = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
        Some(folder.join("git-verdict").join("trust.json"))
    }

    /// Reads what is trusted; nothing when there is no file, or no place for one.
    pub fn load() -> Result<Store, TrustError> {
        Store::at(Store::path().unwrap_or_default())
    }

    fn at(path: PathBuf) -> Result<Store, TrustError> {
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Store { path, file: File::default() });
            }
            Err(source) => return Err(TrustError::Io { path, source }),
        };
        let damaged = |problem: Phrase| TrustError::Damaged { path: path.clone(), problem };
        let file: File = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string().into()))?;
        if file.version != VERSION {
            return Err(damaged(phrase!(
                "it has version {found}, this program reads {ours}",
                found = file.version,
                ours = VERSION
            )));
        }
        Ok(Store { path, file })
    }

    /// What is trusted in a repository.
    pub fn items(&self, repo: &Repo) -> BTreeSet<Item> {
        self.file.repositories.get(&key(repo)).map(|entry| entry.items.clone()).unwrap_or_default()
    }

    /// Trusts these contents in a repository, beside those trusted before.
    pub fn trust(&mut self, repo: &Repo, items: &BTreeSet<Item>) -> Result<(), TrustError> {
        self.again()?;
        let at = Local::now().fixed_offset();
        let entry = self.file.repositories.entry(key(repo)).or_insert_with(|| Entry { at, items: BTreeSet::new() });
        entry.at = at;
        entry.items.extend(items.iter().cloned());
        self.save()
    }

    /// Trusts nothing in a repository any more; whether anything was.
    pub fn revoke(&mut self, repo: &Repo) -> Result<bool, TrustError> {
        self.again()?;
        let gone = self.file.repositories.remove(&key(repo)).is_some();
        if gone {
            self.save()?;
        }
        Ok(gone)
    }

    /// Reads the file once more, so that what another process has added stays.
    fn again(&mut self) -> Result<(), TrustError> {
        if self.path.as_os_str().is_empty() {
            return Err(TrustError::NoPlace);
        }
        *self = Store::at(self.path.clone())?;
        Ok(())
    }

    fn save(&self) -> Result<(), TrustError> {
        let failed = |source| TrustError::Io { path: self.path.clone(), source };
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(folder).map_err(failed)?;
        let text = serde_json::to_string_pretty(&self.file).map_err(|error| failed(error.into()))?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.persist(&self.path).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

/// Why trust cannot be looked up or given.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Neither `XDG_STATE_HOME` nor `HOME` is set.
    NoPlace,
    /// The file cannot be understood.
    Damaged {
        /// Which.
        path: PathBuf,
        /// Why.
        problem: Phrase,
    },
    /// It cannot be read or written.
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// git failed.
    Git(#[from] GitError),
}

crate::error::display_what!(TrustError);

impl Explain for TrustError {
    fn exit(&self) -> Exit {
        match self {
            TrustError::Git(inner) => inner.exit(),
            _ => Exit::State,
        }
    }
    fn what(&self) -> Phrase {
        match self {
            TrustError::NoPlace => "there is no place to remember what is trusted".into(),
            TrustError::Damaged { path, problem } => {
                phrase!("{path} cannot be read: {problem}", path = path.display(), problem)
            }
            TrustError::Io { path, .. } => Phrase::verbatim(path.display().to_string()),
            TrustError::Git(inner) => inner.what(),
        }
    }
    fn why(&self) -> Option<Phrase> {
        match self {
            TrustError::NoPlace => Some("neither XDG_STATE_HOME nor HOME is set".into()),
            TrustError::Git(inner) => inner.why(),
            _ => None,
        }
    }
    fn next(&self) -> Option<Phrase> {
        match self {
            TrustError::NoPlace => Some(phrase!("{name}=1, where the surroundings are thrown away", name = VARIABLE)),
            TrustError::Damaged { path, .. } => {
                Some(phrase!("rm {path} (trust is then asked for again)", path = path.display()))
            }
            TrustError::Git(inner) => inner.next(),
            TrustError::Io { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_is_remembered_and_a_damaged_file_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/trust.json");
        let sandbox = crate::git::test::Sandbox::new();
        let repo = sandbox.repo();
        let item = Item { path: "x".into(), sha256: "y".into() };
        let mut store = Store::at(path.clone()).unwrap();
        let mut other = Store::at(path.clone()).unwrap();
        store.trust(&repo, &BTreeSet::from([item.clone()])).unwrap();
        other.trust(&repo, &BTreeSet::from([Item { path: "z".into(), ..item.clone() }])).unwrap();
        let read = Store::at(path.clone()).unwrap();
        assert_eq!(read.items(&repo).len(), 2, "what another process added stays");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(store.revoke(&repo).unwrap() && !store.revoke(&repo).unwrap());
        assert!(Store::at(path.clone()).unwrap().items(&repo).is_empty());
        std::fs::write(&path, "{").unwrap();
        assert!(Store::at(path).unwrap_err().next().unwrap().starts_with("rm "));
    }
}
