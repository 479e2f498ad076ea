#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_cli.py PAWL - `pawl check` as its users run it: verdicts, exit statuses, output, report. TAP."""
import html.parser
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

PAWL = os.path.abspath(sys.argv[1])
LONG = 120  # seconds; a hang, never a criterion

VALID = """{:type :invoke, :process 0, :f :txn, :value [[:append :x 1]]}
{:type :ok, :process 0, :f :txn, :value [[:append :x 1]]}
{:type :invoke, :process 1, :f :txn, :value [[:r :x nil]]}
{:type :ok, :process 1, :f :txn, :value [[:r :x [1]]]}
"""
# Two transactions that each missed the other's append: write skew.
SKEW = """{:type :invoke, :process 0, :f :txn, :value [[:r :x nil] [:append :y 1]]}
{:type :invoke, :process 1, :f :txn, :value [[:r :y nil] [:append :x 2]]}
{:type :ok, :process 0, :f :txn, :value [[:r :x []] [:append :y 1]]}
{:type :ok, :process 1, :f :txn, :value [[:r :y []] [:append :x 2]]}
{:type :invoke, :process 0, :f :txn, :value [[:r :x nil] [:r :y nil]]}
{:type :ok, :process 0, :f :txn, :value [[:r :x [2]] [:r :y [1]]]}
"""
REGISTER = """{:type :invoke, :process 0, :f :write, :value 1}
{:type :ok, :process 0, :f :write, :value 1}
{:type :invoke, :process 0, :f :read, :value nil}
{:type :ok, :process 0, :f :read, :value %s}
"""
# A cas from 7 failed on a register that held 7: nothing to knossos, impossible to etcd.
CAS = """{:type :invoke, :process 0, :f :write, :value 7}
{:type :ok, :process 0, :f :write, :value 7}
{:type :invoke, :process 0, :f :cas, :value [7 8]}
{:type :fail, :process 0, :f :cas, :value [7 8]}
"""
FILES = {"valid.edn": VALID, "skew.edn": SKEW, "register.edn": REGISTER % 1,
         "stale.edn": REGISTER % 3, "cas.edn": CAS, "empty.edn": "", "broken.edn": VALID[:-10],
         "text.txt": "hello\n", "skew.txt": "w(0,1,0,0)\nw(1,1,0,0)\nr(0,1,1,1)\nw(1,2,1,1)\n"
         "r(1,1,2,2)\nw(0,2,2,2)\n"}
TESTS = []


def test(f):
    TESTS.append(f)
    return f


def run(*args, stdin=None):
    return subprocess.run([PAWL, "check", *args], capture_output=True, text=True, input=stdin,
                          timeout=LONG)


def same(what, got, want):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def has(what, text, part):
    if part not in text:
        raise AssertionError(f"{what}: no {part!r} in {text!r}")


@test
def the_first_word_is_the_verdict_and_the_exit_status_agrees():
    for args, word, code in ((["valid.edn"], "valid", 0), (["skew.edn"], "invalid", 1),
                             (["empty.edn"], "unreadable", 2), (["broken.edn"], "unreadable", 2),
                             (["text.txt"], "unreadable", 2), (["none.edn"], "unreadable", 2),
                             (["--model", "cas-register", "stale.edn"], "invalid", 1),
                             (["--model", "cas-register", "register.edn"], "valid", 0)):
        r = run(*args)
        same(f"{args} word", r.stdout.split()[0], word)
        same(f"{args} exit", r.returncode, code)
        same(f"{args} stderr", r.stderr, "")


@test
def a_level_that_permits_the_anomaly_is_valid():
    same("exit", run("--consistency", "snapshot-isolation", "skew.edn").returncode, 0)
    same("exit", run("--consistency", "serializable", "skew.edn").returncode, 1)
    same("exit", run("--consistency", "strict-serializable", "valid.edn").returncode, 0)


@test
def a_cycle_is_spelled_out_up_to_the_contradiction():
    out = run("skew.edn").stdout
    for part in ("G2-item", "Let:\n", "T0 = {:ok process 0 line 3, [:r :x []] [:append :y 1]}",
                 "Then:\n", "T0 < T1, because ", "However, T1 < T0, because ", "a contradiction!",
                 "not        ", "repeatable-read"):
        has("text", out, part)


@test
def json_has_the_documented_members():
    doc = json.loads(run("--json", "skew.edn").stdout)
    same("verdict", doc["verdict"], "invalid")
    same("anomalies", doc["anomalies"], {"G2-item": 1})
    same("not", doc["not"], ["repeatable-read"])
    has("also_not", doc["also_not"], "strong-serializable")
    same("strongest is a list", type(doc["strongest"]), list)
    same("rows", sorted(doc["witnesses"]["G2-item"][0]["rows"]), [0, 1])
    doc = json.loads(run("--json", "broken.edn").stdout)
    same("verdict", doc["verdict"], "unreadable")
    has("detail", doc["detail"], "line 4, column ")


@test
def several_files_get_one_line_each_and_the_worst_exit():
    r = run("--model", "list-append", "valid.edn", "skew.edn", "empty.edn")
    lines = r.stdout.splitlines()
    same("lines", len(lines), 3)
    same("words", [l.split()[0] for l in lines], ["valid", "invalid", "unreadable"])
    has("names", lines[1], "skew.edn: G2-item 1")
    same("exit", r.returncode, 2)
    same("exit", run("--model", "list-append", "valid.edn", "skew.edn").returncode, 1)
    doc = json.loads(run("--json", "valid.edn", "skew.edn").stdout)
    same("json", [f["verdict"] for f in doc["files"]], ["valid", "invalid"])
    same("worst", doc["verdict"], "invalid")


@test
def modes_disagree_on_a_failed_cas():
    same("knossos", run("--model", "cas-register", "--mode", "knossos", "cas.edn").returncode, 0)
    same("etcd", run("--model", "cas-register", "--mode", "etcd", "cas.edn").returncode, 1)
    same("default", run("--model", "cas-register", "cas.edn").returncode, 0)


@test
def standard_input_is_a_file():
    r = run("-", stdin=SKEW)
    same("exit", r.returncode, 1)
    same("as a file", r.stdout, run("skew.edn").stdout)
    has("empty", run("-", stdin="").stdout, "unreadable standard input: line 1, column 1")


@test
def mistakes_in_arguments_are_one_line_and_2():
    for args, part in (([], "give the file of a history"),
                       (["--model", "bnak", "valid.edn"], "did you mean bank?"),
                       (["--model", "quark", "valid.edn"], "known are: list-append, rw-register"),
                       (["--consistency", "serialisable", "valid.edn"], "did you mean serializable?"),
                       (["--format", "xml", "valid.edn"], "--format"),
                       (["--steps", "0", "valid.edn"], "--steps"),
                       (["--initial", "x", "valid.edn"], "whole numbers"),
                       (["register.edn"], "give one with --model")):
        r = run(*args)
        same(f"{args} exit", r.returncode, 2)
        same(f"{args} lines", len(r.stderr.splitlines()), 1)
        has(f"{args}", r.stderr, part)
        same(f"{args} stdout", r.stdout, "")


@test
def two_runs_print_the_same_bytes():
    for args in (["skew.edn"], ["--json", "skew.edn"], ["--json", "valid.edn", "skew.edn"]):
        same(str(args), run(*args).stdout, run(*args).stdout)


@test
def steps_that_run_out_are_unknown_and_9():
    rows = []  # many writes at once, then a read that only an exhaustive search could place
    for p in range(12):
        rows.append(f"{{:type :invoke, :process {p}, :f :cas, :value [{p % 3} {(p + 1) % 3}]}}")
    for p in range(12):
        rows.append(f"{{:type :ok, :process {p}, :f :cas, :value [{p % 3} {(p + 1) % 3}]}}")
    r = run("--model", "cas-register", "--initial", "0", "--steps", "1", "-", stdin="\n".join(rows))
    same("word", r.stdout.split()[0], "unknown")
    same("exit", r.returncode, 9)
    r = run("--model", "cas-register", "--initial", "0", "-", stdin="\n".join(rows))
    same("with steps", r.stdout.split()[0], "valid")


@test
def the_two_dialects_of_the_text_format_can_be_forced():
    first = json.loads(run("--json", "--consistency", "snapshot-isolation", "skew.txt").stdout)
    same("SI", first["verdict"], "valid")
    same("SER", run("skew.txt").returncode, 1)
    same("forced", run("--format", "plume-zero", "skew.txt").returncode in (0, 1), True)
    same("wrong format", run("--format", "awdit", "skew.txt").returncode, 2)


class Page(html.parser.HTMLParser):
    VOID = {"meta", "br"}

    def __init__(self):
        super().__init__()
        self.open, self.tags = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        same("closing tag", self.open.pop(), tag)


@test
def the_report_is_one_page_that_asks_for_nothing():
    evil = SKEW.replace(":x", '"<script>&x"')
    pathlib.Path("evil.edn").write_text(evil)
    r = run("--report", "report.html", "skew.edn", "evil.edn", "broken.edn")
    same("exit", r.returncode, 2)
    text = pathlib.Path("report.html").read_text()
    page = Page()
    page.feed(text)
    same("all closed", page.open, [])
    tags = {t for t, _ in page.tags}
    same("nothing foreign", tags & {"script", "link", "img", "iframe", "object", "base"}, set())
    same("no address", re.findall(r"(?:https?:|//)[^\s\"<]*", text), [])
    same("pictures", text.count('aria-label="the cycle"'), 2)
    has("dark", text, "prefers-color-scheme:dark")
    has("escaped", text, "&lt;script&gt;&amp;x")
    has("unreadable", text, "unreadable</span> broken.edn")
    run("--report", "again.html", "skew.edn", "evil.edn", "broken.edn")
    same("same bytes", pathlib.Path("again.html").read_text(), text)
    r = run("--report", "no/such/dir.html", "skew.edn")
    same("not written", r.returncode, 6)


@test
def output_that_cannot_be_written_is_said():
    with open("/dev/full", "w") as full:
        r = subprocess.run([PAWL, "check", "valid.edn"], stdout=full, stderr=subprocess.PIPE,
                           text=True, timeout=LONG)
    same("exit", r.returncode, 6)
    has("stderr", r.stderr, "could not be written")


@test
def names_from_files_cannot_play_with_the_terminal():
    name = "a\x1b[31m.edn"
    pathlib.Path(name).write_text(SKEW.replace(":x", '"\x1b[2J\\u001b[2J"'))
    for args in ([name], ["--json", name], [name, name]):
        out = run(*args).stdout
        same(f"{args}", "\x1b" in out, False)


def main():
    bad = 0
    print(f"1..{len(TESTS)}")
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        for name, text in FILES.items():
            pathlib.Path(name).write_text(text)
        for n, f in enumerate(TESTS, 1):
            try:
                f()
            except (AssertionError, subprocess.TimeoutExpired, ValueError, KeyError) as e:
                bad += 1
                print("\n".join(f"# {line}" for line in f"{type(e).__name__}: {e}".splitlines()))
                print(f"not ok {n} - {f.__name__}")
            else:
                print(f"ok {n} - {f.__name__}")
    sys.exit(bad != 0)


main()
