//! The table of all decision files in the folder's README.md, between two markers; every other byte of it stays.

use super::convention::{self, Convention};
use super::file::{DecisionFile, END, begin};
use super::{AdrError, read};
use crate::render::text::{Align, clean, markdown, pad, width};
use crate::render::{Lang, lang};
use regex::Regex;
use serde::Serialize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The file, in the folder of decision files.
pub const FILE_NAME: &str = "README.md";
/// Columns of a line, as markdownlint's MD013 has them by default.
const LINE: usize = 80;

/// One decision file, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its name in the folder.
    pub file: String,
    /// `0012`, or the date of its name.
    pub number: String,
    /// Its title as plain text.
    pub title: String,
    /// Its status as plain text; empty when it has none.
    pub status: String,
    /// Its date; empty when it has none.
    pub date: String,
}

/// All decision files of the folder, in the order of their numbers or dates, whoever wrote them.
pub fn rows(root: &Path, convention: &Convention) -> Result<Vec<Row>, AdrError> {
    let folder = &convention.folder;
    let mut rows = Vec::new();
    let names = convention::names(root, folder)?;
    for name in names.into_iter().filter(|name| convention::is_decision(name)) {
        let Some(text) = read(root, &folder.join(&name))? else { continue };
        let file = DecisionFile::parse(&text);
        let stem = name.trim_end_matches(".md");
        let (number, rest) = stem.split_once('-').unwrap_or((stem, stem));
        rows.push(Row {
            number: number.to_string(),
            title: plain(file.title().unwrap_or(rest)),
            status: plain(&file.status().map(|(_, status)| status).unwrap_or_default()),
            date: plain(&file.date_text().unwrap_or_default()),
            file: name,
        });
    }
    rows.sort_by_key(|row| (row.number.parse::<u64>().unwrap_or(u64::MAX), row.file.clone()));
    Ok(rows)
}

/// Markdown in one line as plain text: links as their text, escapes taken back, code and emphasis as they are read.
fn plain(markdown: &str) -> String {
    static LINK: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\[((?:[^\[\]\\]|\\.)*)\]\([^()]*\)").ok());
    let text = match &*LINK {
        Some(link) => link.replace_all(markdown, "$1").into_owned(),
        None => markdown.to_string(),
    };
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some(next)) if next.is_ascii_punctuation() => out.extend(chars.next()),
            ('`', _) => {}
            _ => out.push(c),
        }
    }
    clean(&out).into_owned()
}

/// The table with its markers.
fn block(rows: &[Row], language: Lang, line_end: &str) -> String {
    let keys = ["adr.number", "adr.decision", "adr.status", "adr.date"];
    let mut lines: Vec<[String; 4]> = vec![keys.map(|key| lang::word(language, key))];
    for row in rows {
        let dash = |text: &str| if text.is_empty() { "—".to_string() } else { markdown(text) };
        let file: String = row
            .file
            .chars()
            .map(|c| match c {
                c if c.is_alphanumeric() || "-._~".contains(c) => c.to_string(),
                c => c.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect(),
            })
            .collect();
        let title = if row.title.is_empty() { &row.file } else { &row.title };
        lines.push([row.number.clone(), format!("[{}]({file})", markdown(title)), dash(&row.status), dash(&row.date)]);
    }
    let widths: [usize; 4] = std::array::from_fn(|c| lines.iter().map(|l| width(&l[c])).max().unwrap_or(0).max(3));
    let shown = |line: &[String; 4]| {
        let cells: Vec<String> = line.iter().zip(widths).map(|(text, w)| pad(text, w, Align::Left)).collect();
        format!("| {} |", cells.join(" | "))
    };
    let mut table: Vec<String> = lines.iter().map(shown).collect();
    table.insert(1, format!("| {} |", widths.map(|w| "-".repeat(w)).join(" | ")));
    let wide = table.iter().any(|line| line.chars().count() > LINE);
    let mut out = vec![begin(&format!("index {}", language.code())), String::new()];
    if rows.is_empty() {
        out.push(lang::word(language, "adr.index_empty"));
    } else {
        if wide {
            out.extend(["<!-- markdownlint-disable MD013 -->".to_string(), String::new()]);
        }
        out.append(&mut table);
        if wide {
            out.extend([String::new(), "<!-- markdownlint-enable MD013 -->".to_string()]);
        }
    }
    out.extend([String::new(), END.to_string()]);
    out.join(line_end)
}

/// Where the block stands in a text, and its language.
fn find(text: &str) -> Option<(Range<usize>, Lang)> {
    Lang::ALL.into_iter().find_map(|language| {
        let begin = begin(&format!("index {}", language.code()));
        let start = text.match_indices(&begin).find(|(at, _)| *at == 0 || text[..*at].ends_with('\n'))?.0;
        let end = start + text[start..].find(END)? + END.len();
        Some((start..end, language))
    })
}

/// The language of the block that is there.
pub fn language(readme: &str) -> Option<Lang> {
    find(readme).map(|(_, language)| language)
}

/// The text of README.md with the table brought up to date: in its place, at the end of a file that has none, in a new file
/// where there is none.
pub fn updated(readme: Option<&str>, rows: &[Row], language: Lang) -> String {
    let Some(readme) = readme.filter(|text| !text.trim().is_empty()) else {
        let title = lang::word(language, "adr.index_title");
        return format!("# {title}\n\n{}\n", block(rows, language, "\n"));
    };
    let crlf = readme.split_once('\n').is_some_and(|(first, _)| first.ends_with('\r'));
    let line_end = if crlf { "\r\n" } else { "\n" };
    let block = block(rows, language, line_end);
    match find(readme) {
        Some((range, _)) => format!("{}{block}{}", &readme[..range.start], &readme[range.end..]),
        None => {
            let gap = match (readme.ends_with('\n'), readme.ends_with("\n\n") || readme.ends_with("\n\r\n")) {
                (_, true) => "",
                (true, false) => line_end,
                (false, false) => &line_end.repeat(2),
            };
            format!("{readme}{gap}{block}{line_end}")
        }
    }
}

/// The path of the file, relative to the root.
pub fn path(convention: &Convention) -> PathBuf {
    convention.folder.join(FILE_NAME)
}

/// The file as it is; none when there is none.
pub fn current(root: &Path, convention: &Convention) -> Result<Option<String>, AdrError> {
    read(root, &path(convention))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(file: &str, title: &str, status: &str) -> Row {
        let number = file.split('-').next().unwrap().to_string();
        Row { file: file.into(), number, title: title.into(), status: status.into(), date: "2026-01-31".into() }
    }

    #[test]
    fn the_table_is_put_in_its_place_and_every_other_byte_stays() {
        let rows = [row("0001-a.md", "A", "accepted")];
        for before in ["", "# Mine  \n\ntext", "# Mine\r\n\r\ntext\r\n", "\u{feff}# x\n\n\n"] {
            let once = updated(Some(before), &rows, Lang::En);
            assert!(once.starts_with(before), "{once:?}");
            assert!(once.contains("[A](0001-a.md)"), "{once}");
            assert_eq!(updated(Some(&once), &rows, Lang::En), once);
            let after = format!("{once}\nmore by hand \n");
            let more = updated(Some(&after), &[rows[0].clone(), row("0002-b.md", "B", "rejected")], Lang::En);
            assert!(more.starts_with(before) && more.ends_with("\nmore by hand \n"), "{more:?}");
            assert_eq!(updated(Some(&more), &rows, Lang::En), after, "back and forth");
            assert_eq!(once.contains("\r\n"), before.contains("\r\n"));
            assert_eq!(once.matches('\n').count() == once.matches("\r\n").count(), before.contains("\r\n"));
        }
    }

    #[test]
    fn titles_of_others_stay_in_their_cell() {
        assert_eq!(plain("Superseded by [2. A \\[b\\]](0002-a.md)"), "Superseded by 2. A [b]");
        assert_eq!(plain("`x` \\| y"), "x | y");
        let hostile = row("0003-(x) y.md", "a | b [c](d) <script> `e`", "");
        let table = updated(None, &[hostile], Lang::En);
        let line = table.lines().find(|line| line.contains("0003")).unwrap();
        assert!(line.contains(r"[a \| b \[c\](d) \<script\> \`e\`](0003-%28x%29%20y.md)"), "{line}");
        assert!(line.contains("| —"), "{line}");
    }

    #[test]
    fn the_language_of_a_table_that_is_there_is_known() {
        let table = updated(None, &[], Lang::ZhCn);
        assert_eq!(language(&table), Some(Lang::ZhCn));
        assert_eq!(language("# none\n"), None);
    }
}
