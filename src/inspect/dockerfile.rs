//! Dockerfiles and Containerfiles: instructions with their lines, and finding an image's history in them.
//!
//! Syntax: the Dockerfile reference (escape directive, continuation, comments within instructions, here-documents,
//! build stages, ONBUILD). Nothing is executed and variables are not expanded; that is why a history entry is matched to
//! an instruction by likeness, and in order.

use super::image::SourceLine;
use crate::phrase;
use crate::phrase::Phrase;

/// A larger file is no Dockerfile.
const MAX_BYTES: usize = 4 << 20;
const MAX_INSTRUCTIONS: usize = 4096;

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Instruction {
    /// In upper case: `RUN`.
    pub keyword: String,
    /// What follows, continuation lines joined, comments and here-document bodies left out.
    pub text: String,
    /// First line, from 1.
    pub first: usize,
    /// Last line, the end mark of a here-document included.
    pub last: usize,
    /// Index of the stage it belongs to; none before the first `FROM`.
    pub stage: Option<usize>,
    /// Bodies of its here-documents.
    pub heredocs: Vec<String>,
}

/// One build stage.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Stage {
    /// `build` in `FROM rust AS build`.
    pub name: Option<String>,
    /// The image or stage it starts from, variables as written.
    pub base: String,
    /// The stage it starts from, when that is one of this file.
    pub parent: Option<usize>,
}

/// A whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Dockerfile {
    /// Instructions in order.
    pub instructions: Vec<Instruction>,
    /// Stages in order.
    pub stages: Vec<Stage>,
    /// Lines that are no instruction of a known form, as `(line, what)`.
    pub complaints: Vec<(usize, Phrase)>,
}

const KEYWORDS: &[&str] = &[
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

impl Dockerfile {
    /// Reads a file. Never fails: what can't be read is in [`Dockerfile::complaints`].
    pub fn parse(bytes: &[u8]) -> Dockerfile {
        let mut file = Dockerfile::default();
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if bytes.len() > MAX_BYTES {
            file.complaints.push((1, phrase!("more than {n} bytes", n = MAX_BYTES)));
            return file;
        }
        let text = String::from_utf8_lossy(bytes);
        let lines: Vec<&str> = text.lines().collect();
        let escape = escape_directive(&lines);
        let mut at = 0;
        while at < lines.len() {
            if file.instructions.len() >= MAX_INSTRUCTIONS {
                file.complaints.push((at + 1, phrase!("more than {n} instructions", n = MAX_INSTRUCTIONS)));
                break;
            }
            let line = lines[at].trim();
            if line.is_empty() || line.starts_with('#') {
                at += 1;
                continue;
            }
            let first = at + 1;
            let mut logical = String::new();
            loop {
                let raw = lines[at];
                at += 1;
                let trimmed = raw.trim_end();
                // Comments and empty lines within a continuation are dropped, and it goes on.
                let inside = !logical.is_empty();
                if inside && (trimmed.trim_start().starts_with('#') || trimmed.trim().is_empty()) {
                    if at >= lines.len() {
                        break;
                    }
                    continue;
                }
                match trimmed.strip_suffix(escape) {
                    Some(head) if at < lines.len() => {
                        logical.push_str(head);
                        // Keeps the loop's test for "inside" true even when nothing precedes the escape.
                        if logical.is_empty() {
                            logical.push(' ');
                        }
                    }
                    Some(head) => {
                        logical.push_str(head);
                        break;
                    }
                    None => {
                        logical.push_str(trimmed);
                        break;
                    }
                }
            }
            let logical = logical.trim();
            let (word, rest) = logical.split_once(char::is_whitespace).unwrap_or((logical, ""));
            let keyword = word.to_uppercase();
            let text = rest.trim().to_string();
            let mut heredocs = Vec::new();
            if matches!(keyword.as_str(), "RUN" | "COPY" | "ADD") {
                for (mark, chomp) in heredoc_marks(&text) {
                    let mut body = String::new();
                    let mut closed = false;
                    while at < lines.len() {
                        let raw = lines[at];
                        at += 1;
                        let line = if chomp { raw.trim_start_matches('\t') } else { raw };
                        if line == mark {
                            closed = true;
                            break;
                        }
                        body.push_str(line);
                        body.push('\n');
                    }
                    if !closed {
                        file.complaints.push((first, phrase!("the here-document '{mark}' has no end", mark)));
                    }
                    heredocs.push(body);
                }
            }
            if !KEYWORDS.contains(&keyword.as_str()) {
                file.complaints.push((first, phrase!("'{word}' is no instruction", word)));
                continue;
            }
            if keyword == "FROM" {
                file.begin_stage(&text);
            }
            let stage = file.stages.len().checked_sub(1);
            file.instructions.push(Instruction { keyword, text, first, last: at, stage, heredocs });
        }
        file
    }

    fn begin_stage(&mut self, text: &str) {
        let mut words = text.split_whitespace().filter(|w| !w.starts_with("--"));
        let base = words.next().unwrap_or_default().to_string();
        let name = match (words.next(), words.next()) {
            (Some(word), Some(name)) if word.eq_ignore_ascii_case("as") => Some(name.to_string()),
            _ => None,
        };
        let parent = self.stage(&base);
        self.stages.push(Stage { name, base, parent });
    }

    /// The stage of a name, or of a number as text.
    pub fn stage(&self, name: &str) -> Option<usize> {
        let named = self.stages.iter().rposition(|s| s.name.as_deref().is_some_and(|n| n.eq_ignore_ascii_case(name)));
        named.or_else(|| name.parse().ok().filter(|&n: &usize| n < self.stages.len()))
    }

    /// Where an instruction stands, by its index.
    pub fn source_line(&self, index: usize) -> SourceLine {
        let instruction = &self.instructions[index];
        let stage = instruction.stage.map(|s| match &self.stages[s].name {
            Some(name) => name.clone(),
            None => s.to_string(),
        });
        SourceLine {
            first: instruction.first,
            last: instruction.last,
            text: format!("{} {}", instruction.keyword, one_line(&instruction.text)),
            stage: stage.unwrap_or_default(),
        }
    }

    /// The instructions whose effect is in the image of a stage, the stages it starts from first.
    fn chain(&self, target: Option<&str>) -> Vec<usize> {
        let mut stage = match target {
            Some(name) => self.stage(name),
            None => self.stages.len().checked_sub(1),
        };
        let mut stages = Vec::new();
        while let Some(s) = stage {
            stages.push(s);
            // A stage can only start from an earlier one, so this ends.
            stage = self.stages[s].parent.filter(|&p| p < s);
        }
        stages.reverse();
        let of = |s: usize| (0..self.instructions.len()).filter(move |&i| self.instructions[i].stage == Some(s));
        let makes_history = |&i: &usize| !matches!(self.instructions[i].keyword.as_str(), "FROM");
        stages.into_iter().flat_map(of).filter(makes_history).collect()
    }

    /// For each history entry, the index of the instruction it came from. Entries of the base image have none. Both
    /// run in the same order, so this is an alignment that maximises likeness (Needleman and Wunsch 1970, gaps free).
    pub fn match_history(&self, history: &[HistoryLine], target: Option<&str>) -> Vec<Option<usize>> {
        let chain = self.chain(target);
        let history_from = history.len().saturating_sub(1024);
        let tail = &history[history_from..];
        let wanted: Vec<Shape> = chain.iter().map(|&i| Shape::of_instruction(&self.instructions[i])).collect();
        let found: Vec<Shape> = tail.iter().map(Shape::of_history).collect();
        let (n, m) = (found.len(), wanted.len());
        let mut best = vec![0f32; (n + 1) * (m + 1)];
        let mut like = vec![0f32; n * m];
        for h in 0..n {
            for w in 0..m {
                like[h * m + w] = found[h].likeness(&wanted[w]);
            }
        }
        // From the end, so that on a tie the later instruction is taken: bases come first.
        for h in 1..=n {
            for w in 1..=m {
                let pair = like[(n - h) * m + (m - w)];
                let both = if pair > 0.0 { best[(h - 1) * (m + 1) + w - 1] + pair } else { 0.0 };
                best[h * (m + 1) + w] = both.max(best[(h - 1) * (m + 1) + w]).max(best[h * (m + 1) + w - 1]);
            }
        }
        let mut places = vec![None; history.len()];
        let (mut h, mut w) = (n, m);
        while h > 0 && w > 0 {
            let here = best[h * (m + 1) + w];
            if here == best[(h - 1) * (m + 1) + w] {
                h -= 1;
            } else if here == best[h * (m + 1) + w - 1] {
                w -= 1;
            } else {
                places[history_from + n - h] = Some(chain[m - w]);
                h -= 1;
                w -= 1;
            }
        }
        places
    }

    /// The instruction of a build step's text, such as `RUN pip install -r requirements.txt`, and where it stands in
    /// its stage: `stage` as a log names it (`build`, `stage-1`), when it does.
    pub fn find_step(&self, text: &str, stage: Option<&str>) -> Option<usize> {
        let step = Shape::of_history(&HistoryLine::parse(text));
        let stage = stage.and_then(|s| self.stage(s).or_else(|| self.stage(s.strip_prefix("stage-")?)));
        let candidates = self.instructions.iter().enumerate().filter(|(_, i)| stage.is_none() || i.stage == stage);
        let scored = candidates.map(|(n, i)| (n, step.likeness(&Shape::of_instruction(i))));
        scored.filter(|(_, s)| *s > 0.0).max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0))).map(|(n, _)| n)
    }
}

/// `# escape=` counts only among the directives at the very top.
fn escape_directive(lines: &[&str]) -> char {
    for line in lines {
        let Some(comment) = line.trim().strip_prefix('#') else { break };
        let Some((key, value)) = comment.split_once('=') else { break };
        let key = key.trim().to_ascii_lowercase();
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric()) {
            break;
        }
        if key == "escape" {
            return if value.trim() == "`" { '`' } else { '\\' };
        }
    }
    '\\'
}

/// The end marks of here-documents that a line opens: `<<EOF`, `<<-EOF`, `<<"EOF"`, `3<<EOF`; not `<<<word`.
fn heredoc_marks(text: &str) -> Vec<(String, bool)> {
    let mut marks = Vec::new();
    for word in text.split_whitespace() {
        let word = word.trim_start_matches(|c: char| c.is_ascii_digit());
        let Some(rest) = word.strip_prefix("<<") else { continue };
        let (chomp, rest) = match rest.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let rest = rest.trim_end_matches([';', ')', '&', '|']);
        let quoted = rest.len() >= 2 && (rest.starts_with(['"', '\'']) && rest.ends_with(['"', '\'']));
        let mark = if quoted { &rest[1..rest.len() - 1] } else { rest };
        let name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        if !mark.is_empty() && mark.chars().all(name) {
            marks.push((mark.to_string(), chomp));
        }
    }
    marks
}

/// An image reference without tag and digest: `registry:5000/app:1.2@sha256:…` is `registry:5000/app`.
pub(crate) fn image_name(reference: &str) -> &str {
    let name = reference.split('@').next().unwrap_or(reference);
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    name[last..].find(':').map_or(name, |colon| &name[..last + colon])
}

/// Whether a word in upper case is an instruction.
pub(crate) fn is_keyword(word: &str) -> bool {
    KEYWORDS.contains(&word)
}

/// White space of any kind becomes one space.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The start of an instruction, for a label: `COPY --from=build`, `RUN pip install`.
pub fn brief(text: &str) -> String {
    let mut words = text.split_whitespace();
    let keyword = words.next().unwrap_or_default().to_string();
    let rest: Vec<&str> = words.collect();
    if let Some(from) = rest.iter().find(|w| w.starts_with("--from=")) {
        return format!("{keyword} {from}");
    }
    let said: Vec<&str> = rest.into_iter().filter(|w| !w.starts_with("--")).collect();
    let take = if keyword == "RUN" { 3 } else { 2 };
    let mut out = keyword;
    for word in said.iter().take(take) {
        if matches!(*word, "&&" | "||" | ";" | "|") {
            break;
        }
        out.push(' ');
        let word: String = if word.chars().count() > 40 {
            word.chars().take(39).chain(['…']).collect()
        } else {
            (*word).to_string()
        };
        out.push_str(word.trim_end_matches(';'));
        if out.chars().count() > 48 {
            break;
        }
    }
    out
}

/// What a builder wrote into the history of an image, taken apart.
///
/// Forms: BuildKit `RUN /bin/sh -c make # buildkit` and `COPY a b # buildkit`; the classic builder and buildah
/// `/bin/sh -c #(nop) COPY dir:… in /` and `/bin/sh -c make`; each with build arguments in front as `|2 A=1 B=2`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistoryLine {
    /// In upper case: `RUN`.
    pub keyword: String,
    /// What follows, without shell, build arguments and marks of the builder.
    pub text: String,
}

impl HistoryLine {
    /// Takes a line apart.
    pub fn parse(created_by: &str) -> HistoryLine {
        let text = created_by.trim();
        let text = text.strip_suffix("# buildkit").unwrap_or(text).trim();
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let upper = word.to_uppercase();
        if KEYWORDS.contains(&upper.as_str()) {
            let rest = if upper == "RUN" { without_shell(without_arguments(rest)) } else { rest.trim() };
            return HistoryLine { keyword: upper, text: rest.to_string() };
        }
        let text = without_arguments(text);
        if let Some((_, nop)) = text.split_once("#(nop)") {
            let nop = nop.trim();
            let (word, rest) = nop.split_once(char::is_whitespace).unwrap_or((nop, ""));
            return HistoryLine { keyword: word.to_uppercase(), text: rest.trim().to_string() };
        }
        HistoryLine { keyword: "RUN".into(), text: without_shell(text).to_string() }
    }

    /// As an instruction in one line.
    pub fn show(&self) -> String {
        one_line(&format!("{} {}", self.keyword, self.text))
    }
}

/// `|2 A=1 B=two words /bin/sh -c make`: the number says how many build arguments follow. Their values may hold spaces,
/// so the shell is looked for.
fn without_arguments(text: &str) -> &str {
    let text = text.trim_start();
    let Some(rest) = text.strip_prefix('|') else { return text };
    let Some((count, rest)) = rest.split_once(' ') else { return text };
    let Ok(count) = count.parse::<usize>() else { return text };
    if let Some(at) = SHELLS.iter().filter_map(|s| rest.find(s)).min() {
        return &rest[at..];
    }
    let mut rest = rest;
    for _ in 0..count.min(1000) {
        rest = rest.split_once(' ').map_or("", |(_, tail)| tail);
    }
    rest
}

const SHELLS: &[&str] =
    &["/bin/sh ", "/bin/bash ", "/bin/ash ", "/bin/dash ", "/bin/zsh ", "/usr/bin/bash ", "/usr/bin/env "];

/// Drops `/bin/sh -c`, `/bin/bash -o pipefail -ec`, `cmd /S /C`, `powershell -Command …` in front of a command.
fn without_shell(text: &str) -> &str {
    let text = text.trim();
    let first = text.split_whitespace().next().unwrap_or_default();
    let name = first.rsplit(['/', '\\']).next().unwrap_or_default().trim_end_matches(".exe").to_ascii_lowercase();
    let is_c = |word: &str| match name.as_str() {
        "cmd" => word.eq_ignore_ascii_case("/c"),
        "powershell" | "pwsh" => word.eq_ignore_ascii_case("-command"),
        _ => word.starts_with('-') && !word.starts_with("--") && word.ends_with('c'),
    };
    if !matches!(name.as_str(), "sh" | "bash" | "ash" | "dash" | "zsh" | "ksh" | "cmd" | "powershell" | "pwsh" | "env")
    {
        return text;
    }
    let mut rest = &text[first.len()..];
    for _ in 0..8 {
        rest = rest.trim_start();
        let Some(word) = rest.split_whitespace().next() else { break };
        rest = &rest[word.len()..];
        if is_c(word) {
            return rest.trim();
        }
    }
    text
}

/// How alike two history lines are: 0 not at all, 1 the same.
pub(crate) fn likeness(a: &HistoryLine, b: &HistoryLine) -> f32 {
    Shape::of_history(a).likeness(&Shape::of_history(b))
}

/// What is compared: the words of an instruction, as builders leave them.
struct Shape {
    keyword: String,
    words: Vec<String>,
    /// The classic builder and buildah write a checksum in place of the sources.
    sources_hidden: bool,
}

impl Shape {
    fn of_instruction(i: &Instruction) -> Shape {
        let mut text = strip_flags(&i.text).to_string();
        for body in &i.heredocs {
            text.push('\n');
            text.push_str(body);
        }
        if i.keyword == "RUN" {
            // `RUN <<EOF` runs the body alone.
            let head = strip_flags(&i.text);
            if !i.heredocs.is_empty() && head.split_whitespace().count() == 1 && head.starts_with("<<") {
                text = i.heredocs.concat();
            }
        }
        Shape { keyword: i.keyword.clone(), words: words(&text), sources_hidden: false }
    }

    fn of_history(h: &HistoryLine) -> Shape {
        let text = strip_flags(&h.text);
        let sum = |w: &str| ["file:", "dir:", "multi:"].iter().any(|p| w.starts_with(p));
        let sources_hidden =
            matches!(h.keyword.as_str(), "COPY" | "ADD") && text.split_whitespace().next().is_some_and(sum);
        let text = match (sources_hidden, text.split_once(" in ")) {
            (true, Some((_, destination))) => destination,
            _ => text,
        };
        Shape { keyword: h.keyword.clone(), words: words(text), sources_hidden }
    }

    /// 0 for no likeness, 1 for the same words.
    fn likeness(&self, instruction: &Shape) -> f32 {
        if self.keyword != instruction.keyword {
            return 0.0;
        }
        if self.sources_hidden {
            // Only the destination can be compared.
            let same = match (self.words.last(), instruction.words.last()) {
                (Some(a), Some(b)) => a == b || a.trim_matches('/') == b.trim_matches(['/', '.']) || b.contains('$'),
                _ => false,
            };
            return if same { 0.8 } else { 0.3 };
        }
        if self.words == instruction.words {
            return 1.0;
        }
        let (a, b) = (&self.words, &instruction.words);
        if a.is_empty() || b.is_empty() {
            return 0.1;
        }
        // A word with a variable in it may have become anything.
        let mut left: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
        for word in a {
            *left.entry(word.as_str()).or_default() += 1;
        }
        let mut common = 0.0f32;
        for word in b {
            match left.get_mut(word.as_str()) {
                Some(n) if *n > 0 => {
                    *n -= 1;
                    common += 1.0;
                }
                _ if word.contains('$') => common += 0.5,
                _ => {}
            }
        }
        let share = common / a.len().max(b.len()) as f32;
        let lenient = matches!(self.keyword.as_str(), "WORKDIR" | "USER" | "EXPOSE" | "VOLUME" | "CMD" | "ENTRYPOINT");
        match share {
            s if s >= 0.3 => 0.95 * s,
            _ if lenient => 0.1,
            _ => 0.0,
        }
    }
}

/// `--mount=… --from=…` in front are not in every builder's history.
fn strip_flags(text: &str) -> &str {
    let mut text = text.trim();
    while text.starts_with("--") {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        text = text[end..].trim_start();
    }
    text
}

/// Words without quotes, brackets, commas and here-document marks: `["a", "b"]` and `["a" "b"]` are alike.
fn words(text: &str) -> Vec<String> {
    text.split(|c: char| c.is_whitespace() || matches!(c, '[' | ']' | ',' | '"' | '\''))
        .filter(|w| !w.is_empty() && *w != "\\")
        .take(4096)
        .map(str::to_string)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# syntax=docker/dockerfile:1
ARG VERSION=3.10
FROM python:${VERSION} AS build
SHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]
# a remark
RUN apt-get update && \\
    # within
    apt-get install -y gcc

WORKDIR /app
RUN <<EOF
set -e
pip install wheel
EOF
COPY requirements.txt .
RUN --mount=type=cache,target=/root/.cache/pip pip install -r requirements.txt
FROM scratch
COPY --from=build /app /app
COPY <<A <<-B /etc/
one
A
\ttwo
\tB
CMD [\"/app/run\", \"--fast\"]
";

    #[test]
    fn instructions_know_their_lines_and_stage() {
        let file = Dockerfile::parse(FILE.as_bytes());
        let lines: Vec<(&str, usize, usize, Option<usize>)> =
            file.instructions.iter().map(|i| (i.keyword.as_str(), i.first, i.last, i.stage)).collect();
        assert_eq!(
            lines,
            [
                ("ARG", 2, 2, None),
                ("FROM", 3, 3, Some(0)),
                ("SHELL", 4, 4, Some(0)),
                ("RUN", 6, 8, Some(0)),
                ("WORKDIR", 10, 10, Some(0)),
                ("RUN", 11, 14, Some(0)),
                ("COPY", 15, 15, Some(0)),
                ("RUN", 16, 16, Some(0)),
                ("FROM", 17, 17, Some(1)),
                ("COPY", 18, 18, Some(1)),
                ("COPY", 19, 23, Some(1)),
                ("CMD", 24, 24, Some(1)),
            ]
        );
        assert_eq!(one_line(&file.instructions[3].text), "apt-get update && apt-get install -y gcc");
        assert_eq!(file.instructions[5].heredocs, ["set -e\npip install wheel\n"]);
        assert_eq!(file.instructions[10].heredocs, ["one\n", "two\n"]);
        assert_eq!(file.stages[0].name.as_deref(), Some("build"));
        assert_eq!(file.complaints, []);
    }

    #[test]
    fn the_escape_directive_changes_the_continuation() {
        let file = Dockerfile::parse(b"# escape=`\nFROM x\nRUN dir C:\\`\n  && b\nRUN c\\\n");
        assert_eq!(file.instructions.len(), 3);
        assert_eq!((file.instructions[1].first, file.instructions[1].last), (3, 4));
        assert_eq!(file.instructions[2].text, "c\\");
    }

    #[test]
    fn what_is_no_instruction_is_named_with_its_line() {
        let file = Dockerfile::parse(b"FROM a\nRNU x\nRUN <<EOF\nnever closed");
        assert_eq!(file.complaints[0], (2, phrase!("'{word}' is no instruction", word = "RNU")));
        assert_eq!(file.complaints[1].0, 3);
    }

    #[test]
    fn history_lines_of_every_builder_come_apart_the_same() {
        for line in [
            "RUN /bin/sh -c make all # buildkit",
            "/bin/sh -c make all",
            "|2 A=1 B=two words /bin/sh -c make all",
            "RUN |1 VERSION=3 /bin/bash -o pipefail -c make all # buildkit",
            "/bin/bash -o pipefail -ec make all",
            "RUN make all",
        ] {
            let parsed = HistoryLine::parse(line);
            assert_eq!((parsed.keyword.as_str(), parsed.text.as_str()), ("RUN", "make all"), "{line}");
        }
        let copy = HistoryLine::parse("/bin/sh -c #(nop) COPY dir:abc in / ");
        assert_eq!(copy.show(), "COPY dir:abc in /");
        assert_eq!(HistoryLine::parse("/bin/sh -c #(nop)  CMD [\"a\"]").show(), "CMD [\"a\"]");
    }

    #[test]
    fn history_is_found_in_the_file_past_the_entries_of_the_base() {
        let file = Dockerfile::parse(FILE.as_bytes());
        let base =
            ["/bin/sh -c #(nop) ADD file:12 in / ", "RUN /bin/sh -c apt-get update # buildkit", "CMD [\"python3\"]"];
        let own = [
            ("SHELL [/bin/bash -o pipefail -c]", 4),
            ("RUN |1 VERSION=3.10 /bin/bash -o pipefail -c apt-get update &&     apt-get install -y gcc # buildkit", 6),
            ("WORKDIR /app", 10),
            ("RUN |1 VERSION=3.10 /bin/bash -o pipefail -c set -e\npip install wheel\n # buildkit", 11),
            ("COPY requirements.txt . # buildkit", 15),
            ("RUN /bin/bash -o pipefail -c pip install -r requirements.txt # buildkit", 16),
        ];
        let lines: Vec<HistoryLine> =
            base.iter().copied().chain(own.iter().map(|o| o.0)).map(HistoryLine::parse).collect();
        let places = file.match_history(&lines, Some("build"));
        let found: Vec<Option<usize>> = places.iter().map(|p| p.map(|i| file.instructions[i].first)).collect();
        assert_eq!(found[..3], [None, None, None]);
        assert_eq!(found[3..], own.map(|o| Some(o.1)));
    }

    #[test]
    fn the_classic_form_is_matched_by_destination_and_order() {
        let file = Dockerfile::parse(b"FROM a\nCOPY x /one/\nCOPY y /two\nENV A=1 B=2\nRUN rm -rf /root/.cache");
        let lines: Vec<HistoryLine> = [
            "/bin/sh -c #(nop) COPY dir:3811 in /one/ ",
            "/bin/sh -c #(nop) COPY file:99 in /two ",
            "/bin/sh -c #(nop)  ENV A=1 B=2",
            "/bin/sh -c rm -rf /root/.cache",
        ]
        .iter()
        .map(|l| HistoryLine::parse(l))
        .collect();
        let places = file.match_history(&lines, None);
        assert_eq!(places, [Some(1), Some(2), Some(3), Some(4)]);
    }

    #[test]
    fn a_step_of_a_log_is_found_in_its_stage() {
        let file = Dockerfile::parse(b"FROM a AS x\nRUN make\nFROM b\nRUN make\nRUN make test");
        let line = |text: &str, stage: Option<&str>| file.find_step(text, stage).map(|i| file.instructions[i].first);
        assert_eq!(line("RUN make", Some("x")), Some(2));
        assert_eq!(line("RUN make", Some("stage-1")), Some(4));
        assert_eq!(line("RUN make test", None), Some(5));
        assert_eq!(line("RUN other", None), None);
    }

    #[test]
    fn labels_are_short_and_keep_the_stage_copied_from() {
        assert_eq!(brief("COPY --from=build --chown=1:1 /a /b"), "COPY --from=build");
        assert_eq!(brief("RUN pip install -r requirements.txt && x"), "RUN pip install -r");
        assert_eq!(brief("RUN make && make install"), "RUN make");
    }
}
