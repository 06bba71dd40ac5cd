"""The Moodle connector: one site, one token, plain functions."""

from collections.abc import Sequence

from connectors.http import HttpClient
from connectors.moodle.client import BATCH, MoodleClient
from connectors.moodle.errors import MoodleError
from connectors.moodle.settings import MoodleSettings
from connectors.moodle.streams import Completions, Courses, Enrolments, Results, Users
from connectors.streams import Connector, Finding, Stream
from plugin.settings import Settings

FUNCTIONS: dict[str, str] = {
    "core_user_get_users": "no accounts are read, so nothing can be bound to employees",
    "core_course_get_courses": "no courses are read, and nothing else can be",
    "core_enrol_get_enrolled_users": "no enrolments are read",
    "core_enrol_get_users_courses": "courses are known by id:N instead of their ID number",
    "core_completion_get_course_completion_status": "no completions are read",
    "gradereport_user_get_grade_items": "no grades are read",
    "mod_quiz_get_user_best_grade": "pass marks are unknown, so nobody has 'passed' unless pass_marks are set here",
    "core_course_get_categories": "courses have no category",
    BATCH: "completions need one request per learner and course instead of one per fifty",
}


class MoodleConnector(Connector):
    """A Moodle site as a source of users, courses, enrolments, completions and results."""

    settings_model = MoodleSettings

    def __init__(self, source: str, settings: MoodleSettings, home: Settings) -> None:
        super().__init__(source)
        self._settings = settings
        self._http = HttpClient(
            timeout=settings.timeout_seconds, tries=settings.tries, connections=settings.connections
        )
        self.client = MoodleClient(settings.url, settings.token.reveal(home.folder), self._http)

    def streams(self) -> Sequence[Stream]:
        """Accounts and courses first: the rest refers to them."""
        return [
            Users(self.client),
            Courses(self.client),
            Enrolments(self.client),
            Completions(self.client),
            Results(self.client, self._settings.pass_marks),
        ]

    def check(self) -> list[Finding]:
        """Whether the site answers, and which functions the token lacks."""
        try:
            functions = self.client.site.functions
        except MoodleError as error:
            return [Finding("error", str(error), "nothing is read from this source", str(error))]
        where = "Site administration > Server > Web services > External services > Functions"
        return [
            Finding("warning", f"The token's service lacks {function}", breaks, f"Add {function} on {where}")
            for function, breaks in FUNCTIONS.items()
            if function not in functions
        ]

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()
