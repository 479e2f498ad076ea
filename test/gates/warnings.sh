#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# warnings.sh ROOT - clang's warnings; the builds show gcc's.
set -u
cd "$1" || exit 1
libs=$(pkg-config --cflags libpq hiredis libnghttp2) || exit 1
# shellcheck disable=SC2086
find src -name '*.c' -print0 | xargs -0 -r -n 8 -P 2 clang -fsyntax-only -std=c17 -D_GNU_SOURCE \
	-Isrc -Iinclude $libs -Wall -Wextra -Werror -Wshadow -Wconversion -Wsign-conversion \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wvla -Wundef -Wformat=2 \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wswitch-enum -Wimplicit-fallthrough \
	-Wnull-dereference -Wdouble-promotion -Wno-gnu-statement-expression || exit 1
