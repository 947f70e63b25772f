//! The measuring engine through the library, on real repositories with the real git.

use git_verdict::config::*;
use git_verdict::git::{Oid, Repo};
use git_verdict::measure::schedule::order;
use git_verdict::measure::{self, Event, MeasureError, Measurement, Next, Plan, Sample, Side, interrupt, session};
use git_verdict::units::{Ratio, Unit};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command as Std, Output, Stdio};
use std::time::Duration;

/// A repository with a `base` and a `candidate` commit.
struct Story {
    dir: tempfile::TempDir,
    root: PathBuf,
    base: Oid,
    candidate: Oid,
}

fn git(dir: &Path, words: &[&str]) -> String {
    let output = git_output(dir, words);
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}

fn git_output(dir: &Path, words: &[&str]) -> Output {
    Std::new("git")
        .args(["-c", "user.name=N", "-c", "user.email=n@example.org", "-c", "init.defaultBranch=main"])
        .args(words)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap()
}

fn commit(dir: &Path, message: &str) -> Oid {
    git(dir, &["add", "-A"]);
    git(dir, &["commit", "-q", "--allow-empty", "-m", message]);
    Oid::parse(&git(dir, &["rev-parse", "HEAD"])).unwrap()
}

impl Story {
    fn new() -> Story {
        Story::named(OsStr::new("repo"))
    }

    fn named(name: &OsStr) -> Story {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join(name);
        std::fs::create_dir(&root).unwrap();
        git(&root, &["init", "-q"]);
        std::fs::write(root.join("data"), "x".repeat(1000)).unwrap();
        std::fs::write(root.join("side"), "base").unwrap();
        let base = commit(&root, "base");
        std::fs::write(root.join("data"), "x".repeat(600)).unwrap();
        std::fs::write(root.join("side"), "candidate").unwrap();
        let candidate = commit(&root, "candidate");
        Story { dir, root, base, candidate }
    }

    fn repo(&self) -> Repo {
        Repo::discover(&self.root).unwrap()
    }

    fn side(&self, name: &str, commit: &Oid) -> Side {
        let tree = git(&self.root, &["rev-parse", &format!("{commit}^{{tree}}")]);
        Side { name: name.into(), commit: commit.clone(), tree: Oid::parse(&tree).unwrap() }
    }

    fn plan(&self, config: Config) -> Plan {
        Plan {
            key: "experiment".into(),
            sides: vec![self.side("base", &self.base), self.side("candidate", &self.candidate)],
            config,
            only: vec![],
            max_rounds: None,
            budget: None,
            seed: 11,
            checks: true,
            hidden: None,
            origins: false,
            turns: Vec::new(),
        }
    }

    /// A file outside the repository that steps of this story write to.
    fn outside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// No worktree, no entry of git's for one, no lock.
    fn assert_clean(&self) {
        assert_eq!(git(&self.root, &["worktree", "list"]).lines().count(), 1);
        let left: Vec<_> = std::fs::read_dir(self.root.join(".git/verdict/worktrees")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        assert!(!self.root.join(".git/worktrees").exists());
        assert!(!self.session_file().with_extension("lock").exists());
    }

    fn session_file(&self) -> PathBuf {
        self.root.join(".git/verdict/sessions/experiment.jsonl")
    }

    fn lines(&self) -> usize {
        std::fs::read_to_string(self.session_file()).map_or(0, |t| t.lines().count())
    }
}

fn step(name: &str, run: impl Into<String>) -> Step {
    Step { name: name.into(), run: Command::Shell(run.into()), prepare: None, timeout: None, warmup: 0, once: false }
}

fn metric(name: &str, source: Source, unit: Unit) -> Metric {
    let matters = Matters::Relative(Ratio(0.05));
    Metric { name: name.into(), source, unit, better: Better::Lower, matters, limit: None }
}

fn wall(step: &str) -> Metric {
    metric("time", Source::Step { step: step.into(), measure: Resource::Wall }, Unit::Seconds)
}

fn path(path: &str) -> Metric {
    metric("size", Source::Path { path: path.into(), compress: None }, Unit::Bytes)
}

fn printed(run: &str) -> Metric {
    let source =
        Source::Command { run: Command::Shell(run.into()), extract: Extract::Whole, scale: 1.0, timeout: None };
    metric("printed", source, Unit::Seconds)
}

fn check(name: &str, run: impl Into<String>) -> Check {
    Check { name: name.into(), run: Command::Shell(run.into()), timeout: None }
}

fn config(steps: Vec<Step>, metrics: Vec<Metric>) -> Config {
    let hash = format!("{steps:?}{metrics:?}");
    Config { steps, metrics, hash, ..Config::default() }
}

/// Stops after so many rounds, asked after each.
fn rounds(n: usize) -> impl FnMut(&[Sample]) -> Next {
    move |samples| {
        let complete = samples.iter().map(|s| s.round + 1).max().unwrap_or(0);
        if complete >= n { Next::Stop } else { Next::More { rounds: 1, expected: n - complete } }
    }
}

/// Runs, and gives the notes too.
/// The notes leave out the proposal to warm up: it depends on how long the runs took.
fn measure(story: &Story, plan: &Plan, n: usize) -> (Result<Measurement, MeasureError>, Vec<String>) {
    let mut notes = Vec::new();
    let result = measure::run(&story.repo(), plan, &mut rounds(n), &mut |event| match event {
        Event::Note(text) if !text.contains("warmup = 1") => notes.push(text.to_string()),
        _ => {}
    });
    (result, notes)
}

fn places(samples: &[Sample]) -> Vec<(usize, usize, usize)> {
    samples.iter().map(|s| (s.round, s.place, s.side)).collect()
}

fn planned(seed: u64, n: usize) -> Vec<(usize, usize, usize)> {
    (0..n).flat_map(|r| order(seed, r, 2).into_iter().enumerate().map(move |(p, s)| (r, p, s))).collect()
}

fn alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
        .is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.trim_start().starts_with('Z'))
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{what} did not happen");
}

#[test]
fn both_sides_are_measured_and_the_users_tree_is_left_alone() {
    let story = Story::new();
    let hook = story.root.join(".git/hooks/post-checkout");
    let ran = story.outside("hook-ran");
    std::fs::write(&hook, format!("#!/bin/sh\n: >'{}'\n", ran.display())).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(story.root.join("data"), "uncommitted").unwrap();
    std::fs::write(story.root.join("staged"), "s").unwrap();
    git(&story.root, &["add", "staged"]);
    std::fs::write(story.root.join("untracked"), "u").unwrap();
    let state = || (git(&story.root, &["status", "--porcelain"]), git(&story.root, &["symbolic-ref", "HEAD"]));
    let before = state();

    let plan = story.plan(config(vec![step("build", "cp data out")], vec![wall("build"), path("out")]));
    let (result, notes) = measure(&story, &plan, 4);
    let measured = result.unwrap();
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!(places(&measured.samples), planned(11, 4));
    assert_eq!(measured.pairs("size", 0, 1), [(1000.0, 600.0); 2], "a size is read twice");
    assert_eq!(measured.pairs("time", 0, 1).len(), 4);
    assert!(measured.samples.iter().all(|s| s.values["time"] > 0.0));

    assert_eq!(before, state());
    assert_eq!(std::fs::read_to_string(story.root.join("data")).unwrap(), "uncommitted");
    assert!(!ran.exists(), "a hook ran");
    story.assert_clean();
}

#[test]
fn a_commit_can_be_compared_with_itself() {
    let story = Story::new();
    let mut plan = story.plan(config(vec![], vec![path("data")]));
    plan.sides[1] = story.side("again", &story.base);
    let measured = measure(&story, &plan, 1).0.unwrap();
    assert_eq!(measured.pairs("size", 0, 1), [(1000.0, 1000.0); 2]);
}

#[test]
fn three_sides_take_part_in_every_round() {
    let story = Story::new();
    let mut plan = story.plan(config(vec![step("build", ":")], vec![wall("build"), path("data")]));
    plan.sides.push(story.side("third", &story.base));
    let measured = measure(&story, &plan, 3).0.unwrap();
    assert_eq!(measured.samples.len(), 9);
    assert_eq!(measured.pairs("size", 1, 2), [(600.0, 1000.0); 2]);
    assert_eq!(measured.pairs("time", 0, 2).len(), 3);
}

#[test]
fn when_all_is_exact_the_second_reading_ends_the_session_unasked() {
    let story = Story::new();
    let plan = story.plan(config(vec![step("build", ":")], vec![path("data")]));
    let mut asked = 0;
    let rule = &mut |_: &[Sample]| {
        asked += 1;
        Next::More { rounds: 1, expected: 9 }
    };
    let measured = measure::run(&story.repo(), &plan, rule, &mut |_| {}).unwrap();
    assert_eq!(measured.samples.len(), 4);
    assert_eq!(asked, 0);
}

#[test]
fn a_size_that_varies_is_told_and_read_in_every_round() {
    let story = Story::new();
    let grow = step("build", "printf x >>grown");
    let plan = story.plan(config(vec![grow], vec![path("grown"), wall("build")]));
    let (result, notes) = measure(&story, &plan, 4);
    assert_eq!(result.unwrap().pairs("size", 0, 1), [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0), (4.0, 4.0)]);
    assert_eq!(notes, ["size varies on base: 1 B, then 2 B; it is read in every round, like a time"]);
}

#[test]
fn only_the_selected_metrics_are_read_but_every_step_runs() {
    let story = Story::new();
    let steps = vec![step("first", "cp data out"), step("second", "test -f out")];
    let mut plan = story.plan(config(steps, vec![wall("first"), path("out"), printed("exit 1")]));
    plan.only = vec!["size".into()];
    let measured = measure(&story, &plan, 1).0.unwrap();
    assert!(measured.samples.iter().all(|s| s.values.keys().eq(["size"])));
}

#[test]
fn prepare_runs_before_each_sample() {
    let story = Story::new();
    let mut build = step("build", "test -f ready && rm ready");
    build.prepare = Some(Command::Shell(": >ready".into()));
    let measured = measure(&story, &story.plan(config(vec![build], vec![wall("build")])), 3).0.unwrap();
    assert_eq!(measured.samples.len(), 6);
}

#[test]
fn max_rounds_and_budget_end_a_session_that_the_rule_would_not() {
    let story = Story::new();
    let mut plan = story.plan(config(vec![step("build", ":")], vec![wall("build")]));
    plan.max_rounds = Some(3);
    assert_eq!(measure(&story, &plan, 99).0.unwrap().samples.len(), 6);
    session::finish(&story.repo(), &plan.key).unwrap();
    plan.max_rounds = None;
    plan.budget = Some(Duration::ZERO);
    assert_eq!(measure(&story, &plan, 99).0.unwrap().samples.len(), 2, "one round is always taken");
}

#[test]
fn the_rule_is_asked_when_it_said_it_wants_to_be() {
    let story = Story::new();
    let plan = story.plan(config(vec![step("build", ":")], vec![wall("build")]));
    let mut looks = Vec::new();
    let rule = &mut |samples: &[Sample]| {
        looks.push(samples.len() / 2);
        if samples.len() >= 20 { Next::Stop } else { Next::More { rounds: looks.len() * 2 - 1, expected: 6 } }
    };
    measure::run(&story.repo(), &plan, rule, &mut |_| {}).unwrap();
    assert_eq!(looks, [1, 2, 5, 10]);
}

#[test]
fn a_step_that_fails_on_the_candidate_names_all_there_is_to_know_and_leaves_nothing() {
    let story = Story::new();
    let daemon = story.outside("daemon");
    let run = format!(
        "if grep -q candidate side; then setsid sh -c 'echo $$ >{0}; exec sleep 300' & \
         while ! [ -s {0} ]; do sleep 0.01; done; echo could not link >&2; exit 7; fi",
        daemon.display()
    );
    let plan = story.plan(config(vec![step("build", run)], vec![wall("build")]));
    let error = measure(&story, &plan, 3).0.unwrap_err();
    assert_eq!(error.to_string(), "candidate: step build failed: exit status 7");
    match error {
        MeasureError::Step { tail, log: Some(log), .. } => {
            assert_eq!(tail, "could not link");
            assert_eq!(std::fs::read_to_string(log).unwrap(), "could not link\n");
        }
        other => panic!("{other:?}"),
    }
    story.assert_clean();
    assert!(!alive(&std::fs::read_to_string(daemon).unwrap()));
    let base_first = order(11, 0, 2)[0] == 0;
    assert_eq!(story.lines(), 1 + usize::from(base_first), "the header and the base's sample");
}

#[test]
fn a_step_that_times_out_leaves_no_grandchild() {
    let story = Story::new();
    let pid = story.outside("pid");
    let mut build = step("build", format!("sh -c 'sh -c \"echo \\$\\$ >{}; sleep 300; :\"; :'; :", pid.display()));
    build.timeout = Some(Duration::from_millis(1500));
    let error = measure(&story, &story.plan(config(vec![build], vec![wall("build")])), 1).0.unwrap_err();
    assert!(error.to_string().ends_with(": step build failed: timed out after 1.5 s"), "{error}");
    assert!(!alive(&std::fs::read_to_string(pid).unwrap()));
    story.assert_clean();
}

#[test]
fn a_child_left_in_the_background_is_gone_after_its_step() {
    let story = Story::new();
    let build = step("build", "sleep 300 & echo $! >pid");
    let gone = step("look", "! kill -0 $(cat pid)");
    let measured = measure(&story, &story.plan(config(vec![build, gone], vec![wall("build")])), 2).0.unwrap();
    assert_eq!(measured.samples.len(), 4);
}

#[test]
fn a_missing_command_is_named() {
    let story = Story::new();
    let mut build = step("build", "");
    build.run = Command::Direct(vec!["dokcer-that-is-missing".into(), "build".into()]);
    let error = measure(&story, &story.plan(config(vec![build], vec![wall("build")])), 1).0.unwrap_err();
    assert!(error.to_string().contains("step build failed: no such command: dokcer-that-is-missing"), "{error}");
    story.assert_clean();
}

#[test]
fn a_metric_without_a_usable_number_names_side_metric_and_reason() {
    let story = Story::new();
    for (run, reason) in [
        ("echo NaN", "NaN, which is not a finite number"),
        ("echo inf", "not a finite number"),
        ("echo -3", "a time cannot be negative"),
        ("echo fast", "'fast' is not a number"),
        ("true", "printed nothing"),
    ] {
        let error = measure(&story, &story.plan(config(vec![], vec![printed(run)])), 1).0.unwrap_err();
        assert!(matches!(error, MeasureError::Metric { .. }), "{run}: {error:?}");
        let text = error.to_string();
        assert!(text.contains(": metric 'printed': ") && text.contains(reason), "{run}: {text}");
    }
    let error = measure(&story, &story.plan(config(vec![], vec![path("no/such")])), 1).0.unwrap_err();
    assert!(error.to_string().contains("metric 'size': 'no/such' does not exist"), "{error}");
    let error = measure(&story, &story.plan(config(vec![], vec![printed("echo broke >&2; exit 5")])), 1).0.unwrap_err();
    assert!(error.to_string().contains("metric printed failed: exit status 5"), "{error}");
    assert!(matches!(error, MeasureError::Step { tail, .. } if tail == "broke"));
    story.assert_clean();
}

#[test]
fn an_image_that_does_not_exist_names_the_engines_asked() {
    let story = Story::new();
    let image = |reference: &str| metric("image", Source::Image { reference: reference.into() }, Unit::Bytes);
    let missing = image("git-verdict-no-such-image:1");
    let error = measure(&story, &story.plan(config(vec![], vec![missing])), 1).0.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("image 'git-verdict-no-such-image:1' does not exist ("), "{text}");
    for engine in ["docker: ", "podman: ", "buildah: "] {
        assert!(text.contains(engine), "{text}");
    }
    let error = measure(&story, &story.plan(config(vec![], vec![image("oci:no/layout")])), 1).0.unwrap_err();
    assert!(error.to_string().contains("image 'no/layout' does not exist"), "{error}");
}

#[test]
fn checks_run_once_on_the_candidate_after_the_first_round_and_may_fail() {
    let story = Story::new();
    let seen = story.outside("seen");
    let mut settings = config(vec![step("build", "cp data built")], vec![wall("build")]);
    settings.checks = vec![
        check("built", format!("test -f built && echo $VERDICT_SIDE${{VERDICT_ROUND-}} >>{}", seen.display())),
        check("broken", "echo 2 tests failed; exit 1"),
        check("missing", "no-such-command-here"),
        check("own", "test $VERDICT_SIDE = base"),
    ];
    let plan = story.plan(settings);
    let mut events = Vec::new();
    let measured = measure::run(&story.repo(), &plan, &mut rounds(2), &mut |event| match event {
        Event::Sampled { sample, .. } => events.push(format!("round {}", sample.round)),
        Event::Checked(check) => events.push(check.name.clone()),
        _ => {}
    })
    .unwrap();
    assert_eq!(events, ["round 0", "round 0", "built", "broken", "missing", "own", "round 1", "round 1"]);
    let results: Vec<_> =
        measured.checks.iter().map(|c| (c.name.as_str(), c.side, c.passed, c.outcome.as_str())).collect();
    assert_eq!(
        results,
        [
            ("built", 1, true, "exit status 0"),
            ("broken", 1, false, "exit status 1; the base fails it, too"),
            ("missing", 1, false, "exit status 127 (command not found); the base fails it, too"),
            ("own", 1, false, "exit status 1"),
        ]
    );
    assert_eq!(measured.checks[1].tail, "2 tests failed");
    assert_eq!(std::fs::read_to_string(&seen).unwrap(), "candidate\n");
    // The same again is a session that goes on, and has nothing left to do.
    let again = measure(&story, &plan, 2).0.unwrap();
    assert_eq!((again.samples, again.checks), (measured.samples, measured.checks));
    assert_eq!(std::fs::read_to_string(&seen).unwrap(), "candidate\n");
}

#[test]
fn a_saved_session_that_lost_its_checks_builds_before_it_checks() {
    let story = Story::new();
    let mut settings = config(vec![step("build", "cp data built")], vec![wall("build")]);
    settings.checks = vec![check("built", "test -f built")];
    let plan = story.plan(settings);
    measure(&story, &plan, 1).0.unwrap();
    let text = std::fs::read_to_string(story.session_file()).unwrap();
    let without: String = text.split_inclusive('\n').filter(|l| !l.starts_with("{\"check\"")).collect();
    std::fs::write(story.session_file(), without).unwrap();
    let measured = measure(&story, &plan, 1).0.unwrap();
    assert!(measured.checks[0].passed);
    assert_eq!(measured.samples.len(), 2);
}

#[test]
fn steps_know_their_side_round_and_commit_in_an_environment_of_one_size() {
    let story = Story::new();
    let out = story.outside("env");
    let run = format!(
        "env | grep '^VERDICT_' | sort >{0}-$VERDICT_SIDE; env | grep -v '^_=' | wc -c >>{0}-size",
        out.display()
    );
    let mut plan = story.plan(config(vec![step("build", run)], vec![wall("build")]));
    plan.max_rounds = Some(1);
    measure(&story, &plan, 1).0.unwrap();
    let text = std::fs::read_to_string(format!("{}-candidate", out.display())).unwrap();
    assert!(text.contains("VERDICT_SIDE=candidate\n") && text.contains("VERDICT_ROUND=0\n"), "{text}");
    assert!(text.contains(&format!("VERDICT_COMMIT={}\n", story.candidate)), "{text}");
    let worktree = text.lines().find_map(|l| l.strip_prefix("VERDICT_WORKTREE=")).unwrap();
    assert!(worktree.contains("/.git/verdict/worktrees/") && worktree.ends_with("/1-candidate"), "{worktree}");
    let sizes = std::fs::read_to_string(format!("{}-size", out.display())).unwrap();
    let sizes: Vec<&str> = sizes.lines().collect();
    assert_eq!(sizes[0], sizes[1]);
}

#[test]
fn a_session_that_is_asked_for_twice_at_once_is_refused_the_second_time() {
    let story = Story::new();
    let plan = story.plan(config(vec![step("build", ":")], vec![wall("build")]));
    let mut second = None;
    measure::run(&story.repo(), &plan, &mut rounds(1), &mut |event| {
        if let (Event::Sampled { .. }, None) = (event, &second) {
            second = Some(measure(&story, &plan, 1).0);
        }
    })
    .unwrap();
    let error = second.unwrap().unwrap_err();
    let expected = format!("'experiment' is being measured by another process ({})", std::process::id());
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_finished_session_starts_anew_after_it_was_recorded_and_not_before() {
    let story = Story::new();
    let plan = story.plan(config(vec![step("build", ":")], vec![wall("build")]));
    let first = measure(&story, &plan, 2).0.unwrap();
    let (again, notes) = measure(&story, &plan, 2);
    assert_eq!(again.unwrap(), first);
    assert_eq!(notes, ["goes on where it stopped: 2 complete rounds and 4 samples are saved"]);
    session::finish(&story.repo(), &plan.key).unwrap();
    session::finish(&story.repo(), &plan.key).unwrap();
    let (anew, notes) = measure(&story, &plan, 2);
    assert_ne!(anew.unwrap().id, first.id);
    assert_eq!(notes, Vec::<String>::new());
}

#[test]
fn samples_of_another_configuration_are_set_aside_and_not_mixed() {
    let story = Story::new();
    let plan = story.plan(config(vec![step("build", ":")], vec![wall("build")]));
    measure(&story, &plan, 2).0.unwrap();
    let other = story.plan(config(vec![step("build", "true")], vec![wall("build")]));
    let (result, notes) = measure(&story, &other, 3);
    assert_eq!(places(&result.unwrap().samples), planned(11, 3));
    assert_eq!(notes.len(), 1);
    assert!(notes[0].contains("is set aside: the configuration has changed since; what it"), "{notes:?}");
    let aside = || std::fs::read_to_string(story.session_file().with_extension("stale.jsonl")).unwrap();
    assert_eq!(aside().lines().count(), 5);
    // Each of them goes on with what it was begun for.
    for (plan, saved, aside_then) in [(&plan, 2, 7), (&other, 3, 7)] {
        let (result, notes) = measure(&story, plan, 3);
        assert_eq!(places(&result.unwrap().samples), planned(11, 3));
        assert_eq!(notes.len(), 2);
        assert!(notes[1].starts_with(&format!("goes on where it stopped: {saved} complete rounds")), "{notes:?}");
        assert_eq!(aside().lines().count(), aside_then);
    }
    session::finish(&story.repo(), &other.key).unwrap();
    let (_, notes) = measure(&story, &plan, 3);
    assert_eq!(notes, ["goes on where it stopped: 3 complete rounds and 6 samples are saved"]);
    assert!(!story.session_file().with_extension("stale.jsonl").exists());
}

#[test]
fn a_session_that_cannot_be_read_is_set_aside_and_promises_nothing() {
    let story = Story::new();
    let plan = story.plan(config(vec![step("build", ":")], vec![wall("build")]));
    measure(&story, &plan, 1).0.unwrap();
    std::fs::write(story.session_file(), "nonsense\n").unwrap();
    let (result, notes) = measure(&story, &plan, 1);
    assert_eq!(places(&result.unwrap().samples), planned(11, 1));
    assert!(notes.len() == 1 && notes[0].contains("stale.jsonl: line 1 cannot be read"), "{notes:?}");
}

#[test]
fn a_session_goes_on_after_a_half_written_line() {
    let story = Story::new();
    let plan = story.plan(config(vec![step("build", ":")], vec![wall("build")]));
    let whole = measure(&story, &plan, 3).0.unwrap();
    let text = std::fs::read(story.session_file()).unwrap();
    std::fs::write(story.session_file(), &text[..text.len() - 20]).unwrap();
    let mut asked = Vec::new();
    let mut inner = rounds(3);
    let rule = &mut |samples: &[Sample]| {
        asked.push(samples.len());
        inner(samples)
    };
    let plan = Plan { seed: 999, ..plan };
    let resumed = measure::run(&story.repo(), &plan, rule, &mut |_| {}).unwrap();
    assert_eq!(places(&resumed.samples), places(&whole.samples));
    assert_eq!(resumed.samples[..5], whole.samples[..5]);
    assert_eq!((resumed.id, resumed.seed), (whole.id, 11));
    assert_eq!(asked, [2, 4, 6], "the same questions again");
}

#[test]
fn it_works_in_folders_with_spaces_and_names_that_are_not_unicode() {
    for name in [OsStr::new("a b  'c\""), OsStr::from_bytes(b"x\xff\xfe y")] {
        let story = Story::named(name);
        let plan = story.plan(config(vec![step("build", "cp data out")], vec![path("out"), wall("build")]));
        let measured = measure(&story, &plan, 2).0.unwrap();
        assert_eq!(measured.pairs("size", 0, 1), [(1000.0, 600.0); 2]);
        story.assert_clean();
    }
}

#[test]
fn it_works_from_a_linked_worktree_whose_entry_is_kept() {
    let story = Story::new();
    let linked = story.outside("linked");
    git(&story.root, &["worktree", "add", "-q", linked.to_str().unwrap(), "-b", "other"]);
    let plan = story.plan(config(vec![], vec![path("data")]));
    let measured = measure::run(&Repo::discover(&linked).unwrap(), &plan, &mut rounds(1), &mut |_| {}).unwrap();
    assert_eq!(measured.pairs("size", 0, 1), [(1000.0, 600.0); 2]);
    let list = git(&story.root, &["worktree", "list"]);
    assert_eq!(list.lines().count(), 2, "{list}");
}

#[test]
fn it_works_in_a_bare_repository() {
    let story = Story::new();
    let bare = story.outside("bare.git");
    git(&story.root, &["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    let plan = story.plan(config(vec![], vec![path("data")]));
    let measured = measure::run(&Repo::discover(&bare).unwrap(), &plan, &mut rounds(1), &mut |_| {}).unwrap();
    assert_eq!(measured.pairs("size", 0, 1), [(1000.0, 600.0); 2]);
}

#[test]
fn a_sparse_checkout_stays_sparse() {
    let story = Story::new();
    std::fs::create_dir(story.root.join("big")).unwrap();
    std::fs::write(story.root.join("big/f"), "x").unwrap();
    let tip = commit(&story.root, "big");
    git(&story.root, &["sparse-checkout", "set", "--cone", "small"]);
    assert!(!story.root.join("big").exists());
    let mut plan = story.plan(config(vec![step("look", "! test -e big && test -f data")], vec![wall("look")]));
    plan.sides[1] = story.side("candidate", &tip);
    measure(&story, &plan, 1).0.unwrap();
    assert!(!story.root.join("big").exists());
}

#[test]
fn submodules_are_checked_out_or_the_reason_is_given() {
    let story = Story::new();
    let module = story.outside("module");
    std::fs::create_dir(&module).unwrap();
    git(&module, &["init", "-q"]);
    std::fs::write(module.join("code"), "12345").unwrap();
    commit(&module, "module");
    let url = module.to_str().unwrap();
    git(&story.root, &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", url, "sub"]);
    let tip = commit(&story.root, "with a submodule");
    let mut plan = story.plan(config(vec![], vec![path("sub/code")]));
    plan.sides = vec![story.side("base", &tip), story.side("candidate", &tip)];
    // git takes no submodule from a local path unless the user allows it.
    let error = measure(&story, &plan, 1).0.unwrap_err();
    assert!(error.to_string().contains("submodule update of base"), "{error}");
    story.assert_clean();
    // In a process of its own, because the permission has to come from the user's configuration.
    let allow = story.outside("gitconfig");
    std::fs::write(&allow, "[protocol \"file\"]\n\tallow = always\n").unwrap();
    let output = child(&story, "submodule").env("GIT_CONFIG_GLOBAL", &allow).env("MEASURE_BASE", tip.as_str()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(story.told(), "5");
    story.assert_clean();
}

#[test]
fn worktrees_can_be_put_somewhere_else() {
    let story = Story::new();
    let elsewhere = story.outside("elsewhere");
    git(&story.root, &["config", "verdict.worktrees", elsewhere.to_str().unwrap()]);
    let plan =
        story.plan(config(vec![step("look", "case $PWD in */elsewhere/*) ;; *) exit 1;; esac")], vec![wall("look")]));
    measure(&story, &plan, 1).0.unwrap();
    assert_eq!(git(&story.root, &["worktree", "list"]).lines().count(), 1);
    assert_eq!(walkdir::WalkDir::new(&elsewhere).min_depth(2).into_iter().count(), 0);
}

// What follows needs a process of its own: to be killed, or for variables that reach git and the engines.

/// Runs `in_a_child_process` of this file in a process of its own.
fn child(story: &Story, mode: &str) -> Std {
    let mut command = Std::new(std::env::current_exe().unwrap());
    command.args(["--exact", "measure::in_a_child_process", "--ignored", "--nocapture"]);
    command.env("MEASURE_REPO", &story.root).env("MEASURE_MODE", mode).env("MEASURE_DIR", story.dir.path());
    command.env("MEASURE_BASE", story.base.as_str()).env("MEASURE_CANDIDATE", story.candidate.as_str());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The sixth run of this plan's step is slow, so that there is a middle to be interrupted in; unless `calm` exists.
fn slow_plan(story: &Story, dir: &Path) -> Plan {
    let run = format!(
        "cd '{}' && echo x >>runs; if [ $(wc -l <runs) -eq 6 ] && ! [ -e calm ]; then \
         (sleep 300; :) & echo $! >pid; : >slow; sleep 300; fi",
        dir.display()
    );
    story.plan(config(vec![step("build", run)], vec![wall("build")]))
}

#[test]
#[ignore = "started by other tests"]
fn in_a_child_process() {
    let Some(root) = std::env::var_os("MEASURE_REPO").map(PathBuf::from) else { return };
    let commit = |name: &str| Oid::parse(&std::env::var(name).unwrap()).unwrap();
    let story = Story {
        dir: tempfile::tempdir().unwrap(),
        root,
        base: commit("MEASURE_BASE"),
        candidate: commit("MEASURE_CANDIDATE"),
    };
    let parent = PathBuf::from(std::env::var_os("MEASURE_DIR").unwrap());
    let text = match std::env::var("MEASURE_MODE").unwrap().as_str() {
        "slow" => told(measure(&story, &slow_plan(&story, &parent), 6).0),
        "request" => {
            let plan = story.plan(config(vec![step("build", ":")], vec![wall("build")]));
            told(measure::run(&story.repo(), &plan, &mut rounds(9), &mut |event| {
                if let Event::Sampled { all, .. } = event
                    && all.len() == 3
                {
                    interrupt::request();
                }
            }))
        }
        "afterwards" => {
            let plan = story.plan(config(vec![step("build", ":")], vec![wall("build")]));
            measure(&story, &plan, 1).0.unwrap();
            std::fs::write(parent.join("idle"), "").unwrap();
            std::thread::sleep(Duration::from_secs(300));
            "still here".into()
        }
        "submodule" => {
            let mut plan = story.plan(config(vec![], vec![path("sub/code")]));
            plan.sides[1] = plan.sides[0].clone();
            measure(&story, &plan, 1).0.unwrap().pairs("size", 0, 1)[1].1.to_string()
        }
        engine @ ("podman" | "buildah") => build_with(&story, engine),
        other => panic!("{other}"),
    };
    std::fs::write(parent.join("told"), text).unwrap();
}

fn told(result: Result<Measurement, MeasureError>) -> String {
    match result {
        Ok(measured) => format!("measured {:?}", places(&measured.samples)),
        Err(error) => error.to_string(),
    }
}

impl Story {
    /// What the child process had to say.
    fn told(&self) -> String {
        std::fs::read_to_string(self.outside("told")).unwrap()
    }
}

#[test]
fn a_signal_stops_at_once_and_the_next_run_goes_on_in_the_same_order() {
    for signal in ["TERM", "INT", "HUP"] {
        let story = Story::new();
        let running = child(&story, "slow").spawn().unwrap();
        wait_until("the slow step", || story.outside("slow").exists());
        assert_eq!(story.lines(), 1 + 5);
        Std::new("kill").args(["-s", signal, &running.id().to_string()]).status().unwrap();
        let output = running.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(story.told(), "interrupted after 2 complete rounds");
        assert!(!alive(&std::fs::read_to_string(story.outside("pid")).unwrap()));
        story.assert_clean();
        assert_eq!(story.lines(), 1 + 5);

        let saved = std::fs::read_to_string(story.session_file()).unwrap();
        std::fs::write(story.outside("calm"), "").unwrap();
        let (resumed, notes) = measure(&story, &slow_plan(&story, story.dir.path()), 6);
        assert_eq!(notes, ["goes on where it stopped: 2 complete rounds and 5 samples are saved"]);
        assert_eq!(places(&resumed.unwrap().samples), planned(11, 6));
        assert!(std::fs::read_to_string(story.session_file()).unwrap().starts_with(&saved));
    }
}

#[test]
fn stopping_can_be_asked_for_by_the_program_too() {
    let story = Story::new();
    let output = child(&story, "request").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(story.told(), "interrupted after 1 complete round");
    assert_eq!(story.lines(), 1 + 3);
    story.assert_clean();
}

#[test]
fn a_signal_after_measuring_ends_the_program_as_ever() {
    use std::os::unix::process::ExitStatusExt;
    let story = Story::new();
    let running = child(&story, "afterwards").spawn().unwrap();
    wait_until("the end of measuring", || story.outside("idle").exists());
    Std::new("kill").args(["-s", "INT", &running.id().to_string()]).status().unwrap();
    assert_eq!(running.wait_with_output().unwrap().status.signal(), Some(2));
}

#[test]
fn what_a_killed_session_left_is_cleaned_up_and_its_samples_are_kept() {
    let story = Story::new();
    let mut running = child(&story, "slow").spawn().unwrap();
    wait_until("the slow step", || story.outside("slow").exists());
    running.kill().unwrap();
    running.wait().unwrap();
    let left = std::fs::read_to_string(story.outside("pid")).unwrap();
    assert!(alive(&left), "a killed harness cannot end its step");
    assert_eq!(git(&story.root, &["worktree", "list"]).lines().count(), 3);

    std::fs::write(story.outside("calm"), "").unwrap();
    let (resumed, notes) = measure(&story, &slow_plan(&story, story.dir.path()), 6);
    assert_eq!(places(&resumed.unwrap().samples), planned(11, 6));
    assert_eq!(
        notes,
        [
            "goes on where it stopped: 2 complete rounds and 5 samples are saved",
            "1 session that had been killed left worktrees behind: removed",
        ]
    );
    wait_until("the end of the left step", || !alive(&left));
    story.assert_clean();
}

/// Whether this machine can make real builds.
fn engine_works(name: &str) -> bool {
    let there = Std::new(name).arg("--version").output().is_ok_and(|o| o.status.success());
    let there = there && Path::new("/bin/busybox").exists();
    if !there {
        assert!(std::env::var_os("GIT_VERDICT_REQUIRE_ENGINES").is_none_or(|v| v != "1"), "{name} is required");
        eprintln!("skipped: no engine ({name} and a static /bin/busybox are needed)");
    }
    there
}

const CONTAINERFILE: &str = "FROM scratch\nCOPY busybox /bin/sh\nCOPY busybox /bin/busybox\n\
    RUN echo installing && /bin/busybox sleep 1\n\
    RUN /bin/busybox head -c @SIZE@ /dev/urandom >/blob\n";

fn build_with(story: &Story, engine: &str) -> String {
    let verb = if engine == "buildah" { "bud" } else { "build" };
    let build = format!("cp /bin/busybox . && {engine} {verb} --isolation=chroot --no-cache -t app:verdict .");
    let from_log = Source::BuildStep { pattern: "echo installing".into(), step: "build".into() };
    let metrics = vec![
        metric("image", Source::Image { reference: "app:verdict".into() }, Unit::Bytes),
        metric("install", from_log, Unit::Seconds),
        metric("total", Source::Step { step: "build".into(), measure: Resource::Wall }, Unit::Seconds),
    ];
    let plan = story.plan(config(vec![step("build", build)], metrics));
    let measured = match measure(story, &plan, 1).0 {
        Ok(measured) => measured,
        Err(error) => return format!("{error}\n{error:?}"),
    };
    let (base, candidate) = measured.pairs("image", 0, 1)[0];
    assert!(((base - candidate) - 2_000_000.0).abs() < 10_000.0, "{base} {candidate}");
    for sample in &measured.samples {
        let (install, total) = (sample.values["install"], sample.values["total"]);
        assert!(install > 0.5 && install < total, "{install} {total}");
    }
    "measured".into()
}

fn with_engine(engine: &str) {
    if !engine_works(engine) {
        return;
    }
    let mut story = Story::new();
    std::fs::write(story.root.join("Containerfile"), CONTAINERFILE.replace("@SIZE@", "3000000")).unwrap();
    story.base = commit(&story.root, "base");
    std::fs::write(story.root.join("Containerfile"), CONTAINERFILE.replace("@SIZE@", "1000000")).unwrap();
    story.candidate = commit(&story.root, "candidate");
    let (root, run) = (story.outside("storage"), story.outside("run"));
    let conf = story.outside("storage.conf");
    let paths = format!("graphroot = \"{}\"\nrunroot = \"{}\"\n", root.display(), run.display());
    std::fs::write(&conf, format!("[storage]\ndriver = \"vfs\"\n{paths}")).unwrap();
    let output = child(&story, engine).env("CONTAINERS_STORAGE_CONF", &conf).output().unwrap();
    let shown = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{shown}");
    assert_eq!(story.told(), "measured", "{shown}");
}

#[test]
fn an_image_built_by_podman_has_its_size_and_its_steps_measured() {
    with_engine("podman");
}

#[test]
fn an_image_built_by_buildah_has_its_size_and_its_steps_measured() {
    with_engine("buildah");
}
