//! A tar of any bytes, plain or compressed, whole and in pieces of any size.
#![no_main]

use git_verdict::inspect::tarscan::{Scanner, TarEntry, Visit};
use git_verdict::inspect::{Limits, archive};
use libfuzzer_sys::fuzz_target;

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

fuzz_target!(|data: &[u8]| {
    let Some((&piece, rest)) = data.split_first() else { return };
    let mut counts = Vec::new();
    for size in [usize::from(piece) + 1, rest.len().max(1)] {
        let (mut scanner, mut count) = (Scanner::default(), Count::default());
        let result = rest.chunks(size).try_for_each(|chunk| scanner.push(chunk, &mut count));
        counts.push((count.entries, result.is_ok()));
    }
    assert_eq!(counts[0], counts[1]);
    let limits = Limits { max_uncompressed: 16 << 20, max_paths: 2000, max_name_bytes: 1 << 20, ..Limits::default() };
    let _ = archive::read_tar(rest, "fuzz", &limits);
});
