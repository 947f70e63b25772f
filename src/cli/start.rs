//! `git verdict start`: opens an experiment on its branch.

use super::context::refuse_taken;
use super::{Ctx, Done};
use crate::config::Config;
use crate::error::{Exit, Failure};
use crate::experiment::{BRANCH_PREFIX, Book, Experiment, Start, State, check_name};
use crate::git::change::Between;
use crate::git::refs::Head;
use crate::git::{GitError, Oid, Repo};
use crate::guard::Question;
use crate::ledger::event::{Identity, Opened};
use crate::ledger::{Fact, Ledger, Wanted};
use crate::phrase;
use crate::phrase::plural;
use crate::render::text::clean;
use serde_json::json;
use ulid::Ulid;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Its name: lower-case letters, digits, '.', '_' and '-'
    name: String,
    /// What is expected, and why
    #[arg(long, value_name = "TEXT")]
    hypothesis: Option<String>,
    /// What is tried, for subjects and headings (default: the name in words)
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Where it starts: a commit or branch, or the experiment that it stands on
    #[arg(long, value_name = "REF|EXPERIMENT")]
    on: Option<String>,
    /// Take commits that exist already: A..B, or one commit
    #[arg(long, value_name = "RANGE")]
    adopt: Option<String>,
}

/// All that is settled before anything is touched.
struct Opening {
    start: Start,
    /// Where the branch is made.
    tip: Oid,
    adopted: Option<Oid>,
    switch: bool,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let repo = ctx.repo()?;
    repo.workdir()?;
    check_name(&args.name)?;
    let (head, _) = match repo.head()? {
        Head::Branch { name, commit } => (name, commit),
        Head::Unborn(name) => return Err(GitError::Unborn(name).into()),
        Head::Detached(commit) if args.on.is_some() || args.adopt.is_some() => (String::new(), commit),
        Head::Detached(commit) => return Err(GitError::Detached(commit.short().to_string()).into()),
    };
    let ledger = Ledger::open(&repo);
    let wanted = Wanted {
        names: args.on.iter().filter(|_| args.adopt.is_some()).cloned().collect(),
        perhaps: args.on.iter().chain([&args.name]).cloned().collect(),
        branches: vec![head.clone()],
        ..Wanted::default()
    };
    let book = ledger.book_of(&wanted)?;
    refuse_taken(&book, &args.name)?;
    let branch = format!("{BRANCH_PREFIX}{}", args.name);
    if repo.branch(&branch)?.is_some() {
        return Err(Failure::state(phrase!("there is a branch '{branch}' already", branch))
            .because("an experiment's branch is made when it is opened")
            .try_next("another name, or git branch -m to give that branch another one"));
    }
    let policy = Config::load(repo.workdir()?)?.map(|config| config.policy).unwrap_or_default();
    let opening = settle(&repo, &book, &args, &head, policy.base.as_deref())?;
    if opening.switch {
        refuse_dirty(&repo, &opening.tip)?;
    }
    let hypothesis = match args.hypothesis {
        Some(text) if text.trim().is_empty() => {
            return Err(Failure::usage("the hypothesis is empty").try_next("--hypothesis 'what you expect, and why'"));
        }
        Some(text) => text,
        None => ctx.ask_line("Hypothesis: what do you expect, and why?", "--hypothesis TEXT")?,
    };
    let title = args.title.unwrap_or_else(|| args.name.replace(['-', '_'], " "));
    let base = identity(&repo, &opening.start.base, None)?;
    let opened = Opened {
        title,
        hypothesis: hypothesis.trim().to_string(),
        base,
        onto: opening.start.onto.clone(),
        branch: branch.clone(),
        stands_on: opening.start.stands_on,
        adopted: opening.adopted.clone(),
    };
    let said = format!("{}\n{}", opened.title, opened.hypothesis);
    let question = match &opening.adopted {
        Some(tip) => Question::of_change(&repo, Between::Commits(&opening.start.base, tip), &said)?,
        None => Question::of_text(&said),
    };
    let event = ledger.draft(Ulid::new(), &args.name, Fact::Opened(opened.clone()))?;
    repo.create_branch(&branch, &opening.tip)?;
    if opening.switch
        && let Err(error) = repo.switch(&branch)
    {
        repo.delete_branch(&branch, &opening.tip)?;
        return Err(error.into());
    }
    if let Err(error) = ledger.append(&event) {
        if opening.switch && !head.is_empty() {
            repo.switch(&head)?;
        }
        repo.delete_branch(&branch, &opening.tip)?;
        return Err(error.into());
    }
    report(ctx, &repo, &book, &args.name, &opened, &opening)?;
    let similar = super::similar::note(ctx, &repo, &ledger, &question, &opening.start.base);
    ctx.emit(
        "start",
        json!({
            "experiment": args.name, "id": event.experiment, "record": event.id, "branch": branch,
            "base": opened.base.commit, "onto": opened.onto, "stands_on": opened.stands_on, "adopted": opened.adopted,
            "similar": similar,
        }),
    )?;
    Ok(Exit::Done)
}

fn report(ctx: &Ctx, repo: &Repo, book: &Book, name: &str, opened: &Opened, opening: &Opening) -> Result<(), Failure> {
    let commit = opened.base.commit.short();
    let onto = clean(&opened.onto);
    ctx.say(match opened.stands_on.and_then(|id| book.by_id(id)) {
        Some(e) => {
            phrase!("opened {name} at {commit}, on top of {on}, to land on {onto}", name, commit, on = &e.name, onto)
        }
        None => phrase!("opened {name} at {commit}, to land on {onto}", name, commit, onto),
    })?;
    match &opening.adopted {
        Some(_) => {
            let count = repo.range(&opened.base.commit, &opening.tip)?.len();
            ctx.say(phrase!(
                "adopted {count} commit{s}; next: git verdict measure {name}",
                count,
                s = plural(count),
                name
            ))
        }
        None => ctx.say(phrase!(
            "on branch {branch}; next: commit the change, then git verdict measure",
            branch = clean(&opened.branch)
        )),
    }
}

fn settle(repo: &Repo, book: &Book, args: &Args, head: &str, base_branch: Option<&str>) -> Result<Opening, Failure> {
    if let Some(range) = &args.adopt {
        let stands_on = args.on.as_deref().map(|on| book.find(on).map(|e| e.id)).transpose()?;
        return adopt(repo, range, landing_branch(repo, base_branch)?, stands_on);
    }
    let plain = |base: Oid, onto: String, stands_on| Opening {
        tip: base.clone(),
        start: Start { base, onto, stands_on },
        adopted: None,
        switch: true,
    };
    let Some(on) = &args.on else {
        if let Some(open) = book.on_branch(head) {
            return Err(Failure::state(phrase!("HEAD is on the branch of experiment '{name}'", name = &open.name))
                .because("a new experiment either stands on it or starts beside it")
                .try_next(phrase!(
                    "--on {name} to stack, --on {onto} to start beside it",
                    name = &open.name,
                    onto = clean(&open.opened.onto)
                )));
        }
        let onto = landing_branch(repo, base_branch)?;
        let base = repo.branch(&onto)?.ok_or_else(|| GitError::UnknownRef(onto.clone()))?;
        return Ok(plain(base, onto, None));
    };
    if let Ok(parent) = book.find(on) {
        let (base, onto) = stacked(repo, parent)?;
        return Ok(plain(base, onto, Some(parent.id)));
    }
    let base = repo.resolve(on)?;
    let onto = match repo.branch(on)? {
        Some(_) => on.clone(),
        None => landing_branch(repo, base_branch)?,
    };
    Ok(plain(base, onto, None))
}

/// Where an experiment that stands on another one starts: on its branch while it is open, where it landed once it is kept.
fn stacked(repo: &Repo, parent: &Experiment) -> Result<(Oid, String), Failure> {
    let onto = parent.opened.onto.clone();
    let branch = match parent.state {
        State::Open | State::Measured => parent.branch(),
        State::Kept => &onto,
        State::Reverted | State::Archived | State::Abandoned => {
            return Err(Failure::state(phrase!("experiment '{name}' did not stay", name = &parent.name))
                .because("what stands on it would bring it back")
                .try_next(phrase!("--on {onto}", onto = clean(&onto))));
        }
    };
    let base = repo.branch(branch)?.ok_or_else(|| GitError::UnknownRef(branch.to_string()))?;
    Ok((base, onto))
}

fn adopt(repo: &Repo, range: &str, onto: String, stands_on: Option<Ulid>) -> Result<Opening, Failure> {
    let (base, tip) = repo.parse_range(range)?;
    if !repo.is_ancestor(&base, &tip)? {
        return Err(Failure::usage(phrase!("'{range}' is no range to adopt", range = clean(range)))
            .because(phrase!("{base} is not an ancestor of {tip}", base = base.short(), tip = tip.short()))
            .try_next(phrase!("git merge-base {base} {tip}", base = base.short(), tip = tip.short())));
    }
    if repo.range(&base, &tip)?.is_empty() {
        return Err(Failure::usage(phrase!("the range '{range}' is empty", range = clean(range)))
            .try_next("git log --oneline, and a range such as HEAD~2..HEAD"));
    }
    let start = Start { base, onto, stands_on };
    Ok(Opening { start, adopted: Some(tip.clone()), tip, switch: false })
}

/// The branch that the experiment lands on.
fn landing_branch(repo: &Repo, base_branch: Option<&str>) -> Result<String, Failure> {
    repo.default_base(base_branch).map_err(|error| match (error, base_branch) {
        (GitError::UnknownRef(_), Some(name)) => {
            Failure::usage(phrase!("[policy] base is '{name}', and there is no such branch", name = clean(name)))
                .try_next("git branch --list")
        }
        (error, _) => error.into(),
    })
}

/// Uncommitted changes follow to the new branch only when it starts at HEAD.
fn refuse_dirty(repo: &Repo, base: &Oid) -> Result<(), Failure> {
    let at_head = repo.resolve("HEAD")? == *base;
    let dirty = repo.uncommitted()?;
    match dirty.tracked.iter().chain(&dirty.conflicted).next() {
        Some(path) if !at_head || !dirty.conflicted.is_empty() => Err(Failure::state(phrase!(
            "there are uncommitted changes, {path} among them",
            path = clean(&path.display().to_string())
        ))
        .because(phrase!("the experiment starts at {base}, which is not HEAD", base = base.short()))
        .try_next("git commit, then the same command again")),
        _ => Ok(()),
    }
}

/// A commit by id, tree and patch-id against `base`.
pub fn identity(repo: &Repo, commit: &Oid, base: Option<&Oid>) -> Result<Identity, GitError> {
    let patch = base.map(|base| repo.patch_id(base, commit)).transpose()?.flatten();
    Ok(Identity { commit: commit.clone(), tree: repo.commit(commit)?.tree, patch })
}
