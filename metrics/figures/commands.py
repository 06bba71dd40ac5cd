"""`certbridge metrics`: which figures there are, and one of them measured."""

import csv
import sys
from collections.abc import Iterable
from typing import Any

import click

from metrics.figures import registry, units
from metrics.figures.figure import Figure, Member
from metrics.figures.periods import Period
from metrics.figures.question import ATTEMPTS, BASES, Question
from metrics.figures.ratio import SIDES
from metrics.figures.scope import BREAKDOWNS
from metrics.figures.settings import dimensions_of
from plugin.cli import Context, pass_context
from plugin.errors import RefusedError
from plugin.moments import in_zone_iso, parse_moment

FORMATS = click.Choice(["table", "json", "csv"])


@click.group()
def metrics() -> None:
    """The figures of training."""


@metrics.command("list")
@click.option("--format", "form", type=FORMATS, default="table")
@pass_context
def list_figures(context: Context, form: str) -> None:
    """Every figure, and what it means."""
    language = context.installation.settings.organisation.language
    rows = [
        {
            "name": name,
            "title": figure.title.in_language(language),
            "definition": figure.definition.in_language(language),
            "breakdowns": " ".join(figure.breakdowns),
        }
        for name, figure in registry.figures().items()
    ]
    if form == "json":
        context.say_json(rows)
    elif form == "csv":
        _say_csv(rows)
    else:
        for row in rows:
            context.say(f"{row['name']}: {row['title']}\n  {row['definition']}\n  By {row['breakdowns']}.\n")


@metrics.command("show")
@click.argument("name")
@click.option("--period", required=True, help="2026, 2026H1, 2026Q3, 2026-07 or 2026-04-01..2026-07-01.")
@click.option("--by", type=click.Choice(BREAKDOWNS), help="Break the figure down.")
@click.option("--as-of", help="What was known at this moment (default: now).")
@click.option("--course", help="Only this course: its idnumber, else id:N.")
@click.option("--department", help="Only this department, by its code.")
@click.option("--with-children", is_flag=True, help="Departments together with those below them.")
@click.option("--position", help="Only this position, by its code.")
@click.option("--grade", help="Only this grade, by its code.")
@click.option("--category", help="Only courses, or programmes, of this category.")
@click.option("--programme", help="Only this programme, by its code: its target and its courses.")
@click.option("--lecturer", help="Only this lecturer's courses, by the lecturer's code.")
@click.option("--certification", help="Only this certification, by its code.")
@click.option("--competency", help="Only this competency, by its code.")
@click.option("--months", type=click.IntRange(1, 60), default=3, show_default=True, help="Behaviour: months after.")
@click.option("--exempt", multiple=True, help="The employee number of somebody exempt. May be given more than once.")
@click.option("--basis", type=click.Choice(BASES), default="started", help="What counts as taking part, for coverage.")
@click.option("--attempt", type=click.Choice(ATTEMPTS), default="best", help="Which attempt counts, for the pass rate.")
@click.option("--people", "side", type=click.Choice(SIDES), help="List who is behind the figure.")
@click.option("--format", "form", type=FORMATS, default="table")
@pass_context
def show(
    context: Context,
    /,
    name: str,
    period: str,
    by: str | None,
    as_of: str | None,
    exempt: tuple[str, ...],
    side: str | None,
    form: str,
    **narrowing: Any,
) -> None:
    """The figure NAME over a period."""
    home = context.installation
    zone = home.settings.organisation.zone
    try:
        moment = parse_moment(as_of, zone) if as_of else home.clock()
    except ValueError as error:
        raise RefusedError(f"--as-of: {error}.") from None
    question = Question(
        Period.parse(period, zone),
        moment,
        exempt=frozenset(exempt),
        currency=home.settings.organisation.currency,
        dimensions=dimensions_of(home),
        **narrowing,
    )
    with home.store.read() as session:
        if side:
            if by:
                raise RefusedError("--people lists the people of one figure; narrow it instead of breaking it down.")
            members = registry.people(session, name, question, side)
        else:
            answers = registry.definition(name).measure(session, question, by)
    if side:
        _say_people(context, members, form, registry.definition(name).lists)
    else:
        _say_figures(context, answers, form, home.settings.organisation.language)


def _say_people(context: Context, members: list[Member], form: str, called: str) -> None:
    rows = [{called: member.employee_number, "name": member.name, "course": member.course} for member in members]
    if form == "json":
        context.say_json(rows)
    elif form == "csv":
        _say_csv(rows, [called, "name", "course"])
    else:
        for member in members:
            context.say(f"{member.employee_number:16} {member.name:30} {member.course or ''}".rstrip())


def _say_figures(context: Context, answers: list[tuple[str, Figure]], form: str, language: str) -> None:
    if form == "json":
        context.say_json([{"label": label, **figure.as_json(language)} for label, figure in answers])
        return
    if form == "csv":
        _say_csv([_flat(label, figure) for label, figure in answers])
        return
    if not answers:
        context.say("Nothing to show.")
        return
    for label, figure in answers:
        unit = registry.definition(figure.name).unit
        shown = "no value" if figure.value is None else units.value_of(figure.value, unit)
        sizes = f"{units.number_of(figure.numerator)}/{units.number_of(figure.denominator)}"
        reason = figure.reason.in_language(language) if figure.reason else ""
        mark = "" if figure.complete else "provisional"
        context.say(f"{label:24} {shown:>9} {sizes:>15}  {mark:11}  {reason}".rstrip())
    for line in _notes(answers, language):
        context.say(line)


def _notes(answers: list[tuple[str, Figure]], language: str) -> Iterable[str]:
    """What is said once below the figures."""
    first = answers[0][1]
    words = registry.definition(first.name).words
    yield ""
    yield f"As of {in_zone_iso(first.as_of, first.period.zone)}."
    single = len(answers) == 1
    for label, figure in answers:
        if single and registry.definition(first.name).about_people:
            yield f"Population: {figure.population.size}, {figure.population.rule.in_language(language)}."
        counted = {**figure.exclusions, **figure.not_visible, **figure.beside}
        texts = [f"{words[code].in_language(language)}: {units.number_of(count)}" for code, count in counted.items()]
        texts += [
            f"{words[name].in_language(language) if name in words else name}: {units.number_of(number)}"
            for name, number in figure.parts.items()
        ]
        if texts:
            yield ("" if single else f"{label}: ") + "; ".join(texts) + "."
    for item in dict.fromkeys(item for _, figure in answers for item in figure.provisional):
        where = " ".join(part for part in (item.source, item.stream) if part)
        yield "Provisional: " + (f"{where}: " if where else "") + item.why.in_language(language) + "."


def _flat(label: str, figure: Figure) -> dict[str, Any]:
    """One line of CSV; counts under codes as `code=3 other=1`."""
    answer = figure.as_json()
    return {
        "label": label,
        **{key: answer[key] for key in ("name", "value", "numerator", "denominator")},
        "population": figure.population.size,
        "population_date": figure.population.day,
        "period": figure.period.name,
        "as_of": answer["as_of"],
        "complete": figure.complete,
        **{
            key: " ".join(f"{code}={count}" for code, count in answer[key].items())
            for key in ("exclusions", "not_visible", "beside", "parts")
        },
    }


def _say_csv(rows: list[dict[str, Any]], header: list[str] | None = None) -> None:
    if not rows and header is None:
        return
    writer = csv.DictWriter(sys.stdout, header or list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def register(cli: click.Group) -> None:
    """Add `metrics` to the command."""
    cli.add_command(metrics)
