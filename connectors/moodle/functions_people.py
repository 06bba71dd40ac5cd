"""What users belong to, were given and are rated in, as the plain functions show it.

Cohorts come in two calls. Badges, ratings and plans need calls for each account: they are read where the settings ask.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from connectors import parse
from connectors.moodle.client import Call, MoodleClient
from connectors.moodle.errors import NotFoundInMoodleError
from connectors.moodle.functions_reading import VALUES_AT_ONCE, PerUser, has_id, listed, name_of
from connectors.moodle.ways import FUNCTIONS
from connectors.records import BadgeRecord, CohortMemberRecord, CohortRecord, LearningPlanRecord, Record
from connectors.streams import Cursor, Page, Raw, Scope, Stream, pass_number
from plugin.errors import RecordRefusedError

PLANS = {0: "draft", 1: "active", 2: "complete", 3: "waiting for review", 4: "in review"}  # core_competency\plan


class Cohorts(Stream):
    """The cohorts and who belongs to them; since when, no plain function tells."""

    name = "cohorts"
    records = (CohortRecord, CohortMemberRecord)
    way = FUNCTIONS
    function = "core_cohort_get_cohorts"
    members = "core_cohort_get_cohort_members"

    def __init__(self, client: MoodleClient) -> None:
        self._client = client

    def pull(self, cursor: Cursor | None) -> Iterator[Page]:
        """One page with all cohorts and members. A cohort deleted between two calls fails the second: once more, then."""
        try:
            raws = self._raws()
        except NotFoundInMoodleError:
            raws = self._raws()
        yield Page((pass_number(cursor) + 1,), raws, Scope(self.records), key="cohorts", ends_pass=True)

    def parse(self, raw: Mapping[str, Any]) -> Record:
        """A cohort or a membership."""
        if "cohortid" in raw:
            return CohortMemberRecord(parse.key(raw, "cohortid"), parse.key(raw, "userid"))
        name = str(parse.required(raw, "name"))[:300]
        return CohortRecord(parse.key(raw, "id"), name, parse.text(raw, "idnumber", 300))

    def _raws(self) -> list[Raw]:
        cohorts = listed(self._client.call(self.function), self.function)
        shown = ("id", "name", "idnumber")
        raws = [
            Raw(f"cohort:{name_of(cohort)}", {name: cohort[name] for name in shown if name in cohort})
            for cohort in cohorts
        ]
        ids = [cohort["id"] for cohort in cohorts if has_id(cohort)]
        for start in range(0, len(ids), VALUES_AT_ONCE):
            answer = self._client.call(self.members, cohortids=ids[start : start + VALUES_AT_ONCE])
            raws += [
                Raw(f"member:{one.get('cohortid')}:{user}", {"cohortid": one.get("cohortid"), "userid": user})
                for one in listed(answer, self.members)
                for user in one.get("userids") or []
            ]
        return raws


class Badges(PerUser):
    """The badges of each account."""

    name = "badges"
    records = (BadgeRecord,)
    function = "core_badges_get_user_badges"

    def calls(self, user: int) -> list[Call]:
        """One call."""
        return [Call(self.function, {"userid": user})]

    def items(self, call: Call, answer: Any) -> list[Raw]:
        """An item for each badge."""
        user = call.arguments["userid"]
        shown = ("id", "name", "courseid", "dateissued", "dateexpire")
        return [
            Raw(
                f"badge:{name_of(badge)}:{user}",
                {"userid": user} | {name: badge[name] for name in shown if name in badge},
            )
            for badge in listed(answer, self.function, "badges")
        ]

    def parse(self, raw: Mapping[str, Any]) -> BadgeRecord:
        """A badge; Moodle's badges have no ID number, so rules call them by name."""
        name, issued_at = parse.text(raw, "name", 300), parse.moment(raw, "dateissued")
        if name is None or issued_at is None:
            raise RecordRefusedError(f"The field {'dateissued' if name else 'name'!r} is missing.")
        return BadgeRecord(
            badge_key=parse.key(raw, "id"),
            user_key=parse.key(raw, "userid"),
            issued_at=issued_at,
            object=name,
            name=name,
            course_key=parse.key(raw, "courseid") if raw.get("courseid") else None,
            expires_at=parse.moment(raw, "dateexpire"),
        )


class Plans(PerUser):
    """The learning plans of each account."""

    name = "plans"
    records = (LearningPlanRecord,)
    function = "core_competency_list_user_plans"

    def calls(self, user: int) -> list[Call]:
        """One call."""
        return [Call(self.function, {"userid": user})]

    def items(self, call: Call, answer: Any) -> list[Raw]:
        """An item for each plan."""
        shown = ("id", "userid", "name", "status", "duedate")
        return [
            Raw(f"plan:{name_of(plan)}", {name: plan[name] for name in shown if name in plan})
            for plan in listed(answer, self.function)
        ]

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
