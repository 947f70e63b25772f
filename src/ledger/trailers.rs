//! The decisions of a clone that has no ledger, rebuilt from the trailers of its commits.

use super::event::Verdict;
use super::query::Entry;
use crate::experiment::State;
use crate::git::{GitError, Head, Oid, Person, Repo};
use crate::render::trailer::{Carried, MetricTrailer, distinct, parse_message};
use chrono::DateTime;

/// What the messages of all branches, remote branches and tags tell, newest first.
///
/// A message says verdict, name, record and numbers, not why: the text is its subject. Whether a revert was archived is not
/// told either; an archived one leaves the commit of a decision file at most, which carries no trailers.
pub fn told(repo: &Repo) -> Result<Vec<(Entry, Carried)>, GitError> {
    let branches = repo.refs_under("refs/heads/")?.len() + repo.refs_under("refs/remotes/")?.len();
    if branches + repo.refs_under("refs/tags/")?.len() == 0 && !matches!(repo.head()?, Head::Detached(_)) {
        return Ok(Vec::new());
    }
    let text = repo
        .run_git()
        .args(["log", "-z", "--no-color", "--no-show-signature", "--extended-regexp", "--grep=^Verdict-Record: "])
        .args(["--format=%H%n%an%n%ae%n%cI%n%B", "--branches", "--remotes", "--tags", "--ignore-missing", "HEAD", "--"])
        .bytes()?;
    let mut found = Vec::new();
    for commit in text.split(|byte| *byte == 0) {
        let commit = String::from_utf8_lossy(commit);
        let mut lines = commit.splitn(5, '\n');
        let mut line = || lines.next().unwrap_or_default().to_string();
        let (id, name, email, at, message) = (line(), line(), line(), line(), line());
        let (Some(id), Ok(at)) = (Oid::parse(&id), DateTime::parse_from_rfc3339(&at)) else { continue };
        if let Some(carried) = parse_message(&message) {
            let subject = message.lines().next().unwrap_or_default().to_string();
            found.push(((id, Person { name, email }, at, subject), carried));
        }
    }
    let entry = |((commit, by, at, subject), carried): (_, Carried)| {
        let entry = Entry {
            experiment: None,
            record: carried.record,
            name: carried.experiment.clone(),
            state: if carried.verdict == Verdict::Keep { State::Kept } else { State::Reverted },
            at,
            by,
            text: subject,
            comparison: carried.metrics.iter().cloned().map(MetricTrailer::into_comparison).collect(),
            realised: Vec::new(),
            opened: None,
            decided: None,
            told_by: Some(commit),
        };
        (entry, carried)
    };
    Ok(distinct(found).into_iter().map(entry).collect())
}
