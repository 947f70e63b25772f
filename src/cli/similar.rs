//! `git verdict similar`: which reverted experiments a change or an idea resembles.

use super::log::{comparison, summary};
use super::{Ctx, Done};
use crate::config::Config;
use crate::error::{Exit, Failure};
use crate::git::change::Between;
use crate::git::refs::Head;
use crate::git::{Oid, Repo};
use crate::grounds::{self, Look};
use crate::guard::{self, Question, Recalled, Shelf, Today};
use crate::ledger::{Ledger, LedgerError, Wanted};
use crate::phrase;
use crate::phrase::{Phrase, plural};
use crate::render::Lang;
use crate::render::text::{clean, cut_at_word, wrap};
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A commit, or A..B (default: the change of the experiment whose branch HEAD is on, else HEAD's own)
    #[arg(value_name = "REV|RANGE")]
    change: Option<String>,
    /// What would be committed: the index against HEAD
    #[arg(long, conflicts_with = "change")]
    staged: bool,
    /// What is to be tried, in words; alone, or with a change
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let repo = ctx.repo()?;
    let ledger = Ledger::open(&repo);
    let text = args.text.as_deref();
    if text.is_some_and(|text| text.trim().is_empty()) {
        return Err(Failure::usage("the text is empty").try_next("--text 'what is to be tried, and why'"));
    }
    let head = || repo.resolve("HEAD");
    let mut own = None;
    // What is asked about, and the commit that it starts from.
    let (question, from, asked) = match (&args.change, args.staged, text) {
        (None, true, _) => {
            let from = head()?;
            let question = Question::of_change(&repo, Between::Staged, text.unwrap_or_default())?;
            (question, from, json!({"staged": true}))
        }
        (None, false, Some(text)) => (Question::of_text(text), head()?, json!({"text": text})),
        (change, ..) => {
            let (from, to, said) = match change {
                Some(change) => {
                    let (from, to) = repo.parse_range(change)?;
                    let said = if change.contains("..") { String::new() } else { repo.commit(&to)?.message };
                    (from, to, said)
                }
                None => here(&repo, &ledger, &mut own)?,
            };
            let said = format!("{said}\n{}", text.unwrap_or_default());
            let question = Question::of_change(&repo, Between::Commits(&from, &to), &said)?;
            let asked = json!({"base": from, "candidate": to});
            (question, from, asked)
        }
    };
    if args.staged && !question.features.has_diff() {
        return Err(Failure::state("nothing is staged").try_next("git add, then the same command again"));
    }
    let shelf = guard::shelf(&repo, &ledger)?;
    let mut found = guard::recall(&ledger, &shelf, &question)?;
    found.retain(|one| Some(one.experiment.id) != own);
    let config = match found.is_empty() {
        true => None,
        false => ctx.config(&repo, Some(&from)).ok(),
    };
    let today = Today::at(&from, config.as_ref(), Look { machine: true, engine: false });
    for one in &mut found {
        one.look_again(&repo, &today)?;
    }
    let reverted = shelf.len();
    if found.is_empty() {
        ctx.say(match reverted {
            0 => "no reverted experiment is on record here".into(),
            n => phrase!("like none of {n} reverted experiment{s}", n, s = plural(n)),
        })?;
    }
    for (number, one) in found.iter().enumerate() {
        if number > 0 {
            ctx.say("")?;
        }
        ctx.say(told(ctx, one, ""))?;
    }
    let similar: Vec<Value> = found.iter().map(value).collect();
    ctx.emit("similar", json!({"asked": asked, "reverted": reverted, "similar": similar}))?;
    Ok(Exit::Done)
}

/// The change of the experiment whose branch HEAD is on, else that of HEAD, with what is said of it.
fn here(repo: &Repo, ledger: &Ledger<'_>, own: &mut Option<ulid::Ulid>) -> Result<(Oid, Oid, String), Failure> {
    if let Head::Branch { name, commit } = repo.head()? {
        let book = ledger.book_of(&Wanted { branches: vec![name.clone()], ..Wanted::default() })?;
        if let Some(experiment) = book.on_branch(&name) {
            *own = Some(experiment.id);
            let opened = &experiment.opened;
            return Ok((opened.base.commit.clone(), commit, format!("{}\n{}", opened.title, opened.hypothesis)));
        }
    }
    let (from, to) = repo.parse_range("HEAD")?;
    let said = repo.commit(&to)?.message;
    Ok((from, to, said))
}

/// Notes what a question recalls on standard error, each with what moved since, and gives it as JSON. A guard that cannot
/// look stops nobody.
pub fn note(ctx: &Ctx, repo: &Repo, ledger: &Ledger<'_>, question: &Question, from: &Oid) -> Vec<Value> {
    let found = guard::shelf(repo, ledger).and_then(|shelf| recalled(repo, ledger, &shelf, question, from));
    match found {
        Ok(found) => {
            for one in &found {
                ctx.note(told(ctx, one, &ctx.tell("note: ")));
            }
            found.iter().map(value).collect()
        }
        Err(error) => {
            ctx.note(phrase!("note: reverted experiments were not compared: {why}", why = clean(&error.to_string())));
            Vec::new()
        }
    }
}

/// What a question recalls, with what moved since `from`.
pub fn recalled(
    repo: &Repo,
    ledger: &Ledger<'_>,
    shelf: &Shelf,
    question: &Question,
    from: &Oid,
) -> Result<Vec<Recalled>, LedgerError> {
    let mut found = guard::recall(ledger, shelf, question)?;
    if found.is_empty() {
        return Ok(found);
    }
    let loaded = repo.workdir().ok().and_then(|root| Config::load(root).ok()).flatten();
    let config = loaded.or_else(|| grounds::config_of(repo, from).ok().flatten());
    let today = Today::at(from, config.as_ref(), Look::default());
    for one in &mut found {
        one.look_again(repo, &today)?;
    }
    Ok(found)
}

/// `like multi-stage (97 %), reverted on 2025-03-01: build_time +41.1 %`.
pub fn headline(ctx: &Ctx, one: &Recalled) -> Phrase {
    // What findings say in JSON is English.
    let numbers = summary(comparison(&one.experiment), if ctx.json { Lang::En } else { ctx.lang });
    let day = one.decided().map(|(at, _)| at.format("%Y-%m-%d").to_string()).unwrap_or_default();
    let (name, state) = (clean(&one.experiment.name), Phrase::from(one.experiment.state.as_str()));
    match one.likeness.same_patch {
        true => phrase!("the same patch as {name}, {state} on {day}: {numbers}", name, state, day, numbers),
        false => {
            let percent = (one.likeness.probability * 100.0) as usize;
            phrase!("like {name} ({percent} %), {state} on {day}: {numbers}", name, percent, state, day, numbers)
        }
    }
}

/// What has moved since, in one line.
pub fn since(one: &Recalled) -> Phrase {
    const NAMED: usize = 4;
    match one.moved.as_deref() {
        None => "not known: the record does not say what it rested on".into(),
        Some([]) => "nothing that it rested on has changed".into(),
        Some(all) => {
            let mut told: Vec<Phrase> = all.iter().take(NAMED).map(|moved| moved.told()).collect();
            if all.len() > NAMED {
                told.push(phrase!("{n} more", n = all.len() - NAMED));
            }
            Phrase::joined(told, "; ")
        }
    }
}

/// Columns of a hypothesis or reason that are shown.
const LONGEST: usize = 240;

/// All that is to be told of one, in lines.
fn told(ctx: &Ctx, one: &Recalled, before: &str) -> String {
    let opened = &one.experiment.opened;
    let because = one.decided().map(|(_, decided)| decided.because.as_str()).unwrap_or_default();
    let words = |text: &str| cut_at_word(&text.split_whitespace().collect::<Vec<_>>().join(" "), LONGEST).into_owned();
    let comma = ", ";
    let mut lines: Vec<Phrase> = vec![
        phrase!("tried: {title}: {hypothesis}", title = words(&opened.title), hypothesis = words(&opened.hypothesis)),
        phrase!("because: {because}", because = words(because)),
        phrase!("alike in: {alike}", alike = Phrase::joined(one.alike(), comma)),
    ];
    let ground = one.ground();
    if !ground.is_empty() {
        lines.push(phrase!("measured on: {ground}", ground = Phrase::joined(ground, comma)));
    }
    lines.push(phrase!("since then: {moved}", moved = since(one)));
    lines.push(phrase!("next: git verdict show {name}", name = clean(&one.experiment.name)));
    let mut out = format!("{before}{}", ctx.tell(headline(ctx, one)));
    for line in lines {
        let line = format!("  {}", clean(&ctx.tell(line)));
        out.push('\n');
        out.push_str(wrap(&line, ctx.look().width, 4).trim_end());
    }
    out
}

/// One as `similar` and `start` print it in JSON.
fn value(one: &Recalled) -> Value {
    let moved = one.moved.as_deref();
    let told = moved.unwrap_or_default().iter().map(|moved| moved.told().to_string()).collect::<Vec<_>>();
    let alike: Vec<String> = one.alike().iter().map(Phrase::to_string).collect();
    let ground: Vec<String> = one.ground().iter().map(Phrase::to_string).collect();
    json!({
        "probability": (f64::from(one.likeness.probability) * 1000.0).round() / 1000.0,
        "same_patch": one.likeness.same_patch, "alike": alike, "decided": super::log::value(&one.experiment),
        "base": one.measured().map(|measured| &measured.base.commit), "measured_on": ground,
        "moved": moved, "told": told,
    })
}
