#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long `pawl check` takes and how much memory, over histories that bench/check_gen makes.

    bench/check.py BUILDDIR [--rounds 5] [--write docs/benchmarks-check.md] [--quick]

Every figure is of a whole cold process, reading included: wall time, CPU time (user and system) and
peak resident memory (wait4), medians over the rounds; a round runs every row once. A target is held
against the CPU time: it is what the wall time is where nobody else has the machine. The verdict of
each row is checked too, and that two runs print the same bytes. The targets and what the peers needed for inputs
of the same kind and size stand beside them; the peers were measured once on a machine of this class
(2 CPUs), on histories of their own generators. Exit status 1: a verdict is wrong or a target missed.
"""
import argparse
import hashlib
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

LA = ["--model", "list-append"]
RW = ["--model", "rw-register"]
CAS = ["--model", "cas-register"]
# name, files (kind, N, seed, more; xN = so many seeds), options, verdict, seconds, MB, peer
ROWS = [
    ("list-append 1M, strict serializable, valid", ("la-ssi", 1000000), LA, "valid", 2.5, 600,
     "Elle 44.6 s, 9.4 GB"),
    ("list-append 1M of a snapshot-isolation database", ("la-si", 1000000), LA, "invalid", 4.0, None,
     "Elle 66.7 s, 10.8 GB"),
    ("list-append 1M of nothing at all", ("la-brat", 1000000), LA, "invalid", None, None, ""),
    ("list-append 10,000 of nothing at all", ("la-brat", 10000), LA, "invalid", 0.2, None,
     "Elle 11-14 s, time-outs, not repeatable"),
    ("rw-register 100,000, serializable", ("rw", 100000),
     [*RW, "--consistency", "serializable"], "valid", 0.5, None, "Elle 134 s"),
    ("1M events, read-committed", ("plume", 1000000),
     [*RW, "--consistency", "read-committed"], "valid", 0.4, 500, "AWDIT 0.42 s; Plume 15 s"),
    ("1M events, read-atomic", ("plume", 1000000),
     [*RW, "--consistency", "read-atomic"], "valid", 0.6, 500, "AWDIT 0.65 s; Plume 18 s"),
    ("1M events, causal", ("plume", 1000000),
     [*RW, "--consistency", "causal"], "valid", 2.0, 500, "AWDIT 2.54 s, 1.14 GB; Plume 18 s"),
    ("102 register logs, one process", ("etcd", 85, 102, "5", "60"), CAS, None, 0.06, None,
     "Porcupine 0.334 s"),
    ("kv, 50 clients", ("kv", 2000, 1, "50"), ["--model", "kv"], "valid", 0.02, None,
     "Porcupine 0.094 s"),
    ("kv, 10 clients, unpartitioned", ("kv", 340, 1, "10"), ["--model", "kv", "--unpartitioned"],
     "valid", 0.2, None, "Porcupine 1.456 s"),
    ("cas-register 100,000, 10 clients, good", ("cas", 100000), CAS, "valid", 0.4, 50,
     "Porcupine 1.77 s, 2.7 GB"),
    ("cas-register 100,000, 10 clients, bad", ("cas-bad", 100000), CAS, "invalid", 0.4, 50,
     "Porcupine unknown after 60 s, 21.5 GB"),
    ("cas-register 1,000, 20 clients, 1 % crashed, bad", ("cas-bad", 1000, 1, "20", "10"), CAS,
     "invalid", 0.2, None, "Porcupine unknown after 60 s"),
]
GROWTH = [("list-append, strict serializable", "la-ssi", LA),
          ("list-append, snapshot isolation", "la-si", LA),
          ("list-append, nothing at all", "la-brat", LA),
          ("rw-register, serializable", "rw", [*RW, "--consistency", "serializable"]),
          ("registers, causal", "plume", [*RW, "--consistency", "causal"]),
          ("cas-register", "cas", CAS)]
EXITS = {"valid": 0, "invalid": 1, "unknown": 9}


class Inputs:
    def __init__(self, build):
        self.gen = build / "bench" / "check_gen"
        self.dir = build / "bench-check"
        self.dir.mkdir(exist_ok=True)

    def one(self, kind, n, seed, *more):
        path = self.dir / f"{kind}-{n}-{seed}{''.join('-' + m for m in more)}"
        if not path.exists():
            part = path.with_suffix(".part")
            with part.open("wb") as f:
                subprocess.run([self.gen, kind, str(n), str(seed), *more], stdout=f, check=True)
            part.rename(path)
        return path

    def files(self, spec):
        kind, n, count, *more = [*spec, 1][:3] + list(spec[3:])
        return [self.one(kind, n, seed, *more) for seed in range(1, count + 1)]


def run(pawl, args, files):
    """Wall seconds, CPU seconds, MB, exit status, hash of what it printed."""
    out = hashlib.sha256()
    begin = time.monotonic()
    p = subprocess.Popen([pawl, "check", *args, *files], stdout=subprocess.PIPE)
    while part := p.stdout.read(1 << 20):
        out.update(part)
    _, status, usage = os.wait4(p.pid, 0)
    wall = time.monotonic() - begin
    p.returncode = os.waitstatus_to_exitcode(status)
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, p.returncode, out.hexdigest()


def measure(pawl, jobs, rounds):
    """jobs: name -> (args, files); medians of each, in rounds."""
    seen = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, (args, files) in jobs.items():
            seen[name].append(run(pawl, args, files))
    for name, runs in seen.items():
        if len({(r[3], r[4]) for r in runs}) != 1:
            raise SystemExit(f"{name}: two runs differ")
    return {name: [statistics.median(r[i] for r in runs) for i in range(3)] + [runs[0][3]]
            for name, runs in seen.items()}


def bytes_of(files):
    return sum(f.stat().st_size for f in files)


def table(pawl, inputs, rounds, quick):
    rows = [r for r in ROWS if not quick or r[1][1] <= 100000]
    files = {r[0]: inputs.files(r[1]) for r in rows}
    got = measure(pawl, {r[0]: (r[2], files[r[0]]) for r in rows}, rounds)
    lines, bad, data = [], [], {}
    for name, _, _, verdict, seconds, mb, peer in rows:
        wall, cpu, rss, code = got[name]
        if verdict is not None and code != EXITS[verdict]:
            bad.append(f"{name}: exit {code}, want {verdict}")
        if (seconds is not None and cpu > seconds) or (mb is not None and rss > mb):
            bad.append(f"{name}: {cpu:.3f} s, {rss:.0f} MB, want {seconds} s, {mb} MB")
        target = " ".join(x for x in (f"<= {seconds} s" if seconds else "",
                                      f"<= {mb} MB" if mb else "") if x)
        lines.append(f"| {name} | {bytes_of(files[name]) / 1e6:.1f} | {wall:.3f} | {cpu:.3f} | "
                     f"{rss:.0f} | {target} | {peer} |")
        data[name] = {"wall_s": wall, "cpu_s": cpu, "rss_mb": rss}
    return lines, bad, data


def growth(pawl, inputs, rounds, quick):
    sizes = [10000, 100000] + ([] if quick else [1000000])
    jobs = {(name, n): (args, [inputs.one(kind, n, 1)]) for name, kind, args in GROWTH for n in sizes}
    got = measure(pawl, jobs, rounds)
    lines, data = [], {}
    for name, _, _ in GROWTH:
        cells = [f"{got[(name, n)][1]:.3f} s ({got[(name, n)][1] / n * 1e6:.2f})" for n in sizes]
        last = got[(name, sizes[-1])]
        data[name] = {n: {"cpu_s": got[(name, n)][1], "rss_mb": got[(name, n)][2]} for n in sizes}
        lines.append(f"| {name} | {' | '.join(cells)} | {last[2]:.0f} |")
    head = "| | " + " | ".join(f"{n:,}: s (us each)" for n in sizes) + " | MB at the last |"
    return [head, "|" + "---|" * (len(sizes) + 2), *lines], data


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("build", type=pathlib.Path)
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--write", type=pathlib.Path)
    ap.add_argument("--quick", action="store_true", help="nothing over 100,000 operations")
    args = ap.parse_args()
    inputs = Inputs(args.build.resolve())
    pawl = args.build.resolve() / "pawl"
    rows, bad, data = table(pawl, inputs, args.rounds, args.quick)
    grown, growth_data = growth(pawl, inputs, args.rounds, args.quick)
    text = "\n".join([
        "# Benchmarks of `pawl check`", "",
        f"Printed by `bench/check.py`, which says how each is measured: whole cold processes, reading "
        f"included, medians of {args.rounds} rounds, {os.cpu_count()} CPUs, "
        f"{platform.machine()}. The inputs are made by `bench/check_gen` from seeds. The machines are "
        "shared, and wall time has the others' work in it, so the targets, which are wall times of an "
        "idle machine, are held against CPU time (user and system); peers are quoted in wall time. "
        "Memory under 20 MB shows as that: it is the starter's own.", "",
        "| job | MB of input | wall s | CPU s | peak MB | target | peer, measured on histories of its own |",
        "|---|---|---|---|---|---|---|", *rows, "",
        "Growth, CPU time in all and microseconds per operation (registers: per event):", "",
        *grown, ""])
    print(text)
    (args.build / "bench-check.json").write_text(json.dumps({"rows": data, "growth": growth_data},
                                                            indent=2) + "\n")
    if args.write:
        args.write.write_text(text)
    for problem in bad:
        print(f"missed: {problem}", file=sys.stderr)
    sys.exit(bool(bad))


main()
