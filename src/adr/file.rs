//! A decision file in parts: which lines are generated, which a person wrote, and where its status is.
//!
//! Everything between a line `<!-- verdict: NAME -->` and the next `<!-- verdict: end -->` is generated; a line
//! `<!-- verdict: adr EXPERIMENT FORMAT LANGUAGE DIGEST -->` under the title says from what. Status and date are generated,
//! too. Everything else is a person's: it is kept when the file is updated, and not compared when it is checked. The digest
//! tells whether generated parts were changed by hand since.

use super::convention::Head;
use super::diff::{self, Change};
use crate::config::AdrFormat;
use crate::digest::sha256;
use crate::render::Lang;
use std::ops::Range;
use ulid::Ulid;

/// What every marker begins with.
const MARK: &str = "<!-- verdict: ";
/// What every marker ends with.
const CLOSE: &str = " -->";
/// The marker that ends a part.
pub const END: &str = "<!-- verdict: end -->";
/// Lines from the top of a file in which front matter must end.
const FRONT_MATTER: usize = 200;

/// The marker that begins a part.
pub fn begin(name: &str) -> String {
    format!("{MARK}{name}{CLOSE}")
}

/// The name in a marker; `end` for the one that ends a part.
pub fn marker(line: &str) -> Option<&str> {
    line.trim_end().strip_prefix(MARK)?.strip_suffix(CLOSE)
}

/// What a file was generated from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The experiment.
    pub experiment: Ulid,
    /// Its form.
    pub format: AdrFormat,
    /// Its language.
    pub lang: Lang,
    /// The beginning of the SHA-256 of its generated parts, in hex.
    pub digest: String,
}

impl Stamp {
    fn parse(name: &str) -> Option<Stamp> {
        let words: Vec<&str> = name.split(' ').collect();
        let ["adr", experiment, format, lang, digest] = words[..] else { return None };
        let lang = Lang::ALL.into_iter().find(|l| l.code() == lang)?;
        let experiment = Ulid::from_string(experiment).ok()?;
        Some(Stamp { experiment, format: AdrFormat::parse(format)?, lang, digest: digest.to_string() })
    }

    /// The line that says all this.
    pub fn line(&self) -> String {
        let Stamp { experiment, format, lang, digest } = self;
        format!("{MARK}adr {experiment} {} {} {digest}{CLOSE}", format.as_str(), lang.code())
    }
}

/// A generated part: the lines between its markers.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    name: String,
    /// The lines between the markers.
    inner: Range<usize>,
}

/// A decision file, ours or another tool's.
#[derive(Debug, Clone)]
pub struct DecisionFile {
    lines: Vec<String>,
    /// `\r\n` when the first line ends so.
    line_end: &'static str,
    ends_open: bool,
    parts: Vec<Part>,
    stamp: Option<(usize, Stamp)>,
}

/// A place where a file and its record do not agree.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Drift {
    /// The part, or `status` or `date`.
    pub part: String,
    /// The line in the file, counted from 1; where it would stand, for a line that is missing.
    pub line: usize,
    /// What the file says.
    pub file: Option<String>,
    /// What the record says.
    pub record: Option<String>,
}

impl DecisionFile {
    /// Takes a file apart. Any text is one; a marker that has no end or stands inside another part is only a line.
    pub fn parse(text: &str) -> DecisionFile {
        let crlf = text.split_once('\n').is_some_and(|(first, _)| first.ends_with('\r'));
        let lines: Vec<String> = text.lines().map(|line| line.trim_end_matches('\r').to_string()).collect();
        let mut file = DecisionFile {
            line_end: if crlf { "\r\n" } else { "\n" },
            ends_open: !text.is_empty() && !text.ends_with('\n'),
            lines,
            parts: Vec::new(),
            stamp: None,
        };
        file.find_parts();
        file
    }

    fn find_parts(&mut self) {
        self.parts.clear();
        self.stamp = None;
        let mut open: Option<(String, usize)> = None;
        for (at, line) in self.lines.iter().enumerate() {
            match (marker(line), open.take()) {
                (Some("end"), Some((name, start))) => self.parts.push(Part { name, inner: start..at }),
                (Some("end"), None) => {}
                (Some(name), before) => match Stamp::parse(name) {
                    Some(stamp) => {
                        self.stamp.get_or_insert((at, stamp));
                        open = before;
                    }
                    // A part without an end is none.
                    None => open = Some((name.to_string(), at + 1)),
                },
                (None, before) => open = before,
            }
        }
    }

    /// The whole text.
    pub fn text(&self) -> String {
        let mut text = self.lines.join(self.line_end);
        if !self.ends_open && !self.lines.is_empty() {
            text.push_str(self.line_end);
        }
        text
    }

    /// What it was generated from; none for a file that is not ours.
    pub fn stamp(&self) -> Option<&Stamp> {
        self.stamp.as_ref().map(|(_, stamp)| stamp)
    }

    /// The digest of its generated parts as they are now.
    pub fn digest(&self) -> String {
        let text: Vec<String> =
            self.parts.iter().map(|part| format!("{}\n{}", part.name, self.content(part).join("\n"))).collect();
        sha256(text.join("\n"))[..8].to_string()
    }

    /// Whether someone changed a generated part since it was generated.
    pub fn edited(&self) -> bool {
        self.stamp().is_some_and(|stamp| stamp.digest != self.digest())
    }

    /// The lines of a part without blank ones at both ends and without spaces at their ends.
    fn content(&self, part: &Part) -> Vec<&str> {
        let lines: Vec<&str> = self.lines[part.inner.clone()].iter().map(|line| line.trim_end()).collect();
        let first = lines.iter().position(|line| !line.is_empty()).unwrap_or(lines.len());
        let last = lines.iter().rposition(|line| !line.is_empty()).map_or(first, |last| last + 1);
        lines[first..last].to_vec()
    }

    fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.name == name)
    }

    /// The form that it has; none when it has none of the three.
    pub fn format(&self) -> Option<AdrFormat> {
        if let Some(stamp) = self.stamp() {
            return Some(stamp.format);
        }
        let has = |heading: &str| self.lines.iter().any(|line| line.trim_end().eq_ignore_ascii_case(heading));
        if has("## Pros and Cons of the Options") || has("## Decision Drivers") {
            Some(AdrFormat::Madr)
        } else if has("## Context and Problem Statement") || has("## Considered Options") {
            Some(AdrFormat::MadrMinimal)
        } else if has("## Status") && has("## Decision") {
            Some(AdrFormat::Nygard)
        } else {
            None
        }
    }

    /// Where its status stands; none when it has none.
    pub fn head(&self) -> Option<Head> {
        if self.front_matter().is_some_and(|range| self.key(range, "status").is_some()) {
            Some(Head::FrontMatter)
        } else if self.listed("status").is_some() {
            Some(Head::List)
        } else {
            self.section().map(|_| Head::Section)
        }
    }

    /// The lines of the front matter, without the lines `---` around it.
    pub fn front_matter(&self) -> Option<Range<usize>> {
        let end = self.lines.iter().take(FRONT_MATTER).skip(1).position(|line| line.trim_end() == "---")?;
        (self.lines.first()?.trim_end() == "---").then_some(1..end + 1)
    }

    /// The first line after the front matter, in which `#` begins a comment and no heading.
    fn body(&self) -> usize {
        self.front_matter().map_or(0, |range| range.end + 1)
    }

    /// The lines before the first section.
    fn under_title(&self) -> Range<usize> {
        let body = self.body();
        let length = self.lines[body..].iter().position(|line| line.starts_with("## "));
        body..length.map_or(self.lines.len(), |length| body + length)
    }

    /// The line of a key in the front matter.
    fn key(&self, range: Range<usize>, key: &str) -> Option<usize> {
        range.into_iter().find(|at| {
            let line = &self.lines[*at];
            line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(':'))
        })
    }

    /// The line of an entry of the list under the title: `- Status: accepted`, `* Date: …`.
    fn listed(&self, key: &str) -> Option<usize> {
        self.under_title().find(|at| list_value(&self.lines[*at], key).is_some())
    }

    /// The lines of the section `## Status`, without its heading, up to what is generated.
    pub fn section(&self) -> Option<Range<usize>> {
        let body = self.body();
        let is_heading = |line: &String| line.trim_end().eq_ignore_ascii_case("## status");
        let start = body + self.lines[body..].iter().position(is_heading)? + 1;
        let ends = |line: &String| line.starts_with("## ") || marker(line).is_some();
        let length = self.lines[start..].iter().position(ends);
        Some(start..length.map_or(self.lines.len(), |length| start + length))
    }

    /// The status as it stands there, and its line.
    pub fn status(&self) -> Option<(usize, String)> {
        if let Some(at) = self.front_matter().and_then(|range| self.key(range, "status")) {
            return Some((at, yaml_scalar(&self.lines[at])));
        }
        if let Some(at) = self.listed("status") {
            return list_value(&self.lines[at], "status").map(|value| (at, value.to_string()));
        }
        let range = self.section()?;
        let lines: Vec<usize> = range.filter(|at| !self.lines[*at].trim().is_empty()).collect();
        // A superseded decision may have lost its first status, and amendments may stand before that.
        let weighty = lines.iter().find(|at| is_final(&self.lines[**at]));
        let at = *weighty.or(lines.first())?;
        Some((at, self.lines[at].trim().to_string()))
    }

    /// The date as it stands there, and its line.
    fn date(&self) -> Option<(usize, String)> {
        if let Some(at) = self.front_matter().and_then(|range| self.key(range, "date")) {
            return Some((at, yaml_scalar(&self.lines[at])));
        }
        if let Some(at) = self.listed("date") {
            return list_value(&self.lines[at], "date").map(|value| (at, value.to_string()));
        }
        let at = self.under_title().find(|at| self.lines[*at].starts_with("Date:"))?;
        Some((at, self.lines[at]["Date:".len()..].trim().to_string()))
    }

    /// The date, if there is one.
    pub fn date_text(&self) -> Option<String> {
        self.date().map(|(_, date)| date)
    }

    /// The title: the first heading, without its number, as it stands there.
    pub fn title(&self) -> Option<&str> {
        let title = self.lines[self.body()..].iter().find_map(|line| line.strip_prefix("# "))?.trim();
        let digits = title.trim_start_matches(|c: char| c.is_ascii_digit());
        let unnumbered = digits.strip_prefix(". ").filter(|_| digits.len() < title.len());
        Some(unnumbered.unwrap_or(title).trim())
    }

    /// Puts a new status where the old one is. False when it has none.
    pub fn set_status(&mut self, status: &str) -> bool {
        let Some((at, old)) = self.status() else { return false };
        self.lines[at] = replaced(&self.lines[at], &old, status);
        true
    }

    fn set_date(&mut self, date: &str) {
        if let Some((at, old)) = self.date() {
            self.lines[at] = replaced(&self.lines[at], &old, date);
        }
    }

    /// The lines, to be edited outside of generated parts. [`DecisionFile::edit`] puts them back.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Changes the lines.
    pub fn edit(&mut self, change: impl FnOnce(&mut Vec<String>)) {
        change(&mut self.lines);
        self.find_parts();
    }

    /// The line after the last line of the section with a generated part of this name, blank lines at its end left out.
    pub fn end_of_section(&self, part: &str) -> Option<usize> {
        let from = self.part(part)?.inner.end + 1;
        let length = self.lines[from..].iter().position(|line| line.starts_with("## "));
        let to = length.map_or(self.lines.len(), |length| from + length);
        Some((from..to).rev().find(|at| !self.lines[*at].trim().is_empty()).map_or(from, |at| at + 1))
    }

    /// The digest that it has now, put into its stamp.
    pub fn seal(&mut self) {
        let digest = self.digest();
        if let Some((at, stamp)) = &mut self.stamp {
            stamp.digest = digest;
            self.lines[*at] = stamp.line();
        }
    }

    /// Where this file does not agree with what the record makes now. A decision may have been superseded or deprecated since,
    /// which no record tells.
    pub fn drift(&self, record: &DecisionFile) -> Vec<Drift> {
        let mut drift = Vec::new();
        let head = |name: &str, here: Option<(usize, String)>, there: Option<(usize, String)>| {
            let (line, file) = here.map_or((1, None), |(at, value)| (at + 1, Some(value)));
            Drift { part: name.into(), line, file, record: there.map(|(_, value)| value) }
        };
        let (here, there) = (self.status(), record.status());
        let same = match (&here, &there) {
            (Some((_, a)), Some((_, b))) => a.eq_ignore_ascii_case(b) || is_final(a),
            (a, b) => a.is_none() == b.is_none(),
        };
        if !same {
            drift.push(head("status", here, there));
        }
        let (here, there) = (self.date(), record.date());
        if here.as_ref().map(|(_, date)| date) != there.as_ref().map(|(_, date)| date) {
            drift.push(head("date", here, there));
        }
        for part in &record.parts {
            let wanted = record.content(part);
            let found = self.part(&part.name);
            let here: Vec<&str> = found.map(|part| self.content(part)).unwrap_or_default();
            // Where the first line of the content stands in the file.
            let first = found.map_or(self.lines.len(), |part| {
                let lines = &self.lines[part.inner.clone()];
                part.inner.start + lines.iter().position(|line| !line.trim().is_empty()).unwrap_or(0)
            });
            for change in diff::lines(&here, &wanted) {
                let (at, file, record) = match change {
                    Change::Gone(at, line) => (at, Some(line.to_string()), None),
                    Change::New(at, line) => (at, None, Some(line.to_string())),
                };
                drift.push(Drift { part: part.name.clone(), line: first + at + 1, file, record });
            }
        }
        for part in self.surplus(record) {
            for (at, line) in self.lines[part.inner.clone()].iter().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
                let line_number = part.inner.start + at + 1;
                drift.push(Drift {
                    part: part.name.clone(),
                    line: line_number,
                    file: Some(line.clone()),
                    record: None,
                });
            }
        }
        drift
    }

    /// Parts that the record does not make, and second ones of a name.
    fn surplus(&self, record: &DecisionFile) -> impl Iterator<Item = &Part> {
        let second = |at: usize, part: &Part| self.parts[..at].iter().any(|before| before.name == part.name);
        let parts = self.parts.iter().enumerate();
        parts.filter(move |(at, part)| record.part(&part.name).is_none() || second(*at, part)).map(|(_, part)| part)
    }

    /// Brings the generated parts, the status and the date up to date, and leaves every other line as it is. A part that the
    /// file lacks is put, with its heading, behind the part before it.
    pub fn update(&mut self, record: &DecisionFile) {
        loop {
            let range = self.surplus(record).next().map(|part| part.inner.start - 1..part.inner.end + 1);
            let Some(range) = range else { break };
            self.edit(|lines| drop(lines.drain(range)));
        }
        let mut behind = self.stamp.as_ref().map_or(self.lines.len(), |(at, _)| at + 1);
        for part in &record.parts {
            let new: Vec<String> = record.lines[part.inner.clone()].to_vec();
            match self.part(&part.name).map(|part| part.inner.clone()) {
                Some(inner) => {
                    let start = inner.start;
                    behind = start + new.len() + 1;
                    self.edit(|lines| drop(lines.splice(inner, new)));
                }
                None => {
                    let from = record.heading_of(part);
                    let mut section: Vec<String> = vec![String::new()];
                    section.extend(record.lines[from..part.inner.end + 1].iter().cloned());
                    let length = section.len();
                    self.edit(|lines| drop(lines.splice(behind..behind, section)));
                    behind += length;
                }
            }
        }
        let old = self.status().map(|(_, status)| status).unwrap_or_default();
        if let Some((_, status)) = record.status()
            && !is_final(&old)
        {
            self.set_status(&status);
        }
        if let Some((_, date)) = record.date() {
            self.set_date(&date);
        }
        if let (Some((_, mine)), Some((_, theirs))) = (&mut self.stamp, &record.stamp) {
            *mine = theirs.clone();
        }
        self.seal();
    }

    /// The line of the heading that a part stands under.
    fn heading_of(&self, part: &Part) -> usize {
        let marker = part.inner.start - 1;
        (0..marker).rev().find(|at| self.lines[*at].starts_with("## ")).unwrap_or(marker)
    }
}

/// Whether a status says that a decision was replaced or withdrawn after it had been made.
pub fn is_final(status: &str) -> bool {
    let status = status.trim().to_ascii_lowercase();
    ["superseded", "superceded", "deprecated"].iter().any(|word| status.starts_with(word))
}

/// The value of `key: value` in YAML: plain, or in quotes.
fn yaml_scalar(line: &str) -> String {
    let value = line.split_once(':').map_or("", |(_, value)| value).trim();
    match value.chars().next().filter(|c| ['"', '\''].contains(c)) {
        Some(quote) => value[1..].split(quote).next().unwrap_or_default().to_string(),
        None => value.split(" #").next().unwrap_or_default().trim().to_string(),
    }
}

/// The value of `- Key: value` or `* Key: value`, the key in any case.
fn list_value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let entry = line.strip_prefix("- ").or_else(|| line.strip_prefix("* "))?;
    let (name, value) = entry.split_once(':')?;
    name.trim().eq_ignore_ascii_case(key).then(|| value.trim())
}

/// The line with its value, the last thing on it that reads `old`, replaced.
fn replaced(line: &str, old: &str, new: &str) -> String {
    match line.rfind(old).filter(|_| !old.is_empty()) {
        Some(at) => format!("{}{new}{}", &line[..at], &line[at + old.len()..]),
        None => format!("{} {new}", line.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPERIMENT: &str = "01K7ZT1111111111111111111A";

    fn file(status: &str, parts: &[(&str, &str)]) -> DecisionFile {
        let mut text = format!("---\nstatus: {status}\ndate: 2026-01-31\n---\n\n# A title\n\n");
        text.push_str(&format!("<!-- verdict: adr {EXPERIMENT} madr en 00000000 -->\n"));
        for (name, content) in parts {
            text.push_str(&format!("\n## {name}\n\n{}\n\n{content}\n\n{END}\n", begin(name)));
        }
        let mut file = DecisionFile::parse(&text);
        file.seal();
        file
    }

    #[test]
    fn a_file_is_taken_apart_and_put_together_without_a_byte_changed() {
        for text in [
            "",
            "no line end",
            "# x\n",
            "# x\r\n\r\n<!-- verdict: a -->\r\nb\r\n<!-- verdict: end -->\r\n",
            "\n\n# x  \n\n\n<!-- verdict: a -->\n<!-- verdict: b -->\n<!-- verdict: end -->\n<!-- verdict: end -->",
        ] {
            assert_eq!(DecisionFile::parse(text).text(), text);
        }
    }

    #[test]
    fn status_date_and_title_are_found_in_every_form() {
        let said = |text: &str| {
            let file = DecisionFile::parse(text);
            (file.status().map(|s| s.1), file.date_text(), file.title().map(str::to_string), file.head())
        };
        let some = |text: &str| Some(text.to_string());
        for (text, head) in [
            (
                "---\nstatus: \"accepted\"\ndate: 2026-01-31 # a Saturday\n---\n\n# Title\n\n## Context\n",
                Head::FrontMatter,
            ),
            ("# Title\n\n* status: accepted\n* Date: 2026-01-31\n\n## Context\n", Head::List),
            (
                "# 12. Title\n\nDate: 2026-01-31\n\n## Status\n\naccepted\n\nAmends [1. X](0001-x.md)\n\n## Context\n",
                Head::Section,
            ),
        ] {
            assert_eq!(said(text), (some("accepted"), some("2026-01-31"), some("Title"), Some(head)), "{text}");
        }
        let superseded =
            "# 1. T\n\n## Status\n\nAmended by [3. Y](0003-y.md)\n\nSuperseded by [2. X](0002-x.md)\n\n## Context\n";
        assert_eq!(said(superseded).0, some("Superseded by [2. X](0002-x.md)"));
        assert_eq!(said("just text\n- Status: late\n## x\n").0, some("late"));
        assert_eq!(said("just text\n## x\n- Status: late\n"), (None, None, None, None));
    }

    #[test]
    fn an_update_changes_generated_lines_and_keeps_every_other() {
        let mut old = file("proposed", &[("context", "why"), ("outcome", "Not decided yet.")]);
        old.edit(|lines| {
            let at = lines.iter().position(|line| line == "## outcome").unwrap();
            lines.insert(at, "A note by hand.\n".into());
            lines.push("\n## Links\n\n- mine".into());
        });
        let old_text = DecisionFile::parse(&old.text()).text();
        let record = file("accepted", &[("context", "why"), ("outcome", "Chosen.\nFor good."), ("more", "ids")]);
        let mut new = DecisionFile::parse(&old_text);
        assert!(!new.edited());
        new.update(&record);
        assert_eq!(new.drift(&record), []);
        let text = new.text();
        assert!(text.contains("A note by hand.") && text.ends_with("## Links\n\n- mine\n"), "{text}");
        assert!(text.contains("status: accepted\n") && text.contains("Chosen.\nFor good.\n"), "{text}");
        assert!(text.contains("\n## more\n\n<!-- verdict: more -->\n\nids\n\n<!-- verdict: end -->\n"), "{text}");
        let again = text.clone();
        let mut new = DecisionFile::parse(&text);
        new.update(&record);
        assert_eq!(new.text(), again, "an update of what is up to date changes nothing");
        let mut less = DecisionFile::parse(&text);
        less.update(&file("accepted", &[("context", "why")]));
        assert!(!less.text().contains("Chosen.") && less.text().contains("A note by hand."), "{}", less.text());
    }

    #[test]
    fn what_was_superseded_since_is_no_drift_and_stays() {
        let record = file("rejected", &[("context", "why")]);
        let mut old = file("superseded by ADR-0007", &[("context", "why")]);
        assert_eq!(old.drift(&record), []);
        old.update(&record);
        assert_eq!(old.status().unwrap().1, "superseded by ADR-0007");
        let other = file("accepted", &[("context", "why")]).drift(&record);
        assert_eq!((other[0].part.as_str(), other[0].line), ("status", 2));
    }

    proptest::proptest! {
        #[test]
        fn any_file_can_be_brought_up_to_date_and_then_agrees(words in proptest::collection::vec(0usize..14, 0..40)) {
            let stamp = format!("<!-- verdict: adr {EXPERIMENT} madr en 00000000 -->");
            let (a, b, c) = (begin("a"), begin("b"), begin("c"));
            let lines = [
                "", "x", "## a", "# t", &a, &b, &c, END, END, &stamp, "---", "status: x", "- Status: y", "## Status",
            ];
            let text: String = words.iter().map(|n| format!("{}\n", lines[*n])).collect();
            let record = file("accepted", &[("a", "one\ntwo"), ("b", "three")]);
            let mut mine = DecisionFile::parse(&text);
            proptest::prop_assert_eq!(mine.text(), text);
            mine.drift(&record);
            mine.update(&record);
            let left = mine.drift(&record).into_iter().filter(|d| !["status", "date"].contains(&d.part.as_str()));
            proptest::prop_assert_eq!(left.collect::<Vec<_>>(), vec![]);
            let once = mine.text();
            let mut again = DecisionFile::parse(&once);
            again.update(&record);
            proptest::prop_assert_eq!(again.text(), once);
        }
    }

    #[test]
    fn a_comment_in_the_front_matter_is_no_heading() {
        let text = "---\n## Status\n- Status: y\n---\n# T\n\n## Status\n\nproposed\n";
        let mut commented = DecisionFile::parse(text);
        assert_eq!(commented.status(), Some((8, "proposed".to_string())));
        commented.set_status("accepted");
        assert_eq!(commented.text(), text.replace("proposed", "accepted"));
    }

    #[test]
    fn a_second_part_of_a_name_is_drift_and_goes() {
        let record = file("accepted", &[("a", "one")]);
        let mut twice = file("accepted", &[("a", "one"), ("a", "other figures")]);
        assert_eq!(twice.drift(&record)[0].file.as_deref(), Some("other figures"));
        twice.update(&record);
        assert_eq!(twice.drift(&record), []);
        assert!(!twice.text().contains("other figures"));
    }

    #[test]
    fn drift_names_the_line_of_the_file() {
        let record = file("accepted", &[("context", "one\ntwo\nthree")]);
        let mut edited = file("accepted", &[("context", "one\n2\nthree")]);
        let line = edited.lines().iter().position(|line| line == "2").unwrap() + 1;
        let drift = edited.drift(&record);
        assert_eq!((drift[0].line, drift[0].file.as_deref(), drift[0].record.as_deref()), (line, Some("2"), None));
        assert_eq!((drift[1].line, drift[1].record.as_deref()), (line + 1, Some("two")));
        assert!(!edited.edited(), "it was sealed so");
        edited.edit(|lines| lines[line - 1] = "three quarters".into());
        assert!(edited.edited());
    }
}
