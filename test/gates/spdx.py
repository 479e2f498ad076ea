#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""spdx.py ROOT - every C file names its licence in its first line, every script in its second."""
import pathlib
import sys

import tree

TAG = "SPDX-License-Identifier: Apache-2.0"


def main(root):
    problems, n = [], 0
    for path in tree.c_files(root):
        n += 1
        if not path.read_text().startswith(f"/* {TAG} */\n"):
            problems.append(f"{path.relative_to(root)}:1: the first line must be /* {TAG} */")
    for path in tree.all_files(root):
        head = path.read_bytes()[:200]
        if head.startswith(b"#!"):
            n += 1
            if f"\n# {TAG}\n".encode() not in head:
                problems.append(f"{path.relative_to(root)}:2: the second line must be # {TAG}")
    tree.finish(problems, f"{n} files")


main(pathlib.Path(sys.argv[1]))
