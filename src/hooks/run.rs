//! What the hooks do once their script has found something for them. None of it runs a command of `verdict.toml`.

use super::install::place;
use super::script::is_ours;
use super::{Hook, HookError};
use crate::decision::reversal::{self, Part, REOPENS, Reversal, Unquantified};
use crate::experiment::{Book, Experiment};
use crate::git::change::Between;
use crate::git::{GitError, Oid, Repo};
use crate::guard::Question;
use crate::ledger::event::Identity;
use crate::policy::MetricComparison;
use crate::render::Lang;
use crate::render::lang;
use crate::render::table;
use crate::render::text::clean;
use crate::render::trailer;
use minijinja::context;
use std::path::PathBuf;
use ulid::Ulid;

/// The numbers on record that belong into the message of a revert.
#[derive(Debug)]
struct Numbers<'b> {
    record: Ulid,
    base: &'b Identity,
    candidate: &'b Identity,
    rows: &'b [MetricComparison],
}

/// The message of a plain `git revert` with the numbers on record put into it. None when there is nothing to do: the
/// message is not the one that git wrote (unless `always`), it has numbers already, or there are none on record.
pub fn fill(repo: &Repo, book: &Book, message: &str, lang: Lang, always: bool) -> Result<Option<String>, HookError> {
    let comment = repo.config_value("core.commentString").or_else(|| repo.config_value("core.commentChar"));
    let comment = comment.filter(|c| c != "auto" && !c.is_empty()).unwrap_or_else(|| "#".to_string());
    let parts = Parts::split(message, &comment);
    let Some(reversal) = reversal::read(&parts.said()).filter(|_| always || parts.is_default()) else {
        return Ok(None);
    };
    if reversal::is_quantified(&parts.said()) {
        return Ok(None);
    }
    let Some((experiment, part)) = find(repo, book, &reversal)? else { return Ok(None) };
    let decided = experiment.decided.as_ref();
    let Some(numbers) = numbers(experiment) else { return Ok(None) };
    let heading = lang::text(
        lang,
        "hook.numbers",
        context! {
            name => clean(&experiment.name), base => numbers.base.commit.short(),
            candidate => numbers.candidate.commit.short(),
        },
    );
    let mut trailers = match (part, decided) {
        (Part::Reversal, Some((id, _, _))) => {
            format!("Verdict-Experiment: {}\n{REOPENS}: {id}\n", clean(&experiment.name))
        }
        _ => format!(
            "Verdict: revert\nVerdict-Experiment: {}\nVerdict-Record: {}\n",
            clean(&experiment.name),
            numbers.record
        ),
    };
    trailers.push_str(&format!("Verdict-Baseline: {}\n", numbers.base.commit));
    trailers.push_str(&format!("Verdict-Candidate: {}\n", numbers.candidate.commit));
    for row in numbers.rows {
        trailers.push_str(&format!("Verdict-Metric: {}\n", trailer::trailer(row)));
    }
    let table = table::in_message(numbers.rows, lang);
    let signed: String = parts.signed.iter().map(|line| format!("{line}\n")).collect();
    let body = parts.body.join("\n");
    let tail = if parts.tail.is_empty() { String::new() } else { format!("\n{}", parts.tail) };
    Ok(Some(format!("{body}\n\n{heading}\n\n{table}\n{trailers}{signed}{tail}")))
}

/// The parts of a message that is about to be committed.
#[derive(Debug, PartialEq)]
struct Parts<'m> {
    /// All lines before the sign-offs and the comments.
    body: Vec<&'m str>,
    /// `Signed-off-by` lines at the end.
    signed: Vec<&'m str>,
    /// From the first comment on.
    tail: &'m str,
}

impl<'m> Parts<'m> {
    fn split(message: &'m str, comment: &str) -> Parts<'m> {
        let mut at = 0;
        for line in message.split_inclusive('\n') {
            if line.starts_with(comment) {
                break;
            }
            at += line.len();
        }
        let (said, tail) = message.split_at(at);
        let mut body: Vec<&str> = said.trim_end().lines().map(str::trim_end).collect();
        let mut signed = Vec::new();
        while let Some(line) = body.pop_if(|line| line.starts_with("Signed-off-by: ")) {
            signed.insert(0, line);
        }
        while body.pop_if(|line| line.is_empty()).is_some() {}
        Parts { body, signed, tail }
    }

    fn said(&self) -> String {
        self.body.join("\n")
    }

    /// Whether this is what `git revert` writes, and nothing of the user's.
    fn is_default(&self) -> bool {
        let quoted = |line: &str| {
            (line.starts_with("Revert \"") || line.starts_with("Reapply \"")) && line.len() > 9 && line.ends_with('"')
        };
        let id = |text: &str| Oid::parse(text).is_some();
        match self.body.as_slice() {
            [first, "", one] => {
                quoted(first)
                    && one.strip_prefix("This reverts commit ").and_then(|t| t.strip_suffix('.')).is_some_and(id)
            }
            [first, "", one, two] => {
                quoted(first)
                    && one
                        .strip_prefix("This reverts commit ")
                        .and_then(|t| t.strip_suffix(", reversing"))
                        .is_some_and(id)
                    && two.strip_prefix("changes made to ").and_then(|t| t.strip_suffix('.')).is_some_and(id)
            }
            _ => false,
        }
    }
}

fn find<'b>(repo: &Repo, book: &'b Book, reversal: &Reversal) -> Result<Option<(&'b Experiment, Part)>, GitError> {
    for target in &reversal.targets {
        if let Some(found) = reversal::experiment_of(repo, book, target)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The rows of the decision in force, else of the latest measurement.
fn numbers(experiment: &Experiment) -> Option<Numbers<'_>> {
    if let Some((id, _, decided)) = &experiment.decided
        && !decided.comparison.is_empty()
    {
        let record = decided.measured.unwrap_or(*id);
        let (base, candidate) = (&decided.base, &decided.candidate);
        return Some(Numbers { record, base, candidate, rows: &decided.comparison });
    }
    let (id, measured) = experiment.latest().filter(|(_, measured)| !measured.comparison.is_empty())?;
    let (base, candidate) = (&measured.base, &measured.candidate);
    Some(Numbers { record: *id, base, candidate, rows: &measured.comparison })
}

/// Why a message may not be committed: it reverts an optimization and carries no numbers.
pub fn judge(repo: &Repo, book: &Book, message: &str) -> Result<Option<Unquantified>, HookError> {
    let comment = repo.config_value("core.commentChar").filter(|c| c != "auto").unwrap_or_else(|| "#".into());
    let parts = Parts::split(message, &comment);
    let said: Vec<&str> = parts.body.iter().chain(&parts.signed).copied().collect();
    Ok(reversal::unquantified(repo, book, &said.join("\n"))?)
}

/// A line that git hands to `pre-push`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// What is pushed, as it was named.
    pub local: String,
    /// Its commit.
    pub commit: Oid,
    /// The ref that it goes to.
    pub remote: String,
    /// What that ref holds now, when it exists.
    pub held: Option<Oid>,
}

/// Reads what git hands to `pre-push`; refs that are deleted are left out.
pub fn pushed(input: &str) -> Vec<Pushed> {
    let zero = |id: &str| id.bytes().all(|b| b == b'0');
    let one = |line: &str| {
        let [local, commit, remote, held] = line.split(' ').collect::<Vec<_>>().try_into().ok()?;
        let held = if zero(held) { None } else { Oid::parse(held) };
        let commit = Oid::parse(commit).filter(|_| !zero(commit))?;
        Some(Pushed { local: local.to_string(), commit, remote: remote.to_string(), held })
    };
    input.lines().filter_map(one).collect()
}

/// The undecided experiments whose commits are among what is pushed and were not there before, each with the ref that
/// they go to.
pub fn undecided<'b>(
    repo: &Repo,
    book: &'b Book,
    pushed: &[Pushed],
) -> Result<Vec<(&'b Experiment, String)>, HookError> {
    let mut found = Vec::new();
    for experiment in book.experiments.iter().filter(|experiment| experiment.is_open()) {
        let tip = match repo.branch(experiment.branch())? {
            Some(tip) => Some(tip),
            None => experiment.opened.adopted.clone().filter(|tip| repo.commit(tip).is_ok()),
        };
        let Some(tip) = tip.filter(|tip| *tip != experiment.opened.base.commit) else { continue };
        for push in pushed.iter().filter(|push| repo.commit(&push.commit).is_ok()) {
            let known = match &push.held {
                Some(held) if repo.commit(held).is_ok() => repo.is_ancestor(&tip, held)?,
                _ => false,
            };
            if !known && repo.is_ancestor(&tip, &push.commit)? {
                found.push((experiment, push.remote.clone()));
                break;
            }
        }
    }
    Ok(found)
}

/// What a new commit asks of the reverted experiments, and the commit before it. None of a merge, of one that carries a
/// decision, and while git is in the middle of something.
pub fn question(repo: &Repo, tip: &Oid) -> Result<Option<(Question, Oid)>, HookError> {
    let commit = repo.commit(tip)?;
    let [parent] = commit.parents.as_slice() else { return Ok(None) };
    if repo.operation().is_some() || reversal::is_quantified(&commit.message) {
        return Ok(None);
    }
    let question = Question::of_change(repo, Between::Commits(parent, tip), &commit.message)?;
    Ok(Some((question, parent.clone())))
}

/// The folder in which `post-commit` leaves its requests: an empty file a name.
pub fn queue_folder(repo: &Repo) -> PathBuf {
    repo.common_dir().join("verdict").join("queue")
}

/// Queues a measurement of the experiment whose branch HEAD is on; its name.
pub fn queue(repo: &Repo, book: &Book) -> Result<Option<String>, HookError> {
    let Ok((branch, _)) = repo.current_branch() else { return Ok(None) };
    let Some(experiment) = book.on_branch(&branch) else { return Ok(None) };
    Ok(write(repo, &experiment.name)?.then(|| experiment.name.clone()))
}

/// Queues a measurement of what a kept experiment landed as, where `post-commit` queues measurements.
pub fn queue_landed(repo: &Repo, name: &str) -> Result<bool, HookError> {
    let hook = place(repo)?.file(Hook::PostCommit);
    if !std::fs::read(hook).is_ok_and(|bytes| is_ours(&bytes)) {
        return Ok(false);
    }
    write(repo, name)
}

fn write(repo: &Repo, name: &str) -> Result<bool, HookError> {
    if crate::experiment::check_name(name).is_err() {
        return Ok(false);
    }
    let folder = queue_folder(repo);
    let path = folder.join(name);
    let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, b""));
    written.map_err(|source| HookError::Io { path, source })?;
    Ok(true)
}

/// The names that are queued, in order; what cannot be a name is passed over.
pub fn queued(repo: &Repo) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(queue_folder(repo)) else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| crate::experiment::check_name(name).is_ok()).collect();
    names.sort();
    names
}

/// Takes a request out of the queue.
pub fn unqueue(repo: &Repo, name: &str) {
    if crate::experiment::check_name(name).is_ok() {
        let _ = std::fs::remove_file(queue_folder(repo).join(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "0123456789012345678901234567890123456789";

    fn is_default(message: &str) -> bool {
        Parts::split(message, "#").is_default()
    }

    #[test]
    fn only_what_git_itself_writes_is_a_default_message() {
        assert!(is_default(&format!("Revert \"perf: x\"\n\nThis reverts commit {A}.\n")));
        assert!(is_default(&format!("Reapply \"perf: x\"\n\nThis reverts commit {A}.\n\n# Conflicts:\n#\ta\n")));
        assert!(is_default(&format!("Revert \"Merge\"\n\nThis reverts commit {A}, reversing\nchanges made to {A}.\n")));
        assert!(is_default(&format!("Revert \"x\"\n\nThis reverts commit {A}.\n\nSigned-off-by: A <a@b>\n")));
        for message in [
            format!("Revert \"x\"\n\nThis reverts commit {A}.\n\nIt was slow.\n"),
            format!("Revert \"x\" at once\n\nThis reverts commit {A}.\n"),
            format!("revert: x\n\nThis reverts commit {A}.\n"),
            "Revert \"x\"\n".to_string(),
            "Revert \"x\"\n\nThis reverts commit 0123456.\n".to_string(),
            String::new(),
        ] {
            assert!(!is_default(&message), "{message}");
        }
    }

    #[test]
    fn comments_and_what_follows_them_stay_where_they_are() {
        let parts = Parts::split("a\n\nb\n\nSigned-off-by: A <a@b>\n\n# c\n# >8\ndiff\n", "#");
        assert_eq!(parts.body, ["a", "", "b"]);
        assert_eq!(parts.signed, ["Signed-off-by: A <a@b>"]);
        assert_eq!(parts.tail, "# c\n# >8\ndiff\n");
    }

    #[test]
    fn deleted_refs_and_broken_lines_are_not_pushed() {
        let zero = "0".repeat(40);
        let input =
            format!("refs/heads/a {A} refs/heads/a {zero}\n(delete) {zero} refs/heads/b {A}\nrubbish\nx y z w\n");
        let found = pushed(&input);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].remote.as_str(), &found[0].held), ("refs/heads/a", &None));
    }
}
