#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""race_detect.py PLANTED_SERVER RACE_VOLLEY - planted races of a 50 microsecond window are found
within 20 rounds of last-byte sync; their correct twins are never accused in 1,000 rounds."""
import contextlib
import subprocess
import sys

WINDOW_US, CLIENTS, FIND_ROUNDS, TWIN_ROUNDS = 50, 30, 20, 1000
KINDS = ("counter", "retry", "cache")


@contextlib.contextmanager
def server(program, *options):
    proc = subprocess.Popen([program, "--window-us", str(WINDOW_US), *options],
                            stdout=subprocess.PIPE, text=True)
    try:
        yield f"http://127.0.0.1:{int(proc.stdout.readline())}"
    finally:
        proc.kill()
        proc.wait()


def volley(program, *args):
    """The figures of the last line: rounds, accused, overlapped, lost."""
    out = subprocess.run([program, *map(str, args)], check=True, stdout=subprocess.PIPE, text=True,
                         timeout=600).stdout.splitlines()[-1].split()
    return dict(zip(out[::2], map(int, out[1::2])))


def main(planted, race_volley):
    problems = []
    with server(planted) as naive, server(planted, "--correct") as correct:
        for kind in KINDS:
            found = volley(race_volley, naive, kind, CLIENTS, FIND_ROUNDS, "--until-found",
                           "--head-ms", 20)
            print(f"{kind}: {found['rounds']} rounds, found {found['accused']}")
            if found["accused"] != 1 or found["lost"] != 0:
                problems.append(f"{kind} is not found in {FIND_ROUNDS} rounds: {found}")
        for kind in KINDS:
            twin = volley(race_volley, correct, kind, CLIENTS, TWIN_ROUNDS, "--head-ms", 1)
            print(f"{kind}, correct: {twin['rounds']} rounds, accused {twin['accused']}, "
                  f"overlapped {twin['overlapped']}")
            # Not accused for want of a race would prove nothing.
            if twin["accused"] != 0 or twin["lost"] != 0 or twin["rounds"] != TWIN_ROUNDS \
                    or twin["overlapped"] < TWIN_ROUNDS // 4:
                problems.append(f"{kind}, correct: {twin}")
    for problem in problems:
        print("FAILED:", problem)
    return 1 if problems else 0


sys.exit(main(*sys.argv[1:]))
