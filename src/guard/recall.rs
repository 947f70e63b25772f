//! Reverted experiments that a change resembles, each with its decision and with what has moved since.

use super::{Kind, Match, Question, Shelf};
use crate::config::Config;
use crate::experiment::Experiment;
use crate::git::{GitError, Oid, Repo};
use crate::grounds::{self, Grounds, Look, Moved};
use crate::ledger::event::{Decided, Measured, Verdict};
use crate::ledger::{Ledger, LedgerError, Wanted};
use crate::phrase;
use crate::phrase::Phrase;
use chrono::{DateTime, FixedOffset};
use std::cell::OnceCell;

/// A reverted experiment that a change resembles.
#[derive(Debug)]
pub struct Recalled {
    /// The experiment, whole.
    pub experiment: Experiment,
    /// How alike both are.
    pub likeness: Match,
    /// What it rested on and is otherwise now; none when that is not known.
    pub moved: Option<Vec<Moved>>,
}

/// Against what the grounds of reverted experiments are held.
#[derive(Debug)]
pub struct Today<'a> {
    commit: &'a Oid,
    config: Option<&'a Config>,
    look: Look,
    /// Looked at once, when it is first wanted: tools are asked for their versions.
    grounds: OnceCell<Grounds>,
}

impl<'a> Today<'a> {
    /// A commit of today with its configuration, and how closely this machine is looked at.
    pub fn at(commit: &'a Oid, config: Option<&'a Config>, look: Look) -> Today<'a> {
        Today { commit, config, look, grounds: OnceCell::new() }
    }

    fn grounds(&self, repo: &Repo) -> Result<&Grounds, GitError> {
        if let Some(known) = self.grounds.get() {
            return Ok(known);
        }
        let found = grounds::now(repo, self.config, self.commit, self.look)?;
        Ok(self.grounds.get_or_init(|| found))
    }
}

/// At most so many reverted experiments are told of one change.
pub const MOST: usize = 5;

/// The reverted experiments that a change resembles, the likeliest first, without what moved since.
pub fn recall(ledger: &Ledger<'_>, shelf: &Shelf, question: &Question) -> Result<Vec<Recalled>, LedgerError> {
    let mut found = shelf.recall(&question.features, question.patch);
    found.truncate(MOST);
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let ids = found.iter().map(|one| one.experiment).collect();
    let book = ledger.book_of(&Wanted { ids, ..Wanted::default() })?;
    let whole = |likeness: Match| {
        let experiment = book.by_id(likeness.experiment)?.clone();
        Some(Recalled { experiment, likeness, moved: None })
    };
    Ok(found.into_iter().filter_map(whole).collect())
}

impl Recalled {
    /// When it was decided, and the decision.
    pub fn decided(&self) -> Option<(&DateTime<FixedOffset>, &Decided)> {
        self.experiment.decided.as_ref().map(|(_, at, decided)| (at, decided))
    }

    /// The measurement that it was decided on.
    pub fn measured(&self) -> Option<&Measured> {
        let id = self.decided()?.1.measured;
        let all = self.experiment.measured.iter();
        all.rev().find(|(record, _)| id.is_none_or(|id| id == *record)).map(|(_, measured)| measured)
    }

    /// Whether a commit is one of its own: an attempt or the reversal of it.
    pub fn owns(&self, commit: &Oid) -> bool {
        self.decided().is_some_and(|(_, decided)| {
            let others = [decided.revert_commit.as_ref(), decided.landed.as_ref(), Some(&decided.candidate.commit)];
            decided.commits.contains(commit) || others.contains(&Some(commit))
        })
    }

    /// Finds out what of its ground has moved since.
    pub fn look_again(&mut self, repo: &Repo, today: &Today<'_>) -> Result<(), LedgerError> {
        let Some(measured) = self.measured() else { return Ok(()) };
        let then = grounds::then(repo, measured, Verdict::Revert)?;
        if then.work.is_none() && then.tree.is_none() {
            return Ok(());
        }
        let mut moved = grounds::differences(&then, today.grounds(repo)?);
        grounds::name_entries(repo, &mut moved)?;
        self.moved = Some(moved);
        Ok(())
    }

    /// In what both are alike, in words.
    pub fn alike(&self) -> Vec<Phrase> {
        let alike = |kind: &Kind| self.likeness.overlap[*kind as usize].of_smaller() >= 0.25;
        let word = |kind: Kind| match kind {
            Kind::File => "files",
            Kind::Place => "folders",
            Kind::Line => "changed lines",
            Kind::Name => "names in the code",
            Kind::Docker => "Dockerfile instructions",
            Kind::Dependency => "dependencies",
            Kind::Word => "words",
            Kind::Edit => "words within lines",
        };
        Kind::ALL.into_iter().filter(alike).map(|kind| word(kind).into()).collect()
    }

    /// The conditions that it was decided under: the base, the images, the machine.
    pub fn ground(&self) -> Vec<Phrase> {
        let Some(measured) = self.measured() else { return Vec::new() };
        let onto = &self.experiment.opened.onto;
        let mut all = vec![phrase!("{commit} on {branch}", commit = measured.base.commit.short(), branch = onto)];
        let kept = measured.assumptions.as_ref();
        let images = kept.into_iter().flat_map(|kept| &kept.base.images);
        all.extend(images.take(3).map(|image| Phrase::verbatim(&image.reference)));
        if !measured.environment.platform.is_empty() {
            all.push(measured.environment.fingerprint());
        }
        all
    }
}
