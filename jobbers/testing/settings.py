"""Where the tests of a program find a server: variables ``JOBBERS_TEST_…``, read the way all settings are."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from jobbers.settings import Settings


class TestSettings(Settings):
    """The settings of the testing kit. ``JOBBERS_REDIS_URL`` plays no part: tests must never see the server of a program
    that is in use by chance."""

    __test__ = False  # pytest takes a class with such a name for one of its own

    test_redis_url: Annotated[str | None, Field(description="a server to test on", repr=False)] = None
    test_server: Annotated[str | None, Field(description="what to embed: a path, a command, a package")] = (
        None
    )
