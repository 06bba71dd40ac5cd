"""`certbridge moodle plugin build`: the companion plugin as the file that Moodle installs."""

from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import click

from plugin.cli import Context, pass_context
from plugin.errors import RefusedError

PLUGIN = Path(__file__).parent / "local_certbridge"
FOLDER = "certbridge"  # what Moodle calls the folder of the plugin local_certbridge
OLDEST = (1980, 1, 1, 0, 0, 0)  # the date of every file, so that the same plugin makes the same bytes


def register(cli: click.Group) -> None:
    """Add this addon's subcommands."""
    cli.add_command(moodle)


@click.group()
def moodle() -> None:
    """What a Moodle site is given."""


@moodle.group()
def plugin() -> None:
    """The companion plugin local_certbridge."""


@plugin.command("build")
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    default="local_certbridge.zip",
    show_default=True,
    help="The file to write; an older one is replaced.",
)
@pass_context
def build(context: Context, target: Path) -> None:
    """Write the zip file that a Moodle administrator installs as a plugin."""
    try:
        write_zip(target)
    except OSError as error:
        raise RefusedError(f"{target} cannot be written: {error.strerror}. Name another file with -o.") from None
    context.say(f"{target}: install it on Site administration > Plugins > Install plugins.")


def write_zip(target: Path) -> None:
    """Write the plugin as a zip file, the same bytes each time. Raises OSError."""
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        for path in sorted(PLUGIN.rglob("*")):
            if path.is_file():
                member = ZipInfo(f"{FOLDER}/{path.relative_to(PLUGIN).as_posix()}", OLDEST)
                member.external_attr = 0o644 << 16
                member.compress_type = ZIP_DEFLATED
                archive.writestr(member, path.read_bytes())
