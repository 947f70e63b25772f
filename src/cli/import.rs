//! `git verdict import`: numbers that another tool measured become a measurement of an experiment.

use super::measure::{base_of, show, tip};
use super::usage::Refused;
use super::{Ctx, Done};
use crate::config::{Better, nearest};
use crate::digest::sha256;
use crate::error::{Exit, Failure};
use crate::exchange::import::Told;
use crate::exchange::{Both, Format, Part, Side, formats, git_perf, import};
use crate::git::{Oid, Repo};
use crate::ledger::event::{Identity, Measured};
use crate::ledger::{Fact, Ledger};
use crate::measure::environment::Environment;
use crate::phrase;
use crate::phrase::Phrase;
use crate::policy::{complexity, recommend};
use crate::render::text::clean;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use ulid::Ulid;

#[derive(Debug, clap::Args)]
#[command(after_help = "Formats: hyperfine, criterion, pytest-benchmark, go, github-action-benchmark, git-perf.\n\
    FILE is one for the base and one for the candidate. One alone will do for hyperfine (two commands, the base first), for \
    criterion (target/criterion with base/ and new/) and for github-action-benchmark (data.js, by commit). git-perf takes none: \
    it keeps its numbers in notes.\n\
    Numbers that were not taken in turn are never called improved or regressed; see docs/exchange.md.")]
pub struct Args {
    /// The tool that wrote the files
    format: String,
    /// The base's file and the candidate's, or one that holds both
    #[arg(value_name = "FILE", num_args = 0..=2)]
    files: Vec<PathBuf>,
    /// The experiment (default: the one whose branch is checked out)
    #[arg(long, value_name = "NAME")]
    experiment: Option<String>,
    /// The unit that a metric's values are in, where the file does not say: build=ms; may be given again
    #[arg(long = "unit", value_name = "METRIC=UNIT", value_parser = pair)]
    units: Vec<(String, String)>,
    /// Which way a metric is better: served=higher; may be given again
    #[arg(long = "better", value_name = "METRIC=lower|higher", value_parser = direction)]
    better: Vec<(String, Better)>,
}

fn pair(text: &str) -> Result<(String, String), Refused> {
    match text.rsplit_once('=') {
        Some((metric, value)) if !metric.is_empty() && !value.trim().is_empty() => {
            Ok((metric.to_string(), value.trim().to_string()))
        }
        _ => Err(Refused(phrase!("it is to be METRIC=VALUE"))),
    }
}

fn direction(text: &str) -> Result<(String, Better), Refused> {
    let (metric, word) = pair(text)?;
    match word.as_str() {
        "lower" => Ok((metric, Better::Lower)),
        "higher" => Ok((metric, Better::Higher)),
        _ => Err(Refused(phrase!("'{word}' is neither lower nor higher", word))),
    }
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let repo = ctx.repo()?;
    let ledger = Ledger::open(&repo);
    let book = ledger.book_of(&ctx.wanted(&repo, args.experiment.as_deref())?)?;
    let experiment = ctx.experiment(&repo, &book, args.experiment.as_deref())?;
    experiment.must_be_open()?;
    let candidate = tip(&repo, experiment)?;
    let base = base_of(&repo, &book, experiment, &candidate)?;
    if base == candidate {
        return Err(Failure::state(phrase!("experiment '{name}' has no commit yet", name = &experiment.name))
            .try_next("git commit the change that was measured"));
    }
    let mut sides = read(ctx, &repo, &args, [&base, &candidate])?;
    let told = Told { units: args.units.iter().cloned().collect(), better: args.better.iter().cloned().collect() };
    told.convert(&mut sides)?;
    for (side, commit, name) in [(&sides[0], &base, "base"), (&sides[1], &candidate, "candidate")] {
        for note in &side.notes {
            let side = Phrase::from(name);
            ctx.note(phrase!("{side}: {note}", side, note = clean(&ctx.tell(note))));
        }
        if let Some(said) = side.commit.as_ref().filter(|said| said.as_str() != commit.as_str()) {
            let said = said.chars().take(10).collect::<String>();
            ctx.note(phrase!(
                "{name}: measured at {said}, recorded for {commit}",
                name = Phrase::from(name),
                said = clean(&said),
                commit = commit.short()
            ));
        }
    }
    let config = ctx.config(&repo, Some(&candidate)).ok();
    let imported = import::compare(&sides[0], &sides[1], config.as_ref(), &told)?;
    for name in &imported.alone {
        ctx.note(phrase!("left out, because only one side has it: {name}", name = clean(name)));
    }
    let weight = complexity::weigh(&repo, &base, &candidate)?;
    let policy = config.map(|config| config.policy).unwrap_or_default();
    let mut recommendation = recommend::recommend(&imported.rows, &[], &weight, &policy);
    if imported.rows.iter().any(|row| !row.exact) {
        let reason = phrase!("the numbers come from {format}, which does not measure in turn", format = &args.format);
        recommendation.insert(usize::MAX, vec![reason]);
    }
    let identity = |commit: &Oid, from: Option<&Oid>| -> Result<Identity, Failure> {
        let patch = from.map(|from| repo.patch_id(from, commit)).transpose()?.flatten();
        Ok(Identity { commit: commit.clone(), tree: repo.tree_of(commit)?, patch })
    };
    let side = |name: &str, commit: &Oid| -> Result<crate::measure::Side, Failure> {
        Ok(crate::measure::Side { name: name.into(), commit: commit.clone(), tree: repo.tree_of(commit)? })
    };
    let files = args.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
    let text = format!("{:?}", sides);
    let measured = Measured {
        session: Ulid::new(),
        base: identity(&base, None)?,
        candidate: identity(&candidate, Some(&base))?,
        sides: vec![side("base", &base)?, side("candidate", &candidate)?],
        seed: 0,
        config_hash: sha256(text),
        environment: Environment {
            platform: "unknown".into(),
            more: BTreeMap::from([("imported from".into(), args.format.clone()), ("files".into(), files)]),
            ..Environment::default()
        },
        samples: imported.samples,
        checks: Vec::new(),
        comparison: imported.rows,
        complexity: weight,
        recommendation,
        failures: Vec::new(),
        reused: None,
        origins: Vec::new(),
        assumptions: None,
        hidden_checks: None,
        ruler: None,
        rechecks: None,
    };
    let event = ledger.draft(experiment.id, &experiment.name, Fact::Measured(Box::new(measured)))?;
    ledger.append(&event)?;
    let Fact::Measured(measured) = &event.fact else { unreachable!("a measured event was drafted") };
    show(ctx, measured)?;
    ctx.say(phrase!("next: {next}", next = format!("git verdict decide {}", experiment.name)))?;
    ctx.emit("import", json!({"experiment": experiment.name, "record": event.id, "measured": measured}))?;
    Ok(Exit::Done)
}

/// The readings of base and candidate.
fn read(ctx: &Ctx, repo: &Repo, args: &Args, commits: [&Oid; 2]) -> Result<[Side; 2], Failure> {
    if args.format == "git-perf" {
        if !args.files.is_empty() {
            return Err(Failure::usage("git-perf keeps its numbers in notes, not in files")
                .try_next("git verdict import git-perf"));
        }
        let side = |commit: &Oid| -> Result<Side, Failure> {
            git_perf::read(repo, commit)?.ok_or_else(|| {
                Failure::usage(phrase!("{commit} has no numbers of git-perf", commit = commit.short()))
                    .because(phrase!("they would be in {place}", place = git_perf::NOTES))
                    .try_next(format!("git fetch REMOTE {0}:{0}", git_perf::NOTES))
            })
        };
        return Ok([side(commits[0])?, side(commits[1])?]);
    }
    let known = formats();
    let Some(format) = known.iter().find(|format| format.name() == args.format) else {
        let names: Vec<&str> = known.iter().map(|format| format.name()).chain(["git-perf"]).collect();
        let near =
            nearest(&args.format, names.iter().copied()).map(|name| phrase!("git verdict import {name} …", name));
        return Err(Failure::usage(phrase!("'{format}' is not read", format = clean(&args.format)))
            .because(phrase!("what is read: {names}", names = names.join(", ")))
            .try_next(near.unwrap_or_else(|| "git verdict import --help".into())));
    };
    let path = |file: &PathBuf| -> PathBuf { ctx.dir.join(file) };
    match (args.files.as_slice(), format.holds_both()) {
        ([base, candidate], _) => Ok([whole(*format, &path(base))?, whole(*format, &path(candidate))?]),
        ([both], Some(Both::ByPlace)) => {
            Ok([format.read(&path(both), Part::Place(0))?, format.read(&path(both), Part::Place(1))?])
        }
        ([both], Some(Both::ByCommit)) => {
            let [base, candidate] = commits.map(|commit| format.read(&path(both), Part::Commit(commit.as_str())));
            Ok([base?, candidate?])
        }
        _ => Err(Failure::usage("a file for the base and one for the candidate are needed")
            .try_next(phrase!("git verdict import {name} BASE CANDIDATE", name = format.name()))),
    }
}

fn whole(format: &dyn Format, path: &Path) -> Result<Side, Failure> {
    Ok(format.read(path, Part::Whole)?)
}
