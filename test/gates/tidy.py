#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tidy.py ROOT BUILD - clang-tidy over src, examples and bench, one process per file.

A clean result is remembered in BUILD/tidy-cache under the hash of all that it rests on: the tool,
its configuration, the flags, the file and every header of ours that it includes. A finding never is.
"""
import concurrent.futures
import hashlib
import os
import pathlib
import re
import subprocess
import sys

import tree

# Headers of libraries that do not lie in /usr/include itself are not ours to check.
LIBRARIES = subprocess.run(["pkg-config", "--cflags", "libpq", "hiredis", "libnghttp2"], check=True,
                           text=True, capture_output=True).stdout.replace("-I", "-isystem").split()
FLAGS = ["-std=c17", "-D_GNU_SOURCE", "-Iinclude", "-Isrc", *LIBRARIES]


def key_of(root, base, path):
    out = subprocess.run(["clang", "-MM", *FLAGS, path], cwd=root, check=True, text=True,
                         capture_output=True).stdout
    deps = re.sub(r"\\\n", " ", out).split(":", 1)[1].split()
    h = hashlib.sha256(base)
    own = (root / path).parent / ".clang-tidy"  # inherits from the root's
    if own.exists():
        h.update(own.read_bytes())
    for dep in sorted(set(deps)):
        h.update(dep.encode() + b"\0" + (root / dep).read_bytes())
    return h.hexdigest()


def check(root, base, cache, path):
    """None when clean, else what to print."""
    try:
        done = cache / key_of(root, base, path)
    except subprocess.CalledProcessError as e:
        return e.stderr
    if done.exists():
        return None
    run = subprocess.run(["clang-tidy", "--quiet", path, "--", *FLAGS], cwd=root, text=True,
                         capture_output=True)
    if run.returncode:
        return run.stdout + "".join(l for l in run.stderr.splitlines(True) if "generated" not in l)
    done.touch()
    return None


def main(root, build):
    root, cache = pathlib.Path(root).resolve(), pathlib.Path(build).resolve() / "tidy-cache"
    cache.mkdir(parents=True, exist_ok=True)
    version = subprocess.run(["clang-tidy", "--version"], check=True, capture_output=True).stdout
    base = version + (root / ".clang-tidy").read_bytes() + " ".join(FLAGS).encode()
    files = [f.relative_to(root).as_posix()
             for f in tree.c_files(root, ["src", "examples", "bench"], ["c"])]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = [p for p in pool.map(lambda f: check(root, base, cache, f), files) if p]
    tree.finish(problems, f"{len(files)} files")


main(sys.argv[1], sys.argv[2])
