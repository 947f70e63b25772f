//! Words of sentences and of code, each as a number.
//!
//! Two texts about one idea share stems, not words: `caching` and `cached` are one. Chinese has no spaces, so pairs of
//! neighbouring signs stand for its words. Words that every change has (`the`, `return`) are left out.

/// The number of a word, a line or a path: a checksum, mixed once more so that the smallest of many are a fair sample.
pub fn number(kind: u8, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(bytes);
    let mut mixed = hasher.finalize().wrapping_mul(0x9e37_79b1);
    mixed ^= mixed >> 15;
    mixed = mixed.wrapping_mul(0x85eb_ca77);
    mixed ^ (mixed >> 13)
}

/// Words that say nothing of what a change is about.
const STOP: &str = " the and for with from that this into onto than then they them their there when where which while will would \
    should could can may not are was were has have had its our your you all any also but both does done each else get got how \
    just let like make makes made more most much need new now off old one only other out over own per same set so some such \
    too two use used uses using very via want way well what who why yet about after again because been before being between \
    during even here less many might must never once since still these those through under until upon add added adds adding \
    change changes changed remove removed removes removing fix fixes fixed update updates updated instead avoid allow \
    support improve improves improved improvement perf performance optimize optimization faster fast slow slower speed \
    experiment try tries commit merge revert reland reapply unrevert recommit resubmit rollforward attempt second feat chore refactor test tests pull request expect expected ";

/// Words that code of any kind has.
const CODE: &str = " return self this true false null none nil void int let var const static public private protected class struct enum \
    func function fn def import from include use using namespace package if else elif for while match case switch break continue \
    new delete try catch except raise throw throws async await yield lambda type interface impl trait mut ref pub mod crate super \
    string str bool char float double long short unsigned size_t uint32_t uint64_t int64_t int32_t auto template typename std \
    vec option some err result unwrap clone value values key data name len size index the and not and with for assert assert_eq \
    expect print printf test tests config options args arg param end begin then do in is as or to of it an be on by \
    object array list map get set add todo run echo export default undefined typeof readonly final override virtual explicit \
    inline extern define ifdef ifndef endif error errors nullptr usize u8 u32 u64 i32 i64 context ctx func_ ok ";

fn listed(list: &str, word: &str) -> bool {
    // A word has no spaces, so it stands in the list between two of them or not at all.
    list.match_indices(word).any(|(at, _)| {
        list.as_bytes().get(at.wrapping_sub(1)) == Some(&b' ') && list.as_bytes().get(at + word.len()) == Some(&b' ')
    })
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// The endings that are taken off, the longest first.
const ENDINGS: [&str; 21] = [
    "izations", "isations", "ization", "isation", "izing", "ising", "ations", "ation", "ments", "ized", "ised", "izes",
    "ises", "ment", "ings", "ize", "ise", "ing", "ed", "es", "s",
];

/// A word without its ending: `optimised` and `optimization` are `optim`.
fn stem(word: &str) -> &str {
    let cut = ENDINGS.iter().find_map(|ending| word.strip_suffix(ending).filter(|rest| rest.len() >= 4));
    let cut = cut.unwrap_or(word);
    cut.strip_suffix('e').filter(|rest| rest.len() >= 3).unwrap_or(cut)
}

/// The words of a sentence: parts of `camelCase` and `snake_case` count as words of their own.
pub fn of_sentence(kind: u8, text: &str, found: &mut Vec<u32>) {
    let mut word = String::new();
    let mut last: Option<char> = None;
    let mut take = |word: &mut String| {
        if word.len() >= 3 && !word.bytes().all(|b| b.is_ascii_digit()) && !listed(STOP, word) {
            found.push(number(kind, stem(word).as_bytes()));
        }
        word.clear();
    };
    let mut pairs = Vec::new();
    for c in text.chars() {
        let humped = c.is_uppercase() && last.is_some_and(char::is_lowercase);
        if humped || !c.is_alphanumeric() || is_ideograph(c) {
            take(&mut word);
        }
        if is_ideograph(c) {
            if let Some(before) = last.filter(|before| is_ideograph(*before)) {
                pairs.push(number(kind, format!("{before}{c}").as_bytes()));
            }
        } else if c.is_alphanumeric() && word.len() < 64 {
            word.extend(c.to_lowercase());
        }
        last = Some(c);
    }
    take(&mut word);
    found.extend(pairs);
}

/// The names in a line of code, whole.
pub fn of_code(kind: u8, line: &str, found: &mut Vec<u32>) {
    for name in line.split(|c: char| !(c.is_alphanumeric() || c == '_')) {
        let plain = name.len() >= 3 && name.len() <= 64 && !name.starts_with(|c: char| c.is_ascii_digit());
        if plain && !listed(CODE, &name.to_ascii_lowercase()) {
            found.push(number(kind, name.as_bytes()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(text: &str) -> Vec<u32> {
        let mut found = Vec::new();
        of_sentence(0, text, &mut found);
        found
    }

    #[test]
    fn endings_humps_and_common_words_do_not_count() {
        assert_eq!(sentence("Caching the decoded tokens"), sentence("cached decodeToken"));
        let (one, other) = (sentence("使用多阶段构建"), sentence("改为多阶段构建镜像"));
        assert!(one.iter().filter(|pair| other.contains(pair)).count() >= 3);
        assert_eq!(sentence("用pip缓存"), [sentence("pip")[0], sentence("缓存")[0]]);
    }

    #[test]
    fn names_of_code_are_whole_and_keywords_are_none() {
        let names = |line: &str| {
            let mut found = Vec::new();
            of_code(0, line, &mut found);
            found.len()
        };
        assert_eq!(names("let mut read_buffer = self.pool.take(4096);"), 3, "read_buffer, pool, take");
        assert_eq!(names("return self; // }"), 0);
    }
}
