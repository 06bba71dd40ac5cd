"""What can be extended in the webhooks, for docs/extension-points.md."""

from plugin.extension_points import Section, call, lines, members
from webhooks import endpoints, target


def sections() -> list[Section]:
    """A target, and the types of events that it is sent."""
    return [
        Section(
            "A target",
            "A kind of endpoint: a class as `webhooks.target.Target` says, named under `target`.",
            (
                *members(target.Target),
                call("webhooks.target:Destination"),
                call("webhooks.target:Parcel"),
                call("webhooks.target:Answer"),
                call("webhooks.target:TakesChunks"),
                call("webhooks.target:ReadsBack"),
                call("webhooks.target:Held"),
            ),
        ),
        Section(
            "Types of events",
            "What HR can be told. docs/webhooks.md shows what each carries.",
            lines({**endpoints.WHEN, endpoints.TEST_TYPE: "somebody tries whether the endpoint receives"}),
        ),
    ]
