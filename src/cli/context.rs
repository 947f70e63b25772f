//! What every command shares: the repository, how to print, whether it may ask.

use super::{Color, Globals};
use crate::config::{Config, ConfigError};
use crate::error::{Exit, Failure};
use crate::experiment::{Book, Experiment, ExperimentError};
use crate::git::refs::Head;
use crate::git::{Oid, Repo};
use crate::ledger::{Ledger, Wanted};
use crate::phrase;
use crate::phrase::Phrase;
use crate::render::report::forge::Forge;
use crate::render::table::Look;
use crate::render::text::{Align, clean, neutral, pad};
use crate::render::{Lang, lang};
use console::Term;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::io::{IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What a command ends with when it does not fail.
pub type Done = Result<Exit, Failure>;

/// The global options, resolved against the process: terminal, locale, colour.
#[derive(Debug)]
pub struct Ctx {
    /// Where to look for the repository.
    pub dir: PathBuf,
    /// One JSON object on standard output instead of text.
    pub json: bool,
    /// Every confirmation is answered with yes.
    pub yes: bool,
    /// Results and errors only.
    pub quiet: bool,
    /// The language of the texts.
    pub lang: Lang,
    /// The language that was asked for by `--lang`; a file that is there already keeps its own unless one was.
    pub asked_lang: Option<Lang>,
    /// Whether standard output may carry colour.
    pub color: bool,
    /// Whether standard output is a terminal that follows links (OSC 8).
    pub links: bool,
    /// Whether the terminal shows more than ASCII.
    pub unicode: bool,
}

impl Ctx {
    pub(super) fn new(globals: &Globals) -> Ctx {
        let color = match globals.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) => false,
            // CLICOLOR, CLICOLOR_FORCE, TERM=dumb, and whether it is a terminal at all.
            Color::Auto => console::colors_enabled(),
        };
        if !color {
            console::set_colors_enabled_stderr(false);
        } else if globals.color == Color::Always {
            console::set_colors_enabled_stderr(true);
        }
        let dir = globals.directory.clone().unwrap_or_else(|| PathBuf::from("."));
        Ctx {
            lang: globals.lang.or_else(|| configured(&dir)).unwrap_or_else(locale),
            dir,
            json: globals.json,
            yes: globals.yes,
            quiet: globals.quiet,
            asked_lang: globals.lang,
            color,
            links: std::io::stdout().is_terminal() && supports_hyperlinks::on(supports_hyperlinks::Stream::Stdout),
            unicode: speaks_unicode(),
        }
    }

    /// The repository that the command runs in.
    pub fn repo(&self) -> Result<Repo, Failure> {
        if !self.dir.is_dir() {
            return Err(Failure::usage(phrase!("{dir} is not a folder", dir = clean(&self.dir.display().to_string()))));
        }
        Ok(Repo::discover(&self.dir)?)
    }

    /// How tables are to look: 80 columns when the width is not known.
    pub fn look(&self) -> Look {
        let width = Term::stdout().size_checked().map_or(80, |(_, columns)| usize::from(columns));
        Look { width: width.clamp(40, 160), color: self.color, lang: self.lang, unicode: self.unicode }
    }

    /// Whether there is someone to ask.
    pub fn can_ask(&self) -> bool {
        !self.json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Whether standard error is a terminal that a line can be redrawn on.
    pub fn can_draw(&self) -> bool {
        std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
    }

    /// Prints text for people on standard output; nothing with `--json`.
    ///
    /// A reader that went away (`| head`) ends the program quietly.
    pub fn say(&self, text: impl Into<Phrase>) -> Result<(), Failure> {
        if self.json {
            return Ok(());
        }
        write_line(&self.tell(text))
    }

    /// A phrase in the reader's language.
    pub fn tell(&self, text: impl Into<Phrase>) -> String {
        text.into().in_language(&self.lang)
    }

    /// An id as it is shown, which leads to the commit on the forge of the remote where the terminal follows links.
    pub fn commit(&self, repo: &Repo, id: &Oid, shown: &str) -> String {
        let forge = if self.links { forge(repo).ok().flatten() } else { None };
        match forge {
            Some(forge) => linked(&forge.commit(id), shown),
            None => shown.to_string(),
        }
    }

    /// A path as it is shown, which leads to the file where the terminal follows links.
    pub fn file(&self, path: &Path, shown: &str) -> String {
        match self.dir.join(path).canonicalize() {
            Ok(whole) if self.links => linked(&file_url(&whole), shown),
            _ => shown.to_string(),
        }
    }

    /// Prints a line of a list of facts: a label, and from the same column on what it labels.
    pub fn field(&self, label: &str, value: impl Into<Phrase>) -> Result<(), Failure> {
        self.say(format!("  {} {}", pad(&self.tell(label), 11, Align::Left), self.tell(value)))
    }

    /// Prints a note on standard error; nothing with `--quiet`.
    pub fn note(&self, text: impl Into<Phrase>) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr(), "{}", self.tell(text));
        }
    }

    /// Prints the one JSON object of a command: `schema`, `version`, then the fields of `value`.
    pub fn emit(&self, schema: &str, value: impl Serialize) -> Result<(), Failure> {
        if !self.json {
            return Ok(());
        }
        write_line(&envelope(schema, serde_json::to_value(value).unwrap_or(Value::Null)).to_string())
    }

    /// Prints an error in the one shape that all have.
    pub(super) fn fail(&self, failure: &Failure) {
        if failure.exit == Exit::Done {
            return;
        }
        let part = |phrase: &Phrase| neutral_lines(&self.tell(phrase));
        let label = |key: &str| console::style(lang::word(self.lang, key)).bold().for_stderr();
        let mut text = format!("{} {}", label("error.what").red(), part(&failure.what));
        for (key, phrase) in [("error.why", &failure.why), ("error.next", &failure.next)] {
            if let Some(phrase) = phrase {
                text.push_str(&format!("\n  {} {}", label(key), part(phrase).replace('\n', "\n       ")));
            }
        }
        let _ = writeln!(std::io::stderr(), "{text}");
        if self.json {
            tell(failure);
        }
    }

    /// The folded ledger.
    pub fn book(&self, ledger: &Ledger<'_>) -> Result<Book, Failure> {
        Ok(ledger.book()?)
    }

    /// What [`Ctx::experiment`] needs of the ledger: what goes by that name, else what is open.
    pub fn wanted(&self, repo: &Repo, name: Option<&str>) -> Result<Wanted, Failure> {
        if let Some(name) = name {
            return Ok(Wanted::named(name));
        }
        let branches = match repo.head()? {
            Head::Branch { name, .. } | Head::Unborn(name) => vec![name],
            Head::Detached(_) => Vec::new(),
        };
        Ok(Wanted { branches, ..Wanted::open() })
    }

    /// The experiment of that name, or the one whose branch HEAD is on.
    pub fn experiment<'b>(&self, repo: &Repo, book: &'b Book, name: Option<&str>) -> Result<&'b Experiment, Failure> {
        if let Some(name) = name {
            return Ok(book.find(name)?);
        }
        let here = match repo.head()? {
            Head::Branch { name, .. } => name,
            Head::Unborn(name) => return Err(crate::git::GitError::Unborn(name).into()),
            Head::Detached(_) => return Err(self.nowhere(book, "a detached HEAD".into())),
        };
        if let Some(found) = book.on_branch(&here) {
            return Ok(found);
        }
        Err(self.nowhere(book, clean(&here).into()))
    }

    fn nowhere(&self, book: &Book, here: Phrase) -> Failure {
        let open: Vec<&str> = book.experiments.iter().filter(|e| e.is_open()).map(|e| e.name.as_str()).collect();
        let failure = Failure::state(phrase!("no open experiment is on {here}", here));
        if open.is_empty() {
            failure.because("no experiment is open").try_next("git verdict start NAME --hypothesis TEXT")
        } else {
            failure.because(phrase!("open: {open}", open = open.join(", "))).try_next("the same command with its name")
        }
    }

    /// The configuration: the work tree's `verdict.toml`, else the one in `commit`.
    pub fn config(&self, repo: &Repo, commit: Option<&Oid>) -> Result<Config, Failure> {
        if let Ok(root) = repo.workdir()
            && let Some(config) = Config::load(root)?
        {
            return Ok(config);
        }
        if let Some(commit) = commit
            && let Some(bytes) = repo.file_at(commit, Path::new(crate::config::FILE_NAME))?
        {
            let file = format!("{}:{}", commit.short(), crate::config::FILE_NAME);
            let text = String::from_utf8(bytes).map_err(|_| ConfigError {
                file: file.clone(),
                line: 1,
                column: 1,
                message: "this file is not UTF-8".into(),
                help: None,
            })?;
            return Ok(Config::parse(&text, &file)?);
        }
        Err(Failure::usage(phrase!("there is no {file} here", file = crate::config::FILE_NAME))
            .try_next("git verdict init"))
    }

    /// Asks for one line; without a terminal it fails and names the flag that answers.
    pub fn ask_line(&self, prompt: &str, flag: &'static str) -> Result<String, Failure> {
        if !self.can_ask() {
            return Err(Failure::usage(phrase!("{flag} is needed", flag)).because("there is no terminal to ask on"));
        }
        dialoguer::Input::with_theme(&dialoguer::theme::ColorfulTheme::default())
            .with_prompt(self.tell(prompt))
            .interact_text()
            .map_err(asking)
    }
}

/// Why a question got no answer: ctrl-C is an interruption, all else a failure of the terminal.
pub fn asking(error: dialoguer::Error) -> Failure {
    let dialoguer::Error::IO(error) = error;
    // dialoguer hides the cursor while it asks; ctrl-C must give it back.
    let _ = Term::stderr().show_cursor();
    match error.kind() {
        std::io::ErrorKind::Interrupted => Failure::new(Exit::Interrupted, "interrupted; nothing was changed"),
        _ => Failure::usage("the terminal cannot be asked").because(error.to_string()),
    }
}

/// Refuses a name that an experiment has already.
pub fn refuse_taken(book: &Book, name: &str) -> Result<(), ExperimentError> {
    match book.experiments.iter().any(|e| e.name == name) {
        true => Err(ExperimentError::Taken(name.to_string())),
        false => Ok(()),
    }
}

/// Prints a failure as an object.
pub(super) fn tell(failure: &Failure) {
    let error = json!({"error": {
        "what": failure.what.to_string(), "why": failure.why.as_ref().map(Phrase::to_string),
        "next": failure.next.as_ref().map(Phrase::to_string), "exit": failure.exit as u8,
    }});
    let _ = write_line(&envelope("error", error).to_string());
}

/// An object as all that are printed begin: `schema`, `version`, then the fields of `value`.
pub(super) fn envelope(schema: &str, value: Value) -> Value {
    let mut object = Map::new();
    object.insert("schema".into(), format!("git-verdict/{schema}").into());
    object.insert("version".into(), 1.into());
    match value {
        Value::Object(fields) => object.extend(fields),
        other => {
            object.insert("value".into(), other);
        }
    }
    Value::Object(object)
}

pub(super) fn write_line(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    write!(out, "{text}{end}").and_then(|()| out.flush()).map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Failure::new(Exit::Done, ""),
        _ => Failure::state("standard output cannot be written").because(error.to_string()),
    })
}

/// What the mask of the process is applied to, for a file that takes another one's place.
pub(super) fn permissions() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    std::fs::Permissions::from_mode(0o666)
}

/// Writes a file whole or not at all; a relative path is one from `dir`.
pub(super) fn write_file(dir: &Path, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::state(phrase!("{path} cannot be written", path = clean(&path.display().to_string())))
            .because(error.to_string())
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().permissions(permissions()).tempfile_in(dir.join(folder)).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.persist(dir.join(path)).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Text of several lines made safe to show, laid out as it is.
pub fn neutral_lines(text: &str) -> String {
    text.trim_end().lines().map(neutral).collect::<Vec<_>>().join("\n")
}

/// What the `verdict.toml` of the repository says. The work tree is found by its `.git`, without opening the repository: a
/// language is needed before anything can go wrong with that.
fn configured(dir: &Path) -> Option<Lang> {
    let dir = dir.canonicalize().ok()?;
    let root = dir.ancestors().find(|folder| folder.join(".git").exists())?;
    Config::language(root)
}

fn locale() -> Lang {
    locale_variable(["LC_ALL", "LC_MESSAGES", "LANG"]).and_then(|value| Lang::parse(&value)).unwrap_or_default()
}

/// The forge of the remote `origin`, else of the only remote.
pub(super) fn forge(repo: &Repo) -> Result<Option<Forge>, Failure> {
    let remotes = repo.remotes()?;
    let origin = remotes.iter().find(|(name, _)| name == "origin");
    let only = remotes.first().filter(|_| remotes.len() == 1);
    Ok(origin.or(only).and_then(|(_, url)| Forge::of(url)))
}

/// A text that leads to an URL: `OSC 8 ; ; URL ST text OSC 8 ; ; ST`.
fn linked(url: &str, text: &str) -> String {
    format!("\x1b]8;;{url}\x1b\\{text}\x1b]8;;\x1b\\")
}

/// The URL of a file (RFC 8089): every byte that an URL may not hold as it is, is written as `%XX`.
fn file_url(path: &Path) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(byte);
    let bytes = path.as_os_str().as_bytes().iter();
    let path: String = bytes.map(|b| if plain(b) { char::from(*b).to_string() } else { format!("%{b:02X}") }).collect();
    format!("file://{path}")
}

/// As the locale says; a terminal that is `dumb` or a plain C locale gets ASCII.
fn speaks_unicode() -> bool {
    let utf8 = locale_variable(["LC_ALL", "LC_CTYPE", "LANG"])
        .is_some_and(|value| value.to_ascii_uppercase().replace('-', "").contains("UTF8"));
    utf8 && std::env::var("TERM").map_or(true, |term| term != "dumb")
}

fn locale_variable(names: [&str; 3]) -> Option<String> {
    names.iter().filter_map(|name| std::env::var(name).ok()).find(|value| !value.is_empty())
}
