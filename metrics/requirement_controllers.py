"""The page of requirements: who must hold what. Coordinators add and end them; employees see those that apply to them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from metrics import explained
from metrics.certification.duties import Duty, duties
from metrics.certification.models import Requirement, RequirementPerson
from metrics.certification.populations import DEPARTMENT, GRADE, PEOPLE, POSITION, TREE, population_of
from metrics.certification.record_refusals import NO_REQUIREMENT
from metrics.certification.refusals import RefusedInWordsError
from metrics.certification.requirement_checks import DUTY, PROMOTION
from metrics.certification.requirement_texts import COLUMNS, read_day, read_requirement
from metrics.certification.requirements import add_requirement, end_requirement, is_for_nobody
from metrics.words import POPULATION_NAMES, certification_names
from plugin.errors import NotFoundError
from plugin.models import Department, Grade, Person, PersonTag, Position
from plugin.paging import Paging
from plugin.store import chunks
from plugin.web import about, installation, language, needs, today, whole

blueprint = Blueprint("requirements", __name__, template_folder="templates")

KIND_NAMES = {DUTY: lazy_gettext("duty"), PROMOTION: lazy_gettext("for a promotion or pay step")}
SHOWN = 20  # listed people that a row names
LONGEST_LIST = 500  # names of units that a form offers


@blueprint.route("/requirements")
@needs("rules.see")
def listing() -> ResponseReturnValue:
    """The requirements, or those that apply to the reader."""
    home = installation()
    chosen = {name: request.args.get(name, "").strip() for name in ("search", "certification", "kind", "ended")}
    with home.store.read() as session:
        own = None if whole("rules.see") else _own(session, g.account.person_id)
        query = _wanted(chosen)
        if own is not None:
            query = query.where(Requirement.id.in_(own))
        paging = Paging.of(session.scalar(select(func.count()).select_from(query.subquery())) or 0)
        ordered = query.order_by(Requirement.certification, Requirement.kind, Requirement.id)
        rows = session.scalars(ordered.offset(paging.offset).limit(paging.size)).all()
        return render_template(
            "metrics/requirements.html",
            rows=[(row, *population_of(row)) for row in rows],
            own=own,
            listed=_listed(session, rows),
            units=_unit_names(session, rows),
            paging=paging,
            chosen=chosen,
            names=certification_names(session, language()),
            kinds=KIND_NAMES,
            populations=POPULATION_NAMES,
            duration=_duration,
            today=today(),
            shown=SHOWN,
        )


@blueprint.route("/requirements/new", methods=["GET", "POST"])
@needs("rules.do")
def new() -> ResponseReturnValue:
    """Require a certification of some population."""
    home, status = installation(), 200
    given = {name: request.form.get(name, "").strip() for name in (*COLUMNS, "population", "value")}
    if request.method == "POST":
        try:
            wanted, listed = read_requirement({**given, **_population(given)}, today())
            with home.store.write() as session:
                add_requirement(session, wanted, g.account.login, home.clock(), listed)
                nobody = is_for_nobody(session, wanted, today())
        except RefusedInWordsError as error:
            flash(gettext(error.sentence, **error.values), "bad")
            status = 422
        else:
            home.wake("people_touched")
            flash(gettext("It is required. What follows from it is derived within a minute."), "ok")
            if nobody:
                flash(gettext("Nobody is in this population today; check the name."), "warn")
            return redirect(url_for("requirements.listing"))
    with home.store.read() as session:
        return (
            render_template(
                "metrics/requirement_new.html",
                given=given,
                names=certification_names(session, language()),
                kinds=KIND_NAMES,
                populations=POPULATION_NAMES,
                offers=_offers(session),
                today=today(),
            ),
            status,
        )


@blueprint.route("/requirements/<int:number>/end", methods=["POST"])
@needs("rules.do")
def end(number: int) -> ResponseReturnValue:
    """End a requirement on a day, today unless it is said otherwise."""
    home = installation()
    try:
        last = read_day({"ends_on": request.form.get("ends_on", "")}, "ends_on") or today()
        with home.store.write() as session:
            if session.get(Requirement, number) is None:
                raise NotFoundError(gettext(NO_REQUIREMENT, id=number))
            end_requirement(session, number, last, g.account.login, home.clock())
    except RefusedInWordsError as error:
        flash(gettext(error.sentence, **error.values), "bad")
    else:
        home.wake("people_touched")
        flash(gettext("The requirement ends. What follows from it is derived within a minute."), "ok")
    return redirect(url_for("requirements.listing"))


def _wanted(chosen: dict[str, str]) -> Select[Requirement]:
    query = select(Requirement)
    if not chosen["ended"]:
        query = query.where(or_(Requirement.ends_on.is_(None), Requirement.ends_on > today()))
    if chosen["certification"]:
        query = query.where(Requirement.certification == chosen["certification"])
    if chosen["kind"] in KIND_NAMES:
        query = query.where(Requirement.kind == chosen["kind"])
    if chosen["search"]:
        columns = (Requirement.position_code, Requirement.grade_code, Requirement.department_code, Requirement.tag)
        query = query.where(or_(*(column.icontains(chosen["search"], autoescape=True) for column in columns)))
    return query


def _own(session: Session, person_id: int | None) -> dict[int, Duty]:
    """The reader's own duties, those ahead among them, by requirement."""
    zone = installation().settings.organisation.zone
    found = duties(session, [person_id], today(), zone) if person_id is not None else {}
    return {duty.requirement_id: duty for each in found.values() for duty in each}


def _population(given: dict[str, str]) -> dict[str, str]:
    """The cells that a form's choice of a population, and what it names, stand for."""
    cells = dict.fromkeys(("position", "grade", "department", "with_children", "tag", "people"), "")
    if given["population"] == TREE:
        return {**cells, "department": given["value"], "with_children": "yes"}
    return {**cells, given["population"]: given["value"]} if given["population"] in cells else cells


def _duration(text: str) -> str:
    """A period in words; one that a data file brought and that cannot be read, as it stands there."""
    try:
        return explained.duration(text)
    except ValueError:
        return text


def _listed(session: Session, rows: Iterable[Requirement]) -> dict[int, tuple[int, list[Person]]]:
    """How many people each requirement lists, and those of them whom the reader may see."""
    found: dict[int, tuple[int, list[Person]]] = {}
    for chunk in chunks(row.id for row in rows if population_of(row)[0] == PEOPLE):
        counting = select(RequirementPerson.requirement_id, func.count()).group_by(RequirementPerson.requirement_id)
        for number, count in session.execute(counting.where(RequirementPerson.requirement_id.in_(chunk))):
            found[number] = (count, [])
        query = select(RequirementPerson.requirement_id, Person).join(Person, Person.id == RequirementPerson.person_id)
        query = query.where(RequirementPerson.requirement_id.in_(chunk), about("people.see"))
        for number, person in session.execute(query.order_by(Person.employee_number)):
            found[number][1].append(person)
    return found


def _unit_names(session: Session, rows: Sequence[Requirement]) -> dict[str, dict[str, str]]:
    """What the positions, grades and departments of these requirements are called, by code."""
    codes: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        kind, value = population_of(row)
        codes[DEPARTMENT if kind == TREE else kind].add(value)
    names: dict[str, dict[str, str]] = {}
    models: dict[str, Any] = {POSITION: Position, GRADE: Grade, DEPARTMENT: Department}
    for kind, model in models.items():
        names[kind] = {}
        for chunk in chunks(sorted(codes[kind])):
            query = select(model.code, model.name).where(model.code.in_(chunk))
            names[kind].update(dict(session.execute(query).all()))
    return {**names, TREE: names[DEPARTMENT]}


def _offers(session: Session) -> list[str]:
    """Codes that a form offers to choose from; anything else can be typed."""
    found: set[str] = set()
    for column in (Position.code, Grade.code, Department.code, PersonTag.tag):
        found.update(session.scalars(select(column).distinct().order_by(column).limit(LONGEST_LIST)))
    return sorted(found)
