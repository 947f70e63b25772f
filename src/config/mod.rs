//! `verdict.toml`: what to run, what to measure, what must hold.
//!
//! [`Config::parse`] turns text into a [`Config`] or a [`ConfigError`] that names file, line, column, the bad word and
//! the nearest right one. Order of appearance is kept: steps run in the order they are written.

mod error;
mod load;
mod parse;
pub mod preset;
mod quantity;
mod worth;

pub use error::ConfigError;
pub use worth::{Contradiction, Named, contradiction, parse_worth};

use crate::measure::placement::Placement;
use crate::phrase::Lang;
use crate::units::{Ratio, Unit};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;

/// The file's name at the root of the repository.
pub const FILE_NAME: &str = "verdict.toml";

/// The name by which exchange rates speak of what a change costs to maintain: a plain number, counted from the diff. A metric
/// of this name takes its place.
pub const MAINTENANCE: &str = "maintenance";

/// A whole configuration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// The language of the texts, unless the command line names another.
    pub lang: Option<Lang>,
    /// Steps in the order they run.
    pub steps: Vec<Step>,
    /// Metrics in the order they are shown.
    pub metrics: Vec<Metric>,
    /// Checks in the order they run.
    pub checks: Vec<Check>,
    /// Where and how urgently steps run.
    pub placement: Placement,
    /// How results become recommendations and land.
    pub policy: Policy,
    /// Hex SHA-256 of the text this was read from.
    pub hash: String,
}

/// A command: a string goes to `sh -c`, a list is executed directly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Command {
    /// Handed to `sh -c`.
    Shell(String),
    /// Executed directly: program and arguments, never empty.
    Direct(Vec<String>),
}

impl std::fmt::Display for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Command::Shell(text) => f.write_str(text),
            Command::Direct(words) => f.write_str(&words.join(" ")),
        }
    }
}

/// Something that is run for every sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its name in `[steps.<name>]`.
    pub name: String,
    /// What is measured.
    pub run: Command,
    /// Run before each sample, not measured.
    pub prepare: Option<Command>,
    /// Killed, and the measurement failed, after this long.
    pub timeout: Option<Duration>,
    /// Runs on each side that are not measured, before its first one that is.
    pub warmup: u32,
    /// Run on each side before its first sample alone: what a metric reads needs it made, and says nothing of the making.
    pub once: bool,
}

/// What a metric reads.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Resource use of a step.
    Step {
        /// The step's name.
        step: String,
        /// Which resource.
        measure: Resource,
    },
    /// Size of a container image: a docker or podman reference, docker-archive, oci-archive or OCI layout.
    Image {
        /// The reference or path.
        reference: String,
    },
    /// Duration of the build steps whose text contains `pattern`, read from the log of a step.
    BuildStep {
        /// Part of a build step's text.
        pattern: String,
        /// The step whose log is read.
        step: String,
    },
    /// Size of a file, a folder or of all that a glob matches, relative to the work tree.
    Path {
        /// Path or glob.
        path: String,
        /// Compress before counting.
        compress: Option<Compress>,
    },
    /// A number printed by a command of its own.
    Command {
        /// What is run.
        run: Command,
        /// How the number is found in its standard output.
        extract: Extract,
        /// What a reading is multiplied with to be in the metric's base unit: 0.001 when `unit = "ms"`, else 1.
        scale: f64,
        /// Killed, and the measurement failed, after this long.
        timeout: Option<Duration>,
    },
}

impl Source {
    /// Whether readings are expected to be the same each time (sizes), to be proved by a second reading.
    pub fn exact(&self) -> bool {
        matches!(self, Source::Image { .. } | Source::Path { .. })
    }
}

/// Which resource of a step is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Elapsed time.
    Wall,
    /// CPU time in user mode.
    User,
    /// CPU time in the kernel.
    System,
    /// User and system time together.
    Cpu,
    /// Peak resident memory of the largest process.
    MaxRss,
    /// Instructions executed in user mode, counted in a run of their own.
    Instructions,
}

/// Compression applied before a size is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compress {
    /// gzip, level 6.
    Gzip,
    /// zstd, level 3.
    Zstd,
    /// brotli, quality 5.
    Brotli,
}

/// How a number is found in output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extract {
    /// First capture group of a regular expression; the last match wins.
    Pattern(String),
    /// JSON pointer (RFC 6901) into the output.
    Json(String),
    /// The whole output is the number.
    Whole,
}

/// Which direction is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Less is better (the default).
    #[default]
    Lower,
    /// More is better.
    Higher,
}

/// The smallest change worth acting on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matters {
    /// Relative to the base.
    Relative(Ratio),
    /// In the metric's base unit.
    Absolute(f64),
}

/// A named quantity.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its name in `[metrics.<name>]`.
    pub name: String,
    /// What it reads: exactly one source.
    pub source: Source,
    /// Its unit.
    pub unit: Unit,
    /// Which direction is better.
    pub better: Better,
    /// The smallest change worth acting on: 1 % for sizes and 5 % for all else unless it is set.
    pub matters: Matters,
    /// A value that the candidate may not be worse than, in the base unit.
    pub limit: Option<f64>,
}

/// A command that must succeed on the candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// Its name in `[checks]`.
    pub name: String,
    /// What is run.
    pub run: Command,
    /// Killed, and failed, after this long.
    pub timeout: Option<Duration>,
}

/// How a reverted experiment lands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum RevertMode {
    /// Revert on the experiment's branch, then merge it: attempt and reversal stay reachable.
    #[default]
    Merge,
    /// One new revert commit on the base, where the commits already are.
    InPlace,
    /// The base's code is untouched; the commits stay under `refs/verdict/archive/<name>`.
    Archive,
}

impl RevertMode {
    /// The word as it stands in the configuration, on the command line and in text.
    pub fn as_str(self) -> &'static str {
        match self {
            RevertMode::Merge => "merge",
            RevertMode::InPlace => "in-place",
            RevertMode::Archive => "archive",
        }
    }
}

/// The form of a decision file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum AdrFormat {
    /// MADR 4 with all its sections (the default).
    #[default]
    Madr,
    /// MADR 4 with the sections that it requires, and the consequences.
    MadrMinimal,
    /// Nygard's five sections, as adr-tools writes them.
    Nygard,
}

impl AdrFormat {
    /// All of them.
    pub const ALL: [AdrFormat; 3] = [AdrFormat::Madr, AdrFormat::MadrMinimal, AdrFormat::Nygard];

    /// The word as it stands in the configuration, on the command line and in files.
    pub fn as_str(self) -> &'static str {
        match self {
            AdrFormat::Madr => "madr",
            AdrFormat::MadrMinimal => "madr-minimal",
            AdrFormat::Nygard => "nygard",
        }
    }

    /// Reads one of these words.
    pub fn parse(word: &str) -> Option<AdrFormat> {
        AdrFormat::ALL.into_iter().find(|format| format.as_str() == word)
    }
}

/// An exchange rate: `left` and `right` are worth the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Worth {
    /// One side of the rate.
    pub left: Priced,
    /// The other side.
    pub right: Priced,
}

/// An amount of a metric in its base unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Priced {
    /// The metric's name.
    pub metric: String,
    /// The amount, above zero.
    pub amount: f64,
}

/// How results become recommendations and land.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Policy {
    /// Exchange rates for mixed results.
    pub worth: Vec<Worth>,
    /// The branch that experiments start from and land on.
    pub base: Option<String>,
    /// How a reverted experiment lands.
    pub revert: RevertMode,
    /// The type in the subject of a keep commit; `perf` unless it is set.
    pub keep_type: Option<String>,
    /// The folder of decision files (`[adr] dir`); where the repository has them unless it is set.
    pub adr: Option<String>,
    /// The form of decision files (`[adr] format`); the one that the repository uses unless it is set.
    pub adr_format: Option<AdrFormat>,
}

impl Config {
    /// Reads a configuration from text; `file` is the name that errors show.
    pub fn parse(text: &str, file: &str) -> Result<Config, ConfigError> {
        parse::parse(text, file)
    }

    /// Reads `verdict.toml` in `root`; `Ok(None)` when there is none.
    pub fn load(root: &Path) -> Result<Option<Config>, ConfigError> {
        load::load(root)
    }

    /// The `lang` of the `verdict.toml` in `root` and nothing else of it: what every command can afford to look for. None when
    /// there is no such file or it says nothing that can be understood, which [`Config::load`] then explains.
    pub fn language(root: &Path) -> Option<Lang> {
        parse::language(&load::read(root).ok()??)
    }

    /// Reads one exchange rate such as `1 min build_time = 500 MB image_size` against the metrics of this
    /// configuration. Errors name the file `worth`, line 1 and the column in `text`. Whether several rates agree is
    /// for [`contradiction`] to say.
    pub fn parse_worth(&self, text: &str) -> Result<Worth, ConfigError> {
        worth::parse_line(text, &self.metrics)
    }

    /// The step of that name.
    pub fn step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|s| s.name == name)
    }

    /// The metric of that name.
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|m| m.name == name)
    }
}

/// The candidate nearest to `word` by edit distance, when one is near enough to be meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(&word.to_lowercase(), &c.to_lowercase()), c))
        .filter(|(distance, c)| *distance <= 1 + c.len().max(word.len()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c)
}
