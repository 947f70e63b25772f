//! Carries a plan out with the real git, one journalled step after the other; finishes or takes back what was cut off.
//!
//! Three rules hold everywhere. A step finds out what is done already before it does anything, so it can be run again. A ref
//! is moved only from a value that the plan or the journal names. A file is overwritten only when it holds what the landing
//! itself may have put there; anything else is somebody's work, and is left alone or saved first.

use super::journal::{Done, Journal, Lock, none_pending};
use super::plan::{Messages, Plan, Step, Words};
use super::preflight::{self, listed, locked, nothing_uncommitted, refused};
use super::replay;
use super::{DecisionError, Draft, Landed, Texts};
use crate::error::Explain;
use crate::git::command::Git;
use crate::git::{GitError, Head, Oid, Repo};
use crate::ledger::Ledger;
use crate::ledger::event::{Event, Fact};
use crate::phrase;
use crate::phrase::Phrase;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Set for git and its hooks while a decision lands: the record's id. Hooks of this program stand back when they see it.
pub const LANDING_VARIABLE: &str = "GIT_VERDICT_LANDING";

/// Builds with debug assertions abort at the point that this variable names: `step:<n>` counts points from 1, `before:<step>`
/// and `after:<step>` name them.
pub const FAULT_VARIABLE: &str = "GIT_VERDICT_FAULT";

/// See [`super::land`].
pub(super) fn land(repo: &Repo, ledger: &Ledger<'_>, draft: Draft, texts: Texts) -> Result<Landed, DecisionError> {
    let plan = draft.plan.clone().ok_or_else(|| refused("this decision was not prepared"))?;
    let lock = Lock::take(repo)?;
    none_pending(repo)?;
    preflight::recheck(repo, ledger, &draft, &plan, &texts)?;
    let trust = if preflight::edits_may_stay(repo, &plan)? { Trust::Own } else { Trust::Everything };
    let mut journal = Journal::begin(repo, draft, texts)?;
    let hand = Hand::new(repo, &lock, plan);
    hand.point("begin");
    match hand.run(ledger, &mut journal) {
        Ok(landed) => Ok(landed),
        // A record in the ledger is never taken back.
        Err(Halt { step, error }) if ledger.find(journal.draft.event.id)?.is_some() => {
            Err(DecisionError::Stopped { step, source: GitError::Other(told(&error)) })
        }
        Err(Halt { step, error }) => {
            let failed = |source| DecisionError::Stopped { step: step.clone(), source };
            match hand.take_back(&journal, trust) {
                Ok(saved) => {
                    let step = match saved {
                        Some(folder) => phrase!(
                            "{step} (files that hooks or others had changed are in {folder})",
                            step,
                            folder = folder.display()
                        ),
                        None => step,
                    };
                    Err(DecisionError::TakenBack { step, source: error })
                }
                Err(worse) => Err(failed(GitError::Other(phrase!(
                    "{error}, and then {worse}",
                    error = told(&error),
                    worse = told(&worse)
                )))),
            }
        }
    }
}

/// See [`super::resume`].
pub(super) fn resume(repo: &Repo, ledger: &Ledger<'_>) -> Result<Landed, DecisionError> {
    let (lock, mut journal) = cut_off(repo)?;
    if journal.reopens.is_some() {
        let event = take_back_landed(repo, ledger, &lock, &journal)?;
        return Ok(Landed { event, notes: Vec::new() });
    }
    if let Some(event) = ledger.find(journal.draft.event.id)? {
        journal.end()?;
        return Ok(Landed { event, notes: journal.done.into_iter().flat_map(|done| done.notes).collect() });
    }
    let hand = Hand::new(repo, &lock, journal.plan()?.clone());
    hand.settle(&journal, Trust::Known)?;
    nothing_uncommitted(&repo.uncommitted_tracked()?, true)?;
    journal.write_messages()?;
    hand.run(ledger, &mut journal).map_err(|halt| match *halt.error {
        DecisionError::Git(source) => DecisionError::Stopped { step: halt.step, source },
        other => other,
    })
}

/// See [`super::undo`].
pub(super) fn undo(repo: &Repo, ledger: &Ledger<'_>) -> Result<(), DecisionError> {
    let (lock, journal) = cut_off(repo)?;
    let event = &journal.draft.event;
    if journal.reopens.is_some() {
        return Err(refused(phrase!(
            "the decision on '{name}' is being undone, which can only be finished",
            name = &event.name
        ))
        .try_next("git verdict doctor --resume"));
    }
    if ledger.find(event.id)?.is_some() {
        journal.end()?;
        let what = match event.fact {
            Fact::Reopened(_) => {
                phrase!(
                    "the decision on '{name}' is undone: the record that says so is in the ledger",
                    name = &event.name
                )
            }
            _ => phrase!("the decision on '{name}' has landed: its record is in the ledger", name = &event.name),
        };
        return Err(refused(what).try_next(phrase!("git verdict show {name}", name = &event.name)));
    }
    let hand = Hand::new(repo, &lock, journal.plan()?.clone());
    let journal = hand.caught_up(journal);
    hand.take_back(&journal, Trust::Known).map(drop)
}

/// Puts back what a landing did that had come to its end, and says so in the ledger. May be run again after it was cut off.
pub(super) fn take_back_landed(
    repo: &Repo,
    ledger: &Ledger<'_>,
    lock: &Lock,
    journal: &Journal,
) -> Result<Event, DecisionError> {
    let event = journal.reopens.clone().ok_or_else(|| refused("nothing is being undone"))?;
    let hand = Hand::new(repo, lock, journal.plan()?.clone());
    if ledger.find(event.id)?.is_none() {
        hand.put_back(journal, Trust::Known)?;
        hand.point("reopen:record");
        ledger.append(&event)?;
    }
    hand.point("reopen:done");
    journal.remove()?;
    Ok(event)
}

/// Takes the lock and reads the journal of a landing that was cut off in this work tree.
fn cut_off(repo: &Repo) -> Result<(Lock, Journal), DecisionError> {
    let lock = Lock::take(repo)?;
    let journal =
        Journal::read(repo)?.ok_or_else(|| refused("no decision was cut off here").try_next("git verdict log"))?;
    if !journal.is_here(repo) {
        return Err(refused("the decision was cut off in another work tree")
            .try_next(phrase!("git -C {repo} verdict doctor", repo = journal.place(repo))));
    }
    Ok((lock, journal))
}

/// An error and its reason on one line.
fn told(error: &DecisionError) -> Phrase {
    match error.why() {
        Some(why) => phrase!("{place}: {what}", place = error.what(), what = why),
        None => error.what(),
    }
}

/// How far changed files are taken for the landing's own.
#[derive(Clone, Copy, PartialEq)]
enum Trust {
    /// The landing is still running: all that changed since it began goes back, and what is not its own is saved first.
    Everything,
    /// The landing is still running where edits may stay: only what it may have written itself goes back, and what is not its own
    /// of that is saved first.
    Own,
    /// The landing was cut off some time ago: only what it may have written itself goes back.
    Known,
}

/// Where and why the steps stopped.
struct Halt {
    step: Phrase,
    error: Box<DecisionError>,
}

/// What carries out the steps.
struct Hand<'r> {
    repo: &'r Repo,
    lock: &'r Lock,
    plan: Plan,
    messages: Messages,
    points: Cell<u32>,
}

impl<'r> Hand<'r> {
    fn new(repo: &'r Repo, lock: &'r Lock, plan: Plan) -> Hand<'r> {
        Hand { repo, lock, plan, messages: Messages::of(repo), points: Cell::new(0) }
    }

    /// A place where the tests may kill the process.
    fn point(&self, name: &str) {
        if !cfg!(debug_assertions) {
            return;
        }
        self.points.set(self.points.get() + 1);
        let Ok(wanted) = std::env::var(FAULT_VARIABLE) else { return };
        if wanted == name || wanted == format!("step:{}", self.points.get()) {
            std::process::abort();
        }
    }

    fn git(&self, journal: &Journal) -> Result<Git, DecisionError> {
        let record = journal.draft.event.id.to_string();
        Ok(self.repo.run_git().holding(&self.lock.file)?.env(LANDING_VARIABLE, record))
    }

    /// Does the steps that are left. An error comes with the step that it stopped at.
    fn run(&self, ledger: &Ledger<'_>, journal: &mut Journal) -> Result<Landed, Halt> {
        for (number, step) in self.plan.steps.iter().enumerate().skip(journal.done.len()) {
            let record = journal.draft.event.id.to_string();
            let lines = self.plan.step_lines(step, &record, &self.messages, journal.adr());
            let label = lines.last().cloned().unwrap_or_else(|| step.name().into());
            let failed = |error| Halt { step: label.clone(), error: Box::new(error) };
            self.point(&format!("before:{}", step.name()));
            let done = self.step(ledger, journal, number, step).map_err(failed)?;
            self.point(&format!("after:{}", step.name()));
            // The record is the last step: once it is in the ledger, the decision stands whatever happens to the journal.
            match step {
                Step::Record => journal.done.push(done),
                _ => journal.finish_step(done).map_err(failed)?,
            }
            self.point(&format!("noted:{}", step.name()));
        }
        let event = self.event(journal);
        let notes = journal.done.iter().flat_map(|done| done.notes.clone()).collect();
        journal.end().map_err(|error| Halt { step: "removing the journal".into(), error: Box::new(error) })?;
        Ok(Landed { event, notes })
    }

    /// The record with the commits that landing has made.
    fn event(&self, journal: &Journal) -> Event {
        let mut event = journal.draft.event.clone();
        if let Fact::Reopened(reopened) = &mut event.fact {
            reopened.commit = journal.made("revert");
        }
        if let Fact::Decided(decided) = &mut event.fact {
            decided.revert_commit = journal.made("revert");
            let in_place = decided.revert_commit.clone();
            decided.landed = match self.plan.steps.iter().any(|step| step.name() == "merge") {
                true => journal.made("merge"),
                false => in_place.or_else(|| journal.made("adr")),
            };
        }
        event
    }

    fn step(&self, ledger: &Ledger<'_>, journal: &Journal, number: usize, step: &Step) -> Result<Done, DecisionError> {
        if let Some(name) = step.moves()
            && let Some(done) = self.recognise(journal, number, &name)?
        {
            return Ok(done);
        }
        let commands = self.plan.commands(step, &self.messages, journal.adr());
        match step {
            Step::Switch { branch } => {
                self.ensure_on(journal, branch)?;
                Ok(Done::default())
            }
            Step::Revert { branch, tree, .. } => {
                self.ensure_on(journal, branch)?;
                let put_back = self.puts_back(journal, step, &commands)?;
                let commands = self.plan.commands(&step.merging(), &self.messages, None);
                let (commit, reverts) = commands.split_last().ok_or_else(|| refused("nothing to revert"))?;
                for words in reverts.iter().filter(|_| !put_back) {
                    self.command(journal, words)?;
                    self.point("between:revert");
                }
                self.command(journal, commit)?;
                self.committed(journal, step, Some(tree))
            }
            Step::Merge { onto, .. } => {
                self.ensure_on(journal, onto)?;
                for words in &commands {
                    self.command(journal, words)?;
                }
                self.committed(journal, step, Some(&self.plan.expected))
            }
            Step::Adr { onto } => {
                let Some((path, text, _)) = &journal.texts.adr else { return Ok(Done::default()) };
                self.ensure_on(journal, onto)?;
                write_decision_file(self.repo.workdir()?, path, text)?;
                for words in &commands {
                    self.point("between:adr");
                    self.command(journal, words)?;
                }
                self.committed(journal, step, None)
            }
            Step::Archive { tip, .. } | Step::Restore { tip, .. } => {
                for words in &commands {
                    self.command(journal, words)?;
                }
                Ok(Done { made: Some(tip.clone()), notes: Vec::new() })
            }
            Step::Drop { .. } => {
                for words in &commands {
                    self.command(journal, words)?;
                }
                Ok(Done::default())
            }
            Step::Record => {
                let event = self.event(journal);
                ledger.append(&event)?;
                Ok(Done::default())
            }
        }
    }

    /// Has git put files back that nobody has worked on since, where a revert comes to that. When git sees another time on
    /// one of them than in its index it refuses without a look inside, and `git revert` has to do it.
    fn puts_back(&self, journal: &Journal, step: &Step, commands: &[Words]) -> Result<bool, DecisionError> {
        let Step::Revert { branch, tree, groups, exact: true, .. } = step else { return Ok(false) };
        let Some(start) = journal.held(&format!("refs/heads/{branch}"))? else { return Ok(false) };
        let Some((_commit, puts_back)) = commands.split_last() else { return Ok(false) };
        replay::persist(self.repo, &start, groups, tree)?;
        let done = puts_back.iter().all(|words| self.command(journal, words).is_ok());
        self.point("between:revert");
        Ok(done)
    }

    fn command(&self, journal: &Journal, words: &Words) -> Result<(), DecisionError> {
        self.git(journal)?.args(words).run()?;
        Ok(())
    }

    /// Checks out a branch unless it is checked out.
    fn ensure_on(&self, journal: &Journal, branch: &str) -> Result<(), DecisionError> {
        let on_it = |repo: &Repo| matches!(repo.head(), Ok(Head::Branch { name, .. }) if name == branch);
        if on_it(self.repo) {
            return Ok(());
        }
        let step = Step::Switch { branch: branch.to_string() };
        for words in self.plan.commands(&step, &self.messages, None) {
            match self.command(journal, &words) {
                // A post-checkout hook that fails gives git its exit status, but the branch is checked out.
                Err(_) if on_it(self.repo) => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// Reads back the commit that a step has just made.
    fn committed(&self, journal: &Journal, step: &Step, expected: Option<&Oid>) -> Result<Done, DecisionError> {
        let name = step.moves().unwrap_or_default();
        let made = self.repo.find_ref(&name)?.ok_or_else(|| refused(phrase!("{name} is gone", name = &name)))?;
        if self.repo.commit(&made)?.parents != self.parents(journal, step)? {
            return Err(refused(phrase!("{name} is not where this step left it", name))
                .try_next("look at the repository's hooks: one of them may have committed or moved the branch"));
        }
        self.done(journal, step, made, expected)
    }

    /// What is to be noted of a step that made this commit.
    fn done(&self, journal: &Journal, step: &Step, made: Oid, expected: Option<&Oid>) -> Result<Done, DecisionError> {
        let commit = self.repo.commit(&made)?;
        let mut notes = Vec::new();
        let text = match step {
            Step::Revert { .. } => journal.texts.revert.as_deref(),
            Step::Merge { .. } => journal.texts.merge.as_deref(),
            _ => None,
        };
        let event = &journal.draft.event;
        if text.is_some_and(|text| mentions(text, event)) && !mentions(&commit.message, event) {
            let trailer = match event.fact {
                Fact::Reopened(_) => super::reversal::REOPENS,
                _ => "Verdict-Record",
            };
            notes.push(phrase!(
                "a hook changed the message of {made}: it has lost its {trailer} trailer",
                made = made.short(),
                trailer
            ));
        }
        if let Some(tree) = expected
            && commit.tree != *tree
        {
            notes.push(phrase!(
                "{made} does not hold the files that were foreseen: a hook or a filter changed them",
                made = made.short()
            ));
        }
        Ok(Done { made: Some(made), notes })
    }

    /// The parents that the commit of a step has.
    fn parents(&self, journal: &Journal, step: &Step) -> Result<Vec<Oid>, DecisionError> {
        let mut parents = Vec::new();
        if let Some(name) = step.moves() {
            parents.extend(journal.held(&name)?);
        }
        if let Step::Merge { branch, .. } = step {
            let name = format!("refs/heads/{branch}");
            parents.extend(match journal.held(&name)? {
                Some(made) => Some(made),
                None => self.repo.find_ref(&name)?,
            });
        }
        Ok(parents)
    }

    /// Whether a step has been done although the journal does not say so yet. Refuses when its ref holds neither what it
    /// held before nor what the step makes of it.
    fn recognise(&self, journal: &Journal, number: usize, name: &str) -> Result<Option<Done>, DecisionError> {
        let (held, found) = (journal.held(name)?, self.repo.find_ref(name)?);
        let step = &self.plan.steps[number];
        if let Step::Drop { .. } = step {
            return match found {
                None => Ok(Some(Done::default())),
                Some(_) if found == held => Ok(None),
                Some(_) => Err(moved(name)),
            };
        }
        if found == held {
            return Ok(None);
        }
        let Some(found) = found else { return Err(moved(name)) };
        if let Step::Archive { tip, .. } | Step::Restore { tip, .. } = step {
            return match found == *tip {
                true => Ok(Some(Done { made: Some(found), notes: Vec::new() })),
                false => Err(moved(name)),
            };
        }
        // Later steps may have moved it once more each, when the notes of several were lost.
        let later = self.plan.steps[number + 1..].iter().filter(|step| step.moves().as_deref() == Some(name)).count();
        let mut found = Some(found);
        for _ in 0..=later {
            let Some(made) = found.take() else { break };
            let commit = self.repo.commit(&made)?;
            let ours = commit.parents == self.parents(journal, step)?
                && match step {
                    Step::Revert { tree, .. } => {
                        commit.tree == *tree || mentions(&commit.message, &journal.draft.event)
                    }
                    Step::Merge { .. } => true,
                    _ => self.holds_decision_file(journal, &made)?,
                };
            if ours {
                let expected = match step {
                    Step::Revert { tree, .. } => Some(tree),
                    Step::Merge { .. } => Some(&self.plan.expected),
                    _ => None,
                };
                return self.done(journal, step, made, expected).map(Some);
            }
            found = commit.parents.into_iter().next();
        }
        Err(moved(name))
    }

    /// A journal that says of all steps that are done that they are: a power cut may have taken its last lines.
    fn caught_up(&self, mut journal: Journal) -> Journal {
        for (number, step) in self.plan.steps.iter().enumerate().skip(journal.done.len()) {
            let done = match step.moves() {
                Some(name) => self.recognise(&journal, number, &name).ok().flatten(),
                None => Some(Done::default()),
            };
            match done {
                Some(done) => journal.done.push(done),
                None => break,
            }
        }
        journal
    }

    /// Whether a commit brings the decision file and nothing else.
    fn holds_decision_file(&self, journal: &Journal, commit: &Oid) -> Result<bool, DecisionError> {
        let Some(path) = journal.adr() else { return Ok(false) };
        let commit = self.repo.commit(commit)?;
        let Some(parent) = commit.parents.first() else { return Ok(false) };
        let changed = self.repo.changed_files(parent, &commit.id)?;
        Ok(changed.iter().any(|file| file.path == path))
    }

    /// Puts refs, HEAD, index and work tree back to what they were before the landing, and ends the journal. Gives back the
    /// folder that files of others were saved in, if any were in the way.
    fn take_back(&self, journal: &Journal, trust: Trust) -> Result<Option<PathBuf>, DecisionError> {
        let saved = self.put_back(journal, trust)?;
        journal.remove()?;
        Ok(saved)
    }

    /// The same without ending the journal. May be run again after it was cut off.
    fn put_back(&self, journal: &Journal, trust: Trust) -> Result<Option<PathBuf>, DecisionError> {
        let changes = self.way_back(journal, trust)?;
        let saved = self.settle(journal, trust)?;
        self.point("undo:settled");
        let origin = &self.plan.origin;
        let home = origin.branch.as_ref().map(|name| format!("refs/heads/{name}"));
        let there = match self.repo.head()? {
            Head::Branch { name, commit } => commit == origin.commit && Some(format!("refs/heads/{name}")) == home,
            Head::Detached(commit) => commit == origin.commit && home.is_none(),
            Head::Unborn(_) => false,
        };
        if !there {
            let target = origin.commit.as_str();
            let detach = self.git(journal)?.args(["switch", "--quiet", "--detach", target]).run();
            if let Err(error) = detach
                && self.repo.head()? != Head::Detached(origin.commit.clone())
            {
                return Err(error.into());
            }
        }
        self.point("undo:detached");
        if !changes.is_empty() {
            let script: Vec<u8> = changes.concat().into_bytes();
            self.repo
                .run_git()
                .env(LANDING_VARIABLE, journal.draft.event.id.to_string())
                .args(["update-ref", "-m", "git-verdict: undo", "--no-deref", "--stdin", "-z"])
                .stdin(script)
                .run()?;
        }
        self.point("undo:refs");
        if !there && let Some(home) = &home {
            self.git(journal)?.args(["symbolic-ref", "-m", "git-verdict: undo", "HEAD", home]).run()?;
        }
        self.point("undo:home");
        Ok(saved)
    }

    /// The changes that put every ref back, for `git update-ref --stdin -z`. Refuses when one holds what is not ours.
    fn way_back(&self, journal: &Journal, trust: Trust) -> Result<Vec<String>, DecisionError> {
        let mut changes = Vec::new();
        for (name, before) in &self.plan.refs {
            let now = self.repo.find_ref(name)?;
            if now == *before {
                continue;
            }
            self.is_ours(journal, name, now.as_ref(), trust)?;
            let zero = "0".repeat(self.plan.origin.commit.as_str().len());
            let now = now.as_ref().map_or(zero.as_str(), Oid::as_str);
            changes.push(match before {
                Some(before) => format!("update {name}\0{before}\0{now}\0"),
                None => format!("delete {name}\0{now}\0"),
            });
        }
        Ok(changes)
    }

    /// Refuses unless a ref holds what a step done, or the one that was cut off, has put there.
    fn is_ours(&self, journal: &Journal, name: &str, now: Option<&Oid>, trust: Trust) -> Result<(), DecisionError> {
        if journal.held(name)?.as_ref() == now {
            return Ok(());
        }
        // A landing that is still running was the only one to move it, hooks included.
        if trust != Trust::Known
            && let (Some(now), Some(Some(before))) = (now, self.plan.refs.get(name))
            && self.repo.is_ancestor(before, now)?
        {
            return Ok(());
        }
        let moves = |step: &Step| step.moves().as_deref() == Some(name);
        let left = self.plan.steps.iter().enumerate().skip(journal.done.len());
        match left.into_iter().find(|(_, step)| moves(step)) {
            Some((number, _)) => match self.recognise(journal, number, name)? {
                Some(_) => Ok(()),
                None => Err(moved(name)),
            },
            // An undo that was cut off may have put some refs back already.
            None => Err(moved(name)),
        }
    }

    /// Ends what a git that was cut off left half done: index and work tree are as HEAD has them. Files that hold something
    /// else than the landing may have written are left alone, or saved first, as trust has it.
    fn settle(&self, journal: &Journal, trust: Trust) -> Result<Option<PathBuf>, DecisionError> {
        if let Some(lock) = self.repo.index_lock() {
            return Err(locked(&lock));
        }
        let operation = self.repo.operation();
        let ours = match operation {
            None => true,
            Some("merge") => self.plan.steps.iter().any(|step| step.name() == "merge"),
            Some("revert") => self.plan.steps.iter().any(|step| step.name() == "revert"),
            Some(_) => false,
        };
        if !ours {
            let operation = operation.unwrap_or_default();
            return Err(refused(phrase!("a {operation} is in progress that is none of this decision's", operation))
                .try_next(phrase!("git {operation} --abort", operation)));
        }
        let head = match self.repo.head()? {
            Head::Branch { commit, .. } | Head::Detached(commit) => commit,
            Head::Unborn(name) => return Err(GitError::Unborn(name).into()),
        };
        let changed = self.repo.uncommitted()?;
        let changed: BTreeSet<PathBuf> = changed.tracked.into_iter().chain(changed.conflicted).collect();
        let root = self.repo.workdir()?.to_path_buf();
        // Files that a checkout made before the index knew of them.
        let mut stray = Vec::new();
        for path in self.plan.touched.0.keys().map(PathBuf::as_path).chain(journal.adr()) {
            let there = root.join(path).symlink_metadata().is_ok_and(|meta| !meta.is_dir());
            if there && !changed.contains(path) && self.repo.file_at(&head, path)?.is_none() {
                stray.push(path.to_path_buf());
            }
        }
        let known = |path: &Path| self.plan.touched.0.contains_key(path) || journal.adr() == Some(path);
        let mut foreign = Vec::new();
        for path in changed.iter().filter(|path| known(path)).chain(&stray) {
            if !self.is_own_work(journal, &root, path)? {
                foreign.push(path.clone());
            }
        }
        let outside: Vec<PathBuf> = changed.iter().filter(|path| !known(path)).cloned().collect();
        let mut saved = None;
        match trust {
            Trust::Known if !foreign.is_empty() => {
                return Err(refused(phrase!(
                    "files were changed since the decision was cut off: {foreign}",
                    foreign = listed(&foreign)
                ))
                .try_next(phrase!(
                    "git stash push -- {foreign}, then git verdict doctor",
                    foreign = listed(&foreign)
                )));
            }
            Trust::Known => {}
            Trust::Own => saved = self.save_aside(journal, &root, &foreign)?,
            Trust::Everything => {
                let all: Vec<PathBuf> = foreign.iter().chain(&outside).cloned().collect();
                saved = self.save_aside(journal, &root, &all)?;
            }
        }
        let everything = trust == Trust::Everything || outside.is_empty();
        let back: Vec<&Path> = changed.iter().map(PathBuf::as_path).filter(|path| everything || known(path)).collect();
        if !back.is_empty() {
            self.restore(journal, &back, everything)?;
        }
        stray.extend(self.merge_files(&root)?);
        self.point("settle:files");
        for path in &stray {
            let full = root.join(path);
            std::fs::remove_file(&full).map_err(|source| GitError::Io { path: full.clone(), source })?;
        }
        // A checkout makes the folder before the file; git itself leaves no empty folder behind.
        for path in self.plan.touched.0.keys().map(PathBuf::as_path).chain(journal.adr()) {
            remove_empty_folders(&root, path);
        }
        for quit in ["merge", "revert"] {
            if operation == Some(quit) || self.repo.git_dir().join("sequencer").exists() {
                self.git(journal)?.args([quit, "--quit"]).run()?;
            }
        }
        Ok(saved)
    }

    /// Has git put files back to what HEAD has: only these where it can, because `reset --hard` also writes over those that git
    /// was told to take for unchanged, whatever is in them. It alone knows how a sparse checkout goes on being sparse, and how
    /// a file comes back where a folder is.
    fn restore(&self, journal: &Journal, files: &[&Path], everything: bool) -> Result<(), DecisionError> {
        let sparse = self.repo.config_flag("core.sparseCheckout");
        if !(sparse && everything) {
            let list: Vec<u8> = files.iter().flat_map(|path| [path.as_os_str().as_bytes(), b"\0"].concat()).collect();
            // It would run the hook post-checkout.
            let git = self.repo.run_git().args(["-c", "core.hooksPath=/dev/null", "--literal-pathspecs"]);
            let words = ["restore", "--source=HEAD", "--staged", "--worktree"];
            let restored = git.args(words).args(["--pathspec-from-file=-", "--pathspec-file-nul"]).stdin(list).run();
            if restored.is_ok() || !everything {
                return Ok(restored.map(drop)?);
            }
        }
        self.git(journal)?.args(["reset", "--quiet", "--hard"]).run()?;
        Ok(())
    }

    /// The files that git hands to a merge driver and leaves at the root when it is killed meanwhile. Only those whose
    /// content git holds, so that nothing is lost with them.
    fn merge_files(&self, root: &Path) -> Result<Vec<PathBuf>, DecisionError> {
        let failed = |source| GitError::Io { path: root.to_path_buf(), source };
        let mut found = Vec::new();
        for entry in std::fs::read_dir(root).map_err(failed)?.flatten() {
            let name = PathBuf::from(entry.file_name());
            let random = entry.file_name().as_bytes().strip_prefix(b".merge_file_").map(<[u8]>::to_vec);
            let named = random.is_some_and(|rest| rest.len() == 6 && rest.iter().all(u8::is_ascii_alphanumeric));
            if !named || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
                continue;
            }
            if self.repo.has_blob(&self.repo.hash_file(&name)?)? {
                found.push(name);
            }
        }
        Ok(found)
    }

    /// Whether a file holds what the landing may have put there: one of the blobs that pass through it, whole or cut off
    /// while it was being written.
    fn is_own_work(&self, journal: &Journal, root: &Path, path: &Path) -> Result<bool, DecisionError> {
        let full = root.join(path);
        let Ok(meta) = full.symlink_metadata() else { return Ok(true) };
        if meta.is_dir() {
            return Ok(true);
        }
        if let Some((adr, text, _)) = &journal.texts.adr
            && adr == path
        {
            let bytes = read(&full)?;
            return Ok(text.as_bytes().starts_with(&bytes));
        }
        let mut blobs = self.plan.touched.0.get(path).cloned().unwrap_or_default();
        blobs.extend(self.repo.blob_in("AUTO_MERGE", path)?);
        let hash = self.repo.hash_file(path)?;
        if blobs.contains(&hash) {
            return Ok(true);
        }
        let bytes = read(&full)?;
        for blob in &blobs {
            if let Some(whole) = self.repo.checked_out_bytes(blob, path)?
                && whole.starts_with(&bytes)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Copies files to a folder of their own under the git directory.
    fn save_aside(&self, journal: &Journal, root: &Path, files: &[PathBuf]) -> Result<Option<PathBuf>, DecisionError> {
        let there: Vec<&PathBuf> = files.iter().filter(|path| root.join(path).is_file()).collect();
        if there.is_empty() {
            return Ok(None);
        }
        let folder = self.repo.verdict_dir()?.join("saved").join(journal.draft.event.id.to_string());
        for path in there {
            let to = folder.join(path);
            let copied =
                to.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::copy(root.join(path), &to));
            copied.map_err(|source| GitError::Io { path: to.clone(), source })?;
        }
        Ok(Some(folder))
    }
}

fn moved(name: &str) -> DecisionError {
    refused(phrase!("{name} has moved since the decision was cut off", name))
        .try_next(phrase!("git reflog {name}; put it back, or land the rest by hand", name))
}

/// Whether a message carries the trailer that belongs to this record.
fn mentions(message: &str, event: &Event) -> bool {
    message.contains(&match &event.fact {
        Fact::Reopened(reopened) => format!("{}: {}", super::reversal::REOPENS, reopened.undoes),
        _ => format!("Verdict-Record: {}", event.id),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, DecisionError> {
    let failed = |source| GitError::Io { path: path.to_path_buf(), source };
    if path.is_symlink() {
        return Ok(std::fs::read_link(path).map_err(failed)?.as_os_str().as_bytes().to_vec());
    }
    Ok(std::fs::read(path).map_err(failed)?)
}

fn write_decision_file(root: &Path, path: &Path, text: &str) -> Result<(), DecisionError> {
    let full = root.join(path);
    let failed = |source| GitError::Io { path: full.clone(), source };
    if let Some(folder) = full.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    Ok(std::fs::write(&full, text).map_err(failed)?)
}

/// Removes the folders above a file that are empty.
fn remove_empty_folders(root: &Path, path: &Path) {
    for folder in path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()) {
        match std::fs::remove_dir(root.join(folder)) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(_) => break,
        }
    }
}
