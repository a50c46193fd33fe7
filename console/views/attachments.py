"""Downloads of files attached to messages."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from console.access import person
from hub.domain import files
from hub.models import Attachment
from hub.queries import permissions


@require_safe
@login_required
def attachment(request: HttpRequest, public_id: str) -> HttpResponse | FileResponse:
    """A file, for users who may read its message."""
    return download(readable(request, public_id))


def readable(request: HttpRequest, public_id: str) -> Attachment:
    """The file; Http404 if there is none whose message this user may read."""
    found = Attachment.objects.select_related("ticket", "message").filter(public_id=public_id).first()
    if found is None or not _may_read(request, found):
        raise Http404
    return found


def download(found: Attachment) -> HttpResponse | FileResponse:
    """The file as a download that browsers never display as a page; 410 if its content is damaged."""
    if files.fault(found):
        return HttpResponse(_("This file is damaged. Ask your administrator to restore it from a backup."), status=410)
    response = FileResponse(
        default_storage.open(found.path),
        as_attachment=True,
        filename=found.name,
        content_type="application/octet-stream",
    )
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def _may_read(request: HttpRequest, found: Attachment) -> bool:
    readable = permissions.visible_messages(person(request), found.ticket)
    return readable.filter(pk=found.message_id).exists()
