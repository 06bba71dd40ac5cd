"""Reading custom reports: which columns each must have, its pages, its filters.

Columns are known by their position, and checked against their headings before anything is read. A report's filters
are a preference of the web service user: what another program set, or a crash left behind, would narrow a report
down without a word. So they are cleared first and last, and two pulls never read as one user at a time.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.moodle import report_cells
from connectors.moodle.client import MoodleClient
from connectors.moodle.errors import ReportDriftError, UnreachableError
from plugin.errors import RecordRefusedError

LIST = "core_reportbuilder_list_reports"
RETRIEVE = "core_reportbuilder_retrieve_report"
SET_FILTERS = "core_reportbuilder_set_filters"
ROWS_PER_CALL = 20_000
DATE_RANGE = 3  # Moodle's number of the filter operator 'Range'
AFTER_ALL = 4_102_444_800  # the year 2100

CREATED_FILTER, COMPLETED_FILTER, COURSE_FILTER = (
    "enrolment:timecreated",
    "completion:timecompleted",
    "course:courseselector",
)

Row = list[Any]


@dataclass(frozen=True)
class Report:
    """A report that docs/moodle.md shows how to make: its agreed name, its source, its headings, which columns are dates."""

    key: str
    title: str
    source: str
    headings: tuple[str, ...]
    dates: tuple[int, ...]
    filters: tuple[str, ...] = ()


PARTICIPANTS = Report(
    "participants",
    "CertBridge participants",
    "core_course\\reportbuilder\\datasource\\participants",
    (
        "Full name with link", "Username", "ID number", "Email address", "Department", "Suspended",
        "Course full name with link", "Course short name", "Course ID number",
        "Plugin", "Status", "Time created", "Time started", "Time ended",
        "Time started", "Time completed",
    ),
    (11, 12, 13, 14, 15),
    (CREATED_FILTER, COMPLETED_FILTER, COURSE_FILTER),
)  # fmt: skip
BADGES = Report(
    "badges",
    "CertBridge badges",
    "core_badges\\reportbuilder\\datasource\\users",
    ("Full name with link", "Name with link", "Course full name with link", "Date issued", "Expiry date"),
    (3, 4),
)
COHORTS = Report(
    "cohorts",
    "CertBridge cohorts",
    "core_cohort\\reportbuilder\\datasource\\cohorts",
    ("Name", "Cohort ID", "Full name with link", "Time added"),
    (3,),
)
REPORTS = (PARTICIPANTS, BADGES, COHORTS)


@dataclass
class Reading:
    """How reading a report went: `total` rows as the first page said; `whole` when that many came, and it stayed so."""

    total: int = 0
    rows: int = 0
    whole: bool = True


class ReportReader:
    """Reads one report of one site."""

    def __init__(self, client: MoodleClient, report: Report, report_id: int) -> None:
        self.report = report
        self.report_id = report_id
        self._client = client

    @property
    def can_filter(self) -> bool:
        """Whether the token may set filters."""
        return SET_FILTERS in self._client.site.functions

    def pages(self, reading: Reading, rows_per_call: int | None = None) -> Iterator[list[Row]]:
        """The rows as they are shown now, a call each; `reading` says afterwards how it went.

        Raises MoodleError; ReportDriftError when columns or dates are not those of docs/moodle.md.
        """
        size, page = rows_per_call or ROWS_PER_CALL, 0
        while True:
            headings, rows, total = self._page(page, size)
            self._check_headings(headings)
            self._check_dates(rows)
            if page == 0:
                reading.total = total
            reading.rows += len(rows)
            page += 1
            last = not rows or page * size >= reading.total
            reading.whole &= total == reading.total and (not last or reading.rows == total)
            yield rows
            if last:
                return

    def narrow(self, values: Mapping[str, Any]) -> None:
        """Let the report show only some rows, by the names of its filters; without any it shows all again."""
        function = SET_FILTERS
        if self._client.call(function, reportid=self.report_id, parameters="[]", values=json.dumps(values)) is not True:
            raise UnreachableError(
                f"{function}: Moodle did not set the filters of {self._name}; the next pull asks again."
            )

    def since(self, name: str, moment: int, until: int | None = None) -> None:
        """Let the report show only rows whose date `name` lies at `moment` (Unix seconds) or later, up to `until`."""
        values = {f"{name}_operator": DATE_RANGE, f"{name}_from": moment}
        self.narrow(values | ({f"{name}_to": until} if until else {}))

    def has_filter(self, name: str) -> bool:
        """Whether the report obeys this filter: asked for what cannot be, it shows nothing. Other filters are cleared."""
        if name == COURSE_FILTER:
            self.narrow({f"{name}_values": [0]})
        else:
            self.since(name, AFTER_ALL)
        return self._page(0, 1)[2] == 0

    def headings(self) -> list[str]:
        """The headings that the report shows."""
        return self._page(0, 1)[0]

    def drift(self, headings: Sequence[str]) -> Iterator[tuple[int, str | None, str | None]]:
        """Where headings are not the expected ones: column from 1, what was found, what was expected."""
        expected = self.report.headings
        for place in range(max(len(headings), len(expected))):
            found = headings[place] if place < len(headings) else None
            wanted = expected[place] if place < len(expected) else None
            if found != wanted:
                yield place + 1, found, wanted

    def no_filter(self, name: str) -> ReportDriftError:
        """For a filter that changed nothing: Moodle takes the names of those that a report does not have, in silence."""
        return ReportDriftError(f"{self._name} does not have the filter {name}: add it on its tab 'Filters'.")

    @property
    def _name(self) -> str:
        return f"the report '{self.report.title}' (id {self.report_id})"

    def _page(self, page: int, size: int) -> tuple[list[str], list[Row], int]:
        answer = self._client.call(RETRIEVE, reportid=self.report_id, page=page, perpage=size)
        try:
            data = answer["data"]
            headings, total = list(data["headers"]), int(data["totalrowcount"])
            rows = [list(row["columns"]) for row in data["rows"]]
        except (KeyError, TypeError, ValueError):
            raise UnreachableError(
                f"{RETRIEVE}: Moodle's answer is JSON, but not a page of a report; the next pull asks again."
            ) from None
        return headings, rows, total

    def _check_headings(self, headings: Sequence[str]) -> None:
        for column, found, wanted in self.drift(headings):
            raise ReportDriftError(
                f"{self._name}, column {column}: found {_quoted(found)}, expected {_quoted(wanted)}. Nothing was read. "
                "Put the columns into the order that docs/moodle.md shows, without headings of your own."
            )

    def _check_dates(self, rows: Sequence[Row]) -> None:
        """A single date that cannot be read is its row's own matter; when most are, the site writes dates otherwise."""
        read = 0
        odd: list[str] = []
        for row in rows:
            for place in self.report.dates if len(row) == len(self.report.headings) else ():
                try:
                    read += report_cells.moment(row[place]) is not None
                except (RecordRefusedError, TypeError):
                    odd.append(str(row[place])[:60])
        if len(odd) > read:
            raise ReportDriftError(
                f"{self._name} writes dates as {odd[0]!r}. Nothing was read: give strftimedaydatetime in langconfig.php "
                "its own text back, on Site administration > Language > Language customisation > English."
            )


def find(client: MoodleClient, given: Mapping[str, int]) -> dict[str, int]:
    """By key, the ids of the reports there are for this user: those given, else those with the agreed names.

    Raises MoodleError.
    """
    if LIST not in client.site.functions:
        return dict(given)
    answer = client.call(LIST, page=0, perpage=0)
    listed = answer.get("reports") if isinstance(answer, dict) else None
    shown = [one for one in listed or [] if isinstance(one, dict) and isinstance(one.get("id"), int)]
    found: dict[str, int] = {}
    for report in REPORTS:
        for one in shown:
            wanted = given.get(report.key)
            named = one.get("name") == report.title and one.get("source") == report.source
            if one["id"] == wanted or (wanted is None and named):
                found.setdefault(report.key, int(one["id"]))
    return found


def _quoted(heading: str | None) -> str:
    return "no column" if heading is None else repr(heading[:100])
