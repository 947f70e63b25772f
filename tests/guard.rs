//! The rejected-idea guard: how well it knows reverted optimizations again, on real histories.
//!
//! `tests/guard/README.md` says what the labelled set is, where it comes from and how it is made anew.

use crate::common::Repo;
use git_verdict::git::change::Between;
use git_verdict::git::{Oid, Repo as Git};
use git_verdict::guard::{Features, Kind, Known, Match, Question, Shelf};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use ulid::Ulid;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guard")
}

/// A line of `cases.tsv`.
#[derive(Debug, Clone)]
struct Case {
    repository: String,
    /// What is one idea, within a repository.
    idea: String,
    /// `record`: was reverted; `again`: a later attempt at it; `other`: another performance commit at the same places.
    role: String,
    commit: String,
    /// Of a later attempt, how it was known for one: by its `title`, or by a `mention` of the first one.
    known_by: String,
}

fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(folder().join("cases.tsv")).unwrap();
    let one = |line: &str| {
        let mut fields = line.split('\t').map(String::from);
        let mut next = || fields.next().unwrap_or_default();
        Case { repository: next(), idea: next(), role: next(), commit: next(), known_by: next() }
    };
    text.lines().map(one).collect()
}

/// Repository -> whether it is in the half that the coefficients were fitted on.
fn halves() -> BTreeMap<String, bool> {
    let text = std::fs::read_to_string(folder().join("repositories.tsv")).unwrap();
    let one = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        (fields[0].to_string(), fields[2] == "training")
    };
    text.lines().map(one).collect()
}

fn file_of(repository: &str) -> PathBuf {
    folder().join(format!("{}.features", repository.replace('/', "+")))
}

/// Makes the features anew from fetched git directories, `OWNER+NAME/repo` each, in the folder `GUARD_MIRRORS`.
#[test]
#[ignore = "needs the fetched histories"]
fn features_from_the_histories() {
    let mirrors = PathBuf::from(std::env::var_os("GUARD_MIRRORS").expect("GUARD_MIRRORS"));
    let mut by_repository: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    for case in cases() {
        by_repository.entry(case.repository.clone()).or_default().push(case);
    }
    for (repository, cases) in by_repository {
        let git = Git::discover(&mirrors.join(repository.replace('/', "+")).join("repo")).unwrap();
        let known: Vec<Known> = cases
            .iter()
            .enumerate()
            .map(|(number, case)| {
                let commit = git.commit(&Oid::parse(&case.commit).unwrap()).unwrap();
                let parent = commit.parents.first().expect("a parent");
                let change = Question::of_change(&git, Between::Commits(parent, &commit.id), &commit.subject).unwrap();
                let record = Ulid(number as u128);
                Known { record, experiment: record, patch: change.patch, features: change.features }
            })
            .collect();
        std::fs::write(file_of(&repository), Shelf::write("", &known)).unwrap();
    }
}

/// One question to the records of its repository, and what is right to answer.
struct Asked {
    case: Case,
    patch_is_new: bool,
    right: Vec<Ulid>,
    found: Vec<Match>,
}

/// How what is known of a later attempt is told.
#[derive(Clone, Copy, PartialEq)]
enum Told {
    /// The diff and the subject.
    All,
    /// The diff alone.
    Diff,
    /// The subject alone.
    Text,
}

fn part(features: &Features, told: Told) -> Features {
    let mut part = Features::default();
    for kind in Kind::ALL {
        if told == Told::All || (told == Told::Text) == (kind == Kind::Word) {
            part.put(kind, features.of(kind).iter().copied());
        }
    }
    part
}

fn ask(training: bool, told: Told) -> Vec<Asked> {
    let halves = halves();
    let mut by_repository: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    for case in cases().into_iter().filter(|case| halves[&case.repository] == training) {
        by_repository.entry(case.repository.clone()).or_default().push(case);
    }
    let mut asked = Vec::new();
    for (repository, cases) in by_repository {
        let all = Shelf::read(std::fs::read(file_of(&repository)).unwrap()).unwrap();
        assert_eq!(all.len(), cases.len(), "{repository}");
        let known: Vec<Known> = (0..all.len()).map(|number| all.known(number)).collect();
        let records = || cases.iter().zip(&known).filter(|(case, _)| case.role == "record");
        for (case, one) in cases.iter().zip(&known).filter(|(case, _)| case.role != "record") {
            // A record of the same idea that is the asked commit itself, reverted later, is no answer.
            let there: Vec<(&Case, &Known)> = records().filter(|(record, _)| record.commit != case.commit).collect();
            let right: Vec<Ulid> =
                there.iter().filter(|(record, _)| record.idea == case.idea).map(|(_, known)| known.record).collect();
            let patch_is_new = there.iter().all(|(_, known)| known.patch != one.patch);
            let shelf = there.into_iter().map(|(_, known)| known.clone()).collect::<Vec<_>>();
            let shelf = Shelf::read(Shelf::write("", &shelf)).unwrap();
            let found = shelf.compare(&part(&one.features, told), 0);
            asked.push(Asked { case: case.clone(), patch_is_new, right, found });
        }
    }
    asked
}

/// Writes what the coefficients are fitted on to the file `GUARD_INPUTS`.
#[test]
#[ignore = "for fitting"]
fn inputs_for_fitting() {
    let mut out = String::new();
    for (training, name) in [(true, "training"), (false, "held-out")] {
        for (told, how) in [(Told::All, "all"), (Told::Diff, "diff"), (Told::Text, "text")] {
            for asked in ask(training, told) {
                for one in &asked.found {
                    let right = u8::from(asked.right.contains(&one.record));
                    let case = &asked.case;
                    let new = u8::from(asked.patch_is_new);
                    write!(
                        out,
                        "{name}\t{how}\t{}\t{}\t{}\t{}\t{new}\t{right}",
                        case.repository, case.commit, one.record, case.known_by
                    )
                    .unwrap();
                    for shared in one.overlap {
                        write!(out, "\t{}\t{}\t{}", shared.both, shared.record, shared.change).unwrap();
                    }
                    out.push('\n');
                }
            }
        }
    }
    std::fs::write(std::env::var_os("GUARD_INPUTS").expect("GUARD_INPUTS"), out).unwrap();
}

/// What is right, wrong and missing of the answers, over all pairs of a question and a record.
#[derive(Debug, Default, Clone, Copy)]
struct Score {
    right: usize,
    wrong: usize,
    missing: usize,
}

impl Score {
    fn precision(self) -> f64 {
        self.right as f64 / (self.right + self.wrong).max(1) as f64
    }
    fn recall(self) -> f64 {
        self.right as f64 / (self.right + self.missing).max(1) as f64
    }
}

/// All answers count for precision; for recall those to the later attempts that are asked for.
fn score(asked: &[Asked], counts: &dyn Fn(&Asked) -> bool) -> Score {
    let mut score = Score::default();
    for one in asked {
        let shown: Vec<Ulid> = one.found.iter().filter(|found| found.alike).map(|found| found.record).collect();
        score.wrong += shown.iter().filter(|record| !one.right.contains(record)).count();
        if counts(one) {
            score.right += one.right.iter().filter(|record| shown.contains(record)).count();
            score.missing += one.right.iter().filter(|record| !shown.contains(record)).count();
        }
    }
    score
}

/// Of a later attempt that is no copy of the first, less than this part of the lines is the same.
const REWRITTEN: f32 = 0.8;

#[test]
fn nine_of_ten_notes_are_right_and_six_of_ten_repeated_ideas_are_found_on_histories_that_nothing_was_fitted_on() {
    let lines = |one: &Asked| {
        let of = |found: &Match| found.overlap[Kind::Line as usize].of_both();
        one.found.iter().filter(|found| one.right.contains(&found.record)).map(of).fold(0.0, f32::max)
    };
    for training in [true, false] {
        let half = if training { "training" } else { "held out" };
        for (told, how) in [(Told::Diff, "diff alone"), (Told::All, "diff and subject"), (Told::Text, "subject alone")]
        {
            let asked = ask(training, told);
            let again = asked.iter().filter(|one| one.case.role == "again").count();
            let others = asked.len() - again;
            let alarmed =
                asked.iter().filter(|one| one.case.role == "other" && one.found.iter().any(|f| f.alike)).count();
            let all = score(&asked, &|_| true);
            println!(
                "{half}, {how}: {again} later attempts, {others} other commits: precision {:.3} ({} of {}), recall {:.3} ({} of {}); \
                 a note on {alarmed} of the others",
                all.precision(),
                all.right,
                all.right + all.wrong,
                all.recall(),
                all.right,
                all.right + all.missing
            );
            if told != Told::Text {
                // What the commit hook does not see: it looks when a file of a reverted experiment was written.
                let right = |one: &Asked| one.found.iter().filter(|f| f.alike && one.right.contains(&f.record)).count();
                let elsewhere = |one: &Asked| {
                    let all = one.found.iter().filter(|f| f.alike && one.right.contains(&f.record));
                    all.filter(|f| f.overlap[Kind::File as usize].both == 0.0).count()
                };
                let (unseen, seen): (usize, usize) = (asked.iter().map(elsewhere).sum(), asked.iter().map(right).sum());
                println!("    in other files altogether: {unseen} of {seen}");
                assert_eq!(unseen, 0, "{half}, {how}: of {seen}");
                let new = score(&asked, &|one| one.patch_is_new);
                let rewritten = score(&asked, &|one| lines(one) < REWRITTEN);
                println!(
                    "    other patch: recall {:.3} ({} of {}); less than {REWRITTEN} of the lines the same: {:.3} ({} of {})",
                    new.recall(),
                    new.right,
                    new.right + new.missing,
                    rewritten.recall(),
                    rewritten.right,
                    rewritten.right + rewritten.missing
                );
                assert!(all.precision() >= 0.9 && all.recall() >= 0.6, "{half}, {how}: {all:?}");
            }
        }
    }
}

const CONFIG: &str = "version = 1\n[steps.build]\nrun = \"./build.sh\"\n[metrics.size]\npath = \"out\"\n";
const PLAIN: &str = "FROM python:3.10\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\nCOPY . /app\n\
    CMD [\"python\", \"app.py\"]\n";

fn stages(version: &str, name: &str) -> String {
    format!(
        "FROM python:{version} AS {name}\nCOPY requirements.txt .\nRUN pip install --prefix=/install -r requirements.txt\n\
         FROM python:{version}-slim\nCOPY --from={name} /install /usr/local\nCOPY . /app\nCMD [\"python\", \"app.py\"]\n"
    )
}

/// A service whose multi-stage build was measured and reverted, and whose base image and packages moved since.
fn service() -> Repo {
    let repo = Repo::with(&[
        ("verdict.toml", CONFIG),
        ("Dockerfile", PLAIN),
        ("requirements.txt", "flask==2.0\n"),
        (".gitignore", "out\n"),
        ("app.py", "print(1)\n"),
    ]);
    repo.script("build.sh", "cp Dockerfile out\n");
    repo.commit("feat: a service");
    repo.ok(&["start", "multi-stage", "--hypothesis", "a multi-stage build leaves the compilers out of the image"]);
    repo.write("Dockerfile", stages("3.10", "build"));
    repo.commit("perf: build in two stages");
    repo.ok(&["measure", "--pairs", "2"]);
    repo.ok(&["revert", "--because", "six minutes of build time for 0.3 GB"]);
    repo.write("Dockerfile", PLAIN.replace("3.10", "3.12"));
    repo.write("requirements.txt", "flask==3.0\n");
    repo.commit("build: python 3.12");
    repo
}

const TOLD: [&str; 5] = [
    "like multi-stage (",
    "reverted on 20",
    "because: six minutes of build time for 0.3 GB",
    "since then: base image python:3.10 is python:3.12 (Dockerfile)",
    "flask 2.0 -> 3.0",
];

fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn tells(text: &str) {
    let text = flat(text);
    for part in TOLD {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[test]
fn an_idea_that_was_reverted_is_named_when_it_is_started_again_with_what_has_moved_since() {
    let repo = service();
    let hypothesis = "a multi-stage build, so that compilers stay out of the image";
    let started = repo.ok(&["start", "slim-runtime", "--hypothesis", hypothesis]);
    tells(&started.stderr);
    assert!(started.stdout.contains("opened slim-runtime"));
    repo.ok(&["abandon", "--because", "for the test"]);
    repo.git(&["switch", "-q", "main"]);
    assert_eq!(repo.ok(&["start", "wheels", "--hypothesis", "cached wheels build faster"]).stderr, "");
    repo.write("app.py", "print(2)\n");
    repo.commit("perf: other");
    repo.ok(&["similar"]).prints(&["like none of 1 reverted experiment"]);
    // The words say nothing, the diff does.
    repo.git(&["switch", "-q", "main"]);
    repo.write("Dockerfile", stages("3.12", "builder"));
    let commit = repo.commit("perf: another way");
    let adopted = repo.json(&["start", "x", "--hypothesis", "smaller", "--adopt", &commit]);
    assert_eq!(adopted["similar"][0]["decided"]["experiment"], "multi-stage");
    assert_eq!(adopted["similar"][0]["moved"][0]["kind"], "base_image");
    repo.ok(&["--quiet", "abandon", "x", "--because", "for the test"]);
}

#[test]
fn a_commit_a_range_what_is_staged_and_a_text_can_be_asked_about() {
    let repo = service();
    repo.write("Dockerfile", stages("3.12", "builder"));
    repo.git(&["add", "--all"]);
    tells(&repo.ok(&["similar", "--staged"]).stdout);
    let commit = repo.commit("perf: another way");
    for words in [&["similar"][..], &["similar", &commit], &["similar", "HEAD~1..HEAD"]] {
        tells(&repo.ok(words).stdout);
    }
    tells(&repo.ok(&["similar", "--text", "a multi-stage build with compilers left out"]).stdout);
    let asked = repo.json(&["similar", "--text", "多阶段构建"]);
    assert_eq!((&asked["reverted"], &asked["similar"]), (&1.into(), &serde_json::json!([])));
    let attempt = repo.git(&["log", "--format=%H", "--grep=in two stages", "-1", "--no-merges"]);
    let same = repo.json(&["similar", &attempt]);
    assert_eq!((&same["similar"][0]["same_patch"], &same["similar"][0]["probability"]), (&true.into(), &1.0.into()));
    assert!(repo.ok(&["--lang", "zh-CN", "similar"]).stdout.contains("相似"));
    repo.expect(2, &["similar", "nowhere"]).says(&["'nowhere' names no commit"]);
    repo.expect(2, &["similar", "--text", " "]).says(&["the text is empty"]);
    repo.expect(3, &["similar", "--staged"]).says(&["nothing is staged"]);
    repo.expect(2, &["similar", "--staged", "HEAD"]);
}

#[test]
fn a_flag_that_was_reverted_is_known_again_on_a_line_that_has_changed_meanwhile() {
    let config = "version = 1\n[metrics.size]\npath = \"out\"\n";
    let bundle = |more: &str| format!("#!/bin/sh\nset -e\nesbuild src/index.ts --bundle --minify{more}\ngzip -k out\n");
    let repo =
        Repo::with(&[("verdict.toml", config), ("out", "1234"), ("bundle.sh", &bundle("")), ("size.sh", "true\n")]);
    repo.ok(&["start", "esnext", "--hypothesis", "newer syntax is shorter"]);
    repo.write("bundle.sh", bundle(" --target=esnext"));
    repo.commit("perf: for new engines only");
    repo.ok(&["measure"]);
    repo.ok(&["revert", "--because", "not a byte changes"]);
    repo.write("bundle.sh", bundle(" --sourcemap=external"));
    repo.commit("perf: maps of their own");
    repo.ok(&["similar"]).prints(&["like none of 1 reverted experiment"]);
    repo.write("bundle.sh", bundle(" --sourcemap=external --target=esnext"));
    repo.commit("build: what engines know today");
    let told = repo.ok(&["similar"]).stdout;
    for part in ["like esnext (95 %)", "because: not a byte changes", "words within lines"] {
        assert!(flat(&told).contains(part), "{told}");
    }
    // Neither the flag in another file, nor its removal, nor another flag there.
    repo.write("bundle.sh", bundle(" --sourcemap=external"));
    repo.commit("build: for all engines");
    repo.ok(&["similar"]).prints(&["like none of 1 reverted experiment"]);
    repo.write("bundle.sh", bundle(" --sourcemap=external --target=es2017"));
    repo.commit("build: for older engines");
    repo.ok(&["similar"]).prints(&["like none of 1 reverted experiment"]);
    repo.write("size.sh", "true --target=esnext\n");
    repo.commit("build: elsewhere");
    repo.ok(&["similar"]).prints(&["like none of 1 reverted experiment"]);
}

#[test]
fn what_was_undone_or_is_not_there_is_not_told() {
    let repo = service();
    repo.git(&["switch", "-q", "main"]);
    let reverted = |repo: &Repo| repo.json(&["similar", "--text", "multi-stage build, compilers left out"]);
    assert_eq!(reverted(&repo)["similar"].as_array().unwrap().len(), 1);
    // The file is made anew whatever is in it.
    for bytes in [&b""[..], b"GVG2", b"rubbish", &[0xff; 4000]] {
        std::fs::write(repo.path().join(".git/verdict/index/guard"), bytes).unwrap();
        assert_eq!(reverted(&repo)["similar"].as_array().unwrap().len(), 1);
    }
    repo.ok(&["undo", "multi-stage", "--because", "measured again"]);
    assert_eq!(reverted(&repo)["reverted"], 0);
    assert!(!repo.path().join(".git/verdict/index/guard").exists());
    let none = Repo::with(&[("a", "1\n")]);
    none.ok(&["similar", "--text", "anything at all"]).prints(&["no reverted experiment is on record here"]);
    none.expect(2, &["similar"]).says(&["names no commit"]);
    Repo::empty().expect(2, &["similar", "--text", "anything"]);
}

#[test]
fn an_experiment_whose_commits_are_gone_is_known_by_its_words_and_by_its_patch() {
    let repo = service();
    let attempt = repo.git(&["log", "--format=%H", "--grep=in two stages", "-1", "--no-merges"]);
    let patch = repo.git(&["format-patch", "--stdout", "-1", &attempt]);
    // A clone with the records and none of the history that they speak of.
    let clone = Repo::with(&[("Dockerfile", PLAIN), ("requirements.txt", "flask==2.0\n"), ("verdict.toml", CONFIG)]);
    clone.git(&["fetch", "-q", repo.path().to_str().unwrap(), "refs/verdict/ledger:refs/verdict/ledger"]);
    clone.git(&["gc", "-q", "--prune=now"]);
    let known = clone.json(&["similar", "--text", "multi-stage build, compilers left out"]);
    assert_eq!(known["similar"][0]["decided"]["experiment"], "multi-stage");
    clone.git_with_input(&["am", "-q"], &format!("{patch}\n"));
    let known = clone.json(&["similar", "HEAD"]);
    assert_eq!(known["similar"][0]["same_patch"], true);
}

#[test]
fn what_is_staged_can_be_asked_about_where_the_index_is_split_or_sparse() {
    for words in
        [&["update-index", "--split-index"][..], &["sparse-checkout", "set", "--cone", "--sparse-index", "lib"]]
    {
        let repo = service();
        repo.write("lib/a.py", "print(2)\n");
        repo.write("far/away/b.py", "print(3)\n");
        repo.commit("feat: more files");
        repo.git(words);
        repo.refuses(3, &["similar", "--staged"]).says(&["nothing is staged"]);
        repo.write("Dockerfile", stages("3.12", "builder"));
        repo.git(&["add", "Dockerfile"]);
        tells(&repo.ok(&["similar", "--staged"]).stdout);
    }
}

#[test]
fn the_commit_hook_starts_the_program_only_when_a_file_of_a_reverted_experiment_was_written() {
    let mut repo = service();
    let quoted = env!("CARGO_BIN_EXE_git-verdict");
    let counted = format!("echo x >> '{}/.git/started'\nexec '{quoted}' \"$@\"\n", repo.path().display());
    let program = repo.script(".git/counted/git-verdict", &counted);
    let path = std::env::var("PATH").unwrap();
    repo.set("PATH", format!("{}:{path}", program.parent().unwrap().display()));
    repo.ok(&["start", "cached", "--hypothesis", "a cache of wheels", "--on", "main"]);
    repo.write("it's new/cache.py", "print('a cache of all wheels')\n");
    repo.commit("perf: a cache");
    repo.ok(&["measure", "--pairs", "2"]);
    repo.ok(&["revert", "--because", "nobody asks twice"]);
    repo.ok(&["hook", "install", "--post-commit"]);
    repo.write(".git/started", "");
    let started = |paths: &[&str], message: &str| {
        repo.git(&[&["add", "--"], paths].concat());
        let ran = repo.try_git(&["commit", "--quiet", "-m", message]);
        assert_eq!(ran.code, Some(0), "{}", ran.report());
        (repo.read(".git/started").lines().count(), ran.stderr)
    };
    repo.write("app.py", "print(2)\n");
    assert_eq!(started(&["app.py"], "feat: a"), (1, String::new()), "there is no list yet");
    for text in ["print(3)\n", "print(4)\n"] {
        repo.write("app.py", text);
        assert_eq!(started(&["app.py"], "feat: b"), (1, String::new()));
    }
    // One that is written and not committed yet keeps it looking, until it is.
    repo.write("Dockerfile", stages("3.12", "builder"));
    for (count, text) in [(2, "print(5)\n"), (3, "print(6)\n")] {
        repo.write("app.py", text);
        assert_eq!(started(&["app.py"], "feat: c"), (count, String::new()));
    }
    let (count, told) = started(&["Dockerfile"], "perf: another way");
    assert_eq!(count, 4);
    tells(&told);
    repo.write("app.py", "print(7)\n");
    // What was written just before counts once more.
    let (count, _) = started(&["app.py"], "feat: d");
    assert!(count <= 5);
    repo.write("app.py", "print(8)\n");
    assert_eq!(started(&["app.py"], "feat: e").0, count);
    // A file that is not there any more, and comes back.
    repo.write("it's new/cache.py", "print('a cache of all wheels')\n");
    let (after, told) = started(&["it's new/cache.py"], "perf: once more");
    assert_eq!(after, count + 1);
    assert!(told.contains("the same patch as cached, reverted on "), "{told}");
    // One that is removed.
    repo.git(&["rm", "-q", "Dockerfile"]);
    assert!(started(&["app.py"], "feat: none").0 > after);
}

#[test]
fn the_commit_hook_says_so_on_standard_error_and_stops_nothing() {
    let repo = service();
    repo.ok(&["hook", "install", "--post-commit"]);
    let commit = |message: &str| {
        repo.git(&["add", "--all"]);
        repo.try_git(&["commit", "--quiet", "-m", message])
    };
    repo.write("app.py", "print(2)\n");
    let plain = commit("perf: something else");
    assert_eq!((plain.code, plain.stderr.as_str()), (Some(0), ""));
    repo.write("Dockerfile", stages("3.12", "builder"));
    let again = commit("perf: another way");
    assert_eq!(again.code, Some(0));
    tells(&again.stderr);
    // From a linked work tree too.
    let linked = repo.path().join(".git/linked-work-tree");
    repo.git(&["worktree", "add", "-q", "-b", "other", linked.to_str().unwrap(), "HEAD~1"]);
    std::fs::write(linked.join("Dockerfile"), stages("3.12", "builder")).unwrap();
    tells(&repo.run_in(&linked, "git", &["commit", "-qam", "perf: there"], None).stderr);
    // While git is in the middle of something, it holds its tongue.
    repo.git(&["switch", "-q", "-c", "third", "HEAD~1"]);
    repo.write("b.py", "print(3)\n");
    commit("feat: b");
    let rebased = repo.try_git(&["cherry-pick", "main"]);
    assert_eq!(rebased.code, Some(0), "{}", rebased.report());
}

#[test]
fn check_notes_a_rejected_idea_once_and_not_the_reverted_attempt_itself() {
    let repo = service();
    let check = |against: &str| {
        let found = repo.json(&["check", "--against", against]);
        assert_eq!(found["passed"], true);
        let found = found["findings"].as_array().unwrap().clone();
        found.into_iter().filter(|finding| finding["rule"] == "rejected-idea").collect::<Vec<_>>()
    };
    assert_eq!(check("HEAD~3").len(), 0, "the attempt is there with its reversal");
    repo.git(&["switch", "-q", "-c", "again"]);
    repo.write("Dockerfile", stages("3.12", "builder"));
    let commit = repo.commit("perf: another way");
    let found = check("main");
    assert_eq!((found.len(), found[0]["commit"].as_str()), (1, Some(commit.as_str())));
    assert_eq!((&found[0]["fails"], &found[0]["experiment"]), (&false.into(), &"multi-stage".into()));
    let text = flat(&repo.ok(&["check", "--against", "main"]).stdout);
    for part in ["note rejected-idea: ", "like multi-stage (", "since then: base image python:3.10 is python:3.12"] {
        assert!(text.contains(part), "{text}");
    }
    let markdown = repo.ok(&["check", "--against", "main", "--format", "markdown"]).stdout;
    assert!(markdown.contains("| note | rejected-idea | "), "{markdown}");
    // In two commits, none of which is alike alone.
    repo.git(&["reset", "-q", "--hard", "main"]);
    let whole = stages("3.12", "builder");
    repo.write("Dockerfile", format!("FROM python:3.12 AS builder\nCOPY requirements.txt .\n{}", PLAIN));
    repo.commit("perf: one");
    repo.write("Dockerfile", whole);
    repo.commit("perf: two");
    assert_eq!(check("main").len(), 1);
}

#[test]
fn a_huge_change_and_one_of_binary_files_are_compared_like_any_other() {
    let repo = service();
    let lines: String = (0..60_000).map(|n| format!("let value_{n} = compute({n});\n")).collect();
    repo.write("generated.rs", lines);
    for n in 0..300 {
        repo.write(&format!("data/{n}.txt"), format!("{n}\n"));
    }
    repo.commit("chore: much");
    repo.ok(&["similar"]).prints(&["like none of 1 reverted experiment"]);
    repo.write("image.bin", [0u8, 1, 2, 255].repeat(1000));
    repo.commit("chore: a picture");
    repo.ok(&["similar"]).prints(&["like none of 1 reverted experiment"]);
    // A reverted experiment of a binary file alone is known by its path.
    repo.ok(&["start", "sprites", "--hypothesis", "a smaller sprite sheet"]);
    repo.write("image.bin", [0u8, 7, 2, 255].repeat(900));
    repo.commit("perf: sprites");
    repo.ok(&["measure", "--pairs", "2"]);
    repo.ok(&["revert", "--because", "it looks bad"]);
    repo.write("image.bin", [0u8, 7, 9, 255].repeat(900));
    repo.commit("chore: a smaller sprite sheet");
    let found = repo.json(&["similar", "HEAD", "--text", "a smaller sprite sheet"]);
    assert_eq!(found["reverted"], 2);
    let sprites = found["similar"].as_array().unwrap().iter().find(|one| one["decided"]["experiment"] == "sprites");
    assert_eq!(sprites.expect("known by its path and a word")["same_patch"], false, "{found:#}");
    // What has neither is another idea.
    repo.write("other.bin", [0u8, 3, 9].repeat(900));
    repo.commit("chore: noise");
    repo.ok(&["similar"]).prints(&["like none of 2 reverted experiments"]);
}
