#!/usr/bin/env bash
# Brings the Python packages that the tests compare with into .runtime/venv.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

bring_packages python "$ROOT/scripts/setup/python-tests.txt" "$RUNTIME/venv" \
    "the Python packages of the tests"
