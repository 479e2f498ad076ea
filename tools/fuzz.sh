#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fuzz.sh SECONDS - run each fuzz target with libFuzzer for that long under ASan + UBSan. What it finds
# worth keeping stays in build-fuzz/corpus; a crash stays there too and fails the run.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}

[ -f build-fuzz/build.ninja ] ||
	CC=clang meson setup build-fuzz -Dfuzz=true -Dtests=enabled -Db_sanitize=address,undefined
bad=0
for source in test/fuzz/fuzz_*.c; do
	name=$(basename "$source" .c)
	ninja -C build-fuzz "test/fuzz/$name"
	found=build-fuzz/corpus/${name#fuzz_}
	mkdir -p "$found"
	"build-fuzz/test/fuzz/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
		-print_final_stats=1 -artifact_prefix="build-fuzz/$name-" \
		"$found" "test/fuzz/corpus/${name#fuzz_}" || bad=1
done
exit $bad
