"""Dropping files: whole or not at all, with checksums, in order, only where the settings allow it."""

import csv
import hashlib
import io
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from plugin.errors import DeliveryError
from plugin.settings import Settings
from webhooks.delivery import Tally
from webhooks.endpoints import find
from webhooks.file.formats import COLUMNS, read_csv, read_lines, write_csv, write_lines
from webhooks.file.target import FileTarget
from webhooks.reconcile import compare
from webhooks.repair import repair
from webhooks.target import Destination, Parcel

ROOT = Path(__file__).parents[2]


@pytest.fixture
def drops(desk: Any, tmp_path: Path) -> Path:
    """A folder that the settings open."""
    folder = tmp_path / "drops"
    folder.mkdir()
    desk.settings(file_folders=[str(folder)])
    return folder


def add(desk: Any, folder: Path, options: str = "") -> None:
    """Add the endpoint `hr` that drops files there."""
    desk.endpoint(f"file://{folder}{options}", kind="webhooks.file", secret=None)


def shown(folder: Path) -> list[str]:
    """The data files, by name."""
    return sorted(path.name for path in folder.iterdir() if path.suffix in (".csv", ".json", ".jsonl"))


def target(folder: Path, options: str = "", opened: Path | None = None) -> FileTarget:
    """A target by itself."""
    settings = Settings.model_validate({"webhooks": {"file_folders": [str(opened or folder)]}})
    return FileTarget(Destination("hr", f"file://{folder}{options}", None), settings)


def parcel(number: int, **data: Any) -> Parcel:
    """A message about the subject of this number."""
    state = {"sequence": 1, "subject": f"certification:{number}:A", **data}
    return Parcel(f"e{number}", json.dumps({"type": "certification.awarded", "data": state}).encode())


def test_each_chunk_is_one_file_with_its_checksum(desk: Any, drops: Path) -> None:
    """A round drops one file of a line a message, readable as set, fitting its checksum, and nothing hidden stays behind."""
    people = desk.people(3)
    add(desk, drops)
    desk.events(people, status="certified")
    assert desk.deliver() == Tally(delivered=3)
    [name] = shown(drops)
    content = (drops / name).read_bytes()
    assert [json.loads(line)["data"]["sequence"] for line in content.splitlines()] == [1, 1, 1]
    ids = {json.loads(line)["id"] for line in content.splitlines()}
    assert ids == {message.event_id for message in desk.messages()}
    assert (drops / f"{name}.sha256").read_text() == f"{hashlib.sha256(content).hexdigest()}  {name}\n"
    assert (drops / name).stat().st_mode & 0o777 == 0o640
    assert len(list(drops.iterdir())) == 2
    subprocess.run(["sha256sum", "--check", "--quiet", f"{name}.sha256"], cwd=drops, check=True)


def test_names_sort_in_the_order_of_sending_even_if_the_clock_goes_back(desk: Any, drops: Path) -> None:
    """A person's later events stand in files whose names sort later, and none is overwritten."""
    [person] = desk.people(1)
    add(desk, drops)
    for _ in range(3):
        desk.event(person)
    assert desk.deliver().delivered == 3  # one file each: they are in a line
    desk.home.clock.moment -= timedelta(seconds=3)
    with desk.store.write() as session:
        find(session, "hr").paused_until = None
    desk.event(person)
    assert desk.deliver().delivered == 1
    rows = [json.loads((drops / name).read_text()) for name in shown(drops)]
    assert [row["data"]["sequence"] for row in rows] == [1, 2, 3, 4]


@pytest.mark.parametrize("form", ["jsonl", "json", "csv"])
def test_damaged_and_removed_files_are_found_and_mended(desk: Any, drops: Path, form: str) -> None:
    """What files hold is read back, in folders within too; one that does not fit its checksum counts as not held."""
    people = desk.people(4)
    add(desk, drops, f"?format={form}")
    for person in people:
        desk.event(person, status="certified", note="=1+1\u2028line\nbreak")
        assert desk.deliver().delivered == 1
    first, second, third, _ = shown(drops)
    (drops / "done").mkdir()
    for name in (first, f"{first}.sha256"):
        (drops / name).rename(drops / "done" / name)
    (drops / second).unlink()
    (drops / third).write_bytes((drops / third).read_bytes().replace(b"certified", b"forgotten"))
    counts: Counter[str] = Counter()
    found = list(compare(desk.courier, "hr", counts))
    assert [one.kind for one in found] == ["missing", "missing"]
    assert counts["same"] == 2
    with desk.store.write() as session:
        assert repair(session, find(session, "hr"), found, "wang", desk.home.clock()) == (2, 0)
    desk.deliver()
    assert list(compare(desk.courier, "hr", counts)) == []


def test_csv_is_safe_for_spreadsheets_and_says_its_encoding_when_asked(desk: Any, drops: Path) -> None:
    """A cell that would be a formula is text; with bom=true the file begins with the byte order mark."""
    [person] = desk.people(1)
    add(desk, drops, "?format=csv&bom=true")
    desk.event(person, status="=HYPERLINK(1)", reason="做完了", note=" +1")
    desk.deliver()
    content = (drops / shown(drops)[0]).read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    [row] = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
    assert tuple(row) == COLUMNS
    assert (row["status"], row["reason"], row["note"]) == ("'=HYPERLINK(1)", "做完了", "' +1")
    assert json.loads(row["data"])["status"] == "=HYPERLINK(1)"


def test_formats_give_back_what_they_were_given() -> None:
    """Line separators, quotes, commas and Chinese survive both formats."""
    data = {"subject": 'a,"b"\r\nc\u2028d\x85', "sequence": 2**40, "note": "'=中文"}
    rows = [{"id": "1", "type": "t", "timestamp": None, "schema": "1", "data": data}] * 2
    assert [row["data"] for row in read_lines(write_lines(rows))] == [data, data]
    assert [row["data"] for row in read_csv(write_csv(rows))] == [data, data]


def test_a_missing_folder_is_a_failed_attempt_and_tried_again(desk: Any, drops: Path) -> None:
    """Messages wait with the reason in plain words, and go when the folder is back."""
    desk.settings(retry_seconds=[0, 5])
    add(desk, drops)
    drops.rmdir()
    desk.events(desk.people(2))
    assert desk.deliver() == Tally(failed=2)
    assert {message.reason for message in desk.messages()} == {"The folder is not there."}
    drops.mkdir()
    desk.home.clock.moment += timedelta(seconds=10)
    assert desk.deliver() == Tally(delivered=2)


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    """A write that is cut short is a failed attempt, and neither a half file nor a checksum stays."""
    moment = datetime.now(UTC)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    parcels = [parcel(number, note="x" * 1000) for number in range(10)]
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        answers = target(tmp_path).send_chunk(parcels, moment)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert {(answer.outcome, answer.reason) for answer in answers} == {("unwritable", "The disk is full.")}
    assert list(tmp_path.iterdir()) == []
    assert {answer.outcome for answer in target(tmp_path).send_chunk(parcels, moment)} == {"delivered"}


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from plugin.settings import Settings
from webhooks.file.target import FileTarget
from webhooks.target import Destination, Parcel
folder, renames = sys.argv[1], int(sys.argv[2])
rename = Path.rename
def dying(self, to):
    global renames
    if renames == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    renames -= 1
    return rename(self, to)
Path.rename = dying
settings = Settings.model_validate({"webhooks": {"file_folders": [folder]}})
target = FileTarget(Destination("hr", f"file://{folder}", None), settings)
answer = target.send(Parcel("e1", b'{"type": "t", "data": {"subject": "certification:1:A", "sequence": 1}}'), datetime.now(UTC))
"""


@pytest.mark.parametrize("renames", [0, 1])
def test_killed_between_writing_and_renaming(tmp_path: Path, renames: int) -> None:
    """A process that is killed then leaves no file that a reader would take; what it left is taken away an hour later."""
    run = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(renames)], cwd=ROOT, check=False)
    assert run.returncode == -signal.SIGKILL
    assert shown(tmp_path) == []
    left = list(tmp_path.iterdir())
    assert left
    now = datetime.now(UTC)
    assert target(tmp_path).send(parcel(1), now).outcome == "delivered"
    assert set(left) <= set(tmp_path.iterdir())  # it may be somebody else's that is still at it
    assert target(tmp_path).send(parcel(2), now + timedelta(hours=2)).outcome == "delivered"
    assert not set(left) & set(tmp_path.iterdir())
    assert len(list(tmp_path.iterdir())) == 4


def test_two_endpoints_may_share_a_folder(tmp_path: Path) -> None:
    """Each reads back its own files alone, even if one's name begins with the other's."""
    now = datetime.now(UTC)
    settings = Settings.model_validate({"webhooks": {"file_folders": [str(tmp_path)]}})
    for number, name in enumerate(("hr", "hr-2", "hr-20261123T020000.000000Z"), 1):
        FileTarget(Destination(name, f"file://{tmp_path}", None), settings).send(parcel(number), now)
    for number, name in enumerate(("hr", "hr-2"), 1):
        one = FileTarget(Destination(name, f"file://{tmp_path}", None), settings)
        assert f"certification:{number}:A" in {held.subject for page in one.held(now) for held in page}
    assert [held.subject for page in target(tmp_path).held(now) for held in page][:1] == ["certification:1:A"]


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc", "file://{drops}/../elsewhere", "file://{drops}/link", "file://{drops}%2f..%2felsewhere",
        "file://host/drops", "file:drops", "http://x/drops", "file://{drops}?format=xml", "file://{drops}?mode=777",
        "file://{drops}?bom=true", "file://{drops}#x", "file://{drops}%00", "file:///", "file://{drops}/missing",
        "file://{drops}extra",
    ],
)  # fmt: skip
def test_only_folders_that_the_settings_open(desk: Any, drops: Path, url: str) -> None:
    """A folder outside, reached by dots or by a link too, and an address that says something else, are refused."""
    (drops.parent / "elsewhere").mkdir()
    (drops.parent / "dropsextra").mkdir()
    (drops / "link").symlink_to(drops.parent / "elsewhere")
    with pytest.raises(DeliveryError):
        desk.endpoint(url.replace("{drops}", str(drops)), kind="webhooks.file", secret=None)


def test_a_folder_that_is_exchanged_for_a_link_is_refused_at_sending(desk: Any, drops: Path) -> None:
    """The rule holds at every attempt, not only when the endpoint is added."""
    inner = drops / "inner"
    inner.mkdir()
    add(desk, inner)
    inner.rmdir()
    (drops.parent / "elsewhere").mkdir()
    inner.symlink_to(drops.parent / "elsewhere")
    desk.events(desk.people(1))
    assert desk.deliver() == Tally(failed=1)
    assert list((drops.parent / "elsewhere").iterdir()) == []
    assert "file_folders" in (desk.messages()[0].reason or "")


def test_a_folder_that_may_not_be_written_to_is_said(tmp_path: Path) -> None:
    """Somebody without the rights is told so, and nothing is left."""
    folder = tmp_path / "drops"
    folder.mkdir()
    folder.chmod(0o555)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    tmp_path.chmod(0o755)
    ours, theirs = multiprocessing.Pipe()

    def without_rights() -> None:
        if os.geteuid() == 0:
            os.seteuid(65534)
        theirs.send(target(folder).send(parcel(1), datetime.now(UTC)).reason)

    process = multiprocessing.get_context("fork").Process(target=without_rights)
    process.start()
    assert ours.poll(30)
    assert ours.recv() == "The folder may not be written to."
    process.join(30)
    assert list(folder.iterdir()) == []
