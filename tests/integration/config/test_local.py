"""The supervisor with real processes: a taken port, a second start, a kill -9, a Ctrl-C, a reset."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from config.embedded import Postgres, Secrets, Valkey, data_area, own_folder, server_account, wait_until
from config.local import MARK, Started, State, reset
from tests.servers import CLONE, TestServers

URLS = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", MARK)
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Path]:
    local = tmp_path / "local"
    yield local
    command(local, "reset")


@pytest.fixture
def start(local: Path) -> Iterator[Start]:
    """Starts a supervisor of this test's own; ends it with everything it started, whatever the test did to it."""
    started: list[subprocess.Popen[str]] = []

    def start(what: str, *arguments: str, servers: dict[str, str] | None = None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "config.local", what, "--local", str(local), *arguments], cwd=CLONE, text=True,
            env=environment() | (servers or {}), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        started.append(process)
        return process

    yield start
    command(local, "stop")
    for process in started:
        process.kill()
        with process:  # closes its pipe and waits
            pass


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in URLS} | {
        "DJANGO_SETTINGS_MODULE": "config.settings.dev"}


def command(local: Path, what: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "config.local", what, "--local", str(local)], cwd=CLONE, text=True,
                          env=environment(), capture_output=True, check=False)


def told(process: subprocess.Popen[str], words: str) -> str:
    """What the supervisor said up to the line that holds the words."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return "".join(lines)
    raise AssertionError(f"It ended without saying {words!r}:\n{''.join(lines)}")


def servers_of(local: Path) -> list[psutil.Process]:
    """The embedded servers that run for this folder."""
    area, passwords = data_area(local), Secrets(local / "secrets.json")
    found = [Postgres(area, passwords).process(), Valkey(area, passwords).process()]
    return [process for process in found if process is not None]


def addresses(local: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in (local / "environment").read_text().splitlines())


def test_servers_survive_nothing_but_their_data(local: Path, start: Start) -> None:
    modes = {folder: folder.stat().st_mode for folder in (local.parent, *local.parent.parents)}
    first = start("servers")
    told(first, "Ctrl-C stops everything")
    urls = addresses(local)
    with psycopg.connect(urls["DATABASE_OWNER_URL"]) as connection:
        connection.execute("CREATE TABLE kept (n int)")
    client = redis.Redis.from_url(urls["REDIS_URL"])
    client.set("kept", "yes")
    client.close()
    assert {folder: folder.stat().st_mode for folder in modes} == modes
    assert (local / "environment").stat().st_mode & 0o777 == 0o600
    for secret in ("app", "owner", "broker", "superuser"):
        password = Secrets.kept(local / "secrets.json")[secret]
        assert not any(password in " ".join(process.cmdline()) for process in servers_of(local))

    for server in servers_of(local):
        server.kill()
    told(first, "Valkey ended; starting it again")
    told(first, "Postgres ended; starting it again")
    assert wait_until(lambda: len(servers_of(local)) == 2, 30)
    assert answers_again(urls["DATABASE_URL"]), "on the same port, with what was committed"

    second = start("servers")
    assert second.wait(30) == 0
    told(second, "Already running")

    orphans = servers_of(local)
    assert len(orphans) == 2
    first.kill()
    first.wait()
    assert servers_of(local) == orphans, "a kill -9 leaves them running"
    third = start("servers")
    told(third, "Ctrl-C stops everything")
    psutil.wait_procs(orphans, timeout=10)
    assert not any(process.is_running() for process in orphans)
    urls = addresses(local)
    with psycopg.connect(urls["DATABASE_URL"]) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("DROP TABLE kept")
    with psycopg.connect(urls["DATABASE_OWNER_URL"]) as connection:
        connection.execute("SELECT n FROM kept")
    client = redis.Redis.from_url(urls["REDIS_URL"])
    assert client.get("kept") == b"yes"
    client.close()

    third.send_signal(signal.SIGINT)
    assert third.wait(30) == 0
    assert servers_of(local) == []
    assert not (local / "environment").exists()
    assert list(data_area(local).glob("sockets")) == []

    assert command(local, "reset").returncode == 0
    assert not data_area(local).joinpath("postgres").exists()


def test_the_product_runs_is_mended_and_leaves_nothing(local: Path, start: Start, servers: TestServers) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        first = start("up", "--port", str(taken), servers=servers.environment())
        said = told(first, "Ctrl-C stops everything")
    assert f"Port {taken} is taken" in said
    state = State.read(local / "state.json")
    assert state.address in said
    assert str(taken) not in state.address
    assert get(state.address + "readyz") == 200

    second = start("up", servers=servers.environment())
    assert second.wait(30) == 0
    told(second, f"Already running: {state.address}")

    named = {one.name: one for one in state.processes}
    assert named.keys() >= {"web", "worker-light", "worker-heavy", "worker-batch", "worker-gpu", "beat"}
    killed = named["worker-heavy"].process()
    assert killed is not None
    killed.kill()
    told(first, "worker-heavy ended; starting it again")
    assert wait_until(lambda: latest(local, "worker-heavy") not in (None, killed.pid), 10)

    first.kill()
    first.wait()
    orphans = State.read(local / "state.json").orphans()
    assert len(orphans) >= 5, "a kill -9 leaves them running"
    third = start("up", servers=servers.environment())
    assert "processes that an earlier run left behind" in told(third, "Ctrl-C stops everything")
    assert not any(process.is_running() for process in orphans)

    run = State.read(local / "state.json").run
    started = State(run=run).orphans()
    third.send_signal(signal.SIGINT)
    third.send_signal(signal.SIGINT)  # an impatient second one cuts nothing off
    assert third.wait(60) == 0
    assert State(run=run).orphans() == []
    assert not any(process.is_running() for process in started)
    assert servers.postgres.process() is not None, "servers that were given to it are not its own to stop"


def test_a_copied_folder_leaves_the_original_alone_and_a_moved_one_is_still_itself(local: Path) -> None:
    command(local, "stop")
    moved, copied = local.with_name("moved"), local.with_name("copied")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        state = State(run="of the original", processes=[Started.of("web", process.pid)])
        state.write(local / "state.json")
        shutil.copytree(local, copied)
        told_of_copy = command(copied, "stop").stdout
        assert f"This is a copy of {local}" in told_of_copy
        assert process.poll() is None
        [aside] = copied.parent.glob("copied-copied-*")
        assert (aside / "state.json").read_bytes() == (local / "state.json").read_bytes(), "nothing is thrown away"
        assert "This is a copy" not in command(copied, "stop").stdout, "it is on its own from now on"
        local.rename(moved)
        command(local, "stop")  # another one lies where it was
        assert "This is a copy" not in command(moved, "stop").stdout
        assert process.wait(10), "what a moved clone left running is its own"


def test_a_start_that_fails_says_why_and_leaves_nothing(local: Path, start: Start, servers: TestServers) -> None:
    broken = start("demo", servers=servers.environment() | {"DJANGO_SETTINGS_MODULE": "config.settings.none"})
    told(broken, "No module named 'config.settings.none'")
    assert broken.wait(60) == 1
    assert State.read(local / "state.json").processes == []


def answers_again(url: str) -> bool:
    def answers() -> bool:
        try:
            with psycopg.connect(url) as connection:
                return connection.execute("SELECT to_regclass('kept') IS NOT NULL").fetchone() == (True,)
        except psycopg.OperationalError:
            return False

    return wait_until(answers, 30, 0.1)


def latest(local: Path, name: str) -> int | None:
    return next((one.pid for one in reversed(State.read(local / "state.json").processes) if one.name == name), None)


def get(address: str) -> int:
    with urllib.request.urlopen(address, timeout=10) as response:
        return int(response.status)


def test_a_reset_drops_what_test_runs_left_and_leaves_a_run_that_goes_on(
        local: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tests = local / "test"
    tests.mkdir(parents=True)
    area = own_folder(data_area(tests), server_account())
    for kept in ("template-abc/postgres", "run-dead/postgres", "building-dead/postgres"):
        (area / kept).mkdir(parents=True)
    (tests / "runs").mkdir()
    note = tests / "runs" / "abc.json"
    State(run="abc", processes=[Started.of("pytest", os.getpid())]).write(note)
    assert reset(local) == 0
    assert "A test run is going on" in capsys.readouterr().out
    assert (area / "template-abc").exists() and note.exists()
    State(run="abc").write(note)
    assert reset(local) == 0
    assert not area.exists() and not tests.exists()
