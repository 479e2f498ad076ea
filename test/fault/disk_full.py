#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""disk_full.py PAWL - no space left on the device, and space again, without a restart.

The store lies on a small tmpfs of a mount namespace of one's own. A ballast file takes the rest of
the space; orders are then sent until they are refused with 503. Reads go on. The ballast goes, and
orders are taken again: those that were refused are done now, for the first time, and those that had
been answered are answered the same. Skipped (77) where no tmpfs may be mounted.
"""
import errno
import json
import os
import subprocess
import sys

import pawlproc
from pawlproc import Client, Failure, Server

SIZE = 12 << 20
SPARE = (256 << 10, 0, 16 << 10, 1 << 20)  # bytes that the ballast leaves, one round each
ORDERS_MAX = 20000
INSIDE = "PAWL_DISK_FULL_INSIDE"


def check(what, is_, should):
    if is_ != should:
        raise Failure("%s: %r, not %r" % (what, is_, should))


def fill(path, spare):
    """Take all the space there is but for the spare."""
    with open(path, "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"x" * 65536)
        except OSError as e:
            if e.errno != errno.ENOSPC:
                raise
        f.truncate(max(0, f.tell() - spare))


def send(client, i):
    body = json.dumps({"lines": [{"sku": "thing", "quantity": 1}], "customer": "c" * 100})
    return client.ask("POST", "/v1/orders", body, (("Idempotency-Key", "key-%d" % i),))


def until_refused(client, answers):
    """The number of the first order that is refused; answers grows by those before it."""
    for i in range(len(answers), ORDERS_MAX):
        a = send(client, i)
        if a.status == 503:
            return i
        check("status before the disk is full", a.status, 201)
        answers[i] = a
    raise Failure("%d orders fit on a full disk" % ORDERS_MAX)


def item(client):
    a = client.ask("GET", "/v1/items/thing")
    check("reading on a full disk", a.status, 200)
    return json.loads(a.body)["sold"]


def judge(client, home, answers, spare):
    """One round: full, refused, and well again."""
    fill(os.path.join(home, "ballast"), spare)
    refused = until_refused(client, answers)
    for i in range(refused, refused + 20):
        a = send(client, i)
        check("status on a full disk", a.status, 503)
        check("code", json.loads(a.body)["code"], "store_unavailable")
        check("Retry-After is there", "retry-after" in a.headers, True)
    check("sold on a full disk", item(client), len(answers))
    if answers:
        check("replay on a full disk", send(client, 0).body, answers[0].body)
    os.unlink(os.path.join(home, "ballast"))
    for i in range(refused, refused + 20):
        a = send(client, i)
        check("status when there is space again", a.status, 201)
        check("it is done for the first time", "idempotent-replayed" in a.headers, False)
        answers[i] = a
    for i, first in answers.items():
        a = send(client, i)
        check("replay", (a.status, a.body, a.headers.get("idempotent-replayed")),
              (first.status, first.body, "true"))
    check("sold at the end", item(client), len(answers))
    print("spare %d: full at order %d, and well again without a restart" % (spare, refused))


def inside(pawl, home):
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d" % SIZE, "tmpfs", home],
                      stderr=subprocess.PIPE, check=False).returncode != 0:
        print("SKIP: no tmpfs may be mounted here")
        return 77
    server = Server(pawl, home)
    client, answers = Client(server.address), {}
    try:
        check("PUT item", client.ask("PUT", "/v1/items/thing", '{"stock":1000000}').status, 201)
        for spare in SPARE:
            judge(client, home, answers, spare)
        check("exit code on SIGTERM", server.stop(), 0)
        pawlproc.verify(pawl, os.path.join(home, "pawl.db"))
    except (Failure, pawlproc.Gone) as e:
        print("FAILED: %r\n  %s" % (e, "\n  ".join(server.lines[-10:])))
        return 1
    finally:
        server.kill()
    return 0


def main(pawl):
    if INSIDE in os.environ:
        return inside(pawl, os.environ[INSIDE])
    home = pawlproc.scratch()
    again = [sys.executable, os.path.abspath(__file__), pawl]
    try:
        for way in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
            try:
                able = subprocess.run([*way, "true"], stderr=subprocess.DEVNULL, check=False)
            except FileNotFoundError:
                break
            if able.returncode == 0:
                return subprocess.run([*way, *again], env={**os.environ, INSIDE: home},
                                      check=False).returncode
        print("SKIP: no mount namespace may be made here")
        return 77
    finally:
        pawlproc.remove(home)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
