#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""layers.py ROOT - a source file includes only what its layer may see, named "layer/file.h"."""
import pathlib
import re
import sys

import tree

BELOW_API = {"base", "core", "store", "engine"}
# Itself and include/pawl go without saying.
SEES = {
    "base": set(),
    "core": {"base"},
    "store": {"base", "core"},
    "engine": {"base", "core", "store"},
    "api": BELOW_API,
    "net": {"base"},
    # It judges pawl as it judges others: by the public doors only.
    "race": {"base", "net"},
    # The programs come in by the library's door: what they need of the engine is its interface,
    # never a store.
    "server": {"base", "core", "engine", "api", "net"},
    "cli": {"base", "core", "engine", "api", "net", "server", "race"},
}
# A module's headers that belong to one implementation.
PRIVATE = re.compile(r"^store/(sqlite|postgres|memory)/")
# Libraries and the only layers that may know them.
ONLY = {
    # cli/naive: what `pawl demo` races pawl against, plain SQL as it is often written.
    "sqlite3.h": {"store/sqlite", "cli/naive", "race/scenario", "race/builtin"},
    "libpq-fe.h": {"store/postgres", "race/load", "race/scenario", "race/builtin"},
    "hiredis/hiredis.h": {"link/redis", "race/load", "race/scenario", "race/builtin"},
    "nghttp2/nghttp2.h": {"race/load"},
    "sys/epoll.h": {"net", "race/load"},
    "sys/socket.h": {"net", "race/load"},
    "cmocka.h": set(),
}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)


def check(path, rel, problems):
    layer = rel.parts[0]
    where = rel.parent.as_posix()
    text = path.read_text()
    if layer not in SEES:
        problems.append(f"{path}: no such layer: {layer}")
        return
    for m in INCLUDE.finditer(text):
        n, target = text.count("\n", 0, m.start(2)) + 1, m[2]
        to = target.split("/")[0]
        at = f"{path}:{n}"
        if m[1] == "<":
            only = ONLY.get(target)
            if only is not None and not any(where == o or where.startswith(o + "/") for o in only):
                problems.append(f"{at}: {where} may not include <{target}>")
        elif "/" not in target:
            problems.append(f"{at}: write \"{layer}/{target}\"")
        elif to not in SEES[layer] | {layer, "pawl"}:
            problems.append(f"{at}: {layer} may not include {to}")
        elif where == "race/check" and to == "race" and not target.startswith("race/check/"):
            problems.append(f"{at}: race/check sees base and itself only")
        elif PRIVATE.match(target) and layer != "store":
            problems.append(f"{at}: {target} is private to its store")


def main(root):
    problems, n = [], 0
    src = pathlib.Path(root) / "src"
    for path in tree.c_files(root, ["src"]):
        check(path, path.relative_to(src), problems)
        n += 1
    for path in tree.c_files(root, ["include"]):
        for m in INCLUDE.finditer(path.read_text()):
            if m[1] == '"' and not m[2].startswith("pawl/"):
                problems.append(f"{path}: a public header may not include {m[2]}")
        n += 1
    tree.finish(problems, f"{n} files")


main(sys.argv[1])
