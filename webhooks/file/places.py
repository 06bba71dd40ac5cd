"""Where files may be dropped: a file: URL, and the folders that the settings open."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from plugin.errors import DeliveryError
from webhooks.file.formats import FORMATS

EXAMPLE = "file:///srv/drops/hr?format=csv"


@dataclass(frozen=True)
class Place:
    """A folder, the format of what is dropped there, and whether CSV begins with a byte order mark."""

    folder: Path
    form: str
    bom: bool


def place_of(url: str) -> Place:
    """What a URL such as `file:///srv/drops/hr?format=csv&bom=true` says. Raises DeliveryError."""
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise DeliveryError(f"The endpoint's address is not a URL; write for instance {EXAMPLE}.") from None
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise DeliveryError(f"The endpoint's address is not a folder of this machine; write for instance {EXAMPLE}.")
    path = unquote(parts.path, errors="surrogateescape")
    if parts.fragment or any(ord(sign) < 32 for sign in path) or path.strip("/") == "":
        raise DeliveryError(f"The endpoint's address is not a folder; write for instance {EXAMPLE}.")
    form, bom = options.pop("format", "jsonl"), options.pop("bom", "false")
    if form not in FORMATS or bom not in ("true", "false") or options:
        raise DeliveryError(
            f"The endpoint's address may say format={'|'.join(FORMATS)} and bom=true after the ?, and nothing else; write "
            f"for instance {EXAMPLE}."
        )
    if bom == "true" and form != "csv":
        raise DeliveryError("bom=true is for format=csv only: JSON has no byte order mark. Take it out.")
    return Place(Path(path), form, bom == "true")


def allowed(folder: Path, opened: tuple[str, ...]) -> Path:
    """The folder as it really lies, when it is one of those that are opened or below one. Raises DeliveryError, OSError."""
    real = folder.resolve()
    for name in opened:
        root = Path(name)
        if root.is_absolute() and real.is_relative_to(root.resolve()):
            return real
    raise DeliveryError(
        f"{folder} is no folder into which files may be dropped; add it, or one above it, to [webhooks] file_folders."
    )
