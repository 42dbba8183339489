"""Heartbeats from processes arrive, and what killed workers left behind is removed."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from pathlib import Path

import msgpack
import pytest

from jobbers.worker.beat_socket import PREFIX, BeatSocket


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


async def test_heartbeats_arrive(temporary_folder: Path) -> None:
    heard = asyncio.get_running_loop().create_future()
    beats = BeatSocket(lambda *beat: heard.set_result(beat))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(msgpack.packb(["id", "parsing", 0.5]), str(beats.path))
    assert await asyncio.wait_for(heard, 20) == ("id", "parsing", 0.5)
    beats.close()
    assert not beats.path.parent.exists()


async def test_an_abandoned_folder_is_removed_and_one_in_use_is_not(temporary_folder: Path) -> None:
    abandoned = temporary_folder / f"{PREFIX}old"
    abandoned.mkdir()
    first = BeatSocket(lambda *_: None)
    second = BeatSocket(lambda *_: None)
    assert not abandoned.exists()
    assert first.path.exists()
    first.close()
    second.close()
