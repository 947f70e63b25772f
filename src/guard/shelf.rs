//! The features of all reverted experiments in one file, and the few of them that a change resembles.
//!
//! ```text
//! "GVG2", CRC-32 of the rest (4), tip of the ledger (length 1, text), records (4)
//!     then of each: record (16), experiment (16), patch id (8), numbers by kind (8), the numbers (4 each)
//! ```
//!
//! It lies beside the index of the ledger (`verdict/index/guard`) and can be thrown away like that. A question reads it
//! once from end to end, which is quicker than any order would be: ten thousand records are some ten megabytes.

use super::features::{Features, KINDS, Kind};
use super::similarity::{self, Overlap};
use std::collections::HashMap;
use ulid::Ulid;

const MAGIC: &[u8] = b"GVG2";
/// Bytes of a record before its numbers.
const FIXED: usize = 16 + 16 + 8 + KINDS;
/// So many records are compared in full.
const COMPARED: usize = 24;
/// From so many records it is learnt how common the other numbers of those are.
const SAMPLE: usize = 512;

/// A reverted experiment as it is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The record of the decision.
    pub record: Ulid,
    /// The experiment.
    pub experiment: Ulid,
    /// The beginning of its patch id; zero when there is none.
    pub patch: u64,
    /// What it is known by.
    pub features: Features,
}

/// A reverted experiment that a change resembles.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// The record of the decision.
    pub record: Ulid,
    /// The experiment.
    pub experiment: Ulid,
    /// The probability that both are one idea.
    pub probability: f32,
    /// Whether that is enough to be shown.
    pub alike: bool,
    /// Whether it is the same patch.
    pub same_patch: bool,
    /// What both share.
    pub overlap: Overlap,
}

/// The file, as bytes.
#[derive(Debug, Default)]
pub struct Shelf {
    bytes: Vec<u8>,
    /// Where each record begins.
    places: Vec<usize>,
    tip: String,
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

impl Shelf {
    /// The bytes of a file with these records.
    pub fn write(tip: &str, records: &[Known]) -> Vec<u8> {
        let mut body = vec![tip.len() as u8];
        body.extend(tip.as_bytes());
        body.extend((records.len() as u32).to_le_bytes());
        for one in records {
            body.extend(one.record.0.to_be_bytes());
            body.extend(one.experiment.0.to_be_bytes());
            body.extend(one.patch.to_le_bytes());
            body.extend(Kind::ALL.map(|kind| one.features.of(kind).len() as u8));
            for kind in Kind::ALL {
                body.extend(one.features.of(kind).iter().flat_map(|number| number.to_le_bytes()));
            }
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend(crc32fast::hash(&body).to_le_bytes());
        bytes.extend(body);
        bytes
    }

    /// Takes in a file; none when it is damaged.
    pub fn read(bytes: Vec<u8>) -> Option<Shelf> {
        let body = bytes.strip_prefix(MAGIC)?;
        if u32_at(body, 0)? != crc32fast::hash(&body[4..]) {
            return None;
        }
        let length = usize::from(*body.get(4)?);
        let tip = String::from_utf8(body.get(5..5 + length)?.to_vec()).ok()?;
        let mut at = MAGIC.len() + 5 + length;
        let count = u32_at(&bytes, at)?;
        at += 4;
        let mut places = Vec::new();
        for _ in 0..count {
            places.push(at);
            let counts = bytes.get(at + FIXED - KINDS..at + FIXED)?;
            at += FIXED + 4 * counts.iter().map(|n| usize::from(*n)).sum::<usize>();
        }
        (at == bytes.len()).then_some(Shelf { bytes, places, tip })
    }

    /// The tip of the ledger that it was made from.
    pub fn tip(&self) -> &str {
        &self.tip
    }

    /// How many records it has.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// One of its records.
    pub fn known(&self, number: usize) -> Known {
        let (record, experiment, patch) = self.head(number);
        let mut features = Features::default();
        self.each(number, &mut |kind, bytes| features.put(kind, numbers(bytes)));
        Known { record, experiment, patch, features }
    }

    /// The id of one of its records.
    pub fn record(&self, number: usize) -> Ulid {
        self.head(number).0
    }

    fn head(&self, number: usize) -> (Ulid, Ulid, u64) {
        let at = &self.bytes[self.places[number]..];
        let array = |from: usize| -> [u8; 16] { at[from..from + 16].try_into().unwrap_or_default() };
        let patch = u64::from_le_bytes(at[32..40].try_into().unwrap_or_default());
        (Ulid(u128::from_be_bytes(array(0))), Ulid(u128::from_be_bytes(array(16))), patch)
    }

    /// The bytes of a record's numbers, by kind.
    fn each(&self, number: usize, visit: &mut dyn FnMut(Kind, &[u8])) {
        let at = self.places[number];
        let mut from = at + FIXED;
        for kind in Kind::ALL {
            let length = 4 * usize::from(self.bytes[at + FIXED - KINDS + kind as usize]);
            visit(kind, &self.bytes[from..from + length]);
            from += length;
        }
    }

    /// The records that a change resembles, the likeliest first. `patch` is the beginning of the change's patch id, or zero.
    pub fn recall(&self, change: &Features, patch: u64) -> Vec<Match> {
        let mut found = self.compare(change, patch);
        found.retain(|one| one.alike);
        found
    }

    /// The records that share most with a change, alike or not, the likeliest first.
    pub fn compare(&self, change: &Features, patch: u64) -> Vec<Match> {
        if change.is_empty() {
            return Vec::new();
        }
        let count = self.len() as f32;
        let rarity = |records: u32| (1.0 + count / records.max(1) as f32).ln() / (1.0 + count).ln();
        // What each record shares with the change, and how many share each number.
        let sieves: Vec<Sieve> = Kind::ALL.iter().map(|kind| Sieve::of(change.of(*kind).iter().copied())).collect();
        let mut counts: Vec<Vec<u32>> = Kind::ALL.iter().map(|kind| vec![0; change.of(*kind).len()]).collect();
        let mut hits: Vec<(u32, Kind, u32)> = Vec::new();
        for number in 0..self.len() {
            self.each(number, &mut |kind, bytes| {
                let sieve = &sieves[kind as usize];
                for found in numbers(bytes).filter(|found| sieve.may_hold(*found)) {
                    if let Ok(place) = change.of(kind).binary_search(&found) {
                        counts[kind as usize][place] += 1;
                        hits.push((number as u32, kind, place as u32));
                    }
                }
            });
        }
        let mut sums: Vec<(f32, usize)> = Vec::new();
        for (number, kind, place) in hits {
            let value = match kind {
                Kind::Line | Kind::Docker | Kind::Dependency | Kind::Edit => 2.0,
                Kind::Place => 0.5,
                _ => 1.0,
            } * rarity(counts[kind as usize][place as usize]);
            match sums.last_mut() {
                Some((sum, last)) if *last == number as usize => *sum += value,
                _ => sums.push((value, number as usize)),
            }
        }
        sums.sort_by(|one, other| other.0.total_cmp(&one.0));
        sums.truncate(COMPARED);
        let mut chosen: Vec<usize> = sums.into_iter().map(|(_, number)| number).collect();
        if patch != 0 {
            chosen.extend((0..self.len()).filter(|number| self.head(*number).2 == patch));
            chosen.sort_unstable();
            chosen.dedup();
        }
        let mut common: HashMap<(Kind, u32), u32> = HashMap::new();
        for kind in Kind::ALL {
            let shared = change.of(kind).iter().zip(&counts[kind as usize]).filter(|(_, count)| **count > 0);
            common.extend(shared.map(|(number, count)| ((kind, *number), *count)));
        }
        let chosen: Vec<Known> = chosen.into_iter().map(|number| self.known(number)).collect();
        self.sample(&chosen, &mut common);
        let weight = |kind: Kind, number: u32| rarity(common.get(&(kind, number)).copied().unwrap_or(1));
        let mut found: Vec<Match> = chosen.iter().map(|known| judge(known, change, patch, &weight)).collect();
        found.sort_by(|one, other| other.probability.total_cmp(&one.probability).then(other.record.cmp(&one.record)));
        found
    }

    /// Counts in some of the records how common the numbers of the chosen ones are that the change does not have.
    fn sample(&self, chosen: &[Known], common: &mut HashMap<(Kind, u32), u32>) {
        let mut others: HashMap<(Kind, u32), u32> = HashMap::new();
        for known in chosen {
            for kind in Kind::ALL {
                let new = known.features.of(kind).iter().filter(|number| !common.contains_key(&(kind, **number)));
                others.extend(new.map(|number| ((kind, *number), 0)));
            }
        }
        let sieve = Sieve::of(others.keys().map(|(_, number)| *number));
        let step = self.len().div_ceil(SAMPLE).max(1);
        for number in (0..self.len()).step_by(step) {
            self.each(number, &mut |kind, bytes| {
                for found in numbers(bytes).filter(|found| sieve.may_hold(*found)) {
                    if let Some(count) = others.get_mut(&(kind, found)) {
                        *count += step as u32;
                    }
                }
            });
        }
        common.extend(others);
    }
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.chunks_exact(4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
}

fn judge(known: &Known, change: &Features, patch: u64, weight: &dyn Fn(Kind, u32) -> f32) -> Match {
    let overlap = similarity::overlap(&known.features, change, weight);
    let diffs = known.features.has_diff() && change.has_diff();
    let model = if diffs { &similarity::DIFFS } else { &similarity::TEXTS };
    let same_patch = patch != 0 && known.patch == patch;
    let likely = model.probability(&overlap);
    let probability = match same_patch {
        true => 1.0,
        false if similarity::same_lines(&overlap) || similarity::same_words(&overlap) => {
            likely.max(similarity::SAME_LINES)
        }
        false if diffs && similarity::same_files(&overlap) => likely.max(similarity::SAME_FILES),
        false if similarity::all_words(&overlap, change) => likely.max(similarity::ALL_WORDS),
        false => likely,
    };
    let (record, experiment) = (known.record, known.experiment);
    let alike = probability >= model.threshold;
    Match { record, experiment, probability, alike, same_patch, overlap }
}

/// A quick no for numbers that are not in a set.
struct Sieve {
    bits: Vec<u64>,
    /// What of a number is looked at: so little that the sieve stays near the processor, so much that it is mostly empty.
    mask: u32,
}

impl Sieve {
    fn of(numbers: impl Iterator<Item = u32> + Clone) -> Sieve {
        let size = (numbers.clone().count().max(2) * 64).next_power_of_two().min(1 << 24);
        let (mut bits, mask) = (vec![0u64; size / 64], size as u32 - 1);
        for number in numbers {
            let place = number & mask;
            bits[(place >> 6) as usize] |= 1 << (place & 63);
        }
        Sieve { bits, mask }
    }

    fn may_hold(&self, number: u32) -> bool {
        let place = number & self.mask;
        self.bits[(place >> 6) as usize] >> (place & 63) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(number: u128, lines: &[u32], files: &[u32]) -> Known {
        let mut features = Features::default();
        features.put(Kind::Line, lines.iter().copied());
        features.put(Kind::File, files.iter().copied());
        Known { record: Ulid(number), experiment: Ulid(number + 100), patch: number as u64, features }
    }

    #[test]
    fn what_is_written_is_read_and_a_damaged_file_is_not() {
        let records = [known(1, &[5, 3, 9], &[7]), known(2, &[], &[]), known(3, &[1; 300], &[u32::MAX])];
        let bytes = Shelf::write("a".repeat(64).as_str(), &records);
        let shelf = Shelf::read(bytes.clone()).unwrap();
        assert_eq!((shelf.tip().len(), shelf.len()), (64, 3));
        assert_eq!([0, 1, 2].map(|number| shelf.known(number)), records);
        for end in 0..bytes.len() {
            assert!(Shelf::read(bytes[..end].to_vec()).is_none(), "cut at {end}");
            let mut flipped = bytes.clone();
            flipped[end] ^= 0x10;
            assert!(Shelf::read(flipped).is_none(), "byte {end}");
        }
    }

    #[test]
    fn a_checksum_over_nonsense_does_not_make_it_a_file() {
        for body in [&b""[..], b"\x00", b"\x00\xff\xff\xff\xff", b"\xff1234", b"\x00\x01\x00\x00\x00short"] {
            let mut bytes = MAGIC.to_vec();
            bytes.extend(crc32fast::hash(body).to_le_bytes());
            bytes.extend(body);
            assert!(Shelf::read(bytes).is_none(), "{body:?}");
        }
    }

    #[test]
    fn the_same_line_in_the_same_file_is_found_and_its_opposite_or_another_file_is_not() {
        let others = (10..40).map(|n| known(n, &[n as u32 * 1000], &[n as u32]));
        let records: Vec<Known> = std::iter::once(known(1, &[77], &[7])).chain(others).collect();
        let shelf = Shelf::read(Shelf::write("", &records)).unwrap();
        let found = |lines: &[u32], files: &[u32], patch| shelf.recall(&known(0, lines, files).features, patch);
        assert_eq!(found(&[77], &[7], 0).iter().map(|one| one.record).collect::<Vec<_>>(), [Ulid(1)]);
        assert_eq!(found(&[77 ^ u32::MAX], &[7], 0), []);
        assert_eq!(found(&[77], &[8], 0), []);
        let same = found(&[5], &[8], 1);
        assert!(same.len() == 1 && same[0].same_patch && same[0].probability == 1.0);
        assert_eq!(found(&[], &[], 1), [], "nothing resembles nothing");
    }
}
