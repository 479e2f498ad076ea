#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""same_key.py PAWL - 1,000 requests with one idempotency key at the same moment.

All connections are open, and each has sent its first request but for the last byte, before any last
byte is sent; three more requests follow on each. For both ways of committing:
  - the same body: one effect, 1,000 times the same answer, all but one marked as replays;
  - another body under that key: 422 key_reused, with nothing of the first answer;
  - the same key of another caller: an effect of its own;
  - a thousand different bodies under one new key: one of them wins, the others are refused.
"""
import json
import os
import sys

import pawlproc
from pawlproc import Client, Failure, Server

CONNECTIONS, EACH = 250, 4  # EACH are pipelined on a connection
TOKENS = {"ada": "token-of-ada-0123456789", "bob": "token-of-bob-0123456789"}


def check(what, is_, should):
    if is_ != should:
        raise Failure("%s: %r, not %r" % (what, is_, should))


def at_once(address, token, key, bodies):
    """Send bodies[i] of all i at once; the answers, in order."""
    clients = [Client(address, token) for _ in range(CONNECTIONS)]
    headers = (("Idempotency-Key", key),)
    try:
        held_back = []
        for i, c in enumerate(clients):
            asks = [c.encode("POST", "/v1/orders", bodies[i * EACH + k], headers)
                    for k in range(EACH)]
            c.connect()
            c.sock.sendall(c.encode("GET", "/livez"))  # the connection is taken and works
            check("/livez", c.read().status, 200)
            c.sock.sendall(asks[0][:-1])
            held_back.append(asks[0][-1:] + b"".join(asks[1:]))
        for c, rest in zip(clients, held_back):
            c.sock.sendall(rest)
        return [c.read() for c in clients for _ in range(EACH)]
    finally:
        for c in clients:
            c.close()


def order(quantity):
    return json.dumps({"lines": [{"sku": "thing", "quantity": quantity}], "customer": "secret-ada"})


def item(client):
    got = json.loads(client.ask("GET", "/v1/items/thing").body)
    return got["available"], got["sold"]


def wholly_same(answers):
    first = answers[0]
    for a in answers:
        check("status", a.status, first.status)
        check("body", a.body, first.body)
        check("Location", a.headers.get("location"), first.headers.get("location"))
    return first


def fresh(answers):
    return sum(a.headers.get("idempotent-replayed") != "true" for a in answers)


def same_body(server, n):
    ada = Client(server.address, TOKENS["ada"])
    answers = at_once(server.address, TOKENS["ada"], "one", [order(1)] * n)
    check("status", wholly_same(answers).status, 201)
    check("answers that are no replay", fresh(answers), 1)
    check("available, sold", item(ada), (99, 1))
    return answers[0]


def other_body(server, first, n):
    ada = Client(server.address, TOKENS["ada"])
    for a in at_once(server.address, TOKENS["ada"], "one", [order(2)] * n):
        check("status under a key that is used", a.status, 422)
        check("code", json.loads(a.body)["code"], "key_reused")
        for part in (json.loads(first.body)["id"].encode(), b"secret-ada", b"thing"):
            check("a part of the first answer is in the refusal", part in a.body, False)
        check("Location of the first answer", a.headers.get("location"), None)
    check("available, sold", item(ada), (99, 1))


def other_caller(server, first, n):
    bob = Client(server.address, TOKENS["bob"])
    said = json.loads(bob.ask("GET", "/v1/answers/one").body)
    check("another caller's key", said["state"], "unknown")
    answers = at_once(server.address, TOKENS["bob"], "one", [order(1)] * n)
    mine = wholly_same(answers)
    check("status", mine.status, 201)
    check("answers that are no replay", fresh(answers), 1)
    check("another order", mine.body != first.body, True)
    check("available, sold", item(bob), (98, 2))


def all_differ(server, n):
    ada = Client(server.address, TOKENS["ada"])
    before = item(ada)
    bodies = [json.dumps({"lines": [{"sku": "thing", "quantity": 1}], "customer": "buyer %d" % i})
              for i in range(n)]
    answers = at_once(server.address, TOKENS["ada"], "two", bodies)
    won = [i for i, a in enumerate(answers) if a.status == 201]
    check("winners", len(won), 1)
    check("losers", sum(a.status == 422 for a in answers), n - 1)
    check("available, sold", item(ada), (before[0] - 1, before[1] + 1))
    check("the winner's own customer", json.loads(answers[won[0]].body)["customer"],
          "buyer %d" % won[0])


def run(pawl, commit):
    home, n = pawlproc.scratch(), CONNECTIONS * EACH
    tokens = os.path.join(home, "tokens")
    with open(os.open(tokens, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
        f.write("".join("%s %s\n" % pair for pair in TOKENS.items()))
    server = Server(pawl, home, args=("--token-file", tokens, "--commit", commit))
    try:
        ada = Client(server.address, TOKENS["ada"])
        check("PUT item", ada.ask("PUT", "/v1/items/thing", '{"stock":100}').status, 201)
        first = same_body(server, n)
        other_body(server, first, n)
        other_caller(server, first, n)
        all_differ(server, n)
        check("exit code on SIGTERM", server.stop(), 0)
        pawlproc.verify(pawl, os.path.join(home, "pawl.db"))
    finally:
        server.kill()
        pawlproc.remove(home)
    print("commit on the %s: 4 x %d requests under one key, one effect each" % (commit, n))


def main(pawl):
    try:
        for commit in ("loop", "thread"):
            run(pawl, commit)
    except (Failure, pawlproc.Gone) as e:
        print("FAILED: %r" % e)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
