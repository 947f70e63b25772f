//! The journal of a landing and the lock that keeps decisions apart.
//!
//! Both are files in `verdict/` under the shared git directory. The journal is written whole, flushed to the disk and renamed
//! into place before the first step. What a step has made is appended to it as a line of its own. That line is not flushed: a
//! killed process loses nothing of it, and a power cut at most the line, because what a step has made is found out from the
//! refs as well, which git does not flush either. So the journal always says how far the landing came at least.

use super::plan::{Messages, Plan, Step, recording};
use super::preflight::refused;
use super::{DecisionError, Draft, Pending, Texts};
use crate::git::{GitError, Head, Oid, Repo};
use crate::ledger::Ledger;
use crate::ledger::event::{Event, Fact, Verdict};
use crate::phrase;
use crate::phrase::Phrase;
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The version of the journal's format. Another version is not touched.
const VERSION: u32 = 1;

/// A landing under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Journal {
    version: u32,
    /// The git directory of the work tree that it runs in, relative to the shared one: empty for the main work tree.
    place: String,
    /// What lands.
    pub(super) draft: Draft,
    /// The texts that land.
    pub(super) texts: Texts,
    /// What the steps done so far have made, in order.
    pub(super) done: Vec<Done>,
    /// The landing is over and is being taken back: the record that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reopens: Option<Event>,
    #[serde(skip)]
    folder: PathBuf,
    /// Its last line was cut off: nothing can be appended to it.
    #[serde(skip)]
    torn: bool,
}

/// What a step has made.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Done {
    /// What the ref that it moves holds now, when it made a commit or a ref.
    pub(super) made: Option<Oid>,
    /// What the user should know of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<Phrase>,
}

fn folder(repo: &Repo) -> PathBuf {
    repo.common_dir().join("verdict")
}

/// Which work tree a repository was opened in, in words that outlive a move of the whole.
fn place(repo: &Repo) -> String {
    let relative = repo.git_dir().strip_prefix(repo.common_dir()).unwrap_or(repo.git_dir());
    relative.to_string_lossy().into_owned()
}

fn journal_path(folder: &Path) -> PathBuf {
    folder.join("journal.json")
}

fn last_path(folder: &Path) -> PathBuf {
    folder.join("landed.json")
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> DecisionError + '_ {
    move |source| GitError::Io { path: path.to_path_buf(), source }.into()
}

fn unwritable(error: serde_json::Error) -> DecisionError {
    refused(phrase!("the journal cannot be written: {error}", error))
}

impl Journal {
    /// Begins a journal and writes the messages beside it. Nothing else is touched.
    pub(super) fn begin(repo: &Repo, draft: Draft, texts: Texts) -> Result<Journal, DecisionError> {
        let folder = repo.verdict_dir()?;
        let (version, place) = (VERSION, place(repo));
        let journal = Journal { version, place, draft, texts, done: Vec::new(), reopens: None, folder, torn: false };
        journal.write_messages()?;
        journal.save()?;
        Ok(journal)
    }

    /// Writes the messages as files for git. The journal holds them, too, so that they need not outlive a crash: who goes on
    /// writes them again.
    pub(super) fn write_messages(&self) -> Result<(), DecisionError> {
        let adr = self.texts.adr.as_ref().map(|(_, _, message)| message);
        let texts = [self.texts.revert.as_ref(), self.texts.merge.as_ref(), adr];
        for (path, text) in Messages::under(&self.folder).all().iter().zip(texts) {
            if let Some(text) = text {
                std::fs::write(path, format!("{}\n", text.trim_end())).map_err(io(path))?;
            }
        }
        Ok(())
    }

    /// Reads the journal of a landing that was cut off, if there is one.
    pub(super) fn read(repo: &Repo) -> Result<Option<Journal>, DecisionError> {
        Journal::read_from(repo, journal_path(&folder(repo)))
    }

    /// Reads the journal of the last landing that came to its end, if it is still there.
    pub(super) fn last(repo: &Repo) -> Result<Option<Journal>, DecisionError> {
        Journal::read_from(repo, last_path(&folder(repo)))
    }

    fn read_from(repo: &Repo, path: PathBuf) -> Result<Option<Journal>, DecisionError> {
        let folder = folder(repo);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(&path)(error)),
        };
        let unreadable = |problem: Phrase| {
            refused(phrase!("the journal of a decision cannot be read: {problem}", problem)).try_next(phrase!(
                "git reflog shows what was done; rm {path}, once all is as it should be",
                path = path.display()
            ))
        };
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let value: serde_json::Value = serde_json::from_slice(lines.next().unwrap_or_default())
            .map_err(|error| unreadable(error.to_string().into()))?;
        if value["version"] != VERSION {
            let found = value["version"].to_string();
            return Err(unreadable(phrase!(
                "it has version {found}, this program writes {ours}",
                found,
                ours = VERSION
            )));
        }
        let mut journal: Journal =
            serde_json::from_value(value).map_err(|error| unreadable(error.to_string().into()))?;
        journal.folder = folder;
        journal.plan()?;
        for line in lines {
            let Some(done) = line.strip_suffix(b"\n").and_then(|line| serde_json::from_slice(line).ok()) else {
                journal.torn = true;
                break;
            };
            journal.done.push(done);
        }
        Ok(Some(journal))
    }

    /// Begins to take back a landing that is over.
    pub(super) fn reopen(&mut self, event: Event, origin: super::plan::Origin) -> Result<(), DecisionError> {
        self.reopens = Some(event);
        if let Some(plan) = &mut self.draft.plan {
            plan.origin = origin;
        }
        self.save()
    }

    /// Says that a step is done.
    pub(super) fn finish_step(&mut self, done: Done) -> Result<(), DecisionError> {
        self.done.push(done);
        if self.torn {
            self.save()?;
            self.torn = false;
            return Ok(());
        }
        let path = journal_path(&self.folder);
        let line = serde_json::to_string(&self.done.last()).map_err(unwritable)? + "\n";
        let file = File::options().append(true).open(&path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).map_err(io(&path))
    }

    fn save(&self) -> Result<(), DecisionError> {
        let text = serde_json::to_string(self).map_err(unwritable)? + "\n";
        write_whole(&journal_path(&self.folder), text.as_bytes())
    }

    /// Ends the journal: what it is of has come to its end. A power cut may bring it back, and then it finds that it is over.
    /// That of a decision is set aside, which can be undone by what is in it; that of an undoing is removed.
    pub(super) fn end(&self) -> Result<(), DecisionError> {
        if matches!(self.draft.event.fact, Fact::Reopened(_)) {
            return self.remove();
        }
        let (path, last) = (journal_path(&self.folder), last_path(&self.folder));
        std::fs::rename(&path, &last).map_err(io(&path))?;
        self.clear();
        Ok(())
    }

    /// Removes the journal and its messages: the landing was taken back.
    pub(super) fn remove(&self) -> Result<(), DecisionError> {
        if self.reopens.is_some() {
            let last = last_path(&self.folder);
            match std::fs::remove_file(&last) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(&last)(error)),
                _ => {}
            }
        }
        let path = journal_path(&self.folder);
        std::fs::remove_file(&path).map_err(io(&path))?;
        self.clear();
        Ok(())
    }

    fn clear(&self) {
        for path in Messages::under(&self.folder).all() {
            let _ = std::fs::remove_file(path);
        }
    }

    /// The plan. [`Journal::read`] has seen to it that there is one.
    pub(super) fn plan(&self) -> Result<&Plan, DecisionError> {
        self.draft.plan.as_ref().ok_or_else(|| refused("this decision was not prepared"))
    }

    /// The path of the decision file, when there is one.
    pub(super) fn adr(&self) -> Option<&Path> {
        self.texts.adr.as_ref().map(|(path, _, _)| path.as_path())
    }

    /// What a ref holds after the steps done so far.
    pub(super) fn held(&self, name: &str) -> Result<Option<Oid>, DecisionError> {
        let plan = self.plan()?;
        let mut held = plan.refs.get(name).cloned().flatten();
        for (step, done) in plan.steps.iter().zip(&self.done) {
            if step.moves().as_deref() != Some(name) {
                continue;
            }
            match (step, &done.made) {
                (Step::Drop { .. }, _) => held = None,
                (_, Some(made)) => held = Some(made.clone()),
                (_, None) => {}
            }
        }
        Ok(held)
    }

    /// What the first step of this kind has made.
    pub(super) fn made(&self, name: &str) -> Option<Oid> {
        let plan = self.draft.plan.as_ref()?;
        let at = plan.steps.iter().position(|step| step.name() == name)?;
        self.done.get(at)?.made.clone()
    }

    /// Whether it runs in the work tree that this repository was opened in.
    pub(super) fn is_here(&self, repo: &Repo) -> bool {
        place(repo) == self.place
    }

    /// The work tree that it runs in, for people.
    pub(super) fn place(&self, repo: &Repo) -> String {
        let git_dir = repo.common_dir().join(&self.place);
        let gitfile = std::fs::read_to_string(git_dir.join("gitdir")).ok();
        let root = match &gitfile {
            Some(file) => Path::new(file.trim()).parent(),
            None => repo.common_dir().parent(),
        };
        root.unwrap_or(&git_dir).display().to_string()
    }

    /// How far it came, for people.
    pub(super) fn pending(&self, repo: &Repo) -> Result<Pending, DecisionError> {
        let plan = self.plan()?;
        let record = self.draft.event.id;
        let (messages, adr) = (Messages::of(repo), self.adr());
        let lines = |steps: &[Step]| -> Vec<Phrase> {
            steps.iter().flat_map(|step| plan.step_lines(step, &record.to_string(), &messages, adr)).collect()
        };
        let mut count = self.done.len().min(plan.steps.len());
        let head = if self.is_here(repo) { repo.head().ok() } else { None };
        // A checkout is not noted by itself.
        while let (Some(Step::Switch { branch }), Some(Head::Branch { name, .. })) = (plan.steps.get(count), &head)
            && name == branch
        {
            count += 1;
        }
        let (done, left) = plan.steps.split_at(count);
        let (verdict, undoing) = match &self.draft.event.fact {
            Fact::Reopened(reopened) => (verdict_of(repo, reopened.undoes)?, true),
            Fact::Decided(decided) => (decided.verdict, false),
            _ => (Verdict::Keep, false),
        };
        if let Some(event) = &self.reopens {
            let left = plan.way_back().chain([recording(&event.id.to_string())]).collect();
            let name = self.draft.event.name.clone();
            return Ok(Pending { name, verdict, record, done: Vec::new(), left, undoing: true, only_finish: true });
        }
        Ok(Pending {
            name: self.draft.event.name.clone(),
            verdict,
            record,
            done: lines(done),
            left: lines(left),
            undoing,
            only_finish: false,
        })
    }
}

/// The verdict of a decision in the ledger.
fn verdict_of(repo: &Repo, record: ulid::Ulid) -> Result<Verdict, DecisionError> {
    Ok(match Ledger::open(repo).find(record)? {
        Some(Event { fact: Fact::Decided(decided), .. }) => decided.verdict,
        _ => Verdict::Keep,
    })
}

/// Writes a file whole or not at all: a temporary file beside it, flushed to the disk, then renamed.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), DecisionError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io(path))?;
    file.write_all(bytes).map_err(io(path))?;
    file.as_file().sync_all().map_err(io(path))?;
    file.persist(path).map_err(|error| io(path)(error.error))?;
    sync_folder(folder);
    Ok(())
}

/// Flushes a rename or a removal to the disk, where the file system can.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// Held by whoever decides; also by every git that a landing starts, so that it outlives a killed parent.
#[derive(Debug)]
pub(super) struct Lock {
    /// The locked file.
    pub(super) file: File,
}

impl Lock {
    fn path(repo: &Repo) -> PathBuf {
        folder(repo).join("decide.lock")
    }

    /// Refuses when a landing was cut off or another decision is under way. Makes no file.
    pub(super) fn probe(repo: &Repo) -> Result<(), DecisionError> {
        let path = Lock::path(repo);
        match File::open(&path) {
            Ok(file) => Lock::try_on(file, &path).map(drop)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(io(&path)(error)),
        }
        none_pending(repo)
    }

    /// Takes the lock, or says who holds it.
    pub(super) fn take(repo: &Repo) -> Result<Lock, DecisionError> {
        repo.verdict_dir()?;
        let path = Lock::path(repo);
        let file =
            File::options().create(true).truncate(false).read(true).write(true).open(&path).map_err(io(&path))?;
        Lock::try_on(file, &path)
    }

    /// Tries for a second: a child of another program may hold the lock for the moment between its fork and its exec.
    fn try_on(file: File, path: &Path) -> Result<Lock, DecisionError> {
        let mut tries = 20;
        let tried = loop {
            match file.try_lock() {
                Err(TryLockError::WouldBlock) if tries > 0 => {
                    tries -= 1;
                    std::thread::sleep(Duration::from_millis(50));
                }
                other => break other,
            }
        };
        match tried {
            Ok(()) => Ok(Lock { file }),
            Err(TryLockError::WouldBlock) => Err(DecisionError::Refused {
                what: "another decision is being made in this repository".into(),
                why: Some(phrase!(
                    "{path} is locked by it, or by a git that it started and that still runs",
                    path = path.display()
                )),
                next: Some("wait for it, then the same command again".into()),
            }),
            Err(TryLockError::Error(error)) => Err(io(path)(error)),
        }
    }
}

/// Refuses when a landing was cut off.
pub(super) fn none_pending(repo: &Repo) -> Result<(), DecisionError> {
    match Journal::read(repo)? {
        None => Ok(()),
        Some(journal) => {
            let pending = journal.pending(repo)?;
            let verdict = Phrase::from(pending.verdict.as_str());
            Err(DecisionError::Refused {
                what: if pending.undoing {
                    phrase!("undoing the decision on '{name}' ({verdict}) was cut off", name = &pending.name, verdict)
                } else {
                    phrase!("the decision on '{name}' ({verdict}) was cut off", name = &pending.name, verdict)
                },
                why: Some(phrase!("{left} of its commands are still to be run", left = pending.left.len())),
                next: Some("git verdict doctor".into()),
            })
        }
    }
}
