#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_cli.py PAWL - the program as its users run it: serve, verify, status and demo as processes,
their output, files, signals and exit statuses. Output is TAP."""
import glob
import json
import os
import pathlib
import pty
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request

PAWL = os.path.abspath(sys.argv[1])
LONG = 120  # seconds; a hang, never a criterion


def environment(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("PAWL_") and k != "NOTIFY_SOCKET"}
    return {**env, **more}


def run(*args, env=None, cwd=None):
    return subprocess.run([PAWL, *args], env=env or environment(), cwd=cwd, capture_output=True,
                          text=True, timeout=LONG)


class Server:
    """pawl serve on a free port; the lines that it printed until it was ready."""

    def __init__(self, *args, env=None, cwd=None, json_=False):
        self.process = subprocess.Popen([PAWL, "serve", *args], env=env or environment(), cwd=cwd,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines = []
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if json_ or line.startswith("ready in"):
                break

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()

    def line(self, name):
        return next(l for l in self.lines if l.startswith(name + " ")).split(None, 1)[1]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=LONG)
        self.rest = out
        self.err = err
        return self.process.returncode


def call(url, method="GET", body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=LONG) as r:
        return r.status, json.load(r)


def test_serve__says_what_it_chose_then_ready_once(tmp):
    with Server("--listen", "127.0.0.1:0", cwd=tmp) as s:
        assert len(s.lines) <= 12, s.lines
        assert s.lines[0].startswith("pawl "), s.lines
        assert s.line("store") == "sqlite:./pawl-data/pawl.db"
        assert "SQLite" in s.line("engine") and "FULL" in s.line("durability")
        assert s.line("listen").startswith("http://127.0.0.1:")
        assert call(s.line("listen") + "/livez")[0] == 200
        assert s.stop() == 0
        assert s.rest == "", s.rest
    assert sum(l.startswith("ready in") for l in s.lines) == 1
    assert (tmp / "pawl-data/pawl.db").exists()


def test_serve__quiet_prints_one_line(tmp):
    with Server("--quiet", "--listen", "127.0.0.1:0", "--store", "memory:", cwd=tmp) as s:
        assert len(s.lines) == 1, s.lines
        assert s.stop() == 0


def test_serve__json_is_one_line_with_the_port_it_took(tmp):
    with Server("--json", "--listen", "127.0.0.1:0", "--listen", f"unix:{tmp}/s", "--store",
                f"sqlite:{tmp}/a.db", json_=True) as s:
        doc = json.loads(s.lines[0])
        assert doc["listen"][1] == f"unix:{tmp}/s", doc
        assert doc["pid"] == s.process.pid
        assert call(doc["listen"][0] + "/livez")[0] == 200
        assert run("status", "--server", f"unix:{tmp}/s").returncode == 0
        assert s.stop() == 0


def test_serve__both_ways_to_commit_keep_what_was_acknowledged(tmp):
    for commit in ("loop", "thread"):
        args = ("--listen", "127.0.0.1:0", "--store", f"sqlite:{tmp}/{commit}.db", "--commit", commit)
        with Server(*args) as s:
            assert call(s.line("listen") + "/v1/items/a", "PUT", {"stock": 3})[0] == 201
            assert s.stop() == 0
        with Server(*args) as s:
            assert call(s.line("listen") + "/v1/items/a")[1]["available"] == 3
            assert s.stop() == 0


def test_serve__flag_goes_before_environment_before_file(tmp):
    (tmp / "c.yaml").write_text(f"listen: unix:{tmp}/file\nstore: sqlite:{tmp}/file.db\n"
                                "queue_max: 17\n")
    args = ("--json", "--config", f"{tmp}/c.yaml")
    with Server(*args, json_=True) as s:
        doc = json.loads(s.lines[0])
        assert doc["listen"] == [f"unix:{tmp}/file"] and doc["store"] == f"sqlite:{tmp}/file.db"
    env = environment(PAWL_LISTEN=f"unix:{tmp}/env", PAWL_STORE=f"sqlite:{tmp}/env.db")
    with Server(*args, env=env, json_=True) as s:
        doc = json.loads(s.lines[0])
        assert doc["listen"] == [f"unix:{tmp}/env"] and doc["store"] == f"sqlite:{tmp}/env.db"
    with Server(*args, "--listen", f"unix:{tmp}/flag", env=env, json_=True) as s:
        doc = json.loads(s.lines[0])
        assert doc["listen"] == [f"unix:{tmp}/flag"] and doc["store"] == f"sqlite:{tmp}/env.db"
    with Server("--config", f"{tmp}/c.yaml") as s:
        assert "queue 17," in s.line("limits"), s.lines
        assert f"{tmp}/c.yaml" in s.line("config")


def test_serve__mistake_in_the_file_has_its_place_and_exit_8(tmp):
    (tmp / "c.yaml").write_text("store: \"memory:\"\nlisen: 127.0.0.1:0\n")
    r = run("serve", "--config", f"{tmp}/c.yaml")
    assert r.returncode == 8 and r.stdout == "", r
    assert r.stderr == (f'pawl: {tmp}/c.yaml:2:1: unknown key "lisen"; did you mean "listen"?\n'), r
    r = run("serve", "--config", f"{tmp}/absent.yaml")
    assert r.returncode == 8 and len(r.stderr.splitlines()) == 1, r


def test_serve__store_in_use_is_6_and_port_in_use_is_not_0(tmp):
    with Server("--listen", "127.0.0.1:0", "--store", f"sqlite:{tmp}/a.db") as s:
        r = run("serve", "--listen", "127.0.0.1:0", "--store", f"sqlite:{tmp}/a.db")
        assert r.returncode == 6 and r.stdout == "", r
        address = s.line("listen").removeprefix("http://")
        r = run("serve", "--listen", address, "--store", f"sqlite:{tmp}/b.db")
        assert r.returncode == 6 and r.stdout == "", r
        assert s.stop() == 0


def test_serve__other_machines_need_tokens_exit_8(tmp):
    r = run("serve", "--listen", "0.0.0.0:0", "--store", f"sqlite:{tmp}/a.db")
    assert r.returncode == 8 and "token" in r.stderr, r


def test_serve__tells_the_service_manager(tmp):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"{tmp}/notify")
        manager.settimeout(LONG)
        env = environment(NOTIFY_SOCKET=f"{tmp}/notify")
        with Server("--listen", "127.0.0.1:0", "--store", "memory:", env=env) as s:
            assert manager.recv(99) == b"READY=1"
            assert s.stop() == 0
            assert manager.recv(99) == b"STOPPING=1"


def test_status__ready_is_0_and_not_reached_is_6(tmp):
    with Server("--listen", "127.0.0.1:0", "--store", f"sqlite:{tmp}/a.db") as s:
        url = s.line("listen")
        r = run("status", "--server", url)
        assert r.returncode == 0 and "ready" in r.stdout and "\033" not in r.stdout, r
        doc = json.loads(run("status", "--json", env=environment(PAWL_SERVER=url)).stdout)
        assert doc["live"] is True and doc["ready"] is True, doc
        assert doc["figures"]["queue"] == 0 and doc["figures"]["requests"] >= 1, doc
        assert doc["checks"]["store"]["status"] == "pass", doc
        assert s.stop() == 0
    r = run("status", "--server", url, "--json")
    assert r.returncode == 6 and r.stdout == "" and json.loads(r.stderr)["exit"] == 6, r


def test_verify__clean_beside_a_server_and_after_it(tmp):
    store = f"sqlite:{tmp}/a.db"
    with Server("--listen", "127.0.0.1:0", "--store", store) as s:
        call(s.line("listen") + "/v1/items/a", "PUT", {"stock": 3})
        r = run("verify", "--store", store)
        assert r.returncode == 0 and "clean" in r.stdout, r
        assert s.stop() == 0
    doc = json.loads(run("verify", "--store", store, "--json").stdout)
    assert doc["clean"] is True and doc["drifts"] == [] and doc["checked"]["accounts"] == 3, doc


def test_verify__drift_is_named_exit_1(tmp):
    store = f"sqlite:{tmp}/a.db"
    with Server("--listen", "127.0.0.1:0", "--store", store) as s:
        call(s.line("listen") + "/v1/items/a", "PUT", {"stock": 3})
        assert s.stop() == 0
    db = sqlite3.connect(f"{tmp}/a.db")
    changed = db.execute("UPDATE account SET balance = balance + 1 WHERE id = 'stock:a'").rowcount
    db.commit()
    db.close()
    assert changed == 1
    r = run("verify", "--store", store)
    assert r.returncode == 1 and "stock:a" in r.stdout and "drift" in r.stdout, r
    doc = json.loads(run("verify", "--store", store, "--json").stdout)
    assert doc["clean"] is False and doc["drifts_total"] == len(doc["drifts"]) > 0, doc


def test_verify__what_is_no_store_is_neither_clean_nor_drifted(tmp):
    assert run("verify", "--store", f"sqlite:{tmp}/absent.db").returncode == 3
    assert not (tmp / "absent.db").exists()
    (tmp / "text.db").write_text("this is no database, however long it may be\n" * 99)
    r = run("verify", "--store", f"sqlite:{tmp}/text.db")
    assert r.returncode in (6, 8) and r.stdout == "" and r.stderr.startswith("pawl: "), r


def small_demo(tmp, *args):
    r = run("demo", "--buyers", "300", "--connections", "32", *args, env=environment(TMPDIR=str(tmp)))
    assert r.returncode == 0, r
    assert os.listdir(tmp) == [], "the scratch directory is left"
    return r


def test_demo__small_one_holds_every_promise(tmp):
    doc = json.loads(small_demo(tmp, "--json", "--seed", "7", "--retries", "20",
                                "--twice", "10").stdout)
    last, plenty = doc["rounds"]
    assert doc["verdict"] == "held" and doc["seed"] == 7, doc
    assert (last["send_again"], last["send_twice"]) == (60, 30), last
    pawl = last["pawl"]
    assert (pawl["requests"], pawl["answered"], pawl["sold"]) == (390, 390, 1), pawl
    assert (pawl["refused"], pawl["replayed"]) == (299, 90), pawl
    assert (pawl["changed"], pawl["duplicates"], pawl["oversold"]) == (0, 0, 0), pawl
    assert pawl["books"]["audited"] and pawl["books"]["orders"] == 1, pawl
    assert pawl["speed"]["in_flight_max"] > 1, pawl
    assert 0 < pawl["speed"]["commits"] <= 390, pawl
    assert plenty["pawl"]["sold"] == 300 and plenty["pawl"]["books"]["orders"] == 300, plenty
    for one in doc["rounds"]:
        assert all(p["held"] for p in one["promises"]), one
        assert [n["strategy"] for n in one["by_hand"]][2] == "BEGIN IMMEDIATE", one
        for n in one["by_hand"][1:]:
            assert n["oversold"] == 0 and n["stock_shown"] == n["stock_true"], n


def test_demo__text_ends_with_the_verdict_and_has_no_escapes(tmp):
    r = small_demo(tmp, "--stock", "5")
    assert r.stdout.endswith("\nevery promise held\n"), r.stdout
    assert "\033" not in r.stdout and "\r" not in r.stderr and r.stderr == "", r


def test_demo__progress_only_on_a_terminal(tmp):
    master, slave = pty.openpty()
    p = subprocess.Popen([PAWL, "demo", "--buyers", "300", "--connections", "8"], stderr=slave,
                         env=environment(TMPDIR=str(tmp), TERM="xterm"), stdout=subprocess.PIPE)
    os.close(slave)
    seen, out = b"", b""
    while p.poll() is None or select.select([master], [], [], 0)[0]:
        if select.select([master], [], [], 0.05)[0]:
            try:
                seen += os.read(master, 4096)
            except OSError:  # nobody has the other end any more
                break
    out = p.stdout.read()
    os.close(master)
    assert p.wait(timeout=LONG) == 0
    assert b"%" in seen and seen.endswith(b"\r\033[K"), seen
    assert b"\033" not in out, "stdout is no terminal"


def test_demo__interrupted_leaves_nothing_exit_130(tmp):
    p = subprocess.Popen([PAWL, "demo", "--buyers", "100000"], env=environment(TMPDIR=str(tmp)),
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + LONG
    while not glob.glob(f"{tmp}/*/pawl.db") and p.poll() is None and time.monotonic() < end:
        select.select([], [], [], 0.01)
    children = pathlib.Path(f"/proc/{p.pid}/task/{p.pid}/children")
    servers = [int(pid) for pid in children.read_text().split()]
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=LONG)
    assert p.returncode == 130 and out == "", (p.returncode, out, err)
    assert len(err.splitlines()) == 1 and "interrupted" in err, err
    assert os.listdir(tmp) == []
    assert len(servers) == 1 and not os.path.exists(f"/proc/{servers[0]}"), servers


def test_main__help_and_version_work_from_the_shell(tmp):
    assert run("--version").stdout.count("\n") == 1
    for command in json.loads(run("help", "--json").stdout)["commands"]:
        r = run(command["name"], "--help")
        assert r.returncode == 0 and command["summary"] in r.stdout, r
    with open("/dev/full", "w") as full:
        p = subprocess.run([PAWL, "help"], stdout=full, stderr=subprocess.PIPE, timeout=LONG)
    assert p.returncode == 6, p


def main():
    tests = [(n, f) for n, f in globals().items() if n.startswith("test_")]
    print(f"1..{len(tests)}")
    bad = 0
    for i, (name, test) in enumerate(tests, 1):
        with tempfile.TemporaryDirectory(prefix="pawl-test-") as tmp:
            try:
                test(pathlib.Path(tmp))
                print(f"ok {i} - {name}", flush=True)
            except Exception as e:  # a failed test is told, the others run
                bad = 1
                print(f"not ok {i} - {name}")
                print("\n".join(f"# {l}" for l in f"{type(e).__name__}: {e}".splitlines()),
                      flush=True)
    return bad


sys.exit(main())
