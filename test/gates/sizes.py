#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sizes.py ROOT - files of at most 1000 lines, lines of 100 columns, functions of 70 lines and 6
parameters. sizes.allow lists the functions (parsers, step switches, tables of tests) that may have
150 or more parameters, each with its reason; one that no longer needs it must leave the list.
"""
import pathlib
import re
import sys

import tree

FILE_MAX, LINE_MAX, FUNC_MAX, FUNC_ALLOWED_MAX, PARAMS_MAX = 1000, 100, 70, 150, 6
NAME = re.compile(r"([A-Za-z_]\w*)\s*\(")
ATTRIBUTE = re.compile(r"\b(?:PAWL_[A-Z]+|__attribute__)\s*\((?:[^()]|\([^()]*\))*\)")


def params(head):
    """How many parameters the last parameter list of a function's head has."""
    depth, n, start = 0, 0, None
    for i, c in enumerate(head):
        if c == "(":
            depth += 1
            if depth == 1:
                start, n = i, 0
        elif c == ")":
            depth -= 1
            if depth == 0:
                inside = head[start + 1:i].strip()
                last = 0 if inside in ("", "void") else n + 1
        elif c == "," and depth == 1:
            n += 1
    return last


def functions(text):
    """(name, first line, lines of body, parameters) of each function defined in C text."""
    code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m[0]),
                  tree.c_code(text), flags=re.M)
    depth, head, line, name = 0, "", 1, None
    for c in code:
        if c == "\n":
            line += 1
        if c == "{":
            if depth == 0:
                head = ATTRIBUTE.sub("", head).rstrip()
                first = NAME.search(head)
                # Not an initialiser, a struct, an enum or extern "C".
                if first and head.endswith(")") and "=" not in head:
                    name, start, count = first[1], line, params(head)
                else:
                    name = None
            depth += 1
            head = ""
        elif c == "}":
            depth -= 1
            if depth == 0 and name:
                yield name, start, line - start - 1, count
            head = ""
        elif depth == 0:
            head = "" if c == ";" else head + c


def check_lines(path, text, problems):
    shown = True
    for n, line in enumerate(text.splitlines(), 1):
        if "clang-format off" in line:
            shown = False
        if "clang-format on" in line:
            shown = True
        if shown and len(line.expandtabs(8)) > LINE_MAX:
            problems.append(f"{path}:{n}: {len(line.expandtabs(8))} columns, at most {LINE_MAX}")
    if text.count("\n") > FILE_MAX:
        problems.append(f"{path}: {text.count(chr(10))} lines, at most {FILE_MAX}")


def main(root):
    problems, n = [], 0
    exceptions = tree.allowed("sizes.allow", root)
    unused = dict(exceptions)
    for path in tree.c_files(root):
        rel, text = path.relative_to(root).as_posix(), path.read_text()
        check_lines(rel, text, problems)
        for name, line, size, count in functions(text):
            n += 1
            limit = FUNC_MAX
            if size > FUNC_MAX and (rel, name) in exceptions:
                limit = FUNC_ALLOWED_MAX
                unused.pop((rel, name), None)
            if size > limit:
                problems.append(f"{rel}:{line}: {name} has {size} lines, at most {limit}")
            if count > PARAMS_MAX and (rel, name) in exceptions: # a library's callback
                unused.pop((rel, name), None)
            elif count > PARAMS_MAX:
                problems.append(f"{rel}:{line}: {name} has {count} parameters, at most {PARAMS_MAX}")
    for row, line in unused.items():
        problems.append(f"test/gates/sizes.allow:{line}: no longer needed: {' '.join(row)}")
    tree.finish(problems, f"{n} functions")


main(pathlib.Path(sys.argv[1]))
