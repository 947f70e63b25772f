//! `git verdict doctor --ledger`: reads every record and every object of the ledger.

use super::{Ctx, Done};
use crate::error::{Exit, Explain};
use crate::git::Repo;
use crate::ledger::Ledger;
use crate::ledger::store::LEDGER_REF;
use crate::phrase;
use crate::phrase::Phrase;
use crate::render::text::{Align, clean, pad};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Lines of a finding that are shown.
const MOST_LINES: usize = 20;

/// One thing that was looked at, and what is wrong with it.
struct Finding {
    what: &'static str,
    answer: Phrase,
    problems: Vec<Phrase>,
}

pub fn run(ctx: &Ctx, repo: &Repo, ledger: &Ledger<'_>) -> Done {
    let findings = match ledger.tip() {
        Ok(None) => {
            vec![Finding { what: "records", answer: "there is no ledger here yet".into(), problems: Vec::new() }]
        }
        _ => vec![records(ledger), index(ledger), objects(repo)],
    };
    for finding in &findings {
        let mark = if finding.problems.is_empty() { "ok  " } else { "BAD " };
        let what = pad(&ctx.tell(finding.what), 12, Align::Left);
        ctx.say(format!("{mark} {what} {}", clean(&ctx.tell(&finding.answer))))?;
        for problem in finding.problems.iter().take(MOST_LINES) {
            ctx.say(format!("       {}", clean(&ctx.tell(problem))))?;
        }
        if finding.problems.len() > MOST_LINES {
            ctx.say(phrase!("       and {n} more (--json has all)", n = finding.problems.len() - MOST_LINES))?;
        }
    }
    let fine = findings.iter().all(|finding| finding.problems.is_empty());
    if !fine {
        ctx.say(
            "next: git verdict sync, from a remote whose ledger is whole; what is readable stays in use meanwhile",
        )?;
    }
    let values: Vec<Value> = findings
        .iter()
        .map(|f| {
            json!({"what": f.what, "fine": f.problems.is_empty(), "answer": f.answer.to_string(),
            "problems": f.problems.iter().map(Phrase::to_string).collect::<Vec<_>>()})
        })
        .collect();
    ctx.emit("doctor-ledger", json!({"findings": values}))?;
    Ok(if fine { Exit::Done } else { Exit::No })
}

/// Every blob is read, and its id must be that of its path.
fn records(ledger: &Ledger<'_>) -> Finding {
    let (answer, problems): (Phrase, _) = match ledger.events_lossy() {
        Err(error) => ("the ledger cannot be opened".into(), vec![error.what()]),
        Ok((events, problems)) => {
            let opened: BTreeSet<_> =
                events.iter().filter(|e| e.fact.kind() == "opened").map(|e| e.experiment).collect();
            let orphans = events.iter().filter(|e| !opened.contains(&e.experiment)).count();
            let problems = problems.iter().map(Explain::what).collect();
            let n = events.len();
            let answer = match orphans {
                0 => phrase!("{n} read", n),
                _ => phrase!("{n} read, {orphans} without their opening", n, orphans),
            };
            (answer, problems)
        }
    };
    Finding { what: "records", answer, problems }
}

/// The index must say what the records say.
fn index(ledger: &Ledger<'_>) -> Finding {
    let both = ledger.events_lossy().and_then(|(events, _)| Ok((events, ledger.recent(usize::MAX, &|_| true)?)));
    let (answer, problems): (Phrase, _) = match both {
        Err(error) => ("it cannot be built".into(), vec![error.what()]),
        Ok((events, rows)) => {
            let told: BTreeSet<_> = rows.iter().map(|r| (r.id, r.experiment, r.name.as_str(), r.kind)).collect();
            let there: BTreeSet<_> =
                events.iter().map(|e| (e.id, e.experiment, e.name.as_str(), e.fact.kind())).collect();
            let missing = there.difference(&told).map(|one| phrase!("{id} is not in the index as it is", id = one.0));
            let extra = told.difference(&there).map(|one| phrase!("{id} is in the index only", id = one.0));
            let mut problems: Vec<Phrase> = missing.chain(extra).collect();
            if !problems.is_empty() {
                problems.push("the folder verdict/index in the git directory can be deleted".into());
            }
            (phrase!("{n} records, the same as in the ledger", n = rows.len()), problems)
        }
    };
    let answer = if problems.is_empty() { answer } else { "it differs from the ledger".into() };
    Finding { what: "index", answer, problems }
}

/// The real git checks every object that the ref reaches.
fn objects(repo: &Repo) -> Finding {
    let checked = repo.run_git().args(["fsck", "--strict", "--no-dangling", "--no-progress", LEDGER_REF]).output();
    let (answer, problems): (Phrase, _) = match checked {
        Err(error) => ("git could not be asked".into(), vec![error.to_string().into()]),
        Ok(output) => {
            let text = [output.stderr, output.stdout].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            let lines = text.iter().flat_map(|text| text.lines());
            let lines = lines.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("notice:"));
            let problems: Vec<Phrase> = lines.map(Phrase::from).collect();
            match output.status.success() {
                true => ("git fsck finds nothing wrong".into(), Vec::new()),
                false => ("git fsck finds something wrong".into(), problems),
            }
        }
    };
    Finding { what: "objects", answer, problems }
}
