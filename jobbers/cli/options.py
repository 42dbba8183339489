"""Options that many commands share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from jobbers.app import Jobbers
from jobbers.cli.apps import load_app
from jobbers.cli.noting import note
from jobbers.core.deeds import Deed
from jobbers.errors import InvalidInput, ServerUnavailable
from jobbers.settings import load_settings
from jobbers.store.url import embedded_directory, is_embedded, parse

APP_HELP = "Where the application lies, as module:attribute; JOBBERS_APP by default."

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AppPath = Annotated[str | None, typer.Argument(metavar="[APP]", help=APP_HELP)]
TaskId = Annotated[str, typer.Argument(metavar="ID", help="The id of the task.")]
QueueFilter = Annotated[str | None, typer.Option("--queue", help="Only those of this queue.")]
TypeFilter = Annotated[str | None, typer.Option("--type", help="Only those of this task type.")]


@dataclass(frozen=True, slots=True)
class Server:
    """Which server and which of its namespaces are meant; what is left out comes from the application or JOBBERS_..."""

    redis_url: Annotated[
        str | None,
        typer.Option(
            "--redis-url",
            metavar="URL",
            help="The server, or 'embedded'. Others can see what stands here: a password belongs in JOBBERS_REDIS_URL.",
        ),
    ] = None
    namespace: Annotated[str | None, typer.Option("--namespace", help="What all keys begin with.")] = None
    shards: Annotated[int | None, typer.Option("--shards", help="The number of shards of the namespace.")] = (
        None
    )

    def given(self) -> dict[str, str | int]:
        """The settings that were given here."""
        options = {"redis_url": self.redis_url, "namespace": self.namespace, "shards": self.shards}
        return {name: value for name, value in options.items() if value is not None}

    def app(self, path: str | None) -> Jobbers:
        """The application at ``path`` or in JOBBERS_APP, on this server. Raises :class:`ConfigError`,
        :class:`InvalidInput`."""
        path = path or load_settings(self.given()).app
        if not path:
            raise InvalidInput("which application? Give its path as module:attribute, or set JOBBERS_APP")
        app = load_app(path)
        if given := self.given():
            settings = load_settings({**app.settings.model_dump(), **given})
            if not is_embedded(settings.redis_url):
                parse(settings.redis_url)
            app.settings = settings
        return app


@dataclass(frozen=True, slots=True)
class Target(Server):
    """Whose tasks a command is about: those of an application, or simply those of a server."""

    path: Annotated[
        str | None, typer.Option("--app", metavar="APP", help=f"{APP_HELP} Most commands need none.")
    ] = None

    def find(self) -> Jobbers:
        """The application, or a bare one when there is none. Raises :class:`ConfigError`."""
        settings = load_settings(self.given())
        return self.app(self.path) if self.path or settings.app else Jobbers(settings=settings)

    @asynccontextmanager
    async def open(
        self, *, start: bool = False, deed: Deed | None = None, on: str = ""
    ) -> AsyncIterator[Jobbers]:
        """The application, connected. Unless it may ``start`` one, an embedded server must have run here before: else a
        forgotten URL would look like an empty server. A ``deed`` is noted in the audit log, with what it was done ``on``.
        Raises :class:`ConfigError`, :class:`ServerUnavailable`."""
        app = self.find()
        if not start:
            _refuse_to_start(app.settings.redis_url)
        try:
            await app.client()
            failed = True
            try:
                yield app
                failed = False
            finally:
                if deed is not None:
                    await note(app, deed, on, failed=failed)
        finally:
            await app.close()
            app.stop_embedded()


def _refuse_to_start(url: str) -> None:
    if is_embedded(url):
        folder = embedded_directory(url) or Path.cwd() / ".jobbers"
        if not (folder / "redis").is_dir():
            raise ServerUnavailable(
                f"no server was named and none is embedded in {folder}: name one with --redis-url or JOBBERS_REDIS_URL, "
                "go to the folder of the project, or start one with 'jobbers dev'"
            )
