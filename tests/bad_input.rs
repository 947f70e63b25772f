//! Bad input: each gives a clear error with its exit code, and nothing is changed.

use crate::common;

use crate::common::{Repo, isolated};

const CONFIG: &str = r#"version = 1
[steps.build]
run = "./build.sh"
[metrics.size]
path = "out"
[checks]
fine = "test -f out"
"#;

/// A repository whose build writes 2000 bytes into `out`.
fn project() -> Repo {
    let repo = Repo::with(&[("verdict.toml", CONFIG), (".gitignore", "out\n"), ("a.txt", "a\n")]);
    repo.script("build.sh", "head -c 2000 /dev/zero > out\n");
    repo.commit("feat: a build");
    repo
}

/// The same with an experiment `slim` whose branch is checked out and makes `out` half as big.
fn slimmed() -> Repo {
    let repo = project();
    repo.ok(&["start", "slim", "--hypothesis", "half is enough"]);
    repo.script("build.sh", "head -c 1000 /dev/zero > out\n");
    repo.commit("perf: half");
    repo
}

#[test]
fn outside_a_repository_every_command_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for words in
        [&["status"][..], &["log"], &["measure"], &["start", "x", "--hypothesis", "y"], &["decide"], &["doctor"]]
    {
        let mut command = isolated(env!("CARGO_BIN_EXE_git-verdict"));
        command.arg("-C").arg(folder.path()).args(words);
        let ran = common::finish(command, None);
        assert_eq!(ran.code, Some(3), "{}", ran.report());
        ran.says(&["is not in a git repository", "try: git init"]);
    }
}

#[test]
fn a_folder_that_is_not_there_is_bad_usage() {
    let mut command = isolated(env!("CARGO_BIN_EXE_git-verdict"));
    command.args(["-C", "/no/such/folder", "status"]);
    let ran = common::finish(command, None);
    assert_eq!(ran.code, Some(2), "{}", ran.report());
}

#[test]
fn an_unborn_branch_is_refused() {
    let repo = Repo::empty();
    repo.refuses(3, &["start", "x", "--hypothesis", "y"]).says(&["branch 'main' has no commit yet", "git commit"]);
    repo.refuses(3, &["measure"]).says(&["has no commit yet"]);
    repo.refuses(2, &["weigh", "HEAD", "HEAD", "--time", "true"]).says(&["'HEAD' names no commit"]);
}

#[test]
fn a_detached_head_is_refused_unless_it_is_said_where_to_start() {
    let repo = project();
    repo.git(&["checkout", "-q", "--detach"]);
    repo.refuses(3, &["start", "x", "--hypothesis", "y"]).says(&["HEAD is detached", "git switch"]);
    repo.refuses(3, &["measure"]).says(&["no open experiment is on a detached HEAD"]);
    repo.ok(&["start", "x", "--on", "main", "--hypothesis", "y"]);
    assert_eq!(repo.git(&["branch", "--show-current"]), "verdict/x");
}

#[test]
fn a_bare_repository_is_refused_where_a_work_tree_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let repo = project();
    let bare = folder.path().join("bare.git");
    repo.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    for words in [&["start", "x", "--hypothesis", "y"][..], &["init"]] {
        let mut command = isolated(env!("CARGO_BIN_EXE_git-verdict"));
        command.arg("-C").arg(&bare).args(words);
        let ran = common::finish(command, None);
        assert_eq!(ran.code, Some(3), "{}", ran.report());
        ran.says(&["bare repository"]);
    }
}

#[test]
fn names_that_are_no_slug_are_refused_and_shown_harmless() {
    let repo = project();
    for name in ["Upper", "a b", "-x", "a..b", "x.lock", "../up", "a/b", "naïve", "", "\u{1b}[31mred", "a\u{202e}b"] {
        let ran = repo.refuses(2, &["start", "--hypothesis", "y", "--", name]);
        assert!(!ran.stderr.contains('\u{1b}') && !ran.stderr.contains('\u{202e}'), "{}", ran.report());
    }
}

#[test]
fn a_name_that_is_taken_is_refused() {
    let repo = slimmed();
    repo.git(&["switch", "-q", "main"]);
    repo.refuses(3, &["start", "slim", "--hypothesis", "again"]).says(&["there is an experiment 'slim' already"]);
    repo.git(&["branch", "verdict/other"]);
    repo.refuses(3, &["start", "other", "--hypothesis", "y"]).says(&["there is a branch 'verdict/other' already"]);
}

#[test]
fn an_unknown_reference_or_experiment_names_the_nearest() {
    let repo = slimmed();
    repo.refuses(2, &["measure", "--against", "nowhere"]).says(&["'nowhere' names no commit"]);
    repo.refuses(2, &["measure", "slm"]).says(&["there is no experiment 'slm'", "'slim'"]);
    repo.refuses(2, &["show", "slin"]).says(&["'slim'"]);
    repo.refuses(2, &["start", "x", "--on", "nowhere", "--hypothesis", "y"]).says(&["'nowhere' names no commit"]);
    repo.refuses(2, &["weigh", "main", "--time", "true", "--", "--upload-pack=x"]);
}

#[test]
fn an_empty_or_backward_range_is_refused() {
    let repo = project();
    repo.write("b.txt", "b\n");
    repo.commit("feat: b");
    repo.refuses(2, &["start", "x", "--hypothesis", "y", "--adopt", "HEAD..HEAD"]).says(&["is empty"]);
    repo.refuses(2, &["start", "x", "--hypothesis", "y", "--adopt", "HEAD..HEAD~1"]).says(&["not an ancestor"]);
    repo.refuses(2, &["start", "x", "--hypothesis", "y", "--adopt", "HEAD...HEAD~1"]);
}

#[test]
fn an_experiment_without_a_commit_has_nothing_to_measure() {
    let repo = project();
    repo.ok(&["start", "slim", "--hypothesis", "half is enough"]);
    repo.refuses(3, &["measure"]).says(&["has no commit yet", "only committed state is measured"]);
}

#[test]
fn an_empty_hypothesis_or_reason_is_refused_and_no_question_is_asked_without_a_terminal() {
    let repo = slimmed();
    repo.refuses(2, &["start", "x", "--on", "main", "--hypothesis", "  "]).says(&["the hypothesis is empty"]);
    repo.refuses(2, &["start", "x", "--on", "main"]).says(&["--hypothesis", "no terminal"]);
    repo.refuses(2, &["keep"]).says(&["--because"]);
    repo.refuses(2, &["keep", "--because", " "]).says(&["the reason is empty"]);
    repo.refuses(2, &["decide"]).says(&["git verdict keep slim --because TEXT"]);
}

#[test]
fn a_missing_or_broken_configuration_is_named_with_its_place() {
    let repo = slimmed();
    repo.write("verdict.toml", CONFIG.replace("path =", "pth ="));
    repo.refuses(2, &["measure"]).says(&["verdict.toml:5:1", "'pth'", "path"]);
    repo.write("verdict.toml", "version = 1\n");
    repo.refuses(2, &["measure"]).says(&["has no metric"]);
    std::fs::remove_file(repo.path().join("verdict.toml")).unwrap();
    repo.git(&["rm", "-q", "--cached", "verdict.toml"]);
    repo.git(&["commit", "-qm", "drop the configuration"]);
    repo.refuses(2, &["measure"]).says(&["there is no verdict.toml here", "git verdict init"]);
}

#[test]
fn an_unknown_metric_names_the_nearest() {
    let repo = slimmed();
    repo.refuses(2, &["measure", "--metric", "sise"]).says(&["there is no metric 'sise'", "--metric size"]);
}

#[test]
fn numbers_out_of_range_are_bad_usage() {
    let repo = slimmed();
    repo.refuses(2, &["measure", "--pairs", "0"]);
    repo.refuses(2, &["measure", "--budget", "10 parsecs"]).says(&["parsecs"]);
    repo.refuses(2, &["weigh", "main", "HEAD"]).says(&["nothing to weigh"]);
    repo.refuses(2, &["weigh", "main", "HEAD", "--time", "true", "--matters", "-2%"]);
    repo.refuses(2, &["nonsense"]);
    repo.refuses(2, &["--lang", "tlh", "status"]).says(&["en and zh-CN"]);
}

/// A measurement that fails with exit code 4, says this, and leaves no record.
fn fails_to_measure(config: &str, build: &str, parts: &[&str]) {
    let repo = Repo::with(&[("verdict.toml", config), (".gitignore", "out\n")]);
    repo.script("build.sh", "head -c 2000 /dev/zero > out\n");
    repo.commit("feat: a build");
    repo.ok(&["start", "slim", "--hypothesis", "half is enough"]);
    repo.script("build.sh", build);
    repo.commit("perf: half");
    repo.refuses(4, &["measure"]).says(parts);
    let shown = repo.json(&["show", "slim"]);
    assert_eq!(shown["experiment"]["state"], "open", "no half record: {shown}");
}

fn command_metric(run: &str, extract: &str, unit: &str) -> String {
    format!("version = 1\n[metrics.m]\nrun = \"{run}\"\n{extract}\nunit = \"{unit}\"\n")
}

#[test]
fn a_step_that_fails_shows_the_side_and_the_end_of_its_output() {
    let build = "echo first line\necho the disk is on fire >&2\nexit 7\n";
    fails_to_measure(CONFIG, build, &["candidate", "build", "exit status", "7", "the disk is on fire"]);
}

#[test]
fn a_missing_command_is_named() {
    let config = CONFIG.replace("\"./build.sh\"", "[\"no-such-tool\", \"--fast\"]");
    fails_to_measure(&config, "true\n", &["no such command", "no-such-tool"]);
}

#[test]
fn a_step_that_takes_too_long_is_ended() {
    let config = CONFIG.replace("run = \"./build.sh\"", "run = \"./build.sh\"\ntimeout = \"1s\"");
    fails_to_measure(&config, "echo before\nsleep 60\n", &["timed out after", "before"]);
}

#[test]
fn a_metric_without_a_usable_number_is_refused() {
    let whole = "pattern = '(\\\\S+)'".replace("\\\\", "\\");
    fails_to_measure(&command_metric("echo hello", &whole, "req/s"), "true\n", &["metric 'm'"]);
    fails_to_measure(&command_metric("echo NaN", &whole, "req/s"), "true\n", &["metric 'm'", "NaN"]);
    fails_to_measure(&command_metric("echo inf", &whole, "req/s"), "true\n", &["metric 'm'"]);
    fails_to_measure(&command_metric("echo -5", &whole, "B"), "true\n", &["metric 'm'", "-5"]);
    fails_to_measure(&command_metric("true", &whole, "req/s"), "true\n", &["metric 'm'"]);
    fails_to_measure(&command_metric("exit 3", &whole, "req/s"), "true\n", &["exit status", "3"]);
}

#[test]
fn a_path_that_is_missing_is_named() {
    fails_to_measure(CONFIG, "true\n", &["metric 'size'", "out"]);
}

#[test]
fn an_image_that_does_not_exist_is_named() {
    let config = "version = 1\n[metrics.m]\nimage = \"no-such-image:never\"\n";
    fails_to_measure(config, "true\n", &["no-such-image:never"]);
}

#[test]
fn a_dirty_tree_forbids_landing_and_says_what_to_do() {
    let repo = slimmed();
    repo.ok(&["measure"]);
    repo.write("a.txt", "changed\n");
    repo.refuses(3, &["keep", "--because", "smaller"]).says(&["a.txt", "commit"]);
    repo.refuses(3, &["revert", "--because", "smaller"]).says(&["a.txt"]);
}

#[test]
fn a_decision_without_numbers_or_with_stale_ones_needs_force() {
    let repo = slimmed();
    repo.refuses(3, &["keep", "--because", "smaller"]).says(&["measure"]);
    repo.ok(&["measure"]);
    repo.script("build.sh", "head -c 900 /dev/zero > out\n");
    repo.commit("perf: even less");
    repo.refuses(3, &["keep", "--because", "smaller"]).says(&["git verdict measure"]);
}

#[test]
fn a_failed_check_forbids_keeping() {
    let repo = slimmed();
    repo.script("build.sh", "head -c 1000 /dev/zero > out\ntouch spoilt\n");
    repo.write("verdict.toml", CONFIG.replace("test -f out", "echo checking; test ! -f spoilt"));
    repo.commit("perf: half, and spoilt");
    let measured = repo.json(&["measure"]);
    assert_eq!(measured["measured"]["recommendation"]["advice"], "revert", "{measured}");
    repo.refuses(3, &["keep", "--because", "smaller"]).says(&["fine", "--force"]);
    repo.ok(&["revert", "--because", "it breaks"]);
}

#[test]
fn a_conflict_is_found_before_anything_is_touched() {
    let repo = slimmed();
    repo.ok(&["measure"]);
    repo.git(&["switch", "-q", "main"]);
    repo.script("build.sh", "head -c 3000 /dev/zero > out\n");
    repo.commit("feat: more");
    repo.refuses(3, &["keep", "slim", "--because", "smaller"])
        .says(&["would conflict in build.sh", "nothing was touched"]);
}

#[test]
fn a_kept_experiment_can_only_be_reverted_where_it_landed() {
    let repo = slimmed();
    repo.ok(&["measure"]);
    repo.ok(&["keep", "--because", "smaller"]);
    for words in [&["keep", "slim", "--because", "x"][..], &["measure", "slim"], &["abandon", "slim", "--because", "x"]]
    {
        repo.refuses(3, words).says(&["kept already"]);
    }
    repo.ok(&["revert", "slim", "--because", "it broke the nightly build"]);
    assert_eq!(repo.json(&["show", "slim"])["experiment"]["state"], "reverted");
    repo.refuses(3, &["revert", "slim", "--because", "x"]).says(&["reverted already"]);
}

#[test]
fn two_decisions_at_once_land_one() {
    let repo = slimmed();
    repo.ok(&["measure"]);
    // Both keep: a revert that begins after the other has landed is one of a change that is kept, and allowed.
    let keep = || {
        let mut command = isolated(env!("CARGO_BIN_EXE_git-verdict"));
        command.arg("-C").arg(repo.path()).args(["keep", "slim", "--because", "now"]);
        common::finish(command, None)
    };
    let (one, other) = std::thread::scope(|scope| {
        let (one, other) = (scope.spawn(keep), scope.spawn(keep));
        (one.join().unwrap(), other.join().unwrap())
    });
    let mut codes = [one.code, other.code];
    codes.sort();
    assert_eq!(codes, [Some(0), Some(3)], "{}\n{}", one.report(), other.report());
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    let log = repo.json(&["log"]);
    assert_eq!(log["decisions"].as_array().unwrap().len(), 1, "{log}");
}

#[test]
fn errors_are_one_json_object_too() {
    let repo = project();
    let ran = repo.expect(2, &["--json", "show", "nothing"]);
    let value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(value["schema"], "git-verdict/error");
    assert_eq!(value["error"]["exit"], 2);
}

#[test]
fn a_change_beyond_all_numbers_is_measured_recorded_and_shown_without_a_percentage() {
    let big = "sed 's/^/1.5e/' exponent";
    let noisy = "echo \"1$(date +%N)e$(cat exponent)\"";
    let config = format!(
        "version = 1\n[metrics.big]\nrun = '''{big}'''\n[metrics.noisy]\nrun = '''{noisy}'''\n[metrics.none]\nrun = \"cat exponent\"\n"
    );
    let repo = Repo::with(&[("verdict.toml", &config), ("exponent", "-300\n")]);
    repo.commit("feat: small");
    repo.ok(&["trust", "--yes"]);
    repo.ok(&["start", "large", "--hypothesis", "it grows"]);
    repo.write("exponent", "290\n");
    repo.commit("perf: large");
    repo.ok(&["measure", "--pairs", "4"]);
    let told = repo.json(&["compare", "large"]);
    assert_eq!(told["options"][0]["comparison"][0]["relative"], serde_json::Value::Null, "{told}");
    let text = repo.ok(&["compare", "large"]).stdout + &repo.ok(&["show", "large"]).stdout;
    assert!(!text.contains("inf ") && !text.contains("inf%") && !text.contains("NaN"), "{text}");
    repo.ok(&["revert", "--because", "it grew", "--force"]);
    assert!(!repo.trailers("HEAD").is_empty());
    repo.ok(&["doctor", "--ledger"]);
}

#[test]
fn doctor_tells_of_a_journal_that_cannot_be_read_and_nothing_lands_meanwhile() {
    let repo = slimmed();
    repo.ok(&["measure"]);
    let before = repo.snapshot();
    for (journal, english, chinese) in [
        ("{\"version\"", "EOF while parsing", "EOF while parsing"),
        ("{\"version\": 7}", "it has version 7, this program writes 1", "它的版本是 7，而本程序写入的版本是 1"),
        ("{\"version\": 1}", "missing field", "missing field"),
    ] {
        let file = repo.write(".git/verdict/journal.json", journal);
        let ran = repo.expect(1, &["doctor"]);
        ran.prints(&[
            "BAD  decisions",
            english,
            "ok   ledger",
            "next: git reflog shows what was done; rm ",
            "journal.json",
        ]);
        repo.expect(1, &["doctor", "--lang", "zh-CN"]).prints(&["无法读取", chinese, "确认一切正常后 rm "]);
        repo.refuses(3, &["doctor", "--undo"]).says(&["the journal of a decision cannot be read"]);
        repo.refuses(3, &["keep", "--because", "x"]).says(&[english, "rm "]);
        assert_eq!(repo.read(".git/verdict/journal.json"), journal, "it is left alone");
        assert_eq!(repo.json_no(&["doctor"])["pending"], serde_json::Value::Null);
        std::fs::remove_file(file).unwrap();
        assert_eq!(repo.snapshot(), before);
    }
    repo.ok(&["doctor"]).prints(&["ok   decisions"]);
    repo.ok(&["keep", "--because", "half is enough"]);
}

/// A build that fails once, and whose size is another each time: the notes of the measuring tell of both.
#[test]
fn notes_of_a_measurement_are_told_in_both_languages() {
    for (lang, resumed, varies) in [
        ("en", "goes on where it stopped: 0 complete rounds and 1 sample are saved", "size varies on base: "),
        ("zh-CN", "从中断处继续：已存 0 个完整的轮和 1 个样本", "size 在基线上不固定：先是 "),
    ] {
        let config = CONFIG.split("[checks]").next().unwrap().replacen('\n', &format!("\nlang = \"{lang}\"\n"), 1);
        let repo = Repo::with(&[("verdict.toml", &config), (".gitignore", "out\n"), ("a.txt", "a\n")]);
        let count = repo.path().join(".git/count").display().to_string();
        let size = format!("n=$(wc -l < {count})\ntest $n -ne 2 || exit 1\nhead -c $((1000 + n)) /dev/zero > out\n");
        repo.script("build.sh", &format!("echo >> {count}\n{size}"));
        repo.commit("feat: a build");
        repo.ok(&["start", "slim", "--hypothesis", "x"]);
        repo.write("a.txt", "b\n");
        repo.commit("perf: b");
        repo.expect(4, &["measure", "--pairs", "2"]);
        repo.ok(&["measure", "--pairs", "2"]).says(&[resumed, varies]);
    }
}
