#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# purity.sh ARCHIVE - core calls nothing that reads a clock, a socket, the heap or chance: it refers
# to pawl__*, mem* and what compilers add, and to nothing else.
set -eu
symbols=$(nm -u "$1" | awk '$1 == "U" { print $2 }' | sort -u)
impure=$(printf '%s\n' "$symbols" | grep -vxE \
	'|pawl__[a-z0-9_]+|(__)?mem(cpy|move|set|cmp)(_chk)?|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|__(asan|ubsan|tsan|gcov|sanitizer)_.*|__llvm_.*' || :)
if [ -n "$impure" ]; then
	printf 'core is not pure: %s\n' $impure
	exit 1
fi
echo "pure"
