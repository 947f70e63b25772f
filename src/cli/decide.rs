//! `git verdict decide`: shows the numbers, the recommendation and the exact commit, and asks.

use super::context::asking;
use super::land::{self, Wish};
use super::measure::{self, How, PAIRS};
use super::progress::time_left;
use super::revert::Mode;
use super::{Ctx, Done, abandon, rates};
use crate::config::Policy;
use crate::error::{Exit, Failure};
use crate::experiment::{Book, Experiment};
use crate::git::Repo;
use crate::ledger::event::{Measured, Verdict};
use crate::ledger::{Event, Fact, Ledger, Wanted};
use crate::measure::pace;
use crate::phrase;
use crate::phrase::{Phrase, plural};
use crate::policy::Advice;
use crate::render::text::shell_word;
use crate::stats::sequential::DEFAULT_ROUNDS;
use crate::units::Unit;
use dialoguer::theme::ColorfulTheme;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The experiment (default: the one whose branch is checked out)
    name: Option<String>,
    /// How a revert lands (default: [policy] revert, or merge)
    #[arg(long, value_name = "MODE")]
    mode: Option<Mode>,
    #[command(flatten)]
    rates: rates::Flags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Keep,
    Revert,
    More,
    Leave,
    Abandon,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let repo = ctx.repo()?;
    let ledger = Ledger::open(&repo);
    let policy = land::policy(ctx, &repo)?;
    let mut name = args.name;
    // What was typed is there again when it is asked for again.
    let mut reason = None;
    loop {
        let book = ledger.book_of(&Wanted { open: true, ..ctx.wanted(&repo, name.as_deref())? })?;
        let experiment = ctx.experiment(&repo, &book, name.as_deref())?;
        name = Some(experiment.name.clone());
        experiment.must_be_open()?;
        if !ctx.can_ask() {
            return Err(Failure::usage("a decision is needed").because("there is no terminal to ask on").try_next(
                phrase!(
                    "git verdict keep {name} --because TEXT, or git verdict revert {name} --because TEXT",
                    name = &experiment.name
                ),
            ));
        }
        // The folded ledger leaves the samples out; asking shows them.
        let latest = experiment.latest().map(|(id, _)| ledger.find(*id)).transpose()?.flatten();
        let Some(Event { fact: Fact::Measured(measured), .. }) = &latest else {
            if !land::confirm(ctx, phrase!("{name} has not been measured. Measure it now?", name = &experiment.name))? {
                return Ok(Exit::Done);
            }
            measure::measure(ctx, &repo, &ledger, &book, experiment, &How::default(), None)?;
            continue;
        };
        ctx.say(format!("{}: {}\n", experiment.name, crate::render::text::clean(&experiment.opened.hypothesis)))?;
        measure::show(ctx, measured)?;
        if let Some(supposed) = rates::read(ctx, &repo, &args.rates, &[measured])? {
            supposed.say(ctx, &experiment.name, &supposed.recommend(measured))?;
        }
        let table =
            Table { ctx, repo: &repo, ledger: &ledger, book: &book, experiment, policy: &policy, mode: args.mode };
        table.preview_recommended(measured)?;
        match table.choose(measured)? {
            Answer::Leave => return Ok(Exit::Done),
            Answer::More => {
                if let Some(how) = table.how_much(measured)? {
                    measure::measure(ctx, &repo, &ledger, &book, experiment, &how, None)?;
                }
            }
            Answer::Abandon => {
                let because = ctx.ask_line("Why is it given up?", "--because TEXT")?;
                abandon::abandon(&ledger, experiment, &because)?;
                abandon::said(ctx, experiment)?;
                return Ok(Exit::Done);
            }
            answer => {
                let verdict = if answer == Answer::Keep { Verdict::Keep } else { Verdict::Revert };
                if let Some(exit) = table.land(verdict, measured, &mut reason)? {
                    return Ok(exit);
                }
            }
        }
    }
}

/// All that one round of asking looks at.
struct Table<'a> {
    ctx: &'a Ctx,
    repo: &'a Repo,
    ledger: &'a Ledger<'a>,
    book: &'a Book,
    experiment: &'a Experiment,
    policy: &'a Policy,
    mode: Option<Mode>,
}

impl Table<'_> {
    fn wish(&self, verdict: Verdict, because: String) -> Wish {
        Wish { verdict, because, mode: self.mode.map(Into::into), force: false, preview: true }
    }

    fn recommended(&self, measured: &Measured) -> Option<Verdict> {
        match measured.recommendation.advice {
            Advice::Keep => Some(Verdict::Keep),
            Advice::Revert => Some(Verdict::Revert),
            Advice::TradeOff | Advice::MeasureMore => None,
        }
    }

    /// The first reason of the recommendation where it is followed; whoever overrides it has a reason of their own.
    fn default_reason(&self, measured: &Measured, verdict: Verdict) -> String {
        let followed = self.recommended(measured) == Some(verdict);
        let first = measured.recommendation.told().into_iter().next().filter(|_| followed);
        first.map(|reason| self.ctx.tell(reason)).unwrap_or_default()
    }

    /// The exact commit of the recommendation, with its first reason standing in for the user's.
    fn preview_recommended(&self, measured: &Measured) -> Result<(), Failure> {
        let Some(verdict) = self.recommended(measured) else { return Ok(()) };
        let wish = self.wish(verdict, self.default_reason(measured, verdict));
        match land::draft(self.ctx, self.repo, self.ledger, self.book, self.experiment, self.policy, &wish) {
            Ok((draft, texts)) => {
                self.ctx.say(phrase!("\nif you {verdict}:", verdict = Phrase::from(verdict.as_str())))?;
                land::preview(self.ctx, self.repo, &draft, &texts)
            }
            // What forbids landing now is said before the question, which can still be answered with anything else.
            Err(failure) => self.ctx.say(phrase!("\nit cannot land now: {what}", what = &failure.what)),
        }
    }

    fn choose(&self, measured: &Measured) -> Result<Answer, Failure> {
        let answers: [(Answer, Phrase); 5] = [
            (Answer::Keep, "keep: merge it with its numbers".into()),
            (Answer::Revert, "revert: take it back with its numbers".into()),
            (Answer::More, phrase!("measure more ({cost})", cost = cost(measured))),
            (Answer::Leave, "leave open: decide later".into()),
            (Answer::Abandon, "abandon: give it up without a decision".into()),
        ];
        let wanted = match measured.recommendation.advice {
            Advice::Keep => Answer::Keep,
            Advice::Revert => Answer::Revert,
            Advice::MeasureMore => Answer::More,
            Advice::TradeOff => Answer::Leave,
        };
        let default = answers.iter().position(|(answer, _)| *answer == wanted).unwrap_or(0);
        let chosen = dialoguer::Select::with_theme(&ColorfulTheme::default())
            .with_prompt(self.ctx.tell("What is your verdict?"))
            .items(answers.iter().map(|(_, text)| self.ctx.tell(text)))
            .default(default)
            .interact_opt()
            .map_err(asking)?;
        Ok(chosen.map_or(Answer::Leave, |index| answers[index].0))
    }

    /// Asks how many pairs are wanted; none when the answer is no number of pairs.
    fn how_much(&self, measured: &Measured) -> Result<Option<How>, Failure> {
        let rounds = rounds(measured);
        let s = plural(rounds);
        self.ctx.say(phrase!(
            "all is measured anew: the {rounds} pair{s} of before stay in their record and are not counted in",
            rounds,
            s
        ))?;
        let prompt = self.ctx.tell("How many pairs? (Enter: as many as it takes, or until it is out of reach)");
        let theme = ColorfulTheme::default();
        let question = dialoguer::Input::<String>::with_theme(&theme).with_prompt(prompt).allow_empty(true);
        let typed = question.interact_text().map_err(asking)?;
        let text = typed.trim();
        let pairs = text.parse().ok().filter(|pairs| PAIRS.contains(pairs));
        if pairs.is_none() && !text.is_empty() {
            self.ctx.say("that is no number from 1 to 10000; nothing was measured")?;
            return Ok(None);
        }
        Ok(Some(How::of_pairs(pairs)))
    }

    /// Asks for the reason, shows the exact commits, and lands them once that is confirmed; none when it is not, or when
    /// something forbids it that can be mended while this waits.
    fn land(
        &self,
        verdict: Verdict,
        measured: &Measured,
        reason: &mut Option<String>,
    ) -> Result<Option<Exit>, Failure> {
        let offered = reason.take().unwrap_or_else(|| self.default_reason(measured, verdict));
        let theme = ColorfulTheme::default();
        let prompt = self.ctx.tell("Why? ('e' opens your editor)");
        let mut question = dialoguer::Input::<String>::with_theme(&theme).with_prompt(prompt).allow_empty(true);
        if !offered.is_empty() {
            question = question.default(offered.clone());
        }
        // A prompt shows one line.
        let typed = if offered.contains('\n') { "e".into() } else { question.interact_text().map_err(asking)? };
        let because = match typed.trim() {
            "e" | "E" => dialoguer::Editor::new().extension(".md").edit(&offered).map_err(asking)?.unwrap_or_default(),
            text => text.to_string(),
        };
        if because.trim().is_empty() {
            self.ctx.say("no reason was given; nothing was done")?;
            return Ok(None);
        }
        *reason = Some(because.trim().to_string());
        let mut wish = self.wish(verdict, because);
        let draft =
            |wish: &Wish| land::draft(self.ctx, self.repo, self.ledger, self.book, self.experiment, self.policy, wish);
        let (draft, texts) = match draft(&wish) {
            Ok(drafted) => drafted,
            Err(failure) => {
                self.ctx.fail(&failure);
                wish.force = true;
                match draft(&wish) {
                    Ok(forced) if land::confirm_or_no(self.ctx, "Do it all the same (--force)?")? => forced,
                    _ => {
                        self.ctx.say("nothing was done; your reason is kept while you mend it")?;
                        return Ok(None);
                    }
                }
            }
        };
        land::preview(self.ctx, self.repo, &draft, &texts)?;
        if !land::confirm(self.ctx, "Land this?")? {
            return Ok(None);
        }
        let landed = land::land(self.ctx, self.repo, self.ledger, draft, texts);
        if landed.is_err() {
            let because = shell_word(wish.because.trim());
            let command = format!("git verdict {} {} --because {because}", verdict.as_str(), self.experiment.name);
            self.ctx.note(phrase!("the same again: {command}", command));
        }
        landed.map(Some)
    }
}

/// How many pairs were begun.
fn rounds(measured: &Measured) -> usize {
    measured.samples.iter().map(|s| s.round + 1).max().unwrap_or(0)
}

/// What measuring more would take, from the samples at hand: all of it where that can be foretold. It begins anew, so the pairs
/// that were taken do not count.
fn cost(measured: &Measured) -> Phrase {
    let taken = rounds(measured);
    let need = measured.comparison.iter().filter_map(|row| row.rounds_needed).max().filter(|need| *need > taken);
    let Some(each) = pace::of_a_round(&measured.samples) else {
        return phrase!("{rounds} pairs taken", rounds = taken);
    };
    let show = |seconds: f64| {
        let whole = Duration::try_from_secs_f64(seconds).ok().filter(|_| seconds >= 10.0);
        whole.map_or_else(|| Unit::Seconds.show(seconds), time_left)
    };
    match need {
        // More than measuring takes when nobody names a number: it may give up before.
        Some(n) if n > DEFAULT_ROUNDS => phrase!("about {n} pairs of {each}", n, each = show(each)),
        Some(n) => phrase!("about {n} pairs, {time}", n, time = show(each * n as f64)),
        None => phrase!("about {each} a pair", each = show(each)),
    }
}
