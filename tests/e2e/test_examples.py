"""Every example runs as it stands, against a server of its own, and prints what it promises."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobbers.store.embedded import available_binaries

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.skipif(not available_binaries(), reason="no Redis or Valkey server here")

PROMISES = {
    "01_hello": ["which is queued", "Hello, world!", "['Hello, Ada!', 'Hello, Grace!']", "Hello, yourself!"],
    "02_options": [
        "one parcel, submitted twice: True",
        "one reminder, submitted twice: True",
        "a telegram (priority 9)",
        "a letter (priority 5)",
        "the only parcel 42 (priority 5)",
        "a reminder (priority 5)",
        "a postcard (priority 1)",
        "a letter for a given time",
        "a delayed letter",
    ],
    "03_retries": [
        "fetched in attempt 3",
        "['1: ConnectionError', '2: ConnectionError']",
        "entered in attempt 1",
        "failed: there is no order -7",
        "dead letters: [('charge', [-7])]",
        "charged order 7",
    ],
    "04_progress": [
        "running resizing 33%",
        "running writing 67%",
        "succeeded",
        "converted cat.jpg",
        "ended: no heartbeat for more than 0.5 seconds",
    ],
    "05_processes": [
        "on the loop: True",
        "in a thread: True",
        "primes: [2262, 3245, 4203]",
        "in processes of their own: True",
    ],
    "06_plain_code": ["submitted queued", "2 + 3 = 5", "20 + 30 = 50", "doubles: [2, 4, 6]"],
    "07_fastapi": ["ordered ", "got {'customer': 'ada', 'pages': 12}"],
    "09_workflow": [
        "our site: 9 words in 3 pages",
        "add_up  succeeded  after count-home, count-about, count-contact",
    ],
    "10_map_reduce": [
        "asyncio",
        "find_packages  succeeded",
        "index_package  succeeded  4 of 4 items",
        "report  succeeded",
    ],
    "11_etl": [
        "orders.csv: succeeded, load succeeded, quarantine skipped",
        "orders.json: succeeded, load succeeded, quarantine skipped",
        "broken.json: succeeded, load skipped, quarantine succeeded",
        "4 rows, 27 pages",
    ],
    "08_middleware": [
        "acme pays 10",
        "acme pays 20",
        "tidied up for nobody in particular",
        "refused: it does not say for whom",
        "spent on acme: 0.",
    ],
    "12_schedules": [
        "three beats, 3 tasks",
        "heart: every 0.2 s, paused",
        "nightly: 30 2 * * * (Europe/Berlin), goes on",
        "weekly: 0 6 * * MON (UTC), goes on",
        "the next 10 times of weekly are Mondays at 06:00",
        "REPORT OF LAST WEEK",
    ],
    "13_batches": [
        "1,000 events stored",
        "in fewer than 100 calls: True",
        "no call for two tenants: True",
        "failed: a negative amount",
        "stored at the second attempt: True",
    ],
}
"""What each example prints, in this order."""


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="jobbers-example-") as name:
        yield Path(name)


def test_every_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("[0-9]*.py")} == set(PROMISES)


@pytest.mark.parametrize("example", PROMISES)
def test_example(example: str, folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JOBBERS_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / f"{example}.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    place = 0
    for promise in PROMISES[example]:
        place = done.stdout.find(promise, place)
        assert place >= 0, f"{promise!r} is missing or out of order in:\n{done.stdout}"
