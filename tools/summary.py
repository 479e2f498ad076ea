#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""summary.py TESTLOG... - count the tests of meson runs from their JSON logs.

Where a test's output names its cases (cmocka, TAP) each case counts, else the test does. The last
line is "N passed, N failed[, N skipped]". Exit 1 when anything failed, or when a log is missing or
empty: a run that did not happen is a failure.
"""
import collections
import json
import re
import sys

CASES = {
    "passed": re.compile(r"^(?:\[ +OK +\] |ok \d+(?!.*# skip))", re.M | re.I),
    "failed": re.compile(r"^(?:\[ +FAILED +\] |not ok \d+)", re.M),
    "skipped": re.compile(r"^(?:\[ +SKIPPED +\] |ok \d+.*# skip)", re.M | re.I),
}
RESULTS = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped"}


def count_test(test):
    """The cases of one meson test. Its own result has the last word."""
    # cmocka lists its failures a second time, on stderr.
    out = test.get("stdout") or ""
    result = RESULTS.get(test["result"], "failed")
    cases = collections.Counter({kind: len(r.findall(out)) for kind, r in CASES.items()})
    if result == "failed":
        # A crash or a leak found at exit fails no case.
        cases["failed"] = max(cases["failed"], 1)
        return cases
    if cases["failed"] or not sum(cases.values()):
        return collections.Counter({result: 1})
    return cases


def count_log(path):
    cases, broken = collections.Counter(), []
    try:
        with open(path, encoding="utf-8") as log:
            tests = [json.loads(line) for line in log]
    except FileNotFoundError:
        tests = []
    if not tests:
        return collections.Counter(failed=1), [f"{path}: no test was run"]
    for test in tests:
        n = count_test(test)
        cases += n
        if n["failed"]:
            broken.append(f"{path.split('/')[0]}: {test['name']}: {test['result']}")
    return cases, broken


def main(paths):
    total, broken = collections.Counter(), []
    for path in paths:
        n, b = count_log(path)
        total += n
        broken += b
    for line in broken:
        print("failed:", line)
    skipped = f", {total['skipped']} skipped" if total["skipped"] else ""
    print(f"{total['passed']} passed, {total['failed']} failed{skipped}")
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
