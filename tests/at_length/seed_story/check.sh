#!/bin/sh
# Starts the service in the image's own files.
set -eu
root=$(podman image mount localhost/seed-story:verdict)
trap 'podman image unmount localhost/seed-story:verdict >/dev/null' EXIT
python=/opt/venv/bin/python
[ -x "$root$python" ] || python=/usr/bin/python3
chroot "$root" "$python" -B /app/app.py
