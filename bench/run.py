#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Side-by-side benchmarks: pawl and what a user would pick instead, in one run on one machine.

    bench/run.py BUILDDIR [--rounds 3] [--seconds 3] [--growth 100000,1000000,5000000]
                 [--write docs/benchmarks.md] [--quick]

Every comparison is made in rounds (A B C, A B C, ..), so that a machine that gets faster or slower
does so for all; medians over the rounds are quoted, and ratios of medians. Results go to
BUILDDIR/bench.json; --write copies the figures into the page.
"""
import argparse
import http.client
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

# The same order: key with fingerprint and answer, kept a day; stock; order row; event row.
LUA = """
local known = redis.call('HMGET', KEYS[1], 'fingerprint', 'answer')
if known[1] then
  if known[1] ~= ARGV[1] then return redis.error_reply('key reused') end
  return known[2]
end
if tonumber(redis.call('GET', 'stock')) < 1 then return 'insufficient' end
redis.call('DECR', 'stock')
local id = redis.call('INCR', 'orders')
redis.call('HSET', 'order:' .. id, 'state', 'confirmed', 'sku', 'hot', 'quantity', 1, 'customer', ARGV[4])
redis.call('XADD', 'events', '*', 'key', id, 'body', ARGV[3])
redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'answer', ARGV[2])
redis.call('EXPIRE', KEYS[1], 86400)
return ARGV[2]
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, process, seconds=20):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise SystemExit(f"server ended with {process.returncode}: {process.args}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.005)
    raise SystemExit(f"no answer on port {port}: {process.args}")


class Server:
    """A child process that listens on a port, stopped by its pid."""

    def __init__(self, args, port, cwd=None):
        self.port = port
        start = time.monotonic()
        self.process = subprocess.Popen(args, cwd=cwd, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        wait_port(port, self.process)
        self.start_ms = (time.monotonic() - start) * 1000

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def use(self):
        """CPU seconds, bytes sent to storage."""
        proc = pathlib.Path(f"/proc/{self.process.pid}")
        fields = proc.joinpath("stat").read_text().rpartition(")")[2].split()
        io = dict(line.split(": ") for line in proc.joinpath("io").read_text().splitlines())
        ticks = int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK"), int(io["write_bytes"])

    def rss_kib(self, field="VmRSS"):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(l for l in text.splitlines() if l.startswith(field + ":")).split()[1])


class Bench:
    def __init__(self, build, args):
        self.build = pathlib.Path(build).resolve()
        self.here = pathlib.Path(__file__).resolve().parent
        self.args = args
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=self.build))
        self.results = {}
        self.serial = 0

    def tool(self, name):
        return str(self.build / "bench" / name)

    def file(self, suffix):
        self.serial += 1
        return str(self.scratch / f"{self.serial}{suffix}")

    def note(self, name, row):
        self.results.setdefault(name, []).append(row)
        print(f"  {name:34} {row['per_s']:>9,.0f}/s", end="")
        for key, label in (("p50_us", "p50"), ("p99_us", "p99")):
            if key in row:
                print(f"  {label} {row[key] / 1000:8.2f} ms", end="")
        if row.get("cpu_us"):
            print(f"  cpu {row['cpu_us']:6.2f} us", end="")
        print(flush=True)

    def run_json(self, args):
        done = subprocess.run(args, stdout=subprocess.PIPE, text=True, timeout=1800)
        if not done.stdout.strip():
            raise SystemExit(f"no result (exit {done.returncode}): {args}")
        row = json.loads(done.stdout.strip().splitlines()[-1])
        if done.returncode != 0:
            row["exit"] = done.returncode
        return row

    def load(self, server, conns=64, depth=1, items=1):
        """wrk, one thread; the server's CPU and written bytes as the kernel counts them."""
        before = server.use()
        row = self.run_json(["wrk", "-t1", f"-c{conns}", f"-d{self.args.seconds}s", "-s",
                             str(self.here / "order.lua"), f"http://127.0.0.1:{server.port}/", "--",
                             str(items), str(depth)])
        after = server.use()
        row["conns"], row["depth"], row["items"] = conns, depth, items
        row["cpu_us"] = (after[0] - before[0]) * 1e6 / row["orders"]
        row["bytes"] = (after[1] - before[1]) / row["orders"]
        if row["refused"] or row["failed"]:
            raise SystemExit(f"orders were refused or lost: {row}")
        return row

    def make_items(self, server, items):
        conn = http.client.HTTPConnection("127.0.0.1", server.port)
        for i in range(items):
            conn.request("PUT", f"/v1/items/item-{i:05}", '{"stock":1000000000000}',
                         {"Content-Type": "application/json"})
            answer = conn.getresponse()
            answer.read()
            if answer.status != 201:
                raise SystemExit(f"PUT item: {answer.status}")
        conn.close()

    def serve(self, *options):
        port = free_port()
        store = self.file(".db")
        return Server([str(self.build / "pawl"), "serve", "--listen", f"127.0.0.1:{port}", "--store",
                       "sqlite:" + store, *options], port)

    # the measurements

    def front(self, conns):
        port = free_port()
        with Server([self.tool("bench_front"), "serve", str(port)], port) as s:
            self.note(f"front, no storage, {conns}", self.load(s, conns=conns))

    def http(self, name, *options, **load):
        with self.serve(*options) as s:
            self.make_items(s, load.get("items", 1))
            row = self.load(s, **load)
            row["rss_kib"] = s.rss_kib("VmHWM")
            row["start_ms"] = s.start_ms
            self.note(name, row)

    def redis(self):
        if shutil.which("redis-server") is None:
            print("  redis: not installed, skipped")
            return
        port = free_port()
        args = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                "--appendonly", "yes", "--appendfsync", "always", "--dir", str(self.scratch),
                "--appenddirname", f"aof-{port}"]
        with Server(args, port):
            cli = ["redis-cli", "-p", str(port)]
            sha = subprocess.run(cli + ["SCRIPT", "LOAD", LUA], stdout=subprocess.PIPE, text=True,
                                 check=True).stdout.strip()
            subprocess.run(cli + ["SET", "stock", "1000000000"], check=True,
                           stdout=subprocess.DEVNULL)
            out = subprocess.run(
                ["redis-benchmark", "-p", str(port), "-c", "200", "-n", str(self.args.redis), "-r",
                 "1000000000", "--csv", "EVALSHA", sha, "1", "key:__rand_int__" + "k" * 16,
                 "f" * 32, "a" * 150, "e" * 200, "a customer with a name of some length"],
                stdout=subprocess.PIPE, text=True, check=True).stdout.strip().splitlines()[-1]
            cells = [c.strip('"') for c in out.split('","')]
            self.note("redis, Lua, fsync always, 200",
                      {"per_s": float(cells[1]), "p50_us": float(cells[4]) * 1000,
                       "p99_us": float(cells[6]) * 1000, "conns": 200})

    def library(self, name, **options):
        args = [self.tool("bench_orders"), "--store", "sqlite:" + self.file(".db"), "--seconds",
                str(self.args.seconds)]
        for key, value in options.items():
            args += ["--" + key, str(value)]
        self.note(name, self.run_json(args))

    def baseline(self, name, mode, **options):
        args = [self.tool("bench_baseline"), mode, "--file", self.file(".db"), "--seconds",
                str(self.args.seconds)]
        for key, value in options.items():
            args += ["--" + key, str(value)]
        self.note(name, self.run_json(args))

    def growth(self):
        for rows in self.args.growth:
            store = self.file(".db")
            self.note(f"libpawl, {rows:,} orders in the store",
                      self.run_json([self.tool("bench_orders"), "--store", "sqlite:" + store,
                                     "--rows", str(rows), "--measure", str(self.args.measure)]))
            for path in self.scratch.glob(pathlib.Path(store).name + "*"):
                path.unlink()

    def run(self):
        for i in range(self.args.rounds):
            print(f"round {i + 1} of {self.args.rounds}")
            self.front(64)
            self.http("pawl, hot item, 64", conns=64)
            self.http("pawl, one order a commit, 64", "--batch-max", "1", conns=64)
            self.redis()
            self.front(1000)
            self.http("pawl, hot item, 1000", conns=1000)
            self.http("pawl, hot item, 200", conns=200)
            self.http("pawl, hot item, 64, pipelined 10", conns=64, depth=10)
            self.http("pawl, 10,000 items, 64", conns=64, items=10000)
            self.http("pawl, 10,000 items, 1000", conns=1000, items=10000)
            self.http("pawl, hot item, 64, on the loop", "--commit", "loop", conns=64)
            self.http("pawl, hot item, 1000, on the loop", "--commit", "loop", conns=1000)
            self.library("libpawl, hot item, 1000 in flight")
            self.baseline("SQLite batch ceiling, 1000 a commit", "batch", batch=1000)
            self.library("libpawl, 10,000 items", items=10000)
            self.baseline("SQLite, one order a commit, 1 thread", "tx", threads=1)
            self.baseline("SQLite, one order a commit, 8 threads", "tx", threads=8)
            for path in self.scratch.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        if self.args.growth:
            print("growth")
            self.growth()

    def median(self, name, key):
        rows = [r[key] for r in self.results.get(name, []) if key in r]
        return statistics.median(rows) if rows else None


RATIOS = [
    # what, of, over, at least
    ("hot item at 64 over one order a commit", "pawl, hot item, 64", "pawl, one order a commit, 64", 8),
    ("hot item at 200 over redis with Lua at 200", "pawl, hot item, 200", "redis, Lua, fsync always, 200", 2),
    ("hot item at 64 of the front's ceiling", "pawl, hot item, 64", "front, no storage, 64", 0.40),
    ("hot item at 1000 of the front's ceiling", "pawl, hot item, 1000", "front, no storage, 1000", 0.55),
    ("commit on the lane's thread over on the loop, at 64", "pawl, hot item, 64",
     "pawl, hot item, 64, on the loop", None),
    ("the same at 1000", "pawl, hot item, 1000", "pawl, hot item, 1000, on the loop", None),
    ("pipelined over not", "pawl, hot item, 64, pipelined 10", "pawl, hot item, 64", 1),
    ("libpawl of the batch ceiling", "libpawl, hot item, 1000 in flight",
     "SQLite batch ceiling, 1000 a commit", 0.50),
    ("libpawl over one order a commit, 1 thread", "libpawl, hot item, 1000 in flight",
     "SQLite, one order a commit, 1 thread", None),
    ("libpawl over one order a commit, 8 threads", "libpawl, hot item, 1000 in flight",
     "SQLite, one order a commit, 8 threads", None),
]


def page(bench):
    lines = ["# Benchmarks", "",
             "Printed by `make bench` (`bench/run.py`, which says how each is measured); medians of "
             f"{bench.args.rounds} rounds of {bench.args.seconds:g} s in one run, load generator on the "
             f"same {os.cpu_count()} cores. The machines are shared: trust the ratios.", "",
             "Every order is durable (fsync) before its answer. One order = an idempotency key with a "
             "32-byte fingerprint and a stored answer, a stock decrement, an order row, an event row. "
             "Load over HTTP: wrk, one thread (a closed loop, so percentiles are those of equal load only); redis: "
             "`redis-benchmark`.", "",
             "| | orders/s | p50 ms | p99 ms | p99.9 ms | server CPU us/order | bytes written/order |",
             "|---|---|---|---|---|---|---|"]

    def cell(name, key, scale=1.0, digits=2):
        v = bench.median(name, key)
        return "" if not v else f"{v / scale:,.{digits}f}"

    for name in bench.results:
        if "in the store" in name:
            continue
        lines.append(f"| {name} | {cell(name, 'per_s', digits=0)} | {cell(name, 'p50_us', 1000)} | "
                     f"{cell(name, 'p99_us', 1000)} | {cell(name, 'p999_us', 1000)} | "
                     f"{cell(name, 'cpu_us')} | {cell(name, 'bytes', digits=0)} |")
    lines += ["", "| ratio | measured | wanted |", "|---|---|---|"]
    for what, of, over, least in RATIOS:
        a, b = bench.median(of, "per_s"), bench.median(over, "per_s")
        if a and b:
            lines.append(f"| {what} | {a / b:.2f} | {'' if least is None else f'>= {least:g}'} |")
    grown = [n for n in bench.results if "in the store" in n]
    if grown:
        first = bench.median(grown[0], "per_s")
        lines += ["", "Growth, libpawl, one hot item:", "",
                  "| | orders/s | of the first | p99 ms | bytes written/order | RSS MiB |",
                  "|---|---|---|---|---|---|"]
        for name in grown:
            v = bench.median(name, "per_s")
            lines.append(f"| {name} | {v:,.0f} | {v / first:.2f} | {cell(name, 'p99_us', 1000)} | "
                         f"{cell(name, 'bytes', digits=0)} | {cell(name, 'rss_kib', 1024, 0)} |")
    peak = [r["rss_kib"] for rows in bench.results.values() for r in rows
            if "rss_kib" in r and r.get("name") == "http"]
    start = [r["start_ms"] for rows in bench.results.values() for r in rows if "start_ms" in r]
    if peak and start:
        lines += ["", f"`pawl serve`: started and listening after {statistics.median(start):.0f} ms "
                  f"(median), greatest resident size under these loads {max(peak) / 1024:.0f} MiB."]
    lines.append("")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--redis", type=int, default=60000, help="orders given to redis")
    # Twice as many as a run of remembered answers holds: what comes once a run is in the measure.
    parser.add_argument("--measure", type=int, default=524288, help="orders measured after growth")
    parser.add_argument("--growth", default="100000,1000000,5000000")
    parser.add_argument("--write", help="copy the figures into this page")
    parser.add_argument("--quick", action="store_true", help="one short round, no growth")
    args = parser.parse_args()
    args.growth = [int(n) for n in args.growth.split(",") if n]
    if args.quick:
        args.rounds, args.seconds, args.redis, args.growth = 1, 1, 20000, []
    bench = Bench(args.build, args)
    try:
        bench.run()
    finally:
        shutil.rmtree(bench.scratch, ignore_errors=True)
    text = page(bench)
    print("\n" + text)
    (bench.build / "bench.json").write_text(json.dumps(
        {"machine": platform.machine(), "cores": os.cpu_count(), "rounds": args.rounds,
         "seconds": args.seconds, "results": bench.results}, indent=1))
    if args.write:
        pathlib.Path(args.write).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
