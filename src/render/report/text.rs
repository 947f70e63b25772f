//! Text from records, made safe to show and cut to what it may cost on the page.
//!
//! Escaping is the templates' work; here only its cost counts, so that a text of a thousand `<` takes no more room than any
//! other.

use crate::render::text::{clean, clean_lines};

/// Bytes that a name may take.
pub const NAME: usize = 120;
/// Bytes that a reason or hypothesis may take where it is shown whole.
pub const PROSE: usize = 4000;

/// Bytes that one byte of text takes at most once it is escaped.
const MOST_OF_A_BYTE: usize = 6;

/// One line of at most so many bytes.
pub fn line(text: &str, most: usize) -> String {
    cut(&clean(head(text, most)), most)
}

/// Several lines of at most so many bytes.
pub fn lines(text: &str, most: usize) -> String {
    cut(&clean_lines(head(text, most)), most)
}

/// The bytes that a text takes once it is escaped.
pub fn cost(text: &str) -> usize {
    text.chars().map(cost_of).sum()
}

/// Enough of a text to be cut later: nobody cleans megabytes to show a line.
fn head(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most.saturating_mul(4));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn cut(text: &str, most: usize) -> String {
    if text.len().saturating_mul(MOST_OF_A_BYTE) <= most || cost(text) <= most {
        return text.to_string();
    }
    let mut used = '…'.len_utf8();
    let mut end = 0;
    for (at, c) in text.char_indices() {
        used += cost_of(c);
        if used > most {
            break;
        }
        end = at + c.len_utf8();
    }
    let kept = &text[..end];
    let whole_words = kept.rfind(' ').filter(|space| space * 2 > end).map_or(kept, |space| &kept[..space]);
    format!("{}…", whole_words.trim_end())
}

fn cost_of(c: char) -> usize {
    match c {
        '<' | '>' => 4,
        '&' => 5,
        '"' | '\'' | '/' => MOST_OF_A_BYTE,
        c => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_counts_what_escaping_costs_and_prefers_whole_words() {
        assert_eq!(line("short", 20), "short");
        assert_eq!(line("one two three four", 12), "one two…");
        assert_eq!(line(&"<".repeat(100), 43), format!("{}…", "<".repeat(10)));
        assert_eq!(lines("a\r\nb\x1b[0m", 100), "a\nb␛[0m");
        assert!(cost(&lines(&"镜像 ".repeat(100_000), PROSE)) <= PROSE);
    }
}
