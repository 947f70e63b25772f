//! Text that came from elsewhere, made safe to show, and text laid out by display width.
//!
//! Names, reasons and titles come from the repository and may hold terminal escapes, bidirectional controls or lines
//! that pose as something else. [`clean`] and [`clean_lines`] are applied to all of it before it reaches a terminal or
//! a commit. Widths are those of Unicode Standard Annex 11, in columns.

use std::borrow::Cow;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A space that [`wrap`] does not break at: it stands between a number and its unit until the text is laid out.
pub const NO_BREAK: char = '\u{a0}';

/// One line with nothing in it that moves the cursor, changes colours, hides text or reorders it.
///
/// Line ends and tabs become a space, runs of white space one space; C0 controls are shown as their picture (ESC is
/// `␛`), everything else that is refused as `\u{fffd}`. Text without any of this is borrowed.
pub fn clean(text: &str) -> Cow<'_, str> {
    let spaced_well = |text: &str| {
        let edge = |c: Option<char>| c.is_some_and(char::is_whitespace);
        !edge(text.chars().next()) && !edge(text.chars().next_back()) && !text.contains("  ")
    };
    // Most texts are plain ASCII, which needs no look at each character.
    let plain = |text: &str| text.bytes().all(|b| matches!(b, b' '..=b'~'));
    if (plain(text) || !text.chars().any(|c| shown_as(c).is_some())) && spaced_well(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut gap = false;
    for c in text.chars() {
        let c = shown_as(c).unwrap_or(c);
        if c == ' ' {
            gap = !out.is_empty();
            continue;
        }
        if std::mem::take(&mut gap) {
            out.push(' ');
        }
        out.push(c);
    }
    Cow::Owned(out)
}

/// Like [`clean`] line by line: line ends are kept (CR LF and CR become LF), blank lines at both ends and more than one
/// in a row are dropped, and so is the indentation.
pub fn clean_lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}', '\u{85}', '\u{b}', '\u{c}'], "\n");
    let mut out = String::with_capacity(text.len());
    let mut blank = false;
    for line in text.split('\n') {
        let line = clean(line);
        if line.is_empty() {
            blank = !out.is_empty();
            continue;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        if std::mem::take(&mut blank) {
            out.push('\n');
        }
        out.push_str(&line);
    }
    out
}

/// One line like [`clean`] makes, but with its spaces as they are: for text that is laid out already.
pub fn neutral(line: &str) -> Cow<'_, str> {
    if line.chars().any(|c| shown_as(c).is_some()) {
        Cow::Owned(line.chars().map(|c| shown_as(c).unwrap_or(c)).collect())
    } else {
        Cow::Borrowed(line)
    }
}

/// What a character is replaced with, when it may not be shown as it is.
fn shown_as(c: char) -> Option<char> {
    match c {
        '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some(' '),
        '\0'..='\u{1f}' => char::from_u32(0x2400 + c as u32),
        '\u{7f}' => Some('␡'),
        '\u{80}'..='\u{9f}' => Some('\u{fffd}'),
        // Soft hyphen, Arabic letter mark, zero width space, directional marks, embeddings, overrides and isolates,
        // invisible operators, byte order mark, interlinear annotation, tags.
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' => {
            Some('\u{fffd}')
        }
        '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => Some('\u{fffd}'),
        c if c.is_whitespace() && c != ' ' && c != NO_BREAK => Some(' '),
        _ => None,
    }
}

/// The columns that a text takes.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// Which side of a cell the text is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Align {
    /// Text.
    #[default]
    Left,
    /// Numbers.
    Right,
}

/// The text filled up with spaces to this many columns; a wider one is left as it is.
pub fn pad(text: &str, columns: usize, align: Align) -> String {
    let fill = " ".repeat(columns.saturating_sub(width(text)));
    match align {
        Align::Left => format!("{text}{fill}"),
        Align::Right => format!("{fill}{text}"),
    }
}

/// The text cut to this many columns, the cut marked with `…`.
pub fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{}…", take_columns(text, columns.saturating_sub(1)).trim_end()))
}

/// Like [`cut`], but at the end of a word when there is one in the second half.
pub fn cut_at_word(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let head = take_columns(text, columns.saturating_sub(1));
    let at_boundary = text[head.len()..].starts_with(' ');
    match head.rfind(' ') {
        Some(space) if !at_boundary && width(&head[..space]) * 2 >= columns => {
            Cow::Owned(format!("{}…", head[..space].trim_end_matches([' ', ',', ';', ':', '-'])))
        }
        _ => Cow::Owned(format!("{}…", head.trim_end())),
    }
}

fn take_columns(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > columns {
            return &text[..at];
        }
    }
    text
}

/// Breaks every paragraph line into lines of at most `columns`; all but the first are indented by `hang` spaces.
///
/// Line ends and indentation in the text stay. Breaks are at spaces and between ideographs, not after an opening nor before a closing
/// mark; a word that is too long stands alone. [`NO_BREAK`] holds and is then written as a space.
pub fn wrap(text: &str, columns: usize, hang: usize) -> String {
    let indent = " ".repeat(hang);
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.split('\n') {
        if paragraph.is_empty() {
            lines.push(String::new());
            continue;
        }
        let mut line = if lines.is_empty() { String::new() } else { indent.clone() };
        line.push_str(&paragraph[..paragraph.len() - paragraph.trim_start_matches(' ').len()]);
        let mut used = width(&line);
        let mut empty = true;
        for (space, word) in pieces(paragraph) {
            let wide = width(word);
            let gap = usize::from(space && !empty);
            if !empty && used + gap + wide > columns {
                lines.push(std::mem::replace(&mut line, indent.clone()));
                used = hang;
            } else if gap == 1 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += wide;
            empty = false;
        }
        lines.push(line);
    }
    lines.join("\n").replace(NO_BREAK, " ")
}

/// The unbreakable pieces of a line, each with whether a space stands before it.
fn pieces(line: &str) -> Vec<(bool, &str)> {
    let mut found = Vec::new();
    for word in line.split(' ').filter(|w| !w.is_empty()) {
        let mut start = 0;
        let mut before: Option<char> = None;
        for (at, c) in word.char_indices() {
            if before.is_some_and(|before| breaks_between(before, c)) {
                found.push((start == 0, &word[start..at]));
                start = at;
            }
            before = Some(c);
        }
        found.push((start == 0, &word[start..]));
    }
    found
}

/// Whether a line may be broken between two characters of a word: beside an ideograph, with the rules of Chinese
/// typesetting for marks (GB/T 15834: no line begins with a closing mark or ends with an opening one).
fn breaks_between(before: char, after: char) -> bool {
    const OPENING: &str = "（《「『【〔〈“‘([{";
    const CLOSING: &str = "，。、；：！？）》」』】〕〉”’…％·,.;:!?)]}%";
    let wide = |c: char| c.width() == Some(2);
    (wide(before) || wide(after))
        && !OPENING.contains(before)
        && !CLOSING.contains(after)
        && before != NO_BREAK
        && after != NO_BREAK
}

/// Laid out text in which every line that begins like something git or a reader of git would act on is indented by two:
/// a trailer of ours or of git's, `This reverts commit`, a comment, a scissors line, the start of a patch.
pub fn disarm(text: &str) -> String {
    let lines: Vec<Cow<'_, str>> = text
        .split('\n')
        .map(|line| {
            let poses = poses(line) || line.to_ascii_lowercase().starts_with("this reverts commit");
            if poses { Cow::Owned(format!("  {line}")) } else { Cow::Borrowed(line) }
        })
        .collect();
    lines.join("\n")
}

/// Whether a line of a commit message would be taken for a trailer, a comment, a scissors line or the start of a patch.
pub fn poses(line: &str) -> bool {
    if line.starts_with([' ', '\t']) {
        return false;
    }
    let lower = line.to_ascii_lowercase();
    let key = lower.split_once(':').map_or("", |(key, _)| key.trim_end());
    let token = key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let ours = key.starts_with("verdict") || key.ends_with("-by") || matches!(key, "change-id" | "cc");
    let patch = lower.starts_with("---") || lower.starts_with("diff -") || lower.starts_with("index: ");
    (token && ours) || patch || lower.starts_with('#') || lower.contains("------ >8 ------")
}

/// Text for a paragraph, heading or table cell of a markdown file (CommonMark with GitHub's additions), with everything
/// escaped that could become markup: emphasis, code, links, HTML, tables, headings, lists, addresses.
pub fn markdown(text: &str) -> String {
    let text = clean_lines(text);
    let mut out = String::with_capacity(text.len() + 16);
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            out.push('\n');
        }
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let mut previous = ' ';
        let mut rest = line.char_indices().peekable();
        while let Some((at, c)) = rest.next() {
            let next = rest.peek().map(|(_, c)| *c);
            let inside_word = previous.is_alphanumeric() && next.is_some_and(char::is_alphanumeric);
            let alone = next.is_none_or(|n| n == ' ');
            let escaped = match c {
                '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '~' | '{' | '}' | '$' | '@' => true,
                '_' => !inside_word,
                '&' => next.is_some_and(|n| n.is_ascii_alphanumeric() || n == '#'),
                '#' => at == 0 || next.is_some_and(|n| n.is_ascii_digit()),
                '-' | '+' | '=' => at == 0 && (alone || next == Some(c)),
                '.' | ')' => (at == digits && digits > 0 && alone) || (c == '.' && ends_with_www(&line[..at])),
                ':' => line[at..].starts_with("://"),
                _ => false,
            };
            if escaped {
                out.push('\\');
            }
            out.push(c);
            previous = c;
        }
    }
    out
}

fn ends_with_www(text: &str) -> bool {
    text.len() >= 3 && text.is_char_boundary(text.len() - 3) && text[text.len() - 3..].eq_ignore_ascii_case("www")
}

/// A markdown code span that holds the text as it is, whatever backticks are in it; `in_table` escapes the pipes.
pub fn markdown_code(text: &str, in_table: bool) -> String {
    let text = clean(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let gap = if text.starts_with('`') || text.ends_with('`') || text.is_empty() { " " } else { "" };
    let text = if in_table { text.replace('|', "\\|") } else { text.into_owned() };
    format!("{fence}{gap}{text}{gap}{fence}")
}

/// A word as the shell wants it.
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%^~".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_string();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_bidirectional_controls_lose_their_power() {
        assert_eq!(clean("a\x1b[31mred\x1b[0m"), "a␛[31mred␛[0m");
        assert_eq!(clean("x\u{202e}cod.exe\u{200b}"), "x\u{fffd}cod.exe\u{fffd}");
        assert_eq!(clean("\u{9b}31m\0\x7f"), "\u{fffd}31m␀␡");
        assert_eq!(clean(" one\n\ntwo\tthree  four "), "one two three four");
    }

    #[test]
    fn plain_text_is_borrowed() {
        assert!(matches!(clean("multi-stage 构建, 5 µs"), Cow::Borrowed(_)));
    }

    #[test]
    fn lines_stay_lines_and_carriage_returns_cannot_overwrite_them() {
        assert_eq!(clean_lines("\n\na\r\nb\rc\n\n\n\nd\u{2028}e\n"), "a\nb\nc\n\nd\ne");
    }

    #[test]
    fn a_wide_character_takes_two_columns() {
        assert_eq!(width("镜像"), 4);
        assert_eq!(pad("镜像", 6, Align::Right), "  镜像");
        assert_eq!(cut("镜像大小", 5), "镜像…");
    }

    #[test]
    fn a_cut_prefers_the_end_of_a_word() {
        assert_eq!(cut_at_word("multi-stage build optimization", 20), "multi-stage build…");
        assert_eq!(cut_at_word("antidisestablishmentarianism", 10), "antidises…");
        assert_eq!(cut_at_word("short", 10), "short");
    }

    #[test]
    fn wrapped_lines_hang_and_keep_numbers_with_their_units() {
        assert_eq!(wrap("Reason: one two three", 12, 2), "Reason: one\n  two three");
        assert_eq!(wrap("grew by 6.0\u{a0}min", 12, 0), "grew by\n6.0 min");
        assert_eq!(wrap("a\n\nb", 10, 2), "a\n\n  b");
        assert_eq!(wrap("  - one two", 9, 4), "  - one\n    two");
        assert_eq!(wrap("averyveryverylongword x", 6, 0), "averyveryverylongword\nx");
    }

    #[test]
    fn chinese_breaks_between_ideographs_but_not_before_a_full_stop() {
        assert_eq!(wrap("镜像大小减少。", 8, 0), "镜像大小\n减少。");
        assert_eq!(wrap("镜像大小。减", 8, 0), "镜像大\n小。减");
    }

    #[test]
    fn markdown_markup_is_escaped_but_words_stay_readable() {
        assert_eq!(markdown("+6.0 min (-41.1 %)\n-0.3\n=\n---"), "+6.0 min (-41.1 %)\n-0.3\n\\=\n\\---");
        assert_eq!(markdown("build_time grew by 5"), "build_time grew by 5");
        assert_eq!(markdown("# head\n- item\n1. one\n> q"), "\\# head\n\\- item\n1\\. one\n\\> q");
        assert_eq!(
            markdown("<script>a|b</script> **x** [l](u)"),
            "\\<script\\>a\\|b\\</script\\> \\*\\*x\\*\\* \\[l\\](u)"
        );
        assert_eq!(markdown("see https://e.test &lt; www.e.test"), "see https\\://e.test \\&lt; www\\.e.test");
    }

    #[test]
    fn a_code_span_cannot_be_closed_from_within() {
        assert_eq!(markdown_code("a`b", false), "``a`b``");
        assert_eq!(markdown_code("`", false), "`` ` ``");
        assert_eq!(markdown_code("a|b", true), "`a\\|b`");
    }
}
