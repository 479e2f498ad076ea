# SPDX-License-Identifier: Apache-2.0
"""A pawl server as a child process that may be killed, and a plain HTTP/1.1 client for it."""
import collections
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

READY_S = 30    # how long a start may take before the run is given up; no measure of speed
ANSWER_S = 60   # the same for an answer
Answer = collections.namedtuple("Answer", "status headers body")


class Gone(Exception):
    """The connection ended before the answer."""


class Failure(Exception):
    """A promise that did not hold."""


def scratch():
    """A directory of one's own, or None with a word why not."""
    return tempfile.mkdtemp(prefix="pawl-fault-", dir=os.environ.get("TMPDIR"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def store_url(store):
    """A path is SQLite's."""
    return store if "://" in store else "sqlite:" + store


class Server:
    """One life of `pawl serve` over the store in a directory."""

    def __init__(self, pawl, home, unix=False, args=(), wait=True, store=None):
        self.address = os.path.join(home, "sock") if unix else ("127.0.0.1", free_port())
        listen = "unix:" + self.address if unix else "%s:%d" % self.address
        self.ready = threading.Event()
        self.lines = []
        self.process = subprocess.Popen(
            [pawl, "serve", "--listen", listen,
             "--store", store_url(store or os.path.join(home, "pawl.db")), *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        if wait:
            self.wait_ready()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.decode("utf-8", "replace").rstrip())
            if self.lines[-1].startswith("ready in "):
                self.ready.set()
        self.ready.set()  # the end: nobody shall wait for it any longer

    def wait_ready(self):
        if not self.ready.wait(READY_S) or self.process.poll() is not None:
            self.kill()
            raise Failure("the server does not start:\n  " + "\n  ".join(self.lines[-20:]))

    def kill(self):
        """As the kernel does it: no handler runs."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.reader.join()

    def stop(self):
        """As an administrator does it. Its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait()
        self.reader.join()
        return code


class Client:
    """A keep-alive connection, made when it is needed."""

    def __init__(self, address, token=None):
        self.address, self.token, self.sock, self.rest = address, token, None, b""

    def close(self):
        if self.sock is not None:
            self.sock.close()
        self.sock, self.rest = None, b""

    def connect(self):
        family = socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.settimeout(ANSWER_S)
        self.sock.connect(self.address)
        if family == socket.AF_INET:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def encode(self, method, path, body=None, headers=()):
        lines = ["%s %s HTTP/1.1" % (method, path), "Host: pawl"]
        lines += ["%s: %s" % pair for pair in headers]
        if self.token:
            lines.append("Authorization: Bearer " + self.token)
        data = b""
        if body is not None:
            data = body.encode()
            lines += ["Content-Type: application/json", "Content-Length: %d" % len(data)]
        elif method in ("POST", "PUT"):
            lines.append("Content-Length: 0")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + data

    def read(self):
        """The next answer."""
        data = self.rest
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, data = data.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", "0"))
        while len(data) < length:
            data += self._more()
        self.rest = data[length:]
        return Answer(status, headers, data[:length])

    def _more(self):
        more = self.sock.recv(65536)
        if not more:
            raise Gone
        return more

    def ask(self, method, path, body=None, headers=()):
        """One request and its answer; Gone when there is none. Never sends twice by itself."""
        try:
            if self.sock is None:
                self.connect()
            self.sock.sendall(self.encode(method, path, body, headers))
            answer = self.read()
        except (OSError, Gone) as e:
            self.close()
            raise Gone from e
        if answer.headers.get("connection", "").lower() == "close":
            self.close()
        return answer


def verify(pawl, store):
    """`pawl verify` on the store: its output, or Failure."""
    done = subprocess.run([pawl, "verify", "--store", store_url(store), "--json"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0:
        raise Failure("pawl verify exits %d:\n%s" % (done.returncode, text))
    return text


def remove(home):
    shutil.rmtree(home, ignore_errors=True)


def now():
    return time.monotonic()
