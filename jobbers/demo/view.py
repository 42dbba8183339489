"""Shows what the demo does: painted anew several times a second on a terminal, else as plain lines."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from jobbers.demo.index import Totals

SECONDS_BETWEEN_LINES = 1.0
WIDE = 10_000  # columns of an output that is no terminal: lines in a file must not be broken


@dataclass(frozen=True, slots=True)
class WorkerLine:
    """One worker as it is shown: the files that it has in hand now, and how many it may have."""

    name: str
    pid: int
    alive: bool
    files: Sequence[str]
    places: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that is shown of one moment."""

    done: int
    total: int
    queued: int
    seconds: float
    workers: Sequence[WorkerLine]

    @property
    def rate(self) -> float:
        """Files a second, since the beginning."""
        return self.done / self.seconds if self.seconds else 0.0


class View:
    """Prints sentences and the totals, and shows snapshots in the manner that the output allows."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._console = Console(
            width=None if self._terminal else WIDE, markup=False, highlight=False, emoji=False
        )
        self._progress = Progress(
            TextColumn("indexing"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("files  {task.fields[rate]:,.0f}/s  queue {task.fields[queued]:,}"),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._bar = self._progress.add_task("", total=None, rate=0.0, queued=0)
        self._live: Live | None = None
        self._next_line = 0.0

    @contextlib.contextmanager
    def painting(self) -> Iterator[None]:
        """Where snapshots are shown; what was painted last stays."""
        try:
            yield
        finally:
            if self._live is not None:
                self._live.stop()
                self._live = None

    def say(self, sentence: str) -> None:
        """Print a sentence, above what is painted."""
        self._console.print(sentence)

    def show(self, snapshot: Snapshot) -> None:
        """Show a moment."""
        if self._terminal:
            self._paint(snapshot)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + SECONDS_BETWEEN_LINES
            busy = ", ".join(f"{worker.name} {_busy(worker)}" for worker in snapshot.workers)
            self.say(
                f"{snapshot.done:,} of {snapshot.total:,} files, {snapshot.rate:,.0f}/s, "
                f"queue {snapshot.queued:,}; busy: {busy}"
            )

    def _paint(self, snapshot: Snapshot) -> None:
        self._progress.update(
            self._bar,
            completed=snapshot.done,
            total=snapshot.total,
            rate=snapshot.rate,
            queued=snapshot.queued,
        )
        table = Table.grid(padding=(0, 2))
        for worker in snapshot.workers:
            table.add_row(worker.name, f"pid {worker.pid}", _busy(worker), ", ".join(worker.files))
        painted = Group(self._progress, table)
        if self._live is None:
            self._live = Live(painted, console=self._console, auto_refresh=False)
            self._live.start()
        self._live.update(painted, refresh=True)

    def table(self, totals: Totals) -> None:
        """Print the totals."""
        table = Table(title=f"The standard library of Python {sys.version.split()[0]}", show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(justify="right")
        for name, number in {
            "files": totals.files,
            "of them skipped (not parsable)": totals.skipped,
            "lines": totals.lines,
            "functions": totals.functions,
            "async functions": totals.async_functions,
            "classes": totals.classes,
            "imports": totals.imports,
        }.items():
            table.add_row(name, f"{number:,}")
        if (longest := totals.longest) is not None:
            table.add_row("longest function", f"{longest.name}, {longest.lines:,} lines")
            table.add_row("  which lies at", f"{longest.file}:{longest.line}")
        self._console.print(table)


def _busy(worker: WorkerLine) -> str:
    return f"{len(worker.files)}/{worker.places}" if worker.alive else "dead"
