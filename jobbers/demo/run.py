"""The demo from beginning to end: a server, workers and the API; index, compare, and end everything again."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from jobbers.demo.crew import Crew
from jobbers.demo.drive import Drive, Plan
from jobbers.demo.index import Totals, plain_index, stdlib_files
from jobbers.demo.view import View
from jobbers.errors import JobbersError
from jobbers.store.embedded import start as start_server

INTERRUPTED = 130  # what shells call the end by Ctrl-C
LINGER_SECONDS = 0.5


def run(plan: Plan) -> int:
    """Run the demo. Returns its exit code: 0 when all went well, 1 when not, 130 when it was interrupted."""
    view = View()
    try:
        with _interruptible():
            return _run(plan, view)
    except KeyboardInterrupt:
        view.say("Interrupted: everything that was started here has ended.")
        return INTERRUPTED
    except JobbersError as error:
        view.say(f"error: {error}")
        return 1


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let the signals that ask this process to end do what Ctrl-C does, also where that is ignored: there are others to
    end."""
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: _ctrl_c, signal.SIGHUP: _ctrl_c}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ctrl_c(_number: int, _frame: object) -> None:
    signal.raise_signal(signal.SIGINT)  # which asyncio turns into an orderly cancellation


def _run(plan: Plan, view: View) -> int:
    files = stdlib_files(plan.files)
    with (
        tempfile.TemporaryDirectory(prefix="jobbers-demo-", ignore_cleanup_errors=True) as folder,
        start_server(Path(folder)) as server,
        Crew(Path(folder)) as crew,
    ):
        view.say(f"server: {server.binary.name} {server.version}, pid {server.pid}, at {server.url}")
        with view.painting():
            totals, seconds = asyncio.run(Drive(plan, files, server.url, crew, view).run())
        view.table(totals)
        view.say(f"{totals.files:,} files in {seconds:.1f} s: {totals.files / seconds:,.0f} a second")
        code = _check(files, totals, view) if plan.check else 0
        if plan.keep:
            view.say("Everything goes on until Ctrl-C.")
            _linger(crew)
    return code


def _check(files: Sequence[str], totals: Totals, view: View) -> int:
    """Do the same without any tasks, and compare."""
    began = time.monotonic()
    expected = plain_index(files)
    seconds = time.monotonic() - began
    if totals == expected:
        view.say(f"A plain loop in one process came to the same totals, in {seconds:.1f} s.")
        return 0
    view.say(f"THE TOTALS DIFFER. A plain loop in one process came to {expected}.")
    return 1


def _linger(crew: Crew) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            crew.check()
            time.sleep(LINGER_SECONDS)
