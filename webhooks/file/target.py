"""Dropping files: each chunk of messages is one file, which appears whole or not at all.

A file is written under a hidden name in the same folder, flushed to the disk and then renamed; its checksum file is
renamed before it, so whoever sees the data finds the checksum. Names sort in the order of sending, and none is used twice.
What a killed process left half written is taken away an hour later; its messages go again, in another file.
"""

import errno
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from plugin.errors import DeliveryError
from plugin.settings import Settings
from webhooks import target as outcomes
from webhooks.file.formats import BOM, FORMATS, Row
from webhooks.file.places import allowed, place_of
from webhooks.settings import WebhooksSettings
from webhooks.target import Answer, Destination, Held, Parcel

LEFT_OVER = timedelta(hours=1)
STAMP = "%Y%m%dT%H%M%S.%fZ"
STAMPED = r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z"
LARGEST = 64 * 1024 * 1024  # bytes of a file that are read back; ours are smaller

WHY = {
    errno.ENOENT: "The folder is not there",
    errno.ENOTDIR: "The folder is not there",
    errno.EACCES: "The folder may not be written to",
    errno.EPERM: "The folder may not be written to",
    errno.EROFS: "The folder can only be read",
    errno.ENOSPC: "The disk is full",
    errno.EDQUOT: "The disk is full",
    errno.EFBIG: "The disk is full",
}


class FileTarget:
    """An endpoint that is a folder. A message is delivered when its file stands there under its name."""

    chunk = 500

    def __init__(self, destination: Destination, settings: Settings) -> None:
        """Raises DeliveryError for an address that is no folder; nothing is looked at yet."""
        own = settings.section("webhooks", WebhooksSettings)
        self._place = place_of(destination.url)
        self._opened = own.file_folders
        self._mode = int(own.file_mode, 8)
        self._name = destination.name
        self._ours = re.compile(rf"{re.escape(destination.name)}-({STAMPED})-[0-9a-f]{{8}}\.({'|'.join(FORMATS)})")
        self._newest = ""
        self._tidied = False

    @staticmethod
    def new_secret() -> None:
        """Files are not signed."""
        return

    def check(self) -> None:
        """Write and remove a file. Raises DeliveryError when that cannot be done."""
        try:
            folder = allowed(self._place.folder, self._opened)
            trial = folder / f".{self._name}-{secrets.token_hex(4)}.tmp"
            self._write(trial, b"")
            trial.unlink()
        except OSError as error:
            raise DeliveryError(
                f"{_why(error)} ({self._place.folder}). Make it, and let CertBridge write there."
            ) from None

    def send(self, parcel: Parcel, now: datetime) -> Answer:
        """Drop a file with this message alone."""
        return self.send_chunk([parcel], now)[0]

    def send_chunk(self, parcels: Sequence[Parcel], now: datetime) -> Sequence[Answer]:
        """Drop one file with these messages."""
        rows = {parcel.event_id: row for parcel in parcels if (row := _row(parcel)) is not None}
        answer = self._drop(list(rows.values()), now) if rows else None
        unreadable = Answer(outcomes.REJECTED, "Its body is not JSON, which a file could hold.", final=True)
        return [answer if answer and parcel.event_id in rows else unreadable for parcel in parcels]

    def held(self, now: datetime) -> Iterator[Sequence[Held]]:
        """What the files say that stand in the folder or in a folder in it, as long as they fit their checksums."""
        try:
            folder = allowed(self._place.folder, self._opened)
            inner = [entry for entry in folder.iterdir() if entry.is_dir() and not entry.is_symlink()]
            paths = sorted(
                (path for place in (folder, *inner) for path in place.iterdir() if self._is_ours(path)),
                key=lambda path: path.name,
            )
            for path in paths:
                yield _held(path, folder)
        except OSError as error:
            raise DeliveryError(f"{_why(error)} ({self._place.folder}), so it cannot be read back.") from None

    def close(self) -> None:
        """There is nothing to give back."""

    def _is_ours(self, path: Path) -> bool:
        """Whether it is a whole file of this endpoint; another endpoint's name may begin alike."""
        return self._ours.fullmatch(path.name) is not None and path.is_file() and not path.is_symlink()

    def _drop(self, rows: Sequence[Row], now: datetime) -> Answer:
        try:
            folder = allowed(self._place.folder, self._opened)
            self._tidy(folder, now)
            name = self._next_name(folder, now)
            content = (BOM if self._place.bom else b"") + FORMATS[self._place.form][0](rows)
            self._put(folder, name, content)
        except DeliveryError as error:
            return Answer(outcomes.REFUSED_ADDRESS, str(error))
        except OSError as error:
            return Answer(outcomes.UNWRITABLE, f"{_why(error)}.")
        return Answer(outcomes.DELIVERED, "The file stands in the folder.", excerpt=name)

    def _next_name(self, folder: Path, now: datetime) -> str:
        """A name that sorts behind every one that this endpoint has there, even if the clock was put back."""
        stamp = now.astimezone(UTC)
        newest = max((path.name for path in folder.iterdir() if self._is_ours(path)), default="")
        newest = max(newest, self._newest)
        if found := self._ours.fullmatch(newest):
            last = datetime.strptime(found[1], STAMP).replace(tzinfo=UTC)
            stamp = max(stamp, last + timedelta(microseconds=1))
        self._newest = f"{self._name}-{stamp.strftime(STAMP)}-{secrets.token_hex(4)}.{self._place.form}"
        return self._newest

    def _put(self, folder: Path, name: str, content: bytes) -> None:
        """The file and its checksum under their names, or neither of them. Raises OSError."""
        sums = f"{hashlib.sha256(content).hexdigest()}  {name}\n".encode()
        final, beside = folder / name, folder / f"{name}.sha256"
        if final.exists() or beside.exists():
            raise FileExistsError(errno.EEXIST, "there is a file of this name")
        hidden, hidden_beside = folder / f".{name}.tmp", folder / f".{name}.sha256.tmp"
        try:
            self._write(hidden, content)
            self._write(hidden_beside, sums)
            hidden_beside.rename(beside)
            hidden.rename(final)
        except OSError:
            for path in (hidden_beside, hidden, beside):
                with suppress(OSError):
                    path.unlink()
            raise
        _flush_folder(folder)

    def _write(self, path: Path, content: bytes) -> None:
        """Write a new file and see it on the disk. Raises OSError."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), self._mode)
            os.fsync(file.fileno())

    def _tidy(self, folder: Path, now: datetime) -> None:
        """Take away, once, what killed processes left here longer than an hour ago."""
        if self._tidied:
            return
        self._tidied = True
        for path in folder.glob(f".{self._name}-*.tmp"):
            with suppress(FileNotFoundError):  # another process may be tidying too
                if now.timestamp() - path.stat().st_mtime < LEFT_OVER.total_seconds():
                    continue
                name = path.name[1:].removesuffix(".tmp")
                if not (folder / name).exists():
                    (folder / f"{name}.sha256").unlink(missing_ok=True)
                path.unlink(missing_ok=True)


def _row(parcel: Parcel) -> Row | None:
    try:
        body = json.loads(parcel.body)
    except ValueError:
        return None
    return {"id": parcel.event_id, **body} if isinstance(body, dict) and isinstance(body.get("data"), dict) else None


def _held(path: Path, folder: Path) -> list[Held]:
    """What a file says; nothing when it does not fit its checksum or cannot be read."""
    try:
        if path.stat().st_size > LARGEST:
            return []
        content = path.read_bytes()
        beside = path.with_name(f"{path.name}.sha256")
        sums = (beside if beside.exists() else folder / beside.name).read_text(encoding="ascii")
        if sums.split()[:1] != [hashlib.sha256(content).hexdigest()]:
            return []
        found = []
        for row in FORMATS[path.suffix.removeprefix(".")][1](content):
            data = row["data"]
            found.append(Held(data["subject"], data["sequence"], data, type=row["type"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return []
    return found


def _why(error: OSError) -> str:
    return WHY.get(error.errno or 0, f"The folder cannot be used, {error.strerror or type(error).__name__}")


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
