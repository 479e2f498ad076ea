#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# cov.sh - line and branch coverage of src by all tests but the gates: a table, and
# build-cov/coverage.html.
set -eu
cd "$(dirname "$0")/.."

[ -f build-cov/build.ninja ] || meson setup build-cov -Dtests=enabled -Db_coverage=true -Doptimization=0
ninja -C build-cov
find build-cov -name '*.gcda' -delete
status=0
meson test -C build-cov --no-rebuild --no-suite gates || status=$?
gcovr --root . --filter src/ --object-directory build-cov \
	--exclude-unreachable-branches --print-summary --html-details build-cov/coverage.html
exit $status
