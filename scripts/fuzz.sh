#!/usr/bin/env bash
# Runs each fuzz target for FUZZ_SECONDS (60), or only those in FUZZ_TARGETS.
# What the fuzzer learns stays beside what it builds, for the next run; what
# breaks a target lies in tests/fuzz/artifacts, and belongs into
# tests/fuzz/corpus once it is mended.
source "$(dirname "${BASH_SOURCE[0]}")/setup/common.sh"

cd "$ROOT"
seconds="${FUZZ_SECONDS:-60}"
[[ "$seconds" =~ ^[1-9][0-9]*$ ]] || fail "FUZZ_SECONDS is '$seconds'; it must be a number of seconds."
built="$(realpath -m "${CARGO_TARGET_DIR:-target}")/fuzz"
fuzz=(cargo +nightly fuzz)
where=(--fuzz-dir tests/fuzz --target-dir "$built")

# The very versions that the service is built with.
cp Cargo.lock tests/fuzz/Cargo.lock
known="$("${fuzz[@]}" list --fuzz-dir tests/fuzz)"
targets="${FUZZ_TARGETS:-$known}"
for target in $targets; do
    grep -qx "$target" <<<"$known" || fail "There is no fuzz target '$target'. There are:" $known
done

say "building the fuzz targets, which takes minutes the first time"
"${fuzz[@]}" build "${where[@]}"
failed=()
for target in $targets; do
    say "fuzzing $target for $seconds seconds"
    mkdir -p "$built/corpus/$target"
    # An image may take 40 MB to decode here, and no text nearly as much.
    "${fuzz[@]}" run "${where[@]}" "$target" "$built/corpus/$target" "tests/fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=2048 \
        -malloc_limit_mb=256 -print_final_stats=1 -verbosity=1 || failed+=("$target")
done
[ ${#failed[@]} = 0 ] || fail "Findings in: ${failed[*]}. The inputs lie in tests/fuzz/artifacts."
say "no finding"
