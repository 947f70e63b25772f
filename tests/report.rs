//! The report through the built binary: what is on the page, what it never holds, and, in a real Chromium, what it does.

mod records;

use crate::common::{Repo, documented, finish, isolated, skip, works};
use git_verdict::digest::source_hash;
use git_verdict::ledger::event::{Decided, Event, Fact, Verdict};
use git_verdict::ledger::{Ledger, event::Opened};
use git_verdict::render::Lang;
use git_verdict::render::lang;
use git_verdict::render::template::REPORT;
use git_verdict::units::Unit;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A repository with these records, cloned from a GitLab of its own.
fn with_records(events: &[Event]) -> Repo {
    let repo = Repo::with(&[("app.txt", "app\n")]);
    repo.git(&["remote", "add", "origin", "https://robot:s3cret@gitlab.example.org/group/web/service.git"]);
    let opened = git_verdict::git::Repo::discover(repo.path()).unwrap();
    Ledger::open(&opened).append_all(events).unwrap();
    repo
}

fn page(repo: &Repo, words: &[&str]) -> String {
    let mut all = vec!["report", "-o", "-"];
    all.extend(words);
    repo.ok(&all).stdout
}

/// The text between two marks.
fn between<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    let rest = &text[text.find(from).unwrap_or_else(|| panic!("no {from}")) + from.len()..];
    &rest[..rest.find(to).unwrap_or_else(|| panic!("no {to}"))]
}

#[test]
fn every_experiment_is_on_the_page_with_its_reason_its_numbers_and_its_commits() {
    let repo = with_records(&records::story(24));
    let page = page(&repo, &[]);
    assert_eq!(page.matches("<details class=\"exp ").count(), 24);
    for part in [
        "<h1><bdi>group/<wbr>web/<wbr>service</bdi></h1>",
        "24 experiments, 2025-01-06 to 2025-01-26",
        "pip&#x27;s cache is a third of the image",
        "the image saves little over the purged cache",
        "id=\"x-multi-stage\"",
        "aria-label=\"build_time: ",
        "layer 4 (RUN pip install -r requirements.txt)",
        "step exporting to image",
        "<span class=\"tag over\">overridden</span>",
        "tests failed (exit status 1)",
        "git verdict show pip-cache</code>",
        "<b>-7.49 GB</b>",
    ] {
        let part = part.replace('/', if part.contains('<') { "/" } else { "&#x2f;" });
        assert!(page.contains(&part), "no {part}");
    }
    let link = format!(
        "https:&#x2f;&#x2f;gitlab.example.org&#x2f;group&#x2f;web&#x2f;service&#x2f;-&#x2f;commit&#x2f;{}",
        records::oid(1)
    );
    assert!(page.contains(&link));
    assert!(!page.contains("s3cret") && !page.contains("robot"));
}

#[test]
fn the_same_records_give_the_same_bytes_wherever_the_clone_lies() {
    let events = records::story(24);
    let (one, other) = (with_records(&events), with_records(&events));
    let first = page(&one, &[]);
    assert_eq!(first, page(&one, &[]));
    assert_eq!(first, page(&other, &[]));
    one.ok(&["report"]);
    assert_eq!(one.read("verdict-report.html"), first);
}

#[test]
fn the_policy_allows_the_style_and_the_script_of_the_page_and_nothing_else() {
    let page = page(&with_records(&records::story(3)), &[]);
    let policy = between(&page, "http-equiv=\"Content-Security-Policy\" content=\"", "\">")
        .replace("&#x27;", "'")
        .replace("&#x2f;", "/");
    let (style, script) = (between(&page, "<style>", "</style>"), between(&page, "<script>", "</script>"));
    let wanted = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; img-src data:; base-uri 'none'; form-action 'none'",
        source_hash(style),
        source_hash(script)
    );
    assert_eq!(policy, wanted);
    assert!(page.find("Content-Security-Policy").unwrap() < page.find("<style>").unwrap());
    for part in [" src=", "@import", "url(", "<link rel=\"stylesheet", " style=\"", " onclick", "http://"] {
        assert!(!page.contains(part), "{part}");
    }
}

/// The page that a repository's own templates make.
fn with_templates(repo: &Repo, files: &[(&str, &str)]) {
    for (name, text) in files {
        repo.write(&format!(".verdict/templates/{name}"), text);
    }
}

#[test]
fn every_value_that_a_template_of_the_report_sees_is_documented_and_no_other() {
    let repo = with_records(&records::story(24));
    let keys =
        |name: &str, of: &str| format!("{{% for one in {of} %}}({name}:{{{{ one|list|join(',') }}}}){{% endfor %}}");
    let top = ["overview", "timeline"].map(|name| keys(name, &format!("[{name}]"))).concat();
    let lists = [("gains", "overview.gains"), ("states", "overview.states"), ("panels", "timeline.panels")];
    let lists: String = lists.iter().map(|(name, of)| keys(name, of)).collect();
    let mut report = top + &lists + "{{ articles }}";
    let names = documented("## Values in the report");
    for name in &names {
        report.push_str(&format!("{{% if {name} is undefined %}}(lacks {name}){{% endif %}}"));
    }
    let article = keys("e", "[e]") + &keys("rows", "e.rows") + &keys("breakdowns", "e.breakdowns");
    with_templates(&repo, &[("report.html.j2", &report), ("report-article.html.j2", &article)]);
    let page = page(&repo, &[]);
    assert!(!page.contains("(lacks "), "{page}");
    let seen = |name: &str| -> BTreeSet<String> {
        between(&page, &format!("({name}:"), ")").split(',').map(String::from).collect()
    };
    assert_eq!(seen("overview"), documented("### The overview"));
    assert_eq!(seen("timeline"), documented("### The timeline"));
    assert_eq!(seen("gains"), documented("### A gain"));
    assert_eq!(seen("e"), documented("### An experiment"));
    assert_eq!(seen("breakdowns"), documented("### A breakdown"));
    let row = &documented("### A metric") | &documented("### A row of numbers");
    assert_eq!(seen("rows"), row);
    for (name, text) in REPORT {
        let environment = minijinja::Environment::new();
        for used in environment.template_from_str(text).unwrap().undeclared_variables(false) {
            let passed = ["e", "open", "range"].contains(&used.as_str()) && name != REPORT[0].0;
            assert!(names.contains(&used) || passed, "{name} uses {used}");
        }
    }
}

#[test]
fn templates_and_style_of_the_repository_are_used_and_can_bring_no_script() {
    let repo = with_records(&hostile());
    let built_in = page(&repo, &["--title", HOSTILE[0]]);
    let style = "body{color:teal}\n@media print{#x{{color:red}}}\n";
    with_templates(
        &repo,
        &[
            (
                "report.html.j2",
                "<title>{{ title }}</title><style>{{ style }}</style><script>evil()</script>{{ articles }}",
            ),
            ("report-article.html.j2", "<h2>{{ e.name }}</h2>{% include '_because.j2' %}"),
            ("_because.j2", "<p>{{ e.because or '' }}</p>"),
            ("report.css", style),
            ("zh-CN/report-article.html.j2", "<h2>实验：{{ e.name }}</h2>"),
        ],
    );
    let own = page(&repo, &["--title", HOSTILE[0]]);
    let head = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"";
    assert!(built_in.starts_with(head) && own.starts_with(head), "{own}");
    assert_eq!(between(&own, "<style>", "</style>"), style);
    let policy = between(&own, head, "\">").replace("&#x27;", "'").replace("&#x2f;", "/");
    assert!(policy.contains(&format!("style-src '{}';", source_hash(style))), "{policy}");
    let script = between(&built_in, "<script>", "</script>");
    assert!(policy.contains(&format!("script-src '{}';", source_hash(script))), "{policy}");
    for hostile in &HOSTILE[..6] {
        assert!(!own.contains(hostile), "{hostile}");
    }
    assert!(page(&repo, &["--lang", "zh-CN"]).contains("<h2>实验："));
}

#[test]
fn a_bad_template_of_the_report_names_its_file_and_line_and_leaves_the_page_that_is_there() {
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{% set c = 1 %}{% endfor %}{% endfor %}";
    for (name, text, says) in [
        ("report.html.j2", "one\n\n{% if %}\n", "report.html.j2:3: syntax error"),
        ("report.html.j2", "one\n{{ titel }}", "report.html.j2:2: undefined"),
        ("report.html.j2", "{% include '/etc/passwd' %}", "report.html.j2:1: template not found"),
        ("report.html.j2", endless, "report.html.j2:1: it takes too long"),
        (
            "report.html.j2",
            "{% for a in range(99999) %}{{ 'x' * 999 }}{% endfor %}",
            "it writes more than 16777216 bytes",
        ),
        ("report-overview.html.j2", "\n{{ overview.cuont.x }}", "report-overview.html.j2:2: undefined"),
        ("report-article.html.j2", "\n\n\n{{ e.no.such }}", "report-article.html.j2:4: undefined"),
        ("report.css", "a{}\n</style><p>", "report.css:2: a style cannot hold '</'"),
        ("reprot.html.j2", "x", "did you mean 'report.html.j2'?"),
        ("report.css", &"x".repeat(64 * 1024 + 1), "it is larger than 64 KiB"),
    ] {
        let repo = with_records(&records::story(3));
        repo.write("verdict-report.html", "the page of yesterday");
        with_templates(&repo, &[(name, text)]);
        let run = repo.expect(2, &["report"]);
        assert!(run.stderr.contains(says) && run.stderr.contains(".verdict/templates/"), "no {says}: {}", run.report());
        assert!(run.stderr.contains("nothing is lost"), "{}", run.report());
        assert_eq!(repo.read("verdict-report.html"), "the page of yesterday");
        // Decisions do not depend on the page.
        if name.starts_with("report") {
            repo.ok(&["decisions", "--stdout"]);
        }
        let found = repo.run(&["doctor"]);
        let compiles = text.contains("{{") || text.contains("include") || text.contains("{% for");
        assert_eq!(found.stdout.contains("BAD  templates"), !compiles, "{}", found.report());
    }
}

#[test]
fn filters_title_and_language_are_those_that_were_asked_for() {
    let repo = with_records(&records::story(24));
    let count = |page: &str| page.matches("<details class=\"exp ").count();
    assert_eq!(count(&page(&repo, &["--state", "archived"])), 2);
    assert_eq!(count(&page(&repo, &["--grep", "musl"])), 2);
    assert_eq!(count(&page(&repo, &["--metric", "throughput"])), 0);
    assert_eq!(count(&page(&repo, &["--author", "李雷", "-n", "3"])), 3);
    let since = page(&repo, &["--since", "2025-01-20", "--title", "A <b>title</b>"]);
    assert!(
        since.contains("<h1><bdi>A &lt;b&gt;title&lt;/<wbr>b&gt;</bdi></h1>"),
        "{}",
        between(&since, "<h1>", "</h1>")
    );
    assert!(count(&since) < 24 && !since.contains("id=\"x-pip-cache\""));
    let chinese = page(&repo, &["--lang", "zh-CN"]);
    assert!(chinese.contains("<html lang=\"zh-CN\">"));
    let english = page(&repo, &[]);
    for key in lang::keys(Lang::En).filter(|key| key.starts_with("report.")) {
        let (ours, theirs) = (lang::lookup(Lang::En, key).unwrap(), lang::lookup(Lang::ZhCn, key).unwrap());
        let word = !ours.contains("{{") && ours.len() > 14;
        assert!(!word || !english.contains(&format!(">{ours}<")) || chinese.contains(theirs), "{key}");
    }
}

#[test]
fn an_empty_ledger_gives_a_page_that_says_so() {
    let repo = Repo::with(&[("app.txt", "app\n")]);
    let page = page(&repo, &[]);
    assert!(page.contains("No experiment is like that") && page.contains("0 experiments"));
    assert!(!page.contains("<form"));
}

#[test]
fn a_clone_without_the_ledger_reports_what_its_commits_tell() {
    let repo = Repo::with(&[("app.txt", "app\n")]);
    let message = "perf: purge the cache\n\nVerdict: keep\nVerdict-Experiment: pip-cache\n\
        Verdict-Record: 01K7ZT5M2Q8W3E4R5T6Y7V8J9K\n\
        Verdict-Metric: image_size 9600000000 B -> 3600000000 B -62.5% exact improved";
    repo.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
    let ran = repo.ok(&["report", "-o", "-"]);
    ran.prints(&["id=\"x-pip-cache\"", "-62.5\u{a0}%", "told by"]).says(&["git verdict sync"]);
}

#[test]
fn a_file_is_written_whole_or_not_at_all_and_what_was_written_is_told() {
    let repo = with_records(&records::story(3));
    let told = repo.json(&["report", "-o", "page.html"]);
    assert_eq!(told["schema"], "git-verdict/report");
    assert_eq!((&told["file"], &told["experiments"]), (&"page.html".into(), &3.into()));
    assert_eq!(told["bytes"], repo.read("page.html").len());
    repo.refuses(3, &["report", "-o", "no/such/folder/page.html"]).says(&["cannot be written"]);
    repo.refuses(2, &["report", "-o", "-", "--json"]).says(&["standard output", "-o FILE"]);
    repo.refuses(2, &["report", "--state", "keptt"]).says(&["kept"]);
}

#[test]
fn a_commit_is_no_link_when_the_forge_is_not_known() {
    let repo = with_records(&records::story(3));
    repo.git(&["remote", "set-url", "origin", "https://git.example.org/group/service.git"]);
    let page = page(&repo, &[]);
    assert!(!page.contains("https:") && page.contains(&records::oid(1).to_string()));
}

/// Texts that are more than text in some language of the web.
const HOSTILE: [&str; 16] = [
    "<script>pwned=1</script>",
    "</script><script>pwned=1</script>",
    "</style><style>*{display:none}</style>",
    "</title><img src=x onerror=pwned=1>",
    "<svg onload=pwned=1><animate onbegin=pwned=1 attributeName=x></svg>",
    "\"><iframe srcdoc='<script>parent.pwned=1</script>'></iframe>",
    "' autofocus onfocus=pwned=1 x='",
    "javascript:pwned=1",
    "{{ 7 * 7 }}{% include 'report.html.j2' %}${pwned=1}",
    "<!--<script>pwned=1</script>",
    "]]><![CDATA[<foreignObject><body onload=pwned=1></foreignObject>",
    "<base href=https://evil.invalid><meta http-equiv=refresh content=0;url=https://evil.invalid>",
    "\u{202e}gpj.exe\u{202c} \u{2066}x\u{2069} zero\u{200b}width \u{feff}",
    "\x1b]0;title\x07\x00\x08\x7f\u{9b}31m\u{85}\u{2028}line",
    "&lt;script&gt;pwned=1&lt;/script&gt;&#x3c;b&#x3e;",
    "a very_long_word_without_any_place_to_break_it_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

/// The usual records with a hostile text in every field that holds one.
fn hostile() -> Vec<Event> {
    let mut events = records::story(HOSTILE.len() * 2);
    let text = |number: usize| HOSTILE[(number / 3) % HOSTILE.len()].to_string();
    for (number, event) in events.iter_mut().enumerate() {
        let bad = text(number);
        event.by.name = bad.clone();
        event.by.email = bad.clone();
        event.tool = bad.clone();
        // A name is refused unless it is a slug; all else is free.
        event.name = format!("idea-{}", number / 3);
        let poison = |rows: &mut Vec<git_verdict::policy::MetricComparison>| {
            rows[0].metric = bad.clone();
            rows[0].unit = Unit::Custom(bad.clone());
            rows[1].base = 1e300;
            rows[1].relative = Some(-1e200);
            rows[1].limit = Some(5.0);
        };
        match &mut event.fact {
            Fact::Opened(opened) => {
                let identity = opened.base.clone();
                *opened = Opened {
                    title: bad.clone(),
                    hypothesis: format!("{bad}\n{}", bad.repeat(if number == 0 { 20_000 } else { 1 })),
                    base: identity,
                    onto: bad.clone(),
                    branch: bad.clone(),
                    stands_on: opened.stands_on,
                    adopted: None,
                };
            }
            Fact::Measured(measured) => {
                poison(&mut measured.comparison);
                measured.checks[0].name = bad.clone();
                measured.checks[0].outcome = bad.clone();
                measured.environment.cpu = bad.clone();
                measured.complexity.new_dependencies = vec![bad.clone()];
                measured.recommendation.reasons = vec![bad.clone(), bad.repeat(500)];
                for sample in &mut measured.samples {
                    let value = sample.values.remove("build_time").unwrap();
                    sample.values.insert(bad.clone(), value);
                }
                for origin in &mut measured.origins {
                    origin.metric = bad.clone();
                    origin.attribution.unexplained_as = bad.clone();
                    origin.attribution.rows[0].what = bad.clone();
                    origin.attribution.rows[0].before = Some(i64::MAX);
                    origin.attribution.rows[0].after = Some(i64::MIN);
                }
            }
            Fact::Decided(decided) => {
                poison(&mut decided.comparison);
                decided.because = format!("{bad}\r\n{bad}");
                decided.onto = bad.clone();
            }
            _ => {}
        }
    }
    // As little as a record may hold, and a name that another one has.
    let next = events.len();
    let empty =
        Opened { title: String::new(), hypothesis: String::new(), branch: String::new(), ..records::opened(1, "", "") };
    let bare = Decided {
        verdict: Verdict::Revert,
        because: String::new(),
        mode: None,
        measured: Some(records::id(999_999)),
        comparison: Vec::new(),
        recommendation: None,
        overrode: true,
        base: records::identity(1),
        candidate: records::identity(2),
        commits: Vec::new(),
        revert_commit: None,
        landed: None,
        onto: String::new(),
    };
    for (place, name) in ["same-name", "same-name", "other-name"].into_iter().enumerate() {
        let experiment = 900_000 + place;
        // Each stands on the next one and the last on itself: circles end.
        let mut opened = empty.clone();
        opened.stands_on = Some(ulid::Ulid::from_parts(1, (experiment + 2).min(900_003) as u128));
        events.push(records::event(next + 2 * place, experiment, name, Fact::Opened(opened)));
        events.push(records::event(next + 2 * place + 1, experiment, name, Fact::Decided(Box::new(bare.clone()))));
    }
    events
}

#[test]
fn hostile_texts_are_text_in_every_place_and_cost_no_more_than_any_other() {
    let repo = with_records(&hostile());
    let page = page(&repo, &["--title", HOSTILE[3]]);
    let lower = page.to_lowercase();
    assert_eq!(lower.matches("<script").count(), 1);
    assert_eq!(lower.matches("<style").count(), 1);
    for part in [
        "<img",
        "<iframe",
        "<animate",
        "<base",
        "<foreignobject",
        "<!--",
        "<![cdata",
        "\u{202e}",
        "\u{200b}",
        "\x1b",
        "\0",
    ] {
        assert!(!lower.contains(part), "{part:?}");
    }
    assert!(page.contains("&lt;script&gt;pwned=1&lt;&#x2f;script&gt;"));
    assert!(page.contains("{{ 7 * 7 }}"), "templates in texts are not rendered");
    let ids: Vec<&str> = page.split(" id=\"").skip(1).map(|rest| &rest[..rest.find('"').unwrap()]).collect();
    let unique: std::collections::HashSet<&&str> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "two places have one id");
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
}

/// The folder of the modules that drive a browser, which `.ci/install-tools` fills, and the browser; none, with a skip, when one
/// of them is not there. Tests fetch nothing by themselves.
fn tools() -> Option<(PathBuf, &'static str)> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let Some(chromium) = names.into_iter().find(|name| works(name, &["--version"])) else {
        skip("no Chromium");
        return None;
    };
    let Ok(modules) = std::env::var("GIT_VERDICT_BROWSER_MODULES") else {
        skip("GIT_VERDICT_BROWSER_MODULES names no folder with playwright-core and axe-core");
        return None;
    };
    Some((modules.into(), chromium))
}

fn browser(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report/browser").join(name)
}

/// Looks at a page in a real browser; what it prints.
#[track_caller]
fn look(what: &str, repo: &Repo, words: &[&str]) -> Option<String> {
    let (modules, chromium) = tools()?;
    let mut all = vec!["report", "-o", "page.html"];
    all.extend(words);
    repo.ok(&all);
    let found = finish(
        {
            let mut which = isolated("sh");
            which.args(["-c", &format!("command -v {chromium}")]);
            which
        },
        None,
    );
    let mut node = isolated("node");
    node.arg(browser("check.cjs")).arg(what).arg(modules).arg(found.stdout.trim()).arg(repo.path().join("page.html"));
    let ran = finish(node, None);
    assert_eq!(ran.code, Some(0), "{}", ran.report());
    Some(ran.stdout)
}

#[test]
fn in_a_browser_it_is_filtered_opened_copied_printed_and_read_by_everyone() {
    look("works", &with_records(&records::story(24)), &[]);
}

#[test]
fn in_a_browser_hostile_texts_run_nothing_load_nothing_and_push_nothing_aside() {
    look("hostile", &with_records(&hostile()), &["--title", HOSTILE[3]]);
}

#[test]
fn ten_thousand_records_stay_below_five_megabytes_and_are_all_found_in_a_browser() {
    let mut events = records::story(3360);
    assert!(events.len() >= 9_850);
    // Samples are shown of the newest only; without the others the test is quicker.
    let whole = events.len() - 300;
    for event in &mut events[..whole] {
        if let Fact::Measured(measured) = &mut event.fact {
            measured.samples.clear();
            measured.origins.clear();
        }
    }
    let repo = with_records(&events);
    let figures = look("large", &repo, &[]);
    if figures.is_none() {
        repo.ok(&["report", "-o", "page.html"]);
    }
    let page = repo.read("page.html");
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    assert_eq!(page.matches(" data-s=\"").count(), 3360);
    eprintln!("{} bytes, {}", page.len(), figures.unwrap_or_default().trim());
}
