"""`certbridge certification import|list|export|preview|regrade`: rules in the store, from the command line."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from metrics.certification.known import refuse_unknown, unknown_names
from metrics.certification.models import CertificationRule
from metrics.certification.preview import GAINS, LOSES, MOVES, Limits, Preview, Stand, preview_import, preview_regrade
from metrics.certification.regrades import load_regrades, regrade
from metrics.certification.rule_refusals import RuleRefused
from metrics.certification.rule_text import needs, parse_rule
from metrics.certification.rule_words import rule_in_words
from metrics.certification.rules import import_rule, replaced, stored_text, versions_of
from metrics.certification.status import Status
from plugin.cli import Context, actor, pass_context
from plugin.errors import NotFoundError, RefusedError
from plugin.moments import in_zone_iso, parse_moment

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
allow_unknown = click.option(
    "--allow-unknown", is_flag=True, help="Accept names that nothing pulled has so far; each is told."
)
text_or_json = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")


def register(group: click.Group) -> None:
    """Add the commands to the group `certification`."""
    for command in (import_rules, list_rules, export_rules, preview_rule, regrade_rule):
        group.add_command(command)


@click.command("import")
@click.argument("files", metavar="RULE.toml...", nargs=-1, required=True, type=_FILE)
@allow_unknown
@pass_context
def import_rules(context: Context, files: tuple[Path, ...], allow_unknown: bool) -> None:
    """Store rules, each as a new version if it says something new. A refused file leaves nothing half saved."""
    home = context.installation
    given = _in_order_of_need([(file, _read(file)) for file in files])
    codes = {code for _, _, code in given}
    with home.store.write() as session:
        for file, text, _ in given:
            _check_names(context, session, file, text, codes, allow_unknown)
            try:
                done = import_rule(session, text, actor(), home.clock())
            except RefusedError as error:
                raise RefusedError(f"{file}: {error}") from None
            context.say(f"{done.code}: version {done.version} {done.outcome}")
    home.wake("people_touched")


@click.command("list")
@text_or_json
@pass_context
def list_rules(context: Context, form: str) -> None:
    """The certifications, the versions of their rules, and since when a version counts for older awards too."""
    home = context.installation
    with home.store.read() as session:
        regraded = load_regrades(session)
        rows = session.scalars(
            select(CertificationRule).order_by(CertificationRule.code, CertificationRule.version)
        ).all()
    applied = {(code, version): at for code, found in regraded.items() for at, version in found}
    newer = replaced(rows)
    if form == "json":
        zone = home.settings.organisation.zone
        context.say_json(
            [
                {
                    "code": row.code,
                    "version": row.version,
                    "effective_from": row.effective_from.isoformat() if row.effective_from else None,
                    "replaced_by": newer.get((row.code, row.version)),
                    "created_at": in_zone_iso(row.created_at, zone),
                    "created_by": row.created_by,
                    "regraded_at": _iso(applied.get((row.code, row.version)), context),
                }
                for row in rows
            ]
        )
        return
    for row in rows:
        since = f"decides from {row.effective_from}" if row.effective_from else "decides from the beginning"
        if (version := newer.get((row.code, row.version))) is not None:
            since = f"replaced by version {version}, which {since} too"
        at = applied.get((row.code, row.version))
        older = f", applied to older awards {at:%Y-%m-%d}" if at else ""
        context.say(
            f"{row.code:20} version {row.version}, {since}, imported {row.created_at:%Y-%m-%d} by {row.created_by}{older}"
        )


@click.command("export")
@click.argument("code", required=False)
@click.option("--version", type=int, help="This version (default: the newest).")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write every version, of CODE or of all certifications, to a file of its own in this folder.",
)
@pass_context
def export_rules(context: Context, code: str | None, version: int | None, folder: Path | None) -> None:
    """Write the rule of CODE to standard output, byte by byte as it was imported; or all versions to a folder."""
    with context.installation.store.read() as session:
        if folder is None:
            if code is None:
                raise click.UsageError("Name a certification, or a folder for all of them with --folder.")
            click.echo(stored_text(session, code, version).encode("utf-8"), nl=False)
            return
        if version is not None:
            raise click.UsageError("--folder writes every version; leave --version out.")
        rows = _all_versions(session, code)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for row in rows:
            (folder / file_name(row.code, row.version)).write_bytes(row.text.encode("utf-8"))
    except OSError as error:
        raise RefusedError(f"{folder} cannot be written to ({error.strerror}); name another folder.") from None
    context.say(f"Wrote {len(rows)} versions of {len({row.code for row in rows})} certifications to {folder}.")


@click.command("preview")
@click.argument("file", metavar="RULE.toml", type=_FILE)
@click.option(
    "--as-of", help="Look at this moment, such as 2027-01-01 (default: now, or when the rule begins to decide)."
)
@click.option("--limit", type=click.IntRange(0), default=20, show_default=True, help="How many people are named.")
@allow_unknown
@text_or_json
@pass_context
def preview_rule(context: Context, file: Path, as_of: str | None, limit: int, allow_unknown: bool, form: str) -> None:
    """What importing RULE.toml would change: people by status, who would gain, lose, move. Nothing is stored."""
    home = context.installation
    zone, now = home.settings.organisation.zone, home.clock()
    text = _read(file)
    try:
        moment = parse_moment(as_of, zone) if as_of else None
    except ValueError as error:
        raise RefusedError(f"--as-of: {error}") from None
    if moment is not None and moment < now:
        raise RefusedError(
            "--as-of: a rule that is not stored yet has decided nothing in the past; name a later moment."
        )
    with home.store.read() as session:
        _check_names(context, session, file, text, (), allow_unknown)
        try:
            found = preview_import(session, text, now, zone, Limits(named=limit), moment)
        except RuleRefused as error:
            raise RefusedError(f"{file}: {error}") from None
    if form == "json":
        context.say_json(found.as_json(zone))
        return
    for line in rule_in_words(parse_rule(text)):
        context.say("  " * line.depth + line.text)
    context.say("")
    _say_preview(context, found)


@click.command("regrade")
@click.argument("code")
@click.option("--to", "version", type=int, help="The version to apply (default: the newest).")
@click.option("--reason", help="Why; it stands in the history for good.")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--limit", type=click.IntRange(0), default=20, show_default=True, help="How many people are named.")
@text_or_json
@pass_context
def regrade_rule(
    context: Context,
    code: str,
    version: int | None,
    reason: str | None,
    dry_run: bool,
    yes: bool,
    limit: int,
    form: str,
) -> None:
    """Apply a newer version of CODE's rule to awards granted under an older one: say what changes, ask, do it."""
    home = context.installation
    zone = home.settings.organisation.zone
    if not dry_run and not (reason or "").strip():
        raise RefusedError("Say why with --reason: it stands in the history. Use --dry-run to only look.")
    with home.store.read() as session:
        found = preview_regrade(session, code, version, home.clock(), zone, Limits(named=limit))
    if form == "json":
        context.say_json(found.as_json(zone))
    else:
        _say_preview(context, found)
    if dry_run:
        if form == "text":
            context.say("Nothing has been changed.")
        return
    if not yes:
        click.confirm(
            f"Apply version {found.version} of {code} to awards granted under older versions?", abort=True, err=True
        )
    with home.store.write() as session:
        regrade(session, code, found.version, actor(), str(reason), home.clock())
    home.wake("people_touched")
    if form == "text":
        context.say(f"Version {found.version} of {code} is applied. 'certbridge derive' tells what follows.")


def file_name(code: str, version: int) -> str:
    """A file's name for a version: letters, digits, `-`, `_` and `.` as they are, everything else as %XX."""
    kept = "".join(letter if letter.isalnum() or letter in "-_." else f"%{ord(letter):02X}" for letter in code)
    return f"{kept}-v{version:03}.toml"


def _read(file: Path) -> str:
    """The file's text with its line ends as they are. Raises RefusedError where it is not UTF-8."""
    content = file.read_bytes()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RefusedError(f"{file}: line {line}: this is not UTF-8 text; save it as UTF-8") from None


def _in_order_of_need(files: Sequence[tuple[Path, str]]) -> list[tuple[Path, str, str]]:
    """The files with their texts and codes, each after those of the certifications that it needs, else as given."""
    rules = []
    for file, text in files:
        try:
            rules.append((file, text, parse_rule(text)))
        except RuleRefused as error:
            raise RefusedError(f"{file}: {error}") from None
    ordered: list[tuple[Path, str, str]] = []
    waiting = rules
    while waiting:
        codes = {rule.code for _, _, rule in waiting}
        ready = [each for each in waiting if not needs(each[2]) & (codes - {each[2].code})] or waiting  # else a circle
        ordered += [(file, text, rule.code) for file, text, rule in ready]
        waiting = [each for each in waiting if each not in ready]
    return ordered


def _check_names(
    context: Context, session: Session, file: Path, text: str, besides: Sequence[str] | set[str], allowed: bool
) -> None:
    """Refuse what the store does not know, or say so, where it is allowed."""
    try:
        if not allowed:
            refuse_unknown(session, text, besides)
            return
        for refusal in unknown_names(session, text, besides):
            context.say(f"{file}: warning: {refusal}")
    except RuleRefused as error:
        hint = "" if allowed else " (--allow-unknown accepts names that are to come)"
        raise RefusedError(f"{file}: {error}{hint}") from None


def _all_versions(session: Session, code: str | None) -> Sequence[CertificationRule]:
    if code is None:
        query = select(CertificationRule).order_by(CertificationRule.code, CertificationRule.version)
        return session.scalars(query).all()
    rows = versions_of(session, code)
    if not rows:
        raise NotFoundError(f"There is no certification {code!r}; 'certbridge certification list' names them.")
    return rows


def _say_preview(context: Context, found: Preview) -> None:
    zone = context.installation.settings.organisation.zone
    context.say(f"{found.code}, version {found.version} ({found.outcome}), as of {in_zone_iso(found.as_of, zone)}")
    for status in Status:
        before, after = found.before[status.value], found.after[status.value]
        if before or after:
            context.say(f"  {status.value:12} {before:>7} -> {after:>7}")
    gains, loses, moves = (found.changes[change] for change in (GAINS, LOSES, MOVES))
    context.say(f"Of {found.looked_at} people {gains} would gain it, {loses} would lose it, {moves} would move.")
    for each in found.differences:
        was, will = _told(each.before, context), _told(each.after, context)
        context.say(f"  {each.employee_number:12} {each.change}: {was} -> {will}")
    rest = sum(found.changes.values()) - len(found.differences)
    if rest > 0:
        context.say(f"  and {rest} more")
    for code, count in sorted(found.others.items()):
        context.say(f"{code} needs it: {count} people would stand elsewhere there.")


def _told(stand: Stand, context: Context) -> str:
    until = f" until {_iso(stand.valid_until, context)}" if stand.valid_until else ""
    return f"{stand.status}{until}"


def _iso(moment: datetime | None, context: Context) -> str | None:
    return in_zone_iso(moment, context.installation.settings.organisation.zone) if moment else None
