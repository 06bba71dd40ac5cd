"""The formats of dropped files: JSON lines, a JSON list, CSV. Each can be read back as it was written."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

# What a CSV file shows in columns of their own; the last one holds everything. New columns come before `data` only with
# a new schema number.
HEAD = ("id", "type", "timestamp", "schema")
OF_DATA = (
    "sequence", "subject", "employee_number", "certification", "status", "valid_from", "valid_until", "award_id",
    "rule_version", "reason", "backfill", "promotion_id", "effective_date", "note",
)  # fmt: skip
COLUMNS = (*HEAD, *OF_DATA, "data")

BOM = b"\xef\xbb\xbf"
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

Row = Mapping[str, Any]  # a message's body, with the event's id as `id`


def write_lines(rows: Sequence[Row]) -> bytes:
    """One JSON object a line."""
    return "".join(f"{_json(row)}\n" for row in rows).encode()


def write_list(rows: Sequence[Row]) -> bytes:
    """One JSON list."""
    return ("[\n" + ",\n".join(_json(row) for row in rows) + "\n]\n").encode()


def write_csv(rows: Sequence[Row]) -> bytes:
    """CSV (RFC 4180) in UTF-8, first the names of the columns; no cell is one that a spreadsheet takes for a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        data = row["data"]
        values = [*(row.get(name) for name in HEAD), *(data.get(name) for name in OF_DATA), _json(data)]
        writer.writerow([_cell(value) for value in values])
    return text.getvalue().encode()


def read_lines(content: bytes) -> Iterator[Row]:
    """What `write_lines` wrote. Raises ValueError."""
    return (json.loads(line) for line in content.decode().splitlines() if line)


def read_list(content: bytes) -> Iterator[Row]:
    """What `write_list` wrote. Raises ValueError."""
    return iter(json.loads(content))


def read_csv(content: bytes) -> Iterator[Row]:
    """What `write_csv` wrote, with or without a byte order mark. Raises ValueError."""
    reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
    try:
        for row in reader:
            yield {"id": row["id"], "type": row["type"], "data": json.loads(row["data"])}
    except (csv.Error, KeyError, TypeError) as error:
        raise ValueError(f"no CSV of ours: {type(error).__name__}") from None


FORMATS: dict[str, tuple[Callable[[Sequence[Row]], bytes], Callable[[bytes], Iterator[Row]]]] = {
    "jsonl": (write_lines, read_lines),
    "json": (write_list, read_list),
    "csv": (write_csv, read_csv),
}


def _json(value: Any) -> str:
    # U+2028 and its kind end a line for some readers, so they are escaped, as JSON allows.
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return "".join(f"\\u{ord(sign):04x}" if sign in "\x85\u2028\u2029" else sign for sign in text)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value if isinstance(value, str) else str(value) if isinstance(value, (int, float)) else _json(value)
    return f"'{text}" if isinstance(value, str) and text.lstrip(" ").startswith(FORMULA) else text
