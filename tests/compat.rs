//! What earlier versions left behind is read, told and gone on with: `testdata/compat` has a repository of each, and what it printed.
//!
//! docs/stability.md says what is promised; `testdata/compat/record` writes a folder with the binary of a version.

use crate::common::{Repo, schemas::hold_old};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The folder of each version.
fn versions() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/compat");
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

/// The repository that a version left, with every ref and `main` checked out.
fn repository(version: &Path) -> Repo {
    let repo = Repo::empty();
    let bundle = version.join("repository.bundle");
    repo.git(&["fetch", "--quiet", "--update-head-ok", bundle.to_str().unwrap(), "+refs/*:refs/*"]);
    repo.git(&["reset", "--quiet", "--hard", "main"]);
    repo.ok(&["trust", "--yes"]);
    repo
}

/// What is in `old` and not, or not the same, in `new`. Fields that are only in `new` are what later versions may add.
fn lost(at: &str, old: &Value, new: &Value, out: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(before), Value::Object(after)) => {
            for (key, value) in before {
                lost(&format!("{at}/{key}"), value, after.get(key).unwrap_or(&Value::Null), out);
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (i, (value, other)) in before.iter().zip(after).enumerate() {
                lost(&format!("{at}/{i}"), value, other, out);
            }
        }
        _ if old == new => {}
        _ => out.push(format!("{at}: {old} is {new}")),
    }
}

/// The JSON that a version printed under a name.
fn printed(version: &Path, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(version.join(format!("{name}.json"))).unwrap()).unwrap()
}

/// All records, as today's program exports them.
fn records(repo: &Repo) -> Value {
    serde_json::from_str(&repo.ok(&["export", "json"]).stdout).unwrap()
}

#[test]
fn every_field_that_an_earlier_version_printed_is_still_there_with_the_same_value() {
    for version in versions() {
        let repo = repository(&version);
        let mut wrong = Vec::new();
        let shown =
            ["slim", "fat", "archived", "idle", "open"].map(|name| (format!("show-{name}"), vec!["show", name]));
        let others = [("log", vec!["log"]), ("compare", vec!["compare", "open"])];
        for (name, words) in others.map(|(name, words)| (name.to_string(), words)).into_iter().chain(shown) {
            lost(&name, &printed(&version, &name), &repo.json(&words), &mut wrong);
        }
        lost("export", &printed(&version, "export"), &records(&repo), &mut wrong);
        assert!(wrong.is_empty(), "{}\n{}", version.display(), wrong.join("\n"));
        // Columns are only added behind those that were there.
        let csv = std::fs::read_to_string(version.join("export.csv")).unwrap();
        let now = repo.ok(&["export", "csv"]).stdout;
        assert_eq!(now.lines().count(), csv.lines().count());
        for (now, then) in now.lines().zip(csv.lines()) {
            assert!(now == then || now.starts_with(&format!("{then},")), "{}: {then}\n{now}", version.display());
        }
    }
}

/// Fields that came later are missing in what was printed before; all else is as the schemas say.
#[test]
fn what_earlier_versions_printed_is_what_the_schemas_of_today_describe() {
    for version in versions() {
        let mut held = 0;
        for entry in std::fs::read_dir(&version).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "json") {
                held += hold_old(&path.display().to_string(), &std::fs::read_to_string(&path).unwrap()).len();
            }
        }
        assert!(held > 5, "{}", version.display());
    }
}

#[test]
fn an_old_ledger_is_whole_and_its_open_experiment_is_decided_on_top_of_it() {
    for version in versions() {
        let repo = repository(&version);
        repo.ok(&["doctor", "--ledger"]);
        let before = records(&repo);
        repo.git(&["switch", "--quiet", "verdict/open"]);
        repo.ok(&["keep", "--because", "smaller still", "--force"]);
        let after = records(&repo);
        let (old, new) = (before["records"].as_array().unwrap(), after["records"].as_array().unwrap());
        assert_eq!(new.len(), old.len() + 1);
        assert_eq!(new[..old.len()], old[..]);
        let told = repo.json(&["log"]);
        assert_eq!(told["decisions"][0]["experiment"], "open");
        // Taking back what the old version decided.
        repo.ok(&["undo", "archived", "--because", "another look"]);
    }
}

/// What a version left in `.git/verdict` while something was under way.
fn states() -> impl Iterator<Item = (PathBuf, PathBuf)> {
    let found: Vec<_> =
        versions().into_iter().map(|v| (v.join("state"), v)).filter(|(state, _)| state.is_dir()).collect();
    assert!(!found.is_empty());
    found.into_iter().map(|(state, version)| (version, state))
}

#[test]
fn a_decision_that_an_earlier_version_began_is_finished_and_taken_back() {
    for (version, state) in states() {
        for (way, known) in [("--resume", 1), ("--undo", 0)] {
            let repo = repository(&version);
            let before = repo.snapshot();
            let decided = || repo.json(&["log"])["decisions"].as_array().unwrap().len();
            let count = decided();
            repo.write(".git/verdict/journal.json", std::fs::read(state.join("journal.json")).unwrap());
            repo.refuses(3, &["keep", "open", "--because", "again"])
                .says(&["the decision on 'open' (keep) was cut off"]);
            repo.ok(&["doctor", way]);
            assert_eq!(decided(), count + known, "{way}");
            assert_eq!(repo.snapshot() == before, known == 0, "{way}");
        }
    }
}

#[test]
fn a_session_that_an_earlier_version_began_goes_on_here_and_is_set_aside_on_another_machine() {
    for (version, state) in states() {
        let saved = std::fs::read_to_string(state.join("session.jsonl")).unwrap();
        let (header, samples) = saved.split_once('\n').unwrap();
        let taken = samples.lines().filter(|line| line.starts_with("{\"sample\"")).count();
        let trusted = || {
            let repo = repository(&version);
            repo.ok(&["trust", "--yes", "main", "verdict/open"]);
            repo
        };
        let here = trusted().json(&["measure", "open", "--pairs", "1"])["measured"]["environment"].clone();
        let begun = |environment: Value| {
            let mut header: Value = serde_json::from_str(header).unwrap();
            header["environment"] = environment;
            let repo = trusted();
            repo.write(".git/verdict/sessions/open.jsonl", format!("{header}\n{samples}"));
            repo.ok(&["measure", "open", "--pairs", "3"])
        };
        begun(here.clone()).says(&["goes on where it stopped: ", &format!("{taken} samples are saved")]);
        let mut elsewhere = here;
        elsewhere["cores"] = 4096.into();
        begun(elsewhere).says(&["an earlier session is set aside: it ran on another machine"]);
    }
}

#[test]
fn what_the_guard_of_an_earlier_version_knew_is_still_known() {
    for (version, state) in states() {
        let repo = repository(&version);
        let anew = repo.json(&["similar", "--text", "fat is smaller"]);
        assert!(!anew["similar"].as_array().unwrap().is_empty(), "{anew}");
        repo.write(".git/verdict/index/guard", std::fs::read(state.join("guard")).unwrap());
        assert_eq!(repo.json(&["similar", "--text", "fat is smaller"]), anew);
    }
}
