//! Every text that people see exists in every language: the source is searched for texts that no catalogue holds.

use crate::common;

use clap::CommandFactory;
use git_verdict::measure::told;
use git_verdict::phrase::Language;
use git_verdict::render::{Lang, po};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Files that are not searched, each with why.
const PASSED_OVER: &[(&str, &str)] = &[
    ("src/cli/demo/packages.rs", "the sources of the demo's packages"),
    ("src/hooks/script.rs", "shell scripts"),
    ("src/render/trailer.rs", "trailers are the same in every language"),
];

/// Files that are searched for phrases alone, each with what their other literals are.
const PHRASES_ALONE: &[(&str, &str)] = &[
    ("src/exchange/openmetrics.rs", "a format for programs"),
    ("src/guard/words.rs", "words that say nothing of what was tried"),
    ("src/inspect/buildlog/phase.rs", "names of phases, which records keep"),
    ("src/ledger/event.rs", "what a parser expects"),
    ("src/mcp/mod.rs", "what models read"),
    ("src/mcp/tools.rs", "what models read"),
    ("src/mcp/wire.rs", "the protocol"),
];

/// Where what went wrong in a run or a reading is put into words, which sessions and records keep in English.
const STORED: &[&str] = &["measure/runner.rs", "measure/source", "grounds/ruler.rs"];

/// Texts of words that are not translated, each with why.
const ALLOWED: &[(&str, &str)] = &[
    ("; the base fails it, too", "stored behind the outcome of a check; `told` takes it off and says it as a phrase"),
    ("'{text}' is not an escaped path", "a finding about a file"),
    ("### git verdict check\n\n{}\n", "a command"),
    ("  cd {dir}\n  {call} show pip-cache\n  {call} compare pip-cache multi-stage", "commands"),
    ("  {call} weigh {base} {candidate} --time 'sh build.sh' --size out/image", "a command"),
    ("This reverts commit {target}, reversing\nchanges made to {parent}.", "git's own words in a commit message"),
    ("This reverts commit {target}.", "git's own words in a commit message"),
    ("Verdict: revert\nVerdict-Experiment: {}\nVerdict-Record: {}\n", "trailers"),
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
    ("no line of the event", "what perf is said to have said"),
    ("not measured", "the English of table.not_measured"),
    ("perf: build the image in two stages", "the subject of a commit in the demo"),
    ("perf: purge the package cache in the step that fills it", "the subject of a commit in the demo"),
    ("podman build --isolation=chroot --no-cache -t {name} .", "a command"),
    (
        "revert: undo the decision to {verdict} {name}\n\n{}\n\n{names}\n\nVerdict-Experiment: {name}\n{REOPENS}: {record}\n",
        "a commit message",
    ),
    ("{guard} || git-verdict hook run {name} \"$@\" || :", "a command"),
    ("{guard} || git-verdict hook run {name} \"$@\" || test $? -ne 1", "a command"),
    ("A DATE is 2026-01-31, a time in RFC 3339, 'today', 'yesterday', or '3 weeks ago'.", "help"),
    ("sh build.sh", "a command"),
    ("{program} image prune --force --filter label=git-verdict.demo=1", "a command"),
    ("{} reverts the revert", "a reason, which the ledger keeps"),
    (
        "default-src 'none'; style-src '{}'; script-src '{}'; img-src data:; base-uri 'none'; form-action 'none'",
        "a policy for browsers",
    ),
    ("{} image prune --force --filter label=git-verdict.demo=1", "a command"),
    ("{} image rm {} && {}", "a command"),
    ("'{text}' is not an object id", "a finding about a file, behind the words of its parser"),
    ("## Considered Options", "a heading that others' decision files have"),
    ("## Context and Problem Statement", "a heading that others' decision files have"),
    ("## Decision Drivers", "a heading that others' decision files have"),
    ("## Pros and Cons of the Options", "a heading that others' decision files have"),
    ("<!-- verdict: end -->", "a marker in a file"),
    ("Amended by", "what other tools look for in a decision file"),
    ("Superseded by", "what other tools look for in a decision file"),
    ("Unpacking rootfs", "what kaniko prints"),
    ("exit status 0", "told by the sentence of all exit statuses"),
    ("cannot lock ref", "what git says"),
    ("cargo target", "the name of a cache"),
    ("concurrently modified", "what git says"),
    ("failed to lock", "what git says"),
    ("failed to update ref", "what git says"),
    ("files and folders", "a part of the name of a row, which records keep"),
    ("GOCACHE=\"$PWD/.verdict-cache\" go build -trimpath{output} {package}", "a command"),
    ("go build", "a command"),
    ("go clean -cache -modcache", "a command"),
    ("image not known", "what podman says"),
    ("implementer {} part {}", "the name of a processor"),
    ("incorrect old value", "what git says"),
    ("local refs could not be updated", "what git says"),
    ("no command", "a list of words that is always there"),
    ("model name", "a key of /proc/cpuinfo"),
    ("no such object", "what docker says"),
    ("not found in local storage", "what podman says"),
    ("one hash for {:?} and {:?}", "said while the program is built"),
    ("over a limit", "a mark that a decoder hands on"),
    ("sending tarball", "what BuildKit prints"),
    ("step {n}, whose name is missing", "the name of a step, which records keep"),
    ("submodule update of {name} ({commit})", "a command"),
    ("superseded by {}", "what other tools look for in a decision file"),
    ("the candidate with the base's ruler\n", "the message of a commit that is never on a branch"),
    ("the terminal does not say why", "how a step ended, for programs"),
    ("tree {tree}\n{parents}author {stamp}\ncommitter {stamp}\n\n{message}", "an object of git"),
    ("unable to update local ref", "what git says"),
    ("verdict: sync", "the message of a commit of the ledger"),
    ("writing image", "what BuildKit prints"),
    ("yarn berry", "the name of a cache"),
    (" (by no name)", "a part of the name of a row, which records keep"),
    ("{label}: index.json", "the name of a file"),
    ("{label}: manifest.json", "the name of a file"),
    ("{} (by no name)", "the name of a row, which records keep"),
    ("{} and {} more records", "the message of a commit of the ledger"),
    ("{} other files and folders", "the name of a row, which records keep"),
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
const INNER: &[&str] = &[
    "expect(",
    "point(",
    "unreachable!(",
    "ends_with(",
    "contains(",
    "starts_with(",
    "strip_prefix(",
    "split_once(",
    "args([",
];

/// The English sentences of a file of translations, each with its translation.
fn catalogue(file: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/zh-CN").join(file);
    let source = std::fs::read_to_string(path).unwrap();
    po::entries(&source).map(|(key, translation)| (key.into_owned(), translation.into_owned())).collect()
}

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
    let known: BTreeMap<_, _> = catalogue("messages.po").into_iter().collect();
    let mut missing = Vec::new();
    for literal in literals(&[""]).iter().filter(|literal| literal.before.ends_with("phrase!(")) {
        if !known.contains_key(literal.text.as_str()) && says_something(&literal.text) {
            missing.push(literal.told());
        }
    }
    assert!(missing.is_empty(), "no translation in templates/zh-CN/messages.po:\n{}", missing.join("\n"));
}

#[test]
fn every_translation_is_found_by_its_sentence() {
    for (key, translation) in catalogue("messages.po") {
        assert_eq!(Lang::ZhCn.translation(&key).as_deref(), Some(translation.as_str()), "{key}");
    }
}

#[test]
fn every_plain_text_of_the_source_is_translated_or_allowed() {
    let known: BTreeMap<_, _> = catalogue("messages.po").into_iter().collect();
    let mut missing = Vec::new();
    for literal in literals(&[""]) {
        if PHRASES_ALONE.iter().any(|(file, _)| literal.file == Path::new(file)) || is_preset(&literal.file) {
            continue;
        }
        let inner = INNER.iter().any(|before| literal.before.ends_with(before));
        let translated = literal.before.ends_with("phrase!(") || known.contains_key(literal.text.as_str());
        let allowed = ALLOWED.iter().any(|(text, _)| *text == literal.text);
        // A field of a table there is a key of verdict.toml.
        let key = literal.file.starts_with("src/config") && literal.before.ends_with(".field(");
        let place = literal.before.ends_with("Table::new(");
        let shown = !key
            && !place
            && SHOWN.iter().any(|before| literal.before.ends_with(before))
            && says_something(&literal.text);
        if !inner && !translated && !allowed && (shown || is_prose(&literal.text)) {
            missing.push(literal.told());
        }
    }
    assert!(missing.is_empty(), "neither translated nor allowed:\n{}", missing.join("\n"));
}

/// What runs and readings end with is stored as an English sentence, and told in another language by taking it apart.
#[test]
fn every_sentence_that_is_stored_is_known_again() {
    let known: BTreeMap<_, _> = catalogue("messages.po").into_iter().collect();
    for sentence in told::SENTENCES {
        assert!(known.contains_key(*sentence), "no translation in templates/zh-CN/messages.po: {sentence}");
    }
    for literal in literals(STORED).iter().filter(|literal| is_prose(&literal.text)) {
        let inner = INNER.iter().any(|before| literal.before.ends_with(before));
        let said = inner
            || literal.before.ends_with("phrase!(")
            || ALLOWED.iter().any(|(text, _)| *text == literal.text)
            || told::SENTENCES.contains(&literal.text.as_str());
        assert!(said, "not in SENTENCES of src/measure/told.rs: {}", literal.told());
    }
}

/// Whether the comments of a `verdict.toml` are written there.
fn is_preset(file: &Path) -> bool {
    file.starts_with("src/config/preset") || file == Path::new("src/config/preset.rs")
}

/// The comments in the source of the presets: lines that follow one another are one text.
fn preset_comments() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for literal in literals(&["config/preset", "config/preset.rs"]) {
        let mut comment = String::new();
        for line in literal.text.lines().chain([""]) {
            match line.strip_prefix("# ") {
                Some(words) if comment.is_empty() => comment.push_str(words),
                Some(words) => comment = format!("{comment} {words}"),
                None if comment.is_empty() => {}
                None => drop(found.insert(std::mem::take(&mut comment))),
            }
        }
    }
    // The place in it holds one of two sentences that are literals of their own.
    found.remove("{size}");
    // As a comment is written in another language.
    found.remove("{line}");
    assert!(found.len() > 20);
    found
}

#[test]
fn every_comment_of_a_preset_is_translated() {
    let known: BTreeMap<_, _> = catalogue("messages.po").into_iter().collect();
    for comment in preset_comments() {
        assert!(known.contains_key(&comment), "no translation in templates/zh-CN/messages.po: {comment}");
    }
    for literal in literals(&["config/preset", "config/preset.rs"]) {
        let said = !is_prose(&literal.text)
            || literal.text.contains('\n')
            // What frameworks call their build.
            || literal.text.ends_with(" build")
            || known.contains_key(&literal.text)
            || ALLOWED.iter().any(|(text, _)| *text == literal.text);
        assert!(said, "neither translated nor allowed: {}", literal.told());
    }
}

#[test]
fn nothing_is_translated_that_is_not_said() {
    let mut said: BTreeSet<String> = literals(&[""]).into_iter().map(|literal| literal.text).collect();
    said.extend(preset_comments());
    for (key, _) in catalogue("messages.po") {
        assert!(said.contains(&*key), "not in the source any more: {key}");
    }
    for (text, why) in ALLOWED {
        assert!(said.contains(*text), "allowed, but not in the source any more ({why}): {text}");
    }
}

#[test]
fn a_translation_has_the_places_of_its_phrase_and_none_twice() {
    let mut keys = BTreeSet::new();
    for (key, translation) in catalogue("messages.po") {
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
    let starts = ["git ", "rm ", "--", "{program} info:"].iter().any(|start| text.trim().starts_with(start))
        || COMMANDS.iter().any(|name| text.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
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
    let own = ["mod tests {", "pub(crate) mod tests {"].map(|start| format!("#[cfg(test)]\n{start}"));
    let source = own.iter().fold(source, |source, tests| source.split(tests.as_str()).next().unwrap());
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

/// Texts of `--help` that are the same in Chinese.
const NOT_CHINESE: &[&str] = &["N", "SHELL", "OS/ARCH"];

/// Words of clap's own that the catalogue of help has.
const OF_CLAP: &[&str] = &["OPTIONS", "COMMAND"];

/// Every text of the tree of commands that people read, each with where it stands.
fn help_of(command: &clap::Command, path: &str, found: &mut BTreeMap<String, String>) {
    let mut add = |text: Option<String>, place: &str| {
        if let Some(text) = text {
            found.entry(text).or_insert(format!("{path} {place}"));
        }
    };
    let text = |text: Option<&clap::builder::StyledStr>| text.map(ToString::to_string);
    add(text(command.get_about()), "about");
    add(text(command.get_long_about()), "long about");
    add(text(command.get_before_help()), "before help");
    add(text(command.get_before_long_help()), "before long help");
    add(text(command.get_after_help()), "after help");
    add(text(command.get_after_long_help()), "after long help");
    add(command.get_subcommand_help_heading().map(String::from), "heading");
    for arg in command.get_arguments() {
        let place = format!("--{}", arg.get_id());
        add(text(arg.get_help()), &place);
        add(text(arg.get_long_help()), &place);
        add(arg.get_help_heading().map(String::from), &place);
        if !arg.get_action().takes_values() {
            continue;
        }
        for name in arg.get_value_names().into_iter().flatten() {
            add(Some(name.to_string()), &place);
        }
        for value in arg.get_possible_values() {
            add(text(value.get_help()), &place);
        }
    }
    for sub in command.get_subcommands() {
        help_of(sub, &format!("{path} {}", sub.get_name()), found);
    }
}

fn all_help(command: &mut clap::Command) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    command.build();
    help_of(command, "", &mut found);
    assert!(found.len() > 180, "the commands were not looked into");
    found
}

#[test]
fn every_text_of_help_is_translated_and_nothing_else() {
    let tree = all_help(&mut git_verdict::cli::Cli::command());
    // `schema` lists outputs with what they are of: some names of commands, or words, too.
    let outputs = git_verdict::schema::names().into_iter().map(|(name, what)| (what, format!("schema {name}")));
    let said: BTreeMap<String, String> =
        tree.clone().into_iter().chain(outputs.filter(|(what, _)| english_beside_code(what))).collect();
    let mut keys = BTreeSet::new();
    for (key, translation) in catalogue("help.po") {
        assert!(keys.insert(key.clone()), "twice: {key}");
        assert!(said.contains_key(&*key) || OF_CLAP.contains(&&*key), "not in the help any more: {key}");
        let chinese = translation.chars().any(|c| ('\u{4e00}'..'\u{9fff}').contains(&c));
        assert!(chinese || NOT_CHINESE.contains(&&*key), "no Chinese: {key}: {translation}");
    }
    let missing: Vec<String> = said
        .iter()
        .filter(|(text, _)| !keys.contains(text.as_str()))
        .map(|(text, at)| format!("{at}: {text}"))
        .collect();
    assert!(missing.is_empty(), "no translation in templates/zh-CN/help.po:\n{}", missing.join("\n"));
    let english: BTreeSet<String> = all_help(&mut git_verdict::cli::command(Lang::En)).into_keys().collect();
    assert_eq!(english, tree.into_keys().collect());
}

/// Whether there are words beside code in backticks.
fn english_beside_code(text: &str) -> bool {
    text.split('`').step_by(2).any(|part| part.contains(char::is_alphabetic))
}

#[test]
fn the_translated_tree_of_commands_has_no_english_left() {
    let translations: BTreeSet<String> = catalogue("help.po").into_iter().map(|(_, translation)| translation).collect();
    for (text, place) in all_help(&mut git_verdict::cli::command(Lang::ZhCn)) {
        assert!(translations.contains(&text), "{place}: {text}");
    }
}

/// The pages of all commands, each by the words that lead to it.
fn all_commands(command: &clap::Command, path: &[String], found: &mut Vec<Vec<String>>) {
    found.push(path.to_vec());
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        all_commands(sub, &[path, &[sub.get_name().to_string()]].concat(), found);
    }
}

#[test]
fn help_of_every_command_is_chinese_and_fits_the_terminal() {
    let mut tree = git_verdict::cli::Cli::command();
    tree.build();
    let mut paths = Vec::new();
    all_commands(&tree, &[], &mut paths);
    assert!(paths.len() > 30);
    let repo = common::Repo::with(&[("a", "")]);
    for path in paths {
        let args: Vec<&str> = ["--lang", "zh-CN"].into_iter().chain(path.iter().map(String::as_str)).collect();
        let asked = repo.ok(&[&args[..], &["--help"]].concat()).stdout;
        let usage = ["git verdict", &path.join(" ")].join(" ");
        assert!(asked.contains(&format!("用法： {}", usage.trim())), "{asked}");
        for line in asked.lines().filter(|line| !line.starts_with("用法")) {
            assert!(git_verdict::render::text::width(line) <= 80, "{line}");
        }
        for line in asked.lines() {
            assert_eq!(english(line), None, "{line}");
        }
        assert_eq!(repo.ok(&[&args[..], &["-h"]].concat()).stdout, asked);
        if !path.is_empty() {
            let words = [&args[..2], &["help"], &args[2..]].concat();
            assert_eq!(repo.ok(&words).stdout, asked);
        }
        let english = repo.ok(&[&args[2..], &["--help", "--lang", "en"]].concat()).stdout;
        assert!(english.contains("Usage: git verdict") && !english.contains('：'), "{english}");
    }
}

#[test]
fn manual_pages_and_completions_can_be_chinese() {
    let repo = common::Repo::with(&[("a", "")]);
    let files = |folder: &str| repo.json(&["man", "--dir", folder, "--lang", folder])["written"].clone();
    assert_eq!(files("zh-CN"), files("en"));
    for page in std::fs::read_dir(repo.path().join("zh-CN")).unwrap() {
        let page = std::fs::read_to_string(page.unwrap().path()).unwrap();
        for line in page.lines().filter(|line| !line.starts_with(['.', '\'', '\\'])) {
            assert_eq!(english(line), None, "{line}\n{page}");
        }
        for word in ["SH NAME", "SH OPTIONS", "[default", "ossible values"] {
            assert!(!page.contains(word), "{word} in {page}");
        }
    }
    assert!(repo.ok(&["man", "--lang", "zh-CN"]).stdout.contains(".SH 子命令"));
    for shell in ["zsh", "fish", "powershell"] {
        let script = repo.ok(&["completions", shell, "--lang", "zh-CN"]).stdout;
        assert!(script.contains("最多测量 N 轮") && !script.contains("Stop after"), "{shell}");
    }
}

#[test]
fn the_language_is_known_before_the_command_line_is() {
    let mut repo = common::Repo::with(&[("verdict.toml", "version = 1\nlang = \"zh-CN\"\n"), ("sub/a", "")]);
    let says = |repo: &common::Repo, args: &[&str], text: &str| {
        let run = repo.run(args);
        assert!((run.stdout.clone() + &run.stderr).contains(text), "{}", run.report());
    };
    says(&repo, &["--help"], "用法：");
    says(&repo, &["-C", "sub", "log", "--help"], "用法： git verdict log");
    says(&repo, &["--help", "--lang=en"], "Usage:");
    says(&repo, &["--help", "-C", "/"], "Usage:");
    says(&repo, &["-C/", "--lang", "zh_CN.UTF-8", "log", "-h"], "用法： git verdict log");
    says(&repo, &["log", "--bad", "--", "--lang", "en"], "用法： git verdict log");
    // The name of a command as the value of an option is none.
    says(&repo, &["-C", "log", "show", "--help"], "Usage: git verdict show");
    repo.set("LC_ALL", "zh_CN.UTF-8");
    says(&repo, &["-C", "/", "measure", "-h"], "用法： git verdict measure");
}

#[test]
fn a_wrong_command_line_is_told_in_chinese() {
    let repo = common::Repo::with(&[("a", "")]);
    for (args, says) in [
        (&["stat"][..], "没有命令“stat”\n  可试： 您是想写“status, start”吗"),
        (&["measure", "--pears", "3"], "这里没有参数“--pears”\n  可试： 您是想写“--pairs”吗"),
        (&["weigh", "a"], "缺少：<候选>"),
        (&["weigh", "a", "b", "--time"], "--time <命令> 需要一个值"),
        (&["log", "--format", "foo"], "“foo”不是 --format <格式> 的有效值\n  原因： 可选的有：text, markdown, csv"),
        (&["log", "--since", "foo"], "“foo”不是日期"),
        (&["log", "--path", ""], "需要仓库内的一个路径"),
        (&["log", "--path", "a["], "unclosed character class"),
        (&["weigh", "a", "b", "--budget", "3"], "“3”的单位种类在这里不对"),
        (&["weigh", "a", "b", "--budget", "x"], "“x”不以数字开头"),
        (&["weigh", "a", "b", "--budget", "3 kB"], "“3 kB”的单位种类在这里不对"),
        (&["weigh", "a", "b", "--budget", "3 mim"], "未知的单位“mim”，您是想写“min”吗"),
        (&["weigh", "a", "b", "--matters", "0%"], "“0%”不是大于零的百分比"),
        (&["measure", "--pairs", "0"], "0 不在 1..=10000 之内"),
        (&["measure", "--pairs", "x"], "不是整数"),
        (&["log", "-n", "99999999999999999999999"], "不是整数，或者太大"),
        (&["init", "--hooks", "--no-hooks"], "--hooks 与 --no-hooks 不能同时使用"),
        (&["init", "--preset", "cargo", "--preset", "npm"], "--preset <预设> 给出了不止一次"),
        (&["init", "--preset", "zig"], "未知的预设“zig”"),
        (&["decisions", "--merge", "a"], "--merge <我方> <对方> 需要 2 个值，而不是 1 个"),
        (&["log", "a\u{1b}[31m"], "这里没有参数“a"),
        (&["status", "--json=1"], "--json 多了一个值“1”"),
        (&["hook", "run", "x"], "“x”不在其中：prepare-commit-msg"),
        (&["import", "hyperfine", "a", "--unit", "x"], "应写成 指标=值"),
        (&["import", "hyperfine", "a", "--better", "x=y"], "“y”既不是 lower 也不是 higher"),
    ] {
        let args = [&["--lang", "zh-CN"], args].concat();
        let run = repo.expect(2, &args);
        assert!(run.stdout.is_empty() && run.stderr.contains(says), "no '{says}' in {}", run.report());
        assert!(run.stderr.contains("\n用法： git verdict "), "{}", run.report());
        assert!(!run.stderr.contains('\u{1b}'), "{}", run.report());
        let object = repo.run(&[&args[..], &["--json"]].concat());
        let english = repo.run(&[&args[2..], &["--json"]].concat());
        assert_eq!(object.stdout, english.stdout, "{}", object.report());
    }
    for args in [&["--lang", "zh-CN"][..], &["adr", "--lang", "zh-CN"]] {
        let run = repo.expect(2, args);
        assert!(run.stdout.is_empty() && run.stderr.contains("需要一个子命令"), "{}", run.report());
    }
    let mut repo = repo;
    let unknown = repo.expect(2, &["--lang", "de", "log"]);
    assert!(unknown.stderr.contains("no texts in 'de'; there are en and zh-CN"), "{}", unknown.report());
    repo.set("LC_ALL", "zh_CN.UTF-8");
    for args in [&[][..], &["adr"], &["hook"]] {
        let run = repo.expect(2, args);
        assert!(run.stdout.is_empty() && run.stderr.contains("命令："), "{}", run.report());
    }
    assert!(repo.expect(2, &["--lang", "de", "log"]).stderr.contains("没有“de”的文字"));
}

/// Words of others and of history that stand in Chinese output as they are.
const NAMES: &[&str] = &[
    "slim",
    "size",
    "main",
    "verdict",
    "git",
    "keep",
    "half",
    "is",
    "enough",
    "perf",
    "commit",
    "Verdict",
    "maintenance",
];

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

/// Three English words in a row, unless they are a command.
fn english(line: &str) -> Option<String> {
    let row = regex::Regex::new(r"(?:^|[^A-Za-z/._-])([a-z]+(?: [a-z]+){2,})(?:$|[^A-Za-z/_=-])").unwrap();
    let found = row.captures(line)?[1].to_string();
    (!found.starts_with("git ")).then_some(found)
}

/// What others wrote, in the story of the demo: git, the builder, its history and its files.
const OF_OTHERS: &[&str] = &[
    "purge the package cache in the step that fills it",
    "package the service as an image",
    "build the image in two stages",
    "record the decision on multi-stage",
    "tried and reverted",
    "package cache purge",
    "multi-stage build",
    "The packages are installed in a stage of their own; the image gets only what the service needs of them.",
    "Successfully installed 12 packages",
    "bytes in layers",
    "RUN minipip install",
    "minipip cache purge",
    "git version",
    "append record",
    "This reverts commit",
];

/// The words that a command begins with.
const COMMANDS: &[&str] = &[
    "git", "poetry", "sh", "rm", "docker", "podman", "pip", "uv", "apt", "apt-get", "apk", "dnf", "npm", "pnpm",
    "yarn", "cargo", "conda", "bundle", "composer",
];

/// Fails at the first line with two English words in a row that no program, file or person of the story brought in.
#[track_caller]
fn nothing_english(what: &str, text: &str) {
    let row = regex::Regex::new(r"(?:^|[^A-Za-z0-9/._=<>-])([a-z]+(?: [a-z]+)+)(?:$|[^A-Za-z0-9/_=-])").unwrap();
    // Now and then one has no digit.
    let id = regex::Regex::new(r"\b[0-9a-f]{7,40}\b").unwrap();
    for line in text.lines().filter(|line| !line.starts_with(['$', '+', '-', '@']) && !line.starts_with("diff --git")) {
        if line.trim_start().starts_with("Verdict-") {
            continue;
        }
        let own: String = line.split('`').step_by(2).collect();
        let mut own = id.replace_all(&own, "-").into_owned();
        for theirs in OF_OTHERS {
            own = own.replace(theirs, "");
        }
        for found in row.captures_iter(&own) {
            let command = COMMANDS.contains(&found[1].split(' ').next().unwrap());
            assert!(command, "{what}: '{}' in\n{line}\nof\n{text}", &found[1]);
        }
    }
}

#[test]
fn the_whole_story_of_the_demo_says_nothing_in_english() {
    let mut repo = common::Repo::with(&[("a", "")]);
    repo.set("LC_ALL", "zh_CN.UTF-8");
    let story = repo.ok(&["demo", "--dir", "demo", "--budget", "10s"]);
    nothing_english("demo", &(story.stdout + &story.stderr));
    let dir = repo.path().join("demo");
    let at = dir.to_str().unwrap();
    let git = |words: &[&str]| repo.run_in(&dir, "git", words, None).stdout;
    let commit = git(&["rev-parse", "HEAD"]);
    let (commit, parent) = (commit.trim(), format!("{}~1", commit.trim()));
    // Layers that a package manager left its cache in.
    let image = repo.path().join("image");
    for folder in ["root/.cache/pip/http", "var/lib/apt/lists", "root/.npm/_cacache", "root/.cache/pypoetry/cache"] {
        std::fs::create_dir_all(image.join(folder)).unwrap();
        std::fs::write(image.join(folder).join("data"), vec![7; 300_000]).unwrap();
    }
    let image = image.to_str().unwrap().to_string();
    let commands: &[(i32, &[&str])] = &[
        (0, &["log"]),
        (0, &["log", "--all", "--graph"]),
        (0, &["show", "pip-cache"]),
        (0, &["show", "multi-stage", "--where"]),
        (0, &["status"]),
        (0, &["compare", "pip-cache", "multi-stage"]),
        (0, &["recheck"]),
        (0, &["check"]),
        (0, &["check", "--against", &parent, "--format", "markdown"]),
        (0, &["doctor"]),
        (0, &["doctor", "--ledger"]),
        (0, &["adr", "new", "pip-cache"]),
        (3, &["adr", "new", "multi-stage", "--format", "nygard"]),
        (0, &["adr", "index"]),
        (0, &["adr", "check"]),
        (0, &["decisions"]),
        (0, &["report"]),
        (0, &["hook", "install", "--commit-msg", "--post-commit"]),
        (0, &["hook", "status"]),
        (0, &["hook", "uninstall"]),
        (0, &["trust", "--show"]),
        (0, &["trust"]),
        (0, &["inspect", "."]),
        (0, &["inspect", "out"]),
        (0, &["inspect", "out/image"]),
        (0, &["inspect", "vendor", "--against", "base"]),
        (0, &["inspect", &image]),
        (2, &["inspect", ".", "--against", ".git"]),
        (0, &["inspect", ".git"]),
        (0, &["weigh", &parent, commit, "--size", "build.sh", "--json"]),
        (0, &["undo", "multi-stage", "--dry-run"]),
        (3, &["keep", "pip-cache", "--because", "x"]),
        (3, &["sync"]),
        (0, &["start", "next", "--hypothesis", "x"]),
        (0, &["status"]),
        (3, &["measure"]),
        (2, &["decide"]),
        (2, &["abandon", "next"]),
        (0, &["abandon", "next", "--because", "y"]),
        (0, &["schema"]),
        (3, &["init"]),
        (2, &["show", "nope"]),
        (2, &["frobnicate"]),
        (0, &["--help"]),
    ];
    for (code, words) in commands {
        let ran = repo.expect(*code, &[&["-C", at][..], words].concat());
        let stdout = if words.contains(&"--json") { "" } else { &ran.stdout };
        nothing_english(&words.join(" "), &format!("{stdout}{}", ran.stderr));
    }
    for file in ["docs/adr/0001-multi-stage.md", "docs/adr/0002-pip-cache.md", "docs/adr/README.md", "DECISIONS.md"] {
        let text = std::fs::read_to_string(dir.join(file)).unwrap();
        nothing_english(file, &text.replace("<!-- verdict:", "").replace("markdownlint-disable", ""));
    }
    let page = std::fs::read_to_string(dir.join("verdict-report.html")).unwrap();
    let page = page.split_once("<body>").unwrap().1.split("<script>").next().unwrap();
    let words = regex::Regex::new("<[^>]*>").unwrap().replace_all(page, "\n").into_owned();
    nothing_english("report", &words);
}

#[test]
fn findings_about_verdict_toml_are_in_the_readers_language() {
    let mut repo = common::Repo::with(&[("a", "")]);
    repo.set("LC_ALL", "zh_CN.UTF-8");
    repo.ok(&["start", "slim", "--hypothesis", "x"]);
    repo.write("a", "b");
    repo.commit("perf: b");
    let metric = "[metrics.m]\npath = \"a\"\n";
    for (text, says) in [
        ("[chekcs]\n".to_string(), "未知的键“chekcs”"),
        ("[steps\n".into(), "表头未闭合"),
        ("[steps]\nbuild = 3\n".into(), "“build”是整数，不是表"),
        ("[steps.build]\nprepare = \"x\"\n".into(), "没有“run”"),
        (format!("{metric}better = \"up\"\n"), "未知的方向“up”"),
        (format!("{metric}matters = \"5 s\"\n"), "“5 s”的单位不对：指标“m”是大小"),
        (format!("{metric}matters = 0\n"), "“0”没有单位"),
        (format!("{metric}run = \"x\"\n"), "[metrics.m] 有两个来源：“path”和“run”"),
        ("[metrics.m]\npath = \"../a\"\n".into(), "超出了工作区"),
        ("[metrics.m]\nrun = \"x\"\npattern = \"x\"\n".into(), "没有捕获组"),
        ("[metrics.m]\nrun = \"x\"\njson = \"$.a\"\n".into(), "不是 JSON 指针"),
        (format!("{metric}[policy]\nworth = [\"1 s\"]\n"), "不是换算率"),
        ("[policy]\nbase = \"a..b\"\n".into(), "不能作分支名"),
    ] {
        repo.write("verdict.toml", format!("version = 1\n{text}"));
        let ran = repo.expect(2, &["measure"]);
        assert!(ran.stderr.contains(says), "{says}\n{}", ran.report());
        nothing_english(&text, &ran.stderr.replace(text.trim(), ""));
    }
}

#[test]
fn a_reading_that_fails_is_told_in_the_readers_language() {
    let mut repo = common::Repo::with(&[("a", "1"), ("verdict.toml", "version = 1\n")]);
    repo.set("LC_ALL", "zh_CN.UTF-8");
    repo.ok(&["start", "slim", "--hypothesis", "x"]);
    for (source, says) in [
        ("path = \"out\"", "步骤运行后没有“out”"),
        ("path = \"out/*.so\"", "没有与“out/*.so”相符的文件"),
        ("run = \"echo hello\"", "不是数字；数字只是输出的一部分时"),
        ("run = \"true\"", "应输出数字，而命令没有输出"),
        ("run = \"exit 7\"", "退出状态 7"),
        ("run = \"echo x\"\npattern = \"([0-9]+)\"", "输出中没有与"),
        ("run = \"echo '[1]'\"\njson = \"/1\"", "输出在 /1 处没有内容"),
    ] {
        repo.write("verdict.toml", format!("version = 1\nlang = \"zh-CN\"\n[metrics.m]\n{source}\n"));
        repo.commit("config");
        let ran = repo.expect(4, &["measure"]);
        assert!(ran.stderr.contains(says), "{says}\n{}", ran.report());
    }
}

#[test]
fn artefacts_that_cannot_be_read_whole_are_told_in_the_readers_language() {
    let mut repo = common::Repo::with(&[("data", &"x".repeat(4096))]);
    repo.set("LC_ALL", "zh_CN.UTF-8");
    assert_eq!(repo.run_in(repo.path(), "tar", &["-cf", "whole.tar", "data", "data"], None).code, Some(0));
    let whole = std::fs::read(repo.path().join("whole.tar")).unwrap();
    repo.write("cut.tar", &whole[..6000]);
    repo.write("soon.tar", &whole[..1000]);
    repo.write("broken.zip", "PK\u{3}\u{4} and no more");
    repo.write("text", "one line\n");
    repo.write("mach-o", [&[0xcf, 0xfa, 0xed, 0xfe][..], &[0; 60]].concat());
    repo.write("empty/oci-layout", "{}");
    repo.write("empty/index.json", "{}");
    repo.write(
        "several/manifest.json",
        r#"[{"Config":"a","RepoTags":["a:1"],"Layers":[]},{"Config":"b","RepoTags":["b:2"],"Layers":[]}]"#,
    );
    repo.write("build.log", "#1 [1/2] RUN x\n#1 DONE 0.1s\n#2 [2/2] RUN y\n");
    repo.write("Bad", "RNU x\n");
    for (code, words, says) in [
        (2, &["''"][..], "这不是任何东西的名称"),
        (2, &["text"], "这不是镜像、归档文件、ELF 二进制文件，也不是格式已知的构建日志"),
        (2, &["broken.zip"], "不是可读的 zip"),
        (2, &["mach-o"], "这是 Mach-O 二进制文件"),
        (2, &["empty"], "索引中没有清单"),
        (2, &["dir:several"], "其中有 2 个镜像（a:1, b:2）；加上 :TAG 指定一个"),
        (2, &["soon.tar"], "直到结尾都没有 manifest.json 或 index.json（归档文件在 1000 字节后被截断）"),
        (0, &["cut.tar"], "tar 流在 6000 字节后被截断"),
        (0, &["build.log"], "日志在“[2/2] RUN y”结束之前就结束了"),
        (2, &["build.log", "--dockerfile", "Bad"], "“RNU”不是指令"),
    ] {
        let words: Vec<&str> = words.iter().map(|word| if *word == "''" { "" } else { word }).collect();
        let ran = repo.expect(code, &[&["inspect"], &words[..]].concat());
        let told = ran.stdout.clone() + &ran.stderr;
        assert!(told.contains(says), "{says}\n{}", ran.report());
    }
    let told = repo.json(&["inspect", "cut.tar"])["problems"][0].clone();
    assert_eq!(told["place"], "archive");
    assert_eq!(told["what"], "the tar stream is cut off after 6000 bytes");
}

#[test]
fn files_to_import_are_told_in_the_readers_language() {
    let mut repo = common::Repo::with(&[("a", "1")]);
    repo.set("LC_ALL", "zh_CN.UTF-8");
    repo.ok(&["start", "slim", "--hypothesis", "x"]);
    repo.write("a", "2");
    repo.commit("perf: a");
    repo.write("none.json", r#"{"results": [{"command": "a", "times": []}]}"#);
    repo.write("failed.json", r#"{"results": [{"command": "a", "times": [1.0], "exit_codes": [1]}]}"#);
    repo.write("list.json", "[]");
    repo.write("text.txt", "nothing\n");
    for (words, says) in [
        (&["hyperfine", "none.json", "none.json"][..], "“a”没有时间数据"),
        (&["hyperfine", "failed.json", "failed.json"], "“a”的第 1 次运行没有正常结束"),
        (&["hyperfine", "none.json"], "它含有 1 条命令；两侧合用一个文件时需要两条"),
        (&["criterion", "none.json"], "它不是 target/criterion 那样的文件夹"),
        (&["github-action-benchmark", "list.json"], "一个列表只含一侧"),
        (&["go", "text.txt", "text.txt"], "其中没有基准测试的行"),
        (&["go", ".", "."], "它是文件夹"),
    ] {
        let ran = repo.refuses(2, &[&["import"], words].concat());
        assert!(ran.stderr.contains(says), "{says}\n{}", ran.report());
        nothing_english(says, &ran.stderr);
    }
}

#[test]
fn a_new_verdict_toml_is_commented_in_the_language_of_who_makes_it() {
    for (preset, file, text) in [
        ("docker", "Dockerfile", "FROM scratch\nRUN pip install x\n"),
        ("cargo", "Cargo.toml", "[package]\nname = \"a\"\nversion = \"0.1.0\"\n"),
        ("npm", "package.json", r#"{"name": "a", "version": "1.0.0", "scripts": {"build": "tsc"}}"#),
        ("npm", "package.json", r#"{"name": "a", "version": "1.0.0"}"#),
        ("npm", "package.json", "{}"),
        ("python", "pyproject.toml", "[project]\nname = \"a\"\n"),
        ("python", "requirements.txt", "flask\n"),
    ] {
        let repo = common::Repo::with(&[(file, text), ("src/main.rs", "fn main() {}\n")]);
        let made = |lang: &str| repo.ok(&["init", "--preset", preset, "--dry-run", "--lang", lang]).stdout;
        let (english, chinese) = (made("en"), made("zh-CN"));
        let settings = |text: &str| -> Vec<String> {
            text.lines().filter(|line| !line.starts_with("# ")).map(String::from).collect()
        };
        assert_eq!(settings(&english), settings(&chinese));
        let comments: Vec<&str> = chinese.lines().filter(|line| line.starts_with("# ")).collect();
        assert!(comments.len() > 5, "{chinese}");
        nothing_english(file, &comments.join("\n"));
    }
    let repo = common::Repo::with(&[("package.json", "[]")]);
    let says = "无法使用 package.json：第 1 行：不是 JSON 对象";
    repo.refuses(2, &["init", "--preset", "npm", "--lang", "zh-CN"]).says(&[says]);
}

#[test]
fn what_is_said_of_names_and_repositories_is_in_the_readers_language() {
    let mut repo = common::Repo::with(&[("a", "1")]);
    repo.set("LC_ALL", "zh_CN.UTF-8");
    repo.refuses(2, &["start", "A b", "--hypothesis", "x"]).says(&["'A' 不是小写字母、数字"]);
    repo.refuses(2, &["start", &"a".repeat(90), "--hypothesis", "x"]).says(&["它有 90 字节，最多允许 80 字节"]);
    repo.write("adrs.toml", "adr_dir = \"\"\n");
    repo.refuses(2, &["adr", "index"]).says(&["无法遵循 adrs.toml：其中没有写明文件夹"]);
    std::fs::remove_file(repo.path().join("adrs.toml")).unwrap();
    repo.refuses(2, &["adr", "index", "--folder", "../x"]).says(&["“../x”不能存放决策文件", "必须在工作区内"]);
    repo.git(&["config", "core.repositoryformatversion", "1"]);
    repo.git(&["config", "extensions.refstorage", "odd"]);
    repo.expect(3, &["status"]).says(&["无法读取此仓库：其引用以“odd”保存，这种格式未知"]);
}

#[test]
fn tables_to_paste_are_in_the_readers_language() {
    let repo =
        common::Repo::with(&[("verdict.toml", "version = 1\n[metrics.size]\npath = \"out\"\n"), ("out", "0123456789")]);
    repo.ok(&["start", "slim", "--hypothesis", "x"]);
    repo.write("out", "01234");
    repo.commit("perf: half");
    repo.ok(&["measure"]);
    repo.ok(&["keep", "slim", "--because", "y"]);
    for words in [&["log", "--format", "markdown"][..], &["export", "markdown"]] {
        let table = repo.ok(&[words, &["--lang", "zh-CN"]].concat()).stdout;
        assert!(table.starts_with("| 日期 | 状态 | 实验 | 变化 | 原因 |\n"), "{table}");
        assert!(table.contains("| 已保留 |"), "{table}");
        assert!(repo.ok(words).stdout.starts_with("| date | state | experiment | change | why |\n"));
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
