//! Which commit of a range brought a regression.
//!
//! [`Search`] first measures both ends against each other ([`Search::ends`]). Then it asks git which commit halves what is
//! left ([`Search::next_commit`]) and says on whose side that one is ([`Search::probe`]): an exact metric is read once and compared
//! with the middle between both ends; all others are measured in rounds of the probe and one of the ends, in turn. Those rounds need
//! not settle the side of one commit for good: [`suspects`] weighs all of them together, and the search is over when one suspect is
//! likely enough. Until then it goes on with what is left, or comes back to the commit whose side is least certain. The chance
//! of a wrong answer is shared: half for the ends, half for all else. Nothing but worktrees under the git directory is written, and
//! the samples of each session are kept until [`Search::finish`], so that the same search goes on where it was interrupted.

pub mod suspects;

use crate::config::{Better, Config, Matters, Metric};
use crate::digest::sha256;
use crate::error::{Exit, Explain};
use crate::git::{GitError, Oid, Repo};
use crate::measure::{self, Event, MeasureError, Measurement, Next, Plan, Sample, Side, session};
use crate::phrase;
use crate::phrase::Phrase;
use crate::policy::MetricComparison;
use crate::policy::compare;
use crate::stats::levels::{self, Kind, Levels, Pair, Sides, Spot, Wanted};
use crate::stats::{self, Criticals, Look, Looks, Scale, Word};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use suspects::{LIKELY, Probed, Rules, Standing};

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
    /// The runs of each session.
    runs: BTreeMap<String, usize>,
    /// The readings of both ends, when the metric is exact.
    exact: Option<(f64, f64)>,
    /// The rounds of the ends alone.
    ends: Vec<Pair>,
    /// The least step that is looked for ([`Wanted::least`]).
    least: f64,
    /// The rounds of each probe, or its exact reading.
    taken: BTreeMap<Oid, Vec<Pair>>,
    readings: BTreeMap<Oid, f64>,
    /// The commits of each tree that were looked at, the ends first, with what an exact reading or a failure said of it.
    trees: BTreeMap<Oid, (Oid, Answer)>,
    goods: Vec<Oid>,
    bad: Oid,
    /// Common ancestors that have to be good for the range to make sense.
    bases: Vec<Oid>,
    left: Vec<Oid>,
    /// All that may be the first bad commit, as it was at the beginning.
    suspects: Vec<Oid>,
    /// What each commit that was looked at says of them.
    probed: BTreeMap<Oid, Probed>,
    /// Commits that have the tree of another one or of an end.
    same: Vec<(Oid, Oid)>,
    /// The chance that half of the error leaves to each base and to all else.
    share: f64,
    skipped: BTreeSet<Oid>,
    /// Commits that give no more rounds.
    spent: BTreeSet<Oid>,
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
            runs: BTreeMap::new(),
            exact: None,
            ends: Vec::new(),
            least: 0.0,
            taken: BTreeMap::new(),
            readings: BTreeMap::new(),
            trees,
            goods: vec![job.good.clone()],
            bad: job.bad.clone(),
            left: Vec::new(),
            suspects: Vec::new(),
            probed: BTreeMap::new(),
            same: Vec::new(),
            share: job.error / 2.0 / (bases.len() + 1) as f64,
            bases,
            skipped: BTreeSet::new(),
            spent: BTreeSet::new(),
            keys: Vec::new(),
            job,
        };
        search.left = search.narrow()?;
        search.suspects = search.left.clone();
        Ok(search)
    }

    /// Runs taken in all.
    pub fn runs(&self) -> usize {
        self.runs.values().sum()
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
        let rules = Rules { share: error / 2.0, most: *most };
        let (looks, mut criticals) = (Looks::up_to(Some(*most)), Criticals::default());
        let mut word = None;
        let mut rule = |samples: &[Sample]| {
            let pairs = measure::pairs(samples, &metric.name, 0, 1);
            let done = pairs.len();
            if compare::exact(metric, &pairs) {
                return if done >= 2 { Next::Stop } else { Next::More { rounds: 1, expected: 2 } };
            }
            word = said_of_ends(metric, &pairs, rules, &looks, &mut criticals);
            match looks.next(done).filter(|_| word.is_none()) {
                Some(next) => Next::More { rounds: Rules::pace(done).min(next - done), expected: next - done },
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
            // What is shown beside the answer is the plain interval of these pairs.
            let look = stats::look(&pairs, metric.matters, metric.better, *error, &mut criticals).ok();
            look.map(|look| {
                self.least = least(&look, metric.better) / 2.0;
                // The rule is not asked after the last round.
                let word = word.or_else(|| said_of_ends(metric, &pairs, rules, &looks, &mut criticals));
                let word = word.unwrap_or(Word::Inconclusive);
                MetricComparison { word, ..compare::sampled_row(metric, &look) }
            })
        };
        self.count(&plan.key, &taken);
        self.ends = of_ends(&pairs);
        row.ok_or_else(|| BisectError::NoReading(self.job.metric.name.clone()))
    }

    /// What is known of a commit by its tree alone.
    pub fn known(&self, commit: &Oid) -> Result<Option<Probe>, BisectError> {
        let found = self.trees.get(&self.repo.commit(commit)?.tree).filter(|(same, _)| same != commit);
        Ok(found.map(|(same, answer)| {
            let why = Some(phrase!("it has the tree of {commit}", commit = same.short()));
            Probe { why, ..Probe::unmeasured(commit.clone(), *answer) }
        }))
    }

    /// The commit to look at next; none when the search is over. Commits with a tree that is known are answered at once.
    pub fn next_commit(&mut self) -> Result<Option<Oid>, BisectError> {
        loop {
            let Some(commit) = self.wanted() else {
                self.settle()?;
                return Ok(None);
            };
            match self.known(&commit)? {
                Some(known) => self.note(known)?,
                None => return Ok(Some(commit)),
            }
        }
    }

    fn wanted(&self) -> Option<Oid> {
        if let Some(base) = self.bases.iter().find(|base| !self.skipped.contains(*base)) {
            return Some(base.clone());
        }
        let open = |commit: &&Oid| {
            **commit != self.job.bad && !self.skipped.contains(*commit) && !self.probed.contains_key(*commit)
        };
        if self.exact.is_some() {
            return self.left.iter().find(|commit| **commit != self.bad && open(commit)).cloned();
        }
        let chances = self.chances();
        if suspects::likeliest(&chances).1 >= 1.0 - self.share {
            return None;
        }
        let here: f64 =
            self.suspects.iter().zip(&chances).filter(|(one, _)| self.left.contains(one)).map(|(_, c)| c).sum();
        let next = self.left.iter().find(open).filter(|_| here >= 0.5);
        next.cloned().or_else(|| {
            let may = |commit: &Oid| self.taken.contains_key(commit) && !self.spent.contains(commit);
            let again: Vec<(usize, &Probed)> = (0..)
                .zip(&self.probed)
                .filter(|(_, (commit, _))| may(commit))
                .map(|(number, (_, probed))| (number, probed))
                .collect();
            let number = suspects::least_certain(&chances, &again)?;
            self.probed.keys().nth(number).or_else(|| self.left.iter().find(open)).cloned()
        })
    }

    /// Finds out on whose side a commit is, as far as the search wants to know it now. A side of the ends that fails is an error;
    /// a probe that fails is skipped.
    pub fn probe(&mut self, commit: &Oid, observe: &mut dyn FnMut(Event<'_>)) -> Result<Probe, BisectError> {
        let alone = self.bases.contains(commit).then_some(self.share);
        let found = self.look_at(commit, alone, observe)?;
        self.note(found)?;
        let place = self.probes.iter().position(|probe| probe.commit == *commit);
        Ok(self.probes[place.expect("it was noted just now")].clone())
    }

    /// Finds out on whose side a commit is, whatever is known of others, as one of so many that the range takes.
    pub fn judge(&mut self, commit: &Oid, observe: &mut dyn FnMut(Event<'_>)) -> Result<Probe, BisectError> {
        let share = self.job.error / 2.0 / self.probes_left().max(1) as f64;
        self.look_at(commit, Some(share), observe)
    }

    fn look_at(
        &mut self,
        commit: &Oid,
        alone: Option<f64>,
        observe: &mut dyn FnMut(Event<'_>),
    ) -> Result<Probe, BisectError> {
        let key = self.key(Some(commit));
        let found = match self.exact {
            Some(ends) => self.read(commit, key.clone(), ends, observe),
            None => self.test(commit, key.clone(), alone, observe),
        };
        let probe = match found {
            Ok(probe) => probe,
            Err(MeasureError::Step { side, what, outcome, .. }) if side == PROBE => {
                Probe::skipped(commit, phrase!("{what} failed: {outcome}", what, outcome))
            }
            Err(MeasureError::Metric { side, metric, problem }) if side == PROBE => {
                Probe::skipped(commit, phrase!("metric '{metric}': {problem}", metric, problem))
            }
            Err(MeasureError::Flaky { side, failed, all, .. }) if side == PROBE => {
                Probe::skipped(commit, phrase!("{failed} of {all} runs failed", failed, all))
            }
            Err(other) => return Err(other.into()),
        };
        if probe.answer == Answer::Skipped {
            let saved = session::saved(self.repo, &key)?.samples;
            self.runs.insert(key.clone(), saved + 1);
        }
        Ok(Probe { runs: self.runs.get(&key).copied().unwrap_or(0), ..probe })
    }

    /// Removes the session of a commit that was judged for `git bisect run`; all of them when that has found its answer, which is
    /// read from git's own refs.
    pub fn judged(&self, probe: &Probe) -> Result<(), BisectError> {
        let refs = self
            .repo
            .run_git()
            .arg("for-each-ref")
            .args(["--format=%(objectname) %(refname)", "refs/bisect/"])
            .run()?;
        let named =
            |end: &str| refs.lines().filter(|line| line.contains(end)).filter_map(|line| oids(line).pop()).collect();
        let (mut goods, mut bads): (Vec<Oid>, Vec<Oid>) = (named(" refs/bisect/good-"), named(" refs/bisect/bad"));
        match probe.answer {
            Answer::Good => goods.push(probe.commit.clone()),
            Answer::Bad => bads = vec![probe.commit.clone()],
            Answer::Skipped | Answer::Undecided => {}
        }
        let over = match bads.first() {
            Some(bad) => self.range(bad, goods.iter())?.len() <= 1,
            None => false,
        };
        let skipped = probe.answer == Answer::Skipped;
        if over { self.finish() } else { self.forget(&self.name(Some(&probe.commit)), skipped) }
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
        let scale = self.scale();
        let spot = |commit: &Oid| match commit {
            commit if *commit == self.job.good => Some(Spot::Good),
            commit if *commit == self.job.bad => Some(Spot::Bad),
            commit => self.taken.get(commit).map(|own| Spot::Probe(own)),
        };
        let spots = spot(&from).zip(spot(&to));
        let change = spots.and_then(|(before, after)| levels::change(&self.ends, before, after, scale));
        Ok(change.map(|(estimate, [low, high])| {
            let [estimate, low, high] = [estimate, low, high].map(|value| self.relative(value, scale));
            Effect { from, to, relative: estimate, interval: low.zip(high).map(|(low, high)| [low, high]) }
        }))
    }

    /// Removes the sessions: the answer has been told. Logs of commits that were skipped stay.
    pub fn finish(&self) -> Result<(), BisectError> {
        let kept: Vec<String> = self.skipped.iter().map(|commit| self.name(Some(commit))).collect();
        self.keys.iter().try_for_each(|key| self.forget(key, kept.contains(key)))
    }

    fn forget(&self, key: &str, keep_logs: bool) -> Result<(), BisectError> {
        session::finish(self.repo, key)?;
        if !keep_logs {
            // What cannot be removed is in nobody's way.
            let _ = std::fs::remove_dir_all(self.repo.verdict_dir()?.join("logs").join(key));
        }
        Ok(())
    }

    /// The scale that all readings allow.
    fn scale(&self) -> Scale {
        levels::scale(self.ends.iter().chain(self.taken.values().flatten()))
    }

    /// What is looked for.
    fn wanted_step(&self) -> Wanted {
        let worse = if self.job.metric.better == Better::Lower { 1.0 } else { -1.0 };
        let scale = self.scale();
        // On another scale than that of the ends, what matters is another number: then any step counts.
        let least = if scale == levels::scale(&self.ends) { self.least } else { 0.0 };
        Wanted { scale, worse, least }
    }

    fn rules(&self) -> Rules {
        Rules { share: self.share, most: self.job.most }
    }

    /// What all rounds say, those of this commit left out.
    fn weigh(&self, without: Option<&Oid>) -> Weighed {
        let all: Vec<&[Pair]> = self.taken.values().map(Vec::as_slice).collect();
        let levels = Levels::of(&self.ends, &all, self.wanted_step());
        let clean = Probed { blames: vec![false; self.suspects.len()] };
        let mut probes = Vec::new();
        if let Some(levels) = &levels {
            for (commit, own) in self.taken.iter().filter(|(commit, _)| Some(*commit) != without) {
                probes.push((levels.sides(own), self.probed.get(commit).unwrap_or(&clean).clone()));
            }
        }
        Weighed { levels, probes, possible: self.possible() }
    }

    /// The chance of each suspect, from all rounds.
    fn chances(&self) -> Vec<f64> {
        self.weigh(None).chances(None)
    }

    /// Which suspects put commits of one tree on one side.
    fn possible(&self) -> Vec<bool> {
        let all = |value: bool| vec![value; self.suspects.len()];
        let side = |commit: &Oid| match commit {
            commit if *commit == self.job.good => all(false),
            commit if *commit == self.job.bad => all(true),
            commit => self.probed.get(commit).map_or_else(|| all(false), |probed| probed.blames.clone()),
        };
        let mut possible = all(true);
        for (one, other) in &self.same {
            for (place, (a, b)) in side(one).into_iter().zip(side(other)).enumerate() {
                possible[place] &= a == b;
            }
        }
        possible
    }

    /// What a commit says of the suspects: those in its history.
    fn blames(&self, commit: &Oid) -> Result<Probed, GitError> {
        let first_parent = self.job.first_parent.then_some("--first-parent");
        let git = self.repo.run_git().arg("rev-list").args(first_parent).arg(commit.as_str());
        let below: BTreeSet<Oid> = oids(&git.args(["--not", self.job.good.as_str()]).run()?).into_iter().collect();
        Ok(Probed { blames: self.suspects.iter().map(|suspect| below.contains(suspect)).collect() })
    }

    /// Brings what is left, and all answers, to what all rounds say.
    fn settle(&mut self) -> Result<(), BisectError> {
        if self.exact.is_some() {
            return Ok(());
        }
        let chances = self.chances();
        let wanted = 1.0 - self.share;
        let left = suspects::fewest(&chances, wanted);
        self.bad = self.suspects[suspects::likeliest(&chances).0].clone();
        self.left = left.into_iter().map(|place| self.suspects[place].clone()).collect();
        self.answer(&chances);
        Ok(())
    }

    /// Gives every probe in the range the answer that these chances give it.
    fn answer(&mut self, chances: &[f64]) {
        for probe in self.probes.iter_mut().filter(|probe| probe.answer != Answer::Skipped) {
            let Some(probed) = self.probed.get(&probe.commit) else { continue };
            let bad = suspects::bad(chances, probed);
            probe.answer = match bad {
                bad if bad >= LIKELY => Answer::Bad,
                bad if bad <= 1.0 - LIKELY => Answer::Good,
                _ => Answer::Undecided,
            };
            if probe.rounds > 0 {
                probe.doubt = Some(bad.min(1.0 - bad));
            }
        }
    }

    /// A change on a scale as a relative one.
    fn relative(&self, value: f64, scale: Scale) -> Option<f64> {
        let goods: Vec<f64> = self.ends.iter().map(|pair| pair.first).collect();
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
        let search = &sha256(format!("{good}:{bad}:{}", metric.name))[..16];
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
            turns: Vec::new(),
        }
    }

    fn count(&mut self, key: &str, taken: &Measurement) {
        self.runs.insert(key.to_string(), taken.samples.len() + taken.failures.len());
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
        self.count(&plan.key, &taken);
        let name = &self.job.metric.name;
        let value = taken.samples.first().and_then(|sample| sample.values.get(name)).copied().unwrap_or(f64::NAN);
        let middle = good / 2.0 + bad / 2.0;
        let answer = if (value - middle) * (bad - good) >= 0.0 { Answer::Bad } else { Answer::Good };
        self.readings.insert(commit.clone(), value);
        let relative = compare::relative(good, value);
        Ok(Probe { rounds: 1, value: Some(value), relative, ..Probe::unmeasured(commit.clone(), answer) })
    }

    /// Measures a probe beside the good end and the bad one, in turn: until a side is believed with this chance to be wrong, from these
    /// rounds and those of the ends alone; else until the search had better go on elsewhere. A commit that was looked at before goes
    /// on where it was left, until its side is certain.
    fn test(
        &mut self,
        commit: &Oid,
        key: String,
        alone: Option<f64>,
        observe: &mut dyn FnMut(Event<'_>),
    ) -> Result<Probe, MeasureError> {
        let side = |name: &str, commit: &Oid| -> Result<Side, GitError> {
            Ok(Side { name: name.into(), commit: commit.clone(), tree: self.repo.commit(commit)?.tree })
        };
        let sides = vec![side("good", &self.job.good)?, side("bad", &self.job.bad)?, side(PROBE, commit)?];
        let plan = Plan { turns: TURNS.map(Vec::from).into(), ..self.plan(key, sides, self.job.most) };
        let (name, most, rules) = (self.job.metric.name.clone(), self.job.most, self.rules());
        let had = self.taken.get(commit).map_or(0, Vec::len);
        let probed = self.blames(commit)?;
        let weighed = self.weigh(Some(commit));
        let gain = weighed.levels.as_ref().map_or(0.0, Levels::gain);
        let standing = |own: &[Pair]| match (alone, &weighed.levels) {
            (_, None) => Standing { odds: 0.0, wanted: f64::INFINITY, over: false },
            (Some(error), Some(levels)) => {
                Standing { odds: levels.log_odds(&levels.sides(own)), wanted: levels::threshold(error), over: false }
            }
            (None, Some(levels)) => {
                rules.standing(&weighed.chances(Some((&levels.sides(own), &probed))), &probed, had > 0)
            }
        };
        // Where the rule said stop: a search that was killed may have come back later, and saved more.
        let mut stopped = None;
        let mut rule = |samples: &[Sample]| {
            let own = of_probe(samples, &name);
            let (rounds, said) = (own.len(), standing(&own));
            if rules.leaves(rounds, had, said, gain) {
                stopped = Some(rounds);
                return Next::Stop;
            }
            let rest = rounds as f64 * (said.wanted / said.odds.abs().max(0.1) - 1.0);
            let rest = if own.is_empty() { 1 } else { rest.ceil().max(1.0) as usize };
            Next::More { rounds: Rules::pace(rounds), expected: rest.min(most - rounds) }
        };
        let taken = measure::run(self.repo, &plan, &mut rule, observe)?;
        let mut own = of_probe(&taken.samples, &name);
        own.truncate(stopped.unwrap_or(own.len()));
        let said = standing(&own);
        let answer = match said.odds {
            odds if odds.abs() < said.wanted => Answer::Undecided,
            odds if odds > 0.0 => Answer::Bad,
            _ => Answer::Good,
        };
        self.count(&plan.key, &taken);
        // Rounds in which a side gave no reading count as none, and there is an end to them.
        if own.len() <= had || own.len() >= most || (answer == Answer::Undecided && !said.over) {
            self.spent.insert(commit.clone());
        }
        self.taken.insert(commit.clone(), own.clone());
        let scale = self.scale();
        let change = levels::change(&self.ends, Spot::Good, Spot::Probe(&own), scale);
        let interval = change.and_then(|(_, [low, high])| self.relative(low, scale).zip(self.relative(high, scale)));
        Ok(Probe {
            rounds: own.len(),
            relative: change.and_then(|(estimate, _)| self.relative(estimate, scale)),
            interval: interval.map(|(low, high)| [low, high]),
            doubt: Some(1.0 / (1.0 + said.odds.abs().exp())),
            ..Probe::unmeasured(commit.clone(), answer)
        })
    }

    /// Takes an answer in: what is left becomes less, or the commit is passed over.
    fn note(&mut self, probe: Probe) -> Result<(), BisectError> {
        let commit = probe.commit.clone();
        let of_base = self.bases.contains(&commit);
        self.bases.retain(|base| *base != commit);
        let tree = self.repo.commit(&commit)?.tree;
        if !of_base && self.exact.is_none() {
            self.probed.insert(commit.clone(), self.blames(&commit)?);
        }
        match self.trees.get(&tree) {
            Some((same, _)) if *same != commit => self.same.push((commit.clone(), same.clone())),
            Some(_) => {}
            None => drop(self.trees.insert(tree, (commit.clone(), probe.answer))),
        }
        let answer = probe.answer;
        match self.probes.iter_mut().find(|known| known.commit == commit) {
            Some(known) => *known = probe,
            None => self.probes.push(probe),
        }
        if answer == Answer::Skipped || (of_base && answer == Answer::Undecided) {
            self.skipped.insert(commit.clone());
            self.probed.remove(&commit);
            self.taken.remove(&commit);
        } else if of_base || self.exact.is_some() {
            match answer {
                Answer::Bad => self.bad = commit.clone(),
                _ => self.goods.push(commit.clone()),
            }
            self.left = self.narrow()?;
        } else {
            self.halve()?;
        }
        if of_base && answer == Answer::Bad { Err(BisectError::Mended(commit)) } else { Ok(()) }
    }

    /// What the likeliest sides of all probes leave, those that halve it best first.
    fn halve(&mut self) -> Result<(), BisectError> {
        let chances = self.chances();
        let (likeliest, _) = suspects::likeliest(&chances);
        let to_blame = |probed: &Probed| probed.blames[likeliest];
        let like = |place: usize| self.probed.values().all(|probed| probed.blames[place] == to_blame(probed));
        let group: BTreeSet<&Oid> =
            (0..self.suspects.len()).filter(|place| like(*place)).map(|place| &self.suspects[place]).collect();
        let (bad, good): (Vec<_>, Vec<_>) = self.probed.iter().partition(|(_, probed)| to_blame(probed));
        let size = |probed: &Probed| probed.blames.iter().filter(|blamed| **blamed).count();
        let end = bad.into_iter().min_by_key(|(_, probed)| size(probed)).map_or(&self.job.bad, |(commit, _)| commit);
        let goods = good.into_iter().map(|(commit, _)| commit).chain(&self.goods);
        let order = self.range(end, goods)?;
        self.left = order.into_iter().filter(|commit| group.contains(commit)).collect();
        self.bad = end.clone();
        self.answer(&chances);
        Ok(())
    }

    /// What git says may be the first bad commit, those that halve it best first.
    fn narrow(&self) -> Result<Vec<Oid>, GitError> {
        self.range(&self.bad, self.goods.iter())
    }

    fn range<'o>(&self, bad: &Oid, goods: impl Iterator<Item = &'o Oid>) -> Result<Vec<Oid>, GitError> {
        let first_parent = self.job.first_parent.then_some("--first-parent");
        let git = self.repo.run_git().args(["rev-list", "--bisect-all"]).args(first_parent).arg(bad.as_str());
        Ok(oids(&git.arg("--not").args(goods.map(Oid::as_str)).run()?))
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

/// What all rounds say of the suspects.
struct Weighed {
    /// None when the rounds are too few.
    levels: Option<Levels>,
    probes: Vec<(Sides, Probed)>,
    possible: Vec<bool>,
}

impl Weighed {
    /// The chance of each suspect, with what the pairs of one more probe say.
    fn chances(&self, with: Option<(&Sides, &Probed)>) -> Vec<f64> {
        let Some(levels) = &self.levels else {
            return vec![1.0 / self.possible.len() as f64; self.possible.len()];
        };
        let own = self.probes.iter().map(|(sides, probed)| (sides, probed));
        suspects::chances(levels, &own.chain(with).collect::<Vec<_>>(), &self.possible)
    }
}

/// The pairs of both ends.
fn of_ends(pairs: &[(f64, f64)]) -> Vec<Pair> {
    let finite = pairs.iter().filter(|(first, second)| first.is_finite() && second.is_finite());
    finite.map(|&(first, second)| Pair { kind: Kind::Ends, first, second }).collect()
}

/// The sides that run in each round of a probe, in turn.
const TURNS: [[usize; 2]; 2] = [[0, 2], [2, 1]];

/// The pairs of a probe, in the order of their rounds.
fn of_probe(samples: &[Sample], metric: &str) -> Vec<Pair> {
    let mut rounds: BTreeMap<usize, [Option<f64>; 3]> = BTreeMap::new();
    for sample in samples {
        let value = sample.values.get(metric).copied().filter(|value| value.is_finite());
        rounds.entry(sample.round).or_default()[sample.side.min(2)] = value;
    }
    let pair = |(round, read): (usize, [Option<f64>; 3])| {
        let [first, second] = TURNS[round % TURNS.len()].map(|side| read[side]);
        let kind = if round % TURNS.len() == 0 { Kind::FromGood } else { Kind::ToBad };
        Some(Pair { kind, first: first?, second: second? })
    };
    rounds.into_iter().filter_map(pair).collect()
}

/// The loss that matters, on the scale of a look.
fn least(look: &Look, better: Better) -> f64 {
    match better {
        Better::Lower => look.margin[1],
        Better::Higher => -look.margin[0],
    }
}

/// What the pairs of both ends say of the bad one, when they say anything: regressed as soon as that is likely enough, and no
/// difference as soon as an interval at one of the looks excludes a loss that matters. That neither will come out is an answer, too.
fn said_of_ends(
    metric: &Metric,
    pairs: &[(f64, f64)],
    rules: Rules,
    looks: &Looks,
    criticals: &mut Criticals,
) -> Option<Word> {
    let done = pairs.len();
    let look = stats::look(pairs, metric.matters, metric.better, Looks::alpha(done, 1), criticals).ok()?;
    let (worse, margin) = (if metric.better == Better::Lower { 1.0 } else { -1.0 }, least(&look, metric.better));
    let wanted = Wanted { scale: look.scale, worse, least: margin / 2.0 };
    let said = levels::three_ways(&of_ends(pairs), wanted)?;
    if rules.worse(&said) {
        return Some(Word::Regressed);
    }
    if let Some([low, high]) = look.interval.filter(|_| looks.points().contains(&done)) {
        let worst = if metric.better == Better::Lower { high } else { -low };
        if worst < 0.0 {
            return Some(Word::Improved);
        }
        if worst < margin || (low == 0.0 && high == 0.0) {
            return Some(Word::Unchanged);
        }
    }
    rules.hopeless(done, &said, margin).then_some(Word::Inconclusive)
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
    fn a_probe_is_beside_the_good_end_and_the_bad_one_in_turn_and_a_round_without_both_readings_is_none() {
        let sample = |round, side, value: f64| Sample {
            round,
            place: side,
            side,
            at: 0.0,
            values: BTreeMap::from([("time".to_string(), value)]),
        };
        let samples = [
            sample(0, 0, 1.0),
            sample(0, 2, 3.0),
            sample(1, 2, 3.0),
            sample(1, 1, 2.0),
            sample(2, 0, 1.0),
            sample(3, 1, f64::NAN),
            sample(3, 2, 3.0),
        ];
        let pair = |kind, first, second| Pair { kind, first, second };
        assert_eq!(of_probe(&samples, "time"), [pair(Kind::FromGood, 1.0, 3.0), pair(Kind::ToBad, 3.0, 2.0)]);
    }
}
