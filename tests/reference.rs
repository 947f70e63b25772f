//! The reference pages of the docs are made of the program itself: `UPDATE_REFERENCE=1 cargo test --test all reference::` writes them
//! anew, and without that the test fails when they are stale.

use clap::CommandFactory;
use git_verdict::schema;
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

fn hold(name: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference").join(name);
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, made).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = written.lines().zip(made.lines()).find(|(old, new)| old != new);
    assert!(
        written == made,
        "docs/reference/{name} is stale: UPDATE_REFERENCE=1 cargo test --test all reference::\n{differs:?}"
    );
}

/// The arguments of a command that are its own, and then its subcommands.
fn command(out: &mut String, path: &str, command: &clap::Command, globals: bool) {
    write!(out, "\n## {path}\n\n{}\n", command.get_about().map(ToString::to_string).unwrap_or_default()).unwrap();
    let own = command.get_arguments().filter(|arg| arg.is_global_set() == globals && !arg.is_hide_set());
    let rows: Vec<String> = own.filter(|arg| !["help", "version"].contains(&arg.get_id().as_str())).map(row).collect();
    if !rows.is_empty() {
        write!(out, "\n| option | what it does |\n|---|---|\n{}", rows.concat()).unwrap();
    }
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        self::command(out, &format!("{path} {}", sub.get_name()), sub, false);
    }
}

fn row(arg: &clap::Arg) -> String {
    let values: String = match arg.get_action().takes_values() {
        true => {
            let names = arg.get_value_names().into_iter().flatten().map(|name| name.to_string());
            let named = names.reduce(|all, name| format!("{all}> <{name}")).unwrap_or(arg.get_id().to_string());
            format!("<{named}>")
        }
        false => String::new(),
    };
    let flags = arg.get_short().map(|c| format!("-{c}")).into_iter().chain(arg.get_long().map(|l| format!("--{l}")));
    let mut name = flags.collect::<Vec<_>>().join(", ");
    if !values.is_empty() {
        name = format!("{name} {values}");
    }
    let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let words: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set() && arg.get_action().takes_values())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if !words.is_empty() {
        text.push_str(&format!(": {}", words.join(", ")));
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if !defaults.is_empty() && arg.get_action().takes_values() {
        text.push_str(&format!(" (default: `{}`)", defaults.join(" ")));
    }
    let cell = |text: &str| text.trim().replace('|', "\\|").replace('\n', " ");
    format!("| `{}` | {} |\n", cell(&name), cell(&text))
}

#[test]
fn the_page_of_options_is_what_help_says() {
    let mut out = String::from(
        "# Every option\n\nMade of what `--help` prints. What is said for `git verdict` goes for every command; arguments without \
         a dash are positional.\n",
    );
    let mut tree = git_verdict::cli::Cli::command();
    // Subcommands are put off until they are wanted.
    tree.build();
    command(&mut out, "git verdict", &tree, true);
    assert!(out.contains("| `--pairs <N>` |"), "the commands were not looked into");
    hold("options.md", &out);
}

/// The type of a field in words, with a link to what is described elsewhere on the page.
fn kind(field: &Value) -> String {
    if let Some(name) = field["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        return format!("[{name}](#{name})");
    }
    if let Some(choices) = field["anyOf"].as_array() {
        return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    if let Some(words) = field["enum"].as_array() {
        return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    }
    if !field["const"].is_null() {
        return format!("`{}`", field["const"]);
    }
    match field["type"].as_str() {
        Some("array") => format!("list of {}", kind(&field["items"])),
        Some(word) => word.to_string(),
        None => "any".to_string(),
    }
}

/// A row for each field; those of objects within follow, with the path to them.
fn rows(out: &mut String, path: &str, schema: &Value) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let always = if required.contains(&name.as_str()) { "" } else { "sometimes" };
        let text = field["description"].as_str().unwrap_or_default();
        writeln!(out, "| `{path}{name}` | {} | {always} | {text} |", kind(field)).unwrap();
        rows(out, &format!("{path}{name}."), field);
        rows(out, &format!("{path}{name}[]."), &field["items"]);
        for choice in field["anyOf"].as_array().into_iter().flatten() {
            rows(out, &format!("{path}{name}."), choice);
        }
    }
}

fn section(out: &mut String, name: &str, schema: &Value) {
    let text = schema["description"].as_str().unwrap_or_default();
    write!(out, "\n### {name}\n\n{text}\n").unwrap();
    if let Some(choices) = schema["oneOf"].as_array() {
        let choices: Vec<String> = choices
            .iter()
            .map(|choice| match choice["properties"].as_object() {
                Some(fields) => fields.iter().map(|(name, field)| format!("`{name}`: {}", kind(field))).collect(),
                None => kind(choice),
            })
            .collect();
        write!(out, "\nOne of: {}.\n", choices.join("; ")).unwrap();
    }
    let mut table = String::new();
    rows(&mut table, "", schema);
    if !table.is_empty() {
        write!(out, "\n| field | type | | what it is |\n|---|---|---|---|\n{table}").unwrap();
    }
}

#[test]
fn the_page_of_json_is_what_the_schemas_say() {
    let mut out = String::from(
        "# Every field of the JSON output\n\nMade of the schemas that `git verdict schema` prints ([machine formats](../schema.md)).\n\n## Output\n",
    );
    let mut definitions = std::collections::BTreeMap::new();
    for (name, _) in schema::names().into_iter().filter(|(name, _)| name != schema::CONFIG) {
        let document = schema::document(&name).unwrap();
        section(&mut out, &name, &document);
        definitions.extend(document["$defs"].as_object().unwrap().clone());
    }
    out.push_str("\n## What outputs are made of\n");
    for (name, definition) in &definitions {
        section(&mut out, name, definition);
    }
    hold("json.md", &out);
}
