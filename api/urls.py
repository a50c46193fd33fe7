"""URLs called by other systems."""

from __future__ import annotations

from django.urls import path

from api import hooks

app_name = "api"

urlpatterns = [
    path("<str:connection_id>/", hooks.hook, name="hook"),
    path("<str:connection_id>/deactivated/", hooks.deactivated, name="deactivated"),
    path("<str:connection_id>/<str:token>/", hooks.hook, name="hook_with_token"),
]
