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
    """Log to stderr, one line a record, with the task that it was written in. What uvicorn tells of its own life and of
    each request is left out unless all is asked for. Raises :class:`ConfigError`."""
    from jobbers.cli.log_formats import JsonFormatter, TaskIds, TextFormatter
    from jobbers.settings import load_settings

    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if load_settings({}).log_format == "json" else TextFormatter())
    handler.addFilter(TaskIds())
    logging.basicConfig(level=level.value.upper(), handlers=[handler])
    if level is not Level.DEBUG:
        for name in ("uvicorn.error", "uvicorn.access"):
            logging.getLogger(name).setLevel(logging.WARNING)
