//! The session file: samples are saved as they come, and found again after an interruption.
//!
//! `<shared git directory>/verdict/sessions/<key>.jsonl` holds one JSON object a line: first a [`Header`], then
//! `{"sample": …}`, `{"check": …}` and `{"failure": …}` in the order taken. Each line is one `write`, so a killed process loses at most the
//! line it was writing: a last line without its end is dropped when the file is read. The header is synced to disk at
//! once; samples at most once a second, so that runs of a millisecond are not slowed down by the disk. A session that
//! does not fit the plan any more is set aside as `<key>.stale.jsonl`, never mixed with new samples, and goes on when a plan
//! comes that it fits again. One is kept: the last. Kinds of lines that a reader does not know are left out.
//!
//! The file stays when measuring ends: whoever has written the record calls [`finish`].

use super::environment::Environment;
use super::lock::Lock;
use super::{CheckResult, FailedRun, MeasureError, Plan, Runs, Sample, Side};
use crate::digest::sha256;
use crate::git::Repo;
use crate::phrase;
use crate::phrase::Phrase;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use ulid::Ulid;

/// The version of the file's format.
const FORMAT: u32 = 1;

/// Samples are synced to disk when the last sync is so long ago.
const SYNC_AFTER: Duration = Duration::from_secs(1);

/// The first line: what the samples below it are samples of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the format.
    pub session: u32,
    /// The session's id.
    pub id: Ulid,
    /// The plan's key.
    pub key: String,
    /// The sides; the first is the base.
    pub sides: Vec<Side>,
    /// Seed of the order within rounds.
    pub seed: u64,
    /// Hex SHA-256 of the configuration's text.
    pub config_hash: String,
    /// Hex SHA-256 of what the configuration's text does not tell.
    pub work_hash: String,
    /// The metrics measured.
    pub metrics: Vec<String>,
    /// The machine it runs on.
    pub environment: Environment,
    /// The record whose exact readings stand for those of the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused: Option<Ulid>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line<S, C, F> {
    Sample(S),
    Check(C),
    Failure(F),
}

/// An open session: what has been taken, and where more is added. Held by one process at a time.
#[derive(Debug)]
pub struct Session {
    /// What is measured.
    pub header: Header,
    /// The samples taken, in order.
    pub samples: Vec<Sample>,
    /// The checks run, in order.
    pub checks: Vec<CheckResult>,
    /// The runs that failed, in order.
    pub failures: Vec<FailedRun>,
    /// How many sides run in each round, in turn; none when all do in every round.
    turns: Vec<usize>,
    file: File,
    path: PathBuf,
    synced: Instant,
    _lock: Lock,
}

/// What [`Session::open`] found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Whether the session goes on that was interrupted.
    pub resumed: bool,
    /// One that does not fit and is set aside.
    pub aside: Option<Aside>,
}

/// A session that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    /// What differs.
    pub why: Phrase,
    /// Where it is now.
    pub path: PathBuf,
    /// Whether it can be read, so that a plan that it fits goes on with it.
    pub whole: bool,
}

impl Session {
    /// Opens the session of a plan: the interrupted one when there is one that fits, a new one otherwise.
    pub fn open(
        repo: &Repo,
        plan: &Plan,
        environment: Environment,
        reused: Option<Ulid>,
    ) -> Result<(Session, Found), MeasureError> {
        let path = file_of(repo, &plan.key)?;
        let lock_path = path.with_extension("lock");
        let lock = Lock::acquire(&lock_path).map_err(|source| trouble(&lock_path, source))?;
        let Some(lock) = lock else {
            return Err(MeasureError::Busy { key: plan.key.clone(), holder: Lock::holder(&lock_path) });
        };
        let header = Header {
            reused,
            session: FORMAT,
            id: Ulid::new(),
            key: plan.key.clone(),
            sides: plan.sides.clone(),
            seed: plan.seed,
            config_hash: plan.config.hash.clone(),
            work_hash: work_hash(plan),
            metrics: plan.metrics().map(|m| m.name.clone()).collect(),
            environment,
        };
        let turns: Vec<usize> = plan.turns.iter().map(Vec::len).collect();
        let (saved, aside) = found(&path, &header).map_err(|source| trouble(&path, source))?;
        let found = Found { resumed: saved.is_some(), aside };
        if let Some(saved) = saved {
            let file = reopen(&path, saved.length).map_err(|source| trouble(&path, source))?;
            let session = Session {
                header: saved.header,
                samples: saved.samples,
                checks: saved.checks,
                failures: saved.failures,
                turns,
                file,
                path,
                synced: Instant::now(),
                _lock: lock,
            };
            return Ok((session, found));
        }
        let file = create(&path, &header).map_err(|source| trouble(&path, source))?;
        let session = Session {
            header,
            samples: Vec::new(),
            checks: Vec::new(),
            failures: Vec::new(),
            turns,
            file,
            path,
            synced: Instant::now(),
            _lock: lock,
        };
        Ok((session, found))
    }

    /// Saves a sample.
    pub fn add_sample(&mut self, sample: Sample) -> Result<(), MeasureError> {
        self.write(&Line::<&Sample, &CheckResult, &FailedRun>::Sample(&sample))?;
        self.samples.push(sample);
        Ok(())
    }

    /// Saves how a check ended.
    pub fn add_check(&mut self, check: CheckResult) -> Result<(), MeasureError> {
        self.write(&Line::<&Sample, &CheckResult, &FailedRun>::Check(&check))?;
        self.checks.push(check);
        Ok(())
    }

    /// Saves a run that failed.
    pub fn add_failure(&mut self, failure: FailedRun) -> Result<(), MeasureError> {
        self.write(&Line::<&Sample, &CheckResult, &FailedRun>::Failure(&failure))?;
        self.failures.push(failure);
        Ok(())
    }

    /// How many rounds have a sample of every side that runs in them.
    pub fn complete_rounds(&self) -> usize {
        self.complete().count()
    }

    fn sides_in(&self, round: usize) -> usize {
        match self.turns.len() {
            0 => self.header.sides.len(),
            turns => self.turns[round % turns],
        }
    }

    /// Whether every side that runs in a round was sampled there.
    pub fn whole(&self, round: usize) -> bool {
        let taken = self.samples.iter().rev().skip_while(|s| s.round > round).take_while(|s| s.round == round);
        taken.count() == self.sides_in(round)
    }

    /// The rounds that have a sample of every side that runs in them, in order.
    pub fn complete(&self) -> impl Iterator<Item = usize> {
        let mut present: BTreeMap<usize, usize> = BTreeMap::new();
        for sample in &self.samples {
            *present.entry(sample.round).or_default() += 1;
        }
        present.into_iter().filter(|&(round, n)| n == self.sides_in(round)).map(|(round, _)| round)
    }

    /// Whether a side has had its run in a round.
    pub fn has(&self, round: usize, side: usize) -> bool {
        self.samples.iter().rev().any(|s| s.round == round && s.side == side)
            || self.failures.iter().any(|f| f.round == round && f.side == side)
    }

    /// The runs of a side.
    pub fn runs(&self, side: usize) -> Runs {
        super::runs(&self.samples, &self.failures, side)
    }

    /// How many runs of a side failed since the last that did not.
    pub fn failed_in_a_row(&self, side: usize) -> usize {
        let last = self.samples.iter().rev().find(|s| s.side == side).map(|s| s.round);
        self.failures.iter().filter(|f| f.side == side && last.is_none_or(|last| f.round > last)).count()
    }

    fn write(&mut self, line: &impl Serialize) -> Result<(), MeasureError> {
        let sync = self.synced.elapsed() >= SYNC_AFTER;
        write_line(&mut self.file, line, sync).map_err(|source| trouble(&self.path, source))?;
        if sync {
            self.synced = Instant::now();
        }
        Ok(())
    }
}

/// Removes the session of a key: its record has been written.
pub fn finish(repo: &Repo, key: &str) -> Result<(), MeasureError> {
    let path = file_of(repo, key)?;
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(trouble(&path, error)),
        _ => Ok(()),
    }
}

/// What an interrupted session has taken.
#[derive(Debug, Default)]
pub struct Unfinished {
    /// How many samples, of all sides together.
    pub samples: usize,
    /// The metrics that it measures.
    pub metrics: Vec<String>,
}

/// What is saved for a key; nothing when it cannot be read.
pub fn saved(repo: &Repo, key: &str) -> Result<Unfinished, MeasureError> {
    let path = file_of(repo, key)?;
    let read = read(&path).map_err(|source| trouble(&path, source))?;
    let unfinished = |saved: Saved| Unfinished { samples: saved.samples.len(), metrics: saved.header.metrics };
    Ok(read.and_then(Result::ok).map(unfinished).unwrap_or_default())
}

/// A key as a file name: letters, digits, `-` and `_` stay, all other bytes become `%xx`.
pub(super) fn file_name(key: &str) -> String {
    let mut name = String::new();
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(byte as char),
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    if name.len() > 150 {
        name.truncate(100);
        name.push('%');
        name.push_str(&sha256(key)[..16]);
    }
    name
}

fn file_of(repo: &Repo, key: &str) -> Result<PathBuf, MeasureError> {
    let dir = repo.verdict_dir()?.join("sessions");
    std::fs::create_dir_all(&dir).map_err(|source| trouble(&dir, source))?;
    Ok(dir.join(format!("{}.jsonl", file_name(key))))
}

fn trouble(path: &Path, source: io::Error) -> MeasureError {
    MeasureError::Io { path: path.display().to_string(), source }
}

/// Hidden checks and, where there is no text that could be compared, all that is run: how that is written here may differ in the
/// next version, which has to know a session of this one again.
fn work_hash(plan: &Plan) -> String {
    let hidden = plan.hidden.as_ref().filter(|_| plan.checks).map(|hidden| &hidden.digest);
    let mut text = format!("{:?}", (plan.checks, hidden));
    if plan.config.hash.is_empty() {
        let metrics: Vec<_> = plan.metrics().map(|m| (&m.name, &m.source, &m.unit)).collect();
        text.push_str(&format!("{:?}", (&plan.config.steps, metrics, &plan.config.checks)));
    }
    sha256(text)
}

/// What keeps a saved session from going on as this one.
fn difference(saved: &Header, now: &Header) -> Option<Phrase> {
    let commits = |header: &Header| header.sides.iter().map(|s| (s.name.clone(), s.commit.clone())).collect::<Vec<_>>();
    if commits(saved) != commits(now) {
        return Some("it measured other commits".into());
    }
    if saved.metrics != now.metrics {
        return Some("it measured other metrics".into());
    }
    if saved.config_hash != now.config_hash || saved.work_hash != now.work_hash {
        return Some("the configuration has changed since".into());
    }
    if saved.reused != now.reused {
        return Some("it began with other readings of the base".into());
    }
    // Sizes do not depend on the machine, but a session is one or the other whole.
    let reasons = super::environment::comparable(&saved.environment, &now.environment).err()?;
    let reasons = Phrase::joined(reasons, "; ");
    Some(phrase!("it ran on another machine, or on this one set up differently ({reasons})", reasons))
}

struct Saved {
    header: Header,
    samples: Vec<Sample>,
    checks: Vec<CheckResult>,
    failures: Vec<FailedRun>,
    /// Bytes up to the end of the last whole line.
    length: u64,
}

/// Reads a session file; the inner error says why it cannot be used.
fn read(path: &Path) -> io::Result<Option<Result<Saved, Phrase>>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(parse(&bytes)))
}

fn parse(bytes: &[u8]) -> Result<Saved, Phrase> {
    let length = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
    let mut lines = bytes[..length].split_inclusive(|&b| b == b'\n').enumerate();
    let Some((_, first)) = lines.next() else { return Err("it has no first line".into()) };
    let head: serde_json::Value = serde_json::from_slice(first)
        .map_err(|e| phrase!("line {line} cannot be read: {error}", line = 1, error = e))?;
    if head["session"] != FORMAT {
        return Err(phrase!(
            "it is of format {found}, not {wanted}",
            found = head["session"].to_string(),
            wanted = FORMAT
        ));
    }
    let header: Header = serde_json::from_value(head)
        .map_err(|e| phrase!("line {line} cannot be read: {error}", line = 1, error = e))?;
    let mut saved =
        Saved { header, samples: Vec::new(), checks: Vec::new(), failures: Vec::new(), length: length as u64 };
    for (i, line) in lines {
        let bad = |what: &str| phrase!("line {line} cannot be read: {error}", line = i + 1, error = Phrase::from(what));
        let value: serde_json::Value = serde_json::from_slice(line).map_err(|e| bad(&e.to_string()))?;
        if !["sample", "check", "failure"].iter().any(|kind| value.get(kind).is_some()) {
            continue;
        }
        match serde_json::from_value(value).map_err(|e| bad(&e.to_string()))? {
            Line::Sample::<Sample, CheckResult, FailedRun>(sample) => {
                if saved.samples.last().is_some_and(|s| s.round > sample.round)
                    || saved.samples.iter().any(|s| s.round == sample.round && s.side == sample.side)
                {
                    return Err(bad("out of order"));
                }
                if sample.side >= saved.header.sides.len() {
                    return Err(bad("no such side"));
                }
                saved.samples.push(sample);
            }
            Line::Check(check) => saved.checks.push(check),
            Line::Failure(failure) if failure.side >= saved.header.sides.len() => return Err(bad("no such side")),
            Line::Failure(failure) => saved.failures.push(failure),
        }
    }
    Ok(saved)
}

/// The saved session that goes on as this one, and the one that is set aside. What was set aside before takes its place
/// again when it fits and the other does not.
fn found(path: &Path, now: &Header) -> io::Result<(Option<Saved>, Option<Aside>)> {
    let (why, whole) = match read(path)? {
        Some(Ok(saved)) => match difference(&saved.header, now) {
            None => return Ok((Some(saved), None)),
            Some(why) => (Some(why), true),
        },
        Some(Err(why)) => (Some(why), false),
        None => (None, false),
    };
    let stale = path.with_extension("stale.jsonl");
    // What cannot be read is in nobody's way there.
    let fits =
        read(&stale).ok().flatten().and_then(Result::ok).filter(|saved| difference(&saved.header, now).is_none());
    let spare = path.with_extension("spare.jsonl");
    if fits.is_some() {
        std::fs::rename(&stale, &spare)?;
    }
    let aside = why.map(|why| std::fs::rename(path, &stale).map(|()| Aside { why, path: stale, whole })).transpose()?;
    if fits.is_some() {
        std::fs::rename(&spare, path)?;
    }
    Ok((fits, aside))
}

fn reopen(path: &Path, length: u64) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.set_len(length)?;
    file.seek(SeekFrom::End(0))?;
    Ok(file)
}

fn create(path: &Path, header: &Header) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    write_line(&mut file, header, true)?;
    Ok(file)
}

fn write_line(file: &mut File, line: &impl Serialize, sync: bool) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    file.write_all(&text)?;
    if sync { file.sync_data() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::Oid;
    use std::collections::BTreeMap;

    fn header() -> Header {
        let id = Oid::parse(&"b".repeat(40)).unwrap();
        let side = |name: &str| Side { name: name.into(), commit: id.clone(), tree: id.clone() };
        Header {
            reused: None,
            session: FORMAT,
            id: Ulid::new(),
            key: "k".into(),
            sides: vec![side("base"), side("candidate")],
            seed: 7,
            config_hash: "c".into(),
            work_hash: "w".into(),
            metrics: vec!["time".into()],
            environment: Environment::default(),
        }
    }

    fn sample(round: usize, side: usize) -> Sample {
        Sample { round, place: side, side, at: 1.5, values: BTreeMap::from([("time".to_string(), 0.1 + 0.2)]) }
    }

    fn text(samples: &[Sample]) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let mut file = create(&path, &header()).unwrap();
        for sample in samples {
            write_line(&mut file, &Line::<&Sample, &CheckResult, &FailedRun>::Sample(sample), false).unwrap();
        }
        std::fs::read(path).unwrap()
    }

    #[test]
    fn samples_come_back_as_they_were_saved() {
        let samples = [sample(0, 1), sample(0, 0), sample(1, 0)];
        let saved = parse(&text(&samples)).unwrap();
        assert_eq!(saved.samples, samples);
        assert_eq!(saved.header.seed, 7);
    }

    #[test]
    fn a_last_line_cut_at_any_byte_is_dropped_and_nothing_else() {
        let whole = text(&[sample(0, 1), sample(0, 0)]);
        let one = text(&[sample(0, 1)]).len();
        for cut in one..whole.len() {
            let saved = parse(&whole[..cut]).unwrap();
            assert_eq!(saved.samples, [sample(0, 1)], "cut at {cut}");
            assert_eq!(saved.length as usize, one);
        }
    }

    #[test]
    fn a_damaged_line_in_the_middle_is_not_passed_over() {
        let mut bytes = text(&[sample(0, 1), sample(0, 0)]);
        let at = text(&[]).len() + 3;
        bytes[at] = b'\0';
        assert!(parse(&bytes).is_err_and(|why| why.starts_with("line 2 cannot be read")));
        let mut twice = text(&[sample(0, 1)]);
        let line = twice[text(&[]).len()..].to_vec();
        twice.extend(line);
        assert!(parse(&twice).is_err_and(|why| why == "line 3 cannot be read: out of order"));
        assert!(parse(b"").is_err());
    }

    #[test]
    fn a_kind_of_line_from_a_later_version_is_left_out() {
        let mut bytes = text(&[sample(0, 1)]);
        bytes.extend(b"{\"failed\":{\"round\":0}}\n");
        assert_eq!(parse(&bytes).unwrap().samples.len(), 1);
    }

    #[test]
    fn a_session_goes_on_only_for_the_same_work_on_the_same_machine() {
        let saved = header();
        let mut now = Header { id: Ulid::new(), seed: 8, ..header() };
        assert_eq!(difference(&saved, &now), None);
        now.sides[1].commit = Oid::parse(&"c".repeat(40)).unwrap();
        assert_eq!(difference(&saved, &now).unwrap(), "it measured other commits");
        let now = Header { metrics: vec![], ..header() };
        assert_eq!(difference(&saved, &now).unwrap(), "it measured other metrics");
        let now = Header { config_hash: "d".into(), ..header() };
        assert_eq!(difference(&saved, &now).unwrap(), "the configuration has changed since");
        let now = Header { environment: Environment { cores: 9, ..Environment::default() }, ..header() };
        assert!(difference(&saved, &now).is_some_and(|why| why.starts_with("it ran on another machine")));
    }

    #[test]
    fn any_key_makes_a_plain_file_name() {
        assert_eq!(file_name("multi-stage"), "multi-stage");
        assert_eq!(file_name("../a b"), "%2e%2e%2fa%20b");
        assert_eq!(file_name(".x"), "%2ex");
        assert!(file_name(&"é".repeat(500)).len() < 160);
        assert_ne!(file_name(&format!("{}1", "a".repeat(300))), file_name(&format!("{}2", "a".repeat(300))));
    }
}
