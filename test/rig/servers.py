#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""servers.py NAME[,NAME...] -- COMMAND... - run COMMAND beside real servers of its own.

NAME is postgres, pgbouncer (over a postgres of its own, transaction mode) or redis. Each runs on
loopback, on a free port, in a directory of its own that is removed afterwards, and is stopped by
its pid. COMMAND finds them by the environment: PAWL_TEST_POSTGRES, PAWL_TEST_PGBOUNCER (URLs for
libpq), PAWL_TEST_REDIS (redis://...). What is not installed is not set, with one line that says
so: the test that needs it then skips, and names it; with "!" behind its NAME the whole COMMAND is
skipped (77). The exit status is COMMAND's.

As a module: the same servers as classes, for tests that kill, restart and promote them.
"""
import glob
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

START_S = 60
PG_USER = "pawl"


class Missing(Exception):
    """A program that is not installed."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def program(name, *patterns):
    found = shutil.which(name) or next(
        (p for g in patterns for p in sorted(glob.glob(g), reverse=True)), None)
    if found is None:
        raise Missing(f"{name} is not installed")
    return found


def wait_port(port, proc, what):
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        if proc.poll() is not None:
            raise RuntimeError(f"{what} ended with status {proc.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"{what} does not listen on {port}")


class Server:
    """A process in a directory of its own. start, stop (gracefully), kill (-9)."""

    name = "server"

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix=f"pawl-{self.name}-")
        self.port = free_port()
        self.proc = None
        self.log = os.path.join(self.dir, "log")

    def argv(self):
        raise NotImplementedError

    def spawn(self, argv, **more):
        with open(self.log, "ab") as log:
            return subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                    cwd=self.dir, start_new_session=True, **more)

    def start(self):
        self.proc = self.spawn(self.argv())
        try:
            wait_port(self.port, self.proc, self.name)
        except RuntimeError:
            with open(self.log, errors="replace") as log:
                sys.stderr.write(log.read()[-4000:])
            raise
        return self

    def send(self, number):
        if self.proc is not None and self.proc.poll() is None:
            self.proc.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        self.send(number)
        if self.proc is not None:
            try:
                self.proc.wait(30)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        self.proc = None

    def kill(self):
        self.stop(signal.SIGKILL)

    def close(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()


class Postgres(Server):
    """A cluster with fsync on, user `pawl` (trust, loopback only), database `pawl`."""

    name = "postgres"
    databases = ("pawl",)
    alive = None

    def __init__(self, conf=None, standby_of=None):
        initdb = program("initdb", "/usr/lib/postgresql/*/bin/initdb")
        self.bin = os.path.dirname(os.path.realpath(initdb))
        super().__init__()
        self.data = os.path.join(self.dir, "data")
        # PostgreSQL refuses to run as root.
        self.as_user = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.dir, user.pw_uid, user.pw_gid)
            self.as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        if standby_of is None:
            self.run("initdb", "-D", self.data, "-U", PG_USER, "-A", "trust", "-E", "UTF8",
                     "--no-locale", "--no-sync")
        else:
            self.run("pg_basebackup", "-D", self.data, "-R", "-X", "stream", "-c", "fast",
                     "-d", standby_of.url())
        settings = {"listen_addresses": "'127.0.0.1'", "unix_socket_directories": f"'{self.dir}'",
                    "port": self.port, "fsync": "on", "synchronous_commit": "on",
                    "max_connections": 300, "logging_collector": "off", **(conf or {})}
        with open(os.path.join(self.data, "postgresql.auto.conf"), "a") as f:
            f.writelines(f"{k} = {v}\n" for k, v in settings.items())

    def run(self, tool, *args):
        r = subprocess.run([os.path.join(self.bin, tool), *args], cwd=self.dir, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **self.as_user)
        if r.returncode != 0:
            raise RuntimeError(f"{tool}: {r.stdout}")
        return r.stdout

    def url(self, database="pawl"):
        return f"postgresql://{PG_USER}@127.0.0.1:{self.port}/{database}"

    def argv(self):
        return [os.path.join(self.bin, "postgres"), "-D", self.data]

    def spawn(self, argv, **more):
        # Every process of the cluster inherits one end of a pipe: its end is the end of them all.
        self.alive, theirs = os.pipe()
        try:
            return super().spawn(argv, pass_fds=(theirs,), **self.as_user, **more)
        finally:
            os.close(theirs)

    def start(self):
        super().start()
        end = time.monotonic() + START_S
        while subprocess.run([os.path.join(self.bin, "pg_isready"), "-q", "-d",
                              self.url("postgres")]).returncode != 0:
            if time.monotonic() > end or self.proc.poll() is not None:
                raise RuntimeError("postgres does not come up")
            time.sleep(0.02)
        if not os.path.exists(os.path.join(self.data, "standby.signal")):
            for name in self.databases:
                if self.sql(f"SELECT 1 FROM pg_database WHERE datname = '{name}'",
                            "postgres") == "":
                    self.sql(f"CREATE DATABASE {name}", "postgres")
        return self

    def stop(self, number=signal.SIGINT):
        """Fast shutdown; kill() leaves a crash to recover from, and processes that end a little
        later than the first: before that none could be started anew."""
        super().stop(number)
        if self.alive is not None:
            gone, _, _ = select.select([self.alive], [], [], START_S)
            os.close(self.alive)
            self.alive = None
            if not gone:
                raise RuntimeError("processes of postgres do not end")

    def sql(self, text, database="pawl"):
        return self.run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.url(database),
                        "-c", text).strip()

    def promote(self):
        self.run("pg_ctl", "promote", "-D", self.data, "-w")


class PgBouncer(Server):
    """In transaction mode, before a cluster; pool of server connections as given."""

    name = "pgbouncer"

    def __init__(self, postgres, pool=10):
        self.program = program("pgbouncer", "/usr/sbin/pgbouncer")
        super().__init__()
        self.postgres = postgres
        self.config = os.path.join(self.dir, "pgbouncer.ini")
        with open(self.config, "w") as f:
            f.write(f"[databases]\n* = host=127.0.0.1 port={postgres.port}\n[pgbouncer]\n"
                    f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
                    f"auth_type = any\nauth_file = {self.dir}/users\npool_mode = transaction\n"
                    f"default_pool_size = {pool}\nmax_client_conn = 1000\n"
                    "ignore_startup_parameters = extra_float_digits,options\n")
        with open(os.path.join(self.dir, "users"), "w") as f:
            f.write(f'"{PG_USER}" ""\n')
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            for path in (self.dir, self.config, os.path.join(self.dir, "users")):
                os.chown(path, user.pw_uid, user.pw_gid)
        # auth_type any takes the user from the database's line.
        with open(self.config) as f:
            text = f.read().replace(f"port={postgres.port}", f"port={postgres.port} user={PG_USER}")
        with open(self.config, "w") as f:
            f.write(text)

    def spawn(self, argv, **more):
        return super().spawn(argv, **self.postgres.as_user, **more)

    def argv(self):
        return [self.program, self.config]

    def url(self, database="pawl"):
        return f"postgresql://{PG_USER}@127.0.0.1:{self.port}/{database}"


class Redis(Server):
    name = "redis"

    def __init__(self, appendfsync="no"):
        self.program = program("redis-server")
        super().__init__()
        self.appendfsync = appendfsync

    def argv(self):
        keep = ["--appendonly", "no"]
        if self.appendfsync != "no":
            keep = ["--appendonly", "yes", "--appendfsync", self.appendfsync]
        return [self.program, "--bind", "127.0.0.1", "--port", str(self.port), "--dir", self.dir,
                "--save", "", *keep]

    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"


def start(name, stack):
    """Start what name means; its variable and URL. Servers are put on the stack."""
    def push(server):
        stack.append(server)
        return server.start()

    if name == "postgres":
        return "PAWL_TEST_POSTGRES", push(Postgres()).url()
    if name == "pgbouncer":
        return "PAWL_TEST_PGBOUNCER", push(PgBouncer(push(Postgres()))).url()
    if name == "redis":
        return "PAWL_TEST_REDIS", push(Redis()).url()
    raise SystemExit(f"servers.py: unknown server: {name}")


def main(argv):
    if "--" not in argv or argv.index("--") != 1:
        raise SystemExit(__doc__)
    env, stack = dict(os.environ), []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        for name in argv[0].split(","):
            try:
                variable, url = start(name.rstrip("!"), stack)
                env[variable] = url
            except Missing as e:
                print(f"# {name}: {e}", flush=True)
                if name.endswith("!"):
                    return 77
        return subprocess.run(argv[2:], env=env).returncode
    finally:
        for server in reversed(stack):
            server.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
