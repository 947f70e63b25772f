//! PO files, and the table that is made of one when the program is built.
//!
//! Texts are found by the hash of their English sentence: the sentence itself would be in the binary twice, and a command
//! that says one thing would read the whole file. The build script compiles this file too (`build.rs`), so that it names
//! nothing else of the program.

use std::borrow::Cow;

/// The entries of a PO file: `msgid` and `msgstr` with their continuation lines. Its header, comments and all else are
/// passed over, and so are entries without a translation.
pub fn entries(source: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let mut lines = source.lines().peekable();
    let mut text = move |keyword: &str| {
        loop {
            let Some(first) = lines.next()?.strip_prefix(keyword) else { continue };
            let mut text = unquoted(first);
            while let Some(more) = lines.next_if(|line| line.starts_with('"')) {
                text.to_mut().push_str(&unquoted(more));
            }
            return Some(text);
        }
    };
    std::iter::from_fn(move || Some((text("msgid ")?, text("msgstr ")?)))
        .filter(|(key, translation)| !key.is_empty() && !translation.is_empty())
}

/// A quoted string of a PO file.
fn unquoted(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                other => out.extend(other),
            },
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The 64 bits of FNV-1a: of a text that is in no table, one in ten million billion has the hash of one that is.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The table of a PO file: how many texts there are, their hashes in order, where each begins and the last ends, the texts.
/// Numbers are little-endian. The first of two sentences with one hash is an error.
pub fn table(source: &str) -> Result<Vec<u8>, String> {
    let mut texts: Vec<_> = entries(source).map(|(key, text)| (hash(&key), key, text)).collect();
    texts.sort();
    if let Some(twice) = texts.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(format!("one hash for {:?} and {:?}", twice[0].1, twice[1].1));
    }
    let mut out = (texts.len() as u32).to_le_bytes().to_vec();
    out.extend(texts.iter().flat_map(|(hash, ..)| hash.to_le_bytes()));
    let mut end = 0;
    out.extend(0u32.to_le_bytes());
    for (.., text) in &texts {
        end += text.len() as u32;
        out.extend(end.to_le_bytes());
    }
    texts.iter().for_each(|(.., text)| out.extend(text.bytes()));
    Ok(out)
}

/// A table that [`table`] made.
#[derive(Debug, Clone, Copy)]
pub struct Table(pub &'static [u8]);

impl Table {
    /// The translation of an English sentence.
    pub fn get(self, key: &str) -> Option<&'static str> {
        let number = |at: usize| Some(u32::from_le_bytes(self.0.get(at..at + 4)?.try_into().ok()?) as usize);
        let count = number(0)?;
        let (hashes, rest) = self.0.get(4..)?.split_at_checked(8 * count)?;
        let (hashes, _) = hashes.as_chunks::<8>();
        let found = hashes.binary_search_by_key(&hash(key), |bytes| u64::from_le_bytes(*bytes)).ok()?;
        let bounds = 4 + 8 * count + 4 * found;
        let text = rest.get(4 * (count + 1)..)?.get(number(bounds)?..number(bounds + 4)?)?;
        std::str::from_utf8(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = concat!(
        "# a comment\nmsgid \"\"\nmsgstr \"\"\n\"Language: zh_CN\\n\"\n\n#: src/a.rs\nmsgid \"one \\\"{x}\\\"\\n\"\n",
        "\"more\"\nmsgstr \"一\\\\\"\n\"二\"\n\nmsgid \"untranslated\"\nmsgstr \"\"\n\nmsgid \"two\"\nmsgstr \"2\"\n"
    );

    #[test]
    fn entries_are_read_with_continuations_and_escapes() {
        let found: Vec<_> = entries(SOURCE).collect();
        let two = (Cow::from("two"), Cow::from("2"));
        assert_eq!(found, [(Cow::from("one \"{x}\"\nmore"), Cow::from("一\\二")), two]);
    }

    #[test]
    fn a_table_has_what_its_file_has_and_nothing_else() {
        let table = Table(table(SOURCE).unwrap().leak());
        assert_eq!(table.get("one \"{x}\"\nmore"), Some("一\\二"));
        assert_eq!(table.get("two"), Some("2"));
        for other in ["", "untranslated", "tw", "three"] {
            assert_eq!(table.get(other), None, "{other}");
        }
        assert_eq!(Table(&[]).get("two"), None);
    }

    #[test]
    fn one_sentence_twice_is_an_error() {
        let twice = "msgid \"a\"\nmsgstr \"b\"\nmsgid \"a\"\nmsgstr \"c\"\n";
        assert!(table(twice).unwrap_err().contains("\"a\""));
    }
}
