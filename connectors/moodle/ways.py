"""Which way each stream of a site is read, why, and what that way does not show.

There are up to three ways: the companion plugin, custom reports, plain functions. Each says in an `Offer` which streams
it can read here. Every stream takes the first way that offers it, and its `Choice` says why no better one could be taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connectors.streams import Choice, Stream

PLUGIN, REPORT, FUNCTIONS = "plugin", "report", "functions"
WAYS = (PLUGIN, REPORT, FUNCTIONS)  # the best first

# Every stream, in the order in which they are pulled: accounts and courses first, for the rest refers to them; attempts
# before the grades that come of them, for what an attempt proves its grade does not prove again.
ORDER = (
    "users",
    "categories",
    "courses",
    "enrolments",
    "completions",
    "activity_completions",
    "attempts",
    "results",
    "cohorts",
    "badges",
    "competencies",
    "plans",
    "surveys",
)


@dataclass(frozen=True)
class Offer:
    """What one way can read of a site.

    `lacking` says by stream why this way does not read it here; under '' stands what holds for every other stream.
    `hidden` says by stream what this way does not show. `fresh` is how soon a change can show.
    """

    way: str
    streams: Sequence[Stream] = ()
    lacking: Mapping[str, str] = field(default_factory=dict)
    hidden: Mapping[str, Sequence[str]] = field(default_factory=dict)
    fresh: str = "each_pull"

    def stream(self, name: str) -> Stream | None:
        """The stream of this name, where this way reads it."""
        return next((stream for stream in self.streams if stream.name == name), None)

    def reason(self, name: str) -> str:
        """Why this way does not read the stream; empty when it never could."""
        return self.lacking.get(name, self.lacking.get("", ""))


def choose(offers: Sequence[Offer]) -> tuple[list[Stream], dict[str, Choice]]:
    """The streams to pull, in order, and the choice for every stream; `offers` stand with the best way first."""
    streams: list[Stream] = []
    choices: dict[str, Choice] = {}
    for name in ORDER:
        lacking: dict[str, str] = {}
        for offer in offers:
            stream = offer.stream(name)
            if stream is not None:
                streams.append(stream)
                choices[name] = Choice(offer.way, offer.fresh, tuple(offer.hidden.get(name, ())), lacking)
                break
            if offer.reason(name):
                lacking[offer.way] = offer.reason(name)
        else:
            choices[name] = Choice("", "", (), lacking)
    return streams, choices
