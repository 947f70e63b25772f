//! A build log of any bytes, and the attribution of its times.
#![no_main]

use git_verdict::inspect::{buildlog, diff};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (a, b) = data.split_at(data.len() / 2);
    let (before, after) = (buildlog::parse_bytes(a), buildlog::parse_bytes(b));
    for step in &before.steps {
        assert!(step.parent.is_none_or(|p| p < before.steps.len()));
        assert!(step.seconds.is_none_or(|s| s >= 0.0));
    }
    let change = diff::logs(&before, &after, None);
    assert_eq!(change.rows.iter().map(|r| r.change).sum::<i64>() + change.unexplained, change.total());
});
