//! What went wrong in a run or a reading, in the reader's language: sessions and records keep it as an English sentence.

use crate::phrase;
use crate::phrase::Phrase;

/// The sentences, as they are written where they arise. One that begins like another stands before it.
pub const SENTENCES: &[&str] = &[
    "step {name}",
    "metric {name}",
    "check {name}",
    "counted step {name}",
    "prepare {name}",
    "warm-up {name}",
    "hidden check {name}",
    "instructions of {name}",
    "what {name} is made of",
    "variable {name}",
    "matters of {name}",
    "limit of {name}",
    "exit status 127 (command not found)",
    "exit status 126 (command cannot be executed)",
    "exit status {code}",
    "killed by signal {number} ({name})",
    "killed by signal {number}",
    "timed out after {seconds} s",
    "stopped: it wants to read from the terminal, and has none",
    "printed more than {most} MiB",
    "interrupted",
    "no such folder: {dir}",
    "no such command: {program}, did you mean '{near}'?",
    "no such command: {program}",
    "{program} cannot be executed: its interpreter is missing",
    "{program} cannot be executed: permission denied",
    "{program} cannot be executed: {error}",
    "there is no processor {cpu}",
    "processor {missing} is not there, or not for this process",
    "only Linux can do this for single commands",
    "there is no step '{step}'",
    "the step '{step}' was not run for this",
    "the log does not say how long '{name}' took",
    "the log shows no build step (it is read as BuildKit with --progress=plain or rawjson, podman, buildah, docker and kaniko \
     print it)",
    "no build step contains '{pattern}'; the log shows:{seen}",
    "{problem}; give a pattern or a json pointer when the number is only part of the output",
    "the command printed {value}, which is not a finite number",
    "the command printed {value}, and a {kind} cannot be negative",
    "'{pattern}' is not a regular expression: {e}",
    "nothing in the output matches '{pattern}'; it printed {printed}",
    "the last match of '{pattern}' has nothing in its group",
    "the output is not JSON ({e}); it printed {printed}",
    "the output has nothing at {pointer}",
    "the output has {kind} at {pointer}, not a number",
    "{n} at {pointer} is too large",
    "the command printed nothing where a number was expected",
    "'{text}' is not clearly one number; print it with a point and without commas",
    "{printed} is not a number",
    "its manifest cannot be read: {e}",
    "answered '{answer}'",
    "no such image",
    "its daemon does not answer",
    "not installed",
    "image '{spec}' does not exist after the steps have run",
    "image '{name}' does not exist ({answers})",
    "'{name}' is not the name of an image",
    "instructions cannot be counted here: perf: {perf}; valgrind: {valgrind}",
    "callgrind counted nothing",
    "perf says '{count}'",
    "'{path}' does not exist after the steps have run",
    "'{path}' is outside the work tree (it is {place})",
    "nothing matches '{glob}'",
    "'{glob}' is not a glob: {error}",
    "{path} cannot be read: {e}",
    "it is not installed",
    "hidden",
    "true or false",
    "a list",
    "an object",
    "nothing",
    "size",
    "time",
];

/// What follows the outcome of a check that the base fails as well.
pub const BASE_FAILS: &str = "; the base fails it, too";

/// The sentence, with its values apart from its words; what is none of ours stays as it is.
pub fn told(text: &str) -> Phrase {
    if let Some(outcome) = text.strip_suffix(BASE_FAILS) {
        return phrase!("{outcome}; the base fails it, too", outcome = told(outcome));
    }
    Phrase::recognised(text, SENTENCES).unwrap_or_else(|| Phrase::verbatim(text))
}

/// Several of them, with a comma between.
pub fn told_all(texts: impl IntoIterator<Item = impl AsRef<str>>) -> Phrase {
    Phrase::joined(texts.into_iter().map(|text| told(text.as_ref())).collect(), ", ")
}
