//! What an image is made of: ours beside dive and syft, and tar as the floor.

use super::artefacts::make_saved;
use super::race::{Contender, Timing, race};
use super::spent::spent;
use super::{Bench, PROGRAM, shown};
use std::error::Error;

pub fn image(bench: &Bench) -> Result<(usize, Vec<Timing>), Box<dyn Error>> {
    let megabytes = bench.pick(500, 20);
    let path = bench.folder.join("image.tar");
    make_saved(&path, megabytes as u64 * 1_000_000)?;
    let path = shown(&path);
    // What dive thinks of the image's efficiency is no failure of the run.
    let script = format!("CI=true dive --source docker-archive '{path}' || [ $? = 1 ]");
    let source = format!("docker-archive:{path}");
    let mut contenders = Vec::new();
    for (tool, what, program, words) in [
        ("git-verdict", "`git-verdict inspect IMAGE`", PROGRAM, vec!["inspect", &path]),
        ("dive", "`CI=true dive --source docker-archive IMAGE`", "sh", vec!["-c", &script]),
        ("syft", "`syft scan -q docker-archive:IMAGE`", "syft", vec!["scan", "-q", &source]),
        ("tar", "`tar -tf IMAGE`, the names of the layers only", "tar", vec!["-tf", &path]),
    ] {
        if bench.there(tool) {
            let command = bench.tools.command(&bench.folder, program, &words);
            contenders.push(Contender {
                tool,
                what: what.into(),
                run: Box::new(move || {
                    let spent = spent(&command);
                    (spent.seconds, Some(spent.peak))
                }),
            });
        }
    }
    let timings = race(contenders, bench.pick(15, 3), bench.pick(12, 3) as f64);
    std::fs::remove_file(&path)?;
    Ok((megabytes, timings))
}
