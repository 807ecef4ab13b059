#!/bin/sh
# Builds the fuzzers of Tests/Fuzz and runs each for the given seconds, as many at a time as there are processors.
# A finding stays in Tests/Fuzz/.build/findings: `.build/release/Fuzz PARSER FILE` repeats it.
# Usage: scripts/fuzz.sh [SECONDS] [PARSER…]; FUZZ_JOBS is how many run at a time, FUZZ_SEEDS a folder of further inputs,
# FUZZ the executable where it is built already, FUZZ_CONFIGURATION `debug` for runs that are shorter than an optimised build takes.
set -eu
cd "$(dirname "$0")/../Tests/Fuzz"
seconds=${1:-20}
[ $# -gt 0 ] && shift
if [ -z "${FUZZ:-}" ]; then
    configuration=${FUZZ_CONFIGURATION:-release}
    swift build -c "$configuration"
    FUZZ=$(swift build -c "$configuration" --show-bin-path)/Fuzz
fi
export FUZZ
mkdir -p .build/findings .build/corpus
# Swift's own report of a crash reads memory that AddressSanitizer watches, and its leak checker takes what constants hold for lost:
# the low bits of Swift's pointers carry flags.
export SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=0
[ $# -gt 0 ] || set -- $("$FUZZ")

# shellcheck disable=SC2016
printf '%s\n' "$@" | xargs -P "${FUZZ_JOBS:-$(nproc)}" -I NAME sh -eu -c '
    name=$1
    shift
    mkdir -p ".build/corpus/$name"
    set -- "$@" ".build/corpus/$name"
    [ ! -d "Seeds/$name" ] || set -- "$@" "Seeds/$name"
    [ -z "${FUZZ_SEEDS:-}" ] || set -- "$@" "$FUZZ_SEEDS"
    [ ! -f "Dictionaries/$name" ] || set -- "-dict=Dictionaries/$name" "$@"
    log=.build/$name.log
    if "$FUZZ" "$name" -artifact_prefix=".build/findings/$name-" "$@" >"$log" 2>&1; then
        echo "$name: $(grep DONE "$log")"
    else
        echo "$name: a finding"
        tail -n 40 "$log"
        exit 1
    fi
' fuzz NAME -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=20 || {
    echo "findings: $(ls .build/findings)"
    exit 1
}
