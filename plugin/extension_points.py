"""The page docs/extension-points.md: everywhere that CertBridge can be extended, one line each, made from the code.

    python -m plugin.extension_points             writes the page
    python -m plugin.extension_points --check     says whether it is current; exit status 1 when it is not

Each addon of this program tells its own points in a module `extension_points` with a function `sections()`; this is the
kernel's. The lines stand beside what they describe: they are the first sentences of docstrings, or dicts beside what they
name. A point without a line is refused.
"""

import importlib
import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from plugin import manifests
from plugin.manifests import discover, in_order

PAGE = Path(__file__).parents[1] / "docs" / "extension-points.md"
TEMPLATES = Path(__file__).parent / "templates"
HEAD = """# Extension points

Everywhere that an addon can take part, one line each. [extending.md](extending.md) builds an addon from nothing and says
more of each. This page is made from the code by `python -m plugin.extension_points`; a test fails when it lags behind.
"""
SHORTEST = 8  # signs that a line has at least

# Rooms: files and folders of an addon in which something is looked for.
ROOMS = {
    "models.py": "tables on `plugin.store.Base`; they belong to the addon and go with it",
    "migrations/": "the history of these tables, run when the addon is installed or upgraded",
    "tasks.py": "`TASKS`: functions `(installation, argument)` by name, for schedules and wake-up calls",
    "commands.py": "`register(cli)`: adds click commands to `certbridge`",
    "controllers.py": "`BLUEPRINTS`: Flask blueprints; `MENU`: entries of the navigation",
    "templates/": "what the blueprints show; `templates/mail/NAME.html` is a mail, with the blocks `subject` and `content`",
    "static/": "what a blueprint serves beside its pages; scripts and inline styles are refused by the browser",
    "i18n/": "gettext catalogues, domain `messages`, in the folders `en` and `zh_Hans_CN`",
    "data/": "files of the manifest's key `data`: CSV by the table's name, TOML by what `loads` it",
    "demo/": "files of the manifest's key `demo`, sandbox systems",
    "extension_points.py": "for this program's own addons: `sections()`, from which this page is made",
}
# Topics that somebody calls when there is something to look at; the manifest's key `wakes` names who looks.
TOPICS = {
    "people_touched": "something about persons was stored; `plugin.people.touch` names them",
    "events_appended": "there are events that HR has not been told; `plugin.events.append_events` stores them",
}
# Functions that an addon calls to take part in what the kernel does.
CALLS = (
    "plugin.store:Store.write",
    "plugin.store:Store.read",
    "plugin.store:hold",
    "plugin.people:record_employees",
    "plugin.people:touch",
    "plugin.events:append_events",
    "plugin.audit:record_act",
    "plugin.mail.queue:queue_mail",
    "plugin.mail.queue:queue_mails",
    "plugin.web:needs",
    "plugin.web:needs_token",
    "plugin.web:for_anybody",
    "plugin.api:described",
    "plugin.web:about",
    "plugin.web:may",
    "plugin.paging:stretch",
    "plugin.schedules:ensure",
    "plugin.schedules:lease",
    "plugin.secrets:SecretReference",
)


@dataclass(frozen=True)
class Point:
    """One point at which something can be extended, and what it is for."""

    name: str
    line: str


@dataclass(frozen=True)
class Section:
    """Points of one kind."""

    title: str
    lead: str
    points: tuple[Point, ...]


def sections() -> list[Section]:
    """The kernel's points."""
    return [
        Section(
            "The manifest",
            "Keys of `__manifest__.py`.",
            lines({key: manifests.MEANINGS.get(key, "") for key in manifests.KEYS}),
        ),
        Section("The rooms of an addon", "Files and folders in which something is looked for.", lines(ROOMS)),
        Section("Topics", "Called with `installation.wake(topic)`; `wakes` names the task that looks.", lines(TOPICS)),
        Section("What an addon calls", "Functions for what the kernel does for everybody.", tuple(map(call, CALLS))),
        Section(
            "What addons hand over",
            "Types that the functions named in manifests return or are given.",
            tuple(
                call(place)
                for place in (
                    "plugin.summaries:Summary",
                    "plugin.standings:Standing",
                    "plugin.findings:Finding",
                    "plugin.alerts:Trouble",
                    "plugin.hooks:Env",
                    "plugin.web:MenuEntry",
                    "plugin.people:Employee",
                    "plugin.events:EventDraft",
                )
            ),
        ),
        Section("Settings", "Tables of `config.toml`. An addon's own table has its name.", tuple(_settings())),
        Section(
            "Mail",
            "What a template of a mail writes its content with.",
            tuple(_macros(TEMPLATES / "mail" / "frame" / "parts.html")),
        ),
        Section("Pages", "What templates import from `parts.html`.", tuple(_macros(TEMPLATES / "parts.html"))),
    ]


def lines(named: Mapping[str, str]) -> tuple[Point, ...]:
    """Points by their names."""
    return tuple(Point(name, line) for name, line in named.items())


def call(place: str) -> Point:
    """What stands at `module:name`, with the first sentence of its docstring."""
    module, _, name = place.partition(":")
    thing: Any = importlib.import_module(module)
    for part in name.split("."):
        thing = getattr(thing, part)
    return Point(place.replace(":", "."), described(thing))


def members(owner: type, within: str = "") -> tuple[Point, ...]:
    """The public methods and properties of a class, with the first sentences of their docstrings."""
    found = [(name, each) for name, each in vars(owner).items() if not name.startswith("_")]
    functions = (FunctionType, property, classmethod, staticmethod)
    return tuple(
        Point(f"{within or owner.__name__}.{name}", described(each))
        for name, each in found
        if isinstance(each, functions)
    )


def described(thing: Any) -> str:
    """The first sentence of a docstring, on one line; empty where there is none of its own."""
    text = inspect.cleandoc(getattr(thing, "__doc__", None) or "").split("\n\n")[0].replace("\n", " ")
    if isinstance(thing, type) and text.startswith(f"{thing.__name__}("):
        return ""  # what a dataclass makes up
    return re.split(r"(?<=[^.])[.](?=\s|$)", text)[0]


def _settings() -> Iterator[Point]:
    from plugin.settings import Settings, SourceSettings  # noqa: PLC0415 - pydantic is slow to import, and only this needs it

    for name, field in Settings.model_fields.items():
        model = SourceSettings if name == "sources" else field.annotation
        text = described(model)
        yield Point(f"[{name}.NAME]" if name == "sources" else f"[{name}]", re.sub(r"^`[^`]*`: ", "", text))


def _macros(file: Path) -> Iterator[Point]:
    """The macros of a template, with the lines that its first comment says about them."""
    text = file.read_text(encoding="utf-8")
    said = dict(re.findall(r"^ +(\w+)\([^)]*\) {2,}(.+)$", text, re.MULTILINE))
    for name, arguments in re.findall(r"macro ([a-z]\w*)(\([^)]*\))", text):
        yield Point(f"{name}{arguments}", said.get(name, ""))


def tellers() -> Iterator[ModuleType]:
    """The modules that tell points: the kernel's, and those of this program's other addons, in the order of dependencies."""
    for addon in in_order(discover([Path(__file__).parents[1]])):
        if (addon.path / "extension_points.py").is_file():
            yield importlib.import_module(f"{addon.name}.extension_points")


def every() -> list[Section]:
    """The sections of every addon; points of sections with one title stand together."""
    found: dict[str, Section] = {}
    for teller in tellers():
        for (
            section
        ) in teller.sections():  # run as a program, the kernel's module is there twice, so types are not compared
            before = found.get(section.title)
            points = (before.points if before else ()) + section.points
            found[section.title] = Section(section.title, before.lead if before else section.lead, points)
    return list(found.values())


def lacking(told: Iterable[Section]) -> list[str]:
    """The points without a line that says anything, and those that are told twice in a section."""
    problems = []
    for section in told:
        names = [point.name for point in section.points]
        problems += [
            f"{section.title}: {name} is there twice" for name in sorted({n for n in names if names.count(n) > 1})
        ]
        problems += [
            f"{section.title}: {point.name} has no line"
            for point in section.points
            if len(point.line.strip()) < SHORTEST or "\n" in point.line
        ]
        if not section.points:
            problems.append(f"{section.title} has no points")
    return problems


def page(told: Iterable[Section]) -> str:
    """The whole page."""
    parts = [HEAD]
    for section in told:
        parts.append(f"## {section.title}\n\n{section.lead}\n")
        parts.append("\n".join(f"- `{point.name}`: {point.line.rstrip('.')}" for point in section.points) + "\n")
    return "\n".join(parts)


def main() -> None:
    """For developers: write the page, or say whether it is current."""
    told = every()
    problems = lacking(told)
    if problems:
        sys.exit("\n".join(["Say in a line what these are for, beside where they stand:", *problems]))
    text = page(told)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
        sys.exit(f"{PAGE} lags behind the code; run: python -m plugin.extension_points")


if __name__ == "__main__":
    main()
