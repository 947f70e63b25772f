//! Made-up records for tests and benchmarks of the report: the same number gives the same experiments.

#![allow(dead_code)]

use chrono::{DateTime, TimeDelta};
use git_verdict::config::{Better, Matters, RevertMode};
use git_verdict::git::{Oid, Person};
use git_verdict::inspect::diff::{Attribution, Row};
use git_verdict::ledger::event::{Decided, Event, Fact, Identity, Measured, Opened, VERSION, Verdict};
use git_verdict::measure::anatomy::Origin;
use git_verdict::measure::{CheckResult, Sample, Side, environment::Environment};
use git_verdict::policy::{Advice, Complexity, MetricComparison, Recommendation};
use git_verdict::stats::Word;
use git_verdict::units::{Ratio, Unit};
use std::collections::BTreeMap;
use ulid::Ulid;

/// What was tried, what was expected, whether it was kept, why, and the factors of build time and image size.
type Idea = (&'static str, &'static str, bool, &'static str, f64, f64);

const IDEAS: [Idea; 10] = [
    (
        "pip-cache",
        "pip's cache is a third of the image and no layer reads it again; purging it in the same RUN costs one line.",
        true,
        "One line, low risk, and every pull is smaller. The build is shorter because less is exported.",
        0.82,
        0.71,
    ),
    (
        "multi-stage",
        "Copying only what is installed into a second stage leaves compilers and leftovers behind.",
        false,
        "A build that takes minutes longer costs every pull request; the image saves little over the purged cache.",
        1.41,
        0.94,
    ),
    (
        "slim-base",
        "The slim base image lacks compilers that only the build needs; wheels exist for all that we install.",
        true,
        "Half of the base is gone and nothing that runs missed it. The smoke test passes.",
        0.97,
        0.83,
    ),
    (
        "zstd-layers",
        "Layers compressed with zstd export faster than with gzip at the same size.",
        false,
        "Two of our registries refuse the media type, and the gain is within the noise.",
        0.99,
        1.0,
    ),
    (
        "uv-install",
        "uv resolves and installs from the lock file in parallel; pip does so one after the other.",
        true,
        "The install step is four times as fast and the lock file is the same for everyone.",
        0.74,
        1.0,
    ),
    (
        "alpine",
        "Alpine is a tenth of the size of Debian, so the image must shrink.",
        false,
        "No wheels for musl: numpy is compiled from source in every build, and the tests of the C extension fail.",
        2.6,
        0.62,
    ),
    (
        "squash",
        "Squashing merges layers that overwrite each other, and drops what they hide.",
        false,
        "Nothing is shared with the base any more, so every pull is whole again.",
        1.12,
        0.97,
    ),
    (
        "no-docs",
        "Documentation and test suites inside of site-packages are a tenth of it and are never imported.",
        true,
        "Safe with the list that we keep; the check that imports every module passes.",
        1.01,
        0.93,
    ),
    (
        "strip-binaries",
        "Debug symbols of shared objects are in the image although nobody debugs there.",
        true,
        "Smaller, and symbols are kept in the artefact store for whoever needs them.",
        1.0,
        0.91,
    ),
    (
        "parallel-wheels",
        "Building wheels with as many jobs as there are processors uses the idle half of the machine.",
        false,
        "The runner has two processors: the build swaps, and its time varies more than it falls.",
        0.96,
        1.0,
    ),
];

/// Numbers that look random and are not.
pub struct Dice(u64);

impl Dice {
    /// From 0 to 1 (splitmix64).
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

pub fn oid(number: usize) -> Oid {
    let digits = (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Oid::parse(&format!("{digits:032x}{number:08x}")).expect("forty digits")
}

pub fn identity(number: usize) -> Identity {
    Identity { commit: oid(number), tree: oid(number + 500_000), patch: None }
}

pub fn id(number: usize) -> Ulid {
    Ulid::from_parts(1_735_700_000_000 + number as u64 * 60_000, number as u128 + 1)
}

pub fn event(number: usize, experiment: usize, name: &str, fact: Fact) -> Event {
    let start = DateTime::parse_from_rfc3339("2025-01-06T09:30:00+08:00").expect("a time");
    let people = [("Ada Example", "ada@example.org"), ("李雷", "lilei@example.org"), ("Grace", "grace@example.org")];
    let (who, address) = people[experiment % people.len()];
    Event {
        version: VERSION,
        id: id(number),
        at: start + TimeDelta::hours(number as i64 * 7),
        by: Person { name: who.into(), email: address.into() },
        tool: "git-verdict 0.1.0".into(),
        experiment: Ulid::from_parts(1, experiment as u128 + 1),
        name: name.into(),
        fact,
        extra: Default::default(),
    }
}

pub fn opened(number: usize, title: &str, hypothesis: &str) -> Opened {
    Opened {
        title: title.into(),
        hypothesis: hypothesis.into(),
        base: identity(number),
        onto: "main".into(),
        branch: format!("verdict/{number}"),
        stands_on: None,
        adopted: None,
    }
}

pub fn row(metric: &str, unit: Unit, base: f64, candidate: f64, exact: bool) -> MetricComparison {
    let relative = candidate / base - 1.0;
    let word = match relative {
        r if r < -0.02 => Word::Improved,
        r if r > 0.02 => Word::Regressed,
        _ if exact => Word::Unchanged,
        _ => Word::Inconclusive,
    };
    MetricComparison {
        metric: metric.into(),
        unit,
        better: Better::Lower,
        matters: Matters::Relative(Ratio(0.02)),
        base,
        candidate,
        relative: Some(relative),
        interval: (!exact).then_some([relative - 0.031, relative + 0.034]),
        exact,
        rounds: if exact { 2 } else { 12 },
        word,
        limit: None,
        detectable: None,
        rounds_needed: None,
    }
}

fn origins(before: f64, after: f64, seconds: (f64, f64)) -> Vec<Origin> {
    let part = |what: &str, before: Option<i64>, after: Option<i64>| Row {
        what: what.into(),
        change: after.unwrap_or(0) - before.unwrap_or(0),
        before,
        after,
        source: None,
        detail: Vec::new(),
    };
    let (b, a) = (before as i64, after as i64);
    let image = Attribution {
        unit: Unit::Bytes,
        rows: vec![
            part(
                "layer 4 (RUN pip install -r requirements.txt)",
                Some(b * 6 / 10),
                Some(b * 6 / 10 + (a - b) * 9 / 10),
            ),
            part("layer 6 (COPY --from=build /opt/venv)", None, Some((a - b).abs() / 5)),
            part("layer 5 (COPY . /app)", Some(b / 50), Some(b / 50 - (a - b).abs() / 9)),
        ],
        before: b,
        after: a,
        unexplained: 1024,
        unexplained_as: "manifest and configuration".into(),
        partial: false,
    };
    let (b, a) = ((seconds.0 * 1e6) as i64, (seconds.1 * 1e6) as i64);
    let log = Attribution {
        unit: Unit::Seconds,
        rows: vec![
            part("step [4/7] (RUN pip install -r requirements.txt)", Some(b / 2), Some(b / 2 + (a - b) * 7 / 10)),
            part("step exporting to image", Some(b / 4), Some(b / 4 + (a - b) * 3 / 10)),
        ],
        before: b,
        after: a,
        unexplained: 0,
        unexplained_as: "between the steps".into(),
        partial: false,
    };
    [("image_size", image), ("build_time", log)]
        .map(|(metric, attribution)| Origin { metric: metric.into(), first: 0, second: 1, attribution })
        .into()
}

/// The records of so many experiments, three each: opened, measured, decided; every fifteenth stays undecided.
pub fn story(experiments: usize) -> Vec<Event> {
    let mut dice = Dice(42);
    let mut events = Vec::new();
    let (mut seconds, mut bytes) = (872.1, 9.6e9);
    for number in 0..experiments {
        let (idea, hypothesis, kept, because, slower, larger) = IDEAS[number % IDEAS.len()];
        let name = if number < IDEAS.len() { idea.to_string() } else { format!("{idea}-{}", number / IDEAS.len() + 1) };
        let calm = |factor: f64, turn: usize| 1.0 + (factor - 1.0) / (1.0 + turn.min(6) as f64 / 2.0);
        let turn = number / IDEAS.len();
        let (after_seconds, after_bytes) = (seconds * calm(slower, turn), (bytes * calm(larger, turn)).round());
        let mut start = opened(number, &format!("{idea} of the web service, attempt {}", turn + 1), hypothesis);
        if number % IDEAS.len() == 1 {
            start.stands_on = Some(Ulid::from_parts(1, number as u128));
        }
        events.push(event(events.len(), number, &name, Fact::Opened(start)));
        let comparison = vec![
            row("build_time", Unit::Seconds, seconds, after_seconds, false),
            row("image_size", Unit::Bytes, bytes, after_bytes, true),
        ];
        let samples = (0..24).map(|place| {
            let (round, side) = (place / 2, place % 2);
            let time = if side == 0 { seconds } else { after_seconds } * (0.94 + 0.15 * dice.roll().powi(2));
            let size = if side == 0 { bytes } else { after_bytes };
            let values = BTreeMap::from([("build_time".to_string(), time), ("image_size".to_string(), size)]);
            Sample { round, place: side, side, at: 1.7e9 + place as f64 * 900.0, values }
        });
        let side = |name: &str, number| Side { name: name.into(), commit: oid(number), tree: oid(number + 500_000) };
        let reason =
            format!("build_time went from {} to {}", Unit::Seconds.show(seconds), Unit::Seconds.show(after_seconds));
        let recommendation = Recommendation::new(if kept { Advice::Keep } else { Advice::Revert }, vec![reason.into()]);
        let measured = Measured {
            session: id(events.len()),
            base: identity(number),
            candidate: identity(number + 1),
            sides: vec![side("base", number), side("candidate", number + 1)],
            seed: number as u64,
            config_hash: "0".repeat(64),
            environment: Environment {
                platform: "linux x86_64".into(),
                cpu: "AMD EPYC 7B13".into(),
                cores: 8,
                memory: 32 << 30,
                kernel: "6.8.0".into(),
                more: BTreeMap::new(),
            },
            samples: samples.collect(),
            checks: vec![CheckResult {
                name: "tests".into(),
                side: 1,
                passed: idea != "alpine",
                hidden: false,
                seconds: 41.0,
                outcome: if idea == "alpine" { "exit status 1" } else { "exit status 0" }.into(),
                tail: String::new(),
            }],
            comparison: comparison.clone(),
            complexity: Complexity {
                files: 1 + number % 3,
                added: 2 + number % 40,
                removed: number % 7,
                ..Complexity::default()
            },
            recommendation: recommendation.clone(),
            failures: Vec::new(),
            reused: None,
            origins: origins(bytes, after_bytes, (seconds, after_seconds)),
            assumptions: None,
            hidden_checks: None,
            ruler: None,
            rechecks: None,
        };
        let record = id(events.len());
        events.push(event(events.len(), number, &name, Fact::Measured(Box::new(measured))));
        if number % 15 == 14 {
            continue;
        }
        let archived = idea == "squash";
        let decided = Decided {
            verdict: if kept { Verdict::Keep } else { Verdict::Revert },
            because: because.into(),
            mode: (!kept).then_some(if archived { RevertMode::Archive } else { RevertMode::Merge }),
            measured: Some(record),
            comparison,
            recommendation: Some(recommendation),
            overrode: idea == "no-docs",
            base: identity(number),
            candidate: identity(number + 1),
            commits: vec![oid(number + 1)],
            revert_commit: (!kept).then(|| oid(number + 900_000)),
            landed: Some(oid(number + 800_000)),
            onto: "main".into(),
        };
        events.push(event(events.len(), number, &name, Fact::Decided(Box::new(decided))));
        if kept {
            (seconds, bytes) = (after_seconds, after_bytes);
        }
        if number % 10 == 9 {
            // Features that came in meanwhile win back some of what was saved.
            let towards = |now: f64, wanted: f64, share: f64| now + (wanted - now) * share;
            seconds = towards(seconds, 640.0, 0.3 * dice.roll());
            bytes = towards(bytes, 6.4e9, 0.3 * dice.roll()).round();
        }
    }
    events
}
