//! The texts that land in history, checked with the real git and against the documentation.

use crate::common;

use crate::common::documented;
use git_verdict::adr::convention::Head;
use git_verdict::adr::file::DecisionFile;
use git_verdict::adr::log;
use git_verdict::adr::options::{Considered, Options};
use git_verdict::adr::render::{Shape, Source, decided};
use git_verdict::config::{AdrFormat, Better, Matters, RevertMode};
use git_verdict::decision::Draft;
use git_verdict::experiment::{Experiment, State};
use git_verdict::git::{Oid, Person};
use git_verdict::inspect::diff::{Attribution, Row};
use git_verdict::ledger::event::{Decided, Event, Fact, Identity, Measured, Opened, VERSION, Verdict};
use git_verdict::measure::anatomy::Origin;
use git_verdict::measure::{CheckResult, Side, environment::Environment};
use git_verdict::policy::maintenance::Maintenance;
use git_verdict::policy::{Advice, Complexity, MetricComparison, Recommendation};
use git_verdict::render::message::{distinct, parse_message};
use git_verdict::render::table::{self, Look};
use git_verdict::render::template::{NAMES, REPORT, STYLE, built_in};
use git_verdict::render::{Lang, RenderError, Renderer, lang, text};
use git_verdict::stats::Word;
use git_verdict::units::{Ratio, Unit};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use ulid::Ulid;

fn oid(digit: char) -> Oid {
    Oid::parse(&digit.to_string().repeat(40)).unwrap()
}

fn identity(digit: char) -> Identity {
    Identity { commit: oid(digit), tree: oid('f'), patch: None }
}

fn ulid(text: &str) -> Ulid {
    Ulid::from_string(text).unwrap()
}

fn row(metric: &str, unit: Unit, base: f64, candidate: f64, word: Word) -> MetricComparison {
    MetricComparison {
        metric: metric.into(),
        matters: if unit == Unit::Bytes { Matters::Absolute(50e6) } else { Matters::Relative(Ratio(0.05)) },
        unit,
        better: Better::Lower,
        base,
        candidate,
        relative: (base != 0.0).then(|| candidate / base - 1.0),
        interval: None,
        exact: true,
        rounds: 2,
        word,
        limit: None,
        detectable: None,
        rounds_needed: None,
    }
}

fn timed(metric: &str, base: f64, candidate: f64, interval: [f64; 2], rounds: usize, word: Word) -> MetricComparison {
    MetricComparison {
        interval: Some(interval),
        exact: false,
        rounds,
        ..row(metric, Unit::Seconds, base, candidate, word)
    }
}

fn story_rows() -> Vec<MetricComparison> {
    vec![
        timed("build_time", 872.1, 1230.4, [0.38, 0.441], 12, Word::Regressed),
        row("image_size", Unit::Bytes, 3.6e9, 3.3e9, Word::Improved),
    ]
}

fn recommendation(advice: Advice, reasons: &[&str]) -> Recommendation {
    Recommendation::new(advice, reasons.iter().map(|r| (*r).into()).collect())
}

/// The second option of the story: stacked on the first, measured, reverted.
fn story() -> Draft {
    let decided = Decided {
        verdict: Verdict::Revert,
        because: "A build that takes six minutes longer costs every pull request; 0.3 GB costs the registry \
                  once. The one-line pip cache purge has most of the effect."
            .into(),
        mode: Some(RevertMode::Merge),
        measured: Some(ulid("01K7ZT5M2Q8W3E4R5T6Y7V8J9A")),
        comparison: story_rows(),
        recommendation: Some(recommendation(Advice::Revert, &["6.0 min of build_time cost more than 0.30 GB"])),
        overrode: false,
        base: identity('1'),
        candidate: identity('3'),
        commits: vec![oid('2'), oid('3')],
        revert_commit: None,
        landed: None,
        onto: "main".into(),
    };
    let opened = Opened {
        title: "multi-stage build optimization".into(),
        hypothesis: "Copying only the installed packages into a second stage leaves pip's leftovers behind and \
                     makes the image smaller."
            .into(),
        base: identity('1'),
        onto: "main".into(),
        branch: "verdict/multi-stage".into(),
        stands_on: Some(ulid("01K7ZT0000000000000000000A")),
        adopted: None,
    };
    Draft {
        event: Event {
            version: VERSION,
            id: ulid("01K7ZT5M2Q8W3E4R5T6Y7V8J9K"),
            at: chrono::DateTime::parse_from_rfc3339("2025-10-20T10:00:00+08:00").unwrap(),
            by: Person { name: "Ada Example".into(), email: "ada@example.org".into() },
            tool: "git-verdict 0.1.0".into(),
            experiment: ulid("01K7ZT1111111111111111111A"),
            name: "multi-stage".into(),
            fact: Fact::Decided(Box::new(decided)),
            extra: Default::default(),
        },
        opened,
        stands_on: Some("pip-cache".into()),
        steps: Vec::new(),
        notes: Vec::new(),
        plan: None,
        unseen: false,
    }
}

fn measured() -> Measured {
    let side = |name: &str, digit| Side { name: name.into(), commit: oid(digit), tree: oid('f') };
    Measured {
        session: ulid("01K7ZT5M2Q8W3E4R5T6Y7V8J9B"),
        base: identity('1'),
        candidate: identity('3'),
        sides: vec![side("base", '1'), side("candidate", '3')],
        seed: 7,
        config_hash: "c0ffee".repeat(10) + "c0ff",
        environment: Environment {
            platform: "linux x86_64".into(),
            cpu: "Example CPU 3000".into(),
            cores: 2,
            memory: 8_000_000_000,
            kernel: "6.12.0".into(),
            more: BTreeMap::from([("podman".to_string(), "5.4.2".to_string())]),
        },
        samples: Vec::new(),
        checks: vec![check("tests", true, "exit status 0")],
        comparison: story_rows(),
        complexity: Complexity {
            files: 2,
            added: 31,
            removed: 6,
            new_dependencies: vec!["virtualenv (requirements.txt)".into()],
            maintenance: Some(Maintenance::new(25, 0, 1, 1)),
        },
        recommendation: recommendation(Advice::Revert, &["6.0 min of build_time cost more than 0.30 GB"]),
        failures: Vec::new(),
        reused: None,
        origins: Vec::new(),
        assumptions: None,
        hidden_checks: None,
        ruler: None,
        rechecks: None,
    }
}

#[test]
fn where_an_inconclusive_change_came_from_is_not_told() {
    let origin = |metric: &str, unit: Unit, what: &str, [before, after]: [i64; 2]| {
        let change = after - before;
        let row =
            Row { what: what.into(), before: Some(before), after: Some(after), change, source: None, detail: vec![] };
        let (unexplained, unexplained_as) = (0, String::new());
        let attribution =
            Attribution { unit, rows: vec![row], before, after, unexplained, unexplained_as, partial: false };
        Origin { metric: metric.into(), first: 0, second: 1, attribution }
    };
    let mut measured = measured();
    measured.comparison[0].word = Word::Inconclusive;
    measured.origins = vec![
        origin("build_time", Unit::Seconds, "step 3 (RUN make)", [2_000_000, 4_000_000]),
        origin("image_size", Unit::Bytes, "layer 7 (COPY --from=build)", [3_000_000, 2_000_000]),
    ];
    let message = Renderer::new(Lang::En).unwrap().revert(&story(), Some(&measured)).unwrap();
    assert!(message.contains("\nWhere: -1 MB from layer 7 (COPY --from=build).\n"), "{message}");
}

fn check(name: &str, passed: bool, outcome: &str) -> CheckResult {
    CheckResult {
        name: name.into(),
        side: 1,
        passed,
        hidden: false,
        seconds: 1.0,
        outcome: outcome.into(),
        tail: String::new(),
    }
}

fn edit(draft: &mut Draft, change: impl FnOnce(&mut Decided)) {
    match &mut draft.event.fact {
        Fact::Decided(decided) => change(decided),
        _ => unreachable!("the story is a decision"),
    }
}

fn kept() -> Draft {
    let mut draft = story();
    draft.event.name = "pip-cache".into();
    draft.opened.title = "pip cache cleanup".into();
    draft.opened.branch = "verdict/pip-cache".into();
    draft.stands_on = None;
    edit(&mut draft, |d| {
        d.verdict = Verdict::Keep;
        d.mode = None;
        d.because = "One line, low risk.".into();
        d.comparison = vec![
            timed("build_time", 1352.0, 872.1, [-0.37, -0.34], 12, Word::Improved),
            row("image_size", Unit::Bytes, 9.6e9, 3.6e9, Word::Improved),
        ];
        d.recommendation = Some(recommendation(Advice::Keep, &["improved and nothing worse"]));
    });
    draft
}

fn renderer(lang: Lang) -> Renderer {
    Renderer::new(lang).unwrap()
}

/// What the real git finds in a message, one `Key: value` a line.
fn interpreted(message: &str) -> Vec<String> {
    let mut child = Command::new("git")
        .args(["interpret-trailers", "--parse"])
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(message.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_string).collect()
}

fn keys(lines: &[String]) -> Vec<&str> {
    lines.iter().map(|l| l.split_once(": ").unwrap().0).collect()
}

const WHOLE: [&str; 7] = [
    "Verdict",
    "Verdict-Experiment",
    "Verdict-Record",
    "Verdict-Baseline",
    "Verdict-Candidate",
    "Verdict-Metric",
    "Verdict-Metric",
];

#[test]
fn the_revert_of_the_story_reads_as_it_should() {
    insta::assert_snapshot!("revert_en", renderer(Lang::En).revert(&story(), Some(&measured())).unwrap());
    insta::assert_snapshot!("revert_zh_cn", renderer(Lang::ZhCn).revert(&story(), Some(&measured())).unwrap());
}

#[test]
fn the_keep_of_the_story_reads_as_it_should() {
    insta::assert_snapshot!("keep_en", renderer(Lang::En).merge(&kept(), "perf", None).unwrap());
    insta::assert_snapshot!("keep_zh_cn", renderer(Lang::ZhCn).merge(&kept(), "perf", None).unwrap());
}

#[test]
fn the_merge_after_a_revert_points_at_the_revert_commit() {
    insta::assert_snapshot!("merge_revert_en", renderer(Lang::En).merge(&story(), "perf", None).unwrap());
    insta::assert_snapshot!("merge_revert_zh_cn", renderer(Lang::ZhCn).merge(&story(), "perf", None).unwrap());
}

#[test]
fn the_commit_of_a_decision_file_carries_the_numbers_in_mode_archive_alone() {
    let file = Path::new("docs/adr/0002-multi-stage.md");
    let mut draft = story();
    let short = renderer(Lang::En).adr_commit(&draft, None, file).unwrap();
    assert_eq!(keys(&interpreted(&short)), WHOLE[..3]);
    edit(&mut draft, |d| d.mode = Some(RevertMode::Archive));
    for language in Lang::ALL {
        let whole = renderer(language).adr_commit(&draft, None, file).unwrap();
        assert_eq!(keys(&interpreted(&whole)), WHOLE);
        assert!(whole.contains("refs/verdict/archive/multi-stage") && whole.contains("872.1"), "{whole}");
        insta::assert_snapshot!(format!("adr_commit_{}", language.code()), whole);
    }
}

/// Every case of the first sentence, each with what it must say.
#[test]
fn the_sentence_states_the_trade_in_every_case() {
    let sentence = |change: &dyn Fn(&mut Decided)| {
        let mut draft = story();
        edit(&mut draft, |d| change(d));
        let message = renderer(Lang::En).revert(&draft, None).unwrap();
        let body = message.split("\n\n").nth(1).unwrap().replace('\n', " ");
        (body, message)
    };
    type Change = Box<dyn Fn(&mut Decided)>;
    let cases: Vec<(&str, Change)> = vec![
        ("mixed", Box::new(|_| {})),
        (
            "mixed, against advice to keep",
            Box::new(|d| {
                d.overrode = true;
                d.recommendation = Some(recommendation(Advice::Keep, &["worth it by the rates"]));
            }),
        ),
        ("mixed, kept", Box::new(|d| d.verdict = Verdict::Keep)),
        (
            "only regressions",
            Box::new(|d| {
                d.comparison = vec![
                    timed("build_time", 872.1, 1230.4, [0.38, 0.441], 12, Word::Regressed),
                    row("layers", Unit::Count, 12.0, 14.0, Word::Regressed),
                    MetricComparison {
                        better: Better::Higher,
                        ..row("throughput", Unit::Custom("req/s".into()), 1250.0, 1100.0, Word::Regressed)
                    },
                ]
            }),
        ),
        (
            "only improvements",
            Box::new(|d| {
                d.comparison = vec![
                    row("a", Unit::Bytes, 3e6, 2e6, Word::Improved),
                    row("b", Unit::Bytes, 3e6, 1e6, Word::Improved),
                    row("c", Unit::Bytes, 3e6, 1.5e6, Word::Improved),
                ]
            }),
        ),
        (
            "nothing changed",
            Box::new(|d| {
                d.comparison = vec![
                    timed("build_time", 872.1, 870.0, [-0.01, 0.005], 20, Word::Unchanged),
                    row("image_size", Unit::Bytes, 3.6e9, 3.6e9, Word::Unchanged),
                ]
            }),
        ),
        (
            "inconclusive",
            Box::new(|d| d.comparison = vec![timed("build_time", 10.0, 10.4, [-0.06, 0.14], 5, Word::Inconclusive)]),
        ),
        (
            "regressed, unchanged and inconclusive",
            Box::new(|d| {
                d.comparison = vec![
                    row("image_size", Unit::Bytes, 3e9, 3.5e9, Word::Regressed),
                    row("layers", Unit::Count, 12.0, 12.0, Word::Unchanged),
                    timed("build_time", 10.0, 10.4, [-0.06, 0.14], 1, Word::Inconclusive),
                ]
            }),
        ),
        ("from zero", Box::new(|d| d.comparison = vec![row("errors", Unit::Count, 0.0, 3.0, Word::Regressed)])),
        (
            "not measured",
            Box::new(|d| {
                d.comparison.clear();
                d.measured = None;
                d.recommendation = None;
                d.overrode = true;
            }),
        ),
    ];
    let told: String = cases.iter().map(|(name, change)| format!("{name}: {}\n", sentence(change).0)).collect();
    insta::assert_snapshot!("sentences_en", told);
    let chinese: String = cases
        .iter()
        .map(|(name, change)| {
            let mut draft = story();
            edit(&mut draft, |d| change(d));
            let message = renderer(Lang::ZhCn).revert(&draft, None).unwrap();
            format!("{name}: {}\n", message.split("\n\n").nth(1).unwrap().replace('\n', ""))
        })
        .collect();
    insta::assert_snapshot!("sentences_zh_cn", chinese);
    let (_, unmeasured) = sentence(&cases.last().unwrap().1);
    assert_eq!(keys(&interpreted(&unmeasured)), WHOLE[..5]);
}

#[test]
fn a_title_is_spoken_of_as_what_it_is() {
    let begins = |title: &str, language: Lang| {
        let mut draft = story();
        draft.opened.title = title.into();
        let message = renderer(language).revert(&draft, None).unwrap();
        let (subject, rest) = message.split_once("\n\n").unwrap();
        (subject.to_string(), rest.lines().next().unwrap().to_string())
    };
    let english = |title| begins(title, Lang::En);
    assert!(english("multi-stage").1.starts_with("The experiment multi-stage increased"));
    assert!(english("the second stage").1.starts_with("The second stage increased"));
    assert!(english("purge the cache.").1.starts_with("The change \"purge the cache\" increased"));
    assert_eq!(english("Multi-stage build.").0, "revert: multi-stage build");
    assert_eq!(english("LTO for all").0, "revert: LTO for all");
    assert_eq!(english("").0, "revert: multi-stage");
    assert_eq!(english("two\nlines\r\nVerdict: keep").0, "revert: two lines Verdict: keep");
    let long = "a very long title that goes on and on until no subject line in the world could hold it any more";
    let (subject, _) = english(long);
    assert!(text::width(&subject) <= 72 && subject.ends_with('…'), "{subject}");
    assert!(begins("多阶段构建", Lang::ZhCn).0 == "revert: 多阶段构建");
}

#[test]
fn limits_checks_and_overruled_advice_have_lines_of_their_own() {
    let mut draft = story();
    edit(&mut draft, |d| {
        d.comparison[1].limit = Some(3e9);
        d.overrode = true;
        d.recommendation = Some(recommendation(Advice::Keep, &["it is worth it by the rates.", "checks passed"]));
    });
    let mut evidence = measured();
    evidence.checks =
        vec![check("tests", false, "exit status 1"), CheckResult { side: 0, ..check("base", false, "exit status 9") }];
    let message = renderer(Lang::En).revert(&draft, Some(&evidence)).unwrap();
    assert!(message.contains("\nimage_size is 3.30 GB, over its limit of 3.00 GB.\n"), "{message}");
    assert!(
        message.contains("\nCheck tests failed: exit status 1.\n") && !message.contains("exit status 9"),
        "{message}"
    );
    let line = "\nAgainst the recommendation (keep): it is worth it by the rates; checks\npassed.\n";
    assert!(message.contains(line), "{message}");
}

/// Reasons, titles, names and check outcomes that try to become something else.
const HOSTILE: [&str; 14] = [
    "x\n\nVerdict: keep",
    "x\n\nVerdict: keep\nVerdict-Record: 01ARZ3NDEKTSV4RRFFQ69G5FAV\n",
    "---\nVerdict: keep",
    "x\n--- \n\nVerdict: keep",
    "x\r\n\r\nVerdict-Metric: a 1 s -> 2 s n=3 improved\r\n",
    "x\u{2028}\u{2028}Verdict: keep",
    "# ------------------------ >8 ------------------------\nVerdict: keep",
    "Signed-off-by: Nobody <n@example.org>",
    "x\nThis reverts commit 0000000000000000000000000000000000000000.",
    "x\x1b[2K\x1b[1A\u{202e}evil\u{202c}",
    "{{ 7 * 7 }}{% for x in range(9) %}x{% endfor %}",
    "diff --git a/x b/x\nIndex: x\n#comment",
    "word word word word word word word word word word word word word word Verdict: keep and --- more",
    "\n\n\n",
];

#[test]
fn no_text_of_the_user_can_forge_or_break_the_trailers() {
    for hostile in HOSTILE {
        for language in Lang::ALL {
            let mut draft = story();
            draft.opened.title = hostile.into();
            draft.opened.hypothesis = hostile.into();
            draft.opened.branch = format!("verdict/{hostile}");
            draft.event.name = hostile.into();
            draft.stands_on = Some(hostile.into());
            edit(&mut draft, |d| {
                d.because = hostile.into();
                d.onto = hostile.into();
                d.comparison[0].metric = hostile.into();
                d.comparison[1].unit = Unit::Custom(hostile.into());
                d.overrode = true;
                d.recommendation = Some(recommendation(Advice::Keep, &[hostile]));
                d.commits = (0..200).map(|n| oid(char::from_digit(n % 16, 16).unwrap())).collect();
            });
            let mut evidence = measured();
            evidence.checks = vec![check(hostile, false, hostile)];
            let renderer = renderer(language);
            let file = PathBuf::from(hostile);
            for (message, whole) in [
                (renderer.revert(&draft, Some(&evidence)).unwrap(), true),
                (renderer.merge(&draft, hostile, Some(&evidence)).unwrap(), false),
                (renderer.adr_commit(&draft, Some(&evidence), &file).unwrap(), false),
            ] {
                let found = interpreted(&message);
                // A name of nothing but line ends leaves a trailer without a value; git still lists it.
                let found: Vec<&str> = found.iter().map(|l| l.split_once(':').unwrap().0).collect();
                assert_eq!(found, if whole { &WHOLE[..] } else { &WHOLE[..3] }, "{hostile:?}\n{message}");
                let (body, block) = message.trim_end().rsplit_once("\n\n").unwrap();
                assert!(block.starts_with("Verdict: revert\n"), "{message}");
                assert_eq!(body.matches("\nThis reverts commit ").count(), if whole { 200 } else { 0 }, "{message}");
                for line in body.lines().skip(1) {
                    assert!(!text::poses(line), "{hostile:?}: {line}");
                    assert!(!line.contains(['\x1b', '\u{202e}', '\r', '\u{2028}']), "{line:?}");
                    assert!(text::width(line) <= 100, "{line}");
                }
                assert!(!message.contains("49"), "a template in a value is not run: {message}");
                assert_eq!(message.lines().nth(1), Some(""), "{message}");
            }
        }
    }
}

#[test]
fn a_commit_made_with_the_message_gives_it_back_to_git_and_to_us() {
    let dir = tempfile::tempdir().unwrap();
    let git = |args: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
            .args(args)
            .current_dir(dir.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    git(&["init", "--quiet"]);
    for message in [
        renderer(Lang::En).revert(&story(), None).unwrap(),
        renderer(Lang::ZhCn).merge(&story(), "perf", None).unwrap(),
        renderer(Lang::En).merge(&kept(), "perf", None).unwrap(),
    ] {
        fs::write(dir.path().join("message"), &message).unwrap();
        // The default clean-up strips comments and white space: there must be nothing to strip.
        git(&["commit", "--quiet", "--allow-empty", "-F", "message"]);
        assert_eq!(git(&["log", "-1", "--format=%B"]).trim_end(), message.trim_end());
        git(&["commit", "--quiet", "--allow-empty", "--signoff", "-F", "message"]);
        let signed = git(&["log", "-1", "--format=%B"]);
        assert_eq!(parse_message(&signed), parse_message(&message));
        assert_eq!(keys(&interpreted(&signed)).last(), Some(&"Signed-off-by"));
    }
}

#[test]
fn a_log_rebuilt_from_messages_has_each_record_once_with_its_numbers() {
    let merge = renderer(Lang::ZhCn).merge(&story(), "perf", None).unwrap();
    let revert = renderer(Lang::En).revert(&story(), None).unwrap();
    let mut other = kept();
    other.event.id = ulid("01K7ZT5M2Q8W3E4R5T6Y7V8J9C");
    let keep = renderer(Lang::En).merge(&other, "perf", None).unwrap();
    let found = [&merge, &revert, &keep, &merge].map(|m| parse_message(m).unwrap());
    let log = distinct(found.into_iter().enumerate());
    assert_eq!(log.iter().map(|(tag, _)| *tag).collect::<Vec<_>>(), [1, 2]);
    let carried = &log[0].1;
    assert_eq!((carried.verdict, carried.experiment.as_str()), (Verdict::Revert, "multi-stage"));
    assert_eq!((carried.baseline.clone(), carried.candidate.clone()), (Some(oid('1')), Some(oid('3'))));
    let rows: Vec<MetricComparison> = carried.metrics.iter().cloned().map(|m| m.into_comparison()).collect();
    assert_eq!((rows[0].base, rows[0].candidate, rows[0].rounds), (872.1, 1230.4, 12));
    assert_eq!(rows[0].interval.unwrap().map(|v| (v * 1000.0).round()), [380.0, 441.0]);
    assert_eq!((rows[1].base, rows[1].exact, rows[1].word), (3.6e9, true, Word::Improved));
    assert!(rows.iter().all(|r| r.better == Better::Lower));
}

#[test]
fn the_shapes_in_the_documentation_are_the_shapes_that_are_written() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/messages.md")).unwrap();
    let block = |name: &str| {
        let start = format!("<!-- example: {name} -->\n\n```text\n");
        let (_, rest) = page.split_once(&start).unwrap_or_else(|| panic!("docs/messages.md has no example {name}"));
        rest.split_once("```\n").unwrap().0.to_string()
    };
    let english = renderer(Lang::En);
    assert_eq!(block("revert"), english.revert(&story(), Some(&measured())).unwrap());
    assert_eq!(block("keep"), english.merge(&kept(), "perf", None).unwrap());
    assert_eq!(block("merge-revert"), english.merge(&story(), "perf", None).unwrap());
    assert_eq!(block("revert-zh-CN"), renderer(Lang::ZhCn).revert(&story(), Some(&measured())).unwrap());
}

fn keys_of(value: &serde_json::Value) -> BTreeSet<String> {
    value.as_object().unwrap_or_else(|| panic!("{value} is no object")).keys().cloned().collect()
}

#[test]
fn every_value_that_a_template_sees_is_documented_and_no_other() {
    let english = renderer(Lang::En);
    let json = |value: minijinja::Value| serde_json::to_value(value).unwrap();
    let message = json(english.message_values(&story(), Some(&measured()), "revert", None).unwrap());
    assert_eq!(documented("## Values in messages"), keys_of(&message));
    assert_eq!(documented("### A metric"), keys_of(&message["rows"][0]));
    assert_eq!(documented("### A recommendation"), keys_of(&message["advice"]));
    assert_eq!(documented("### What the change weighs"), keys_of(&message["complexity"]));

    let (experiment, other) = (decided(&experiment(), &story()), experiment());
    let considered = Considered { experiment: &other, measured: &other.measured[0].1, stands_on: None, below: true };
    let options = Options { others: vec![considered], ..Options::default() };
    let source = Source { experiment: &experiment, stands_on: None, by: None, options: &options };
    let file = json(english.decision_file_values(source, MADR));
    assert_eq!(documented("## Values in decision files"), keys_of(&file));
    assert_eq!(documented("### A decision driver"), keys_of(&file["drivers"][0]));
    assert_eq!(documented("### A check"), keys_of(&file["checks"][0]));
    assert_eq!(documented("### The machine"), keys_of(&file["environment"]));
    assert_eq!(documented("### Another option"), keys_of(&file["options"][0]));

    let record = experiment.decided.as_ref().unwrap();
    let entry = log::Source::Ledger { experiment: &experiment, decided: record, stands_on: None, by: None };
    assert_eq!(documented("## Values in DECISIONS.md"), keys_of(&json(english.decision_values(entry))));
    let names = NAMES.into_iter().chain(REPORT.map(|(name, _)| name)).chain([STYLE.0]);
    assert_eq!(documented("## The templates"), names.map(String::from).collect());
}

#[test]
fn every_language_has_every_template_and_none_is_a_copy_of_another() {
    for name in NAMES {
        let texts: Vec<&str> = Lang::ALL.iter().map(|l| built_in(*l, name).unwrap()).collect();
        assert_ne!(texts[0], texts[1], "{name} is not translated");
    }
    for language in Lang::ALL {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates").join(language.code());
        for entry in fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(
                ["strings.toml", "messages.po", "help.po"].contains(&name.as_str()) || NAMES.contains(&name.as_str()),
                "{name} is used by nobody"
            );
        }
    }
}

/// Every `text(lang, "key", …)` and `word(lang, "key")` of the sources names a key that exists.
#[test]
fn every_key_that_the_sources_name_exists() {
    let call = regex::Regex::new(r#"\b(?:text|word|heading|lookup)\(\s*(?:[\w.:]+,\s*)?"([a-z_]+\.[a-z_]+)""#).unwrap();
    let known: Vec<&str> = lang::keys(Lang::En).collect();
    let mut seen = 0;
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = fs::read_to_string(&path).unwrap();
            let code = source.split("#[cfg(test)]").next().unwrap();
            for key in call.captures_iter(code).map(|c| c[1].to_string()) {
                assert!(known.contains(&key.as_str()), "{}: no text has the key {key}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 20, "only {seen} keys were found: the pattern no longer matches the sources");
    for key in known.iter().filter(|k| k.starts_with("answer.") || k.starts_with("advice.")) {
        assert!(lang::lookup(Lang::ZhCn, key).is_some());
    }
}

fn experiment() -> Experiment {
    let draft = story();
    let mut evidence = measured();
    evidence.checks.push(check("lint", false, "exit status 1"));
    Experiment {
        id: draft.event.experiment,
        name: draft.event.name.clone(),
        opened_at: draft.event.at,
        opened: draft.opened.clone(),
        measured: vec![(ulid("01K7ZT5M2Q8W3E4R5T6Y7V8J9A"), evidence)],
        decided: None,
        rechecks: Vec::new(),
        state: State::Measured,
    }
}

const MADR: Shape = Shape { format: AdrFormat::Madr, head: Head::FrontMatter, number: Some(2), numbered: false };

fn decision_file(language: Lang, shape: Shape, experiment: &Experiment, draft: &Draft) -> Result<String, RenderError> {
    let decided = decided(experiment, draft);
    let options = Options::default();
    let stands_on = draft.stands_on.as_deref();
    let source = Source { experiment: &decided, stands_on, by: Some(&draft.event.by), options: &options };
    renderer(language).decision_file(source, shape)
}

fn undecided(language: Lang, experiment: &Experiment) -> String {
    let options = Options::default();
    let source = Source { experiment, stands_on: None, by: None, options: &options };
    renderer(language).decision_file(source, MADR).unwrap()
}

/// Every form that there is: its sections, where its status stands.
fn shapes() -> Vec<Shape> {
    let mut shapes = vec![Shape { format: AdrFormat::Nygard, head: Head::Section, ..MADR }];
    for format in [AdrFormat::Madr, AdrFormat::MadrMinimal] {
        for head in [Head::FrontMatter, Head::List] {
            shapes.push(Shape { format, head, ..MADR });
        }
    }
    shapes
}

#[test]
fn the_decision_file_of_the_story_reads_as_it_should() {
    for language in Lang::ALL {
        for shape in shapes() {
            let text = decision_file(language, shape, &experiment(), &story()).unwrap();
            let name = match shape.head {
                Head::List => format!("adr_{}_list_{}", shape.format.as_str(), language.code()),
                _ => format!("adr_{}_{}", shape.format.as_str(), language.code()),
            };
            insta::assert_snapshot!(name, text);
        }
    }
    let mut forced = story();
    edit(&mut forced, |d| {
        d.comparison.clear();
        d.measured = None;
        d.recommendation = None;
        d.overrode = true;
        d.verdict = Verdict::Keep;
        d.mode = None;
    });
    let text = decision_file(Lang::En, MADR, &experiment(), &forced).unwrap();
    insta::assert_snapshot!("adr_forced_en", text);
    let open = undecided(Lang::En, &experiment());
    assert!(open.starts_with("---\nnumber: 2\nstatus: proposed\ndate: 2025-10-20\n---\n"), "{open}");
    assert!(open.contains("\nNot decided yet.\n") && open.contains("| `build_time` |"), "{open}");
}

#[test]
fn a_decision_file_has_the_sections_of_madr_and_lines_that_fit() {
    let sections: Vec<&str> = vec![
        "## Context and Problem Statement",
        "## Decision Drivers",
        "## Considered Options",
        "## Decision Outcome",
        "### Consequences",
        "### Confirmation",
        "## Pros and Cons of the Options",
        "## More Information",
    ];
    let text = undecided(Lang::En, &experiment());
    let found: Vec<&str> = text.lines().filter(|line| sections.contains(line)).collect();
    assert_eq!(found, sections);
    let mut dashes = story();
    edit(&mut dashes, |d| d.because = "word - + 1. # > ".repeat(40));
    let decided = Lang::ALL.map(|language| decision_file(language, MADR, &experiment(), &dashes).unwrap());
    let plain = decision_file(Lang::En, MADR, &experiment(), &story()).unwrap();
    assert_eq!(structure(&decided[0])[1], structure(&plain)[1]);
    let texts = [text.as_str(), &decided[0], &decided[1]];
    for line in texts.iter().flat_map(|t| t.lines()).filter(|line| !line.starts_with('|')) {
        assert!(line.chars().count() <= 80 || !line.chars().skip(80).any(char::is_whitespace), "{line}");
    }
}

#[test]
fn a_decision_file_says_what_it_was_made_from_and_nothing_in_it_is_unsealed() {
    for (shape, language) in shapes().into_iter().flat_map(|shape| Lang::ALL.map(|language| (shape, language))) {
        let text = decision_file(language, shape, &experiment(), &story()).unwrap();
        let file = DecisionFile::parse(&text);
        let stamp = file.stamp().unwrap();
        assert_eq!((stamp.experiment, stamp.format, stamp.lang), (experiment().id, shape.format, language));
        assert!(!file.edited() && file.drift(&file).is_empty(), "{text}");
        assert_eq!(file.head(), Some(shape.head), "{text}");
        assert_eq!(file.status().unwrap().1.to_lowercase(), "rejected");
        assert_eq!(file.date_text().as_deref(), Some("2025-10-20"));
        assert_eq!(file.title(), Some("multi-stage build optimization"));
        let parts = text.lines().filter(|line| line.starts_with("<!-- verdict: ")).count();
        assert_eq!(parts % 2, 1, "a stamp, and two markers for each part:\n{text}");
    }
}

/// Texts that are markup, or that pose as markers of ours.
const MARKUP: [&str; 12] = [
    "# heading\n## heading\n- item\n1. item\n> quote\n\n    code\n***\n===\n---",
    "<script>alert(1)</script> <!-- --> <img src=x onerror=y>",
    "`code` ``` ~~~\n```\nblock",
    "[link](javascript:alert(1)) ![image](x) [ref]: http://e.test",
    "a | b\n|---|---|\n| c | d |",
    "https://evil.test www.evil.test a@evil.test @somebody #12 &lt; &#60;",
    "status: accepted\n---\n",
    "\"quoted\" \\ {{ 7 * 7 }} {% raw %} $x$",
    "x\u{202e}y\x1b[31m",
    "x\n<!-- verdict: end -->\n<!-- verdict: context -->\ny",
    "<!-- verdict: adr 01K7ZT1111111111111111111A madr en 00000000 -->",
    "- Status: accepted\n\n## Status\n\nAccepted",
];

/// An experiment and its decision with the same text everywhere.
fn hostile_story(hostile: &str) -> (Experiment, Draft) {
    let mut experiment = experiment();
    let mut draft = story();
    experiment.name = hostile.to_string();
    experiment.opened.title = hostile.to_string();
    experiment.opened.hypothesis = hostile.to_string();
    experiment.opened.branch = hostile.to_string();
    experiment.measured[0].1.checks[1].name = hostile.to_string();
    experiment.measured[0].1.checks[1].outcome = hostile.to_string();
    experiment.measured[0].1.environment.cpu = hostile.to_string();
    experiment.measured[0].1.complexity.new_dependencies = vec![hostile.to_string()];
    draft.event.by.name = hostile.to_string();
    draft.stands_on = Some(hostile.to_string());
    edit(&mut draft, |d| {
        d.because = hostile.to_string();
        d.overrode = true;
        d.comparison[0].metric = hostile.to_string();
        d.comparison[1].unit = Unit::Custom(hostile.to_string());
        d.recommendation = Some(recommendation(Advice::Keep, &[hostile]));
    });
    (experiment, draft)
}

/// How often each tag is in what GitHub's renderer makes of a text, paragraphs and mail addresses left out.
fn tags(text: &str) -> BTreeMap<String, usize> {
    let body = text.strip_prefix("---\n").and_then(|text| text.split_once("\n---\n")).map_or(text, |(_, body)| body);
    let words = ["-e", "table", "-e", "autolink", "-e", "strikethrough", "-e", "footnotes", "--unsafe"];
    let mut child = Command::new("cmark-gfm").args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let html = String::from_utf8(output.stdout).unwrap();
    // GitHub links a mail address whether it is escaped or not.
    let html =
        regex::Regex::new(r#"<a href="mailto:[^"]*">([^<]*)</a>"#).unwrap().replace_all(&html, "$1").into_owned();
    let mut found = BTreeMap::new();
    for tag in regex::Regex::new("<([a-zA-Z0-9]+)").unwrap().captures_iter(&html) {
        *found.entry(tag[1].to_string()).or_insert(0) += usize::from(&tag[1] != "p");
    }
    found.remove("p");
    found
}

#[test]
fn what_github_makes_of_hostile_text_is_text() {
    if !common::works("cmark-gfm", &["--version"]) {
        return common::skip("cmark-gfm is not installed");
    }
    let raw = tags("[a](b) ![c](d) https://e.test <script>x</script>\n\n# f\n");
    assert_eq!(raw.keys().map(String::as_str).collect::<Vec<_>>(), ["a", "h1", "img", "script"], "it would be seen");
    let nygard = Shape { format: AdrFormat::Nygard, head: Head::Section, ..MADR };
    let list = Shape { head: Head::List, ..MADR };
    let entry = |experiment: &Experiment, draft: &Draft| {
        let experiment = decided(experiment, draft);
        let record = experiment.decided.as_ref().unwrap();
        let stands_on = draft.stands_on.as_deref();
        let by = Some(&draft.event.by);
        let source = log::Source::Ledger { experiment: &experiment, decided: record, stands_on, by };
        renderer(Lang::En).decision(source).unwrap()
    };
    let (plain, plain_draft) = hostile_story("plain words");
    for shape in [MADR, nygard, list] {
        let wanted = tags(&decision_file(Lang::En, shape, &plain, &plain_draft).unwrap());
        assert!(wanted["h2"] >= 4 && wanted["td"] >= 12 && !wanted.contains_key("script"), "{wanted:?}");
        for hostile in MARKUP.iter().chain(&HOSTILE).filter(|text| !text::clean(text).is_empty()) {
            let (experiment, draft) = hostile_story(hostile);
            let text = decision_file(Lang::En, shape, &experiment, &draft).unwrap();
            assert_eq!(tags(&text), wanted, "{hostile:?}\n{text}");
        }
    }
    let wanted = tags(&entry(&plain, &plain_draft));
    for hostile in MARKUP.iter().chain(&HOSTILE).filter(|text| !text::clean(text).is_empty()) {
        let (experiment, draft) = hostile_story(hostile);
        let text = entry(&experiment, &draft);
        assert_eq!(tags(&text), wanted, "{hostile:?}\n{text}");
    }
}

#[test]
fn hostile_text_stays_text_in_a_decision_file() {
    for hostile in MARKUP.iter().chain(&HOSTILE) {
        let (experiment, draft) = hostile_story(hostile);
        for (shape, language) in shapes().into_iter().flat_map(|shape| Lang::ALL.map(|language| (shape, language))) {
            let text = decision_file(language, shape, &experiment, &draft).unwrap();
            let structure = structure(&text);
            let plain = structure_of_plain(language, shape, &experiment, &draft);
            assert_eq!(structure, plain, "{hostile:?} {shape:?}\n{text}");
            assert!(!text.contains(['\x1b', '\u{202e}', '\r']), "{text}");
            let file = DecisionFile::parse(&text);
            assert_eq!(file.status().unwrap().1.to_lowercase(), "rejected", "{text}");
            assert!(!file.edited() && file.stamp().unwrap().experiment == experiment.id, "{text}");
        }
    }
}

/// How many headings, list items, table rows, fences and front matter lines a markdown text has.
fn structure(text: &str) -> [usize; 6] {
    let count = |test: &dyn Fn(&str) -> bool| text.lines().filter(|l| test(l.trim_start())).count();
    [
        count(&|l| l.starts_with('#')),
        count(&|l| l.starts_with("- ") || l.starts_with("* ") || l.starts_with("1. ") || l.starts_with("+ ")),
        count(&|l| l.starts_with('|')),
        count(&|l| {
            l.starts_with("```")
                || l.starts_with("~~~")
                || l.starts_with('>')
                || l.starts_with('<') && !l.starts_with("<!-- markdownlint") && !l.starts_with("<!-- verdict: ")
        }),
        count(&|l| l == "---" || l == "===" || l == "***"),
        count(&|l| l.starts_with("<!-- verdict: ")),
    ]
}

fn structure_of_plain(language: Lang, shape: Shape, experiment: &Experiment, draft: &Draft) -> [usize; 6] {
    let mut experiment = experiment.clone();
    let mut draft = draft.clone();
    experiment.name = "plain".into();
    experiment.opened.title = "plain title".into();
    experiment.opened.hypothesis = "plain".into();
    experiment.measured[0].1.environment.cpu = "plain".into();
    // Reasons and names of nothing but line ends are left out.
    let empty = |text: &str| text::clean(text).is_empty();
    if !empty(&draft.event.by.name) {
        draft.event.by.name = "plain".into();
    }
    edit(&mut draft, |d| {
        d.because = "plain".into();
        let reasons = &mut d.recommendation.as_mut().unwrap().reasons;
        reasons.retain(|r| !empty(r));
        reasons.iter_mut().for_each(|r| *r = "plain".into());
        d.comparison[0].metric = "plain".into();
        d.comparison[1].unit = Unit::Custom("plain".into());
    });
    structure(&decision_file(language, shape, &experiment, &draft).unwrap())
}

#[test]
fn an_override_in_the_repository_is_used_instead_and_its_language_wins() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("templates");
    let with = |lang| Renderer::with_overrides(lang, Some(&folder)).unwrap();
    let built_in_text = with(Lang::En).revert(&story(), None).unwrap();
    fs::create_dir_all(folder.join("zh-CN")).unwrap();
    fs::write(folder.join("README.md"), "not a template").unwrap();
    fs::write(folder.join("_part.j2"), "part of {{ experiment }}").unwrap();
    fs::write(folder.join("revert.txt.j2"), "undo: {{ title }}\n{% include '_part.j2' %}\n\n---\nVerdict: keep\n")
        .unwrap();
    fs::write(folder.join("zh-CN/revert.txt.j2"), "撤销：{{ title }}").unwrap();
    let message = with(Lang::En).revert(&story(), None).unwrap();
    assert!(
        message.starts_with(
            "undo: multi-stage build optimization\n\npart of multi-stage\n  ---\n  Verdict: keep\n\nVerdict: revert\n"
        ),
        "{message}"
    );
    assert_eq!(keys(&interpreted(&message)), WHOLE);
    assert!(with(Lang::ZhCn).revert(&story(), None).unwrap().starts_with("撤销：multi-stage"));
    assert_eq!(Renderer::new(Lang::En).unwrap().revert(&story(), None).unwrap(), built_in_text);
}

#[test]
fn a_bad_override_names_its_file_and_line_and_is_never_replaced_silently() {
    let cases = [
        ("revert.txt.j2", "one\n\n{% if %}\n".to_string(), 3, "syntax error"),
        ("revert.txt.j2", "one\n{{ titel }}\n".into(), 2, "undefined"),
        ("trade.txt.j2", "one\ntwo\n{{ base.no.such }}\n".into(), 3, "undefined"),
        ("revert.txt.j2", "one\n{% include '/etc/passwd' %}".into(), 2, "not"),
        (
            "revert.txt.j2",
            "x\n{% for a in range(9999) %}{% for b in range(9999) %}{% set c = 1 %}{% endfor %}{% endfor %}".into(),
            2,
            "too long",
        ),
        ("revert.txt.j2", "{% for a in range(9999) %}{{ 'x' * 999 }}{% endfor %}".into(), 0, "bytes"),
        ("revert.txt.j2", "{{ 'x' * 1000000000 }}".into(), 1, "too much"),
        (
            "revert.txt.j2",
            "{% set n = namespace(x='xx') %}\n{% for i in range(40) %}{% set n.x = n.x ~ n.x %}{% endfor %}".into(),
            2,
            "too much",
        ),
        ("revert.txt.j2", "{{ ('x' * 99999)|replace('x', 'y' * 99999) }}".into(), 1, "too much"),
        ("revert.txt.j2", "one\n{{ range(99999)|list|map('upper')|join('x' * 99999) }}".into(), 2, "too much"),
        ("revert.txt.j2", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".into(), 1, ""),
        ("revert.txt.j2", "  \n\n".into(), 1, "subject"),
        ("revert.txt.j2", "x".repeat(64 * 1024 + 1), 0, "64 KiB"),
        ("rever.txt.j2", "x".into(), 0, "did you mean 'revert.txt.j2'?"),
    ];
    for (name, source, line, wanted) in cases {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(name), &source).unwrap();
        let result = Renderer::with_overrides(Lang::En, Some(dir.path())).and_then(|r| r.revert(&story(), None));
        let error = result.expect_err(&source);
        assert_eq!(error.line, line, "{source:?}: {error}");
        assert!(error.to_string().contains(wanted), "{source:?}: {error}");
        assert!(error.template.ends_with(name) && error.template.starts_with('/'), "{error}");
    }
}

#[test]
#[cfg(unix)]
fn an_override_outside_its_folder_or_of_another_kind_is_refused() {
    use std::os::unix::fs::symlink;
    let refused = |prepare: &dyn Fn(&Path, &Path)| {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("templates");
        fs::write(dir.path().join("secret"), "secret").unwrap();
        prepare(dir.path(), &folder);
        Renderer::with_overrides(Lang::En, Some(&folder)).map(drop)
    };
    let leaves = refused(&|root, folder| {
        fs::create_dir(folder).unwrap();
        symlink(root.join("secret"), folder.join("revert.txt.j2")).unwrap();
    });
    assert!(leaves.unwrap_err().to_string().contains("leaves the folder"));
    let linked_folder = refused(&|root, folder| {
        fs::create_dir(root.join("elsewhere")).unwrap();
        symlink(root.join("elsewhere"), folder).unwrap();
    });
    assert!(linked_folder.unwrap_err().to_string().contains("no folder"));
    let directory = refused(&|_, folder| fs::create_dir_all(folder.join("revert.txt.j2")).unwrap());
    assert!(directory.unwrap_err().to_string().contains("no regular file"));
    let binary = refused(&|_, folder| {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("revert.txt.j2"), [0xff, 0xfe]).unwrap();
    });
    assert!(binary.unwrap_err().to_string().contains("UTF-8"));
    let inside = refused(&|_, folder| {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("_mine.j2"), "{{ title }}").unwrap();
        symlink("_mine.j2", folder.join("revert.txt.j2")).unwrap();
    });
    assert_eq!(inside, Ok(()));
}

fn many_rows() -> Vec<MetricComparison> {
    let mut rows = story_rows();
    rows[1].limit = Some(3e9);
    rows.push(MetricComparison {
        detectable: Some(0.031),
        rounds_needed: Some(40),
        ..timed("pip_step_of_the_image_build", 87.5, 88.1, [-0.021, 0.035], 12, Word::Inconclusive)
    });
    rows.push(timed("startup", 0.0012, 0.00121, [-0.01, 0.02], 30, Word::Unchanged));
    rows.push(row("errors", Unit::Count, 0.0, 3.0, Word::Regressed));
    rows.push(MetricComparison {
        better: Better::Higher,
        limit: Some(2000.0),
        ..row("吞吐量", Unit::Custom("req/s".into()), 1250.0, 1300.0, Word::Improved)
    });
    rows
}

#[test]
fn comparisons_fit_the_terminal_and_line_up() {
    for language in Lang::ALL {
        let mut all = String::new();
        for width in [40, 60, 80, 120] {
            let text = table::comparison(&many_rows(), Look::plain(language).with_width(width));
            for line in text.lines() {
                assert!(text::width(line) <= width, "{width}: {line}");
            }
            for row in many_rows() {
                assert!(text.contains(&lang::word(language, &format!("answer.{}", row.word))), "{text}");
            }
            all.push_str(&format!("{width} columns\n{text}\n"));
        }
        insta::assert_snapshot!(format!("comparison_{}", language.code()), all);
    }
}

#[test]
fn colour_is_added_to_the_words_and_nothing_else() {
    let plain = Look::plain(Lang::En);
    let coloured = Look { color: true, ..plain };
    let advice = recommendation(Advice::Revert, &["a check failed", "more \x1b[32mgreen"]);
    for (without, with) in [
        (table::comparison(&many_rows(), plain), table::comparison(&many_rows(), coloured)),
        (table::recommendation(&advice, plain), table::recommendation(&advice, coloured)),
    ] {
        assert!(!without.contains('\x1b'));
        assert!(with.contains("\x1b[31m"));
        assert_eq!(console::strip_ansi_codes(&with), without);
    }
    let ascii = Look { unicode: false, ..plain };
    let text = table::comparison(&story_rows(), ascii);
    assert!(text.is_ascii() && text.contains("! regressed") && text.contains("+ improved"), "{text}");
}

#[test]
fn a_recommendation_lists_its_reasons() {
    let advice = recommendation(Advice::TradeOff, &["build_time +6.0 min", "image_size -0.30 GB"]);
    assert_eq!(
        table::recommendation(&advice, Look::plain(Lang::En)),
        "recommendation: trade-off, a person must decide\n  - build_time +6.0 min\n  - image_size -0.30 GB\n"
    );
    assert!(table::recommendation(&advice, Look::plain(Lang::ZhCn)).starts_with("建议：有得有失"));
}

#[test]
fn a_table_too_wide_is_cut_in_its_texts_and_then_laid_out_in_blocks() {
    use table::{Column, table};
    let columns = [Column::text("name"), Column::number("size"), Column::text("reason")];
    let rows = vec![
        vec![
            "pip-cache".into(),
            "3.60 GB".into(),
            "one line, low risk, and most of the effect that we were after".into(),
        ],
        vec!["evil\x1b[2J".into(), "1 B".into(), "镜像更小".into()],
    ];
    let at = |width| table(&columns, &rows, Look::plain(Lang::En).with_width(width));
    insta::assert_snapshot!("generic_table", [120, 50, 24].map(at).join("\n"));
    for width in [30, 50, 80, 120] {
        assert!(at(width).lines().all(|l| text::width(l) <= width && !l.contains('\x1b')), "{}", at(width));
    }
}
