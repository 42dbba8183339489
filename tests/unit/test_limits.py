"""Limits, rates and turns: what they become in the store, and which make no sense."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from jobbers import Breaker, Fair, Jobbers, Limit, Rate
from jobbers.core.limits import BreakerRule, Definition, Gates, check_limit_name, is_shared
from jobbers.core.payload import Ref
from jobbers.errors import ConfigError, InvalidInput, InvalidName


def text(gates: Gates, queue: str = "mail", **arguments: Any) -> str:
    return gates.text(lambda: arguments, queue)


def test_names_tell_whose_they_are_by_what_key_and_over_what_time() -> None:
    def tenant(arguments: Mapping[str, Any]) -> Any:
        return arguments["user"][0]

    gates = Gates(
        "send",
        "task 'send'",
        [Limit(20), Limit(2, key="user"), Limit(5, per="queue"), Limit(3, key=tenant, full="refuse")],
        [Rate(100), Rate(5, per="minute", key="user"), Rate(7, per=1.5, burst=3, name="api", cost=2)],
        Fair("user", {"vip": 4}),
    )
    assert text(gates, user="vip").split(",") == [
        "w1/send", "w1/send:user=vip", "w1/send@mail", "r1/send:tenant=v",
        "w1/send:second", "w1/send:user:minute=vip", "w2/api", "f4/send:user:turn@mail=vip",
    ]  # fmt: skip
    assert gates.definitions == {
        "send": Definition(20), "send:user": Definition(2), "send@": Definition(5), "send:tenant": Definition(3),
        "send:second": Definition(100, 1000), "send:user:minute": Definition(5, 60_000), "api": Definition(7, 1500, 3),
    }  # fmt: skip
    assert gates.shared
    assert not Gates("a", "a", fair=Fair("k")).shared


def test_weights_and_costs_may_come_from_arguments() -> None:
    gates = Gates("a", "a", [Limit(10, weight="size")], [Rate(9, cost=lambda given: given["size"] * 2)])
    assert text(gates, size=3) == "w3/a,w6/a:second"
    for size in (0, -1, 1.5, "3", True, None):
        with pytest.raises(InvalidInput, match="weight or cost of 'a' of a"):
            text(gates, size=size)


def test_a_breaker_is_asked_first_and_shares_no_name_with_a_limit() -> None:
    gates = Gates(
        "send", "task 'send'", [Limit(20)], fair=Fair("host"), breaker=Breaker(0.25, key="host", window=1.5)
    )
    assert text(gates, host="a/b") == "b1/!send:host=a%2Fb,w1/send,f1/send:host:turn@mail=a%2Fb"
    assert gates.breakers == {"send:host": BreakerRule(250_000, 20, 1_500, 30_000, 1, 1)}
    assert "send:host" not in gates.definitions
    assert text(Gates("send", "a", breaker=Breaker(name="api"))) == "b1/!api"


@pytest.mark.parametrize(
    "options",
    [
        {"failures": 0}, {"failures": 1.1}, {"failures": True}, {"failures": float("nan")}, {"of": 0}, {"of": 1.5},
        {"window": 0},
        {"open_for": 0}, {"open_for": -1}, {"probes": 0}, {"name": "a b"}, {"name": "a@b"}, {"name": "!a"},
    ],
    ids=str,
)  # fmt: skip
def test_breakers_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises((InvalidInput, InvalidName)):
        Breaker(**options)


def test_breakers_of_one_name_say_the_same() -> None:
    app = Jobbers()
    app.task(name="a", breaker=Breaker(of=5, name="api"))(print)
    app.task(name="b", breaker=Breaker(of=5, name="api"))(print)
    with pytest.raises(ConfigError, match="breaker 'api' is defined twice"):
        app.task(name="c", breaker=Breaker(of=6, name="api"))(print)
    with pytest.raises(InvalidInput, match=r"the breaker of task 'd' is a Breaker\(…\)"):
        app.task(name="d", breaker=5)(print)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "value", ["", "a,b/c=d e", "w1/x", "#", "\n", "ü" * 500, 5, None, ("a", 1), "x" * 99, b"\xff"], ids=repr
)
def test_values_of_keys_cannot_break_out(value: Any) -> None:
    written = text(Gates("a", "a", [Limit(1, key="k")]), k=value)
    assert written.startswith("w1/a:k=")
    assert len(written) < 120
    assert not set(written.removeprefix("w1/a:k=")) & set(" ,/=\n")
    assert written.isascii()


def test_different_long_values_stay_different() -> None:
    gates = Gates("a", "a", [Limit(1, key="k")])
    assert text(gates, k="x" * 500) != text(gates, k="x" * 501)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Limit(0), "a limit must be a whole number from 1"),
        (lambda: Limit(-3), "got '-3'"),
        (lambda: Limit(True), "whole number"),
        (lambda: Limit(1.5), "whole number"),  # type: ignore[arg-type]
        (lambda: Limit(3, weight=4), "weight 4 never fits into a limit of 3"),
        (lambda: Limit(3, per="galaxy"), "per 'cluster', 'queue' or 'worker'"),  # type: ignore[arg-type]
        (lambda: Limit(3, full="panic"), "full must be one of"),  # type: ignore[arg-type]
        (lambda: Limit(3, per="worker", key="a"), "per worker has no key"),
        (lambda: Limit(3, name="a b"), "cannot be the name of a limit"),
        (lambda: Limit(3, name="a@b"), "no '@'"),
        (lambda: Rate(0), "a rate must be a whole number"),
        (lambda: Rate(5, per="fortnight"), "per must be one of"),  # type: ignore[arg-type]
        (lambda: Rate(5, per=0), "a millisecond or more"),
        (lambda: Rate(5, per=-1), "must be zero or more"),
        (lambda: Rate(5, cost=6), "costs 6 never fits into a rate of 5"),
        (lambda: Rate(50, burst=5, cost=6), "costs 6 never fits into a burst of 5"),
        (lambda: Rate(50, burst=0), "the burst of a rate"),
        (lambda: Rate(5, scope="worker"), "scope of a rate"),  # type: ignore[arg-type]
        (lambda: Fair("a", {"x": 0}), "the weight of a key"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(make: Callable[[], Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        make()


def test_a_key_that_cannot_be_had_is_named() -> None:
    def broken(arguments: Mapping[str, Any]) -> Any:
        raise KeyError("tenant")

    with pytest.raises(
        InvalidInput, match=r"key of 'a:k' of task 'a' is argument 'k', and there is none \(there are: x\)"
    ):
        text(Gates("a", "task 'a'", [Limit(1, key="k")]), x=1)
    with pytest.raises(InvalidInput, match="its function raised KeyError: 'tenant'"):
        text(Gates("a", "task 'a'", [Limit(1, key=broken)]), x=1)
    with pytest.raises(InvalidInput, match="result of another task"):
        text(Gates("a", "task 'a'", [Limit(1, key="k")]), k=Ref("01M7Z4R1ZK51HPT80NTSJ7YAAA"))


def test_names_clash_only_when_they_mean_different_things() -> None:
    app = Jobbers("redis://localhost:1/0")
    app.task(name="a", limits=[Limit(5, name="db")])(print)
    app.task(name="b", limits=[Limit(5, name="db")])(print)
    with pytest.raises(ConfigError, match="limit 'db' is defined twice"):
        app.task(name="c", limits=[Limit(6, name="db")])(print)
    assert "c" not in app.task_types
    with pytest.raises(InvalidInput, match="two limits or rates that are called 'd'"):
        app.task(name="d", limits=[Limit(5), Limit(6)])(print)
    with pytest.raises(InvalidInput, match=r"limits of task 'e' are a list of Limit\(…\)"):
        app.task(name="e", limits=[5])(print)  # type: ignore[list-item]
    app.queue("mail", limits=[Limit(3)])
    with pytest.raises(ConfigError, match="queue 'mail' is described already"):
        app.queue("mail")
    with pytest.raises(InvalidInput, match="belongs to a task type"):
        app.queue("other", limits=[Limit(3, per="worker")])


@pytest.mark.parametrize("bad", ["", "a b", "a/b", "a=b", "x" * 201, None, 5])
def test_odd_names_are_refused(bad: object) -> None:
    with pytest.raises(InvalidName):
        check_limit_name(bad)


@pytest.mark.parametrize(
    ("gates", "shared"), [("", False), ("f1/a=1", False), ("f1/a,w1/b", True), ("w1/b", True)]
)
def test_turns_need_no_common_place(gates: str, shared: bool) -> None:
    assert is_shared(gates) is shared
