"""The pages of what is derived: people and their certifications, why each stands as it does, promotions, figures."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_date, format_decimal, gettext
from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session
from werkzeug.exceptions import Forbidden

from connectors.models import Activity, Course, Evidence
from connectors.words import STREAMS
from metrics import charts, explained
from metrics.certification.explain import explain
from metrics.certification.models import Holding, Promotion
from metrics.figures import registry
from metrics.figures.periods import Period
from metrics.figures.question import Question
from metrics.words import (
    ELIGIBILITIES,
    KINDS,
    PROMOTION_KINDS,
    SIDES,
    STATUSES,
    certification_names,
    eligibility_badge,
    lacking,
    status_badge,
)
from plugin.errors import NotFoundError, RefusedError
from plugin.models import Assignment, Department, Grade, Person, Position
from plugin.moments import parse_moment
from plugin.paging import Paging
from plugin.people import employed_on, standing_on
from plugin.store import chunks
from plugin.web import MenuEntry, installation, language, may, needs, share

blueprint = Blueprint("metrics", __name__, template_folder="templates")

BLUEPRINTS = [blueprint]
MENU = [
    MenuEntry("My certifications", "metrics.own", None, personal=True),
    MenuEntry("People", "metrics.people", "people.see"),
    MenuEntry("Figures", "metrics.figures", "figures.see"),
    MenuEntry("Promotions", "metrics.promotions", "promotions.see"),
]


@dataclass(frozen=True)
class _Place:
    """Where a person stands, or stood, in the organisation."""

    valid_from: date
    valid_until: date | None
    department: str | None
    position: str | None
    grade: str | None
    manager: str | None


@blueprint.route("/me")
@needs(None)
def own() -> ResponseReturnValue:
    """The reader's own page, where the account is an employee's."""
    with installation().store.read() as session:
        person = session.get(Person, g.account.person_id) if g.account.person_id is not None else None
    if person is None:
        raise NotFoundError(
            gettext("Your account is not linked to an employee. Ask your administrator to enter your employee number.")
        )
    return redirect(url_for("metrics.person", number=person.employee_number))


@blueprint.route("/people")
@needs("people.see")
def people() -> ResponseReturnValue:
    """Everybody with the organisation, with what each holds."""
    chosen = {name: request.args.get(name, "").strip() for name in ("search", "certification", "status", "leavers")}
    with installation().store.read() as session:
        query = _wanted_people(chosen)
        paging = Paging.of(session.scalar(select(func.count()).select_from(query.subquery())) or 0)
        rows = session.execute(query.order_by(Person.employee_number).offset(paging.offset).limit(paging.size)).all()
        names = certification_names(session, language())
        held = _holdings(session, [row.id for row in rows])
    return render_template(
        "metrics/people.html",
        people=rows,
        held=held,
        names=names,
        paging=paging,
        chosen=chosen,
        statuses=STATUSES,
        status_badge=status_badge,
    )


@blueprint.route("/people/<number>")
@needs(None)
def person(number: str) -> ResponseReturnValue:
    """One person: where they stand and stood, what they hold, and the evidence."""
    with installation().store.read() as session:
        found = _person(session, number)
        places = _places(session, found)
        manager = _name_of(session, places[0].manager) if places else None
        query = select(Evidence).where(Evidence.person_id == found.id)
        paging = Paging.of(session.scalar(select(func.count()).select_from(query.subquery())) or 0)
        evidence = session.scalars(
            query.order_by(Evidence.achieved_at.desc(), Evidence.id.desc()).offset(paging.offset).limit(paging.size)
        ).all()
        return render_template(
            "metrics/person.html",
            person=found,
            places=places,
            manager=manager,
            holdings=_holdings(session, [found.id]).get(found.id, []),
            names=certification_names(session, language()),
            evidence=evidence,
            objects=_titles(session, (piece.object for piece in evidence)),
            kinds=KINDS,
            paging=paging,
            status_badge=status_badge,
        )


@blueprint.route("/people/<number>/certifications/<code>")
@needs(None)
def explanation(number: str, code: str) -> ResponseReturnValue:
    """Why a person's certification stands as it does, now or as of the beginning of another day."""
    home = installation()
    zone, now = home.settings.organisation.zone, home.clock()
    asked = request.args.get("as_of", "").strip()
    try:
        as_of = parse_moment(asked, zone) if asked else now
    except ValueError:
        raise RefusedError(gettext("%(text)s is not a day; write it as 2026-03-01.", text=asked)) from None
    with home.store.read() as session:
        found = _person(session, number)
        answer = explain(session, number, code, as_of, zone, now)
        names = certification_names(session, language())
        titles = {**_titles(session, explained.objects_of(answer)), **names}
    return render_template(
        "metrics/explanation.html",
        person=found,
        code=code,
        names=names,
        titles=titles,
        answer=answer,
        asked=as_of.astimezone(zone).date().isoformat() if asked else "",
        kinds=KINDS,
        sections=explained.SECTIONS,
        bases=explained.BASES,
        dates=explained.DATES,
        changes=explained.CHANGES,
        reasons=explained.REASONS,
        status_badge=status_badge,
        duration=explained.duration,
        composite=explained.composite,
        leaf=lambda node: explained.leaf(node, titles),
        when=lambda text: explained.when(text, zone),
        sentence=lambda text: explained.sentence(text, zone),
    )


@blueprint.route("/figures")
@needs("figures.see")
def figures() -> ResponseReturnValue:
    """Every figure for a period, a department and a course, with all that is needed to judge it."""
    chosen = {name: request.args.get(name, "").strip() for name in ("period", "department", "course")}
    chosen["period"] = chosen["period"] or str(_today().year)
    with installation().store.read() as session:
        question = _question(chosen)
        units = _names(session, select(Department.code, Department.name).order_by(Department.name))
        courses = _names(session, select(Course.object, Course.name).order_by(Course.name))
        measured = [
            (definition, registry.measure(session, name, question)) for name, definition in registry.figures().items()
        ]
        coverage = registry.measure_by(session, "coverage", question, "department")
        months = registry.measure_by(session, "completion_rate", question, "month")
    return render_template(
        "metrics/figures.html",
        chosen=chosen,
        periods=_periods(),
        units=units,
        courses=courses,
        measured=measured,
        coverage=[(units.get(code, code), figure) for code, figure in coverage],
        coverage_chart=charts.bars(
            [(units.get(code, code), figure.value, share(figure.value) or "–") for code, figure in coverage]
        ),
        months=months,
        months_chart=charts.columns(
            [
                (format_date(figure.period.first_day, "LLL"), figure.numerator, format_decimal(figure.numerator))
                for _, figure in months
            ]
        ),
        stream_names=STREAMS,
    )


@blueprint.route("/figures/<name>/<side>")
@needs("figures.names")
def figure_people(name: str, side: str) -> ResponseReturnValue:
    """The people behind a figure's numerator, its denominator, or the gap between them."""
    chosen = {key: request.args.get(key, "").strip() for key in ("period", "department", "course")}
    chosen["period"] = chosen["period"] or str(_today().year)
    definition = registry.definition(name)
    with installation().store.read() as session:
        members = registry.people(session, name, _question(chosen), side)
        courses = _names(session, select(Course.object, Course.name))
    paging = Paging.of(len(members))
    return render_template(
        "metrics/figure_people.html",
        title=definition.title.in_language(language()),
        side=SIDES[side],
        chosen=chosen,
        members=members[paging.offset : paging.offset + paging.size],
        courses=courses,
        paging=paging,
    )


@blueprint.route("/promotions")
@needs("promotions.see")
def promotions() -> ResponseReturnValue:
    """HR's promotion and pay records, with the answer to each."""
    chosen = {name: request.args.get(name, "").strip() for name in ("search", "eligibility", "closed")}
    query = select(Promotion, Person).join(Person, Person.id == Promotion.person_id)
    if not chosen["closed"]:
        query = query.where(Promotion.closed_at.is_(None))
    if chosen["eligibility"]:
        query = query.where(Promotion.eligibility == chosen["eligibility"])
    if chosen["search"]:
        query = query.where(_called(chosen["search"]))
    with installation().store.read() as session:
        paging = Paging.of(
            session.scalar(select(func.count()).select_from(query.with_only_columns(Promotion.promotion_id).subquery()))
            or 0
        )
        rows = session.execute(
            query.order_by(Promotion.effective_on, Promotion.promotion_id).offset(paging.offset).limit(paging.size)
        ).all()
        return render_template(
            "metrics/promotions.html",
            promotions=[
                (promotion, person, [_line(line) for line in promotion.requirements]) for promotion, person in rows
            ],
            units=_unit_names(session, [promotion for promotion, _ in rows]),
            names=certification_names(session, language()),
            kinds=PROMOTION_KINDS,
            eligibilities=ELIGIBILITIES,
            eligibility_badge=eligibility_badge,
            status_badge=status_badge,
            paging=paging,
            chosen=chosen,
        )


def _question(chosen: dict[str, str]) -> Question:
    home = installation()
    return Question(
        period=Period.parse(chosen["period"], home.settings.organisation.zone),
        as_of=home.clock(),
        department=chosen["department"] or None,
        with_children=True,
        course=chosen["course"] or None,
    )


def _periods() -> list[str]:
    """Periods to choose from: this year and the one before, their quarters, and the months of this year so far."""
    today = _today()
    years = [str(today.year), str(today.year - 1)]
    quarters = [f"{year}Q{number}" for year in years for number in range(1, 5)]
    return [*years, *quarters, *(f"{today.year}-{month:02}" for month in range(1, today.month + 1))]


def _line(line: dict[str, Any]) -> dict[str, Any]:
    """A requirement of a promotion record's answer, with its moments read."""
    zone = installation().settings.organisation.zone
    missing = line.get("missing") or []
    return {
        "certification": line["certification"],
        "status": line.get("status"),
        "until": parse_moment(line["held_until"], zone) if line.get("held_until") else None,
        "missing": [lacking(text) for text in ([missing] if isinstance(missing, str) else missing)],
        "earliest": parse_moment(line["earliest"], zone) if line.get("earliest") else None,
    }


def _today() -> date:
    home = installation()
    return home.clock().astimezone(home.settings.organisation.zone).date()


def _person(session: Session, number: str) -> Person:
    """The person, for whoever may see everybody and for the person; nobody else learns whether there is one."""
    found = session.scalars(select(Person).where(Person.employee_number == number)).one_or_none()
    if not may("people.see") and (found is None or g.account.person_id != found.id):
        raise Forbidden
    if found is None:
        raise NotFoundError(gettext("There is no employee with the number %(number)s.", number=number))
    return found


def _called(text: str) -> ColumnElement[bool]:
    return or_(Person.employee_number.icontains(text, autoescape=True), Person.name.icontains(text, autoescape=True))


def _wanted_people(chosen: dict[str, str]) -> Any:
    today = _today()
    query = (
        select(
            Person.id,
            Person.employee_number,
            Person.name,
            Person.left_on,
            Department.name.label("department"),
            Position.name.label("position"),
        )
        .outerjoin(Assignment, (Assignment.person_id == Person.id) & standing_on(today))
        .outerjoin(Department, Department.id == Assignment.department_id)
        .outerjoin(Position, Position.id == Assignment.position_id)
    )
    if not chosen["leavers"]:
        query = query.where(employed_on(today))
    if chosen["search"]:
        query = query.where(_called(chosen["search"]))
    if chosen["certification"] or chosen["status"]:
        standing = select(Holding.person_id)
        if chosen["certification"]:
            standing = standing.where(Holding.certification == chosen["certification"])
        if chosen["status"]:
            standing = standing.where(Holding.status == chosen["status"])
        query = query.where(Person.id.in_(standing))
    return query


def _holdings(session: Session, person_ids: Sequence[int]) -> dict[int, list[Holding]]:
    """Where each person stands with each certification that concerns them: begun, held once, or required."""
    held: dict[int, list[Holding]] = defaultdict(list)
    concerns = (Holding.status != "not_started") | Holding.required
    query = select(Holding).where(Holding.person_id.in_(person_ids), concerns).order_by(Holding.certification)
    for holding in session.scalars(query):
        held[holding.person_id].append(holding)
    return held


def _places(session: Session, person: Person) -> list[_Place]:
    """Where the person stands and stood, the newest first."""
    query = (
        select(
            Assignment.valid_from,
            Assignment.valid_until,
            Department.name.label("department"),
            Position.name.label("position"),
            Grade.name.label("grade"),
            Assignment.manager_number,
        )
        .outerjoin(Department, Department.id == Assignment.department_id)
        .outerjoin(Position, Position.id == Assignment.position_id)
        .outerjoin(Grade, Grade.id == Assignment.grade_id)
        .where(Assignment.person_id == person.id)
        .order_by(Assignment.valid_from.desc())
    )
    return [_Place(*row) for row in session.execute(query)]


def _names(session: Session, query: Any) -> dict[str, str]:
    """What a query of codes and names found."""
    return dict(session.execute(query).all())


def _name_of(session: Session, number: str | None) -> str | None:
    return session.scalar(select(Person.name).where(Person.employee_number == number)) if number else None


def _titles(session: Session, objects: Iterable[str]) -> dict[str, str]:
    """What the sources call courses and activities, by object."""
    titles: dict[str, str] = {}
    for chunk in chunks(set(objects)):
        for model in (Activity, Course):
            query = select(model.object, model.name).where(model.object.in_(chunk), model.name.is_not(None))
            titles.update(_names(session, query))
    return titles


def _unit_names(session: Session, records: Iterable[Promotion]) -> dict[str, dict[str, str]]:
    """The names of the positions and grades that promotion records name by code."""
    records = list(records)
    positions = {code for record in records for code in (record.from_position, record.to_position) if code}
    grades = {code for record in records for code in (record.from_grade, record.to_grade) if code}
    names: dict[str, dict[str, str]] = {"position": {}, "grade": {}}
    for chunk in chunks(positions):
        names["position"].update(_names(session, select(Position.code, Position.name).where(Position.code.in_(chunk))))
    for chunk in chunks(grades):
        names["grade"].update(_names(session, select(Grade.code, Grade.name).where(Grade.code.in_(chunk))))
    return names
