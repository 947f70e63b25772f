//! The commented `verdict.toml` that `init` writes for each kind of project.
//!
//! [`detect`] says which presets fit a folder, and [`render`] writes one from what the project's own files say. The
//! text works as written: it names the files, programs and targets that are there. A line that begins with `#` and a
//! space is a comment; one that begins with `#` alone is a setting that is ready to be switched on.

mod cargo;
mod docker;
mod go;
mod npm;
mod python;

use super::nearest;
use crate::error::{Exit, Explain};
use crate::phrase;
use crate::phrase::{Language, Phrase};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The largest manifest that is read, in bytes.
const LARGEST: u64 = 4 * 1024 * 1024;

/// A kind of project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// A container image built from a Dockerfile or Containerfile.
    Docker,
    /// A Rust package or workspace.
    Cargo,
    /// A Go module.
    Go,
    /// A JavaScript package.
    Npm,
    /// A Python package, or an application with a list of requirements.
    Python,
}

impl Preset {
    /// All presets, in the order in which [`detect`] offers them.
    pub const ALL: [Preset; 5] = [Preset::Docker, Preset::Cargo, Preset::Go, Preset::Npm, Preset::Python];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Preset::Docker => "docker",
            Preset::Cargo => "cargo",
            Preset::Go => "go",
            Preset::Npm => "npm",
            Preset::Python => "python",
        }
    }
}

impl std::fmt::Display for Preset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = PresetError;

    fn from_str(word: &str) -> Result<Preset, PresetError> {
        Preset::ALL.into_iter().find(|preset| preset.name() == word).ok_or_else(|| PresetError::Unknown {
            word: super::error::echo(word),
            nearest: nearest(word, Preset::ALL.map(Preset::name)).map(str::to_string),
        })
    }
}

/// Why a preset could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PresetError {
    /// There is no preset of that name.
    Unknown {
        /// The word that was read.
        word: String,
        /// The nearest preset.
        nearest: Option<String>,
    },
    /// The folder holds no project of that kind.
    Missing {
        /// The preset.
        preset: Preset,
        /// What was looked for.
        reason: Phrase,
    },
    /// A file of the project could not be understood.
    Manifest {
        /// The file, relative to the root.
        file: PathBuf,
        /// What is wrong with it.
        reason: Phrase,
    },
}

crate::error::display_what!(PresetError);

impl Explain for PresetError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }
    fn what(&self) -> Phrase {
        match self {
            PresetError::Unknown { word, .. } => phrase!("unknown preset '{word}'", word),
            PresetError::Missing { preset, reason } => {
                phrase!("this is no {preset} project: {reason}", preset = preset.to_string(), reason)
            }
            PresetError::Manifest { file, reason } => {
                phrase!("{file} cannot be used: {reason}", file = file.display(), reason)
            }
        }
    }
    fn next(&self) -> Option<Phrase> {
        Some(match self {
            PresetError::Unknown { nearest: Some(word), .. } => phrase!("git verdict init --preset {word}", word),
            PresetError::Unknown { .. } => "git verdict init --preset docker|cargo|go|npm|python".into(),
            PresetError::Missing { .. } => "git verdict init in the project's root, or with another --preset".into(),
            PresetError::Manifest { file, .. } => {
                phrase!("mend {file}, then run 'git verdict init' again", file = file.display())
            }
        })
    }
}

/// The presets that fit the folder, the most telling first: a project with a Dockerfile is measured by its image.
pub fn detect(root: &Path) -> Vec<Preset> {
    let fits = |preset: &Preset| match preset {
        Preset::Docker => docker::file(root).is_some(),
        Preset::Cargo => root.join("Cargo.toml").is_file(),
        Preset::Go => root.join("go.mod").is_file(),
        Preset::Npm => root.join("package.json").is_file(),
        Preset::Python => !matches!(python::kind(root), Err(PresetError::Missing { .. })),
    };
    Preset::ALL.into_iter().filter(fits).collect()
}

/// The text of a `verdict.toml` for the project in `root`, with its comments in English.
pub fn render(preset: Preset, root: &Path) -> Result<String, PresetError> {
    let body = match preset {
        Preset::Docker => docker::render(root, docker::engine_on_path())?,
        Preset::Cargo => cargo::render(root)?,
        Preset::Go => go::render(root)?,
        Preset::Npm => npm::render(root)?,
        Preset::Python => python::render(root)?,
    };
    Ok(format!("{HEAD}{body}"))
}

/// The text with its comments in another language. Lines of a comment that follow one another are one text, and so is its
/// translation, which has line ends of its own.
pub fn in_language(text: &str, language: &dyn Language) -> String {
    let mut out = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let mut own = format!("{line}\n");
        if let Some(first) = line.strip_prefix("# ") {
            let mut comment = first.to_string();
            while let Some(more) = lines.next_if(|line| line.starts_with("# ")) {
                comment.push_str(&more[1..]);
                own.push_str(&format!("{more}\n"));
            }
            if let Some(translation) = language.translation(&comment) {
                own = translation.lines().map(|line| format!("# {line}\n")).collect();
            }
        }
        out.push_str(&own);
    }
    out
}

const HEAD: &str = "\
# What git-verdict runs and measures on both sides of an experiment.
# Every sample runs all steps in this order, in a work tree of its own, and then reads all metrics.
# A command in quotes goes to `sh -c`; a list of words is run directly.
# Sizes take B, kB, MB, GB, KiB, MiB, GiB; times take ns, us, ms, s, min, h.
version = 1
";

/// The metric of the time that the step `build` takes.
const BUILD_TIME: &str = "\
# How long the build takes. `matters` is the smallest change worth acting on.
[metrics.build_time]
step = \"build\"
measure = \"wall\"
matters = \"5%\"
";

/// The metric of the size of a program.
fn program_size(path: &str) -> String {
    format!(
        "
# How large the program is.
[metrics.binary_size]
path = {path}
matters = \"1%\"
#limit = \"50 MB\"
# Counted after compression, as it would be downloaded: gzip, zstd or brotli.
#compress = \"zstd\"
",
        path = quoted(path)
    )
}

/// What every preset ends with; the arguments are a check's command, and an example of a rate.
fn tail(check: &str, worth: &str) -> String {
    format!(
        "
# Commands that must succeed on the candidate; without that it is kept only with --force.
#[checks]
#tests = {check}

# How results become decisions. A rate says what is worth the same when one metric gets better and another worse.
#[policy]
#worth = [{worth}]
#base = \"main\"
#revert = \"merge\"
"
    )
}

/// A TOML basic string. Whatever the text holds, it stays on one line and within its quotes.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                out.push_str(&format!("\\U{:08X}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A TOML list of strings on one line.
fn list(words: &[&str]) -> String {
    format!("[{}]", words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(", "))
}

/// The text of a regular file of the project; `None` when it is not there.
fn read(root: &Path, file: &Path) -> Result<Option<String>, PresetError> {
    let path = root.join(file);
    if !path.is_file() {
        return Ok(None);
    }
    let fail = |reason: Phrase| PresetError::Manifest { file: file.to_path_buf(), reason };
    let mut bytes = Vec::new();
    fs::File::open(&path)
        .and_then(|f| f.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(|e| fail(e.to_string().into()))?;
    if bytes.len() as u64 > LARGEST {
        return Err(fail("it is larger than 4 MiB".into()));
    }
    let text = String::from_utf8(bytes).map_err(|_| fail("it is not UTF-8".into()))?;
    Ok(Some(text))
}

/// A TOML manifest; `None` when it is not there.
fn read_toml(root: &Path, file: &Path) -> Result<Option<toml::Table>, PresetError> {
    let Some(text) = read(root, file)? else { return Ok(None) };
    text.parse::<toml::Table>().map(Some).map_err(|e| {
        let line = e.span().map_or(1, |span| super::error::position(&text, span.start).0);
        let reason = phrase!("line {line}: {what}", line, what = e.message().replace('\n', " "));
        PresetError::Manifest { file: file.to_path_buf(), reason }
    })
}

/// The string at a path of keys.
fn string_at<'t>(table: &'t toml::Table, keys: &[&str]) -> Option<&'t str> {
    let (last, parents) = keys.split_last()?;
    let table = parents.iter().try_fold(table, |table, key| table.get(*key)?.as_table())?;
    table.get(*last)?.as_str()
}

/// The names in a folder, sorted; none when it cannot be read.
fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .map(|entries| entries.flatten().filter_map(|e| e.file_name().into_string().ok()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::config::Config;

    /// A folder with these files.
    pub(crate) fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    /// Parses a preset as it is, and with every setting that is ready to be switched on switched on.
    pub(crate) fn accepted(body: &str) -> Config {
        let text = &format!("{HEAD}{body}");
        let config = Config::parse(text, "verdict.toml").unwrap_or_else(|e| panic!("{e} ({:?}) in:\n{text}", e.help));
        let all: String = text
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(setting) if !setting.is_empty() && !setting.starts_with(' ') => format!("{setting}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let whole = Config::parse(&all, "all").unwrap_or_else(|e| panic!("{e} ({:?}) in:\n{all}", e.help));
        assert!(whole.checks.len() == 1 && whole.policy.worth.len() == 1, "checks and worth are shown:\n{text}");
        assert!(!config.metrics.is_empty(), "something is measured:\n{text}");
        config
    }

    #[test]
    fn a_project_is_known_by_its_files() {
        assert_eq!(detect(tree(&[("README.md", "")]).path()), []);
        let all = tree(&[
            ("Containerfile", "FROM scratch"),
            ("Cargo.toml", ""),
            ("go.mod", "module x"),
            ("package.json", "{}"),
            ("requirements.txt", ""),
        ]);
        assert_eq!(detect(all.path()), Preset::ALL);
        let tools_only = tree(&[("Cargo.toml", ""), ("pyproject.toml", "[tool.ruff]\nline-length = 100\n")]);
        assert_eq!(detect(tools_only.path()), [Preset::Cargo], "a pyproject.toml of tools alone is no package");
    }

    #[test]
    fn preset_names_round_trip_and_a_wrong_one_names_the_nearest() {
        for preset in Preset::ALL {
            assert_eq!(preset.to_string().parse::<Preset>().unwrap(), preset);
        }
        let error = "dcoker".parse::<Preset>().unwrap_err();
        assert_eq!(error.to_string(), "unknown preset 'dcoker'");
        assert_eq!(error.next().unwrap(), "git verdict init --preset docker");
    }

    #[test]
    fn a_preset_for_another_kind_of_project_says_what_is_missing() {
        let empty = tree(&[]);
        for preset in Preset::ALL {
            let error = render(preset, empty.path()).unwrap_err();
            assert!(matches!(error, PresetError::Missing { .. }), "{error}");
        }
        let broken = tree(&[("Cargo.toml", "[package\n"), ("package.json", "{"), ("pyproject.toml", "\n=\n")]);
        for (preset, file) in
            [(Preset::Cargo, "Cargo.toml"), (Preset::Npm, "package.json"), (Preset::Python, "pyproject.toml")]
        {
            let error = render(preset, broken.path()).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{file} cannot be used: line ")), "{error}");
        }
    }

    #[test]
    fn whatever_a_name_holds_it_stays_a_string_on_one_line() {
        for text in ["a\"b", "a\\b", "a\nb = 1\n[x]", "a\u{7f}\u{0}\u{85}\u{2028}\u{202e}b", "'''\"\"\"", "é日本"] {
            let line = quoted(text);
            assert_eq!(line.lines().count(), 1);
            let table: toml::Table = format!("a = {line}").parse().unwrap();
            assert_eq!(table["a"].as_str(), Some(text));
        }
    }
}
