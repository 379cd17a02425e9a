"""A process is known by more than its pid, a port is taken only when free, and what ran before is remembered."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from apps.jobs.kinds import QUEUES
from config.embedded import Secrets, free_port, own_file
from config.local import MARK, GaveUp, Service, Started, State, Supervisor, end, still_running


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE,
                               env={**os.environ, MARK: "the-run"})
    yield process
    process.kill()
    process.communicate()


def test_a_recorded_process_is_found(sleeper: subprocess.Popen[bytes]) -> None:
    process = Started.of("sleeper", sleeper.pid).process()
    assert process is not None
    assert process.pid == sleeper.pid


@pytest.mark.parametrize("change", [{"created_at": 1.0}, {"command": ["something", "else"]}])
def test_a_pid_that_is_somebody_elses_by_now_is_left_alone(
        sleeper: subprocess.Popen[bytes], change: dict[str, object]) -> None:
    recorded = replace(Started.of("sleeper", sleeper.pid), **change)  # type: ignore[arg-type]
    assert recorded.process() is None
    assert State(processes=[recorded]).orphans() == []


def test_a_process_that_was_never_recorded_is_found_by_its_mark(sleeper: subprocess.Popen[bytes]) -> None:
    assert [process.pid for process in State(run="the-run").orphans()] == [sleeper.pid]
    assert State(run="another-run").orphans() == []


def test_a_process_that_ignores_a_polite_end_is_ended_all_the_same() -> None:
    program = ("import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); "
               "sys.stdin.read()")
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as stubborn:
        assert stubborn.stdout is not None
        stubborn.stdout.readline()
        process = psutil.Process(stubborn.pid)
        end([process], seconds=0.1)
        assert not process.is_running()


def test_a_process_that_its_parent_has_not_buried_is_not_waited_for() -> None:
    command = ["sh", "-c", "sleep 0.3 & echo $!; exec cat"]  # it ends after the shell became cat, which never asks
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        dead = psutil.Process(int(parent.stdout.readline()))
        assert still_running([dead], 10) == [], "psutil alone takes it for one that runs"


def test_state_is_read_as_it_was_written_and_only_by_its_user(tmp_path: Path) -> None:
    state = State("run", "http://127.0.0.1:8000/", {"postgres": 5432}, [Started("web", 7, 1.5, ["a", "b"])])
    state.write(tmp_path / "state.json")
    assert State.read(tmp_path / "state.json") == state
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600


def test_a_state_that_was_cut_off_while_written_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"run": "x", "addr')
    assert State.read(tmp_path / "state.json") == State()


def test_a_free_port_is_kept_and_a_taken_one_replaced() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        assert free_port(taken) != taken
    assert free_port(taken) == taken


def test_passwords_are_made_once_and_kept_to_their_user(tmp_path: Path) -> None:
    first = Secrets.kept(tmp_path / "secrets.json")
    assert Secrets.kept(tmp_path / "secrets.json").values == first.values
    assert len(set(first.values.values())) == len(first.values)
    assert all(len(value) >= 50 for value in first.values.values())
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_a_file_is_never_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    own_file(tmp_path / "link", "new", None)
    assert (tmp_path / "precious").read_text() == "kept"


def test_one_database_address_without_the_other_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GaveUp, match="belong together"):
        Supervisor(tmp_path, {"DATABASE_URL": "postgres://app@db/stockwright"})


def test_each_queue_has_a_worker_of_its_own_and_those_that_compute_run_one_job_at_a_time(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launched: list[Service] = []
    monkeypatch.setattr(Supervisor, "launch", lambda _self, service, fresh_log=False: launched.append(service))
    monkeypatch.setattr(Supervisor, "wait_for_portal", lambda _self, _web: None)
    Supervisor(tmp_path, {}).start_processes(0)
    workers = [service for service in launched if service.name.startswith("worker-")]
    given = [dict(zip(service.command, service.command[1:], strict=False)) for service in workers]
    assert [(each["--queues"], each["--pool"]) for each in given] == [
        ("light", "prefork"), ("heavy", "solo"), ("batch", "solo"), ("gpu", "solo")]
    assert [each["--queues"] for each in given] == list(QUEUES)
    assert [service.niceness for service in workers] == [0, 5, 10, 10], "what nobody waits for goes last"
    assert [service.extra.get("OMP_WAIT_POLICY") for service in workers] == [None, *["PASSIVE"] * 3]
    assert [launched[0].name, launched[-1].name] == ["web", "beat"], "the portal answers first"
