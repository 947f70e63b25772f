//! Reverts as they stand in commit messages: which commits a message says it reverts, and whether it owes numbers.
//!
//! Read by the hooks and by `check`, so that both agree on what an optimization revert without numbers is.

use crate::experiment::{Book, Experiment};
use crate::git::{GitError, Oid, Repo};
use crate::render::trailer;

/// What a message says that its commit undoes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reversal {
    /// The subject of what is undone, when the message's own subject tells it: `Revert "perf: x"` or `revert: perf: x`.
    pub subject: Option<String>,
    /// The commits named in `This reverts commit <id>`.
    pub targets: Vec<Oid>,
}

/// A revert that ought to carry numbers and does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unquantified {
    /// The experiment on record that it undoes (or, for the revert of a revert, brings back).
    pub experiment: Option<String>,
    /// What is undone, for people: a subject or a short id.
    pub what: String,
    /// The commit that is undone, when the message names it.
    pub target: Option<Oid>,
}

/// The part that a commit has in an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It brings the change: one of the experiment's commits, or the merge that kept it.
    Attempt,
    /// It takes the change back: the revert commit, or the merge that brought it to the base.
    Reversal,
}

/// The ids in `This reverts commit <id>` lines, as `git revert` and this program write them.
pub fn reverts(message: &str) -> Vec<Oid> {
    let id = |line: &str| {
        let rest = line.trim().strip_prefix("This reverts commit ")?;
        Oid::parse(rest.split(|c: char| !c.is_ascii_hexdigit()).next()?)
    };
    message.lines().filter_map(id).collect()
}

/// What a message says that its commit undoes; none when it is no revert.
pub fn read(message: &str) -> Option<Reversal> {
    let first = message.lines().find(|line| !line.trim().is_empty())?.trim();
    let quoted = ["Revert \"", "Reapply \""].iter().find_map(|start| first.strip_prefix(start));
    let conventional = || {
        let (head, rest) = first.split_once(':')?;
        let scope = head.get(..6).filter(|word| word.eq_ignore_ascii_case("revert")).map(|_| &head[6..])?;
        let scoped = scope.is_empty() || scope == "!" || (scope.starts_with('(') && scope.ends_with([')', '!']));
        scoped.then(|| rest.trim())
    };
    let subject = match quoted {
        Some(rest) => Some(rest.strip_suffix('"').unwrap_or(rest).to_string()),
        None => conventional().map(String::from),
    };
    let targets = reverts(message);
    (subject.is_some() || !targets.is_empty()).then_some(Reversal { subject, targets })
}

/// Whether a subject is that of an optimization: type `perf` of Conventional Commits, with or without a scope.
pub fn is_optimization(subject: &str) -> bool {
    let Some(rest) = subject.trim().strip_prefix("perf") else { return false };
    rest.starts_with(':')
        || rest.starts_with("!:")
        || (rest.starts_with('(') && rest.contains("):"))
        || (rest.starts_with('(') && rest.contains(")!:"))
}

/// Whether a message carries a decision, or says which one it undoes.
pub fn is_quantified(message: &str) -> bool {
    trailer::parse_message(message).is_some() || reopens(message).is_some()
}

/// The key of the trailer that names the decision which a commit takes back.
pub const REOPENS: &str = "Verdict-Reopens";

/// The record in a `Verdict-Reopens` trailer.
pub fn reopens(message: &str) -> Option<ulid::Ulid> {
    let lines = message.trim_end().lines().rev().take_while(|line| !line.trim().is_empty());
    let values = lines.filter_map(|line| line.strip_prefix(REOPENS)?.strip_prefix(':'));
    values.filter_map(|value| ulid::Ulid::from_string(value.trim()).ok()).next()
}

/// The experiment that a commit belongs to, newest first, and its part in it.
pub fn experiment_of<'b>(
    repo: &Repo,
    book: &'b Book,
    commit: &Oid,
) -> Result<Option<(&'b Experiment, Part)>, GitError> {
    use crate::ledger::event::Verdict;
    let known = repo.commit(commit).is_ok();
    for experiment in book.experiments.iter().rev() {
        if let Some((_, _, decided)) = &experiment.decided {
            let back = decided.verdict == Verdict::Revert;
            if decided.revert_commit.as_ref() == Some(commit) || (back && decided.landed.as_ref() == Some(commit)) {
                return Ok(Some((experiment, Part::Reversal)));
            }
            let own = decided.commits.contains(commit) || decided.candidate.commit == *commit;
            if own || decided.landed.as_ref() == Some(commit) {
                return Ok(Some((experiment, Part::Attempt)));
            }
        }
        if experiment.opened.adopted.as_ref() == Some(commit) {
            return Ok(Some((experiment, Part::Attempt)));
        }
        for (_, measured) in &experiment.measured {
            let (base, tip) = (&measured.base.commit, &measured.candidate.commit);
            let between = || -> Result<bool, GitError> {
                let there = known && repo.commit(base).is_ok() && repo.commit(tip).is_ok();
                Ok(there && repo.is_ancestor(commit, tip)? && !repo.is_ancestor(commit, base)?)
            };
            if tip == commit || (experiment.is_open() && between()?) {
                return Ok(Some((experiment, Part::Attempt)));
            }
        }
    }
    Ok(None)
}

/// The numbers that a message owes: it undoes a commit of an experiment on record, or a commit of type `perf`, and carries
/// neither `Verdict` trailers nor [`REOPENS`].
pub fn unquantified(repo: &Repo, book: &Book, message: &str) -> Result<Option<Unquantified>, GitError> {
    let Some(reversal) = read(message) else { return Ok(None) };
    if is_quantified(message) {
        return Ok(None);
    }
    for target in &reversal.targets {
        let commit = repo.commit(target).ok();
        let found = experiment_of(repo, book, target)?.map(|(experiment, _)| experiment.name.clone());
        // A clone without the ledger still has what the commit itself says.
        let carried = commit.as_ref().and_then(|commit| trailer::parse_message(&commit.message));
        let found = found.or(carried.map(|carried| carried.experiment));
        let subject = commit.map(|commit| commit.subject);
        if found.is_some() || subject.as_deref().is_some_and(is_optimization) {
            return Ok(Some(Unquantified {
                experiment: found,
                what: subject.unwrap_or_else(|| target.short().to_string()),
                target: Some(target.clone()),
            }));
        }
    }
    Ok(reversal.subject.filter(|subject| is_optimization(subject)).map(|what| Unquantified {
        experiment: None,
        what,
        target: reversal.targets.first().cloned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789012345678901234567890123456789";

    #[test]
    fn only_lines_that_git_writes_name_a_reverted_commit() {
        let message = format!(
            "revert: x\n\nThis reverts commit {ID}.\nThis reverts commit {ID}, reversing\nchanges made to {ID}.\n\
             It is said that This reverts commit {ID}.\nThis reverts commit 0123.\n"
        );
        assert_eq!(reverts(&message), [Oid::parse(ID).unwrap(), Oid::parse(ID).unwrap()]);
    }

    #[test]
    fn a_revert_is_known_by_its_subject_or_by_the_commit_that_it_names() {
        let subject = |message: &str| read(message).and_then(|reversal| reversal.subject);
        assert_eq!(subject("Revert \"perf: x\"\n").as_deref(), Some("perf: x"));
        assert_eq!(subject("Reapply \"perf: x\"\n").as_deref(), Some("perf: x"));
        assert_eq!(subject("revert: perf: x").as_deref(), Some("perf: x"));
        assert_eq!(subject("Revert(build)!: x").as_deref(), Some("x"));
        assert_eq!(read(&format!("take it back\n\nThis reverts commit {ID}.\n")).unwrap().targets.len(), 1);
        for message in ["", "reverting: x", "revert x", "perf: revert: x", "\u{e9}\u{e9}\u{e9}\u{e9}: x"] {
            assert_eq!(read(message), None, "{message:?}");
        }
    }

    #[test]
    fn the_type_perf_of_conventional_commits_is_an_optimization() {
        for subject in ["perf: x", "perf(image): x", "perf!: x", "perf(image)!: x"] {
            assert!(is_optimization(subject), "{subject}");
        }
        for subject in ["performance: x", "feat: perf: x", "perf x", "perf"] {
            assert!(!is_optimization(subject), "{subject}");
        }
    }

    #[test]
    fn a_message_says_in_its_last_paragraph_which_decision_it_undoes() {
        let id = "01M87WF39JGDQN24R9ZB428ZGX";
        assert!(reopens(&format!("x\n\nVerdict-Experiment: y\nVerdict-Reopens: {id}\n")).is_some());
        assert!(reopens(&format!("x\n\nVerdict-Reopens: {id}\n\nmore\n")).is_none());
        assert!(reopens("x\n\nVerdict-Reopens: nothing\n").is_none());
    }
}
