"""The timed job of the console: workbooks of long lists."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from console import list_exports
from hub.core.jobs import TimedJob, register

register(
    TimedJob(
        name="workbook",
        label=_("Workbooks to make or delete"),
        since="due_at",
        waiting=list_exports.waiting,
        due=list_exports.due,
        run=lambda pk: list_exports.run(export_id=pk),
    )
)
