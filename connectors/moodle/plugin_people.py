"""What people belong to, were given and are rated in, as the companion plugin shows it: cohorts, badges, competencies, plans."""

from collections.abc import Mapping, Sequence
from typing import Any

from connectors import parse
from connectors.moodle.plugin import Row
from connectors.moodle.plugin_reading import ByNumber, Part
from connectors.moodle.plugin_streams import named_raws
from connectors.records import (
    BadgeRecord,
    CohortMemberRecord,
    CohortRecord,
    CompetencyRatingRecord,
    CompetencyRecord,
    LearningPlanRecord,
    Record,
)
from connectors.streams import Raw
from plugin.errors import RecordRefusedError

PLANS = {0: "draft", 1: "active", 2: "complete", 3: "waiting for review", 4: "in review"}  # core_competency\plan


class Cohorts(ByNumber):
    """Cohorts and who belongs to them."""

    name = "cohorts"
    records = (CohortRecord, CohortMemberRecord)
    parts = (
        Part("cohorts", CohortRecord, ("cohort_key",), number="cohort_key"),
        Part(
            "cohort_members",
            CohortMemberRecord,
            ("cohort_key", "user_key"),
            "object_user",
            ("cohortid", "userid"),
            "row_id",
        ),
    )

    def raws(self, rows: Mapping[str, Sequence[Row]], time: int) -> list[Raw]:
        """An item for each cohort and each membership."""
        members = named_raws("cohort_member", rows.get("cohort_members", ()), "cohortid", "userid")
        return named_raws("cohort", rows.get("cohorts", ()), "id") + members

    def parse(self, raw: Mapping[str, Any]) -> Record:
        """A cohort or a membership."""
        if "cohortid" in raw:
            return CohortMemberRecord(
                cohort_key=parse.key(raw, "cohortid"),
                user_key=parse.key(raw, "userid"),
                added_at=parse.moment(raw, "timeadded"),
                row_id=int(parse.key(raw, "id")),
            )
        return CohortRecord(
            cohort_key=parse.key(raw, "id"),
            name=str(parse.required(raw, "name"))[:300],
            idnumber=parse.text(raw, "idnumber", 300),
        )


class Badges(ByNumber):
    """Badges issued to users; Moodle's badges have no idnumber, so rules call them by name."""

    name = "badges"
    records = (BadgeRecord,)
    parts = (Part("badges", BadgeRecord, ("badge_key", "user_key"), "object_user", ("badgeid", "userid"), "row_id"),)

    def raws(self, rows: Mapping[str, Sequence[Row]], time: int) -> list[Raw]:
        """An item for each badge issued."""
        return named_raws("badge", rows["badges"], "badgeid", "userid")

    def parse(self, raw: Mapping[str, Any]) -> BadgeRecord:
        """An issued badge."""
        name = parse.text(raw, "badgename", 300)
        issued_at = parse.moment(raw, "dateissued")
        if name is None or issued_at is None:
            raise RecordRefusedError(f"The field {'dateissued' if name else 'badgename'!r} is missing.")
        return BadgeRecord(
            badge_key=parse.key(raw, "badgeid"),
            user_key=parse.key(raw, "userid"),
            issued_at=issued_at,
            object=name,
            name=name,
            course_key=parse.key(raw, "courseid") if raw.get("courseid") else None,
            expires_at=parse.moment(raw, "dateexpire"),
            row_id=int(parse.key(raw, "id")),
        )


class Competencies(ByNumber):
    """Competencies with their scales, and how users are rated in them, over all and in courses."""

    name = "competencies"
    records = (CompetencyRecord, CompetencyRatingRecord)
    parts = (
        Part("competencies", CompetencyRecord, ("competency_key",), number="competency_key"),
        Part("competency_ratings", CompetencyRatingRecord, ("row_id",), number="row_id"),
    )

    def raws(self, rows: Mapping[str, Sequence[Row]], time: int) -> list[Raw]:
        """An item for each competency and each rating that was given."""
        given = (
            row
            for row in rows.get("competency_ratings", ())
            if row.get("grade", "missing") is not None or row.get("proficiency") is not None
        )
        ratings = named_raws("competency_rating", given, "id")
        return named_raws("competency", rows.get("competencies", ()), "id") + ratings

    def parse(self, raw: Mapping[str, Any]) -> Record:
        """A competency or a rating."""
        return _rating(raw) if "competencyid" in raw else _competency(raw)


def _competency(raw: Mapping[str, Any]) -> CompetencyRecord:
    key = parse.key(raw, "id")
    framework = parse.text(raw, "frameworkidnumber", 150) or f"id:{parse.key(raw, 'frameworkid')}"
    levels = raw.get("scale")
    return CompetencyRecord(
        competency_key=key,
        object=f"{framework}/{parse.text(raw, 'idnumber', 149) or f'id:{key}'}",
        name=str(parse.required(raw, "shortname"))[:300],
        framework=framework,
        parent_key=parse.key(raw, "parentid") if raw.get("parentid") else None,
        levels=[parse.storable(str(level)) for level in levels] if isinstance(levels, list) and levels else None,
    )


def _rating(raw: Mapping[str, Any]) -> CompetencyRatingRecord:
    rated_at = parse.moment(raw, "timemodified")
    if rated_at is None:
        raise RecordRefusedError("The field 'timemodified' is missing: the rating cannot be placed in time.")
    return CompetencyRatingRecord(
        competency_key=parse.key(raw, "competencyid"),
        user_key=parse.key(raw, "userid"),
        course_key=parse.key(raw, "courseid") if raw.get("courseid") else "",
        level=parse.number(raw, "grade"),
        proficient=parse.flag(raw, "proficiency"),
        rated_at=rated_at,
        row_id=int(parse.key(raw, "id")),
    )


class Plans(ByNumber):
    """Learning plans of users."""

    name = "plans"
    records = (LearningPlanRecord,)
    parts = (Part("plans", LearningPlanRecord, ("plan_key",), number="plan_key"),)

    def raws(self, rows: Mapping[str, Sequence[Row]], time: int) -> list[Raw]:
        """An item for each plan."""
        return named_raws("plan", rows["plans"], "id")

    def parse(self, raw: Mapping[str, Any]) -> LearningPlanRecord:
        """A plan."""
        status = parse.required(raw, "status")
        if status not in PLANS:
            raise RecordRefusedError(f"The field 'status' holds {status!r}, which is no status of a plan.")
        return LearningPlanRecord(
            plan_key=parse.key(raw, "id"),
            user_key=parse.key(raw, "userid"),
            name=str(parse.required(raw, "name"))[:300],
            status=PLANS[status],
            due_at=parse.moment(raw, "duedate"),
        )
