"""What can be extended in the metrics, for docs/extension-points.md."""

from metrics.figures import registry
from plugin.extension_points import Point, Section, members


def sections() -> list[Section]:
    """A figure, and the figures that there are."""
    return [
        Section(
            "A figure",
            "A module of `metrics/figures/` with a `FIGURE`, as `metrics.figures.registry.Definition` says.",
            members(registry.Definition, "FIGURE"),
        ),
        Section(
            "The figures",
            "What there is; docs/figures.md explains each.",
            tuple(
                Point(name, f"{found.title.en}, by {', '.join(found.breakdowns)}")
                for name, found in registry.figures().items()
            ),
        ),
    ]
