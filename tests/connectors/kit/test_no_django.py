"""The kit and the connectors can be used without Django: also what import-linter does not see, package roots."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
IMPORT_ALL = """
import importlib, pkgutil, sys
for name in ("kit", "autotask", "connectwise", "email", "rest", "alerts"):
    package = importlib.import_module(f"connectors.{name}")
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
print(len([name for name in sys.modules if name.startswith("connectors.")]))
print(*sorted({name for name in sys.modules if name.partition(".")[0] == "django"}))
"""


def test_importing_the_kit_and_every_connector_imports_no_django() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], cwd=ROOT, capture_output=True, text=True, check=True)

    count, django = done.stdout.split("\n")[:2]
    assert int(count) > 80
    assert django == ""
