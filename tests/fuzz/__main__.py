"""``python -m tests.fuzz TARGET [libFuzzer options]``: look for inputs with atheris, guided by coverage.

Needs ``pip install atheris``; ``make fuzz`` does that in an environment of its own.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-not-found]

with atheris.instrument_imports(include=["jobbers"]):
    from tests.fuzz.targets import TARGETS


def main(name: str, *options: str) -> None:
    """Run one target until libFuzzer ends it."""
    if name not in TARGETS:
        sys.exit(f"unknown target {name!r}; there are {', '.join(TARGETS)}")
    target = TARGETS[name]
    corpus = Path(tempfile.mkdtemp(prefix="fuzz-"))
    for number, data in enumerate(target.examples):
        (corpus / str(number)).write_bytes(data)
    atheris.Setup([sys.argv[0], str(corpus), *options], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
