//! Every text that people see exists in every language: the source is searched for texts that no catalogue holds.

mod common;

use git_verdict::render::Lang;
use git_verdict::render::lang::phrases;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Where texts for people are written.
const PLACES: &[&str] = &["cli", "decision", "error.rs", "experiment", "hooks", "policy", "render", "trust.rs"];

/// Files in these places that are not searched, each with why.
const PASSED_OVER: &[(&str, &str)] = &[
    ("src/cli/demo/packages.rs", "the sources of the demo's packages"),
    ("src/hooks/script.rs", "shell scripts"),
    ("src/render/adr.rs", "findings about a template or a folder are English"),
    ("src/render/message.rs", "the same"),
    ("src/render/template.rs", "the same"),
    ("src/render/trailer.rs", "trailers are the same in every language"),
];

/// Texts of words that are not translated, each with why.
const ALLOWED: &[(&str, &str)] = &[
    (" (files that hooks or others had changed are in {})", "a step, which a journal keeps"),
    ("'{text}' is no percentage above zero, such as 2%", "clap puts it into an English sentence"),
    ("'{text}' is not an escaped path", "a finding about a file"),
    ("'{}' is no date such as 2026-01-31 or '3 weeks ago'", "clap puts it into an English sentence"),
    ("'{}' is none of {}", "clap puts it into an English sentence"),
    ("### git verdict check\n\n{}\n", "a command"),
    ("  cd {dir}\n  {call} show pip-cache\n  {call} compare pip-cache multi-stage", "commands"),
    ("  {call} weigh {base} {candidate} --time 'sh build.sh' --size out/image", "a command"),
    ("HEAD goes back to {name}", "a step among commands, which a journal keeps"),
    ("This reverts commit {target}, reversing\nchanges made to {parent}.", "git's own words in a commit message"),
    ("This reverts commit {target}.", "git's own words in a commit message"),
    ("Verdict: revert\nVerdict-Experiment: {}\nVerdict-Record: {}\n", "trailers"),
    ("a path inside the repository is needed, such as src/** or Dockerfile", "clap puts it into an English sentence"),
    ("append record {record} to {}", "a step among commands, which a journal keeps"),
    ("append record {} to {}", "a step among commands, which a journal keeps"),
    ("buildah build --isolation chroot --no-cache -t {name} .", "a command"),
    ("buildah rmi --force {name} || true", "a command"),
    ("buildah rmi {}", "a command"),
    (
        "dd if=/dev/zero of=git-verdict-noise bs=1048576 count=32 2>/dev/null && sync && rm git-verdict-noise",
        "a command",
    ),
    ("docker build --no-cache -f Containerfile -t {name} .", "a command"),
    ("docs: record the decision on {name}\n", "a commit message"),
    ("feat: package the service as an image", "the subject of a commit in the demo"),
    ("hook run {}", "part of a command"),
    ("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done", "a command"),
    ("imported from", "a key of a record"),
    ("it has version {}, this program reads {VERSION}", "a finding about a file"),
    ("it has version {}, this program writes {VERSION}", "a finding about a file"),
    ("it has {} bytes, at most {MAX_NAME} are allowed", "a finding about a name, escaped"),
    ("no texts in '{}'; there are en and zh-CN", "clap puts it into an English sentence"),
    ("not measured", "the English of table.not_measured"),
    ("perf: build the image in two stages", "the subject of a commit in the demo"),
    ("perf: purge the package cache in the step that fills it", "the subject of a commit in the demo"),
    ("podman build --isolation=chroot --no-cache -t {name} .", "a command"),
    ("removing the journal", "a step, which a journal keeps"),
    (
        "revert: undo the decision to {verdict} {name}\n\n{}\n\n{names}\n\nVerdict-Experiment: {name}\n{REOPENS}: {record}\n",
        "a commit message",
    ),
    ("this file is not UTF-8", "a finding about a file"),
    ("{c:?} is no lower-case letter, digit, '.', '_' or '-'", "a finding about a name, escaped"),
    ("{guard} || git-verdict hook run {name} \"$@\" || :", "a command"),
    ("{guard} || git-verdict hook run {name} \"$@\" || test $? -ne 1", "a command"),
    ("A DATE is 2026-01-31, a time in RFC 3339, 'today', 'yesterday', or '3 weeks ago'.", "help"),
    ("it is to be METRIC=VALUE", "clap puts it into an English sentence"),
    ("'{word}' is neither lower nor higher", "clap puts it into an English sentence"),
    ("it took longer than {} s ({TIME_SETTING})", "a finding about a program"),
    ("sh build.sh", "a command"),
    ("{name:?} is no name of a branch", "a finding about a name, escaped"),
    ("{program} image prune --force --filter label=git-verdict.demo=1", "a command"),
    ("{:?} is no branch of an experiment", "a finding about a name, escaped"),
    ("{:?} is no name of an experiment", "a finding about a name, escaped"),
    ("{} reverts the revert", "a reason, which the ledger keeps"),
    (
        "default-src 'none'; style-src '{}'; script-src '{}'; img-src data:; base-uri 'none'; form-action 'none'",
        "a policy for browsers",
    ),
    ("{}, and then {}", "two errors of git in a row"),
    ("{} image prune --force --filter label=git-verdict.demo=1", "a command"),
    ("{} image rm {} && {}", "a command"),
];

/// What stands before a literal that is shown, whatever it looks like.
const SHOWN: &[&str] = &[
    ".say(",
    ".tell(",
    ".note(",
    ".field(",
    "::usage(",
    "::state(",
    ".because(",
    "Phrase::from(",
    "confirm(ctx,",
    "ask_line(",
];

/// What stands before a literal that nobody reads but a programmer or a program.
const INNER: &[&str] =
    &["expect(", "unreachable!(", "ends_with(", "contains(", "starts_with(", "strip_prefix(", "args(["];

/// A literal of the source.
struct Literal {
    file: PathBuf,
    line: usize,
    /// The code before it, without white space.
    before: String,
    text: String,
}

#[test]
fn every_phrase_of_the_source_is_translated() {
    let known: BTreeMap<_, _> = phrases(Lang::ZhCn).into_iter().collect();
    let mut missing = Vec::new();
    for literal in literals(&[""]).iter().filter(|literal| literal.before.ends_with("phrase!(")) {
        if !known.contains_key(literal.text.as_str()) && says_something(&literal.text) {
            missing.push(literal.told());
        }
    }
    assert!(missing.is_empty(), "no translation in templates/zh-CN/messages.po:\n{}", missing.join("\n"));
}

#[test]
fn every_plain_text_of_the_source_is_translated_or_allowed() {
    let known: BTreeMap<_, _> = phrases(Lang::ZhCn).into_iter().collect();
    let mut missing = Vec::new();
    for literal in literals(PLACES) {
        let inner = INNER.iter().any(|before| literal.before.ends_with(before));
        let translated = literal.before.ends_with("phrase!(") || known.contains_key(literal.text.as_str());
        let allowed = ALLOWED.iter().any(|(text, _)| *text == literal.text);
        let shown = SHOWN.iter().any(|before| literal.before.ends_with(before)) && says_something(&literal.text);
        if !inner && !translated && !allowed && (shown || is_prose(&literal.text)) {
            missing.push(literal.told());
        }
    }
    assert!(missing.is_empty(), "neither translated nor allowed:\n{}", missing.join("\n"));
}

#[test]
fn nothing_is_translated_that_is_not_said() {
    let said: BTreeSet<String> = literals(&[""]).into_iter().map(|literal| literal.text).collect();
    for (key, _) in phrases(Lang::ZhCn) {
        assert!(said.contains(&*key), "not in the source any more: {key}");
    }
    for (text, why) in ALLOWED {
        assert!(said.contains(*text), "allowed, but not in the source any more ({why}): {text}");
    }
}

#[test]
fn a_translation_has_the_places_of_its_phrase_and_none_twice() {
    let mut keys = BTreeSet::new();
    for (key, translation) in phrases(Lang::ZhCn) {
        assert!(keys.insert(key.clone()), "twice: {key}");
        let (english, theirs) = (places(&key), places(&translation));
        for place in &theirs {
            assert!(english.contains(place), "{translation}\nhas a place {{{place}}} that its phrase has not: {key}");
        }
        for place in english.difference(&theirs) {
            // The ends of English plurals and verbs have no counterpart.
            assert!(["s", "s2", "are"].contains(&place.as_str()), "{translation}\nlacks {{{place}}} of: {key}");
        }
        let edge = |text: &str| (text.starts_with('\n'), text.ends_with('\n'), text.starts_with("  "));
        assert_eq!(edge(&key), edge(&translation), "{key}");
    }
    assert!(keys.len() > 300);
}

/// The names in braces.
fn places(text: &str) -> BTreeSet<String> {
    let text = text.replace("{{", "").replace("}}", "");
    text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0.to_string())).collect()
}

/// Whether there is a word in it beside its places, and it is no command alone.
fn says_something(text: &str) -> bool {
    !words(text).is_empty() && !is_command(text)
}

/// `git verdict show {name}`, `--on {onto}`: typed as it is, in every language.
fn is_command(text: &str) -> bool {
    let starts = ["git ", "rm ", "--", "{program} info:"].iter().any(|start| text.trim().starts_with(start));
    starts && !text.contains([',', ';', '(', '\'']) && !text.contains(" the ")
}

fn words(text: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut depth = 0;
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            c if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    let letters = |word: &&str| word.len() > 1 && word.chars().all(|c| c.is_ascii_alphabetic());
    let words = plain.split(|c: char| c.is_whitespace() || ".,;:?!()'".contains(c));
    words.filter(letters).map(str::to_string).collect()
}

/// Two words of lower case in a row that are no command line.
fn is_prose(text: &str) -> bool {
    let words = words(text);
    let lower = words.iter().filter(|word| word.chars().skip(1).all(|c| c.is_ascii_lowercase())).count();
    !is_command(text) && lower >= 2 && text.trim().contains(' ')
}

impl Literal {
    fn told(&self) -> String {
        let start = self.before.len().saturating_sub(30);
        let start = (start..).find(|at| self.before.is_char_boundary(*at)).unwrap_or(0);
        format!("{}:{}: {:?}   after {}", self.file.display(), self.line, self.text, &self.before[start..])
    }
}

/// The string literals of all files below these places of `src`, without tests, comments and attributes.
fn literals(places: &[&str]) -> Vec<Literal> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for place in places {
        for file in files(&root.join(place)) {
            let name = file.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_path_buf();
            if PASSED_OVER.iter().any(|(passed, _)| Path::new(passed) == name) {
                continue;
            }
            let text = std::fs::read_to_string(&file).unwrap();
            read(&name, &text, &mut found);
        }
    }
    assert!(found.len() > 100);
    found
}

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_path_buf()];
    }
    let entries = std::fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut found: Vec<PathBuf> = entries.flat_map(|entry| files(&entry.unwrap().path())).collect();
    found.retain(|file| file.extension().is_some_and(|ext| ext == "rs") && !file.ends_with("tests.rs"));
    found.sort();
    found
}

fn read(file: &Path, source: &str, found: &mut Vec<Literal>) {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let chars: Vec<char> = source.chars().collect();
    let (mut at, mut line) = (0, 1);
    let mut before = String::new();
    let starts = |at: usize, text: &str| text.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c));
    while at < chars.len() {
        let c = chars[at];
        if starts(at, "//") {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
        } else if starts(at, "#[") || starts(at, "#![") {
            let mut depth = 0;
            let mut quoted = false;
            loop {
                match chars[at] {
                    '\\' if quoted => at += 1,
                    '"' => quoted = !quoted,
                    '[' if !quoted => depth += 1,
                    ']' if !quoted => depth -= 1,
                    '\n' => line += 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 && chars[at - 1] == ']' {
                    break;
                }
            }
        } else if starts(at, "r\"") || starts(at, "r#\"") {
            let end: &[char] = if starts(at, "r\"") { &['"'] } else { &['"', '#'] };
            at += end.len() + 1;
            let begin = at;
            while !chars[at..].starts_with(end) {
                line += usize::from(chars[at] == '\n');
                at += 1;
            }
            let text = chars[begin..at].iter().collect();
            found.push(Literal { file: file.into(), line, before: tail(&before), text });
            at += end.len();
        } else if c == '"' {
            let begun = line;
            let mut text = String::new();
            at += 1;
            while chars[at] != '"' {
                if chars[at] != '\\' {
                    line += usize::from(chars[at] == '\n');
                    text.push(chars[at]);
                    at += 1;
                    continue;
                }
                match chars[at + 1] {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    '\n' => {
                        line += 1;
                        at += 2;
                        while chars[at].is_whitespace() {
                            line += usize::from(chars[at] == '\n');
                            at += 1;
                        }
                        continue;
                    }
                    other => text.push(other),
                }
                at += 2;
            }
            at += 1;
            found.push(Literal { file: file.into(), line: begun, before: tail(&before), text });
            before.push('"');
        } else if c == '\'' && (chars.get(at + 2) == Some(&'\'') || chars.get(at + 1) == Some(&'\\')) {
            at += 2;
            while chars[at] != '\'' {
                at += 1;
            }
            at += 1;
        } else {
            line += usize::from(c == '\n');
            if !c.is_whitespace() {
                before.push(c);
            }
            at += 1;
        }
    }
}

fn tail(before: &str) -> String {
    let start = before.len().saturating_sub(60);
    let start = (start..).find(|at| before.is_char_boundary(*at)).unwrap_or(0);
    before[start..].to_string()
}

/// Words of others and of history that stand in Chinese output as they are.
const NAMES: &[&str] =
    &["slim", "size", "main", "verdict", "git", "keep", "half", "is", "enough", "perf", "commit", "Verdict"];

#[test]
fn an_experiment_from_start_to_end_says_nothing_in_english() {
    let mut repo = common::Repo::with(&[
        ("verdict.toml", "version = 1\nlang = \"zh-CN\"\n[metrics.size]\npath = \"out\"\n"),
        ("out", "0123456789"),
    ]);
    for (command, says) in
        [(&["start", "slim", "--hypothesis", "half is enough"][..], "已开启 slim"), (&["status"], "下一步：提交改动")]
    {
        chinese(&repo.ok(command).stdout, says);
    }
    repo.write("out", "01234");
    repo.commit("perf: half");
    chinese(&repo.ok(&["measure"]).stdout, "建议：保留");
    chinese(&repo.ok(&["status"]).stdout, "下一步：git verdict decide");
    chinese(&repo.ok(&["compare"]).stdout, "劣于");
    let refused = repo.expect(2, &["show", "slin"]);
    assert!(refused.stderr.contains("错误： 没有实验“slin”"), "{}", refused.report());
    // What programs read is the same in every language.
    let object = repo.run(&["show", "slin", "--json"]);
    assert!(object.stdout.contains("there is no experiment 'slin'"), "{}", object.report());
    chinese(&repo.ok(&["keep", "slim", "--because", "half is enough"]).stdout, "已保留 slim");
    chinese(&repo.ok(&["log"]).stdout, "已保留");
    // The command line goes before the file, and the file before the locale.
    assert!(repo.ok(&["log", "--lang", "en"]).stdout.contains("kept"));
    repo.set("LC_ALL", "en_GB.UTF-8");
    chinese(&repo.ok(&["log"]).stdout, "已保留");
    let reasons = repo.json(&["show", "slim"])["events"].to_string();
    assert!(reasons.contains("size improved from 10 B to 5 B"), "{reasons}");
}

#[test]
fn the_locale_decides_where_neither_flag_nor_file_does() {
    for (locale, says) in [
        ("zh_CN.UTF-8", "没有实验"),
        ("zh_Hans", "没有实验"),
        ("C", "no experiment"),
        ("POSIX", "no experiment"),
        ("de_DE.UTF-8", "no experiment"),
    ] {
        let mut repo = common::Repo::with(&[("a", "")]);
        repo.set("LC_ALL", locale);
        repo.ok(&["status"]).prints(&[says]);
    }
}

/// Fails unless the text says this and has no row of two English words beside names.
#[track_caller]
fn chinese(text: &str, says: &str) {
    assert!(text.contains(says), "no '{says}' in\n{text}");
    for line in text.lines() {
        let foreign: Vec<&str> = line
            .split(|c: char| !c.is_ascii_alphabetic())
            .filter(|word| word.len() > 2 && word.chars().all(|c| c.is_ascii_lowercase()) && !NAMES.contains(word))
            .collect();
        let command = line.contains("git verdict ");
        assert!(
            command || foreign.iter().all(|word| word.chars().all(|c| c.is_ascii_hexdigit())),
            "{foreign:?} in\n{line}"
        );
    }
}
