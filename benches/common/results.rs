//! What a bench found, kept as JSON, and the pages of the documentation that are made of it.

#![allow(dead_code)]

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::error::Error;
use std::path::{Path, PathBuf};

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where results are: those that the documentation shows, or those of the last run here.
pub fn file(name: &str, documented: bool) -> PathBuf {
    root().join(if documented { "benches/results" } else { "target/bench-results" }).join(format!("{name}.json"))
}

/// What is in a file of results; nothing when it is not there.
pub fn load<T: DeserializeOwned + Default>(file: &Path) -> Result<T, Box<dyn Error>> {
    match std::fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", file.display()).into()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(T::default()),
        Err(error) => Err(format!("{}: {error}", file.display()).into()),
    }
}

/// Writes results.
pub fn save(file: &Path, results: &impl Serialize) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(file.parent().ok_or("no folder")?)?;
    let text = serde_json::to_string_pretty(results)? + "\n";
    std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()).into())
}

/// Replaces what stands between `<!-- NAME: made by a bench -->` and `<!-- NAME: end -->` in a page.
pub fn splice(page: &Path, name: &str, text: &str) -> Result<(), Box<dyn Error>> {
    let (begin, end) = (format!("<!-- {name}: made by a bench -->\n"), format!("<!-- {name}: end -->"));
    let whole = std::fs::read_to_string(page).map_err(|error| format!("{}: {error}", page.display()))?;
    let from = whole.find(&begin).map(|at| at + begin.len());
    let to = from.and_then(|from| whole[from..].find(&end).map(|at| from + at));
    let (Some(from), Some(to)) = (from, to) else {
        return Err(format!("{}: there is no place for '{name}'", page.display()).into());
    };
    std::fs::write(page, format!("{}\n{}\n\n{}", &whole[..from], text.trim(), &whole[to..]))?;
    Ok(())
}
