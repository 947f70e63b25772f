#!/bin/sh
# Tries ideas one after the other with nobody at the keyboard: each on a branch of its own, measured, decided by the numbers.
#
#   sh loop.sh IDEAS [--land]
#
# IDEAS has an idea a line: name|hypothesis|command that edits the work tree. Without --land nothing is decided: the commands
# for a person to run are printed.
set -eu
ideas=$1
land=${2:-}
main=$(git symbolic-ref --short HEAD)

while IFS='|' read -r name hypothesis edit <&3; do
    # The log is the memory: what is in it has been tried.
    if git verdict show "$name" --json >/dev/null 2>&1; then
        echo "$name: was tried"
        continue
    fi
    git switch --quiet "$main"
    git verdict start "$name" --hypothesis "$hypothesis" --quiet >/dev/null
    sh -c "$edit"
    if git diff --quiet; then
        git verdict abandon "$name" --because 'the command changed nothing' --quiet >/dev/null
        echo "$name: nothing to measure"
        continue
    fi
    git commit --quiet --all --message "perf: $hypothesis"

    # A step or a check that fails (exit 4) is an answer too; anything else ends the loop.
    measured=0
    result=$(git verdict measure "$name" --budget 10m --quiet --json) || measured=$?
    case $measured in
        0) ;;
        4) echo "$name: does not build or fails its checks"; continue ;;
        *) exit "$measured" ;;
    esac
    advice=$(printf '%s' "$result" | jq -r '.measured.recommendation.advice')
    reason=$(printf '%s' "$result" | jq -r '.measured.recommendation.reasons | join("; ")')
    echo "$name: $advice"
    case $advice in
        keep | revert) ;;
        *) continue ;;
    esac
    if [ "$land" = --land ]; then
        git verdict "$advice" "$name" --because "$reason" --quiet >/dev/null
    else
        git verdict "$advice" "$name" --because "$reason" --dry-run >/dev/null
        echo "  git verdict $advice $name --because '...'"
    fi
done 3<"$ideas"
git switch --quiet "$main"
