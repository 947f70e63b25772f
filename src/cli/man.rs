//! `git verdict man`: the manual pages, made of the same texts as `--help`.

use super::{Ctx, Done, help};
use crate::error::{Exit, Failure};
use crate::phrase;
use crate::render::Lang;
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
        Man::new(help::translated(command, ctx.lang))
            .render(&mut page)
            .map_err(|error| Failure::state(error.to_string()))?;
        super::context::write_line(&in_language(&String::from_utf8_lossy(&page), ctx.lang))?;
        return Ok(Exit::Done);
    };
    let written =
        write(help::translated(command.disable_help_subcommand(true), ctx.lang), dir, ctx.lang).map_err(|error| {
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
fn write(command: Command, dir: &Path, lang: Lang) -> std::io::Result<Vec<String>> {
    std::fs::create_dir_all(dir)?;
    clap_mangen::generate_to(command, dir)?;
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("git-verdict") && name.ends_with(".1") {
            if lang != Lang::En {
                let page = std::fs::read_to_string(dir.join(&name))?;
                std::fs::write(dir.join(&name), in_language(&page, lang))?;
            }
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// A page with the words of its generator in the language. Lines of Chinese are not stretched to the margin.
fn in_language(page: &str, lang: Lang) -> String {
    if lang == Lang::En {
        return page.to_string();
    }
    let words = [
        (".SH NAME\n", phrase!("NAME")),
        (".SH SYNOPSIS\n", phrase!("SYNOPSIS")),
        (".SH DESCRIPTION\n", phrase!("DESCRIPTION")),
        (".SH OPTIONS\n", phrase!("OPTIONS")),
        (".SH SUBCOMMANDS\n", phrase!("SUBCOMMANDS")),
        (".SH EXTRA\n", phrase!("EXTRA")),
        (".SH VERSION\n", phrase!("VERSION")),
    ];
    let mut page = page.replace(".SH NAME\n", ".ad l\n.SH NAME\n");
    for (heading, word) in words {
        page = page.replace(heading, &format!(".SH {}\n", word.in_language(&lang)));
    }
    let values = phrase!("Possible values:").in_language(&lang);
    let default = phrase!("[default: {value}]", value = "\0").in_language(&lang);
    let default = default.split('\0').next().unwrap_or_default();
    page.replace("Possible values:", &values).replace("[default: ", default)
}
