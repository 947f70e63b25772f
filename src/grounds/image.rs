//! The images that a Dockerfile builds on: what stands behind `FROM`, and behind `--from=` where that is no stage.
//!
//! Build arguments that are declared before the first `FROM` are replaced by their defaults (Dockerfile reference, "how ARG
//! and FROM interact"). What a command line gives for them is not known here, and an argument without a default stays as it
//! is written.

use crate::inspect::dockerfile::{Dockerfile, Instruction};
use std::collections::BTreeMap;
use std::path::Path;

/// Whether a file is one, by its name: `Dockerfile`, `Dockerfile.dev`, `app.Dockerfile`, and the same with `Containerfile`.
pub fn is_dockerfile(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let name = name.to_lowercase();
    ["dockerfile", "containerfile"].iter().any(|word| {
        let rest = name.strip_prefix(word);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.') && !rest.ends_with(".dockerignore"))
            || name.strip_suffix(word).is_some_and(|rest| rest.ends_with('.'))
    })
}

/// The references, each once, in the order in which they stand there.
pub fn references(bytes: &[u8]) -> Vec<String> {
    let file = Dockerfile::parse(bytes);
    let arguments = arguments(&file.instructions);
    let mut found: Vec<String> = Vec::new();
    let mut add = |text: &str, before: Option<usize>| {
        let reference = expand(text, &arguments);
        let earlier = &file.stages[..before.unwrap_or(file.stages.len()).min(file.stages.len())];
        let named = |stage: &crate::inspect::dockerfile::Stage| {
            stage.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(&reference))
        };
        let number = reference.parse::<usize>().is_ok_and(|number| number < earlier.len());
        let scratch = reference.is_empty() || reference == "scratch";
        if !scratch && !number && !earlier.iter().any(named) && !found.contains(&reference) {
            found.push(reference);
        }
    };
    let mut stage = 0;
    for instruction in &file.instructions {
        match instruction.keyword.as_str() {
            "FROM" => {
                add(&file.stages[stage].base, Some(stage));
                stage += 1;
            }
            "COPY" | "ADD" | "RUN" => {
                for word in instruction.text.split_whitespace().take_while(|word| word.starts_with("--")) {
                    let mount =
                        word.strip_prefix("--mount=").and_then(|m| m.split(',').find_map(|p| p.strip_prefix("from=")));
                    if let Some(from) = word.strip_prefix("--from=").or(mount) {
                        add(from, None);
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// The digest that a reference is pinned to.
pub fn pinned(reference: &str) -> Option<&str> {
    reference.split_once('@').map(|(_, digest)| digest).filter(|digest| digest.contains(':'))
}

/// The defaults of the arguments before the first `FROM`.
fn arguments(instructions: &[Instruction]) -> BTreeMap<String, String> {
    let before = instructions.iter().take_while(|instruction| instruction.keyword != "FROM");
    let mut found = BTreeMap::new();
    for instruction in before.filter(|instruction| instruction.keyword == "ARG") {
        for word in instruction.text.split_whitespace() {
            if let Some((name, value)) = word.split_once('=') {
                let value = expand(value.trim_matches(['"', '\'']), &found);
                found.insert(name.to_string(), value);
            }
        }
    }
    found
}

/// Replaces `$NAME`, `${NAME}` and `${NAME:-default}`.
fn expand(text: &str, arguments: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (name, default, end) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((inside, _)) => {
                let (name, default) = inside.split_once(":-").map_or((inside, None), |(n, d)| (n, Some(d)));
                (name, default, inside.len() + 2)
            }
            None => {
                let end = after.find(|c| !letter(c)).unwrap_or(after.len());
                (&after[..end], None, end)
            }
        };
        match arguments.get(name).map(String::as_str).filter(|value| !value.is_empty()).or(default) {
            Some(value) => out.push_str(value),
            None => out.push_str(&rest[at..at + 1 + end]),
        }
        rest = &after[end..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::dockerfile::image_name;

    #[test]
    fn what_a_build_starts_from_is_found_and_stages_are_not() {
        let text = "ARG TAG=3.10\nARG BASE=\"python\"\nFROM ${BASE}:$TAG AS build\nRUN --mount=type=bind,from=busybox:1,target=/x true\n\
            FROM --platform=linux/amd64 build AS next\nFROM ${OTHER:-debian:12}@sha256:ab\nCOPY --from=build /a /a\n\
            COPY --from=0 /b /b\nCOPY --chown=1 --from=nginx:1.25 /c /c\nFROM scratch\nFROM $UNKNOWN\n";
        assert_eq!(
            references(text.as_bytes()),
            ["python:3.10", "busybox:1", "debian:12@sha256:ab", "nginx:1.25", "$UNKNOWN"]
        );
        assert_eq!(references(b"\xff${"), [""; 0]);
        assert_eq!(references(b"FROM ${\nFROM $"), ["${", "$"]);
    }

    #[test]
    fn a_reference_is_taken_apart() {
        assert_eq!(image_name("registry:5000/app:1.2@sha256:ab"), "registry:5000/app");
        assert_eq!(image_name("python"), "python");
        assert_eq!(pinned("a@sha256:ab"), Some("sha256:ab"));
        assert_eq!(pinned("a:1"), None);
    }

    #[test]
    fn dockerfiles_are_known_by_name() {
        for name in ["Dockerfile", "a/Containerfile", "Dockerfile.dev", "app.Dockerfile", "app.dockerfile"] {
            assert!(is_dockerfile(Path::new(name)), "{name}");
        }
        for name in ["Dockerfile.dockerignore", "mydockerfile", "Dockerfiles", "x"] {
            assert!(!is_dockerfile(Path::new(name)), "{name}");
        }
    }
}
