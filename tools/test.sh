#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# test.sh asan|tsan... - build and run the tests in build-asan and build-tsan; the last line is
# "N passed, N failed[, N skipped]" over all of them. A build that fails counts as one failure.
set -u
cd "$(dirname "$0")/.." || exit 1

# Sanitizers need room in the address space that some kernels' randomisation takes.
fixed=
if setarch "$(uname -m)" -R true 2>/dev/null; then
	fixed="setarch $(uname -m) -R"
fi

run() { # name, b_sanitize, suites...
	dir=build-$1
	sanitize=$2
	shift 2
	rm -f "$dir/meson-logs/testlog.json"
	[ -f "$dir/build.ninja" ] || meson setup "$dir" -Dtests=enabled -Db_sanitize="$sanitize" || return
	ninja -C "$dir" || return
	# The summary reads each test's result from the log.
	# shellcheck disable=SC2046,SC2086
	$fixed meson test -C "$dir" --no-rebuild --print-errorlogs --timeout-multiplier 4 \
		$(for suite in "$@"; do echo "--suite $suite"; done)
}

logs=
for name in "$@"; do
	case $name in
	asan) run asan address,undefined ;;
	tsan) run tsan thread unit conformance examples threads ;;
	*) echo "test.sh: unknown run: $name" >&2; exit 2 ;;
	esac
	logs="$logs build-$name/meson-logs/testlog.json"
done
# shellcheck disable=SC2086
exec tools/summary.py $logs
