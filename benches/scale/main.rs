//! How time and memory grow: from ten records to a million, from one file to half a million, from 10 MB to 5 GB of image.
//!
//! ```text
//! cargo bench --bench scale [-- WHAT [MAX]]    the last results are in target/bench-results/scale.json
//!     WHAT       records, reverted, decisions, files, images (default: all)
//!     MAX        the largest size of WHAT that is measured; sizes above the usual ones are reached by it
//!     --quick    small sizes
//!     --docs     the results are those of the documentation, which is made anew
//!     --draw     nothing is measured; the documentation is made anew of what was measured before
//! ```
//!
//! Every point is a command of its own: its wall time is the median of at least three runs, fewer where one takes seconds, its
//! memory the kernel's high-water mark. Fixtures are made under the temporary folder and removed: at most 6 GB at a time.

#[path = "../common/artefacts.rs"]
mod artefacts;
#[path = "../common/chart.rs"]
mod chart;
#[path = "../common/commands.rs"]
mod commands;
mod fit;
mod ladders;
#[path = "../common/machine.rs"]
mod machine;
mod pages;
#[path = "../common/records.rs"]
mod records;
#[path = "../common/results.rs"]
mod results;
#[path = "../common/reverted.rs"]
mod reverted;
#[path = "../common/spent.rs"]
mod spent;
#[path = "../common/timing.rs"]
mod timing;

use ladders::LADDERS;
use machine::Occasion;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;

/// A command at one size.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Point {
    size: f64,
    /// Median.
    seconds: f64,
    /// Bytes, the most of all runs.
    peak: f64,
    runs: usize,
}

/// A command over all sizes.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Curve {
    command: String,
    points: Vec<Point>,
}

/// All commands of one kind of size.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ladder {
    occasion: Occasion,
    curves: Vec<Curve>,
}

/// By what grows.
type Results = BTreeMap<String, Ladder>;

fn main() -> ExitCode {
    spent::serve_or("scale", run)
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut wanted: Vec<(&ladders::LadderOf, Option<usize>)> = Vec::new();
    let (mut quick, mut docs, mut draw) = (false, false, false);
    for word in std::env::args().skip(1) {
        match (word.as_str(), word.parse::<usize>()) {
            ("--bench", _) => {}
            ("--quick", _) => quick = true,
            ("--docs", _) => docs = true,
            ("--draw", _) => (docs, draw) = (true, true),
            // What `cargo test --all-targets` asks of every bench.
            ("--test" | "--list", _) => return Ok(()),
            (_, Ok(most)) => wanted.last_mut().ok_or("a largest size stands behind what it is of")?.1 = Some(most),
            (name, _) => match LADDERS.iter().find(|ladder| ladder.name == name) {
                Some(ladder) => wanted.push((ladder, None)),
                None => {
                    let names: Vec<&str> = LADDERS.iter().map(|ladder| ladder.name).collect();
                    return Err(format!("'{name}' is nothing that grows; there are {}", names.join(", ")).into());
                }
            },
        }
    }
    if wanted.is_empty() {
        wanted.extend(LADDERS.iter().map(|ladder| (ladder, None)));
    }
    let file = results::file("scale", docs);
    let mut found: Results = results::load(&file)?;
    for (ladder, most) in wanted.into_iter().filter(|_| !draw) {
        let folder = tempfile::tempdir()?;
        let most = most.unwrap_or(if quick { ladder.quick } else { ladder.usual });
        let occasion = Occasion::begin(quick);
        let mut curves: Vec<Curve> = Vec::new();
        for size in ladder.sizes.iter().copied().filter(|size| *size <= most) {
            eprintln!("{size} {}:", ladder.name);
            for (command, point) in (ladder.climb)(folder.path(), size)? {
                let (ms, peak) = (point.seconds * 1e3, point.peak / 1e6);
                eprintln!("  {ms:10.2} ms  {peak:7.1} MB  {} runs  {command}", point.runs);
                match curves.iter_mut().find(|curve| curve.command == command) {
                    Some(curve) => curve.points.push(point),
                    None => curves.push(Curve { command, points: vec![point] }),
                }
            }
        }
        found.insert(ladder.name.into(), Ladder { occasion: occasion.over(), curves });
        results::save(&file, &found)?;
    }
    let tables = pages::tables(&found);
    if docs {
        pages::write(&found, &tables)?;
    }
    println!("{}", tables.values().map(String::as_str).collect::<Vec<_>>().join("\n\n"));
    Ok(())
}
