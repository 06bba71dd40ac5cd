"""How a pull is watched: a bar that moves on a terminal, a line for each page elsewhere."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from connectors.storing import Counts
from connectors.sync import Progress


@contextmanager
def progress_to(source: str, *, quiet: bool) -> Iterator[Progress]:
    """What a pull of the source tells its pages to, on standard error.

    How much there is to read is not known before it has been read, so nothing here pretends to be a share of it.
    """
    if quiet:
        yield lambda *_: None
    elif sys.stderr.isatty():
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Bar(*columns, console=Console(stderr=True)) as bar:
            yield _moving(source, bar)
    else:
        yield _lines(source)


def _lines(source: str) -> Progress:
    totals: Counter[str] = Counter()

    def progress(stream: str, page: str | None, read: int, _counts: Counts) -> None:
        totals[stream] += read
        if read:
            click.echo(f"{source}, {stream}, {page or 'page'}: {read} read, {totals[stream]} in all", err=True)

    return progress


def _moving(source: str, bar: Bar) -> Progress:
    read_of: Counter[str] = Counter()
    done: dict[str, Counts] = {}
    tasks: dict[str, TaskID] = {}

    def progress(stream: str, _page: str | None, read: int, counts: Counts) -> None:
        if stream not in tasks:
            for earlier in tasks.values():
                bar.stop_task(earlier)
            tasks[stream] = bar.add_task("", total=None)
        read_of[stream] += read
        sums = done.setdefault(stream, Counts())
        sums += counts
        bar.update(
            tasks[stream],
            description=f"{source}, {stream}: {read_of[stream]:,} read, {sums.created:,} new, "
            f"{sums.updated:,} changed, {sums.closed:,} closed",
        )

    return progress
