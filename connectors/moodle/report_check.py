"""Whether the custom reports are as they have to be: shown to this user, column by column, with filters, dates in UTC."""

from collections.abc import Iterator, Mapping

from connectors.moodle import report_cells
from connectors.moodle.client import MoodleClient
from connectors.moodle.errors import MoodleError, ReportDriftError
from connectors.moodle.report_reading import (
    CREATED_FILTER,
    LIST,
    PARTICIPANTS,
    REPORTS,
    RETRIEVE,
    Reading,
    ReportReader,
    find,
)
from connectors.moodle.report_rows import CREATED, MINUTE
from connectors.moodle.settings import MoodleSettings
from connectors.streams import Finding
from plugin.errors import RecordRefusedError

ROWS_LOOKED_AT = 100
_EDITOR = "Site administration > Reports > Report builder > Custom reports"


def check_reports(client: MoodleClient, settings: MoodleSettings) -> Iterator[Finding]:
    """What is wrong with the reports; nothing when the token may not read any. Raises MoodleError of the whole source."""
    if RETRIEVE not in client.site.functions:
        return
    given: Mapping[str, int] = {str(key): number for key, number in settings.reports.items()}
    ids = find(client, given)
    for report in REPORTS:
        if report.key in ids:
            yield from _check(ReportReader(client, report, ids[report.key]))
        elif report.key in given and LIST in client.site.functions:
            yield Finding(
                "error",
                f"The report {given[report.key]} ({report.key}) is not shown to the web service user",
                "it is not read",
                f"Add that user on the tab 'Audience' of the report, in {_EDITOR}; check its number in config.toml",
            )
    if PARTICIPANTS.key not in {*ids, *given}:
        yield Finding(
            "hint",
            f"There is no report '{PARTICIPANTS.title}'",
            "enrolments and completions take thousands of calls instead of one, and bear no dates of enrolment",
            "Make it as docs/moodle.md shows",
        )


def _check(reader: ReportReader) -> Iterator[Finding]:
    name = f"The report '{reader.report.title}' (id {reader.report_id})"
    try:
        if reader.can_filter:
            reader.narrow({})
        drifted = list(reader.drift(reader.headings()))
        for column, found, wanted in drifted:
            shown = "has no heading" if found is None else f"is headed '{found[:100]}'"
            mend = f"put '{wanted}' there" if wanted else "take it away"
            yield Finding(
                "error", f"{name}: column {column} {shown}", "nothing is read from it", f"In {_EDITOR}: {mend}"
            )
        if not drifted:
            yield from _dates(reader, name)
    except MoodleError as error:
        if error.whole_source:
            raise
        what, _, mend = str(error).partition(". ")
        yield Finding("error", what, "nothing is read from it", mend or what)


def _dates(reader: ReportReader, name: str) -> Iterator[Finding]:
    """Whether dates are written as agreed and in UTC, and which filters work."""
    rows = next(reader.pages(Reading(), ROWS_LOOKED_AT))
    if not reader.can_filter or not reader.report.filters:
        return
    try:
        missing = [one for one in reader.report.filters if not reader.has_filter(one)]
        for one in missing:
            yield Finding(
                "warning",
                f"{name} does not have the filter {one}",
                "everything is read at each pull instead of what is new",
                f"Add it on the tab 'Filters', in {_EDITOR}",
            )
        moments = [moment for row in rows if len(row) > CREATED and (moment := _moment(row[CREATED]))]
        if moments and CREATED_FILTER not in missing:
            reader.narrow({})
            reader.since(CREATED_FILTER, moments[0], moments[0] + MINUTE - 1)
            shown = next(reader.pages(Reading(), 1))
            if not any(_moment(row[CREATED]) == moments[0] for row in shown):
                raise ReportDriftError(
                    f"{name} does not write UTC although it is asked to. Choose 'Users can choose their own timezone' at "
                    "'Force timezone' on Site administration > General > Location > Location settings."
                )
    finally:
        reader.narrow({})


def _moment(cell: str | None) -> int | None:
    try:
        return report_cells.moment(cell)
    except RecordRefusedError:
        return None
