"""Secrets made for a test, and the search for them in everything that was written, in clear and in disguise."""

import base64
import html
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

AROUND = 60  # bytes of what stands around a find


@dataclass(frozen=True)
class Find:
    """A secret where it should not be: whose, in which disguise, in what, and what stands around it."""

    secret: str
    disguise: str
    place: str
    around: str


@dataclass
class Written:
    """Everything that was written, by what kind of thing it is: command, log, store, page, export, mail, exception."""

    parts: list[tuple[str, str, bytes]] = field(default_factory=list)

    def add(self, kind: str, place: str, content: str | bytes) -> None:
        """Add something that was written."""
        self.parts.append((kind, place, content.encode("utf-8", "replace") if isinstance(content, str) else content))

    def find(self, secrets: dict[str, str]) -> Iterator[Find]:
        """Every secret of these that stands somewhere."""
        for name, secret in secrets.items():
            disguises = list(forms(secret))
            for kind, place, content in self.parts:
                folded = content.lower()
                for disguise, text in disguises:
                    at = folded.find(text.lower()) if disguise in CASELESS else content.find(text)
                    if at >= 0:
                        near = content[max(0, at - AROUND) : at + len(text) + AROUND]
                        yield Find(name, disguise, f"{kind} {place}", near.decode("utf-8", "replace"))

    def kinds_with(self, text: str) -> set[str]:
        """The kinds of things in which `text` stands in some form."""
        return {find.place.partition(" ")[0] for find in self.find({"": text})}


CASELESS = frozenset({"hex", "url", "url +"})


def forms(secret: str) -> Iterator[tuple[str, bytes]]:
    """The secret as it may stand in a text: in clear, or as somebody's program writes it."""
    raw = secret.encode()
    yield "clear", raw
    yield "hex", raw.hex().encode()
    yield from _base64(raw)
    others = {
        "url": quote(secret, safe=""),
        "url /": quote(secret),
        "url +": quote_plus(secret),
        "html": html.escape(secret),
        "json": json.dumps(secret)[1:-1],
        "repr": repr(secret)[1:-1],
        "bytes": repr(raw)[2:-1],
    }
    for name, text in others.items():
        if text != secret:
            yield name, text.encode()


def _base64(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """As a part of something longer in base64: wherever it begins, the characters that it alone decides."""
    for offset in range(3):
        first, last = math.ceil(offset * 8 / 6), (offset + len(raw)) * 8 // 6
        filled = b"\0" * offset + raw + b"\0\0\0"
        yield f"base64 {offset}", base64.b64encode(filled)[first:last]
        yield f"base64url {offset}", base64.urlsafe_b64encode(filled)[first:last]
