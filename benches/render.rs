//! How long a text takes to render: every message, every form of decision file, one block of DECISIONS.md.
//!
//! `cargo bench --bench render` prints a markdown table. The record is a large one: twelve metrics, long texts, eight other
//! options. Every text is rendered a thousand times by one renderer; making a renderer, which a command does once, is a row of
//! its own. A number after the name of the bench sets the rounds. On a busy machine look at the processor time.

use git_verdict::adr::convention::Head;
use git_verdict::adr::log;
use git_verdict::adr::options::{Considered, Options};
use git_verdict::adr::render::{Shape, Source, decided};
use git_verdict::config::{AdrFormat, Better, Matters, RevertMode};
use git_verdict::decision::Draft;
use git_verdict::experiment::{Experiment, State};
use git_verdict::git::{Oid, Person};
use git_verdict::ledger::event::{Decided, Event, Fact, Identity, Measured, Opened, VERSION, Verdict};
use git_verdict::measure::CheckResult;
use git_verdict::policy::{Advice, Complexity, MetricComparison, Recommendation};
use git_verdict::render::{Lang, Renderer};
use git_verdict::stats::Word;
use git_verdict::units::{Ratio, Unit};
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;
use ulid::Ulid;

fn main() {
    let rounds = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(1000);
    println!("| text | language | bytes | processor time, mean | median | 99 % |\n|---|---|---|---|---|---|");
    let draft = draft();
    let experiment = decided(&experiment("multi-stage"), &draft);
    let measured = &experiment.measured[0].1;
    let others: Vec<Experiment> = (0..8).map(|n| self::experiment(&format!("option-{n}"))).collect();
    let considered =
        |other| Considered { experiment: other, measured: &other.measured[0].1, stands_on: None, below: false };
    let options = Options { others: others.iter().map(considered).collect(), ..Options::default() };
    let by = Some(&draft.event.by);
    let source = Source { experiment: &experiment, stands_on: Some("pip-cache"), by, options: &options };
    for lang in Lang::ALL {
        row("a renderer, its templates compiled", lang, rounds, || format!("{:?}", Renderer::new(lang)));
        let renderer = Renderer::new(lang).expect("the built-in templates are good");
        let good = |text: Result<String, _>| text.map_err(|error| panic!("{error}")).unwrap_or_default();
        row("revert commit", lang, rounds, || good(renderer.revert(&draft, Some(measured))));
        row("merge of a revert", lang, rounds, || good(renderer.merge(&draft, "perf", Some(measured))));
        let file = Path::new("docs/adr/0002-multi-stage.md");
        row("commit of a decision file", lang, rounds, || good(renderer.adr_commit(&draft, Some(measured), file)));
        for format in AdrFormat::ALL {
            let head = if format == AdrFormat::Nygard { Head::Section } else { Head::FrontMatter };
            let shape = Shape { format, head, number: Some(2), numbered: false };
            row(&format!("decision file, {}", format.as_str()), lang, rounds, || {
                good(renderer.decision_file(source, shape))
            });
        }
        let record = experiment.decided.as_ref().expect("it is decided");
        let entry = log::Source::Ledger { experiment: &experiment, decided: record, stands_on: None, by };
        row("block of DECISIONS.md", lang, rounds, || good(renderer.decision(entry)));
    }
}

/// Milliseconds that this thread has been on a processor, as Linux counts them.
fn on_cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e6
}

fn row(name: &str, lang: Lang, rounds: usize, mut render: impl FnMut() -> String) {
    let bytes = render().len();
    let before = on_cpu();
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            black_box(render());
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    let cpu = (on_cpu() - before) / rounds as f64;
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let (median, most) = (at(0.5), at(0.99));
    println!("| {name} | {} | {bytes} | {cpu:.2} ms | {median:.2} ms | {most:.2} ms |", lang.code());
}

fn identity(digit: &str) -> Identity {
    let id = Oid::parse(&digit.repeat(40)).expect("an id");
    Identity { commit: id.clone(), tree: id, patch: None }
}

fn rows() -> Vec<MetricComparison> {
    let words = [Word::Improved, Word::Regressed, Word::Unchanged, Word::Inconclusive];
    let row = |n: usize| MetricComparison {
        metric: format!("metric_with_a_long_name_{n}"),
        unit: if n.is_multiple_of(2) { Unit::Seconds } else { Unit::Bytes },
        better: Better::Lower,
        matters: Matters::Relative(Ratio(0.05)),
        base: 872.1 * (n + 1) as f64,
        candidate: 1230.4 * (n + 1) as f64,
        relative: Some(0.411),
        interval: Some([0.38, 0.441]),
        exact: false,
        rounds: 12,
        word: words[n % 4],
        limit: Some(900.0),
        detectable: Some(0.03),
        rounds_needed: Some(40),
    };
    (0..12).map(row).collect()
}

fn recommendation() -> Recommendation {
    let reason = "6.0 min of build_time cost more than 0.30 GB of image_size by the rates of the policy";
    Recommendation::new(Advice::Revert, vec![reason.into(); 6])
}

fn experiment(name: &str) -> Experiment {
    let check = |n: usize| CheckResult {
        name: format!("check-{n}"),
        side: 1,
        passed: n > 1,
        hidden: false,
        seconds: 1.0,
        outcome: "exit status 1".into(),
        tail: String::new(),
    };
    let measured = Measured {
        session: Ulid::from_parts(1, 1),
        base: identity("1"),
        candidate: identity("3"),
        sides: Vec::new(),
        seed: 7,
        config_hash: "c0ffee".repeat(10),
        environment: Default::default(),
        samples: Vec::new(),
        checks: (0..6).map(check).collect(),
        comparison: rows(),
        complexity: Complexity {
            files: 12,
            added: 310,
            removed: 60,
            new_dependencies: vec!["virtualenv (requirements.txt)".into(); 5],
            maintenance: None,
        },
        recommendation: recommendation(),
        failures: Vec::new(),
        reused: None,
        origins: Vec::new(),
        assumptions: None,
        rechecks: None,
        hidden_checks: None,
        ruler: None,
    };
    Experiment {
        id: Ulid::from_parts(2, 2),
        name: name.into(),
        opened_at: chrono::DateTime::parse_from_rfc3339("2025-10-20T10:00:00+08:00").expect("a date"),
        opened: Opened {
            title: "multi-stage build optimization".into(),
            hypothesis: "Copying only the installed packages leaves pip's leftovers behind. ".repeat(10),
            base: identity("1"),
            onto: "main".into(),
            branch: format!("verdict/{name}"),
            stands_on: None,
            adopted: None,
        },
        measured: vec![(Ulid::from_parts(3, 3), measured)],
        decided: None,
        rechecks: Vec::new(),
        state: State::Measured,
    }
}

fn draft() -> Draft {
    let decided = Decided {
        verdict: Verdict::Revert,
        because: "A build that takes six minutes longer costs every pull request. ".repeat(20),
        mode: Some(RevertMode::Merge),
        measured: Some(Ulid::from_parts(3, 3)),
        comparison: rows(),
        recommendation: Some(recommendation()),
        overrode: true,
        base: identity("1"),
        candidate: identity("3"),
        commits: vec![identity("2").commit; 10],
        revert_commit: None,
        landed: None,
        onto: "main".into(),
    };
    let experiment = experiment("multi-stage");
    Draft {
        event: Event {
            version: VERSION,
            id: Ulid::from_parts(4, 4),
            at: experiment.opened_at,
            by: Person { name: "Ada Example".into(), email: "ada@example.org".into() },
            tool: "git-verdict".into(),
            experiment: experiment.id,
            name: experiment.name.clone(),
            fact: Fact::Decided(Box::new(decided)),
            extra: Default::default(),
        },
        opened: experiment.opened,
        stands_on: Some("pip-cache".into()),
        steps: Vec::new(),
        notes: Vec::new(),
        plan: None,
        unseen: false,
    }
}
