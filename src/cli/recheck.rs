//! `git verdict recheck`: which decisions rest on something that has changed.

use super::log::summary;
use super::measure::{self, How};
use super::{Ctx, Done};
use crate::error::{Exit, Failure};
use crate::experiment::{Book, Experiment, State};
use crate::git::memory::{Merged, Scratch};
use crate::git::{Oid, Repo};
use crate::grounds::Look;
use crate::ledger::event::{Decided, Fact, Measured, Rechecked, Rechecks, Verdict};
use crate::ledger::{Ledger, Wanted, identity};
use crate::measure::{MeasureError, Measurement, Plan};
use crate::phrase;
use crate::phrase::{Phrase, plural};
use crate::policy::Advice;
use crate::recheck::{self, Applied, Looked, Moving, Today, told};
use crate::render::text::{Align, clean, pad, wrap};
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The decided experiments (default: all of them)
    names: Vec<String>,
    /// Also compare the machine and the versions of its tools
    #[arg(long)]
    machine: bool,
    /// Also ask docker, podman or buildah for the digests of base images
    #[arg(long)]
    engine: bool,
    /// Of those that moved, only the N that promise most
    #[arg(short = 'n', long, value_name = "N")]
    number: Option<usize>,
    /// Measure them again on the base of today: those that moved, or those named
    #[arg(long, group = "measures")]
    measure: bool,
    /// Measure what has landed against its first parent: those named, or all that were kept and not measured so yet
    #[arg(long, group = "measures")]
    landed: bool,
    /// Measure the end of a stack of kept experiments and each of its parts alone: what they do to each other
    #[arg(long, group = "measures")]
    stack: bool,
    /// Show what would be measured, and run nothing
    #[arg(long, requires = "measures")]
    dry_run: bool,
    #[command(flatten)]
    how: How,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let repo = ctx.repo()?;
    let ledger = Ledger::open(&repo);
    if ledger.tip()?.is_none() && args.names.is_empty() {
        ctx.note("the ledger is not here, and what decisions rest on stands nowhere else: git verdict sync");
    }
    let book = match args.names.is_empty() {
        true => ctx.book(&ledger)?,
        false => ledger.book_of(&Wanted { names: args.names.clone(), ..Wanted::default() })?,
    };
    let chosen = chosen(&book, &args.names)?;
    let look = Look { machine: args.machine, engine: args.engine };
    let mut looked = recheck::look(&repo, &chosen, look)?;
    looked.moved.truncate(args.number.unwrap_or(usize::MAX));
    let mut value = value(&looked);
    if !args.measure && !args.landed && !args.stack {
        list(ctx, &looked, !args.names.is_empty())?;
        ctx.emit("recheck", value)?;
        return Ok(Exit::Done);
    }
    let mut session = Session::new(ctx, &repo, &ledger, &args.how, args.dry_run)?;
    let kept = |e: &&Experiment| e.state == State::Kept;
    let all = args.names.is_empty();
    if args.stack {
        let on = |e: &Experiment| e.opened.stands_on.and_then(|id| book.by_id(id)).filter(kept);
        let below = |e: &&Experiment| chosen.iter().any(|other| kept(other) && on(other).is_some_and(|b| b.id == e.id));
        let tops = chosen.iter().copied().filter(|e| !all || (kept(e) && on(e).is_some() && !below(e)));
        session.stacks(&book, &tops.collect::<Vec<_>>())?;
    } else if args.landed {
        let missing = |e: &&Experiment| !all || (kept(e) && e.recheck(Rechecked::Landed).is_none());
        session.run(&chosen.into_iter().filter(missing).collect::<Vec<_>>(), Rechecked::Landed)?;
    } else {
        let moved = looked.moved.iter().map(|one| one.experiment).collect();
        session.run(&if all { moved } else { chosen }, Rechecked::Again)?;
    }
    value["measured"] = std::mem::take(&mut session.measured).into();
    value["not_measured"] = std::mem::take(&mut session.skipped).into();
    ctx.emit("recheck", value)?;
    Ok(session.exit)
}

/// Two commits that are to be measured because of a decision.
struct Job<'b> {
    experiment: &'b Experiment,
    what: Rechecked,
    base: Oid,
    candidate: Oid,
    /// That one of them that exists in memory only.
    made: Option<Oid>,
    /// The commits that were merged to have one of them.
    sources: Vec<Oid>,
}

/// Measures decisions again, one after the other. What cannot be measured is named, and the others go on.
pub struct Session<'a> {
    pub(super) ctx: &'a Ctx,
    pub(super) repo: &'a Repo,
    pub(super) ledger: &'a Ledger<'a>,
    pub(super) scratch: Scratch<'a>,
    pub(super) how: &'a How,
    pub(super) dry_run: bool,
    /// What was measured, as it is printed in JSON.
    pub measured: Vec<Value>,
    skipped: Vec<Value>,
    exit: Exit,
}

impl<'a> Session<'a> {
    /// A session in which nothing was measured yet.
    pub fn new(
        ctx: &'a Ctx,
        repo: &'a Repo,
        ledger: &'a Ledger<'a>,
        how: &'a How,
        dry_run: bool,
    ) -> Result<Self, Failure> {
        let scratch = repo.scratch()?;
        let (measured, skipped, exit) = (Vec::new(), Vec::new(), Exit::Done);
        Ok(Session { ctx, repo, ledger, scratch, how, dry_run, measured, skipped, exit })
    }

    /// Measures these.
    pub fn run(&mut self, wanted: &[&Experiment], what: Rechecked) -> Result<(), Failure> {
        if wanted.is_empty() {
            self.ctx.say(match what {
                Rechecked::Again => "there is nothing to measure again: nothing that decisions rest on has changed",
                _ => "everything that was kept has been measured as it landed",
            })?;
        }
        for experiment in wanted {
            let job = match what {
                Rechecked::Again => self.again(experiment)?,
                _ => self.landed(experiment)?,
            };
            match job {
                Ok(job) => self.take(&job)?,
                Err(why) => self.skip(experiment, why, Exit::State)?,
            }
        }
        self.settle();
        Ok(())
    }

    /// What could not be measured is no failure as long as something was.
    pub(super) fn settle(&mut self) {
        if !self.measured.is_empty() && self.exit == Exit::State {
            self.exit = Exit::Done;
        }
    }

    pub(super) fn skip(&mut self, experiment: &Experiment, why: Phrase, exit: Exit) -> Result<(), Failure> {
        let name = &experiment.name;
        self.ctx.say(phrase!("not measured: {name}: {why}", name = clean(name), why = why.clone()))?;
        self.skipped.push(json!({"experiment": name, "why": why.to_string()}));
        if self.exit != Exit::Step {
            self.exit = exit;
        }
        Ok(())
    }

    /// The base of today with the change and without it, or why there is no such thing.
    fn again<'b>(&self, experiment: &'b Experiment) -> Result<Result<Job<'b>, Phrase>, Failure> {
        let Some((_, _, decided)) = &experiment.decided else { return Ok(Err("it was not decided".into())) };
        let branch = decided.onto.as_str();
        let Some(today) = Today::of(self.repo, branch)? else {
            return Ok(Err(phrase!("the branch {branch} is not here", branch)));
        };
        let kept = decided.verdict == Verdict::Keep;
        let (tree, from) = match recheck::apply(self.repo, &self.scratch, decided, &today.tip)? {
            Applied::Made { tree, from } => (tree, from),
            Applied::Nothing if kept => {
                return Ok(Err(phrase!("its change is not in {branch} any more", branch)));
            }
            Applied::Nothing => return Ok(Err(phrase!("its change is in {branch} already", branch))),
            Applied::Missing(id) => return Ok(Err(phrase!("its commit {id} is not here", id = id.short()))),
            Applied::Conflict(files) => {
                let files: Vec<String> = files.iter().map(|path| clean(&path.to_string_lossy()).into_owned()).collect();
                return Ok(Err(phrase!(
                    "it conflicts with {branch} of today in {files}",
                    branch,
                    files = files.join(", ")
                )));
            }
        };
        let config = self.ctx.config(self.repo, Some(&today.tip))?;
        if today.config.as_ref().is_some_and(|own| own.hash != config.hash) {
            return Ok(Err(phrase!("verdict.toml here is not that of {branch}: git switch {branch}", branch)));
        }
        let made = self.scratch.commit(&tree, &[&today.tip])?;
        let sources = vec![today.tip.clone(), from];
        let (base, candidate) = if kept { (made.clone(), today.tip) } else { (today.tip, made.clone()) };
        Ok(Ok(Job { experiment, what: Rechecked::Again, base, candidate, made: Some(made), sources }))
    }

    /// The commit that a kept experiment landed as and its first parent, or why there is no such thing.
    fn landed<'b>(&self, experiment: &'b Experiment) -> Result<Result<Job<'b>, Phrase>, Failure> {
        let Some((record, _, decided)) = &experiment.decided else { return Ok(Err("it was not decided".into())) };
        if decided.verdict == Verdict::Revert {
            return Ok(Err("it was reverted: nothing of it has landed".into()));
        }
        let Some(candidate) = identity::landing(self.repo, *record, decided)? else {
            return Ok(Err(match decided.landed {
                None => "its commits were on the base already: what was measured is what is there".into(),
                Some(_) => phrase!("the commit that it landed as is not in {branch}", branch = decided.onto.as_str()),
            }));
        };
        let commit = self.repo.commit(&candidate)?;
        // A merge that holds nothing but what its parents give is as much to be trusted as they are.
        let sources = match commit.parents.as_slice() {
            [ours, theirs] if self.scratch.merge(ours, theirs)? == Merged::Tree(commit.tree) => commit.parents.clone(),
            _ => Vec::new(),
        };
        let Some(base) = commit.parents.into_iter().next() else {
            return Ok(Err(phrase!("{id} has no parent", id = candidate.short())));
        };
        Ok(Ok(Job { experiment, what: Rechecked::Landed, base, candidate, made: None, sources }))
    }

    fn take(&mut self, job: &Job<'_>) -> Result<(), Failure> {
        let (ctx, repo, name) = (self.ctx, self.repo, &job.experiment.name);
        let (base, candidate) = (job.base.short(), job.candidate.short());
        if self.dry_run {
            ctx.say(phrase!("would measure {name}: {candidate} against {base}", name = clean(name), candidate, base))?;
            let (base, candidate) = (&job.base, &job.candidate);
            self.measured.push(json!({"experiment": name, "what": job.what, "base": base, "candidate": candidate}));
            return Ok(());
        }
        if let Some(made) = &job.made {
            self.scratch.persist(made)?;
        }
        let tip = if job.made.as_ref() == Some(&job.candidate) { &job.base } else { &job.candidate };
        let config = ctx.config(repo, Some(tip))?;
        let other = if tip == &job.base { &job.candidate } else { &job.base };
        super::trust::gate_made(ctx, repo, &config, &[tip.clone(), other.clone()], &job.sources)?;
        ctx.note(phrase!("measuring {name}", name));
        let sides = measure::two_sides(repo, &job.base, &job.candidate)?;
        let plan = measure::plan(repo, &format!("recheck:{}:{name}", job.what.as_str()), config, self.how, sides)?;
        let Some(taken) = self.sample(job.experiment, &plan)? else { return Ok(()) };
        let Some((decision, at, decided)) = &job.experiment.decided else { return Ok(()) };
        let mut measured = measure::judged(repo, &plan.config, taken, &job.base, &job.candidate)?;
        measured.rechecks = Some(Rechecks { decision: *decision, what: job.what, parts: Vec::new() });
        let event = self.ledger.draft(job.experiment.id, name, Fact::Measured(Box::new(measured.clone())))?;
        self.ledger.append(&event)?;
        crate::measure::session::finish(repo, &plan.key)?;
        ctx.say(format!("{}:", clean(name)))?;
        measure::show(ctx, &measured)?;
        let sentence = match job.what {
            Rechecked::Again => told::again(name, (at, &decided.comparison), (None, &measured.comparison)),
            _ => told::landed(&decided.comparison, &measured.comparison),
        };
        if let Some(sentence) = &sentence {
            ctx.say(wrap(&ctx.tell(sentence.clone()), ctx.look().width, 2))?;
        }
        if let Some(next) = otherwise(job.experiment, decided, &measured) {
            ctx.say(phrase!("next: {next}", next))?;
        }
        self.measured.push(json!({
            "experiment": name, "what": job.what, "base": job.base, "candidate": job.candidate, "record": event.id,
            "measured": measured, "told": sentence.map(|sentence| sentence.to_string()),
        }));
        Ok(())
    }
}

impl Session<'_> {
    /// Runs a plan; none when a step fails, which is named.
    pub(super) fn sample(&mut self, experiment: &Experiment, plan: &Plan) -> Result<Option<Measurement>, Failure> {
        match measure::take(self.ctx, self.repo, plan) {
            Err(error @ (MeasureError::Step { .. } | MeasureError::Flaky { .. } | MeasureError::Metric { .. })) => {
                self.skip(experiment, Failure::from(error).what, Exit::Step)?;
                Ok(None)
            }
            other => Ok(Some(other?)),
        }
    }
}

/// What to do when the numbers of today speak against the decision.
fn otherwise(experiment: &Experiment, decided: &Decided, measured: &Measured) -> Option<Phrase> {
    let against = match decided.verdict {
        Verdict::Keep => Advice::Revert,
        Verdict::Revert => Advice::Keep,
    };
    let new = decided.recommendation.as_ref().is_none_or(|then| then.advice != against);
    let name = &experiment.name;
    (measured.recommendation.advice == against && new).then(|| match decided.verdict {
        Verdict::Keep => phrase!("git verdict revert {name} --because TEXT", name),
        Verdict::Revert => phrase!("git verdict undo {name} --because TEXT, then measure and keep it", name),
    })
}

/// The experiments of these names, each once, all of them decided; without names all that are.
fn chosen<'b>(book: &'b Book, names: &[String]) -> Result<Vec<&'b Experiment>, Failure> {
    if names.is_empty() {
        return Ok(book.experiments.iter().filter(|e| recheck::is_decided(e)).collect());
    }
    let mut chosen: Vec<&Experiment> = Vec::new();
    for name in names {
        let found = book.find(name)?;
        if !recheck::is_decided(found) {
            let (name, state) = (&found.name, Phrase::from(found.state.as_str()));
            return Err(Failure::state(phrase!(
                "experiment '{name}' is {state}: there is no decision to recheck",
                name,
                state
            ))
            .try_next(phrase!("git verdict show {name}", name)));
        }
        if !chosen.iter().any(|e| e.id == found.id) {
            chosen.push(found);
        }
    }
    Ok(chosen)
}

fn list(ctx: &Ctx, looked: &Looked<'_>, named: bool) -> Result<(), Failure> {
    let Looked { moved, still, unknown, .. } = looked;
    // Of what could not be compared it is not known whether anything has changed.
    let all = moved.len() + still.len();
    match moved.len() {
        0 if all + unknown.len() == 0 => return ctx.say("no decisions yet"),
        0 if all == 0 => {}
        0 => ctx.say(phrase!("nothing has changed under {all} decision{s}", all, s = plural(all)))?,
        n => ctx.say(phrase!("something has changed under {n} of {all} decision{s}", n, all, s = plural(all)))?,
    }
    for one in moved {
        ctx.say("")?;
        headline(ctx, one)?;
        if let Some((at, rows)) = &one.again {
            let then = (&one.at, one.decided.comparison.as_slice());
            if let Some(sentence) = told::again(&one.experiment.name, then, (Some(at), rows)) {
                ctx.say(wrap(&format!("  {}", ctx.tell(sentence)), ctx.look().width, 4))?;
            }
        }
        if one.rebuilt {
            ctx.say("  (an old record: what it rested on was read from its commits)")?;
        }
        for moved in &one.moved {
            ctx.say(wrap(&format!("  {}", clean(&ctx.tell(moved.told()))), ctx.look().width, 4))?;
        }
    }
    let others = !still.is_empty() || !unknown.is_empty();
    if others && !moved.is_empty() {
        ctx.say("")?;
    }
    if named || !moved.is_empty() {
        let names: Vec<&str> = still.iter().map(|e| e.name.as_str()).collect();
        if !names.is_empty() {
            ctx.say(wrap(
                &ctx.tell(phrase!("unmoved: {names}", names = clean(&names.join(", ")))),
                ctx.look().width,
                2,
            ))?;
        }
    }
    for (experiment, why) in unknown {
        ctx.say(phrase!("not compared: {name}: {why}", name = clean(&experiment.name), why = why.clone()))?;
    }
    Ok(())
}

/// `0.36  2025-03-01  reverted  multi-stage  build_time +41.1 %`.
fn headline(ctx: &Ctx, one: &Moving<'_>) -> Result<(), Failure> {
    let state = pad(&ctx.tell(one.experiment.state.as_str()), 9, Align::Left);
    let (day, name) = (one.at.format("%Y-%m-%d"), clean(&one.experiment.name));
    ctx.say(format!("{:.2}  {day}  {state}  {name}  {}", one.score(), summary(&one.decided.comparison, ctx.lang)))
}

fn value(looked: &Looked<'_>) -> Value {
    let moved = |one: &Moving<'_>| {
        let (experiment, decided) = (one.experiment, one.decided);
        json!({
            "experiment": experiment.name, "state": experiment.state,
            "decision": experiment.decided.as_ref().map(|(id, _, _)| id), "at": one.at, "onto": decided.onto,
            "comparison": decided.comparison, "moved": one.moved, "rebuilt": one.rebuilt,
            "again": one.again.map(|(at, rows)| json!({"at": at, "comparison": rows})),
            "told": one.moved.iter().map(|moved| moved.told().to_string()).collect::<Vec<_>>(),
            "promise": one.promise, "ground": one.ground, "score": one.score(),
        })
    };
    let why = |(e, why): &(&Experiment, Phrase)| json!({"experiment": e.name, "why": why.to_string()});
    json!({
        "moved": looked.moved.iter().map(moved).collect::<Vec<_>>(),
        "unmoved": looked.still.iter().map(|e| &e.name).collect::<Vec<_>>(),
        "not_compared": looked.unknown.iter().map(why).collect::<Vec<_>>(),
    })
}
