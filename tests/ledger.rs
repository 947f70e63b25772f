//! The ledger in real repositories: nothing lost, nothing that git cannot read, and clear errors.

use git_verdict::config::{Better, Matters};
use git_verdict::experiment::{Book, State};
use git_verdict::git::{Oid, Repo};
use git_verdict::ledger::event::{Decided, Identity, Measured, Opened, Reopened, VERSION, Verdict};
use git_verdict::ledger::store::{LEDGER_REF, MAX_EVENT};
use git_verdict::ledger::{Event, Fact, Ledger, LedgerError, Row, Wanted};
use git_verdict::measure::environment::Environment;
use git_verdict::measure::{CheckResult, Sample, Side};
use git_verdict::policy::{Advice, Complexity, MetricComparison, Recommendation};
use git_verdict::stats::Word;
use git_verdict::units::{Ratio, Unit};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
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
    // What a flush saves is seen after a power cut only; killed processes lose nothing without it.
    git(dir.path(), &["config", "core.fsync", "none"]);
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
    Recommendation::new(Advice::TradeOff, vec!["build_time is 41 % worse".into()])
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
            hidden: false,
            seconds: 3.25,
            outcome: "exit status 0".into(),
            tail: String::new(),
        }],
        comparison: rows(),
        complexity: Complexity { files: 1, added: 20, removed: 3, new_dependencies: vec![], maintenance: None },
        recommendation: recommendation(),
        failures: Vec::new(),
        reused: None,
        origins: Vec::new(),
        assumptions: None,
        hidden_checks: None,
        ruler: None,
        rechecks: None,
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
    git(dir.path(), &["config", "core.fsync", "committed"]);
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

fn place(id: Ulid) -> String {
    let text = id.to_string();
    format!("events/{}/{}/{}/{text}.json", &text[23..24], &text[24..25], &text[25..26])
}

/// Puts a file into the ledger behind the program's back, with the real git.
fn plant(dir: &Path, path: &str, bytes: &[u8]) {
    let run = |words: &[&str], input: &[u8]| {
        let mut child = Command::new("git")
            .arg("-C")
            .arg(dir)
            .args(words)
            .env("GIT_INDEX_FILE", dir.join(".planting"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {words:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_string()
    };
    let tip = git(dir, &["rev-parse", LEDGER_REF]);
    run(&["read-tree", &tip], b"");
    let blob = run(&["hash-object", "-w", "--stdin"], bytes);
    run(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},{path}")], b"");
    let tree = run(&["write-tree"], b"");
    let commit = run(&["commit-tree", &tree, "-p", &tip, "-m", "planted"], b"");
    run(&["update-ref", LEDGER_REF, &commit], b"");
}

fn json(event: &Event) -> serde_json::Value {
    serde_json::to_value(event).unwrap()
}

fn all_rows(ledger: &Ledger<'_>) -> Vec<Row> {
    ledger.recent(usize::MAX, &|_| true).unwrap()
}

fn without_samples(event: &Event) -> Event {
    let mut event = event.clone();
    if let Fact::Measured(measured) = &mut event.fact {
        measured.samples.clear();
    }
    event
}

/// Everything that the index gives agrees with the events themselves.
fn index_agrees(ledger: &Ledger<'_>) {
    let events = ledger.events().unwrap();
    let rows = all_rows(ledger);
    assert_eq!(
        rows.iter().rev().map(|row| (row.id, row.at, row.name.as_str(), row.kind)).collect::<Vec<_>>(),
        events.iter().map(|e| (e.id, e.at, e.name.as_str(), e.fact.kind())).collect::<Vec<_>>()
    );
    let (book, whole) = (ledger.book().unwrap(), Book::fold(events.iter().map(without_samples)));
    assert_eq!(book.experiments, whole.experiments);
    assert_eq!(book.orphans, whole.orphans);
}

#[test]
fn unknown_fields_are_kept_and_written_once() {
    let dir = repository(&[]);
    let repo = Repo::discover(dir.path()).unwrap();
    let ledger = Ledger::open(&repo);
    let mut event = ledger.draft(Ulid::from_parts(7, 7), "later", decided(Verdict::Keep, None)).unwrap();
    event.extra.insert("signature".into(), serde_json::json!({"by": ["x", 1.5e-7]}));
    ledger.append(&event).unwrap();
    assert_eq!(ledger.find(event.id).unwrap(), Some(event.clone()));
    let text = git(dir.path(), &["cat-file", "-p", &format!("{LEDGER_REF}:{}", place(event.id))]);
    for key in ["kind", "verdict", "because", "signature", "version"] {
        assert_eq!(text.matches(&format!("\"{key}\":")).count(), 1, "{key} in {text}");
    }
    let mut nested = json(&event);
    let id = Ulid::from_parts(event.id.timestamp_ms() + 1, 5);
    nested["id"] = id.to_string().into();
    nested["comparison"][0]["p95"] = 3.5.into();
    plant(dir.path(), &place(id), nested.to_string().as_bytes());
    assert_eq!(ledger.raw(id).unwrap(), Some(nested));
    assert_eq!(ledger.find(id).unwrap().unwrap().fact, event.fact);
    fs::remove_file(dir.path().join(".planting")).unwrap();
}

#[test]
fn the_example_in_the_documentation_is_a_record() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ledger.md")).unwrap();
    let example = text.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let value: serde_json::Value = serde_json::from_str(example).unwrap();
    let id = Ulid::from_string(value["id"].as_str().unwrap()).unwrap();
    assert!(text.contains(&format!("{LEDGER_REF}:{}", place(id))), "the path above it is its own");
    let dir = repository(&[]);
    let repo = Repo::discover(dir.path()).unwrap();
    let ledger = Ledger::open(&repo);
    append(&ledger, Ulid::from_parts(7, 7), "first", opened("first"));
    plant(dir.path(), &place(id), example.as_bytes());
    let event = ledger.find(id).unwrap().unwrap();
    assert_eq!(json(&event), value, "every field is known, and none is missing");
    let Fact::Measured(measured) = &event.fact else { panic!("{event:?}") };
    for row in &measured.comparison {
        let side = |side: usize| {
            let mut all: Vec<f64> =
                measured.samples.iter().filter(|s| s.side == side).map(|s| s.values[&row.metric]).collect();
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        assert_eq!((row.base, row.candidate), (side(0), side(1)), "{}", row.metric);
    }
}

#[test]
fn an_event_is_added_once_and_never_changed() {
    let dir = repository(&[]);
    let repo = Repo::discover(dir.path()).unwrap();
    let ledger = Ledger::open(&repo);
    let event = append(&ledger, Ulid::from_parts(7, 7), "once", opened("once"));
    let tip = ledger.tip().unwrap();
    ledger.append(&event).unwrap();
    assert_eq!(ledger.tip().unwrap(), tip, "nothing to do makes no commit");
    let other = Event { name: "twice".into(), ..event.clone() };
    assert!(matches!(ledger.append(&other), Err(LedgerError::Conflict { id }) if id == event.id.to_string()));
    let fresh = ledger.draft(Ulid::from_parts(8, 8), "fresh", opened("fresh")).unwrap();
    assert!(ledger.append_all(&[fresh, other]).is_err());
    assert_eq!(ledger.events().unwrap(), vec![event], "all or none");
}

#[test]
fn what_would_not_read_back_is_refused_before_it_is_written() {
    let dir = repository(&[]);
    let repo = Repo::discover(dir.path()).unwrap();
    let ledger = Ledger::open(&repo);
    let Fact::Decided(mut bad) = decided(Verdict::Keep, None) else { unreachable!() };
    bad.comparison[0].base = f64::NAN;
    let nan = ledger.draft(Ulid::from_parts(7, 7), "nan", Fact::Decided(bad)).unwrap();
    assert!(matches!(ledger.append(&nan), Err(LedgerError::Unreadable { .. })));
    let name = ledger.draft(Ulid::from_parts(7, 7), "../../etc", opened("x")).unwrap();
    assert!(matches!(ledger.append(&name), Err(LedgerError::Unreadable { .. })));
    assert_eq!(ledger.tip().unwrap(), None);
}

#[test]
fn a_future_version_is_refused_and_a_broken_record_is_named_while_the_rest_is_shown() {
    let dir = repository(&[]);
    let repo = Repo::discover(dir.path()).unwrap();
    let ledger = Ledger::open(&repo);
    let good = append(&ledger, Ulid::from_parts(7, 7), "good", opened("good"));
    let id = |n: u128| Ulid::from_parts(good.id.timestamp_ms() + 1, n);
    let with = |n: u128, key: &str, value: serde_json::Value| {
        let mut event = json(&good);
        event["id"] = id(n).to_string().into();
        event[key] = value;
        event.to_string().into_bytes()
    };
    plant(dir.path(), &place(id(1)), b"{ not json");
    plant(dir.path(), &place(id(2)), &with(2, "name", "../../x".into()));
    plant(dir.path(), &place(id(3)), &with(4, "name", "good".into()));
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let whole = String::from_utf8(with(5, "later", "DEEP".into())).unwrap();
    plant(dir.path(), &place(id(5)), whole.replace("\"DEEP\"", &deep).as_bytes());
    plant(dir.path(), &place(id(6)), &vec![b' '; MAX_EVENT + 1]);
    plant(dir.path(), "events/\u{1b}[2J.json", b"x");
    plant(dir.path(), "events/A/A/A/A/A/A/deep.json", b"x");
    let (events, problems) = ledger.events_lossy().unwrap();
    assert_eq!(events, vec![good.clone()]);
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    for (part, what) in [
        (id(1).to_string(), "key must be a string"),
        (id(2).to_string(), "'../../x' cannot name an experiment"),
        (id(3).to_string(), "it calls itself"),
        (id(5).to_string(), "recursion limit exceeded"),
        (id(6).to_string(), "at most 67108864 are read"),
        ("events/\\u{1b}[2J.json".into(), "no record has this name or place"),
        ("events/A/A/A/A".into(), "no record has this name or place"),
    ] {
        assert!(told.iter().any(|line| line.contains(&part) && line.contains(what)), "{part}: {what} in {told:#?}");
    }
    assert_eq!(told.len(), 7);
    assert!(told.iter().all(|line| !line.contains('\u{1b}')));
    assert_eq!(all_rows(&ledger).len(), 1);
    assert_eq!(ledger.book().unwrap().problems.len(), 7);
    assert!(matches!(ledger.events(), Err(LedgerError::Unreadable { .. })));

    plant(dir.path(), &place(id(8)), &with(8, "version", 2.into()));
    assert!(matches!(ledger.find(id(8)), Err(LedgerError::Version { found: 2, known: 1, .. })));
    assert!(matches!(ledger.book(), Err(LedgerError::Version { found: 2, .. })));
    assert_eq!(all_rows(&ledger).len(), 1, "the rest is still shown");

    plant(dir.path(), "format", b"2\n");
    assert!(matches!(ledger.events(), Err(LedgerError::Version { found: 2, .. })));
    assert!(matches!(ledger.append(&good), Err(LedgerError::Version { found: 2, .. })));
    git(dir.path(), &["commit", "--quiet", "--allow-empty", "-m", "no ledger"]);
    git(dir.path(), &["update-ref", LEDGER_REF, "HEAD"]);
    assert!(matches!(ledger.events(), Err(LedgerError::NoLedger { .. })));
}

#[test]
fn a_missing_object_is_named_and_the_rest_is_shown_until_it_is_back() {
    let dir = repository(&[]);
    let repo = Repo::discover(dir.path()).unwrap();
    let ledger = Ledger::open(&repo);
    let first = append(&ledger, Ulid::from_parts(7, 7), "first", opened("first"));
    let second = append(&ledger, Ulid::from_parts(8, 8), "second", opened("second"));
    let blob = git(dir.path(), &["rev-parse", &format!("{LEDGER_REF}:{}", place(first.id))]);
    let file = dir.path().join(".git/objects").join(&blob[..2]).join(&blob[2..]);
    let kept = dir.path().join("kept");
    fs::rename(&file, &kept).unwrap();
    let _ = fs::remove_dir_all(dir.path().join(".git/verdict/index"));
    let repo = Repo::discover(dir.path()).unwrap();
    let ledger = Ledger::open(&repo);
    let (events, problems) = ledger.events_lossy().unwrap();
    assert_eq!(events, vec![second.clone()]);
    assert!(problems[0].to_string().contains(&first.id.to_string()), "{problems:?}");
    assert_eq!(all_rows(&ledger).iter().map(|row| row.id).collect::<Vec<_>>(), vec![second.id]);
    assert_eq!(ledger.problems().unwrap().len(), 1);
    fs::rename(&kept, &file).unwrap();
    let repo = Repo::discover(dir.path()).unwrap();
    let ledger = Ledger::open(&repo);
    assert_eq!(ledger.problems().unwrap().len(), 0);
    index_agrees(&ledger);
}

#[test]
fn the_index_gives_what_the_events_say_at_any_size_and_however_it_came_about() {
    let dir = repository(&[]);
    let repo = Repo::discover(dir.path()).unwrap();
    let ledger = Ledger::open(&repo);
    index_agrees(&ledger);
    let begun = Ulid::from_parts(1_700_000_000_000, 1);
    append(&ledger, begun, "stack", opened("stack"));
    index_agrees(&ledger);
    let mut many = Vec::new();
    for n in 0..700u64 {
        let name = format!("try-{n}");
        let experiment = Ulid::from_parts(1_700_000_000_000 + n, u128::from(n) << 7);
        let facts = [opened(&name), measured(1), decided(Verdict::Revert, None)];
        for (part, fact) in facts.into_iter().take(1 + n as usize % 3).enumerate() {
            let mut event = ledger.draft(experiment, &name, fact).unwrap();
            // Out of order with what is there already, so that files are merged.
            event.id = Ulid::from_parts(1_600_000_000_000 + n * 7919 % 1_000_003 * 10 + part as u64, n.into());
            many.push(event);
        }
    }
    ledger.append_all(&many).unwrap();
    index_agrees(&ledger);
    let bases = || {
        let names = fs::read_dir(dir.path().join(".git/verdict/index")).unwrap();
        names.map(|e| e.unwrap().file_name().into_string().unwrap()).filter(|n| n.starts_with("base-")).count()
    };
    assert_eq!(bases(), 1);
    let late = append(&ledger, begun, "stack", decided(Verdict::Keep, None));
    index_agrees(&ledger);
    assert_eq!(ledger.recent(1, &|_| true).unwrap()[0].id, late.id);
    let newest: Vec<Ulid> = ledger.recent(20, &|row| row.kind == "decided").unwrap().iter().map(|r| r.id).collect();
    let mut wanted: Vec<Ulid> =
        ledger.events().unwrap().iter().filter(|e| e.fact.kind() == "decided").map(|e| e.id).collect();
    wanted.reverse();
    wanted.truncate(20);
    assert_eq!(newest, wanted);
    found_agrees(&ledger, &["try-5", "try-6", "stack"]);
    // One in the base, one in the head, the others in the tail, and an experiment with records in all three.
    let tried = ledger.book().unwrap().find("try-6").unwrap().id;
    append(&ledger, tried, "try-6", measured(1));
    ledger.append_all(&[ledger.draft(tried, "try-6", measured(2)).unwrap()]).unwrap();
    ledger.problems().unwrap();
    for n in 0..9 {
        let name = format!("late-{n}");
        let experiment = Ulid::new();
        let mut fact = opened(&name);
        if let Fact::Opened(opened) = &mut fact {
            opened.stands_on = Some(tried);
        }
        append(&ledger, experiment, &name, fact);
        if n == 3 {
            append(&ledger, experiment, &name, Fact::Abandoned { because: "no".into() });
        }
    }
    let kept = append(&ledger, tried, "try-6", decided(Verdict::Keep, None));
    found_agrees(&ledger, &["try-6", "late-1", "late-3", "late-8", "try-2", "stack"]);
    let undo = Reopened { because: "too early".into(), undoes: kept.id, commit: None };
    append(&ledger, tried, "try-6", Fact::Reopened(undo));
    found_agrees(&ledger, &["try-6", "late-1"]);
    assert!(dir.path().join(".git/verdict/index/tail").exists(), "what was appended is noted");
    ledger.problems().unwrap();
    found_agrees(&ledger, &["try-6", "late-1"]);

    let before = all_rows(&ledger);
    fs::remove_dir_all(dir.path().join(".git/verdict")).unwrap();
    assert_eq!(all_rows(&ledger), before, "built again from nothing it is the same");
    git(dir.path(), &["update-ref", LEDGER_REF, &format!("{LEDGER_REF}~1")]);
    assert_eq!(all_rows(&ledger).len(), before.len() - 1, "a ref that moved back is followed");
    index_agrees(&ledger);
}

/// Whether what is found without reading all is what stands in the whole book.
fn found_agrees(ledger: &Ledger<'_>, names: &[&str]) {
    let whole = ledger.book().unwrap();
    let ids = |book: &Book| book.experiments.iter().map(|e| e.id).collect::<Vec<_>>();
    for name in names {
        let wanted = whole.find(name).unwrap();
        let latest = wanted.latest().map_or(wanted.id, |(id, _)| *id).to_string();
        for word in [name.to_string(), wanted.id.to_string(), latest.clone(), latest[..24].to_lowercase()] {
            let part = ledger.book_of(&Wanted::named(&word)).unwrap();
            let found = |book: &Book| book.find(&word).cloned().map_err(|error| error.to_string());
            assert_eq!(found(&part), found(&whole), "{word}");
            assert!(part.experiments.len() <= 2, "{word}: {} experiments were read", part.experiments.len());
            let parent = wanted.opened.stands_on.and_then(|id| whole.by_id(id));
            assert_eq!(wanted.opened.stands_on.and_then(|id| part.by_id(id)), parent, "{word}");
        }
        let part = ledger.book_of(&Wanted { branches: vec![format!("verdict/{name}")], ..Wanted::default() }).unwrap();
        assert_eq!(part.on_branch(&format!("verdict/{name}")), whole.on_branch(&format!("verdict/{name}")));
    }
    let mut open = ledger.book_of(&Wanted::open()).unwrap();
    open.experiments.retain(|e| e.is_open());
    let all: Vec<_> = whole.experiments.iter().filter(|e| e.is_open()).cloned().collect();
    assert_eq!(open.experiments, all, "the open ones");
    let last = whole.experiments.iter().filter_map(|e| e.decided.as_ref().map(|(id, _, _)| (*id, e.id))).max();
    let found = ledger.book_of(&Wanted { decided_last: true, ..Wanted::default() }).unwrap();
    assert!(last.is_none_or(|(_, id)| found.by_id(id) == whole.by_id(id)), "the last decision");
    assert_eq!(ids(&ledger.book_of(&Wanted::named("no-such-name")).unwrap()), ids(&whole), "an unknown name reads all");
}

#[test]
fn a_damaged_index_is_built_again_without_a_word() {
    let dir = repository(&[]);
    let repo = Repo::discover(dir.path()).unwrap();
    let ledger = Ledger::open(&repo);
    let events: Vec<Event> = (0..1100u64)
        .map(|n| {
            let mut event = ledger.draft(Ulid::from_parts(n, 1), "many", opened("many")).unwrap();
            event.id = Ulid::from_parts(1_600_000_000_000 + n, n.into());
            event
        })
        .collect();
    ledger.append_all(&events).unwrap();
    let want = all_rows(&ledger);
    append(&ledger, Ulid::from_parts(5000, 1), "more", opened("more"));
    let more = all_rows(&ledger);
    assert_eq!(more.len(), want.len() + 1);
    let folder = dir.path().join(".git/verdict/index");
    for round in 0..24usize {
        let files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
        for path in files {
            let mut bytes = fs::read(&path).unwrap();
            match round % 3 {
                0 => {
                    let at = (round * 7919 + 13) * 31 % bytes.len();
                    bytes[at] ^= 0x55;
                }
                1 => bytes.truncate(bytes.len() * round / 25),
                _ => bytes = vec![round as u8; round * 17],
            }
            fs::write(&path, bytes).unwrap();
        }
        if round % 2 == 0 {
            let found = ledger.book_of(&Wanted::named("more")).unwrap();
            assert_eq!(found.find("more").unwrap().id, Ulid::from_parts(5000, 1), "round {round}");
            assert_eq!(ledger.book_of(&Wanted::open()).unwrap().experiments.len(), more.len(), "round {round}");
        }
        assert_eq!(all_rows(&ledger), more, "round {round}");
        index_agrees_quickly(&ledger, more.len());
    }
}

fn index_agrees_quickly(ledger: &Ledger<'_>, count: usize) {
    let book = ledger.book().unwrap();
    assert_eq!((book.experiments.len(), book.problems.len()), (count, 0));
}

#[test]
fn fifty_threads_of_twenty_records_lose_nothing() {
    let dir = repository(&[]);
    let linked = tempfile::tempdir().unwrap();
    git(dir.path(), &["commit", "--quiet", "--allow-empty", "-m", "first"]);
    git(dir.path(), &["worktree", "add", "--quiet", linked.path().join("w").to_str().unwrap()]);
    std::thread::scope(|scope| {
        for writer in 0..50u64 {
            let path = if writer % 2 == 0 { dir.path().to_path_buf() } else { linked.path().join("w") };
            scope.spawn(move || {
                let repo = Repo::discover(&path).unwrap();
                let ledger = Ledger::open(&repo);
                for n in 0..20 {
                    append(&ledger, Ulid::from_parts(writer, n), &format!("writer-{writer}"), opened("x"));
                }
            });
        }
    });
    let repo = Repo::discover(&linked.path().join("w")).unwrap();
    let ledger = Ledger::open(&repo);
    let mut of: BTreeMap<Ulid, usize> = BTreeMap::new();
    for event in ledger.events().unwrap() {
        *of.entry(event.experiment).or_default() += 1;
    }
    assert_eq!((of.len(), of.values().sum::<usize>()), (1000, 1000));
    assert_eq!(git(dir.path(), &["rev-list", "--count", LEDGER_REF]), "1000");
    index_agrees(&ledger);
    fsck(dir.path());
}

/// Appends in a process of its own and prints the id of each record once it is acknowledged.
#[test]
#[ignore = "run by the tests below, in a process of its own"]
fn child_that_appends() {
    let dir = std::env::var("CHILD_DIR").expect("set by the parent");
    let count: u64 = std::env::var("CHILD_COUNT").unwrap().parse().unwrap();
    let repo = Repo::discover(Path::new(&dir)).unwrap();
    let ledger = Ledger::open(&repo);
    let mut out = std::io::stdout();
    for n in 0..count {
        let event = append(&ledger, Ulid::from_parts(std::process::id().into(), n.into()), "child", measured(2));
        writeln!(out, "\nacknowledged {}", event.id).unwrap();
        out.flush().unwrap();
    }
}

fn child(dir: &Path, count: u64) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["ledger::child_that_appends", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env("CHILD_DIR", dir)
        .env("CHILD_COUNT", count.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn acknowledged(output: impl std::io::Read) -> Vec<Ulid> {
    BufReader::new(output).lines().map_while(Result::ok).filter_map(|line| id_in(&line)).collect()
}

fn id_in(line: &str) -> Option<Ulid> {
    Ulid::from_string(line.strip_prefix("acknowledged ")?).ok()
}

#[test]
fn fifty_processes_of_twenty_records_lose_nothing() {
    fifty_processes(&repository(&[]), 20);
}

fn fifty_processes(dir: &tempfile::TempDir, records: u64) {
    let children: Vec<_> = (0..50).map(|_| child(dir.path(), records)).collect();
    let mut said = Vec::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        said.extend(acknowledged(output.stdout.as_slice()));
    }
    said.sort();
    let repo = Repo::discover(dir.path()).unwrap();
    let found: Vec<Ulid> = Ledger::open(&repo).events().unwrap().iter().map(|event| event.id).collect();
    assert_eq!(found.len() as u64, 50 * records);
    assert_eq!(found, said);
    fsck(dir.path());
}

#[test]
fn a_writer_killed_at_any_moment_leaves_every_acknowledged_record() {
    let dir = repository(&[]);
    let mut said: Vec<Ulid> = Vec::new();
    for round in 0..25u64 {
        let mut child = child(dir.path(), u64::MAX);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        said.extend(lines.by_ref().find_map(|line| id_in(&line)));
        std::thread::sleep(Duration::from_micros(rand::random_range(0..60_000)));
        child.kill().unwrap();
        said.extend(lines.filter_map(|line| id_in(&line)));
        child.wait().unwrap();
        let repo = Repo::discover(dir.path()).unwrap();
        let ledger = Ledger::open(&repo);
        let found: std::collections::BTreeSet<Ulid> = ledger.events().unwrap().iter().map(|e| e.id).collect();
        assert!(said.iter().all(|id| found.contains(id)), "round {round}");
        assert_eq!(all_rows(&ledger).len(), found.len());
        // What git asks its user to do, too, when it was killed while it held a ref.
        let _ = fs::remove_file(repo.ref_lock(LEDGER_REF));
    }
    assert!(said.len() >= 25, "the children did append: {}", said.len());
    let repo = Repo::discover(dir.path()).unwrap();
    append(&Ledger::open(&repo), Ulid::from_parts(1, 1), "after", opened("after"));
    fsck(dir.path());
}

#[test]
fn a_lock_left_behind_is_named_with_what_to_do() {
    use git_verdict::error::Explain;
    for (format, name) in [("files", "refs/verdict/ledger.lock"), ("reftable", "reftable/tables.list.lock")] {
        let dir = repository(&[&format!("--ref-format={format}")]);
        let repo = Repo::discover(dir.path()).unwrap();
        let ledger = Ledger::open(&repo);
        append(&ledger, Ulid::from_parts(7, 7), "first", opened("first"));
        let lock = dir.path().join(".git").join(name);
        let file = fs::File::create(&lock).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_secs(60)).unwrap();
        let event = ledger.draft(Ulid::from_parts(8, 8), "second", opened("second")).unwrap();
        let error = ledger.append(&event).unwrap_err();
        assert!(matches!(error, LedgerError::Locked { .. }), "{error:?}");
        assert!(error.next().unwrap().contains(name));
        fs::remove_file(&lock).unwrap();
        ledger.append(&event).unwrap();
    }
}

#[test]
fn two_clones_that_went_apart_end_the_same_and_git_agrees() {
    let origin = repository(&["--bare"]);
    let clones: Vec<tempfile::TempDir> = (0..2).map(|_| repository(&[])).collect();
    for clone in &clones {
        git(clone.path(), &["remote", "add", "origin", origin.path().to_str().unwrap()]);
    }
    let repos: Vec<Repo> = clones.iter().map(|c| Repo::discover(c.path()).unwrap()).collect();
    let ledgers: Vec<Ledger<'_>> = repos.iter().map(Ledger::open).collect();
    let mut ids = Vec::new();
    for round in 0..3u128 {
        for (who, ledger) in ledgers.iter().enumerate() {
            for n in 0..5u128 {
                let id = Ulid::from_parts(who as u64, round * 10 + n);
                ids.push(append(ledger, id, &format!("clone-{who}"), opened("x")).id);
            }
        }
        for (who, ledger) in ledgers.iter().enumerate().chain([(0, &ledgers[0])]) {
            let dir = clones[who].path();
            let theirs = Command::new("git")
                .arg("-C")
                .arg(dir)
                .args(["fetch", "--quiet", "origin", &format!("+{LEDGER_REF}:refs/verdict/remotes/origin")])
                .output()
                .unwrap();
            if theirs.status.success() {
                let theirs = repos[who].find_ref("refs/verdict/remotes/origin").unwrap().unwrap();
                let merged = ledger.merge(&theirs, "origin").unwrap();
                assert_eq!((merged.conflicts.len(), merged.dropped.len()), (0, 0));
                assert!(!ledger.merge(&theirs, "origin").unwrap().changed, "a second time there is nothing to do");
            }
            git(dir, &["push", "--quiet", "origin", LEDGER_REF]);
        }
        assert_eq!(ledgers[0].tip().unwrap(), ledgers[1].tip().unwrap(), "round {round}");
    }
    ids.sort();
    for (ledger, clone) in ledgers.iter().zip(&clones) {
        assert_eq!(ledger.events().unwrap().iter().map(|e| e.id).collect::<Vec<_>>(), ids);
        index_agrees(ledger);
        fsck(clone.path());
    }
    let bare = Repo::discover(origin.path()).unwrap();
    assert_eq!(Ledger::open(&bare).events().unwrap().len(), 30);
    fsck(origin.path());
}

#[test]
fn a_new_record_sends_less_than_ten_kilobytes_and_writes_as_many_objects_at_any_size() {
    let origin = repository(&["--bare"]);
    let dir = repository(&[]);
    git(dir.path(), &["remote", "add", "origin", origin.path().to_str().unwrap()]);
    let repo = Repo::discover(dir.path()).unwrap();
    let ledger = Ledger::open(&repo);
    let loose = || {
        let text = git(dir.path(), &["count-objects"]);
        text.split(' ').next().unwrap().parse::<usize>().unwrap()
    };
    let mut next = 0u64;
    for size in [1u64, 1200] {
        let events: Vec<Event> = (0..size)
            .map(|_| {
                next += 1;
                let mut event = ledger.draft(Ulid::from_parts(next, 1), "many", opened("many")).unwrap();
                event.id = Ulid::from_parts(1_600_000_000_000 + next, u128::from(next) * 0x9E37_79B9_7F4A_7C15);
                event
            })
            .collect();
        ledger.append_all(&events).unwrap();
        git(dir.path(), &["push", "--quiet", "origin", LEDGER_REF]);
        let before = loose();
        append(&ledger, Ulid::from_parts(1, 1), "one", measured(30));
        assert_eq!(loose() - before, 7, "at {size}");
        let list = git(dir.path(), &["rev-list", "--objects", LEDGER_REF, &format!("^{LEDGER_REF}~1")]);
        let mut pack = Command::new("git")
            .arg("-C")
            .arg(dir.path())
            .args(["pack-objects", "--quiet", "--stdout"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        pack.stdin.take().unwrap().write_all((list + "\n").as_bytes()).unwrap();
        let bytes = pack.wait_with_output().unwrap().stdout.len();
        assert!(bytes < 10_000, "{bytes} bytes at {size}");
    }
}

#[test]
fn the_ledger_works_in_bare_shallow_and_borrowing_clones() {
    let dir = repository(&[]);
    git(dir.path(), &["commit", "--quiet", "--allow-empty", "-m", "first"]);
    let repo = Repo::discover(dir.path()).unwrap();
    let ledger = Ledger::open(&repo);
    for n in 0..3 {
        append(&ledger, Ulid::from_parts(7, n), "first", opened("first"));
    }
    let url = format!("file://{}", dir.path().display());
    let place = tempfile::tempdir().unwrap();
    for (count, (name, options)) in [
        ("bare", vec!["--bare"]),
        ("shallow", vec!["--depth=1"]),
        ("borrowing", vec!["--reference", dir.path().to_str().unwrap()]),
    ]
    .into_iter()
    .enumerate()
    {
        let path = place.path().join(name);
        let words: Vec<&str> =
            ["clone", "--quiet"].into_iter().chain(options).chain([url.as_str(), path.to_str().unwrap()]).collect();
        git(place.path(), &words);
        git(&path, &["config", "user.name", "Ada"]);
        git(&path, &["config", "user.email", "ada@example.org"]);
        let depth: &[&str] = if name == "shallow" { &["--depth=1"] } else { &[] };
        let refspec = format!("{LEDGER_REF}:{LEDGER_REF}");
        let words: Vec<&str> =
            ["fetch", "--quiet"].iter().chain(depth).chain(&["origin", refspec.as_str()]).copied().collect();
        git(&path, &words);
        let repo = Repo::discover(&path).unwrap();
        let ledger = Ledger::open(&repo);
        let event = append(&ledger, Ulid::from_parts(8, 8), "second", opened("second"));
        assert_eq!(ledger.events().unwrap().len(), 4 + count, "{name}");
        assert_eq!(ledger.find(event.id).unwrap(), Some(event), "{name}");
        index_agrees(&ledger);
        fsck(&path);
        git(&path, &["push", "--quiet", "origin", &format!("{LEDGER_REF}:refs/verdict/from-{name}")]);
        let theirs = Repo::discover(dir.path()).unwrap();
        let tip = theirs.find_ref(&format!("refs/verdict/from-{name}")).unwrap().unwrap();
        assert_eq!(Ledger::open(&theirs).merge(&tip, name).unwrap().added, 1, "{name}");
    }
    assert_eq!(Ledger::open(&repo).events().unwrap().len(), 6);
    fsck(dir.path());
}

#[test]
fn the_ledger_works_in_a_sha256_repository() {
    let dir = repository(&["--object-format=sha256"]);
    let repo = Repo::discover(dir.path()).unwrap();
    let ledger = Ledger::open(&repo);
    let id = Ulid::from_parts(7, 7);
    for fact in [opened("new-hash"), measured(2), decided(Verdict::Keep, None)] {
        append(&ledger, id, "new-hash", fact);
    }
    assert_eq!(ledger.tip().unwrap().unwrap().as_str().len(), 64);
    assert_eq!(ledger.events().unwrap().len(), 3);
    index_agrees(&ledger);
    fsck(dir.path());
    git(dir.path(), &["gc", "--quiet"]);
    append(&ledger, id, "new-hash", decided(Verdict::Revert, None));
    assert_eq!(
        Ledger::open(&Repo::discover(dir.path()).unwrap()).book().unwrap().experiments[0].state,
        State::Reverted
    );
    fsck(dir.path());
}

#[test]
fn a_partial_clone_brings_the_records_that_it_lacks() {
    let dir = repository(&[]);
    git(dir.path(), &["config", "uploadpack.allowFilter", "true"]);
    git(dir.path(), &["config", "uploadpack.allowAnySHA1InWant", "true"]);
    git(dir.path(), &["commit", "--quiet", "--allow-empty", "-m", "first"]);
    let repo = Repo::discover(dir.path()).unwrap();
    for n in 0..5 {
        append(&Ledger::open(&repo), Ulid::from_parts(7, n), "first", opened("first"));
    }
    let place = tempfile::tempdir().unwrap();
    let url = format!("file://{}", dir.path().display());
    let clone = place.path().join("p");
    git(place.path(), &["clone", "--quiet", "--filter=blob:none", &url, "p"]);
    git(&clone, &["fetch", "--quiet", "origin", &format!("{LEDGER_REF}:{LEDGER_REF}")]);
    let missing = git(&clone, &["rev-list", "--objects", "--missing=print", LEDGER_REF]);
    assert_eq!(missing.lines().filter(|line| line.starts_with('?')).count(), 6, "five records and the format");
    let partial = Repo::discover(&clone).unwrap();
    assert_eq!(Ledger::open(&partial).events().unwrap(), Ledger::open(&repo).events().unwrap());
    index_agrees(&Ledger::open(&partial));
}

#[test]
fn the_ledger_works_where_refs_are_kept_as_reftable() {
    for hash in ["sha1", "sha256"] {
        let dir = repository(&["--ref-format=reftable", &format!("--object-format={hash}")]);
        let repo = Repo::discover(dir.path()).unwrap();
        let ledger = Ledger::open(&repo);
        assert_eq!(ledger.tip().unwrap(), None);
        let id = Ulid::from_parts(7, 7);
        for fact in [opened("tables"), measured(2), decided(Verdict::Keep, None)] {
            append(&ledger, id, "tables", fact);
        }
        assert_eq!(git(dir.path(), &["rev-parse", LEDGER_REF]), ledger.tip().unwrap().unwrap().as_str());
        assert!(!dir.path().join(".git").join(LEDGER_REF).exists());
        // What another process writes is seen by a ledger that is open.
        let tip = ledger.tip().unwrap().unwrap();
        git(dir.path(), &["update-ref", LEDGER_REF, &format!("{tip}^")]);
        assert_eq!(ledger.events().unwrap().len(), 2);
        git(dir.path(), &["update-ref", LEDGER_REF, tip.as_str()]);
        assert_eq!(ledger.events().unwrap().len(), 3);
        index_agrees(&ledger);
        git(dir.path(), &["gc", "--quiet"]);
        append(&ledger, id, "tables", decided(Verdict::Revert, None));
        assert_eq!(Ledger::open(&repo).book().unwrap().experiments[0].state, State::Reverted);
        fsck(dir.path());
    }
}

#[test]
fn fifty_processes_lose_nothing_where_refs_are_kept_as_reftable() {
    // Each starts git; with more of them, who waits for others on a busy machine is out of patience.
    fifty_processes(&repository(&["--ref-format=reftable"]), 8);
}

#[test]
fn a_full_disk_is_a_clear_error_and_loses_nothing() {
    use git_verdict::error::Explain;
    let dir = tempfile::tempdir().unwrap();
    let Some(_mount) = Mount::tmpfs(dir.path(), "size=2m") else { return };
    git(dir.path(), &["init", "--quiet", "--initial-branch=main"]);
    git(dir.path(), &["config", "user.name", "Ada"]);
    git(dir.path(), &["config", "user.email", "ada@example.org"]);
    let repo = Repo::discover(dir.path()).unwrap();
    let ledger = Ledger::open(&repo);
    let mut done = Vec::new();
    let error = loop {
        let event = ledger.draft(Ulid::from_parts(7, 7), "fill", measured(40)).unwrap();
        match ledger.append(&event) {
            Ok(()) => done.push(event),
            Err(error) => break error,
        }
        assert!(done.len() < 5000, "the disk is never full");
    };
    assert!(matches!(error, LedgerError::Write(_)), "{error:?}");
    assert!(error.next().unwrap().contains("make room"));
    let repo = Repo::discover(dir.path()).unwrap();
    let ledger = Ledger::open(&repo);
    assert_eq!(ledger.events().unwrap(), done);
    assert_eq!(all_rows(&ledger).len(), done.len(), "reading needs no room");
    fsck(dir.path());
}

#[test]
fn a_read_only_repository_is_read_and_not_written() {
    for format in ["files", "reftable"] {
        read_only(&format!("--ref-format={format}"));
    }
}

fn read_only(format: &str) {
    let dir = tempfile::tempdir().unwrap();
    let Some(mount) = Mount::tmpfs(dir.path(), "size=8m") else { return };
    git(dir.path(), &["init", "--quiet", "--initial-branch=main", format]);
    git(dir.path(), &["config", "user.name", "Ada"]);
    git(dir.path(), &["config", "user.email", "ada@example.org"]);
    let event = {
        let repo = Repo::discover(dir.path()).unwrap();
        append(&Ledger::open(&repo), Ulid::from_parts(7, 7), "first", opened("first"))
    };
    mount.read_only();
    let repo = Repo::discover(dir.path()).unwrap();
    let ledger = Ledger::open(&repo);
    assert_eq!(ledger.events().unwrap(), vec![event]);
    assert_eq!(all_rows(&ledger).len(), 1);
    let next = ledger.draft(Ulid::from_parts(8, 8), "second", opened("second")).unwrap();
    let error = ledger.append(&next).unwrap_err();
    assert!(matches!(error, LedgerError::Write(_)), "{error:?}");
    assert!(format!("{:?}", error).contains("Read-only file system"), "{error:?}");
}

/// A small file system of its own, where that is allowed.
struct Mount(PathBuf);

impl Mount {
    fn tmpfs(path: &Path, options: &str) -> Option<Mount> {
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(path).output();
        if done.as_ref().is_ok_and(|output| output.status.success()) {
            return Some(Mount(path.to_path_buf()));
        }
        let reason = done.map_or_else(|e| e.to_string(), |o| String::from_utf8_lossy(&o.stderr).into_owned());
        eprintln!("skipped: a file system cannot be mounted here ({})", reason.trim());
        None
    }
    fn read_only(&self) {
        assert!(Command::new("mount").args(["-o", "remount,ro"]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
