//! Kills a landing at every point of its journal, while its record is written, and in the middle of a git command, and checks
//! that finishing with `git verdict doctor` gives exactly what an undisturbed landing gives, and taking back exactly what was
//! there before.

use crate::decision::sandbox::{Ask, Picture, Sandbox, keep, revert, texts_with_adr, w};
use git_verdict::config::RevertMode;
use git_verdict::decision::{self, Draft, FAULT_VARIABLE, Texts};
use git_verdict::git::Repo;
use git_verdict::ledger::Ledger;
use git_verdict::ledger::event::{Event, Fact};
use git_verdict::policy::Advice;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What a child process is told to do.
const JOB: &str = "GIT_VERDICT_TEST_JOB";
const ROOT: &str = "GIT_VERDICT_TEST_ROOT";
const DRAFT: &str = "GIT_VERDICT_TEST_DRAFT";

/// The exit status of a job that was refused or failed.
const REFUSED: i32 = git_verdict::error::Exit::State as i32;

/// No test of its own: what a child process runs, so that it can be killed.
#[test]
fn child() {
    let Ok(job) = std::env::var(JOB) else { return };
    let repo = Repo::discover(Path::new(&std::env::var(ROOT).unwrap())).unwrap();
    let ledger = Ledger::open(&repo);
    let result = match job.as_str() {
        "land" => {
            let (draft, texts): (Draft, Texts) =
                serde_json::from_slice(&std::fs::read(std::env::var(DRAFT).unwrap()).unwrap()).unwrap();
            decision::land(&repo, &ledger, draft, texts).map(drop)
        }
        "reopen" => {
            let book = ledger.book().unwrap();
            decision::prepare_undo(&repo, &ledger, &book, None, "too early")
                .and_then(|undo| decision::reopen(&repo, &ledger, undo))
                .map(drop)
        }
        other => panic!("{other}"),
    };
    if let Err(error) = result {
        eprintln!("{}", git_verdict::error::Failure::from(error));
        std::process::exit(REFUSED);
    }
    std::process::exit(0);
}

/// A prepared decision, with the picture before it and after it.
struct Case {
    template: Sandbox,
    draft: PathBuf,
    before: Picture,
    after: Picture,
    decisions: Vec<Event>,
}

impl Case {
    fn new(template: Sandbox, ask: &Ask) -> Case {
        let draft = template.prepare(ask).unwrap();
        let texts = texts_with_adr(&draft);
        let path = template.folder.path().join("draft.json");
        std::fs::write(&path, serde_json::to_vec(&(&draft, &texts)).unwrap()).unwrap();
        let before = template.picture();
        let whole = Sandbox::copy(&template);
        let mut case = Case { template, draft: path, before: before.clone(), after: before, decisions: Vec::new() };
        let done = case.run(&whole, "land", "");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        case.after = whole.picture();
        case.decisions = whole.decisions();
        case
    }

    /// Landing from a prepared draft is what a child process does; finishing and taking back is what people do.
    fn command(&self, at: &Sandbox, job: &str, fault: &str) -> Command {
        let mut command = match job {
            "resume" | "undo" => {
                let mut doctor = Command::new(env!("CARGO_BIN_EXE_git-verdict"));
                doctor.arg("-C").arg(&at.root).args(["doctor", &format!("--{job}")]);
                doctor
            }
            _ => {
                let mut child = Command::new(std::env::current_exe().unwrap());
                child.args(["decision_faults::child", "--exact", "--nocapture", "--test-threads=1"]);
                child
            }
        };
        command.env(JOB, job).env(ROOT, &at.root).env(DRAFT, &self.draft).env(FAULT_VARIABLE, fault);
        // With fixed times, the same steps make the same commits.
        command.env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z").env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z");
        command
    }

    fn run(&self, at: &Sandbox, job: &str, fault: &str) -> Output {
        self.command(at, job, fault).output().unwrap()
    }

    fn succeeds(&self, at: &Sandbox, job: &str, context: &str) {
        let done = self.run(at, job, "");
        assert!(done.status.success(), "{job} after {context}: {}", String::from_utf8_lossy(&done.stderr));
    }

    fn refused(&self, at: &Sandbox, job: &str) -> String {
        let done = self.run(at, job, "");
        let text = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(REFUSED), "{job}: {text}");
        text
    }

    /// A copy of the repository in which the landing was killed at a point.
    fn killed_at(&self, fault: &str) -> Sandbox {
        let copy = Sandbox::copy(&self.template);
        let done = self.run(&copy, "land", fault);
        assert!(done.status.signal().is_some(), "{fault}: {}", String::from_utf8_lossy(&done.stderr));
        wait_for_orphans(&copy);
        copy
    }

    fn is_before(&self, at: &Sandbox, context: &str) {
        assert_eq!(at.picture(), self.before, "{context}");
    }

    fn is_after(&self, at: &Sandbox, context: &str) {
        assert_eq!(apart_from_ledger(at.picture()), apart_from_ledger(self.after.clone()), "{context}");
        assert_eq!(at.decisions(), self.decisions, "{context}");
        assert_eq!(decision::pending(&at.repo()).unwrap().map(|p| p.name), None, "{context}");
    }

    /// Kills at every point; finishes in one copy and takes back in another, both killed at every point in their turn.
    fn survives_every_fault(&self, at_least: usize) {
        let mut number = 0;
        loop {
            number += 1;
            let copy = Sandbox::copy(&self.template);
            let done = self.run(&copy, "land", &format!("step:{number}"));
            if done.status.success() {
                self.is_after(&copy, "an undisturbed landing");
                break;
            }
            let context = format!("point {number}");
            assert!(done.status.signal().is_some(), "{context}: {}", String::from_utf8_lossy(&done.stderr));
            assert!(decision::pending(&copy.repo()).unwrap().is_some(), "{context}");
            let landed = copy.decisions() == self.decisions;
            let again = Sandbox::copy(&copy);
            // Every third point, because each is killed many times over.
            let killed = (number % 3 == 0).then(|| Sandbox::copy(&copy));

            self.succeeds(&copy, "resume", &context);
            self.is_after(&copy, &context);

            let undo = self.run(&again, "undo", "");
            if landed {
                assert_eq!(undo.status.code(), Some(REFUSED), "{context}");
                self.is_after(&again, &context);
            } else {
                assert!(undo.status.success(), "{context}: {}", String::from_utf8_lossy(&undo.stderr));
                self.is_before(&again, &context);
                // Taken back, it can be made again.
                self.succeeds(&again, "land", &context);
                self.is_after(&again, &context);
            }
            let Some(killed) = killed else { continue };
            let job = if number % 2 == 0 || landed { "resume" } else { "undo" };
            self.through_faults(&killed, job, &context);
            if job == "resume" { self.is_after(&killed, &context) } else { self.is_before(&killed, &context) }
        }
        assert!(number > at_least, "only {number} points");
    }

    /// Kills at every point, or at each `every`th, of the writing of the record; finishes one and takes back the next.
    fn survives_faults_of_the_ledger(&self, every: usize, at_least: usize) {
        let mut cut_off = 0;
        for number in (1..).step_by(every) {
            let copy = Sandbox::copy(&self.template);
            let mut land = self.command(&copy, "land", "");
            let done = land.env(git_verdict::git::fault::STEP_VARIABLE, format!("step:{number}")).output().unwrap();
            if done.status.success() {
                break;
            }
            let context = format!("point {number} of the ledger");
            assert!(done.status.signal().is_some(), "{context}: {}", String::from_utf8_lossy(&done.stderr));
            if decision::pending(&copy.repo()).unwrap().is_none() {
                // What is written before the landing begins is an index of the ledger that can be thrown away.
                self.is_before(&copy, &context);
                continue;
            }
            cut_off += 1;
            if copy.decisions() == self.decisions {
                assert!(self.refused(&copy, "undo").contains("has landed: its record is in the ledger"), "{context}");
                self.is_after(&copy, &context);
            } else if number % 2 == 0 {
                self.succeeds(&copy, "resume", &context);
                self.is_after(&copy, &context);
            } else {
                self.succeeds(&copy, "undo", &context);
                self.is_before(&copy, &context);
            }
        }
        assert!(cut_off >= at_least, "only {cut_off} points");
    }

    /// Runs a job again and again, killed one point later each time, until it comes through.
    fn through_faults(&self, at: &Sandbox, job: &str, context: &str) {
        for number in 1.. {
            let done = self.run(at, job, &format!("step:{number}"));
            if done.status.success() {
                return;
            }
            let text = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.signal().is_some(), "{job} killed at {number} after {context}: {text}");
        }
    }
}

/// Waits until no git that the landing started runs any more: each holds the lock.
fn wait_for_orphans(at: &Sandbox) {
    std::fs::File::open(at.root.join(".git/verdict/decide.lock")).unwrap().lock().unwrap();
}

/// The ledger's own commits carry the time they were made; what they hold is compared apart.
fn apart_from_ledger(mut picture: Picture) -> Picture {
    let lines = picture.refs.lines().filter(|line| !line.starts_with("refs/verdict/ledger "));
    picture.refs = lines.collect::<Vec<_>>().join("\n");
    picture
}

fn moved_on(repo: &Sandbox) {
    repo.write("app.txt", &repo.read("app.txt").replace("seven", "SEVEN"));
    repo.write("main.txt", "on main\n");
    repo.commit("fix: on main meanwhile");
}

#[test]
fn a_keep_killed_at_any_point_is_finished_or_taken_back_exactly() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    moved_on(&repo);
    repo.git(w("switch -q verdict/cache"));
    Case::new(repo, &keep("cache")).survives_every_fault(12);
}

#[test]
fn a_revert_by_merge_killed_at_any_point_is_finished_or_taken_back_exactly() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    moved_on(&repo);
    Case::new(repo, &revert("cache")).survives_every_fault(18);
}

#[test]
fn a_revert_by_merge_from_a_third_branch_killed_at_any_point_is_finished_or_taken_back_exactly() {
    let repo = Sandbox::new();
    repo.start("sided");
    repo.write("a.txt", "a\n");
    repo.commit("perf: a");
    repo.git(w("switch -q -c side"));
    repo.write("app.txt", &repo.read("app.txt").replace("two", "TWO"));
    repo.commit("perf: on a side branch");
    repo.git(w("switch -q verdict/sided"));
    repo.write("c.txt", "c\n");
    repo.commit("perf: c");
    repo.git(w("merge -q --no-edit side"));
    repo.measure("sided", Advice::Revert);
    repo.git(w("switch -q -c elsewhere main"));
    repo.write("elsewhere.txt", "x\n");
    repo.commit("feat: elsewhere");
    Case::new(repo, &revert("sided")).survives_every_fault(18);
}

#[test]
fn a_revert_in_place_killed_at_any_point_is_finished_or_taken_back_exactly() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.git(w("merge -q --no-ff --no-edit verdict/cache"));
    moved_on(&repo);
    Case::new(repo, &revert("cache")).survives_every_fault(12);
}

#[test]
fn an_archive_killed_at_any_point_is_finished_or_taken_back_exactly() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.git(w("switch -q verdict/cache"));
    Case::new(repo, &revert("cache").mode(RevertMode::Archive)).survives_every_fault(15);
}

#[test]
fn an_archive_beside_an_edit_killed_at_any_point_leaves_the_edit_as_it_is() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.write("app.txt", "edited\n");
    std::fs::remove_file(repo.root.join("lib/keep.txt")).unwrap();
    let case = Case::new(repo, &revert("cache").mode(RevertMode::Archive));
    assert_eq!(case.after.status, " M app.txt\n D lib/keep.txt");
    case.survives_every_fault(12);
}

#[test]
fn work_that_is_staged_after_a_crash_is_not_taken_along_when_the_decision_is_finished() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let case = Case::new(repo, &revert("cache").mode(RevertMode::Archive));
    let copy = case.killed_at("before:adr");
    copy.write("app.txt", "mine\n");
    copy.git(w("add app.txt"));
    assert!(case.refused(&copy, "resume").contains("staged work in app.txt"));
    copy.git(w("restore --staged app.txt"));
    case.succeeds(&copy, "resume", "the work was taken out of the index");
    assert_eq!(copy.read("app.txt"), "mine\n");
    assert_eq!(copy.git(w("diff --name-only HEAD")), "app.txt");
}

#[test]
fn a_decision_on_adopted_commits_killed_at_any_point_is_finished_or_taken_back_exactly() {
    // On the base already: a keep only writes the record, a revert is in place.
    for (ask, points) in [(keep("adopted"), 8), (revert("adopted"), 12)] {
        let repo = Sandbox::new();
        let base = repo.id("main");
        repo.write("app.txt", &repo.read("app.txt").replace("two", "TWO"));
        repo.commit("perf: try a faster two");
        repo.write("new/deep/file.txt", "new\n");
        let tip = repo.commit("perf: and a file");
        repo.git(["branch", "-q", "--no-track", "verdict/adopted", tip.as_str()]);
        repo.open("adopted", &base, "main", None, Some(tip));
        repo.measure("adopted", Advice::Keep);
        moved_on(&repo);
        repo.git(w("switch -q -c elsewhere main~1"));
        Case::new(repo, &ask).survives_every_fault(points);
    }
    // On a branch of their own: as any experiment.
    let repo = Sandbox::new();
    let base = repo.id("main");
    repo.git(w("switch -q -c topic"));
    repo.write("app.txt", &repo.read("app.txt").replace("two", "TWO"));
    let tip = repo.commit("perf: try a faster two");
    repo.git(w("switch -q main"));
    repo.git(["branch", "-q", "--no-track", "verdict/adopted", tip.as_str()]);
    repo.open("adopted", &base, "main", None, Some(tip));
    repo.measure("adopted", Advice::Keep);
    moved_on(&repo);
    Case::new(repo, &keep("adopted")).survives_every_fault(12);
}

#[test]
fn a_decision_killed_while_its_record_is_written_is_finished_or_taken_back_exactly() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    repo.git(w("switch -q verdict/cache"));
    Case::new(repo, &revert("cache").mode(RevertMode::Archive)).survives_faults_of_the_ledger(1, 14);
    let repo = Sandbox::new();
    repo.experiment("cache");
    moved_on(&repo);
    Case::new(repo, &keep("cache")).survives_faults_of_the_ledger(3, 4);
}

#[test]
fn what_a_journal_lost_in_a_power_cut_is_found_out_from_the_refs() {
    for (mode, lines) in [(RevertMode::Merge, 4), (RevertMode::Archive, 4)] {
        let repo = Sandbox::new();
        repo.experiment("cache");
        repo.git(w("switch -q verdict/cache"));
        let case = Case::new(repo, &revert("cache").mode(mode));
        let killed = case.killed_at("before:record");
        let path = ".git/verdict/journal.json";
        let journal = std::fs::read(killed.root.join(path)).unwrap();
        let ends: Vec<usize> = (1..=journal.len()).filter(|end| journal[end - 1] == b'\n').collect();
        assert!(ends.len() > lines, "{}", String::from_utf8_lossy(&journal));
        // Its last lines are not there, or the last one is cut off.
        for end in [ends[0], ends[1], ends[1] + 5, ends[2] + 5, journal.len() - 1] {
            for job in ["resume", "undo"] {
                let copy = Sandbox::copy(&killed);
                std::fs::write(copy.root.join(path), &journal[..end]).unwrap();
                let context = format!("{mode:?}: {job} with {end} bytes of {}", journal.len());
                case.succeeds(&copy, job, &context);
                if job == "resume" { case.is_after(&copy, &context) } else { case.is_before(&copy, &context) }
            }
        }
    }
}

/// Kills the git that runs this, and the program that started it, once.
const KILL_BOTH: &str = r#"
flag="$(git rev-parse --git-common-dir)/armed"
if [ -e "$flag" ]; then
    rm "$flag"
    kill -9 "$(ps -o ppid= -p "$PPID" | tr -d ' ')" "$PPID"
    exit 1
fi
"#;

/// Removes the lock on the index that a killed git left, and says whether there was one.
fn clear_lock(repo: &Sandbox) -> bool {
    let lock = repo.root.join(".git/index.lock");
    let left = lock.exists();
    if left {
        std::fs::remove_file(lock).unwrap();
    }
    left
}

#[test]
fn a_git_that_is_killed_in_a_hook_together_with_its_parent_leaves_nothing_undone() {
    for hook in [
        "pre-commit",
        "prepare-commit-msg",
        "commit-msg",
        "pre-merge-commit",
        "post-checkout",
        "post-commit",
        "post-merge",
    ] {
        for (ask, origin) in [(revert("cache"), "main"), (keep("cache"), "verdict/cache")] {
            if hook == "pre-commit" && origin != "main" {
                // A keep commits by merging alone; the decision file's commit would be the first to run this hook.
                continue;
            }
            let repo = Sandbox::new();
            repo.experiment("cache");
            moved_on(&repo);
            repo.git(["switch", "--quiet", origin]);
            repo.hook(hook, KILL_BOTH);
            let case = Case::new(repo, &ask);
            std::fs::write(case.template.root.join(".git/armed"), "").unwrap();
            let context = format!("{hook} on {origin}");
            for job in ["resume", "undo"] {
                let copy = case.killed_at("");
                if clear_lock(&Sandbox::copy(&copy)) {
                    assert!(case.refused(&copy, job).contains("the index is locked"), "{context}");
                    clear_lock(&copy);
                }
                case.succeeds(&copy, job, &context);
                if job == "resume" { case.is_after(&copy, &context) } else { case.is_before(&copy, &context) }
            }
        }
    }
}

#[test]
fn a_checkout_that_is_killed_half_way_is_told_of_and_then_finished_or_taken_back() {
    for (number, ask) in [revert("cache"), keep("cache")].into_iter().enumerate() {
        for after in 1..=4 {
            let repo = Sandbox::new();
            repo.write(".gitattributes", "*.txt filter=kill\n");
            repo.commit("chore: a filter");
            repo.start("cache");
            for n in 0..6 {
                repo.write(&format!("many/{n}.txt"), "x\n");
            }
            repo.write("app.txt", &repo.read("app.txt").replace("two", "TWO"));
            repo.write("lib/keep.txt", "kept\n");
            repo.commit("perf: many files");
            repo.measure("cache", Advice::Keep);
            repo.git(w("switch -q main"));
            let script = repo.root.join(".git/filter.sh");
            std::fs::write(
                &script,
                r#"
                count="$(dirname "$0")/armed"
                if [ -e "$count" ]; then
                    left=$(cat "$count")
                    if [ "$left" -le 1 ]; then
                        rm "$count"
                        kill -9 "$(ps -o ppid= -p "$PPID" | tr -d ' ')" "$PPID"
                        exit 1
                    fi
                    echo $((left - 1)) > "$count"
                fi
                cat
                "#,
            )
            .unwrap();
            repo.git(["config", "filter.kill.smudge", "exec sh \"$(git rev-parse --git-common-dir)/filter.sh\""]);
            let case = Case::new(repo, &ask);
            std::fs::write(case.template.root.join(".git/armed"), format!("{after}\n")).unwrap();
            let context = format!("decision {number}, file {after}");
            for job in ["resume", "undo"] {
                let copy = case.killed_at("");
                assert!(copy.root.join(".git/index.lock").exists(), "{context}");
                let told = case.refused(&copy, job);
                assert!(told.contains("the index is locked"), "{told}");
                clear_lock(&copy);
                case.succeeds(&copy, job, &context);
                if job == "resume" { case.is_after(&copy, &context) } else { case.is_before(&copy, &context) }
            }
        }
    }
}

#[test]
fn a_conflict_that_comes_up_only_while_landing_is_taken_back() {
    let repo = Sandbox::new();
    repo.write(".gitattributes", "app.txt merge=never\n");
    repo.commit("chore: a merge driver");
    repo.experiment("cache");
    moved_on(&repo);
    // It fails only while a decision lands, so the preflight cannot know.
    repo.git(["config", "merge.never.driver", "test -z \"$GIT_VERDICT_LANDING\""]);
    let error = repo.refuses(&keep("cache"));
    assert!(error.to_string().contains("everything is as it was before"), "{error}");
}

#[test]
fn a_merge_that_is_killed_in_its_driver_is_taken_back() {
    let repo = Sandbox::new();
    repo.write(".gitattributes", "app.txt merge=kill\n");
    repo.commit("chore: a merge driver");
    repo.experiment("cache");
    moved_on(&repo);
    let script = repo.root.join(".git/driver.sh");
    std::fs::write(&script, format!("{KILL_BOTH}\nexec git merge-file \"$1\" \"$2\" \"$3\"\n")).unwrap();
    repo.git(["config", "merge.kill.driver", "exec sh \"$(git rev-parse --git-common-dir)/driver.sh\" %A %O %B"]);
    let case = Case::new(repo, &keep("cache"));
    std::fs::write(case.template.root.join(".git/armed"), "").unwrap();
    for job in ["resume", "undo"] {
        let copy = case.killed_at("");
        clear_lock(&copy);
        case.succeeds(&copy, job, "a killed driver");
        if job == "resume" { case.is_after(&copy, job) } else { case.is_before(&copy, job) }
    }
}

#[test]
fn a_git_that_outlives_its_parent_is_waited_for() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let wait = r#"
        dir="$(git rev-parse --git-common-dir)"
        [ -e "$dir/armed" ] || exit 0
        rm "$dir/armed"
        kill -9 "$(ps -o ppid= -p "$PPID" | tr -d ' ')"
        while ! [ -e "$dir/go" ]; do sleep 0.05; done
    "#;
    repo.hook("pre-commit", wait);
    let case = Case::new(repo, &revert("cache"));
    std::fs::write(case.template.root.join(".git/armed"), "").unwrap();
    let copy = Sandbox::copy(&case.template);
    // Its output would stay open as long as the git that is left behind.
    let mut land = case.command(&copy, "land", "");
    let status = land.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).status().unwrap();
    assert_eq!(status.signal(), Some(9));
    for job in ["resume", "undo"] {
        assert!(case.refused(&copy, job).contains("another decision is being made"), "{job}");
    }
    std::fs::write(copy.root.join(".git/go"), "").unwrap();
    wait_for_orphans(&copy);
    case.succeeds(&copy, "resume", "the orphan has ended");
    case.is_after(&copy, "the orphan has ended");
}

#[test]
fn work_done_since_the_crash_is_never_lost() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    moved_on(&repo);
    let case = Case::new(repo, &revert("cache"));
    for job in ["resume", "undo"] {
        // In a file that the landing writes: refused, and the file is left alone.
        let copy = case.killed_at("between:revert");
        copy.write("app.txt", "my work\n");
        let told = case.refused(&copy, job);
        assert!(told.contains("were changed since the decision was cut off: app.txt"), "{told}");
        assert_eq!(copy.read("app.txt"), "my work\n");
        copy.git(w("checkout -q HEAD -- app.txt"));
        case.succeeds(&copy, job, "the work was put away");

        // In a file that it does not write, and in a new one: kept.
        let copy = case.killed_at("between:revert");
        copy.write("lib/keep.txt", "my work\n");
        copy.write("mine.txt", "my work\n");
        case.succeeds(&copy, job, "work elsewhere");
        assert_eq!((copy.read("lib/keep.txt"), copy.read("mine.txt")), ("my work\n".into(), "my work\n".into()));
        copy.git(w("checkout -q -- lib/keep.txt"));
        std::fs::remove_file(copy.root.join("mine.txt")).unwrap();
        if job == "resume" { case.is_after(&copy, job) } else { case.is_before(&copy, job) }
    }
}

#[test]
fn a_branch_that_has_moved_since_the_crash_is_not_moved_back() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let case = Case::new(repo, &revert("cache"));
    for job in ["resume", "undo"] {
        let copy = case.killed_at("after:merge");
        copy.write("later.txt", "x\n");
        let later = copy.commit("feat: later");
        let told = case.refused(&copy, job);
        assert!(told.contains("refs/heads/main has moved since the decision was cut off"), "{told}");
        assert_eq!(copy.id("main"), later);
    }
}

#[test]
fn another_operation_begun_since_the_crash_is_refused() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let case = Case::new(repo, &revert("cache"));
    let copy = case.killed_at("before:revert");
    copy.git(w("bisect start"));
    for job in ["resume", "undo"] {
        assert!(case.refused(&copy, job).contains("a bisect is in progress"));
    }
}

#[test]
fn a_pending_decision_blocks_others_and_says_what_is_left() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let case = Case::new(repo, &revert("cache"));
    let copy = case.killed_at("before:merge");
    let pending = decision::pending(&copy.repo()).unwrap().unwrap();
    assert_eq!(pending.name, "cache");
    assert!(pending.done.iter().any(|line| line.contains("revert --no-commit")), "{:?}", pending.done);
    assert!(pending.left[0].starts_with("git merge "), "{:?}", pending.left);
    let error = copy.prepare(&revert("cache")).unwrap_err();
    assert_eq!(error.to_string(), "the decision on 'cache' (revert) was cut off");
    assert_eq!(git_verdict::error::Explain::next(&error).unwrap(), "git verdict doctor");
}

#[test]
fn a_decision_that_was_cut_off_in_another_work_tree_is_pointed_to() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let case = Case::new(repo, &revert("cache"));
    let copy = case.killed_at("before:merge");
    let linked = copy.folder.path().join("linked");
    copy.git(["worktree", "add", "--quiet", "--detach", linked.to_str().unwrap()]);
    let there = Sandbox { folder: tempfile::tempdir().unwrap(), root: linked };
    for job in ["resume", "undo"] {
        assert!(case.refused(&there, job).contains("in another work tree"));
    }
    case.succeeds(&copy, "undo", "in its own work tree");
}

#[test]
fn without_a_pending_decision_there_is_nothing_to_finish_or_take_back() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    let case = Case::new(repo, &revert("cache"));
    for job in ["resume", "undo"] {
        assert!(case.refused(&case.template, job).contains("no decision was cut off here"));
    }
}

#[test]
fn a_journal_of_another_version_is_left_alone() {
    let repo = Sandbox::new();
    repo.experiment("cache");
    std::fs::write(repo.root.join(".git/verdict/journal.json"), r#"{"version":2}"#).unwrap();
    let error = decision::pending(&repo.repo()).unwrap_err();
    assert!(error.to_string().contains("version 2"), "{error}");
    assert!(repo.root.join(".git/verdict/journal.json").exists());
}

/// Undoing a decision that has landed, killed at every point, is finished exactly; it is never half done.
fn undoing_survives_every_fault(case: &Case, at_least: usize) {
    let landed = Sandbox::copy(&case.template);
    case.succeeds(&landed, "land", "nothing");
    let mut number = 0;
    loop {
        number += 1;
        let copy = Sandbox::copy(&landed);
        let done = case.run(&copy, "reopen", &format!("step:{number}"));
        let is_undone = |at: &Sandbox, context: &str| {
            assert_eq!(apart_from_ledger(at.picture()), apart_from_ledger(case.before.clone()), "{context}");
            assert!(at.book().experiments.iter().any(|one| one.is_open()), "{context}");
            assert_eq!(decision::pending(&at.repo()).unwrap().map(|p| p.name), None, "{context}");
        };
        if done.status.success() {
            is_undone(&copy, "undisturbed");
            break;
        }
        let context = format!("point {number}");
        assert!(done.status.signal().is_some(), "{context}: {}", String::from_utf8_lossy(&done.stderr));
        assert!(decision::pending(&copy.repo()).unwrap().is_some_and(|pending| pending.undoing), "{context}");
        assert!(case.refused(&copy, "undo").contains("can only be finished"), "{context}");
        let again = Sandbox::copy(&copy);
        case.succeeds(&copy, "resume", &context);
        is_undone(&copy, &context);
        case.through_faults(&again, "resume", &context);
        is_undone(&again, &context);
    }
    assert!(number > at_least, "only {number} points");
}

#[test]
fn undoing_a_landed_decision_killed_at_any_point_is_finished_exactly() {
    for (mode, points) in
        [(None, 6), (Some(RevertMode::Merge), 6), (Some(RevertMode::Archive), 6), (Some(RevertMode::InPlace), 6)]
    {
        let repo = Sandbox::new();
        repo.experiment("cache");
        if mode == Some(RevertMode::InPlace) {
            repo.git(w("merge -q --no-ff --no-edit verdict/cache"));
        }
        moved_on(&repo);
        repo.git(w("switch -q verdict/cache"));
        let ask = mode.map_or(keep("cache"), |mode| revert("cache").mode(mode));
        undoing_survives_every_fault(&Case::new(repo, &ask), points);
    }
}

/// Undoing a decision that was pushed makes a commit: killed at every point, it is finished or taken back exactly.
fn undoing_by_commit_survives_every_fault(case: &Case, at_least: usize) {
    let pushed = Sandbox::copy(&case.template);
    case.succeeds(&pushed, "land", "nothing");
    for branch in ["main", "verdict/cache"] {
        if pushed.repo().branch(branch).unwrap().is_some() {
            pushed.git(["update-ref", &format!("refs/remotes/origin/{branch}"), branch]);
        }
    }
    pushed.git(w("switch -q -c elsewhere main~1"));
    let before = pushed.picture();
    let whole = Sandbox::copy(&pushed);
    case.succeeds(&whole, "reopen", "nothing");
    let after = whole.picture();
    let moved = [&before, &after].map(|picture| apart_from_ledger(picture.clone()).refs);
    assert_ne!(moved[0], moved[1], "a commit was made");
    // What was undone by which commit; id and time of that record are of the run that made it.
    let events = |at: &Sandbox| -> Vec<Fact> {
        let events = Ledger::open(&at.repo()).events().unwrap();
        events.into_iter().map(|event| event.fact).collect()
    };
    let is_undone = |at: &Sandbox, context: &str| {
        assert_eq!(apart_from_ledger(at.picture()), apart_from_ledger(after.clone()), "{context}");
        assert_eq!(events(at), events(&whole), "{context}");
        assert_eq!(decision::pending(&at.repo()).unwrap().map(|p| p.name), None, "{context}");
    };
    let mut number = 0;
    loop {
        number += 1;
        let copy = Sandbox::copy(&pushed);
        let done = case.run(&copy, "reopen", &format!("step:{number}"));
        if done.status.success() {
            is_undone(&copy, "undisturbed");
            break;
        }
        let context = format!("point {number}");
        assert!(done.status.signal().is_some(), "{context}: {}", String::from_utf8_lossy(&done.stderr));
        let pending = decision::pending(&copy.repo()).unwrap().unwrap();
        assert!(pending.undoing && !pending.only_finish, "{context}");
        let again = Sandbox::copy(&copy);
        let killed = (number % 5 == 0).then(|| Sandbox::copy(&copy));
        let recorded = events(&copy) == events(&whole);
        case.succeeds(&copy, "resume", &context);
        is_undone(&copy, &context);
        if recorded {
            assert!(case.refused(&again, "undo").contains("is undone: the record that says so"), "{context}");
            is_undone(&again, &context);
        } else {
            case.succeeds(&again, "undo", &context);
            assert_eq!(again.picture(), before, "{context}");
            case.succeeds(&again, "reopen", &context);
            is_undone(&again, &context);
        }
        let Some(killed) = killed else { continue };
        let job = if number % 2 == 0 || recorded { "resume" } else { "undo" };
        case.through_faults(&killed, job, &context);
        match job {
            "resume" => is_undone(&killed, &context),
            _ => assert_eq!(killed.picture(), before, "{context}"),
        }
    }
    assert!(number > at_least, "only {number} points");
}

#[test]
fn undoing_a_pushed_decision_killed_at_any_point_is_finished_or_taken_back_exactly() {
    for mode in [None, Some(RevertMode::Merge), Some(RevertMode::Archive), Some(RevertMode::InPlace)] {
        let repo = Sandbox::new();
        repo.experiment("cache");
        if mode == Some(RevertMode::InPlace) {
            repo.git(w("merge -q --no-ff --no-edit verdict/cache"));
        }
        moved_on(&repo);
        let ask = mode.map_or(keep("cache"), |mode| revert("cache").mode(mode));
        undoing_by_commit_survives_every_fault(&Case::new(repo, &ask), 9);
    }
}
