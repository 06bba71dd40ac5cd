"""The Moodle connector: one site, one token, plain functions."""

from collections.abc import Sequence

from connectors.http import HttpClient
from connectors.moodle.check import FUNCTIONS, check
from connectors.moodle.client import MoodleClient
from connectors.moodle.settings import MoodleSettings
from connectors.moodle.streams import Completions, Courses, Enrolments, Results, Users
from connectors.streams import Connector, Finding, Stream
from plugin.settings import Settings

__all__ = ["FUNCTIONS", "MoodleConnector"]

CHECK_TIMEOUT = 30.0
CHECK_TRIES = 2


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
        """Whether the site answers, which functions the token lacks, and what its role hides without saying so."""
        patience = self._http.timeout, self._http.tries
        self._http.timeout = min(patience[0], CHECK_TIMEOUT)  # somebody waits for the answer
        self._http.tries = min(patience[1], CHECK_TRIES)
        try:
            return check(self.client, bool(self._settings.pass_marks))
        finally:
            self._http.timeout, self._http.tries = patience

    def about(self) -> str:
        """The site, its release, and whose the token is; nothing before the site has answered."""
        if "site" not in vars(self.client):
            return ""
        site = self.client.site
        return f"Moodle {site.release} answers ({site.name}); the token is {site.user}'s, with {len(site.functions)} functions"

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()
