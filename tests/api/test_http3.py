"""HTTP/3: requests, event streams and refusals over QUIC, and TLS on TCP beside it."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from jobbers import Jobbers
from jobbers.api import app as api_app
from jobbers.api.http3 import Certificate, check_certificate
from jobbers.api.live.hub import hub_of
from jobbers.errors import ConfigError
from tests.api.http3_client import calling, certificate, serving

__all__ = ["certificate"]  # a fixture


async def test_requests_over_http3(app: Jobbers, certificate: Certificate) -> None:
    async with serving(app, certificate) as url, calling(url, certificate) as caller:
        assert url.startswith("https://127.0.0.1:")
        status, headers, body = await caller.request("GET", "/health")
        assert (status, json.loads(body)) == (200, {"status": "ok"})
        assert headers["x-content-type-options"] == "nosniff"
        status, _, body = await caller.request("POST", "/tasks", b'{"type": "add", "args": [1]}')
        assert status == 201
        task_id = json.loads(body)["id"]
        status, headers, body = await caller.request("GET", f"/tasks/{task_id}")
        assert json.loads(body)["args"] == [1]
        unchanged = await caller.request("GET", f"/tasks/{task_id}", if_none_match=headers["etag"])
        assert (unchanged[0], unchanged[1]["etag"], unchanged[2]) == (304, headers["etag"], b"")
        status, _, body = await caller.request("GET", "/events?topic=queues", until=b"event: queues")
        assert status == 200
        assert b'"sums"' in body
    assert not hub_of(app).listeners


async def test_who_hangs_up_is_forgotten(app: Jobbers, certificate: Certificate) -> None:
    async with serving(app, certificate) as url:
        async with calling(url, certificate) as caller:
            await caller.request("GET", "/events?topic=stats", until=b"event: stats")
            assert len(hub_of(app).listeners) == 1
        async with asyncio.timeout(40):
            while hub_of(app).listeners:  # noqa: ASYNC110 - it has no signal of its own
                await asyncio.sleep(0.05)


async def test_the_same_rules_hold(
    app: Jobbers, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Eight megabytes take a client in Python half a minute where it has a small share of a processor.
    monkeypatch.setattr(api_app, "MAX_BODY", 200_000)
    app.settings = app.settings.model_copy(update={"max_payload": 10_000})
    async with serving(app, certificate) as url, calling(url, certificate) as caller:

        async def refused(*what: Any, **headers: str) -> tuple[int, str]:
            status, _, body = await caller.request(*what, **headers)
            return status, json.loads(body)["error"]["code"]

        task = b'{"type": "keep"}'
        assert await refused("POST", "/tasks", b" " * 200_001) == (413, "body_too_large")
        assert await refused("POST", "/tasks", task, content_type="text/plain") == (
            415,
            "unsupported_media_type",
        )
        assert await refused("POST", "/tasks", task, sec_fetch_site="cross-site") == (403, "cross_site")
        assert await refused("GET", "/nothing") == (404, "not_found")
        made = await caller.request("POST", "/keys", b'{"name": "root", "scope": "admin"}')
        assert made[0] == 201
        key = json.loads(made[2])["key"]
        assert await refused("POST", "/tasks", task) == (401, "unauthorized")
        assert (await caller.request("POST", "/tasks", task, x_api_key=key))[0] == 201


async def test_tls_on_tcp_tells_of_it(app: Jobbers, certificate: Certificate) -> None:
    trust = ssl.create_default_context(cafile=str(certificate.certfile))
    async with serving(app, certificate) as url:
        port = urlsplit(url).port
        async with httpx2.AsyncClient(verify=trust, trust_env=False, timeout=20) as client:
            response = await client.get(f"https://localhost:{port}/api/v1/health")
        assert response.status_code == 200
        assert f'h3=":{port}"' in response.headers["alt-svc"]
        assert "server" not in response.headers
        with pytest.raises(httpx2.HTTPError):
            httpx2.get(f"http://localhost:{port}/api/v1/health", trust_env=False, timeout=10)


def test_it_refuses_what_it_cannot_serve(certificate: Certificate, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--certfile"):
        check_certificate(None, None)
    with pytest.raises(ConfigError, match="cannot be used"):
        check_certificate(tmp_path / "none.pem", certificate.keyfile)
    for options in (["--http3"], ["--certfile=x.pem", "--keyfile=y.pem"]):
        done = subprocess.run(
            [sys.executable, "-m", "jobbers", "api", "tests.security.served:app", *options],
            capture_output=True, text=True, timeout=50, check=False, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert done.returncode != 0
        assert "--certfile" in done.stderr
