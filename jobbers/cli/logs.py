"""Logging of the commands that go on running."""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import Annotated

import typer


class Level(StrEnum):
    """What ``--log-level`` takes."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


LogLevel = Annotated[Level, typer.Option("--log-level", help="How much to log.")]


def set_up_logging(level: Level) -> None:
    """Log to stderr, one line a record. What uvicorn tells of its own life is left out unless all is asked for."""
    logging.basicConfig(
        level=level.value.upper(),
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        datefmt="%H:%M:%S",
    )
    if level is not Level.DEBUG:
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
