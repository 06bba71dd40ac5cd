"""What can be extended in the connectors, for docs/extension-points.md."""

from dataclasses import is_dataclass
from types import ModuleType

from connectors import notices, records, streams
from plugin.extension_points import Point, Section, call, described, lines, members


def sections() -> list[Section]:
    """A connector, its streams, what they bring, and the records that are stored."""
    return [
        Section(
            "A connector",
            "A subclass of `connectors.streams.Connector`, named under `connector`; and its streams.",
            (
                Point("Connector.settings_model", "the keys that `[sources.NAME]` has beside those of every source"),
                *members(streams.Connector),
                *members(streams.Stream),
                call("connectors.conformance:ConnectorConformance"),
            ),
        ),
        Section(
            "What a stream brings",
            "Types of `connectors.streams`.",
            _types(streams),
        ),
        Section(
            "Records",
            "Types of `connectors.records` that `Stream.parse` makes.",
            _types(records),
        ),
        Section("Topics", "", lines({notices.TOPIC: "a source has sent a message that something has changed"})),
    ]


def _types(module: ModuleType) -> tuple[Point, ...]:
    """The dataclasses of a module."""
    found = [each for each in vars(module).values() if isinstance(each, type) and is_dataclass(each)]
    return tuple(Point(each.__name__, described(each)) for each in found if each.__module__ == module.__name__)
