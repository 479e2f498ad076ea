#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# headers.sh ROOT - every header compiles alone and twice; the public ones as strict C11 and as
# C++17 too.
set -u
cd "$1" || exit 1
warn="-Wall -Wextra -Werror -Wundef -Wstrict-prototypes -D_GNU_SOURCE -Isrc -Iinclude"
warn="$warn $(pkg-config --cflags libpq hiredis libnghttp2)"
bad=0 n=0
try() { # compiler and flags...
	printf '#include "%s"\n#include "%s"\nint alone;\n' "$header" "$header" | "$@" -fsyntax-only - || {
		echo "$header does not compile alone: $*"
		bad=1
	}
}
for path in $(find src include -name '*.h' | sort); do
	header=${path#*/}
	n=$((n + 1))
	# shellcheck disable=SC2086
	try gcc -std=c17 -x c $warn
	case $path in
	include/*)
		try gcc -std=c11 -pedantic-errors -x c -Wall -Wextra -Werror -Iinclude
		try clang++ -std=c++17 -pedantic-errors -x c++ -Wall -Wextra -Werror -Iinclude
		;;
	esac
done
echo "$n headers"
exit $bad
