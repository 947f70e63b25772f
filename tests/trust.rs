//! Whose commands are run: those of a fresh clone, of CI and of a changed script only after `trust`.

use crate::common::{Ran, Repo};
use serde_json::Value;
use std::path::{Path, PathBuf};

const CONFIG: &str = "version = 1\n[steps.build]\nrun = \"./build.sh\"\n[metrics.size]\npath = \"out\"\n";

fn build(repo: &Repo, bytes: usize) {
    repo.script("build.sh", &format!("echo ran >> \"$RAN\"\nhead -c {bytes} /dev/zero > out\n"));
}

/// A repository of somebody else's, with an experiment on its branch; its scripts tell that they ran.
fn theirs() -> Repo {
    let mut repo = Repo::with(&[("verdict.toml", CONFIG), (".gitignore", "out\n")]);
    let ran = repo.path().join(".git/ran").display().to_string();
    repo.set("RAN", ran);
    build(&repo, 4000);
    repo.commit("feat: a build");
    repo
}

struct Clone {
    repo: Repo,
    path: PathBuf,
}

impl Clone {
    /// A fresh clone with a state folder of its own.
    fn of(mut repo: Repo) -> Clone {
        let path = repo.path().join(".git/clone");
        let state = repo.path().join(".git/state").display().to_string();
        repo.git(&["clone", "-q", ".", path.to_str().unwrap()]);
        repo.set("XDG_STATE_HOME", state);
        let clone = Clone { repo, path };
        clone.git(&["config", "user.name", "Test Author"]);
        clone.git(&["config", "user.email", "author@example.invalid"]);
        clone
    }

    fn run(&self, words: &[&str]) -> Ran {
        self.repo.run_in(&self.path, env!("CARGO_BIN_EXE_git-verdict"), words, None)
    }

    #[track_caller]
    fn expect(&self, code: i32, words: &[&str]) -> Ran {
        let ran = self.run(words);
        assert_eq!(ran.code, Some(code), "{}", ran.report());
        ran
    }

    fn git(&self, words: &[&str]) -> String {
        let ran = self.repo.run_in(&self.path, "git", words, None);
        assert_eq!(ran.code, Some(0), "{}", ran.report());
        ran.stdout.trim().to_string()
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.path.join(path), text).unwrap();
    }

    /// Opens an experiment and changes a file that nobody runs.
    fn attempt(&self) {
        self.expect(0, &["start", "slim", "--hypothesis", "smaller"]);
        self.write("a.txt", "x");
        self.git(&["add", "."]);
        self.git(&["commit", "-qm", "perf: x"]);
    }

    fn ran(&self) -> bool {
        self.repo.path().join(".git/ran").exists()
    }

    fn standing(&self, words: &[&str]) -> String {
        let ran = self.run(&[&["trust", "--show", "--json"], words].concat());
        let value: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.report()));
        value["standing"].as_str().unwrap().to_string()
    }
}

#[test]
fn a_fresh_clone_runs_nothing_before_it_is_trusted_whoever_its_commits_say_they_are_of() {
    let clone = Clone::of(theirs());
    clone.attempt();
    let refused = clone.expect(3, &["measure"]);
    refused.says(&[
        "are not trusted here",
        "not committed in this clone: build.sh, verdict.toml",
        "git verdict trust ",
    ]);
    assert!(!clone.ran());
    // What it says to do works, and only with an answer.
    let next = refused.stderr.lines().find_map(|line| line.trim().strip_prefix("try: git verdict ")).unwrap();
    let words: Vec<&str> = next.split(' ').collect();
    clone.expect(2, &words).says(&["--yes"]);
    clone.expect(3, &["measure"]);
    clone.expect(0, &[&words[..], &["--yes"]].concat()).prints(&["step build  ./build.sh", "build.sh", "trusted"]);
    clone.expect(0, &["measure"]);
    assert!(clone.ran());
}

#[test]
fn a_changed_configuration_or_script_asks_again_and_revoking_forgets() {
    let clone = Clone::of(theirs());
    clone.attempt();
    clone.expect(0, &["trust", "--yes"]);
    assert_eq!(clone.standing(&[]), "trusted");
    clone.expect(0, &["trust"]).prints(&["nothing to confirm"]);
    // Somebody else changes the script, and it comes by fetch.
    build(&clone.repo, 100);
    clone.repo.commit("feat: another build");
    clone.git(&["fetch", "-q"]);
    clone.git(&["reset", "-q", "--hard", "origin/main"]);
    assert_eq!(clone.standing(&[]), "unknown");
    clone.expect(1, &["trust", "--show"]).prints(&["new     ", "build.sh"]);
    clone.expect(0, &["trust", "--yes"]);
    clone.repo.write("verdict.toml", CONFIG.replace("./build.sh", "./build.sh more"));
    clone.repo.commit("feat: more");
    clone.git(&["fetch", "-q"]);
    clone.git(&["reset", "-q", "--hard", "origin/main"]);
    assert_eq!(clone.standing(&[]), "unknown");
    clone.expect(0, &["trust", "--yes"]);
    clone.expect(0, &["trust", "--revoke"]).prints(&["nothing in this repository is trusted any more"]);
    assert_eq!(clone.standing(&[]), "unknown");
    clone.expect(0, &["trust", "--revoke"]).prints(&["nothing was trusted here"]);
}

#[test]
fn a_makefile_and_what_it_calls_ask_again_when_they_change() {
    let mut repo = theirs();
    repo.write("verdict.toml", CONFIG.replace("./build.sh", "make -s out"));
    repo.write("Makefile", ".PHONY: out\nout:\n\t@./tools/build.sh\n");
    repo.script("tools/build.sh", "echo ran >> \"$RAN\"\nhead -c 4000 /dev/zero > out\n");
    repo.commit("build: by make");
    repo.set("MAKEFLAGS", "");
    let clone = Clone::of(repo);
    clone.attempt();
    let refused = clone.expect(3, &["measure"]);
    refused.says(&["Makefile, tools/build.sh, verdict.toml"]);
    clone.expect(0, &["trust", "--yes"]);
    for file in ["Makefile", "tools/build.sh"] {
        assert_eq!(clone.standing(&[]), "trusted");
        // Brought by somebody else's commit: what is committed here needs no asking.
        let text = std::fs::read_to_string(clone.path.join(file)).unwrap();
        let blob = clone.repo.git_with_input(&["hash-object", "-w", "--stdin"], &format!("{text}#\n"));
        let blob = blob.trim();
        clone.repo.git(&["update-index", "--cacheinfo", &format!("100755,{blob},{file}")]);
        clone.repo.git(&["commit", "-qm", "build: more"]);
        clone.git(&["pull", "-q", "--no-edit", "--no-rebase", "origin", "main"]);
        assert_eq!(clone.standing(&["HEAD"]), "unknown", "{file}");
        clone.expect(0, &["trust", "--yes"]);
    }
    assert!(!clone.ran());
}

#[test]
fn what_you_write_or_commit_yourself_runs_without_asking() {
    let repo = theirs();
    repo.ok(&["start", "slim", "--hypothesis", "smaller"]);
    build(&repo, 1000);
    repo.commit("perf: less");
    repo.ok(&["measure"]);
    // After a rebase the commits are other ones, the contents are not.
    repo.git(&["switch", "-q", "main"]);
    repo.write("b.txt", "b");
    repo.commit("feat: b");
    repo.git(&["switch", "-q", "verdict/slim"]);
    repo.git(&["rebase", "-q", "main"]);
    repo.ok(&["measure"]);
    // A configuration that you write into somebody's repository covers the scripts that you saw.
    let clone = Clone::of(repo);
    clone.git(&["switch", "-q", "-c", "main", "origin/main"]);
    clone.write("verdict.toml", &CONFIG.replace("\"out\"", "\"./out\""));
    assert_eq!(clone.standing(&[]), "own");
    clone.git(&["commit", "-qam", "build: measure"]);
    assert_eq!(clone.standing(&[]), "own");
    // But not a script that comes later.
    build(&clone.repo, 100);
    clone.repo.commit("feat: another build");
    clone.git(&["fetch", "-q"]);
    assert_eq!(clone.standing(&["origin/verdict/slim"]), "unknown");
}

#[test]
fn taking_over_somebodys_commit_is_not_writing_its_scripts() {
    let clone = Clone::of(theirs());
    build(&clone.repo, 10);
    clone.repo.write("verdict.toml", CONFIG.replace("size", "weight"));
    clone.repo.commit("feat: evil");
    clone.git(&["fetch", "-q"]);
    for words in [&["cherry-pick", "origin/main"][..], &["merge", "-q", "--no-ff", "--no-edit", "origin/main"]] {
        clone.git(words);
        assert_eq!(clone.standing(&[]), "unknown", "{words:?}");
        clone.git(&["commit", "-q", "--amend", "-m", "mine now"]);
        assert_eq!(clone.standing(&[]), "unknown", "{words:?}, amended");
        clone.git(&["reset", "-q", "--hard", "origin/main~1"]);
    }
}

#[test]
fn in_ci_only_what_was_trusted_or_vouched_for_runs() {
    let mut repo = theirs();
    let state = repo.path().join(".git/state").display().to_string();
    repo.set("XDG_STATE_HOME", state);
    repo.ok(&["start", "slim", "--hypothesis", "smaller"]);
    build(&repo, 1000);
    repo.commit("perf: less");
    repo.set("CI", "true");
    repo.expect(3, &["measure"]).says(&["not trusted here"]);
    repo.set("GIT_VERDICT_TRUST", "1");
    repo.ok(&["measure"]);
    repo.set("GIT_VERDICT_TRUST", "0");
    repo.expect(3, &["measure"]);
    repo.ok(&["trust", "--yes"]);
    repo.ok(&["measure"]);
}

#[test]
fn no_place_to_remember_is_said_and_a_damaged_one_trusts_nothing() {
    let mut repo = theirs();
    repo.set("XDG_STATE_HOME", "relative");
    repo.set("HOME", "relative");
    repo.expect(3, &["trust", "--yes"]).says(&["no place to remember", "XDG_STATE_HOME"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("git-verdict/trust.json");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "[]").unwrap();
    repo.set("XDG_STATE_HOME", folder.path().display().to_string());
    repo.expect(3, &["trust", "--show"]).says(&["cannot be read", "rm "]);
    assert!(Path::new(&file).exists());
}
