//! The command line: one file per command, arguments and presentation only.
//!
//! [`main`] parses, builds a [`Ctx`] from the global options, and hands both to the command. What a command prints for people
//! goes to standard output, notes and progress to standard error; with `--json` standard output carries one object.

mod abandon;
mod adr;
mod bisect;
mod check;
mod compare;
mod completions;
mod context;
mod decide;
mod decisions;
mod demo;
mod doctor;
mod doctor_ledger;
mod export;
mod help;
mod hook;
mod import;
mod init;
mod inspect;
mod keep;
mod land;
mod log;
mod man;
mod mcp;
mod measure;
mod next;
mod noise;
mod progress;
mod rates;
mod recheck;
mod recheck_stack;
mod report;
mod revert;
mod schema;
mod show;
mod similar;
mod start;
mod status;
mod sync;
mod trust;
mod undo;
mod usage;
mod weigh;

pub use context::{Ctx, Done};

use crate::error::{Exit, Failure};
use crate::phrase;
use crate::render::Lang;
use crate::render::text::clean;
use clap::{Args as _, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use usage::Refused;

/// Measure an optimization, decide on it, and leave the numbers in history.
#[derive(Debug, Parser)]
#[command(name = "git-verdict", bin_name = "git verdict", version)]
#[command(after_help = "Exit status: 0 done; 1 the answer is no; 2 bad usage, configuration or input; \
    3 the state of the repository forbids it; 4 a step or check failed while measuring; 130 interrupted.")]
pub struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
struct Globals {
    /// Run as if started in DIR
    #[arg(short = 'C', value_name = "DIR", global = true)]
    directory: Option<PathBuf>,
    /// Print one JSON object on standard output
    #[arg(long, global = true)]
    json: bool,
    /// Answer yes to every confirmation
    #[arg(long, global = true)]
    yes: bool,
    /// Print results and errors only
    #[arg(long, short, global = true)]
    quiet: bool,
    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    color: Color,
    /// Language of the texts: en or zh-CN (default: `lang` of verdict.toml, else the locale's)
    #[arg(long, value_name = "LANG", global = true, value_parser = parse_lang)]
    lang: Option<Lang>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum Command {
    /// Write a commented verdict.toml for this project
    Init(init::Args),
    /// Open an experiment on its branch
    Start(start::Args),
    /// Where this experiment is and what comes next
    Status(status::Args),
    /// Measure base and candidate, in turn, in worktrees of their own
    Measure(measure::Args),
    /// Compare two commits in one line, with no config and no experiment
    Weigh(weigh::Args),
    /// Options side by side
    Compare(compare::Args),
    /// Show the numbers and the recommendation, and ask what to do
    Decide(decide::Args),
    /// Keep an experiment: merge it with its numbers
    Keep(keep::Args),
    /// Revert an experiment: a revert commit with its numbers
    Revert(revert::Args),
    /// Take back a decision that has landed
    Undo(undo::Args),
    /// Give an experiment up without a decision
    Abandon(abandon::Args),
    /// The decisions, newest first
    Log(log::Args),
    /// One experiment or record, whole
    Show(show::Args),
    /// Which reverted experiments a change or an idea resembles
    Similar(similar::Args),
    /// What an image, folder, archive, binary or build log is made of, and what changed between two
    Inspect(inspect::Args),
    /// What is worth trying next, as hypotheses: known fixes first, the cheapest first
    Next(next::Args),
    /// Find the commit of a range that brought a regression
    Bisect(bisect::Args),
    /// One HTML page of the decisions, to read and to send
    Report(report::Args),
    /// Exchange records with a remote
    Sync(sync::Args),
    /// Take in numbers that another tool measured
    Import(import::Args),
    /// Write records for other programs
    Export(export::Args),
    /// Decision files (ADR)
    Adr(adr::Args),
    /// All decisions in one file, DECISIONS.md
    Decisions(decisions::Args),
    /// For CI: what is wrong with the decisions that a branch brings
    Check(check::Args),
    /// Which decisions rest on something that has changed
    Recheck(recheck::Args),
    /// The git hooks
    Hook(hook::Args),
    /// Let the commands of this repository's verdict.toml be run
    Trust(trust::Args),
    /// Find what is wrong here: a decision cut off half-way, missing tools
    Doctor(doctor::Args),
    /// See the whole story in a temporary repository
    Demo(demo::Args),
    /// Serve agents over the Model Context Protocol, on standard input and output
    Mcp(mcp::Args),
    /// Print the JSON Schemas of output and of verdict.toml
    Schema(schema::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Print the manual page, or write all of them
    Man(man::Args),
}

fn parse_lang(text: &str) -> Result<Lang, Refused> {
    let there_is_none = || Refused(phrase!("no texts in '{lang}'; there are en and zh-CN", lang = clean(text)));
    Lang::parse(text).ok_or_else(there_is_none)
}

/// The tree of commands with its texts in a language.
pub fn command(lang: Lang) -> clap::Command {
    help::translated(Cli::command(), lang)
}

/// Parses the arguments with the command that they name alone: clap gives each command a copy of every global option, and
/// that for forty commands is a third of the work of a short one. None when there is anything to say about them.
fn parse_alone() -> Option<Cli> {
    let words: Vec<OsString> = std::env::args_os().collect();
    let name = words.iter().skip(1).find(|word| !word.as_encoded_bytes().starts_with(b"-"))?;
    let named = std::mem::take(Cli::command().find_subcommand_mut(name)?);
    let alone = Globals::augment_args(clap::Command::new("git-verdict")).subcommand(named);
    Cli::from_arg_matches(&alone.try_get_matches_from(words).ok()?).ok()
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let cli = match parse_alone().map_or_else(Cli::try_parse, Ok) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(usage::tell(&error) as u8),
    };
    let ctx = Ctx::new(&cli.globals);
    let exit = match dispatch(&ctx, cli.command) {
        Ok(exit) => exit,
        Err(failure) => {
            ctx.fail(&failure);
            failure.exit
        }
    };
    ExitCode::from(exit as u8)
}

fn dispatch(ctx: &Ctx, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Init(args) => init::run(ctx, args),
        Command::Start(args) => start::run(ctx, args),
        Command::Status(args) => status::run(ctx, args),
        Command::Measure(args) => measure::run(ctx, args),
        Command::Weigh(args) => weigh::run(ctx, args),
        Command::Compare(args) => compare::run(ctx, args),
        Command::Decide(args) => decide::run(ctx, args),
        Command::Keep(args) => keep::run(ctx, args),
        Command::Revert(args) => revert::run(ctx, args),
        Command::Undo(args) => undo::run(ctx, args),
        Command::Abandon(args) => abandon::run(ctx, args),
        Command::Log(args) => log::run(ctx, args),
        Command::Show(args) => show::run(ctx, args),
        Command::Similar(args) => similar::run(ctx, args),
        Command::Inspect(args) => inspect::run(ctx, args),
        Command::Next(args) => next::run(ctx, args),
        Command::Bisect(args) => bisect::run(ctx, args),
        Command::Report(args) => report::run(ctx, args),
        Command::Sync(args) => sync::run(ctx, args),
        Command::Import(args) => import::run(ctx, args),
        Command::Export(args) => export::run(ctx, args),
        Command::Adr(args) => adr::run(ctx, args),
        Command::Decisions(args) => decisions::run(ctx, args),
        Command::Check(args) => check::run(ctx, args),
        Command::Recheck(args) => recheck::run(ctx, args),
        Command::Hook(args) => hook::run(ctx, args),
        Command::Trust(args) => trust::run(ctx, args),
        Command::Doctor(args) => doctor::run(ctx, args),
        Command::Demo(args) => demo::run(ctx, args),
        Command::Mcp(args) => mcp::run(ctx, args),
        Command::Schema(args) => schema::run(ctx, &args),
        Command::Completions(args) => completions::run(ctx, &args, Cli::command()),
        Command::Man(args) => man::run(ctx, &args, Cli::command()),
    }
}
