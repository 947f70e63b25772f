//! `git verdict check`: looks over what a branch would bring, for CI.

use super::measure::{self, How};
use super::{Ctx, Done};
use crate::decision::audit::{self, Finding, Range, Rule};
use crate::decision::reversal;
use crate::error::{Exit, Failure};
use crate::git::change::Between;
use crate::git::{Oid, Repo};
use crate::guard::{self, Question, Recalled};
use crate::ledger::{Ledger, Wanted};
use crate::phrase;
use crate::phrase::Phrase;
use crate::policy::{Advice, MetricComparison, Recommendation};
use crate::recheck;
use crate::render::lang;
use crate::render::table;
use crate::render::text::{clean, markdown, markdown_code};
use clap::ValueEnum;
use serde_json::json;
use std::collections::BTreeSet;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// text, markdown (for a step summary or a comment) or json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// What this branch would be merged into (default: what CI says, the policy's base, or the remote's main branch)
    #[arg(long, value_name = "REF")]
    against: Option<String>,
    /// Also measure HEAD against the merge base, and fail on a regression
    #[arg(long)]
    measure: bool,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Markdown,
    Json,
}

/// What was measured, when that was asked for.
struct Measured {
    rows: Vec<MetricComparison>,
    recommendation: Recommendation,
}

/// All that is to be told.
struct Report {
    against: String,
    range: Range,
    commits: usize,
    findings: Vec<Finding>,
    measured: Option<Measured>,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let asked_for_json = args.format == Format::Json && !ctx.json;
    let own = asked_for_json.then(|| Ctx { dir: ctx.dir.clone(), json: true, ..*ctx });
    let ctx = own.as_ref().unwrap_or(ctx);
    let repo = ctx.repo()?;
    let ledger = Ledger::open(&repo);
    let head = repo.resolve("HEAD")?;
    let (against, tip) = against(ctx, &repo, args.against.as_deref())?;
    let base = repo.merge_base(&tip, &head)?.ok_or_else(|| {
        let failure =
            Failure::state(phrase!("HEAD and {against} have no history in common", against = clean(&against)));
        match repo.is_shallow() {
            true => failure
                .because("this clone is shallow")
                .try_next("git fetch --unshallow (in CI: fetch the whole history)"),
            false => failure.try_next("--against REF"),
        }
    })?;
    let range = Range { base, head };
    let book = if audit::reads_all(&repo, &range)? { ctx.book(&ledger)? } else { ledger.book_of(&Wanted::open())? };
    let mut findings = audit::audit(&repo, &ledger, &book, &range)?;
    findings.extend(rejected(ctx, &repo, &ledger, &range)?);
    findings.extend(moved(ctx, &repo, &ledger, &range)?);
    let measured = if args.measure { take(ctx, &repo, &ledger, &args.how, &range, &mut findings)? } else { None };
    findings.sort_by_key(|finding| !finding.fails);
    let commits = repo.range(&range.base, &range.head)?.len();
    let report = Report { against, range, commits, findings, measured };
    match args.format {
        Format::Markdown => ctx.say(report.markdown(ctx))?,
        _ => ctx.say(report.text(ctx))?,
    }
    let fails = report.fails();
    ctx.emit(
        "check",
        json!({
            "passed": fails == 0, "against": report.against, "base": report.range.base, "head": report.range.head,
            "commits": commits, "findings": report.findings,
            "comparison": report.measured.as_ref().map(|m| &m.rows),
            "recommendation": report.measured.as_ref().map(|m| &m.recommendation),
        }),
    )?;
    Ok(if fails == 0 { Exit::Done } else { Exit::No })
}

/// At most so many of the newest commits are held against the reverted experiments.
const COMPARED: usize = 100;

/// The commits of a range that resemble a reverted experiment, and the range as a whole when none of them does alone.
fn rejected(ctx: &Ctx, repo: &Repo, ledger: &Ledger<'_>, range: &Range) -> Result<Vec<Finding>, Failure> {
    let mut found = Vec::new();
    let shelf = guard::shelf(repo, ledger)?;
    if shelf.is_empty() {
        return Ok(found);
    }
    let (commits, _) = repo.newest_without(&range.head, Some(&range.base), COMPARED)?;
    let mut told = BTreeSet::new();
    let mut decided = false;
    for commit in commits.iter().rev() {
        let [parent] = commit.parents.as_slice() else { continue };
        if reversal::is_quantified(&commit.message) {
            decided = true;
            continue;
        }
        let question = Question::of_change(repo, Between::Commits(parent, &commit.id), &commit.message)?;
        let alike = super::similar::recalled(repo, ledger, &shelf, &question, parent)?;
        // The attempt that was reverted is in history along with its reversal.
        if alike.iter().any(|one| one.owns(&commit.id)) {
            decided = true;
            continue;
        }
        let new = alike.iter().filter(|one| told.insert(one.experiment.id));
        found.extend(new.map(|one| rejection(ctx, Some(&commit.id), one)));
    }
    if commits.len() > 1 && found.is_empty() && !decided {
        let question = Question::of_change(repo, Between::Commits(&range.base, &range.head), "")?;
        let alike = super::similar::recalled(repo, ledger, &shelf, &question, &range.base)?;
        found.extend(alike.iter().map(|one| rejection(ctx, None, one)));
    }
    Ok(found)
}

fn rejection(ctx: &Ctx, commit: Option<&Oid>, one: &Recalled) -> Finding {
    let because = one.decided().map(|(_, decided)| decided.because.as_str()).unwrap_or_default();
    let like = super::similar::headline(ctx, one);
    Finding {
        rule: Rule::RejectedIdea,
        fails: false,
        commit: commit.cloned(),
        experiment: Some(one.experiment.name.clone()),
        what: match commit {
            Some(commit) => phrase!("{commit} is {like}", commit = commit.short(), like),
            None => phrase!("the branch as a whole is {like}", like),
        },
        why: phrase!(
            "{because}; measured on {ground}; since then: {moved}",
            because,
            ground = Phrase::joined(one.ground(), ", "),
            moved = super::similar::since(one)
        ),
        next: Some(phrase!("git verdict show {name}", name = &one.experiment.name)),
    }
}

/// What this branch would be merged into, and its tip.
fn against(ctx: &Ctx, repo: &Repo, asked: Option<&str>) -> Result<(String, Oid), Failure> {
    if let Some(name) = asked {
        return Ok((name.to_string(), repo.resolve(name)?));
    }
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut names = Vec::new();
    for branch in [
        variable("GITHUB_BASE_REF"),
        variable("CI_MERGE_REQUEST_TARGET_BRANCH_NAME"),
        super::land::policy(ctx, repo)?.base,
    ]
    .into_iter()
    .flatten()
    {
        names.extend([format!("refs/remotes/origin/{branch}"), format!("refs/heads/{branch}")]);
    }
    let usual = [
        "refs/remotes/origin/HEAD",
        "refs/remotes/origin/main",
        "refs/remotes/origin/master",
        "refs/heads/main",
        "refs/heads/master",
    ];
    names.extend(usual.map(String::from));
    for name in names {
        if let Ok(tip) = repo.resolve(&name) {
            let short = name.trim_start_matches("refs/heads/").trim_start_matches("refs/remotes/");
            return Ok((short.to_string(), tip));
        }
    }
    Err(Failure::usage("there is no branch to check against").try_next("--against REF"))
}

/// So many decisions are named.
const NAMED: usize = 3;

/// What the branch changes that decisions rest on: a note.
fn moved(ctx: &Ctx, repo: &Repo, ledger: &Ledger<'_>, range: &Range) -> Result<Option<Finding>, Failure> {
    let whole = std::cell::OnceCell::new();
    let mut book = || match whole.get() {
        Some(book) => Ok(book),
        None => ledger.book().map(|book| whole.get_or_init(|| book)),
    };
    let found = match recheck::moved_within(repo, (&range.base, &range.head), &mut book) {
        Ok(found) => found,
        Err(error) => {
            ctx.note(phrase!("note: {note}", note = Failure::from(error).what));
            return Ok(None);
        }
    };
    let Some(first) = found.first() else { return Ok(None) };
    let mut names: Vec<Phrase> = found.iter().take(NAMED).map(|one| one.experiment.name.as_str().into()).collect();
    if found.len() > NAMED {
        names.push(phrase!("{n} more", n = found.len() - NAMED));
    }
    let told = first.moved.iter().take(NAMED).map(|moved| moved.told()).collect();
    let (n, s) = (found.len(), crate::phrase::plural(found.len()));
    Ok(Some(Finding {
        rule: Rule::Stale,
        fails: false,
        commit: None,
        experiment: Some(first.experiment.name.clone()),
        what: phrase!(
            "{n} decision{s} rested on what changes here: {names}",
            n,
            s,
            names = Phrase::joined(names, ", ")
        ),
        why: Phrase::joined(told, "; "),
        next: Some("after the merge, git verdict recheck".into()),
    }))
}

/// Measures the end of the range against its beginning.
fn take(
    ctx: &Ctx,
    repo: &Repo,
    ledger: &Ledger<'_>,
    how: &How,
    range: &Range,
    findings: &mut Vec<Finding>,
) -> Result<Option<Measured>, Failure> {
    let same = repo.commit(&range.base)?.tree == repo.commit(&range.head)?.tree;
    if same {
        ctx.note("note: nothing differs from the merge base: there is nothing to measure");
        return Ok(None);
    }
    let config = ctx.config(repo, Some(&range.head))?;
    let arm = measure::Arm::new("check", range.base.clone(), range.head.clone());
    let mut held = measure::hold(ctx, repo, ledger, "check", how, config, vec![arm])?;
    held.finish(repo)?;
    let measured = held.measured.remove(0);
    let (rows, recommendation) = (measured.comparison, measured.recommendation);
    // What the exchange rates say is worth it is no regression.
    findings.extend(audit::regressions(&rows, None, recommendation.advice != Advice::Keep));
    findings.extend(measured.checks.iter().filter(|check| !check.passed).map(|check| Finding {
        rule: Rule::Regression,
        fails: true,
        commit: None,
        experiment: None,
        what: match check.hidden {
            true => phrase!("a hidden check failed: {name}", name = &check.name),
            false => phrase!("check '{name}' fails", name = &check.name),
        },
        why: crate::measure::told::told(&check.outcome),
        next: None,
    }));
    Ok(Some(Measured { rows, recommendation }))
}

impl Report {
    fn fails(&self) -> usize {
        self.findings.iter().filter(|finding| finding.fails).count()
    }

    fn heading(&self) -> Phrase {
        let plural = crate::phrase::plural;
        let (commits, fails) = (self.commits, self.fails());
        let outcome: Phrase = match fails {
            0 => "nothing to object to".into(),
            _ => phrase!("{fails} problem{s}", fails, s = plural(fails)),
        };
        phrase!(
            "{commits} commit{s} since {against}: {outcome}",
            commits,
            s = plural(commits),
            against = clean(&self.against),
            outcome
        )
    }

    fn text(&self, ctx: &Ctx) -> String {
        let mut out = format!("{}\n", ctx.tell(self.heading()));
        for finding in &self.findings {
            let mark = ctx.tell(if finding.fails { "FAIL" } else { "note" });
            out.push_str(&format!("{mark} {}: {}\n", finding.rule.as_str(), clean(&ctx.tell(&finding.what))));
            out.push_str(&format!("     {} {}\n", lang::word(ctx.lang, "error.why"), clean(&ctx.tell(&finding.why))));
            if let Some(next) = &finding.next {
                out.push_str(&format!("     {} {}\n", lang::word(ctx.lang, "error.next"), clean(&ctx.tell(next))));
            }
        }
        if let Some(measured) = &self.measured {
            out.push_str(&format!("\n{}\n", table::comparison(&measured.rows, ctx.look()).trim_end()));
            out.push_str(&table::recommendation(&measured.recommendation, ctx.look()));
        }
        out
    }

    fn markdown(&self, ctx: &Ctx) -> String {
        let mut out = format!("### git verdict check\n\n{}\n", markdown(&ctx.tell(self.heading())));
        if !self.findings.is_empty() {
            let headings = ["rule", "what", "why", "try"].map(|heading| ctx.tell(heading)).join(" | ");
            out.push_str(&format!("\n| | {headings} |\n|---|---|---|---|---|\n"));
        }
        for finding in &self.findings {
            let next = finding.next.as_ref().map(|next| markdown_code(&ctx.tell(next), true)).unwrap_or_default();
            let cell = |text: &Phrase| markdown(&clean(&ctx.tell(text)));
            out.push_str(&format!(
                "| {} | {} | {} | {} | {next} |\n",
                if finding.fails { format!("**{}**", ctx.tell("fail")) } else { ctx.tell("note") },
                finding.rule.as_str(),
                cell(&finding.what),
                cell(&finding.why),
            ));
        }
        if let Some(measured) = &self.measured {
            let look = table::Look { color: false, ..ctx.look() };
            // A fence longer than any run of backticks that a name could bring.
            out.push_str(&format!("\n``````text\n{}\n", table::comparison(&measured.rows, look).trim_end()));
            out.push_str(&format!("{}\n``````\n", table::recommendation(&measured.recommendation, look).trim_end()));
        }
        out
    }
}
