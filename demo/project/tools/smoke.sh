#!/bin/sh
# Unpacks the image layout $1, checks every blob against its digest, and starts the service in it.
set -eu
image=$1
if command -v sha256sum >/dev/null 2>&1; then
    digest() { sha256sum "$1" | cut -d' ' -f1; }
else
    digest() { shasum -a 256 "$1" | cut -d' ' -f1; }
fi
for blob in "$image"/blobs/sha256/*; do
    [ "$(digest "$blob")" = "$(basename "$blob")" ] || { echo "$blob is damaged" >&2; exit 1; }
done
manifest=$(sed 's/.*"manifests":\[[^]]*"digest":"sha256:\([0-9a-f]*\)".*/\1/' "$image/index.json")
ROOT=$(mktemp -d)
export ROOT
trap 'rm -rf "$ROOT"' EXIT
for layer in $(tr '{' '\n' <"$image/blobs/sha256/$manifest" | sed -n 's/.*tar+gzip","digest":"sha256:\([0-9a-f]*\)".*/\1/p'); do
    gzip -dc "$image/blobs/sha256/$layer" | (cd "$ROOT" && tar -xmf -)
    find "$ROOT" -name '.wh.*' | while IFS= read -r whiteout; do
        gone=$(dirname "$whiteout")/$(basename "$whiteout" | sed 's/^\.wh\.//')
        rm -rf "$gone" "$whiteout"
    done
done
sh "$ROOT/app/start.sh"
