"""`certbridge assessment`: what assessors enter, from the command line."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from metrics.certification import assessments
from metrics.certification.acting import By, by_command
from metrics.certification.assessment_entries import STATES, Entry
from metrics.certification.assessment_import import import_assessments
from metrics.certification.assessment_models import Assessment
from metrics.certification.certificates import Upload
from metrics.settings import MetricsSettings
from plugin.cli import Context, actor, pass_context
from plugin.errors import RefusedError
from plugin.import_commands import import_and_report, imports_file
from plugin.models import Person
from plugin.moments import in_zone_iso, parse_moment

SUCCESS: dict[str, bool | None] = {"yes": True, "no": False, "unknown": None}


@click.group()
def assessment() -> None:
    """What named assessors enter, and external certificates."""


_BY = click.option(
    "--by", "login", required=True, help="The assessor: an account with the role coordinator or assessor."
)
_REASON = click.option("--reason", required=True, help="Why; it stands in the history for good.")
_FORMAT = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")


def _said(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what an entry says."""
    for option in (
        click.option("--file", "path", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="PDF, PNG or JPEG."),
        click.option("--expires", help="The first day or moment on which an external certificate is valid no more."),
        click.option("--number", default="", help="The number of an external certificate."),
        click.option("--issuer", default="", help="Who issued it, if it is an external certificate."),
        click.option("--note", default="", help="What was seen; it needs a note or a file."),
        click.option(
            "--passed", type=click.Choice(list(SUCCESS)), default="yes", show_default=True, help="Whether it was passed."
        ),
        click.option("--achieved", required=True, help="The day or moment, such as 2026-03-01 or 2026-03-01T09:30."),
    ):  # fmt: skip
        command = option(command)
    return command


@assessment.command("enter")
@click.argument("employee_number", metavar="EMPLOYEE")
@click.argument("code", metavar="ASSESSMENT")
@_said
@_BY
@pass_context
def enter(context: Context, /, employee_number: str, code: str, login: str, path: Path | None, **said: Any) -> None:
    """Record that EMPLOYEE has been assessed, or holds an external certificate."""
    home = context.installation
    entry = _entry(context, code, said)
    with home.store.write() as session:
        by = _by(session, login)
        row = assessments.enter(session, employee_number, entry, by, home.clock(), _upload(path), _most(context))
        number = row.id
    home.wake("people_touched")
    context.say(f"Entry {number}: {employee_number}, {code}.")


@assessment.command("correct")
@click.argument("entry_id", metavar="ENTRY", type=int)
@click.argument("code", metavar="ASSESSMENT")
@_said
@_REASON
@_BY
@pass_context
def correct(
    context: Context, /, entry_id: int, code: str, login: str, reason: str, path: Path | None, **said: Any
) -> None:
    """Put an entry that says all of it anew in the place of ENTRY; its file stays unless there is a new one."""
    home = context.installation
    entry = _entry(context, code, said)
    with home.store.write() as session:
        by = _by(session, login)
        row = assessments.correct(session, entry_id, entry, reason, by, home.clock(), _upload(path), _most(context))
        number = row.id
    home.wake("people_touched")
    context.say(f"Entry {number} stands in the place of {entry_id}.")


@assessment.command("void")
@click.argument("entry_id", metavar="ENTRY", type=int)
@_REASON
@_BY
@pass_context
def void(context: Context, entry_id: int, reason: str, login: str) -> None:
    """Take ENTRY back: it counts no more from now on."""
    home = context.installation
    with home.store.write() as session:
        assessments.void(session, entry_id, reason, _by(session, login), home.clock())
    home.wake("people_touched")
    context.say(f"Entry {entry_id} is voided.")


@assessment.command("approve")
@click.argument("entry_id", metavar="ENTRY", type=int)
@click.option("--reason", default="", help="A remark for the employee.")
@_BY
@pass_context
def approve(context: Context, entry_id: int, reason: str, login: str) -> None:
    """Let the certificate that an employee handed in as ENTRY count from now on."""
    home = context.installation
    with home.store.write() as session:
        assessments.approve(session, entry_id, _by(session, login), home.clock(), reason)
    home.wake("people_touched")
    context.say(f"Entry {entry_id} is approved.")


@assessment.command("decline")
@click.argument("entry_id", metavar="ENTRY", type=int)
@_REASON
@_BY
@pass_context
def decline(context: Context, entry_id: int, reason: str, login: str) -> None:
    """Turn down the certificate that an employee handed in as ENTRY; they see the reason."""
    home = context.installation
    with home.store.write() as session:
        assessments.decline(session, entry_id, reason, _by(session, login), home.clock())
    context.say(f"Entry {entry_id} is declined.")


@assessment.command("list")
@click.option("--employee", help="Those of this employee only.")
@click.option("--state", type=click.Choice(STATES), help="Those in this state only.")
@_FORMAT
@pass_context
def list_entries(context: Context, employee: str | None, state: str | None, form: str) -> None:
    """The entries with their state, newest last."""
    query = select(Assessment, Person.employee_number).join(Person, Person.id == Assessment.person_id)
    if employee is not None:
        query = query.where(Person.employee_number == employee)
    if state is not None:
        query = query.where(Assessment.state == state)
    with context.installation.store.read() as session:
        found = [_listed(context, row, number) for row, number in session.execute(query.order_by(Assessment.id))]
    if form == "json":
        context.say_json(found)
        return
    for line in found:
        passed = {True: "passed", False: "not passed", None: "–"}[line["success"]]
        context.say(
            f"{line['entry']:>6} {line['employee_number']}: {line['assessment']}, {passed}, {line['achieved_at']}, "
            f"{line['state']}, {line['issuer'] or line['assessor'] or line['entered_by']}"
        )


@assessment.command("import")
@imports_file
@_BY
@pass_context
def import_entries(context: Context, file: Path, dry_run: bool, login: str, form: str) -> None:
    """Record many entries from FILE (CSV or XLSX: employee_number, assessment, achieved_at, success, note and more).

    Exit status 3 when a row was refused; the others are stored all the same.
    """
    home = context.installation
    zone = home.settings.organisation.zone
    import_and_report(
        context,
        file,
        lambda session, path: import_assessments(session, path, zone, _by(session, login), home.clock()),
        dry_run=dry_run,
        form=form,
    )


def _by(session: Session, login: str) -> By:
    return by_command(session, login, "assessments.do", actor())


def _most(context: Context) -> int:
    return context.installation.settings.section("metrics", MetricsSettings).certificate_mib


def _entry(context: Context, code: str, said: dict[str, Any]) -> Entry:
    return Entry(
        assessment=code,
        achieved_at=_moment(context, "--achieved", said["achieved"]),
        success=SUCCESS[said["passed"]],
        note=said["note"],
        expires_at=_moment(context, "--expires", said["expires"]) if said["expires"] else None,
        issuer=said["issuer"],
        number=said["number"],
    )


def _moment(context: Context, option: str, text: str) -> datetime:
    try:
        return parse_moment(text, context.installation.settings.organisation.zone)
    except ValueError as error:
        raise RefusedError(f"{option}: {error}") from None


def _upload(path: Path | None) -> Upload | None:
    return Upload(path.name, path.read_bytes()) if path is not None else None


def _listed(context: Context, row: Assessment, number: str) -> dict[str, Any]:
    zone = context.installation.settings.organisation.zone
    return {
        "entry": row.id,
        "employee_number": number,
        "assessment": row.assessment,
        "state": row.state,
        "success": row.success,
        "achieved_at": in_zone_iso(row.achieved_at, zone),
        "expires_at": in_zone_iso(row.expires_at, zone) if row.expires_at is not None else None,
        "issuer": row.issuer,
        "number": row.number,
        "note": row.note,
        "has_file": row.file_id is not None,
        "assessor": row.assessor,
        "entered_by": row.entered_by,
        "entered_at": in_zone_iso(row.entered_at, zone),
        "decided_by": row.decided_by,
        "decision": row.decision,
        "ended_by": row.ended_by,
        "ended_because": row.ended_because,
        "corrects": row.corrects_id,
    }
