//! Templates: the longer texts, built in for every language and overridable in the repository.
//!
//! A file of the same name in the repository's `.verdict/templates/<language>/`, or in `.verdict/templates/` for all
//! languages, is used instead of the built-in one. Templates are sandboxed: they see the values they are given and the
//! other templates, open no files, and their work and output are bounded. An error in one is a [`RenderError`] with its
//! file and line; the built-in text is never used silently in its place.

use super::{Lang, RenderError, text};
use crate::config::nearest;
use crate::phrase;
use crate::phrase::Phrase;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where overrides are, relative to the root of the repository.
pub const OVERRIDES: &str = ".verdict/templates";

macro_rules! templates {
    ($($name:literal)*) => {
        /// The names of all templates; each exists in each language.
        pub const NAMES: [&str; [$($name),*].len()] = [$($name),*];

        /// The text of a built-in template: what an override starts from.
        pub fn built_in(lang: Lang, name: &str) -> Option<&'static str> {
            match (lang, name) {
                $((Lang::En, $name) => Some(include_str!(concat!("../../templates/en/", $name))),)*
                $((Lang::ZhCn, $name) => Some(include_str!(concat!("../../templates/zh-CN/", $name))),)*
                _ => None,
            }
        }
    };
}

templates! {
    "revert.txt.j2"
    "merge-keep.txt.j2"
    "merge-revert.txt.j2"
    "adr-commit.txt.j2"
    "trade.txt.j2"
    "adr.md.j2"
    "adr-minimal.md.j2"
    "adr-nygard.md.j2"
    "adr-head.md.j2"
    "adr-context.md.j2"
    "adr-options.md.j2"
    "adr-outcome.md.j2"
    "adr-consequences.md.j2"
    "adr-parts.md.j2"
    "decision.md.j2"
}

/// The templates of the report, which are the same in every language, each with its text.
pub const REPORT: [(&str, &str); 3] = [
    ("report.html.j2", include_str!("../../templates/report/report.html.j2")),
    ("report-overview.html.j2", include_str!("../../templates/report/report-overview.html.j2")),
    ("report-article.html.j2", include_str!("../../templates/report/report-article.html.j2")),
];

/// The style of the report: no template, but overridden like one.
pub const STYLE: (&str, &str) = ("report.css", include_str!("../../templates/report/report.css"));

/// The largest override that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024;
/// The largest text that a template may make, in bytes.
const MAX_OUTPUT: usize = 1024 * 1024;
/// Instructions and kilobytes that one rendering may use; the built-in ones use less than a hundredth.
const FUEL: u64 = 1_000_000;

/// Renders texts in one language, with the repository's overrides.
#[derive(Debug)]
pub struct Renderer {
    lang: Lang,
    env: Environment<'static>,
    /// Template name -> the file that overrides it.
    overrides: BTreeMap<String, PathBuf>,
    /// The largest text that a template may make, in bytes.
    pub(super) most: usize,
}

impl Renderer {
    /// With the built-in templates alone.
    pub fn new(lang: Lang) -> Result<Renderer, RenderError> {
        Renderer::with_overrides(lang, None)
    }

    /// With the files of `folder` (`.verdict/templates`), when there is such a folder, before the built-in ones.
    ///
    /// Every override is read and compiled here. A file that cannot be read, is larger than 64 KiB, is no regular file,
    /// lies outside the folder when links are followed, or has no template's name (names that begin with `_` are free for
    /// parts of one's own) is an error.
    pub fn with_overrides(lang: Lang, folder: Option<&Path>) -> Result<Renderer, RenderError> {
        let texts: Vec<_> = NAMES.iter().filter_map(|name| Some((*name, built_in(lang, name)?))).collect();
        let mut env = environment();
        env.set_fuel(Some(FUEL));
        Renderer::of(lang, env, &texts, folder, MAX_OUTPUT)
    }

    /// These templates in an environment, with the files of `folder` before them. Overrides of other texts are passed over
    /// once their names are checked.
    pub(super) fn of(
        lang: Lang,
        env: Environment<'static>,
        texts: &[(&'static str, &'static str)],
        folder: Option<&Path>,
        most: usize,
    ) -> Result<Renderer, RenderError> {
        let mut renderer = Renderer { lang, env, overrides: BTreeMap::new(), most };
        let mut files = find_overrides(folder, lang)?;
        files.retain(|name, _| name.starts_with('_') || texts.iter().any(|(known, _)| known == name));
        for (name, source) in texts {
            if !files.contains_key(*name) {
                renderer.env.add_template(name, source).map_err(|e| renderer.explain(name, &e))?;
            }
        }
        for (name, path) in files {
            let source = read_override(&path)?;
            renderer.overrides.insert(name.clone(), path);
            renderer.env.add_template_owned(name.clone(), source).map_err(|e| renderer.explain(&name, &e))?;
        }
        Ok(renderer)
    }

    /// Bounds the work of each rendering from here on, and the bytes that it makes.
    pub(super) fn bound(&mut self, fuel: u64, most: usize) {
        self.env.set_fuel(Some(fuel));
        self.most = most;
    }

    /// Whether a file of the repository is used instead of a built-in template.
    pub(super) fn is_overridden(&self) -> bool {
        !self.overrides.is_empty()
    }

    /// The language of the texts.
    pub fn lang(&self) -> Lang {
        self.lang
    }

    /// Renders a template with these values.
    pub(crate) fn render(&self, name: &str, values: Value) -> Result<String, RenderError> {
        let mut output = Bounded { bytes: Vec::new(), most: self.most };
        self.env
            .get_template(name)
            .and_then(|template| template.render_captured_to(values, &mut output).map(drop))
            .map_err(|error| self.explain(name, &error))?;
        String::from_utf8(output.bytes).map_err(|_| self.error(name, 0, "the text is not UTF-8"))
    }

    /// An error in a template, under the name of the file that it came from.
    pub(crate) fn error(&self, name: &str, line: usize, message: impl Into<Phrase>) -> RenderError {
        let template = match self.overrides.get(name) {
            Some(path) => path.display().to_string(),
            None => name.to_string(),
        };
        RenderError { template, line, message: message.into() }
    }

    /// The innermost cause says which template and line it really was.
    fn explain(&self, name: &str, error: &Error) -> RenderError {
        let mut inner = error;
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            if let Some(cause) = cause.downcast_ref::<Error>() {
                inner = cause;
            }
            source = cause.source();
        }
        let message = match (inner.kind(), inner.detail()) {
            (ErrorKind::OutOfFuel, _) => "it takes too long or makes too much".into(),
            (ErrorKind::WriteFailure, _) => phrase!("it writes more than {most} bytes", most = self.most),
            (kind, Some(detail)) => {
                phrase!(
                    "{place}: {what}",
                    place = kind_words(kind),
                    what = phrase!("{text}", text = text::clean(detail))
                )
            }
            (kind, None) => kind_words(kind),
        };
        self.error(inner.name().unwrap_or(name), inner.line().unwrap_or(0), message)
    }
}

fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    env.set_recursion_limit(50);
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        env.set_syntax(syntax);
    }
    env.add_filter("wrap", |text: &str, columns: usize, hang: Option<usize>| {
        text::disarm(&text::wrap(text, columns.clamp(20, 1000), hang.unwrap_or(0).min(16)))
    });
    env.add_filter("prose", |text: &str, columns: usize| {
        text::disarm(&text::wrap(&text::clean(text), columns.clamp(20, 1000), 0))
    });
    env.add_filter("md", |text: &str| text::markdown(text));
    env.add_filter("code", |text: &str| text::markdown_code(text, false));
    env.add_filter("cell_code", |text: &str| text::markdown_code(text, true));
    env.add_filter("yaml", |text: &str| serde_json::Value::from(text::clean(text).into_owned()).to_string());
    env
}

/// The file that overrides a text which is no template, and its text.
pub(super) fn overridden(
    folder: Option<&Path>,
    lang: Lang,
    name: &str,
) -> Result<Option<(PathBuf, String)>, RenderError> {
    match find_overrides(folder, lang)?.remove(name) {
        Some(path) => read_override(&path).map(|text| Some((path, text))),
        None => Ok(None),
    }
}

/// The override of each template for this language: the language's own folder wins.
fn find_overrides(folder: Option<&Path>, lang: Lang) -> Result<BTreeMap<String, PathBuf>, RenderError> {
    let mut found = BTreeMap::new();
    let Some(folder) = folder else { return Ok(found) };
    let Some(root) = real_folder(folder)? else { return Ok(found) };
    for part in [folder.to_path_buf(), folder.join(lang.code())] {
        let Some(real) = real_folder(&part)? else { continue };
        if !real.starts_with(&root) {
            return Err(unreadable(&part, "it is a link that leaves the folder of templates"));
        }
        for entry in fs::read_dir(&part).map_err(|e| unreadable(&part, e.to_string()))? {
            let path = entry.map_err(|e| unreadable(&part, e.to_string()))?.path();
            let Some(name) = path.file_name().and_then(|n| n.to_str()) else { continue };
            if !name.ends_with(".j2") && name != STYLE.0 {
                continue;
            }
            let names = || NAMES.into_iter().chain(REPORT.map(|(name, _)| name)).chain([STYLE.0]);
            if !names().any(|known| known == name) && !name.starts_with('_') {
                let near = nearest(name, names()).unwrap_or(NAMES[0]);
                return Err(unreadable(
                    &path,
                    phrase!("there is no template of this name, did you mean '{near}'?", near),
                ));
            }
            let real = path.canonicalize().map_err(|e| unreadable(&path, e.to_string()))?;
            if !real.starts_with(&root) {
                return Err(unreadable(&path, "it is a link that leaves the folder of templates"));
            }
            found.insert(name.to_string(), path.clone());
        }
    }
    Ok(found)
}

/// The canonical path of a folder; none when there is none, an error when it is a link itself or something else.
fn real_folder(path: &Path) -> Result<Option<PathBuf>, RenderError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, error.to_string())),
        Ok(meta) if meta.is_dir() => path.canonicalize().map(Some).map_err(|e| unreadable(path, e.to_string())),
        Ok(_) => Err(unreadable(path, "it is no folder")),
    }
}

fn read_override(path: &Path) -> Result<String, RenderError> {
    let meta = fs::metadata(path).map_err(|e| unreadable(path, e.to_string()))?;
    if !meta.is_file() {
        return Err(unreadable(path, "it is no regular file"));
    }
    if meta.len() > MAX_FILE {
        return Err(unreadable(path, phrase!("it is larger than {most} KiB", most = MAX_FILE / 1024)));
    }
    let bytes = fs::read(path).map_err(|e| unreadable(path, e.to_string()))?;
    String::from_utf8(bytes).map_err(|_| unreadable(path, "it is not UTF-8"))
}

fn unreadable(path: &Path, problem: impl Into<Phrase>) -> RenderError {
    RenderError { template: path.display().to_string(), line: 0, message: problem.into() }
}

/// What kind of error the engine found; its details stay in its own words.
fn kind_words(kind: ErrorKind) -> Phrase {
    let words = match kind {
        ErrorKind::SyntaxError => "syntax error",
        ErrorKind::UndefinedError => "undefined value",
        ErrorKind::UnknownFilter => "unknown filter",
        ErrorKind::UnknownFunction => "unknown function",
        ErrorKind::UnknownTest => "unknown test",
        ErrorKind::UnknownMethod => "unknown method",
        ErrorKind::TemplateNotFound => "template not found",
        ErrorKind::InvalidOperation => "invalid operation",
        ErrorKind::MissingArgument => "missing argument",
        ErrorKind::TooManyArguments => "too many arguments",
        ErrorKind::NonPrimitive => "not a primitive",
        ErrorKind::BadEscape => "bad string escape",
        other => return Phrase::from(other.to_string()),
    };
    words.into()
}

/// Output that refuses to grow without end.
struct Bounded {
    bytes: Vec<u8>,
    most: usize,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.most {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the text is too long"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
