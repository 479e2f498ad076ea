#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_histories.py PAWL [DIR] - `pawl check` over recorded histories of other projects, against the
verdicts that those projects give. DIR is what lies beside the source tree as ../shared/histories; where
it is absent the whole test is skipped (77). One process per set of options. Output is TAP.

What is compared: the verdict always; names of anomalies, levels and counts where the other project's
are deterministic. Elle samples cycles, so of cycles the levels they rule out are compared, not counts.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

PAWL = os.path.abspath(sys.argv[1])
HERE = pathlib.Path(__file__).resolve()
DIR = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else HERE.parents[3] / "shared" / "histories"
LONG = 1500  # seconds; a hang, never a criterion
FILES_MAX = 4000
# Found by counting, not by sampling: the same number in every checker.
COUNTED = {"G1a", "G1b", "dirty-update", "incompatible-order", "internal", "lost-update",
           "duplicate-elements", "cyclic-versions", "future-read"}
ADVISORY = {"empty-transaction-graph", "cycle-search-timeout"}
LEVELS = {"CommittedRead": "read-committed", "AtomicRead": "read-atomic", "Causal": "causal",
          "Prefix": "prefix", "SnapshotIsolation": "snapshot-isolation",
          "Serializable": "serializable"}


class Set:
    """Files with what is expected of them, by the options that they are checked with."""

    def __init__(self, name):
        self.name, self.jobs, self.wrong, self.done = name, {}, [], 0

    def add(self, path, args, expect, tag=""):
        self.jobs.setdefault(tuple(args), []).append((path, expect, tag))

    def verdict(self, path, args, *allowed, tag=""):
        self.add(path, args, lambda r: r["verdict"] in allowed or f"want {' or '.join(allowed)}", tag)

    def run(self):
        for args, jobs in self.jobs.items():
            for at in range(0, len(jobs), FILES_MAX):
                part = jobs[at:at + FILES_MAX]
                for (path, expect, tag), got in zip(part, check(args, [j[0] for j in part])):
                    self.done += 1
                    problem = expect(got)
                    if problem is not True:
                        self.wrong.append(f"{path.name} {tag} [{' '.join(args)}]: {problem}; got "
                                          f"{brief(got)}")


def brief(got):
    return " ".join(str(got[k]) for k in ("verdict", "anomalies", "not", "detail", "because")
                    if k in got)


def check(args, paths):
    run = subprocess.run([PAWL, "check", "--json", *args, *map(str, paths)], capture_output=True,
                         text=True, timeout=LONG)
    try:
        doc = json.loads(run.stdout)
    except ValueError:
        raise SystemExit(f"{args} {paths[0]}..: exit {run.returncode}\n{run.stderr[-3000:]}")
    files = doc.get("files", [doc])
    worst = {"unreadable": 2, "invalid": 1, "unknown": 9, "valid": 0}
    order = ["unreadable", "invalid", "unknown", "valid"]
    want = worst[min((f["verdict"] for f in files), key=order.index)]
    if run.returncode != want or len(files) != len(paths):
        raise SystemExit(f"{args}: exit {run.returncode}, want {want}; {len(files)} results")
    return files


def verdict_of(ok):
    return "valid" if ok else "invalid"


def porcupine(s, root):
    for row in (root / "expected-jepsen.tsv").read_text().splitlines():
        name, ok = row.split()
        s.verdict(root / "jepsen" / name, ["--model", "cas-register", "--mode", "etcd"],
                  verdict_of(ok == "true"))
    for row in (root / "expected-kv.tsv").read_text().splitlines():
        name, ok = row.split()
        path = root / name
        s.verdict(path, ["--model", "kv"], verdict_of(ok == "true"))
        if "c50" not in name:
            s.verdict(path, ["--model", "kv", "--unpartitioned"], verdict_of(ok == "true"))


def knossos(s, root):
    for model in ("cas-register", "mutex", "multi-register"):
        extra = ["--initial", "0"] if model == "multi-register" else []
        for kind in ("good", "bad"):
            for path in sorted((root / model / kind).glob("*.edn")):
                s.verdict(path, ["--model", model, *extra], verdict_of(kind == "good"))


def elle_cli(s, root):
    for row in (root / "expected.txt").read_text().splitlines():
        if not row.strip():
            continue
        verdict, _, model, path = row.split()[:4]
        args = ["--model", model]
        path = root / path.removeprefix("histories/")
        if "bank-neg.edn" in path.name:
            args.append("--negative-balances")
        if path.exists():
            s.verdict(path, args, verdict)


def words(text, key):
    """The words of `:key ["a" :b]` in a line of EDN."""
    m = re.search(rf":{key} \[([^\]]*)\]", text)
    return set(re.findall(r'[:"]([\w-]+)', m[1])) if m else set()


def elle_expect(valid, types, not_, asked):
    def expect(got):
        found = {a for a in got["anomalies"] if a not in got["permitted"]}
        if got["verdict"] == "unreadable":
            return "unreadable"
        if valid == ":unknown":
            return got["verdict"] != "invalid" or "want no anomaly"
        if asked and valid == "true":
            hit = {a for a in found if any(a.startswith(x) for x in asked)}
            return not hit or f"want none of {asked}"
        if got["verdict"] != verdict_of(valid == "true"):
            return f"want valid {valid} {types}"
        if asked:
            return types <= found or f"want {types}"
        if not types <= found or (found - types) & COUNTED:
            return f"want {sorted(types)}"
        return not not_ or set(got["not"]) == not_ or f"want not {sorted(not_)}"
    return expect


def elle_tests(s, root):
    for row in (root / "index.edn").read_text().splitlines():
        if not row.strip():
            continue
        name = re.search(r':file "([^"]+)"', row)[1]
        opts = re.search(r":opts \{(.*?)\}", row)[1]
        model = re.search(r":model :([\w-]+)", row)[1]
        valid = re.search(r":valid\? (\S+?),", row)[1]
        types = words(row, "anomaly-types") - ADVISORY
        args = ["--model", model]
        for flag in ("sequential-keys", "linearizable-keys", "wfr-keys"):
            if f":{flag}? true" in opts:
                args.append(f"--{flag}")
        models = sorted(words(opts, "consistency-models")) or ["strict-serializable"]
        asked = words(opts, "anomalies")
        if len(models) > 1:  # not valid for all: valid for none of those it lists under :not
            for m in models:
                bad = valid == "false" and m in words(row, "not") | words(row, "also-not")
                s.verdict(root / name, [*args, "--consistency", m], verdict_of(not bad), tag=name)
            continue
        s.add(root / name, [*args, "--consistency", models[0]],
              elle_expect(valid, types, words(row, "not"), asked), tag=row[-60:])


def elle(s, root):
    def names(*want, level=None):
        return lambda got: (set(got["anomalies"]) >= set(want) and got["verdict"] == "invalid"
                            and (level is None or level in got["not"])) or f"want {want} {level}"
    la = ["--model", "list-append", "--consistency"]
    path = root / "si-without-g-single.edn"
    if path.exists():
        s.verdict(path, [*la, "snapshot-isolation"], "valid")
        s.add(path, [*la, "serializable"], names("G2-item"))
        s.add(path, [*la, "strict-serializable"], names("G2-item", "G-single-item-realtime"))
    path = root / "paper-example.edn"
    if path.exists():
        s.add(path, [*la, "serializable"], names("G-single-item", level="consistent-view"))
        s.add(path, [*la, "strict-serializable"], names("G-single-item", level="repeatable-read"))
    path = root / "huge-scc.edn"
    if path.exists():
        s.verdict(path, [*la, "serializable"], "valid")
        s.add(path, [*la, "strict-serializable"],
              lambda got: ("strong-snapshot-isolation" in got["not"] + got["also_not"]
                           and got["verdict"] == "invalid") or "want not strong-snapshot-isolation")


def history_sim(s, root):
    for row in (root / "expected-elle.txt").read_text().splitlines():
        m = re.search(r':file "([^"]+)".*:cms \[:([\w-]+)\].*:valid\? (\w+), :anomalies \{(.*?)\}, '
                      r":not \[([^\]]*)\]", row)
        if not m or not (root / m[1]).exists():
            continue
        counts = {k: int(v) for k, v in re.findall(r":([\w-]+) (\d+)", m[4]) if k in COUNTED}

        def expect(got, valid=m[3] == "true", counts=counts, not_=words(row, "not")):
            found = {k: v for k, v in got["anomalies"].items() if k in COUNTED}
            if got["verdict"] != verdict_of(valid) or (not valid and set(got["not"]) != not_):
                return f"want valid {valid} not {sorted(not_)}"
            return found == counts or f"want {counts}"
        s.add(root / m[1], ["--model", "list-append", "--consistency", m[2]], expect)


def awdit(s, root):
    for row in (root / "expected.txt").read_text().splitlines():
        name, *levels = row.split()
        for level in levels:
            level, verdict = level.rstrip(".").split("=")
            if (root / name).exists():
                s.verdict(root / name, ["--model", "rw-register", "--consistency", level],
                          verdict_of(verdict == "Consistent"))


def dbcop(s, root, scratch):
    args = ["--model", "rw-register", "--consistency"]
    for row in (root / "index.jsonl").read_text().splitlines():
        doc = json.loads(row)
        own = scratch / f"{doc['name']}.json"
        own.write_text(row)
        for level, want in doc["expect"].items():
            if level not in LEVELS:
                continue  # dbcop's repeatable read is weaker than Adya's, and has no other name
            for path in [own] + ([root / doc["text"]] if doc["text"] else []):
                s.verdict(path, [*args, LEVELS[level]], verdict_of(want == "pass"))
    for row in (root / "ser-bruteforce.txt").read_text().splitlines():
        name, ok = row.split()
        if (root / name).exists():
            s.verdict(root / name, [*args, "serializable"], verdict_of(ok == "True"))


def isovista(s, root):
    expected = {
        "pg_ser_bug": ("read-committed read-atomic causal snapshot-isolation", "serializable"),
        "dgraph_si": ("read-committed read-atomic", "causal snapshot-isolation"),
        "yugabyte_tcc": ("read-committed", "read-atomic causal snapshot-isolation"),
        "sample_history": ("read-committed read-atomic causal snapshot-isolation", ""),
    }
    for name, (good, bad) in expected.items():
        path = root / f"{name}.txt"
        for levels, verdict in ((good, "valid"), (bad, "invalid")):
            for level in levels.split() if path.exists() else []:
                s.verdict(path, ["--model", "rw-register", "--consistency", level], verdict)


def synthetic(s, root):
    for path in sorted(root.glob("lin-*.edn")):
        s.verdict(path, ["--model", "cas-register"], verdict_of("-b0" in path.name))
    for path in sorted(root.glob("*.txt")):
        if "rw" in path.name:
            s.verdict(path, ["--model", "rw-register", "--consistency", "causal"], "valid")


def main():
    if not DIR.is_dir():
        print(f"1..0 # SKIP {DIR} is absent: the histories of other projects are no part of this one")
        return
    with tempfile.TemporaryDirectory() as scratch:
        sets = [(n, f) for n, f in (("porcupine", porcupine), ("knossos", knossos),
                                    ("elle-cli", elle_cli), ("elle-tests", elle_tests),
                                    ("elle", elle), ("history.sim", history_sim), ("awdit", awdit),
                                    ("dbcop-tests", lambda s, r: dbcop(s, r, pathlib.Path(scratch))),
                                    ("isovista", isovista), ("synthetic", synthetic))]
        print(f"1..{len(sets)}")
        bad = 0
        for n, (name, fill) in enumerate(sets, 1):
            root = DIR / name
            if not root.is_dir():
                print(f"ok {n} - {name} # SKIP {root} is absent", flush=True)
                continue
            s = Set(name)
            try:
                fill(s, root)
                s.run()
            except SystemExit as e:
                s.wrong.append(str(e))
            for problem in s.wrong:
                print(f"# {problem}")
            ok = not s.wrong and s.done > 0
            bad += not ok
            print(f"{'ok' if ok else 'not ok'} {n} - {name}: {s.done} checks, {len(s.wrong)} wrong",
                  flush=True)
    sys.exit(bad != 0)


main()
