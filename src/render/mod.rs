//! What people read: templates, tables, numbers.

pub mod adr;
pub mod message;
pub mod table;

use crate::error::{Exit, Explain};
use serde::{Deserialize, Serialize};

/// The languages that texts exist in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Lang {
    /// English.
    #[default]
    #[serde(rename = "en")]
    En,
    /// Simplified Chinese.
    #[serde(rename = "zh-CN")]
    ZhCn,
}

impl Lang {
    /// Reads `en`, `zh-CN`, or a locale such as `zh_CN.UTF-8`; none for a language there is no text in.
    pub fn parse(text: &str) -> Option<Lang> {
        let text = text.replace('_', "-").to_lowercase();
        match text.split(['.', '@', '-']).next() {
            Some("en" | "c" | "posix") => Some(Lang::En),
            Some("zh") => Some(Lang::ZhCn),
            _ => None,
        }
    }
}

/// Why a text could not be rendered.
#[derive(Debug, thiserror::Error)]
#[error("{template}:{line}: {message}")]
pub struct RenderError {
    /// The template's name or file.
    pub template: String,
    /// The line in it.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl Explain for RenderError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }
}
