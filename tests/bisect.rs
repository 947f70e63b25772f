//! `git verdict bisect` through the built binary: planted regressions, what cannot be measured, what is no range.

#[path = "../benches/common/bisected.rs"]
mod bisected;

use crate::common;
use crate::common::{Repo, schemas};
use bisected::{Machine, Noise, Random, Range};
use serde_json::Value;

/// A repository whose commits have files of these sizes, and the ids of the commits.
fn sizes(sizes: &[usize]) -> (Repo, Vec<String>) {
    let repo = Repo::with(&[("verdict.toml", "version = 1\n[metrics.size]\npath = \"app.bin\"\n")]);
    let commits = (0..).zip(sizes).map(|(n, size)| {
        repo.write("app.bin", vec![0; *size]);
        repo.write("part", format!("{n}\n"));
        repo.commit(&format!("feat: part {n}"))
    });
    let commits = commits.collect();
    (repo, commits)
}

/// A step that prints a number: a level that the commit has in `level`, times what a machine that drifts does in this round,
/// times noise of this run, both a hash of which commit and round, so that every run of the test reads the same.
const NOISY: &str = "set -e\nlevel=$(cat level)\nround=${VERDICT_ROUND:-0}\n\
    draw() { printf %s \"$1\" | cksum | cut -d' ' -f1; }\n\
    awk -v l=$level -v a=$(draw \"x$1 $round $(cat part)\") -v b=$(draw \"y$1 $round\") -v s=$NOISE \
    'BEGIN { printf \"%.6f\\n\", l * (1 + s * (a / 2147483648 - 1)) * (1 + 0.5 * b / 4294967295) }'\n";

fn noisy(levels: &[&str], noise: &str) -> (Repo, Vec<String>) {
    let config = "version = 1\n[metrics.cost]\nrun = \"sh cost.sh 1\"\nmatters = \"2%\"\n";
    let mut repo = Repo::with(&[("verdict.toml", config), ("cost.sh", NOISY)]);
    repo.set("NOISE", noise);
    let commits = (0..).zip(levels).map(|(n, level)| {
        repo.write("level", level);
        repo.write("part", format!("{n}\n"));
        repo.commit(&format!("feat: part {n}"))
    });
    let commits = commits.collect();
    (repo, commits)
}

/// Nothing is left of a search in the git directory.
#[track_caller]
fn nothing_left(repo: &Repo) {
    for folder in ["sessions", "worktrees", "logs"] {
        let folder = repo.path().join(".git/verdict").join(folder);
        let left: Vec<_> = std::fs::read_dir(&folder).map(|all| all.flatten().collect()).unwrap_or_default();
        assert!(left.is_empty(), "{left:?}");
    }
    assert!(!repo.path().join(".git/worktrees").exists());
}

fn answers(told: &Value) -> Vec<&str> {
    told["probes"].as_array().unwrap().iter().map(|probe| probe["answer"].as_str().unwrap()).collect()
}

#[test]
fn a_step_in_a_size_is_found_with_one_reading_a_commit_and_a_dirty_tree_is_left_alone() {
    for first in 1..9 {
        let all: Vec<usize> = (0..9).map(|n| if n < first { 4000 + n % 2 } else { 4500 - n % 2 }).collect();
        let (repo, commits) = sizes(&all);
        repo.write("app.bin", "changed");
        repo.write("new", "untracked");
        let before = repo.snapshot();
        let told = repo.json(&["bisect", &commits[0], "main"]);
        assert_eq!(before, repo.snapshot());
        assert_eq!(told["first_bad"], commits[first].as_str(), "{told:#}");
        assert_eq!(told["effect"]["from"], commits[first - 1].as_str());
        assert_eq!(told["effect"]["interval"], Value::Null);
        assert_eq!(told["suspects"], serde_json::json!([commits[first]]));
        assert_eq!(told["commits"], 8);
        // Two readings of each end prove the size exact; eight commits are halved three times.
        assert_eq!(told["runs"], 4 + 3, "{told:#}");
        nothing_left(&repo);
    }
}

#[test]
fn a_step_below_the_noise_of_a_run_is_found_with_its_size() {
    for first in [1, 3, 6] {
        let levels: Vec<&str> = (0..8).map(|n| if n < first { "100" } else { "105" }).collect();
        let (repo, commits) = noisy(&levels, "0.03");
        let told = repo.json(&["bisect", &commits[0], "main", "--error-rate", "2%", "--seed", "5"]);
        assert_eq!(told["first_bad"], commits[first].as_str(), "{told:#}");
        assert_eq!(told["ends"]["word"], "regressed");
        let effect = &told["effect"];
        let [low, high] = [0, 1].map(|n| effect["interval"][n].as_f64().unwrap());
        assert!(low < 0.05 && 0.05 < high && low > 0.0, "{effect}");
        for probe in told["probes"].as_array().unwrap() {
            assert!(probe["rounds"].as_u64().unwrap() >= 1 && probe["doubt"].as_f64().unwrap() < 0.01, "{probe}");
        }
        nothing_left(&repo);
    }
}

#[test]
fn a_level_between_both_ends_is_not_called_and_the_range_is_what_is_left() {
    let (repo, commits) = noisy(&["100", "100", "105", "110.25", "110.25"], "0.01");
    let told = repo.json_no(&["bisect", &commits[0], "main", "--pairs", "6"]);
    assert!(answers(&told).contains(&"undecided"), "{told:#}");
    let suspects = told["suspects"].as_array().unwrap();
    assert!(suspects.contains(&commits[2].as_str().into()) && suspects.contains(&commits[3].as_str().into()));
    assert!(suspects.len() <= 3 && told["first_bad"] == Value::Null, "{told:#}");
}

#[test]
fn commits_that_do_not_build_are_skipped_and_those_around_them_stay_in_doubt() {
    let repo = Repo::with(&[(
        "verdict.toml",
        "version = 1\n[steps.build]\nrun = \"sh build.sh\"\n[metrics.size]\npath = \"out\"\n",
    )]);
    repo.write(".gitignore", "out\n");
    let build = |size: usize| format!("head -c {size} /dev/zero > out\n");
    let scripts = [
        build(100),
        build(100),
        "exit 3\n".into(),
        build(300),
        build(300),
        "exit 3\n".into(),
        "exit 3\n".into(),
        build(300),
    ];
    let commits: Vec<String> = (0..)
        .zip(scripts)
        .map(|(n, script)| {
            repo.write("build.sh", format!("# {n}\n{script}"));
            repo.commit(&format!("feat: {n}"))
        })
        .collect();
    let before = repo.snapshot();
    let ran = repo.expect(1, &["bisect", &commits[0], "main"]);
    assert_eq!(before, repo.snapshot());
    ran.prints(&["the first bad commit is one of these:", "skipped"]);
    ran.says(&["is skipped (step build failed: exit status 3)"]);
    ran.prints(&[&commits[2][..10], &commits[3][..10]]);
    let told = repo.json_no(&["bisect", &commits[0], "main"]);
    assert_eq!(told["suspects"].as_array().unwrap().len(), 2, "{told:#}");
    // An end that does not build is an error.
    repo.refuses(4, &["bisect", &commits[0], &commits[2]]).says(&["bad: step build failed"]);
}

#[test]
fn the_side_of_a_merge_that_brought_it_is_followed() {
    let (repo, commits) = sizes(&[100, 100]);
    repo.git(&["switch", "--quiet", "--create", "topic", &commits[0]]);
    repo.write("topic", "1");
    repo.commit("feat: topic 1");
    repo.write("other.bin", vec![0; 10]);
    repo.write("verdict.toml", "version = 1\n[metrics.size]\npath = \"*.bin\"\n");
    let culprit = repo.commit("feat: topic 2");
    repo.write("topic", "3");
    repo.commit("feat: topic 3");
    repo.git(&["switch", "--quiet", "main"]);
    repo.git(&["merge", "--quiet", "--no-edit", "topic"]);
    let merge = repo.git(&["rev-parse", "HEAD"]);
    repo.write("after", "1");
    repo.commit("feat: after");
    let told = repo.json(&["bisect", &commits[0], "main"]);
    assert_eq!(told["first_bad"], culprit.as_str(), "{told:#}");
    let told = repo.json(&["bisect", &commits[0], "main", "--first-parent"]);
    assert_eq!(told["first_bad"], merge.as_str(), "{told:#}");
}

#[test]
fn ends_on_two_branches_need_a_common_ancestor_that_is_good() {
    let (repo, commits) = sizes(&[100, 100, 200, 200]);
    repo.git(&["switch", "--quiet", "--create", "side", &commits[0]]);
    repo.write("side", "1");
    repo.commit("feat: side");
    let told = repo.json(&["bisect", "side", "main"]);
    assert_eq!(told["first_bad"], commits[2].as_str(), "{told:#}");
    repo.git(&["switch", "--quiet", "--create", "mended", "main"]);
    repo.write("app.bin", vec![0; 100]);
    repo.commit("perf: mended");
    repo.git(&["switch", "--quiet", "main"]);
    repo.write("later", "1");
    repo.commit("feat: later");
    repo.refuses(1, &["bisect", "mended", "main"]).says(&["a common ancestor of good and bad, is bad already"]);
    repo.git(&["switch", "--quiet", "--orphan", "unrelated"]);
    repo.write("app.bin", "x");
    repo.commit("feat: unrelated");
    repo.git(&["switch", "--quiet", "main"]);
    repo.refuses(2, &["bisect", "unrelated", "main"]).says(&["good and bad have no common ancestor"]);
}

#[test]
fn what_is_no_range_is_refused_and_ends_that_do_not_differ_are_told() {
    let (repo, commits) = sizes(&[100, 100, 50]);
    repo.refuses(2, &["bisect", &commits[0], &commits[0]]).says(&["good and bad are the same commit"]);
    repo.refuses(2, &["bisect", "main", &commits[0]]).says(&["bad is an ancestor of good", "comes first"]);
    repo.refuses(2, &["bisect", "nowhere", "main"]).says(&["'nowhere' names no commit"]);
    repo.refuses(2, &["bisect", &commits[0], "nowhere"]).says(&["'nowhere' names no commit"]);
    repo.refuses(2, &["bisect", &commits[0], "main", "--metric", "sise"])
        .says(&["there is no metric", "--metric size"]);
    repo.refuses(2, &["bisect", &commits[0], "main", "--error-rate", "0.7"]).says(&["'0.7' is no chance"]);
    repo.refuses(2, &["bisect", &commits[0], "main", "--error-rate", "NaN"]);
    repo.refuses(1, &["bisect", &commits[0], &commits[1]]).prints(&["size is not worse on bad than on good"]);
    repo.refuses(1, &["bisect", &commits[0], "main"]).prints(&["size is better on bad than on good"]);
    nothing_left(&repo);
    let (repo, commits) = sizes(&[100, 101]);
    let told = repo.json(&["bisect", &commits[0]]);
    assert_eq!((&told["first_bad"], answers(&told).len()), (&Value::from(commits[1].as_str()), 0), "one commit");
    let (repo, commits) = noisy(&["100", "100", "100"], "0.01");
    let told = repo.json_no(&["bisect", &commits[0], "main"]);
    assert_eq!((&told["ends"]["word"], told["suspects"].as_array().unwrap().len()), (&"unchanged".into(), 0));
}

#[test]
fn commands_on_the_command_line_need_no_configuration_and_files_that_are_known_are_not_read_again() {
    let repo = Repo::with(&[("app.bin", "1234")]);
    let good = repo.git(&["rev-parse", "HEAD"]);
    repo.write("app.bin", "12345678");
    let culprit = repo.commit("feat: bigger");
    for _ in 0..3 {
        repo.commit("docs: nothing");
    }
    repo.write("end", "1");
    repo.commit("feat: end");
    let told = repo.json(&["bisect", &good, "--run", "cp app.bin out", "--size", "out"]);
    assert_eq!(told["first_bad"], culprit.as_str(), "{told:#}");
    let read: Vec<_> = told["probes"].as_array().unwrap().iter().filter(|probe| probe["runs"] != 0).collect();
    assert_eq!(read.len(), 1, "four commits have one tree: {told:#}");
    repo.refuses(2, &["bisect", &good]).says(&["there is no verdict.toml here"]);
}

#[test]
fn commands_of_a_clone_are_not_run_before_they_are_trusted() {
    let (repo, _) = noisy(&["100", "105"], "0.01");
    let mut clone = Repo::empty();
    let state = tempfile::tempdir().unwrap();
    clone.set("XDG_STATE_HOME", state.path().to_str().unwrap());
    clone.set("NOISE", "0.01");
    clone.git(&["pull", "--quiet", repo.path().to_str().unwrap(), "main"]);
    clone.refuses(3, &["bisect", "HEAD~1"]).says(&["are not trusted here"]);
}

#[test]
fn git_bisect_run_gets_the_statuses_that_it_knows() {
    let (repo, commits) = sizes(&[100, 100, 100, 200, 200]);
    repo.git(&["tag", "good", &commits[0]]);
    repo.git(&["tag", "bad", &commits[4]]);
    repo.git(&["bisect", "start", "bad", "good"]);
    let binary = env!("CARGO_BIN_EXE_git-verdict");
    let ran = repo.try_git(&["bisect", "run", binary, "bisect", "--step", "good", "bad"]);
    assert!(ran.stdout.contains(&format!("{} is the first bad commit", commits[3])), "{}", ran.report());
    nothing_left(&repo);
    repo.git(&["bisect", "reset"]);
    for (commit, code) in [(1, 0), (3, 1)] {
        repo.git(&["checkout", "--quiet", &commits[commit]]);
        let ran = repo.expect(code, &["bisect", "--step", "good", "bad", "--json"]);
        assert_eq!(schemas::hold(&ran.line, &ran.stdout), ["bisect-step"]);
    }
    repo.git(&["rm", "--quiet", "app.bin"]);
    repo.commit("feat: nothing to measure");
    repo.expect(125, &["bisect", "--step", "good", "bad"]);
    repo.expect(128, &["bisect", "--step", "bad", "good"]).says(&["bad is an ancestor of good"]);
    repo.expect(128, &["bisect", "--step", "good", "nowhere"]);
}

#[test]
fn a_search_that_was_killed_leaves_worktrees_that_the_next_removes_and_goes_on_where_it_stopped() {
    let config = "version = 1\n[steps.build]\nrun = \"sh wait.sh\"\n[metrics.size]\npath = \"app.bin\"\n";
    let mut repo = Repo::with(&[("verdict.toml", config), (".gitignore", "waits\n")]);
    let folder = tempfile::tempdir().unwrap();
    repo.set("MARK", folder.path().to_str().unwrap());
    // The probe that has a mark to wait for says so and waits.
    repo.write("wait.sh", "if test -e $MARK/hold && test $VERDICT_SIDE = probe; then touch $MARK/waits; sleep 600; fi\necho run >> $MARK/runs\n");
    let commits: Vec<String> = (0..6)
        .map(|n| {
            repo.write("app.bin", vec![0; if n < 3 { 100 } else { 200 }]);
            repo.write("part", format!("{n}"));
            repo.commit(&format!("feat: {n}"))
        })
        .collect();
    std::fs::write(folder.path().join("hold"), "").unwrap();
    let before = repo.snapshot();
    for signal in ["-KILL", "-INT"] {
        let mut command = common::isolated(env!("CARGO_BIN_EXE_git-verdict"));
        command.current_dir(repo.path()).env("MARK", folder.path()).args(["bisect", &commits[0], "main"]);
        let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
        while !folder.path().join("waits").exists() {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it was to be killed");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        let status = child.wait().unwrap();
        std::fs::remove_file(folder.path().join("waits")).unwrap();
        if signal == "-INT" {
            assert_eq!(status.code(), Some(130));
            assert_eq!(before, repo.snapshot(), "an interrupted search leaves all as it was");
        }
    }
    std::fs::remove_file(folder.path().join("hold")).unwrap();
    std::fs::remove_file(folder.path().join("runs")).unwrap();
    let told = repo.json(&["bisect", &commits[0], "main"]);
    assert_eq!(told["first_bad"], commits[3].as_str(), "{told:#}");
    let runs = std::fs::read_to_string(folder.path().join("runs")).unwrap().lines().count();
    assert!(runs < told["runs"].as_u64().unwrap() as usize, "the ends were measured again: {runs} runs, {told:#}");
    assert_eq!(before, repo.snapshot());
    nothing_left(&repo);
}

#[test]
fn a_wrong_commit_is_named_no_oftener_than_stated_with_fewer_runs_than_a_fixed_number_for_each_commit_takes() {
    // A drift larger than the step: a median of many runs in a row is no better than one of few. Every fourth search has no step.
    for (noise, name) in [(Noise::Even(0.03), "even"), (Noise::Drift(0.02, 0.05), "drift")] {
        let (mut wrong, mut named, mut runs, mut peer_wrong) = (0, 0, 0, 0);
        for seed in 0..32 {
            let mut random = Random::new(seed);
            let step = if seed % 4 == 0 { 1.0 } else { 1.1 };
            let range = Range { commits: 16, first: random.below(16), step };
            let mut machine = Machine::new(seed, noise);
            let found = bisected::ours(&mut machine, range, 0.05, 0.05, 60);
            named += usize::from(found.is_some());
            wrong += usize::from(found.is_some_and(|commit| step == 1.0 || commit != range.first));
            runs += machine.runs;
            peer_wrong += usize::from(bisected::peer(&mut Machine::new(seed, noise), range, 10) != Some(range.first));
        }
        // 5 % of 32 is 1.6; three standard deviations of that are 3.7.
        assert!(wrong <= 5 && named >= 20, "{name}: {wrong} of {named} wrong");
        // Ten runs for each of six commits, and one to warm up each.
        assert!(runs < 32 * 66 && wrong < peer_wrong, "{name}: {runs} runs, the peer is wrong {peer_wrong} times");
    }
}
