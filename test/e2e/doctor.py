#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""doctor.py PAWL - what `pawl doctor` tells of SQLite and of PostgreSQL, well and unwell; and that
pawl does not start on a server that loses what it has committed, unless it is told to.
PostgreSQL's part is skipped (with a word) where it is not installed.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "rig"))
import servers  # noqa: E402  (test/rig)

PAWL = sys.argv[1]
WAIT_S = 60


def check(what, is_, should):
    if is_ != should:
        sys.exit(f"FAILED {what}: {is_!r}, not {should!r}")


class Serve:
    def __init__(self, store):
        self.process = subprocess.Popen([PAWL, "serve", "--json", "--listen", "127.0.0.1:0",
                                         "--store", store], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"FAILED to start: exit {self.process.wait()}")
        self.doc = json.loads(line)

    def doctor(self, *options):
        return subprocess.run([PAWL, "doctor", "--server", self.doc["listen"][0], *options],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def findings(self):
        """By check; and the exit status."""
        r = self.doctor("--json")
        return {f["check"]: f for f in json.loads(r.stdout)["findings"]}, r.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def levels(findings):
    return {f["level"] for f in findings.values()}


def sqlite():
    with tempfile.TemporaryDirectory() as home, Serve(f"sqlite:{home}/d.db") as s:
        findings, code = s.findings()
        check("levels, exit", (levels(findings), code), ({"ok"}, 0))
        check("WAL-reset bug is told", "WAL-reset bug" in findings["engine"]["text"], True)
        check("durability", findings["durability"]["text"], "fsync (synchronous=FULL)")
        text = s.doctor().stdout
        check("text names every check", all(name in text for name in findings), True)
    r = subprocess.run([PAWL, "doctor", "--server", "http://127.0.0.1:1"], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True)
    check("nobody there: exit, stdout", (r.returncode, r.stdout), (6, ""))


def postgres_well(postgres):
    url = postgres.url().replace("pawl@", "pawl:s3cret@")
    with Serve(url) as s:
        check("password in the banner", "s3cret" in json.dumps(s.doc), False)
        findings, code = s.findings()
        check("levels, exit", (levels(findings), code), ({"ok"}, 0))
        check("durability", findings["durability"]["text"],
              "fsync=on full_page_writes=on synchronous_commit=on")
        for name in ("connections", "hold_time", "clock_skew", "server_connections"):
            check(f"{name} is told", name in findings, True)
        # Somebody forgets a transaction.
        other = subprocess.Popen([os.path.join(postgres.bin, "psql"), "-Xq", "-d", postgres.url()],
                                 stdin=subprocess.PIPE, text=True)
        other.stdin.write("BEGIN; SELECT 1 \\g /dev/null\n")
        other.stdin.flush()
        end = time.monotonic() + WAIT_S
        while s.findings()[0]["idle_transactions"]["level"] != "warn":
            check("the forgotten transaction is told in time", time.monotonic() < end, True)
            time.sleep(0.2)
        check("a warning is no failure", s.findings()[1], 0)
        other.stdin.close()
        other.wait()
        # The database goes away: that is the finding.
        postgres.stop()
        findings, code = s.findings()
        check("exit without a database", code, 1)
        check("level of the store", findings["store"]["level"], "fail")


def postgres_unsafe():
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        with servers.Postgres({setting: "off"}) as postgres:
            r = subprocess.run([PAWL, "serve", "--listen", "127.0.0.1:0", "--store",
                                postgres.url()], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)
            check(f"{setting}=off: exit", r.returncode, 8)
            check(f"{setting}=off is named", setting in r.stderr, True)
            with Serve(postgres.url() + "?unsafe_durability=yes") as s:
                findings, code = s.findings()
                check(f"{setting}=off, told to: exit, level",
                      (code, findings["durability"]["level"]), (1, "fail"))


sqlite()
try:
    with servers.Postgres() as pg:
        postgres_well(pg)
    postgres_unsafe()
    print("the doctor is right about SQLite and PostgreSQL")
except servers.Missing as e:
    print(f"the doctor is right about SQLite; PostgreSQL skipped: {e}")
