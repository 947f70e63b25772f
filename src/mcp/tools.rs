//! What the server offers: each tool, what it takes, and how that becomes the arguments of a command.
//!
//! A client never names an option: it fills in parameters that are listed here, and each value goes into a word of its own as
//! `--option=value` or behind `--`. What would let a program choose the numbers is not here: no `--force`, no `--metric`, no
//! `--seed`, no `--no-checks`, no `import`, no `trust`, and no command to run.

use serde_json::{Map, Value, json};
use std::path::Path;

/// The longest value in characters.
const LONGEST: usize = 4000;

/// What a tool does to the repository, which decides whether it may be stopped and whether a person is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Changes nothing.
    Read,
    /// Writes a branch or a record; it takes a moment and is never stopped half-way.
    Write,
    /// Runs the commands of `verdict.toml`, which may take hours.
    Measure,
    /// Decides: a person is asked.
    Land,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Text,
    Number,
    Switch,
    List,
}

/// A parameter; `bare` ones stand behind `--`, all others are options of the same name.
#[derive(Debug)]
struct Param {
    name: &'static str,
    takes: Takes,
    required: bool,
    bare: bool,
    /// It may name a file, which must be in the repository.
    place: bool,
    about: &'static str,
}

/// A tool; its name is the command's.
#[derive(Debug)]
pub(super) struct Tool {
    pub name: &'static str,
    pub kind: Kind,
    about: &'static str,
    /// The schema of all that it prints; none when that differs with the arguments.
    schema: Option<&'static str>,
    params: &'static [Param],
}

const fn text(name: &'static str, about: &'static str) -> Param {
    Param { name, takes: Takes::Text, required: false, bare: false, place: false, about }
}

const fn needed(param: Param) -> Param {
    Param { required: true, ..param }
}

const fn bare(param: Param) -> Param {
    Param { bare: true, ..param }
}

const fn number(name: &'static str, about: &'static str) -> Param {
    Param { takes: Takes::Number, ..text(name, about) }
}

const fn switch(name: &'static str, about: &'static str) -> Param {
    Param { takes: Takes::Switch, ..text(name, about) }
}

const fn list(name: &'static str, about: &'static str) -> Param {
    Param { takes: Takes::List, ..text(name, about) }
}

const fn place(name: &'static str, about: &'static str) -> Param {
    Param { place: true, ..text(name, about) }
}

const HERE: Param = bare(text("name", "The experiment (default: the one whose branch is checked out)"));
const BECAUSE: Param = needed(text("because", "Why, in one or two sentences; it is kept in history"));
const DRY_RUN: Param = switch("dry_run", "Show exactly what would be done, and do nothing");

pub(super) const TOOLS: &[Tool] = &[
    Tool {
        name: "status",
        kind: Kind::Read,
        about: "Where the experiment of this branch is, and which command comes next. Call this first.",
        schema: Some("status"),
        params: &[],
    },
    Tool {
        name: "start",
        kind: Kind::Write,
        about: "Opens an experiment on a branch of its own and checks that out. Then make one small change and commit it.",
        schema: Some("start"),
        params: &[
            needed(bare(text("name", "Lower-case letters, digits, '.', '_' and '-'"))),
            needed(text("hypothesis", "What is expected, and why")),
            text("title", "What is tried, for subjects and headings"),
            text("on", "Where it starts: a commit or branch, or the experiment that it stands on"),
            text("adopt", "Take commits that exist already: A..B, or one commit"),
        ],
    },
    Tool {
        name: "measure",
        kind: Kind::Measure,
        about: "Measures the base and the committed candidate in turn, in work trees of their own, and records the result. It may \
                take long: ask for progress, and cancel the request to stop it.",
        schema: Some("measure"),
        params: &[
            HERE,
            number("pairs", "Stop after this many pairs at the latest"),
            text("budget", "Begin no new pair after this long, such as 10m"),
            list("with", "Other experiments to measure in the same session"),
        ],
    },
    Tool {
        name: "compare",
        kind: Kind::Read,
        about: "Measured options side by side: each against the base and against the one it stands on.",
        schema: Some("compare"),
        params: &[bare(list("names", "The experiments (default: all that are open)"))],
    },
    Tool {
        name: "keep",
        kind: Kind::Land,
        about: "Merges an experiment with its numbers. A person is asked first, unless dry_run is set.",
        schema: None,
        params: &[HERE, BECAUSE, DRY_RUN],
    },
    Tool {
        name: "revert",
        kind: Kind::Land,
        about: "Records in history that an experiment was tried and reverted, with its numbers. A person is asked first, unless \
                dry_run is set.",
        schema: None,
        params: &[HERE, BECAUSE, DRY_RUN, text("mode", "merge, in-place or archive (default: as verdict.toml says)")],
    },
    Tool {
        name: "undo",
        kind: Kind::Land,
        about: "Takes back a decision that has landed. A person is asked first, unless dry_run is set.",
        schema: None,
        params: &[bare(text("name", "The experiment (default: the one that was decided last)")), BECAUSE, DRY_RUN],
    },
    Tool {
        name: "abandon",
        kind: Kind::Land,
        about: "Gives an experiment up without a decision; its branch stays. A person is asked first.",
        schema: Some("abandon"),
        params: &[needed(bare(text("name", "The experiment"))), BECAUSE],
    },
    Tool {
        name: "log",
        kind: Kind::Read,
        about: "The decisions, newest first, with their numbers. Read it before a new idea: it may have been tried.",
        schema: Some("log"),
        params: &[
            number("number", "At most this many"),
            number("skip", "Leave out this many of the newest"),
            list("state", "Only these states: open, measured, kept, reverted, archived, abandoned"),
            text("metric", "Only those that measured this metric"),
            text("path", "Only those that changed a file of this glob"),
            text("author", "Only those decided by this person"),
            text("since", "Not before this date: 2026-01-31 or '3 weeks ago'"),
            text("until", "Not after this date"),
            text("grep", "Only those with this text in name, title, hypothesis or reason"),
            switch("all", "Those that are still open too"),
        ],
    },
    Tool {
        name: "show",
        kind: Kind::Read,
        about: "One experiment or record, whole.",
        schema: None,
        params: &[
            needed(bare(text("name", "The experiment, or the id of a record"))),
            switch("where", "Also where the change came from: layers, build steps, files, sections"),
        ],
    },
    Tool {
        name: "check",
        kind: Kind::Measure,
        about: "What is wrong with the decisions that this branch brings, as in CI. Its exit is 1 when something is.",
        schema: Some("check"),
        params: &[
            text("against", "What this branch would be merged into"),
            switch("measure", "Also measure HEAD against the merge base, and fail on a regression"),
        ],
    },
    Tool {
        name: "inspect",
        kind: Kind::Read,
        about: "What an image, folder, archive, binary or build log is made of, and what changed between two.",
        schema: Some("inspect"),
        params: &[
            bare(place("target", "An image, or a path in the repository")),
            place("against", "What it is compared with"),
            place("log", "A build log in the repository"),
            place("dockerfile", "The Dockerfile that the image was built from"),
            number("top", "How many of the largest"),
        ],
    },
    Tool {
        name: "doctor",
        kind: Kind::Read,
        about: "What is wrong here: a decision cut off half-way, missing tools. Its exit is 1 when something is.",
        schema: Some("doctor"),
        params: &[],
    },
];

impl Tool {
    /// The tool of that name.
    pub fn named(name: &str) -> Option<&'static Tool> {
        TOOLS.iter().find(|tool| tool.name == name)
    }

    /// As `tools/list` tells it.
    pub fn describe(&self) -> Value {
        let mut properties = Map::new();
        for param in self.params {
            let kind = match param.takes {
                Takes::Text => json!({"type": "string", "maxLength": LONGEST}),
                Takes::Number => json!({"type": "integer", "minimum": 0}),
                Takes::Switch => json!({"type": "boolean"}),
                Takes::List => json!({"type": "array", "items": {"type": "string", "maxLength": LONGEST}}),
            };
            let Value::Object(mut fields) = kind else { continue };
            fields.insert("description".into(), param.about.into());
            properties.insert(param.name.into(), fields.into());
        }
        let required: Vec<&str> = self.params.iter().filter(|p| p.required).map(|p| p.name).collect();
        let mut tool = json!({
            "name": self.name,
            "description": self.about,
            "inputSchema": {"type": "object", "properties": properties, "required": required, "additionalProperties": false},
            "annotations": {
                "readOnlyHint": self.kind == Kind::Read, "destructiveHint": self.kind == Kind::Land, "openWorldHint": false,
            },
        });
        if let Some(Value::Object(mut schema)) = self.schema.and_then(crate::schema::document) {
            // Clients compile it with whatever version of JSON Schema they have; it uses nothing that they differ in.
            schema.remove("$schema");
            tool["outputSchema"] = schema.into();
        }
        tool
    }

    /// The words behind the command's name, and whether it is a dry run; else what is wrong with the arguments.
    pub fn words(&self, arguments: Option<&Value>, root: &Path) -> Result<(Vec<String>, bool), String> {
        let none = Map::new();
        let arguments = match arguments {
            None | Some(Value::Null) => &none,
            Some(Value::Object(fields)) => fields,
            Some(_) => return Err("the arguments are to be an object".into()),
        };
        if let Some(name) = arguments.keys().find(|name| !self.params.iter().any(|param| param.name == *name)) {
            let known: Vec<&str> = self.params.iter().map(|param| param.name).collect();
            return Err(format!("{} has no parameter {name:?}; it has: {}", self.name, known.join(", ")));
        }
        let (mut options, mut behind, mut dry) = (Vec::new(), vec!["--".to_string()], false);
        for param in self.params {
            let name = param.name;
            let option = name.replace('_', "-");
            let mut values: Vec<String> = Vec::new();
            match (param.takes, arguments.get(name)) {
                (_, None | Some(Value::Null)) => {}
                (Takes::Text, Some(Value::String(value))) => values.push(value.clone()),
                (Takes::Number, Some(Value::Number(value))) if value.is_u64() => values.push(value.to_string()),
                (Takes::Switch, Some(Value::Bool(on))) => {
                    dry |= *on && name == DRY_RUN.name;
                    options.extend(on.then(|| format!("--{option}")));
                }
                (Takes::List, Some(Value::Array(items))) => {
                    for item in items {
                        values.push(item.as_str().ok_or(format!("{name} is to be a list of texts"))?.to_string());
                    }
                }
                (takes, Some(_)) => {
                    let wanted = match takes {
                        Takes::Text => "a text",
                        Takes::Number => "a whole number that is not negative",
                        Takes::Switch => "true or false",
                        Takes::List => "a list of texts",
                    };
                    return Err(format!("{name} is to be {wanted}"));
                }
            }
            if param.required && values.is_empty() {
                return Err(format!("{} needs {name}: {}", self.name, param.about));
            }
            for value in values {
                if value.chars().count() > LONGEST || value.chars().any(|c| c.is_control() && !"\n\t".contains(c)) {
                    return Err(format!("{name} is to have at most {LONGEST} characters and no control characters"));
                }
                if param.place {
                    inside(root, &value).map_err(|why| format!("{name} is refused: {why}"))?;
                }
                if param.bare { behind.push(value) } else { options.push(format!("--{option}={value}")) }
            }
        }
        if behind.len() > 1 {
            options.append(&mut behind);
        }
        Ok((options, dry))
    }
}

/// Refuses what is, or would lead to, a file outside of the repository.
fn inside(root: &Path, value: &str) -> Result<(), String> {
    // `oci-archive:PATH`, `PATH:TAG`: each part could be one.
    for part in value.split([':', '=']) {
        let path = Path::new(part);
        if path.is_absolute() || part.starts_with('~') || path.components().any(|c| c.as_os_str() == "..") {
            return Err("only files in the repository are looked at".into());
        }
        // What is not there leads nowhere; the command says that it is missing.
        if let Ok(whole) = root.join(path).canonicalize()
            && !root.canonicalize().is_ok_and(|root| whole.starts_with(root))
        {
            return Err("it is a link that leaves the repository".into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(tool: &str, arguments: Value) -> Result<Vec<String>, String> {
        let root = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc", root.path().join("out")).unwrap();
        std::fs::write(root.path().join("in"), "").unwrap();
        Tool::named(tool).unwrap().words(Some(&arguments), root.path()).map(|(words, _)| words)
    }

    #[test]
    fn a_value_never_becomes_an_option() {
        let given = json!({"name": "--force", "because": "--yes", "dry_run": false});
        assert_eq!(words("keep", given).unwrap(), ["--because=--yes", "--", "--force"]);
        assert_eq!(words("compare", json!({"names": ["-C", "/"]})).unwrap(), ["--", "-C", "/"]);
        assert_eq!(words("log", json!({"number": 3, "all": true})).unwrap(), ["--number=3", "--all"]);
    }

    #[test]
    fn what_is_not_offered_is_refused() {
        for name in ["force", "yes", "metric", "no_checks", "seed", "C", "--force", "json"] {
            let error = words("measure", json!({name: true})).unwrap_err();
            assert!(error.contains("has no parameter"), "{error}");
        }
        for tool in TOOLS {
            let text = tool.describe().to_string();
            assert!(!text.contains("\"force\":") && !text.contains("$schema\":"), "{}", tool.name);
        }
        for name in ["trust", "import", "weigh", "sync", "hook", "init", "decide"] {
            assert!(Tool::named(name).is_none(), "{name}");
        }
    }

    #[test]
    fn wrong_types_missing_values_and_control_characters_are_told_by_name() {
        for (tool, given, told) in [
            ("keep", json!({}), "keep needs because"),
            ("keep", json!({"because": 1}), "because is to be a text"),
            ("keep", json!({"because": "a\u{0}b"}), "no control characters"),
            ("keep", json!({"because": "x".repeat(LONGEST + 1)}), "at most"),
            ("measure", json!({"pairs": -1}), "pairs is to be a whole number"),
            ("measure", json!({"pairs": 1.5}), "pairs is to be a whole number"),
            ("measure", json!({"with": [1]}), "with is to be a list of texts"),
            ("log", json!({"all": "yes"}), "all is to be true or false"),
            ("log", json!([1]), "the arguments are to be an object"),
        ] {
            let error = words(tool, given).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn files_outside_of_the_repository_are_refused_however_they_are_named() {
        for target in ["/etc", "..", "a/../../b", "oci-archive:/etc/x", "out", "out/passwd", "~root", "dir:../x"] {
            let error = words("inspect", json!({"target": target})).unwrap_err();
            assert!(error.contains("target is refused"), "{target}: {error}");
        }
        for target in ["in", ".", "app:verdict", "missing/file", "registry.example/app@sha256:00"] {
            words("inspect", json!({"target": target})).unwrap();
        }
    }
}
