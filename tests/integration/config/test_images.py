"""The image's and the compose file's own commands, run as an ordinary user with production settings on real servers."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from config.celery import app as celery_app
from config.embedded import free_port, wait_until
from config.local import end
from tests.servers import CLONE, TestServers

HOST = "stockwright.example"
STRANGER = 65534  # nobody, on every Linux
GIVEN = {
    "SECRET_KEY": secrets.token_urlsafe(64), "ALLOWED_HOSTS": HOST, "BEHIND_TLS_PROXY": "1",
    "EMAIL_URL": "smtp://mail.example:25", "DEFAULT_FROM_EMAIL": "shop@stockwright.example", "POSTGRES_PASSWORD": "p-1",
    "OWNER_PASSWORD": "p-2", "APP_PASSWORD": "p-3", "BROKER_PASSWORD": "p-4",
}
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(:\?|:-)?([^}]*)\}")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((CLONE / "compose.yaml").read_text())
    return loaded


@pytest.fixture(scope="module")
def image() -> dict[str, Any]:
    """User, environment and command of the Dockerfile's last stage."""
    text = (CLONE / "Dockerfile").read_text().replace("\\\n", " ")
    stage = [line.split(maxsplit=1) for line in text[text.rindex("\nFROM"):].splitlines() if line.strip()]
    last = dict(stage)
    environment = dict(pair.split("=", 1) for name, rest in stage if name == "ENV" for pair in rest.split())
    return {"user": last["USER"], "environment": environment, "command": json.loads(last["CMD"])}


def filled(value: str) -> str:
    return VARIABLE.sub(lambda found: GIVEN.get(found[1]) or (found[3] if found[2] == ":-" else ""), value)


def product_services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: service for name, service in compose["services"].items() if service["image"] == "stockwright"}


# --- What the files say -------------------------------------------------------------------------------------------


def test_no_secret_has_a_default(compose: dict[str, Any]) -> None:
    text = (CLONE / "compose.yaml").read_text()
    secret = {name: kind for name, kind, _default in VARIABLE.findall(text) if re.search("SECRET|PASSWORD|URL", name)}
    assert {"SECRET_KEY", "OWNER_PASSWORD", "APP_PASSWORD", "POSTGRES_PASSWORD", "BROKER_PASSWORD"} <= secret.keys()
    assert set(secret.values()) == {":?"}
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search("SECRET|PASSWORD", name):
                assert VARIABLE.fullmatch(value), f"{name} is written out"


def test_only_the_migration_knows_the_owner(compose: dict[str, Any]) -> None:
    knowing = {name for name, service in product_services(compose).items()
               if "DATABASE_OWNER_URL" in service["environment"]}
    assert knowing == {"migrate"}
    for service in product_services(compose).values():
        assert service["environment"]["DATABASE_URL"].startswith("postgres://stockwright_app:")


def test_every_queue_is_worked(compose: dict[str, Any]) -> None:
    worked = [queue for service in product_services(compose).values()
              for option, queues in zip(service.get("command", []), service.get("command", [])[1:], strict=False)
              if option == "--queues" for queue in queues.split(",")]
    assert sorted(worked) == sorted(queue.name for queue in celery_app.conf.task_queues)


def test_the_image_runs_as_nobody_in_particular(image: dict[str, Any]) -> None:
    assert image["user"] not in ("root", "0", "")
    assert image["environment"]["DJANGO_SETTINGS_MODULE"] == "config.settings.prod"


def test_the_roles_are_made_with_the_given_passwords(tmp_path: Path) -> None:
    psql = tmp_path / "psql"
    psql.write_text("#!/bin/sh\ncat\n")
    psql.chmod(0o755)
    said = subprocess.run(
        ["sh", str(CLONE / "config/roles.sh")], check=True, capture_output=True, text=True,
        env={"PATH": f"{tmp_path}:{os.defpath}", "OWNER_PASSWORD": "one", "APP_PASSWORD": "two",
             "ROLES_SQL": str(CLONE / "config/roles.sql")}).stdout
    assert said.startswith("\\set owner_password 'one'\n\\set app_password 'two'\n--")
    assert said.endswith((CLONE / "config/roles.sql").read_text())


# --- What the commands do -----------------------------------------------------------------------------------------


def as_stranger() -> tuple[list[str], dict[str, Any]]:
    """How to run a program as a user who owns nothing here: a prefix to the command, arguments to Popen."""
    if os.geteuid() != 0:
        return [], {}
    identity: dict[str, Any] = {"user": STRANGER, "group": STRANGER, "extra_groups": []}
    asked = [sys.executable, "-c", "import os, sys; print(sys.version, os.__file__)"]
    ours = subprocess.run(asked, check=True, capture_output=True).stdout
    try:
        theirs = subprocess.run(asked, check=False, cwd=CLONE, capture_output=True, **identity).stdout
    except OSError:
        theirs = b""
    if theirs != ours:
        # This Python or this clone lies in a folder closed to others: the stranger may read there, and still not write.
        capability = "dac_read_search"
        return ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", "--no-new-privs",
                f"--inh-caps=-all,+{capability}", f"--ambient-caps=-all,+{capability}",
                f"--bounding-set=-all,+{capability}"], {}
    return [], identity


class Container:
    """Runs commands the way the image would, with what compose gives them; servers are the test's."""

    def __init__(self, image: dict[str, Any], compose: dict[str, Any], servers: TestServers, folder: Path) -> None:
        self.image = image
        self.services = product_services(compose)
        self.servers = servers
        self.folder = folder
        self.prefix, self.identity = as_stranger()
        for name in ("media", "static"):
            (folder / name).mkdir()
            if os.geteuid() == 0:
                os.chown(folder / name, STRANGER, STRANGER)
        self.run("web", ["python", "manage.py", "collectstatic", "--no-input", "--verbosity", "0"])

    def environment(self, service: str) -> dict[str, str]:
        given = {name: filled(value) for name, value in self.services[service]["environment"].items()}
        real = {name: url for name, url in self.servers.environment().items() if name in given}
        path = f"{Path(sys.executable).parent}:{os.defpath}"
        return {**self.image["environment"], "PATH": path, **given, **real, "MEDIA_ROOT": str(self.folder / "media"),
                "STATIC_ROOT": str(self.folder / "static"), "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}

    def command(self, service: str) -> list[str]:
        command: list[str] = self.services[service].get("command", self.image["command"])
        return command

    def run(self, service: str, command: list[str]) -> str:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [*self.prefix, *command], cwd=CLONE, env=self.environment(service), check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **self.identity)
        assert done.returncode == 0, done.stdout
        return done.stdout

    @contextmanager
    def running(self, service: str, command: list[str]) -> Iterator[psutil.Process]:
        with (self.folder / f"{service}.log").open("wb") as log, subprocess.Popen(
                [*self.prefix, *command], cwd=CLONE, env=self.environment(service), stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True, **self.identity) as process:
            try:
                yield psutil.Process(process.pid)
            finally:
                end([psutil.Process(process.pid)])

    def told(self, service: str, word: str) -> bool:
        return word in self.log(service)

    def log(self, service: str) -> str:
        return (self.folder / f"{service}.log").read_text(errors="replace")


@pytest.fixture(scope="module")
def container(image: dict[str, Any], compose: dict[str, Any], servers: TestServers) -> Iterator[Container]:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to other users
        folder = Path(name)
        folder.chmod(0o711)
        yield Container(image, compose, servers, folder)


def asked(port: int, path: str, secure: bool = True) -> tuple[int, dict[str, str], str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={
        "Host": HOST, **({"X-Forwarded-Proto": "https"} if secure else {})})
    try:
        with urllib.request.build_opener(NoRedirects()).open(request, timeout=10) as response:
            return response.status, dict(response.headers), response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), ""
    except OSError:
        return 0, {}, ""


class NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any, **named: Any) -> None:
        return None


def test_the_commands_run_in_production(container: Container) -> None:
    assert "No migrations to apply" in container.run("migrate", container.command("migrate"))

    port = free_port()
    web = [re.sub(r"^0\.0\.0\.0:8000$", f"127.0.0.1:{port}", word) for word in container.command("web")]
    workers = [name for name in container.services if name.startswith("worker-")]
    with ExitStack() as stack:
        processes = {"web": stack.enter_context(container.running("web", web))}
        for name in [*workers, "beat"]:
            command = [*container.command(name), *(["--hostname", f"{name}@image"] if name in workers else [])]
            processes[name] = stack.enter_context(container.running(name, command))

        assert wait_until(lambda: asked(port, "/readyz")[0] == 200, 60, 0.1), container.log("web")[-2000:]
        assert asked(port, "/accounts/login/", secure=False)[0] == 301, "plain http is sent to https"
        status, headers, _page = asked(port, "/accounts/login/")
        assert status == 200
        assert "max-age=31536000" in headers["Strict-Transport-Security"]
        assert "Secure" in headers["Set-Cookie"]
        assert asked(port, "/healthz")[0] == 200

        known = {f"{name}@image" for name in workers}
        assert wait_until(lambda: answering(known) == known, 60, 0.1), [container.log(name)[-2000:] for name in workers]
        celery_app.send_task("jobs.sweep", queue="light")
        for name, word in (("worker-light", '"task_succeeded"'), ("beat", "beat: Starting")):
            assert wait_until(partial(container.told, name, word), 20), container.log(name)

        for name, process in processes.items():
            everyone = [process, *process.children(recursive=True)]
            assert all(0 not in (each.uids().effective, each.gids().effective) for each in everyone), name
            assert all(json.loads(line)["event"] for line in container.log(name).splitlines() if line.startswith("{"))
        written = "".join(container.log(name) for name in processes)
        assert not any(value in written for name, value in GIVEN.items() if name == "SECRET_KEY")
        assert container.servers.postgres.passwords["app"] not in written


def answering(known: set[str]) -> set[str]:
    answers = celery_app.control.ping(destination=sorted(known), timeout=1.0)
    return {name for answer in answers or [] for name in answer}


def test_collected_pages_load_their_files_by_hashed_names(container: Container) -> None:
    """Every file that a template names is there: the manifest refuses what is not."""
    manifest = json.loads((container.folder / "static" / "staticfiles.json").read_text())["paths"]
    templates = [*CLONE.glob("templates/**/*.html"), *CLONE.glob("apps/*/templates/**/*.html")]
    pattern = re.compile(r"{%\s*static\s+['\"]([^'\"]+)")
    named = {name for template in templates for name in pattern.findall(template.read_text())}
    assert named <= manifest.keys()
