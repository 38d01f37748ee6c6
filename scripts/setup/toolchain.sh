#!/usr/bin/env bash
# Sees to what the build needs: Rust, Python and a C compiler (SQLite and the
# TLS library are partly C).
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

has cargo || fail "Rust is missing: there is no cargo on the PATH." \
    "Install it with rustup (the stable toolchain), then open a new shell."
needed="$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")"
found="$(cargo --version | grep -oE '[0-9]+\.[0-9]+(\.[0-9]+)?' | head -n 1)"
[ "$(printf '%s\n%s\n' "$needed" "$found" | sort -V | head -n 1)" = "$needed" ] ||
    fail "Rust $needed or newer is needed, and this is $found. Update it: rustup update stable"
has python3 || apt_install python3 || fail "Python 3 is missing. Install it: apt-get install python3"
if ! has cc || ! has make; then
    apt_install build-essential ||
        fail "A C compiler is missing. Install it: apt-get install build-essential"
fi
