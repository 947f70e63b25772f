//! `git verdict mcp`: serves agents.

use super::{Ctx, Done};
use crate::error::{Exit, Failure};
use crate::mcp::{self, Server};
use std::io::{BufReader, IsTerminal};

#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(ctx: &Ctx, _: Args) -> Done {
    let root = ctx.repo()?.workdir()?.components().collect();
    let failed = |error: std::io::Error| Failure::state("the connection broke").because(error.to_string());
    let program = std::env::current_exe().map_err(failed)?;
    if std::io::stdin().is_terminal() {
        ctx.note("note: this speaks with an agent's client on standard input; ctrl-D ends it");
    }
    let server = Server { program, root, lang: ctx.lang };
    match mcp::serve(&server, BufReader::new(std::io::stdin()), &mut std::io::stdout().lock()) {
        Ok(true) => Ok(Exit::Interrupted),
        Ok(false) => Ok(Exit::Done),
        // The client has gone without a word.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Exit::Done),
        Err(error) => Err(failed(error)),
    }
}
