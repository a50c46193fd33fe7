"""History import: exact figures, nothing judged, nothing dropped in silence."""

from __future__ import annotations

import csv
import gzip
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from connectors.models import Outbound
from hub import csv_escaping
from hub.domain import history, ledger
from hub.importing import profile as profiles
from hub.importing.run import BATCH
from hub.models import EventKind, FailedReceiver, HistoryImport, Organisation, Phase, Ticket, UnmappedValue

pytestmark = pytest.mark.django_db

COLUMNS = "number,incident_state,sys_mod_count,opened_at,sys_updated_at,category,subcategory,u_symptom,priority,assignment_group,closed_at,reassignment_count"  # noqa: E501


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([COLUMNS, *rows]) + "\n")
    return path


def load(source: Path, **options: Any) -> str:
    out = StringIO()
    call_command("import_history", source, format=options.pop("format", "servicenow-audit"), stdout=out, **options)
    return out.getvalue()


def rejects() -> list[list[str]]:
    from django.conf import settings

    path = settings.VAR / "reports" / f"import-{HistoryImport.objects.latest('pk').public_id}.csv"
    with path.open() as file:
        return list(csv.reader(file))[1:]


@pytest.mark.parametrize(
    ("format_", "data", "expected"),
    [
        ("servicenow-audit", "uci_dev_slice.csv.gz", "expected_uci_dev.csv"),
        ("volvo-vinst", "bpi2013_dev_slice.csv.gz", "expected_bpi2013_dev.csv"),
    ],
)
def test_a_real_log_comes_out_exactly(shared: Path, format_: str, data: str, expected: str) -> None:
    load(shared / "data" / data, format=format_)
    out = StringIO()

    call_command("compare_history", shared / "data" / expected, stdout=out)

    assert ": 0 differences." in out.getvalue()
    for ticket in Ticket.objects.select_related("owner")[:40]:
        assert ledger.verify(ticket) == []
        assert history.verify(ticket) is None


@pytest.mark.parametrize("beginning", csv_escaping.BEGINNINGS)
def test_a_number_of_theirs_is_no_formula_in_the_report(tmp_path: Path, beginning: str) -> None:
    number = f"{beginning}1+1"
    load(
        write(
            tmp_path / "log.csv",
            f'"{number}",Closed,0,1/3/2016 08:00,1/3/2016 08:10,a,b,c,3 - Moderate,Group 1,1/3/2016 12:00,9',
        )
    )
    report = tmp_path / "out.csv"
    call_command("history_report", report, policy="a", stdout=StringIO())
    with report.open(newline="") as file:
        [row] = csv.DictReader(file)
    told = [value for value in row.values() if "1+1" in value]
    assert told
    assert all(value[0] not in csv_escaping.BEGINNINGS for value in told)


def test_the_map_of_parties_groups_values_into_organisations(shared: Path, tmp_path: Path) -> None:
    load(
        shared / "data" / "bpi2013_dev_slice.csv.gz",
        format="volvo-vinst",
        parties=shared / "data" / "bpi2013_party_map.csv",
    )
    report = tmp_path / "out.csv"
    call_command("history_report", report, policy="v", stdout=StringIO())

    with report.open() as file:
        rows = {row["sr"]: row for row in csv.DictReader(file)}
    assert set(Ticket.objects.values_list("holder__name", flat=True)) <= {
        "Our IT organisation",
        "vendor_rest",
        "vendor_email",
        "vendor_autotask",
        "vendor_connectwise",
    }
    with (shared / "data" / "expected_bpi2013_dev.csv").open() as file:
        for expected in csv.DictReader(file):
            mine = rows[expected["sr"]]
            assert [mine[n] for n in ("biz_run_s", "uc_biz_s_sum", "team_handoffs", "sec_total")] == [
                expected[n] for n in ("biz_run_s", "uc_biz_s_sum", "team_handoffs", "sec_total")
            ]


def test_rows_become_events_with_their_own_time_and_are_not_judged(tmp_path: Path) -> None:
    source = write(
        tmp_path / "log.csv",
        "INC1,Closed,0,1/3/2016 08:00,1/3/2016 08:10,a,b,c,3 - Moderate,Group 1,1/3/2016 12:00,9",
        "INC1,New,1,1/3/2016 08:00,1/3/2016 09:10,a,b,c,3 - Moderate,Group 2,1/3/2016 12:00,9",
        "INC1,New,2,1/3/2016 08:00,1/3/2016 09:30,a,b,c,3 - Moderate,Group 2,1/3/2016 12:00,9",
        "INC1,Resolved,3,1/3/2016 08:00,1/3/2016 09:20,a,b,c,1 - Critical,Group 1,1/3/2016 12:00,9",
    )

    load(source)

    ticket = Ticket.objects.get()
    events = list(ticket.events.order_by("seq"))
    assert {event.kind for event in events} == {EventKind.HISTORY_ROW}
    assert all(event.occurred_at == event.recorded_at for event in events)
    assert [event.payload["changed"] for event in events] == [
        ["status", "team", "organisation", "priority"],
        ["status", "team", "organisation"],
        [],
        ["status", "team", "organisation", "priority"],
    ]
    # The last row's time went back: it takes the time of the row before it, the raw value is kept.
    assert events[3].occurred_at == events[2].occurred_at
    assert "raw_at" in events[3].payload
    assert (ticket.phase, ticket.priority, ticket.source_number) == (Phase.RESOLVED, "P1", "INC1")
    assert [(s.reason, s.holder.name) for s in ticket.ledger.select_related("holder").order_by("from_at")] == [
        ("unrecorded", "Our IT organisation"),
        ("closed", "Group 1"),
        ("new", "Group 2"),
    ]
    assert not Outbound.objects.exists()
    assert not FailedReceiver.objects.exists()


def test_what_cannot_be_read_lands_in_the_report_with_file_and_line(tmp_path: Path) -> None:
    source = write(
        tmp_path / "log.csv",
        "INC1,New,0,1/3/2016 08:00,1/3/2016 08:10,a,b,c,3 - Moderate,Group 1,?,0",
        "INC1,New,0,1/3/2016 08:00,31/2/2016 08:10,a,b,c,3 - Moderate,Group 1,?,0",
        "too,short",
        ",New,0,1/3/2016 08:00,1/3/2016 08:10,a,b,c,3 - Moderate,Group 1,?,0",
        "INC2,New,x,1/3/2016 08:00,1/3/2016 08:10,a,b,c,3 - Moderate,Group 1,?,0",
        "INC3,New,0,1/3/2016 08:00,1/3/2016 08:10,a,b,c,3 - Moderate,Group 1,?,0",
    )
    with source.open("ab") as file:
        file.write(b"INC4,New,0,1/3/2016 08:00,1/3/2016 08:10,a,b,c,3 - Moderate,Gr\xfcppe,?,0\n")

    told = load(source)

    assert sorted(Ticket.objects.values_list("source_number", flat=True)) == ["INC1", "INC3"]
    assert rejects() == [
        ["log.csv", "3", "sys_updated_at: '31/2/2016 08:10' is not a time in the format %d/%m/%Y %H:%M"],
        ["log.csv", "4", "2 values for 12 columns"],
        ["log.csv", "5", "number is missing"],
        ["log.csv", "6", "sys_mod_count: 'x' is not a number"],
        ["log.csv", "8", "assignment_group is not UTF-8"],
    ]
    assert "5 rows or files could not be read" in told


def test_an_unknown_status_or_priority_is_kept_raw_and_shown(tmp_path: Path) -> None:
    source = write(
        tmp_path / "log.csv",
        "INC1,Hibernating,0,1/3/2016 08:00,1/3/2016 08:10,a,b,c,0 - Planetary,Group 1,?,0",
    )

    load(source)

    assert set(UnmappedValue.objects.values_list("field", "value")) == {
        ("status", "Hibernating"),
        ("priority", "0 - Planetary"),
    }
    assert Ticket.objects.get().raw["status"] == "Hibernating"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("log.csv", b"a,b\n1,2\n", "not a ServiceNow incident audit log: the column 'number' is missing"),
        ("log.csv.gz", b"this is no gzip", "the file could not be read to the end"),
        ("log.csv.gz", gzip.compress(b"number\n" * 9999)[:-9], "the column 'sys_updated_at' is missing"),
        ("log.csv", b"", "the file is empty"),
        ("log.csv", b"\x00\x01\x02\xff", "is missing"),
    ],
)
def test_a_file_that_is_not_what_it_says(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(CommandError, match="nothing was imported") as refused:
        load(tmp_path)

    assert said in str(refused.value)
    assert Ticket.objects.count() == 0
    # A log that gave nothing is not "here already" when the right file comes under the same name.
    assert not HistoryImport.objects.exists()


class Killed(Exception):
    """The process ended here."""


def test_an_import_that_was_stopped_goes_on_and_a_finished_one_is_not_repeated(tmp_path: Path) -> None:
    row = "INC{},New,0,1/3/2016 08:00,1/3/2016 08:10,a,b,c,3 - Moderate,Group 1,?,0"
    source = write(tmp_path / "log.csv", *(row.format(number) for number in range(BATCH + 5)))

    class Dying(StringIO):
        def write(self, text: str) -> int:
            if "/205 tickets" in text and "] 0/" not in text:
                raise Killed
            return super().write(text)

        def isatty(self) -> bool:
            return True

    with pytest.raises(Killed):
        call_command("import_history", source, format="servicenow-audit", stdout=Dying())
    assert Ticket.objects.count() == BATCH
    again, after = load(source), load(source)

    assert Ticket.objects.count() == BATCH + 5
    assert f"Continuing after {BATCH} tickets." in again
    assert f"is already imported ({BATCH + 5} tickets)" in after


def test_a_reopen_after_closed_resumes_and_rows_that_change_nothing_change_nothing(tmp_path: Path) -> None:
    row = "INC1,{},0,1/3/2016 09:00,1/3/2016 {},a,b,c,1 - Critical,Group 1,?,0"
    steps = [("New", "09:00"), ("New", "09:30"), ("Closed", "10:00"), ("Active", "11:00"), ("Resolved", "11:30")]
    load(write(tmp_path / "log.csv", *(row.format(status, time) for status, time in steps)))

    clock = Ticket.objects.get().clocks.get(contract__history_policy="servicenow-audit.b")

    assert (clock.used_seconds, clock.is_breached, clock.state) == (90 * 60, False, "stopped")


def test_five_parties_on_one_ticket_each_have_their_own_stretch(tmp_path: Path) -> None:
    row = "INC1,Active,0,1/3/2016 09:00,1/3/2016 {}:00,a,b,c,1 - Critical,Group {},?,0"
    load(write(tmp_path / "log.csv", *(row.format(9 + n, n) for n in range(5))))

    ticket = Ticket.objects.get()

    assert [s.holder.name for s in ticket.ledger.select_related("holder").order_by("from_at")] == [
        f"Group {n}" for n in range(4)
    ]
    assert Organisation.objects.filter(name__startswith="Group").count() == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("format = 'x'", "[columns]: ticket is missing"),
        ("format = ", "Invalid value"),
        (
            "format='x'\nlabel='x'\n[columns]\nticket='a'\nchanged_at='b'\nstatus=['c']\nteam='d'\nparty='e'\n"
            "[statuses]\nNew='unheard'",
            "'New' is 'unheard'",
        ),
        (
            "format='x'\nlabel='x'\n[columns]\nticket='a'\nchanged_at='b'\nstatus=['c']\nteam='d'\nparty='e'\n"
            "[time]\nzone='Mars'",
            "Unknown time zone 'Mars'",
        ),
    ],
)
def test_a_wrong_profile_is_refused_with_the_part_that_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "profile.toml"
    path.write_text(text)

    with pytest.raises(CommandError) as refused:
        load(write(tmp_path / "log.csv"), profile=path)

    assert said in str(refused.value)


def test_the_shipped_profiles_can_be_read() -> None:
    assert [profiles.load(profiles.SHIPPED / f"{name}.toml").format for name in profiles.shipped()] == [
        "servicenow-audit",
        "volvo-vinst",
    ]
