"""See it work: index Python's own standard library with several worker processes, one of which is killed on the way.

``index`` does the work and knows nothing of tasks; ``app`` makes two task types of it; ``crew`` starts and ends the
processes; ``view`` shows what happens, ``drive`` directs it, and ``run`` sets all of this up and takes it down.
"""

from __future__ import annotations


def main(
    files: int | None = None,
    workers: int = 2,
    kill: bool = True,
    check: bool = True,
    port: int | None = None,
    keep: bool = False,
) -> int:
    """Run the demo and return its exit code.

    ``files`` limits how many files are indexed; ``kill`` ends one of the ``workers`` with SIGKILL when a third is done;
    ``check`` does the work again in a plain loop and compares; ``port`` is where the API is served, by default a free
    one; ``keep`` leaves everything running until Ctrl-C. Raises :class:`InvalidInput`, :class:`ServerUnavailable`.
    """
    # Not above, for the workers import this package too, and they paint nothing.
    from jobbers.demo.drive import Plan
    from jobbers.demo.run import run

    return run(Plan(files, workers, kill, check, port, keep))
