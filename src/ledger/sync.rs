//! Exchanging records with a remote: fetch, merge, push, again while others are faster.
//!
//! The real git does the transport, so any URL, credential helper and proxy that works for `git fetch` works here. One ref
//! goes over the wire in each direction and nothing else: no branch, no tag, no submodule, whatever the configuration says
//! of pushes. The remote's ledger is kept under `refs/verdict/remotes/<remote>/ledger`, so that the next fetch knows what is
//! here already. The push is never forced: a remote that moved meanwhile refuses it, and its records are merged first.

use super::store::{EVENTS, LEDGER_REF, LEVELS, Ledger, LedgerError, child, event_id, folder_char};
use crate::digest::sha256;
use crate::error::{Exit, Explain};
use crate::git::command::Git;
use crate::git::refs::is_ref_name;
use crate::git::{GitError, Head, Oid, Repo};
use crate::phrase;
use crate::phrase::Phrase;
use rand::Rng;
use regex::Regex;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

/// How often a push that came too late is tried again. Of all that push at the same time one succeeds, so this is also the
/// number of clones that may start together.
const ATTEMPTS: u32 = 64;
/// Where the ledgers of remotes are kept.
const REMOTES: &str = "refs/verdict/remotes/";

/// A remote to exchange records with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// What git is given: the name of a configured remote, a URL, or an absolute path.
    pub target: String,
    /// What people are shown: the same, without the credentials of a URL.
    pub label: String,
    /// The ref that its ledger is kept under.
    pub tracking: String,
    /// Whether it is configured under this name.
    pub configured: bool,
}

impl Remote {
    /// The remote of that name, URL or path (taken from `dir` when it is relative).
    pub fn named(repo: &Repo, name: &str, dir: &Path) -> Result<Remote, SyncError> {
        let known = repo.remotes()?;
        if known.iter().any(|(other, _)| other == name) {
            return Remote::configured(name);
        }
        let unknown = || SyncError::Unknown {
            name: name.to_string(),
            nearest: crate::config::nearest(name, known.iter().map(|(other, _)| other.as_str())).map(String::from),
        };
        if name.is_empty() || name.starts_with('-') || name.contains(char::is_control) {
            return Err(unknown());
        }
        if let Ok(path) = std::fs::canonicalize(dir.join(name)) {
            let path = path.to_str().ok_or_else(unknown)?;
            return Ok(Remote::unnamed(path));
        }
        if name.contains(':') { Ok(Remote::unnamed(name)) } else { Err(unknown()) }
    }

    /// The remote of the branch that is checked out, else `origin`, else the only one there is.
    pub fn default_of(repo: &Repo) -> Result<Remote, SyncError> {
        let known = repo.remotes()?;
        let is_known = |name: &String| known.iter().any(|(other, _)| other == name);
        let of_branch = match repo.head() {
            Ok(Head::Branch { name, .. } | Head::Unborn(name)) => repo.config_value(&format!("branch.{name}.remote")),
            _ => None,
        };
        let origin = Some("origin".to_string());
        let only = (known.len() == 1).then(|| known[0].0.clone());
        match of_branch.filter(is_known).or(origin.filter(is_known)).or(only) {
            Some(name) => Remote::configured(&name),
            None => Err(SyncError::NoRemote { known: known.into_iter().map(|(name, _)| name).collect() }),
        }
    }

    fn configured(name: &str) -> Result<Remote, SyncError> {
        let tracking = format!("{REMOTES}{name}/ledger");
        if name.starts_with('-') || !is_ref_name(&tracking) {
            return Err(SyncError::Unknown { name: name.to_string(), nearest: None });
        }
        Ok(Remote { target: name.into(), label: name.into(), tracking, configured: true })
    }

    fn unnamed(target: &str) -> Remote {
        let hash = &sha256(target)[..16];
        let tracking = format!("{REMOTES}url-{hash}/ledger");
        Remote { target: target.into(), label: without_credentials(target), tracking, configured: false }
    }
}

/// What is wanted of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Fetch, merge, push.
    Both,
    /// Fetch and merge.
    FetchOnly,
    /// Fetch, and say what the others would do.
    DryRun,
}

/// What an exchange did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Synced {
    /// Records that came in; with [`Mode::DryRun`], that would.
    pub received: usize,
    /// Records that the remote has now and had not before.
    pub sent: usize,
    /// Records that the remote still lacks.
    pub unsent: usize,
    /// How often it was tried.
    pub attempts: u32,
    /// Ids under which the two held different records.
    pub conflicts: Vec<String>,
    /// Files of the remote's ledger that were left out.
    pub dropped: Vec<String>,
}

/// Exchanges records with a remote. With [`Mode::DryRun`] only the copy of the remote's ledger is brought up to date.
pub fn sync(repo: &Repo, remote: &Remote, mode: Mode) -> Result<Synced, SyncError> {
    let ledger = Ledger::open(repo);
    let mut done = Synced::default();
    let mut said = String::new();
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            let most = 50u64 << (attempt - 1).min(5);
            std::thread::sleep(Duration::from_millis(rand::rng().random_range(5..=most)));
        }
        done.attempts = attempt + 1;
        let theirs = match fetch(repo, remote)? {
            Fetched::At(commit) => Some(commit),
            Fetched::Nothing => None,
            Fetched::Again(text) => {
                said = text;
                continue;
            }
            Fetched::Failed(said) => {
                let unsent = absent(repo, ledger.tip()?.as_ref(), repo.find_ref(&remote.tracking)?.as_ref())?;
                return Err(SyncError::Unreachable { remote: remote.label.clone(), unsent, said });
            }
        };
        repo.point("fetched");
        if let Some(theirs) = &theirs {
            // Refuses what is no ledger, or one of a later version, before anything is made of it.
            ledger.root(theirs)?;
        }
        if mode == Mode::DryRun {
            let ours = ledger.tip()?;
            done.received = absent(repo, theirs.as_ref(), ours.as_ref())?;
            done.unsent = absent(repo, ours.as_ref(), theirs.as_ref())?;
            return Ok(done);
        }
        if let Some(theirs) = &theirs {
            let merged = ledger.merge(theirs, &remote.label)?;
            done.received += merged.added;
            done.conflicts = merged.conflicts;
            done.dropped.extend(merged.dropped);
        }
        repo.point("merged");
        let Some(tip) = ledger.tip()? else { return Ok(done) };
        let new = absent(repo, Some(&tip), theirs.as_ref())?;
        if mode == Mode::FetchOnly || theirs.as_ref() == Some(&tip) {
            done.unsent = new;
            return Ok(done);
        }
        match push(repo, remote, &tip)? {
            Pushed::Done => {
                repo.point("pushed");
                repo.swap_ref(&remote.tracking, &tip, theirs.as_ref(), "verdict: sync")?;
                done.sent = new;
                return Ok(done);
            }
            Pushed::TooLate(text) => said = text,
            Pushed::Refused(said) => {
                return Err(SyncError::Refused {
                    remote: remote.label.clone(),
                    received: done.received,
                    unsent: new,
                    said,
                });
            }
        }
    }
    let unsent = absent(repo, ledger.tip()?.as_ref(), repo.find_ref(&remote.tracking)?.as_ref())?;
    Err(SyncError::Contended { remote: remote.label.clone(), unsent, said })
}

/// The refspec that [`set_up`] adds. The star lets `git fetch` go on where a remote has no ledger yet.
pub fn refspec(remote: &Remote) -> String {
    format!("+{LEDGER_REF}*:{}*", remote.tracking)
}

/// Has `git fetch` bring the ledger of a configured remote along, too. False when it does already.
pub fn set_up(repo: &Repo, remote: &Remote) -> Result<bool, SyncError> {
    if !remote.configured {
        return Err(SyncError::NotConfigured(remote.label.clone()));
    }
    let (key, spec) = (format!("remote.{}.fetch", remote.target), refspec(remote));
    let present = repo.run_git().args(["config", "--get-all", &key]).output()?;
    if String::from_utf8_lossy(&present.stdout).lines().any(|line| line == spec) {
        return Ok(false);
    }
    repo.run_git().args(["config", "--add", &key, &spec]).run()?;
    Ok(true)
}

/// How a fetch ended.
enum Fetched {
    At(Oid),
    /// The remote has no ledger.
    Nothing,
    /// Another process held a lock of ours.
    Again(String),
    /// The remote did not answer, or not as a repository.
    Failed(String),
}

fn fetch(repo: &Repo, remote: &Remote) -> Result<Fetched, SyncError> {
    // An empty refmap: a mirror's `+refs/*:refs/*` would otherwise overwrite our ledger with theirs.
    let output = plainly(repo)
        .args(["fetch", "--quiet", "--no-tags", "--no-prune", "--refmap=", "--no-write-fetch-head"])
        .args(["--recurse-submodules=no", "--end-of-options", &remote.target])
        .arg(format!("+{LEDGER_REF}:{}", remote.tracking))
        .output()?;
    if output.status.success() {
        let at = repo.find_ref(&remote.tracking)?;
        return Ok(at.map_or(Fetched::Nothing, Fetched::At));
    }
    let said = said(&output);
    if said.contains("couldn't find remote ref") {
        // It may have had one, and have been made anew.
        if let Some(old) = repo.find_ref(&remote.tracking)? {
            repo.run_git().args(["update-ref", "-d", &remote.tracking, old.as_str()]).run()?;
        }
        return Ok(Fetched::Nothing);
    }
    let locked = ["cannot lock ref", "unable to update local ref", "local refs could not be updated"];
    Ok(if locked.iter().any(|words| said.contains(words)) { Fetched::Again(said) } else { Fetched::Failed(said) })
}

/// How a push ended.
enum Pushed {
    Done,
    /// Another clone was first.
    TooLate(String),
    /// The remote takes nothing from us.
    Refused(String),
}

fn push(repo: &Repo, remote: &Remote, tip: &Oid) -> Result<Pushed, SyncError> {
    let mirror = format!("remote.{}.mirror=false", remote.target);
    let git = plainly(repo);
    let git = if remote.configured { git.args(["-c", &mirror]) } else { git };
    let output = git
        .args(["push", "--quiet", "--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no"])
        .args(["--end-of-options", &remote.target])
        .arg(format!("{tip}:{LEDGER_REF}"))
        .output()?;
    if output.status.success() {
        return Ok(Pushed::Done);
    }
    let said = said(&output);
    // git's own refusal, before anything is sent; or the other end's, when its ref was locked or moved meanwhile.
    let too_late = ["[rejected]", "cannot lock ref", "failed to update ref", "failed to lock", "incorrect old value"];
    Ok(if too_late.iter().any(|words| said.contains(words)) { Pushed::TooLate(said) } else { Pushed::Refused(said) })
}

/// The real git, saying what it says in English, because its answers are read.
fn plainly(repo: &Repo) -> Git {
    repo.run_git().env("LC_ALL", "C").env("LANGUAGE", "C")
}

/// What git said, without credentials and without the lines that say nothing.
fn said(output: &Output) -> String {
    let both = [&output.stderr, &output.stdout].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let lines = both.iter().flat_map(|text| text.lines());
    let lines = lines.map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with("To ") && *line != "Done");
    without_credentials(&lines.collect::<Vec<_>>().join("\n"))
}

/// A text in which the URLs have lost user and password.
fn without_credentials(text: &str) -> String {
    let pattern = Regex::new(r"://[^/\s@]*@").expect("a valid pattern");
    pattern.replace_all(text, "://").into_owned()
}

/// How many records of the ledger commit `there` are not in `here`, found from the trees that differ.
fn absent(repo: &Repo, there: Option<&Oid>, here: Option<&Oid>) -> Result<usize, SyncError> {
    let Some(there) = there else { return Ok(0) };
    let events = |commit: &Oid| -> Result<Option<Oid>, GitError> {
        let entries = repo.read_tree(&repo.tree_of(commit)?)?;
        Ok(child(&entries, EVENTS).filter(|entry| entry.is_tree()).map(|entry| entry.id.clone()))
    };
    let here = here.map(events).transpose()?.flatten();
    match events(there)? {
        Some(there) => Ok(absent_below(repo, &there, here.as_ref(), &mut String::new())?),
        None => Ok(0),
    }
}

fn absent_below(repo: &Repo, there: &Oid, here: Option<&Oid>, path: &mut String) -> Result<usize, GitError> {
    if here == Some(there) {
        return Ok(0);
    }
    let known = here.map(|tree| repo.read_tree(tree)).transpose()?.unwrap_or_default();
    let mut count = 0;
    for entry in repo.read_tree(there)? {
        let known = known.iter().find(|other| other.name == entry.name);
        if path.len() == LEVELS {
            count += usize::from(known.is_none() && event_id(&entry, path).is_some());
        } else if let Some(c) = folder_char(&entry) {
            path.push(c);
            count += absent_below(repo, &entry.id, known.map(|other| &other.id), path)?;
            path.pop();
        }
    }
    Ok(count)
}

/// Why records were not exchanged. Nothing is lost in any of these cases.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// No remote of that name, and no URL or path either.
    Unknown {
        /// The name.
        name: String,
        /// The nearest one.
        nearest: Option<String>,
    },
    /// None was named, and none is the obvious one.
    NoRemote {
        /// Those that are configured.
        known: Vec<String>,
    },
    /// Only a configured remote can be set up.
    NotConfigured(String),
    /// The remote could not be fetched from.
    Unreachable {
        /// The remote.
        remote: String,
        /// Records that it is not known to have.
        unsent: usize,
        /// What git said.
        said: String,
    },
    /// The remote takes no push.
    Refused {
        /// The remote.
        remote: String,
        /// Records that came in before that.
        received: usize,
        /// Records that it lacks.
        unsent: usize,
        /// What git said.
        said: String,
    },
    /// Others were faster every time.
    Contended {
        /// The remote.
        remote: String,
        /// Records that it lacks.
        unsent: usize,
        /// What git said last.
        said: String,
    },
    /// The ledger failed.
    Ledger(#[from] LedgerError),
    /// git failed.
    Git(#[from] GitError),
}

fn left(unsent: usize) -> Phrase {
    match unsent {
        0 => "nothing is left unsent".into(),
        1 => "1 record is unsent".into(),
        more => phrase!("{more} records are unsent", more),
    }
}

crate::error::display_what!(SyncError);

impl Explain for SyncError {
    fn exit(&self) -> Exit {
        match self {
            SyncError::Unknown { .. } | SyncError::NotConfigured(_) => Exit::Usage,
            SyncError::Ledger(inner) => inner.exit(),
            SyncError::Git(inner) => inner.exit(),
            _ => Exit::State,
        }
    }
    fn what(&self) -> Phrase {
        match self {
            SyncError::Unknown { name, .. } => {
                phrase!("there is no remote '{name}'", name = crate::render::text::clean(name))
            }
            SyncError::NoRemote { .. } => "there is no remote to sync with".into(),
            SyncError::NotConfigured(name) => phrase!("{name} is not configured as a remote", name),
            SyncError::Unreachable { remote, unsent, .. } => {
                phrase!("{remote} could not be reached; {left}", remote, left = left(*unsent))
            }
            SyncError::Refused { remote, received, unsent, .. } => phrase!(
                "{remote} takes no records from here; {received} received, {left}",
                remote,
                received,
                left = left(*unsent)
            ),
            SyncError::Contended { remote, unsent, .. } => phrase!(
                "{remote} was changed by others {times} times in a row; {left}",
                remote,
                times = ATTEMPTS,
                left = left(*unsent)
            ),
            SyncError::Ledger(inner) => inner.what(),
            SyncError::Git(inner) => inner.what(),
        }
    }
    fn why(&self) -> Option<Phrase> {
        match self {
            SyncError::Unreachable { said, .. }
            | SyncError::Refused { said, .. }
            | SyncError::Contended { said, .. } => Some(said.into()),
            SyncError::Unknown { nearest: Some(nearest), .. } => Some(phrase!("the nearest is '{nearest}'", nearest)),
            SyncError::NoRemote { known } if known.is_empty() => Some("none is configured".into()),
            SyncError::NoRemote { known } => Some(phrase!("configured: {names}", names = known.join(", "))),
            SyncError::NotConfigured(_) => Some("git keeps what to fetch under the name of a remote".into()),
            SyncError::Ledger(inner) => inner.why(),
            SyncError::Git(inner) => inner.why(),
            SyncError::Unknown { .. } => None,
        }
    }
    fn next(&self) -> Option<Phrase> {
        match self {
            SyncError::Unknown { nearest: Some(nearest), .. } => Some(phrase!("git verdict sync {nearest}", nearest)),
            SyncError::Unknown { .. } => Some("git remote -v".into()),
            SyncError::NoRemote { known } if known.is_empty() => Some("git remote add origin URL".into()),
            SyncError::NoRemote { .. } => Some("git verdict sync REMOTE".into()),
            SyncError::NotConfigured(_) => Some("git remote add NAME URL".into()),
            SyncError::Unreachable { .. } | SyncError::Contended { .. } => Some("git verdict sync, later".into()),
            SyncError::Refused { .. } => {
                Some("git verdict sync with a remote that you may push to, or --fetch-only".into())
            }
            SyncError::Ledger(inner) => inner.next(),
            SyncError::Git(inner) => inner.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::test::Sandbox;

    #[test]
    fn credentials_of_a_url_are_never_shown() {
        assert_eq!(
            without_credentials("fatal: https://ada:secret@example.org/x.git and ssh://git@host/y"),
            "fatal: https://example.org/x.git and ssh://host/y"
        );
        let remote = Remote::unnamed("https://ada:secret@example.org/x.git");
        assert_eq!(remote.label, "https://example.org/x.git");
        assert!(remote.target.contains("secret") && !remote.tracking.contains("secret"), "{remote:?}");
    }

    #[test]
    fn a_remote_is_a_configured_name_a_url_or_a_folder_and_never_an_option() {
        let sandbox = Sandbox::new();
        sandbox.git(&["remote", "add", "upstream", "ssh://host/x"]);
        let repo = sandbox.repo();
        let named = |name: &str| Remote::named(&repo, name, &sandbox.root);
        let upstream = named("upstream").unwrap();
        assert_eq!(upstream.tracking, "refs/verdict/remotes/upstream/ledger");
        assert!(upstream.configured);
        assert!(named(".").unwrap().target.starts_with('/'));
        assert!(is_ref_name(&named("ssh://host/x y").unwrap().tracking));
        for name in ["", "-", "--upload-pack=touch x", "upstraem", "a\nb:c"] {
            assert!(matches!(named(name), Err(SyncError::Unknown { .. })), "{name:?}");
        }
        let Err(SyncError::Unknown { nearest, .. }) = named("upstraem") else { panic!() };
        assert_eq!(nearest.as_deref(), Some("upstream"));
    }

    #[test]
    fn the_remote_of_the_branch_comes_before_origin_and_origin_before_the_only_one() {
        let sandbox = Sandbox::new();
        let default = || Remote::default_of(&sandbox.repo()).map(|remote| remote.target);
        assert!(matches!(default(), Err(SyncError::NoRemote { .. })));
        sandbox.git(&["remote", "add", "fork", "ssh://host/fork"]);
        assert_eq!(default().unwrap(), "fork");
        sandbox.git(&["remote", "add", "origin", "ssh://host/origin"]);
        assert_eq!(default().unwrap(), "origin");
        sandbox.git(&["config", "branch.main.remote", "fork"]);
        assert_eq!(default().unwrap(), "fork");
        sandbox.git(&["remote", "rename", "origin", "other"]);
        sandbox.git(&["config", "branch.main.remote", "."]);
        assert!(matches!(default(), Err(SyncError::NoRemote { known }) if known.len() == 2));
    }
}
