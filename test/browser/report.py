#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""report.py PAWL [DIR] - opens the pages of `pawl race run` and `pawl race builtin` with --report in
Chromium, light and dark: no console message, no request but the page itself, every place reachable
by keyboard with a visible focus, enough contrast, no sideways scrolling on a narrow screen, hostile
answers and names shown as text. It speaks the DevTools protocol over a pipe. Skips (77) without Chromium. DIR: screenshots go there."""
import base64
import fcntl
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
import race_run  # noqa: E402

LONG = 120  # seconds; a hang, never a criterion

CONTRAST = """(() => {
  const rgb = s => s.match(/[\\d.]+/g).map(Number);
  const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= .03928 ? v / 12.92
    : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c.slice(0, 3); } return null; };
  const bad = [];
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const style = getComputedStyle(e), svg = e instanceof SVGElement;
    const a = light(rgb(svg ? style.fill : style.color).slice(0, 3)), back = behind(e);
    const b = light(back), ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) bad.push(e.tagName + ' ' + ratio.toFixed(2) + ' ' + e.textContent.slice(0, 30));
  }
  return bad; })()"""
FOCUSABLE = ("[...document.querySelectorAll('a[href], summary, [tabindex=\"0\"]')]"
             ".filter(e => e.checkVisibility())")
HOSTILE = "<img src=x onerror=document.title=1>&'\".db"  # a file's name, in the command to repeat it


class Browser:
    """Chromium, and one page of it. Messages are JSON, each with a NUL behind it, on its fds 3, 4."""

    def __init__(self, program, profile):
        down, up = os.pipe(), os.pipe()
        self.out, self.into = down[1], up[0]
        # Out of the way of 3 and 4, where the program wants them.
        ends = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (down[0], up[1])]
        line = (f'exec "$0" --headless --no-sandbox --disable-gpu --no-first-run --hide-scrollbars '
                f'--user-data-dir="$1" --remote-debugging-pipe about:blank '
                f'3<&{ends[0]} 4>&{ends[1]} {ends[0]}<&- {ends[1]}>&-')
        self.process = subprocess.Popen(["bash", "-c", line, program, profile], pass_fds=ends,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        start_new_session=True)
        for fd in (down[0], up[1], *ends):
            os.close(fd)
        os.set_blocking(self.into, False)
        self.n, self.rest, self.events, self.session = 0, b"", [], None

    def close(self):
        try:
            self.call("Browser.close")
        except (OSError, EOFError, TimeoutError):
            pass
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)  # its own group: only what it started
            self.process.wait()

    def message(self):
        deadline = time.monotonic() + LONG
        while b"\0" not in self.rest:
            try:
                got = os.read(self.into, 1 << 20)
                if not got:
                    raise EOFError("the browser is gone")
                self.rest += got
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError("the browser does not answer") from None
                time.sleep(0.005)
        one, self.rest = self.rest.split(b"\0", 1)
        return json.loads(one)

    def call(self, method, **params):
        self.n += 1
        ask = {"id": self.n, "method": method, "params": params}
        if self.session is not None and not method.startswith(("Target.", "Browser.")):
            ask["sessionId"] = self.session
        os.write(self.out, json.dumps(ask).encode() + b"\0")
        while True:
            m = self.message()
            if m.get("id") == self.n:
                assert "error" not in m, (method, m)
                return m["result"]
            self.events.append(m)

    def wait(self, method):
        while not any(e.get("method") == method for e in self.events):
            self.events.append(self.message())

    def open(self):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def see(self, url, scheme, width=1000):
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900,
                  deviceScaleFactor=1, mobile=False)
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait("Page.loadEventFired")

    def js(self, text):
        r = self.call("Runtime.evaluate", expression=text, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in r, r
        return r["result"].get("value")

    def tab(self):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab",
                      windowsVirtualKeyCode=9)

    def said(self):
        return [e for e in self.events if e.get("method") in
                ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")]

    def requested(self):
        return [e["params"]["request"]["url"] for e in self.events
                if e.get("method") == "Network.requestWillBeSent"]


def reports(scratch):
    """A page with a violation and everything on it, and one of a run that held."""
    pages = []
    with race_run.Server() as naive, race_run.Server(good=True) as good:
        for server, want in ((naive, 1), (good, 0)):
            page = scratch.dir / f"{len(pages)}.html"
            run = scratch.race(race_run.last_item(server.url, rounds=12), "--report", str(page))
            assert run.returncode == want, run
            pages.append(page)
    return pages


def builtins(scratch):
    """counter on SQLite: raced by a wrong and by a right strategy, and all orders of each."""
    pages = []
    for strategy, want in (("naive", 1), ("atomic", 0)):
        for how in (["--clients", "16", "--rounds", "5"], ["--explore"]):
            page = scratch.dir / f"builtin-{strategy}{'-explore' * (len(how) == 1)}.html"
            page.write_text("what was there before")
            run = subprocess.run(
                [race_run.PAWL, "race", "builtin", "counter", "--on", f"sqlite:{scratch.dir}/{HOSTILE}",
                 "--strategy", strategy, *how, "--report", str(page)],
                capture_output=True, text=True, timeout=LONG, env=race_run.ENV)
            assert run.returncode == want, run
            pages.append(page)
    assert not list(scratch.dir.glob("*.part-*"))
    return pages


def builtin_test(b, page):
    """What the page of a built-in must show beside what all pages must."""
    b.see(page.as_uri(), "light")
    broke, explored = "naive" in page.stem, "explore" in page.stem
    rows = b.js("[...document.querySelectorAll('#strategies + div tbody tr')].map(r => "
                "[...r.cells].map(c => c.textContent))")
    assert [r[:2] for r in rows] == [["naive", "violated"] if broke else ["atomic", "held"]], rows
    drawn = b.js("document.querySelectorAll('svg[aria-label=Interleaving] g').length")
    assert (drawn >= 2) == broke, drawn
    if broke:
        assert "lost" in rows[0][2], rows
    if broke and explored:
        assert b.js("document.querySelectorAll('details[open] tbody tr').length") == drawn
    assert b.js("document.querySelectorAll('img').length") == 0
    again = b.js("document.querySelector('#again + pre').textContent")
    word = HOSTILE.replace("'", "'\\''")  # as a shell takes it
    assert f"/{word}' --strategy" in again, again
    assert "--explore" in again if explored else "--rounds 5" in again, again


def keyboard(b, least):
    """Tab goes through every place once, in order, and where it is can be seen."""
    count = b.js(FOCUSABLE + ".length")
    assert count >= least, count
    for i in range(count):
        b.tab()
        at = b.js(FOCUSABLE + ".indexOf(document.activeElement)")
        assert at == i, (at, i)
        assert b.js("getComputedStyle(document.activeElement).outlineStyle") != "none", i
        name = b.js("document.activeElement.getAttribute('aria-label') || "
                    "document.activeElement.textContent.trim()")
        assert name, i


def page_test(b, page, scheme, least, shots):
    url = page.as_uri()
    b.see(url, scheme)
    assert b.said() == [], b.said()
    assert b.requested() == [url], b.requested()
    dark = b.js("(() => { const c = getComputedStyle(document.body).backgroundColor.match(/\\d+/g);"
                "return Number(c[0]) < 128; })()")
    assert dark == (scheme == "dark"), (scheme, dark)
    assert b.js(CONTRAST) == [], b.js(CONTRAST)
    assert b.js("document.querySelectorAll('script').length") == 0
    assert b.js("document.documentElement.lang") == "en"
    assert b.js("document.querySelectorAll('h1').length") == 1
    assert b.js("document.querySelectorAll('main').length") == 1
    assert b.js("[...document.querySelectorAll('section')].every(s => "
                "document.getElementById(s.getAttribute('aria-labelledby')))")
    assert b.js("[...document.querySelectorAll('svg, [role=region], [role=img]')].every(e => "
                "e.getAttribute('aria-label'))")
    keyboard(b, least)
    if shots:
        png = b.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        (shots / f"{page.stem}-{scheme}.png").write_bytes(base64.b64decode(png))
    b.see(url, scheme, width=360)
    assert b.js("document.documentElement.scrollWidth") <= 360
    return url


def policy_test(b, url):
    """What would go out, if something hostile got in, is stopped by the page's own policy."""
    with race_run.Server() as server:
        b.see(url, "light")
        got = b.js(f"fetch('{server.url}/leak').then(() => 'sent', () => 'refused')")
        assert got == "refused", got
        b.js(f"new Promise(r => {{ const i = new Image(); i.onload = i.onerror = r; "
             f"i.src = '{server.url}/leak.png'; }})")
        ran = b.js("(() => { const s = document.createElement('script'); s.text = 'window.ran = 1';"
                   "document.body.append(s); return window.ran === 1; })()")
        assert not ran
        assert server.seen == [], server.seen


def main():
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        print("skipped: there is no chromium")
        return 77
    shots = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
    with race_run.Scratch() as scratch, tempfile.TemporaryDirectory(
            ignore_cleanup_errors=True) as profile:
        pages, built = reports(scratch), builtins(scratch)
        b = Browser(program, profile)
        try:
            b.open()
            for page in pages + built:
                for scheme in ("light", "dark"):
                    url = page_test(b, page, scheme, 6 if page in pages else 3, shots)
                    print(f"ok {page.name} {scheme}")
            for page in built:
                builtin_test(b, page)
                print(f"ok what {page.name} shows")
            b.see(pages[0].as_uri(), "light")
            assert b.js("document.querySelectorAll('svg[role=group] g').length") == 2
            assert b.js("document.body.textContent.includes('<script>x</script>')")
            policy_test(b, url)
            print("ok the policy")
        finally:
            b.close()
    return 0


sys.exit(main())
