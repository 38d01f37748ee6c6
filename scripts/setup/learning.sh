#!/usr/bin/env bash
# Brings what training is timed beside into .runtime/learning; no test needs it.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

bring_packages learning "$ROOT/scripts/setup/python-learning.txt" "$RUNTIME/learning" \
    "scikit-learn, beside which training is timed"
