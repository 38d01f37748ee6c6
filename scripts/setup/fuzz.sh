#!/usr/bin/env bash
# Sees to what fuzzing needs besides: nightly Rust, whose compiler can watch
# which code an input reaches, a C++ compiler for libFuzzer, and cargo-fuzz.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

has rustup || fail "rustup is missing: fuzzing needs nightly Rust beside the stable one." \
    "Install it from https://rustup.rs, then open a new shell."
if ! cargo +nightly --version >/dev/null 2>&1; then
    say "bringing nightly Rust"
    rustup toolchain install nightly --profile minimal >&2 ||
        fail "Nightly Rust could not be installed; rustup's words are above." \
            "By hand it is: rustup toolchain install nightly --profile minimal"
fi
has c++ || apt_install g++ || fail "A C++ compiler is missing. Install it: apt-get install g++"
if ! has cargo-fuzz && [ ! -x "$RUNTIME/bin/cargo-fuzz" ]; then
    say "building cargo-fuzz, which takes a minute or more"
    cargo install --locked --quiet --root "$RUNTIME" cargo-fuzz ||
        fail "cargo-fuzz could not be built; cargo's words are above."
fi
