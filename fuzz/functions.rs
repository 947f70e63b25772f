//! What is fuzzed: one function for each parser, which takes any bytes and must neither panic nor break what it promises.
//!
//! cargo-fuzz runs them coverage-guided (`fuzz_targets/`, needs a nightly compiler); `tests/fuzz.rs` runs the same functions
//! on mutations of a kept corpus for a bounded time, with any compiler.

use git_verdict::inspect::artefact::{self, Artefact};
use git_verdict::inspect::dockerfile::{Dockerfile, HistoryLine};
use git_verdict::inspect::image::{self, Options};
use git_verdict::inspect::tarscan::{Scanner, TarEntry, Visit};
use git_verdict::inspect::{Limits, archive, binary, buildlog, caches};
use git_verdict::render::Lang;
use git_verdict::render::inspect::{Beside, View, text};
use git_verdict::render::table::Look;

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
