"""A real Chromium, and the product as real processes."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from config.embedded import Secrets, wait_until
from config.local import MARK, State, answers
from tests.servers import CLONE, TestServers

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
# Everything that a browser does of its own accord on a network is off: pages load from this machine alone.
ARGUMENTS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--force-color-profile=srgb"]
MISSING = ("Browser tests need Chromium, and none was found: install Debian's package (apt-get install chromium), or "
           "Playwright's (.venv/bin/python -m playwright install chromium), and run them again.")


def found_on_path() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


def from_debian() -> str | None:
    """Debian's package, where this user may install it."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return None
    quiet = {"DEBIAN_FRONTEND": "noninteractive", **os.environ}
    with (Path(tempfile.gettempdir()) / "stockwright-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two workers of one run must not install at once
        if found_on_path() is None:
            for command in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
                subprocess.run(["apt-get", "--quiet", *command], check=False, env=quiet, capture_output=True)
    return found_on_path()


def from_playwright() -> str | None:
    """Playwright's own build: the one that is there, else the one that it can fetch."""
    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    if not path.exists():
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False, capture_output=True)
    return str(path) if path.exists() else None


@pytest.fixture(scope="session")
def chromium() -> str:
    path = found_on_path() or from_debian() or from_playwright()
    if path is None:
        pytest.fail(MISSING)
    return path


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses its sandbox to root
    # Playwright keeps an event loop in this thread, and Django takes a thread with a loop for an asynchronous one.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=[*ARGUMENTS, *sandbox])
        yield started
        started.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
    else:
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US", reduced_motion="reduce")
    opened.set_default_timeout(10_000)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page on which no script may fail and no policy be broken while the test looks at it."""
    wrong: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error":
            wrong.append(message.text)

    opened = context.new_page()
    opened.on("console", heard)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    yield opened
    assert wrong == [], "the browser's console shows errors"


@dataclass
class Product:
    """The product, running: web, workers and clock on a database of its own."""

    address: str
    servers: TestServers
    local: Path

    def environment(self) -> dict[str, str]:
        return {**outer_environment(), **self.servers.environment(), "MEDIA_ROOT": str(self.local / "media"),
                "SECRET_KEY": Secrets.kept(self.local / "secrets.json")["secret_key"]}

    def manage(self, *arguments: str) -> str:
        """Runs a manage.py command beside the running processes; what it printed."""
        done = subprocess.run([sys.executable, "manage.py", *arguments], cwd=CLONE, env=self.environment(), check=False,
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def log(self, process: str) -> str:
        return (self.local / "logs" / f"{process}.log").read_text(errors="replace")


def outer_environment() -> dict[str, str]:
    hidden = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", MARK, "DJANGO_ALLOW_ASYNC_UNSAFE")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    return {**kept, "DJANGO_SETTINGS_MODULE": "config.settings.dev"}


@contextmanager
def running_product(servers: TestServers, local: Path) -> Iterator[Product]:
    """Web, workers and beat under the supervisor, until the block ends."""
    log = local.with_name("supervisor.log")
    with log.open("wb") as output, subprocess.Popen(
            [sys.executable, "-m", "config.local", "up", "--local", str(local), "--port", "0"], cwd=CLONE,
            env={**outer_environment(), **servers.environment()}, stdout=output, stderr=subprocess.STDOUT) as process:
        try:
            ready = wait_until(lambda: process.poll() is not None or answering(local), 120, 0.1)
            assert ready and process.poll() is None, log.read_text()
            yield Product(State.read(local / "state.json").address.rstrip("/"), servers, local)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def answering(local: Path) -> bool:
    state = State.read(local / "state.json")
    return bool(state.address) and any(one.name == "beat" for one in state.processes) and answers(
        state.address + "readyz")


@pytest.fixture(scope="module")
def product(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product on an empty, migrated database that nothing else touches."""
    local = tmp_path_factory.mktemp("product") / "local"
    with servers.another("product") as own, running_product(own, local) as started:
        yield started
