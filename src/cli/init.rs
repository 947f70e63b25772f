//! `git verdict init`: detects the project, writes a commented `verdict.toml`, and offers the git hooks.

use super::{Ctx, Done, context::asking};
use crate::config::preset::{self, Preset};
use crate::config::{Config, FILE_NAME};
use crate::error::{Exit, Failure};
use crate::git::Repo;
use crate::hooks::Hook;
use crate::hooks::install::Done as Installed;
use crate::phrase;
use crate::phrase::Phrase;
use crate::render::text::clean_lines;
use serde_json::json;
use std::io::Write;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The kind of project: docker, cargo, go, npm or python (default: what is found)
    #[arg(long, value_name = "PRESET")]
    preset: Option<Preset>,
    /// Print the file instead of writing it
    #[arg(long)]
    dry_run: bool,
    /// Install the git hooks, too (default: asks on a terminal)
    #[arg(long, conflicts_with = "dry_run")]
    hooks: bool,
    /// Install no hooks, and do not ask
    #[arg(long, conflicts_with = "hooks")]
    no_hooks: bool,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let repo = ctx.repo()?;
    let root = repo.workdir()?;
    let path = root.join(FILE_NAME);
    if path.symlink_metadata().is_ok() && !args.dry_run {
        return Err(Failure::state(phrase!("there is a {file} already", file = FILE_NAME))
            .because("it is never overwritten")
            .try_next("git verdict init --dry-run, to see what would be written"));
    }
    let preset = match args.preset {
        Some(preset) => preset,
        None => choose(ctx, &preset::detect(root))?,
    };
    let text = preset::in_language(&preset::render(preset, root)?, &ctx.lang);
    let config = Config::parse(&text, FILE_NAME)?;
    let mut hooks = Vec::new();
    if args.dry_run {
        ctx.say(&text)?;
    } else {
        let written = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
        written.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| {
            Failure::state(phrase!("{file} could not be written", file = FILE_NAME)).because(error.to_string())
        })?;
        ctx.say(phrase!("wrote {file} for a {preset} project", file = FILE_NAME, preset = preset.to_string()))?;
        for metric in &config.metrics {
            ctx.say(phrase!("  metric {name}", name = &metric.name))?;
        }
        hooks = offer(ctx, &repo, &args)?;
        ctx.say("next: read it, commit it, then git verdict start NAME --hypothesis TEXT")?;
    }
    ctx.emit(
        "init",
        json!({
            "preset": preset.to_string(),
            "file": FILE_NAME,
            "written": !args.dry_run,
            "metrics": config.metrics.iter().map(|m| &m.name).collect::<Vec<_>>(),
            "text": text,
            "hooks": hooks,
        }),
    )?;
    Ok(Exit::Done)
}

/// The hooks that `init` installs.
const HOOKS: [Hook; 2] = [Hook::PrepareCommitMsg, Hook::PrePush];

/// Installs the hooks when they are wanted. The file stands by then, so hooks that cannot be installed are told of and no
/// failure.
fn offer(ctx: &Ctx, repo: &Repo, args: &Args) -> Result<Vec<Installed>, Failure> {
    let names = || HOOKS.map(|hook| Phrase::from(hook.name())).to_vec();
    let wanted = if args.no_hooks {
        return Ok(Vec::new());
    } else if args.hooks || ctx.yes {
        true
    } else if ctx.can_ask() {
        super::land::confirm(
            ctx,
            phrase!("Install the git hooks {names}? They put the numbers into a plain git revert", names = names()),
        )?
    } else {
        false
    };
    if !wanted {
        ctx.say(phrase!("no hooks were installed; git verdict hook install adds {names}", names = names()))?;
        return Ok(Vec::new());
    }
    match super::hook::put(ctx, repo, &HOOKS, false) {
        Ok(done) => Ok(done),
        Err(failure) => {
            let what = failure.what;
            ctx.note(clean_lines(&ctx.tell(match failure.why {
                Some(why) => phrase!("no hooks were installed: {what} ({why})", what, why),
                None => phrase!("no hooks were installed: {what}", what),
            })));
            if let Some(next) = failure.next {
                ctx.note(clean_lines(&ctx.tell(next)));
            }
            Ok(Vec::new())
        }
    }
}

fn choose(ctx: &Ctx, found: &[Preset]) -> Result<Preset, Failure> {
    match found {
        [] => Err(Failure::usage(
            "no Dockerfile, Containerfile, Cargo.toml, go.mod, package.json or pyproject.toml was found here",
        )
        .try_next("git verdict init --preset docker|cargo|go|npm|python")),
        [only] => Ok(*only),
        [first, ..] if ctx.yes || !ctx.can_ask() => {
            let others: Vec<String> = found[1..].iter().map(Preset::to_string).collect();
            ctx.note(phrase!(
                "this is also a {others} project: --preset chooses",
                others = others.into_iter().map(Phrase::from).collect::<Vec<_>>()
            ));
            Ok(*first)
        }
        several => {
            let chosen = dialoguer::Select::with_theme(&dialoguer::theme::ColorfulTheme::default())
                .with_prompt(ctx.tell("What is to be optimized?"))
                .items(several.iter().map(Preset::to_string))
                .default(0)
                .interact()
                .map_err(asking)?;
            Ok(several[chosen])
        }
    }
}
