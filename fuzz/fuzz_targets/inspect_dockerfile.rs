//! A Dockerfile and a history of any bytes.
#![no_main]

use git_verdict::inspect::dockerfile::{Dockerfile, HistoryLine};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (file, history) = data.split_at(data.len() / 2);
    let file = Dockerfile::parse(file);
    let lines: Vec<HistoryLine> =
        String::from_utf8_lossy(history).split('\0').take(200).map(HistoryLine::parse).collect();
    let places = file.match_history(&lines, None);
    let found: Vec<usize> = places.into_iter().flatten().collect();
    assert!(found.is_sorted());
    for place in found {
        let source = file.source_line(place);
        assert!(source.first <= source.last);
    }
});
