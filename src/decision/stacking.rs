//! What stands on what: an experiment whose ground is undecided, gone or taken back, and how far the base has moved since the
//! numbers were taken.

use super::preflight::{count, refused};
use super::{DecisionError, Request};
use crate::config::RevertMode;
use crate::experiment::{Experiment, State};
use crate::git::memory::Scratch;
use crate::git::{Oid, Repo};
use crate::ledger::event::{Decided, Verdict};
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
    notes: &mut Vec<String>,
) -> Result<bool, DecisionError> {
    let (experiment, opened) = (request.experiment, &request.experiment.opened);
    if request.verdict == Verdict::Revert {
        let above = request.book.experiments.iter().filter(|other| other.is_open());
        notes.extend(above.filter(|other| other.opened.stands_on == Some(experiment.id)).map(|other| {
            format!(
                "'{0}' stands on this experiment and is open: it holds commits that go now; git verdict keep {0} then says how it goes \
                 on alone, or with both",
                other.name
            )
        }));
    }
    if mode == Some(RevertMode::Archive) {
        return Ok(false);
    }
    let mut forced = false;
    if request.verdict == Verdict::Keep
        && let Some((below, decided, by)) = taken_back(repo, request, line)?
    {
        let what =
            format!("it holds the commits of '{}', which {} reverted on {}", below.name, by.short(), opened.onto);
        if !request.force {
            return Err(gone_ground(experiment, &what, decided, &by, line));
        }
        notes.push(format!("forced: {what}"));
        forced = true;
    }
    if repo.is_ancestor(line.base, line.onto)? {
        return Ok(forced);
    }
    let extra = repo.range(line.onto, line.base)?.len();
    let why = format!(
        "merging it would also bring {} that {} not its own",
        count(extra, "commit"),
        if extra == 1 { "is" } else { "are" }
    );
    let rebase = format!("git rebase --onto {} {} {}", opened.onto, line.base.short(), opened.branch);
    let measure = format!("git verdict measure {}", experiment.name);
    let below = opened.stands_on.and_then(|id| request.book.by_id(id));
    Err(match below {
        Some(other) if other.is_open() => refused(format!("it stands on '{}', which is not decided yet", other.name))
            .because(why)
            .try_next(format!("git verdict decide {}", other.name)),
        Some(other) => refused(format!("it stands on '{}', which is not on {}", other.name, opened.onto))
            .because(why)
            .try_next(format!(
                "{rebase} && {measure} (this one alone)\n\
                 or: git verdict start NAME --hypothesis TEXT --adopt {}..{} && git verdict measure NAME (both as one experiment)",
                other.opened.base.commit.short(),
                opened.branch
            )),
        None => refused(format!("its base {} is not on {}", line.base.short(), opened.onto))
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
fn gone_ground(experiment: &Experiment, what: &str, decided: &Decided, by: &Oid, line: Line<'_>) -> DecisionError {
    let opened = &experiment.opened;
    let from = match opened.stands_on {
        Some(_) => line.base,
        None => &decided.candidate.commit,
    };
    let measure = format!("git verdict measure {}", experiment.name);
    refused(what)
        .because(format!("its numbers were taken with them, and merging would not bring them back to {}", opened.onto))
        .try_next(format!(
            "git rebase --onto {0} {1} {2} && {measure} (this one alone)\n\
             or: git switch {2} && git merge --no-edit {0} && git revert --no-edit {3} && {measure} (both, as one)",
            opened.onto,
            from.short(),
            opened.branch,
            by.short()
        ))
}

/// By how much the numbers are behind the base branch, when it has moved on since the two met.
pub(super) fn moved_on(
    repo: &Repo,
    scratch: &Scratch<'_>,
    experiment: &Experiment,
    meets: &Oid,
    line: Line<'_>,
) -> Result<Option<String>, DecisionError> {
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
    Ok(Some(format!(
        "{0} has moved on by {1} since the experiment's base, in {2}, {3} of which it changes, too: the numbers do not cover \
         them (git switch {4} && git merge {0} && git verdict measure {5} does)",
        opened.onto,
        count(ahead, "commit"),
        count(theirs.len(), "file"),
        if both == 0 { "none".to_string() } else { both.to_string() },
        opened.branch,
        experiment.name
    )))
}
