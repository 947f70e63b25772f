//! What a terminal gets beyond plain text: colour and links, where they are wanted and nowhere else.

use crate::common;

use crate::common::Repo;
use crate::common::terminal::Terminal;

const CONFIG: &str = "version = 1\n[metrics.size]\npath = \"out\"\n";
const COLOUR: &str = "\u{1b}[3";
const LINK: &str = "\u{1b}]8;;https://github.com/team/app/commit/";

/// A repository with one kept experiment and a remote on a forge.
fn decided() -> Repo {
    let repo = Repo::with(&[("verdict.toml", CONFIG), ("out", &"x".repeat(4000))]);
    repo.git(&["remote", "add", "origin", "git@github.com:team/app.git"]);
    repo.ok(&["start", "slim", "--hypothesis", "smaller"]);
    repo.write("out", "x".repeat(1000));
    repo.commit("perf: less");
    repo.ok(&["measure"]);
    repo.ok(&["keep", "--because", "a quarter is enough"]);
    repo
}

/// What `show` prints on a terminal with these variables.
fn shown(repo: &Repo, variables: &[(&str, &str)]) -> String {
    let (code, screen) = Terminal::open_with(repo, &["show", "slim"], variables).ends();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("a quarter is enough"), "{screen}");
    screen
}

#[test]
fn colour_is_for_terminals_that_want_it_and_words_say_the_same_without() {
    let repo = decided();
    let coloured = |variables: &[(&str, &str)]| {
        let screen = shown(&repo, variables);
        assert!(screen.contains("improved"), "{screen}");
        screen.contains(COLOUR)
    };
    assert!(coloured(&[("NO_COLOR", "")]), "a terminal has colour");
    assert!(!coloured(&[("NO_COLOR", "1")]));
    assert!(!coloured(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]), "NO_COLOR is the last word");
    assert!(!coloured(&[("NO_COLOR", ""), ("CLICOLOR", "0")]));
    assert!(!coloured(&[("NO_COLOR", ""), ("TERM", "dumb")]));
    assert!(!repo.ok(&["show", "slim"]).stdout.contains('\u{1b}'), "a pipe has none");
    assert!(repo.ok(&["--color", "always", "show", "slim"]).stdout.contains(COLOUR));
    let mut forced = common::isolated(env!("CARGO_BIN_EXE_git-verdict"));
    forced.args(["show", "slim"]).current_dir(repo.path()).env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1");
    assert!(common::finish(forced, None).stdout.contains(COLOUR));
}

#[test]
fn commits_are_links_to_the_forge_where_the_terminal_follows_them_and_never_in_a_pipe() {
    let repo = decided();
    let landed = repo.git(&["rev-parse", "main"]);
    let screen = shown(&repo, &[("FORCE_HYPERLINK", "1")]);
    assert!(screen.contains(&format!("{LINK}{landed}\u{1b}\\{landed}\u{1b}]8;;\u{1b}\\")), "{screen}");
    assert!(!shown(&repo, &[("FORCE_HYPERLINK", "0")]).contains("\u{1b}]8"));
    let mut piped = common::isolated(env!("CARGO_BIN_EXE_git-verdict"));
    piped.args(["show", "slim"]).current_dir(repo.path()).env("FORCE_HYPERLINK", "1");
    assert!(!common::finish(piped, None).stdout.contains('\u{1b}'));
    repo.git(&["remote", "set-url", "origin", "/srv/git/app.git"]);
    assert!(!shown(&repo, &[("FORCE_HYPERLINK", "1")]).contains("\u{1b}]8"), "a folder is no forge");
}
