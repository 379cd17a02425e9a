"""Makes .venv and installs a locked set of requirements into it; any Python 3.11 runs it, with nothing installed.

    python3 config/bootstrap.py demo|dev|bench
"""

import hashlib
import ssl
import subprocess
import sys
import time
import venv
from pathlib import Path

CLONE = Path(__file__).resolve().parent.parent
ENVIRONMENT = CLONE / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
UV = ENVIRONMENT / "bin" / "uv"


def installed(lock: Path) -> bool:
    note = ENVIRONMENT / f"installed-{lock.stem}"
    return note.exists() and note.read_text() == digest(lock)


def digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def install(lock: Path, command: list[str | Path]) -> None:
    began = time.monotonic()
    print(f"Installing {lock.relative_to(CLONE)} ...", flush=True)
    outcome = subprocess.run([*command, "--require-hashes", "--quiet", "-r", lock], check=False, cwd=CLONE)
    if outcome.returncode:
        sys.exit(f"The requirements in {lock.relative_to(CLONE)} could not be installed; the reason stands above.")
    (ENVIRONMENT / f"installed-{lock.stem}").write_text(digest(lock))
    print(f"Installed in {time.monotonic() - began:.0f} s.", flush=True)


def trust() -> list[str]:
    """As pip does, uv shall trust what the machine trusts, where the machine says what that is."""
    known = ssl.get_default_verify_paths()
    return ["--system-certs"] if known.cafile or known.capath else []


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036  # whoever has an older one gets a sentence, not a traceback
        sys.exit(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}. Try: make PYTHON=python3.12 ...")
    wanted = CLONE / "requirements" / f"{sys.argv[1]}.txt"
    tools = CLONE / "requirements" / "tools.txt"
    if not PYTHON.exists():
        venv.create(ENVIRONMENT, symlinks=True, with_pip=False)  # ensurepip may be missing; pip works from outside
    if not (UV.exists() and installed(tools)):
        install(tools, [sys.executable, "-m", "pip", "--python", PYTHON, "install", "--disable-pip-version-check"])
    if not installed(wanted):
        install(wanted, [UV, "pip", "install", "--python", PYTHON, *trust()])


if __name__ == "__main__":
    main()
