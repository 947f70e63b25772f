//! `git verdict man`: the manual pages, made of the same texts as `--help`.

use super::{Ctx, Done};
use crate::error::{Exit, Failure};
use crate::render::text::clean;
use clap::Command;
use clap_mangen::Man;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write the page of every command into DIR: git-verdict.1, git-verdict-start.1 and so on
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub fn run(ctx: &Ctx, args: &Args, command: Command) -> Done {
    // `git help verdict` looks for a page of this name.
    let command = command.bin_name("git-verdict");
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        Man::new(command).render(&mut page).map_err(|error| Failure::state(error.to_string()))?;
        super::context::write_line(&String::from_utf8_lossy(&page))?;
        return Ok(Exit::Done);
    };
    let written = write(command, dir).map_err(|error| {
        Failure::usage(crate::phrase!(
            "the pages cannot be written to {folder}",
            folder = clean(&dir.display().to_string())
        ))
        .because(error.to_string())
    })?;
    ctx.say(crate::phrase!("{n} pages in {folder}", n = written.len(), folder = clean(&dir.display().to_string())))?;
    ctx.emit("man", json!({"written": written}))?;
    Ok(Exit::Done)
}

/// Writes the pages; their names, sorted.
fn write(command: Command, dir: &Path) -> std::io::Result<Vec<String>> {
    std::fs::create_dir_all(dir)?;
    clap_mangen::generate_to(command, dir)?;
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("git-verdict") && name.ends_with(".1") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
