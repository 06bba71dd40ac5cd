"""Start the sandbox HR system: `python -m webhooks.demo --database FILE --secret-file FILE`."""

import json
import signal
import sys
from pathlib import Path
from types import FrameType

import click
from waitress.server import create_server

from webhooks.demo.app import HOOK, Sandbox, create_app
from webhooks.demo.proposing import CertBridge
from webhooks.demo.records import Records


@click.command(help=__doc__)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 (the default): any free port.")
@click.option("--database", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option(
    "--secret-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The signing secrets that are valid, one a line.",
)
@click.option("--certbridge", "url", help="Where CertBridge's API is, for proposing.")
@click.option("--token-file", type=click.Path(dir_okay=False, path_type=Path), help="The API token, on the first line.")
@click.option(
    "--proposals",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A JSON list of proposals, sent to CertBridge when asked to (POST /sandbox/propose, or the page's button).",
)
def main(
    port: int, database: Path, secret_file: Path, url: str | None, token_file: Path | None, proposals: Path | None
) -> None:
    """Serve until SIGTERM or SIGINT; the first line of standard output says where."""
    secrets = tuple(line.strip() for line in secret_file.read_text(encoding="utf-8").splitlines() if line.strip())
    token = token_file.read_text(encoding="utf-8").partition("\n")[0].strip() if token_file else ""
    records = Records(database)
    if proposals is not None:
        records.plan(json.loads(proposals.read_text(encoding="utf-8")))
    sandbox = Sandbox(records, secrets, CertBridge(url, token) if url else None)
    server = create_server(create_app(sandbox), host="127.0.0.1", port=port, threads=16, ident=None)
    base = f"http://127.0.0.1:{server.effective_port}"

    def stop(_number: int, _frame: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    click.echo(json.dumps({"url": base, "webhook_url": base + HOOK}))
    sys.stdout.flush()
    server.run()


if __name__ == "__main__":
    main()
