# Completes `git verdict` as `git-verdict` is. fish's own completion of git does that too, but not in 3.6, where it looks for a
# command with the name `git-verdict`.
function __fish_git_verdict_after_git
    set -l words (commandline -opc)
    while set -q words[1]; and test $words[1] != verdict
        set -e words[1]
    end
    complete --do-complete "git-verdict $words[2..] "(commandline -ct)
end
complete -c git -f -n '__fish_git_using_command verdict' -a '(__fish_git_verdict_after_git)'
