#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""http_docs.py PAWL PAGE - runs the examples of docs/http-api.md in order against a fresh server and
compares the answers: status line, the fields that are shown, the body to the byte. Times and made-up
request ids are compared by their form. `--print` writes the page with the answers that came.
"""
import http.client
import json
import pathlib
import re
import signal
import subprocess
import sys

PAWL, PAGE = sys.argv[1:3]
BLOCK = re.compile(r"```http\n(.*?)```\n", re.S)
FORMS = (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"), re.compile(r"[0-9a-f]{12}-[0-9a-f]{12}"))
SHOWN = ("location", "etag", "idempotent-replayed", "retry-after")


def request(block):
    """The request of a block: up to the empty line. Fields, then the body if there is one."""
    lines = block.split("\n\n")[0].strip().split("\n")
    method, target = lines[0].split(" ")
    fields, body = {}, None
    for line in lines[1:]:
        if line.startswith(("{", "[")):
            body = line
            fields["Content-Type"] = "application/json"
        else:
            name, value = line.split(": ", 1)
            fields[name] = value
    return method, target, fields, body


def answer(conn, block):
    method, target, fields, body = request(block)
    conn.request(method, target, body, fields)
    got = conn.getresponse()
    text = got.read().decode()
    lines = [f"{got.status} {got.reason}"]
    lines += [f"{name}: {value}" for name, value in got.getheaders() if name.lower() in SHOWN]
    return "\n".join(lines + ([text] if text else []))


def blind(text):
    for form in FORMS:
        text = form.sub("...", text)
    return text


def main():
    page = pathlib.Path(PAGE).read_text()
    with subprocess.Popen([PAWL, "serve", "--json", "--store", "memory:", "--listen",
                           "127.0.0.1:0"], stdout=subprocess.PIPE, text=True) as server:
        started = json.loads(server.stdout.readline())
        conn = http.client.HTTPConnection("127.0.0.1", int(started["listen"][0].rsplit(":", 1)[1]),
                                          timeout=60)
        failed = count = 0
        printed, at = "", 0
        for m in BLOCK.finditer(page):
            count += 1
            asked, _, want = m[1].strip().partition("\n\n")
            got = answer(conn, m[1])
            printed += page[at:m.start()] + f"```http\n{asked}\n\n{got}\n```\n"
            at = m.end()
            if blind(got) != blind(want):
                failed += 1
                print(f"{asked}\n  the page says\n{want}\n  the server\n{got}\n", file=sys.stderr)
        conn.close()
        server.send_signal(signal.SIGTERM)
    if "--print" in sys.argv:
        print(printed + page[at:], end="")
        return 0
    print(f"{count} examples, {failed} differ")
    return failed > 0 or count == 0


sys.exit(main())
