"""`certbridge xapi`: who may send statements, and whether statements in a file are valid."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

import click
from sqlalchemy import func, select

from connectors.signed import Refusal, parse
from connectors.sources import connector_of
from connectors.statement_models import XapiStatement
from connectors.xapi import credentials
from connectors.xapi.connector import XapiConnector
from connectors.xapi.validation import Wrong, errors_of
from plugin.cli import Context, actor, pass_context
from plugin.errors import RefusedError

FORMATS = click.Choice(["table", "json"])
LONGEST_LINE = 32 * 1024 * 1024  # bytes


def register(cli: click.Group) -> None:
    """Add this addon's subcommands."""
    cli.add_command(xapi)


@click.group()
def xapi() -> None:
    """xAPI statements: who may send them, and whether they are valid."""


@xapi.group()
def credential() -> None:
    """Who may send statements."""


@credential.command("add")
@click.argument("source")
@click.argument("name")
@click.option("--show-password", is_flag=True, required=True, help="Print the new password, this once.")
@pass_context
def add(context: Context, source: str, name: str, show_password: bool) -> None:
    """Let somebody send statements of SOURCE as the user NAME (HTTP Basic)."""
    home = context.installation
    if not isinstance(connector_of(home, source), XapiConnector):
        raise RefusedError(
            f'[sources.{source}] is pulled; add a source with connector = "connectors.xapi" for statements.'
        )
    with home.store.write() as session:
        password = credentials.add_credential(session, source, name, actor(), home.clock())
    context.say(
        f"Statements of {source} are taken at {home.settings.web.public_url.rstrip('/')}/xapi/ from the user {name}."
    )
    context.say("The password, shown this once:")
    click.echo(password)


@credential.command("list")
@click.option("--format", "form", type=FORMATS, default="table", help="A table (the default), or JSON.")
@pass_context
def list_credentials(context: Context, form: str) -> None:
    """Everybody who may send statements, or might once, and what came of what each source was sent."""
    with context.installation.store.read() as session:
        found = credentials.credentials_of(session)
        made = select(XapiStatement.source, XapiStatement.outcome, func.count())
        counts: dict[str, dict[str, int]] = {}
        for source, outcome, count in session.execute(made.group_by(XapiStatement.source, XapiStatement.outcome)):
            counts.setdefault(source, {})[outcome or "waiting"] = count
    if form == "json":
        rows = [
            {name: getattr(one, name) for name in ("source", "name", "created_at", "last_used_at", "revoked_at")}
            for one in found
        ]
        context.say_json({"credentials": rows, "statements": counts})
        return
    for one in found:
        used = f"used last {one.last_used_at:%Y-%m-%d %H:%M}Z" if one.last_used_at else "never used"
        context.say(f"{one.name:20} {one.source:20} {'revoked' if one.revoked_at else used}")
    for source, outcomes in sorted(counts.items()):
        said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
        context.say(f"{source}: {said}")


@credential.command("revoke")
@click.argument("name")
@pass_context
def revoke(context: Context, name: str) -> None:
    """Take nothing more from the user NAME; what was sent stays."""
    home = context.installation
    with home.store.write() as session:
        credentials.revoke_credential(session, name, actor(), home.clock())
    context.say(f"{name} may send nothing any more.")


@xapi.command("check")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--format", "form", type=FORMATS, default="table", help="A table (the default), or JSON: one verdict a line."
)
@pass_context
def check(context: Context, file: BinaryIO, form: str) -> None:
    """Say of each line of FILE (JSON Lines; - is the input) whether it is a valid statement; exit with 1 when one is not."""
    tally: Counter[bool] = Counter()
    for number, wrong in _verdicts(file):
        tally[not wrong] += 1
        if form == "json":
            errors = [{"path": one.path, "code": one.code} for one in wrong]
            click.echo(json.dumps({"valid": not wrong, "errors": errors}, ensure_ascii=True))
        elif wrong:
            click.echo(f"line {number}: " + "; ".join(f"{one.path or '/'} {one.code}" for one in wrong))
    if form == "table":
        context.say(f"{tally[True]} valid, {tally[False]} not valid.")
    if tally[False]:
        raise SystemExit(1)


def _verdicts(file: BinaryIO) -> Iterator[tuple[int, list[Wrong]]]:
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            while line and not line.endswith(b"\n"):
                line = file.readline(LONGEST_LINE)
            yield number, [Wrong("", "too_large")]
            continue
        text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if not text.strip():
            continue
        try:
            yield number, errors_of(parse(text))
        except Refusal:
            yield number, [Wrong("", "json")]
