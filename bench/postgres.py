#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pawl on PostgreSQL and the ways in which the same order is written by hand, in one run on one cluster.

    bench/postgres.py BUILDDIR [--rounds 3] [--seconds 5] [--clients 1,16,64,200] [--items 1,10000]
                      [--write docs/benchmarks-postgres.md] [--quick]

By hand (pgbench, prepared statements): (a) SELECT .. FOR UPDATE, UPDATE, INSERTs; (b) one statement,
an atomic UPDATE in a CTE; (c) an optimistic version loop; (d) SERIALIZABLE with retry. One order is
the same everywhere: an idempotency key with a fingerprint and a stored answer, a stock decrement,
an order row, an event row. fsync and synchronous_commit are on. Orders are counted in the table, not
by attempts. Medians over rounds of all (A B C, A B C, ..).
"""
import argparse
import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "test" / "rig")]
import run as bench_run  # noqa: E402
import servers  # noqa: E402

SCHEMA = """
CREATE TABLE item (id int PRIMARY KEY, stock bigint NOT NULL CHECK (stock >= 0),
                   sold bigint NOT NULL DEFAULT 0, version bigint NOT NULL DEFAULT 0)
  WITH (fillfactor = 50);
CREATE TABLE orders (id bigserial PRIMARY KEY, item int NOT NULL, quantity int NOT NULL,
                     customer text NOT NULL);
CREATE TABLE answer (key text PRIMARY KEY, fingerprint bytea NOT NULL, body text NOT NULL,
                     at timestamptz NOT NULL DEFAULT now());
CREATE TABLE event (id bigserial PRIMARY KEY, topic text NOT NULL, body text NOT NULL);
INSERT INTO item SELECT i, 1000000000 FROM generate_series(0, 9999) i;
"""
KEY = ":client_id || '-' || :k1 || '-' || :k2"
PRINT = "decode(repeat('ab', 32), 'hex')"
ANSWER = """'{"id":"' || :id || '","state":"confirmed","lines":[{"sku":"item-00000","quantity":1}]}'"""
CUSTOMER = "'a customer with a name of some length'"
ROWS = f"""INSERT INTO orders (item, quantity, customer) VALUES (:item, 1, {CUSTOMER}) RETURNING id \\gset
INSERT INTO answer VALUES ({KEY}, {PRINT}, {ANSWER});
INSERT INTO event (topic, body) VALUES ('orders', {ANSWER});
"""
SET = """\\set item random(0, :items - 1)
\\set k1 random(1, 2000000000)
\\set k2 random(1, 2000000000)
"""
SCRIPTS = {
    "(a) SELECT FOR UPDATE": SET + """BEGIN;
SELECT stock FROM item WHERE id = :item FOR UPDATE;
UPDATE item SET stock = stock - 1, sold = sold + 1 WHERE id = :item;
""" + ROWS + "COMMIT;\n",
    "(b) one statement": SET + f"""WITH u AS (UPDATE item SET stock = stock - 1, sold = sold + 1
  WHERE id = :item AND stock >= 1 RETURNING id),
 o AS (INSERT INTO orders (item, quantity, customer) SELECT id, 1, {CUSTOMER} FROM u RETURNING id),
 a AS (INSERT INTO answer SELECT {KEY}, {PRINT}, {ANSWER.replace(":id", "id")} FROM o)
INSERT INTO event (topic, body) SELECT 'orders', {ANSWER.replace(":id", "id")} FROM o;
""",
    "(c) version loop": SET + """BEGIN;
SELECT version FROM item WHERE id = :item \\gset
WITH u AS (UPDATE item SET stock = stock - 1, sold = sold + 1, version = version + 1
  WHERE id = :item AND version = :version RETURNING 1) SELECT count(*) AS done FROM u \\gset
\\if :done = 1
""" + ROWS + "\\endif\nCOMMIT;\n",
    "(d) SERIALIZABLE": SET + """BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT stock FROM item WHERE id = :item;
UPDATE item SET stock = stock - 1, sold = sold + 1 WHERE id = :item;
""" + ROWS + "COMMIT;\n",
}


def cpu_s(pid):
    """CPU seconds of a postmaster and its children, the dead ones too."""
    tick, total = os.sysconf("SC_CLK_TCK"), 0
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        own = int(stat.parent.name) == pid
        if own or int(fields[1]) == pid:
            total += int(fields[11]) + int(fields[12])
        if own:
            total += int(fields[13]) + int(fields[14])
    return total / tick


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p))] if values else None


class Bench:
    def __init__(self, build, args):
        self.build, self.args = pathlib.Path(build).resolve(), args
        self.scratch = self.build / "bench-postgres"
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()
        self.results = {}
        self.serial = 0

    def fresh(self, postgres):
        """An empty database."""
        self.serial += 1
        name = f"bench{self.serial}"
        postgres.sql(f"CREATE DATABASE {name}", "postgres")
        return name

    @contextlib.contextmanager
    def measured(self, postgres, database, row, count):
        """Backend CPU and WAL bytes an order; count is SQL for the orders."""
        postgres.sql("CHECKPOINT", database)
        had = int(postgres.sql(count, database)) if count else 0
        cpu, lsn = cpu_s(postgres.proc.pid), postgres.sql("SELECT pg_current_wal_lsn()", database)
        yield
        if count:
            row["orders"] = int(postgres.sql(count, database)) - had
        if row["orders"]:
            wal = int(postgres.sql(f"SELECT pg_current_wal_lsn() - '{lsn}'", database))
            row["wal_bytes"] = wal / row["orders"]
            row["db_cpu_us"] = (cpu_s(postgres.proc.pid) - cpu) * 1e6 / row["orders"]

    def note(self, name, clients, items, row):
        self.results.setdefault((name, clients, items), []).append(row)
        p = "".join(f"  {k} {row[k + '_us'] / 1000:8.2f} ms" for k in ("p50", "p99")
                    if row.get(k + "_us"))
        print(f"  {name:26} {clients:5} clients {items:6} items {row['per_s']:>9,.0f}/s{p}"
              f"  db cpu {row.get('db_cpu_us', 0):7.1f} us  wal {row.get('wal_bytes', 0):6.0f} B",
              flush=True)

    def by_hand(self, postgres, name, clients, items):
        database = self.fresh(postgres)
        postgres.sql(SCHEMA, database)
        script = self.scratch / "script.sql"
        script.write_text(SCRIPTS[name])
        for old in self.scratch.glob("pgbench_log*"):
            old.unlink()
        row = {}
        argv = [os.path.join(postgres.bin, "pgbench"), "-n", "-M", "prepared", "-c", str(clients),
                "-j", "2", "-T", str(self.args.seconds), "-D", f"items={items}", "-f", str(script),
                "-l", "--log-prefix", str(self.scratch / "pgbench_log"), postgres.url(database)]
        if name.startswith("(d)"):
            argv[1:1] = ["--max-tries", "100000"]
        with self.measured(postgres, database, row, "SELECT count(*) FROM orders"):
            start = time.monotonic()
            done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            seconds = time.monotonic() - start
        if done.returncode != 0:
            raise SystemExit(f"pgbench: {done.stdout[-2000:]}")
        row["per_s"] = row["orders"] / seconds
        took = [int(line.split()[2]) for f in self.scratch.glob("pgbench_log*")
                for line in f.read_text().splitlines() if line.split()[2].isdigit()]
        row["attempts_per_order"] = len(took) / row["orders"] if row["orders"] else None
        if not name.startswith("(c)"):  # its transactions are attempts
            row["p50_us"], row["p99_us"] = percentile(took, 0.5), percentile(took, 0.99)
        self.note(name, clients, items, row)
        postgres.sql(f"DROP DATABASE {database}", "postgres")

    def nodes(self, postgres, count, clients, items):
        database = self.fresh(postgres)
        with contextlib.ExitStack() as stack:
            nodes = []
            for _ in range(count):
                port = bench_run.free_port()
                nodes.append(stack.enter_context(bench_run.Server(
                    [str(self.build / "pawl"), "serve", "--listen", f"127.0.0.1:{port}", "--store",
                     postgres.url(database)], port)))
            bench_run.Bench.make_items(None, nodes[0], items)
            row = {}
            before = [n.use()[0] for n in nodes]
            with self.measured(postgres, database, row, "SELECT count(*) FROM pawl.order_"):
                loads = [subprocess.Popen(
                    ["wrk", "-t1", f"-c{max(1, clients // count)}", f"-d{self.args.seconds}s", "-s",
                     str(HERE / "order.lua"), f"http://127.0.0.1:{n.port}/", "--", str(items), "1"],
                    stdout=subprocess.PIPE, text=True) for n in nodes]
                said = [json.loads(p.communicate()[0].strip().splitlines()[-1]) for p in loads]
            row["pawl_cpu_us"] = sum(n.use()[0] - b for n, b in zip(nodes, before)) * 1e6 / row["orders"]
            bad = sum(s["refused"] + s["failed"] for s in said)
            if bad:
                raise SystemExit(f"{bad} orders were refused or lost: {said}")
            row["per_s"] = sum(s["per_s"] for s in said)
            row["p50_us"] = statistics.median(s["p50_us"] for s in said)
            row["p99_us"] = max(s["p99_us"] for s in said)
        name = "pawl, 1 node" if count == 1 else f"pawl, {count} nodes"
        self.note(name, clients, items, row)
        postgres.sql(f"DROP DATABASE {database}", "postgres")

    def library(self, postgres, outstanding, items):
        database, row = self.fresh(postgres), {}
        with self.measured(postgres, database, row, None):
            done = subprocess.run([str(self.build / "bench" / "bench_orders"), "--store",
                                   postgres.url(database), "--outstanding", str(outstanding),
                                   "--items", str(items), "--seconds", str(self.args.seconds)],
                                  stdout=subprocess.PIPE, text=True, check=True)
            row.update(json.loads(done.stdout.strip().splitlines()[-1]))
        self.note("libpawl", outstanding, items, row)
        postgres.sql(f"DROP DATABASE {database}", "postgres")

    def redis(self, fsync, clients):
        if shutil.which("redis-server") is None:
            print("  redis: not installed, skipped")
            return
        with servers.Redis(fsync) as redis:
            cli = ["redis-cli", "-p", str(redis.port)]
            sha = subprocess.run(cli + ["SCRIPT", "LOAD", bench_run.LUA], stdout=subprocess.PIPE,
                                 text=True, check=True).stdout.strip()
            subprocess.run(cli + ["SET", "stock", "1000000000"], check=True,
                           stdout=subprocess.DEVNULL)
            out = subprocess.run(
                ["redis-benchmark", "-p", str(redis.port), "-c", str(clients), "-n", "100000", "-r",
                 "1000000000", "--csv", "EVALSHA", sha, "1", "key:__rand_int__" + "k" * 16,
                 "f" * 32, "a" * 150, "e" * 200, "a customer with a name of some length"],
                stdout=subprocess.PIPE, text=True, check=True).stdout.strip().splitlines()[-1]
            cells = [c.strip('"') for c in out.split('","')]
            self.note(f"redis, Lua, fsync {fsync}", clients, 1,
                      {"per_s": float(cells[1]), "p50_us": float(cells[4]) * 1000,
                       "p99_us": float(cells[6]) * 1000})

    def run(self):
        for i in range(self.args.rounds):
            print(f"round {i + 1} of {self.args.rounds}")
            with servers.Postgres({"max_connections": 400, "shared_buffers": "'512MB'",
                                   "max_wal_size": "'4GB'"}) as postgres:
                for items in self.args.items:
                    for clients in self.args.clients:
                        for name in SCRIPTS:
                            self.by_hand(postgres, name, clients, items)
                        self.nodes(postgres, 1, clients, items)
                        if clients >= 3:
                            self.nodes(postgres, 3, clients, items)
                    self.nodes(postgres, 1, 1000, items)
                    self.nodes(postgres, 3, 1000, items)
                    self.library(postgres, 1000, items)
            for fsync in ("always", "everysec"):
                self.redis(fsync, 200)

    def median(self, key, what):
        rows = [r[what] for r in self.results.get(key, []) if r.get(what) is not None]
        return statistics.median(rows) if rows else None


GOALS = [
    # what, items, clients, of, over, at least
    ("one hot item, 200 clients, over (a)", 1, 200, "pawl, 1 node", "(a) SELECT FOR UPDATE", 50),
    ("one hot item, 200 clients, over (b)", 1, 200, "pawl, 1 node", "(b) one statement", 30),
    ("one hot item, 64 clients, over (a)", 1, 64, "pawl, 1 node", "(a) SELECT FOR UPDATE", 20),
    ("one hot item, 64 clients, over (b)", 1, 64, "pawl, 1 node", "(b) one statement", 15),
    ("10,000 items, 64 clients, over (b)", 10000, 64, "pawl, 1 node", "(b) one statement", 2),
    ("three nodes over one, hot item, 64 clients", 1, 64, "pawl, 3 nodes", "pawl, 1 node", 1),
    ("three nodes over one, hot item, 200 clients", 1, 200, "pawl, 3 nodes", "pawl, 1 node", 1),
    ("three nodes over one, hot item, 1000 clients", 1, 1000, "pawl, 3 nodes", "pawl, 1 node", 1),
]


def page(b):
    lines = ["# Benchmarks on PostgreSQL", "",
             f"Printed by `make bench-postgres` (`bench/postgres.py`, which says how each is measured); medians "
             f"of {b.args.rounds} rounds of {b.args.seconds:g} s in one run, on one cluster with fsync "
             f"and synchronous_commit on, everything on the same {os.cpu_count()} cores. The machines "
             "are shared: trust the ratios.", "",
             "By hand is pgbench with prepared statements; one order is the same everywhere. CPU is "
             "that of all of PostgreSQL's processes, and of pawl's beside it.", "",
             "| | items | clients | orders/s | p50 ms | p99 ms | attempts/order | database CPU us/order "
             "| pawl CPU us/order | WAL bytes/order |", "|---|---|---|---|---|---|---|---|---|---|"]

    def cell(key, what, scale=1.0, digits=2):
        v = b.median(key, what)
        return "" if v is None else f"{v / scale:,.{digits}f}"

    for key in sorted(b.results, key=lambda k: (k[2], k[1])):
        name, clients, items = key
        lines.append(f"| {name} | {items:,} | {clients} | {cell(key, 'per_s', digits=0)} | "
                     f"{cell(key, 'p50_us', 1000)} | {cell(key, 'p99_us', 1000)} | "
                     f"{cell(key, 'attempts_per_order')} | {cell(key, 'db_cpu_us', digits=1)} | "
                     f"{cell(key, 'pawl_cpu_us', digits=1)} | {cell(key, 'wal_bytes', digits=0)} |")
    lines += ["", "| ratio | measured | wanted |", "|---|---|---|"]
    for what, items, clients, of, over, least in GOALS:
        a, c = b.median((of, clients, items), "per_s"), b.median((over, clients, items), "per_s")
        if a and c:
            lines.append(f"| {what} | {a / c:.1f} | >= {least:g} |")
    for over in ("(a) SELECT FOR UPDATE", "(b) one statement"):
        a = b.median(("pawl, 1 node", 64, 1), "p99_us")
        c = b.median((over, 64, 1), "p99_us")
        if a and c:
            lines.append(f"| p99 at 64 clients, one hot item, of that of {over} | {a / c:.2f} | < 1 |")
    lines.append("")
    return "\n".join(lines)


def numbers(text):
    return [int(n) for n in text.split(",") if n]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--clients", type=numbers, default=[1, 16, 64, 200])
    parser.add_argument("--items", type=numbers, default=[1, 10000])
    parser.add_argument("--write", help="copy the figures into this page")
    parser.add_argument("--quick", action="store_true", help="one short round")
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.seconds, args.clients = 1, 2, [16, 64]
    args.seconds = max(1, int(args.seconds))
    bench = Bench(args.build, args)
    try:
        bench.run()
    except servers.Missing as e:
        raise SystemExit(f"bench/postgres.py: {e}")
    finally:
        shutil.rmtree(bench.scratch, ignore_errors=True)
    text = page(bench)
    print("\n" + text)
    if args.write:
        pathlib.Path(args.write).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
