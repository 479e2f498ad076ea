# SPDX-License-Identifier: Apache-2.0
"""Mixed load on several nodes over one PostgreSQL database, and the sums that must come out.

Every request has a key and is sent, to this node or that, until its answer is final: 503, 504 and
a connection that ends are not. So each was done exactly once, and what the answers say is what
the rows must say, whatever was killed meanwhile.
"""
import json
import os
import random
import sys
import threading

import pawlproc
from pawlproc import Client, Failure, Gone

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "rig"))
import servers  # noqa: E402  (test/rig)

USERS, SKUS, RECORDS = 6, 4, 3
STOCK, MONEY = 1000000, 1000000
FINAL_S = 120  # how long one request may be tried; no measure of speed


class Nodes:
    """Servers over one store, by number; each may be killed and started again."""

    def __init__(self, pawl, url, n, args=()):
        self.pawl, self.url, self.args = pawl, url, args
        self.lock = threading.Lock()
        self.servers = [None] * n
        for i in range(n):
            self.start(i)

    def start(self, i):
        server = pawlproc.Server(self.pawl, "/", args=self.args, store=self.url)
        with self.lock:
            self.servers[i] = server

    def address(self, i):
        with self.lock:
            return self.servers[i % len(self.servers)].address

    def kill(self, i):
        self.servers[i].kill()

    def close(self):
        for server in self.servers:
            server.kill()

    def running(self):
        return all(s.process.poll() is None for s in self.servers)


class Worker(threading.Thread):
    """One client that is with one node until it fails it."""

    def __init__(self, nodes, number, seed, stop):
        super().__init__(daemon=True)
        self.nodes, self.number, self.stop_at = nodes, number, stop
        self.rng = random.Random(seed)
        self.node = number
        self.client = None
        self.serial = 0
        self.done = []    # key, method, path, body, headers, answer
        self.tries = 0
        self.trouble = None

    def ask(self, method, path, body, headers=()):
        """The final answer."""
        self.serial += 1
        key = "w%d-%d" % (self.number, self.serial)
        full = (("Idempotency-Key", key), *headers)
        end = pawlproc.now() + FINAL_S
        while True:
            self.tries += 1
            try:
                if self.client is None:
                    self.client = Client(self.nodes.address(self.node))
                answer = self.client.ask(method, path, json.dumps(body), full)
                if answer.status not in (503, 504):
                    break
                reason = answer.body
            except Gone:
                reason = "the connection ended"
            self.client = None
            self.node += 1
            if pawlproc.now() > end:
                raise Failure("%s has no final answer: %r" % (key, reason))
            threading.Event().wait(self.rng.uniform(0, 0.05))
        self.done.append((key, method, path, body, full, answer))
        return answer

    def step(self):
        r = self.rng
        user = lambda: "user:%d" % r.randrange(USERS)  # noqa: E731
        kind = r.choices(("order", "transfer", "hold", "put", "tx"), (6, 3, 2, 2, 1))[0]
        if kind == "order":
            lines = [{"sku": "sku%d" % s, "quantity": r.randrange(1, 4)}
                     for s in r.sample(range(SKUS), r.choice((1, 1, 2)))]
            self.ask("POST", "/v1/orders", {"lines": lines})
        elif kind == "transfer":
            self.ask("POST", "/v1/transfers",
                     {"from": user(), "to": user(), "amount": r.randrange(1, 100)})
        elif kind == "hold":
            a = self.ask("POST", "/v1/holds", {"from": user(), "to": user(), "ttl_s": 3600,
                                               "amount": r.randrange(1, 50)})
            if a.status == 201:
                end = r.choice(("capture", "release"))
                self.ask("POST", "/v1/holds/%s/%s" % (json.loads(a.body)["id"], end), {})
        elif kind == "put":
            path = "/v1/records/r:%d" % r.randrange(RECORDS)
            a = Client(self.nodes.address(self.node))
            try:
                tag = a.ask("GET", path).headers.get("etag")
            except Gone:
                return
            finally:
                a.close()
            condition = ("If-Match", tag) if tag else ("If-None-Match", "*")
            self.ask("PUT", path, {"by": self.number, "n": self.serial}, (condition,))
        else:
            self.ask("POST", "/v1/tx", {"ops": [
                {"op": "transfer", "from": user(), "to": user(), "amount": 1},
                {"op": "emit", "topic": "t", "key": "k", "body": {}}]})

    def run(self):
        try:
            while not self.stop_at.is_set():
                self.step()
        except Failure as e:
            self.trouble = e
        except Exception as e:  # a bug of the test must not look like a quiet end
            self.trouble = Failure("worker %d: %r" % (self.number, e))


def prepare(address):
    c = Client(address)
    for i in range(SKUS):
        if c.ask("PUT", "/v1/items/sku%d" % i, json.dumps({"stock": STOCK})).status != 201:
            raise Failure("an item cannot be made")
    for i in range(USERS):
        name = "user:%d" % i
        c.ask("PUT", "/v1/accounts/" + name, '{"unit":"EUR","floor":0}')
        a = c.ask("POST", "/v1/transfers",
                  json.dumps({"from": "world:EUR", "to": name, "amount": MONEY}),
                  (("Idempotency-Key", "seed-%d" % i),))
        if a.status != 201:
            raise Failure("an account cannot be filled")
    c.close()


def sums(workers):
    """What the final answers add up to: sold by SKU, balance by user, orders, events."""
    sold, balance = [0] * SKUS, [MONEY] * USERS
    orders = events = 0
    holds = {}
    user = lambda name: int(name.split(":")[1])  # noqa: E731
    for w in workers:
        for _, _, path, body, _, answer in w.done:
            if answer.status not in (200, 201):
                continue
            if path == "/v1/orders":
                orders += 1
                events += 1
                for line in body["lines"]:
                    sold[int(line["sku"][3:])] += line["quantity"]
            elif path == "/v1/transfers":
                balance[user(body["from"])] -= body["amount"]
                balance[user(body["to"])] += body["amount"]
            elif path == "/v1/holds":
                holds[json.loads(answer.body)["id"]] = body
            elif path.endswith("/capture"):
                body = holds[path.split("/")[3]]
                balance[user(body["from"])] -= body["amount"]
                balance[user(body["to"])] += body["amount"]
            elif path == "/v1/tx":
                events += 1
                balance[user(body["ops"][0]["from"])] -= 1
                balance[user(body["ops"][0]["to"])] += 1
    return sold, balance, orders, events


def check(what, is_, should):
    if is_ != should:
        raise Failure("%s: %r, not %r" % (what, is_, should))


def judge(pawl, nodes, workers, postgres, rng):
    """Every node tells the sums; keys are replayed elsewhere; the books are in order."""
    for w in workers:
        if w.trouble is not None:
            raise w.trouble
    sold, balance, orders, _ = sums(workers)
    for i in range(len(nodes.servers)):
        c = Client(nodes.address(i))
        for s in range(SKUS):
            item = json.loads(c.ask("GET", "/v1/items/sku%d" % s).body)
            check("sku%d sold, available at node %d" % (s, i),
                  (item["sold"], item["available"]), (sold[s], STOCK - sold[s]))
        for u in range(USERS):
            account = json.loads(c.ask("GET", "/v1/accounts/user:%d" % u).body)
            check("user:%d balance, held at node %d" % (u, i),
                  (account["balance"], account["held"]), (balance[u], 0))
        c.close()
    check("rows of orders", int(postgres.sql("SELECT count(*) FROM pawl.order_")), orders)
    everything = [d for w in workers for d in w.done]
    for key, method, path, body, headers, first in rng.sample(everything,
                                                              min(400, len(everything))):
        c = Client(nodes.address(rng.randrange(len(nodes.servers))))
        again = c.ask(method, path, json.dumps(body), headers)
        c.close()
        check("replay of " + key, (again.status, again.body), (first.status, first.body))
        check("replay of %s says so" % key, again.headers.get("idempotent-replayed"), "true")
    pawlproc.verify(pawl, nodes.url)
    return len(everything), sum(w.tries for w in workers), orders
