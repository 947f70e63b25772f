//! What shells and `man` get: completion scripts that complete, and manual pages that can be read.

use crate::common;

use crate::common::{Repo, isolated, works};

/// Where git's own completion is on Debian.
const GIT_COMPLETION: &str = "/usr/share/bash-completion/completions/git";

/// What bash offers for a line of these words, each with what it puts in, and a bar after it.
fn offered(repo: &Repo, words: &str) -> String {
    let script = format!(
        "source {GIT_COMPLETION}\nsource ./completion.bash\nCOMP_WORDS=({words})\nCOMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
         COMP_LINE=\"${{COMP_WORDS[*]}}\"\nCOMP_POINT=${{#COMP_LINE}}\n__git_wrap__git_main\nprintf '%s|' \"${{COMPREPLY[@]}}\"\n"
    );
    repo.run_in(repo.path(), "bash", &["-c", &script], None).stdout
}

#[test]
fn bash_completes_git_verdict_as_it_completes_git() {
    if !std::path::Path::new(GIT_COMPLETION).exists() {
        return common::skip("git's completion for bash is not installed");
    }
    let repo = Repo::empty();
    repo.write("completion.bash", repo.ok(&["completions", "bash"]).stdout);
    let commands = offered(&repo, "git verdict st");
    assert!(commands.contains("start") && commands.contains("status"), "{commands}");
    let flags = offered(&repo, "git verdict start --hyp");
    assert_eq!(flags, "--hypothesis |");
    let values = offered(&repo, "git verdict --color al");
    assert_eq!(values, "always |");
    // The name of a folder that stands alone is gone on with, and a command is one although a folder is called so.
    std::fs::create_dir_all(repo.path().join("demo/only")).unwrap();
    assert_eq!(offered(&repo, "git verdict man --dir demo/o"), "demo/only/|");
    assert_eq!(offered(&repo, "git verdict dem"), "demo |");
}

#[test]
fn every_shell_gets_a_script_that_it_can_read() {
    let repo = Repo::empty();
    for (shell, program, check) in [
        ("bash", "bash", &["-n"][..]),
        ("zsh", "zsh", &["-n"][..]),
        ("fish", "fish", &["--no-execute"][..]),
        ("powershell", "pwsh", &[][..]),
        ("elvish", "elvish", &[][..]),
    ] {
        let script = repo.ok(&["completions", shell]).stdout;
        assert!(script.contains("git-verdict") && script.contains("hypothesis"), "{shell}");
        if !check.is_empty() && works(program, &["--version"]) {
            repo.write("script", script);
            let ran = repo.run_in(repo.path(), program, &[check, &["script"]].concat(), None);
            assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{shell}");
        }
    }
    repo.expect(2, &["completions", "tcsh"]).says(&["bash"]);
}

#[test]
fn there_is_a_manual_page_for_every_command_and_man_shows_it() {
    let repo = Repo::empty();
    let folder = repo.path().join("man/man1");
    repo.ok(&["man", "--dir", "man/man1"]).prints(&["pages in man/man1"]);
    let page = repo.ok(&["man"]).stdout;
    assert!(page.contains(".TH git-verdict 1"), "{page}");
    let names: Vec<String> =
        std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    for name in ["git-verdict.1", "git-verdict-start.1", "git-verdict-hook-install.1"] {
        assert!(names.iter().any(|n| n == name), "{name} in {names:?}");
    }
    repo.expect(2, &["man", "--dir", "man/man1/git-verdict.1"]).says(&["cannot be written to"]);
    if works("man", &["--version"]) {
        let mut command = isolated("man");
        command.args(["--warnings", "-E", "UTF-8", "-l"]).arg(folder.join("git-verdict-start.1")).env("MANWIDTH", "80");
        let ran = common::finish(command, None);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        assert!(ran.stdout.contains("--hypothesis") && ran.stdout.contains("SYNOPSIS"), "{}", ran.stdout);
    }
}
