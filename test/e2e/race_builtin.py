#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""race_builtin.py PAWL - every built-in incident with every strategy, on SQLite, PostgreSQL, Redis
and on a pawl serve, with few clients: what is right holds, what is known to be wrong is seen to
break; and the same by exploration, where it is certain. TAP.

PAWL_TEST_POSTGRES and PAWL_TEST_REDIS name the servers; without them their parts are skipped.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

PAWL = sys.argv[1]
POSTGRES = os.environ.get("PAWL_TEST_POSTGRES")
REDIS = os.environ.get("PAWL_TEST_REDIS")
DIR = tempfile.mkdtemp(prefix="pawl-race-")
# Wrong, and yet it may get through a race of few rounds: it needs two in the same instant. That
# it is wrong is shown by exploration where there is one.
LUCKY = {"mutex-2", "transaction", "atomic", "repeatable-read", "row-lock", "optimistic"}
count = failed = 0


def report(well, name, why=""):
    global count, failed
    count += 1
    failed += not well
    print(f"{'ok' if well else 'not ok'} {count} - {name}", flush=True)
    if not well:
        print("# " + str(why).replace("\n", "\n# "))


def skip(name, why):
    global count
    count += 1
    print(f"ok {count} - {name} # SKIP {why}")


def race(*args, timeout=240):
    done = subprocess.run([PAWL, "race", "builtin", *args, "--json"], capture_output=True, text=True,
                          timeout=timeout)
    try:
        doc = json.loads(done.stdout)
    except ValueError:
        doc = None
    return done.returncode, doc, done.stderr


def listed():
    out = subprocess.run([PAWL, "race", "list", "--json"], capture_output=True, text=True, check=True)
    return json.loads(out.stdout)


def raced(incident, store, url):
    """Every strategy; the exit status is that of the right ones."""
    args = [incident["incident"], "--on", url, "--clients", "8", "--rounds", "2", "--seed", "4711"]
    if store in ("sqlite", "postgresql") and REDIS:
        args += ["--redis", REDIS]
    code, doc, err = race(*args)
    name = f"{incident['incident']} on {store}"
    if doc is None or "strategies" not in doc:
        report(False, name, f"exit {code}: {err}")
        return
    seen = {r["strategy"] for r in doc["strategies"]}
    wanted = {s["strategy"] for s in incident["stores"][store]}
    report(seen == wanted, f"{name}: all strategies", f"{seen} is not {wanted}")
    for row in doc["strategies"]:
        verdict, wrong = row["verdict"], row["known_wrong"]
        if verdict == "left out":
            continue
        if not wrong:
            well = verdict == "held" and sum(row["broke"].values()) == 0
        elif row["strategy"] in LUCKY:
            well = verdict in ("violated", "inconclusive")
        else:
            well = verdict == "violated" and sum(row["broke"].values()) > 0
        report(well, f"{name}: {row['strategy']}", json.dumps(row))
    report(code == 0 and doc["verdict"] == "held", f"{name}: exit status", f"{code} {doc['verdict']}")


def explored(incident, store, url):
    code, doc, err = race(incident["incident"], "--on", url, "--explore")
    name = f"{incident['incident']} explored on {store}"
    if doc is None or "strategies" not in doc:
        report(False, name, f"exit {code}: {err}")
        return
    for row in doc["strategies"]:
        if row["verdict"] == "left out":
            continue
        x = row["explored"]
        well = x["complete"] and (x["violations"] > 0) == row["known_wrong"]
        if row["known_wrong"]:
            well = well and len(x["schedule"]) > 0 and row["verdict"] == "violated"
        report(well, f"{name}: {row['strategy']}, {x['violations']} of {x['schedules']}",
               json.dumps(row))
    report(code == 0, f"{name}: exit status", code)


def single(url):
    """What one strategy's verdict does to the exit status; histories that can be judged."""
    code, doc, _ = race("counter", "--on", url, "--strategy", "naive", "--clients", "8")
    report(code == 1 and doc["verdict"] == "violated", "naive alone: exit 1", f"{code} {doc}")
    code, doc, _ = race("counter", "--on", url, "--strategy", "atomic", "--clients", "8")
    report(code == 0 and doc["verdict"] == "held", "atomic alone: exit 0", f"{code} {doc}")
    for incident, model, right in (("counter", "counter", "atomic"),
                                   ("lost-update", "list-append", "row-lock"),
                                   ("last-item", "cas-register", "atomic"),
                                   ("bank-transfer", "bank", "row-lock")):
        for strategy, valid in (("naive", False), (right, True)):
            path = os.path.join(DIR, f"{incident}.jsonl")
            race(incident, "--on", url, "--strategy", strategy, "--clients", "8", "--history", path)
            judged = subprocess.run([PAWL, "check", "--model", model, path], capture_output=True,
                                    text=True)
            word = judged.stdout.split()[:1]
            report(word == ["valid" if valid else "invalid"],
                   f"history of {incident}, {strategy}, by pawl check", judged.stdout + judged.stderr)


def foreign(url):
    """Tables of somebody else are left alone, those of a crashed run are not in the way."""
    path = url.removeprefix("sqlite:")
    import sqlite3
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE mine (n)")
        left = [r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE name LIKE 'pawl_race%'")]
    report(left == [], "nothing of ours is left", left)
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE pawl_race_items (mine)")
    db.commit()
    code, _, err = race("counter", "--on", url)
    report(code == 2 and "not of a race" in err + str(_), "somebody else's table: refused", f"{code} {err}")
    db.execute("CREATE TABLE pawl_race_mark (note)")
    db.commit()
    code, _, err = race("counter", "--on", url, "--strategy", "atomic")
    names = sorted(r[0] for r in db.execute("SELECT name FROM sqlite_master"))
    report(code == 0 and names == ["mine"], "what a crash left is removed", f"{code} {names} {err}")
    db.close()


class Serve:
    def __enter__(self):
        self.proc = subprocess.Popen([PAWL, "serve", "--listen", "127.0.0.1:0", "--store", "memory:",
                                      "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return json.loads(self.proc.stdout.readline())["listen"][0]

    def __exit__(self, *_):
        self.proc.terminate()
        self.proc.wait(60)


def main():
    incidents = listed()
    report(len(incidents) == 13, "thirteen incidents", [i["incident"] for i in incidents])
    urls = {"sqlite": "sqlite:" + os.path.join(DIR, "race.db")}
    if POSTGRES:
        fast = "options=-c%20deadlock_timeout%3D50ms"
        urls["postgresql"] = POSTGRES + ("&" if "?" in POSTGRES else "?") + fast
    else:
        skip("postgresql", "PAWL_TEST_POSTGRES is not set")
    if REDIS:
        urls["redis"] = REDIS
    else:
        skip("redis", "PAWL_TEST_REDIS is not set")
    with Serve() as http:
        urls["pawl"] = http
        for incident in incidents:
            for store, url in urls.items():
                if store in incident["stores"]:
                    raced(incident, store, url)
    for incident in incidents:
        for store in ("sqlite", "postgresql"):
            if incident["explorable"] and store in urls:
                explored(incident, store, urls[store])
    single(urls["sqlite"])
    foreign(urls["sqlite"])
    print(f"1..{count}")
    return 1 if failed else 0


try:
    sys.exit(main())
finally:
    shutil.rmtree(DIR, ignore_errors=True)
