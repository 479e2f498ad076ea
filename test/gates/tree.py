# SPDX-License-Identifier: Apache-2.0
"""What the gates share: the files of a tree, C text without comments and strings, exceptions."""
import pathlib
import re
import sys

C_DIRS = ("src", "include", "test", "bench", "examples")


def c_files(root, dirs=C_DIRS, ext=("c", "h")):
    root = pathlib.Path(root)
    return sorted(f for d in dirs for e in ext for f in (root / d).rglob(f"*.{e}"))


def all_files(root):
    """Every file that is not git's own and not built."""
    def walk(at):
        for f in sorted(at.iterdir()):
            if f.is_symlink() or f.name in (".git", "__pycache__", "pawl-data"):
                continue
            if f.is_dir():
                if not (at == root and f.name.startswith("build")):
                    yield from walk(f)
            else:
                yield f
    root = pathlib.Path(root)
    return list(walk(root))


_TOKEN = re.compile(
    r'//(?:\\\n|[^\n])*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def c_code(text):
    """The text with comments and literals blanked; every line keeps its number."""
    def blank(m):
        s = m[0]
        if s[0] in "\"'":
            return s[0] + " " * (len(s) - 2) + s[0]
        return re.sub(r"[^\n]", " ", s)
    return _TOKEN.sub(blank, text)


def allowed(name, root):
    """Rows of a list of exceptions: fields, then a reason. {fields: line number}"""
    path = pathlib.Path(root) / "test/gates" / name
    rows = {}
    if path.exists():
        for n, line in enumerate(path.read_text().splitlines(), 1):
            fields, _, reason = line.partition(" - ")
            if not line.strip() or line.startswith("#"):
                continue
            if not reason.strip():
                sys.exit(f"{path}:{n}: an exception needs ' - ' and its reason")
            rows[tuple(fields.split())] = n
    return rows


def finish(problems, what):
    """Print and exit: 1 with problems, else one line that says how much was looked at."""
    for p in problems:
        print(p)
    if not problems:
        print(what)
    sys.exit(1 if problems else 0)
