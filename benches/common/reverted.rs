//! A repository in which much was tried and reverted.

use super::commands::{command, fast_import, must, text};
use git_verdict::config::{Better, Matters, RevertMode};
use git_verdict::git::{Oid, Repo};
use git_verdict::ledger::event::{Decided, Identity, Opened, Verdict};
use git_verdict::ledger::{Event, Fact, Ledger};
use git_verdict::policy::MetricComparison;
use git_verdict::stats::Word;
use git_verdict::units::{Ratio, base_unit};
use std::io::Write;
use std::path::Path;
use ulid::Ulid;

/// Fills an empty repository with `many` commits of one small file each, every one of them a reverted experiment.
pub fn repository(dir: &Path, many: usize) {
    fast_import(dir, |stream| {
        for number in 0..=many {
            let time = 1_600_000_000 + number * 60;
            write!(stream, "commit refs/heads/main\ncommitter Bench <bench@example.invalid> {time} +0000\n")?;
            write!(stream, "data 8\nperf: x\n\n")?;
            let file: String = (0..12).map(|line| format!("let value_{line} = compute_{number}({line});\n")).collect();
            let place = format!("src/part_{}/file_{}.rs", number % 40, number % 400);
            write!(stream, "M 100644 inline {place}\ndata {}\n{file}\n", file.len())?;
        }
        Ok(())
    });
    must(command(dir, "git", &["reset", "--quiet", "--hard"]));
    let repo = Repo::discover(dir).expect("a repository");
    let ledger = Ledger::open(&repo);
    let commits = text(&mut command(dir, "git", &["log", "--reverse", "--format=%H %T", "main"]));
    let commits: Vec<Identity> = commits.lines().map(identity).collect();
    let blank = ledger.draft(Ulid::nil(), "bench", Fact::Abandoned { because: "x".into() }).expect("a draft");
    let mut events = Vec::new();
    for (number, pair) in commits.windows(2).enumerate() {
        let experiment = Ulid::from_parts(1_600_000_000_000 + number as u64 * 2, 1);
        for (step, fact) in [opened(number, &pair[0]), reverted(pair)].into_iter().enumerate() {
            let id = Ulid::from_parts(1_600_000_000_000 + (number * 2 + step) as u64, number as u128);
            events.push(Event { id, experiment, name: format!("attempt-{number}"), fact, ..blank.clone() });
        }
    }
    for chunk in events.chunks(5000) {
        ledger.append_all(chunk).expect("appended");
    }
    must(command(dir, "git", &["repack", "--quiet", "-ad"]));
}

fn identity(line: &str) -> Identity {
    let (commit, tree) = line.split_once(' ').expect("two ids");
    let oid = |text: &str| Oid::parse(text).expect("an id");
    Identity { commit: oid(commit), tree: oid(tree), patch: None }
}

fn opened(number: usize, base: &Identity) -> Fact {
    Fact::Opened(Opened {
        title: format!("attempt {number}"),
        hypothesis: format!("compute_{number} is called less often, and the part is smaller"),
        base: base.clone(),
        onto: "main".into(),
        branch: format!("verdict/attempt-{number}"),
        stands_on: None,
        adopted: None,
    })
}

fn reverted(pair: &[Identity]) -> Fact {
    Fact::Decided(Box::new(Decided {
        verdict: Verdict::Revert,
        because: "it was not worth it".into(),
        mode: Some(RevertMode::InPlace),
        measured: None,
        comparison: vec![MetricComparison {
            metric: "build_time".into(),
            unit: base_unit("s").expect("a unit").0,
            better: Better::Lower,
            matters: Matters::Relative(Ratio(0.05)),
            base: 800.0,
            candidate: 900.0,
            relative: Some(0.125),
            interval: Some([0.1, 0.15]),
            exact: false,
            rounds: 12,
            word: Word::Regressed,
            limit: None,
            detectable: None,
            rounds_needed: None,
        }],
        recommendation: None,
        overrode: false,
        base: pair[0].clone(),
        candidate: pair[1].clone(),
        commits: vec![pair[1].commit.clone()],
        revert_commit: None,
        landed: None,
        onto: "main".into(),
    }))
}
