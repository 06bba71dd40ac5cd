"""What the custom reports of a Moodle site can give, and which of them there are for this token.

With `core_reportbuilder_retrieve_report` alone, and no more rights than a report's audience, whole streams come in one
call. What reports never show is left to the other ways.
"""

from collections.abc import Callable, Mapping

from connectors.moodle import report_lock
from connectors.moodle.client import MoodleClient
from connectors.moodle.report_others import ReportBadges, ReportCohorts
from connectors.moodle.report_reading import (
    BADGES,
    COHORTS,
    LIST,
    PARTICIPANTS,
    REPORTS,
    RETRIEVE,
    Report,
    ReportReader,
    find,
)
from connectors.moodle.report_rows import Participants
from connectors.moodle.report_streams import ReportCompletions, ReportCourses, ReportEnrolments, ReportUsers
from connectors.moodle.settings import MoodleSettings
from connectors.moodle.ways import REPORT, Offer
from connectors.streams import Stream
from plugin.store import Store

# What has to be read from reports only where no plain function may be asked for it.
PLAIN = {"users": "core_user_get_users", "courses": "core_course_get_courses"}

STREAMS: Mapping[Report, tuple[str, ...]] = {
    PARTICIPANTS: ("enrolments", "completions"),
    BADGES: ("badges",),
    COHORTS: ("cohorts",),
}
HIDDEN = {
    "users": ("not_enrolled_users", "deleted_users", "custom_fields"),
    "enrolments": ("seconds", "last_access"),
    "completions": ("seconds", "unenrolled"),
    "badges": ("seconds",),
    "cohorts": ("seconds",),
}


def offer(
    client: MoodleClient,
    settings: MoodleSettings,
    _source: str = "",
    store: Callable[[], Store | None] = lambda: None,
) -> Offer:
    """The streams that the reports give which this token may see. Raises MoodleError when the site cannot be asked."""
    given: Mapping[str, int] = {str(key): number for key, number in settings.reports.items()}
    if RETRIEVE not in client.site.functions:
        missing = {name: "missing_function" for names in STREAMS.values() for name in names}
        return Offer(REPORT, lacking=missing, hidden=HIDDEN)
    ids = find(client, given)
    streams: list[Stream] = []
    lacking: dict[str, str] = {}
    for report in REPORTS:
        if report.key in ids:
            streams += _streams(client, ReportReader(client, report, ids[report.key]), store)
        else:
            reason = "not_in_audience" if report.key in given and LIST in client.site.functions else "not_configured"
            lacking |= dict.fromkeys(STREAMS[report], reason)
    return Offer(REPORT, streams, lacking, HIDDEN)


def _streams(client: MoodleClient, reader: ReportReader, store: Callable[[], Store | None]) -> list[Stream]:
    if reader.report is BADGES:
        return [ReportBadges(reader)]
    if reader.report is COHORTS:
        return [ReportCohorts(reader, client)]
    participants = Participants(reader, lambda: report_lock.alone(store(), client.site.url, client.site.user))
    streams: list[Stream] = [ReportEnrolments(participants), ReportCompletions(participants)]
    if PLAIN["users"] not in client.site.functions:
        streams.append(ReportUsers(participants))
    if PLAIN["courses"] not in client.site.functions:
        streams.append(ReportCourses(participants))
    return streams
