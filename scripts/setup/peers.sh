#!/usr/bin/env bash
# Brings the alternatives that the benchmark compares with into .runtime/peers.
# Some 500 MB; no test needs them.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

bring_packages peers "$ROOT/scripts/setup/python-peers.txt" "$RUNTIME/peers" \
    "the alternatives that the benchmark compares with"
