//! How alike two changes are, as a probability that they are one idea.
//!
//! Of each kind of features it counts what both share: as a part of both, as a part of the record, and in all, each number
//! weighed by how rare it is among the records. A logistic function of these gives the probability; its coefficients were
//! fitted on one half of the repositories of `tests/guard/`, and are judged on the other.

use super::features::{Features, KINDS, Kind};

/// What two changes share of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Shared {
    /// Weight of what both have.
    pub both: f32,
    /// Weight of what the record has.
    pub record: f32,
    /// Weight of what the change has.
    pub change: f32,
}

impl Shared {
    /// As a part of both, from 0 to 1 (a cosine).
    pub fn of_both(self) -> f32 {
        if self.both > 0.0 { self.both / (self.record * self.change).sqrt() } else { 0.0 }
    }

    /// As a part of the smaller of the two.
    pub fn of_smaller(self) -> f32 {
        if self.both > 0.0 { self.both / self.record.min(self.change) } else { 0.0 }
    }
}

/// What two changes share, by kind.
pub type Overlap = [Shared; KINDS];

/// Of lists that were cut to their smallest numbers, only the range that both know is compared.
fn known(list: &[u32], kind: Kind) -> u32 {
    if list.len() < kind.most() { u32::MAX } else { list[list.len() - 1] }
}

/// What a record and a change share; `weight` tells how telling a number is, from 0 to 1.
pub fn overlap(record: &Features, change: &Features, weight: &dyn Fn(Kind, u32) -> f32) -> Overlap {
    let mut found = Overlap::default();
    for kind in Kind::ALL {
        let (a, b) = (record.of(kind), change.of(kind));
        let end = known(a, kind).min(known(b, kind));
        let shared = &mut found[kind as usize];
        let mut rest = b.iter().copied().take_while(|number| *number <= end).peekable();
        for number in a.iter().copied().take_while(|number| *number <= end) {
            while let Some(other) = rest.next_if(|other| *other < number) {
                shared.change += weight(kind, other);
            }
            let value = weight(kind, number);
            shared.record += value;
            if rest.next_if_eq(&number).is_some() {
                shared.both += value;
                shared.change += value;
            }
        }
        shared.change += rest.map(|other| weight(kind, other)).sum::<f32>();
    }
    found
}

/// What goes into the logistic function for each kind, in this order.
pub const INPUTS: usize = 3;

/// The inputs of one kind: as a part of both, as a part of the smaller, and in all.
pub fn inputs(shared: Shared) -> [f32; INPUTS] {
    [shared.of_both(), shared.of_smaller(), (1.0 + shared.both).ln()]
}

/// The coefficients: the constant, and those of each kind.
pub struct Model {
    /// The constant.
    pub constant: f32,
    /// By kind, as in [`Kind::ALL`].
    pub kinds: [[f32; INPUTS]; KINDS],
    /// From this probability on, two changes are one idea.
    pub threshold: f32,
}

/// For a change and a record that both have a diff. Reverted commits of public histories hardly ever touch a Dockerfile or
/// change a dependency: an instruction is given the weight of a line, a dependency that of a name.
pub const DIFFS: Model = Model {
    constant: -12.50,
    kinds: [
        [1.864, 1.065, 0.227],
        [1.822, 0.595, 0.493],
        [0.476, 0.531, 1.162],
        [0.641, 0.628, 0.693],
        [0.476, 0.531, 1.162],
        [0.641, 0.628, 0.693],
        [0.301, 0.121, 0.0],
        NOTHING,
    ],
    threshold: 0.62,
};

const NOTHING: [f32; INPUTS] = [0.0; INPUTS];

/// Where one of them is only a text.
pub const TEXTS: Model = Model {
    constant: -8.155,
    kinds: [NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, [0.641, 0.628, 0.693], [3.394, 3.121, 1.753], NOTHING],
    threshold: 0.4,
};

/// The probability where the same lines come and go in a file of the same path, or the same words within its lines, however few
/// they are.
pub const SAME_LINES: f32 = 0.95;

/// Whether all lines that come and go are the same, in a file of the same path.
pub fn same_lines(overlap: &Overlap) -> bool {
    overlap[Kind::Line as usize].of_both() > 0.999 && overlap[Kind::File as usize].both > 0.0
}

/// Whether the same words come and go within lines of the same files, whatever else stands in those lines.
pub fn same_words(overlap: &Overlap) -> bool {
    overlap[Kind::Edit as usize].of_both() > 0.999
}

/// The probability where nothing but the files can be compared, because neither has a line, and they and some words are the same.
pub const SAME_FILES: f32 = 0.7;

/// Whether both change the same files without any line, as binary ones, and share words.
pub fn same_files(overlap: &Overlap) -> bool {
    let lines = overlap[Kind::Line as usize];
    let words = overlap[Kind::Word as usize].both > 0.0;
    lines.record + lines.change == 0.0 && words && overlap[Kind::File as usize].of_both() > 0.999
}

/// The probability where every word of a text is one of the record's: somebody asks for it in few words.
pub const ALL_WORDS: f32 = 0.5;

/// Whether the record has every word of a change that is only words, two at least.
pub fn all_words(overlap: &Overlap, change: &Features) -> bool {
    let words = overlap[Kind::Word as usize];
    !change.has_diff() && change.of(Kind::Word).len() >= 2 && words.both > 0.0 && words.both >= words.change
}

impl Model {
    /// The probability that a record and a change are one idea.
    pub fn probability(&self, overlap: &Overlap) -> f32 {
        let mut sum = self.constant;
        for (shared, coefficients) in overlap.iter().zip(&self.kinds) {
            sum += inputs(*shared).iter().zip(coefficients).map(|(input, by)| input * by).sum::<f32>();
        }
        1.0 / (1.0 + (-sum).exp())
    }
}
