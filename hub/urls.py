"""The map of the house's doors."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("hooks/", include("api.urls")),
    path("", include("console.urls")),
]
