//! Merging two ledgers: the union of their records.
//!
//! Trees are merged by entry, going down only where they differ, so the cost follows the difference and no record is read.
//! The union is commutative, associative and idempotent. Two different records under one id cannot come about in honest
//! use; should it happen, the one whose blob has the smaller id stays, on every machine alike, the other remains in the
//! history of the ref, and the id is reported. Files that are no record, in the folders of the records, are left out and
//! reported: a hostile ledger cannot bring in names such as `..`.

use super::store::{Advance, EVENTS, LEVELS, Ledger, LedgerError, event_id, folder, folder_char};
use crate::git::objects::TreeEntry;
use crate::git::{Oid, Repo};
use std::collections::BTreeMap;

/// The deepest folder of a later version's own files that is merged by entry.
const MAX_DEPTH: usize = 8;

/// What a merge did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Merged {
    /// Whether the ledger moved.
    pub changed: bool,
    /// Records that came in.
    pub added: usize,
    /// Ids under which the two held different records.
    pub conflicts: Vec<String>,
    /// Files that were left out.
    pub dropped: Vec<String>,
}

impl Ledger<'_> {
    /// Takes in all records of the ledger commit `theirs`; `from` says in the log where they come from.
    ///
    /// The ref moves forward to `theirs` when that holds all there is here, and to a commit with both as parents otherwise.
    pub fn merge(&self, theirs: &Oid, from: &str) -> Result<Merged, LedgerError> {
        let their_root = self.root(theirs)?;
        let from: String = from.chars().filter(|c| !c.is_control()).collect();
        let mut merged = Merged::default();
        self.advance(&format!("merge {from}"), &mut |tip| {
            let Some(tip) = tip else {
                let mut union = Union::new(self.repo);
                let tree = union.roots(None, &their_root)?;
                merged = Merged { changed: true, ..union.merged };
                return Ok(Some(if tree == their_root {
                    Advance::FastForward(theirs.clone())
                } else {
                    Advance::Commit { tree, written: union.written, parents: vec![theirs.clone()] }
                }));
            };
            merged = Merged::default();
            if tip == theirs {
                return Ok(None);
            }
            let our_root = self.root(tip)?;
            let mut union = Union::new(self.repo);
            let tree = union.roots(Some(&our_root), &their_root)?;
            merged = union.merged;
            if tree == our_root && self.repo.is_ancestor(theirs, tip)? {
                return Ok(None);
            }
            merged.changed = true;
            if tree == their_root && self.repo.is_ancestor(tip, theirs)? {
                return Ok(Some(Advance::FastForward(theirs.clone())));
            }
            let parents = vec![tip.clone(), theirs.clone()];
            Ok(Some(Advance::Commit { tree, written: union.written, parents }))
        })?;
        Ok(merged)
    }
}

/// A union in the making.
struct Union<'r> {
    repo: &'r Repo,
    written: Vec<Oid>,
    merged: Merged,
}

impl<'r> Union<'r> {
    fn new(repo: &'r Repo) -> Self {
        Union { repo, written: Vec::new(), merged: Merged::default() }
    }

    /// The union of two root trees whose formats are known to be ours.
    fn roots(&mut self, ours: Option<&Oid>, theirs: &Oid) -> Result<Oid, LedgerError> {
        if ours == Some(theirs) {
            return Ok(theirs.clone());
        }
        let mut a = self.named(ours, "")?;
        let mut b = self.named(Some(theirs), "")?;
        let events = self.events(
            a.remove(EVENTS).filter(TreeEntry::is_tree).map(|e| e.id).as_ref(),
            b.remove(EVENTS).filter(TreeEntry::is_tree).map(|e| e.id).as_ref(),
            &mut String::new(),
        )?;
        let mut all = self.others(a, b, 1)?;
        all.extend(events.map(|id| TreeEntry::tree(EVENTS, id)));
        Ok(self.tree(ours, Some(theirs), all)?.unwrap_or_else(|| theirs.clone()))
    }

    /// The union of two folders of records; none when it holds none.
    fn events(
        &mut self,
        ours: Option<&Oid>,
        theirs: Option<&Oid>,
        path: &mut String,
    ) -> Result<Option<Oid>, LedgerError> {
        if ours == theirs {
            return Ok(ours.cloned());
        }
        let mut a = self.well_formed(ours, path)?;
        let b = self.well_formed(theirs, path)?;
        let mut all = Vec::new();
        if path.len() < LEVELS {
            let names: Vec<Vec<u8>> = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))).cloned().collect();
            for name in names {
                path.push(char::from(name[0]));
                let id = self.events(a.get(&name).map(|e| &e.id), b.get(&name).map(|e| &e.id), path)?;
                path.pop();
                all.extend(id.map(|id| TreeEntry::tree(name, id)));
            }
        } else {
            for (name, entry) in b {
                match a.remove(&name) {
                    None => {
                        self.merged.added += 1;
                        all.push(entry);
                    }
                    Some(own) if own.id == entry.id => all.push(own),
                    Some(own) => {
                        let id = String::from_utf8_lossy(&name).trim_end_matches(".json").to_string();
                        self.merged.conflicts.push(id);
                        all.push(if own.id < entry.id { own } else { entry });
                    }
                }
            }
            all.extend(a.into_values());
        }
        self.tree(ours, theirs, all)
    }

    /// The entries of a folder of records that may be there.
    fn well_formed(&mut self, tree: Option<&Oid>, path: &str) -> Result<BTreeMap<Vec<u8>, TreeEntry>, LedgerError> {
        let mut good = BTreeMap::new();
        let Some(tree) = tree else { return Ok(good) };
        for mut entry in self.repo.read_tree(tree)? {
            let fine =
                if path.len() < LEVELS { folder_char(&entry).is_some() } else { event_id(&entry, path).is_some() };
            if fine {
                if !entry.is_tree() {
                    entry = TreeEntry::blob(entry.name, entry.id);
                }
                good.insert(entry.name.clone(), entry);
            } else {
                self.drop(&folder(path), &entry.name);
            }
        }
        Ok(good)
    }

    /// The entries of a folder outside the records, by name.
    fn named(&mut self, tree: Option<&Oid>, place: &str) -> Result<BTreeMap<String, TreeEntry>, LedgerError> {
        let mut good = BTreeMap::new();
        let Some(tree) = tree else { return Ok(good) };
        for entry in self.repo.read_tree(tree)? {
            match std::str::from_utf8(&entry.name) {
                Ok(name) if harmless(name) => {
                    good.insert(name.to_string(), entry);
                }
                _ => self.drop(place, &entry.name),
            }
        }
        Ok(good)
    }

    /// The union of what a later minor version may have put beside the records: folders by entry; of two different files the
    /// one with the smaller id; a folder rather than a file.
    fn others(
        &mut self,
        mut a: BTreeMap<String, TreeEntry>,
        b: BTreeMap<String, TreeEntry>,
        depth: usize,
    ) -> Result<Vec<TreeEntry>, LedgerError> {
        let mut all = Vec::new();
        for (name, entry) in b {
            let chosen = match a.remove(&name) {
                None => entry,
                Some(own) if own == entry => own,
                Some(own) if own.is_tree() && entry.is_tree() && depth < MAX_DEPTH => {
                    let inner_a = self.named(Some(&own.id), &name)?;
                    let inner_b = self.named(Some(&entry.id), &name)?;
                    let inner = self.others(inner_a, inner_b, depth + 1)?;
                    match self.tree(Some(&own.id), Some(&entry.id), inner)? {
                        Some(id) => TreeEntry::tree(name, id),
                        None => continue,
                    }
                }
                Some(own) => {
                    let rank = |e: &TreeEntry| (!e.is_tree(), e.id.clone(), e.mode);
                    if rank(&own) < rank(&entry) { own } else { entry }
                }
            };
            all.push(chosen);
        }
        all.extend(a.into_values());
        Ok(all)
    }

    /// The tree of these entries: one of the two given when it is just that, none when there are no entries.
    fn tree(
        &mut self,
        ours: Option<&Oid>,
        theirs: Option<&Oid>,
        mut entries: Vec<TreeEntry>,
    ) -> Result<Option<Oid>, LedgerError> {
        if entries.is_empty() {
            return Ok(None);
        }
        let by_name = |e: &TreeEntry| e.name.clone();
        entries.sort_by_key(by_name);
        for known in [ours, theirs].into_iter().flatten() {
            let mut there = self.repo.read_tree(known)?;
            there.sort_by_key(by_name);
            if there == entries {
                return Ok(Some(known.clone()));
            }
        }
        let id = self.repo.write_tree(None, &entries).map_err(LedgerError::Write)?;
        self.written.push(id.clone());
        Ok(Some(id))
    }

    fn drop(&mut self, place: &str, name: &[u8]) {
        let shown: String = String::from_utf8_lossy(name).chars().take(80).flat_map(char::escape_default).collect();
        self.merged.dropped.push(format!("{place}/{shown}").trim_start_matches('/').to_string());
    }
}

/// Whether a name may be an entry of a tree on every system.
fn harmless(name: &str) -> bool {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    plain
        && name.len() <= 255
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.to_ascii_lowercase().starts_with("git~")
}

#[cfg(test)]
mod tests {
    use super::super::store::Located;
    use super::*;
    use proptest::prelude::*;
    use ulid::Ulid;

    fn scratch() -> (tempfile::TempDir, Repo) {
        let dir = tempfile::tempdir().unwrap();
        git2::Repository::init_bare(dir.path()).unwrap();
        let repo = Repo::discover(dir.path()).unwrap();
        (dir, repo)
    }

    /// The root tree of a ledger that holds these records: id -> contents.
    fn ledger_of(repo: &Repo, records: &BTreeMap<u16, u8>) -> Oid {
        let located: Vec<Located> = records
            .iter()
            .map(|(id, content)| Located {
                // Ids that meet in folders of every level.
                id: Ulid::from_parts(u64::from(*id), u128::from(id % 7) << 10 | u128::from(id % 3)),
                blob: repo.write_blob(&[*content]).unwrap(),
            })
            .collect();
        Ledger::open(repo).insert_all(None, &located, &mut Vec::new()).unwrap()
    }

    fn union(repo: &Repo, a: &Oid, b: &Oid) -> Oid {
        Union::new(repo).roots(Some(a), b).unwrap()
    }

    fn records() -> impl Strategy<Value = BTreeMap<u16, u8>> {
        proptest::collection::btree_map(0u16..40, 0u8..3, 0..25)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn merging_is_commutative_associative_and_idempotent(a in records(), b in records(), c in records()) {
            let (_dir, repo) = scratch();
            let [a, b, c] = [a, b, c].map(|records| ledger_of(&repo, &records));
            let ab = union(&repo, &a, &b);
            prop_assert_eq!(&ab, &union(&repo, &b, &a));
            prop_assert_eq!(union(&repo, &ab, &c), union(&repo, &a, &union(&repo, &b, &c)));
            prop_assert_eq!(&union(&repo, &a, &a), &a);
            prop_assert_eq!(&union(&repo, &ab, &a), &ab);
        }

        #[test]
        fn a_merge_holds_just_the_records_of_both(a in records(), b in records()) {
            let (_dir, repo) = scratch();
            let fixed = |records: &BTreeMap<u16, u8>| records.keys().map(|id| (*id, *id as u8)).collect::<BTreeMap<_, _>>();
            let (a, b) = (fixed(&a), fixed(&b));
            let both: BTreeMap<u16, u8> = a.iter().chain(&b).map(|(id, content)| (*id, *content)).collect();
            let mut work = Union::new(&repo);
            let merged = work.roots(Some(&ledger_of(&repo, &a)), &ledger_of(&repo, &b)).unwrap();
            prop_assert_eq!(merged, ledger_of(&repo, &both));
            prop_assert_eq!(work.merged.added, both.len() - a.len());
            prop_assert_eq!(work.merged.conflicts, Vec::<String>::new());
        }
    }

    #[test]
    fn files_that_are_no_records_are_left_out_and_named() {
        let (_dir, repo) = scratch();
        let good = ledger_of(&repo, &BTreeMap::from([(1, 1), (2, 2)]));
        let blob = repo.write_blob(b"x").unwrap();
        let events = repo.read_tree(&good).unwrap().into_iter().find(|e| e.name == b"events").unwrap();
        let bad_events = repo.write_tree(Some(&events.id), &[TreeEntry::blob("\u{1b}[31m.json", blob)]).unwrap();
        let bad = repo.write_tree(Some(&good), &[TreeEntry::tree("events", bad_events)]).unwrap();
        let mut work = Union::new(&repo);
        assert_eq!(work.roots(None, &bad).unwrap(), good);
        assert_eq!(work.merged.dropped, vec!["events/\\u{1b}[31m.json".to_string()]);
        assert_eq!(work.merged.added, 2);
    }

    #[test]
    fn a_path_that_leads_out_is_left_out() {
        let (_dir, repo) = scratch();
        let good = ledger_of(&repo, &BTreeMap::from([(1, 1)]));
        let root = repo.read_tree(&good).unwrap();
        let id = |name: &str| root.iter().find(|e| e.name == name.as_bytes()).unwrap().id.raw().unwrap();
        let entry = |mode: &str, name: &str, id: git2::Oid| {
            [mode.as_bytes(), b" ", name.as_bytes(), b"\0", id.as_bytes()].concat()
        };
        let bytes = [
            entry("40000", "..", id("events")),
            entry("40000", ".git", id("events")),
            entry("40000", "events", id("events")),
            entry("100644", "format", id("format")),
        ];
        let bad: Oid = repo.inner.odb().unwrap().write(git2::ObjectType::Tree, &bytes.concat()).unwrap().into();
        let mut work = Union::new(&repo);
        assert_eq!(work.roots(None, &bad).unwrap(), good);
        assert_eq!(work.merged.dropped, vec!["..".to_string(), ".git".to_string()]);
    }

    #[test]
    fn files_of_a_later_version_beside_the_records_are_merged_too() {
        let (_dir, repo) = scratch();
        let plain = ledger_of(&repo, &BTreeMap::from([(1, 1)]));
        let [x, y] = [b"x", b"y"].map(|text| repo.write_blob(text).unwrap());
        let with = |name: &str, id: &Oid| {
            let folder = repo.write_tree(None, &[TreeEntry::blob(name, id.clone())]).unwrap();
            repo.write_tree(Some(&plain), &[TreeEntry::tree("later", folder)]).unwrap()
        };
        let (a, b) = (with("one", &x), with("two", &y));
        let merged = union(&repo, &a, &b);
        assert_eq!(merged, union(&repo, &b, &a));
        let later = repo.read_tree(&merged).unwrap().into_iter().find(|e| e.name == b"later").unwrap();
        let names: Vec<_> = repo.read_tree(&later.id).unwrap().into_iter().map(|e| e.name).collect();
        assert_eq!(names, vec![b"one".to_vec(), b"two".to_vec()]);
    }
}
