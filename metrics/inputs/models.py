"""The tables of the inputs. Append-only: a row that is changed or taken back is ended, and what replaces it is added.

A row is known from `recorded_at` until `ended_at`; the one that stands has none, and is the only one of its key. Who
brought it in stands in the audit trail. Programmes, competencies and the like are referred to by their codes, which stay.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Date, ForeignKey, Index, String, Text, or_, text
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from plugin.store import Base, BigId, Exact

Money = Exact(18, 4)
Amount = Exact(18, 6)
Share = Exact(9, 6)


def known_at(model: Any, moment: Any) -> ColumnElement[bool]:
    """The condition that a row was on record at the moment."""
    condition: ColumnElement[bool] = (model.recorded_at <= moment) & or_(
        model.ended_at.is_(None), model.ended_at > moment
    )
    return condition


class Recorded:
    """What every input has. `KEY` are the columns by which a row is known; of each key one row stands at a time."""

    KEY: tuple[str, ...] = ()
    __tablename__: str

    id: Mapped[int] = mapped_column(BigId, primary_key=True, sort_order=-1)
    recorded_at: Mapped[datetime] = mapped_column(sort_order=100)
    ended_at: Mapped[datetime | None] = mapped_column(sort_order=101)

    @declared_attr.directive
    def __table_args__(cls) -> Any:  # noqa: N805 - the class, as SQLAlchemy calls it
        """One standing row of a key."""
        standing = text("ended_at IS NULL")
        name = f"ix_{cls.__tablename__}_standing"
        return (Index(name, *cls.KEY, unique=True, sqlite_where=standing, postgresql_where=standing),)


class Programme(Recorded, Base):
    """A planned training. Whom it is for: `everybody`, or those in the department, position, grade and with the tag.

    `complete_at` is the share of its target whose completing of all its courses makes it completed.
    """

    __tablename__ = "programme"
    KEY = ("programme",)

    programme: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(300))
    plan: Mapped[str] = mapped_column(String(6))
    objective: Mapped[str] = mapped_column(Text)
    measure: Mapped[str] = mapped_column(String(200))
    target: Mapped[Decimal] = mapped_column(Amount)
    target_on: Mapped[date] = mapped_column(Date)
    status: Mapped[str] = mapped_column(String(20))
    starts_on: Mapped[date] = mapped_column(Date)
    planned_end_on: Mapped[date] = mapped_column(Date)
    actual_end_on: Mapped[date | None] = mapped_column(Date)
    complete_at: Mapped[Decimal | None] = mapped_column(Share)
    unplanned: Mapped[bool]
    everybody: Mapped[bool]
    department: Mapped[str | None] = mapped_column(String(200))
    with_children: Mapped[bool]
    position: Mapped[str | None] = mapped_column(String(200))
    grade: Mapped[str | None] = mapped_column(String(200))
    tag: Mapped[str | None] = mapped_column(String(100))
    courses: Mapped[list[Any]]
    organiser: Mapped[str | None] = mapped_column(String(200))
    category: Mapped[str | None] = mapped_column(String(200))
    lecturer: Mapped[str | None] = mapped_column(String(100))
    venue: Mapped[str | None] = mapped_column(String(100))
    performance: Mapped[str | None] = mapped_column(String(100))
    expected_benefit: Mapped[str | None] = mapped_column(Text)
    milestones: Mapped[str | None] = mapped_column(Text)
    deliverables: Mapped[str | None] = mapped_column(Text)


class ProgrammePerson(Recorded, Base):
    """That somebody is of a programme's target, or of the group that it is compared with."""

    __tablename__ = "programme_person"
    KEY = ("programme", "person_id")

    programme: Mapped[str] = mapped_column(String(100))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    group: Mapped[str] = mapped_column(String(20))


class ProgrammeSession(Recorded, Base):
    """A date of a programme's schedule; `begins` and `ends` are times of day as 09:00."""

    __tablename__ = "programme_session"
    KEY = ("programme", "held_on", "begins")

    programme: Mapped[str] = mapped_column(String(100))
    held_on: Mapped[date] = mapped_column(Date)
    begins: Mapped[str] = mapped_column(String(5))
    ends: Mapped[str] = mapped_column(String(5))
    lecturer: Mapped[str | None] = mapped_column(String(100))
    venue: Mapped[str | None] = mapped_column(String(100))


class Lecturer(Recorded, Base):
    """Somebody who teaches: an employee, or from outside."""

    __tablename__ = "lecturer"
    KEY = ("lecturer",)

    lecturer: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(300))
    kind: Mapped[str] = mapped_column(String(20))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    qualification: Mapped[str | None] = mapped_column(Text)
    fee: Mapped[Decimal | None] = mapped_column(Money)
    currency: Mapped[str] = mapped_column(String(3))
    fee_per: Mapped[str | None] = mapped_column(String(20))


class Venue(Recorded, Base):
    """A room, with what is in it."""

    __tablename__ = "venue"
    KEY = ("venue",)

    venue: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(300))
    places: Mapped[int | None]
    equipment: Mapped[str | None] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(Text)


class CourseDetail(Recorded, Base):
    """What the LMS does not say of a course: its hours, who teaches it, which tests are its pre-test and its post-test."""

    __tablename__ = "course_detail"
    KEY = ("course",)

    course: Mapped[str] = mapped_column(String(300))
    hours: Mapped[Decimal | None] = mapped_column(Amount)
    lecturer: Mapped[str | None] = mapped_column(String(100))
    pre_test: Mapped[str | None] = mapped_column(String(300))
    post_test: Mapped[str | None] = mapped_column(String(300))


class BudgetLine(Recorded, Base):
    """An amount that may be spent in a quarter, for a programme, a department, both or neither."""

    __tablename__ = "budget_line"
    KEY = ("line",)

    line: Mapped[str] = mapped_column(String(100))
    quarter: Mapped[str] = mapped_column(String(6))
    kind: Mapped[str] = mapped_column(String(20))
    programme: Mapped[str | None] = mapped_column(String(100))
    department: Mapped[str | None] = mapped_column(String(200))
    what: Mapped[str | None] = mapped_column(Text)
    amount: Mapped[Decimal] = mapped_column(Money)
    currency: Mapped[str] = mapped_column(String(3))


class Cost(Recorded, Base):
    """An amount that was spent: a direct cost, an indirect one, or the time of those who took part."""

    __tablename__ = "cost"
    KEY = ("document",)

    document: Mapped[str] = mapped_column(String(100))
    spent_on: Mapped[date] = mapped_column(Date)
    kind: Mapped[str] = mapped_column(String(20))
    line: Mapped[str | None] = mapped_column(String(100))
    programme: Mapped[str | None] = mapped_column(String(100))
    department: Mapped[str | None] = mapped_column(String(200))
    what: Mapped[str | None] = mapped_column(Text)
    amount: Mapped[Decimal] = mapped_column(Money)
    currency: Mapped[str] = mapped_column(String(3))


class CurrencyRate(Recorded, Base):
    """What one unit of a currency is worth in the organisation's, from a day on."""

    __tablename__ = "currency_rate"
    KEY = ("currency", "from_on")

    currency: Mapped[str] = mapped_column(String(3))
    from_on: Mapped[date] = mapped_column(Date)
    rate: Mapped[Decimal] = mapped_column(Exact(18, 8))


class SupervisorRating(Recorded, Base):
    """What a supervisor observed of somebody at work before a programme or some months after it."""

    __tablename__ = "supervisor_rating"
    KEY = ("programme", "person_id", "moment", "months_after", "dimension")

    programme: Mapped[str] = mapped_column(String(100))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    moment: Mapped[str] = mapped_column(String(10))
    months_after: Mapped[int]
    dimension: Mapped[str] = mapped_column(String(100))
    rated_on: Mapped[date] = mapped_column(Date)
    score: Mapped[Decimal] = mapped_column(Amount)
    lowest: Mapped[Decimal] = mapped_column(Amount)
    highest: Mapped[Decimal] = mapped_column(Amount)
    rater_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    observation: Mapped[str | None] = mapped_column(Text)


class PerformanceMeasure(Recorded, Base):
    """A performance figure, and which way is better."""

    __tablename__ = "performance_measure"
    KEY = ("measure",)

    measure: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(300))
    better: Mapped[str] = mapped_column(String(10))
    unit: Mapped[str | None] = mapped_column(String(50))


class PerformanceValue(Recorded, Base):
    """Somebody's performance in a month, of which `month` is the first day."""

    __tablename__ = "performance_value"
    KEY = ("measure", "person_id", "month")

    measure: Mapped[str] = mapped_column(String(100))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    month: Mapped[date] = mapped_column(Date)
    value: Mapped[Decimal] = mapped_column(Amount)


class Benefit(Recorded, Base):
    """What a programme brought, in money, and how much of that is its own doing (`isolation`) and how sure that is."""

    __tablename__ = "benefit"
    KEY = ("statement",)

    statement: Mapped[str] = mapped_column(String(100))
    programme: Mapped[str] = mapped_column(String(100))
    stated_on: Mapped[date] = mapped_column(Date)
    kind: Mapped[str] = mapped_column(String(20))
    amount: Mapped[Decimal] = mapped_column(Money)
    currency: Mapped[str] = mapped_column(String(3))
    isolation: Mapped[Decimal | None] = mapped_column(Share)
    confidence: Mapped[Decimal | None] = mapped_column(Share)
    stated_by: Mapped[str | None] = mapped_column(String(300))
    what: Mapped[str | None] = mapped_column(Text)


class SurveyEntry(Recorded, Base):
    """One answer to one question of a survey that is not the LMS's; without `person_id` it is anonymous."""

    __tablename__ = "survey_entry"
    KEY = ("survey", "respondent", "question")

    survey: Mapped[str] = mapped_column(String(100))
    respondent: Mapped[str] = mapped_column(String(100))
    question: Mapped[str] = mapped_column(String(200))
    purpose: Mapped[str] = mapped_column(String(20))
    dimension: Mapped[str | None] = mapped_column(String(100), index=True)
    course: Mapped[str | None] = mapped_column(String(300))
    programme: Mapped[str | None] = mapped_column(String(100))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    answered_on: Mapped[date | None] = mapped_column(Date)
    score: Mapped[Decimal | None] = mapped_column(Amount)
    lowest: Mapped[Decimal] = mapped_column(Amount)
    highest: Mapped[Decimal] = mapped_column(Amount)
    answer: Mapped[str | None] = mapped_column(Text)


class ModelCompetency(Recorded, Base):
    """A competency of the organisation's model; `lms_object` is what the LMS calls it, FRAMEWORK/COMPETENCY."""

    __tablename__ = "model_competency"
    KEY = ("competency",)

    competency: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(300))
    dimension: Mapped[str] = mapped_column(String(100))
    lms_object: Mapped[str | None] = mapped_column(String(300))
    courses: Mapped[list[Any]]
    what: Mapped[str | None] = mapped_column(Text)


class ModelLevel(Recorded, Base):
    """A level of a competency, with the behaviour by which it is known."""

    __tablename__ = "model_level"
    KEY = ("competency", "level")

    competency: Mapped[str] = mapped_column(String(100))
    level: Mapped[int]
    name: Mapped[str] = mapped_column(String(300))
    behaviour: Mapped[str] = mapped_column(Text)


class Post(Recorded, Base):
    """How critical a position is: the weight of what its holders lack."""

    __tablename__ = "post"
    KEY = ("position",)

    position: Mapped[str] = mapped_column(String(200))
    criticality: Mapped[Decimal] = mapped_column(Amount)


class PostCompetency(Recorded, Base):
    """The level of a competency that a position requires."""

    __tablename__ = "post_competency"
    KEY = ("position", "competency")

    position: Mapped[str] = mapped_column(String(200))
    competency: Mapped[str] = mapped_column(String(100))
    level: Mapped[int]


class CompetencyAssessment(Recorded, Base):
    """The level that an assessor, or the person themselves, found on a day; valid until `valid_until`, which is not in it."""

    __tablename__ = "competency_assessment"
    KEY = ("person_id", "competency", "assessed_on", "by")

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    competency: Mapped[str] = mapped_column(String(100))
    assessed_on: Mapped[date] = mapped_column(Date)
    by: Mapped[str] = mapped_column(String(20))
    level: Mapped[int]
    valid_until: Mapped[date | None] = mapped_column(Date)
    assessor_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)


class InterviewNote(Recorded, Base):
    """What was said in an interview, a focus group or by somebody who left."""

    __tablename__ = "interview_note"
    KEY = ("note",)

    note: Mapped[str] = mapped_column(String(100))
    held_on: Mapped[date] = mapped_column(Date)
    kind: Mapped[str] = mapped_column(String(20))
    department: Mapped[str | None] = mapped_column(String(200))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    competency: Mapped[str | None] = mapped_column(String(100))
    said: Mapped[str] = mapped_column(Text)


class ExternalTraining(Recorded, Base):
    """A training outside the LMS that somebody took part in."""

    __tablename__ = "external_training"
    KEY = ("person_id", "title", "ended_on")

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    title: Mapped[str] = mapped_column(String(300))
    ended_on: Mapped[date] = mapped_column(Date)
    began_on: Mapped[date | None] = mapped_column(Date)
    hours: Mapped[Decimal] = mapped_column(Amount)
    provider: Mapped[str | None] = mapped_column(String(300))
    category: Mapped[str | None] = mapped_column(String(300))
    programme: Mapped[str | None] = mapped_column(String(100))
    certificate: Mapped[str | None] = mapped_column(String(300))
