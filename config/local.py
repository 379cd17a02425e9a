"""Everything on this machine under one small supervisor: servers, migrations, web, workers, clock and the demo."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import psutil

from config.embedded import (
    Postgres,
    Secrets,
    ServerFailed,
    Valkey,
    data_area,
    discard,
    free_port,
    log_end,
    own_file,
    server_account,
    wait_until,
)

CLONE = Path(__file__).resolve().parent.parent
WEB_PORT = 8000
MARK = "STOCKWRIGHT_RUN"
STOP_SECONDS = 10
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TOO_MANY_ENDS = 5
ENDS_WITHIN_SECONDS = 60


class Stopped(BaseException):
    """Ctrl-C, a hang-up or a polite signal: everything that was started ends in order."""


class GaveUp(RuntimeError):
    """A start or a process failed beyond mending; the text says which, and shows the end of its log."""


def say(text: str) -> None:
    print(text, flush=True)


# --- What a run leaves written down, so that the next one finds what it left running ------------------------------


@dataclass
class Started:
    """One process as the kernel knows it: a pid alone may be somebody else's by now."""

    name: str
    pid: int
    created_at: float
    command: list[str]

    @classmethod
    def of(cls, name: str, pid: int) -> Started:
        process = psutil.Process(pid)
        # A process that has just been started has no command line yet, for as long as the kernel takes to lay it out.
        wait_until(lambda: bool(process.cmdline()), 1, 0.005)
        return cls(name, pid, process.create_time(), process.cmdline())

    def process(self) -> psutil.Process | None:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created_at) < 1 and process.cmdline() == self.command
            if same and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None


@dataclass
class State:
    """The run that is going on, or that was cut off: its mark, address, ports and processes."""

    run: str = ""
    address: str = ""
    ports: dict[str, int] = field(default_factory=dict)
    processes: list[Started] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> State:
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):  # a first start, or one cut off while it wrote
            return cls()
        return cls(raw["run"], raw["address"], raw["ports"], [Started(**one) for one in raw["processes"]])

    def write(self, path: Path) -> None:
        written = {"run": self.run, "address": self.address, "ports": self.ports,
                   "processes": [vars(one) for one in self.processes]}
        fresh = own_file(path.with_suffix(".new"), json.dumps(written, indent=1), None)
        fresh.replace(path)

    def orphans(self) -> list[psutil.Process]:
        """What the run started and still lives: those recorded, all below them, and whatever carries its mark."""
        found: dict[int, psutil.Process] = {}
        for one in self.processes:
            process = one.process()
            if process is not None:
                with contextlib.suppress(psutil.Error):
                    found.update({each.pid: each for each in (process, *process.children(recursive=True))})
        if self.run:
            for process in psutil.process_iter():
                with contextlib.suppress(psutil.Error, OSError):
                    if process.environ().get(MARK) == self.run:
                        found[process.pid] = process
        found.pop(os.getpid(), None)
        return list(found.values())


def end(processes: Sequence[psutil.Process], seconds: float = STOP_SECONDS) -> None:
    """Asks politely, then insists."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    alive = still_running(processes, seconds)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    still_running(alive, STOP_SECONDS)


def still_running(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that have not ended when the time is up; one that its parent has not buried yet has ended."""
    alive, deadline = list(processes), time.monotonic() + seconds
    while alive:
        _gone, alive = psutil.wait_procs(alive, timeout=0.05)
        alive = [process for process in alive if not is_zombie(process)]
        if time.monotonic() > deadline:
            break
    return alive


def is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


# --- The supervisor -----------------------------------------------------------------------------------------------


@dataclass
class Service:
    """A process that is kept running."""

    name: str
    command: list[str]
    extra: dict[str, str] = field(default_factory=dict)
    niceness: int = 0
    process: subprocess.Popen[bytes] | None = None
    ends: list[float] = field(default_factory=list)


class Supervisor:
    """Starts this clone's processes, keeps them running and ends them; knows nothing of any other clone's."""

    def __init__(self, local: Path, environment: Mapping[str, str]) -> None:
        self.local = local
        self.given = {name: environment[name] for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL")
                      if environment.get(name)}
        if ("DATABASE_URL" in self.given) != ("DATABASE_OWNER_URL" in self.given):
            raise GaveUp("DATABASE_URL (the application's role) and DATABASE_OWNER_URL (the role that migrates) "
                         "belong together: set both, or neither.")
        self.local.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.logs = local / "logs"
        self.logs.mkdir(exist_ok=True)
        self.area = data_area(local)
        self.state_file = local / "state.json"
        self.past = State.read(self.state_file)
        self.state = State(run=secrets.token_hex(8), ports=self.past.ports)
        self.passwords = Secrets.kept(local / "secrets.json")
        self.postgres: Postgres | None = None
        self.valkey: Valkey | None = None
        self.services: list[Service] = []
        self.environment = {
            **environment,
            "DJANGO_SETTINGS_MODULE": environment.get("DJANGO_SETTINGS_MODULE") or "config.settings.dev",
            "SECRET_KEY": environment.get("SECRET_KEY") or self.passwords["secret_key"],
            "MEDIA_ROOT": environment.get("MEDIA_ROOT") or str(local / "media"),
            "PYTHONUNBUFFERED": "1",
            "TZ": "UTC",  # one clock in all logs, whoever writes them
            MARK: self.state.run,
        }
        self.began = time.monotonic()

    def tell(self, text: str) -> None:
        say(f"[{time.monotonic() - self.began:6.1f} s] {text}")

    # --- start

    def end_orphans(self) -> None:
        """Ends what a cut-off run of this clone left behind."""
        orphans = self.past.orphans()
        if orphans:
            self.tell(f"Ending {len(orphans)} processes that an earlier run left behind.")
            end(orphans)
        if (self.area / "valkey").exists():
            Valkey(self.area, self.passwords).stop()
        if (self.area / "postgres").exists():
            Postgres(self.area, self.passwords).stop()

    def record(self, name: str, pid: int) -> None:
        self.state.processes.append(Started.of(name, pid))
        self.state.write(self.state_file)

    def start_servers(self) -> None:
        account = server_account()
        if "DATABASE_URL" not in self.given:
            self.postgres = Postgres(self.area, self.passwords)
            made = self.postgres.start(self.state.ports.get("postgres"))
            self.state.ports["postgres"] = self.postgres.port
            self.environment["DATABASE_URL"] = self.postgres.url("app")
            self.environment["DATABASE_OWNER_URL"] = self.postgres.url("owner")
            whom = f", as the user {account.name}" if account else ""
            self.tell(f"Postgres {'made and ' if made else ''}started on port {self.postgres.port}{whom}.")
        if "REDIS_URL" not in self.given:
            self.valkey = Valkey(self.area, self.passwords)
            self.valkey.start(self.state.ports.get("valkey"))
            self.state.ports["valkey"] = self.valkey.port
            self.environment["REDIS_URL"] = self.valkey.url()
            self.tell(f"Valkey started on port {self.valkey.port}.")
        self.state.write(self.state_file)
        lines = (f"{name}={self.environment[name]}\n" for name in
                 ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "SECRET_KEY", "MEDIA_ROOT"))
        own_file(self.local / "environment", "".join(lines), None)

    def migrate(self) -> None:
        log = self.logs / "migrate.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "migrate", "--database", "owner", "--no-input"],
                cwd=CLONE, env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True)
            self.record("migrate", process.pid)
            if process.wait():
                raise GaveUp(f"The migrations failed:\n{log_end(log)}")
        applied = log.read_text(encoding="utf-8").count("... OK")
        self.tell(f"Database ready, {applied} migrations applied." if applied else "Database ready.")

    def start_processes(self, wanted_port: int) -> None:
        port = free_port(wanted_port)
        if port != wanted_port and wanted_port:
            self.tell(f"Port {wanted_port} is taken: the portal uses {port} instead.")
        self.state.address = f"http://127.0.0.1:{port}/"
        cores = str(os.cpu_count() or 1)
        # Threads that wait must sleep: two pools that spin were seen to slow each other nine times.
        numeric = {"OMP_NUM_THREADS": cores, "OMP_WAIT_POLICY": "PASSIVE"}
        self.services = [
            Service("web", python("gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread",
                                  "--workers", "2", "--threads", "4", "--timeout", "120", "--no-control-socket")),
            Service("worker-light", worker("light", "prefork", "--concurrency", "2"), {"OMP_NUM_THREADS": "1"}),
            # Numeric work takes all cores: pages and short jobs go first, and what nobody waits for goes last.
            Service("worker-heavy", worker("heavy", "solo"), numeric, niceness=5),
            Service("worker-batch", worker("batch", "solo"), numeric, niceness=10),
            Service("worker-gpu", worker("gpu", "solo"), numeric, niceness=10),
            Service("beat", python("celery", "-A", "config", "beat", "--loglevel", "INFO", "--pidfile=")),
        ]
        web, *others = self.services
        self.launch(web, fresh_log=True)
        self.wait_for_portal(web)  # alone, so that it does not share the cores with five other starts
        self.tell(f"The portal answers at {self.state.address}; logs are in {self.logs}.")
        for service in others:
            self.launch(service, fresh_log=True)

    def launch(self, service: Service, fresh_log: bool = False) -> None:
        with (self.logs / f"{service.name}.log").open("wb" if fresh_log else "ab") as output:
            service.process = subprocess.Popen(
                service.command, cwd=CLONE, env={**self.environment, **service.extra}, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        with contextlib.suppress(psutil.NoSuchProcess):  # it may have ended at once; the watch sees that
            if service.niceness:
                psutil.Process(service.process.pid).nice(service.niceness)
            self.record(service.name, service.process.pid)

    def wait_for_portal(self, web: Service) -> None:
        answer = self.state.address + "readyz"
        ready = wait_until(lambda: answers(answer) or ended(web), 120, pause=0.1)
        if not ready or ended(web):
            raise GaveUp(f"The portal did not answer:\n{log_end(self.logs / 'web.log')}")

    # --- watch

    def watch(self, until: subprocess.Popen[bytes] | None = None) -> int:
        """Starts again what ends; returns when the given process ends, with its exit code."""
        while True:
            if until is not None and until.poll() is not None:
                return until.returncode
            for service in self.services:
                if ended(service):
                    self.start_again(service)
            if self.valkey is not None and self.valkey.process() is None:
                self.tell("Valkey ended; starting it again.")
                self.same_port(self.valkey.port, self.valkey.start)
            if self.postgres is not None and self.postgres.process() is None:
                self.tell("Postgres ended; starting it again.")
                self.same_port(self.postgres.port, self.postgres.start)
            time.sleep(0.5)

    def same_port(self, port: int, start: Callable[[int], object]) -> None:
        start(port)
        if port not in {server.port for server in (self.postgres, self.valkey) if server is not None}:
            raise GaveUp(f"Port {port} was taken while its server was down: start again.")

    def start_again(self, service: Service) -> None:
        now = time.monotonic()
        service.ends = [moment for moment in service.ends if now - moment < ENDS_WITHIN_SECONDS] + [now]
        log = self.logs / f"{service.name}.log"
        if len(service.ends) > TOO_MANY_ENDS:
            raise GaveUp(f"{service.name} keeps ending. The end of its log, {log}:\n{log_end(log)}")
        self.tell(f"{service.name} ended; starting it again. Its log: {log}")
        self.launch(service)

    def load(self, command: Sequence[str]) -> int:
        # It speaks to a person here, in its own words: its log lines would stand between them.
        process = subprocess.Popen(
            [sys.executable, "manage.py", *command], cwd=CLONE, env={**self.environment, "LOG_LEVEL": "WARNING"},
            stdin=subprocess.DEVNULL, start_new_session=True)
        self.record(command[0], process.pid)
        return self.watch(until=process)

    # --- stop

    def stop(self) -> None:
        """Ends what this run started, in order: first what makes work, last what keeps it."""
        for service in sorted(self.services, key=lambda one: one.name != "beat"):
            if service.process is not None and service.process.poll() is None:
                service.process.terminate()
        running = [psutil.Process(service.process.pid) for service in self.services
                   if service.process is not None and service.process.poll() is None]
        for process in psutil.wait_procs(running, timeout=STOP_SECONDS)[1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                end([*process.children(recursive=True), process], 0)
        end(self.state.orphans())
        if self.valkey is not None:
            self.valkey.stop()
        if self.postgres is not None:
            self.postgres.stop()
        (self.local / "environment").unlink(missing_ok=True)
        State(ports=self.state.ports).write(self.state_file)


def python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def worker(queue: str, pool: str, *arguments: str) -> list[str]:
    return python("celery", "-A", "config", "worker", "--queues", queue, "--pool", pool, "--hostname", f"{queue}@%h",
                  "--loglevel", "INFO", "--without-gossip", "--without-mingle", *arguments)


def ended(service: Service) -> bool:
    return service.process is None or service.process.poll() is not None


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as response:  # noqa: S310  # our own http address
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


# --- Commands -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def only_one(local: Path) -> Iterator[bool]:
    """The clone's lock, held while a supervisor lives: the kernel lets go of it even after a kill -9."""
    local.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (local / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def settle(local: Path) -> None:
    """Writes down where this folder lies.

    What was copied together with a clone is set aside: its notes name the servers and processes of the original, which
    would be ended, or written to, in its stead.
    """
    local.mkdir(mode=0o700, parents=True, exist_ok=True)
    note, here = local / "place", str(local.resolve())
    known = json.loads(note.read_text(encoding="utf-8")) if note.exists() else {"token": secrets.token_hex(8)}
    there = Path(known.get("path", here))
    if there.exists() and not there.samefile(local) and _token_of(there) == known["token"]:
        aside = local.with_name(f"{local.name}-copied-{secrets.token_hex(4)}")
        local.rename(aside)
        say(f"This is a copy of {there}, whose servers and data stay its own: this one starts anew. "
            f"What was copied lies in {aside}, as it was.")
        local.mkdir(mode=0o700)
        known = {"token": secrets.token_hex(8)}
    if known.get("path") != here:
        own_file(note, json.dumps({**known, "path": here}), None)


def _token_of(local: Path) -> str | None:
    with contextlib.suppress(OSError, json.JSONDecodeError):
        return str(json.loads((local / "place").read_text(encoding="utf-8"))["token"])
    return None


def on_signal(number: int, frame: FrameType | None) -> None:
    ignore_signals()
    raise Stopped


def ignore_signals() -> None:
    """Stopping is under way: a second Ctrl-C must not cut it off."""
    for each in STOP_SIGNALS:
        signal.signal(each, lambda *_: None)


def run(local: Path, *, servers_only: bool, load: Sequence[str], port: int) -> int:
    """Starts, watches until told to stop, stops; the exit code of the load if that failed."""
    with only_one(local) as alone:
        if not alone:
            address = State.read(local / "state.json").address
            say(f"Already running: {address}" if address else "Already running, or just starting.")
            return 0
        try:
            supervisor = Supervisor(local, os.environ)
        except GaveUp as reason:
            say(str(reason))
            return 1
        for each in STOP_SIGNALS:
            signal.signal(each, on_signal)
        code = 0
        try:
            supervisor.end_orphans()
            supervisor.record("supervisor", os.getpid())
            supervisor.start_servers()
            supervisor.migrate()
            if servers_only:
                say((local / "environment").read_text(encoding="utf-8"))
            else:
                supervisor.start_processes(port)
                if load:
                    code = supervisor.load([*load, "--address", supervisor.state.address,
                                            "--began", str(supervisor.began)])
                    if code:
                        raise GaveUp(f"manage.py {' '.join(load)} ended with {code}.")
                supervisor.tell(f"Running at {supervisor.state.address}")
            say("Ctrl-C stops everything.")
            supervisor.watch()
        except Stopped:
            say("\nStopping.")
        except (GaveUp, ServerFailed) as reason:
            say(str(reason))
            code = code or 1
        finally:
            ignore_signals()
            supervisor.stop()
        say("Stopped.")
        return code


def stop(local: Path) -> int:
    """Ends this clone's run, or what a cut-off one left."""
    state = State.read(local / "state.json")
    for one in state.processes:
        process = one.process() if one.name == "supervisor" else None
        if process is not None:
            process.terminate()
            if psutil.wait_procs([process], timeout=4 * STOP_SECONDS)[1]:
                process.kill()
                psutil.wait_procs([process], timeout=STOP_SECONDS)
    with only_one(local) as alone:
        if not alone:
            say("This clone's supervisor is just starting: try again.")
            return 1
        Supervisor(local, {}).end_orphans()
        State(ports=state.ports).write(local / "state.json")
        (local / "environment").unlink(missing_ok=True)
    say("Stopped.")
    return 0


def reset(local: Path) -> int:
    """Drops the data of this clone's embedded servers; a database named by DATABASE_URL is left alone."""
    if stop(local):
        return 1
    forget_tests(local / "test")
    area = data_area(local)
    if area != local:
        shutil.rmtree(area, ignore_errors=True)
    for kept in ("postgres", "valkey", "media", "logs"):
        if (local / kept).exists():
            shutil.rmtree(local / kept)
    for kept in ("area", "secrets.json", "state.json", "postgres.log", "valkey.log", "valkey.conf"):
        (local / kept).unlink(missing_ok=True)
    say("The data of this clone is dropped: the next start makes it anew.")
    return 0


def forget_tests(local: Path) -> None:
    """Drops the migrated clusters that test runs copy, and what cut-off runs left; a run that goes on is left alone."""
    if not local.exists():
        return
    notes = {note.stem: State.read(note) for note in (local / "runs").glob("*.json")}
    if any(one.name == "pytest" and one.process() for state in notes.values() for one in state.processes):
        say("A test run is going on in this clone: what it works with is left.")
        return
    for run in notes:
        end(State(run=run).orphans())
    area = data_area(local)
    if area.exists():
        discard(area)
    shutil.rmtree(local, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m config.local", description=__doc__)
    parser.add_argument("command", choices=["demo", "up", "servers", "stop", "reset"],
                        help="demo: everything, with the demo's data; up: everything, empty; servers: Postgres and "
                             "Valkey alone, migrated, for development; stop; reset: stop, and drop this clone's data")
    parser.add_argument("--local", type=Path, default=CLONE / ".local", help="where this run keeps its state")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", WEB_PORT)), help="the portal's port")
    asked = parser.parse_args()
    settle(asked.local)
    if asked.command == "stop":
        return stop(asked.local)
    if asked.command == "reset":
        return reset(asked.local)
    load = ["load_demo"] if asked.command == "demo" else []
    return run(asked.local, servers_only=asked.command == "servers", load=load, port=asked.port)


if __name__ == "__main__":
    sys.exit(main())
