#!/usr/bin/env bash
# Brings the ONNX Runtime library into .runtime/onnxruntime (or the folder
# that is named), out of its Python wheel: the one with the best provider for
# this machine, unless ORT (cpu, openvino or gpu) or a file says otherwise.
#
# usage: ort.sh [REQUIREMENTS [FOLDER]]
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# A library of one's own, named in the settings, is used as it is.
if [ $# = 0 ] && [ -f "${AISLE_ORT_LIB:-}" ]; then exit 0; fi

# OpenVINO is worth its size where the processor calculates in bfloat16: in
# single precision it was measured no faster than the CPU provider.
best() {
    if [ "$(uname -m)" = x86_64 ] && [ -e /proc/driver/nvidia/version ]; then
        echo gpu
    elif [ "$(uname -m)" = x86_64 ] && grep -qwE 'avx512_bf16|amx_bf16' /proc/cpuinfo; then
        echo openvino
    else
        echo cpu
    fi
}

requirements_of() {
    case "$1" in
    cpu) echo "$ROOT/scripts/setup/onnxruntime.txt" ;;
    openvino | gpu) echo "$ROOT/scripts/setup/onnxruntime-$1.txt" ;;
    *) fail "ORT must be cpu, openvino or gpu, and is $1." ;;
    esac
}

# What is needed of a wheel. OpenVINO's comes with plugins for other devices,
# and each library three times.
patterns=(
    'onnxruntime/capi/libonnxruntime*.so*'
    'onnxruntime/capi/libopenvino.so.????'
    'onnxruntime/capi/libopenvino_onnx_frontend.so.????'
    'onnxruntime/capi/libopenvino_intel_cpu_plugin.so'
    'onnxruntime/capi/libtbb.so.*'
    'onnxruntime/capi/libtbbmalloc.so*'
    'onnxruntime/LICENSE'
    'onnxruntime/ThirdPartyNotices.txt'
)

requirements="${1:-$(requirements_of "${ORT:-$(best)}")}"
plain="$(requirements_of cpu)"
target="${2:-$RUNTIME/onnxruntime}"
key="$(digest "$requirements" "${BASH_SOURCE[0]}") ${ORT:-best} $(uname -m) $target"

if done_with onnxruntime "$key" && [ -e "$target/libonnxruntime.so" ]; then exit 0; fi

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
say "bringing the ONNX Runtime library ($(basename "$requirements" .txt))"
if ! download_wheel "$requirements" "$scratch"; then
    # What was asked for by name is not replaced by another.
    [ $# = 0 ] && [ -z "${ORT:-}" ] && [ "$requirements" != "$plain" ] &&
        say "it cannot be had; the library for the CPU alone will do" &&
        download_wheel "$plain" "$scratch" ||
        fail "The ONNX Runtime wheel could not be downloaded; pip's words are above." \
            "With a library at hand (1.24 or newer), go without: export AISLE_ORT_LIB=/path/to/libonnxruntime.so"
fi
rm -rf "$target"
python3 "$ROOT/scripts/setup/unpack_wheel.py" "$scratch" "$target" "${patterns[@]}"
versioned=("$target"/libonnxruntime.so.*)
ln -sf "$(basename "${versioned[0]}")" "$target/libonnxruntime.so"
mark_done onnxruntime "$key"
