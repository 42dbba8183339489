"""Where large results go. Names are the SHA-256 of the content, so a name can never lead out of the folder."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import Protocol

from jobbers.errors import NotFound

_NAME = re.compile(r"[0-9a-f]{64}")


class BlobStore(Protocol):
    """Keeps bytes under names of its own choice."""

    async def put(self, data: bytes) -> str:
        """Keep ``data`` and return its name. Raises :class:`OSError`."""
        ...

    async def get(self, name: str) -> bytes:
        """What was kept under a name. Raises :class:`NotFound`."""
        ...

    async def expire(self, seconds: float) -> int:
        """Drop what has not been put for so long; returns how many."""
        ...


class FolderBlobStore:
    """A :class:`BlobStore` in a folder that all workers and clients share; made when first used."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, data: bytes) -> str:
        """See :class:`BlobStore`."""
        return await asyncio.to_thread(self._put, data)

    def _put(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        target = self._path(name)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return name

    async def get(self, name: str) -> bytes:
        """See :class:`BlobStore`."""
        if not _NAME.fullmatch(name):
            raise NotFound("the record names a result that is none of this store's")
        try:
            return await asyncio.to_thread(self._path(name).read_bytes)
        except FileNotFoundError:
            raise NotFound(
                f"the offloaded result {name[:12]}… is not in {self._root}: it has expired, or this program looks in "
                "another folder than the worker (setting blob_dir)"
            ) from None

    async def expire(self, seconds: float) -> int:
        """See :class:`BlobStore`."""
        return await asyncio.to_thread(self._expire, seconds)

    def _expire(self, seconds: float) -> int:
        if not self._root.is_dir():
            return 0
        # Now is what the folder takes it for: this machine's clock may be another, and wrong.
        with tempfile.TemporaryFile(dir=self._root) as probe:
            before = os.fstat(probe.fileno()).st_mtime - seconds
        dropped = 0
        for file in self._root.glob("??/*"):
            with contextlib.suppress(FileNotFoundError):
                if file.stat().st_mtime < before:
                    file.unlink()
                    dropped += 1
        return dropped

    def _path(self, name: str) -> Path:
        return self._root / name[:2] / name
