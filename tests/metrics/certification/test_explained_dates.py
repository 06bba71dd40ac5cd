"""Every date that an explanation states, for people whose dates were worked out by hand, held against simulate too.

The expected moments are written out, with the organisation's offset: leap days, ends of months, clocks that go forward and
back, every basis, grace, lapse, late and voided evidence. Command, page and API must all say just these.
"""

import html
import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import insert, select

from connectors.models import Evidence
from metrics.certification import decisions
from metrics.certification.acting import By
from metrics.certification.engine import derive_due
from metrics.certification.explain import explain
from metrics.certification.rules import import_rule
from metrics.certification.simulate import simulate
from metrics.commands import explain_command
from metrics.tasks import terms_of
from plugin import people
from plugin.accounts import create_account, create_token
from plugin.cli import Context
from plugin.installation import Installation
from plugin.models import Person
from plugin.moments import parse_moment
from plugin.people import Employee
from plugin.web import create_app, session_of

SHANGHAI, BERLIN, YORK, HOWE = "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
EARN = 'code = "R"\n[earn]\ncompleted = { course = "C" }\n'
USUAL = 'window = "P60D"\ngrace = "P30D"\n'


@dataclass(frozen=True)
class Told:
    """One person: rule, what was done when (kind, object, achieved, and perhaps recorded, voided, percent), and what holds."""

    zone: str
    rule: str
    done: tuple[tuple[Any, ...], ...]
    as_of: str
    status: tuple[str, str | None]  # and since when
    change: tuple[str, str] | None
    awards: tuple[tuple[str, str | None, str], ...]
    dates: dict[str, str | None]
    counts_from: str | None


def c(*moments: str) -> tuple[tuple[str, str, str], ...]:
    """Completions of the course at these moments."""
    return tuple(("completed", "C", moment) for moment in moments)


def dates(window_opens: str, grace_ends: str) -> dict[str, str | None]:
    """When renewal opens, and the grace ends."""
    return {"window_opens": window_opens, "grace_ends": grace_ends}


YEAR = f'{EARN}[validity]\nlasts = "P1Y"\n{USUAL}'
CHAINED = YEAR.replace("[validity]", '[validity]\nfrom = "previous_expiry"')
FIXED = f'{EARN}[validity]\nfrom = "fixed"\nanchor = "12-31"\nat_least = "P6M"\n{USUAL}'
LEAP = "2024-02-29T10:00:00+08:00"
PEOPLE = {
    "a leap day and a year": Told(
        SHANGHAI, YEAR, c(LEAP), "2024-06-01T00:00:00+08:00", ("certified", LEAP), ("2024-12-30T10:00:00+08:00", "renewal_due"),
        ((LEAP, "2025-02-28T10:00:00+08:00", "achieved"),),
        dates("2024-12-30T10:00:00+08:00", "2025-03-30T10:00:00+08:00"), "2024-12-30T10:00:00+08:00",
    ),
    "in grace": Told(
        SHANGHAI, YEAR, c(LEAP), "2025-03-01T00:00:00+08:00", ("grace", "2025-02-28T10:00:00+08:00"),
        ("2025-03-30T10:00:00+08:00", "expired"), ((LEAP, "2025-02-28T10:00:00+08:00", "achieved"),),
        dates("2024-12-30T10:00:00+08:00", "2025-03-30T10:00:00+08:00"), "2024-12-30T10:00:00+08:00",
    ),
    "renewed in the window, on from the end before": Told(
        SHANGHAI, CHAINED, c(LEAP, "2025-02-01T09:00:00+08:00"), "2026-01-01T00:00:00+08:00",
        ("renewal_due", "2025-12-30T10:00:00+08:00"), ("2026-02-28T10:00:00+08:00", "grace"),
        ((LEAP, "2025-02-28T10:00:00+08:00", "achieved"),
         ("2025-02-01T09:00:00+08:00", "2026-02-28T10:00:00+08:00", "previous_expiry")),
        dates("2025-12-30T10:00:00+08:00", "2026-03-30T10:00:00+08:00"), "2025-12-30T10:00:00+08:00",
    ),
    "renewed in the grace, on from the end before": Told(
        SHANGHAI, CHAINED, c(LEAP, "2025-03-10T08:00:00+08:00"), "2025-04-01T00:00:00+08:00",
        ("certified", "2025-02-28T10:00:00+08:00"), ("2025-12-30T10:00:00+08:00", "renewal_due"),
        ((LEAP, "2025-02-28T10:00:00+08:00", "achieved"),
         ("2025-02-28T10:00:00+08:00", "2026-02-28T10:00:00+08:00", "previous_expiry")),
        dates("2025-12-30T10:00:00+08:00", "2026-03-30T10:00:00+08:00"), "2025-12-30T10:00:00+08:00",
    ),
    "renewed in the grace, from the day": Told(
        SHANGHAI, YEAR, c(LEAP, "2025-03-10T08:00:00+08:00"), "2025-04-01T00:00:00+08:00",
        ("certified", "2025-03-10T08:00:00+08:00"), ("2026-01-09T08:00:00+08:00", "renewal_due"),
        ((LEAP, "2025-02-28T10:00:00+08:00", "achieved"),
         ("2025-03-10T08:00:00+08:00", "2026-03-10T08:00:00+08:00", "achieved")),
        dates("2026-01-09T08:00:00+08:00", "2026-04-09T08:00:00+08:00"), "2026-01-09T08:00:00+08:00",
    ),
    "to a fixed day, not before six months": Told(
        SHANGHAI, FIXED, c("2026-08-15T12:00:00+08:00"), "2027-12-31T23:59:59+08:00",
        ("renewal_due", "2027-11-02T00:00:00+08:00"), ("2028-01-01T00:00:00+08:00", "grace"),
        (("2026-08-15T12:00:00+08:00", "2028-01-01T00:00:00+08:00", "fixed"),),
        dates("2027-11-02T00:00:00+08:00", "2028-01-31T00:00:00+08:00"), "2027-11-02T00:00:00+08:00",
    ),
    "to a fixed day, renewed": Told(
        SHANGHAI, FIXED, c("2026-08-15T12:00:00+08:00", "2027-12-01T09:00:00+08:00"), "2028-02-29T00:00:00+08:00",
        ("certified", "2027-12-01T09:00:00+08:00"), ("2028-11-02T00:00:00+08:00", "renewal_due"),
        (("2026-08-15T12:00:00+08:00", "2028-01-01T00:00:00+08:00", "fixed"),
         ("2027-12-01T09:00:00+08:00", "2029-01-01T00:00:00+08:00", "fixed")),
        dates("2028-11-02T00:00:00+08:00", "2029-01-31T00:00:00+08:00"), "2028-11-02T00:00:00+08:00",
    ),
    "to the last of February in a common year": Told(
        BERLIN, f'{EARN}[validity]\nfrom = "fixed"\nanchor = "02-29"\nwindow = "P1M"\n', c("2025-03-01T00:00:00+01:00"),
        "2026-01-31T23:59:59+01:00", ("certified", "2025-03-01T00:00:00+01:00"), ("2026-02-01T00:00:00+01:00", "renewal_due"),
        (("2025-03-01T00:00:00+01:00", "2026-03-01T00:00:00+01:00", "fixed"),),
        dates("2026-02-01T00:00:00+01:00", "2026-03-01T00:00:00+01:00"), "2026-02-01T00:00:00+01:00",
    ),
    "an end that the clock skips": Told(
        BERLIN, f'{EARN}[validity]\nlasts = "P2M"\nwindow = "P60D"\ngrace = "P30D"\n', c("2026-01-29T02:30:00+01:00"),
        "2026-03-29T01:00:00+01:00", ("renewal_due", "2026-01-29T02:30:00+01:00"), ("2026-03-29T03:30:00+02:00", "grace"),
        (("2026-01-29T02:30:00+01:00", "2026-03-29T03:30:00+02:00", "achieved"),),
        dates("2026-01-28T03:30:00+01:00", "2026-04-28T03:30:00+02:00"), "2026-01-29T02:30:00+01:00",
    ),
    "an end that occurs twice, and a grace in hours": Told(
        BERLIN, f'{EARN}[validity]\nlasts = "P3M"\nwindow = "P1D"\ngrace = "PT3H"\n', c("2026-07-25T02:30:00+02:00"),
        "2026-10-25T02:30:00+01:00", ("grace", "2026-10-25T02:30:00+02:00"), ("2026-10-25T04:30:00+01:00", "expired"),
        (("2026-07-25T02:30:00+02:00", "2026-10-25T02:30:00+02:00", "achieved"),),
        dates("2026-10-24T02:30:00+02:00", "2026-10-25T04:30:00+01:00"), "2026-10-24T02:30:00+02:00",
    ),
    "ends of months, chained": Told(
        YORK, f'{EARN}[validity]\nfrom = "previous_expiry"\nlasts = "P1M"\nwindow = "P10D"\ngrace = "P1M"\n',
        c("2026-01-31T23:59:00-05:00", "2026-02-20T12:00:00-05:00"), "2026-03-01T00:00:00-05:00",
        ("certified", "2026-02-20T12:00:00-05:00"), ("2026-03-18T23:59:00-04:00", "renewal_due"),
        (("2026-01-31T23:59:00-05:00", "2026-02-28T23:59:00-05:00", "achieved"),
         ("2026-02-20T12:00:00-05:00", "2026-03-28T23:59:00-04:00", "previous_expiry")),
        dates("2026-03-18T23:59:00-04:00", "2026-04-28T23:59:00-04:00"), "2026-03-18T23:59:00-04:00",
    ),
    "a clock that skips half an hour": Told(
        HOWE, f'{EARN}[validity]\nlasts = "P1M"\n', c("2026-09-04T02:15:00+10:30"), "2026-10-04T02:40:00+11:00",
        ("certified", "2026-09-04T02:15:00+10:30"), ("2026-10-04T02:45:00+11:00", "expired"),
        (("2026-09-04T02:15:00+10:30", "2026-10-04T02:45:00+11:00", "achieved"),),
        dates("2026-10-04T02:45:00+11:00", "2026-10-04T02:45:00+11:00"), "2026-10-04T02:45:00+11:00",
    ),
    "lapsed, and earned again": Told(
        SHANGHAI, YEAR, c("2023-05-01T08:00:00+08:00", "2024-06-01T08:00:00+08:00"), "2025-07-02T00:00:00+08:00",
        ("expired", "2025-07-01T08:00:00+08:00"), None,
        (("2023-05-01T08:00:00+08:00", "2024-05-01T08:00:00+08:00", "achieved"),
         ("2024-06-01T08:00:00+08:00", "2025-06-01T08:00:00+08:00", "achieved")),
        dates("2025-04-02T08:00:00+08:00", "2025-07-01T08:00:00+08:00"), "2025-04-02T08:00:00+08:00",
    ),
    "for ever": Told(
        YORK, f'{EARN}[validity]\nlasts = "forever"\n{USUAL}', c("2020-02-29T12:00:00-05:00"), "2026-01-01T00:00:00-05:00",
        ("certified", "2020-02-29T12:00:00-05:00"), None, (("2020-02-29T12:00:00-05:00", None, "achieved"),), {}, None,
    ),
    "voided": Told(
        SHANGHAI, 'code = "R"\n[earn]\nscore = { activity = "Q", at_least = 80 }\n[validity]\nlasts = "P1Y"\n',
        (("score", "Q", "2026-03-05T00:00:00+08:00", None, "2026-04-01T00:00:00+08:00", 85),), "2026-04-02T00:00:00+08:00",
        ("revoked", "2026-04-01T00:00:00+08:00"), None,
        (("2026-03-05T00:00:00+08:00", "2026-04-01T00:00:00+08:00", "achieved"),), {}, None,
    ),
    "known late: before": Told(
        SHANGHAI, YEAR, (("completed", "C", LEAP), ("completed", "C", "2025-02-01T09:00:00+08:00", "2025-05-01T00:00:00+08:00")),
        "2025-04-30T00:00:00+08:00", ("expired", "2025-03-30T10:00:00+08:00"), None,
        ((LEAP, "2025-02-28T10:00:00+08:00", "achieved"),),
        dates("2024-12-30T10:00:00+08:00", "2025-03-30T10:00:00+08:00"), "2024-12-30T10:00:00+08:00",
    ),
    "known late: after": Told(
        SHANGHAI, YEAR, (("completed", "C", LEAP), ("completed", "C", "2025-02-01T09:00:00+08:00", "2025-05-01T00:00:00+08:00")),
        "2025-05-01T00:00:00+08:00", ("certified", "2025-02-01T09:00:00+08:00"), ("2025-12-03T09:00:00+08:00", "renewal_due"),
        ((LEAP, "2025-02-28T10:00:00+08:00", "achieved"),
         ("2025-02-01T09:00:00+08:00", "2026-02-01T09:00:00+08:00", "achieved")),
        dates("2025-12-03T09:00:00+08:00", "2026-03-03T09:00:00+08:00"), "2025-12-03T09:00:00+08:00",
    ),
    "within a month": Told(
        SHANGHAI, 'code = "R"\n[earn]\nwithin = "P1M"\nall_of = [{ completed = { course = "C" } }, '
        '{ score = { activity = "Q", at_least = 80 } }]\n[validity]\nlasts = "P1M"\n',
        (*c("2026-01-10T00:00:00+08:00", "2026-03-20T00:00:00+08:00"), ("score", "Q", "2026-03-05T00:00:00+08:00", None, None, 85)),
        "2026-03-21T00:00:00+08:00", ("certified", "2026-03-20T00:00:00+08:00"), ("2026-04-20T00:00:00+08:00", "expired"),
        (("2026-03-20T00:00:00+08:00", "2026-04-20T00:00:00+08:00", "achieved"),),
        dates("2026-04-20T00:00:00+08:00", "2026-04-20T00:00:00+08:00"), "2026-04-20T00:00:00+08:00",
    ),
}  # fmt: skip


def fill(home: Installation, told: Told) -> None:
    """Put the person and what they did into the store, in their organisation's time zone."""
    organisation = home.settings.organisation.model_copy(update={"timezone": told.zone})
    object.__setattr__(home.settings, "organisation", organisation)
    home.clock.moment = datetime(2030, 1, 1, tzinfo=UTC)  # type: ignore[attr-defined]
    with home.store.write() as session:
        people.record_employees(
            session, [Employee("E1", "Anna", joined_on=date(2019, 1, 1))], date(2019, 1, 1), home.clock()
        )
        import_rule(session, told.rule, "test", datetime(2019, 1, 1, tzinfo=UTC))
        person_id = session.scalars(select(Person.id)).one()
        for number, (kind, target, achieved, *more) in enumerate(told.done):
            recorded, voided, percent = (*more, None, None, None)[:3]
            row = {
                "person_id": person_id,
                "origin": f"t:{number}",
                "source": "m",
                "user_key": "7",
                "kind": kind,
                "object": target,
            }
            row |= {
                "achieved_at": datetime.fromisoformat(achieved),
                "recorded_at": datetime.fromisoformat(recorded or achieved),
            }
            row |= {"voided_at": datetime.fromisoformat(voided) if voided else None}
            session.execute(insert(Evidence).values(**row, percent=Decimal(percent) if percent else None))
        people.touch_all(session)
    derive_due(home.store, home.clock, terms_of(home))


@pytest.mark.parametrize("who", PEOPLE)
def test_every_stated_date_is_true(installation: Installation, who: str) -> None:
    """Explain states the dates that were worked out by hand, and simulate the same from a file."""
    told = PEOPLE[who]
    fill(installation, told)
    zone = installation.settings.organisation.zone
    with installation.store.read() as session:
        said = explain(session, "E1", "R", parse_moment(told.as_of, zone), zone)
    assert (said["status"], said["since"]) == told.status
    assert said["next_change"] == ({"at": told.change[0], "to": told.change[1]} if told.change else None)
    assert tuple((each["valid_from"], each["valid_until"], each["basis"]) for each in said["awards"]) == told.awards
    lines = {line["date"]: line for line in said["because"]["dates"]}
    begins, ends, _ = next(each for each in reversed(told.awards))
    revoked = "revoked_at" in said["awards"][-1]
    assert {name: line["at"] for name, line in lines.items()} == {
        "valid_from": begins,
        "valid_until": ends,
        **told.dates,
    }
    assert revoked or said["next"] is None or said["next"]["counts_from"] == told.counts_from
    for line in lines.values():  # what the arithmetic names are dates that were stated or evidence
        known = (
            {moment for award in told.awards for moment in award[:2]}
            | {each[2] for each in told.done}
            | {told.status[1]}
        )
        assert set(re.findall(r"\d{4}-\d\d-\d\dT[0-9:+-]+", line["because"])) <= known
    header = "employee_number,kind,source,object,achieved_at,percent,success,recorded_at,voided_at\n"
    rows = [(*each, None, None, None)[:6] for each in told.done]
    file = header + "".join(
        f"E1,{kind},m,{target},{achieved},{percent or ''},,{recorded or ''},{voided or ''}\n"
        for kind, target, achieved, recorded, voided, percent in rows
    )
    simulated = simulate(told.rule, file, told.as_of, told.zone)["people"]["E1"]
    assert simulated["status"] == told.status[0]
    assert simulated["next_change_at"] == (told.change[0] if told.change else None)
    assert simulated["achieved_at"] == said["achieved_at"]
    assert (
        tuple((each["valid_from"], each["valid_until"], each["basis"]) for each in simulated["awards"]) == told.awards
    )


@pytest.mark.parametrize(
    "who", ["an end that the clock skips", "renewed in the grace, on from the end before", "voided"]
)
def test_command_api_and_page_say_the_same(installation: Installation, who: str) -> None:
    """Command, API and page give each moment of the explanation, in their own form, on the organisation's clock."""
    told = PEOPLE[who]
    fill(installation, told)
    zone = installation.settings.organisation.zone
    with installation.store.read() as session:
        said = json.loads(json.dumps(explain(session, "E1", "R", parse_moment(told.as_of, zone), zone)))
    context = Context(installation.settings.folder / "config.toml")
    context.__dict__["installation"] = installation
    run = CliRunner()
    text = run.invoke(explain_command, ["E1", "R", "--as-of", told.as_of], obj=context, catch_exceptions=False).output
    form = ["E1", "R", "--as-of", told.as_of, "--format", "json"]
    assert json.loads(run.invoke(explain_command, form, obj=context, catch_exceptions=False).output) == said
    app = create_app(installation)
    with installation.store.write() as session:
        token = create_token(session, "hr", ["certifications:read"], installation.clock())
        account = create_account(session, "reader", None, ["hr"], installation.clock())
        session.flush()
    client = app.test_client()
    asked = {"as_of": told.as_of}
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/v1/people/E1/certifications/R", query_string=asked, headers=headers).json == said
    with client.session_transaction() as cookie:
        cookie.update({**session_of(account, installation.clock()), "language": "en"})
    page = html.unescape(client.get("/people/E1/certifications/R", query_string=asked).text)
    stated = [said["since"], *(line["at"] for line in said["because"]["dates"])]
    stated += [moment for award in told.awards for moment in award[:2]] + ([told.change[0]] if told.change else [])
    for moment in filter(None, stated):
        assert moment in text
        assert moment[:16].replace("T", " ") in page


def test_an_exemption_to_come_changes_no_status_before_it_begins(installation: Installation) -> None:
    """Renewal opens before an announced exemption begins: the next change is renewal_due, and both its days are told."""
    told = PEOPLE["a leap day and a year"]
    fill(installation, told)
    begins, ends = datetime(2025, 1, 31, 16, tzinfo=UTC), datetime(2025, 2, 28, 16, tzinfo=UTC)
    at = datetime(2024, 6, 1, tzinfo=UTC)
    with installation.store.write() as session:
        wish = decisions.Wish("exempt", "E1", "R", "leave", begins, ends)
        decisions.decide(session, wish, By("hr", "hr"), at)
    zone = installation.settings.organisation.zone
    with installation.store.read() as session:
        said = explain(session, "E1", "R", at, zone)
        later = explain(session, "E1", "R", datetime(2025, 1, 1, tzinfo=UTC), zone)
    assert said["next_change"] == {"at": "2024-12-30T10:00:00+08:00", "to": "renewal_due"}
    assert later["next_change"] == {"at": "2025-02-01T00:00:00+08:00", "to": "exempt"}
    assert (later["exempt_from"], later["exempt_until"]) == ("2025-02-01T00:00:00+08:00", "2025-03-01T00:00:00+08:00")
