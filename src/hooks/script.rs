//! The text of a hook: POSIX sh, with a mark and a checksum by which it is known again.
//!
//! A hook that was there before keeps running. A shell script is read in (`.`) by the same interpreter, so that it sees the
//! same `$0`; anything else is started under its own name from a folder at the same depth.

use super::Hook;
use crate::digest::sha256;
use std::path::Path;

/// The second line of every hook of ours begins so.
pub const MARK: &str = "# git-verdict hook 1 ";

/// What is added to the name of a hook that was there before.
pub const SUFFIX: &str = ".before-git-verdict";

/// The folder beside the hooks in which a program that was there before has its own name.
pub const BESIDE: &str = "hooks.before-git-verdict";

/// The hook that was there before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Previous {
    /// None.
    None,
    /// A shell script; its first line.
    Shell(String),
    /// Anything else that can be executed.
    Program,
}

impl Previous {
    /// What a file is, from its first bytes. A symbolic link is taken for a program: what it leads to may change.
    pub fn of(bytes: &[u8], is_link: bool) -> Previous {
        let first = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
        let shell = || {
            let line = std::str::from_utf8(first).ok()?;
            let words = line.strip_prefix("#!")?.split_whitespace();
            let mut words = words.map(|word| word.rsplit('/').next().unwrap_or(word));
            let name = words.find(|word| *word != "env" && !word.starts_with('-') && !word.contains('='))?;
            (matches!(name, "sh" | "bash" | "dash" | "ksh") && !line.ends_with('\r')).then(|| line.to_string())
        };
        match shell() {
            Some(line) if !is_link => Previous::Shell(line),
            _ => Previous::Program,
        }
    }
}

/// The whole text of a hook. `program` is started when there is no `git-verdict` in `PATH`.
pub fn text(hook: Hook, previous: &Previous, program: &Path) -> String {
    let first = match previous {
        Previous::Shell(line) => line.as_str(),
        _ => "#!/bin/sh",
    };
    let body = body(hook, previous, program);
    format!("{first}\n{MARK}{}\n{body}", checksum(&body))
}

fn checksum(body: &str) -> String {
    sha256(body)[..32].to_string()
}

/// Whether a file is a hook of ours.
pub fn is_ours(bytes: &[u8]) -> bool {
    bytes.split(|b| *b == b'\n').nth(1).is_some_and(|line| line.starts_with(MARK.as_bytes()))
}

/// Whether a hook of ours is as it was written.
pub fn is_intact(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let mut lines = text.splitn(3, '\n').skip(1);
    let (Some(mark), Some(body)) = (lines.next(), lines.next()) else { return false };
    mark.strip_prefix(MARK) == Some(checksum(body).as_str())
}

/// Whether a hook of ours hands on to one that was there before.
pub fn hands_on(bytes: &[u8]) -> bool {
    String::from_utf8_lossy(bytes).contains(SUFFIX)
}

fn body(hook: Hook, previous: &Previous, program: &Path) -> String {
    let quoted = format!("'{}'", program.to_string_lossy().replace('\'', r"'\''"));
    let mut out =
        String::from("# Written by `git verdict hook install`; `git verdict hook uninstall` takes it away.\n");
    out.push_str(
        "git_verdict() {\n\
         \x20   if command -v git-verdict >/dev/null 2>&1; then\n\
         \x20       git-verdict \"$@\"\n",
    );
    out.push_str(&format!("    elif test -x {quoted}; then\n        {quoted} \"$@\"\n    fi\n}}\n"));
    out.push_str(match hook {
        Hook::PrepareCommitMsg => PREPARE_COMMIT_MSG,
        Hook::CommitMsg => COMMIT_MSG,
        Hook::PostCommit => POST_COMMIT,
        Hook::PrePush => PRE_PUSH,
    });
    out.push_str(match hook {
        Hook::CommitMsg | Hook::PrePush => "git_verdict_hook \"$@\" || exit 1\n",
        _ => "git_verdict_hook \"$@\" || :\n",
    });
    out.push_str(&chain(hook, previous));
    out
}

/// The part that hands on to the hook that was there before.
fn chain(hook: Hook, previous: &Previous) -> String {
    let (name, program) = (hook.name(), *previous == Previous::Program);
    if *previous == Previous::None {
        return "exit 0\n".to_string();
    }
    let start = if program { "\"$git_verdict_next\" \"$@\"" } else { ". \"$git_verdict_next\"" };
    let run = match hook {
        Hook::PrePush => format!("printf '%s' \"$git_verdict_input\" | ( {start} )"),
        _ if program => format!("exec {start}"),
        _ => start.to_string(),
    };
    let place = match program {
        true => format!("$git_verdict_dir/../{BESIDE}/{name}"),
        false => format!("$git_verdict_dir/{name}{SUFFIX}"),
    };
    format!(
        "case $0 in\n*/*) git_verdict_dir=${{0%/*}} ;;\n*) git_verdict_dir=. ;;\nesac\n\
         # {name}{SUFFIX} is the hook that was here before.\n\
         git_verdict_next={place}\n\
         # pre-commit, installed once more over this, runs this as its legacy hook: its own hook is not to run twice.\n\
         if test -n \"${{PRE_COMMIT_RUNNING_LEGACY-}}\" && grep -q hook-impl \"$git_verdict_next\"; then exit 0; fi\n\
         if test -x \"$git_verdict_next\"; then\n    {run}\nfi\n"
    )
}

const PREPARE_COMMIT_MSG: &str = r#"git_verdict_hook() {
    test -z "${GIT_VERDICT_LANDING-}" && test -r "$1" || return 0
    git_verdict_line=
    IFS= read -r git_verdict_line < "$1" || :
    case $git_verdict_line in
    'Revert "'* | 'Reapply "'*) git_verdict hook run prepare-commit-msg "$@" ;;
    esac
}
"#;

const COMMIT_MSG: &str = r#"git_verdict_hook() {
    test -z "${GIT_VERDICT_LANDING-}" && test -r "$1" || return 0
    git_verdict_owes=
    while IFS= read -r git_verdict_line; do
        case $git_verdict_line in
        'This reverts commit '* | 'Revert "'* | 'Reapply "'* | [Rr]evert:* | [Rr]evert\!:* | [Rr]evert\(*) git_verdict_owes=1 && break ;;
        '# ------------------------ >8 ------------------------'*) break ;;
        esac
    done < "$1"
    test -n "$git_verdict_owes" || return 0
    git_verdict_status=0
    git_verdict hook run commit-msg "$@" || git_verdict_status=$?
    test "$git_verdict_status" -ne 1
}
"#;

const POST_COMMIT: &str = r#"# Whether a file of a reverted experiment was written since the list of them was.
git_verdict_tries() {
    git_verdict_watch=$git_verdict_git/verdict/watch
    test -r "$git_verdict_watch" || return 0
    test "$git_verdict_common/verdict/index/guard" -nt "$git_verdict_watch" && return 0
    . "$git_verdict_watch"
    git_verdict_gone=
    for git_verdict_file do
        case $git_verdict_gone$git_verdict_file in
        --) git_verdict_gone=gone: ;;
        gone:*) ! test -e "$git_verdict_file" || return 0 ;;
        *) test -e "$git_verdict_file" && ! test "$git_verdict_file" -nt "$git_verdict_watch" || return 0 ;;
        esac
    done
    return 1
}
git_verdict_hook() {
    test -z "${GIT_VERDICT_LANDING-}" || return 0
    git_verdict_git=${GIT_DIR:-.git}
    git_verdict_common=$git_verdict_git
    if test -r "$git_verdict_git/commondir"; then
        IFS= read -r git_verdict_common < "$git_verdict_git/commondir" || :
        case $git_verdict_common in
        /*) ;;
        *) git_verdict_common=$git_verdict_git/$git_verdict_common ;;
        esac
    fi
    # The file is there when an experiment was reverted: this commit may try it once more.
    if test -f "$git_verdict_common/verdict/index/guard" && git_verdict_tries; then
        git_verdict hook run post-commit "$@" 2>&3 && return 0
    fi
    if test -r "$git_verdict_git/COMMIT_EDITMSG"; then
        while IFS= read -r git_verdict_line; do
            case $git_verdict_line in
            'Verdict-Reopens: '*) git_verdict hook run post-commit "$@" && break ;;
            '# ------------------------ >8 ------------------------'*) break ;;
            esac
        done < "$git_verdict_git/COMMIT_EDITMSG"
    fi
    git_verdict_head=
    IFS= read -r git_verdict_head < "$git_verdict_git/HEAD" || :
    # Where refs are kept as reftable, this file does not tell.
    case $git_verdict_head in
    'ref: refs/heads/.invalid') git_verdict_head="ref: $(git symbolic-ref HEAD)" || : ;;
    esac
    case $git_verdict_head in
    'ref: refs/heads/verdict/'*) git_verdict_name=${git_verdict_head#ref: refs/heads/verdict/} ;;
    *) return 0 ;;
    esac
    case $git_verdict_name in
    '' | */* | .*) return 0 ;;
    esac
    test -d "$git_verdict_common/verdict/queue" || mkdir -p "$git_verdict_common/verdict/queue" || return 0
    : > "$git_verdict_common/verdict/queue/$git_verdict_name"
} 3>&2 2>/dev/null
"#;

const PRE_PUSH: &str = r#"git_verdict_input=
while IFS= read -r git_verdict_line; do
    git_verdict_input="$git_verdict_input$git_verdict_line
"
done
git_verdict_hook() {
    test -z "${GIT_VERDICT_LANDING-}" || return 0
    git_verdict_status=0
    printf '%s' "$git_verdict_input" | git_verdict hook run pre-push "$@" || git_verdict_status=$?
    test "$git_verdict_status" -ne 1
}
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_shell_scripts_are_read_in() {
        let of = |text: &str| Previous::of(text.as_bytes(), false);
        for line in ["#!/bin/sh", "#!/usr/bin/env bash", "#! /bin/dash -e", "#!/usr/bin/env -S bash -eu"] {
            assert_eq!(of(&format!("{line}\nexit 0\n")), Previous::Shell(line.into()));
        }
        for text in [
            "#!/usr/bin/env python3\n",
            "#!/usr/bin/env ruby",
            "\u{7f}ELF",
            "echo\n",
            "",
            "#!/bin/sh\r\n",
            "#!/bin/zsh\n",
        ] {
            assert_eq!(of(text), Previous::Program, "{text:?}");
        }
        assert_eq!(Previous::of(b"#!/bin/sh\n", true), Previous::Program);
    }

    #[test]
    fn a_hook_is_known_again_and_so_is_an_edited_one() {
        for hook in Hook::ALL {
            for previous in [Previous::None, Previous::Program, Previous::Shell("#!/bin/bash -e".into())] {
                let text = text(hook, &previous, Path::new("/a dir/it's"));
                assert!(is_ours(text.as_bytes()) && is_intact(text.as_bytes()));
                assert_eq!(hands_on(text.as_bytes()), previous != Previous::None);
                let edited = format!("{text}echo more\n");
                assert!(is_ours(edited.as_bytes()) && !is_intact(edited.as_bytes()));
            }
        }
        assert!(!is_ours(b"#!/bin/sh\necho\n") && !is_ours(b""));
    }
}
