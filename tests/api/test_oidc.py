"""Tokens of an issuer, which is one of our own here."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from jobbers.api import create_app
from jobbers.api.oidc import Tokens
from jobbers.errors import ConfigError
from jobbers.keyring import Access
from jobbers.settings import Settings
from jobbers.store.embedded import EmbeddedServer
from tests.api.support import call, error_of, make_app


class Issuer:
    """Says where its keys are, and signs tokens."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {"one": rsa.generate_private_key(public_exponent=65537, key_size=2048)}
        self.asked: list[str] = []
        self.answers = True
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                found = issuer.answer(self.path) if issuer.answers else None
                self.send_response(500 if found is None else 200)
                self.end_headers()
                self.wfile.write(json.dumps(found).encode())

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, path: str) -> Any:
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        described = []
        for name, key in self.keys.items():
            kind = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
            described.append({**kind.to_jwk(key.public_key(), as_dict=True), "kid": name})
        return {"keys": described} if path == "/keys" else None

    def token(self, key: str = "one", algorithm: str = "RS256", signer: Any = None, **claims: Any) -> str:
        whole = {
            "iss": self.url, "aud": "jobbers", "sub": "eve", "exp": time.time() + 300, "scope": "openid jobbers:read",
        } | claims  # fmt: skip
        given = {name: value for name, value in whole.items() if value is not None}
        return jwt.encode(given, signer or self.keys[key], algorithm, headers={"kid": key})


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    thread = threading.Thread(target=issuer.server.serve_forever, daemon=True)
    thread.start()
    yield issuer
    issuer.server.shutdown()
    issuer.server.server_close()
    thread.join()


@asynccontextmanager
async def service(server: EmbeddedServer, issuer: Issuer, **more: Any) -> AsyncIterator[httpx2.AsyncClient]:
    app = make_app(server.url, oidc_issuer=issuer.url, oidc_audience="jobbers", **more)
    async with call(create_app(app)) as api:
        api.jobbers = app  # type: ignore[attr-defined]
        yield api
    await app.close()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobbers.api.slowdown.FIRST", 0)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_token_says_who_and_what(server: EmbeddedServer, issuer: Issuer) -> None:
    async with service(server, issuer) as api:
        error_of(await api.get("/me"), 401, "unauthorized")  # an issuer is enough to ask, without any key
        me = (await api.get("/me", headers=bearer(issuer.token()))).json()
        assert me == {"name": "eve", "kind": "token", "scope": "read", "queues": None}
        many = issuer.token(scope="jobbers:submit jobbers:operate jobbers:read")
        assert (await api.get("/me", headers=bearer(many))).json()["scope"] == "operate"
        assert (await api.post("/queues/a/pause", json={}, headers=bearer(many))).status_code == 200
        refused = await api.post("/queues/a/pause", json={}, headers=bearer(issuer.token()))
        error_of(refused, 403, "forbidden")
        for nothing in ("", "openid", None):
            error_of(await api.get("/me", headers=bearer(issuer.token(scope=nothing))), 403, "forbidden")
        key = (await Access((await api.jobbers.client()).store).create("k", "read")).text  # type: ignore[attr-defined]
        assert (await api.get("/me", headers=bearer(key))).json()["kind"] == "key"
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"], "once is enough"


async def test_tokens_that_are_not_valid(server: EmbeddedServer, issuer: Issuer) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    good = issuer.token()
    head, body, signature = good.split(".")
    wrong = [
        issuer.token(exp=time.time() - 60),
        issuer.token(exp=None),
        issuer.token(sub=None),
        issuer.token(nbf=time.time() + 300),
        issuer.token(aud="others"),
        issuer.token(aud=None),
        issuer.token(iss="http://evil.test"),
        issuer.token(iss=None),
        issuer.token(signer=stranger),
        jwt.encode({"iss": issuer.url, "aud": "jobbers", "sub": "eve", "exp": time.time() + 300}, "", "none"),
        issuer.token(algorithm="HS256", signer="x" * 64),
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{head}.{body}A.{signature}",
        "a.b.c",
        "x" * 20_000,
        "é.é.é",
    ]
    async with service(server, issuer) as api:
        assert (await api.get("/me", headers=bearer(good))).status_code == 200
        for token in wrong:
            response = await api.get("/me", headers=[(b"authorization", f"Bearer {token}".encode())])
            error_of(response, 401, "unauthorized")


async def test_a_claim_and_its_values_can_be_chosen(server: EmbeddedServer, issuer: Issuer) -> None:
    chosen = {"oidc_claim": "realm_access.roles", "oidc_scopes": {"boss": "admin", "staff": "submit"}}
    async with service(server, issuer, **chosen) as api:
        for roles, scope in ((["staff", "x"], "submit"), (["staff", "boss"], "admin"), ("boss", "admin")):
            token = issuer.token(realm_access={"roles": roles})
            assert (await api.get("/me", headers=bearer(token))).json()["scope"] == scope
        for odd in ({"roles": 7}, {"roles": [["boss"], {"a": 1}]}, "boss", None, []):
            token = issuer.token(realm_access=odd)
            error_of(await api.get("/me", headers=bearer(token)), 403, "forbidden")


async def test_new_keys_are_found_and_strangers_cannot_make_us_ask(
    server: EmbeddedServer, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(server, issuer) as api:
        assert (await api.get("/me", headers=bearer(issuer.token()))).status_code == 200
        issuer.keys["two"] = ec.generate_private_key(ec.SECP256R1())
        for _ in range(5):  # too soon after the last time
            token = issuer.token("two", "ES256")
            assert (await api.get("/me", headers=bearer(token))).status_code == 401
        assert len(issuer.asked) == 2
        monkeypatch.setattr("jobbers.api.oidc.RETRY_SECONDS", 0)
        assert (await api.get("/me", headers=bearer(token))).status_code == 200
        assert len(issuer.asked) == 4


async def test_an_issuer_that_is_away(
    server: EmbeddedServer, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(server, issuer) as api:
        issuer.answers = False
        error_of(await api.get("/me", headers=bearer(issuer.token())), 401, "unauthorized")
        issuer.answers = True
        monkeypatch.setattr("jobbers.api.oidc.RETRY_SECONDS", 0)
        assert (await api.get("/me", headers=bearer(issuer.token()))).status_code == 200
        issuer.answers = False
        monkeypatch.setattr("jobbers.api.oidc.FRESH_SECONDS", 0)
        assert (await api.get("/me", headers=bearer(issuer.token()))).status_code == 200, (
            "what we have goes on"
        )


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"oidc_issuer": "https://id.test"}, "oidc_audience"),
        ({"oidc_audience": "jobbers"}, "oidc_issuer"),
        ({"oidc_issuer": "http://id.test", "oidc_audience": "a"}, "https://"),
        ({"oidc_issuer": "file:///etc/passwd", "oidc_audience": "a"}, "https://"),
        ({"oidc_issuer": "https://id.test", "oidc_audience": "a", "oidc_jwks_url": "ftp://x"}, "https://"),
    ],
)
def test_settings_that_would_be_unsafe(given: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Tokens.of(Settings(**given))  # type: ignore[arg-type]


async def test_an_issuer_cannot_lead_elsewhere(server: EmbeddedServer, issuer: Issuer) -> None:
    elsewhere = {"issuer": issuer.url, "jwks_uri": "file:///etc/hosts"}
    issuer.answer = lambda path: elsewhere  # type: ignore[method-assign]
    async with service(server, issuer) as api:
        error_of(await api.get("/me", headers=bearer(issuer.token())), 401, "unauthorized")
