"""`certbridge reconcile`."""

import json
from collections import Counter
from collections.abc import Iterator

import click

from plugin.cli import Context, actor, pass_context
from plugin.store import chunks
from webhooks.endpoints import find
from webhooks.fanout import fan_out
from webhooks.reconcile import KINDS, Difference, compare
from webhooks.repair import MENDED, repair
from webhooks.tasks import courier

BATCH = 200  # subjects that are sent again in one transaction


@click.command()
@click.argument("name", metavar="ENDPOINT")
@click.option("--repair", "mend", is_flag=True, help="Send the current state of what is damaged again.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@pass_context
def reconcile(context: Context, name: str, mend: bool, form: str) -> None:
    """Compare what the receiver at ENDPOINT holds with what it was sent; exit status 1 when something remains to be done."""
    home = context.installation
    fan_out(home.store, home.clock())
    counts: Counter[str] = Counter({"held": 0, "same": 0, "under_way": 0, **dict.fromkeys(KINDS, 0)})
    with home.store.read() as session:
        endpoint = find(session, name)
    sent = beyond = 0
    first = True
    for batch in chunks(compare(courier(home), name, counts), BATCH):
        for line in _lines(batch, form, first):
            click.echo(line)
        first = False
        if mend:
            with home.store.write() as session:
                done, left = repair(session, endpoint, batch, actor(), home.clock())
            sent, beyond = sent + done, beyond + left
    if sent:
        home.wake("events_appended")
    if form == "json":
        opening = '{"differences": [' if first else ""
        click.echo(opening + "], " + _tail(counts, mend, sent, beyond))
    else:
        _say(context, counts, mend, sent, beyond)
    if (beyond if mend else sum(counts[kind] for kind in MENDED)) or counts["unknown"]:
        raise SystemExit(1)


def _lines(batch: list[Difference], form: str, first: bool) -> Iterator[str]:
    """The batch as lines of the table, or as a part of the JSON list."""
    for one in batch:
        if form == "json":
            yield ('{"differences": [' if first else ", ") + json.dumps(one.as_json(), ensure_ascii=False)
            first = False
        else:
            numbers = f"ours {one.ours or '-'}, theirs {one.theirs if one.theirs is not None else '-'}"
            fields = f"  ({', '.join(one.fields)})" if one.fields else ""
            yield f"{one.kind:10} {one.subject:60} {numbers}{fields}"


def _tail(counts: Counter[str], mend: bool, sent: int, beyond: int) -> str:
    summary = {"counts": dict(counts), "sent_again": sent if mend else None, "beyond_repair": beyond if mend else None}
    return json.dumps(summary)[1:]


def _say(context: Context, counts: Counter[str], mend: bool, sent: int, beyond: int) -> None:
    found = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS)
    context.say(f"{counts['held']} held there: {counts['same']} as sent, {found}; {counts['under_way']} on their way.")
    if mend:
        context.say(f"{sent} are sent again, each as an event of its own.")
    elif any(counts[kind] for kind in MENDED):
        context.say("Run it with --repair to send what is damaged again.")
    if beyond:
        context.say(
            f"{beyond} cannot be mended from here: the receiver holds a sequence far beyond any that was sent. Correct it there."
        )
    if counts["unknown"]:
        context.say(f"{counts['unknown']} are unknown here; nothing is deleted there. See to them at the receiver.")
