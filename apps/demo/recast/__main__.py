"""Writes the demo's import files from the shell: python -m apps.demo.recast --out FOLDER."""

import argparse
import json
import sys
from pathlib import Path
from time import perf_counter

from apps.demo.recast.files import recast
from apps.demo.recast.package import PackageMissing
from apps.demo.recast.shops import ALL_SHOPS, SHOPS


def main(arguments: list[str] | None = None) -> int:
    """Write the files, then print the counts, sizes and seconds."""
    parser = argparse.ArgumentParser(prog="python -m apps.demo.recast", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder that takes one folder a shop")
    parser.add_argument("--shop", choices=sorted(ALL_SHOPS), action="append", help="only this shop; may be repeated")
    options = parser.parse_args(arguments)
    started = perf_counter()
    try:
        manifests = recast(options.out, options.shop or tuple(SHOPS))
    except PackageMissing as missing:
        sys.stderr.write(f"{missing}\n")
        return 1
    for manifest in manifests.values():
        sys.stdout.write(json.dumps({key: value for key, value in manifest.items() if key != "files"}, indent=2) + "\n")
    files = [each for manifest in manifests.values() for each in manifest["files"]]
    megabytes = sum(each["bytes"] for each in files) / 1e6
    sys.stdout.write(f"{len(files)} files, {megabytes:.1f} MB, {perf_counter() - started:.1f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
