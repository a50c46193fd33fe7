#!/usr/bin/env python
"""Run a command of the hub; a mistake in the settings or an unreachable database is one sentence."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")
    from hub.core.startup_errors import as_sentences

    with as_sentences():
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
