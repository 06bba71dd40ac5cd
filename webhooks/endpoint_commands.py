"""`certbridge endpoint`."""

import getpass
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import click

from plugin.cli import Context, pass_context
from webhooks import endpoints, keys
from webhooks.secret_files import read_keys, write_secret
from webhooks.target import DELIVERED, kind_of, kinds
from webhooks.tasks import courier

FORMATS = click.Choice(["table", "json"])
STATE_WORDS = {
    endpoints.IN_USE: "in use",
    endpoints.FAILING: "failing",
    endpoints.PAUSED: "left alone, as it asked for",
    endpoints.DISABLED: "disabled",
}


def actor() -> str:
    """Who acts on the command line, for the audit trail: the user of this machine."""
    return f"command line ({getpass.getuser()})"


@click.group()
def endpoint() -> None:
    """Where events are sent."""


def _keys_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say by which scheme messages are signed, and where the keys are."""
    scheme = click.option(
        "--scheme",
        type=click.Choice(keys.SCHEMES),
        help="How messages are signed: v1 with a shared secret, v1a with a key pair, or both (default: v1, or as it is).",
    )
    file = click.option(
        "--secret-file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Read the keys from this file, one a line; where there is no such file, one is made with what the receiver "
        "needs.",
    )
    show = click.option("--show-secret", is_flag=True, help="Print what the receiver needs, this once.")
    return scheme(file(show(command)))


def _chosen_options(*, changing: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options that say what an endpoint gets; when changing, each left out leaves things as they are."""
    unchanged = " (default: as it is)" if changing else ""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        types = click.option(
            "--types",
            default=None,
            help="Types of events, separated by commas; certification.* is allowed"
            + (", * are all (default: as it is)." if changing else " (default: all)."),
        )
        full = click.option(
            "--full/--thin",
            default=None,
            help="Send the person's name, department, position and what satisfied the criteria, or do not"
            + (unchanged or " (default: do not)")
            + ".",
        )
        rate = click.option(
            "--rate", type=float, default=None, help=f"At most so many messages a second; 0 is any number{unchanged}."
        )
        backfill = click.option(
            "--backfill/--no-backfill",
            default=None,
            help=f"Send events that lie in the past, such as a first load of history, or leave them out{unchanged}.",
        )
        return types(full(rate(backfill(command))))

    return decorate


def _types(text: str | None) -> list[str] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return [] if parts == ["*"] else parts


def _backfill(wanted: bool | None) -> str | None:
    return None if wanted is None else endpoints.SEND if wanted else endpoints.SKIP


def _kinds(context: Context) -> endpoints.Kinds:
    home = context.installation
    return endpoints.Kinds(kinds(home), home.settings, home.keys)


@endpoint.command("add")
@click.argument("name")
@click.argument("url")
@click.option("--kind", default=endpoints.STANDARD, show_default=True, help="The addon that sends there.")
@_chosen_options(changing=False)
@_keys_options
@pass_context
def add(
    context: Context,
    name: str,
    url: str,
    kind: str,
    types: str | None,
    full: bool | None,
    rate: float | None,
    backfill: bool | None,
    scheme: str | None,
    secret_file: Path | None,
    show_secret: bool,
) -> None:
    """Send events to URL from now on, as the endpoint NAME."""
    known = _kinds(context)
    _say_where(secret_file, show_secret, kind_of(known.targets, kind).new_secret() is None or scheme == keys.V1A)
    given = " ".join(read_keys(secret_file)) if secret_file is not None and secret_file.exists() else None
    with context.installation.store.write() as session:
        secret = endpoints.add_endpoint(
            session, known, name=name, url=url, kind=kind, types=_types(types) or [], secret=given,
            scheme=scheme or keys.V1, full=bool(full), rate=rate, backfill=_backfill(backfill) or endpoints.SEND,
            actor=actor(), now=context.installation.clock(),
        )  # fmt: skip
        public = endpoints.find(session, name).public_key
        if secret_file is not None and given is None:
            write_secret(secret_file, *(part for part in (secret, public) if part))
    context.say(f"Added the endpoint {name}. It gets the events from now on; try it: certbridge endpoint test {name}")
    _say_keys(context, secret, public, secret_file, show_secret)


def _say_where(secret_file: Path | None, show_secret: bool, nothing_to_hide: bool) -> None:
    if (secret_file is not None and show_secret) or (secret_file is None and not show_secret and not nothing_to_hide):
        raise click.UsageError("Say with either --secret-file or --show-secret where the signing secret is to be.")


def _say_keys(
    context: Context, secret: str | None, public: str | None, secret_file: Path | None, show_secret: bool
) -> None:
    """Say what the receiver needs: the secret only where it was asked for, the public key in any case."""
    if secret is not None and show_secret:
        context.say("Its signing secret, shown this once:")
        click.echo(secret)
    elif secret is not None and secret_file is not None:
        context.say(f"Its signing secret is in {secret_file}; give it to the receiver.")
    if public is not None:
        context.say(f"The receiver verifies v1a signatures with the public key {public}")


@endpoint.command("rotate")
@click.argument("name")
@_keys_options
@click.option("--at-once", is_flag=True, help="The old keys sign no more: they are known to somebody who should not.")
@pass_context
def rotate(
    context: Context, name: str, scheme: str | None, secret_file: Path | None, show_secret: bool, at_once: bool
) -> None:
    """Give the endpoint NAME new keys; the old ones sign beside them for a day."""
    with context.installation.store.read() as session:
        now_signs = endpoints.find(session, name).scheme
    _say_where(secret_file, show_secret, (scheme or now_signs) == keys.V1A)
    given = " ".join(read_keys(secret_file)) if secret_file is not None and secret_file.exists() else None
    with context.installation.store.write() as session:
        secret = endpoints.rotate(
            session, _kinds(context), name, secret=given, scheme=scheme, at_once=at_once, actor=actor(),
            now=context.installation.clock(),
        )  # fmt: skip
        found = endpoints.find(session, name)
        public, until = found.public_key, found.old_secret_until
        if secret_file is not None and given is None:
            write_secret(secret_file, *(part for part in (secret, public) if part))
    old = f"The old ones sign beside them until {_shown(until, context)}." if until else "The old ones sign no more."
    context.say(f"The endpoint {name} has new keys. {old}")
    _say_keys(context, secret, public, secret_file, show_secret)


def _shown(moment: datetime, context: Context) -> str:
    return moment.astimezone(context.installation.settings.organisation.zone).strftime("%Y-%m-%d %H:%M %z")


@endpoint.command("change")
@click.argument("name")
@click.option("--url", default=None, help="Send there from now on (default: as it is).")
@_chosen_options(changing=True)
@pass_context
def change(
    context: Context,
    name: str,
    url: str | None,
    types: str | None,
    full: bool | None,
    rate: float | None,
    backfill: bool | None,
) -> None:
    """Change what the endpoint NAME gets, how fast, or where; what waits already is sent as it was to be."""
    changes = endpoints.Changes(url, _types(types), full, rate, _backfill(backfill))
    if changes == endpoints.Changes():
        raise click.UsageError("Say what is to be different: --url, --types, --full, --thin, --rate, --backfill …")
    with context.installation.store.write() as session:
        done = endpoints.change(session, _kinds(context), name, changes, actor(), context.installation.clock())
    context.say(f"Changed {', '.join(done)} of the endpoint {name}." if done else f"The endpoint {name} is so already.")


@endpoint.command("list")
@click.option("--format", "form", type=FORMATS, default="table")
@pass_context
def list_endpoints(context: Context, form: str) -> None:
    """Every endpoint and how it stands."""
    with context.installation.store.read() as session:
        found, waiting = endpoints.every(session), endpoints.waiting_counts(session)
    now = context.installation.clock()
    if form == "json":
        context.say_json([endpoints.as_json(one, waiting.get(one.id, 0), now) for one in found])
        return
    for one in found:
        state = f"disabled: {one.disabled_reason}" if one.disabled_at else STATE_WORDS[endpoints.state_of(one, now)]
        context.say(f"{one.name:20} {one.url:50} {waiting.get(one.id, 0):>7} waiting  {state}")
        if one.last_failure and (
            one.last_success_at is None or (one.last_failure_at or one.created_at) > one.last_success_at
        ):
            context.say(f"{'':20} last failure: {one.last_failure}")


@endpoint.command("show")
@click.argument("name")
@pass_context
def show_endpoint(context: Context, name: str) -> None:
    """The endpoint NAME and how it stands, as JSON; with the public key, never with a secret."""
    with context.installation.store.read() as session:
        one = endpoints.find(session, name)
        waiting = endpoints.waiting_counts(session).get(one.id, 0)
    context.say_json(endpoints.as_json(one, waiting, context.installation.clock()))


@endpoint.command("disable")
@click.argument("name")
@click.option("--reason", default="Disabled by hand.", show_default=True, help="Why; it stands in the audit trail.")
@pass_context
def disable(context: Context, name: str, reason: str) -> None:
    """Send nothing more to the endpoint NAME; its messages wait."""
    with context.installation.store.write() as session:
        endpoints.disable(session, name, reason, actor(), context.installation.clock())
    context.say(f"Disabled the endpoint {name}; its messages wait until it is enabled again.")


@endpoint.command("enable")
@click.argument("name")
@pass_context
def enable(context: Context, name: str) -> None:
    """Send to the endpoint NAME again, beginning with what waited."""
    with context.installation.store.write() as session:
        waiting = endpoints.enable(session, name, actor(), context.installation.clock())
    context.installation.wake("events_appended")
    context.say(f"Enabled the endpoint {name}; {waiting} messages are due.")


@endpoint.command("test")
@click.argument("name")
@pass_context
def test(context: Context, name: str) -> None:
    """Send a test message to the endpoint NAME and say how it went."""
    answer, took = endpoints.test(courier(context.installation), name, actor())
    context.say(f"{answer.reason} It took {took.total_seconds() * 1000:.0f} ms.")
    if answer.excerpt:
        context.say(f"It answered: {answer.excerpt}")
    if answer.outcome != DELIVERED:
        raise SystemExit(1)
