//! `--help` in languages other than English, whose texts clap holds and prints itself.
//!
//! The tree of commands that clap was given is translated as a whole, which manual pages and completions are made of, too.
//! clap breaks lines at spaces only and has some English words of its own, so that pages are laid out here.

use crate::phrase;
use crate::phrase::Phrase;
use crate::render::text::{width, wrap};
use crate::render::{Lang, lang};
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, Command};
use std::ffi::OsString;

/// Columns of a name that its explanation still stands beside.
const BESIDE: usize = 30;

/// The same tree with its texts in a language; in English as it is.
pub fn translated(mut command: Command, to: Lang) -> Command {
    if to == Lang::En {
        return command;
    }
    // Subcommands are put off until they are wanted.
    command.build();
    translate(command, to)
}

fn translate(mut command: Command, to: Lang) -> Command {
    if let Some(about) = command.get_about().map(|text| lang::help(to, &text.to_string())) {
        command = command.about(about);
    }
    if let Some(after) = command.get_after_help().map(|text| lang::help(to, &text.to_string())) {
        command = command.after_help(after);
    }
    if command.has_subcommands() {
        command = command.subcommand_value_name(lang::help(to, "COMMAND"));
    }
    command.mut_args(|arg| argument(arg, to)).mut_subcommands(|sub| translate(sub, to))
}

fn argument(mut arg: Arg, to: Lang) -> Arg {
    if let Some(help) = arg.get_help().map(|text| lang::help(to, &text.to_string())) {
        arg = arg.help(help.clone()).long_help(help);
    }
    if !arg.get_action().takes_values() {
        return arg;
    }
    let names: Vec<String> = arg.get_value_names().into_iter().flatten().map(|name| lang::help(to, name)).collect();
    if !names.is_empty() {
        arg = arg.value_names(names);
    }
    let explained = |value: PossibleValue| match value.get_help().map(|text| lang::help(to, &text.to_string())) {
        Some(help) => value.help(help),
        None => value,
    };
    let values: Vec<PossibleValue> = arg.get_possible_values().into_iter().map(explained).collect();
    if values.iter().any(|value| value.get_help().is_some()) {
        arg = arg.value_parser(PossibleValuesParser::new(values));
    }
    arg
}

/// What clap writes with names of values in it (`--pairs <N>`, `[NAME]`), with these in the language.
pub fn places(text: &str, to: Lang) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['<', '[']) {
        let (before, name) = rest.split_at(at + 1);
        let (name, after) = name.split_at(name.find(['>', ']']).unwrap_or(name.len()));
        out.push_str(before);
        out.push_str(&lang::help(to, name));
        rest = after;
    }
    out + rest
}

/// The command, of a translated tree, that words of the command line lead to.
pub fn named(mut command: Command, words: &[OsString]) -> Command {
    for word in words.iter().filter(|word| *word != "help") {
        match command.find_subcommand(word).cloned() {
            Some(sub) => command = sub,
            None => break,
        }
    }
    command
}

/// `git verdict start [OPTIONS] <NAME>`.
pub fn usage(command: &mut Command, to: Lang) -> String {
    let usage = command.render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage);
    usage.trim_end().replace("[OPTIONS]", &format!("[{}]", lang::help(to, "OPTIONS")))
}

/// The page of a command of a translated tree, in lines of at most so many columns.
pub fn page(command: &mut Command, to: Lang, columns: usize) -> String {
    let tell = |text: Phrase| text.in_language(&to);
    let heading = |text: Phrase| console::style(tell(text)).bold().underlined().to_string();
    let mut out = String::new();
    if let Some(about) = command.get_about() {
        out.push_str(&format!("{}\n\n", wrap(&about.to_string(), columns, 0)));
    }
    out.push_str(&format!("{} {}\n", heading(phrase!("Usage:")), usage(command, to)));
    let shown = |sub: &&Command| !sub.is_hide_set();
    let commands = command
        .get_subcommands()
        .filter(shown)
        .map(|sub| (sub.get_name().to_string(), sub.get_about().map(ToString::to_string).unwrap_or_default()));
    let arguments = |positional: bool| {
        let wanted = move |arg: &&Arg| arg.is_positional() == positional && !arg.is_hide_set();
        command.get_arguments().filter(wanted).map(|arg| row(arg, to)).collect()
    };
    let sections: [(Phrase, Vec<(String, String)>); 3] = [
        (phrase!("Commands:"), commands.collect()),
        (phrase!("Arguments:"), arguments(true)),
        (phrase!("Options:"), arguments(false)),
    ];
    for (title, rows) in sections.into_iter().filter(|(_, rows)| !rows.is_empty()) {
        out.push_str(&format!("\n{}\n", heading(title)));
        let beside = rows.iter().map(|(name, _)| width(name)).filter(|wide| *wide <= BESIDE).max().unwrap_or(0);
        let indent = " ".repeat(beside + 4);
        for (name, text) in rows {
            let gap = match beside.checked_sub(width(&name)) {
                Some(room) => " ".repeat(room + 2),
                None => format!("\n{indent}"),
            };
            let text = wrap(&text, columns.saturating_sub(indent.len()).max(20), 0);
            out.push_str(&format!("  {name}{gap}{}\n", text.replace('\n', &format!("\n{indent}"))));
        }
    }
    if let Some(after) = command.get_after_help() {
        out.push_str(&format!("\n{}\n", wrap(&after.to_string(), columns, 0)));
    }
    out
}

/// An argument as it is written, and what it is for, which values there are and which is taken without it.
fn row(arg: &Arg, to: Lang) -> (String, String) {
    let name = match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(_)) => format!("-{short}, {arg}"),
        (None, Some(_)) => format!("    {arg}"),
        _ => arg.to_string(),
    };
    let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    if !arg.get_action().takes_values() {
        return (name, text);
    }
    let mut add = |phrase: Phrase| text.push_str(&format!("\n{}", phrase.in_language(&to)));
    let values = arg.get_possible_values();
    let values: Vec<&PossibleValue> = values.iter().filter(|value| !value.is_hide_set()).collect();
    if values.iter().any(|value| value.get_help().is_some()) {
        for value in &values {
            let help = value.get_help().map(ToString::to_string).unwrap_or_default();
            add(phrase!("- {value}: {help}", value = value.get_name(), help));
        }
    } else if !values.is_empty() {
        let names: Vec<&str> = values.iter().map(|value| value.get_name()).collect();
        add(phrase!("[possible values: {values}]", values = names.join(", ")));
    }
    if let [value] = arg.get_default_values() {
        add(phrase!("[default: {value}]", value = Phrase::from(value.to_string_lossy())));
    }
    (name, text)
}
