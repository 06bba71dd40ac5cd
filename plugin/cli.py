"""The `certbridge` command: the kernel's own subcommands and those that the addons' `commands.py` register."""

import getpass
import json
import logging
import secrets
import signal
import sys
import threading
import warnings
from contextlib import suppress
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any

import click
from rich.console import Console
from rich.logging import RichHandler
from sqlalchemy.exc import OperationalError, ProgrammingError
from waitress.server import create_server

from plugin import lifecycle
from plugin.accounts import create_account, create_token, person_of, set_person
from plugin.audit import record_act
from plugin.errors import CertBridgeError, SettingsError, StoreError
from plugin.installation import PACKAGES, Installation
from plugin.manifests import complete, discover, in_order
from plugin.roles import ROLES
from plugin.secrets import create_key_file
from plugin.summaries import summarise
from plugin.web import create_app
from plugin.worker import beat, celery_app, start

log = logging.getLogger(__name__)


class Context:
    """What every subcommand is handed: where config.toml is, the console, and the installation on first use."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.console = Console()

    @cached_property
    def installation(self) -> Installation:
        """The installation that config.toml describes."""
        home = Installation.open(self.config)
        logging.getLogger().setLevel(home.settings.log.level)
        click.get_current_context().find_root().call_on_close(home.store.close)
        home.store.check()
        return home

    def say(self, text: str) -> None:
        """A line for a person."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def say_json(self, value: Any) -> None:
        """A value for a program."""
        click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


pass_context = click.make_pass_decorator(Context)


def actor() -> str:
    """Who acts at the command line, for the audit trail."""
    return f"command:{getpass.getuser()}"


class Command(click.Group):
    """The root group: prints the message of what was foreseen, and exits with its status.

    Commands of addons in the folders of [addons] path are looked for when nothing else has the name.
    """

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of this name."""
        return super().get_command(ctx, cmd_name) or _own_commands(ctx).get(cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all subcommands."""
        own: dict[str, click.Command] = {}
        with suppress(CertBridgeError):  # help is there, whatever is wrong with config.toml
            own = _own_commands(ctx)
        return sorted({*super().list_commands(ctx), *own})

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand."""
        try:
            try:
                return super().invoke(ctx)
            except (OperationalError, ProgrammingError) as error:
                _blame_migrations(ctx.obj.installation, error)
                raise
        except CertBridgeError as error:
            click.echo(f"certbridge: {error}", err=True)
            sys.exit(error.exit_code)


def _own_commands(ctx: click.Context) -> dict[str, click.Command]:
    """The subcommands of the addons in the folders that config.toml names."""
    config = ctx.params.get("config")
    if config is None or not config.is_file():
        return {}
    home = Installation.open(config)
    own = click.Group()
    for addon in in_order(complete(home.addons)):
        if addon.name.partition(".")[0] not in PACKAGES and (commands := home.room(addon, "commands")):
            try:
                commands.register(own)
            except Exception as error:  # somebody else's code must not stop the others
                home.leave_out(addon, f"its commands cannot be registered: {type(error).__name__}: {error}")
    return dict(own.commands)


def _blame_migrations(home: Installation, error: Exception) -> None:
    """Raise StoreError when tables are not there, or not as this version makes them."""
    if not lifecycle.is_set_up(home):
        raise StoreError("The store is empty; run 'certbridge addons install' first.") from error
    if lagging := lifecycle.lagging(home):
        raise StoreError(
            f"The tables of {', '.join(lagging)} are not those of this version; run 'certbridge addons upgrade'."
        ) from error


@click.group(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("config.toml"),
    envvar="CERTBRIDGE_CONFIG",
    is_eager=True,  # before --help, which lists the commands of the addons that the file names
    help="The settings file (default: config.toml here).",
)
@click.pass_context
def cli(ctx: click.Context, config: Path) -> None:
    """Bring training results from the LMS to HR's promotion records."""
    for chatty in ("alembic", "celery", "kombu"):
        logging.getLogger(chatty).setLevel("WARNING")
    # A worker that ends puts back what it has not begun, which is as it should be.
    logging.getLogger("kombu.transport.virtual").setLevel("ERROR")
    # The worker may run as root in a container; its messages carry no pickles, which the warning is about.
    warnings.filterwarnings("ignore", module="celery.platforms")
    logging.basicConfig(
        level="WARNING",
        format="%(message)s",
        datefmt="%H:%M:%S",
        handlers=[RichHandler(console=Console(stderr=True), show_path=False)],
    )
    ctx.obj = Context(config)


@cli.group()
def keys() -> None:
    """The keys that encrypt what people enter."""


@keys.command("create")
@pass_context
def create_keys(context: Context) -> None:
    """Make the key file."""
    create_key_file(context.installation.key_file)
    context.say(f"Created {context.installation.key_file}. Back it up: what it encrypts cannot be read without it.")


@cli.group()
def account() -> None:
    """Who can sign in."""


@account.command("create")
@click.argument("login")
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice(ROLES),
    default=("administrator",),
    help="May be given more than once.",
)
@click.option(
    "--password-file",
    type=click.File("r"),
    help="Read the password from the first line of this file ('-' for standard input); else one is made and shown once.",
)
@click.option("--employee", help="The number of the employee whose account it is.")
@pass_context
def create_login(
    context: Context, login: str, roles: tuple[str, ...], password_file: Any, employee: str | None
) -> None:
    """Create the account LOGIN; the first one should be an administrator."""
    home = context.installation
    password = password_file.readline().rstrip("\n") if password_file else secrets.token_urlsafe(12)
    with home.store.write() as session:
        made = create_account(session, login, password, roles, home.clock())
        made.must_change_password = password_file is None
        person, now = person_of(session, employee), home.clock()
        after, person_id = {"roles": list(roles)}, person.id if person is not None else None
        record_act(session, actor(), "account.create", f"account:{login}", now, after=after, person_id=person_id)
        session.flush()
        set_person(session, made, employee, actor(), now)
    context.say(
        f"Created the account {login} with the roles {', '.join(roles)}."
        + ("" if password_file else f" Its password, shown this once: {password}")
    )


@cli.group()
def token() -> None:
    """Tokens with which other systems call the API."""


@token.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    help="What the token opens, for instance promotions:write.",
)
@click.option("--days", type=click.IntRange(1), help="How long it is valid (default: until revoked).")
@pass_context
def create_api_token(context: Context, name: str, scopes: tuple[str, ...], days: int | None) -> None:
    """Create the token NAME; it is printed this once."""
    home = context.installation
    with home.store.write() as session:
        made = create_token(session, name, scopes, home.clock(), timedelta(days=days) if days else None, actor())
        after = {"scopes": list(scopes), "days": days}
        record_act(session, actor(), "token.create", f"token:{name}", home.clock(), after=after)
    click.echo(made)


@cli.command()
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@pass_context
def status(context: Context, form: str) -> None:
    """What there is: people, courses, certifications, deliveries."""
    summaries = summarise(context.installation)
    if form == "json":
        context.say_json([{"title": line.title, "count": line.count, "parts": line.parts} for line in summaries])
        return
    for line in summaries:
        parts = ", ".join(f"{name} {count}" for name, count in line.parts.items())
        context.say(f"{line.title:20} {line.count:>8}  {parts}")


@cli.command()
@pass_context
def serve(context: Context) -> None:
    """Serve the pages and the API (beside `worker` and `scheduler`)."""
    home = context.installation
    celery_app(home)
    server = _http_server(home)
    _stop_on_signal(sys.exit)  # closing the server is not enough: it would wait for every open connection
    context.say(f"Serving on http://{home.settings.web.host}:{server.effective_port}")
    server.run()


@cli.command()
@click.option("--threads", type=click.IntRange(1), default=4, help="How many tasks at a time.")
@click.option(
    "--pool",
    type=click.Choice(["threads", "prefork"]),
    default="threads",
    help="prefork: processes, with hard time limits.",
)
@pass_context
def worker(context: Context, threads: int, pool: str) -> None:
    """Do the work that schedules and wake-up calls hand out."""
    home = context.installation
    start(home)
    app = celery_app(home)
    context.say("Working")
    _run_worker(app, threads, pool)


@cli.command()
@pass_context
def scheduler(context: Context) -> None:
    """Claim what is due and hand it to the workers; any number may run."""
    home = context.installation
    start(home)
    service = beat(celery_app(home))
    stopped = threading.Event()
    _stop_on_signal(stopped.set)
    service.start()
    context.say("Scheduling")
    stopped.wait()
    service.stop()


@cli.command()
@click.option("--threads", type=click.IntRange(1), default=4, help="How many tasks at a time.")
@pass_context
def run(context: Context, threads: int) -> None:
    """Everything in one process: pages, worker and scheduler. For small installations and for trying out."""
    home = context.installation
    start(home)
    app = celery_app(home)
    server = _http_server(home)
    threading.Thread(target=server.run, name="http", daemon=True).start()
    service = beat(app)
    service.start()
    context.say(f"Serving on http://{home.settings.web.host}:{server.effective_port}")
    sys.stdout.flush()
    try:
        _run_worker(app, threads, "threads")
    finally:
        service.stop()
        server.close()


def _http_server(home: Installation) -> Any:
    web = home.settings.web
    app = create_app(home)
    try:
        return create_server(app, host=web.host, port=web.port, threads=web.threads, ident=None)
    except OSError as error:
        raise SettingsError(
            f"[web] host and port: {web.host}:{web.port} cannot be listened on ({error.strerror}); choose another one, "
            "or end what listens there."
        ) from None


def _run_worker(app: Any, threads: int, pool: str) -> None:
    """Run a worker in this thread until SIGTERM or SIGINT; the running tasks are finished first."""
    instance = app.Worker(
        pool=pool,
        concurrency=threads,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        loglevel="WARNING",
        quiet=True,
    )
    instance.start()


def _stop_on_signal(stop: Any) -> None:
    def handle(_number: int, _frame: FrameType | None) -> None:
        stop()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)


def main() -> None:
    """Collect the addons' subcommands and run."""
    __import__("plugin.setup_commands", fromlist=["register"]).register(cli)
    addons_found = discover([], PACKAGES)
    for addon in in_order(addons_found):
        if (addon.path / "commands.py").is_file():
            __import__(f"{addon.name}.commands", fromlist=["register"]).register(cli)
    __import__("plugin.account_commands", fromlist=["register"]).register(cli)
    __import__("plugin.addon_commands", fromlist=["register"]).register(cli)
    cli()
