#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pg_failover.py PAWL [--seed N] - the primary dies under load, its standby is promoted.

Two nodes name both servers in their URL. The standby is synchronous, so that what was acknowledged
is on both. The primary is killed with SIGKILL while orders are under way, the standby promoted a
little later; nobody restarts pawl. Every request gets its final answer, and the rows on the new
primary are what the answers add up to. Meanwhile /readyz must have said that the store is away.
Skipped (77) where PostgreSQL is not installed.
"""
import argparse
import random
import sys
import threading
import time

import pawlproc
import pgwork
from pawlproc import Client, Failure, Gone
from pgwork import check

NODES, WORKERS = 2, 8
WAIT_S = 60


def wait_for(what, condition):
    end = pawlproc.now() + WAIT_S
    while not condition():
        if pawlproc.now() > end:
            raise Failure("it never came about: " + what)
        time.sleep(0.05)


def ready(nodes, i):
    """The status of /readyz; 0 = no answer."""
    c = Client(nodes.address(i))
    try:
        return c.ask("GET", "/readyz").status
    except Gone:
        return 0
    finally:
        c.close()


def served(workers):
    return sum(len(w.done) for w in workers)


def run(pawl, seed):
    rng = random.Random(seed)
    with pgwork.servers.Postgres({"wal_level": "replica"}) as primary:
        standby = pgwork.servers.Postgres({"hot_standby": "on"}, standby_of=primary)
        nodes = None
        try:
            standby.start()
            wait_for("the standby streams", lambda: primary.sql(
                "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == "1")
            primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.sql("SELECT pg_reload_conf()")
            wait_for("the standby is synchronous", lambda: primary.sql(
                "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == "1")
            url = "postgresql://%s@127.0.0.1:%d,127.0.0.1:%d/pawl" % (
                pgwork.servers.PG_USER, primary.port, standby.port)
            nodes = pgwork.Nodes(pawl, url, NODES)
            pgwork.prepare(nodes.address(0))
            stop = threading.Event()
            workers = [pgwork.Worker(nodes, i, rng.random(), stop) for i in range(WORKERS)]
            for w in workers:
                w.start()
            wait_for("500 requests", lambda: served(workers) > 500)
            primary.kill()
            before = served(workers)
            wait_for("/readyz tells of the loss", lambda: ready(nodes, 0) == 503)
            standby.promote()
            wait_for("/readyz is well again", lambda: ready(nodes, 0) == ready(nodes, 1) == 200)
            wait_for("500 more requests", lambda: served(workers) > before + 500)
            stop.set()
            for w in workers:
                w.join()
            check("nodes that still run", nodes.running(), True)
            requests, tries, orders = pgwork.judge(pawl, nodes, workers, standby, rng)
        finally:
            if nodes is not None:
                nodes.close()
            standby.close()
    print("%d requests in %d tries, %d orders, all on the new primary" % (requests, tries, orders))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pawl")
    parser.add_argument("--seed", type=int, default=int(time.time() * 1000) & 0xffffffff)
    args = parser.parse_args()
    print("seed", args.seed, flush=True)
    try:
        run(args.pawl, args.seed)
    except pgwork.servers.Missing as e:
        print("skipped:", e)
        return 77
    except Failure as e:
        print("FAILED:", e)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
