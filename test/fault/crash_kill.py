#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""crash_kill.py PAWL [--kills N] [--seed N] [--plant WHAT] - kill the server, again and again.

Clients load a server with orders, holds, transfers, records and mixed transactions, each with its
own key; at some moment it is killed with SIGKILL and started again on the same store, which grows
over all lives. After each death:
  - what was acknowledged is there: GET /v1/answers/{key} tells it, and the same request is answered
    with the same status, body, ETag and Location, as a replay;
  - what was not acknowledged is done or not done, and the key tells which before it is asked again;
  - stock, sold, held, balances and records are what the committed requests add up to: none is
    half done, none is done twice;
  - the revision has not gone back, and `pawl verify` finds the books in order.
At the end every request of all lives is sent once more, and the rows in the file are counted.

--plant damages the store between a death and the next life, and then the run succeeds only when
that damage is found. PAWL_KILLS sets the default of --kills. A run is repeated with the seed that it prints (the moments
of the kernel's scheduling aside).
"""
import argparse
import json
import os
import random
import sqlite3
import sys
import threading

import pawlproc
from pawlproc import Client, Failure, Gone, Server

CLIENTS = 8
USERS, SKUS, RECORDS = 6, 5, 6
STOCK, MONEY = 100000, 1000000
LONG_S = 86400
OLD_SAMPLE = 60   # requests of earlier lives that are looked at after each death
# --plant: the damage, and what the failure that finds it must say.
PLANTS = {
    "answer": ("DELETE FROM answer_1 WHERE key = :key", "state: unknown"),
    "transfer": ("DELETE FROM transfer WHERE number = (SELECT max(number) FROM transfer)",
                 "its transfers sum to"),
    "balance": ("UPDATE account SET balance = balance + 1 WHERE id = 'user:0'",
                "user:0 balance, held"),
    "effect": ("UPDATE account SET balance = balance - 1 WHERE id = 'sold:sku0'",
               "sku0 available, held, sold"),
    "event": ("DELETE FROM event WHERE number = (SELECT max(number) FROM event)", "events"),
}
LIVES = (("start", 1), ("ready", 2), ("short", 5), ("long", 2), ("replay", 1))


class Request:
    """Something that was asked for under a key, and what came back."""

    def __init__(self, key, what, method, path, body, headers=(), **facts):
        self.key, self.what, self.method, self.path = key, what, method, path
        self.body = None if body is None else json.dumps(body)
        self.headers = (("Idempotency-Key", '"%s"' % key), *headers)
        self.facts = facts
        self.answer = None  # the first; it never changes
        self.acknowledged = False

    def send(self, client):
        answer = client.ask(self.method, self.path, self.body, self.headers)
        if answer.status >= 500:
            raise Failure("%s: %d %s" % (self.key, answer.status, answer.body[:300]))
        replayed = answer.headers.get("idempotent-replayed") == "true"
        if self.answer is None:
            self.answer = answer
        elif not same(self.answer, answer):
            raise Failure("%s was answered %s, and now %s" %
                          (self.key, show(self.answer), show(answer)))
        elif not replayed:
            raise Failure("%s was done again: answered %s without Idempotent-Replayed" %
                          (self.key, show(answer)))
        return replayed

    @property
    def committed(self):
        return self.answer is not None and self.answer.status < 300

    def json(self):
        return json.loads(self.answer.body)


def same(a, b):
    return (a.status, a.body, a.headers.get("etag"), a.headers.get("location")) == \
        (b.status, b.body, b.headers.get("etag"), b.headers.get("location"))


def show(a):
    return "%d %s" % (a.status, a.body[:200])


class Book:
    """All requests of all lives, and what they add up to. The threads of one life share it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.requests = []
        self.open_holds, self.open_orders, self.etags = [], [], {}
        self.made = 0

    def add(self, *args, **facts):
        with self.lock:
            self.made += 1
            r = Request("key-%d" % self.made, *args, **facts)
            self.requests.append(r)
        return r

    def acknowledge(self, r):
        """A first answer arrived on the wire: what it made can be worked on."""
        r.acknowledged = True
        with self.lock:
            if r.committed and r.what == "hold":
                self.open_holds.append((r, r.json()["id"]))
            if r.committed and r.what == "order" and r.facts["held"]:
                self.open_orders.append((r, r.json()["id"]))
            if r.committed and r.what == "record":
                self.etags[r.facts["record"]] = r.answer.headers["etag"]

    def take(self, rng, items):
        with self.lock:
            return items.pop(rng.randrange(len(items))) if items else None


class Maker:
    """Makes one client's requests."""

    def __init__(self, book, rng, big):
        self.book, self.rng, self.big = book, rng, big

    def order(self):
        rng = self.rng
        lines = [{"sku": "sku%d" % rng.randrange(SKUS), "quantity": rng.randint(1, 4)}
                 for _ in range(rng.randint(1, 3))]
        if rng.random() < 0.05:
            lines.append({"sku": "sku0", "quantity": STOCK * 10})  # refused: none of the lines
        body = {"lines": lines, "customer": "customer %d" % rng.randrange(1000)}
        held = rng.random() < 0.4
        if held:
            body["hold_s"] = LONG_S
        if rng.random() < 0.3:
            body["pay"] = {"from": "user:%d" % rng.randrange(USERS), "to": "shop",
                           "amount": rng.randint(1, 50)}
        return self.book.add("order", "POST", "/v1/orders", body, held=held, lines=lines,
                             pay=body.get("pay"))

    def pair(self):
        a = self.rng.randrange(USERS)
        b = (a + self.rng.randint(1, USERS - 1)) % USERS
        return {"from": "user:%d" % a, "to": "user:%d" % b, "amount": self.rng.randint(1, 500)}

    def transfer(self):
        move = self.pair()
        return self.book.add("transfer", "POST", "/v1/transfers", move, move=move)

    def hold(self):
        move = self.pair()
        return self.book.add("hold", "POST", "/v1/holds", {**move, "ttl_s": LONG_S}, move=move)

    def end_hold(self):
        taken = self.book.take(self.rng, self.book.open_holds)
        if taken is None:
            return self.hold()
        of, number = taken
        amount = of.facts["move"]["amount"]
        path = "/v1/holds/" + number
        if self.rng.random() < 0.3:
            return self.book.add("end_hold", "POST", path + "/release", None, of=of, captured=0)
        if self.rng.random() < 0.5:
            return self.book.add("end_hold", "POST", path + "/capture", {}, of=of, captured=amount)
        part = self.rng.randint(1, amount)
        return self.book.add("end_hold", "POST", path + "/capture",
                             {"amount": part, "final": True}, of=of, captured=part)

    def end_order(self):
        taken = self.book.take(self.rng, self.book.open_orders)
        if taken is None:
            return self.order()
        of, number = taken
        end = self.rng.choice(("confirm", "confirm", "cancel"))
        return self.book.add("end_order", "POST", "/v1/orders/%s/%s" % (number, end), None, of=of,
                             confirmed=end == "confirm")

    def value(self):
        n = self.rng.randint(5000, 60000) if self.big else self.rng.randint(1, 200)
        return {"text": "%x" % self.rng.getrandbits(4 * n)}

    def record(self):
        name = "record:%d" % self.rng.randrange(RECORDS)
        etag = self.book.etags.get(name)
        condition = ("If-Match", etag) if etag else ("If-None-Match", "*")
        value = self.value()
        return self.book.add("record", "PUT", "/v1/records/" + name, value, (condition,),
                             record=name, value=value)

    def mixed(self):
        name, move, value = "mixed:%d" % self.rng.randrange(RECORDS), self.pair(), self.value()
        ops = [{"op": "transfer", **move}, {"op": "put", "key": name, "value": value},
               {"op": "emit", "topic": "news", "key": name, "body": {"n": 1}},
               {"op": "enqueue", "queue": "mail", "body": [1, 2, 3]}]
        return self.book.add("mixed", "POST", "/v1/tx", {"ops": ops}, move=move, record=name,
                             value=value)

    def restock(self):
        sku, n = "sku%d" % self.rng.randrange(SKUS), self.rng.randint(1, 20)
        return self.book.add("restock", "POST", "/v1/items/%s/restock" % sku, {"quantity": n},
                             sku=sku, quantity=n)

    def next(self):
        makers = (self.order, self.transfer, self.hold, self.end_hold, self.end_order,
                  self.record, self.mixed, self.restock)
        return self.rng.choices(makers, (8, 4, 3, 3, 4, 4, 4, 1))[0]()


class Sums:
    """What the committed requests add up to."""

    def __init__(self, book):
        self.balance = {"user:%d" % i: MONEY for i in range(USERS)}
        self.balance["shop"] = 0
        self.held = dict.fromkeys(self.balance, 0)
        self.item = {"sku%d" % i: [STOCK, 0, 0] for i in range(SKUS)}  # available, held, sold
        self.record = {}  # name -> (version, value)
        self.orders = self.events = self.jobs = self.answers = 0
        for r in book.requests:
            self.answers += r.answer is not None
            if r.committed:
                getattr(self, "add_" + r.what)(r)

    def move(self, m, amount=None):
        amount = m["amount"] if amount is None else amount
        self.balance[m["from"]] -= amount
        self.balance[m["to"]] += amount

    def add_transfer(self, r):
        self.move(r.facts["move"])

    def add_hold(self, r):
        self.held[r.facts["move"]["from"]] += r.facts["move"]["amount"]

    def add_end_hold(self, r):
        m = r.facts["of"].facts["move"]
        self.held[m["from"]] -= m["amount"]
        self.move(m, r.facts["captured"])

    def lines(self, r, *signs):
        for line in r.facts["lines"]:
            item = self.item[line["sku"]]
            for i, sign in enumerate(signs):
                item[i] += sign * line["quantity"]

    def add_order(self, r):
        self.orders += 1
        self.events += 1
        pay = r.facts["pay"]
        if r.facts["held"]:
            self.lines(r, -1, 1, 0)
            if pay:
                self.held[pay["from"]] += pay["amount"]
        else:
            self.lines(r, -1, 0, 1)
            if pay:
                self.move(pay)

    def add_end_order(self, r):
        of = r.facts["of"]
        pay = of.facts["pay"]
        self.events += 1
        if r.facts["confirmed"]:
            self.lines(of, 0, -1, 1)
        else:
            self.lines(of, 1, -1, 0)
        if pay:
            self.held[pay["from"]] -= pay["amount"]
            if r.facts["confirmed"]:
                self.move(pay)

    def put(self, r, version):
        name = r.facts["record"]
        if name not in self.record or self.record[name][0] < version:
            self.record[name] = (version, r.facts["value"])

    def add_record(self, r):
        self.put(r, int(r.answer.headers["etag"].strip('"')))

    def add_mixed(self, r):
        self.move(r.facts["move"])
        self.put(r, r.json()["revision"])
        self.events += 1
        self.jobs += 1

    def add_restock(self, r):
        self.item[r.facts["sku"]][0] += r.facts["quantity"]

    def add_setup(self, r):
        pass


def expect(what, is_, should):
    if is_ != should:
        raise Failure("%s: %s, but the committed requests add up to %s" % (what, is_, should))


def get(client, path):
    answer = client.ask("GET", path)
    if answer.status != 200:
        raise Failure("GET %s: %s" % (path, show(answer)))
    return answer


def compare(client, book):
    """Every number that the interface shows, against the sums."""
    sums = Sums(book)
    for sku, numbers in sums.item.items():
        item = json.loads(get(client, "/v1/items/" + sku).body)
        expect("%s available, held, sold" % sku,
               [item["available"], item["held"], item["sold"]], numbers)
    for name, balance in sums.balance.items():
        account = json.loads(get(client, "/v1/accounts/" + name).body)
        expect("%s balance, held" % name, [account["balance"], account["held"]],
               [balance, sums.held[name]])
    for name, (version, value) in sums.record.items():
        answer = get(client, "/v1/records/" + name)
        expect("%s version" % name, answer.headers["etag"], '"%d"' % version)
        expect("%s value is the one written last" % name, json.loads(answer.body) == value, True)
    return sums


def compare_states(client, book):
    """How each order and each hold has ended, against who ended it."""
    ends = {id(r.facts["of"]): r for r in book.requests
            if r.what in ("end_order", "end_hold") and r.committed}
    for r in book.requests:
        if not r.committed or r.what not in ("order", "hold"):
            continue
        end = ends.get(id(r))
        if r.what == "order":
            state = "confirmed" if not r.facts["held"] else "held" if end is None else \
                "confirmed" if end.facts["confirmed"] else "cancelled"
        else:
            state = "held" if end is None else "captured" if end.facts["captured"] else "released"
        shown = json.loads(get(client, "/v1/%ss/%s" % (r.what, r.json()["id"])).body)
        expect("%s state" % r.key, shown["state"], state)


def revision(client):
    for line in get(client, "/metrics").body.decode().splitlines():
        if line.startswith("pawl_store_revision"):
            return int(float(line.split()[-1]))
    raise Failure("/metrics does not tell pawl_store_revision")


def ask_answer(client, r):
    """What the server says became of a key; checked against what is known."""
    said = json.loads(get(client, "/v1/answers/" + r.key).body)
    if r.answer is None:
        return said
    expect("%s state" % r.key, said["state"], "committed" if r.committed else "refused")
    expect("%s status" % r.key, said["status"], r.answer.status)
    body = json.loads(r.answer.body) if r.answer.body else None
    expect("%s body by its key" % r.key, said["body"] == body, True)
    return said


class Run:
    """The lives of one store."""

    def __init__(self, pawl, home, seed, plant):
        self.pawl, self.home, self.plant = pawl, home, plant
        self.store = os.path.join(home, "pawl.db")
        self.rng = random.Random(seed)
        self.book = Book()
        self.revision = self.deaths = self.lost = self.lost_done = self.replays = 0
        self.failures = []
        self.server = None

    def start(self, *args, **named):
        """A new life; whoever fails leaves no server behind."""
        self.server = Server(self.pawl, self.home, *args, **named)
        return self.server

    def setup(self):
        """What is there before the first death."""
        server = self.start()
        client = Client(server.address)
        asks = [("PUT", "/v1/accounts/shop", {"unit": "EUR"})]
        for i in range(USERS):
            asks.append(("PUT", "/v1/accounts/user:%d" % i, {"unit": "EUR"}))
            asks.append(("POST", "/v1/transfers",
                         {"from": "world:EUR", "to": "user:%d" % i, "amount": MONEY}))
        for i in range(SKUS):
            asks.append(("PUT", "/v1/items/sku%d" % i, {"stock": STOCK}))
        for method, path, body in asks:
            r = self.book.add("setup", method, path, body)
            r.send(client)
            if not r.committed:
                raise Failure("setting up: " + show(r.answer))
            r.acknowledged = True
        compare(client, self.book)
        server.kill()

    def load(self, address, rng, big, stop, acked):
        """One client, until the server is gone."""
        client, maker, mine = Client(address), Maker(self.book, rng, big), []
        try:
            while not stop.is_set():
                if mine and rng.random() < 0.1:
                    rng.choice(mine).send(client)
                    continue
                r = maker.next()
                r.send(client)
                self.book.acknowledge(r)
                mine.append(r)
                acked.release()
        except Gone:
            pass
        except Failure as e:
            self.failures.append(e)
        finally:
            client.close()

    def replay(self, address, rng, stop, acked):
        """A client that repeats what earlier lives have answered."""
        client = Client(address)
        try:
            while not stop.is_set():
                rng.choice(self.book.requests).send(client)
                acked.release()
        except Gone:
            pass
        except Failure as e:
            self.failures.append(e)
        finally:
            client.close()

    def life(self, how, unix):
        """One life under load, and its end."""
        commit = ("--commit", self.rng.choice(("thread", "thread", "loop")))
        server = self.start(unix, commit, wait=how != "start")
        stop, acked, threads = threading.Event(), threading.Semaphore(0), []
        if how == "start":
            # Anywhere from before the first instruction to after the last step of opening.
            stop.wait(self.rng.random() * 0.06)
            server.kill()
            return
        for _ in range(CLIENTS):
            rng = random.Random(self.rng.getrandbits(64))
            args = (server.address, rng, stop, acked)
            if how == "replay":
                threads.append(threading.Thread(target=self.replay, args=args))
            else:
                threads.append(threading.Thread(
                    target=self.load, args=(server.address, rng, how == "long", stop, acked)))
        for t in threads:
            t.start()
        most = {"ready": 8, "short": 400, "long": 1500, "replay": 400}[how]
        for _ in range(self.rng.randint(0, most)):
            # The moment is a number of answers; the time is only there to end it.
            if not acked.acquire(timeout=20):
                break
        stop.wait(self.rng.random() * 0.005)
        died = server.process.poll()
        server.kill()
        stop.set()
        for t in threads:
            t.join()
        if died is not None:
            raise Failure("the server ended by itself (%d):\n  %s" %
                          (died, "\n  ".join(server.lines[-20:])))
        if self.failures:
            raise self.failures[0]

    def judge(self, first, unix):
        """A new life: is everything there that the last ones have promised?"""
        server = self.start(unix)
        client = Client(server.address)
        try:
            at = revision(client)
            if at < self.revision:
                raise Failure("the revision was %d, now it is %d" % (self.revision, at))
            news = self.book.requests[first:]
            old = self.book.requests[:first]
            open_ones = [r for r in news if r.answer is None]
            said = {r.key: self.settle(client, r) for r in open_ones}
            compare(client, self.book)
            for r in news + self.rng.sample(old, min(OLD_SAMPLE, len(old))):
                if r.key in said:
                    self.ask_open(client, r, said[r.key])
                    continue
                ask_answer(client, r)
                r.send(client)
                self.replays += 1
            compare(client, self.book)
            self.revision = revision(client)
            if self.deaths % 8 == 0:
                pawlproc.verify(self.pawl, self.store)  # beside the running server
        except Gone as e:
            raise Failure("the server went away:\n  " + "\n  ".join(server.lines[-20:])) from e
        finally:
            client.close()
            server.kill()

    def settle(self, client, r):
        """A request whose answer was lost: what the server says of it counts from now on."""
        said = ask_answer(client, r)
        self.lost += 1
        if said["state"] == "unknown":
            return said
        self.lost_done += 1
        # The rest of the answer comes with the replay, and must agree.
        replayed = r.send(client)
        if not replayed:
            raise Failure("%s is %s by its key, yet was done again" % (r.key, said["state"]))
        expect("%s status by replay" % r.key, r.answer.status, said["status"])
        expect("%s body by replay" % r.key,
               (json.loads(r.answer.body) if r.answer.body else None) == said["body"], True)
        self.book.acknowledge(r)
        return said

    def ask_open(self, client, r, said):
        replayed = r.send(client)
        if said["state"] == "unknown" and replayed:
            raise Failure("%s was unknown by its key, yet it is replayed" % r.key)
        if said["state"] == "unknown":
            self.book.acknowledge(r)
        ask_answer(client, r)
        r.send(client)

    def damage(self):
        """The planted fault: what the checks must find. The server is dead."""
        key = [r for r in self.book.requests
               if r.committed and r.acknowledged and r.what == "order"][-1].key
        sql = PLANTS[self.plant][0]
        db = sqlite3.connect(self.store)
        try:
            with db:
                n = db.execute(sql, {"key": key} if ":key" in sql else ()).rowcount
        finally:
            db.close()
        if n != 1:
            raise RuntimeError("the plant did not take: %d rows" % n)

    def lives(self, kills):
        self.setup()
        ways = [way for way, weight in LIVES for _ in range(weight)]
        while self.deaths < kills:
            how, unix, first = self.rng.choice(ways), self.rng.random() < 0.5, len(self.book.requests)
            self.life(how, unix)
            if self.plant and self.deaths + 2 >= kills:
                self.damage()
            self.judge(first, unix)
            self.deaths += 2  # the judge kills its server as well

    def last(self):
        """Everything once more, a clean end, and the rows in the file."""
        server = self.start()
        client = Client(server.address)
        for r in self.book.requests:
            ask_answer(client, r)
            r.send(client)
            self.replays += 1
        sums = compare(client, self.book)
        compare_states(client, self.book)
        client.close()
        expect("exit code on SIGTERM", server.stop(), 0)
        pawlproc.verify(self.pawl, self.store)
        db = sqlite3.connect(self.store)
        try:
            for table, number in (("order_", sums.orders), ("event", sums.events),
                                  ("job", sums.jobs), ("answers", sums.answers)):
                expect("rows of " + table,
                       db.execute("SELECT count(*) FROM " + table).fetchone()[0], number)
        finally:
            db.close()


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("pawl")
    p.add_argument("--kills", type=int, default=int(os.environ.get("PAWL_KILLS", "100")))
    p.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    p.add_argument("--plant", choices=PLANTS)
    a = p.parse_args()
    home = pawlproc.scratch()
    run = Run(a.pawl, home, a.seed, a.plant)
    print("seed %d" % a.seed, flush=True)
    try:
        run.lives(a.kills)
        run.last()
        found = None
        if a.kills >= 50 and not 0 < run.lost_done < run.lost:
            found = Failure("no kill came between the commit and the answer: nothing is proved")
    except Failure as e:
        found = e
    finally:
        if run.server is not None:
            run.server.kill()
    print("%d kills, %d requests, %d unanswered of which %d were done, %d replays" %
          (run.deaths, len(run.book.requests), run.lost, run.lost_done, run.replays))
    if a.plant:
        right = found is not None and PLANTS[a.plant][1] in str(found)
        print("planted %s: %s: %s" % (a.plant, "found" if right else "NOT FOUND", found))
        pawlproc.remove(home)
        return 0 if right else 1
    if found:
        print("FAILED: %s\nreplay: crash_kill.py PAWL --kills %d --seed %d; the store is in %s" %
              (found, a.kills, a.seed, home))
        return 1
    pawlproc.remove(home)
    return 0


if __name__ == "__main__":
    sys.exit(main())
