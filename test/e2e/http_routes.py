#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""http_routes.py PAWL - walks every route and every code of the HTTP interface against a running
server, over its own bytes: what is sent and what comes back is looked at literally. On SQLite, or on
the database that PAWL_TEST_POSTGRES names.
"""
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

PAWL = sys.argv[1]
STORE = os.environ.get("PAWL_TEST_POSTGRES")  # an empty database; else a file
JSON = {"Content-Type": "application/json"}
TIMEOUT = 60  # seconds; only a hang reaches it
done = 0


def check(what, got, want):
    """One expectation; a dict asks for these members, a pattern for a match."""
    global done
    if isinstance(want, dict) and isinstance(got, dict):
        for name, value in want.items():
            check(f"{what}: {name}", got.get(name), value)
        return
    if isinstance(want, re.Pattern):
        ok = isinstance(got, str) and want.fullmatch(got) is not None
    else:
        ok = got == want and isinstance(got, bool) == isinstance(want, bool)
    if not ok:
        sys.exit(f"FAILED {what}: got {got!r}, want {want!r}")
    done += 1


class Server:
    """build/pawl serve on a free port, and on a Unix socket, with a store of its own."""

    def __init__(self, home, *options, store=None):
        self.socket = f"{home}/s{os.urandom(4).hex()}.sock"
        self.process = subprocess.Popen(
            [PAWL, "serve", "--json", "--store", store or STORE or f"sqlite:{home}/store.db",
             "--listen", "127.0.0.1:0", "--listen", f"unix:{self.socket}", *options],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"FAILED to start: exit {self.process.wait()}")
        self.port = int(json.loads(line)["listen"][0].rsplit(":", 1)[1])
        self.conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)

    def ask(self, method, path, body=None, headers=None, status=None):
        """(status, headers, body); a body that is no string is sent as JSON."""
        fields = dict(headers or {})
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        if body is not None and "Content-Type" not in fields:
            fields.update(JSON)
        self.conn.request(method, path, body, fields)
        answer = self.conn.getresponse()
        text = answer.read()
        head = {name.lower(): value for name, value in answer.getheaders()}
        if status is not None and answer.status != status:
            sys.exit(f"FAILED {method} {path}: {answer.status} {text!r}, want {status}")
        check_common(method, path, answer.status, head, text)
        return answer.status, head, json.loads(text) if text.startswith((b"{", b"[")) else text

    def ok(self, method, path, body=None, headers=None, status=200):
        return self.ask(method, path, body, headers, status)[2]

    def problem(self, method, path, status, code, body=None, headers=None, **members):
        _, head, doc = self.ask(method, path, body, headers, status)
        check(f"{method} {path}: problem", doc, {
            "type": f"urn:pawl:problem:{code}", "code": code, "status": status, **members})
        for name in ("title", "detail", "request_id", "retryable"):
            check(f"{method} {path}: has {name}", name in doc, True)
        return head, doc

    def raw(self, data, count=1, path=None):
        """Bytes on a connection of their own; the first count answers as (status, head, body)."""
        with open_socket(self.port, path) as s:
            s.sendall(data)
            stream = s.makefile("rb")
            return [read_answer(stream) for _ in range(count)]

    def end(self, signo=signal.SIGTERM):
        self.conn.close()
        self.process.send_signal(signo)
        code = self.process.wait(TIMEOUT)
        self.process.stdout.close()
        check("exit status", code, 0)


def open_socket(port, path=None):
    if path is None:
        return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(TIMEOUT)
    s.connect(path)
    return s


def read_answer(stream, head_only=False):
    line = stream.readline()
    if not line:
        return None
    status = int(line.split()[1])
    head = {}
    while (line := stream.readline().strip()):
        name, value = line.decode().split(":", 1)
        head[name.lower()] = value.strip()
    if head_only or status in (100, 204, 304):
        return status, head, b""
    return status, head, stream.read(int(head["content-length"]))


def check_common(method, path, status, head, text):
    """What holds for every answer."""
    at = f"{method} {path}: {status}"
    check(f"{at}: Cache-Control", head.get("cache-control"), "no-store")
    check(f"{at}: has X-Request-Id", "x-request-id" in head, True)
    check(f"{at}: has Date", "date" in head, True)
    if status in (503, 504):
        check(f"{at}: Retry-After", head.get("retry-after"), "1")
    if not text:
        return
    kind = head.get("content-type", "")
    if status >= 400 and path not in ("/readyz", "/readyz?verbose"):
        check(f"{at}: Content-Type", kind, "application/problem+json")
        check(f"{at}: request_id", json.loads(text).get("request_id") is not None, True)
    elif not path.startswith("/metrics"):
        check(f"{at}: Content-Type", kind, "application/json")


ID = re.compile(r"[0-9a-hjkmnp-tv-z]{13}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def accounts(s):
    s.problem("GET", "/v1/accounts/ada", 404, "not_found")
    got = s.ok("PUT", "/v1/accounts/ada", {"unit": "EUR"}, status=201)
    check("account", got, {"id": "ada", "unit": "EUR", "balance": 0, "held": 0, "available": 0,
                           "floor": 0})
    s.ok("PUT", "/v1/accounts/ada", {"unit": "EUR", "floor": 0}, status=200)
    s.ok("PUT", "/v1/accounts/bob", {"unit": "EUR", "floor": "-50"}, status=201)
    got = s.ok("PUT", "/v1/accounts/free", {"unit": "EUR", "floor": None}, status=201)
    check("no floor", got, {"floor": None, "available": None})
    s.ok("PUT", "/v1/accounts/usd", {"unit": "USD"}, status=201)
    s.problem("PUT", "/v1/accounts/ada", 409, "exists", {"unit": "USD"})
    s.problem("PUT", "/v1/accounts/ada", 409, "insufficient", {"unit": "EUR", "floor": 1},
              account="ada")
    s.problem("PUT", "/v1/accounts/world:EUR", 400, "invalid", {"unit": "USD", "floor": None},
              errors=[{"pointer": "/unit", "detail": "the unit of world:UNIT is UNIT"}])
    got = s.ok("GET", "/v1/accounts/world:GBP")
    check("world", got, {"id": "world:GBP", "unit": "GBP", "balance": 0, "floor": None})
    check("escaped id", s.ok("GET", "/v1/accounts/%61da")["id"], "ada")
    check("longest id", s.ok("PUT", "/v1/accounts/" + "i" * 128, {"unit": "EUR"},
                             status=201)["id"], "i" * 128)
    s.problem("PUT", "/v1/accounts/" + "i" * 129, 400, "invalid", {"unit": "EUR"})
    for bad in ("a%20b", "a%2Fb", "a%zz", "%C3%A9", "%00"):
        s.problem("GET", "/v1/accounts/" + bad, 400, "invalid")


def transfers(s):
    body = {"from": "world:EUR", "to": "ada", "amount": 100}
    got = s.ok("POST", "/v1/transfers", body, status=201)
    check("transfer", got, {"id": ID, "from": "world:EUR", "to": "ada", "amount": 100})
    s.problem("POST", "/v1/transfers", 409, "insufficient",
              {"from": "ada", "to": "bob", "amount": 101}, account="ada", available=100,
              requested=101, retryable=False)
    s.problem("POST", "/v1/transfers", 404, "not_found", {**body, "to": "nobody"})
    s.problem("POST", "/v1/transfers", 400, "invalid", {**body, "to": "usd"})
    s.problem("POST", "/v1/transfers", 400, "invalid", {**body, "to": "world:EUR"})
    s.problem("POST", "/v1/transfers", 400, "invalid", {**body, "amount": 1.5},
              errors=[{"pointer": "/amount", "detail": "must be an integer"}])
    s.problem("POST", "/v1/transfers", 400, "invalid", {**body, "amount": 2**63})
    s.problem("POST", "/v1/transfers", 400, "invalid", "", headers=JSON)
    s.problem("POST", "/v1/transfers", 400, "invalid", b"\xff")
    s.problem("POST", "/v1/transfers", 415, "unsupported_media_type", json.dumps(body),
              {"Content-Type": "text/plain"})
    # What curl -d says by itself is taken for JSON; from a form in a browser it is not.
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    s.problem("POST", "/v1/transfers", 400, "invalid", "from=ada", form)
    s.problem("POST", "/v1/transfers", 415, "unsupported_media_type", json.dumps(body),
              {**form, "Origin": "https://elsewhere.example"})
    s.problem("POST", "/v1/transfers", 413, "too_large", " " * (1024 * 1024 + 1))
    s.conn.close()
    s.ok("POST", "/v1/transfers", json.dumps(body).ljust(1024 * 1024), status=201)
    s.ok("POST", "/v1/transfers", {**body, "from": "ada", "to": "world:EUR"}, status=201)


def holds(s):
    hold = {"from": "ada", "to": "bob", "amount": 10, "ttl_s": 600}
    _, head, got = s.ask("POST", "/v1/holds", hold, status=201)
    check("hold", got, {"id": ID, "state": "held", "from": "ada", "to": "bob", "amount": 10,
                        "captured": 0, "expires_at": TIME})
    check("location", head["location"], "/v1/holds/" + got["id"])
    at = head["location"]
    check("held", s.ok("GET", "/v1/accounts/ada"), {"balance": 100, "held": 10, "available": 90})
    check("get", s.ok("GET", at), got)
    check("partial", s.ok("POST", at + "/capture", {"amount": 4}), {"state": "held",
                                                                    "captured": 4})
    s.problem("POST", at + "/capture", 409, "insufficient", {"amount": 7})
    check("final", s.ok("POST", at + "/capture", {"amount": 2, "final": True}),
          {"state": "captured", "captured": 6})
    check("again", s.ok("POST", at + "/capture"), {"state": "captured", "captured": 6})
    s.problem("POST", at + "/capture", 409, "hold_finished", {"amount": 2, "final": True})
    s.problem("POST", at + "/release", 409, "hold_finished", state="captured",
              hold=got["id"])
    at = s.ask("POST", "/v1/holds", hold, status=201)[1]["location"]
    check("release", s.ok("POST", at + "/release"), {"state": "released"})
    check("again", s.ok("POST", at + "/release", {}), {"state": "released"})
    s.problem("POST", at + "/capture", 409, "hold_finished", state="released")
    at = s.ask("POST", "/v1/holds", hold, status=201)[1]["location"]
    check("all of it", s.ok("POST", at + "/capture"), {"state": "captured", "captured": 10})
    for bad in ("/v1/holds/0000000000400", "/v1/holds/x"):
        s.problem("GET", bad, 404, "not_found")
        s.problem("POST", bad + "/capture", 404, "not_found")
        s.problem("POST", bad + "/release", 404, "not_found")
    check("balances", s.ok("GET", "/v1/accounts/bob"), {"balance": 16, "held": 0})


def expire(s):
    """An expired hold can't be captured, whatever the sweeper has done. Waits for the server's
    clock by asking the server, not by sleeping."""
    at = s.ask("POST", "/v1/holds", {"from": "ada", "to": "bob", "amount": 1, "ttl_s": 1},
               status=201)[1]["location"]
    while s.ok("GET", at)["state"] == "held":
        pass
    check("expired", s.ok("GET", at), {"state": "expired"})
    s.problem("POST", at + "/capture", 409, "hold_expired", state="expired")
    check("free again", s.ok("GET", "/v1/accounts/ada"), {"held": 0})


def items_and_orders(s):
    got = s.ok("PUT", "/v1/items/tea", {"stock": 5}, status=201)
    check("item", got, {"sku": "tea", "available": 5, "held": 0, "sold": 0})
    s.problem("PUT", "/v1/items/tea", 409, "exists", {"stock": 5})
    check("restock", s.ok("POST", "/v1/items/tea/restock", {"quantity": 5}), {"available": 10})
    s.problem("POST", "/v1/items/milk/restock", 404, "not_found", {"quantity": 5})
    s.problem("GET", "/v1/items/milk", 404, "not_found")
    order = {"lines": [{"sku": "tea", "quantity": 2}]}
    _, head, got = s.ask("POST", "/v1/orders", order, status=201)
    check("order", got, {"id": ID, "state": "confirmed", "lines": order["lines"]})
    check("location", head["location"], "/v1/orders/" + got["id"])
    check("get", s.ok("GET", head["location"]), got)
    full = {**order, "customer": "J\u00f6rg \"J\" O'Neil", "hold_s": 600,
            "pay": {"from": "ada", "to": "bob", "amount": 5}}
    _, head, got = s.ask("POST", "/v1/orders", full, status=201)
    at = head["location"]
    check("held order", got, {"state": "held", "customer": full["customer"], "pay": full["pay"],
                              "expires_at": TIME})
    check("item", s.ok("GET", "/v1/items/tea"), {"available": 6, "held": 2, "sold": 2})
    check("confirm", s.ok("POST", at + "/confirm"), {"state": "confirmed"})
    check("again", s.ok("POST", at + "/confirm"), {"state": "confirmed"})
    s.problem("POST", at + "/cancel", 409, "hold_finished", state="confirmed")
    at = s.ask("POST", "/v1/orders", full, status=201)[1]["location"]
    check("cancel", s.ok("POST", at + "/cancel", {}), {"state": "cancelled"})
    check("again", s.ok("POST", at + "/cancel"), {"state": "cancelled"})
    s.problem("POST", at + "/confirm", 409, "hold_finished", state="cancelled")
    check("item", s.ok("GET", "/v1/items/tea"), {"available": 6, "held": 0, "sold": 4})
    s.problem("POST", "/v1/orders", 409, "insufficient",
              {"lines": [{"sku": "tea", "quantity": 6}, {"sku": "tea", "quantity": 1}]})
    check("all or none", s.ok("GET", "/v1/items/tea"), {"available": 6, "sold": 4})
    s.problem("POST", "/v1/orders", 404, "not_found", {"lines": [{"sku": "milk", "quantity": 1}]})
    s.problem("GET", "/v1/orders/x", 404, "not_found")
    s.problem("POST", "/v1/orders/x/confirm", 404, "not_found")
    s.problem("POST", "/v1/orders/0000000000400/cancel", 404, "not_found")


def records(s):
    at = "/v1/records/r"
    s.problem("GET", at, 404, "not_found")
    s.problem("PUT", at, 412, "version_mismatch", [1], {"If-Match": "*"}, key="r",
              current_version=0)
    _, head, got = s.ask("PUT", at, {"b": 1, "a": [1.5, None]}, {"If-None-Match": "*"}, 201)
    check("value", got, {"a": [1.5, None], "b": 1})
    tag = head["etag"]
    check("etag", tag, re.compile(r'"[1-9][0-9]*"'))
    _, head, got = s.ask("GET", at, status=200)
    check("get", (head["etag"], got), (tag, {"a": [1.5, None], "b": 1}))
    s.problem("PUT", at, 412, "version_mismatch", [2], {"If-None-Match": "*"},
              current_version=int(tag.strip('"')))
    s.problem("PUT", at, 428, "precondition_required", [2])
    s.problem("DELETE", at, 428, "precondition_required")
    s.problem("PUT", at, 412, "version_mismatch", [2], {"If-Match": '"999"'})
    s.problem("PUT", at, 412, "version_mismatch", [2], {"If-Match": "W/" + tag})
    s.problem("PUT", at, 412, "version_mismatch", [2], {"If-Match": '"0"'})
    s.problem("PUT", at, 412, "version_mismatch", [2], {"If-Match": '"7777", "x"'})
    for bad in ({"If-Match": "5"}, {"If-Match": tag, "If-None-Match": "*"},
                {"If-None-Match": tag}):
        s.problem("PUT", at, 400, "invalid", [2], bad)
    check("304", s.ask("GET", at, headers={"If-None-Match": tag}, status=304)[1]["etag"], tag)
    s.ask("GET", at, headers={"If-None-Match": "W/" + tag}, status=304)
    s.ask("GET", at, headers={"If-None-Match": '"1234"'}, status=200)
    s.problem("GET", at, 412, "version_mismatch", headers={"If-Match": '"1234"'})
    old, tag = tag, s.ask("PUT", at, [2], {"If-Match": tag}, 200)[1]["etag"]
    check("versions grow", int(tag.strip('"')) > int(old.strip('"')), True)
    listed = {"If-Match": f"{old}, {tag}", "Idempotency-Key": "list"}
    tag = s.ask("PUT", at, "3", listed, 200)[1]["etag"]
    _, head, _ = s.ask("PUT", at, "3", listed, 200)
    check("a list is replayed", head.get("idempotent-replayed"), "true")
    s.ask("PUT", at, "null", {"If-Match": "*"}, 200)
    s.problem("DELETE", at, 412, "version_mismatch", headers={"If-Match": tag})
    s.problem("DELETE", at, 400, "invalid", headers={"If-None-Match": "*"})
    check("204", s.ask("DELETE", at, headers={"If-Match": "*"}, status=204)[2], b"")
    s.problem("GET", at, 404, "not_found")
    s.problem("DELETE", at, 404, "not_found")
    s.problem("DELETE", at, 412, "version_mismatch", headers={"If-Match": tag})
    for bad in ("", "{", '{"a":1,"a":2}', '"\\u0000"', "1e400", "[" * 33 + "]" * 33):
        s.problem("PUT", at, 400, "invalid", bad)
    s.ask("PUT", at, '"' + "v" * (256 * 1024 - 2) + '"', status=201)
    s.problem("PUT", at, 400, "invalid", '"' + "v" * (256 * 1024 - 1) + '"', {"If-Match": "*"})


def transactions(s):
    s.ok("PUT", "/v1/records/limits", "7", status=201)
    hold = s.ok("POST", "/v1/holds", {"from": "ada", "to": "bob", "amount": 1, "ttl_s": 60},
                status=201)["id"]
    hold2 = s.ok("POST", "/v1/holds", {"from": "ada", "to": "bob", "amount": 1, "ttl_s": 60},
                 status=201)["id"]
    version = int(s.ask("GET", "/v1/records/limits")[1]["etag"].strip('"'))
    got = s.ok("POST", "/v1/tx", {"ops": [
        {"op": "check", "key": "limits", "version": version},
        {"op": "check", "account": "ada", "available_min": 1},
        {"op": "transfer", "from": "ada", "to": "bob", "amount": 1},
        {"op": "hold", "from": "ada", "to": "bob", "amount": 1, "ttl_s": 60},
        {"op": "capture", "hold": hold, "amount": 1, "final": True},
        {"op": "release", "hold": hold2},
        {"op": "put", "key": "new", "value": {"x": 1}, "if_version": 0},
        {"op": "put", "key": "limits", "value": 8, "if_version": version},
        {"op": "delete", "key": "new"},
        {"op": "emit", "topic": "t", "key": "k", "body": {"n": 1}},
        {"op": "enqueue", "queue": "q", "body": None, "delay_s": 5},
    ]})
    check("tx", got, {"committed": True})
    check("results", len(got["results"]), 11)
    check("transfer", got["results"][2], {"id": ID})
    check("event", got["results"][9], {"event": ID})
    check("job", got["results"][10], {"job": ID})
    move = {"op": "transfer", "from": "ada", "to": "bob", "amount": 1}
    s.problem("POST", "/v1/tx", 409, "fenced",
              {"ops": [move, {"op": "fence", "lock": "l", "token": 3}]}, op=1, lock="l", token=3,
              current=0)
    s.problem("POST", "/v1/tx", 412, "version_mismatch",
              {"ops": [move, {"op": "check", "key": "limits", "version": version}]}, op=1,
              key="limits")
    s.problem("POST", "/v1/tx", 409, "insufficient",
              {"ops": [{"op": "check", "account": "ada", "available_min": 10**9}]}, op=0)
    s.problem("POST", "/v1/tx", 400, "invalid", {"ops": [move, {**move, "to": "usd"}]}, op=1)
    s.problem("POST", "/v1/tx", 400, "invalid", {"ops": [move, {**move, "amount": 0}]},
              errors=[{"pointer": "/ops/1/amount", "detail": "must be at least 1"}])
    s.problem("POST", "/v1/tx", 400, "invalid", {"ops": [move] * 257})
    before = s.ok("GET", "/v1/accounts/ada")["balance"]
    s.problem("POST", "/v1/tx", 404, "not_found", {"ops": [move, {**move, "to": "nobody"}]}, op=1)
    check("all or none", s.ok("GET", "/v1/accounts/ada")["balance"], before)
    many = s.ok("POST", "/v1/tx", {"ops": [
        {"op": "check", "account": "ada", "available_min": 0}] * 256})
    check("limit of operations", len(many["results"]), 256)


def keys(s):
    body = {"from": "world:EUR", "to": "ada", "amount": 3}
    _, head, first = s.ask("POST", "/v1/transfers", body, {"Idempotency-Key": '"pay-\\"x"'}, 201)
    check("first", "idempotent-replayed" in head, False)
    _, head, again = s.ask("POST", "/v1/transfers", {"amount": "3", "to": "ada", "from": "world:EUR"},
                           {"Idempotency-Key": 'pay-"x'}, 201)
    check("replay", (head["idempotent-replayed"], again), ("true", first))
    _, doc = s.problem("POST", "/v1/transfers", 422, "key_reused", {**body, "amount": 4},
                       {"Idempotency-Key": 'pay-"x'})
    check("says nothing", first["id"] in json.dumps(doc), False)
    s.problem("POST", "/v1/holds", 422, "key_reused", {**body, "ttl_s": 60},
              {"Idempotency-Key": 'pay-"x'})
    got = s.ok("GET", "/v1/answers/pay-%22x")
    check("answer", got, {"key": 'pay-"x', "state": "committed", "status": 201, "body": first,
                          "at": TIME})
    check("unknown", s.ok("GET", "/v1/answers/never"), {"key": "never", "state": "unknown"})
    # A refusal is remembered, also when what it was refused for has changed.
    short = {"from": "short", "to": "ada", "amount": 1}
    s.ok("PUT", "/v1/accounts/short", {"unit": "EUR"}, status=201)
    _, doc = s.problem("POST", "/v1/transfers", 409, "insufficient", short,
                       {"Idempotency-Key": "no"})
    s.ok("POST", "/v1/transfers", {**body, "to": "short"}, status=201)
    _, head, again = s.ask("POST", "/v1/transfers", short, {"Idempotency-Key": "no"}, 409)
    check("refused again", (head["idempotent-replayed"], again), ("true", doc))
    check("refused", s.ok("GET", "/v1/answers/no"), {"state": "refused", "status": 409})
    slash = {"Idempotency-Key": "a/b" + "c" * 252}
    s.ok("POST", "/v1/transfers", body, slash, 201)
    for at in ("a/b", "a%2Fb", "a%2fb"):
        check("slash", s.ok("GET", "/v1/answers/" + at + "c" * 252), {"state": "committed"})
    for bad in ("", '""', '"a', "a b", "k" * 256, '"a";q=1', '"a\\b"'):
        s.problem("POST", "/v1/transfers", 400, "invalid", body, {"Idempotency-Key": bad})
    lines = (b"POST /v1/transfers HTTP/1.1\r\nHost: x\r\nIdempotency-Key: a\r\n"
             b"Idempotency-Key: a\r\nContent-Length: 2\r\n\r\n{}")
    check("twice", s.raw(lines)[0][0], 400)
    # A conditional write that is repeated gets its success, not the condition's failure.
    cas = {"If-None-Match": "*", "Idempotency-Key": "cas"}
    _, head, first = s.ask("PUT", "/v1/records/cas", [1], cas, 201)
    _, again, body = s.ask("PUT", "/v1/records/cas", [1], cas, 201)
    check("cas replay", (again["etag"], body), (head["etag"], first))


def methods(s):
    for path, allow in (("/v1/tx", "POST, OPTIONS"), ("/v1/records/x", "GET, HEAD, PUT, DELETE, OPTIONS"),
                        ("/v1/accounts/x", "GET, HEAD, PUT, OPTIONS"), ("/livez", "GET, HEAD, OPTIONS"),
                        ("/v1/holds/x/capture", "POST, OPTIONS")):
        check(path, s.ask("OPTIONS", path, status=204)[1]["allow"], allow)
        head, _ = s.problem("PATCH", path, 405, "method_not_allowed")
        check(path, head["allow"], allow)
    status, head, _ = s.raw(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")[0]
    check("*", (status, head["allow"]), (204, "GET, HEAD, POST, PUT, DELETE, OPTIONS"))
    for path in ("/", "/v1", "/v1/tx/", "/v1/nothing", "/v1/accounts/", "/V1/tx"):
        s.problem("GET", path, 404, "not_found")
        s.problem("OPTIONS", path, 404, "not_found")
    get = s.ask("GET", "/v1/accounts/ada", status=200)
    head = s.ask("HEAD", "/v1/accounts/ada", status=200)
    check("HEAD", (head[1]["content-length"], head[2]), (get[1]["content-length"], b""))
    s.ask("HEAD", "/v1/accounts/nobody", status=404)
    s.problem("GET", "/v1/tx", 405, "method_not_allowed")


def request_ids(s):
    check("echo", s.ask("GET", "/livez", headers={"X-Request-Id": "abc-1"})[1]["x-request-id"],
          "abc-1")
    _, doc = s.problem("GET", "/v1/holds/x", 404, "not_found", headers={"X-Request-Id": "r" * 128})
    check("in the problem", doc["request_id"], "r" * 128)
    _, head, doc = s.ask("POST", "/v1/transfers", {"from": "ada", "to": "nobody", "amount": 1},
                         {"X-Request-Id": "write-1"}, 404)
    check("of a write", (head["x-request-id"], doc["request_id"]), ("write-1", "write-1"))
    ids = {s.ask("GET", "/livez")[1]["x-request-id"] for _ in range(50)}
    check("made up, each once", len(ids), 50)
    for bad in ("a b", "r" * 129):
        got = s.ask("GET", "/livez", headers={"X-Request-Id": bad})[1]["x-request-id"]
        check("not echoed", got, re.compile(r"[0-9a-f]{12}-[0-9a-f]{12}"))


def transport(s):
    put = (b"PUT /v1/records/p%d HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
           b"Content-Length: 1\r\n\r\n%d")
    get = b"GET /v1/records/p%d HTTP/1.1\r\nHost: x\r\n\r\n"
    got = s.raw(b"".join(put % (i, i) + get % i for i in range(9)), 18)
    for i in range(9):
        check("pipelined write", got[2 * i][0], 201)
        check("a read sees the write before it", got[2 * i + 1][2], b"%d" % i)
    # Nobody else writes: the next version is known, and a list that names it sees the write before.
    version = int(s.ask("GET", "/v1/records/p0", status=200)[1]["etag"].strip('"'))
    last = int(s.ask("GET", "/v1/records/p8", status=200)[1]["etag"].strip('"'))
    match = put.replace(b"Host: x", b"Host: x\r\nIf-Match: %s")
    got = s.raw(match % (0, b'"%d"' % version, 1) + match % (0, b'"%d", "x"' % (last + 1), 2), 2)
    check("a list sees the write before it", [answer[0] for answer in got], [200, 200])
    body = b'{"unit":"EUR"}'
    chunked = (b"PUT /v1/accounts/chunked HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
               b"Content-Type: application/json\r\n\r\n5\r\n" + body[:5] + b"\r\n9;x=y\r\n" +
               body[5:] + b"\r\n0\r\n\r\n")
    check("chunked", s.raw(chunked)[0][0], 201)
    with open_socket(s.port) as c:
        c.sendall(b"PUT /v1/accounts/cont HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                  b"Content-Length: 14\r\n\r\n")
        stream = c.makefile("rb")
        check("100", read_answer(stream)[0], 100)
        c.sendall(body)
        check("after 100", read_answer(stream)[0], 201)
    for bad, status in ((b"GET /livez HTTP/1.1\r\n\r\n", 400),
                        (b"GET /livez HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
                        (b"POST /v1/tx HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
                         b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
                        (b"GET /livez HTTP/3.0\r\nHost: x\r\n\r\n", 505),
                        (b"GET /livez HTTP/1.1\r\nHost: x\r\nExpect: 200-ok\r\n\r\n", 417),
                        (b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
                        (b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 100 + b"\r\n", 431)):
        got = s.raw(bad)[0]
        check("refused", got[0], status)
        check_common("?", "?", *got)
        check("problem", json.loads(got[2])["status"], status)
        check("type", got[1]["content-type"], "application/problem+json")
    check("HTTP/1.0", s.raw(b"GET /livez HTTP/1.0\r\n\r\n")[0][0], 200)
    got = s.raw(b"GET /v1/accounts/ada HTTP/1.1\r\nHost: x\r\n\r\n", path=s.socket)[0]
    check("unix socket", json.loads(got[2])["id"], "ada")
    idle = [open_socket(s.port) for _ in range(300)]
    check("beside idle connections", s.ok("GET", "/livez"), {"status": "pass"})
    for c in idle:
        c.close()


def wait_for_figures(s):
    """Those of a remote store are a second old."""
    end = time.monotonic() + TIMEOUT
    while b"\npawl_store_revision 0\n" in s.ask("GET", "/metrics", status=200)[2]:
        check("the revision is told in time", time.monotonic() < end, True)
        time.sleep(0.1)


def health_and_metrics(s):
    check("livez", s.ok("GET", "/livez"), {"status": "pass"})
    check("readyz", s.ok("GET", "/readyz"), {"status": "pass"})
    wait_for_figures(s)
    got = s.ok("GET", "/readyz?verbose")
    check("verbose", sorted(got["checks"]), ["clock", "serving", "store"])
    _, head, text = s.ask("GET", "/metrics", status=200)
    check("type", head["content-type"], "text/plain; version=0.0.4; charset=utf-8")
    metrics_text(text.decode(), False)
    _, head, text = s.ask("GET", "/metrics", headers={
        "Accept": "application/openmetrics-text; version=1.0.0"}, status=200)
    check("type", head["content-type"],
          "application/openmetrics-text; version=1.0.0; charset=utf-8")
    metrics_text(text.decode(), True)
    for secret in ("ada", "tea", "limits", "pay-"):
        check(f"no {secret} in it", f'"{secret}' in text.decode(), False)


SAMPLE = re.compile(r'([a-z_:]+)(?:\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)')


def metrics_text(text, openmetrics):
    """The grammar, as far as a scraper would trip over it."""
    check("ends", text.endswith("# EOF\n"), openmetrics)
    kinds, family, values = {}, None, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            family, kind = line.split()[2:]
            check(f"{family} once", family in kinds, False)
            kinds[family] = kind
        elif line.startswith("# HELP "):
            check("HELP of the family", line.split()[2], family)
        elif not line.startswith("#"):
            m = SAMPLE.fullmatch(line)
            check(f"sample {line}", m is not None, True)
            name, kind = m[1], kinds[family]
            suffix = name.removeprefix(family)
            allowed = {"histogram": ("_bucket", "_sum", "_count"), "gauge": ("",), "info": ("_info",),
                       "counter": ("_total",) if openmetrics else ("",)}[kind]
            check(f"suffix of {name}", suffix in allowed, True)
            if kind == "counter" and not openmetrics:
                check(f"{name} ends in _total", name.endswith("_total"), True)
            values.setdefault(name, {})[m[2]] = float(m[3])
    for family, kind in kinds.items():
        if kind != "histogram":
            continue
        buckets = {}
        for labels, value in values.get(family + "_bucket", {}).items():
            rest, bound = re.fullmatch(r'(.*?),?le="([^"]+)"', labels).groups()
            buckets.setdefault(rest, []).append((float(bound), value))
        for rest, row in buckets.items():
            check(f"{family}: bounds grow", row, sorted(row))
            check(f"{family}: cumulative", [v for _, v in row], sorted(v for _, v in row))
            check(f"{family}: +Inf is the count", row[-1],
                  (float("inf"), values[family + "_count"][rest or None]))
    for name in ("process_resident_memory_bytes", "process_open_fds", "pawl_store_revision",
                 "process_start_time_seconds", "pawl_ready", "pawl_http_connections"):
        check(f"{name} > 0", values[name][None] > 0, True)
    check("requests are counted", values["pawl_http_requests_total"]
          ['method="POST",route="/v1/tx",class="2xx"'] >= 2, True)
    check("transactions are counted", values["pawl_transactions_total"]['outcome="committed"'] > 0,
          True)


def callers(home):
    tokens = pathlib.Path(home, "tokens")
    tokens.write_text("# two callers\nshop s3cret-1\nbilling s3cret-2\n")
    tokens.chmod(0o600)
    s = Server(home, "--token-file", str(tokens), store="memory:")
    one, two = ({"Authorization": "Bearer s3cret-%d" % n, "Idempotency-Key": "same"}
                for n in (1, 2))
    head, _ = s.problem("GET", "/v1/accounts/a", 401, "unauthorized")
    check("challenge", head["www-authenticate"], "Bearer")
    s.problem("GET", "/metrics", 401, "unauthorized")
    s.problem("PUT", "/v1/accounts/a", 401, "unauthorized", {"unit": "EUR"},
              {"Authorization": "Bearer s3cret-3"})
    s.ok("GET", "/livez")
    s.ok("GET", "/readyz")
    s.ok("PUT", "/v1/accounts/a", {"unit": "EUR"}, one, 201)
    check("another's key", s.ok("GET", "/v1/answers/same", headers=two)["state"], "unknown")
    s.ok("PUT", "/v1/accounts/b", {"unit": "EUR"}, two, 201)
    check("two answers", [s.ok("GET", "/v1/answers/same", headers=h)["body"]["id"]
                          for h in (one, two)], ["a", "b"])
    s.end(signal.SIGINT)
    tokens.chmod(0o644)
    start = subprocess.run([PAWL, "serve", "--store", "memory:", "--listen", "127.0.0.1:0",
                            "--token-file", str(tokens)], capture_output=True, text=True,
                           timeout=TIMEOUT, check=False)
    check("a token file that others read", start.returncode, 8)
    check("says how", "0600" in start.stderr and "s3cret" not in start.stderr, True)


def overload(home):
    """More writes at once than may wait: those over the limit are told so, and did nothing."""
    s = Server(home, "--queue-max", "1", store="memory:")
    s.ok("PUT", "/v1/accounts/a", {"unit": "EUR"}, status=201)
    body = b'{"from":"world:EUR","to":"a","amount":1}'
    write = (b"POST /v1/transfers HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" %
             (len(body), body))
    done_ones = refused = 0
    while refused == 0:
        for status, head, text in s.raw(write * 20, 20):
            if status == 201:
                done_ones += 1
                continue
            check("overloaded", json.loads(text), {"status": 503, "code": "overloaded",
                                                   "retryable": True})
            check("Retry-After", head["retry-after"], "1")
            refused += 1
    check("balance", s.ok("GET", "/v1/accounts/a")["balance"], done_ones)
    s.end()


def restart(home):
    """What was acknowledged before SIGTERM is there afterwards, keys included."""
    s = Server(home)
    first = s.ok("POST", "/v1/transfers", {"from": "world:EUR", "to": "ada", "amount": 1},
                 {"Idempotency-Key": "kept"}, 201)
    balance = s.ok("GET", "/v1/accounts/ada")["balance"]
    s.end()
    s = Server(home)
    again = s.ask("POST", "/v1/transfers", {"from": "world:EUR", "to": "ada", "amount": 1},
                  {"Idempotency-Key": "kept"}, 201)
    check("replay", (again[1]["idempotent-replayed"], again[2]), ("true", first))
    check("balance", s.ok("GET", "/v1/accounts/ada")["balance"], balance)
    s.end()


def main():
    # A remote store is never committed to on the loop.
    for commit in ("thread",) if STORE else ("loop", "thread"):
        with tempfile.TemporaryDirectory() as home:
            s = Server(home, "--commit", commit)
            for part in (accounts, transfers, holds, expire, items_and_orders, records,
                         transactions, keys, methods, request_ids, transport,
                         health_and_metrics):
                part(s)
            s.end()
            if STORE or commit == "loop":
                restart(home)
                callers(home)
                overload(home)
    print(f"{done} checks held")


main()
