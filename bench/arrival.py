#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How close together requests arrive, and how often that finds a race: pawl race's load generator
beside what a user would take instead, in one run on one machine.

    bench/arrival.py BUILDDIR [--rounds 15] [--detect 200] [--write docs/benchmarks-race.md]

Arrival is measured by the server (test/rig/stamp_server.c: one epoll thread that notes when each
request was complete, and in which read()). Every tool has its turn in every round, so that a
machine that gets slower does so for all. Detection is of the planted races of
test/rig/planted_server.c with a window of 50 microseconds. Missing tools are left out, by name.
"""
import argparse
import contextlib
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request

WINDOW_US, DETECT_CLIENTS, UNSYNC_US = 50, 30, 100000
BODY = '{"quantity":1}'


class Stamps:
    """The stamp server, with a relay before it: N(20 ms, 4 ms) on each connection and direction."""

    def __init__(self, build):
        self.proc = subprocess.Popen([build / "test/rig/race_stamps", "--jitter-us", "20000", "4000"],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port, self.relay = (int(self.proc.stdout.readline()) for _ in range(2))

    def take(self):
        """(ns, read) of each request since the last call."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/stamps", timeout=20) as answer:
            return [tuple(map(int, line.split()[:2])) for line in answer.read().decode().splitlines()]

    def close(self):
        self.proc.stdin.close()
        self.proc.wait(timeout=20)


class Tools:
    def __init__(self, build, stamps, scratch):
        self.build, self.stamps = build, stamps
        self.body = pathlib.Path(scratch) / "body.json"
        self.body.write_text(BODY)

    def url(self, jitter):
        return f"http://127.0.0.1:{self.stamps.relay if jitter else self.stamps.port}"

    def volley(self, n, jitter, *options):
        out = subprocess.run(
            [self.build / "test/rig/race_volley", self.url(jitter), "plain", str(n), "1",
             "--stamps", f"http://127.0.0.1:{self.stamps.port}", *options],
            check=True, stdout=subprocess.PIPE, text=True, timeout=120).stdout.split()
        return int(out[5]), int(out[6])  # us, reads

    def other(self, n, args):
        """A tool that knows nothing of the stamps."""
        self.stamps.take()
        subprocess.run(args, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       timeout=120)
        stamps = self.stamps.take()
        if len(stamps) != n:
            raise SystemExit(f"{args[0]}: {len(stamps)} requests arrived, not {n}")
        times = [ns for ns, _ in stamps]
        return (max(times) - min(times)) // 1000, len({read for _, read in stamps})

    def rows(self, n, jitter):
        """(name, measure) of each tool."""
        port = self.stamps.relay if jitter else self.stamps.port
        rows = [
            ("pawl, HTTP/2 single packet", lambda: self.volley(n, jitter, "--h2")),
            ("pawl, HTTP/1.1 last byte", lambda: self.volley(n, jitter)),
            ("pawl, HTTP/1.1 whole requests", lambda: self.volley(n, jitter, "--sync", "none")),
            ("threads and a barrier, last byte", lambda: self.other(
                n, [self.build / "bench/bench_barrier", str(port), str(n)])),
        ]
        if shutil.which("curl"):
            rows.append(("curl --parallel-immediate", lambda: self.other(
                n, ["curl", "-s", "--parallel", "--parallel-immediate", "--parallel-max", "300",
                    "-d", BODY, "-o", os.devnull, f"{self.url(jitter)}/plain[1-{n}]"])))
        if shutil.which("ab"):
            rows.append((f"ab -n{n} -c{n}", lambda: self.other(
                n, ["ab", "-n", str(n), "-c", str(n), "-p", str(self.body), "-T",
                    "application/json", f"{self.url(jitter)}/plain"])))
        return rows


def arrival(tools, n, jitter, rounds):
    """name -> (spreads in us, reads), each tool in turn in every round."""
    found = {}
    for _ in range(rounds):
        for name, measure in tools.rows(n, jitter):
            us, reads = measure()
            spreads, all_reads = found.setdefault(name, ([], []))
            spreads.append(us)
            all_reads.append(reads)
    return found


@contextlib.contextmanager
def planted(build):
    proc = subprocess.Popen([build / "test/rig/planted_server", "--window-us", str(WINDOW_US)],
                            stdout=subprocess.PIPE, text=True)
    try:
        yield f"http://127.0.0.1:{int(proc.stdout.readline())}"
    finally:
        proc.kill()
        proc.wait()


def detection(build, rounds):
    """kind -> [(sync, accused, overlapped)], in turns of a tenth of the rounds."""
    found, first = {}, 0
    ways = (("last byte", ["--sync", "last-byte"]), ("whole requests", ["--sync", "none"]),
            ("unsynchronised", ["--sync", "spread", "--spread-us", str(UNSYNC_US)]))
    with planted(build) as url:
        for turn in range(10):
            for kind in ("counter", "retry", "cache"):
                for way, options in ways:
                    out = subprocess.run(
                        [build / "test/rig/race_volley", url, kind, str(DETECT_CLIENTS),
                         str(rounds // 10), "--head-ms", "20", "--first", str(first), "--seed",
                         str(turn * rounds), *options],
                        check=True, stdout=subprocess.PIPE, text=True,
                        timeout=600).stdout.splitlines()[-1].split()
                    first += rounds // 10
                    sums = found.setdefault((kind, way), [0, 0])
                    sums[0] += int(out[3])
                    sums[1] += int(out[5])
    return found


def page(args, tables, detected):
    load = os.getloadavg()[0]
    lines = [
        "# Benchmarks of the race tester's load generator", "",
        "Written by `bench/arrival.py BUILDDIR --write docs/benchmarks-race.md`; every figure is of",
        f"one run: {platform.machine()}, {os.cpu_count()} CPUs, Linux {platform.release()}, load "
        f"{load:.1f} (other work ran on the machine when it is over 2).", "",
        "## How close together requests arrive", "",
        "From the first request complete to the last, by the server's own clock (one epoll thread,",
        f"loopback). {args.rounds} rounds, every tool in turn in each; microseconds.", "",
    ]
    for (n, jitter), found in tables.items():
        where = "behind a relay of 20 ± 4 ms for each connection" if jitter else "on loopback"
        lines += [f"### {n} requests {where}", "",
                  "| | min | median | max | read()s, median |", "|---|---:|---:|---:|---:|"]
        for name, (us, reads) in found.items():
            lines.append(f"| {name} | {min(us):,} | {statistics.median(us):,.0f} | {max(us):,} | "
                         f"{statistics.median(reads):.0f} |")
        lines.append("")
    lines += [
        "In HTTP/2 all requests are in one read(): what is left is the time that the server takes to",
        "go through them. HTTP/1.1 cannot be closer than one server thread reads its sockets.", "",
        "## How often a race is found", "",
        f"Races planted in a small server, with a window of {WINDOW_US} microseconds between check "
        f"and act;", f"{args.detect} rounds of {DETECT_CLIENTS} requests each. Unsynchronised: the "
        f"same requests at random moments within {UNSYNC_US // 1000} ms.", "",
        "| race | last byte | whole requests at once | unsynchronised | last byte finds it |",
        "|---|---:|---:|---:|---:|",
    ]
    for kind in ("counter", "retry", "cache"):
        hits = [detected[kind, way][0] for way in ("last byte", "whole requests", "unsynchronised")]
        cells = " | ".join(f"{h / args.detect:.1%}" for h in hits)
        ratio = f"{hits[0] / hits[2]:.0f} times as often" if hits[2] else \
            f"more than {hits[0]} times as often"
        lines.append(f"| {kind} | {cells} | {ratio} |")
    lines += ["", "Rounds in which the overlap asked for was reached (otherwise the verdict would "
              "be inconclusive): " + ", ".join(
                  f"{kind} {detected[kind, 'last byte'][1]} of {args.detect}, unsynchronised "
                  f"{detected[kind, 'unsynchronised'][1]}" for kind in ("counter", "retry", "cache"))
              + ".", ""]
    return "\n".join(lines)


def verdicts(tables, detected):
    """What the project promises of these figures."""
    n30 = tables[30, False]
    median = statistics.median(n30["pawl, HTTP/1.1 last byte"][0])
    yield median <= 350, f"30 requests over HTTP/1.1 arrive within 350 us (median {median:.0f})"
    for key, found in tables.items():
        reads = max(found["pawl, HTTP/2 single packet"][1])
        yield reads == 1, f"{key[0]} requests over HTTP/2{' with jitter' if key[1] else ''}: " \
                          f"{reads} read()"
    for kind in ("counter", "retry", "cache"):
        hit, miss = detected[kind, "last byte"][0], detected[kind, "unsynchronised"][0]
        yield hit >= 10 * max(miss, 1), f"{kind}: {hit} against {miss} unsynchronised"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--detect", type=int, default=200)
    parser.add_argument("--write", type=pathlib.Path)
    args = parser.parse_args()
    args.detect = max(10, args.detect // 10 * 10)
    stamps = Stamps(args.build)
    with tempfile.TemporaryDirectory() as scratch:
        tools = Tools(args.build, stamps, scratch)
        tables = {(n, jitter): arrival(tools, n, jitter, args.rounds)
                  for n, jitter in ((30, False), (200, False), (30, True))}
    stamps.close()
    detected = detection(args.build, args.detect)
    text = page(args, tables, detected)
    print(text)
    good = True
    for held, what in verdicts(tables, detected):
        print("ok  " if held else "MISSED", what)
        good = good and held
    if args.write:
        args.write.write_text(text)
    return 0 if good else 1


sys.exit(main())
