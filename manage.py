#!/usr/bin/env python
"""Run a management command. A wrong setting or an unreachable database is reported in one line."""

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
