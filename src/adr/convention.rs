//! How a repository writes its decision files: folder, numbering, form, and where the status stands.
//!
//! Four tools are followed, each by the files that it leaves:
//!
//! | tool | told by | folder | names |
//! |---|---|---|---|
//! | adrs | `adrs.toml` or `.adrs.toml` | `adr_dir` | `0001-title.md` |
//! | adr-tools | `.adr-dir`, or files in `doc/adr` | the first line of `.adr-dir` | `0001-title.md` |
//! | log4brains | `.log4brains.yml` | `adrFolder` | `20260131-title.md` |
//! | MADR | files in `docs/decisions` or `doc/decisions` | that folder | `0001-title.md` |
//!
//! What the files in the folder look like comes before what the tool writes by default.

use super::file::DecisionFile;
use super::{AdrError, read};
use crate::config::{AdrFormat, Policy};
use crate::git::places::outside;
use crate::phrase;
use crate::render::text::clean;
use crate::render::{Lang, lang};
use chrono::NaiveDate;
use minijinja::context;
use std::path::{Path, PathBuf};

/// The folder where nothing says otherwise.
pub const DEFAULT_FOLDER: &str = "docs/adr";
/// Folders that are looked into when no tool has settings, in this order.
const USUAL_FOLDERS: [&str; 8] = [
    "doc/adr",
    "docs/adr",
    "docs/decisions",
    "doc/decisions",
    "docs/architecture/decisions",
    "doc/architecture/decisions",
    "docs/adrs",
    "adr",
];
/// So many of the newest files tell the form.
const NEWEST: usize = 5;

/// The tool whose habits are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// None in particular: MADR 4 as its documentation has it.
    Madr,
    /// adr-tools.
    AdrTools,
    /// adrs.
    Adrs,
    /// log4brains.
    Log4brains,
}

impl Tool {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Tool::Madr => "MADR",
            Tool::AdrTools => "adr-tools",
            Tool::Adrs => "adrs",
            Tool::Log4brains => "log4brains",
        }
    }
}

/// Where status and date of a decision stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// YAML between two lines `---` before the title (MADR 3 and 4, adrs).
    FrontMatter,
    /// A list under the title: `- Status: accepted` (MADR 2, log4brains).
    List,
    /// A section `## Status` (Nygard).
    Section,
}

impl Head {
    /// The word that templates see.
    pub fn as_str(self) -> &'static str {
        match self {
            Head::FrontMatter => "front-matter",
            Head::List => "list",
            Head::Section => "section",
        }
    }
}

/// How files are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// `0012-title.md`, with at least so many digits.
    Numbered(usize),
    /// `20260131-title.md`.
    Dated,
}

/// What someone asked for; all else is found out.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// A folder given on the command line.
    pub folder: Option<PathBuf>,
    /// A form given on the command line.
    pub format: Option<AdrFormat>,
    /// `[adr] dir`.
    pub configured_folder: Option<PathBuf>,
    /// `[adr] format`.
    pub configured_format: Option<AdrFormat>,
}

impl Wish {
    /// What the configuration says.
    pub fn of(policy: &Policy) -> Wish {
        Wish {
            configured_folder: policy.adr.as_deref().map(PathBuf::from),
            configured_format: policy.adr_format,
            ..Wish::default()
        }
    }
}

/// Why something is as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It was given on the command line.
    Asked,
    /// `verdict.toml` says so.
    Configured,
    /// A tool's settings say so.
    Settings(PathBuf),
    /// The files there are like that; one of them.
    Files(PathBuf),
    /// It is what the tool does.
    Tool(Tool),
    /// Nothing says otherwise.
    Default,
}

impl Why {
    /// In the reader's language, to follow "because of" or a colon: `adrs.toml says so`.
    pub fn text(&self, language: Lang) -> String {
        let shown = |path: &Path| clean(&path.display().to_string()).into_owned();
        match self {
            Why::Asked => lang::word(language, "adr.why_asked"),
            Why::Configured => lang::word(language, "adr.why_configured"),
            Why::Settings(file) => lang::text(language, "adr.why_settings", context! { file => shown(file) }),
            Why::Files(file) => lang::text(language, "adr.why_files", context! { file => shown(file) }),
            Why::Tool(tool) => lang::text(language, "adr.why_tool", context! { tool => tool.as_str() }),
            Why::Default => lang::word(language, "adr.why_default"),
        }
    }
}

/// The habits of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Convention {
    /// The tool that is followed.
    pub tool: Tool,
    /// The folder, relative to the root.
    pub folder: PathBuf,
    /// Why this folder.
    pub folder_why: Why,
    /// The form of the files.
    pub format: AdrFormat,
    /// Why this form.
    pub format_why: Why,
    /// How files are named.
    pub naming: Naming,
    /// Where status and date stand.
    pub head: Head,
}

impl Convention {
    /// Finds the habits of the work tree at `root`. A wish comes first, then the configuration, then what is there.
    pub fn find(root: &Path, wish: &Wish) -> Result<Convention, AdrError> {
        let settings = Settings::find(root)?;
        let (folder, folder_why) = if let Some(folder) = &wish.folder {
            (folder.clone(), Why::Asked)
        } else if let Some(folder) = &wish.configured_folder {
            (folder.clone(), Why::Configured)
        } else if let Some(settings) = &settings {
            (settings.folder.clone(), Why::Settings(settings.file.clone()))
        } else {
            usual_folder(root)?.unwrap_or((DEFAULT_FOLDER.into(), Why::Default))
        };
        let folder: PathBuf = folder.components().filter(|c| !matches!(c, std::path::Component::CurDir)).collect();
        if let Some(problem) = outside(root, &folder) {
            return Err(AdrError::Outside { folder, problem });
        }
        // A tool's settings speak of its own folder.
        let settings = settings.filter(|s| s.folder == folder);
        let usual = folder.parent().is_some_and(|p| p == Path::new("doc")) && folder.ends_with("adr");
        let files = newest(root, &folder)?;
        let tool = match &settings {
            Some(settings) => settings.tool,
            None if usual && !files.is_empty() => Tool::AdrTools,
            None => Tool::Madr,
        };
        let seen = seen(root, &files)?;
        let (format, format_why) = match (wish.format, wish.configured_format, &seen, &settings) {
            (Some(format), ..) => (format, Why::Asked),
            (None, Some(format), ..) => (format, Why::Configured),
            (None, None, _, Some(Settings { format: Some(format), file, .. })) => {
                (*format, Why::Settings(file.clone()))
            }
            (None, None, Some(seen), _) => (seen.format, Why::Files(seen.file.clone())),
            (None, None, None, _) => match tool {
                Tool::AdrTools | Tool::Adrs => (AdrFormat::Nygard, Why::Tool(tool)),
                Tool::Log4brains => (AdrFormat::Madr, Why::Tool(tool)),
                Tool::Madr => (AdrFormat::default(), Why::Default),
            },
        };
        let head = match (format, tool, &seen) {
            (AdrFormat::Nygard, ..) => Head::Section,
            // log4brains reads no front matter, and adr-tools takes the first line for the title.
            (_, Tool::Log4brains | Tool::AdrTools, _) => Head::List,
            (_, _, Some(Seen { head: Head::List, .. })) => Head::List,
            _ => Head::FrontMatter,
        };
        let naming = match tool {
            Tool::Log4brains => Naming::Dated,
            _ => naming(&files),
        };
        Ok(Convention { tool, folder, folder_why, format, format_why, naming, head })
    }

    /// The name of a new file, and its number where files are numbered. `taken` are numbers that are in use elsewhere.
    pub fn name(
        &self,
        root: &Path,
        slug: &str,
        date: NaiveDate,
        taken: &[u32],
    ) -> Result<(PathBuf, Option<u32>), AdrError> {
        match self.naming {
            Naming::Numbered(width) => {
                let names = names(root, &self.folder)?;
                let highest = names.iter().filter_map(|name| number_of(name)).chain(taken.iter().copied()).max();
                let number = highest.unwrap_or(0).checked_add(1);
                let number = number.ok_or_else(|| AdrError::NoNumber(self.folder.clone()))?;
                Ok((self.folder.join(format!("{number:0width$}-{slug}.md")), Some(number)))
            }
            Naming::Dated => {
                let day = date.format("%Y%m%d");
                let free = |name: &String| !root.join(&self.folder).join(name).exists();
                let more = (2..).map(|n| format!("{day}-{slug}-{n}.md"));
                let name = std::iter::once(format!("{day}-{slug}.md")).chain(more).find(free).unwrap_or_default();
                Ok((self.folder.join(name), None))
            }
        }
    }
}

/// What the settings of another tool say.
struct Settings {
    tool: Tool,
    file: PathBuf,
    folder: PathBuf,
    format: Option<AdrFormat>,
}

impl Settings {
    fn find(root: &Path) -> Result<Option<Settings>, AdrError> {
        for name in ["adrs.toml", ".adrs.toml"] {
            let file = PathBuf::from(name);
            if let Some(text) = read(root, &file)? {
                return Settings::adrs(file, &text).map(Some);
            }
        }
        let file = PathBuf::from(".adr-dir");
        if let Some(text) = read(root, &file)? {
            let folder = text.lines().next().unwrap_or_default().trim();
            return Settings::new(Tool::AdrTools, file, folder, None).map(Some);
        }
        let file = PathBuf::from(".log4brains.yml");
        if let Some(text) = read(root, &file)? {
            let folder = yaml_value(&text, "adrFolder").unwrap_or_default();
            return Settings::new(Tool::Log4brains, file, &folder, None).map(Some);
        }
        Ok(None)
    }

    fn new(tool: Tool, file: PathBuf, folder: &str, format: Option<AdrFormat>) -> Result<Settings, AdrError> {
        if folder.is_empty() {
            return Err(AdrError::Settings { file, problem: "it names no folder".into() });
        }
        let folder: PathBuf =
            Path::new(folder).components().filter(|c| !matches!(c, std::path::Component::CurDir)).collect();
        Ok(Settings { tool, file, folder, format })
    }

    fn adrs(file: PathBuf, text: &str) -> Result<Settings, AdrError> {
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                let error: toml::de::Error = error;
                let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
                let problem = phrase!("line {line} is no TOML: {why}", line, why = error.message());
                return Err(AdrError::Settings { file, problem });
            }
        };
        let templates = table.get("templates").and_then(|t| t.as_table());
        let word = |key: &str| templates.and_then(|t| t.get(key)).and_then(|v| v.as_str());
        let format = match (word("format"), word("variant")) {
            (Some("madr"), Some("minimal" | "bareminimal" | "bare-minimal")) => Some(AdrFormat::MadrMinimal),
            (Some("madr"), _) => Some(AdrFormat::Madr),
            (Some("nygard"), _) => Some(AdrFormat::Nygard),
            _ => None,
        };
        let folder = table.get("adr_dir").and_then(|v| v.as_str()).unwrap_or("doc/adr").to_string();
        Settings::new(Tool::Adrs, file, &folder, format)
    }
}

/// The value of a key that stands on a line of its own, whatever it is nested in: plain or in quotes.
fn yaml_value(text: &str, key: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(key)?.trim_start().strip_prefix(':'))?;
    let value = line.trim();
    let quoted = value.chars().next().filter(|c| ['"', '\''].contains(c));
    Some(match quoted {
        Some(quote) => value[1..].split(quote).next().unwrap_or_default().to_string(),
        None => value.split(" #").next().unwrap_or_default().trim().to_string(),
    })
}

/// The first usual folder with a decision file in it, and that file.
fn usual_folder(root: &Path) -> Result<Option<(PathBuf, Why)>, AdrError> {
    for folder in USUAL_FOLDERS.map(PathBuf::from) {
        if outside(root, &folder).is_none()
            && let Some(file) = newest(root, &folder)?.into_iter().next()
        {
            return Ok(Some((folder, Why::Files(file))));
        }
    }
    Ok(None)
}

/// The names of the markdown files in a folder, sorted; none when there is no folder.
pub fn names(root: &Path, folder: &Path) -> Result<Vec<String>, AdrError> {
    let failed = |source| AdrError::Io { path: folder.to_path_buf(), writing: false, source };
    let entries = match std::fs::read_dir(root.join(folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".md") && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// 12 for `0012-use-cache.md`; none for a date.
pub fn number_of(name: &str) -> Option<u32> {
    let digits = leading(name)?;
    (digits.len() < 8).then(|| digits.parse().ok())?
}

/// The digits that a name of a decision file begins with.
fn leading(name: &str) -> Option<&str> {
    let (digits, rest) = name.strip_suffix(".md")?.split_once('-')?;
    (!rest.is_empty() && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then_some(digits)
}

/// Whether a name is that of a decision file.
pub fn is_decision(name: &str) -> bool {
    leading(name).is_some()
}

/// The decision files of a folder, newest first.
fn newest(root: &Path, folder: &Path) -> Result<Vec<PathBuf>, AdrError> {
    let mut names: Vec<String> = names(root, folder)?.into_iter().filter(|name| is_decision(name)).collect();
    names.sort_by_key(|name| std::cmp::Reverse(leading(name).and_then(|d| d.parse::<u64>().ok())));
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

fn naming(files: &[PathBuf]) -> Naming {
    let digits = files.first().and_then(|file| file.file_name()?.to_str().and_then(leading).map(str::len));
    match digits {
        Some(8) => Naming::Dated,
        Some(width) => Naming::Numbered(width),
        None => Naming::Numbered(4),
    }
}

/// What the newest files look like.
struct Seen {
    file: PathBuf,
    format: AdrFormat,
    head: Head,
}

/// The form of the newest file that has one. A short MADR file does not make a repository a minimal one when a recent one is
/// whole. Files that cannot be read as text tell nothing.
fn seen(root: &Path, files: &[PathBuf]) -> Result<Option<Seen>, AdrError> {
    let mut first: Option<Seen> = None;
    for path in files.iter().take(NEWEST) {
        let text = match read(root, path) {
            Ok(text) => text.unwrap_or_default(),
            Err(AdrError::Damaged { .. }) => continue,
            Err(error) => return Err(error),
        };
        let file = DecisionFile::parse(&text);
        let Some(format) = file.format() else { continue };
        let head = file.head().unwrap_or(if format == AdrFormat::Nygard { Head::Section } else { Head::FrontMatter });
        match &mut first {
            None => first = Some(Seen { file: path.clone(), format, head }),
            Some(seen) if seen.format == AdrFormat::MadrMinimal && format == AdrFormat::Madr => {
                seen.format = format;
                seen.file = path.clone();
            }
            Some(_) => {}
        }
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    fn found(files: &[(&str, &str)]) -> Convention {
        Convention::find(root(files).path(), &Wish::default()).unwrap()
    }

    const NYGARD: &str =
        "# 1. Record\n\nDate: 2026-01-01\n\n## Status\n\nAccepted\n\n## Context\n\nx\n\n## Decision\n\ny\n";
    const MADR: &str = "---\nstatus: accepted\n---\n\n# Record\n\n## Context and Problem Statement\n\n## Pros and Cons of the Options\n";
    const MINIMAL: &str = "# Record\n\n* Status: accepted\n\n## Context and Problem Statement\n\n## Decision Outcome\n";

    #[test]
    fn a_repository_without_decision_files_gets_madr_in_the_usual_folder() {
        let it = found(&[("README.md", "")]);
        assert_eq!((it.tool, it.format, it.head), (Tool::Madr, AdrFormat::Madr, Head::FrontMatter));
        assert_eq!((it.folder.to_str(), it.folder_why), (Some("docs/adr"), Why::Default));
        assert_eq!(it.naming, Naming::Numbered(4));
    }

    #[test]
    fn each_tool_is_known_by_its_settings_and_followed() {
        let adrs = found(&[("adrs.toml", "adr_dir = \"adrs\"\nmode = \"ng\"\n[templates]\nformat = \"madr\"\n")]);
        assert_eq!((adrs.tool, adrs.folder.to_str()), (Tool::Adrs, Some("adrs")));
        assert_eq!((adrs.format, adrs.head), (AdrFormat::Madr, Head::FrontMatter));
        assert_eq!(adrs.format_why, Why::Settings("adrs.toml".into()));
        let plain = found(&[(".adrs.toml", "adr_dir = \"x\"\n")]);
        assert_eq!((plain.format, plain.format_why), (AdrFormat::Nygard, Why::Tool(Tool::Adrs)));
        let minimal = found(&[("adrs.toml", "[templates]\nformat = \"madr\"\nvariant = \"minimal\"\n")]);
        assert_eq!((minimal.format, minimal.folder.to_str()), (AdrFormat::MadrMinimal, Some("doc/adr")));
        let tools = found(&[(".adr-dir", "./decisions\n"), ("decisions/0001-x.md", NYGARD)]);
        assert_eq!((tools.tool, tools.folder.to_str()), (Tool::AdrTools, Some("decisions")));
        assert_eq!((tools.format, tools.head), (AdrFormat::Nygard, Head::Section));
        let usual = found(&[("doc/adr/0001-x.md", NYGARD)]);
        assert_eq!((usual.tool, usual.format), (Tool::AdrTools, AdrFormat::Nygard));
        let brains = found(&[(".log4brains.yml", "project:\n  name: x\n  adrFolder: './docs/log' # here\n")]);
        assert_eq!((brains.tool, brains.folder.to_str()), (Tool::Log4brains, Some("docs/log")));
        assert_eq!((brains.naming, brains.head, brains.format), (Naming::Dated, Head::List, AdrFormat::Madr));
    }

    #[test]
    fn the_files_that_are_there_say_form_numbering_and_head() {
        let it = found(&[("docs/decisions/001-a.md", MADR), ("docs/decisions/012-b.md", MINIMAL)]);
        assert_eq!((it.tool, it.naming), (Tool::Madr, Naming::Numbered(3)));
        assert_eq!((it.format, it.head), (AdrFormat::Madr, Head::List), "the newest head, the fullest recent form");
        assert_eq!(it.folder_why, Why::Files("docs/decisions/012-b.md".into()));
        let it = found(&[("docs/decisions/0001-b.md", MINIMAL)]);
        assert_eq!(it.format, AdrFormat::MadrMinimal);
        let it = found(&[("docs/adr/20260131-b.md", MINIMAL)]);
        assert_eq!(it.naming, Naming::Dated);
        let it = found(&[("docs/adr/0001-b.md", "\u{0}nothing of the kind")]);
        assert_eq!((it.format, it.format_why), (AdrFormat::Madr, Why::Default));
    }

    #[test]
    fn a_flag_comes_before_the_configuration_and_that_before_what_is_there() {
        let root = root(&[(".adr-dir", "decisions"), ("decisions/0001-x.md", NYGARD)]);
        let mut wish = Wish {
            configured_folder: Some("configured".into()),
            configured_format: Some(AdrFormat::MadrMinimal),
            ..Wish::default()
        };
        let it = Convention::find(root.path(), &wish).unwrap();
        assert_eq!((it.folder.to_str(), it.folder_why), (Some("configured"), Why::Configured));
        assert_eq!((it.format, it.format_why, it.tool), (AdrFormat::MadrMinimal, Why::Configured, Tool::Madr));
        wish.folder = Some("./decisions".into());
        wish.format = Some(AdrFormat::Madr);
        let it = Convention::find(root.path(), &wish).unwrap();
        assert_eq!((it.folder.to_str(), it.folder_why), (Some("decisions"), Why::Asked));
        assert_eq!((it.format, it.format_why, it.tool), (AdrFormat::Madr, Why::Asked, Tool::AdrTools));
        assert_eq!(it.head, Head::List, "adr-tools takes the first line for the title");
    }

    #[test]
    fn settings_that_lead_astray_are_errors() {
        let refused = |files: &[(&str, &str)]| {
            let error = Convention::find(root(files).path(), &Wish::default()).unwrap_err();
            (error.to_string(), error.exit())
        };
        for (name, text, wanted) in [
            (".adr-dir", "../elsewhere", "no place for decision files"),
            (".adr-dir", "\n", ".adr-dir cannot be followed: it names no folder"),
            (".adr-dir", "/etc", "no place"),
            ("adrs.toml", "\nadr_dir = \n", "adrs.toml cannot be followed: line 2 is no TOML"),
            (".log4brains.yml", "project:\n  name: x\n", ".log4brains.yml cannot be followed"),
            (".log4brains.yml", "project:\n  adrFolder: .git/hooks\n", "no place"),
        ] {
            let (text_of, exit) = refused(&[(name, text)]);
            assert!(text_of.contains(wanted) && exit == Exit::Usage, "{name}: {text_of}");
        }
    }

    #[test]
    fn numbers_follow_the_highest_whatever_its_digits_and_dates_are_no_numbers() {
        let root = root(&[
            ("adr/0001-use-git.md", ""),
            ("adr/0041-x.md", ""),
            ("adr/README.md", ""),
            ("adr/0099-notes.txt", ""),
            ("adr/20260131-date.md", ""),
            ("adr/2024-", ""),
            ("adr/abcd-e.md", ""),
        ]);
        let wish = Wish { folder: Some("adr".into()), ..Wish::default() };
        let it = Convention { naming: Naming::Numbered(4), ..Convention::find(root.path(), &wish).unwrap() };
        let day = NaiveDate::from_ymd_opt(2026, 1, 31).unwrap();
        assert_eq!(it.name(root.path(), "x", day, &[]).unwrap(), ("adr/0042-x.md".into(), Some(42)));
        assert_eq!(it.name(root.path(), "x", day, &[50]).unwrap(), ("adr/0051-x.md".into(), Some(51)));
        let dated = Convention { naming: Naming::Dated, ..it };
        assert_eq!(dated.name(root.path(), "date", day, &[]).unwrap(), ("adr/20260131-date-2.md".into(), None));
    }

    use crate::error::{Exit, Explain};
}
