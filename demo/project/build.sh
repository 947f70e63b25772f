#!/bin/sh
# Builds the image that Imagefile describes and leaves it as an OCI image layout in out/image.
#
# Imagefile has one instruction a line; each becomes a layer, as in any image builder:
#
#   STAGE NAME                    a fresh, empty root; the last stage is the image
#   COPY SOURCE TARGET            files of the project
#   COPY --from=NAME PATH TARGET  files of an earlier stage
#   RUN COMMAND                   a command; the stage's root is $ROOT, tools/ is on the PATH
#
# A layer holds what its instruction added or changed, and a whiteout for what it removed. Every layer is packed and
# compressed, those of the stages that only lend files too. The same input gives the same bytes: names are
# sorted, times and owners are fixed.
set -eu
LC_ALL=C
export LC_ALL
umask 022
cd "$(dirname "$0")"

out=$PWD/out
rm -rf "$out"
mkdir -p "$out/work" "$out/store" "$out/image/blobs/sha256"

if command -v sha256sum >/dev/null 2>&1; then
    digest() { sha256sum "$1" | cut -d' ' -f1; }
else
    digest() { shasum -a 256 "$1" | cut -d' ' -f1; }
fi

case $(tar --version 2>/dev/null) in
*GNU*) pack() { tar --format=ustar --owner=0 --group=0 --numeric-owner -cf "$1" -T "$2"; } ;;
bsdtar*) pack() { tar --format=ustar --uid 0 --gid 0 --numeric-owner -cf "$1" -T "$2"; } ;;
# A tar that reads no list of names: they hold no spaces here.
*) pack() { tar -cf "$1" $(cat "$2"); } ;;
esac

size() { wc -c <"$1" | tr -d ' '; }
files() { find . ! -type d | sort; }

# Whatever is older than this belongs to an earlier layer: every layer's files are set to the minute before.
touch -t 200001010001 "$out/work/marker"

# Packs what changed in $ROOT since the last layer, and adds it to the stage's list of layers.
commit_layer() {
    cd "$ROOT"
    files >"$out/work/after"
    find . ! -type d -newer "$out/work/marker" | sort >"$out/work/changed"
    grep -vxF -f "$out/work/after" "$out/work/before" >"$out/work/removed" || :
    while IFS= read -r path; do
        whiteout=$(dirname "$path")/.wh.$(basename "$path")
        mkdir -p "$(dirname "$path")"
        : >"$whiteout"
        printf '%s\n' "$whiteout" >>"$out/work/changed"
    done <"$out/work/removed"
    if [ -s "$out/work/changed" ]; then
        find . ! -type d -newer "$out/work/marker" -exec touch -t 200001010000 {} +
        pack "$out/work/layer.tar" "$out/work/changed"
        diff_id=$(digest "$out/work/layer.tar")
        gzip -n -6 -c "$out/work/layer.tar" >"$out/work/layer.gz"
        blob=$(digest "$out/work/layer.gz")
        bytes=$(size "$out/work/layer.gz")
        mv "$out/work/layer.gz" "$out/store/$blob"
        printf '%s %s %s %s\n' "$blob" "$bytes" "$diff_id" "$line" >>"$out/work/layers.$stage"
        printf ' --> layer %.12s, %s bytes\n' "$blob" "$bytes"
    fi
    find . -name '.wh.*' -exec rm -f {} +
    files >"$out/work/before"
    cd "$out/.."
}

fail() {
    printf 'Imagefile:%s: %s\n' "$number" "$1" >&2
    exit 1
}

stage=
number=0
steps=$(grep -c '^[A-Z]' Imagefile)
step=0
while IFS= read -r line; do
    number=$((number + 1))
    case $line in '' | '#'*) continue ;; esac
    step=$((step + 1))
    printf 'STEP %s/%s: %s\n' "$step" "$steps" "$line"
    word=${line%% *}
    rest=${line#* }
    if [ "$word" != STAGE ] && [ -z "$stage" ]; then fail "no STAGE yet"; fi
    case $word in
    STAGE)
        stage=$rest
        ROOT=$out/work/root.$stage
        export ROOT
        mkdir -p "$ROOT"
        : >"$out/work/before"
        : >"$out/work/layers.$stage"
        ;;
    COPY)
        from=.
        case $rest in
        --from=*)
            from=$out/work/root.${rest#--from=}
            from=${from%% *}
            rest=${rest#* }
            ;;
        esac
        source=$from/${rest%% *}
        target=$ROOT/${rest##* }
        [ -e "$source" ] || fail "there is no ${rest%% *}"
        mkdir -p "$target"
        cp -R "$source/." "$target/"
        commit_layer
        ;;
    RUN)
        PATH=$PWD/tools:$PATH sh -eu -c "$rest" </dev/null || fail "the command failed: $rest"
        commit_layer
        ;;
    *) fail "unknown instruction '$word'" ;;
    esac
done <Imagefile

# The image: the layers of the last stage, a configuration, a manifest, an index.
blobs=$out/image/blobs/sha256
add_blob() {
    name=$(digest "$1")
    mv "$1" "$blobs/$name"
    printf '%s' "$name"
}
layers= diff_ids= history= comma= total=0
while read -r blob bytes diff_id made; do
    cp "$out/store/$blob" "$blobs/$blob"
    layers=$layers$comma'{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:'$blob'","size":'$bytes'}'
    diff_ids=$diff_ids$comma'"sha256:'$diff_id'"'
    made=$(printf '%s' "$made" | sed 's/\\/\\\\/g; s/"/\\"/g')
    history=$history$comma'{"created_by":"'$made'"}'
    comma=,
    total=$((total + bytes))
done <"$out/work/layers.$stage"
case $(uname -m) in
x86_64) machine=amd64 ;;
aarch64 | arm64) machine=arm64 ;;
*) machine=$(uname -m) ;;
esac
printf '{"architecture":"%s","os":"linux","created":"2000-01-01T00:00:00Z","config":{"Cmd":["/bin/sh","/app/start.sh"]},"rootfs":{"type":"layers","diff_ids":[%s]},"history":[%s]}' \
    "$machine" "$diff_ids" "$history" >"$out/work/config"
config_size=$(size "$out/work/config")
config=$(add_blob "$out/work/config")
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%s},"layers":[%s]}' \
    "$config" "$config_size" "$layers" >"$out/work/manifest"
manifest_size=$(size "$out/work/manifest")
manifest=$(add_blob "$out/work/manifest")
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%s,"platform":{"architecture":"%s","os":"linux"}}]}' \
    "$manifest" "$manifest_size" "$machine" >"$out/image/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$out/image/oci-layout"
rm -rf "$out/work" "$out/store"
printf 'image %.12s, %s bytes in layers\n' "$manifest" "$total"
