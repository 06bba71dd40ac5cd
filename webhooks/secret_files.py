"""Files in which a signing secret stands: read where they are, written where they are not."""

import os
from pathlib import Path

from plugin.errors import RefusedError


def read_keys(file: Path) -> list[str]:
    """What stands in the file, word by word. Raises RefusedError."""
    try:
        return file.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError(f"{file} cannot be read ({type(error).__name__}); give another file.") from None


def read_secret(file: Path) -> str:
    """The first word in the file. Raises RefusedError."""
    return next(iter(read_keys(file)), "")


def write_secret(file: Path, *lines: str) -> None:
    """Write these into a new file that only its owner may read. Raises RefusedError; then nothing is to be kept."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise RefusedError(f"{file} cannot be written ({error.strerror}); nothing was changed.") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write("".join(f"{line}\n" for line in lines))
