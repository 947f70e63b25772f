//! What stands on what: an experiment whose ground is undecided, gone or taken back, and how far the base has moved since the
//! numbers were taken.

use super::preflight::{commits, refused};
use super::{DecisionError, Request};
use crate::config::RevertMode;
use crate::experiment::{Experiment, State};
use crate::git::memory::Scratch;
use crate::git::{Oid, Repo};
use crate::ledger::event::{Decided, Verdict};
use crate::phrase;
use crate::phrase::{Phrase, plural};
use std::collections::HashSet;
use std::path::PathBuf;

/// The experiment's own line: from where to where, and the base branch's tip.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// Where it starts.
    pub(super) base: &'a Oid,
    /// What is decided on.
    pub(super) tip: &'a Oid,
    /// The tip of the branch that it lands on.
    pub(super) onto: &'a Oid,
}

/// What it stands on must have reached the base and have stayed there; what stands on it is mentioned. Whether force was
/// needed.
pub(super) fn check(
    repo: &Repo,
    request: &Request<'_>,
    mode: Option<RevertMode>,
    line: Line<'_>,
    notes: &mut Vec<Phrase>,
) -> Result<bool, DecisionError> {
    let (experiment, opened) = (request.experiment, &request.experiment.opened);
    if request.verdict == Verdict::Revert {
        let above = request.book.experiments.iter().filter(|other| other.is_open());
        notes.extend(above.filter(|other| other.opened.stands_on == Some(experiment.id)).map(|other| {
            phrase!("'{name}' stands on this experiment and is open: it holds commits that go now; git verdict keep {name} then says how it goes \
                 on alone, or with both", name = &other.name)
        }));
    }
    if mode == Some(RevertMode::Archive) {
        return Ok(false);
    }
    let mut forced = false;
    if request.verdict == Verdict::Keep
        && let Some((below, decided, by)) = taken_back(repo, request, line)?
    {
        let what = phrase!(
            "it holds the commits of '{name}', which {by} reverted on {onto}",
            name = &below.name,
            by = by.short(),
            onto = &opened.onto
        );
        if !request.force {
            return Err(gone_ground(experiment, what, decided, &by, line));
        }
        notes.push(phrase!("forced: {what}", what));
        forced = true;
    }
    if repo.is_ancestor(line.base, line.onto)? {
        return Ok(forced);
    }
    let extra = repo.range(line.onto, line.base)?.len();
    let why = phrase!(
        "merging it would also bring {extra} that {are} not its own",
        extra = commits(extra),
        are = if extra == 1 { "is" } else { "are" }
    );
    let rebase = phrase!(
        "git rebase --onto {onto} {base} {branch}",
        onto = &opened.onto,
        base = line.base.short(),
        branch = &opened.branch
    );
    let measure = phrase!("git verdict measure {name}", name = &experiment.name);
    let below = opened.stands_on.and_then(|id| request.book.by_id(id));
    Err(match below {
        Some(other) if other.is_open() => refused(phrase!("it stands on '{name}', which is not decided yet", name = &other.name))
            .because(why)
            .try_next(phrase!("git verdict decide {name}", name = &other.name)),
        Some(other) => refused(phrase!("it stands on '{name}', which is not on {onto}", name = &other.name, onto = &opened.onto))
            .because(why)
            .try_next(phrase!("{rebase} && {measure} (this one alone)\n\
                 or: git verdict start NAME --hypothesis TEXT --adopt {commit}..{branch} && git verdict measure NAME (both as one experiment)", rebase, measure, commit = other.opened.base.commit.short(), branch = &opened.branch)),
        None => refused(phrase!("its base {base} is not on {onto}", base = line.base.short(), onto = &opened.onto))
            .because(why)
            .try_next(format!("{rebase} && {measure}")),
    })
}

/// The experiment whose commits this one holds although they were reverted on the base since, and the commit that did it.
fn taken_back<'r>(
    repo: &Repo,
    request: &Request<'r>,
    line: Line<'_>,
) -> Result<Option<(&'r Experiment, &'r Decided, Oid)>, DecisionError> {
    let mut below = HashSet::new();
    let mut at = request.experiment.opened.stands_on;
    while let Some(other) = at.filter(|id| below.insert(*id)).and_then(|id| request.book.by_id(id)) {
        at = other.opened.stands_on;
    }
    let own: HashSet<Oid> = repo.range(line.base, line.tip)?.into_iter().collect();
    for other in request.book.experiments.iter().filter(|other| other.id != request.experiment.id) {
        let Some((_, _, decided)) = &other.decided else { continue };
        let (State::Reverted, Some(by)) = (other.state, &decided.revert_commit) else { continue };
        let tip = &decided.candidate.commit;
        if !below.contains(&other.id) && !own.contains(tip) {
            continue;
        }
        let here = |id: &Oid| repo.commit(id).is_ok();
        if here(tip)
            && here(by)
            && repo.is_ancestor(tip, line.tip)?
            && repo.is_ancestor(by, line.onto)?
            && !repo.is_ancestor(by, line.tip)?
        {
            return Ok(Some((other, decided, by.clone())));
        }
    }
    Ok(None)
}

/// Offers to go on alone, or to bring back what was taken away.
fn gone_ground(experiment: &Experiment, what: Phrase, decided: &Decided, by: &Oid, line: Line<'_>) -> DecisionError {
    let opened = &experiment.opened;
    let from = match opened.stands_on {
        Some(_) => line.base,
        None => &decided.candidate.commit,
    };
    let measure = phrase!("git verdict measure {name}", name = &experiment.name);
    refused(what)
        .because(phrase!("its numbers were taken with them, and merging would not bring them back to {onto}", onto = &opened.onto))
        .try_next(phrase!("git rebase --onto {onto} {from} {branch} && {measure} (this one alone)\n\
             or: git switch {branch} && git merge --no-edit {onto} && git revert --no-edit {by} && {measure} (both, as one)", onto = &opened.onto, from = from.short(), branch = &opened.branch, measure, by = by.short()))
}

/// By how much the numbers are behind the base branch, when it has moved on since the two met.
pub(super) fn moved_on(
    repo: &Repo,
    scratch: &Scratch<'_>,
    experiment: &Experiment,
    meets: &Oid,
    line: Line<'_>,
) -> Result<Option<Phrase>, DecisionError> {
    let ahead = repo.range(meets, line.onto)?.len();
    if meets == line.tip || ahead == 0 {
        return Ok(None);
    }
    let files = |to: &Oid| -> Result<HashSet<PathBuf>, DecisionError> {
        let differing = scratch.paths_between(&scratch.tree(meets)?, &scratch.tree(to)?)?;
        Ok(differing.into_iter().map(|file| file.path).collect())
    };
    let (theirs, ours) = (files(line.onto)?, files(line.tip)?);
    let both = theirs.intersection(&ours).count();
    let opened = &experiment.opened;
    Ok(Some(phrase!(
        "{onto} has moved on by {ahead} since the experiment's base, in {theirs}, {both} of which it changes, too: the numbers do not cover \
         them (git switch {branch} && git merge {onto} && git verdict measure {name} does)",
        onto = &opened.onto,
        ahead = commits(ahead),
        theirs = phrase!("{n} file{s}", n = theirs.len(), s = plural(theirs.len())),
        both = if both == 0 { Phrase::from("none") } else { both.to_string().into() },
        branch = &opened.branch,
        name = &experiment.name
    )))
}
