"""`certbridge events`: the contract of what HR is told."""

import json

import click

from plugin.cli import Context, pass_context
from plugin.errors import NotFoundError
from webhooks import schemas


@click.group()
def events() -> None:
    """What HR is told, for whoever writes a receiver."""


@events.command("schemas")
@click.argument("type_", metavar="[TYPE]", required=False)
@click.option("--schema", "number", default=schemas.NUMBERS[-1], show_default=True, help="The schema number.")
@pass_context
def show(context: Context, type_: str | None, number: str) -> None:
    """The types of events that have a JSON Schema, or the schema of TYPE."""
    if type_ is None:
        for name in schemas.types(number):
            context.say(name)
        return
    found = schemas.schema(type_, number, context.installation.settings.web.public_url)
    if found is None:
        raise NotFoundError(
            f"There is no schema {number} of a type of event {type_!r}; certbridge events schemas lists them."
        )
    context.say(json.dumps(found, indent=2, ensure_ascii=False))
