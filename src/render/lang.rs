//! The catalogues: what people read, in every language.
//!
//! | file in `templates/<language>/` | what it holds | found by |
//! |---|---|---|
//! | `strings.toml` | words and short texts of tables, messages and files, in every language | a key: `table.metric` |
//! | `messages.po` | what commands say, in every language but English | the English sentence, as in gettext |
//! | `help.po` | what `--help` says, in every language but English | the English text |
//!
//! A key of `strings.toml` is its table and its name with a dot between. A text may use minijinja:
//! `{{ n }} file{% if n != 1 %}s{% endif %}`. `messages.po` is a PO file without plural forms and contexts; it translates
//! each [`Phrase`](crate::phrase::Phrase). Both PO files are in the binary as tables that need no reading ([`super::po`]).
//! Longer texts are templates of their own ([`super::template`]). `strings.toml` is read when the first text of it is
//! wanted, so that a command which says nothing from it does not pay for it.

use super::Lang;
use super::po::Table;
use crate::phrase::{English, Language};
use crate::policy::Advice;
use minijinja::{Environment, UndefinedBehavior, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

const ENGLISH: &str = include_str!("../../templates/en/strings.toml");
const CHINESE: &str = include_str!("../../templates/zh-CN/strings.toml");

/// The catalogues never change once they are read, so that every caller may share them.
static ENGLISH_STRINGS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| flatten(ENGLISH));
static CHINESE_STRINGS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| flatten(CHINESE));
const CHINESE_PHRASES: Table = Table(include_bytes!(concat!(env!("OUT_DIR"), "/zh-CN.messages")));
const CHINESE_HELP_TEXTS: Table = Table(include_bytes!(concat!(env!("OUT_DIR"), "/zh-CN.help")));

impl Language for Lang {
    fn translation(&self, key: &str) -> Option<Cow<'_, str>> {
        match self {
            Lang::En => None,
            Lang::ZhCn => CHINESE_PHRASES.get(key).map(Cow::Borrowed),
        }
    }

    fn list(&self, words: &[String]) -> String {
        match (self, words) {
            (Lang::En, _) => English.list(words),
            (_, []) => String::new(),
            (_, [one]) => one.clone(),
            (lang, [first @ .., last]) => {
                format!("{}{}{last}", first.join(&word(*lang, "list.between")), word(*lang, "list.and"))
            }
        }
    }
}

/// A text of `--help` in a language; the text itself where it has no translation.
pub fn help(lang: Lang, text: &str) -> String {
    let translation = match lang {
        Lang::En => None,
        Lang::ZhCn => CHINESE_HELP_TEXTS.get(text),
    };
    translation.unwrap_or(text).to_string()
}

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

/// What an advice says.
pub fn advice(lang: Lang, advice: Advice) -> String {
    word(lang, &format!("advice.{}", advice.as_str().replace('-', "_")))
}

/// All keys of a language, in order.
pub fn keys(lang: Lang) -> impl Iterator<Item = &'static str> {
    catalogue(lang).keys().map(String::as_str)
}

/// The text of a key as it stands in the catalogue.
pub fn lookup(lang: Lang, key: &str) -> Option<&'static str> {
    catalogue(lang).get(key).map(String::as_str)
}

fn catalogue(lang: Lang) -> &'static BTreeMap<String, String> {
    match lang {
        Lang::En => &ENGLISH_STRINGS,
        Lang::ZhCn => &CHINESE_STRINGS,
    }
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

    const SOURCES: [(Lang, &str); 2] = [(Lang::En, ENGLISH), (Lang::ZhCn, CHINESE)];

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

    #[test]
    fn a_row_of_words_is_joined_as_the_language_does() {
        let words = ["a".to_string(), "b".to_string(), "c".to_string()];
        assert_eq!(Lang::En.list(&words), "a, b and c");
        assert_eq!(Lang::ZhCn.list(&words), "a、b 和 c");
        assert_eq!(Lang::ZhCn.list(&words[..1]), "a");
    }
}
