"""The tests every connector has to pass: subclass `Conformance`, define how to act in the simulator, run pytest.

    class TestMyVendor(Conformance):
        connector = MyVendor
        ...

Each test is one behaviour. Behaviours that a connector cannot show (quality.toml) are skipped by name.
"""

from __future__ import annotations

from .access import Access
from .changing import Changing
from .creating import Creating
from .deletion import Deletion
from .files import Files
from .hooks import Hooks
from .notes import Notes
from .picklists import Picklists
from .polling import Polling
from .read_faults import ReadFaults
from .reading import Reading
from .suite import Stage, Time, changes, shows
from .write_faults import WriteFaults

__all__ = ["Conformance", "Stage", "Time", "changes", "shows"]


class Conformance(
    Access, Picklists, Polling, Reading, Creating, Changing, Notes, Files, ReadFaults, WriteFaults, Hooks, Deletion
):
    """All behaviours, by subject."""

    @classmethod
    def capabilities(cls) -> dict[str, list[str]]:
        """The names of the behaviours by the capability they prove, in order."""
        found: dict[str, list[str]] = {}
        for subject in Conformance.__bases__:
            for name, value in vars(subject).items():
                if name.startswith("test_"):
                    found.setdefault(value.capability, []).append(name)
        return found
