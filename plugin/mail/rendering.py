"""Rendering: subject, text and HTML of a mail in its own language, from an addon's `templates/mail/NAME.html`.

Such a template has the blocks `subject` and `content`, and writes the content with `paragraph`, `facts` and `button`
of `frame/parts.*`, so that text and HTML say the same. In the HTML everything that is not the template's is escaped.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.support import NullTranslations, Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from plugin.errors import RefusedError
from plugin.installation import Installation
from plugin.mail.states import NOT_MADE, with_detail
from plugin.settings import OrganisationSettings

FRAME = Path(__file__).parents[1] / "templates" / "mail" / "frame"
NAME = re.compile(r"[a-z0-9_]+")
PARTS = ("paragraph", "facts", "button", "heading")
FORMS = ("text", "html")
LANGUAGES = ("en", "zh_Hans_CN")
LONGEST_SUBJECT = 250


@dataclass(frozen=True)
class Content:
    """What a mail says: a subject on one line, and the same as text and as HTML."""

    subject: str
    text: str
    html: str

    def as_json(self) -> dict[str, Any]:
        """For the store."""
        return asdict(self)


@dataclass(frozen=True)
class Piece:
    """A template and what stands in it: one mail, or one of those in a digest."""

    template: str
    parameters: Mapping[str, Any]


class Renderer:
    """Renders the mails of one installation; several threads may use it."""

    def __init__(
        self,
        folders: Sequence[Path],
        catalogues: Sequence[Path],
        organisation: OrganisationSettings,
        public_url: str,
    ) -> None:
        self.organisation = organisation
        self.public_url = public_url.rstrip("/")
        self._environments = {
            (language, form): self._environment(folders, _translations(catalogues, language), form)
            for language in LANGUAGES
            for form in FORMS
        }

    @classmethod
    def of(cls, installation: Installation) -> "Renderer":
        """With the templates and catalogues of every installed addon."""
        addons = [addon.path for addon in installation.installed]
        settings = installation.settings
        return cls(
            [path / "templates" / "mail" for path in addons],
            [path / "i18n" for path in addons],
            settings.organisation,
            settings.web.public_url,
        )

    def render(self, language: str | None, pieces: Sequence[Piece]) -> Content:
        """One piece as a mail of its own, several as a digest of them.

        A language that there is not is the organisation's. Raises RefusedError when a template is missing or broken;
        the message says where, and repeats no parameter.
        """
        spoken = language if language in LANGUAGES else self.organisation.language
        piece = pieces[0] if len(pieces) == 1 else Piece("digest", {"count": len(pieces)})
        try:
            subject = _on_one_line(self._block(spoken, "text", piece, "subject"))
            rendered = {form: self._whole(spoken, form, piece, pieces, subject) for form in FORMS}
        except Exception as error:  # a template is code of an addon's and may fail in every way
            raise RefusedError(with_detail(NOT_MADE, f"template {piece.template}, {_place(error)}")) from None
        return Content(subject, re.sub(r"\n{3,}", "\n\n", rendered["text"]).strip() + "\n", rendered["html"])

    def _whole(self, language: str, form: str, piece: Piece, pieces: Sequence[Piece], subject: str) -> str:
        environment = self._environments[language, form]
        content = self._block(language, form, piece, "content")
        if len(pieces) > 1:
            heading: Any = environment.globals["heading"]
            for number, inner in enumerate(pieces, 1):
                title = _on_one_line(self._block(language, "text", inner, "subject"))
                content += f"{heading(f'{number}. {title}')}{self._block(language, form, inner, 'content')}"
        footer = self._block(language, form, Piece("footer", {}), "content")
        frame = environment.get_template("frame/layout.html" if form == "html" else "frame/layout.txt")
        # Markup: these were made by this environment, which has escaped what had to be.
        whole = Markup if form == "html" else str
        return frame.render(
            content=whole(content),
            footer=whole(footer),
            subject=subject,
            language=language.replace("_", "-"),
            style=whole(_style()),
        )

    def _block(self, language: str, form: str, piece: Piece, block: str) -> str:
        if not NAME.fullmatch(piece.template):
            raise ValueError("a template's name has small letters, digits and underscores")
        template: Template = self._environments[language, form].get_template(f"{piece.template}.html")
        return "".join(template.blocks[block](template.new_context(dict(piece.parameters))))

    def _environment(self, folders: Sequence[Path], translations: NullTranslations, form: str) -> Environment:
        environment = Environment(
            loader=FileSystemLoader([FRAME.parent, *folders]),
            autoescape=form == "html",  # noqa: S701 - the other form is text/plain, where markup means nothing
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        environment.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]  # the extension adds it
        environment.filters.update(day=_day, moment=lambda value: _moment(value, self.organisation.zone))
        environment.tests["web_address"] = _is_web_address
        environment.globals.update(organisation=self.organisation.name, page=self._page)
        parts = environment.get_template("frame/parts.html" if form == "html" else "frame/parts.txt").module
        environment.globals.update({name: getattr(parts, name) for name in PARTS})
        return environment

    def _page(self, path: str) -> str:
        """The address of one of our own pages."""
        return self.public_url + path if path.startswith("/") else self.public_url


def _translations(catalogues: Sequence[Path], language: str) -> NullTranslations:
    loaded = [
        found for folder in catalogues if isinstance(found := Translations.load(folder, [language]), Translations)
    ]
    if not loaded:
        return NullTranslations()
    merged, *others = loaded  # the first one also says how many plurals the language has
    for other in others:
        merged.merge(other)
    return merged


def _style() -> str:
    return (FRAME / "style.css").read_text(encoding="utf-8")


def _on_one_line(text: str) -> str:
    """A subject as a header can take it: printable, on one line and not too long."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line if len(line) <= LONGEST_SUBJECT else line[: LONGEST_SUBJECT - 1] + "…"


def _place(error: Exception) -> str:
    """What kind of failure it is, without its message, which may hold parameters."""
    return type(error).__name__


def _is_web_address(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("https://", "http://"))


def _day(value: str | date) -> str:
    """A date, year first in every language."""
    return (date.fromisoformat(value) if isinstance(value, str) else value).isoformat()


def _moment(value: str | datetime, zone: ZoneInfo) -> str:
    """A moment on the organisation's wall clock, and which clock that is."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{format_datetime(moment, 'yyyy-MM-dd HH:mm', tzinfo=zone, locale='en')} ({zone.key})"
