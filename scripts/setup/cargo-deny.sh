#!/usr/bin/env bash
# Builds cargo-deny into .runtime where the machine has none. Takes minutes.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if has cargo-deny || [ -x "$RUNTIME/bin/cargo-deny" ]; then exit 0; fi
say "building cargo-deny, which takes some minutes"
cargo install --locked --quiet --root "$RUNTIME" cargo-deny ||
    fail "cargo-deny could not be built; cargo's words are above."
