//! A sentence for people, kept as data until its reader's language is known.
//!
//! A [`Phrase`] is an English text with places for values, and the values. The English text is also the key under which
//! the catalogue of a language ([`crate::render::lang`]) holds its translation, as in gettext: nothing has to be looked up
//! for English, and what a command says stays readable where it says it.
//!
//! ```
//! use git_verdict::phrase;
//! let name = "slim";
//! assert_eq!(phrase!("opened {name} at {base}", name, base = "1a2b3c").to_string(), "opened slim at 1a2b3c");
//! ```

use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// An English text with places (`{name}`) for values, and the values. Its [`fmt::Display`] is the English sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phrase {
    /// The English text, which is the key of its translations.
    #[serde(rename = "text")]
    key: Cow<'static, str>,
    /// What the places are filled with.
    #[serde(default, skip_serializing_if = "Vec::is_empty", rename = "args")]
    values: Vec<(Cow<'static, str>, Part)>,
}

/// What stands in a place of a phrase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Part {
    /// A name, a number: the same in every language.
    Text(String),
    /// A phrase within the phrase.
    Phrase(Box<Phrase>),
    /// Several in a row: `a, b and c`.
    List(Vec<Phrase>),
}

/// The languages that texts exist in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Lang {
    /// English.
    #[default]
    #[serde(rename = "en")]
    En,
    /// Simplified Chinese.
    #[serde(rename = "zh-CN")]
    ZhCn,
}

impl Lang {
    /// All of them.
    pub const ALL: [Lang; 2] = [Lang::En, Lang::ZhCn];

    /// Reads `en`, `zh-CN`, or a locale such as `zh_CN.UTF-8`; none for a language there is no text in.
    pub fn parse(text: &str) -> Option<Lang> {
        let text = text.replace('_', "-").to_lowercase();
        match text.split(['.', '@', '-']).next() {
            Some("en" | "c" | "posix") => Some(Lang::En),
            Some("zh") => Some(Lang::ZhCn),
            _ => None,
        }
    }

    /// `en` or `zh-CN`: as in `--lang` and as the folder of templates is named.
    pub fn code(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::ZhCn => "zh-CN",
        }
    }
}

/// How the parts of a phrase are written in a language.
pub trait Language {
    /// The translation of a key; none when there is none, and the key itself is used.
    fn translation(&self, key: &str) -> Option<Cow<'_, str>>;
    /// Words in a row: `a, b and c`.
    fn list(&self, words: &[String]) -> String;
}

/// The language that phrases are written in.
#[derive(Debug, Clone, Copy)]
pub struct English;

impl Language for English {
    fn translation(&self, _key: &str) -> Option<Cow<'_, str>> {
        None
    }

    fn list(&self, words: &[String]) -> String {
        match words {
            [] => String::new(),
            [one] => one.clone(),
            [first @ .., last] => format!("{} and {last}", first.join(", ")),
        }
    }
}

/// The key of a text that is the same in every language.
const VERBATIM: &str = "{text}";

impl Phrase {
    /// A phrase of a text and values for its places. [`crate::phrase!`] makes one and checks both against each other.
    pub fn new<const N: usize>(key: &'static str, values: [(&'static str, Part); N]) -> Phrase {
        let values = values.into_iter().map(|(name, part)| (Cow::Borrowed(name), part)).collect();
        Phrase { key: Cow::Borrowed(key), values }
    }

    /// A text as it is. When all of it is a key of the catalogue, it is translated nevertheless.
    pub fn verbatim(text: impl Into<String>) -> Phrase {
        Phrase::new(VERBATIM, [("text", Part::Text(text.into()))])
    }

    /// Phrases one after the other with this between them.
    pub fn joined(phrases: Vec<Phrase>, between: &str) -> Phrase {
        let mut key = String::new();
        let mut values = Vec::new();
        for (number, phrase) in phrases.into_iter().enumerate() {
            key.push_str(if number == 0 { "" } else { between });
            key.push_str(&format!("{{{number}}}"));
            values.push((Cow::Owned(number.to_string()), Part::Phrase(Box::new(phrase))));
        }
        Phrase { key: Cow::Owned(key), values }
    }

    /// The English sentence of one of these keys, taken apart into its values again: how a sentence that was stored, or comes
    /// from where only text is kept, is put into words of another language. A value that is such a sentence too becomes a
    /// phrase. The first key that fits counts; none when none does.
    pub fn recognised(text: &str, keys: &[&'static str]) -> Option<Phrase> {
        Phrase::recognised_within(text, keys, 3)
    }

    fn recognised_within(text: &str, keys: &[&'static str], depth: usize) -> Option<Phrase> {
        let fill = |key: &&'static str| {
            let mut values = Vec::new();
            let (first, mut pattern) = key.split_once('{').map_or((*key, None), |(first, rest)| (first, Some(rest)));
            let mut rest = text.strip_prefix(first)?;
            while let Some((name, after)) = pattern.and_then(|pattern| pattern.split_once('}')) {
                let (literal, next) = after.split_once('{').map_or((after, None), |(text, next)| (text, Some(next)));
                let end = match next {
                    None => rest.strip_suffix(literal)?.len(),
                    Some(_) => rest.find(literal)?,
                };
                let value = &rest[..end];
                let inner = (depth > 0).then(|| Phrase::recognised_within(value, keys, depth - 1)).flatten();
                values.push((Cow::Borrowed(name), inner.map_or_else(|| value.into(), Part::from)));
                rest = &rest[end + literal.len()..];
                pattern = next;
            }
            rest.is_empty().then_some(Phrase { key: Cow::Borrowed(*key), values })
        };
        keys.iter().find_map(fill)
    }

    /// The key, for whoever looks for a translation: of a text as it is, the text.
    pub fn key(&self) -> &str {
        match (&*self.key, self.values.as_slice()) {
            (VERBATIM, [(_, Part::Text(text))]) => text,
            (key, _) => key,
        }
    }

    /// The sentence in a language.
    pub fn in_language(&self, language: &dyn Language) -> String {
        if let (VERBATIM, [(_, Part::Text(text))]) = (&*self.key, self.values.as_slice()) {
            return language.translation(text).map_or_else(|| text.clone(), Cow::into_owned);
        }
        let translation = language.translation(&self.key);
        let text = translation.as_deref().unwrap_or(&self.key);
        let mut out = String::with_capacity(text.len() + 16 * self.values.len());
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            out.push_str(&rest[..at]);
            let sign = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(sign) {
                // A doubled brace is a brace.
                out.push_str(sign);
                rest = after;
                continue;
            }
            let place = rest.split_once('}').filter(|_| sign == "{");
            match place.and_then(|(name, after)| Some((self.part(name)?, after))) {
                Some((part, after)) => {
                    out.push_str(&part.in_language(language));
                    rest = after;
                }
                None => out.push_str(sign),
            }
        }
        out.push_str(rest);
        out
    }

    /// Whether the English sentence holds this text.
    pub fn contains(&self, text: &str) -> bool {
        self.to_string().contains(text)
    }

    /// Whether the English sentence begins with this text.
    pub fn starts_with(&self, text: &str) -> bool {
        self.to_string().starts_with(text)
    }

    fn part(&self, name: &str) -> Option<&Part> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, part)| part)
    }
}

impl Part {
    fn in_language(&self, language: &dyn Language) -> String {
        match self {
            Part::Text(text) => text.clone(),
            Part::Phrase(phrase) => phrase.in_language(language),
            Part::List(phrases) => {
                language.list(&phrases.iter().map(|phrase| phrase.in_language(language)).collect::<Vec<_>>())
            }
        }
    }
}

impl fmt::Display for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_language(&English))
    }
}

impl PartialEq<str> for Phrase {
    fn eq(&self, other: &str) -> bool {
        self.in_language(&English) == other
    }
}

impl PartialEq<&str> for Phrase {
    fn eq(&self, other: &&str) -> bool {
        self.in_language(&English) == *other
    }
}

impl PartialEq<String> for Phrase {
    fn eq(&self, other: &String) -> bool {
        self.in_language(&English) == *other
    }
}

/// How a program ended.
impl From<ExitStatus> for Phrase {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => crate::phrase!("exit status {code}", code),
            (None, Some(number)) => crate::phrase!("killed by signal {number}", number),
            (None, None) => status.to_string().into(),
        }
    }
}

impl From<ExitStatus> for Part {
    fn from(status: ExitStatus) -> Self {
        Phrase::from(status).into()
    }
}

impl From<&str> for Phrase {
    fn from(text: &str) -> Self {
        Phrase::verbatim(text)
    }
}

impl From<String> for Phrase {
    fn from(text: String) -> Self {
        Phrase::verbatim(text)
    }
}

impl From<&String> for Phrase {
    fn from(text: &String) -> Self {
        Phrase::verbatim(text)
    }
}

impl From<&Phrase> for Phrase {
    fn from(phrase: &Phrase) -> Self {
        phrase.clone()
    }
}

impl From<Cow<'_, str>> for Phrase {
    fn from(text: Cow<'_, str>) -> Self {
        Phrase::verbatim(text)
    }
}

impl From<Phrase> for Part {
    fn from(phrase: Phrase) -> Self {
        Part::Phrase(Box::new(phrase))
    }
}

impl From<&Phrase> for Part {
    fn from(phrase: &Phrase) -> Self {
        Part::Phrase(Box::new(phrase.clone()))
    }
}

impl From<Vec<Phrase>> for Part {
    fn from(phrases: Vec<Phrase>) -> Self {
        Part::List(phrases)
    }
}

macro_rules! shown {
    ($($kind:ty),* $(,)?) => {
        $(impl From<$kind> for Part {
            fn from(value: $kind) -> Self {
                Part::Text(value.to_string())
            }
        })*
    };
}

shown!(&str, String, &String, &&str, Cow<'_, str>, &Cow<'_, str>, std::path::Display<'_>);
shown!(usize, &usize, u8, u32, u64, i32, i64, &i64, &u64, ulid::Ulid, &ulid::Ulid, std::io::Error, serde_json::Error);

/// A [`Phrase`]: its English text, then a value for each place, by the name of a variable or as `name = value`. A place
/// without a value, or a value without a place, does not compile.
#[macro_export]
macro_rules! phrase {
    (@value $name:ident = $value:expr) => { $crate::phrase::Part::from($value) };
    (@value $name:ident) => { $crate::phrase::Part::from($name) };
    ($key:literal $(, $name:ident $(= $value:expr)?)* $(,)?) => {{
        const _: fn() = || { let _ = ::std::format_args!($key $(, $name = "")*); };
        $crate::phrase::Phrase::new($key, [$((stringify!($name), $crate::phrase!(@value $name $(= $value)?))),*])
    }};
}

/// `s` for any number but one: the end of an English noun, which other languages leave out.
pub fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// Writes a phrase as its English sentence: what formats for programs hold, in every language.
pub fn english<S: Serializer>(phrase: &Phrase, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(phrase)
}

/// As [`english`], of a phrase that may be missing.
pub fn english_or_none<S: Serializer>(phrase: &Option<Phrase>, serializer: S) -> Result<S::Ok, S::Error> {
    phrase.as_ref().map(Phrase::to_string).serialize(serializer)
}

/// As [`english`], of several.
pub fn english_all<S: Serializer>(phrases: &[Phrase], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(phrases.iter().map(Phrase::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Upside;

    impl Language for Upside {
        fn translation(&self, key: &str) -> Option<Cow<'_, str>> {
            match key {
                "{a} before {b}" => Some("{b} after {a}".into()),
                "nothing" => Some("all".into()),
                "one {x}" => Some("{x} {unknown} {{x}} }".into()),
                _ => None,
            }
        }

        fn list(&self, words: &[String]) -> String {
            words.join("+")
        }
    }

    #[test]
    fn values_go_to_their_places_in_every_language() {
        let b = 2;
        let phrase = phrase!("{a} before {b}", a = "one", b = b as usize);
        assert_eq!(phrase.to_string(), "one before 2");
        assert_eq!(phrase.in_language(&Upside), "2 after one");
        assert_eq!(phrase!("a {{b}} {c}", c = "{d}").to_string(), "a {b} {d}");
        assert_eq!(phrase!("one {x}", x = "1").in_language(&Upside), "1 {unknown} {x} }");
    }

    #[test]
    fn a_plain_text_is_translated_when_it_is_a_key_and_is_never_a_pattern() {
        assert_eq!(Phrase::from("nothing").in_language(&Upside), "all");
        assert_eq!(Phrase::from("a {text} }} {").to_string(), "a {text} }} {");
        assert_eq!(Phrase::from("nothing").key(), "nothing");
    }

    #[test]
    fn phrases_nest_and_stand_in_rows() {
        let inner = || phrase!("{a} before {b}", a = "x", b = "y");
        let words = vec![inner(), "nothing".into(), "c".into()];
        let phrase = phrase!("{list}; {inner}", list = words, inner = inner());
        assert_eq!(phrase.to_string(), "x before y, nothing and c; x before y");
        assert_eq!(phrase.in_language(&Upside), "y after x+all+c; y after x");
        let joined = Phrase::joined(vec![inner(), "nothing".into()], ": ");
        assert_eq!(joined.to_string(), "x before y: nothing");
        assert_eq!(joined.in_language(&Upside), "y after x: all");
    }

    #[test]
    fn a_sentence_is_taken_apart_into_the_values_of_its_key() {
        let keys = ["nothing", "{a} before {b}", "one {x}"];
        let told = |text: &str| Phrase::recognised(text, &keys).map(|phrase| phrase.in_language(&Upside));
        assert_eq!(told("x y before 2").as_deref(), Some("2 after x y"));
        assert_eq!(told("nothing before 2").as_deref(), Some("2 after all"));
        assert_eq!(told("nothing").as_deref(), Some("all"));
        assert_eq!(told("anything else"), None);
        for text in ["x before y", "one é", "nothing", "one "] {
            assert_eq!(Phrase::recognised(text, &keys).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_phrase_is_stored_as_its_text_and_its_values() {
        let phrase = phrase!("{a} before {b}", a = vec![Phrase::from("x")], b = phrase!("{n} s", n = 1usize));
        let json = serde_json::to_string(&phrase).unwrap();
        assert_eq!(serde_json::from_str::<Phrase>(&json).unwrap(), phrase, "{json}");
    }
}
