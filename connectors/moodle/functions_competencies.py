"""Competencies and how users are rated in them over all, as the plain functions show it.

Ratings need a call for each account and competency: they are read where the settings ask for it. Ratings within courses
are not read this way, and neither are the texts of scales.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from connectors import parse
from connectors.moodle.client import Call
from connectors.moodle.functions_reading import PerUser, has_id, listed, name_of
from connectors.records import CompetencyRatingRecord, CompetencyRecord, Record
from connectors.streams import Cursor, Page, Raw, Scope, pass_number
from plugin.errors import RecordRefusedError

SYSTEM_CONTEXT = 1


class Competencies(PerUser):
    """Competencies, and the ratings of every account that was rated."""

    name = "competencies"
    records = (CompetencyRecord, CompetencyRatingRecord)
    whole = (CompetencyRatingRecord,)
    function = "tool_lp_data_for_user_competency_summary"
    frameworks = "core_competency_list_competency_frameworks"
    competencies = "core_competency_list_competencies"
    accounts_at_once = 100

    def pull(self, cursor: Cursor | None) -> Iterator[Page]:
        """A page with the competencies, then the ratings of some accounts at a time."""
        if cursor is None or len(cursor) == 1:
            cursor = (pass_number(cursor), 0)
            raws = [Raw(f"competency:{name_of(one)}", one) for one in self._competencies]
            yield Page(cursor, raws, Scope((CompetencyRecord,)), key="competencies")
        yield from super().pull(cursor)

    def calls(self, user: int) -> list[Call]:
        """One call for each competency."""
        ids = [one["id"] for one in self._competencies if has_id(one)]
        return [Call(self.function, {"userid": user, "competencyid": number}) for number in ids]

    def items(self, call: Call, answer: Any) -> list[Raw]:
        """The rating, if there is one: Moodle shows an empty one for who was never rated."""
        rating = answer.get("usercompetency") if isinstance(answer, dict) else None
        user, competency = call.arguments["userid"], call.arguments["competencyid"]
        if isinstance(rating, dict) and rating.get("grade") is None and rating.get("proficiency") is None:
            return []
        shown = ("grade", "proficiency", "timemodified")
        value = {name: rating[name] for name in shown if name in rating} if isinstance(rating, dict) else {}
        return [Raw(f"rating:{competency}:{user}", {"userid": user, "competencyid": competency, **value})]

    def parse(self, raw: Mapping[str, Any]) -> Record:
        """A competency or a rating."""
        if "competencyid" not in raw:
            key = parse.key(raw, "id")
            framework = parse.text(raw, "frameworkidnumber", 150) or f"id:{parse.key(raw, 'competencyframeworkid')}"
            return CompetencyRecord(
                competency_key=key,
                object=f"{framework}/{parse.text(raw, 'idnumber', 149) or f'id:{key}'}",
                name=str(parse.required(raw, "shortname"))[:300],
                framework=framework,
                parent_key=parse.key(raw, "parentid") if raw.get("parentid") else None,
            )
        rated_at = parse.moment(raw, "timemodified")
        if rated_at is None:
            raise RecordRefusedError("The field 'timemodified' is missing: the rating cannot be placed in time.")
        return CompetencyRatingRecord(
            competency_key=parse.key(raw, "competencyid"),
            user_key=parse.key(raw, "userid"),
            course_key="",
            level=parse.number(raw, "grade"),
            proficient=parse.flag(raw, "proficiency"),
            rated_at=rated_at,
        )

    @cached_property
    def _competencies(self) -> list[Mapping[str, Any]]:
        context = {"contextid": SYSTEM_CONTEXT}
        frameworks = listed(self._client.call(self.frameworks, sort="id", context=context), self.frameworks)
        shown = ("id", "idnumber", "shortname", "parentid", "competencyframeworkid")
        found: list[Mapping[str, Any]] = []
        for framework in frameworks:
            filters = [{"column": "competencyframeworkid", "value": framework.get("id")}]
            answer = self._client.call(self.competencies, filters=filters)
            found += [
                {name: one[name] for name in shown if name in one} | {"frameworkidnumber": framework.get("idnumber")}
                for one in listed(answer, self.competencies)
            ]
        return found
