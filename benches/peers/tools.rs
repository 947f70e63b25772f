//! The peers: where they are, and which versions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What each is, in the order of the tables.
pub const PEERS: [(&str, &str); 8] = [
    ("git-perf", "readings as git notes, with an audit and an HTML report"),
    ("hyperfine", "the time of commands, one after the other"),
    ("dvc", "experiments of machine learning: pipelines, parameters and metrics under git"),
    ("asv", "the history of Python benchmarks as a site"),
    ("pytest-benchmark", "benchmarks within pytest"),
    ("otava", "change points in series of readings"),
    ("dive", "layers of images"),
    ("syft", "what software an image holds"),
];

/// Peers without an installation that a script could make, and why.
pub const NOT_MEASURED: [(&str, &str); 2] = [
    (
        "github-action-benchmark",
        "runs inside GitHub Actions only and is in no package registry; its rule takes part under the false alarms",
    ),
    (
        "bencher",
        "its command line is in no package registry and speaks to a server; its percentage rule takes part under the false alarms",
    ),
];

/// Those that were found.
pub struct Tools {
    folder: Option<PathBuf>,
    /// Their home: nothing of anybody's own settings is read, and none are changed.
    home: PathBuf,
    versions: BTreeMap<&'static str, String>,
}

impl Tools {
    /// Looks for all of them in `folder` (`bin` in it), then in `PATH`.
    pub fn find(folder: Option<&Path>, home: &Path) -> Tools {
        std::fs::create_dir_all(home).expect("a folder");
        let folder = folder.map(|folder| std::fs::canonicalize(folder).unwrap_or_else(|_| folder.into()));
        let mut tools = Tools { folder, home: home.into(), versions: BTreeMap::new() };
        for (name, _) in PEERS {
            let version = tools.version(name);
            tools.versions.extend(version.map(|version| (name, version)));
        }
        tools
    }

    /// Whether it is there.
    pub fn has(&self, name: &str) -> bool {
        self.versions.contains_key(name)
    }

    /// The versions by name; none of those that are missing.
    pub fn versions(&self) -> BTreeMap<String, Option<String>> {
        PEERS.iter().map(|(name, _)| (name.to_string(), self.versions.get(name).cloned())).collect()
    }

    /// A command of a peer (or of ours, or of git) in a folder.
    pub fn command(&self, dir: &Path, program: &str, words: &[&str]) -> Command {
        let mut command = super::commands::command(dir, &self.place(program), words);
        command.env("HOME", &self.home).env("XDG_CONFIG_HOME", self.home.join("config")).env("DVC_NO_ANALYTICS", "1");
        // No peer is to wait for a server that has its newest version.
        command.env("SYFT_CHECK_FOR_APP_UPDATE", "false");
        command.env("GIT_VERDICT_TRUST", "1").env("PATH", self.path()).env("NO_COLOR", "1");
        command
    }

    fn path(&self) -> std::ffi::OsString {
        let own = self.folder.iter().map(|folder| folder.join("bin"));
        let usual = std::env::var_os("PATH").unwrap_or_default();
        std::env::join_paths(own.chain(std::env::split_paths(&usual))).expect("folders")
    }

    fn place(&self, program: &str) -> String {
        let own = self.folder.iter().map(|folder| folder.join("bin").join(program)).find(|path| path.exists());
        own.map_or_else(|| program.to_string(), |path| path.display().to_string())
    }

    fn version(&self, name: &str) -> Option<String> {
        let script = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))";
        let mut command = match name {
            // These do not tell it themselves.
            "otava" => self.command(Path::new("/"), "python", &["-c", script, "apache-otava"]),
            "pytest-benchmark" => self.command(Path::new("/"), "python", &["-c", script, name]),
            _ => self.command(Path::new("/"), name, &["--version"]),
        };
        let output = command.output().ok().filter(|output| output.status.success())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // `NAME 1.2.3`, or the number alone.
        text.lines().next()?.split_whitespace().last().map(|word| word.trim_start_matches('v').to_string())
    }
}
