//! `git verdict completions`: a script for the shell.

use super::{Ctx, Done, help};
use crate::error::Exit;
use crate::render::Lang;
use clap::Command;
use clap_complete::Shell;
use serde_json::json;

/// What the generator of bash scripts is told that the program is called. It takes a name with a dash apart in two ways that
/// do not fit each other (clap_complete 4.6), so that nothing after the first word would be completed.
const WITHOUT_DASH: &str = "git_verdict";

/// Git's own completion of bash looks for a function of this name for `git verdict`, and hands it the words in variables of
/// its own. It adds no space after a word, so the one word that fits brings it along. (zsh and fish find the completion of
/// `git-verdict` by themselves.)
const AS_SUBCOMMAND: &str = r#"
_git_verdict() {
    local COMP_WORDS=(git-verdict "${words[@]:2}") COMP_CWORD=$((cword - 1))
    _git_verdict_line git-verdict "$cur" "$prev"
    [[ ${#COMPREPLY[@]} == 1 ]] || return 0
    case "$prev" in -*) [[ ! -d ${COMPREPLY[0]} ]] || { COMPREPLY[0]+=/; return 0; } ;; esac
    COMPREPLY[0]+=" "
}
"#;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    shell: Shell,
}

pub fn run(ctx: &Ctx, args: &Args, command: Command) -> Done {
    let generated = |shell, name| generated(shell, command, name, ctx.lang);
    let script = match args.shell {
        Shell::Bash => {
            let script = generated(Shell::Bash, WITHOUT_DASH).replace("_git_verdict", "_git_verdict_line");
            let lines = script.lines().map(|line| match line.strip_suffix(" git_verdict") {
                Some(registers) => format!("{registers} git-verdict\n"),
                None => format!("{line}\n"),
            });
            lines.chain([AS_SUBCOMMAND.to_string()]).collect()
        }
        shell => generated(shell, "git-verdict"),
    };
    ctx.say(&script)?;
    ctx.emit("completions", json!({"script": script}))?;
    Ok(Exit::Done)
}

fn generated(shell: Shell, command: Command, name: &str, lang: Lang) -> String {
    let mut script = Vec::new();
    // Its own name has a space in it, and the names of its commands are made of that one.
    let mut command = help::translated(command.bin_name(name.to_string()), lang);
    clap_complete::generate(shell, &mut command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
