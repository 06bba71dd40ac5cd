"""Starts a sandbox: python -m connectors.moodle.demo --port 0 --people 300 --seed 1 --anchor 2026-11-23T00:00:00Z."""

import json
import sys
from datetime import datetime
from pathlib import Path

import click

from connectors.moodle.demo import roster
from connectors.moodle.demo.access import DEFAULT_TOKENS
from connectors.moodle.demo.notices import Sender
from connectors.moodle.demo.organisation import Organisation
from connectors.moodle.demo.server import create_app, serve


@click.command()
@click.option("--port", default=0, show_default=True, help="Port on 127.0.0.1; 0 takes a free one.")
@click.option("--people", default=300, show_default=True, help="How many employees to generate.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same organisation.")
@click.option("--anchor", required=True, help="The sandbox's present, e.g. 2026-11-23T00:00:00Z.")
@click.option("--roster", "roster_file", type=click.Path(path_type=Path), help="Write HR's roster to this file.")
@click.option("--notices", "notices_url", help="Send the plugin's notices to this address.")
@click.option("--notices-secret-file", type=click.Path(path_type=Path, exists=True), help="The file with their secret.")
def main(
    port: int,
    people: int,
    seed: int,
    anchor: str,
    roster_file: Path | None,
    notices_url: str | None,
    notices_secret_file: Path | None,
) -> None:
    """Start a sandbox Moodle with generated people; the first line of standard output says where."""
    try:
        organisation = Organisation(people=people, seed=seed, anchor=datetime.fromisoformat(anchor))
    except ValueError as problem:
        raise click.BadParameter(str(problem)) from None
    if roster_file is not None:
        roster.write_file(organisation, roster_file)
    sender = Sender()
    if notices_url is not None and notices_secret_file is not None:
        sender.url, sender.secret = notices_url, notices_secret_file.read_text(encoding="utf-8").strip()
    server = serve(create_app(organisation, sender=sender), port)
    click.echo(json.dumps({"url": server.url, "tokens": [token.token for token in DEFAULT_TOKENS]}))
    sys.stdout.flush()
    try:
        server.run()
    except KeyboardInterrupt:
        click.echo("Stopped.")


if __name__ == "__main__":
    main()
