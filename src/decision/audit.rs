//! Looks over a range of commits: reverts without numbers, messages that disagree with the ledger, undecided experiments
//! and merges of something else than what was measured. Reads only; runs nothing.

use super::reversal::{self, Unquantified};
use crate::experiment::{Book, Experiment};
use crate::git::history::Commit;
use crate::git::{GitError, Oid, Repo};
use crate::grounds;
use crate::ledger::event::{Fact, Identity, Verdict};
use crate::ledger::{Ledger, LedgerError};
use crate::phrase;
use crate::phrase::Phrase;
use crate::policy::MetricComparison;
use crate::render::trailer::{self, Carried, MetricTrailer};
use crate::stats::Word;
use serde::Serialize;
use std::collections::HashSet;

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// An optimization was reverted without its numbers.
    UnquantifiedRevert,
    /// A message says something else than the record that it names.
    Disagreement,
    /// An experiment would be merged that nobody has decided on.
    Undecided,
    /// What was merged is not what was measured.
    Stale,
    /// A metric became worse.
    Regression,
    /// The configuration changed along with what it measures.
    Ruler,
    /// A change resembles an experiment that was reverted.
    RejectedIdea,
}

impl Rule {
    /// The word as it stands in text and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Rule::UnquantifiedRevert => "unquantified-revert",
            Rule::Disagreement => "disagreement",
            Rule::Undecided => "undecided",
            Rule::Stale => "stale",
            Rule::Regression => "regression",
            Rule::Ruler => "ruler",
            Rule::RejectedIdea => "rejected-idea",
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which rule.
    pub rule: Rule,
    /// Whether it makes the check fail; else it is a note.
    pub fails: bool,
    /// The commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<Oid>,
    /// The experiment's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
    /// What it is.
    #[serde(serialize_with = "phrase::english")]
    pub what: Phrase,
    /// Why that matters, or what it rests on.
    #[serde(serialize_with = "phrase::english")]
    pub why: Phrase,
    /// The next command to try.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "phrase::english_or_none")]
    pub next: Option<Phrase>,
}

/// What is looked over: the commits reachable from `head` and not from `base`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Range {
    /// Where the two lines met.
    pub base: Oid,
    /// The end.
    pub head: Oid,
}

/// Whether a range undoes something, so that [`audit`] needs every experiment and not just the open ones.
pub fn reads_all(repo: &Repo, range: &Range) -> Result<bool, AuditError> {
    for id in repo.range(&range.base, &range.head)? {
        if reversal::read(&repo.commit(&id)?.message).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Looks over a range. With an empty ledger, what the trailers say is all there is.
pub fn audit(repo: &Repo, ledger: &Ledger<'_>, book: &Book, range: &Range) -> Result<Vec<Finding>, AuditError> {
    let ids = repo.range(&range.base, &range.head)?;
    let within: HashSet<&Oid> = ids.iter().collect();
    let mut found = Vec::new();
    let mut carried: Vec<(Commit, Carried)> = Vec::new();
    let mut merges = Vec::new();
    for id in &ids {
        let commit = repo.commit(id)?;
        if let Some(owes) = reversal::unquantified(repo, book, &commit.message)? {
            found.push(unquantified(&commit, &owes));
        }
        match trailer::parse_message(&commit.message) {
            Some(says) => carried.push((commit, says)),
            None if commit.is_merge() => merges.push(commit),
            None => {}
        }
    }
    let has_ledger = ledger.tip()?.is_some();
    for (commit, says) in &carried {
        if has_ledger {
            found.extend(disagreement(ledger, commit, says)?);
        }
        found.extend(stale(repo, commit, says)?);
    }
    for (commit, says) in trailer::distinct(carried.iter().map(|(commit, says)| (commit, says.clone()))) {
        found.extend(kept_regression(commit, &says));
    }
    for experiment in book.experiments.iter().filter(|experiment| experiment.is_open()) {
        found.extend(undecided(repo, experiment, &within)?);
    }
    if !has_ledger {
        found.extend(merges.iter().filter_map(|commit| merged_by_hand(commit, &carried)));
    }
    found.extend(ruler(repo, range, !carried.is_empty())?);
    found.sort_by_key(|finding| !finding.fails);
    Ok(found)
}

fn unquantified(commit: &Commit, owes: &Unquantified) -> Finding {
    let (why, next) = match &owes.experiment {
        Some(name) => (
            phrase!("the numbers are on record as experiment '{name}'", name),
            phrase!("git verdict revert {name} --because TEXT, instead of {id}", name, id = commit.id.short()),
        ),
        None => (
            "an optimization went, and nobody can tell what it cost or gained".into(),
            match &owes.target {
                Some(target) => phrase!(
                    "git verdict start NAME --adopt {target}^..{target}, measure it, git verdict revert NAME",
                    target = target.short()
                ),
                None => "git verdict start NAME --adopt A..B, measure it, git verdict revert NAME".into(),
            },
        ),
    };
    Finding {
        rule: Rule::UnquantifiedRevert,
        fails: true,
        commit: Some(commit.id.clone()),
        experiment: owes.experiment.clone(),
        what: phrase!("{id} reverts '{what}' without its numbers", id = commit.id.short(), what = &owes.what),
        why,
        next: Some(next),
    }
}

/// What a message says that its record does not.
fn disagreement(ledger: &Ledger<'_>, commit: &Commit, says: &Carried) -> Result<Option<Finding>, AuditError> {
    let finding = |what: Phrase, why: Phrase, next: Phrase| Finding {
        rule: Rule::Disagreement,
        fails: true,
        commit: Some(commit.id.clone()),
        experiment: Some(says.experiment.clone()),
        what: phrase!("{commit} {what}", commit = commit.id.short(), what),
        why,
        next: Some(next),
    };
    let Some(event) = ledger.find(says.record)? else {
        return Ok(Some(finding(
            phrase!("names a record that is not in the ledger: {record}", record = &says.record),
            "it was made up, or the ledger here is older".into(),
            "git fetch origin refs/verdict/ledger, then the same command again".into(),
        )));
    };
    let (verdict, base, candidate, rows): (_, &Identity, &Identity, &[MetricComparison]) = match &event.fact {
        Fact::Decided(decided) => (Some(decided.verdict), &decided.base, &decided.candidate, &decided.comparison),
        Fact::Measured(measured) => (None, &measured.base, &measured.candidate, &measured.comparison),
        _ => {
            let kind = event.fact.kind();
            let why = phrase!("record {id} is of kind {kind}, which has no numbers", id = event.id, kind);
            return Ok(Some(finding(
                "names the wrong record".into(),
                why,
                phrase!("git verdict show {id}", id = event.id),
            )));
        }
    };
    let mut differs = Vec::new();
    if event.name != says.experiment {
        differs.push(phrase!(
            "experiment {experiment} is {name} on record",
            experiment = &says.experiment,
            name = &event.name
        ));
    }
    if verdict.is_some_and(|verdict| verdict != says.verdict) {
        differs.push(phrase!("{verdict} is the verdict, the opposite is on record", verdict = says.verdict.as_str()));
    }
    for (word, told, held) in [("baseline", &says.baseline, base), ("candidate", &says.candidate, candidate)] {
        if let Some(told) = told
            && *told != held.commit
        {
            differs.push(phrase!(
                "{word} {told} is {commit} on record",
                word,
                told = told.short(),
                commit = held.commit.short()
            ));
        }
    }
    // The merge that follows a revert commit has no rows; a commit that has some has all of them.
    if !says.metrics.is_empty() || says.candidate.is_some() {
        let told: Vec<String> = says.metrics.iter().map(MetricTrailer::to_string).collect();
        let held: Vec<String> = rows.iter().map(trailer::trailer).collect();
        let pairs = (0..told.len().max(held.len())).map(|at| (told.get(at), held.get(at)));
        differs.extend(pairs.filter(|(told, held)| told != held).take(3).map(|(told, held)| {
            let quoted = |text: &String| Phrase::verbatim(format!("'{text}'"));
            let or_nothing = |text: Option<&String>| text.map_or("nothing".into(), quoted);
            phrase!("{told} is {held} on record", told = or_nothing(told), held = or_nothing(held))
        }));
    }
    Ok((!differs.is_empty()).then(|| {
        finding(
            "says something else than its record".into(),
            Phrase::joined(differs, "; "),
            phrase!("git verdict show {id}", id = event.id),
        )
    }))
}

/// A merge that keeps something else than what was decided on.
fn stale(repo: &Repo, commit: &Commit, says: &Carried) -> Result<Option<Finding>, AuditError> {
    let (Some(candidate), [_, merged]) = (&says.candidate, commit.parents.as_slice()) else { return Ok(None) };
    if says.verdict != Verdict::Keep || candidate == merged {
        return Ok(None);
    }
    let tree = |id: &Oid| repo.commit(id).ok().map(|commit| commit.tree);
    if tree(candidate).is_some() && tree(candidate) == tree(merged) {
        return Ok(None);
    }
    Ok(Some(Finding {
        rule: Rule::Stale,
        fails: true,
        commit: Some(commit.id.clone()),
        experiment: Some(says.experiment.clone()),
        what: phrase!(
            "{id} merges {merged}, but {candidate} was measured",
            id = commit.id.short(),
            merged = merged.short(),
            candidate = candidate.short()
        ),
        why: "its numbers do not hold for what it brings".into(),
        next: Some(phrase!("git verdict measure {experiment}", experiment = &says.experiment)),
    }))
}

/// A metric that became worse and was accepted: a note.
fn kept_regression(commit: &Commit, says: &Carried) -> Option<Finding> {
    let worse: Vec<String> =
        says.metrics.iter().filter(|row| row.word == Word::Regressed).map(MetricTrailer::to_string).collect();
    (says.verdict == Verdict::Keep && !worse.is_empty()).then(|| Finding {
        rule: Rule::Regression,
        fails: false,
        commit: Some(commit.id.clone()),
        experiment: Some(says.experiment.clone()),
        what: phrase!(
            "'{experiment}' was kept although it is worse in {worse}",
            experiment = &says.experiment,
            worse = worse.len()
        ),
        why: worse.join("; ").into(),
        next: None,
    })
}

/// An open experiment whose commits are in the range.
fn undecided(repo: &Repo, experiment: &Experiment, within: &HashSet<&Oid>) -> Result<Vec<Finding>, AuditError> {
    let remote = |name: &str| format!("/{name}");
    let mut tips: Vec<Oid> = repo.branch(experiment.branch())?.into_iter().collect();
    tips.extend(
        repo.refs_under("refs/remotes/")?
            .into_iter()
            .filter(|(name, _)| name.ends_with(&remote(experiment.branch())))
            .map(|(_, id)| id),
    );
    tips.extend(experiment.opened.adopted.clone());
    tips.extend(experiment.latest().map(|(_, measured)| measured.candidate.commit.clone()));
    let Some(tip) = tips.into_iter().find(|tip| within.contains(tip) && *tip != experiment.opened.base.commit) else {
        return Ok(Vec::new());
    };
    let mut found = vec![Finding {
        rule: Rule::Undecided,
        fails: true,
        commit: Some(tip.clone()),
        experiment: Some(experiment.name.clone()),
        what: phrase!(
            "experiment '{name}' is {state} and would be merged",
            name = &experiment.name,
            state = experiment.state.as_str()
        ),
        why: phrase!("{tip} is among these commits, and nobody has decided on it", tip = tip.short()),
        next: Some(phrase!("git verdict decide {name}", name = &experiment.name)),
    }];
    if let Some((_, measured)) = experiment.latest()
        && measured.candidate.commit == tip
    {
        found.extend(regressions(&measured.comparison, Some(&experiment.name), true));
    }
    Ok(found)
}

/// The rows that became worse or are beyond their limit.
pub fn regressions(rows: &[MetricComparison], experiment: Option<&str>, fails: bool) -> Vec<Finding> {
    let worse = rows.iter().filter(|row| row.word == Word::Regressed || row.breaks_limit());
    worse
        .map(|row| Finding {
            rule: Rule::Regression,
            fails: fails || row.breaks_limit(),
            commit: None,
            experiment: experiment.map(String::from),
            what: match row.breaks_limit() {
                true => phrase!("'{metric}' is beyond its limit", metric = &row.metric),
                false => phrase!("'{metric}' is worse", metric = &row.metric),
            },
            why: trailer::trailer(row).into(),
            next: None,
        })
        .collect()
}

/// Without a ledger: the merge of an experiment's branch that carries no decision.
fn merged_by_hand(commit: &Commit, carried: &[(Commit, Carried)]) -> Option<Finding> {
    let prefix = crate::experiment::BRANCH_PREFIX;
    let at = commit.subject.find(prefix)?;
    let rest = &commit.subject[at + prefix.len()..];
    let slug = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    let name: String = rest.chars().take_while(|c| slug(*c)).collect();
    if name.is_empty() || carried.iter().any(|(_, says)| says.experiment == name) {
        return None;
    }
    Some(Finding {
        rule: Rule::Undecided,
        fails: true,
        commit: Some(commit.id.clone()),
        experiment: Some(name.clone()),
        what: phrase!("{id} merges the branch of '{name}' without a decision", id = commit.id.short(), name = &name),
        why: "its message has no Verdict trailers, and there is no ledger here".into(),
        next: Some(phrase!("git verdict keep {name} --because TEXT, instead of git merge", name = &name)),
    })
}

/// A configuration that changed in the same range as the decisions that rest on it: a note.
fn ruler(repo: &Repo, range: &Range, decisions: bool) -> Result<Option<Finding>, AuditError> {
    let path = std::path::Path::new(crate::config::FILE_NAME);
    let (before, after) = (repo.blob_at(&range.base, path)?, repo.blob_at(&range.head, path)?);
    let config = if decisions { grounds::config_of(repo, &range.head)? } else { None };
    let changed = match config {
        Some(config) => grounds::ruler::changed(repo, &config, &range.base, &range.head)?.names(),
        None => Vec::new(),
    };
    if !changed.is_empty() {
        return Ok(Some(Finding {
            rule: Rule::Ruler,
            fails: false,
            commit: None,
            experiment: None,
            what: phrase!("what measures changed along with what it measures: {what}", what = changed.join(", ")),
            why: "look whether the new one measures the same".into(),
            next: Some(phrase!("git diff {base} {head}", base = range.base.short(), head = range.head.short())),
        }));
    }
    Ok((decisions && before.is_some() && before != after).then(|| Finding {
        rule: Rule::Ruler,
        fails: false,
        commit: None,
        experiment: None,
        what: phrase!("{config} changed along with what it measures", config = crate::config::FILE_NAME),
        why: "look whether the new one measures the same".into(),
        next: Some(phrase!(
            "git diff {base} {head} -- {config}",
            base = range.base.short(),
            head = range.head.short(),
            config = crate::config::FILE_NAME
        )),
    }))
}

/// Why a range cannot be looked over.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl crate::error::Explain for AuditError {
    fn exit(&self) -> crate::error::Exit {
        match self {
            AuditError::Git(inner) => inner.exit(),
            AuditError::Ledger(inner) => inner.exit(),
        }
    }
    fn why(&self) -> Option<Phrase> {
        match self {
            AuditError::Git(inner) => inner.why(),
            AuditError::Ledger(inner) => inner.why(),
        }
    }
    fn next(&self) -> Option<Phrase> {
        match self {
            AuditError::Git(inner) => inner.next(),
            AuditError::Ledger(inner) => inner.next(),
        }
    }
}
