"""Breaks the engine on purpose, to show that the soak can fail: ``--bug`` names one of :data:`tests.sim.planted.BUGS`.

Imported before anything that loads scripts, in workers and in the watcher.
"""

from __future__ import annotations

import functools
import hashlib
import os

from jobbers.store import scripts
from tests.sim.planted import BUGS

VARIABLE = "SOAK_BUG"


def plant() -> None:
    """Load scripts with the bug that the environment names, if any."""
    name = os.environ.get(VARIABLE)
    if not name:
        return
    rewrite, load = BUGS[name], scripts.load

    @functools.cache
    def planted(script: str, *, manual_clock: bool = False, flags: bool = False) -> scripts.Script:
        text = rewrite(script, load(script, manual_clock=manual_clock, flags=flags).text)
        return scripts.Script(script, text, hashlib.sha1(text.encode()).hexdigest().encode())

    scripts.load = planted  # type: ignore[assignment]


plant()
