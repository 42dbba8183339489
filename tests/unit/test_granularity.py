"""The option ``telemetry=`` of a task, and when ``auto`` aggregates."""

from __future__ import annotations

import pytest

from jobbers import Jobbers
from jobbers.core.granularity import BUSY_PER_SECOND, AutoSwitch, Kind, parse_granularity
from jobbers.errors import ConfigError, InvalidInput


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        ("auto", Kind.AUTO, "auto"),
        ("always", Kind.ALWAYS, "always"),
        ("errors", Kind.ERRORS, "errors"),
        ("batch", Kind.BATCH, "batch"),
        ("off", Kind.OFF, "off"),
        (0.01, Kind.RATIO, "0.01"),
        (1, Kind.RATIO, "1"),
        ("slow:500ms", Kind.SLOW, "slow:500ms"),
        ("slow:2s", Kind.SLOW, "slow:2000ms"),
        ("slow:0.5s", Kind.SLOW, "slow:500ms"),
    ],
)
def test_what_telemetry_may_be(value: object, kind: Kind, shown: str) -> None:
    parsed = parse_granularity(value)
    assert parsed.kind is kind
    assert str(parsed) == shown
    assert parse_granularity(parsed) is parsed


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("allways", 'telemetry must be "auto", "always"'),
        ("ratio", "telemetry must be"),
        (None, "telemetry must be"),
        (True, "telemetry must be"),
        (1.5, "from 0 to 1, got 1.5"),
        (float("nan"), "from 0 to 1"),
        ("slow", "needs a limit"),
        ("slow:500", r'"slow:500" needs a limit|.slow:500. needs a limit'),
        ("slow:-1ms", "needs a limit"),
        ("slow:1m", "needs a limit"),
    ],
)
def test_what_it_may_not_be_is_refused_with_what_there_is(value: object, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        parse_granularity(value)


def test_a_task_is_refused_where_it_is_defined() -> None:
    app = Jobbers("redis://localhost:1/0")
    with pytest.raises(InvalidInput, match="telemetry must be"):

        @app.task(telemetry="everything")
        def work() -> None: ...

    @app.task(telemetry="slow:1s")
    def other() -> None: ...

    assert other.policy.telemetry.slow_ms == 1000


def test_short_and_many_are_aggregated_from_within_the_first_second() -> None:
    switch = AutoSwitch()
    alone = 0
    for number in range(1000):
        alone += not switch.begun(10 + number / 2000)
        switch.took(0.001)
    assert alone == BUSY_PER_SECOND


def test_many_that_are_long_are_not_aggregated() -> None:
    switch = AutoSwitch()
    switch.took(2.0)
    assert not any(switch.begun(10 + number / 2000) for number in range(1000))


def test_a_quiet_second_ends_it() -> None:
    switch = AutoSwitch()
    for number in range(100):
        switch.begun(number / 1000)
    assert switch.many
    assert switch.begun(1.1), "the second before was busy"
    assert not switch.begun(2.2), "the second before was quiet"


def test_it_begins_alone_again_after_a_pause() -> None:
    switch = AutoSwitch()
    for number in range(100):
        switch.begun(number / 1000)
    assert not switch.begun(60.0)


def test_the_median_is_followed() -> None:
    switch = AutoSwitch()
    for _ in range(200):
        for seconds in (0.01, 0.01, 0.01, 5.0):
            switch.took(seconds)
    assert not any(switch.begun(1.0) for _ in range(BUSY_PER_SECOND))
    assert switch.begun(1.0), "most of them are short"


def test_patterns_go_before_what_the_code_says() -> None:
    app = Jobbers(telemetry_types=" mail.*=always,  mail.bulk=off, import*=0.01,gone=slow:2s ,")

    @app.task(name="mail.bulk", telemetry="errors")
    async def bulk() -> None: ...

    @app.task(name="import_all")
    async def everything() -> None: ...

    @app.task(telemetry="batch")
    async def other() -> None: ...

    kinds = [it.policy.telemetry.kind for it in (bulk, everything, other)]
    assert kinds == [Kind.ALWAYS, Kind.RATIO, Kind.BATCH]
    assert everything.policy.telemetry.ratio == 0.01
    assert app.idle_overrides() == ["gone"], "that mail.bulk has been decided before is no mistake"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mail", "must be like"),
        ("=always", "must be like"),
        ("a=allways", "allways"),
        ("a=2", "from 0 to 1"),
        ("a=", "must be"),
    ],
)
def test_patterns_are_checked(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Jobbers(telemetry_types=text)
