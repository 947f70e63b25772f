//! A live A/A: the same program on both sides, our rule and hyperfine itself in turn.

use super::Outcome;
use super::programs::{Program, programs};
use super::rules::{self, Claim, MARGIN};
use std::path::Path;
use std::process::{Command, Stdio};

/// Lets hyperfine measure a program against itself, ten runs each: the times that it exports.
fn hyperfine(program: &Program, dir: &Path) -> Result<[Vec<f64>; 2], Box<dyn std::error::Error>> {
    let words: Vec<String> = program.words.iter().map(|w| format!("'{w}'")).collect();
    let line = words.join(" ");
    let status = Command::new("hyperfine")
        .args(["--shell=none", "--warmup", "1", "--runs", "10", "--export-json", "hyperfine.json", &line, &line])
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|e| format!("hyperfine: {e}"))?;
    if !status.success() {
        return Err(format!("hyperfine failed on {line}: {status}").into());
    }
    let text = std::fs::read_to_string(dir.join("hyperfine.json"))?;
    let root: serde_json::Value = serde_json::from_str(&text)?;
    let times = |index: usize| -> Option<Vec<f64>> {
        root["results"][index]["times"].as_array()?.iter().map(serde_json::Value::as_f64).collect()
    };
    Ok([times(0).ok_or("hyperfine exported no times")?, times(1).ok_or("hyperfine exported no times")?])
}

/// Runs `trials` trials, the programs in turn, and prints how often each rule claimed a difference.
pub fn live(trials: usize) -> Outcome {
    let dir = tempfile::tempdir()?;
    let programs = programs(dir.path())?;
    let names = ["ours", "hyperfine, mean +- sd", "hyperfine, Welch t"];
    let (mut claims, mut runs) = ([0usize; 3], [0usize; 3]);
    for trial in 0..trials {
        let program = &programs[trial % programs.len()];
        let mut sides: Vec<Claim> = Vec::new();
        let ours = || {
            rules::ours(MARGIN, None, || {
                Ok::<_, Box<dyn std::error::Error>>((program.time(dir.path())?, program.time(dir.path())?))
            })
        };
        // Who measures first alternates from one round of the programs to the next.
        let first = if (trial / programs.len()).is_multiple_of(2) { Some(ours()?) } else { None };
        let [one, two] = hyperfine(program, dir.path())?;
        sides.push(match first {
            Some(claim) => claim,
            None => ours()?,
        });
        sides.push(rules::ranges(&one, &two));
        sides.push(rules::welch(&one, &two));
        for (index, claim) in sides.iter().enumerate() {
            claims[index] += usize::from(claim.sign != 0);
            runs[index] += claim.runs;
        }
    }
    println!("{trials} live A/A trials\n\n| rule | false claims | runs, mean |\n|---|---|---|");
    for (index, name) in names.iter().enumerate() {
        let share = 100.0 * claims[index] as f64 / trials as f64;
        println!(
            "| {name} | {} of {trials} ({share:.1} %) | {:.1} |",
            claims[index],
            runs[index] as f64 / trials as f64
        );
    }
    Ok(())
}
