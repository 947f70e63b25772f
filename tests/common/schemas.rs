//! Holds every object that a test sees printed against its JSON Schema, closed to fields that are not in it.

use jsonschema::Validator;
use jsonschema::error::{ValidationError, ValidationErrorKind};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

static VALIDATORS: LazyLock<Mutex<HashMap<String, &'static Validator>>> = LazyLock::new(Mutex::default);

/// Fails unless `stdout`, or each line of it, that is an object with a `schema` of ours is what that schema says; the names of
/// those schemas. `line` is for the message.
#[track_caller]
pub fn hold(line: &str, stdout: &str) -> Vec<String> {
    held(line, stdout, |_| true)
}

/// The same for what an earlier version printed: it may lack fields.
#[track_caller]
#[allow(dead_code)]
pub fn hold_old(line: &str, stdout: &str) -> Vec<String> {
    held(line, stdout, |error| !matches!(error.kind(), ValidationErrorKind::Required { .. }))
}

#[track_caller]
fn held(line: &str, stdout: &str, counts: fn(&ValidationError) -> bool) -> Vec<String> {
    let ours = |value: &Value| Some(value["schema"].as_str()?.strip_prefix("git-verdict/")?.to_string());
    let objects: Vec<Value> = match serde_json::from_str(stdout) {
        Ok(whole) => vec![whole],
        Err(_) => stdout.lines().filter_map(|text| serde_json::from_str(text).ok()).collect(),
    };
    let mut names = Vec::new();
    for object in objects {
        let Some(name) = ours(&object) else { continue };
        let errors = validator(line, &name).iter_errors(&object).filter(counts);
        let errors: Vec<String> = errors.map(|e| format!("{e} at {}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{line}\nis not as the schema '{name}' says:\n{}", errors.join("\n"));
        names.push(name);
    }
    names
}

#[track_caller]
fn validator(line: &str, name: &str) -> &'static Validator {
    let mut known = VALIDATORS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    known.entry(name.to_string()).or_insert_with(|| {
        let mut schema = git_verdict::schema::document(name).unwrap_or_else(|| panic!("{line}\nno schema '{name}'"));
        close(&mut schema);
        let validator = jsonschema::options().should_validate_formats(true).build(&schema);
        Box::leak(Box::new(validator.unwrap_or_else(|error| panic!("schema '{name}': {error}"))))
    })
}

/// Forbids fields that a schema does not name: what is given out to others allows them, a test of ours does not.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.contains_key("properties") && !fields.contains_key("additionalProperties") {
                fields.insert("additionalProperties".into(), false.into());
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
