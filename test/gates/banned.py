#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""banned.py ROOT - calls that have a better one, each with the reason; those of IN_SRC only in src,
where base offers the better one. banned.allow lists the places that may still make one; an
exception that nothing uses must leave the list.
"""
import pathlib
import re
import sys

import tree

UNBOUNDED = "no bound; use buf"
PARSES = "ignores errors; use num"
STATIC = "not thread-safe"
BANNED = {
    **dict.fromkeys(("strcpy", "strcat", "stpcpy", "sprintf", "vsprintf", "gets"), UNBOUNDED),
    **dict.fromkeys(("strncpy", "strncat"), "truncates silently; use buf"),
    **dict.fromkeys(("atoi", "atol", "atoll", "atof"), PARSES),
    **dict.fromkeys(("strtok", "strerror", "asctime", "ctime", "gmtime", "localtime", "inet_ntoa",
                     "gethostbyname", "readdir_r", "tmpnam"), STATIC),
    **dict.fromkeys(("rand", "srand", "random", "srandom", "drand48", "rand_r"), "use base/rng"),
    **dict.fromkeys(("mktemp", "tempnam"), "racy; use mkstemp"),
    **dict.fromkeys(("system", "popen"), "a shell"),
    **dict.fromkeys(("alloca", "__builtin_alloca"), "no bound; use arena"),
    **dict.fromkeys(("setjmp", "longjmp", "sigsetjmp", "siglongjmp", "vfork"), "hidden control flow"),
    **dict.fromkeys(("signal",), "unportable; use sigaction"),
    **dict.fromkeys(("sleep", "usleep", "nanosleep"), "a sleep is no synchronisation"),
    **dict.fromkeys(("assert",), "vanishes with NDEBUG; use PRE, POST or INVARIANT"),
    **dict.fromkeys(("bzero", "bcopy", "bcmp", "index", "rindex"), "obsolete"),
}
IN_SRC = {
    **dict.fromkeys(("strtol", "strtoul", "strtoll", "strtoull", "scanf", "sscanf", "fscanf"), PARSES),
    **dict.fromkeys(("exit", "_exit", "quick_exit", "atexit"), "main decides how the process ends"),
    **dict.fromkeys(("time", "gettimeofday", "clock_gettime"), "use base/clock"),
}
# A name that is called: not a member, not part of a longer name.
CALL = re.compile(r"(?<![\w.>])(" + "|".join([*BANNED, *IN_SRC]) + r")\s*\(")


def main(root):
    problems, n = [], 0
    exceptions = tree.allowed("banned.allow", root)
    unused = dict(exceptions)
    for path in tree.c_files(root):
        rel, code = path.relative_to(root).as_posix(), tree.c_code(path.read_text())
        n += 1
        reasons = {**BANNED, **IN_SRC} if rel.startswith("src/") else BANNED
        for m in CALL.finditer(code):
            if m[1] not in reasons:
                continue
            if (rel, m[1]) in exceptions:
                unused.pop((rel, m[1]), None)
                continue
            line = code.count("\n", 0, m.start()) + 1
            problems.append(f"{rel}:{line}: {m[1]}: {reasons[m[1]]}")
    for row, line in unused.items():
        problems.append(f"test/gates/banned.allow:{line}: no longer needed: {' '.join(row)}")
    tree.finish(problems, f"{n} files")


main(pathlib.Path(sys.argv[1]))
