#!/usr/bin/env python
"""Django's command line, with the settings of this machine unless others are named."""

import os
import sys

from django.core.management import execute_from_command_line


def main(arguments: list[str]) -> None:
    """Carry a command out; where a server that it needs is not there, say so in one sentence."""
    try:
        execute_from_command_line(arguments)
    except Exception as error:
        from config.unreachable import unreachable

        told = None if "--traceback" in arguments else unreachable(error)
        if told is None:
            raise
        sys.exit(told)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    main(sys.argv)
