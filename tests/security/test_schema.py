"""What the description of the API says is true of its answers, for requests that are made from it, right and wrong ones.

``API_FUZZ_CASES`` is how many requests are sent to each route: 100 by default, more with ``make fuzz-api``. Of 100, 80 are
sent with a key, 55 right ones and 25 wrong ones, and every fourth of these once more without.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from tests.security.conftest import Locked
from tests.security.process import Service

CASES = int(os.environ.get("API_FUZZ_CASES", "100"))
DRAWN = {GenerationMode.POSITIVE: max(5, CASES * 55 // 100), GenerationMode.NEGATIVE: max(5, CASES // 4)}
"""With a key. To make a wrong one takes four times as long as a right one, and longer than all that the service does."""
AGAIN = 4
"""Of so many, one is sent without a key, too: a stranger learns nothing, whatever is sent."""
SHARES = 4
"""Tests that divide the routes among them, for the workers of a run to share."""
DOCUMENTED = {503: {"too_many_streams", "not_ready", "server_unavailable"}}
ENDLESS = "/events"
LEFT_OUT = {"POST /api/v1/login", "POST /api/v1/logout"}
"""Wrong logins are made to wait; and they are tried elsewhere."""


def operations(service: Service) -> list[Any]:
    with service.client() as client:  # it may take its time to make that
        description = client.get("/openapi.json").json()
    schema = schemathesis.openapi.from_dict(description)
    found = [it.ok() for it in schema.get_all_operations()]
    return [it for it in found if it.label not in LEFT_OUT and not it.path.endswith(ENDLESS)]


def send(client: httpx2.Client, case: Any) -> httpx2.Response:
    """Send a case as it is."""
    arguments = case.as_transport_kwargs(base_url=str(client.base_url).removesuffix("/api/v1/"))
    sent: Mapping[str, Any] = {
        "params": arguments.get("params"),
        "headers": {
            name: str(value).encode()
            for name, value in (arguments.get("headers") or {}).items()
            if name.lower() not in ("authorization", "x-api-key", "cookie")  # wrong ones are made to wait
        },
        "content": arguments.get("data"),
        "json": arguments.get("json"),
    }
    return client.request(
        arguments["method"], arguments["url"], **{name: it for name, it in sent.items() if it is not None}
    )


def check(case: Any, response: httpx2.Response, *, key: bool) -> None:
    where = f"{case.method} {case.formatted_path} {str(case.query)[:200]} {str(case.body)[:500]}: {response.text[:300]}"
    status = response.status_code
    if status >= 500:
        assert response.json()["error"]["code"] in DOCUMENTED.get(status, ()), where
    if status >= 400:
        assert response.json()["error"].keys() == {"code", "message", "parameter"}, where
    if not key and case.operation.definition.raw["x-scope"] != "open":
        assert status == 401, where
    if key:
        assert status != 401, where
    declared = {str(it) for it in case.operation.definition.raw["responses"]}
    assert str(status) in declared | {"400", "405", "413", "415", "422", "404"}, where


@pytest.mark.timeout(60 + 5 * CASES)
@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
def test_answers_are_as_described(locked: Locked, mode: GenerationMode, share: int) -> None:
    tried = {True: 0, False: 0}
    service = locked.service
    with service.client(headers={"x-api-key": locked.key}) as known, service.client() as stranger:

        def ask(case: Any, *, key: bool) -> None:
            try:
                response = send(known if key else stranger, case)
            except (httpx2.LocalProtocolError, httpx2.InvalidURL, UnicodeError, ValueError):
                return  # no client can send that
            tried[key] += 1
            check(case, response, key=key)

        for operation in operations(service)[share::SHARES]:
            try:
                strategy = operation.as_strategy(generation_mode=mode)
            except schemathesis.errors.SchemathesisError:
                continue  # nothing about it can be wrong
            drawn = itertools.count()

            @settings(
                max_examples=DRAWN[mode],
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=strategy)
            def tries(case: Any) -> None:
                ask(case, key=True)
                if next(drawn) % AGAIN == 0:  # noqa: B023 - it is called in this turn
                    ask(case, key=False)

            tries()
        assert known.get("/health").status_code == 200
    assert tried[True] > 50
    assert tried[False] > 10
