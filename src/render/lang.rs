//! The catalogue: short texts that people see, in every language, found by key.
//!
//! The texts are in `templates/<language>/strings.toml`; a key is its table and its name with a dot between, such as
//! `table.metric`. A text may use minijinja: `{{ n }} file{% if n != 1 %}s{% endif %}`. Longer texts are templates of
//! their own ([`super::template`]).

use super::Lang;
use minijinja::{Environment, UndefinedBehavior, Value};
use std::collections::BTreeMap;
use std::sync::LazyLock;

const SOURCES: [(Lang, &str); 2] = [
    (Lang::En, include_str!("../../templates/en/strings.toml")),
    (Lang::ZhCn, include_str!("../../templates/zh-CN/strings.toml")),
];

/// The catalogues never change once they are read, so that every caller may share them.
static CATALOGUES: LazyLock<Vec<(Lang, BTreeMap<String, String>)>> =
    LazyLock::new(|| SOURCES.iter().map(|(lang, source)| (*lang, flatten(source))).collect());

/// Made once: it holds every filter and function, and a text takes less time than that.
static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env
});

/// The text of this key, with its arguments put in: `text(lang, "complexity.files", context! { n => 12 })`.
///
/// A key that the language lacks is looked for in English. A key that is in neither, or arguments that do not fit, give
/// the key itself in brackets: the tests keep both from happening.
pub fn text(lang: Lang, key: &str, args: impl Into<Value>) -> String {
    let Some(source) = lookup(lang, key).or_else(|| lookup(Lang::En, key)) else { return format!("[{key}]") };
    if !source.contains("{{") && !source.contains("{%") {
        return source.to_string();
    }
    render(source, args.into()).unwrap_or_else(|_| format!("[{key}]"))
}

/// The text of a key that takes no arguments.
pub fn word(lang: Lang, key: &str) -> String {
    text(lang, key, Value::UNDEFINED)
}

/// All keys of a language, in order.
pub fn keys(lang: Lang) -> impl Iterator<Item = &'static str> {
    catalogue(lang).into_iter().flat_map(|c| c.keys().map(String::as_str))
}

/// The text of a key as it stands in the catalogue.
pub fn lookup(lang: Lang, key: &str) -> Option<&'static str> {
    catalogue(lang)?.get(key).map(String::as_str)
}

fn catalogue(lang: Lang) -> Option<&'static BTreeMap<String, String>> {
    CATALOGUES.iter().find(|(l, _)| *l == lang).map(|(_, c)| c)
}

fn render(source: &str, args: Value) -> Result<String, minijinja::Error> {
    ENGINE.render_str(source, args)
}

fn flatten(source: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let tables: toml::Table = source.parse().unwrap_or_default();
    for (table, value) in tables {
        for (name, text) in value.as_table().into_iter().flatten() {
            if let Some(text) = text.as_str() {
                found.insert(format!("{table}.{name}"), text.to_string());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::context;
    use std::collections::BTreeSet;

    #[test]
    fn every_catalogue_is_toml_of_tables_of_texts() {
        for (lang, source) in SOURCES {
            let tables: toml::Table = source.parse().unwrap_or_else(|e| panic!("{lang:?}: {e}"));
            for (table, value) in &tables {
                let entries = value.as_table().unwrap_or_else(|| panic!("{lang:?}: {table} is no table"));
                assert!(
                    entries.values().all(|v| v.as_str().is_some_and(|t| !t.trim().is_empty())),
                    "{lang:?}: {table}"
                );
            }
            assert!(keys(lang).count() > 20);
        }
    }

    #[test]
    fn no_language_lacks_a_key_of_another() {
        let english: BTreeSet<_> = keys(Lang::En).collect();
        for (lang, _) in SOURCES {
            let theirs: BTreeSet<_> = keys(lang).collect();
            assert_eq!(english.symmetric_difference(&theirs).collect::<Vec<_>>(), Vec::<&&str>::new(), "{lang:?}");
        }
    }

    #[test]
    fn a_text_takes_the_same_arguments_in_every_language() {
        let arguments = |source: &'static str| {
            let env = Environment::new();
            let template = env.template_from_str(source).unwrap_or_else(|e| panic!("{source}: {e}"));
            template.undeclared_variables(false)
        };
        for key in keys(Lang::En) {
            let english = arguments(lookup(Lang::En, key).unwrap());
            for (lang, _) in SOURCES {
                let theirs = arguments(lookup(lang, key).unwrap());
                assert!(theirs.is_subset(&english), "{lang:?} {key} wants {theirs:?}, English {english:?}");
            }
        }
    }

    #[test]
    fn arguments_are_put_in_and_unknown_keys_show_themselves() {
        assert_eq!(text(Lang::En, "complexity.files", context! { n => 1 }), "1 file");
        assert_eq!(text(Lang::En, "complexity.files", context! { n => 3 }), "3 files");
        assert_eq!(text(Lang::ZhCn, "complexity.files", context! { n => 3 }), "3 个文件");
        assert_eq!(word(Lang::En, "no.such_key"), "[no.such_key]");
        assert_eq!(word(Lang::En, "complexity.files"), "[complexity.files]");
    }
}
