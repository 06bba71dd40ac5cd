"""The audit trail's page: who did what, under which seal it stands, what the last verification found, and the export.

Auditors see every act; administrators and HR those of their own area (`plugin.audit.areas`).
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from plugin.audit import record_act, verified, words
from plugin.audit.areas import area_of
from plugin.audit.listing import COLUMNS, as_cell, chosen, listed
from plugin.errors import RefusedError
from plugin.models import AuditEntry, AuditMark
from plugin.moments import in_zone_iso, parse_moment, start_of_day
from plugin.paging import stretch
from plugin.web import installation, needs, whole

FILTERS = ("actor", "action", "subject", "from", "until")
LONGEST_FILTER = 400

blueprint = Blueprint("audit", __name__)


@blueprint.app_context_processor
def _words() -> dict[str, object]:
    return {"audit_words": words}


@blueprint.route("/audit")
@needs("audit.see")
def trail() -> ResponseReturnValue:
    """The acts, newest first, each with its seal; and what the last verification found."""
    home = installation()
    filters = _filters()
    with home.store.read() as session:
        found = stretch(session, _query(filters), AuditEntry.at, AuditEntry.id)
        marks = _marks(session, [entry.id for entry in found.rows])
        last = verified.last(session)
        due = verified.is_due(session, home.clock())
    return render_template(
        "audit.html",
        acts=found,
        marks=marks,
        filters=filters,
        kept={name: text for name, text in filters.items() if text},
        last=last,
        due=due,
        shown=verified.SHOWN,
        everything=whole("audit.see"),
        written=_written,
    )


def _written(value: Mapping[str, Any] | None) -> str:
    """What was there before, or is there since, one line a field."""
    lines = (f"{name}: {_plain(inner)}" for name, inner in (value or {}).items())
    return "\n".join(lines)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _marks(session: Session, ids: list[int]) -> dict[int, AuditMark]:
    """The marks of these acts; an act without one waits for the sealer."""
    own = AuditMark.table_name == AuditEntry.__tablename__
    marks = session.scalars(select(AuditMark).where(own, AuditMark.row_id.in_(ids)))
    return {mark.row_id: mark for mark in marks}


def _filters() -> dict[str, str]:
    return {name: request.args.get(name, "").strip()[:LONGEST_FILTER].replace("\x00", "") for name in FILTERS}


def _query(filters: Mapping[str, str]) -> Select[AuditEntry]:
    """The acts that the filters let through and the reader may see. Raises RefusedError for a day that is none."""
    return chosen(
        filters["subject"],
        filters["actor"],
        _moment(filters["from"]),
        action=filters["action"],
        until=_moment(filters["until"], ends=True),
        area=None if whole("audit.see") else area_of(g.account.roles),
    )


def _moment(text: str, *, ends: bool = False) -> datetime | None:
    """A day or moment of the organisation's; a day `ends` at the midnight after it. Raises RefusedError."""
    if not text:
        return None
    zone = installation().settings.organisation.zone
    try:
        try:
            day = date.fromisoformat(text) + timedelta(days=1 if ends else 0)
        except ValueError:
            return parse_moment(text, zone)
        return start_of_day(day, zone)
    except (ValueError, OverflowError):
        raise RefusedError(gettext("%(text)s is no day; write it like 2026-09-01.", text=text)) from None


@blueprint.route("/audit/verify", methods=["POST"])
@needs("audit.see")
def verify() -> ResponseReturnValue:
    """Have a worker verify the whole trail within moments: it may take longer than a page can wait."""
    home = installation()
    now = home.clock()
    with home.store.write() as session:
        verified.verify_soon(session, now)
        record_act(session, g.account.login, "audit.verify", "audit", now)
    flash(gettext("The verification begins within seconds, as soon as a worker is free."), "ok")
    return redirect(url_for("audit.trail"))


@blueprint.route("/audit/export.<any(csv, json):form>")
@needs("audit.see")
def export(form: str) -> ResponseReturnValue:
    """The acts that the filters let through, all of them, newest first, as CSV or JSON."""
    home = installation()
    query = _query(_filters()).order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
    zone = home.settings.organisation.zone

    def read() -> Iterator[dict[str, Any]]:
        with home.store.read() as session:
            for act in listed(session, query):
                yield {**act, "at": in_zone_iso(act["at"], zone)}

    lines, kind = (_as_csv(read()), "text/csv") if form == "csv" else (_as_json(read()), "application/json")
    name = f"audit-{home.clock().astimezone(zone):%Y-%m-%d}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(lines, headers=headers, content_type=f"{kind}; charset=utf-8")


def _as_csv(acts: Iterator[dict[str, Any]]) -> Iterator[str]:
    line = io.StringIO()
    writer = csv.DictWriter(line, ("id", *COLUMNS), lineterminator="\r\n")
    writer.writeheader()
    for act in acts:
        writer.writerow({name: as_cell(value) for name, value in act.items()})
        yield _emptied(line)
    yield _emptied(line)


def _emptied(line: io.StringIO) -> str:
    text = line.getvalue()
    line.seek(0)
    line.truncate()
    return text


def _as_json(acts: Iterator[dict[str, Any]]) -> Iterator[str]:
    yield "["
    for number, act in enumerate(acts):
        yield (",\n" if number else "\n") + json.dumps(act, ensure_ascii=False)
    yield "\n]\n"
