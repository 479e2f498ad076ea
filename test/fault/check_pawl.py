#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_pawl.py PAWL STORE [--seconds N] [--seed N] [--plant] - pawl judged by its own checker.

Clients append to lists and compare-and-set a register, all with the same few records, while what
serves them is killed: one server over SQLite (STORE sqlite), or three nodes and their PostgreSQL
(STORE postgres). What each asked and was answered is written down, and `pawl check` must find both
histories valid: strict serializability of the lists, linearizability of the register. A history of
too few transactions, without conflicts, or in which nothing was killed proves nothing: it fails.

  - A transaction reads its keys and then is one POST /v1/tx: a check of the version of each key
    that it only read, a put with if_version for each that it appended to. Its invocation is that
    request: it has to hold between that and the answer. Each GET is a transaction of one read by
    itself.
  - 412 and 503 are :fail: nothing was done. A connection that ended, or 504, is :info - unless the
    client asks /v1/answers for its key, or repeats the request with it, and so learns what it was;
    it does one of the three by chance. After :info it goes on as another process.

--plant: PAWL forgets a row lock, and the run succeeds only when the checker sees that updates are
lost; nothing is killed. Skipped (77) where PostgreSQL is not installed. PAWL_CHECK_SECONDS sets
--seconds; a slow machine gets longer, until enough was done.
"""
import argparse
import collections
import itertools
import json
import os
import random
import subprocess
import sys
import threading
import time

import pawlproc
import pgwork
from pawlproc import Client, Failure, Gone

NODES = {"sqlite": 1, "postgres": 3}
SECONDS = {"sqlite": 8, "postgres": 12}
LISTS, REGISTERS = 9, 3      # clients
KEYS, LIST_MAX = 3, 64       # lists in use at a time; one that has grown to this is left alone
MIN_OK, MIN_CONFLICTS, MIN_KILLS = 2000, 200, 3
LIMIT_S, FINAL_S = 300, 120  # of a run, of one request; no measure of speed
LOST = {"lost-update"}       # what --plant must bring to light, whatever else follows from it
REGISTER = "/v1/records/register"


class History:
    """What was asked and answered, in the order of real time: appending is one step."""

    def __init__(self):
        self.lines = []

    def add(self, kind, process, f, value):
        self.lines.append((kind, process, f, value))

    def write(self, path):
        with open(path, "w") as out:
            for kind, process, f, value in self.lines:
                out.write(json.dumps({"type": kind, "process": process, "f": f, "value": value}))
                out.write("\n")


class Keys:
    """The lists in use: short, so that reads are cheap; few, so that clients are in conflict."""

    def __init__(self):
        self.lock = threading.Lock()
        self.all = ["l:%d" % i for i in range(KEYS)]
        self.used = list(self.all)

    def some(self, rng, n):
        with self.lock:
            return [rng.choice(self.used) for _ in range(n)]

    def leave(self, key):
        with self.lock:
            if key in self.used:
                self.all.append("l:%d" % len(self.all))
                self.used[self.used.index(key)] = self.all[-1]


class Load:
    """What all clients share. Counters are only for the sums: a lost one does not matter."""

    def __init__(self, nodes):
        self.nodes = nodes
        self.stop = threading.Event()
        self.keys = Keys()
        self.lists, self.register = History(), History()
        self.processes, self.values = itertools.count(), itertools.count(1)
        self.count = collections.Counter()


class Worker(threading.Thread):
    """One client: it stays with a node until that fails it."""

    def __init__(self, load, number, rng, history):
        super().__init__(daemon=True)
        self.load, self.number, self.rng, self.history = load, number, rng, history
        self.node, self.client = number, None
        self.serial = 0
        self.process = next(load.processes)
        self.trouble = None

    def once(self, method, path, body=None, headers=()):
        """The answer, or None where the connection ended before it."""
        answer = None
        try:
            if self.client is None:
                self.client = Client(self.load.nodes.address(self.node))
            answer = self.client.ask(method, path, body, headers)
        except Gone:
            pass
        if answer is None or answer.status in (503, 504):
            if self.client is not None:
                self.client.close()
            self.client = None
            self.node += 1
            threading.Event().wait(self.rng.uniform(0, 0.05))
        return answer

    def final(self, *request):
        """The answer that says what was done, however often it takes."""
        end = pawlproc.now() + FINAL_S
        while pawlproc.now() < end:
            answer = self.once(*request)
            if answer is None or answer.status in (503, 504):
                continue
            if answer.status != 409 or json.loads(answer.body)["code"] != "in_progress":
                return answer
        raise Failure("no final answer to %s %s" % request[:2])

    def change(self, method, path, body, headers=()):
        """The status that tells what was done; None: nobody knows."""
        self.serial += 1
        key = "c%d-%d" % (self.number, self.serial)
        request = (method, path, json.dumps(body), (("Idempotency-Key", key), *headers))
        answer = self.once(*request)
        if answer is not None and answer.status != 504:
            return answer.status
        how = self.rng.choice(("left", "asked", "repeated"))
        status = None
        if how == "asked":
            status = json.loads(self.final("GET", "/v1/answers/" + key).body).get("status")
        elif how == "repeated":
            status = self.final(*request).status
        self.load.count["left" if status is None else how] += 1
        return status

    def done(self, status, f, asked, answered):
        """Write down the end of a change."""
        kinds = {200: "ok", 201: "ok", 412: "fail", 503: "fail", None: "info"}
        if status not in kinds:
            raise Failure("%s %r is answered %d" % (f, asked, status))
        kind = kinds[status]
        self.history.add(kind, self.process, f, answered if kind == "ok" else asked)
        self.load.count["conflict" if status == 412 else kind] += 1
        if kind == "info":
            self.process = next(self.load.processes)

    def read(self, path, f, show):
        """A GET, as an operation of its own: value (None: there is none) and version, or None."""
        self.history.add("invoke", self.process, f, show(None))
        answer = self.once("GET", path)
        if answer is None or answer.status in (503, 504):
            self.history.add("fail", self.process, f, show(None))
            return None
        if answer.status not in (200, 404):
            raise Failure("GET %s is answered %d" % (path, answer.status))
        there = answer.status == 200
        value = json.loads(answer.body) if there else None
        self.history.add("ok", self.process, f, show(value))
        return value, int(answer.headers["etag"].strip('"')) if there else 0

    def run(self):
        try:
            while not self.load.stop.is_set():
                self.step()
        except Failure as e:
            self.trouble = e
        except Exception as e:  # a bug of the test must not look like a quiet end
            self.trouble = Failure("client %d: %r" % (self.number, e))


class Lists(Worker):
    """Transactions of list-append."""

    def get(self, key):
        """List and version, or None."""
        got = self.read("/v1/records/" + key, "txn", lambda v: [["r", key, v]])
        return got and (got[0] or [], got[1])

    def plan(self, seen):
        """Micro-operations as asked and as answered, and the operations of the request."""
        now = {k: list(v) for k, (v, _) in seen.items()}
        asked, answered, ops = [], [], []
        put = set()
        writes = self.rng.random() < 0.75
        for key in self.rng.sample(sorted(seen), len(seen)):
            appends = self.rng.choice((0, 1, 1, 2)) if writes else 0
            if appends == 0 or self.rng.random() < 0.8:
                asked.append(["r", key, None])
                answered.append(["r", key, list(now[key])])
            if appends == 0:
                ops.append({"op": "check", "key": key, "version": seen[key][1]})
            for _ in range(appends):
                value = next(self.load.values)
                now[key].append(value)
                op = {"op": "put", "key": key, "value": list(now[key])}
                if key not in put:  # what is in between must never be seen
                    op["if_version"] = seen[key][1]
                put.add(key)
                ops.append(op)
                asked.append(["append", key, value])
                answered.append(asked[-1])
            if appends > 0 and self.rng.random() < 0.3:
                asked.append(["r", key, None])
                answered.append(["r", key, list(now[key])])
        return asked, answered, ops

    def step(self):
        seen = {}
        for key in self.load.keys.some(self.rng, self.rng.choice((1, 2, 2, 3))):
            if key not in seen:
                seen[key] = self.get(key)
                if seen[key] is None:
                    return
                if len(seen[key][0]) >= LIST_MAX:
                    self.load.keys.leave(key)
        asked, answered, ops = self.plan(seen)
        self.history.add("invoke", self.process, "txn", asked)
        self.done(self.change("POST", "/v1/tx", {"ops": ops}), "txn", asked, answered)


class Register(Worker):
    """Compare-and-set under If-Match, and now and then a write whatever is there."""

    def step(self):
        got = self.read(REGISTER, "read", lambda v: v)
        if got is None:
            return
        (old, version), new = got, next(self.load.values)
        f, value, condition = "cas", [old, new], '"%d"' % version
        if self.rng.random() < 0.1:
            f, value, condition = "write", new, "*"
        self.history.add("invoke", self.process, f, value)
        self.done(self.change("PUT", REGISTER, new, (("If-Match", condition),)), f, value, value)


def disturb(nodes, postgres, rng, count):
    """Something is killed or stopped, and runs again when this returns."""
    weights = (4, 1, 1) if postgres is not None else (1, 0, 0)
    what = rng.choices(("node killed", "postgres stopped", "postgres killed"), weights)[0]
    count[what] += 1
    count["kills"] += 1
    if what == "node killed":
        i = rng.randrange(len(nodes.servers))
        nodes.kill(i)
        nodes.start(i)
    else:
        postgres.kill() if what == "postgres killed" else postgres.stop()
        postgres.start()


def enough(count, args):
    if count["ok"] < MIN_OK or count["conflict"] < MIN_CONFLICTS:
        return False
    if args.plant:
        return True
    restarts = count["postgres stopped"] + count["postgres killed"]
    return count["kills"] >= MIN_KILLS and (args.store == "sqlite" or restarts > 0) and \
        count["asked"] + count["repeated"] > 0 and count["left"] > 0


def record(load, postgres, rng, args):
    """The load, for as long as was asked and until enough was done; then every key is read."""
    c = Client(load.nodes.address(0))
    if c.ask("PUT", REGISTER, "0", (("Idempotency-Key", "first"),)).status != 201:
        raise Failure("the register cannot be made")
    c.close()
    workers = [Lists(load, i, random.Random(rng.random()), load.lists) for i in range(LISTS)]
    workers += [Register(load, LISTS + i, random.Random(rng.random()), load.register)
                for i in range(REGISTERS)]
    for w in workers:
        w.start()
    begin = pawlproc.now()
    while pawlproc.now() - begin < args.seconds or not enough(load.count, args):
        if pawlproc.now() - begin > max(LIMIT_S, 3 * args.seconds):
            raise Failure("too little was done: %s" % dict(load.count))
        if any(w.trouble for w in workers):
            break
        load.stop.wait(rng.uniform(0.2, 1.5))
        if not args.plant:
            disturb(load.nodes, postgres, rng, load.count)
    load.stop.set()
    for w in workers:
        w.join()
        if w.trouble is not None:
            raise w.trouble
    last = Lists(load, len(workers), rng, load.lists)
    end = pawlproc.now() + FINAL_S
    for key in load.keys.all:
        while last.get(key) is None:
            if pawlproc.now() > end:
                raise Failure("%s cannot be read" % key)


def judge(pawl, history, path, *options):
    """What `pawl check` says: verdict and anomalies, as JSON and as text."""
    history.write(path)
    runs = [subprocess.run([pawl, "check", *options, *more, path], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, check=False, text=True)
            for more in (("--json",), ())]
    try:
        told = json.loads(runs[0].stdout)
        verdict, anomalies, operations = told["verdict"], told["anomalies"], told["operations"]
    except (ValueError, KeyError) as e:
        raise Failure("pawl check exits %d: %s" % (runs[0].returncode, runs[0].stdout)) from e
    asked = sum(kind == "invoke" for kind, _, _, _ in history.lines)
    if operations != asked:
        raise Failure("%d operations were judged, %d were made" % (operations, asked))
    print("%s: %s, %d operations, %s" % (options[1], verdict, operations, anomalies or "nothing"))
    return verdict, anomalies, runs[1].stdout


def run(args, home, postgres):
    rng = random.Random(args.seed)
    url = postgres.url() if postgres is not None else os.path.join(home, "pawl.db")
    nodes = pgwork.Nodes(args.pawl, url, NODES[args.store])
    load = Load(nodes)
    try:
        record(load, postgres, rng, args)
        if not args.plant:
            pawlproc.verify(args.pawl, url)
    finally:
        nodes.close()
    print(", ".join("%s %d" % kv for kv in sorted(load.count.items())), flush=True)
    verdict, anomalies, text = judge(args.pawl, load.lists, os.path.join(home, "lists.json"),
                                     "--model", "list-append",
                                     "--consistency", "strict-serializable")
    if args.plant:
        if verdict != "invalid" or not LOST & set(anomalies):
            raise Failure("the lost updates were not seen: %s %s" % (verdict, anomalies))
        return
    if verdict != "valid":
        raise Failure("the lists:\n" + text[:8000])
    verdict, _, text = judge(args.pawl, load.register, os.path.join(home, "register.json"),
                             "--model", "cas-register", "--initial", "0")
    if verdict != "valid":
        raise Failure("the register:\n" + text[:8000])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pawl")
    parser.add_argument("store", choices=sorted(NODES))
    parser.add_argument("--seconds", type=float, default=os.environ.get("PAWL_CHECK_SECONDS"))
    parser.add_argument("--seed", type=int, default=int(time.time() * 1000) & 0xffffffff)
    parser.add_argument("--plant", action="store_true")
    args = parser.parse_args()
    if args.seconds is None:
        args.seconds = 0 if args.plant else SECONDS[args.store]
    print("seed", args.seed, flush=True)
    home = pawlproc.scratch()
    try:
        if args.store == "postgres":
            with pgwork.servers.Postgres() as postgres:
                run(args, home, postgres)
        else:
            run(args, home, None)
    except pgwork.servers.Missing as e:
        pawlproc.remove(home)
        print("skipped:", e)
        return 77
    except Failure as e:
        print("FAILED:", e)
        print("the histories are left in", home)
        return 1
    pawlproc.remove(home)
    return 0


if __name__ == "__main__":
    sys.exit(main())
