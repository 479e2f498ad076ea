#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pg_full.py PAWL - PostgreSQL's disk fills up under load, and is emptied again.

The cluster lies on a small tmpfs of a mount namespace of one's own. Orders are sent until they are
refused with 503: nothing was done. Then there is space again (PostgreSQL is started anew if it gave
up), pawl is not restarted, and every order that was refused is done now, every other is answered
the same. Skipped (77) where PostgreSQL is not installed or no tmpfs may be mounted.
"""
import json
import os
import subprocess
import sys
import tempfile

import pawlproc
import pgwork
from disk_full import fill
from pawlproc import Client, Failure, Gone
from pgwork import check, servers

SIZE = 160 << 20
SPARE = 3 << 20
ORDERS_MAX = 60000
AFTER = 200
INSIDE = "PAWL_PG_FULL_INSIDE"


def send(client, i):
    return client.ask("POST", "/v1/orders",
                      json.dumps({"lines": [{"sku": "sku0", "quantity": 1}],
                                  "customer": "c" * 120}), (("Idempotency-Key", "key-%d" % i),))


def final(address, i):
    """The answer that is not 503 or 504."""
    end = pawlproc.now() + 60
    while pawlproc.now() < end:
        c = Client(address)
        try:
            a = send(c, i)
        except Gone as e:
            raise Failure("pawl is gone") from e
        finally:
            c.close()
        if a.status not in (503, 504):
            return a
    raise Failure("order %d is refused for a minute after there is space again" % i)


def run(pawl, home):
    tempfile.tempdir = home
    with servers.Postgres({"max_wal_size": "'32MB'", "min_wal_size": "'32MB'",
                           "shared_buffers": "'16MB'"}) as postgres:
        nodes = pgwork.Nodes(pawl, postgres.url(), 1)
        try:
            pgwork.prepare(nodes.address(0))
            fill(os.path.join(home, "ballast"), SPARE)
            address, answers, client = nodes.address(0), [], Client(nodes.address(0))
            for i in range(ORDERS_MAX):
                a = send(client, i)
                if a.status in (503, 504):
                    break
                check("status before the disk is full", a.status, 201)
                answers.append(a)
            else:
                raise Failure("%d orders fit on a full disk" % ORDERS_MAX)
            refused = a
            os.unlink(os.path.join(home, "ballast"))
            if postgres.proc.poll() is not None:
                postgres.start()
            for i in range(len(answers), len(answers) + AFTER):
                check("status when there is space", final(address, i).status, 201)
            for i in range(0, len(answers), 7):
                check("the answer to key-%d" % i, final(address, i).body, answers[i].body)
            sold = json.loads(Client(address).ask("GET", "/v1/items/sku0").body)["sold"]
            check("sold", sold, len(answers) + AFTER)
            check("rows of orders", int(postgres.sql("SELECT count(*) FROM pawl.order_")), sold)
            pawlproc.verify(pawl, postgres.url())
        finally:
            nodes.close()
    print("full at order %d (%d), and well again without a restart of pawl"
          % (len(answers), refused.status))


def inside(pawl):
    home = pawlproc.scratch()
    os.chmod(home, 0o755)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d,mode=755" % SIZE, "none",
                       home]).returncode != 0:
        print("skipped: no tmpfs may be mounted here")
        return 77
    try:
        run(pawl, home)
    except servers.Missing as e:
        print("skipped:", e)
        return 77
    except Failure as e:
        print("FAILED:", e)
        return 1
    finally:
        subprocess.run(["umount", "-l", home])
        pawlproc.remove(home)
    return 0


def main(pawl):
    if os.environ.get(INSIDE):
        return inside(pawl)
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"]).returncode != 0:
        print("skipped: no mount namespace of one's own")
        return 77
    return subprocess.run(["unshare", "-m", sys.executable, __file__, pawl],
                          env={**os.environ, INSIDE: "1"}).returncode


if __name__ == "__main__":
    sys.exit(main(os.path.realpath(sys.argv[1])))
