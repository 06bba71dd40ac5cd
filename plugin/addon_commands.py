"""`certbridge addons`: what there is, installing, upgrading and uninstalling it."""

from dataclasses import asdict

import click

from plugin import lifecycle
from plugin.addon_states import CANNOT_RUN, AddonState, addon_states
from plugin.cli import Context, actor, pass_context
from plugin.uninstall import Removal, plan, uninstall


def register(cli: click.Group) -> None:
    """Add the subcommands about addons."""
    cli.add_command(addons)


@click.group()
def addons() -> None:
    """The parts that this installation is made of."""


@addons.command("list")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@pass_context
def list_addons(context: Context, form: str) -> None:
    """Every addon and how it stands, in the order of dependencies."""
    found = addon_states(context.installation)
    if form == "json":
        context.say_json([asdict(one) for one in found])
        return
    for one in found:
        state = f"{one.state}: {one.reason}" if one.reason else f"{one.state:16} {one.summary}"
        context.say(f"{one.name:24} {_versions(one):16} {state}".rstrip())


def _versions(one: AddonState) -> str:
    if one.installed and one.available and one.installed != one.available:
        return f"{one.installed} -> {one.available}"
    return one.installed or one.available or ""


@addons.command("install")
@click.argument("names", nargs=-1)
@click.option("--demo", is_flag=True, help="With the demo data of NAMES and of what is installed for them.")
@pass_context
def install_addons(context: Context, names: tuple[str, ...], demo: bool) -> None:
    """Install or upgrade NAMES (all by default) and what they depend on."""
    home = context.installation
    _say_done(context, lifecycle.install(home, names or None, demo=demo, actor=actor()))
    if not names:
        _say_left_out(context)


@addons.command("upgrade")
@click.argument("names", nargs=-1)
@pass_context
def upgrade_addons(context: Context, names: tuple[str, ...]) -> None:
    """Upgrade NAMES (all that are installed by default) and what they depend on."""
    _say_done(context, lifecycle.upgrade(context.installation, names or None, actor=actor()))
    if not names:
        _say_left_out(context)


def _say_done(context: Context, done: list[lifecycle.Installed]) -> None:
    for one in done:
        steps = f" (migrations {', '.join(one.migrations)})" if one.migrations else ""
        context.say(f"{one.addon}: {one.outcome}{steps}")
        for note in one.notes:
            context.say(f"  {note}")


def _say_left_out(context: Context) -> None:
    for one in addon_states(context.installation):
        if one.state == CANNOT_RUN:
            click.echo(f"{one.name}: left out: {one.reason}", err=True)


@addons.command("uninstall")
@click.argument("name")
@click.option("--with-dependants", is_flag=True, help="With the addons that depend on it.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_context
def uninstall_addon(context: Context, name: str, with_dependants: bool, dry_run: bool, yes: bool) -> None:
    """Take the addon NAME out of the store, after saying what goes. Evidence and awards stay."""
    home = context.installation
    for removal in plan(home, name, with_dependants=with_dependants):
        _say_removal(context, removal)
    if dry_run:
        context.say("Nothing was changed (--dry-run).")
        return
    if not yes:
        click.confirm("Uninstall? There is no way back but a backup of the store", abort=True)
    removals, stayed = uninstall(home, name, actor(), with_dependants=with_dependants)
    for note in stayed:
        context.say(note)
    context.say(f"Uninstalled {', '.join(one.name for one in removals)}. Restart run, or serve, worker and scheduler.")
    for setting in [setting for one in removals for setting in one.settings]:
        context.say(f"config.toml still holds {setting}: take it out.")


def _say_removal(context: Context, removal: Removal) -> None:
    context.say(f"{removal.name} {removal.version}:")
    if removal.addon is None:
        context.say("  its code is not there or cannot run: its uninstall_hook, if it has one, is not called")
    elif removal.hook:
        context.say(f"  calls first: its uninstall_hook {removal.hook}")
    for title, tables in (
        ("drops the tables", removal.dropped),
        ("empties the tables", removal.emptied),
        ("keeps the tables", removal.kept),
    ):
        if tables:
            context.say(f"  {title}: {', '.join(f'{name} ({_rows(count)})' for name, count in tables.items())}")
    if not (removal.footprint["tables"] or removal.loaded or removal.schedules):
        context.say("  has nothing in the store but its record")
    if removal.loaded:
        found = ", ".join(f"{table} ({count})" for table, count in removal.loaded.items())
        context.say(f"  deletes the records that its data files brought, unless something refers to them: {found}")
    if removal.stays:
        context.say(f"  leaves what was made of its data files: {', '.join(removal.stays)}")
    if removal.schedules:
        context.say(f"  removes the schedules: {', '.join(removal.schedules)}")
    if removal.settings:
        context.say(f"  leaves in config.toml, for you to take out: {', '.join(removal.settings)}")


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
