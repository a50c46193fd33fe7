"""Fields for files that people attach."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

LARGEST = 20 * 1024 * 1024
"""The largest file in bytes; `hub.settings.BODY_RULES` lets somewhat more through."""
MOST = 10
"""The most files of one message."""


class ManyFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class ManyFilesField(forms.FileField):
    """Up to MOST files, together at most LARGEST bytes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_empty_file=True, widget=ManyFilesInput(), **kwargs)

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[Any]]:
        given = data if isinstance(data, list | tuple) else [data] if data else []
        files: list[UploadedFile[Any]] = [super(ManyFilesField, self).clean(each, initial) for each in given]
        if len(files) > MOST:
            raise forms.ValidationError(_("A message may have at most 10 files."))
        if sum(file.size or 0 for file in files) > LARGEST:
            raise forms.ValidationError(_("The files may have at most 20 MB together."))
        return files
