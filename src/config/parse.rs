//! Text of `verdict.toml` -> [`Config`], with errors that point at the bad word.

use super::Config;
use crate::error::{Exit, Explain};
use std::path::Path;

/// What is wrong with a configuration, and where.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct ConfigError {
    /// The file as the user knows it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, naming the bad word.
    pub message: String,
    /// The nearest right word, or what to write instead.
    pub help: Option<String>,
}

impl Explain for ConfigError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }
    fn next(&self) -> Option<String> {
        self.help.clone()
    }
}

pub(super) fn parse(_text: &str, _file: &str) -> Result<Config, ConfigError> {
    todo!()
}

pub(super) fn load(_root: &Path) -> Result<Option<Config>, ConfigError> {
    todo!()
}
