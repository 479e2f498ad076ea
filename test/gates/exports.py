#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""exports.py LIB MAP INCLUDE - the shared library exports exactly what the map lists, exactly what the
public headers declare PAWL_EXPORT, and nothing that does not start with pawl_."""
import fnmatch
import pathlib
import re
import subprocess
import sys

import tree


def exported(lib):
    out = subprocess.run(["nm", "-D", "--defined-only", lib], check=True, text=True,
                         capture_output=True).stdout
    rows = (line.split() for line in out.splitlines())
    return {row[-1].split("@")[0] for row in rows if row[-2] != "A"}


def mapped(path):
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
    return {s.strip() for block in re.findall(r"global:([^}]*?)(?:local:|\})", text, re.S)
            for s in block.split(";") if s.strip()}


def declared(include):
    names = set()
    for header in include.rglob("*.h"):
        code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", "", tree.c_code(header.read_text()),
                      flags=re.M)
        for d in re.findall(r"PAWL_EXPORT([^;{]*)[;{]", code):
            d = re.sub(r"__attribute__\s*\(\(.*?\)\)|PAWL_[A-Z_]+(?:\([^)]*\))?", "", d)
            names.add(re.search(r"(\w+)\s*\(", d)[1])
    return names


def main(lib, map_path, include):
    exports, rows, headers = exported(lib), mapped(map_path), declared(include)
    problems = [f"{lib}: {s}: does not start with pawl_" for s in sorted(exports)
                if not re.match(r"pawl_[a-z]", s)]
    problems += [f"{lib}: {s}: exported, not in {map_path.name}" for s in sorted(exports)
                 if not any(fnmatch.fnmatchcase(s, r) for r in rows)]
    problems += [f"{map_path.name}: {r}: in the map, not exported" for r in sorted(rows)
                 if not fnmatch.filter(exports, r)]
    problems += [f"{lib}: {s}: exported, not declared in a public header"
                 for s in sorted(exports - headers)]
    problems += [f"{lib}: {s}: declared PAWL_EXPORT, not exported" for s in sorted(headers - exports)]
    tree.finish(problems, f"{len(exports)} symbols")


main(sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
