#!/bin/sh
# The service: here it only shows that every package it needs is there. Its root is $ROOT (/ when unset).
set -eu
site=${ROOT:-}/usr/lib/site-packages
count=0
while IFS= read -r line; do
    case $line in '' | '#'*) continue ;; esac
    name=${line%%==*}
    version=${line##*==}
    grep -q "^__version__ = \"$version\"\$" "$site/$name/__init__.py" || {
        echo "package $line is missing" >&2
        exit 1
    }
    count=$((count + 1))
done <"${ROOT:-}/app/requirements.txt"
echo "ready, with $count packages"
