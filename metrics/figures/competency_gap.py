"""Competency gaps: what people lack of what their posts require."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from connectors.models import Competency, CompetencyRating, Identity
from metrics.figures.figure import Member, Number
from metrics.figures.measured import Answer, Measured
from metrics.figures.participation import bound_at
from metrics.figures.scope import Scope
from metrics.figures.words import Words
from metrics.inputs.models import CompetencyAssessment, ModelCompetency, Post, PostCompetency, known_at
from plugin.models import Person, Position
from plugin.moments import start_of_day

Level = tuple[datetime, Decimal]


@dataclass(frozen=True)
class Gap:
    """What one person lacks of one competency: required less current, weighted; `current` is None where it is not known."""

    number: str
    name: str
    competency: str
    required: int
    current: Decimal | None
    weight: Decimal

    @property
    def lacking(self) -> Decimal:
        """How many levels are lacking."""
        return Decimal(0) if self.current is None else max(self.required - self.current, Decimal(0))


def gaps(scope: Scope) -> list[Gap]:
    """Everything that is required of the people by their posts, with what each has."""
    question, session = scope.question, scope.session
    asked = select(PostCompetency.position, PostCompetency.competency, PostCompetency.level).where(
        known_at(PostCompetency, question.as_of)
    )
    if question.competency is not None:
        asked = asked.where(PostCompetency.competency == question.competency)
    required: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for position, competency, level in session.execute(asked):
        required[position].append((competency, level))
    weights = dict(session.execute(select(Post.position, Post.criticality).where(known_at(Post, question.as_of))).all())
    people = scope.people
    query = (
        select(people.c.person_id, Person.employee_number, Person.name, Position.code)
        .join(Person, Person.id == people.c.person_id)
        .join(Position, Position.id == people.c.position_id)
        .where(scope.among(Position.code, required))
    )
    rows = session.execute(query).all() if required else []
    levels = _levels(scope) if rows else {}
    return [
        Gap(number, name, competency, level, _current(levels, person, competency), weights.get(position, Decimal(1)))
        for person, number, name, position in rows
        for competency, level in required[position]
    ]


def _current(levels: dict[tuple[int, str], Level], person: int, competency: str) -> Decimal | None:
    found = levels.get((person, competency))
    return None if found is None else found[1]


def _levels(scope: Scope) -> dict[tuple[int, str], Level]:
    """The newest level of each person and competency that is valid on the population date."""
    found: dict[tuple[int, str], Level] = {}

    def note(person: int, competency: str, level: Level) -> None:
        if level > found.get((person, competency), (datetime.min.replace(tzinfo=level[0].tzinfo), Decimal(0))):
            found[person, competency] = level

    for person, competency, at, rated in _ratings(scope.session, scope):
        note(person, competency, (at, rated))
    day, assessment = scope.question.population_date, CompetencyAssessment
    query = select(assessment.person_id, assessment.competency, assessment.assessed_on, assessment.level).where(
        known_at(assessment, scope.question.as_of),
        assessment.assessed_on <= day,
        or_(assessment.valid_until.is_(None), assessment.valid_until > day),
    )
    for person, competency, assessed_on, level in scope.session.execute(query):
        note(person, competency, (start_of_day(assessed_on, scope.question.zone), Decimal(level)))
    return found


def _ratings(session: Session, scope: Scope) -> list[tuple[int, str, datetime, Decimal]]:
    """The LMS's own ratings over all courses, of competencies that the model names."""
    rating, people = CompetencyRating, scope.people
    query = (
        select(people.c.person_id, ModelCompetency.competency, rating.rated_at, rating.level)
        .select_from(people)
        .join(Identity, and_(Identity.person_id == people.c.person_id, bound_at(scope.as_of)))
        .join(rating, and_(rating.source == Identity.source, rating.user_key == Identity.user_key))
        .join(Competency, and_(Competency.source == rating.source, Competency.competency_key == rating.competency_key))
        .join(ModelCompetency, ModelCompetency.lms_object == Competency.object)
        .where(
            known_at(ModelCompetency, scope.as_of),
            rating.course_key == "",
            rating.level.is_not(None),
            rating.rated_at < people.c.end_at,
            rating.rated_at <= scope.as_of,
            rating.first_seen_at <= scope.as_of,
            or_(rating.closed_at.is_(None), rating.closed_at > scope.as_of),
        )
    )
    return [(row[0], row[1], row[2], row[3]) for row in session.execute(query)]


def _answer(scope: Scope) -> Answer:
    found = gaps(scope)
    known = [gap for gap in found if gap.current is not None]
    lacking = [gap for gap in known if gap.lacking > 0]
    weight = sum((gap.weight for gap in known), Decimal(0))
    weighted = sum((gap.weight * gap.lacking for gap in lacking), Decimal(0))
    by_competency: dict[str, Decimal] = defaultdict(Decimal)
    for gap in lacking:
        by_competency[gap.competency] += gap.weight * gap.lacking
    top = Counter(by_competency).most_common(10)
    parts: dict[str, Number] = dict(sorted(top, key=lambda each: (-each[1], each[0])))
    return Answer(
        numerator=weighted,
        denominator=weight,
        value=scope.share(weighted, weight),
        not_visible={"not_assessed": len(found) - len(known)},
        beside={
            "required": len(found),
            "gaps": len(lacking),
            "people_with_gaps": len({gap.number for gap in lacking}),
            "levels_lacking": sum((gap.lacking for gap in lacking), Decimal(0)),
        },
        parts=parts,
    )


def _members(scope: Scope, side: str) -> list[Member]:
    """Numerator: who lacks something, by competency; denominator: who was assessed; gap: who was not."""
    found = gaps(scope)
    wanted = {
        "numerator": [gap for gap in found if gap.lacking > 0],
        "denominator": [gap for gap in found if gap.current is not None],
        "gap": [gap for gap in found if gap.current is None],
    }[side]
    return [Member(gap.number, gap.name, gap.competency) for gap in wanted]


FIGURE = Measured(
    name="competency_gap",
    title=Words("Competency gap", "能力差距"),
    definition=Words(
        "The mean of the levels that people lack of what their posts require, weighted by the post's criticality: the "
        "sum of criticality x (required - current, where positive) over the sum of the criticalities, for everything "
        "that is required of somebody whose level is known. The current level is the newest that is valid on the "
        "population date: the LMS's rating over all courses, an assessor's, or their own. Requirements of which no "
        "level is known are left out and counted; they are what the list of the gap shows. By name: the competencies "
        "that lack most, weighted.",
        "员工相对岗位要求所缺等级的加权平均：Σ 关键程度 ×（要求等级－当前等级，仅取正值）／Σ 关键程度，仅计当前等级已知的要求。"
        "当前等级取人数统计日有效的最新一次：学习平台的总体评级、评估人评估或自评。等级不详的要求不计入，另行计数，"
        "并在差额名单中列出。按名称列出加权差距最大的能力。",
    ),
    nothing=Words("No level is known of what is required.", "岗位要求的能力均无当前等级。"),
    streams=("employees",),
    answer=_answer,
    members=_members,
    each=Words("Competency", "能力"),
    breakdowns=("department", "position", "grade", "competency"),
    unit="levels",
    counts={
        "not_assessed": Words("required, and no level known", "有要求而等级不详"),
        "required": Words("required (people by competencies)", "要求人次"),
        "gaps": Words("gaps (people by competencies)", "差距人次"),
        "people_with_gaps": Words("people with gaps", "存在差距的人数"),
        "levels_lacking": Words("levels lacking, unweighted", "所缺等级数（未加权）"),
    },
)
