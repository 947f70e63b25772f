//! The lines that differ between two texts.

/// A line that is in one text only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// In the first text, at this line (counted from 0).
    Gone(usize, &'a str),
    /// In the second text only, before this line of the first.
    New(usize, &'a str),
}

/// The most cells of the table that the longest common subsequence is found with: 16 MB.
const MOST_CELLS: usize = 4_000_000;

/// What has to be taken out of `old` and put in to make `new`, in order, by the longest common subsequence of their lines.
/// Texts too long for that differ as a whole between their common beginning and end.
pub fn lines<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Change<'a>> {
    let start = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let end = old[start..].iter().rev().zip(new[start..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&old[start..old.len() - end], &new[start..new.len() - end]);
    let mut changes = Vec::new();
    let (mut i, mut j) = (0, 0);
    if a.len().saturating_mul(b.len()) <= MOST_CELLS {
        // common[i][j]: lines in common of a[i..] and b[j..].
        let width = b.len() + 1;
        let mut common = vec![0u32; (a.len() + 1) * width];
        for i in (0..a.len()).rev() {
            for j in (0..b.len()).rev() {
                common[i * width + j] = match a[i] == b[j] {
                    true => common[(i + 1) * width + j + 1] + 1,
                    false => common[(i + 1) * width + j].max(common[i * width + j + 1]),
                };
            }
        }
        while i < a.len() && j < b.len() {
            if a[i] == b[j] {
                (i, j) = (i + 1, j + 1);
            } else if common[(i + 1) * width + j] >= common[i * width + j + 1] {
                changes.push(Change::Gone(start + i, a[i]));
                i += 1;
            } else {
                changes.push(Change::New(start + i, b[j]));
                j += 1;
            }
        }
    }
    changes.extend((i..a.len()).map(|i| Change::Gone(start + i, a[i])));
    changes.extend((j..b.len()).map(|j| Change::New(start + a.len(), b[j])));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_the_same_is_left_out() {
        let old = ["a", "b", "c", "d"];
        let new = ["a", "x", "c", "d", "e"];
        let expected = [Change::Gone(1, "b"), Change::New(2, "x"), Change::New(4, "e")];
        assert_eq!(lines(&old, &new), expected);
        assert!(lines(&old, &old).is_empty());
        assert_eq!(lines(&[], &["a"]), [Change::New(0, "a")]);
    }

    fn applied<'a>(old: &[&'a str], changes: &[Change<'a>]) -> Vec<&'a str> {
        let mut out = Vec::new();
        for at in 0..=old.len() {
            for change in changes {
                if let Change::New(before, line) = change
                    && *before == at
                {
                    out.push(*line);
                }
            }
            if at < old.len() && !changes.contains(&Change::Gone(at, old[at])) {
                out.push(old[at]);
            }
        }
        out
    }

    proptest! {
        #[test]
        fn the_changes_make_the_new_text_of_the_old(a in "[abc]{0,12}", b in "[abc]{0,12}") {
            let (old, new): (Vec<&str>, Vec<&str>) = (a.split("").collect(), b.split("").collect());
            prop_assert_eq!(applied(&old, &lines(&old, &new)), new);
        }
    }
}
