//! Checks that nobody who works in the repository can see: a file outside of it that a person or CI names.
//!
//! A candidate that special-cases the checks it can read passes them and is worth nothing. So a file of `[checks]` may lie outside
//! the work tree, named by [`SETTING`] in git's configuration or by [`VARIABLE`]. Its checks run as those of `verdict.toml` do, on the
//! base, too; what is recorded and told of one is its name and whether it passed. Every file that is named counts, so no setting
//! takes another's away, and `verdict.toml` has no word for any of it. What they print is kept outside the repository.

use crate::config::{Check, Command, Config, ConfigError};
use crate::digest::sha256;
use crate::error::{Exit, Explain};
use crate::git::Repo;
use crate::phrase;
use crate::phrase::Phrase;
use crate::trust::Store;
use std::path::{Path, PathBuf};

/// The setting of git that names a file of hidden checks; may be set more than once.
pub const SETTING: &str = "verdict.hiddenChecks";

/// The variable that names one more. What is measured does not see it.
pub const VARIABLE: &str = "GIT_VERDICT_HIDDEN_CHECKS";

/// The largest file that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// The hidden checks that count for a repository.
#[derive(Debug, Clone, PartialEq)]
pub struct Hidden {
    /// The checks, in the order of their files.
    pub checks: Vec<Check>,
    /// The files, by their real paths.
    pub files: Vec<PathBuf>,
    /// Hex SHA-256 of the files and of those that their commands name by absolute paths.
    pub digest: String,
    /// Where what they print is kept.
    pub logs: PathBuf,
}

/// Begins to ask git which files are named, and does not wait for the answer: [`load`] does.
pub fn ask(repo: &Repo) {
    repo.ask_scoped_values(SETTING);
}

/// The hidden checks of a repository; none when nobody has named any.
pub fn load(repo: &Repo) -> Result<Option<Hidden>, HiddenError> {
    let set = repo.scoped_values(SETTING).into_iter().map(|(_, value)| value);
    let given = std::env::var(VARIABLE).ok();
    let mut named: Vec<String> = set.chain(given).filter(|value| !value.is_empty()).collect();
    let mut files: Vec<PathBuf> = Vec::new();
    for name in named.drain(..) {
        let file = outside(repo, &name)?;
        if !files.contains(&file) {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Ok(None);
    }
    let mut checks: Vec<Check> = Vec::new();
    for file in &files {
        for check in checks_of(file)? {
            if checks.iter().any(|other| other.name == check.name) {
                return Err(HiddenError::Twice { file: file.clone(), name: check.name });
            }
            checks.push(check);
        }
    }
    let state = Store::path().ok_or(HiddenError::NoPlace)?;
    let here = repo.common_dir().canonicalize().unwrap_or_else(|_| repo.common_dir().to_path_buf());
    let key = sha256(here.as_os_str().as_encoded_bytes());
    let logs = state.with_file_name("hidden").join(&key[..12]);
    let digest = digest(&files, &checks);
    Ok(Some(Hidden { checks, files, digest, logs }))
}

impl Hidden {
    /// Whether the files still say what they said.
    pub fn is_unchanged(&self) -> bool {
        digest(&self.files, &self.checks) == self.digest
    }
}

/// The real path of a file that is in no work tree and no git directory of this repository.
fn outside(repo: &Repo, name: &str) -> Result<PathBuf, HiddenError> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let path = match (name.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(name),
    };
    if !path.is_absolute() {
        return Err(HiddenError::Relative(name.to_string()));
    }
    let real = path.canonicalize().map_err(|source| HiddenError::Io { path, source })?;
    let within = |root: &PathBuf| root.canonicalize().is_ok_and(|root| real.starts_with(root));
    match places(repo).iter().any(within) {
        true => Err(HiddenError::Inside(real)),
        false => Ok(real),
    }
}

/// All work trees of a repository, and its git directory.
fn places(repo: &Repo) -> Vec<PathBuf> {
    let common = repo.common_dir();
    let mut places = vec![common.to_path_buf()];
    places.extend(repo.workdir().ok().map(Path::to_path_buf));
    places.extend(common.parent().filter(|_| common.ends_with(".git")).map(Path::to_path_buf));
    for entry in std::fs::read_dir(common.join("worktrees")).into_iter().flatten().flatten() {
        let link = std::fs::read_to_string(entry.path().join("gitdir")).unwrap_or_default();
        places.extend(entry.path().join(link.trim_end()).parent().map(Path::to_path_buf));
    }
    places
}

fn checks_of(file: &Path) -> Result<Vec<Check>, HiddenError> {
    let failed = |source| HiddenError::Io { path: file.to_path_buf(), source };
    let size = file.metadata().map_err(failed)?;
    if !size.is_file() || size.len() > LARGEST {
        return Err(HiddenError::NotChecks(file.to_path_buf()));
    }
    let text = std::fs::read_to_string(file).map_err(failed)?;
    let config = Config::parse(&text, &file.display().to_string())?;
    if config.checks.is_empty() || !config.steps.is_empty() || !config.metrics.is_empty() {
        return Err(HiddenError::NotChecks(file.to_path_buf()));
    }
    Ok(config.checks)
}

fn digest(files: &[PathBuf], checks: &[Check]) -> String {
    let words = checks.iter().flat_map(|check| match &check.run {
        Command::Shell(text) => text.split(|c: char| c.is_whitespace() || "'\"();|&<>=".contains(c)).collect(),
        Command::Direct(words) => words.iter().map(String::as_str).collect::<Vec<_>>(),
    });
    let named = words.map(PathBuf::from).filter(|path| path.is_absolute() && path.is_file());
    let all = files.iter().cloned().chain(named);
    sha256(all.map(|path| std::fs::read(path).map(sha256).unwrap_or_default()).collect::<Vec<_>>().join("\n"))
}

/// Why hidden checks cannot be read. Nothing is measured or kept then: they are never left out in silence.
#[derive(Debug, thiserror::Error)]
pub enum HiddenError {
    /// The path is not absolute.
    Relative(String),
    /// It lies where it can be seen.
    Inside(PathBuf),
    /// It holds something else than checks, or none.
    NotChecks(PathBuf),
    /// Two files have a check of one name.
    Twice {
        /// The later one.
        file: PathBuf,
        /// The name.
        name: String,
    },
    /// Neither `XDG_STATE_HOME` nor `HOME` is set.
    NoPlace,
    /// A file does not say what it said at the beginning.
    Changed,
    /// It is not written right.
    Config(#[from] ConfigError),
    /// It cannot be read.
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

crate::error::display_what!(HiddenError);

impl Explain for HiddenError {
    fn exit(&self) -> Exit {
        match self {
            HiddenError::NoPlace | HiddenError::Changed => Exit::State,
            _ => Exit::Usage,
        }
    }
    fn what(&self) -> Phrase {
        match self {
            HiddenError::Relative(name) => {
                phrase!("{setting} is to be an absolute path: {name}", setting = SETTING, name)
            }
            HiddenError::Inside(path) => {
                phrase!("hidden checks in the repository are not hidden: {path}", path = path.display())
            }
            HiddenError::NotChecks(path) => {
                phrase!("a file of hidden checks holds [checks] and nothing else: {path}", path = path.display())
            }
            HiddenError::Twice { file, name } => {
                phrase!("{path}: there are two hidden checks '{name}'", path = file.display(), name)
            }
            HiddenError::NoPlace => "there is no place for what hidden checks print".into(),
            HiddenError::Changed => "the hidden checks were changed while they ran".into(),
            HiddenError::Config(inner) => inner.what(),
            HiddenError::Io { path, source } => {
                phrase!("{path} cannot be read: {problem}", path = path.display(), problem = source.to_string())
            }
        }
    }
    fn why(&self) -> Option<Phrase> {
        match self {
            HiddenError::NoPlace => Some("neither XDG_STATE_HOME nor HOME is set".into()),
            HiddenError::Config(inner) => inner.why(),
            _ => None,
        }
    }
    fn next(&self) -> Option<Phrase> {
        match self {
            HiddenError::Inside(_) => Some("move the file out of the repository, and name it there".into()),
            HiddenError::Config(inner) => inner.next(),
            HiddenError::Io { .. } => Some(phrase!("git config --show-origin --get-all {setting}", setting = SETTING)),
            _ => None,
        }
    }
}
