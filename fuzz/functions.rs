//! What is fuzzed: one function for each parser, which takes any bytes and must neither panic nor break what it promises.
//!
//! cargo-fuzz runs them coverage-guided (`fuzz_targets/`, needs a nightly compiler); `tests/fuzz.rs` runs the same functions
//! on mutations of a kept corpus for a bounded time, with any compiler.

use git_verdict::adr::file::DecisionFile;
use git_verdict::config::{Config, Extract};
use git_verdict::decision::Draft;
use git_verdict::exchange::{self, Format, Part};
use git_verdict::git::objects::TreeEntry;
use git_verdict::git::{Oid, Person, Repo};
use git_verdict::guard::{Shelf, words};
use git_verdict::inspect::artefact::{self, Artefact};
use git_verdict::inspect::dockerfile::{Dockerfile, HistoryLine};
use git_verdict::inspect::image::{self, Options};
use git_verdict::inspect::tarscan::{Scanner, TarEntry, Visit};
use git_verdict::inspect::{Limits, archive, binary, buildlog, caches};
use git_verdict::render::Lang;
use git_verdict::render::inspect::{Beside, View, text};
use git_verdict::render::table::Look;
use git_verdict::render::{Renderer, trailer};
use git_verdict::units::{self, Unit};
use git_verdict::{adr, decision, grounds, ledger, mcp};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::LazyLock;

fn limits() -> Limits {
    Limits { max_uncompressed: 16 << 20, max_paths: 2000, max_name_bytes: 1 << 20, ..Limits::default() }
}

/// What holds of every artefact: it is no change against itself, its JSON can be written, and its text fits a terminal.
fn holds(artefact: &Artefact) {
    if let Some(same) = artefact::between(artefact, artefact, None, None) {
        assert_eq!((same.total(), same.unexplained), (0, 0));
    }
    if let Some(whole) = artefact::contents(artefact, 5) {
        assert!(whole.rows.len() <= 6);
    }
    let view = View::new("fuzz", artefact, Beside { most: Some(5), ..Beside::default() });
    serde_json::to_string(&view).expect("a view can be written");
    for line in text(&view, Some(5), Look::plain(Lang::En)).lines() {
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}

/// An image archive, as a stream.
pub fn image(data: &[u8]) {
    let options = Options { limits: limits(), ..Options::default() };
    let Ok(image) = image::read_stream(data, "fuzz", &options) else { return };
    assert!(image.visible_bytes() <= image.file_bytes());
    caches::find_in_image(&image);
    holds(&Artefact::Image(Box::new(image)));
}

#[derive(Default)]
struct Count {
    entries: u64,
    bytes: u64,
    open: bool,
}

impl Visit for Count {
    fn entry(&mut self, _: &TarEntry<'_>) {
        assert!(!self.open);
        self.open = true;
        self.entries += 1;
    }
    fn data(&mut self, bytes: &[u8]) {
        assert!(self.open);
        self.bytes += bytes.len() as u64;
    }
    fn end(&mut self) {
        assert!(self.open);
        self.open = false;
    }
}

/// A tar, plain or compressed: whole, and in pieces whose size is the first byte.
pub fn layer(data: &[u8]) {
    let Some((&piece, rest)) = data.split_first() else { return };
    let mut counts = Vec::new();
    for size in [usize::from(piece) + 1, rest.len().max(1)] {
        let (mut scanner, mut count) = (Scanner::default(), Count::default());
        let result = rest.chunks(size).try_for_each(|chunk| scanner.push(chunk, &mut count));
        counts.push((count.entries, result.is_ok()));
    }
    assert_eq!(counts[0], counts[1]);
    if let Ok(archive) = archive::read_tar(rest, "fuzz", &limits()) {
        holds(&Artefact::Archive(Box::new(archive)));
    }
}

/// A build log, and the attribution of its times between its two halves.
pub fn build_log(data: &[u8]) {
    let (a, b) = data.split_at(data.len() / 2);
    let (before, after) = (buildlog::parse_bytes(a), buildlog::parse_bytes(b));
    for step in &before.steps {
        assert!(step.parent.is_none_or(|p| p < before.steps.len()));
        assert!(step.seconds.is_none_or(|s| s >= 0.0));
    }
    let (before, after) = (Artefact::Log(Box::new(before)), Artefact::Log(Box::new(after)));
    let change = artefact::between(&before, &after, None, None).expect("both are logs");
    assert_eq!(change.rows.iter().map(|r| r.change).sum::<i64>() + change.unexplained, change.total());
    holds(&Artefact::Log(Box::new(buildlog::parse_bytes(data))));
}

/// A Dockerfile in the first half, a history in the second.
pub fn dockerfile(data: &[u8]) {
    let (file, history) = data.split_at(data.len() / 2);
    let file = Dockerfile::parse(file);
    let lines: Vec<HistoryLine> =
        String::from_utf8_lossy(history).split('\0').take(200).map(HistoryLine::parse).collect();
    let found: Vec<usize> = file.match_history(&lines, None).into_iter().flatten().collect();
    assert!(found.is_sorted());
    for place in found {
        let source = file.source_line(place);
        assert!(source.first <= source.last);
    }
    for line in String::from_utf8_lossy(history).lines().take(20) {
        file.find_step(line, None);
    }
}

/// A binary.
pub fn binary(data: &[u8]) {
    let reader = std::io::Cursor::new(data);
    if let Ok(binary) = binary::read_from(reader, data.len() as u64, "fuzz", &limits()) {
        holds(&Artefact::Binary(Box::new(binary)));
    }
}

/// A zip.
pub fn zip(data: &[u8]) {
    if let Ok(archive) = archive::read_zip_bytes(data, "fuzz", &limits()) {
        holds(&Artefact::Archive(Box::new(archive)));
    }
}

/// A `verdict.toml`, and each of its lines as a quantity and as an exchange rate. An error names a place that is in the file.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match Config::parse(&text, "verdict.toml") {
        Ok(config) => {
            assert_eq!(Config::parse(&text, "verdict.toml").as_ref().ok(), Some(&config));
            for line in text.lines().take(20) {
                let _ = config.parse_worth(line);
            }
        }
        Err(error) => assert!(error.to_string().starts_with("verdict.toml")),
    }
    for line in text.lines().take(20) {
        if let Ok((value, unit)) = units::parse_quantity(line) {
            assert!(value.is_finite());
            unit.show(value);
        }
        let _ = units::parse_duration(line);
    }
}

/// What a command printed, of which a number is wanted; the first line is the pattern, too, and the JSON pointer.
pub fn number(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let first = text.lines().next().unwrap_or_default();
    for extract in [Extract::Whole, Extract::Json(first.to_string())] {
        if let Ok(number) = git_verdict::measure::source::command::extract_number(&text, &extract, &Unit::Count) {
            assert!(number.is_finite());
        }
    }
}

/// A folder in memory where there is one: what is written is synced to the disk.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

/// A file of another tool: read as each format, whole, as one of two sides and as the runs of a commit, and compared with itself.
pub fn exchange(data: &[u8]) {
    let folder = folder();
    let path = folder.path().join("file");
    std::fs::write(&path, data).expect("a file");
    let commit = "0123456789012345678901234567890123456789";
    let parts = [Part::Whole, Part::Place(0), Part::Place(1), Part::Commit(commit)];
    let read = exchange::formats().into_iter().flat_map(|format| parts.map(|part| format.read(&path, part).ok()));
    let text = String::from_utf8_lossy(data);
    let notes = exchange::git_perf::parse(&text);
    let sides: Vec<exchange::Side> = read.flatten().chain([notes]).collect();
    let pairs = sides.iter().zip(&sides).chain(sides.iter().zip(sides.iter().skip(1)));
    pairs.for_each(|(base, candidate)| compared(base, candidate));
}

/// Two sides are compared in finite numbers, or not at all.
fn compared(base: &exchange::Side, candidate: &exchange::Side) {
    let Ok(imported) = exchange::import::compare(base, candidate, None, &Default::default()) else { return };
    for row in &imported.rows {
        let relative = row.relative.into_iter().chain(row.interval.into_iter().flatten());
        assert!(relative.chain([row.base, row.candidate]).all(f64::is_finite), "{row:?}");
    }
}

/// criterion's folder, made of lines: the path of a file, and what it holds.
pub fn criterion(data: &[u8]) {
    let folder = folder();
    for line in String::from_utf8_lossy(data).lines().take(64) {
        let (path, content) = line.split_once(' ').unwrap_or((line, ""));
        let parts = path.split('/').filter(|part| !matches!(*part, "" | "." | "..")).take(10);
        let path = folder.path().join(parts.collect::<std::path::PathBuf>());
        // What is no name, or is a file already where a folder is wanted, is left out.
        if path.parent().is_some_and(|above| std::fs::create_dir_all(above).is_ok()) {
            let _ = std::fs::write(path, content);
        }
    }
    let both = [Part::Place(0), Part::Place(1)].map(|part| exchange::criterion::Criterion.read(folder.path(), part));
    if let [Ok(base), Ok(candidate)] = &both {
        compared(base, candidate);
    }
}

const LOCKFILES: [&str; 9] = [
    "Cargo.lock",
    "package-lock.json",
    "Pipfile.lock",
    "yarn.lock",
    "pnpm-lock.yaml",
    "go.sum",
    "go.mod",
    "requirements.txt",
    "Dockerfile",
];

/// A lockfile, whose kind is the first byte; the last kind is a file that names base images.
pub fn lockfile(data: &[u8]) {
    let Some((&kind, rest)) = data.split_first() else { return };
    let path = Path::new(LOCKFILES[usize::from(kind) % LOCKFILES.len()]);
    if let Some(entries) = grounds::lock::entries(path, rest) {
        assert!(!entries.is_empty() && entries.values().all(|versions| !versions.is_empty()));
    }
    for reference in grounds::image::references(rest) {
        grounds::image::pinned(&reference);
    }
}

/// A record of the ledger. What is read is written and read again as the same.
pub fn record(data: &[u8]) {
    let Ok(event) = ledger::Event::from_json(data) else { return };
    let written = serde_json::to_vec(&event).expect("a record can be written");
    assert_eq!(ledger::Event::from_json(&written).expect("it can be read again"), event);
}

/// A commit message with trailers.
pub fn message(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    trailer::parse_message(&text);
    for line in text.lines().take(50) {
        if let Some(read) = trailer::parse_trailer(line.trim_start_matches("Verdict-Metric: ")) {
            let again = trailer::trailer(&read.into_comparison());
            assert!(trailer::parse_trailer(&again).is_some(), "{again:?} of {line:?}");
        }
    }
}

/// A decision file, a file of all decisions and an index of them. A decision file is written as it was read, but for line ends.
pub fn decision_file(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut file = DecisionFile::parse(&text);
    // Line ends that differ become those of the first line.
    let plain = |text: &str| text.replace('\r', "");
    assert_eq!(plain(&file.text()), plain(&text));
    assert!(text.contains('\r') || file.text() == text);
    let _ = (file.stamp(), file.edited(), file.format(), file.head(), file.section(), file.date_text(), file.title());
    let other = DecisionFile::parse(include_str!("../testdata/fuzz/decision_file/madr.md"));
    file.drift(&other);
    file.set_status("accepted");
    file.update(&other);
    file.seal();
    DecisionFile::parse(&file.text());
    let (_, blocks) = adr::log::parse(&text);
    let written = adr::log::text(&blocks, Lang::En);
    assert_eq!(adr::log::parse(&written).1, blocks);
    adr::index::updated(Some(&text), &[], Lang::En);
}

/// Lines that an agent sends.
pub fn mcp_message(data: &[u8]) {
    let mut input = data;
    let mut taken = 0;
    while let Ok(Some(line)) = mcp::wire::line(&mut input) {
        let _ = mcp::wire::read(line.as_deref());
        taken += 1;
        assert!(taken <= data.len());
    }
}

/// A template of a repository: taken and rendered to an end, or refused with its place.
pub fn template(data: &[u8]) {
    static DECISION: LazyLock<(Draft, ledger::Event)> = LazyLock::new(|| {
        let journal: serde_json::Value =
            serde_json::from_str(include_str!("../testdata/fuzz/journal/landed.json")).expect("JSON");
        let measured = include_bytes!("../testdata/fuzz/record/measured.json");
        let draft = serde_json::from_value(journal["draft"].clone()).expect("a draft");
        (draft, ledger::Event::from_json(measured).expect("a record"))
    });
    let folder = folder();
    std::fs::write(folder.path().join("revert.txt.j2"), data).expect("a file");
    let (draft, event) = &*DECISION;
    let ledger::Fact::Measured(measured) = &event.fact else { unreachable!("the file holds a measurement") };
    let rendered = Renderer::with_overrides(Lang::En, Some(folder.path()))
        .and_then(|renderer| renderer.revert(draft, Some(measured)));
    if let Err(error) = rendered {
        assert!(error.to_string().contains("revert.txt.j2"), "{error}");
    }
}

/// The guard's file, whose checksum is mended, and the words of a sentence and of code.
pub fn shelf(data: &[u8]) {
    let empty = Shelf::write("", &[]);
    let mut bytes = empty[..empty.len() - 9].to_vec();
    bytes.extend(crc32fast::hash(data).to_le_bytes());
    bytes.extend(data);
    if let Some(shelf) = Shelf::read(bytes) {
        for number in 0..shelf.len() {
            shelf.known(number);
            shelf.record(number);
        }
    }
    let mut found = Vec::new();
    for line in String::from_utf8_lossy(data).lines().take(50) {
        words::of_sentence(0, line, &mut found);
        words::of_code(0, line, &mut found);
    }
}

fn person() -> Person {
    Person { name: "A".into(), email: "a@b.example".into() }
}

/// A bare repository with nothing in it.
fn repository(folder: &Path) -> Repo {
    for part in ["objects", "refs", "verdict"] {
        std::fs::create_dir_all(folder.join(part)).expect("a folder");
    }
    std::fs::write(folder.join("HEAD"), "ref: refs/heads/main\n").expect("a file");
    let config = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n[user]\n\tname = A\n\temail = a@b.example\n";
    std::fs::write(folder.join("config"), config).expect("a file");
    Repo::discover(folder).expect("a repository")
}

/// git's index, which is read to see at once that nothing was changed. It is beside a commit of one file.
pub fn git_index(data: &[u8]) {
    let folder = folder();
    let inner = folder.path().join(".git");
    let repo = repository(&inner);
    let blob = repo.write_blob(b"a\n").expect("a blob");
    let tree = repo.write_tree(None, &[TreeEntry::blob(b"a".to_vec(), blob)]).expect("a tree");
    let commit = repo.write_commit(&tree, &[], &person(), "a file").expect("a commit");
    assert!(repo.swap_ref("refs/heads/main", &commit, None, "fuzz").expect("a ref can be set"));
    std::fs::write(inner.join("config"), "[core]\n\trepositoryformatversion = 0\n").expect("a file");
    std::fs::write(folder.path().join("a"), "a\n").expect("a file");
    std::fs::write(inner.join("index"), data).expect("a file");
    Repo::discover(folder.path()).expect("a repository").surely_clean();
}

/// The index of the ledger, whose description is made to fit the ledger, and its checksum: told, or made anew.
pub fn ledger_index(data: &[u8]) {
    let folder = folder();
    let repo = repository(folder.path());
    let format = Node::File(b"1\n".to_vec());
    let tree = write(&repo, &BTreeMap::from([(b"format".to_vec(), format)])).expect("a tree");
    let tip = repo.write_commit(&tree, &[], &person(), "a ledger").expect("a commit");
    assert!(repo.swap_ref("refs/verdict/ledger", &tip, None, "fuzz").expect("a ref can be set"));
    let mut bytes = data.to_vec();
    if let Some(footer) = bytes.len().checked_sub(40) {
        let length = bytes[footer + 24..footer + 28].iter().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
        if let Some(start) = footer.checked_sub(length) {
            let key = b"\"tip\":\"";
            let at = bytes[start..footer].windows(key.len()).position(|window| window == key);
            let at = at.map(|at| start + at + key.len()).filter(|at| at + tip.as_str().len() <= footer);
            if let Some(at) = at {
                bytes[at..at + tip.as_str().len()].copy_from_slice(tip.as_str().as_bytes());
            }
            let crc = crc32fast::hash(&bytes[start..footer]).to_be_bytes();
            bytes[footer + 28..footer + 32].copy_from_slice(&crc);
        }
    }
    let index = folder.path().join("verdict/index");
    std::fs::create_dir_all(&index).expect("a folder");
    let ledger = ledger::Ledger::open(&repo);
    let reads: [&dyn Fn(); 4] = [
        &|| drop(ledger.book()),
        &|| drop(ledger.recent(3, &|_| true)),
        &|| drop(ledger.each_record(&mut |record| (drop(record.event()), ControlFlow::Continue(())).1)),
        &|| drop(ledger.book_of(&ledger::Wanted { names: vec!["slim".into()], open: true, ..Default::default() })),
    ];
    for read in reads {
        // What is damaged is written again.
        std::fs::write(index.join("head"), &bytes).expect("a file");
        read();
    }
}

/// The journal of a decision that was cut off.
pub fn journal(data: &[u8]) {
    let folder = folder();
    let repo = repository(folder.path());
    std::fs::write(folder.path().join("verdict/journal.json"), data).expect("a file");
    let _ = decision::pending(&repo);
}

enum Node {
    File(Vec<u8>),
    Folder(BTreeMap<Vec<u8>, Node>),
}

fn write(repo: &Repo, folder: &BTreeMap<Vec<u8>, Node>) -> Option<Oid> {
    let mut entries = Vec::new();
    for (name, node) in folder {
        entries.push(match node {
            Node::File(bytes) => TreeEntry::blob(name.clone(), repo.write_blob(bytes).ok()?),
            Node::Folder(inner) => TreeEntry::tree(name.clone(), write(repo, inner)?),
        });
    }
    repo.write_tree(None, &entries).ok()
}

fn put(folder: &mut BTreeMap<Vec<u8>, Node>, path: &[Vec<u8>], bytes: Vec<u8>) {
    match path {
        [] => {}
        [name] => drop(folder.insert(name.clone(), Node::File(bytes))),
        [first, rest @ ..] => {
            let inner = folder.entry(first.clone()).or_insert_with(|| Node::Folder(BTreeMap::new()));
            if let Node::Folder(inner) = inner {
                put(inner, rest, bytes);
            }
        }
    }
}

/// Two ledgers, made of lines: which of them (or both), a path, and what the file holds. Merged either way they are the same, and
/// merging once more changes nothing.
pub fn ledger_merge(data: &[u8]) {
    let folder = folder();
    let repo = repository(folder.path());
    let mut sides = [BTreeMap::new(), BTreeMap::new()];
    for side in &mut sides {
        side.insert(b"format".to_vec(), Node::File(b"1\n".to_vec()));
    }
    for line in data.split(|byte| *byte == b'\n').take(64) {
        let mut fields = line.splitn(3, |byte| *byte == b' ');
        let (Some(which), Some(path), bytes) = (fields.next(), fields.next(), fields.next().unwrap_or_default()) else {
            continue;
        };
        let path: Vec<Vec<u8>> = path.split(|byte| *byte == b'/').take(8).map(<[u8]>::to_vec).collect();
        for (side, tree) in sides.iter_mut().enumerate() {
            let other: &[u8] = [b"b", b"a"][side];
            if which != other {
                put(tree, &path, bytes.to_vec());
            }
        }
    }
    let person = person();
    let commits: Vec<Oid> = sides
        .iter()
        .filter_map(|side| repo.write_commit(&write(&repo, side)?, &[], &person, "a ledger").ok())
        .collect();
    let [a, b] = &commits[..] else { return };
    let mut trees = Vec::new();
    for (ours, theirs) in [(a, b), (b, a)] {
        let before = repo.find_ref("refs/verdict/ledger").expect("refs can be read");
        assert!(repo.swap_ref("refs/verdict/ledger", ours, before.as_ref(), "fuzz").expect("a ref can be set"));
        let ledger = ledger::Ledger::open(&repo);
        let Ok(merged) = ledger.merge(theirs, "fuzz") else { return };
        let tip = ledger.tip().expect("a tip can be read").expect("there is one");
        let tree = repo.tree_of(&tip).expect("it has a tree");
        assert!(merged.changed || tip == *ours);
        assert!(!ledger.merge(theirs, "fuzz").expect("it can be merged again").changed);
        trees.push((tree, merged.conflicts, merged.changed));
        let _ = ledger.events_lossy();
    }
    assert_eq!(trees[0].1, trees[1].1, "which records differ");
    if trees[0].2 && trees[1].2 {
        assert_eq!(trees[0].0, trees[1].0, "the tree of both");
    }
}
