"""The locked zone data wins on every machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import resources
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from hub import zones

ASK = (
    "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'hub.settings'\n"
    "from zoneinfo import ZoneInfo\n"
    "from datetime import datetime\n"
    "early = ZoneInfo('America/Vancouver')\n"
    "import django; django.setup()\n"
    "from hub.sla.calendars import CalendarSpec\n"
    "import zoneinfo\n"
    "print(datetime(2026, 7, 1, tzinfo=ZoneInfo('America/Vancouver')).utcoffset(), zoneinfo.TZPATH)\n"
)


def test_other_zone_data_of_the_machine_is_not_used(tmp_path: Path) -> None:
    """Vancouver as UTC stands for whatever a machine has: also where it was read before the settings were."""
    (tmp_path / "zones" / "America").mkdir(parents=True)
    with resources.as_file(resources.files("tzdata.zoneinfo") / "UTC") as utc:
        shutil.copy(utc, tmp_path / "zones" / "America" / "Vancouver")
    environment = {**os.environ, "PYTHONTZPATH": str(tmp_path / "zones"), "TICKETHUB_VAR": str(tmp_path / "var")}
    told = subprocess.run(
        [sys.executable, "-c", ASK], cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "-1 day, 17:00:00 ()"


@pytest.mark.django_db
def test_the_doctor_tells_the_release_of_the_zone_data() -> None:
    out = StringIO()
    call_command("doctor", stdout=out)
    assert f"IANA {zones.RELEASE}, from the pinned package" in out.getvalue()
    assert "wrong" not in out.getvalue()


@pytest.mark.django_db
def test_the_doctor_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoneinfo.TZPATH", ("/usr/share/zoneinfo",))
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", stdout=out)
    assert "/usr/share/zoneinfo, which is not the pinned package   <-- wrong" in out.getvalue()
