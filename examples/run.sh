#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh PROGRAM - run an example twice on one SQLite file of its own.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$1" "sqlite:$dir/example.db"
"$1" "sqlite:$dir/example.db"
