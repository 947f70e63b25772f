//! Records real noise: the times of single runs of programs that use the processor, the disk, or both.

use super::machine::load;
use super::programs::programs;
use super::{Outcome, traces_file};
use serde::{Deserialize, Serialize};

/// The times of one program, in seconds, in the order of the runs.
#[derive(Debug, Serialize, Deserialize)]
pub struct Trace {
    pub program: String,
    pub seconds: Vec<f64>,
    /// The machine's load, averaged over a minute, before and after.
    pub load: [f64; 2],
}

/// Runs each program `runs` times and saves the times. Programs that are not installed are left out, and named.
pub fn record(runs: usize) -> Outcome {
    let dir = tempfile::tempdir()?;
    let mut traces = Vec::new();
    for program in programs(dir.path())? {
        if let Err(error) = (0..3).try_for_each(|_| program.time(dir.path()).map(drop)) {
            eprintln!("left out: {error}");
            continue;
        }
        let before = load();
        let seconds = (0..runs).map(|_| program.time(dir.path())).collect::<Result<Vec<f64>, _>>()?;
        let trace = Trace { program: program.name.into(), seconds, load: [before, load()] };
        let mean = trace.seconds.iter().sum::<f64>() / runs as f64;
        println!(
            "{:10} {runs} runs, mean {:.1} ms, load {:.1} to {:.1}",
            trace.program,
            mean * 1e3,
            before,
            trace.load[1]
        );
        traces.push(trace);
    }
    let file = traces_file();
    std::fs::create_dir_all(file.parent().ok_or("no folder for the traces")?)?;
    std::fs::write(&file, serde_json::to_string(&traces)?)?;
    println!("saved in {}", file.display());
    Ok(())
}

/// The traces that were recorded last.
pub fn load_traces() -> Result<Vec<Trace>, Box<dyn std::error::Error>> {
    let file = traces_file();
    let text = std::fs::read_to_string(&file).map_err(|e| {
        format!("{}: {e}; record some first: cargo bench --bench calibration -- record", file.display())
    })?;
    Ok(serde_json::from_str(&text)?)
}
