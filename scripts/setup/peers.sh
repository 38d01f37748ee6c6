#!/usr/bin/env bash
# Brings the alternatives that the benchmark compares with into .runtime/peers.
# Some 500 MB; no test needs them.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

requirements="$ROOT/scripts/setup/python-peers.txt"
key="$(digest "$requirements") $(python3 --version 2>&1)"
venv="$RUNTIME/peers"
if done_with peers "$key" && [ -x "$venv/bin/python" ]; then exit 0; fi

say "bringing the alternatives that the benchmark compares with"
rm -rf "$venv"
python3 -m venv "$venv" ||
    fail "Python cannot make a virtual environment. Install what it needs:" \
        "apt-get install python3-venv python3-pip"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: \
    --requirement "$requirements" >&2 ||
    fail "The alternatives could not be installed; pip's words are above."
mark_done peers "$key"
