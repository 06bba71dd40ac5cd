"""The streams of the reports of badges and of cohorts: read whole at every pull, in one call while they are small."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from json import dumps
from typing import Any

from connectors import parse
from connectors.moodle import report_cells
from connectors.moodle.client import MoodleClient
from connectors.moodle.report_reading import Reading, ReportReader, Row
from connectors.moodle.ways import REPORT
from connectors.records import BadgeRecord, CohortMemberRecord, CohortRecord, Record
from connectors.streams import Cursor, Page, Raw, Scope, Stream, pass_number
from plugin.errors import RecordRefusedError

COHORT_FUNCTION = "core_cohort_get_cohorts"


class _WholeReport(Stream):
    """A stream that is one report."""

    way = REPORT

    def __init__(self, reader: ReportReader) -> None:
        self._reader = reader

    def pull(self, cursor: Cursor | None) -> Iterator[Page]:
        """One page with everything; nothing counts as gone when the report changed while it was read."""
        if self._reader.can_filter:
            self._reader.narrow({})
        reading = Reading()
        raws = {raw.key: raw for rows in self._reader.pages(reading) for raw in self.items(rows)}
        scope = Scope(self.records) if reading.whole else None
        yield Page((pass_number(cursor) + 1,), list(raws.values()), scope, key=self.name, ends_pass=reading.whole)

    def items(self, rows: list[Row]) -> Iterator[Raw]:
        """What rows of the report give."""
        raise NotImplementedError


class ReportBadges(_WholeReport):
    """The badges that users were given."""

    name = "badges"
    records = (BadgeRecord,)

    def items(self, rows: list[Row]) -> Iterator[Raw]:
        """An item for each badge of each user; users without one have a row too."""
        for row in rows:
            if len(row) != len(self._reader.report.headings) or row[1]:
                yield Raw(f"badge:{_digest(row[:4])}", {"columns": row})

    def parse(self, raw: Mapping[str, Any]) -> BadgeRecord:
        """A badge somebody was given; its moments are to the minute."""
        user, badge, course, issued, expires = _columns(raw, 5)
        whose, which = report_cells.link(user, "/user/"), report_cells.link(badge, "/badges/")
        if whose is None or which is None:
            raise RecordRefusedError("The row does not say whose badge it is.")
        moments = {"issued": report_cells.moment(issued), "expires": report_cells.moment(expires)}
        parse.required(moments, "issued")
        issued_at = parse.moment(moments, "issued")
        if issued_at is None:
            raise RecordRefusedError("The badge has no date of issue.")
        name = parse.text({"name": which[1]}, "name", 300) or f"id:{which[0]}"
        within = report_cells.link(course, "/course/") if "/course/" in (course or "") else None
        return BadgeRecord(
            badge_key=str(which[0]),
            user_key=str(whose[0]),
            issued_at=issued_at,
            object=name,
            name=name,
            course_key=str(within[0]) if within and within[0] > 1 else None,  # 1 is the site itself
            expires_at=parse.moment(moments, "expires"),
        )


class ReportCohorts(_WholeReport):
    """The cohorts and their members.

    The report does not show a cohort's id: a plain function gives it where the token has that one; else the cohort's ID
    number, or its name, serves as its key.
    """

    name = "cohorts"
    records = (CohortRecord, CohortMemberRecord)

    def __init__(self, reader: ReportReader, client: MoodleClient) -> None:
        super().__init__(reader)
        self._client = client
        self._ids: dict[tuple[str, str], list[str]] = {}

    def pull(self, cursor: Cursor | None) -> Iterator[Page]:
        """One page with all cohorts and all members."""
        self._ids = self._known()
        yield from super().pull(cursor)

    def items(self, rows: list[Row]) -> Iterator[Raw]:
        """An item for each cohort, empty ones too, and one for each member."""
        for row in rows:
            if len(row) != len(self._reader.report.headings):
                yield Raw(f"row:{_digest(row)}", {"columns": row})
                continue
            name, idnumber = report_cells.text(row[0]) or "", report_cells.text(row[1]) or ""
            keys = self._ids.get((name, idnumber), []) if self._ids else [idnumber or name]
            cohort = {"name": name, "idnumber": idnumber, "keys": keys}
            yield Raw(f"cohort:{_digest([name, idnumber])}", cohort)
            if row[2]:
                yield Raw(f"member:{_digest([name, idnumber, row[2]])}", {**cohort, "columns": row})

    def parse(self, raw: Mapping[str, Any]) -> Record:
        """A cohort, or that a user belongs to one since a minute."""
        keys = raw.get("keys")
        if keys is None:
            raise RecordRefusedError("The row has not the columns of its report.")
        if len(keys) != 1:
            count = "several" if keys else "no"
            raise RecordRefusedError(f"There are {count} cohorts with this name and ID number: give each its own.")
        key = {"key": keys[0]}
        if "columns" not in raw:
            name = parse.text(raw, "name", 300) or keys[0]
            return CohortRecord(parse.key(key, "key"), name, parse.text(raw, "idnumber", 300))
        _, _, user, added = _columns(raw, 4)
        whose = report_cells.link(user, "/user/")
        if whose is None:
            raise RecordRefusedError("The row does not say who belongs to the cohort.")
        added_at = parse.moment({"added": report_cells.moment(added)}, "added")
        return CohortMemberRecord(parse.key(key, "key"), str(whose[0]), added_at)

    def _known(self) -> dict[tuple[str, str], list[str]]:
        if COHORT_FUNCTION not in self._client.site.functions:
            return {}
        known: dict[tuple[str, str], list[str]] = {}
        answer = self._client.call(COHORT_FUNCTION)
        for cohort in answer if isinstance(answer, list) else []:
            name = report_cells.text(str(cohort.get("name") or "")) or ""
            idnumber = report_cells.text(str(cohort.get("idnumber") or "")) or ""
            known.setdefault((name, idnumber), []).append(str(cohort.get("id")))
        return known


def _columns(raw: Mapping[str, Any], count: int) -> list[Any]:
    columns = raw.get("columns")
    if not isinstance(columns, list) or len(columns) != count:
        raise RecordRefusedError(f"The row has not the {count} columns of its report.")
    return columns


def _digest(value: Any) -> str:
    return sha256(dumps(value).encode()).hexdigest()[:32]
