//! How long each takes to say its version: what every other command pays first.

use super::race::{Contender, Timing, race};
use super::timing::elapsed;
use super::{Bench, PROGRAM};

pub fn start(bench: &Bench) -> Vec<Timing> {
    let mut contenders = Vec::new();
    for (tool, program, word) in [
        ("git-verdict", PROGRAM, "--version"),
        ("git", "git", "--version"),
        ("git-perf", "git-perf", "--version"),
        ("hyperfine", "hyperfine", "--version"),
        ("dvc", "dvc", "--version"),
        ("asv", "asv", "--version"),
        ("pytest-benchmark", "pytest-benchmark", "--help"),
        ("otava", "otava", "--help"),
        ("dive", "dive", "--version"),
        ("syft", "syft", "--version"),
    ] {
        if bench.there(tool) {
            let what = format!("`{tool} {word}`");
            contenders.push(Contender::new(tool, what, move || {
                elapsed(&mut bench.tools.command(&bench.folder, program, &[word]))
            }));
        }
    }
    race(contenders, bench.pick(100, 10), bench.pick(6, 2) as f64)
}
