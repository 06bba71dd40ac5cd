"""`certbridge init`, `certbridge doctor`, `certbridge keys rotate` and `certbridge keys prune`."""

import os
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TextIO

import click

from plugin import starting
from plugin.accounts import MINIMUM_PASSWORD
from plugin.audit import record_act
from plugin.cli import Context, actor, keys, pass_context
from plugin.doctor import examine
from plugin.errors import RefusedError, SecretError
from plugin.findings import ERROR, HINT, LEVELS, OK, WARNING, Finding, has_errors
from plugin.rotation import prune, rotate
from plugin.starting import Wishes
from plugin.store import shown_url

LANGUAGES = ("en", "zh_Hans_CN")


def register(cli: click.Group) -> None:
    """Add the subcommands."""
    cli.add_command(init)
    cli.add_command(doctor)
    keys.add_command(rotate_keys)
    keys.add_command(prune_keys)


class Entered(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click only, and not in 8.1
    """What is entered is read by a function that raises ValueError, whether it is an option or an answer."""

    def __init__(self, name: str, read: Callable[[str], str]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The value as it is kept; fails with the reason."""
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


SITE = Entered("url", starting.site_address)
DATABASE = Entered("url", starting.database_url)
ZONE = Entered("zone", starting.zone_name)
CURRENCY = Entered("currency", starting.currency_code)


# Init -----------------------------------------------------------------------------------------------------------------


@click.command("init")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where config.toml and everything else is to stand (default: here, or where --config says).",
)
@click.option("--moodle-url", type=SITE, help="The address of the Moodle site.")
@click.option(
    "--moodle-token-file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="The file whose first line is the token of the web service user; '-' reads it from standard input and keeps it "
    "in moodle.token.",
)
@click.option("--roster", type=click.Path(dir_okay=False, path_type=Path), help="The CSV file with the employees.")
@click.option("--organisation", help="The organisation's name.")
@click.option("--timezone", type=ZONE, help="Its time zone, for instance Asia/Shanghai.")
@click.option("--language", type=click.Choice(LANGUAGES), help="The language where a reader's own is not known.")
@click.option("--currency", type=CURRENCY, help="The currency of amounts that name none, for instance CNY.")
@click.option("--database", type=DATABASE, help="postgresql://user@host/name (default: SQLite, a file in var).")
@click.option("--admin", help="The login of the first administrator (default: admin).")
@click.option(
    "--password-file",
    type=click.File("r"),
    help="Its first line is the administrator's password ('-' for standard input); else one is made and shown once.",
)
@click.option("--yes", is_flag=True, help="Ask nothing: what was not given is left at its default.")
@pass_context
def init(
    context: Context,
    /,
    folder: Path | None,
    moodle_token_file: Path | None,
    admin: str | None,
    password_file: TextIO | None,
    yes: bool,
    **given: Any,
) -> None:
    """Set everything up: config.toml, the key, the tables, the first administrator. Then look whether it works.

    Run it again after a failure: it goes on where it stopped, and leaves what is there as it is. Exit status 1 when
    something stands in the way of pulling.
    """
    if folder is not None:
        context.config = folder / context.config.name
    password = _password(password_file)
    ask = _Asker(context, yes)
    if context.config.exists():
        _keep_settings(context, Wishes(**given, moodle_token=_named(moodle_token_file)))
    else:
        _make_settings(context, given, moodle_token_file, ask)
    _set_up(context)
    login = _administrator(context, admin, password, ask)
    context.say("\nLooking whether it works …")
    findings = examine(context.config)
    _tell(context, [finding for finding in findings if finding.level in (ERROR, WARNING)])
    _say_what_next(context, findings, login)
    sys.exit(1 if has_errors(findings) else 0)


class _Asker:
    """Asks for what was not given, unless --yes says not to."""

    def __init__(self, context: Context, yes: bool) -> None:
        self.context = context
        self.silent = yes

    def __call__(self, given: Any, question: str, default: str | None, kind: Any = str, *, hidden: bool = False) -> Any:
        """What was given, or the answer; with --yes None, which means the default."""
        if given is not None or self.silent:
            return given
        # A terminal must not show the token; what comes through a pipe is shown to nobody.
        hide = hidden and sys.stdin.isatty()
        try:
            return click.prompt(question, default=default, type=kind, hide_input=hide, show_default=bool(default))
        except click.Abort:
            raise RefusedError(
                "No answer came. Run 'certbridge init' again to go on; what was done stays. With --yes nothing is asked."
            ) from None


def _password(file: TextIO | None) -> str | None:
    if file is None:
        return None
    password = file.readline().rstrip("\n")
    if len(password) < MINIMUM_PASSWORD:
        raise RefusedError(f"The password in the first line of the file is shorter than {MINIMUM_PASSWORD} characters.")
    return password


def _named(token_file: Path | None) -> Path | None:
    return None if token_file is None or str(token_file) == "-" else token_file


def _keep_settings(context: Context, wishes: Wishes) -> None:
    """Leave the config.toml that is there as it is; refuse when it does not say what is wished."""
    if lines := starting.differences(context.config, wishes):
        shown = "".join(f"\n  {line}" for line in lines)
        raise RefusedError(
            f"{context.config} is there already, and is never overwritten. To have what you asked for, change in it:{shown}\n"
            "Then run 'certbridge init' again without those options; or 'certbridge doctor' to see where it stands."
        )
    context.say(f"{context.config} is there already; it was left as it is.")


def _make_settings(context: Context, given: dict[str, Any], token_file: Path | None, ask: _Asker) -> None:
    """Ask for what config.toml must say, and write it."""
    folder = context.config.parent
    kept = folder / starting.TOKEN_FILE
    given["organisation"] = ask(given["organisation"], "The organisation's name", "My organisation")
    given["timezone"] = ask(given["timezone"], "Its time zone", starting.machine_zone(), ZONE)
    given["language"] = ask(given["language"], "Its language", "en", click.Choice(LANGUAGES))
    given["currency"] = ask(given["currency"], "Its currency", "EUR", CURRENCY)
    if "CERTBRIDGE_STORE__URL" not in os.environ:
        question = "PostgreSQL database, postgresql://user@host/name (nothing: SQLite, for up to a few thousand people)"
        given["database"] = ask(given["database"], question, "", _Optional(DATABASE)) or None
    roster = ask(given["roster"], "The CSV file with the employees", str(folder / "roster.csv"))
    given["roster"] = Path(roster or folder / "roster.csv")
    given["moodle_url"] = ask(given["moodle_url"], "The address of your Moodle (nothing: later)", "", _Optional(SITE))
    given["moodle_url"] = given["moodle_url"] or None
    if given["moodle_url"]:
        given["moodle_token"] = _token(context, token_file, kept, ask)
    elif token_file is not None:
        raise click.UsageError("--moodle-token-file needs --moodle-url.")
    starting.write_settings(context.config, Wishes(**{one.name: given.get(one.name) for one in fields(Wishes)}))
    context.say(f"Wrote {context.config}.")
    if not given["roster"].is_file():
        context.say(
            f"{given['roster']} is not there yet. Export it from HR as CSV in UTF-8, with this first line (the first two "
            "columns are needed):\n  employee_number,name,email,department,position,grade,manager,joined,left"
        )


class _Optional(click.ParamType):  # type: ignore[type-arg]  # as above
    """An answer that may be nothing."""

    def __init__(self, kind: Entered) -> None:
        self.name = kind.name
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Nothing, or what the kind makes of it."""
        return self._kind.convert(value, param, ctx) if value.strip() else ""


def _token(context: Context, token_file: Path | None, kept: Path, ask: _Asker) -> Path:
    """The file that the token is in; one that was typed, or came through standard input, is written into `kept`."""
    given = _named(token_file)
    if given is not None:
        try:
            if given.read_text(encoding="utf-8").partition("\n")[0].strip():
                return given
        except (OSError, UnicodeDecodeError) as error:
            raise RefusedError(f"{given} cannot be read ({type(error).__name__}); name the token's file.") from None
        raise RefusedError(f"{given} is empty; write the token into its first line.")
    if kept.exists():
        context.say(
            f"The token in {kept} is used, which is there already; delete that file to be asked for another one."
        )
        return kept
    if token_file is not None:
        token = sys.stdin.readline().strip()
    else:
        token = ask(None, "The token of its web service user (docs/moodle.md says how to make one)", None, hidden=True)
    if not token:
        raise click.UsageError("A token is needed with --moodle-url: name its file with --moodle-token-file.")
    context.say(f"The token is kept in {kept}, readable by this user only.")
    return starting.keep_token(kept.parent, str(token).strip())


def _set_up(context: Context) -> None:
    """The key file and the tables."""
    home = context.installation
    if starting.make_key(home):
        context.say(f"Made the key {home.key_file}. Back it up: what it encrypts cannot be read without it.")
    else:
        context.say(f"The key {home.key_file} is there already.")
    changed = starting.install_all(home)
    if changed:
        context.say(f"Installed {len(changed)} addons into {shown_url(home.store.engine.url)}.")
    else:
        context.say("The addons are installed already.")


def _administrator(context: Context, login: str | None, password: str | None, ask: _Asker) -> str:
    """The administrator that there is, or a new one."""
    home = context.installation
    if there := starting.administrators(home):
        context.say(
            f"There is an administrator already: {there[0]}. If the password is not known, "
            f"'{_command(context)} account reset {there[0]}' prints a link that sets another one."
        )
        return there[0]
    chosen = str(ask(login, "The login of the first administrator", "admin") or "admin")
    made = password or secrets.token_urlsafe(12)
    starting.make_administrator(home, chosen, made, actor())
    context.say(
        f"Created the administrator {chosen}." + ("" if password else f" The password, shown this once: {made}")
    )
    sys.stdout.flush()
    return chosen


def _command(context: Context) -> str:
    """How `certbridge` is called so that it finds this config.toml."""
    here = context.config.resolve() == Path("config.toml").resolve()
    return "certbridge" if here else f"certbridge --config {context.config}"


def _say_what_next(context: Context, findings: Iterable[Finding], login: str) -> None:
    command, url = _command(context), context.installation.settings.web.public_url
    hints = sum(finding.level == HINT for finding in findings)
    if has_errors(findings):
        context.say(
            f"\nEverything is set up, but not everything works yet. Mend what is above, then: {command} doctor\n"
        )
    else:
        context.say(f"\nEverything is set up and works{f'; {hints} hints: {command} doctor' if hints else ''}.\n")
    context.say("What is next:")
    width = len(command) + 26
    for what, does in (
        ("sync", "pulls everything for the first time, and says how far it is"),
        ("certification import", "says what certifies (docs/certification.md)"),
        ("endpoint add", "says where HR listens (docs/webhooks.md)"),
        ("run", f"does all of it from now on; the pages are at {url}: sign in as {login}"),
    ):
        context.say(f"  {f'{command} {what}':{width}}{does}")


# Doctor ---------------------------------------------------------------------------------------------------------------


@click.command("doctor")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@pass_context
def doctor(context: Context, form: str) -> None:
    """What stands in the way, what it breaks, what mends it; nothing is changed. Exit status 1 when there is an error."""
    findings = examine(context.config)
    if form == "json":
        context.say_json([asdict(finding) for finding in findings])
    else:
        _tell(context, findings)
        counts = Counter(finding.level for finding in findings)
        context.say(f"{_count(counts, ERROR)}, {_count(counts, WARNING)}, {_count(counts, HINT)}.")
    sys.exit(1 if has_errors(findings) else 0)


def _count(counts: Counter[str], level: str) -> str:
    return f"{counts[level]} {level}{'' if counts[level] == 1 else 's'}"


def _tell(context: Context, findings: Iterable[Finding]) -> None:
    """The findings for a person, what is most serious last: that is where a terminal stands afterwards."""
    for finding in sorted(findings, key=lambda one: LEVELS.index(one.level), reverse=True):
        where = f"{finding.area} {finding.subject}".strip()
        context.say(f"{finding.level:8} {where}: {finding.what}")
        if finding.level != OK:
            context.say(f"{'':9}  breaks: {finding.breaks}\n{'':9}  mend:   {finding.mend}")


# Keys -----------------------------------------------------------------------------------------------------------------


@click.command("rotate")
@pass_context
def rotate_keys(context: Context) -> None:
    """Put a new key first in the key file, and encrypt with it what is stored.

    The older keys stay in the file until 'keys prune' takes them out. If it is interrupted, run it again.
    """
    home = context.installation
    done = rotate(home)
    with home.store.write() as session:
        after = {"new_key": done.new_key, "renewed": done.renewed}
        record_act(session, actor(), "keys.rotate", "keys", home.clock(), after=after)
    if done.new_key:
        context.say(f"Put a new key first in {home.key_file}. What was renewed with it: {done.renewed}.")
    else:
        context.say(
            f"Finished the rotation that was begun earlier. What was renewed: {done.renewed}. For a new key run it again."
        )
    context.say(
        "Back the key file up now, and copy it to every other machine that serves or works here. Processes that run "
        "take the new key by themselves; when the one that serves the pages is restarted, people sign in again.\n"
        "When all that is done: certbridge keys prune"
    )
    if done.closed:
        raise SecretError(
            f"{done.closed} stored secrets open with no key of the key file and were left as they are. Add the line of the "
            "key that they were made with and run it again; 'certbridge doctor' says which they are."
        )


@click.command("prune")
@pass_context
def prune_keys(context: Context) -> None:
    """Take the older keys out of the key file, after making sure that nothing stored needs them."""
    home = context.installation
    gone = prune(home)
    if not gone:
        context.say("The key file has one key only; nothing was taken out.")
        return
    with home.store.write() as session:
        record_act(session, actor(), "keys.prune", "keys", home.clock(), after={"removed": gone})
    context.say(
        f"Took {gone} older keys out of {home.key_file}. Keep a copy of the former key file with the backups of the store "
        "that were made before the rotation: they open with it only."
    )
