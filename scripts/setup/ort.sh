#!/usr/bin/env bash
# Brings the ONNX Runtime library into .runtime/onnxruntime (or the folder
# that is named), out of its Python wheel.
#
# usage: ort.sh [REQUIREMENTS [FOLDER]]
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# A library of one's own, named in the settings, is used as it is.
if [ $# = 0 ] && [ -f "${AISLE_ORT_LIB:-}" ]; then exit 0; fi

requirements="${1:-$ROOT/scripts/setup/onnxruntime.txt}"
target="${2:-$RUNTIME/onnxruntime}"
key="$(digest "$requirements") $(uname -m) $target"

if done_with onnxruntime "$key" && [ -e "$target/libonnxruntime.so" ]; then exit 0; fi

say "bringing the ONNX Runtime library"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
download_wheel "$requirements" "$scratch" ||
    fail "The ONNX Runtime wheel could not be downloaded; pip's words are above." \
        "With a library at hand (1.24 or newer), go without: export AISLE_ORT_LIB=/path/to/libonnxruntime.so"
rm -rf "$target"
python3 "$ROOT/scripts/setup/unpack_wheel.py" "$scratch" "$target" \
    'onnxruntime/capi/libonnxruntime*.so*' 'onnxruntime/LICENSE' 'onnxruntime/ThirdPartyNotices.txt'
versioned=("$target"/libonnxruntime.so.*)
ln -sf "$(basename "${versioned[0]}")" "$target/libonnxruntime.so"
mark_done onnxruntime "$key"
