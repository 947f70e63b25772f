//! Ours and its peers, in one run.
//!
//! ```text
//! benches/install-peers DIR
//! cargo bench --bench peers -- --peers DIR [PART…]    the last results are in target/bench-results/peers.json
//!     PART       start, record, latest, all, report, image, alarms, decide (default: all)
//!     --quick    small sizes and few rounds
//!     --docs     the results are those of the documentation, which is made anew
//!     --draw     nothing is measured; the documentation is made anew of what was measured before
//! ```
//!
//! In every part the tools take turns, in random order within each round. A peer that is not there is named, and left out.
//! What each part measures is said in its module, and for its reader in docs/peers.md.

mod alarms;
#[path = "../common/artefacts.rs"]
mod artefacts;
#[path = "../common/chart.rs"]
mod chart;
#[path = "../common/commands.rs"]
mod commands;
mod decide;
mod history;
mod image;
#[path = "../common/machine.rs"]
mod machine;
mod pages;
#[path = "../common/programs.rs"]
mod programs;
mod race;
#[path = "../common/records.rs"]
mod records;
#[path = "../common/results.rs"]
mod results;
#[path = "../common/rules.rs"]
mod rules;
#[path = "../common/spent.rs"]
mod spent;
mod start;
#[path = "../common/timing.rs"]
mod timing;
mod tools;

use commands::PROGRAM;
use machine::Occasion;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tools::Tools;

/// The parts, in the order in which they run.
const PARTS: [&str; 8] = ["start", "record", "latest", "all", "report", "image", "alarms", "decide"];

/// What a run knows.
struct Bench {
    tools: Tools,
    /// Where everything is made; gone at the end.
    folder: PathBuf,
    quick: bool,
}

impl Bench {
    /// Whether a tool takes part.
    fn there(&self, tool: &str) -> bool {
        matches!(tool, "git-verdict" | "git" | "tar") || self.tools.has(tool)
    }

    /// The one number, or the other with `--quick`.
    fn pick(&self, usual: usize, quick: usize) -> usize {
        if self.quick { quick } else { usual }
    }
}

/// What one part found.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Part {
    occasion: Occasion,
    /// With the program itself.
    versions: BTreeMap<String, Option<String>>,
    /// The size of what was measured, where there is one: records, megabytes, trials.
    size: usize,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    timings: Vec<race::Timing>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rates: Vec<alarms::Rate>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    answers: Vec<decide::Answers>,
}

/// All parts by name.
type Results = BTreeMap<String, Part>;

fn main() -> ExitCode {
    spent::serve_or("peers", run)
}

fn run() -> Result<(), Box<dyn Error>> {
    let (mut parts, mut peers) = (Vec::new(), None);
    let (mut quick, mut docs, mut draw) = (false, false, false);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--bench" => {}
            "--quick" => quick = true,
            "--docs" => docs = true,
            "--draw" => (docs, draw) = (true, true),
            "--peers" => peers = Some(PathBuf::from(words.next().ok_or("--peers wants a folder")?)),
            // What `cargo test --all-targets` asks of every bench.
            "--test" | "--list" => return Ok(()),
            part => parts.push(
                *PARTS
                    .iter()
                    .find(|known| **known == part)
                    .ok_or(format!("there is no part '{part}'; there are {}", PARTS.join(", ")))?,
            ),
        }
    }
    let file = results::file("peers", docs);
    let mut found: Results = results::load(&file)?;
    if !draw {
        if parts.is_empty() {
            parts = PARTS.to_vec();
        }
        let folder = tempfile::tempdir()?;
        // Not within the folder of a run: what Python compiles on its first start is kept.
        let tools = Tools::find(peers.as_deref(), &folder.path().join("home"));
        let bench = Bench { tools, folder: folder.path().into(), quick };
        for (name, version) in bench.tools.versions() {
            eprintln!("{name:17} {}", version.as_deref().unwrap_or("is not there, and left out"));
        }
        let mut history = history::History::default();
        for part in PARTS.into_iter().filter(|part| parts.contains(part)) {
            eprintln!("{part}:");
            found.insert(part.into(), measure(&bench, part, &mut history)?);
            results::save(&file, &found)?;
        }
    }
    let tables = pages::tables(&found);
    if docs {
        pages::write(&found, &tables)?;
    }
    println!("{}", tables.values().map(String::as_str).collect::<Vec<_>>().join("\n\n"));
    Ok(())
}

fn measure(bench: &Bench, part: &str, history: &mut history::History) -> Result<Part, Box<dyn Error>> {
    let occasion = Occasion::begin(bench.quick);
    let mut versions = bench.tools.versions();
    versions.insert("git-verdict".into(), Some(env!("CARGO_PKG_VERSION").into()));
    let (size, mut timings, mut rates, mut answers) = (history::records(bench), Vec::new(), Vec::new(), Vec::new());
    let mut size = size;
    match part {
        "start" => (size, timings) = (0, start::start(bench)),
        "record" => (size, timings) = (1, history::record(bench)),
        "latest" => timings = history.made(bench).latest(bench),
        "all" => timings = history.made(bench).all(bench),
        "report" => timings = history.made(bench).report(bench),
        "image" => (size, timings) = image::image(bench)?,
        "alarms" => (size, rates) = alarms::alarms(bench)?,
        _ => (size, answers) = decide::decide(bench)?,
    }
    Ok(Part { occasion: occasion.over(), versions, size, timings, rates, answers })
}

/// A path as text.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
