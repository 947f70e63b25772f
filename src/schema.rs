//! Machine formats: the JSON Schemas of everything that `--json` prints, and of `verdict.toml`.
//!
//! The schemas are written by hand in `schemas/`; the tests hold every object that they see printed against them, closed
//! to fields that are not there. What is given out is open: fields are only ever added within a version.
//!
//! Source of the formats: JSON Schema 2020-12 for output, draft-07 (which TOML tools read) for the configuration.

use serde_json::{Map, Value, json};

/// The name under which the schema of `verdict.toml` is given out.
pub const CONFIG: &str = "verdict.toml";

const OUTPUT_SOURCE: &str = include_str!("../schemas/output.json");
const CONFIG_SOURCE: &str = include_str!("../schemas/verdict.toml.json");

/// Every name that has a schema, with what it describes, in alphabetical order.
pub fn names() -> Vec<(String, String)> {
    let text = |schema: &Value| schema["description"].as_str().unwrap_or_default().to_string();
    let outputs = source(OUTPUT_SOURCE);
    let mut all: Vec<(String, String)> =
        members(&outputs["outputs"]).map(|(name, s)| (name.clone(), text(s))).collect();
    all.push((CONFIG.to_string(), text(&source(CONFIG_SOURCE))));
    all.sort();
    all
}

/// The schema of that name, whole: it refers to nothing outside of itself. None for a name that has none.
pub fn document(name: &str) -> Option<Value> {
    if name == CONFIG {
        return Some(source(CONFIG_SOURCE));
    }
    let all = source(OUTPUT_SOURCE);
    let Value::Object(wanted) = all["outputs"].get(name)?.clone() else { return None };
    let mut document = Map::new();
    document.insert("$schema".into(), all["$schema"].clone());
    document.insert("title".into(), format!("git-verdict/{name}").into());
    document.extend(wanted);
    let mut definitions = Map::new();
    collect(&Value::Object(document.clone()), &all["$defs"], &mut definitions);
    definitions.sort_keys();
    document.insert("$defs".into(), Value::Object(definitions));
    Some(Value::Object(document))
}

/// All schemas of output in one object, by name.
pub fn all() -> Value {
    let outputs = source(OUTPUT_SOURCE);
    let each = members(&outputs["outputs"]).filter_map(|(name, _)| Some((name.clone(), document(name)?)));
    json!({"outputs": each.collect::<Map<_, _>>(), CONFIG: source(CONFIG_SOURCE)})
}

fn source(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn members(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().into_iter().flatten()
}

/// Adds each definition that `schema` refers to, and those that they refer to in turn.
fn collect(schema: &Value, definitions: &Value, found: &mut Map<String, Value>) {
    match schema {
        Value::Object(fields) => {
            let named = fields.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix("#/$defs/"));
            if let Some(name) = named.filter(|name| !found.contains_key(*name))
                && let Some(definition) = definitions.get(name)
            {
                found.insert(name.to_string(), definition.clone());
                collect(definition, definitions, found);
            }
            fields.values().for_each(|value| collect(value, definitions, found));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, definitions, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sources_are_json_and_say_of_every_field_of_an_output_what_it_is_of() {
        for text in [OUTPUT_SOURCE, CONFIG_SOURCE] {
            serde_json::from_str::<Value>(text).expect("JSON");
        }
        for (name, what) in names() {
            assert!(!what.is_empty(), "{name}");
        }
    }

    #[test]
    fn a_document_holds_every_definition_that_it_refers_to_and_no_other() {
        let all = source(OUTPUT_SOURCE);
        for (name, _) in members(&all["outputs"]) {
            let document = document(name).unwrap();
            let text = document.to_string();
            for (definition, _) in members(&all["$defs"]) {
                let referred = text.contains(&format!("\"#/$defs/{definition}\""));
                assert_eq!(referred, document["$defs"].get(definition).is_some(), "{name} {definition}");
            }
            for reference in text.split("\"$ref\":\"").skip(1) {
                let target = reference.split('"').next().unwrap().strip_prefix("#/$defs/").unwrap();
                assert!(document["$defs"].get(target).is_some(), "{name} {target}");
            }
            assert_eq!(document["properties"]["schema"]["const"], format!("git-verdict/{name}"));
        }
        assert!(super::document("nothing").is_none());
    }
}
