"""Break the rules one after the other in a copy of the project, and check that a test fails for each.

    make mutants                 a sample of 20 breaks; the seed is printed
    make mutants ARGS="--all"    every break
    make mutants ARGS="lane"     the breaks whose name contains this word

The tests are first run without a break: a break counts as noticed only if they pass without it. Exit status 1 if a
break survives. The working copy is not changed.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.breaks import BREAKS, Break

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = 20
COPIES = 2
SECONDS = 240
LINKED = (".venv", "node_modules")
LEFT_OUT = (*LINKED, "var", ".git", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", "findings")
FAILED = 1
"""pytest's exit status if tests ran and some failed; any other status means that they could not run."""


def copied(folder: Path) -> Path:
    """A copy of the project in which installed packages are linked and generated files are left out."""
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for name in LINKED:
        if (ROOT / name).exists():
            (folder / name).symlink_to(ROOT / name)
    return folder


def tried(folder: Path, tests: Sequence[str]) -> tuple[int, str]:
    """The exit status of the tests, and the first test that failed."""
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-rf", "--tb=no", *tests]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return FAILED, "(timed out)"
    failed = re.search(r"^FAILED (\S+)", done.stdout, re.MULTILINE)
    return done.returncode, failed[1] if failed else done.stdout[-2000:] + done.stderr[-2000:]


def broken(folder: Path, one: Break) -> tuple[bool, str]:
    """Whether a test failed because of the break, and which one."""
    path = folder / one.file
    whole = path.read_text()
    if whole.count(one.old) != 1:
        return False, f"{one.file} does not contain the text to replace exactly once"
    path.write_text(whole.replace(one.old, one.new))
    try:
        status, told = tried(folder, one.tests)
    finally:
        path.write_text(whole)
    return status == FAILED, told if status else "every test passed"


def chosen(arguments: argparse.Namespace) -> list[Break]:
    if arguments.words:
        return [one for one in BREAKS if any(word in one.name for word in arguments.words)]
    if arguments.all:
        return list(BREAKS)
    print(f"A sample of {SAMPLE} of {len(BREAKS)} breaks, seed {arguments.seed}")
    return random.Random(arguments.seed).sample(BREAKS, SAMPLE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10_000)
    wanted = chosen(parser.parse_args())
    began = time.monotonic()
    survived = 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(COPIES) as pool:
        free: SimpleQueue[Path] = SimpleQueue()
        for number in range(COPIES):
            free.put(copied(Path(folder) / str(number)))

        def one_by_one(one: Break | None) -> tuple[bool, str]:
            mine = free.get()
            try:
                if one is not None:
                    return broken(mine, one)
                status, told = tried(mine, sorted({name for each in wanted for name in each.tests}))
                return status == 0, told
            finally:
                free.put(mine)

        is_sound, told = one_by_one(None)
        if not is_sound:
            print(f"The tests fail without a break: {told}")
            return 1
        for one, (is_noticed, told) in zip(wanted, pool.map(one_by_one, wanted), strict=True):
            survived += not is_noticed
            print(f"{'noticed ' if is_noticed else 'SURVIVED'}  {one.name}  [{told}]", flush=True)
    print(f"{len(wanted)} breaks, {survived} survived, {time.monotonic() - began:.0f} seconds")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
