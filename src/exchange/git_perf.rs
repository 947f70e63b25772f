//! git-perf's notes under `refs/notes/perf-v3`, and under `refs/notes/perf-v3-write-…` until they are pushed: a line a reading, its fields separated by the character FS (U+001C): epoch, name,
//! seconds since 1970, value, then `key=value` pairs. git-perf keeps units in a file of its own, so values have none here.

use super::{Series, Side};
use crate::config::Better;
use crate::git::{GitError, Oid, Repo};
use crate::units::Unit;

/// Where git-perf keeps its numbers.
pub const NOTES: &str = "refs/notes/perf-v3";

/// What was added and not pushed yet.
const UNSENT: &str = "refs/notes/perf-v3-write-";

/// The readings that the notes of a commit hold; none when it has no note.
pub fn read(repo: &Repo, commit: &Oid) -> Result<Option<Side>, GitError> {
    let unsent = repo.refs_under(UNSENT)?.into_iter().map(|(name, _)| name);
    // A line that was pushed meanwhile may be in two of them.
    let mut lines: Vec<String> = Vec::new();
    for name in std::iter::once(NOTES.to_string()).chain(unsent) {
        let output = repo.run_git().args(["notes", "--ref", &name, "show", commit.as_str()]).output()?;
        if output.status.success() {
            let text = String::from_utf8_lossy(&output.stdout);
            let new: Vec<&str> = text.lines().filter(|line| !lines.iter().any(|known| known == line)).collect();
            lines.extend(new.into_iter().map(String::from));
        }
    }
    let mut side = parse(&lines.join("\n"));
    side.commit = Some(commit.to_string());
    Ok((!side.series.is_empty()).then_some(side))
}

/// The readings in a note. Lines that cannot be read are passed over, as git-perf does. Of several epochs (git-perf begins a
/// new one when an accepted change makes old numbers incomparable) the highest counts.
pub fn parse(text: &str) -> Side {
    let mut read: Vec<(u32, &str, f64)> = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\u{1c}').filter(|field| !field.is_empty()).collect();
        let [epoch, name, time, value, pairs @ ..] = fields.as_slice() else { continue };
        if let (Ok(epoch), Ok(_), Ok(value)) = (epoch.parse(), time.parse::<f64>(), value.parse::<f64>())
            && pairs.iter().all(|pair| pair.contains('='))
        {
            read.push((epoch, name, value));
        }
    }
    let mut side = Side::default();
    for (epoch, name, value) in &read {
        let newest = read.iter().filter(|other| other.1 == *name).map(|other| other.0).max();
        if Some(*epoch) != newest {
            continue;
        }
        match side.series.iter_mut().find(|series| series.metric == *name) {
            Some(series) => series.values.push(*value),
            None => side.series.push(Series {
                metric: name.to_string(),
                unit: Unit::Count,
                better: Better::Lower,
                values: vec![*value],
            }),
        }
    }
    side
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_epoch_of_each_name_counts_and_bad_lines_are_passed_over() {
        let line = |fields: &[&str]| fields.join("\u{1c}") + "\n";
        let text = [
            line(&["1", "build", "1700000000.0", "12.5", "os=linux"]),
            line(&["2", "build", "1700000001.0", "10.5"]),
            line(&["2", "build", "1700000002.0", "11.5", "os=linux"]),
            line(&["1", "size", "1700000002.0", "7.0"]),
            line(&["1", "size", "1700000002.0", "8.0", "nonsense"]),
            line(&["x", "size", "1700000002.0", "8.0"]),
            "nothing\n".into(),
        ]
        .concat();
        let side = parse(&text);
        let told: Vec<_> = side.series.iter().map(|s| (s.metric.as_str(), s.values.clone())).collect();
        assert_eq!(told, [("build", vec![10.5, 11.5]), ("size", vec![7.0])]);
    }
}
