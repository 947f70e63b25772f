//! What a landing will do, as data: the steps, the state they start from, and what they may leave in the work tree.
//!
//! A [`Step`] knows the git commands that carry it out ([`Plan::commands`]): the same words are shown by `--dry-run` and
//! executed.

use super::Texts;
use crate::git::{Oid, Repo};
use crate::ledger::store::LEDGER_REF;
use crate::phrase;
use crate::phrase::Phrase;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use ulid::Ulid;

/// A prepared landing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Where HEAD was.
    pub origin: Origin,
    /// The refs that will be touched, by full name, and what they held.
    pub refs: BTreeMap<String, Option<Oid>>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// Configuration of the user's that is set aside, because it would change what the commands mean.
    pub settings: Vec<(String, String)>,
    /// The tree that the base branch is expected to have in the end, without the decision file.
    pub expected: Oid,
    /// Every file that may be written on the way, and the blobs it may hold meanwhile.
    pub touched: Touched,
    /// The decision on the experiment that was in force.
    #[serde(default)]
    pub in_force: Option<Ulid>,
}

/// Where HEAD was before a landing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The branch; none when HEAD was detached.
    pub branch: Option<String>,
    /// The commit.
    pub commit: Oid,
}

/// One step of a landing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// Check out a branch.
    Switch {
        /// Its short name.
        branch: String,
    },
    /// Undo the experiment's commits in one new commit on a branch.
    Revert {
        /// The branch.
        branch: String,
        /// What is reverted, newest first.
        groups: Vec<Group>,
        /// Instead of reverting commit by commit: the commit whose tree is restored whole.
        restore: Option<Oid>,
        /// The tree that this should give.
        tree: Oid,
        /// Whether every file that changes goes back to just what it was, so that there is nothing to merge.
        #[serde(default)]
        exact: bool,
        /// Whether the commit changes nothing.
        empty: bool,
    },
    /// Merge the experiment's branch.
    Merge {
        /// The branch that it is merged into.
        onto: String,
        /// The branch that is merged.
        branch: String,
    },
    /// Commit the decision file, when there is one.
    Adr {
        /// The branch.
        onto: String,
    },
    /// Put the experiment's commits under a ref of their own.
    Archive {
        /// Full name of the ref.
        to: String,
        /// The commit.
        tip: Oid,
    },
    /// Make the experiment's branch again.
    Restore {
        /// Its short name.
        branch: String,
        /// The commit.
        tip: Oid,
    },
    /// Delete the experiment's branch.
    Drop {
        /// Its short name.
        branch: String,
        /// What it holds.
        tip: Oid,
    },
    /// Append the record to the ledger: from here on the decision stands.
    Record,
}

/// Commits that one `git revert` undoes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// For merges: the parent that is kept, counted from 1.
    pub mainline: Option<u32>,
    /// The commits, newest first.
    pub commits: Vec<Oid>,
}

impl Step {
    /// The step's name in faults and in the journal.
    pub fn name(&self) -> &'static str {
        match self {
            Step::Switch { .. } => "switch",
            Step::Revert { .. } => "revert",
            Step::Merge { .. } => "merge",
            Step::Adr { .. } => "adr",
            Step::Archive { .. } => "archive",
            Step::Restore { .. } => "restore",
            Step::Drop { .. } => "drop",
            Step::Record => "record",
        }
    }

    /// The same step with everything left to git's merge machinery.
    pub(super) fn merging(&self) -> Step {
        let mut step = self.clone();
        if let Step::Revert { exact, .. } = &mut step {
            *exact = false;
        }
        step
    }

    /// The ref that this step moves, by its full name.
    pub fn moves(&self) -> Option<String> {
        match self {
            Step::Revert { branch, .. } | Step::Restore { branch, .. } | Step::Drop { branch, .. } => {
                Some(format!("refs/heads/{branch}"))
            }
            Step::Merge { onto, .. } | Step::Adr { onto } => Some(format!("refs/heads/{onto}")),
            Step::Archive { to, .. } => Some(to.clone()),
            Step::Switch { .. } | Step::Record => None,
        }
    }
}

/// Where the messages of a landing are while it runs.
#[derive(Debug, Clone)]
pub struct Messages {
    folder: PathBuf,
}

impl Messages {
    /// Messages in the folder of the journal.
    pub fn under(verdict_dir: &Path) -> Messages {
        Messages { folder: verdict_dir.to_path_buf() }
    }
    /// Messages beside the journal, as git is told of them: relative to the root of the work tree when they are inside it.
    pub fn of(repo: &Repo) -> Messages {
        let folder = repo.common_dir().join("verdict");
        let inside = repo.workdir().ok().and_then(|root| folder.strip_prefix(root).ok());
        Messages { folder: inside.map(Path::to_path_buf).unwrap_or(folder) }
    }
    /// The message of the revert commit.
    pub fn revert(&self) -> PathBuf {
        self.folder.join("journal-revert.txt")
    }
    /// The message of the merge commit.
    pub fn merge(&self) -> PathBuf {
        self.folder.join("journal-merge.txt")
    }
    /// The message of the commit of the decision file.
    pub fn adr(&self) -> PathBuf {
        self.folder.join("journal-adr.txt")
    }
    /// All of them.
    pub fn all(&self) -> [PathBuf; 3] {
        [self.revert(), self.merge(), self.adr()]
    }
}

/// The words of one git command, without `git` itself.
pub type Words = Vec<OsString>;

fn words<const N: usize>(words: [&str; N]) -> Words {
    words.iter().map(OsString::from).collect()
}

impl Plan {
    /// The git commands of a step, in order. Empty for the record, and for a decision file that there is none of.
    pub fn commands(&self, step: &Step, messages: &Messages, adr: Option<&Path>) -> Vec<Words> {
        let commit = |file: PathBuf, more: &[&str]| {
            let mut line = words(["commit", "--quiet", "--cleanup=verbatim", "-F"]);
            line.push(file.into());
            line.extend(more.iter().map(OsString::from));
            self.with_settings(line)
        };
        match step {
            Step::Switch { branch } => {
                vec![words(["switch", "--quiet", "--no-guess", "--end-of-options", branch])]
            }
            Step::Revert { groups, restore, tree, exact, empty, .. } => {
                let mut lines: Vec<Words> = match restore {
                    Some(commit) => {
                        let source = format!("--source={commit}");
                        vec![words(["restore", &source, "--staged", "--worktree", "--no-overlay", "--", ":/"])]
                    }
                    // Unlike `git revert` it looks only at the files that change; and it refuses to write over one that was edited.
                    None if *exact => {
                        vec![words(["read-tree", "-m", "-u", "--no-recurse-submodules", "HEAD", tree.as_str()])]
                    }
                    None => groups.iter().map(|group| self.with_settings(group.words())).collect(),
                };
                lines.push(commit(messages.revert(), if *empty { &["--allow-empty"] } else { &[] }));
                lines
            }
            Step::Merge { branch, .. } => {
                let mut line = words(["merge", "--quiet", "--no-ff", "--no-edit", "--no-log", "--no-autostash"]);
                line.extend(words(["--no-verify-signatures", "--cleanup=verbatim", "-F"]));
                line.push(messages.merge().into());
                line.push(format!("refs/heads/{branch}").into());
                vec![self.with_settings(line)]
            }
            Step::Adr { .. } => {
                let Some(path) = adr else { return Vec::new() };
                let mut add = words(["--literal-pathspecs", "add", "--sparse", "--"]);
                add.push(path.into());
                vec![add, commit(messages.adr(), &[])]
            }
            Step::Archive { to, tip } => {
                vec![words(["update-ref", "-m", "git-verdict: archive", to, tip.as_str(), ""])]
            }
            Step::Restore { branch, tip } => {
                let name = format!("refs/heads/{branch}");
                vec![words(["update-ref", "-m", "git-verdict: undo", &name, tip.as_str(), ""])]
            }
            Step::Drop { branch, tip } => {
                let name = format!("refs/heads/{branch}");
                vec![words(["update-ref", "-m", "git-verdict: archive", "-d", &name, tip.as_str()])]
            }
            Step::Record => Vec::new(),
        }
    }

    /// Whether no file of the work tree changes but the decision file, which is new: then edits in other files may stay.
    pub(super) fn leaves_files(&self) -> bool {
        self.steps
            .iter()
            .all(|step| matches!(step, Step::Archive { .. } | Step::Adr { .. } | Step::Drop { .. } | Step::Record))
    }

    /// What puts every ref back, one line each.
    pub(super) fn way_back(&self) -> impl Iterator<Item = Phrase> + '_ {
        self.refs.iter().map(|(name, before)| match before {
            Some(before) => format!("git update-ref {name} {before}").into(),
            None => format!("git update-ref -d {name}").into(),
        })
    }

    fn with_settings(&self, line: Words) -> Words {
        let pairs = self.settings.iter().flat_map(|(key, value)| ["-c".to_string(), format!("{key}={value}")]);
        pairs.map(OsString::from).chain(line).collect()
    }

    /// One line for each command, as a shell would take it. Without texts, a decision file is left out.
    pub fn lines(&self, record: &str, messages: &Messages, texts: Option<&Texts>) -> Vec<Phrase> {
        let adr = texts.and_then(|texts| texts.adr.as_ref()).map(|(path, _, _)| path.as_path());
        self.steps.iter().flat_map(|step| self.step_lines(step, record, messages, adr)).collect()
    }

    /// One line for each command of a step.
    pub fn step_lines(&self, step: &Step, record: &str, messages: &Messages, adr: Option<&Path>) -> Vec<Phrase> {
        if *step == Step::Record {
            return vec![recording(record)];
        }
        let commands = self.commands(step, messages, adr);
        let mut lines: Vec<String> = commands.iter().map(|line| format!("git {}", shown(line))).collect();
        // A tree says nothing to a reader.
        if let (Step::Revert { groups, exact: true, .. }, Some(line)) = (step, lines.first_mut()) {
            for group in groups {
                line.push_str(&format!("  # git {}", shown(&self.with_settings(group.words()))));
            }
        }
        lines.into_iter().map(Phrase::from).collect()
    }
}

impl Group {
    fn words(&self) -> Words {
        let mut line = words(["revert", "--no-commit"]);
        if let Some(mainline) = self.mainline {
            line.extend(words(["-m", &mainline.to_string()]));
        }
        line.extend(self.commits.iter().map(|id| OsString::from(id.as_str())));
        line
    }
}

/// The step after which the decision stands, beside the commands.
pub(super) fn recording(record: &str) -> Phrase {
    phrase!("append record {record} to {ledger}", record, ledger = LEDGER_REF)
}

/// Words as they would be typed.
fn shown(line: &Words) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:@+,^".contains(c);
    let quoted = line.iter().map(|word| {
        let word = word.to_string_lossy();
        if !word.is_empty() && word.chars().all(plain) {
            word.into_owned()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// Files that a landing may write: path (relative to the root of the work tree) -> the blobs it may hold meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, BTreeSet<Oid>>", into = "BTreeMap<String, BTreeSet<Oid>>")]
pub struct Touched(pub BTreeMap<PathBuf, BTreeSet<Oid>>);

impl Touched {
    /// Adds the files that differ between two trees.
    pub fn add(&mut self, differing: Vec<crate::git::trees::Differs>) {
        for file in differing {
            let blobs = self.0.entry(file.path).or_default();
            blobs.extend(file.from.into_iter().chain(file.to));
        }
    }

    /// Adds what another landing, or part of one, may write.
    pub fn join(&mut self, other: Touched) {
        for (path, blobs) in other.0 {
            self.0.entry(path).or_default().extend(blobs);
        }
    }
}

/// Paths are bytes and JSON is text: bytes that are no UTF-8, and `%`, are written as `%XX`.
impl From<Touched> for BTreeMap<String, BTreeSet<Oid>> {
    fn from(touched: Touched) -> Self {
        let escape = |path: &OsStr| {
            let mut text = String::new();
            for chunk in path.as_bytes().utf8_chunks() {
                text.push_str(&chunk.valid().replace('%', "%25"));
                text.extend(chunk.invalid().iter().map(|byte| format!("%{byte:02X}")));
            }
            text
        };
        touched.0.into_iter().map(|(path, blobs)| (escape(path.as_os_str()), blobs)).collect()
    }
}

impl TryFrom<BTreeMap<String, BTreeSet<Oid>>> for Touched {
    type Error = String;
    fn try_from(map: BTreeMap<String, BTreeSet<Oid>>) -> Result<Self, String> {
        let unescape = |text: &str| {
            let mut bytes = Vec::new();
            let mut rest = text.as_bytes();
            while let Some((&byte, after)) = rest.split_first() {
                rest = after;
                if byte != b'%' {
                    bytes.push(byte);
                    continue;
                }
                let code = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
                let code = code.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                bytes.push(code.ok_or_else(|| format!("'{text}' is not an escaped path"))?);
                rest = &rest[2..];
            }
            Ok::<_, String>(PathBuf::from(OsString::from_vec(bytes)))
        };
        let entries: Result<_, String> = map.into_iter().map(|(path, blobs)| Ok((unescape(&path)?, blobs))).collect();
        Ok(Touched(entries?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_no_utf8_survives_the_journal() {
        let path = PathBuf::from(OsStr::from_bytes(b"a%41/\xff\xfe/\xc3\xa9"));
        let touched = Touched(BTreeMap::from([(path, BTreeSet::new())]));
        let text = serde_json::to_string(&touched).unwrap();
        assert_eq!(text, r#"{"a%2541/%FF%FE/é":[]}"#);
        assert_eq!(serde_json::from_str::<Touched>(&text).unwrap(), touched);
    }

    #[test]
    fn a_path_with_a_broken_escape_is_refused() {
        assert!(serde_json::from_str::<Touched>(r#"{"a%4":[]}"#).is_err());
        assert!(serde_json::from_str::<Touched>(r#"{"a%zz":[]}"#).is_err());
    }

    #[test]
    fn a_command_is_shown_as_a_shell_would_take_it() {
        assert_eq!(shown(&words(["a", "it's", "", "$x"])), r"a 'it'\''s' '' '$x'");
    }
}
