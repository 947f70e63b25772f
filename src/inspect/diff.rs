//! Attribution: which part of a change between two artefacts is due to what.
//!
//! Everything is counted in whole bytes or whole microseconds, so that the rows and the unexplained rest add up to the
//! total exactly: `rows + unexplained = after - before`, always.

use super::archive::Archive;
use super::binary::Binary;
use super::buildlog::{BuildLog, BuildStep, StepKind};
use super::dockerfile::{HistoryLine, likeness, one_line};
use super::folder::Folder;
use super::gitdir::GitDir;
use super::image::{Image, Layer, SourceLine};
use super::paths::{Kind, Listing, PathId, Paths};
use crate::phrase;
use crate::phrase::Phrase;
use crate::units::Unit;
use std::collections::HashMap;

/// Rows of detail below a row.
const MAX_DETAIL: usize = 10;
/// Rows of a table of files.
const MAX_ROWS: usize = 50;

/// One line of "what changed, where".
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Row {
    /// `layer 7 (COPY --from=build)`, `step [build 4/9] (RUN make)`, `/usr/lib`, `.text`.
    pub what: String,
    /// Bytes or microseconds before; none when it was not there.
    pub before: Option<i64>,
    /// The same after.
    pub after: Option<i64>,
    /// After less before.
    pub change: i64,
    /// Where in the Dockerfile, when that is known.
    pub source: Option<SourceLine>,
    /// What the change is made of, the largest first; adds up to `change`.
    pub detail: Vec<Row>,
}

impl Row {
    fn new(what: impl Into<String>, before: Option<i64>, after: Option<i64>) -> Self {
        let change = after.unwrap_or(0).saturating_sub(before.unwrap_or(0));
        Row { what: what.into(), before, after, change, source: None, detail: Vec::new() }
    }
}

/// A change, taken apart.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Attribution {
    /// Of what: bytes or seconds.
    pub unit: Unit,
    /// Parts that changed, the largest first.
    pub rows: Vec<Row>,
    /// The whole before, in bytes or microseconds.
    pub before: i64,
    /// The whole after.
    pub after: i64,
    /// What no row accounts for.
    pub unexplained: i64,
    /// What that is: `manifest and configuration`.
    pub unexplained_as: String,
    /// Whether one of the sides could not be read whole.
    pub partial: bool,
}

/// Which of the sizes of a layer is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    /// As stored and sent: compressed.
    Stored,
    /// The tar streams.
    Uncompressed,
    /// The content of the files: what docker prints.
    Files,
}

impl Size {
    fn of(self, layer: &Layer) -> i64 {
        whole(match self {
            Size::Stored => layer.stored,
            Size::Uncompressed => layer.uncompressed,
            Size::Files => layer.file_bytes,
        })
    }
}

/// Sums without ever overflowing: absurd sizes that a broken archive claims stay absurd, and are no panic.
fn add(amounts: impl Iterator<Item = i64>) -> i64 {
    amounts.fold(0, i64::saturating_add)
}

fn whole(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

impl Attribution {
    fn new(unit: Unit, mut rows: Vec<Row>, before: i64, after: i64, unexplained_as: &str) -> Self {
        rows.retain(|r| r.change != 0 || r.before.is_some() != r.after.is_some());
        rows.sort_by_key(|r| std::cmp::Reverse(r.change.unsigned_abs()));
        let explained = add(rows.iter().map(|r| r.change));
        Attribution {
            unit,
            rows,
            before,
            after,
            unexplained: after.saturating_sub(before).saturating_sub(explained),
            unexplained_as: unexplained_as.into(),
            partial: false,
        }
    }

    /// At most so many rows, and one for what is left, which comes last; adds up as before.
    pub fn shortened(mut self, most: usize) -> Attribution {
        if self.rows.len() > most {
            let rest = self.rows.split_off(most);
            let sum = |of: fn(&Row) -> Option<i64>| Some(add(rest.iter().filter_map(of)));
            let name = format!("{} other files and folders", rest.len());
            self.rows.push(Row::new(name, sum(|r| r.before), sum(|r| r.after)));
        }
        self
    }

    /// After less before, in bytes or microseconds.
    pub fn total(&self) -> i64 {
        self.after.saturating_sub(self.before)
    }

    /// An amount in the base unit: bytes or seconds.
    pub fn value(&self, amount: i64) -> f64 {
        match self.unit {
            Unit::Seconds => amount as f64 * 1e-6,
            _ => amount as f64,
        }
    }

    /// A change for a person: `-312.4 MB`, `+6.2 min`.
    pub fn show(&self, amount: i64) -> String {
        self.unit.show_change(self.value(amount))
    }

    /// The table as lines of text, at most `most` rows; what is left out and what is unexplained have lines of their
    /// own, so that the column adds up.
    pub fn lines(&self, most: usize) -> Vec<Phrase> {
        let mut lines: Vec<(String, Phrase)> = Vec::new();
        for row in self.rows.iter().take(most) {
            let mut what = named(&row.what);
            if let Some(source) = &row.source {
                what = phrase!("{what}, line {line}", what, line = source.first);
            }
            match (row.before, row.after) {
                (None, Some(_)) => what = phrase!("{what}, new", what),
                (Some(_), None) => what = phrase!("{what}, gone", what),
                _ => {}
            }
            lines.push((self.show(row.change), what));
            if let Some(largest) = row.detail.first().filter(|d| d.change != 0 && row.detail.len() > 1) {
                let amount = self.show(largest.change);
                lines.push((String::new(), phrase!("  of which {amount} {what}", amount, what = named(&largest.what))));
            }
        }
        let rest = add(self.rows.iter().skip(most).map(|r| r.change));
        if self.rows.len() > most {
            lines.push((self.show(rest), phrase!("{n} more", n = self.rows.len() - most)));
        }
        if self.unexplained != 0 {
            lines.push((self.show(self.unexplained), Phrase::from(&self.unexplained_as)));
        }
        lines.push((self.show(self.total()), "in all".into()));
        let width = lines.iter().map(|l| l.0.chars().count()).max().unwrap_or(0);
        lines
            .into_iter()
            .map(|(amount, what)| phrase!("{amount}  {what}", amount = format!("{amount:>width$}"), what))
            .collect()
    }

    /// The change and its cause in a few words: `-0.3 GB from layer 7 (COPY --from=build)`. When no single row makes up
    /// most of it, the largest row of each direction is named, `-0.3 GB (-3.3 GB from …, +3.0 GB from …)`, unless that
    /// against it is too small to tell anything.
    pub fn reason(&self) -> Option<Phrase> {
        let total = self.total();
        if total == 0 {
            return None;
        }
        let short = |amount: i64| short(&self.unit, self.value(amount));
        let from =
            |amount: i64, what: &str| phrase!("{change} from {what}", change = short(amount), what = named(what));
        let with = |r: &Row| from(r.change, &r.what);
        let same = self.rows.iter().find(|r| (r.change < 0) == (total < 0) && r.change != 0);
        let counts = |r: &&Row| r.change.unsigned_abs() >= total.unsigned_abs() / 10;
        let other = self.rows.iter().find(|r| (r.change < 0) != (total < 0) && r.change != 0).filter(counts);
        let close = |r: &Row| {
            let (change, total) = (r.change.unsigned_abs() as f64, total.unsigned_abs() as f64);
            (0.5..=1.5).contains(&(change / total))
        };
        Some(match (same, other) {
            (Some(row), _) if close(row) => with(row),
            (Some(row), Some(other)) => {
                phrase!("{total} ({one}, {other})", total = short(total), one = with(row), other = with(other))
            }
            (Some(row), None) => phrase!("{total}, of which {part}", total = short(total), part = with(row)),
            (None, _) => from(total, &self.unexplained_as),
        })
    }
}

/// The reasons of several attributions in one line; none when nothing changed.
pub fn reason<'a>(attributions: impl DoubleEndedIterator<Item = &'a Attribution>) -> Option<Phrase> {
    let reasons = attributions.filter_map(Attribution::reason);
    reasons.rev().reduce(|rest, first| phrase!("{first}, {rest}", first, rest))
}

/// The name of a row: of the program's words those that records keep in English, all else as it is.
pub fn named(what: &str) -> Phrase {
    let words: Vec<&str> = what.splitn(3, ' ').collect();
    match words[..] {
        ["layer", number] => phrase!("layer {number}", number),
        ["layer", number, text] if text.starts_with('(') => phrase!("layer {number} {text}", number, text),
        ["step", ..] => phrase!("step {name}", name = &what[5..]),
        [n, "other", "files and folders"] => phrase!("{n} other files and folders", n),
        _ => match what.strip_suffix(" (by no name)") {
            Some(path) => phrase!("{path} (by no name)", path),
            None => what.into(),
        },
    }
}

/// A signed amount in few digits: `-0.3 GB`, `+6 min`.
fn short(unit: &Unit, value: f64) -> String {
    let sign = if value < 0.0 { '-' } else { '+' };
    let v = value.abs();
    let digits = |v: f64| {
        let text = if v < 9.95 { format!("{v:.1}") } else { format!("{v:.0}") };
        text.strip_suffix(".0").map(str::to_string).unwrap_or(text)
    };
    match unit {
        Unit::Bytes if v >= 95e6 => format!("{sign}{} GB", digits(v / 1e9)),
        Unit::Bytes if v >= 95e3 => format!("{sign}{} MB", digits(v / 1e6)),
        Unit::Seconds if v >= 5400.0 => format!("{sign}{} h", digits(v / 3600.0)),
        Unit::Seconds if v >= 59.95 => format!("{sign}{} min", digits(v / 60.0)),
        Unit::Seconds if v >= 0.1 => format!("{sign}{} s", digits(v)),
        _ => unit.show_change(value),
    }
}

/// Pairs of things that run in the same order: first those with the same key, then the most alike.
fn align<T>(
    before: &[T],
    after: &[T],
    key: impl Fn(&T) -> Option<String>,
    alike: impl Fn(&T, &T) -> f32,
) -> Vec<(Option<usize>, Option<usize>)> {
    let mut by_key: HashMap<String, std::collections::VecDeque<usize>> = HashMap::new();
    for (i, item) in before.iter().enumerate() {
        if let Some(key) = key(item) {
            by_key.entry(key).or_default().push_back(i);
        }
    }
    let mut partner: Vec<Option<usize>> = vec![None; after.len()];
    let mut taken = vec![false; before.len()];
    for (j, item) in after.iter().enumerate() {
        if let Some(i) = key(item).and_then(|k| by_key.get_mut(&k)).and_then(|q| q.pop_front()) {
            partner[j] = Some(i);
            taken[i] = true;
        }
    }
    let left: Vec<usize> = (0..before.len()).filter(|&i| !taken[i]).take(2000).collect();
    let right: Vec<usize> = (0..after.len()).filter(|&j| partner[j].is_none()).take(2000).collect();
    let (n, m) = (left.len(), right.len());
    let mut best = vec![0f32; (n + 1) * (m + 1)];
    for a in 1..=n {
        for b in 1..=m {
            let like = alike(&before[left[a - 1]], &after[right[b - 1]]);
            let both = if like >= 0.3 { best[(a - 1) * (m + 1) + b - 1] + like } else { 0.0 };
            best[a * (m + 1) + b] = both.max(best[(a - 1) * (m + 1) + b]).max(best[a * (m + 1) + b - 1]);
        }
    }
    let (mut a, mut b) = (n, m);
    while a > 0 && b > 0 {
        let here = best[a * (m + 1) + b];
        if here == best[(a - 1) * (m + 1) + b] {
            a -= 1;
        } else if here == best[a * (m + 1) + b - 1] {
            b -= 1;
        } else {
            partner[right[b - 1]] = Some(left[a - 1]);
            taken[left[a - 1]] = true;
            a -= 1;
            b -= 1;
        }
    }
    let mut pairs: Vec<_> = partner.into_iter().enumerate().map(|(j, i)| (i, Some(j))).collect();
    pairs.extend((0..before.len()).filter(|&i| !taken[i]).map(|i| (Some(i), None)));
    pairs
}

/// Two images, layer by layer. `totals` are the sizes of the wholes when they come from elsewhere, such as an engine;
/// else the layers plus, for stored sizes, manifest and configuration.
pub fn images(before: &Image, after: &Image, size: Size, totals: Option<(u64, u64)>) -> Attribution {
    let line = |l: &Layer| HistoryLine::parse(l.created_by.as_deref().unwrap_or_default());
    let pairs = align(
        &before.layers,
        &after.layers,
        |l| l.diff_id.clone().or_else(|| l.digest.clone()),
        |a, b| match (&a.created_by, &b.created_by) {
            (Some(_), Some(_)) => likeness(&line(a), &line(b)),
            _ => 0.0,
        },
    );
    let mut rows = Vec::new();
    let mut stored_before = Vec::new();
    for (i, j) in pairs {
        let (old, new) = (i.map(|i| &before.layers[i]), j.map(|j| &after.layers[j]));
        let Some(named) = new.or(old) else { continue };
        let mut row = Row::new(named.label(), old.map(|l| size.of(l)), new.map(|l| size.of(l)));
        row.source = named.source.clone();
        if row.change != 0 {
            let old = old.map(|l| (&before.paths, &l.listing));
            let new = new.map(|l| (&after.paths, &l.listing));
            row.detail = files_detail(old, new, MAX_DETAIL);
            balance(&mut row, if size == Size::Files { "other files" } else { "compression and tar headers" });
        }
        stored_before.push(row);
    }
    rows.append(&mut stored_before);
    let sum = |image: &Image| -> i64 {
        let layers = add(image.layers.iter().map(|l| size.of(l)));
        layers.saturating_add(if size == Size::Stored { whole(image.metadata_bytes) } else { 0 })
    };
    let (from, to) = match totals {
        Some((a, b)) => (whole(a), whole(b)),
        None => (sum(before), sum(after)),
    };
    let by_engine = totals.is_some() && (before.engine_size.is_some() || after.engine_size.is_some());
    let rest = if by_engine { "what the engine counts beyond the layers" } else { "manifest and configuration" };
    let mut attribution = Attribution::new(Unit::Bytes, rows, from, to, rest);
    attribution.partial = before.is_partial() || after.is_partial();
    attribution
}

/// Makes the detail add up to the row.
fn balance(row: &mut Row, name: &str) {
    let rest = row.change.saturating_sub(add(row.detail.iter().map(|d| d.change)));
    if rest != 0 {
        let change = Row { change: rest, ..Row::new(name, None, None) };
        row.detail.push(change);
    }
    row.detail.sort_by_key(|d| std::cmp::Reverse(d.change.unsigned_abs()));
}

fn microseconds(step: &BuildStep) -> i64 {
    to_microseconds(step.seconds.unwrap_or(0.0))
}

fn to_microseconds(seconds: f64) -> i64 {
    (seconds * 1e6).round() as i64
}

/// Two build logs, step by step. `totals` are the seconds of the wholes, from outside; else what the logs say; else the
/// sum of the steps, and then nothing is unexplained.
pub fn logs(before: &BuildLog, after: &BuildLog, totals: Option<(f64, f64)>) -> Attribution {
    let top = |log: &BuildLog| -> Vec<(usize, BuildStep)> {
        let steps = log.steps.iter().enumerate().filter(|(_, s)| s.parent.is_none());
        steps.map(|(i, s)| (i, s.clone())).collect()
    };
    let (old, new) = (top(before), top(after));
    let key = |s: &(usize, BuildStep)| Some(one_line(&s.1.text)).filter(|t| !t.is_empty());
    let pairs = align(&old, &new, key, |a, b| {
        let instruction = |s: &BuildStep| matches!(s.kind, StepKind::Instruction | StepKind::Base);
        match (instruction(&a.1), instruction(&b.1)) {
            (true, true) => likeness(&HistoryLine::parse(&a.1.text), &HistoryLine::parse(&b.1.text)),
            // `COMMIT app:1` and `COMMIT app:2`.
            (false, false) if a.1.kind == StepKind::Export && b.1.kind == StepKind::Export => 0.5,
            _ => 0.0,
        }
    });
    let mut rows = Vec::new();
    for (i, j) in pairs {
        let (a, b) = (i.map(|i| &old[i]), j.map(|j| &new[j]));
        let Some(named) = b.or(a) else { continue };
        let mut row = Row::new(named.1.title(), a.map(|s| microseconds(&s.1)), b.map(|s| microseconds(&s.1)));
        if row.change != 0 {
            let parts = |log: &BuildLog, parent: Option<usize>| -> HashMap<String, i64> {
                let mut parts = HashMap::new();
                for step in log.steps.iter().filter(|s| s.parent.is_some() && s.parent == parent && s.seconds.is_some())
                {
                    // Digests differ from build to build.
                    let name = step.name.split(" sha256:").next().unwrap_or_default().to_string();
                    *parts.entry(name).or_insert(0) += microseconds(step);
                }
                parts
            };
            let (p, q) = (parts(before, a.map(|s| s.0)), parts(after, b.map(|s| s.0)));
            let mut names: Vec<&String> = p.keys().chain(q.keys()).collect();
            names.sort();
            names.dedup();
            row.detail = names
                .into_iter()
                .map(|n| Row::new(n.clone(), p.get(n).copied(), q.get(n).copied()))
                .filter(|r| r.change != 0)
                .collect();
            if !row.detail.is_empty() {
                balance(&mut row, "the rest of the step");
            }
        }
        rows.push(row);
    }
    let sum = |steps: &[(usize, BuildStep)]| -> i64 { add(steps.iter().map(|s| microseconds(&s.1))) };
    let (from, to) = match totals.or(before.total.zip(after.total)) {
        Some((a, b)) => (to_microseconds(a), to_microseconds(b)),
        None => (sum(&old), sum(&new)),
    };
    let rest = "time outside steps, less steps that ran side by side";
    let mut attribution = Attribution::new(Unit::Seconds, rows, from, to, rest);
    attribution.partial = before.partial.is_some() || after.partial.is_some();
    attribution
}

/// Two sets of files by path: folders, archives. `totals` as of the wholes: the size of the archive files, or what the
/// file system takes.
pub fn listings(
    before: (&Paths, &Listing),
    after: (&Paths, &Listing),
    totals: Option<(u64, u64)>,
    unexplained_as: &str,
    most: usize,
) -> Attribution {
    let rows = files_detail(Some(before), Some(after), most);
    let sum = |l: &Listing| whole(l.bytes.saturating_sub(l.shadowed));
    let (from, to) = match totals {
        Some((a, b)) => (whole(a), whole(b)),
        None => (sum(before.1), sum(after.1)),
    };
    let mut attribution = Attribution::new(Unit::Bytes, rows, from, to, unexplained_as);
    attribution.partial = before.1.is_partial() || after.1.is_partial();
    attribution
}

/// Two folders by path.
pub fn folders(before: &Folder, after: &Folder) -> Attribution {
    let totals = Some((before.bytes, after.bytes));
    let mut attribution = listings(
        (&before.paths, &before.listing),
        (&after.paths, &after.listing),
        totals,
        "files by no name",
        MAX_ROWS,
    );
    attribution.partial = before.is_partial() || after.is_partial();
    attribution
}

/// Two archives by path, with the size of the archive files as the whole. Files of a zip count as they are stored; those of
/// a tar by their content, since its compression spans files.
pub fn archives(before: &Archive, after: &Archive) -> Attribution {
    let (old, new) = match (&before.compressed, &after.compressed) {
        (Some(old), Some(new)) => (old, new),
        _ => (&before.listing, &after.listing),
    };
    let rest = match (&before.compressed, &after.compressed) {
        (Some(_), Some(_)) => "headers and directory of the zip",
        _ => "compression and tar headers",
    };
    let totals = Some((before.stored, after.stored));
    let mut attribution = listings((&before.paths, old), (&after.paths, new), totals, rest, MAX_ROWS);
    attribution.partial = before.partial || after.partial;
    attribution
}

/// Two git directories by what takes the space.
pub fn git_dirs(before: &GitDir, after: &GitDir) -> Attribution {
    let mut attribution = parts(&before.parts, &after.parts, (before.bytes, after.bytes), "files by no name");
    attribution.partial = before.folder.is_partial() || after.folder.is_partial();
    attribution
}

/// Two lists of named amounts, such as the sections of a binary or the parts of a git directory.
pub fn parts(
    before: &[(String, u64)],
    after: &[(String, u64)],
    totals: (u64, u64),
    unexplained_as: &str,
) -> Attribution {
    let sum = |parts: &[(String, u64)]| {
        let mut by_name: HashMap<String, i64> = HashMap::new();
        for (name, amount) in parts {
            let slot = by_name.entry(name.clone()).or_insert(0i64);
            *slot = slot.saturating_add(whole(*amount));
        }
        by_name
    };
    let (p, q) = (sum(before), sum(after));
    let mut names: Vec<&String> = p.keys().chain(q.keys()).collect();
    names.sort();
    names.dedup();
    let rows = names.into_iter().map(|n| Row::new(n.clone(), p.get(n).copied(), q.get(n).copied())).collect();
    Attribution::new(Unit::Bytes, rows, whole(totals.0), whole(totals.1), unexplained_as)
}

/// Two binaries, section by section, with the symbols that changed most below each.
pub fn binaries(before: &Binary, after: &Binary) -> Attribution {
    let sections = |b: &Binary| b.sections.iter().map(|s| (s.name.clone(), s.file_bytes)).collect::<Vec<_>>();
    let totals = (before.file_bytes, after.file_bytes);
    let mut attribution = parts(&sections(before), &sections(after), totals, "headers and padding");
    for row in &mut attribution.rows {
        let symbols = |b: &Binary| -> HashMap<String, i64> {
            let mut all = HashMap::new();
            for symbol in b.symbols.iter().filter(|s| s.section == row.what && s.in_file) {
                let slot = all.entry(symbol.name.clone()).or_insert(0i64);
                *slot = slot.saturating_add(whole(symbol.bytes));
            }
            all
        };
        let (p, q) = (symbols(before), symbols(after));
        let mut names: Vec<&String> = p.keys().chain(q.keys()).collect();
        names.sort();
        names.dedup();
        let mut detail: Vec<Row> = names
            .into_iter()
            .map(|n| Row::new(n.clone(), p.get(n).copied(), q.get(n).copied()))
            .filter(|r| r.change != 0)
            .collect();
        detail.sort_by_key(|d| std::cmp::Reverse(d.change.unsigned_abs()));
        detail.truncate(MAX_DETAIL);
        if !detail.is_empty() {
            row.detail = detail;
            balance(row, "other symbols");
        }
    }
    attribution.partial = before.partial || after.partial;
    attribution
}

/// The change between two listings by folder and file, at most `most` rows and one for the rest; adds up to the change
/// of the sum of all files.
fn files_detail(before: Option<(&Paths, &Listing)>, after: Option<(&Paths, &Listing)>, most: usize) -> Vec<Row> {
    let mut tree = Paths::default();
    let mut amounts: Vec<(i64, i64)> = vec![(0, 0)];
    // The same component-wise walk for both sides, each path of a side translated once.
    for (side, listed) in [(false, before), (true, after)] {
        let Some((paths, listing)) = listed else { continue };
        let mut known: HashMap<PathId, PathId> = HashMap::from([(PathId::ROOT, PathId::ROOT)]);
        let mut add = |path: PathId, bytes: u64| {
            let mut missing = Vec::new();
            let mut at = path;
            let mut id = loop {
                match known.get(&at) {
                    Some(&id) => break id,
                    None => {
                        missing.push(at);
                        at = paths.parent(at);
                    }
                }
            };
            for part in missing.into_iter().rev() {
                // Without limits there is always room: each side is bounded already.
                id = tree.intern_child(id, paths.name(part)).unwrap_or(id);
                known.insert(part, id);
            }
            if amounts.len() < tree.len() {
                amounts.resize(tree.len(), (0, 0));
            }
            let slot = &mut amounts[id.index()];
            if side {
                slot.1 = slot.1.saturating_add(whole(bytes))
            } else {
                slot.0 = slot.0.saturating_add(whole(bytes))
            }
        };
        for entry in listing.entries.iter().filter(|e| e.kind == Kind::File && e.size > 0) {
            add(entry.path, entry.size);
        }
        for (&folder, spill) in listing.spill.iter().filter(|(_, s)| s.bytes > 0) {
            add(folder, spill.bytes);
        }
        if listing.shadowed > 0 && listing.entries.is_empty() {
            add(PathId::ROOT, 0);
        }
    }
    let own = amounts.clone();
    let mut children: HashMap<PathId, Vec<PathId>> = HashMap::new();
    for id in tree.ids().rev() {
        let (a, b) = amounts[id.index()];
        let parent = tree.parent(id);
        let slot = &mut amounts[parent.index()];
        slot.0 = slot.0.saturating_add(a);
        slot.1 = slot.1.saturating_add(b);
        // A folder with as much gone as come still changed inside.
        if a != b {
            children.entry(parent).or_default().push(id);
        }
    }
    let change = |id: PathId| amounts[id.index()].1.saturating_sub(amounts[id.index()].0);
    let mut rows = Vec::new();
    let mut stack = vec![PathId::ROOT];
    while let Some(id) = stack.pop() {
        let below = children.get(&id).map(Vec::as_slice).unwrap_or_default();
        let own_change = own[id.index()].1.saturating_sub(own[id.index()].0);
        let largest = below.iter().map(|&c| change(c).unsigned_abs()).max().unwrap_or(0);
        // Go down while one thing below makes up most of it; stop where it is spread out.
        let open = id == PathId::ROOT || (largest.saturating_mul(2) >= change(id).unsigned_abs() && own_change == 0);
        if below.is_empty() || !open {
            if change(id) != 0 {
                let (a, b) = amounts[id.index()];
                rows.push(Row::new(tree.show(id), (a != 0).then_some(a), (b != 0).then_some(b)));
            }
            continue;
        }
        if own_change != 0 {
            let (a, b) = own[id.index()];
            rows.push(Row::new(format!("{} (by no name)", tree.show(id)), Some(a), Some(b)));
        }
        stack.extend(below);
    }
    rows.sort_by(|a, b| b.change.unsigned_abs().cmp(&a.change.unsigned_abs()).then_with(|| a.what.cmp(&b.what)));
    if rows.len() > most {
        let rest = rows.split_off(most);
        let sum = rest.iter().fold((0i64, 0i64), |s, r| {
            (s.0.saturating_add(r.before.unwrap_or(0)), s.1.saturating_add(r.after.unwrap_or(0)))
        });
        rows.push(Row::new(format!("{} other files and folders", rest.len()), Some(sum.0), Some(sum.1)));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::super::buildlog;
    use super::super::paths::ListingBuilder;
    use super::*;
    use proptest::prelude::*;

    fn listing(files: &[(String, u64)], max: usize) -> (Paths, Listing) {
        let mut paths = Paths::new(max, 1 << 20);
        let mut builder = ListingBuilder::new(max);
        for (name, size) in files {
            let at = paths.intern(name.as_bytes());
            let parent = at.map_or_else(|p| p, |id| paths.parent(id));
            builder.add(at, parent, Kind::File, 0o644, *size, 0);
        }
        (paths, builder.finish())
    }

    fn files() -> impl Strategy<Value = Vec<(String, u64)>> {
        let name = proptest::collection::vec(0u8..5, 1..5)
            .prop_map(|parts| parts.iter().map(|p| format!("n{p}")).collect::<Vec<_>>().join("/") + "/f");
        proptest::collection::btree_map(name, 0u64..1 << 40, 0..60).prop_map(|m| m.into_iter().collect())
    }

    proptest! {
        #[test]
        fn files_add_up_to_the_byte(a in files(), b in files(), max in 1usize..80, most in 1usize..12) {
            let (pa, la) = listing(&a, max);
            let (pb, lb) = listing(&b, max);
            let sum = |l: &[(String, u64)]| l.iter().map(|f| f.1 as i64).sum::<i64>();
            let attribution = listings((&pa, &la), (&pb, &lb), None, "rest", most);
            prop_assert_eq!(attribution.total(), sum(&b) - sum(&a));
            prop_assert_eq!(attribution.unexplained, 0);
            prop_assert_eq!(attribution.rows.iter().map(|r| r.change).sum::<i64>(), attribution.total());
            prop_assert!(attribution.rows.len() <= most + 1);
        }

        #[test]
        fn parts_and_the_unexplained_rest_add_up_to_the_byte(
            a in proptest::collection::vec(("[a-d]", 0u64..1000), 0..8),
            b in proptest::collection::vec(("[a-d]", 0u64..1000), 0..8),
            totals in (0u64..10_000, 0u64..10_000),
        ) {
            let attribution = parts(&a, &b, totals, "rest");
            let rows: i64 = attribution.rows.iter().map(|r| r.change).sum();
            prop_assert_eq!(rows + attribution.unexplained, totals.1 as i64 - totals.0 as i64);
        }

        #[test]
        fn steps_add_up_to_the_microsecond(
            a in proptest::collection::vec((0usize..6, 0u32..100_000), 0..9),
            b in proptest::collection::vec((0usize..6, 0u32..100_000), 0..9),
            totals in proptest::option::of((0.0f64..1e5, 0.0f64..1e5)),
        ) {
            let log = |steps: &[(usize, u32)]| {
                let names = ["RUN a b", "RUN a c", "COPY x /y", "RUN make all", "exporting to image", "RUN q"];
                let text: String = steps.iter().enumerate().map(|(i, (n, t))| {
                    format!("#{} [{}/9] {}\n#{0} DONE {}.{}s\n", i + 1, i, names[*n], t / 10, t % 10)
                }).collect();
                buildlog::parse_bytes(text.as_bytes())
            };
            let (p, q) = (log(&a), log(&b));
            let attribution = logs(&p, &q, totals);
            let rows: i64 = attribution.rows.iter().map(|r| r.change).sum();
            prop_assert_eq!(rows + attribution.unexplained, attribution.total());
            if totals.is_none() {
                prop_assert_eq!(attribution.unexplained, 0);
            }
            for row in attribution.rows.iter().filter(|r| !r.detail.is_empty()) {
                prop_assert_eq!(row.detail.iter().map(|d| d.change).sum::<i64>(), row.change);
            }
        }
    }

    #[test]
    fn the_change_is_followed_down_to_where_it_spreads_out() {
        let a = [("usr/lib/a".to_string(), 100)];
        let mut b = a.to_vec();
        b.extend((0..20).map(|i| (format!("root/.cache/pip/http/{i}"), 1000)));
        b.push(("usr/lib/a".into(), 90));
        b.remove(0);
        let ((pa, la), (pb, lb)) = (listing(&a, 100), listing(&b, 100));
        let attribution = listings((&pa, &la), (&pb, &lb), None, "", 10);
        let rows: Vec<(&str, i64)> = attribution.rows.iter().map(|r| (r.what.as_str(), r.change)).collect();
        assert_eq!(rows, [("/root/.cache/pip/http", 20_000), ("/usr/lib/a", -10)]);
    }

    #[test]
    fn the_reason_of_a_change_is_one_line() {
        let one = Attribution::new(
            Unit::Bytes,
            vec![
                Row::new("layer 7 (COPY --from=build)", Some(3_600_000_000), Some(3_300_000_000)),
                Row::new("layer 2", Some(5), Some(9)),
            ],
            3_600_000_005,
            3_300_000_009,
            "manifest",
        );
        let two = Attribution::new(
            Unit::Seconds,
            vec![Row::new("step [build 4/9] (RUN make)", None, Some(360_000_000))],
            872_000_000,
            1_230_000_000,
            "time outside steps",
        );
        assert_eq!(
            reason([&one, &two].into_iter()).unwrap(),
            "-0.3 GB from layer 7 (COPY --from=build), +6 min from step [build 4/9] (RUN make)"
        );
        let both = Attribution::new(
            Unit::Bytes,
            vec![
                Row::new("layer 5 (RUN pip install)", Some(3_300_000_000), None),
                Row::new("layer 7 (COPY --from=build)", None, Some(3_000_000_000)),
            ],
            3_600_000_000,
            3_300_000_000,
            "manifest",
        );
        assert_eq!(
            both.reason().unwrap(),
            "-0.3 GB (-3.3 GB from layer 5 (RUN pip install), +3 GB from layer 7 (COPY --from=build))"
        );
        let stripped = Attribution::new(
            Unit::Bytes,
            vec![
                Row::new(".debug_info", Some(800_000), None),
                Row::new(".debug_loc", Some(700_000), None),
                Row::new(".debug_line", Some(600_000), None),
                Row::new(".rodata", Some(1_000_000), Some(1_000_032)),
            ],
            7_500_000,
            5_400_000,
            "headers",
        );
        assert_eq!(stripped.reason().unwrap(), "-2.1 MB, of which -0.8 MB from .debug_info");
        let lines = both.lines(1);
        assert_eq!(lines[0], " -3.30 GB  layer 5 (RUN pip install), gone");
        assert_eq!(lines[1], " +3.00 GB  1 more");
        assert_eq!(lines.last().unwrap(), "-300.0 MB  in all");
    }
}
