#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""planted.py GATE - a gate that cannot fail guards nothing: give it small trees, each with one
violation, and see it refused with the right words; and a tree with near misses, and see it pass.
Output is TAP.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"
GUARD = "#ifndef H\n#define H\nint pawl__f(void);\n#endif\n"
HOME = "/" + "home/someone/pawl"
TIDY = {".clang-tidy": (ROOT / ".clang-tidy").read_text()}
FORMAT = {".clang-format": (ROOT / ".clang-format").read_text()}


def function(lines, name="f", params="void"):
    return f"int {name}({params})\n{{\n" + "\t;\n" * (lines - 1) + "\treturn 0;\n}\n"


def export(source, symbols, header):
    return {"x.c": source, "x.map": "X { global: " + " ".join(s + ";" for s in symbols) + " local: *; };\n",
            "include/x.h": header}


OPEN = "#define PAWL_EXPORT __attribute__((visibility(\"default\")))\n"
DECLARED = OPEN + "PAWL_EXPORT int pawl_open(void);\n"

def log(result, out="", **more):
    return json.dumps({"name": "t", "result": result, "stdout": out, **more}) + "\n"


GOOD = log("OK", "[       OK ] test_a\n[       OK ] test_b\n")

# gate: (what is planted, files, the words of the refusal; None where it must pass)
CASES = {
    "layers": [
        ("core includes store", {"src/core/a.c": '#include "store/store.h"\n'},
         r"a\.c:1: core may not include store"),
        ("base includes core", {"src/base/a.h": '\n#include "core/tx.h"\n'},
         r"a\.h:2: base may not include core"),
        ("net includes engine", {"src/net/a.c": '#  include "engine/lane.h"\n'},
         r"net may not include engine"),
        ("engine includes api", {"src/engine/a.c": '#include "api/x.h"\n'},
         r"engine may not include api"),
        ("server includes store", {"src/server/a.c": '#include "store/store.h"\n'},
         r"server may not include store"),
        ("cli includes sqlite3.h", {"src/cli/a.c": "#include <sqlite3.h>\n"},
         r"cli may not include <sqlite3\.h>"),
        ("the store's contract includes SQLite", {"src/store/a.h": "#include <sqlite3.h>\n"},
         r"store may not include <sqlite3\.h>"),
        ("engine includes a store's private header",
         {"src/engine/a.c": '#include "store/sqlite/conn.h"\n'}, r"private to its store"),
        ("a path without its layer", {"src/core/a.c": '#include "tx.h"\n'}, r'write "core/tx\.h"'),
        ("an unknown layer", {"src/util/a.c": ""}, r"no such layer: util"),
        ("a public header includes a private one", {"include/pawl/a.h": '#include "base/str.h"\n'},
         r"a public header may not include base/str\.h"),
        ("the allowed directions",
         {"src/core/a.c": '#include "core/a.h"\n#include "base/str.h"\n#include "pawl/status.h"\n',
          "src/store/sqlite/a.c": '#include "store/sqlite/a.h"\n#include <sqlite3.h>\n',
          "src/server/a.c": '#include "engine/engine.h"\n#include "net/server.h"\n'}, None),
    ],
    "purity": [
        ("malloc", "#include <stdlib.h>\nvoid *f(void);\nvoid *f(void) { return malloc(9); }\n",
         r"not pure: malloc"),
        ("a clock", "#include <time.h>\nlong f(void);\nlong f(void) { return time(NULL); }\n",
         r"not pure: time"),
        ("errno", "#include <errno.h>\nint f(void);\nint f(void) { return errno; }\n",
         r"not pure: __errno_location"),
        ("memcpy and base", "#include <string.h>\nvoid pawl__g(void);\nvoid f(void *, void *);\n"
         "void f(void *a, void *b) { memcpy(a, b, 999); pawl__g(); }\n", None),
    ],
    "headers": [
        ("a header that needs another", {"src/base/a.h": "uint8_t pawl__f(void);\n"},
         r"base/a\.h does not compile alone"),
        ("a header without a guard", {"src/base/a.h": "struct a { int b; };\n"},
         r"base/a\.h does not compile alone"),
        ("C++ keyword in a public header",
         {"src/base/a.h": GUARD, "include/pawl/a.h": "int pawl_f(int class);\n"},
         r"pawl/a\.h does not compile alone: clang\+\+"),
        ("an extension in a public header",
         {"src/base/a.h": GUARD, "include/pawl/a.h": "struct a { int b; struct { int c; }; int d[0]; };\n"},
         r"pawl/a\.h does not compile alone: gcc -std=c11"),
        ("good headers", {"src/base/a.h": GUARD, "include/pawl/a.h": GUARD}, None),
    ],
    "format": [
        ("spaces for a tab", {"src/base/a.c": "int f(void)\n{\n    return 0;\n}\n", **FORMAT},
         r"src/base/a\.c:\d+.*clang-formatted"),
        ("a test's brace", {"test/a.c": "int f(void) {\n\treturn 0;\n}\n", **FORMAT},
         r"test/a\.c:1.*clang-formatted"),
        ("a formatted file", {"src/base/a.c": "int f(void)\n{\n\treturn 0;\n}\n", **FORMAT}, None),
    ],
    "warnings": [
        ("a narrowing conversion", {"src/base/a.c": "char f(int);\nchar f(int i)\n{\n\treturn i;\n}\n"},
         r"-Wimplicit-int-conversion"),
        ("no prototype", {"src/base/a.c": function(1)}, r"-Wmissing-prototypes"),
        ("a clean file", {"src/base/a.c": "int f(void);\n" + function(1)}, None),
    ],
    "tidy": [
        ("a null dereference", {"src/base/a.c": "int f(void);\nint f(void)\n{\n\tint *p = 0;\n\n\treturn *p;\n}\n",
                                **TIDY}, r"clang-analyzer-core\.NullDereference"),
        ("nesting", {"src/base/a.c": "int f(int a);\nint f(int a)\n{\n" + "if (a) {\n" * 6 + "a++;\n"
                     + "}\n" * 6 + "return a;\n}\n", **TIDY}, r"readability-function-size"),
        ("a clean file", {"src/base/a.c": "int f(void);\n" + function(1), **TIDY}, None),
    ],
    "sizes": [
        ("a long file", {"src/base/a.c": "\n" * 1001}, r"a\.c: 1001 lines, at most 1000"),
        ("a long line", {"src/base/a.c": "\t" * 12 + "int x;\n"}, r"a\.c:1: 102 columns"),
        ("a long function", {"src/base/a.c": function(71)}, r"a\.c:2: f has 71 lines, at most 70"),
        ("seven parameters", {"src/base/a.c": function(1, "f", "int a, int (*b)(int, int), int c, int d,\n"
                                                       "      int e, int g, int h")},
         r"f has 7 parameters"),
        ("an excepted function over its limit",
         {"src/base/a.c": function(151), "test/gates/sizes.allow": "src/base/a.c f - a parser\n"},
         r"f has 151 lines, at most 150"),
        ("an exception that nothing needs",
         {"src/base/a.c": function(70), "test/gates/sizes.allow": "src/base/a.c f - a parser\n"},
         r"sizes\.allow:1: no longer needed"),
        ("an exception without a reason", {"src/base/a.c": "", "test/gates/sizes.allow": "src/base/a.c f\n"},
         r"needs ' - ' and its reason"),
        ("all at their limits",
         {"src/base/a.c": "\n" * 700 + "\t" * 12 + "int;\n/* clang-format off */\n" + "x" * 200
          + "\n/* clang-format on */\nstruct s {\n" + "\tint x;\n" * 90 + "};\n"
          + function(70, "f", "int a, int b, int c, int d, int e, int g") + function(100, "parse"),
          "test/gates/sizes.allow": "src/base/a.c parse - a parser\n"}, None),
    ],
    "banned": [
        ("strcpy", {"src/base/a.c": "int f(void)\n{\n\tstrcpy(a, b);\n}\n"}, r"a\.c:3: strcpy: no bound"),
        ("atoi in a bench", {"bench/a.c": "int x = atoi (s);\n"}, r"bench/a\.c:1: atoi"),
        ("a sleep in a test", {"test/a.c": "void f(void)\n{\n\tusleep(9);\n}\n"}, r"usleep"),
        ("a clock in src", {"src/net/a.c": "int x = clock_gettime(a, b);\n"}, r"a\.c:1: clock_gettime"),
        ("an exception elsewhere does not count",
         {"src/base/a.c": "int x = atoi(s);\n", "test/gates/banned.allow": "src/base/b.c atoi - why\n"},
         r"a\.c:1: atoi"),
        ("an exception that nothing needs",
         {"src/base/a.c": "int x;\n", "test/gates/banned.allow": "src/base/a.c atoi - why\n"},
         r"banned\.allow:1: no longer needed"),
        ("comments, strings, members and other names",
         {"src/base/a.c": '/* strcpy(a, b) */ // sprintf(\nchar *s = "gets(x) \\" system(";\n'
                          "int a = o->index(1), b = o.time(2), c = my_strcpy(3), d = static_assert(1);\n"
                          "int e = atoi(s);\n",
          "bench/a.c": "long a = strtol(s, &end, 10);\n",
          "test/gates/banned.allow": "# a comment\nsrc/base/a.c atoi - why\n"}, None),
    ],
    "paths": [
        ("a home", {"docs/a.md": f"see\n{HOME}/x\n"}, r"docs/a\.md:2: a machine's path"),
        ("a home in a script", {"tools/a": f"D={HOME}\n"}, r"tools/a:1: a machine's path"),
        ("the place of this tree", {"a.txt": "@ROOT@/src\n"}, r"a\.txt:1: a machine's path"),
        ("relative and public paths",
         {"a.md": "src/work/x ./home/user /usr/lib /etc/pawl https://h/home/x $D/root/x ${D}/root/x\n",
          "build-x/a.md": HOME + "\n"}, None),
    ],
    "spdx": [
        ("a C file without", {"src/base/a.c": "int x;\n"}, r"a\.c:1: the first line"),
        ("in the second line", {"include/pawl/a.h": "\n" + SPDX}, r"a\.h:1: the first line"),
        ("another licence", {"test/a.c": SPDX.replace("Apache-2.0", "MIT")}, r"a\.c:1: the first line"),
        ("a script without", {"tools/a": "#!/bin/sh\necho\n"}, r"tools/a:2: the second line"),
        ("both with", {"src/base/a.c": SPDX, "tools/a": f"#!/bin/sh\n# {SPDX[3:-4]}\n"}, None),
    ],
    # Not a gate, but all of them count on it.
    "summary": [
        ("a failed case", {"a.json": GOOD, "b.json": log("FAIL", "[       OK ] test_c\n[  FAILED  ] test_d\n")},
         r"\n3 passed, 1 failed\n$"),
        ("a crash after good cases", {"a.json": GOOD, "b.json": log("ERROR", "[       OK ] test_c\n")},
         r"\n3 passed, 1 failed\n$"),
        ("a timeout", {"a.json": GOOD, "b.json": log("TIMEOUT")}, r"\n2 passed, 1 failed\n$"),
        ("a failed TAP line", {"a.json": GOOD, "b.json": log("FAIL", "1..2\nok 1 - x\nnot ok 2 - y\n")},
         r"\n3 passed, 1 failed\n$"),
        ("a run that did not happen", {"a.json": GOOD}, r"b\.json: no test was run\n2 passed, 1 failed\n$"),
        ("a run without tests", {"a.json": GOOD, "b.json": ""}, r"\n2 passed, 1 failed\n$"),
        ("nothing but skips", {"a.json": log("SKIP"), "b.json": log("SKIP")},
         r"^0 passed, 0 failed, 2 skipped\n$"),
        ("good runs", {"a.json": GOOD, "b.json": log("OK", "1..2\nok 1 - x\nok 2 - y # SKIP z\n")}, None),
    ],
    "exports": [
        ("a declared symbol that the map leaves out",
         export(DECLARED + "int pawl_open(void) { return 0; }\n"
                "PAWL_EXPORT int pawl_shut(void);\nint pawl_shut(void) { return 0; }\n",
                ["pawl_open"], DECLARED + "PAWL_EXPORT int pawl_shut(void);\n"),
         r"pawl_shut: declared PAWL_EXPORT, not exported"),
        ("a row of the map that nothing defines",
         export(DECLARED + "int pawl_open(void) { return 0; }\n", ["pawl_open", "pawl_gone"], DECLARED),
         r"pawl_gone: in the map, not exported"),
        ("an internal name",
         export(OPEN + "PAWL_EXPORT int pawl__x(void);\nint pawl__x(void) { return 0; }\n",
                ["pawl__x"], OPEN + "PAWL_EXPORT int pawl__x(void);\n"),
         r"pawl__x: does not start with pawl_"),
        ("an export that no header declares",
         export(DECLARED + "int pawl_open(void) { return 0; }\n", ["pawl_open"], ""),
         r"pawl_open: exported, not declared"),
        ("an exact library",
         export(DECLARED + "int pawl_open(void) { return 0; }\nint hidden(void);\n"
                "int hidden(void) { return 0; }\n", ["pawl_open"], DECLARED), None),
    ],
}


def command(gate, tree):
    if gate == "summary":
        return [ROOT / "tools/summary.py", tree / "a.json", tree / "b.json"]
    if gate == "purity":
        subprocess.run(["gcc", "-O1", "-c", "x.c", "-o", "x.o"], cwd=tree, check=True)
        subprocess.run(["ar", "rcs", "libx.a", "x.o"], cwd=tree, check=True)
        return [HERE / "purity.sh", tree / "libx.a"]
    if gate == "exports":
        subprocess.run(["gcc", "-shared", "-fPIC", "-fvisibility=hidden", "x.c", "-o", "libx.so",
                        "-Wl,--version-script=x.map"], cwd=tree, check=True)
        return [HERE / "exports.py", tree / "libx.so", tree / "x.map", tree / "include"]
    if gate == "tidy":
        return [HERE / "tidy.py", tree, tree / "build"]
    script = HERE / f"{gate}.py"
    return [script if script.exists() else HERE / f"{gate}.sh", tree]


def run_case(gate, files, refusal):
    """None, or why the gate did not do what it must."""
    if gate == "purity":
        files = {"x.c": files}
    with tempfile.TemporaryDirectory() as name:
        tree = pathlib.Path(name).resolve() / "tree"
        for path, text in files.items():
            at = tree / path
            at.parent.mkdir(parents=True, exist_ok=True)
            at.write_text(text.replace("@ROOT@", str(tree)))
        for part in ("src", "include"):
            (tree / part).mkdir(exist_ok=True)
        run = subprocess.run(command(gate, tree), text=True, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
    if refusal is None:
        return None if run.returncode == 0 else f"refused:\n{run.stdout}"
    if run.returncode == 0:
        return "passed"
    return None if re.search(refusal, run.stdout) else f"refused with other words:\n{run.stdout}"


def main(gate):
    bad = 0
    print(f"1..{len(CASES[gate])}")
    for n, (what, files, refusal) in enumerate(CASES[gate], 1):
        why = run_case(gate, files, refusal)
        print(f"{'not ' if why else ''}ok {n} - {gate}: {what}")
        if why:
            bad = 1
            print("\n".join("# " + line for line in why.splitlines()))
    return bad


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
