"""`certbridge reminders`: what was written to whom, and writing what is due."""

import sys

import click
from sqlalchemy import select

from connectors.sync import is_settled
from metrics import reminder_digests, reminder_listing, reminders
from metrics.reminder_models import ReminderMark
from metrics.reminder_moments import DUTY
from metrics.tasks import derive
from plugin.cli import Context, pass_context
from plugin.moments import in_zone_iso


@click.group("reminders")
def reminders_command() -> None:
    """Mails to employees whose certification ends or is due, and to their managers."""


@reminders_command.command("list")
@click.option("--certification", default="", help="Only of this certification.")
@click.option("--employee", default="", help="Only of whose number or name this is a part.")
@click.option("--outcome", type=click.Choice(reminders.OUTCOMES), help="Only those with this outcome.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="At most so many.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@pass_context
def list_reminders(
    context: Context, certification: str, employee: str, outcome: str | None, limit: int, form: str
) -> None:
    """The reminders that were written, the newest first."""
    home = context.installation
    zone = home.settings.organisation.zone
    filters = {"certification": certification, "search": employee, "outcome": outcome or ""}
    with home.store.read() as session:
        rows = [
            {
                "recorded_at": in_zone_iso(reminder.recorded_at, zone),
                "employee_number": number,
                "certification": reminder.certification,
                "about": DUTY if reminder.about == DUTY else "end",
                "ends_at": in_zone_iso(reminder.ends_at, zone),
                "before": reminder.before,
                "outcome": reminder.outcome,
                "mail": reminder.mail_id,
                "state": state,
            }
            for reminder, number, _, state in session.execute(reminder_listing.listed(filters).limit(limit))
        ]
    if form == "json":
        context.say_json(rows)
        return
    for row in rows:
        went = f"mail {row['mail']} ({row['state']})" if row["mail"] else "no mail address"
        what = "due" if row["about"] == DUTY else "ends"
        context.say(
            f"{row['recorded_at']}  {row['employee_number']:12} {row['certification']:20} "
            f"{what} {row['ends_at']}, {row['before']} before: {went}"
        )


@reminders_command.command("run")
@click.option("--dry-run", is_flag=True, help="Only say whom it would remind.")
@pass_context
def run(context: Context, dry_run: bool) -> None:
    """Write what is due now, as the scheduler does. Exit status 3 when a source must be pulled first."""
    home = context.installation
    zone = home.settings.organisation.zone
    with home.store.read() as session:
        settled = is_settled(session, home.settings.sources, home.clock())
        marked = session.scalar(select(ReminderMark.until).where(ReminderMark.name == reminders.MARK))
    if dry_run:
        for each in reminders.waiting(home):
            where = "" if reminders.reachable(each.email) else " (no mail address)"
            what = "due" if each.about == DUTY else "ends"
            context.say(f"{each.number}: {each.certification} {what} {in_zone_iso(each.ends_at, zone)}{where}")
        if marked is None:
            context.say("Nobody has been looked for yet; what falls due from the first look on is told.")
        return
    if not settled:
        context.say(
            "Nobody was reminded: a source is being pulled, or has never been pulled to its end. "
            "Run 'certbridge sync' first."
        )
        sys.exit(3)
    derive(home)
    employees, managers = reminders.remind(home), reminder_digests.digest(home)
    context.say(
        f"Reminders queued: {employees.queued}; without a mail address: {employees.no_address}. "
        f"Lists for managers queued: {managers.queued}; without a mail address: {managers.no_address}."
    )
