#!/usr/bin/env bash
# Fuzzes the following code with libFuzzer, under the address sanitizer: the escaper, the workbook writer and its compressor, the archive
# reader, and the code that reads bytes from callers and from the service (framer, JSON scanner, parameters of each method, a whole connection,
# passed descriptors).
# libFuzzer prints a failing case and stores it in .build-fuzz/findings.
#
# usage: Scripts/fuzz.sh [SECONDS [TARGET…]]   TARGET: escaper writer deflater reader framer scanner dispatcher connection descriptors
set -euo pipefail

seconds=${1:-60}
shift || true
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then targets=(escaper writer deflater reader framer scanner dispatcher connection descriptors); fi

export ADMINEXPORT_FUZZ=1
swift build -c release --product fuzz --scratch-path .build-fuzz --sanitize=address -Xswiftc -sanitize=fuzzer
mkdir -p .build-fuzz/findings
# libFuzzer detects a trap itself; Swift's own report would wait for input to its debugger.
export SWIFT_BACKTRACE=enable=no
# LeakSanitizer does not see the references to Swift's constants and would report them as leaks.
export ASAN_OPTIONS=detect_leaks=0
for target in "${targets[@]}"; do
    corpus=.build-fuzz/corpus-$target
    mkdir -p "$corpus"
    dictionary=()
    case $target in scanner | dispatcher | connection | framer) dictionary=(-dict=Tests/Fuzz/json.dict) ;; esac
    echo "$target: $seconds s"
    FUZZ_TARGET=$target .build-fuzz/release/fuzz "$corpus" "${dictionary[@]}" -max_total_time="$seconds" -max_len=8192 -timeout=20 \
        -rss_limit_mb=4096 -print_final_stats=1 -print_funcs=0 -verbosity=0 -artifact_prefix=".build-fuzz/findings/$target-"
done
