//! `verdict.toml` as its reader meets it: what is accepted, what each error says and where it points, and that the
//! reference in `docs/config.md` tells the truth.

use git_verdict::config::{
    AdrFormat, Better, Command, Compress, Config, Extract, Matters, Resource, RevertMode, Source, contradiction,
};
use git_verdict::error::{Exit, Explain};
use git_verdict::units::{Ratio, Unit};
use proptest::prelude::*;
use std::time::Duration;

/// The file of the design contract, with every kind of source.
const WHOLE: &str = r#"version = 1

[steps.build]
run = "docker build -t app:verdict ."
prepare = "docker builder prune -af"
timeout = "30m"

[steps.bench]
run = ["./bench", "--quiet"]

[metrics.build_time]
step = "build"
measure = "wall"
matters = "5%"

[metrics.image_size]
image = "app:verdict"
matters = "50 MB"
limit = "4 GB"

[metrics.pip_step]
build_step = "pip install"
step = "build"

[metrics.memory]
step = "bench"
measure = "max_rss"

[metrics.binary]
path = "target/release/app"
compress = "gzip"

[metrics.throughput]
run = "./bench.sh"
pattern = 'req/s: ([0-9.]+)'
unit = "req/s"
better = "higher"
limit = 1_000

[metrics.latency]
run = ["./bench.sh", "--latency"]
json = "/results/0/p99"
unit = "ms"
matters = "2 ms"
timeout = "90 s"

[metrics.warnings]
run = "./count-warnings"
matters = 1

[checks]
tests = "pytest -q"
lint = ["cargo", "clippy"]
slow = { run = "./slow.sh", timeout = "1h" }

[policy]
worth = ["1 min build_time = 500 MB image_size", "1 MB binary = 10 warnings"]
base = "main"
revert = "in-place"
keep_type = "perf(build)"

[adr]
dir = "docs/decisions"
format = "madr-minimal"
"#;

fn parse(text: &str) -> Config {
    Config::parse(text, "verdict.toml").unwrap_or_else(|e| panic!("{e} ({:?}) in:\n{text}", e.help))
}

/// The error of a text as `line:column: message`, and its help.
fn error(text: &str) -> (String, String) {
    let error = match Config::parse(text, "verdict.toml") {
        Err(error) => error,
        Ok(config) => panic!("{text}\nwas accepted: {config:#?}"),
    };
    assert_eq!(error.exit(), Exit::Usage);
    let shown = error.to_string();
    let place = shown.strip_prefix("verdict.toml:").unwrap_or_else(|| panic!("{shown} does not name the file"));
    (place.to_string(), error.help.map(|help| help.to_string()).unwrap_or_default())
}

#[test]
fn the_file_of_the_contract_becomes_a_configuration() {
    let config = parse(WHOLE);
    let steps: Vec<_> = config.steps.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(steps, ["build", "bench"]);
    let build = config.step("build").unwrap();
    assert_eq!(build.run, Command::Shell("docker build -t app:verdict .".into()));
    assert_eq!(build.prepare, Some(Command::Shell("docker builder prune -af".into())));
    assert_eq!(build.timeout, Some(Duration::from_secs(1800)));
    assert_eq!(config.steps[1].run, Command::Direct(vec!["./bench".into(), "--quiet".into()]));

    let names: Vec<_> = config.metrics.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(
        names,
        ["build_time", "image_size", "pip_step", "memory", "binary", "throughput", "latency", "warnings"],
        "in the order of the file"
    );
    let metric = |name: &str| config.metric(name).unwrap();
    assert_eq!(metric("build_time").source, Source::Step { step: "build".into(), measure: Resource::Wall });
    assert_eq!((&metric("build_time").unit, metric("build_time").better), (&Unit::Seconds, Better::Lower));
    assert_eq!(metric("build_time").matters, Matters::Relative(Ratio(0.05)));
    assert_eq!(metric("image_size").source, Source::Image { reference: "app:verdict".into() });
    assert_eq!(metric("image_size").matters, Matters::Absolute(50e6));
    assert_eq!(metric("image_size").limit, Some(4e9));
    let pip = Source::BuildStep { pattern: "pip install".into(), step: "build".into() };
    assert_eq!(metric("pip_step").source, pip);
    assert_eq!(metric("memory").unit, Unit::Bytes);
    assert_eq!(metric("memory").matters, Matters::Relative(Ratio(0.01)));
    let binary = Source::Path { path: "target/release/app".into(), compress: Some(Compress::Gzip) };
    assert_eq!(metric("binary").source, binary);
    assert_eq!(metric("throughput").unit, Unit::Custom("req/s".into()));
    assert_eq!(metric("throughput").better, Better::Higher);
    assert_eq!(metric("throughput").limit, Some(1000.0));
    assert_eq!(metric("latency").unit, Unit::Seconds);
    assert_eq!(metric("latency").matters, Matters::Absolute(0.002));
    match &metric("latency").source {
        Source::Command { run, extract, scale, timeout } => {
            assert_eq!(*run, Command::Direct(vec!["./bench.sh".into(), "--latency".into()]));
            assert_eq!(*extract, Extract::Json("/results/0/p99".into()));
            assert_eq!(*scale, 1e-3, "readings in ms become seconds");
            assert_eq!(*timeout, Some(Duration::from_secs(90)));
        }
        other => panic!("{other:?}"),
    }
    match &metric("warnings").source {
        Source::Command { extract: Extract::Whole, scale: 1.0, timeout: None, .. } => {}
        other => panic!("{other:?}"),
    }
    assert_eq!((&metric("warnings").unit, metric("warnings").matters), (&Unit::Count, Matters::Absolute(1.0)));

    assert_eq!(config.checks.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["tests", "lint", "slow"]);
    assert_eq!(config.checks[2].timeout, Some(Duration::from_secs(3600)));
    assert_eq!(config.policy.worth[0].left.amount, 60.0);
    assert_eq!(config.policy.worth[1].right.amount, 10.0);
    assert_eq!(config.policy.base.as_deref(), Some("main"));
    assert_eq!(config.policy.revert, RevertMode::InPlace);
    assert_eq!(config.policy.keep_type.as_deref(), Some("perf(build)"));
    assert_eq!(config.policy.adr.as_deref(), Some("docs/decisions"));
    assert_eq!(config.policy.adr_format, Some(AdrFormat::MadrMinimal));
    let older = parse("version = 1\n[policy]\nadr = 'decisions'\n").policy;
    assert_eq!((older.adr.as_deref(), older.adr_format), (Some("decisions"), None));
}

#[test]
fn the_hash_is_that_of_the_text() {
    assert_eq!(parse("version = 1").hash, "4eab33c0b9ba9ded10e2a046539031d60df90438efad3533d7ad16b6f61da112");
}

#[test]
fn order_is_that_of_the_file_even_when_tables_are_mixed() {
    let text = "version = 1\nsteps.z.run = 'a'\nsteps.a.run = 'b'\n[metrics.y]\npath = 'x'\n[checks]\nc = 'd'\n\
                [metrics.b]\npath = 'x'\n";
    let config = parse(text);
    assert_eq!(config.steps.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["z", "a"]);
    assert_eq!(config.metrics.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(), ["y", "b"]);
}

#[test]
fn a_bad_word_is_named_where_it_stands_with_the_nearest_right_one() {
    // What follows `version = 1`, so that the first line of the body is line 2.
    let cases = [
        ("[stpes.build]\nrun = 'x'", "2:2: unknown key 'stpes'", "did you mean 'steps'?"),
        ("[steps.b]\nrun = 'x'\ntimout = '1 s'", "4:1: unknown key 'timout' in [steps.b]", "did you mean 'timeout'?"),
        ("[metrics.a]\npth = 'x'", "3:1: unknown key 'pth' in [metrics.a]", "did you mean 'path'?"),
        ("[policy]\nrevret = 'merge'", "3:1: unknown key 'revret' in [policy]", "did you mean 'revert'?"),
        ("[checks.a]\nrun = 'x'\nretries = 3", "4:1: unknown key 'retries' in [checks.a]", "known keys: run, timeout"),
        ("[metrics.a]\npath = 'x'\nmatters = '5 Mb'", "4:14: unknown unit 'Mb'", "did you mean 'MB'?"),
        ("[steps.b]\nrun = 'x'\ntimeout = '5 mni'", "4:14: unknown unit 'mni'", "did you mean 'min'?"),
        ("[steps.build]\nrun = 'x'\n[metrics.t]\nstep = 'biuld'", "5:9: unknown step 'biuld'", "did you mean 'build'?"),
        ("[metrics.t]\nstep = 'build'", "3:9: unknown step 'build'", "this file defines no step"),
        (
            "[steps.b]\nrun = 'x'\n[metrics.t]\nstep = 'b'\nmeasure = 'wal'",
            "6:12: unknown resource 'wal'",
            "did you mean 'wall'?",
        ),
        (
            "[metrics.a]\npath = 'x'\ncompress = 'lzma2000'",
            "4:13: unknown compression 'lzma2000'",
            "known compressions: gzip, zstd, brotli",
        ),
        ("[metrics.a]\npath = 'x'\nbetter = 'Higher'", "4:11: unknown direction 'Higher'", "did you mean 'higher'?"),
        ("[policy]\nrevert = 'inplace'", "3:11: unknown revert mode 'inplace'", "did you mean 'in-place'?"),
        ("[metrics.a]\nrun = 'x'\nunit = 'mb'", "4:9: unknown unit 'mb'", "did you mean 'MB'?"),
        ("[metrics.a]\nrun = 'x'\nunit = 'seconds'", "4:9: unknown unit 'seconds'", "did you mean 's'?"),
        (
            "[metrics.size]\npath = 'x'\n[metrics.n]\nrun = 'x'\n[policy]\nworth = ['1 n = 5 MB szie']",
            "7:22: unknown metric 'szie'",
            "did you mean 'size'?",
        ),
        (
            "[metrics.size]\npath = 'x'\n[metrics.n]\nrun = 'x'\n[policy]\nworth = ['1 n = 5 Mb size']",
            "7:19: unknown unit 'Mb'",
            "did you mean 'MB'?",
        ),
        (
            "'é é' = 1\nstps = 2",
            "2:1: unknown key 'é é'",
            "known keys: version, lang, measure, steps, metrics, checks, policy",
        ),
        ("steps = { 'é' = 5 }", "2:11: 'é' cannot be the name of a step", "a name starts with a letter"),
    ];
    for (body, message, help) in cases {
        let (found, advice) = error(&format!("version = 1\n{body}\n"));
        assert_eq!(found, message, "for:\n{body}");
        assert!(advice.starts_with(help), "{advice} for:\n{body}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place() {
    let cases = [
        // sources
        ("[metrics.a]\nimage = 'x'\npath = 'y'", "4:1: [metrics.a] has two sources, 'image' and 'path'"),
        ("[metrics.a]\nrun = 'x'\nstep = 'y'", "4:1: [metrics.a] has two sources, 'run' and 'step'"),
        ("[metrics.a]\nmatters = '5%'", "2:10: [metrics.a] has no source"),
        (
            "[metrics.a]\npath = 'x'\npattern = '(x)'",
            "4:1: 'pattern' belongs to a 'run' metric, and this one reads 'path'",
        ),
        (
            "[metrics.a]\nimage = 'x'\nmeasure = 'wall'",
            "4:1: 'measure' belongs to a 'step' metric, and this one reads 'image'",
        ),
        ("[metrics.a]\npath = 'x'\nunit = 'MB'", "4:1: 'unit' belongs to a 'run' metric, and this one reads 'path'"),
        ("[metrics.a]\nbuild_step = 'RUN'", "3:1: 'build_step' does not say which step's log it reads"),
        ("[metrics.a]\nimage = '-v'", "3:10: '-v' is not an image reference"),
        ("[metrics.a]\nimage = ''", "3:9: 'image' is empty"),
        // commands
        ("[steps.b]\ntimeout = '1 s'", "2:8: [steps.b] has no 'run'"),
        ("[steps.b]\nrun = ' '", "3:7: 'run' is empty"),
        ("[steps.b]\nrun = []", "3:7: 'run' is an empty list"),
        ("[steps.b]\nrun = ['']", "3:8: the program of 'run' is empty"),
        ("[steps.b]\nrun = ['a', 5]", "3:13: a word of 'run' is an integer, not a string"),
        ("[steps.b]\nrun = 5", "3:7: 'run' is an integer, not a command"),
        ("[steps.b]\nrun = \"a\\u0000b\"", "3:7: a command cannot contain the character \\u0000"),
        ("[checks]\na = true", "3:5: 'a' is a boolean, not a command"),
        ("[checks]\na = {}", "3:1: [checks.a] has no 'run'"),
        ("steps = 5", "2:1: 'steps' is an integer, not a table"),
        ("[[steps]]\nrun = 'x'", "2:3: 'steps' is an array, not a table"),
        ("[steps]\nb = 'make'", "3:1: 'b' is a string, not a table"),
        // times and sizes
        ("[steps.b]\nrun = 'x'\ntimeout = 30", "4:11: '30' has no unit: a timeout is a time"),
        ("[steps.b]\nrun = 'x'\ntimeout = '0 s'", "4:12: '0 s' is not a timeout between 1 ns and 8760 h"),
        ("[steps.b]\nrun = 'x'\ntimeout = '1e300 h'", "4:12: '1e300 h' is not a timeout between 1 ns and 8760 h"),
        ("[steps.b]\nrun = 'x'\ntimeout = '5 MB'", "4:12: '5 MB' has the wrong unit: a timeout is a time"),
        ("[metrics.a]\npath = 'x'\nmatters = '5 s'", "4:12: '5 s' has the wrong unit: metric 'a' is a size"),
        ("[metrics.a]\npath = 'x'\nmatters = 5", "4:11: '5' has no unit: metric 'a' is a size"),
        ("[metrics.a]\npath = 'x'\nmatters = '0%'", "4:12: '0%' is not a percentage above zero"),
        ("[metrics.a]\npath = 'x'\nmatters = '-5%'", "4:12: '-5%' is not a percentage above zero"),
        ("[metrics.a]\npath = 'x'\nmatters = '1e999%'", "4:12: '1e999%' is not a percentage above zero"),
        (
            "[metrics.a]\npath = 'x'\nmatters = '0 MB'",
            "4:11: 'matters' is zero, so that no difference would be too small",
        ),
        ("[metrics.a]\npath = 'x'\nlimit = '-4 GB'", "4:10: '-4 GB' is not a finite number of zero or more"),
        ("[metrics.a]\npath = 'x'\nlimit = '1e308 TB'", "4:10: '1e308 TB' is not a finite number of zero or more"),
        ("[metrics.a]\npath = 'x'\nlimit = '5%'", "4:10: 'limit' is a value and no percentage"),
        ("[metrics.a]\npath = 'x'\nlimit = true", "4:9: 'limit' is a boolean, not a size"),
        ("[metrics.a]\nrun = 'x'\nlimit = nan", "4:9: 'nan' does not start with a number"),
        ("[metrics.a]\nrun = 'x'\nlimit = '5 MB'", "4:10: '5 MB' has the wrong unit: metric 'a' is a plain number"),
        (
            "[metrics.a]\nrun = 'x'\nunit = 'req/s'\nlimit = '5 rps'",
            "5:10: '5 rps' has the wrong unit: metric 'a' is in req/s",
        ),
        // units, patterns, pointers
        ("[metrics.a]\nrun = 'x'\nunit = 'a b'", "4:9: 'a b' cannot be a unit"),
        ("[metrics.a]\nrun = 'x'\nunit = '[x]'", "4:9: '[x]' cannot be a unit"),
        ("[metrics.a]\nrun = 'x'\npattern = '[0-9]+'", "4:12: the regular expression '[0-9]+' has no capture group"),
        ("[metrics.a]\nrun = 'x'\npattern = '(a'", "4:12: '(a' is not a regular expression: unclosed group"),
        (
            "[metrics.a]\nrun = 'x'\njson = '/a'\npattern = '(a)'",
            "5:1: 'pattern' and 'json' both say how the number is found",
        ),
        ("[metrics.a]\nrun = 'x'\njson = 'a.b'", "4:9: 'a.b' is not a JSON pointer: it does not start with '/'"),
        (
            "[metrics.a]\nrun = 'x'\njson = '/a~2'",
            "4:9: '/a~2' is not a JSON pointer: '~' stands only in '~0' (for ~) and '~1' (for /)",
        ),
        // paths
        ("[metrics.a]\npath = '/etc/passwd'", "3:9: the path '/etc/passwd' is absolute"),
        ("[metrics.a]\npath = 'a/../../b'", "3:9: the path 'a/../../b' leaves the work tree"),
        ("[metrics.a]\npath = '**/../b'", "3:9: the path '**/../b' leaves the work tree"),
        ("[metrics.a]\npath = '{..,a}/b'", "3:9: the path '{..,a}/b' has '..' within a pattern"),
        ("[metrics.a]\npath = '~/b'", "3:9: the path '~/b' starts with '~', which stands for no folder here"),
        ("[metrics.a]\npath = 'a['", "3:9: the path 'a[' is not a valid pattern"),
        ("[policy]\nadr = '../adr'", "3:8: the path '../adr' leaves the work tree"),
        ("[adr]\ndir = '/adr'", "3:8: the path '/adr' is absolute"),
        ("[adr]\nfolder = 'x'", "3:1: unknown key 'folder' in [adr]"),
        ("[adr]\nformat = 'nigard'", "3:11: unknown format 'nigard'"),
        (
            "[adr]\ndir = 'x'\n[policy]\nadr = 'y'",
            "3:1: the folder of decision files is named twice: here and by 'adr' in [policy]",
        ),
        // names and words
        ("[metrics.'a b']\npath = 'x'", "2:10: 'a b' cannot be the name of a metric"),
        ("[steps.-x]\nrun = 'x'", "2:8: '-x' cannot be the name of a step"),
        ("[checks]\n\"a\\nb\" = 'x'", "3:1: 'a\\nb' cannot be the name of a check"),
        ("[metrics.a]\nimage = \"a\\u001b[31m\"", "3:9: 'image' holds a control character: 'a\\u{1b}[31m'"),
        ("[policy]\nbase = '-x'", "3:9: '-x' cannot be the name of a branch"),
        ("[policy]\nkeep_type = 'perf: x'", "3:14: 'perf: x' cannot be the type of a commit subject"),
        ("[policy]\nworth = 5", "3:9: 'worth' is an integer, not a list of exchange rates"),
        // syntax
        ("[steps", "2:7: TOML syntax: unclosed table, expected `]`"),
        ("[policy]\nbase = 'a'\nbase = 'b'", "4:1: TOML syntax: duplicate key"),
        ("a = 'é\nb = 1", "2:7: TOML syntax: invalid literal string, expected `'`"),
    ];
    for (body, message) in cases {
        let (found, help) = error(&format!("version = 1\n{body}\n"));
        assert_eq!(found, message, "for:\n{body}");
        assert!(!help.is_empty() || found.contains("TOML syntax"), "no help for:\n{body}");
    }
}

#[test]
fn a_missing_or_unknown_version_is_refused_before_all_else() {
    let cases = [
        ("", "1:1: the file has no 'version'"),
        ("[steps.b]\nrun = 'x'\n", "1:1: the file has no 'version'"),
        ("verison = 1\n", "1:1: unknown key 'verison'"),
        ("version = '1'\n", "1:11: 'version' is a string, not a whole number"),
        ("version = 0\n", "1:11: version 0 of the format does not exist"),
        (
            "newer = true\nversion = 2\n",
            "2:11: version 2 of the format is newer than this program, which reads version 1",
        ),
        (
            "version = 99999999999999999999\n",
            "1:11: version 99999999999999999999 of the format is newer than this program, which reads version 1",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(error(text).0, message);
    }
}

#[test]
fn the_first_problem_of_a_file_is_the_one_reported() {
    let text = "version = 1\n[policy]\nrevert = 'mrge'\n[metrics.a]\npth = 'x'\n[steps.b]\nrn = 'x'\n";
    assert_eq!(error(text).0, "3:11: unknown revert mode 'mrge'");
}

#[test]
fn exchange_rates_are_checked_word_by_word_and_against_each_other() {
    let body = |worth: &str| {
        format!(
            "version = 1\n[metrics]\nt = {{ step = 's' }}\nm = {{ path = 'x' }}\nu = {{ step = 's' }}\nn = {{ run = 'x' }}\n[steps.s]\nrun = 'x'\n[policy]\nworth = [{worth}]\n"
        )
    };
    let cases = [
        ("'1 min t'", "10:11: '1 min t' is no exchange rate: it has no '='"),
        ("'1 min t = 5 MB m = 3 n'", "10:28: an exchange rate has one '='"),
        ("'t = 5 MB m'", "10:11: 't' is not an amount, a unit and a metric"),
        ("'5 MB = 1 min'", "10:18: '1 min' names no metric, and several have such a unit"),
        ("'3 req/s x = 1 min t'", "10:19: unknown metric 'x'"),
        ("'1 n = 1e400 MB m'", "10:17: '1e400 MB' is not a finite number of zero or more"),
        ("'-1 n = 1 MB m'", "10:11: '-1' is not a finite number of zero or more"),
        ("'1 maintenanc = 1 MB m'", "10:13: unknown metric 'maintenanc'"),
        ("'1 t = 5 MB m'", "10:11: '1' has no unit: metric 't' is a time"),
        ("'1 min t = 5 min m'", "10:21: '5 min' has the wrong unit: metric 'm' is a size"),
        ("'1 min t = 0 MB m'", "10:21: '0 MB' is not above zero"),
        ("'1 min t = 5 s t'", "10:25: both sides of this rate are 't'"),
        ("5", "10:10: 'worth' is an integer, not a string"),
        (
            "'1 min t = 500 MB m', '500 MB m = 2 min t'",
            "10:32: this rate contradicts those before it: by them 500.0 MB m is worth 60.00 s t, here 120.0 s t",
        ),
        (
            "'1 min t = 500 MB m', '1 MB m = 2 n', '1 s t = 1 n'",
            "10:48: this rate contradicts those before it: by them 1.00 s t is worth 16.67 n, here 1 n",
        ),
    ];
    for (worth, message) in cases {
        assert_eq!(error(&body(worth)).0, message, "for {worth}");
    }
    let config = parse(&body("'1 min t = 500 MB m', '1000 MB m = 2min t'"));
    assert_eq!(config.policy.worth.len(), 2);
    assert_eq!(contradiction(&config.policy.worth), None);

    let rate = config.parse_worth("3 n = 1 h t").unwrap();
    assert_eq!((rate.left.metric.as_str(), rate.left.amount, rate.right.amount), ("n", 3.0, 3600.0));
    let rate = config.parse_worth("10 maintenance = 50MB").unwrap();
    assert_eq!((rate.left.metric.as_str(), rate.right.metric.as_str(), rate.right.amount), ("maintenance", "m", 50e6));
    let wrong = config.parse_worth("1 min = 50 MB").unwrap_err();
    assert_eq!(wrong.help.unwrap(), "name the one that is meant: t, u");
    let wrong = config.parse_worth("3 n = 1 h tt").unwrap_err();
    assert_eq!(wrong.to_string(), "worth:1:11: unknown metric 'tt'");
    assert_eq!(wrong.help.unwrap(), "did you mean 't'?");
}

#[test]
fn a_unit_of_percent_can_still_have_a_relative_matters() {
    let config = parse("version = 1\n[metrics.a]\nrun = 'x'\nunit = '%'\nmatters = '5%'\nlimit = '80%'\n");
    assert_eq!(config.metrics[0].unit, Unit::Custom("%".into()));
    assert_eq!(config.metrics[0].matters, Matters::Relative(Ratio(0.05)));
    assert_eq!(config.metrics[0].limit, Some(80.0));
}

/// Whether a place lies in the text: on one of its lines, at most one past that line's last character.
fn lies_within(text: &str, line: usize, column: usize) -> bool {
    text.split('\n').nth(line.wrapping_sub(1)).is_some_and(|l| (1..=l.chars().count() + 1).contains(&column))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_mutated_file_is_read_or_refused_within_its_text(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..30, "[\\[\\]{}=\"'.\\\\#, \n0-9a-z%éµ\u{0}\u{feff}-]{0,4}"), 1..6)
    ) {
        let mut text = WHOLE.to_string();
        for (index, cut, insert) in edits {
            let chars: Vec<char> = text.chars().collect();
            let start = index.index(chars.len() + 1);
            let end = (start + cut).min(chars.len());
            text = chars[..start].iter().copied().chain(insert.chars()).chain(chars[end..].iter().copied()).collect();
        }
        match Config::parse(&text, "f") {
            Ok(config) => prop_assert_eq!(config.hash.len(), 64),
            Err(e) => {
                prop_assert!(lies_within(&text, e.line, e.column), "{} is outside of:\n{}", e, text);
                prop_assert!(!e.to_string().chars().any(char::is_control), "{:?}", e);
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused_within_itself(text in "\\PC{0,40}|[\\[\\]{}=\"'.\n a-c0-9\r]{0,60}") {
        if let Err(e) = Config::parse(&text, "f") {
            prop_assert!(lies_within(&text, e.line, e.column), "{} is outside of {:?}", e, text);
        }
    }
}

/// The fenced blocks of a markdown text: what stands after the fence, and the content.
fn blocks(markdown: &str) -> Vec<(&str, String)> {
    let mut found: Vec<(&str, String)> = Vec::new();
    let mut open = false;
    for line in markdown.lines() {
        match line.strip_prefix("```") {
            Some(info) if !open => {
                found.push((info, String::new()));
                open = true;
            }
            Some(_) => open = false,
            None if open => {
                let (_, content) = found.last_mut().unwrap();
                content.push_str(line);
                content.push('\n');
            }
            None => {}
        }
    }
    found
}

#[test]
fn every_file_and_every_error_in_the_reference_is_true() {
    let reference = include_str!("../docs/config.md");
    let blocks = blocks(reference);
    let (mut files, mut errors) = (0, 0);
    for (i, (info, content)) in blocks.iter().enumerate() {
        match *info {
            "toml" => {
                parse(content);
                files += 1;
            }
            "toml,error" => {
                let error = Config::parse(content, "verdict.toml").unwrap_err();
                let shown = format!("{error}\n{}\n", error.help.as_ref().map(ToString::to_string).unwrap_or_default());
                assert_eq!(blocks.get(i + 1), Some(&("text", shown)), "the error shown for:\n{content}");
                errors += 1;
            }
            "text" => assert_eq!(blocks[i - 1].0, "toml,error"),
            other => panic!("a block marked '{other}'"),
        }
    }
    assert!(files >= 4 && errors >= 6, "{files} files and {errors} errors");
}

#[test]
fn every_key_is_in_the_reference() {
    let reference = include_str!("../docs/config.md");
    for line in WHOLE.lines().filter(|line| !line.starts_with('[')) {
        if let Some((key, _)) = line.split_once(" = ") {
            let known = ["tests", "lint", "slow"].contains(&key) || reference.contains(&format!("`{key}`"));
            assert!(known || reference.contains(&format!("## {key}\n")), "{key} is not explained");
        }
    }
}
