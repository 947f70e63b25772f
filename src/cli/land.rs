//! What `keep`, `revert` and `decide` share: draft, texts, preview, landing.

use super::context::{asking, neutral_lines};
use super::{Ctx, Done};
use crate::adr::convention::{self, Convention, number_of};
use crate::adr::file::DecisionFile;
use crate::adr::options::Options;
use crate::adr::render;
use crate::config::{Policy, RevertMode};
use crate::decision::{self, Draft, Landed, Request, Texts};
use crate::error::{Exit, Failure};
use crate::experiment::{Book, Experiment};
use crate::git::Repo;
use crate::hooks::run as hooks;
use crate::ledger::event::Verdict;
use crate::ledger::{Event, Fact, Ledger, Wanted};
use crate::phrase;
use crate::phrase::Phrase;
use crate::render::Lang;
use crate::render::template::{OVERRIDES, Renderer};
use crate::render::text::clean;
use serde_json::json;
use std::path::PathBuf;

/// What was asked for on the command line.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Keep or revert.
    pub verdict: Verdict,
    /// Why.
    pub because: String,
    /// How a revert lands.
    pub mode: Option<RevertMode>,
    /// Go on against what is missing.
    pub force: bool,
    /// It is shown before it lands.
    pub preview: bool,
}

// What `keep` and `revert` have in common. No doc comment: clap would make it the `about` of both.
#[derive(Debug, clap::Args)]
pub struct Flags {
    /// The experiment (default: the one whose branch is checked out)
    name: Option<String>,
    /// Why, in your words
    #[arg(long, value_name = "TEXT")]
    because: Option<String>,
    /// Go on without numbers, with stale ones, or against a failed check or a broken limit
    #[arg(long)]
    force: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `keep` or `revert`.
pub fn run(ctx: &Ctx, flags: Flags, verdict: Verdict, mode: Option<RevertMode>) -> Done {
    let repo = ctx.repo()?;
    if !flags.dry_run {
        repo.look_ahead();
    }
    let ledger = Ledger::open(&repo);
    let book = ledger.book_of(&Wanted { open: true, ..ctx.wanted(&repo, flags.name.as_deref())? })?;
    let experiment = ctx.experiment(&repo, &book, flags.name.as_deref())?;
    let because = match flags.because {
        Some(text) if text.trim().is_empty() => {
            return Err(Failure::usage("the reason is empty").try_next("--because 'why'"));
        }
        Some(text) => text,
        None => ctx.ask_line("Why?", "--because TEXT")?,
    };
    let wish = Wish { verdict, because, mode, force: flags.force, preview: flags.dry_run };
    let policy = policy(ctx, &repo)?;
    let (draft, texts) = draft(ctx, &repo, &ledger, &book, experiment, &policy, &wish)?;
    if flags.dry_run {
        preview(ctx, &repo, &draft, &texts)?;
        ctx.say("nothing was done (--dry-run)")?;
        let steps = decision::preview(&repo, &draft, &texts);
        ctx.emit("dry-run", json!({
                "event": draft.event, "steps": steps.iter().map(Phrase::to_string).collect::<Vec<_>>(), "notes": draft.notes.iter().map(Phrase::to_string).collect::<Vec<_>>(), "texts": texts,
            }))?;
        return Ok(Exit::Done);
    }
    for note in &draft.notes {
        ctx.note(phrase!("note: {note}", note = clean(&ctx.tell(note))));
    }
    land(ctx, &repo, &ledger, draft, texts)
}

/// The policy in force; the default one where there is no configuration.
pub fn policy(ctx: &Ctx, repo: &Repo) -> Result<Policy, Failure> {
    let head = repo.resolve("HEAD")?;
    match ctx.config(repo, Some(&head)) {
        Ok(config) => Ok(config.policy),
        Err(failure) if failure.next.as_ref().is_some_and(|next| next.key() == "git verdict init") => {
            Ok(Policy::default())
        }
        Err(failure) => Err(failure),
    }
}

/// Preflights a decision and renders its texts; touches nothing.
pub fn draft(
    ctx: &Ctx,
    repo: &Repo,
    ledger: &Ledger<'_>,
    book: &Book,
    experiment: &Experiment,
    policy: &Policy,
    wish: &Wish,
) -> Result<(Draft, Texts), Failure> {
    let request = Request {
        experiment,
        book,
        verdict: wish.verdict,
        because: wish.because.trim().to_string(),
        mode: wish.mode,
        force: wish.force,
        preview: wish.preview,
        at_once: !wish.preview,
        policy,
    };
    let draft = decision::prepare(repo, ledger, &request)?;
    let texts = texts(ctx, repo, ledger, experiment, policy, &draft)?;
    Ok((draft, texts))
}

fn texts(
    ctx: &Ctx,
    repo: &Repo,
    ledger: &Ledger<'_>,
    experiment: &Experiment,
    policy: &Policy,
    draft: &Draft,
) -> Result<Texts, Failure> {
    let Fact::Decided(decided) = &draft.event.fact else {
        return Err(Failure::state("the draft is no decision"));
    };
    let mode = decided.mode.unwrap_or_default();
    let archive = decided.verdict == Verdict::Revert && mode == RevertMode::Archive;
    let merges = decided.verdict == Verdict::Keep || mode == RevertMode::Merge;
    let reverts = decided.verdict == Verdict::Revert && !archive;
    let renderer = renderer(ctx, repo)?;
    let measured = experiment.measured.iter().find(|(id, _)| Some(*id) == decided.measured).map(|(_, m)| m);
    let adr = if archive {
        // Whole, because a decision file names what else was considered.
        let (path, text) = decision_file(&renderer, repo, &ctx.book(ledger)?, experiment, policy, draft)?;
        let message = renderer.adr_commit(draft, measured, &path)?;
        Some((path, text, message))
    } else {
        None
    };
    let keep_type = policy.keep_type.as_deref().unwrap_or("perf");
    Ok(Texts {
        revert: reverts.then(|| renderer.revert(draft, measured)).transpose()?,
        merge: merges.then(|| renderer.merge(draft, keep_type, measured)).transpose()?,
        adr,
    })
}

/// The decision file of a draft and its path, numbered after those in the work tree and on the branch that it lands on.
fn decision_file(
    renderer: &Renderer,
    repo: &Repo,
    book: &Book,
    experiment: &Experiment,
    policy: &Policy,
    draft: &Draft,
) -> Result<(PathBuf, String), Failure> {
    let root = repo.workdir()?;
    let convention = Convention::find(root, &convention::Wish::of(policy))?;
    let decided = render::decided(experiment, draft);
    let tip = repo.branch(&draft.opened.onto)?;
    let names = tip.as_ref().map(|tip| repo.names_at(tip, &convention.folder)).transpose()?.unwrap_or_default();
    for (tip, name) in tip.iter().flat_map(|tip| names.iter().map(move |name| (tip, name))) {
        let path = convention.folder.join(name);
        let there = if name.ends_with(".md") { repo.file_at(tip, &path)? } else { None };
        let file = DecisionFile::parse(&String::from_utf8_lossy(&there.unwrap_or_default()));
        if file.stamp().is_some_and(|stamp| stamp.experiment == experiment.id) {
            let shown = clean(&path.display().to_string()).into_owned();
            let (name, onto) = (&experiment.name, clean(&draft.opened.onto));
            return Err(Failure::state(phrase!("{name} has a decision file already: {file}", name, file = &shown))
                .because(phrase!("mode archive commits one to {onto}, and there is to be one only", onto))
                .try_next(phrase!("git rm {file} and a commit there, or --mode merge", file = shown)));
        }
    }
    let taken: Vec<u32> = names.iter().filter_map(|name| number_of(name)).collect();
    let date = draft.event.at.date_naive();
    let (path, number) = convention.name(root, &render::slug(&experiment.name), date, &taken)?;
    let options = Options::of(book, &decided);
    let source = render::Source {
        experiment: &decided,
        stands_on: draft.stands_on.as_deref(),
        by: Some(&draft.event.by),
        options: &options,
    };
    Ok((path, renderer.decision_file(source, render::Shape::of(&convention, number))?))
}

/// The texts of this repository: its overrides before the built-in ones.
pub fn renderer(ctx: &Ctx, repo: &Repo) -> Result<Renderer, Failure> {
    renderer_in(repo, ctx.lang)
}

/// The same in a language that need not be the reader's.
pub fn renderer_in(repo: &Repo, lang: Lang) -> Result<Renderer, Failure> {
    Ok(Renderer::with_overrides(lang, overrides(repo).as_deref())?)
}

/// The repository's own templates.
pub fn overrides(repo: &Repo) -> Option<PathBuf> {
    repo.workdir().ok().map(|root| root.join(OVERRIDES)).filter(|folder| folder.exists())
}

/// Shows exactly what will land.
pub fn preview(ctx: &Ctx, repo: &Repo, draft: &Draft, texts: &Texts) -> Result<(), Failure> {
    for note in &draft.notes {
        ctx.say(phrase!("note: {note}", note = clean(&ctx.tell(note))))?;
    }
    ctx.say("what will be done:")?;
    for (number, step) in decision::preview(repo, draft, texts).iter().enumerate() {
        ctx.say(format!("  {}. {}", number + 1, clean(&ctx.tell(step))))?;
    }
    let adr = texts.adr.as_ref().map(|(_, _, message)| message);
    for (title, text) in [
        ("message of the revert commit", texts.revert.as_ref()),
        ("message of the merge commit", texts.merge.as_ref()),
        ("message of the commit of the decision file", adr),
    ] {
        if let Some(text) = text {
            ctx.say(format!("\n--- {} ---\n{}\n---", ctx.tell(title), neutral_lines(text)))?;
        }
    }
    if let Some((path, text, _)) = &texts.adr {
        ctx.say(format!("\n--- {} ---\n{}\n---", clean(&path.display().to_string()), neutral_lines(text)))?;
    }
    Ok(())
}

/// Lands a draft and says what came of it.
pub fn land(ctx: &Ctx, repo: &Repo, ledger: &Ledger<'_>, draft: Draft, texts: Texts) -> Done {
    let landed = decision::land(repo, ledger, draft, texts)?;
    finished(ctx, repo, ledger, &landed)?;
    Ok(Exit::Done)
}

/// Says what came of a landing, and leaves for the hooks and for `measure --queued` what they look for.
pub fn finished(ctx: &Ctx, repo: &Repo, ledger: &Ledger<'_>, landed: &Landed) -> Result<(), Failure> {
    if matches!(&landed.event.fact, Fact::Decided(decided) if decided.verdict == Verdict::Revert) {
        // The hooks look for it; whoever misses it makes it.
        let _ = crate::guard::shelf(repo, ledger);
    }
    for note in &landed.notes {
        ctx.note(phrase!("note: {note}", note = clean(&ctx.tell(note))));
    }
    said(ctx, repo, &landed.event)?;
    if let Fact::Decided(decided) = &landed.event.fact
        && decided.verdict == Verdict::Keep
        && decided.landed.is_some()
        && hooks::queue_landed(repo, &landed.event.name).unwrap_or(false)
    {
        ctx.note("queued to be measured as it landed: git verdict measure --queued");
    }
    Ok(())
}

/// Says what landed.
pub fn said(ctx: &Ctx, repo: &Repo, event: &Event) -> Result<(), Failure> {
    let Fact::Decided(decided) = &event.fact else { return Ok(()) };
    let what = match (decided.verdict, decided.mode) {
        (Verdict::Keep, _) => phrase!("kept {name}", name = &event.name),
        (Verdict::Revert, Some(RevertMode::Archive)) => phrase!("archived {name}", name = &event.name),
        (Verdict::Revert, _) => phrase!("reverted {name}", name = &event.name),
    };
    ctx.say(what)?;
    if let Some(id) = &decided.revert_commit {
        ctx.say(phrase!("  revert commit {id}", id = ctx.commit(repo, id, id.short())))?;
    }
    if let Some(id) = &decided.landed {
        let id = ctx.commit(repo, id, id.short());
        ctx.say(phrase!("  on {onto} as {id}", onto = clean(&decided.onto), id))?;
    }
    ctx.say(phrase!("  record {id}", id = event.id))?;
    ctx.emit("decision", json!({"event": event}))
}

/// Asks for yes or no; `--yes` answers it, and without a terminal it fails.
pub fn confirm(ctx: &Ctx, prompt: impl Into<Phrase>) -> Result<bool, Failure> {
    if ctx.yes { Ok(true) } else { question(ctx, prompt, true) }
}

/// Asks for yes or no about something risky: no is the default, and `--yes` does not answer it.
pub fn confirm_or_no(ctx: &Ctx, prompt: impl Into<Phrase>) -> Result<bool, Failure> {
    question(ctx, prompt, false)
}

fn question(ctx: &Ctx, prompt: impl Into<Phrase>, default: bool) -> Result<bool, Failure> {
    if !ctx.can_ask() {
        return Err(Failure::usage("a confirmation is needed")
            .because("there is no terminal to ask on")
            .try_next("--yes"));
    }
    dialoguer::Confirm::with_theme(&dialoguer::theme::ColorfulTheme::default())
        .with_prompt(ctx.tell(prompt))
        .default(default)
        .interact()
        .map_err(asking)
}
