//! `git verdict schema`: what machines may rely on.

use super::{Ctx, Done};
use crate::config::nearest;
use crate::error::{Exit, Failure};
use crate::phrase::Phrase;
use crate::render::lang;
use crate::render::table::{self, Column};
use crate::render::text::clean;
use crate::schema;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The output to describe, as its `schema` field names it, or `verdict.toml`; without it a list
    name: Option<String>,
}

pub fn run(ctx: &Ctx, args: &Args) -> Done {
    let Some(name) = &args.name else {
        let rows: Vec<_> = schema::names()
            .into_iter()
            .map(|(name, what)| vec![name.as_str().into(), lang::help(ctx.lang, &what).into()])
            .collect();
        ctx.say(table::table(
            &[Column::word(ctx.tell("schema")), Column::text(ctx.tell("what prints it"))],
            &rows,
            ctx.look(),
        ))?;
        ctx.emit("schemas", schema::all())?;
        return Ok(Exit::Done);
    };
    let short = name.strip_prefix("git-verdict/").unwrap_or(name);
    let Some(document) = schema::document(short) else {
        let names = schema::names();
        let near = nearest(short, names.iter().map(|(name, _)| name.as_str()));
        return Err(Failure::usage(crate::phrase!("there is no schema '{name}'", name = clean(name))).try_next(
            match near {
                Some(near) => Phrase::from(format!("git verdict schema {near}")),
                None => "git verdict schema lists them".into(),
            },
        ));
    };
    let text = serde_json::to_string_pretty(&document).map_err(|e| Failure::state(e.to_string()))?;
    super::context::write_line(&text)?;
    Ok(Exit::Done)
}
