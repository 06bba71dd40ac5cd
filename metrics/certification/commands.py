"""`certbridge certification simulate`: a rule tried on a file of evidence, before it counts."""

import json
from pathlib import Path
from typing import Any

import click

from metrics.certification.simulate import SimulationRefused, simulate, zone_of
from plugin.moments import parse_moment

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def register(cli: click.Group) -> None:
    """Add the group `certification` to the command."""
    cli.add_command(certification)


@click.group()
def certification() -> None:
    """Rules of certifications."""


@certification.command("simulate")
@click.argument("rule", metavar="RULE.toml", type=_FILE)
@click.argument("evidence", metavar="EVIDENCE.csv", type=_FILE)
@click.option("--as-of", required=True, help="The moment asked about, such as 2026-03-01 or 2026-03-01T09:00+08:00.")
@click.option("--timezone", default="UTC", show_default=True, help="The organisation's time zone, an IANA name.")
@click.option("--format", "form", type=click.Choice(["json"]), default="json", show_default=True)
@click.pass_context
def simulate_command(context: click.Context, rule: Path, evidence: Path, as_of: str, timezone: str, form: str) -> None:
    """Where everybody in EVIDENCE.csv would stand with the rule of RULE.toml. Needs neither settings nor a store."""
    _check(as_of, timezone)
    try:
        answer = simulate(_text(rule), _text(evidence), as_of, timezone)
    except SimulationRefused as refused:
        _say({"refused": True, "line": refused.line, "reason": refused.reason})
        context.exit(1)
    _say(answer)


def _check(as_of: str, timezone: str) -> None:
    try:
        zone = zone_of(timezone)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--timezone") from None
    try:
        parse_moment(as_of, zone)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--as-of") from None


def _text(path: Path) -> str:
    """A file's text in UTF-8, its line ends as they are. Raises SimulationRefused with the line that is not UTF-8."""
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SimulationRefused(line, f"{path.name} is not UTF-8 text; save it as UTF-8") from None


def _say(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))
