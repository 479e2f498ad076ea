#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""paths.py ROOT - no file names a place on the machine where it was written: a home, a build
directory, or where this tree happens to lie."""
import pathlib
import re
import sys

import tree

PLACES = ["home/[a-z]", "Users/[A-Za-z]", "root/", "work/", "builds/", "workspace/", "tmp/build",
          "var/lib/jenkins"]


def main(root):
    places = [f"(?<![\\w.}}$*/-])/(?:{'|'.join(PLACES)})"]
    if len(root.parts) > 2:
        places.append(re.escape(root.as_posix()) + r"(?!\w)")
    machine = re.compile("|".join(places).encode())
    problems, files = [], tree.all_files(root)
    for path in files:
        data = path.read_bytes()
        for m in machine.finditer(data):
            line = data.count(b"\n", 0, m.start()) + 1
            problems.append(f"{path.relative_to(root)}:{line}: a machine's path: {m[0].decode()}")
    tree.finish(problems, f"{len(files)} files")


main(pathlib.Path(sys.argv[1]).resolve())
