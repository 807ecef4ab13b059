#!/bin/sh
# Builds the fuzzers of Tests/Fuzz and runs each for the given seconds. A finding ends it and stays in Tests/Fuzz/.build/findings.
# Usage: scripts/fuzz.sh [SECONDS] [FUZZER…]; FUZZ_SEEDS names a folder of seed inputs, one folder below it for all.
set -eu
cd "$(dirname "$0")/../Tests/Fuzz"
seconds=${1:-20}
[ $# -gt 0 ] && shift
swift build -c release
binaries=$(swift build -c release --show-bin-path)
mkdir -p .build/findings
for fuzzer in "${@:-FuzzRTPIngest FuzzPSDemuxer FuzzRTPStreamFramer FuzzSIP FuzzSDP FuzzXML}"; do
    for name in $fuzzer; do
        corpus=.build/corpus/$name
        mkdir -p "$corpus"
        echo "== $name, $seconds s"
        "$binaries/$name" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 -verbosity=0 \
            -artifact_prefix=".build/findings/$name-" "$corpus" ${FUZZ_SEEDS:+"$FUZZ_SEEDS"} 2>&1 | tail -n 12
    done
done
if ls .build/findings/* >/dev/null 2>&1; then
    echo "findings: $(ls .build/findings)"
    exit 1
fi
