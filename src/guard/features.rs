//! What a change is known by: where it is, what it says, what it is for. A few hundred numbers, whatever its size.

use super::words;
use crate::git::change::Between;
use crate::git::{GitError, Repo};
use crate::grounds::{image, lock};
use crate::inspect::dockerfile::Dockerfile;
use crate::policy::complexity;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What kinds of numbers a change has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Paths of the files.
    File,
    /// Their folders and bare names.
    Place,
    /// Added and removed lines, without spaces, each with its sign.
    Line,
    /// Names in those lines.
    Name,
    /// Instructions of Dockerfiles that came or went, and the words of their arguments.
    Docker,
    /// Dependencies that came, went or got another version.
    Dependency,
    /// Words of title, hypothesis or message.
    Word,
    /// Words that came or went within lines, each with its sign and file; of files in which nothing else happened.
    Edit,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; KINDS] =
        [Kind::File, Kind::Place, Kind::Line, Kind::Name, Kind::Docker, Kind::Dependency, Kind::Word, Kind::Edit];

    /// At most so many numbers are kept. Of more, the smallest are: a sample that two changes take alike.
    pub const fn most(self) -> usize {
        match self {
            Kind::Line | Kind::Name => 128,
            Kind::Word => 48,
            _ => 32,
        }
    }
}

/// How many kinds there are.
pub const KINDS: usize = 8;

/// At most so many files of a change are looked at.
pub(super) const MOST_FILES: usize = 2_000;
/// At most so many of its lines.
const MOST_LINES: usize = 20_000;
/// Bytes of a line that count: what is longer was written by a program.
const LONGEST_LINE: usize = 400;
/// Dockerfiles, manifests and lockfiles that are read whole.
const MOST_READ: usize = 64;
/// Bytes of a text that count.
const LONGEST_TEXT: usize = 8 << 10;

/// The numbers of a change by kind, each list sorted and without repetition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Features {
    lists: [Vec<u32>; KINDS],
}

impl Features {
    /// The numbers of one kind, sorted.
    pub fn of(&self, kind: Kind) -> &[u32] {
        &self.lists[kind as usize]
    }

    /// Puts in numbers of one kind.
    pub fn put(&mut self, kind: Kind, more: impl IntoIterator<Item = u32>) {
        let list = &mut self.lists[kind as usize];
        list.extend(more);
        list.sort_unstable();
        list.dedup();
        list.truncate(kind.most());
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.lists.iter().all(Vec::is_empty)
    }

    /// Whether more is known than a text.
    pub fn has_diff(&self) -> bool {
        Kind::ALL.iter().any(|kind| *kind != Kind::Word && !self.of(*kind).is_empty())
    }

    /// Takes in a text that says what is tried.
    pub fn add_text(&mut self, text: &str) {
        let end = (0..=LONGEST_TEXT.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let mut found = Vec::new();
        words::of_sentence(Kind::Word as u8, &text[..end], &mut found);
        self.put(Kind::Word, found);
    }

    /// Takes in dependencies by name.
    pub fn add_dependencies<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let number = |name: &str| words::number(Kind::Dependency as u8, name.to_lowercase().as_bytes());
        self.put(Kind::Dependency, names.map(number).collect::<Vec<_>>());
    }

    /// Takes in a patch: its paths, lines and names, and what it does to Dockerfiles and dependencies.
    pub fn add_patch(&mut self, repo: &Repo, between: Between<'_>) -> Result<(), GitError> {
        let mut lines: [BTreeSet<u32>; 2] = Default::default();
        let mut names = Vec::new();
        let mut edits = Edits::default();
        let mut left = MOST_LINES;
        let files = repo.patch(between, MOST_FILES, &mut |path, hunk, added, line| {
            left -= 1;
            if !lock::is_lockfile(path) {
                let text = String::from_utf8_lossy(&line[..line.len().min(LONGEST_LINE)]);
                edits.take(path, hunk, added, &text);
                let squeezed: String = text.chars().filter(|c| !c.is_whitespace()).collect();
                if squeezed.chars().filter(|c| c.is_alphanumeric()).count() >= 4 {
                    lines[usize::from(added)].insert(words::number(Kind::Line as u8, squeezed.as_bytes()));
                    words::of_code(Kind::Name as u8, &text, &mut names);
                }
            }
            left > 0
        })?;
        // A line that only moved is no part of the idea. What came is told from what went, so that a change and its
        // opposite are not alike.
        let [removed, added] = &lines;
        let gone = removed.difference(added).map(|line| line ^ u32::MAX);
        self.put(Kind::Line, added.difference(removed).copied().chain(gone).collect::<Vec<_>>());
        self.put(Kind::Name, names);
        self.put(Kind::Edit, edits.finish());
        for file in &files {
            self.add_path(&file.path);
        }
        let tells =
            |path: &Path| image::is_dockerfile(path) || complexity::is_manifest(path) || lock::is_lockfile(path);
        for file in files.iter().filter(|file| tells(&file.path)).take(MOST_READ) {
            let read = |blob: &Option<crate::git::Oid>| match blob {
                Some(blob) if repo.blob_size(blob).is_ok_and(|size| size <= 16 << 20) => {
                    repo.read_blob(blob).unwrap_or_default()
                }
                _ => Vec::new(),
            };
            let (old, new) = (read(&file.old), read(&file.new));
            if image::is_dockerfile(&file.path) {
                let (before, after) = (instructions(&old), instructions(&new));
                self.put(Kind::Docker, before.symmetric_difference(&after).copied().collect::<Vec<_>>());
            }
            let (before, after) = (dependencies(&file.path, &old), dependencies(&file.path, &new));
            let differs = |name: &&String| before.get(*name) != after.get(*name);
            self.add_dependencies(before.keys().chain(after.keys()).filter(differs).map(String::as_str));
        }
        Ok(())
    }

    fn add_path(&mut self, path: &Path) {
        self.put(Kind::File, [file_number(path)]);
        let folders = path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
        let mut places: Vec<u32> = folders.map(|folder| path_number(Kind::Place, folder)).collect();
        if let Some(stem) = path.file_stem() {
            places.push(words::number(Kind::Place as u8, format!("*{}", stem.to_string_lossy()).as_bytes()));
        }
        self.put(Kind::Place, places);
    }
}

/// The number of a file.
pub(super) fn file_number(path: &Path) -> u32 {
    path_number(Kind::File, path)
}

fn path_number(kind: Kind, path: &Path) -> u32 {
    words::number(kind as u8, path.to_string_lossy().as_bytes())
}

/// Gathers the words that came or went within lines, hunk by hunk. A file with a hunk in which lines only came or only went says
/// nothing by them.
#[derive(Default)]
struct Edits {
    /// The file and the hunk that is being read.
    place: Option<(PathBuf, usize)>,
    /// Lines that went and came in it.
    lines: [usize; 2],
    /// How much oftener each word came than it went.
    words: BTreeMap<String, i32>,
    /// Whether the file has other hunks.
    spoilt: bool,
    of_file: Vec<u32>,
    found: Vec<u32>,
}

impl Edits {
    fn take(&mut self, path: &Path, hunk: usize, added: bool, line: &str) {
        let file = self.place.as_ref().is_some_and(|(file, _)| file == path);
        if !file || self.place.as_ref().is_some_and(|(_, number)| *number != hunk) {
            self.end_hunk();
            if !file {
                self.end_file();
            }
            self.place = Some((path.to_path_buf(), hunk));
        }
        self.lines[usize::from(added)] += usize::from(!line.is_empty());
        let edge = |c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_' | '+' | '/' | '.' | '$');
        for word in line.split_whitespace().map(|word| word.trim_matches(edge)) {
            if word.chars().filter(|c| c.is_alphanumeric()).count() >= 4 {
                *self.words.entry(word.to_string()).or_default() += if added { 1 } else { -1 };
            }
        }
    }

    fn end_hunk(&mut self) {
        let [gone, came] = std::mem::take(&mut self.lines);
        self.spoilt |= (gone == 0) != (came == 0);
        let words = std::mem::take(&mut self.words);
        let Some((path, _)) = &self.place else { return };
        for (word, more) in words.into_iter().filter(|(_, more)| *more != 0) {
            let sign = if more > 0 { '+' } else { '-' };
            let text = format!("{sign}{word}\n{}", path.display());
            self.of_file.push(words::number(Kind::Edit as u8, text.as_bytes()));
        }
    }

    fn end_file(&mut self) {
        let words = std::mem::take(&mut self.of_file);
        if !std::mem::take(&mut self.spoilt) {
            self.found.extend(words);
        }
    }

    fn finish(mut self) -> Vec<u32> {
        self.end_hunk();
        self.end_file();
        self.found
    }
}

/// What a Dockerfile does, order aside: each instruction whole, and its keyword with each word of its arguments.
fn instructions(bytes: &[u8]) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    for one in Dockerfile::parse(bytes).instructions {
        let mut add = |text: &str| {
            found.insert(words::number(Kind::Docker as u8, format!("{} {text}", one.keyword).as_bytes()));
        };
        let text = std::iter::once(&one.text).chain(&one.heredocs).map(String::as_str).collect::<Vec<_>>().join(" ");
        let words: Vec<&str> = text.split_whitespace().collect();
        add(&words.join(" "));
        words.into_iter().filter(|word| word.len() > 1 && *word != "&&").for_each(add);
    }
    found
}

/// What a lockfile or manifest names, with its versions where it has them.
fn dependencies(path: &Path, bytes: &[u8]) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = lock::entries(path, bytes).unwrap_or_default();
    for name in complexity::named(path, &String::from_utf8_lossy(bytes)) {
        found.entry(name).or_default();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::test::Sandbox;

    fn of(sandbox: &Sandbox, from: &str, to: &str) -> Features {
        let repo = sandbox.repo();
        let (from, to) = (repo.resolve(from).unwrap(), repo.resolve(to).unwrap());
        let mut features = Features::default();
        features.add_patch(&repo, Between::Commits(&from, &to)).unwrap();
        features
    }

    #[test]
    fn lines_that_only_moved_do_not_count_and_a_change_is_not_its_opposite() {
        let sandbox = Sandbox::new();
        sandbox.commit("a.rs", "let one = first();\nlet two = second();\n");
        sandbox.commit("a.rs", "    let two = second();\n    let one = first();\n");
        assert_eq!(of(&sandbox, "HEAD~1", "HEAD").of(Kind::Line), [0; 0]);
        sandbox.commit("a.rs", "let three = third();\n");
        let (there, back) = (of(&sandbox, "HEAD~1", "HEAD"), of(&sandbox, "HEAD", "HEAD~1"));
        assert_eq!(there.of(Kind::Line).len(), 3);
        assert!(there.of(Kind::Line).iter().all(|line| !back.of(Kind::Line).contains(line)));
        assert_eq!(there.of(Kind::Name), back.of(Kind::Name));
    }

    #[test]
    fn a_word_put_into_a_line_is_known_again_when_the_line_is_another_and_not_when_more_happens_in_the_file() {
        let sandbox = Sandbox::new();
        sandbox.commit("bundle.sh", "set -e\nesbuild lib.ts --bundle\n");
        sandbox.commit("bundle.sh", "set -e\nesbuild lib.ts --bundle --target=esnext\n");
        sandbox.commit("bundle.sh", "set -e\nesbuild lib.ts --bundle --sourcemap=external\n");
        sandbox.commit("bundle.sh", "set -e\nesbuild lib.ts --bundle '--target=esnext' --sourcemap=external\n");
        sandbox.commit("bundle.sh", "set -e\nesbuild lib.ts --bundle --sourcemap=external\n");
        let edits = |from: &str, to: &str| of(&sandbox, from, to).of(Kind::Edit).to_vec();
        let (first, again) = (edits("HEAD~4", "HEAD~3"), edits("HEAD~2", "HEAD~1"));
        assert_eq!((first.len(), &first), (1, &again));
        assert_ne!(edits("HEAD~1", "HEAD"), again, "what is taken out is not what is put in");
        sandbox.commit("bundle.sh", "echo begin\nset -e\nesbuild lib.ts --bundle --target=esnext\n");
        assert_eq!(edits("HEAD~1", "HEAD"), [0; 0], "a line that is new, too");
        sandbox.commit("other.sh", "echo\n");
        assert_eq!(edits("HEAD~1", "HEAD"), [0; 0]);
    }

    #[test]
    fn dockerfiles_and_dependencies_are_read_and_lockfiles_have_no_lines() {
        let sandbox = Sandbox::new();
        sandbox.commit("Dockerfile", "FROM python:3.10\nRUN pip install -r requirements.txt\n");
        sandbox
            .commit("Dockerfile", "FROM python:3.10\nRUN pip install -r requirements.txt && \\\n  pip cache purge\n");
        let mut purge = Features::default();
        purge.put(Kind::Docker, [words::number(Kind::Docker as u8, b"RUN purge")]);
        let docker = of(&sandbox, "HEAD~1", "HEAD");
        assert!(docker.of(Kind::Docker).contains(&purge.of(Kind::Docker)[0]), "{docker:?}");
        assert!(!docker.of(Kind::Docker).contains(&words::number(Kind::Docker as u8, b"RUN install")));
        let lock = |version: &str| format!("[[package]]\nname = \"serde\"\nversion = \"{version}\"\n");
        sandbox.commit("Cargo.lock", &lock("1.0.0"));
        sandbox.commit("Cargo.lock", &lock("1.0.1"));
        let bumped = of(&sandbox, "HEAD~1", "HEAD");
        assert_eq!((bumped.of(Kind::Dependency).len(), bumped.of(Kind::Line).len()), (1, 0));
    }

    #[test]
    fn a_long_list_keeps_the_same_sample_in_whatever_order_it_comes() {
        let numbers: Vec<u32> = (0..5000u32).map(|n| words::number(2, &n.to_be_bytes())).collect();
        let (mut one, mut other) = (Features::default(), Features::default());
        one.put(Kind::Line, numbers.iter().copied());
        for part in numbers.rchunks(7) {
            other.put(Kind::Line, part.iter().copied());
        }
        assert_eq!(one, other);
        assert_eq!(one.of(Kind::Line).len(), Kind::Line.most());
    }
}
