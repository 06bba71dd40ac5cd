"""The pages of what is derived: people and their certifications, why each stands as it does, promotions, figures."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_date, format_decimal, gettext
from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session
from werkzeug.exceptions import Forbidden

from connectors.models import Course, Evidence
from connectors.words import STREAMS
from metrics import (
    assessment_controllers,
    certifications_api,
    charts,
    decision_controllers,
    explained,
    import_controllers,
    promotion_controllers,
    reminder_controllers,
    requirement_controllers,
    rule_composing,
    rule_controllers,
)
from metrics.certification.assessment_models import Assessment
from metrics.certification.explain import explain
from metrics.certification.models import Holding, Promotion
from metrics.certification.promotion import from_now_on
from metrics.figures import registry
from metrics.figures.figure import Figure
from metrics.figures.groups import GROUPS
from metrics.figures.periods import Period
from metrics.figures.question import Question
from metrics.figures.settings import dimensions_of
from metrics.figures.units import UNITS
from metrics.reminder_listing import last_reminded
from metrics.words import (
    ELIGIBILITIES,
    KINDS,
    OWN_SOURCES,
    POPULATION_NAMES,
    PROMOTION_KINDS,
    SIDES,
    STATUSES,
    certification_names,
    eligibility_badge,
    lacking,
    note_in_words,
    roles_in_words,
    status_badge,
)
from plugin.errors import NotFoundError, RefusedError
from plugin.models import Assignment, Department, Grade, Person, Position
from plugin.moments import parse_moment, start_of_day
from plugin.paging import Paging
from plugin.people import employed_on, standing_on
from plugin.store import chunks
from plugin.web import MenuEntry, about, installation, language, needs, share, today, whole

blueprint = Blueprint("metrics", __name__, template_folder="templates")

BLUEPRINTS = [
    blueprint,
    assessment_controllers.blueprint,
    decision_controllers.blueprint,
    import_controllers.blueprint,
    promotion_controllers.blueprint,
    reminder_controllers.blueprint,
    requirement_controllers.blueprint,
    rule_controllers.blueprint,
    rule_composing.blueprint,
    certifications_api.blueprint,
]
MENU = [
    MenuEntry("My certifications", "metrics.own", "people.see", personal=True),
    MenuEntry("People", "metrics.people", "people.list"),
    MenuEntry("Assessments", "assessments.listing", "assessments.see"),
    MenuEntry("Decisions", "decisions.listing", "awards.see"),
    MenuEntry("Rules", "rules.listing", "rules.see"),
    MenuEntry("Requirements", "requirements.listing", "rules.see"),
    MenuEntry("Figures", "metrics.figures", "figures.see"),
    MenuEntry("Promotions", "metrics.promotions", "promotions.see"),
    MenuEntry("Reminders", "reminders.reminders", "awards.see"),
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
                gettext(
                    "Your account is not linked to an employee. Ask your administrator to enter your employee number."
                )
            )
        if not _is_about(session, "people.see", person):
            raise Forbidden
    return redirect(url_for("metrics.person", number=person.employee_number))


@blueprint.route("/people")
@needs("people.list")
def people() -> ResponseReturnValue:
    """Everybody with the organisation whom the reader may see, with what each holds."""
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
@needs("people.see")
def person(number: str) -> ResponseReturnValue:
    """One person: what they hold; and, for whoever may see the record, where they stand and stood, and the evidence."""
    with installation().store.read() as session:
        found = _person(session, number, "people.see")
        whole_record = _is_about(session, "people.record", found)
        places = _places(session, found)
        manager = _manager(session, places[0].manager) if places and whole_record else None
        query = select(Evidence).where(Evidence.person_id == (found.id if whole_record else None))
        paging = Paging.of(session.scalar(select(func.count()).select_from(query.subquery())) or 0)
        evidence = session.scalars(
            query.order_by(Evidence.achieved_at.desc(), Evidence.id.desc()).offset(paging.offset).limit(paging.size)
        ).all()
        return render_template(
            "metrics/person.html",
            person=found,
            record=whole_record,
            places=places,
            manager=manager,
            holdings=_holdings(session, [found.id]).get(found.id, []),
            names=certification_names(session, language()),
            evidence=evidence,
            reminded=last_reminded(session, found.id) if whole_record else {},
            objects=explained.titles_of(session, (piece.object for piece in evidence)),
            kinds=KINDS,
            sources=OWN_SOURCES,
            paging=paging,
            status_badge=status_badge,
            joined_at=_start_of(found.joined_on),
            left_at=_start_of(found.left_on),
            entries=_entries(session, [piece.id for piece in evidence]),
            own=g.account.person_id == found.id,
        )


@blueprint.route("/people/<number>/certifications/<code>")
@needs("people.record")
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
        found = _person(session, number, "people.record")
        answer = explain(session, number, code, as_of, zone)
        names = certification_names(session, language())
        titles = {**explained.titles_of(session, explained.objects_of(answer)), **names}
    return render_template(
        "metrics/explanation.html",
        person=found,
        own=g.account.person_id == found.id,
        roles=roles_in_words,
        code=code,
        names=names,
        titles=titles,
        answer=answer,
        asked=as_of.astimezone(zone).date().isoformat() if asked else "",
        kinds=KINDS,
        populations=POPULATION_NAMES,
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
    chosen["period"] = chosen["period"] or str(today().year)
    with installation().store.read() as session:
        question = _question(session, chosen, "figures.see")
        units = _names(session, select(Department.code, Department.name).order_by(Department.name))
        courses = _names(session, select(Course.object, Course.name).order_by(Course.name))
        measured = [
            (
                heading.in_language(language()),
                [
                    (registry.definition(name), _own_part(registry.measure(session, name, question)))
                    for name in names
                    if registry.definition(name).about_people or whole("figures.see")
                ],
            )
            for heading, names in GROUPS
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
        units_of=UNITS,
    )


@blueprint.route("/figures/<name>/<side>")
@needs("figures.names")
def figure_people(name: str, side: str) -> ResponseReturnValue:
    """The people behind a figure's numerator, its denominator, or the gap between them."""
    chosen = {key: request.args.get(key, "").strip() for key in ("period", "department", "course")}
    chosen["period"] = chosen["period"] or str(today().year)
    definition = registry.definition(name)
    if not definition.about_people and not whole("figures.names"):
        raise Forbidden
    with installation().store.read() as session:
        members = registry.people(session, name, _question(session, chosen, "figures.names"), side)
        courses = _names(session, select(Course.object, Course.name))
    paging = Paging.of(len(members))
    return render_template(
        "metrics/figure_people.html",
        title=definition.title.in_language(language()),
        of_people=definition.lists == "employee_number",
        each=definition.each.in_language(language()),
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
    query = select(Promotion, Person).join(Person, Person.id == Promotion.person_id).where(about("promotions.see"))
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
                (promotion, person, [_line(line) for line in _as_read(promotion)]) for promotion, person in rows
            ],
            units=_unit_names(session, [promotion for promotion, _ in rows]),
            names=certification_names(session, language()),
            kinds=PROMOTION_KINDS,
            note_in_words=note_in_words,
            eligibilities=ELIGIBILITIES,
            eligibility_badge=eligibility_badge,
            status_badge=status_badge,
            paging=paging,
            chosen=chosen,
        )


def _question(session: Session, chosen: dict[str, str], right: str) -> Question:
    """What is asked, about those for whom the reader has the right."""
    home = installation()
    listed = None
    if not whole(right):
        listed = frozenset(session.scalars(select(Person.employee_number).where(about(right))))
    return Question(
        period=Period.parse(chosen["period"], home.settings.organisation.zone),
        as_of=home.clock(),
        department=chosen["department"] or None,
        with_children=True,
        course=chosen["course"] or None,
        listed=listed,
        currency=home.settings.organisation.currency,
        dimensions=dimensions_of(home),
    )


def _own_part(figure: Figure) -> Figure:
    """The figure without the counts of the whole organisation, for whoever sees a part of it."""
    if whole("figures.see"):
        return figure
    seen = {code: count for code, count in figure.not_visible.items() if code != "unbound"}
    return replace(figure, not_visible=seen)


def _periods() -> list[str]:
    """Periods to choose from: this year and the one before, their quarters, and the months of this year so far."""
    day = today()
    years = [str(day.year), str(day.year - 1)]
    quarters = [f"{year}Q{number}" for year in years for number in range(1, 5)]
    return [*years, *quarters, *(f"{day.year}-{month:02}" for month in range(1, day.month + 1))]


def _as_read(promotion: Promotion) -> Sequence[dict[str, Any]]:
    """A record's lines: of an open one as they are now, of a closed one as they were."""
    home = installation()
    if promotion.closed_at is not None:
        return promotion.requirements
    return from_now_on(promotion.requirements, home.clock(), home.settings.organisation.zone)


def _line(line: dict[str, Any]) -> dict[str, Any]:
    """A requirement of a promotion record's answer, with its moments read."""
    zone = installation().settings.organisation.zone
    missing = line.get("missing") or []
    return {
        "certification": line["certification"],
        "status": line.get("status"),
        "until": parse_moment(line["held_until"], zone) if line.get("held_until") else None,
        "missing": [
            explained.sentence(lacking(text), zone) for text in ([missing] if isinstance(missing, str) else missing)
        ],
        "earliest": parse_moment(line["earliest"], zone) if line.get("earliest") else None,
    }


def _person(session: Session, number: str, right: str) -> Person:
    """The person, for whoever has the right about them; nobody else learns whether there is one."""
    found = session.scalars(select(Person).where(Person.employee_number == number, about(right))).one_or_none()
    if found is None:
        raise NotFoundError(gettext("There is no employee with the number %(number)s.", number=number))
    return found


def _start_of(day: date | None) -> datetime | None:
    return start_of_day(day, installation().settings.organisation.zone) if day is not None else None


def _entries(session: Session, evidence_ids: list[int]) -> dict[int, int]:
    """The assessor's entries of these pieces of evidence, for whoever may see them."""
    query = select(Assessment.evidence_id, Assessment.id).join(Person, Person.id == Assessment.person_id)
    query = query.where(Assessment.evidence_id.in_(evidence_ids), assessment_controllers.visible())
    return {evidence_id: entry_id for evidence_id, entry_id in session.execute(query) if evidence_id is not None}


def _is_about(session: Session, right: str, person: Person) -> bool:
    """Whether the reader has the right about this person."""
    return session.scalar(select(Person.id).where(Person.id == person.id, about(right))) is not None


def _called(text: str) -> ColumnElement[bool]:
    return or_(Person.employee_number.icontains(text, autoescape=True), Person.name.icontains(text, autoescape=True))


def _wanted_people(chosen: dict[str, str]) -> Any:
    day = today()
    query = (
        select(
            Person.id,
            Person.employee_number,
            Person.name,
            Person.left_on,
            Department.name.label("department"),
            Position.name.label("position"),
            about("people.record").label("record"),
        )
        .outerjoin(Assignment, (Assignment.person_id == Person.id) & standing_on(day))
        .outerjoin(Department, Department.id == Assignment.department_id)
        .outerjoin(Position, Position.id == Assignment.position_id)
        .where(about("people.list"), Person.erased_at.is_(None))
    )
    if not chosen["leavers"]:
        query = query.where(employed_on(day))
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


def _manager(session: Session, number: str | None) -> Any:
    """The manager's name, and whether the reader may open their page; None when there is none."""
    query = select(Person.name, about("people.see").label("opens")).where(Person.employee_number == number)
    return session.execute(query).one_or_none() if number else None


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
