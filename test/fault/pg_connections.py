#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pg_connections.py PAWL [--clients N] - thousands of clients, a handful of database connections.

Keep-alive connections are opened and stay open; each sends an order and a read, several rounds.
All are answered, and PostgreSQL never sees more connections of pawl than the limit that it was
given. The same through PgBouncer in transaction mode, whose server connections must show no trace
of a session afterwards. A database whose connections are all taken gets pawl a clear refusal, not a
wait without end. Skipped (77) where PostgreSQL is not installed.
"""
import argparse
import json
import resource
import selectors
import sys
import threading

import pawlproc
import pgwork
from pawlproc import Client, Failure
from pgwork import check, servers

ROUNDS = 3
LIMIT = 25
COUNT = ("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pawl%' "
         "AND backend_type = 'client backend'")
LEFT = """SELECT
  (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'),
  (SELECT count(*) FROM pg_class WHERE relpersistence = 't'),
  (SELECT count(*) FROM pg_listening_channels()),
  (SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%')"""


class Watch(threading.Thread):
    """The greatest number of connections that PostgreSQL has seen at once."""

    def __init__(self, postgres):
        super().__init__(daemon=True)
        self.postgres, self.most, self.ended = postgres, 0, threading.Event()

    def run(self):
        while not self.ended.wait(0.1):
            self.most = max(self.most, int(self.postgres.sql(COUNT)))


def all_ask(clients, make):
    """Send one request on each connection at once, then read every answer."""
    selector = selectors.DefaultSelector()
    for i, c in enumerate(clients):
        c.sock.sendall(c.encode(*make(i)))
        selector.register(c.sock, selectors.EVENT_READ, c)
    answers = []
    while len(answers) < len(clients):
        events = selector.select(pawlproc.ANSWER_S)
        if not events:
            raise Failure("%d of %d clients are still waiting" % (len(clients) - len(answers),
                                                                  len(clients)))
        for key, _ in events:
            selector.unregister(key.fileobj)
            answers.append(key.data.read())
    return answers


def crowd(address, n, tag):
    clients = [Client(address) for _ in range(n)]
    for c in clients:
        c.connect()
    for r in range(ROUNDS):
        got = all_ask(clients, lambda i: ("POST", "/v1/orders",
                                          '{"lines":[{"sku":"sku0","quantity":1}]}',
                                          (("Idempotency-Key", "%s-%d-%d" % (tag, r, i)),)))
        check("statuses of orders", {a.status for a in got}, {201})
        got = all_ask(clients, lambda i: ("GET", "/v1/items/sku0", None, ()))
        check("statuses of reads", {a.status for a in got}, {200})
    sold = json.loads(clients[0].ask("GET", "/v1/items/sku0").body)["sold"]
    for c in clients:
        c.close()
    return sold


def direct(pawl, postgres, n):
    nodes = pgwork.Nodes(pawl, postgres.url(), 1)
    watch = Watch(postgres)
    try:
        pgwork.prepare(nodes.address(0))
        watch.start()
        check("sold", crowd(nodes.address(0), n, "direct"), n * ROUNDS)
        watch.ended.set()
        watch.join()
        if not 1 <= watch.most <= LIMIT:
            raise Failure("%d database connections, not 1 to %d" % (watch.most, LIMIT))
    finally:
        nodes.close()
    print("%d clients, %d requests each, at most %d database connections" % (n, 2 * ROUNDS,
                                                                            watch.most))


def pooled(pawl, postgres, n):
    with servers.PgBouncer(postgres, pool=4) as bouncer:
        nodes = pgwork.Nodes(pawl, bouncer.url("bounced"), 2)
        try:
            pgwork.prepare(nodes.address(0))
            check("sold", crowd(nodes.address(0), n, "pooled"), n * ROUNDS)
            left = postgres.sql(LEFT, "bounced")
            check("advisory locks, temporary tables, channels, open transactions", left, "0|0|0|0")
            pawlproc.verify(pawl, postgres.url("bounced"))
        finally:
            nodes.close()
    print("%d clients through PgBouncer with 4 connections; no session left a trace" % n)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pawl")
    parser.add_argument("--clients", type=int, default=5000)
    args = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = args.clients + 200
    if hard != resource.RLIM_INFINITY and hard < want:
        print("skipped: only %d file descriptors are allowed" % hard)
        return 77
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, want), hard))
    try:
        with servers.Postgres() as postgres:
            direct(args.pawl, postgres, args.clients)
            postgres.sql("CREATE DATABASE bounced", "postgres")
            pooled(args.pawl, postgres, 200)
    except servers.Missing as e:
        print("skipped:", e)
        return 77
    except Failure as e:
        print("FAILED:", e)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
