#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""race_run.py PAWL - `pawl race run` and `init` as their users run them: against small servers with a
planted race, against their correct twins, against servers that misbehave, and against pawl itself.
Output is TAP. With PAWL_TEST_POSTGRES and PAWL_TEST_REDIS (test/rig/servers.py) expectations look
into those, too."""
import http.server
import json
import os
import pathlib
import signal
import socketserver
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

PAWL = os.path.abspath(sys.argv[1])
LONG = 120  # seconds; a hang, never a criterion
WINDOW = 0.00005  # seconds between a planted server's check and its act
SECRET = 'tok"en-\\7731'
ENV = {k: v for k, v in os.environ.items() if not k.startswith("PAWL_")}


class Shop(http.server.BaseHTTPRequestHandler):
    """Items that can be ordered. server.good decides whether an order is atomic, a repeated key
    replayed. Everything that came in is kept in server.seen."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, status, doc):
        body = json.dumps(doc).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_one(self):
        s = self.server
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        s.seen.append((self.command, self.path, dict(self.headers), raw))
        body = json.loads(raw) if raw else None
        if self.path == "/hang" or (self.path == "/hang-one" and s.first()):
            s.hanging.wait(LONG)
        elif self.path == "/login":
            self.answer(200, {"token": f"t-{body['user']}"})
            return
        elif self.path == "/echo":
            self.answer(200, {"auth": self.headers.get("Authorization")})
            return
        elif self.path == "/counter":
            with s.lock:
                s.count += 1
                self.answer(200, {"n": s.count if s.good else s.count // 2})
            return
        elif self.command == "PUT":
            s.stock[self.path] = body["stock"]
            self.answer(201, body)
            return
        elif self.command == "DELETE":
            s.stock.pop(self.path, None)
        elif self.command == "GET" and self.path in s.stock:
            self.answer(200, {"available": s.stock[self.path]})
            return
        elif self.command == "POST" and self.path == "/v1/orders":
            self.order(body["lines"][0]["sku"])
            return
        self.answer(204 if self.command == "DELETE" else 404, {})

    def order(self, sku):
        s, item, key = self.server, "/v1/items/" + sku, self.headers.get("Idempotency-Key")
        if s.good:
            with s.lock:
                if key not in s.answers:
                    s.answers[key] = 201 if s.stock[item] > 0 else 409
                    s.stock[item] -= s.answers[key] == 201
                self.answer(s.answers[key], {"key": key})
            return
        there = s.stock[item]
        time.sleep(WINDOW)
        if there > 0:
            s.stock[item] = there - 1
        self.answer(201 if there > 0 else 409, {"id": len(s.seen), "html": "<script>x</script>"})

    do_GET = do_PUT = do_POST = do_DELETE = handle_one


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, good=False):
        super().__init__(("127.0.0.1", 0), Shop)
        self.good, self.stock, self.answers, self.seen, self.count = good, {}, {}, [], 0
        self.lock, self.hanging, self.was_first = threading.Lock(), threading.Event(), False
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def first(self):
        with self.lock:
            was, self.was_first = self.was_first, True
            return not was

    def __exit__(self, *_):
        self.hanging.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, *_):
        pass  # a client that goes away is part of the tests


class Pawl:
    """pawl serve on a scratch store: on disk, so that requests wait for a commit together."""

    def __enter__(self):
        self.dir = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen([PAWL, "serve", "--json", "--store",
                                         f"sqlite:{self.dir.name}/pawl.db", "--listen",
                                         "127.0.0.1:0"], env=ENV, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.url = json.loads(self.process.stdout.readline())["listen"][0]
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=LONG)
        self.dir.cleanup()


def last_item(url, sku='"last-{round}"', path='"/v1/items/last-{round}"', clients=40, rounds=5,
              more=""):
    return f"""
name: last-item
target: {url}
setup:
  - {{method: PUT, path: {path}, body: {{stock: 1}}}}
race:
  clients: {clients}
  rounds: {rounds}
  sync: last-byte
  request: {{method: POST, path: /v1/orders, headers: {{Idempotency-Key: "{{round}}-{{client}}"}}, body: {{lines: [{{sku: {sku}, quantity: 1}}]}}}}
{more}
expect:
  - {{status: {{201: 1, 409: rest}}}}
  - {{get: {path}, json: {{/available: 0}}}}
"""


def simple(url, request, expect, race="clients: 8\n  rounds: 1", top=""):
    return (f"name: simple\ntarget: {url}\n{top}\nrace:\n  {race}\n  request: {request}\n"
            f"expect:\n  - {expect}\n")


AGAIN = 6


class Scratch(tempfile.TemporaryDirectory):
    again = AGAIN  # 1 where exit 9 is what is wanted

    def __enter__(self):
        self.dir = pathlib.Path(super().__enter__())
        return self

    def race(self, yaml, *args, env=None):
        file = self.dir / "scenario.yaml"
        file.write_text(yaml)
        # On a machine with other things to do a run may lack the overlap, and says so: exit 9.
        for _ in range(self.again):
            run = subprocess.run([PAWL, "race", "run", str(file), *args],
                                 env={**ENV, **(env or {})}, capture_output=True, text=True,
                                 timeout=LONG)
            if run.returncode != 9:
                break
            if "--history" in args:  # it is never written over
                pathlib.Path(args[args.index("--history") + 1]).unlink(missing_ok=True)
        return run

    def json(self, yaml, *args, env=None):
        run = self.race(yaml, "--json", *args, env=env)
        assert run.stdout, run
        return run.returncode, json.loads(run.stdout)


def expect(run, status):
    assert run.returncode == status, (run.returncode, run.stdout, run.stderr)


def test_a_planted_race_is_found_and_its_twin_is_not_accused():
    with Server() as naive, Server(good=True) as good, Scratch() as s:
        status, doc = s.json(last_item(naive.url))
        assert (status, doc["verdict"]) == (1, "violated"), doc
        assert doc["expectations"][0]["verdict"] == "violated"
        assert "expected 1" in doc["expectations"][0]["detail"]
        assert len(doc["interleaving"]["operations"]) == 2
        assert {o["outcome"] for o in doc["interleaving"]["operations"]} == {"201"}
        assert sum(doc["answers"].values()) == doc["requests"] == 200
        run = s.race(last_item(good.url, rounds=10, more="  overlap: 0"))
        expect(run, 0)
        assert run.stdout.startswith("last-item: held\n"), run.stdout
        assert "0 of 10 rounds: < 27.8 % at 95 %" in run.stdout


def test_the_correct_twin_is_not_accused_in_a_thousand_rounds():
    with Server(good=True) as good, Scratch() as s:
        yaml = last_item(good.url, clients=10, rounds=1000, more="  head_start: 1ms\n  overlap: 0")
        status, doc = s.json(yaml)
        assert (status, doc["rounds"]["held"]) == (0, 1000), doc


def test_the_published_scenario_is_held_by_pawl():
    with Pawl() as pawl, Scratch() as s:
        status, doc = s.json(last_item(pawl.url, clients=200, rounds=10))
        assert (status, doc["verdict"]) == (0, "held"), doc
        assert doc["answers"] == {"201": 10, "409": 1990}, doc
        assert doc["rounds_carried"] == 0
        # As published: one item for all rounds. Later rounds find it sold, and say so.
        status, doc = s.json(last_item(pawl.url, "last", "/v1/items/last", clients=200, rounds=20))
        assert (status, doc["verdict"]) == (0, "held"), doc
        assert doc["answers"] == {"201": 1, "409": 3999}, doc
        assert doc["rounds_carried"] == 19
        assert doc["expectations"][0]["violation_rate"]["text"].startswith("0 of 1 rounds")
        # Once more: it was there before the first round.
        status, doc = s.json(last_item(pawl.url, "last", "/v1/items/last"))
        assert (status, doc["verdict"]) == (2, "error") and "409" in doc["error"], doc


def test_the_examples_are_held_by_pawl():
    examples = sorted((pathlib.Path(__file__).resolve().parents[2] / "examples/race").glob("*.yaml"))
    assert len(examples) >= 3
    with Pawl() as pawl, Scratch() as s:
        for example in examples:
            history = s.dir / (example.stem + ".jsonl")
            yaml = example.read_text().replace("http://127.0.0.1:7077", pawl.url)
            status, doc = s.json(yaml, "--rounds", "3", "--history", str(history))
            assert (status, doc["verdict"]) == (0, "held"), (example, doc)
        run = subprocess.run([PAWL, "check", "--model", "cas-register", "--initial", "0",
                              str(s.dir / "register.jsonl")], env=ENV, capture_output=True,
                             text=True, timeout=LONG)
        assert run.returncode == 0 and run.stdout.startswith("valid"), run


def test_until_failure_stops_and_the_command_repeats_it():
    with Server() as naive, Scratch() as s:
        status, doc = s.json(last_item(naive.url, rounds=50), "--until-failure")
        assert status == 1 and doc["rounds_run"] < 50, doc
        assert doc["rounds"]["violated"] == 1
        assert f"--seed {doc['seed']} --until-failure" in doc["command"]


def test_retries_that_are_no_replays_are_found():
    yaml = """
name: replays
target: URL
setup: [{method: PUT, path: "/v1/items/a-{round}", body: {stock: 100}}]
race:
  clients: 20
  rounds: 3
  request: {path: /v1/orders, key: repeated, body: {lines: [{sku: "a-{round}", quantity: 1}]}}
expect:
  - {replays: identical}
  - {status: {201: 20}}
"""
    with Server() as naive, Pawl() as pawl, Scratch() as s:
        status, doc = s.json(yaml.replace("URL", naive.url))
        assert (status, doc["expectations"][0]["verdict"]) == (1, "violated"), doc
        status, doc = s.json(yaml.replace("URL", pawl.url))
        assert (status, doc["verdict"]) == (0, "held"), doc
        keys = [h.get("Idempotency-Key") for m, _, h, _ in naive.seen if m == "POST"]
        assert len(keys) == 60 and all(keys.count(k) == 2 for k in keys), keys


def test_answers_that_are_the_same_twice_are_found():
    with Server() as naive, Server(good=True) as good, Scratch() as s:
        for server, want in ((naive, 1), (good, 0)):
            expect(s.race(simple(server.url, "{path: /counter}", "{distinct: /n}")), want)


def test_every_client_has_its_chain():
    yaml = """
name: chain
target: URL
race:
  clients: 6
  rounds: 1
  before:
    - {method: POST, path: /login, body: {user: "u{client}"}, capture: {token: /token}}
  request: {path: /echo, headers: {Authorization: "Bearer {token}"}}
  after:
    - {method: DELETE, path: "/v1/items/{token}"}
expect:
  - {distinct: /auth}
"""
    with Server() as server, Scratch() as s:
        expect(s.race(yaml.replace("URL", server.url)), 0)
        sent = sorted(h["Authorization"] for _, p, h, _ in server.seen if p == "/echo")
        assert sent == [f"Bearer t-u{i}" for i in range(6)], sent
        assert sorted(p for m, p, _, _ in server.seen if m == "DELETE") == \
            [f"/v1/items/t-u{i}" for i in range(6)]


def test_no_overlap_is_inconclusive():
    with Server(good=True) as good, Scratch() as s:
        yaml = simple(good.url, "{path: /counter}", "{distinct: /n}",
                      "clients: 2\n  rounds: 1\n  sync: {spread: 20s}\n  head_start: 1ms")
        status, doc = s.json(yaml)
        assert (status, doc["verdict"]) == (9, "inconclusive"), doc
        assert doc["overlap"]["pairs_min"] == 0 and doc["overlap"]["rounds_missed"] == 1
        assert "overlap" in doc["expectations"][0]["detail"]
        status, doc = s.json(yaml.replace("20s", "20ms").replace("rounds: 1", "rounds: 1\n  overlap: 0"))
        assert (status, doc["verdict"]) == (0, "held"), doc


def test_a_missing_answer_is_inconclusive_not_held():
    with Server(good=True) as server, Scratch() as s:
        s.again = 1
        status, doc = s.json(simple(server.url, "{path: /hang-one}", "{status: {404: rest}}",
                                    top="timeout: 1s"))
        assert (status, doc["verdict"]) == (9, "inconclusive"), doc
        assert doc["answers"] == {"404": 7, "timed-out": 1}, doc


def test_a_target_that_is_not_there_is_6():
    with Scratch() as s:
        status, doc = s.json(last_item("http://127.0.0.1:1"))
        assert (status, doc["verdict"]) == (6, "error") and doc["error"], doc
        status, doc = s.json(simple("http://127.0.0.1:1", "{path: /}", "{status: {200: 8}}"))
        assert (status, doc["verdict"]) == (6, "error") and doc["error"], doc


def test_mistakes_in_the_file_are_2_with_their_place():
    with Scratch() as s:
        run = s.race("name: x\ntarget: http://127.0.0.1:1\nraec: 1\n")
        expect(run, 2)
        assert run.stderr == (f'pawl: race: {s.dir}/scenario.yaml:3:1: a scenario has no "raec"; '
                              'did you mean "race"?\n'), run.stderr
        run = subprocess.run([PAWL, "race", "run", str(s.dir / "none.yaml")], env=ENV,
                             capture_output=True, text=True, timeout=LONG)
        expect(run, 2)
        for args in (["rnu", "x"], ["run"], ["run", "a", "b"], [], ["run", "x", "--explore"]):
            run = subprocess.run([PAWL, "race", *args], env=ENV, capture_output=True, text=True,
                                 timeout=LONG)
            expect(run, 2)
            assert run.stderr.count("\n") == 1 and not run.stdout, run


def test_init_writes_a_scenario_and_nothing_over():
    with Pawl() as pawl, Scratch() as s:
        file = s.dir / "new.yaml"
        args = [PAWL, "race", "init", pawl.url, "--output", str(file)]
        expect(subprocess.run(args, env=ENV, capture_output=True, text=True, timeout=LONG), 0)
        run = subprocess.run([PAWL, "race", "run", str(file), "--rounds", "2"], env=ENV,
                             capture_output=True, text=True, timeout=LONG)
        expect(run, 0)
        file.write_text("mine")
        run = subprocess.run(args, env=ENV, capture_output=True, text=True, timeout=LONG)
        expect(run, 4)
        assert file.read_text() == "mine"


def test_a_secret_goes_to_the_target_and_nowhere_else():
    with Server() as server, Scratch() as s:
        report, history = s.dir / "r.html", s.dir / "h.jsonl"
        yaml = simple(server.url, "{path: /echo}", "{distinct: /auth}",
                      top='headers: {Authorization: "Bearer {env:RACE_TOKEN}"}')
        run = s.race(yaml, "--report", str(report), "--history", str(history),
                     env={"RACE_TOKEN": SECRET})
        expect(run, 1)
        assert all(h["Authorization"] == "Bearer " + SECRET for _, _, h, _ in server.seen)
        for text in (run.stdout, run.stderr, report.read_text(), history.read_text()):
            assert "tok" not in text or SECRET not in text
            assert SECRET not in text and json.dumps(SECRET)[1:-1] not in text
            assert "-7731" not in text and "7731" not in text, text
        assert "{env:RACE_TOKEN}" in report.read_text()


def test_the_report_is_one_page_and_hostile_answers_are_text():
    with Server() as naive, Scratch() as s:
        report = s.dir / "r.html"
        expect(s.race(last_item(naive.url), "--report", str(report)), 1)
        page = report.read_text()
        assert "default-src 'none'" in page and "&lt;script&gt;" in page
        assert "<script" not in page and "http://" in page and "src=" not in page
        assert [p.name for p in s.dir.iterdir() if ".part" in p.name] == []


def test_the_history_is_in_order_and_says_what_is_not_known():
    yaml = simple("URL", '{path: /hang-one, op: {f: write, key: "{round}", value: "{int:client}"}}',
                  "{status: {404: any, timeout: any}}", "clients: 8\n  rounds: 2", "timeout: 1s")
    with Server() as server, Scratch() as s:
        history = s.dir / "h.jsonl"
        expect(s.race(yaml.replace("URL", server.url), "--history", str(history)), 0)
        lines = [json.loads(line) for line in history.read_text().splitlines()]
        assert len(lines) == 32 and [l["index"] for l in lines] == list(range(32))
        assert [l["time"] for l in lines] == sorted(l["time"] for l in lines)
        ends = [l for l in lines if l["type"] != "invoke"]
        assert sorted(l["type"] for l in ends) == ["fail"] * 15 + ["info"], ends
        assert {l["f"] for l in lines} == {"write"}
        first = [l for l in lines if l["round"] == 1]
        assert sorted(l["value"] for l in first if l["type"] == "invoke") == list(range(8))
        # Its client goes on as somebody else: that operation may still happen.
        gone = next(l["process"] for l in ends if l["type"] == "info")
        assert gone < 8 and {l["process"] for l in lines if l["round"] == 2} == {*range(9)} - {gone}
        for end in ends:
            begin = next(l for l in lines if l["type"] == "invoke" and l["round"] == end["round"]
                         and l["process"] == end["process"])
            assert begin["time"] <= end["time"] and begin["t_send"] == begin["time"]
        run = s.race(yaml.replace("URL", server.url), "--history", str(history))
        expect(run, 4)  # never over a file


def test_an_interruption_is_130():
    with Server() as server, Scratch() as s:
        file = s.dir / "scenario.yaml"
        file.write_text(simple(server.url, "{path: /hang}", "{status: {200: any}}",
                               "clients: 4\n  rounds: 100", top="timeout: 60s"))
        p = subprocess.Popen([PAWL, "race", "run", str(file)], env=ENV, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + LONG
        while len(server.seen) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=LONG)
        assert p.returncode == 130, (p.returncode, out, err)
        assert "interrupted" in out


def test_sqlite_is_looked_into():
    with Server(good=True) as server, Scratch() as s:
        db = s.dir / "x.db"
        with sqlite3.connect(db) as c:
            c.execute("CREATE TABLE t(round INTEGER, n INTEGER)")
        c.close()
        yaml = simple(server.url, "{path: /counter}",
                      f'{{sql: "SELECT sum(n) FROM t WHERE round = {{round}}", on: "sqlite:{db}", value: WANT}}',
                      race="clients: 3\n  rounds: 2\n  overlap: 0",
                      top=f'setup:\n  - {{sql: "INSERT INTO t VALUES ({{round}}, 5)", on: "sqlite:{db}"}}')
        expect(s.race(yaml.replace("WANT", "5")), 0)
        status, doc = s.json(yaml.replace("WANT", "6"))
        assert status == 1 and "is 5, expected 6" in doc["expectations"][0]["detail"], doc
        status, doc = s.json(yaml.replace("FROM t", "FROM nobody"))
        assert status == 2 and "no such table" in doc["expectations"][0]["detail"], doc
        status, doc = s.json(yaml.replace("x.db", "none.db"))
        assert status == 6, doc
        assert not (s.dir / "none.db").exists()


def test_postgresql_is_looked_into():
    url = os.environ["PAWL_TEST_POSTGRES"]
    with Server(good=True) as server, Scratch() as s:
        yaml = simple(server.url, "{path: /counter}",
                      '{sql: "SELECT 5, \'a\', true, NULL", on: "{env:DB}", rows: [[5, a, true, null]]}',
                      race="clients: 3\n  rounds: 1\n  overlap: 0")
        expect(s.race(yaml, env={"DB": url}), 0)
        expect(s.race(yaml.replace("[5,", "[6,"), env={"DB": url}), 1)
        status, doc = s.json(yaml.replace("SELECT 5", "SELECT pg_sleep(60)"), env={"DB": url})
        assert status == 6 and "in time" in doc["expectations"][0]["detail"], doc


def test_redis_is_looked_into():
    url = os.environ["PAWL_TEST_REDIS"]
    with Server(good=True) as server, Scratch() as s:
        yaml = simple(server.url, "{path: /counter}",
                      '{redis: "GET race:{round}", on: "{env:CACHE}", value: 7}',
                      race="clients: 3\n  rounds: 1\n  overlap: 0",
                      top='setup: [{redis: "SET race:{round} 7 EX 60", on: "{env:CACHE}"}]')
        expect(s.race(yaml, env={"CACHE": url}), 0)
        expect(s.race(yaml.replace("value: 7", "value: 8"), env={"CACHE": url}), 1)
        status, doc = s.json(yaml.replace("GET race", "NOSUCH race"), env={"CACHE": url})
        assert status == 2 and "Redis:" in doc["expectations"][0]["detail"], doc


def test_a_constant_rate_is_kept():
    with Server(good=True) as server, Scratch() as s:
        yaml = simple(server.url, "{path: /counter}", "{distinct: /n}",
                      "clients: 40\n  rounds: 1\n  overlap: 0\n  sync: {rate: 400}")
        status, doc = s.json(yaml)
        assert (status, doc["answers"]) == (0, {"200": 40}), doc


NEEDS = {"test_postgresql_is_looked_into": "PAWL_TEST_POSTGRES",
         "test_redis_is_looked_into": "PAWL_TEST_REDIS"}


def main():
    tests = [(n, f) for n, f in globals().items() if n.startswith("test_")]
    if len(sys.argv) > 2:
        tests = [(n, f) for n, f in tests if sys.argv[2] in n]
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for i, (name, f) in enumerate(tests, 1):
        if name in NEEDS and NEEDS[name] not in os.environ:
            print(f"ok {i} - {name} # SKIP {NEEDS[name]} is not set", flush=True)
            continue
        try:
            f()
            print(f"ok {i} - {name}", flush=True)
        except Exception as e:  # whatever it was: this test failed, the next one runs
            failed += 1
            print(f"not ok {i} - {name}\n# " + f"{type(e).__name__}: {e}".replace("\n", "\n# "),
                  flush=True)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
