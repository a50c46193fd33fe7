"""The URL configuration."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

handler400 = "console.views.errors.bad_request"
handler500 = "console.views.errors.broken"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}console/icon.svg")),
    path("hooks/", include("api.urls")),
    path("", include("console.urls")),
]
