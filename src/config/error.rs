//! What is wrong with a configuration, and where: byte offsets in the text become lines and columns here.

use crate::error::{Exit, Explain};
use crate::phrase;
use crate::phrase::Phrase;

/// What is wrong with a configuration, and where.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub struct ConfigError {
    /// The file as the user knows it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, naming the bad word.
    pub message: Phrase,
    /// The nearest right word, or what to write instead.
    pub help: Option<Phrase>,
}

crate::error::display_what!(ConfigError);

impl Explain for ConfigError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }
    fn what(&self) -> Phrase {
        let place = format!("{}:{}:{}", self.file, self.line, self.column);
        phrase!("{place}: {what}", place, what = &self.message)
    }
    fn next(&self) -> Option<Phrase> {
        self.help.clone()
    }
}

/// Something wrong at a byte offset of a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Problem {
    pub at: usize,
    pub message: Phrase,
    pub help: Option<Phrase>,
}

impl Problem {
    pub fn new(at: usize, message: impl Into<Phrase>, help: impl Into<Phrase>) -> Problem {
        Problem { at, message: message.into(), help: Some(help.into()) }
    }

    /// The error as its reader sees it.
    pub fn locate(self, text: &str, file: &str) -> ConfigError {
        let (line, column) = position(text, self.at);
        ConfigError { file: file.to_string(), line, column, message: self.message, help: self.help }
    }
}

/// Line and column, both from 1, of a byte offset; an offset within a character or past the end is moved back. A byte
/// order mark takes no column.
pub(super) fn position(text: &str, at: usize) -> (usize, usize) {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before[start..].trim_start_matches('\u{feff}').chars().count() + 1;
    (line, column)
}

/// A word of the file, safe and short enough for a message: what a terminal would not print is escaped.
pub(super) fn echo(word: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown = String::new();
    for (i, c) in word.chars().enumerate() {
        if i == LONGEST {
            shown.push('…');
            break;
        }
        match c {
            '\'' | '"' | '\\' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    shown
}

/// `did you mean 'x'?` when one candidate is near, and the list of all of them otherwise. `what` is a key of the catalogue.
pub(super) fn suggest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
    what: &'static str,
) -> Phrase {
    if let Some(near) = super::nearest(word, candidates.clone()) {
        return phrase!("did you mean '{near}'?", near = echo(near));
    }
    let all: Vec<String> = candidates.into_iter().map(echo).collect();
    let what = Phrase::from(what);
    if all.is_empty() {
        phrase!("this file defines no {what}", what)
    } else {
        phrase!("known {what}s: {all}", what, all = all.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_not_bytes() {
        let text = "é = 1\n日本 = 2\r\n";
        assert_eq!(position(text, 0), (1, 1));
        assert_eq!(position(text, text.find('=').unwrap()), (1, 3));
        assert_eq!(position(text, text.rfind('=').unwrap()), (2, 4));
        assert_eq!(position(text, 1), (1, 1), "within é");
        assert_eq!(position(text, 10_000), (3, 1));
        assert_eq!(position("\u{feff}a = 1", 3), (1, 1), "a byte order mark is no column");
    }

    #[test]
    fn a_word_with_control_characters_is_escaped_and_cut() {
        assert_eq!(echo("a\u{1b}[31m\u{202e}'b"), "a\\u{1b}[31m\\u{202e}'b");
        assert_eq!(echo(&"x".repeat(70)), format!("{}…", "x".repeat(60)));
    }
}
