"""The Moodle connector: one site, one token, and for each stream the best way that the site offers."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property

from connectors.http import HttpClient
from connectors.moodle import functions, plugin_offer, reports
from connectors.moodle.check import FUNCTIONS, check
from connectors.moodle.client import MoodleClient
from connectors.moodle.errors import MoodleError
from connectors.moodle.functions_completions import Completions
from connectors.moodle.functions_courses import Courses
from connectors.moodle.functions_enrolments import Enrolments
from connectors.moodle.functions_results import Results
from connectors.moodle.functions_users import Users
from connectors.moodle.plugin_check import check_plugin
from connectors.moodle.report_check import check_reports
from connectors.moodle.settings import MoodleSettings
from connectors.moodle.ways import FUNCTIONS as BY_FUNCTIONS
from connectors.moodle.ways import PLUGIN, REPORT, Offer, choose
from connectors.streams import Choice, Connector, Finding, Stream, Usage
from plugin.moments import start_of_day
from plugin.settings import Settings

__all__ = ["FUNCTIONS", "MoodleConnector"]

CHECK_TIMEOUT = 30.0
CHECK_TRIES = 2
CLOCKS_APART = 60.0  # seconds


class MoodleConnector(Connector):
    """A Moodle site as a source of users, courses, enrolments, completions, results and what else its ways show."""

    settings_model = MoodleSettings

    def __init__(self, source: str, settings: MoodleSettings, home: Settings) -> None:
        super().__init__(source)
        self._settings = settings
        self._zone = home.organisation.zone
        self._http = HttpClient(
            timeout=settings.timeout_seconds,
            tries=settings.tries,
            connections=settings.connections,
            calls_per_second=settings.calls_per_second,
            largest=settings.largest_answer_mib * 1024 * 1024,
        )
        self.client = MoodleClient(settings.url, settings.token.reveal(home.folder), self._http)

    def streams(self) -> Sequence[Stream]:
        """Each stream by the best way, in the order in which they are pulled."""
        try:
            return self._chosen[0]
        except MoodleError:  # the site cannot be asked at all, as each of these will say when it is pulled
            return [
                Users(self.client),
                Courses(self.client),
                Enrolments(self.client),
                Completions(self.client),
                Results(self.client, self._settings.pass_marks),
            ]

    def choices(self) -> Mapping[str, Choice]:
        """The way of each stream; nothing while the site cannot be asked."""
        try:
            return self._chosen[1]
        except MoodleError:
            return {}

    @cached_property
    def _chosen(self) -> tuple[list[Stream], dict[str, Choice]]:
        """Streams and choices. Raises MoodleError when the site cannot be asked what it offers."""
        return choose([self._offer(way) for way in (PLUGIN, REPORT, BY_FUNCTIONS)])

    def _offer(self, way: str) -> Offer:
        settings = self._settings
        if way not in settings.ways:
            return Offer(way, lacking={"": "switched_off"})
        if way == PLUGIN:
            awaited = bool(settings.webhook_secrets)
            return plugin_offer.offer(self.client, settings.pass_marks, awaits_notices=awaited)
        if way == REPORT:
            return reports.offer(self.client, settings, self.source, store=lambda: self.store)
        return functions.offer(self.client, settings)

    def check(self) -> list[Finding]:
        """Whether the site answers, which functions the token lacks, and what its role hides without saying so."""
        patience = self._http.timeout, self._http.tries
        self._http.timeout = min(patience[0], CHECK_TIMEOUT)  # somebody waits for the answer
        self._http.tries = min(patience[1], CHECK_TRIES)
        try:
            return check(self.client, bool(self._settings.pass_marks), self._by_functions, self._check_others)
        finally:
            self._http.timeout, self._http.tries = patience

    def _by_functions(self) -> dict[str, str]:
        """The streams that no better way reads, and how bad it is when one cannot be read at all.

        A token that is made for a better way does without the rest. Raises MoodleError when the site cannot be asked.
        """
        choices = self._chosen[1]
        ways = {choice.way for choice in choices.values()} - {""}
        if ways and BY_FUNCTIONS not in ways:
            return {}
        level = "hint" if ways - {BY_FUNCTIONS} else "error"
        return {name: level for name, choice in choices.items() if choice.way in (BY_FUNCTIONS, "")}

    def _check_others(self) -> Iterator[Finding]:
        yield from _check_clock(self._http.ahead)
        ways = {choice.way for choice in self._chosen[1].values()}
        signs = bool(self._settings.webhook_secrets)
        yield from check_plugin(self.client, self._offer(PLUGIN), self.source, self.store, signs)
        if REPORT in self._settings.ways and (REPORT in ways or PLUGIN not in ways):
            yield from check_reports(self.client, self._settings)

    def token_until(self) -> datetime | None:
        """The earlier of what the settings say and what the plugin said in this pull."""
        given, said = self._settings.token_until, self.client.token_until
        ends = [] if given == "unknown" else [start_of_day(given, self._zone)]
        return min([*ends, datetime.fromtimestamp(said, UTC)] if said else ends, default=None)

    def usage(self) -> Usage:
        """What was asked of the site so far."""
        return Usage(self._http.calls, self._http.bytes)

    def about(self) -> str:
        """The site, its release, and whose the token is; nothing before the site has answered."""
        if "site" not in vars(self.client):
            return ""
        site = self.client.site
        return f"Moodle {site.release} answers ({site.name}); the token is {site.user}'s, with {len(site.functions)} functions"

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()


def _check_clock(ahead: float | None) -> Iterator[Finding]:
    """Whether the site's clock and ours tell about the same time."""
    if ahead is not None and abs(ahead) > CLOCKS_APART:
        minutes = f"{abs(ahead) / 60:,.0f} minute{'s' if abs(ahead) >= 90 else ''}"
        yield Finding(
            "warning",
            f"The site's clock is {minutes} {'ahead of' if ahead > 0 else 'behind'} the one here",
            "what was achieved just now counts only when the clock here has come to it, and notices may be refused"
            if ahead > 0
            else "notices may be refused, and what was achieved bears a moment that is too early",
            "Let both machines take their time from the network (chrony, systemd-timesyncd)",
        )
