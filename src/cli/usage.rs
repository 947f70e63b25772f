//! What is said of a wrong command line, and of `--help`: clap's own texts in English, ours in every other language.
//!
//! Nothing of this is done for a command line that is right.

use super::{Color, Ctx, Globals, command, context, help};
use crate::config::preset::PresetError;
use crate::error::{Exit, Explain, Failure};
use crate::phrase;
use crate::phrase::Phrase;
use crate::render::Lang;
use crate::render::text::clean;
use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::error::Error as _;
use std::ffi::OsString;
use std::fmt;
use std::num::ParseIntError;
use std::path::PathBuf;

/// Why the value of an option is refused.
#[derive(Debug)]
pub struct Refused(pub Phrase);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refused {}

/// Says what clap found, or shows the help that was asked for.
pub fn tell(error: &Error) -> Exit {
    let (globals, words) = looked_through(std::env::args_os().skip(1));
    let json = globals.json;
    // The object for programs is the same in every language.
    let ctx = Ctx::new(&Globals { json: false, ..globals });
    let wrong = error.use_stderr();
    let kind = error.kind();
    if ctx.lang == Lang::En || kind == ErrorKind::DisplayVersion {
        let _ = error.print();
    } else {
        let mut found = help::named(command(ctx.lang), &words);
        match kind {
            ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                let columns = ctx.look().width.min(100);
                console::set_colors_enabled(if wrong { console::colors_enabled_stderr() } else { ctx.color });
                let page = help::page(&mut found, ctx.lang, columns);
                if wrong {
                    eprint!("{page}");
                } else {
                    let _ = context::write_line(&page);
                }
            }
            _ => {
                let name = found.get_bin_name().unwrap_or("git verdict").to_string();
                ctx.fail(&failure(error, &name, ctx.lang));
                eprintln!("\n{} {}", ctx.tell(phrase!("Usage:")), help::usage(&mut found, ctx.lang));
            }
        }
    }
    if !wrong {
        return Exit::Done;
    }
    if json {
        let text = error.render().to_string();
        let what = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        context::tell(&Failure::usage(what).try_next("git verdict --help"));
    }
    Exit::Usage
}

/// The global options as far as they can be told without parsing, and the words that may name commands.
fn looked_through(args: impl Iterator<Item = OsString>) -> (Globals, Vec<OsString>) {
    let mut globals =
        Globals { directory: None, json: false, yes: false, quiet: false, color: Color::Auto, lang: None };
    let mut words = Vec::new();
    let mut args = args.take_while(|word| word != "--");
    while let Some(word) = args.next() {
        let text = word.to_str().unwrap_or_default();
        let mut value = |name: &str| match text.strip_prefix(name)? {
            "" => args.next(),
            rest => Some(OsString::from(rest.strip_prefix('=').unwrap_or(rest))),
        };
        if text == "--json" {
            globals.json = true;
        } else if let Some(lang) = value("--lang") {
            globals.lang = lang.to_str().and_then(Lang::parse).or(globals.lang);
        } else if let Some(color) = value("--color") {
            globals.color = match color.to_str() {
                Some("always") => Color::Always,
                Some("never") => Color::Never,
                _ => Color::Auto,
            };
        } else if let Some(directory) = value("-C") {
            globals.directory = Some(PathBuf::from(directory));
        } else if !text.starts_with('-') {
            words.push(word);
        }
    }
    (globals, words)
}

/// What clap found, in phrases of ours.
fn failure(error: &Error, command: &str, lang: Lang) -> Failure {
    let texts = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        Some(ContextValue::Number(number)) => vec![number.to_string()],
        _ => Vec::new(),
    };
    let listed = |kind| {
        let shown = texts(kind).iter().map(|text| clean(&help::places(text, lang)).into_owned()).collect::<Vec<_>>();
        shown.join(", ")
    };
    let arg = listed(ContextKind::InvalidArg);
    let value = clean(&texts(ContextKind::InvalidValue).concat()).into_owned();
    let sub = clean(&texts(ContextKind::InvalidSubcommand).concat()).into_owned();
    let given = listed(ContextKind::ActualNumValues);
    let mut why = None;
    let what = match error.kind() {
        ErrorKind::UnknownArgument => phrase!("there is no argument '{arg}' here", arg),
        ErrorKind::InvalidSubcommand => phrase!("there is no command '{sub}'", sub),
        ErrorKind::InvalidValue if value.is_empty() => phrase!("{arg} needs a value", arg),
        ErrorKind::InvalidValue => phrase!("'{value}' is no value of {arg}", value, arg),
        ErrorKind::ValueValidation => {
            why = error.source().map(reason);
            phrase!("'{value}' is no value of {arg}", value, arg)
        }
        ErrorKind::TooManyValues => phrase!("'{value}' is a value too many for {arg}", value, arg),
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            let wanted = listed(ContextKind::MinValues) + &listed(ContextKind::ExpectedNumValues);
            phrase!("{arg} needs {wanted} values, not {given}", arg, wanted, given)
        }
        ErrorKind::ArgumentConflict => match listed(ContextKind::PriorArg) {
            prior if prior == arg => phrase!("{arg} is given more than once", arg),
            prior => phrase!("{arg} and {prior} exclude each other", arg, prior),
        },
        ErrorKind::MissingRequiredArgument => phrase!("missing: {arg}", arg),
        ErrorKind::MissingSubcommand => phrase!("{command} needs one of its commands", command = sub),
        ErrorKind::InvalidUtf8 => phrase!("an argument is not UTF-8"),
        _ => error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").into(),
    };
    let valid = listed(ContextKind::ValidValue) + &listed(ContextKind::ValidSubcommand);
    if !valid.is_empty() {
        why = Some(phrase!("there are: {valid}", valid));
    }
    let mut near = listed(ContextKind::SuggestedArg);
    near.push_str(&listed(ContextKind::SuggestedSubcommand));
    near.push_str(&listed(ContextKind::SuggestedValue));
    let mut failure = Failure::usage(what);
    failure.why = why;
    failure.try_next(match near.as_str() {
        "" => phrase!("{command} --help", command),
        _ => phrase!("did you mean '{near}'? {command} --help tells more", near, command),
    })
}

/// What the reader of a value says of it.
fn reason(source: &(dyn std::error::Error + 'static)) -> Phrase {
    if let Some(Refused(phrase)) = source.downcast_ref() {
        return phrase.clone();
    }
    if let Some(error) = source.downcast_ref::<PresetError>() {
        return error.what();
    }
    if source.is::<ParseIntError>() {
        return phrase!("it is no whole number, or too large a one");
    }
    match source.to_string().split_once(" is not in ") {
        Some((value, range)) => phrase!("{value} is not in {range}", value, range),
        None => source.to_string().into(),
    }
}
