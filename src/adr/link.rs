//! Supersedes and amends: both files say so, in the way of the tool that the repository uses.
//!
//! | form | the older file | the newer file |
//! |---|---|---|
//! | Nygard, adr-tools | the status makes room for `Superseded by [2. Title](0002-title.md)` | `Supersedes [1. …](…)` in `## Status` |
//! | Nygard, adrs | `Superseded`, then the same link | the same |
//! | MADR, front matter | `status: superseded by ADR-0002` | `Supersedes [ADR-0001](…)` under the last section |
//! | MADR, front matter, adrs | `status: superseded`, and an entry of `links:` | an entry of `links:` |
//! | MADR with a list, log4brains | `- Status: superseded by [slug](slug.md)` | `- Supersedes [slug](slug.md)` in `## Links` |
//!
//! Amending leaves the older one's status alone and adds `Amended by …` where `Amends …` stands in the newer one.

use super::convention::{self, Convention, Head, Tool, number_of};
use super::file::DecisionFile;
use super::{AdrError, read};
use crate::git::places::outside;
use crate::render::text::clean;
use std::path::{Path, PathBuf};

/// The two relations between decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The older decision does not hold any more.
    Supersedes,
    /// The older decision holds, with changes.
    Amends,
}

impl Relation {
    /// What the newer file says, and what the older one says.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Relation::Supersedes => ("Supersedes", "Superseded by"),
            Relation::Amends => ("Amends", "Amended by"),
        }
    }
}

/// One end of a link.
struct End<'a> {
    path: &'a Path,
    title: String,
    number: Option<u32>,
}

impl End<'_> {
    fn of<'a>(path: &'a Path, file: &DecisionFile) -> End<'a> {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        End { path, title: file.title().unwrap_or(&name).to_string(), number: number_of(&name) }
    }

    fn name(&self) -> String {
        self.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    }

    fn slug(&self) -> String {
        self.name().trim_end_matches(".md").to_string()
    }

    /// `ADR-0012`, or the slug where files are dated.
    fn label(&self, tool: Tool) -> String {
        match self.number {
            Some(_) if tool != Tool::Log4brains => {
                let name = self.name();
                format!("ADR-{}", name.split('-').next().unwrap_or_default())
            }
            _ => self.slug(),
        }
    }

    /// `[12. Title](0012-title.md)`, as adr-tools and adrs link. The title is markdown already; only brackets that are not
    /// escaped would end the link.
    fn numbered(&self) -> String {
        let mut title = String::new();
        let mut escaped = false;
        for c in self.title.chars() {
            if ['[', ']'].contains(&c) && !escaped {
                title.push('\\');
            }
            escaped = c == '\\' && !escaped;
            title.push(c);
        }
        let title = match self.number {
            Some(number) => format!("{number}. {title}"),
            None => title,
        };
        format!("[{title}]({})", self.target())
    }

    fn labelled(&self, tool: Tool) -> String {
        format!("[{}]({})", self.label(tool), self.target())
    }

    /// The name as the target of a link.
    fn target(&self) -> String {
        self.name()
            .chars()
            .map(
                |c| {
                    if c.is_whitespace() || "()<>\\".contains(c) { format!("%{:02X}", c as u32) } else { c.to_string() }
                },
            )
            .collect()
    }
}

/// The decision file that a number, a name or a path means. A path is taken from the root, or from the folder.
pub fn find(root: &Path, folder: &Path, wanted: &str) -> Result<PathBuf, AdrError> {
    let missing = || AdrError::Missing { wanted: clean(wanted).into_owned(), folder: folder.to_path_buf() };
    let names = convention::names(root, folder)?;
    if let Ok(number) = wanted.parse::<u32>() {
        let mut found = names.iter().filter(|name| number_of(name) == Some(number));
        return match (found.next(), found.next()) {
            (Some(name), None) => Ok(folder.join(name)),
            (Some(first), Some(second)) => Err(AdrError::Ambiguous {
                wanted: wanted.to_string(),
                first: folder.join(first),
                second: folder.join(second),
            }),
            (None, _) => Err(missing()),
        };
    }
    let given = Path::new(wanted.strip_prefix("./").unwrap_or(wanted));
    let inner = given.strip_prefix(folder).unwrap_or(given);
    let named = inner.to_str().filter(|name| !name.contains('/')).ok_or_else(missing)?;
    let whole = if named.ends_with(".md") { named.to_string() } else { format!("{named}.md") };
    match names.contains(&whole) && outside(root, &folder.join(&whole)).is_none() {
        true => Ok(folder.join(whole)),
        false => Err(missing()),
    }
}

/// Reads the older file.
pub fn open(root: &Path, path: &Path) -> Result<DecisionFile, AdrError> {
    let text = read(root, path)?;
    Ok(DecisionFile::parse(&text.unwrap_or_default()))
}

/// Links two files; what is linked already stays as it is.
pub fn connect(
    convention: &Convention,
    relation: Relation,
    (new_path, new): (&Path, &mut DecisionFile),
    (old_path, old): (&Path, &mut DecisionFile),
) -> Result<(), AdrError> {
    if new_path == old_path {
        return Err(AdrError::Itself(new_path.to_path_buf()));
    }
    let (here, there) = (End::of(new_path, new), End::of(old_path, old));
    let (forward, back) = relation.words();
    say(convention.tool, new, forward, &there);
    let supersedes = relation == Relation::Supersedes;
    let tool = convention.tool;
    match old.head() {
        Some(Head::Section) => {
            if supersedes {
                let stands = old.section().into_iter().flatten().find(|at| is_first_status(&old.lines()[*at]));
                if let Some(at) = stands {
                    old.edit(|lines| match tool {
                        Tool::Adrs => lines[at] = "Superseded".into(),
                        _ => remove(lines, at),
                    });
                }
            }
            say(tool, old, back, &here);
        }
        Some(Head::FrontMatter) if tool == Tool::Adrs => {
            if supersedes {
                old.set_status("superseded");
            }
            say(tool, old, back, &here);
        }
        Some(Head::FrontMatter) => {
            if supersedes {
                old.set_status(&format!("superseded by {}", here.label(tool)));
            } else {
                say(tool, old, back, &here);
            }
        }
        Some(Head::List) => {
            if supersedes {
                old.set_status(&format!("superseded by {}", here.labelled(tool)));
            } else {
                say(tool, old, back, &here);
            }
        }
        None => {
            let problem = "it has no status that could be changed".into();
            return Err(AdrError::Damaged { path: old_path.to_path_buf(), problem });
        }
    }
    Ok(())
}

/// Says in one file that it has a relation to another.
fn say(tool: Tool, file: &mut DecisionFile, words: &str, other: &End<'_>) {
    match file.head() {
        Some(Head::Section) => {
            let line = format!("{words} {}", other.numbered());
            let Some(range) = file.section() else { return };
            if file.lines()[range.clone()].contains(&line) {
                return;
            }
            let last = range.clone().rev().find(|at| !file.lines()[*at].trim().is_empty());
            let at = last.map_or(range.start, |last| last + 1);
            file.edit(|lines| drop(lines.splice(at..at, [String::new(), line])));
        }
        Some(Head::FrontMatter) if tool == Tool::Adrs => {
            if let Some(number) = other.number {
                front_matter_link(file, number, &words.to_ascii_lowercase().replace(' ', ""));
            }
        }
        Some(Head::FrontMatter) => {
            let line = format!("{words} {}.", other.labelled(tool));
            if file.lines().contains(&line) {
                return;
            }
            let at = file.end_of_section("more").or_else(|| file.end_of_section("outcome"));
            let end = file.lines().iter().rposition(|line| !line.trim().is_empty()).map_or(0, |last| last + 1);
            let at = at.unwrap_or(end);
            file.edit(|lines| drop(lines.splice(at..at, [String::new(), line])));
        }
        Some(Head::List) | None => {
            let line = format!("- {words} {}", other.labelled(tool));
            if file.lines().iter().any(|l| l.trim_end().eq_ignore_ascii_case(&line)) {
                return;
            }
            let heading = file.lines().iter().position(|l| l.trim_end().eq_ignore_ascii_case("## links"));
            let end = file.lines().iter().rposition(|line| !line.trim().is_empty()).map_or(0, |last| last + 1);
            match heading {
                Some(heading) => {
                    let next = file.lines()[heading + 1..].iter().position(|l| l.starts_with("## "));
                    let to = next.map_or(file.lines().len(), |n| heading + 1 + n);
                    let last = (heading..to).rev().find(|at| !file.lines()[*at].trim().is_empty()).unwrap_or(heading);
                    let gap = if last == heading { vec![String::new(), line] } else { vec![line] };
                    file.edit(|lines| drop(lines.splice(last + 1..last + 1, gap)));
                }
                None => {
                    let section = ["", "## Links", "", &line].map(String::from);
                    file.edit(|lines| drop(lines.splice(end..end, section)));
                }
            }
        }
    }
}

/// Adds an entry to `links:` of the front matter, as adrs has it.
fn front_matter_link(file: &mut DecisionFile, target: u32, kind: &str) {
    let Some(range) = file.front_matter() else { return };
    let entry = [format!("  - target: {target}"), format!("    kind: {kind}")];
    let inside = &file.lines()[range.clone()];
    let same = |pair: &[String]| {
        let plain = |line: &String| line.trim_start_matches([' ', '-']).to_string();
        plain(&pair[0]) == plain(&entry[0]) && plain(&pair[1]) == plain(&entry[1])
    };
    if inside.windows(2).any(same) {
        return;
    }
    let listed = inside.iter().position(|line| line.trim_end() == "links:").map(|at| range.start + at);
    file.edit(|lines| match listed {
        // The entries that are there may be indented or not; a new one is like the first.
        Some(at) => {
            let indent = lines.get(at + 1).map_or(2, |line| line.len() - line.trim_start().len());
            let entry = entry.map(|line| format!("{}{}", " ".repeat(indent), &line[2..]));
            drop(lines.splice(at + 1..at + 1, entry));
        }
        None => {
            let mut all = vec!["links:".to_string()];
            all.extend(entry);
            drop(lines.splice(range.end..range.end, all));
        }
    });
}

/// Whether a line of `## Status` is the status that a decision was made with.
fn is_first_status(line: &str) -> bool {
    let line = line.trim();
    ["accepted", "proposed", "rejected", "superseded"].iter().any(|word| line.eq_ignore_ascii_case(word))
}

/// Takes out a line, and one of the blank lines around it when there are two.
fn remove(lines: &mut Vec<String>, at: usize) {
    lines.remove(at);
    let blank = |line: Option<&String>| line.is_some_and(|line| line.trim().is_empty());
    if at > 0 && blank(lines.get(at - 1)) && blank(lines.get(at)) {
        lines.remove(at);
    }
}

#[cfg(test)]
mod tests {
    use super::super::convention::{Naming, Why};
    use super::*;
    use crate::config::AdrFormat;

    fn habits(tool: Tool) -> Convention {
        Convention {
            tool,
            folder: "adr".into(),
            folder_why: Why::Default,
            format: AdrFormat::Madr,
            format_why: Why::Default,
            naming: Naming::Numbered(4),
            head: Head::FrontMatter,
        }
    }

    fn linked(tool: Tool, relation: Relation, new: &str, old: &str) -> (String, String) {
        let (mut new, mut old) = (DecisionFile::parse(new), DecisionFile::parse(old));
        for _ in 0..2 {
            let ends = ((Path::new("adr/0002-new.md"), &mut new), (Path::new("adr/0001-old.md"), &mut old));
            connect(&habits(tool), relation, ends.0, ends.1).unwrap();
        }
        (new.text(), old.text())
    }

    const NYGARD_OLD: &str = "# 1. Old [x]\n\nDate: 2026-01-01\n\n## Status\n\nAccepted\n\n## Context\n";
    const NYGARD_NEW: &str = "# 2. New\n\nDate: 2026-01-02\n\n## Status\n\nAccepted\n\n## Context\n";

    #[test]
    fn adr_tools_and_adrs_find_their_own_words_in_the_status_section() {
        let (new, old) = linked(Tool::AdrTools, Relation::Supersedes, NYGARD_NEW, NYGARD_OLD);
        assert_eq!(new, NYGARD_NEW.replace("Accepted\n", "Accepted\n\nSupersedes [1. Old \\[x\\]](0001-old.md)\n"));
        assert_eq!(old, NYGARD_OLD.replace("Accepted\n", "Superseded by [2. New](0002-new.md)\n"));
        let (_, old) = linked(Tool::Adrs, Relation::Supersedes, NYGARD_NEW, NYGARD_OLD);
        assert_eq!(old, NYGARD_OLD.replace("Accepted\n", "Superseded\n\nSuperseded by [2. New](0002-new.md)\n"));
        let (new, old) = linked(Tool::AdrTools, Relation::Amends, NYGARD_NEW, NYGARD_OLD);
        assert!(new.contains("\nAmends [1. Old \\[x\\]](0001-old.md)\n"), "{new}");
        assert_eq!(old, NYGARD_OLD.replace("Accepted\n", "Accepted\n\nAmended by [2. New](0002-new.md)\n"));
    }

    const MADR_OLD: &str = "---\nstatus: accepted\ndate: 2026-01-01\n---\n\n# Old\n\n## Decision Outcome\n\nx\n";
    const MADR_NEW: &str = "---\nstatus: accepted\n---\n\n# New\n\n## More Information\n\n<!-- verdict: more -->\n\nids\n\n<!-- verdict: end -->\n";

    #[test]
    fn madr_has_the_status_in_its_front_matter_and_adrs_its_links_too() {
        let (new, old) = linked(Tool::Madr, Relation::Supersedes, MADR_NEW, MADR_OLD);
        assert_eq!(new, format!("{MADR_NEW}\nSupersedes [ADR-0001](0001-old.md).\n"));
        assert_eq!(old, MADR_OLD.replace("accepted", "superseded by ADR-0002"));
        let (_, old) = linked(Tool::Madr, Relation::Amends, MADR_NEW, MADR_OLD);
        assert_eq!(old, format!("{MADR_OLD}\nAmended by [ADR-0002](0002-new.md).\n"));
        let (new, old) = linked(Tool::Adrs, Relation::Supersedes, MADR_NEW, MADR_OLD);
        assert_eq!(new, MADR_NEW.replace("accepted\n", "accepted\nlinks:\n  - target: 1\n    kind: supersedes\n"));
        let changed = "status: superseded\ndate: 2026-01-01\nlinks:\n  - target: 2\n    kind: supersededby\n";
        assert_eq!(old, MADR_OLD.replace("status: accepted\ndate: 2026-01-01\n", changed));
    }

    #[test]
    fn log4brains_has_links_by_slug() {
        let old = "# Old\n\n- Status: accepted\n- Date: 2026-01-01\n\n## Decision Outcome\n\nx\n";
        let (new, old) = linked(Tool::Log4brains, Relation::Supersedes, &old.replace("Old", "New"), old);
        assert!(old.contains("\n- Status: superseded by [0002-new](0002-new.md)\n- Date"), "{old}");
        assert!(new.ends_with("\nx\n\n## Links\n\n- Supersedes [0001-old](0001-old.md)\n"), "{new}");
    }

    #[test]
    fn a_decision_is_found_by_number_name_or_path_and_only_in_its_folder() {
        let root = tempfile::tempdir().unwrap();
        let folder = Path::new("docs/adr");
        std::fs::create_dir_all(root.path().join(folder)).unwrap();
        for name in ["0001-old.md", "0002-a.md", "0002-b.md", "notes.md"] {
            std::fs::write(root.path().join(folder).join(name), "").unwrap();
        }
        for wanted in ["1", "0001", "0001-old", "0001-old.md", "docs/adr/0001-old.md", "./docs/adr/0001-old.md"] {
            assert_eq!(find(root.path(), folder, wanted).unwrap(), folder.join("0001-old.md"), "{wanted}");
        }
        assert!(matches!(find(root.path(), folder, "2"), Err(AdrError::Ambiguous { .. })));
        for wanted in ["3", "old", "../secret.md", "/etc/passwd", "", "docs/other/0001-old.md"] {
            assert!(matches!(find(root.path(), folder, wanted), Err(AdrError::Missing { .. })), "{wanted}");
        }
    }
}
