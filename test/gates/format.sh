#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# format.sh ROOT - every C file is as clang-format would write it (make fmt).
set -u
cd "$1" || exit 1
dirs=$(ls -d src include test bench examples 2>/dev/null)
# shellcheck disable=SC2086
find $dirs -name '*.[ch]' -print0 | xargs -0 -r -n 16 -P 2 clang-format --dry-run -Werror || exit 1
