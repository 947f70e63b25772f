//! Undoes a decision that has landed.
//!
//! As long as nothing of it was pushed and every ref is where the landing left it, the refs are put back to the tips that the
//! landing's journal has on record. Otherwise history is only added to: the merge or the revert is reverted by a new commit.
//! Either way the ledger then says that the decision does not hold any more.

use super::journal::{Journal, Lock, none_pending};
use super::landing::{land, take_back_landed};
use super::plan::{Group, Messages, Origin, Plan, Step, Touched, recording};
use super::preflight::{ARCHIVE_PREFIX, clean, no_branch, out_of_the_way, quiet, refused, settings};
use super::reversal::{REOPENS, reverts};
use super::{DecisionError, Draft, Texts};
use crate::config::RevertMode;
use crate::error::Explain;
use crate::experiment::{Book, Experiment};
use crate::git::history::Commit;
use crate::git::memory::Merged;
use crate::git::refs::is_ref_name;
use crate::git::{Head, Oid, Repo};
use crate::ledger::Ledger;
use crate::ledger::event::{Decided, Event, Fact, Reopened, Verdict};
use crate::phrase;
use crate::phrase::Phrase;
use crate::render::text::{clean as shown, clean_lines, disarm};
use crate::render::trailer;
use std::collections::{BTreeMap, HashSet};
use ulid::Ulid;

/// What undoing a decision takes.
#[derive(Debug, Clone)]
pub struct Undo {
    /// The record that will say so, complete but for the commit.
    pub event: Event,
    /// How it is done.
    pub way: Way,
    /// What will be done, one line each.
    pub steps: Vec<Phrase>,
    /// What the user should know first.
    pub notes: Vec<Phrase>,
}

/// How a decision is undone.
#[derive(Debug, Clone)]
pub enum Way {
    /// The refs are put back.
    Reset,
    /// A new commit reverts the merge or the revert: a landing like any other, journalled step by step.
    Commit(Box<Draft>, Texts),
    /// Only the record is written: nothing of it is in history, or it was reverted already, by this commit.
    Record(Option<Oid>),
}

/// A decision that was undone.
#[derive(Debug, Clone)]
pub struct Undone {
    /// The record as it stands in the ledger.
    pub event: Event,
    /// What the user should know of how it landed: a hook that changed a message or a tree.
    pub notes: Vec<Phrase>,
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
        return Err(refused(phrase!(
            "experiment '{name}' is {state}: there is no decision to undo",
            name = &experiment.name,
            state = experiment.state.as_str()
        ))
        .try_next(phrase!("git verdict decide {name}", name = &experiment.name)));
    };
    let origin = quiet(repo)?;
    repo.person()?;
    clean(repo)?;
    let why = match resettable(repo, *record)? {
        Ok(journal) => {
            let origin = home(repo, &journal, &origin)?;
            return reset(repo, ledger, experiment, *record, because, &journal, &origin);
        }
        Err(why) => why,
    };
    let notes = vec![phrase!("{why}: history is added to, not put back", why)];
    let event = draft(ledger, experiment, *record, because)?;
    let mut undo = Undo { event, way: Way::Record(None), steps: Vec::new(), notes };
    match target(repo, experiment, *record, decided, &mut undo.notes)? {
        Some(Target::Reverted(by)) => undo.way = Way::Record(Some(by)),
        Some(Target::Stands { branch, commit, restores }) => {
            let place = Place { branch, commit: *commit, restores, origin };
            by_commit(repo, experiment, *record, decided, because, place, &mut undo)?;
        }
        None => {}
    }
    if undo.steps.is_empty() {
        undo.steps.push(recording(&undo.event.id.to_string()));
    }
    Ok(undo)
}

/// The decision that was asked for: that of an experiment, or the last one.
fn chosen<'b>(book: &'b Book, name: Option<&str>) -> Result<&'b Experiment, DecisionError> {
    if let Some(name) = name {
        return book.find(name).map_err(|error| refused(error.what()).try_next("git verdict log"));
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
fn resettable(repo: &Repo, record: Ulid) -> Result<Result<Journal, Phrase>, DecisionError> {
    let Some(journal) = Journal::last(repo)?.filter(|journal| journal.draft.event.id == record) else {
        return Ok(Err("it is not the last decision that landed in this clone".into()));
    };
    if !journal.is_here(repo) {
        return Ok(Err(phrase!("it landed in another work tree ({repo})", repo = journal.place(repo))));
    }
    let plan = journal.plan()?;
    for name in plan.refs.keys() {
        if repo.find_ref(name)? != journal.held(name)? {
            return Ok(Err(phrase!("{name} has moved since", name)));
        }
    }
    let remotes = repo.refs_under("refs/remotes/")?;
    for made in journal.done.iter().filter_map(|done| done.made.as_ref()) {
        for (name, tip) in &remotes {
            // What was there before the landing is on the remote all the same.
            let before = plan.refs.values().flatten().any(|held| held == made);
            if !before && repo.is_ancestor(made, tip)? {
                return Ok(Err(phrase!("{made} was pushed (it is in {name})", made = made.short(), name)));
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
            return Err(refused(phrase!("branch '{short}' is checked out in {path}", short, path = path.display()))
                .try_next(phrase!("git -C {path} switch --detach", path = path.display())));
        }
        let now = now.as_ref().map_or("nothing".to_string(), Oid::to_string);
        steps.push(match before {
            Some(before) => format!("git update-ref {name} {before} {now}").into(),
            None => format!("git update-ref -d {name} {now}").into(),
        });
    }
    let Head::Branch { commit: head, .. } = repo.head()? else { return Err(refused("HEAD is not on a branch")) };
    if head != origin.commit {
        let scratch = repo.scratch()?;
        let differing = scratch.paths_between(&scratch.tree(&head)?, &scratch.tree(&origin.commit)?)?;
        let writes: Vec<_> = differing.into_iter().map(|file| file.path).collect();
        out_of_the_way(repo, &head, &writes)?;
        steps.extend(origin.branch.iter().map(|name| phrase!("HEAD goes back to {name}", name)));
    }
    let event = draft(ledger, experiment, record, because)?;
    steps.push(recording(&event.id.to_string()));
    Ok(Undo { event, way: Way::Reset, steps, notes: Vec::new() })
}

/// The commit that a decision made and that has to be reverted.
enum Target {
    /// It was reverted already, by this commit.
    Reverted(Oid),
    /// It stands.
    Stands {
        /// The branch that it is on.
        branch: String,
        /// Which.
        commit: Box<Commit>,
        /// The commit at which the experiment's branch is made again.
        restores: Option<Oid>,
    },
}

/// Finds the commit that a new one has to revert; none when nothing of the decision is in history.
fn target(
    repo: &Repo,
    experiment: &Experiment,
    record: Ulid,
    decided: &Decided,
    notes: &mut Vec<Phrase>,
) -> Result<Option<Target>, DecisionError> {
    for name in [&decided.onto, &experiment.opened.branch] {
        if name.starts_with('-') || !is_ref_name(&format!("refs/heads/{name}")) {
            return Err(refused(no_branch(name)));
        }
    }
    let mut restores = None;
    let (branch, target) = match (decided.verdict, decided.mode) {
        (Verdict::Keep, _) => (&decided.onto, decided.landed.as_ref()),
        (Verdict::Revert, Some(RevertMode::InPlace)) => (&decided.onto, decided.revert_commit.as_ref()),
        (Verdict::Revert, Some(RevertMode::Archive)) => {
            if repo.branch(&experiment.opened.branch)?.is_none() {
                let archived = repo.find_ref(&format!("{ARCHIVE_PREFIX}{}", experiment.name))?;
                restores =
                    Some(archived.ok_or_else(|| refused("its commits are not under refs/verdict/archive any more"))?);
            }
            (&decided.onto, decided.landed.as_ref())
        }
        // The base has nothing of it: what comes back, comes back to the experiment's own branch.
        (Verdict::Revert, _) => (&experiment.opened.branch, decided.revert_commit.as_ref()),
    };
    let Some(target) = target else {
        notes.push("nothing of it is in history: only the record is written".into());
        return Ok(None);
    };
    let commit = repo.commit(target).map_err(|_| {
        refused(phrase!("commit {target} is not in this repository", target = target.short()))
            .try_next("git fetch --all")
    })?;
    let tip = repo.branch(branch)?.ok_or_else(|| {
        refused(phrase!("branch '{branch}' is gone", branch)).try_next(phrase!(
            "git branch {branch} {target}",
            branch,
            target
        ))
    })?;
    if !repo.is_ancestor(target, &tip)? {
        return Err(refused(phrase!("{target} is not on {branch} any more", target = target.short(), branch))
            .because("history was rewritten since the decision")
            .try_next(phrase!("git log --all --grep {record}", record)));
    }
    // A revert on the experiment's branch may have been reverted there or on the base.
    let elsewhere = repo.branch(&decided.onto)?.filter(|_| decided.verdict == Verdict::Revert);
    for tip in [Some(tip), elsewhere].into_iter().flatten() {
        if let Some(by) = reverted_by(repo, target, &tip)? {
            notes.push(phrase!(
                "{target} was reverted already by {by}: only the record is written",
                target = target.short(),
                by = by.short()
            ));
            return Ok(Some(Target::Reverted(by)));
        }
    }
    Ok(Some(Target::Stands { branch: branch.clone(), commit: Box::new(commit), restores }))
}

/// Where the new commit goes and what it reverts.
struct Place {
    branch: String,
    commit: Commit,
    restores: Option<Oid>,
    origin: Origin,
}

/// Plays the new commit through in memory and plans it.
fn by_commit(
    repo: &Repo,
    experiment: &Experiment,
    record: Ulid,
    decided: &Decided,
    because: &str,
    place: Place,
    undo: &mut Undo,
) -> Result<(), DecisionError> {
    let Place { branch, commit, restores, origin } = place;
    let target = &commit.id;
    let full = format!("refs/heads/{branch}");
    let tip = repo.find_ref(&full)?.ok_or_else(|| refused(phrase!("branch '{branch}' is gone", branch = &branch)))?;
    let mainline = commit.is_merge().then_some(1);
    let scratch = repo.scratch()?;
    let before = scratch.tree(&tip)?;
    let tree = match scratch.revert(&before, target, mainline)? {
        Merged::Tree(tree) => tree,
        Merged::Conflict(files) => {
            return Err(DecisionError::Conflict {
                what: phrase!("reverting {target} on {branch}", target = target.short(), branch = &branch),
                files,
                next: phrase!(
                    "git switch {branch} && git revert {mainline}{target}, solve the conflicts, then the same command again",
                    branch = &branch,
                    mainline = mainline.map(|n| format!("-m {n} ")).unwrap_or_default(),
                    target = target.short()
                ),
                commits: vec![target.clone()],
            });
        }
    };
    if let Some(path) = repo.checked_out_elsewhere(&branch)? {
        return Err(refused(phrase!(
            "branch '{branch}' is checked out in {path}",
            branch = &branch,
            path = path.display()
        ))
        .try_next(phrase!("git -C {path} switch --detach", path = path.display())));
    }
    let mut touched = Touched::default();
    touched.add(scratch.paths_between(&scratch.tree(&origin.commit)?, &before)?);
    touched.add(scratch.paths_between(&before, &tree)?);
    let writes: Vec<_> = touched.0.keys().cloned().collect();
    out_of_the_way(repo, &origin.commit, &writes)?;

    let mut refs = BTreeMap::from([(full, Some(tip))]);
    let mut steps = Vec::new();
    if let Some(tip) = restores {
        let own = &experiment.opened.branch;
        refs.insert(format!("refs/heads/{own}"), None);
        steps.push(Step::Restore { branch: own.clone(), tip });
    }
    let home = origin.branch.clone().filter(|name| *name != branch);
    if home.is_some() {
        steps.push(Step::Switch { branch: branch.clone() });
    }
    let empty = tree == before;
    let group = Group { mainline, commits: vec![target.clone()] };
    let groups = if empty { Vec::new() } else { vec![group] };
    let (restore, exact) = (None, false);
    steps.push(Step::Revert { branch: branch.clone(), groups, restore, tree: tree.clone(), exact, empty });
    steps.extend(home.map(|branch| Step::Switch { branch }));
    steps.push(Step::Record);
    let settings = settings(repo, &branch);
    let plan = Plan { origin, refs, steps, settings, expected: tree, touched, in_force: None };

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
        undo.notes.push(phrase!("the commits of {name} stay in the history of {branch}: to keep it after all, git revert the new commit first", name = &experiment.name, branch = &branch));
    }
    let texts = Texts { revert: Some(message), merge: None, adr: None };
    undo.steps = plan.lines(&undo.event.id.to_string(), &Messages::of(repo), Some(&texts));
    let draft = Draft {
        event: undo.event.clone(),
        opened: experiment.opened.clone(),
        stands_on: None,
        steps: undo.steps.iter().map(Phrase::to_string).collect(),
        notes: Vec::new(),
        plan: Some(plan),
        unseen: false,
    };
    undo.way = Way::Commit(Box::new(draft), texts);
    Ok(())
}

/// The commit after `target` that says it reverts it, unless that was reverted in its turn.
fn reverted_by(repo: &Repo, target: &Oid, tip: &Oid) -> Result<Option<Oid>, DecisionError> {
    let mut gone = HashSet::new();
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

/// A revert that was itself reverted by hand: the change is back, and the ledger does not know.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Reapplied {
    /// The experiment's name.
    pub name: String,
    /// The record of its revert.
    pub record: Ulid,
    /// The commit that reverted the revert.
    pub by: Oid,
    /// The branch that it is on.
    pub branch: String,
}

/// The commits that a revert left in history.
fn traces(experiment: &Experiment) -> Option<(Ulid, &Decided, Vec<&Oid>)> {
    let (record, _, decided) = experiment.decided.as_ref()?;
    let made = [&decided.revert_commit, &decided.landed].into_iter().flatten().collect::<Vec<_>>();
    let archived = decided.mode == Some(RevertMode::Archive);
    (decided.verdict == Verdict::Revert && !archived && !made.is_empty()).then_some((*record, decided, made))
}

/// Whether one of the newest `most` commits of a line of first parents reverts a revert that carries a decision. A glance: it
/// does not look into the ledger.
pub fn reverts_a_decision(repo: &Repo, tip: &Oid, most: usize) -> bool {
    let line = std::iter::successors(repo.commit(tip).ok(), |commit| repo.commit(commit.parents.first()?).ok());
    line.take(most).flat_map(|commit| reverts(&commit.message)).any(|target| {
        let carried = repo.commit(&target).ok().and_then(|commit| trailer::parse_message(&commit.message));
        carried.is_some_and(|says| says.verdict == Verdict::Revert)
    })
}

/// Looks through the newest `most` commits of the branches that reverts landed on for commits that revert them.
pub fn reapplied(repo: &Repo, book: &Book, most: usize) -> Result<Vec<Reapplied>, DecisionError> {
    let mut wanted: BTreeMap<&str, BTreeMap<&Oid, (&Experiment, Ulid)>> = BTreeMap::new();
    for experiment in &book.experiments {
        let Some((record, decided, made)) = traces(experiment) else { continue };
        for branch in [&decided.onto, &experiment.opened.branch] {
            wanted.entry(branch).or_default().extend(made.iter().map(|id| (*id, (experiment, record))));
        }
    }
    let mut found: Vec<Reapplied> = Vec::new();
    for (branch, made) in wanted {
        // A ledger from elsewhere may name anything.
        let Ok(Some(tip)) = repo.branch(branch) else { continue };
        let mut gone = HashSet::new();
        for commit in repo.newest_without(&tip, None, most)?.0 {
            if gone.contains(&commit.id) {
                continue;
            }
            for target in reverts(&commit.message) {
                if let Some((experiment, record)) = made.get(&target)
                    && found.iter().all(|one| one.record != *record)
                {
                    let (name, by, branch) = (experiment.name.clone(), commit.id.clone(), branch.to_string());
                    found.push(Reapplied { name, record: *record, by, branch });
                }
                gone.insert(target);
            }
        }
    }
    Ok(found)
}

/// Writes down that HEAD reverts a revert, when it does and the ledger does not know: for the `post-commit` hook.
/// A commit that reverts nothing costs no look into the ledger.
pub fn notice(repo: &Repo, ledger: &Ledger<'_>) -> Result<Option<Event>, DecisionError> {
    let Head::Branch { name, commit } = repo.head()? else { return Ok(None) };
    let targets = reverts(&repo.commit(&commit)?.message);
    if targets.is_empty() {
        return Ok(None);
    }
    for experiment in &ledger.book()?.experiments {
        let Some((record, decided, made)) = traces(experiment) else { continue };
        if (name == decided.onto || name == experiment.opened.branch) && made.iter().any(|id| targets.contains(id)) {
            let because = format!("{} reverts the revert", commit.short());
            let mut event = draft(ledger, experiment, record, &because)?;
            event.fact = Fact::Reopened(Reopened { because, undoes: record, commit: Some(commit) });
            ledger.append(&event)?;
            return Ok(Some(event));
        }
    }
    Ok(None)
}

/// See [`super::reopen`].
pub(super) fn carry_out(repo: &Repo, ledger: &Ledger<'_>, undo: Undo) -> Result<Undone, DecisionError> {
    let Fact::Reopened(reopened) = &undo.event.fact else { return Err(refused("this undoing was not prepared")) };
    let mut event = undo.event.clone();
    if let Way::Commit(draft, texts) = undo.way {
        let landed = land(repo, ledger, *draft, texts)?;
        return Ok(Undone { event: landed.event, notes: landed.notes, reset: false });
    }
    let lock = Lock::take(repo)?;
    none_pending(repo)?;
    let origin = quiet(repo)?;
    clean(repo)?;
    if let Way::Record(by) = undo.way {
        event.fact = Fact::Reopened(Reopened { commit: by, ..reopened.clone() });
        ledger.append(&event)?;
        return Ok(Undone { event, notes: Vec::new(), reset: false });
    }
    let mut journal = resettable(repo, reopened.undoes)?.map_err(|why| {
        refused(phrase!("this cannot be put back any more: {why}", why)).try_next("the same command again")
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
    Ok(Undone { event, notes: Vec::new(), reset: true })
}
