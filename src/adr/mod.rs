//! Decision files as they stand in a repository: whose habits they follow, what in them is generated, how they are kept true.
//!
//! | file | what it does |
//! |---|---|
//! | [`convention`] | folder, numbering and form that a repository already uses |
//! | [`mod@file`] | a decision file in parts: what is generated, what a person wrote, its status |
//! | [`render`] | the text of a decision file |
//! | [`link`] | supersedes and amends, in both files, as the tool of the repository writes it |
//! | [`index`] | the table in the folder's README.md |
//! | [`options`] | the other experiments that were considered |
//! | [`log`] | all decisions in one file, `DECISIONS.md` |
//! | [`diff`] | the lines that differ between two texts |

pub mod convention;
pub mod diff;
pub mod file;
pub mod index;
pub mod link;
pub mod log;
pub mod options;
pub mod render;

use crate::error::{Exit, Explain};
use crate::git::places::outside;
use crate::phrase;
use crate::phrase::Phrase;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Why decision files could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum AdrError {
    /// The settings of another tool that cannot be followed.
    Settings {
        /// The file of the settings.
        file: PathBuf,
        /// What is wrong with it.
        problem: Phrase,
    },
    /// A folder where nothing may be written.
    Outside {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        problem: Phrase,
    },
    /// A file or folder that cannot be read or written.
    Io {
        /// The path.
        path: PathBuf,
        /// Whether it was to be written.
        writing: bool,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A file that is no decision file of ours, or a damaged one.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: Phrase,
    },
    /// A decision that another one is to supersede or amend is not there.
    Missing {
        /// What was asked for.
        wanted: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// Two files of the folder answer to what was asked for.
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// One of them.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A decision cannot supersede or amend itself.
    Itself(PathBuf),
    /// No number is left.
    NoNumber(PathBuf),
}

crate::error::display_what!(AdrError);

impl Explain for AdrError {
    fn exit(&self) -> Exit {
        match self {
            AdrError::Io { .. } | AdrError::NoNumber(_) => Exit::State,
            _ => Exit::Usage,
        }
    }
    fn what(&self) -> Phrase {
        match self {
            AdrError::Settings { file, problem } => {
                phrase!("{file} cannot be followed: {problem}", file = file.display(), problem)
            }
            AdrError::Outside { folder, .. } => {
                phrase!("'{folder}' is no place for decision files", folder = folder.display())
            }
            AdrError::Io { path, writing: false, .. } => phrase!("{path} cannot be read", path = path.display()),
            AdrError::Io { path, writing: true, .. } => phrase!("{path} cannot be written", path = path.display()),
            AdrError::Damaged { path, problem } => phrase!("{place}: {what}", place = path.display(), what = problem),
            AdrError::Missing { wanted, folder } => {
                phrase!("there is no decision file '{wanted}' in {folder}", wanted, folder = folder.display())
            }
            AdrError::Ambiguous { wanted, first, second } => phrase!(
                "'{wanted}' could be {first} or {second}",
                wanted,
                first = first.display(),
                second = second.display()
            ),
            AdrError::Itself(path) => phrase!("{path} cannot supersede or amend itself", path = path.display()),
            AdrError::NoNumber(path) => phrase!("no number is left in {path}", path = path.display()),
        }
    }
    fn why(&self) -> Option<Phrase> {
        match self {
            AdrError::Outside { problem, .. } => Some(problem.clone()),
            _ => None,
        }
    }
    fn next(&self) -> Option<Phrase> {
        Some(match self {
            AdrError::Settings { file, .. } => phrase!("correct {file}, or --folder docs/adr", file = file.display()),
            AdrError::Outside { .. } => "--folder docs/adr".into(),
            AdrError::Io { .. } => return None,
            AdrError::Damaged { .. } => "git verdict adr new NAME --force writes it anew".into(),
            AdrError::Missing { folder, .. } => format!("ls {}", folder.display()).into(),
            AdrError::Ambiguous { first, .. } => first.display().to_string().into(),
            AdrError::Itself(_) => "the number of another decision".into(),
            AdrError::NoNumber(_) => "--folder DIR".into(),
        })
    }
}

/// The largest file that is read here, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// The text of a file below `root`; none when there is no such file. Bytes that are no UTF-8 are an error.
fn read(root: &Path, path: &Path) -> Result<Option<String>, AdrError> {
    let full = root.join(path);
    let failed = |source| AdrError::Io { path: path.to_path_buf(), writing: false, source };
    let meta = match std::fs::metadata(&full) {
        Ok(meta) => meta,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let damaged = |problem: &str| AdrError::Damaged { path: path.to_path_buf(), problem: problem.into() };
    if !meta.is_file() {
        return Err(damaged("it is no regular file"));
    }
    if meta.len() > MAX_FILE {
        return Err(damaged("it is larger than 1 MiB"));
    }
    let bytes = std::fs::read(&full).map_err(failed)?;
    String::from_utf8(bytes).map(Some).map_err(|_| damaged("it is not UTF-8"))
}

/// Writes a file below `root` whole or not at all: to a new file beside it, which then takes its name and its permissions.
pub fn write(root: &Path, path: &Path, text: &str) -> Result<(), AdrError> {
    use std::os::unix::fs::PermissionsExt;
    if let Some(problem) = outside(root, path) {
        return Err(AdrError::Outside { folder: path.to_path_buf(), problem });
    }
    let full = root.join(path);
    let failed = |source| AdrError::Io { path: path.to_path_buf(), writing: true, source };
    let folder = full.parent().unwrap_or(root);
    std::fs::create_dir_all(folder).map_err(failed)?;
    // As the umask allows, like any new file.
    let anyone = std::fs::Permissions::from_mode(0o666);
    let mut file =
        tempfile::Builder::new().prefix(".git-verdict-").permissions(anyone).tempfile_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    if let Ok(meta) = std::fs::metadata(&full) {
        file.as_file().set_permissions(meta.permissions()).map_err(failed)?;
    }
    file.persist(&full).map_err(|error| failed(error.error))?;
    Ok(())
}
