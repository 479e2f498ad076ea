#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# cxx.sh COMPILER INCLUDE SOURCE LIBRARY [FLAG...] - a C++ program against the public headers alone is
# built without a warning, and runs.
set -eu
cxx=$1 include=$2 source=$3 library=$4
shift 4
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$cxx" -std=c++11 -Wall -Wextra -Wpedantic -Werror "$@" -I "$include" "$source" "$library" \
	-Wl,-rpath,"$(dirname "$library")" -o "$dir/use"
"$dir/use"
