"""A source whose statements are sent to us: nothing is pulled from it."""

from collections.abc import Sequence

from connectors.streams import Connector, Finding, Stream
from connectors.xapi.credentials import credentials_of
from connectors.xapi.settings import XapiSettings
from plugin.settings import Settings


class XapiConnector(Connector):
    """Statements pushed to /xapi/statements."""

    settings_model = XapiSettings

    def __init__(self, source: str, settings: XapiSettings, home: Settings) -> None:
        super().__init__(source)
        self.settings = settings
        self._unknown = sorted(set(settings.accounts_of.values()) - set(home.sources))

    def streams(self) -> Sequence[Stream]:
        """Nothing is pulled."""
        return []

    def check(self) -> list[Finding]:
        """Whether anybody may send, and whether the sources that accounts are looked up in are there."""
        found = [
            Finding(
                "error",
                f"accounts_of names the source {name}, which is not there",
                "the actors of its accounts are nobody's",
                f"Add [sources.{name}], or mend accounts_of of [sources.{self.source}]",
            )
            for name in self._unknown
        ]
        if not self._credentials():
            found.append(
                Finding(
                    "hint",
                    "Nobody may send statements",
                    "there are none",
                    f"Run: certbridge xapi credential add {self.source} NAME --show-password",
                )
            )
        return found

    def about(self) -> str:
        """Who may send."""
        names = self._credentials()
        return f"Statements are taken from {', '.join(names)}" if names else ""

    def _credentials(self) -> list[str]:
        if self.store is None:
            return []
        with self.store.read() as session:
            return [each.name for each in credentials_of(session, self.source) if each.revoked_at is None]
