//! The ledger in real repositories: nothing lost, nothing that git cannot read, and clear errors.

use chrono::DateTime;
use git_verdict::config::{Better, Matters};
use git_verdict::experiment::{Book, State};
use git_verdict::git::{Oid, Repo};
use git_verdict::ledger::event::{Decided, Identity, Measured, Opened, VERSION, Verdict};
use git_verdict::ledger::{Event, Fact, Ledger, LedgerError};
use git_verdict::measure::environment::Environment;
use git_verdict::measure::{CheckResult, Sample, Side};
use git_verdict::policy::{Advice, Complexity, MetricComparison, Recommendation};
use git_verdict::stats::Word;
use git_verdict::units::{Ratio, Unit};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use ulid::Ulid;

fn git(dir: &Path, words: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(dir).args(words).output().expect("git starts");
    assert!(
        output.status.success(),
        "git {words:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim_end().to_string()
}

fn repository(options: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let words: Vec<&str> = ["init", "--quiet", "--initial-branch=main"].iter().chain(options).copied().collect();
    git(dir.path(), &words);
    git(dir.path(), &["config", "user.name", "Ada"]);
    git(dir.path(), &["config", "user.email", "ada@example.org"]);
    git(dir.path(), &["config", "gc.auto", "0"]);
    dir
}

fn oid(digit: char) -> Oid {
    Oid::parse(&digit.to_string().repeat(40)).expect("hexadecimal")
}

fn identity(digit: char) -> Identity {
    Identity { commit: oid(digit), tree: oid(digit), patch: Some(digit.to_string().repeat(40)) }
}

fn opened(name: &str) -> Fact {
    Fact::Opened(Opened {
        title: format!("{name} build optimization"),
        hypothesis: "a smaller image pulls faster".into(),
        base: identity('a'),
        onto: "main".into(),
        branch: format!("verdict/{name}"),
        stands_on: None,
        adopted: None,
    })
}

fn row(metric: &str, unit: Unit, base: f64, candidate: f64, word: Word) -> MetricComparison {
    MetricComparison {
        metric: metric.into(),
        unit,
        better: Better::Lower,
        matters: Matters::Relative(Ratio(0.05)),
        base,
        candidate,
        relative: Some(candidate / base - 1.0),
        interval: Some([candidate / base - 1.1, candidate / base - 0.9]),
        exact: false,
        rounds: 12,
        word,
        limit: None,
        detectable: None,
        rounds_needed: None,
    }
}

fn rows() -> Vec<MetricComparison> {
    vec![
        row("build_time", Unit::Seconds, 872.1, 1230.4, Word::Regressed),
        row("image_size", Unit::Bytes, 3.6e9, 3.3e9, Word::Improved),
    ]
}

fn recommendation() -> Recommendation {
    Recommendation { advice: Advice::TradeOff, reasons: vec!["build_time is 41 % worse".into()] }
}

fn measured(rounds: usize) -> Fact {
    let side = |name: &str, digit| Side { name: name.into(), commit: oid(digit), tree: oid(digit) };
    let samples = (0..rounds * 2).map(|at| Sample {
        round: at / 2,
        place: at % 2,
        side: at % 2,
        at: 1.7e9 + at as f64 * 0.1,
        values: BTreeMap::from([("build_time".to_string(), 870.0 + at as f64 / 3.0)]),
    });
    Fact::Measured(Box::new(Measured {
        session: Ulid::from_parts(1, 2),
        base: identity('a'),
        candidate: identity('b'),
        sides: vec![side("base", 'a'), side("candidate", 'b')],
        seed: u64::MAX,
        config_hash: "c".repeat(64),
        environment: Environment { platform: "linux x86_64".into(), cores: 8, ..Environment::default() },
        samples: samples.collect(),
        checks: vec![CheckResult {
            name: "tests".into(),
            side: 1,
            passed: true,
            seconds: 3.25,
            outcome: "exit status 0".into(),
            tail: String::new(),
        }],
        comparison: rows(),
        complexity: Complexity { files: 1, added: 20, removed: 3, new_dependencies: vec![] },
        recommendation: recommendation(),
    }))
}

fn decided(verdict: Verdict, measured: Option<Ulid>) -> Fact {
    Fact::Decided(Box::new(Decided {
        verdict,
        because: "six minutes of build for 0.3 GB".into(),
        mode: None,
        measured,
        comparison: rows(),
        recommendation: Some(recommendation()),
        overrode: false,
        base: identity('a'),
        candidate: identity('b'),
        commits: vec![oid('b')],
        revert_commit: None,
        landed: None,
        onto: "main".into(),
    }))
}

fn append(ledger: &Ledger<'_>, experiment: Ulid, name: &str, fact: Fact) -> Event {
    let event = ledger.draft(experiment, name, fact).expect("a draft");
    ledger.append(&event).expect("appended");
    event
}

fn fsck(dir: &Path) {
    let output = Command::new("git").arg("-C").arg(dir).args(["fsck", "--strict", "--no-dangling"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let complaints: Vec<&str> =
        text.lines().filter(|line| !line.starts_with("notice:") && !line.trim().is_empty()).collect();
    assert!(output.status.success() && complaints.is_empty(), "git fsck: {complaints:?}");
}

#[test]
fn what_is_appended_is_read_back_and_git_finds_nothing_wrong_with_it() {
    let dir = repository(&[]);
    let repo = Repo::discover(dir.path()).unwrap();
    let ledger = Ledger::open(&repo);
    assert_eq!(ledger.events().unwrap(), vec![]);
    let id = Ulid::from_parts(7, 7);
    let first = append(&ledger, id, "multi-stage", opened("multi-stage"));
    let second = append(&ledger, id, "multi-stage", measured(3));
    let third = append(&ledger, id, "multi-stage", decided(Verdict::Revert, Some(second.id)));
    assert_eq!(ledger.events().unwrap(), vec![first, second.clone(), third]);
    assert_eq!(ledger.find(second.id).unwrap(), Some(second.clone()));
    assert_eq!(ledger.find(Ulid::from_parts(1, 1)).unwrap(), None);
    let log = git(dir.path(), &["log", "--format=%an %s", "refs/verdict/ledger"]);
    assert_eq!(
        log,
        "Ada ledger: decided multi-stage\nAda ledger: measured multi-stage\nAda ledger: opened multi-stage"
    );
    let text = second.id.to_string();
    let path = format!("refs/verdict/ledger:events/{}/{}/{}/{text}.json", &text[23..24], &text[24..25], &text[25..26]);
    assert!(git(dir.path(), &["cat-file", "-p", &path]).contains(r#""kind":"measured""#));
    assert_eq!(git(dir.path(), &["cat-file", "-p", "refs/verdict/ledger:format"]), VERSION.to_string());
    fsck(dir.path());
}
