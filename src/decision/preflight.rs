//! Looks at everything that a landing needs, in memory, and touches nothing.
//!
//! What is found wrong here is found before the first ref moves: the state of the work tree, the numbers, conflicts, files
//! in the way. The outcome is a [`Draft`] with its [`Plan`].

use super::journal::Lock;
use super::plan::{Group, Messages, Origin, Plan, Step, Touched};
use super::replay::{self, Conflict, Replayed};
use super::reversal::reverts;
use super::stacking::{self, Line};
use super::{DecisionError, Draft, Request, Texts};
use crate::config::RevertMode;
use crate::experiment::{BRANCH_PREFIX, Experiment, State};
use crate::git::change::Uncommitted;
use crate::git::memory::{Merged, Scratch};
use crate::git::places::outside;
use crate::git::refs::is_ref_name;
use crate::git::stat::{FRESH, Look};
use crate::git::{GitError, Head, Oid, Repo};
use crate::hidden;
use crate::ledger::event::{Decided, Fact, Identity, Verdict};
use crate::ledger::{Ledger, Wanted};
use crate::measure::told::{told, told_all};
use crate::phrase;
use crate::phrase::{Phrase, plural};
use crate::policy::Advice;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// The hooks that a landing runs, first those that run before a commit is made of the index.
const HOOKS: [&str; 7] = [
    "pre-commit",
    "prepare-commit-msg",
    "commit-msg",
    "pre-merge-commit",
    "post-commit",
    "post-merge",
    "post-checkout",
];

/// So many of them run before a commit is made.
const BEFORE_COMMIT: usize = 3;

/// Where commits of archived experiments stay.
pub(super) const ARCHIVE_PREFIX: &str = "refs/verdict/archive/";

/// At most so many commits in one `git revert`, to stay within the length of a command line.
const COMMITS_A_COMMAND: usize = 4000;

pub(super) fn refused(what: impl Into<Phrase>) -> DecisionError {
    DecisionError::Refused { what: what.into(), why: None, next: None }
}

impl DecisionError {
    pub(super) fn because(mut self, reason: impl Into<Phrase>) -> Self {
        if let DecisionError::Refused { why, .. } = &mut self {
            *why = Some(reason.into());
        }
        self
    }
    pub(super) fn try_next(mut self, command: impl Into<Phrase>) -> Self {
        if let DecisionError::Refused { next, .. } = &mut self {
            *next = Some(command.into());
        }
        self
    }
}

/// See [`super::prepare`].
pub(super) fn prepare(repo: &Repo, ledger: &Ledger<'_>, request: &Request<'_>) -> Result<Draft, DecisionError> {
    let experiment = request.experiment;
    let opened = &experiment.opened;
    Lock::probe(repo)?;
    undecided(experiment, request.verdict)?;
    let origin = quiet(repo)?;
    repo.person()?;
    names(experiment)?;
    // The files are looked at, and git answers, while all the rest is thought through.
    repo.look_for_hooks();
    if request.verdict == Verdict::Keep {
        hidden::ask(repo);
    }
    let look = (!request.preview).then(|| repo.ahead(&origin.commit).unwrap_or_else(|| repo.begin_look()));
    let found = request.preview.then(|| repo.uncommitted()).transpose()?;

    let onto_ref = format!("refs/heads/{}", opened.onto);
    let branch_ref = format!("refs/heads/{}", opened.branch);
    let onto = repo.find_ref(&onto_ref)?.ok_or_else(|| {
        refused(phrase!("branch '{onto}' does not exist", onto = &opened.onto))
            .because("the experiment is to land on it")
            .try_next("git branch --all")
    })?;
    let branch = repo.find_ref(&branch_ref)?;
    let tip = match (&branch, &experiment.decided, &opened.adopted) {
        (Some(tip), _, _) => tip.clone(),
        (None, Some((_, _, decided)), _) => repo.commit(&decided.candidate.commit)?.id,
        (None, None, Some(adopted)) if repo.is_ancestor(adopted, &onto)? => adopted.clone(),
        _ => return Err(gone(experiment)),
    };

    let scratch = repo.scratch()?;
    let mut notes = Vec::new();
    let landed_already = repo.is_ancestor(&tip, &onto)?;
    let mode = match request.verdict {
        Verdict::Keep => None,
        Verdict::Revert => Some(choose_mode(request, landed_already, &mut notes)?),
    };
    if branch.is_none() && (mode.is_some_and(|mode| mode != RevertMode::InPlace) || (mode.is_none() && !landed_already))
    {
        return Err(gone(experiment));
    }
    let scope = Scope::find(repo, experiment, &tip, &onto, landed_already)?;
    if scope.rebased {
        notes.push(phrase!("the commit that it started from is not in its history any more: it is taken to start at {base}, where it meets {onto}", base = scope.base.short(), onto = &opened.onto));
    }
    let line = Line { base: &scope.base, tip: &scope.tip, onto: &onto };
    let forced = stacking::check(repo, request, mode, line, &mut notes)?;
    let before = scope.before.as_ref().unwrap_or(&onto);
    let meets = repo.merge_base(before, &scope.tip)?;
    if let Some(meets) = meets.as_ref().filter(|_| !landed_already) {
        notes.extend(stacking::moved_on(repo, &scratch, experiment, meets, line)?);
    }
    let forced = numbers(repo, request, &scope, meets.as_ref(), &mut notes)? || forced;

    let mut planner = Planner::new(repo, &scratch, &origin, &opened.onto, onto.clone())?;
    if mode.is_none()
        && landed_already
        && scope.groups.is_empty()
        && let Some(by) = &scope.reverted_by
    {
        return Err(refused(phrase!(
            "the commits of '{name}' on {onto} were reverted by {by}",
            name = &experiment.name,
            onto = &opened.onto,
            by = by.short()
        ))
        .because("keeping it would record a change that is not there")
        .try_next(phrase!("git revert {by}, then the same command again", by = by.short())));
    }
    match mode {
        None if landed_already => {
            planner.switch(&opened.onto, &onto)?;
            notes.push(phrase!(
                "its commits are on {onto} already: nothing is merged, only the record is written",
                onto = &opened.onto
            ));
        }
        None => planner.keep(&opened.branch, &tip)?,
        Some(RevertMode::Merge) => planner.revert_and_merge(experiment, &scope, &mut notes)?,
        Some(RevertMode::InPlace) => planner.revert_in_place(&scope, &mut notes)?,
        Some(RevertMode::Archive) => planner.archive(experiment, &tip)?,
    }
    let mut plan = planner.finish(settings(repo, &opened.onto))?;
    plan.in_force = experiment.decided.as_ref().map(|(id, ..)| *id);
    for (name, writes) in [(&opened.onto, true), (&opened.branch, plan.refs.contains_key(&branch_ref))] {
        if writes && let Some(path) = repo.checked_out_elsewhere(name)? {
            return Err(refused(phrase!("branch '{name}' is checked out in {path}", name, path = path.display()))
                .because("a decision moves it, and that work tree would no longer match it")
                .try_next(phrase!("git -C {path} switch --detach", path = path.display())));
        }
    }
    let writes: Vec<PathBuf> = plan.touched.0.keys().cloned().collect();
    out_of_the_way(repo, &origin.commit, &writes)?;
    if let Some(found) = &found {
        nothing_uncommitted(found, edits_may_stay(repo, &plan)?)?;
    }
    surroundings(repo, found.as_ref().map_or(&[], |found| &found.untracked), &plan, &mut notes)?;

    let latest = experiment.latest();
    // A branch that has taken in the base is measured against where the two met last.
    let base = match (latest, &meets) {
        (Some((_, measured)), Some(meets)) if measured.base.commit == *meets => meets.clone(),
        _ => scope.base.clone(),
    };
    let base_commit = repo.commit(&base)?;
    let decided = Decided {
        verdict: request.verdict,
        because: request.because.clone(),
        mode,
        measured: latest.map(|(id, _)| *id),
        comparison: latest.map(|(_, measured)| measured.comparison.clone()).unwrap_or_default(),
        recommendation: latest.map(|(_, measured)| measured.recommendation.clone()),
        overrode: forced || overrides(request.verdict, latest.map(|(_, measured)| measured.recommendation.advice)),
        base: Identity { tree: base_commit.tree, commit: base.clone(), patch: None },
        candidate: Identity { tree: repo.commit(&tip)?.tree, patch: repo.patch_id(&base, &tip)?, commit: tip.clone() },
        commits: scope.commits.clone(),
        revert_commit: None,
        landed: None,
        onto: opened.onto.clone(),
    };
    match look {
        Some(look) if request.at_once => repo.keep_ahead(look),
        Some(look) => seen(repo, look, edits_may_stay(repo, &plan)?)?,
        None => {}
    }
    let event = ledger.draft(experiment.id, &experiment.name, Fact::Decided(Box::new(decided)))?;
    let stands_on = opened.stands_on.and_then(|id| request.book.experiments.iter().find(|other| other.id == id));
    let messages = Messages::of(repo);
    let steps = plan.lines(&event.id.to_string(), &messages, None).iter().map(Phrase::to_string).collect();
    Ok(Draft {
        event,
        opened: opened.clone(),
        stands_on: stands_on.map(|other| other.name.clone()),
        steps,
        notes,
        plan: Some(plan),
        unseen: request.at_once,
    })
}

/// Looks once more, right before landing, that nothing has changed since the draft; also at what only the texts tell.
pub(super) fn recheck(
    repo: &Repo,
    ledger: &Ledger<'_>,
    draft: &Draft,
    plan: &Plan,
    texts: &Texts,
) -> Result<(), DecisionError> {
    still_to_be_decided(ledger, draft, plan)?;
    let origin = quiet(repo)?;
    if origin != plan.origin {
        return Err(refused("HEAD has moved since this decision was prepared").try_next("the same command again"));
    }
    for (name, held) in &plan.refs {
        if repo.find_ref(name)? != *held {
            return Err(refused(phrase!("{name} has moved since this decision was prepared", name))
                .try_next("the same command again"));
        }
    }
    let needs = |message: &Option<String>, what: &str| match message {
        Some(text) if !text.trim().is_empty() => Ok(()),
        _ => Err(refused(phrase!("the message of the {what} commit is missing", what))),
    };
    for step in &plan.steps {
        match step {
            Step::Revert { .. } => needs(&texts.revert, "revert")?,
            Step::Merge { .. } => needs(&texts.merge, "merge")?,
            _ => {}
        }
    }
    let mut writes: Vec<PathBuf> = plan.touched.0.keys().cloned().collect();
    if let Some((path, _, _)) = &texts.adr {
        decision_file(repo, draft, plan, path)?;
        writes.push(path.clone());
    }
    out_of_the_way(repo, &origin.commit, &writes)?;
    let look = repo.ahead(&origin.commit);
    if look.is_none() && is_fresh(draft) && !draft.unseen {
        return Ok(());
    }
    seen(repo, look.unwrap_or_else(|| repo.begin_look()), edits_may_stay(repo, plan)?)
}

/// Whether edits of tracked files may stay as they are: landing writes one new file, and no hook may take them along into its
/// commit.
pub(super) fn edits_may_stay(repo: &Repo, plan: &Plan) -> Result<bool, DecisionError> {
    Ok(plan.leaves_files() && repo.hooks_present(&HOOKS[..BEFORE_COMMIT])?.is_empty())
}

/// Refuses an experiment that another process decided while this decision was prepared: the other may have landed already
/// when this one looked at the refs, and not have written its record yet.
fn still_to_be_decided(ledger: &Ledger<'_>, draft: &Draft, plan: &Plan) -> Result<(), DecisionError> {
    let Fact::Decided(_) = draft.event.fact else { return Ok(()) };
    let book = ledger.book_of(&Wanted { ids: vec![draft.event.experiment], ..Wanted::default() })?;
    let now = book.by_id(draft.event.experiment).and_then(|experiment| experiment.decided.as_ref());
    if now.map(|(id, ..)| *id) == plan.in_force {
        return Ok(());
    }
    let name = &draft.event.name;
    let what = phrase!("'{name}' was decided by another process while this decision was prepared", name);
    Err(refused(what).try_next(phrase!("git verdict show {name}", name)))
}

/// Whether the draft was made just now; its record's id says when.
fn is_fresh(draft: &Draft) -> bool {
    draft.event.id.datetime().elapsed().is_ok_and(|age| age < FRESH)
}

/// A decision file is a new file inside the work tree.
fn decision_file(repo: &Repo, draft: &Draft, plan: &Plan, path: &Path) -> Result<(), DecisionError> {
    let shown = &path.display().to_string();
    if let Some(why) = outside(repo.workdir()?, path) {
        return Err(refused(phrase!("'{shown}' is no place for a decision file", shown)).because(why));
    }
    let taken = match plan.touched.0.get(path) {
        Some(_) => true,
        None => repo.file_at(&plan.origin.commit, path)?.is_some(),
    };
    let onto = repo.branch(&draft.opened.onto)?;
    let on_base = onto.map(|tip| repo.file_at(&tip, path)).transpose()?.flatten().is_some();
    if taken || on_base {
        return Err(refused(phrase!("the decision file {shown} exists already", shown))
            .try_next("another name or folder for it"));
    }
    if repo.is_ignored(path)? {
        return Err(refused(phrase!("the decision file {shown} would be ignored by git", shown))
            .try_next(phrase!("git check-ignore -v {shown}", shown)));
    }
    Ok(())
}

/// No operation under way, no lock held, HEAD on a branch.
pub(super) fn quiet(repo: &Repo) -> Result<Origin, DecisionError> {
    repo.workdir()?;
    if let Some(operation) = repo.operation() {
        let next = match operation {
            "bisect" => "git bisect reset".into(),
            other => phrase!("git {other} --continue, or git {other} --abort", other),
        };
        return Err(refused(phrase!("a {operation} is in progress", operation))
            .because("a decision switches branches and would get mixed up with it")
            .try_next(next));
    }
    if let Some(lock) = repo.index_lock() {
        return Err(locked(&lock));
    }
    match repo.head()? {
        Head::Branch { name, commit } => Ok(Origin { branch: Some(name), commit }),
        Head::Unborn(name) => Err(GitError::Unborn(name).into()),
        Head::Detached(id) => Err(GitError::Detached(id.short().to_string()).into()),
    }
}

pub(super) fn locked(lock: &Path) -> DecisionError {
    refused("the index is locked")
        .because(phrase!(
            "another git is at work here, or one was killed and left {lock} behind",
            lock = lock.display()
        ))
        .try_next(phrase!("wait for it; when no git is running: rm {lock}", lock = lock.display()))
}

/// Names come from the ledger, and a ledger may come from elsewhere: they are held to what this program would have written.
fn names(experiment: &Experiment) -> Result<(), DecisionError> {
    let opened = &experiment.opened;
    let legal = |name: &str| !name.starts_with('-') && is_ref_name(&format!("refs/heads/{name}"));
    for name in [&opened.onto, &opened.branch] {
        if !legal(name) {
            return Err(refused(no_branch(name)).because("that is what the ledger says"));
        }
    }
    let own = opened.branch.strip_prefix(BRANCH_PREFIX).is_some_and(|rest| !rest.is_empty());
    if !own || opened.branch == opened.onto {
        return Err(refused(phrase!("{name} is no branch of an experiment", name = format!("{:?}", opened.branch)))
            .because(phrase!("an experiment's branch is named {BRANCH_PREFIX}NAME", BRANCH_PREFIX)));
    }
    if experiment.name.contains('/') || !is_ref_name(&format!("{ARCHIVE_PREFIX}{}", experiment.name)) {
        return Err(refused(phrase!("{name} is no name of an experiment", name = format!("{:?}", experiment.name))));
    }
    Ok(())
}

/// What is said of a name that no branch can have.
pub(super) fn no_branch(name: &str) -> Phrase {
    phrase!("{name} is no name of a branch", name = format!("{name:?}"))
}

fn gone(experiment: &Experiment) -> DecisionError {
    let tip = experiment.latest().map(|(_, measured)| measured.candidate.commit.clone());
    let next = match tip {
        Some(tip) => phrase!("git branch {branch} {tip}", branch = experiment.branch(), tip),
        None => "git reflog".into(),
    };
    refused(phrase!("branch '{branch}' is gone", branch = experiment.branch()))
        .because("it holds the experiment's commits")
        .try_next(next)
}

/// Only an open experiment is decided; one that was kept may be reverted later.
fn undecided(experiment: &Experiment, verdict: Verdict) -> Result<(), DecisionError> {
    if experiment.is_open() || (experiment.state == State::Kept && verdict == Verdict::Revert) {
        return Ok(());
    }
    let next = phrase!("git verdict show {name}", name = &experiment.name);
    Err(refused(crate::error::Explain::what(&experiment.finished())).try_next(next))
}

/// Refuses uncommitted work. Files are looked at without git first: it is asked when that leaves a doubt.
pub(super) fn clean(repo: &Repo) -> Result<(), DecisionError> {
    seen(repo, repo.begin_look(), false)
}

/// The same of a look that is under way. Where edits may stay, only what is staged is refused.
fn seen(repo: &Repo, look: Look, edits_may_stay: bool) -> Result<(), DecisionError> {
    let sure = if edits_may_stay { look.finds_nothing_staged() } else { look.finds_all_clean() };
    if sure {
        return Ok(());
    }
    nothing_uncommitted(&repo.uncommitted_tracked()?, edits_may_stay)
}

/// Refuses what is uncommitted, or only what is staged where edits may stay.
pub(super) fn nothing_uncommitted(found: &Uncommitted, edits_may_stay: bool) -> Result<(), DecisionError> {
    let changed = if edits_may_stay { &found.staged } else { &found.tracked };
    let mut files: Vec<&PathBuf> = changed.iter().chain(&found.conflicted).collect();
    files.sort();
    if files.is_empty() {
        return Ok(());
    }
    let files = listed(&files);
    Err(match edits_may_stay {
        true => refused(phrase!("there is staged work in {files}", files))
            .because("the commit would take it along")
            .try_next("git commit (or git restore --staged, to leave it out)"),
        false => refused(phrase!("there is uncommitted work in {files}", files))
            .because("only what is committed is decided on, and landing switches branches")
            .try_next("git commit (or git restore, to decide on the committed state alone)"),
    })
}

/// The first few paths, and how many more there are.
pub(super) fn listed<P: AsRef<Path>>(files: &[P]) -> Phrase {
    const SHOWN: usize = 5;
    let text = files.iter().take(SHOWN).map(|f| f.as_ref().display().to_string()).collect::<Vec<_>>().join(", ");
    if files.len() > SHOWN {
        return phrase!("{files} and {n} more", files = text, n = files.len() - SHOWN);
    }
    text.into()
}

pub(super) fn out_of_the_way(repo: &Repo, head: &Oid, writes: &[PathBuf]) -> Result<(), DecisionError> {
    let found = repo.in_the_way(head, writes)?;
    if found.is_empty() {
        return Ok(());
    }
    Err(refused(phrase!("untracked files are in the way: {found}", found = listed(&found)))
        .because("landing would overwrite them, and git does not hold them")
        .try_next("move them elsewhere, or commit them"))
}

/// The mode that fits: commits that are on the base already can only be reverted in place.
fn choose_mode(request: &Request<'_>, landed: bool, notes: &mut Vec<Phrase>) -> Result<RevertMode, DecisionError> {
    let (onto, name) = (&request.experiment.opened.onto, &request.experiment.name);
    let asked = request.mode.unwrap_or(request.policy.revert);
    let fits = (asked == RevertMode::InPlace) == landed;
    if fits {
        return Ok(asked);
    }
    let (fitting, flag) = if landed { (RevertMode::InPlace, "in-place") } else { (RevertMode::Merge, "merge") };
    let what = if landed {
        phrase!("its commits are on {onto} already", onto)
    } else {
        phrase!("its commits are not on {onto}", onto)
    };
    if request.mode.is_some() {
        return Err(refused(what)
            .because("mode in-place reverts what is on the base; merge and archive bring in what is not")
            .try_next(phrase!("git verdict revert {name} --mode {flag}", name, flag)));
    }
    notes.push(phrase!("{what}: reverted with --mode {flag}", what, flag));
    Ok(fitting)
}

/// Which commits are the experiment's, and how they are undone.
struct Scope {
    /// Where it starts.
    base: Oid,
    /// What was decided on.
    tip: Oid,
    /// The last commit of the base branch that holds nothing of it, when there is one.
    before: Option<Oid>,
    /// Its commits, oldest first; merges that only brought in the base branch are left out.
    commits: Vec<Oid>,
    /// What is to be reverted, newest first.
    groups: Vec<Group>,
    /// How merges among them are treated.
    notes: Vec<Phrase>,
    /// The base was not found in the branch (it was rebased): the merge base stands in.
    rebased: bool,
    /// The commit that reverted them all, when one did.
    reverted_by: Option<Oid>,
}

impl Scope {
    fn find(repo: &Repo, experiment: &Experiment, tip: &Oid, onto: &Oid, landed: bool) -> Result<Scope, DecisionError> {
        let opened = &experiment.opened;
        let known = repo.commit(&opened.base.commit).is_ok();
        let rebased = !(known && repo.is_ancestor(&opened.base.commit, tip)?);
        let base = match rebased {
            false => opened.base.commit.clone(),
            true if landed => {
                return Err(refused("the commit that the experiment started from is not in its history any more")
                    .because(phrase!(
                        "{tip} is on {onto} already, so its commits cannot be told apart",
                        tip = tip.short(),
                        onto = &opened.onto
                    ))
                    .try_next(phrase!(
                        "git revert the commits, then git verdict show {name}",
                        name = &experiment.name
                    )));
            }
            true => repo.merge_base(onto, tip)?.ok_or_else(|| {
                refused(phrase!(
                    "'{branch}' and '{onto}' have no history in common",
                    branch = &opened.branch,
                    onto = &opened.onto
                ))
            })?,
        };
        let start = base.clone();
        let empty = || {
            refused(phrase!("experiment '{name}' has no commits", name = &experiment.name))
                .because(phrase!(
                    "nothing is on {branch} that is not in its base {start}",
                    branch = &opened.branch,
                    start = start.short()
                ))
                .try_next(phrase!("git switch {branch}, change something, git commit", branch = &opened.branch))
        };
        let within: HashSet<Oid> = repo.range(&base, tip)?.into_iter().collect();
        let outside = if landed { before_it(repo, experiment, &base, tip, onto, &within)? } else { Some(onto.clone()) };
        let hide: Vec<&Oid> = [Some(&base), outside.as_ref()].into_iter().flatten().collect();
        let own = repo.range_without(tip, &hide)?;
        if own.is_empty() {
            return Err(empty());
        }
        let mut scope = Scope {
            base,
            tip: tip.clone(),
            before: outside.clone(),
            commits: Vec::new(),
            groups: Vec::new(),
            notes: Vec::new(),
            rebased,
            reverted_by: None,
        };
        let gone = if landed { reverted_on(repo, tip, onto)? } else { Reverted::default() };
        scope.walk(repo, &own, &gone, &opened.onto)?;
        if scope.commits.is_empty() {
            return Err(empty());
        }
        Ok(scope)
    }

    /// Walks the experiment's own line from its tip and says how each commit is undone.
    fn walk(&mut self, repo: &Repo, own: &[Oid], gone: &Reverted, onto: &str) -> Result<(), DecisionError> {
        let set: HashSet<&Oid> = own.iter().collect();
        let mut synced = HashSet::new();
        let mut at = Some(self.tip.clone());
        self.reverted_by = gone.whole.clone();
        while let Some(id) = at.take().filter(|id| set.contains(id)) {
            let commit = repo.commit(&id)?;
            let inside: Vec<usize> = (0..commit.parents.len()).filter(|n| set.contains(&commit.parents[*n])).collect();
            let mainline = inside.first().copied().unwrap_or(0);
            at = commit.parents.get(mainline).cloned();
            if commit.is_merge() && inside.len() < 2 {
                self.notes.push(phrase!(
                    "{id} merges {onto} into the experiment: it is left as it is",
                    id = id.short(),
                    onto
                ));
                synced.insert(id);
                continue;
            }
            if let Some(by) = gone.by.get(&id).or(gone.whole.as_ref()) {
                self.notes.push(phrase!("{id} was reverted already by {by}", id = id.short(), by = by.short()));
                continue;
            }
            let mainline = commit.is_merge().then_some(mainline as u32 + 1);
            if let Some(n) = mainline {
                self.notes.push(phrase!("{id} is a merge: it is reverted with `git revert -m {n}`, which undoes all that it brought in and keeps the \
                     experiment's own line", id = id.short(), n));
            }
            match self.groups.last_mut() {
                Some(group) if group.mainline == mainline && group.commits.len() < COMMITS_A_COMMAND => {
                    group.commits.push(id);
                }
                _ => self.groups.push(Group { mainline, commits: vec![id] }),
            }
        }
        self.commits = own.iter().filter(|id| !synced.contains(id) && !gone.by.contains_key(*id)).cloned().collect();
        if self.groups.is_empty() && self.reverted_by.is_none() {
            self.reverted_by = gone.by.values().next().cloned();
        }
        if self.commits.is_empty() {
            self.commits = own.iter().filter(|id| !synced.contains(id)).cloned().collect();
        }
        Ok(())
    }
}

/// The last commit on the base branch's own line that holds nothing of the experiment.
///
/// The experiment's line ends where it meets the base branch's own. When it is part of that one itself (it was adopted, or
/// merged by fast-forward), it ends where it was measured from, if that is known.
fn before_it(
    repo: &Repo,
    experiment: &Experiment,
    base: &Oid,
    tip: &Oid,
    onto: &Oid,
    within: &HashSet<Oid>,
) -> Result<Option<Oid>, DecisionError> {
    let first_parent =
        |id: &Oid| -> Result<Option<Oid>, DecisionError> { Ok(repo.commit(id)?.parents.into_iter().next()) };
    let since = repo.range(base, onto)?;
    let all: HashSet<&Oid> = since.iter().collect();
    let mut line: HashSet<Oid> = HashSet::new();
    let mut at = Some(onto.clone());
    while let Some(id) = at.filter(|id| all.contains(id)) {
        at = first_parent(&id)?;
        line.insert(id);
    }
    let measured = experiment.latest().map(|(_, measured)| &measured.base.commit);
    let on_line = line.contains(tip);
    let ends = |id: &Oid| {
        if on_line { experiment.opened.adopted.is_none() && measured == Some(id) } else { line.contains(id) }
    };
    let mut oldest = None;
    let mut at = Some(tip.clone());
    while let Some(id) = at.filter(|id| within.contains(id) && !ends(id)) {
        at = first_parent(&id)?;
        oldest = Some(id);
    }
    let Some(oldest) = oldest else { return Ok(None) };
    let mut holds: HashSet<Oid> = HashSet::from([oldest]);
    for id in since {
        if repo.commit(&id)?.parents.iter().any(|parent| holds.contains(parent)) {
            holds.insert(id);
        }
    }
    let mut at = Some(onto.clone());
    while let Some(id) = at {
        if !holds.contains(&id) {
            return Ok(Some(id));
        }
        at = first_parent(&id)?;
    }
    Ok(None)
}

/// Commits that later commits on the base branch say they revert, and were not themselves reverted.
#[derive(Default)]
struct Reverted {
    by: HashMap<Oid, Oid>,
    whole: Option<Oid>,
}

fn reverted_on(repo: &Repo, tip: &Oid, onto: &Oid) -> Result<Reverted, DecisionError> {
    let mut found = Reverted::default();
    for id in repo.range(tip, onto)?.into_iter().rev() {
        if found.by.contains_key(&id) {
            continue;
        }
        for target in reverts(&repo.commit(&id)?.message) {
            let Ok(commit) = repo.commit(&target) else { continue };
            let brought_in =
                commit.is_merge() && repo.is_ancestor(tip, &target)? && !repo.is_ancestor(tip, &commit.parents[0])?;
            if brought_in && found.whole.is_none() {
                found.whole = Some(id.clone());
            }
            found.by.insert(target, id.clone());
        }
    }
    Ok(found)
}

/// `3 commits`.
pub(super) fn commits(n: usize) -> Phrase {
    phrase!("{n} commit{s}", n, s = plural(n))
}

/// The numbers must exist, be of what is decided on, and allow a keep. Whether force was needed.
fn numbers(
    repo: &Repo,
    request: &Request<'_>,
    scope: &Scope,
    meets: Option<&Oid>,
    notes: &mut Vec<Phrase>,
) -> Result<bool, DecisionError> {
    let (experiment, opened) = (request.experiment, &request.experiment.opened);
    let again = phrase!("git verdict measure {name}", name = &experiment.name);
    let mut problems: Vec<(Phrase, Phrase)> = Vec::new();
    match experiment.latest() {
        None => problems
            .push((phrase!("experiment '{name}' has not been measured", name = &experiment.name), again.clone())),
        Some((_, measured)) => {
            let tree = repo.commit(&scope.tip)?.tree;
            if measured.candidate.tree != tree {
                problems.push((
                    phrase!(
                        "the numbers are stale: {commit} was measured, {branch} is at {tip}",
                        commit = measured.candidate.commit.short(),
                        branch = &opened.branch,
                        tip = scope.tip.short()
                    ),
                    again.clone(),
                ));
            }
            let mut bases = vec![repo.commit(&scope.base)?.tree];
            // An earlier decision rests on the same numbers, and was not stale when it was made.
            bases.extend(experiment.decided.iter().map(|(_, _, decided)| decided.base.tree.clone()));
            if let Some(meets) = meets {
                bases.push(repo.commit(meets)?.tree);
            }
            if !bases.contains(&measured.base.tree) {
                problems.push((
                    phrase!(
                        "the numbers are stale: they compare with {commit}, the experiment starts at {base}",
                        commit = measured.base.commit.short(),
                        base = scope.base.short()
                    ),
                    again.clone(),
                ));
            }
            if request.verdict == Verdict::Keep {
                let side = match &measured.ruler {
                    Some(_) => Some(1),
                    None => measured.sides.iter().rposition(|side| side.tree == measured.candidate.tree),
                };
                if let Some(ruler) = measured.ruler.as_ref().filter(|ruler| !ruler.by_base) {
                    problems.push((
                        phrase!("the candidate changed what measures it: {what}", what = told_all(&ruler.changed)),
                        phrase!("land what measures by itself first, then {again}", again = &again),
                    ));
                }
                if let Some(hidden) = hidden::load(repo)?
                    && measured.hidden_checks.as_ref().is_none_or(|ran| ran.digest != hidden.digest)
                {
                    problems.push(("the hidden checks of today were not run on it".into(), again.clone()));
                }
                for check in measured.checks.iter().filter(|check| !check.passed && Some(check.side) == side) {
                    problems.push((
                        match check.hidden {
                            true => phrase!("a hidden check failed: {name}", name = &check.name),
                            false => {
                                phrase!(
                                    "check '{name}' failed: {outcome}",
                                    name = &check.name,
                                    outcome = told(&check.outcome)
                                )
                            }
                        },
                        phrase!("fix it, then {again}", again = &again),
                    ));
                }
                for row in measured.comparison.iter().filter(|row| row.breaks_limit()) {
                    problems.push((
                        phrase!("'{metric}' is beyond its limit", metric = &row.metric),
                        phrase!("git verdict revert {name}", name = &experiment.name),
                    ));
                }
            }
        }
    }
    if request.force {
        notes.extend(problems.iter().map(|(what, _)| phrase!("forced: {what}", what)));
        return Ok(!problems.is_empty());
    }
    match problems.into_iter().next() {
        None => Ok(false),
        Some((what, next)) => {
            Err(refused(what).because("a decision rests on its numbers").try_next(phrase!("{next} (or --force)", next)))
        }
    }
}

fn overrides(verdict: Verdict, advice: Option<Advice>) -> bool {
    matches!((verdict, advice), (Verdict::Keep, Some(Advice::Revert)) | (Verdict::Revert, Some(Advice::Keep)))
}

/// Gathers steps while it plays them through in memory.
struct Planner<'a> {
    repo: &'a Repo,
    scratch: &'a Scratch<'a>,
    origin: &'a Origin,
    onto_name: &'a str,
    onto: Oid,
    steps: Vec<Step>,
    refs: BTreeMap<String, Option<Oid>>,
    touched: Touched,
    /// The branch that is checked out by now.
    branch: Option<String>,
    /// The tree in the work tree by now.
    tree: Oid,
}

impl<'a> Planner<'a> {
    fn new(
        repo: &'a Repo,
        scratch: &'a Scratch<'a>,
        origin: &'a Origin,
        onto_name: &'a str,
        onto: Oid,
    ) -> Result<Self, DecisionError> {
        let tree = scratch.tree(&origin.commit)?;
        let refs = BTreeMap::from([(format!("refs/heads/{onto_name}"), Some(onto.clone()))]);
        let (steps, touched, branch) = (Vec::new(), Touched::default(), origin.branch.clone());
        Ok(Planner { repo, scratch, origin, onto_name, onto, steps, refs, touched, branch, tree })
    }

    fn goes_to(&mut self, tree: Oid) -> Result<(), DecisionError> {
        self.touched.add(self.scratch.paths_between(&self.tree, &tree)?);
        self.tree = tree;
        Ok(())
    }

    fn switch(&mut self, branch: &str, tip: &Oid) -> Result<(), DecisionError> {
        let tree = self.scratch.tree(tip)?;
        self.goes_to(tree)?;
        if self.branch.as_deref() != Some(branch) {
            self.steps.push(Step::Switch { branch: branch.to_string() });
            self.branch = Some(branch.to_string());
        }
        Ok(())
    }

    fn keep(&mut self, branch: &str, tip: &Oid) -> Result<(), DecisionError> {
        let onto = self.onto.clone();
        self.switch(self.onto_name, &onto)?;
        let tree = match self.scratch.merge(&onto, tip)? {
            Merged::Tree(tree) => tree,
            Merged::Conflict(files) => {
                return Err(DecisionError::Conflict {
                    what: phrase!("merging {branch} into {onto_name}", branch, onto_name = &self.onto_name),
                    files,
                    next: phrase!(
                        "git switch {branch} && git merge {onto_name}, then git verdict measure",
                        branch,
                        onto_name = &self.onto_name
                    ),
                    commits: vec![onto, tip.clone()],
                });
            }
        };
        self.goes_to(tree)?;
        self.steps.push(Step::Merge { onto: self.onto_name.to_string(), branch: branch.to_string() });
        Ok(())
    }

    fn reverted(&self, start: &Oid, scope: &Scope) -> Result<Result<Replayed, Conflict>, DecisionError> {
        replay::reverted(self.repo, self.scratch, start, &scope.groups)
    }

    fn puts_back(&self, scope: &Scope, from: &Oid, to: &Oid) -> Result<bool, DecisionError> {
        replay::puts_back(self.scratch, &self.scratch.tree(&scope.base)?, from, to)
    }

    fn revert_and_merge(
        &mut self,
        experiment: &Experiment,
        scope: &Scope,
        notes: &mut Vec<Phrase>,
    ) -> Result<(), DecisionError> {
        let branch = &experiment.opened.branch;
        self.refs.insert(format!("refs/heads/{branch}"), Some(scope.tip.clone()));
        self.switch(branch, &scope.tip)?;
        let start = self.tree.clone();
        let (onto, onto_tree) = (self.onto.clone(), self.scratch.tree(&self.onto)?);
        let vanishes = |tree: &Oid| -> Result<bool, DecisionError> {
            let commit = self.scratch.commit(tree, &[&scope.tip])?;
            Ok(self.scratch.merge(&onto, &commit)? == Merged::Tree(onto_tree.clone()))
        };
        let mut restore = None;
        let one_by_one = self.reverted(&start, scope)?;
        let tree = match one_by_one {
            Ok(replayed) if vanishes(&replayed.tree)? => {
                self.touched.join(replayed.touched);
                notes.extend(scope.notes.iter().cloned());
                replayed.tree
            }
            failed => {
                // The way that always works is to restore what the experiment and the base branch have in common.
                let common = self.repo.merge_base(&onto, &scope.tip)?;
                let common = match common {
                    Some(commit) if vanishes(&self.scratch.tree(&commit)?)? => commit,
                    _ => {
                        let archive = phrase!("git verdict revert {name} --mode archive", name = &experiment.name);
                        return Err(match failed {
                            Err(conflict) => conflict.error(archive),
                            Ok(_) => refused(phrase!(
                                "reverting {branch} would leave changes on {onto_name}",
                                branch,
                                onto_name = &self.onto_name
                            ))
                            .because("its history is woven into that of the base branch")
                            .try_next(archive),
                        });
                    }
                };
                notes.push(phrase!("its merges cannot be reverted one by one: the revert commit restores the files of {common}, where it last met {onto_name}", common = common.short(), onto_name = &self.onto_name));
                let tree = self.scratch.tree(&common)?;
                restore = Some(common);
                tree
            }
        };
        self.goes_to(tree.clone())?;
        let empty = tree == start;
        self.steps.push(Step::Revert {
            branch: branch.clone(),
            groups: if restore.is_some() { Vec::new() } else { scope.groups.clone() },
            exact: !empty && restore.is_none() && self.puts_back(scope, &start, &tree)?,
            restore,
            empty,
            tree,
        });
        self.switch(self.onto_name, &onto)?;
        self.steps.push(Step::Merge { onto: self.onto_name.to_string(), branch: branch.clone() });
        Ok(())
    }

    fn revert_in_place(&mut self, scope: &Scope, notes: &mut Vec<Phrase>) -> Result<(), DecisionError> {
        let onto = self.onto.clone();
        self.switch(self.onto_name, &onto)?;
        notes.extend(scope.notes.iter().cloned());
        let start = self.tree.clone();
        let Replayed { tree, touched } = self.reverted(&start, scope)?.map_err(|conflict| {
            let by_hand = phrase!("git revert --no-commit {commit}, solve the conflicts, git commit; the same command again then records the numbers", commit = conflict.commit.short());
            conflict.error(by_hand)
        })?;
        self.touched.join(touched);
        self.goes_to(tree.clone())?;
        let empty = tree == start;
        if empty {
            let onto = self.onto_name;
            notes.push(match &scope.reverted_by {
                Some(by) => {
                    let by = by.short();
                    phrase!("nothing of it is left on {onto} (by {by}): the commit only carries the numbers", onto, by)
                }
                None => phrase!("nothing of it is left on {onto}: the commit only carries the numbers", onto),
            });
        }
        let groups = if empty { Vec::new() } else { scope.groups.clone() };
        let exact = !empty && self.puts_back(scope, &start, &tree)?;
        self.steps.push(Step::Revert { branch: self.onto_name.to_string(), groups, restore: None, tree, exact, empty });
        Ok(())
    }

    fn archive(&mut self, experiment: &Experiment, tip: &Oid) -> Result<(), DecisionError> {
        let to = format!("{ARCHIVE_PREFIX}{}", experiment.name);
        if let Some(held) = self.repo.find_ref(&to)?
            && held != *tip
        {
            return Err(refused(phrase!("{to} exists already", to = &to))
                .because(phrase!("it holds {held}, of an earlier experiment of that name", held = held.short()))
                .try_next(phrase!("git update-ref {to}-{held} {held} && git update-ref -d {to} {held}", to, held)));
        }
        let onto = self.onto.clone();
        self.switch(self.onto_name, &onto)?;
        self.refs.insert(to.clone(), self.repo.find_ref(&to)?);
        if self.refs[&to].is_none() {
            self.steps.push(Step::Archive { to, tip: tip.clone() });
        }
        self.steps.push(Step::Adr { onto: self.onto_name.to_string() });
        let branch = &experiment.opened.branch;
        self.refs.insert(format!("refs/heads/{branch}"), Some(tip.clone()));
        self.steps.push(Step::Drop { branch: branch.clone(), tip: tip.clone() });
        self.steps.push(Step::Record);
        Ok(())
    }

    fn finish(mut self, settings: Vec<(String, String)>) -> Result<Plan, DecisionError> {
        if self.steps.last() != Some(&Step::Record) {
            self.steps.push(Step::Adr { onto: self.onto_name.to_string() });
            self.steps.push(Step::Record);
        }
        Ok(Plan {
            origin: self.origin.clone(),
            refs: self.refs,
            steps: self.steps,
            settings,
            expected: self.tree,
            touched: self.touched,
            in_force: None,
        })
    }
}

/// Settings of the user's that would change what the commands of a landing mean, and what stands in for them.
pub(super) fn settings(repo: &Repo, onto: &str) -> Vec<(String, String)> {
    let candidates = [
        // The messages are UTF-8, whatever other commits are written in.
        ("i18n.commitEncoding".to_string(), "UTF-8"),
        // A resolution on record would be staged without being seen.
        ("rerere.enabled".to_string(), "false"),
        ("pull.twohead".to_string(), "recursive"),
        (format!("branch.{onto}.mergeOptions"), ""),
    ];
    candidates
        .into_iter()
        .filter(|(key, value)| repo.config_value(key).is_some_and(|set| !set.eq_ignore_ascii_case(value)))
        .map(|(key, value)| (key, value.to_string()))
        .collect()
}

/// What the user should know of before it happens.
fn surroundings(repo: &Repo, untracked: &[PathBuf], plan: &Plan, notes: &mut Vec<Phrase>) -> Result<(), DecisionError> {
    let commits = plan.steps.iter().any(|step| !matches!(step, Step::Switch { .. } | Step::Record));
    let hooks = repo.hooks_present(&HOOKS)?;
    if commits && !hooks.is_empty() {
        notes.push(phrase!("these hooks of the repository will run: {hooks}", hooks = hooks.join(", ")));
    }
    if commits && repo.config_flag("commit.gpgsign") {
        let format = repo.config_value("gpg.format").unwrap_or_else(|| "openpgp".into());
        notes.push(phrase!("the commits will be signed ({format})", format));
    }
    if !untracked.is_empty() {
        notes.push(phrase!("not tracked, and left alone: {untracked}", untracked = listed(untracked)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_of_files_is_cut_with_a_count() {
        let files: Vec<PathBuf> = (0..7).map(|n| PathBuf::from(format!("f{n}"))).collect();
        assert_eq!(listed(&files), "f0, f1, f2, f3, f4 and 2 more");
        assert_eq!(listed(&files[..2]), "f0, f1");
    }
}
