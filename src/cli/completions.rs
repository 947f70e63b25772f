//! `git verdict completions`: a script for the shell.

use super::{Ctx, Done};
use crate::error::Exit;
use clap::Command;
use clap_complete::Shell;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    shell: Shell,
}

pub fn run(ctx: &Ctx, args: Args, mut command: Command) -> Done {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "git-verdict", &mut script);
    ctx.say(String::from_utf8_lossy(&script))?;
    ctx.emit("completions", serde_json::json!({"script": String::from_utf8_lossy(&script)}))?;
    Ok(Exit::Done)
}
