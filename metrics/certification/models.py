"""What is derived about certifications: rules with versions, awards, where each person stands, requirements, promotions."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from plugin.store import Base, BigId


class CertificationRule(Base):
    """One version of a certification's rule. `text` is its TOML, which is what counts."""

    __tablename__ = "certification_rule"
    __table_args__ = (UniqueConstraint("code", "version"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    code: Mapped[str] = mapped_column(String(100))
    version: Mapped[int]
    effective_from: Mapped[date | None] = mapped_column(Date)
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(200))


class CertificationRegrade(Base):
    """That somebody applied a version of a rule to the awards granted under older ones. Append-only."""

    __tablename__ = "certification_regrade"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    code: Mapped[str] = mapped_column(String(100), index=True)
    version: Mapped[int]
    applied_at: Mapped[datetime]
    applied_by: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(Text)


class Award(Base):
    """One period in which a person holds, or held, a certification, with the evidence behind it.

    `number` is its own within the person's chain, for ever; `evidence` are the ids of what it uses.
    """

    __tablename__ = "award"
    __table_args__ = (UniqueConstraint("person_id", "certification", "number"),)

    id: Mapped[str] = mapped_column(String(26), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    certification: Mapped[str] = mapped_column(String(100))
    number: Mapped[int]
    achieved_at: Mapped[datetime]
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime | None]
    basis: Mapped[str] = mapped_column(String(30))
    rule_version: Mapped[int]
    evidence: Mapped[list[Any]]
    revoked_at: Mapped[datetime | None]
    recorded_at: Mapped[datetime]


class AwardChange(Base):
    """What the engine did to an award, and why. Append-only."""

    __tablename__ = "award_change"
    __table_args__ = (Index("ix_award_change_person", "person_id", "certification", "at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime]
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    certification: Mapped[str] = mapped_column(String(100))
    award_id: Mapped[str] = mapped_column(String(26))
    change: Mapped[str] = mapped_column(String(30))
    reason: Mapped[str] = mapped_column(String(50))
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]


class Holding(Base):
    """Where a person stands with a certification now; derived again at `next_change_at` or when the person is touched.

    It stands so since `derived_at` at the latest, by what `inputs` is a number for (metrics.certification.unchanged).
    """

    __tablename__ = "holding"
    __table_args__ = (
        Index("ix_holding_next", "next_change_at"),
        Index("ix_holding_status", "certification", "status"),
        Index("ix_holding_until", "valid_until"),
    )

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True, autoincrement=False)
    certification: Mapped[str] = mapped_column(String(100), primary_key=True)
    status: Mapped[str] = mapped_column(String(20))
    since: Mapped[datetime | None]
    achieved_at: Mapped[datetime | None]
    valid_from: Mapped[datetime | None]
    valid_until: Mapped[datetime | None]
    award_id: Mapped[str | None] = mapped_column(String(26))
    rule_version: Mapped[int | None]
    required: Mapped[bool]
    next_change_at: Mapped[datetime | None]
    inputs: Mapped[int | None] = mapped_column(BigInteger)
    derived_at: Mapped[datetime | None]


class Decision(Base):
    """What somebody decided about a person's certification: to exempt, revoke or reinstate. Kept for good.

    A proposal waits as `proposed` until it is `done` or `declined`. `undoes_id` is the revocation that a reinstatement
    takes back. An exemption holds from `starts_at` until `ends_at`, or until it is withdrawn. `answer` is why a
    proposal was declined, or an exemption withdrawn.
    """

    __tablename__ = "certification_decision"
    __table_args__ = (Index("ix_certification_decision_person", "person_id", "certification"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    certification: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20), index=True)
    reason: Mapped[str] = mapped_column(Text)
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    undoes_id: Mapped[int | None] = mapped_column(ForeignKey("certification_decision.id"))
    proposed_by: Mapped[str] = mapped_column(String(200))
    proposed_role: Mapped[str] = mapped_column(String(50))
    proposed_at: Mapped[datetime]
    decided_by: Mapped[str | None] = mapped_column(String(200))
    decided_role: Mapped[str | None] = mapped_column(String(50))
    decided_at: Mapped[datetime | None]
    withdrawn_by: Mapped[str | None] = mapped_column(String(200))
    withdrawn_at: Mapped[datetime | None]
    answer: Mapped[str | None] = mapped_column(Text)


class Requirement(Base):
    """Who must hold a certification, from `starts_on` until `ends_on` (half open): as a duty, or for a promotion.

    One of `position_code`, `grade_code`, `department_code` and `tag` names the population; where none does, it is the
    people listed in `requirement_person`. `with_children`: the departments below it as well. `recorded_at` is when it
    came to be on record; None, where that is not known: it always was.
    """

    __tablename__ = "requirement"
    __table_args__ = (
        CheckConstraint(
            " + ".join(
                f"CASE WHEN {name} IS NULL THEN 0 ELSE 1 END"
                for name in ("position_code", "grade_code", "department_code", "tag")
            )
            + " <= 1",
            name="ck_requirement_one_population",
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    certification: Mapped[str] = mapped_column(String(100), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    position_code: Mapped[str | None] = mapped_column(String(200), index=True)
    grade_code: Mapped[str | None] = mapped_column(String(200))
    department_code: Mapped[str | None] = mapped_column(String(200))
    with_children: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    tag: Mapped[str | None] = mapped_column(String(100))
    starts_on: Mapped[date] = mapped_column(Date)
    ends_on: Mapped[date | None] = mapped_column(Date)
    due_within: Mapped[str | None] = mapped_column(String(30))
    due_on: Mapped[date | None] = mapped_column(Date)
    recorded_at: Mapped[datetime | None]


class RequirementEnd(Base):
    """That a requirement's end was moved at `recorded_at`: `former` is the end on record until then. Append-only."""

    __tablename__ = "requirement_end"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    requirement_id: Mapped[int] = mapped_column(ForeignKey("requirement.id"), index=True)
    former: Mapped[date | None] = mapped_column(Date)
    recorded_at: Mapped[datetime]


class RequirementPerson(Base):
    """A person for whom a requirement was made by name."""

    __tablename__ = "requirement_person"

    requirement_id: Mapped[int] = mapped_column(ForeignKey("requirement.id"), primary_key=True, autoincrement=False)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True, autoincrement=False, index=True)


class Promotion(Base):
    """A promotion or pay record of HR, by HR's own id, with our answer; kept current until HR closes it.

    `decided` is the answer as it stood at closing, with the awards and the evidence behind it; it never changes.
    """

    __tablename__ = "promotion"

    promotion_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    from_position: Mapped[str | None] = mapped_column(String(200))
    to_position: Mapped[str | None] = mapped_column(String(200), index=True)
    from_grade: Mapped[str | None] = mapped_column(String(200))
    to_grade: Mapped[str | None] = mapped_column(String(200))
    effective_on: Mapped[date] = mapped_column(Date)
    proposed_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    eligibility: Mapped[str | None] = mapped_column(String(20))
    requirements: Mapped[list[Any]]
    note: Mapped[str | None] = mapped_column(Text)
    answered_at: Mapped[datetime | None]
    decided: Mapped[dict[str, Any] | None]
