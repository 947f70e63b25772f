//! Which commit of a range brought a regression.
//!
//! [`Search`] first measures both ends against each other ([`Search::ends`]). Then it asks git which commit halves what is
//! left ([`Search::next_commit`]) and says on whose side that one is ([`Search::probe`]): an exact metric is read once and compared
//! with the middle between both ends; all others are measured in rounds of good end, bad end and probe, until
//! [`crate::stats::levels`] is sure. The chance of a wrong answer is shared: half for the ends, half for all probes
//! together. Nothing but worktrees under the git directory is written, and the samples of each session are kept until
//! [`Search::finish`], so that the same search goes on where it was interrupted.

use crate::config::{Better, Config, Matters, Metric};
use crate::digest::sha256;
use crate::error::{Exit, Explain};
use crate::git::{GitError, Oid, Repo};
use crate::measure::{self, Event, MeasureError, Measurement, Next, Plan, Sample, Side, session};
use crate::phrase;
use crate::phrase::Phrase;
use crate::policy::MetricComparison;
use crate::policy::compare;
use crate::stats::levels::{self, Place, Trio};
use crate::stats::{self, Criticals, Look, Looks, Scale, Word};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What all looks of a session spend together ([`Looks::alpha`]).
const ALL_LOOKS: f64 = 0.047;

/// A probe is called after so many rounds at the earliest: one reading alone may be a hiccup of the machine.
const FEWEST_ROUNDS: usize = 2;

/// What is looked for, and how.
#[derive(Debug, Clone)]
pub struct Job {
    /// The end that is known to be good.
    pub good: Oid,
    /// The end that is known to be bad.
    pub bad: Oid,
    /// Steps and metrics.
    pub config: Config,
    /// The metric that tells good from bad.
    pub metric: Metric,
    /// The chance that the answer may be wrong, above 0 and below 1/2.
    pub error: f64,
    /// At most so many rounds for the ends, and for each probe.
    pub most: usize,
    /// Seed of the order within rounds.
    pub seed: u64,
    /// Whether to follow first parents only.
    pub first_parent: bool,
}

/// On whose side a commit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// On that of the good end.
    Good,
    /// On that of the bad end.
    Bad,
    /// It cannot be measured.
    Skipped,
    /// Between both, as far as the rounds can tell.
    Undecided,
}

impl Answer {
    /// The word in texts and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Answer::Good => "good",
            Answer::Bad => "bad",
            Answer::Skipped => "skipped",
            Answer::Undecided => "undecided",
        }
    }
}

/// What was found of one commit.
#[derive(Debug, Clone, Serialize)]
pub struct Probe {
    /// The commit.
    pub commit: Oid,
    /// On whose side it is.
    pub answer: Answer,
    /// Why it could not be measured, or whose tree it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Phrase>,
    /// Complete rounds that were taken; 0 when its tree was known.
    pub rounds: usize,
    /// Runs of all sides that were taken for it.
    pub runs: usize,
    /// The reading of an exact metric.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Change against the good end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relative: Option<f64>,
    /// Its 95 % interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// The chance that the answer is wrong which its rounds leave; none for exact readings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<f64>,
}

/// The size of what the first bad commit did.
#[derive(Debug, Clone, Serialize)]
pub struct Effect {
    /// Against which commit: a parent, or the good end when no parent was measured.
    pub from: Oid,
    /// Of which commit: the first bad one, or the bad end.
    pub to: Oid,
    /// Relative change; none when the good end reads zero.
    pub relative: Option<f64>,
    /// Its 95 % interval; none when exact.
    pub interval: Option<[f64; 2]>,
}

/// A search in progress.
#[derive(Debug)]
pub struct Search<'r> {
    repo: &'r Repo,
    /// What is looked for.
    pub job: Job,
    /// Every commit that was looked at, in order.
    pub probes: Vec<Probe>,
    /// Runs taken in all.
    pub runs: usize,
    /// The readings of both ends, when the metric is exact.
    exact: Option<(f64, f64)>,
    /// Every round, of all sessions.
    rounds: Vec<Trio>,
    /// The rounds of each probe, or its exact reading.
    taken: BTreeMap<Oid, Vec<Trio>>,
    readings: BTreeMap<Oid, f64>,
    trees: BTreeMap<Oid, (Oid, Answer)>,
    goods: Vec<Oid>,
    bad: Oid,
    /// Common ancestors that have to be good for the range to make sense.
    bases: Vec<Oid>,
    left: Vec<Oid>,
    error_left: f64,
    skipped: BTreeSet<Oid>,
    keys: Vec<String>,
}

impl<'r> Search<'r> {
    /// A search; refused when the ends are no range.
    pub fn new(repo: &'r Repo, job: Job) -> Result<Search<'r>, BisectError> {
        if job.good == job.bad {
            return Err(BisectError::Same);
        }
        if repo.is_ancestor(&job.bad, &job.good)? {
            return Err(BisectError::Swapped);
        }
        let mut bases = Vec::new();
        if !repo.is_ancestor(&job.good, &job.bad)? {
            let found = repo.run_git().args(["merge-base", "--all", job.good.as_str(), job.bad.as_str()]).output()?;
            bases = oids(&String::from_utf8_lossy(&found.stdout));
            if bases.is_empty() {
                return Err(BisectError::Unrelated);
            }
        }
        let tree = |commit: &Oid, answer| -> Result<(Oid, (Oid, Answer)), GitError> {
            Ok((repo.commit(commit)?.tree, (commit.clone(), answer)))
        };
        let trees = BTreeMap::from([tree(&job.good, Answer::Good)?, tree(&job.bad, Answer::Bad)?]);
        if trees.len() == 1 {
            return Err(BisectError::SameTree);
        }
        let mut search = Search {
            repo,
            probes: Vec::new(),
            runs: 0,
            exact: None,
            rounds: Vec::new(),
            taken: BTreeMap::new(),
            readings: BTreeMap::new(),
            trees,
            goods: vec![job.good.clone()],
            bad: job.bad.clone(),
            bases,
            left: Vec::new(),
            error_left: job.error / 2.0,
            skipped: BTreeSet::new(),
            keys: Vec::new(),
            job,
        };
        search.left = search.narrow()?;
        Ok(search)
    }

    /// The commits that may be the first bad one, best to probe first; the last known bad one is among them.
    pub fn left(&self) -> &[Oid] {
        &self.left
    }

    /// The newest commit that is known to be bad and has no other such commit before it.
    pub fn bad(&self) -> &Oid {
        &self.bad
    }

    /// Whether both ends read the same every time, so that one reading of a commit is enough.
    pub fn is_exact(&self) -> bool {
        self.exact.is_some()
    }

    /// How many probes what is left takes at least.
    pub fn probes_left(&self) -> usize {
        self.bases.len() + halvings(self.left.len())
    }

    /// Measures both ends against each other. The word is that of the bad end; only `regressed` makes a search.
    pub fn ends(&mut self, observe: &mut dyn FnMut(Event<'_>)) -> Result<MetricComparison, BisectError> {
        let sides = vec![self.side("good", &self.job.good)?, self.side("bad", &self.job.bad)?];
        let key = self.key(None);
        let plan = self.plan(key, sides, self.job.most);
        let Job { metric, error, most, .. } = &self.job;
        let looks = Looks::up_to(Some(*most));
        let family = (ALL_LOOKS / (error / 2.0)).ceil().max(1.0) as usize;
        let mut criticals = Criticals::default();
        let mut found: Option<Look> = None;
        let mut rule = |samples: &[Sample]| {
            let pairs = measure::pairs(samples, &metric.name, 0, 1);
            let done = pairs.len();
            if compare::exact(metric, &pairs) {
                return if done >= 2 { Next::Stop } else { Next::More { rounds: 1, expected: 2 } };
            }
            if looks.points().contains(&done) {
                let alpha = Looks::alpha(done, family);
                found = stats::look(&pairs, metric.matters, metric.better, alpha, &mut criticals).ok();
                if found.as_ref().is_some_and(|look| word(look, metric.better) != Word::Inconclusive) {
                    return Next::Stop;
                }
            }
            match looks.next(done) {
                Some(next) => Next::More { rounds: next - done, expected: next - done },
                None => Next::Stop,
            }
        };
        let taken = measure::run(self.repo, &plan, &mut rule, observe)?;
        let pairs = taken.pairs(&metric.name, 0, 1);
        let row = if compare::exact(metric, &pairs) && pairs.len() >= 2 {
            let (good, bad) = pairs[0];
            self.exact = Some((good, bad));
            let row = compare::rows(&plan.config, &taken, 0, 1).into_iter().find(|row| row.metric == metric.name);
            // Here every step up is one to look for, however small.
            row.map(|row| MetricComparison {
                word: compare::exact_word(good, bad, Matters::Absolute(0.0), metric.better),
                ..row
            })
        } else {
            if found.as_ref().is_none_or(|look| look.pairs != pairs.len()) {
                let alpha = Looks::alpha(pairs.len(), family);
                found = stats::look(&pairs, metric.matters, metric.better, alpha, &mut criticals).ok();
            }
            found.map(|look| {
                let word = word(&look, metric.better);
                MetricComparison { word, ..compare::sampled_row(metric, &look) }
            })
        };
        self.count(&taken);
        self.rounds.extend(pairs.iter().filter(finite).map(|&(good, bad)| Trio { good, bad, probe: None }));
        row.ok_or_else(|| BisectError::NoReading(self.job.metric.name.clone()))
    }

    /// What is known of a commit by its tree alone.
    pub fn known(&self, commit: &Oid) -> Result<Option<Probe>, BisectError> {
        let found = self.trees.get(&self.repo.commit(commit)?.tree);
        Ok(found.map(|(same, answer)| {
            let why = Some(phrase!("it has the tree of {commit}", commit = same.short()));
            Probe { why, ..Probe::unmeasured(commit.clone(), *answer) }
        }))
    }

    /// The commit to look at next; none when the search is over. Commits with a tree that is known are answered at once.
    pub fn next_commit(&mut self) -> Result<Option<Oid>, BisectError> {
        loop {
            let commit = match self.bases.iter().find(|base| !self.skipped.contains(*base)) {
                Some(base) => base.clone(),
                None => {
                    let open = |commit: &&Oid| **commit != self.bad && !self.skipped.contains(*commit);
                    match self.left.iter().find(open) {
                        Some(commit) => commit.clone(),
                        None => return Ok(None),
                    }
                }
            };
            match self.known(&commit)? {
                Some(known) => self.note(known, 0.0)?,
                None => return Ok(Some(commit)),
            }
        }
    }

    /// Finds out on whose side a commit is. A side of the ends that fails is an error; a probe that fails is skipped.
    pub fn probe(&mut self, commit: &Oid, observe: &mut dyn FnMut(Event<'_>)) -> Result<&Probe, BisectError> {
        let share = self.error_left / self.probes_left().max(1) as f64;
        let key = self.key(Some(commit));
        let before = self.runs;
        let found = match self.exact {
            Some(ends) => self.read(commit, key.clone(), ends, observe),
            None => self.test(commit, key.clone(), share, observe),
        };
        let (probe, spent) = match found {
            Ok(probe) => (probe, if self.exact.is_some() { 0.0 } else { share }),
            Err(MeasureError::Step { side, what, outcome, .. }) if side == PROBE => {
                (Probe::skipped(commit, phrase!("{what} failed: {outcome}", what, outcome)), 0.0)
            }
            Err(MeasureError::Metric { side, metric, problem }) if side == PROBE => {
                (Probe::skipped(commit, phrase!("metric '{metric}': {problem}", metric, problem)), 0.0)
            }
            Err(MeasureError::Flaky { side, failed, all, .. }) if side == PROBE => {
                (Probe::skipped(commit, phrase!("{failed} of {all} runs failed", failed, all)), 0.0)
            }
            Err(other) => return Err(other.into()),
        };
        let spent = if matches!(probe.answer, Answer::Good | Answer::Bad) { spent } else { 0.0 };
        if probe.answer == Answer::Skipped {
            self.runs += session::saved(self.repo, &key)?.samples + 1;
        }
        let runs = self.runs - before;
        self.note(Probe { runs, ..probe }, spent)?;
        Ok(self.probes.last().expect("it was noted just now"))
    }

    /// What the first bad commit did to the metric.
    pub fn effect(&self) -> Result<Option<Effect>, BisectError> {
        let parents = self.repo.commit(&self.bad)?.parents;
        let known = |commit: &&Oid| {
            **commit == self.job.good || self.taken.contains_key(*commit) || self.readings.contains_key(*commit)
        };
        let known_bad = known(&&self.bad) || self.bad == self.job.bad;
        let (from, to) = match parents.iter().find(known).filter(|_| known_bad) {
            Some(parent) => (parent.clone(), self.bad.clone()),
            None => (self.job.good.clone(), self.job.bad.clone()),
        };
        if let Some((good, bad)) = self.exact {
            let reading = |commit: &Oid| match commit {
                commit if *commit == self.job.good => Some(good),
                commit if *commit == self.job.bad => Some(bad),
                commit => self.readings.get(commit).copied(),
            };
            let Some((before, after)) = reading(&from).zip(reading(&to)) else { return Ok(None) };
            let relative = compare::relative(before, after);
            return Ok(Some(Effect { from, to, relative, interval: None }));
        }
        let scale = levels::scale(&self.everything());
        let all = levels::contrasts(&self.rounds, scale);
        let place = |commit: &Oid| match commit {
            commit if *commit == self.job.good => Place::end(&all.steps, -1.0),
            commit if *commit == self.job.bad => Place::end(&all.steps, 1.0),
            commit => Place::probe(&levels::contrasts(self.taken.get(commit)?, scale).probes),
        };
        let both = from == self.job.good && to == self.job.bad;
        let change = place(&from).zip(place(&to)).and_then(|(a, b)| levels::change(a, b, both, &all));
        Ok(change.map(|(estimate, [low, high])| {
            let [estimate, low, high] = [estimate, low, high].map(|value| self.relative(value, scale));
            Effect { from, to, relative: estimate, interval: low.zip(high).map(|(low, high)| [low, high]) }
        }))
    }

    /// Removes the sessions: the answer has been told. Logs of commits that were skipped stay.
    pub fn finish(&self) -> Result<(), BisectError> {
        let logs = self.repo.verdict_dir()?.join("logs");
        let kept: Vec<String> = self.skipped.iter().map(|commit| self.name(Some(commit))).collect();
        for key in &self.keys {
            session::finish(self.repo, key)?;
            if !kept.contains(key) {
                // What cannot be removed is in nobody's way.
                let _ = std::fs::remove_dir_all(logs.join(key));
            }
        }
        Ok(())
    }

    /// Every round, with the probes of all.
    fn everything(&self) -> Vec<Trio> {
        self.rounds.iter().chain(self.taken.values().flatten()).copied().collect()
    }

    /// A change on a scale as a relative one.
    fn relative(&self, value: f64, scale: Scale) -> Option<f64> {
        let goods: Vec<f64> = self.rounds.iter().map(|t| t.good).collect();
        let relative = match scale {
            Scale::LogRatio => value,
            Scale::Difference => value / stats::median(&goods).filter(|base| *base != 0.0)?.abs(),
        };
        relative.is_finite().then_some(relative)
    }

    fn side(&self, name: &str, commit: &Oid) -> Result<Side, BisectError> {
        Ok(Side { name: name.into(), commit: commit.clone(), tree: self.repo.commit(commit)?.tree })
    }

    fn name(&self, probe: Option<&Oid>) -> String {
        let Job { good, bad, metric, .. } = &self.job;
        let search = &sha256(format!("{good} {bad} {}", metric.name))[..16];
        probe.map_or_else(|| format!("bisect-{search}"), |probe| format!("bisect-{search}-{}", probe.short()))
    }

    fn key(&mut self, probe: Option<&Oid>) -> String {
        let key = self.name(probe);
        self.keys.push(key.clone());
        key
    }

    fn plan(&self, key: String, sides: Vec<Side>, most: usize) -> Plan {
        Plan {
            key,
            sides,
            config: self.job.config.clone(),
            only: vec![self.job.metric.name.clone()],
            max_rounds: Some(most),
            budget: None,
            seed: self.job.seed,
            checks: false,
            hidden: None,
            origins: false,
        }
    }

    fn count(&mut self, taken: &Measurement) {
        self.runs += taken.samples.len() + taken.failures.len();
    }

    /// Reads an exact metric once.
    fn read(
        &mut self,
        commit: &Oid,
        key: String,
        (good, bad): (f64, f64),
        observe: &mut dyn FnMut(Event<'_>),
    ) -> Result<Probe, MeasureError> {
        let side = Side { name: PROBE.into(), commit: commit.clone(), tree: self.repo.commit(commit)?.tree };
        let plan = self.plan(key, vec![side], 1);
        let taken = measure::run(self.repo, &plan, &mut |_| Next::Stop, observe)?;
        self.count(&taken);
        let name = &self.job.metric.name;
        let value = taken.samples.first().and_then(|sample| sample.values.get(name)).copied().unwrap_or(f64::NAN);
        let middle = good / 2.0 + bad / 2.0;
        let answer = if (value - middle) * (bad - good) >= 0.0 { Answer::Bad } else { Answer::Good };
        self.readings.insert(commit.clone(), value);
        let relative = compare::relative(good, value);
        Ok(Probe { rounds: 1, value: Some(value), relative, ..Probe::unmeasured(commit.clone(), answer) })
    }

    /// Measures good end, bad end and probe in rounds until a side is believed with a chance of `error` to be wrong.
    fn test(
        &mut self,
        commit: &Oid,
        key: String,
        error: f64,
        observe: &mut dyn FnMut(Event<'_>),
    ) -> Result<Probe, MeasureError> {
        let side = |name: &str, commit: &Oid| -> Result<Side, GitError> {
            Ok(Side { name: name.into(), commit: commit.clone(), tree: self.repo.commit(commit)?.tree })
        };
        let sides = vec![side("good", &self.job.good)?, side("bad", &self.job.bad)?, side(PROBE, commit)?];
        let plan = self.plan(key, sides, self.job.most);
        let (name, enough, most) = (self.job.metric.name.clone(), levels::threshold(error), self.job.most);
        let before = self.rounds.clone();
        let odds = |own: &[Trio]| {
            let all: Vec<Trio> = before.iter().chain(own).copied().collect();
            levels::contrasts(&all, levels::scale(&all)).log_odds()
        };
        let sure = |rounds: usize, odds: f64| rounds >= FEWEST_ROUNDS && odds.abs() >= enough;
        let mut rule = |samples: &[Sample]| {
            let own = trios(samples, &name);
            let odds = odds(&own);
            if sure(own.len(), odds) || own.len() >= most {
                return Next::Stop;
            }
            let rest = own.len() as f64 * (enough / odds.abs().max(0.1) - 1.0);
            let rest = if own.is_empty() { FEWEST_ROUNDS } else { rest.ceil().max(1.0) as usize };
            Next::More { rounds: 1, expected: rest.min(most - own.len()) }
        };
        let taken = measure::run(self.repo, &plan, &mut rule, observe)?;
        self.count(&taken);
        let own = trios(&taken.samples, &self.job.metric.name);
        let odds = odds(&own);
        let answer = match odds {
            odds if !sure(own.len(), odds) => Answer::Undecided,
            odds if odds > 0.0 => Answer::Bad,
            _ => Answer::Good,
        };
        self.rounds.extend(own.iter().map(|trio| Trio { probe: None, ..*trio }));
        self.taken.insert(commit.clone(), own.clone());
        let scale = levels::scale(&self.everything());
        let (all, here) = (levels::contrasts(&self.rounds, scale), levels::contrasts(&own, scale));
        let places = Place::end(&here.steps, -1.0).zip(Place::probe(&here.probes));
        let change = places.and_then(|(good, probe)| levels::change(good, probe, false, &all));
        let interval = change.and_then(|(_, [low, high])| self.relative(low, scale).zip(self.relative(high, scale)));
        Ok(Probe {
            rounds: own.len(),
            relative: change.and_then(|(estimate, _)| self.relative(estimate, scale)),
            interval: interval.map(|(low, high)| [low, high]),
            doubt: Some(1.0 / (1.0 + odds.abs().exp())),
            ..Probe::unmeasured(commit.clone(), answer)
        })
    }

    /// Takes an answer in: what is left becomes less, or the commit is passed over.
    fn note(&mut self, probe: Probe, spent: f64) -> Result<(), BisectError> {
        let commit = probe.commit.clone();
        let of_base = self.bases.contains(&commit);
        self.bases.retain(|base| *base != commit);
        let tree = self.repo.commit(&commit)?.tree;
        match probe.answer {
            Answer::Good | Answer::Bad => {
                self.trees.entry(tree).or_insert((commit.clone(), probe.answer));
                self.error_left -= spent;
                if probe.answer == Answer::Good {
                    self.goods.push(commit.clone());
                } else {
                    self.bad = commit.clone();
                }
                self.left = self.narrow()?;
            }
            Answer::Skipped | Answer::Undecided => {
                self.skipped.insert(commit.clone());
            }
        }
        let mended = of_base && probe.answer == Answer::Bad;
        self.probes.push(probe);
        if mended { Err(BisectError::Mended(commit)) } else { Ok(()) }
    }

    /// What git says may be the first bad commit, those that halve it best first.
    fn narrow(&self) -> Result<Vec<Oid>, GitError> {
        let first_parent = self.job.first_parent.then_some("--first-parent");
        let git = self.repo.run_git().args(["rev-list", "--bisect-all"]).args(first_parent).arg(self.bad.as_str());
        Ok(oids(&git.arg("--not").args(self.goods.iter().map(Oid::as_str)).run()?))
    }
}

/// The name of the side that is looked at.
const PROBE: &str = "probe";

impl Probe {
    fn unmeasured(commit: Oid, answer: Answer) -> Probe {
        Probe {
            commit,
            answer,
            why: None,
            rounds: 0,
            runs: 0,
            value: None,
            relative: None,
            interval: None,
            doubt: None,
        }
    }

    fn skipped(commit: &Oid, why: Phrase) -> Probe {
        Probe { why: Some(why), ..Probe::unmeasured(commit.clone(), Answer::Skipped) }
    }
}

/// How often so many commits can be halved until one is left.
fn halvings(commits: usize) -> usize {
    commits.max(1).next_power_of_two().trailing_zeros() as usize
}

/// The first word of each line, where it is an id.
fn oids(text: &str) -> Vec<Oid> {
    text.lines().filter_map(|line| Oid::parse(line.split(' ').next()?)).collect()
}

fn finite(pair: &&(f64, f64)) -> bool {
    pair.0.is_finite() && pair.1.is_finite()
}

/// The complete rounds of good end, bad end and probe.
fn trios(samples: &[Sample], metric: &str) -> Vec<Trio> {
    let mut rounds: BTreeMap<usize, [Option<f64>; 3]> = BTreeMap::new();
    for sample in samples {
        let value = sample.values.get(metric).copied().filter(|value| value.is_finite());
        rounds.entry(sample.round).or_default()[sample.side.min(2)] = value;
    }
    let whole = |[good, bad, probe]: [Option<f64>; 3]| Some(Trio { good: good?, bad: bad?, probe: Some(probe?) });
    rounds.into_values().filter_map(whole).collect()
}

/// What a look says of the bad end: regressed as soon as its interval is wholly on the worse side of zero, and no difference
/// as soon as it excludes a loss that matters.
fn word(look: &Look, better: Better) -> Word {
    let Some([low, high]) = look.interval else { return Word::Inconclusive };
    let (worst, least, margin) = match better {
        Better::Lower => (high, low, look.margin[1]),
        Better::Higher => (-low, -high, -look.margin[0]),
    };
    match () {
        () if least > 0.0 => Word::Regressed,
        () if worst < 0.0 => Word::Improved,
        () if worst < margin || (low == 0.0 && high == 0.0) => Word::Unchanged,
        () => Word::Inconclusive,
    }
}

/// Why a search cannot be made or goes no further.
#[derive(Debug, thiserror::Error)]
pub enum BisectError {
    /// Both ends are one commit.
    Same,
    /// Both ends have one tree.
    SameTree,
    /// The bad end is an ancestor of the good one.
    Swapped,
    /// The ends have no common ancestor.
    Unrelated,
    /// A common ancestor of both ends is bad: what is between it and the good end has mended it.
    Mended(Oid),
    /// The metric gave no reading on both ends in one round.
    NoReading(String),
    /// Measuring failed.
    Measure(#[from] MeasureError),
    /// git failed.
    Git(#[from] GitError),
}

crate::error::display_what!(BisectError);

impl Explain for BisectError {
    fn exit(&self) -> Exit {
        match self {
            BisectError::Same | BisectError::SameTree | BisectError::Swapped | BisectError::Unrelated => Exit::Usage,
            BisectError::Mended(_) => Exit::No,
            BisectError::NoReading(_) => Exit::Step,
            BisectError::Measure(inner) => inner.exit(),
            BisectError::Git(inner) => inner.exit(),
        }
    }

    fn what(&self) -> Phrase {
        match self {
            BisectError::Same => "good and bad are the same commit".into(),
            BisectError::SameTree => "good and bad have the same files".into(),
            BisectError::Swapped => "bad is an ancestor of good".into(),
            BisectError::Unrelated => "good and bad have no common ancestor".into(),
            BisectError::Mended(commit) => {
                phrase!("{commit}, a common ancestor of good and bad, is bad already", commit = commit.short())
            }
            BisectError::NoReading(metric) => phrase!("no round has a reading of {metric} on both sides", metric),
            BisectError::Measure(inner) => inner.what(),
            BisectError::Git(inner) => inner.what(),
        }
    }

    fn why(&self) -> Option<Phrase> {
        match self {
            BisectError::Mended(_) => {
                Some("no commit between it and bad brought this; one before good took it away".into())
            }
            BisectError::Measure(inner) => inner.why(),
            BisectError::Git(inner) => inner.why(),
            _ => None,
        }
    }

    fn next(&self) -> Option<Phrase> {
        match self {
            BisectError::Swapped => Some("git verdict bisect GOOD BAD: the good commit comes first".into()),
            BisectError::Mended(commit) => Some(phrase!(
                "git verdict bisect OLDER {commit}, with a good commit before it",
                commit = commit.short()
            )),
            BisectError::Measure(MeasureError::Interrupted { .. }) => {
                Some("the same command (goes on where it stopped)".into())
            }
            BisectError::Measure(inner) => inner.next(),
            BisectError::Git(inner) => inner.next(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_takes_as_many_probes_as_the_logarithm_says() {
        for (commits, probes) in [(0, 0), (1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (1000, 10), (1024, 10)] {
            assert_eq!(halvings(commits), probes, "{commits}");
        }
    }

    #[test]
    fn a_round_without_a_reading_of_every_side_is_no_round() {
        let sample = |round, side, value: f64| Sample {
            round,
            place: side,
            side,
            at: 0.0,
            values: BTreeMap::from([("time".to_string(), value)]),
        };
        let samples = [
            sample(0, 0, 1.0),
            sample(0, 1, 2.0),
            sample(0, 2, 3.0),
            sample(1, 0, 1.0),
            sample(1, 2, 3.0),
            sample(2, 0, 1.0),
            sample(2, 1, f64::NAN),
            sample(2, 2, 3.0),
        ];
        assert_eq!(trios(&samples, "time"), [Trio { good: 1.0, bad: 2.0, probe: Some(3.0) }]);
    }
}
