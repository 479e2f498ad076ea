#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pg_nodes.py PAWL [--seconds N] [--seed N] - three nodes over one PostgreSQL database under mixed
load, nodes killed with SIGKILL and PostgreSQL stopped, killed and started again at random.

At the end every request has its final answer; every node tells the sums that the answers add up to;
a sample of keys is answered the same by whichever node is asked; `pawl verify` is clean. Then one
key is sent to all nodes at the same instant, again and again: one effect, one answer.
Skipped (77) where PostgreSQL is not installed. PAWL_NODES_SECONDS sets the default of --seconds.
"""
import argparse
import json
import os
import random
import sys
import threading
import time

import pawlproc
import pgwork
from pawlproc import Client, Failure
from pgwork import check

NODES, WORKERS = 3, 12
SAME_KEYS = 100


def chaos(nodes, postgres, rng, stop):
    """What is done to whom, until the time is up. Everything runs again at its end."""
    counts = {"node killed": 0, "postgres stopped": 0, "postgres killed": 0}
    while not stop.wait(rng.uniform(0.5, 3)):
        what = rng.choices(list(counts), (4, 1, 1))[0]
        counts[what] += 1
        if what == "node killed":
            i = rng.randrange(NODES)
            nodes.kill(i)
            nodes.start(i)
        else:
            postgres.kill() if what == "postgres killed" else postgres.stop()
            stop.wait(rng.uniform(0, 1))
            postgres.start()
    return counts


def same_keys(nodes, n):
    """The same request under one key at all nodes at once; some with another body as well."""
    before = json.loads(Client(nodes.address(0)).ask("GET", "/v1/items/sku0").body)["sold"]
    for k in range(n):
        answers = [None] * NODES
        barrier = threading.Barrier(NODES)

        def one(i):
            c = Client(nodes.address(i))
            c.connect()
            barrier.wait()
            answers[i] = c.ask("POST", "/v1/orders",
                               '{"lines":[{"sku":"sku0","quantity":1}]}',
                               (("Idempotency-Key", "same-%d" % k),))
            c.close()

        threads = [threading.Thread(target=one, args=(i,)) for i in range(NODES)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        check("statuses of one key", {a.status for a in answers}, {201})
        check("bodies of one key", len({a.body for a in answers}), 1)
        check("answers that are no replay",
              sum(a.headers.get("idempotent-replayed") != "true" for a in answers), 1)
    after = json.loads(Client(nodes.address(0)).ask("GET", "/v1/items/sku0").body)["sold"]
    check("sold by %d keys sent to %d nodes" % (n, NODES), after - before, n)


def run(pawl, seconds, seed):
    rng = random.Random(seed)
    with pgwork.servers.Postgres() as postgres:
        nodes = pgwork.Nodes(pawl, postgres.url(), NODES)
        try:
            pgwork.prepare(nodes.address(0))
            stop_work, stop_chaos = threading.Event(), threading.Event()
            workers = [pgwork.Worker(nodes, i, rng.random(), stop_work) for i in range(WORKERS)]
            for w in workers:
                w.start()
            timer = threading.Timer(seconds, stop_chaos.set)
            timer.start()
            counts = chaos(nodes, postgres, rng, stop_chaos)
            stop_work.set()
            for w in workers:
                w.join()
            requests, tries, orders = pgwork.judge(pawl, nodes, workers, postgres, rng)
            same_keys(nodes, SAME_KEYS)
            pawlproc.verify(pawl, nodes.url)
        finally:
            nodes.close()
    print("%d requests in %d tries, %d orders; %s" % (
        requests, tries, orders, ", ".join("%s %d times" % (k, v) for k, v in counts.items())))
    print("%d keys at %d nodes at once, one effect each" % (SAME_KEYS, NODES))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pawl")
    parser.add_argument("--seconds", type=float,
                        default=float(os.environ.get("PAWL_NODES_SECONDS", "60")))
    parser.add_argument("--seed", type=int, default=int(time.time() * 1000) & 0xffffffff)
    args = parser.parse_args()
    print("seed", args.seed, flush=True)
    try:
        run(args.pawl, args.seconds, args.seed)
    except pgwork.servers.Missing as e:
        print("skipped:", e)
        return 77
    except Failure as e:
        print("FAILED:", e)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
