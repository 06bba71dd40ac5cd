"""The API that tells how people stand with certifications and requirements, and why."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import Row, literal, select, tuple_
from sqlalchemy.orm import Session
from ulid import ULID

from metrics.api_models import AsOf, Explanation, Explanations, HeldList, HeldQuery, Requirements
from metrics.certification.explain import explain, explain_all
from metrics.certification.models import Holding
from metrics.certification.required import requirement_status
from plugin.api import CODE, N_, NUMBER, answer, described, read_moment, read_query
from plugin.models import Event, Person
from plugin.moments import in_zone_iso
from plugin.web import installation, needs_token

blueprint = Blueprint("certifications_api", __name__, url_prefix="/api/v1")

SCOPE = "certifications:read"
MOMENTS = ("since", "achieved_at", "valid_from", "valid_until")


@blueprint.route("/people/<number>/certifications")
@needs_token(SCOPE)
@described(
    N_("Every certification that a person began, held or must hold, each explained"),
    {200: Explanations}, query=AsOf, path={"number": NUMBER}, cached=True,
)  # fmt: skip
def every(number: str) -> ResponseReturnValue:
    """Every certification that the person began, held or must hold, each explained; 404 for an unknown employee."""
    zone, (as_of, asked) = installation().settings.organisation.zone, _as_of()
    with installation().store.read() as session:
        found = list(explain_all(session, number, as_of, zone))
    said = {"employee_number": number, "as_of": in_zone_iso(as_of, zone), "certifications": found}
    same = said if asked else {"certifications": [_timeless(each) for each in found]}
    return answer(said, same=same)


@blueprint.route("/people/<number>/certifications/<path:code>")
@needs_token(SCOPE)
@described(
    N_("How a person stands with one certification, and why"),
    {200: Explanation}, query=AsOf, path={"number": NUMBER, "code": CODE}, cached=True,
)  # fmt: skip
def one(number: str, code: str) -> ResponseReturnValue:
    """The explanation of one certification; 404 for an unknown employee or certification."""
    as_of, asked = _as_of()
    with installation().store.read() as session:
        said = explain(session, number, code, as_of, installation().settings.organisation.zone)
    return answer(said, same=said if asked else _timeless(said))


@blueprint.route("/people/<number>/requirements")
@needs_token(SCOPE)
@described(
    N_("What a person must hold, and how they stand with each requirement"),
    {200: Requirements}, query=AsOf, path={"number": NUMBER}, cached=True,
)  # fmt: skip
def required(number: str) -> ResponseReturnValue:
    """The requirements that hold for the person, each with status, day and what is missing; 404 for an unknown employee."""
    zone, (as_of, asked) = installation().settings.organisation.zone, _as_of()
    with installation().store.read() as session:
        lines = requirement_status(session, number, as_of, zone)
    said = {
        "employee_number": number,
        "as_of": in_zone_iso(as_of, zone),
        "met": all(line["met"] for line in lines),
        "requirements": lines,
    }
    return answer(said, same=said if asked else lines)


@blueprint.route("/certifications")
@needs_token(SCOPE)
@described(
    N_("Where people stand with certifications, in parts"),
    {200: HeldList}, query=HeldQuery, cached=True,
)  # fmt: skip
def held() -> ResponseReturnValue:
    """A part of the list of everybody's certifications, by person and code; erased persons are not in it."""
    asked, zone = read_query(HeldQuery), installation().settings.organisation.zone
    since = read_moment("changed_since", asked.changed_since, zone) if asked.changed_since is not None else None
    with installation().store.read() as session:
        rows = _held(session, asked, since)
    more = rows[asked.limit - 1] if len(rows) > asked.limit else None
    lines = []
    for row in rows[: asked.limit]:
        line = {name: getattr(row.Holding, name) for name in _NAMES}
        moments = {name: in_zone_iso(line[name], zone) for name in MOMENTS if line[name] is not None}
        lines.append({"employee_number": row.employee_number, **line, **moments})
    following = f"{more.Holding.person_id}:{more.Holding.certification}" if more is not None else None
    return answer({"certifications": lines, "next": following})


_NAMES = ("certification", "status", *MOMENTS, "award_id", "rule_version", "required")


def _held(session: Session, asked: HeldQuery, since: datetime | None) -> list[Row[tuple[Holding, str]]]:
    """One row more than was asked for, where there are more."""
    query = select(Holding, Person.employee_number).join(Person, Person.id == Holding.person_id)
    query = query.where(Person.erased_at.is_(None))
    if asked.certification is not None:
        query = query.where(Holding.certification == asked.certification)
    if asked.status is not None:
        query = query.where(Holding.status == asked.status)
    if since is not None:
        # The id of an event begins with its time, so the newest ones are a stretch of the primary key.
        first = str(ULID.from_datetime(max(since, datetime(1970, 1, 1, tzinfo=UTC))))[:10]
        told = select(Event.subject).where(Event.id >= first)
        subject = literal("certification:") + Person.employee_number + ":" + Holding.certification
        query = query.where(subject.in_(told))
    if asked.after is not None:
        person_id, _, code = asked.after.partition(":")
        query = query.where(tuple_(Holding.person_id, Holding.certification) > (int(person_id), code))
    return list(session.execute(query.order_by(Holding.person_id, Holding.certification).limit(asked.limit + 1)))


def _timeless(said: Mapping[str, Any]) -> dict[str, Any]:
    """An explanation without the moment of asking: the caller holds the same as long as nothing else differs."""
    return {name: value for name, value in said.items() if name != "as_of"}


def _as_of() -> tuple[datetime, bool]:
    """The moment asked about, now without one; and whether one was given."""
    home, asked = installation(), read_query(AsOf)
    if asked.as_of is None:
        return home.clock(), False
    return read_moment("as_of", asked.as_of, home.settings.organisation.zone), True
