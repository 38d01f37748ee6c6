#!/usr/bin/env bash
# Brings the Python packages that the tests compare with into .runtime/venv.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

requirements="$ROOT/scripts/setup/python-tests.txt"
key="$(digest "$requirements") $(python3 --version 2>&1)"
venv="$RUNTIME/venv"
if done_with python "$key" && [ -x "$venv/bin/python" ]; then exit 0; fi

say "bringing the Python packages of the tests"
rm -rf "$venv"
if ! python3 -m venv "$venv" >/dev/null 2>&1; then
    rm -rf "$venv"
    apt_install python3-venv python3-pip && python3 -m venv "$venv" ||
        fail "Python cannot make a virtual environment. Install what it needs:" \
            "apt-get install python3-venv python3-pip"
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: \
    --requirement "$requirements" >&2 ||
    fail "The Python packages of the tests could not be installed; pip's words are above."
mark_done python "$key"
