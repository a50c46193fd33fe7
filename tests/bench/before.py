"""602caa8 beside this build: a work tree of that commit with an environment of its own, and one data set for both.

The benches of this build are copied over that commit's, so that both are measured by the same code; `tests.bench.build`
knows where the names stood then.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "602caa8"
KEPT = ROOT / "var" / "bench" / COMMIT
"""The work tree and its environment stay for the next run."""
SHARED = (
    "both.py", "build.py", "cluster.py", "console_data.py", "console_pages.py", "dataset.py", "path.py", "vendors.py",
)  # fmt: skip


class Missing(Exception):
    """The commit is not in this repository, for example in a shallow clone."""


@dataclass(frozen=True)
class Build:
    """A work tree that can be measured."""

    name: str
    tree: Path
    python: Path

    def measure(self, part: str, *numbers: int, url: str, var: str) -> dict[str, float]:
        """Run one part of `tests.bench.both` in this build. Raises RuntimeError if the part fails."""
        found: dict[str, float] = self.run("both", part, *map(str, numbers), url=url, var=var)
        return found

    def run(self, module: str, *arguments: str, url: str, var: str) -> Any:
        """What a module of `tests.bench` prints as JSON in this build. Raises RuntimeError if it fails."""
        done = subprocess.run(
            [self.python, "-m", f"tests.bench.{module}", *arguments],
            cwd=self.tree,
            env=self._environment(url, f"{var}/{self.name}"),
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{self.name}: {module} {arguments}\n{done.stderr[-3000:]}")
        return json.loads(done.stdout.splitlines()[-1])

    def migrate(self, url: str, var: str) -> None:
        environment = self._environment(url, f"{var}/{self.name}")
        subprocess.run(
            [self.python, "manage.py", "migrate", "-v0"], cwd=self.tree, env=environment, check=True, stdout=sys.stderr
        )

    def _environment(self, url: str, var: str) -> Mapping[str, str]:
        Path(var).mkdir(parents=True, exist_ok=True)
        own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return own | {
            "DATABASE_URL": url,
            "TICKETHUB_LISTEN_URL": url if url.startswith("postgresql") else "",
            "TICKETHUB_VAR": var,
            "DJANGO_SETTINGS_MODULE": "hub.settings",
            "CELERY_BROKER_URL": "",
            "TICKETHUB_HOSTS": "127.0.0.1,testserver",
            "TICKETHUB_HOOKS_PER_MINUTE": "1000000",
            "TICKETHUB_WRITES_PER_LINK_PER_HOUR": "1000000",
        }


def today() -> Build:
    return Build("today", ROOT, Path(sys.executable))


def before() -> Build:
    """602caa8, made ready to be measured. Raises Missing if the commit is not there."""
    known = subprocess.run(["git", "cat-file", "-e", f"{COMMIT}^{{commit}}"], cwd=ROOT, capture_output=True)
    if known.returncode:
        raise Missing(f"{COMMIT} is not in this repository: fetch its whole history (git fetch --unshallow).")
    if not (KEPT / "manage.py").exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        archive = subprocess.run(["git", "archive", COMMIT], cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", str(KEPT)], input=archive, check=True)
    python = KEPT / ".venv" / "bin" / "python"
    if not (KEPT / ".venv" / ".ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(KEPT / ".venv")], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        subprocess.run([*pip, "-r", "requirements-dev.lock"], cwd=KEPT, check=True)
        (KEPT / ".venv" / ".ready").touch()
    for name in SHARED:
        shutil.copy(ROOT / "tests" / "bench" / name, KEPT / "tests" / "bench" / name)
    return Build("before", KEPT, python)
