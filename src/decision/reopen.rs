//! Undoes a decision that has landed.
//!
//! As long as nothing of it was pushed and every ref is where the landing left it, the refs are put back to the tips that the
//! landing's journal has on record. Otherwise history is only added to: the merge or the revert is reverted by a new commit.
//! Either way the ledger then says that the decision does not hold any more.

use super::DecisionError;
use super::journal::{Journal, Lock, none_pending};
use super::landing::{LANDING_VARIABLE, take_back_landed};
use super::plan::{Origin, Touched};
use super::preflight::{ARCHIVE_PREFIX, clean, out_of_the_way, quiet, refused};
use super::reversal::{REOPENS, reverts};
use crate::config::RevertMode;
use crate::experiment::{Book, Experiment};
use crate::git::memory::Merged;
use crate::git::refs::is_ref_name;
use crate::git::{GitError, Head, Oid, Repo};
use crate::ledger::Ledger;
use crate::ledger::event::{Decided, Event, Fact, Reopened, Verdict};
use crate::render::text::{clean as shown, clean_lines, disarm};
use ulid::Ulid;

/// What undoing a decision takes.
#[derive(Debug, Clone)]
pub struct Undo {
    /// The record that will say so, complete but for the commit.
    pub event: Event,
    /// How it is done.
    pub way: Way,
    /// What will be done, one line each.
    pub steps: Vec<String>,
    /// What the user should know first.
    pub notes: Vec<String>,
}

/// How a decision is undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// The refs are put back.
    Reset,
    /// A new commit reverts the merge or the revert.
    Commit {
        /// The branch that it goes on.
        branch: String,
        /// What it reverts.
        reverts: Oid,
        /// For a merge: the parent that is kept.
        mainline: Option<u32>,
        /// Its message.
        message: String,
        /// Whether it changes nothing.
        empty: bool,
        /// The experiment's branch is made anew at the archived commit.
        restores: Option<(String, Oid)>,
    },
    /// Only the record is written: nothing of it is in history, or it was reverted already, by this commit.
    Record(Option<Oid>),
}

/// A decision that was undone.
#[derive(Debug, Clone)]
pub struct Undone {
    /// The record as it stands in the ledger.
    pub event: Event,
    /// Whether history was put back rather than added to.
    pub reset: bool,
}

/// See [`super::prepare_undo`].
pub(super) fn prepare(
    repo: &Repo,
    ledger: &Ledger<'_>,
    book: &Book,
    name: Option<&str>,
    because: &str,
) -> Result<Undo, DecisionError> {
    Lock::probe(repo)?;
    let experiment = chosen(book, name)?;
    let Some((record, _, decided)) = &experiment.decided else {
        return Err(refused(format!(
            "experiment '{}' is {}: there is no decision to undo",
            experiment.name,
            experiment.state.as_str()
        ))
        .try_next(format!("git verdict decide {}", experiment.name)));
    };
    let origin = quiet(repo)?;
    repo.person()?;
    clean(repo)?;
    let mut notes = Vec::new();
    let way = match resettable(repo, *record)? {
        Ok(journal) => {
            let (journal, origin) = (journal.clone(), home(repo, &journal, &origin)?);
            return reset(repo, ledger, experiment, *record, because, &journal, &origin);
        }
        Err(why) => {
            notes.push(format!("{why}: history is added to, not put back"));
            by_commit(repo, experiment, *record, decided, because, &mut notes)?
        }
    };
    let mut steps = Vec::new();
    if let Way::Commit { branch, reverts, mainline, empty, restores, .. } = &way {
        if let Some((name, tip)) = restores {
            steps.push(format!("git branch --no-track {name} {tip}"));
        }
        if origin.branch.as_deref() != Some(branch) {
            steps.push(format!("git switch --quiet --no-guess --end-of-options {branch}"));
        }
        let mainline = mainline.map(|n| format!(" -m {n}")).unwrap_or_default();
        if !empty {
            steps.push(format!("git revert --no-commit{mainline} {reverts}"));
        }
        steps.push(format!("git commit{}", if *empty { " --allow-empty" } else { "" }));
        if origin.branch.as_deref() != Some(branch) {
            steps.extend(
                origin.branch.iter().map(|name| format!("git switch --quiet --no-guess --end-of-options {name}")),
            );
        }
    }
    let event = draft(ledger, experiment, *record, because)?;
    steps.push(format!("append record {} to {}", event.id, crate::ledger::store::LEDGER_REF));
    Ok(Undo { event, way, steps, notes })
}

/// The decision that was asked for: that of an experiment, or the last one.
fn chosen<'b>(book: &'b Book, name: Option<&str>) -> Result<&'b Experiment, DecisionError> {
    if let Some(name) = name {
        return book.find(name).map_err(|error| refused(error.to_string()).try_next("git verdict log"));
    }
    let last = book.experiments.iter().filter_map(|one| one.decided.as_ref().map(|(id, _, _)| (*id, one)));
    let last = last.max_by_key(|(id, _)| *id);
    last.map(|(_, one)| one).ok_or_else(|| refused("there is no decision to undo").try_next("git verdict log --all"))
}

fn draft(ledger: &Ledger<'_>, experiment: &Experiment, undoes: Ulid, because: &str) -> Result<Event, DecisionError> {
    let fact = Fact::Reopened(Reopened { because: because.trim().to_string(), undoes, commit: None });
    Ok(ledger.draft(experiment.id, &experiment.name, fact)?)
}

/// The journal of a landing whose refs can be put back, or why they cannot.
fn resettable(repo: &Repo, record: Ulid) -> Result<Result<Journal, String>, DecisionError> {
    let Some(journal) = Journal::last(repo)?.filter(|journal| journal.draft.event.id == record) else {
        return Ok(Err("it is not the last decision that landed in this clone".to_string()));
    };
    if !journal.is_here(repo) {
        return Ok(Err(format!("it landed in another work tree ({})", journal.place(repo))));
    }
    let plan = journal.plan()?;
    for name in plan.refs.keys() {
        if repo.find_ref(name)? != journal.held(name)? {
            return Ok(Err(format!("{name} has moved since")));
        }
    }
    let remotes = repo.refs_under("refs/remotes/")?;
    for made in journal.done.iter().filter_map(|done| done.made.as_ref()) {
        for (name, tip) in &remotes {
            // What was there before the landing is on the remote all the same.
            let before = plan.refs.values().flatten().any(|held| held == made);
            if !before && repo.is_ancestor(made, tip)? {
                return Ok(Err(format!("{} was pushed (it is in {name})", made.short())));
            }
        }
    }
    Ok(Ok(journal))
}

/// Where HEAD goes: it stays when its branch is none that moves, else it goes to where it was when the decision was made.
fn home(repo: &Repo, journal: &Journal, now: &Origin) -> Result<Origin, DecisionError> {
    let plan = journal.plan()?;
    let full = |origin: &Origin| origin.branch.as_ref().map(|name| format!("refs/heads/{name}"));
    let moved = full(now).and_then(|name| plan.refs.get(&name).map(|before| (name, before.clone())));
    let Some((_, before)) = moved.filter(|(name, before)| journal.held(name).ok().flatten() != *before) else {
        return Ok(now.clone());
    };
    let then = &plan.origin;
    let still = match full(then) {
        Some(name) => match plan.refs.get(&name) {
            Some(held) => held.as_ref() == Some(&then.commit),
            None => repo.find_ref(&name)?.as_ref() == Some(&then.commit),
        },
        None => true,
    };
    match (still, before) {
        (true, _) => Ok(then.clone()),
        (false, Some(commit)) => Ok(Origin { branch: now.branch.clone(), commit }),
        (false, None) => {
            Err(refused("the branch that is checked out was made by this decision").try_next("git switch BRANCH"))
        }
    }
}

/// Preflights putting the refs back.
fn reset(
    repo: &Repo,
    ledger: &Ledger<'_>,
    experiment: &Experiment,
    record: Ulid,
    because: &str,
    journal: &Journal,
    origin: &Origin,
) -> Result<Undo, DecisionError> {
    let plan = journal.plan()?;
    let mut steps = Vec::new();
    for (name, before) in &plan.refs {
        let now = journal.held(name)?;
        if now == *before {
            continue;
        }
        if let Some(short) = name.strip_prefix("refs/heads/")
            && let Some(path) = repo.checked_out_elsewhere(short)?
        {
            return Err(refused(format!("branch '{short}' is checked out in {}", path.display()))
                .try_next(format!("git -C {} switch --detach", path.display())));
        }
        let now = now.as_ref().map_or("nothing".to_string(), Oid::to_string);
        steps.push(match before {
            Some(before) => format!("git update-ref {name} {before} {now}"),
            None => format!("git update-ref -d {name} {now}"),
        });
    }
    let Head::Branch { commit: head, .. } = repo.head()? else { return Err(refused("HEAD is not on a branch")) };
    if head != origin.commit {
        let scratch = repo.scratch()?;
        let differing = scratch.paths_between(&scratch.tree(&head)?, &scratch.tree(&origin.commit)?)?;
        let writes: Vec<_> = differing.into_iter().map(|file| file.path).collect();
        out_of_the_way(repo, &head, &writes)?;
        steps.extend(origin.branch.iter().map(|name| format!("HEAD goes back to {name}")));
    }
    let event = draft(ledger, experiment, record, because)?;
    steps.push(format!("append record {} to {}", event.id, crate::ledger::store::LEDGER_REF));
    Ok(Undo { event, way: Way::Reset, steps, notes: Vec::new() })
}

/// Finds the commit that a new one has to revert, and plays that through in memory.
fn by_commit(
    repo: &Repo,
    experiment: &Experiment,
    record: Ulid,
    decided: &Decided,
    because: &str,
    notes: &mut Vec<String>,
) -> Result<Way, DecisionError> {
    for name in [&decided.onto, &experiment.opened.branch] {
        if name.starts_with('-') || !is_ref_name(&format!("refs/heads/{name}")) {
            return Err(refused(format!("{name:?} is no name of a branch")));
        }
    }
    let mut restores = None;
    let (branch, target) = match (decided.verdict, decided.mode) {
        (Verdict::Keep, _) => (&decided.onto, decided.landed.as_ref()),
        (Verdict::Revert, Some(RevertMode::InPlace)) => (&decided.onto, decided.revert_commit.as_ref()),
        (Verdict::Revert, Some(RevertMode::Archive)) => {
            if repo.branch(&experiment.opened.branch)?.is_none() {
                let archived = repo.find_ref(&format!("{ARCHIVE_PREFIX}{}", experiment.name))?;
                let tip = archived.ok_or_else(|| refused("its commits are not under refs/verdict/archive any more"))?;
                restores = Some((experiment.opened.branch.clone(), tip));
            }
            (&decided.onto, decided.landed.as_ref())
        }
        // The base has nothing of it: what comes back, comes back to the experiment's own branch.
        (Verdict::Revert, _) => (&experiment.opened.branch, decided.revert_commit.as_ref()),
    };
    let Some(target) = target else {
        notes.push("nothing of it is in history: only the record is written".to_string());
        return Ok(Way::Record(None));
    };
    let commit = repo.commit(target).map_err(|_| {
        refused(format!("commit {} is not in this repository", target.short())).try_next("git fetch --all")
    })?;
    let tip = repo.branch(branch)?.ok_or_else(|| {
        refused(format!("branch '{branch}' is gone")).try_next(format!("git branch {branch} {target}"))
    })?;
    if !repo.is_ancestor(target, &tip)? {
        return Err(refused(format!("{} is not on {branch} any more", target.short()))
            .because("history was rewritten since the decision")
            .try_next(format!("git log --all --grep {record}")));
    }
    if let Some(by) = reverted_by(repo, target, &tip)? {
        notes.push(format!("{} was reverted already by {}: only the record is written", target.short(), by.short()));
        return Ok(Way::Record(Some(by)));
    }
    let mainline = commit.is_merge().then_some(1);
    let scratch = repo.scratch()?;
    let before = scratch.tree(&tip)?;
    let empty = match scratch.revert(&before, target, mainline)? {
        Merged::Tree(tree) => tree == before,
        Merged::Conflict(files) => {
            return Err(DecisionError::Conflict {
                what: format!("reverting {} on {branch}", target.short()),
                files,
                next: format!(
                    "git switch {branch} && git revert {}{}, solve the conflicts, then the same command again",
                    mainline.map(|n| format!("-m {n} ")).unwrap_or_default(),
                    target.short()
                ),
                commits: vec![target.clone()],
            });
        }
    };
    if let Some(path) = repo.checked_out_elsewhere(branch)? {
        return Err(refused(format!("branch '{branch}' is checked out in {}", path.display()))
            .try_next(format!("git -C {} switch --detach", path.display())));
    }
    let names = match commit.parents.first().filter(|_| mainline.is_some()) {
        Some(parent) => format!("This reverts commit {target}, reversing\nchanges made to {parent}."),
        None => format!("This reverts commit {target}."),
    };
    let (name, verdict) = (shown(&experiment.name), decided.verdict.as_str());
    let message = format!(
        "revert: undo the decision to {verdict} {name}\n\n{}\n\n{names}\n\nVerdict-Experiment: {name}\n{REOPENS}: {record}\n",
        disarm(&clean_lines(because)),
    );
    if decided.verdict == Verdict::Keep {
        notes.push(format!(
            "the commits of {} stay in the history of {branch}: to keep it after all, git revert the new commit first",
            experiment.name
        ));
    }
    Ok(Way::Commit { branch: branch.clone(), reverts: target.clone(), mainline, message, empty, restores })
}

/// The commit after `target` that says it reverts it, unless that was reverted in its turn.
fn reverted_by(repo: &Repo, target: &Oid, tip: &Oid) -> Result<Option<Oid>, DecisionError> {
    let mut gone = std::collections::HashSet::new();
    for id in repo.range(target, tip)?.into_iter().rev() {
        if gone.contains(&id) {
            continue;
        }
        for named in reverts(&repo.commit(&id)?.message) {
            if named == *target {
                return Ok(Some(id));
            }
            gone.insert(named);
        }
    }
    Ok(None)
}

/// See [`super::reopen`].
pub(super) fn carry_out(repo: &Repo, ledger: &Ledger<'_>, undo: Undo) -> Result<Undone, DecisionError> {
    let lock = Lock::take(repo)?;
    none_pending(repo)?;
    let origin = quiet(repo)?;
    clean(repo)?;
    let Fact::Reopened(reopened) = &undo.event.fact else { return Err(refused("this undoing was not prepared")) };
    let mut event = undo.event.clone();
    match &undo.way {
        Way::Reset => {
            let mut journal = resettable(repo, reopened.undoes)?.map_err(|why| {
                refused(format!("this cannot be put back any more: {why}")).try_next("the same command again")
            })?;
            let home = home(repo, &journal, &origin)?;
            if home == origin {
                // HEAD stays where it is, and so does every file.
                journal.texts.adr = None;
                if let Some(plan) = &mut journal.draft.plan {
                    plan.touched = Touched::default();
                }
            }
            journal.reopen(event, home)?;
            let event = take_back_landed(repo, ledger, &lock, &journal)?;
            Ok(Undone { event, reset: true })
        }
        Way::Record(by) => {
            if let Fact::Reopened(reopened) = &mut event.fact {
                reopened.commit = by.clone();
            }
            ledger.append(&event)?;
            Ok(Undone { event, reset: false })
        }
        Way::Commit { .. } => {
            let made = commit(repo, &lock, &origin, &undo)?;
            if let Fact::Reopened(reopened) = &mut event.fact {
                reopened.commit = Some(made);
            }
            ledger.append(&event)?;
            Ok(Undone { event, reset: false })
        }
    }
}

/// Makes the new commit. When it cannot be made, all is as it was; when it was made and the record was not, the same command
/// again finds it and only writes the record.
fn commit(repo: &Repo, lock: &Lock, origin: &Origin, undo: &Undo) -> Result<Oid, DecisionError> {
    let Way::Commit { branch, reverts, mainline, message, empty, restores } = &undo.way else {
        return Err(refused("this undoing was not prepared"));
    };
    let git =
        || Ok::<_, GitError>(repo.run_git().holding(&lock.file)?.env(LANDING_VARIABLE, undo.event.id.to_string()));
    if let Some((name, tip)) = restores {
        repo.create_branch(name, tip)?;
    }
    let before = repo.branch(branch)?.ok_or_else(|| refused(format!("branch '{branch}' is gone")))?;
    let elsewhere = origin.branch.as_deref() != Some(branch);
    let work = || -> Result<(), DecisionError> {
        if elsewhere {
            repo.switch(branch)?;
        }
        if !empty {
            let mut words = vec!["revert".to_string(), "--no-commit".to_string()];
            words.extend(mainline.iter().flat_map(|n| ["-m".to_string(), n.to_string()]));
            git()?.args(words).arg(reverts.as_str()).run()?;
        }
        let file = repo.verdict_dir()?.join("undo-message.txt");
        std::fs::write(&file, message).map_err(|source| GitError::Io { path: file.clone(), source })?;
        let mut words = vec!["commit", "--quiet", "--cleanup=verbatim"];
        words.extend(empty.then_some("--allow-empty"));
        let committed = git()?.args(words).arg("-F").arg(&file).run();
        let _ = std::fs::remove_file(&file);
        committed?;
        Ok(())
    };
    let outcome = work();
    if outcome.is_err() && repo.branch(branch)?.as_ref() == Some(&before) {
        // A revert that was staged and then refused by a hook.
        let on_it = matches!(repo.head()?, Head::Branch { name, .. } if name == *branch);
        if on_it {
            git()?.args(["reset", "--quiet", "--hard"]).run()?;
        }
        if repo.operation() == Some("revert") {
            git()?.args(["revert", "--quit"]).run()?;
        }
    }
    if elsewhere && let Some(home) = &origin.branch {
        repo.switch(home)?;
    }
    if let Err(error) = outcome {
        if let Some((name, tip)) = restores {
            repo.delete_branch(name, tip)?;
        }
        let step = format!("git commit on {branch}");
        return Err(DecisionError::TakenBack { step, source: Box::new(error) });
    }
    repo.branch(branch)?.ok_or_else(|| refused(format!("branch '{branch}' is gone")))
}
